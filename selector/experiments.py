"""Steps of a recipe, one after another: each writes its folder, and those that are finished are not done again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from selector import comparing, cutting, estimating, experimenting, laddering, running, splits, training_sets, writing
from selector import manifest as manifests
from selector import recipe as recipes
from selector.errors import RecipeError, SelectorError
from selector.ladder_recipe import level_name
from selector.measure_recipe import MeasureRecipe
from selector.options import Options
from selector.planning import Plan
from selector.recipe import Recipe, SelectRecipe, Strict
from selector.steps import Step


def run(steps: Sequence[Step], output: Path, options: Options, *, resume: bool = False) -> Iterator[tuple[Step, float | None]]:
    """Does the steps in order, each into its folder under `output`; gives each with its seconds, None where it was finished before.

    With `resume` a step whose folder was written by the same words is finished. Raises SelectorError: for a folder that may not be
    written before any step is done.
    """
    finished = {step.name for step in steps if resume and _finished(output / step.name, step.recipe)}
    for step in steps:
        if step.name not in finished and not (step.verb == "experiment" and (output / step.name / "experiment.json").exists()):
            writing.check(output / step.name, options.overwrite)
    for number, step in enumerate(steps, start=1):
        if step.name in finished:
            yield step, None
            continue
        began = time.monotonic()
        numbered = replace(options, progress=_numbered(options, f"{number}/{len(steps)} {step.name}"))
        try:
            if step.verb == "experiment":
                experimenting.run(step.recipe, output / step.name, numbered, resume=resume)
            else:
                _DO[step.verb](step.recipe, output / step.name, numbered)
        except SelectorError as error:
            if step.name:
                error.add_note(f"in the step '{step.name}', number {number} of {len(steps)}")
            raise
        yield step, time.monotonic() - began


def plan(steps: Sequence[Step], options: Options) -> Iterator[tuple[Step, Plan | None]]:
    """What each step would take, as far as that is known: a ladder as coverage on its layer, and nothing for measures.

    None for a step whose pool an earlier one is still to write. Features that several steps read are counted in each and made once.
    Raises SelectorError.
    """
    for step in steps:
        recipe = _like(step)
        if recipe is None:
            continue
        source = Path(recipe.pool.source)
        unwritten = source.name in {one.name for one in steps} and source.parent.parts and not source.exists()
        yield step, None if unwritten else running.plan(recipe, options)


def runs(step: Step, steps: Sequence[Step]) -> list[str]:
    """The names of an experiment's runs, on sets that are written already or that earlier steps will write. Raises InputError."""
    words = step.recipe.experiment
    names = list[str]()
    for source in words.sets:
        earlier = next((one for one in steps if one.name == Path(source).name and not Path(source).exists()), None)
        if earlier is None:
            found = [(f"{one.step}/{one.name}", one.draw) for one in training_sets.read(source)]
        else:
            found = [(f"{earlier.name}/{name}", earlier.recipe.seed) for name in _sets(earlier)]
        names += [f"{name}/seed-{seed}" for name, draw in found for seed in words.seeds or [draw]]
    return names


def _sets(step: Step) -> list[str]:
    """The sets that a step will write."""
    if step.verb == "ladder":
        return [level_name(percent) for percent in step.recipe.ladder.levels]
    if step.verb == "split":
        return list(step.recipe.split.names)
    if step.verb == "select":
        return ["selection"]
    raise RecipeError(f"an experiment trains on what a ladder, a split or a selection wrote; the step '{step.name}' is {step.verb}.")


def _like(step: Step) -> Recipe | None:
    """The selection that costs about what the step costs."""
    if step.verb == "select":
        return step.recipe  # type: ignore[no-any-return]
    if step.verb == "split":
        return step.recipe.selecting  # type: ignore[no-any-return]
    if step.verb in ("measure", "hold_out", "experiment", "effect"):
        return None
    words = step.recipe.ladder
    same = {name: getattr(step.recipe, name) for name in ("pool", "tokenizer", "hygiene", "layers", "seed")}
    return Recipe(**same, select=SelectRecipe(budget=words.budget, layer=words.layer, side=words.side, objective="coverage"))


def _measure(recipe: MeasureRecipe, folder: Path, options: Options) -> None:
    began = time.monotonic()
    found = comparing.solve(recipe, options=options)
    manifest = manifests.circumstances(recipe, {"total": time.monotonic() - began})

    def fill(place: Path) -> None:
        (place / "measures.json").write_text(found.to_json(), encoding="utf-8")
        (place / "measures.csv").write_text(found.to_csv(), encoding="utf-8")
        writing.json_file(place / "manifest.json", manifest)

    writing.whole(folder, options.overwrite, fill)


def _numbered(options: Options, name: str) -> Callable[[str, int, int], None]:
    return lambda stage, done, total: options.progress(f"{name}: {stage}", done, total)


def _finished(folder: Path, recipe: Strict) -> bool:
    try:
        told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("recipe") == recipes.write(recipe)


_DO: Mapping[str, Callable[[Any, Path, Options], Any]] = {
    "select": running.run,
    "split": splits.run,
    "ladder": laddering.run,
    "measure": _measure,
    "hold_out": cutting.run,
    "effect": estimating.run,
}

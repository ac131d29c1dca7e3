"""A recipe of several steps: what they share is written once, and a step may read what an earlier one wrote."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from selector import recipe as recipes
from selector.effect_recipe import EffectRecipe
from selector.errors import RecipeError, hint
from selector.experiment_recipe import ExperimentRecipe
from selector.hold_out_recipe import HoldOutRecipe
from selector.ladder_recipe import LadderRecipe
from selector.measure_recipe import MeasureRecipe
from selector.recipe import Recipe, Strict
from selector.split_recipe import SplitRecipe

VERBS: Mapping[str, type[Strict]] = {
    "select": Recipe, "split": SplitRecipe, "ladder": LadderRecipe, "measure": MeasureRecipe,
    "hold_out": HoldOutRecipe, "experiment": ExperimentRecipe, "effect": EffectRecipe,
}  # fmt: skip
WRITTEN = "step:"  # before the name of an earlier step, where a source may stand


@dataclass(frozen=True)
class Step:
    """One step: its folder's name ('' where there is one step and the output is its folder), what it does, and the words of that."""

    name: str
    verb: str
    recipe: Any  # of VERBS[verb]


def steps(content: dict[str, Any], output: Path, *, source: str = "") -> list[Step]:
    """The steps of a recipe, in order; or the one step that it is.

    `step:NAME` as a source is the folder that the step NAME writes under `output`.

    A step holds `name`, one verb with its words, and any key of the head that differs for it. With `each`, lists by key, there is one
    step for each combination of their values: a value goes into the verb's words (a seed and other keys of the head to the step),
    and into the name where that says {key}. Raises RecipeError naming the step.
    """
    before = f"{source}: " if source else ""
    if "steps" not in content:
        verb = next(verb for verb in VERBS if verb in content)
        return [Step("", verb, recipes.checked(VERBS[verb], _told(verb, content), source=source))]
    head, written = _without(content, "steps"), content["steps"]
    if not isinstance(written, list) or not written:
        raise RecipeError(f"{before}steps must be a list of steps, each with a name and one of {', '.join(VERBS)}; it is {written!r}.")
    found: list[Step] = []
    for number, one in enumerate(written, start=1):
        place = f"{before}step {number}"
        if not isinstance(one, dict):
            raise RecipeError(f"{place} is {one!r}; write a name and one of {', '.join(VERBS)}.")
        for name, verb, words in _combinations(one, place):
            if name in {step.name for step in found}:
                raise RecipeError(f"{place}: two steps are called '{name}'; give each a name of its own.")
            told = _told(verb, recipes.merged(head, words))
            folders = {step.name: output / step.name for step in found}
            checked = recipes.checked(VERBS[verb], _resolved(told, folders, place), source=f"{before}step '{name}'")
            found.append(Step(name, verb, checked))
    return found


def _told(verb: str, words: dict[str, Any]) -> dict[str, Any]:
    """The words as the verb's recipe has them: datasets are measured, and so may be written with that."""
    inner = words[verb]
    if verb == "measure" and isinstance(inner, dict) and "datasets" in inner:
        return {**words, "datasets": inner["datasets"], "measure": _without(inner, "datasets")}
    if verb == "effect":  # it reads scores: what the head says of pools and layers is for other steps
        return _without(words, "pool", "tokenizer", "hygiene", "layers")
    return words


def _combinations(one: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, verb and own keys of each step that an entry stands for."""
    verbs = [key for key in one if key in VERBS]
    if len(verbs) != 1:
        told = f"has {' and '.join(verbs)}" if verbs else f"has none among {', '.join(map(str, one))}"
        raise RecipeError(f"{place} needs exactly one of {', '.join(VERBS)}; it {told}.")
    verb, each = verbs[0], one.get("each", {})
    if not isinstance(each, dict) or not all(isinstance(values, list) and values for values in each.values()):
        raise RecipeError(f"{place}: each must hold lists of values by key, as budget: [1000, 2000]; it is {each!r}.")
    own = _without(one, "each", "name")
    for values in itertools.product(*each.values()):
        chosen = dict(zip(each, values, strict=True))
        try:
            name = str(one.get("name", verb)).format(**chosen)
        except (KeyError, IndexError, ValueError):
            raise RecipeError(f"{place}: its name '{one['name']}' may say {{KEY}} of each ({', '.join(each) or 'none here'}).") from None
        if not re.fullmatch(r"[\w.+-]+", name) or name.startswith("."):
            raise RecipeError(f"{place} is called '{name}', which is no name for a folder; use letters, digits and hyphens.")
        for_all = {key: value for key, value in chosen.items() if key in VERBS[verb].model_fields}  # as seed
        yield name, verb, recipes.merged(own, {verb: _without(chosen, *for_all), **for_all})


def _resolved(value: Any, folders: Mapping[str, Path], place: str) -> Any:
    """The words with folders in the place of `step:NAME`."""
    if isinstance(value, dict):
        return {key: _resolved(inner, folders, place) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(one, folders, place) for inner in value for one in _several(inner, folders, place)]
    if isinstance(value, str) and value.startswith(WRITTEN):
        name = value.removeprefix(WRITTEN)
        if name not in folders:
            raise RecipeError(f"{place} reads '{value}', but no earlier step is called '{name}'. {hint(name, folders)}")
        return str(folders[name])
    return value


def _several(value: Any, folders: Mapping[str, Path], place: str) -> list[Any]:
    """In a list `step:NAME` with a * stands for all earlier steps of such names."""
    if not isinstance(value, str) or not value.startswith(WRITTEN) or "*" not in value:
        return [value]
    found = [f"{WRITTEN}{name}" for name in folders if fnmatchcase(name, value.removeprefix(WRITTEN))]
    if not found:
        raise RecipeError(f"{place} reads '{value}', but no earlier step has such a name. {hint(value.removeprefix(WRITTEN), folders)}")
    return found


def _without(words: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in words.items() if key not in keys}


def by_proxy(content: dict[str, Any], proxy: str | None) -> dict[str, Any]:
    """The recipe with this proxy in the place of what its experiments would train; as it is without one. Raises RecipeError."""
    if proxy is None:
        return content
    whole = content["steps"] if isinstance(content.get("steps"), list) else [content]
    there = [isinstance(one, dict) and "experiment" in one for one in whole]
    if not any(there):
        raise RecipeError(f"the proxy {proxy} stands in for training, but the recipe has no experiment; leave --proxy out.")
    found = [recipes.merged(one, {"experiment": {"proxy": proxy}}) if is_one else one for one, is_one in zip(whole, there, strict=True)]
    return {**content, "steps": found} if "steps" in content else found[0]


def several(content: Any) -> bool:
    """Whether what a recipe file holds is steps, or one step of another verb than select."""
    return isinstance(content, dict) and ("steps" in content or any(verb in content for verb in VERBS if verb != "select"))

"""An experiment's words -> runs, what they found as scores.csv, and the folder that holds them."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from selector import manifest as manifests
from selector import recipe as recipes
from selector import training_sets, trials, writing
from selector.errors import FailedRuns, OutputError, RecipeError, hint, plural
from selector.experiment_recipe import ExperimentRecipe, ExperimentWords
from selector.ngram_lm import WARNING
from selector.options import Options
from selector.training_sets import TrainingSet
from selector.trials import Trial
from selector.writing import json_file

KNOWN = ("side", "layer", "level", "size", "seed", "score", "achieved", "mean_tokens", "draw", "step", "set")


def run(recipe: ExperimentRecipe, output: str | Path, options: Options | None = None, *, resume: bool = False) -> None:
    """Does the runs that are not finished and writes scores.csv after each: a line a finished run.

    With `resume` a folder that the same words began is gone on with. Raises FailedRuns when all others are done and some failed; after
    KeyboardInterrupt what is finished stays. A run is set x seed; its columns are KNOWN, the seconds, and the numbers
    that its result has at the places `scores`, or without these the numbers that stand in it directly.
    """
    options, words, folder, began = options or Options(), recipe.experiment, Path(output), time.monotonic()
    sets = [one for source in words.sets for one in training_sets.read(source)]
    planned = [(one, seed) for one in sets for seed in words.seeds or [one.draw]]
    runs = [trial(one, seed, recipe, folder, options) for one, seed in planned]
    if len({one.name for one in runs}) < len(runs):
        raise RecipeError("two of the experiment's runs have one name: a folder or a seed is named twice; name each once.")
    _open(recipe, folder, options.overwrite, resume)
    about = dict(zip((one.name for one in runs), planned, strict=True))
    ended: dict[str, dict[str, Any]] = {one.name: found for one in runs if (found := _finished(one, words)) is not None}
    failed: dict[str, str] = {}

    def done(one: Trial, found: dict[str, Any]) -> None:
        if found["state"] == "finished" and (why := _lacking(found["result"], words)):
            failed[one.name] = why
        elif found["state"] == "finished":
            ended[one.name] = found
        else:
            failed[one.name] = found["why"]
        _scores(folder / "scores.csv", ended, about, words)
        options.progress("runs", len(ended) + len(failed), len(runs))

    options.progress("runs", len(ended), len(runs))
    left = [one for one in runs if one.name not in ended]
    try:
        trials.run(left, options.jobs, done)
    except KeyboardInterrupt as stop:
        stop.add_note(f"{len(ended):,} of {plural(len(runs), 'run')} are finished and stay in {folder}; --resume goes on with the others")
        raise
    _scores(folder / "scores.csv", ended, about, words)
    if failed:
        name, why = next(iter(failed.items()))
        raise FailedRuns(
            f"{plural(len(failed), 'run')} of {len(runs):,} failed: {', '.join(list(failed)[:5])}{' ...' if len(failed) > 5 else ''}. "
            f"{name}: {why}. The logs stand in {folder / 'runs'}, the scores of the others in {folder / 'scores.csv'}; with --resume only "
            "what failed is done again."
        )
    seconds = {"total": time.monotonic() - began, "runs": sum(_seconds(one) for one in ended.values())}
    manifest = {
        "experiment": {"runs": len(runs), "sets": len(sets), "proxy": f"{words.proxy}: {WARNING}" if words.proxy else None},
        **manifests.circumstances(recipe, seconds),
    }
    (folder / "README.md").write_text(_card(folder.resolve().name, recipe, len(runs)), encoding="utf-8")
    json_file(folder / "manifest.json", manifest)


def _open(recipe: ExperimentRecipe, folder: Path, overwrite: bool, resume: bool) -> None:
    """Makes the folder, or goes on with it. Raises OutputError."""
    mark = folder / "experiment.json"
    if mark.exists():
        same = json.loads(mark.read_text(encoding="utf-8")).get("recipe") == recipes.write(recipe)
        if overwrite:
            shutil.rmtree(folder)
        elif not resume:
            raise OutputError(f"{folder} holds runs already; add --resume to go on with them, or name another folder.")
        elif not same:
            raise OutputError(f"{folder} holds runs of other words than these; name another folder, or replace it with --overwrite.")
    elif folder.exists():
        writing.check(folder, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    json_file(mark, {"recipe": recipes.write(recipe), "versions": manifests.versions()})


def trial(one: TrainingSet, seed: int, recipe: ExperimentRecipe, folder: Path, options: Options) -> Trial:
    """The run on one set by one seed, everything filled in."""
    words = recipe.experiment
    name = f"{one.step}/{one.name}/seed-{seed}"
    place = (folder / "runs" / name).resolve()
    on = [part for called, source in words.score_on.items() for part in ("--on", f"{called}={_place(source.source, source.config)}")]
    values = {
        "dataset": one.data.resolve(), "output": place / "output", "run": place, "seed": seed, "size": one.size, "level": one.level,
        "side": one.side, "layer": one.layer, "set": one.name, "folder": one.folder.resolve(), "on": on, "python": sys.executable,
    }  # fmt: skip
    written = {"train": words.train, "score": words.score}
    if words.proxy is not None:
        written = {"train": None, "score": _proxy(recipe.tokenizer, options)}
    commands = {stage: trials.fill(command, values, quoted=True) for stage, command in written.items() if command}
    return Trial(
        name=name,
        folder=place,
        commands=commands,
        files={called: trials.fill(content, values, quoted=False) for called, content in words.files.items()},
        depends={"files": one.files},
        read=Path(trials.fill(words.read, values, quoted=False)) if words.read else None,
        timeout=words.timeout,
        keep_output=words.keep_output,
    )


def _proxy(tokenizer: str, options: Options) -> str:
    words = [sys.executable, "-m", "selector", "score-ngram", "DATASET", "ON", "--tokenizer", tokenizer, "--threads", str(options.threads)]
    words += ["--no-cache"] if options.cache is None else ["--cache", str(options.cache)]
    return shlex.join(words).replace("DATASET", "{dataset}").replace(" ON ", " {on} ")


def _place(source: str, config: str | None) -> str:
    """A file or folder by its whole path; anything else as it is written."""
    path = Path(source).expanduser()
    return str((path / "data" / config if config else path).resolve()) if path.exists() or config else source


def _finished(one: Trial, words: ExperimentWords) -> dict[str, Any] | None:
    """What the run's folder says, where it has ended well and with every number that is wanted."""
    found = trials.told(one)
    return found if found is not None and found["state"] == "finished" and not _lacking(found["result"], words) else None


def _columns(result: Mapping[str, Any], words: ExperimentWords) -> dict[str, float]:
    if not words.scores:
        return {name: float(value) for name, value in result.items() if isinstance(value, (int, float)) and not isinstance(value, bool)}
    found = dict(trials.numbers(result))
    return {name: found[place] for name, place in words.scores.items() if place in found}


def _lacking(result: Mapping[str, Any], words: ExperimentWords) -> str:
    wanted, there = words.scores or {"score": "score"}, dict(trials.numbers(result))
    return "".join(f"its result has no number '{place}'. {hint(place, there)} " for place in wanted.values() if place not in there).strip()


def _scores(
    path: Path, ended: Mapping[str, Mapping[str, Any]], about: Mapping[str, tuple[TrainingSet, int]], words: ExperimentWords
) -> None:
    """Whole or not at all: a line for each finished run, in the order of the plan."""
    lines = []
    for name, (one, seed) in about.items():
        if name in ended:
            known = {key: value for key, value in asdict(one).items() if key in KNOWN} | {"set": one.name, "seed": seed}
            known |= {"proxy": words.proxy} if words.proxy else {}
            lines.append(known | _columns(ended[name]["result"], words) | {"seconds": _seconds(ended[name])})
    names = list(dict.fromkeys([*KNOWN, *(key for line in lines for key in line)]))
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, names, restval="")
        writer.writeheader()
        writer.writerows(lines)
    os.replace(partial, path)


def _seconds(told: Mapping[str, Any]) -> float:
    return round(sum(stage["seconds"] for stage in told["done"].values()), 3)


def _card(title: str, recipe: ExperimentRecipe, runs: int) -> str:
    words = recipe.experiment
    warning = [f"**The scores are from the proxy `{words.proxy}`: {WARNING}.**", ""] if words.proxy else []
    return "\n".join(
        [
            f"# {title}",
            "",
            *warning,
            f"{plural(runs, 'run')}; `scores.csv` has a line for each, `runs/` a folder with its logs, its output and `run.json`.",
            "`selector effect scores.csv` says what the scores support.",
            "",
            "```yaml",
            recipes.write(recipe).rstrip(),
            "```",
            "",
        ]
    )

"""What a ladder's sets achieved, joined to the runs that were trained on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selector.effect.scores import Run, Scores
from selector.errors import InputError

FIGURES = ("types", "type_entropy_bits", "instruction_tokens", "response_tokens")  # columns of levels.csv that runs take over


@dataclass(frozen=True)
class Rung:
    """One level of a ladder."""

    folder: str
    strategy: str
    size: int
    seed: str
    level: float  # 0 to 1
    figures: dict[str, float]


def joined(scores: Scores, folders: Sequence[str]) -> Scores:
    """The runs with `achieved` (0 at the ladder's fewest types, 1 at its most), types, entropy and mean tokens of their sets.

    A run belongs to the ladder of its side, layer and size, and where several ladders are of one kind to that of its seed. Raises
    InputError where a folder holds no ladder, and where a run has no set there.
    """
    rungs = [rung for folder in folders for rung in _rungs(Path(folder))]
    return replace(scores, runs=tuple(_joined(run, rungs, scores.source) for run in scores.runs)) if folders else scores


def _joined(run: Run, rungs: Sequence[Rung], source: str) -> Run:
    alike = [one for one in rungs if (one.strategy, one.size) == (run.strategy, run.size) and abs(one.level - run.level) < 1e-6]
    if len(alike) > 1:
        alike = [one for one in alike if one.seed == run.seed]
    if len(alike) != 1:
        there = ", ".join(sorted({f"{one.strategy} at {one.size:,}" for one in rungs}))
        raise InputError(
            f"{source}: the run {run.strategy} at level {100 * run.level:g} %, size {run.size:,}, seed {run.seed or 'none'} has "
            f"{len(alike)} sets in the ladders ({there}); name the ladder that it was trained on, one for each seed where they differ."
        )
    return replace(run, other={**run.other, **alike[0].figures})


def _rungs(folder: Path) -> list[Rung]:
    import pyarrow.csv

    try:
        told: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        lines = pyarrow.csv.read_csv(folder / "levels.csv").to_pylist()
        strategy, fewest, most = f"{told['side']}/{told['layer']}", told["fewest_types"], told["most_types"]
        return [
            Rung(
                str(folder),
                strategy,
                int(told["budget"]),
                str(told["seed"]),
                line["level"] / 100,
                {"achieved": (line["types"] - fewest) / max(1, most - fewest), **{name: line[name] for name in FIGURES}},
            )
            for line in lines
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder} is no folder of a ladder ({error}); name one that `selector ladder` wrote.") from None

"""Sets to train on, as ladders, splits and selections wrote them: where the rows are, and what a score is set against."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selector.errors import InputError

HELD_OUT = "held-out"


@dataclass(frozen=True)
class TrainingSet:
    """One set: its folder of rows, and the columns of scores.csv that are known before any training."""

    step: str  # name of the folder that holds the sets
    name: str  # of the set in it
    folder: Path
    data: Path  # the folder of its Parquet files
    side: str | None
    layer: str | None
    level: float | None  # percent, of a ladder
    achieved: float | None  # percent: where its types are between those of the levels 0 and 100
    size: int
    draw: int  # seed of the rows
    mean_tokens: float | None  # of a response

    @property
    def files(self) -> list[str]:
        """Names of the files, which end in a digest of their bytes: other rows, other names."""
        return sorted(one.name for one in self.data.glob("*.parquet"))


def read(folder: str | Path) -> list[TrainingSet]:
    """The sets of a folder, in the order in which it lists them, held-out rows not among them. Raises InputError."""
    folder = Path(folder)
    try:
        told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} holds no sets of selector (no manifest.json that can be read): {error}.") from None
    if "levels" in told:
        return _rungs(folder, told)
    objective = told.get("objective", {})
    about = {"side": objective.get("side"), "layer": objective.get("layer"), "level": None, "achieved": None, "mean_tokens": None}
    if "split" in told:
        sizes = {name: one["rows"] for name, one in told["split"]["sets"].items()}
        places = [(name, folder / "data" / name, rows) for name, rows in sizes.items() if name != HELD_OUT]
    elif "selected" in told:
        places = [("selection", folder / "data", told["selected"])]
    else:
        raise InputError(f"{folder} is none of a ladder, a split and a selection; name one of those.")
    return [
        TrainingSet(step=folder.name, name=name, folder=folder, data=data, size=rows, draw=told["seed"], **about)
        for name, data, rows in places
    ]


def _rungs(folder: Path, told: dict[str, Any]) -> list[TrainingSet]:
    with (folder / "levels.csv").open(encoding="utf-8", newline="") as opened:
        lines: Sequence[dict[str, str]] = list(csv.DictReader(opened))
    names = sorted(one.name for one in (folder / "data").iterdir())
    span = told["most_types"] - told["fewest_types"]
    return [
        TrainingSet(
            step=folder.name,
            name=name,
            folder=folder,
            data=folder / "data" / name,
            side=told["side"],
            layer=told["layer"],
            level=float(line["level"]),
            achieved=round(100 * (int(line["types"]) - told["fewest_types"]) / span, 4),
            size=int(line["rows"]),
            draw=told["seed"],
            mean_tokens=float(line["response_tokens"]),
        )
        for name, line in zip(names, lines, strict=True)
    ]

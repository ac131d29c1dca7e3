"""A file of scores -> runs: one for each training, with its strategy, level, size and score."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from selector.effect import table
from selector.effect.table import LINE, WINS, Row
from selector.effect_recipe import EffectWords
from selector.errors import InputError, plural

SIDES, LAYERS = ("instruction", "response", "both"), ("surface", "macro", "meso", "micro")
ONE_VALUE = ("model", "benchmark")  # one estimate is of one model and one benchmark
ARMS = {"random": 0.0, "diverse": 1.0}  # of a matched split; random-1, random-2 ... are random


@dataclass(frozen=True)
class Run:
    """One training and its score."""

    strategy: str  # side/layer
    level: float  # 0 to 1
    size: int  # rows of the set
    score: float
    seed: str
    error: float | None  # standard error of the score, as its judge states it
    other: Row  # every column of the row by its own name


@dataclass(frozen=True)
class Scores:
    """The runs, and how they were read."""

    runs: tuple[Run, ...]
    source: str
    level_unit: str  # percent or fraction
    form: str  # long, levels across or strategies across
    notes: tuple[str, ...] = ()
    proxy: str = ""  # what stood for training and scoring, and what that means; '' where models were trained

    @property
    def strategies(self) -> list[str]:
        """As they come in the file."""
        return list(dict.fromkeys(run.strategy for run in self.runs))

    @property
    def sizes(self) -> list[int]:
        """Ascending."""
        return sorted({run.size for run in self.runs})


def read(given: Any, words: EffectWords) -> Scores:
    """Runs from a CSV or TSV file, an Arrow table or anything like it, or a list of mappings.

    Long: one row a run with side and layer (or strategy, as response/micro), level (or the arm of a split), size, score (or wins,
    ties and losses). Wide: a column for each level, or one for each strategy. Raises InputError with the
    row and the column that cannot be read.
    """
    rows, source, form = table.rows(given, words)
    _check_columns(rows[0], source)
    for name in ONE_VALUE:
        values = {str(row.get(name, "")) for row in rows}
        if len(values) > 1:
            raise InputError(
                f"{source} holds scores of {plural(len(values), name)} ({', '.join(sorted(values)[:4])}), and one estimate is of one; "
                f"choose with --where {name}={min(values)}."
            )
    notes = []
    if narrow := [row for row in rows if _blank(row, "level") and _arm(row) == "narrow"]:
        rows = [row for row in rows if row not in narrow]
        notes.append(f"{plural(len(narrow), 'run')} on a narrow set left out: a split's slope is the diverse set against random ones")
    places = [_Place(source, row[LINE]) for row in rows]
    levels = [_level(row, place) for row, place in zip(rows, places, strict=True)]
    named = [level for row, level in zip(rows, levels, strict=True) if not _blank(row, "level")]
    unit = words.level_unit if words.level_unit != "auto" else "percent" if max(named, default=0.0) > 1 else "fraction"
    tops = [1.0 if _blank(row, "level") or unit == "fraction" else 100.0 for row in rows]
    for level, top, place in zip(levels, tops, places, strict=True):
        if not 0 <= level <= top:
            raise place.wrong("level", f"{level:g}", f"levels are read as {unit} here; write numbers from 0 to {top:g}")
    runs = tuple(_run(row, level / top, place) for row, level, top, place in zip(rows, levels, tops, places, strict=True))
    _nothing_twice(runs, source, "seed" in rows[0])
    notes += _misspelt(runs) + _copies(runs)
    return Scores(runs, source, unit, form, tuple(notes), table.proxy(given))


@dataclass(frozen=True)
class _Place:
    source: str
    number: int

    def wrong(self, column: str, came: str, remedy: str) -> InputError:
        return InputError(f"{self.source}, row {self.number}: {column} is {came}; {remedy}.")

    def number_of(self, row: Row, column: str) -> float:
        """A finite number; 10k is 10,000."""
        value = row.get(column)
        text = str(value if value is not None else "").strip()
        times = 1000.0 if text[-1:] in ("k", "K") else 1.0
        try:
            number = float(text[:-1] if times > 1 else text) * times
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.wrong(column, f"'{text}'", "write a number, or take the row out where the run failed")
        return number


def _check_columns(row: Row, source: str) -> None:
    missing = [name for name in ("size",) if name not in row]
    missing += [] if "strategy" in row else [name for name in ("side", "layer") if name not in row]
    missing += [] if {"level", "arm", "set"} & set(row) else ["level"]
    missing += [] if "score" in row or {"wins", "losses"} <= set(row) else ["score"]
    if missing:
        there = ", ".join(name for name in row if name != LINE)
        raise InputError(f"{source} has no column {', '.join(missing)}; it has {there}. Name yours with --column {missing[0]}=NAME.")


def _blank(row: Row, column: str) -> bool:
    return row.get(column) is None or not str(row[column]).strip()


def _arm(row: Row) -> str:
    """random for random-2: where no level is written, the name of the set may be that of a split's arm."""
    return re.sub(r"[-_ ]?\d*$", "", str(row.get("set" if _blank(row, "arm") else "arm") or "").strip().lower())


def _level(row: Row, place: _Place) -> float:
    if not _blank(row, "level"):
        return place.number_of({"level": str(row["level"]).strip().removesuffix("%")}, "level")
    if _arm(row) not in ARMS:
        raise place.wrong("level", "blank", "write a number, or diverse, random-1, random-2 ... or narrow in a column arm")
    return ARMS[_arm(row)]


def _run(row: Row, level: float, place: _Place) -> Run:
    strategy = str(row["strategy"]).strip() if "strategy" in row else f"{str(row['side']).strip()}/{str(row['layer']).strip()}"
    side, _, layer = strategy.partition("/")
    if side not in SIDES or not layer:
        column = "strategy" if "strategy" in row else "side"
        raise place.wrong(column, f"'{row[column]}'", "write instruction, response or both, with a layer, as response/micro")
    size = place.number_of(row, "size")
    if size < 1 or size != int(size):
        raise place.wrong("size", f"{size:g}", "write the number of rows of the set")
    error = place.number_of(row, "error") if str(row.get("error") or "").strip() else None
    if "score" in row:
        score = place.number_of(row, "score")
    else:
        wins, ties, losses = (place.number_of(row, name) if name in row else 0.0 for name in WINS)
        judged = wins + ties + losses
        if judged < 1 or min(wins, ties, losses) < 0:
            raise place.wrong("wins", f"{wins:g} of {judged:g}", "write how many answers won, tied and lost")
        mean = (wins + ties / 2) / judged
        spread = (wins * (1 - mean) ** 2 + ties * (0.5 - mean) ** 2 + losses * mean**2) / judged
        score, error = 100 * mean, 100 * math.sqrt(spread / judged) if error is None else error
    return Run(strategy, level, int(size), score, str(row.get("seed", "")).strip(), error, dict(row))


def _misspelt(runs: Sequence[Run]) -> list[str]:
    """Layers may be of the user's own, so one that is nearly one of ours is told, and taken as it is written."""
    told = []
    for strategy in dict.fromkeys(run.strategy for run in runs):
        layer = strategy.partition("/")[2]
        if layer not in LAYERS and (near := get_close_matches(layer.lower(), LAYERS, n=1)):
            own = [run.other[LINE] for run in runs if run.strategy == strategy]
            told.append(
                f"{strategy} ({plural(len(own), 'run')}, the first in row {own[0]}) is taken as a strategy of its own; did you mean the "
                f"layer '{near[0]}'?"
            )
    return told


def _copies(runs: Sequence[Run]) -> list[str]:
    """Without seeds runs of one level are told apart by their scores alone; a row that repeats another in everything may be a slip."""
    first: dict[tuple[tuple[str, str], ...], int] = {}
    again = []
    for run in runs:
        key = tuple((name, str(value)) for name, value in run.other.items() if name != LINE)
        if first.setdefault(key, run.other[LINE]) != run.other[LINE]:
            again.append((first[key], run.other[LINE]))
    if not again:
        return []
    return [
        f"{plural(len(again), 'row')} of the scores {'repeats' if len(again) == 1 else 'repeat'} an earlier one in every column (rows "
        f"{again[0][0]} and {again[0][1]}) and {'counts as a run' if len(again) == 1 else 'count as runs'} all the same; give runs a seed, "
        "or take copies out"
    ]


def _nothing_twice(runs: Sequence[Run], source: str, seeds: bool) -> None:
    """The same run counted twice would look like evidence. Without seeds equal rows are taken as runs of their own."""
    seen: dict[tuple[Any, ...], int] = {}
    for run in runs:
        number = run.other[LINE]
        key = (run.strategy, run.level, run.size, run.seed, *(str(run.other.get(name, "")) for name in ("arm", "set", "step", "draw")))
        if seeds and key in seen:
            raise InputError(
                f"{source}, rows {seen[key]} and {number}: both are {run.strategy} at level {100 * run.level:g} %, size {run.size:,}, seed "
                f"{run.seed or 'none'}; take one out, or give each run its seed."
            )
        seen[key] = number

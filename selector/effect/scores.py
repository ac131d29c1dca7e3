"""A file of scores -> runs: one for each training, with its strategy, level, size and score."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from selector.effect_recipe import EffectWords
from selector.errors import InputError, plural, unknown

SIDES, LAYERS = ("instruction", "response", "both"), ("surface", "macro", "meso", "micro")
OWN = ("side", "layer", "strategy", "level", "size", "score", "seed", "model", "benchmark", "achieved", "error", "arm")
WINS = ("wins", "ties", "losses")
ONE_VALUE = ("model", "benchmark")  # one estimate is of one model and one benchmark
LEVEL = re.compile(r"(?:level[-_ ]?)?(\d+(?:\.\d+)?) ?%?", re.IGNORECASE)  # a column of the wide form
STRATEGY = re.compile(r"(instruction|response|both)/(\w+)")
ARMS = {"random": 0.0, "diverse": 1.0}  # of a matched split; random-1, random-2 ... are random
LINE = "line of the file"  # the header is line 1
Row = Mapping[str, Any]


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

    Long: one row a run with side and layer (or strategy, as response/micro), level (or arm), size, score (or wins, ties and losses).
    Wide: a column for each level, or one for each strategy. Raises InputError with the row and the column that cannot be read.
    """
    rows, source = _rows(given)
    if not rows:
        raise InputError(f"{source} holds no runs; write one row a run with side, layer, level, size and score.")
    ours = words_of(words)
    for name in ours.keys() - rows[0].keys():
        raise unknown(f"column of {source}", name, rows[0])
    rows = [{LINE: line, **{ours.get(name, name): value for name, value in row.items()}} for line, row in enumerate(rows, start=2)]
    rows = _only(rows, words.where, source)
    rows, form = _long(rows)
    _check_columns(rows[0], source)
    for name in ONE_VALUE:
        values = {str(row.get(name, "")) for row in rows}
        if len(values) > 1:
            raise InputError(
                f"{source} holds scores of {plural(len(values), name)} ({', '.join(sorted(values)[:4])}), and one estimate is of one; "
                f"choose with --where {name}={min(values)}."
            )
    notes = []
    if narrow := [row for row in rows if "level" not in row and _arm(row) == "narrow"]:
        rows = [row for row in rows if row not in narrow]
        notes.append(f"{plural(len(narrow), 'run')} on a narrow set left out: a split's slope is the diverse set against random ones")
    places = [_Place(source, row[LINE]) for row in rows]
    levels = [_level(row, place) for row, place in zip(rows, places, strict=True)]
    unit = words.level_unit
    if "level" not in rows[0]:
        unit = "fraction"
    elif unit == "auto":
        unit = "fraction" if max(levels) <= 1 else "percent"
    top = 1.0 if unit == "fraction" else 100.0
    for level, place in zip(levels, places, strict=True):
        if not 0 <= level <= top:
            raise place.wrong("level", f"{level:g}", f"levels are read as {unit} here; write numbers from 0 to {top:g}")
    runs = tuple(_run(row, level / top, place) for row, level, place in zip(rows, levels, places, strict=True))
    _nothing_twice(runs, source, "seed" in rows[0])
    return Scores(runs, source, unit, form, tuple(notes))


def words_of(words: EffectWords) -> dict[str, str]:
    """The file's name of a column -> ours."""
    known = {*OWN, *WINS}
    for name in words.columns:
        if name not in known:
            raise unknown("column of scores", name, known)
    return {theirs: ours for ours, theirs in words.columns.items()}


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


def _rows(given: Any) -> tuple[list[dict[str, Any]], str]:
    if isinstance(given, (str, Path)):
        return _file(Path(given)), str(given)
    if isinstance(given, Sequence):
        return [dict(row) for row in given], "the scores"
    try:
        return (given if isinstance(given, pa.Table) else pa.table(given)).to_pylist(), "the scores"
    except (TypeError, ValueError, pa.ArrowException):
        raise InputError(f"scores are a {type(given).__name__}; give a CSV file, a table or a list of mappings.") from None


def _file(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"there are no scores at {path}; name a CSV file with a row for each run.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the scores at {path} cannot be read ({error}); name a CSV file in UTF-8.") from None
    header = text.partition("\n")[0]
    between = max(",\t;", key=header.count)
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text), delimiter=between, strict=True), start=2):
        if None in row or None in row.values():
            raise InputError(f"{path}, row {number}: it has another number of cells than the header; mend the row.")
        rows.append({str(name).strip(): value for name, value in row.items()})
    return rows


def _only(rows: list[dict[str, Any]], where: Mapping[str, Any], source: str) -> list[dict[str, Any]]:
    for name, value in where.items():
        if name not in rows[0]:
            raise unknown(f"column of {source}", name, rows[0].keys() - {LINE})
        kept = [row for row in rows if str(row[name]) == str(value)]
        if not kept:
            raise InputError(
                f"no row of {source} has {name} = '{value}'; there are: {', '.join(sorted({str(row[name]) for row in rows})[:8])}."
            )
        rows = kept
    return rows


def _long(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Rows with one score each."""
    names = list(rows[0])
    across = [name for name in names if LEVEL.fullmatch(name)]
    if across and "level" not in names:
        return list(_turned(rows, across, lambda name: {"level": LEVEL.fullmatch(name)[1]})), "levels across"  # type: ignore[index]
    across = [name for name in names if STRATEGY.fullmatch(name)]
    if across and not {"side", "layer", "strategy"} & set(names):
        return list(_turned(rows, across, lambda name: {"strategy": name})), "strategies across"
    return rows, "long"


def _turned(rows: Iterable[Row], across: Sequence[str], says: Any) -> Iterable[dict[str, Any]]:
    for row in rows:
        kept = {name: value for name, value in row.items() if name not in across}
        yield from ({**kept, **says(name), "score": row[name]} for name in across if str(row[name] or "").strip())


def _check_columns(row: Row, source: str) -> None:
    missing = [name for name in ("size",) if name not in row]
    missing += [] if "strategy" in row else [name for name in ("side", "layer") if name not in row]
    missing += [] if {"level", "arm"} & set(row) else ["level"]
    missing += [] if "score" in row or {"wins", "losses"} <= set(row) else ["score"]
    if missing:
        there = ", ".join(name for name in row if name != LINE)
        raise InputError(f"{source} has no column {', '.join(missing)}; it has {there}. Name yours with --column {missing[0]}=NAME.")


def _arm(row: Row) -> str:
    return re.sub(r"[-_ ]?\d*$", "", str(row["arm"]).strip().lower())


def _level(row: Row, place: _Place) -> float:
    if "level" in row:
        return place.number_of({"level": str(row["level"]).strip().removesuffix("%")}, "level")
    if _arm(row) not in ARMS:
        raise place.wrong("arm", f"'{row['arm']}'", "write diverse, random-1, random-2 ... or narrow, or give a column level")
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


def _nothing_twice(runs: Sequence[Run], source: str, seeds: bool) -> None:
    """The same run counted twice would look like evidence. Without seeds equal rows are taken as runs of their own."""
    seen: dict[tuple[Any, ...], int] = {}
    for run in runs:
        number = run.other[LINE]
        key = (run.strategy, run.level, run.size, run.seed, str(run.other.get("arm", "")))
        if seeds and key in seen:
            raise InputError(
                f"{source}, rows {seen[key]} and {number}: both are {run.strategy} at level {100 * run.level:g} %, size {run.size:,}, seed "
                f"{run.seed or 'none'}; take one out, or give each run its seed."
            )
        seen[key] = number

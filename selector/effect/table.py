"""A file of scores -> rows under our names of columns, one score a row."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from selector.effect_recipe import EffectWords
from selector.errors import InputError, unknown

OWN = ("side", "layer", "strategy", "level", "size", "score", "seed", "model", "benchmark", "achieved", "error", "arm", "set")
WINS = ("wins", "ties", "losses")
LEVEL = re.compile(r"(?:level[-_ ]?)?(\d+(?:\.\d+)?) ?%?", re.IGNORECASE)  # a column of the wide form
STRATEGY = re.compile(r"(instruction|response|both)/(\w+)")
LINE = "line of the file"  # the header is line 1
Row = Mapping[str, Any]


def rows(given: Any, words: EffectWords) -> tuple[list[dict[str, Any]], str, str]:
    """The rows, where they are from, and their form: long, levels across or strategies across. Raises InputError, UnknownName."""
    rows, source = _read(given)
    if not rows:
        raise InputError(f"{source} holds no runs; write one row a run with side, layer, level, size and score.")
    ours = _ours(words)
    for name in ours.keys() - rows[0].keys():
        raise unknown(f"column of {source}", name, rows[0])
    rows = [{LINE: line, **{ours.get(name, name): value for name, value in row.items()}} for line, row in enumerate(rows, start=2)]
    rows = _only(rows, words.where, source)
    rows, form = _long(rows)
    return rows, source, form


def proxy(given: Any) -> str:
    """What the manifest of the experiment beside a file of scores says of a proxy."""
    if not isinstance(given, (str, Path)):
        return ""
    folder = Path(given) if Path(given).is_dir() else Path(given).parent
    told: dict[str, Any] = {}
    for name in ("experiment.json", "manifest.json"):  # the first while runs are still missing
        try:
            told |= json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            continue
    said = told["experiment"].get("proxy") if isinstance(told.get("experiment"), dict) else None
    if said is None and (found := re.search(r"^  proxy: (\S+)", str(told.get("recipe", "")), re.MULTILINE)):
        said = f"{found[1]}: a proxy, which favours what it counts and says nothing about what a language model learns"
    return str(said or "")


def _ours(words: EffectWords) -> dict[str, str]:
    """The file's name of a column -> ours."""
    known = {*OWN, *WINS}
    for name in words.columns:
        if name not in known:
            raise unknown("column of scores", name, known)
    return {theirs: ours for ours, theirs in words.columns.items()}


def _read(given: Any) -> tuple[list[dict[str, Any]], str]:
    if isinstance(given, (str, Path)):
        path = Path(given) / "scores.csv" if Path(given).is_dir() else Path(given)  # the folder of an experiment
        return _file(path), str(path)
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
    try:
        for number, row in enumerate(csv.DictReader(io.StringIO(text), delimiter=between, strict=True), start=2):
            if None in row or None in row.values():
                raise InputError(f"{path}, row {number}: it has another number of cells than the header; mend the row.")
            rows.append({str(name).strip(): value for name, value in row.items()})
    except csv.Error as error:
        raise InputError(f"{path}, row {len(rows) + 2}: it is no CSV ({error}); mend its quotation marks.") from None
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

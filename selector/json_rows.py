"""JSON lines, JSON arrays and lists of dicts -> one Arrow table.

Keys may differ from row to row (missing = null). A column whose values have no common Arrow type (text here, a number there; or
empty objects, which Parquet cannot hold) is kept as text: strings stay what they are, everything else becomes its JSON text. Such
columns carry the note `kept as JSON text` in their field's metadata and are logged.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from selector.errors import InputError

log = logging.getLogger(__name__)

Row = dict[str, Any]
NOTE = b"selector.note"
BATCH = 16_384  # rows that are Python objects at one time
BOM = b"\xef\xbb\xbf"
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def from_lines(paths: Sequence[Path], skip_bad: bool) -> tuple[pa.Table, list[str]]:
    """The rows of these JSON lines files, in order, and one line for each bad line skipped. Blank lines are no rows."""
    return _collect(lambda skipped: (row for path in paths for row in _lines(path, skip_bad, skipped)), str(paths[0].parent))


def from_array(items: Sequence[Any], source: str, skip_bad: bool) -> tuple[pa.Table, list[str]]:
    """The objects of a JSON array (or a list of dicts), and one line for each item skipped because it is no object."""

    def rows(skipped: list[str]) -> Iterator[Row]:
        for number, item in enumerate(items):
            if isinstance(item, dict) and all(isinstance(key, str) for key in item):
                yield item
            else:
                _bad(f"{source}: item {number}", f"{_kind(item)} instead of an object with text keys", skip_bad, skipped)

    return _collect(rows, source)


def load(path: Path) -> Any:
    """A file that is one JSON document. Raises ValueError when it is not."""
    return json.loads(path.read_bytes().removeprefix(BOM).decode("utf-8"))


def _lines(path: Path, skip_bad: bool, skipped: list[str]) -> Iterator[Row]:
    try:
        with _open(path) as stream:
            # A binary stream is split at b"\n" alone, so U+2028 and U+0085 inside a string survive.
            for number, line in enumerate(stream, 1):
                if number == 1:
                    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                        raise InputError(f"{path}: the text must be UTF-8, but the file begins like UTF-16; save it as UTF-8.")
                    line = line.removeprefix(BOM)
                if line.isspace() or not line:
                    continue
                row, fault = _parse(line)
                if fault is None:
                    yield row
                else:
                    _bad(f"{path}:{number}", fault, skip_bad, skipped)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}: the gzip file cannot be read to its end ({error}); it is damaged or cut short: fetch it again."
        ) from error


def _open(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return io.BufferedReader(gzip.open(path, "rb"), 1 << 20)  # type: ignore[type-var,return-value]
    return path.open("rb", 1 << 20)


def _parse(line: bytes) -> tuple[Row, str | None]:
    try:
        row = json.loads(line.rstrip().decode("utf-8"))
        if SURROGATE.search(line):
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        return {}, f"not UTF-8 text (byte 0x{error.object[error.start]:02x} at byte {error.start + 1} of the line)"
    except UnicodeEncodeError:
        return {}, "half of a surrogate pair (\\ud800 to \\udfff), which is no character"
    except json.JSONDecodeError as error:
        return {}, f"not JSON ({error.msg}, column {error.pos + 1})"
    except (ValueError, RecursionError) as error:
        return {}, f"not usable JSON ({error})"
    return (row, None) if isinstance(row, dict) else ({}, f"{_kind(row)} instead of an object")


def _bad(where: str, fault: str, skip_bad: bool, skipped: list[str]) -> None:
    if not skip_bad:
        raise InputError(f"{where}: found {fault}; mend it, or leave such rows out with --skip-bad (skip_bad=True).")
    skipped.append(f"{where}: {fault}")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else f"a {type(value).__name__}")


def _collect(rows: Callable[[list[str]], Iterable[Row]], source: str) -> tuple[pa.Table, list[str]]:
    """Batches of rows -> one table. Read again from the start whenever more columns turn out to have no common type."""
    as_text: set[str] = set()
    while True:
        skipped: list[str] = []
        batches: list[pa.Table] = []
        stream = iter(rows(skipped))
        while batch := list(islice(stream, BATCH)):
            batches.append(_table(batch, as_text, sum(one.num_rows for one in batches), source))
        table = _concat(batches, as_text)
        if table is not None:
            return _noted(table, as_text, source), skipped


def _table(rows: list[Row], as_text: set[str], first: int, source: str) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for name in dict.fromkeys(key for row in rows for key in row):
        values = [row.get(name) for row in rows]
        try:
            if name not in as_text:
                columns[name] = pa.array(values)
                if not _holds_empty_struct(columns[name].type):
                    continue
        except UnicodeEncodeError as error:
            raise InputError(
                f"{source}: column '{name}' holds half of a surrogate pair in rows {first} to {first + len(rows) - 1}: {error}"
            ) from error
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass
        as_text.add(name)
        columns[name] = pa.array([_text(value) for value in values], pa.string())
    # A table without columns forgets how many rows it has, and `{}` is a row.
    return pa.table(columns) if columns else pa.table({"": pa.nulls(len(rows))})


def _concat(batches: list[pa.Table], as_text: set[str]) -> pa.Table | None:
    if not batches:
        return pa.table({})
    try:
        return pa.concat_tables(batches, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        known = len(as_text)
        for name in dict.fromkeys(name for batch in batches for name in batch.column_names):
            try:
                pa.concat_tables([batch.select([name]) for batch in batches if name in batch.column_names], promote_options="permissive")
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                as_text.add(name)
        if len(as_text) == known:
            raise  # not a matter of one column's types: reading again would never end
        return None


def _noted(table: pa.Table, as_text: set[str], source: str) -> pa.Table:
    for name in as_text:
        log.warning("%s: column '%s' mixes types; kept as JSON text", source, name)
    fields = [field.with_metadata({NOTE: b"kept as JSON text"}) if field.name in as_text else field for field in table.schema]
    return table.cast(pa.schema(fields)) if as_text else table


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _holds_empty_struct(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(_holds_empty_struct(field.type) for field in kind.fields)
    return pa.types.is_list(kind) and _holds_empty_struct(kind.value_type)

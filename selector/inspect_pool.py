"""What is in a pool: columns, lengths, repeats, frequent values, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selector import conversations
from selector.json_rows import NOTE
from selector.normal import normalise
from selector.pool import Pool

SIDES = ("instruction", "response")
VERY_LONG = 20_000  # characters
FEW = 200  # distinct values; a column with more is no grouping to show
SHOWN = 12  # values of a column, and bad lines
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}]"


def inspect(pool: Pool) -> dict[str, Any]:
    """Facts about a pool as JSON values; the README of a pool, before anything is chosen.

    Keys: source, format, rows, fingerprint, columns [{name, type, nulls}], sides {side: {empty, characters {min, median, mean, max}}},
    duplicates {pairs, instructions, responses} (rows that repeat an earlier one, normalised), values {column: {distinct, most}},
    problems [{what, rows, first}] with `first` a row of the source. About 2 s for 100,000 rows.
    """
    return {
        "source": pool.source,
        "format": pool.format,
        "rows": len(pool),
        "fingerprint": pool.fingerprint,
        "columns": [
            {"name": field.name, "type": str(field.type), "nulls": pool.table.column(place).null_count}
            for place, field in enumerate(pool.table.schema)
        ],
        "sides": {side: _lengths(pool.side(side)) for side in SIDES},
        "duplicates": _duplicates(pool),
        "values": _values(pool),
        "problems": _problems(pool),
    }


def _lengths(texts: pa.ChunkedArray) -> dict[str, Any]:
    lengths = pc.utf8_length(texts).to_numpy()
    figures = {"min": int(lengths.min()), "median": float(np.median(lengths)), "mean": float(lengths.mean()), "max": int(lengths.max())}
    return {"empty": int(pc.sum(_blank(texts)).as_py()), "characters": figures}


def _blank(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(pc.utf8_trim_whitespace(texts), "")


def _duplicates(pool: Pool) -> dict[str, int]:
    def digests(texts: pa.ChunkedArray) -> list[bytes]:
        return [blake2b(normalise(text).encode(), digest_size=16).digest() for chunk in texts.chunks for text in chunk.to_pylist()]

    left, right = digests(pool.instructions), digests(pool.responses)
    size = len(pool)
    return {
        "pairs": size - len(set(zip(left, right, strict=True))),
        "instructions": size - len(set(left)),
        "responses": size - len(set(right)),
    }


def _values(pool: Pool) -> dict[str, Any]:
    """The most frequent values of the columns that group the rows: few distinct values (or tags), each in several rows."""
    found: dict[str, Any] = {}
    for name in pool.table.column_names:
        column = pool.table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        tags = pa.types.is_list(column.type) and conversations.is_text(column.type.value_type)
        if tags:
            column = pc.list_flatten(column)
        kind = column.type
        if not (conversations.is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
            continue
        counts = pc.value_counts(column)
        distinct = len(counts)
        if not 0 < distinct <= (len(column) // 2 if tags else min(FEW, max(1, len(column) // 2))):
            continue
        pairs = zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
        most = sorted(pairs, key=lambda pair: (-pair[1], str(pair[0])))[:SHOWN]
        found[name] = {"distinct": distinct, "most": [{"value": value, "rows": count} for value, count in most]}
    return found


def _problems(pool: Pool) -> list[dict[str, Any]]:
    problems: list[dict[str, Any]] = []
    if pool.skipped:
        problems.append({"what": "bad lines skipped", "rows": len(pool.skipped), "first": None, "lines": list(pool.skipped[:SHOWN])})
    tests: dict[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]] = {
        "an empty side": _blank,
        "a literal \\n (backslash and n) where a line break may be meant": lambda texts: pc.match_substring(texts, "\\n"),
        "control characters": lambda texts: pc.match_substring_regex(texts, CONTROL),
        "the replacement character U+FFFD (text lost in an earlier conversion)": lambda texts: pc.match_substring(texts, "\ufffd"),
        f"a side longer than {VERY_LONG:,} characters": lambda texts: pc.greater(pc.utf8_length(texts), VERY_LONG),
    }
    for what, test in tests.items():
        hit = np.flatnonzero(pc.or_(test(pool.instructions), test(pool.responses)).to_numpy(zero_copy_only=False))
        if len(hit):
            problems.append({"what": what, "rows": len(hit), "first": int(pool.rows[hit[0]])})
    for field in pool.table.schema:
        if note := (field.metadata or {}).get(NOTE):
            what = f"column '{field.name}' mixes types: {note.decode()}"
            problems.append({"what": what, "rows": len(pool) - pool.table.column(field.name).null_count, "first": None})
    return problems

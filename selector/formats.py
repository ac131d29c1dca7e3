"""Columns -> the two sides, and the two sides -> the columns that trainers read.

Formats are recognised in the order of `FORMATS`: a table with `instruction`, `output` and `messages` is alpaca. Column names
match in any case. Turns of a conversation are joined by a blank line; the instruction is everything before the last assistant
turn, system and tool turns included; where no assistant turn is, the response is empty.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selector import conversations
from selector.arrow_rows import take
from selector.core import Rows
from selector.errors import InputError, plural, unknown
from selector.rendering import TARGETS, render

__all__ = ["FORMATS", "NAMES", "TARGETS", "Format", "Sides", "render", "sides", "text"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Format:
    """Where the sides are: `instruction`, then (where not blank) the first `extra` after a blank line; the first `response`.

    A conversation format has `turns` columns instead, tried in order.
    """

    name: str
    instruction: str = ""
    extra: tuple[str, ...] = ()
    response: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()


FORMATS = (
    Format("alpaca", "instruction", ("input",), ("output",)),
    Format("pair", "instruction", ("input", "context"), ("response",)),
    Format("prompt-completion", "prompt", (), ("completion", "response")),
    Format("question-answer", "question", (), ("answer",)),
    Format("messages", turns=("messages", "conversation", "conversations")),
    Format("sharegpt", turns=("conversations", "conversation", "messages")),
)
NAMES = tuple(one.name for one in FORMATS)
TEXT_COLUMNS = frozenset(name for one in FORMATS for name in (one.instruction, *one.extra, *one.response) if name)


@dataclass(frozen=True)
class Sides:
    """Both sides as strings without nulls, one for each row of `table`; `rows` are the rows of the table as it was read."""

    table: pa.Table
    instructions: pa.ChunkedArray
    responses: pa.ChunkedArray
    rows: Rows  # (n,)
    turns: Rows | None  # (n,) which assistant turn of its conversation, from 1, when every turn is a row
    format: str


def sides(
    table: pa.Table,
    *,
    source: str,
    format: str = "auto",
    instruction_column: str | None = None,
    response_column: str | None = None,
    every_turn: bool = False,
) -> Sides:
    """Find both sides. A named column wins over the format; the format is then called 'columns'.

    Raises InputError when nothing is recognised or a side is no text, UnknownName for a misspelt column or format.
    """
    for asked in (instruction_column, response_column):
        if asked is not None and asked not in table.column_names:
            raise unknown("column", asked, table.column_names)
    rows = np.arange(table.num_rows)
    if instruction_column and response_column:
        if every_turn:
            raise InputError(f"{source}: every turn was asked for, but both sides are named columns, which have no turns; leave it out.")
        left, right = (text(table.column(name), name, source) for name in (instruction_column, response_column))
        return Sides(table, left, right, rows, None, "columns")
    found = _forced(table, format, source) if format != "auto" else _recognised(table, source, instruction_column, response_column)
    number = None
    if found.turns:
        name = str(_conversation(table, found))
        turns = conversations.turns_of(table.column(name), name, source)
        owners, at = turns.replies() if every_turn else turns.last_replies()
        left, right = _strings(turns.before(owners, at)), _strings(turns.at(owners, at))
        if every_turn:
            number = np.arange(len(owners)) - np.searchsorted(owners, owners) + 1
            place = table.column_names.index(name)
            shorter = conversations.cut(table.column(name), turns, owners, at)
            table, rows = take(table, owners).set_column(place, table.schema.field(place), shorter), owners
    elif every_turn:
        raise InputError(f"{source}: every turn was asked for, but the format '{found.name}' has no turns; leave it out.")
    else:
        left, right = _flat(table, found, source, instruction_column, response_column)
    if instruction_column:
        left = text(table.column(instruction_column), instruction_column, source)
    if response_column:
        right = text(table.column(response_column), response_column, source)
    named = instruction_column or response_column
    return Sides(table, left, right, rows, number, "columns" if named else found.name)


def text(column: pa.ChunkedArray, name: str, source: str) -> pa.ChunkedArray:
    """A column as strings without nulls. Numbers, booleans and dates become their text; conversations all their turns.

    Raises InputError, naming the column and its type, for anything else.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not conversations.is_text(kind) and conversations.shape(column):
        return _strings(conversations.turns_of(column, name, source).whole())
    plain = conversations.is_text(kind) or pa.types.is_null(kind)
    if not (plain or pa.types.is_primitive(kind) or pa.types.is_decimal(kind)):
        raise InputError(f"{source}: column '{name}' is to be a side of the pairs, but it is {column.type}, not text; name another column.")
    if not plain:
        log.info("%s: column '%s' is %s; read as text", source, name, column.type)
    parts = [piece for chunk in column.chunks for piece in _pieces(chunk)]
    return pc.fill_null(pa.chunked_array(parts, column.type).cast(pa.string()), "")


def _pieces(chunk: pa.Array) -> list[pa.Array]:
    """Pieces below 1 GB: an Arrow string array ends at 2 GB."""
    if chunk.nbytes <= 1 << 30 or len(chunk) < 2:
        return [chunk]
    half = len(chunk) // 2
    return _pieces(chunk.slice(0, half)) + _pieces(chunk.slice(half))


def _strings(values: Sequence[str]) -> pa.ChunkedArray:
    step = 65_536
    return pa.chunked_array([pa.array(values[at : at + step], pa.string()) for at in range(0, len(values), step)], pa.string())


def own_name(table: pa.Table, names: Sequence[str]) -> str | None:
    """The table's own name of the first of these columns it has: as written, else in any case."""
    for name in names:
        if name in table.column_names:
            return name
        if any(same := [one for one in table.column_names if one.lower() == name]):
            return same[0]
    return None


def _conversation(table: pa.Table, one: Format) -> str | None:
    there = (own_name(table, [name]) for name in one.turns)
    return next((name for name in there if name and conversations.shape(table.column(name)) == one.name), None)


def _has(table: pa.Table, one: Format, instruction_named: bool = False, response_named: bool = False) -> bool:
    if one.turns:
        return _conversation(table, one) is not None
    return (instruction_named or own_name(table, [one.instruction]) is not None) and (
        response_named or own_name(table, one.response) is not None
    )


def _recognised(table: pa.Table, source: str, instruction: str | None, response: str | None) -> Format:
    for one in FORMATS:
        if _has(table, one, bool(instruction), bool(response)):
            return one
    raise InputError(
        f"{source}: no format was recognised from the columns {_listed(table)}. Name the two sides with --instruction-column and "
        f"--response-column; the known formats are {', '.join(NAMES)}."
    )


def _forced(table: pa.Table, name: str, source: str) -> Format:
    wanted = {"instruction-response": "pair"}.get(name.replace("/", "-"), name.replace("/", "-"))
    if wanted not in NAMES:
        raise unknown("format", name, ["auto", *NAMES])
    one = FORMATS[NAMES.index(wanted)]
    if not _has(table, one):
        keys = " and ".join(conversations.KEYS.get(wanted, ()))
        needs = (
            f"a column {' or '.join(one.turns)} of turns with {keys}" if one.turns else f"{one.instruction} and {' or '.join(one.response)}"
        )
        raise InputError(f"{source}: the format '{wanted}' needs {needs}; the columns are {_listed(table)}. Choose another format.")
    return one


def _listed(table: pa.Table) -> str:
    shown = ", ".join(f"{field.name} ({str(field.type)[:60]})" for field in list(table.schema)[:20])
    return shown + (f" and {plural(table.num_columns - 20, 'other')}" if table.num_columns > 20 else "")


def _flat(
    table: pa.Table, one: Format, source: str, instruction: str | None, response: str | None
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Both sides of a format without turns; a side that is named is left empty here."""
    empty = _strings([""] * table.num_rows)
    left, right = empty, empty
    if not instruction:
        name = str(own_name(table, [one.instruction]))
        left = text(table.column(name), name, source)
        extra = own_name(table, one.extra)
        if extra:
            left = _after(left, text(table.column(extra), extra, source))
    if not response:
        name = str(own_name(table, one.response))
        right = text(table.column(name), name, source)
    return left, right


def _after(left: pa.ChunkedArray, right: pa.ChunkedArray) -> Any:
    """`right`, where it is not blank, after `left` and one blank line; alone where `left` is blank."""

    def blank(texts: pa.ChunkedArray) -> Any:
        return pc.equal(pc.utf8_trim_whitespace(texts), "")

    both = pc.binary_join_element_wise(left, right, conversations.BETWEEN)
    return pc.if_else(blank(right), left, pc.if_else(blank(left), right, both))

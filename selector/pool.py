"""Pool: rows with ids and two sides over an Arrow table."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from selector import formats, hub, json_rows, reading
from selector.arrow_rows import take, take_column
from selector.core import Rows, Texts
from selector.errors import InputError, unknown

log = logging.getLogger(__name__)

CONFLICT = b"selector.conflict"


@dataclass(frozen=True, eq=False)
class Pool:
    """Instruction/response pairs: the table they came in, both sides as text, and which row of the source each of them is."""

    table: pa.Table  # original columns; when every turn is a row, a row's conversation ends with that turn
    instructions: pa.ChunkedArray  # string, no nulls
    responses: pa.ChunkedArray  # string, no nulls
    ids: pa.ChunkedArray  # string, no nulls
    rows: Rows  # (n,) row of the source as read, from 0; -1 for kept rows of another pool
    source: str
    format: str
    skipped: tuple[str, ...] = ()  # one line for each bad line: "file.jsonl:17: ..."

    @classmethod
    def read(
        cls,
        source: str | Path,
        *,
        format: str = "auto",
        instruction_column: str | None = None,
        response_column: str | None = None,
        id_column: str | None = None,
        split: str | None = None,
        config: str | None = None,
        every_turn: bool = False,
        skip_bad: bool = False,
    ) -> Pool:
        """Read a file, a folder, a hub dataset or `demo`; see `reading.read` for what can be read and `formats` for the sides.

        Rows of JSON lines that are skipped have no row number. Raises InputError or UnknownName.
        """
        named = [name for name in (instruction_column, response_column, id_column, "id") if name]
        got = reading.read(source, split=split, config=config, skip_bad=skip_bad, text_columns={*formats.TEXT_COLUMNS, *named})
        for line in got.skipped[:20]:
            log.warning("skipped %s", line)
        pool = _pool(got.table, str(source), format, instruction_column, response_column, id_column, every_turn)
        return replace(pool, skipped=got.skipped)

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        format: str = "auto",
        instruction_column: str | None = None,
        response_column: str | None = None,
        id_column: str | None = None,
        every_turn: bool = False,
        source: str = "table",
    ) -> Pool:
        """A pool over a pyarrow Table, a list of dicts or a datasets.Dataset (or DatasetDict with one split or `train`)."""
        arrow = _arrow(table, source)
        reading.distinct(arrow, source)
        if not arrow.num_rows:
            raise InputError(f"{source}: a pool needs at least one row; this one has none.")
        return _pool(arrow, source, format, instruction_column, response_column, id_column, every_turn)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: ArrayLike) -> Pool:
        """The pool of these rows only, in this order; `positions` count in this pool."""
        at = np.asarray(positions, np.int64)
        return replace(
            self,
            table=take(self.table, at),
            instructions=take_column(self.instructions, at),
            responses=take_column(self.responses, at),
            ids=take_column(self.ids, at),
            rows=self.rows[at],
        )

    def concat(self, other: Pool) -> Pool:
        """This pool's rows, then the other's with row number -1. Columns that one side lacks are null there.

        A column whose two types have no common one is null for the other's rows, and asking for it by `column` is an error.
        """
        left, right = self.table, other.table
        for name in left.column_names:
            if name not in right.column_names:
                continue
            try:
                pa.concat_tables([left.select([name]).slice(0, 0), right.select([name]).slice(0, 0)], promote_options="permissive")
            except (pa.ArrowInvalid, pa.ArrowTypeError):
                field = left.schema.field(name)
                clash = f"{field.type} in {self.source} and {right.schema.field(name).type} in {other.source}"
                left = left.set_column(left.column_names.index(name), field.with_metadata({CONFLICT: clash}), left.column(name))
                right = right.drop_columns([name])
        return Pool(
            pa.concat_tables([left, right], promote_options="permissive"),
            pa.chunked_array(self.instructions.chunks + other.instructions.chunks, pa.string()),
            pa.chunked_array(self.responses.chunks + other.responses.chunks, pa.string()),
            pa.chunked_array(self.ids.chunks + other.ids.chunks, pa.string()),
            np.concatenate([self.rows, np.full(len(other), -1, np.int64)]),
            self.source,
            self.format,
            self.skipped,
        )

    def column(self, name: str) -> pa.ChunkedArray:
        """An original column. Raises UnknownName with a hint, and InputError where two pools' types for it do not meet."""
        if name not in self.table.column_names:
            raise unknown("column", name, self.table.column_names)
        clash = (self.table.schema.field(name).metadata or {}).get(CONFLICT)
        if clash:
            raise InputError(f"column '{name}' is {clash.decode()}; convert it in one of them, or use another column.")
        return self.table.column(name)

    def side(self, side: str) -> pa.ChunkedArray:
        """The strings of 'instruction' or 'response'."""
        if side not in ("instruction", "response"):
            raise unknown("side", side, ["instruction", "response"])
        return self.instructions if side == "instruction" else self.responses

    def texts(self, side: str) -> Texts:
        """One side as the layers read it."""
        column = self.side(side)
        return Texts(column.to_pylist(), side, digest(column), self.column)

    @cached_property
    def fingerprint(self) -> str:
        """blake2b over both sides and the ids; the same for the same strings however Arrow cuts them. About 2 s for 1 GB."""
        return digest(self.instructions, self.responses, self.ids)


def digest(*columns: pa.ChunkedArray) -> str:
    """128 bits of blake2b over string columns without nulls: every string's length in bytes, then the bytes."""
    whole = hashlib.blake2b(digest_size=16)
    for column in columns:
        for part in (_lengths, _bytes):
            one = hashlib.blake2b(len(column).to_bytes(8, "little"), digest_size=16)
            for chunk in column.chunks:
                if len(chunk):
                    one.update(part(chunk))
            whole.update(one.digest())
    return whole.hexdigest()


def _offsets(chunk: pa.Array) -> Any:
    return np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]


def _lengths(chunk: pa.Array) -> Any:
    return np.diff(_offsets(chunk)).astype("<i8").tobytes()


def _bytes(chunk: pa.Array) -> Any:
    offsets, strings = _offsets(chunk), chunk.buffers()[2]
    return memoryview(strings)[int(offsets[0]) : int(offsets[-1])] if strings is not None else b""


def _pool(
    table: pa.Table, source: str, format: str, instruction: str | None, response: str | None, id_column: str | None, every: bool
) -> Pool:
    if id_column is not None and id_column not in table.column_names:
        raise unknown("column", id_column, table.column_names)
    _sound(table, source)
    sides = formats.sides(table, source=source, format=format, instruction_column=instruction, response_column=response, every_turn=every)
    ids = _ids(table, source, id_column)
    if sides.turns is not None:
        turns = pa.array(sides.turns).cast(pa.string())
        ids = pc.binary_join_element_wise(take_column(ids, sides.rows), pa.chunked_array([turns]), "#")
    return Pool(sides.table, sides.instructions, sides.responses, ids, sides.rows, source, sides.format)


def _sound(table: pa.Table, source: str) -> None:
    """Raises InputError for texts that are not UTF-8: Arrow does not look at them when it reads Parquet."""
    for name in table.column_names:
        try:
            table.column(name).validate(full=True)
        except pa.ArrowInvalid as error:
            raise InputError(f"{source}: column '{name}' is damaged or not UTF-8 text ({error}); write the file again.") from error


def _ids(table: pa.Table, source: str, id_column: str | None) -> pa.ChunkedArray:
    """The ids of the rows as read: an asked-for column must be one value a row; a column `id` that is not is passed over."""
    numbers = pa.chunked_array([pa.array(np.arange(table.num_rows)).cast(pa.string())])
    name = id_column or formats.own_name(table, ["id"])
    if name is None:
        return numbers
    column = table.column(name)
    fault = ""
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        fault = f"it is {column.type}, not text or a number"
    elif column.null_count:
        fault = f"{column.null_count:,} rows have none"
    else:
        ids = formats.text(column, name, source)
        counts = pc.value_counts(ids)
        most = int(pc.max(counts.field("counts")).as_py())
        if most == 1:
            return ids
        twice = counts.field("values")[pc.index(counts.field("counts"), most).as_py()].as_py()
        fault = f"'{twice}' stands in {most:,} rows"
    if id_column is not None:
        raise InputError(f"{source}: ids must differ from row to row, but in column '{name}' {fault}; name another column, or none.")
    log.info("%s: column '%s' is not used for ids: %s; row numbers are", source, name, fault)
    return numbers


def _arrow(table: Any, source: str) -> pa.Table:
    if isinstance(table, pa.Table):
        return table
    if isinstance(table, Sequence) and not isinstance(table, str):
        return json_rows.from_array(table, source, skip_bad=False)[0]
    datasets = sys.modules.get("datasets")  # an object of that package can only be here when it was imported
    if datasets is not None and isinstance(table, datasets.Dataset | datasets.DatasetDict):
        return hub.table_of(table, source)
    raise InputError(f"a pool is made from a pyarrow Table, a list of dicts or a datasets.Dataset; got {type(table).__name__}.")

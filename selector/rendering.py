"""The two sides of a pool -> the columns that trainers read. What the source already has in that form stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from selector import conversations
from selector.errors import unknown

TARGETS = {
    "alpaca": ("instruction", "input", "output"),
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "prompt-completion": ("prompt", "completion"),
}
ROLES = {
    "messages": {"human": "user", "gpt": "assistant", "function_call": "assistant", "observation": "tool"},
    "sharegpt": {"user": "human", "assistant": "gpt", "tool": "observation", "function": "observation"},
}
Turn = tuple[str, str]  # role, text


class Pairs(Protocol):
    """What is rendered: a Pool, or a part of one."""

    @property
    def table(self) -> pa.Table: ...

    @property
    def instructions(self) -> pa.ChunkedArray: ...

    @property
    def responses(self) -> pa.ChunkedArray: ...

    @property
    def format(self) -> str: ...


def render(pool: Pairs, kind: str) -> pa.Table:
    """The pool's table with the columns of `kind` (a key of `TARGETS`); original columns stay unless they have such a name.

    A pool that is of this kind keeps its own columns (system turns, tools, history). Conversations become conversations of the
    other form turn by turn; alpaca's `system` and `history` become turns. Raises UnknownName for another kind.
    """
    if kind not in TARGETS:
        raise unknown("format to write", kind, TARGETS)
    if pool.format == kind and (own := _own(pool.table, kind)) is not None:
        return own
    if kind in ROLES:
        new = {TARGETS[kind][0]: _column(_turns(pool), kind)}
    elif kind == "alpaca":
        blank = pa.chunked_array([pa.array([""] * pool.table.num_rows, pa.string())])
        new = {"instruction": pool.instructions, "input": blank, "output": pool.responses}
    else:
        new = {"prompt": pool.instructions, "completion": pool.responses}
    table = pool.table
    for name, column in new.items():
        place = table.column_names.index(name) if name in table.column_names else table.num_columns
        table = table.set_column(place, name, column) if place < table.num_columns else table.append_column(name, column)
    return table


def _own(table: pa.Table, kind: str) -> pa.Table | None:
    """The table when it has the columns of this kind, under their usual names in lower case; None when they must be made."""
    if kind in ROLES:
        name = TARGETS[kind][0]
        there = name in table.column_names and not conversations.is_text(table.column(name).type)
        return table if there and conversations.shape(table.column(name)) == kind else None
    names = [name.lower() if name.lower() in TARGETS[kind] else name for name in table.column_names]
    if len(set(names)) < len(names) or not {TARGETS[kind][0], TARGETS[kind][-1]} <= set(names):
        return None
    table = table.rename_columns(names)
    if kind == "alpaca" and "input" not in names:
        table = table.append_column("input", pa.array([""] * table.num_rows, pa.string()))
    return table


def _turns(pool: Pairs) -> list[list[Turn]]:
    """Every row as turns: its own where the source has turns, else one of the user and one of the assistant."""
    table = pool.table
    if pool.format in ROLES:
        name = next(name for name in table.column_names if conversations.shape(table.column(name)) == pool.format)
        return _split(table, name)
    if pool.format == "prompt-completion":
        sides = [name for name in table.column_names if name.lower() in ("prompt", "completion", "response")]
        if len(sides) == 2 and all(conversations.shape(table.column(name)) for name in sides):
            sides.sort(key=lambda name: name.lower() != "prompt")
            return [before + after for before, after in zip(_split(table, sides[0]), _split(table, sides[1]), strict=True)]
    earlier = _earlier(table) if pool.format == "alpaca" else [[] for _ in range(table.num_rows)]
    pairs = zip(earlier, pool.instructions.to_pylist(), pool.responses.to_pylist(), strict=True)
    return [[*first, ("user", left), ("assistant", right)] for first, left, right in pairs]


def _split(table: pa.Table, name: str) -> list[list[Turn]]:
    turns = conversations.turns_of(table.column(name), name, "the pool")
    both = list(zip(turns.roles, turns.contents, strict=True))
    return [both[start:end] for start, end in zip(turns.starts[:-1], turns.starts[1:], strict=True)]


def _earlier(table: pa.Table) -> list[list[Turn]]:
    """Alpaca's `system` text and `history` of (instruction, response) pairs as turns."""
    rows: list[list[Turn]] = [[] for _ in range(table.num_rows)]
    if "system" in table.column_names and conversations.is_text(table.column("system").type):
        for row, text in zip(rows, table.column("system").to_pylist(), strict=True):
            row += [("system", text)] if text else []
    if "history" in table.column_names and table.column("history").type == pa.list_(pa.list_(pa.string())):
        for row, pairs in zip(rows, table.column("history").to_pylist(), strict=True):
            for pair in pairs or []:
                row += [(role, text or "") for role, text in zip(("user", "assistant"), pair, strict=False)]
    return rows


def _column(rows: Sequence[Sequence[Turn]], kind: str) -> pa.Array:
    role, content = conversations.KEYS[kind]
    turns = [[{role: ROLES[kind].get(who, who), content: text} for who, text in row] for row in rows]
    return pa.array(turns, pa.list_(pa.struct([(role, pa.string()), (content, pa.string())])))

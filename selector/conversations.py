"""Columns that hold whole conversations: lists of turns (role/content or from/value), as Arrow lists or as JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selector.arrow_rows import take_column
from selector.core import Rows
from selector.errors import InputError

KEYS = {"messages": ("role", "content"), "sharegpt": ("from", "value")}
ASSISTANT = frozenset({"assistant", "gpt", "chatgpt", "model", "bot", "function_call"})
USER = frozenset({"user", "human", "prompter"})
CUT = 16_384  # conversations cut at one time
BETWEEN = "\n\n"  # turns are joined by one blank line, without labels: a label would be text that nobody wrote


@dataclass(frozen=True)
class Turns:
    """The turns of n conversations; conversation i has the turns starts[i] to starts[i + 1]."""

    starts: Rows  # (n + 1,)
    roles: Sequence[str]  # lower case
    contents: Sequence[str]

    def replies(self) -> tuple[Rows, Rows]:
        """Conversation and turn of every assistant turn, in order; one without any appears once, its end as the turn."""
        turns = np.flatnonzero(np.fromiter((role in ASSISTANT for role in self.roles), np.bool_, len(self.roles)))
        owners = np.searchsorted(self.starts, turns, side="right") - 1
        silent = np.setdiff1d(np.arange(len(self.starts) - 1), owners)
        owners, turns = np.concatenate([owners, silent]), np.concatenate([turns, self.starts[silent + 1]])
        order = np.lexsort((turns, owners))
        return owners[order], turns[order]

    def last_replies(self) -> tuple[Rows, Rows]:
        """The same with only the last assistant turn of each conversation."""
        owners, turns = self.replies()
        last = np.append(owners[1:] != owners[:-1], True) if len(owners) else np.empty(0, np.bool_)
        return owners[last], turns[last]

    def before(self, owners: Rows, turns: Rows) -> list[str]:
        """For each reply, all turns before it; blank turns leave no gap."""
        text, starts = self.contents, self.starts[owners].tolist()
        return [_join(text[start:turn]) for start, turn in zip(starts, turns.tolist(), strict=True)]

    def at(self, owners: Rows, turns: Rows) -> list[str]:
        """The text of each reply; empty where there is none."""
        ends = self.starts[owners + 1].tolist()
        return [self.contents[turn] if turn < end else "" for turn, end in zip(turns.tolist(), ends, strict=True)]

    def whole(self) -> list[str]:
        return self.before(np.arange(len(self.starts) - 1), self.starts[1:])


def shape(column: pa.ChunkedArray) -> str | None:
    """'messages' or 'sharegpt' when the column holds lists of such turns (or JSON text of them), else None."""
    if _is_list(column.type) and pa.types.is_struct(column.type.value_type):
        found = {field.name for field in column.type.value_type.fields}
        return next((name for name, keys in KEYS.items() if found >= set(keys)), None)
    if is_text(column.type):
        # One value at a time: a plain text column is asked this too, and its first value answers.
        texts = (scalar.as_py() for chunk in column.chunks for scalar in chunk)
        first = next((text for text in texts if text and text.strip()), "")
        try:
            turns = json.loads(first) if first.lstrip().startswith("[") else None
        except ValueError:
            return None
        if isinstance(turns, list) and turns and all(isinstance(turn, dict) for turn in turns):
            return next((name for name, keys in KEYS.items() if turns[0].keys() >= set(keys)), None)
    return None


def turns_of(column: pa.ChunkedArray, name: str, source: str) -> Turns:
    """The turns of a column for which `shape` is not None. Null conversations have no turns, null contents are empty."""
    keys = KEYS[str(shape(column))]
    if is_text(column.type):
        return _parsed(column, name, source)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    flat = pc.list_flatten(column)
    role, content = pc.struct_field(flat, keys[0]), pc.struct_field(flat, keys[1])
    contents = [_plain(value) for value in content.to_pylist()]
    return Turns(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), [str(one or "").lower() for one in role.to_pylist()], contents)


def cut(column: pa.ChunkedArray, turns: Turns, owners: Rows, ends: Rows) -> pa.ChunkedArray:
    """For each reply, its conversation up to and with that turn, in the column's own form."""
    lengths = np.minimum(ends + 1, turns.starts[owners + 1]) - turns.starts[owners]
    if is_text(column.type):
        texts = _strings(column)
        shorter = [json.dumps(json.loads(texts[row] or "[]")[:size], ensure_ascii=False) for row, size in zip(owners, lengths, strict=True)]
        return pa.chunked_array([pa.array(shorter, column.type)])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    wanted = np.arange(offsets[-1]) + np.repeat(turns.starts[owners] - offsets[:-1], lengths)
    flat = pc.list_flatten(column)
    pieces = []
    for at in range(0, max(1, len(owners)), CUT):  # in pieces, since a list array holds its turns in one array, which ends at 2 GB
        first, last = offsets[at], offsets[min(at + CUT, len(owners))]
        values = take_column(flat, wanted[first:last]).combine_chunks()
        pieces.append(pa.LargeListArray.from_arrays(pa.array(offsets[at : at + CUT + 1] - first), values).cast(column.type))
    return pa.chunked_array(pieces, column.type)


def is_text(kind: pa.DataType) -> bool:
    """Whether this is one of Arrow's string types."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _strings(column: pa.ChunkedArray) -> list[str | None]:
    return column.to_pylist()


def _parsed(column: pa.ChunkedArray, name: str, source: str) -> Turns:
    lengths, roles, contents = [0], [], []
    for row, text in enumerate(_strings(column)):
        try:
            turns = json.loads(text) if text and text.strip() else []
            for turn in turns:
                key = "role" if "role" in turn else "from"
                roles.append(str(turn[key] or "").lower())
                contents.append(_plain(turn.get("content") if key == "role" else turn.get("value")))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"{source}: column '{name}' holds conversations as JSON text, but row {row} does not ({error}); mend that row."
            ) from error
        lengths.append(len(turns))
    return Turns(np.cumsum(lengths, dtype=np.int64), roles, contents)


def _plain(content: Any) -> str:
    """A turn's text; of a content in parts, the text parts, one on a line."""
    if isinstance(content, list):
        return "\n".join(filter(None, (_plain(part.get("text")) if isinstance(part, dict) else _plain(part) for part in content)))
    return "" if content is None else content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, default=str)


def _join(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else BETWEEN.join(text for text in texts if text and not text.isspace())

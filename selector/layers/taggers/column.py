"""Tags that the pool brings in a column."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selector.core import Room, Texts
from selector.errors import InputError
from selector.layers.taggers import Tags, from_lists

_DELIMITERS = ";|,\n\t"  # in this order where two serve equally


@dataclass(frozen=True)
class Column:
    """Tags from a column of lists of strings, of JSON lists as text, or of text with tags between `;`, `|`, `,`, tabs or lines.

    The delimiter is the one that most cells hold. A null or empty cell gives no tags. Raises UnknownName for a column that is
    not there and InputError for one that holds neither text nor lists of text.
    """

    name: str

    def tags(self, texts: Texts, room: Room) -> Tags:
        import pyarrow as pa

        column = texts.column(self.name)
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        cells = column.to_pylist()
        if pa.types.is_null(kind):
            return from_lists([[] for _ in cells], {"column": self.name, "written_as": "null"})
        if _is_text(kind):
            lists, written = _split(cells, self.name)
        elif (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)) and (
            _is_text(kind.value_type) or pa.types.is_null(kind.value_type)
        ):
            lists, written = [[one for one in cell or [] if one is not None] for cell in cells], "list"
        else:
            raise InputError(
                f"the tagger 'column:{self.name}' needs text or lists of text, but the column '{self.name}' holds {kind}; "
                "name another column, or cast this one to string."
            )
        lists = [[tag.strip() for tag in one if tag.strip()] for one in lists]
        return from_lists(lists, {"column": self.name, "written_as": written})


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _split(cells: Sequence[str | None], name: str) -> tuple[list[list[str]], str]:
    """The tags of each cell, and how they were written."""
    filled = [cell.strip() for cell in cells if cell and cell.strip()]
    if filled and all(cell.startswith("[") for cell in filled):
        return [_json(cell, row, name) for row, cell in enumerate(cells)], "JSON list"
    holds = Counter(mark for cell in filled for mark in _DELIMITERS if mark in cell)
    if not holds:
        return [[cell] if cell else [] for cell in cells], "one tag a cell"
    best = max(_DELIMITERS, key=lambda mark: (holds[mark], -_DELIMITERS.index(mark)))
    shown = {"\n": "line", "\t": "tab"}.get(best, best)
    return [cell.split(best) if cell else [] for cell in cells], f"text between '{shown}'"


def _json(cell: str | None, row: int, name: str) -> list[str]:
    if not cell or not cell.strip():
        return []
    try:
        tags = json.loads(cell)
    except ValueError as error:
        raise InputError(
            f"the column '{name}' holds JSON lists, but row {row} is none: {cell[:80]!r} ({error}); mend that cell."
        ) from error
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InputError(f"the column '{name}' should hold JSON lists of text; row {row} holds {cell[:80]!r}; mend that cell.")
    return tags

"""What a page is made of: sections of prose, tables, charts, examples and commands. Every text in them is data, escaped by the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column of a table; `form` is a Python format of numbers, as ',.0f' or '.1%'; '' is text, aligned left."""

    title: str
    form: str = ""


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str
    kind: str = ""  # '', 'note' for what must be known of figures, 'good', 'bad'


@dataclass(frozen=True)
class Table:
    """Rows of cells; a person sorts them by any column."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False  # behind its caption, until it is opened


@dataclass(frozen=True)
class Chart:
    """A plotly figure (`data`, `layout`; see charts.py), what it shows in a sentence or two, and its numbers as a table."""

    title: str
    figure: Mapping[str, Any]
    says: str
    table: Table | None = None
    height: int = 340  # pixels


@dataclass(frozen=True)
class Example:
    """Texts side by side under a heading, as the rows of a group of near-duplicates; each text with a label before it."""

    heading: str
    texts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Examples:
    """Some rows to look at."""

    caption: str
    examples: Sequence[Example]


@dataclass(frozen=True)
class Command:
    """A command line to copy."""

    text: str
    why: str = ""
    title: str = ""


@dataclass(frozen=True)
class Special:
    """A block with a template of its own in templates/NAME.html."""

    template: str
    content: Mapping[str, Any] = field(default_factory=dict)


Block = Prose | Table | Chart | Examples | Command | Special


@dataclass(frozen=True)
class Section:
    """One part of the page, under a heading, with what it found in one sentence."""

    anchor: str  # letters and hyphens
    title: str
    lead: str
    blocks: Sequence[Block]

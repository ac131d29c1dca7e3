"""What a report is about: the pool's rows, the subsets, both sides; and how much of the rows' words it may show."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from selector.aspects import Facet
from selector.core import Progress, Rows, quiet
from selector.measurement import Measurement
from selector.pool import Pool

LONGEST = 280  # characters of a row's text on the page
LONGEST_NAME = 60  # characters of a tag, a token or a source
OPEN = "open"  # everything may be shown
NO_EXAMPLES = "no-examples"  # no row's text
REDACT = "redact"  # nothing that rows hold: numbers stand for clusters, tags, tokens and sources


@dataclass(frozen=True)
class Subset:
    """Some of the rows, and as many of the pool's by chance."""

    name: str
    rows: Rows  # distinct usable rows, ascending
    random: Rows  # a random set of the pool of that size, ascending
    order: Rows | None = None  # the same rows in the order in which they were picked, where it is known


@dataclass(frozen=True)
class AsRead:
    """The pool before hygiene: copies are gone from the rows that are measured, and what is gone shall be seen too."""

    pool: Pool
    sources: Sequence[str] | None = None  # of each of its rows
    dropped: Mapping[str, int] = field(default_factory=dict)  # rows by reason (`selector.aspects.Member.dropped`)


@dataclass(frozen=True)
class Scene:
    """The rows: the pool's first, then those of subsets that it lacks."""

    everything: Pool
    pool: Rows
    subsets: tuple[Subset, ...]
    facets: Mapping[str, Facet]  # by side
    sources: Sequence[str] | None = None  # of each row of everything, where a column says so
    synthetic: frozenset[str] = frozenset()  # names of sources
    seed: int = 0
    show: str = OPEN
    measurement: Measurement | None = None  # of the subsets, in their order
    points: int = 20_000  # on the map, at most
    progress: Progress = quiet
    as_read: AsRead | None = None  # None: nothing is known of rows that hygiene dropped

    @property
    def references(self) -> int:
        """How many random subsets the measurement was held against."""
        return 0 if self.measurement is None else self.measurement.references

    def text(self, side: str, row: int, most: int = LONGEST) -> str | None:
        """A row's text as the page may show it, so many characters of it; None where it may not."""
        return shown(self.facets[side].texts()[row], most) if self.show == OPEN else None

    def name(self, kind: str, number: int, name: str) -> str:
        """A type's or a source's name as the page may show it: `tag 17` where nothing of the rows may be seen."""
        return f"{kind} {number}" if self.show == REDACT else shown(name, LONGEST_NAME)


def shown(text: str, most: int = LONGEST) -> str:
    """The text on one line: cut with an ellipsis, controls and marks of direction made visible, white space single."""
    text = " ".join(text[: 4 * most + 1].split())
    text = "".join(_visible(letter) for letter in text[: most + 1])
    return text if len(text) <= most else text[:most].rstrip() + "…"


def _visible(letter: str) -> str:
    code = ord(letter)
    if code < 0x20:
        return chr(0x2400 + code)
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn") and letter != "\u200d":  # the joiner of emoji stays
        return "�" if 0xD800 <= code <= 0xDFFF else f"⟨U+{code:04X}⟩"
    return letter

"""Length: how many tokens a text has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from selector.core import Aspect, Reading, Rows, Scale


@dataclass(frozen=True)
class Length:
    """Tokens of a text, on average: no diversity, but what most of it must be compared at.

    Mean over texts of the LLM tokens of a text. No direction: longer is not more diverse, yet longer texts carry more types, and of all
    measures of the paper this one goes with the judge's score most: correlation -.21 on instructions, .73 on responses
    (arXiv 2505.24768). O(m).
    """

    layer: str = "surface"
    layers: ClassVar[tuple[str, ...]] = ("surface",)
    scales: ClassVar[tuple[Scale, ...]] = (Scale("tokens per text", 0),)

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        lengths = aspect.tokens().lengths
        return lambda rows: [Reading(float(lengths[rows].mean()))]

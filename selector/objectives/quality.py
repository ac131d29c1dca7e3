"""Quality: the rows that score highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from selector.core import NO_ROWS, Ground, Need, Rows, State
from selector.objectives.modular import Sum


@dataclass(frozen=True)
class Quality:
    """The rows that score highest in a numeric column, with no regard to diversity: a part of mixtures.

    f(S) = sum over S of the score, scaled so that the pool's lowest score is 0 and its highest 1. Modular.
    """

    column: str
    submodular: ClassVar[bool] = True

    @property
    def monotone(self) -> bool:
        return True

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("scores", self.column),)

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        return Sum(ground.scores[self.column], chosen)

    def value(self, ground: Ground, rows: Rows) -> float:
        return float(ground.scores[self.column][rows].sum())

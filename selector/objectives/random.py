"""Random: the reference that every selection must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, State
from selector.objectives.modular import Sum


@dataclass(frozen=True)
class Random:
    """A uniformly random set within the limits: the reference that every selection must beat.

    f(S) = the sum of one uniform number a row, drawn from the seed: the largest numbers are a uniformly random set. Modular.
    """

    seed: int = 0
    submodular: ClassVar[bool] = True

    @property
    def monotone(self) -> bool:
        return True

    @property
    def needs(self) -> tuple[Need, ...]:
        return ()

    def _scores(self, ground: Ground) -> Gains:
        return np.random.default_rng(self.seed).random(ground.size)

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        return Sum(self._scores(ground), chosen)

    def value(self, ground: Ground, rows: Rows) -> float:
        return float(self._scores(ground)[rows].sum())

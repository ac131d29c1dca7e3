"""Groups that share a cost budget, each with its own part of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, LimitState, Rows
from selector.limits import Cost


@dataclass(frozen=True)
class CostQuota:
    """Rows of each group whose costs sum to its share, to the nearest row: the last one may cost up to twice what is left."""

    costs: Gains  # (n,) positive
    groups: NDArray[np.int64]  # (n,) group number of each row
    names: tuple[str, ...]  # of the groups
    shares: Gains  # (groups,) of the cost budget
    column: str = "group"

    @property
    def most(self) -> int:
        return len(self.costs)

    @property
    def prices(self) -> Gains | None:
        return self.costs

    def start(self) -> LimitState:
        order = np.lexsort((-self.costs, self.groups))
        cuts = np.searchsorted(self.groups[order], np.arange(1, len(self.names)))
        return _Sharing(self, np.split(order, cuts), self.shares.astype(np.float64), np.zeros(len(self.names), np.int64))

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        """A fractional knapsack in each group, which may be overdrawn by half of its dearest row."""
        total, groups = 0.0, self.groups[rows]
        for group, share in enumerate(self.shares.tolist()):
            inside = rows[groups == group]
            if len(inside):
                total += Cost(self.costs, share + float(self.costs[inside].max()) / 2).relaxed(gains[groups == group], inside)
        return total


@dataclass
class _Sharing:
    limit: CostQuota
    dearest: list[Rows]  # rows of each group by falling cost
    left: Gains  # (groups,)
    passed: NDArray[np.int64]  # (groups,) how many of `dearest` are refused by now

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        return self.limit.costs[rows] <= 2 * self.left[self.limit.groups[rows]]

    def add(self, row: int) -> Rows:
        group = int(self.limit.groups[row])
        self.left[group] -= self.limit.costs[row]
        rows, before = self.dearest[group], int(self.passed[group])
        costs, now = self.limit.costs, before
        while now < len(rows) and costs[rows[now]] > 2 * self.left[group]:
            now += 1
        self.passed[group] = now
        return rows[before:now]

    @property
    def full(self) -> str | None:
        done = all(passed == len(rows) for passed, rows in zip(self.passed.tolist(), self.dearest, strict=True))
        return f"the token shares of {self.limit.column} are spent" if done else None

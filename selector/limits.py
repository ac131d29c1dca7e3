"""What may still be added: a row budget, a cost budget, quotas by group, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, Limit, LimitState, Rows
from selector.errors import BudgetError


@dataclass(frozen=True)
class Count:
    """At most `budget` rows."""

    budget: int

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise BudgetError(f"the budget is {self.budget} rows; ask for at least 1.")

    @property
    def most(self) -> int:
        return self.budget

    @property
    def prices(self) -> Gains | None:
        return None

    def start(self) -> LimitState:
        return _Counting(self.budget)

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        return _largest(gains, self.budget)


@dataclass
class _Counting:
    left: int

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        return np.full(len(rows), self.left > 0)

    def add(self, row: int) -> Rows:
        self.left -= 1
        return NO_ROWS

    @property
    def full(self) -> str | None:
        return "budget reached" if self.left <= 0 else None


@dataclass(frozen=True)
class Cost:
    """Rows whose costs sum to at most `budget`: tokens, characters, money. `unit` is the word for it in messages.

    `priced`: the best gain for its cost wins; else the best gain, where other limits see to it that rows are no dearer than they should be.
    """

    costs: Gains  # (n,) positive
    budget: float
    unit: str = "tokens"
    priced: bool = True

    def __post_init__(self) -> None:
        if self.budget <= 0:
            raise BudgetError(f"the budget is {self.budget:g} {self.unit}; ask for more than 0.")
        if not (self.costs > 0).all():
            raise BudgetError(f"row {int(np.argmin(self.costs > 0))} costs {self.costs.min():g} {self.unit}; every cost must be above 0.")

    @property
    def most(self) -> int:
        return int(np.searchsorted(np.cumsum(np.sort(self.costs)), self.budget, side="right"))

    @property
    def prices(self) -> Gains | None:
        return self.costs if self.priced else None

    def start(self) -> LimitState:
        return _Spending(self, np.argsort(-self.costs, kind="stable"), self.budget)

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        """The fractional knapsack (Dantzig 1957)."""
        gains, costs = np.maximum(gains, 0.0), self.costs[rows]
        order = np.argsort(-gains / costs, kind="stable")
        spent = np.cumsum(costs[order])
        whole = int(np.searchsorted(spent, self.budget, side="right"))
        total = float(gains[order[:whole]].sum())
        if whole < len(order):
            left = self.budget - (spent[whole - 1] if whole else 0.0)
            total += float(gains[order[whole]] * left / costs[order[whole]])
        return total


@dataclass
class _Spending:
    limit: Cost
    dearest: NDArray[np.int64]  # rows by falling cost
    left: float
    passed: int = 0  # how many of `dearest` are refused by now

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        return self.limit.costs[rows] <= self.left

    def add(self, row: int) -> Rows:
        self.left -= float(self.limit.costs[row])
        before = self.passed
        while self.passed < len(self.dearest) and self.limit.costs[self.dearest[self.passed]] > self.left:
            self.passed += 1
        return self.dearest[before : self.passed]

    @property
    def full(self) -> str | None:
        return f"{self.limit.unit} spent" if self.passed == len(self.dearest) else None


@dataclass(frozen=True)
class Quota:
    """At least `least` and at most `greatest` rows of each group, `budget` rows in all."""

    groups: NDArray[np.int64]  # (n,) group number of each row
    names: tuple[str, ...]  # of the groups
    least: NDArray[np.int64]  # (groups,)
    greatest: NDArray[np.int64]  # (groups,)
    budget: int
    column: str = "group"
    members: tuple[Rows, ...] = field(default=(), repr=False)  # rows of each group; found when not given

    def __post_init__(self) -> None:
        order = np.argsort(self.groups, kind="stable")
        cuts = np.searchsorted(self.groups[order], np.arange(1, len(self.names)))
        object.__setattr__(self, "members", tuple(np.split(order, cuts)))

    def check(self, candidates: Rows) -> None:
        """Raises BudgetError, naming column and group, where the quotas cannot be met from these candidates."""
        there = np.bincount(self.groups[candidates], minlength=len(self.names))
        short = np.flatnonzero(self.least > there)
        if len(short):
            group = int(short[0])
            raise BudgetError(
                f"the quota of {self.column} asks for at least {self.least[group]:,} rows of '{self.names[group]}' but the usable pool "
                f"has {there[group]:,}; lower it."
            )
        crossed = np.flatnonzero(self.least > self.greatest)
        if len(crossed):
            group = int(crossed[0])
            raise BudgetError(
                f"the quota of {self.column} asks for at least {self.least[group]:,} and at most {self.greatest[group]:,} rows of "
                f"'{self.names[group]}'; raise the one or lower the other."
            )
        if self.least.sum() > self.budget:
            raise BudgetError(
                f"the quotas of {self.column} ask for at least {self.least.sum():,} rows but the budget is {self.budget:,}; "
                "lower a quota or raise the budget."
            )
        room = int(np.minimum(self.greatest, there).sum())
        if room < self.budget:
            raise BudgetError(
                f"the quotas of {self.column} leave room for {room:,} rows but the budget is {self.budget:,}; "
                "raise a quota or lower the budget."
            )

    @property
    def most(self) -> int:
        return min(self.budget, int(np.minimum(self.greatest, np.bincount(self.groups, minlength=len(self.names))).sum()))

    @property
    def prices(self) -> Gains | None:
        return None

    def start(self) -> LimitState:
        return _Filling(self, np.zeros(len(self.names), np.int64), self.budget - int(self.least.sum()))

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        """The largest gains of each group within its quota, then the largest of those within the budget."""
        gains, groups = np.maximum(gains, 0.0), self.groups[rows]
        order = np.lexsort((-gains, groups))
        first = np.searchsorted(groups[order], np.arange(len(self.names)))
        place = np.arange(len(order)) - first[groups[order]]  # rank of each row within its group
        return _largest(gains[order][place < self.greatest[groups[order]]], self.budget)


@dataclass
class _Filling:
    limit: Quota
    taken: NDArray[np.int64]  # (groups,)
    slack: int  # rows left that no group's minimum still needs

    def _open(self) -> NDArray[np.bool_]:
        open_ = self.taken < self.limit.greatest
        return open_ & (self.taken < self.limit.least) if self.slack <= 0 else open_

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        return self._open()[self.limit.groups[rows]]

    def add(self, row: int) -> Rows:
        before, group = self._open(), self.limit.groups[row]
        if self.taken[group] >= self.limit.least[group]:
            self.slack -= 1
        self.taken[group] += 1
        closed = np.flatnonzero(before & ~self._open())
        return np.concatenate([self.limit.members[one] for one in closed]) if len(closed) else NO_ROWS

    @property
    def full(self) -> str | None:
        return None if self._open().any() else f"quotas of {self.limit.column} filled"


@dataclass(frozen=True)
class All:
    """Every one of these limits at once."""

    parts: tuple[Limit, ...]

    @property
    def most(self) -> int:
        return min(part.most for part in self.parts)

    @property
    def prices(self) -> Gains | None:
        return next((part.prices for part in self.parts if part.prices is not None), None)

    def start(self) -> LimitState:
        return _Together([part.start() for part in self.parts])

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        return min(part.relaxed(gains, rows) for part in self.parts)


@dataclass(frozen=True)
class After:
    """What a limit still allows once these rows are chosen."""

    limit: Limit
    rows: Rows

    @property
    def most(self) -> int:
        return self.limit.most - len(self.rows)

    @property
    def prices(self) -> Gains | None:
        return self.limit.prices

    def start(self) -> LimitState:
        state = self.limit.start()
        for row in self.rows:
            state.add(int(row))
        return state

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        """Of all sets within the limit, whether or not they hold the rows chosen."""
        return self.limit.relaxed(gains, rows)


@dataclass
class _Together:
    parts: list[LimitState]

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        return np.logical_and.reduce([part.allows(rows) for part in self.parts])

    def add(self, row: int) -> Rows:
        return np.concatenate([part.add(row) for part in self.parts])

    @property
    def full(self) -> str | None:
        return next((part.full for part in self.parts if part.full is not None), None)


def proportional(sizes: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """Shares of the budget by group size, whole rows by largest remainder (Hamilton); ties go to the lower group."""
    exact = sizes * (budget / max(1, int(sizes.sum())))
    shares = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - shares), kind="stable")
    shares[order[: budget - int(shares.sum())]] += 1
    return shares


def balanced(sizes: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """Equal shares of the budget; what a small group cannot fill is shared by the others."""
    shares = np.zeros(len(sizes), np.int64)
    left = min(budget, int(sizes.sum()))
    while left > 0:
        open_ = np.flatnonzero(shares < sizes)
        each, extra = divmod(left, len(open_))
        shares[open_] += np.minimum(sizes[open_] - shares[open_], each + (np.arange(len(open_)) < extra))
        left = min(budget, int(sizes.sum())) - int(shares.sum())
    return shares


def _largest(gains: Gains, count: int) -> float:
    gains = np.maximum(gains, 0.0)
    return float(np.sort(gains)[::-1][:count].sum())

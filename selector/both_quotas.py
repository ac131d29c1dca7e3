"""Two quotas at once that always fill the budget, and the shares of length strata that quotas allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, LimitState, Rows
from selector.errors import BudgetError
from selector.limits import Quota

MOST_CELLS = 100_000  # groups x strata that are followed; beyond, quotas have few rows a group and hardly ever end in a corner


@dataclass(frozen=True)
class Flow:
    """How rows of a full set may be spread over the cells, that is the pairs of a group of the one quota and one of the other."""

    cells: NDArray[np.int64]  # (c, 2) group of the left quota, group of the right one
    there: NDArray[np.int64]  # (c,) candidates
    rows: NDArray[np.int64]  # (c,) of a full set


@dataclass(frozen=True)
class BothQuotas:
    """Sets within both quotas that can be made `flow.rows.sum()` rows long without breaking either.

    Two quotas held side by side can end in a corner: the short rows of one source are taken, and the source that has only short rows
    finds their stratum full. Here a row is refused as soon as no full set holds it and the rows chosen so far; then none ever will.
    """

    left: Quota
    right: Quota  # its maximums are the flow's: it is filled to the last row
    flow: Flow

    @property
    def most(self) -> int:
        return int(self.flow.rows.sum())

    @property
    def prices(self) -> Gains | None:
        return None

    def start(self) -> LimitState:
        return _Filling(self)

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        return min(self.left.relaxed(gains, rows), self.right.relaxed(gains, rows))


class _Filling:
    """A full set's rows by cell, changed along cycles of the residual graph whenever a row of an empty cell is taken.

    Nodes are the groups of the right quota (strata) and an exchange, over which groups of the left quota trade rows; a step from stratum
    s to t says that some left group can give up a row in s for one in t. An empty cell (g, s) can be filled where a path leads from s
    back to g (Ahuja, Magnanti & Orlin 1993, section 3.4). O(groups strata^2) whenever a cell becomes empty or is filled.
    """

    def __init__(self, limit: BothQuotas) -> None:
        self.limit, shape = limit, (len(limit.left.names), len(limit.right.names))
        self.rows, self.there = np.zeros(shape, np.int64), np.zeros(shape, np.int64)  # (groups, strata) of a full set, candidates left
        at = limit.flow.cells[:, 0], limit.flow.cells[:, 1]
        self.rows[at], self.there[at] = limit.flow.rows, limit.flow.there
        taken = self.rows.sum(axis=1)
        self.spare, self.need = limit.left.greatest - taken, taken - limit.left.least  # (groups,) rows more, fewer that a full set may have
        self.full_set = int(taken.sum())
        self.open = self._may_be_taken()  # (groups, strata)

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        return self.open[self.limit.left.groups[rows], self.limit.right.groups[rows]]

    def add(self, row: int) -> Rows:
        group, stratum = int(self.limit.left.groups[row]), int(self.limit.right.groups[row])
        empty = self.rows[group, stratum] == 0
        if empty:
            self._shift(group, stratum)
        self.rows[group, stratum] -= 1
        self.there[group, stratum] -= 1
        self.full_set -= 1
        if not empty and self.rows[group, stratum] > 0:
            return NO_ROWS  # what can be exchanged is as before
        before, self.open = self.open, self._may_be_taken()
        closed = before & ~self.open
        if not closed.any():
            return NO_ROWS
        members = np.concatenate([self.limit.right.members[one] for one in np.flatnonzero(closed.any(axis=0))])
        return members[closed[self.limit.left.groups[members], self.limit.right.groups[members]]]

    @property
    def full(self) -> str | None:
        return None if self.full_set > 0 and self.open.any() else f"quotas of {self.limit.left.column} and {self.limit.right.column} filled"

    def _steps(self) -> NDArray[np.bool_]:
        """(strata + 1, strata + 1) from where to where a row can be moved; the exchange is last."""
        gives, takes = self.rows > 0, self.rows < self.there
        strata = self.rows.shape[1]
        steps = np.zeros((strata + 1, strata + 1), bool)
        steps[:strata, :strata] = gives.T.astype(np.float32) @ takes.astype(np.float32) > 0
        steps[:strata, strata] = gives[self.need > 0].any(axis=0)
        steps[strata, :strata] = takes[self.spare > 0].any(axis=0)
        return steps

    def _may_be_taken(self) -> NDArray[np.bool_]:
        reach = self._steps() | np.eye(self.rows.shape[1] + 1, dtype=bool)
        while True:
            further = reach.astype(np.float32) @ reach.astype(np.float32) > 0
            if (further == reach).all():
                break
            reach = further
        gives = (self.rows > 0).astype(np.float32)
        back = (gives @ reach[:-1, :-1].T.astype(np.float32) > 0) | ((self.spare > 0)[:, None] & reach[:-1, -1])  # from stratum to group
        return (self.there > 0) & ((self.rows > 0) | ((self.rows < self.there) & back))

    def _shift(self, group: int, stratum: int) -> None:
        """One row of the full set into this cell, and others along the shortest cycle, so that no group has more or fewer than it may."""
        steps, exchange = self._steps(), self.rows.shape[1]
        goals = np.append(self.rows[group] > 0, self.spare[group] > 0)
        came, reached = {stratum: -1}, [stratum]
        end = next(one for one in _outward(steps, came, reached) if goals[one])
        path = [end]
        while came[path[-1]] >= 0:
            path.append(came[path[-1]])
        for start, then in pairwise(path[::-1]):
            able = (self.rows[:, start] > 0 if start < exchange else self.spare > 0) & (
                self.rows[:, then] < self.there[:, then] if then < exchange else self.need > 0
            )
            self._move(int(np.argmax(able)), start, then)
        self._move(group, end, stratum)

    def _move(self, group: int, start: int, end: int) -> None:
        """This left group gives up a row in stratum `start` for one in `end`; at the exchange it has one row more or fewer in all."""
        for node, change in ((start, -1), (end, 1)):
            if node < self.rows.shape[1]:
                self.rows[group, node] += change
            else:
                self.spare[group] += change
                self.need[group] -= change


def _outward(steps: NDArray[np.bool_], came: dict[int, int], reached: list[int]) -> Iterator[int]:
    """Nodes by their distance from those `reached`; `came` says from which node each was."""
    for node in reached:  # grows on the way
        yield node
        for one in np.flatnonzero(steps[node]).tolist():
            if one not in came:
                came[one] = node
                reached.append(one)


def nearest_shares(
    quotas: Sequence[Quota], stratum: NDArray[np.int64], wanted: NDArray[np.int64], means: Gains, candidates: Rows
) -> tuple[NDArray[np.int64], Flow | None]:
    """Rows of each stratum that the quotas allow, `wanted.sum()` in all, nearest to `wanted`; for one quota, how a full set has them.

    Nearest: the fewest tokens are moved, a row that goes to the next stratum moving the difference of their `means`. A linear programme
    over the cells that have candidates (HiGHS); with one quota it is a flow, so that its corners are whole numbers. With several
    quotas a corner may lie between whole numbers, and shares are rounded; there may then be no full set. Then, and for one quota of very
    many groups, no flow is given. Raises BudgetError where no set of so many rows keeps the quotas.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, hstack, vstack

    strata, groups = len(wanted), [quota.groups[candidates] for quota in quotas]
    keys = np.stack([*groups, stratum[candidates]], axis=1)
    cells, there = np.unique(keys, axis=0, return_counts=True)
    count, steps = len(cells), strata - 1
    apart = np.maximum(np.diff(means), 1e-6)
    here = np.arange(count)
    at = np.arange(steps)
    ones = np.ones(count)
    filled = coo_array((ones, (cells[:, -1], here)), shape=(strata, count))
    # What stratum s has over its share it has from s + 1 (up to s) or from s - 1: rows handed along the chain, each way.
    handed = coo_array(
        (np.concatenate([np.ones(steps), -np.ones(steps)]), (np.concatenate([at, at + 1]), np.tile(at, 2))), shape=(strata, steps)
    )
    equal = hstack([filled, handed, -handed], format="csr")
    rules, limits = [], []
    for place, quota in enumerate(quotas):
        of_group = coo_array((ones, (cells[:, place], here)), shape=(len(quota.names), count))
        rules += [of_group, -of_group]
        limits += [quota.greatest, -quota.least]
    most = hstack([vstack(rules), coo_array((sum(rule.shape[0] for rule in rules), 2 * steps))], format="csr")
    cost = np.concatenate([np.zeros(count), apart, apart])
    bounds = np.stack([np.zeros(count + 2 * steps), np.concatenate([there, np.full(2 * steps, np.inf)])], axis=1)
    found = linprog(cost, most, np.concatenate(limits), equal, wanted, bounds, method="highs-ds")
    if found.status != 0:
        names = " and ".join(quota.column for quota in quotas)
        raise BudgetError(f"no {int(wanted.sum()):,} rows meet the quotas of {names} together; raise a quota or lower the budget.")
    rows = found.x[:count]
    if len(quotas) == 1 and len(quotas[0].names) * strata <= MOST_CELLS:
        whole = np.rint(rows).astype(np.int64)
        return np.bincount(cells[:, -1], whole, strata).astype(np.int64), Flow(cells, there.astype(np.int64), whole)
    ends = np.cumsum(np.bincount(cells[:, -1], rows, strata))
    return np.diff(np.floor(ends + 0.5 + 1e-9), prepend=0).astype(np.int64), None

"""Two quotas at once that always fill the budget, and the shares of length strata that quotas allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, LimitState, Rows
from selector.errors import BudgetError
from selector.limits import Quota


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
    """A full set's cells, changed along cycles of the residual graph whenever a row of another cell is taken.

    Nodes are the groups of both quotas and one more, over which groups of the left quota exchange rows. A cell without a row of the full
    set can get one where its two groups lie on a cycle, that is in one strongly connected component (Ahuja, Magnanti & Orlin 1993,
    section 3.4). O(cells) whenever the graph changes.
    """

    def __init__(self, limit: BothQuotas) -> None:
        self.limit, self.width = limit, len(limit.right.names)
        flow = limit.flow
        self.cells, self.there, self.rows = flow.cells, flow.there.copy(), flow.rows.copy()
        self.number = np.full(len(limit.left.names) * self.width, -1, np.int64)  # cell of each pair of groups
        self.number[flow.cells[:, 0] * self.width + flow.cells[:, 1]] = np.arange(len(flow.cells))
        taken = np.bincount(flow.cells[:, 0], flow.rows, len(limit.left.names)).astype(np.int64)
        self.spare, self.need = (
            limit.left.greatest - taken,
            taken - limit.left.least,
        )  # (groups,) of the left quota: more, fewer it may give
        self.full_set = int(flow.rows.sum())
        self.open = self._may_be_taken()

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        cells = self._cell(rows)
        return (cells >= 0) & self.open[cells]

    def add(self, row: int) -> Rows:
        cell, before = int(self._cell(np.array([row]))[0]), self.open
        changed = False
        if self.rows[cell] == 0:
            self._shift(cell)
            changed = True
        self.rows[cell] -= 1
        self.there[cell] -= 1
        self.full_set -= 1
        changed |= self.rows[cell] == 0
        if not changed:
            return NO_ROWS
        self.open = self._may_be_taken()
        closed = np.flatnonzero(before & ~self.open)
        if not len(closed):
            return NO_ROWS
        shut = np.zeros(len(before), bool)
        shut[closed] = True
        members = np.concatenate([self.limit.right.members[group] for group in np.unique(self.cells[closed, 1])])
        of = self._cell(members)
        return members[(of >= 0) & shut[of]]

    @property
    def full(self) -> str | None:
        return None if self.full_set > 0 and self.open.any() else f"quotas of {self.limit.left.column} and {self.limit.right.column} filled"

    def _cell(self, rows: Rows) -> NDArray[np.int64]:
        return self.number[self.limit.left.groups[rows] * self.width + self.limit.right.groups[rows]]

    def _edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """From and to: a cell may give one more row or one fewer, a group of the left quota may have one more or one fewer in all."""
        groups, exchange = len(self.limit.left.names), len(self.limit.left.names) + self.width
        left, right = self.cells[:, 0], groups + self.cells[:, 1]
        more, fewer = self.rows < self.there, self.rows > 0
        gets, gives = np.flatnonzero(self.spare > 0), np.flatnonzero(self.need > 0)
        start = np.concatenate([left[more], right[fewer], np.full(len(gets), exchange), gives])
        end = np.concatenate([right[more], left[fewer], gets, np.full(len(gives), exchange)])
        return start, end

    def _graph(self) -> object:
        from scipy.sparse import csr_array

        start, end = self._edges()
        nodes = len(self.limit.left.names) + self.width + 1
        return csr_array((np.ones(len(start), np.int8), (start, end)), shape=(nodes, nodes))

    def _may_be_taken(self) -> NDArray[np.bool_]:
        """(cells,) which of them can have a row of a full set."""
        from scipy.sparse.csgraph import connected_components

        component = connected_components(self._graph(), directed=True, connection="strong")[1]
        same = component[self.cells[:, 0]] == component[len(self.limit.left.names) + self.cells[:, 1]]
        return (self.there > 0) & ((self.rows > 0) | (same & (self.rows < self.there)))

    def _shift(self, cell: int) -> None:
        """One row of the full set into this cell, and others along the cycle, so that no group has more or fewer than it may."""
        from scipy.sparse.csgraph import breadth_first_order

        groups = len(self.limit.left.names)
        start, goal = groups + int(self.cells[cell, 1]), int(self.cells[cell, 0])
        before = breadth_first_order(self._graph(), start, directed=True)[1]
        self.rows[cell] += 1
        node = goal
        while node != start:
            came = int(before[node])
            self._move(came, node)
            node = came

    def _move(self, start: int, end: int) -> None:
        groups, exchange = len(self.limit.left.names), len(self.limit.left.names) + self.width
        if start == exchange:
            self.spare[end] -= 1
            self.need[end] += 1
        elif end == exchange:
            self.spare[start] += 1
            self.need[start] -= 1
        elif start < groups:
            self.rows[self.number[start * self.width + end - groups]] += 1
        else:
            self.rows[self.number[end * self.width + start - groups]] -= 1


def nearest_shares(
    quotas: Sequence[Quota], stratum: NDArray[np.int64], wanted: NDArray[np.int64], means: Gains, candidates: Rows
) -> tuple[NDArray[np.int64], Flow | None]:
    """Rows of each stratum that the quotas allow, `wanted.sum()` in all, nearest to `wanted`; for one quota, how a full set has them.

    Nearest: the fewest tokens are moved, a row that goes to the next stratum moving the difference of their `means`. A linear programme
    over the cells that have candidates (HiGHS); with one quota it is a flow, so that its corners are whole numbers. With several
    quotas a corner may lie between whole numbers, and shares are rounded; there may then be no full set. Raises BudgetError where no
    set of so many rows keeps the quotas.
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
    if len(quotas) == 1:
        whole = np.rint(rows).astype(np.int64)
        return np.bincount(cells[:, -1], whole, strata).astype(np.int64), Flow(cells, there.astype(np.int64), whole)
    ends = np.cumsum(np.bincount(cells[:, -1], rows, strata))
    return np.diff(np.floor(ends + 0.5 + 1e-9), prepend=0).astype(np.int64), None

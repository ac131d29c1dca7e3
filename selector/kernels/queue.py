"""A queue of candidates by upper bound that knows the tie rule: a tournament tree over rows.

A heap finds the largest bound; it cannot find the *lowest row* among those within the tolerance of it. A tree whose leaves are rows
in order can, in O(log n): go to the first child that still holds a bound that ties. Each node has eight children, which lie in one line
of the cache: most of the time of a race over a large pool goes into fetching such lines.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Rows
from selector.ties import EXCLUDED, LOWEST, TOLERANCE, threshold

SHIFT = 3  # bits of a child's number
CHILDREN = 1 << SHIFT
LINE = 64  # bytes


class Queue:
    """Bounds of n rows; rows never given a bound are excluded. All bounds are keys: gain x worth, at least `LOWEST`."""

    def __init__(self, size: int) -> None:
        sizes = [size]
        while sizes[-1] > 1:
            sizes.append(-(-sizes[-1] // CHILDREN))
        self.levels = np.cumsum([0, *(-(-one // CHILDREN) * CHILDREN for one in sizes)])[:-1]  # where each begins, from the rows to the top
        room = np.full(int(self.levels[-1]) + 1 + LINE // 8, EXCLUDED)
        self.tree = room[-room.ctypes.data % LINE // 8 :][: self.levels[-1] + 1]  # a node holds the largest bound below it
        self.stamp = np.full(size, -1, np.int64)  # (n,) size of S when the row's bound was its gain
        self.lowered = np.full(size, -1, np.int64)  # (n,) size of S when the bound was last lowered to a ceiling or a gain

    def update(self, rows: Rows, keys: Gains, stamp: int) -> None:
        """The gains of these rows beside a set S of `stamp` rows are their new bounds. O(m log n)."""
        self.stamp[rows] = self.lowered[rows] = stamp
        put(self.tree, self.levels, rows, np.maximum(keys, LOWEST))

    def enter(self, rows: Rows, keys: Gains, stamp: int) -> None:
        """These rows join the race, with upper bounds on their gains beside a set S of `stamp` rows."""
        self.lowered[rows] = stamp
        put(self.tree, self.levels, rows, np.maximum(keys, LOWEST))

    def lower(self, rows: Rows, ceilings: Gains, stamp: int) -> None:
        """Bounds of these rows to at most `ceilings`, which hold for a set S of `stamp` rows. O(m log n)."""
        self.lowered[rows] = stamp
        put(self.tree, self.levels, rows, np.maximum(np.minimum(self.bounds[rows], ceilings), LOWEST))

    def exclude(self, rows: Rows) -> None:
        """These rows can no longer win."""
        put(self.tree, self.levels, rows, np.full(len(rows), EXCLUDED))

    @property
    def bounds(self) -> Gains:
        """(n,) the bounds, EXCLUDED for rows out of the race."""
        return self.tree[: len(self.stamp)]

    def winner(self, stamp: int) -> tuple[int, bool]:
        """The row that must be looked at next and whether it has won; (-1, False) when every row is excluded.

        Let B be the largest bound. The lowest row whose bound ties with B has won when its bound is fresh and the lowest row that
        attains B is fresh too: then B is the true maximum, every lower row has a bound, hence a gain, below the tolerance.
        """
        row = self.first()
        if row < 0 or self.stamp[row] != stamp:
            return row, False
        best = leftmost(self.tree, self.levels, float(self.tree[-1]))
        return (row, True) if self.stamp[best] == stamp else (best, False)

    def first(self) -> int:
        """The lowest row whose bound ties with the largest; -1 when every row is excluded."""
        top = float(self.tree[-1])
        return -1 if top == EXCLUDED else leftmost(self.tree, self.levels, threshold(top))

    def stale(self, row: int, stamp: int, most: int) -> Rows:
        """`row` and the next rows by bound whose bounds are no fresh gains, `most` in all, ascending: what to evaluate together."""
        return self._next(row, stamp, most, self.stamp)

    def loose(self, row: int, stamp: int, most: int) -> Rows:
        """The same of rows whose bounds were not lowered for this set."""
        return self._next(row, stamp, most, self.lowered)

    def _next(self, row: int, stamp: int, most: int, stamps: NDArray[np.int64]) -> Rows:
        out = np.empty(most, np.int64)
        count = _stale(self.tree, self.levels, stamps, stamp, row, TOLERANCE, out)
        return np.sort(out[:count])


@njit(cache=True)
def put(tree, levels, rows, keys):  # type: ignore[no-untyped-def]
    """Keys of these rows into the leaves, and up the tree as far as anything changes."""
    for position in range(rows.size):
        at = rows[position]
        tree[at] = keys[position]
        for level in range(1, levels.size):
            at >>= SHIFT
            child = levels[level - 1] + (at << SHIFT)
            larger = tree[child]
            for other in range(child + 1, child + CHILDREN):
                larger = max(larger, tree[other])
            if tree[levels[level] + at] == larger:
                break
            tree[levels[level] + at] = larger


@njit(cache=True)
def leftmost(tree, levels, least):  # type: ignore[no-untyped-def]
    """The lowest row whose key is at least `least`; there must be one."""
    at = 0
    for level in range(levels.size - 2, -1, -1):
        at <<= SHIFT
        while tree[levels[level] + at] < least:
            at += 1
    return at


@njit(cache=True)
def _stale(tree, levels, stamps, stamp, row, tolerance, out):  # type: ignore[no-untyped-def]
    one, key = np.empty(1, np.int64), np.empty(1, np.float64)
    lifted, keys = np.empty(2 * out.size, np.int64), np.empty(2 * out.size, np.float64)  # taken off the tree for now
    following, count, taken = row, 0, 0
    least = -np.inf  # what can still win, once a fresh bound was seen
    while True:
        bound = tree[following]
        lifted[taken], keys[taken] = following, bound
        taken += 1
        if stamps[following] != stamp:
            out[count] = following
            count += 1
        elif least == -np.inf:
            least = bound - tolerance * abs(bound)
        one[0], key[0] = following, -np.inf
        put(tree, levels, one, key)
        if count == out.size or taken == lifted.size or tree[-1] == -np.inf or tree[-1] < least:
            break
        following = leftmost(tree, levels, tree[-1])
    put(tree, levels, lifted[:taken], keys[:taken])
    return count

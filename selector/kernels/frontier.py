"""Who is farthest from the picks, pick after pick: keys that only fall, and are brought up to date only for those that could win."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numba import njit

from selector.core import Gains, Rows, Similarity
from selector.features import SparseVectors, Vectors
from selector.kernels import rise
from selector.ties import EXCLUDED, TOLERANCE, threshold

FRONT = 4096  # rows whose keys are followed pick by pick
AHEAD = 4  # times as many are brought up to date at once: those that are found fallen make room for others
TALL = 512  # rows of a tile
WIDE = 1024  # picks of a tile


class Frontier(Protocol):
    """Candidates by key_i = base_i - slope * max over the picks j of (s_ij - offset_j); a key only falls as picks are added."""

    def key(self, row: int) -> float:
        """The key of this row, which `best` just returned."""
        ...

    def best(self) -> int:
        """The candidate with the largest key under the tie rule, -1 where there is none left."""
        ...

    def add(self, row: int) -> None:
        """This row is a pick, and no candidate any more."""
        ...

    def drop(self, rows: Rows) -> None:
        """These rows are no candidates any more."""
        ...


def frontier(
    vectors: Similarity, candidates: Rows, base: Gains, slope: float, offsets: Gains, nearest: Gains, floor: float = EXCLUDED
) -> Frontier:
    """The frontier before any pick; `nearest` (n,) stands for the maximum of each row so far (-inf where there is none).

    No key falls below `floor`: where the best is there all are, and nothing has to be multiplied any more. Dense vectors: the keys of
    some 4,096 rows that could win are followed with one product each a pick; when the best of them falls to what another row could
    still have, rows are brought up to date with all picks that they missed, in one matrix product, until the best are known again.
    2 n k d operations at most, fewer for rows that never come near; on the grid of features.dense every product is exact, so no tile and
    no thread moves a pick. Sparse vectors: one walk over the postings and one pass over the rows a pick. O(n + k d) memory.
    """
    if isinstance(vectors, SparseVectors):
        return _Postings(vectors, candidates, base, slope, offsets, nearest)
    assert isinstance(vectors, Vectors)
    return _Dense(vectors.on_grid(), candidates, base, slope, offsets, nearest, floor)


class _Postings:
    def __init__(self, vectors: SparseVectors, candidates: Rows, base: Gains, slope: float, offsets: Gains, nearest: Gains) -> None:
        self.base, self.slope, self.offsets, self.nearest = base, slope, offsets, nearest.copy()
        rows, postings = vectors.data, vectors.postings
        self.index = (rows.indptr, rows.indices, rows.data, postings.indptr, postings.indices, postings.data)
        self.scratch = np.zeros((1, vectors.size)), np.zeros((1, vectors.size), np.int32)
        self.free = np.zeros(vectors.size, np.bool_)
        self.free[candidates] = True

    def key(self, row: int) -> float:
        return float(self.base[row] - self.slope * self.nearest[row])

    def best(self) -> int:
        return int(_first_best(self.free, self.base, self.slope, self.nearest))

    def add(self, row: int) -> None:
        self.free[row] = False
        line = np.zeros(len(self.free), np.float32)
        rise.posting_line(row, self.index, *self.scratch, line)
        _raise_line(line, self.offsets[row], self.nearest)

    def drop(self, rows: Rows) -> None:
        self.free[rows] = False


class _Dense:
    def __init__(self, vectors: Vectors, candidates: Rows, base: Gains, slope: float, offsets: Gains, nearest: Gains, floor: float) -> None:
        self.data, self.base, self.slope, self.offsets, self.floor = vectors.data, base, slope, offsets, floor
        self.nearest = nearest.copy()  # (n,) over the picks up to `seen`
        self.seen = np.zeros(vectors.size, np.int64)
        self.free = np.zeros(vectors.size, np.bool_)
        self.free[candidates] = True
        self.theirs = np.empty((64, vectors.dimensions), np.float32)  # (room, d) vectors of the picks
        self.shifts, self.count = np.empty(64), 0  # (room,) their offsets
        self.front = np.empty(0, np.int64)  # rows followed pick by pick, ascending
        self.mine = np.empty((0, vectors.dimensions), np.float32)  # (front, d) their vectors
        self.outside = np.inf  # no free row that is not followed has a larger key
        self.threads = rise.threads()

    def key(self, row: int) -> float:
        return float(self.base[row] - self.slope * self.nearest[row])

    def best(self) -> int:
        while True:
            row, top = _front_best(self.front, self.free, self.base, self.slope, self.nearest)
            if row >= 0 and top <= self.floor and self.outside <= self.floor:
                return int(np.argmax(self.free))
            if row >= 0 and threshold(top) > self.outside:
                return int(row)
            if row < 0 and not self.free.any():
                return -1
            self._look_around()

    def add(self, row: int) -> None:
        self.free[row] = False
        if self.count == len(self.theirs):
            self.theirs, self.shifts = (np.concatenate([one, np.empty_like(one)]) for one in (self.theirs, self.shifts))
        self.theirs[self.count], self.shifts[self.count] = self.data[row], self.offsets[row]
        self.count += 1
        if len(self.front):
            _raise_front(self.mine @ self.data[row], self.front, self.offsets[row], self.nearest, self.seen)

    def drop(self, rows: Rows) -> None:
        self.free[rows] = False

    def _look_around(self) -> None:
        """The front anew: the free rows of the largest keys, all up to date, with everyone who might tie with the best."""
        rows = np.flatnonzero(self.free)
        most = min(FRONT, len(rows))
        self._bring_up(rows[np.isneginf(self.nearest[rows])])  # who has never been compared has no key at all
        while True:
            keys = self.base[rows] - self.slope * self.nearest[rows]
            top = largest(keys, most)
            if (self.seen[rows[top]] < self.count).any():
                ahead = rows[largest(keys, AHEAD * most)]
                self._bring_up(ahead[self.seen[ahead] < self.count])
                continue
            level = threshold(float(keys[top].max()))
            if level <= self.floor:
                top = np.flatnonzero(keys > self.floor)  # who is at the floor is all the same
                top = top if len(top) else largest(keys, 1)
            elif len(tied := np.flatnonzero(keys >= level)) > len(top):
                most = len(tied)
                continue
            break
        self.front = rows[np.sort(top)]
        self.mine = np.ascontiguousarray(self.data[self.front])
        left = np.ones(len(rows), bool)
        left[top] = False
        self.outside = float(keys[left].max(initial=EXCLUDED))

    def _bring_up(self, rows: Rows) -> None:
        """`nearest` of these rows over all picks."""
        rows = rows[np.argsort(self.seen[rows], kind="stable")]  # those that missed as much stand together

        def some(first: int) -> None:
            part = rows[first : first + TALL]
            left, begin = self.data[part], int(self.seen[part[0]])
            for start in range(begin, self.count, WIDE):
                picks = slice(start, min(self.count, start + WIDE))
                _raise_rows(left @ self.theirs[picks].T, part, self.shifts[picks], self.nearest)
            self.seen[part] = self.count

        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(some, range(0, len(rows), TALL)):
                pass


def largest(keys: Gains, most: int) -> Rows:
    """Places of the `most` largest keys, in no order."""
    return np.arange(len(keys)) if most >= len(keys) else np.argpartition(-keys, most)[:most]


@njit(cache=True)
def _first_best(free, base, slope, nearest):  # type: ignore[no-untyped-def]
    """The lowest free row whose key ties with the best, -1 where no row is free."""
    best = -np.inf
    found = -1
    for row in range(free.size):
        if free[row]:
            key = base[row] - slope * nearest[row]
            if found < 0 or key > best:
                best, found = key, row
    least = best - TOLERANCE * abs(best)
    for row in range(found):
        if free[row] and base[row] - slope * nearest[row] >= least:
            return row
    return found


@njit(cache=True)
def _front_best(front, free, base, slope, nearest):  # type: ignore[no-untyped-def]
    """The same among the rows of the front, and the best key."""
    best = -np.inf
    found = -1
    for place in range(front.size):
        row = front[place]
        if free[row]:
            key = base[row] - slope * nearest[row]
            if found < 0 or key > best:
                best, found = key, row
    least = best - TOLERANCE * abs(best)
    for place in range(front.size):
        row = front[place]
        if free[row] and base[row] - slope * nearest[row] >= least:
            return row, best
    return found, best


@njit(cache=True)
def _raise_line(line, offset, nearest):  # type: ignore[no-untyped-def]
    for row in range(line.size):
        nearest[row] = max(nearest[row], line[row] - offset)


@njit(cache=True)
def _raise_front(values, front, offset, nearest, seen):  # type: ignore[no-untyped-def]
    for place in range(front.size):
        row = front[place]
        nearest[row] = max(nearest[row], np.float64(values[place]) - offset)
        seen[row] += 1


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _raise_rows(values, rows, offsets, nearest):  # type: ignore[no-untyped-def]
    for place in range(rows.size):
        best = nearest[rows[place]]
        for pick in range(offsets.size):
            best = max(best, np.float64(values[place, pick]) - offsets[pick])
        nearest[rows[place]] = best

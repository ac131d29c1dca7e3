"""How novel each row is beside the picks: a sum of its distances to all of them, the nearest counting most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Rows, Similarity
from selector.features import SparseVectors, Vectors
from selector.kernels import rise
from selector.kernels.frontier import largest
from selector.kernels.team import Team
from selector.ties import EXCLUDED, TOLERANCE, threshold

FRONT = 2048  # rows that are followed pick by pick
PART = 512  # rows that one thread takes at a time
FARTHEST = 2.0  # no two rows have a larger 1 - cosine


class Novelty:
    """v_i = sum over the picks j, by rising u_ij, of u_ij * rank^-power; u_ij = (1 - cosine_ij) * (own_i + theirs_j).

    The `heads` smallest u of each row are kept and count by their rank. The others count as if they rose evenly with the rank, from the
    largest that is kept on, to what makes their mean right, and the mean needs no list: it comes from the sum of all u. So memory is
    O(n heads) for any number of picks. One more pick, the c-th, adds at most u c^-power to a sum: it takes the last rank, or an earlier one
    and moves larger u down. So of dense vectors some 2,048 rows are followed pick by pick, and all others are brought up to date, by one
    matrix product with all picks that they missed, when they could have come to tie with the best. 2 n d operations a pick. Each row takes
    the picks in their order, and on the grid of features.dense products are exact: no tile and no thread moves a bit.
    """

    def __init__(self, vectors: Similarity, inverse: Gains, own: Gains, theirs: Gains, power: float, heads: int) -> None:
        self.vectors, self.inverse, self.own, self.theirs, self.power = vectors, inverse, own, theirs, power
        size = vectors.size
        self.heads = np.full((size, heads), np.inf, np.float32)  # (n, heads) the smallest u, rising
        self.whole, self.first, self.weighted = (np.zeros(size) for _ in range(3))  # (n,) sums of all u, of the heads, weighted
        self.weights = np.arange(1.0, heads + 1) ** -power  # (heads,)
        self.tail, self.ramp = 0.0, 0.0  # of the ranks past the heads: sums of weight, of places past * weight
        self.picks, self.included = list[int](), 0  # of the rows that are not followed, so many picks are in their sums
        self.front = np.empty(0, np.int64)  # rows followed pick by pick, ascending
        self.grown = np.zeros(2)  # what the picks since may have added to v: times own, and for every row
        self.score = np.zeros(size)  # (n,) v, over the picks that a row has seen
        self.sparse = isinstance(vectors, SparseVectors)
        self.team, every = Team(), np.arange(size)
        self.parts = [every[first : first + PART] for first in range(0, size, PART)]
        if isinstance(vectors, SparseVectors):
            rows, postings = vectors.data, vectors.postings
            self.index: Any = (rows.indptr, rows.indices, rows.data, postings.indptr, postings.indices, postings.data)
            self.scratch = np.zeros((1, size)), np.zeros((1, size), np.int32)
        else:
            assert isinstance(vectors, Vectors)
            self.data = vectors.on_grid().data
            self.mine = np.empty((0, vectors.dimensions), np.float32)  # (front, d) vectors of the rows followed

    def add(self, row: int) -> None:
        """One more pick."""
        self.picks.append(row)
        count, heads = len(self.picks), self.heads.shape[1]
        weight = count**-self.power
        if count > heads:
            self.tail += weight
            self.ramp += (count - heads) * weight
        if self.sparse:
            line = np.zeros(len(self.score), np.float32)
            rise.posting_line(row, self.index, *self.scratch, line)
            self.team.share(lambda rows: self._take(rows, line[rows, None], [row]), self.parts)
            self.included = count
            return
        self.grown += FARTHEST * weight * np.array([1.0, self.theirs[row]])
        if len(self.front):
            self._take(self.front, (self.mine @ self.data[row])[:, None], [row])

    def best(self, free: NDArray[np.bool_]) -> int:
        """The free row of the largest v under the tie rule, -1 where none is free."""
        if self.sparse:
            row, _ = _first_best(np.flatnonzero(free), self.score)
            return int(row)
        while True:
            row, top = _first_best(self.front[free[self.front]], self.score)
            if row >= 0 and threshold(top) > _outside(free, self.front, self.score, self.own, self.grown):
                return int(row)
            if row < 0 and not free.any():
                return -1
            self._look_around(free)

    def _look_around(self, free: NDArray[np.bool_]) -> None:
        """All rows up to date, and the front anew: the largest v, with everyone who might tie with the best."""
        missed = self.picks[self.included :]
        theirs = self.data[missed]
        followed = np.zeros(len(free), np.bool_)
        followed[self.front] = True

        def bring_up(rows: Rows) -> None:
            rows = rows[~followed[rows]]
            self._take(rows, self.data[rows] @ theirs.T, missed)

        if missed:
            self.team.share(bring_up, self.parts)
        self.included, self.grown[:] = len(self.picks), 0.0
        rows = np.flatnonzero(free)
        tied = int((self.score[rows] >= threshold(float(self.score[rows].max()))).sum())
        self.front = rows[np.sort(largest(self.score[rows], max(FRONT, tied)))]
        self.mine = np.ascontiguousarray(self.data[self.front])

    def _take(self, rows: Rows, similarities: NDArray[np.float32], picks: list[int]) -> None:
        past = max(0, len(self.picks) - self.heads.shape[1])
        _take_up(
            rows, similarities, self.inverse, self.inverse[picks], self.own, self.theirs[picks], self.heads, self.whole, self.first,
            self.weighted, self.weights, past, self.tail, self.ramp, self.score,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _take_up(rows, similarities, inverse, inverses, own, theirs, heads, whole, first, weighted, weights, past, tail, ramp, score):  # type: ignore[no-untyped-def]
    last = heads.shape[1] - 1
    for place in range(rows.size):
        row = rows[place]
        mine, total, moved = heads[row], whole[row], False
        for pick in range(theirs.size):
            apart = max(0.0, 1.0 - np.float64(similarities[place, pick]) * (inverse[row] * inverses[pick]))
            u = np.float32(apart * (own[row] + theirs[pick]))
            total += u
            if u < mine[last]:
                at = last
                while at > 0 and mine[at - 1] > u:
                    mine[at] = mine[at - 1]
                    at -= 1
                mine[at] = u
                moved = True
        whole[row] = total
        if moved:
            plain, summed = 0.0, 0.0
            for rank in range(mine.size):
                if mine[rank] == np.inf:
                    break
                plain += mine[rank]
                summed += weights[rank] * mine[rank]
            first[row], weighted[row] = plain, summed
        score[row] = weighted[row]
        if past > 0:
            begin = np.float64(mine[last])
            score[row] += begin * tail + 2 * ((total - first[row]) / past - begin) / (past + 1) * ramp


@njit(cache=True)
def _first_best(rows, score):  # type: ignore[no-untyped-def]
    """The lowest of these rows (ascending) whose score ties with the best, -1 where there is none, and the best score."""
    best = -np.inf
    for row in rows:
        best = max(best, score[row])
    least = best - TOLERANCE * abs(best)
    for row in rows:
        if score[row] >= least:
            return row, best
    return -1, best


@njit(cache=True)
def _outside(free, front, score, own, grown):  # type: ignore[no-untyped-def]
    """At least the score of every free row that is not in the front (ascending)."""
    most, at = EXCLUDED, 0
    for row in range(free.size):
        if at < front.size and front[at] == row:
            at += 1
        elif free[row]:
            most = max(most, score[row] + own[row] * grown[0] + grown[1])
    return most

"""The determinant of a linear kernel in its dual form: one d x d matrix, and for each pick one direction of length d."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Rows
from selector.features import Vectors
from selector.kernels.team import Team

NEVER = -(1 << 40)  # picks seen by a row that was never evaluated
PART = 1 << 20  # multiply-adds that one thread takes at a time


class Dual:
    """The state of log det(I + X_S Q_S^2 X_S^T / r): A = (r I + X_S^T Q_S^2 X_S)^-1 (d, d); the gain of x is log(1 + q^2 x^T A x).

    Adding s takes w w^T off A, w = q_s A x_s / sqrt(1 + q_s^2 x_s^T A x_s) (Sherman and Morrison 1950), so x^T A x falls by (x . w)^2.
    A row that missed few picks since it was last asked for is brought up by their directions w, O(d) each; one that missed many is
    evaluated afresh, O(d^2 / 2). O(d^2) a pick; memory d (4 d + k) float64. Every sum of a row is in one order, whatever rows are asked
    with it and on however many threads.
    """

    def __init__(self, vectors: Vectors, quality: Gains, ridge: float, chosen: Rows) -> None:
        size, dimensions = vectors.size, vectors.dimensions
        self.data, self.weight = np.ascontiguousarray(vectors.data), quality**2  # (n, d), (n,) q^2
        self.gram = ridge * np.eye(dimensions)  # (d, d) r I + X^T Q^2 X of the picks up to `folded`
        self.form, self.seen = np.empty(size), np.full(size, NEVER)  # (n,) x^T A x after the first `seen` picks
        self.directions = np.empty((64, dimensions))  # (room, d) w of each pick
        self.team = Team()
        self.picks, self.folded, self.every = list[int](), 0, max(16, dimensions // 8)
        self.few = dimensions // 3  # missed picks up to which their directions cost less than an evaluation afresh
        self.value, self.evaluations, self.batch = 0.0, 0, 256
        for first in range(0, len(chosen), 8192):
            self._count(chosen[first : first + 8192])
        self._factor()
        self._bring_up(np.arange(size))
        if len(chosen):
            self.value = -2.0 * float(np.log(np.diagonal(self.half)).sum()) - dimensions * float(np.log(ridge))

    def gains(self, candidates: Rows) -> Gains:
        self.evaluations += len(candidates)
        self._bring_up(candidates)
        return np.log1p(self.form[candidates] * self.weight[candidates])

    def add(self, row: int) -> None:
        self._bring_up(np.array([row]))
        spread = float(self.form[row] * self.weight[row])
        self.value += float(np.log1p(spread))
        place = len(self.picks)
        if place == len(self.directions):
            self.directions = np.concatenate([self.directions, np.empty_like(self.directions)])
        own, recent = self.data[row].astype(np.float64), self.directions[self.folded : place]
        moved = self.inverse @ own - (recent @ own) @ recent
        self.directions[place] = moved * np.sqrt(self.weight[row] / (1 + spread))
        self.picks.append(row)
        if place + 1 - self.folded == self.every:
            self._count(np.array(self.picks[self.folded :]))
            self._factor()
            self.folded = place + 1

    def _count(self, rows: Rows) -> None:
        scaled = self.data[rows] * np.sqrt(self.weight[rows])[:, None]
        self.gram += scaled.T @ scaled

    def _factor(self) -> None:
        """A from its definition: rounding never adds up. `half` (d, d) is lower triangular with half^T half = A."""
        self.half = _lower_inverse(np.asarray(np.linalg.cholesky(self.gram), np.float64))
        self.inverse = self.half.T @ self.half

    def _bring_up(self, rows: Rows) -> None:
        picks, dimensions = len(self.picks), self.data.shape[1]
        missed = picks - self.seen[rows]
        many = missed > self.few
        old, young = rows[many], rows[~many & (missed > 0)]
        if len(old) + len(young) == 0:
            return
        self.seen[old] = self.folded
        work = len(old) * dimensions**2 // 2 + int((picks - self.seen[young]).sum()) * dimensions
        if work < 2 * PART:
            self._evaluate(old)
            self._follow(young)
            return
        at_once = max(8, PART * (len(old) + len(young)) // work // 8 * 8)
        parts = [(self._evaluate, old[first : first + at_once]) for first in range(0, len(old), at_once)]
        parts += [(self._follow, young[first : first + at_once]) for first in range(0, len(young), at_once)]
        self.team.share(lambda part: part[0](part[1]), parts)

    def _evaluate(self, rows: Rows) -> None:
        evaluate(rows, self.data, self.half, self.form)
        self._follow(rows)

    def _follow(self, rows: Rows) -> None:
        follow(rows, self.data, self.directions, len(self.picks), self.form, self.seen)


def _lower_inverse(lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a lower triangular matrix by halves: exact zeros above the diagonal, and most of it matrix products."""
    size = len(lower)
    if size <= 32:
        return np.tril(np.linalg.inv(lower))
    cut, whole = size // 2, np.zeros_like(lower)
    upper, last = _lower_inverse(lower[:cut, :cut]), _lower_inverse(lower[cut:, cut:])
    whole[:cut, :cut], whole[cut:, cut:], whole[cut:, :cut] = upper, last, -(last @ (lower[cut:, :cut] @ upper))
    return whole


@njit(cache=True, fastmath={"reassoc", "contract"})
def _evaluate_eight(first, rows, data, half, form):  # type: ignore[no-untyped-def]
    """`form` = |half x|^2 of eight rows from `first` on: each number of `half` is read once for all of them."""
    count, width = min(8, rows.size - first), half.shape[0]
    own = np.empty((8, width))
    for place in range(8):
        own[place] = data[rows[first + min(place, count - 1)]]
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    for line in range(width):
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = 0.0
        for column in range(line + 1):
            entry = half[line, column]
            a0 += entry * own[0, column]
            a1 += entry * own[1, column]
            a2 += entry * own[2, column]
            a3 += entry * own[3, column]
            a4 += entry * own[4, column]
            a5 += entry * own[5, column]
            a6 += entry * own[6, column]
            a7 += entry * own[7, column]
        s0 += a0 * a0
        s1 += a1 * a1
        s2 += a2 * a2
        s3 += a3 * a3
        s4 += a4 * a4
        s5 += a5 * a5
        s6 += a6 * a6
        s7 += a7 * a7
    sums = (s0, s1, s2, s3, s4, s5, s6, s7)
    for place in range(count):
        form[rows[first + place]] = sums[place]


@njit(cache=True, nogil=True)
def evaluate(rows, data, half, form):  # type: ignore[no-untyped-def]
    """`form` = x^T A x of these rows."""
    for first in range(0, rows.size, 8):
        _evaluate_eight(first, rows, data, half, form)


@njit(cache=True, fastmath={"reassoc", "contract"})
def _follow_row(row, data, directions, picks, form, seen):  # type: ignore[no-untyped-def]
    """Takes off the row's `form` what the picks since it was `seen` took."""
    own = data[row].astype(np.float64)
    value, at = form[row], seen[row]
    while at + 4 <= picks:
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        one, two, three, four = directions[at], directions[at + 1], directions[at + 2], directions[at + 3]
        for place in range(own.size):
            first += own[place] * one[place]
            second += own[place] * two[place]
            third += own[place] * three[place]
            fourth += own[place] * four[place]
        value -= first * first + second * second + third * third + fourth * fourth
        at += 4
    while at < picks:
        first = 0.0
        for place in range(own.size):
            first += own[place] * directions[at, place]
        value -= first * first
        at += 1
    form[row], seen[row] = max(value, 0.0), picks


@njit(cache=True, nogil=True)
def follow(rows, data, directions, picks, form, seen):  # type: ignore[no-untyped-def]
    """Brings `form` up to the last pick."""
    for row in rows:
        if seen[row] < picks:
            _follow_row(row, data, directions, picks, form, seen)

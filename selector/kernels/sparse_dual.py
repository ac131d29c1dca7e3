"""The determinant of a linear kernel over sparse rows in its dual form, without the dual matrix: the picks' inverse stands for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numba import njit

from selector.core import Gains, Rows
from selector.errors import MemoryForecast, plural, size
from selector.features import SparseVectors
from selector.kernels.cholesky import sparse_norms
from selector.kernels.inverse import BLOCK, Inverse, band_bytes
from selector.kernels.team import Team

LANES = 8  # picks whose directions lie together: as many numbers as a line of the cache holds
SPAN = 2048  # types whose numbers stay in the innermost cache
PART = 1 << 19  # multiply-adds that one thread takes at a time
SURE = 1e-10  # relative, of two ways to the same number
ROUNDING = 1e-14  # of a row's squared length, which no further step mends
STEEP = 1e4  # times the ridge: a squared length beyond which one step is always taken
REFINED = 3  # steps at most


def least_bytes(picks: int, types: int) -> int:
    """What it cannot do without: half the inverse of the picks, three blocks of its columns, and the directions of a block, twice.

    Beside that stand a few numbers for each row and its entries, as the features themselves do.
    """
    return band_bytes(picks) + 8 * BLOCK * (2 * types + 3 * (picks // BLOCK * BLOCK)) + 16 * types


def forecast(picks: int, types: int, memory: int) -> None:
    """Raises MemoryForecast where so many picks do not fit `memory` bytes."""
    if least_bytes(picks, types) <= memory:
        return
    fits = int(np.sqrt(memory / 4))
    while fits > 0 and least_bytes(fits, types) > memory:
        fits -= 1
    raise MemoryForecast(
        f"dpp on sparse vectors holds a matrix over its picks: {plural(picks, 'row')} take {size(least_bytes(picks, types))} but the "
        f"memory option leaves it {size(memory)}, enough for {plural(fits, 'row')}; lower the budget, raise --memory, or use dense vectors "
        "(macro), which need none."
    )


class SparseDual:
    """The state of log det(I + X_S Q_S^2 X_S^T / r): the gain of x is log(1 + q^2 x^T A x / r).

    A = I - Y^T (r I + Y Y^T)^-1 Y with Y = Q_S X_S. Adding s takes w w^T off A, w = q_s A x_s / sqrt(r + q_s^2 x_s^T A x_s) (Sherman and
    Morrison 1950), so x^T A x falls by (x . w)^2: a step for each type that x carries, where a line of the Cholesky factor takes one for
    each pick. A itself (T, T) is never made: A x_s comes from the picks' k x k inverse (Woodbury 1950), O(k) for each pick that shares a
    type with s. It grows by BLOCK picks at a time by matrix products, O(k^2) a pick; then every row's x^T A x is brought up to date,
    O(entries) a pick; between, only those asked for. Every sum is in one order, whatever rows are asked together and on however many
    threads.
    """

    def __init__(self, vectors: SparseVectors, quality: Gains, ridge: float, memory: int, chosen: Rows) -> None:
        csr, types = vectors.data, vectors.dimensions
        self.entries = (csr.indptr, csr.indices, csr.data)
        self.quality, self.ridge, self.memory = quality, ridge, memory
        self.form = sparse_norms(*self.entries)  # (n,) x^T A x after all picks of earlier blocks and those of this one that it has `seen`
        self.seen = np.zeros(vectors.size, np.int64)
        self.directions = np.zeros((BLOCK // LANES, types, LANES))  # w of each pick of this block, 0 for those to come
        self.lines = np.empty((BLOCK, types))  # the same, pick by pick
        self.lower = np.zeros((BLOCK, BLOCK))  # the Cholesky factor of this block of picks given those before
        self.inverse, self.gathered = Inverse(max(0, memory - least_bytes(0, types))), np.empty((0, BLOCK))
        self.postings = (np.zeros(types + 1, np.int64), np.empty(0, np.int32), np.empty(0))  # by type: the picks before, their q x
        self.picks, self.count, self.team = np.empty(BLOCK, np.int64), 0, Team()
        self.value, self.evaluations, self.batch = 0.0, 0, 128
        for row in chosen:
            self.add(int(row))

    @property
    def nbytes(self) -> int:
        """What it holds beside a few numbers for each row, without what was never written."""
        return self.inverse.nbytes + 2 * self.directions.nbytes + self.gathered.nbytes + sum(one.nbytes for one in self.postings)

    def gains(self, candidates: Rows) -> Gains:
        self.evaluations += len(candidates)
        self._bring_up(candidates)
        return self._logs(candidates)

    def add(self, row: int) -> None:
        types, place = self.directions.shape[1], self.count % BLOCK
        forecast(self.count + 1, types, self.memory)
        rows = np.array([row])
        self._bring_up(rows)
        self.value += float(self._logs(rows)[0])
        factor = float(self.quality[row])
        line, pivot = self.lower[place], self.ridge + factor**2 * float(self.form[row])
        project(row, *self.entries, factor, self.directions, place, line)
        line[place] = np.sqrt(pivot)
        own = self._explained(row, factor, pivot + float(line[:place] @ line[:place]))
        self._share(place * types, lambda first, last: turn(first, last, self.directions, self.lines, place, line, own))
        if self.count == len(self.picks):
            self.picks = np.concatenate([self.picks, np.empty_like(self.picks)])
        self.picks[self.count] = row
        self.count += 1
        if place + 1 == BLOCK:
            self._fold()

    def _explained(self, row: int, factor: float, known: float) -> Gains:
        """(T,) A q x of the row, A of the picks of earlier blocks; `known` is r + q^2 x^T A x, by which it is checked.

        The inverse of a matrix of large condition (a small ridge beside long rows) is not as exact as the forms. There, and where the
        check fails, what is left is solved for again (iterative refinement, Wilkinson 1963): O(k^2).
        """
        own, through = np.zeros(self.directions.shape[1]), np.zeros(self.inverse.size)  # (T,) q x, then A times it; (k,) Y q x
        length = meet(row, *self.entries, factor, *self.postings, own, through)
        if not self.inverse.size:
            return own
        place, left, times = self.count % BLOCK, through, 0
        while True:
            shared = np.flatnonzero(left)
            more = self.inverse.times(shared, left[shared], self.team)
            self._share(len(self.postings[1]), partial(take_off, *self.postings, more, own))
            self.gathered[:, place] += more
            found = self.ridge + along(row, *self.entries, factor, own)
            sure = times > 0 or length <= STEEP * self.ridge
            if times == REFINED or (sure and abs(found - known) <= SURE * known + ROUNDING * length):
                return own
            left, times = remainder(*self.postings, own, self.gathered[:, place], self.ridge), times + 1

    def _share(self, work: int, part: Callable[[int, int], object]) -> None:
        """`part` on all types, by several threads where there is enough to do."""
        types = self.directions.shape[1]
        at_once = types if work < PART else -(-types // self.team.threads)
        self.team.share(lambda first: part(first, min(types, first + at_once)), range(0, types, at_once))

    def _logs(self, rows: Rows) -> Gains:
        return np.log1p(self.form[rows] * self.quality[rows] ** 2 / self.ridge)

    def _bring_up(self, rows: Rows) -> None:
        """The picks of this block into the forms of these rows."""
        self._follow(rows, self.count - self.inverse.size)

    def _follow(self, rows: Rows, picks: int) -> None:
        starts = self.entries[0]
        rows = rows[self.seen[rows] < picks]
        work = 8 * int((starts[rows + 1] - starts[rows]).sum()) if len(rows) > 4096 else 0
        if work < 2 * PART:
            follow(rows, *self.entries, self.directions, picks, self.form, self.seen)
            return
        at_once = max(64, PART * len(rows) // work)
        self.team.share(
            lambda first: follow(rows[first : first + at_once], *self.entries, self.directions, picks, self.form, self.seen),
            range(0, len(rows), at_once),
        )

    def _fold(self) -> None:
        """The picks of this block join the inverse, and every row has seen them."""
        everyone = np.arange(len(self.form))
        for picks in range(LANES, BLOCK + 1, LANES):  # directions of few picks stay near the processor for all rows
            self._follow(everyone, picks)
        self.inverse.grow(self.gathered, self.lower, self.team)
        self.seen[:], self.lower[:], self.directions[:] = 0, 0.0, 0.0
        self.gathered = np.zeros((self.count, BLOCK))
        self.postings = gather(self.picks[: self.count], *self.entries, self.quality, self.directions.shape[1])


@njit(cache=True, nogil=True)
def follow(rows, starts, columns, values, directions, picks, form, seen):  # type: ignore[no-untyped-def]
    """Takes off the rows' `form` what the picks of this block since they were `seen` took, up to so many of them."""
    sums = np.empty(LANES)
    for row in rows:
        first = seen[row]
        if first >= picks:
            continue
        left = form[row]
        for chunk in range(first // LANES, (picks + LANES - 1) // LANES):
            a = b = c = d = e = f = g = h = 0.0
            for at in range(starts[row], starts[row + 1]):
                value, column = np.float64(values[at]), columns[at]
                a += value * directions[chunk, column, 0]
                b += value * directions[chunk, column, 1]
                c += value * directions[chunk, column, 2]
                d += value * directions[chunk, column, 3]
                e += value * directions[chunk, column, 4]
                f += value * directions[chunk, column, 5]
                g += value * directions[chunk, column, 6]
                h += value * directions[chunk, column, 7]
            sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7] = a, b, c, d, e, f, g, h
            for place in range(max(first, chunk * LANES), min(picks, (chunk + 1) * LANES)):
                lost = sums[place - chunk * LANES]
                left = max(left - lost * lost, 0.0)
        form[row], seen[row] = left, picks


@njit(cache=True)
def meet(row, starts, columns, values, quality, begin, carriers, theirs, own, through):  # type: ignore[no-untyped-def]
    """Writes q x of the row into `own` (T,) and its products with earlier blocks' picks into `through` (k,), both 0; its squared length."""
    length = 0.0
    for at in range(starts[row], starts[row + 1]):
        column = columns[at]
        value = own[column] = quality * values[at]
        length += value * value
        for one in range(begin[column], begin[column + 1]):
            through[carriers[one]] += value * theirs[one]
    return length


@njit(cache=True)
def along(row, starts, columns, values, quality, own):  # type: ignore[no-untyped-def]
    """The product of the row, times `quality`, with `own` (T,)."""
    total = 0.0
    for at in range(starts[row], starts[row + 1]):
        total += quality * values[at] * own[columns[at]]
    return total


@njit(cache=True, nogil=True)
def take_off(begin, carriers, theirs, through, own, first, last):  # type: ignore[no-untyped-def]
    """Takes Y^T `through` off `own` at the types from `first` to `last`."""
    for column in range(first, last):
        total = own[column]
        for one in range(begin[column], begin[column + 1]):
            total -= theirs[one] * through[carriers[one]]
        own[column] = total


@njit(cache=True)
def remainder(begin, carriers, theirs, own, through, ridge):  # type: ignore[no-untyped-def]
    """(k,) what (r I + Y Y^T) `through` lacks of Y q x, where `own` is q x - Y^T `through`."""
    left = -ridge * through
    for column in range(own.size):
        for one in range(begin[column], begin[column + 1]):
            left[carriers[one]] += theirs[one] * own[column]
    return left


@njit(cache=True)
def project(row, starts, columns, values, quality, directions, picks, line):  # type: ignore[no-untyped-def]
    """Fills the row's `line` of the factor: q x . w of the `picks` of this block."""
    line[:picks] = 0.0
    for at in range(starts[row], starts[row + 1]):
        value, column = quality * values[at], columns[at]
        for place in range(picks):
            line[place] += value * directions[place // LANES, column, place % LANES]


@njit(cache=True, nogil=True)
def turn(first, last, directions, lines, picks, line, own):  # type: ignore[no-untyped-def]
    """The direction of the next pick at the types from `first` to `last`: what the `picks` of this block leave of `own`."""
    for start in range(first, last, SPAN):
        end = min(last, start + SPAN)
        for place in range(0, picks // 4 * 4, 4):
            a, b, c, d = line[place], line[place + 1], line[place + 2], line[place + 3]
            for column in range(start, end):
                near = a * lines[place, column] + b * lines[place + 1, column]
                own[column] -= near + (c * lines[place + 2, column] + d * lines[place + 3, column])
        for place in range(picks // 4 * 4, picks):
            a = line[place]
            for column in range(start, end):
                own[column] -= a * lines[place, column]
        pivot = line[picks]
        for column in range(start, end):
            lines[picks, column] = directions[picks // LANES, column, picks % LANES] = own[column] / pivot


@njit(cache=True)
def gather(picks, starts, columns, values, quality, types):  # type: ignore[no-untyped-def]
    """By type: where its picks begin, the picks' places in ascending order, and their q x."""
    begin = np.zeros(types + 1, np.int64)
    for pick in picks:
        for at in range(starts[pick], starts[pick + 1]):
            begin[columns[at] + 1] += 1
    for column in range(types):
        begin[column + 1] += begin[column]
    free, carriers, theirs = begin[:-1].copy(), np.empty(begin[types], np.int32), np.empty(begin[types])
    for place in range(picks.size):
        pick = picks[place]
        for at in range(starts[pick], starts[pick + 1]):
            column = columns[at]
            carriers[free[column]], theirs[free[column]] = place, quality[pick] * values[at]
            free[column] += 1
    return begin, carriers, theirs

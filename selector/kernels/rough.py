"""Similarities above a coverage, roughly: two bytes for how far each raises its row at most, two for the row.

Many more of them fit the memory than exact ones do, so they are kept many picks earlier. A walk over a candidate's entries bounds its
gain at any later coverage; where that leaves it in the race, the entries that still count are multiplied out and made exact.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from selector.core import Gains, Rows
from selector.kernels.rise import kept_rises
from selector.kernels.sweep import Kept

BLOCK = 1 << 16  # rows that two bytes can tell apart
ENTRY = 4  # bytes
TOP = 65_534  # the largest code: no similarity is above it
UP = 1 + 1e-6  # for sums in floating point

Found = tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16]]  # entries of each candidate and block (m, blocks), rows, codes


class Rough:
    """For each of n candidates the rows that it would raise above `base`, in blocks of 65,536 rows, and codes of how far at most.

    A code q says: at most base + q unit. `base` (n,) float32 is a coverage that the present one has reached, but for the rows given to
    `settle`. `steps` (n, d) int16 are the vectors in units of the grid `step`.
    """

    def __init__(self, steps: NDArray[np.int16], step: float, base: NDArray[np.float32], entries: int) -> None:
        self.steps, self.square, self.base = steps, np.float32(step**2), base
        longest = float(np.einsum("nd,nd->n", steps, steps, dtype=np.int64).max(initial=0)) * step**2
        self.unit = max(longest - float(base.min(initial=0.0)), step**2) * UP / TOP
        self.rows, self.codes, self.used = np.empty(entries, np.uint16), np.empty(entries, np.uint16), 0
        self.cuts = np.zeros((len(base), -(-len(base) // BLOCK) + 1), np.int64)
        self.lift = np.zeros(len(base), np.float32)  # (n,) coverage above base, in units, a little too low
        self.low = np.empty(0, np.int64)  # rows whose coverage has not reached base
        self.lines: Kept | None = None  # their similarities, exact

    def put(self, candidates: Rows, found: Found) -> None:
        """What these candidates, in a row, raise."""
        counts, rows, codes = found
        if self.used + len(rows) > len(self.rows):
            entries = self.used + len(rows) + len(self.rows) // 4
            self.rows, self.codes = (
                np.concatenate([one[: self.used], np.empty(entries - self.used, np.uint16)]) for one in (self.rows, self.codes)
            )
        self.cuts[candidates, 0] = self.used + np.concatenate([[0], np.cumsum(counts.sum(axis=1))[:-1]])
        self.cuts[candidates, 1:] = self.cuts[candidates, :1] + np.cumsum(counts, axis=1)
        part = slice(self.used, self.used + len(rows))
        self.rows[part], self.codes[part] = rows, codes
        self.used = part.stop

    def settle(self, cover: NDArray[np.float32], low: Rows, lines: Kept | None) -> None:
        """From now on for coverage at or above `cover`, which is below base in the rows `low`: `lines` holds those of all candidates."""
        self.low, self.lines = low, lines
        self.rise(cover)

    def rise(self, cover: NDArray[np.float32]) -> None:
        """The present coverage."""
        lift = (cover.astype(np.float64) - self.base) / self.unit
        self.lift = np.maximum(np.nextafter(lift.astype(np.float32), np.float32(-np.inf)), 0)
        self.lift[self.low] = np.inf

    def ceilings(self, candidates: Rows, cover: NDArray[np.float32], weights: Gains) -> Gains:
        """(m,) at least the gains. One step for each entry."""
        bounds = np.empty(len(candidates))
        _ceilings(candidates, self.rows, self.codes, self.cuts, self.lift, weights, bounds)
        bounds *= self.unit * UP
        return bounds if self.lines is None else bounds + kept_rises(candidates, self.lines, cover, weights)

    def gains(self, candidates: Rows, cover: NDArray[np.float32], weights: Gains) -> Gains:
        """(m,) gains; entries that still count become exact. O(d) for each of these."""
        gains = np.empty(len(candidates))
        given = self.rows, self.codes, self.cuts, self.lift, self.base, self.unit, self.steps, self.square
        _gains(candidates, *given, cover, weights, gains)
        return gains if self.lines is None else gains + kept_rises(candidates, self.lines, cover, weights)

    def left(self, candidates: Rows) -> float:
        """How many rows a candidate may raise, at most, on average over these."""
        return float(_left(candidates, self.rows, self.codes, self.cuts, self.lift).mean())

    def compact(self) -> None:
        """Leaves out what no longer counts."""
        self.used = _compact(self.rows, self.codes, self.cuts, self.lift)

    def exact(self, cover: NDArray[np.float32]) -> Kept:
        """The rows that each candidate would raise, and their similarities; those of the rows `low` come after the others."""
        everybody = np.arange(len(cover))
        counts = _left(everybody, self.rows, self.codes, self.cuts, self.lift)
        if self.lines is not None:
            counts += np.diff(self.lines[0])
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows, similarities, ends = np.empty(int(starts[-1]), np.int32), np.empty(int(starts[-1]), np.float32), starts[:-1].copy()
        _exact(self.rows, self.codes, self.cuts, self.lift, self.steps, self.square, cover, ends, rows, similarities)
        if self.lines is not None:
            _append(*self.lines, cover, ends, rows, similarities)
        used = _close_up(starts, ends, rows, similarities)
        return starts, rows[:used].copy(), similarities[:used].copy()


@njit(nogil=True, cache=True)
def codes_of(products, lines, columns, count, top, unit, steps, norms, slack, their_steps, their_errors, out):  # type: ignore[no-untyped-def]
    """Codes `out` of the bounds (kernels.codes) of `count` places of a tile of products, above the coverage `top` of their lines."""
    for place in range(count):
        line, column = lines[place], columns[place]
        bound = steps[line] * (np.float32(products[line, column]) * their_steps[column] + norms[line] * their_errors[column]) + slack[line]
        out[place] = min(TOP, int((np.float64(bound) - top[line]) / unit) + 1)


@njit(nogil=True, cache=True)
def by_candidate(width, blocks, rows, columns, codes):  # type: ignore[no-untyped-def]
    """Entries in the order of rows put in the order of candidates; see `Found`."""
    counts = np.zeros((width, blocks), np.int64)
    for place in range(rows.size):
        counts[columns[place], rows[place] // BLOCK] += 1
    ends = np.zeros(width, np.int64)
    total = 0
    for candidate in range(width):
        ends[candidate] = total
        total += counts[candidate].sum()
    out_rows, out_codes = np.empty(total, np.uint16), np.empty(total, np.uint16)
    for place in range(rows.size):
        at = ends[columns[place]]
        out_rows[at], out_codes[at] = rows[place] % BLOCK, codes[place]
        ends[columns[place]] = at + 1
    return counts, out_rows, out_codes


@njit(cache=True, parallel=True)
def _ceilings(candidates, rows, codes, cuts, lift, weights, bounds):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        candidate, total = candidates[position], 0.0
        for block in range(cuts.shape[1] - 1):
            for place in range(cuts[candidate, block], cuts[candidate, block + 1]):
                row = block * BLOCK + rows[place]
                rise = np.float32(codes[place]) - lift[row]
                if rise > 0:
                    total += weights[row] * rise
        bounds[position] = total


@njit(cache=True, inline="always")
def _dot(x, y):  # type: ignore[no-untyped-def]
    total = 0
    for at in range(x.size):
        total += x[at] * y[at]
    return total


@njit(cache=True, parallel=True)
def _gains(candidates, rows, codes, cuts, lift, base, unit, steps, square, cover, weights, gains):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        candidate, total = candidates[position], 0.0
        for block in range(cuts.shape[1] - 1):
            for place in range(cuts[candidate, block], cuts[candidate, block + 1]):
                row = block * BLOCK + rows[place]
                if codes[place] > lift[row]:
                    similarity = np.float32(_dot(steps[candidate], steps[row])) * square
                    codes[place] = max(0, int(np.ceil((np.float64(similarity) - base[row]) / unit)))
                    if similarity > cover[row]:
                        total += weights[row] * (np.float64(similarity) - np.float64(cover[row]))
        gains[position] = total


@njit(cache=True, parallel=True)
def _left(candidates, rows, codes, cuts, lift):  # type: ignore[no-untyped-def]
    counts = np.zeros(candidates.size, np.int64)
    for position in prange(candidates.size):
        candidate, count = candidates[position], 0
        for block in range(cuts.shape[1] - 1):
            for place in range(cuts[candidate, block], cuts[candidate, block + 1]):
                count += codes[place] > lift[block * BLOCK + rows[place]]
        counts[position] = count
    return counts


@njit(cache=True)
def _compact(rows, codes, cuts, lift):  # type: ignore[no-untyped-def]
    order, at = np.argsort(cuts[:, 0], kind="mergesort"), 0
    for candidate in order:
        begin = cuts[candidate, 0]
        cuts[candidate, 0] = at
        for block in range(cuts.shape[1] - 1):
            end = cuts[candidate, block + 1]
            for place in range(begin, end):
                rows[at], codes[at] = rows[place], codes[place]
                at += codes[at] > lift[block * BLOCK + rows[at]]
            begin, cuts[candidate, block + 1] = end, at
    return at


@njit(cache=True, parallel=True)
def _exact(rows, codes, cuts, lift, steps, square, cover, ends, out_rows, out):  # type: ignore[no-untyped-def]
    for candidate in prange(ends.size):
        at = ends[candidate]
        for block in range(cuts.shape[1] - 1):
            for place in range(cuts[candidate, block], cuts[candidate, block + 1]):
                row = block * BLOCK + rows[place]
                if codes[place] > lift[row]:
                    similarity = np.float32(_dot(steps[candidate], steps[row])) * square
                    if similarity > cover[row]:
                        out_rows[at], out[at] = row, similarity
                        at += 1
        ends[candidate] = at


@njit(cache=True)
def _append(starts, rows, similarities, cover, ends, out_rows, out):  # type: ignore[no-untyped-def]
    for candidate in range(ends.size):
        at = ends[candidate]
        for place in range(starts[candidate], starts[candidate + 1]):
            if similarities[place] > cover[rows[place]]:
                out_rows[at], out[at] = rows[place], similarities[place]
                at += 1
        ends[candidate] = at


@njit(cache=True)
def _close_up(starts, ends, rows, similarities):  # type: ignore[no-untyped-def]
    """Candidates' parts, from `starts` to `ends`, moved together in place; `starts` becomes theirs."""
    at = 0
    for candidate in range(ends.size):
        begin, starts[candidate] = starts[candidate], at
        for place in range(begin, ends[candidate]):
            rows[at], similarities[at] = rows[place], similarities[place]
            at += 1
    starts[ends.size] = at
    return at

"""Similarities above a coverage, roughly: two bytes for how far each raises its row at most, two for the row.

Many more of them fit the memory than exact ones do, so they are kept many picks earlier. A walk over a candidate's entries bounds its
gain at any later coverage; where that leaves it in the race, the entries that still count are multiplied out and made exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from selector.core import Gains, Rows
from selector.kernels.rise import kept_rises, raise_kept
from selector.kernels.sweep import Kept, dot

BLOCK = 1 << 16  # rows that two bytes can tell apart
ENTRY = 4  # bytes
TOP = 65_534  # the largest code: no similarity is above it
PART, NEAR = 4096, 1024  # candidates that one thread makes exact at a time, and rows that it looks at for all of them
UP = 1 + 1e-6  # for sums in floating point


@dataclass(frozen=True)
class Piece:
    """Entries (e, 2) of some candidates with rows of one block, in the order of rows, and which candidate each is of (e,)."""

    block: int
    entries: NDArray[np.uint16]
    columns: NDArray[np.uint16]


class Rough:
    """For each of n candidates the rows that it would raise above `base`, in blocks of 65,536 rows, and codes of how far at most.

    An entry is a row within its block, and a code q that says: at most base + q unit. `base` (n,) float32 is a coverage that the present
    one has reached, but for the rows given to `settle`. `steps` (n, d) int16 are the vectors in units of the grid `step`.
    """

    def __init__(self, steps: NDArray[np.int16], step: float, base: NDArray[np.float32], entries: int) -> None:
        self.steps, self.square, self.base = steps, np.float32(step**2), base
        longest = float(np.einsum("nd,nd->n", steps, steps, dtype=np.int64).max(initial=0)) * step**2
        self.unit = max(longest - float(base.min(initial=0.0)), step**2) * UP / TOP
        self.entries, self.used = np.empty((entries, 2), np.uint16), 0
        self.cuts = np.zeros((len(base), -(-len(base) // BLOCK) + 1), np.int64)
        self.lift = np.zeros(len(base), np.float32)  # (n,) coverage above base, in units, a little too low
        self.low = np.empty(0, np.int64)  # rows whose coverage has not reached base
        self.lines: Kept | None = None  # their similarities, exact

    def put(self, candidates: Rows, pieces: list[Piece]) -> None:
        """What these candidates, in a row, raise: all their entries, in the order of rows."""
        counts = np.zeros((len(candidates), self.cuts.shape[1] - 1), np.int64)
        for piece in pieces:
            counts[:, piece.block] += np.bincount(piece.columns, minlength=len(candidates))
        last = self.used + int(counts.sum())
        if last > len(self.entries):
            more = np.empty((last + len(self.entries) // 4 - self.used, 2), np.uint16)
            self.entries = np.concatenate([self.entries[: self.used], more])
        self.cuts[candidates, 0] = self.used + np.concatenate([[0], np.cumsum(counts.sum(axis=1))[:-1]])
        self.cuts[candidates, 1:] = self.cuts[candidates, :1] + np.cumsum(counts, axis=1)
        places = self.cuts[candidates, 0]
        for piece in pieces:
            _put(piece.entries.view(np.uint32), piece.columns, places, self.entries.view(np.uint32))
        self.used = last

    def settle(self, cover: NDArray[np.float32], low: Rows, lines: Kept | None) -> None:
        """From now on for coverage at or above `cover`, which is below base in the rows `low`: `lines` holds those of all candidates."""
        self.low, self.lines = low, lines
        self.reach(cover)

    def reach(self, cover: NDArray[np.float32]) -> None:
        """The coverage has risen to this."""
        lift = (cover.astype(np.float64) - self.base) / self.unit
        self.lift = np.maximum(np.nextafter(lift.astype(np.float32), np.float32(-np.inf)), 0)
        self.lift[self.low] = np.inf

    def add(self, row: int, cover: NDArray[np.float32], weights: Gains) -> float:
        """Raises `cover` by the candidate's similarities; returns the weighted rise."""
        kept = self._exact(np.array([row]), cover)
        total = float(raise_kept(0, kept, cover, weights))
        if self.lines is not None:
            total += float(raise_kept(row, self.lines, cover, weights))
        self.reach(cover)
        return total

    def ceilings(self, candidates: Rows, cover: NDArray[np.float32], weights: Gains) -> Gains:
        """(m,) at least the gains. One step for each entry."""
        bounds = np.empty(len(candidates))
        _ceilings(candidates, self.entries, self.cuts, self.lift, weights, bounds)
        bounds *= self.unit * UP
        return bounds if self.lines is None else bounds + kept_rises(candidates, self.lines, cover, weights)

    def gains(self, candidates: Rows, cover: NDArray[np.float32], weights: Gains) -> Gains:
        """(m,) gains; entries that still count become exact. O(d) for each of these."""
        gains = np.empty(len(candidates))
        given = self.entries, self.cuts, self.lift, self.base, self.unit, self.steps, self.square
        _gains(candidates, *given, cover, weights, gains)
        return gains if self.lines is None else gains + kept_rises(candidates, self.lines, cover, weights)

    def left(self, candidates: Rows) -> float:
        """How many rows a candidate may raise, at most, on average over these."""
        return float(_left(candidates, self.entries, self.cuts, self.lift).mean())

    def exact(self, cover: NDArray[np.float32]) -> Kept:
        """The rows that each candidate would raise, and their similarities; those of the rows `low` come after the others."""
        kept = self._exact(np.arange(len(cover)), cover)
        return kept if self.lines is None else _side_by_side(kept, self.lines, cover)

    def _exact(self, candidates: Rows, cover: NDArray[np.float32]) -> Kept:
        starts = np.concatenate([[0], np.cumsum(_left(candidates, self.entries, self.cuts, self.lift))])
        rows, similarities, ends = np.empty(int(starts[-1]), np.int32), np.empty(int(starts[-1]), np.float32), starts[:-1].copy()
        given = self.entries, self.cuts, self.lift, self.steps, self.square
        _exact(candidates, *given, cover, ends, rows, similarities)
        used = _close_up(starts, ends, rows, similarities)
        return starts, rows[:used], similarities[:used]


class Entries:
    """Entries as one thread finds them, in room that is used again and again."""

    def __init__(self) -> None:
        self.used, self._entries, self._columns = 0, np.empty((0, 2), np.uint16), np.empty(0, np.uint16)

    def room(self, most: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Entries and columns after those that are used, for up to `most` more."""
        if (size := self.used + most + 8) > len(self._columns):
            size += len(self._columns) // 2
            self._entries, self._columns = np.resize(self._entries, (size, 2)), np.resize(self._columns, size)
        return self._entries[self.used :], self._columns[self.used :]

    def taken(self, block: int) -> Piece:
        """What was found; from now on nothing is."""
        used, self.used = self.used, 0
        return Piece(block, self._entries[:used].copy(), self._columns[:used].copy())


@njit(nogil=True, cache=True)
def _put(entries, columns, places, out):  # type: ignore[no-untyped-def]
    """Each entry, as one number, where its candidate's next one goes."""
    for entry in range(columns.size):
        out[places[columns[entry]], 0] = entries[entry, 0]
        places[columns[entry]] += 1


@njit(cache=True, parallel=True)
def _ceilings(candidates, entries, cuts, lift, weights, bounds):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        candidate, total = candidates[position], 0.0
        for block in range(cuts.shape[1] - 1):
            for place in range(cuts[candidate, block], cuts[candidate, block + 1]):
                row = block * BLOCK + entries[place, 0]
                rise = np.float32(entries[place, 1]) - lift[row]
                if rise > 0:
                    total += weights[row] * rise
        bounds[position] = total


@njit(cache=True, parallel=True)
def _gains(candidates, entries, cuts, lift, base, unit, steps, square, cover, weights, gains):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        candidate, total = candidates[position], 0.0
        for block in range(cuts.shape[1] - 1):
            for place in range(cuts[candidate, block], cuts[candidate, block + 1]):
                row = block * BLOCK + entries[place, 0]
                if entries[place, 1] > lift[row]:
                    similarity = np.float32(dot(steps[candidate], steps[row])) * square
                    entries[place, 1] = max(0, int(np.ceil((np.float64(similarity) - base[row]) / unit)))
                    if similarity > cover[row]:
                        total += weights[row] * (np.float64(similarity) - np.float64(cover[row]))
        gains[position] = total


@njit(cache=True, parallel=True)
def _left(candidates, entries, cuts, lift):  # type: ignore[no-untyped-def]
    counts = np.zeros(candidates.size, np.int64)
    for position in prange(candidates.size):
        candidate, count = candidates[position], 0
        for block in range(cuts.shape[1] - 1):
            for place in range(cuts[candidate, block], cuts[candidate, block + 1]):
                count += entries[place, 1] > lift[block * BLOCK + entries[place, 0]]
        counts[position] = count
    return counts


@njit(cache=True, parallel=True)
def _exact(candidates, entries, cuts, lift, steps, square, cover, ends, out_rows, out):  # type: ignore[no-untyped-def]
    for part in prange((candidates.size + PART - 1) // PART):
        first, last = part * PART, min(candidates.size, (part + 1) * PART)
        for block in range(cuts.shape[1] - 1):
            places = np.empty(last - first, np.int64)
            for position in range(first, last):
                places[position - first] = cuts[candidates[position], block]
            for near in range(0, BLOCK, NEAR):  # so many rows at a time stay in the cache for all candidates of the part
                for position in range(first, last):
                    candidate, at = candidates[position], ends[position]
                    place, end = places[position - first], cuts[candidate, block + 1]
                    while place < end and entries[place, 0] < near + NEAR:
                        row = block * BLOCK + entries[place, 0]
                        if entries[place, 1] > lift[row]:
                            similarity = np.float32(dot(steps[candidate], steps[row])) * square
                            if similarity > cover[row]:
                                out_rows[at], out[at] = row, similarity
                                at += 1
                        place += 1
                    places[position - first], ends[position] = place, at


@njit(cache=True)
def _side_by_side(one, other, cover):  # type: ignore[no-untyped-def]
    """Both columns of each candidate, one after the other; of the second what still counts."""
    starts = np.zeros(one[0].size, np.int64)
    size = one[1].size + other[1].size
    rows, similarities, at = np.empty(size, np.int32), np.empty(size, np.float32), 0
    for candidate in range(starts.size - 1):
        for place in range(one[0][candidate], one[0][candidate + 1]):
            rows[at], similarities[at] = one[1][place], one[2][place]
            at += 1
        for place in range(other[0][candidate], other[0][candidate + 1]):
            rows[at], similarities[at] = other[1][place], other[2][place]
            at += similarities[at] > cover[rows[at]]
        starts[candidate + 1] = at
    return starts, rows[:at], similarities[:at]


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

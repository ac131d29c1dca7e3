"""One pass over all pairs of dense rows that keeps the similarities which can still matter: those above coverage.

s_ij = s_ji, so each pair is multiplied once: the half above the diagonal, with rows sorted by coverage. Then the row with the lower
coverage comes first, a pair at or below its coverage matters to neither, and one threshold serves a whole line of a tile. Products of
codes (kernels.codes) rule out nearly all pairs; the rest are multiplied exactly, in integers, on the grid of features.dense.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from threading import local

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows
from selector.kernels.codes import Codes, Products, torch_left_alone

# Rows of a strip, and of a tile across it, by kind of code.
TILE = {np.int8: (512, 1024), np.uint8: (512, 1024), np.int16: (256, 512), np.float32: (256, 512)}
SPAN = 8  # strips that one thread takes at a time where gains are summed

Kept = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]  # starts (n + 1,), then rows and similarities
_Pairs = tuple[int, NDArray[np.uint16], NDArray[np.int32], NDArray[np.int32]]  # strip, its lines, positions, products


def half_sweep(steps: NDArray[np.int16], step: float, codes: Codes, cover: NDArray[np.float32], threads: int, progress: Progress) -> Kept:
    """For each candidate the rows that it would raise, and their similarities.

    `steps` (n, d) are the rows in units of the grid `step`; `cover` (n,) the coverage. The result does not depend on `threads`.
    O(n^2 d / 2) products of codes; memory: 10 bytes a pair while it runs, then 8 bytes a kept similarity.
    """
    (tall, wide), order = tile_of(codes), np.argsort(cover, kind="stable")
    least = np.floor(cover[order].astype(np.float64) / step**2).astype(np.int32)  # a similarity in units above this rises
    rows, coded, level = steps[order], codes.take(order), cover[order]
    size, mine, tallies = len(order), local(), list[NDArray[np.int64]]()

    def begin() -> None:
        mine.tile, mine.exact, mine.counts = Tile(coded), _exact_buffer(coded), np.zeros(size, np.int64)
        tallies.append(mine.counts)

    def strip(first: int) -> _Pairs:
        block = slice(first, min(size, first + tall))
        parts = []
        for start in range(first, size, wide):
            across = slice(start, min(size, start + wide))
            mine.tile.multiply(coded.take(block), coded.take(across))
            found = *mine.tile.above(level[block], diagonal=start == first), mine.exact
            few = _confirm(rows[block], rows[across], least[block], *found)
            lines, columns, exact = (one[:few].copy() for one in found)
            parts.append((lines, columns + np.int32(start), exact))
        lines, columns, exact = (np.concatenate(one) for one in zip(*parts, strict=True))
        _count(first, lines, columns, exact, least, mine.counts)
        return first, lines, columns, exact

    found: list[_Pairs] = []
    with torch_left_alone(coded), ThreadPoolExecutor(threads, initializer=begin) as pool:
        for pairs in pool.map(strip, range(0, size, tall)):
            found.append(pairs)
            left = max(0, size - pairs[0] - tall)
            progress("sweep", size - left**2 // size, size)  # of the triangle: the first strips are the longest
    return _columns(found, np.sum(tallies, axis=0), rows, order.astype(np.int32), least, step)


def sweep_rows(steps: NDArray[np.int16], step: float, codes: Codes, rows: Rows, cover: NDArray[np.float32], threads: int) -> Kept:
    """For each candidate those of a few `rows` that it would raise, and their similarities. O(r n d) products of codes."""
    least = np.floor(cover[rows].astype(np.float64) / step**2).astype(np.int32)
    (tall, wide), mine, theirs, level = tile_of(codes), local(), codes.take(rows), cover[rows]

    def begin() -> None:
        mine.tile, mine.exact = Tile(codes), _exact_buffer(codes)

    def block(first: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        across, parts = slice(first, min(len(steps), first + wide)), []
        for start in range(0, len(rows), tall):
            part = slice(start, min(len(rows), start + tall))
            mine.tile.multiply(theirs.take(part), codes.take(across))
            found = *mine.tile.above(level[part]), mine.exact
            few = _confirm(steps[rows[part]], steps[across], least[part], *found)
            parts.append((rows[part][found[0][:few]].astype(np.int32), *(one[:few].copy() for one in found[1:])))
        lines, columns, exact = (np.concatenate(one) for one in zip(*parts, strict=True))
        order = np.argsort(columns, kind="stable")
        return np.bincount(columns, minlength=across.stop - first), lines[order], exact[order]

    with torch_left_alone(codes), ThreadPoolExecutor(threads, initializer=begin) as pool:
        counts, lines, exact = (np.concatenate(one) for one in zip(*pool.map(block, range(0, len(steps), wide)), strict=True))
    return np.concatenate([[0], np.cumsum(counts)]), lines, exact.astype(np.float32) * np.float32(step**2)


def rises_above(
    steps: NDArray[np.int16], step: float, codes: Codes, candidates: Rows, cover: NDArray[np.float32], weights: Gains, threads: int
) -> Gains:
    """(m,) weighted sums of the rises of all rows above `cover` (n,). O(n m d) products of codes, and d for each pair that these leave."""
    some, theirs, mine = codes.take(candidates), steps[candidates], local()
    strip, wide = tile_of(codes)
    tall = strip * max(1, min(SPAN, wide // max(1, len(candidates))))  # the fewer the candidates, the taller a tile of the same size

    def begin() -> None:
        mine.tile = Tile(codes)

    def span(first: int) -> Gains:
        gains, last = np.zeros(len(candidates)), min(len(steps), first + SPAN * strip)
        for start in range(0, len(candidates), wide):
            across = slice(start, min(len(candidates), start + wide))
            for place in range(first, last, tall):
                block = slice(place, min(last, place + tall))
                mine.tile.multiply(codes.take(block), some.take(across))
                found = mine.tile.above(cover[block])
                _add_rises(steps[block], theirs[across], np.float32(step**2), cover[block], weights[block], *found, gains[across])
        return gains

    with torch_left_alone(codes), ThreadPoolExecutor(threads, initializer=begin) as pool:
        return np.sum(list(pool.map(span, range(0, len(steps), SPAN * strip))), axis=0)


def tile_of(codes: Codes) -> tuple[int, int]:
    """Rows of a strip and of a tile across it: as many products as a thread's own cache holds, and enough to be worth a call."""
    return TILE[codes.codes.dtype.type]


def _exact_buffer(codes: Codes) -> NDArray[np.int32]:
    return np.empty(math.prod(tile_of(codes)) + 16, np.int32)


class Tile:
    """One thread's tile of products of codes, and its places whose similarity may be above a level."""

    def __init__(self, codes: Codes) -> None:
        tall, wide = tile_of(codes)
        self._multiplier, self._flags = Products(codes, tall, wide), np.empty(wide, np.uint8)
        self._lines, self._columns = np.empty(tall * wide + 16, np.uint16), np.empty(tall * wide + 16, np.int32)

    def multiply(self, left: Codes, right: Codes) -> None:
        """Up to as many rows with as many as `tile_of` says, or more rows with as many fewer."""
        self.left, self.right, self.products = left, right, self._multiplier.of(left.codes, right.codes)

    def above(self, level: NDArray[np.float32], diagonal: bool = False) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
        """Lines and columns of these places, until the next call; `level` is that of each line. `diagonal`: only right of it."""
        left, right = self.left, self.right
        limits = (level - left.errors * right.lengths.max()) / left.steps
        few = _places_above(self.products, limits, left.norms, right.steps, right.errors, diagonal, self._flags, self._lines, self._columns)
        return self._lines[:few], self._columns[:few]


@njit(nogil=True, cache=True, inline="always")
def dot(x, y):  # type: ignore[no-untyped-def]
    """The product of two rows in units of the grid, exact; it fits 32 bits, so that no wider numbers need be multiplied."""
    total = np.int32(0)
    for at in range(x.size):
        total = np.int32(total + np.int32(np.int32(x[at]) * np.int32(y[at])))
    return total


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _places_above(products, limits, norms, steps, errors, diagonal, flags, lines, columns):  # type: ignore[no-untyped-def]
    """Places of the tile whose bound is above the limit of their line, into `lines` and `columns`; returns how many."""
    count, width = 0, products.shape[1]
    flags[width:] = 0
    eights = flags.view(np.uint64)
    for line in range(products.shape[0]):
        limit, norm, own = limits[line], norms[line], products[line]
        for at in range(width):
            flags[at] = np.float32(own[at]) * steps[at] + norm * errors[at] > limit
        if diagonal:
            flags[: line + 1] = 0
        for eight in range((width + 7) // 8):
            if eights[eight]:
                for at in range(8 * eight, 8 * eight + 8):  # written always, counted where it holds: no branch to guess wrong
                    lines[count], columns[count] = line, at
                    count += flags[at]
    return count


@njit(nogil=True, cache=True)
def _confirm(block, tile, least, lines, columns, exact):  # type: ignore[no-untyped-def]
    """The exact products of these places, in place; those not above `least` of their line are dropped; returns how many are left."""
    kept = 0
    for place in range(lines.size):
        line, column = lines[place], columns[place]
        total = dot(block[line], tile[column])
        lines[kept], columns[kept], exact[kept] = line, column, total
        kept += total > least[line]
    return kept


@njit(nogil=True, cache=True)
def _add_rises(block, tile, unit, cover, weights, lines, columns, gains):  # type: ignore[no-untyped-def]
    for place in range(lines.size):
        line, column = lines[place], columns[place]
        rise = np.float32(dot(block[line], tile[column])) * unit - cover[line]
        if rise > 0:
            gains[column] += weights[line] * rise


def _columns(
    found: list[_Pairs], tally: NDArray[np.int64], rows: NDArray[np.int16], order: NDArray[np.int32], least: NDArray[np.int32], step: float
) -> Kept:
    """From pairs to one column for each candidate; pairs are freed as they are copied."""
    own = _own(rows)
    counts = np.empty(len(order), np.int64)
    counts[order] = tally + (own > least)
    starts = np.concatenate([[0], np.cumsum(counts)])
    kept_rows, similarities = np.empty(int(starts[-1]), np.int32), np.empty(int(starts[-1]), np.float32)
    filled = starts[:-1].copy()
    unit = np.float32(step**2)
    _put_own(own, order, least, unit, filled, kept_rows, similarities)
    while found:
        _fill(*found.pop(0), order, least, unit, filled, kept_rows, similarities)
    return starts, kept_rows, similarities


@njit(cache=True, parallel=True)
def _own(rows):  # type: ignore[no-untyped-def]
    """(n,) product of each row with itself."""
    products = np.empty(len(rows), np.int64)
    for row in prange(len(rows)):
        products[row] = dot(rows[row], rows[row])
    return products


@njit(cache=True, parallel=True)
def _put_own(own, order, least, unit, filled, rows, similarities):  # type: ignore[no-untyped-def]
    for position in prange(own.size):  # in memory that nobody has written to yet, which takes longer than the writing
        if own[position] > least[position]:
            one = order[position]
            rows[filled[one]], similarities[filled[one]] = one, np.float32(own[position]) * unit
            filled[one] += 1


@njit(nogil=True, cache=True)
def _count(first, lines, columns, exact, least, counts):  # type: ignore[no-untyped-def]
    """Adds to `counts` (n,), by position, how many rows each candidate would raise."""
    for place in range(lines.size):
        counts[columns[place]] += 1
        counts[first + lines[place]] += exact[place] > least[columns[place]]


@njit(cache=True, parallel=True)
def _fill(first, lines, columns, exact, order, least, unit, filled, rows, similarities):  # type: ignore[no-untyped-def]
    for half in prange(2):  # each half fills its own columns, in the order of the pairs: no thread decides a place
        for place in range(lines.size):
            one, other = order[first + lines[place]], order[columns[place]]
            similarity = np.float32(exact[place]) * unit
            if other & 1 == half:
                rows[filled[other]], similarities[filled[other]] = one, similarity
                filled[other] += 1
            if one & 1 == half and exact[place] > least[columns[place]]:
                rows[filled[one]], similarities[filled[one]] = other, similarity
                filled[one] += 1

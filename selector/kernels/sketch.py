"""Estimated gains from products of codes: of all candidates on a sample of the rows, or of a few candidates on all rows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from selector.core import Gains, Rows
from selector.kernels.codes import Codes, Products, torch_left_alone

UNITS = 127  # of the largest similarity
TALL, WIDE = 512, 256  # rows of a tile each way


class Sketch:
    """Similarities of n candidates to m sampled rows, a byte each."""

    def __init__(self, codes: Codes, rows: Rows, cover: NDArray[np.float32], threads: int) -> None:
        some, unit = codes.take(rows), UNITS / max(float(codes.lengths.max(initial=0.0)) ** 2, 1e-30)
        self.lines = np.empty((len(codes.steps), len(rows)), np.int8)

        def fill(products: NDArray[Any], part: slice, sampled: slice) -> None:
            _fill(products, codes.steps[part], some.steps[sampled] * np.float32(unit), self.lines[part, sampled])

        _for_tiles(codes, some, threads, fill)
        self.cover = np.minimum(np.rint(cover[rows] * unit), UNITS).astype(np.int8)

    def gains(self) -> NDArray[np.int64]:
        """(n,) in units."""
        gains = np.empty(len(self.lines), np.int64)
        _gains(self.lines, self.cover, gains)
        return gains

    def add(self, row: int) -> None:
        np.maximum(self.cover, self.lines[row], out=self.cover)

    def left(self, candidates: Rows) -> float:
        """The share of these candidates' similarities that are above coverage."""
        return float((self.lines[candidates] > self.cover).mean())


def estimated_gains(rows: Codes, candidates: Codes, cover: NDArray[np.float32], weights: Gains, threads: int) -> Gains:
    """(m,) gains of candidates from these rows over their `cover` (r,) by products of codes, neither bounds nor exact. O(r m d)."""
    gains = np.zeros((-(-len(cover) // TALL), len(candidates.steps)))

    def add(products: NDArray[Any], part: slice, asked: slice) -> None:
        _rises(products, rows.steps[part], candidates.steps[asked], cover[part], weights[part], gains[part.start // TALL, asked])

    _for_tiles(rows, candidates, threads, add)
    return gains.sum(axis=0)


def _for_tiles(left: Codes, right: Codes, threads: int, work: Callable[[NDArray[Any], slice, slice], None]) -> None:
    """`work` on the products of each tile and what it is of either side, in any order."""
    mine = local()

    def begin() -> None:
        mine.products = Products(left, TALL, WIDE)

    def strip(first: int) -> None:
        part = slice(first, min(len(left.steps), first + TALL))
        for place in range(0, len(right.steps), WIDE):
            other = slice(place, min(len(right.steps), place + WIDE))
            work(mine.products.of(left.codes[part], right.codes[other]), part, other)

    with torch_left_alone(left), ThreadPoolExecutor(threads, initializer=begin) as pool:
        for _ in pool.map(strip, range(0, len(left.steps), TALL)):
            pass


@njit(nogil=True, cache=True)
def _fill(products, steps, their_units, out):  # type: ignore[no-untyped-def]
    for row in range(products.shape[0]):
        for at in range(products.shape[1]):
            value = np.float32(products[row, at]) * (steps[row] * their_units[at])
            out[row, at] = np.int8(np.float32(0.5) + min(np.float32(UNITS), max(np.float32(0), value)))


@njit(nogil=True, cache=True, fastmath={"contract", "nsz", "reassoc"})
def _rises(products, steps, their_steps, cover, weights, gains):  # type: ignore[no-untyped-def]
    total = np.zeros(gains.size, np.float32)
    for row in range(products.shape[0]):
        level, step, weight = cover[row], steps[row], np.float32(weights[row])
        for at in range(gains.size):
            rise = np.float32(products[row, at]) * (step * their_steps[at]) - level
            total[at] += weight * (rise if rise > 0 else np.float32(0))
    for at in range(gains.size):
        gains[at] += total[at]


@njit(cache=True, parallel=True)
def _gains(lines, cover, gains):  # type: ignore[no-untyped-def]
    for candidate in prange(lines.shape[0]):
        line, total = lines[candidate], np.int32(0)
        for row in range(line.size):
            total += max(np.int8(0), np.int8(line[row] - cover[row]))
        gains[candidate] = total

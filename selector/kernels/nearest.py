"""The similarity of each dense row to its nearest chosen row: products of codes rule out nearly all pairs, the rest are exact."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import local

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Rows
from selector.kernels.codes import Codes, torch_left_alone
from selector.kernels.sweep import Tile, dot, tile_of


def nearest(steps: NDArray[np.int16], step: float, codes: Codes, chosen: Rows, threads: int) -> NDArray[np.float32]:
    """(n,) max(0, largest similarity to a row of `chosen`), exact. `steps` (n, d) are the rows in units of the grid `step`.

    O(n m d) products of codes, and d for each pair that these leave open.
    """
    some, theirs, mine, (tall, wide) = codes.take(chosen), steps[chosen], local(), tile_of(codes)

    def begin() -> None:
        mine.tile = Tile(codes)

    def strip(first: int) -> NDArray[np.int64]:
        block = slice(first, min(len(steps), first + tall))
        best = np.zeros(block.stop - first, np.int64)
        for start in range(0, len(chosen), wide):
            across = slice(start, min(len(chosen), start + wide))
            mine.tile.multiply(codes.take(block), some.take(across))
            if start == 0:
                _begin(mine.tile.products, steps[block], theirs[across], some.steps[across], best)
            _raise(steps[block], theirs[across], *mine.tile.above((best * step**2).astype(np.float32)), best)
        return best

    if not len(chosen):
        return np.zeros(len(steps), np.float32)
    with torch_left_alone(codes), ThreadPoolExecutor(threads, initializer=begin) as pool:
        best = np.concatenate(list(pool.map(strip, range(0, len(steps), tall))))
    return best.astype(np.float32) * np.float32(step**2)


@njit(nogil=True, cache=True)
def _begin(products, rows, theirs, their_steps, best):  # type: ignore[no-untyped-def]
    """The exact product with the row whose coded one is largest: nearly the best, so that few others are left open."""
    for line in range(products.shape[0]):
        top, own = 0, products[line]
        for at in range(own.size):
            if np.float32(own[at]) * their_steps[at] > np.float32(own[top]) * their_steps[top]:
                top = at
        best[line] = max(0, dot(rows[line], theirs[top]))


@njit(nogil=True, cache=True)
def _raise(rows, theirs, lines, columns, best):  # type: ignore[no-untyped-def]
    for place in range(lines.size):
        line = lines[place]
        best[line] = max(best[line], dot(rows[line], theirs[columns[place]]))

"""The most similar rows of each row, found in nearby cells; never a square matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from selector.layers.grouping.kmeans import kmeans
from selector.layers.grouping.tiles import TILE, each

_EXACT = 8_192  # up to this many rows everything is compared with everything, in tiles
_CELL = 450  # rows of a cell, on average
_PROBES = 12  # cells searched for a row: its own and the nearest others


def neighbours(
    vectors: NDArray[np.float32], count: int, seed: int, *, threads: int = 0, progress: Callable[[int, int], None] | None = None
) -> NDArray[np.int32]:
    """(n, count) the rows most similar to each row, in no order, the row itself among them unless copies fill the list.

    Exact up to 8,192 rows; beyond, a row is compared with the rows of the 12 k-means cells nearest to its own cell (of 450 rows
    on average), as an inverted file does. O(12 * 450 n d) time, O(n count) memory.
    """
    rows = len(vectors)
    count = min(count, rows)
    if rows <= _EXACT:
        cells, order, bounds, near = np.zeros(1, np.int32), np.arange(rows), np.array([0, rows]), np.zeros((1, 1), np.int64)
    else:
        cells, centres = kmeans(vectors, -(-rows // _CELL), seed, threads=threads, rounds=6)
        order = np.argsort(cells, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=len(centres)))])
        near = np.argsort(-(centres @ centres.T), axis=1, kind="stable")
    found = np.empty((rows, count), np.int32)

    def one(cell: int) -> int:
        own = order[bounds[cell] : bounds[cell + 1]]
        sizes = np.diff(bounds)[near[cell]]
        probes = max(_PROBES, int(np.searchsorted(np.cumsum(sizes), count)) + 1)
        candidates = np.sort(np.concatenate([order[bounds[c] : bounds[c + 1]] for c in near[cell, :probes]]))
        right, height = vectors[candidates].T, max(1, TILE // len(candidates))
        for start in range(0, len(own), height):
            chosen = own[start : start + height]
            values = vectors[chosen] @ right  # (tile, candidates)
            best = np.argpartition(-values, count - 1, axis=1)[:, :count] if count < len(candidates) else np.arange(count)
            found[chosen] = candidates[best]
        return len(own)

    done = 0
    for finished in each(one, range(len(bounds) - 1), threads):
        done += finished
        if progress is not None:
            progress(done, rows)
    return found

"""Where facility location's similarities come from: tiles of dense vectors, or the postings of sparse ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from selector.core import Gains, Progress, Rows
from selector.features import SparseVectors, Vectors
from selector.kernels import rise

Unit = TypeVar("Unit")
Result = TypeVar("Result")

Cover = NDArray[np.float32]  # (n,) similarity of each row to its nearest chosen row, at least 0
Kept = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]  # starts (m + 1,), then rows and similarities

MANY = 1024  # candidates; asking more than these is worth showing
TILE = 2 << 20  # bytes of one thread's tile: about what its own cache holds
SPAN = 8  # tiles that one thread takes at a time


class Tiles:
    """Dense vectors: matrix products, a tile at a time, on as many threads as the compiled loops use.

    Each thread multiplies whole tiles alone (one BLAS thread), and sums are added up in the order of the rows: no result depends on the
    number of threads, and two threads do not wait for each other inside a product. The shape of a tile does change the last bits of
    float32 products; the tie rule absorbs that unless a gain is made of many rises that are themselves nearly rounding.
    """

    def __init__(self, vectors: Vectors, memory: int) -> None:
        self.data, self.size, self.scale, self.batch = vectors.data, vectors.size, vectors.scale, 128
        self.threads = rise.threads()
        # Shapes come from the memory alone: with another shape the last bits of a product differ, and threads must not decide that.
        tile = max(1, min(TILE, memory // 2))  # bytes
        self.tall = max(1, min(2048, tile // 1024))  # rows of a tile
        self.wide = max(1, min(256, tile // (4 * self.tall)))  # candidates of a tile
        self.strip = max(1, min(128, memory // 2 // (4 * self.size)))  # candidates whose similarities to all rows are held
        self.strips = max(1, min(self.threads, memory // (4 * self.size * self.strip)))  # how many of these at once

    def cover(self, chosen: Rows) -> Cover:
        def cover_rows(first: int) -> Cover:
            rows = self.data[first : first + self.tall]
            cover = np.zeros(len(rows), np.float32)
            for place in range(0, len(chosen), self.wide):
                np.maximum(cover, (self.data[chosen[place : place + self.wide]] @ rows.T).max(axis=0), out=cover)
            return cover

        return np.concatenate(list(self._together(cover_rows, range(0, self.size, self.tall))))

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, least: float, progress: Progress) -> Gains:
        spans = range(0, self.size, SPAN * self.tall)

        def span_rises(unit: tuple[int, int]) -> Gains:
            place, span = unit
            left = self.data[candidates[place : place + self.wide]]
            gains = np.zeros(len(left))
            for first in range(span, min(self.size, span + SPAN * self.tall), self.tall):
                part = slice(first, min(self.size, first + self.tall))
                rise.tile_rises(left @ self.data[part].T, cover[part], weights[part], least, gains)
            return gains

        gains = np.zeros(len(candidates))
        units = [(place, span) for place in range(0, len(candidates), self.wide) for span in spans]
        for (place, _), some in zip(units, self._together(span_rises, units), strict=True):
            gains[place : place + self.wide] += some
            if len(candidates) > MANY:
                progress("gains", min(len(candidates), place + self.wide), len(candidates))
        return gains

    def line(self, row: int) -> Cover:
        return self.data @ self.data[row]

    def count(self, candidates: Rows, cover: Cover, least: float) -> NDArray[np.int64]:
        return np.diff(self.collect(candidates, cover, least)[0])

    def collect(self, candidates: Rows, cover: Cover, least: float) -> Kept:
        def risen(place: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
            left = self.data[candidates[place : place + self.strip]]
            lines = np.empty((len(left), self.size), np.float32)
            for first in range(0, self.size, self.tall):
                np.matmul(left, self.data[first : first + self.tall].T, out=lines[:, first : first + self.tall])
            counts = np.zeros(len(left), np.int64)
            rise.tile_count(lines, cover, least, counts)
            rows, similarities = np.empty(int(counts.sum()), np.int32), np.empty(int(counts.sum()), np.float32)
            rise.tile_collect(lines, cover, least, np.cumsum(counts) - counts, rows, similarities)
            return counts, rows, similarities

        parts = list(self._together(risen, range(0, len(candidates), self.strip), self.strips))
        starts = np.concatenate([[0], np.cumsum(np.concatenate([part[0] for part in parts]))])
        return starts, np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])

    def _together(self, work: Callable[[Unit], Result], units: Sequence[Unit], most: int | None = None) -> Iterator[Result]:
        """`work` on each unit, on all threads or on `most`; results in the order of the units."""
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(most or self.threads) as pool:
            yield from pool.map(work, units)


class Postings:
    """Sparse vectors: a walk over the inverted index for each candidate."""

    def __init__(self, vectors: SparseVectors) -> None:
        rows, postings = vectors.data, vectors.postings
        self.index = (rows.indptr, rows.indices, rows.data, postings.indptr, postings.indices, postings.data)
        self.size, self.scale, self.batch = vectors.size, vectors.scale, 4
        self.scratch = np.zeros((rise.threads(), self.size)), np.zeros((rise.threads(), self.size), np.int32)

    def cover(self, chosen: Rows) -> Cover:
        cover = np.zeros(self.size, np.float32)
        for row in chosen:
            np.maximum(cover, self.line(int(row)), out=cover)
        return cover

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, least: float, progress: Progress) -> Gains:
        gains = np.zeros(len(candidates))
        for first in range(0, len(candidates), 16 * MANY):
            part = slice(first, first + 16 * MANY)
            rise.posting_rises(candidates[part], self.index, cover, weights, least, *self.scratch, gains[part])
            if len(candidates) > MANY:
                progress("gains", min(len(candidates), part.stop), len(candidates))
        return gains

    def line(self, row: int) -> Cover:
        line = np.zeros(self.size, np.float32)
        rise.posting_line(row, self.index, *self.scratch, line)
        return line

    def count(self, candidates: Rows, cover: Cover, least: float) -> NDArray[np.int64]:
        counts = np.zeros(len(candidates), np.int64)
        rise.posting_count(candidates, self.index, cover, least, *self.scratch, counts)
        return counts

    def collect(self, candidates: Rows, cover: Cover, least: float) -> Kept:
        starts = np.concatenate([[0], np.cumsum(self.count(candidates, cover, least))])
        rows, similarities = np.empty(int(starts[-1]), np.int32), np.empty(int(starts[-1]), np.float32)
        rise.posting_collect(candidates, self.index, cover, least, *self.scratch, starts, rows, similarities)
        return starts, rows, similarities

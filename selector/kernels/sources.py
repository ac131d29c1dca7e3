"""Where facility location's similarities come from: tiles of dense vectors, or the postings of sparse ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows, Similarity
from selector.features import SparseVectors
from selector.kernels import rise

Cover = NDArray[np.float32]  # (n,) similarity of each row to its nearest chosen row, at least 0
Kept = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]  # starts (m + 1,), then rows and similarities

MANY = 1024  # candidates; asking more than these is worth showing


class Tiles:
    """Dense vectors: matrix products, a tile at a time within `memory` bytes."""

    def __init__(self, vectors: Similarity, memory: int) -> None:
        self.vectors, self.memory = vectors, memory
        self.scale, self.batch = vectors.scale, 128

    def cover(self, chosen: Rows) -> Cover:
        cover = np.zeros(self.vectors.size, np.float32)
        for block in self.vectors.blocks(chosen, self.memory):
            part = cover[block.first_row : block.first_row + block.values.shape[1]]
            np.maximum(part, block.values.max(axis=0), out=part)
        return cover

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, least: float, progress: Progress) -> Gains:
        gains = np.zeros(len(candidates))
        for block in self.vectors.blocks(candidates, self.memory):
            part = slice(block.first_row, block.first_row + block.values.shape[1])
            rise.tile_rises(block.values, cover[part], weights[part], least, gains[block.candidates])
            if len(candidates) > MANY:
                progress("gains", block.candidates.stop, len(candidates))
        return gains

    def line(self, row: int) -> Cover:
        return self._lines(np.array([row]))[0]

    def count(self, candidates: Rows, cover: Cover, least: float) -> NDArray[np.int64]:
        counts = np.zeros(len(candidates), np.int64)
        rise.tile_count(self._lines(candidates), cover, least, counts)
        return counts

    def collect(self, candidates: Rows, cover: Cover, least: float) -> Kept:
        parts, counts = [], []
        step = max(1, self.memory // (4 * self.vectors.size))  # candidates whose whole lines fit
        for first in range(0, len(candidates), step):
            lines = self._lines(candidates[first : first + step])
            some = np.zeros(len(lines), np.int64)
            rise.tile_count(lines, cover, least, some)
            rows, similarities = np.empty(int(some.sum()), np.int32), np.empty(int(some.sum()), np.float32)
            rise.tile_collect(lines, cover, least, np.cumsum(some) - some, rows, similarities)
            parts.append((rows, similarities))
            counts.append(some)
        starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
        return starts, np.concatenate([rows for rows, _ in parts]), np.concatenate([some for _, some in parts])

    def _lines(self, candidates: Rows) -> NDArray[np.float32]:
        """(m, n) similarities of some candidates to all rows."""
        lines = np.empty((len(candidates), self.vectors.size), np.float32)
        for block in self.vectors.blocks(candidates, self.memory):
            lines[block.candidates, block.first_row : block.first_row + block.values.shape[1]] = block.values
        return lines


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

"""Facility location: every row of the pool should have a chosen row like it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, Similarity, State
from selector.features import SparseVectors
from selector.ties import TOLERANCE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FacilityLocation:
    """Every row of the pool should have a chosen row like it: representative and diverse at once.

    f(S) = sum_i w_i max(0, max_{j in S} s_ij)  (Lindgren et al. 2016, eq. 1, with similarities cut at 0). Monotone submodular.
    A rise of coverage below 1e-6 of the largest self-similarity is float32 rounding and counts as none. Dense vectors: O(n d) for a
    gain until the entries that still count fit the ground's memory, then one step for each such entry of the candidate. Sparse
    vectors: a walk over the postings of the row's columns.
    """

    features: str
    submodular: ClassVar[bool] = True

    @property
    def monotone(self) -> bool:
        return True

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("vectors", self.features),)

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        vectors = ground.vectors[self.features]
        weights = np.ones(ground.size) if ground.weights is None else ground.weights
        if isinstance(vectors, SparseVectors):
            state: State = _Postings(vectors, weights)
            for row in chosen:
                state.add(int(row))
            return state
        cover = _cover(ground, vectors, chosen)
        return _Dense(ground, vectors, weights, cover, float(weights @ cover), picks=len(chosen))

    def value(self, ground: Ground, rows: Rows) -> float:
        vectors = ground.vectors[self.features]
        if isinstance(vectors, SparseVectors):
            return self.start(ground, rows).value
        weights = np.ones(ground.size) if ground.weights is None else ground.weights
        return float(weights @ _cover(ground, vectors, rows))


def _cover(ground: Ground, vectors: Similarity, chosen: Rows) -> NDArray[np.float32]:
    """(n,) similarity of each row to its nearest chosen row, at least 0."""
    cover = np.zeros(ground.size, np.float32)
    for block in vectors.blocks(chosen, ground.memory // 8):
        part = cover[block.first_row : block.first_row + block.values.shape[1]]
        np.maximum(part, block.values.max(axis=0), out=part)
    return cover


@dataclass
class _Dense:
    """Tiles at first; once the entries above coverage fit the memory, one sweep keeps exactly those and everything after reads them.

    Coverage only rises, so an entry at or below it can never matter again: the sweep changes no gain, and the picks stay exact to any k.
    """

    ground: Ground
    vectors: Similarity
    weights: Gains
    cover: NDArray[np.float32]  # (n,)
    value: float
    picks: int
    evaluations: int = 0
    batch: int = 128
    next_look: int = 8  # number of picks at which the entries left are estimated again
    starts: NDArray[np.int64] | None = None  # (n + 1,) where each candidate's kept entries begin
    rows: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    kept: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @property
    def least(self) -> np.float32:
        return np.float32(TOLERANCE * self.vectors.scale)

    def gains(self, candidates: Rows) -> Gains:
        from selector.kernels.rise import column_rises, dense_rises

        if self.starts is None and self.picks >= self.next_look:
            self._sweep_if_it_fits()
        self.evaluations += len(candidates)
        gains = np.zeros(len(candidates))
        if self.starts is not None:
            column_rises(candidates, (self.starts, self.rows, self.kept), self.cover, self.weights, self.least, gains)
            return gains
        for block in self.vectors.blocks(candidates, self.ground.memory // 8):
            part = slice(block.first_row, block.first_row + block.values.shape[1])
            dense_rises(block.values, self.cover[part], self.weights[part], self.least, gains[block.candidates])
            if len(candidates) > 4 * self.batch:
                self.ground.progress("gains", block.candidates.stop, len(candidates))
        return gains

    def add(self, row: int) -> None:
        from selector.kernels.rise import column_raise

        self.picks += 1
        if self.starts is not None:
            self.value += column_raise(row, (self.starts, self.rows, self.kept), self.cover, self.weights)
            return
        for block in self.vectors.blocks(np.array([row]), self.ground.memory):
            part = slice(block.first_row, block.first_row + block.values.shape[1])
            rise = np.maximum(block.values[0] - self.cover[part], 0)
            self.value += float(self.weights[part] @ rise.astype(np.float64))
            self.cover[part] = np.maximum(self.cover[part], block.values[0])

    def _sweep_if_it_fits(self) -> None:
        from selector.kernels.rise import count_risen, keep_risen

        self.next_look = 2 * self.picks
        room = self.ground.memory // 2 // 8  # entries: 4 bytes for the row, 4 for the similarity
        if self._entries_left() * 1.1 > room:
            return
        size = self.ground.size
        starts, lengths = np.zeros(size + 1, np.int64), np.zeros(size, np.int64)
        parts: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
        everything = np.arange(size)
        step = max(1, min(1024, self.ground.memory // 8 // (4 * size)))  # candidates whose full line fits a tile
        for first in range(0, size, step):
            lines = self._lines(everything[first : first + step])
            counts = np.zeros(len(lines), np.int64)
            count_risen(lines, self.cover, self.least, counts)
            ends = np.cumsum(counts)
            rows, kept = np.empty(int(ends[-1]), np.int32), np.empty(int(ends[-1]), np.float32)
            keep_risen(lines, self.cover, self.least, ends - counts, 0, rows, kept)
            lengths[first : first + step] = counts
            parts.append((rows, kept))
            self.ground.progress("sweep", min(size, first + step), size)
        np.cumsum(lengths, out=starts[1:])
        self.rows, self.kept = np.empty(int(starts[-1]), np.int32), np.empty(int(starts[-1]), np.float32)
        place = 0
        while parts:  # freed as they are copied: the entries are never held twice
            rows, kept = parts.pop(0)
            self.rows[place : place + len(rows)], self.kept[place : place + len(rows)] = rows, kept
            place += len(rows)
        self.starts, self.batch = starts, 4
        log.info("sweep after %d picks: %d entries kept, %.2f %% of all pairs", self.picks, place, 100 * place / size**2)

    def _lines(self, candidates: Rows) -> NDArray[np.float32]:
        """(m, n) similarities of some candidates to all rows."""
        lines = np.empty((len(candidates), self.ground.size), np.float32)
        for block in self.vectors.blocks(candidates, lines.nbytes):
            lines[block.candidates, block.first_row : block.first_row + block.values.shape[1]] = block.values
        return lines

    def _entries_left(self) -> float:
        """About how many entries rise above coverage, from 128 evenly spaced candidates."""
        from selector.kernels.rise import count_risen

        sample = np.unique(np.linspace(0, self.ground.size - 1, min(128, self.ground.size)).astype(np.int64))
        counts = np.zeros(len(sample), np.int64)
        count_risen(self._lines(sample), self.cover, self.least, counts)
        return float(counts.mean()) * self.ground.size


class _Postings:
    """Exact gains by walking an inverted index."""

    def __init__(self, vectors: SparseVectors, weights: Gains) -> None:
        from selector.kernels.rise import threads

        rows, postings = vectors.data, vectors.postings
        self.index = (rows.indptr, rows.indices, rows.data, postings.indptr, postings.indices, postings.data)
        self.cover = np.zeros(vectors.size)  # (n,) similarity of each row to its nearest chosen row
        self.weights = weights
        self.least = TOLERANCE * vectors.scale
        self.scratch = (np.zeros((threads(), vectors.size)), np.zeros((threads(), vectors.size), np.int32))
        self.value, self.evaluations, self.batch = 0.0, 0, 4

    def gains(self, candidates: Rows) -> Gains:
        from selector.kernels.rise import posting_rises

        self.evaluations += len(candidates)
        gains = np.zeros(len(candidates))
        posting_rises(candidates, self.index, self.cover, self.weights, self.least, *self.scratch, gains)
        return gains

    def add(self, row: int) -> None:
        from selector.kernels.rise import posting_raise

        self.value += posting_raise(row, self.index, self.cover, self.weights, *self.scratch)

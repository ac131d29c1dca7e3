"""Facility location: every row of the pool should have a chosen row like it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, Ground, Need, Progress, Rows, State
from selector.features import SparseVectors, Vectors
from selector.kernels import rise
from selector.kernels.sources import Cover, Kept, Postings, Tiles
from selector.ties import TOLERANCE

log = logging.getLogger(__name__)

FIRST_LOOK = 8  # picks after which the similarities left are first estimated; then after every doubling
ENTRY = 8  # bytes of a kept similarity: 4 for its row, 4 for itself
SWEPT_AT_ONCE = 1024  # candidates


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
        return _Covering(ground, self._source(ground), chosen)

    def value(self, ground: Ground, rows: Rows) -> float:
        return _Covering(ground, self._source(ground), rows).value

    def _source(self, ground: Ground) -> _Source:
        vectors = ground.vectors[self.features]
        if isinstance(vectors, SparseVectors):
            return Postings(vectors)
        assert isinstance(vectors, Vectors)
        return Tiles(vectors, ground.memory // 8)


class _Source(Protocol):
    """Where similarities come from before they are kept; `cover` (n,) is the similarity of each row to its nearest chosen row."""

    scale: float  # the largest similarity of a row to itself
    batch: int  # how many candidates are worth asking at once, at least

    def cover(self, chosen: Rows) -> Cover: ...

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, least: float, progress: Progress) -> Gains:
        """(m,) weighted sums of the rises above coverage that are larger than `least`."""
        ...

    def line(self, row: int) -> Cover:
        """(n,) similarities of all rows to this one."""
        ...

    def count(self, candidates: Rows, cover: Cover, least: float) -> NDArray[np.int64]:
        """(m,) how many rows each candidate would raise."""
        ...

    def collect(self, candidates: Rows, cover: Cover, least: float) -> Kept:
        """Those rows and their similarities: (starts, rows, similarities), candidate by candidate."""
        ...


class _Covering:
    """Similarities from their source at first; once those above coverage fit the memory, one sweep keeps exactly these.

    Coverage only rises, so a similarity at or below it can never matter again: the sweep changes no gain, and the picks stay exact
    to any k.
    """

    def __init__(self, ground: Ground, source: _Source, chosen: Rows) -> None:
        self.ground, self.source = ground, source
        self.weights = np.ones(ground.size) if ground.weights is None else ground.weights
        self.least = TOLERANCE * source.scale
        self.cover = source.cover(chosen)
        self.value = float(self.weights @ self.cover)
        self.kept: Kept | None = None
        self.picks, self.next_look = len(chosen), FIRST_LOOK
        self.evaluations, self.batch = 0, source.batch

    def gains(self, candidates: Rows) -> Gains:
        if self.kept is None and self.picks >= self.next_look:
            self._sweep_if_it_fits()
        self.evaluations += len(candidates)
        if self.kept is None:
            return self.source.rises(candidates, self.cover, self.weights, self.least, self.ground.progress)
        return rise.kept_rises(candidates, self.kept, self.cover, self.weights, self.least)

    def add(self, row: int) -> None:
        self.picks += 1
        if self.kept is None:
            self.value += float(rise.raise_line(self.source.line(row), self.cover, self.weights))
        else:
            self.value += float(rise.raise_kept(row, self.kept, self.cover, self.weights))

    def _sweep_if_it_fits(self) -> None:
        self.next_look = 2 * self.picks
        size = self.ground.size
        sample = np.unique(np.linspace(0, size - 1, min(256, size)).astype(np.int64))
        expected = float(self.source.count(sample, self.cover, self.least).mean()) * size
        if 1.1 * expected * ENTRY > self.ground.memory / 2:  # the parts and the whole are both held for a moment
            return
        parts: list[Kept] = []
        for first in range(0, size, SWEPT_AT_ONCE):
            parts.append(self.source.collect(np.arange(first, min(size, first + SWEPT_AT_ONCE)), self.cover, self.least))
            self.ground.progress("sweep", min(size, first + SWEPT_AT_ONCE), size)
        starts = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(part[0]) for part in parts]))])
        rows, similarities = np.empty(int(starts[-1]), np.int32), np.empty(int(starts[-1]), np.float32)
        place = 0
        while parts:  # freed as they are copied
            _, some_rows, some = parts.pop(0)
            rows[place : place + len(some)], similarities[place : place + len(some)] = some_rows, some
            place += len(some)
        self.kept, self.batch = (starts, rows, similarities), 4
        log.info("sweep after %d picks: %d similarities kept, %.2f %% of all pairs", self.picks, place, 100 * place / size**2)

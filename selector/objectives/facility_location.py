"""Facility location: every row of the pool should have a chosen row like it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, State
from selector.features import SparseVectors, Vectors
from selector.kernels import rise
from selector.kernels.sources import Postings, Source, Tiles, sampled
from selector.kernels.sweep import Kept

log = logging.getLogger(__name__)

FIRST_LOOK = 8  # picks after which the similarities left are first estimated; then after every doubling


@dataclass(frozen=True)
class FacilityLocation:
    """Every row of the pool should have a chosen row like it: representative and diverse at once.

    f(S) = sum_i w_i max(0, max_{j in S} s_ij)  (Lindgren et al. 2016, eq. 1, with similarities cut at 0). Monotone submodular. Dense
    vectors: O(n d) for a gain until the similarities above coverage fit the ground's memory, then one step for each such similarity of
    the candidate. Sparse vectors: a walk over the postings of the row's columns.
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

    def _source(self, ground: Ground) -> Source:
        vectors = ground.vectors[self.features]
        if isinstance(vectors, SparseVectors):
            return Postings(vectors)
        assert isinstance(vectors, Vectors)
        return Tiles(vectors, ground.memory // 8)


class _Covering:
    """Similarities from their source at first; once those above coverage fit the memory, one sweep keeps exactly these.

    Coverage only rises, so a similarity at or below it can never matter again: the sweep changes no gain, and the picks stay exact
    to any k.
    """

    def __init__(self, ground: Ground, source: Source, chosen: Rows) -> None:
        self.ground, self.source = ground, source
        self.weights = np.ones(ground.size) if ground.weights is None else ground.weights
        self.cover, self.value = np.zeros(ground.size, np.float32), 0.0
        self.kept: Kept | None = None
        self.picks, self.next_look = 0, FIRST_LOOK
        self.evaluations, self.batch = 0, source.batch
        self.add_all(chosen)

    @property
    def thinned(self) -> bool:
        return self.kept is not None or not self.source.dear

    def left(self) -> float:
        if not self.source.dear:
            return 0.0
        if self.kept is None:
            return self.source.left(self.cover)
        return rise.kept_left(self.kept, self.cover, sampled(self.ground.size))

    def gains(self, candidates: Rows) -> Gains:
        if self.kept is None and self.picks >= self.next_look:
            self._sweep_if_it_fits()
        self.evaluations += len(candidates)
        if self.kept is None:
            return self.source.rises(candidates, self.cover, self.weights, self.ground.progress)
        return rise.kept_rises(candidates, self.kept, self.cover, self.weights)

    def add(self, row: int) -> None:
        if self.kept is None:
            self.value += float(rise.raise_line(self.source.line(row), self.cover, self.weights))
        else:
            self.value += float(rise.raise_kept(row, self.kept, self.cover, self.weights))
        self.picks += 1

    def add_all(self, rows: Rows) -> Gains:
        """Before the sweep only."""
        self.cover, gains = self.source.cover(rows, self.cover, self.weights)
        self.picks += len(rows)
        self.value += float(gains.sum())
        return gains

    def _sweep_if_it_fits(self) -> None:
        self.next_look = 2 * self.picks
        size = self.ground.size
        if 1.1 * self.left() * size * self.source.entry > self.ground.memory:
            return
        self.kept, self.batch = self.source.sweep(self.cover, self.ground.progress), 4
        count = len(self.kept[1])
        log.info("sweep after %d picks: %d similarities kept, %.2f %% of all pairs", self.picks, count, 100 * count / size**2)

"""Facility location: every row of the pool should have a chosen row like it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, State
from selector.errors import MemoryForecast, RecipeError
from selector.errors import size as bytes_of
from selector.features import SparseVectors, Vectors
from selector.kernels import kept_race, rise
from selector.kernels.device import OnDevice
from selector.kernels.foresight import Path, Scene, foresee
from selector.kernels.neighbours import neighbour_columns
from selector.kernels.rough import Rough
from selector.kernels.sources import Cover, Postings, Source, Tiles, sampled
from selector.kernels.sweep import Kept

log = logging.getLogger(__name__)

_GRAPHS: WeakKeyDictionary[Vectors, dict[tuple[int, int], Kept]] = WeakKeyDictionary()  # one for a start, a value and a random reference

FORESEEN_BATCH = 64  # where bounds are close few candidates have to be asked, but a pass over all rows costs much of what 64 cost
KEPT_BATCH = 4  # candidates worth asking at once where similarities are kept
CLEAR = 256  # rows that a candidate would raise, on average, when what is kept roughly is made exact
LITTLE = 12_000_000  # similarities, in all, that are made exact sooner: that costs less than asking for them roughly again and again
NEAR_ENTRY = 12  # bytes for a row and a cell that it is compared with
MISSED = 0.25  # of the rows: where so many are less covered than was expected, what was kept for them is of no use
FIRST_LOOK = 8  # picks after which the similarities left are first estimated; then after every doubling


@dataclass(frozen=True)
class FacilityLocation:
    """Every row of the pool should have a chosen row like it: representative and diverse at once.

    f(S) = sum_i w_i max(0, max_{j in S} s_ij)  (Lindgren et al. 2016, eq. 1, with similarities cut at 0). Monotone submodular. Dense
    vectors: O(n d) for a gain until the similarities above coverage fit the ground's memory, then one step for each such similarity of
    the candidate. Sparse vectors: a walk over the postings of the row's columns.

    `neighbours` K, dense vectors only: a similarity counts where one of the two rows is among the K nearest of the other
    (kernels.neighbours, approximate from 8,193 rows on; drawn with `seed`). The value is then a lower bound of f, and all that is proved
    is f(S) <= sum_i w_i |x_i| max_j |x_j|. For pools where a pass over all pairs is too much. Raises RecipeError for sparse vectors.
    """

    features: str
    neighbours: int | None = None
    seed: int = 0
    submodular: ClassVar[bool] = True

    @property
    def monotone(self) -> bool:
        return True

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("vectors", self.features),)

    def __post_init__(self) -> None:
        if self.neighbours is not None and self.neighbours < 1:
            raise RecipeError(f"facility location over a graph of {self.neighbours} neighbours counts nothing; write 1 or more.")

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        return _Covering(ground, self._source(ground), chosen, self._graph(ground))

    def value(self, ground: Ground, rows: Rows) -> float:
        if self.neighbours is not None:
            return self.start(ground, rows).value
        cover = self._source(ground).nearest(rows).astype(np.float64)
        return float(cover.sum() if ground.weights is None else ground.weights @ cover)

    def cap(self, ground: Ground) -> float | None:
        if self.neighbours is None:
            return None
        vectors = ground.vectors[self.features]
        assert isinstance(vectors, Vectors)
        lengths = np.sqrt(np.einsum("nd,nd->n", vectors.data, vectors.data, dtype=np.float64))
        return float(lengths.max(initial=0.0) * (lengths.sum() if ground.weights is None else ground.weights @ lengths))

    def _graph(self, ground: Ground) -> Kept | None:
        if self.neighbours is None:
            return None
        vectors = ground.vectors[self.features]
        if not isinstance(vectors, Vectors):
            raise RecipeError(f"{self.features} has sparse vectors, whose similarities are few as it is; leave neighbours out.")
        graphs = _GRAPHS.setdefault(vectors, {})
        if (self.neighbours, self.seed) not in graphs:
            graphs[self.neighbours, self.seed] = neighbour_columns(vectors, self.neighbours, self.seed, ground.progress, ground.memory)
        return graphs[self.neighbours, self.seed]

    def _source(self, ground: Ground) -> Source:
        vectors = ground.vectors[self.features]
        if isinstance(vectors, SparseVectors):
            return Postings(vectors)
        assert isinstance(vectors, Vectors)
        if ground.device.startswith("cuda"):
            return OnDevice(vectors, ground.device)
        return Tiles(vectors, ground.memory // 8)


class _Covering:
    """Similarities from their source at first; once those above coverage fit the memory, one sweep keeps exactly these.

    Coverage only rises, so a similarity at or below it can never matter again: the sweep changes no gain, and the picks stay exact
    to any k. Looking ahead keeps them roughly much sooner, and exactly once they are few.
    """

    def __init__(self, ground: Ground, source: Source, chosen: Rows, kept: Kept | None) -> None:
        self.ground, self.source = ground, source
        self.weights = np.ones(ground.size) if ground.weights is None else ground.weights
        self.cover, self.value = np.zeros(ground.size, np.float32), 0.0
        self.kept, self.shared = kept, kept is not None  # a graph serves other states too
        self.path: Path | None = None  # bounds while the picks that were expected last
        self.rough: Rough | None = None  # what was left after them
        self.unseen = np.zeros(ground.size, bool)  # rows that were not looked ahead for: nothing of theirs is kept
        self.picks, self.since, self.next_look = 0, 0, FIRST_LOOK
        self.evaluations, self.batch = 0, source.batch if kept is None else KEPT_BATCH
        self.add_all(chosen)

    @property
    def thinned(self) -> bool:
        return self.kept is not None or not self.source.dear

    @property
    def far_sighted(self) -> bool:
        return isinstance(self.source, Tiles)

    @property
    def sees(self) -> bool:
        return self.kept is None and (self.path is not None or self.rough is not None)

    def left(self) -> float:
        if not self.source.dear:
            return 0.0
        if self.kept is not None:
            return rise.kept_left(self.kept, self.cover, sampled(self.ground.size))
        return self.source.left(self.cover)

    def gains(self, candidates: Rows) -> Gains:
        self._look_when_due()
        self.evaluations += len(candidates)
        if self.kept is None and self.rough is None:
            return self.source.rises(candidates, self.cover, self.weights, self.ground.progress)
        unseen = self.unseen[candidates]
        if not unseen.any():
            return self._gains_of_seen(candidates)
        gains = np.empty(len(candidates))
        gains[~unseen] = self._gains_of_seen(candidates[~unseen])
        gains[unseen] = self.source.rises(candidates[unseen], self.cover, self.weights, self.ground.progress)
        return gains

    def _gains_of_seen(self, candidates: Rows) -> Gains:
        if self.kept is not None:
            return rise.kept_rises(candidates, self.kept, self.cover, self.weights)
        assert self.rough is not None
        return self.rough.gains(candidates, self.cover, self.weights)

    def winner(self, queue: Any, stamp: int, worth: Gains) -> int | None:
        self._look_when_due()
        if self.kept is None or self.unseen.any():
            return None
        row, asked = kept_race.winner(queue, stamp, worth, self.kept, self.cover, self.weights)
        self.evaluations += asked
        return row

    def add(self, row: int) -> None:
        self.value += self._raised(row)
        self.picks += 1
        self._look_when_due()

    def _raised(self, row: int) -> float:
        """The weighted rise of the coverage by this row."""
        if self.kept is not None and not self.unseen[row]:
            return float(rise.raise_kept(row, self.kept, self.cover, self.weights))
        if self.rough is not None and not self.unseen[row]:
            return self.rough.add(row, self.cover, self.weights)
        gain = float(rise.raise_line(self.source.line(row), self.cover, self.weights))
        if self.rough is not None:
            self.rough.reach(self.cover)
        return gain

    def add_all(self, rows: Rows) -> Gains:
        if self.kept is not None or self.rough is not None:
            gains = np.array([self._raised(int(row)) for row in rows], np.float64)
        else:
            self.cover, gains = self.source.cover(rows, self.cover, self.weights)
        self.picks += len(rows)
        self.value += float(gains.sum())
        return gains

    def narrow(self, probes: int, seed: int) -> float:
        size = self.ground.size
        found = self.source.left(self.cover) * size
        need = found * self.source.entry + NEAR_ENTRY * probes * size
        if need > self.ground.memory:
            raise MemoryForecast(
                f"some {found:,.0f} similarities of {size:,} rows take {bytes_of(need)} but the memory option leaves "
                f"{bytes_of(self.ground.memory)}; raise --memory or use the optimizer 'partitioned'."
            )
        kept, looked = self.source.near(self.cover, probes, seed, self.ground.progress)
        self._keep(kept)
        self.next_look = 2 * self.picks
        return looked

    def foresee(self, candidates: Rows) -> None:
        """The picks until what is left fits the memory, and bounds on all gains before each of them and from there on."""
        source = self.source
        assert isinstance(source, Tiles)

        def rises(rows: Rows, cover: Cover) -> Gains:
            self.evaluations += len(rows)
            return source.rises(rows, cover, self.weights, self.ground.progress)

        given = source.vectors, source.steps, source.close_codes, candidates, self.cover, self.weights, rises
        self.path = foresee(Scene(*given, self.ground.memory, source.threads, self.ground.progress))
        self.unseen[:] = True
        self.unseen[candidates] = False
        self.since, self.next_look, self.batch = self.picks, self.picks + len(self.path.gains), FORESEEN_BATCH

    def ceilings(self, candidates: Rows) -> Gains:
        if self.rough is not None:
            return self.rough.ceilings(candidates, self.cover, self.weights)
        assert self.path is not None
        return self.path.ceilings(self.picks - self.since, self.cover)[candidates]

    def _look_when_due(self) -> None:
        """Sweeps where that fits by now; leaves out of what is kept what no longer counts."""
        if self.picks < self.next_look:
            return
        if self.path is not None:
            self.rough, self.path, self.batch = self._settled(self.path), None, KEPT_BATCH
        self.next_look = 2 * self.picks
        if self.kept is not None:
            if not self.shared:
                count = rise.compact(self.kept, self.cover)
                self.kept = self.kept[0], self.kept[1][:count], self.kept[2][:count]
            return
        if self.rough is None:
            self.batch = self.source.batch
            left = self.source.left(self.cover)
            if left <= self.source.enough and self._fits(left, self.source.entry):
                self._keep(self.source.sweep(self.cover, self.ground.progress))
                self.unseen[:] = False
            return
        self.next_look = self.picks + self.picks // 4 + 1
        left = self.rough.left(sampled(self.ground.size))
        if (left <= CLEAR or left * self.ground.size <= LITTLE) and self._fits(left, rise.ENTRY):
            self._keep(self.rough.exact(self.cover))
            self.rough = None

    def _settled(self, path: Path) -> Rough | None:
        """What is left after the picks; None where they were others than expected to such a degree that looking again costs less."""
        found = path.rough
        if found is None:
            return None
        assert isinstance(self.source, Tiles)
        low = np.flatnonzero(self.cover < found.base)
        if len(low) > MISSED * self.ground.size:
            return None
        found.settle(self.cover, low, self.source.lines_above(low, self.cover) if len(low) else None)
        return found

    def _fits(self, left: float, entry: int) -> bool:
        return 1.2 * left * self.ground.size * entry <= self.ground.memory

    def _keep(self, kept: Kept) -> None:
        self.kept, self.batch = kept, KEPT_BATCH
        count, size = len(kept[1]), self.ground.size
        log.info("after %d picks: %d similarities kept, %.2f %% of all pairs", self.picks, count, 100 * count / size**2)

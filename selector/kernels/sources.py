"""Where facility location's similarities come from: tiles of dense vectors, or the postings of sparse ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from selector.core import Gains, Progress, Rows
from selector.features import SparseVectors, Vectors
from selector.kernels import rise
from selector.kernels.codes import Codes, closest, encode, fastest, in_steps
from selector.kernels.near import near_sweep
from selector.kernels.nearest import nearest
from selector.kernels.sweep import Kept, half_sweep, rises_above, sweep_rows

Unit = TypeVar("Unit")
Result = TypeVar("Result")

Cover = NDArray[np.float32]  # (n,) similarity of each row to its nearest chosen row, at least 0

MANY = 1024  # candidates; asking more than these is worth showing
SOME = 4096  # candidates whose gains are asked together of products of codes
TILE = 2 << 20  # bytes of one thread's tile: about what its own cache holds
WALKED = 4 << 20  # postings that one thread walks at a time
SPAN = 8  # tiles that one thread takes at a time


class Source(Protocol):
    """Where similarities come from before they are kept; `cover` (n,) is the similarity of each row to its nearest chosen row."""

    size: int
    batch: int  # how many candidates are worth asking at once, at least
    entry: int  # bytes that a sweep takes at most for a similarity that it keeps
    dear: bool  # whether a gain costs a pass over all rows
    enough: float  # rows left to a candidate, on average, from which keeping similarities pays

    def cover(self, chosen: Rows, before: Cover, weights: Gains) -> tuple[Cover, Gains]:
        """The coverage once these rows are chosen as well, and the weighted rise that each brought, one after another."""
        ...

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, progress: Progress) -> Gains:
        """(m,) weighted sums of the rises above coverage."""
        ...

    def line(self, row: int) -> Cover:
        """(n,) similarities of all rows to this one."""
        ...

    def nearest(self, chosen: Rows) -> Cover:
        """(n,) the coverage by these rows alone."""
        ...

    def left(self, cover: Cover) -> float:
        """How many rows a candidate would raise, on average over some 256 of them."""
        ...

    def sweep(self, cover: Cover, progress: Progress) -> Kept:
        """For each of the n candidates the rows that it would raise, and their similarities."""
        ...

    def near(self, cover: Cover, probes: int, seed: int, progress: Progress) -> tuple[Kept, float]:
        """Those of them that are found in so many cells a row, and the share of all pairs that was looked at."""
        ...


class Tiles:
    """Dense vectors: matrix products, a tile at a time, on as many threads as the compiled loops use.

    Each thread multiplies whole tiles alone (one BLAS thread), so that two threads do not wait for each other inside a product. On the
    grid of features.dense every similarity is exact, and so is every sum of them in float64 where rows have no weights: no tile and no
    thread moves a bit. Raises InputError for vectors on no grid.
    """

    def __init__(self, vectors: Vectors, memory: int) -> None:
        self.vectors, self.data, self.size, self.batch = vectors.on_grid(), vectors.data, vectors.size, 128
        self.dear, self.entry = True, 14  # 10 bytes a pair, found once for both its rows in most cases, and 8 for each similarity kept
        self.threads, self.enough = rise.threads(), np.inf
        tile = max(1, min(TILE, memory // 2 // self.threads))  # bytes
        self.tall = max(1, min(2048, tile // 1024))  # rows of a tile
        self.wide = max(1, min(256, tile // (4 * self.tall)))  # candidates of a tile

    def cover(self, chosen: Rows, before: Cover, weights: Gains) -> tuple[Cover, Gains]:
        def cover_rows(first: int) -> tuple[Cover, Gains]:
            part = slice(first, first + self.tall)
            cover, gains = before[part].copy(), np.zeros(len(chosen))
            for place in range(0, len(chosen), self.wide):
                some = slice(place, place + self.wide)
                rise.tile_raise(self.data[chosen[some]] @ self.data[part].T, cover, weights[part], gains[some])
            return cover, gains

        parts = list(self._together(cover_rows, range(0, self.size, self.tall)))
        return np.concatenate([part[0] for part in parts]), np.sum([part[1] for part in parts], axis=0)

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, progress: Progress) -> Gains:
        if fastest() is not np.float32 and cover.any():  # few similarities are above it, and products of codes tell which
            gains = np.empty(len(candidates))
            for first in range(0, len(candidates), SOME):
                part = slice(first, first + SOME)
                given = self.steps, self.vectors.step, self.codes, candidates[part], cover, weights, self.threads
                gains[part] = rises_above(*given)
                if len(candidates) > MANY:
                    progress("gains", min(len(candidates), part.stop), len(candidates))
            return gains
        spans = range(0, self.size, SPAN * self.tall)

        def span_rises(unit: tuple[int, int]) -> Gains:
            place, span = unit
            left = self.data[candidates[place : place + self.wide]]
            gains = np.zeros(len(left))
            for first in range(span, min(self.size, span + SPAN * self.tall), self.tall):
                part = slice(first, min(self.size, first + self.tall))
                rise.tile_rises(left @ self.data[part].T, cover[part], weights[part], gains)
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

    def left(self, cover: Cover) -> float:
        sample = sampled(self.size)

        def count(first: int) -> int:
            part = slice(first, first + self.tall)
            return int(np.count_nonzero(self.data[sample] @ self.data[part].T > cover[part]))

        return sum(self._together(count, range(0, self.size, self.tall))) / len(sample)

    def sweep(self, cover: Cover, progress: Progress) -> Kept:
        with threadpool_limits(1, "blas"):
            return half_sweep(self.steps, self.vectors.step, self.codes, cover, self.threads, progress)

    def near(self, cover: Cover, probes: int, seed: int, progress: Progress) -> tuple[Kept, float]:
        return near_sweep(self.data, self.steps, self.vectors.step, self.codes, cover, probes, seed, self.threads, progress)

    @cached_property
    def codes(self) -> Codes:
        return encode(self.data, self.vectors.step, fastest())

    @cached_property
    def close_codes(self) -> Codes:
        return self.codes if closest() is fastest() else encode(self.data, self.vectors.step, closest())

    @cached_property
    def steps(self) -> NDArray[np.int16]:
        """(n, d) the vectors in units of their grid."""
        return in_steps(self.data, self.vectors.step)

    def nearest(self, chosen: Rows) -> Cover:
        return nearest(self.steps, self.vectors.step, self.codes, chosen, self.threads)

    def lines_above(self, rows: Rows, cover: Cover) -> Kept:
        """For each of the n candidates those of these rows that it would raise, and their similarities."""
        return sweep_rows(self.steps, self.vectors.step, self.codes, rows, cover, self.threads)

    def _together(self, work: Callable[[Unit], Result], units: Sequence[Unit]) -> Iterator[Result]:
        """`work` on each unit, on all threads; results in the order of the units."""
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(self.threads) as pool:
            yield from pool.map(work, units)


class Postings:
    """Sparse vectors: a walk over the inverted index for each candidate."""

    def __init__(self, vectors: SparseVectors) -> None:
        rows, postings = vectors.data, vectors.postings
        self.rows, self.positive = rows, bool((rows.data >= 0).all())
        self.index = (rows.indptr, rows.indices, rows.data, postings.indptr, postings.indices, postings.data)
        # (n + 1,) postings walked for all candidates before each one
        self.steps = np.concatenate([[0], np.cumsum(np.diff(postings.indptr)[rows.indices], dtype=np.int64)])[rows.indptr]
        self.size, self.batch = vectors.size, 4
        self.enough = self.steps[-1] / max(1, self.size) / 2
        self.dear, self.entry = False, 9  # 8 bytes, and a part of them held twice for a moment
        self.scratch = np.zeros((rise.threads(), self.size)), np.zeros((rise.threads(), self.size), np.int32)

    def cover(self, chosen: Rows, before: Cover, weights: Gains) -> tuple[Cover, Gains]:
        cover, gains = before.copy(), np.empty(len(chosen))
        rise.posting_raise(chosen, self.index, *self.scratch, cover, weights, gains)
        return cover, gains

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, progress: Progress) -> Gains:
        if self.positive and not cover.any():  # every similarity counts whole, so their sum is one product with the sum of all rows
            return self.rows[candidates] @ (self.rows.T @ weights)
        gains = np.zeros(len(candidates))
        for first in range(0, len(candidates), 16 * MANY):
            part = slice(first, first + 16 * MANY)
            rise.posting_rises(candidates[part], self.index, cover, weights, *self.scratch, gains[part])
            if len(candidates) > MANY:
                progress("gains", min(len(candidates), part.stop), len(candidates))
        return gains

    def line(self, row: int) -> Cover:
        line = np.zeros(self.size, np.float32)
        rise.posting_line(row, self.index, *self.scratch, line)
        return line

    def nearest(self, chosen: Rows) -> Cover:
        return self.cover(chosen, np.zeros(self.size, np.float32), np.ones(self.size))[0]

    def left(self, cover: Cover) -> float:
        sample = sampled(self.size)
        return len(self._collect(sample, cover)[1]) / len(sample)

    def sweep(self, cover: Cover, progress: Progress) -> Kept:
        # A candidate whose own walk is longer than a block would be cut twice.
        cuts = np.unique([*np.searchsorted(self.steps, np.arange(0, self.steps[-1], WALKED)), self.size])
        blocks = [np.arange(first, last) for first, last in itertools.pairwise(cuts)]
        starts, done = np.zeros(self.size + 1, np.int64), 0
        most = min(int(self.steps[-1]), int(1.2 * self.left(cover) * self.size) + WALKED)  # memory that is never written is never taken
        rows, similarities = np.empty(most, np.int32), np.empty(most, np.float32)
        with ThreadPoolExecutor(rise.threads()) as pool:
            for ends, some_rows, some in pool.map(partial(self._collect, cover=cover), blocks):
                starts[done + 1 : done + 1 + len(ends)] = starts[done] + ends
                place, end = starts[done], starts[done] + len(some)
                if end > len(rows):
                    rows, similarities = np.resize(rows, end + most // 4), np.resize(similarities, end + most // 4)
                rows[place:end], similarities[place:end] = some_rows, some
                done += len(ends)
                progress("sweep", done, self.size)
        return starts, rows[: starts[-1]], similarities[: starts[-1]]

    def near(self, cover: Cover, probes: int, seed: int, progress: Progress) -> tuple[Kept, float]:
        return self.sweep(cover, progress), 1.0  # rows that share no column are never looked at anyway

    def _collect(self, candidates: Rows, cover: Cover) -> Kept:
        """Ends (m,) instead of starts, rows and similarities of these candidates."""
        most = int((self.steps[candidates + 1] - self.steps[candidates]).sum())
        ends, rows, similarities = np.empty(len(candidates), np.int64), np.empty(most + 1, np.int32), np.empty(most + 1, np.float32)
        scratch = np.zeros(self.size), np.empty(self.size, np.int32)
        rise.posting_collect(candidates, self.index, cover, *scratch, ends, rows, similarities)
        return ends, rows[: ends[-1]].copy(), similarities[: ends[-1]].copy()


def sampled(size: int) -> Rows:
    """Some 256 candidates that stand for all where similarities are counted for an estimate."""
    return np.unique(np.linspace(0, size - 1, min(256, size)).astype(np.int64))

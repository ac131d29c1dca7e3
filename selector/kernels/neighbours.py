"""The neighbour graph: for each candidate the rows that list it among their nearest, or that it lists. Never a square matrix."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from selector.core import Progress, Rows, quiet
from selector.errors import MemoryForecast, size
from selector.features import Vectors
from selector.kernels import rise
from selector.kernels.centres import centres, nearest
from selector.kernels.sweep import Kept

log = logging.getLogger(__name__)

Lists = tuple[NDArray[np.int32], NDArray[np.float32]]  # (n, K) rows by falling similarity, -1 where there are fewer, and similarities

EXACT = 8_192  # up to this many rows everything is compared with everything
CELL = 512  # rows of a cell, on average
PROBES = 32  # cells searched for a row
ROUNDS = 6  # of k-means
REACH = 16  # the nearest of the nearest: so many of so many are looked at in the last step
TALL = 512  # rows of a tile


def neighbour_columns(vectors: Vectors, neighbours: int, seed: int, progress: Progress = quiet, memory: int = 1 << 30) -> Kept:
    """The graph as columns: candidate c owns starts[c] to starts[c + 1] of `rows` (ascending) and `similarities` (float32, positive).

    Row i is in column j where i lists j or j lists i among its `neighbours` nearest, and i is in its own column: so a sum over these
    columns is a lower bound of facility location. Exact lists up to 8,192 rows; beyond, an inverted file (a row is compared with the
    rows of the 32 k-means cells nearest to its own cell's centre, 512 rows each on average) and then one look at the 16 nearest of its
    16 nearest, as in NN-descent (Dong et al. 2011). The same for any thread count and memory. O(n (16384 + n / 512) d) time. Raises
    MemoryForecast where lists and columns, 32 n `neighbours` bytes, pass `memory`.
    """
    rows = vectors.size
    neighbours = max(1, min(neighbours, rows - 1))
    need = 4 * rise.ENTRY * rows * neighbours
    if need > memory:
        raise MemoryForecast(
            f"a graph of {neighbours:,} neighbours for {rows:,} rows takes {size(need)} but the memory option leaves it {size(memory)}; "
            "ask for fewer neighbours or raise --memory."
        )
    began = time.monotonic()
    columns = _columns(vectors.data, neighbour_lists(vectors, neighbours, seed, progress)[0])
    log.info("graph: %d rows, %.1f similarities a row, %.1f s", rows, len(columns[1]) / max(1, rows), time.monotonic() - began)
    return columns


def neighbour_lists(vectors: Vectors, neighbours: int, seed: int, progress: Progress = quiet) -> Lists:
    """Each row's nearest other rows by falling similarity, as `neighbour_columns` finds them."""
    lists, order = _lists(vectors.data, neighbours, seed, progress)
    if vectors.size > EXACT:
        progress("neighbours of neighbours", 0, 0)
        lists = _joined(vectors.data, order, *lists)
    return lists


def _lists(data: NDArray[np.float32], count: int, seed: int, progress: Progress) -> tuple[Lists, Rows]:
    """The lists by the inverted file, and the rows cell by cell."""
    found, best = np.full((len(data), count), -1, np.int32), np.full((len(data), count), -np.inf, np.float32)
    cells, middles = _cells(data, seed) if len(data) > EXACT else (np.zeros(len(data), np.int64), np.zeros((1, data.shape[1]), np.float32))
    order = np.argsort(cells, kind="stable")
    bounds = np.searchsorted(cells[order], np.arange(len(middles) + 1))

    def one(cell: int) -> int:
        own = order[bounds[cell] : bounds[cell + 1]]
        if len(own):
            near = np.argsort(-(middles @ middles[cell]), kind="stable")
            sizes = np.cumsum(np.diff(bounds)[near])
            probes = near[: max(PROBES, int(np.searchsorted(sizes, count + 1)) + 1)]
            candidates = np.sort(np.concatenate([order[bounds[c] : bounds[c + 1]] for c in probes]))
            right = data[candidates]
            for first in range(0, len(own), TALL):
                chosen = own[first : first + TALL]
                for start in range(0, len(candidates), 4 * TALL):
                    part = slice(start, start + 4 * TALL)
                    _keep_best(data[chosen] @ right[part].T, chosen, candidates[part], found, best)
        return len(own)

    done = 0
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(rise.threads()) as pool:
        for finished in pool.map(one, range(len(middles))):
            done += finished
            progress("neighbours", done, len(data))
    return (found, best), order


def _cells(data: NDArray[np.float32], seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(n,) the cell of each row, and the cells' unit centres."""
    found = centres(data, -(-len(data) // CELL), ROUNDS, np.random.default_rng(seed))
    return nearest(data, found), found


@njit(cache=True, nogil=True)
def _insert(row, value, found, best):  # type: ignore[no-untyped-def]
    """Into one list (K,), which stays sorted; the last falls out. A row that was there first goes before an equal one."""
    place = found.size - 1
    while place > 0 and best[place - 1] < value:
        found[place], best[place] = found[place - 1], best[place - 1]
        place -= 1
    found[place], best[place] = row, value


@njit(cache=True, nogil=True)
def _keep_best(values, rows, candidates, found, best):  # type: ignore[no-untyped-def]
    """The tile `values` (rows, candidates) into the lists of its rows."""
    for at in range(rows.size):
        row = rows[at]
        least = best[row, -1]
        for place in range(candidates.size):
            if values[at, place] > least and candidates[place] != row:
                _insert(candidates[place], values[at, place], found[row], best[row])
                least = best[row, -1]


@njit(cache=True, nogil=True)
def _holds(found, row):  # type: ignore[no-untyped-def]
    for place in range(found.size):  # noqa: SIM110 - compiled: a generator would not be
        if found[place] == row:
            return True
    return False


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def _product(left, right):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for place in range(left.size):
        total += left[place] * right[place]
    return total


@njit(cache=True, parallel=True)
def _joined(data, order, found, best):  # type: ignore[no-untyped-def]
    """New lists, with the nearest of the nearest; rows cell by cell, so that what is read is still in the processor's cache."""
    after, better = found.copy(), best.copy()
    reach = min(REACH, found.shape[1])
    for at in prange(order.size):
        row = order[at]
        for first in range(reach):
            near = found[row, first]
            if near < 0:
                break
            for second in range(reach):
                other = found[near, second]
                if other < 0:
                    break
                if other == row or _holds(after[row], other):
                    continue
                value = _product(data[row], data[other])
                if value > better[row, -1]:
                    _insert(other, value, after[row], better[row])
    return after, better


@njit(cache=True)
def _counts(found):  # type: ignore[no-untyped-def]
    """(n + 1,) where each column starts."""
    starts = np.zeros(found.shape[0] + 1, np.int64)
    for row in range(found.shape[0]):
        starts[row + 1] += 1
        for other in found[row]:
            if other >= 0:
                starts[other + 1] += 1
                if not _holds(found[other], row):
                    starts[row + 1] += 1
    return np.cumsum(starts)


@njit(cache=True)
def _fill(found, starts, rows):  # type: ignore[no-untyped-def]
    place = starts[:-1].copy()
    for row in range(found.shape[0]):
        rows[place[row]] = row
        place[row] += 1
        for other in found[row]:
            if other >= 0:
                rows[place[other]] = row
                place[other] += 1
                if not _holds(found[other], row):
                    rows[place[row]] = other
                    place[row] += 1


@njit(cache=True, parallel=True)
def _measured(data, starts, rows, similarities):  # type: ignore[no-untyped-def]
    """Each column's rows ascending, with their similarities: float64 sums, rounded once."""
    for candidate in prange(starts.size - 1):
        own = rows[starts[candidate] : starts[candidate + 1]]
        own.sort()
        for place in range(own.size):
            total = 0.0
            for dimension in range(data.shape[1]):
                total += np.float64(data[candidate, dimension]) * np.float64(data[own[place], dimension])
            similarities[starts[candidate] + place] = total


def _columns(data: NDArray[np.float32], found: Any) -> Kept:
    starts = _counts(found)
    rows = np.empty(int(starts[-1]), np.int32)
    _fill(found, starts, rows)
    similarities = np.empty(len(rows), np.float32)
    _measured(data, starts, rows, similarities)
    positive = similarities > 0
    if not positive.all():
        owner = np.repeat(np.arange(len(data)), np.diff(starts))[positive]
        starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(data)))])
        rows, similarities = rows[positive], similarities[positive]
    return starts, rows, similarities

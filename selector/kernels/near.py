"""The similarities that can still matter, looked for where they are likely: each row is compared with the rows of some cells only.

An inverted file, as for nearest neighbours (Jegou et al. 2011), with two differences. A row is not given so many cells but those whose
centre is nearest *above its coverage*, for all rows together as many as the work allows: a row that is well covered needs few. And what is
kept is not a list of nearest rows but everything found above coverage, so that gains are sums over it (kernels.sweep). Products of codes
(kernels.codes) rule out nearly all pairs of a row and a cell; the rest are exact.
"""

from __future__ import annotations

import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from threading import local

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Progress
from selector.kernels.centres import centres, compared
from selector.kernels.codes import Codes, torch_left_alone
from selector.kernels.sweep import Kept, Tile, dot, tile_of

log = logging.getLogger(__name__)

CELLS = 2.5  # so many times the root of n: finer cells find more, and n rows have to be compared with their centres
ROUNDS = 3  # of k-means
JUDGED = 1024  # rows from which it is told how near a centre must be

_Found = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]  # a cell's members: how many each; then rows, products


def near_sweep(
    data: NDArray[np.float32],
    steps: NDArray[np.int16],
    step: float,
    codes: Codes,
    cover: NDArray[np.float32],
    probes: int,
    seed: int,
    threads: int,
    progress: Progress,
) -> tuple[Kept, float]:
    """For each candidate rows that it would raise, and their similarities; and the share of all pairs that was looked at.

    `data` (n, d) the rows, `steps` the same in units of the grid `step`, `cover` (n,) the coverage. There are 2.5 sqrt(n)
    cells, and rows look into `probes` of them on average, more or fewer as their coverage is low or high. Whatever is kept is exact; a pair
    that is missed is one of a row and a cell whose centre is far from it. A row that raises itself is found to. The same for any number
    of threads. O((probes + 6) n^1.5 d) products.
    """
    size, began = len(data), time.perf_counter()
    middles = centres(data, min(size, math.ceil(CELLS * math.sqrt(size))), ROUNDS, np.random.default_rng(seed))
    level = _level(data, middles, cover, probes / len(middles))
    own, cells, counts = _looks(data, middles, cover, level, progress)
    order = np.argsort(own, kind="stable")
    bounds = np.searchsorted(own[order], np.arange(len(middles) + 1))
    starts, looking = _by_cell(cells, counts, len(middles))
    pairs = int((np.diff(starts) * np.diff(bounds)).sum())
    log.info("near: %d cells, each row looks into %.1f, %.2f %% of all pairs, %.1f s", len(middles), len(cells) / size,
             100 * pairs / size**2, time.perf_counter() - began)  # fmt: skip
    least = np.floor(cover.astype(np.float64) / step**2).astype(np.int32)  # a similarity in units above this rises
    (tall, wide), mine, done = tile_of(codes), local(), 0

    def begin() -> None:
        mine.tile, mine.exact = Tile(codes), np.empty(tall * wide + 16, np.int32)

    def cell(which: int) -> _Found:
        members, rows = order[bounds[which] : bounds[which + 1]], looking[starts[which] : starts[which + 1]]
        parts = [(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int32))]
        for start in range(0, len(members), wide):
            some = members[start : start + wide]
            theirs, their_steps, height = codes.take(some), steps[some], tall * wide // max(len(some), wide // 64)
            for first in range(0, len(rows), height):
                lines = rows[first : first + height]
                mine.tile.multiply(_gathered(codes, lines), theirs)
                found = *mine.tile.above(cover[lines]), mine.exact
                few = _confirm(steps, lines, their_steps, least, *found)
                parts.append((lines[found[0][:few]], found[1][:few] + np.int32(start), found[2][:few].copy()))
        lines, columns, exact = (np.concatenate(one) for one in zip(*parts, strict=True))
        return _by_column(lines, columns, exact, len(members))

    results: list[_Found] = []
    with torch_left_alone(codes), ThreadPoolExecutor(threads, initializer=begin) as pool:
        for which, found in enumerate(pool.map(cell, range(len(middles)))):
            results.append(found)
            done += int((starts[which + 1] - starts[which]) * (bounds[which + 1] - bounds[which]))
            progress("sweep", done, pairs)
    return _columns(results, order, bounds, step), pairs / size**2


def _level(data: NDArray[np.float32], middles: NDArray[np.float32], cover: NDArray[np.float32], share: float) -> float:
    """How far above a row's coverage a centre's similarity must be, so that rows look at a `share` of all pairs; told from a sample."""
    sample = np.unique(np.linspace(0, len(data) - 1, min(JUDGED, len(data))).astype(np.int64))
    near = np.concatenate(list(compared(data[sample], middles, lambda _, values: values)))
    sizes = np.bincount(near.argmax(axis=1), minlength=len(middles))
    above = (near - cover[sample, None]).ravel()
    order = np.argsort(-above, kind="stable")
    pairs = np.cumsum(np.broadcast_to(sizes, near.shape).ravel()[order])
    last = int(np.searchsorted(pairs, share * pairs[-1], side="right"))
    return float(above[order[last]]) if last < len(order) else -np.inf


def _looks(
    data: NDArray[np.float32], middles: NDArray[np.float32], cover: NDArray[np.float32], level: float, progress: Progress
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """(n,) each row's own cell; the cells that rows look into, row by row, the own one among them; (n,) how many each."""

    def look(run: slice, values: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        own = values.argmax(axis=1)
        into = values - cover[run, None] > level
        into[np.arange(len(own)), own] |= np.einsum("nd,nd->n", data[run], data[run]) > cover[run]  # a row raises itself
        return own, into.nonzero()[1].astype(np.int32), np.count_nonzero(into, axis=1)

    seen, done = [], 0
    for some in compared(data, middles, look):
        seen.append(some)
        done += len(some[0])
        progress("cells", done, len(data))
    own, cells, counts = (np.concatenate(one) for one in zip(*seen, strict=True))
    return own, cells, counts


def _gathered(codes: Codes, rows: NDArray[np.int32]) -> Codes:
    """codes.take(rows), without the interpreter's lock."""
    some = np.empty((len(rows), codes.codes.shape[1]), codes.codes.dtype)
    numbers = np.empty((4, len(rows)), np.float32)
    _gather(rows, codes.codes.view(np.int32), codes.steps, codes.errors, codes.lengths, codes.norms, some.view(np.int32), numbers)
    return Codes(some, *numbers)


@njit(nogil=True, cache=True)
def _gather(rows, codes, steps, errors, lengths, norms, some, numbers):  # type: ignore[no-untyped-def]
    for place in range(rows.size):
        row = rows[place]
        for word in range(codes.shape[1]):
            some[place, word] = codes[row, word]
        numbers[0, place], numbers[1, place], numbers[2, place], numbers[3, place] = steps[row], errors[row], lengths[row], norms[row]


@njit(cache=True)
def _by_cell(cells, counts, many):  # type: ignore[no-untyped-def]
    """Where each cell's rows start, and the rows that look into it, ascending."""
    starts = np.zeros(many + 1, np.int64)
    for cell in cells:
        starts[cell + 1] += 1
    starts = np.cumsum(starts)
    place, rows, at = starts[:-1].copy(), np.empty(cells.size, np.int32), 0
    for row in range(counts.size):
        for _ in range(counts[row]):
            rows[place[cells[at]]] = row
            place[cells[at]] += 1
            at += 1
    return starts, rows


@njit(nogil=True, cache=True)
def _confirm(steps, rows, tile, least, lines, columns, exact):  # type: ignore[no-untyped-def]
    """The exact products of these places, in place; those not above their row's `least` are dropped; returns how many are left."""
    kept = 0
    for place in range(lines.size):
        line, column = lines[place], columns[place]
        total = dot(steps[rows[line]], tile[column])
        lines[kept], columns[kept], exact[kept] = line, column, total
        kept += total > least[rows[line]]
    return kept


@njit(nogil=True, cache=True)
def _by_column(lines, columns, exact, many):  # type: ignore[no-untyped-def]
    """How many entries each column has; lines and products column by column, in the order they came in."""
    counts = np.zeros(many, np.int64)
    for column in columns:
        counts[column] += 1
    place, rows, products = np.cumsum(counts) - counts, np.empty(lines.size, np.int32), np.empty(lines.size, np.int32)
    for at in range(lines.size):
        to = place[columns[at]]
        rows[to], products[to] = lines[at], exact[at]
        place[columns[at]] += 1
    return counts, rows, products


def _columns(results: list[_Found], order: NDArray[np.int64], bounds: NDArray[np.int64], step: float) -> Kept:
    """From cells to one column for each candidate; cells are freed as they are copied."""
    counts = np.empty(len(order), np.int64)
    counts[order] = np.concatenate([counts for counts, _, _ in results])
    starts = np.concatenate([[0], np.cumsum(counts)])
    rows, similarities, unit = np.empty(int(starts[-1]), np.int32), np.empty(int(starts[-1]), np.float32), np.float32(step**2)
    for which in range(len(results)):
        _put(order[bounds[which] : bounds[which + 1]], *results[which], starts, unit, rows, similarities)
        results[which] = (results[which][0], *(np.empty(0, np.int32),) * 2)
    return starts, rows, similarities


@njit(cache=True)
def _put(members, counts, found, exact, starts, unit, rows, similarities):  # type: ignore[no-untyped-def]
    at = 0
    for place in range(members.size):
        start = starts[members[place]]
        for one in range(counts[place]):
            rows[start + one], similarities[start + one] = found[at], np.float32(exact[at]) * unit
            at += 1

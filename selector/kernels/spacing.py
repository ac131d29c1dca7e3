"""Down a list of rows, each is taken that is not too close to one taken before it."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Rows, Similarity
from selector.features import SparseVectors, Vectors
from selector.kernels import rise

TALL = 512  # rows of a thread at once
WIDE = 1024  # taken rows of a tile


@dataclass
class Spacing:
    """What is too close, and what was found so far: row i repeats j where its closeness s_ij * factor_j - offset_j >= level_i."""

    vectors: Similarity
    factors: Gains  # (n,)
    offsets: Gains  # (n,)
    levels: Gains  # (n,)
    original: NDArray[np.int64]  # (n,) the first taken row that a row repeats, itself where it was taken, else -1
    nearest: Gains  # (n,) of a row that was just taken: its closeness to the nearest row taken before it, -inf where there is none


def spacing(vectors: Similarity, levels: Gains, *, factors: Gains | None = None, offsets: Gains | None = None) -> Spacing:
    """Nothing taken yet; factors are 1 and offsets 0 where they are not given."""
    ones, none = np.ones(vectors.size), np.zeros(vectors.size)
    unseen, alone = np.full(vectors.size, -1, np.int64), np.full(vectors.size, -np.inf)
    return Spacing(vectors, ones if factors is None else factors, none if offsets is None else offsets, levels, unseen, alone)


def spaced(rule: Spacing, order: Rows, earlier: Rows, free: NDArray[np.bool_]) -> Generator[int]:
    """The rows of `order` that are taken, one after another; `earlier` rows count as taken before the first.

    The caller may clear `free` (n,) between two rows: who is not free is passed over. Dense vectors: blocks of rows against what was
    taken so far, and a row that was refused is compared no further; at most 2 d operations for each row and each taken one, O(k d)
    memory. On the grid of features.dense products are exact, so no tile and no thread moves a row. Sparse vectors: a walk over the
    postings and a pass over all rows for each taken row.
    """
    rule.original[earlier] = earlier
    if isinstance(rule.vectors, SparseVectors):
        yield from _by_postings(rule, rule.vectors, order, earlier, free)
    else:
        assert isinstance(rule.vectors, Vectors)
        yield from _by_blocks(rule, rule.vectors.on_grid(), order, earlier, free)


def _by_postings(rule: Spacing, vectors: SparseVectors, order: Rows, earlier: Rows, free: NDArray[np.bool_]) -> Generator[int]:
    rows, postings = vectors.data, vectors.postings
    index = (rows.indptr, rows.indices, rows.data, postings.indptr, postings.indices, postings.data)
    scratch = np.zeros((1, vectors.size)), np.zeros((1, vectors.size), np.int32)

    def take(row: int) -> None:
        line = np.zeros(vectors.size, np.float32)
        rise.posting_line(row, index, *scratch, line)
        _compare_line(row, line, rule.factors[row], rule.offsets[row], rule.levels, rule.original, rule.nearest)

    for row in earlier.tolist():
        take(row)
    for row in order.tolist():
        if free[row] and rule.original[row] < 0:
            rule.original[row] = row
            yield row
            take(row)


def _by_blocks(rule: Spacing, vectors: Vectors, order: Rows, earlier: Rows, free: NDArray[np.bool_]) -> Generator[int]:
    data, threads = vectors.data, rise.threads()
    taken = np.concatenate([earlier, np.empty(max(64, len(earlier)), np.int64)])
    theirs = np.empty((len(taken), vectors.dimensions), np.float32)  # (room, d) vectors of the taken rows
    theirs[: len(earlier)] = data[earlier]
    count = len(earlier)

    def compare(rows: Rows) -> Rows:
        """Those of these rows that repeat no taken one."""
        for start in range(0, count if len(rows) else 0, WIDE):
            some = slice(start, min(count, start + WIDE))
            names, values = taken[some], data[rows] @ theirs[some].T
            _compare_tile(values, rows, names, rule.factors[names], rule.offsets[names], rule.levels, rule.original, rule.nearest)
            rows = rows[rule.original[rows] < 0]
        return rows

    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(order), threads * TALL):
            block = order[first : first + threads * TALL]
            left = np.concatenate(list(pool.map(compare, np.array_split(block[free[block]], threads))))
            among = data[left] @ data[left].T
            for place, row in enumerate(left.tolist()):
                if not free[row] or rule.original[row] >= 0:
                    continue
                rule.original[row] = row
                yield row
                if count == len(taken):
                    taken, theirs = (np.concatenate([one, np.empty_like(one)]) for one in (taken, theirs))
                taken[count], theirs[count] = row, data[row]
                count += 1
                after, values = left[place + 1 :], among[place + 1 :, place : place + 1]
                names = left[place : place + 1]
                _compare_tile(values, after, names, rule.factors[names], rule.offsets[names], rule.levels, rule.original, rule.nearest)


@njit(cache=True)
def _compare_line(row, line, factor, offset, levels, original, nearest):  # type: ignore[no-untyped-def]
    for other in range(line.size):
        if original[other] < 0:
            closeness = np.float64(line[other]) * factor - offset
            nearest[other] = max(nearest[other], closeness)
            if closeness >= levels[other]:
                original[other] = row


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _largest(values, factors, offsets):  # type: ignore[no-untyped-def]
    best = np.float64(values[0]) * factors[0] - offsets[0]
    for column in range(1, values.size):
        best = max(best, np.float64(values[column]) * factors[column] - offsets[column])
    return best


@njit(cache=True, nogil=True)
def _compare_tile(values, rows, taken, factors, offsets, levels, original, nearest):  # type: ignore[no-untyped-def]
    for place in range(rows.size):
        row = rows[place]
        if original[row] >= 0:
            continue
        best = _largest(values[place], factors, offsets)
        nearest[row] = max(nearest[row], best)
        if best >= levels[row]:
            for column in range(taken.size):
                if np.float64(values[place, column]) * factors[column] - offsets[column] >= levels[row]:
                    original[row] = taken[column]
                    break

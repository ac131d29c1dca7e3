"""Facility location's inner loops: how far candidates would raise the coverage of the rows.

`cover` (n,) float32 is the similarity of each row to its nearest chosen row; `least` is the smallest rise that counts. Sums are in
float64 and each candidate is summed by one thread in row order, so no result depends on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import get_num_threads, get_thread_id, njit, prange

FEW = 512  # up to so many candidates one thread is done before a second has woken up


@njit(cache=True, parallel=True, fastmath={"contract", "nsz"})
def dense_rises(values, cover, weights, least, gains):  # type: ignore[no-untyped-def]
    """Adds to `gains` (b,) the weighted rises of a dense tile `values` (b, r) over `cover` (r,)."""
    for candidate in prange(values.shape[0]):
        total = 0.0
        for row in range(values.shape[1]):
            rise = values[candidate, row] - cover[row]
            if rise > least:
                total += weights[row] * rise
        gains[candidate] += total


@njit(cache=True, parallel=True)
def count_risen(values, cover, least, counts):  # type: ignore[no-untyped-def]
    """`counts` (b,): how many entries of each line of the tile still rise above coverage."""
    for candidate in prange(values.shape[0]):
        total = 0
        for row in range(values.shape[1]):
            if values[candidate, row] - cover[row] > least:
                total += 1
        counts[candidate] = total


@njit(cache=True, parallel=True)
def keep_risen(values, cover, least, starts, first, rows, kept):  # type: ignore[no-untyped-def]
    """Writes those entries of each line from `starts` on: their row into `rows`, their similarity into `kept`."""
    for candidate in prange(values.shape[0]):
        place = starts[candidate]
        for row in range(values.shape[1]):
            value = values[candidate, row]
            if value - cover[row] > least:
                rows[place] = first + row
                kept[place] = value
                place += 1


@njit(cache=True)
def _column_rise(candidate, entries, cover, weights, least):  # type: ignore[no-untyped-def]
    starts, rows, kept = entries
    total = 0.0
    for place in range(starts[candidate], starts[candidate + 1]):
        rise = kept[place] - cover[rows[place]]
        if rise > least:
            total += weights[rows[place]] * rise
    return total


@njit(cache=True, parallel=True)
def _column_rises_together(candidates, entries, cover, weights, least, gains):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        gains[position] = _column_rise(candidates[position], entries, cover, weights, least)


@njit(cache=True)
def _column_rises_alone(candidates, entries, cover, weights, least, gains):  # type: ignore[no-untyped-def]
    for position in range(candidates.size):
        gains[position] = _column_rise(candidates[position], entries, cover, weights, least)


def column_rises(candidates: Any, entries: Any, cover: Any, weights: Any, least: Any, gains: Any) -> None:
    """`gains` (m,) from kept entries (starts, rows, kept): candidate c owns `starts[c]` to `starts[c + 1]` of `rows` and `kept`."""
    loop = _column_rises_together if len(candidates) > FEW else _column_rises_alone
    loop(candidates, entries, cover, weights, least, gains)


@njit(cache=True)
def column_raise(candidate, entries, cover, weights):  # type: ignore[no-untyped-def]
    """Raises `cover` by the candidate's kept entries; returns the weighted rise."""
    starts, rows, kept = entries
    total = 0.0
    for place in range(starts[candidate], starts[candidate + 1]):
        row = rows[place]
        if kept[place] > cover[row]:
            total += weights[row] * (np.float64(kept[place]) - np.float64(cover[row]))
            cover[row] = kept[place]
    return total


@njit(cache=True)
def _walk(candidate, index, sums, touched):  # type: ignore[no-untyped-def]
    """Similarities of one candidate to the rows that share a column with it, into `sums`; returns how many rows were touched."""
    indptr, columns, entries, heads, rows, values = index
    count = 0
    for place in range(indptr[candidate], indptr[candidate + 1]):
        own = np.float64(entries[place])
        column = columns[place]
        for posting in range(heads[column], heads[column + 1]):
            row = rows[posting]
            if sums[row] == 0.0:
                touched[count] = row
                count += 1
            sums[row] += own * values[posting]
            if sums[row] == 0.0:  # a sum that cancels to zero must still be known as touched
                sums[row] = 1e-300
    return count


@njit(cache=True)
def _posting_rise(candidate, index, cover, weights, least, sums, touched):  # type: ignore[no-untyped-def]
    count = _walk(candidate, index, sums, touched)
    total = 0.0
    for place in range(count):
        row = touched[place]
        rise = sums[row] - cover[row]
        if rise > least:
            total += weights[row] * rise
        sums[row] = 0.0
    return total


@njit(cache=True, parallel=True)
def _posting_rises_together(candidates, index, cover, weights, least, sums, touched, gains):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        worker = get_thread_id()
        gains[position] = _posting_rise(candidates[position], index, cover, weights, least, sums[worker], touched[worker])


@njit(cache=True)
def _posting_rises_alone(candidates, index, cover, weights, least, sums, touched, gains):  # type: ignore[no-untyped-def]
    for position in range(candidates.size):
        gains[position] = _posting_rise(candidates[position], index, cover, weights, least, sums[0], touched[0])


def posting_rises(candidates: Any, index: Any, cover: Any, weights: Any, least: Any, sums: Any, touched: Any, gains: Any) -> None:
    """`gains` (m,) by the inverted index; `sums` and `touched` (threads, n) are scratch, zero between calls.

    `index` is (indptr, columns, entries) of the rows and (heads, rows, values) of the columns.
    """
    loop = _posting_rises_together if len(candidates) > FEW else _posting_rises_alone
    loop(candidates, index, cover, weights, least, sums, touched, gains)


@njit(cache=True)
def posting_raise(candidate, index, cover, weights, sums, touched):  # type: ignore[no-untyped-def]
    """Raises `cover` (float64 here) by one row's similarities; returns the weighted rise."""
    count = _walk(candidate, index, sums[0], touched[0])
    total = 0.0
    for place in range(count):
        row = touched[0, place]
        if sums[0, row] > cover[row]:
            total += weights[row] * (sums[0, row] - cover[row])
            cover[row] = sums[0, row]
        sums[0, row] = 0.0
    return total


def threads() -> int:
    """How many threads the loops run on now."""
    return int(get_num_threads())

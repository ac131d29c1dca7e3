"""Facility location's inner loops: how far candidates would raise the coverage of the rows.

`cover` (n,) float32 is the similarity of each row to its nearest chosen row. Sums are in float64 and each candidate is
summed by one thread in row order, so no result depends on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import get_num_threads, get_thread_id, njit, prange
from numpy.typing import NDArray

ENTRY = 8  # bytes of a kept similarity
PARTS = 16  # of the candidates, one thread each when what is kept is compacted
FEW = 512  # up to so many candidates one thread is done before a second has woken up
FEW_WALKS = 32  # the same of walks over postings


def threads() -> int:
    """How many threads the loops run on now."""
    return int(get_num_threads())


# ----------------------------------------------------------------------------------- tiles of dense vectors (run by threads)


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"})
def tile_rises(values, cover, weights, gains):  # type: ignore[no-untyped-def]
    """Adds to `gains` (b,) the weighted rises of a tile `values` (b, r) over `cover` (r,)."""
    for candidate in range(values.shape[0]):
        total = 0.0
        for row in range(values.shape[1]):
            rise = values[candidate, row] - cover[row]
            if rise > 0:
                total += weights[row] * rise
        gains[candidate] += total


@njit(cache=True, nogil=True)
def raise_line(line, cover, weights):  # type: ignore[no-untyped-def]
    """Raises `cover` to a whole line (n,) of similarities; returns the weighted rise."""
    total = 0.0
    for row in range(line.size):
        if line[row] > cover[row]:
            total += weights[row] * (np.float64(line[row]) - np.float64(cover[row]))
            cover[row] = line[row]
    return total


@njit(cache=True, nogil=True)
def tile_raise(values, cover, weights, gains):  # type: ignore[no-untyped-def]
    """Raises `cover` (r,) to the lines of a tile `values` (b, r), one after another; adds to `gains` (b,) the weighted rise of each."""
    for candidate in range(values.shape[0]):
        gains[candidate] += raise_line(values[candidate], cover, weights)


# ------------------------------------------------------------------------------------------------------- kept similarities


@njit(cache=True)
def kept_rise(candidate, kept, cover, weights):  # type: ignore[no-untyped-def]
    """The weighted rise from the similarities kept for one candidate."""
    starts, rows, similarities = kept
    total = 0.0
    for place in range(starts[candidate], starts[candidate + 1]):
        rise = similarities[place] - cover[rows[place]]
        if rise > 0:
            total += weights[rows[place]] * rise
    return total


@njit(cache=True, parallel=True)
def _kept_rises_together(candidates, kept, cover, weights, gains):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        gains[position] = kept_rise(candidates[position], kept, cover, weights)


@njit(cache=True)
def _kept_rises_alone(candidates, kept, cover, weights, gains):  # type: ignore[no-untyped-def]
    for position in range(candidates.size):
        gains[position] = kept_rise(candidates[position], kept, cover, weights)


def kept_rises(candidates: Any, kept: Any, cover: Any, weights: Any) -> NDArray[np.float64]:
    """(m,) weighted rises from kept similarities: candidate c owns `starts[c]` to `starts[c + 1]` of the other two."""
    gains = np.zeros(len(candidates))
    loop = _kept_rises_together if len(candidates) > FEW else _kept_rises_alone
    loop(candidates, kept, cover, weights, gains)
    return gains


@njit(cache=True)
def kept_left(kept, cover, candidates):  # type: ignore[no-untyped-def]
    """How many rows a candidate would raise, on average over these."""
    starts, rows, similarities = kept
    total = 0
    for candidate in candidates:
        for place in range(starts[candidate], starts[candidate + 1]):
            total += similarities[place] > cover[rows[place]]
    return total / candidates.size


def compact(kept: Any, cover: Any) -> int:
    """Leaves out, in place, what no longer counts; returns how many similarities are left."""
    starts, rows, similarities = kept
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], PARTS + 1).astype(np.int64))
    cuts[0], cuts[-1] = 0, len(starts) - 1
    begins = starts[cuts]
    ends = _compact_parts(cuts, starts, rows, similarities, cover)
    at = 0
    for part in range(PARTS):  # moved together
        begin, count = begins[part], ends[part] - begins[part]
        rows[at : at + count], similarities[at : at + count] = rows[begin : begin + count], similarities[begin : begin + count]
        starts[cuts[part] : cuts[part + 1]] -= begin - at
        at += count
    starts[-1] = at
    return int(at)


@njit(cache=True, parallel=True)
def _compact_parts(cuts, starts, rows, similarities, cover):  # type: ignore[no-untyped-def]
    """Compacts each part of the candidates to its own begin; returns where each part's similarities end now."""
    ends = np.empty(cuts.size - 1, np.int64)
    begins = starts[cuts].copy()
    lasts = starts[cuts].copy()
    for part in prange(cuts.size - 1):
        at, begin = begins[part], begins[part]
        for candidate in range(cuts[part], cuts[part + 1]):
            end = lasts[part + 1] if candidate + 1 == cuts[part + 1] else starts[candidate + 1]
            starts[candidate] = at
            for place in range(begin, end):
                rows[at], similarities[at] = rows[place], similarities[place]
                at += similarities[at] > cover[rows[at]]
            begin = end
        ends[part] = at
    return ends


@njit(cache=True)
def raise_kept(candidate, kept, cover, weights):  # type: ignore[no-untyped-def]
    """Raises `cover` by the candidate's kept similarities; returns the weighted rise."""
    starts, rows, similarities = kept
    total = 0.0
    for place in range(starts[candidate], starts[candidate + 1]):
        row = rows[place]
        if similarities[place] > cover[row]:
            total += weights[row] * (np.float64(similarities[place]) - np.float64(cover[row]))
            cover[row] = similarities[place]
    return total


# ------------------------------------------------------------------------------------------------ postings of sparse vectors


@njit(cache=True)
def _walk(candidate, index, sums, touched):  # type: ignore[no-untyped-def]
    """Similarities of one candidate to the rows that share a column with it, into `sums`; returns how many rows were touched.

    `index` is (indptr, columns, entries) of the rows and (heads, rows, values) of the columns; `sums` is all zero before.
    """
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
def _posting_rise(candidate, index, cover, weights, sums, touched):  # type: ignore[no-untyped-def]
    count = _walk(candidate, index, sums, touched)
    total = 0.0
    for place in range(count):
        row = touched[place]
        rise = np.float32(sums[row]) - cover[row]
        if rise > 0:
            total += weights[row] * rise
        sums[row] = 0.0
    return total


@njit(cache=True, parallel=True)
def _posting_rises_together(candidates, index, cover, weights, sums, touched, gains):  # type: ignore[no-untyped-def]
    for position in prange(candidates.size):
        worker = get_thread_id()
        gains[position] = _posting_rise(candidates[position], index, cover, weights, sums[worker], touched[worker])


@njit(cache=True)
def _posting_rises_alone(candidates, index, cover, weights, sums, touched, gains):  # type: ignore[no-untyped-def]
    for position in range(candidates.size):
        gains[position] = _posting_rise(candidates[position], index, cover, weights, sums[0], touched[0])


def posting_rises(candidates: Any, index: Any, cover: Any, weights: Any, sums: Any, touched: Any, gains: Any) -> None:
    """`gains` (m,) by the inverted index; `sums` and `touched` (threads, n) are scratch, `sums` zero between calls."""
    loop = _posting_rises_together if len(candidates) > FEW_WALKS else _posting_rises_alone
    loop(candidates, index, cover, weights, sums, touched, gains)


@njit(cache=True)
def posting_line(candidate, index, sums, touched, line):  # type: ignore[no-untyped-def]
    """The candidate's similarities to all rows into `line` (n,), zero before."""
    for place in range(_walk(candidate, index, sums[0], touched[0])):
        row = touched[0, place]
        line[row] = sums[0, row]
        sums[0, row] = 0.0


@njit(cache=True)
def posting_raise(candidates, index, sums, touched, cover, weights, gains):  # type: ignore[no-untyped-def]
    """Raises `cover` by these candidates, one after another; writes the weighted rise of each to `gains` (m,)."""
    for position in range(candidates.size):
        total = 0.0
        for place in range(_walk(candidates[position], index, sums[0], touched[0])):
            row = touched[0, place]
            similarity = np.float32(sums[0, row])
            if similarity > cover[row]:
                total += weights[row] * (np.float64(similarity) - np.float64(cover[row]))
                cover[row] = similarity
            sums[0, row] = 0.0
        gains[position] = total


@njit(cache=True, nogil=True)
def posting_collect(candidates, index, cover, sums, touched, ends, rows, similarities):  # type: ignore[no-untyped-def]
    """Writes the rows that each candidate would raise, and their similarities, one candidate after another up to its `ends` (m,)."""
    at = 0
    for position in range(candidates.size):
        for place in range(_walk(candidates[position], index, sums, touched)):
            row = touched[place]
            rows[at] = row
            similarities[at] = sums[row]
            at += similarities[at] > cover[row]  # overwritten by the next one where it does not count
            sums[row] = 0.0
        ends[position] = at

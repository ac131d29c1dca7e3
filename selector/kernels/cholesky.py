"""The incremental Cholesky factor in compiled code: entries of the kernel and forward substitution."""

from __future__ import annotations

import numpy as np
from numba import njit

from selector.kernels.inner import add_eight
from selector.kernels.lines import pick_line, read, write

FAST = {"reassoc", "contract"}
NUMBER = 8  # bytes
SPAN = 512  # numbers of four picks' lines, which stay in the innermost cache for all rows


@njit(cache=True, fastmath=FAST)
def dot(left, right):  # type: ignore[no-untyped-def]
    """The inner product in float64."""
    total = 0.0
    for place in range(left.size):
        total += np.float64(left[place]) * np.float64(right[place])
    return total


@njit(cache=True)
def sparse_dot(left, right, indptr, columns, values):  # type: ignore[no-untyped-def]
    """The inner product of two CSR rows with sorted columns."""
    here, there, total = indptr[left], indptr[right], 0.0
    while here < indptr[left + 1] and there < indptr[right + 1]:
        if columns[here] == columns[there]:
            total += np.float64(values[here]) * np.float64(values[there])
            here += 1
            there += 1
        elif columns[here] < columns[there]:
            here += 1
        else:
            there += 1
    return total


@njit(cache=True)
def entry(inner, left_norm, right_norm, scale, width):  # type: ignore[no-untyped-def]
    """K: exp(-width |x - y|^2) for a width above 0, else scale x . y."""
    if width > 0.0:
        return np.exp(-width * max(0.0, left_norm + right_norm - 2.0 * inner))
    return scale * inner


@njit(cache=True)
def dense_norms(data):  # type: ignore[no-untyped-def]
    """(n,) squared lengths, by the same sum as `dot`: a row and its copy are at distance 0."""
    norms = np.empty(data.shape[0])
    for row in range(norms.size):
        norms[row] = dot(data[row], data[row])
    return norms


@njit(cache=True)
def sparse_norms(indptr, columns, values):  # type: ignore[no-untyped-def]
    """(n,) squared lengths."""
    norms = np.empty(indptr.size - 1)
    for row in range(norms.size):
        norms[row] = sparse_dot(row, row, indptr, columns, values)
    return norms


@njit(cache=True, nogil=True)
def dense_entries(rows, data, picked, picks, norms, scale, width, quality, seen, work):  # type: ignore[no-untyped-def]
    """Writes q K q of each row with the picks since it was `seen` into `work` (m, k), two rows and four picks at a time.

    `rows` (m,) are in order of `seen`; `picked` (room, d) holds the picks' vectors.
    """
    own, sums, last, width_of = np.empty((rows.size, data.shape[1])), np.empty((2, 4)), picks.size - 1, NUMBER * data.shape[1]
    for place in range(rows.size):
        own[place] = data[rows[place]]
    theirs = picked.ctypes.data
    for block in range(seen[rows[0]] // 4 * 4, picks.size, 4):
        mine = own.ctypes.data  # asked for here: numba frees an array after its last use, and does not see that an address is one
        w, x = theirs + width_of * block, theirs + width_of * min(block + 1, last)
        y, z = theirs + width_of * min(block + 2, last), theirs + width_of * min(block + 3, last)
        for first in range(0, rows.size, 2):
            if seen[rows[first]] >= block + 4:
                break
            most = min(first + 1, rows.size - 1)
            sums[:] = 0.0
            add_eight(mine + width_of * first, mine + width_of * most, w, x, y, z, data.shape[1], sums.ctypes.data)
            for line in range(first, most + 1):
                for place in range(block, min(block + 4, picks.size)):
                    work[line, place] = sums[line - first, place - block]
    for line in range(rows.size):
        row = rows[line]
        for place in range(seen[row], picks.size):
            pick = picks[place]
            work[line, place] = quality[row] * entry(work[line, place], norms[row], norms[pick], scale, width) * quality[pick]


@njit(cache=True, nogil=True)
def sparse_entries(rows, indptr, columns, values, picks, norms, scale, width, quality, seen, work):  # type: ignore[no-untyped-def]
    """As `dense_entries`, for CSR rows."""
    for line in range(rows.size):
        row = rows[line]
        for place in range(seen[row], picks.size):
            inner = sparse_dot(row, picks[place], indptr, columns, values)
            value = entry(inner, norms[row], norms[picks[place]], scale, width)
            work[line, place] = quality[row] * value * quality[picks[place]]


@njit(cache=True, nogil=True)
def substitute(rows, picks, pivots, seen, first_pages, following, numbers, residual, work):  # type: ignore[no-untyped-def]
    """Turns the entries in `work` (m, k) into the rows' lines of the factor (Chen et al. 2018, eq. 8); a pivot of 0 spans nothing.

    Lines lie as in kernels.lines. `rows` (m,) are in order of `seen`. Two rows and four picks at a time, from multiples of four on: no
    sum of a row hangs on what is asked with it, or on what it had seen.
    """
    sums, last, length = np.empty((rows.size + 1, 4)), picks.size - 1, NUMBER * work.shape[1]
    mine, theirs = work.ctypes.data, numbers.ctypes.data
    for line in range(rows.size):
        row = rows[line]
        read(first_pages[row], following, numbers, work[line, : seen[row]])
    for block in range(seen[rows[0]] // 4 * 4, picks.size, 4):
        active = 0
        while active < rows.size and seen[rows[active]] < block + 4:
            active += 1
        w, x = theirs + NUMBER * pick_line(block, numbers), theirs + NUMBER * pick_line(min(block + 1, last), numbers)
        y, z = theirs + NUMBER * pick_line(min(block + 2, last), numbers), theirs + NUMBER * pick_line(min(block + 3, last), numbers)
        sums[:] = 0.0
        for start in range(0, block, SPAN):
            count, on = min(SPAN, block - start), NUMBER * start
            for first in range(0, active, 2):
                a, b = mine + length * first + on, mine + length * min(first + 1, active - 1) + on
                add_eight(a, b, w + on, x + on, y + on, z + on, count, sums[first:].ctypes.data)
        for line in range(active):
            row = rows[line]
            for place in range(max(block, seen[row]), min(block + 4, picks.size)):
                total, own = sums[line, place - block], pick_line(place, numbers)
                for before in range(block, place):
                    total += work[line, before] * numbers[own + before]
                value = 0.0 if pivots[place] == 0.0 else (work[line, place] - total) / pivots[place]
                work[line, place] = value
                residual[row] -= value * value
    for line in range(rows.size):
        row = rows[line]
        write(first_pages[row], following, numbers, work[line], seen[row])
        residual[row], seen[row] = max(residual[row], 0.0), picks.size

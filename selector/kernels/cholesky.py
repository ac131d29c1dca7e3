"""The incremental Cholesky factor in compiled code: entries of the kernel, forward substitution, and lines that lie one after another."""

from __future__ import annotations

import numpy as np
from numba import njit

FAST = {"reassoc", "contract"}


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


@njit(cache=True, fastmath=FAST)
def _dense_row(row, data, picked, picks, norms, scale, width, quality, seen, start, lines):  # type: ignore[no-untyped-def]
    own, place = data[row].astype(np.float64), seen[row]
    while place < picks.size:
        together = 4 if place + 4 <= picks.size else 1
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        one = picked[place]
        if together == 4:
            two, three, four = picked[place + 1], picked[place + 2], picked[place + 3]
            for column in range(own.size):
                first += own[column] * one[column]
                second += own[column] * two[column]
                third += own[column] * three[column]
                fourth += own[column] * four[column]
        else:
            for column in range(own.size):
                first += own[column] * one[column]
        inner = (first, second, third, fourth)
        for step in range(together):
            pick = picks[place + step]
            value = entry(inner[step], norms[row], norms[pick], scale, width)
            lines[start[row] + place + step] = quality[row] * value * quality[pick]
        place += together


@njit(cache=True, nogil=True)
def dense_entries(rows, data, picked, picks, norms, scale, width, quality, seen, start, lines):  # type: ignore[no-untyped-def]
    """Writes q K q of each row with the picks since it was `seen` into its line; `picked` (room, d) holds the picks' vectors."""
    for row in rows:
        _dense_row(row, data, picked, picks, norms, scale, width, quality, seen, start, lines)


@njit(cache=True)
def _sparse_row(row, indptr, columns, values, picks, norms, scale, width, quality, seen, start, lines):  # type: ignore[no-untyped-def]
    for place in range(seen[row], picks.size):
        inner = sparse_dot(row, picks[place], indptr, columns, values)
        value = entry(inner, norms[row], norms[picks[place]], scale, width)
        lines[start[row] + place] = quality[row] * value * quality[picks[place]]


@njit(cache=True, nogil=True)
def sparse_entries(rows, indptr, columns, values, picks, norms, scale, width, quality, seen, start, lines):  # type: ignore[no-untyped-def]
    """As `dense_entries`, for CSR rows."""
    for row in rows:
        _sparse_row(row, indptr, columns, values, picks, norms, scale, width, quality, seen, start, lines)


@njit(cache=True, fastmath=FAST)
def _substitute_row(row, picks, pivots, seen, start, lines, residual):  # type: ignore[no-untyped-def]
    own, left, place = start[row], residual[row], seen[row]
    while place < picks.size:
        together = min(4, picks.size - place)
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        # Slices, since an index that might be negative keeps the compiler from vectors.
        mine, a = lines[own : own + place], start[picks[place]]
        one = lines[a : a + place]
        if together == 4:
            b, c, d = start[picks[place + 1]], start[picks[place + 2]], start[picks[place + 3]]
            two, three, four = lines[b : b + place], lines[c : c + place], lines[d : d + place]
            for before in range(mine.size):
                first += mine[before] * one[before]
                second += mine[before] * two[before]
                third += mine[before] * three[before]
                fourth += mine[before] * four[before]
        else:
            together = 1
            for before in range(mine.size):
                first += mine[before] * one[before]
        sums = (first, second, third, fourth)
        for step in range(together):
            at = place + step
            total = sums[step]
            for before in range(place, at):
                total += lines[own + before] * lines[start[picks[at]] + before]
            value = 0.0 if pivots[at] == 0.0 else (lines[own + at] - total) / pivots[at]
            lines[own + at] = value
            left -= value * value
        place += together
    residual[row], seen[row] = max(left, 0.0), picks.size


@njit(cache=True, nogil=True)
def substitute(rows, picks, pivots, seen, start, lines, residual):  # type: ignore[no-untyped-def]
    """Turns the entries since `seen` into the row's line of the factor (Chen et al. 2018, eq. 8); a pivot of 0 spans nothing."""
    for row in rows:
        _substitute_row(row, picks, pivots, seen, start, lines, residual)


@njit(cache=True)
def make_room(rows, need, top, start, room, seen, lines):  # type: ignore[no-untyped-def]
    """Moves every row whose line has no room for `need` numbers behind `top`; returns the new top. The caller knows that it fits."""
    for row in rows:
        if room[row] < need:
            for place in range(seen[row]):
                lines[top + place] = lines[start[row] + place]
            start[row], room[row] = top, need
            top += need
    return top


@njit(cache=True)
def close_gaps(order, start, room, seen, lines):  # type: ignore[no-untyped-def]
    """Slides the lines of the rows in `order` (ascending starts) together, without spare room; returns the new top."""
    top = 0
    for row in order:
        for place in range(seen[row]):
            lines[top + place] = lines[start[row] + place]
        start[row], room[row] = top, seen[row]
        top += seen[row]
    return top

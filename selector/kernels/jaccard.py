"""Near duplicates' inner loops: sets of shingles as sorted numbers, and the search for an earlier set that is similar enough.

A shingle is a number of 64 bits: 8 bits that say how frequent it is (by buckets, so a little too much at times), then 56 bits of
hash. Sorted, a set begins with its rarest shingles. Any order that all sets share makes prefix filtering exact; this one makes it
fast. Results do not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

HASH_BITS = 56
_HASH = np.uint64((1 << HASH_BITS) - 1)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SLACK = 1e-9  # rounding in a bound may let a pair through to the exact check, never lose one


@njit(cache=True)
def _hashed(codes, first, last):  # type: ignore[no-untyped-def]
    value = np.uint64(last - first)
    for at in range(first, last):
        value = (value ^ np.uint64(codes[at])) * _ODD
        value ^= value >> np.uint64(29)
    value *= _MIX
    return (value ^ (value >> np.uint64(32))) & _HASH


@njit(cache=True, parallel=True)
def shingle(codes, text_starts, width, starts, keys):  # type: ignore[no-untyped-def]
    """Hashes of every run of `width` characters of each text, or of a shorter text whole, into `keys` from `starts` on."""
    for row in prange(len(text_starts) - 1):
        first, last = text_starts[row], text_starts[row + 1]
        span = min(width, last - first)
        for at in range(first, last - span + 1):
            keys[starts[row] + at - first] = _hashed(codes, at, at + span)


@njit(cache=True)
def count(keys, counts):  # type: ignore[no-untyped-def]
    """Adds how often each hash occurs to its bucket; the number of buckets is a power of two."""
    mask = np.uint64(len(counts) - 1)
    for at in range(len(keys)):
        counts[keys[at] & mask] += 1


@njit(cache=True, parallel=True)
def order(keys, starts, counts, sizes):  # type: ignore[no-untyped-def]
    """Makes each row's hashes a sorted set in place, rarest first; `sizes` (n,) are the sets' sizes."""
    mask = np.uint64(len(counts) - 1)
    for row in prange(len(sizes)):
        mine = keys[starts[row] : starts[row + 1]]
        for at in range(len(mine)):
            often = counts[mine[at] & mask]
            rank = often if often < 64 else min(255, 64 + int(8 * (np.log2(often) - 6)))
            mine[at] |= np.uint64(rank) << np.uint64(HASH_BITS)
        mine.sort()
        size = 0
        for at in range(len(mine)):
            if at == 0 or mine[at] != mine[at - 1]:
                mine[size] = mine[at]
                size += 1
        sizes[row] = size


@njit(cache=True)
def _shared(key):  # type: ignore[no-untyped-def]
    return key >> np.uint64(HASH_BITS) > 1  # a bucket that only one occurrence fell into holds a shingle of one row


@njit(cache=True)
def _prefix(size, threshold):  # type: ignore[no-untyped-def]
    # |x & y| >= T |x| where the Jaccard similarity is at least T: of the first |x| - ceil(T |x|) + 1 shingles one is common
    return size - max(1, int(np.ceil(threshold * size - _SLACK))) + 1


@njit(cache=True)
def count_prefixes(keys, starts, sizes, threshold, lengths):  # type: ignore[no-untyped-def]
    """`lengths` (n,): how many shingles of each row's prefix another row may share."""
    for row in range(len(sizes)):
        lengths[row] = 0
        for at in range(starts[row], starts[row] + _prefix(sizes[row], threshold)):
            lengths[row] += _shared(keys[at])


@njit(cache=True)
def write_prefixes(keys, starts, sizes, threshold, entry_keys, entry_rows, entry_places):  # type: ignore[no-untyped-def]
    """The shingles that `count_prefixes` counted, row after row: key, row, and place within the row's sorted set."""
    entry = 0
    for row in range(len(sizes)):
        for place in range(_prefix(sizes[row], threshold)):
            if _shared(keys[starts[row] + place]):
                entry_keys[entry] = keys[starts[row] + place]
                entry_rows[entry] = row
                entry_places[entry] = place
                entry += 1


@njit(cache=True)
def post(sorted_keys, by_key, group_starts, ranks):  # type: ignore[no-untyped-def]
    """For entries sorted by key, then row: where each one's key begins, and the place of each entry among the sorted."""
    begin = 0
    for at in range(len(sorted_keys)):
        if at and sorted_keys[at] != sorted_keys[at - 1]:
            begin = at
        ranks[by_key[at]] = at
        group_starts[by_key[at]] = begin


@njit(cache=True)
def _common(keys, x, x_end, y, y_end, needed):  # type: ignore[no-untyped-def]
    """Size of the intersection of two sorted runs; less than `needed` as soon as it cannot be reached."""
    common = 0
    while x < x_end and y < y_end:
        if common + min(x_end - x, y_end - y) < needed:
            return common
        if keys[x] == keys[y]:
            common += 1
            x += 1
            y += 1
        elif keys[x] < keys[y]:
            x += 1
        else:
            y += 1
    return common


@njit(cache=True)
def search(  # type: ignore[no-untyped-def]
    first,
    last,
    exempt,
    threshold,
    keys,
    starts,
    sizes,
    entry_starts,
    group_starts,
    ranks,
    rows,
    places,
    seen,
    original,
    similarity,
):
    """Going down rows first..last: `original` is the lowest earlier kept row with Jaccard similarity >= threshold, or -1.

    Kept rows are those whose `original` is -1; rows before `exempt` are kept unasked. `rows` and `places` are the entries sorted
    by key, then row; `seen` (n,) starts as -1.
    """
    for x in range(max(first, exempt), last):
        best, most = -1, 0.0
        for entry in range(entry_starts[x], entry_starts[x + 1]):
            i = places[ranks[entry]]
            for posting in range(group_starts[entry], ranks[entry]):
                y = rows[posting]
                if original[y] >= 0 or seen[y] == x or (best >= 0 and y > best):
                    continue
                seen[y] = x
                both = sizes[x] + sizes[y]
                needed = int(np.ceil(threshold / (1.0 + threshold) * both - _SLACK))
                j = places[posting]
                # (i, j) is the first shingle the two have in common: only what stands behind it can be common too
                if min(sizes[x] - i, sizes[y] - j) < needed:
                    continue
                common = _common(keys, starts[x] + i, starts[x] + sizes[x], starts[y] + j, starts[y] + sizes[y], needed)
                if common >= needed and common / (both - common) >= threshold:
                    best, most = y, common / (both - common)
        original[x], similarity[x] = best, most

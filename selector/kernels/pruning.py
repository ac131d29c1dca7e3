"""Algorithms 1 and 2 of arXiv 2505.24768 over the incidence of types: prune rows until few types are left; thin rows and keep all types.

Both delete rows one after another and never more than strata allow: stratum s keeps at least `quota[s]` rows. O(entries) each.
`indptr`, `types` are the incidence by rows (CSR); `heads`, `rows` the same by types, the rows of each type in the order in which they go.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def prune_rarest(indptr, types, heads, rows, strata, quota, queue):  # type: ignore[no-untyped-def]
    """Deletes the row whose rarest type fewest rows are left to carry, again and again, until every stratum is at its quota.

    `queue` (T,) says who goes first of types that tie. Returns the deleted rows in order, and the types left after each.
    """
    size, width = indptr.size - 1, heads.size - 1
    counts = np.diff(heads)
    most = counts.max() if width else 0
    # Types by count in doubly linked lists: a count falls by one at a time.
    first, later, earlier = np.full(most + 1, -1), np.full(width, -1), np.full(width, -1)
    for place in range(width - 1, -1, -1):
        _link(queue[place], counts[queue[place]], first, later, earlier)
    alive, stuck, spare = np.ones(size, np.bool_), np.zeros(width, np.bool_), -quota
    for row in range(size):
        spare[strata[row]] += 1
    by_stratum = np.argsort(strata, kind="mergesort")
    begins = np.searchsorted(strata[by_stratum], np.arange(quota.size + 1))
    next_row, deleted, left = heads[:-1].copy(), np.empty(size, np.int64), np.empty(size, np.int64)
    done, types_left, low = 0, np.count_nonzero(counts), 1
    for stratum in range(quota.size):
        if spare[stratum] <= 0:
            _stick(by_stratum[begins[stratum] : begins[stratum + 1]], alive, indptr, types, counts, stuck, first, later, earlier)
    while True:
        while low <= most and first[low] < 0:
            low += 1
        if low > most:
            return deleted[:done], left[:done]
        rarest = first[low]
        while not alive[rows[next_row[rarest]]]:
            next_row[rarest] += 1
        row = rows[next_row[rarest]]
        alive[row] = False
        for place in range(indptr[row], indptr[row + 1]):
            kind = types[place]
            if not stuck[kind]:
                _unlink(kind, counts[kind], first, later, earlier)
            counts[kind] -= 1
            types_left -= counts[kind] == 0
            if not stuck[kind] and counts[kind] > 0:
                _link(kind, counts[kind], first, later, earlier)
                low = min(low, counts[kind])
        deleted[done], left[done] = row, types_left
        done += 1
        stratum = strata[row]
        spare[stratum] -= 1
        if spare[stratum] == 0:
            _stick(by_stratum[begins[stratum] : begins[stratum + 1]], alive, indptr, types, counts, stuck, first, later, earlier)


@njit(cache=True)
def prune_unique(indptr, types, heads, rows, strata, quota, queue):  # type: ignore[no-untyped-def]
    """As prune_rarest, but deletes the row that takes fewest types with it: those that no other row left carries.

    `queue` (n,) says who goes first of rows that tie.
    """
    size, width = indptr.size - 1, heads.size - 1
    counts, sums = np.diff(heads), np.zeros(width, np.int64)  # the sum of a type's rows left is the row itself once it is the only one
    for kind in range(width):
        for place in range(heads[kind], heads[kind + 1]):
            sums[kind] += rows[place]
    loss = np.zeros(size, np.int64)
    for kind in range(width):
        if counts[kind] == 1:
            loss[sums[kind]] += 1
    most = np.diff(indptr).max() if size else 0
    first, later, earlier = np.full(most + 1, -1), np.full(size, -1), np.full(size, -1)
    for place in range(size - 1, -1, -1):
        _link(queue[place], loss[queue[place]], first, later, earlier)
    spare = -quota
    for row in range(size):
        spare[strata[row]] += 1
    deleted, left = np.empty(size, np.int64), np.empty(size, np.int64)
    done, types_left, low = 0, np.count_nonzero(counts), 0
    while True:
        while low <= most and first[low] < 0:
            low += 1
        if low > most:
            return deleted[:done], left[:done]
        row = first[low]
        _unlink(row, loss[row], first, later, earlier)
        stratum = strata[row]
        if spare[stratum] <= 0:  # this row stays for good
            continue
        for place in range(indptr[row], indptr[row + 1]):
            kind = types[place]
            counts[kind] -= 1
            sums[kind] -= row
            types_left -= counts[kind] == 0
            if counts[kind] == 1:
                only = sums[kind]
                linked = later[only] >= 0 or earlier[only] >= 0 or first[loss[only]] == only
                if linked:
                    _unlink(only, loss[only], first, later, earlier)
                loss[only] += 1
                if linked:
                    _link(only, loss[only], first, later, earlier)
        spare[stratum] -= 1
        deleted[done], left[done] = row, types_left
        done += 1


@njit(cache=True)
def thin(indptr, types, strata, quota, floor, order):  # type: ignore[no-untyped-def]
    """Deletes rows in this `order` (m,) while each of their types keeps `floor` rows and their stratum its quota; whether each stays."""
    counts, spare = np.zeros(floor.size, np.int64), -quota
    stays = np.zeros(indptr.size - 1, np.bool_)
    for row in order:
        stays[row] = True
        spare[strata[row]] += 1
        for place in range(indptr[row], indptr[row + 1]):
            counts[types[place]] += 1
    for row in order:
        if spare[strata[row]] <= 0:
            continue
        enough = True
        for place in range(indptr[row], indptr[row + 1]):
            if counts[types[place]] <= floor[types[place]]:
                enough = False
                break
        if enough:
            stays[row] = False
            spare[strata[row]] -= 1
            for place in range(indptr[row], indptr[row + 1]):
                counts[types[place]] -= 1
    return stays


@njit(cache=True)
def _link(one, at, first, later, earlier):  # type: ignore[no-untyped-def]
    """To the front of the list `at`."""
    later[one], earlier[one] = first[at], -1
    if first[at] >= 0:
        earlier[first[at]] = one
    first[at] = one


@njit(cache=True)
def _unlink(one, at, first, later, earlier):  # type: ignore[no-untyped-def]
    if earlier[one] >= 0:
        later[earlier[one]] = later[one]
    else:
        first[at] = later[one]
    if later[one] >= 0:
        earlier[later[one]] = earlier[one]
    later[one], earlier[one] = -1, -1


@njit(cache=True)
def _stick(stratum, alive, indptr, types, counts, stuck, first, later, earlier):  # type: ignore[no-untyped-def]
    """The rows of a stratum at its quota stay, so their types can vanish no more and nobody is deleted for their sake."""
    for row in stratum:
        if alive[row]:
            for place in range(indptr[row], indptr[row + 1]):
                kind = types[place]
                if not stuck[kind]:
                    stuck[kind] = True
                    _unlink(kind, counts[kind], first, later, earlier)

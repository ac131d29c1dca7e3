"""Types take turns to give a row, which `cluster-balanced` and `k-means-medoids` share."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import LimitState, Rows


def take_turns(incidence: Any, rank: NDArray[np.int64], candidates: Rows, kept: Rows, limit: LimitState) -> Generator[tuple[int, int]]:
    """The rows that are given, and how many rows their type had before: the type that has fewest gives next, of equals the lowest.

    `incidence` (n, T) CSR of 0/1; a type gives its free row of the lowest `rank` (n,), and a row counts for each type that it carries.
    Rows of `kept` were given before. Rows without a type come after all others, by rank. O((entries + k types a row) log T).
    """
    free = np.zeros(len(rank), np.bool_)
    free[candidates[limit.allows(candidates)]] = True
    members, starts = _members(incidence, rank)
    given = np.bincount(incidence[kept].indices, minlength=incidence.shape[1])
    place = starts[:-1].copy()  # (T,) the next row of each type to be looked at
    queue = [(int(count), number) for number, count in enumerate(given)]
    heapq.heapify(queue)
    while queue and limit.full is None:
        count, number = heapq.heappop(queue)
        if count < given[number]:
            heapq.heappush(queue, (int(given[number]), number))  # it got rows by other types' turns
            continue
        while place[number] < starts[number + 1] and not free[members[place[number]]]:
            place[number] += 1
        if place[number] == starts[number + 1]:
            continue
        row = int(members[place[number]])
        yield row, count
        free[row] = False
        free[limit.add(row)] = False
        given[incidence.indices[incidence.indptr[row] : incidence.indptr[row + 1]]] += 1
        heapq.heappush(queue, (count + 1, number))
    bare = np.flatnonzero(free & (np.diff(incidence.indptr) == 0))
    for row in bare[np.argsort(rank[bare], kind="stable")].tolist():
        if limit.full is not None:
            return
        if free[row]:
            yield row, 0
            free[row] = False
            free[limit.add(row)] = False


def _members(incidence: Any, rank: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
    """Rows type after type, by rank within a type, and where each type starts (T + 1,)."""
    rows = np.repeat(np.arange(incidence.shape[0]), np.diff(incidence.indptr))
    order = np.lexsort((rank[rows], incidence.indices))
    counts = np.bincount(incidence.indices, minlength=incidence.shape[1])
    return rows[order], np.concatenate([[0], np.cumsum(counts)])

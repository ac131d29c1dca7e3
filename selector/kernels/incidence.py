"""Coverage's inner loops over the incidence of types (CSR)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def type_sums(candidates, indptr, columns, added):  # type: ignore[no-untyped-def]
    """(m,) the sum over each candidate's types of `added` (T,), what one more row adds to the type."""
    gains = np.empty(candidates.size)
    for position in range(candidates.size):
        total = 0.0
        for place in range(indptr[candidates[position]], indptr[candidates[position] + 1]):
            total += added[columns[place]]
        gains[position] = total
    return gains


@njit(cache=True)
def count_row(row, indptr, columns, counts, added, steps):  # type: ignore[no-untyped-def]
    """Counts the row's types; returns what it added. `steps` has what one more row adds to a type, by the rows that carry it."""
    total = 0.0
    for place in range(indptr[row], indptr[row + 1]):
        column = columns[place]
        total += added[column]
        counts[column] += 1
        added[column] = steps[counts[column]]
    return total

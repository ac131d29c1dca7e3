"""Coverage's inner loops over the incidence of types (CSR)."""

from __future__ import annotations

from numba import njit


@njit(cache=True)
def type_sums(candidates, indptr, columns, steps, gains):  # type: ignore[no-untyped-def]
    """`gains` (m,): the sum over each candidate's types of `steps` (T,), what one more row adds to the type."""
    for position in range(candidates.size):
        total = 0.0
        for place in range(indptr[candidates[position]], indptr[candidates[position] + 1]):
            total += steps[columns[place]]
        gains[position] = total

"""The incremental Cholesky factor's inner loop."""

from __future__ import annotations

from numba import njit, prange


@njit(cache=True, parallel=True)
def extend_factor(rows, chosen, seen, entries, factor, slot, depth, residual):  # type: ignore[no-untyped-def]
    """Brings each row's line of `factor` and its `residual` up to all `chosen` picks.

    `entries` (m, picks - seen) are the rows' kernel entries with the picks from `seen` on.
    """
    for position in prange(rows.size):
        row = rows[position]
        line = factor[slot[row]]
        for pick in range(depth[row], chosen.size):
            pivot_line = factor[slot[chosen[pick]]]
            total = entries[position, pick - seen]
            for before in range(pick):
                total -= pivot_line[before] * line[before]
            pivot = pivot_line[pick]
            line[pick] = total / pivot if pivot > 1e-6 else 0.0
            residual[row] -= line[pick] * line[pick]
        residual[row] = max(residual[row], 0.0)
        depth[row] = chosen.size

"""The lazy race over kept similarities in compiled code: one gain after another until a fresh one wins under the tie rule."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains
from selector.kernels.queue import Queue, leftmost, put
from selector.kernels.rise import kept_rise
from selector.kernels.sweep import Kept
from selector.ties import EXCLUDED, LOWEST, TOLERANCE


def winner(queue: Queue, stamp: int, worth: Gains, kept: Kept, cover: NDArray[np.float32], weights: Gains) -> tuple[int, int]:
    """The row that wins beside a set of `stamp` rows, -1 where every row is excluded, and how many gains were asked for.

    The row of `Queue.winner` asked again and again; O(log n) and a walk over its kept similarities for each gain.
    """
    row, asked = _winner(queue.tree, queue.levels, queue.stamp, queue.lowered, stamp, worth, kept, cover, weights)
    return int(row), int(asked)


@njit(cache=True)
def _winner(tree, levels, stamps, lowered, stamp, worth, kept, cover, weights):  # type: ignore[no-untyped-def]
    asked, one, key = 0, np.empty(1, np.int64), np.empty(1, np.float64)
    while tree[-1] != EXCLUDED:
        row = leftmost(tree, levels, max(tree[-1] - TOLERANCE * abs(tree[-1]), LOWEST))
        if stamps[row] == stamp:
            best = leftmost(tree, levels, tree[-1])
            if stamps[best] == stamp:
                return row, asked
            row = best
        one[0], key[0] = row, max(kept_rise(row, kept, cover, weights) * worth[row], LOWEST)
        put(tree, levels, one, key)
        stamps[row] = lowered[row] = stamp
        asked += 1
    return -1, asked

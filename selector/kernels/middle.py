"""The mean of all rows, and how far each row goes its way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Similarity
from selector.features import SparseVectors, Vectors

AT_ONCE = 8192  # rows multiplied in float64


def middle(vectors: Similarity) -> tuple[Gains, float]:
    """(n,) inner product of each row with the mean of all rows, and the mean's squared length. O(n d)."""
    if isinstance(vectors, SparseVectors):
        mean = np.asarray(vectors.data.sum(axis=0, dtype=np.float64)).ravel() / max(1, vectors.size)
        return np.asarray(vectors.data @ mean, np.float64), float(mean @ mean)
    assert isinstance(vectors, Vectors)
    mean = vectors.data.mean(axis=0, dtype=np.float64)
    parts = [_times(vectors.data[first : first + AT_ONCE], mean) for first in range(0, vectors.size, AT_ONCE)]
    return np.concatenate(parts), float(mean @ mean)


def _times(rows: NDArray[np.float32], mean: NDArray[np.float64]) -> Any:
    return rows.astype(np.float64) @ mean

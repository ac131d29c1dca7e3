"""k-means cells of many rows by scikit-learn's MiniBatchKMeans, the same for any thread count."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Rows, Similarity
from selector.errors import MemoryForecast, size
from selector.features import SparseVectors, Vectors

log = logging.getLogger(__name__)

BATCH = 4096  # rows of a batch, at least
SPREAD = 1000  # centres up to which k-means++ finds the first ones; beyond, rows drawn at random are as good and cost nothing
AT_ONCE = 8192  # rows


def cells(vectors: Similarity, rows: Rows, count: int, seed: int, passes: int, memory: int) -> tuple[NDArray[np.int64], Gains]:
    """(m,) the cell of each of `rows`, below `count` (some may hold none), and (m,) its distance |x - c|^2 / 2 to the cell's mean.

    MiniBatchKMeans (Sculley 2010) for `passes` passes in batches of max(4,096, `count`) rows, never ended early: what would end it is a
    sum whose last bits depend on threads. O(m count d passes) time; 8 count d bytes beside the rows. Raises MemoryForecast where these
    pass `memory`.
    """
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    assert isinstance(vectors, (Vectors, SparseVectors))
    needed = 8 * count * vectors.dimensions
    if needed > memory:
        raise MemoryForecast(
            f"{count:,} centres of {vectors.dimensions:,} dimensions take {size(needed)} but the memory option leaves them {size(memory)}; "
            "ask for fewer rows, raise --memory, or use the vectors of another layer (macro)."
        )
    began = time.monotonic()
    some = vectors.data if len(rows) == vectors.size else vectors.data[rows]
    data = _csr(some) if isinstance(vectors, SparseVectors) else some
    model = MiniBatchKMeans(
        count, init="k-means++" if count <= SPREAD else "random", n_init=1, max_iter=passes, batch_size=max(BATCH, count), tol=0.0,
        max_no_improvement=None, random_state=seed % 2**32, compute_labels=False,
    )  # fmt: skip
    with threadpool_limits(1, "blas"):
        labels = np.asarray(model.fit(data).predict(data), np.int64)
    distances = _distances(some, labels, count)
    log.info("k-means: %d rows in %d cells of %d, %.1f s", len(rows), len(np.unique(labels)), count, time.monotonic() - began)
    return labels, distances


def _csr(data: Any) -> Any:
    """scikit-learn's compiled loops take indices of 32 bits."""
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(data, copy=False)
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix


def _distances(data: Any, labels: NDArray[np.int64], count: int) -> Gains:
    """|x - m|^2 / 2 = |x|^2 / 2 - x m + |m|^2 / 2, rounded, so that copies are at one distance whatever order their sums were made in."""
    from scipy.sparse import csr_array

    order, starts = np.argsort(labels, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=count))])
    each = csr_array((np.ones(len(order), np.float32), order, starts), shape=(count, len(order)))
    means = each @ data / np.maximum(1, np.diff(starts))[:, None]  # (count, d) float64
    means = means if isinstance(means, np.ndarray) else means.toarray()
    squares = np.einsum("kd,kd->k", means, means)
    found, longest = np.empty(len(labels)), 0.0
    for first in range(0, len(labels), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        rows, theirs = data[part], means[labels[part]]
        if isinstance(rows, np.ndarray):
            own, along = np.einsum("nd,nd->n", rows, rows, dtype=np.float64), np.einsum("nd,nd->n", rows, theirs)
        else:
            own, along = (np.asarray(one.sum(axis=1)).ravel() for one in (rows.multiply(rows), rows.multiply(theirs)))
        longest = max(longest, float(own.max(initial=0.0)))
        found[part] = (own + squares[labels[part]]) / 2 - along
    # In a unit near the largest |x|^2, 1 for unit rows, so that rows of any length are rounded alike.
    unit = 2.0 ** round(float(np.log2(longest))) if longest > 0 else 1.0
    return (np.maximum(found, 0.0, out=found) / unit).round(9) * unit

"""HDBSCAN on vectors of many dimensions: smooth, reduce, cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from selector.layers.grouping.neighbours import neighbours
from selector.layers.grouping.principal import axes, project

log = logging.getLogger(__name__)

NEIGHBOURS = 16
ROUNDS = 3
MIN_SAMPLES = 5


def density_clusters(
    vectors: NDArray[np.float32],
    min_cluster_size: int,
    reduce_to: int,
    seed: int,
    *,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.int32]:
    """(n,) cluster of each unit row, -1 for noise, by HDBSCAN (Campello et al. 2013; excess of mass, 5 samples a core).

    Distances between hundreds of dimensions are all alike, so that nearly every row is noise. First, therefore, each row is
    replaced by the mean of its 16 most similar rows, three times over (mean-shift on the neighbour graph: what belongs
    together moves together), then the `reduce_to` principal axes are kept. Fewer than twice `min_cluster_size` rows, or rows
    that are all alike, are one cluster. The same for any thread count.
    """
    from scipy.sparse import csr_array

    rows = len(vectors)
    if rows < 2 * min_cluster_size:
        return np.zeros(rows, np.int32)
    began = time.perf_counter()
    near = neighbours(vectors, NEIGHBOURS, seed, threads=threads, progress=progress)
    found = time.perf_counter()
    count = near.shape[1]
    near.sort(axis=1)  # one order of summing
    mean_of = csr_array(
        (np.full(near.size, 1 / count, np.float32), near.reshape(-1), np.arange(0, near.size + 1, count)), shape=(rows, rows)
    )
    smooth = vectors
    for _ in range(ROUNDS):
        smooth = mean_of @ smooth
        lengths = np.sqrt(np.einsum("nd,nd->n", smooth, smooth))[:, None]
        smooth /= np.where(lengths > 0, lengths, 1)
    mean, variances, columns = axes(smooth)
    if variances.sum() <= 1e-9:
        return np.zeros(rows, np.int32)
    points = project(smooth, mean, columns[:, :reduce_to])
    kept = float(variances[:reduce_to].sum() / variances.sum())
    reduced = time.perf_counter()
    labels = _hdbscan(points, min_cluster_size)
    log.info(
        "HDBSCAN: %d clusters, %.1f %% noise; %.1f s neighbours, %.1f s smoothing and %d axes (%.0f %% of the variance), %.1f s trees",
        *(labels.max() + 1, 100 * (labels < 0).mean(), found - began, reduced - found),
        *(points.shape[1], 100 * kept, time.perf_counter() - reduced),
    )
    return labels


def _hdbscan(points: NDArray[np.float32], min_cluster_size: int) -> NDArray[np.int32]:
    from fast_hdbscan import HDBSCAN

    model = HDBSCAN(min_cluster_size=min_cluster_size, min_samples=min(MIN_SAMPLES, len(points) - 1), reproducible=True)
    labels = np.asarray(model.fit(points).labels_, np.int32)
    return labels if (labels >= 0).any() else np.zeros(len(points), np.int32)

"""Vectors in two dimensions, so that rows of like meaning lie near each other."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from selector.layers.grouping.neighbours import neighbours

NEIGHBOURS = 15
FEW = 50  # rows up to which a neighbourhood says nothing: the two principal axes then


def flat(vectors: NDArray[np.float32], seed: int, threads: int) -> NDArray[np.float64]:
    """(n, 2) by UMAP (McInnes, Healy, Melville, arXiv 1802.03426) on cosine distance; the same for the same seed and vectors.

    Begins at the two principal axes; 15 neighbours, minimal distance 0.1, 200 rounds. About 12 s for 20,000 rows.
    """
    from sklearn.decomposition import PCA

    axes = (
        PCA(2, svd_solver="full" if len(vectors) <= FEW else "covariance_eigh").fit_transform(np.asarray(vectors, np.float64))
        if min(vectors.shape) >= 2
        else np.zeros((len(vectors), 2))
    )
    if len(vectors) <= FEW:
        return axes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one thread with a seed, which is what is wanted
        from umap import UMAP

        spread = np.abs(axes).max() or 1.0
        noise = np.random.default_rng(seed).normal(scale=1e-3, size=axes.shape)  # or copies would never part
        found = UMAP(
            n_neighbors=NEIGHBOURS, min_dist=0.1, n_epochs=200, metric="cosine", random_state=seed, n_jobs=1,
            init=(10 * axes / spread + noise).astype(np.float32), precomputed_knn=_nearest(vectors, seed, threads),
            force_approximation_algorithm=True,
        ).fit_transform(vectors)  # fmt: skip
    return np.asarray(found, np.float64)


def _nearest(vectors: NDArray[np.float32], seed: int, threads: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(n, 15) each row itself and then those nearest to it, nearest first, with cosine distances."""
    found = neighbours(vectors, NEIGHBOURS + 1, seed, threads=threads)
    lists, far = np.empty((len(vectors), NEIGHBOURS), np.int32), np.empty((len(vectors), NEIGHBOURS), np.float32)
    for start in range(0, len(vectors), 1024):
        rows = np.arange(start, min(start + 1024, len(vectors)))
        away = 1.0 - np.einsum("nd,nkd->nk", vectors[rows], vectors[found[rows]])
        own = found[rows] == rows[:, None]
        away[own] = -1.0
        lacks = ~own.any(axis=1)  # copies fill the list of a row: it takes the place of the last
        last = np.argmax(away[lacks], axis=1)
        lists_here = found[rows]
        lists_here[np.flatnonzero(lacks), last] = rows[lacks]
        away[np.flatnonzero(lacks), last] = -1.0
        order = np.argsort(away, axis=1, kind="stable")[:, :NEIGHBOURS]
        lists[rows] = np.take_along_axis(lists_here, order, axis=1)
        far[rows] = np.maximum(np.take_along_axis(away, order, axis=1), 0.0)
    return lists, far

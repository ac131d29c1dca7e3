"""Spherical k-means."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from selector.layers.grouping.tiles import each, tiles

log = logging.getLogger(__name__)


def kmeans(
    vectors: NDArray[np.float32], clusters: int, seed: int, *, threads: int = 0, rounds: int = 30
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(n,) cluster of each unit row and (k, d) unit centres, by Lloyd's rounds on cosine similarity (Dhillon and Modha 2001).

    Starts from k-means++ (Arthur and Vassilvitskii 2007) on max(4096, 4 k) seeded rows; stops when nothing moves or after
    `rounds`. Centres without rows are dropped, so fewer clusters than asked may come back. Zero rows join the first centre.
    O(rounds n k d) time, O(n) memory beside the vectors. The same for any thread count.
    """
    centres = _start(vectors, min(clusters, len(vectors)), seed)
    labels: NDArray[np.int32] = np.full(len(vectors), -1, np.int32)
    for done in range(rounds):
        before, (labels, _) = labels, nearest(vectors, centres, threads)
        moved = int((labels != before).sum())
        if moved == 0:
            break
        sums, sizes = totals(vectors, labels, len(centres))
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where((sizes[:, None] > 0) & (lengths > 0), sums / np.where(lengths > 0, lengths, 1), centres)
        log.debug("k-means: round %d, %d rows moved", done + 1, moved)
    used, numbered = np.unique(labels, return_inverse=True)
    log.info("k-means: %d of %d clusters hold rows after %d rounds", len(used), clusters, done + 1)
    return numbered.astype(np.int32), centres[used].astype(np.float32)


def nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32], threads: int = 0) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(n,) the most similar centre of each row, the lowest on ties, and (n,) that similarity."""
    labels, similarity = np.empty(len(vectors), np.int32), np.empty(len(vectors), np.float32)

    def one(rows: slice) -> None:
        values = vectors[rows] @ centres.T  # (tile, k)
        labels[rows] = values.argmax(axis=1)
        similarity[rows] = values.max(axis=1)

    for _ in each(one, tiles(len(vectors), len(centres)), threads):
        pass
    return labels, similarity


def totals(vectors: NDArray[np.float32], labels: NDArray[np.int32], clusters: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(k, d) sum of each cluster's rows and (k,) their number; rows labelled below 0 are left out."""
    from scipy.sparse import csr_array

    sizes = np.bincount(labels[labels >= 0], minlength=clusters)
    members = np.argsort(labels, kind="stable")[int((labels < 0).sum()) :]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return csr_array((np.ones(len(members), np.float32), members, starts), shape=(clusters, len(vectors))) @ vectors, sizes


def _start(vectors: NDArray[np.float32], clusters: int, seed: int) -> NDArray[np.float32]:
    from sklearn.cluster import kmeans_plusplus
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    size = min(len(vectors), max(4_096, 4 * clusters))
    sample = vectors[np.sort(rng.choice(len(vectors), size, replace=False))]
    with threadpool_limits(1):
        centres, _ = kmeans_plusplus(sample, clusters, random_state=int(rng.integers(2**31)))
    return np.asarray(centres, np.float32)

"""How the partitioned optimizer splits a ground set: at random, or into clusters of bounded size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows
from selector.features import Vectors
from selector.kernels import rise
from selector.layers.grouping.kmeans import kmeans, nearest

SAMPLED = 65_536  # rows from which the centres are found
ROUNDS = 10
SLACK = 1.25  # how much larger than the average a cluster may be


def at_random(rows: Rows, parts: int, rng: np.random.Generator) -> list[Rows]:
    """Parts of equal size, to a row, each ascending."""
    return [np.sort(part) for part in np.array_split(rng.permutation(rows), parts)]


def by_cluster(vectors: Vectors, rows: Rows, parts: int, rng: np.random.Generator) -> list[Rows]:
    """Parts of rows near one another, none larger than 1.25 times the average, each ascending; fewer where rows coincide.

    Spherical k-means on 65,536 seeded rows. Every row then joins its nearest centre; a centre with too many keeps the nearest of them
    (the lowest rows on ties) and closes, and the others join the nearest centre still open, and so on. O(n d parts) time a round.
    """
    seed = int(rng.integers(2**31))
    sample = np.sort(rng.choice(rows, SAMPLED, replace=False)) if len(rows) > SAMPLED else rows
    _, centres = kmeans(vectors.data[sample], parts, seed, threads=rise.threads(), rounds=ROUNDS)
    most = int(np.ceil(SLACK * len(rows) / len(centres)))
    found: NDArray[np.int64] = np.full(len(rows), -1)  # (n,) centre of each row
    sizes, open_ = np.zeros(len(centres), np.int64), np.arange(len(centres))
    left = np.arange(len(rows))  # places in `rows` without a centre
    while len(left):
        labels, similarity = _nearest(vectors, rows[left], centres[open_])
        order = np.lexsort((-similarity, labels))
        firsts = np.searchsorted(labels[order], np.arange(len(open_)))
        rank = np.arange(len(order)) - firsts[labels[order]]
        stays = order[rank < (most - sizes[open_])[labels[order]]]
        found[left[stays]] = open_[labels[stays]]
        sizes = np.bincount(found[found >= 0], minlength=len(centres))
        left, open_ = np.flatnonzero(found < 0), np.flatnonzero(sizes < most)
    return [rows[members] for one in range(len(centres)) if len(members := np.flatnonzero(found == one))]


def _nearest(vectors: Vectors, rows: Rows, centres: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The nearest centre of each row and its similarity, in runs, so that no copy of all vectors is made."""
    runs = [nearest(vectors.data[rows[first : first + SAMPLED]], centres, rise.threads()) for first in range(0, len(rows), SAMPLED)]
    return np.concatenate([labels for labels, _ in runs]), np.concatenate([similarity for _, similarity in runs])

"""Cluster labels to types: rows in no cluster, order by size, and names a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Types
from selector.features import incidence
from selector.layers.grouping.kmeans import nearest, totals

POLICIES = ("nearest", "own", "drop")
_SHOWN = 60  # characters of the typical text in a name


def as_types(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int32],
    strings: Sequence[str],
    policy: str,
    threads: int,
    facts: Mapping[str, Any],
) -> Types:
    """One type for each cluster, the largest first, named 'cluster-0001: ' and the text nearest to its mean.

    Rows labelled -1 are noise: 'nearest' puts each into the cluster whose mean vector is most similar (lowest number on ties),
    'own' makes of them one type 'noise', the last, 'drop' leaves them without a type. Sizes in the facts are before the policy.
    """
    labels = _by_size(labels)
    clusters, noise = int(labels.max(initial=-1)) + 1, labels < 0
    sums, sizes = totals(vectors, labels, clusters)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    centres = (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)  # (k, d)
    names = [f"cluster-{i + 1:04d}: {_shown(strings[row])}" for i, row in enumerate(_typical(vectors, labels, centres))]
    given = labels
    if noise.any() and policy == "nearest":
        given = labels.copy()
        given[noise] = nearest(vectors[noise], centres, threads)[0]
    elif noise.any() and policy == "own":
        given = np.where(noise, clusters, labels)
        names = [*names, "noise"]
    found = {
        "clusters": clusters,
        "noise": policy,
        "noise_rows": int(noise.sum()),
        "noise_share": round(float(noise.mean()), 4),
        "sizes": {"largest": int(sizes.max()), "median": float(np.median(sizes)), "smallest": int(sizes.min())},
    }
    rows = given[:, None]
    return Types(incidence([one[one >= 0] for one in rows], len(names)), names, {**facts, **found})


def _by_size(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same clusters numbered by falling size, equal sizes by their first row."""
    used, first, numbered, sizes = np.unique(labels[labels >= 0], return_index=True, return_inverse=True, return_counts=True)
    place = np.empty(len(used), np.int32)
    place[np.lexsort((first, -sizes))] = np.arange(len(used))
    renamed = np.full(len(labels), -1, np.int32)
    renamed[labels >= 0] = place[numbered]
    return renamed


def _typical(vectors: NDArray[np.float32], labels: NDArray[np.int32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """(k,) the row of each cluster most similar to its centre, the lowest on ties."""
    members = np.flatnonzero(labels >= 0)
    similarity = np.empty(len(members))
    for start in range(0, len(members), 8_192):
        rows = members[start : start + 8_192]
        similarity[start : start + 8_192] = np.einsum("nd,nd->n", vectors[rows], centres[labels[rows]])
    order = np.lexsort((members, -similarity, labels[members]))
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels[members], minlength=len(centres)))[:-1]])
    return members[order][starts]


def _shown(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _SHOWN else one_line[: _SHOWN - 1] + "…"

"""How far each row's nearest neighbours are, copies left aside."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from numba import njit

from selector.core import Gains, Progress, Rows, Similarity, quiet
from selector.features import SparseVectors, Vectors
from selector.kernels.neighbours import neighbour_lists

WALKED = 4 << 20  # products of sparse rows held at once


def mean_distances(vectors: Similarity, inverse: Gains, neighbours: int, seed: int, progress: Progress = quiet) -> Gains:
    """(n,) mean of 1 - cosine to the nearest `neighbours` rows that are no copies of it or of each other; 0 where there is no other kind.

    `inverse` (n,) is 1 / |x|, 0 for a zero row. Dense: exact up to 8,192 kinds of rows, approximate beyond (kernels.neighbours, drawn from
    `seed`). Sparse: exact; a row that shares nothing with so many counts the others at distance 1.
    """
    firsts, kind = _kinds(vectors)
    count = min(neighbours, len(firsts) - 1)
    if count < 1:
        return np.zeros(vectors.size)
    own = vectors if len(firsts) == vectors.size else vectors.take(firsts)
    if isinstance(own, SparseVectors):
        closeness = _sparse(own, inverse[firsts], count)
    else:
        assert isinstance(own, Vectors)
        near, similarities = neighbour_lists(own, count, seed, progress)
        there = near >= 0
        closeness = (similarities * inverse[firsts][near] * there).sum(axis=1) * inverse[firsts] / np.maximum(1, there.sum(axis=1))
    return np.maximum(0.0, 1.0 - closeness)[kind]


def _kinds(vectors: Similarity) -> tuple[Rows, Rows]:
    """The first row of each kind, ascending, and (n,) for each row the place of its kind among these."""
    data: Any = vectors.data  # type: ignore[attr-defined]
    seen: dict[bytes, int] = {}
    place, firsts = np.empty(vectors.size, np.int64), list[int]()
    for row in range(vectors.size):
        digest = blake2b(digest_size=16)
        if isinstance(vectors, SparseVectors):
            part = slice(int(data.indptr[row]), int(data.indptr[row + 1]))
            digest.update(data.indices[part].tobytes())
            digest.update(data.data[part].tobytes())
        else:
            digest.update((data[row] + 0.0).tobytes())  # -0 is 0
        place[row] = seen.setdefault(digest.digest(), len(seen))
        if len(seen) > len(firsts):
            firsts.append(row)
    return np.array(firsts, np.int64), place


def _sparse(vectors: SparseVectors, inverse: Gains, count: int) -> Gains:
    """(n,) mean cosine to the `count` nearest others."""
    rows = vectors.data
    walks = np.concatenate([[0], np.cumsum(np.diff(vectors.postings.indptr)[rows.indices], dtype=np.int64)])[rows.indptr]
    cuts = np.unique([*np.searchsorted(walks, np.arange(0, walks[-1], WALKED)), vectors.size])
    found, first = np.zeros(vectors.size), 0
    for last in cuts[cuts > 0].tolist():
        products = (rows[first:last] @ rows.T).tocsr()
        _mean_of_largest(products.indptr, products.indices, products.data, first, inverse, count, found[first:last])
        first = last
    return found


@njit(cache=True)
def _mean_of_largest(indptr, indices, values, first, inverse, count, found):  # type: ignore[no-untyped-def]
    best = np.empty(count)
    for row in range(found.size):
        best[:] = 0.0
        for at in range(indptr[row], indptr[row + 1]):
            other = indices[at]
            cosine = values[at] * inverse[other] * inverse[first + row]
            if other == first + row or cosine <= best[count - 1]:
                continue
            place = count - 1
            while place > 0 and best[place - 1] < cosine:
                best[place] = best[place - 1]
                place -= 1
            best[place] = cosine
        found[row] = best.mean()

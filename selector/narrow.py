"""A set that is narrow on purpose: as few types as the pool can be pruned to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows, Types


def narrow(types: Sequence[Types], among: Rows, cell: NDArray[np.int64], quota: NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """`quota` rows of each stratum `among` these that carry few types, ascending; `cell` (n,) is the stratum of every row.

    Algorithm 1 of arXiv 2505.24768 from `among` down to the quotas: the row whose rarest type fewest rows are left to carry goes, again
    and again; `rng` decides ties. Several `types` are taken together. Every row `among` must carry a type, and every stratum have its
    rows. O(entries).
    """
    from selector.kernels.pruning import prune_rarest

    incidence = together(types, among)
    order = rng.permutation(len(among))
    columns = incidence[order].tocsc()
    rows = order[columns.indices].astype(np.int64)  # of each type, in this order
    deleted, _ = prune_rarest(
        incidence.indptr.astype(np.int64), incidence.indices.astype(np.int64), columns.indptr.astype(np.int64), rows,
        cell[among], quota.astype(np.int64), rng.permutation(incidence.shape[1]),
    )  # fmt: skip
    left = rng.permutation(np.delete(among, deleted))  # more than the quotas: rows that carry no type which could still be got rid of
    left = left[np.argsort(cell[left], kind="stable")]
    starts = np.searchsorted(cell[left], np.arange(len(quota)))
    return np.sort(left[np.arange(len(left)) - starts[cell[left]] < quota[cell[left]]])


def together(types: Sequence[Types], rows: Rows) -> Any:
    """(rows, all types) the incidence of these rows; a type of one layer and the same of another are two."""
    from scipy.sparse import csr_array, hstack

    return csr_array(hstack([one.incidence[rows] for one in types], format="csr"))


def carried(types: Types, rows: Rows) -> int:
    """How many types these rows carry."""
    return int(np.count_nonzero(np.bincount(types.incidence[rows].indices, minlength=types.incidence.shape[1])))

"""Which rows mean what an earlier one means: cosines of embeddings within k-means cells."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Room
from selector.features import Vectors
from selector.kernels.cells import cells
from selector.kernels.factor import squared_norms
from selector.kernels.spacing import spaced, spacing

log = logging.getLogger(__name__)

CELL = 1024  # rows of a cell, on average
PASSES = 3  # of k-means over the rows
SEED = 0  # of k-means: what is dropped hangs on no seed of a recipe


@dataclass(frozen=True)
class Meaning:
    """`original[i]` is the lowest earlier kept row that row i repeats, -1 where row i is kept; `similarity` is the cosine to it."""

    original: NDArray[np.int64]  # (n,)
    similarity: Gains  # (n,) 0 where kept


def semantic(vectors: Vectors, threshold: float, exempt: int, room: Room) -> Meaning:
    """Goes down the rows of each cell and drops each one whose cosine to an earlier kept row of its cell is at least `threshold`.

    SemDeDup (Abbas et al. 2023, arXiv 2303.09540): k-means cells of some 1,024 rows (kernels.cells), pairs compared within a cell only,
    so that a pair parted by the border of two cells is not found; up to 1,024 rows are one cell. What differs: the paper goes down a cell
    from the row farthest from its centre and drops what is similar to any row before it, dropped or not; here rows stand in their own
    order, as for exact and near copies, so that the lowest row stays whatever else is in the pool, and a dropped row is nobody's
    original, so that nothing goes that has no like among what stays. The first `exempt` rows are kept unasked. A zero row is like
    nothing. O(n 1024 d + 3 n cells d) time, O(n) memory beside the vectors. Raises MemoryForecast as kernels.cells does.
    """
    n = vectors.size
    lengths = np.sqrt(squared_norms(vectors))
    rows = np.flatnonzero(lengths > 0)
    labels = np.zeros(n, np.int64)
    if len(rows) > CELL:
        room.progress("semantic cells", 0, 0)
        labels[rows], _ = cells(vectors, rows, -(-len(rows) // CELL), SEED, PASSES, room.memory)
    inverse = np.where(lengths > 0, 1 / np.where(lengths > 0, lengths, 1.0), 0.0)
    levels = threshold * lengths * (1 - 1e-9)  # a row and its copy have a cosine of 1, but for the last bit
    rule, free = spacing(vectors, levels, factors=inverse), np.ones(n, np.bool_)
    members = rows[np.argsort(labels[rows], kind="stable")]
    ends = np.cumsum(np.bincount(labels[rows], minlength=1))
    for cell, end in enumerate(ends.tolist()):
        own = members[ends[cell - 1] if cell else 0 : end]
        for _ in spaced(rule, own[own >= exempt], own[own < exempt], free):
            pass
        room.progress("semantic duplicates", end, len(rows))
    repeats = (rule.original >= 0) & (rule.original != np.arange(n))
    log.info("semantic duplicates: %d of %d rows in %d cells", int(repeats.sum()), n, len(ends))
    found = np.flatnonzero(repeats)
    return Meaning(np.where(repeats, rule.original, -1), _cosines(vectors, inverse, found, rule.original[found], n))


def _cosines(vectors: Vectors, inverse: Gains, rows: NDArray[np.int64], others: NDArray[np.int64], size: int) -> Gains:
    """(n,) of each of `rows` with its other, 0 elsewhere."""
    found = np.zeros(size)
    data = vectors.data
    for first in range(0, len(rows), 8192):
        left, right = rows[first : first + 8192], others[first : first + 8192]
        found[left] = np.einsum("nd,nd->n", data[left], data[right], dtype=np.float64) * inverse[left] * inverse[right]
    return found

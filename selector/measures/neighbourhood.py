"""Neighbourhood: how near each row's nearest neighbour in the set is, and how well rows can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import Aspect, Reading, Rows, Scale
from selector.features import as_dense

NEAR = 0.95  # similarity from which a row is a near-duplicate of another
TALL, WIDE = 512, 2048  # rows of a strip and of a tile across it


@dataclass(frozen=True)
class Neighbourhood:
    """Distance to the nearest neighbour within the set, share of near-duplicates, and DCScore, from one pass over all pairs.

    With s_ij the similarity of two rows of the set (the cosine):
    nearest-neighbour distance = the mean over i of 1 - max_{j != i} s_ij. Larger is more diverse (less redundant).
    near-duplicate share = the share of rows with another row of similarity 0.95 or more (the encoder decides what that means; semantic
    duplicates as in SemDeDup, arXiv 2303.09540). Smaller is more diverse.
    DCScore = sum_i exp(s_ii) / sum_j exp(s_ij) (Zhu et al., arXiv 2502.08512, cosine kernel, temperature 1): how well each row is
    recognised among all; from 1 to n, and near e at most where rows are many and hardly similar. Larger is more diverse.
    None is in the paper. Exact; O(n^2 d / 2) time in tiles of 4 MiB.
    """

    layer: str = "macro"
    layers: ClassVar[tuple[str, ...]] = ("macro",)
    scales: ClassVar[tuple[Scale, ...]] = (
        Scale("nearest-neighbour distance", 1),
        Scale("near-duplicate share", -1),
        Scale("DCScore", 1),
    )

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        data = as_dense(aspect.vectors(self.layer), f"the layer '{self.layer}', which the measure 'neighbourhood' reads,").data

        def read(rows: Rows) -> list[Reading]:
            here, size = data[rows], len(rows)
            nearest = np.full(size, -np.inf, np.float32)  # (m,) similarity of each row to its nearest other one
            own, others = np.exp(np.einsum("nd,nd->n", here, here, dtype=np.float64)), np.zeros(size)
            for first in range(0, size, TALL):
                above = slice(first, first + TALL)
                for start in range(first, size, WIDE):
                    across = slice(start, start + WIDE)
                    tile = here[above] @ here[across].T  # each pair once: right of the diagonal
                    if start == first:
                        tile[np.tril_indices(len(tile), m=tile.shape[1])] = -np.inf
                    nearest[above] = np.maximum(nearest[above], tile.max(axis=1))
                    nearest[across] = np.maximum(nearest[across], tile.max(axis=0))
                    np.exp(tile, out=tile)
                    others[above] += tile.sum(axis=1, dtype=np.float64)
                    others[across] += tile.sum(axis=0, dtype=np.float64)
            return [
                Reading(float(1 - nearest.mean(dtype=np.float64))),
                Reading(float((nearest >= NEAR).mean())),
                Reading(float((own / (own + others)).sum())),
            ]

        return read

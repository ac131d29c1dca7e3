"""Neighbourhood: how near each row's nearest neighbour in the set is, and how well rows can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import Aspect, Reading, Rows, Scale

NEAR = 0.95  # similarity from which a row is a near-duplicate of another
TILE = 4 << 20  # bytes of similarities at once


@dataclass(frozen=True)
class Neighbourhood:
    """Distance to the nearest neighbour within the set, share of near-duplicates, and DCScore, from one pass over all pairs.

    With s_ij the similarity of two rows of the set (the cosine):
    nearest-neighbour distance = the mean over i of 1 - max_{j != i} s_ij. Larger is more diverse (less redundant).
    near-duplicate share = the share of rows with another row of similarity 0.95 or more (the encoder decides what that means; semantic
    duplicates as in SemDeDup, arXiv 2303.09540). Smaller is more diverse.
    DCScore = sum_i exp(s_ii) / sum_j exp(s_ij) (Zhu et al., arXiv 2502.08512, cosine kernel, temperature 1): how well each row is
    recognised among all; from 1 to n, and near e at most where rows are many and hardly similar. Larger is more diverse.
    None is in the paper. Exact; O(n^2 d) time in tiles of 4 MiB.
    """

    layer: str = "macro"
    layers: ClassVar[tuple[str, ...]] = ("macro",)
    scales: ClassVar[tuple[Scale, ...]] = (
        Scale("nearest-neighbour distance", 1),
        Scale("near-duplicate share", -1),
        Scale("DCScore", 1),
    )

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        vectors = aspect.vectors(self.layer)

        def read(rows: Rows) -> list[Reading]:
            here = vectors.take(rows)
            nearest = np.full(len(rows), -np.inf, np.float32)  # (m,) similarity of each row to its nearest other one
            own, sums = np.empty(len(rows)), np.zeros(len(rows))
            for block in here.blocks(np.arange(len(rows)), TILE):
                tile, first = block.values, block.first_row
                at = np.arange(block.candidates.start, block.candidates.stop)
                inside = np.flatnonzero((at >= first) & (at < first + tile.shape[1]))  # lines whose own row stands in this tile
                itself = inside, at[inside] - first
                own[at[inside]] = tile[itself]
                tile[itself] = -np.inf
                nearest[at] = np.maximum(nearest[at], tile.max(axis=1))
                np.exp(tile, out=tile)
                sums[at] += tile.sum(axis=1, dtype=np.float64)
            itself_known = np.exp(own)
            return [
                Reading(float(1 - nearest.mean(dtype=np.float64))),
                Reading(float((nearest >= NEAR).mean())),
                Reading(float((itself_known / (itself_known + sums)).sum())),
            ]

        return read

"""Pool coverage: how well a set stands for the pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import Aspect, Reading, Rows, Scale
from selector.features import as_dense
from selector.measures.novelty import sampled_mean

SAMPLED = 4096  # rows of the pool that stand for all
AT_ONCE = 512  # rows


@dataclass(frozen=True)
class PoolCoverage:
    """Facility-location coverage: the similarity of a row of the pool to the row of the set that is nearest to it, on average.

    The mean over the rows i of the pool of max(0, max_{j in S} s_ij) (Lindgren et al. 2016, eq. 1, divided by the size of the pool):
    what the objective `facility-location` makes large; a row of the set covers itself with 1. Larger: the set leaves less of the pool
    without a row like it. Not in the paper. Where the pool has more than 4,096 rows, so many drawn by the seed, the same for every
    set, stand for all, and the standard error says how far that may be off. O(4096 m d) for a set of m rows.
    """

    layer: str = "macro"
    layers: ClassVar[tuple[str, ...]] = ("macro",)
    scales: ClassVar[tuple[Scale, ...]] = (Scale("pool coverage", 1, judged=True),)

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        data = as_dense(aspect.vectors(self.layer), f"the layer '{self.layer}', which the measure 'pool-coverage' reads,").data
        sample = data[np.sort(np.random.default_rng(aspect.seed).permutation(aspect.pool)[:SAMPLED])]

        def read(rows: Rows) -> list[Reading]:
            cover = np.zeros(len(sample), np.float32)
            for first in range(0, len(rows), AT_ONCE):
                np.maximum(cover, (data[rows[first : first + AT_ONCE]] @ sample.T).max(axis=0), out=cover)
            return [sampled_mean(cover.astype(np.float64), len(aspect.pool))]

        return read

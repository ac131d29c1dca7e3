"""Novelty: how far each row is from the others of the set, those near it and those of crowded regions counting more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import Aspect, Gains, Reading, Rows, Scale
from selector.features import as_dense

SAMPLED = 512  # rows of the set whose novelty is found
NEIGHBOURS, BETA = 10, 0.5  # K and beta of the paper; alpha is 1
AMONG = 8192  # rows of the pool among which neighbours are looked for
LEAST = 1e-3  # mean distance to neighbours that are copies: below it lies the rounding of vectors
AT_ONCE = 128  # rows


@dataclass(frozen=True)
class Novelty:
    """NovelSum: distances within the set, where near rows and rows of dense regions of the pool count more.

    v_i = sum_j w_ij sigma_j^beta d_ij / sum_j w_ij over the other rows j of the set, d_ij = 1 - s_ij, w_ij = 1 / (rank of j among the
    rows by distance from i), sigma_j = 1 / mean distance of j to its 10 nearest rows of the pool, copies counted once, beta = 0.5; the
    value is the mean of v_i (Yang et al., arXiv 2502.17184, with alpha = 1; as a weighted mean without the row itself, as their published
    code has it). Larger is more diverse; in that study it went with the scores of tuned models at .97. Not in arXiv 2505.24768.
    Where the set has more than 512 rows, v_i is found for 512 of them drawn by the seed, against all others, and the standard error says
    how far that may be off. Where the pool has more than 8,192 rows, neighbours are looked for among so many drawn by the seed: a
    density at a coarser scale, the same for all sets. A mean distance below 0.001 counts as 0.001.
    O(n 8192 d) once, then O(512 m (d + log m)) for a set of m rows.
    """

    layer: str = "macro"
    layers: ClassVar[tuple[str, ...]] = ("macro",)
    scales: ClassVar[tuple[Scale, ...]] = (Scale("NovelSum", 1),)

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        data = as_dense(aspect.vectors(self.layer), f"the layer '{self.layer}', which the measure 'novelty' reads,").data
        weights = _crowded(data, aspect) ** BETA  # (n,) sigma^beta

        def read(rows: Rows) -> list[Reading]:
            here, size = data[rows], len(rows)
            chosen = np.sort(np.random.default_rng(aspect.seed).permutation(size)[:SAMPLED])
            ranks = 1 / np.arange(1, size)
            found = [_novelty(here, some, weights[rows], ranks) for some in np.array_split(chosen, -(-len(chosen) // AT_ONCE))]
            return [sampled_mean(np.concatenate(found), size)]

        return read


def sampled_mean(values: Gains, size: int) -> Reading:
    """The mean of a sample drawn without replacement from `size` values, with its standard error; exact where it is all of them."""
    mean, drawn = float(values.mean()), len(values)
    if drawn == size:
        return Reading(mean)
    return Reading(mean, float(values.std(ddof=1) * np.sqrt((1 - drawn / size) / drawn)))


def _novelty(here: NDArray[np.float32], some: Rows, weights: Gains, ranks: Gains) -> Gains:
    """(s,) v_i of some rows of a set."""
    distance = np.maximum(1 - here[some] @ here.T, 0)  # (s, m)
    distance[np.arange(len(some)), some] = np.inf
    # The bits of a number that is not negative sort as the number does: one sort orders distances with their rows, the lower on ties.
    keys = (distance.view(np.uint32).astype(np.uint64) << np.uint64(32)) | np.arange(len(here), dtype=np.uint64)
    keys.sort(axis=1)
    others = (keys[:, :-1] & np.uint64(0xFFFFFFFF)).astype(np.int64)  # all but the row itself, nearest first
    apart = (keys[:, :-1] >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return (apart * weights[others]) @ ranks / ranks.sum()


def _crowded(data: NDArray[np.float32], aspect: Aspect) -> Gains:
    """(n,) sigma: 1 / mean distance of each row to its nearest rows of the pool."""
    from threadpoolctl import threadpool_limits

    from selector.kernels.tops import largest

    kinds: dict[bytes, int] = {}  # copies are one row
    sample = np.sort(np.random.default_rng(aspect.seed).permutation(aspect.pool)[:AMONG])
    for row in sample:
        kinds.setdefault(_key(data[row]), len(kinds))
    itself = np.array([kinds.get(_key(row), -1) for row in data])  # (n,) the place among these of each row or its copy
    theirs = np.frombuffer(b"".join(kinds), np.float32).reshape(len(kinds), -1).T  # (d, kinds)
    count = max(1, min(NEIGHBOURS, len(kinds) - 1))

    def strip(first: int) -> Gains:
        rows = slice(first, first + AT_ONCE)
        return (1 - largest(data[rows] @ theirs, itself[rows], count)).mean(axis=1, dtype=np.float64)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(aspect.threads) as team:
        distance = np.concatenate(list(team.map(strip, range(0, len(data), AT_ONCE))))
    return 1 / np.maximum(distance, LEAST)


def _key(row: NDArray[np.float32]) -> bytes:
    return (row + 0.0).tobytes()  # -0 is 0

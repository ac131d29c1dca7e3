"""Spread: how far a set's vectors reach, in how many directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import Aspect, Gains, Reading, Rows, Scale
from selector.features import as_dense

AT_ONCE = 4096  # rows in float64 at one time


@dataclass(frozen=True)
class Spread:
    """Mean distance of two rows, Vendi score and log-det distance, from the d x d Gram matrix of the vectors.

    With unit rows x_i, G = X^T X (d, d) and trace n:
    mean embedding distance = the mean of 1 - x_i . x_j over pairs i < j = 1 - (|sum_i x_i|^2 - n) / (n (n - 1)), exact without a pair.
    Larger is more diverse. Correlation with the judge's score (arXiv 2505.24768): .11 on instructions, -.44 on responses: up is no
    good news by itself.
    Vendi score = exp(-sum_k l_k ln l_k), l_k the eigenvalues of G / n, which are those of the n x n kernel X X^T / n (Friedman and
    Dieng, arXiv 2210.02410, section 3): how many different directions there are in effect, at most d. Larger is more diverse.
    log-det distance = ln(1 + n / m) - ln det(I + G) / m, m = min(n, d): how far the log-determinant of the kernel is, for each
    direction, below that of the most diverse set of the same size, whose m eigenvalues are equal; 0 at best, smaller is more diverse
    (Wang et al., arXiv 2402.02318, who take ln det of the kernel itself, which is singular where n > d; I is the ridge of `dpp`).
    Neither is in the paper. Rows without a vector are left out of the last two and have distance 1 to all others. O(n d^2 + d^3).
    """

    layer: str = "macro"
    layers: ClassVar[tuple[str, ...]] = ("macro",)
    scales: ClassVar[tuple[Scale, ...]] = (
        Scale("mean embedding distance", 1),
        Scale("Vendi score", 1, judged=True),
        Scale("log-det distance", -1),
    )

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        data = as_dense(aspect.vectors(self.layer), f"the layer '{self.layer}', which the measure 'spread' reads,").data

        def read(rows: Rows) -> list[Reading]:
            total, gram = np.zeros(data.shape[1]), np.zeros((data.shape[1], data.shape[1]))
            for first in range(0, len(rows), AT_ONCE):
                some = data[rows[first : first + AT_ONCE]].astype(np.float64)
                total += some.sum(axis=0)
                gram += some.T @ some
            size, own = len(rows), float(np.trace(gram))
            distance = 1 - (float(total @ total) - own) / (size * (size - 1))
            if not own:
                return [Reading(distance), Reading(float("nan")), Reading(float("nan"))]
            values = np.maximum(np.linalg.eigvalsh(gram), 0.0)
            return [Reading(distance), Reading(vendi(values / own)), Reading(_log_det_distance(values, own))]

        return read


def vendi(shares: Gains) -> float:
    """exp of the entropy of eigenvalues that add up to 1."""
    some = shares[shares > 0]
    return float(np.exp(-(some @ np.log(some))))


def _log_det_distance(values: Gains, total: float) -> float:
    directions = min(total, float(len(values)))
    return float(np.log1p(total / directions) - np.log1p(values).sum() / directions)

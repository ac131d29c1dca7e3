"""k-centre: each pick is the row farthest from everything picked before it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from selector.core import Finish, Need, Pick, Problem, Rows
from selector.kernels.factor import squared_norms
from selector.kernels.frontier import frontier
from selector.kernels.middle import middle
from selector.objectives.front import follow
from selector.objectives.modular import Sum
from selector.ties import first_best


@dataclass(frozen=True)
class KCentre:
    """Each pick is the row farthest from all picks before it: no row of the pool is left far from the subset.

    Farthest-first traversal (Gonzalez 1985): the largest distance of a row to its nearest pick is at most twice the smallest that any k
    rows reach; no proof is printed, since that is no share of a value. Distance = |x - y|, sqrt(2 - 2 cosine) for unit rows; ties are
    judged on half its square. The first pick is the row nearest to the mean of all rows; kept rows are picks made before, and then there
    is no first one. A pick's gain is its distance to the nearest pick before it, 0 for the first; the value is their sum. A zero row has
    nothing to be far by: its distance is 0, as a copy's, and rows at distance 0 come last, in row order. Outliers come early. Prices of
    a token budget stop it and do not steer it. At most 2 n k d operations for dense vectors (kernels.frontier), O(n + k d) memory.
    """

    features: str

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("vectors", self.features, cosine=True),)

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """The traversal, which the seed does not touch."""
        vectors, limit = problem.ground.vectors[self.features], problem.limit.start()
        half = squared_norms(vectors) / 2
        something = half > 0
        allowed = problem.candidates[limit.allows(problem.candidates)]
        front = frontier(vectors, allowed, half, 1.0, half, np.where(something, -np.inf, 0.0), floor=0.0)
        before = problem.kept[something[problem.kept]]
        for row in before.tolist():
            front.add(row)
        gains, order = np.zeros(problem.ground.size), list[int]()
        if not len(before) and len(allowed):
            first = self._first(problem, allowed[something[allowed]] if something[allowed].any() else allowed, half)
            front.add(first)
            front.drop(limit.add(first))
            order.append(first)
            yield Pick(first, 0.0)
        for row, key in follow(front, limit):
            order.append(row)
            gains[row] = np.sqrt(2 * max(0.0, key))
            yield Pick(row, float(gains[row]))
        return Finish(Sum(gains, np.array(order, np.int64)), notes=("each gain is the distance to the nearest row picked before",))

    def _first(self, problem: Problem, rows: Rows, half: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
        """The row nearest to the mean of all rows: |x - m|^2 / 2 = |x|^2 / 2 - x m + |m|^2 / 2."""
        along, square = middle(problem.ground.vectors[self.features])
        return int(rows[first_best(-np.maximum(0.0, half[rows] - along[rows] + square / 2))])

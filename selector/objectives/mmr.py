"""MMR: rows that matter, each as unlike the picks before it as can be."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from selector.core import Finish, Gains, Need, Pick, Problem
from selector.errors import RecipeError
from selector.kernels.factor import squared_norms
from selector.kernels.frontier import frontier
from selector.kernels.middle import middle
from selector.objectives.front import follow
from selector.objectives.modular import Sum
from selector.ties import first_best


@dataclass(frozen=True)
class Mmr:
    """Rows that matter, each as unlike the picks before it as can be (maximal marginal relevance).

    Each pick is the row of the largest w r_i - (1 - w) max over the picks j of s_ij (Carbonell and Goldstein 1998, their lambda is w, the
    `quality_weight`); without a pick the second term is 0. Relevance r: the `quality` column, 0 to 1 over the pool; without one, the
    cosine of the row with the mean of all rows, so that typical rows matter. s is the similarity in units of the largest of a row to
    itself. A score depends on the order of the picks, so there is no f(S) to bound: gains are the scores, the value is their sum. Ties
    are judged on the score plus 1, since scores lie about 0. Kept rows are picks made before. A zero row counts as a copy of every pick.
    Prices of a token budget stop it and do not steer it. At most 2 n k d operations for dense vectors (kernels.frontier), O(n + k d)
    memory. Raises RecipeError for a weight outside [0, 1).
    """

    features: str
    quality: str | None = None
    quality_weight: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.quality_weight < 1:
            raise RecipeError(f"the quality weight of mmr is {self.quality_weight:g}; it must be at least 0 and below 1.")

    @property
    def needs(self) -> tuple[Need, ...]:
        vectors = (Need("vectors", self.features, cosine=True),)
        return vectors if self.quality is None else (*vectors, Need("scores", self.quality))

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """One row after another, which the seed does not touch."""
        vectors, limit = problem.ground.vectors[self.features], problem.limit.start()
        squares = squared_norms(vectors)
        base = 1 + self.quality_weight * self._relevance(problem, squares)
        allowed = problem.candidates[limit.allows(problem.candidates)]
        nearest = np.where(squares > 0, -np.inf, vectors.scale)
        front = frontier(vectors, allowed, base, (1 - self.quality_weight) / vectors.scale, np.zeros(len(base)), nearest)
        for row in problem.kept.tolist():
            front.add(row)
        gains, order = np.zeros(problem.ground.size), list[int]()
        if not len(problem.kept) and len(allowed):
            alone = base - np.where(squares > 0, 0.0, 1 - self.quality_weight)
            first = int(allowed[first_best(alone[allowed])])
            front.add(first)
            front.drop(limit.add(first))
            order.append(first)
            gains[first] = alone[first] - 1
            yield Pick(first, float(gains[first]))
        for row, key in follow(front, limit):
            order.append(row)
            gains[row] = key - 1
            yield Pick(row, float(gains[row]))
        return Finish(Sum(gains, np.array(order, np.int64)), notes=("each gain is the row's score when it was picked",))

    def _relevance(self, problem: Problem, squares: Gains) -> Gains:
        """(n,) the column, or the cosine with the mean; 0 for a zero row."""
        if self.quality is not None:
            return problem.ground.scores[self.quality]
        along, square = middle(problem.ground.vectors[self.features])
        lengths = np.sqrt(squares * square)
        return np.where(lengths > 0, along / np.where(lengths > 0, lengths, 1.0), 0.0)

"""NovelSelect: each pick is the row most novel beside the picks before it, dense regions counting for more."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from selector.core import Finish, Need, Pick, Problem
from selector.errors import RecipeError
from selector.kernels.density import mean_distances
from selector.kernels.factor import squared_norms
from selector.kernels.novelty import Novelty
from selector.objectives.modular import Sum

REGULAR = 1e-9  # added to a mean distance, as the authors' code does
LARGEST_POWER = 4.0  # of a density or distance: 1 / REGULAR to it is 1e36, and novelties are float32


@dataclass(frozen=True)
class NovelSelect:
    """Each pick is the row most novel beside the picks: far from the nearest of them above all, in dense regions more than in empty ones.

    Greedy NovelSum (Yang et al. 2025, arXiv 2502.17184, and the authors' code). The novelty of row i beside the picks S is the
    sum over j in S of rank^-a u_ij, ranks by rising u_ij = (1 - cosine_ij) (s_i^b + s_j^b), s = 1 / the mean distance 1 - cosine to the
    `neighbours` nearest rows of the pool (copies counted once), a = `distance_power`, b = `density_power`. `density` 'chosen' leaves s_i
    out: only the pick's surroundings weigh. The first pick is drawn from `seed`, as theirs is; kept rows are picks made before. What is
    approximated: picks past the `exact_ranks` nearest count as if u rose evenly to their mean (kernels.novelty), so up to so many
    picks the sum is exact; neighbours are from 8,193 rows on (kernels.neighbours). Not submodular: no proof. A pick's gain is its
    novelty, 0 for the first; the value is their sum. Zero rows come last, in row order. Prices of a token budget stop it and do not
    steer it. 2 n k d operations, one pass over the vectors a pick; O(n exact_ranks) memory. Raises RecipeError for values that mean
    nothing.
    """

    features: str
    neighbours: int = 10
    density_power: float = 0.5
    distance_power: float = 1.0
    density: str = "both"
    exact_ranks: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("neighbours", "exact_ranks"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} of novel-select is {getattr(self, name)}; write a whole number, at least 1.")
        for name in ("density_power", "distance_power"):
            if not 0 <= getattr(self, name) <= LARGEST_POWER:
                raise RecipeError(f"{name} of novel-select is {getattr(self, name):g}; write 0 or more, at most {LARGEST_POWER:g}.")
        if self.density not in ("both", "chosen"):
            raise RecipeError(f"the density of novel-select is '{self.density}'; write both or chosen.")

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("vectors", self.features, cosine=True),)

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """One row after another."""
        vectors, limit, size = problem.ground.vectors[self.features], problem.limit.start(), problem.ground.size
        lengths = np.sqrt(squared_norms(vectors))
        inverse = np.where(lengths > 0, 1 / np.where(lengths > 0, lengths, 1.0), 0.0)
        apart = mean_distances(vectors, inverse, self.neighbours, self.seed, problem.ground.progress)
        weights = (apart + REGULAR) ** -self.density_power
        heads = min(self.exact_ranks, max(1, problem.limit.most + len(problem.kept)))  # more ranks than picks are none
        novelty = Novelty(vectors, inverse, weights if self.density == "both" else np.zeros(size), weights, self.distance_power, heads)
        for row in problem.kept[lengths[problem.kept] > 0].tolist():
            novelty.add(row)
        free = np.zeros(size, np.bool_)
        free[problem.candidates[limit.allows(problem.candidates)]] = True
        empty = free & (lengths == 0)
        free &= ~empty

        def best() -> Generator[tuple[int, float]]:
            if not novelty.picks and free.any():
                there = np.flatnonzero(free)
                yield int(there[np.random.default_rng(self.seed).integers(len(there))]), 0.0
            while (row := novelty.best(free)) >= 0:
                yield row, float(novelty.score[row])
            while empty.any():
                yield int(np.argmax(empty)), 0.0

        gains, rows = np.zeros(size), list[int]()
        for row, gain in best():
            refused = limit.add(row)
            for still in (free, empty):
                still[row] = still[refused] = False
            rows.append(row)
            gains[row] = gain
            yield Pick(row, gain)
            if limit.full is not None:
                break
            if lengths[row] > 0:
                novelty.add(row)
        note = f"each gain is the novelty when the row was picked; past {self.exact_ranks} picks the farther ones count by a mean"
        return Finish(Sum(gains, np.array(rows, np.int64)), notes=(note,))

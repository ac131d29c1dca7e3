"""Cluster-balanced: every cluster gives as many rows as every other."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from selector.core import Finish, Need, Pick, Problem
from selector.objectives.modular import Sum
from selector.objectives.turns import take_turns


@dataclass(frozen=True)
class ClusterBalanced:
    """Every cluster (or tag, or token) gives a row in turn: the one that gave fewest so far, at random or its best.

    The layer's types take turns: the type with the fewest rows among kept rows and picks gives the next one, of equals the lowest number
    (clusters are numbered by falling size). It gives a row at random, from the `seed`, or with a `quality` column the row that scores
    highest (equal scores at random). Where rows carry one type each this is round-robin, and quotas of equal size with what small
    clusters lack shared by the others; a row with several types counts for each. Rows without a type come last. A pick's gain is 1 / (1 +
    rows that its type had before), 0 without a type; the value is their sum. No proof. O(entries log entries) time.
    """

    features: str
    quality: str | None = None
    seed: int = 0

    @property
    def needs(self) -> tuple[Need, ...]:
        types = (Need("types", self.features),)
        return types if self.quality is None else (*types, Need("scores", self.quality))

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """Turn after turn."""
        size = problem.ground.size
        lots = np.random.default_rng(self.seed).permutation(size)
        order = lots if self.quality is None else np.lexsort((lots, -problem.ground.scores[self.quality]))
        rank = np.empty(size, np.int64)
        rank[order] = np.arange(size)
        types = problem.ground.types[self.features].incidence
        gains, rows = np.zeros(size), list[int]()
        for row, before in take_turns(types, rank, problem.candidates, problem.kept, problem.limit.start()):
            rows.append(row)
            gains[row] = 1 / (1 + before) if types.indptr[row] < types.indptr[row + 1] else 0.0
            yield Pick(row, float(gains[row]))
        return Finish(Sum(gains, np.array(rows, np.int64)), notes=("each gain is 1 / (1 + the rows that the type had before)",))

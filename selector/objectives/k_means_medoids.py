"""k-means medoids: as many clusters as rows are wanted, and the row nearest to each centre."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from selector.core import Finish, Need, Pick, Problem
from selector.errors import BudgetError, RecipeError
from selector.kernels.cells import cells
from selector.kernels.factor import squared_norms
from selector.objectives.modular import Sum
from selector.objectives.turns import take_turns

MOST_PASSES = 1000  # centres settle in tens of passes


@dataclass(frozen=True)
class KMeansMedoids:
    """As many clusters of the vectors as rows are wanted, and from each the row nearest to its centre.

    scikit-learn's MiniBatchKMeans with k = the budget over all usable rows, kept ones included (kernels.cells; `passes` over the pool,
    drawn from `seed`). Largest clusters first, each gives the row of its own that is nearest to its centre (ties: the lowest row): never
    one row twice, as when two centres share their nearest row. Where a cluster is empty, has a kept row, or holds none that the limits
    allow, those that gave fewest go on with their next nearest. A pick's gain is the rows of its cluster where it is its first, else 0;
    the value is their sum. No proof, and the first rows are not those of a smaller budget. Zero rows come last. O(n k d passes) time.
    Raises BudgetError for a budget in tokens, since k is a number of rows.
    """

    features: str
    passes: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.passes <= MOST_PASSES:
            raise RecipeError(
                f"the passes of k-means-medoids are {self.passes}; write a whole number, at least 1, at most {MOST_PASSES:,}."
            )

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("vectors", self.features, cosine=True),)

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """Cluster after cluster."""
        from scipy.sparse import csr_array

        if problem.limit.prices is not None:
            raise BudgetError(
                "k-means-medoids makes a cluster a row and cannot keep to a token budget; give a budget in rows, or use k-centre."
            )
        vectors, n = problem.ground.vectors[self.features], problem.ground.size
        rows = np.flatnonzero(squared_norms(vectors) > 0)
        labels, rank = np.full(n, -1, np.int64), np.arange(n)
        if len(rows):
            problem.ground.progress("k-means", 0, 0)
            most = min(problem.limit.most, len(rows))
            labels[rows], distances = cells(vectors, rows, most, self.seed, self.passes, problem.ground.memory)
            used, first, numbered, sizes = np.unique(labels[rows], return_index=True, return_inverse=True, return_counts=True)
            place = np.empty(len(used), np.int64)
            place[np.lexsort((first, -sizes))] = np.arange(len(used))
            labels[rows] = place[numbered]
            rank[rows[np.lexsort((rows, distances))]] = np.arange(len(rows))
        sizes = np.bincount(labels[labels >= 0], minlength=1)
        starts = np.concatenate([[0], np.cumsum(labels >= 0)])
        own = labels[labels >= 0].astype(np.int32)
        types = csr_array((np.ones(len(own), np.float32), own, starts), shape=(n, len(sizes)))
        gains, picked = np.zeros(n), list[int]()
        for row, before in take_turns(types, rank, problem.candidates, problem.kept, problem.limit.start()):
            picked.append(row)
            gains[row] = sizes[labels[row]] if before == 0 and labels[row] >= 0 else 0.0
            yield Pick(row, float(gains[row]))
        note = f"{len(own):,} rows in {int((sizes > 0).sum()):,} clusters; each gain is the rows of the cluster that a pick is the first of"
        return Finish(Sum(gains, np.array(picked, np.int64)), notes=(note,))

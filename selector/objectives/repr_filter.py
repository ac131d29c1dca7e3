"""Repr-filter: the best rows that are not too similar to a better one."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from selector.core import Finish, Need, Pick, Problem
from selector.errors import RecipeError, plural
from selector.kernels.factor import squared_norms
from selector.kernels.spacing import spaced, spacing
from selector.objectives.modular import Sum


@dataclass(frozen=True)
class ReprFilter:
    """The rows that score highest, each taken only where its similarity to every row taken before is below `tau`.

    The selection of Deita (Liu et al. 2024, arXiv 2312.15685: score first, then its Repr Filter, which takes tau = 0.9). Down the rows by
    falling score in the `quality` column (equal scores: the lowest row), until the limits are full. Where the filter leaves fewer rows
    than the budget, fewer are returned and a note says so: raise tau. Similarity is the inner product, the cosine for unit rows. Kept
    rows count as taken before. A row without a vector (a zero row) is taken only where nothing else was. A pick's gain is its score
    from 0 to 1, the value their sum; no proof. At most 2 d operations for each row looked at and each taken one, O(n + k d) memory.
    Raises RecipeError for a tau of 0 or less, or infinite.
    """

    features: str
    column: str
    tau: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.tau < np.inf:
            raise RecipeError(f"the tau of repr-filter is {self.tau:g}; write a finite similarity above 0, as 0.9.")

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("vectors", self.features, cosine=True), Need("scores", self.column))

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """Down the rows once, which the seed does not touch."""
        vectors, scores = problem.ground.vectors[self.features], problem.ground.scores[self.column]
        limit, free = problem.limit.start(), np.zeros(problem.ground.size, np.bool_)
        free[problem.candidates[limit.allows(problem.candidates)]] = True
        empty = squared_norms(vectors) == 0
        order = problem.candidates[np.lexsort((problem.candidates, -scores[problem.candidates], empty[problem.candidates]))]
        rule = spacing(vectors, np.where(empty, -np.inf, self.tau))
        rows = list[int]()
        for row in spaced(rule, order, problem.kept, free):
            rows.append(row)
            free[limit.add(row)] = False
            free[row] = False
            yield Pick(row, float(scores[row]))
            if limit.full is not None:
                break
        finish = Finish(Sum(scores, np.array(rows, np.int64)))
        if limit.full is None and free.any():
            because = f"every other row is similar to a taken one by {self.tau:g} or more"
            note = f"only {plural(len(rows), 'row')} could be taken: {because}; raise tau for more"
            return Finish(finish.state, notes=(note,), stopped=because)
        return finish

"""Stochastic greedy."""

from __future__ import annotations

from collections.abc import Generator
from math import ceil, log

import numpy as np

from selector.core import Finish, Pick, Problem
from selector.errors import RecipeError
from selector.optimizers.opening import begin
from selector.ties import first_best


def stochastic(problem: Problem, rng: np.random.Generator, *, epsilon: float = 0.05) -> Generator[Pick, None, Finish]:
    """The best of a random sample before every pick: (n / k) ln(1 / epsilon) candidates (Mirzasoleiman et al. 2015).

    At least 1 - 1/e - epsilon of the optimum in expectation under a row budget, in n ln(1 / epsilon) evaluations. `epsilon` = 0 looks at
    every row and gives the rows of `greedy`. Raises RecipeError unless 0 <= epsilon < 1.
    """
    if not 0 <= epsilon < 1:
        raise RecipeError(f"epsilon of the optimizer 'stochastic' is {epsilon}; it must be at least 0 and below 1.")
    _, state, limit, worth = begin(problem)
    rows = problem.candidates
    picks = max(1, min(problem.limit.most, len(rows)))
    sample = ceil(len(rows) / picks * -log(epsilon)) if epsilon else len(rows)
    while limit.full is None:
        rows = rows[limit.allows(rows)]
        if not len(rows):
            break
        tried = np.sort(rng.choice(len(rows), sample, replace=False)) if sample < len(rows) else np.arange(len(rows))
        gains = state.gains(rows[tried])
        at = first_best(gains * worth[rows[tried]])
        row = int(rows[tried[at]])
        state.add(row)
        limit.add(row)
        rows = np.delete(rows, tried[at])
        yield Pick(row, float(gains[at]))
    return Finish(state)

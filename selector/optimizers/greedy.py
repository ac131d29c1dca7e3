"""Plain greedy."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from selector.core import Finish, Opening, Pick, Problem
from selector.optimizers.opening import begin
from selector.ties import first_best


def greedy(problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
    """Evaluates every candidate before every pick: the plain definition, for small pools and any objective.

    At least 1 - 1/e of the optimum for a monotone submodular objective under a row budget (Nemhauser, Wolsey, Fisher 1978).
    O(n k) evaluations.
    """
    _, state, limit, worth = begin(problem)
    rows, opening = problem.candidates, None
    while limit.full is None:
        rows = rows[limit.allows(rows)]
        if not len(rows):
            break
        gains = state.gains(rows)
        opening = opening or Opening(state.value, rows, gains)
        at = first_best(gains * worth[rows])
        row = int(rows[at])
        state.add(row)
        limit.add(row)
        rows = np.delete(rows, at)
        yield Pick(row, float(gains[at]))
    return Finish(state, None, opening)

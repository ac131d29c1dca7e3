"""Lazy greedy."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from selector.core import Finish, Opening, Pick, Problem
from selector.errors import RecipeError
from selector.kernels.queue import Queue
from selector.optimizers.opening import begin
from selector.ties import LOWEST


def lazy(problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
    """The greedy rows at a fraction of the work: gains only fall, so an old gain is an upper bound (Minoux 1978).

    Candidates are evaluated from the largest bound down, in batches that double until a fresh one wins under the tie rule. Same rows as
    `greedy`. Raises RecipeError for an objective that is not submodular.
    """
    objective, state, limit, worth = begin(problem)
    if not objective.submodular:
        raise RecipeError(f"the optimizer 'lazy' needs a submodular objective and {objective} is not; use 'greedy'.")
    rows = problem.candidates[limit.allows(problem.candidates)]
    queue = Queue(problem.ground.size)
    opening = Opening(state.value, rows, state.gains(rows))
    queue.update(rows, opening.gains * worth[rows], 0)
    picked = 0
    while limit.full is None:
        batch = state.batch
        while True:
            row, won = queue.winner(picked)
            if won or row < 0:
                break
            rows = queue.stale(row, picked, batch)
            queue.update(rows, state.gains(rows) * worth[rows], picked)
            batch = min(2 * batch, problem.ground.size)
        if row < 0:
            break
        gain = float(queue.bounds[row] / worth[row]) if queue.bounds[row] > LOWEST else float("-inf")
        state.add(row)
        queue.exclude(np.array([row]))
        queue.exclude(limit.add(row))
        picked += 1
        yield Pick(row, gain)
    return Finish(state, np.where(np.isfinite(queue.bounds), queue.bounds / worth, np.inf), opening)

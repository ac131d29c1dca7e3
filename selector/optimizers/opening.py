"""How every optimizer begins."""

from __future__ import annotations

import numpy as np

from selector.core import Gains, LimitState, Objective, Problem, State
from selector.errors import RecipeError


def begin(problem: Problem) -> tuple[Objective, State, LimitState, Gains]:
    """The objective, the state of the kept rows, the fresh limit, and the worth (n,) of a unit of gain in each row.

    Worth is 1 / price where rows are bought by cost, so that the best gain for its cost wins (Leskovec et al. 2007), else 1.
    Raises RecipeError for an objective that brings its own loop.
    """
    objective = problem.objective
    if not isinstance(objective, Objective):
        raise RecipeError(f"{objective} brings its own loop; it takes no optimizer.")
    prices = problem.limit.prices
    worth = np.ones(problem.ground.size) if prices is None else 1.0 / prices
    return objective, objective.start(problem.ground, problem.kept), problem.limit.start(), worth

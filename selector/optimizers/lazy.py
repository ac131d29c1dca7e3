"""Lazy greedy."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from selector.core import Finish, Pick, Problem, Thinning
from selector.errors import RecipeError, unknown
from selector.optimizers.opening import begin
from selector.optimizers.racing import Race
from selector.optimizers.sampled import first_picks

MODES = ("auto", "exact", "fast")
FAR = 8192  # rows from which looking ahead costs less than it saves
LARGE = 50_000  # rows from which 'auto' is 'fast' where gains are dear


def lazy(problem: Problem, rng: np.random.Generator, *, mode: str = "auto") -> Generator[Pick, None, Finish]:
    """The greedy rows at a fraction of the work: gains only fall, so an old gain is an upper bound (Minoux 1978).

    `mode` 'exact': the same rows as `greedy`. 'fast', where each gain is a pass over the whole pool at first (facility location on dense
    vectors): the first picks are the greedy ones of samples (sampled.first_picks), every later one is exact. 'auto' is fast there from
    50,000 rows, exact otherwise; the facts say which. Raises RecipeError for an objective that is not submodular.
    """
    if mode not in MODES:
        raise unknown("mode of the optimizer 'lazy'", mode, MODES)
    objective, state, limit, worth = begin(problem)
    if not objective.submodular:
        raise RecipeError(f"the optimizer 'lazy' needs a submodular objective and {objective} is not; use 'greedy'.")
    sampled = np.empty(0, np.int64)
    thinning = isinstance(state, Thinning) and not state.thinned
    fast = thinning and (mode == "fast" or (mode == "auto" and problem.ground.size >= LARGE))
    if fast:
        assert isinstance(state, Thinning)
        sampled = np.fromiter(first_picks(problem, limit, worth, rng), np.int64)
        for row, gain in zip(sampled.tolist(), state.add_all(sampled).tolist(), strict=True):
            yield Pick(row, gain)
    ahead = thinning and not fast and problem.ground.size >= FAR and problem.limit.prices is None
    race = Race(state, limit, worth, np.setdiff1d(problem.candidates, sampled), ahead)
    for row, gain in race.run():
        yield Pick(row, gain)
    bounds = race.queue.bounds
    facts = {"mode": "fast" if fast else "exact", **({"sampled_picks": len(sampled)} if fast else {})}
    return Finish(state, np.where(np.isfinite(bounds), bounds / worth, np.inf), None if fast else race.opening, facts=facts)

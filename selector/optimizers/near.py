"""Lazy greedy over near rows."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from selector.core import Finish, Pick, Problem, Thinning
from selector.errors import RecipeError
from selector.optimizers import proof
from selector.optimizers.lazy import lazy
from selector.optimizers.opening import begin
from selector.optimizers.racing import Race
from selector.optimizers.sampled import FEW, first_picks

PROBES = 40  # cells that a row is compared with, on average
ROWS_LEFT = 100  # rows that a candidate may still raise when the pool takes over: what is missed afterwards weighs more than later samples


def near(problem: Problem, rng: np.random.Generator, *, probes: int = PROBES) -> Generator[Pick, None, Finish]:
    """Greedy, each row compared only with rows that are likely to matter to it: where a pass over all pairs is too much.

    For facility location on dense vectors. The first picks are the greedy ones of samples (sampled.first_picks); then a row is compared
    with the rows of those cells of an inverted file whose centres are nearest above its coverage, `probes` of 2.5 sqrt(n) cells on average
    (kernels.near): 5 % of all pairs at 100,000 rows, 1.6 % at a million. What is found there is exact and counts in every later gain, what
    is missed does not. So gains and value are lower bounds; the upper bound is the self-similarity of every row (proof.upper_bound), and
    a note says what f is on rows drawn at random. With as many probes as cells nothing is missed. Where the samples fill the limits, the
    pool is not looked through and the value is exact.

    Where no gain is a pass over all rows (sparse vectors, other objectives), and up to 8,192 rows, it gives the rows of `lazy`. Not a
    warm start: what is looked at hangs on the coverage when the samples end. O((probes + 6) n^1.5 d) time, and 4,096 k d for the
    note. Raises RecipeError for an objective that is not submodular, and for less than one probe; MemoryForecast where what is
    found would not fit the ground's memory.
    """
    if probes < 1:
        raise RecipeError(f"probes of the optimizer 'near' is {probes}; write how many cells to compare a row with, 1 or more.")
    objective, state, limit, worth = begin(problem)
    if not objective.submodular:
        raise RecipeError(f"the optimizer 'near' needs a submodular objective and {objective} is not; use 'greedy'.")
    if not isinstance(state, Thinning) or state.thinned or problem.ground.size <= FEW:
        return (yield from lazy(problem, rng))
    sampled = np.fromiter(first_picks(problem, limit, worth, rng, ROWS_LEFT, probes), np.int64)
    for row, gain in zip(sampled.tolist(), state.add_all(sampled).tolist(), strict=True):
        yield Pick(row, gain)
    facts: dict[str, Any] = {"sampled_picks": len(sampled)}
    chosen, notes = sampled.tolist(), list[str]()
    if limit.full is None:  # else the value is exact, and what a few rows leave uncovered would be most of the pool
        looked = facts["pairs_looked_at"] = state.narrow(probes, int(rng.integers(2**31)))
        notes.append(f"similarities were looked for in {100 * looked:.2g} % of all pairs: f is at least this")
        for row, gain in Race(state, limit, worth, np.setdiff1d(problem.candidates, sampled)).run():
            chosen.append(row)
            yield Pick(row, gain)
    rows = np.array(chosen, np.int64)
    bound = max(state.value, proof.upper_bound(problem, objective, rows))
    return Finish(state, notes=(*notes, *proof.estimates(problem, rows)), facts=facts, upper_bound=bound)

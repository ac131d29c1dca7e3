"""select(): the only loop that counts, reports progress, checks and stops; and the certificate."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from selector.core import (
    Capped,
    Finish,
    Gains,
    Objective,
    Optimizer,
    Outcome,
    Pick,
    Problem,
    Procedure,
    Progress,
    Rows,
    quiet,
)
from selector.errors import BudgetError
from selector.objectives.random import Random
from selector.optimizers.lazy import lazy

BOUND_ROUNDS = 8  # after so many rounds of fresh gains the bound is left as it is: looser, still true


def select(problem: Problem, optimizer: Optimizer = lazy, *, seed: int = 0, reference: bool = True, progress: Progress = quiet) -> Outcome:
    """The rows that the optimizer (or the objective's own loop) picks, with value, upper bound and a random reference.

    Raises BudgetError when there is no candidate. Cost: the optimizer's, plus at most 8 rounds of `limit.most` fresh gains for the
    bound, plus one value for the reference.
    """
    # Small products wait longer for a second thread than it saves them; large ones have threads of their own.
    with threadpool_limits(1, "blas"):
        return _select(problem, optimizer, seed, reference, progress)


def _select(problem: Problem, optimizer: Optimizer, seed: int, reference: bool, progress: Progress) -> Outcome:
    if not len(problem.candidates):
        raise BudgetError("there is no usable row to choose from.")
    rng = np.random.default_rng(seed)
    objective = problem.objective
    steps = objective.picks(problem, rng) if isinstance(objective, Procedure) else optimizer(problem, rng)
    picks, finish = _collect(problem, steps, progress)
    rows = np.array([pick.row for pick in picks], np.int64)
    gains = np.array([pick.gain for pick in picks])
    bound, reason, random_value = None, _no_bound(problem), None
    if reason is None:
        progress("certificate", 0, 0)
        cap = objective.cap(problem.ground) if isinstance(objective, Capped) else None
        known = finish.upper_bound if cap is None else max(cap, finish.state.value)
        bound = _upper_bound(problem, finish, rows) if known is None else known
    value, evaluations, stopped, notes, facts = finish.state.value, finish.state.evaluations, finish.stopped, finish.notes, finish.facts
    proved = finish.upper_bound is not None
    del finish, steps  # the state is let go: the reference may need as much memory again
    if reference and not proved and isinstance(objective, Objective):
        random_value = objective.value(problem.ground, np.concatenate([problem.kept, random_rows(problem, seed)]))
    return Outcome(
        rows,
        gains,
        value,
        bound,
        reason,
        random_value,
        problem.kept,
        stopped or _why(problem, rows),
        evaluations,
        notes,
        facts,
    )


def random_rows(problem: Problem, seed: int) -> Rows:
    """A random feasible set of the same problem, by the same limits: what the selection is compared with."""
    steps = lazy(replace(problem, objective=Random(seed)), np.random.default_rng(seed))
    return np.array([pick.row for pick in steps], np.int64)


def _collect(problem: Problem, steps: Generator[Pick, None, Finish], progress: Progress) -> tuple[list[Pick], Finish]:
    """All picks and the finish; every pick is checked against law 1, whoever made it."""
    allowed = np.zeros(problem.ground.size, bool)
    allowed[problem.candidates] = True
    allowed[problem.kept] = False
    limit, picks = problem.limit.start(), list[Pick]()
    most = min(problem.limit.most, len(problem.candidates))
    while True:
        try:
            pick = next(steps)
        except StopIteration as stop:
            return picks, stop.value
        if not allowed[pick.row] or not limit.allows(np.array([pick.row]))[0]:
            raise RuntimeError(f"the optimizer picked row {pick.row} twice, or against the limits: a fault of its code, please report it.")
        allowed[pick.row] = False
        limit.add(pick.row)
        picks.append(pick)
        progress("picks", len(picks), most)


def _why(problem: Problem, rows: Rows) -> str:
    limit = problem.limit.start()
    for row in rows:
        limit.add(int(row))
    return limit.full or "no candidate left that the limits allow"


def _no_bound(problem: Problem) -> str | None:
    objective = problem.objective
    if not isinstance(objective, Objective):
        return "the objective brings its own loop and states no value"
    if not objective.submodular:
        return "the objective is not submodular"
    if not objective.monotone:
        return "the objective is not monotone"
    return None


def _upper_bound(problem: Problem, finish: Finish, rows: Rows) -> float:
    """The lesser of two bounds: from the gains after the last pick, and from those before the first, exact for a sum over rows."""
    bound = finish.state.value + _largest_addition(problem, finish, rows)
    if finish.opening is None:
        return bound
    return max(finish.state.value, min(bound, finish.opening.value + problem.limit.relaxed(finish.opening.gains, finish.opening.rows)))


def _largest_addition(problem: Problem, finish: Finish, rows: Rows) -> float:
    """At least what any feasible set could still add to the picks: f(OPT + S) <= f(S) + the largest gains left (Minoux 1978)."""
    taken = np.zeros(problem.ground.size, bool)
    taken[rows] = True
    left = problem.candidates[~taken[problem.candidates]]
    if not len(left):
        return 0.0
    prices = problem.limit.prices
    gains = np.full(len(left), np.inf) if finish.bounds is None else finish.bounds[left].copy()
    stale = np.ones(len(left), bool)
    if not np.isfinite(gains).all():
        _refresh(finish, left, gains, stale, ~np.isfinite(gains))
    for _ in range(BOUND_ROUNDS):
        order = np.argsort(-(gains if prices is None else gains / prices[left]), kind="stable")[: problem.limit.most]
        top = np.zeros(len(left), bool)
        top[order] = True
        if not (top & stale).any():
            break
        _refresh(finish, left, gains, stale, top & stale)
    return problem.limit.relaxed(gains, left)


def _refresh(finish: Finish, left: Rows, gains: Gains, stale: NDArray[np.bool_], which: NDArray[np.bool_]) -> None:
    gains[which] = finish.state.gains(left[which])
    stale[which] = False

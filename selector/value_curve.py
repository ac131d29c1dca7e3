"""What a smaller or a larger budget would give: the value of a selection against its size, beside random sets and a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from selector import assembly, engine, preparing, running
from selector import parts as naming
from selector.assembly import Assembly
from selector.core import Gains, Objective, Problem, Room, Rows
from selector.length_strata import hold
from selector.limits import Count
from selector.objectives.mixture import Mixture
from selector.pool import Pool
from selector.recipe import Recipe

POINTS = 60  # sizes told
AT_RANDOM = 8  # sizes at which a random set is valued
TRIED = (0.25, 0.5, 2.0)  # of the budget, where each takes a selection of its own
MARKS = (0.5, 0.8, 0.9, 0.95, 0.99)  # of the value at the budget


def value_curve(recipe: Recipe, told: Mapping[str, Any], picks: pa.Table, pool: Pool, here: Room) -> dict[str, Any] | str:
    """f of the first j picks for j up to twice the budget, of random sets, and what no set of j rows is worth more than.

    The picks beyond the budget are made now, given those before. The bound at j is the least of f(S_i) + j g over the picks i after
    which the best of all rows left came next, g being its gain (Minoux 1978). Instead of figures a sentence, where sizes between say
    nothing: procedures have no value, and under quotas, prices and mixtures a smaller budget would have picked other rows.
    """
    by_runs = bool(told.get("lengths", {}).get("held")) and not recipe.select.quota and recipe.select.token_budget is None
    if not told["nested"] and not by_runs:
        return "The first rows of this selection are not what a smaller budget would have picked, so there is no curve of budgets."
    rows, rules = running.opened(recipe, pool, here, {})
    rows = preparing.clean(rows, rules, here, naming.meaning(recipe, here))
    rows, assembled = preparing.featured(rows, rules, recipe.select.budget, partial(assembly.assemble, recipe, room=here))
    problem, objective = assembled.problem, assembled.problem.objective
    if not isinstance(objective, Objective) or isinstance(objective, Mixture):
        return "This objective states no value that can be compared between budgets, so there is no curve of budgets."
    if by_runs:
        return _by_runs(recipe, told, assembled, objective, here)
    place = {row: number for number, row in enumerate(rows.usable.rows.tolist()) if row >= 0}
    chosen = np.array([place.get(row, -1) for row in picks.column("row").to_pylist()], np.int64)
    if (chosen < 0).any():
        return "The pool has changed since: rows that were picked are not there any more, so there is no curve of budgets."
    gains = np.array([np.nan if one is None else one for one in picks.column("gain").to_pylist()])
    if not np.isfinite(gains).all():
        return "Some gains of this selection are infinite, so there is no curve of budgets."
    here.progress("larger budgets", 0, 0)
    beyond = _beyond(problem, assembled.optimizer, chosen, recipe.seed)
    at_budget = told["objective"]["value"]
    values = np.concatenate([[at_budget - gains.sum()], at_budget - gains.sum() + np.cumsum(np.concatenate([gains, beyond]))])
    sizes = np.unique(np.concatenate([np.linspace(0, len(values) - 1, POINTS).astype(int), [len(chosen)]]))
    random, at = engine.random_rows(problem, recipe.seed), np.unique(np.linspace(0, len(chosen), AT_RANDOM + 1).astype(int)[1:])
    by_chance = []
    for number, size in enumerate(at):
        here.progress("value of random sets", number, len(at))
        by_chance.append(float(objective.value(problem.ground, np.concatenate([problem.kept, random[:size]]))))
    bound = None
    if objective.submodular and objective.monotone:
        from_the_best = int(told["objective"]["optimizer_facts"].get("sampled_picks", 0))
        bound = _bound(values, np.concatenate([gains, beyond]), from_the_best, sizes).tolist()
    return {
        "budget": len(chosen),
        "sizes": sizes.tolist(),
        "values": values[sizes].tolist(),
        "bound": bound,
        "random_sizes": at.tolist(),
        "random_values": by_chance,
        "upper_bound": told["objective"]["upper_bound"],
        "marks": [{"share": mark, "rows": _reached(values, len(chosen), mark)} for mark in MARKS] if at_budget > 0 else [],
    }


def _by_runs(recipe: Recipe, told: Mapping[str, Any], assembled: Assembly, objective: Objective, here: Room) -> dict[str, Any]:
    """The curve where lengths are held: other budgets share themselves out otherwise, so a few are tried, each with its own proof."""
    problem, budget = assembled.problem, int(told["selected"])
    at = told["objective"]
    nothing = objective.value(problem.ground, problem.kept)
    found = {0: (nothing, nothing, nothing), budget: (at["value"], at["upper_bound"], at["random_value"])}
    for number, share in enumerate(TRIED):
        here.progress("other budgets", number, len(TRIED))
        size = min(round(share * budget), len(problem.candidates))
        if size < 1 or size in found:
            continue
        limit = hold(assembled.lengths, problem.candidates, size, [], None, None).limit
        made = engine.select(replace(problem, limit=limit), assembled.optimizer, seed=recipe.seed)
        found[size] = made.value, made.upper_bound, made.random_value
    sizes = sorted(found)
    values, bounds, random = (list(one) for one in zip(*(found[size] for size in sizes), strict=True))
    return {
        "budget": budget,
        "sizes": sizes,
        "values": values,
        "bound": None if None in bounds else bounds,
        "random_sizes": sizes[1:] if None not in random else [],
        "random_values": random[1:] if None not in random else [],
        "upper_bound": at["upper_bound"],
        "marks": [],
    }


def _beyond(problem: Problem, optimizer: Any, chosen: Rows, seed: int) -> Gains:
    """Gains of as many picks again, as far as there are rows."""
    left = np.setdiff1d(problem.candidates, chosen)
    if not len(left):
        return np.empty(0)
    more = replace(problem, kept=np.concatenate([problem.kept, chosen]), candidates=left, limit=Count(min(len(chosen), len(left))))
    return np.array([pick.gain for pick in optimizer(more, np.random.default_rng(seed))])


def _bound(values: Gains, gains: Gains, first: int, sizes: Rows) -> Gains:
    """(sizes,) the least of f(S_i) + j g_{i+1} over the picks i from `first` on."""
    after = np.arange(first, len(gains))
    found = np.empty(len(sizes))
    for number, size in enumerate(sizes):
        found[number] = (values[after] + size * np.maximum(gains[after], 0.0)).min(initial=np.inf)
    return np.where(np.isfinite(found), np.maximum(found, values[sizes]), values[sizes])


def _reached(values: Gains, budget: int, share: float) -> int:
    """The fewest picks worth this share of what the budget is worth."""
    return int(np.argmax(values[: budget + 1] >= share * values[budget]))

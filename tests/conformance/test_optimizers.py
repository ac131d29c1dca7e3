"""Laws 1, 3, 4, 5, 6 and 9 for every optimizer, every objective and every limit."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from selector import registry
from selector.core import NO_ROWS, Limit, Objective, Problem
from selector.engine import select
from selector.limits import All, Cost, Count, Quota, balanced, proportional
from selector.objectives.random import Random
from selector.optimizers.greedy import greedy
from selector.optimizers.lazy import lazy
from selector.optimizers.near import near
from selector.optimizers.partitioned import partitioned
from selector.optimizers.stochastic import stochastic
from tests import formulas
from tests.conformance.views import ALL, MONOTONE, hard_grounds, random_ground

EACH = pytest.mark.parametrize("objective", ALL.values(), ids=ALL.keys())
FULL_SAMPLE = partial(stochastic, epsilon=0.0)
EXACT = {"greedy": greedy, "lazy": lazy, "near": near, "stochastic": FULL_SAMPLE, "partitioned": partial(partitioned, parts=1)}


def problem(ground, objective: Objective, limit: Limit | int, kept=NO_ROWS) -> Problem:
    kept = np.asarray(kept, np.int64)
    return Problem(ground, objective, Count(limit) if isinstance(limit, int) else limit, kept, np.setdiff1d(np.arange(ground.size), kept))


def limits(size: int, rng: np.random.Generator) -> dict[str, Limit]:
    groups = rng.integers(0, 3, size)
    sizes = np.bincount(groups, minlength=3)
    budget = max(1, size // 2)
    quota = Quota(groups, ("a", "b", "c"), np.zeros(3, np.int64), np.maximum(1, proportional(sizes, budget)), budget)
    least = Quota(groups, ("a", "b", "c"), np.minimum(sizes, 1), np.full(3, size), max(3, budget))
    cost = Cost(rng.integers(1, 5, size).astype(float), float(size))
    return {"count": Count(budget), "quota": quota, "least": least, "cost": cost, "all": All((Count(budget), cost, quota))}


def feasible(limit: Limit, rows: list[int]) -> bool:
    """Whether the limit allows these rows in some order; brute force over the definition, not over its state."""
    match limit:
        case Count():
            return len(rows) <= limit.budget
        case Cost():
            return limit.costs[rows].sum() <= limit.budget
        case Quota():
            taken = np.bincount(limit.groups[rows], minlength=len(limit.names))
            missing = np.maximum(limit.least - taken, 0).sum()
            return bool((taken <= limit.greatest).all() and len(rows) + missing <= limit.budget)
        case All():
            return all(feasible(part, rows) for part in limit.parts)
    raise AssertionError(limit)


@EACH
@settings(max_examples=40, deadline=None)
@given(ground=hard_grounds(), budget=st.integers(1, 12), keep=st.integers(0, 2))
def test_lazy_is_greedy_is_the_definition(objective: Objective, ground, budget: int, keep: int) -> None:
    kept = list(range(min(keep, ground.size - 1)))
    if objective in (ALL["dpp/rbf"], ALL["dpp/rbf/sparse"]) and np.isinf(formulas.value(objective, ground, kept)):
        kept = []
    asked = problem(ground, objective, budget, kept)
    found = {name: select(asked, one) for name, one in EXACT.items()}
    k = min(budget, len(asked.candidates))
    for name, outcome in found.items():
        assert len(outcome.rows) == len(set(outcome.rows.tolist())) == k, name
        assert not set(outcome.rows.tolist()) & set(kept)
        np.testing.assert_array_equal(outcome.rows, found["greedy"].rows, err_msg=name)
    finite = np.isfinite(found["greedy"].gains)
    wanted = formulas.greedy(objective, ground, asked.candidates.tolist(), int(finite.sum()), kept)
    now = formulas.value(objective, ground, kept)
    for place, (row, slow) in enumerate(zip(found["greedy"].rows.tolist(), wanted, strict=False)):
        if row != slow:  # float32 rounding may part two rows whose gains are as good as equal, never others
            chosen = [*kept, *found["greedy"].rows[:place].tolist()]
            gain, slow_gain = (formulas.value(objective, ground, [*chosen, one]) - now for one in (row, slow))
            assert gain == pytest.approx(slow_gain, rel=2e-6, abs=2e-5)
            break
        now = formulas.value(objective, ground, [*kept, *wanted[: place + 1]])


@EACH
@pytest.mark.parametrize("seed", range(2))
def test_lazy_is_greedy_on_larger_pools(objective: Objective, seed: int) -> None:
    asked = problem(random_ground(180, seed), objective, 140)
    np.testing.assert_array_equal(select(asked, lazy).rows, select(asked, greedy).rows)
    np.testing.assert_array_equal(select(asked, FULL_SAMPLE).rows, select(asked, greedy).rows)


@EACH
@pytest.mark.parametrize("kind", ["count", "quota", "least", "cost", "all"])
def test_limits_hold_for_every_objective_and_optimizer(objective: Objective, kind: str) -> None:
    ground = random_ground(60, 5)
    limit = limits(60, np.random.default_rng(0))[kind]
    asked = problem(ground, objective, limit, [0, 1])
    found = {name: select(asked, one) for name, one in {**EXACT, "sampled": stochastic}.items()}
    for name, outcome in found.items():
        rows = outcome.rows.tolist()
        assert len(set(rows)) == len(rows)
        assert feasible(limit, rows), name
        assert not {0, 1} & set(rows)
        assert outcome.stopped
        left = [row for row in asked.candidates.tolist() if row not in rows]
        if kind != "least":
            assert not any(feasible(limit, [*rows, row]) for row in left), "it stopped while a row would still fit"
    np.testing.assert_array_equal(found["lazy"].rows, found["greedy"].rows)
    np.testing.assert_array_equal(found["stochastic"].rows, found["greedy"].rows)


@pytest.mark.parametrize("objective", MONOTONE.values(), ids=MONOTONE.keys())
@settings(max_examples=15, deadline=None)
@given(ground=hard_grounds(7), seed=st.integers(0, 9), kind=st.sampled_from(["count", "quota", "cost", "all"]))
def test_the_certificate_is_true(objective: Objective, ground, seed: int, kind: str) -> None:
    """Law 9, against brute force: no feasible set beats the upper bound."""
    limit = limits(ground.size, np.random.default_rng(seed))[kind]
    kept = [0] if ground.size > 2 else []
    asked = problem(ground, objective, limit, kept)
    optimum = formulas.best(objective, ground, asked.candidates.tolist(), partial(feasible, limit), ground.size, kept)
    for one in (lazy, greedy, partial(stochastic, epsilon=0.3)):
        outcome = select(asked, one, seed=seed)
        assert outcome.upper_bound is not None
        assert outcome.upper_bound >= optimum - 1e-5 * max(1, abs(optimum))
        assert outcome.value <= outcome.upper_bound + 1e-9
        if optimum > 1e-6:
            assert outcome.ratio <= outcome.value / optimum + 1e-5


@pytest.mark.parametrize("name", ["quality", "random"])
def test_the_certificate_of_a_sum_is_exact(name: str) -> None:
    outcome = select(problem(random_ground(50, 1), ALL[name], 7))
    assert outcome.ratio == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", ["dpp/rbf"])
def test_no_certificate_without_monotonicity(name: str) -> None:
    outcome = select(problem(random_ground(30, 1), ALL[name], 5))
    assert outcome.upper_bound is None
    assert outcome.ratio is None
    assert "monotone" in outcome.no_bound_because


@EACH
def test_warm_start_goes_on_where_one_run_was(objective: Objective) -> None:
    """Law 6."""
    ground = random_ground(120, 3)
    whole = select(problem(ground, objective, 40)).rows
    for j in (1, 13):
        rest = select(problem(ground, objective, 40 - j, np.sort(whole[:j]))).rows
        np.testing.assert_array_equal(rest, whole[j:])


@EACH
def test_same_rows_for_any_thread_count_and_memory(objective: Objective) -> None:
    """Law 5: pools full of copies are where plain argmax breaks."""
    ground = random_ground(40, 6)
    copies = ground.take(np.random.default_rng(0).integers(0, 40, 400))
    wanted = select(problem(replace(copies, memory=1 << 24), objective, 60)).rows
    for memory in (60_000, 400_000) if "rbf" not in str(objective) and "sparse" not in str(objective) else (1 << 22,):
        np.testing.assert_array_equal(select(problem(replace(copies, memory=memory), objective, 60)).rows, wanted)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        with threadpool_limits(1):
            np.testing.assert_array_equal(select(problem(replace(copies, memory=1 << 24), objective, 60)).rows, wanted)
    finally:
        numba.set_num_threads(before)


@EACH
@pytest.mark.parametrize("optimizer", ["greedy", "lazy", "stochastic"])
def test_same_seed_same_rows_and_another_seed_another_sample(objective: Objective, optimizer: str) -> None:
    asked = problem(random_ground(80, 7), objective, 20)
    one = registry.find("optimizers", optimizer)
    first, again = select(asked, one, seed=5), select(asked, one, seed=5)
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.gains, again.gains)


def test_stochastic_is_between_random_and_greedy() -> None:
    asked = problem(random_ground(300, 8), ALL["facility-location/dense"], 30)
    outcome = select(asked, stochastic, seed=1)
    assert outcome.random_value < outcome.value <= select(asked, greedy).value + 1e-6
    assert not np.array_equal(outcome.rows, select(asked, stochastic, seed=2).rows)


def test_lazy_asks_far_less_than_greedy() -> None:
    asked = problem(random_ground(300, 8, memory=1 << 26), ALL["facility-location/sparse"], 60)
    assert select(asked, lazy).evaluations < select(asked, greedy).evaluations / 3


@pytest.mark.parametrize("objective", ALL.values(), ids=ALL.keys())
def test_every_row_of_a_pool_of_copies_is_picked_once(objective: Objective) -> None:
    """Law 1 where it is hardest: k = n, all rows equal or zero."""
    ground = random_ground(1, 0).take(np.zeros(9, np.int64))
    rows = select(problem(ground, objective, 9)).rows.tolist()
    assert sorted(rows) == list(range(9))
    assert rows == sorted(rows) or isinstance(objective, Random), "among equals the lowest row wins"


def test_shares() -> None:
    assert proportional(np.array([5, 3, 2]), 5).tolist() == [3, 1, 1]
    assert proportional(np.array([1, 1, 1]), 2).tolist() == [1, 1, 0]
    assert balanced(np.array([100, 2, 50]), 12).tolist() == [5, 2, 5]
    assert balanced(np.array([1, 1]), 10).tolist() == [1, 1]


def test_every_optimizer_of_the_package_is_tested_here() -> None:
    assert set(registry.names("optimizers")) == set(EXACT)

"""The partitioned optimizer: laws 1, 3, 5, 8 and 9 with more than one part."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector.core import NO_ROWS, Ground, Objective
from selector.engine import select
from selector.errors import RecipeError
from selector.features import Vectors, dense
from selector.limits import Count, Quota
from selector.objectives.coverage import Coverage
from selector.objectives.facility_location import FacilityLocation
from selector.optimizers.greedy import greedy
from selector.optimizers.lazy import lazy
from selector.optimizers.partitioned import partitioned, standing
from selector.optimizers.splitting import at_random, by_cluster
from tests import formulas
from tests.conformance.test_optimizers import feasible, limits, problem
from tests.conformance.views import ALL, MONOTONE, hard_grounds, random_ground

EACH = pytest.mark.parametrize("objective", ALL.values(), ids=ALL.keys())
SPLIT = partial(partitioned, parts=3, by="random")


@EACH
@settings(max_examples=15, deadline=None)
@given(ground=hard_grounds(), budget=st.integers(1, 12))
def test_one_part_is_lazy(objective: Objective, ground: Ground, budget: int) -> None:
    asked = problem(ground, objective, budget)
    for one in (partial(partitioned, parts=1), partitioned):  # and so is a pool smaller than one part
        found, wanted = select(asked, one), select(asked, lazy)
        np.testing.assert_array_equal(found.rows, wanted.rows)
        np.testing.assert_array_equal(found.gains, wanted.gains)


@EACH
@pytest.mark.parametrize("kind", ["count", "quota", "least", "cost", "all"])
def test_limits_hold_in_parts(objective: Objective, kind: str) -> None:
    ground, kept = random_ground(60, 5), [0, 1]
    limit = limits(60, np.random.default_rng(0))[kind]
    outcome = select(problem(ground, objective, limit, kept), SPLIT, seed=4)
    rows = outcome.rows.tolist()
    assert len(set(rows)) == len(rows)
    assert not set(kept) & set(rows)
    assert feasible(limit, rows)
    if kind != "least":
        assert not any(feasible(limit, [*rows, row]) for row in range(2, 60) if row not in rows), "it stopped while a row would still fit"


def test_every_minimum_of_a_quota_is_met_though_a_part_may_hold_the_whole_group() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(6), 20, axis=0)  # six tight clusters; the group is one of them, and a little of another
    data = (centres + 0.05 * rng.normal(size=centres.shape)).astype(np.float32)
    groups = np.repeat([0, 1, 1, 1, 1, 1], 20)
    groups[100:103] = 0
    limit = Quota(groups, ("rare", "rest"), np.array([23, 0]), np.array([120, 120]), 30)
    asked = problem(Ground(120, {"dense": dense(data)}), FacilityLocation("dense"), limit)
    outcome = select(asked, partial(partitioned, parts=5, by="cluster", factor=1.0))
    assert len(outcome.rows) == 30
    assert (groups[outcome.rows] == 0).sum() >= 23
    assert not any("at random" in note for note in outcome.notes if "left no winner" in note), "the parts themselves picked enough"


def test_rows_beyond_the_winners_are_said() -> None:
    """Two tight quotas at once can ask for rows that no part had to pick."""
    ground = random_ground(40, 2)
    groups = (np.arange(40) < 2).astype(np.int64)
    limit = Quota(groups, ("many", "two"), np.array([0, 0]), np.array([9, 2]), 11)
    outcome = select(problem(ground, Coverage("types", "cap:1"), limit), partial(partitioned, parts=4, by="random", factor=1.0), seed=1)
    assert len(outcome.rows) == 11
    assert (groups[outcome.rows] == 1).sum() == 2


@pytest.mark.parametrize("objective", MONOTONE.values(), ids=MONOTONE.keys())
@settings(max_examples=15, deadline=None)
@given(
    ground=hard_grounds(7),
    seed=st.integers(0, 9),
    kind=st.sampled_from(["count", "quota", "cost", "all"]),
    proof=st.sampled_from(["parts", "all"]),
)
def test_the_certificate_is_true_in_parts(objective: Objective, ground: Ground, seed: int, kind: str, proof: str) -> None:
    limit = limits(ground.size, np.random.default_rng(seed))[kind]
    kept = [0] if ground.size > 2 else []
    asked = problem(ground, objective, limit, kept)
    optimum = formulas.best(objective, ground, asked.candidates.tolist(), partial(feasible, limit), ground.size, kept)
    outcome = select(asked, partial(partitioned, parts=2, by="random", proof=proof), seed=seed)
    worth = formulas.value(objective, ground, [*kept, *outcome.rows.tolist()])
    assert outcome.upper_bound >= optimum - 1e-5 * max(1, abs(optimum))
    assert outcome.value <= worth + 1e-5 * max(1, abs(worth))
    if proof == "all" or "FacilityLocation" not in str(objective):
        assert outcome.value == pytest.approx(worth, rel=1e-5, abs=2e-5)


def test_all_parts_together_come_near_greedy() -> None:
    ground = random_ground(400, 3)
    for objective, by in (
        (FacilityLocation("dense"), "cluster"),
        (FacilityLocation("dense"), "random"),
        (FacilityLocation("sparse"), "random"),
    ):
        asked = problem(ground, objective, 40)
        exact = select(asked, greedy)
        outcome = select(asked, partial(partitioned, parts=4, by=by, proof="all"), seed=2)
        share = (outcome.value - exact.random_value) / (exact.value - exact.random_value)
        assert share > 0.75, f"{objective} by {by} closes {share:.2f} of the gap"
        least = select(asked, partial(partitioned, parts=4, by=by), seed=2)
        np.testing.assert_array_equal(least.rows, outcome.rows)
        assert 0 < least.value <= outcome.value
        assert any("estimated from" in note for note in least.notes) == (objective.features == "dense")


def test_the_estimate_is_f_where_every_row_is_looked_at() -> None:
    asked = problem(random_ground(300, 3), FacilityLocation("dense"), 20)
    outcome = select(asked, partial(partitioned, parts=4), seed=2)
    true = formulas.value(FacilityLocation("dense"), asked.ground, outcome.rows.tolist())
    assert f"{true:,.0f} +/- 0 " in outcome.notes[-1]


@pytest.mark.parametrize("by", ["random", "cluster"])
def test_same_rows_for_any_thread_count_and_memory_in_parts(by: str) -> None:
    ground = random_ground(40, 6)
    copies = ground.take(np.random.default_rng(0).integers(0, 40, 400))
    one = partial(partitioned, parts=5, by=by)
    wanted = select(problem(replace(copies, memory=1 << 24), FacilityLocation("dense"), 60), one).rows
    np.testing.assert_array_equal(select(problem(replace(copies, memory=60_000), FacilityLocation("dense"), 60), one).rows, wanted)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(select(problem(copies, FacilityLocation("dense"), 60), one).rows, wanted)
    finally:
        numba.set_num_threads(before)
    if by == "random":
        assert not np.array_equal(select(problem(copies, FacilityLocation("dense"), 60), one, seed=9).rows, wanted)


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 200), parts=st.integers(1, 9), kinds=st.integers(1, 5), seed=st.integers(0, 3))
def test_parts_hold_every_row_once_and_are_bounded(size: int, parts: int, kinds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = min(parts, size)
    data = rng.integers(-1, 2, (kinds, 3)).astype(np.float32)[rng.integers(0, kinds, size)]  # copies and zero rows
    rows = np.sort(rng.choice(2 * size, size, replace=False))
    vectors = Vectors(np.repeat(data, 2, axis=0))
    for split in (at_random(rows, parts, rng), by_cluster(vectors, rows, parts, rng)):
        np.testing.assert_array_equal(np.sort(np.concatenate(split)), rows)
        assert all((np.diff(part) > 0).all() and len(part) for part in split)
        assert max(map(len, split)) <= np.ceil(1.25 * size / len(split))


@pytest.mark.parametrize("name", ["dense", "sparse"])
def test_a_winner_stands_for_the_rows_nearest_to_it(name: str) -> None:
    ground = random_ground(50, 1)
    part, winners, weights = np.arange(5, 45), np.array([7, 20, 33]), np.arange(40.0)
    values = formulas.matrix(ground, name)[part] @ formulas.matrix(ground, name)[winners].T
    wanted = [weights[(values.argmax(axis=1) == place) & (values.max(axis=1) > 0)].sum() for place in range(3)]
    for memory in (1, 1 << 20):
        assert standing(ground.vectors[name], part, winners, weights, memory) == pytest.approx(wanted)


def test_what_cannot_be_is_refused() -> None:
    ground = random_ground(30, 1)
    for words, told in (
        ({"parts": -1}, "parts of the optimizer"),
        ({"by": "size"}, "write random or cluster"),
        ({"factor": 0.5}, "at least 1"),
        ({"proof": "none"}, "write parts or all"),
    ):
        with pytest.raises(RecipeError, match=told):
            select(problem(ground, FacilityLocation("dense"), 5), partial(partitioned, **words))
    with pytest.raises(RecipeError, match="needs dense vectors"):
        select(problem(ground, Coverage("types"), 5), partial(partitioned, parts=2))

    class Odd:
        most, prices = 5, None
        start = Count(5).start

    with pytest.raises(RecipeError, match="cannot split the limit"):
        select(replace(problem(ground, Coverage("types"), 5), limit=Odd()), SPLIT)
    assert len(select(problem(ground, Coverage("types"), Count(5), NO_ROWS), SPLIT).rows) == 5

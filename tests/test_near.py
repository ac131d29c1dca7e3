"""Lazy greedy over near rows: what is looked at is exact, what is stated is true, and everything is the same with any threads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector.core import NO_ROWS, Ground, Problem
from selector.engine import select
from selector.errors import MemoryForecast, RecipeError
from selector.features import dense, sparse
from selector.kernels.codes import encode
from selector.kernels.near import near_sweep
from selector.limits import Cost, Count
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.k_dpp import KDpp
from selector.objectives.mixture import Mixture
from selector.objectives.quality import Quality
from selector.optimizers.lazy import lazy
from selector.optimizers.near import near
from tests.test_fused import CODES, KINDS, problem, rows_of, threads, vectors


def swept(found: Any, cover: np.ndarray, kind: Any, probes: int, count: int = 2, seed: int = 0) -> tuple[Any, float]:
    steps = np.rint(found.data / found.step).astype(np.int16)
    return near_sweep(found.data, steps, found.step, encode(found.data, found.step, kind), cover, probes, seed, count, lambda *_: None)


@pytest.mark.parametrize("kind_of_code", CODES)
@pytest.mark.parametrize("count", [1, 2])
@settings(max_examples=8, deadline=None)
@given(kind=st.sampled_from(KINDS), size=st.integers(1, 700), picks=st.integers(0, 12), seed=st.integers(0, 10**6))
def test_what_is_found_is_exact_and_all_is_found_where_all_is_looked_at(
    kind_of_code: Any, count: int, kind: str, size: int, picks: int, seed: int
) -> None:
    found = vectors(kind, size, 16, seed)
    data, chosen = found.data, np.random.default_rng(seed).integers(0, size, picks)
    cover = np.maximum(0, (data @ data[chosen].T).max(axis=1, initial=0.0)).astype(np.float32)
    for probes in (1, 12, 100):
        (starts, rows, similarities), looked = swept(found, cover, kind_of_code, probes, count)
        assert starts[0] == 0
        assert starts[-1] == len(rows) == len(similarities)
        for candidate in range(size):
            line = data @ data[candidate]
            mine = slice(starts[candidate], starts[candidate + 1])
            assert len(set(rows[mine].tolist())) == len(rows[mine])
            assert (line[rows[mine]] > cover[rows[mine]]).all()
            np.testing.assert_array_equal(similarities[mine], line[rows[mine]])
            assert (candidate in rows[mine]) == (line[candidate] > cover[candidate])
            if probes == 100:
                assert len(rows[mine]) == np.count_nonzero(line > cover)
        assert looked == 1.0 if probes == 100 else 0 <= looked <= 1.0


def test_a_small_part_of_all_pairs_holds_most_of_what_matters() -> None:
    found = dense(rows_of("clusters", 12_000, 24, 1))
    cover = np.maximum(0, (found.data @ found.data[:40].T).max(axis=1)).astype(np.float32)
    everything = sum(float(np.maximum(found.data[at : at + 1000] @ found.data.T - cover, 0).sum()) for at in range(0, 12_000, 1000))
    shares = []
    for probes in (6, 28):
        (_, rows, similarities), looked = swept(found, cover, CODES[0], probes)
        assert looked == pytest.approx(probes / 274, rel=0.25)
        shares.append(float((similarities - cover[rows]).sum(dtype=float)) / everything)
    assert shares[0] > 0.2
    assert shares[1] > 0.6
    again = [swept(found, cover, CODES[0], 28, count)[0] for count in (1, 2)]
    for one, other in zip(*again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["clusters", "copies", "zeros"])
def test_the_rows_are_good_and_the_certificate_is_true(kind: str) -> None:
    """Laws 1, 5 and 9."""
    asked = problem(vectors(kind, 9000, 24, 1), 300)
    outcome = select(asked, partial(near, probes=24), seed=3)
    assert len(set(outcome.rows.tolist())) == 300
    worth = FacilityLocation("v").value(asked.ground, outcome.rows)
    assert 0.9 * worth < outcome.value <= worth * (1 + 1e-12)
    assert outcome.value == pytest.approx(outcome.gains.sum(), rel=1e-9)
    best = select(asked, partial(lazy, mode="exact"), reference=False)
    assert worth >= 0.98 * best.value
    assert outcome.upper_bound >= best.value
    assert 0 < outcome.facts["sampled_picks"] < 300
    assert 0.05 < outcome.facts["pairs_looked_at"] < 0.2
    assert "f is at least this" in outcome.notes[0]
    assert "estimated from 4,096 rows" in outcome.notes[1]
    for count in (1, 2):
        with threads(count):
            again = select(replace(asked, ground=replace(asked.ground, memory=1 << 28)), partial(near, probes=24), seed=3)
        np.testing.assert_array_equal(again.rows, outcome.rows)
        np.testing.assert_array_equal(again.gains, outcome.gains)


def test_small_pools_and_sparse_vectors_have_the_rows_of_lazy() -> None:
    small = problem(vectors("clusters", 700, 16, 1), 50)
    thin = sparse(np.where((values := rows_of("clusters", 9000, 16, 1)) > 2, values, 0))
    many = Problem(Ground(9000, {"v": thin}), FacilityLocation("v"), Count(50), NO_ROWS, np.arange(9000))
    for asked in (small, many):
        found, wanted = select(asked, near), select(asked, lazy)
        np.testing.assert_array_equal(found.rows, wanted.rows)
        assert found.upper_bound == wanted.upper_bound


def test_limits_kept_rows_weights_and_mixtures() -> None:
    found, rng = vectors("clusters", 9000, 12, 4), np.random.default_rng(0)
    ground = Ground(9000, {"v": found}, scores={"s": rng.random(9000)}, weights=rng.integers(0, 3, 9000).astype(float))
    kept, costs = np.array([5, 77, 8000]), rng.integers(1, 9, 9000).astype(float)
    free = np.setdiff1d(np.arange(9000), kept)
    for limit in (Count(120), Cost(costs, 300.0)):
        outcome = select(Problem(ground, FacilityLocation("v"), limit, kept, free), near)
        assert not np.isin(outcome.rows, kept).any()
        assert len(set(outcome.rows.tolist())) == len(outcome.rows)
        worth = FacilityLocation("v").value(ground, np.concatenate([kept, outcome.rows]))
        assert outcome.value <= worth * (1 + 1e-12)
        assert outcome.upper_bound >= worth
    assert costs[outcome.rows].sum() <= 300
    mixed = Mixture((FacilityLocation("v"), Quality("s")), (0.7, 0.3), (1.0, 1.0))
    outcome = select(Problem(ground, mixed, Count(100), kept, free), near)
    assert len(set(outcome.rows.tolist())) == 100
    assert outcome.value <= mixed.value(ground, np.concatenate([kept, outcome.rows])) * (1 + 1e-12)
    assert outcome.upper_bound >= mixed.value(ground, np.concatenate([kept, outcome.rows]))


@pytest.mark.parametrize("budget", [3, 20])
def test_a_budget_that_the_samples_fill_needs_no_look_at_the_pool(budget: int) -> None:
    asked = problem(vectors("clusters", 40_000, 24, 1), budget, 1 << 25)  # what so few rows leave uncovered would not fit
    outcome = select(asked, near, seed=3)
    assert len(set(outcome.rows.tolist())) == budget == outcome.facts["sampled_picks"]
    assert "pairs_looked_at" not in outcome.facts
    assert not any("at least" in note for note in outcome.notes)
    assert outcome.value == pytest.approx(FacilityLocation("v").value(asked.ground, outcome.rows), rel=1e-12)
    assert outcome.value >= 0.97 * select(asked, partial(lazy, mode="exact"), reference=False).value


def test_it_refuses_what_it_cannot_do() -> None:
    asked = problem(vectors("clusters", 9000, 12, 4), 50)
    for probes in (0, -1):
        with pytest.raises(RecipeError, match="probes"):
            select(asked, partial(near, probes=probes))
    with pytest.raises(MemoryForecast, match="raise --memory or use"):
        select(replace(asked, ground=replace(asked.ground, memory=1 << 20)), near)
    with pytest.raises(RecipeError, match="loop"):
        next(near(replace(asked, objective=KDpp("v")), np.random.default_rng(0)))

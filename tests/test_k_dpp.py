"""k-DPP sampling: against the definition on tiny pools, and sound on large ones."""

from __future__ import annotations

from itertools import combinations

import numba
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import chisquare

from selector import registry
from selector.core import NO_ROWS, Ground, Problem
from selector.engine import select
from selector.errors import BudgetError, MemoryForecast, RecipeError
from selector.features import SparseVectors, Vectors
from selector.kernels.volumes import draw_eigenvectors, log_elementary
from selector.limits import All, Cost, Count, Quota
from selector.objectives import k_dpp
from selector.objectives.k_dpp import KDpp

DRAWS = 4000


def ground(values, scores=None) -> Ground:
    values = np.asarray(values, np.float32)
    sparse = csr_array(values)
    sparse.sort_indices()
    return Ground(
        len(values),
        {"dense": Vectors(values), "sparse": SparseVectors(sparse)},
        scores={} if scores is None else {"score": np.asarray(scores, np.float64)},
    )


def problem(pool: Ground, budget, objective=None, kept=NO_ROWS, candidates=None) -> Problem:
    kept = np.asarray(kept, np.int64)
    free = np.setdiff1d(np.arange(pool.size), kept) if candidates is None else np.asarray(candidates)
    return Problem(pool, objective or KDpp("dense"), Count(budget) if isinstance(budget, int) else budget, kept, free)


def wanted(pool: Ground, k: int, objective: KDpp, kept: list[int], candidates: list[int]) -> dict[tuple[int, ...], float]:
    """P(S | kept) ~ det(L_(kept + S)), by every set of k candidates."""
    quality = np.ones(pool.size)
    if objective.quality is not None:
        quality = np.exp(objective.quality_weight / (2 * (1 - objective.quality_weight)) * pool.scores[objective.quality])
    x = pool.vectors["dense"].data.astype(np.float64) * quality[:, None]
    kernel = x @ x.T
    volumes = {
        chosen: max(0.0, np.linalg.det(kernel[np.ix_([*kept, *chosen], [*kept, *chosen])])) for chosen in combinations(candidates, k)
    }
    return {chosen: volume / sum(volumes.values()) for chosen, volume in volumes.items()}


@pytest.mark.parametrize(
    ("k", "objective", "kept", "without"),
    [
        (1, KDpp("dense"), [], []),
        (2, KDpp("dense"), [], []),
        (3, KDpp("sparse"), [], []),
        (4, KDpp("dense"), [], [5]),
        (2, KDpp("dense", quality="score", quality_weight=0.7), [], []),
        (2, KDpp("dense"), [2], []),
        (2, KDpp("sparse", quality="score"), [0, 3], [6]),
    ],
)
def test_sets_are_drawn_as_often_as_their_volume_says(k, objective, kept, without) -> None:
    rng = np.random.default_rng(0)
    pool = ground(rng.normal(size=(7, 4)) * rng.uniform(0.3, 2, (7, 1)), rng.random(7))
    candidates = [row for row in range(7) if row not in (*kept, *without)]
    chances = wanted(pool, k, objective, kept, candidates)
    counts = dict.fromkeys(chances, 0)
    volume = objective.volume(pool, np.array(candidates), np.array(kept, np.int64))
    for _ in range(DRAWS):
        rows = volume.draw(k, rng)
        counts[tuple(sorted(rows.tolist()))] += 1
    expected = np.array(list(chances.values())) * DRAWS
    found = np.array(list(counts.values()), float)
    assert np.abs(found - expected).sum() / (2 * DRAWS) < 0.05  # total variation
    often = expected >= 5
    if (~often).any() and expected[~often].sum() > 0:
        found, expected = (np.append(one[often], one[~often].sum()) for one in (found, expected))
    assert chisquare(found, expected).pvalue > 1e-3


def test_the_statistic_would_see_a_wrong_sampler() -> None:
    rng = np.random.default_rng(0)
    pool = ground(rng.normal(size=(7, 4)) * rng.uniform(0.3, 2, (7, 1)))
    chances = np.array(list(wanted(pool, 2, KDpp("dense"), [], list(range(7))).values()))
    uniform = np.full(len(chances), DRAWS / len(chances))
    assert np.abs(uniform - chances * DRAWS).sum() / (2 * DRAWS) > 0.15


def test_the_seed_decides() -> None:
    pool = ground(np.random.default_rng(1).normal(size=(300, 12)))
    first, again, other = (select(problem(pool, 10), seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.gains, again.gains)
    assert first.rows.tolist() != other.rows.tolist()
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(select(problem(pool, 10), seed=5).rows, first.rows)
    finally:
        numba.set_num_threads(before)


def test_sparse_vectors_are_drawn_from_as_dense_ones() -> None:
    pool = ground(np.random.default_rng(1).integers(-1, 2, size=(200, 12)))
    dense, sparse = (select(problem(pool, 9, KDpp(name)), seed=3).rows for name in ("dense", "sparse"))
    np.testing.assert_array_equal(dense, sparse)


def test_the_whole_rank_of_a_hard_pool() -> None:
    """k = d, eigenvalues over eight orders of magnitude, copies: distinct rows, and the value is the determinant."""
    rng = np.random.default_rng(2)
    values = (rng.normal(size=(5000, 64)) * np.logspace(0, -4, 64)).astype(np.float32)
    values[2500:] = values[:2500]
    outcome = select(problem(ground(values), 64))
    assert len(set((outcome.rows % 2500).tolist())) == 64, "a row and its copy span nothing together"
    x = values[outcome.rows].astype(np.float64)
    assert outcome.value == pytest.approx(np.linalg.slogdet(x @ x.T)[1], rel=1e-6)
    assert outcome.gains.sum() == pytest.approx(outcome.value)
    assert outcome.upper_bound is None
    assert "64 dimensions" in outcome.notes[0]


def test_draws_are_more_diverse_than_random_rows() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(1000, 20)) + 3 * rng.normal(size=(8, 20))[rng.integers(0, 8, 1000)]
    pool = ground(values)

    def volume(rows) -> float:
        x = pool.vectors["dense"].data[rows].astype(np.float64)
        return np.linalg.slogdet(x @ x.T)[1]

    drawn = [volume(select(problem(pool, 10), seed=seed).rows) for seed in range(10)]
    uniform = [volume(rng.choice(1000, 10, replace=False)) for _ in range(10)]
    assert min(drawn) > np.mean(uniform)


def test_zero_rows_are_never_drawn_and_kept_rows_never_again() -> None:
    values = np.random.default_rng(4).normal(size=(30, 5))
    values[::3] = 0.0
    for seed in range(20):
        rows = select(problem(ground(values), 4, kept=[1]), seed=seed).rows
        assert not (rows % 3 == 0).any()
        assert 1 not in rows


def test_past_the_rank_is_an_error_that_names_it() -> None:
    rng = np.random.default_rng(5)
    pool = ground(rng.normal(size=(40, 3)) @ rng.normal(size=(3, 8)))
    with pytest.raises(BudgetError, match=r"cannot draw 4 rows: the vectors of dense have rank 3, and .* at most 3, or use dpp"):
        select(problem(pool, 4))
    with pytest.raises(BudgetError, match=r"have rank 2 outside the span of 1 kept row"):
        select(problem(pool, 3, kept=[0]))
    assert len(select(problem(pool, 2, kept=[0])).rows) == 2
    with pytest.raises(BudgetError, match="rank 2"):
        select(problem(pool, 3, candidates=[4, 5]))
    with pytest.raises(BudgetError, match="rank 0"):
        select(problem(ground(np.zeros((4, 3))), 1))
    with pytest.raises(BudgetError, match="rank 1 outside the span of 20 kept rows"):
        select(problem(ground(np.vstack([np.eye(3)[:2].repeat(10, 0), np.ones((5, 3))])), 2, kept=np.arange(20)))


def test_only_a_number_of_rows_limits_it() -> None:
    pool = ground(np.random.default_rng(6).normal(size=(40, 8)))
    with pytest.raises(BudgetError, match="cannot keep to a token budget"):
        select(problem(pool, Cost(np.ones(40), 5.0)))
    with pytest.raises(BudgetError, match="cannot keep to a token budget"):
        select(problem(pool, All((Count(5), Cost(np.ones(40), 5.0)))))


def test_quotas_are_kept_by_drawing_again() -> None:
    pool = ground(np.random.default_rng(6).normal(size=(40, 8)))
    groups = np.arange(40) % 2
    wide = Quota(groups, ("a", "b"), np.zeros(2, np.int64), np.array([3, 3]), 5)
    for seed in range(10):
        rows = select(problem(pool, wide), seed=seed).rows
        assert len(rows) == 5
        assert np.bincount(groups[rows]).max() == 3
    narrow = Quota((np.arange(40) == 7).astype(np.int64), ("a", "b"), np.array([0, 1]), np.array([7, 1]), 8)
    with pytest.raises(BudgetError, match="none of 10 draws of k-dpp kept to the quotas"):
        select(problem(pool, narrow))


def test_wide_vectors_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    pool = ground(rng.normal(size=(20, 50)) * (rng.random((20, 50)) < 0.3))
    whole = [select(problem(pool, 6, KDpp("sparse")), seed=seed) for seed in range(5)]
    monkeypatch.setattr(k_dpp, "WIDEST", 25)
    for outcome in whole + [select(problem(pool, 6, KDpp(name)), seed=seed) for name in ("sparse", "dense") for seed in range(5)]:
        x = pool.vectors["dense"].data[outcome.rows].astype(np.float64)
        assert outcome.value == pytest.approx(np.linalg.slogdet(x @ x.T)[1], abs=1e-6)
    monkeypatch.setattr(k_dpp, "WIDEST", 10)
    with pytest.raises(MemoryForecast, match="50 dimensions and 20 rows"):
        select(problem(pool, 6, KDpp("sparse")))


def test_sparse_rows_made_dense_are_forecast() -> None:
    pool = ground(np.eye(200))
    with pytest.raises(MemoryForecast, match="as dense rows"):
        select(problem(Ground(200, pool.vectors, memory=1000), 3, KDpp("sparse")))


def test_elementary_polynomials() -> None:
    values = np.array([0.5, 2.0, 3.0, 1.5])
    table = log_elementary(values, 3)
    for k in range(4):
        assert np.exp(table[k, 4]) == pytest.approx(sum(np.prod(chosen) for chosen in combinations(values, k)))
    huge = log_elementary(np.full(384, 1e200), 200)
    assert np.isfinite(huge[200, 384])
    assert sorted(draw_eigenvectors(np.full(384, 1e200), 384, np.random.default_rng(0)).tolist()) == list(range(384))


def test_names_and_options() -> None:
    assert registry.find("objectives", "k-dpp") is KDpp
    with pytest.raises(RecipeError, match="quality weight of k-dpp is 1"):
        KDpp("dense", quality="score", quality_weight=1.0)

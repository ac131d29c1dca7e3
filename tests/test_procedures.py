"""The baselines that bring their own loops, held to their slow definitions and to the laws."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import selector
from selector.core import NO_ROWS, Ground, Limit, Procedure
from selector.demo import table
from selector.engine import select
from selector.errors import BudgetError, MemoryForecast, RecipeError
from selector.kernels import density, frontier, novelty, spacing
from selector.limits import All, Cost, Count
from selector.objectives.cluster_balanced import ClusterBalanced
from selector.objectives.k_centre import KCentre
from selector.objectives.k_means_medoids import KMeansMedoids
from selector.objectives.max_min import MaxMin
from selector.objectives.mmr import Mmr
from selector.objectives.novel_select import NovelSelect
from selector.objectives.repr_filter import ReprFilter
from tests import procedures
from tests.conformance.test_optimizers import feasible, limits, problem
from tests.conformance.views import hard_grounds, random_ground
from tests.formulas import matrix

VIEWS = ("dense", "sparse")
EACH: dict[str, Procedure] = {
    **{f"k-centre/{view}": KCentre(view) for view in VIEWS},
    **{f"mmr/{view}": Mmr(view) for view in VIEWS},
    "mmr/quality": Mmr("dense", "score", 0.7),
    **{f"max-min/{view}": MaxMin(view) for view in VIEWS},
    "max-min/quality": MaxMin("sparse", "score", 0.8),
    **{f"novel-select/{view}": NovelSelect(view, neighbours=3) for view in VIEWS},
    "novel-select/few ranks": NovelSelect("dense", neighbours=3, exact_ranks=4, density="chosen"),
    **{f"repr-filter/{view}": ReprFilter(view, "score", tau=2.0) for view in VIEWS},
    **{f"k-means-medoids/{view}": KMeansMedoids(view) for view in VIEWS},
    "cluster-balanced": ClusterBalanced("types"),
    "cluster-balanced/quality": ClusterBalanced("types", "score", 3),
}
ALL = pytest.mark.parametrize("objective", EACH.values(), ids=EACH.keys())
SLOW = pytest.mark.parametrize(
    "objective",
    [
        *(KCentre(view) for view in VIEWS),
        *(Mmr(view, quality, weight) for view in VIEWS for quality, weight in ((None, 0.5), ("score", 0.3), ("score", 0.0))),
        *(MaxMin(view, quality, 0.6, epsilon) for view in VIEWS for quality in (None, "score") for epsilon in (0.1, 0.5)),
        *(ReprFilter(view, "score", tau) for view in VIEWS for tau in (0.6, 1.0, 3.0)),
        ClusterBalanced("types"),
        ClusterBalanced("types", "score", 5),
    ],
    ids=str,
)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller than the pools here, so that more than one is always at work."""
    for module, name, value in ((frontier, "FRONT", 7), (frontier, "TALL", 5), (frontier, "WIDE", 3), (spacing, "TALL", 4),
                                (spacing, "WIDE", 3), (novelty, "PART", 16), (novelty, "FRONT", 5), (density, "WALKED", 50)):  # fmt: skip
        monkeypatch.setattr(module, name, value)


def slow(objective: Any, ground: Ground, candidates: list[int], kept: list[int], k: int) -> list[int]:
    x = matrix(ground, objective.features) if objective.features in ground.vectors else np.empty((ground.size, 0))
    scores = ground.scores["score"]
    match objective:
        case KCentre():
            return procedures.k_centre(x, candidates, kept, k)
        case Mmr():
            return procedures.mmr(x, scores if objective.quality else None, objective.quality_weight, candidates, kept, k)
        case MaxMin():
            told = scores if objective.quality else None
            return procedures.max_min(x, told, objective.quality_weight, objective.epsilon, candidates, kept, k)
        case ReprFilter():
            return procedures.repr_filter(x, scores, objective.tau, candidates, kept, k)
        case ClusterBalanced():
            lots = np.random.default_rng(objective.seed).permutation(ground.size)
            rank = np.argsort(lots if objective.quality is None else np.lexsort((lots, -scores)))
            return procedures.cluster_balanced(ground.types["types"].incidence.toarray(), rank, candidates, kept, k)
    raise AssertionError(objective)


@SLOW
@settings(max_examples=40, deadline=None)
@given(ground=hard_grounds(), budget=st.integers(1, 12), keep=st.integers(0, 2))
def test_hard_pools_by_the_definition(objective: Procedure, ground: Ground, budget: int, keep: int) -> None:
    kept = list(range(min(keep, ground.size - 1)))
    asked = problem(ground, objective, budget, kept)
    assert select(asked).rows.tolist() == slow(objective, ground, asked.candidates.tolist(), kept, budget)


@SLOW
@pytest.mark.parametrize("kept", [[], [3, 40, 41]])
def test_larger_pools_by_the_definition(objective: Procedure, kept: list[int]) -> None:
    asked = problem(random_ground(60, 4), objective, 35, kept)
    assert select(asked).rows.tolist() == slow(objective, asked.ground, asked.candidates.tolist(), kept, 35)


@pytest.mark.parametrize("view", VIEWS)
def test_gains_that_nearly_tie_go_to_the_lowest_row(view: str) -> None:
    """Law 4: a lead below one part in a million is none."""
    ground = random_ground(6, 4).take(np.repeat(np.arange(6), 8))
    ground.scores["score"][:] = 0.5 + 1e-9 * np.random.default_rng(0).permutation(48)
    asked = problem(ground, Mmr(view, "score", 0.5), 30)
    rows = select(asked).rows.tolist()
    assert rows == slow(asked.objective, ground, asked.candidates.tolist(), [], 30)
    assert sorted(rows[:6]) == [0, 8, 16, 24, 32, 40], "the first of each kind"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("power", "distance", "both"), [(0.5, 1.0, "both"), (0.5, 2.0, "chosen"), (0.0, 0.0, "both")])
def test_novelty_is_the_authors_score_while_all_ranks_are_kept(view: str, power: float, distance: float, both: str) -> None:
    ground = random_ground(50, 2)
    x = matrix(ground, view)
    weights = procedures.densities(x, 4, power)
    outcome = select(problem(ground, NovelSelect(view, 4, power, distance, both, 30), 30, [7, 8]), seed=3)
    chosen = [7, 8]
    for row, gain in zip(outcome.rows.tolist(), outcome.gains.tolist(), strict=True):
        left = [one for one in range(50) if one not in chosen]
        scores = [procedures.novelty(x, weights, both == "both", distance, one, chosen) for one in left]
        assert gain == pytest.approx(scores[left.index(row)], rel=1e-4)
        assert gain >= max(scores) * (1 - 1e-4)
        chosen.append(row)


def test_novelty_past_the_kept_ranks_is_nearly_the_sum() -> None:
    ground = random_ground(60, 5)
    x = matrix(ground, "dense")
    weights = procedures.densities(x, 10, 0.5)
    outcome = select(problem(ground, NovelSelect("dense", exact_ranks=8), 40))
    for place in (10, 25, 39):
        true = procedures.novelty(x, weights, True, 1.0, int(outcome.rows[place]), outcome.rows[:place].tolist())
        assert outcome.gains[place] == pytest.approx(true, rel=0.04)


def test_the_first_row_of_novel_select_is_drawn_and_copies_are_one_kind() -> None:
    ground = random_ground(40, 3)
    firsts = {int(select(problem(ground, NovelSelect("dense", seed=seed), 2)).rows[0]) for seed in range(8)}
    assert len(firsts) > 4
    twice = ground.take(np.r_[np.arange(40), np.zeros(30, np.int64)])
    for view in VIEWS:
        vectors = twice.vectors[view]
        inverse = 1 / np.linalg.norm(matrix(twice, view), axis=1)
        found = density.mean_distances(vectors, inverse, 5, 0)
        alone = density.mean_distances(ground.vectors[view], inverse[:40], 5, 0)
        np.testing.assert_allclose(found[:40], alone, rtol=1e-5)
        np.testing.assert_allclose(found[40:], alone[0], rtol=1e-5)


@ALL
@pytest.mark.parametrize("kind", ["count", "quota", "least", "cost", "all"])
def test_limits_hold(objective: Procedure, kind: str) -> None:
    limit: Limit = limits(60, np.random.default_rng(0))[kind]
    asked = problem(random_ground(60, 5), objective, limit, [0, 1])
    if isinstance(objective, KMeansMedoids) and limit.prices is not None:
        with pytest.raises(BudgetError, match="cannot keep to a token budget"):
            select(asked)
        return
    outcome = select(asked)
    rows = outcome.rows.tolist()
    assert len(set(rows)) == len(rows) > 0
    assert not {0, 1} & set(rows)
    assert feasible(limit, rows)
    assert outcome.stopped
    assert outcome.upper_bound is None
    left = [row for row in asked.candidates.tolist() if row not in rows]
    if kind != "least":
        assert not any(feasible(limit, [*rows, row]) for row in left), "it stopped while a row would still fit"


@ALL
def test_every_row_of_a_pool_of_copies_is_picked_once(objective: Procedure) -> None:
    ground = random_ground(1, 0).take(np.zeros(9, np.int64))
    rows = select(problem(ground, objective, 9)).rows.tolist()
    assert sorted(rows) == list(range(9))
    if isinstance(objective, (KCentre, Mmr, MaxMin, ReprFilter, KMeansMedoids)):
        assert rows == sorted(rows), "among equals the lowest row wins"


@ALL
def test_zero_rows_come_last(objective: Procedure) -> None:
    ground = random_ground(30, 1)
    for view in VIEWS:
        ground.vectors[view].data[::3] = 0  # type: ignore[attr-defined]
    ground.vectors["sparse"].data.eliminate_zeros()  # type: ignore[attr-defined]
    ground.scores["score"][::3] = 1.0
    if objective == EACH["mmr/quality"] or isinstance(objective, ClusterBalanced):
        return  # a zero row of high quality may go before a redundant one; types know no vectors
    rows = select(problem(ground, objective, 20)).rows
    assert (rows % 3 != 0).all() or isinstance(objective, ReprFilter)
    every = select(problem(ground, objective, 30)).rows
    if isinstance(objective, ReprFilter):
        assert not (every % 3 == 0).any()
        return
    assert sorted(every.tolist()) == list(range(30))
    assert every[20:].tolist() == list(range(0, 30, 3))


@ALL
def test_same_rows_for_any_thread_count_tile_and_memory(objective: Procedure, monkeypatch: pytest.MonkeyPatch) -> None:
    ground = random_ground(40, 6)
    copies = ground.take(np.random.default_rng(0).integers(0, 40, 400))
    wanted = select(problem(replace(copies, memory=1 << 24), objective, 60), seed=2)
    before = numba.get_num_threads()
    for name, value in (("FRONT", 64), ("TALL", 32), ("WIDE", 16)):
        monkeypatch.setattr(frontier, name, value)
    monkeypatch.setattr(spacing, "TALL", 100)
    try:
        numba.set_num_threads(1)
        with threadpool_limits(1):
            found = select(problem(replace(copies, memory=1 << 19), objective, 60), seed=2)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.gains, wanted.gains)


@pytest.mark.parametrize("name", [name for name in EACH if not name.startswith(("max-min", "k-means"))])
def test_warm_start_goes_on_where_one_run_was(name: str) -> None:
    """Law 6, where a smaller budget makes a beginning of a larger one."""
    ground, objective = random_ground(120, 3), EACH[name]
    whole = select(problem(ground, objective, 40), seed=1).rows
    for j in (1, 13):
        rest = select(problem(ground, objective, 40 - j, np.sort(whole[:j])), seed=1).rows
        np.testing.assert_array_equal(rest, whole[j:])


@given(seed=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_k_centre_reaches_everyone_within_twice_the_best(seed: int) -> None:
    """Gonzalez's promise, against all sets of three."""
    from itertools import combinations

    ground = random_ground(12, seed)
    x = matrix(ground, "dense")
    apart = np.linalg.norm(x[:, None] - x[None], axis=2)
    best = min(apart[:, list(chosen)].min(axis=1).max() for chosen in combinations(range(12), 3))
    outcome = select(problem(ground, KCentre("dense"), 3))
    assert apart[:, outcome.rows].min(axis=1).max() <= 2 * best + 1e-6
    assert (np.diff(outcome.gains[1:]) <= 1e-9).all(), "distances only fall"


def test_max_min_keeps_the_distance_that_it_says() -> None:
    ground = random_ground(200, 2)
    x = matrix(ground, "dense")
    outcome = select(problem(ground, MaxMin("dense", epsilon=0.05), 20))
    apart = np.linalg.norm(x[outcome.rows][:, None] - x[outcome.rows][None], axis=2)
    smallest = apart[np.triu_indices(20, 1)].min()
    assert outcome.facts["smallest_distance"] == pytest.approx(smallest, rel=1e-6)
    assert smallest >= outcome.facts["threshold"]
    random = [np.linalg.norm(x[rows][:, None] - x[rows][None], axis=2)[np.triu_indices(20, 1)].min()
              for rows in (np.random.default_rng(seed).choice(200, 20, replace=False) for seed in range(20))]  # fmt: skip
    assert smallest > 1.5 * max(random)
    assert outcome.value == pytest.approx(smallest)
    best = select(problem(ground, MaxMin("dense", "score", 0.99), 20))
    assert ground.scores["score"][best.rows].mean() > ground.scores["score"][outcome.rows].mean() + 0.2


def test_repr_filter_says_when_it_ran_out() -> None:
    ground = random_ground(50, 2)
    outcome = select(problem(ground, ReprFilter("dense", "score", tau=0.5), 40))
    x = matrix(ground, "dense")[outcome.rows]
    assert (x @ x.T)[np.triu_indices(len(x), 1)].max() < 0.5
    assert len(outcome.rows) < 40
    assert outcome.stopped == "every other row is similar to a taken one by 0.5 or more"
    assert "raise tau" in outcome.notes[0]
    assert outcome.rows[0] == int(np.argmax(ground.scores["score"]))
    assert select(problem(ground, ReprFilter("dense", "score", tau=0.5), 3)).stopped == "budget reached"


def test_medoids_of_clear_clusters() -> None:
    rng = np.random.default_rng(3)
    centres = np.linalg.qr(rng.normal(size=(16, 16)))[0][:8]
    of = rng.permutation(np.repeat(np.arange(8), np.arange(10, 26, 2)))
    values = centres[of] + 0.02 * rng.normal(size=(len(of), 16))
    from tests.conformance.views import ground as over

    ground = over(values, np.ones((len(of), 1)), np.zeros(len(of)), 1 << 20)
    for view in VIEWS:
        outcome = select(problem(ground, KMeansMedoids(view, passes=10), 8))
        x = matrix(ground, view)
        assert sorted(of[outcome.rows].tolist()) == list(range(8))
        assert of[outcome.rows].tolist() == list(range(8))[::-1], "the largest cluster first"
        for row in outcome.rows.tolist():
            own = np.flatnonzero(of == of[row])
            assert row == own[np.argmin(((x[own] - x[own].mean(axis=0)) ** 2).sum(axis=1))]
        assert outcome.value == len(of)
        kept = np.flatnonzero(of == 0)[:1]
        more = select(problem(ground, KMeansMedoids(view, passes=10), 8, kept)).rows
        assert of[more].tolist() == [7, 6, 5, 4, 3, 2, 1, 7], "a cluster with a kept row has given one"


def test_medoids_that_cannot_fit_are_forecast() -> None:
    with pytest.raises(MemoryForecast, match="50 centres of 6 dimensions take"):
        select(problem(random_ground(60, 1, memory=1000), KMeansMedoids("dense"), 50))


def test_clusters_take_turns_and_small_ones_run_out() -> None:
    ground = random_ground(90, 2)
    sizes = [50, 30, 7, 3]
    of = np.random.default_rng(1).permutation(np.repeat(np.arange(4), sizes))
    ground.types["types"].incidence._shape = (90, 12)
    types = replace(ground.types["types"], incidence=_one_hot(of), names=["a", "b", "c", "d"])
    ground = replace(ground, types={"types": types})
    for objective in (ClusterBalanced("types"), ClusterBalanced("types", "score")):
        rows = select(problem(ground, objective, 40)).rows
        assert np.bincount(of[rows], minlength=4).tolist() == [15, 15, 7, 3]
        assert of[rows[:8]].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    best = [np.sort(ground.scores["score"][of == one])[::-1] for one in range(4)]
    np.testing.assert_allclose(ground.scores["score"][rows[:8]], [best[one][turn] for turn in range(2) for one in range(4)])
    kept = np.flatnonzero(of == 0)[:5]
    assert (of[select(problem(ground, ClusterBalanced("types"), 6, kept)).rows] > 0).all(), "kept rows are rows that their cluster gave"
    one, other = (select(problem(ground, ClusterBalanced("types", seed=seed), 40)).rows for seed in (1, 2))
    assert one.tolist() != other.tolist()


def _one_hot(of: np.ndarray) -> Any:
    from scipy.sparse import csr_array

    return csr_array(np.eye(of.max() + 1, dtype=np.float32)[of])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Mmr, "dense", quality_weight=1.0), "quality weight of mmr is 1"),
        (partial(MaxMin, "dense", quality_weight=-0.1), "quality weight of max-min is -0.1"),
        (partial(MaxMin, "dense", epsilon=0.0), "epsilon of max-min is 0"),
        (partial(ReprFilter, "dense", "score", tau=0.0), "tau of repr-filter is 0"),
        (partial(NovelSelect, "dense", neighbours=0), "neighbours of novel-select is 0"),
        (partial(NovelSelect, "dense", distance_power=-1.0), "distance_power of novel-select is -1"),
        (partial(NovelSelect, "dense", density="none"), "density of novel-select is 'none'"),
        (partial(KMeansMedoids, "dense", passes=0), "passes of k-means-medoids are 0"),
    ],
)
def test_parameters_that_mean_nothing(make: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()


def test_a_budget_above_the_pool_takes_what_there_is() -> None:
    ground = random_ground(12, 1)
    for objective in EACH.values():
        if not isinstance(objective, ReprFilter):
            assert sorted(select(problem(ground, objective, 12, NO_ROWS)).rows.tolist()) == list(range(12))
    assert isinstance(All((Count(3), Cost(np.ones(12), 2.0))).prices, np.ndarray)


BY_NAME = {"k-centre": {}, "max-min": {"quality": "quality"}, "mmr": {"quality": "quality", "quality_weight": 0.6}, "novel-select": {},
           "k-means-medoids": {}, "cluster-balanced": {"quality": "quality"}, "repr-filter": {"quality": "quality"}}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """select() on a small demo pool, features kept between."""
    cache = tmp_path_factory.mktemp("features")
    pool = selector.Pool.from_table(table(400))
    words = {"budget": 30, "layer": "macro", "layers": {"macro": {"encoder": "static", "clusters": "kmeans:20"}}}
    return lambda **more: selector.select(pool, **{**words, **more}, options=selector.Options(cache=cache))


@pytest.mark.parametrize("name", BY_NAME)
def test_by_name_on_demo(name: str, demo: Any) -> None:
    chosen = demo(objective=name, quota=["source:max=20"], **BY_NAME[name])
    assert len(set(chosen.rows.tolist())) == 30
    told = chosen.manifest["objective"]
    assert told["name"] == name
    assert told["upper_bound"] is None
    assert told["no_bound_because"] == "the objective brings its own loop and states no value"
    assert ("quality" in told["parameters"]) == ("quality" in BY_NAME[name] or name in ("mmr", "max-min", "cluster-balanced"))
    assert not chosen.manifest["nested"]
    quality = np.array(chosen.to_dataset()["quality"])
    if name in ("cluster-balanced", "repr-filter", "max-min"):
        assert quality.mean() > 0.72, "0.67 over the pool"


def test_a_baseline_with_the_wrong_words(demo: Any) -> None:
    with pytest.raises(RecipeError, match="'repr-filter' needs a numeric column; name it with quality"):
        demo(objective="repr-filter")
    with pytest.raises(RecipeError, match="'cluster-balanced' reads its quality column without a weight; leave quality_weight out"):
        demo(objective="cluster-balanced", quality="quality", quality_weight=0.5)
    with pytest.raises(RecipeError, match="'novel-select' brings its own loop and cannot stand beside others"):
        demo(objective="novel-select", quality="quality")
    with pytest.raises(RecipeError, match="'k-centre' has no option 'start'"):
        demo(objective="k-centre", parameters={"start": 3})
    with pytest.raises(RecipeError, match="quality is given twice"):
        demo(objective="mmr", quality="quality", parameters={"quality": "quality"})


def test_own_vectors_need_no_pool() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 8))
    for name in ("k-centre", "mmr", "max-min", "novel-select", "k-means-medoids"):
        assert len(set(selector.select_rows(vectors, budget=20, objective=name).rows.tolist())) == 20

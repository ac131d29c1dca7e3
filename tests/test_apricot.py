"""apricot's functions, and what is done about the rows that it returns twice."""

from __future__ import annotations

import numpy as np
import pytest

from selector.core import NO_ROWS, Problem
from selector.engine import select
from selector.errors import InputError, RecipeError, UnknownName
from selector.features import SparseVectors, dense
from selector.limits import All, Cost, Count
from selector.objectives.apricot import FEATURE, GRAPH, Apricot, neighbours
from tests.conformance.views import random_ground


def asked(function: str, features: str = "sparse", budget: int = 12, kept=NO_ROWS, limit=None) -> Problem:
    ground = random_ground(80, 3)
    ground.vectors["positive"] = dense(np.abs(ground.vectors["dense"].data))
    kept = np.asarray(kept, np.int64)
    return Problem(ground, Apricot(features, function, neighbours=20), limit or Count(budget), kept, np.setdiff1d(np.arange(80), kept))


@pytest.mark.parametrize("function", [*GRAPH, *FEATURE])
def test_every_function_gives_distinct_rows(function: str) -> None:
    outcome = select(asked(function, "positive"))
    assert len(set(outcome.rows.tolist())) == 12
    assert outcome.upper_bound is None
    assert "own loop" in outcome.no_bound_because
    assert "apricot's own account" in outcome.notes[0]


@pytest.mark.parametrize("function", [*FEATURE])
def test_sparse_vectors_with_wide_indices(function: str) -> None:
    problem = asked(function, "sparse")
    rows = np.abs(problem.ground.vectors["sparse"].data)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    problem.ground.vectors["sparse"] = SparseVectors(rows)
    assert len(set(select(problem).rows.tolist())) == 12


def test_a_warm_start_keeps_rows_out() -> None:
    outcome = select(asked("facility-location", "positive", kept=[1, 2, 3]))
    assert len(set(outcome.rows.tolist()) - {1, 2, 3}) == 12


def test_rows_returned_twice_are_dropped_and_the_selection_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    import apricot

    class Repeating:
        def __init__(self, budget: int, **words: object) -> None:
            self.ranking, self.gains = np.array([5, 9, 5, 5, 9, 7]), np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])

        def fit(self, matrix: object) -> Repeating:
            return self

    monkeypatch.setattr(apricot, "MaxCoverageSelection", Repeating)
    outcome = select(asked("max-coverage", "positive", budget=6))
    assert outcome.rows[:3].tolist() == [5, 9, 7]
    assert len(set(outcome.rows.tolist())) == 6
    assert outcome.value == 12.0  # apricot's gains of its own three rows
    assert "returned 6 rows of which 3 were repeats or not allowed" in outcome.notes[1]
    assert "last 3 rows were picked by our facility-location" in outcome.notes[1]


def test_limits_hold_although_apricot_knows_none() -> None:
    costs = np.random.default_rng(0).integers(1, 9, 80).astype(float)
    outcome = select(asked("facility-location", "positive", limit=All((Count(20), Cost(costs, 40.0)))))
    assert costs[outcome.rows].sum() <= 40
    assert len(outcome.rows) <= 20


def test_the_neighbour_graph_holds_the_most_similar_rows() -> None:
    ground = random_ground(50, 1)
    graph = neighbours(ground.vectors["dense"], 5, memory=3000).toarray()
    full = np.maximum(ground.vectors["dense"].data @ ground.vectors["dense"].data.T, 0)
    for row in range(50):
        nearest = np.argsort(-full[row])[:5]
        np.testing.assert_allclose(graph[row, nearest], full[row, nearest], rtol=1e-5)
    np.testing.assert_array_equal(graph, graph.T)


def test_bad_input() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'graph-cut'"):
        Apricot("x", "graphcut")
    with pytest.raises(RecipeError, match="neighbours is 0"):
        Apricot("x", "graph-cut", neighbours=0)
    with pytest.raises(InputError, match="needs vectors without negative numbers"):
        select(asked("feature-based", "dense"))

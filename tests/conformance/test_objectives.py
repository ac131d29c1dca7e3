"""Law 2: gains equal the slow formula, ask nothing twice, change nothing; value equals f(S) after every add."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import registry
from selector.core import Objective
from tests import formulas
from tests.conformance.views import ALL, MONOTONE, hard_grounds, random_ground

EACH = pytest.mark.parametrize("objective", ALL.values(), ids=ALL.keys())


def close(found: float, wanted: float) -> None:
    if np.isinf(wanted):
        assert found == wanted
    else:
        assert found == pytest.approx(wanted, rel=1e-5, abs=2e-5)


@EACH
@settings(max_examples=40, deadline=None)
@given(ground=hard_grounds(), order=st.randoms(use_true_random=False))
def test_gains_and_value_equal_the_slow_formula(objective: Objective, ground, order) -> None:
    state = objective.start(ground)
    left, chosen = list(range(ground.size)), []
    everything = np.arange(ground.size)
    while left and len(chosen) < 6:
        before = state.value
        now = formulas.value(objective, ground, chosen)
        close(state.value, now)
        gains = state.gains(everything)
        assert state.value == before
        np.testing.assert_array_equal(state.gains(everything), gains)  # asking changes nothing
        np.testing.assert_allclose(state.gains(everything[::2]), gains[::2], rtol=1e-9, atol=1e-12)  # nor does company, but for last bits
        for row in left:
            close(gains[row], formulas.value(objective, ground, [*chosen, row]) - now)
        if np.isinf(gains[left]).all():
            break
        row = order.choice([row for row in left if np.isfinite(gains[row])])
        state.add(row)
        left.remove(row)
        chosen.append(row)
    close(objective.value(ground, np.array(chosen, np.int64)), formulas.value(objective, ground, chosen))


@EACH
def test_gains_do_not_depend_on_what_was_asked_before(objective: Objective) -> None:
    """Some states remember what they computed for a candidate: one asked now and then, and one asked late, must agree."""
    ground, rng = random_ground(200, 9), np.random.default_rng(1)
    asked_often = objective.start(ground)
    picks = rng.choice(200, 140, replace=False)
    for place, row in enumerate(picks):
        asked_often.gains(rng.choice(200, 10, replace=False))
        asked_often.add(int(row))
        if place % 35 == 34:
            some = rng.choice(200, 20, replace=False)
            fresh = objective.start(ground, picks[: place + 1])
            np.testing.assert_allclose(asked_often.gains(some), fresh.gains(some), rtol=1e-4, atol=1e-5)
            left = np.setdiff1d(some, picks[: place + 1])[:3]
            now = formulas.value(objective, ground, picks[: place + 1].tolist())
            if np.isfinite(now):
                for candidate, gain in zip(left, asked_often.gains(left), strict=True):
                    close(gain, formulas.value(objective, ground, [*picks[: place + 1].tolist(), int(candidate)]) - now)


@EACH
def test_evaluations_count_each_gain_once(objective: Objective) -> None:
    ground = random_ground(30, 1)
    state = objective.start(ground)
    assert state.evaluations == 0
    state.gains(np.arange(30))
    state.gains(np.array([3]))
    state.add(3)
    assert state.evaluations == 31


@EACH
def test_a_state_may_start_from_chosen_rows(objective: Objective) -> None:
    ground = random_ground(40, 2)
    chosen = np.array([7, 3, 21])
    grown = objective.start(ground)
    for row in chosen:
        grown.add(int(row))
    started = objective.start(ground, chosen)
    assert started.value == pytest.approx(grown.value, rel=1e-6)
    np.testing.assert_allclose(started.gains(np.arange(40)), grown.gains(np.arange(40)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("objective", MONOTONE.values(), ids=MONOTONE.keys())
@settings(max_examples=30, deadline=None)
@given(ground=hard_grounds(8), order=st.permutations(range(8)))
def test_what_is_called_monotone_and_submodular_is(objective: Objective, ground, order) -> None:
    rows = [row for row in order if row < ground.size]
    small, large, row = rows[:1], rows[: len(rows) // 2 + 1], rows[-1]
    if row in large:
        return
    first = formulas.value(objective, ground, [*small, row]) - formulas.value(objective, ground, small)
    later = formulas.value(objective, ground, [*large, row]) - formulas.value(objective, ground, large)
    assert later <= first + 1e-5
    assert objective.monotone
    assert later >= -1e-5


def test_every_objective_of_the_package_is_tested_here() -> None:
    tested = {type(objective).__name__ for objective in ALL.values()}
    there = {registry.find("objectives", name).__name__ for name in registry.names("objectives")}
    baselines = {"ClusterBalanced", "KCentre", "KMeansMedoids", "MaxMin", "Mmr", "NovelSelect", "ReprFilter"}
    # They bring their own loops: tests/test_apricot.py, tests/test_k_dpp.py, tests/test_procedures.py.
    assert there - tested == {"Apricot", "KDpp"} | baselines


def test_row_weights_count() -> None:
    from dataclasses import replace

    for name in ("facility-location/dense", "facility-location/sparse"):
        ground = replace(random_ground(20, 4), weights=np.linspace(0, 2, 20))
        state = ALL[name].start(ground)
        state.add(4)
        close(state.value, formulas.value(ALL[name], ground, [4]))
        close(state.gains(np.array([9]))[0], formulas.value(ALL[name], ground, [4, 9]) - formulas.value(ALL[name], ground, [4]))

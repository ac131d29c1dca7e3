"""Over 500 simulated experiments intervals cover as often as they say, and probabilities come true as often as they say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from selector.effect import decision
from selector.effect.design import Scale
from selector.effect.scores import Run
from selector.effect.slopes import estimate
from selector.effect_recipe import EffectWords

EXPERIMENTS, LEVELS, SIZES = 500, (0, 0.16, 0.33, 0.5, 0.66, 0.83, 1), (10_000, 20_000, 30_000)
STRATEGIES = [f"{side}/{layer}" for side in ("instruction", "response") for layer in ("macro", "meso", "micro")]
SCALE = Scale(SIZES, "linear")
WIDE, NOISE = 6.0, 1.5  # sd of the true slopes and of a score: as far apart as the flat prior's


@pytest.fixture(scope="module")
def experiments():
    """For each experiment: truth and estimate of each of the six strategies."""
    rng = np.random.default_rng(20_260)
    made = []
    for _ in range(EXPERIMENTS):
        own = []
        for strategy in STRATEGIES:
            slope, change = WIDE * rng.standard_normal(), 2.0 * rng.standard_normal()
            height = 50 + 3 * rng.standard_normal(len(SIZES))
            runs = [
                Run(strategy, x, size, height[at] + (slope + change * SCALE.place(size)) * x + NOISE * rng.standard_normal(), "", None, {})
                for at, size in enumerate(SIZES)
                for x in LEVELS
            ]
            own.append((slope, change, estimate(runs, SCALE, EffectWords())))
        made.append(own)
    return made


def covered(experiments, size):
    truth = [(slope + change * SCALE.place(size), found.slope(size)) for one in experiments for slope, change, found in one]
    return np.mean([found.quantile(0.025) <= slope <= found.quantile(0.975) for slope, found in truth])


@pytest.mark.parametrize("size", SIZES)
def test_intervals_of_95_percent_cover_the_true_slope(experiments, size):
    assert 0.93 <= covered(experiments, size) <= 0.97
    first = [one[:1] for one in experiments]  # 500 slopes that share no noise
    assert 0.93 <= covered(first, size) <= 0.97


def test_intervals_of_the_change_with_size_cover(experiments):
    changes = [(2 * change, found.growth()) for one in experiments for _, change, found in one]
    assert 0.93 <= np.mean([found.quantile(0.025) <= change <= found.quantile(0.975) for change, found in changes]) <= 0.97


@pytest.fixture(scope="module")
def ranked(experiments):
    """For each experiment the strategies as candidates at the middle size."""
    return [decision.choices({found.name: found.slope(20_000) for _, _, found in one}) for one in experiments]


def reliability(experiments, ranked, edges=(0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1)):
    """Rows of (from, to, how many, mean probability, how often the strategy was the best)."""
    said, true = [], []
    for one, order in zip(experiments, ranked, strict=True):
        slopes = [slope for slope, _, _ in one]  # at the middle size
        chances = {each.strategy: each.p_best for each in order}
        said += [chances[found.name] for _, _, found in one]
        true += [slope == max(slopes) for slope in slopes]
    said, true = np.array(said), np.array(true)
    found = []
    for low, high in pairwise(edges):
        own = (said >= low) & ((said < high) | (high == 1))
        found.append((low, high, int(own.sum()), float(said[own].mean()), float(true[own].mean())))
    return found


def test_the_probability_of_being_best_comes_true(experiments, ranked):
    table = reliability(experiments, ranked)
    assert sum(line[2] for line in table) == EXPERIMENTS * len(STRATEGIES)
    for low, high, count, said, true in table:
        error = np.sqrt(max(said * (1 - said), 0.5 / count) / count)
        assert abs(true - said) <= 3 * error + 0.005, (low, high, count, said, true)


def test_regret_is_what_is_lost(experiments, ranked):
    """The expected regret of the strategy that is chosen is, on average, what its true slope falls short by."""
    said, lost = [], []
    for one, (best, *_) in zip(experiments, ranked, strict=True):
        slopes = {found.name: slope for slope, _, found in one}
        said.append(best.regret)
        lost.append(max(slopes.values()) - slopes[best.strategy])
    assert np.mean(lost) == pytest.approx(np.mean(said), abs=3 * np.std(lost) / np.sqrt(EXPERIMENTS))

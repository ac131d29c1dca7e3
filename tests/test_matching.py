"""Strata, sets drawn in them, and how alike they are: held to slow definitions, with small numbers and many ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import balance
from selector.core import Types
from selector.features import incidence
from selector.matched_sets import narrow_set, notes, random_sets
from selector.matching import Covariate, like, strata
from selector.narrow import carried, narrow


@st.composite
def pools(draw):
    """(size, covariates, target): numbers with many ties, levels, some covariates, some target rows."""
    size = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    covariates = []
    for number in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            covariates.append(Covariate(f"number {number}", rng.integers(0, 6, size).astype(np.float64)))
        else:
            covariates.append(Covariate(f"level {number}", rng.integers(0, 3, size), ("a", "b", "c")))
    target = np.sort(rng.choice(size, draw(st.integers(1, size // 2)), replace=False))
    return size, covariates, target


def slow_cell(covariates, target, bins, row):
    """The stratum of a row: its levels, and of its numbers how many of the target's inner quantiles are at most that."""
    told = []
    for one in covariates:
        if one.levels is not None:
            told.append(one.levels[one.values[row]])
            continue
        ordered = sorted(one.values[target].tolist())
        edges = {ordered[int(np.floor(share * (len(ordered) - 1)))] for share in np.linspace(0, 1, bins + 1)[1:-1]}
        told.append(sum(edge <= one.values[row] for edge in edges))
    return tuple(told)


@given(pools(), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_strata_are_levels_and_quantiles_of_the_target(pool, bins):
    size, covariates, target = pool
    split = strata(target, covariates, size, [bins] * len(covariates))
    slow = [slow_cell(covariates, target, bins, row) for row in range(size)]
    for row in range(size):
        for other in range(size):
            assert (split.cell[row] == split.cell[other]) == (slow[row] == slow[other])
    assert len(split.cells) == len(set(slow))
    assert split.counts(target).sum() == len(target)
    assert len({split.words(cell) for cell in range(len(split.cells))}) == len(split.cells)


@given(pools(), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_sets_have_the_counts_of_the_target_wherever_there_are_rows(pool, bins, number, seed):
    size, covariates, target = pool
    among = np.arange(size)
    split = strata(target, covariates, size, [bins] * len(covariates))
    wanted, there = split.counts(target) * number, split.counts(among)
    if wanted.sum() > size:
        with pytest.raises(ValueError, match="cannot be drawn"):
            split.shares(wanted, there)
        return
    shares, short = split.shares(wanted, there)
    assert shares.sum() == wanted.sum()
    assert (shares >= np.minimum(wanted, there)).all()
    assert (shares <= there).all()
    assert [(one.wanted, one.had) for one in short] == [(w, t) for w, t in zip(wanted, there, strict=True) if w > t]
    sets = split.sets(shares, among, np.random.default_rng(seed), number)
    assert len(sets) == number
    assert {len(one) for one in sets} == {len(target)}
    assert len(np.unique(np.concatenate(sets))) == number * len(target)  # distinct in all of them together
    if not short:
        for one in sets:
            assert (split.counts(one) == split.counts(target)).all()
    again = split.sets(shares, among, np.random.default_rng(seed), number)
    assert all((one == other).all() for one, other in zip(sets, again, strict=True))


def test_what_a_stratum_lacks_comes_from_the_nearest_of_the_same_level():
    #              0  1  2  3  4  5   6   7
    numbers = np.array([1, 1, 2, 3, 9, 1, 2, 2], float)
    levels = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    covariates = [Covariate("tokens", numbers), Covariate("source", levels, ("a", "b"))]
    target, among = np.array([0, 1, 4]), np.array([2, 3, 4, 5, 6, 7])
    split = strata(target, covariates, 8, [2, 1])  # one edge, at the median 1: below it nothing, so all of a level are one stratum
    assert len(split.cells) == 2
    numbers[[0, 5]] = 0.0  # now 0 | 1 and more, and a row of the other source in the bin that is short
    split = strata(target, [Covariate("tokens", numbers), covariates[1]], 8, [2, 1])
    shares, short = split.shares(split.counts(target), split.counts(among))
    assert [(one.stratum, one.wanted, one.had) for one in short] == [("tokens below 1, source a", 1, 0)]
    (drawn,) = split.sets(shares, among, np.random.default_rng(0))
    assert drawn.tolist() == [2, 3, 4]  # all of source a, although row 5 is in the very bin


def test_chance_decides_within_a_stratum_and_is_fair():
    covariates = [Covariate("level", np.repeat([0, 1], 10), ("a", "b"))]
    target = np.array([0, 1, 2, 10])
    hits = np.zeros(20)
    for seed in range(2000):
        hits[like(target, np.arange(20), covariates, np.random.default_rng(seed))[0]] += 1
    # 3 of 10 and 1 of 10; four standard errors of a share
    assert np.abs(hits[:10] / 2000 - 0.3).max() < 4 * np.sqrt(0.3 * 0.7 / 2000)
    assert np.abs(hits[10:] / 2000 - 0.1).max() < 4 * np.sqrt(0.1 * 0.9 / 2000)


# ------------------------------------------------------------------------------------------------------------------ balance


def slow_smd(ours, theirs):
    """Austin 2009, eq. 1: the difference of means over the root of the mean of both variances (n - 1)."""

    def variance(sample):
        mean = sum(sample) / len(sample)
        return sum((one - mean) ** 2 for one in sample) / (len(sample) - 1) if len(sample) > 1 else 0.0

    apart = sum(ours) / len(ours) - sum(theirs) / len(theirs)
    pooled = ((variance(ours) + variance(theirs)) / 2) ** 0.5
    return 0.0 if apart == 0 else apart / pooled if pooled else float("inf") * np.sign(apart)


def slow_ks(ours, theirs):
    """The largest difference of the shares that are at most x, over all x."""
    return max(abs(sum(one <= x for one in ours) / len(ours) - sum(one <= x for one in theirs) / len(theirs)) for x in [*ours, *theirs])


samples = st.lists(st.integers(0, 4), min_size=1, max_size=12)


@given(samples, samples)
@settings(max_examples=200, deadline=None)
def test_differences_of_numbers_are_their_formulas(ours, theirs):
    values = np.array([*ours, *theirs], float)
    found = balance.difference(Covariate("x", values), np.arange(len(ours)), np.arange(len(ours), len(values)))
    assert found["smd"] == pytest.approx(slow_smd(ours, theirs))
    assert found["ks"] == pytest.approx(slow_ks(ours, theirs))


@given(samples, samples)
@settings(max_examples=200, deadline=None)
def test_differences_of_levels_are_their_formulas(ours, theirs):
    names = tuple("abcde")
    found = balance.difference(
        Covariate("x", np.array([*ours, *theirs]), names), np.arange(len(ours)), np.arange(len(ours), len(ours + theirs))
    )
    for place, name in enumerate(names):
        p, q = ours.count(place) / len(ours), theirs.count(place) / len(theirs)
        pooled = ((p * (1 - p) + q * (1 - q)) / 2) ** 0.5
        expected = 0.0 if p == q else (p - q) / pooled if pooled else float("inf") * np.sign(p - q)
        assert found["levels"][name] == pytest.approx(expected)
    assert abs(found["smd"]) == max(abs(one) for one in found["levels"].values())
    assert found["levels"][found["level"]] == found["smd"]


def test_an_infinite_difference_is_null_in_the_table():
    told = balance.balance([Covariate("x", np.array([1.0, 1, 2, 2]))], [], np.array([0, 1]), np.arange(4), {"random-1": np.array([2, 3])})
    assert told["covariates"][0]["after"]["random-1"]["smd"] is None
    assert told["covariates"][0]["sets"]["diverse"] == {"total": 2.0, "mean": 1.0, "sd": 0.0, "p05": 1.0, "median": 1.0, "p95": 1.0}


# --------------------------------------------------------------------------------------------------------------- whole sets


@pytest.fixture(scope="module")
def scene():
    """12,000 rows whose length hangs on their source, and 300 of them that lean to long rows and to one source."""
    rng = np.random.default_rng(3)
    source = rng.choice(4, 12000, p=(0.5, 0.3, 0.15, 0.05))
    tokens = np.exp(rng.normal(4 + 0.4 * source, 0.7)).round()
    weights = tokens * (1 + source)
    diverse = rng.choice(12000, 300, replace=False, p=weights / weights.sum())
    return diverse, [Covariate("tokens", tokens), Covariate("source", source, ("a", "b", "c", "d"))]


@pytest.mark.parametrize("disjoint", [False, True])
def test_random_sets_balance_what_leaned(scene, disjoint):
    diverse, matched = scene
    among = np.setdiff1d(np.arange(12000), diverse) if disjoint else np.arange(12000)
    before = [abs(balance.difference(one, diverse, np.arange(12000))["smd"]) for one in matched]
    assert min(before) > 0.3
    drawn = random_sets(diverse, among, matched, 12000, 3, disjoint=disjoint, seed=[0, 1])
    for rows in drawn.sets:
        assert len(np.unique(rows)) == 300
        assert np.isin(rows, among).all()
        for one in matched:
            found = balance.difference(one, diverse, rows)
            assert abs(found["smd"]) <= balance.BALANCED
            assert found.get("ks", 0) <= 0.06
    if disjoint:
        assert len(np.unique(np.concatenate([diverse, *drawn.sets]))) == 1200
    other = random_sets(diverse, among, matched, 12000, 3, disjoint=disjoint, seed=[0, 1])
    assert all((one == two).all() for one, two in zip(drawn.sets, other.sets, strict=True))
    assert len(np.intersect1d(drawn.sets[0], drawn.sets[1])) < 100  # sets differ


def test_a_stratum_that_is_taken_whole_is_named_with_what_would_help():
    source = np.array([0] * 5 + [1] * 95)
    matched = [Covariate("source", source, ("rare", "usual"))]
    diverse = np.arange(10)  # all rows of the rare source
    among = np.arange(100)
    drawn = random_sets(diverse, among, matched, 100, 2, disjoint=False, seed=[0])
    (told,) = notes(drawn, diverse, among, matched, 100, 2, False)
    assert told.startswith("5 of the 10 rows of the diverse set are in every random set too, because it takes all rows of 1 stratum.")
    assert "source rare (5 rows)" in told
    assert "0 without matching" in told
    left = np.arange(10, 100)
    drawn = random_sets(diverse, left, matched, 100, 2, disjoint=True, seed=[0])
    (told,) = notes(drawn, diverse, left, matched, 100, 2, True)
    assert told.startswith(
        "10 of the 20 rows of the random sets come from the nearest strata, because the diverse set leaves too few in 1 "
    )
    assert "source rare (wanted 10, had 0)" in told
    assert "0 without disjoint" in told


def test_without_trouble_there_is_no_note(scene):
    _, matched = scene
    diverse = np.arange(0, 12000, 100)
    only = [matched[1]]
    drawn = random_sets(diverse, np.arange(12000), only, 12000, 1, disjoint=False, seed=[0])
    assert notes(drawn, diverse, np.arange(12000), only, 12000, 1, False) == []
    source = np.array([0] + [1] * 999)  # one row in 200 is no trouble
    matched = [Covariate("source", source, ("rare", "usual"))]
    drawn = random_sets(np.arange(200), np.arange(1000), matched, 1000, 1, disjoint=False, seed=[0])
    assert notes(drawn, np.arange(200), np.arange(1000), matched, 1000, 1, False) == []


# ------------------------------------------------------------------------------------------------------------------- narrow


def types_of(lists, width):
    return Types(incidence(lists, width), [str(number) for number in range(width)])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_narrow_set_fills_every_stratum(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    size, width = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 8))
    types = types_of([rng.choice(width, rng.integers(1, width + 1), replace=False) for _ in range(size)], width)
    cell = rng.integers(0, 3, size)
    among = np.sort(rng.choice(size, data.draw(st.integers(1, size)), replace=False))
    there = np.bincount(cell[among], minlength=3)
    quota = rng.integers(0, there + 1)
    rows = narrow([types], among, cell, quota, np.random.default_rng(0))
    assert len(np.unique(rows)) == len(rows) == quota.sum()
    assert np.isin(rows, among).all()
    assert (np.bincount(cell[rows], minlength=3) == quota).all()
    assert carried(types, rows) == len({t for row in rows for t in types.incidence[[row]].indices})


def test_a_narrow_set_is_narrow():
    """Rows of five planted topics: 40 rows are asked for, and topic 0 has them."""
    rng = np.random.default_rng(0)
    topic = rng.permutation(np.repeat(np.arange(5), 60))
    types = types_of([10 * one + rng.choice(10, 4, replace=False) for one in topic], 50)
    rows = narrow([types], np.arange(300), np.zeros(300, np.int64), np.array([40]), np.random.default_rng(0))
    assert len(set(topic[rows])) == 1
    assert carried(types, rows) <= 10


def test_a_narrow_set_is_balanced_and_takes_no_row_without_types(scene):
    diverse, matched = scene
    rng = np.random.default_rng(1)
    lists = [rng.choice(40, 1 + int(tokens) // 40 % 6, replace=False) for tokens in matched[0].values]
    lists[::50] = [np.empty(0, np.int64)] * len(lists[::50])
    types = types_of(lists, 40)
    (rows,) = narrow_set(diverse, np.arange(12000), [types], matched, 12000, [0, 4]).sets
    assert len(np.unique(rows)) == 300
    assert (rows % 50 != 0).all()
    for one in matched:
        assert abs(balance.difference(one, diverse, rows)["smd"]) <= balance.BALANCED

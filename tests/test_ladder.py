"""The ladder against slow definitions of Algorithms 1 and 2, and what its sets must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from selector.core import Types
from selector.errors import BudgetError, InputError, RecipeError
from selector.features import tidy
from selector.kernels.pruning import prune_rarest, prune_unique, thin
from selector.levels import Ladder, ladder, lengths_strata


def types_of(carried: np.ndarray) -> Types:
    return Types(tidy(csr_array(carried.astype(np.float32))), [f"t{number}" for number in range(carried.shape[1])])


@st.composite
def incidences(draw: st.DrawFn) -> np.ndarray:
    """Up to 14 rows with at least one of up to 6 types each."""
    width = draw(st.integers(1, 6))
    rows = draw(st.lists(st.lists(st.booleans(), min_size=width, max_size=width).filter(any), min_size=1, max_size=14))
    return np.array(rows)


def pools(size: int, width: int, seed: int) -> np.ndarray:
    """Rows with several types, some of which are far more frequent than others."""
    rng = np.random.default_rng(seed)
    carried = rng.random((size, width)) < 0.6 * np.arange(1, width + 1) ** -0.9
    carried[np.arange(size), rng.integers(0, width, size)] = True
    return carried


def arrays(carried: np.ndarray, strata: np.ndarray, order: np.ndarray):
    rows, columns = csr_array(carried), csr_array(carried[order]).tocsc()
    whole = rows.indptr.astype(np.int64), rows.indices.astype(np.int64), columns.indptr.astype(np.int64)
    return *whole, order[columns.indices].astype(np.int64), strata.astype(np.int64)


@settings(deadline=None)
@given(incidences(), st.integers(0, 2**20))
def test_algorithm_1_deletes_the_row_whose_rarest_type_is_rarest_of_all(carried, seed):
    rng = np.random.default_rng(seed)
    size, width = carried.shape
    strata = rng.integers(0, 2, size)
    quota = np.array([rng.integers(0, (strata == number).sum() + 1) for number in range(2)])
    deleted, left = prune_rarest(*arrays(carried, strata, rng.permutation(size)), quota, rng.permutation(width))
    alive = np.ones(size, bool)

    def free() -> np.ndarray:
        """Types that can still vanish: no row of theirs is in a stratum at its quota."""
        held = [stratum for stratum in range(2) if (alive & (strata == stratum)).sum() <= quota[stratum]]
        return carried[alive].any(axis=0) & ~carried[alive & np.isin(strata, held)].any(axis=0)

    for row, types_left in zip(deleted, left, strict=True):
        counts = np.where(free(), carried[alive].sum(axis=0), size + 1)
        assert alive[row]
        assert counts[carried[row]].min() == counts.min() <= size
        alive[row] = False
        assert types_left == carried[alive].any(axis=0).sum()
    assert not free().any()


@settings(deadline=None)
@given(incidences(), st.integers(0, 2**20))
def test_the_other_reading_deletes_the_row_that_takes_fewest_types_along(carried, seed):
    rng = np.random.default_rng(seed)
    size = len(carried)
    strata = rng.integers(0, 2, size)
    quota = np.array([rng.integers(0, (strata == number).sum() + 1) for number in range(2)])
    deleted, left = prune_unique(*arrays(carried, strata, rng.permutation(size)), quota, rng.permutation(size))
    alive = np.ones(size, bool)

    def losses() -> np.ndarray:
        """Of the rows that their stratum can spare."""
        only = carried[alive].sum(axis=0) == 1
        spare = np.array([(alive & (strata == stratum)).sum() > quota[stratum] for stratum in range(2)])
        return np.where(alive & spare[strata], (carried & only).sum(axis=1), 99)

    for row, types_left in zip(deleted, left, strict=True):
        assert losses()[row] == losses().min() < 99
        alive[row] = False
        assert types_left == carried[alive].any(axis=0).sum()
    assert (losses() == 99).all()


@settings(deadline=None)
@given(incidences(), st.integers(0, 2**20), st.integers(1, 4))
def test_algorithm_2_is_the_plain_loop(carried, seed, floor):
    rng = np.random.default_rng(seed)
    size = len(carried)
    strata, order = rng.integers(0, 2, size), rng.permutation(size)[: rng.integers(1, size + 1)]
    quota = np.array([rng.integers(0, (strata[order] == number).sum() + 1) for number in range(2)])
    keeps = np.minimum(floor, carried[order].sum(axis=0))
    rows = csr_array(carried)
    stays = thin(rows.indptr.astype(np.int64), rows.indices.astype(np.int64), strata, quota, keeps, order)
    alive = set(order.tolist())
    for row in order.tolist():
        others = np.array(sorted(alive - {row}), int)
        enough = (carried[others].sum(axis=0) >= np.where(carried[row], keeps, 0)).all()
        if enough and (strata[others] == strata[row]).sum() >= quota[strata[row]]:
            alive.remove(row)
    assert set(np.flatnonzero(stays)) == alive


def check(found: Ladder, carried: np.ndarray, budget: int) -> None:
    achieved = []
    for level in found.levels:
        assert len(np.unique(level.rows)) == len(level.rows) == budget
        held = carried[level.rows].sum(axis=0)
        achieved.append(int((held > 0).sum()))
        assert level.types == achieved[-1] <= level.wanted
        assert (held[held > 0] >= np.minimum(level.floor, held[held > 0])).all()
    assert achieved == sorted(set(achieved))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_levels_of_several_types_a_row(seed, nested):
    carried = pools(800, 120, seed)
    found = ladder(types_of(carried), 100, [0, 25, 50, 75, 100], nested=nested, seed=seed)
    check(found, carried, 100)
    assert found.levels[0].types == found.fewest
    assert found.levels[-1].types == found.most
    for level in found.levels:
        assert abs(level.types - level.wanted) <= max(1, 0.02 * level.wanted)
    again = ladder(types_of(carried), 100, [0, 25, 50, 75, 100], nested=nested, seed=seed)
    assert all(np.array_equal(one.rows, other.rows) for one, other in zip(found.levels, again.levels, strict=True))
    other = ladder(types_of(carried), 100, [0, 25, 50, 75, 100], nested=nested, seed=seed + 1)
    assert not np.array_equal(other.levels[-1].rows, found.levels[-1].rows)


@pytest.mark.parametrize("nested", [False, True])
def test_levels_of_one_type_a_row_are_even_and_hit_every_number(nested):
    rng = np.random.default_rng(0)
    cluster = np.concatenate([np.arange(60), rng.choice(60, 940, p=np.arange(60, 0, -1) / 1830)])
    carried = np.eye(60, dtype=bool)[cluster]
    found = ladder(types_of(carried), 120, [0, 50, 100], nested=nested, seed=3)
    check(found, carried, 120)
    sizes = np.sort(np.bincount(cluster))[::-1]
    assert found.fewest == 1 + int(np.searchsorted(np.cumsum(sizes), 120))  # the largest clusters that hold 120 rows
    assert found.most == 60
    for level in found.levels:
        assert level.types == level.wanted
        held, there = np.bincount(cluster[level.rows], minlength=60), np.bincount(cluster)
        spare = held[(held > 0) & (held < there)]
        assert held.max() <= spare.min(initial=120) + 1  # a type that has rows left is at most one row behind any other
    kinds = [set(cluster[level.rows]) for level in found.levels]
    assert (kinds[0] < kinds[1] < kinds[2]) or not nested


def test_more_types_than_rows_can_carry():
    carried = np.concatenate([np.eye(50, dtype=bool)] * 3)
    found = ladder(types_of(carried), 20, [0, 100])
    assert (found.fewest, found.most, found.all_types) == (7, 20, 50)
    check(found, carried, 20)


def test_rows_without_types_take_no_part():
    carried = pools(300, 40, 1)
    carried[::3] = False
    found = ladder(types_of(carried), 50, [0, 50, 100])
    assert found.usable == 200
    assert all(carried[level.rows].any(axis=1).all() for level in found.levels)
    with pytest.raises(BudgetError, match="only 200 of 300 rows carry a type"):
        ladder(types_of(carried), 201, [0, 100])


def test_matched_lengths_are_the_same_at_every_level():
    rng = np.random.default_rng(2)
    carried = pools(3000, 100, 4)
    tokens = (20 * carried.sum(axis=1) + rng.integers(1, 200, 3000)).astype(np.int64)  # a row with more types is longer
    free = ladder(types_of(carried), 200, [0, 50, 100])
    strata, quota = lengths_strata(tokens, np.ones(3000, bool), 200)
    assert quota.sum() == 200
    held = ladder(types_of(carried), 200, [0, 50, 100], strata=strata, quota=quota)
    check(held, carried, 200)
    for level in held.levels:
        np.testing.assert_array_equal(np.bincount(strata[level.rows], minlength=len(quota)), quota)
    means = [tokens[level.rows].mean() for level in held.levels]
    assert max(means) < 1.03 * min(means)
    free_means = [tokens[level.rows].mean() for level in free.levels]
    assert max(free_means) > 1.03 * min(free_means)


def test_levels_that_cannot_be_made():
    carried = pools(200, 30, 0)
    for levels, told in (([], "needs levels"), ([0, 120], "120 %"), ([50, 0], "from low to high"), ([0, 0], "each once")):
        with pytest.raises(RecipeError, match=told):
            ladder(types_of(carried), 50, levels)
    with pytest.raises(RecipeError, match="Did you mean 'unique'"):
        ladder(types_of(carried), 50, [0, 100], contribution="uniqe")
    with pytest.raises(InputError, match="leave contribution at 'rarest'"):
        ladder(types_of(carried), 20, [0, 100], contribution="unique")
    with pytest.raises(InputError, match="would both carry 1 type: sets of this size can carry 1 type,"):
        ladder(types_of(np.ones((40, 1), bool)), 10, [0, 100])

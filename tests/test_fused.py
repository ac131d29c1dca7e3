"""Every faster way to the same rows gives the same rows as the plain one: sweeps, codes, bounds from looking ahead, samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import processor
from selector.core import NO_ROWS, Ground, Problem
from selector.engine import select
from selector.features import Vectors, dense, sparse
from selector.kernels import sweep
from selector.kernels.ceilings import ceilings, levels
from selector.kernels.codes import Products, encode, fastest
from selector.kernels.factor import Factor
from selector.kernels.multiply_add import COLUMNS, LARGEST, SHIFT, Multiplier
from selector.kernels.nearest import nearest
from selector.kernels.rough import Rough
from selector.kernels.sketch import Sketch
from selector.kernels.sources import Postings, Tiles
from selector.kernels.sparse_dual import least_bytes
from selector.kernels.turning import turn
from selector.limits import Cost, Count, Quota, proportional
from selector.objectives import facility_location
from selector.objectives.dpp import Dpp
from selector.objectives.facility_location import FacilityLocation
from selector.optimizers import lazy as lazy_file
from selector.optimizers.greedy import greedy
from selector.optimizers.lazy import lazy
from selector.optimizers.sampled import levels as sample_sizes

CODES = [np.int8, np.float32, *([np.int16, np.uint8] if "avx2" in processor.flags() else [])]
EXACT = [kind for kind in CODES if kind in (np.float32, np.int16)]
KINDS = ("clusters", "copies", "adversarial", "integers", "zeros", "long and short")


def rows_of(kind: str, size: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(size, width)) + 2 * rng.normal(size=(7, width))[rng.integers(0, 7, size)]
    if kind == "copies":
        values = values[rng.integers(0, max(1, size // 5), size)]
    elif kind == "adversarial":  # all as good as alike: the last bits decide, and 8 bits see nothing
        values = np.ones((size, width)) + 1e-3 * rng.normal(size=(size, width))
    elif kind == "integers":
        values = rng.integers(-2, 3, (size, width)).astype(float)
    elif kind == "zeros":
        values[rng.random(size) < 0.4] = 0
    elif kind == "long and short":
        values *= 10.0 ** rng.integers(-3, 2, size)[:, None]
    return values


def vectors(kind: str, size: int, width: int, seed: int) -> Vectors:
    return dense(rows_of(kind, size, width, seed), unit=kind not in ("integers", "long and short"))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def problem(found: Vectors, budget: int, memory: int = 1 << 26, weights: np.ndarray | None = None) -> Problem:
    ground = Ground(found.size, {"v": found}, weights=weights, memory=memory)
    return Problem(ground, FacilityLocation("v"), Count(budget), NO_ROWS, np.arange(found.size))


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), size=st.integers(2, 400), width=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_products_on_the_grid_are_exact_in_any_order(kind: str, size: int, width: int, seed: int) -> None:
    data = vectors(kind, size, width, seed).data
    wanted = data.astype(np.float64) @ data.T.astype(np.float64)
    order = np.random.default_rng(seed).permutation(width)
    for one in (data @ data.T, data[:, order] @ data[:, order].T, data[:1] @ data.T):
        np.testing.assert_array_equal(one, wanted[: len(one)])


@pytest.mark.parametrize("kind_of_code", [kind for kind in CODES if kind not in EXACT])
@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), size=st.integers(2, 300), width=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_codes_bound_every_similarity(kind_of_code: Any, kind: str, size: int, width: int, seed: int) -> None:
    found = vectors(kind, size, width, seed)
    data = found.data
    codes = encode(data, found.step, kind_of_code)
    products = Products(codes, size, size).of(codes.codes, codes.codes).astype(np.float64)
    near = codes.steps * codes.norms
    bounds = codes.steps[:, None] * codes.steps * products + codes.errors[:, None] * codes.lengths + near[:, None] * codes.errors
    similarities = data.astype(np.float64) @ data.T.astype(np.float64)
    assert (bounds >= similarities).all()
    if kind == "clusters" and width > 8:
        assert (bounds - similarities).max() < (0.05 if kind_of_code is np.int8 else 0.12)  # and it is a bound that says something


@pytest.mark.parametrize("kind_of_code", CODES)
@pytest.mark.parametrize("count", [1, 2])
@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from(KINDS), size=st.integers(1, 700), picks=st.integers(0, 12), seed=st.integers(0, 10**6))
def test_a_sweep_keeps_exactly_what_is_above_coverage(kind_of_code: Any, count: int, kind: str, size: int, picks: int, seed: int) -> None:
    found = vectors(kind, size, 16, seed)
    data = found.data
    chosen = np.random.default_rng(seed).integers(0, size, picks)
    cover = np.maximum(0, (data @ data[chosen].T).max(axis=1, initial=0.0)).astype(np.float32)
    steps = np.rint(data / found.step).astype(np.int16)
    starts, rows, similarities = sweep.half_sweep(steps, found.step, encode(data, found.step, kind_of_code), cover, count, lambda *_: None)
    for candidate in range(size):
        line = data @ data[candidate]
        mine = slice(starts[candidate], starts[candidate + 1])
        order = np.argsort(rows[mine])
        np.testing.assert_array_equal(rows[mine][order], np.flatnonzero(line > cover))
        np.testing.assert_array_equal(similarities[mine][order], line[line > cover])


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    size=st.integers(1, 700),
    wide=st.integers(1, 20),
    seed=st.integers(0, 10**6),
    kind_of_code=st.sampled_from(CODES),
)
def test_the_nearest_chosen_row_is_exact(kind: str, size: int, wide: int, seed: int, kind_of_code: Any) -> None:
    found, picks = vectors(kind, size, wide, seed), seed % 13
    chosen, steps = np.random.default_rng(seed).integers(0, size, picks), np.rint(found.data / found.step).astype(np.int16)
    wanted = np.maximum(0, (found.data @ found.data[chosen].T).max(axis=1, initial=0.0))
    np.testing.assert_array_equal(nearest(steps, found.step, encode(found.data, found.step, kind_of_code), chosen, 2), wanted)


@pytest.mark.parametrize("kind_of_code", CODES)
@pytest.mark.parametrize("count", [1, 2])
@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS), size=st.integers(1, 700), picks=st.integers(1, 12), asked=st.integers(1, 40), seed=st.integers(0, 10**6)
)
def test_gains_over_coverage_are_exact(kind_of_code: Any, count: int, kind: str, size: int, picks: int, asked: int, seed: int) -> None:
    found, rng = vectors(kind, size, 16, seed), np.random.default_rng(seed)
    data, weights = found.data, rng.integers(0, 4, size).astype(float)
    candidates, chosen = rng.integers(0, size, asked), rng.integers(0, size, picks)
    cover = np.maximum(0, (data @ data[chosen].T).max(axis=1)).astype(np.float32)
    codes, steps = encode(data, found.step, kind_of_code), np.rint(data / found.step).astype(np.int16)
    gains = sweep.rises_above(steps, found.step, codes, candidates, cover, weights, count)
    wanted = np.maximum(data[candidates].astype(float) @ data.T.astype(float) - cover, 0) @ weights
    np.testing.assert_array_equal(gains, wanted)  # integers in units of the grid: no sum is rounded
    with threads(count):
        np.testing.assert_array_equal(Tiles(found, 1 << 20).rises(candidates, cover, weights, lambda *_: None), wanted)


@pytest.mark.skipif(np.int16 not in CODES, reason="the processor has no AVX2")
@pytest.mark.parametrize(("kind", "most", "shift"), [(np.int16, 4096, 0), (np.uint8, LARGEST, SHIFT)])
@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 70), columns=st.integers(1, 9), seed=st.integers(0, 10**6), extreme=st.booleans())
def test_products_by_multiply_add_are_exact(
    kind: Any, most: int, shift: int, height: int, width: int, columns: int, seed: int, extreme: bool
) -> None:
    rng, size = np.random.default_rng(seed), np.dtype(kind).itemsize
    tile = Multiplier(16, 32, columns * COLUMNS[size], size)  # smaller than some of what is asked
    left, right = (rng.integers(-most, most + 1, (rows, columns * COLUMNS[size])) for rows in (height, width))
    if extreme:  # nothing in between: the largest sums on the way
        left, right = (np.where(one > most // 2, most, -most) for one in (left, right))
    products = tile.of(*((one + shift).astype(kind) for one in (left, right)))
    np.testing.assert_array_equal(products, left @ right.T)


def test_a_sweep_of_many_tiles() -> None:
    found = vectors("copies", 2600, 12, 3)
    cover = np.maximum(0, (found.data @ found.data[:9].T).max(axis=1)).astype(np.float32)
    steps = np.rint(found.data / found.step).astype(np.int16)
    starts, rows, _ = sweep.half_sweep(steps, found.step, encode(found.data, found.step, fastest()), cover, 2, lambda *_: None)
    wanted = (found.data @ found.data.T) > cover  # a test may: the package never does
    np.testing.assert_array_equal(np.diff(starts), wanted.sum(axis=1))
    assert all(wanted[candidate, rows[starts[candidate] : starts[candidate + 1]]].all() for candidate in range(2600))


@pytest.fixture(scope="module")
def narrow_strips() -> Iterator[None]:
    """Strips of 64 rows and tiles of 32 candidates, so that a small pool has many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("selector.kernels.ceilings.STRIP", 64)
        patch.setattr("selector.kernels.ceilings.WIDE", 32)
        yield


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), size=st.integers(2, 700), picks=st.integers(1, 8), seed=st.integers(0, 10**6), heavy=st.booleans())
def test_ceilings_are_never_below_the_gains(narrow_strips: None, kind: str, size: int, picks: int, seed: int, heavy: bool) -> None:
    found, rng = vectors(kind, size, 16, seed), np.random.default_rng(seed)
    data, weights = found.data, rng.integers(0, 4, size).astype(float) if heavy else np.ones(size)
    path, candidates = rng.integers(0, size, picks), np.flatnonzero(rng.random(size) < (0.3, 0.7, 1.0)[seed % 3])
    lines, before = data[path] @ data.T, np.zeros(size, np.float32)
    through = levels(lines, before)
    bounds = ceilings(encode(data, found.step, np.int8), candidates, through, picks, weights, 2, lambda *_: None)
    exact = ceilings(encode(data, found.step, EXACT[seed % len(EXACT)]), candidates, through, picks, weights, 1, lambda *_: None)
    cover = before.astype(np.float64)
    for pick in range(picks + 1):
        gains = np.maximum(data[candidates].astype(float) @ data.T.astype(float) - cover, 0) @ weights
        assert (bounds[pick] >= gains * (1 - 1e-12)).all()
        np.testing.assert_allclose(exact[pick], gains, rtol=1e-12, atol=1e-9)
        cover = np.maximum(cover, lines[min(pick, picks - 1)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2])
def test_looking_ahead_changes_no_row_and_no_gain(kind: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = vectors(kind, 900, 24, 5)
    for memory in (1 << 19, 1 << 22, 1 << 26):  # the sweep comes late, sooner, at the first look
        asked = problem(found, 120, memory)
        with threads(count):
            plain = select(asked, partial(lazy, mode="exact"), reference=False)
            monkeypatch.setattr(lazy_file, "FAR", 1)
            if memory < 1 << 26:  # what is left is kept roughly for as long as in a large pool
                monkeypatch.setattr(facility_location, "LITTLE", 0)
            ahead = select(asked, partial(lazy, mode="exact"), reference=False)
            monkeypatch.undo()
        np.testing.assert_array_equal(ahead.rows, plain.rows)
        np.testing.assert_array_equal(ahead.gains, plain.gains)
    np.testing.assert_array_equal(plain.rows, select(asked, greedy, reference=False).rows)


@settings(max_examples=15, deadline=None)
@given(kind=st.sampled_from(KINDS), size=st.integers(20, 260), seed=st.integers(0, 10**6), heavy=st.booleans(), keep=st.integers(0, 3))
def test_looking_ahead_on_any_pool(kind: str, size: int, seed: int, heavy: bool, keep: int) -> None:
    found, rng = vectors(kind, size, 8, seed), np.random.default_rng(seed)
    kept = rng.choice(size, keep, replace=False)
    ground = Ground(size, {"v": found}, weights=rng.integers(0, 4, size).astype(float) if heavy else None, memory=1 << 18)
    asked = Problem(ground, FacilityLocation("v"), Count(15), np.sort(kept), np.setdiff1d(np.arange(size), kept))
    far = lazy_file.FAR
    try:
        lazy_file.FAR = 1
        ahead = select(asked, partial(lazy, mode="exact"), reference=False)
    finally:
        lazy_file.FAR = far
    plain = select(asked, greedy, reference=False)
    np.testing.assert_array_equal(ahead.rows, plain.rows)
    np.testing.assert_allclose(ahead.gains, plain.gains, rtol=1e-12, atol=1e-12)


def test_a_wrong_guess_costs_time_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    found = vectors("clusters", 900, 24, 6)
    asked = problem(found, 60, 1 << 20)
    plain = select(asked, partial(lazy, mode="exact"), reference=False)
    rng = np.random.default_rng(0)
    monkeypatch.setattr(lazy_file, "FAR", 1)
    monkeypatch.setattr(facility_location, "LITTLE", 0)
    monkeypatch.setattr(Sketch, "gains", lambda self: rng.integers(0, 100, len(self.lines)))
    monkeypatch.setattr("selector.kernels.foresight.SHORTER", ((3, 1),))
    monkeypatch.setattr("selector.kernels.foresight.ASKED", 1)
    misled = select(asked, partial(lazy, mode="exact"), reference=False)
    np.testing.assert_array_equal(misled.rows, plain.rows)
    np.testing.assert_array_equal(misled.gains, plain.gains)


def test_fast_says_so_and_is_as_good_as_exact() -> None:
    asked = problem(vectors("clusters", 9000, 24, 1), 300)
    exact = select(asked, partial(lazy, mode="exact"), reference=False)
    fast = select(asked, partial(lazy, mode="fast"), reference=False, seed=3)
    assert exact.facts == {"mode": "exact"}
    assert fast.facts["mode"] == "fast"
    assert 0 < fast.facts["sampled_picks"] < 100
    assert len(set(fast.rows.tolist())) == 300
    assert fast.value >= 0.999 * exact.value
    assert fast.value == pytest.approx(FacilityLocation("v").value(asked.ground, fast.rows), rel=1e-12)
    assert fast.upper_bound >= exact.value
    assert select(asked, lazy, reference=False).facts["mode"] == "exact"  # 'auto' on a small pool


@pytest.mark.parametrize("memory", [1 << 20, 1 << 27])
@pytest.mark.parametrize("count", [1, 2])
def test_fast_gives_the_same_rows_for_any_threads_and_memory(memory: int, count: int) -> None:
    found = vectors("copies", 9000, 24, 2)
    wanted = select(problem(found, 200), partial(lazy, mode="fast"), reference=False, seed=1).rows
    with threads(count):
        rows = select(problem(found, 200, memory), partial(lazy, mode="fast"), reference=False, seed=1).rows
    np.testing.assert_array_equal(rows, wanted)


def test_fast_goes_on_from_kept_rows() -> None:
    """Law 6."""
    found = vectors("clusters", 9000, 24, 2)
    whole = select(problem(found, 200), partial(lazy, mode="fast"), reference=False).rows
    for j in (5, 150):
        kept = np.sort(whole[:j])
        asked = Problem(problem(found, 1).ground, FacilityLocation("v"), Count(200 - j), kept, np.setdiff1d(np.arange(9000), kept))
        np.testing.assert_array_equal(select(asked, partial(lazy, mode="fast"), reference=False).rows, whole[j:])


def test_fast_keeps_to_prices() -> None:
    found = vectors("clusters", 9000, 12, 4)
    costs = np.random.default_rng(0).integers(1, 9, 9000).astype(float)
    asked = Problem(problem(found, 1).ground, FacilityLocation("v"), Cost(costs, 300.0), NO_ROWS, np.arange(9000))
    rows = select(asked, partial(lazy, mode="fast"), reference=False).rows
    assert costs[rows].sum() <= 300


@pytest.mark.parametrize("thin", [False, True])
@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), size=st.integers(2, 300), seed=st.integers(0, 10**6), heavy=st.booleans(), priced=st.booleans())
def test_the_compiled_race_is_the_plain_one(thin: bool, kind: str, size: int, seed: int, heavy: bool, priced: bool) -> None:
    rng, values = np.random.default_rng(seed), rows_of(kind, size, 16, seed)
    found = sparse(np.where(values > 1, values, 0)) if thin else vectors(kind, size, 16, seed)
    ground = Ground(size, {"v": found}, weights=rng.integers(0, 4, size).astype(float) if heavy else None)
    limit = Cost(rng.uniform(1, 4, size), size / 2) if priced else Count(max(1, size // 2))
    asked = Problem(ground, FacilityLocation("v"), limit, NO_ROWS, np.arange(size))
    compiled = select(asked, lazy)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(facility_location._Covering, "winner", lambda *_: None)
        plain = select(asked, lazy)
    np.testing.assert_array_equal(compiled.rows, plain.rows)
    np.testing.assert_array_equal(compiled.gains, plain.gains)
    assert compiled.value == plain.value


@pytest.mark.parametrize("count", [1, 2])
@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(2, 300),
    types=st.integers(1, 40),
    seed=st.integers(0, 10**6),
    ridge=st.sampled_from([0.1, 1.0, 85.0]),
    kept=st.integers(0, 80),
    limited=st.sampled_from(["rows", "quotas", "costs"]),
    tight=st.booleans(),
)
def test_the_sparse_dual_picks_what_the_factor_picks(
    count: int, size: int, types: int, seed: int, ridge: float, kept: int, limited: str, tight: bool
) -> None:
    """Whole numbers as weights, so that ties are exact; copies, zero rows, kept rows, groups that fill one after another."""
    rng = np.random.default_rng(seed)
    carried = (rng.random((size, types)) < rng.choice([0.0, 0.1, 0.4], (size, 1))) * rng.integers(1, 3, types)
    carried = carried[rng.integers(0, max(1, size // 2), size)]
    before = np.sort(rng.choice(size, min(kept, size // 2), replace=False))
    left = np.setdiff1d(np.arange(size), before)
    budget, groups = max(1, len(left) // 2), rng.integers(0, 4, size)
    shares = proportional(np.bincount(groups[left], minlength=4), budget)
    limit = {
        "rows": Count(budget),
        "quotas": Quota(groups, tuple("abcd"), shares, shares, budget),
        "costs": Cost(rng.integers(1, 4, size).astype(float), float(budget)),
    }[limited]
    objective, roomy = Dpp("v", ridge=ridge, quality="score"), 1 << 24
    ground = Ground(size, {"v": sparse(carried, unit=False)}, scores={"score": rng.integers(0, 2, size) / 1.0}, memory=roomy)
    memory = least_bytes(len(before) + limit.most, types) if tight else roomy
    with threads(count):
        fast = select(Problem(replace(ground, memory=memory), objective, limit, before, left))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("selector.kernels.sparse_dual.SparseDual", _by_factor(ground))
        plain = select(Problem(ground, objective, limit, before, left))
    np.testing.assert_array_equal(fast.rows, plain.rows)
    np.testing.assert_allclose(fast.gains, plain.gains, rtol=1e-9, atol=1e-12)
    assert fast.value == pytest.approx(plain.value, rel=1e-9)
    assert fast.upper_bound == pytest.approx(plain.upper_bound, rel=1e-9)
    assert fast.upper_bound >= fast.value


def _by_factor(ground: Ground) -> Any:
    return lambda vectors, quality, ridge, memory, chosen: Factor(ground, vectors, quality, 1 / ridge, 0.0, True, chosen)


def test_samples_grow_fourfold_up_to_the_pool() -> None:
    assert sample_sizes(117_654) == [1838, 7353, 29_413, 117_654]
    assert sample_sizes(5000) == [1250, 5000]


def test_sweeps_leave_torch_its_threads() -> None:
    """An encoder that comes after a selection in the same program must not be left with one core."""
    import torch

    before, found = torch.get_num_threads(), vectors("clusters", 700, 16, 1)
    cover, steps = np.zeros(700, np.float32), np.rint(found.data / found.step).astype(np.int16)
    torch.set_num_threads(2)
    try:
        sweep.half_sweep(steps, found.step, encode(found.data, found.step, np.int8), cover, 2, lambda *_: None)
        assert torch.get_num_threads() == 2
        through = levels(found.data[:2] @ found.data.T, cover)
        ceilings(encode(found.data, found.step, np.int8), np.arange(700), through, 2, np.ones(700), 2, lambda *_: None)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("walked", [1, 7, 1 << 20])
def test_sparse_sweeps_in_blocks_of_any_size(walked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one candidate's walk is longer than a block."""
    rng = np.random.default_rng(0)
    found = sparse((rng.random((60, 9)) < 0.3) * rng.random((60, 9)))
    source, similarities = Postings(found), (found.data @ found.data.T).toarray()
    monkeypatch.setattr("selector.kernels.sources.WALKED", walked)
    cover = np.maximum(similarities[:, 3], 0).astype(np.float32)
    starts, rows, _ = source.sweep(cover, lambda *_: None)
    assert source.left(cover) == len(rows) / 60
    for candidate in range(60):
        wanted = np.flatnonzero(source.line(candidate) > cover)
        np.testing.assert_array_equal(np.sort(rows[starts[candidate] : starts[candidate + 1]]), wanted)


def test_looking_ahead_for_some_leaves_everybodys_gain_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 2: a certificate asks for the gains of rows that quotas have shut out since, and were not looked ahead for."""
    monkeypatch.setattr(facility_location, "CLEAR", 4)
    monkeypatch.setattr(facility_location, "LITTLE", 0)
    found = vectors("clusters", 900, 24, 8)
    ground = Ground(900, {"v": found})
    plain, ahead = (FacilityLocation("v").start(ground) for _ in range(2))
    everybody, seen = np.arange(900), set()
    ahead.foresee(everybody[::2])
    for shut_out in np.arange(300) % 40 == 39:
        row = 2 * int(np.argmax(plain.gains(everybody[::2]))) + int(shut_out)
        plain.add(row)
        ahead.add(row)
        np.testing.assert_array_equal(ahead.gains(everybody), plain.gains(everybody))
        assert ahead.value == plain.value
        seen.add("kept" if ahead.kept else "rough" if ahead.rough else "path")
    assert seen == {"path", "rough", "kept"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kind_of_code", [kind for kind in CODES if kind is not np.uint8])
@pytest.mark.parametrize("count", [1, 2])
def test_each_product_is_kept_roughly_for_both_its_rows(narrow_strips: None, kind: str, kind_of_code: Any, count: int) -> None:
    size, everybody = 450, np.arange(450)
    found = vectors(kind, size, 12, 6)
    data, steps, ones = found.data, np.rint(found.data / found.step).astype(np.int16), np.ones(size)
    lines, before = data[:3] @ data.T, np.zeros(size, np.float32)
    cover = np.maximum(lines.max(axis=0), 0).astype(np.float32)
    kept, codes = Rough(steps, found.step, cover, 10), encode(data, found.step, kind_of_code)
    bounds = ceilings(codes, everybody, levels(lines, before), 3, ones, count, lambda *_: None, kept)
    np.testing.assert_array_equal(bounds, ceilings(codes, everybody, levels(lines, before), 3, ones, 3 - count, lambda *_: None))
    kept.settle(cover, np.empty(0, np.int64), None)
    wanted = np.maximum(data.astype(float) @ data.T.astype(float) - cover, 0).sum(axis=1)
    assert (bounds[3] >= wanted).all()
    assert (kept.ceilings(everybody, cover, ones) >= wanted).all()
    starts, rows, similarities = kept.exact(cover)
    for candidate in everybody:
        mine, line = slice(starts[candidate], starts[candidate + 1]), data @ data[candidate]
        np.testing.assert_array_equal(rows[mine], np.flatnonzero(line > cover))  # in the order of rows
        np.testing.assert_array_equal(similarities[mine], line[line > cover])
    np.testing.assert_array_equal(kept.gains(everybody, cover, ones), wanted)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), kind=st.sampled_from([np.int32, np.float32]), seed=st.integers(0, 10**6))
def test_a_tile_is_turned(height: int, width: int, kind: Any, seed: int) -> None:
    tile, out = np.random.default_rng(seed).integers(-(10**6), 10**6, (height, width)).astype(kind), np.empty((width, height), kind)
    turn(tile, out)
    np.testing.assert_array_equal(out, tile.T)


def test_rough_similarities_of_more_rows_than_two_bytes_can_tell_apart() -> None:
    size, some = 66_000, np.arange(65_400, 65_700)
    found = vectors("clusters", size, 8, 4)
    data, steps = found.data, np.rint(found.data / found.step).astype(np.int16)
    lines = data[:6] @ data.T
    base = np.maximum(lines.max(axis=0), 0).astype(np.float32)
    kept = Rough(steps, found.step, base, 10)  # too little room, so that it has to grow
    through = levels(lines, np.zeros(size, np.float32))
    ceilings(encode(data, found.step, np.int8), some, through, 6, np.ones(size), 2, lambda *_: None, kept)
    cover, low = base.copy(), np.array([3, 65_000, 65_800])
    cover[low] *= 0.5  # less than was expected there
    kept.settle(cover, low, sweep.sweep_rows(steps, found.step, encode(data, found.step, fastest()), low, cover, 2))
    wanted = np.maximum(data[some] @ data.T - cover, 0).sum(axis=1, dtype=np.float64)
    assert (kept.ceilings(some, cover, np.ones(size)) >= wanted).all()
    np.testing.assert_array_equal(kept.gains(some, cover, np.ones(size)), wanted)
    assert (kept.ceilings(some, cover, np.ones(size)) >= wanted).all()  # also of what is exact by now
    starts, rows, similarities = kept.exact(cover)
    for candidate in (65_400, 65_699):
        mine, line = slice(starts[candidate], starts[candidate + 1]), data @ data[candidate]
        np.testing.assert_array_equal(np.sort(rows[mine]), np.flatnonzero(line > cover))
        np.testing.assert_array_equal(similarities[mine], line[rows[mine]])

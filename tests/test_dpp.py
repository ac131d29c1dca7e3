"""The two states of dpp: the same gains by every way through them, and within the memory that was forecast."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from scipy.sparse import csr_array

from selector.core import NO_ROWS, Ground, Problem
from selector.engine import select
from selector.errors import MemoryForecast
from selector.features import SparseVectors, Vectors
from selector.kernels import dual, factor, sparse_dual
from selector.kernels.cholesky import SPAN
from selector.kernels.determinant import BAND, log_det
from selector.kernels.dual import Dual
from selector.kernels.factor import Factor, factor_bytes, forecast
from selector.kernels.inner import add_eight
from selector.kernels.inverse import BLOCK, Inverse, band_bytes
from selector.kernels.lines import PAGE, Lines, line_pages, pick_line, read, write
from selector.kernels.sparse_dual import SparseDual, least_bytes
from selector.kernels.team import Team
from selector.limits import Count
from selector.objectives.dpp import Dpp
from selector.optimizers.greedy import greedy
from selector.optimizers.lazy import lazy


def ground(size: int, width: int, seed: int, memory: int = 1 << 30) -> Ground:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(size, width)) + 2 * rng.normal(size=(9, width))[rng.integers(0, 9, size)]
    values = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    thin = csr_array(np.where(np.abs(values) > 1 / np.sqrt(width), values, 0))
    thin.sort_indices()
    return Ground(size, {"dense": Vectors(values), "sparse": SparseVectors(thin)}, scores={"score": rng.random(size)}, memory=memory)


def overlapping(size: int, types: int, seed: int, memory: int = 1 << 30) -> Ground:
    """Rows sqrt(worth) on the few types that they carry; a third are copies of others, some carry nothing, scores tie as well."""
    rng = np.random.default_rng(seed)
    carried = rng.random((size, types)) < rng.choice([0.0, 0.05, 0.2], (size, 1), p=[0.1, 0.6, 0.3])
    copies = rng.choice(size, size // 3, replace=False)
    carried[copies] = carried[rng.integers(0, size, len(copies))]
    matrix = csr_array((carried * np.sqrt(np.log1p(rng.integers(1, 50, types)))).astype(np.float32))
    matrix.sort_indices()
    return Ground(size, {"sparse": SparseVectors(matrix)}, scores={"score": rng.integers(0, 2, size) / 2.0}, memory=memory)


def problem(pool: Ground, objective: Dpp, budget: int, kept=NO_ROWS) -> Problem:
    kept = np.asarray(kept, np.int64)
    return Problem(pool, objective, Count(budget), kept, np.setdiff1d(np.arange(pool.size), kept))


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("chosen", [0, 90])
def test_the_dual_is_the_definition_past_every_turn(ridge: float, chosen: int) -> None:
    """More picks than dimensions; rows that missed none, few and many; before and after the matrix is made anew."""
    pool, objective = ground(400, 40, 1), Dpp("dense", ridge=ridge, quality="score")
    x = pool.vectors["dense"].data.astype(np.float64) * np.exp(0.5 * pool.scores["score"])[:, None]
    picks, rng = list(range(chosen)), np.random.default_rng(0)
    state = objective.start(pool, np.array(picks, np.int64))
    assert isinstance(state, Dual)
    for place in range(130):
        asked = rng.choice(400, 5, replace=False)
        inverse = np.linalg.inv(ridge * np.eye(40) + x[picks].T @ x[picks])
        np.testing.assert_allclose(state.gains(asked), np.log1p(np.einsum("nd,de,ne->n", x[asked], inverse, x[asked])), rtol=1e-8)
        state.add(chosen + place)
        picks.append(chosen + place)
    assert state.value == pytest.approx(np.linalg.slogdet(np.eye(40) + x[picks].T @ x[picks] / ridge)[1], rel=1e-10)
    assert state.value == pytest.approx(objective.value(pool, np.array(picks)), rel=1e-10)


def test_any_share_of_the_work_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, before = ground(600, 30, 2), numba.get_num_threads()
    found = []
    for work, threads in ((dual.PART, 1), (1, before), (1000, 2), (1 << 60, before)):
        monkeypatch.setattr(dual, "PART", work)
        numba.set_num_threads(threads)
        try:
            found.append(select(problem(pool, Dpp("dense"), 200)))
        finally:
            numba.set_num_threads(before)
    for outcome in found[1:]:
        np.testing.assert_array_equal(outcome.rows, found[0].rows)
        np.testing.assert_array_equal(outcome.gains, found[0].gains)


@pytest.mark.parametrize("objective", [Dpp("dense", kernel="rbf"), Dpp("sparse", kernel="rbf"), Dpp("sparse", quality="score")], ids=str)
def test_a_state_gives_the_same_bits_however_it_is_asked(monkeypatch: pytest.MonkeyPatch, objective: Dpp) -> None:
    """One row at a time after every pick, all rows at the end, any rows in between, in parts of any size: each line is the same."""
    pool, rng = ground(300, 30, 8), np.random.default_rng(0)
    picks, left = np.arange(0, 300, 3), np.setdiff1d(np.arange(300), np.arange(0, 300, 3))
    late = objective.start(pool, picks).gains(left)
    monkeypatch.setattr(factor, "PART", 1)
    monkeypatch.setattr(sparse_dual, "PART", 1)
    state = objective.start(pool)
    for row in picks.tolist():
        state.gains(rng.choice(left, rng.integers(1, 30), replace=False))
        state.gains(left[:1])
        state.add(row)
    np.testing.assert_array_equal(np.concatenate([state.gains(left[place : place + 1]) for place in range(len(left))]), late)
    assert np.isneginf(state.gains(picks)).all() or objective.kernel == "linear"


def test_lines_outlive_growth_release_and_a_shrinking_front() -> None:
    """Chains that grow by turns hold what was written; pages beyond the room that picks leave move to free ones."""
    lines = Lines(30, 40 * (8 * PAGE + 4))
    written: dict[int, np.ndarray] = {}
    rng = np.random.default_rng(1)
    for _ in range(300):
        row, length = int(rng.integers(0, 30)), int(rng.integers(1, 5 * PAGE))
        wanted = max(0, line_pages(length) - int(lines.pages[row]))
        if not lines.fit(wanted, 1):
            lines.release(np.array([row]))
            written.pop(row, None)
        elif len(written.get(row, ())) < length:
            lines.extend(np.array([row]), length)
            grown = np.concatenate([written.get(row, np.empty(0)), rng.random(length - len(written.get(row, ())))])
            write(lines.first[row], lines.following, lines.numbers, grown, len(written.get(row, ())))
            written[row] = grown
        elif length >= lines.picks:
            start = lines.picks
            lines.keep(row)
            first = pick_line(start, lines.numbers)
            np.testing.assert_array_equal(lines.numbers[first : first + start], written.pop(row)[:start])
        for other, numbers in written.items():
            back = np.empty(len(numbers))
            read(lines.first[other], lines.following, lines.numbers, back)
            np.testing.assert_array_equal(back, numbers)
    assert lines.picks > 10


@pytest.mark.parametrize("objective", [Dpp("dense"), Dpp("dense", kernel="rbf"), Dpp("sparse"), Dpp("sparse", kernel="rbf")], ids=str)
def test_copies_have_equal_gains_and_zero_rows_a_stated_one(objective: Dpp) -> None:
    pool = ground(50, 8, 3).take(np.tile(np.arange(50), 2))
    pool.vectors["dense"].data[[10, 60]] = 0.0
    sparse = pool.vectors["sparse"].data.toarray()
    sparse[[10, 60]] = 0.0
    pool.vectors["sparse"] = SparseVectors(csr_array(sparse))
    state = objective.start(pool)
    for row in (0, 3, 7, 60, 12):
        gains = state.gains(np.arange(100))
        np.testing.assert_array_equal(gains[:50], gains[50:])
        state.add(row)
    gains = state.gains(np.arange(100))
    assert not np.isnan(gains).any()
    if objective.kernel == "linear":
        assert gains[10] == 0.0  # spans nothing, costs nothing: comes last
        assert (np.delete(gains, [10, 60]) > 0).all()
    else:
        assert np.isneginf(gains[[50, 53, 57, 10, 62]]).all()
        assert np.isfinite(gains[51])


@pytest.mark.parametrize("objective", [Dpp("dense", kernel="rbf"), Dpp("sparse"), Dpp("sparse", kernel="rbf", quality="score")], ids=str)
def test_a_factor_keeps_to_its_memory_and_the_rows_do_not_change(objective: Dpp) -> None:
    pool, budget = ground(500, 12, 4), 120
    roomy = select(problem(pool, objective, budget))
    inverse = objective.kernel == "linear"
    for memory in (1 << 21, 1 << 19, least_bytes(budget, 12) if inverse else factor_bytes(budget)):
        tight = replace(pool, memory=memory)
        objective.forecast(tight, budget)
        outcome = select(problem(tight, objective, budget))
        np.testing.assert_array_equal(outcome.rows, roomy.rows)
        np.testing.assert_array_equal(outcome.gains, roomy.gains)  # a line that is made again is the same line
    state = objective.start(tight)
    assert isinstance(state, SparseDual if inverse else Factor)
    for row in outcome.rows:
        state.gains(np.setdiff1d(np.arange(500), outcome.rows))
        state.add(int(row))
        assert (state.nbytes if isinstance(state, SparseDual) else state.lines.nbytes) <= memory


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    forecast(1000, factor_bytes(1000))
    with pytest.raises(MemoryForecast, match=r"1,000 rows take 4 MiB but the memory option leaves it 4 MiB, enough for 999 rows"):
        forecast(1000, factor_bytes(1000) - 1)
    pool = ground(400, 12, 5, memory=40_000)
    with pytest.raises(MemoryForecast, match="enough for"):
        Dpp("dense", kernel="rbf").forecast(pool, 300)
    with pytest.raises(MemoryForecast, match="enough for"):
        select(problem(pool, Dpp("dense", kernel="rbf"), 300))
    tight = replace(pool, memory=least_bytes(4 * BLOCK, 12) - 1)
    Dpp("sparse").forecast(tight, 4 * BLOCK - 1)
    with pytest.raises(MemoryForecast, match=r"256 rows take .* enough for 255 rows"):
        Dpp("sparse").forecast(tight, 4 * BLOCK)
    with pytest.raises(MemoryForecast, match="enough for 255 rows"):
        select(problem(tight, Dpp("sparse"), 300))
    Dpp("dense").forecast(pool, 300)  # the dual does not grow with the picks
    assert len(select(problem(pool, Dpp("dense"), 300)).rows) == 300


@pytest.mark.parametrize(
    "objective", [Dpp("dense"), Dpp("dense", ridge=1e-4), Dpp("dense", kernel="rbf"), Dpp("sparse", ridge=0.3)], ids=str
)
def test_lazy_is_greedy_far_beyond_the_rank(objective: Dpp) -> None:
    asked = problem(ground(300, 10, 6), objective, 250 if objective.kernel == "linear" else 120, kept=[5, 9])
    np.testing.assert_array_equal(select(asked, lazy).rows, select(asked, greedy).rows)


def test_vectors_of_many_dimensions_take_the_factor() -> None:
    pool = ground(60, 2100, 7)
    state = Dpp("dense").start(pool)
    assert isinstance(state, Factor)
    for row in range(20):
        state.add(row)
    x = pool.vectors["dense"].data[:20].astype(np.float64)
    assert state.value == pytest.approx(np.linalg.slogdet(np.eye(20) + x @ x.T)[1], rel=1e-10)


@pytest.mark.parametrize("ridge", [1e-5, 1e-2, 1.0, 85.0])
@pytest.mark.parametrize("chosen", [0, 2 * BLOCK + 5])
def test_the_sparse_dual_is_the_definition_past_every_block(ridge: float, chosen: int) -> None:
    """Overlap rows with copies and zero rows; rows that missed none, few and all picks of a block."""
    pool, objective = overlapping(400, 60, 1), Dpp("sparse", ridge=ridge, quality="score")
    x = pool.vectors["sparse"].data.toarray().astype(np.float64) * np.exp(0.5 * pool.scores["score"])[:, None]
    picks, rng = list(range(chosen)), np.random.default_rng(0)
    state = objective.start(pool, np.array(picks, np.int64))
    assert isinstance(state, SparseDual)
    for place in range(2 * BLOCK + 30):
        asked = rng.choice(400, 5, replace=False)
        inverse = np.linalg.inv(ridge * np.eye(60) + x[picks].T @ x[picks])
        wanted = np.log1p(np.einsum("nd,de,ne->n", x[asked], inverse, x[asked]))
        np.testing.assert_allclose(state.gains(asked), wanted, rtol=1e-8, atol=1e-12 / ridge)  # rounding of a squared length
        state.add(chosen + place)
        picks.append(chosen + place)
    assert state.value == pytest.approx(np.linalg.slogdet(np.eye(60) + x[picks].T @ x[picks] / ridge)[1], rel=1e-9)
    assert state.value == pytest.approx(objective.value(pool, np.array(picks)), rel=1e-9)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("room", [1 << 26, None], ids=["mirrored", "half"])
def test_an_inverse_that_grows_is_the_inverse(threads: int, room: int | None) -> None:
    size, rng = 5 * BLOCK, np.random.default_rng(0)
    rows, before = rng.normal(size=(size, 30)), numba.get_num_threads()
    matrix = rows @ rows.T + np.diag(rng.uniform(0.5, 2, size))
    numba.set_num_threads(threads)
    try:
        grown, team = Inverse(room or band_bytes(size)), Team()
        for first in range(0, size, BLOCK):
            last, wanted = first + BLOCK, np.linalg.inv(matrix[: first + BLOCK, : first + BLOCK])
            new = matrix[:first, first:last]
            gathered = np.array([grown.times(np.arange(first), column, team) for column in new.T]).reshape(BLOCK, first).T
            rest = matrix[first:last, first:last] - new.T @ gathered
            grown.grow(gathered, np.linalg.cholesky(rest), team)
            some = np.sort(rng.choice(last, 20, replace=False))
            values = rng.normal(size=20)
            np.testing.assert_allclose(grown.times(some, values, team), wanted[:, some] @ values, rtol=0, atol=1e-11)
    finally:
        numba.set_num_threads(before)
    assert grown.mirrored == (room is not None)


@pytest.mark.parametrize("size", [0, 1, BAND, 2 * BAND + 7])
def test_a_determinant_by_bands(size: int) -> None:
    rows = np.random.default_rng(size).normal(size=(size, 20))
    matrix = np.eye(size) + rows @ rows.T
    assert log_det(size, lambda first, last: matrix[first:last, :last].copy()) == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-12)


def test_a_team_does_every_part_once_and_passes_errors_on() -> None:
    done: list[int] = []
    team = Team()
    for count in (0, 1, 2, 500):
        team.share(done.append, range(count))
        assert sorted(done) == list(range(count))
        done.clear()
    with pytest.raises(ZeroDivisionError):
        team.share(lambda part: 1 // part, [1, 2, 0, 3])


def test_lines_longer_than_a_span_of_the_cache() -> None:
    pool = ground(700, 24, 3)
    objective = Dpp("dense", kernel="rbf", bandwidth=0.5)
    found = select(problem(pool, objective, SPAN + 60), lazy, reference=False)
    data = pool.vectors["dense"].data[found.rows].astype(float)
    squared = ((data[:, None] - data) ** 2).sum(axis=2)
    determinant = np.linalg.slogdet(np.exp(-squared / (2 * 0.5**2)))[1]
    assert found.value == pytest.approx(determinant, rel=1e-9)
    assert found.gains.sum() == pytest.approx(determinant, rel=1e-9)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 31, 512])
def test_inner_products_of_two_with_four(count: int) -> None:
    @numba.njit
    def products(two, four, sums):
        a, w, length = two.ctypes.data, four.ctypes.data, 8 * two.shape[1]
        add_eight(a, a + length, w, w + length, w + 2 * length, w + 3 * length, two.shape[1], sums.ctypes.data)

    rng = np.random.default_rng(count)
    two, four, sums = rng.normal(size=(2, count)), rng.normal(size=(4, count)), np.ones((2, 4))
    products(two, four, sums)
    np.testing.assert_allclose(sums, 1 + two @ four.T, rtol=0, atol=1e-12)

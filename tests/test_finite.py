"""Law 12: finite input of any size ends in a result or a named error, and no warning of numpy reaches the user."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array

from selector import select_rows
from selector.assembly import _scores
from selector.core import Ground
from selector.errors import InputError, RecipeError, UnusableRows
from selector.features import SparseVectors, Vectors, dense, sparse
from selector.finite import narrow
from selector.objectives.dpp import Dpp
from selector.objectives.k_dpp import KDpp
from selector.pool import Pool
from tests.command import command, pairs, pool
from tests.finite_cases import Apart

OBJECTIVES = (
    "facility-location", "k-centre", "mmr", "max-min", "dpp", "k-dpp", "k-means-medoids", "novel-select", "random",
)  # fmt: skip
MAGNITUDES = {
    "float64": (1e-300, 1e-40, 1e-25, 1e-10, 1.0, 1e10, 1e19, 1e20, 1e38, 1e150, 1e300),
    "float32": (1e-40, 1e-25, 1e-10, 1e10, 1e19, 1e20, 1e37),
    "float16": (1e-3, 1.0, 1e3),
    "int64": (1.0, 1e10, 1e18),
    "bool": (1.0,),
}
WITHIN = (1e-10, 1.0, 1e10)  # magnitudes of rows that are taken as they are


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    process = Apart()
    yield process
    process.end()


@pytest.mark.parametrize("sparse_rows", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_directions_of_any_length_are_picked_as_if_of_length_one(apart: Apart, objective: str, sparse_rows: bool) -> None:
    words = {"budget": 5, "objective": objective}
    for dtype, magnitudes in MAGNITUDES.items():
        if dtype == "float16" and sparse_rows:
            continue  # which scipy does not know
        for kind in ("plain", "copies"):
            plain = apart.ask(matrix={"kind": kind, "magnitude": 1.0, "dtype": dtype, "sparse": sparse_rows}, words=words)
            assert plain[0] == "ended"
            for magnitude in magnitudes:
                found = apart.ask(matrix={"kind": kind, "magnitude": magnitude, "dtype": dtype, "sparse": sparse_rows}, words=words)
                assert found[0] == "ended", (dtype, magnitude, kind, found)
                if dtype == "float64":
                    assert found[1] == plain[1], (magnitude, kind)
    mixed = apart.ask(matrix={"kind": "magnitudes", "magnitude": 1.0, "dtype": "float64", "sparse": sparse_rows}, words=words)
    plain = apart.ask(matrix={"kind": "plain", "magnitude": 1.0, "dtype": "float64", "sparse": sparse_rows}, words=words)
    assert mixed[:2] == plain[:2]


@pytest.mark.parametrize("sparse_rows", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_rows_taken_as_they_are_end_in_a_result_or_a_named_error(apart: Apart, objective: str, sparse_rows: bool) -> None:
    words = {"budget": 5, "objective": objective, "unit": False}
    for dtype, magnitudes in MAGNITUDES.items():
        if dtype == "float16" and sparse_rows:
            continue
        for magnitude in magnitudes:
            told = {"magnitude": magnitude, "dtype": dtype, "sparse": sparse_rows}
            found = apart.ask(matrix={"kind": "copies", **told}, words=words)
            assert found[0] in ("ended", "refused"), (dtype, magnitude, found)
            if found[0] == "ended":
                assert np.isfinite(found[2]), (dtype, magnitude, found)
            elif magnitude in WITHIN:
                assert (objective, "ridge" in found[1]) == ("dpp", True), (magnitude, found)


@pytest.mark.parametrize("objective", ["facility-location", "k-centre", "mmr", "max-min", "k-means-medoids", "novel-select"])
@pytest.mark.parametrize("make", [np.asarray, csr_array])
def test_rows_within_reach_are_picked_alike_in_any_unit(objective: str, make: Any) -> None:
    values = np.random.default_rng(3).normal(size=(60, 5))
    picked = [select_rows(make(values * 2.0**power), budget=6, unit=False, objective=objective).rows.tolist() for power in (0, -40, 40)]
    assert picked[0] == picked[1] == picked[2]


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=8),
    powers=st.lists(st.integers(-1020, 1020), min_size=8, max_size=8),
)
def test_a_row_times_a_power_of_two_is_the_same_row(cells: list[list[int]], powers: list[int]) -> None:
    values = np.array(cells, np.float64)
    scaled = np.ldexp(values, np.array(powers[: len(values)])[:, None])
    assert (dense(scaled).data == dense(values).data).all()
    assert (sparse(csr_array(scaled)).data != sparse(csr_array(values)).data).nnz == 0
    assert (dense(narrow(scaled)).data == dense(narrow(values)).data).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), tens=st.integers(-290, 300))
def test_a_power_of_ten_moves_no_entry_on_the_grid(seed: int, tens: int) -> None:
    values = np.random.default_rng(seed).normal(size=(9, 4))
    assert (dense(values * 10.0**tens).data == dense(values).data).all()
    assert np.abs((sparse(csr_array(values * 10.0**tens)).data - sparse(csr_array(values)).data).toarray()).max() < 1e-7


@pytest.mark.parametrize(
    "row",
    [
        np.array([[3e-320, 4e-320]]),
        np.array([[3e-45, 4e-45]], np.float32),
        np.array([[-0.0, 0.0], [3e300, -4e300]]),
        np.array([[2**63 - 1, 0], [2**53 + 1, 1]]),
        np.array([[2**64 - 1, 0]], np.uint64),
        np.array([[-(2**63), 0]]),
        np.array([[True, False]]),
        np.array([[6e-8, 0]], np.float16),
        np.ldexp(np.ones((1, 2), np.longdouble), 5000 if np.finfo(np.longdouble).maxexp > 5000 else 1),
        np.array([[1e300, 1e-300]]),
        np.array([[5e-324, 1e308]]),
    ],
    ids=lambda row: f"{row.dtype}-{row[0, 0]!s:.9}",
)
def test_every_number_that_is_there_gives_a_direction(row: np.ndarray) -> None:
    whole = row.any(axis=1).astype(float)
    assert np.allclose(np.linalg.norm(dense(row).data, axis=1), whole, atol=1e-3)
    if row.dtype != np.float16:
        assert np.allclose(np.linalg.norm(sparse(csr_array(row)).data.toarray(), axis=1), whole, atol=1e-6)


def test_negative_zero_is_no_entry_and_duplicates_are_summed_before_they_are_narrowed() -> None:
    assert sparse(csr_array(np.array([[-0.0, 1.0]]))).data.nnz == 1
    twice = coo_array(([1e300, 1e300, 2e300], ([0, 0, 0], [0, 0, 1])), shape=(1, 2))
    assert np.allclose(sparse(twice).data.toarray(), np.sqrt(0.5))


@pytest.mark.parametrize("size", [1e-300, 1e-25, 1e19, 1e300])
def test_rows_out_of_reach_are_named_with_their_length_and_what_to_do(size: float) -> None:
    values = np.array([[0.0, 0.0], [0.6, 0.8], [3.0, 4.0], [3.0, 4.0]]) * size
    for make in (lambda: dense(values, unit=False), lambda: sparse(csr_array(values), unit=False)):
        with pytest.raises(InputError) as told:
            make()
        length = f"{5 * size:.1e}"
        assert f"the longest row is row 2, of length {length}." in str(told.value)
        assert "unit=False" in str(told.value)
        assert "divide all of them by 1e" in str(told.value)


def test_nan_is_told_from_large() -> None:
    for make in (dense, lambda one: sparse(csr_array(one))):
        with pytest.raises(UnusableRows, match="1 row with NaN or infinite values, the first is row 1"):
            make(np.array([[1e300, 0.0], [np.nan, 1.0]]))
    with pytest.raises(InputError, match="complex"):
        sparse(csr_array(np.array([[1j]])))


SIZES = (1e-320, 1e-200, 1e-20, 1e20, 1e200, float("inf"), float("nan"))
OPTIONS = [
    *(("dpp", {name: size}) for size in SIZES for name in ("ridge",)),
    *(("dpp", {"kernel": "rbf", "bandwidth": size}) for size in SIZES),
    *(("novel-select", {name: size}) for size in SIZES for name in ("density_power", "distance_power")),
    *(("novel-select", {name: 10**20}) for name in ("neighbours", "exact_ranks")),
    *(("max-min", {"epsilon": size}) for size in SIZES),
    ("k-means-medoids", {"passes": 10**20}),
    ("facility-location", {"neighbours": 10**20}),
    *(("facility-location", {"optimizer": "stochastic", "optimizer_options": {"epsilon": size}}) for size in SIZES),
    *(("facility-location", {"optimizer": "partitioned", "optimizer_options": {"factor": size, "parts": 4}}) for size in SIZES),
    ("facility-location", {"optimizer": "partitioned", "optimizer_options": {"parts": 10**20}}),
    ("facility-location", {"optimizer": "near", "optimizer_options": {"probes": 10**20}}),
    *((name, {"seed": seed}) for name in OBJECTIVES for seed in (2**63, 2**64 + 5, 10**30, -1)),
    *((name, {"memory": size}) for name in ("facility-location", "dpp") for size in (0, -1, 2**64, 1e300, float("inf"), float("nan"))),
    *(("facility-location", {"kept": kept}) for kept in ([2**63], [2**64], [1e300], [float("nan")], [1.5], ["a"], [-1], [True], None)),
]


@pytest.mark.parametrize("sparse_rows", [False, True], ids=["dense", "sparse"])
def test_options_of_any_size_end_in_a_result_or_a_named_error(apart: Apart, sparse_rows: bool) -> None:
    wrong = []
    for objective, options in OPTIONS:
        told = {"kind": "plain", "magnitude": 1.0, "dtype": "float64", "sparse": sparse_rows}
        found = apart.ask(matrix=told, words={"budget": 5, "objective": objective, **options})
        if found[0] not in ("ended", "refused") or (found[0] == "ended" and not np.isfinite(found[2])):
            wrong.append((objective, options, found))
    assert not wrong


def _ground(vectors: Vectors | SparseVectors) -> Ground:
    return Ground(vectors.size, {"v": vectors}, {}, {"score": np.linspace(0, 1, vectors.size)})


@pytest.mark.parametrize("weight", [1e-320, 0.5, 0.95, 0.99, 0.999, 1 - 2.0**-53])
def test_a_quality_weight_of_dpp_keeps_the_value_or_is_refused(weight: float) -> None:
    values = np.random.default_rng(0).normal(size=(40, 5))
    for vectors in (dense(values), sparse(csr_array(values))):
        ground = _ground(vectors)
        for kernel in ("linear", "rbf"):
            objective = Dpp("v", kernel=kernel, quality="score", quality_weight=weight)
            if weight > 0.99 or (kernel == "linear" and weight > 0.95):
                with pytest.raises(RecipeError, match=r"quality.weight"):
                    objective.start(ground)
                continue
            state = objective.start(ground)
            for row in range(0, 40, 4):
                state.add(row)
            assert state.value == pytest.approx(objective.value(ground, np.arange(0, 40, 4)), rel=1e-6)
        drawn = KDpp("v", quality="score", quality_weight=weight)
        if weight > 0.95:
            with pytest.raises(RecipeError, match=r"quality.weight"):
                drawn.volume(ground, np.arange(40))
        else:
            assert drawn.volume(ground, np.arange(40)).rank == 5


COLUMNS: dict[str, Any] = {
    "wide": np.linspace(-1, 1, 40) * 1.7e308,
    "tiny": np.arange(40) * 1e-310,
    "uint64": np.array([2**64 - 1 - i * 10**15 for i in range(40)], np.uint64),
    "int64": [2**62 + i * 10**12 for i in range(40)],
    "decimal": pa.array([Decimal(i) * 10**50 for i in range(40)], pa.decimal256(60, 2)),
    "half": np.arange(40).astype(np.float16),
    "bool": [i % 2 == 0 for i in range(40)],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_quality_columns_of_any_type_and_size_are_scores_from_0_to_1(name: str) -> None:
    found = _scores(Pool.from_table(pa.table({**pairs(40), "score": COLUMNS[name]})), "score", np.empty(0, np.int64), False)
    assert (found.min(), found.max()) == (0, 1)
    if name != "bool":
        assert np.array_equal(np.argsort(found), np.arange(40)[:: -1 if name == "uint64" else 1])


def test_a_kept_score_beyond_all_others_is_refused() -> None:
    scores = np.arange(40) * 1e-310
    scores[7] = 1e300
    with pytest.raises(InputError, match=r"a row to keep has 1e\+300"):
        _scores(Pool.from_table(pa.table({**pairs(40), "score": scores})), "score", np.array([7]), False)


def _vectors(size: float) -> pa.Array:
    values = np.random.default_rng(1).normal(size=(40, 5)) * size
    return pa.array(values.tolist(), pa.list_(pa.float64()))


def test_commands_with_numbers_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELECTOR_CACHE", str(tmp_path / "cache"))
    mixed = (np.random.default_rng(1).normal(size=(40, 5)) * np.where(np.arange(40) % 2, 1e300, 1e-300)[:, None]).tolist()
    columns = {"plain": _vectors(1.0), "large": _vectors(2.0**900), "small": _vectors(2.0**-900), "mixed": mixed}
    source = pool(tmp_path / "pool.parquet", **columns, same=[[1e300] * 5] * 40, **{f"q-{name}": one for name, one in COLUMNS.items()})

    def ends(*words: str | int | Path) -> str | None:
        done = command(*map(str, words))
        assert done.code in (0, 2), (words, done)
        assert "Warning" not in done.err, (words, done)
        return done.err if done.code else None

    own, band = ("--layer", "macro", "--encoder"), ("--band", "1:99")
    picked = {}
    for name in ("plain", "large", "small", "mixed", "same"):
        out = tmp_path / name
        assert ends("select", source, "--budget", 5, *own, f"column:{name}", "-o", out) is None
        picked[name] = pa.parquet.read_table(out / "picks.parquet").column("row").to_pylist()
        assert ends("measure", source, "--layers", "macro", "--encoder", f"column:{name}") is None
        assert ends("compare", source, out, "--pool", source, "--layers", "macro", "--encoder", f"column:{name}") is None
        assert ends("monitor", tmp_path / f"{name}.json", source, "--layers", "macro", "--encoder", f"column:{name}") is None
    assert picked["plain"] == picked["large"] == picked["small"]
    select = ("select", source, "-o", tmp_path / "out", "--overwrite", *band)
    for name in COLUMNS:
        assert ends(*select, "--budget", 5, "--quality", f"q-{name}") is None
    split = ("split", source, "-o", tmp_path / "sets", "--overwrite", "--budget", 5, *band)
    assert "divide the column by 1e308" in (ends(*split, "--match", "quality:q-wide") or "")
    assert ends(*split, "--match", "quality:q-uint64") is None
    for weight in ("1e-320", "1e308", "1e400", "inf", "nan"):
        part = f"macro/response:{weight}"
        assert "weight" in (ends(*select, "--budget", 5, "--encoder", "column:plain", "--mix", f"{part},micro/response:1") or "")
    for words in (
        ("--budget", 10**20), ("--token-budget", 10**400), ("--budget", 5, "--threads", 10**30), ("--budget", 5, "--memory", "inf"),
        ("--budget", 5, "--quota", f"instruction:max={10**30}"), ("--budget", 5, "--band", f"1:{10**30}"),
        ("--budget", 5, "--min-tokens", f"response:{10**30}"), ("--budget", 5, "--quality", "q-half", "--quality-weight", "inf"),
        ("--budget", 5, "--quality", "q-half", "--objective", "repr-filter", "--option", "tau=.inf"),
    ):  # fmt: skip
        assert ends(*select, *words) is not None, words
    for words in (("--seed", 2**64 + 5), ("--max-tokens", f"response:{10**30}"), ("--memory", "1e30GB")):
        assert ends(*select, "--budget", 5, *words) is None, words

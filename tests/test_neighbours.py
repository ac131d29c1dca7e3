"""The neighbour graph: exact where it says so, symmetric, the same on any machine, a lower bound of facility location."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from selector.errors import MemoryForecast
from selector.features import Vectors
from selector.kernels import neighbours as graph
from selector.kernels.neighbours import neighbour_columns


def clustered(rows: int, seed: int, dimensions: int = 12) -> Vectors:
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(rows, dimensions)) + 2 * rng.normal(size=(8, dimensions))[rng.integers(0, 8, rows)]
    return Vectors((data / np.linalg.norm(data, axis=1, keepdims=True)).astype(np.float32))


def wanted(data: np.ndarray, count: int) -> np.ndarray:
    """(n, n) the slow definition: i and j are joined where either lists the other among its nearest; a row joins itself."""
    values = data.astype(np.float64) @ data.T.astype(np.float64)
    others = np.where(np.eye(len(data), dtype=bool), -np.inf, values)
    near = np.argsort(-others, axis=1, kind="stable")[:, :count]
    joined = np.eye(len(data), dtype=bool)
    np.put_along_axis(joined, near, True, axis=1)
    return np.where(joined | joined.T, np.maximum(values, 0), 0)


def dense(columns, size: int) -> np.ndarray:
    starts, rows, similarities = columns
    out = np.zeros((size, size))
    out[np.repeat(np.arange(size), np.diff(starts)), rows] = similarities
    return out


@pytest.mark.parametrize("count", [1, 5, 299, 1000])
def test_small_pools_are_exact(count: int) -> None:
    vectors = clustered(300, 0)
    starts, rows, similarities = found = neighbour_columns(vectors, count, 0)
    np.testing.assert_allclose(dense(found, 300), wanted(vectors.data, count), atol=1e-6)
    assert (similarities > 0).all()
    assert (starts.dtype, rows.dtype, similarities.dtype) == (np.int64, np.int32, np.float32)
    assert all((np.diff(rows[starts[c] : starts[c + 1]]) > 0).all() for c in range(300))


def test_copies_zero_rows_and_one_row() -> None:
    data = np.array([[1, 0], [1, 0], [1, 0], [0, 0], [0, 1], [-1, 0]], np.float32)
    found = dense(neighbour_columns(Vectors(data), 2, 0), 6)
    assert (found[:3, :3] == 1).all()
    assert not found[3].any()  # a zero row is similar to nothing, itself included
    assert not found[:, 3].any()
    assert (found == found.T).all()
    assert dense(neighbour_columns(Vectors(data[:1]), 9, 0), 1) == 1.0


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "EXACT", 500)
    monkeypatch.setattr(graph, "CELL", 64)
    monkeypatch.setattr(graph, "PROBES", 5)


@pytest.mark.usefixtures("cells")
def test_many_cells_find_nearly_all_and_never_invent() -> None:
    vectors = clustered(2500, 1)
    found, exact = dense(neighbour_columns(vectors, 10, 3), 2500), wanted(vectors.data, 10)
    both = (found > 0) & (exact > 0)
    assert both.sum() > 0.93 * (exact > 0).sum()
    values = vectors.data.astype(np.float64) @ vectors.data.T.astype(np.float64)
    np.testing.assert_array_equal(found[found > 0], values[found > 0].astype(np.float32))
    np.testing.assert_array_equal(found, found.T)
    cover = found[:, :50].max(axis=1)
    assert (cover <= np.maximum(values[:, :50].max(axis=1), 0) + 1e-7).all(), "the graph is a lower bound"


@pytest.mark.usefixtures("cells")
def test_the_second_look_finds_more() -> None:
    vectors = clustered(2500, 1)
    lists, order = graph._lists(vectors.data, 10, 3, lambda *_: None)
    joined = graph._joined(vectors.data, order, *lists)
    assert joined[1].sum() > lists[1].sum()
    assert (joined[1] >= lists[1]).all()
    assert all(len(set(row)) == 10 and own not in row for own, row in enumerate(joined[0].tolist()))


@pytest.mark.usefixtures("cells")
def test_the_same_for_any_thread_count_and_another_for_another_seed() -> None:
    vectors = clustered(1500, 2)
    first = neighbour_columns(vectors, 8, 0)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        again = neighbour_columns(vectors, 8, 0, memory=1 << 40)
    finally:
        numba.set_num_threads(before)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    other = neighbour_columns(vectors, 8, 1)
    assert len(other[1]) != len(first[1]) or not np.array_equal(other[1], first[1])


@pytest.mark.usefixtures("cells")
def test_cells_full_of_copies() -> None:
    data = np.repeat(np.eye(3, dtype=np.float32), 400, axis=0)
    found = neighbour_columns(Vectors(data), 6, 0)
    assert (np.diff(found[0]) >= 7).all()
    assert (found[2] == 1).all()


def test_what_does_not_fit_is_refused_and_progress_is_told() -> None:
    vectors, told = clustered(300, 0), []
    with pytest.raises(MemoryForecast, match="fewer neighbours or raise --memory"):
        neighbour_columns(vectors, 100, 0, memory=300_000)
    neighbour_columns(vectors, 5, 0, lambda *step: told.append(step))
    assert told[-1] == ("neighbours", 300, 300)

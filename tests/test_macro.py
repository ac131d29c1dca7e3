"""The macro layer: vectors, clusters, noise, and every way a pool can be odd."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import pytest

from selector import encoders
from selector.cache import Cache, NoCache
from selector.core import Room, Texts
from selector.errors import InputError, RecipeError, UnusableRows
from selector.layers import macro
from selector.layers.grouping import density, kmeans, neighbours, tiles
from selector.layers.grouping.naming import as_types
from selector.layers.grouping.principal import SHRINKAGE, axes, whitened
from selector.layers.macro import Macro

ROOM = Room(NoCache())
TOPICS = ["bake bread with flour {}", "python function list {}", "football team goal {}", "doctor fever medicine {}"]


def texts(strings, **columns) -> Texts:
    return Texts(strings, "instruction", str(hash(tuple(strings))), lambda name: columns[name])


def blobs(centres=6, each=40, d=24, spread=0.25, noise=0, seed=0):
    rng = np.random.default_rng(seed)
    middle = np.eye(centres, d)
    points = np.repeat(middle, each, axis=0) + spread / np.sqrt(d) * rng.standard_normal((centres * each, d))
    points = np.concatenate([points, rng.standard_normal((noise, d))])
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32), np.concatenate([np.repeat(np.arange(centres), each), np.full(noise, -1)])


def column(vectors) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(list(np.asarray(vectors)))])


def brought(vectors, **options):
    return Macro(encoder="column:v", **options), texts([f"row {i}" for i in range(len(vectors))], v=column(vectors))


def labels_of(types) -> np.ndarray:
    """(n,) the one type of each row, -1 where it has none."""
    matrix = types.incidence.toarray()
    assert set(np.unique(matrix)) <= {0.0, 1.0}
    assert (matrix.sum(axis=1) <= 1).all()
    return np.where(matrix.any(axis=1), matrix.argmax(axis=1), -1)


def same_partition(left, right) -> bool:
    pairs = set(zip(left.tolist(), right.tolist(), strict=True))
    return len(pairs) == len(set(left.tolist())) == len(set(right.tolist()))


# ----------------------------------------------------------------------------------------------------------------- vectors


@pytest.mark.parametrize("name", ["static", "all-MiniLM-L6-v2"])
def test_unit_rows_in_the_order_of_the_texts(name):
    strings = [line.format(i) for i in range(5) for line in TOPICS]
    found = Macro(encoder=name).vectors(texts(strings), ROOM)
    assert found.size == 20
    np.testing.assert_allclose(np.linalg.norm(found.data, axis=1), 1, atol=2e-3)  # on the grid of features.dense
    assert found.facts["encoder"] == name
    assert found.facts["precision"] == encoders.load(name).precision
    assert found.facts["texts_cut"] == found.facts["zero_rows"] == 0
    similarity = found.data @ found.data.T
    same = np.arange(20)[:, None] % 4 == np.arange(20) % 4
    assert similarity[same].min() > similarity[~same].max()


def test_empty_texts_are_zero_rows_and_counted():
    found = Macro(encoder="static").vectors(texts(["", "words", ""]), ROOM)
    assert found.facts["zero_rows"] == 2
    assert not found.data[[0, 2]].any()


class Counting:
    """An encoder that counts the texts it was given."""

    name, revision, precision, dimensions = "counting", "1", "float32", 3

    def __init__(self):
        self.seen = []

    def encode(self, strings, room):
        room.progress("embedding", 0, len(strings))
        self.seen += strings
        return np.array([[len(one), 1, 2] for one in strings], np.float32)

    def cut(self, strings):
        return sum(len(one) > 5 for one in strings)


@pytest.fixture
def counting(monkeypatch):
    one = Counting()
    monkeypatch.setattr(encoders, "load", lambda *_: one)
    monkeypatch.setattr(macro, "_SHARD", 4)
    return one


def test_an_interrupted_embedding_goes_on_where_it_stopped(tmp_path, counting):
    strings = [f"t{i}" * (1 + i % 3) for i in range(11)]

    def stop(stage, done, total):
        assert (stage, total) == ("embedding", 11)
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Macro().vectors(texts(strings), Room(Cache(tmp_path), progress=stop))
    assert counting.seen == strings[:8]
    found = Macro().vectors(texts(strings), Room(Cache(tmp_path)))
    assert counting.seen == strings
    np.testing.assert_array_equal(found.data, Macro().vectors(texts(strings), ROOM).data)
    assert found.facts["texts_cut"] == sum(len(one) > 5 for one in strings) > 0


def test_a_second_run_and_a_pool_that_grew_embed_only_what_is_new(tmp_path, counting):
    strings, room = [f"t{i}" for i in range(8)], Room(Cache(tmp_path))
    Macro().vectors(texts(strings), room)
    assert Macro().vectors(texts(strings), room).facts["texts_cut"] == 0
    assert len(counting.seen) == 8
    Macro().vectors(texts([*strings, "new"]), room)
    assert counting.seen[8:] == ["new"]
    counting.revision = "2"
    Macro().vectors(texts(strings), room)
    assert len(counting.seen) == 17


def test_progress_is_counted_by_texts(counting):
    said = []
    Macro().vectors(texts(["a"] * 10), Room(NoCache(), progress=lambda *one: said.append(one)))
    assert said[-1] == ("embedding", 10, 10)
    assert [done for _, done, _ in said] == sorted(done for _, done, _ in said)


# ----------------------------------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.large_list(pa.float16()), pa.list_(pa.float32(), 2), pa.list_(pa.int8())],
)
def test_vectors_of_ones_own_in_every_list_type(kind):
    parts = [[[3, 4], [0, 2]], [], [[1, 0]]]
    rows = [[[np.float16(x) for x in row] for row in part] if "half" in str(kind) else part for part in parts]
    chunks = pa.chunked_array([pa.array(part, kind) for part in rows])
    found = Macro(encoder="column:v").vectors(texts(list("abc"), v=chunks), ROOM)
    np.testing.assert_allclose(found.data, [[0.6, 0.8], [0, 1], [1, 0]], atol=3e-4)


def test_a_sliced_column_reads_its_own_rows():
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 2)):
        array = pa.array([[9, 9], [3, 4], [0, 1]], kind)[1:]
        found = Macro(encoder="column:v").vectors(texts(["a", "b"], v=pa.chunked_array([array])), ROOM)
        np.testing.assert_allclose(found.data, [[0.6, 0.8], [0, 1]], atol=3e-4)


@pytest.mark.parametrize(
    ("values", "kind", "message", "rows"),
    [
        ([[1.0], None, None], pa.list_(pa.float32()), "'v': 2 rows with no vector, the first is row 1", [1, 2]),
        ([[1.0], None], pa.list_(pa.float32(), 1), "'v': 1 row with no vector, the first is row 1", [1]),
        ([[1.0, 2.0], [1.0, None]], pa.list_(pa.float32()), "1 row with an empty number in the vector, the first is row 1", [1]),
        ([[1.0, 2.0], [1.0, float("nan")]], pa.list_(pa.float32()), "column:v.*row 1", [1]),
        ([[1.0, 2.0], [1.0]], pa.list_(pa.float32()), "2 numbers in row 0 but 1 in row 1", None),
        ([[], []], pa.list_(pa.float32()), "row 0 of the column 'v' has no numbers", None),
        (["a", "b"], pa.string(), "'v'.*must hold lists of numbers; it holds string", None),
        ([["a"], ["b"]], pa.list_(pa.string()), "it holds list<", None),
    ],
)
def test_columns_that_are_no_vectors(values, kind, message, rows):
    bad = pa.chunked_array([pa.array(values[:1], kind), pa.array(values[1:], kind)])
    with pytest.raises(InputError, match=message) as caught:
        Macro(encoder="column:v").vectors(texts(["x"] * len(values), v=bad), ROOM)
    if rows is not None:
        assert isinstance(caught.value, UnusableRows)
        assert list(caught.value.rows) == rows


# --------------------------------------------------------------------------------------------------------------- whitening


def test_whitening_is_the_stated_formula():
    data = blobs(noise=30)[0] @ np.diag(np.linspace(0.1, 3, 24)).astype(np.float32)
    covariance = np.cov(data.T.astype(np.float64), bias=True)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 24 * np.eye(24)
    centred = data - data.mean(axis=0)
    np.testing.assert_allclose(whitened(data) @ whitened(data).T, centred @ np.linalg.inv(shrunk) @ centred.T, rtol=1e-3, atol=1e-3)


def test_axes_are_the_eigenvectors():
    data = blobs(noise=30)[0]
    _, variances, columns = axes(data)
    np.testing.assert_allclose(np.cov(data.T, bias=True), columns @ np.diag(variances) @ columns.T, atol=1e-6)
    assert (np.diff(variances) <= 0).all()


@pytest.mark.parametrize("vectors", [np.ones((1, 3)), np.ones((5, 3)), np.zeros((4, 3))])
def test_whitening_where_nothing_differs(vectors):
    layer, given = brought(vectors, whiten=True)
    found = layer.vectors(given, ROOM)
    assert np.isfinite(found.data).all()
    assert found.facts["whitened"]
    assert labels_of(layer.types(given, ROOM)).tolist() == [0] * len(vectors)


# ---------------------------------------------------------------------------------------------------------------- clusters


@pytest.mark.parametrize("clusters", ["hdbscan", "kmeans:6"])
def test_planted_clusters_are_found(clusters):
    vectors, truth = blobs()
    order = np.random.default_rng(1).permutation(len(truth))
    layer, given = brought(vectors[order], clusters=clusters)
    types = layer.types(given, ROOM)
    assert same_partition(labels_of(types), truth[order])
    assert types.facts["clusters"] == 6
    assert types.facts["sizes"] == {"largest": 40, "median": 40.0, "smallest": 40}


def test_clusters_are_numbered_by_size_and_named_by_a_typical_row():
    vectors = np.concatenate([blobs(1, 30, 8)[0], np.roll(blobs(1, 60, 8)[0], 3, axis=1)])
    vectors[45] = vectors[30:].mean(axis=0) / np.linalg.norm(vectors[30:].mean(axis=0))
    layer, given = brought(vectors, clusters="kmeans:2")
    types = layer.types(given, ROOM)
    assert types.incidence.sum(axis=0).tolist() == [60, 30]
    assert types.names[0] == "cluster-0001: row 45"
    assert types.names[1].startswith("cluster-0002: row ")


def test_a_long_or_broken_text_is_a_short_name():
    types = Macro(encoder="static").types(texts(["one\ttwo\n\nthree " * 50]), ROOM)
    assert types.names == [f"cluster-0001: {('one two three ' * 50)[:59]}…"]


def test_the_noise_policies():
    vectors, labels = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 1, 0, 2]], np.array([0, 0, 1, 1, 1, -1, -1], np.int32)
    strings = list("abcdefg")
    near, own, drop = (as_types(vectors, labels, strings, policy, 1, {}) for policy in ("nearest", "own", "drop"))
    assert labels_of(near).tolist() == [1, 1, 0, 0, 0, 1, 0]  # row 6 is equally far from both: the lower number
    assert labels_of(own).tolist() == [1, 1, 0, 0, 0, 2, 2]
    assert own.names == ["cluster-0001: c", "cluster-0002: a", "noise"]
    assert labels_of(drop).tolist() == [1, 1, 0, 0, 0, -1, -1]
    assert near.names == drop.names == own.names[:2]
    for one in (near, own, drop):
        assert (one.facts["clusters"], one.facts["noise_rows"], one.facts["noise_share"]) == (2, 2, 0.2857)


def test_noise_among_planted_clusters_goes_where_the_policy_says():
    vectors, truth = blobs(each=60, noise=60)
    for policy in ("nearest", "own", "drop"):
        layer, given = brought(vectors, noise=policy)
        types = layer.types(given, ROOM)
        found = labels_of(types)
        assert 0 < types.facts["noise_rows"] < 120
        untyped = int((found == -1).sum())
        assert untyped == (types.facts["noise_rows"] if policy == "drop" else 0)
        assert ("noise" in types.names) == (policy == "own")
        core = truth >= 0
        assert np.mean([len(set(found[core & (truth == t)].tolist()) - {-1}) for t in range(6)]) < 2


@pytest.mark.parametrize("clusters", ["hdbscan", "kmeans:3", "kmeans:100"])
@pytest.mark.parametrize("noise", ["nearest", "own", "drop"])
@pytest.mark.parametrize(
    "vectors",
    [
        np.ones((1, 4)),
        np.zeros((1, 4)),
        np.ones((30, 4)),
        np.zeros((30, 4)),
        np.eye(4)[:3],
        np.repeat(np.eye(4), 20, axis=0),
        np.concatenate([np.zeros((15, 4)), np.repeat(np.eye(4), 3, axis=0)]),
        np.ones((40, 1)),
    ],
    ids=["one row", "one zero row", "all equal", "all zero", "three rows", "copies", "half zero", "one dimension"],
)
def test_odd_pools_have_types_without_a_warning(vectors, clusters, noise):
    layer, given = brought(vectors, clusters=clusters, noise=noise)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        types = layer.types(given, ROOM)
    found = labels_of(types)
    assert len(found) == len(vectors)
    assert types.incidence.shape[1] == len(types.names) == len(set(types.names)) >= 1
    assert all(types.incidence.sum(axis=0) > 0)
    if len(np.unique(vectors, axis=0)) == 1:
        assert set(found.tolist()) == {0}
    for row in np.unique(vectors, axis=0):
        assert len(set(found[(vectors == row).all(axis=1)].tolist())) == 1, "copies belong together"


@pytest.mark.parametrize("clusters", ["hdbscan", "kmeans:7"])
def test_the_same_clusters_for_any_thread_count(monkeypatch, clusters):
    monkeypatch.setattr(neighbours, "_EXACT", 100)
    monkeypatch.setattr(neighbours, "_CELL", 30)
    monkeypatch.setattr(neighbours, "TILE", 500)
    monkeypatch.setattr(tiles, "TILE", 500)
    vectors, _ = blobs(each=50, noise=100, spread=1.5)
    layer, given = brought(vectors, clusters=clusters)
    found = [labels_of(layer.types(given, Room(NoCache(), threads=threads))) for threads in (1, 2, 3)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_clusters_are_kept(tmp_path, monkeypatch):
    layer, given = brought(blobs()[0])
    first = layer.types(given, Room(Cache(tmp_path)))
    monkeypatch.setattr(density, "density_clusters", None)
    second = layer.types(given, Room(Cache(tmp_path)))
    np.testing.assert_array_equal(labels_of(first), labels_of(second))
    assert first.facts == second.facts


# ------------------------------------------------------------------------------------------------------ neighbours, k-means


def test_neighbours_are_the_most_similar_rows():
    vectors = blobs(noise=40)[0]
    found = neighbours.neighbours(vectors, 5, 0)
    similarity = vectors @ vectors.T
    worst = np.take_along_axis(similarity, found.astype(np.int64), axis=1).min(axis=1)
    np.testing.assert_allclose(worst, np.sort(similarity, axis=1)[:, -5], atol=1e-6)
    assert all(len(set(row)) == 5 for row in found.tolist())


def test_neighbours_in_cells_are_mostly_right(monkeypatch):
    vectors = blobs(centres=12, each=100, noise=200)[0]
    exact = neighbours.neighbours(vectors, 5, 0)
    monkeypatch.setattr(neighbours, "_EXACT", 10)
    monkeypatch.setattr(neighbours, "_CELL", 40)
    monkeypatch.setattr(neighbours, "TILE", 2_000)
    near = neighbours.neighbours(vectors, 5, 0)
    assert all(len(set(row)) == 5 for row in near.tolist())
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact.tolist(), near.tolist(), strict=True)]) > 0.9


def test_neighbours_of_fewer_rows_than_asked(monkeypatch):
    assert np.sort(neighbours.neighbours(np.eye(3, dtype=np.float32), 5, 0), axis=1).tolist() == [[0, 1, 2]] * 3
    monkeypatch.setattr(neighbours, "_EXACT", 1)
    monkeypatch.setattr(neighbours, "_CELL", 2)
    monkeypatch.setattr(neighbours, "_PROBES", 1)
    found = neighbours.neighbours(np.eye(9, dtype=np.float32), 4, 0)
    assert all(len(set(row)) == 4 for row in found.tolist())


def test_k_means_never_leaves_a_row_with_a_worse_centre(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 100)
    vectors = blobs(noise=100, spread=1.0)[0]
    labels, centres = kmeans.kmeans(vectors, 9, 3, rounds=200)
    np.testing.assert_array_equal(labels, (vectors @ centres.T).argmax(axis=1))
    for cluster in range(len(centres)):
        mean = vectors[labels == cluster].sum(axis=0)
        np.testing.assert_allclose(centres[cluster], mean / np.linalg.norm(mean), atol=1e-5)
    again, _ = kmeans.kmeans(vectors, 9, 3, rounds=200)
    np.testing.assert_array_equal(labels, again)


# ----------------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clusters": "kmeans"}, "'kmeans:500'"),
        ({"clusters": "kmeans:0"}, "K at least 1"),
        ({"clusters": "dbscan"}, "got 'dbscan'"),
        ({"noise": "nearst"}, "Did you mean 'nearest'"),
        ({"min_cluster_size": 1}, "from 2 on; got 1"),
        ({"min_cluster_size": "many"}, "got 'many'"),
        ({"reduce_to": 0}, "at least 1 dimension"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(RecipeError, match=message):
        Macro(**options)


def test_auto_min_cluster_size_grows_with_the_pool():
    assert [Macro()._min_cluster_size(rows) for rows in (1, 30_000, 117_654, 10**6)] == [5, 6, 23, 50]
    assert Macro(min_cluster_size=9)._min_cluster_size(10**6) == 9


def test_k_means_drops_centres_without_rows():
    vectors = np.repeat(np.eye(4, dtype=np.float32), 20, axis=0)[::-1]
    labels, centres = kmeans.kmeans(vectors, 10, 0)
    assert len(centres) == 4
    np.testing.assert_array_equal(centres[labels], vectors)

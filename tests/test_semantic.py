"""--dedup semantic:T: against its slow definition, on the demo pool's planted copies, and through the command."""

from __future__ import annotations

import json

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selector
from selector import flags, hygiene, parts, planning, recipe, semantic
from selector.core import Room
from selector.demo import table
from selector.errors import InputError, MemoryForecast, RecipeError, UnusableRows
from selector.features import dense
from selector.hygiene import Hygiene
from selector.pool import Pool
from tests import procedures
from tests.command import command
from tests.test_tokenizers import Memory, texts


def room(**words) -> Room:
    return Room(Memory(), **words)


def clean(vectors, first=(), **keys):
    """Hygiene over pairs without a like among their words, whose meanings are these vectors."""
    names = [f"text {number}" for number in range(len(vectors))]
    marks = np.isin(np.arange(len(vectors)), first)

    def embed(instructions, responses):
        at = [names.index(one) for one in instructions.strings]
        assert [names.index(one) for one in responses.strings] == at
        bad = np.flatnonzero(np.isnan(np.asarray(vectors)[at]).any(axis=1))
        if len(bad):
            raise UnusableRows("no number", bad.tolist(), "non-finite-vector")
        return dense(np.asarray(vectors)[at])

    rules = Hygiene(**{"dedup": "semantic:0.9", **keys})
    return hygiene.clean(texts(names, "instruction"), texts(names, "response"), rules, room(), first=marks, embed=embed)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=14),
    st.sampled_from([0.3, 0.5, 0.8, 0.95, 1.0]),
    st.data(),
)
def test_one_cell_by_the_definition(rows, threshold, data):
    first = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1), max_size=3)))
    order = [*first, *(row for row in range(len(rows)) if row not in first)]
    x = dense(np.array(rows, float)).data.astype(float)
    wanted = {order[row]: order[other] for row, other in procedures.semantic(x[order], threshold, len(first)).items()}
    stays, dropped = clean(rows, first, dedup=f"semantic:{threshold!r}")
    assert {one.position: one.original for one in dropped} == wanted
    assert stays.tolist() == [row for row in range(len(rows)) if row not in wanted]
    for one in dropped:
        assert one.reason == ("already-kept" if one.original in first else "semantic-duplicate")
        cosine = procedures.cosine(x, one.position, one.original)
        assert one.detail.startswith(f"cosine {cosine:.4f} to {'kept ' if one.original in first else ''}row ")


def test_cells_are_compared_within_and_copies_of_clear_groups_are_found(monkeypatch):
    monkeypatch.setattr(semantic, "CELL", 40)
    rng = np.random.default_rng(0)
    centres = np.linalg.qr(rng.normal(size=(16, 16)))[0][:5]
    vectors = np.repeat(centres, 60, axis=0) + 0.1 * rng.normal(size=(300, 16))
    copies = rng.choice(300, 80, replace=False)
    order = rng.permutation(380)
    everything = dense(np.vstack([vectors, vectors[copies] + 1e-4 * rng.normal(size=(80, 16))])[order])
    x = everything.data.astype(float)
    found = semantic.semantic(everything, 0.999, 0, room())
    assert {int(row): int(found.original[row]) for row in np.flatnonzero(found.original >= 0)} == procedures.semantic(x, 0.999, 0)
    assert (found.original >= 0).sum() == 80
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        again = semantic.semantic(everything, 0.999, 0, room(threads=1))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(again.original, found.original)


def test_a_dropped_row_is_nobody_s_original_and_zero_rows_are_like_nothing():
    turn = [[np.cos(angle), np.sin(angle)] for angle in (0, 0.4, 0.8)]  # cosines 0.92 to the next and 0.70 to the one after
    stays, dropped = clean([*turn, [0, 0], [0, 0]])
    assert stays.tolist() == [0, 2, 3, 4]
    assert [(one.position, one.original) for one in dropped] == [(1, 0)]


def test_rows_without_a_vector():
    vectors = [[1.0, 0], [np.nan, 1], [1, 0.1], [0, 1]]
    stays, dropped = clean(vectors)
    assert stays.tolist() == [0, 3]
    assert [(one.position, one.reason) for one in dropped] == [(1, "non-finite-vector"), (2, "semantic-duplicate")]
    with pytest.raises(InputError, match="no number --unusable drop leaves such rows out"):
        clean(vectors, unusable="error")
    stays, dropped = clean([[np.nan, 0.0]] * 3)
    assert len(stays) == 0
    assert len(dropped) == 3


@pytest.mark.parametrize("dedup", ["semantic", "semantic:", "semantic:0", "semantic:1.5", "semantic:-0.5", "semantic:nan"])
def test_a_threshold_that_means_nothing(dedup):
    with pytest.raises(RecipeError, match="'near:T' or 'semantic:T' with a similarity T above 0 and at most 1"):
        Hygiene(dedup=dedup)


def test_without_vectors_it_is_refused():
    pair = texts(["a"], "instruction"), texts(["b"], "response")
    with pytest.raises(RecipeError, match="nothing here gives rows a meaning"):
        hygiene.clean(*pair, Hygiene(dedup="semantic:0.9"), room())


def test_centres_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(semantic, "CELL", 2)
    with pytest.raises(MemoryForecast, match="10 centres of 4 dimensions take"):
        semantic.semantic(dense(np.random.default_rng(0).normal(size=(20, 4))), 0.9, 0, room(memory=100))


def test_the_planted_copies_of_demo_are_found():
    """Exact and near copies are 6 % of the rows; words that change in a near one hardly move its meaning."""
    pool = Pool.from_table(table(1000))
    asked = recipe.check({"pool": "demo", "select": {"budget": 10}, "layers": {"macro": {"encoder": "static"}}})
    here = room()
    rules = Hygiene(dedup="semantic:0.9")
    stays, dropped = hygiene.clean(pool.texts("instruction"), pool.texts("response"), rules, here, embed=parts.meaning(asked, here))
    named = {one: row for row, one in enumerate(pool.column("id").to_pylist())}
    families: dict[int, list[int]] = {}
    for row, original in enumerate(pool.column("copy_of").to_pylist()):
        families.setdefault(row if original is None else named[original], []).append(row)
    planted = {row for family in families.values() for row in sorted(family)[1:]}
    found = {one.position for one in dropped}
    assert len(planted) == 60
    assert len(found & planted) >= 55
    assert not found - planted
    assert hygiene.counts(dropped)["semantic-duplicate"] >= 35
    assert len(stays) == 1000 - len(dropped)


def test_a_run_counts_and_lists_them(tmp_path):
    out = tmp_path / "out"
    done = command("select", "demo", "--budget", "50", "--band", "auto", "--dedup", "semantic:0.9", "--encoder", "static", "-o", str(out),
                   "--cache", str(tmp_path / "cache"))  # fmt: skip
    assert done.code == 0, done.err
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    lost = manifest["pool"]["dropped"]
    assert lost["semantic-duplicate"] > 100
    assert manifest["pool"]["usable"] == 3000 - sum(lost.values())
    left_out = pq.read_table(out / "dropped.parquet")
    told = [one for one in left_out.to_pylist() if one["reason"] == "semantic-duplicate"]
    assert len(told) == lost["semantic-duplicate"]
    assert all(one["detail"].startswith("cosine 0.9") or one["detail"].startswith("cosine 1.0") for one in told)


def test_kept_rows_drop_what_means_the_same(tmp_path):
    pool = table(400)
    pq.write_table(pool.slice(0, 350), tmp_path / "pool.parquet")
    changed = pa.array([f"{one} Thanks." for one in pool.slice(0, 50)["instruction"].to_pylist()])
    mine = pool.slice(0, 50).set_column(pool.column_names.index("instruction"), "instruction", changed)
    pq.write_table(mine, tmp_path / "mine.parquet")
    words = {"budget": 20, "keep": {"source": str(tmp_path / "mine.parquet")}, "layer": "macro"}
    macro = {"macro": {"encoder": "static"}}
    chosen = selector.select(tmp_path / "pool.parquet", **words, layers=macro, hygiene={"dedup": "semantic:0.95"},
                             options=selector.Options(cache=tmp_path / "cache"))  # fmt: skip
    assert chosen.manifest["pool"]["dropped"]["already-kept"] >= 45
    assert not set(chosen.rows.tolist()) & set(range(40))


def test_plan_knows_it(tmp_path):
    told = {"pool": "demo", "select": {"budget": 100}, "hygiene": {"dedup": "semantic:0.95"}, "layers": {"macro": {"encoder": "static"}}}
    found = selector.running.plan(recipe.check(told), selector.Options(cache=tmp_path / "cache"))
    names = [one.name for one in found.stages]
    assert names[1:3] == ["hygiene", "semantic copies"]
    stage = found.stages[2]
    assert stage.seconds > 0
    assert stage.bytes == pytest.approx(1.5 * 8 * 2 * 256 * 2940, rel=0.05)
    assert not found.unknown
    assert not (tmp_path / "cache").exists()
    assert isinstance(stage, planning.Stage)


def test_flags_of_macro_do_something_then():
    told = {"pool": "demo", "select": {"budget": 5}, "layers": {"macro": {"encoder": "static"}}}
    flags.check(recipe.check({**told, "hygiene": {"dedup": "semantic:0.9"}}))
    with pytest.raises(RecipeError, match="belongs to the layer macro"):
        flags.check(recipe.check(told))

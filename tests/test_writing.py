"""What is written: whole or not at all, loadable by `datasets` and by trainers, the same for the same recipe."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import selector
from selector import demo, rendering, writing
from selector import recipe as recipes
from selector.errors import OutputError, RecipeError
from selector.layers import micro
from selector.layers.taggers import vocabulary
from selector.layers.taggers.language import load as language
from selector.options import Options
from selector.pool import Pool

BUDGET = 40


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return demo.table(400)


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> Options:
    return Options(cache=tmp_path_factory.mktemp("cache"))


def content(source: Path, **select):
    layers = {"micro": {"band": "3:200"}, "macro": {"encoder": "static"}}
    return {"pool": str(source), "layers": layers, "select": {"budget": BUDGET, **select}}


@pytest.fixture(scope="module")
def source(tmp_path_factory, table) -> Path:
    path = tmp_path_factory.mktemp("pool") / "pool.parquet"
    pq.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory, source, options):
    """One selection and its folder, which tests only read."""
    out = tmp_path_factory.mktemp("written") / "out"
    return selector.run(recipes.check(content(source)), out, options), out


def loaded(out: Path, home: Path):
    """What `datasets` gives, with a cache of its own in `home`."""
    from datasets import load_dataset

    return load_dataset(str(out), split="train", cache_dir=str(home / "hf"))


def data_file(out: Path) -> Path:
    (path,) = (out / "data").iterdir()
    return path


def rows_of(out: Path) -> list[int]:
    return pq.read_table(out / "picks.parquet").column("row").to_pylist()


def manifest_of(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text(encoding="utf-8"))


# ---------------------------------------------------------------------------------------------------------- the plain folder


def test_the_folder_holds_what_the_card_says(written):
    _, out = written
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert re.fullmatch(r"train-00000-of-00001-[0-9a-f]{16}\.parquet", data_file(out).name)
    assert names == {"README.md", f"data/{data_file(out).name}", "dropped.parquet", "manifest.json", "picks.parquet"}
    assert [path.name for path in out.parent.iterdir()] == ["out"]  # nothing beside it


def test_datasets_loads_the_rows_in_pick_order(written, table, tmp_path):
    selection, out = written
    rows = loaded(out, tmp_path)
    assert rows.column_names == table.column_names
    assert rows.with_format("arrow")[:].to_pylist() == table.take(pa.array(selection.rows)).to_pylist()
    assert selection.to_dataset()[:] == rows[:]


def test_datasets_never_takes_one_selection_for_another(source, options, tmp_path):
    """Its cache knows a folder by its last name and the pattern on its card, so these two would be one."""
    for place in ("a", "b"):
        selector.run(recipes.check({**content(source, objective="random"), "seed": ord(place)}), tmp_path / place / "out", options)
    again = Options(cache=options.cache, overwrite=True)
    ids = [loaded(tmp_path / place / "out", tmp_path)["id"][:] for place in ("a", "b")]
    selector.run(recipes.check({**content(source, objective="random"), "seed": 5}), tmp_path / "a" / "out", again)
    ids.append(loaded(tmp_path / "a" / "out", tmp_path)["id"][:])
    assert len({tuple(one) for one in ids}) == 3
    assert ids[1] == pq.read_table(tmp_path / "b" / "out" / "picks.parquet").column("id").to_pylist()


def test_our_own_reader_takes_the_folder_as_a_pool(written):
    selection, out = written
    again = Pool.read(out)
    assert len(again) == BUDGET
    assert again.ids.to_pylist() == selection.pool.ids.to_pylist()


def test_picks(written, table):
    selection, out = written
    picks = pq.read_table(out / "picks.parquet")
    assert picks.column_names == ["row", "id", "order", "gain"]
    rows = picks.column("row").to_pylist()
    assert rows == selection.rows.tolist()
    assert len(set(rows)) == BUDGET
    assert picks.column("order").to_pylist() == list(range(BUDGET))
    assert picks.column("id").to_pylist() == [table.column("id")[row].as_py() for row in rows]
    gains = picks.column("gain").to_numpy()
    assert (np.diff(gains) <= 1e-9 * gains[0]).all()  # greedy gains of a submodular objective fall
    assert gains.sum() == pytest.approx(selection.value)


def test_the_manifest_has_the_keys_that_are_promised(written, source):
    selection, out = written
    manifest = manifest_of(out)
    assert manifest == json.loads(json.dumps(selection.manifest))
    assert {
        "budget", "selected", "stopped", "objective", "seed", "pool", "features", "seconds", "peak_memory_bytes", "versions", "recipe",
    } <= manifest.keys()  # fmt: skip
    assert manifest["budget"] == manifest["selected"] == BUDGET
    assert manifest["stopped"] == "budget reached"
    objective = manifest["objective"]
    assert (objective["name"], objective["layer"], objective["side"]) == ("facility-location", "micro", "response")
    assert objective["ratio"] == pytest.approx(objective["value"] / objective["upper_bound"])
    assert objective["random_value"] < objective["value"] <= objective["upper_bound"]
    pool = manifest["pool"]
    assert (pool["source"], pool["rows"], pool["fingerprint"]) == (str(source), 400, Pool.read(source).fingerprint)
    assert pool["usable"] + sum(pool["dropped"].values()) == 400
    assert manifest["features"]["micro/response"]["tokenizer_revision"]
    assert set(manifest["seconds"]) == {"read", "hygiene", "features", "selection", "verdict", "total"}
    assert manifest["nested"] is False  # lengths are held, so the first rows are no smaller selection
    assert manifest["lengths"]["picks"] == pytest.approx(manifest["lengths"]["pool"], rel=0.05)
    (judged,) = manifest["diversity"]
    assert (judged["layer"], judged["side"]) == ("micro", "response")
    assert {judged["beside_random"], judged["beside_same_lengths"]} <= {"as random", "diverse"}  # the band of this recipe is a wide one
    figure = judged["figures"][0]
    assert figure["name"] == "types covered"
    assert figure["picks"] > max(figure["random"], figure["same_lengths"])
    assert selection.diversity == manifest["diversity"]
    assert manifest["peak_memory_bytes"] > 10_000_000
    assert {"python", "diversity-selector", "numpy"} <= manifest["versions"].keys()


def test_every_dropped_row_is_listed(written):
    _, out = written
    dropped = pq.read_table(out / "dropped.parquet").to_pylist()
    counts = manifest_of(out)["pool"]["dropped"]
    assert {reason: sum(one["reason"] == reason for one in dropped) for reason in counts} == counts
    assert not {one["row"] for one in dropped} & set(rows_of(out))


def test_the_card_names_the_data_and_says_what_was_done(written):
    _, out = written
    front, _, text = (out / "README.md").read_text(encoding="utf-8").removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(front)["configs"][0]["data_files"] == [{"split": "train", "path": f"data/train-*-{data_file(out).name[-24:]}"}]
    assert "40 of 400 rows" in text
    assert "facility-location on micro/response" in text
    assert manifest_of(out)["recipe"] in text


# ------------------------------------------------------------------------------------------------------------------ sameness


def test_the_recipe_in_the_manifest_gives_the_same_rows_and_bytes(written, tmp_path, options):
    _, out = written
    (tmp_path / "again.yaml").write_text(manifest_of(out)["recipe"], encoding="utf-8")
    selector.run(tmp_path / "again.yaml", tmp_path / "again", options)
    for name in (f"data/{data_file(out).name}", "picks.parquet", "dropped.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes(), name
    assert manifest_of(tmp_path / "again")["pool"] == manifest_of(out)["pool"]


MIXED = {"mix": "facility-location@micro/response,coverage@micro/instruction,dpp@macro/both", "quota": "source:balanced"}


@pytest.mark.parametrize("select", [{}, {"objective": "dpp", "layer": "macro"}, {"optimizer": "stochastic"}, MIXED])
def test_how_never_changes_what(select, source, options, tmp_path, monkeypatch):
    """Neither a cold nor a warm cache, nor threads, nor memory."""
    wanted = recipes.check(content(source, **select))
    cold = Options(cache=tmp_path / "cache")
    hows = [cold, cold, Options(cache=None, threads=1, memory=1 << 20), Options(cache=options.cache, threads=2, memory=1 << 36)]
    found = []
    for number, how in enumerate(hows):
        monkeypatch.setattr(micro, "_recent", {}, raising=False)  # what a process remembers is not what its options say
        found.append(selector.run(wanted, tmp_path / f"out{number}", how).rows.tolist())
    assert len(set(found[0])) == BUDGET
    assert all(rows == found[0] for rows in found)
    assert len({(tmp_path / f"out{number}" / "picks.parquet").read_bytes() for number in range(len(hows))}) == 1


def test_another_seed_is_another_random_choice(source, options):
    found = [
        selector.running.solve(recipes.check({**content(source, objective="random"), "seed": seed}), options=options) for seed in (0, 0, 1)
    ]
    assert found[0].rows.tolist() == found[1].rows.tolist() != found[2].rows.tolist()


OBJECTIVES = ["facility-location", "dpp", "coverage", "quality", "random", "apricot:facility-location"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_k_rows_are_k_distinct_rows_in_a_pool_of_copies(objective, options):
    few = demo.table(30)
    copies = pa.concat_tables([few] * 8).set_column(0, "id", pa.array([str(i) for i in range(240)]))
    quality = {"quality": "quality"} if objective == "quality" else {}
    found = selector.select(
        Pool.from_table(copies), budget=60, objective=objective, hygiene={"dedup": "off"}, layers={"micro": {"band": "3:200"}},
        options=options, **quality,
    )  # fmt: skip
    assert len(set(found.rows.tolist())) == 60
    assert found.stopped == "budget reached"


# ------------------------------------------------------------------------------------------------------ trainers' formats


@pytest.mark.parametrize("kind", rendering.TARGETS)
def test_write_as_loads_and_has_its_entry_for_llama_factory(kind, source, options, tmp_path):
    wanted = {**content(source), "output": {"write_as": kind}}
    selection = selector.run(recipes.check(wanted), tmp_path / "out", options)
    assert {*rendering.TARGETS[kind], "topic"} <= set(loaded(tmp_path / "out", tmp_path).column_names)
    prompts, replies = llama_factory(tmp_path / "out", "out")
    assert prompts == selection.pool.instructions.to_pylist()
    assert replies == selection.pool.responses.to_pylist()


def llama_factory(folder: Path, name: str) -> tuple[list[str], list[str]]:
    """The last prompt and reply of each row, read the way LLaMA-Factory's data/README.md documents (dataset_info.json beside the data;
    where `columns` or `tags` are given, what they leave out is not read; odd turns are the user's or a tool's)."""
    entry = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))[name]
    rows = pq.read_table(folder / entry["file_name"]).to_pylist()
    columns = entry["columns"]
    if entry["formatting"] == "alpaca":
        said = [[row[columns[key]] for key in ("prompt", "query") if key in columns and row[columns[key]]] for row in rows]
        return ["\n".join(one) for one in said], [row[columns["response"]] for row in rows]
    tags = entry["tags"]
    prompts, replies = [], []
    for row in rows:
        turns = row[columns["messages"]]
        turns = turns[1:] if turns[0][tags["role_tag"]] == tags["system_tag"] else turns
        for place, turn in enumerate(turns):
            allowed = ("user_tag", "observation_tag") if place % 2 == 0 else ("assistant_tag", "function_tag")
            assert turn[tags["role_tag"]] in {tags[one] for one in allowed}
        assert len(turns) % 2 == 0
        prompts.append(turns[-2][tags["content_tag"]])
        replies.append(turns[-1][tags["content_tag"]])
    return prompts, replies


def test_llama_factory_is_told_of_system_history_and_tools(options, tmp_path):
    rows = [{"instruction": f"do {i}", "input": "", "output": f"done {i}", "system": "be brief", "history": [["a", "b"]]} for i in range(6)]
    found = selector.select(Pool.from_table(rows), budget=3, layers={"micro": {"band": "1:9"}}, options=options)
    found.save(tmp_path / "alpaca", write_as="alpaca")
    entry = json.loads((tmp_path / "alpaca" / "dataset_info.json").read_text())["alpaca"]
    assert entry["columns"] == {
        "prompt": "instruction", "query": "input", "response": "output", "system": "system", "history": "history",
    }  # fmt: skip
    rows = [{"conversations": [{"from": "human", "value": f"call {i}"}, {"from": "function_call", "value": "f"},
                               {"from": "observation", "value": "4"}, {"from": "gpt", "value": f"four {i}"}],
             "tools": "[]", "system": "be brief"} for i in range(6)]  # fmt: skip
    found = selector.select(Pool.from_table(rows), budget=3, layers={"micro": {"band": "1:9"}}, options=options)
    for kind in ("sharegpt", "messages"):
        found.save(tmp_path / kind, write_as=kind)
        entry = json.loads((tmp_path / kind / "dataset_info.json").read_text())[kind]
        assert entry["columns"].items() >= {"system": "system", "tools": "tools"}.items()
        assert llama_factory(tmp_path / kind, kind)[1] == [text.split("\n")[-1] for text in found.pool.responses.to_pylist()]


def test_save_arrow_is_loaded_from_disk(source, options, tmp_path):
    from datasets import load_from_disk

    wanted = recipes.check({**content(source), "output": {"save": "arrow"}})
    selection = selector.run(wanted, tmp_path / "out", options)
    assert load_from_disk(str(tmp_path / "out"))["id"][:] == selection.pool.ids.to_pylist()
    assert (tmp_path / "out" / "manifest.json").exists()
    assert Pool.read(tmp_path / "out").ids.to_pylist() == selection.pool.ids.to_pylist()
    selector.run(wanted, tmp_path / "out", Options(cache=options.cache, overwrite=True))


def test_a_pool_written_by_datasets_is_rendered_and_loads(table, options, tmp_path):
    """Its schema carries a note of its features, which must not contradict the columns that are added."""
    from datasets import Dataset

    Dataset(table).to_parquet(tmp_path / "pool.parquet")
    Dataset(table).save_to_disk(tmp_path / "saved")
    for name in ("pool.parquet", "saved"):
        wanted = {**content(tmp_path / name), "output": {"write_as": "messages"}}
        selector.run(recipes.check(wanted), tmp_path / f"out-{name}", options)
        assert loaded(tmp_path / f"out-{name}", tmp_path)[0]["messages"][0]["role"] == "user"


def test_many_rows_are_several_files_in_order(monkeypatch, tmp_path):
    monkeypatch.setattr(writing, "ROWS_PER_FILE", 7)
    names = writing.dataset(tmp_path, pa.table({"n": range(20)}), "parquet")
    assert [name[:26] for name in names] == [f"data/train-{i:05d}-of-00003-" for i in range(3)]
    assert {path.name for path in (tmp_path / "data").iterdir()} == {name.removeprefix("data/") for name in names}
    assert [n for name in names for n in pq.read_table(tmp_path / name).column("n").to_pylist()] == list(range(20))


def test_the_tag_vocabulary_can_be_edited_and_fed_back(source, options, tmp_path):
    wanted = content(source, layer="meso", side="instruction")
    selector.run(recipes.check(wanted), tmp_path / "out", options)
    path = tmp_path / "out" / "vocabulary-meso-instruction.csv"
    assert path.read_text(encoding="utf-8").splitlines()[0].replace('"', "") == "tag,count,merged"
    assert vocabulary.read(str(path), language("en"))
    edited = "\n".join(path.read_text(encoding="utf-8").splitlines()[:21]) + "\n"
    (tmp_path / "mine.csv").write_text(edited, encoding="utf-8")
    wanted["layers"]["meso"] = {"vocabulary": str(tmp_path / "mine.csv")}
    selector.run(recipes.check(wanted), tmp_path / "again", options)
    assert (tmp_path / "again" / "vocabulary-meso-instruction.csv").read_text(encoding="utf-8").count("\n") == 21


def test_lists_in_csv_are_joined(tmp_path):
    writing.tables(tmp_path, {"a.csv": pa.table({"tag": ["x", "y"], "merged": [["b", 'c "d"'], []]})})
    assert (tmp_path / "a.csv").read_text() == '"tag","merged"\n"x","b|c ""d"""\n"y",""\n'


# ------------------------------------------------------------------------------------------------------- whole or not at all


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fills(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "new").write_text("new")
    writing.json_file(folder / "manifest.json", {"versions": {"diversity-selector": "0"}})


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EDQUOT, "quota"), KeyboardInterrupt(),
                                   RuntimeError("a fault"), pa.ArrowInvalid("odd type"), MemoryError()])  # fmt: skip
@pytest.mark.parametrize("there", [False, True])
def test_a_failure_leaves_everything_as_it_was(fault, there, tmp_path):
    out = tmp_path / "some" / "where" / "out"
    if there:
        writing.whole(out, False, fills)
        (out / "data" / "new").write_text("old")
    before = tree(tmp_path)

    def fail(folder: Path) -> None:
        fills(folder)
        raise fault

    with pytest.raises(OutputError if isinstance(fault, (OSError, pa.ArrowException)) else type(fault)) as caught:
        writing.whole(out, True, fail)
    if isinstance(fault, OSError):
        assert "the disk is full" in str(caught.value)
        assert str(out) in str(caught.value)
    assert tree(tmp_path) == before
    assert (tmp_path / "some").exists() == there  # folders made on the way are taken away again
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_folder_is_put_in_place_waits(number, tmp_path, monkeypatch):
    writing.whole(tmp_path / "out", False, fills)
    (tmp_path / "out" / "data" / "new").write_text("old")
    replace, seen = os.replace, []

    def interrupted(*places) -> None:
        signal.raise_signal(number)
        replace(*places)
        seen.append(places)

    monkeypatch.setattr(os, "replace", interrupted)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            writing.whole(tmp_path / "out", True, fills)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(seen) >= 2
    assert (tmp_path / "out" / "data" / "new").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_second_run_is_refused_unless_asked(tmp_path):
    writing.whole(tmp_path / "out", False, fills)
    (tmp_path / "out" / "data" / "new").write_text("old")
    with pytest.raises(OutputError, match="holds a selection already; name another folder, or replace it with --overwrite"):
        writing.whole(tmp_path / "out", False, fills)
    assert (tmp_path / "out" / "data" / "new").read_text() == "old"
    writing.whole(tmp_path / "out", True, fills)
    assert (tmp_path / "out" / "data" / "new").read_text() == "new"


def test_another_run_that_was_quicker_is_left_alone(tmp_path):
    def slow(folder: Path) -> None:
        fills(folder)
        writing.whole(tmp_path / "out", False, lambda place: (fills(place), (place / "data" / "new").write_text("theirs")))

    with pytest.raises(OutputError, match="written by another run meanwhile"):
        writing.whole(tmp_path / "out", False, slow)
    assert (tmp_path / "out" / "data" / "new").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ({"thesis.tex": "x"}, "was not written by selector (it holds thesis.tex)"),
        ({"manifest.json": "{}"}, "was not written by selector"),
        ({"manifest.json": '{"versions": {"other": 1}}'}, "was not written by selector"),
        ({"manifest.json": "not json"}, "was not written by selector"),
        ({"manifest.json": '{"versions": {"diversity-selector": "0"}}', "checkpoint-100/model": "x"}, "holds checkpoint-100 beside"),
    ],
)
def test_overwrite_deletes_nothing_that_selector_did_not_write(inside, words, tmp_path):
    for name, text in inside.items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(text)
    before = tree(tmp_path)
    with pytest.raises(OutputError) as caught:
        writing.whole(tmp_path / "out", True, fills)
    assert words in str(caught.value)
    assert tree(tmp_path) == before


def test_places_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for place, words in [("file", "is a file"), ("file/out", "is not a folder that may be written to"), ("link", "a link to nothing")]:
        with pytest.raises(OutputError, match=words):
            writing.check(tmp_path / place, False)
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # as for a folder of someone else
    with pytest.raises(OutputError, match="may be written to"):
        writing.check(tmp_path / "out", False)


def test_an_empty_folder_and_a_link_to_one_are_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    writing.whole(tmp_path / "empty", False, fills)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    writing.whole(tmp_path / "link", False, fills)
    assert (tmp_path / "link").is_symlink()
    assert tree(tmp_path / "real") == tree(tmp_path / "empty")


def test_the_folder_has_the_rights_that_the_user_s_mask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        writing.whole(tmp_path / "out", False, fills)
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750


def test_the_pool_is_never_written_over(source, written, tmp_path, options):
    _, out = written
    import shutil

    shutil.copytree(out, tmp_path / "pool")
    before = tree(tmp_path / "pool")
    again = Options(cache=options.cache, overwrite=True)
    for pool, keep in [(tmp_path / "pool", None), (tmp_path / "pool" / "data", None), (source, str(tmp_path / "pool"))]:
        wanted = content(pool, **({} if keep is None else {"keep": keep}))
        wanted["select"]["budget"] = 5
        with pytest.raises(OutputError, match="is read; writing there would destroy it"):
            selector.run(recipes.check(wanted), tmp_path / "pool", again)
    assert tree(tmp_path / "pool") == before


def test_gains_that_are_not_finite_are_null(options, tmp_path):
    """log det of an exact copy under the RBF kernel is -inf, which neither JSON nor a reader of Parquet should meet."""
    same = Pool.from_table(pa.table({"instruction": ["a"] * 4, "response": ["b c"] * 4}))
    found = selector.select(
        same, budget=3, objective="dpp", parameters={"kernel": "rbf", "bandwidth": 1.0}, layers={"micro": {"band": "1:9"}},
        hygiene={"dedup": "off"}, options=options,
    )  # fmt: skip
    found.save(tmp_path / "out")
    assert pq.read_table(tmp_path / "out" / "picks.parquet").column("gain").to_pylist() == [0.0, None, None]
    assert manifest_of(tmp_path / "out")["objective"]["value"] is None


def test_how_and_what_are_not_mistaken_for_each_other():
    with pytest.raises(RecipeError, match="parameters of the objective"):
        selector.select("demo", budget=3, objective="dpp", options={"kernel": "rbf"})

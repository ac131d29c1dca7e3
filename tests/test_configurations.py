"""One dataset of several configurations: each is loaded by its name, and the folder is whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from selector import configurations, writing
from selector.errors import InputError, OutputError
from selector.pool import Pool

MANIFEST = {"versions": {"diversity-selector": "0"}}


def sets(start: int = 0) -> dict[str, pa.Table]:
    """Three sets whose sizes and rows differ."""
    return {
        name: pa.table({"instruction": [f"ask {start + i}" for i in range(rows)], "response": [f"say {start + i}" for i in range(rows)]})
        for name, rows in (("level-000", 3), ("level-016", 5), ("level-100", 4))
    }


def load(folder: Path, name: str, home: Path):
    from datasets import load_dataset

    return load_dataset(str(folder), name, split="train", cache_dir=str(home)).with_format("arrow")[:]


def test_datasets_loads_every_configuration_by_name(tmp_path):
    from datasets import get_dataset_config_names, load_dataset

    beside = {"manifest.json": MANIFEST, "picks.parquet": pa.table({"row": [1]}), "love-plot.svg": "<svg/>", "love-plot.png": b"\x89PNG"}
    out = configurations.write(tmp_path / "out", sets(), beside, "# Sets\n\nThree.\n", tags=["ladder"])
    assert get_dataset_config_names(str(out)) == ["level-000", "level-016", "level-100"]
    for name, table in sets().items():
        assert load(out, name, tmp_path / "hf").to_pylist() == table.to_pylist()
    with pytest.raises(ValueError, match="level-000"):  # none is the default
        load_dataset(str(out), cache_dir=str(tmp_path / "hf"))
    card = (out / "README.md").read_text(encoding="utf-8")
    _, front, body = card.split("---\n", 2)
    assert [one["config_name"] for one in yaml.safe_load(front)["configs"]] == list(sets())
    assert yaml.safe_load(front)["tags"][-1] == "ladder"
    assert body.strip() == "# Sets\n\nThree."
    assert json.loads((out / "manifest.json").read_text()) == MANIFEST
    assert pq.read_table(out / "picks.parquet").num_rows == 1
    assert (out / "love-plot.svg").read_text() == "<svg/>"
    assert (out / "love-plot.png").read_bytes() == b"\x89PNG"
    assert [one.name for one in tmp_path.iterdir() if one.name != "hf"] == ["out"]


def test_a_folder_of_the_same_name_with_other_rows_is_not_taken_for_this_one(tmp_path):
    for place, start in (("a", 0), ("b", 50)):
        configurations.write(tmp_path / place / "out", sets(start), {"manifest.json": MANIFEST}, "# Sets")
    for place, start in (("a", 0), ("b", 50)):
        assert load(tmp_path / place / "out", "level-016", tmp_path / "hf") == sets(start)["level-016"]


def test_long_sets_are_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "ROWS_PER_FILE", 2)
    out = configurations.write(tmp_path / "out", sets(), {"manifest.json": MANIFEST}, "# Sets")
    assert len(list((out / "data" / "level-016").iterdir())) == 3
    assert load(out, "level-016", tmp_path / "hf") == sets()["level-016"]


def test_only_an_own_folder_is_replaced(tmp_path):
    out = configurations.write(tmp_path / "out", sets(), {"manifest.json": MANIFEST}, "# Sets")
    with pytest.raises(OutputError, match="--overwrite"):
        configurations.write(out, sets(), {"manifest.json": MANIFEST}, "# Sets")
    configurations.write(out, sets(9), {"manifest.json": MANIFEST}, "# Sets", overwrite=True)
    (out / "my-plot.png").write_bytes(b"")
    with pytest.raises(OutputError, match="my-plot"):
        configurations.write(out, sets(), {"manifest.json": MANIFEST}, "# Sets", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    with pytest.raises(OutputError, match="not written by selector"):
        configurations.write(tmp_path / "other", sets(), {"manifest.json": MANIFEST}, "# Sets", overwrite=True)


def test_nothing_is_left_where_a_file_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        configurations.write(tmp_path / "deep" / "out", sets(), {"manifest.json": {"bad": float("nan")}}, "# Sets")
    assert not list(tmp_path.iterdir())


def test_our_own_reader_takes_one_configuration_by_name(tmp_path):
    out = configurations.write(tmp_path / "out", sets(), {"manifest.json": MANIFEST, "dropped.parquet": sets()["level-000"]}, "# Sets")
    assert Pool.read(out, config="level-016").table == sets()["level-016"]
    with pytest.raises(InputError, match=r"--config.*level-000, level-016, level-100"):
        Pool.read(out)
    with pytest.raises(InputError, match=r"no config 'level-017'.*Did you mean 'level-016'"):
        Pool.read(out, config="level-017")


@pytest.mark.parametrize("name", ["Level", "level_1", "a/b", "", "-a", "a--b"])
def test_a_name_that_datasets_or_a_disk_would_trip_over(name, tmp_path):
    with pytest.raises(ValueError, match="configuration"):
        configurations.write(tmp_path / "out", {name: sets()["level-000"]}, {}, "# Sets")

"""Every recipe in recipes/ is read, commented, and runs on the demo pool at a small size; its commented-out keys are real as well."""

from __future__ import annotations

import json
import re

import pyarrow.parquet as pq
import pytest
import yaml

import selector
from selector import recipe
from selector.demo import table
from tests.code_blocks import ROOT

# Selections; splits, ladders and recipes of several steps are run in tests/test_steps.py.
FILES = sorted(file for file in (ROOT / "recipes").glob("*.yaml") if "\nselect:" in file.read_text(encoding="utf-8"))
SMALL = {
    "quickstart": 40,
    "shrink-100k-to-10k": 50,
    "add-what-is-missing": 20,
    "mixture-of-layers": 30,
    "qdit-like": 30,
    "deita-like": 30,
}
EACH = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def small(tmp_path, cache):
    """The keys that make a recipe small, and the files that it names; a demo pool with a score for what the comments suggest."""
    pool = table(600)
    pool = pool.append_column("score", pool["quality"]).append_column("category", pool["topic"])
    pq.write_table(pool, tmp_path / "pool.parquet")
    pq.write_table(pool.slice(0, 100), tmp_path / "mine.parquet")

    def changes(file):
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        keep = {"keep": str(tmp_path / "mine.parquet")} if "keep" in written["select"] else {}
        bands = {"layers": {"micro": {"band": "2:60"}}} if "micro" in written.get("layers", {}) else {}
        return {"pool": str(tmp_path / "pool.parquet"), "select": {"budget": SMALL[file.stem], **keep}, **bands}

    return changes


def uncommented(text: str) -> str:
    """The recipe with its commented-out keys switched on."""
    return re.sub(r"^(\s*)# (\w+: )", r"\1\2", text, flags=re.MULTILINE)


def test_all_are_here():
    assert {file.stem for file in FILES} == set(SMALL)


@EACH
def test_it_runs_small(file, small, cache, tmp_path):
    out = tmp_path / "out"
    selection = selector.run(recipe.read(file, small(file)), out, selector.Options(cache=cache))
    assert len(set(selection.rows.tolist())) == SMALL[file.stem]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["selected"] == SMALL[file.stem]
    if file.stem == "deita-like":  # a filter has no bound; its rows are the best of those that stay apart
        assert manifest["stopped"] == "budget reached"
        return
    assert 0 < selection.ratio <= 1
    assert manifest["objective"]["value"] > manifest["objective"]["random_value"]


@EACH
def test_its_defaults_are_what_it_says(file):
    text = file.read_text(encoding="utf-8")
    found = recipe.read(file)
    assert f"recipes/{file.name} out/" in text, "the head says how to run it"
    assert text.startswith("# ")
    assert text.count("#") >= 5
    budgets = {"quickstart": 300, "shrink-100k-to-10k": 10_000, "add-what-is-missing": 500, "mixture-of-layers": 2_000}
    assert found.select.budget == {**budgets, "qdit-like": 10_000, "deita-like": 6_000}[file.stem]


@pytest.mark.parametrize("name", ["shrink-100k-to-10k", "mixture-of-layers"])
def test_commented_keys_are_keys(name, small, cache, tmp_path):
    file = ROOT / "recipes" / f"{name}.yaml"
    text = uncommented(file.read_text(encoding="utf-8"))
    assert text.count("quota:") == file.read_text(encoding="utf-8").count("quota:")
    assert "\n  quota:" in text
    (tmp_path / file.name).write_text(text, encoding="utf-8")
    selection = selector.run(recipe.read(tmp_path / file.name, small(file)), tmp_path / "out", selector.Options(cache=cache))
    assert len(selection.rows) == SMALL[name]


def test_the_quickstart_reaches_every_planted_topic(cache, tmp_path):
    selection = selector.run(ROOT / "recipes" / "quickstart.yaml", tmp_path / "out", selector.Options(cache=cache))
    assert len(set(pq.read_table(tmp_path / "out" / "data")["topic"].to_pylist())) >= 58
    assert len(selection.rows) == 300

"""What is scored on is in no set, and nothing like it."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from selector import experiments, steps
from selector.demo import table
from selector.errors import BudgetError, RecipeError
from selector.options import Options


def shingles(row):
    text = " ".join(f"{row['instruction']}\n{row['response']}".casefold().split())
    return {text[at : at + 5] for at in range(len(text) - 4)}


def alike(left, right):
    return len(left & right) / len(left | right)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A pool of 400 rows and prompts that 10 of them repeat with a word more, and 5 exactly."""
    home = tmp_path_factory.mktemp("cut")
    rows = table(400).select(["instruction", "response"])
    some = rows.slice(0, 15).to_pylist()
    pq.write_table(rows, home / "pool.parquet")
    near = [{**row, "response": row["response"] + (" indeed" if number < 10 else "")} for number, row in enumerate(some)]
    pq.write_table(pa.Table.from_pylist([*near, {"instruction": "nobody asked this", "response": ""}]), home / "prompts.parquet")
    return home


def cut(place, output, **words):
    content = {"pool": str(place / "pool.parquet"), "hold_out": {"rows": 40, "near": 0.7, **words}}
    list(experiments.run(steps.steps(content, output), output, Options(cache=None)))
    return json.loads((output / "manifest.json").read_text(encoding="utf-8"))


def test_the_rest_repeats_nothing_that_is_scored_on(place, tmp_path):
    told = cut(place, tmp_path / "out", apart=str(place / "prompts.parquet"))
    held, rest = (load_dataset(str(tmp_path / "out"), name, split="train").to_list() for name in ("held-out", "rest"))
    assert len(held) == told["hold_out"]["rows"] == 40
    prompts = pq.read_table(place / "prompts.parquet").to_pylist()
    scored = [shingles(row) for row in [*held, *prompts] if row["response"]]
    assert max(alike(shingles(row), one) for row in rest for one in scored) < 0.7
    dropped = told["pool"]["dropped"]
    assert sum(dropped.values()) == 400 - 40 - len(rest)
    assert dropped["near-evaluated"] + dropped["already-kept"] >= 15
    lost = pq.read_table(tmp_path / "out" / "dropped.parquet").to_pylist()
    assert any("which is evaluated on" in one["detail"] for one in lost if one["reason"] == "near-evaluated")


def test_without_it_they_would_be_there(place, tmp_path):
    cut(place, tmp_path / "out", near=1.0)
    rest = load_dataset(str(tmp_path / "out"), "rest", split="train").to_list()
    prompts = [shingles(row) for row in pq.read_table(place / "prompts.parquet").to_pylist() if row["response"]]
    assert max(alike(shingles(row), one) for row in rest for one in prompts) == 1.0


def test_the_seed_decides_which(place, tmp_path):
    words = {"pool": str(place / "pool.parquet"), "hold_out": {"rows": 40}}
    found = []
    for number, seed in enumerate((1, 1, 2)):
        output = tmp_path / str(number)
        list(experiments.run(steps.steps({**words, "seed": seed}, output), output, Options(cache=None)))
        found.append(pq.read_table(output / "picks.parquet").column("id").to_pylist())
    assert found[0] == found[1] != found[2]


def test_what_is_wrong_is_named(place, tmp_path):
    with pytest.raises(BudgetError, match=r"400 rows are to be held out, but \d+ can be used"):
        cut(place, tmp_path / "out", rows=400)
    with pytest.raises(RecipeError, match=r"hold_out.near is 0; it must be above 0"):
        cut(place, tmp_path / "out", near=0)

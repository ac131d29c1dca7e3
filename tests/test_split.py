"""Matched splits: sets of one size, alike in what they are matched on, written as one dataset that explains itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import selector
from selector import covariates, demo, duplicates, love_plot, split_recipe, splits, tokenizers
from selector import recipe as recipes
from selector.core import Room
from selector.errors import BudgetError, InputError, RecipeError, UnknownName
from selector.hygiene import normal_pair
from selector.options import Options
from selector.pool import Pool
from selector.split_recipe import SplitRecipe
from tests.command import command, pool

ROWS, BUDGET = 600, 60
LAYERS = {"micro": {"band": "3:300"}}
BAND = ("--band", "3:300")


@pytest.fixture(scope="module", autouse=True)
def options(tmp_path_factory) -> Options:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELECTOR_CACHE", str(folder))
        yield Options(cache=folder)


@pytest.fixture(scope="module")
def source() -> Pool:
    return Pool.from_table(demo.table(ROWS), source="demo")


@pytest.fixture(scope="module")
def split(source, options):
    """One split with everything in it, and the folder that holds it; tests only read them."""
    return splits.split(source, budget=BUDGET, match="tokens,source", low=True, hold_out=40, layers=LAYERS, options=options)


@pytest.fixture(scope="module")
def written(split, tmp_path_factory) -> Path:
    return split.save(tmp_path_factory.mktemp("written") / "out")


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------------------ the sets


def test_every_set_has_the_budget_of_distinct_usable_rows(split):
    assert list(split.sets) == ["diverse", "random-1", "random-2", "random-3", "narrow", "held-out"]
    for name, rows in split.sets.items():
        assert len(rows) == len(np.unique(rows)) == (40 if name == "held-out" else BUDGET)
    usable = split.manifest["pool"]["usable"]
    assert usable + 40 + sum(split.manifest["pool"]["dropped"].values()) == ROWS


def test_matched_covariates_are_balanced_and_the_others_are_shown(split):
    shown = {one["name"]: one for one in split.balance["covariates"]}
    assert [name for name, one in shown.items() if one["matched"]] == ["response tokens", "instruction tokens", "source"]
    assert {"topic", "quality"} <= set(shown)
    assert {"id", "tags", "instruction", "response"} <= set(split.balance["not_shown"])
    for name in ("response tokens", "instruction tokens", "source"):
        assert max(abs(after["smd"]) for after in shown[name]["after"].values()) <= 0.05
    assert max(abs(shown[name]["before"]["smd"]) for name in shown) > 0.15  # there was something to match


def test_the_figures_are_those_of_the_rows(split, source):
    """Against numpy over the tokenizer's own counts, with nothing of the split's code."""
    counted = np.array([len(tokenizers.load("deepseek").backend.encode(text).ids) for text in source.responses.to_pylist()])
    told = next(one for one in split.balance["covariates"] if one["name"] == "response tokens")
    for name in ("diverse", "random-2", "narrow"):
        ours = counted[split.sets[name]]
        assert told["sets"][name]["mean"] == pytest.approx(ours.mean())
        assert told["sets"][name]["total"] == ours.sum()
    a, b = (counted[split.sets[name]] for name in ("diverse", "random-2"))
    assert told["after"]["random-2"]["smd"] == pytest.approx((a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    sources = np.array(source.column("source").to_pylist())
    shares = next(one for one in split.balance["covariates"] if one["name"] == "source")["sets"]
    assert shares["narrow"]["levels"]["forum"]["rows"] == int((sources[split.sets["narrow"]] == "forum").sum())


def test_the_diverse_set_is_what_select_would_pick(source, options):
    words = {"budget": BUDGET, "layer": "micro", "objective": "coverage", "quota": ["source:max=30"], "layers": LAYERS, "seed": 3}
    made = splits.split(source, match="tokens", arms=1, options=options, **words)
    assert made.pool.rows[made.sets["diverse"]].tolist() == selector.select(source, options=options, **words).rows.tolist()
    assert made.manifest["objective"]["name"] == "coverage"


def test_a_narrow_set_that_is_hardly_narrow_is_said(split):
    types = {name: one["types"]["micro/response"] for name, one in split.manifest["split"]["sets"].items()}
    hardly = types["narrow"] > splits.HARDLY * min(types[f"random-{number}"] for number in (1, 2, 3))
    assert hardly == any("hardly narrow" in note for note in split.manifest["notes"])


def test_the_narrow_set_is_narrow_and_the_diverse_one_diverse(source, options):
    words = {"match": "source", "low": True, "layers": LAYERS, "options": options}  # lengths leave little room in a small pool
    told = splits.split(source, budget=BUDGET, **words).manifest["split"]["sets"]
    types = {name: one["types"]["micro/response"] for name, one in told.items()}
    values = {name: one["value"] for name, one in told.items()}
    random = [f"random-{number}" for number in (1, 2, 3)]
    assert types["narrow"] < 0.8 * min(types[name] for name in random)
    assert types["diverse"] > max(types[name] for name in random)
    assert values["diverse"] > max(values[name] for name in random)
    assert min(values[name] for name in random) > values["narrow"]


def test_held_out_rows_and_their_near_copies_are_in_no_set(split, source):
    held = split.sets["held-out"]
    instructions, responses = source.instructions.to_pylist(), source.responses.to_pylist()

    def shingles(row):
        text = normal_pair(instructions[row], responses[row])
        return {text[i : i + duplicates.WIDTH] for i in range(len(text) - duplicates.WIDTH + 1)}

    kept_out = [shingles(row) for row in held]
    chosen = {row for name, rows in split.sets.items() if name != "held-out" for row in rows.tolist()}
    assert not chosen & set(held.tolist())
    for row in chosen:
        own = shingles(row)
        assert all(len(own & other) < 0.8 * len(own | other) for other in kept_out)
    assert split.manifest["pool"]["dropped"]["near-held-out"] > 0


@pytest.mark.parametrize("memory", [1, 200 << 20])
def test_near_copies_are_the_same_a_few_texts_at_a_time(source, options, memory, monkeypatch):
    from selector import holding_out, preparing

    rows = preparing.everything(source)
    found = []
    for room in (options.memory, memory):
        monkeypatch.setattr(holding_out, "_fitting", lambda lengths, *_, room=room: len(lengths) if room > 1 << 30 else 37)
        with selector.options.room(options) as here:
            left, held = holding_out.hold_out(rows, 50, 0.8, np.random.default_rng(0), here)
        found.append((left.stays.tolist(), held.tolist(), [(one.position, one.original) for one in left.dropped]))
    assert found[0] == found[1]
    assert isinstance(here, Room)


@given(
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 50),
    st.sampled_from(["tokens", "source", "tokens,source", "response-tokens,topic"]),
)
@settings(max_examples=12, deadline=None)
def test_any_split_keeps_its_promises(disjoint, low, arms, seed, match):
    source, here = Pool.from_table(demo.table(300), source="demo"), Options()
    words = {"budget": 40, "objective": "coverage", "match": match, "arms": arms, "disjoint": disjoint, "seed": seed}
    words |= {"layers": LAYERS, "low": low}
    made, again = (splits.split(source, options=here, **words) for _ in range(2))
    assert all((made.sets[name] == again.sets[name]).all() for name in made.sets)
    assert made.balance == again.balance
    for rows in made.sets.values():
        assert len(np.unique(rows)) == 40
    everything = np.concatenate(list(made.sets.values()))
    assert not disjoint or len(np.unique(everything)) == 40 * (arms + 1 + low)


def test_the_seed_decides_the_random_sets(source, options):
    words = {"budget": BUDGET, "objective": "coverage", "match": "tokens", "arms": 1, "layers": LAYERS, "options": options}
    one, other = (splits.split(source, seed=seed, **words) for seed in (0, 1))
    assert one.sets["random-1"].tolist() != other.sets["random-1"].tolist()
    assert one.sets["diverse"].tolist() == other.sets["diverse"].tolist()


def test_rows_of_a_length(source, options):
    made = splits.split(source, budget=30, match="tokens", match_length_to="80±20", objective="coverage", layers=LAYERS, options=options)
    counted = np.array([len(tokenizers.load("deepseek").backend.encode(text).ids) for text in source.responses.to_pylist()])
    for rows in made.sets.values():
        assert counted[rows].min() >= 60
        assert counted[rows].max() <= 100
    assert made.manifest["split"]["response_tokens"] == [60, 100]
    assert made.manifest["pool"]["usable"] <= ((counted >= 60) & (counted <= 100)).sum()


def test_rows_to_keep_are_in_no_set_and_need_no_columns(source, options, tmp_path):
    known = source.table.slice(0, 100).select(["instruction", "response"])
    pq.write_table(known, tmp_path / "known.parquet")
    words = {"budget": 40, "match": "tokens,source,quality", "low": True, "hold_out": 200, "objective": "coverage", "layers": LAYERS}
    made = splits.split(source, keep=str(tmp_path / "known.parquet"), options=options, **words)
    assert all(rows.min() >= 100 for rows in made.sets.values())
    assert made.manifest["kept"]["usable"] == 100


def test_fewer_rows_than_asked_for_are_said(source, options):
    words = {"budget": 60, "token_budget": 3000, "match": "source", "arms": 1, "objective": "coverage", "layers": LAYERS}
    made = splits.split(source, options=options, **words)
    size = len(made.sets["diverse"])
    assert 0 < size < 60
    assert len(made.sets["random-1"]) == size
    assert any(f"has {size} rows instead of 60" in note for note in made.manifest["notes"])


# ---------------------------------------------------------------------------------------------------------------- the folder


def test_the_folder_holds_every_set_as_a_configuration(split, written, source, tmp_path):
    from datasets import load_dataset

    for name, rows in split.sets.items():
        loaded = load_dataset(str(written), name, split="train", cache_dir=str(tmp_path)).with_format("arrow")[:]
        assert loaded.to_pylist() == source.table.take(pa.array(rows)).to_pylist()
        assert Pool.read(written, config=name).ids.to_pylist() == source.take(rows).ids.to_pylist()
    names = {path.name for path in written.iterdir()}
    assert names == {
        "README.md",
        "data",
        "manifest.json",
        "balance.json",
        "picks.parquet",
        "dropped.parquet",
        "love-plot.png",
        "love-plot.svg",
    }
    picks = pq.read_table(written / "picks.parquet").to_pandas()
    assert picks.columns.tolist() == ["arm", "order", "row", "id"]
    for name, rows in split.sets.items():
        ours = picks[picks.arm == name]
        assert ours.row.tolist() == source.rows[rows].tolist()
        assert ours.order.tolist() == list(range(len(rows)))


def test_the_recipe_in_the_manifest_makes_the_same_sets_again(split, written, source, options):
    told = manifest(written)
    recipe = recipes.checked(SplitRecipe, yaml.safe_load(told["recipe"]))
    again = splits.solve(recipe, pool=source, options=options)
    assert {name: rows.tolist() for name, rows in again.sets.items()} == {name: rows.tolist() for name, rows in split.sets.items()}
    assert recipes.write(recipe) == told["recipe"]
    assert told["versions"]["diversity-selector"]
    assert told["pool"]["fingerprint"] == source.fingerprint


def test_the_card_says_what_a_person_asks_first(written):
    card = (written / "README.md").read_text(encoding="utf-8")
    for wanted in (
        "random-1",
        "narrow",
        "held-out",
        "love-plot.png",
        "| response tokens |",
        "### Not matched",
        "low: true",
        "yes: the largest |SMD|",
    ):
        assert wanted in card or wanted.replace("|", "\\|") in card, wanted
    front = yaml.safe_load(card.split("---\n")[1])
    assert [one["config_name"] for one in front["configs"]] == ["diverse", "random-1", "random-2", "random-3", "narrow", "held-out"]
    for line in card.splitlines():
        if line.startswith("|"):  # every row of a table has as many cells as its header
            assert len(re.findall(r"(?<!\\)\|", line)) >= 3


def test_the_plot_shows_every_covariate_and_is_the_same_each_time(split):
    lines, left_out = love_plot.lines(split.balance)
    assert left_out == 0
    assert [line.matched for line in lines] == sorted((line.matched for line in lines), reverse=True)
    labels = [line.label for line in lines]
    assert {"response tokens", "instruction tokens", "quality", "source: forum"} <= set(labels)
    assert sum(label.startswith("topic: ") for label in labels) == love_plot.LEVELS
    told = next(one for one in split.balance["covariates"] if one["name"] == "quality")
    topic = next(one for one in split.balance["covariates"] if one["name"] == "topic")
    for after in topic["after"].values():  # what is worst after matching is never hidden
        assert f"topic: {after['level']}" in labels
    quality = lines[labels.index("quality")]
    assert quality.before == abs(told["before"]["smd"])
    assert quality.random == tuple(abs(told["after"][f"random-{number}"]["smd"]) for number in (1, 2, 3))
    assert quality.narrow == abs(told["after"]["narrow"]["smd"])
    first, second = (love_plot.draw(split.balance, "title") for _ in range(2))
    assert first == second
    assert first["love-plot.png"].startswith(b"\x89PNG")
    assert b"response tokens" not in first["love-plot.png"]
    assert first["love-plot.svg"].lstrip().startswith(b"<?xml")


def test_a_plot_of_infinite_differences(split):
    told = json.loads(json.dumps(split.balance))
    told["covariates"][0]["before"]["smd"] = None
    told["covariates"][0]["after"]["random-1"]["smd"] = None
    assert love_plot.draw(told, "title")["love-plot.png"]


# ---------------------------------------------------------------------------------------------------------- the command line


def test_the_command_prints_tables_of_80_columns_and_writes_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    pq.write_table(demo.table(400), tmp_path / "pool.parquet")
    words = ("--budget", 40, "--match", "tokens,source", "--arms", 2, "--low", "--hold-out", 20, "--objective", "coverage", *BAND)
    done = command("split", tmp_path / "pool.parquet", *words, "--output", tmp_path / "out")
    assert done.code == 0, done.err
    assert max(len(line.rstrip()) for line in done.out.splitlines()) <= 80
    for wanted in ("diverse", "random-2", "narrow", "response tokens", "not matched", "topic (", "balanced", "held out"):
        assert wanted in done.out
    assert manifest(tmp_path / "out")["split"]["match"] == ["tokens", "source"]
    again = command("split", tmp_path / "pool.parquet", *words, "--output", tmp_path / "out")
    assert again.code == 2
    assert "--overwrite" in again.err
    assert command("split", tmp_path / "pool.parquet", *words, "--output", tmp_path / "out", "--overwrite").code == 0


def test_a_plan_does_nothing(tmp_path):
    done = command("split", pool(tmp_path / "pool.parquet"), "--budget", 5, "--band", "1:99", "--plan")
    assert done.code == 0, done.err
    assert "seconds" in done.out
    assert [one.name for one in tmp_path.iterdir()] == ["pool.parquet"]


# ----------------------------------------------------------------------------------------------------------------- bad input


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    numbers = [float(i) for i in range(40)]
    columns = {
        "source": ["a"] * 20 + ["b"] * 20,
        "score": numbers,
        "holes": [None if i == 7 else float(i) for i in range(40)],
        "nan": [float("nan") if i == 9 else float(i) for i in range(40)],
        "tags": [["t"]] * 40,
    }
    return pool(tmp_path_factory.mktemp("plain") / "plain.parquet", **columns)


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    return pool(tmp_path_factory.mktemp("wide") / "wide.parquet", 1000, user=[f"u{i}" for i in range(1000)], source=["a"] * 1000)


def refused(tmp_path: Path, *words: str | int | Path) -> str:
    """The message of a `split` that must fail cleanly, as one line of words."""
    done = command("split", *words, "--band", "1:99", "-o", tmp_path / "deep" / "out")
    assert done.code == 2, done
    assert done.out == ""
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir()), "something was left"
    return " ".join(done.err.removeprefix("error: ").split())


def test_match_columns_that_cannot_serve(plain, wide, tmp_path):
    told = refused(tmp_path, plain, "--budget", 10, "--match", "tokens,sorce")
    assert "no column is called 'sorce'" in told
    assert "Did you mean 'source'" in told
    told = refused(tmp_path, wide, "--budget", 10, "--match", "user")
    assert "'user' has 1,000 different values" in told
    assert "at most 100" in told
    assert "What would do: tokens, source." in told
    told = refused(tmp_path, plain, "--budget", 10, "--match", "tags")
    assert "list<" in told
    assert "What would do: tokens, source, score." in told
    for name, first in (("holes", 7), ("nan", 9)):
        assert f"'{name}' has no finite number in 1 row, the first is row {first}" in refused(
            tmp_path, plain, "--budget", 10, "--match", name
        )
    assert "quality:source needs numbers" in refused(tmp_path, plain, "--budget", 10, "--match", "quality:source")
    assert "matched on twice" in refused(tmp_path, plain, "--budget", 10, "--match", "tokens,response-tokens")
    assert "matched on twice" in refused(tmp_path, plain, "--budget", 10, "--match", "score,quality:score")
    assert "is empty" in refused(tmp_path, plain, "--budget", 10, "--match", "tokens,,source")


def test_too_few_rows(plain, tmp_path):
    told = refused(tmp_path, plain, "--budget", 41)
    assert "the sets need 41 rows each, but 40 of the 40 rows" in told
    assert "lower the budget" in told
    told = refused(tmp_path, plain, "--budget", 36, "--hold-out", 5)
    assert "the sets need 36 rows each beside 5 held-out ones, but 40 of the 40 rows" in told
    told = refused(tmp_path, plain, "--budget", 12, "--disjoint")
    assert "4 disjoint sets of 12 rows need 48" in told
    assert "fewer arms" in told
    told = refused(tmp_path, plain, "--budget", 7, "--disjoint", "--low", "--arms", 4, "--hold-out", 5)
    assert "6 disjoint sets of 7 rows need 42 beside 5 held-out ones, but 40 of" in told
    assert "hold out fewer" in told
    assert "40 rows are to be held out, but 40 of" in refused(tmp_path, plain, "--budget", 10, "--hold-out", 40)
    told = refused(tmp_path, plain, "--budget", 10, "--match-length-to", "500+-100")
    assert "0 of the 40 rows" in told
    assert "40 another-length" in told
    assert "widen match_length_to, which is 500+-100" in told


@pytest.mark.parametrize("written", ["500", "500±", "±100", "500-100", "a±b", "1.5±1"])
def test_lengths_that_say_nothing(written, plain, tmp_path):
    assert "as 500±100 or 500+-100" in refused(tmp_path, plain, "--budget", 10, "--match-length-to", written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("500±100", (400, 600)), ("500+-100", (400, 600)), (" 500 +/- 100 ", (400, 600)), ("50±80", (0, 130)), ("9±0", (9, 9))],
)
def test_lengths(written, meant):
    assert split_recipe.lengths(written) == meant


def test_words_that_contradict_themselves(plain, tmp_path):
    assert "budget in rows" in refused(tmp_path, plain, "--token-budget", 100)
    assert "split.arms is 0" in refused(tmp_path, plain, "--budget", 10, "--arms", 0)
    assert "no key is called 'split.matches'. Did you mean 'match'" in refused(tmp_path, plain, "--budget", 10, "--set", "split.matches=a")
    assert "Parquet" in refused(tmp_path, plain, "--budget", 10, "--set", "output.save=arrow")
    assert "no objective is called" in refused(tmp_path, plain, "--budget", 10, "--objective", "facilty-location")
    assert "belongs to the layer macro" in refused(tmp_path, plain, "--budget", 10, "--whiten")


def test_errors_from_python(source, options):
    with pytest.raises(UnknownName, match="no column is called 'nothing'"):
        splits.split(source, budget=5, match="nothing", options=options)
    with pytest.raises(RecipeError, match="needs a budget in rows"):
        splits.split(source, token_budget=50, options=options)
    with pytest.raises(BudgetError, match="disjoint"):
        splits.split(source, budget=200, disjoint=True, options=options)
    with pytest.raises(InputError, match="narrow set"):
        splits.split(source, budget=560, low=True, objective="random", layers={"micro": {"band": "2:2"}}, options=options)


# ---------------------------------------------------------------------------------------------------------------- covariates


def test_columns_become_numbers_or_levels():
    table = pa.table(
        {
            "instruction": [f"ask {i}" for i in range(60)],
            "response": [f"say {i}" for i in range(60)],
            "text": pa.array(["b", None, "a"] * 20),
            "flag": [True, False, None] * 20,
            "few": [i % 5 for i in range(60)],
            "many": [i % 30 for i in range(60)],
            "number": [i / 7 for i in range(60)],
            "id_like": list(range(60)),
            "response tokens": [0.5 * i for i in range(60)],
            "dictionary": pa.array(["x", "y"] * 30).dictionary_encode(),
        }
    )
    from_table = Pool.from_table(table)
    found = {name: covariates.column(from_table, name) for name in table.column_names[2:]}
    assert found["text"].levels == ("(none)", "a", "b")
    assert found["text"].values[:3].tolist() == [2, 0, 1]
    assert found["flag"].levels == ("(none)", "false", "true")
    assert found["few"].levels == ("0", "1", "2", "3", "4")
    assert found["many"].levels is None
    assert found["many"].values.dtype == np.float64
    assert found["number"].levels is None
    assert found["dictionary"].levels == ("x", "y")
    assert covariates.column(from_table, "quality:few").levels is None
    lengths = {side: np.arange(60) for side in ("instruction", "response")}
    shown, left_out = covariates.unmatched(["tokens", "few", "quality:number"], from_table, lengths)
    assert [one.name for one in shown] == ["text", "flag", "many", "column response tokens", "dictionary"]
    assert set(left_out) == {"instruction", "response", "id_like"}
    names = [one.name for one in covariates.matched(["tokens", "few", "quality:number"], from_table, lengths)]
    assert names == ["response tokens", "instruction tokens", "few", "number"]


def test_a_narrow_set_that_cannot_be_narrow_says_so(source, options):
    words = {"match": "tokens,topic,source,quality", "low": True, "objective": "coverage", "layers": LAYERS}
    made = splits.split(source, budget=200, options=options, **words)
    assert any("hardly narrow" in note for note in made.manifest["notes"])


def test_a_match_that_cannot_be_had_is_said(source, options):
    words = {"match": "topic", "disjoint": True, "objective": "coverage", "layers": LAYERS, "arms": 2}
    made = splits.split(source, budget=100, options=options, **words)
    notes = " ".join(made.manifest["notes"])
    assert "rows of the random sets come from the nearest strata" in notes
    assert "0 without disjoint" in notes
    assert re.search(r"topic \(level [a-z ]+\) is matched but not balanced: \|SMD\| 0\.\d+ in random-\d, above 0\.05", notes)

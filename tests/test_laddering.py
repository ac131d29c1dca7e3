"""The verb ladder: the folder it writes, what it measures, and what it says of bad input."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from datasets import load_dataset

import selector
from selector import terminal
from selector.cli import commands
from selector.demo import table
from selector.errors import SelectorError
from selector.options import Options

HOW = {"layers": {"micro": {"band": "auto"}, "macro": {"encoder": "static"}}}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def pool():
    return selector.Pool.from_table(table(800))


@pytest.fixture(scope="module")
def written(pool, cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ladders") / "micro"
    made = selector.ladder(
        pool, budget=60, layer="micro", side="response", levels=[0, 50, 100], references=10, options=Options(cache=cache), **HOW
    )
    made.save(folder)
    return made, folder


def test_every_level_is_a_configuration_of_its_rows(written, pool):
    made, folder = written
    picks = pq.read_table(folder / "picks.parquet")
    source = pool.table.column("response").to_pylist()
    for name, level in zip(made.names, made.ladder.levels, strict=True):
        rows = picks.filter(np.array(picks["level"].to_pylist()) == name)["row"].to_pylist()
        loaded = load_dataset(str(folder), name, split="train")
        assert loaded["response"][:] == [source[row] for row in rows]
        assert len(set(rows)) == 60
        assert level.types <= level.wanted
    assert made.names == ("level-000", "level-050", "level-100")


def test_what_is_told_is_what_was_made(written):
    made, folder = written
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    lines = pyarrow.csv.read_csv(folder / "levels.csv").to_pylist()
    assert [line["types"] for line in lines] == [one["types"] for one in told["levels"]] == [one.types for one in made.ladder.levels]
    assert lines[0]["types"] < lines[1]["types"] < lines[2]["types"]
    assert lines[0]["type_entropy_bits"] < lines[1]["type_entropy_bits"] < lines[2]["type_entropy_bits"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| level-100 | {lines[2]['types_wanted']:,} | {lines[2]['types']:,} |" in card
    assert told["recipe"].startswith("pool:")
    assert (folder / "cross-layer.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_levels_are_measured_at_every_layer(written):
    made, folder = written
    layers = pyarrow.csv.read_csv(folder / "cross-layer.csv").to_pydict()
    assert set(layers) == {"level", *(f"{side}/{layer}" for side in ("instruction", "response") for layer in ("macro", "meso", "micro"))}
    moved = layers["response/micro"]
    assert moved[0] < -2  # narrow at the bottom, and rising
    assert moved[0] + 1 < moved[2]
    measures = pyarrow.csv.read_csv(folder / "measures.csv").to_pylist()
    entropy = [line["value"] for line in measures if (line["side"], line["layer"], line["measure"]) == ("response", "macro", "Vendi score")]
    assert len(entropy) == 3
    assert entropy[1] == made.achieved.value("level-050", "response", "macro", "Vendi score")


def test_what_moves_with_a_layer_is_told_as_the_verdicts_have_it(written, monkeypatch, capsys):
    made, folder = written
    monkeypatch.setenv("COLUMNS", "80")
    terminal.ladder(made, str(folder))
    out = capsys.readouterr().out
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    limit, words = made.achieved.limit(), set()
    for level, said in made.achieved.verdicts.items():
        cells = [f"{one.t:+.1f}{'' if one.word == 'as random' else '*'}" for one in said]
        assert re.search(rf"^{level} +{' +'.join(re.escape(cell) for cell in cells)} *$", out, re.MULTILINE)
        assert f"| {level} | {' | '.join(cells)} |".replace("*", "\\*") in card
        for one in said:
            assert one.word == ("as random" if abs(one.t) <= limit else "diverse" if one.t > 0 else "thin")
            words.add(one.word)
    assert words >= {"thin", "as random"}
    assert f"chance allows ({limit:.1f})" in card


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, ["whose rarest type fewest rows carry", "the largest floor"]),
        ({"contribution": "unique", "nested": True, "levels": [100]}, ["takes fewest types with it", "draw in one order"]),
        ({"layer": "macro", "match": "tokens", "budget": 20}, ["k types are drawn at random", "each length in response tokens"]),
    ],
)
def test_what_the_paper_leaves_open_is_stated(words, told, pool, cache, tmp_path):
    made = selector.ladder(pool, **{"budget": 60, "levels": [0, 100], "measure": False, **words}, options=Options(cache=cache), **HOW)
    card = (made.save(tmp_path / "ladder") / "README.md").read_text(encoding="utf-8")
    for one in told:
        assert one in " ".join(made.manifest["how"])
        assert one in card


def test_the_same_words_write_the_same_bytes(written, pool, cache, tmp_path):
    _, folder = written
    again = selector.ladder(
        pool, budget=60, layer="micro", side="response", levels=[0, 50, 100], references=10, options=Options(cache=cache, threads=1), **HOW
    )
    again.save(tmp_path / "micro")
    for name in ("levels.csv", "measures.csv", "cross-layer.csv", "picks.parquet", "cross-layer.png", "cross-layer.svg"):
        assert (tmp_path / "micro" / name).read_bytes() == (folder / name).read_bytes(), name


def test_matched_lengths(pool, cache):
    made = selector.ladder(
        pool, budget=60, layer="micro", side="response", levels=[0, 100], match="tokens", measure=False, options=Options(cache=cache), **HOW
    )
    means = made.table["response_tokens"].to_pylist()
    assert max(means) <= 1.03 * min(means)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"budget": 9999}, "the budget is 9,999 rows but"),
        ({"levels": [0, 40, 20]}, "from low to high"),
        ({"levels": [0, 101]}, "101 %"),
        ({"levels": list(range(101)), "layer": "macro", "budget": 30}, "ask for fewer levels or another budget"),
        ({"layer": "mikro"}, "Did you mean 'micro'"),
        ({"side": "both"}, "must be 'instruction' or 'response'"),
        ({"contribution": "most"}, "no reading of Algorithm 1"),
        ({"match": "source"}, "match is 'source'"),
        ({"references": 2}, "must be at least 3"),
    ],
)
def test_what_cannot_be_made_is_said(words, told, pool, cache):
    with pytest.raises(SelectorError, match=told):
        selector.ladder(pool, **{"budget": 60, "measure": False, **words}, options=Options(cache=cache), **HOW)


def test_the_command(cache, tmp_path):
    told = ["ladder", "demo", "-b", "100", "--levels", "0,100", "--band", "auto", "--no-measure", "--cache", str(cache)]
    done = CliRunner().invoke(commands, [*told, "-o", str(tmp_path / "out")], catch_exceptions=False)
    assert done.exit_code == 0
    assert all(len(line) <= 80 for line in done.output.splitlines())
    assert "level-100" in done.output
    assert not (tmp_path / "out" / "measures.csv").exists()
    with pytest.raises(SelectorError, match="holds a selection already"):
        CliRunner().invoke(commands, [*told, "-o", str(tmp_path / "out")], catch_exceptions=False)
    with pytest.raises(SelectorError, match="--encoder belongs to the layer macro, but only micro is read"):
        CliRunner().invoke(commands, [*told, "--encoder", "static", "-o", str(tmp_path / "more")], catch_exceptions=False)

"""The examples of CONTRIBUTING: an objective and a layer from outside the package, by dotted path and by entry point."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
import yaml

import selector
from selector import cli, registry
from selector.core import Layer, Problem
from selector.engine import select as solve
from selector.errors import RecipeError, UnknownName
from selector.limits import Count
from selector.optimizers.greedy import greedy
from selector.optimizers.lazy import lazy
from tests.code_blocks import blocks
from tests.conformance.views import random_ground

NOTES = {block.note: block.text for block in blocks("CONTRIBUTING.md") if block.note}
QUIET = selector.Options(cache=None)
ROWS = [{"instruction": f"say {a} and {b}", "response": f"{a} {b} {a * 2}"} for a in "abcdefgh" for b in "xyzäж中"]


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder on sys.path that holds the two files of the examples."""
    for name in ("rarity.py", "letters.py"):
        (tmp_path / name).write_text(NOTES[f"file: {name}"], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELECTOR_CACHE", str(tmp_path / "cache"))
    importlib.invalidate_caches()
    yield tmp_path
    for name in ("rarity", "letters"):
        sys.modules.pop(name, None)


def test_the_objective_keeps_to_its_slow_formula(outside):
    rarity = registry.find("objectives", "rarity:Rarity")("types", power=1.5)
    names = {"np": np}
    exec(NOTES["file: rarity_formula.py"], names)
    ground, chosen = random_ground(20, 4), []
    state = rarity.start(ground)
    for row in (3, 11, 0, 19):
        now = names["rarity"](rarity, ground, chosen)
        wanted = [names["rarity"](rarity, ground, [*chosen, other]) - now for other in range(20)]
        np.testing.assert_allclose(state.gains(np.arange(20)), wanted, atol=1e-9)
        state.add(row)
        chosen.append(row)
        assert state.value == pytest.approx(names["rarity"](rarity, ground, chosen))
    assert rarity.value(ground, np.array(chosen)) == pytest.approx(state.value)


def test_every_optimizer_takes_it(outside):
    rarity = registry.find("objectives", "rarity:Rarity")("types")
    problem = Problem(random_ground(40, 7), rarity, Count(8), np.empty(0, np.int64), np.arange(40))
    one, other = (solve(problem, optimizer) for optimizer in (lazy, greedy))
    np.testing.assert_array_equal(one.rows, other.rows)
    assert one.upper_bound is not None
    assert one.value <= one.upper_bound + 1e-9


def test_dotted_paths_in_python(outside):
    pool = selector.Pool.from_table(ROWS)
    words = {"objective": "rarity:Rarity", "layer": "letters:Letters", "layers": {"letters:Letters": {"fold": False}}}
    found = selector.select(pool, budget=6, side="both", options=QUIET, **words)
    assert len(set(found.rows.tolist())) == 6
    # each letter of a..h stands in six responses, each of the others in eight: the second row shares no letter with the first
    letters = [set(ROWS[row]["response"]) for row in found.rows]
    assert letters[0] & letters[1] == {" "}
    assert found.manifest["features"]["letters:Letters/both"]["response"] == {"fold": False}
    again = selector.select(pool, budget=6, side="both", options=QUIET, optimizer="greedy", **words)
    np.testing.assert_array_equal(found.rows, again.rows)


@pytest.mark.parametrize("objective", ["facility-location", "dpp", "coverage", "rarity:Rarity"])
def test_the_layer_serves_every_objective(outside, objective):
    found = selector.select(selector.Pool.from_table(ROWS), budget=5, layer="letters:Letters", objective=objective, options=QUIET)
    assert len(set(found.rows.tolist())) == 5
    assert found.ratio is not None


def test_the_layer_is_a_layer(outside):
    letters: Layer = registry.find("layers", "letters:Letters")()
    texts = selector.Pool.from_table(ROWS).texts("response")
    types = letters.types(texts, None)
    assert set(types.names) == set("abcdefgh xyzäж中")
    assert types.incidence.sum() == 3 * len(ROWS)  # two letters and the space
    assert letters.vectors(texts, None).scale == pytest.approx(1.0)


def test_in_a_mixture_written_as_a_list(outside):
    mix = [
        {"layer": "letters:Letters", "side": "response", "weight": 2, "objective": "rarity:Rarity", "options": {"power": 2}},
        {"layer": "letters:Letters", "side": "instruction", "objective": "facility-location"},
    ]
    found = selector.select(selector.Pool.from_table(ROWS), budget=4, mix=mix, options=QUIET)
    assert [part["weight"] for part in found.manifest["objective"]["parts"]] == [2, 1]
    assert "power=2.0" in str(found.manifest["objective"]["parts"][0])


def test_dotted_paths_on_the_command_line(outside):
    """In a fresh process, as a user has it: found through PYTHONPATH alone."""
    line = shlex.split(NOTES["example: dotted path"].removeprefix("PYTHONPATH=. selector "))
    run = "from selector.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", run, *line], env={**os.environ, "PYTHONPATH": "."}, cwd=outside, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "rarity:Rarity on micro/response" in done.stdout
    manifest = json.loads((outside / "out/rare/manifest.json").read_text(encoding="utf-8"))
    assert manifest["selected"] == 100
    assert yaml.safe_load(manifest["recipe"])["select"]["options"] == {"power": 2}


def test_a_layer_in_a_recipe(outside):
    (outside / "letters.yaml").write_text(NOTES["example: layer"], encoding="utf-8")
    selection = selector.run("letters.yaml", "out/letters", QUIET)
    assert selection.manifest["features"]["letters:Letters/instruction"] == {"fold": False}
    assert (outside / "out/letters/README.md").is_file()


def test_an_entry_point_makes_it_a_name_like_ours(outside, capsys):
    package = outside / "rarity-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: rarity\nVersion: 1.0\n", encoding="utf-8")
    group, line = NOTES["file: entry_points.toml"].strip().splitlines()
    assert group == '[project.entry-points."selector.objectives"]'
    (package / "entry_points.txt").write_text(f"[selector.objectives]\n{line.replace(chr(34), '')}\n", encoding="utf-8")
    assert "rarity" in registry.names("objectives")
    assert registry.describe("objectives")["rarity"] == "Every type once, and a rare type counts for more than a common one."
    cli.main(["list", "objectives"])
    assert "rarity" in capsys.readouterr().out
    found = selector.select(selector.Pool.from_table(ROWS), budget=3, objective="rarity", layer="letters:Letters", options=QUIET)
    assert found.manifest["objective"]["name"] == "rarity"


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ({"objective": "rarity:Rare"}, UnknownName, "no attribute 'Rare'"),
        ({"objective": "rareness:Rarity"}, UnknownName, "No module named 'rareness'"),
        ({"objective": "json:loads"}, RecipeError, "frozen dataclasses"),
        ({"objective": "letters:Letters"}, RecipeError, "is no objective"),
        ({"layer": "json:loads"}, RecipeError, "frozen dataclasses"),
        ({"layer": "rarity:Rarity"}, RecipeError, "features"),
        ({"layers": {"letters:Letters": {"fold": "perhaps"}}, "layer": "letters:Letters"}, RecipeError, "fold"),
        ({"layers": {"letters:Letters": {"folds": True}}, "layer": "letters:Letters"}, RecipeError, "has no option 'folds'"),
    ],
)
def test_a_dotted_path_to_the_wrong_thing_is_told(outside, words, kind, told):
    with pytest.raises(kind, match=told):
        selector.select(selector.Pool.from_table(ROWS), budget=3, options=QUIET, **{"layer": "letters:Letters", **words})

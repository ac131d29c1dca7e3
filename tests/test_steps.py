"""Recipes of several steps: what they mean, what a second run leaves out, and those of recipes/ at a small size."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from datasets import load_dataset

from selector import experiments, recipe, steps
from selector.cli import commands
from selector.demo import table
from selector.errors import BudgetError, OutputError, RecipeError
from selector.options import Options
from tests.code_blocks import ROOT

HEAD = {"pool": "demo", "layers": {"micro": {"band": "auto"}}}
LADDER = {"budget": 60, "layer": "micro", "side": "response", "levels": [0, 100], "measure": False}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    path = tmp_path_factory.mktemp("pool") / "pool.parquet"
    pq.write_table(table(600), path)
    return str(path)


def done(content, output, cache, **words):
    read = steps.steps(content, output)
    return {step.name: seconds for step, seconds in experiments.run(read, output, Options(cache=cache), **words)}


def test_a_value_of_each_goes_into_the_words_and_the_name(tmp_path):
    content = {
        **HEAD,
        "steps": [{"name": "{side}-{budget}", "each": {"side": ["instruction", "response"], "budget": [5, 7]}, "ladder": LADDER}],
    }
    found = steps.steps(content, tmp_path)
    assert [step.name for step in found] == ["instruction-5", "instruction-7", "response-5", "response-7"]
    assert [(step.recipe.ladder.side, step.recipe.ladder.budget) for step in found] == [
        ("instruction", 5), ("instruction", 7), ("response", 5), ("response", 7),
    ]  # fmt: skip
    assert all(step.recipe.layers == {"micro": {"band": "auto"}} for step in found)


def test_a_step_has_keys_of_its_own(tmp_path):
    content = {**HEAD, "seed": 3, "steps": [{"name": "one", "seed": 4, "select": {"budget": 5}}, {"name": "two", "select": {"budget": 6}}]}
    one, two = steps.steps(content, tmp_path)
    assert (one.recipe.seed, two.recipe.seed) == (4, 3)
    assert (one.recipe.select.budget, two.recipe.select.budget) == (5, 6)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ([], "steps must be a list"),
        ([{"name": "a"}], "needs exactly one of select, split, ladder, measure, hold_out, experiment, effect; it has none"),
        ([{"name": "a", "select": {"budget": 1}, "ladder": LADDER}], "it has select and ladder"),
        ([{"name": "a/b", "select": {"budget": 1}}], "no name for a folder"),
        ([{"name": "..", "select": {"budget": 1}}], "no name for a folder"),
        ([{"name": "a", "select": {"budget": 1}}, {"name": "a", "select": {"budget": 2}}], "two steps are called 'a'"),
        ([{"name": "{size}", "each": {"budget": [1]}, "ladder": LADDER}], r"may say \{KEY\} of each \(budget\)"),
        ([{"name": "a", "each": {"budget": 1}, "ladder": LADDER}], "each must hold lists"),
        ([{"name": "a", "ladder": {**LADDER, "budjet": 1}}], "step 'a': no key is called 'ladder.budjet'. Did you mean 'budget'"),
        ([{"name": "a", "select": {"budget": 1, "keep": "step:b"}}], "no earlier step is called 'b'"),
        (
            [{"name": "b", "select": {"budget": 1}}, {"name": "a", "select": {"budget": 1, "keep": "step:c"}}],
            "Did you mean 'b'|There are: b",
        ),
    ],
)
def test_what_is_wrong_is_named(written, told, tmp_path):
    with pytest.raises(RecipeError, match=told):
        steps.steps({**HEAD, "steps": written}, tmp_path)


def test_a_step_reads_what_an_earlier_one_wrote_and_is_not_done_twice(pool, cache, tmp_path):
    content = {**HEAD, "pool": pool, "steps": [
        {"name": "first", "select": {"budget": 20, "objective": "coverage"}},
        {"name": "second", "select": {"budget": 10, "objective": "coverage", "keep": "step:first"}},
    ]}  # fmt: skip
    made = done(content, tmp_path, cache)
    assert all(seconds is not None for seconds in made.values())
    told = json.loads((tmp_path / "second" / "manifest.json").read_text(encoding="utf-8"))
    assert told["kept"]["usable"] == 20
    with pytest.raises(OutputError, match="holds a selection already"):
        done(content, tmp_path, cache)
    assert done(content, tmp_path, cache, resume=True) == {"first": None, "second": None}
    content["steps"][1]["select"]["budget"] = 11  # other words: not finished, and not written over
    with pytest.raises(OutputError, match="second holds a selection already"):
        done(content, tmp_path, cache, resume=True)


def test_a_fault_names_its_step_and_leaves_what_was_done(pool, cache, tmp_path):
    content = {**HEAD, "pool": pool, "steps": [
        {"name": "good", "select": {"budget": 20, "objective": "random"}}, {"name": "bad", "select": {"budget": 9999}},
    ]}  # fmt: skip
    with pytest.raises(BudgetError) as caught:
        done(content, tmp_path, cache)
    assert caught.value.__notes__ == ["in the step 'bad', number 2 of 2"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["good"]


def test_the_command_runs_plans_and_resumes(pool, cache, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(
        f"pool: {pool}\nlayers: {{micro: {{band: auto}}}}\nsteps:\n"
        "  - {name: narrow, ladder: {budget: 40, levels: [0, 100], measure: false}}\n"
        "  - {name: seen, measure: {datasets: [{source: 'step:narrow', config: level-000}], layers: [micro], references: 3}}\n",
        encoding="utf-8",
    )
    told = ["run", str(file), str(tmp_path / "out"), "--cache", str(cache)]
    planned = CliRunner().invoke(commands, [*told, "--plan"], catch_exceptions=False)
    assert planned.exit_code == 0
    assert "plan of narrow" in planned.output
    assert not (tmp_path / "out").exists()
    first = CliRunner().invoke(commands, told, catch_exceptions=False)
    assert [line.split(" in ")[0] for line in first.output.splitlines()] == ["narrow: ladder", "seen: measure"]
    again = CliRunner().invoke(commands, [*told, "--resume"], catch_exceptions=False)
    assert again.output.splitlines() == ["narrow: finished before", "seen: finished before"]
    assert json.loads((tmp_path / "out" / "seen" / "measures.json").read_text(encoding="utf-8"))


def test_one_selection_is_not_read_from_several_steps():
    with pytest.raises(RecipeError, match="holds several steps, and one selection was asked for"):
        recipe.read(ROOT / "recipes" / "paper-ladder.yaml")


SMALL = {"budget": [40, 60], "select": 30}


def smaller(content):
    """The recipe at a size that the small pool can supply."""
    for one in content["steps"]:
        if "each" in one:
            one["each"]["budget"] = SMALL["budget"]
        if "ladder" in one:
            one["ladder"] |= {"levels": [0, 100], "budget": one["ladder"].get("budget", 5000) // 100}
            one["ladder"] |= {"references": 3} if one["ladder"].get("measure") else {}
        if "measure" in one:
            one["measure"]["references"] = 3
    return {**content, "layers": {**content.get("layers", {}), "micro": {"band": "auto"}}}


@pytest.mark.parametrize("name", ["paper-ladder", "small-diverse-vs-large-narrow"])
def test_the_recipes_of_several_steps_run_small(name, pool, cache, tmp_path):
    content = recipe.load(ROOT / "recipes" / f"{name}.yaml")
    made = done({**smaller(content), "pool": pool}, tmp_path, cache)
    if name == "paper-ladder":
        assert len(made) == 3 * 2 * 2
        assert len(load_dataset(str(tmp_path / "response-meso-40"), "level-100", split="train")) == 40
        assert (tmp_path / "instruction-macro-60" / "cross-layer.png").read_bytes()[:4] == b"\x89PNG"
    else:
        assert len(load_dataset(str(tmp_path / "large"), "level-000", split="train")) == 200
        assert (tmp_path / "how-diverse" / "measures.csv").exists()


def test_the_matched_split_runs_small(pool, cache, tmp_path):
    content = recipe.load(ROOT / "recipes" / "matched-split.yaml")
    content["split"] |= {"select": {**content["split"]["select"], "budget": 60}, "hold_out": 20}
    assert steps.several(content)
    done({**content, "pool": pool, "layers": {"micro": {"band": "auto"}}}, tmp_path / "out", cache)
    for arm in ("diverse", "random-1", "random-3", "narrow"):
        assert len(load_dataset(str(tmp_path / "out"), arm, split="train")) == 60
    assert len(load_dataset(str(tmp_path / "out"), "held-out", split="train")) == 20

"""What README and CONTRIBUTING show is what happens: every code block runs, every link leads somewhere, every figure is found again."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from shutil import copytree

import pyarrow.parquet as pq
import pytest
import yaml

import selector
from selector import cli, experiments, recipe, registry, steps
from tests.code_blocks import ROOT, Block, blocks

README = blocks("README.md")
RUN = [block for block in README if not block.note.startswith("not run")]
RANDOM_SEEDS = 20
EXPERIMENT = """
pool: demo
layers: {micro: {band: auto}}
steps:
  - name: "response-{budget}"
    each: {budget: [100, 200]}
    ladder: {layer: micro, side: response, levels: [0, 25, 50, 75, 100], measure: false}
  - name: scored
    experiment: {sets: ["step:response-*"], proxy: ngram, score_on: {held-out: mine.jsonl}}
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def place(tmp_path, monkeypatch, cache):
    """A folder with the recipes and the files that the examples name: mine.jsonl and the weeks are parts of the demo pool."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELECTOR_CACHE", str(cache))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    copytree(ROOT / "recipes", tmp_path / "recipes")
    demo = selector.Pool.read("demo").table
    pq.write_table(demo, tmp_path / "pool.parquet")
    for name, start in (("mine", 0), ("week-01", 200), ("week-02", 400)):
        demo.slice(start, 200).to_pandas().to_json(tmp_path / f"{name}.jsonl", orient="records", lines=True)
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT, encoding="utf-8")
    scores = [f"response,micro,{size},{level},{50 + level / 25 + size % 7}" for size in (10000, 20000) for level in range(0, 101, 20)]
    (tmp_path / "mine.csv").write_text("\n".join(["side,layer,size,level,win_rate", *scores]), encoding="utf-8")
    return tmp_path


def lines(block: Block) -> list[str]:
    return [line for line in block.text.splitlines() if line.strip()]


@pytest.mark.parametrize("block", [block for block in RUN if block.language == "python"], ids=str)
def test_python_runs(block, place, capsys):
    (place / "out").mkdir()
    exec(compile(block.text, f"{block.file}:{block.line}", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("block", [block for block in RUN if block.language == "bash"], ids=str)
def test_commands_run(block, place, capsys):
    for line in lines(block):
        words = shlex.split(line, comments=True)
        if words[0] == "bash":
            subprocess.run(["bash", "-n", str(ROOT / words[1])], check=True)
            continue
        assert words[0] == "selector"
        cli.main(words[1:])
        assert capsys.readouterr().out.strip()
        if "--output" in words:
            folder = place / words[words.index("--output") + 1]
            if folder.suffix == ".html":
                assert "<html" in folder.read_text(encoding="utf-8")
                continue
            assert (folder / "manifest.json").is_file()
            if words[1] == "effect":
                assert (folder / "effect.json").is_file()
            else:
                assert pq.read_table(folder / "picks.parquet").num_rows > 0


@pytest.mark.parametrize("block", [block for block in RUN if block.language == "yaml"], ids=str)
def test_recipes_run(block, place):
    (place / "recipe.yaml").write_text(block.text, encoding="utf-8")
    content = yaml.safe_load(block.text)
    if steps.several(content):
        read = steps.steps(content, Path("out/steps"))
        assert [step for step, _ in experiments.run(read, Path("out/steps"), selector.Options())] == read
        return
    selection = selector.run("recipe.yaml", "out/recipe")
    assert len(set(selection.rows.tolist())) == yaml.safe_load(block.text)["select"]["budget"]


def test_no_block_of_another_kind_hides():
    assert {block.language for block in RUN} == {"bash", "python", "yaml", "text"}


@pytest.mark.parametrize("block", [block for block in README if block not in RUN], ids=str)
def test_what_does_not_run_has_a_reason_and_is_spelt_right(block):
    assert re.fullmatch(r"not run: needs a network.*", block.note)
    for line in lines(block):
        words = shlex.split(line, comments=True)
        assert words[:2] == ["selector", "select"]
        cli.select.make_context("select", words[2:])  # raises where an option does not exist


def test_commands_within_sentences_are_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    options = {name for command in cli.commands.commands.values() for one in command.params for name in one.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--help", "--index-url", "--no-deps"}  # the last two are pip's
    assert named <= options, f"no such option: {named - options}"
    verbs = set(re.findall(r"`selector ([a-z][\w-]*)", text))
    assert verbs <= {*cli.commands.commands}


def test_the_tables_name_what_there_is():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| objective | rewards") : text.index("What spreads widest")]
    first = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    told = {name.partition(":")[0] for name in first} | {"mixture"}
    assert told - {"--mix"} == set(registry.names("objectives"))
    layers = text[text.index("| layer | sees") : text.index("## Objectives")]
    assert re.findall(r"^\| `(\w+)` \|", layers, re.MULTILINE) == registry.names("layers")
    optimizers = text[text.index("| optimizer | picks") : text.index("## Limits and quotas")]
    assert set(re.findall(r"^\| `(\w+)` \|", optimizers, re.MULTILINE)) == set(registry.names("optimizers"))


def test_the_table_of_measures_names_every_one():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("| layer | measure | more diverse is |") : text.index("The last two columns are")]
    scales = {scale for name in registry.names("measures") for scale in registry.find("measures", name).scales}
    assert [scale.name for scale in scales if scale.name not in table] == []
    judged = {scale.name for scale in scales if scale.judged}
    assert {name for name in (scale.name for scale in scales) if f"{name} \\*" in table} == judged


def test_the_table_of_topics_is_measured(cache):
    """Within two topics, since embeddings and clusters may differ in a last bit on another machine."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("<!-- table: topics -->") :].split("\n\n")[0]
    found = re.findall(r"^\| ([\w-]+)[^|]*\| (\w*) *\| ([\d.]+) \| ([\d.]+) \|$", table, re.MULTILINE)
    assert len(found) >= 4
    pool = selector.Pool.read("demo")
    topics = pool.column("topic").to_pylist()
    options = selector.Options(cache=cache)

    def reached(budget: int, objective: str, layer: str, seed: int = 0) -> int:
        chosen = selector.select(
            pool, budget=budget, objective=objective, layer=layer, side="response", seed=seed, options=options,
            layers={"macro": {"encoder": "static"}, "micro": {"band": "auto"}},
        )  # fmt: skip
        return len({topics[row] for row in chosen.rows})

    for objective, layer, *told in found:
        for budget, wanted in zip((100, 300), map(float, told), strict=True):
            if objective == "random":
                mean = sum(reached(budget, "random", "micro", seed) for seed in range(RANDOM_SEEDS)) / RANDOM_SEEDS
                assert mean == pytest.approx(wanted, abs=0.06)
            else:
                assert reached(budget, objective, layer) == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_python_example_and_recipe_are_short():
    python = next(block for block in README if block.language == "python")
    assert len(lines(python)) <= 10
    assert len(lines(next(block for block in README if block.language == "yaml"))) <= 12


def test_the_recipe_of_the_readme_is_a_recipe():
    for block in [*README, *blocks("CONTRIBUTING.md")]:
        if block.language == "yaml":
            content = yaml.safe_load(block.text)
            if steps.several(content):
                steps.steps(content, Path("out"), source=str(block))
            else:
                recipe.check(content, source=str(block))

"""The recipes for trainers: their configs pass the trainers' own parsers, and by the proxy they run whole."""

from __future__ import annotations

import json
import os
import shlex

import pytest
import yaml
from datasets import load_dataset

from selector import experimenting, experiments, recipe, steps, training_sets
from selector.demo import table
from selector.options import Options
from tests.code_blocks import ROOT

NAMES = ("trl", "llama-factory", "axolotl")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Each recipe at a small size, all but the training done: its folder and the experiment's words."""
    import pyarrow.parquet as pq

    home = tmp_path_factory.mktemp("trainers")
    pq.write_table(table(600), home / "pool.parquet")

    def make(name):
        output = home / name
        content = recipe.load(ROOT / "recipes" / f"train-{name}.yaml")
        content |= {"pool": str(home / "pool.parquet"), "tokenizer": "deepseek", "layers": {"micro": {"band": "auto"}}}
        content["steps"][0]["hold_out"]["rows"] = 50
        content["steps"][1]["ladder"] |= {"budget": 60, "levels": [0, 100]}
        content["steps"][1]["each"] = {"seed": [0, 1]}
        all_steps = steps.steps(content, output)
        if not output.exists():
            list(experiments.run([one for one in all_steps if one.verb in ("hold_out", "ladder")], output, Options(cache=home / "cache")))
        return output, next(one.recipe for one in all_steps if one.verb == "experiment")

    return make


def written(made, name, tmp_path):
    """The files and the train command of the first run, as the trainer would find them."""
    _, words = made(name)
    first = training_sets.read(words.experiment.sets[0])[0]
    trial = experimenting.trial(first, 3, words, tmp_path, Options())
    for called, content in trial.files.items():
        trial.folder.mkdir(parents=True, exist_ok=True)
        (trial.folder / called).write_text(content, encoding="utf-8")
    assert "{" not in trial.commands["train"] + trial.commands["score"]
    return trial, first, shlex.split(trial.commands["train"])


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_are_what_the_config_says(made, name, tmp_path):
    trial, first, train = written(made, name, tmp_path)
    config = yaml.safe_load((trial.folder / os.path.basename(train[-1])).read_text(encoding="utf-8"))
    rows = load_dataset(str(first.data), split="train")
    assert len(rows) == 60
    columns = {"llama-factory": ["instruction", "input", "output"], "trl": ["messages"], "axolotl": ["messages"]}[name]
    assert set(columns) <= set(rows.column_names)
    told = config.get("seed"), config.get("output_dir")
    assert told == (3, str(trial.output))
    assert f"--on held-out={made(name)[0].resolve()}/cut/data/held-out" in trial.commands["score"]


def test_trl_parses_its_config(made, tmp_path):
    pytest.importorskip("trl")
    from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig, TrlParser

    trial, first, train = written(made, "trl", tmp_path)
    assert train == ["trl", "sft", "--config", f"{trial.folder}/sft.yaml"]
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig))
    script, training, model, _ = parser.parse_args_and_config([*train[2:], "--use_cpu", "--bf16", "false"])
    assert script.dataset_name == str(first.data)
    assert (training.seed, training.output_dir, training.assistant_only_loss) == (3, str(trial.output), True)
    assert (model.use_peft, model.lora_r, model.lora_target_modules) == (True, 16, "all-linear")
    assert training.learning_rate == 2e-4


def test_llama_factory_parses_its_config(made, tmp_path, monkeypatch):
    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    pytest.importorskip("llamafactory.hparams", exc_type=ImportError)
    from llamafactory.hparams import DataArguments, FinetuningArguments, GeneratingArguments, ModelArguments, TrainingArguments
    from transformers import HfArgumentParser

    trial, _, train = written(made, "llama-factory", tmp_path)
    config = yaml.safe_load((trial.folder / os.path.basename(train[-1])).read_text(encoding="utf-8")) | {"bf16": False, "use_cpu": True}
    kinds = (ModelArguments, DataArguments, TrainingArguments, FinetuningArguments, GeneratingArguments)
    _, data, training, tuning, _ = HfArgumentParser(kinds).parse_dict(config)
    assert (data.dataset, data.dataset_dir) == (["rows"], str(trial.folder))
    assert (data.train_on_prompt, tuning.lora_rank, training.seed) == (False, 16, 3)


def test_llama_factory_finds_its_rows(made, tmp_path, monkeypatch):
    monkeypatch.setenv("DISABLE_VERSION_CHECK", "1")
    parser = pytest.importorskip("llamafactory.data.parser", exc_type=ImportError)
    trial, first, _ = written(made, "llama-factory", tmp_path)
    (found,) = parser.get_dataset_list(["rows"], str(trial.folder))
    assert (found.load_from, found.dataset_name, found.formatting) == ("file", str(first.data), "alpaca")
    assert (found.prompt, found.query, found.response) == ("instruction", "input", "output")


def test_axolotl_validates_its_config(made, tmp_path):
    schema = pytest.importorskip("axolotl.utils.schemas.config", exc_type=ImportError)
    trial, first, train = written(made, "axolotl", tmp_path)
    config = yaml.safe_load((trial.folder / os.path.basename(train[-1])).read_text(encoding="utf-8"))
    found = schema.AxolotlInputConfig(**config)
    assert set(config) <= set(schema.AxolotlInputConfig.model_fields)
    assert str(found.datasets[0].path) == str(first.data)
    assert (found.seed, found.lora_r, str(found.output_dir)) == (3, 16, str(trial.output))


def test_by_the_proxy_a_recipe_runs_whole(made):
    output, words = made("trl")
    by_proxy = words.model_copy(update={"experiment": words.experiment.model_copy(update={"proxy": "ngram"})})
    experimenting.run(by_proxy, output / "trained", Options(cache=None))
    lines = (output / "trained" / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 4
    told = json.loads((output / "trained" / "manifest.json").read_text(encoding="utf-8"))
    assert told["experiment"]["runs"] == 4

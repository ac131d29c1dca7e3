"""Training takes its loss on responses alone, scoring is its definition, and both work in an experiment."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selector import causal_lm, held_out, score_lm, train_lm
from selector.errors import InputError, OutputError, RecipeError
from tests.command import command, pairs

pytest.importorskip("peft")
pytest.importorskip("accelerate")

ROWS = 24


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """So small a model only waits for the others."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of 3,000 weights and a tokenizer that knows the words of `pairs`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = sorted({word for side in ("instruction", "response") for text in pairs(ROWS)[side] for word in text.split()})
    known = {word: number for number, word in enumerate(["<pad>", "<end>", "<unknown>", "#", ":", "Instruction", "Response", *words])}
    backend = Tokenizer(models.WordLevel(known, unk_token="<unknown>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>", pad_token="<pad>", unk_token="<unknown>")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(known), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, bos_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(pa.table({**pairs(ROWS), "source": ["a", "b"] * (ROWS // 2)}), path)
    return str(path)


def encoded(lm, longest=1024):
    told = pairs(ROWS)
    return list(causal_lm.encoded(lm, told["instruction"], told["response"], longest))


def slow(lm, one):
    """Sum of ln p of each token of the response, a pass of the model for each."""
    import torch

    total = 0.0
    for at in range(len(one.response)):
        with torch.inference_mode():
            logits = lm.model(torch.tensor([one.prompt + one.response[:at]])).logits[0, -1].double()
        total += float(torch.log_softmax(logits, -1)[one.response[at]])
    return total


def test_a_score_is_its_definition_whatever_stands_beside_it_in_a_batch(tiny, monkeypatch):
    lm = causal_lm.load(tiny)
    some = encoded(lm)
    wanted = [slow(lm, one) for one in some]
    np.testing.assert_allclose(score_lm.log_likelihoods(lm, some), wanted, rtol=1e-5)
    monkeypatch.setattr(score_lm, "TOKENS", 1)
    np.testing.assert_allclose(score_lm.log_likelihoods(lm, some), wanted, rtol=1e-5)


@pytest.mark.parametrize("lora", [0, 2])
def test_the_loss_is_taken_on_responses_alone(tiny, rows, tmp_path, lora):
    """The first step sees all rows before any change: its loss is the mean over response tokens, by the slow definition."""
    lm = causal_lm.load(tiny)
    some = encoded(lm)
    told = train_lm.train(rows, tmp_path / "out", train_lm.Training(model=tiny, lora=lora, epochs=1, batch=ROWS))
    wanted = -sum(slow(lm, one) for one in some) / sum(len(one.response) for one in some)
    assert told["losses"] == [pytest.approx(wanted, abs=1e-3)]
    assert told["response_tokens"] == sum(len(one.response) for one in some)


@pytest.mark.parametrize("lora", [0, 4])
def test_what_was_trained_is_read_back_and_foretells_better(tiny, rows, tmp_path, lora):
    before = score_lm.score(tiny, [f"own={rows}"])
    told = train_lm.train(rows, tmp_path / "out", train_lm.Training(model=tiny, lora=lora, epochs=6, batch=4, rate=0.03))
    after = score_lm.score(str(tmp_path / "out"), [f"own={rows}"])
    assert after["own"] > before["own"] + (0.05 if lora else 0.3)  # an adapter leaves the embeddings, most of so small a model
    assert after["score"] == after["own"]
    assert told["steps"] == 6 * ROWS // 4
    sources, tokens = [after["own/a"], after["own/b"]], after["tokens"]["own"]
    assert min(sources) <= after["own"] <= max(sources)
    assert tokens == told["response_tokens"]
    assert json.loads((tmp_path / "out" / "training.json").read_text(encoding="utf-8"))["losses"] == told["losses"]
    (tmp_path / "out" / "training.json").rename(tmp_path / "training.json")  # as other trainers leave an adapter, or a model
    assert score_lm.score(str(tmp_path / "out"), [f"own={rows}"])["own"] == pytest.approx(after["own"], abs=1e-4)
    with pytest.raises(OutputError):
        train_lm.train(rows, tmp_path / "out", train_lm.Training(model=tiny))


def test_the_seed_decides_the_model(tiny, rows, tmp_path):
    found = []
    for number, seed in enumerate((1, 1, 2)):
        how = train_lm.Training(model=tiny, lora=2, epochs=1, batch=4, seed=seed)
        found.append(train_lm.train(rows, tmp_path / str(number), how)["losses"])
    assert found[0] == found[1] != found[2]


def test_long_pairs_lose_the_beginning_of_the_prompt_then_the_end_of_the_response(tiny):
    lm = causal_lm.load(tiny)
    whole, short = encoded(lm)[0], encoded(lm, 12)[0]
    assert not whole.cut
    assert short.cut
    assert len(short.ids) == 12
    assert short.prompt == whole.prompt[-6:]
    assert short.response == whole.response[:6]
    barely = encoded(lm, len(whole.ids) - 1)[0]
    assert (barely.prompt, barely.response) == (whole.prompt[1:], whole.response)


def test_a_chat_template_is_used_where_there_is_one(tiny):
    lm = causal_lm.load(tiny)
    assert causal_lm.prompted(lm, "go") == "### Instruction:\ngo\n\n### Response:\n"
    turns = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    lm.tokenizer.chat_template = turns + "{% if add_generation_prompt %}[go]{% endif %}"
    assert causal_lm.prompted(lm, "go") == "[user] go[go]"


def test_what_is_wrong_is_named(tiny, rows, tmp_path):
    with pytest.raises(InputError, match="no causal language model"):
        causal_lm.load(str(tmp_path))
    with pytest.raises(InputError, match="pip install 'diversity-selector"):
        causal_lm.needed("no_such_package")
    with pytest.raises(RecipeError, match="batch is 0; it must be at least 1"):
        train_lm.Training(batch=0)
    with pytest.raises(RecipeError, match="a name of its own"):
        held_out.read([f"a={rows}", f"a={rows}"], None)
    pq.write_table(pa.table({"instruction": ["x"], "response": [""]}), tmp_path / "blank.parquet")
    with pytest.raises(InputError, match="none of 1 row has a response"):
        held_out.read([str(tmp_path / "blank.parquet")], None)


@pytest.mark.slow
def test_an_experiment_with_both_commands(tiny, rows, tmp_path):
    selector = "{python} -m selector"
    recipe = {
        "pool": "demo", "layers": {"micro": {"band": "auto"}}, "steps": [
            {"name": "l", "ladder": {"budget": 30, "levels": [0, 100], "measure": False}},
            {"name": "x", "experiment": {
                "sets": ["step:l"], "score_on": {"held": rows},
                "train": f"{selector} train-lm {{dataset}} --output {{output}} --model {tiny} --epochs 1 --seed {{seed}}",
                "score": f"{selector} score-lm {{output}} {{on}}",
            }},
        ],
    }  # fmt: skip
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe), encoding="utf-8")
    done = command("run", file, tmp_path / "out", "--no-cache", "--jobs", "2")
    assert done.code == 0, done.err
    lines = (tmp_path / "out/x/scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert all(math.isfinite(float(line.split(",")[5])) for line in lines[1:])

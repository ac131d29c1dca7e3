"""Stages that are left out change no token."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import tokenizers
from selector.idle_splits import _ONE_CLASS, variants

PIECES = ["the", " cat", "  ", "\n\n", "\t", "12", "3456789", "7", "don't", "<think>", "<｜end▁of▁sentence｜>", "<|EOT|>", "a1b2", "_x"]
PIECES += ["人工", "ひらカタ", "٣", "½", "é", "😀", "\x00", "\x7f", "!?", ".\r\n"]
LINES = st.lists(
    st.one_of(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.text(st.characters(max_codepoint=127))), max_size=8
)


@pytest.fixture(scope="module")
def deepseek():
    return tokenizers.load().backend


@settings(deadline=None, max_examples=300)
@given(LINES)
def test_the_same_ids_as_with_every_stage(strings):
    whole = tokenizers.load().backend
    expected = [one.ids for one in whole.encode_batch(strings, add_special_tokens=False)]
    assert tokenizers.load()._variants.encode(strings) == expected


def test_digits_and_cjk_are_left_out_where_there_are_none(deepseek):
    found = variants(deepseek)
    assert found.found.pattern == "[0123456789]"
    assert found._of("no figures") is found.bare
    assert found._of("3 figures") is found.ascii
    assert found._of("人") is found._of("é") is found.whole
    assert len({id(one) for one in (found.whole, found.ascii, found.bare)}) == 3


def made(deepseek, edit):
    from tokenizers import Tokenizer, models, pre_tokenizers

    whole, stages = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?")), pre_tokenizers.Sequence([])
    stages.__setstate__(json.dumps({"type": "Sequence", "pretokenizers": edit}).encode())
    whole.pre_tokenizer = stages
    return whole


def split(pattern, **more):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False} | more


@pytest.mark.parametrize(
    "stages",
    [
        [],
        [split("a?")],  # finds the empty string everywhere
        [split("[0-9]*")],
        [split("[0-9]+", invert=True)],
        [split("ab")],
        [split("[^a]+")],
        [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}, split("[é]+")],
    ],
)
def test_other_stages_stay(deepseek, stages):
    whole = made(deepseek, stages)
    found = variants(whole)
    assert found.whole is found.ascii is found.bare is whole


def test_a_normalizer_may_write_what_the_text_has_not(deepseek):
    from tokenizers.normalizers import Prepend, Replace

    whole = made(deepseek, [split("[0-9]+")])
    assert variants(whole).bare is not whole
    for normalizer in (Prepend("7"), Replace("a", "人")):
        whole.normalizer = normalizer
        assert variants(whole).bare is whole


def test_patterns_of_one_class():
    for yes in (r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", "[0-9]", r"\p{L}+", "[ab]{1,}"):
        assert _ONE_CLASS.fullmatch(yes)
    for no in (
        "[0-9]*",
        "[0-9]?",
        "[^0-9]+",
        r"[\d]+",
        "[a[b]]",
        "a",
        "[a]|b",
        r"\p{^N}+",
        "[a]{0,3}",
        "[a]{2,3}",
        "[a&&b]+",
        r"\P{N}+",
        "(?<=a)[b]",
    ):
        assert not _ONE_CLASS.fullmatch(no)

import logging
from collections import Counter
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selector import tokenizers
from selector.core import Room
from selector.errors import InputError, RecipeError
from selector.features import SparseVectors
from selector.layers import micro
from selector.layers.micro import Micro

from .test_tokenizers import Memory, texts

WORDS = ["the", " cat", " sat", " on", " mat", "人工智能", "改变", "世界", " talo", " yössä", "äiti", "\n", " 😀", " 7", "!"]
LINES = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map("".join), min_size=1, max_size=12)


def slow(strings, low, high, similarity):
    """The vectors, the mid band and the totals, by dictionaries."""
    backend = tokenizers.load().backend
    rows = [Counter(backend.encode(text, add_special_tokens=False).ids) for text in strings]
    total = Counter()
    for row in rows:
        total.update(row)
    middle = sorted(token for token, often in total.items() if low <= often <= high)
    frequency = {token: sum(token in row for row in rows) for token in middle}
    vectors = np.zeros((len(rows), len(middle)))
    for i, row in enumerate(rows):
        for j, token in enumerate(middle):
            if token in row:
                idf = log(1 + len(rows) / frequency[token])
                vectors[i, j] = sqrt(idf) if similarity == "overlap" else (1 + log(row[token])) * idf
        if similarity == "cosine":
            vectors[i] /= sqrt((vectors[i] ** 2).sum()) or 1
    return vectors, middle, total


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.integers(1, 4), st.integers(0, 10), st.sampled_from(["overlap", "cosine"]))
def test_both_views_equal_the_slow_formula(strings, low, more, similarity):
    high = low + more
    expected, middle, total = slow(strings, low, high, similarity)
    layer, room = Micro(band=f"{low}:{high}", similarity=similarity), Room(Memory())
    if total and not middle:
        with pytest.raises(InputError, match="is empty"):
            layer.vectors(texts(strings), room)
        return
    vectors, types = layer.vectors(texts(strings), room), layer.types(texts(strings), room)
    assert isinstance(vectors, SparseVectors)
    assert vectors.data.shape == (len(strings), len(middle))
    assert np.allclose(vectors.data.toarray(), expected, atol=1e-6)
    assert np.array_equal(types.incidence.toarray(), expected > 0)
    assert len(set(types.names)) == len(types.names) == len(middle)
    assert types.facts == {key: value for key, value in vectors.facts.items() if key not in ("similarity", "weights")}
    facts = types.facts
    assert facts["types_total"] == len(total)
    assert facts["types_low"] == sum(often < low for often in total.values())
    assert facts["types_high"] == sum(often > high for often in total.values())
    assert facts["types_mid"] == len(middle)
    assert facts["tokens"] == sum(total.values())
    assert facts["rows_without_types"] == int((expected.sum(axis=1) == 0).sum())
    assert facts["types_per_row"] == pytest.approx((expected > 0).sum() / len(strings), abs=1e-4)


def test_rows_are_counted_in_blocks(monkeypatch):
    strings = [f"{WORDS[i % 15]}{WORDS[i % 7]} common" for i in range(40)]
    whole = Micro(band="1:20").vectors(texts(strings), Room(Memory())).data.toarray()
    monkeypatch.setattr(micro, "_BLOCK", 7)
    assert np.array_equal(Micro(band="1:20").vectors(texts(strings), Room(Memory())).data.toarray(), whole)


def test_types_carry_readable_names_in_any_language():
    strings = ["人工智能正在改变世界", "人工智能", "Hyvää yötä", "yötä talo"]
    types = Micro(band="2:3").types(texts(strings), Room(Memory()))
    assert "人工智能" in types.names
    assert types.incidence.has_sorted_indices
    assert types.incidence[:, [types.names.index("人工智能")]].toarray().ravel().tolist() == [1, 1, 0, 0]


def test_tokens_that_read_the_same_are_told_apart_by_their_ids():
    class Same:
        def names(self, ids):
            return ["x", "x", "y", "x #0"]

    assert micro._names(Same(), [0, 1, 2, 3]) == ["x #0", "x #1", "y #2", "x #0 #3"]

    class Two:
        def names(self, ids):
            return ["x", "x", "y"]

    assert micro._names(Two(), [4, 5, 6]) == ["x #4", "x #5", "y"]


def test_asking_for_both_views_counts_once(caplog):
    store, one = Memory(), texts(["a b a b", "b c"])
    with caplog.at_level(logging.INFO, "selector.layers.micro"):
        Micro(band="1:9").types(one, Room(store))
        Micro(band="1:9").vectors(one, Room(store))
        Micro(band="1:9").vectors(one, Room(store))
    assert len(caplog.records) == 1
    assert store.made == ["tokens", "micro"] or store.made == ["micro", "tokens"]
    Micro(band="1:9").vectors(one, Room(store))
    assert sorted(store.made) == ["micro", "tokens"]


def test_another_band_or_text_is_counted_anew():
    store, one = Memory(), texts(["a b a b", "b c"])
    wide = Micro(band="1:9").types(one, Room(store))
    narrow = Micro(band="2:9").types(one, Room(store))
    other = Micro(band="1:9").types(texts(["a b a b", "b d"]), Room(store))
    assert wide.incidence.shape[1] > narrow.incidence.shape[1]
    assert wide.names != other.names


def test_the_paper_s_band_and_small_pools():
    assert micro._bounds("auto", 117_000) == (10, 500)
    assert micro._bounds("auto", 1_170_000) == (100, 5000)
    assert micro._bounds("auto", 3_000) == (2, 13)
    assert micro._bounds("auto", 20) == (2, 10)
    assert micro._bounds(" 3 : 4 ", 20) == (3, 4)


@pytest.mark.parametrize("strings", [["one two three"], ["same words"] * 9, [""], ["", ""], []])
def test_auto_works_on_the_smallest_pools(strings):
    vectors = Micro(similarity="cosine").vectors(texts(strings), Room(Memory()))
    rows = np.asarray((vectors.data.multiply(vectors.data)).sum(axis=1)).ravel()
    assert np.allclose(rows, [1.0 if text else 0.0 for text in strings])
    assert Micro(band="auto").types(texts(strings), Room(Memory())).size == len(strings)


@pytest.mark.parametrize(("similarity", "own"), [("cosine", 1.0), ("overlap", 3 * log(2))])
def test_equal_rows_are_alike_although_every_row_has_every_token(similarity, own):
    vectors = Micro(band="2:50", similarity=similarity).vectors(texts(["same words here"] * 20), Room(Memory()))
    rows = np.arange(20)
    assert np.allclose(vectors.products(rows, rows), own, atol=1e-6)


def test_overlap_is_the_idf_of_shared_tokens_and_another_word_for_it_is_an_error():
    strings = ["cat mat", "cat sat", "cat mat sat", "dog"]
    products = Micro(band="1:9").vectors(texts(strings), Room(Memory())).products(np.arange(4), np.arange(4))
    backend = tokenizers.load().backend
    rows = [set(backend.encode(text, add_special_tokens=False).ids) for text in strings]
    idf = {token: log(1 + 4 / sum(token in row for row in rows)) for token in set.union(*rows)}
    assert np.allclose(products, [[sum(idf[token] for token in left & right) for right in rows] for left in rows], atol=1e-6)
    with pytest.raises(RecipeError, match="the similarity is 'jaccard'; write overlap"):
        Micro(similarity="jaccard")


def test_a_row_without_mid_band_tokens_is_a_zero_row():
    strings = ["common rare"] + ["common words"] * 3
    vectors = Micro(band="3:3").vectors(texts(strings), Room(Memory()))
    assert vectors.data[[0]].nnz == 0
    assert vectors.facts["rows_without_types"] == 1


def test_an_empty_band_says_what_there_is_and_what_to_do():
    with pytest.raises(InputError, match=r"band '10:500' is empty.*2 responses.*the most frequent one 1\..*auto"):
        Micro(band="10:500").types(texts(["a b", "b"]), Room(Memory()))


@pytest.mark.parametrize("band", ["", "10", "10-500", "500:10", "0:5", "-1:5", "a:b", "1:2:3", ":", 10, None])
def test_a_band_that_means_nothing(band):
    with pytest.raises(RecipeError, match="Write for instance 10:500"):
        Micro(band=band)


def test_stored_arrays_may_be_read_only():
    class Frozen(Memory):
        def arrays(self, kind, key, make):
            made = super().arrays(kind, key, make)
            for array in made.values():
                array.flags.writeable = False
            return made

    one = texts(["a b a", "b c"])
    Micro(band="1:9").vectors(one, Room(Frozen()))
    Micro(band="1:9").types(one, Room(Frozen()))

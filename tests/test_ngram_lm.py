"""The n-gram model is modified Kneser-Ney, to the letter of its definition."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import ngram_lm
from selector.core import Tokens
from selector.errors import InputError, RecipeError

BEGIN, END = "begin", "end"


def ragged(texts):
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return Tokens(np.array([token for text in texts for token in text], np.int32), starts)


def slow(texts, vocabulary, order):
    """p(token | history) by dictionaries, from Chen and Goodman 1999; `history` is a tuple of order - 1 symbols."""
    whole = Counter()
    for text in texts:
        symbols = [BEGIN] * (order - 1) + list(text) + [END]
        whole.update(tuple(symbols[at - order + 1 : at + 1]) for at in range(order - 1, len(symbols)))
    counts = {order: whole}
    for length in range(order - 1, 0, -1):
        counts[length] = Counter(gram[1:] for gram in counts[length + 1])  # how many different tokens stand before
    discounts = {}
    for length, grams in counts.items():
        n = Counter(grams.values())
        if all(n[times] for times in (1, 2, 3, 4)):
            y = n[1] / (n[1] + 2 * n[2])
            found = [0.0, *(times - (times + 1) * y * n[times + 1] / n[times] for times in (1, 2, 3))]
            if all(0 <= found[times] <= times for times in (1, 2, 3)):
                discounts[length] = found
                continue
        discounts[length] = [0.0, 0.5, 1.0, 1.5]
    follow = defaultdict(dict)
    for grams in counts.values():
        for gram, times in grams.items():
            follow[gram[:-1]][gram[-1]] = times

    def p(token, history):
        shorter = p(token, history[1:]) if history else 1 / (vocabulary + 1)
        after = follow.get(history)
        if not after:
            return shorter
        cut = discounts[len(history) + 1]
        taken = sum(cut[min(3, times)] for times in after.values())
        times = after.get(token, 0)
        return (max(0.0, times - cut[min(3, times)]) + taken * shorter) / sum(after.values())

    return p


TEXTS = st.lists(st.lists(st.integers(0, 4), max_size=8), min_size=1, max_size=8)


@settings(max_examples=60)
@given(TEXTS, TEXTS, st.integers(1, 4))
def test_it_is_its_definition(texts, others, order):
    p = slow(texts, 6, order)
    found, starts = ngram_lm.train(ragged(texts), 6, order).log_probabilities(ragged(others))
    wanted = []
    for text in others:
        symbols = [BEGIN] * (order - 1) + list(text) + [END]
        wanted += [np.log(p(symbols[at], tuple(symbols[at - order + 1 : at]))) for at in range(order - 1, len(symbols))]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    assert starts.tolist() == np.concatenate([[0], np.cumsum([len(text) + 1 for text in others])]).tolist()


def test_discounts_are_estimated_where_the_counts_allow():
    rng = np.random.default_rng(0)
    texts = [list(rng.zipf(1.6, 30) % 50) for _ in range(200)]
    model, p = ngram_lm.train(ragged(texts), 60, 3), slow(texts, 60, 3)
    assert all(one.discounts != ngram_lm.BACKOFF for one in model.orders[1:])
    for history in ([], [1], [1, 2], [59, 1], [59, 58]):
        padded = tuple([BEGIN] * 2 + history)[-2:]
        wanted = [p(token, padded) for token in range(60)] + [p(END, padded)]
        np.testing.assert_allclose(model.probabilities(history), wanted, rtol=1e-10)


@settings(max_examples=30)
@given(TEXTS, st.lists(st.integers(0, 5), max_size=4), st.integers(1, 4))
def test_probabilities_add_up_to_one(texts, history, order):
    assert ngram_lm.train(ragged(texts), 6, order).probabilities(history).sum() == pytest.approx(1.0, abs=1e-12)


def test_more_of_the_same_text_makes_it_likelier():
    rng = np.random.default_rng(1)
    text = [list(rng.integers(0, 40, 20)) for _ in range(100)]
    held = ragged([text[0]])
    means = [ngram_lm.train(ragged(text[:rows]), 40).log_probabilities(held)[0].mean() for rows in (1, 10, 100)]
    unseen = ngram_lm.train(ragged(text[1:]), 40).log_probabilities(held)[0].mean()
    assert means[2] > unseen


def test_what_is_wrong_is_named():
    with pytest.raises(RecipeError, match="order of the n-gram model is 6; write 1 to 5"):
        ngram_lm.train(ragged([[1]]), 5, 6)
    with pytest.raises(InputError, match="id 7, but the vocabulary has 5 tokens"):
        ngram_lm.train(ragged([[7]]), 5)
    with pytest.raises(InputError, match="at least one text"):
        ngram_lm.train(ragged([]), 5)

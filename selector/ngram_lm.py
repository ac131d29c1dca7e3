"""An interpolated n-gram model over tokens: what a set of texts teaches, in a second, without a neural network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.core import Tokens
from selector.errors import InputError, RecipeError, plural

WARNING = (
    "a proxy: an n-gram model knows only the runs of tokens that it saw, so it favours sets that cover many tokens, by construction; "
    "it says nothing about what a language model learns from them"
)
BACKOFF = (0.5, 1.0, 1.5)  # discounts where too few n-grams were counted to estimate them, as KenLM's --discount_fallback
LONGEST = 5

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length: `keys` are (number of the history, token), ascending; what each adds and what its history leaves."""

    keys: Ints  # (N,) history * width + token; the place here is the n-gram's number
    share: Floats  # (N,) discounted count over the history's count
    total: Floats  # (H,) count of each history; 0 where it was never one
    left: Floats  # (H,) weight of the shorter histories: what the discounts took away
    discounts: tuple[float, float, float]


@dataclass(frozen=True)
class NgramLM:
    """Modified Kneser-Ney of a fixed order, interpolated down to all tokens alike.

    p(w | h) = max(0, c(hw) - D(c(hw))) / c(h) + left(h) p(w | h'), h' without its first token, where c counts in the longest order
    how often, in the shorter ones after how many different tokens; D(1), D(2), D(3 and more) from the counts of counts, order by order
    (Chen and Goodman 1999, eqs. 17 and 26). Below one token every token of the vocabulary and the end of a text has 1 / (V + 1).
    Each text begins after order - 1 marks of its beginning, which are never predicted, and ends with a mark that is.
    """

    order: int
    vocabulary: int  # V
    orders: tuple[_Order, ...]  # of length 1 to `order`

    def log_probabilities(self, tokens: Tokens) -> tuple[Floats, Ints]:
        """ln p of every token and of every text's end, text after text, and (n + 1,) where each begins. O(N log M)."""
        grams, starts = _windows(tokens, self.order, self.vocabulary)
        return np.log(self._probabilities(grams)), starts

    def probabilities(self, history: Sequence[int]) -> Floats:
        """(V + 1,) of every token and, last, of the end, after these tokens of one text."""
        width = self.vocabulary + 2
        before = [self.vocabulary + 1] * (self.order - 1) + list(history)
        grams = np.empty((self.vocabulary + 1, self.order), np.int64)
        grams[:, :-1] = before[len(before) - self.order + 1 :]
        grams[:, -1] = np.arange(width - 1)
        return self._probabilities(grams)

    def _probabilities(self, grams: Ints) -> Floats:
        width = self.vocabulary + 2
        found = np.full(len(grams), 1.0 / (self.vocabulary + 1))
        for length, one in enumerate(self.orders, start=1):
            history = np.zeros(len(grams), np.int64)  # its number, -1 where it was never seen
            for place, shorter in enumerate(self.orders[: length - 1]):
                history = _numbers(shorter.keys, history, grams[:, self.order - length + place], width)
            number = _numbers(one.keys, history, grams[:, -1], width)
            known = (history >= 0) & (one.total[history] > 0)
            share = np.where(number >= 0, one.share[number], 0.0)
            found = np.where(known, share + one.left[history] * found, found)
        return found


def train(tokens: Tokens, vocabulary: int, order: int = 3) -> NgramLM:
    """The model of these texts. `vocabulary` is above every token id, the same for all models that are to be compared.

    O(N log N) for N tokens, 8 to 24 bytes for each different n-gram: a million tokens take about two seconds at order 3. Raises
    RecipeError for an order that is not 1 to 5, InputError for ids beyond the vocabulary or no text.
    """
    if not 1 <= order <= LONGEST:
        raise RecipeError(f"the order of the n-gram model is {order}; write 1 to {LONGEST}.")
    if len(tokens.starts) < 2:
        raise InputError("an n-gram model needs at least one text to learn from; this set has none.")
    if int(tokens.ids.max(initial=0)) >= vocabulary:
        raise InputError(f"a token has the id {int(tokens.ids.max())}, but the vocabulary has {plural(vocabulary, 'token')}.")
    grams, _ = _windows(tokens, order, vocabulary)
    width = vocabulary + 2
    # Shorter n-grams count by how many different tokens stand before them, so each order starts from the different ones of the next.
    seen = [np.empty((0, 0), np.int64)] * order
    counts = [np.empty(0, np.int64)] * order
    seen[-1], counts[-1] = _distinct(grams, width)
    shorter = seen[-1]
    for length in range(order - 1, 0, -1):
        shorter, times = _distinct(shorter[:, 1:], width)
        # What stands before the first token is a history as well, though it is never predicted: it is there, and counts for nothing.
        seen[length - 1] = np.concatenate([shorter, np.full((1, length), vocabulary + 1)])
        counts[length - 1] = np.append(times, 0)
    orders: list[_Order] = []
    for length in range(1, order + 1):
        orders.append(_order(seen[length - 1], counts[length - 1], orders, width))
    return NgramLM(order, vocabulary, tuple(orders))


def _windows(tokens: Tokens, order: int, vocabulary: int) -> tuple[Ints, Ints]:
    """(N, order) each token with those before it, the end of each text as `vocabulary` and its beginning as the number after."""
    lengths = tokens.lengths
    starts = np.concatenate([[0], np.cumsum(lengths + 1)])
    padded = np.full(int(starts[-1]) + (order - 1) * len(lengths), vocabulary + 1, np.int64)
    begins = starts[:-1] + (order - 1) * np.arange(1, len(lengths) + 1)  # where each text's first token is
    place = np.arange(len(tokens.ids)) - np.repeat(tokens.starts[:-1], lengths) + np.repeat(begins, lengths)
    padded[place] = tokens.ids
    padded[begins + lengths] = vocabulary
    predicted = np.arange(int(starts[-1])) - np.repeat(starts[:-1], lengths + 1) + np.repeat(begins, lengths + 1)
    return padded[predicted[:, None] + np.arange(1 - order, 1)], starts


def _distinct(grams: Ints, width: int) -> tuple[Ints, Ints]:
    """The different rows, in order, and how often each stands there."""
    number = np.zeros(len(grams), np.int64)
    for column in grams.T:  # numbers instead of powers of the width, which would pass 63 bits
        _, number = np.unique(number * width + column, return_inverse=True)
    _, first, counts = np.unique(number, return_index=True, return_counts=True)
    return grams[first], counts


def _order(grams: Ints, counts: Ints, shorter: Sequence[_Order], width: int) -> _Order:
    histories = len(shorter[-1].keys) if shorter else 1
    history = np.zeros(len(grams), np.int64)
    for place, one in enumerate(shorter):
        history = _numbers(one.keys, history, grams[:, place], width)
    keys = history * width + grams[:, -1]
    turn = np.argsort(keys)
    keys, counts, history = keys[turn], counts[turn], history[turn]
    discounts = _discounts(counts)
    total = np.bincount(history, counts, histories).astype(np.float64)
    taken = np.array((0.0, *discounts))[np.minimum(counts, 3)]
    left = np.bincount(history, taken, histories).astype(np.float64)
    with np.errstate(invalid="ignore"):
        weight = np.where(total > 0, left / total, 1.0)
    return _Order(keys, (counts - taken) / total[history], total, weight, discounts)


def _discounts(counts: Ints) -> tuple[float, float, float]:
    """D(1), D(2), D(3 and more) of Chen and Goodman, eq. 26; BACKOFF where the counts of counts allow none."""
    n1, n2, n3, n4 = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    if not all((n1, n2, n3, n4)):
        return BACKOFF
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return found if all(0 <= one <= most for one, most in zip(found, (1, 2, 3), strict=True)) else BACKOFF


def _numbers(keys: Ints, history: Ints, token: Ints, width: int) -> Ints:
    """The number of each n-gram made of a history and a token; -1 where it was never seen."""
    wanted = history * width + token
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((history >= 0) & (keys[at] == wanted), at, -1)

"""Vocabulary: how rich a set's tokens are, and how fast new ones come as it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import Aspect, Reading, Rows, Scale

DRAWN = 42  # tokens (McCarthy and Jarvis 2007)
HALVINGS = 6  # the growth is looked at from 1/64 of the tokens to all of them


@dataclass(frozen=True)
class Vocabulary:
    """HD-D and Heaps' exponent: how rich the LLM tokens are, and how fast new ones come as the set grows.

    With N tokens in the set, n_t of them token t, V(m) = sum_t 1 - C(N - n_t, m) / C(N, m) is how many different tokens m of them hold
    on average when drawn at random (Hurlbert 1971), exactly and without drawing.
    HD-D = V(42) / 42 (McCarthy and Jarvis 2007): the same for any size of the set. Larger is more diverse.
    Heaps' exponent (Heaps 1978): the slope of ln V(m) on ln m by least squares at m = N, N / 2 ... N / 64; larger: the vocabulary goes on
    growing. Neither is in the paper. O(tokens of the set); no reading (NaN) under 42 tokens, or 128 for the exponent.
    """

    layer: str = "surface"
    layers: ClassVar[tuple[str, ...]] = ("surface",)
    scales: ClassVar[tuple[Scale, ...]] = (Scale("HD-D", 1), Scale("Heaps exponent", 1))

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        from selector.kernels.ngrams import occurrences

        tokens = aspect.tokens()
        width = int(tokens.ids.max(initial=-1)) + 1

        def read(rows: Rows) -> list[Reading]:
            counts = occurrences(tokens, rows, width)
            total = int(counts.sum())
            hdd = expected(counts, DRAWN) / DRAWN if total >= DRAWN else float("nan")
            return [Reading(hdd), Reading(_exponent(counts, total))]

        return read


def expected(counts: NDArray[np.int64], drawn: int) -> float:
    """V(m): different tokens among m = `drawn` of them, drawn without replacement, on average. `counts` are occurrences."""
    from scipy.special import gammaln

    frequency, types = np.unique(counts[counts > 0], return_counts=True)  # tokens that occur equally often are one term
    total = int(counts.sum())
    rest = total - frequency  # tokens that are another one
    if drawn == DRAWN:  # a product of few factors is exact where differences of logarithms are not
        missed = np.prod([np.maximum(0, rest - k) / (total - k) for k in range(DRAWN)], axis=0)
    else:
        enough = rest >= drawn
        left = np.where(enough, rest, drawn)
        logs = gammaln(left + 1) - gammaln(left - drawn + 1) - gammaln(total + 1) + gammaln(total - drawn + 1)
        missed = np.where(enough, np.exp(logs), 0.0)
    return float(types @ (1 - missed))


def _exponent(counts: NDArray[np.int64], total: int) -> float:
    if total >> HALVINGS < 2:
        return float("nan")
    sizes = [total >> halving for halving in range(HALVINGS + 1)]
    seen = [expected(counts, size) for size in sizes]
    return float(np.polyfit(np.log(sizes), np.log(seen), 1)[0])

"""Token bands: how evenly a set's tokens are spread, and which share of them is rare, middling and frequent in the pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import Aspect, Reading, Rows, Scale


@dataclass(frozen=True)
class TokenBands:
    """Entropy of the LLM tokens, and the shares of tokens that are rare, of the mid band, and frequent in the pool.

    Entropy = -sum_t p_t log2 p_t in bits over all tokens of the set, p_t the share of token t. Larger is more diverse; it grows with the
    set. Correlation with the judge's score (arXiv 2505.24768): .04 on instructions, .58 on responses.
    Shares: of the set's tokens, how many are tokens that occur fewer times than the mid band of the micro layer asks for, as often, and
    more often, counted in all rows; the three add up to 1. They describe (names and typos, what the layer counts, function words) and
    have no direction. O(tokens of the set).
    """

    layer: str = "micro"
    layers: ClassVar[tuple[str, ...]] = ("micro",)
    scales: ClassVar[tuple[Scale, ...]] = (
        Scale("token entropy", 1),
        Scale("low-band share", 0),
        Scale("mid-band share", 0),
        Scale("high-band share", 0),
    )

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        from selector.kernels.ngrams import occurrences

        tokens, facts = aspect.tokens(), aspect.types(self.layer).facts
        width = int(tokens.ids.max(initial=-1)) + 1
        everywhere = occurrences(tokens, np.arange(aspect.size), width)
        low, high = everywhere < facts["low"], everywhere > facts["high"]

        def read(rows: Rows) -> list[Reading]:
            counts = occurrences(tokens, rows, width)
            total = int(counts.sum())
            if not total:
                return [Reading(float("nan"))] * len(self.scales)
            shares = counts[counts > 0] / total
            bands = [int(counts[band].sum()) / total for band in (low, ~(low | high), high)]
            return [Reading(float(-(shares @ np.log2(shares)))), *(Reading(band) for band in bands)]

        return read

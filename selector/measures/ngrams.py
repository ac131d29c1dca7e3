"""N-grams: how many different ones, and how much of each text stands in another one too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import Aspect, Gains, Reading, Rows, Scale

LONGEST = 4  # tokens of an n-gram, as in BLEU-4 and in self-repetition
UNSEEN = 0.1  # counts for an n-gram length of which a text shares nothing (method 1 of Chen and Cherry 2014)


@dataclass(frozen=True)
class Ngrams:
    """Different 1- and 2-grams of LLM tokens, self-BLEU and self-repetition: how much of each text stands in others too.

    n-gram ratio: different n-grams / all n-grams, none across two texts (Li et al. 2016, distinct-n; Shaib et al., arXiv 2403.00553).
    It falls as a set grows, so compare at equal size and length. Correlation with the judge's score (arXiv 2505.24768): 1-grams -.36 on
    instructions, -.47 on responses; 2-grams -.14, -.41.

    self-BLEU: the mean over texts of BLEU-4 with all other texts as references (Zhu et al. 2018), exact. BLEU = min(1, e^(1 - r / c))
    exp(mean_n ln p_n) over the lengths n <= 4 that the text has (c tokens, r those of the other text nearest in length, the shorter on
    ties); p_n = n-grams that another text holds too, each at most as often as one other holds it / n-grams of the text; 0.1 stands for
    such a count of 0, and a text that shares no token has BLEU 0. Smaller is more diverse. Correlation: .42, -.02.

    self-repetition: the mean over texts of ln(1 + sum over its different 4-grams of the number of other texts with that 4-gram)
    (Salkar et al. 2022; Shaib et al.). Smaller is more diverse. Not in the paper.

    Texts without tokens count in no mean. O(tokens of the set) for a reading; 8 bytes for each n-gram of a text while prepared.
    """

    layer: str = "surface"
    layers: ClassVar[tuple[str, ...]] = ("surface",)
    scales: ClassVar[tuple[Scale, ...]] = (
        Scale("1-gram ratio", 1),
        Scale("2-gram ratio", 1),
        Scale("self-BLEU", -1),
        Scale("self-repetition", -1),
    )

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        from selector.kernels.ngrams import shared

        tokens = aspect.tokens()
        lengths, grams = tokens.lengths, list(shared(tokens, LONGEST))

        def read(rows: Rows) -> list[Reading]:
            rows = rows[lengths[rows] > 0]
            if len(rows) < 2:
                return [Reading(float("nan"))] * len(self.scales)
            ratios = [grams[n - 1].distinct(rows) / max(1, np.maximum(0, lengths[rows] - n + 1).sum()) for n in (1, 2)]
            bleu = _bleu(lengths[rows], [one.clipped(rows) for one in grams])
            repetition = np.log1p(grams[-1].elsewhere(rows))
            return [*(Reading(float(one)) for one in ratios), Reading(float(bleu.mean())), Reading(float(repetition.mean()))]

        return read


def _bleu(lengths: NDArray[np.int64], matched: Sequence[NDArray[np.int64]]) -> Gains:
    """(m,) BLEU of each text, given its tokens and for each n its n-grams that are matched."""
    logs, lengths_had = np.zeros(len(lengths)), np.minimum(lengths, len(matched))
    for n, found in enumerate(matched, start=1):
        has = lengths >= n
        precision = np.where(found > 0, found, UNSEEN) / np.maximum(1, lengths - n + 1)
        logs += np.where(has, np.log(precision), 0.0)
    brevity = np.minimum(0.0, 1.0 - nearest_length(lengths) / lengths)
    return np.where(matched[0] > 0, np.exp(brevity + logs / lengths_had), 0.0)


def nearest_length(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) the length of the other text that is nearest in length, the shorter on ties; m is at least 2."""
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    far = np.iinfo(np.int64).max // 4
    shorter, longer = np.concatenate([[-far], ascending[:-1]]), np.concatenate([ascending[1:], [far]])
    nearest = np.empty_like(lengths)
    nearest[order] = np.where(ascending - shorter <= longer - ascending, shorter, longer)
    return nearest

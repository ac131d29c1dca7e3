"""Thin, as random or diverse: one verdict on each layer and side, from all its judged scales together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Reading
from selector.measuring import Gauge, Readings

LEVEL = 0.05  # of calling any of the places of one dataset thin or diverse where it is a random set
RULE = (
    "thin or diverse: the mean of the z of its judged measures lies outside what random sets of the same size reach, "
    "two-sided t test at 5 % over all verdicts together (Bonferroni); else as random"
)


@dataclass(frozen=True)
class Verdict:
    """What is said of one layer on one side.

    `word` is 'thin', 'as random' or 'diverse', or 'no verdict' where random sets do not differ; `t` is negative on the thin side;
    `percentile` is where that t stands among random sets, by the t distribution.
    """

    side: str
    layer: str
    word: str
    t: float | None
    percentile: float | None

    @property
    def said(self) -> str:
        """`thin: 4th percentile`, or only the word where nothing more is known."""
        return self.word if self.percentile is None else f"{self.word}: {ordinal(self.percentile)} percentile"

    def __str__(self) -> str:
        return f"{self.side}/{self.layer}: {self.said} of random"


def verdicts(of: Readings, references: Sequence[Readings], level: float = LEVEL) -> list[Verdict]:
    """One for each layer and side with judged scales, in the order in which they were read.

    With R random sets, z_s of scale s is (value - mean) / sd over them, its sign turned so that larger is more diverse, and M the mean
    of z_s over the judged scales. The same M of each random set against the R - 1 others gives what M is by chance:
    t = (M - mean) / (sd sqrt(1 + 1 / R)) has a t distribution with R - 1 degrees of freedom where the set is a random one, since a
    new set is predicted from R. A word other than 'as random' needs p <= `level` / verdicts, two-sided (Bonferroni). Tried on normal
    numbers with R = 20 a random set is called anything else at one place in 170 to 360, where 1 in 120 is allowed at a level of 5 %.
    """
    places = list(dict.fromkeys((gauge.side, gauge.layer) for gauge in of if gauge.scale.judged))
    return [_verdict(side, layer, of, references, level / len(places)) for side, layer in places]


def limit(references: int, places: int, level: float = LEVEL) -> float:
    """The |t| up to which one of so many places is as random; infinite below 3 references."""
    from scipy.stats import t as student

    return float(student.isf(level / places / 2, references - 1)) if references >= 3 else float("inf")


def ordinal(percentile: float) -> str:
    """1st, 42nd, 99.5th; beyond the last tenth, below 0.1th."""
    if percentile < 0.1 or percentile > 99.9:
        return "below 0.1th" if percentile < 50 else "above 99.9th"
    if not 1 <= percentile <= 99:
        return f"{percentile:.1f}th"
    number = round(percentile)
    return f"{number}{'th' if 10 <= number % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _verdict(side: str, layer: str, of: Readings, references: Sequence[Readings], level: float) -> Verdict:
    from scipy.stats import t as student

    judged = [gauge for gauge in of if (gauge.side, gauge.layer) == (side, layer) and gauge.scale.judged]
    signs = np.array([gauge.scale.direction for gauge in judged], np.float64)
    value = _values(of, judged) * signs  # (S,)
    others = np.array([_values(one, judged) for one in references]).reshape(len(references), len(judged)) * signs  # (R, S)
    usable = np.isfinite(value) & np.isfinite(others).all(axis=0)
    if len(references) >= 3:
        usable &= others.std(axis=0) > 1e-12 * np.abs(others.mean(axis=0))
    if len(references) < 3 or not usable.any():
        return Verdict(side, layer, "no verdict", None, None)
    value, others = value[usable], others[:, usable]
    mean = _mean_z(value, others)
    chance = np.array([_mean_z(others[one], np.delete(others, one, axis=0)) for one in range(len(others))])
    count = len(others)
    statistic = float((mean - chance.mean()) / (chance.std(ddof=1) * np.sqrt(1 + 1 / count)))
    below = float(student.cdf(statistic, count - 1))
    word = "as random" if 2 * min(below, 1 - below) > level else "thin" if statistic < 0 else "diverse"
    return Verdict(side, layer, word, statistic, 100 * below)


def _values(of: Mapping[Gauge, Reading], gauges: Sequence[Gauge]) -> Gains:
    return np.array([of[gauge].value for gauge in gauges], np.float64)


def _mean_z(value: Gains, others: NDArray[np.float64]) -> float:
    spread = others.std(axis=0, ddof=1)
    varies = spread > 0  # a scale on which only this one differs says nothing
    return float(((value - others.mean(axis=0))[varies] / spread[varies]).mean()) if varies.any() else 0.0

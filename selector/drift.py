"""What of a new batch lies outside what chance gives: at each layer and side, in what has no direction, and in shares of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selector.measuring import Readings, standing
from selector.verdicts import Verdict, verdicts

DRAWS = 19_999  # of the shares of a column
DIVERSITY, PLAIN, SHARES = "diversity", "no direction", "shares"
OUTSIDE = ("thin", "diverse", "lower", "higher", "differs")  # words for what has drifted
NO_VERDICT = "no verdict"


@dataclass(frozen=True)
class Watched:
    """One thing that is watched: a layer of a side, a figure without direction, or the shares of a column's values.

    `word` is 'thin', 'diverse' or 'as random' of diversity; 'lower', 'higher' or 'as random' of a figure; 'differs' or 'as random' of
    shares; 'no verdict' where random sets do not differ. Outside is |statistic| > limit. `of` names the judged measure, or the value of the
    column, that lies farthest out; `usual` and `sd` are what random sets have of it.
    """

    name: str
    kind: str
    word: str
    statistic: float | None = None  # t; of shares chi-square
    limit: float | None = None
    of: str | None = None
    value: float | None = None
    usual: float | None = None
    sd: float | None = None
    error: float | None = None  # of a figure: what one unit of the statistic is, sd sqrt(1 + 1 / R)

    @property
    def beyond(self) -> float:
        """How many times the limit the statistic is."""
        return abs(self.statistic) / self.limit if self.statistic is not None and self.limit else 0.0


@dataclass(frozen=True)
class Counts:
    """How many rows of a batch, and of what it is held against, have each value of a column."""

    batch: Mapping[str, int]
    base: Mapping[str, int]


def watched(
    of: Readings, references: Sequence[Readings], columns: Mapping[str, Counts], level: float, rng: np.random.Generator
) -> list[Watched]:
    """Everything that is watched of a batch, held against random sets of its size from the batch and its base together.

    Where nothing has changed the batch is itself such a random set, so any of its layers and sides is called thin or diverse with
    probability `level` (or less) in all, and anything else is called changed with probability `level` in all: each of m figures and
    columns at level / m (Bonferroni). Of R random sets a figure's t = z / sqrt(1 + 1 / R) has R - 1 degrees of freedom. Shares are
    tested by chi-square against 19,999 draws of the batch's rows from all rows, without replacement.
    """
    said = verdicts(of, references, level)
    places = [_place(one, of, references, level / len(said)) for one in said]
    plain = {gauge: reading.value for gauge, reading in of.items() if not gauge.scale.direction}
    told = {gauge: standing(value, [one[gauge].value for one in references]) for gauge, value in plain.items()}
    tests = sum(one.z is not None for one in told.values()) + len(columns)
    figures = []
    for gauge, stands in told.items():
        name = f"{gauge.scale.name} at {gauge.side}/{gauge.layer}"
        if stands.z is None:
            figures.append(Watched(name, PLAIN, NO_VERDICT))
            continue
        wider = float(np.sqrt(1 + 1 / len(references)))  # one more set is predicted from R
        statistic = stands.z / wider
        limit = _limit(level / tests, len(references))
        word = "as random" if abs(statistic) <= limit else "lower" if statistic < 0 else "higher"
        figures.append(
            Watched(name, PLAIN, word, statistic, limit, gauge.scale.name, plain[gauge], stands.mean, stands.sd, (stands.sd or 0.0) * wider)
        )
    return [*places, *figures, *(_shares(name, counts, level / tests, rng) for name, counts in columns.items())]


def _place(said: Verdict, of: Readings, references: Sequence[Readings], level: float) -> Watched:
    name = f"{said.side}/{said.layer}"
    if said.t is None or not np.isfinite(said.t):
        return Watched(name, DIVERSITY, NO_VERDICT)
    farthest, most, stood = None, -np.inf, None
    for gauge, reading in of.items():
        if (gauge.side, gauge.layer) == (said.side, said.layer) and gauge.scale.judged:
            stands = standing(reading.value, [one[gauge].value for one in references])
            if stands.z is not None and (out := gauge.scale.direction * stands.z * np.sign(said.t)) > most:
                farthest, most, stood = gauge, float(out), stands
    limit = _limit(level, len(references))
    if farthest is None or stood is None:
        return Watched(name, DIVERSITY, said.word, said.t, limit)
    return Watched(name, DIVERSITY, said.word, said.t, limit, farthest.scale.name, of[farthest].value, stood.mean, stood.sd)


def _shares(name: str, counts: Counts, level: float, rng: np.random.Generator) -> Watched:
    """Chi-square of the batch's counts against what all rows together let one expect, and its limit among random draws."""
    values = sorted({*counts.batch, *counts.base})
    own = np.array([counts.batch.get(value, 0) for value in values])  # (L,)
    every = own + np.array([counts.base.get(value, 0) for value in values])
    if len(values) < 2:
        return Watched(name, SHARES, NO_VERDICT)
    rows, whole = int(own.sum()), int(every.sum())
    expected = rows * every / whole
    drawn = rng.multivariate_hypergeometric(every, rows, size=DRAWS)  # (DRAWS, L)
    by_chance = np.sort(((drawn - expected) ** 2 / expected).sum(axis=1))
    statistic = float(((own - expected) ** 2 / expected).sum())
    # Outside: fewer than level * (DRAWS + 1) of the draws and the batch itself are as large or larger.
    limit = float(by_chance[-max(1, int(level * (DRAWS + 1)))])
    sd = np.sqrt(expected * (1 - every / whole) * (whole - rows) / (whole - 1))
    at = int(np.argmax(np.abs(own - expected) / np.where(sd > 0, sd, np.inf)))
    word = "differs" if statistic > limit else "as random"
    return Watched(
        name, SHARES, word, statistic, limit, values[at], float(own[at] / rows), float(expected[at] / rows), float(sd[at] / rows)
    )


def _limit(level: float, references: int) -> float:
    from scipy.stats import t as student

    return float(student.ppf(1 - level / 2, references - 1))

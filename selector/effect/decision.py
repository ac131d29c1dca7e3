"""Where to put the budget: gains at a size, which strategy is best, what choosing it may cost, which runs to add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selector.effect.slopes import Estimate
from selector.effect.student import Student

GRID = 2_000  # points of the integral over shares of probability


@dataclass(frozen=True)
class Choice:
    """One strategy as a candidate."""

    strategy: str
    gain: float  # expected, from 0 to 100 %, in points of the score; above 0 is better
    p_best: float
    regret: float  # expected gain of the best strategy, whichever that is, minus this one's


@dataclass(frozen=True)
class Candidate:
    """Runs that could be added, and how well the gain, or the difference of two gains, would be known then."""

    runs: tuple[tuple[str, float, int], ...]  # strategy, level from 0 to 1, size
    before: float  # scale of what is to be known, in points
    after: float


def choices(gains: Mapping[str, Student]) -> list[Choice]:
    """The strategies by falling probability of being best, from gains that are known independently.

    P(k best) = integral over u in (0, 1) of prod_{j != k} F_j(Q_k(u)), Q the quantile function of k and F the distribution of j; expected
    regret of k = E[max_j gain_j] - E[gain_k], the first by the same integral over Q_k. Midpoint rule, the same for every run.
    Infinite where a gain has fewer than two degrees of freedom: it has no mean.
    """
    shares = (np.arange(GRID) + 0.5) / GRID
    best, largest = {}, 0.0
    for name, own in gains.items():
        values = own.quantile(shares)  # (GRID,)
        wins = np.prod([other.below(values) for one, other in gains.items() if one != name] or [np.ones(GRID)], axis=0)
        best[name] = float(wins.mean())
        largest += float((values * wins).mean())
    total = sum(best.values())
    mean = all(one.df > 1 for one in gains.values())
    found = [
        Choice(name, own.place, best[name] / total, max(0.0, largest / total - own.place) if mean else float("inf"))
        for name, own in gains.items()
    ]
    return sorted(found, key=lambda one: -one.p_best)


def choices_drawn(gains: Mapping[str, np.ndarray]) -> list[Choice]:
    """The same from joint draws, one array for each strategy."""
    table = np.array(list(gains.values()))  # (strategies, draws)
    best, largest = table.argmax(axis=0), table.max(axis=0).mean()
    found = [
        Choice(name, float(own.mean()), float((best == place).mean()), float(largest - own.mean()))
        for place, (name, own) in enumerate(gains.items())
    ]
    return sorted(found, key=lambda one: -one.p_best)


def next_runs(rivals: Sequence[Estimate], size: int, number: int) -> list[Candidate]:
    """Which single runs, and which `number` together, would narrow most what decides between the first two (or the only) strategies.

    What is to be known is the difference of the two gains at `size`. One more run with terms r makes the covariance A^-1 of a strategy's
    coefficients (A + r r')^-1 = A^-1 - A^-1 r r' A^-1 / (1 + r' A^-1 r), whatever its score; the noise is taken as known. Candidates are
    the levels and sizes that were run. The first `number` candidates are single runs, best first; the last is the best set of `number`
    runs by the exchange of one run at a time, begun with the greedy one.
    """
    options = [
        (place, float(x), own)
        for place, one in enumerate(rivals)
        for own in one.design.own_sizes
        for x in sorted(set(one.design.x.tolist()))
    ]

    def spread(added: Sequence[tuple[int, float, int]]) -> float:
        total = 0.0
        for place, one in enumerate(rivals):
            inverse, weights = one.known.covariance.copy() / one.known.variance, one.design.slope(size)
            for x, own in ((x, own) for at, x, own in added if at == place):
                step = inverse @ one.design.row(x, own)
                inverse -= np.outer(step, step) / (1 + one.design.row(x, own) @ step)
            total += one.known.variance * float(weights @ inverse @ weights)
        return float(np.sqrt(total))

    def named(added: Sequence[tuple[int, float, int]]) -> Candidate:
        return Candidate(tuple((rivals[at].name, x, own) for at, x, own in added), before, spread(added))

    before = spread([])
    single = sorted(options, key=lambda one: spread([one]))[:number]
    if number == 1:
        return [named([one]) for one in single]
    chosen: list[tuple[int, float, int]] = []
    for _ in range(number):
        chosen.append(min(options, key=lambda one: spread([*chosen, one])))
    for _ in range(number):  # greedy may begin with a run that is no part of the best set
        exchanges = [[*chosen[:at], other, *chosen[at + 1 :]] for at in range(number) for other in options]
        best = min(exchanges, key=spread)
        if spread(best) >= spread(chosen) * (1 - 1e-9):
            break
        chosen = best
    return [named([one]) for one in single] + [named(sorted(chosen))]

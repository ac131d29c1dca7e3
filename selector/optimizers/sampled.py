"""First picks on samples of the pool: where nobody is covered yet, a gain is dear on the whole pool and just as clear on a part of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from selector.core import Gains, LimitState, Objective, Problem, Rows, State, Thinning
from selector.optimizers.racing import Race

SHRINK = 4  # each sample is a quarter of the next
SMALLEST = 1024  # rows of a sample, at least
FEW = 8192  # rows whose pairs are few
ROWS_LEFT = 320  # rows that a candidate may still raise, on average, when the next sample or the pool takes over


def levels(size: int) -> list[int]:
    """Sizes of the samples, from the smallest to the pool itself."""
    sizes = [size]
    while sizes[-1] // SHRINK >= SMALLEST:
        sizes.append(sizes[-1] // SHRINK)
    return sizes[::-1]


def first_picks(
    problem: Problem, limit: LimitState, worth: Gains, rng: np.random.Generator, rows_left: float = ROWS_LEFT, probes: int = 0
) -> Iterator[int]:
    """Rows of the exact greedy of a sample of the pool, then of a sample four times as large, and so on up to the pool, not included.

    A larger sample takes over when a candidate there would raise at most `rows_left` rows on average, as far as the smaller one can
    tell: then it is cheap to be exact. The samples are nested, drawn with `rng` from all rows, and hold the kept rows. Each row is
    added to `limit`. With `probes`, a sample of more than 8,192 rows looks into so many cells a row only (Thinning.narrow).
    """
    objective = problem.objective
    assert isinstance(objective, Objective)
    order, chosen, sizes = rng.permutation(problem.ground.size), problem.kept, levels(problem.ground.size)
    for size, following in itertools.pairwise(sizes):
        if limit.full is not None:
            return
        rows = np.union1d(order[:size], problem.kept)
        places = np.full(problem.ground.size, -1, np.int64)
        places[rows] = np.arange(len(rows))
        state = objective.start(problem.ground.take(rows), places[chosen])
        assert isinstance(state, Thinning)
        if probes and len(rows) > FEW:
            state.narrow(probes, int(rng.integers(2**31)))
        candidates = problem.candidates[places[problem.candidates] >= 0]
        candidates = np.setdiff1d(candidates, chosen)
        if state.left() / len(rows) * following <= rows_left:
            continue
        for row, _ in Race(_Part(state, places), limit, worth, candidates).run():
            yield row
            chosen = np.append(chosen, row)
            if state.left() / len(rows) * following <= rows_left:
                break


class _Part:
    """The state of a part of the pool, asked by the pool's row numbers."""

    def __init__(self, state: State, places: Rows) -> None:
        self.state, self.places = state, places

    @property
    def value(self) -> float:
        return self.state.value

    @property
    def evaluations(self) -> int:
        return self.state.evaluations

    @property
    def batch(self) -> int:
        return self.state.batch

    def gains(self, candidates: Rows) -> Gains:
        return self.state.gains(self.places[candidates])

    def add(self, row: int) -> None:
        self.state.add(int(self.places[row]))

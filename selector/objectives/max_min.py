"""Max-min: the best rows that keep their distance from one another."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from selector.core import Finish, Gains, Need, Pick, Problem, Rows
from selector.errors import RecipeError
from selector.kernels.factor import squared_norms
from selector.kernels.middle import middle
from selector.kernels.spacing import spaced, spacing
from selector.objectives.modular import Sum

FINEST = 0.001  # epsilon: 7,600 thresholds, a pass over the rows each; their number grows as ln(1 / epsilon) / epsilon


@dataclass(frozen=True)
class MaxMin:
    """Rows that keep as large a distance from one another as the budget lets them, the best ones where there is a quality column.

    GIST with its GreedyIndependentSet (Fahrbach et al. 2025, arXiv 2405.18754) for f(S) = w mean score + (1 - w) div(S), w =
    `quality_weight`, 0 without a `quality` column: div(S) is the smallest distance |x - y| of two rows of S, or of one to a kept row. For
    each threshold d = D (1 + e)^i e / 2 up to D, rows are taken by falling score (equal scores: the lowest row) where none at less than d
    was taken; the set of the largest f is returned. What differs: a threshold counts only where the limits, not the distance, end its
    set, so that the budget is met; thresholds rise until one fails; the farthest pair alone is no answer. D, which bounds the largest
    distance, is twice the largest one to the mean of all rows; e is `epsilon`. f is not submodular and no proof is printed. A pick's
    gain is its distance to the nearest pick before it, 0 for the first. Without a column k-centre mostly keeps a larger one. Zero rows
    come last. For each threshold at most 2 n k d operations (only the last two come near), O(n + k d) memory. Raises RecipeError for a
    weight outside [0, 1) or an epsilon outside [0.001, 1].
    """

    features: str
    quality: str | None = None
    quality_weight: float = 0.5
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.quality_weight < 1:
            raise RecipeError(f"the quality weight of max-min is {self.quality_weight:g}; it must be at least 0 and below 1.")
        if not FINEST <= self.epsilon <= 1:
            raise RecipeError(f"the epsilon of max-min is {self.epsilon:g}; it must be at least {FINEST:g} and at most 1.")

    @property
    def needs(self) -> tuple[Need, ...]:
        vectors = (Need("vectors", self.features, cosine=True),)
        return vectors if self.quality is None else (*vectors, Need("scores", self.quality))

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """The best set of all thresholds, which the seed does not touch."""
        half = squared_norms(problem.ground.vectors[self.features]) / 2
        scores = np.zeros(problem.ground.size) if self.quality is None else problem.ground.scores[self.quality]
        order = problem.candidates[np.lexsort((problem.candidates, -scores[problem.candidates], half[problem.candidates] == 0))]
        best = _Set.at(self, problem, half, scores, order, 0.0)
        assert best is not None, "at distance 0 nothing but the limits ends a set"
        tried, threshold = 1, self._widest(problem, half) * self.epsilon / 2
        widest = threshold * 2 / self.epsilon
        while 0 < threshold <= widest:
            problem.ground.progress("thresholds", tried, 0)
            found = _Set.at(self, problem, half, scores, order, threshold)
            tried += 1
            if found is None:
                break
            best = max(best, found, key=lambda one: one.value)
            threshold *= 1 + self.epsilon
        for row, gain in zip(best.rows.tolist(), best.distances.tolist(), strict=True):
            yield Pick(row, gain)
        notes = (f"no two picks are nearer than {best.div:.4f}, at the threshold {best.threshold:.4f}; each gain is a pick's distance",)
        state = Sum(np.zeros(problem.ground.size), best.rows)
        state.value = best.value
        return Finish(state, notes=notes, facts={"threshold": best.threshold, "smallest_distance": best.div, "thresholds": tried})

    def weight(self) -> float:
        """Of the scores in f."""
        return 0.0 if self.quality is None else self.quality_weight

    def _widest(self, problem: Problem, half: Gains) -> float:
        along, square = middle(problem.ground.vectors[self.features])
        return 2 * float(np.sqrt(max(0.0, float((2 * half - 2 * along + square)[half > 0].max(initial=0.0)))))


@dataclass(frozen=True)
class _Set:
    """The set of one threshold, and what it is worth."""

    rows: Rows
    distances: Gains  # (k,) of each pick to the nearest one before it
    threshold: float
    div: float
    value: float

    @classmethod
    def at(cls, asked: MaxMin, problem: Problem, half: Gains, scores: Gains, order: Rows, threshold: float) -> _Set | None:
        """None where the distance, not the limits, ended the set."""
        limit, free = problem.limit.start(), np.zeros(problem.ground.size, np.bool_)
        free[problem.candidates[limit.allows(problem.candidates)]] = True
        # |x - y| < d where s_ij - |y|^2 / 2 > |x|^2 / 2 - d^2 / 2; a zero row repeats whatever was taken.
        levels = np.full(len(half), np.inf) if threshold == 0 else np.nextafter(half - threshold**2 / 2, np.inf)
        rule = spacing(problem.ground.vectors[asked.features], np.where((half > 0) | (threshold == 0), levels, -np.inf), offsets=half)
        kept = problem.kept[half[problem.kept] > 0]
        rows, distances = list[int](), list[float]()
        for row in spaced(rule, order, kept, free):
            rows.append(row)
            apart = half[row] - rule.nearest[row] if half[row] > 0 else 0.0
            distances.append(float(np.sqrt(2 * max(0.0, apart))) if np.isfinite(apart) else 0.0)
            free[limit.add(row)] = False
            free[row] = False
            if limit.full is not None:
                break
        if limit.full is None and free.any():
            return None
        told = distances if len(kept) else distances[1:]
        div = min(told, default=0.0)
        value = asked.weight() * float(scores[rows].mean()) + (1 - asked.weight()) * div if rows else 0.0
        return cls(np.array(rows, np.int64), np.array(distances), threshold, div, value)

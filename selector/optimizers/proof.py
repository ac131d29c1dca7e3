"""What can be proved of picks without looking at all pairs, and what can be estimated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from selector.core import Finish, Gains, Objective, Problem, Rows, Similarity
from selector.errors import MemoryForecast
from selector.features import Vectors
from selector.kernels import rise
from selector.layers.grouping.kmeans import nearest
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.mixture import Mixture
from selector.objectives.random import Random
from selector.optimizers.lazy import lazy

SAMPLED = 4096  # rows on which values are estimated


@dataclass(frozen=True)
class AtLeast:
    """A state whose value is a lower bound of f(S); the upper bound is stated beside it, so that no gain is asked for."""

    value: float
    evaluations: int
    batch: int = 1

    def gains(self, candidates: Rows) -> Gains:
        return np.full(len(candidates), np.inf)  # a bound that is always true

    def add(self, row: int) -> None:
        raise RuntimeError("the selection is finished; start a new state to go on.")


def proved(problem: Problem, rows: Rows, split: list[Rows], evaluations: int, notes: tuple[str, ...]) -> Finish:
    """A value that f(kept + rows) reaches, and an upper bound that no feasible set passes.

    Lower: facility location's sum of max(0, max_{j in S} s_ij) loses at most what other parts add to a row when j runs over the picks
    of the row's own part and the kept rows. Upper: max_j s_ij <= |x_i| max_j |x_j|, for unit rows the number of rows. A mixture adds
    up both over its parts; a part that is not facility location has its exact value, and for its upper bound the lesser of
    f(S) + the largest gains left and f(kept) + the largest gains at first (Minoux 1978). O(n k d / parts) time.
    """
    assert isinstance(problem.objective, Objective)
    low = _lower(problem, problem.objective, rows, split)
    high = upper_bound(problem, problem.objective, rows)
    return Finish(
        AtLeast(low, evaluations),
        notes=(*notes, "the value is counted within the parts: f is at least this", *estimates(problem, rows)),
        upper_bound=max(low, high),
    )


def _lower(problem: Problem, objective: Objective, rows: Rows, split: list[Rows]) -> float:
    match objective:
        case FacilityLocation():
            return sum(_of_part(problem, objective, np.intersect1d(part, rows), part) for part in [*split, problem.kept])
        case Mixture():
            factors = zip(objective.weights, objective.scales, objective.parts, strict=True)
            return sum(weight / scale * _lower(problem, one, rows, split) for weight, scale, one in factors)
    return objective.value(problem.ground, np.concatenate([problem.kept, rows]))


def _of_part(problem: Problem, objective: Objective, picked: Rows, part: Rows) -> float:
    """What the picks of a part and the kept rows are worth to the part's own rows."""
    if not len(part):
        return 0.0
    extra = np.setdiff1d(np.concatenate([picked, problem.kept]), part)
    numbers = np.concatenate([part, extra])
    own = np.ones(len(part)) if problem.ground.weights is None else problem.ground.weights[part]
    ground = replace(problem.ground.take(numbers), weights=np.concatenate([own, np.zeros(len(extra))]))
    chosen = np.flatnonzero(np.isin(numbers, np.concatenate([picked, problem.kept])))
    return objective.value(ground, chosen)


def upper_bound(problem: Problem, objective: Objective, rows: Rows) -> float:
    """No feasible set is worth more; see `proved`."""
    match objective:
        case FacilityLocation():
            lengths = _lengths(problem.ground.vectors[objective.features])
            own = np.ones(problem.ground.size) if problem.ground.weights is None else problem.ground.weights
            return float(own @ lengths) * float(lengths.max(initial=0.0))
        case Mixture():
            factors = zip(objective.weights, objective.scales, objective.parts, strict=True)
            return sum(weight / scale * upper_bound(problem, one, rows) for weight, scale, one in factors)
    before = objective.start(problem.ground, problem.kept)
    bound = before.value + problem.limit.relaxed(before.gains(problem.candidates), problem.candidates)
    left = np.setdiff1d(problem.candidates, rows)
    try:
        after = objective.start(problem.ground, np.concatenate([problem.kept, rows]))
        return min(bound, after.value + problem.limit.relaxed(after.gains(left), left))
    except MemoryForecast:  # a factor with a line for every candidate may not fit where the picks' own lines did
        return bound


def _lengths(vectors: Similarity) -> Gains:
    """(n,) length of each row, rounded up past float32's own rounding."""
    if isinstance(vectors, Vectors):
        squared = np.einsum("nd,nd->n", vectors.data, vectors.data, dtype=np.float64)
    else:
        squared = np.asarray(vectors.data.multiply(vectors.data).sum(axis=1), np.float64).ravel()  # type: ignore[attr-defined]
    return np.sqrt(squared) * (1 + 1e-6)


def estimates(problem: Problem, rows: Rows) -> tuple[str, ...]:
    """What f is on 4,096 rows drawn at random, for the picks and for a random set under the same limits; an estimate, no proof."""
    objective = problem.objective
    if not isinstance(objective, FacilityLocation) or not isinstance(vectors := problem.ground.vectors[objective.features], Vectors):
        return ()
    rng = np.random.default_rng(0)
    sample = np.sort(rng.choice(vectors.size, min(SAMPLED, vectors.size), replace=False))
    own = np.ones(vectors.size) if problem.ground.weights is None else problem.ground.weights
    steps = lazy(replace(problem, objective=Random(0)), rng)
    drawn = np.array([pick.row for pick in steps], np.int64)

    def estimate(chosen: Rows) -> tuple[float, float]:
        centres = vectors.data[np.concatenate([problem.kept, chosen])]
        if not len(centres):
            return 0.0, 0.0
        worth = own[sample] * np.maximum(nearest(vectors.data[sample], centres, rise.threads())[1], 0)
        rest = np.sqrt(1 - len(sample) / vectors.size)  # nothing is left to guess where every row was looked at
        return vectors.size * float(worth.mean()), 1.96 * vectors.size * float(worth.std()) * rest / np.sqrt(len(sample))

    (value, error), (random, random_error) = estimate(rows), estimate(drawn)
    return (
        f"f estimated from {len(sample):,} rows drawn at random: {value:,.0f} +/- {error:,.0f} (95 %); "
        f"a random set {random:,.0f} +/- {random_error:,.0f}",
    )

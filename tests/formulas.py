"""The slow, obvious definition of every objective, from its paper: what the fast ones are held to."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from selector.core import Ground, Objective
from selector.features import Vectors
from selector.objectives.coverage import Coverage
from selector.objectives.dpp import Dpp
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.mixture import Mixture
from selector.objectives.quality import Quality
from selector.objectives.random import Random


def matrix(ground: Ground, name: str) -> np.ndarray:
    """(n, d) the vectors of small pools, dense, in float64."""
    vectors = ground.vectors[name]
    return (vectors.data if isinstance(vectors, Vectors) else vectors.data.toarray()).astype(np.float64)


def value(objective: Objective, ground: Ground, rows: list[int]) -> float:
    """f(rows)."""
    match objective:
        case FacilityLocation():
            # Lindgren et al. 2016, eq. 1: sum_i max_{j in S} s_ij, cut at 0
            x = matrix(ground, objective.features)
            weights = np.ones(ground.size) if ground.weights is None else ground.weights
            return sum(weights[i] * max([0.0] + [float(x[i] @ x[j]) for j in rows]) for i in range(ground.size))
        case Coverage():
            total = 0.0
            for column in ground.types[objective.features].incidence.toarray().T:
                count = int(sum(column[row] for row in rows))
                if objective.concave == "sqrt":
                    total += count**0.5
                elif objective.concave == "log":
                    total += float(np.log(1 + count))
                else:
                    total += min(count, int(objective.concave.removeprefix("cap:")))
            return total
        case Dpp(kernel="linear"):
            # log det(I + Q X X^T Q / ridge) over S
            x = matrix(ground, objective.features)[rows] * quality(objective, ground)[rows][:, None]
            return float(np.linalg.slogdet(np.eye(len(rows)) + x @ x.T / objective.ridge)[1]) if rows else 0.0
        case Dpp(kernel="rbf"):
            x, q = matrix(ground, objective.features), quality(objective, ground)
            h = objective.bandwidth
            assert h is not None, "tests give the bandwidth"
            kernel = [[q[i] * np.exp(-((x[i] - x[j]) ** 2).sum() / (2 * h * h)) * q[j] for j in rows] for i in rows]
            if not rows:
                return 0.0
            determinant = float(np.linalg.det(np.array(kernel)))
            return float(np.log(determinant)) if determinant > 1e-9 else float("-inf")
        case Quality():
            return float(sum(ground.scores[objective.column][row] for row in rows))
        case Random():
            return float(sum(np.random.default_rng(objective.seed).random(ground.size)[row] for row in rows))
        case Mixture():
            parts = zip(objective.parts, objective.weights, objective.scales, strict=True)
            return sum(weight / scale * value(part, ground, rows) for part, weight, scale in parts)
    raise AssertionError(f"no slow formula for {objective}")


def quality(objective: Dpp, ground: Ground) -> np.ndarray:
    if objective.quality is None:
        return np.ones(ground.size)
    return np.exp(objective.quality_weight / (2 * (1 - objective.quality_weight)) * ground.scores[objective.quality])


def best(objective: Objective, ground: Ground, candidates: list[int], feasible: object, most: int, kept: list[int]) -> float:
    """max f(kept + S) over all feasible S, by trying every one."""
    return max(
        value(objective, ground, [*kept, *chosen])
        for size in range(most + 1)
        for chosen in combinations(candidates, size)
        if feasible(list(chosen))  # type: ignore[operator]
    )


def greedy(objective: Objective, ground: Ground, candidates: list[int], budget: int, kept: list[int]) -> list[int]:
    """Greedy by its definition, with the tie rule: within a relative 1e-6 of the best gain the lowest row wins."""
    chosen: list[int] = []
    for _ in range(min(budget, len(candidates))):
        left = [row for row in candidates if row not in chosen]
        now = value(objective, ground, [*kept, *chosen])
        gains = [value(objective, ground, [*kept, *chosen, row]) - now for row in left]
        top = max(gains)
        chosen.append(next(row for row, gain in zip(left, gains, strict=True) if gain >= top - 1e-6 * abs(top)))
    return chosen

"""The slow, obvious definition of every procedure that has one, from its paper: (x, ...) -> rows in pick order."""

from __future__ import annotations

import numpy as np

from selector.ties import first_best


def half_distance(x: np.ndarray, i: int, j: int) -> float:
    """|x_i - x_j|^2 / 2."""
    return float(((x[i] - x[j]) ** 2).sum() / 2)


def cosine(x: np.ndarray, i: int, j: int) -> float:
    lengths = np.linalg.norm(x[i]) * np.linalg.norm(x[j])
    return float(x[i] @ x[j] / lengths) if lengths else 0.0


def first(values: list[float]) -> int:
    return first_best(np.array(values, float))


def k_centre(x: np.ndarray, candidates: list[int], kept: list[int], k: int) -> list[int]:
    """Gonzalez 1985, from the row nearest to the mean; a zero row is at distance 0 from everything."""
    chosen, picks, left = [row for row in kept if x[row].any()], list[int](), list(candidates)
    mean = x.mean(axis=0)
    while len(picks) < k and left:
        if not chosen and not picks:
            there = [row for row in left if x[row].any()] or left
            row = there[first([-float(((x[row] - mean) ** 2).sum() / 2) for row in there])]
        else:
            row = left[first([min(half_distance(x, row, j) for j in chosen) if x[row].any() and chosen else 0.0 for row in left])]
        picks.append(row)
        left.remove(row)
        if x[row].any():
            chosen.append(row)
    return picks


def mmr(x: np.ndarray, relevance: np.ndarray | None, weight: float, candidates: list[int], kept: list[int], k: int) -> list[int]:
    """Carbonell and Goldstein 1998; a zero row is a copy of every pick."""
    chosen, picks, left = list(kept), list[int](), list(candidates)
    scale = float((x**2).sum(axis=1).max()) or 1.0
    mean = x.mean(axis=0, keepdims=True)
    if relevance is None:
        relevance = np.array([cosine(np.vstack([x, mean]), row, len(x)) for row in range(len(x))])

    def score(row: int) -> float:
        second = max([float(x[row] @ x[j]) / scale for j in chosen], default=0.0) if x[row].any() else 1.0
        return weight * float(relevance[row]) - (1 - weight) * second

    while len(picks) < k and left:
        row = left[first([score(row) + 1 for row in left])]
        picks.append(row)
        chosen.append(row)
        left.remove(row)
    return picks


def max_min(
    x: np.ndarray, scores: np.ndarray | None, weight: float, epsilon: float, candidates: list[int], kept: list[int], k: int
) -> list[int]:
    """GIST for linear utility; only thresholds at which k rows are found count."""
    told = np.zeros(len(x)) if scores is None else scores
    weight = 0.0 if scores is None else weight
    solid = [row for row in kept if x[row].any()]
    order = sorted(candidates, key=lambda row: (not x[row].any(), -told[row], row))
    mean = x.mean(axis=0)
    widest = 2 * max([float(np.linalg.norm(x[row] - mean)) for row in range(len(x)) if x[row].any()], default=0.0)

    def independent(threshold: float) -> list[int]:
        rows = list[int]()
        for row in order:
            near = [half_distance(x, row, j) if x[row].any() else -1.0 for j in [*solid, *rows]]
            if len(rows) < k and (threshold == 0 or min(near, default=np.inf) >= threshold**2 / 2):
                rows.append(row)
        return rows

    def value(rows: list[int]) -> float:
        apart = [
            np.sqrt(2 * half_distance(x, row, j)) if x[row].any() else 0.0
            for place, row in enumerate(rows)
            for j in [*solid, *rows[:place]]
        ]
        return weight * float(told[rows].mean()) + (1 - weight) * min(apart, default=0.0)

    best, threshold = independent(0.0), widest * epsilon / 2
    while 0 < threshold <= widest:
        found = independent(threshold)
        if len(found) < min(k, len(candidates)):
            break
        if value(found) > value(best):
            best = found
        threshold *= 1 + epsilon
    return best


def repr_filter(x: np.ndarray, scores: np.ndarray, tau: float, candidates: list[int], kept: list[int], k: int) -> list[int]:
    """Deita: by falling score, each taken where no taken row is similar to it by tau or more."""
    picks = list[int]()
    for row in sorted(candidates, key=lambda row: (not x[row].any(), -scores[row], row)):
        before = [*kept, *picks]
        alike = any(float(x[row] @ x[j]) >= tau for j in before) if x[row].any() else bool(before)
        if len(picks) < k and not alike:
            picks.append(row)
    return picks


def novelty(x: np.ndarray, weights: np.ndarray, both: bool, power: float, row: int, chosen: list[int]) -> float:
    """The authors' score of a row: the sum of its weighted distances to the chosen rows, the nearest counting most."""
    own = weights[row] if both else 0.0
    apart = sorted(max(0.0, 1 - cosine(x, row, j)) * (own + weights[j]) for j in chosen)
    return sum(one * rank**-power for rank, one in enumerate(apart, 1))


def densities(x: np.ndarray, neighbours: int, power: float) -> np.ndarray:
    """(mean distance to the nearest rows of other kinds) ** -power."""
    kinds = np.unique(x, axis=0)
    found = []
    for row in x:
        both = np.vstack([kinds, row[None]])
        apart = sorted(1 - cosine(both, j, len(kinds)) for j in range(len(kinds)) if not np.array_equal(kinds[j], row))[:neighbours]
        found.append((max(0.0, float(np.mean(apart)) if apart else 0.0) + 1e-9) ** -power)
    return np.array(found)


def cluster_balanced(incidence: np.ndarray, rank: np.ndarray, candidates: list[int], kept: list[int], k: int) -> list[int]:
    """The type with the fewest rows gives its first free row; rows without a type come last."""
    picks, left = list[int](), sorted(candidates, key=lambda row: rank[row])
    while len(picks) < k and left:
        given = incidence[[*kept, *picks]].sum(axis=0)
        able = [one for one in range(incidence.shape[1]) if any(incidence[row, one] for row in left)]
        if able:
            turn = min(able, key=lambda one: (given[one], one))
            row = next(row for row in left if incidence[row, turn])
        else:
            row = left[0]
        picks.append(row)
        left.remove(row)
    return picks


def semantic(x: np.ndarray, threshold: float, exempt: int) -> dict[int, int]:
    """Each dropped row with the first earlier kept row that it repeats, all in one cell."""
    kept, found = list(range(exempt)), dict[int, int]()
    for row in range(exempt, len(x)):
        like = [j for j in kept if x[row].any() and x[j].any() and cosine(x, row, j) >= threshold - 1e-9]
        if like:
            found[row] = like[0]
        else:
            kept.append(row)
    return found

"""How far two groups of rows are apart as distributions, with an interval, and what chance alone would give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows, Similarity
from selector.features import Vectors
from selector.findings.chance import short

SETS = 99  # random divisions of the rows: the smallest p is 0.01
BLOCKS = 20  # of the jackknife
SAMPLED = 1000  # rows of each group for the energy distance
_DIVIDED, _LEFT_OUT, _SAMPLE, _SHUFFLED = 25, 26, 27, 28  # what is drawn

Counts = NDArray[np.float64]


def of_types(incidence: Any, left: Rows, right: Rows, seed: int) -> dict[str, Any] | None:
    """Jensen-Shannon distance between the groups' distributions over types, each row counting once for each type that it carries.

    d = sqrt(JS(p, q)), JS = KL(p | m) / 2 + KL(q | m) / 2 in bits, m = (p + q) / 2 (Lin 1991; scipy.spatial.distance.jensenshannon with
    base 2): 0 for equal distributions, 1 for those without a common type. `low`, `high`: 95 % by the delete-a-group jackknife over 20
    random groups of rows. Few rows on many types make d large for equal distributions too: `chance` is the mean and the largest of
    99 random divisions of all these rows into groups of the same sizes, and p the share of them, this one included, at least as far
    apart. None where a group carries no type. O(100 entries of the rows).
    """
    rows = np.concatenate([left, right])
    first = np.arange(len(rows)) < len(left)
    carried = incidence[rows]
    value = float(_distance(*_split(carried, first[:, None]))[0])
    if not np.isfinite(value):
        return None
    rng = np.random.default_rng([seed, _DIVIDED])
    divided = np.stack([rng.permutation(first) for _ in range(SETS)], axis=1)
    by_chance = _distance(*_split(carried, divided))
    group = np.random.default_rng([seed, _LEFT_OUT]).permutation(len(rows)) % BLOCKS
    held = np.stack([group == one for one in range(BLOCKS)], axis=1).astype(np.float32)  # (n, 20)
    ours, theirs = _counted(carried, held * first[:, None]), _counted(carried, held * ~first[:, None])
    without = _distance(ours.sum(axis=1, keepdims=True) - ours, theirs.sum(axis=1, keepdims=True) - theirs)
    error = float(np.sqrt((BLOCKS - 1) / BLOCKS * ((without - without.mean()) ** 2).sum()))
    return _told(value, error, by_chance, 1.0)


def energy(vectors: Similarity, left: Rows, right: Rows, seed: int) -> dict[str, Any] | None:
    """Energy distance between the groups' vectors: E = 2 mean |x - y| - mean |x - x'| - mean |y - y'|.

    Székely and Rizzo 2013, unbiased means over pairs of different rows, Euclidean distance; 0 for equal distributions, and an estimate can
    be a little below. At most 1,000 rows of each group, drawn by the seed. `low`, `high`: 95 % by the variance of each row's part in E
    (the projection of a U-statistic); `chance`: 99 random divisions of the rows drawn. None where the vectors are not dense.
    """
    if not isinstance(vectors, Vectors):
        return None
    rng = np.random.default_rng([seed, _SAMPLE])
    some = [np.sort(rng.permutation(rows)[:SAMPLED]) for rows in (left, right)]
    data = vectors.data[np.concatenate(some)].astype(np.float64)
    squares = np.einsum("nd,nd->n", data, data)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * data @ data.T, 0.0))  # (at most 2,000 x 2,000)
    np.fill_diagonal(apart, 0.0)
    first = np.arange(len(data)) < len(some[0])
    rng = np.random.default_rng([seed, _SHUFFLED])
    divided = np.stack([first, *(rng.permutation(first) for _ in range(SETS))], axis=1).astype(np.float64)
    to_first = apart @ divided  # (n, 100) sum of distances to the first group of each division
    to_second = apart.sum(axis=1, keepdims=True) - to_first
    m, n = int(first.sum()), int((~first).sum())
    within, between = (divided * to_first).sum(axis=0) / (m * (m - 1)), (divided * to_second).sum(axis=0) / (m * n)
    others = ((1 - divided) * to_second).sum(axis=0) / (n * (n - 1))
    values = 2 * between - within - others
    part_left = (to_second[first, 0] / n) - (to_first[first, 0] / (m - 1))
    part_right = (to_first[~first, 0] / m) - (to_second[~first, 0] / (n - 1))
    error = 2 * float(np.sqrt(part_left.var(ddof=1) / m + part_right.var(ddof=1) / n))
    return {"rows": [m, n], **_told(float(values[0]), error, values[1:], None)}


def _told(value: float, error: float, by_chance: Counts, most: float | None) -> dict[str, Any]:
    low, high = value - 1.96 * error, value + 1.96 * error
    return {
        "value": short(value),
        "low": short(max(0.0, low)),
        "high": short(high if most is None else min(most, high)),
        "chance": {"mean": short(by_chance.mean()), "high": short(by_chance.max())},
        "p": short((1 + int((by_chance >= value).sum())) / (1 + len(by_chance))),
    }


def _counted(carried: Any, chosen: NDArray[Any]) -> Counts:
    """(T, R) rows of each of R sets that carry each type."""
    return np.asarray(carried.T @ chosen.astype(np.float32), np.float64)


def _split(carried: Any, chosen: NDArray[np.bool_]) -> tuple[Counts, Counts]:
    ours = _counted(carried, chosen)
    return ours, np.asarray(carried.sum(axis=0), np.float64).reshape(-1, 1) - ours


def _distance(left: Counts, right: Counts) -> Counts:
    """(R,) Jensen-Shannon distances between the columns of counts (T, R); NaN where one has none."""
    from scipy.special import rel_entr

    totals = left.sum(axis=0), right.sum(axis=0)
    if min(total.min() for total in totals) <= 0:
        return np.full(left.shape[1], np.nan)
    p, q = left / totals[0], right / totals[1]
    m = (p + q) / 2
    bits = (rel_entr(p, m) + rel_entr(q, m)).sum(axis=0) / (2 * np.log(2))
    return np.sqrt(np.maximum(bits, 0.0))

"""Tags: how unevenly the pool carries them, and which of them a subset covers, lacks, carries too often or too seldom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.aspects import Facet
from selector.core import Rows
from selector.findings.chance import SETS, beside, carriers, sets, short
from selector.findings.scene import Scene, Subset

TOP = 20  # most frequent tags
PAIRS = 20
MISSING = 30
APART = 12  # tags that a subset carries too often, and as many that it carries too seldom
LEVEL = 0.05  # of calling any tag of a random subset over- or under-represented
POINTS = 101  # of the Lorenz curve
BANDS = ((1, 1), (2, 10), (11, 100), (101, 1000), (1001, None))  # rows of the pool that carry a tag, both ends included

Counts = NDArray[np.int64]
Name = Callable[[int], str]


def find(scene: Scene) -> dict[str, Any]:
    """Each side's tags; a tag counts once for each row that carries it, and the pool's tags are those that a row of it carries.

    Coverage = pool's tags that a row of the subset carries / pool's tags; coverage of occurrences = the share of the pool's tag
    occurrences that are of those tags. Beside 20 random sets of the subset's size. O(entries of all sets + sum over rows of tags^2).
    """
    chance = {size: sets(scene, size) for size in sorted({len(one.rows) for one in scene.subsets})}
    found = {side: _side(scene, facet, chance) for side, facet in scene.facets.items()}
    return {"sets": SETS, "sides": {side: said for side, said in found.items() if said}}


def _side(scene: Scene, facet: Facet, chance: Mapping[int, Sequence[Rows]]) -> dict[str, Any] | None:
    """None where no row of the pool carries a tag on this side."""
    types = facet.types("meso")
    incidence, rows = types.incidence, scene.pool
    counts = carriers(incidence, rows)  # (T,) rows of the pool that carry each tag
    ours = np.flatnonzero(counts)
    if not len(ours):
        return None
    common = ours[np.argsort(-counts[ours], kind="stable")]

    def name(tag: int) -> str:
        return scene.name("tag", tag, types.names[tag])

    def covered(some: Rows) -> Counts:
        return np.intersect1d(np.flatnonzero(carriers(incidence, some)), ours)

    reached = {size: [covered(one) for one in drawn] for size, drawn in chance.items()}
    total = int(counts.sum())
    cumulated = np.cumsum(counts[common])
    return {
        "rows": len(rows),
        "rows_without": int((np.diff(incidence.indptr)[rows] == 0).sum()),
        "tags": len(ours),
        "occurrences": total,
        "tagger": types.facts.get("tagger"),
        "gini": short(gini(counts[ours])),
        "lorenz": _lorenz(counts[ours]),
        "half": {"tags": int(np.searchsorted(cumulated, total / 2) + 1), "of": len(ours)},
        "bands": [{"rows": _words(band), "tags": len(some), "occurrences": int(counts[some].sum())} for band, some in _bands(counts)],
        "top": [{"name": name(tag), "rows": int(counts[tag]), "share": short(counts[tag] / len(rows))} for tag in common[:TOP].tolist()],
        "pairs": _pairs(incidence[rows], counts, name),
        "subsets": [_subset(scene, one, covered(one.rows), reached[len(one.rows)], incidence, counts, name) for one in scene.subsets],
    }


def _subset(
    scene: Scene, subset: Subset, reached: Counts, by_chance: Sequence[Counts], incidence: Any, counts: Counts, name: Name
) -> dict[str, Any]:
    total = int((counts > 0).sum())
    missing = np.setdiff1d(np.flatnonzero(counts), reached)
    missing = missing[np.argsort(-counts[missing], kind="stable")]
    return {
        "name": subset.name,
        "rows": len(subset.rows),
        "tags": len(reached),
        "share": beside(len(reached) / total, [len(one) / total for one in by_chance]),
        "occurrences": beside(*_of_occurrences(counts, reached, by_chance)),
        "bands": [
            {"rows": _words(band), "tags": len(some), **beside(_share(some, reached), [_share(some, one) for one in by_chance])}
            for band, some in _bands(counts)
        ],
        "missing": {"count": len(missing), "shown": [{"name": name(t), "rows": int(counts[t])} for t in missing[:MISSING].tolist()]},
        **_apart(scene, subset, carriers(incidence, subset.rows), counts, name),
    }


def gini(counts: Counts) -> float:
    """Gini coefficient of positive counts: 0 where all are equal, towards 1 where one has nearly all.

    G = 2 sum_i i c_(i) / (T sum c) - (T + 1) / T over the counts in ascending order.
    """
    size, ordered = len(counts), np.sort(counts).astype(np.float64)
    return float(2 * (np.arange(1, size + 1) @ ordered) / (size * ordered.sum()) - (size + 1) / size)


def _lorenz(counts: Counts) -> list[list[float | None]]:
    """[share of the tags, the rarest first; share of the occurrences that they have], from (0, 0) to (1, 1)."""
    cumulated = np.concatenate([[0], np.cumsum(np.sort(counts))])
    at = np.unique(np.rint(np.linspace(0, len(counts), POINTS)).astype(np.int64))
    return [[short(place / len(counts)), short(cumulated[place] / cumulated[-1])] for place in at.tolist()]


def _bands(counts: Counts) -> list[tuple[tuple[int, int | None], Counts]]:
    """The tags of each band of frequency; bands without any are left out."""
    found = [(band, np.flatnonzero((counts >= band[0]) & (counts <= (band[1] or counts.max())))) for band in BANDS]
    return [(band, tags) for band, tags in found if len(tags)]


def _words(band: tuple[int, int | None]) -> str:
    low, high = band
    return f"{low:,}" if low == high else f"{low:,} or more" if high is None else f"{low:,} to {high:,}"


def _share(some: Counts, reached: Counts) -> float:
    return len(np.intersect1d(some, reached)) / len(some)


def _of_occurrences(counts: Counts, reached: Counts, by_chance: Sequence[Counts]) -> tuple[float, list[float]]:
    total = counts.sum()
    return float(counts[reached].sum() / total), [float(counts[one].sum() / total) for one in by_chance]


def _pairs(incidence: Any, counts: Counts, name: Name) -> list[dict[str, Any]]:
    """The pairs that most rows carry, with how many times as many these are as where tags did not know each other."""
    from scipy.sparse import triu

    carried = incidence.astype(np.int32)
    together = triu((carried.T @ carried).tocsr(), k=1).tocoo()
    top = np.lexsort((together.col, together.row, -together.data))[:PAIRS]
    found = []
    for left, right, rows in zip(together.row[top].tolist(), together.col[top].tolist(), together.data[top].tolist(), strict=True):
        lift = rows * carried.shape[0] / (counts[left] * counts[right])
        found.append({"names": [name(left), name(right)], "rows": int(rows), "lift": short(lift)})
    return found


def _apart(scene: Scene, subset: Subset, own: Counts, counts: Counts, name: Name) -> dict[str, Any]:
    """The pool's tags that more (`over`) or fewer (`under`) rows of the subset carry than chance explains.

    Exact tails of the hypergeometric distribution (m rows drawn from the pool's n, of which c carry the tag); of the binomial one with
    p = c / n where some rows of the subset are not the pool's. A tag counts where its tail is at most 5 % / 2 T, T the pool's tags
    (Bonferroni). Ordered by (k - mc/n) / sqrt(m c/n (1 - c/n)).
    """
    from scipy.stats import binom, hypergeom

    tags = np.flatnonzero(counts)
    n, m, c, k = len(scene.pool), len(subset.rows), counts[tags], own[tags]
    inside = bool(np.isin(subset.rows, scene.pool).all())
    law = hypergeom(n, c, m) if inside else binom(m, c / n)
    threshold = LEVEL / (2 * len(tags))
    expected = m * c / n
    apart = (k - expected) / np.sqrt(np.maximum(expected * (1 - c / n), 1e-12))

    def told(chosen: NDArray[np.bool_], sign: int) -> dict[str, Any]:
        at = np.flatnonzero(chosen)
        at = at[np.argsort(-sign * apart[at], kind="stable")]
        shown = [
            {"name": name(int(tags[i])), "rows": int(k[i]), "share": short(k[i] / m), "pool": short(c[i] / n),
             "ratio": short(k[i] / expected[i])} for i in at[:APART].tolist()
        ]  # fmt: skip
        return {"count": len(at), "shown": shown}

    over = told((law.sf(k - 1) <= threshold) & (k > expected), 1)
    under = told((law.cdf(k) <= threshold) & (k < expected), -1)
    return {"over": over, "under": under, "drawn_from_pool": inside}

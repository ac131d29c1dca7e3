"""Tokens: how often each occurs, how the mid band is covered as rows are added, and which tokens only one subset has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.aspects import Facet
from selector.core import Rows, Types
from selector.findings.by_source import BySource, by_source
from selector.findings.chance import SETS, beside, carriers, short
from selector.findings.peeling import narrowest
from selector.findings.scene import Scene, Subset

POINTS = 400  # of the rank-frequency curve
GROWTH = 60  # numbers of rows at which coverage is read, sizes of subsets among them
ORDERS = 5  # random orders of a subset whose own is not known
ONLY = 24  # tokens that only one subset covers
_PERMUTATIONS, _SHUFFLES = 22, 23  # what random orders are drawn for

Counts = NDArray[np.int64]


def find(scene: Scene) -> dict[str, Any]:
    """Each side's tokens. The vocabulary is the mid band of the micro layer: its tokens that some row of the pool carries.

    Coverage of a set = tokens of the vocabulary that a row of it carries / tokens of the vocabulary. What chance gives is read from 20
    random orders of the pool: their first k rows are random sets of k rows. O(20 entries of the pool + entries of the subsets).
    """
    sources = by_source(scene)
    found = {side: _side(scene, facet, sources) for side, facet in scene.facets.items()}
    return {"sets": SETS, "orders": ORDERS, "sides": {side: said for side, said in found.items() if said}}


def _side(scene: Scene, facet: Facet, sources: BySource | None) -> dict[str, Any] | None:
    """None where no row of the pool carries a mid-band token on this side."""
    types = facet.types("micro")
    carried = carriers(types.incidence, scene.pool)  # (T,) rows of the pool that carry each token
    ours = carried > 0
    if not ours.any():
        return None
    points = _points(len(scene.pool), [len(one.rows) for one in scene.subsets])
    by_chance = _by_chance(scene, types.incidence, ours, points)
    ranked = np.sort(carried[ours])[::-1]
    return {
        "rows": len(scene.pool),
        "vocabulary": int(ours.sum()),
        "tokenizer": types.facts["tokenizer"],
        "low": types.facts["low"],
        "high": types.facts["high"],
        **_ranks(facet, types),
        "half_of_rows": narrowest(types.incidence[scene.pool]),
        "half_of_occurrences": int(np.searchsorted(np.cumsum(ranked), ranked.sum() / 2) + 1),
        "growth": {
            "rows": points.tolist(),
            "mean": [short(value) for value in by_chance.mean(axis=0)],
            "low": [short(value) for value in by_chance.min(axis=0)],
            "high": [short(value) for value in by_chance.max(axis=0)],
        },
        "subsets": [_subset(scene, one, types, ours, points, by_chance, sources) for one in scene.subsets],
        "sources": None if sources is None else _sources(scene, sources, types.incidence, ours),
    }


def _ranks(facet: Facet, types: Types) -> dict[str, Any]:
    """Tokens by how often they occur in all rows that are measured, which is what the band is told by: at most 400 ranks, log-spaced."""
    low, high = types.facts["low"], types.facts["high"]
    counts = np.bincount(facet.tokens().ids)
    counts = np.sort(counts[counts > 0])[::-1]
    above, within = int((counts > high).sum()), int((counts >= low).sum())
    ends = {1, above, above + 1, within, within + 1, len(counts)}
    ranks = np.unique([*np.rint(np.geomspace(1, len(counts), POINTS - len(ends))).astype(int), *ends])
    ranks = ranks[(ranks >= 1) & (ranks <= len(counts))]
    bands = {"high": counts[:above], "mid": counts[above:within], "low": counts[within:]}
    return {
        "rows_counted": facet.size,
        "curve": [[rank, int(counts[rank - 1]), _band(rank, above, within)] for rank in ranks.tolist()],
        "bands": [
            {"band": band, "tokens": len(some), "occurrences": int(some.sum()), "share": short(some.sum() / counts.sum())}
            for band, some in bands.items()
        ],
    }


def _band(rank: int, above: int, within: int) -> str:
    return "high" if rank <= above else "mid" if rank <= within else "low"


def _points(rows: int, sizes: Sequence[int]) -> Counts:
    """Log-spaced numbers of rows up to the pool's, and the sizes of the subsets."""
    own = sorted(set(sizes))
    spaced = np.rint(np.geomspace(min(10, rows), max(rows, *own, 1), max(20, GROWTH - len(own)))).astype(np.int64)
    return np.unique([*spaced, *own]).astype(np.int64)


def _by_chance(scene: Scene, incidence: Any, ours: NDArray[np.bool_], points: Counts) -> NDArray[np.float64]:
    """(20, points) coverage by the first rows of random orders of the pool."""
    within = np.minimum(points, len(scene.pool))
    orders = [np.random.default_rng([scene.seed, _PERMUTATIONS, number]).permutation(scene.pool) for number in range(1, SETS + 1)]
    return np.array([_growth(incidence, one, ours, within) for one in orders])


def _growth(incidence: Any, order: Rows, ours: NDArray[np.bool_], points: Counts) -> NDArray[np.float64]:
    """(points,) the share of our tokens that the first so many rows of this order carry."""
    taken = incidence[order]
    first = np.full(incidence.shape[1], len(order), np.int64)  # (T,) place of the first row that carries it; the length where none does
    first[taken.indices[::-1]] = np.repeat(np.arange(len(order)), np.diff(taken.indptr))[::-1]
    return np.searchsorted(np.sort(first[ours]), points) / ours.sum()


def _subset(
    scene: Scene, subset: Subset, types: Types, ours: NDArray[np.bool_], points: Counts, by_chance: NDArray[np.float64],
    sources: BySource | None,
) -> dict[str, Any]:  # fmt: skip
    size = len(subset.rows)
    within = points[points <= size]
    if subset.order is not None:
        orders: list[Rows] = [subset.order]
    else:
        orders = [np.random.default_rng([scene.seed, _SHUFFLES, one]).permutation(subset.rows) for one in range(1, ORDERS + 1)]
    grown = np.mean([_growth(types.incidence, one, ours, within) for one in orders], axis=0)
    covered = (carriers(types.incidence, subset.rows) > 0) & ours
    others = by_chance[:, int(np.searchsorted(points, size))]
    return {
        "name": subset.name,
        "rows": size,
        "own_order": subset.order is not None,
        "growth": [short(value) for value in grown],
        "tokens": int(covered.sum()),
        "share": beside(float(covered.sum() / ours.sum()), others.tolist()),
        "only": _only(scene, subset, types, covered, sources),
        "sources": None if sources is None else _shares(sources, types.incidence, subset.rows, ours),
    }


def _only(scene: Scene, subset: Subset, types: Types, covered: NDArray[np.bool_], sources: BySource | None) -> dict[str, Any]:
    """Tokens that a row of the subset carries and no row of any other subset, nor of its random set."""
    elsewhere = np.concatenate([subset.random, *(one.rows for one in scene.subsets if one is not subset)])
    only = np.flatnonzero(covered & (carriers(types.incidence, elsewhere) == 0))
    pool, own = carriers(types.incidence, scene.pool), carriers(types.incidence, subset.rows)
    shown = only[np.argsort(-pool[only], kind="stable")][:ONLY]
    told = [{"name": scene.name("token", t, types.names[t]), "pool": int(pool[t]), "rows": int(own[t])} for t in shown.tolist()]
    if sources is not None:
        among = sources.carried(types.incidence, subset.rows).tocsc()
        for one, token in zip(told, shown.tolist(), strict=True):
            at = slice(among.indptr[token], among.indptr[token + 1])
            one["source"] = sources.names[int(among.indices[at][np.argmax(among.data[at])])]  # that most of these rows are from
    return {"count": len(only), "shown": told}


def _sources(scene: Scene, sources: BySource, incidence: Any, ours: NDArray[np.bool_]) -> list[dict[str, Any]]:
    rows, shares = sources.counts(scene.pool), _shares(sources, incidence, scene.pool, ours)
    return [{"name": name, "rows": int(count), "share": share} for name, count, share in zip(sources.names, rows, shares, strict=True)]


def _shares(sources: BySource, incidence: Any, rows: Rows, ours: NDArray[np.bool_]) -> list[float | None]:
    """(S,) the share of the vocabulary that these rows of each source carry."""
    carried = sources.carried(incidence, rows)
    return [
        short(ours[carried.indices[start:end]].sum() / ours.sum()) for start, end in zip(carried.indptr, carried.indptr[1:], strict=False)
    ]

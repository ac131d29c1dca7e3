"""The macro map: some of the rows in two dimensions, clusters under words of their own, and which of them subsets prefer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows
from selector.features import Vectors
from selector.findings.flat_map import flat
from selector.findings.scene import OPEN, Scene
from selector.findings.words import own_words

DRAWN = 12  # stream of random numbers
OF_SUBSETS = 0.5  # of the points, at most: the rest is the pool's
EACH = 3_000  # points of a subset, at most
LETTERS = 6_000_000  # of text that the map may hold, all points and both sides together
SHORTEST, LONGEST = 60, 220  # characters of a text beside the map
GRID = 10_000  # positions are whole numbers below this
TOLD = 200  # clusters that are told one by one, at most
EXAMPLES = 3  # points of a cluster that stand for it


def find(scene: Scene) -> dict[str, Any]:
    """A uniform sample of the pool's rows and one of each subset's, laid out by the macro vectors of each side; and all clusters.

    Shares of clusters are of all rows, not of those drawn. A subset of k of the pool's N rows is expected to hold k n / N rows of a
    cluster of n; z divides what it holds beyond that by the hypergeometric standard deviation.
    """
    rng = np.random.default_rng([scene.seed, DRAWN])
    each = min(EACH, int(scene.points * OF_SUBSETS) // max(1, len(scene.subsets)))
    of_subsets = [np.sort(rng.permutation(one.rows)[:each]) for one in scene.subsets]
    shuffled = rng.permutation(scene.pool)[: scene.points - sum(len(one) for one in of_subsets)]
    rows = np.unique(np.concatenate([shuffled, *of_subsets]))
    random = np.sort(shuffled[: max((len(one) for one in of_subsets), default=0)])
    length = int(np.clip(LETTERS / (2 * len(rows)), SHORTEST, LONGEST))
    sources = scene.sources
    names = sorted({sources[row] for row in rows}) if sources is not None else []
    place = {name: number for number, name in enumerate(names)}
    return {
        "points": len(rows),
        "pool_rows": len(scene.pool),
        "pool_points": len(shuffled),
        "each": each,
        "ids": [_id(scene, int(row)) for row in rows],
        "sources": [scene.name("source", number + 1, name) for number, name in enumerate(names)],
        "source": [place[sources[row]] for row in rows] if sources is not None else [],
        "texts": {side: [scene.text(side, int(row), length) for row in rows] if scene.show == OPEN else [] for side in scene.facets},
        "sets": [
            {"name": "pool", "kind": "pool", "points": np.searchsorted(rows, np.sort(shuffled)).tolist()},
            *({"name": "by chance", "kind": "random", "points": np.searchsorted(rows, random).tolist()} for _ in of_subsets[:1]),
            *(
                {"name": one.name, "kind": "subset", "points": np.searchsorted(rows, drawn).tolist(), "rows": len(one.rows)}
                for one, drawn in zip(scene.subsets, of_subsets, strict=True)
            ),
        ],
        "sides": {side: _side(scene, side, rows) for side in scene.facets},
    }


def _side(scene: Scene, side: str, rows: Rows) -> dict[str, Any]:
    facet = scene.facets[side]
    incidence = facet.types("macro").incidence
    label = np.full(facet.size, -1, np.int64)
    carriers = np.repeat(np.arange(facet.size), np.diff(incidence.indptr))
    label[carriers] = incidence.indices
    scene.progress(f"map of the {side}s", 0, 0)
    vectors = facet.vectors("macro").take(rows)
    assert isinstance(vectors, Vectors), "the macro layer's are dense"
    points = _positions(flat(vectors.data, scene.seed, facet.threads))
    return {
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "cluster": label[rows].tolist(),
        **_clusters(scene, side, label, rows, points),
    }


def _clusters(scene: Scene, side: str, label: Rows, rows: Rows, points: NDArray[np.int64]) -> dict[str, Any]:
    """All clusters of the pool, the largest first: name, rows, place on the map, and what each subset holds of it."""
    count = int(label.max(initial=-1)) + 1
    sizes = np.bincount(label[scene.pool][label[scene.pool] >= 0], minlength=count)
    order = np.argsort(-sizes, kind="stable")
    told = order[sizes[order] > 0][:TOLD]
    names = own_words([scene.facets[side].texts()[row] for row in scene.pool], label[scene.pool], told, scene.progress)
    held = [np.bincount(label[one.rows][label[one.rows] >= 0], minlength=count) for one in scene.subsets]
    found = []
    for number, cluster in enumerate(told.tolist(), start=1):
        members = np.flatnonzero(label[rows] == cluster)
        middle = np.median(points[members], axis=0) if len(members) else np.array([np.nan, np.nan])
        near = members[np.argsort(((points[members] - middle) ** 2).sum(axis=1), kind="stable")] if len(members) else members
        found.append(
            {
                "cluster": cluster,
                "name": scene.name("cluster", number, names[cluster] or f"cluster {number}"),
                "rows": int(sizes[cluster]),
                "x": int(middle[0]) if len(members) else None,
                "y": int(middle[1]) if len(members) else None,
                "examples": near[:EXAMPLES].tolist(),
                "subsets": [
                    _held(int(one[cluster]), len(subset.rows), int(sizes[cluster]), len(scene.pool))
                    for one, subset in zip(held, scene.subsets, strict=True)
                ],
            }
        )
    return {"all_clusters": int((sizes > 0).sum()), "in_no_cluster": int((label[scene.pool] < 0).sum()), "clusters": found}


def _held(rows: int, size: int, cluster: int, pool: int) -> dict[str, Any]:
    """What a subset of `size` rows holds of a cluster, beside what a random one would."""
    share = cluster / pool
    expected = size * share
    variance = expected * (1 - share) * (pool - size) / max(1, pool - 1)
    return {"rows": rows, "expected": expected, "z": (rows - expected) / variance**0.5 if variance > 0 else None}


def _positions(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Both axes to one scale, from 0 to GRID, without the few points farthest out."""
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    scale = (high - low).max() or 1.0
    middle = (low + high) / 2
    return np.clip(np.rint((points - middle) / scale * GRID * 0.94 + GRID / 2), 0, GRID - 1).astype(np.int64)


def _id(scene: Scene, row: int) -> str:
    return str(scene.everything.rows[row]) if scene.show != OPEN else scene.name("row", row, str(scene.everything.ids[row].as_py()))

"""Provenance: rows by source, types that only one source has, and what synthetic data add to real data or only repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.aspects import Facet
from selector.core import Rows, Similarity, Types
from selector.features import Vectors
from selector.findings import divergence
from selector.findings.by_source import BySource, by_source
from selector.findings.chance import carriers, short
from selector.findings.scene import OPEN, Scene

LAYERS = ("macro", "meso", "micro")
KINDS = {"macro": "cluster", "meso": "tag", "micro": "token"}
SHOWN = 12  # types that only synthetic rows carry, of each layer and side
SAMPLED = 2000  # rows of each kind whose nearest real row is looked for
TAIL = 0.05  # of real rows: what is called as near as a copy, and far from all
_NEAREST = 24  # what the sample is drawn for


def find(scene: Scene) -> dict[str, Any] | None:
    """Rows and types by source; where some sources are synthetic, what these add and how far their distribution is from the real one.

    All of the pool's rows, but for the subsets' own shares. None where no column says what the sources are.
    """
    sources = by_source(scene)
    if sources is None:
        return None
    rows = sources.counts(scene.pool)
    shares = [sources.counts(one.rows) / len(one.rows) for one in scene.subsets]
    made = np.array(sources.synthetic, bool)[sources.code[scene.pool]]
    synthetic, real = scene.pool[made], scene.pool[~made]
    found: dict[str, Any] = {
        "subsets": [one.name for one in scene.subsets],
        "sources": [
            {"name": name, "synthetic": kind, "rows": int(count), "share": short(count / len(scene.pool)),
             "subsets": [short(one[number]) for one in shares]}
            for number, (name, kind, count) in enumerate(zip(sources.names, sources.synthetic, rows.tolist(), strict=True))
        ],
        "types": {side: _types_of(scene, facet, sources) for side, facet in scene.facets.items()},
        "named": len(scene.synthetic),
        "synthetic": None,
    }  # fmt: skip
    if len(synthetic) > 1 and len(real) > 1:
        found["synthetic"] = {
            "rows": len(synthetic),
            "real": len(real),
            "sets": divergence.SETS,
            "sides": {side: _compared(scene, facet, sources, synthetic, real) for side, facet in scene.facets.items()},
        }
    return found


def _types_of(scene: Scene, facet: Facet, sources: BySource) -> dict[str, Any]:
    """For each layer the pool's types, and how many of them each source has and has alone."""
    told = {}
    for layer in LAYERS:
        incidence = facet.types(layer).incidence
        carried = sources.carried(incidence, scene.pool)
        several = np.bincount(carried.indices, minlength=incidence.shape[1])  # (T,) sources that have each type
        alone = [int((several[carried.indices[start:end]] == 1).sum()) for start, end in _rows(carried)]
        told[layer] = {"types": int((several > 0).sum()), "has": np.diff(carried.indptr).tolist(), "alone": alone}
    return told


def _rows(matrix: Any) -> list[tuple[int, int]]:
    return list(zip(matrix.indptr[:-1].tolist(), matrix.indptr[1:].tolist(), strict=True))


def _compared(scene: Scene, facet: Facet, sources: BySource, synthetic: Rows, real: Rows) -> dict[str, Any]:
    told: dict[str, Any] = {"layers": {}}
    for number, layer in enumerate(LAYERS):
        types = facet.types(layer)
        told["layers"][layer] = {
            **_added(scene, types, KINDS[layer], sources, synthetic, real),
            "distance": divergence.of_types(types.incidence, synthetic, real, scene.seed),
        }
        scene.progress(f"synthetic {facet.side}s", number + 1, len(LAYERS))
    vectors = facet.vectors("macro")
    told["nearest"] = _nearest(scene, facet, vectors, sources, synthetic, real)
    told["energy"] = divergence.energy(vectors, synthetic, real, scene.seed)
    return told


def _added(scene: Scene, types: Types, kind: str, sources: BySource, synthetic: Rows, real: Rows) -> dict[str, Any]:
    """Types that synthetic rows carry and no real row does; rows that carry such a one add, the others only repeat."""
    own, theirs = carriers(types.incidence, synthetic), carriers(types.incidence, real)
    new = (own > 0) & (theirs == 0)
    adds = types.incidence[synthetic] @ new.astype(np.float32) > 0
    ranked = np.flatnonzero(new)
    ranked = ranked[np.argsort(-own[ranked], kind="stable")][:SHOWN]
    by_source = sources.carried(types.incidence, synthetic)
    adding = np.bincount(sources.code[synthetic][adds], minlength=len(sources.names))
    rows = sources.counts(synthetic)
    return {
        "real": int((theirs > 0).sum()),
        "synthetic": int((own > 0).sum()),
        "new": int(new.sum()),
        "only_real": int(((own == 0) & (theirs > 0)).sum()),
        "rows_adding": int(adds.sum()),
        "shown": [{"name": _name(scene, kind, t, types.names[t]), "rows": int(own[t])} for t in ranked.tolist()],
        "sources": [
            {"name": sources.names[number], "rows": int(rows[number]), "types": end - start,
             "new": int(new[by_source.indices[start:end]].sum()), "rows_adding": int(adding[number])}
            for number, (start, end) in enumerate(_rows(by_source)) if rows[number]
        ],
    }  # fmt: skip


def _name(scene: Scene, kind: str, number: int, name: str) -> str:
    if kind == "cluster" and scene.show != OPEN:  # its name quotes a row
        return f"cluster {number}"
    return scene.name(kind, number, name)


def _nearest(scene: Scene, facet: Facet, vectors: Similarity, sources: BySource, synthetic: Rows, real: Rows) -> dict[str, Any] | None:
    """How far synthetic rows are from the nearest real row, beside how far real rows are from the nearest other one.

    Distance = 1 - cosine of macro vectors. Of each kind at most 2,000 rows drawn by the seed, each held against every real row. `near`
    and `far`: the share of them nearer (farther) than all but 5 % of the sampled real rows are; so 5 % would be expected of real rows.
    None where the vectors are not dense. O(4,000 n d).
    """
    if not isinstance(vectors, Vectors):
        return None
    drawn = {
        "synthetic": np.sort(np.random.default_rng([scene.seed, _NEAREST, 1]).permutation(synthetic)[:SAMPLED]),
        "real": np.sort(np.random.default_rng([scene.seed, _NEAREST, 2]).permutation(real)[:SAMPLED]),
    }
    apart = {kind: _distances(vectors, rows, real, facet.memory) for kind, rows in drawn.items()}
    low, high = np.quantile(apart["real"], [TAIL, 1 - TAIL])
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]

    def told(some: NDArray[np.float64]) -> dict[str, Any]:
        quantiles = [short(value) for value in np.quantile(some, levels)]
        return {"rows": len(some), "quantiles": quantiles, "near": short((some < low).mean()), "far": short((some > high).mean())}

    code = sources.code[drawn["synthetic"]]
    return {
        "levels": levels,
        **{kind: told(some) for kind, some in apart.items()},
        "sources": [{"name": sources.names[one], **told(apart["synthetic"][code == one])} for one in np.unique(code).tolist()],
    }


def _distances(vectors: Vectors, rows: Rows, others: Rows, memory: int) -> NDArray[np.float64]:
    """(m,) 1 - the largest similarity of each row to one of the others that is not the row itself; both ascending."""
    best = np.full(len(rows), -1.0, np.float32)
    step = max(1, min(8192, memory // (8 * max(1, len(rows)))))
    for first in range(0, len(others), step):
        block = others[first : first + step]
        similarity = vectors.data[rows] @ vectors.data[block].T
        place = np.minimum(np.searchsorted(block, rows), len(block) - 1)
        itself = np.flatnonzero(block[place] == rows)
        similarity[itself, place[itself]] = -1.0
        np.maximum(best, similarity.max(axis=1), out=best)
    return 1.0 - best.astype(np.float64)

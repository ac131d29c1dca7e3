"""Where subsets are thin, as random or diverse, and what half of the rows carry: the first thing on the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from selector import measuring
from selector.core import Rows
from selector.findings.scene import Scene
from selector.verdicts import RULE, Verdict, limit

LAYERS = ("macro", "meso", "micro")
DRAWN = 10  # random subsets whose half is told beside a subset's
RANDOM = 11  # stream of random numbers


def find(scene: Scene) -> dict[str, Any]:
    """For each layer and side: the types, how few of them carry half of all, and the verdict on every subset."""
    measured = scene.measurement.datasets if scene.measurement else ()
    places = []
    for side, facet in scene.facets.items():
        for layer in LAYERS:
            incidence = facet.types(layer).incidence
            rows = scene.pool
            told = []
            for subset, one in zip(scene.subsets, measured, strict=True):
                verdict, alike = (_of(said, side, layer) for said in (one.verdicts, one.matched_verdicts))
                drawn = measuring.at_random(rows, len(subset.rows), DRAWN, (scene.seed, RANDOM)) if len(subset.rows) <= len(rows) else []
                told.append(
                    {
                        "name": subset.name,
                        **_told("", verdict),
                        **_told("matched_", alike),
                        "half": half(incidence, subset.rows),
                        "half_at_random": float(np.mean([half(incidence, one) for one in drawn])) if drawn else None,
                        "types": carried(incidence, subset.rows),
                        "types_at_random": float(np.mean([carried(incidence, one) for one in drawn])) if drawn else None,
                    }
                )
            types = {"types": carried(incidence, rows), "half": half(incidence, rows)}
            places.append({"side": side, "layer": layer, **types, "subsets": told})
    return {"places": places, "rule": RULE, "limit": limit(scene.references, len(places)) if measured else None, "drawn": DRAWN}


def half(incidence: Any, rows: Rows) -> int:
    """The fewest types that make up half of all that these rows carry, a type counted once a row. O(entries + T log T)."""
    counts = np.sort(np.bincount(incidence[rows].indices, minlength=incidence.shape[1]))[::-1]
    total = int(counts.sum())
    return int(np.searchsorted(np.cumsum(counts), total / 2)) + 1 if total else 0


def carried(incidence: Any, rows: Rows) -> int:
    """How many types these rows carry."""
    return len(np.unique(incidence[rows].indices))


def _of(said: tuple[Verdict, ...], side: str, layer: str) -> Verdict:
    return next(one for one in said if (one.side, one.layer) == (side, layer))


def _told(prefix: str, verdict: Verdict) -> dict[str, Any]:
    return {f"{prefix}word": verdict.word, f"{prefix}t": verdict.t, f"{prefix}percentile": verdict.percentile}

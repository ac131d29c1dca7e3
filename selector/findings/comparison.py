"""Subsets side by side: every measure beside random subsets, with the sign that it had in the paper, and the rows they share."""

from __future__ import annotations

from typing import Any

import numpy as np

from selector.findings.scene import Scene
from selector.measurement import flat

# Pearson's r of a measure of the set with the judge's score (arXiv 2505.24768, table of correlations): instruction, response.
PAPER = {
    "1-gram ratio": (-0.36, -0.47),
    "2-gram ratio": (-0.14, -0.41),
    "mean embedding distance": (0.11, -0.44),
    "tokens per text": (-0.21, 0.73),
    "compression ratio": (0.10, 0.10),
    "self-BLEU": (0.42, -0.02),
    "token entropy": (0.04, 0.58),
}

READ = {"value": "value", "error": "standard_error", "spread": "subset_sd", "z": "random_z", "percentile": "random_percentile"}


def find(scene: Scene) -> dict[str, Any] | None:
    """The measures of all subsets at one size, and how many rows each two share. None without a subset."""
    if scene.measurement is None:
        return None
    sets = [subset.rows for subset in scene.subsets]
    shared = [[len(np.intersect1d(one, other, assume_unique=True)) for other in sets] for one in sets]
    measures = []
    for lines in zip(*(one.lines for one in scene.measurement.datasets), strict=True):
        told = [flat(line) for line in lines]
        first = told[0]
        measures.append(
            {
                **{key: first[key] for key in ("side", "layer", "measure", "direction", "judged", "random_mean", "random_sd")},
                "paper_r": PAPER[first["measure"]][first["side"] == "response"] if first["measure"] in PAPER else None,
                "subsets": [{name: one[key] for name, key in READ.items()} for one in told],
            }
        )
    return {
        "names": [subset.name for subset in scene.subsets],
        "rows": [len(rows) for rows in sets],
        "at_size": scene.measurement.rows,
        "shared": shared,
        "jaccard": [[both / (len(sets[i]) + len(sets[j]) - both) for j, both in enumerate(line)] for i, line in enumerate(shared)],
        "measures": measures,
        "notes": scene.measurement.notes(),
    }

"""Small pools that are hard: exact ties, copies, zero rows, one row; and every objective over every kind of features."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.sparse import csr_array

from selector.core import Ground, Objective, Types
from selector.features import SparseVectors, dense, tidy
from selector.objectives.coverage import Coverage
from selector.objectives.dpp import Dpp
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.mixture import Mixture
from selector.objectives.quality import Quality
from selector.objectives.random import Random

TINY = 16_000  # bytes of a tile: smaller than any pool here, so that more than one tile is always at work


def ground(values: np.ndarray, types: np.ndarray, scores: np.ndarray, memory: int = TINY) -> Ground:
    sparse = csr_array(values.astype(np.float32))
    sparse.sort_indices()
    return Ground(
        len(values),
        {"dense": dense(values, unit=False), "sparse": SparseVectors(sparse)},
        {"types": Types(tidy(csr_array(types.astype(np.float32))), [f"t{i}" for i in range(types.shape[1])])},
        {"score": scores.astype(np.float64)},
        memory=memory,
    )


def random_ground(size: int, seed: int, memory: int = 1 << 20) -> Ground:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(size, 6)) + 2 * rng.normal(size=(5, 6))[rng.integers(0, 5, size)]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return ground(values, rng.random((size, 12)) < 0.2, rng.random(size), memory)


@st.composite
def hard_grounds(draw: st.DrawFn, most: int = 12) -> Ground:
    """Small integers as floats (exact ties), with copies, zero rows and rows without types."""
    size = draw(st.integers(1, most))
    width = draw(st.integers(1, 4))
    cell = st.integers(-2, 2)
    distinct = draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=size))
    values = np.array([distinct[draw(st.integers(0, len(distinct) - 1))] for _ in range(size)], float)
    types = np.array(draw(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=size, max_size=size)))
    scores = np.array(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), float) / 3
    return ground(values, types, scores)


MONOTONE: dict[str, Objective] = {
    "facility-location/dense": FacilityLocation("dense"),
    "facility-location/sparse": FacilityLocation("sparse"),
    "coverage/sqrt": Coverage("types"),
    "coverage/log": Coverage("types", "log"),
    "coverage/cap": Coverage("types", "cap:2"),
    "dpp/dual": Dpp("dense"),
    "dpp/factor": Dpp("sparse", ridge=0.5),
    "dpp/quality": Dpp("dense", quality="score", quality_weight=0.4),
    "quality": Quality("score"),
    "random": Random(3),
    "mixture": Mixture((FacilityLocation("dense"), Coverage("types"), Quality("score")), (1.0, 2.0, 0.5), (3.0, 2.0, 1.0)),
    "mixture/sparse": Mixture((FacilityLocation("sparse"), Dpp("sparse")), (1.0, 1.0), (2.0, 1.0)),
}
OTHERS: dict[str, Objective] = {
    "dpp/rbf": Dpp("dense", kernel="rbf", bandwidth=1.5),
    "dpp/rbf/sparse": Dpp("sparse", kernel="rbf", bandwidth=1.5, quality="score"),
}
ALL = MONOTONE | OTHERS

"""Any function of apricot-select, guarded."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Finish, Need, Pick, Problem, Rows, Similarity
from selector.errors import InputError, RecipeError, plural, unknown
from selector.features import SparseVectors
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.modular import Sum
from selector.ties import first_best

log = logging.getLogger(__name__)

GRAPH = {"facility-location": "FacilityLocation", "graph-cut": "GraphCut", "sum-redundancy": "SumRedundancy",
         "saturated-coverage": "SaturatedCoverage"}  # fmt: skip
FEATURE = {"feature-based": "FeatureBased", "max-coverage": "MaxCoverage"}


@dataclass(frozen=True)
class Apricot:
    """Any function of apricot-select over the layer's vectors, as apricot:feature-based; for those who know them.

    Functions of features (feature-based, max-coverage) read the vectors themselves, which must hold no negative number. Functions of
    similarities (facility-location, graph-cut, sum-redundancy, saturated-coverage) read each row's `neighbours` most similar rows,
    since all pairs would be an n x n matrix. apricot 0.6.1 can return a row twice: repeats are dropped and noted, and the selection is
    finished with our facility location. Gains and value are apricot's own account; no bound.
    """

    features: str
    function: str
    neighbours: int = 64
    seed: int = 0
    keywords: dict[str, Any] = field(default_factory=dict)  # for apricot's constructor

    def __post_init__(self) -> None:
        if self.function not in (*GRAPH, *FEATURE):
            raise unknown("function of apricot", self.function, [*GRAPH, *FEATURE])
        if self.neighbours < 1:
            raise RecipeError(f"neighbours is {self.neighbours}; write a number of rows, at least 1.")

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("vectors", self.features),)

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """apricot's picks that are distinct and allowed, then ours while the limits leave room. Raises InputError where apricot fails.

        apricot knows neither quotas nor token budgets: it is asked for as many rows as the limits could allow at most.
        """
        among = np.concatenate([problem.kept, problem.candidates])  # apricot sees these rows, the kept ones first
        ranking, gains = self._ask(problem, among)
        limit, told, picked = problem.limit.start(), np.zeros(problem.ground.size), list[int]()
        left = np.zeros(problem.ground.size, bool)
        left[problem.candidates] = True
        for row, gain in zip(among[ranking].tolist(), gains.tolist(), strict=True):
            if left[row] and limit.allows(np.array([row]))[0]:
                left[row] = False
                limit.add(row)
                picked.append(row)
                told[row] = gain
                yield Pick(row, gain)
        notes: tuple[str, ...] = (f"every gain and value is apricot's own account of {self.function}",)
        before = len(picked)
        state = FacilityLocation(self.features).start(problem.ground, np.concatenate([problem.kept, np.array(picked, np.int64)]))
        rows = np.flatnonzero(left)
        while limit.full is None and len(rows := rows[limit.allows(rows)]):
            ours = state.gains(rows)
            at = first_best(ours)
            row = int(rows[at])
            state.add(row)
            limit.add(row)
            rows = np.delete(rows, at)
            picked.append(row)
            yield Pick(row, float(ours[at]))
        if len(picked) > before:
            note = (
                f"apricot {self.function} returned {plural(len(ranking), 'row')} of which {len(ranking) - before:,} were repeats or not "
                f"allowed; the last {plural(len(picked) - before, 'row')} were picked by our facility-location, with its gains"
            )
            log.warning(note)
            notes = (*notes, note)
        return Finish(Sum(told, np.array(picked[:before], np.int64)), None, None, notes)

    def _ask(self, problem: Problem, among: Rows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        import apricot

        vectors = problem.ground.vectors[self.features].take(among)
        budget = min(problem.limit.most, len(problem.candidates))
        words: dict[str, Any] = {"initial_subset": np.arange(len(problem.kept))} if len(problem.kept) else {}
        if self.function in GRAPH:
            function = getattr(apricot, GRAPH[self.function] + "Selection")
            matrix, words["metric"] = neighbours(vectors, self.neighbours, problem.ground.memory), "precomputed"
        else:
            function = getattr(apricot, FEATURE[self.function] + "Selection")
            matrix = self._non_negative(vectors)
        try:
            fitted = function(budget, random_state=self.seed, **{**words, **self.keywords}).fit(matrix)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            raise InputError(
                f"apricot's {self.function} failed on {self.features}: {type(error).__name__}: {error}. "
                "Try other keywords or one of our objectives."
            ) from error
        return np.asarray(fitted.ranking, np.int64), np.asarray(fitted.gains, np.float64)

    def _non_negative(self, vectors: Similarity) -> Any:
        from scipy.sparse import csr_matrix

        data = vectors.data  # type: ignore[attr-defined]
        if data.min() < 0:
            raise InputError(
                f"apricot's {self.function} needs vectors without negative numbers and {self.features} has some; use micro or meso."
            )
        if not isinstance(vectors, SparseVectors):
            return np.asarray(data, np.float64)
        matrix = csr_matrix(data, dtype=np.float64)
        # apricot's compiled loops were written for 32-bit indices and find no others
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        return matrix


def neighbours(vectors: Similarity, count: int, memory: int) -> Any:
    """A symmetric csr_matrix (n, n) of each row's `count` largest similarities above 0, itself included.

    O(n^2 d) time, O(n count) memory.
    """
    from scipy.sparse import csr_matrix

    size, count = vectors.size, min(count, vectors.size)
    step = max(1, memory // (16 * size))
    entries, columns, owners = [], [], []
    for first in range(0, size, step):
        asked = np.arange(first, min(size, first + step))
        lines = np.empty((len(asked), size), np.float32)
        for block in vectors.blocks(asked, memory // 4):
            lines[block.candidates, block.first_row : block.first_row + block.values.shape[1]] = block.values
        nearest = np.argpartition(-lines, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(lines, nearest, axis=1)
        kept = values > 0
        entries.append(values[kept])
        columns.append(nearest[kept])
        owners.append(np.repeat(asked, kept.sum(axis=1)))
    graph = csr_matrix((np.concatenate(entries), (np.concatenate(owners), np.concatenate(columns))), shape=(size, size), dtype=np.float64)
    return graph.maximum(graph.T).tocsr()

"""The ways to choose rows that the benchmarks compare: (vectors, budget) -> rows, all for facility location over cosine cut at 0.

Each way is (vectors (n, d) float32 of unit rows, budget, threads, seed) -> rows and what it says of itself. What a way builds from the
vectors (a matrix, a graph) it builds inside, so that it is counted. Peers get the configuration that was fastest for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from typing import Any

import numpy as np

NEIGHBOURS = 64  # of each row in a neighbour graph

Found = tuple[np.ndarray, dict[str, Any]]


@dataclass(frozen=True)
class Way:
    """A way to choose: its function in this file, the packages it needs beside ours, and whether it draws lots."""

    function: str
    packages: tuple[str, ...] = ()
    drawn: bool = False

    @property
    def missing(self) -> list[str]:
        """Those of its packages that are not installed."""
        return [package for package in self.packages if not _installed(package)]


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def ways() -> dict[str, Way]:
    """All ways of the comparison by the name that stands in the table; those of ours are the ones that this checkout has."""
    from selector.registry import find, names

    ours = {"ours, exact": Way("exact")}
    if "mode" in signature(find("optimizers", "lazy")).parameters:
        ours["ours, fast"] = Way("fast")
    if "neighbours" in signature(find("objectives", "facility-location")).parameters:
        ours[f"ours, graph of {NEIGHBOURS} neighbours"] = Way("graph")
    if "near" in names("optimizers"):
        ours["ours, near"] = Way("near")
        ours["ours, near, 80 probes"] = Way("near_twice")
    if "partitioned" in names("optimizers"):
        ours["ours, partitioned"] = Way("partitioned")
    return {
        **ours,
        "ours, stochastic": Way("stochastic", drawn=True),
        "apricot lazy, dense": Way("apricot_dense", ("apricot-select",)),
        f"apricot lazy, csr, {NEIGHBOURS} exact neighbours": Way("apricot_csr", ("apricot-select", "faiss-cpu")),
        f"apricot lazy, csr, {NEIGHBOURS} approximate neighbours": Way("apricot_csr_approximate", ("apricot-select", "faiss-cpu")),
        "submodlib lazy, dense": Way("submodlib_dense", ("submodlib-py",)),
        "MiniBatchKMeans medoids": Way("medoids", ("scikit-learn",), drawn=True),
        "pyversity DPP": Way("pyversity_dpp", ("pyversity",)),
        "semhash representatives": Way("semhash_representatives", ("semhash",)),
        "random": Way("random_rows", drawn=True),
    }


# ------------------------------------------------------------------------------------------------------------------- ours


def ours(
    vectors: np.ndarray, budget: int, *, threads: int, seed: int, optimizer: str, graph: int = 0, memory: int = 1 << 30, **options: Any
) -> Found:
    """Ours from the raw vectors to rows and certificate; `memory`, in bytes, is for what it keeps: by default as in the library."""
    from selector.core import NO_ROWS, Ground, Problem
    from selector.engine import select
    from selector.features import dense
    from selector.limits import Count
    from selector.objectives.facility_location import FacilityLocation
    from selector.registry import find

    clock = _Clock()
    ground = Ground(len(vectors), {"rows": dense(vectors)}, memory=memory, progress=clock)
    clock("features", 1, 1)
    objective = FacilityLocation("rows", neighbours=graph) if graph else FacilityLocation("rows")
    problem = Problem(ground, objective, Count(budget), NO_ROWS, np.arange(len(vectors)))
    outcome = select(problem, partial(find("optimizers", optimizer), **options), seed=seed, reference=False, progress=clock)
    clock("certificate", 1, 1)
    return outcome.rows, {"stages": clock.seconds, "value": outcome.value, "proved": outcome.ratio, "notes": list(outcome.notes)}


class _Clock:
    """A progress callback that adds up what each stage took: the time before a call belongs to the work it reports as done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last, self.stage = time.perf_counter(), ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.perf_counter()
        worked = stage if done else self.stage or stage
        self.seconds[worked] = self.seconds.get(worked, 0.0) + now - self.last
        self.last, self.stage = now, stage


def exact(vectors: np.ndarray, budget: int, **words: Any) -> Found:
    from selector.registry import find

    options = {"mode": "exact"} if "mode" in signature(find("optimizers", "lazy")).parameters else {}
    return ours(vectors, budget, optimizer="lazy", **options, **words)


fast: Callable[..., Found] = partial(ours, optimizer="lazy", mode="fast")
graph: Callable[..., Found] = partial(ours, optimizer="lazy", graph=NEIGHBOURS)
near: Callable[..., Found] = partial(ours, optimizer="near")
near_twice: Callable[..., Found] = partial(ours, optimizer="near", probes=80)
partitioned: Callable[..., Found] = partial(ours, optimizer="partitioned")
stochastic: Callable[..., Found] = partial(ours, optimizer="stochastic")


def random_rows(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    return np.random.default_rng(seed).choice(len(vectors), budget, replace=False), {}


# ------------------------------------------------------------------------------------------------------------------ peers


def apricot_dense(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    """Lazy greedy on all similarities: float64, which is what its compiled loops take."""
    return _apricot(_matrix(vectors, np.float64), budget, seed), {}


def apricot_csr(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    """Lazy greedy on the graph of exact nearest neighbours: faiss's flat index was the fastest of faiss, scikit-learn and pynndescent."""
    return _on_graph(vectors, budget, seed, "Flat", threads)


def apricot_csr_approximate(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    """Lazy greedy on the graph of faiss's inverted lists, 8 of 4 sqrt(n) looked at: faster than its HNSW, and pynndescent, at 100,000."""
    return _on_graph(vectors, budget, seed, f"IVF{int(4 * len(vectors) ** 0.5)},Flat", threads)


def submodlib_dense(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    """LazyGreedy on all similarities in float32. Its sparse mode took 4 s at 2,000 rows and over 5 minutes at 5,000."""
    from submodlib import FacilityLocationFunction

    function = FacilityLocationFunction(n=len(vectors), mode="dense", sijs=_matrix(vectors, np.float32), separate_rep=False)
    picks = function.maximize(budget=budget, optimizer="LazyGreedy", stopIfZeroGain=False, stopIfNegativeGain=False, show_progress=False)
    return np.array([row for row, _ in picks]), {}


def medoids(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    """The row nearest to each of `budget` centres; two centres may share a row, so there can be fewer rows than asked for."""
    from sklearn.cluster import MiniBatchKMeans

    centres = MiniBatchKMeans(budget, batch_size=4096, n_init=1, random_state=seed).fit(vectors).cluster_centers_
    step = max(1, 2**24 // len(vectors))
    nearest = [(centres[first : first + step] @ vectors.T).argmax(axis=1) for first in range(0, len(centres), step)]
    return np.unique(np.concatenate(nearest)), {}


def pyversity_dpp(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    """Greedy DPP of the linear kernel, all scores equal. Its rank is the vectors' dimensions: past that the picks mean nothing."""
    from pyversity import Strategy, diversify

    return diversify(vectors, np.ones(len(vectors), np.float32), budget, strategy=Strategy.DPP, diversity=1.0).indices, {}


def semhash_representatives(vectors: np.ndarray, budget: int, *, threads: int, seed: int) -> Found:
    """find_representative over all rows; left to itself it looks at no more than 1,000 rows and returns no more."""
    from semhash import SemHash

    index = SemHash.from_embeddings(vectors, [str(row) for row in range(len(vectors))], model=None)
    found = index.self_find_representative(selection_size=budget, candidate_limit=len(vectors))
    return np.array([int(record) for record in found.selected]), {}


def _apricot(matrix: Any, budget: int, seed: int) -> np.ndarray:
    from apricot import FacilityLocationSelection

    return FacilityLocationSelection(budget, metric="precomputed", optimizer="lazy", random_state=seed).fit(matrix).ranking


def _matrix(vectors: np.ndarray, kind: Any) -> np.ndarray:
    """(n, n) similarities cut at 0, made in place: no second matrix is held beside it."""
    matrix = np.empty((len(vectors), len(vectors)), kind)
    for first in range(0, len(vectors), 1024):
        matrix[first : first + 1024] = np.maximum(vectors[first : first + 1024] @ vectors.T, 0)
    return matrix


def _on_graph(vectors: np.ndarray, budget: int, seed: int, index: str, threads: int) -> Found:
    start = time.perf_counter()
    matrix = neighbour_graph(vectors, index, threads)
    built = time.perf_counter() - start
    return _apricot(matrix, budget, seed), {"stages": {"graph": built, "selection": time.perf_counter() - start - built}}


def neighbour_graph(vectors: np.ndarray, index: str, threads: int) -> Any:
    """The symmetric csr_matrix (n, n) of each row's nearest rows and their similarities, by a faiss index of this name."""
    import faiss
    from scipy.sparse import csr_matrix

    faiss.omp_set_num_threads(threads)
    size = len(vectors)
    found = faiss.index_factory(vectors.shape[1], index, faiss.METRIC_INNER_PRODUCT)
    if not found.is_trained:
        found.cp.max_points_per_centroid, found.nprobe = 64, 8
        found.train(vectors)
    found.add(vectors)
    near, rows = found.search(vectors, min(NEIGHBOURS, size))
    owners, near, rows = np.repeat(np.arange(size), near.shape[1]), near.ravel(), rows.ravel()
    kept = (near > 0) & (rows >= 0)
    matrix = csr_matrix((near[kept].astype(np.float64), (owners[kept], rows[kept])), shape=(size, size))
    matrix = matrix.maximum(matrix.T).tocsr()
    matrix.sort_indices()
    return matrix

"""What a selection costs: the work of each objective in units that a short probe of this machine turns into seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numba import njit

from selector.core import Objective, Procedure
from selector.kernels import codes
from selector.kernels.near import CELLS
from selector.objectives.cluster_balanced import ClusterBalanced
from selector.objectives.coverage import Coverage
from selector.objectives.dpp import DUAL_DIMENSIONS, Dpp
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.k_centre import KCentre
from selector.objectives.k_means_medoids import KMeansMedoids
from selector.objectives.max_min import MaxMin
from selector.objectives.mixture import Mixture
from selector.objectives.mmr import Mmr
from selector.objectives.novel_select import NovelSelect
from selector.objectives.quality import Quality
from selector.objectives.random import Random
from selector.objectives.repr_filter import ReprFilter
from selector.optimizers.lazy import LARGE
from selector.optimizers.near import PROBES
from selector.optimizers.partitioned import PART
from selector.optimizers.proof import SAMPLED
from selector.optimizers.sampled import FEW, SHRINK
from selector.semantic import CELL, PASSES

Options = Mapping[str, Any]  # of the optimizer

# How much more than the bare count of operations the loops take, as measured on the real pool of 117,654 rows, 10,000 picks.
SWEPT = {"fast": 1.0, "exact": 2.5}  # facility location, dense: multiples of half of all products, by mode
CODED = {np.int8: 0.5, np.uint8: 0.65, np.float32: 1.0}  # the same by the numbers that the processor multiplies fastest
PARTED = 3.2  # the same in parts: multiples of half of all products of a part
REACHED = 2.0  # facility location over near rows: multiples of the products that are looked at
CENTRES = 4.0  # and of one comparison of all rows with the centres of the cells
WALKED = 38.0  # facility location, sparse: multiples of all walks over postings
COUNTED = 24.0  # coverage: multiples of all types carried
ASKED = 1500.0  # DPP by its dual: whole evaluations that a pick costs as much as
FOLLOWED = 20  # steps of a gain that missed some picks, and of a type in a pick's direction
DOUBLE = 6  # one product in float64 on one thread, the random reference counted in, beside one in float32 on all
BROUGHT = 8.0  # DPP by its factor: multiples of all rows' lines to all picks
CLUSTERED = 2.2  # k-means: multiples of the products of one pass, for each pass and the last look
APART = {KCentre: (1.4, 6.0), Mmr: (1.4, 6.0), MaxMin: (4.3, 20.0), ReprFilter: (0.5, 1.0)}  # multiples of n k d and, sparse, of n k
NOVEL = (6.5, 40.0)  # steps for each row and pick, dense and sparse
NEAR = 16_384.0  # rows that a row is compared with when its neighbours are looked for
TURNED = 300.0  # cluster-balanced: multiples of all types carried
PICK = 100_000.0  # steps that choosing one row takes, whatever the objective


@dataclass(frozen=True)
class Shape:
    """What is known, or guessed from a sample, of the features that an objective reads."""

    rows: int
    picks: int
    dimensions: int = 0
    entries: float = 0.0  # entries a row, sparse vectors or types
    walks: float = 0.0  # steps to all rows that share a column with a row, on average
    sparse: bool = False


@dataclass(frozen=True)
class Cost:
    """Work and memory of a stage."""

    flops: float = 0.0  # of float32 matrix products
    walks: float = 0.0  # steps of compiled loops over lists
    bytes: float = 0.0  # that must be held at the same time

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.walks + other.walks, self.bytes + other.bytes)


@runtime_checkable
class Costed(Protocol):
    """An objective that knows what it costs; one of another package may say so."""

    def cost(self, shape: Shape) -> Cost: ...


@dataclass(frozen=True)
class Machine:
    """What a probe of about a second found."""

    flops: float  # a second, float32 matrix products on all threads
    walks: float  # a second, on one thread
    memory: int  # bytes that no process holds now

    def seconds(self, cost: Cost) -> float:
        return cost.flops / self.flops + cost.walks / self.walks


def probe() -> Machine:
    """Multiplies and walks for about half a second each."""
    import psutil

    left = np.random.default_rng(0).normal(size=(2048, 512)).astype(np.float32)
    flops = _rate(lambda: left @ left.T, 2.0 * 2048 * 2048 * 512)
    columns = np.random.default_rng(0).integers(0, 100_000, 1_000_000).astype(np.int32)
    sums = np.ones(100_000)
    walks = _rate(lambda: _walk(columns, sums), float(len(columns)))
    return Machine(flops, walks, int(psutil.virtual_memory().available))


@njit(cache=True)
def _walk(columns, sums):  # type: ignore[no-untyped-def]
    """A loop as the sparse ones are: reads from all over a list, and writes there."""
    total = 0.0
    for column in columns:
        total += sums[column]
        sums[column] = 1.0
    return total


def _rate(work: Callable[[], Any], units: float) -> float:
    work()  # compiled, threads awake
    best, began = np.inf, time.perf_counter()
    while time.perf_counter() - began < 0.4:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return units / best


def selection(objective: Objective | Procedure, optimizer: str, options: Options, shape: Shape) -> Cost | None:
    """What the picks cost; None where nobody knows."""
    cost = objective.cost(shape) if isinstance(objective, Costed) else _known(objective, optimizer, options, shape)
    return None if cost is None else cost + Cost(walks=PICK * shape.picks)


def _known(objective: Objective | Procedure, optimizer: str, options: Options, shape: Shape) -> Cost | None:
    match objective:
        case FacilityLocation():
            return _facility_location(optimizer, options, shape)
        case Coverage():
            return Cost(walks=_asked(optimizer, options, shape, COUNTED) * shape.entries)
        case Dpp():
            return _dpp(objective, optimizer, options, shape)
        case Quality() | Random():
            return Cost(walks=float(shape.rows))
        case Mixture():
            costs = [_known(part, optimizer, options, shape) for part in objective.parts]
            return None if None in costs else sum((one for one in costs if one), Cost())
        case KCentre() | Mmr() | MaxMin() | ReprFilter():
            dense, sparse = APART[type(objective)]
            pairs = float(shape.rows) * shape.picks
            if shape.sparse:
                return Cost(walks=sparse * pairs + shape.picks * shape.walks)
            return Cost(flops=dense * 2.0 * pairs * shape.dimensions, bytes=4.0 * shape.picks * shape.dimensions)
        case NovelSelect():
            return _novel_select(objective, shape)
        case KMeansMedoids():
            return _medoids(objective, shape)
        case ClusterBalanced():
            return Cost(walks=TURNED * shape.rows * shape.entries, bytes=24.0 * shape.rows * shape.entries)
    return None


def _novel_select(objective: NovelSelect, shape: Shape) -> Cost:
    pairs, held = float(shape.rows) * shape.picks, 4.0 * shape.rows * objective.exact_ranks
    if shape.sparse:
        return Cost(walks=NOVEL[1] * pairs + 2.0 * shape.rows * shape.walks, bytes=held)
    compared = 2.0 * shape.rows * min(NEAR, shape.rows) + 2.0 * pairs
    return Cost(flops=compared * shape.dimensions, walks=NOVEL[0] * pairs, bytes=held)


def _medoids(objective: KMeansMedoids, shape: Shape) -> Cost:
    looks, held = (objective.passes + 1) * float(shape.rows) * shape.picks, 8.0 * shape.picks * shape.dimensions
    if shape.sparse:
        return Cost(walks=looks * shape.entries, bytes=held)
    return Cost(flops=CLUSTERED * 2.0 * looks * shape.dimensions, bytes=held)


def semantic(shape: Shape) -> Cost:
    """Semantic copies among all rows: k-means into cells of 1,024 rows, then all pairs of a cell."""
    cells = shape.rows / CELL
    return Cost(flops=2.0 * shape.rows * shape.dimensions * (CLUSTERED * (PASSES + 1) * cells + CELL))


def certificate(objective: Objective | Procedure, shape: Shape, optimizer: str = "lazy") -> Cost:
    """The value of the random reference, beside gains that are there already; where the proof needs none, estimates of both values."""
    if isinstance(objective, FacilityLocation):
        if shape.sparse:
            return Cost(walks=shape.picks * shape.walks)
        estimated = shape.rows > {"near": FEW, "partitioned": PART}.get(optimizer, shape.rows)
        rows = 2 * SAMPLED if estimated else shape.rows
        return Cost(flops=2.0 * rows * shape.picks * shape.dimensions)
    return Cost(walks=shape.picks * shape.entries)


def _asked(optimizer: str, options: Options, shape: Shape, lazy: float) -> float:
    """Gains asked for; `lazy` is the multiple of all candidates that the lazy optimizer asks."""
    if optimizer == "greedy":
        return float(shape.rows) * shape.picks
    return shape.rows * (log(1 / float(options.get("epsilon", 0.05))) if optimizer == "stochastic" else lazy)


def _facility_location(optimizer: str, options: Options, shape: Shape) -> Cost:
    if shape.sparse:
        return Cost(walks=_asked(optimizer, options, shape, WALKED) * shape.walks, bytes=8.0 * shape.rows * shape.walks)
    whole = 2.0 * shape.rows * shape.rows * shape.dimensions * CODED[codes.fastest()]
    if optimizer in ("greedy", "stochastic"):  # in float32
        return Cost(flops=_asked(optimizer, options, shape, 1.0) * 2.0 * shape.rows * shape.dimensions)
    if optimizer == "partitioned" and shape.rows > PART:
        among = (2.0 * shape.picks) ** 2 * shape.dimensions * CODED[codes.fastest()]
        return Cost(flops=PARTED * whole / 2 / -(-shape.rows // PART) + SWEPT["fast"] * among)
    if optimizer == "near" and shape.rows > FEW:
        cells = CELLS * shape.rows**0.5
        looked = whole * REACHED * min(1.0, float(options.get("probes", PROBES)) / cells)
        placed = 2.0 * CENTRES * shape.rows * cells * shape.dimensions
        return Cost(flops=(1 + 1 / SHRINK**1.5) * (looked + placed))  # and the largest sample
    mode = options.get("mode", "auto")
    return Cost(flops=SWEPT["fast" if mode == "fast" or (mode == "auto" and shape.rows >= LARGE) else "exact"] * whole / 2)


def _dpp(objective: Dpp, optimizer: str, options: Options, shape: Shape) -> Cost:
    if objective.kernel == "linear" and not shape.sparse and shape.dimensions <= DUAL_DIMENSIONS:
        asked = shape.rows + ASKED * shape.picks if optimizer == "lazy" else _asked(optimizer, options, shape, 1.0)
        return Cost(flops=2.0 * asked * shape.dimensions**2)
    if objective.kernel == "linear" and shape.sparse:
        shared = shape.picks * shape.walks / max(1, shape.rows)  # picks that share a type with a row
        brought = shape.rows * shape.entries + FOLLOWED * shape.dimensions + shape.picks * shared / 3  # for each pick
        walks = shape.picks * brought + FOLLOWED * _asked(optimizer, options, shape, 1.0)
        return Cost(flops=DOUBLE * shape.picks**3 / 3, walks=walks, bytes=8.0 * shape.picks * shape.picks)
    steps = shape.picks / 2 + (64 if shape.sparse else shape.dimensions)  # of an entry
    return Cost(flops=BROUGHT * 2.0 * shape.rows * shape.picks * steps, bytes=16.0 * shape.picks * shape.picks)

"""Determinantal point process: rows that span the largest volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, Similarity, State
from selector.errors import MemoryForecast, RecipeError
from selector.features import Vectors

DUAL_DIMENSIONS = 2048  # up to here the d x d dual is cheaper than a factor that grows with the picks


@dataclass(frozen=True)
class Dpp:
    """Rows that differ from one another: the volume they span (greedy MAP of a determinantal point process).

    `kernel` 'linear': f(S) = log det(I + Q_S X_S X_S^T Q_S / ridge); the ridge lets it choose more rows than there are dimensions, makes
    f(empty) = 0 and every gain positive, so f is monotone submodular and the certificate holds. Dense vectors of at most 2,048 dimensions
    use the d x d dual: O(d^2) a gain. `kernel` 'rbf': f(S) = log det(Q_S K_S Q_S), K = exp(-|x - y|^2 / (2 h^2)), h = `bandwidth` or the
    median distance of 1,000 rows drawn from `seed`; submodular, not monotone. It and sparse vectors use the incremental Cholesky factor
    (Chen et al. 2018, algorithm 1), each candidate's row brought up to date only when it is asked for (Hemmi et al. 2022): O(k) a step.
    Q = diag(q): with a `quality` column and its `quality_weight` t, q = exp(t / (2 (1 - t)) * score) (Chen et al. 2018, eq. 18).
    """

    features: str
    kernel: str = "linear"
    ridge: float = 1.0
    bandwidth: float | None = None
    quality: str | None = None
    quality_weight: float = 0.5
    seed: int = 0
    submodular: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kernel not in ("linear", "rbf"):
            raise RecipeError(f"the kernel of dpp is '{self.kernel}'; write linear or rbf.")
        if not self.ridge > 0:
            raise RecipeError(f"the ridge of dpp is {self.ridge:g}; it must be above 0.")
        if self.bandwidth is not None and not self.bandwidth > 0:
            raise RecipeError(f"the bandwidth of dpp is {self.bandwidth:g}; it must be above 0.")
        if self.quality is not None and not 0 <= self.quality_weight < 1:
            raise RecipeError(f"the quality weight of dpp is {self.quality_weight:g}; it must be at least 0 and below 1.")

    @property
    def monotone(self) -> bool:
        return self.kernel == "linear"

    @property
    def needs(self) -> tuple[Need, ...]:
        vectors = (Need("vectors", self.features),)
        return vectors if self.quality is None else (*vectors, Need("scores", self.quality))

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        vectors, quality = ground.vectors[self.features], self._quality(ground)
        if self.kernel == "linear" and isinstance(vectors, Vectors) and vectors.dimensions <= DUAL_DIMENSIONS:
            return _Dual(vectors, quality, self.ridge, chosen)
        state = _Cholesky(self._kernel(ground), quality, self.kernel == "linear", ground)
        for row in chosen:
            state.add(int(row))
        return state

    def value(self, ground: Ground, rows: Rows) -> float:
        quality = self._quality(ground)[rows]
        vectors = ground.vectors[self.features]
        if self.kernel == "linear" and isinstance(vectors, Vectors) and vectors.dimensions < len(rows):
            scaled = vectors.data[rows].astype(np.float64) * quality[:, None]
            return _log_det(np.eye(vectors.dimensions) + scaled.T @ scaled / self.ridge)
        matrix = quality[:, None] * self._kernel(ground).products(rows, rows) * quality
        return _log_det(matrix + np.eye(len(rows)) if self.kernel == "linear" else matrix)

    def _kernel(self, ground: Ground) -> _Kernel:
        vectors = ground.vectors[self.features]
        if self.kernel == "linear":
            return _Kernel(vectors, ridge=self.ridge)
        norms = _squared_norms(vectors)
        return _Kernel(vectors, norms=norms, bandwidth=self.bandwidth or _median_distance(vectors, norms, self.seed))

    def _quality(self, ground: Ground) -> Gains:
        """(n,) the factor q of each row."""
        if self.quality is None:
            return np.ones(ground.size)
        weight = self.quality_weight / (2 * (1 - self.quality_weight))
        return np.exp(weight * ground.scores[self.quality])


@dataclass(frozen=True)
class _Kernel:
    """K without the ridge's identity: X X^T / ridge, or the radial basis function."""

    vectors: Similarity
    ridge: float = 1.0
    norms: Gains | None = None  # (n,) squared norms, for the radial basis function
    bandwidth: float = 1.0

    def products(self, left: Rows, right: Rows) -> NDArray[np.float64]:
        """(len(left), len(right)) entries of K."""
        inner = self.vectors.products(left, right)
        if self.norms is None:
            return inner / self.ridge
        squared = np.maximum(self.norms[left][:, None] + self.norms[right] - 2 * inner, 0)
        same = left[:, None] == right
        return np.exp(-np.where(same, 0.0, squared) / (2 * self.bandwidth**2))

    def diagonal(self, rows: Rows) -> Gains:
        if self.norms is not None:
            return np.ones(len(rows))
        return _squared_norms(self.vectors, rows) / self.ridge


class _Dual:
    """A = (ridge I + X_S^T Q_S^2 X_S)^-1 is all the state there is: the gain of x is log(1 + q^2 x^T A x)."""

    def __init__(self, vectors: Vectors, quality: Gains, ridge: float, chosen: Rows) -> None:
        self.vectors, self.quality, self.ridge = vectors, quality, ridge
        scaled = vectors.data[chosen].astype(np.float64) * quality[chosen, None]
        self.gram = ridge * np.eye(vectors.dimensions) + scaled.T @ scaled  # (d, d)
        self.inverse = np.linalg.inv(self.gram)  # (d, d)
        self.value = _log_det(self.gram / ridge)
        self.evaluations, self.batch, self.added = 0, 16, 0

    def gains(self, candidates: Rows) -> Gains:
        self.evaluations += len(candidates)
        gains = np.empty(len(candidates))
        for first in range(0, len(candidates), 8192):
            rows = candidates[first : first + 8192]
            scaled = self.vectors.data[rows].astype(np.float64) * self.quality[rows, None]
            gains[first : first + 8192] = np.einsum("nd,nd->n", scaled @ self.inverse, scaled)
        return np.log1p(np.maximum(gains, 0.0))

    def add(self, row: int) -> None:
        scaled = self.vectors.data[row].astype(np.float64) * self.quality[row]
        moved = self.inverse @ scaled
        spread = float(scaled @ moved)
        self.value += float(np.log1p(spread))
        self.gram += np.outer(scaled, scaled)
        self.inverse -= np.outer(moved, moved) / (1 + spread)  # Sherman and Morrison 1950
        self.added += 1
        if self.added % 1024 == 0:  # rounding of many rank-one steps adds up
            self.inverse = np.linalg.inv(self.gram)


class _Cholesky:
    """The factor of L_S = Q (K [+ I]) Q, and for every candidate asked so far its own row of the factor, as far as it was brought."""

    def __init__(self, kernel: _Kernel, quality: Gains, ridged: bool, ground: Ground) -> None:
        self.kernel, self.quality, self.memory = kernel, quality, ground.memory
        everything = np.arange(ground.size)
        self.ridged = float(ridged)
        self.residual = quality**2 * kernel.diagonal(everything) + self.ridged  # (n,) squared pivot of each row after `depth` picks
        self.depth = np.zeros(ground.size, np.int64)  # (n,) how many picks each row's factor has seen
        self.slot = np.full(ground.size, -1, np.int64)  # (n,) line of `factor` that belongs to the row, -1 for none yet
        self.factor = np.zeros((0, 0))  # (slots, room for picks)
        self.used = 0
        self.chosen: list[int] = []
        self.value, self.evaluations, self.batch = 0.0, 0, 16

    def gains(self, candidates: Rows) -> Gains:
        self.evaluations += len(candidates)
        for first in range(0, len(candidates), 512):
            self._bring_up(candidates[first : first + 512])
        residual = self.residual[candidates]
        # An exact copy of a chosen row spans nothing more: -inf without the ridge, never NaN from a rounding below zero.
        alive = residual > 1e-12 * np.maximum(1.0, self.quality[candidates] ** 2)
        return np.where(alive, np.log(np.where(alive, residual, 1.0)), -np.inf)

    def add(self, row: int) -> None:
        rows = np.array([row])
        gain = float(self.gains(rows)[0])
        self.evaluations -= 1
        self.value += gain
        self._reserve(rows, len(self.chosen) + 1)
        self.factor[self.slot[row], len(self.chosen)] = np.sqrt(max(self.residual[row], 0.0))
        self.chosen.append(row)
        self.depth[row] = len(self.chosen)

    def _bring_up(self, rows: Rows) -> None:
        from selector.kernels.factor import extend_factor

        picks = len(self.chosen)
        rows = rows[self.depth[rows] < picks]
        if not len(rows):
            return
        self._reserve(rows, picks)
        seen = int(self.depth[rows].min())
        chosen = np.array(self.chosen[seen:])
        entries = self.quality[rows][:, None] * self.kernel.products(rows, chosen) * self.quality[chosen]
        extend_factor(rows, np.array(self.chosen), seen, entries, self.factor, self.slot, self.depth, self.residual)

    def _reserve(self, rows: Rows, picks: int) -> None:
        """Room in `factor` for these rows and so many picks; raises MemoryForecast past the memory option."""
        fresh = rows[self.slot[rows] < 0]
        lines, width = self.factor.shape
        needed = (self.used + len(fresh), picks)
        if needed[0] > lines or needed[1] > width:
            taller = max(needed[0], min(max(2 * lines, 64), len(self.slot))) if needed[0] > lines else lines
            wider = max(needed[1], 2 * width, 64) if needed[1] > width else width
            shape = (taller, wider)
            if 8 * (shape[0] * shape[1] + lines * width) > self.memory:
                shape = (max(lines, needed[0]), max(width, needed[1]))
            bytes_needed = 8 * (shape[0] * shape[1] + lines * width)
            if bytes_needed > self.memory:
                raise MemoryForecast(
                    f"dpp with this kernel has to hold {shape[0]:,} rows of its factor for {picks:,} picks, "
                    f"{bytes_needed / 2**30:.1f} GiB with the copy, but the memory option leaves {self.memory / 2**30:.1f} GiB; "
                    "lower the budget, raise --memory, or use dense "
                    "vectors with kernel linear (macro), which need no factor."
                )
            grown = np.zeros(shape)
            grown[:lines, :width] = self.factor
            self.factor = grown
        self.slot[fresh] = np.arange(self.used, self.used + len(fresh))
        self.used += len(fresh)


def _log_det(matrix: NDArray[np.float64]) -> float:
    sign, value = np.linalg.slogdet(matrix)
    return float(value) if sign > 0 else float("-inf")


def _squared_norms(vectors: Similarity, rows: Rows | None = None) -> Gains:
    """(n,) squared length of each row."""
    if isinstance(vectors, Vectors):
        own = vectors.data if rows is None else vectors.data[rows]
        return np.einsum("nd,nd->n", own, own, dtype=np.float64)
    own = vectors.data if rows is None else vectors.data[rows]  # type: ignore[attr-defined]
    return np.asarray(own.multiply(own).sum(axis=1), np.float64).ravel()


def _median_distance(vectors: Similarity, norms: Gains, seed: int) -> float:
    rows = np.sort(np.random.default_rng(seed).choice(vectors.size, min(1000, vectors.size), replace=False))
    squared = norms[rows][:, None] + norms[rows] - 2 * vectors.products(rows, rows)
    distances = np.sqrt(np.maximum(squared[np.triu_indices(len(rows), 1)], 0))
    median = float(np.median(distances)) if len(distances) else 0.0
    return median or 1.0  # copies only: any bandwidth gives the same picks

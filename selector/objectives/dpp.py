"""Determinantal point process: rows that span the largest volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, Similarity, State
from selector.errors import MemoryForecast, RecipeError, size
from selector.features import Vectors

TOGETHER = 64  # picks after which all lines of the factor are brought up at once
DUAL_DIMENSIONS = 2048  # up to here the d x d dual is cheaper than a factor that grows with the picks


@dataclass(frozen=True)
class Dpp:
    """Rows that differ from one another: the volume they span (greedy MAP of a determinantal point process).

    `kernel` 'linear': f(S) = log det(I + Q_S X_S X_S^T Q_S / ridge); the ridge lets it choose more rows than there are dimensions, makes
    f(empty) = 0 and every gain positive, so f is monotone submodular and the certificate holds. Dense vectors of at most 2,048 dimensions
    use the d x d dual: O(d^2) a gain. `kernel` 'rbf': f(S) = log det(Q_S K_S Q_S), K = exp(-|x - y|^2 / (2 h^2)), h = `bandwidth` or the
    median distance of 1,000 rows drawn from `seed`; submodular, not monotone. It and sparse vectors use the incremental Cholesky factor
    (Chen et al. 2018, algorithm 1): a candidate's line is brought up to date when it is asked for (Hemmi et al. 2022), and all lines there
    are together after every 64 picks. O(k) for each pick that a line has not seen; memory is lines x picks.
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
        if self.kernel == "rbf":  # by the same factor and the same rule for copies: a determinant near 0 has no sure sign
            return self.start(ground, rows).value
        quality = self._quality(ground)[rows]
        vectors = ground.vectors[self.features]
        if isinstance(vectors, Vectors) and vectors.dimensions < len(rows):
            scaled = vectors.data[rows].astype(np.float64) * quality[:, None]
            return _log_det(np.eye(vectors.dimensions) + scaled.T @ scaled / self.ridge)
        return _log_det(np.eye(len(rows)) + quality[:, None] * self._kernel(ground).products(rows, rows) * quality)

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
    """The factor of L_S = Q (K [+ I]) Q, and for every candidate asked so far its own line of the factor, as far as it was brought."""

    def __init__(self, kernel: _Kernel, quality: Gains, ridged: bool, ground: Ground) -> None:
        self.kernel, self.quality, self.memory = kernel, quality, ground.memory
        self.diagonal = quality**2 * kernel.diagonal(np.arange(ground.size)) + float(ridged)  # (n,)
        self.residual = self.diagonal.copy()  # (n,) squared pivot of each row after the picks that its line has seen
        self.depth = np.zeros(ground.size, np.int64)  # (n,) how many picks each row's line has seen
        self.slot = np.full(ground.size, -1, np.int64)  # (n,) line of `lines` that belongs to the row, -1 for none yet
        self.lines = np.zeros((0, 0))  # (slots, room for picks)
        self.lower = np.zeros((0, 0))  # (room, room) lines of the picks themselves: the factor
        self.used = 0
        self.chosen = np.empty(0, np.int64)
        self.empty = np.empty(0, bool)  # (picks,) picks that span nothing: exact copies of earlier ones
        self.value, self.evaluations, self.batch = 0.0, 0, 16

    def gains(self, candidates: Rows) -> Gains:
        self.evaluations += len(candidates)
        self._bring_up(candidates)
        return self._logs(candidates)

    def add(self, row: int) -> None:
        rows, place = np.array([row]), len(self.chosen)
        self._bring_up(rows)
        gain = float(self._logs(rows)[0])
        self.value += gain
        self._reserve(rows, place + 1)
        # A pick that spans nothing leaves its column empty: a pivot of 1 stands for the 0 that none can be divided by.
        empty = not np.isfinite(gain)
        self.lower[place, :place] = 0.0 if empty else self.lines[self.slot[row], :place]
        self.lower[place, place] = 1.0 if empty else np.sqrt(self.residual[row])
        self.chosen, self.empty = np.append(self.chosen, row), np.append(self.empty, empty)
        if len(self.chosen) % TOGETHER == 0:
            # One read of the factor for every line there is, so that the next evaluations read its last rows only.
            self._bring_up(np.flatnonzero(self.slot >= 0))

    def _logs(self, rows: Rows) -> Gains:
        """log of the residuals; an exact copy of a chosen row spans nothing more: -inf, never NaN from a rounding below zero."""
        alive = self.residual[rows] > 1e-12 * self.diagonal[rows]
        return np.where(alive, np.log(np.where(alive, self.residual[rows], 1.0)), -np.inf)

    def _bring_up(self, rows: Rows) -> None:
        """All picks into the lines of these rows; rows about as deep are brought up together."""
        picks = len(self.chosen)
        rows = rows[self.depth[rows] < picks]
        if not len(rows):
            return
        self._reserve(rows, picks)
        rows = rows[np.argsort(self.depth[rows], kind="stable")]
        while len(rows):
            seen = int(self.depth[rows[0]])
            together = min(1024, int(np.searchsorted(self.depth[rows], max(seen + TOGETHER, (seen + picks) // 2), side="right")))
            self._extend(rows[:together], seen)
            rows = rows[together:]

    def _extend(self, rows: Rows, seen: int) -> None:
        from scipy.linalg import solve_triangular

        fresh, slots = self.chosen[seen:], self.slot[rows]
        end = len(self.chosen)
        right = self.quality[rows][:, None] * self.kernel.products(rows, fresh) * self.quality[fresh]  # (m, fresh)
        right -= self.lines[slots, :seen] @ self.lower[seen:end, :seen].T
        right[:, self.empty[seen:]] = 0.0
        self.lines[slots, seen:end] = solve_triangular(self.lower[seen:end, seen:end], right.T, lower=True, check_finite=False).T
        brought = self.lines[slots, :end]
        self.residual[rows] = np.maximum(self.diagonal[rows] - np.einsum("mk,mk->m", brought, brought), 0.0)
        self.depth[rows] = end

    def _reserve(self, rows: Rows, picks: int) -> None:
        """Room for the lines of these rows and for so many picks; raises MemoryForecast past the memory option."""
        fresh = rows[self.slot[rows] < 0]
        height, width = self.lines.shape
        tall, wide = self.used + len(fresh), max(width, picks)
        if tall > height or wide > width:
            generous = (
                min(max(2 * height, tall, 64), len(self.slot)) if tall > height else height,
                max(2 * width, wide, 64) if wide > width else width,
            )
            shape = generous if self._bytes(*generous) <= self.memory else (max(height, tall), wide)
            if self._bytes(*shape) > self.memory:
                raise MemoryForecast(
                    f"dpp with this kernel has to hold {shape[0]:,} lines of its factor at {picks:,} picks, "
                    f"{size(self._bytes(*shape))} with the copy, but the memory option leaves it {size(self.memory)}; "
                    "lower the budget, raise --memory, or use dense vectors with kernel linear (macro), which need no factor."
                )
            self.lines = _grown(self.lines, shape)
            self.lower = _grown(self.lower, (shape[1], shape[1]))
        self.slot[fresh] = np.arange(self.used, self.used + len(fresh))
        self.used += len(fresh)

    def _bytes(self, height: int, width: int) -> int:
        """What growing to this shape takes: the new arrays beside the old ones."""
        return 8 * (height * width + width * width) + self.lines.nbytes + self.lower.nbytes


def _grown(array: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    if array.shape == shape:
        return array
    larger = np.zeros(shape)
    larger[: array.shape[0], : array.shape[1]] = array
    return larger


def _log_det(matrix: NDArray[np.float64]) -> float:
    """log det of a matrix whose eigenvalues are at least 1."""
    return float(np.linalg.slogdet(matrix)[1])


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

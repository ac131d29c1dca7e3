"""Determinantal point process: rows that span the largest volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, Similarity, State
from selector.errors import RecipeError
from selector.features import SparseVectors, Vectors
from selector.kernels.determinant import log_det

DUAL_DIMENSIONS = 2048  # up to here the d x d dual is cheaper than a factor that grows with the picks
SPAN = 1e11  # q^2 |x|^2 / ridge at most, and ridge / |x|^2: float64 holds 1 beside these, and gains to a millionth
MOST_POWER = 115.0  # q is at most exp(115), 1e50
NEAR, FAR = 1e-6, 1e6  # lengths of the longest row: a narrower kernel sees no two rows as alike, a wider one all of them as copies


@dataclass(frozen=True)
class Dpp:
    """Rows that differ from one another: the volume they span (greedy MAP of a determinantal point process).

    `kernel` 'linear': f(S) = log det(I + Q_S X_S X_S^T Q_S / ridge); the ridge lets it choose more rows than there are dimensions, makes
    f(empty) = 0 and every gain positive, so f is monotone submodular and the certificate holds. Dense vectors of at most 2,048 dimensions
    use the d x d dual: O(d^2) a gain. Sparse vectors use the same dual by way of the k picks' inverse: O(entries) a gain, O(k (k + u))
    a pick that shares a type with u others, 4 k^2 bytes and as many again where there is room. `kernel` 'rbf': f(S) = log det(Q_S K_S Q_S),
    K = exp(-|x - y|^2 / (2 h^2)), h = `bandwidth` or the median distance of 1,000 rows drawn from `seed`; submodular, not monotone: an
    exact copy of a pick gains -inf, comes last. It and dense vectors of more dimensions use the incremental Cholesky factor (Chen et al.
    2018, algorithm 1), each candidate's line brought up to date when it is asked for (Hemmi et al. 2022): O(d + k) for each pick that a
    line has not seen, 4 k^2 bytes for the picks and more to save time.
    Q = diag(q): with a `quality` column and its `quality_weight` t, q = exp(t / (2 (1 - t)) * score) (Chen et al. 2018, eq. 18).
    Raises RecipeError for a ridge, bandwidth or quality weight beside which float64 cannot tell rows apart (SPAN, NEAR, FAR).
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
        if not 0 < self.ridge < np.inf:
            raise RecipeError(f"the ridge of dpp is {self.ridge:g}; it must be above 0 and finite.")
        if self.bandwidth is not None and not 0 < self.bandwidth < np.inf:
            raise RecipeError(f"the bandwidth of dpp is {self.bandwidth:g}; it must be above 0 and finite.")
        if self.quality is not None and not 0 <= self.quality_weight < 1:
            raise RecipeError(f"the quality weight of dpp is {self.quality_weight:g}; it must be at least 0 and below 1.")

    @property
    def monotone(self) -> bool:
        return self.kernel == "linear"

    @property
    def needs(self) -> tuple[Need, ...]:
        vectors = (Need("vectors", self.features, cosine=self.kernel == "rbf"),)
        return vectors if self.quality is None else (*vectors, Need("scores", self.quality))

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        from selector.kernels.dual import Dual
        from selector.kernels.factor import Factor, squared_norms
        from selector.kernels.sparse_dual import SparseDual

        vectors, quality = ground.vectors[self.features], factors(ground, self.quality, self.quality_weight)
        self._check_range(vectors, quality)
        if self._dual(vectors):
            assert isinstance(vectors, Vectors)
            return Dual(vectors, quality, self.ridge, chosen)
        if self.kernel == "linear" and isinstance(vectors, SparseVectors):
            return SparseDual(vectors, quality, self.ridge, ground.memory, chosen)
        if self.kernel == "linear":
            return Factor(ground, vectors, quality, 1 / self.ridge, 0.0, True, chosen)
        bandwidth = self.bandwidth or _median_distance(vectors, squared_norms(vectors), self.seed)
        return Factor(ground, vectors, quality, 1.0, 1 / (2 * bandwidth**2), False, chosen)

    def value(self, ground: Ground, rows: Rows) -> float:
        if self.kernel == "rbf":  # by the same factor and the same rule for copies: a determinant near 0 has no sure sign
            return self.start(ground, rows).value
        quality = factors(ground, self.quality, self.quality_weight)[rows]
        vectors = ground.vectors[self.features]
        if isinstance(vectors, Vectors) and vectors.dimensions < len(rows):
            scaled = vectors.data[rows].astype(np.float64) * quality[:, None]
            return float(np.linalg.slogdet(np.eye(vectors.dimensions) + scaled.T @ scaled / self.ridge)[1])

        def band(first: int, last: int) -> NDArray[np.float64]:
            values = vectors.products(rows[first:last], rows[:last])
            values *= quality[first:last, None] / self.ridge
            values *= quality[:last]
            values[np.arange(last - first), np.arange(first, last)] += 1.0
            return values

        return log_det(len(rows), band)

    def forecast(self, ground: Ground, picks: int) -> None:
        """Raises MemoryForecast where so many picks (kept rows included) cannot be held in the ground's memory, and says how many can."""
        from selector.kernels import factor, sparse_dual

        vectors = ground.vectors[self.features]
        if self.kernel == "linear" and isinstance(vectors, SparseVectors):
            sparse_dual.forecast(picks, vectors.dimensions, ground.memory)
        elif not self._dual(vectors):
            factor.forecast(picks, ground.memory)

    def _check_range(self, vectors: Similarity, quality: Gains) -> None:
        assert isinstance(vectors, (Vectors, SparseVectors))
        largest = vectors.scale  # |x|^2 of the longest row
        if self.kernel == "linear":
            least, most = largest * float(quality.max(initial=1.0)) ** 2 / SPAN, largest * SPAN
            if not least <= self.ridge <= most:
                raise RecipeError(
                    f"the ridge of dpp is {self.ridge:g}, but beside the largest similarity, {largest:g} times the quality, it must be "
                    f"from {least:.2g} to {most:.2g}; write one nearer to 1{'' if self.quality is None else ', or a lower quality_weight'}."
                )
        elif self.bandwidth is not None and not NEAR <= self.bandwidth / np.sqrt(largest) <= FAR:
            raise RecipeError(
                f"the bandwidth of dpp is {self.bandwidth:g}, but beside the longest row it must be from {NEAR * np.sqrt(largest):.2g} "
                f"to {FAR * np.sqrt(largest):.2g}; write one that is about the distance of two rows, or leave it out."
            )

    def _dual(self, vectors: Similarity) -> bool:
        return self.kernel == "linear" and isinstance(vectors, Vectors) and vectors.dimensions <= DUAL_DIMENSIONS


def factors(ground: Ground, quality: str | None, weight: float) -> Gains:
    """(n,) the factor q = exp(t / (2 (1 - t)) * score) of each row, t = `weight`; 1 without a quality column.

    Raises RecipeError where q is above 1e50 or below 1e-50.
    """
    if quality is None:
        return np.ones(ground.size)
    with np.errstate(over="ignore"):
        powers = weight / (2 * (1 - weight)) * ground.scores[quality]
    if not np.abs(powers).max(initial=0.0) <= MOST_POWER:
        row = int(np.argmax(np.abs(powers)))
        raise RecipeError(
            f"the quality weight is {weight:.17g}, which makes row {row}, of score {ground.scores[quality][row]:g} in '{quality}', count "
            f"exp({powers[row]:.3g}) times as much; write a lower quality_weight, as 0.9."
        )
    return np.exp(powers)


def _median_distance(vectors: Similarity, norms: Gains, seed: int) -> float:
    rows = np.sort(np.random.default_rng(seed).choice(vectors.size, min(1000, vectors.size), replace=False))
    squared = norms[rows][:, None] + norms[rows] - 2 * vectors.products(rows, rows)
    distances = np.sqrt(np.maximum(squared[np.triu_indices(len(rows), 1)], 0))
    median = float(np.median(distances)) if len(distances) else 0.0
    return median or 1.0  # copies only: any bandwidth gives the same picks

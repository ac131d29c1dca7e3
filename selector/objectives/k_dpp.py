"""k-DPP: a random set that is diverse, each set of k rows with a chance in proportion to its squared volume."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Finish, Ground, Limit, Need, Pick, Problem, Rows, Similarity
from selector.errors import BudgetError, MemoryForecast, RecipeError, plural, size
from selector.features import Vectors
from selector.objectives.dpp import SPAN, factors
from selector.objectives.modular import Sum

if TYPE_CHECKING:
    from selector.kernels.volumes import Volume

TRIES = 10  # draws that may miss the quotas
WIDEST = 4096  # dimensions, or rows where these are fewer: the eigenvectors of a matrix of this side take seconds


@dataclass(frozen=True)
class KDpp:
    """A random diverse set: each set of k rows is drawn with a chance in proportion to the squared volume it spans (an exact k-DPP).

    P(S) ~ det(L_S), L = Q X X^T Q (Kulesza and Taskar 2012, def. 5.1 and alg. 8, in the dual form of alg. 3). L has the rank r <= d of the
    vectors, so no more than r rows can be drawn: BudgetError past it. Copies are never drawn together, zero rows never at all. Kept
    rows condition the draw: P(S | kept) ~ det(L_(kept + S)), or where the kept rows span less than their number, its limit: the volume
    outside their span. Gains are log squared distances to the span of what was drawn before; the value is their sum. No bound.
    `quality` as in dpp: q = exp(t / (2 (1 - t)) * score), t = `quality_weight`. O(n d^2 + d^3 + n d k) time, O(n + d^2) memory.
    """

    features: str
    quality: str | None = None
    quality_weight: float = 0.5
    draws_whole_sets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.quality is not None and not 0 <= self.quality_weight < 1:
            raise RecipeError(f"the quality weight of k-dpp is {self.quality_weight:g}; it must be at least 0 and below 1.")

    @property
    def needs(self) -> tuple[Need, ...]:
        vectors = (Need("vectors", self.features),)
        return vectors if self.quality is None else (*vectors, Need("scores", self.quality))

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]:
        """One draw of as many rows as the limit allows, in the order drawn.

        Where the limit has quotas, sets are drawn until one keeps to them, which is the k-DPP given the quotas; BudgetError after
        `TRIES`. Raises BudgetError for a budget above the rank or in tokens, MemoryForecast for wide vectors of many rows.
        """
        if problem.limit.prices is not None:
            raise BudgetError("k-dpp draws a number of rows and cannot keep to a token budget; give a budget in rows, or use dpp.")
        volume, k = self.volume(problem.ground, problem.candidates, problem.kept), problem.limit.most
        for _ in range(TRIES):
            rows = volume.draw(k, rng, problem.ground.progress)
            if _feasible(problem.limit, rows):
                break
        else:
            raise BudgetError(
                f"none of {TRIES} draws of k-dpp kept to the quotas, which it knows nothing of; widen or leave out the quotas, or use dpp."
            )
        told = np.zeros(problem.ground.size)
        told[rows] = volume.gains(rows)
        for row in rows.tolist():
            yield Pick(row, float(told[row]))
        return Finish(Sum(told, rows), notes=(f"a random draw from a k-DPP whose vectors span {plural(volume.rank, 'dimension')}",))

    def volume(self, ground: Ground, candidates: Rows, kept: Rows = NO_ROWS) -> Volume:
        """What all draws of a pool share. O(n d^2 + d^3)."""
        from selector.kernels.volumes import spectrum

        quality = factors(ground, self.quality, self.quality_weight)
        if (spread := float(quality.max(initial=1.0) / quality.min(initial=1.0)) ** 2) > SPAN:
            raise RecipeError(
                f"the quality weight of k-dpp is {self.quality_weight:.17g}, which counts the best row {spread:.2g} times as much as the "
                f"worst; beyond {SPAN:.0e} times the others are lost to rounding; write a lower quality_weight, as 0.9."
            )
        return spectrum(self.features, self._data(ground), quality, candidates, kept)

    def _data(self, ground: Ground) -> NDArray[Any]:
        """(n, d) rows whose products are the similarities; for wide vectors of few rows (n, n), from their products."""
        vectors = ground.vectors[self.features]
        if isinstance(vectors, Vectors) and vectors.dimensions <= WIDEST:
            return np.ascontiguousarray(vectors.data)
        return _narrow(self.features, vectors, ground)


def _feasible(limit: Limit, rows: Rows) -> bool:
    """Whether the limit takes these rows, whichever comes first."""
    state = limit.start()
    for row in rows.tolist():
        if not state.allows(np.array([row]))[0]:
            return False
        state.add(row)
    return True


def _narrow(name: str, vectors: Similarity, ground: Ground) -> NDArray[Any]:
    """Sparse or very wide vectors as a dense array of at most `WIDEST` columns with the same inner products."""
    dimensions: int = vectors.dimensions  # type: ignore[attr-defined]
    if min(dimensions, vectors.size) > WIDEST:
        raise MemoryForecast(
            f"k-dpp needs the eigenvectors of a matrix with a side for each dimension or each row, at most {WIDEST:,}; {name} has "
            f"{dimensions:,} dimensions and {vectors.size:,} rows. Use the vectors of another layer (macro), or dpp."
        )
    if dimensions <= WIDEST:
        needed = 4 * vectors.size * dimensions
        if needed > ground.memory:
            raise MemoryForecast(
                f"k-dpp reads {name} as dense rows, {size(needed)}, but the memory option leaves it {size(ground.memory)}; raise --memory, "
                "or use the vectors of another layer (macro)."
            )
        rows: NDArray[Any] = vectors.data.toarray()  # type: ignore[attr-defined]
        return rows
    every = np.arange(vectors.size)
    values, directions = np.linalg.eigh(vectors.products(every, every))
    return np.ascontiguousarray(directions * np.sqrt(np.maximum(values, 0.0)))

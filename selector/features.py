"""The two back ends of `vectors`, dense and sparse, and how the features of two sides become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Block, Rows, Similarity, Types
from selector.errors import InputError, RecipeError
from selector.finite import check_finite, check_reach


@dataclass(frozen=True, eq=False)
class Vectors:
    """Dense rows (n, d) float32; similarity is the inner product, the cosine for unit rows. `facts` goes into the manifest.

    Made by `dense`, which puts the rows on a grid of `step` so that float32 products are exact.
    """

    data: NDArray[np.float32]
    facts: Mapping[str, Any] = field(default_factory=dict)
    step: float = 0.0  # 0: on no grid

    @property
    def size(self) -> int:
        return int(self.data.shape[0])

    @property
    def dimensions(self) -> int:
        return int(self.data.shape[1])

    @cached_property
    def scale(self) -> float:
        return float(np.einsum("nd,nd->n", self.data, self.data).max(initial=0.0)) or 1.0

    def on_grid(self) -> Vectors:
        """Themselves; raises InputError where they are on no grid."""
        if not self.step:
            raise InputError("these vectors are on no grid, so their similarities are not exact; make them with selector.features.dense.")
        return self

    def blocks(self, candidates: Rows, memory: int) -> Iterator[Block]:
        rows_at_once = min(self.size, 8192, max(1, memory // (4 * 64)))  # short enough that some 64 candidates share a tile
        width = max(1, min(len(candidates), memory // (4 * max(1, rows_at_once + self.dimensions))))
        for start in range(0, len(candidates), width):
            chosen = slice(start, min(start + width, len(candidates)))
            left = self.data[candidates[chosen]]  # (b, d)
            for first in range(0, self.size, rows_at_once):
                yield Block(chosen, first, left @ self.data[first : first + rows_at_once].T)

    def products(self, left: Rows, right: Rows) -> NDArray[np.float64]:
        return self.data[left].astype(np.float64) @ self.data[right].astype(np.float64).T

    def take(self, rows: Rows) -> Vectors:
        return Vectors(self.data[rows], self.facts, self.step)


def as_dense(vectors: Similarity, what: str) -> Vectors:
    """The same vectors where they are dense. Raises InputError, saying `what` gave them, where they are not."""
    if not isinstance(vectors, Vectors):
        raise InputError(f"{what} must have dense vectors of numbers, as an encoder gives them; these are sparse. Leave that layer out.")
    return vectors


@dataclass(frozen=True)
class SparseVectors:
    """Sparse rows: a scipy CSR array (n, d) float32 with sorted indices; similarity is the inner product.

    Rows without entries have similarity 0 to every row, themselves included: they add nothing and are never preferred.
    """

    data: Any
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return int(self.data.shape[0])

    @property
    def dimensions(self) -> int:
        return int(self.data.shape[1])

    @cached_property
    def scale(self) -> float:
        return float(self.data.multiply(self.data).sum(axis=1).max(initial=0.0)) or 1.0

    @cached_property
    def postings(self) -> Any:
        """The inverted index: the same entries by column (CSC), rows ascending within a column."""
        postings = self.data.tocsc()
        postings.sort_indices()
        return postings

    def blocks(self, candidates: Rows, memory: int) -> Iterator[Block]:
        width = max(1, min(len(candidates), memory // (8 * max(1, self.size))))
        for start in range(0, len(candidates), width):
            chosen = slice(start, min(start + width, len(candidates)))
            values = (self.data[candidates[chosen]].astype(np.float64) @ self.data.T.astype(np.float64)).toarray()
            yield Block(chosen, 0, values.astype(np.float32))

    def products(self, left: Rows, right: Rows) -> NDArray[np.float64]:
        return (self.data[left].astype(np.float64) @ self.data[right].T.astype(np.float64)).toarray()

    def take(self, rows: Rows) -> SparseVectors:
        return SparseVectors(self.data[rows], self.facts)


GRID = 4096  # steps of the grid in the length of the longest row
_AT_ONCE = 16_384  # rows


def dense(data: Any, *, source: str = "the vectors", unit: bool = True, facts: Mapping[str, Any] | None = None) -> Vectors:
    """Vectors from any (n, d) array of numbers, checked, each row scaled to length 1 unless `unit` is False, and rounded to a grid.

    The grid has 4,096 steps in the length of the longest row (rounded up to a power of two), and no row is left longer than that. So
    every product of two entries is a multiple of 2^-24 of the largest possible similarity, every partial sum of them is at most 2^24
    such units, and a float32 holds it exactly: similarities are the same bits for any tile, thread count, BLAS or GPU, and copies
    tie exactly. The price is some 1e-4 in a cosine. A zero row stays zero: similarity 0 to everything. Numbers that float32 cannot hold
    are scaled before they become float32, so that any finite row has its direction. Raises UnusableRows, naming the first bad row, for
    NaN or infinite values, and InputError for anything that is not two-dimensional numbers, or rows too long or short as they are.
    """
    array = np.asarray(data)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise InputError(f"{source} must be a two-dimensional array of numbers; got shape {array.shape} of {array.dtype}.")
    wide = np.result_type(array.dtype, np.float32)  # what holds them all: int64 and float64 are scaled as float64
    out, lengths, exponents = np.empty(array.shape, np.float32), np.zeros(len(array)), np.zeros(len(array), np.int64)
    for first in range(0, len(array), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        some = array[part].astype(wide)
        check_finite(some, np.arange(first, first + len(some)), source)
        if unit:
            # Scaled by the largest entry first: the square of 1e30 is not a float32, nor that of 1e300 a float64.
            some /= _or_one(np.abs(some).max(axis=1, keepdims=True, initial=0.0))
            some = some.astype(np.float64 if wide.itemsize > 4 else np.float32, copy=False)
            some /= _or_one(np.sqrt(_squares(some))[:, None])
            out[part] = some
        else:
            exponents[part] = np.frexp(np.abs(some).max(axis=1, initial=0.0))[1]
            lengths[part] = np.sqrt(_squares(np.ldexp(some, -exponents[part, None]).astype(np.float64)))
    if not unit:
        check_reach(lengths, exponents, source)
        out[:] = array
    longest = 1.0 if unit else _longest(out)
    _to_grid(out, longest / GRID)
    return Vectors(out, dict(facts or {}), longest / GRID)


def _longest(array: NDArray[np.float32]) -> float:
    """The length of the longest row, up to the next power of two."""
    longest = float(np.sqrt(max((_squares(array[i : i + _AT_ONCE]).max() for i in range(0, len(array), _AT_ONCE)), default=0.0)))
    return float(2.0 ** np.ceil(np.log2(longest) - 1e-6)) if longest else 1.0


def _to_grid(array: NDArray[np.float32], step: float) -> None:
    """The rows onto the grid, in place."""
    for first in range(0, len(array), _AT_ONCE):
        some = array[first : first + _AT_ONCE]
        steps = np.rint(some / step)
        long = np.flatnonzero(_squares(steps) > GRID**2)
        while len(long):  # a row that rounding made longer than the longest is shortened by a little and rounded again
            some[long] *= 1 - 2.0**-13
            steps[long] = np.rint(some[long] / step)
            long = long[_squares(steps[long]) > GRID**2]
        some[:] = steps * step


def _squares(array: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) squared length of each row."""
    return np.einsum("nd,nd->n", array, array, dtype=np.float64)


def _or_one(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(lengths > 0, lengths, 1)


def sparse(data: Any, *, source: str = "the vectors", unit: bool = True, facts: Mapping[str, Any] | None = None) -> SparseVectors:
    """SparseVectors from any scipy sparse (n, d) matrix or array; the same checks and scaling as `dense`."""
    from scipy.sparse import csr_array

    if len(data.shape) != 2 or data.dtype.kind not in "fiub":
        raise InputError(f"{source} must be a two-dimensional sparse array of numbers; got shape {data.shape} of {data.dtype}.")
    matrix = csr_array(data, dtype=np.result_type(data.dtype, np.float32), copy=True)
    matrix.sum_duplicates()
    size = matrix.shape[0]
    owner = np.repeat(np.arange(size), np.diff(matrix.indptr))
    check_finite(matrix.data[:, None], owner, source)
    exponents = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(exponents, owner, np.where(matrix.data != 0, np.frexp(matrix.data)[1], np.iinfo(np.int64).min))
    # By a power of two, so that scaling moves no bit: the square of 1e300 is not a float64.
    scaled = np.ldexp(matrix.data, -exponents[owner]).astype(np.float64)
    lengths = np.sqrt(np.bincount(owner, scaled**2, minlength=size))
    if unit:
        matrix.data = scaled / _or_one(lengths)[owner]
    else:
        check_reach(lengths, exponents, source)
    matrix = matrix.astype(np.float32)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return SparseVectors(matrix, dict(facts or {}))


SIMILARITIES = ("overlap", "cosine")  # of rows of types


def check_similarity(layer: str, similarity: str) -> None:
    """Raises RecipeError for a word that is none of SIMILARITIES."""
    if similarity not in SIMILARITIES:
        raise RecipeError(f"{layer} layer: the similarity is {similarity!r}; write overlap (the default) or cosine.")


def overlap(incidence: Any, worth: NDArray[np.float64], *, source: str, facts: Mapping[str, Any]) -> SparseVectors:
    """Rows sqrt(worth_t) on the types that they carry: s_ij = sum of worth_t over the types that i and j share.

    `incidence` (n, T) CSR, whose values are not read; `worth` (T,) at least 0, as idf. A row is not scaled: a row with many rare types
    stands for many rows, where the cosine would have short rows stand best for short rows. Raises as `sparse` does.
    """
    from scipy.sparse import csr_array

    values = np.sqrt(worth)[incidence.indices]
    return sparse(csr_array((values, incidence.indices, incidence.indptr), shape=incidence.shape), source=source, unit=False, facts=facts)


def incidence(lists: Any, width: int) -> Any:
    """A CSR array (n, width) of 0/1 from one sequence of type numbers for each row; repeats count once."""
    from scipy.sparse import csr_array

    lengths = np.fromiter((len(one) for one in lists), np.int64, len(lists))
    columns = np.concatenate([np.asarray(one, np.int32) for one in lists]) if lengths.sum() else np.empty(0, np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return tidy(csr_array((np.ones(len(columns), np.float32), columns, starts), shape=(len(lists), width)))


def tidy(matrix: Any) -> Any:
    """The CSR array with sorted indices, each entry once and equal to 1."""
    matrix.sum_duplicates()
    matrix.sort_indices()
    matrix.data[:] = 1.0
    return matrix


def join_vectors(left: Similarity, right: Similarity) -> Similarity:
    """Both sides as one: the rows side by side, so that the similarity is the mean of the two sides' similarities."""
    half = np.float32(np.sqrt(0.5))
    facts = {"instruction": dict(left.facts), "response": dict(right.facts)}  # type: ignore[attr-defined]
    if isinstance(left, Vectors) and isinstance(right, Vectors):
        return dense(np.hstack([left.data * half, right.data * half]), unit=False, facts=facts)
    from scipy.sparse import csr_array, hstack

    def rows(one: Any) -> Any:
        return (one.data if isinstance(one, SparseVectors) else csr_array(one.data)) * half

    together = csr_array(hstack([rows(left), rows(right)], format="csr"))
    together.sort_indices()
    return SparseVectors(together, facts)


def join_types(left: Types, right: Types) -> Types:
    """Both sides as one: a type of the instruction and the same type of the response are two types."""
    from scipy.sparse import csr_array, hstack

    together = csr_array(hstack([left.incidence, right.incidence], format="csr"))
    names = [f"instruction:{name}" for name in left.names] + [f"response:{name}" for name in right.names]
    return Types(tidy(together), names, {"instruction": dict(left.facts), "response": dict(right.facts)})

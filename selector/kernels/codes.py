"""Dense rows in the numbers that the processor multiplies fastest, with how far off each is: a product of codes bounds a similarity.

x = step * code + rest, with |rest| = error. Then for rows i and j (Cauchy-Schwarz)

    s_ij <= step_i step_j (code_i . code_j) + error_i length_j + step_i |code_i| error_j

where length is |x|. Products of 8 bits run at four to six times the speed of float32 where the processor has them (AVX512-VNNI and its
kin), and at two to three times with AVX2 alone, of codes half as fine (kernels.multiply_add). With AVX2 rows in units of their grid are
multiplied in 16 bits, half as fast again as in float32. Elsewhere the codes are the rows themselves. In both of these cases errors are 0
and the bound is the similarity.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector import processor
from selector.kernels import multiply_add

INTEGER_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8"}
_MOST = {np.int8: 127, np.uint8: multiply_add.LARGEST}
_NONE = {np.int8: 0, np.uint8: multiply_add.SHIFT}  # what stands for 0
# Rows have a multiple of so many columns; of int8 a full register: torch 2.13 multiplies codes of one column wrongly.
_COLUMNS = {np.int8: 64, np.uint8: multiply_add.COLUMNS[1], np.int16: multiply_add.COLUMNS[2]}
_ROUNDING = 4e-7  # of float32 in the bound itself, relative to the largest similarity


@dataclass(frozen=True)
class Codes:
    """Codes of n rows, and per row (all float32, shape (n,)): `steps`, `errors`, `lengths` |x| and `norms` |code|."""

    codes: NDArray[Any]  # (n, d) int8, uint8 (shifted, for kernels.multiply_add); int16 or float32 where these are the rows themselves
    steps: NDArray[np.float32]
    errors: NDArray[np.float32]
    lengths: NDArray[np.float32]
    norms: NDArray[np.float32]

    @property
    def exact(self) -> bool:
        """Whether the bound is the similarity."""
        return self.codes.dtype.type not in _MOST

    def take(self, rows: Any) -> Codes:
        return Codes(self.codes[rows], self.steps[rows], self.errors[rows], self.lengths[rows], self.norms[rows])


def fastest() -> Any:
    """The type of number that the processor multiplies fastest: for bounds that leave few pairs."""
    if not INTEGER_PRODUCTS.isdisjoint(processor.flags()):
        return np.int8
    return np.uint8 if "avx2" in processor.flags() and "avx512f" not in processor.flags() else np.float32


def closest() -> Any:
    """The fastest type whose bounds are near enough to be added up over many pairs."""
    return np.int16 if fastest() is np.uint8 else fastest()


def encode(vectors: NDArray[np.float32], grid: float, kind: Any) -> Codes:
    """Codes of rows (n, d) on a `grid`, a power of two: int8, uint8, int16 or float32."""
    size = len(vectors)
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    if kind not in _MOST:
        codes, unit = (vectors, np.float32(1)) if kind is np.float32 else (_padded(in_steps(vectors, grid)), np.float32(grid))
        own = lengths.astype(np.float32)
        return Codes(codes, np.full(size, unit), np.zeros(size, np.float32), own, own / unit)
    most, columns = _MOST[kind], _COLUMNS[kind]
    codes = np.full((size, -(-vectors.shape[1] // columns) * columns), _NONE[kind], kind)
    steps, errors, norms = (np.empty(size) for _ in range(3))
    for first in range(0, size, 16_384):
        part = slice(first, first + 16_384)
        some = vectors[part]
        steps[part] = np.abs(some).max(axis=1, initial=0.0) / most
        step = np.where(steps[part] > 0, steps[part], 1.0).astype(np.float32)[:, None]
        rounded = np.clip(np.rint(some / step), -most, most)
        codes[part, : vectors.shape[1]] = rounded + _NONE[kind]
        norms[part] = np.sqrt(np.einsum("nd,nd->n", rounded, rounded, dtype=np.float64))
        rest = some - rounded * step
        errors[part] = np.sqrt(np.einsum("nd,nd->n", rest, rest, dtype=np.float64))
        steps[part] = step[:, 0]
    # A little up: the bound is evaluated in float32.
    errors = errors * (1 + 1e-5) + _ROUNDING * lengths.max(initial=0.0)
    return Codes(codes, *(one.astype(np.float32) for one in (steps, errors, lengths * (1 + 1e-6), norms * (1 + 1e-6))))


def in_steps(vectors: NDArray[np.float32], grid: float) -> NDArray[np.int16]:
    """(n, d) the rows in units of their grid."""
    steps = np.empty(vectors.shape, np.int16)
    for first in range(0, len(vectors), 16_384):
        steps[first : first + 16_384] = np.rint(vectors[first : first + 16_384] / grid)
    return steps


def _padded(steps: NDArray[np.int16]) -> NDArray[np.int16]:
    """With columns of zeros to what one loop multiplies."""
    return np.pad(steps, ((0, 0), (0, lack))) if (lack := -steps.shape[1] % _COLUMNS[np.int16]) else steps


@contextmanager
def torch_left_alone(codes: Codes) -> Iterator[None]:
    """Around threads that make `Products`: they set torch to one thread, which would stay so for all that comes after."""
    if codes.codes.dtype != np.int8:
        yield
        return
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Products:
    """Products of codes into a tile that is used again and again, for one thread."""

    def __init__(self, codes: Codes, height: int, width: int) -> None:
        self.kind, self.multiplier = codes.codes.dtype.type, None
        if self.kind in (np.int16, np.uint8):
            self.multiplier = multiply_add.Multiplier(height, width, codes.codes.shape[1], codes.codes.itemsize)
            return
        self.tile = np.empty(height * width, np.int32 if self.kind is np.int8 else np.float32)
        if self.kind is np.int8:
            import torch

            torch.set_num_threads(1)  # of this thread: each thread multiplies its own tiles
            self.torch = torch

    def of(self, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        """(len(left), len(right)) products, at most height * width; overwritten by the next call."""
        if self.multiplier is not None:
            return self.multiplier.of(left, right)
        out = self.tile[: len(left) * len(right)].reshape(len(left), len(right))
        if self.kind is np.float32:
            return np.matmul(left, right.T, out=out)
        self.torch._int_mm(self.torch.from_numpy(left), self.torch.from_numpy(right).T, out=self.torch.from_numpy(out))
        return out

"""Estimated gains of all candidates from a sample of the rows to be covered: cheap enough to ask for all of them before every pick."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from selector.core import Rows

UNITS = 1 << 14  # of the largest similarity


class Sketch:
    """Similarities of n candidates to m sampled rows, 2 bytes each."""

    def __init__(self, vectors: NDArray[np.float32], rows: Rows, cover: NDArray[np.float32], largest: float) -> None:
        self.unit = UNITS / largest
        sampled = vectors[rows].T.copy()
        self.lines = np.empty((len(vectors), len(rows)), np.int16)
        for first in range(0, len(vectors), 1024):
            self.lines[first : first + 1024] = np.clip(np.rint(vectors[first : first + 1024] @ sampled * self.unit), 0, UNITS)
        self.cover = np.rint(cover[rows] * self.unit).astype(np.int16)

    def gains(self) -> NDArray[np.int64]:
        """(n,) in units."""
        gains = np.empty(len(self.lines), np.int64)
        _gains(self.lines, self.cover, gains)
        return gains

    def add(self, row: int) -> None:
        np.maximum(self.cover, self.lines[row], out=self.cover)

    def left(self, candidates: Rows) -> float:
        """The share of these candidates' similarities that are above coverage."""
        return float((self.lines[candidates] > self.cover).mean())


@njit(cache=True, parallel=True)
def _gains(lines, cover, gains):  # type: ignore[no-untyped-def]
    for candidate in prange(lines.shape[0]):
        line, total = lines[candidate], np.int32(0)
        for row in range(line.size):
            total += np.int32(max(np.int16(0), np.int16(line[row] - cover[row])))
        gains[candidate] = total

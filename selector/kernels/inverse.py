"""The inverse of a positive definite matrix that grows by blocks of rows, in bands that are never moved to grow."""

from __future__ import annotations

import numpy as np
import psutil
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Rows
from selector.kernels.team import Team

BLOCK = 64  # rows by which it grows
WIDE = 8 * BLOCK  # columns of the mirror that lie together: a page of memory


def band_bytes(rows: int) -> int:
    """What the half of an inverse of so many rows takes, whole blocks of them."""
    blocks = rows // BLOCK
    return 8 * BLOCK**2 * blocks * (blocks + 1) // 2


class Inverse:
    """G^-1 of a k x k matrix G, k a multiple of BLOCK; 4 k^2 bytes, and as many again while `memory` has room for them.

    Band s holds the rows of block s up to the diagonal. A product with a sparse vector reads whole rows, and what lies beyond the
    diagonal is a column of other bands: a mirror of those keeps it together, which saves time and changes no number. What is never
    written takes no memory.
    """

    def __init__(self, memory: float) -> None:
        memory = int(min(memory, psutil.virtual_memory().total))  # an option may name more than there is, which cannot even be asked for
        self.memory, self.size = memory, 0
        self.half, self.mirror = np.empty(memory // 8), np.empty(memory // 8)  # bands, and bands without their last block transposed
        self.mirrored = True

    @property
    def nbytes(self) -> int:
        return band_bytes(self.size) + (_mirror_bytes(self.size) if self.mirrored else 0)

    def times(self, places: Rows, values: Gains, team: Team) -> Gains:
        """(k,) G^-1 u of the u with these values at these places, ascending. O(k) for each of them."""
        out = np.zeros(self.size)
        blocks = self.size // BLOCK
        parts = min(team.threads, max(1, self.size * len(places) >> 18))
        cuts = np.linspace(0, blocks, parts + 1).astype(np.int64)
        team.share(
            lambda part: _times(places, values, self.half, self.mirror, self.mirrored, cuts[part], cuts[part + 1], out), range(parts)
        )
        return out

    def grow(self, gathered: NDArray[np.float64], lower: NDArray[np.float64], team: Team) -> None:
        """G grows by BLOCK rows: `gathered` (k, BLOCK) is G^-1 times its new columns, `lower` the Cholesky factor of what remains.

        What remains is the Schur complement C - B^T G^-1 B of the new corner C beside the new columns B (Banachiewicz 1937). O(k^2 BLOCK).
        """
        blocks, inverse = self.size // BLOCK, np.linalg.inv(lower)
        moved = gathered @ inverse.T  # (k, BLOCK)
        grown = self.size + BLOCK
        if self.mirrored and band_bytes(grown) + _mirror_bytes(grown) + 24 * BLOCK * grown > self.memory:  # its columns at work as well
            self.mirror, self.mirrored = np.empty(0), False

        def raise_band(block: int) -> None:
            rows = slice(block * BLOCK, (block + 1) * BLOCK)
            band = self._band(block)
            band += moved[rows] @ moved[: (block + 1) * BLOCK].T
            self._reflect(block, band)

        team.share(raise_band, range(blocks - 1, -1, -1))  # the largest first, so that no thread waits long for the last one
        band = self._band(blocks)
        band[:, : self.size] = -(inverse.T @ moved.T)
        band[:, self.size :] = inverse.T @ inverse
        self._reflect(blocks, band)
        self.size += BLOCK

    def _band(self, block: int) -> NDArray[np.float64]:
        start = BLOCK**2 * block * (block + 1) // 2
        return self.half[start : start + BLOCK**2 * (block + 1)].reshape(BLOCK, (block + 1) * BLOCK)

    def _reflect(self, block: int, band: NDArray[np.float64]) -> None:
        if self.mirrored:
            wide, place = divmod(block * BLOCK, WIDE)
            start = WIDE**2 * wide * (wide + 1) // 2
            columns = self.mirror[start : start + WIDE**2 * (wide + 1)].reshape(-1, WIDE)
            columns[: block * BLOCK, place : place + BLOCK] = band[:, : block * BLOCK].T


def _mirror_bytes(rows: int) -> int:
    """What the mirror takes for so many rows, whole pages of columns."""
    wide = -(-rows // WIDE)
    return 8 * WIDE**2 * wide * (wide + 1) // 2


@njit(cache=True, nogil=True)
def _times(places, values, half, mirror, mirrored, first, last, out):  # type: ignore[no-untyped-def]
    """The numbers of the blocks from `first` to `last` of G^-1 u, each by one sum in the order of the places."""
    square = BLOCK * BLOCK
    for position in range(places.size):
        place, value = places[position], values[position]
        own = place // BLOCK
        row = square * (own * (own + 1) // 2) + (place % BLOCK) * (own + 1) * BLOCK  # where the row begins in its band
        begin, end = first * BLOCK, min(last, own + 1) * BLOCK
        if end > begin:
            _add(value, half[row + begin : row + end], out[begin:end])
        begin, end = max(first, own + 1) * BLOCK, last * BLOCK
        if mirrored:
            while begin < end:
                wide = begin // WIDE
                line, rest = WIDE * (WIDE * (wide * (wide + 1) // 2) + place - wide), min(end, (wide + 1) * WIDE)
                _add(value, mirror[line + begin : line + rest], out[begin:rest])
                begin = rest
        else:
            for at in range(begin, end):
                block = at // BLOCK
                out[at] += value * half[square * (block * (block + 1) // 2) + at % BLOCK * (block + 1) * BLOCK + place]


@njit(cache=True, nogil=True)
def _add(factor, numbers, out):  # type: ignore[no-untyped-def]
    for place in range(out.size):
        out[place] += factor * numbers[place]

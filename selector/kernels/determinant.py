"""log det of a matrix that is asked for in bands, in half the memory of the whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BAND = 512  # rows


def log_det(size: int, band: Callable[[int, int], NDArray[np.float64]]) -> float:
    """log det of a positive definite (size, size) matrix whose rows from `first` to `last`, up to column `last`, are band(first, last).

    The Cholesky factor by bands, each product as large as a band (Golub and Van Loan 2013, section 4.2.6). O(size^3 / 6) time and
    4 size^2 bytes.
    """
    bands, total = list[NDArray[np.float64]](), 0.0
    for first in range(0, size, BAND):
        own = np.ascontiguousarray(band(first, min(size, first + BAND)))
        for begin, before in zip(range(0, first, BAND), bands, strict=True):
            end = begin + BAND
            own[:, begin:end] -= own[:, :begin] @ before[:, :begin].T
            own[:, begin:end] = np.linalg.solve(before[:, begin:end], own[:, begin:end].T).T
        own[:, first:] -= own[:, :first] @ own[:, :first].T
        own[:, first:] = np.linalg.cholesky(own[:, first:])
        total += 2.0 * float(np.log(np.diagonal(own[:, first:])).sum())
        bands.append(own)
    return total

"""Centres of cells for an inverted file: spherical k-means on a sample, good enough to say which rows are worth comparing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from selector.kernels import rise

Seen = TypeVar("Seen")

SAMPLED = 64  # rows of a cell from which its centre is found
TALL = 512  # rows that are compared with all centres at a time


def centres(data: NDArray[np.float32], count: int, rounds: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count, d) unit centres: so many rounds of Lloyd's on the cosine, from rows drawn at random. O(rounds count^2 d) time."""
    sample = data[np.sort(rng.choice(len(data), min(len(data), SAMPLED * count), replace=False))]
    found = sample[np.sort(rng.choice(len(sample), count, replace=False))]
    for _ in range(rounds):
        sums = _sums(sample, nearest(sample, found), count)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        found = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), found).astype(np.float32)
    return found


@njit(cache=True)
def _sums(rows, cells, count):  # type: ignore[no-untyped-def]
    """(count, d) sum of each cell's rows, in float64."""
    sums = np.zeros((count, rows.shape[1]))
    for row in range(rows.shape[0]):
        sums[cells[row]] += rows[row]
    return sums


def nearest(data: NDArray[np.float32], to: NDArray[np.float32]) -> NDArray[np.int64]:
    """(n,) the most similar centre of each row, the lowest on ties."""
    return np.concatenate(list(compared(data, to, lambda _, values: values.argmax(axis=1))))


def compared(data: NDArray[np.float32], to: NDArray[np.float32], look: Callable[[slice, NDArray[np.float32]], Seen]) -> Iterator[Seen]:
    """What `look` sees, run by run, in a run of 512 rows and its (512, count) similarities to the centres.

    Runs are multiplied whole, by one thread each: no last bit hangs on how many threads there are.
    """
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(rise.threads()) as pool:
        runs = [slice(first, min(len(data), first + TALL)) for first in range(0, len(data), TALL)]
        yield from pool.map(lambda run: look(run, data[run] @ to.T), runs)

"""Work in tiles of a fixed size, each on one thread, so that the bits of the result do not depend on how many threads there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

TILE = 1 << 22  # numbers in one tile of similarities: 16 MB for each thread


def each(work: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """`work` of each item, in order; inside it a matrix product runs on one thread. 0 threads: all cores."""
    from threadpoolctl import threadpool_limits

    # A multi-threaded product splits the matrix by the number of threads, and the edges of a split round differently.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        try:
            yield from pool.map(work, items)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def tiles(rows: int, width: int) -> list[slice]:
    """Runs of rows such that a tile (run, width) holds at most TILE numbers where one row allows it."""
    height = max(1, min(2_048, TILE // max(1, width)))
    return [slice(start, min(start + height, rows)) for start in range(0, rows, height)]

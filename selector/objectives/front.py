"""From a frontier to picks, which `k-centre` and `mmr` share."""

from __future__ import annotations

from collections.abc import Generator

from selector.core import LimitState
from selector.kernels.frontier import Frontier


def follow(front: Frontier, limit: LimitState) -> Generator[tuple[int, float]]:
    """Row and key of the best candidate, again and again, each added to the frontier and the limit, until nothing more may be chosen."""
    while limit.full is None:
        row = front.best()
        if row < 0:
            return
        key = front.key(row)
        front.add(row)
        front.drop(limit.add(row))
        yield row, key

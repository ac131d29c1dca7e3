"""Type pairs: which types stand together in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import Aspect, Reading, Rows, Scale


@dataclass(frozen=True)
class TypePairs:
    """Pairs of tags that stand together in some row of the set.

    The number of unordered pairs of different types t, u such that a row of the set carries both. Larger is more diverse; it grows with
    the set. A set can cover every tag and still ask for few combinations of skills. Not in the paper. A sparse product of types
    with types: O(sum over rows of types^2) time and memory.
    """

    layer: str = "meso"
    layers: ClassVar[tuple[str, ...]] = ("meso",)
    scales: ClassVar[tuple[Scale, ...]] = (Scale("type pairs covered", 1, judged=True),)

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        incidence = aspect.types(self.layer).incidence

        def read(rows: Rows) -> list[Reading]:
            carried = incidence[rows].astype(np.int32)
            together = (carried.T @ carried).tocsr()
            return [Reading(float((together.nnz - np.unique(carried.indices).size) // 2))]

        return read

"""Half of the rows that together use few types: what a narrow half of the pool gets by with."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np


def narrowest(incidence: Any) -> dict[str, int]:
    """A half of the rows that carry any type which together carry few: `types` of `of`, by `rows` of `among` rows.

    Peeling: take away the type that the fewest of the rows left carry, with these rows, as long as half of the rows remain. What is left
    is an upper bound: no fewer types than the best half needs, which is hard to find (the minimum k-union problem). O(E log E) for E
    entries.
    """
    by_type = incidence.tocsc()
    starts, columns = incidence.indptr, incidence.indices
    there = np.diff(starts) > 0
    among = left = int(there.sum())
    counts = np.bincount(columns, minlength=incidence.shape[1]).tolist()
    of = sum(1 for count in counts if count)
    queue = [(count, number) for number, count in enumerate(counts) if count]
    heapq.heapify(queue)
    while queue:
        count, number = heapq.heappop(queue)
        if count != counts[number] or not count:
            continue  # it has lost rows since; it stands in the queue again, or is gone
        if 2 * (left - count) < among:
            break
        rows = by_type.indices[by_type.indptr[number] : by_type.indptr[number + 1]]
        for row in rows[there[rows]].tolist():
            there[row] = False
            for other in columns[starts[row] : starts[row + 1]].tolist():
                counts[other] -= 1
                if counts[other]:
                    heapq.heappush(queue, (counts[other], other))
        left -= count
    return {"types": sum(1 for count in counts if count), "of": of, "rows": left, "among": among}

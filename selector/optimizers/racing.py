"""The lazy race: who is the next best candidate, with as few fresh gains as can be."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from selector.core import Gains, LimitState, Opening, Rows, State
from selector.kernels.queue import Queue
from selector.ties import LOWEST


class Race:
    """Candidates in a queue by upper bound: gains only fall, so an old gain is an upper bound (Minoux 1978).

    They are evaluated from the largest bound down, in batches that double until a fresh one wins under the tie rule. `worth` (n,) is
    that of a unit of gain in each row.
    """

    def __init__(self, state: State, limit: LimitState, worth: Gains, candidates: Rows) -> None:
        self.state, self.limit, self.worth = state, limit, worth
        self.queue, self.picked = Queue(len(worth)), 0
        rows = candidates[limit.allows(candidates)]
        self.opening = Opening(state.value, rows, state.gains(rows))
        self.queue.update(rows, self.opening.gains * worth[rows], 0)

    def run(self) -> Generator[tuple[int, float]]:
        """Row and gain of one pick after another, each added to the state and the limit, until the limit is full or nobody is left."""
        while self.limit.full is None:
            row = self._winner()
            if row < 0:
                return
            bound = self.queue.bounds[row]
            gain = float(bound / self.worth[row]) if bound > LOWEST else float("-inf")
            self.state.add(row)
            self.leave(row)
            yield row, gain

    def leave(self, row: int) -> None:
        """The row was added to the state: it counts in the limit and leaves the queue, with all that the limit refuses from now on."""
        self.queue.exclude(self.limit.add(row))
        self.queue.exclude(np.array([row]))
        self.picked += 1

    def _winner(self) -> int:
        batch = self.state.batch
        while True:
            row, won = self.queue.winner(self.picked)
            if won or row < 0:
                return row
            rows = self.queue.stale(row, self.picked, batch)
            self.queue.update(rows, self.state.gains(rows) * self.worth[rows], self.picked)
            batch = min(2 * batch, len(self.worth))


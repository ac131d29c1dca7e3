"""The lazy race: who is the next best candidate, with as few fresh gains as can be."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from selector.core import Foreseeing, Foresight, Gains, LimitState, Opening, Rows, State
from selector.kernels.queue import Queue
from selector.ties import EXCLUDED, LOWEST

NEVER = -1  # no set of so many rows: a bound that is nobody's gain


class Race:
    """Candidates in a queue by upper bound: gains only fall, so an old gain is an upper bound (Minoux 1978).

    They are evaluated from the largest bound down, in batches that double until a fresh one wins under the tie rule. `worth` (n,) is
    that of a unit of gain in each row. With `ahead`, a state that can look ahead gives bounds instead of evaluating everybody at first.
    """

    def __init__(self, state: State, limit: LimitState, worth: Gains, candidates: Rows, ahead: bool = False) -> None:
        self.state, self.limit, self.worth = state, limit, worth
        self.queue, self.picked = Queue(len(worth)), 0
        self.rows = candidates[limit.allows(candidates)]  # who competes; those who left since are known to the queue
        self.sight: Foresight | None = None
        if ahead:
            gains = self._look_ahead()
        else:
            gains = state.gains(self.rows)
            self.queue.update(self.rows, gains * worth[self.rows], 0)
        self.opening = Opening(state.value, self.rows, gains)

    def run(self) -> Generator[tuple[int, float]]:
        """Row and gain of one pick after another, each added to the state and the limit, until the limit is full or nobody is left."""
        while self.limit.full is None:
            row = self._winner()
            if row < 0:
                return
            bound = self.queue.bounds[row]
            gain = float(bound / self.worth[row]) if bound > LOWEST else float("-inf")
            self.state.add(row)
            self.queue.exclude(self.limit.add(row))
            self.queue.exclude(np.array([row]))
            self.picked += 1
            self._use_sight()
            yield row, gain

    def _winner(self) -> int:
        batch = self.state.batch
        while True:
            row, won = self.queue.winner(self.picked)
            if won or row < 0:
                return row
            rows = self.queue.stale(row, self.picked, batch)
            self.queue.update(rows, self.state.gains(rows) * self.worth[rows], self.picked)
            batch = min(2 * batch, len(self.worth))

    def _look_ahead(self) -> Gains:
        """Bounds from the state, for who still competes; returns those before the next pick."""
        assert isinstance(self.state, Foreseeing)
        self.sight = self.state.foresee(self.rows)
        gains = self.sight.ceilings()[self.rows]
        self.queue.update(self.rows, gains * self.worth[self.rows], NEVER)
        return gains

    def _use_sight(self) -> None:
        if self.sight is None:
            return
        self.rows = self.rows[self.queue.bounds[self.rows] > EXCLUDED]
        assert isinstance(self.state, Foreseeing)
        if self.state.thinned or not len(self.rows):
            self.sight = None
        elif self.sight.ended:
            self._look_ahead()
        else:
            keys = np.minimum(self.queue.bounds[self.rows], self.sight.ceilings()[self.rows] * self.worth[self.rows])
            self.queue.update(self.rows, keys, NEVER)

"""The lazy race: who is the next best candidate, with as few fresh gains as can be."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from selector.core import Foreseeing, Gains, LimitState, Opening, Racing, Rows, State
from selector.kernels.queue import Queue
from selector.ties import EXCLUDED, LOWEST

MANY = 512  # ceilings worth asking at once, at least


class Race:
    """Candidates in a queue by upper bound: gains only fall, so an old gain is an upper bound (Minoux 1978).

    They are evaluated from the largest bound down, in batches that double until a fresh one wins under the tie rule. `worth` (n,) is
    that of a unit of gain in each row. With `ahead`, a state that can look ahead gives ceilings, and only whom these leave in the race
    is evaluated.
    """

    def __init__(self, state: State, limit: LimitState, worth: Gains, candidates: Rows, ahead: bool = False) -> None:
        self.state, self.limit, self.worth = state, limit, worth
        self.queue, self.picked = Queue(len(worth)), 0
        self.racer = state if isinstance(state, Racing) else None
        self.rows = candidates[limit.allows(candidates)]  # who competes; those who left since are known to the queue
        self.seer = state if ahead and isinstance(state, Foreseeing) and state.far_sighted else None
        if self.seer is None:
            bounds = state.gains(self.rows)
            self.queue.update(self.rows, bounds * worth[self.rows], 0)
        else:
            self.seer.foresee(self.rows)
            bounds = self._ceilings(self.rows)
            self.queue.enter(self.rows, bounds * worth[self.rows], 0)
        self.opening = Opening(state.value, self.rows, bounds)

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
            self._look_again()
            yield row, gain

    def _winner(self) -> int:
        if self.racer is not None and self.seer is None:
            found = self.racer.winner(self.queue, self.picked, self.worth)
            if found is not None:
                return found
        batch, many = self.state.batch, MANY
        while True:
            row, won = self.queue.winner(self.picked)
            if won or row < 0:
                return row
            if self.seer is not None and self.queue.lowered[row] != self.picked:
                rows = self.queue.loose(row, self.picked, many)
                self.queue.lower(rows, self._ceilings(rows) * self.worth[rows], self.picked)
                many = min(2 * many, len(self.worth))
                continue
            rows = self.queue.stale(row, self.picked, batch)
            if self.seer is not None:
                rows = rows[self.queue.lowered[rows] == self.picked]
            self.queue.update(rows, self.state.gains(rows) * self.worth[rows], self.picked)
            batch = min(2 * batch, len(self.worth))

    def _ceilings(self, rows: Rows) -> Gains:
        """(m,) from the state that sees ahead."""
        assert self.seer is not None
        return self.seer.ceilings(rows)

    def _look_again(self) -> None:
        """Where what was seen has ended: who still competes is bounded anew, or ceilings are needed no longer."""
        if self.seer is None or self.seer.sees:
            return
        self.rows = self.rows[self.queue.bounds[self.rows] > EXCLUDED]
        if self.seer.thinned or not len(self.rows):
            self.seer = None
            return
        self.seer.foresee(self.rows)
        self.queue.lower(self.rows, self._ceilings(self.rows) * self.worth[self.rows], self.picked)

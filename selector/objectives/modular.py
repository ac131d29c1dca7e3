"""The state of a sum over rows, which `quality` and `random` share."""

from __future__ import annotations

from typing import Any

from selector.core import NO_ROWS, Gains, Rows


class Sum:
    """f(S) = the sum of `scores` (n,) over S: every gain is the row's own score."""

    def __init__(self, scores: Gains, chosen: Rows = NO_ROWS) -> None:
        self.scores = scores
        self.value, self.evaluations, self.batch = float(scores[chosen].sum()), 0, 64

    def gains(self, candidates: Rows) -> Gains:
        self.evaluations += len(candidates)
        return self.scores[candidates]

    def winner(self, queue: Any, stamp: int, worth: Gains) -> int:
        return int(queue.first())  # a gain never changes, so no bound is ever out of date

    def add(self, row: int) -> None:
        self.value += float(self.scores[row])

"""What chance gives: figures of a subset stand beside those of random sets of its size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from selector import measuring
from selector.core import Rows
from selector.findings.scene import Scene

SETS = 20  # random sets of each size
_DRAWN_FOR = 21  # sets these draws apart from those of the measures


def sets(scene: Scene, size: int) -> list[Rows]:
    """20 random sets of the pool of this size, ascending, the same for every part of the page; the pool itself where it is no larger."""
    return measuring.at_random(scene.pool, size, SETS, (scene.seed, _DRAWN_FOR, size))


def beside(value: float, others: Sequence[float]) -> dict[str, Any]:
    """The value, the mean of the random sets, the lowest and the highest of them, and on which side of all of them the value lies.

    `stands` is 'below', 'within' or 'above' the lowest and the highest of R random sets: one more random set lies outside with
    probability 2 / (R + 1), 9.5 % for 20, where no two are equal.
    """
    low, high, mean = min(others), max(others), math.fsum(others) / len(others)
    stands = "below" if value < low else "above" if value > high else "within"
    return {"value": short(value), "mean": short(mean), "low": short(low), "high": short(high), "stands": stands}


def short(value: float) -> float | None:
    """A number as JSON has it: six digits, None where it is not finite."""
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def carriers(incidence: Any, rows: Rows) -> Any:
    """(T,) how many of these rows carry each type."""
    return np.bincount(incidence[rows].indices, minlength=incidence.shape[1])

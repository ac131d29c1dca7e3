"""Mixtures: several objectives under one budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from selector.core import NO_ROWS, Gains, Ground, Need, Objective, Rows, State, Thinning
from selector.errors import RecipeError


@dataclass(frozen=True)
class Mixture:
    """Several objectives under one budget, each with its weight.

    f(S) = sum_p weight_p / scale_p * f_p(S). With `balanced` scales a random set of the budget's size is worth 1 in every part, so that
    a weight of 2 counts a part twice as much as a weight of 1, whatever units the parts have.
    """

    parts: tuple[Objective, ...]
    weights: tuple[float, ...]
    scales: tuple[float, ...]
    submodular: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.parts or any(not weight > 0 for weight in self.weights):
            raise RecipeError(f"the weights of the mixture are {self.weights}; every part needs a weight above 0.")
        for part in self.parts:
            if not part.submodular:
                raise RecipeError(f"{part} is not submodular and cannot be part of a mixture.")

    @property
    def monotone(self) -> bool:
        return all(part.monotone for part in self.parts)

    @property
    def needs(self) -> tuple[Need, ...]:
        return tuple(dict.fromkeys(need for part in self.parts for need in part.needs))

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        factors = [weight / scale for weight, scale in zip(self.weights, self.scales, strict=True)]
        return _Sum(factors, [part.start(ground, chosen) for part in self.parts])

    def value(self, ground: Ground, rows: Rows) -> float:
        return sum(
            weight / scale * part.value(ground, rows) for part, weight, scale in zip(self.parts, self.weights, self.scales, strict=True)
        )


class _Sum:
    def __init__(self, factors: list[float], states: list[State]) -> None:
        self.factors, self.states = factors, states
        self.batch = max(state.batch for state in states)

    @property
    def value(self) -> float:
        return sum(factor * state.value for factor, state in zip(self.factors, self.states, strict=True))

    @property
    def evaluations(self) -> int:
        return max(state.evaluations for state in self.states)

    @property
    def thinned(self) -> bool:
        return not any(isinstance(state, Thinning) and not state.thinned for state in self.states)

    def left(self) -> float:
        return max((state.left() for state in self.states if isinstance(state, Thinning)), default=0.0)

    def add_all(self, rows: Rows) -> Gains:
        total = np.zeros(len(rows))
        for factor, state in zip(self.factors, self.states, strict=True):
            total += factor * (state.add_all(rows) if isinstance(state, Thinning) and not state.thinned else one_by_one(state, rows))
        return total

    def narrow(self, probes: int, seed: int) -> float:
        return max(state.narrow(probes, seed) for state in self.states if isinstance(state, Thinning) and not state.thinned)

    def gains(self, candidates: Rows) -> Gains:
        total = np.zeros(len(candidates))
        for factor, state in zip(self.factors, self.states, strict=True):
            total += factor * state.gains(candidates)
        return total

    def add(self, row: int) -> None:
        for state in self.states:
            state.add(row)


def one_by_one(state: State, rows: Rows) -> Gains:
    """The gain of each row, added one after another."""
    values = [state.value]
    for row in rows:
        state.add(int(row))
        values.append(state.value)
    return np.diff(values)


def balanced(
    parts: tuple[Objective, ...],
    weights: tuple[float, ...],
    ground: Ground,
    candidates: Rows,
    kept: Rows,
    budget: int,
    rng: np.random.Generator,
) -> Mixture:
    """The mixture whose parts are each measured in units of what a random set of `budget` candidates adds to the kept rows.

    Raises RecipeError, naming the part, where such a set adds nothing (a constant quality column, say).
    """
    chosen = np.sort(rng.choice(candidates, min(budget, len(candidates)), replace=False))
    scales = []
    for part in parts:
        scale = part.value(ground, np.concatenate([kept, chosen])) - part.value(ground, kept)
        if not scale > 0:
            raise RecipeError(f"a random set of {len(chosen):,} rows adds {scale:g} to {part}, so its weight has no meaning; leave it out.")
        scales.append(scale)
    return Mixture(parts, weights, tuple(scales))

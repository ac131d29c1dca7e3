"""Coverage: as many different types as possible, with falling returns for more of the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from selector.core import NO_ROWS, Gains, Ground, Need, Rows, State, Types
from selector.errors import RecipeError


@dataclass(frozen=True)
class Coverage:
    """As many different types as possible (clusters, tags, tokens), with falling returns for more of the same.

    f(S) = sum_t phi(number of rows of S that carry t), phi = sqrt(x), log(1 + x) or min(x, cap): a concave-over-modular function (Lin and
    Bilmes 2011). Monotone submodular. `concave` is 'sqrt', 'log' or 'cap:C'. A gain takes one step for each type of the row.
    """

    features: str
    concave: str = "sqrt"
    submodular: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.phi(np.zeros(1))

    @property
    def monotone(self) -> bool:
        return True

    @property
    def needs(self) -> tuple[Need, ...]:
        return (Need("types", self.features),)

    def phi(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a type carried by so many rows is worth. Raises RecipeError for an unknown `concave`."""
        kind, _, cap = self.concave.partition(":")
        if kind == "sqrt" and not cap:
            return np.sqrt(counts)
        if kind == "log" and not cap:
            return np.log1p(counts)
        if kind == "cap" and cap.isdigit() and int(cap) > 0:
            return np.minimum(counts, float(cap))
        raise RecipeError(
            f"the concave function of coverage is '{self.concave}'; write sqrt, log or cap:C with a whole number C, as cap:3."
        )

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        state = _Counts(self, ground.types[self.features])
        for row in chosen:
            state.add(int(row))
        return state

    def value(self, ground: Ground, rows: Rows) -> float:
        counts = ground.types[self.features].incidence[rows].sum(axis=0)
        return float(self.phi(np.asarray(counts, np.float64)).sum())


class _Counts:
    """How many rows of S carry each type, and what one more would add."""

    def __init__(self, objective: Coverage, types: Types) -> None:
        self.indptr, self.columns = types.incidence.indptr, types.incidence.indices
        carriers = np.bincount(self.columns, minlength=types.incidence.shape[1])  # (T,) rows that carry each type
        steps = np.diff(objective.phi(np.arange(int(carriers.max(initial=0)) + 2.0)))
        self.steps = steps  # (largest count + 1,) what one more row adds to a type that so many rows of S carry
        self.counts = np.zeros(len(carriers), np.int64)  # (T,)
        self.added = np.full(len(carriers), steps[0])  # (T,) what one more row adds
        self.value, self.evaluations, self.batch = 0.0, 0, 64

    def gains(self, candidates: Rows) -> Gains:
        from selector.kernels.incidence import type_sums

        self.evaluations += len(candidates)
        return type_sums(candidates, self.indptr, self.columns, self.added)

    def add(self, row: int) -> None:
        from selector.kernels.incidence import count_row

        self.value += count_row(row, self.indptr, self.columns, self.counts, self.added, self.steps)

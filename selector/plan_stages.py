"""A line of a plan, and the lines of what every selection does beside its objective: counting tokens, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector import diversity, tokenizers
from selector.assembly import looked_at, sides_of
from selector.cache import NoCache
from selector.core import Room
from selector.forecasts import Cost, Machine, Shape
from selector.parts import Part
from selector.pool import Pool
from selector.recipe import Recipe

SAMPLED = 4096  # rows whose tokens are counted


@dataclass(frozen=True)
class Stage:
    """One line of a plan; None is not known."""

    name: str
    seconds: float | None
    bytes: float | None
    because: str


class NotKept(Exception):
    """A feature that the store does not hold yet."""


@dataclass(frozen=True)
class OnlyKept:
    """The store, where nothing is made."""

    store: Any

    def arrays(self, kind: str, key: Mapping[str, Any], make: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        def refuse() -> dict[str, NDArray[Any]]:
            raise NotKept

        return dict(self.store.arrays(kind, key, refuse))

    def journal(self, kind: str, key: Mapping[str, Any]) -> None:
        raise NotKept


def lengths(recipe: Recipe, named: list[Part], pool: Pool, room: Room) -> Stage:
    """Counting the tokens of the sides that are looked at."""
    sides, title = sides_of(looked_at(recipe, named)), "lengths"
    began = time.perf_counter()
    try:
        for side in sides:
            tokenizers.tokens(pool.texts(side), recipe.tokenizer, replace(room, store=OnlyKept(room.store)))
    except NotKept:
        pass
    else:
        return Stage(title, time.perf_counter() - began, 0.0, "tokens in the cache")
    if any(need.name.rpartition("/")[0] == "micro" for part in named for need in part.objective.needs):
        return Stage(title, 0.0, 0.0, "tokens of the micro layer")
    some, timed = pool.take(sample(len(pool), SAMPLED)), replace(room, store=NoCache())
    for side in sides:
        tokenizers.tokens(some.take(np.arange(min(8, len(some)))).texts(side), recipe.tokenizer, timed)  # loads the tokenizer
    began = time.perf_counter()
    count = sum(int(tokenizers.tokens(some.texts(side), recipe.tokenizer, timed).starts[-1]) for side in sides)
    factor = len(pool) / len(some)
    return Stage(title, (time.perf_counter() - began) * factor, 4 * count * factor, f"tokens of {len(some):,} sampled rows")


def verdict(shape: Shape, picks: int, machine: Machine) -> Stage:
    """Reading the picks and 20 random sets beside them."""
    sets = 2 * diversity.SETS + 1
    if shape.sparse:
        cost = Cost(walks=sets * picks * shape.entries * 8)
    else:
        cost = Cost(flops=sets * 2.0 * picks * shape.dimensions * (shape.dimensions + diversity.STANDS_FOR))
    return Stage("verdict", machine.seconds(cost), 8.0 * picks * max(1.0, shape.entries), f"{sets} sets of {picks:,} rows")


def sample(rows: int, count: int) -> NDArray[np.int64]:
    """Rows spread evenly over the pool, since files are often sorted by source."""
    return np.unique(np.linspace(0, rows - 1, min(rows, count)).astype(np.int64))

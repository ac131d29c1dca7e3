"""The 0..100 % diversity ladder (arXiv 2505.24768): sets of one size that carry from the fewest to the most types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from selector.core import Progress, Rows, Types, quiet
from selector.errors import BudgetError, InputError, RecipeError, hint, plural
from selector.kernels.pruning import prune_rarest, prune_unique, thin

CONTRIBUTIONS = ("rarest", "unique")
UNIQUE = (
    "the reading 'unique' of Algorithm 1 keeps types as long as rows allow, so that few rows are left for a number of types and hardly a "
    "level lies below the most; leave contribution at 'rarest'"
)
ORDERS = 16  # in which a set is tried: with few types to spare not every random order leaves as few rows as are wanted
RATIO = 1.05  # of the longest to the shortest row of one stratum of length


@dataclass(frozen=True)
class Level:
    """One set of the ladder: `wanted` types were asked for, the rows carry `types`, each at least `floor` times or as often as there is."""

    percent: float
    wanted: int
    rows: Rows
    types: int
    pool: int  # rows that carry no other types than these, which the set was drawn from
    floor: int


@dataclass(frozen=True)
class Ladder:
    """Sets of one size between the `fewest` types that can supply it and the `most` that it can carry."""

    levels: tuple[Level, ...]
    fewest: int
    most: int
    all_types: int
    usable: int  # rows with at least one type
    drawn: bool  # whether every row carries one type, so that types were drawn at random instead of pruned to


class Pools(Protocol):
    """Ever larger parts of the pool, by the number of types that they carry."""

    fewest: int

    def rows(self, types: int, rng: np.random.Generator) -> Rows:
        """Rows that carry no more than so many types, from `fewest` on; as many types as can be had."""
        ...


def ladder(
    types: Types, budget: int, percents: Sequence[float], *, strata: NDArray[np.int64] | None = None,
    quota: NDArray[np.int64] | None = None, contribution: str = "rarest", nested: bool = False, seed: int = 0, progress: Progress = quiet,
) -> Ladder:  # fmt: skip
    """Sets of `budget` rows at these percentages of the way from the fewest types to the most.

    A set is drawn from the rows that carry nothing but its k types. Where rows carry one type each (macro), the k types are drawn at
    random, the largest taking the place of some where too few rows came together. Where they carry several (meso, micro), Algorithm 1
    prunes the pool to k types. By `contribution` the row that contributes least is the one whose rarest type fewest rows are left to
    carry ('rarest'), or the one that takes fewest types with it ('unique', which leaves few rows). Algorithm 2 then deletes rows in
    random order while every type keeps `floor` of its rows, the largest floor that leaves `budget` rows, and random ones of them, as many
    as can be, one row more: so types stay even and none is lost. Rows without types take no part.

    With `strata` (n,), numbers of classes of rows, each set has `quota[s]` rows of stratum s. `nested`: the rows of every level are
    drawn in one order, and macro's types are added to those of the level below; else each level draws anew. Raises RecipeError,
    BudgetError and InputError for levels that the pool cannot make. O(entries log n) a level.
    """
    if contribution not in CONTRIBUTIONS:
        raise RecipeError(f"no reading of Algorithm 1 is called '{contribution}'. {hint(contribution, CONTRIBUTIONS)}")
    _check_percents(percents)
    incidence = types.incidence
    lengths = np.diff(incidence.indptr)
    usable = np.flatnonzero(lengths)
    if len(usable) < budget:
        raise BudgetError(
            f"a level has {plural(budget, 'row')} but only {len(usable):,} of {plural(len(lengths), 'row')} carry a type; lower the budget."
        )
    if strata is None or quota is None:
        strata, quota = np.zeros(len(lengths), np.int64), np.array([budget])
    scene = _Scene(incidence[usable], strata[usable], quota)
    rng = np.random.default_rng(seed)
    progress("pruning", 0, 0)
    one_each = bool(lengths.max() == 1)
    pools: Pools = _Drawn(scene, nested) if one_each else _Pruned(scene, contribution, rng)
    all_types = int((np.bincount(incidence.indices, minlength=incidence.shape[1]) > 0).sum())

    def made(wanted: int, *stream: int) -> Level | None:
        draws = np.random.default_rng([seed, *(1 + part for part in stream)])  # a key that ends in 0 is no other key
        turn = draws.permutation(scene.size)  # when each row is asked to go
        pool = pools.rows(wanted, draws)
        found = _even(scene, pool[np.argsort(turn[pool])], draws.permutation(scene.width))
        if found is None:
            return None
        rows, floor = found
        return Level(0.0, wanted, usable[rows], scene.types_of(rows), len(pool), floor)

    top = _most(made, pools.fewest, all_types, lambda: progress("the most types", 0, 0))
    if top is None:
        raise InputError(
            f"no set of {plural(budget, 'row')} that keeps all of {pools.fewest:,} types, the fewest that supply one, was found among "
            f"{ORDERS} orders; ask for a smaller budget, or leave match out."
        )
    levels = []
    for number, percent in enumerate(percents):
        wanted = round(pools.fewest + percent / 100 * (top.wanted - pools.fewest))
        streams = [(0 if nested else 1 + number, order) for order in range(ORDERS)]
        level = top if percent == 100 else next(filter(None, (made(wanted, *stream) for stream in streams)), None)
        if level is None:
            raise InputError(
                f"no set of {plural(budget, 'row')} that carries {wanted:,} types, for the level {percent:g} %, was found among {ORDERS} "
                "orders; try another seed, or leave match out."
            )
        levels.append(replace(level, percent=percent))
        progress("levels", number + 1, len(percents))
    kept = contribution == "unique" and not one_each
    _check_rise(levels, pools.fewest, top.types, UNIQUE if kept else "ask for fewer levels or another budget")
    return Ladder(tuple(levels), pools.fewest, top.types, all_types, len(usable), one_each)


def lengths_strata(tokens: NDArray[np.int64], usable: NDArray[np.bool_], budget: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) strata of length, each within 5 %, and the rows that a set of `budget` has of each, in the proportions of the usable rows."""
    strata = np.rint(np.log(np.maximum(tokens, 1)) / np.log(RATIO)).astype(np.int64)
    counts = np.bincount(strata[usable], minlength=int(strata.max(initial=0)) + 1)
    exact = counts * (budget / max(1, counts.sum()))
    quota = np.floor(exact).astype(np.int64)
    rest = np.argsort(quota - exact, kind="stable")[: budget - int(quota.sum())]
    quota[rest] += 1
    return strata, quota


class _Scene:
    """The rows that carry types, and how many of each stratum a set has."""

    def __init__(self, incidence: Any, strata: NDArray[np.int64], quota: NDArray[np.int64]) -> None:
        self.incidence, self.strata, self.quota = incidence, strata, quota.astype(np.int64)
        self.indptr, self.types = incidence.indptr.astype(np.int64), incidence.indices.astype(np.int64)
        self.size, self.width = incidence.shape

    def counts(self, rows: Rows) -> NDArray[np.int64]:
        """(T,) how many of these rows carry each type."""
        return np.bincount(self.incidence[rows].indices, minlength=self.width)

    def types_of(self, rows: Rows) -> int:
        return int((self.counts(rows) > 0).sum())

    def supplies(self, rows: Rows) -> bool:
        """Whether every stratum has its rows among these."""
        return bool((np.bincount(self.strata[rows], minlength=len(self.quota)) >= self.quota).all())


class _Pruned:
    """Algorithm 1: one order of deletion gives the pool for every number of types."""

    def __init__(self, scene: _Scene, contribution: str, rng: np.random.Generator) -> None:
        order = rng.permutation(scene.size)
        columns = scene.incidence[order].tocsc()  # the rows of each type in this order
        rows = order[columns.indices].astype(np.int64)
        prune, queued = (prune_rarest, scene.width) if contribution == "rarest" else (prune_unique, scene.size)
        given = scene.indptr, scene.types, columns.indptr.astype(np.int64), rows, scene.strata, scene.quota
        self.deleted, self.left = prune(*given, rng.permutation(queued))
        self.size, whole = scene.size, scene.types_of(np.arange(scene.size))
        self.left = np.concatenate([[whole], self.left])
        self.fewest = int(self.left[-1])

    def rows(self, types: int, rng: np.random.Generator) -> Rows:
        stop = int(np.searchsorted(-self.left, -types))  # the first moment with no more types than these
        return np.setdiff1d(np.arange(self.size), self.deleted[:stop])


class _Drawn:
    """Rows of types drawn at random; some of the largest first where the others would not supply a set, and always where `nested`."""

    def __init__(self, scene: _Scene, nested: bool) -> None:
        self.scene, self.kinds, self.nested = scene, scene.types, nested
        supply = np.zeros((scene.width, len(scene.quota)), np.int64)  # rows of each type and stratum
        np.add.at(supply, (self.kinds, scene.strata), 1)
        self.there = np.flatnonzero(supply.any(axis=1))
        self.first = list[int]()  # a greedy cover of the quotas, the largest share first
        lack = scene.quota.copy()
        while lack.any():
            largest = int(np.argmax(np.minimum(supply, lack).sum(axis=1)))
            self.first.append(largest)
            lack -= np.minimum(supply[largest], lack)
            supply[largest] = 0
        self.fewest = len(self.first)

    def rows(self, types: int, rng: np.random.Generator) -> Rows:
        order = rng.permutation(self.there)
        for share in range(self.fewest if self.nested else 0, self.fewest + 1):
            kept = self.first[:share]
            chosen = np.concatenate([kept, order[~np.isin(order, kept)][: max(0, types - share)]]).astype(np.int64)
            rows = np.flatnonzero(np.isin(self.kinds, chosen))
            if self.scene.supplies(rows):
                return rows
        raise ValueError(f"{types} types cannot supply a set")


def _even(scene: _Scene, order: Rows, kinds: NDArray[np.int64]) -> tuple[Rows, int] | None:
    """Algorithm 2 with the largest floor that leaves the wanted rows, one higher for the first of `kinds` for which it still does.

    None where even one row a type leaves more. Types with fewer rows than the floor keep all of them.
    """
    if not scene.supplies(order):
        return None
    counts = scene.counts(order)

    def left(floor: int | NDArray[np.int64]) -> Rows:
        return np.flatnonzero(thin(scene.indptr, scene.types, scene.strata, scene.quota, np.minimum(counts, floor), order))

    wanted, low, high = int(scene.quota.sum()), 1, int(counts.max()) + 1
    best = left(low)
    if len(best) != wanted:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        found = left(middle)
        if len(found) == wanted:
            low, best = middle, found
        else:
            high = middle
    kinds = kinds[counts[kinds] > low]
    more, too_many = 0, len(kinds)  # a higher floor for all of them is what failed above
    while too_many - more > 1:
        middle = (more + too_many) // 2
        floors = np.full(scene.width, low)
        floors[kinds[:middle]] += 1
        found = left(floors)
        if len(found) == wanted:
            more, best = middle, found
        else:
            too_many = middle
    return best, low


def _most(made: Callable[..., Level | None], fewest: int, all_types: int, show: Callable[[], None]) -> Level | None:
    """The set with the most types that the even sampling finds, by halving the range; None where it finds none at all."""
    show()
    best = made(all_types, 0, 0)
    if best is not None:
        return replace(best, wanted=best.types)
    best, low, high = next(filter(None, (made(fewest, 0, order) for order in range(ORDERS))), None), fewest, all_types
    while high - low > 1:
        middle = (low + high) // 2
        show()
        found = made(middle, 0, 0)
        best, low, high = (best, low, middle) if found is None else (found, middle, high)
    return best


def _check_percents(percents: Sequence[float]) -> None:
    if not percents:
        raise RecipeError("a ladder needs levels; write percentages such as 0,50,100.")
    for percent in percents:
        if not 0 <= percent <= 100:
            raise RecipeError(f"a level is {percent:g} %; write percentages from 0 to 100.")
    if list(percents) != sorted(set(percents)):
        raise RecipeError(f"the levels are {', '.join(f'{one:g}' for one in percents)}; write each once, from low to high.")


def _check_rise(levels: Sequence[Level], fewest: int, most: int, instead: str) -> None:
    between = f"{fewest:,} to {most:,} types" if fewest < most else plural(most, "type")
    for below, above in pairwise(levels):
        if above.types <= below.types:
            raise InputError(
                f"the levels {below.percent:g} and {above.percent:g} % would both carry {plural(below.types, 'type')}: sets of this size "
                f"can carry {between}, too few for {len(levels)} levels; {instead}."
            )

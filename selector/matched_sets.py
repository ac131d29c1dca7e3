"""Sets like the diverse one in what they are matched on: random ones, a narrow one, and where that cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from selector import balance
from selector.core import Rows, Types
from selector.errors import InputError, plural
from selector.matching import Covariate, Shortfall, Strata, strata
from selector.narrow import narrow

COARSE, FINE = 5, 160  # bins of a number: coarse strata leave more to chance, fine ones balance better
ENOUGH = 0.8  # of the limits of |SMD| and KS: sets nearer than that are taken as they come
TRIES = 10  # draws in the same strata before finer ones are tried
SHOWN = 3  # strata named in a note
TELLING = 0.01  # share of the diverse set: fewer rows that all random sets must share with it are not worth a note


@dataclass(frozen=True)
class Drawn:
    """Sets of one size, the strata that they were drawn in, and the strata that had too few rows."""

    sets: list[Rows]  # ascending each
    strata: Strata
    bins: dict[str, int]  # of each numeric covariate
    shortfalls: list[Shortfall]


def random_sets(
    diverse: Rows, among: Rows, matched: Sequence[Covariate], size: int, number: int, *, disjoint: bool, seed: Sequence[int]
) -> Drawn:
    """So many sets drawn at random in the strata of the diverse set, each from all rows `among`, or all disjoint.

    Numeric covariates have as few bins as balance. Of ten draws in the same strata the first that balances is taken (Morgan & Rubin 2012,
    doi 10.1214/12-AOS1008), so that chance does not ask for finer strata. O(n log n) a draw.
    """

    def draw(split: Strata) -> tuple[list[Rows], list[Shortfall]]:
        rng = np.random.default_rng(seed)
        given, short = split.shares(split.counts(diverse) * (number if disjoint else 1), split.counts(among))
        if disjoint:
            return _first_alike(lambda: split.sets(given, among, rng, number), diverse, matched, TRIES)[0], short
        sets: list[Rows] = []
        alike = True
        for _ in range(number):  # where ten draws do not balance it is no chance, and the other sets are drawn but once
            one, alike = _first_alike(lambda: split.sets(given, among, rng), diverse, matched, TRIES if alike else 1)
            sets += one
        return sets, short

    return _balanced(draw, diverse, matched, size)


def _first_alike(draw: Callable[[], list[Rows]], diverse: Rows, matched: Sequence[Covariate], tries: int) -> tuple[list[Rows], bool]:
    """The first of so many draws that balances, or the one that is nearest to it, and whether it does."""
    best, least = list[Rows](), np.inf
    for _ in range(tries):
        sets = draw()
        off = max((_off(one, diverse, sets) for one in matched), default=0.0)
        if not best or off < least:
            best, least = sets, off
        if off <= ENOUGH:
            return sets, True
    return best, False


def _off(covariate: Covariate, diverse: Rows, sets: Sequence[Rows]) -> float:
    """The largest of |SMD| and KS over their limits; of KS at least 1 / sqrt(rows), below which chance hides all."""
    most = max(balance.BALANCED, 1 / np.sqrt(len(diverse)))
    apart = [balance.difference(covariate, diverse, one) for one in sets]
    return max(max(abs(one["smd"]) / balance.BALANCED, one.get("ks", 0.0) / most) for one in apart)


def narrow_set(diverse: Rows, among: Rows, types: Sequence[Types], matched: Sequence[Covariate], size: int, seed: Sequence[int]) -> Drawn:
    """One set of few types in the strata of the diverse set. Raises InputError where too few rows `among` carry a type."""
    carries = np.zeros(size, bool)
    for one in types:
        carries |= np.diff(one.incidence.indptr)[:size] > 0
    among = among[carries[among]]
    if len(among) < len(diverse):
        raise InputError(
            f"a narrow set of {plural(len(diverse), 'row')} is asked for, but {len(among):,} of those left to choose from carry a type of "
            "this layer and side; lower the budget, or leave low out."
        )

    def draw(split: Strata) -> tuple[list[Rows], list[Shortfall]]:
        given, short = split.shares(split.counts(diverse), split.counts(among))
        return [narrow(types, among, split.cell, given, np.random.default_rng(seed))], short

    return _balanced(draw, diverse, matched, size)


def _balanced(
    draw: Callable[[Strata], tuple[list[Rows], list[Shortfall]]], diverse: Rows, matched: Sequence[Covariate], size: int
) -> Drawn:
    """The draw in the coarsest strata that balance: the covariate farthest off gets twice the bins until none is off, or all are fine."""
    bins = [COARSE if one.levels is None else 1 for one in matched]
    best, least = None, np.inf
    while True:
        split = strata(diverse, matched, size, bins)
        sets, short = draw(split)
        off = [_off(one, diverse, sets) for one in matched]
        if best is None or max(off) < least:
            named = {one.name: number for one, number in zip(matched, bins, strict=True) if one.levels is None}
            best, least = Drawn(sets, split, named, short), max(off, default=0.0)
        finer = [place for place, one in enumerate(matched) if one.levels is None and bins[place] < FINE and off[place] > ENOUGH]
        if not finer:
            return best
        bins[max(finer, key=lambda place: off[place])] *= 2


def notes(drawn: Drawn, diverse: Rows, among: Rows, matched: Sequence[Covariate], size: int, number: int, disjoint: bool) -> list[str]:
    """What cannot be matched and what would help, in sentences."""
    if disjoint:
        missing = sum(one.wanted - one.had for one in drawn.shortfalls)
        if not missing:
            return []
        worst = sorted(drawn.shortfalls, key=lambda one: one.had - one.wanted)[:SHOWN]
        named = "; ".join(f"{one.stratum} (wanted {one.wanted:,}, had {one.had:,})" for one in worst)
        relaxed = _relaxed(drawn, matched, lambda split: _missing(split, diverse, among, number), diverse, size)
        return [
            f"{missing:,} of the {number * len(diverse):,} rows of the random sets come from the nearest strata, because the diverse set "
            f"leaves too few in {_strata(len(drawn.shortfalls))}. The largest: {named}. Such rows would be {relaxed}, 0 without disjoint."
        ]
    taken = _taken(drawn.strata, diverse, among)
    if taken.sum() < TELLING * len(diverse):
        return []
    cells = np.argsort(-taken, kind="stable")[: min(SHOWN, np.count_nonzero(taken))]
    named = "; ".join(f"{drawn.strata.words(int(cell))} ({plural(int(taken[cell]), 'row')})" for cell in cells)
    relaxed = _relaxed(drawn, matched, lambda split: int(_taken(split, diverse, among).sum()), diverse, size)
    return [
        f"{taken.sum():,} of the {plural(len(diverse), 'row')} of the diverse set are in every random set too, because it takes all rows "
        f"of {_strata(int(np.count_nonzero(taken)))}. The largest: {named}. Such rows would be {relaxed}."
    ]


def _strata(count: int) -> str:
    return f"{count:,} {'stratum' if count == 1 else 'strata'}"


def _taken(split: Strata, diverse: Rows, among: Rows) -> np.ndarray:
    """(c,) rows of the strata that the diverse set takes whole."""
    wanted = split.counts(diverse)
    return np.where(wanted == split.counts(among), wanted, 0)


def _missing(split: Strata, diverse: Rows, among: Rows, number: int) -> int:
    return int(np.maximum(number * split.counts(diverse) - split.counts(among), 0).sum())


def _relaxed(drawn: Drawn, matched: Sequence[Covariate], count: Callable[[Strata], int], diverse: Rows, size: int) -> str:
    """How many rows it would be without each covariate, and with coarser bins."""
    told = []
    for one in matched if len(matched) > 1 else ():
        without = [other for other in matched if other is not one]
        bins = [drawn.bins.get(other.name, 1) for other in without]
        told.append(f"{count(strata(diverse, without, size, bins)):,} without matching {one.name}")
    if drawn.bins:
        half = [max(1, drawn.bins.get(one.name, 1) // 2) for one in matched]
        told.append(f"{count(strata(diverse, matched, size, half)):,} with half as many bins of a number")
    told.append("0 without matching")
    return ", ".join(told)

"""Random rows that are like given ones in what must not explain a difference: length, source, any column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows

BINS = 50  # of a numeric covariate, each with as many of the target's rows
OTHER_LEVEL = 1000  # bins: a row of another level is farther than any of another length


@dataclass(frozen=True)
class Covariate:
    """What rows are matched on, or shown beside: numbers, or levels such as sources."""

    name: str
    values: NDArray[Any]  # (n,) float64, or numbers of `levels`
    levels: tuple[str, ...] | None = None  # None: numeric


@dataclass(frozen=True)
class Shortfall:
    """A stratum that had fewer rows than were wanted; the others came from the nearest strata."""

    stratum: str
    wanted: int
    had: int


@dataclass(frozen=True)
class Strata:
    """Which rows are alike: one level of each categorical covariate and one bin of each numeric one; bins are quantiles of the target."""

    covariates: tuple[Covariate, ...]
    edges: tuple[NDArray[np.float64], ...]  # of each covariate's bins, the lowest bin without one; none for levels
    cells: NDArray[np.int64]  # (c, covariates) level or bin of each stratum that any row is in
    cell: NDArray[np.int64]  # (n,) stratum of every row

    def words(self, cell: int) -> str:
        """`source forum, response tokens 120 up to 140`."""
        told = zip(self.covariates, self.edges, self.cells[cell].tolist(), strict=True)
        return ", ".join(_words(covariate, edges, place) for covariate, edges, place in told) or "all rows"

    def counts(self, rows: Rows) -> NDArray[np.int64]:
        """(c,) how many of these rows are in each stratum."""
        return np.bincount(self.cell[rows], minlength=len(self.cells))

    def shares(self, wanted: NDArray[np.int64], there: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[Shortfall]]:
        """(c,) rows that each stratum gives where so many are wanted of it and so many are there; as many in all as are wanted.

        Where a stratum has fewer, the nearest ones give the rest, those of the same levels first. Raises ValueError where there are
        fewer in all.
        """
        if there.sum() < wanted.sum():
            raise ValueError(f"{wanted.sum()} rows like these cannot be drawn from {there.sum()}")
        given = np.minimum(wanted, there)
        short = np.flatnonzero(wanted > there)
        numeric = np.array([one.levels is None for one in self.covariates], bool)
        for one in short:
            spare = np.flatnonzero(there > given)
            apart = np.abs(self.cells[spare] - self.cells[one])
            far = apart[:, numeric].sum(axis=1) + OTHER_LEVEL * (apart[:, ~numeric] > 0).sum(axis=1)
            lack = wanted[one] - there[one]
            for other in spare[np.argsort(far, kind="stable")]:
                more = min(lack, there[other] - given[other])
                given[other] += more
                lack -= more
                if not lack:
                    break
        return given, [Shortfall(self.words(int(one)), int(wanted[one]), int(there[one])) for one in short]

    def sets(self, given: NDArray[np.int64], among: Rows, rng: np.random.Generator, number: int = 1) -> list[Rows]:
        """Random disjoint sets of one size, `given` rows of each stratum in all of them together, each with its share of a stratum."""
        order = among[rng.permutation(len(among))]
        queue = order[np.argsort(self.cell[order], kind="stable")]  # stratum by stratum, shuffled in each
        there = self.counts(among)
        place = np.arange(len(queue)) - np.repeat(np.cumsum(there) - there, there)  # of each row in its stratum
        dealt = queue[place < given[self.cell[queue]]]
        return [np.sort(dealt[start::number]) for start in range(number)]


def strata(target: Rows, covariates: Sequence[Covariate], size: int, bins: Sequence[int]) -> Strata:
    """The strata of all n = `size` rows, with so many `bins` of each covariate that is numeric: equally many of the target's rows in each.

    O(n log n).
    """
    binned = [_binned(one, target, number) for one, number in zip(covariates, bins, strict=True)]
    cell = np.zeros(size, np.int64)
    for values, _ in binned:  # numbered anew after each covariate, so that no product of many overflows
        cell = np.unique(cell * (int(values.max(initial=0)) + 1) + values, return_inverse=True)[1]
    first = np.unique(cell, return_index=True)[1]
    cells = np.stack([values[first] for values, _ in binned], axis=1) if binned else np.zeros((len(first), 0), np.int64)
    return Strata(tuple(covariates), tuple(edges for _, edges in binned), cells, cell)


def like(
    target: Rows, among: Rows, covariates: Sequence[Covariate], rng: np.random.Generator, bins: int = BINS
) -> tuple[Rows, list[Shortfall]]:
    """As many distinct rows `among` these as `target` has, drawn at random within strata, ascending.

    Each stratum gives as many rows as the target has there. Where it has fewer, the nearest strata give the rest, those of the same
    levels first. O(n log n).
    Raises ValueError where `among` has fewer rows than the target.
    """
    size = 1 + max(int(one.max(initial=0)) for one in (target, among))
    split = strata(target, [Covariate(one.name, one.values[:size], one.levels) for one in covariates], size, [bins] * len(covariates))
    given, shortfalls = split.shares(split.counts(target), split.counts(among))
    return split.sets(given, among, rng)[0], shortfalls


def _binned(covariate: Covariate, target: Rows, bins: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) the level or bin of every row, and the bins' lower edges but the lowest."""
    if covariate.levels is not None:
        return covariate.values.astype(np.int64), np.empty(0)
    edges = np.unique(np.quantile(covariate.values[target], np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    return np.searchsorted(edges, covariate.values, side="right"), edges


def _words(covariate: Covariate, edges: NDArray[np.float64], place: int) -> str:
    if covariate.levels is not None:
        return f"{covariate.name} {covariate.levels[place]}"
    if not len(edges):
        return f"any {covariate.name}"
    if place == 0:
        return f"{covariate.name} below {edges[0]:g}"
    return f"{covariate.name} {edges[place - 1]:g} up to {edges[place]:g}" if place < len(edges) else f"{covariate.name} from {edges[-1]:g}"

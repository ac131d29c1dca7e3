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


def like(target: Rows, among: Rows, covariates: Sequence[Covariate], rng: np.random.Generator) -> tuple[Rows, list[Shortfall]]:
    """As many distinct rows `among` these as `target` has, drawn at random within strata, ascending.

    A stratum is one level of each categorical covariate and one bin of each numeric one; the bins are quantiles of the target. Each
    stratum gives as many rows as the target has there. Where it has fewer, the nearest strata give the rest, those of the same levels
    first. O(n log n).
    Raises ValueError where `among` has fewer rows than the target.
    """
    if len(among) < len(target):
        raise ValueError(f"{len(target)} rows like these cannot be drawn from {len(among)}")
    binned = [_binned(one, target) for one in covariates]
    coordinates = np.stack([values for values, _ in binned], axis=1) if binned else np.zeros((_size(target, among), 1), np.int64)
    cells, cell = np.unique(coordinates[np.concatenate([target, among])], axis=0, return_inverse=True)
    wanted = np.bincount(cell[: len(target)], minlength=len(cells))
    order = rng.permutation(len(among))
    queue = order[np.argsort(cell[len(target) :][order], kind="stable")]  # positions in `among`, cell by cell, shuffled in each
    there = np.bincount(cell[len(target) :], minlength=len(cells))
    starts = np.concatenate([[0], np.cumsum(there)[:-1]])
    given = np.minimum(wanted, there)
    short = np.flatnonzero(wanted > there)
    scale = np.array([OTHER_LEVEL if one.levels else 1 for one in covariates] or [1])
    for one in short:
        apart = np.where(scale == 1, np.abs(cells - cells[one]), cells != cells[one]) @ scale
        lack = wanted[one] - there[one]
        for other in np.argsort(apart, kind="stable"):
            more = min(lack, there[other] - given[other])
            given[other] += more
            lack -= more
            if not lack:
                break
    chosen = np.concatenate([queue[start : start + count] for start, count in zip(starts, given, strict=True)])
    shortfalls = [Shortfall(_words(covariates, binned, cells[one]), int(wanted[one]), int(there[one])) for one in short]
    return np.sort(among[chosen]), shortfalls


def _binned(covariate: Covariate, target: Rows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n,) the level or bin of every row, and the bins' lower edges."""
    if covariate.levels is not None:
        return covariate.values.astype(np.int64), np.empty(0)
    edges = np.unique(np.quantile(covariate.values[target], np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    return np.searchsorted(edges, covariate.values, side="right"), edges


def _words(covariates: Sequence[Covariate], binned: Sequence[tuple[Any, NDArray[np.float64]]], cell: NDArray[np.int64]) -> str:
    parts = []
    for covariate, (_, edges), place in zip(covariates, binned, cell, strict=True):
        if covariate.levels is not None:
            parts.append(f"{covariate.name} {covariate.levels[place]}")
            continue
        low = f"{edges[place - 1]:g}" if place else "0"
        parts.append(f"{covariate.name} {low} to {edges[place]:g}" if place < len(edges) else f"{covariate.name} from {low}")
    return ", ".join(parts)


def _size(*rows: Rows) -> int:
    return 1 + max(int(one.max(initial=0)) for one in rows)

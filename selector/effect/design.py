"""Runs of one strategy -> the terms of its model: an intercept for each size, the slope, how it changes with size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selector.effect.regression import FLAT
from selector.effect.scores import Run
from selector.errors import InputError

WEAK = {"slope": 5.0, "slope x size": 2.5, "bend": 5.0, "covariate": 2.5}  # widths of the weak prior, in residual sds
SCEPTICAL = {"slope": 1.0, "slope x size": 0.5, "bend": 1.0, "covariate": 0.5}


@dataclass(frozen=True)
class Scale:
    """Where sizes stand: 0 in the middle of those that were run, -1 at the smallest, 1 at the largest."""

    sizes: tuple[int, ...]
    kind: str  # linear or log

    def place(self, size: float) -> float:
        """The place of a size; beyond ±1 it lies outside of what was run."""
        places = [self._raw(one) for one in self.sizes]
        half = (max(places) - min(places)) / 2
        return (self._raw(size) - (max(places) + min(places)) / 2) / half if half else 0.0

    def _raw(self, size: float) -> float:
        return float(np.log(size)) if self.kind == "log" else float(size)


@dataclass(frozen=True)
class Design:
    """The points of one strategy as terms of a linear model.

    score = intercept of its size + slope x + change x s + [bend (x - 1/2)^2] + [covariates, each minus its mean] + noise

    x is diversity from 0 to 1 and s the place of the size, so `slope` is the gain from 0 to 100 % where s = 0. The bend leaves the gain
    from 0 to 100 % as it is, because (x - 1/2)^2 is the same at both ends.
    """

    strategy: str
    x: np.ndarray  # (n,)
    sizes: np.ndarray  # (n,)
    scores: np.ndarray  # (n,)
    covariates: np.ndarray  # (n, c) minus their means
    scale: Scale
    names: tuple[str, ...]  # of covariates
    quadratic: bool

    @property
    def own_sizes(self) -> list[int]:
        """Sizes of this strategy's runs, ascending."""
        return sorted({int(size) for size in self.sizes})

    @property
    def interacts(self) -> bool:
        """Whether the slope may change with size: it was seen at two sizes."""
        return sum(len(set(self.x[self.sizes == size])) > 1 for size in self.own_sizes) > 1

    @property
    def kinds(self) -> list[str]:
        """What each term is."""
        told = [f"intercept at {size:,}" for size in self.own_sizes] + ["slope"] + ["slope x size"] * self.interacts
        return told + ["bend"] * self.quadratic + ["covariate"] * len(self.names)

    def terms(self) -> np.ndarray:
        """(n, p) of all points."""
        return np.array([self.row(x, size, extra) for x, size, extra in zip(self.x, self.sizes, self.covariates, strict=True)])

    def row(self, x: float, size: float, extra: Sequence[float] | None = None) -> np.ndarray:
        """(p,) of one point, covariates at their means by default; a size that was not run has no intercept."""
        extra = [0.0] * len(self.names) if extra is None else list(extra)
        told = [float(size == one) for one in self.own_sizes] + [x] + [x * self.scale.place(size)] * self.interacts
        return np.array([*told, *([(x - 0.5) ** 2] * self.quadratic), *extra])

    def slope(self, size: float) -> np.ndarray:
        """(p,) weights of the gain from 0 to 100 % at a size."""
        return self.row(1.0, size) - self.row(0.0, size)

    def over_sizes(self) -> np.ndarray:
        """(p,) weights of the mean of that gain over the sizes that were run."""
        return np.mean([self.slope(size) for size in self.own_sizes], axis=0)

    def growth(self) -> np.ndarray:
        """(p,) weights of how much larger the gain is at the largest size than at the smallest."""
        return self.slope(max(self.own_sizes)) - self.slope(min(self.own_sizes))

    def widths(self, prior: dict[str, float] | None) -> list[float]:
        """(p,) widths of the prior; intercepts are flat always."""
        return [(prior or {}).get(kind, FLAT) for kind in self.kinds]


def design(
    runs: Sequence[Run], scale: Scale, *, x: str = "level", covariates: Sequence[str] = (), quadratic: bool = False, mean: bool = False
) -> Design:
    """The points of one strategy; with `mean` runs that differ in nothing but the seed are one point. Raises InputError."""
    levels = _x(runs, x)
    extra = np.array([[_figure(run, name) for name in covariates] for run in runs]).reshape(len(runs), len(covariates))
    sizes, scores = np.array([run.size for run in runs]), np.array([run.score for run in runs])
    points = np.column_stack([levels, sizes, scores, extra])
    if mean:
        cells: dict[tuple[float, int], list[int]] = {}
        for place, run in enumerate(runs):
            cells.setdefault((run.level, run.size), []).append(place)
        points = np.array([points[own].mean(axis=0) for own in cells.values()])
    extra = points[:, 3:] - points[:, 3:].mean(axis=0)
    return Design(runs[0].strategy, points[:, 0], points[:, 1].astype(int), points[:, 2], extra, scale, tuple(covariates), quadratic)


def _x(runs: Sequence[Run], column: str) -> list[float]:
    """Diversity from 0 to 1; what was achieved may stand in percent, as levels may."""
    if column == "level":
        return [run.level for run in runs]
    values = np.array([_figure(run, column) for run in runs])
    values = values / 100 if values.max() > 1 + 1e-6 else values
    if wrong := [(run, value) for run, value in zip(runs, values, strict=True) if not -1e-6 <= value <= 1 + 1e-6]:
        run, value = wrong[0]
        raise InputError(
            f"the run {run.strategy} at level {100 * run.level:g} % achieved {value:g}; achieved diversity is a share from 0 to 1 or a "
            "percentage, as --ladder joins it from a ladder's folder."
        )
    return [float(value) for value in values]


def _figure(run: Run, name: str) -> float:
    try:
        value = float(run.other[name])
    except KeyError:
        there = [one for one, value in run.other.items() if isinstance(value, (int, float)) or str(value).replace(".", "", 1).isdigit()]
        raise InputError(f"no column of the scores is called '{name}'. Numbers are in: {', '.join(there)}.") from None
    except (TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"'{name}' of {run.strategy} at level {100 * run.level:g} % is {run.other[name]!r}; write a number.")
    return value

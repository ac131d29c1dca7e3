"""Slopes of one strategy, at each size and over all: the posterior, and least squares beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from selector.effect.design import SCEPTICAL, WEAK, Design, Scale, design
from selector.effect.regression import Posterior, posterior, robust
from selector.effect.scores import Run, Scores
from selector.effect.student import Student
from selector.effect_recipe import EffectWords
from selector.errors import InputError

PRIORS: Mapping[str, dict[str, float] | None] = {"flat": None, "weak": WEAK, "sceptical": SCEPTICAL}
FEWEST_LEFT = 5  # degrees of freedom that a claim needs: below, the 95 % interval rests on a guess of the noise
FEWEST_LEVELS = 3  # with two nobody can see whether the scores rise evenly


@dataclass(frozen=True)
class Estimate:
    """What the points say of one strategy."""

    design: Design
    posterior: Posterior | None  # None where the points decide nothing
    too_few: str  # why no claim can rest on these points; '' where one can
    errors: str

    @property
    def name(self) -> str:
        """side/layer."""
        return self.design.strategy

    @cached_property
    def known(self) -> Posterior:
        """The posterior of a strategy that has one."""
        if self.posterior is None:
            raise InputError(f"{self.name}: {self.too_few}")
        return self.posterior

    def slope(self, size: float) -> Student:
        """The gain from 0 to 100 % at a size, in points of the score."""
        return self.known.of(self.design.slope(size))

    def over_sizes(self) -> Student:
        """The mean of that gain over the sizes that were run."""
        return self.known.of(self.design.over_sizes())

    def growth(self) -> Student | None:
        """How much larger the gain is at the largest size than at the smallest; None where one size was run."""
        return self.known.of(self.design.growth()) if self.design.interacts else None

    def line(self, x: float, size: int) -> Student:
        """The mean score at x. Its interval is narrowest where x is the mean of the points of this size."""
        return self.known.of(self.design.row(x, size))

    @property
    def extrapolates(self) -> str:
        """What of 0 to 100 % was not run; '' where it all was."""
        low, high = float(self.design.x.min()), float(self.design.x.max())
        if low <= 0.05 and high >= 0.95:
            return ""
        return f"{100 * low:.0f} to {100 * high:.0f} % was run" if low < high else f"only {100 * low:.0f} % was run"


def estimates(scores: Scores, words: EffectWords) -> list[Estimate]:
    """One estimate a strategy, in the order of the file. Raises InputError where a column lacks."""
    scale = Scale(tuple(scores.sizes), words.size_scale)
    found = []
    for strategy in scores.strategies:
        own = [run for run in scores.runs if run.strategy == strategy]
        found.append(estimate(own, scale, words))
    return found


def estimate(runs: Sequence[Run], scale: Scale, words: EffectWords, **changed: Any) -> Estimate:
    """The estimate of one strategy's runs; `changed` are words that differ, as prior='sceptical'."""
    told: dict[str, Any] = {"prior": words.prior, "errors": words.errors, "repeats": words.repeats, "quadratic": words.quadratic}
    told |= {"covariates": words.covariates, **changed}
    made = design(runs, scale, x=words.x, covariates=told["covariates"], quadratic=told["quadratic"], mean=told["repeats"] == "mean")
    try:
        terms = made.terms()
        hc3 = told["errors"] == "hc3"
        found = robust(terms, made.scores) if hc3 else posterior(terms, made.scores, made.widths(PRIORS[told["prior"]]))
    except InputError as error:
        return Estimate(made, None, _undecided(made) or str(error), told["errors"])
    return Estimate(made, found, _too_few(made, found), told["errors"])


def _undecided(made: Design) -> str:
    """Why more runs like these would not do either; '' where they might."""
    if len(set(made.x.tolist())) == 1:
        return f"one level was run; {FEWEST_LEVELS} or more are needed to see whether the score rises evenly"
    terms = made.terms()
    rank, first = np.linalg.matrix_rank(terms), len(made.kinds) - len(made.names)
    if len(terms) > terms.shape[1]:
        for place, name in enumerate(made.names, start=first):
            if np.linalg.matrix_rank(np.delete(terms, place, axis=1)) == rank:
                return f"'{name}' says nothing beside size, level and other covariates (it follows from them exactly); leave it out"
    return ""


def _too_few(made: Design, found: Posterior) -> str:
    levels = len(set(made.x.tolist()))
    left = len(made.scores) - len(made.kinds)
    if levels < FEWEST_LEVELS:
        return f"{levels} levels were run; {FEWEST_LEVELS} or more are needed to see whether the score rises evenly"
    if left < FEWEST_LEFT:
        told = f"{len(made.scores)} runs for {len(made.kinds)} coefficients leave {left} to judge the noise by"
        return f"{told}; a claim needs {FEWEST_LEFT} or more"
    if found.variance == 0:
        return (
            f"{len(made.scores)} runs score on the line exactly, so that nothing is known of the noise; give scores with all their digits"
        )
    return ""


def least_squares(made: Design, size: int | None = None) -> dict[str, float] | None:
    """A straight line through the points of one size, as the paper's table has it; without a size one slope and an intercept each.

    None where the points do not decide it. `r` is the correlation, within sizes where there are several.
    """
    chosen = np.ones(len(made.x), bool) if size is None else made.sizes == size
    x, scores, sizes = made.x[chosen], made.scores[chosen], made.sizes[chosen]
    terms = np.column_stack([*((sizes == one).astype(float) for one in sorted(set(sizes.tolist()))), x])
    try:
        found = posterior(terms, scores)
    except InputError:
        return None
    weights = np.eye(terms.shape[1])[-1]
    slope = found.of(weights)
    ratio = slope.place / slope.scale if slope.scale else np.inf
    r = float(np.sign(slope.place) / np.sqrt(1 + found.df / ratio**2)) if ratio else 0.0
    low, high = float(slope.quantile(0.025)), float(slope.quantile(0.975))
    return {"slope": slope.place, "low": low, "high": high, "r": r, "n": len(x)}

"""Whether the model fits: straight or bent, what it predicts, what the prior and other choices move (BARG, Kruschke 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selector.effect.design import Scale
from selector.effect.regression import leave_one_out
from selector.effect.scores import Run
from selector.effect.slopes import PRIORS, Estimate, estimate
from selector.effect.student import Student
from selector.effect_recipe import EffectWords
from selector.errors import InputError

DRAWS = 4000  # of the predictive check
CLEAR = 2.0  # standard errors between straight and bent before one of them is said


@dataclass(frozen=True)
class Curvature:
    """Straight against bent: how much better each says the points that it has not seen."""

    word: str  # straight, bent or cannot tell
    gain: float | None  # ln predictive density of the bent model minus that of the straight one, over all points
    error: float | None  # standard error of that sum
    bend: Student | None  # coefficient of (x - 1/2)^2; below 0 it rises fast and flattens or falls
    best: dict[int, float]  # size -> level of the best mean score
    peaks: dict[int, float]  # size -> level where the bent line is best, where that is between 0 and 1
    ends: dict[int, Student]  # size -> slope of the bent line at 100 %, in points a whole range: what still more would bring


def curvature(runs: Sequence[Run], scale: Scale, words: EffectWords) -> Curvature:
    """Leave-one-out: each point's log density under both models, each fitted to the others (Vehtari, Gelman & Gabry 2017, exact here)."""
    straight, bent = (estimate(runs, scale, words, quadratic=form, errors="classical") for form in (False, True))
    design = straight.design
    best = {}
    for size in design.own_sizes:
        own = [(float(design.scores[(design.sizes == size) & (design.x == x)].mean()), -x) for x in set(design.x[design.sizes == size])]
        best[size] = float(-(max(own) if not words.lower_is_better else min((score, x) for score, x in own))[1])
    said = [_log_densities(one, words) for one in (straight, bent)]
    if bent.posterior is None or said[0] is None or said[1] is None:
        return Curvature("cannot tell", None, None, None, best, {}, {})
    apart = said[1] - said[0]  # (n,)
    gain, error = float(apart.sum()), float(np.sqrt(len(apart) * apart.var(ddof=1)))
    bend = bent.posterior.of(np.array([float(kind == "bend") for kind in bent.design.kinds]))
    word = "cannot tell" if abs(gain) < CLEAR * error and gain > 0 else "bent" if gain > 0 else "straight"
    peaks, ends = {}, {}
    for size in design.own_sizes:
        weights = bent.design.slope(size) + np.array([float(kind == "bend") for kind in bent.design.kinds])
        ends[size] = bent.posterior.of(weights)
        top = 0.5 - float(bent.design.slope(size) @ bent.posterior.mean) / (2 * bend.place) if bend.place else np.inf
        if (bend.place < 0) != words.lower_is_better and 0 < top < 1:
            peaks[size] = top
    return Curvature(word, gain, error, bend, best, peaks, ends)


def _log_densities(one: Estimate, words: EffectWords) -> np.ndarray | None:
    others = leave_one_out(one.design.terms(), one.design.scores, one.design.widths(PRIORS[words.prior]))
    if others is None or min(other.scale for other in others) == 0:
        return None
    return np.array([float(other.log_density(score)) for other, score in zip(others, one.design.scores, strict=True)])


def predictive(one: Estimate, words: EffectWords, rng: np.random.Generator) -> dict[str, Any]:
    """Scores drawn from the fitted model beside the real ones (Gelman, Meng & Stern 1996): shares of draws that are as extreme.

    `largest`: the largest residual; `runs in a row`: how alike neighbouring levels' residuals are (a bent line makes them so); `sizes`: how
    far the residuals' spread differs from size to size. A share under 0.05 says that the model does not make such scores. `inside`: of the
    points, how many lie in the 95 % interval that the others give them. Nothing where the points lie on the line exactly.
    """
    design = one.design
    terms, known = design.terms(), one.known
    if known.variance == 0:  # the points lie on the line: there is no noise to compare
        return {}
    mean, noise = known.draws(DRAWS, rng)
    real = design.scores - mean @ terms.T  # (draws, n)
    made = noise[:, None] * rng.standard_normal(real.shape)
    order = np.lexsort((design.x, design.sizes))
    told: dict[str, Any] = {
        name: float((measure(made, design.sizes, order) >= measure(real, design.sizes, order)).mean())
        for name, measure in (("largest", _largest), ("runs in a row", _alike), ("sizes", _uneven))
    }
    others = leave_one_out(terms, design.scores, design.widths(PRIORS[words.prior]))
    if others is not None:
        inside = [other.quantile(0.025) <= score <= other.quantile(0.975) for other, score in zip(others, design.scores, strict=True)]
        told |= {"inside": int(np.sum(inside)), "of": len(inside)}
    return told


def _largest(residuals: np.ndarray, sizes: np.ndarray, order: np.ndarray) -> np.ndarray:
    return np.abs(residuals).max(axis=1) / residuals.std(axis=1)


def _alike(residuals: np.ndarray, sizes: np.ndarray, order: np.ndarray) -> np.ndarray:
    sorted_, same = residuals[:, order], np.diff(sizes[order]) == 0
    return (sorted_[:, 1:] * sorted_[:, :-1])[:, same].sum(axis=1) / (residuals**2).sum(axis=1)


def _uneven(residuals: np.ndarray, sizes: np.ndarray, order: np.ndarray) -> np.ndarray:
    spreads = np.array([(residuals[:, sizes == size] ** 2).mean(axis=1) for size in sorted(set(sizes.tolist()))])  # (sizes, draws)
    return np.log(spreads.max(axis=0) / spreads.min(axis=0))


def sensitivity(runs: Sequence[Run], scale: Scale, words: EffectWords, size: int) -> dict[str, Student]:
    """The gain at one size under other priors, errors and choices; those that the points cannot decide are left out."""
    others: dict[str, dict[str, Any]] = {
        "flat prior": {"prior": "flat", "errors": "classical"},
        "weak prior": {"prior": "weak", "errors": "classical"},
        "sceptical prior": {"prior": "sceptical", "errors": "classical"},
        "HC3 errors": {"prior": "flat", "errors": "hc3"},
        "with a bend": {"quadratic": True, "errors": "classical"},
    }
    if words.covariates:
        others["without covariates"] = {"covariates": []}
    if len({(run.level, run.size) for run in runs}) < len(runs):
        others["mean of seeds"], others["each run a point"] = {"repeats": "mean"}, {"repeats": "each"}
    found = {}
    for name, changed in others.items():
        try:
            one = estimate(runs, scale, words, **changed)
        except InputError:
            continue
        if one.posterior is not None:
            found[name] = one.slope(size)
    return found


def lack_of_fit(one: Estimate, runs: Sequence[Run]) -> dict[str, float] | None:
    """Whether runs that differ in the seed alone are more alike than the line allows; None without such runs.

    F = (scatter of cell means about the line) / (scatter of seeds within cells), each over its degrees of freedom. A small p says that
    seeds repeat one set's peculiarity: then runs of one set are hardly more evidence than their mean (`--repeats mean`).
    """
    from scipy.stats import f

    design = one.design
    if len(design.scores) != len(runs) or one.posterior is None:
        return None
    cells: dict[tuple[float, int], list[int]] = {}
    for place, run in enumerate(runs):
        cells.setdefault((run.level, run.size), []).append(place)
    within = float(sum(((design.scores[own] - design.scores[own].mean()) ** 2).sum() for own in cells.values()))
    pure = len(runs) - len(cells)
    left = len(cells) - len(design.kinds)
    if pure < 1 or left < 1 or within == 0:
        return None
    about = float(((design.scores - design.terms() @ one.posterior.mean) ** 2).sum()) - within
    ratio = max(0.0, about / left) / (within / pure)
    return {"f": ratio, "p": float(f.sf(ratio, left, pure)), "seed_sd": float(np.sqrt(within / pure))}

"""What an estimate found, in sentences: the answer first, the model in words, and what must be known of the figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from selector.effect.claims import equals, shown
from selector.effect.decision import Choice
from selector.effect.scores import Scores
from selector.effect.slopes import Estimate
from selector.effect_recipe import EffectWords
from selector.errors import plural

THINGS = {"macro": "topics", "meso": "tags", "micro": "tokens"}
SURE = 0.95


def thing(strategy: str) -> str:
    """`response tokens` for response/micro."""
    side, _, layer = strategy.partition("/")
    return f"{'instruction and response' if side == 'both' else side} {THINGS.get(layer, layer)}"


def digits(slopes: Iterable[Mapping[str, float]]) -> int:
    """Digits after the point: two, or as many as the narrowest interval makes sense of."""
    widths = [width for slope in slopes if 0 < (width := slope["high"] - slope["low"]) < math.inf]
    return min(8, max(2, 1 - math.floor(math.log10(min(widths))))) if widths else 2


def points(slope: Mapping[str, float], which: str, places: int | None = None) -> str:
    """A number of a slope's summary; the median with its sign."""
    return f"{slope[which]:{'+' if which == 'median' else ''}.{digits([slope]) if places is None else places}f}"


def verdict(slope: Mapping[str, float], better: int) -> str:
    """helps or hurts where the 95 % interval says so, no effect where nearly all lies in the ROPE, else cannot tell."""
    if slope["in_rope"] >= SURE:
        return "no effect"
    if slope["low"] > 0 or slope["high"] < 0:
        return "helps" if slope["median"] * better > 0 else "hurts"
    return "cannot tell"


def _beyond(slope: Mapping[str, float], better: int) -> bool:
    """Whether the interval is all on the side that is better."""
    return slope["low"] > 0 if better > 0 else slope["high"] < 0


def lead(
    slopes: Mapping[str, Mapping[str, float]],
    found: Sequence[Estimate],
    choices: Sequence[Choice],
    peaks: Mapping[str, float],
    size: int,
    better: int,
    proxy: str = "",
) -> str:
    """The answer in a few sentences; that there is not enough for one comes first. `peaks`: where bent strategies are best."""
    short = [one for one in found if one.too_few]
    if len(short) == len(found):
        return f"Not enough data for a claim: {short[0].name}: {short[0].too_few.rstrip('.')}."
    words = {name: verdict(slope, better) for name, slope in slopes.items()}
    told = f"By a proxy, not by training ({proxy}). " if proxy else ""  # which is no reason to spend a budget
    told += f"Not enough data for a claim about {', '.join(one.name for one in short)}. " if short else ""
    sure = [one for one in choices if words.get(one.strategy) == "helps"]
    if sure:
        best, slope = sure[0], slopes[sure[0].strategy]
        advice = "The proxy gains most from" if proxy else "Put the budget into"
        told += (
            f"{advice} {thing(best.strategy)}: {points(slope, 'median')} points from 0 to 100 % at {size:,} rows, 95 % credible "
            f"interval from {points(slope, 'low')} to {points(slope, 'high')}, P(> 0) {equals(slope['p_positive'])}"
        )
        told += f"; that no other strategy gains more has P {equals(best.p_best)}." if len(choices) > 1 else "."
        if best.strategy in peaks:
            told += f" But the scores are bent: the curve is best near {100 * peaks[best.strategy]:.0f} %."
    else:
        side = "above" if better > 0 else "below"
        told += f"No strategy is shown to pay at {size:,} rows: no 95 % interval of the gain from 0 to 100 % lies {side} 0"
        told += ", but for gains that count as none." if any(_beyond(slopes[name], better) for name in words) else "."
    for word, says in (("hurts", "hurt"), ("no effect", "make no difference that counts"), ("cannot tell", "cannot be told from nothing")):
        if names := [thing(name) for name, one in words.items() if one == word]:
            told += f" {', '.join(names)[0].upper()}{', '.join(names)[1:]} {says}." if sure or word != "cannot tell" else ""
    return told


def model(words: EffectWords, sizes: Sequence[int], rope: float) -> str:
    """The model and its priors in words."""
    told = (
        "Each strategy has a regression of its own, with noise of its own: score = an intercept for each size + slope x diversity"
        + (f" + change x diversity x size ({words.size_scale} in the size)" if len(sizes) > 1 else "")
        + (" + bend x (diversity - 1/2)^2" if words.quadratic else "")
        + (f" + {' + '.join(words.covariates)} (minus the mean)" if words.covariates else "")
        + f" + normal noise. Diversity runs from 0 to 1, {'as asked for' if words.x == 'level' else 'as achieved'}; a slope is "
        "the gain from 0 to 100 %, in points of the score. "
    )
    if words.prior == "flat":
        told += "Priors: flat on every coefficient and on the logarithm of the noise: medians are least squares, intervals t intervals. "
    else:
        told += (
            "Priors: slope, bend ~ normal(0, 5 residual sds), change, covariates ~ normal(0, 2.5 residual sds), flat on intercepts "
            "and on the logarithm of the noise. "
        )
    if words.errors == "hc3":
        told += "Intervals rest on HC3 errors, which hold where the noise differs from run to run. "
    if words.pool_strategies:
        told += "Slopes of the strategies come from one normal distribution (partial pooling, sampled by NUTS). "
    if words.repeats == "mean":
        told += "Runs that differ in the seed alone count as one point, their mean. "
    return told + f"A gain within ±{rope:g} counts as none (ROPE)."


def notes(scores: Scores, found: Sequence[Estimate], words: EffectWords, size: int, rope: float) -> list[str]:
    """What a reader must know before believing a figure."""
    told = list(scores.notes)
    told += [f"{one.name}: not enough for a claim: {one.too_few}" for one in found if one.too_few]
    told += [f"{one.name}: {one.extrapolates}; the gain from 0 to 100 % reaches beyond it" for one in found if one.extrapolates]
    outside = [one.name for one in found if not min(one.design.own_sizes) <= size <= max(one.design.own_sizes)]
    if outside:
        told.append(f"{size:,} rows lie outside of the sizes that were run for {', '.join(outside)}: the gain there is extrapolated")
    elif any(size not in one.design.own_sizes for one in found):
        told.append(f"no run at {size:,} rows: the gain there is read between sizes")
    spread = float(np.std([run.score for run in scores.runs]))
    if rope > 3 * spread:
        told.append(
            f"the ROPE of ±{rope:g} is wider than all that these scores differ by (sd {spread:.3g}); set --rope in the score's units"
        )
    told += _unasked(scores, words)
    return told


def _unasked(scores: Scores, words: EffectWords) -> list[str]:
    """Mean tokens that rise with the level could explain the gain; they are named until they are asked for."""
    told = []
    for name in scores.runs[0].other:
        if "token" not in str(name) or name in words.covariates:
            continue
        for strategy in scores.strategies:
            own = [run for run in scores.runs if run.strategy == strategy]
            try:
                tokens = np.array([float(run.other[name]) for run in own])
            except (KeyError, TypeError, ValueError):
                continue
            levels = np.array([run.level for run in own])
            if len(own) > 2 and tokens.std() > 0.01 * abs(tokens.mean()) and levels.std() > 0:
                r = float(np.corrcoef(tokens, levels)[0, 1])
                if abs(r) > 0.5:
                    told.append(
                        f"{strategy}: {name} {'rises' if r > 0 else 'falls'} with the level (r = {r:+.2f}); --covariate {name} takes it out"
                    )
    return told


def too_narrow(checked: Mapping[str, Mapping[str, float] | None]) -> list[str]:
    """Strategies whose seeds repeat one set's peculiarity."""
    found = [f"{name} (F = {one['f']:.1f})" for name, one in checked.items() if one is not None and one["p"] < 0.05]
    told = "runs that differ in the seed alone are more alike than the line allows, so intervals are too narrow; "
    return [f"{', '.join(found)}: {told}with --repeats mean runs of one level count as one point"] if found else []


def misfits(checked: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Strategies whose scores the model would hardly make, by what is odd in them."""
    what = {
        "largest": "one score lies farther from the line",
        "runs in a row": "neighbouring levels lie more often on one side of the line",
        "sizes": "the noise differs more from size to size",
    }
    told = []
    for check, words in what.items():
        found = [f"{name} (share {shown(shares[check])})" for name, shares in checked.items() if shares.get(check, 1.0) < 0.05]
        told += [f"{', '.join(found)}: {words} than in scores that the model makes; see HC3 errors and the bend"] if found else []
    return told


def bent(names: Sequence[str]) -> list[str]:
    """Strategies whose slope is not the whole story."""
    told = "bent, and best before 100 %: the slope is the gain from 0 to 100 %, and a level between may score higher"
    return [f"{', '.join(names)}: {told}"] if names else []


def reading(scores: Scores) -> str:
    """How the scores were read."""
    unit = "percent" if scores.level_unit == "percent" else "shares from 0 to 1"
    return f"{plural(len(scores.runs), 'run')} of {scores.source}; levels read as {unit}, {scores.form} form"

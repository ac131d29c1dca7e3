"""What an estimate found, as one frozen thing and as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from selector.effect.checks import Curvature
from selector.effect.claims import Claim
from selector.effect.decision import Candidate, Choice
from selector.effect.paper_lines import Ridge
from selector.effect.pooled import Pooled
from selector.effect.scores import Scores
from selector.effect.slopes import Estimate, least_squares
from selector.effect.student import Student, drawn
from selector.effect_recipe import EffectRecipe

GRID = tuple(step / 20 for step in range(21))  # where the lines on the page are drawn


@dataclass(frozen=True)
class Strategy:
    """One strategy: its estimate and the checks of it."""

    estimate: Estimate
    curvature: Curvature
    predictive: Mapping[str, Any]
    sensitivity: Mapping[str, Student]
    lack_of_fit: Mapping[str, float] | None
    ridges: Mapping[int, Ridge] = field(default_factory=dict)


@dataclass(frozen=True)
class Effect:
    """Everything that an estimate found."""

    scores: Scores
    strategies: Mapping[str, Strategy]
    size: int  # that the decision is for
    rope: float
    choices: tuple[Choice, ...]  # by falling probability of being best
    candidates: tuple[Candidate, ...]
    claims: tuple[Claim, ...]
    pooled: Pooled | None
    lead: str
    model: str
    notes: tuple[str, ...]
    recipe: EffectRecipe
    versions: Mapping[str, str]

    @property
    def better(self) -> int:
        """1, or -1 where lower scores are better."""
        return -1 if self.recipe.effect.lower_is_better else 1

    def slope(self, strategy: str, size: int) -> Mapping[str, float]:
        """Median, 95 % interval, P(> 0) and share in the ROPE of the gain at a size: pooled over strategies where that was asked for."""
        if self.pooled is not None and strategy in self.pooled.slopes:
            return drawn(self.pooled.slope(strategy, size), self.rope)
        return self.strategies[strategy].estimate.slope(size).summary(self.rope)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON values: no number is NaN or infinite."""
        return _finite(
            {
                "lead": self.lead,
                "scores": {
                    "source": self.scores.source,
                    "runs": len(self.scores.runs),
                    "level_unit": self.scores.level_unit,
                    "form": self.scores.form,
                    "proxy": self.scores.proxy or None,
                    "better": "lower" if self.better < 0 else "higher",
                },
                "model": {"words": self.model, "rope": self.rope},
                "strategies": {name: self._strategy(one) for name, one in self.strategies.items()},
                "decision": {
                    "size": self.size,
                    "strategies": {one.strategy: {"gain": one.gain, "p_best": one.p_best, "regret": one.regret} for one in self.choices},
                    "next_runs": [
                        {
                            "runs": [{"strategy": name, "level": level, "size": size} for name, level, size in one.runs],
                            "error_before": one.before,
                            "error_after": one.after,
                        }
                        for one in self.candidates
                    ],
                },
                "claims": [asdict(one) for one in self.claims],
                "sampler": None if self.pooled is None else self.pooled.diagnostics,
                "notes": list(self.notes),
                "versions": dict(self.versions),
            }
        )

    def _strategy(self, one: Strategy) -> dict[str, Any]:
        estimate = one.estimate
        design = estimate.design
        told: dict[str, Any] = {
            "n": len(design.scores),
            "enough": not estimate.too_few,
            "why_not": estimate.too_few or None,
            "points": [
                {"x": x, "size": int(size), "score": score} for x, size, score in zip(design.x, design.sizes, design.scores, strict=True)
            ],
        }
        if estimate.posterior is None:
            return {**told, "sizes": {}, "pooled": None}
        overall, growth = least_squares(design), estimate.growth()
        told["sizes"] = {str(size): self._size(estimate, size) for size in design.own_sizes}
        told["lines"] = {str(size): [_band(estimate, x, size) for x in GRID] for size in design.own_sizes}
        told["pooled"] = {
            "slope": estimate.over_sizes().summary(self.rope),
            "ols": overall["slope"] if overall else None,
            "ols_fit": overall,
        }
        told["growth"] = growth.summary(self.rope) if growth else None
        told["residual_sd"] = residual_sd(estimate)
        told["covariates"] = {
            name: estimate.known.of(np.array([float(place == at) for at in range(len(design.kinds))])).summary(self.rope)
            for place, name in enumerate(design.names, start=len(design.kinds) - len(design.names))
        }
        curve = one.curvature
        told["curvature"] = {
            "word": curve.word,
            "elpd_gain_of_a_bend": curve.gain,
            "error": curve.error,
            "bend": curve.bend.summary(self.rope) if curve.bend else None,
            "best_level": {str(size): level for size, level in curve.best.items()},
            "slope_at_100": {str(size): end.summary(self.rope) for size, end in curve.ends.items()},
            "peak": {str(size): level for size, level in curve.peaks.items()},
        }
        told["predictive_check"] = dict(one.predictive)
        told["sensitivity"] = {name: slope.summary(self.rope) for name, slope in one.sensitivity.items()}
        told["lack_of_fit"] = one.lack_of_fit
        if one.ridges:
            told["paper_lines"] = {str(size): asdict(line) for size, line in one.ridges.items()}
        return told

    def _size(self, estimate: Estimate, size: int) -> dict[str, Any]:
        fit = least_squares(estimate.design, size)
        told: dict[str, Any] = {"slope": estimate.slope(size).summary(self.rope), "ols": fit["slope"] if fit else None, "ols_fit": fit}
        if self.pooled is not None and estimate.name in self.pooled.slopes:
            told["pooled_slope"] = drawn(self.pooled.slope(estimate.name, size), self.rope)
        return told


def _band(estimate: Estimate, x: float, size: int) -> dict[str, float]:
    line = estimate.line(x, size)
    return {"x": x, "mean": line.place, "low": float(line.quantile(0.025)), "high": float(line.quantile(0.975))}


def residual_sd(estimate: Estimate) -> dict[str, float]:
    """Median and 95 % interval of the noise: variance ~ df q / chi^2_df."""
    from scipy.special import chdtri

    known = estimate.known
    # chdtri takes the share above: a large chi^2 is little noise
    low, median, high = (float(np.sqrt(known.variance * known.df / chdtri(known.df, share))) for share in (0.025, 0.5, 0.975))
    return {"median": median, "low": low, "high": high}


def _finite(value: Any) -> Any:
    """The value in plain Python, None for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value

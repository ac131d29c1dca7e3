"""Slopes of several strategies that learn from each other: partial pooling, by sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selector.effect.slopes import Estimate
from selector.errors import InputError, RecipeError

CHAINS, WARM, KEPT = 4, 1000, 1000
WORST_RHAT, LEAST_ESS = 1.01, 400.0


@dataclass(frozen=True)
class Pooled:
    """Draws from the joint posterior, and whether the sampler is to be believed."""

    slopes: dict[str, np.ndarray]  # strategy -> (draws,) gain from 0 to 100 % in the middle of the sizes
    changes: dict[str, np.ndarray]  # strategy -> (draws,) how the gain changes from the middle to the largest size
    estimates: dict[str, Estimate]
    diagnostics: dict[str, float]

    def slope(self, strategy: str, size: float) -> np.ndarray:
        """(draws,) of the gain at a size."""
        return self.slopes[strategy] + self.changes[strategy] * self.estimates[strategy].design.scale.place(size)

    def over_sizes(self, strategy: str) -> np.ndarray:
        """(draws,) of the mean gain over the sizes that the strategy was run at."""
        return np.mean([self.slope(strategy, size) for size in self.estimates[strategy].design.own_sizes], axis=0)


def pooled(found: Sequence[Estimate], seed: int) -> Pooled:
    """The model of effect/design.py for all strategies at once, slopes from one normal distribution (Gelman & Hill 2007, ch. 13).

    In units of the mean residual sd: slope_k ~ N(m, t^2), m ~ N(0, 10^2), t ~ half-N(5); change_k ~ N(c, u^2), c ~ N(0, 5^2),
    u ~ half-N(2.5); ln sd_k ~ N(0, 0.5^2); intercepts N(their mean, 20^2). NUTS of numpyro, 4 chains of 1,000 draws after 1,000.

    Raises RecipeError without the extra, or for a bend or covariates; InputError for fewer than three strategies, and where R-hat is above
    1.01 or the effective sample below 400: figures of a sampler that has not converged are not shown.
    """
    try:
        import jax
        import numpyro
        from numpyro import distributions as normal
        from numpyro.diagnostics import summary
        from numpyro.infer import MCMC, NUTS
    except ImportError:
        raise RecipeError("--pool-strategies samples with numpyro, which is not here; pip install 'diversity-selector[bayes]'.") from None
    able = [one for one in found if one.posterior is not None]
    if len(able) < 3:
        raise InputError(
            f"--pool-strategies learns from three strategies or more how far slopes differ; here {len(able)} can be estimated."
        )
    if any(one.design.quadratic or one.design.names for one in able):
        raise RecipeError("--pool-strategies knows neither a bend nor covariates; leave --quadratic and --covariate out.")
    unit = float(np.sqrt(np.mean([one.known.variance for one in able]))) or 1.0
    data = _stacked(able, unit)
    jax.config.update("jax_enable_x64", True)

    def model(x: Any, at: Any, cell: Any, strategy: Any, scores: Any, start: Any) -> None:
        count = len(able)
        middle, apart = numpyro.sample("m", normal.Normal(0, 10)), numpyro.sample("t", normal.HalfNormal(5))
        change, differs = numpyro.sample("c", normal.Normal(0, 5)), numpyro.sample("u", normal.HalfNormal(2.5))
        raw = numpyro.sample("raw", normal.Normal(0, 1).expand([2, count]).to_event(2))
        slope = numpyro.deterministic("slope", middle + apart * raw[0])
        moved = numpyro.deterministic("change", change + differs * raw[1])
        spread = numpyro.sample("sd", normal.LogNormal(0, 0.5).expand([count]).to_event(1))
        intercept = numpyro.sample("intercept", normal.Normal(start, 20).to_event(1))
        mean = intercept[cell] + (slope[strategy] + moved[strategy] * at) * x
        numpyro.sample("scores", normal.Normal(mean, spread[strategy]), obs=scores)

    sampler = MCMC(
        NUTS(model, target_accept_prob=0.99), num_warmup=WARM, num_samples=KEPT, num_chains=CHAINS, chain_method="vectorized",
        progress_bar=False,
    )  # fmt: skip
    sampler.run(jax.random.PRNGKey(seed), **data, extra_fields=("diverging",))
    drawn = {name: np.asarray(value, float) for name, value in sampler.get_samples(group_by_chain=True).items()}
    told = summary({name: drawn[name] for name in ("slope", "change", "sd", "m", "c", "t", "u")})
    diagnostics = {
        "r_hat": max(float(np.max(one["r_hat"])) for one in told.values()),
        "ess": min(float(np.min(one["n_eff"])) for one in told.values()),
        "divergences": float(np.asarray(sampler.get_extra_fields()["diverging"]).sum()),
        "draws": float(CHAINS * KEPT),
    }
    if not (diagnostics["r_hat"] <= WORST_RHAT and diagnostics["ess"] >= LEAST_ESS):
        raise InputError(
            f"the sampler has not converged: R-hat {diagnostics['r_hat']:.3f} (at most {WORST_RHAT}), effective sample "
            f"{diagnostics['ess']:.0f} (at least {LEAST_ESS:.0f}); add runs, or leave --pool-strategies out."
        )
    slopes, changes = (unit * drawn[name].reshape(-1, len(able)) for name in ("slope", "change"))  # (draws, strategies)
    names = [one.name for one in able]
    return Pooled(
        dict(zip(names, slopes.T, strict=True)), dict(zip(names, changes.T, strict=True)), {one.name: one for one in able}, diagnostics
    )


def _stacked(able: Sequence[Estimate], unit: float) -> dict[str, Any]:
    """All points in one: x, the place of the size, which intercept, which strategy, scores in units of the noise."""
    cells: dict[tuple[int, int], list[float]] = {}
    rows = []
    for place, one in enumerate(able):
        for x, size, score in zip(one.design.x, one.design.sizes, one.design.scores, strict=True):
            cells.setdefault((place, int(size)), []).append(score / unit)
            rows.append((x, one.design.scale.place(size), list(cells).index((place, int(size))), place, score / unit))
    x, at, cell, strategy, scores = (np.array(column) for column in zip(*rows, strict=True))
    start = np.array([np.mean(own) for own in cells.values()])
    return {"x": x, "at": at, "cell": cell, "strategy": strategy, "scores": scores, "start": start}

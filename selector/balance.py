"""How alike sets of rows are in what must not explain a difference between them: before matching and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows
from selector.matching import Covariate

BALANCED, NEARLY = 0.05, 0.1  # |SMD| that sets matched on a covariate should have at most; that is commonly taken as balanced


def standardised(mean: float, variance: float, other_mean: float, other_variance: float) -> float:
    """The standardised mean difference: the one mean minus the other, over the pooled standard deviation.

    SMD = (m1 - m2) / sqrt((v1 + v2) / 2) (Austin 2009, doi 10.1002/sim.3697, eq. 1 and 2). 0 where both are one and the same
    number, infinite where they are two numbers that never vary.
    """
    apart = mean - other_mean
    if apart == 0:
        return 0.0
    pooled = np.sqrt((variance + other_variance) / 2)
    return float(apart / pooled) if pooled > 0 else float(np.copysign(np.inf, apart))


def smd(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """The standardised mean difference of two samples of numbers; variances with n - 1."""
    return standardised(values.mean(), _variance(values), others.mean(), _variance(others))


def share_smds(shares: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L,) the standardised difference of the share of each level; the variance of a share p is p (1 - p) (Austin 2009, eq. 2)."""
    pairs = zip(shares.tolist(), others.tolist(), strict=True)
    return np.array([standardised(p, p * (1 - p), q, q * (1 - q)) for p, q in pairs])


def ks(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """The Kolmogorov-Smirnov distance: the largest difference of the two empirical distribution functions (scipy)."""
    from scipy.stats import ks_2samp

    with np.errstate(divide="ignore"):  # in the p-value of tiny samples, which nobody asks for
        return float(ks_2samp(values, others, method="asymp").statistic)


def balance(
    matched: Sequence[Covariate], unmatched: Sequence[Covariate], diverse: Rows, pool: Rows, sets: Mapping[str, Rows]
) -> dict[str, Any]:
    """Every covariate, before matching (the diverse set and the pool) and after (the diverse set and each other one), as JSON values.

    Differences are the diverse set's value minus the other's. Of levels `smd` is the one with the largest absolute value.
    An infinite difference is null. O(covariates (rows log rows)).
    """
    groups = {"pool": pool, "diverse": diverse, **sets}
    told = []
    for covariate, is_matched in [*((one, True) for one in matched), *((one, False) for one in unmatched)]:
        told.append(
            {
                "name": covariate.name,
                "matched": is_matched,
                "kind": "numbers" if covariate.levels is None else "levels",
                "before": _finite(difference(covariate, diverse, pool)),
                "after": {name: _finite(difference(covariate, diverse, rows)) for name, rows in sets.items()},
                "sets": {name: _described(covariate, rows) for name, rows in groups.items()},
            }
        )
    return {
        "difference": "diverse minus the other set, over the pooled standard deviation (SMD); Kolmogorov-Smirnov distance (KS)",
        "before": "the diverse set and the usable pool",
        "after": "the diverse set and each of the others",
        "balanced": BALANCED,
        "covariates": told,
    }


def difference(covariate: Covariate, rows: Rows, others: Rows) -> dict[str, Any]:
    """SMD and KS of numbers; of levels the SMD with the largest absolute value, its level, and the SMD of each."""
    ours, theirs = covariate.values[rows], covariate.values[others]
    if covariate.levels is None:
        return {"smd": smd(ours, theirs), "ks": ks(ours, theirs)}
    shares, other_shares = (_shares(covariate, one) for one in (rows, others))
    each = share_smds(shares, other_shares)
    at = int(np.argmax(np.abs(each)))
    by_level = dict(zip(covariate.levels, each.tolist(), strict=True))
    return {"smd": float(each[at]), "level": covariate.levels[at], "levels": by_level}


def _described(covariate: Covariate, rows: Rows) -> dict[str, Any]:
    values = covariate.values[rows]
    if covariate.levels is not None:
        counts = np.bincount(values, minlength=len(covariate.levels))
        shares = zip(covariate.levels, counts.tolist(), strict=True)
        return {"levels": {level: {"rows": count, "share": count / max(1, len(rows))} for level, count in shares}}
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95]).tolist()
    figures = {"total": values.sum(), "mean": values.mean(), "sd": np.sqrt(_variance(values))}
    return {**{name: float(value) for name, value in figures.items()}, "p05": low, "median": median, "p95": high}


def _shares(covariate: Covariate, rows: Rows) -> NDArray[np.float64]:
    assert covariate.levels is not None
    return np.bincount(covariate.values[rows], minlength=len(covariate.levels)) / max(1, len(rows))


def _variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _finite(apart: dict[str, Any]) -> dict[str, Any]:
    """Infinite differences as null, since JSON knows none."""

    def one(value: Any) -> Any:
        return None if isinstance(value, float) and not np.isfinite(value) else value

    levels = {"levels": {level: one(value) for level, value in apart["levels"].items()}} if "levels" in apart else {}
    return {name: one(value) for name, value in apart.items()} | levels

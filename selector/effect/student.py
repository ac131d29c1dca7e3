"""Student's t with a place and a scale: what is known of one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Student:
    """place + scale * t, t with `df` degrees of freedom; the density is symmetric, so the place is the median."""

    place: float
    scale: float
    df: float

    def quantile(self, share: Any) -> Any:
        """The number that so much of the probability lies below, for one share or an array of them."""
        from scipy.special import stdtrit

        return self.place + self.scale * stdtrit(self.df, share)

    def below(self, number: Any) -> Any:
        """P(it is at most this number), for one number or an array."""
        from scipy.special import stdtr

        if self.scale == 0:  # points on a line: nothing is left to be unsure of
            return np.where(np.asarray(number) >= self.place, 1.0, 0.0)
        return stdtr(self.df, (np.asarray(number) - self.place) / self.scale)

    def log_density(self, number: Any) -> Any:
        """ln of the density at this number."""
        from scipy.stats import t

        return t.logpdf(number, self.df, self.place, self.scale)

    def times(self, factor: float) -> Student:
        """What is known of the number times this factor."""
        return Student(factor * self.place, abs(factor) * self.scale, self.df)

    def summary(self, rope: float) -> dict[str, float]:
        """Median, 95 % interval, P(> 0), and the share within ± `rope`."""
        return {
            "median": self.place,
            "low": float(self.quantile(0.025)),
            "high": float(self.quantile(0.975)),
            "p_positive": float(1 - self.below(0.0)),
            "in_rope": float(self.below(rope) - self.below(-rope)),
        }


def drawn(draws: np.ndarray, rope: float) -> Mapping[str, float]:
    """The same summary of a number that is known by draws from its posterior."""
    low, median, high = (float(one) for one in np.quantile(draws, [0.025, 0.5, 0.975]))
    within = float((np.abs(draws) <= rope).mean())
    return {"median": median, "low": low, "high": high, "p_positive": float((draws > 0).mean()), "in_rope": within}

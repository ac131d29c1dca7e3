"""The dashed lines of the paper's figure: scikit-learn's BayesianRidge through the points of one strategy and size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selector.effect.design import Design


@dataclass(frozen=True)
class Ridge:
    """mean + slope (x - centre), and the band of one more score."""

    centre: float
    mean: float
    slope: float
    noise: float  # 1 / alpha, the variance of the noise
    slope_variance: float

    def line(self, x: np.ndarray) -> np.ndarray:
        """(n,) the predicted scores."""
        return self.mean + self.slope * (x - self.centre)

    def spread(self, x: np.ndarray) -> np.ndarray:
        """(n,) one standard deviation of a score: sqrt(1 / alpha + (x - mean x)^2 var(slope)), narrowest at the mean of x.

        scikit-learn left the mean out (its issue 33757, mended in 33918), which made the band of older figures narrowest at x = 0.
        """
        return np.sqrt(self.noise + (x - self.centre) ** 2 * self.slope_variance)


def ridge(design: Design, size: int) -> Ridge | None:
    """The line of one size (MacKinnon 1992; the prior shrinks weak slopes towards 0); None for fewer than three points or one level."""
    from sklearn.linear_model import BayesianRidge

    own = design.sizes == size
    x, scores = design.x[own], design.scores[own]
    if len(x) < 3 or len(set(x.tolist())) < 2:
        return None
    fitted = BayesianRidge().fit(x[:, None], scores)
    return Ridge(
        float(x.mean()), float(scores.mean()), float(fitted.coef_[0]), float(1 / fitted.alpha_), float(np.asarray(fitted.sigma_).item())
    )

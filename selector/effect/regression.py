"""Linear regression in closed form: what is known of its coefficients after the points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selector.effect.student import Student
from selector.errors import InputError, plural

FLAT = np.inf  # the width of a prior that says nothing


@dataclass(frozen=True)
class Posterior:
    """Coefficients b ~ t_df(mean, covariance), and the noise of one more point, of squared scale `variance`."""

    mean: np.ndarray  # (p,)
    covariance: np.ndarray  # (p, p) the squared scale of t, not its variance
    df: float
    variance: float  # squared scale of the noise

    def of(self, weights: np.ndarray) -> Student:
        """What is known of weights . b."""
        return Student(float(weights @ self.mean), float(np.sqrt(max(0.0, weights @ self.covariance @ weights))), self.df)

    def next(self, weights: np.ndarray) -> Student:
        """What is known of one more score where the terms have these values."""
        spread = max(0.0, weights @ self.covariance @ weights) + self.variance
        return Student(float(weights @ self.mean), float(np.sqrt(spread)), self.df)

    def draws(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(number, p) coefficients and (number,) noise sd, drawn together."""
        noise = np.sqrt(self.variance * self.df / rng.chisquare(self.df, number))  # (number,)
        values, vectors = np.linalg.eigh(self.covariance / self.variance)
        root = vectors * np.sqrt(np.clip(values, 0, None))  # (p, p)
        return self.mean + noise[:, None] * (rng.standard_normal((number, len(self.mean))) @ root.T), noise


def posterior(terms: np.ndarray, scores: np.ndarray, widths: Sequence[float] | None = None) -> Posterior:
    """The normal-inverse-gamma posterior of scores = terms b + noise.

    noise ~ N(0, s^2); b_j | s ~ N(0, (width_j s)^2), flat where the width is infinite (all of them by default); p(s^2) ~ 1 / s^2.
    With P = diag(1 / width^2), A = X'X + P:

        b | scores ~ t_v(m, (q / v) A^-1),   m = A^-1 X'y,   v = n - (number of flat terms),   q = y'y - m'A m

    (Gelman et al. 2013, Bayesian Data Analysis, eq. 14.4 to 14.8 for the flat prior; O'Hagan & Forster 2004, Kendall's Advanced Theory
    of Statistics 2B, 11.10 to 11.16 in general). Under the flat prior m is least squares and the intervals are its t intervals. Widths
    count in residual standard deviations, so the prior means the same for scores of any scale. terms (n, p), scores (n,); O(n p^2).
    Raises InputError where the points do not decide every flat term.
    """
    wide = np.full(terms.shape[1], FLAT) if widths is None else np.asarray(widths, float)
    tight = np.isfinite(wide)
    rows = np.vstack([terms, np.diag(np.where(tight, 1 / np.where(tight, wide, 1.0), 0.0))[tight]])  # a prior is points at 0
    targets = np.concatenate([scores, np.zeros(int(tight.sum()))])
    df = len(scores) - int((~tight).sum())
    if df < 1 or np.linalg.matrix_rank(rows) < rows.shape[1]:
        raise InputError(
            f"{plural(len(scores), 'run')} cannot decide {plural(terms.shape[1], 'coefficient')}; add runs or leave a term out"
        )
    q_, r_ = np.linalg.qr(rows)
    mean = np.linalg.solve(r_, q_.T @ targets)
    inverse = np.linalg.solve(r_, np.eye(len(mean)))
    left = float(((targets - rows @ mean) ** 2).sum())
    left = left if left > 1e-26 * float(targets @ targets) else 0.0  # what rounding leaves of points on a line is no noise
    return Posterior(mean, (left / df) * inverse @ inverse.T, df, left / df)


def robust(terms: np.ndarray, scores: np.ndarray) -> Posterior:
    """Least squares with HC3 errors, which hold where the noise differs from point to point.

    covariance = (X'X)^-1 X' diag(e_i^2 / (1 - h_i)^2) X (X'X)^-1, h_i the leverage (MacKinnon & White 1985; Long & Ervin 2000), read
    with t of n - p degrees of freedom. Raises InputError as `posterior` does, and where one point alone decides a term.
    """
    plain = posterior(terms, scores)
    inverse = np.linalg.inv(terms.T @ terms)
    leverage = np.einsum("ij,jk,ik->i", terms, inverse, terms)  # (n,)
    if (leverage > 1 - 1e-9).any():
        raise InputError("robust errors need two runs or more behind every term, but one run alone decides one; use --errors classical.")
    weights = ((scores - terms @ plain.mean) / (1 - leverage)) ** 2
    return Posterior(plain.mean, inverse @ (terms.T * weights) @ terms @ inverse, plain.df, plain.variance)


def leave_one_out(terms: np.ndarray, scores: np.ndarray, widths: Sequence[float] | None = None) -> list[Student] | None:
    """What the other points say of each point; None where they do not decide every term without it."""
    found = []
    for out in range(len(scores)):
        others = np.arange(len(scores)) != out
        try:
            found.append(posterior(terms[others], scores[others], widths).next(terms[out]))
        except InputError:
            return None
    return found

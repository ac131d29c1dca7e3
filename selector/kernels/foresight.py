"""Looking ahead in exact facility location on dense vectors: a guess of the next picks, and a proof of how good anybody else could be.

The guess costs little: estimates from a sample name a short list before each pick, exact gains choose from it. One pass over all pairs
then bounds every candidate's gain before each of these picks (kernels.ceilings), and a second pass makes the bounds of all who could
still have won exact. Nothing is believed: the race evaluates whoever a bound leaves in it, and after a wrong guess
the bounds are raised by what the coverage lacks (Path).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows
from selector.features import Vectors
from selector.kernels.ceilings import ceilings, levels
from selector.kernels.codes import encode
from selector.kernels.sketch import Sketch
from selector.kernels.sources import Cover
from selector.ties import first_best, threshold

log = logging.getLogger(__name__)

FAR_OFF = 0.5  # of the gain: bounds moved by more than that say nothing
SAMPLE, SHORT, FIRST = 2048, 48, 12  # sampled rows; candidates on the short list; how many of them are asked before the others


class Path:
    """Bounds before each of the picks that were expected, and what they are worth after other picks.

    Where the coverage c that a bound was made for is above the present one, a gain may be larger by what is missing there: whatever
    was picked, gain_j <= ceiling_j + sum_i w_i max(0, c_i - present_i).
    """

    def __init__(self, lines: NDArray[np.float32], before: Cover, gains: Gains, bounds: Gains, weights: Gains) -> None:
        self.gains, self.bounds, self.weights = gains, bounds, weights
        self.covers = np.maximum(np.maximum.accumulate(np.vstack([before[None], lines[:-1]]), axis=0), before)  # (P, n)

    def ceilings(self, picked: int, cover: Cover) -> Gains:
        """(n,) bounds after so many picks that led to `cover`."""
        missing = np.array([float(self.weights @ np.maximum(one - cover, 0)) for one in self.covers])
        near = np.flatnonzero(missing <= FAR_OFF * self.gains[min(picked, len(self.gains) - 1)])
        if not len(near):
            return np.full(self.bounds.shape[1], np.inf)
        return np.min(self.bounds[near] + missing[near, None], axis=0)


def foresee(
    vectors: Vectors,
    allowed: Rows,
    cover: Cover,
    weights: Gains,
    rises: Callable[[Rows, Cover], Gains],
    enough: Callable[[float], bool],
    memory: int,
    threads: int,
    progress: Progress,
) -> Path:
    """Bounds before each of the picks among `allowed` rows until `enough` of the similarities (a share of all) are covered.

    `rises` are exact gains of some candidates over a coverage.
    """
    began = time.perf_counter()
    path, gains, lines = _guess(vectors, allowed, cover, rises, enough, memory, progress)
    through = levels(lines, cover)
    guessed = time.perf_counter()
    bounds = np.full((len(path), vectors.size), np.inf)
    bounds[:, allowed] = ceilings(encode(vectors.data), allowed, through, len(path), weights, threads, progress)
    least = np.array([threshold(gain) for gain in gains])
    close = allowed[(bounds[:, allowed] >= least[:, None]).any(axis=0)]
    bounded = time.perf_counter()
    bounds[:, close] = ceilings(encode(vectors.data, integers=False), close, through, len(path), weights, threads, progress)
    log.info(
        "looked %d picks ahead: guess %.1f s, bounds %.1f s, %d candidates made exact %.1f s",
        *(len(path), guessed - began, bounded - guessed, len(close), time.perf_counter() - bounded),
    )
    return Path(lines, cover, gains, bounds, weights)


def _guess(
    vectors: Vectors,
    allowed: Rows,
    cover: Cover,
    rises: Callable[[Rows, Cover], Gains],
    enough: Callable[[float], bool],
    memory: int,
    progress: Progress,
) -> tuple[Rows, Gains, NDArray[np.float32]]:
    """Rows, their exact gains and their lines of similarities (picks, n)."""
    size = vectors.size
    rows = np.unique(np.linspace(0, size - 1, max(64, min(SAMPLE, size, memory // (4 * size)))).astype(np.int64))
    sketch, cover = Sketch(vectors.data, rows, cover, vectors.step**2 * 4096**2), cover.copy()
    known = np.full(size, np.inf)  # exact gains when last asked for: upper bounds since
    some, path, found, lines = allowed[:: max(1, len(allowed) // 256)], list[int](), list[float](), list[NDArray[np.float32]]()
    while len(path) < len(allowed):
        estimates = sketch.gains()[allowed]
        estimates[np.isin(allowed, path)] = -1
        short = allowed[np.argpartition(-estimates, min(SHORT, len(allowed) - 1))[:SHORT]]
        short = short[np.argsort(-estimates[np.searchsorted(allowed, short)], kind="stable")]
        known[short[:FIRST]] = rises(short[:FIRST], cover)
        others = short[FIRST:][known[short[FIRST:]] >= threshold(known[short[:FIRST]].max())]
        if len(others):
            known[others] = rises(others, cover)
        asked = np.sort(np.concatenate([short[:FIRST], others]))
        row = int(asked[first_best(known[asked])])
        path.append(row)
        found.append(float(known[row]))
        lines.append(vectors.data @ vectors.data[row])
        known[row] = -np.inf
        np.maximum(cover, lines[-1], out=cover)
        sketch.add(row)
        progress("guess", len(path), 0)
        if len(path) >= 8 and enough(sketch.left(some)):
            break
    return np.array(path), np.array(found), np.array(lines)

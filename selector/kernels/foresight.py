"""Looking ahead in exact facility location on dense vectors: a guess of the next picks, and a proof of how good anybody else could be.

The guess costs little: estimates from a sample name a short list before each pick, estimates on all rows the few whose exact gains are
asked. One pass over all pairs then bounds every candidate's gain before each of these picks (kernels.ceilings) and keeps what they leave,
roughly (kernels.rough). Nothing is believed: the race evaluates whoever a bound leaves in it, and after a wrong guess the bounds are
raised by what the coverage lacks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows
from selector.features import Vectors
from selector.kernels import rough
from selector.kernels.ceilings import ceilings, levels
from selector.kernels.codes import Codes
from selector.kernels.rough import Rough
from selector.kernels.sketch import Sketch, estimated_gains
from selector.kernels.sources import Cover
from selector.ties import first_best

log = logging.getLogger(__name__)

FAR_OFF = 0.5  # of the gain: bounds moved by more than that say nothing
SAMPLE = 2048  # rows on which everybody's gain is estimated
SHORTER = ((2048, 16), (512, 4), (96, 1))  # so many of the best candidates are estimated again, on one row in so many
ASKED = 16  # how many of the best are asked for exact gains
FEWEST, MOST = 8, 256  # picks of a guess
LINE = 64  # bytes a row for each of them: the line, the coverage and the bounds, and half the memory for other things
LEFT, FEW = 0.012, 100_000_000  # of all similarities, and of any: keeping so many costs less than further picks would
ROOM = 1.6  # of the memory for what a sample says will be kept: bounds are above coverage more often than similarities


class Path:
    """Bounds before each of the picks that were expected and after the last, and what they are worth after other picks.

    Where the coverage c that a bound was made for is above the present one, a gain may be larger by what is missing there: whatever
    was picked, gain_j <= ceiling_j + sum_i w_i max(0, c_i - present_i). `rough` holds what is above the coverage after the last pick.
    """

    def __init__(self, lines: NDArray[np.float32], before: Cover, gains: Gains, bounds: Gains, weights: Gains, rough: Rough | None) -> None:
        self.gains, self.bounds, self.weights, self.rough = gains, bounds, weights, rough
        self.covers = np.maximum(np.maximum.accumulate(np.vstack([before[None], lines]), axis=0), before)  # (P + 1, n)
        self.known, self.present = -1, bounds[0]  # the bounds at present, after so many picks

    def ceilings(self, picked: int, cover: Cover) -> Gains:
        """(n,) bounds after so many picks that led to `cover`."""
        if picked != self.known:
            missing = np.array([float(self.weights @ np.maximum(one - cover, 0)) for one in self.covers])
            near = np.flatnonzero(missing <= FAR_OFF * self.gains[min(picked, len(self.gains) - 1)])
            ahead = self.bounds[near] + missing[near, None]
            self.known, self.present = picked, ahead.min(axis=0, initial=np.inf)
        return self.present


@dataclass(frozen=True)
class Scene:
    """What there is to look at: who competes, over which coverage, and with what means."""

    vectors: Vectors
    steps: NDArray[np.int16]  # (n, d) the vectors in units of their grid
    codes: Codes
    allowed: Rows
    cover: Cover
    weights: Gains
    rises: Callable[[Rows, Cover], Gains]  # exact gains of some candidates over a coverage
    memory: int
    threads: int
    progress: Progress


def foresee(scene: Scene) -> Path:
    """Bounds before each of the picks among the allowed rows until what is left above coverage is little and fits the memory."""
    began, vectors, codes, allowed, cover = time.perf_counter(), scene.vectors, scene.codes, scene.allowed, scene.cover

    def fitting(share: float) -> int | None:
        entries = int(ROOM * share * len(allowed) * vectors.size) + 1024
        return entries if (share <= LEFT or entries <= FEW) and entries * rough.ENTRY <= scene.memory else None

    path, gains, lines, entries = _guess(scene, fitting)
    guessed = time.perf_counter()
    base = np.maximum(cover, lines.max(axis=0))
    left = Rough(scene.steps, vectors.step, base, entries) if entries else None
    bounds = np.full((len(path) + 1, vectors.size), np.inf)
    bounds[:, allowed] = ceilings(codes, allowed, levels(lines, cover), len(path), scene.weights, scene.threads, scene.progress, left)
    kept = 0 if left is None else left.used
    log.info("looked %d picks ahead: guess %.1f s, bounds %.1f s, %d similarities kept roughly", len(path), guessed - began,
             time.perf_counter() - guessed, kept)  # fmt: skip
    return Path(lines, cover, gains, bounds, scene.weights, left)


def _guess(scene: Scene, fitting: Callable[[float], int | None]) -> tuple[Rows, Gains, NDArray[np.float32], int | None]:
    """Rows, their exact gains, their lines of similarities (picks, n), and how many entries what is left takes, None where too many."""
    vectors, codes, allowed = scene.vectors, scene.codes, scene.allowed
    size = vectors.size
    rows = _spread(size, max(64, min(SAMPLE, scene.memory // (4 * size))))
    sketch, cover, entries = Sketch(codes, rows, scene.cover, scene.threads), scene.cover.copy(), None
    most = min(MOST, len(allowed), max(FEWEST, scene.memory // (LINE * size)))
    parts = [np.arange(0, size, every) if every > 1 else slice(None) for _, every in SHORTER]
    shorter = [(short, part, codes.take(part)) for (short, _), part in zip(SHORTER, parts, strict=True)]
    few, path, found, lines = allowed[:: max(1, len(allowed) // 256)], list[int](), list[float](), list[NDArray[np.float32]]()
    while len(path) < most:
        estimates: NDArray[Any] = sketch.gains()[allowed]
        asked = allowed
        for short, part, covered in shorter:
            asked = _largest(asked, estimates, path, short)
            estimates = estimated_gains(covered, codes.take(asked), cover[part], scene.weights[part], scene.threads)
        asked = _largest(asked, estimates, path, ASKED)
        gains = scene.rises(asked, cover)
        best = first_best(gains)
        row = int(asked[best])
        path.append(row)
        found.append(float(gains[best]))
        lines.append(vectors.data @ vectors.data[row])
        np.maximum(cover, lines[-1], out=cover)
        sketch.add(row)
        scene.progress("guess", len(path), 0)
        entries = fitting(sketch.left(few))
        if len(path) >= FEWEST and entries:
            break
    return np.array(path), np.array(found), np.array(lines), entries


def _spread(size: int, most: int) -> Rows:
    """Up to `most` of so many rows, evenly."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(np.int64))


def _largest(rows: Rows, estimates: NDArray[Any], but: list[int], most: int) -> Rows:
    """The `most` rows with the largest estimates, ascending; the lowest of those that tie."""
    estimates[np.isin(rows, but)] = -1
    if len(rows) <= most:
        return rows
    least = np.partition(estimates, -most)[-most]
    above, ties = np.flatnonzero(estimates > least), np.flatnonzero(estimates == least)
    return rows[np.sort(np.concatenate([above, ties[: most - len(above)]]))]

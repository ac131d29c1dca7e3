"""Readings of all measures for sets of rows, the random sets that they are held against, and where a reading stands among those."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from selector import registry
from selector.core import Aspect, Measure, Progress, Reading, Rows, Scale, quiet
from selector.errors import InputError, plural, unknown
from selector.matching import Covariate, Shortfall, like

LAYERS = ("surface", "macro", "meso", "micro")


@dataclass(frozen=True)
class Gauge:
    """One number that is read of every set: a scale of a family of measures, on one side at one layer."""

    side: str
    layer: str
    family: str
    scale: Scale

    def __str__(self) -> str:
        return f"{self.scale.name} at {self.side}/{self.layer}"


Readings = Mapping[Gauge, Reading]


@dataclass(frozen=True)
class Standing:
    """Where a value stands among those of random sets; None where these are all the same, or some have none."""

    mean: float | None
    sd: float | None
    percentile: float | None  # how many of them in a hundred are below, those that are equal counting half
    z: float | None  # (value - mean) / sd


def readings(
    aspects: Sequence[Aspect], sets: Mapping[str, Rows], layers: Sequence[str] = LAYERS, progress: Progress = quiet, *,
    only: Collection[str] | None = None,
) -> Mapping[str, Readings]:  # fmt: skip
    """For each of these sets of distinct rows what every measure says of it, on every side given and at every layer named.

    `only` names the families to read; None: all. Raises UnknownName for a layer at which nothing is measured, and as `read` does.
    """
    return read(aspects, sets, [one for one in families(layers) if only is None or one[1] in only], progress)


def read(
    aspects: Sequence[Aspect], sets: Mapping[str, Rows], chosen: Sequence[tuple[str, str, Measure]], progress: Progress = quiet
) -> Mapping[str, Readings]:
    """For each of these sets of distinct rows what these measures (layer, family's name, measure) say of it, on every side given.

    A measure prepares once for all sets and lets go of that before the next one begins, so ask for all sets at once. Sets are read on as
    many threads as the aspect says; no figure depends on how many. Raises InputError for a set of fewer than 2 rows and as the layers do.
    """
    from threadpoolctl import threadpool_limits

    for name, rows in sets.items():
        if len(rows) < 2:
            raise InputError(f"the set '{name}' has {plural(len(rows), 'row')}; diversity is measured of 2 rows or more.")
    ordered = [np.unique(np.asarray(rows, np.int64)) for rows in sets.values()]
    found: dict[str, dict[Gauge, Reading]] = {name: {} for name in sets}
    for aspect in aspects:
        for layer, family, measure in chosen:
            stage = f"{aspect.side}/{layer}: {family}"
            progress(stage, 0, len(sets))
            reading_of = measure.over(aspect)
            # One BLAS thread each: sums of a product depend on how many share it.
            with threadpool_limits(1, "blas"), ThreadPoolExecutor(aspect.threads) as team:
                for done, (name, numbers) in enumerate(zip(sets, team.map(reading_of, ordered), strict=True), start=1):
                    for scale, reading in zip(measure.scales, numbers, strict=True):
                        found[name][Gauge(aspect.side, layer, family, scale)] = reading
                    progress(stage, done, len(sets))
    return found


def families(layers: Sequence[str] = LAYERS) -> list[tuple[str, str, Measure]]:
    """Layer, name and measure of all families that are read at these layers. Raises UnknownName."""
    every = {name: registry.find("measures", name) for name in registry.names("measures")}
    known = {layer for family in every.values() for layer in family.layers}
    for layer in layers:
        if layer not in known:
            raise unknown("layer of measures", layer, known)
    return [(layer, name, family(layer=layer)) for layer in layers for name, family in every.items() if layer in family.layers]


def at_random(among: Rows, size: int, count: int, key: Sequence[int]) -> list[Rows]:
    """`count` random sets of `size` of these rows, ascending; `key` is a seed and what the sets are for."""
    # From 1: a key that ends in 0 gives the numbers of the key without it, which measures draw their own samples by.
    return [np.sort(np.random.default_rng([*key, 1 + number]).permutation(among)[:size]) for number in range(count)]


def matched(aspect: Aspect, targets: Sequence[Rows], among: Rows, count: int, key: Sequence[int]) -> tuple[list[Rows], Sequence[Shortfall]]:
    """`count` random sets, each with a target's size and distribution of tokens on this side, the targets taking turns.

    Rows shorter or longer than all of a target's are drawn only where the others are too few. Also returns the lengths of which there
    were too few rows, for the first target.
    """
    tokens = aspect.tokens().lengths
    lengths = Covariate("tokens", tokens.astype(np.float64))
    drawn = []
    for number in range(count):
        target = targets[number % len(targets)]
        within = among[(tokens[among] >= tokens[target].min()) & (tokens[among] <= tokens[target].max())]
        enough = within if len(within) >= len(target) else among
        drawn.append(like(target, enough, [lengths], np.random.default_rng([*key, 1 + number])))
    return [rows for rows, _ in drawn], drawn[0][1] if drawn else []


def standing(value: float, references: Sequence[float]) -> Standing:
    """Where the value stands among the references."""
    others = np.array(references, np.float64)
    if not len(others) or not (math.isfinite(value) and np.isfinite(others).all()):
        return Standing(None, None, None, None)
    mean, sd = float(others.mean()), float(others.std(ddof=1)) if len(others) > 1 else 0.0
    percentile = 50 * int((others < value).sum() + (others <= value).sum()) / len(others)
    if sd <= 1e-12 * abs(mean):  # rounding of a number that does not vary
        return Standing(mean, 0.0, percentile, None)
    return Standing(mean, sd, percentile, (value - mean) / sd)


def standings(of: Readings, references: Sequence[Readings]) -> dict[Gauge, Standing]:
    """Where each reading stands among those of the references."""
    return {gauge: standing(reading.value, [one[gauge].value for one in references]) for gauge, reading in of.items()}

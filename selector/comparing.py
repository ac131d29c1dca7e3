"""A measurement's words -> its figures: the datasets at one size, beside random subsets of the pool."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from selector import aspects, measuring, preparing
from selector import parts as naming
from selector import recipe as recipes
from selector.aspects import Facet, Member, Union
from selector.core import Reading, Room, Rows
from selector.errors import InputError, RecipeError, plural
from selector.hygiene import Hygiene
from selector.matching import Shortfall
from selector.measure_recipe import MeasureRecipe
from selector.measurement import Line, Measured, Measurement
from selector.measuring import Gauge, Readings
from selector.options import Options, room
from selector.pool import Pool
from selector.verdicts import verdicts


def measure(dataset: Any, pool: Any = None, *, options: Options | None = None, **words: Any) -> Measurement:
    """How diverse a dataset is at every layer of both sides, beside random subsets of the pool that it stands for.

    `dataset` and `pool` are a Pool, anything Pool.read takes, or a table. The words are `layers` (parameters of the layers, as
    {"macro": {"encoder": "static"}}), `tokenizer`, `hygiene`, `seed`, and those of recipes: `measure` = {"layers": ["surface", "micro"],
    "sides": ["response"], "references": 20}. Raises SelectorError.
    """
    return compare([dataset], pool, options=options, **words)


def compare(datasets: Sequence[Any], pool: Any = None, *, options: Options | None = None, **words: Any) -> Measurement:
    """Several datasets at equal size: the larger ones by random subsets of the size of the smallest. The words are those of `measure`.

    A mean over subsets scatters less than a random subset does, so the verdict on a larger dataset errs towards 'as random'.
    """
    if options is not None and not isinstance(options, Options):
        raise RecipeError("options says how it is computed (selector.Options); write the parameters of layers as layers={...}.")
    read, given = [as_pool(one) for one in datasets], None if pool is None else as_pool(pool)
    told = {"datasets": [{"source": one.source, "format": one.format} for one in read], **words}
    if given is not None:
        told["pool"] = {"source": given.source, "format": given.format}
    return solve(recipes.checked(MeasureRecipe, told, source="measure()"), datasets=read, pool=given, options=options)


def solve(
    recipe: MeasureRecipe, *, datasets: Sequence[Pool] | None = None, pool: Pool | None = None, options: Options | None = None
) -> Measurement:
    """The measurement that the words state. `datasets` and `pool` stand for the recipe's where they are already read."""
    with room(options or Options()) as here:
        union, facets = opened(recipe, here, datasets=datasets, pool=pool)
        return figures(recipe, union, facets, here)


def opened(
    recipe: MeasureRecipe, here: Room, *, datasets: Sequence[Pool] | None = None, pool: Pool | None = None
) -> tuple[Union, list[Facet]]:
    """The rows that the words name, distinct and clean, and their sides; those whose macro vectors cannot be made are gone."""
    words = recipe.measure
    rules = naming.build(Hygiene, {"tokenizer": recipe.tokenizer, **recipe.hygiene}, "hygiene")
    measuring.families(words.layers)
    for name in {*recipe.layers, *(set(words.layers) - {"surface"})}:
        naming.layer(recipe, name)
    here.progress("reading", 0, 0)
    if pool is None and recipe.pool is not None:
        pool = preparing.read(recipe.pool)
    if datasets is None:
        datasets = [preparing.read(one) for one in recipe.datasets]
    here.progress("hygiene", 0, 0)
    union = aspects.gather(pool, datasets, rules, here, naming.meaning(recipe, here))

    def seen(union: Union) -> list[Facet]:
        _enough(union)
        among = np.arange(len(union.everything)) if union.pool is None else union.pool.rows
        found = aspects.facets(union.everything, among, recipe, here, words.sides)
        for facet in found:
            for layer in words.layers:
                if layer == "macro":  # the only layer whose vectors may be unusable, and measures read them in any case
                    facet.vectors(layer)
        return found

    return aspects.usable(union, rules.unusable, seen)


def figures(
    recipe: MeasureRecipe, union: Union, facets: Sequence[Facet], here: Room, *, at_equal_length: Collection[str] | None = None
) -> Measurement:
    """All readings of these rows. `at_equal_length` names the families that are read of length-matched sets too; None: all."""
    words, seed = recipe.measure, recipe.seed
    size = min(len(one.rows) for one in union.members)
    subsets = [_subsets(one.rows, size, words.references, (seed, 2)) for one in union.members]
    random = [] if union.pool is None else measuring.at_random(union.pool.rows, size, words.references, (seed, 0))
    whole: list[dict[Gauge, Reading]] = [{} for _ in union.members]
    spreads: list[dict[Gauge, float | None]] = [{} for _ in union.members]
    by_chance: list[dict[Gauge, Reading]] = [{} for _ in random]
    alike: list[list[dict[Gauge, Reading]]] = [[{} for _ in random] for _ in union.members]
    shortfalls: list[dict[str, Sequence[Shortfall]]] = [{} for _ in union.members]
    for facet in facets:
        written(facet, union)
        sets = {f"random {number}": rows for number, rows in enumerate(random)}
        like: dict[str, Rows] = {}
        for place, own in enumerate(subsets):
            sets |= {f"dataset {place} {number}": rows for number, rows in enumerate(own)}
            if union.pool is not None:
                drawn, shortfalls[place][facet.side] = measuring.matched(facet, own, union.pool.rows, words.references, (seed, 1))
                like |= {f"matched {place} {number}": rows for number, rows in enumerate(drawn)}
        if at_equal_length is None:
            found = measuring.readings([facet], sets | like, words.layers, here.progress)
        else:
            found = {
                **measuring.readings([facet], sets, words.layers, here.progress),
                **measuring.readings([facet], like, words.layers, here.progress, only=at_equal_length),
            }
        for number in range(len(random)):
            by_chance[number] |= found[f"random {number}"]
        for place, own in enumerate(subsets):
            mean, spread = _mean([found[f"dataset {place} {number}"] for number in range(len(own))])
            whole[place] |= mean
            spreads[place] |= spread
            for number in range(len(random)):
                alike[place][number] |= found[f"matched {place} {number}"]
    datasets = tuple(
        _told(union, member, len(own), of, spread, by_chance, matched, short)
        for member, own, of, spread, matched, short in zip(union.members, subsets, whole, spreads, alike, shortfalls, strict=True)
    )
    facts = {f"{layer}/{facet.side}": said for facet in facets for layer, said in facet.facts().items()}
    return Measurement(datasets, size, union.pool, len(random), facts, recipe)


def _told(
    union: Union, member: Member, subsets: int, of: Readings, spread: Mapping[Gauge, float | None],
    random: Sequence[Readings], matched: Sequence[Readings], shortfalls: Mapping[str, Sequence[Shortfall]],
) -> Measured:  # fmt: skip
    chance = measuring.standings(of, random) if random else {}
    read_of_both = {gauge: reading for gauge, reading in of.items() if matched and gauge in matched[0]}
    alike = measuring.standings(read_of_both, matched)
    lines = tuple(
        Line(gauge, _finite(reading.value), reading.error, spread[gauge], chance.get(gauge), alike.get(gauge))
        for gauge, reading in of.items()
    )
    said, at_equal_length = (
        tuple(verdicts(one, references)) if references else () for one, references in ((of, random), (read_of_both, matched))
    )
    return Measured(member, union.among_pool(member.rows), subsets, lines, said, at_equal_length, shortfalls)


def _subsets(rows: Rows, size: int, count: int, seed: tuple[int, ...]) -> list[Rows]:
    """The rows themselves where they are so many, else random subsets of this size."""
    return [rows] if len(rows) == size else measuring.at_random(rows, size, count, seed)


def _mean(several: Sequence[Readings]) -> tuple[dict[Gauge, Reading], dict[Gauge, float | None]]:
    """The reading of one set; or the mean over several, and their standard deviation, which holds what sampling within each adds."""
    if len(several) == 1:
        return dict(several[0]), dict.fromkeys(several[0])
    values = {gauge: np.array([one[gauge].value for one in several]) for gauge in several[0]}
    means = {gauge: Reading(float(some.mean())) for gauge, some in values.items()}
    return means, {gauge: _finite(float(some.std(ddof=1))) for gauge, some in values.items()}


def _enough(union: Union) -> None:
    """Raises InputError where the pool has no random subset of a dataset's size."""
    size = min((len(one.rows) for one in union.members), default=0)
    if union.pool is not None and size > len(union.pool.rows):
        member = min(union.members, key=lambda one: len(one.rows))
        raise InputError(
            f"{member.source} has {plural(size, 'distinct row')} but the pool {union.pool.source} has {len(union.pool.rows):,} usable "
            "ones, so no random subset of it is as large; name the pool that the dataset was drawn from, or leave --pool out."
        )


def written(facet: Facet, union: Union) -> None:
    """Raises InputError for a dataset with nothing written on this side."""
    texts = facet.texts()
    for member in union.members:
        if not any(texts[row].strip() for row in member.rows):
            raise InputError(
                f"no {facet.side} of {member.source} has anything written in it, so this side cannot be measured; leave it out with "
                f"--side, or name the column that holds it (--{facet.side}-column)."
            )


def as_pool(one: Any) -> Pool:
    """A Pool, what Pool.read takes, or a table as a Pool."""
    if isinstance(one, Pool):
        return one
    return Pool.read(one) if isinstance(one, (str, Path)) else Pool.from_table(one)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

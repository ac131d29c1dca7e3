"""From words to a problem: the objective, the limits and the features that a selection names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from selector import registry, tokenizers
from selector.core import (
    Gains,
    Ground,
    Layer,
    Limit,
    Objective,
    Optimizer,
    Problem,
    Procedure,
    Room,
    Rows,
    Similarity,
    Texts,
    Types,
    Worded,
)
from selector.errors import BudgetError, InputError, RecipeError, hint, plural, unknown
from selector.features import join_types, join_vectors
from selector.limits import All, Cost, Count, Quota, balanced, proportional
from selector.objectives import mixture
from selector.objectives.quality import Quality
from selector.pool import Pool
from selector.recipe import Recipe, SelectRecipe

SIDES = ("instruction", "response")


@dataclass(frozen=True)
class Assembly:
    """A problem, how to solve it, and what its features say of themselves."""

    problem: Problem
    optimizer: Optimizer
    facts: dict[str, Any]  # feature name -> facts
    tables: dict[str, pa.Table]  # vocabularies, by file name
    costs: Gains | None  # (n,) tokens of each row, where there is a token budget

    def tokens(self, rows: Rows) -> int | None:
        """Tokens of these rows where there is a token budget."""
        return None if self.costs is None else int(self.costs[rows].sum())


def check(recipe: Recipe) -> None:
    """Raises UnknownName or RecipeError for every name and option that can be judged before a pool is read."""
    _parts(recipe)
    optimizer(recipe.select.optimizer, recipe.select.optimizer_options)
    for name in {recipe.select.layer, *(one.layer for one in recipe.select.mix), *recipe.layers}:
        layer(recipe, name)


def check_columns(recipe: Recipe, pool: Pool) -> None:
    """Raises UnknownName for a column that the pool lacks, InputError or RecipeError for one that cannot serve, before any long work."""
    if recipe.select.quality is not None:
        _scores(pool, recipe.select.quality)
    for written in recipe.select.quota:
        pool.column(written.partition(":")[0])


def assemble(recipe: Recipe, pool: Pool, kept: Rows, room: Room) -> Assembly:
    """The problem that `recipe.select` states on this pool, whose rows `kept` are the ones the user already has.

    Raises UnknownName, RecipeError, BudgetError or InputError before any long work wherever that can be known before it.
    """
    wanted = recipe.select
    candidates = np.setdiff1d(np.arange(len(pool)), kept)
    parts, weights = _parts(recipe)
    if wanted.budget is not None and wanted.budget > len(candidates):
        raise BudgetError(f"the budget is {wanted.budget:,} rows but the usable pool has {len(candidates):,}; lower the budget.")
    costs = None if wanted.token_budget is None else _token_costs(recipe, pool, room)
    limit = _limit(wanted, pool, candidates, costs)
    needs = dict.fromkeys(need for part in parts for need in part.needs)
    views: dict[str, dict[str, Any]] = {"vectors": {}, "types": {}, "scores": {}}
    facts: dict[str, Any] = {}
    tables: dict[str, pa.Table] = {}
    for need in needs:
        if need.view == "scores":
            views["scores"][need.name] = _scores(pool, need.name)
            continue
        of, _, side = need.name.rpartition("/")
        features = _features(layer(recipe, of), need.view, side, pool, room)
        views[need.view][need.name] = features
        facts[need.name] = {**facts.get(need.name, {}), **features.facts}
        tables |= _vocabularies(layer(recipe, of), of, side, pool, room)
    ground = Ground(len(pool), views["vectors"], views["types"], views["scores"], None, room.memory, room.progress)
    objective: Objective | Procedure = parts[0]
    if len(parts) > 1:
        rng = np.random.default_rng(recipe.seed)
        whole = [part for part in parts if isinstance(part, Objective)]
        objective = mixture.balanced(tuple(whole), tuple(weights), ground, candidates, kept, limit.most, rng)
    problem = Problem(ground, objective, limit, kept, candidates)
    return Assembly(problem, optimizer(wanted.optimizer, wanted.optimizer_options), facts, tables, costs)


def rows_problem(features: Similarity, budget: int, name: str, options: Mapping[str, Any], kept: Rows, memory: int, seed: int) -> Problem:
    """The problem over one's own vectors. Raises UnknownName, RecipeError or BudgetError."""
    thing, named = _found(name)
    known = _options(thing)
    given = {"features": "vectors", "seed": seed, **named}
    objective = build(thing, {**{key: value for key, value in given.items() if key in known}, **options}, f"the objective '{name}'")
    if any(need.view != "vectors" for need in objective.needs):
        raise RecipeError(f"the objective '{name}' reads more than vectors; use selector.select with a pool.")
    if len(kept) and not (kept[0] >= 0 and kept[-1] < features.size):
        raise InputError(f"kept names row {kept[-1]} but the matrix has the rows 0 to {features.size - 1}.")
    candidates = np.setdiff1d(np.arange(features.size), kept)
    if budget > len(candidates):
        raise BudgetError(f"the budget is {budget:,} rows but {len(candidates):,} can be chosen; lower the budget.")
    return Problem(Ground(features.size, {"vectors": features}, memory=memory), objective, Count(budget), kept, candidates)


def build(thing: Any, options: Mapping[str, Any], what: str) -> Any:
    """An instance of a frozen dataclass from plain values. Raises RecipeError naming the option that is unknown or of the wrong type."""
    known = _options(thing)
    for name in options:
        if name not in known:
            raise RecipeError(f"{what} has no option '{name}'. {hint(name, known)}")
    try:
        return TypeAdapter(thing).validate_python(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"{what}: {place} is {first['input']!r}: {first['msg'].lower()}.") from None


def _parts(recipe: Recipe) -> tuple[list[Objective | Procedure], list[float]]:
    """The objectives named, and their weights."""
    wanted = recipe.select
    quality = {"quality": wanted.quality, "quality_weight": wanted.quality_weight} if wanted.quality else {}
    if wanted.mix:
        if wanted.options:
            raise RecipeError("a mixture's options belong to its parts; write them under each part of mix.")
        parts = [_objective(one.objective or wanted.objective, one.layer, one.side, one.options, recipe) for one in wanted.mix]
        weights = [one.weight for one in wanted.mix]
    else:
        own = quality if wanted.quality and "quality_weight" in _options(_found(wanted.objective)[0]) else {}
        parts, weights = [_objective(wanted.objective, wanted.layer, wanted.side, {**wanted.options, **own}, recipe)], [1.0]
        if own:
            return parts, weights
    if wanted.quality and not isinstance(parts[0], Quality):
        share = wanted.quality_weight
        weights = [weight / sum(weights) * (1 - share) for weight in weights] + [share]
        parts = [*parts, Quality(wanted.quality)]
    for part in parts if len(parts) > 1 else ():
        if not isinstance(part, Objective):
            raise RecipeError(f"{part} brings its own loop and cannot be part of a mixture.")
    return parts, weights


def _options(thing: Any) -> list[str]:
    """The parameters of an objective or a layer. Raises RecipeError where a dotted path names something else."""
    if not is_dataclass(thing):
        raise RecipeError(f"{thing!r} is no dataclass; objectives and layers are frozen dataclasses of their parameters.")
    return [field.name for field in fields(thing)]


def _found(objective: str) -> tuple[Any, dict[str, Any]]:
    """The class of an objective, and what its name says beside it: `apricot:NAME` names a function of apricot."""
    kind, _, name = objective.partition(":")
    if kind == "apricot":
        return registry.find("objectives", "apricot"), {"function": name}
    if objective == "mixture":
        raise RecipeError("a mixture is written with mix, as in macro/instruction:1,micro/response:2.")
    return registry.find("objectives", objective), {}


def _objective(name: str, layer: str, side: str, options: Mapping[str, Any], recipe: Recipe) -> Objective | Procedure:
    thing, named = _found(name)
    registry.find("layers", layer)
    known = _options(thing)
    given = {"features": f"{layer}/{side}", "seed": recipe.seed, "column": recipe.select.quality, **named}
    if "column" in known and recipe.select.quality is None and "column" not in options:
        raise RecipeError(f"the objective '{name}' needs a numeric column; name it with quality.")
    made = build(thing, {**{key: value for key, value in given.items() if key in known}, **options}, f"the objective '{name}'")
    if not isinstance(made, (Objective, Procedure)):
        raise RecipeError(f"'{name}' is no objective: selector.core.Objective asks for submodular, monotone, needs, start, value.")
    return made


def optimizer(name: str, options: Mapping[str, Any]) -> Optimizer:
    """The optimizer of this name. Raises UnknownName, and RecipeError for an option that it has not."""
    function = registry.find("optimizers", name)
    known = list(function.__kwdefaults__ or {})
    for option in options:
        if option not in known:
            raise RecipeError(f"the optimizer '{name}' has no option '{option}'. {hint(option, known)}")
    return partial(function, **options) if options else function


def layer(recipe: Recipe, name: str) -> Layer:
    """The layer of this name with the recipe's parameters."""
    thing = registry.find("layers", name)
    shared = {"tokenizer": recipe.tokenizer, "seed": recipe.seed}
    options = {**{key: value for key, value in shared.items() if key in _options(thing)}, **recipe.layers.get(name, {})}
    return build(thing, options, f"the layer '{name}'")


def _features(of: Layer, view: str, side: str, pool: Pool, room: Room) -> Any:
    """Vectors or types of a side; both sides are the two sides joined."""

    def one(texts: Texts) -> Similarity | Types:
        return of.vectors(texts, room) if view == "vectors" else of.types(texts, room)

    if side != "both":
        return one(pool.texts(side))
    left, right = (one(pool.texts(which)) for which in SIDES)
    return join_vectors(left, right) if view == "vectors" else join_types(left, right)  # type: ignore[arg-type]


def _vocabularies(of: Layer, name: str, side: str, pool: Pool, room: Room) -> dict[str, pa.Table]:
    if not isinstance(of, Worded):
        return {}
    sides = SIDES if side == "both" else (side,)
    return {f"vocabulary-{name}-{one}.csv": of.vocabulary_table(pool.texts(one), room) for one in sides}


def _scores(pool: Pool, column: str) -> Gains:
    """A numeric column scaled to 0..1 over the pool. Raises InputError naming the first row that is no finite number."""
    values = pool.column(column)
    try:
        numbers = np.asarray(pc.cast(values, pa.float64()).to_numpy(), np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(f"the quality column '{column}' holds {values.type}; quality needs numbers.") from None
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise InputError(
            f"the quality column '{column}' has no finite number in {plural(len(bad), 'row')}, the first is row {pool.rows[bad[0]]}; "
            "fill or drop those rows."
        )
    spread = float(np.ptp(numbers))
    return (numbers - numbers.min()) / spread if spread > 0 else np.zeros(len(numbers))


def _token_costs(recipe: Recipe, pool: Pool, room: Room) -> Gains:
    """(n,) tokens of both sides of each row, at least 1: a row without a token still is a row."""
    total = np.zeros(len(pool))
    for side in SIDES:
        total += tokenizers.tokens(pool.texts(side), recipe.tokenizer, room).lengths
    return np.maximum(total, 1.0)


def _limit(wanted: SelectRecipe, pool: Pool, candidates: Rows, costs: Gains | None) -> Limit:
    parts: list[Limit] = [] if wanted.budget is None else [Count(wanted.budget)]
    for written in wanted.quota:
        if wanted.budget is None:
            raise BudgetError(f"the quota '{written}' needs a budget in rows beside the token budget; give --budget too.")
        parts.append(_quota(written, wanted.budget, pool, candidates))
    if costs is not None and wanted.token_budget is not None:
        least = float(costs[candidates].min(initial=np.inf))
        if least > wanted.token_budget:
            raise BudgetError(f"the token budget is {wanted.token_budget:,} but the shortest usable row has {least:,.0f} tokens; raise it.")
        parts.append(Cost(costs, wanted.token_budget))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _quota(written: str, budget: int, pool: Pool, candidates: Rows) -> Quota:
    """`COLUMN:proportional`, `COLUMN:balanced`, `COLUMN:max=N`, `COLUMN:min=N`, `COLUMN:VALUE=N` (at most), several after commas."""
    column, _, rule = written.partition(":")
    values = pc.fill_null(pc.cast(pool.column(column), pa.string()), "(none)").combine_chunks()
    encoded = values.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary).to_numpy()  # groups by name, so that ties do not hang on row order
    names = tuple(encoded.dictionary.take(pa.array(order)).to_pylist())
    groups = np.argsort(order)[encoded.indices.to_numpy()].astype(np.int64)
    sizes = np.bincount(groups[candidates], minlength=len(names))
    least, greatest = np.zeros(len(names), np.int64), np.full(len(names), budget, np.int64)
    for part in rule.split(","):
        key, _, number = part.strip().rpartition("=")
        if part.strip() in ("proportional", "balanced"):
            share = proportional if part.strip() == "proportional" else balanced
            greatest = np.minimum(greatest, share(sizes, budget))
            continue
        if not key or not number.strip().isdigit():
            raise RecipeError(
                f"the quota '{written}' is not understood; write {column}:proportional, {column}:balanced, {column}:max=N, "
                f"{column}:min=N or {column}:VALUE=N, several after commas."
            )
        if key == "min":
            least[:] = int(number)
        elif key == "max":
            greatest = np.minimum(greatest, int(number))
        elif key in names:
            greatest[names.index(key)] = int(number)
        else:
            raise unknown(f"value of '{column}'", key, names)
    quota = Quota(groups, names, least, greatest, budget, column)
    quota.check(candidates)
    return quota

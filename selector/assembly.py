"""From a recipe and a pool to a problem: the features, the objective over them, and the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from selector import parts as naming
from selector import quotas, tokenizers
from selector.core import (
    Gains,
    Ground,
    Layer,
    Limit,
    Need,
    Objective,
    Optimizer,
    Problem,
    Procedure,
    Room,
    Rows,
    Similarity,
    Texts,
    Tokens,
    Types,
    WholeSets,
    Worded,
)
from selector.errors import BudgetError, InputError, RecipeError, plural
from selector.features import join_types, join_vectors
from selector.finite import between
from selector.length_strata import Held, hold
from selector.limits import All, Cost, Count
from selector.objectives import mixture
from selector.objectives.quality import Quality
from selector.parts import Part
from selector.pool import Pool
from selector.recipe import Recipe

SIDES = ("instruction", "response")


@dataclass(frozen=True)
class Assembly:
    """A problem, how to solve it, and what its features say of themselves."""

    problem: Problem
    optimizer: Optimizer
    parts: list[Part]
    facts: dict[str, Any]  # feature name -> facts
    tables: dict[str, pa.Table]  # vocabularies, by file name
    costs: Gains | None  # (n,) tokens of each row, where there is a token budget
    tokens_of: str  # whose tokens `lengths` are: instruction, response or both
    counted: Mapping[str, Tokens]  # of each of these sides
    lengths: NDArray[np.int64]  # (n,) tokens of each row
    held: Held | None  # how the lengths of the picks are kept to those of the pool; None where they are free

    def tokens(self, rows: Rows) -> int | None:
        """Tokens of these rows where there is a token budget."""
        return None if self.costs is None else int(self.costs[rows].sum())

    def unmet(self, rows: Rows) -> Iterator[str]:
        """One sentence for each minimum of a quota that these rows do not reach."""
        return quotas.unmet(self.problem.limit, rows)


def check(recipe: Recipe) -> None:
    """Raises UnknownName or RecipeError for every name and option that can be judged before a pool is read."""
    holds_lengths(recipe, naming.parts(recipe))
    naming.optimizer(recipe.select.optimizer, recipe.select.optimizer_options)
    for name in {recipe.select.layer, *(one.layer for one in recipe.select.mix), *recipe.layers}:
        naming.layer(recipe, name)
    for written in recipe.select.quota:
        quotas.parse(written)
        if recipe.select.budget is None:
            raise BudgetError(f"the quota '{written}' needs a budget in rows beside the token budget; give a budget too.")


def check_columns(recipe: Recipe, pool: Pool, kept: Rows) -> None:
    """Raises UnknownName for a column that the pool lacks, InputError for one that cannot serve, before any long work."""
    _all_scores(naming.parts(recipe), pool, kept)
    for written in recipe.select.quota:
        pool.column(quotas.parse(written)[0])


def assemble(recipe: Recipe, pool: Pool, kept: Rows, room: Room) -> Assembly:
    """The problem that `recipe.select` states on this pool, whose rows `kept` are the ones the user already has.

    Raises UnknownName, RecipeError, BudgetError or InputError before any long work wherever that can be known before it.
    """
    wanted = recipe.select
    candidates = np.setdiff1d(np.arange(len(pool)), kept)
    named = naming.parts(recipe)
    costs = None if wanted.token_budget is None else _token_costs(recipe, pool, room)
    tokens_of = looked_at(recipe, named)
    counted = {one: tokenizers.tokens(pool.texts(one), recipe.tokenizer, room) for one in sides_of(tokens_of)}
    lengths = sum((one.lengths for one in counted.values()), np.zeros(len(pool), np.int64))
    limit, held = _limit(recipe, named, pool, candidates, costs, lengths)
    views: dict[str, dict[str, Any]] = {"vectors": {}, "types": {}, "scores": _all_scores(named, pool, kept)}
    facts: dict[str, Any] = {}
    tables: dict[str, pa.Table] = {}
    needed = list(dict.fromkeys(need for part in named for need in part.objective.needs))
    _one_similarity(recipe, needed)
    for need in needed:
        if need.view == "scores":
            continue
        of, _, side = need.name.rpartition("/")
        layer = naming.asked(recipe, need)
        room.progress(f"{need.view} of {need.name}", 0, 0)
        features = view_of(layer, need.view, side, pool, room)
        views[need.view][need.name] = features
        facts[need.name] = {**facts.get(need.name, {}), **features.facts}
        tables |= _vocabularies(layer, of, side, pool, room)
    ground = Ground(len(pool), views["vectors"], views["types"], views["scores"], None, room.memory, room.progress, room.device)
    objective: Objective | Procedure = named[0].objective
    if len(named) > 1:
        rng = np.random.default_rng(recipe.seed)
        whole = tuple(part.objective for part in named if isinstance(part.objective, Objective))
        objective = mixture.balanced(whole, tuple(part.weight for part in named), ground, candidates, kept, limit.most, rng)
    problem = Problem(ground, objective, limit, kept, candidates)
    optimizer = naming.optimizer(wanted.optimizer, wanted.optimizer_options)
    return Assembly(problem, optimizer, named, facts, tables, costs, tokens_of, counted, lengths, held)


def _one_similarity(recipe: Recipe, needs: list[Need]) -> None:
    """Raises RecipeError where two parts of a mixture read the same vectors by different similarities."""
    by_distance = {need for need in needs if need.view == "vectors" and need.cosine}
    for need in by_distance:
        own = replace(need, cosine=False)
        if own in needs and naming.asked(recipe, need) != naming.asked(recipe, own):
            raise RecipeError(
                f"one part of the mixture compares {need.name} by cosine, since it is about distances, and another by the layer's own "
                f"similarity; write similarity: cosine under layers.{need.name.rpartition('/')[0]}, or leave one of the parts out."
            )


def rows_problem(
    features: Similarity, budget: int, name: str, options: Mapping[str, Any], kept: Rows, memory: int, seed: int, device: str
) -> Problem:
    """The problem over one's own vectors. Raises UnknownName, RecipeError or BudgetError."""
    objective = naming.alone(name, "vectors", seed, options)
    if any(need.view != "vectors" for need in objective.needs):
        raise RecipeError(f"the objective '{name}' reads more than vectors; use selector.select with a pool.")
    if len(kept) and not (kept[0] >= 0 and kept[-1] < features.size):
        raise InputError(f"kept names the rows {kept[0]} to {kept[-1]} but the matrix has the rows 0 to {features.size - 1}.")
    candidates = np.setdiff1d(np.arange(features.size), kept)
    if budget > len(candidates):
        raise BudgetError(f"the budget is {plural(budget, 'row')} but {len(candidates):,} can be chosen; lower the budget.")
    return Problem(Ground(features.size, {"vectors": features}, memory=memory, device=device), objective, Count(budget), kept, candidates)


def view_of(of: Layer, view: str, side: str, pool: Pool, room: Room) -> Any:
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
    sides = sides_of(side)
    return {f"vocabulary-{name}-{one}.csv": of.vocabulary_table(pool.texts(one), room) for one in sides}


def _all_scores(named: list[Part], pool: Pool, kept: Rows) -> dict[str, Gains]:
    """The numeric columns that the parts read. A part that only adds up scores does not see those of kept rows."""
    readers: dict[str, list[Part]] = {}
    for part in named:
        for column in part.columns:
            readers.setdefault(column, []).append(part)
    return {
        column: _scores(pool, column, kept, all(isinstance(part.objective, Quality) for part in reading))
        for column, reading in readers.items()
    }


def _scores(pool: Pool, column: str, kept: Rows, only_added: bool) -> Gains:
    """A numeric column, scaled so that the lowest score of a row that can be chosen is 0 and the highest 1.

    Kept rows without a score count as the lowest where scores are only added up, since there they change no gain. Raises InputError
    naming the first row that is no finite number.
    """
    values = pool.column(column)
    try:
        numbers = np.array(pc.cast(values, pa.float64(), safe=False).to_numpy(), np.float64)  # 2^53 + 1 may round
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(f"the quality column '{column}' holds {values.type}; quality needs numbers.") from None
    bad = ~np.isfinite(numbers)
    ours = np.ones(len(numbers), bool)
    ours[kept] = False
    if (bad & ours).any():
        raise InputError(
            f"the quality column '{column}' has no finite number in {plural(int((bad & ours).sum()), 'row')}, the first is row "
            f"{pool.rows[np.argmax(bad & ours)]}; fill or drop those rows."
        )
    if bad.any() and not only_added:
        raise InputError(
            f"the quality column '{column}' has no finite number in {plural(int(bad.sum()), 'row')} of the rows to keep, and this "
            "objective weighs those too; give them scores, or leave quality out."
        )
    low, high = float(numbers[ours].min(initial=np.inf)), float(numbers[ours].max(initial=-np.inf))
    if not low < high:
        raise InputError(f"the quality column '{column}' has the same number, {low:g}, in every row, so it ranks none; leave quality out.")
    scores = between(np.where(bad, low, numbers), low, high)
    if (out := ~np.isfinite(scores)).any():  # a kept row, since all others are from 0 to 1
        raise InputError(
            f"the quality column '{column}' goes from {low:g} to {high:g} among the rows to choose from, and a row to keep has "
            f"{numbers[np.argmax(out)]:g}, which is no number in that unit; mend it, or leave quality out."
        )
    return scores


def _token_costs(recipe: Recipe, pool: Pool, room: Room) -> Gains:
    """(n,) tokens of both sides of each row, at least 1: a row without a token still is a row."""
    total = np.zeros(len(pool))
    for side in SIDES:
        total += tokenizers.tokens(pool.texts(side), recipe.tokenizer, room).lengths
    return np.maximum(total, 1.0)


def looked_at(recipe: Recipe, named: list[Part]) -> str:
    """The side whose tokens count as a row's length: the one that all parts read, else both; the selection's where none reads a text."""
    sides = {place.rpartition("/")[2] for part in named for place in part.places} or {recipe.select.side}
    return sides.pop() if len(sides) == 1 else "both"


def holds_lengths(recipe: Recipe, named: list[Part]) -> bool:
    """Whether the picks are held to the pool's lengths. Raises RecipeError where that was asked for and cannot be."""
    wanted = recipe.select
    if wanted.lengths == "free":
        return False
    if not any(isinstance(part.objective, WholeSets) for part in named):
        return True
    if "lengths" in wanted.model_fields_set:
        raise RecipeError(f"the objective '{named[0].name}' draws whole sets and cannot hold lengths; write lengths: free, or use dpp.")
    return False


def _limit(
    recipe: Recipe, named: list[Part], pool: Pool, candidates: Rows, costs: Gains | None, lengths: NDArray[np.int64]
) -> tuple[Limit, Held | None]:
    """Every limit that the words name, at once. Raises BudgetError where one of them cannot be met."""
    wanted = recipe.select
    written = [] if wanted.budget is None else quotas.quotas(wanted.quota, wanted.budget, pool, candidates)
    if costs is not None and wanted.token_budget is not None:
        least = float(costs[candidates].min(initial=np.inf))
        if least > wanted.token_budget:
            raise BudgetError(f"the token budget is {wanted.token_budget:,} but the shortest usable row has {least:,.0f} tokens; raise it.")
    if holds_lengths(recipe, named):
        held = hold(lengths, candidates, wanted.budget, written, costs, wanted.token_budget)
        return held.limit, held
    limits: list[Limit] = [] if wanted.budget is None else [Count(wanted.budget), *written]
    if costs is not None and wanted.token_budget is not None:
        limits.append(Cost(costs, wanted.token_budget))
    return limits[0] if len(limits) == 1 else All(tuple(limits)), None


def sides_of(side: str) -> tuple[str, ...]:
    """The sides of a pair that `both` stands for, or the one that is named."""
    return SIDES if side == "both" else (side,)

"""Recipe + Options -> Selection, or a folder."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from selector import assembly, diversity, engine, planning, preparing, writing
from selector import manifest as manifests
from selector import parts as naming
from selector import recipe as recipes
from selector.cache import Cache, NoCache
from selector.core import NO_ROWS, Limit, Outcome, Problem, Room
from selector.errors import OutputError, RecipeError, plural
from selector.features import dense, sparse
from selector.finite import check_run, row_numbers
from selector.hygiene import Hygiene
from selector.limits import After
from selector.options import Options, room, threads
from selector.pool import Pool
from selector.preparing import Prepared, stage
from selector.recipe import PoolRecipe, Recipe
from selector.selection import Selection


def run(recipe: Recipe | str | Path, output: str | Path, options: Options | None = None) -> Selection:
    """Do what the recipe says and write the folder. Raises SelectorError, before any work where that can be known."""
    options = options or Options()
    recipe = recipe if isinstance(recipe, Recipe) else recipes.read(recipe)
    check_output(output, (recipe.pool, recipe.select.keep), options)
    selection = solve(recipe, options=options)
    options.progress("writing", 0, 0)
    selection.save(output, write_as=recipe.output.write_as, save=recipe.output.save, overwrite=options.overwrite)
    return selection


def check_output(output: str | Path, sources: Iterable[PoolRecipe | None], options: Options) -> None:
    """Raises OutputError where the folder cannot be written, or holds what is read."""
    writing.check(Path(output), options.overwrite)
    for source in sources:
        if (
            source is not None
            and (there := Path(source.source).expanduser()).exists()
            and there.resolve().is_relative_to(Path(output).resolve())
        ):
            raise OutputError(f"{output} holds {source.source}, which is read; writing there would destroy it. Name another folder.")


def plan(recipe: Recipe, options: Options | None = None) -> planning.Plan:
    """What `run` would take on this machine: reads the pool and times samples of it, makes nothing. Raises SelectorError."""
    options = options or Options()
    with threads(options.threads):
        assembly.check(recipe)
        began = time.monotonic()
        options.progress("reading", 0, 0)
        pool = preparing.read(recipe.pool)
        planning.check(recipe, len(pool), options.memory)
        options.progress("planning", 0, 0)
        store = NoCache() if options.cache is None else Cache(Path(options.cache))
        here = Room(store, options.progress, options.device, options.threads, options.memory // 3)
        return planning.plan(recipe, pool, time.monotonic() - began, here, options.memory)


def select(pool: Pool | str | Path | Any, *, options: Options | None = None, **words: Any) -> Selection:
    """The same words as the command line: select(pool, budget=1000, layer="micro", side="response", objective="facility-location").

    `pool` is a Pool, anything Pool.read takes, or a table. The words are the keys of a recipe's `select`, and `seed`, `tokenizer`,
    `hygiene`, `layers`; `parameters` are those of the objective, as {"kernel": "rbf"}. Raises SelectorError.
    """
    pool, words, top = python_words(pool, options, words)
    recipe = recipes.check({"pool": {"source": pool.source, "format": pool.format}, "select": words, **top}, source="select()")
    return solve(recipe, pool=pool, options=options)


def python_words(pool: Any, options: Any, words: dict[str, Any]) -> tuple[Pool, dict[str, Any], dict[str, Any]]:
    """The pool of a call from Python, its words, and those that stand at the top of a recipe. Raises SelectorError."""
    if options is not None and not isinstance(options, Options):
        raise RecipeError("options says how it is computed (selector.Options); write the parameters of the objective as parameters={...}.")
    if "parameters" in words:
        words["options"] = words.pop("parameters")
    if isinstance(pool, (str, Path)):
        pool = Pool.read(pool)
    elif not isinstance(pool, Pool):
        pool = Pool.from_table(pool)
    top: dict[str, Any] = {key: words[key] for key in ("seed", "tokenizer", "hygiene", "layers") if key in words}
    return pool, {key: value for key, value in words.items() if key not in top}, top


def select_rows(vectors: Any, *, budget: int, objective: str = "facility-location", optimizer: str = "lazy", seed: int = 0,
                kept: Any = NO_ROWS, unit: bool = True, memory: int = 2 << 30, device: str = "cpu",
                optimizer_options: Mapping[str, Any] | None = None, **parameters: Any) -> Outcome:  # fmt: skip
    """Select rows of one's own matrix (n, d), dense or scipy sparse; `unit` scales each row to length 1 first (cosine).

    `parameters` belong to the objective, `optimizer_options` to the optimizer, as {'mode': 'exact'}. Row numbers count in the matrix. On
    the `device` 'cuda' facility location on dense vectors picks the same rows as on the cpu. Raises InputError for NaN or infinite
    values, and with `unit` False for rows too long or short for float32 products, BudgetError for a budget that the rows cannot fill,
    UnknownName or RecipeError.
    """
    from scipy.sparse import issparse

    check_run(seed, memory)
    features = sparse(vectors, unit=unit) if issparse(vectors) else dense(vectors, unit=unit)
    chosen = row_numbers(kept, features.size)
    return engine.select(assembly.rows_problem(features, budget, objective, parameters, chosen, memory, seed, device),
                         naming.optimizer(optimizer, optimizer_options or {}), seed=seed)  # fmt: skip


def solve(recipe: Recipe, *, pool: Pool | None = None, options: Options | None = None) -> Selection:
    """The selection that the recipe states, nothing written. `pool` stands for the recipe's pool where it is already read."""
    with room(options or Options()) as here:
        return _solve(recipe, pool, here)


def _solve(recipe: Recipe, given: Pool | None, here: Room) -> Selection:
    seconds: dict[str, float] = {}
    began = time.monotonic()
    rows, rules = opened(recipe, given, here, seconds)
    with stage("hygiene", seconds):
        rows = preparing.clean(rows, rules, here, naming.meaning(recipe, here))
    rows, assembled, outcome = chosen(recipe, rows, rules, here, seconds)
    found = judged(recipe, assembled, outcome, here, seconds)
    picked = rows.pool.take(rows.stays[outcome.rows])  # not from everything, where the columns are those of the kept rows too
    seconds["total"] = time.monotonic() - began
    manifest = manifests.manifest(recipe, rows, outcome, assembled, seconds, found, diversity.advice(recipe, found))
    left_out = {"dropped.parquet": manifests.dropped_table(rows)} if rows.dropped else {}
    return Selection(picked, outcome, manifest, {**left_out, **assembled.tables})


def judged(recipe: Recipe, assembled: assembly.Assembly, outcome: Outcome, here: Room, seconds: dict[str, float]) -> list[dict[str, Any]]:
    """How diverse the picks are at what was looked at; nothing where the recipe leaves the verdict out."""
    if not recipe.select.verdict:
        return []
    with stage("verdict", seconds):
        return diversity.diversity(recipe, assembled, outcome, here)


def opened(recipe: Recipe, given: Pool | None, here: Room, seconds: dict[str, float]) -> tuple[Prepared, Hygiene]:
    """All rows of the pool (`given` where it is already read) and of those to keep, and what is to be dropped of them.

    Raises SelectorError for all that can be judged without making features.
    """
    rules = naming.build(Hygiene, {"tokenizer": recipe.tokenizer, **recipe.hygiene}, "hygiene")
    assembly.check(recipe)
    with stage("read", seconds):
        here.progress("reading", 0, 0)
        pool = given if given is not None else preparing.read(recipe.pool)
        known = preparing.read(recipe.select.keep) if recipe.select.keep else None
    planning.check(recipe, len(pool), 3 * here.memory)
    rows = preparing.everything(pool, known)
    assembly.check_columns(recipe, rows.everything, rows.kept)
    return rows, rules


def chosen(
    recipe: Recipe, rows: Prepared, rules: Hygiene, here: Room, seconds: dict[str, float]
) -> tuple[Prepared, assembly.Assembly, Outcome]:
    """The selection among these rows; those whose features cannot be made are left out as `rules` say. Raises SelectorError."""
    with stage("features", seconds):
        make = partial(assembly.assemble, recipe, room=here)
        rows, assembled = preparing.featured(rows, rules, recipe.select.budget, make)
    with stage("selection", seconds):
        outcome = engine.select(assembled.problem, assembled.optimizer, seed=recipe.seed, progress=here.progress)
        if assembled.held is not None and assembled.held.loose is not None:
            outcome = _filled_up(assembled.problem, assembled.held.loose, assembled, outcome, recipe.seed, here)
    return rows, assembled, outcome


def _filled_up(problem: Problem, loose: Limit, assembled: assembly.Assembly, outcome: Outcome, seed: int, here: Room) -> Outcome:
    """The rest of the budget where several quotas and lengths together left some: whatever lengths the quotas have room for.

    The proof is then one among all sets that keep the quotas, of any lengths.
    """
    lack = problem.limit.most - len(outcome.rows)
    candidates = np.setdiff1d(problem.candidates, outcome.rows)
    kept = np.concatenate([problem.kept, outcome.rows])
    rest = replace(problem, limit=After(loose, outcome.rows), kept=kept, candidates=candidates)
    if lack <= 0 or not rest.limit.start().allows(candidates).any():
        return outcome
    more = engine.select(rest, assembled.optimizer, seed=seed, reference=False, progress=here.progress)
    note = f"beside the quotas no row of the right length was left for the last {plural(len(more.rows), 'pick')}, which are of any length"
    return replace(
        more,
        rows=np.concatenate([outcome.rows, more.rows]),
        gains=np.concatenate([outcome.gains, more.gains]),
        random_value=outcome.random_value,
        kept=outcome.kept,
        evaluations=outcome.evaluations + more.evaluations,
        notes=(*outcome.notes, *more.notes, note),
        facts=outcome.facts,
    )

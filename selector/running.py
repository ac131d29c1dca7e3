"""Recipe + Options -> Selection, or a folder."""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from selector import assembly, engine, hygiene, writing
from selector import recipe as recipes
from selector.cache import Cache, NoCache, default_folder
from selector.core import NO_ROWS, Outcome, Problem, Progress, Room, quiet
from selector.errors import UnusableRows
from selector.features import dense, sparse
from selector.hygiene import Dropped, Hygiene
from selector.objectives.mixture import Mixture
from selector.pool import Pool
from selector.recipe import PoolRecipe, Recipe
from selector.selection import Selection

log = logging.getLogger(__name__)

NAMED = (
    "diversity-selector",
    "numpy",
    "scipy",
    "numba",
    "pyarrow",
    "datasets",
    "torch",
    "sentence-transformers",
    "tokenizers",
    "scikit-learn",
)


@dataclass(frozen=True)
class Options:
    """How, on this machine: nothing here changes which rows are picked."""

    device: str = "cpu"
    threads: int = 0  # 0: all cores
    memory: int = 4 << 30  # bytes for the whole run
    cache: Path | None = field(default_factory=default_folder)  # None: keep no features
    progress: Progress = quiet
    overwrite: bool = False


def run(recipe: Recipe | str | Path, output: str | Path, options: Options | None = None) -> Selection:
    """Do what the recipe says and write the folder. Raises SelectorError, before any work where that can be known."""
    options = options or Options()
    recipe = recipe if isinstance(recipe, Recipe) else recipes.read(recipe)
    writing.check(Path(output), options.overwrite)
    selection = solve(recipe, options=options)
    options.progress("writing", 0, 0)
    selection.save(output, write_as=recipe.output.write_as, save=recipe.output.save, overwrite=options.overwrite)
    return selection


def select(pool: Pool | str | Path | Any, *, options: Options | None = None, **words: Any) -> Selection:
    """The same words as the command line: select(pool, budget=1000, layer="micro", side="response", objective="facility-location").

    `pool` is a Pool, anything Pool.read takes, or a table. The words are the keys of a recipe's `select`, and `seed`, `tokenizer`,
    `hygiene`, `layers`. Raises SelectorError.
    """
    if isinstance(pool, (str, Path)):
        pool = Pool.read(pool)
    elif not isinstance(pool, Pool):
        pool = Pool.from_table(pool)
    top = {key: words.pop(key) for key in ("seed", "tokenizer", "hygiene", "layers") if key in words}
    recipe = recipes.check({"pool": {"source": pool.source, "format": pool.format}, "select": words, **top}, source="select()")
    return solve(recipe, pool=pool, options=options)


def select_rows(vectors: Any, *, budget: int, objective: str = "facility-location", optimizer: str = "lazy", seed: int = 0,
                kept: Any = NO_ROWS, unit: bool = True, memory: int = 2 << 30, **parameters: Any) -> Outcome:  # fmt: skip
    """Select rows of one's own matrix (n, d), dense or scipy sparse; `unit` scales each row to length 1 first (cosine).

    `parameters` belong to the objective. Row numbers count in the matrix. Raises InputError for NaN or infinite values, BudgetError
    for a budget that the rows cannot fill, UnknownName or RecipeError.
    """
    from scipy.sparse import issparse

    features = sparse(vectors, unit=unit) if issparse(vectors) else dense(vectors, unit=unit)
    chosen = np.unique(np.asarray(kept, np.int64))
    return engine.select(assembly.rows_problem(features, budget, objective, parameters, chosen, memory, seed),
                         assembly.optimizer(optimizer, {}), seed=seed)  # fmt: skip


def solve(recipe: Recipe, *, pool: Pool | None = None, options: Options | None = None) -> Selection:
    """The selection that the recipe states, nothing written. `pool` stands for the recipe's pool where it is already read."""
    options = options or Options()
    with _threads(options.threads):
        return _solve(recipe, pool, options)


def _solve(recipe: Recipe, given: Pool | None, options: Options) -> Selection:
    seconds: dict[str, float] = {}
    began = time.monotonic()
    rules = assembly.build(Hygiene, {"tokenizer": recipe.tokenizer, **recipe.hygiene}, "hygiene")
    assembly.check(recipe)
    store = NoCache() if options.cache is None else Cache(options.cache)
    room = Room(store, options.progress, options.device, options.threads, options.memory // 3)
    with _stage("read", seconds):
        options.progress("reading", 0, 0)
        pool = given if given is not None else _read(recipe.pool)
        known = _read(recipe.select.keep) if recipe.select.keep else None
    everything = pool if known is None else pool.concat(known)
    first = np.arange(len(everything)) >= len(pool)
    assembly.check_columns(recipe, everything)
    with _stage("hygiene", seconds):
        stays, dropped = hygiene.clean(everything.texts("instruction"), everything.texts("response"), rules, room, first=first)
    while True:
        usable = everything.take(stays)
        try:
            with _stage("features", seconds):
                assembled = assembly.assemble(recipe, usable, np.flatnonzero(first[stays]), room)
            break
        except UnusableRows as error:
            if rules.unusable != "drop" or len(error.rows) == len(stays):
                raise
            dropped += [Dropped(int(stays[row]), error.reason, str(error)) for row in error.rows]
            stays = np.delete(stays, error.rows)
    with _stage("selection", seconds):
        outcome = engine.select(assembled.problem, assembled.optimizer, seed=recipe.seed, progress=options.progress)
    chosen = usable.take(outcome.rows)
    seconds["total"] = time.monotonic() - began
    manifest = _manifest(recipe, pool, known, usable, outcome, assembled, dropped, seconds)
    return Selection(chosen, outcome, manifest, {**_dropped_table(everything, dropped), **assembled.tables})


def _read(source: PoolRecipe) -> Pool:
    return Pool.read(source.source, **source.model_dump(exclude={"source"}))


@contextmanager
def _stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.monotonic() - began
    log.info("%s: %.1f s", name, seconds[name])


@contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Every compiled loop and matrix product on this many threads; 0 leaves them on all cores."""
    if threads <= 0:
        yield
        return
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    try:
        with threadpool_limits(threads):
            yield
    finally:
        numba.set_num_threads(before)


def _dropped_table(pool: Pool, dropped: list[Dropped]) -> dict[str, pa.Table]:
    if not dropped:
        return {}
    at = np.array([one.position for one in dropped])
    columns = {"row": pool.rows[at], "id": pool.ids.take(pa.array(at)).combine_chunks()}
    words = {"reason": [one.reason for one in dropped], "detail": [one.detail for one in dropped]}
    return {"dropped.parquet": pa.table({**columns, **words})}


def _manifest(
    recipe: Recipe, pool: Pool, known: Pool | None, usable: Pool, outcome: Outcome, assembled: assembly.Assembly,
    dropped: list[Dropped], seconds: dict[str, float],
) -> dict[str, Any]:  # fmt: skip
    wanted = recipe.select
    by_rows = wanted.budget is not None
    return {
        "budget": wanted.budget if by_rows else wanted.token_budget,
        "budget_unit": "rows" if by_rows else "tokens",
        "selected": len(outcome.rows),
        "stopped": outcome.stopped,
        "objective": {
            "name": wanted.objective,
            "layer": None if wanted.mix else wanted.layer,
            "side": None if wanted.mix else wanted.side,
            "parts": _parts(assembled.problem),
            "value": _finite(outcome.value),
            "upper_bound": outcome.upper_bound,
            "ratio": outcome.ratio,
            "no_bound_because": outcome.no_bound_because,
            "random_value": _finite(outcome.random_value),
            "optimizer": wanted.optimizer,
            "evaluations": outcome.evaluations,
        },
        "seed": recipe.seed,
        "pool": {
            "source": pool.source,
            "format": pool.format,
            "rows": len(pool),
            "usable": len(usable) - len(outcome.kept),
            "fingerprint": pool.fingerprint,
            "skipped_lines": len(pool.skipped),
            "dropped": hygiene.counts(dropped),
        },
        "kept": None if known is None else {"source": known.source, "rows": len(known), "fingerprint": known.fingerprint},
        "tokens": assembled.tokens(outcome.rows),
        "features": assembled.facts,
        "notes": list(outcome.notes),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_memory_bytes": peak_memory(),
        "versions": _versions(),
        "recipe": recipes.write(recipe),
    }


def _parts(problem: Problem) -> list[dict[str, Any]]:
    """The parts of a mixture, each with its weight and the scale that makes the weights comparable."""
    objective = problem.objective
    if not isinstance(objective, Mixture):
        return []
    return [
        {"objective": repr(part), "weight": weight, "scale": scale}
        for part, weight, scale in zip(objective.parts, objective.weights, objective.scales, strict=True)
    ]


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in NAMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an optional package that is not here has no version to state
            continue
    return found


def peak_memory() -> int:
    """Bytes this process held at most so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""Recipe + Options -> Selection, or a folder."""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector import assembly, engine, hygiene, planning, writing
from selector import manifest as manifests
from selector import parts as naming
from selector import recipe as recipes
from selector.cache import Cache, NoCache, default_folder
from selector.core import NO_ROWS, Outcome, Progress, Room, Rows, quiet
from selector.errors import BudgetError, InputError, OutputError, RecipeError, UnusableRows, plural
from selector.features import dense, sparse
from selector.hygiene import Dropped, Hygiene
from selector.pool import Pool
from selector.recipe import PoolRecipe, Recipe
from selector.selection import Selection

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How, on this machine: nothing here changes which rows are picked."""

    device: str = "cpu"
    threads: int = 0  # 0: all cores
    memory: int = 4 << 30  # bytes for the whole run
    cache: Path | None = field(default_factory=default_folder)  # None: keep no features
    progress: Progress = quiet
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", self.device):
            raise RecipeError(f"the device is '{self.device}'; write cpu, cuda, cuda:N or mps.")
        if self.threads < 0:
            raise RecipeError(f"threads is {self.threads}; write how many to use, or 0 for all cores.")
        if self.memory < 1:
            raise RecipeError(f"memory is {self.memory}; write a number of bytes.")


def run(recipe: Recipe | str | Path, output: str | Path, options: Options | None = None) -> Selection:
    """Do what the recipe says and write the folder. Raises SelectorError, before any work where that can be known."""
    options = options or Options()
    recipe = recipe if isinstance(recipe, Recipe) else recipes.read(recipe)
    writing.check(Path(output), options.overwrite)
    for source in (recipe.pool, recipe.select.keep):
        if (
            source is not None
            and (there := Path(source.source).expanduser()).exists()
            and there.resolve().is_relative_to(Path(output).resolve())
        ):
            raise OutputError(f"{output} holds {source.source}, which is read; writing there would destroy it. Name another folder.")
    selection = solve(recipe, options=options)
    options.progress("writing", 0, 0)
    selection.save(output, write_as=recipe.output.write_as, save=recipe.output.save, overwrite=options.overwrite)
    return selection


def plan(recipe: Recipe, options: Options | None = None) -> planning.Plan:
    """What `run` would take on this machine: reads the pool and times samples of it, makes nothing. Raises SelectorError."""
    options = options or Options()
    with _threads(options.threads):
        assembly.check(recipe)
        began = time.monotonic()
        options.progress("reading", 0, 0)
        pool = _read(recipe.pool)
        planning.check(recipe, len(pool), options.memory)
        options.progress("planning", 0, 0)
        store = NoCache() if options.cache is None else Cache(options.cache)
        room = Room(store, options.progress, options.device, options.threads, options.memory // 3)
        return planning.plan(recipe, pool, time.monotonic() - began, room, options.memory)


def select(pool: Pool | str | Path | Any, *, options: Options | None = None, **words: Any) -> Selection:
    """The same words as the command line: select(pool, budget=1000, layer="micro", side="response", objective="facility-location").

    `pool` is a Pool, anything Pool.read takes, or a table. The words are the keys of a recipe's `select`, and `seed`, `tokenizer`,
    `hygiene`, `layers`; `parameters` are those of the objective, as {"kernel": "rbf"}. Raises SelectorError.
    """
    if options is not None and not isinstance(options, Options):
        raise RecipeError("options says how it is computed (selector.Options); write the parameters of the objective as parameters={...}.")
    if "parameters" in words:
        words["options"] = words.pop("parameters")
    if isinstance(pool, (str, Path)):
        pool = Pool.read(pool)
    elif not isinstance(pool, Pool):
        pool = Pool.from_table(pool)
    top = {key: words.pop(key) for key in ("seed", "tokenizer", "hygiene", "layers") if key in words}
    recipe = recipes.check({"pool": {"source": pool.source, "format": pool.format}, "select": words, **top}, source="select()")
    return solve(recipe, pool=pool, options=options)


def select_rows(vectors: Any, *, budget: int, objective: str = "facility-location", optimizer: str = "lazy", seed: int = 0,
                kept: Any = NO_ROWS, unit: bool = True, memory: int = 2 << 30, device: str = "cpu",
                **parameters: Any) -> Outcome:  # fmt: skip
    """Select rows of one's own matrix (n, d), dense or scipy sparse; `unit` scales each row to length 1 first (cosine).

    `parameters` belong to the objective. Row numbers count in the matrix. On the `device` 'cuda' facility location on dense vectors
    picks the same rows as on the cpu. Raises InputError for NaN or infinite values, BudgetError for a budget that the rows cannot fill,
    UnknownName or RecipeError.
    """
    from scipy.sparse import issparse

    features = sparse(vectors, unit=unit) if issparse(vectors) else dense(vectors, unit=unit)
    chosen = np.unique(np.asarray(kept, np.int64))
    return engine.select(assembly.rows_problem(features, budget, objective, parameters, chosen, memory, seed, device),
                         naming.optimizer(optimizer, {}), seed=seed)  # fmt: skip


def solve(recipe: Recipe, *, pool: Pool | None = None, options: Options | None = None) -> Selection:
    """The selection that the recipe states, nothing written. `pool` stands for the recipe's pool where it is already read."""
    options = options or Options()
    with ExitStack() as stack:
        stack.enter_context(_threads(options.threads))
        # Without a cache features are still asked for more than once in a run (vectors, then the vocabulary): they live as long as it.
        folder = options.cache or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="selector-")))
        room = Room(Cache(folder), options.progress, options.device, options.threads, options.memory // 3)
        return _solve(recipe, pool, room)


def _solve(recipe: Recipe, given: Pool | None, room: Room) -> Selection:
    seconds: dict[str, float] = {}
    began = time.monotonic()
    rules = naming.build(Hygiene, {"tokenizer": recipe.tokenizer, **recipe.hygiene}, "hygiene")
    assembly.check(recipe)
    with _stage("read", seconds):
        room.progress("reading", 0, 0)
        pool = given if given is not None else _read(recipe.pool)
        known = _read(recipe.select.keep) if recipe.select.keep else None
    planning.check(recipe, len(pool), 3 * room.memory)
    everything = pool if known is None else pool.concat(known)
    first = np.arange(len(everything)) >= len(pool)
    assembly.check_columns(recipe, everything, np.flatnonzero(first))
    with _stage("hygiene", seconds):
        stays, dropped = hygiene.clean(everything.texts("instruction"), everything.texts("response"), rules, room, first=first)
    while True:
        _enough(recipe, pool, known, first, stays, dropped)
        usable = everything.take(stays)
        try:
            with _stage("features", seconds):
                assembled = assembly.assemble(recipe, usable, np.flatnonzero(first[stays]), room)
            break
        except UnusableRows as error:
            at = stays[np.asarray(error.rows)]
            if rules.unusable != "drop":
                where = _where(everything, int(at[0]), first)
                raise InputError(f"{error} Counted in the source the first is {where}; --unusable drop leaves such rows out.") from error
            dropped += [Dropped(int(position), error.reason, "the features cannot be made") for position in at]
            stays = np.delete(stays, error.rows)
    with _stage("selection", seconds):
        outcome = engine.select(assembled.problem, assembled.optimizer, seed=recipe.seed, progress=room.progress)
    chosen = pool.take(stays[outcome.rows])  # not from everything, where the columns are those of the kept rows too
    seconds["total"] = time.monotonic() - began
    manifest = manifests.manifest(recipe, pool, known, usable, outcome, assembled, dropped, seconds)
    left_out = {"dropped.parquet": manifests.dropped_table(pool, known, everything, dropped)} if dropped else {}
    return Selection(chosen, outcome, manifest, {**left_out, **assembled.tables})


def _enough(recipe: Recipe, pool: Pool, known: Pool | None, first: NDArray[np.bool_], stays: Rows, dropped: list[Dropped]) -> None:
    """Raises BudgetError or InputError where too few rows are left to choose from, saying what became of the others."""
    usable, budget = int((~first[stays]).sum()), recipe.select.budget
    why = ", ".join(f"{count:,} {reason}" for reason, count in hygiene.counts(_of(dropped, first, False)).items())
    left_out = f" (dropped: {why})" if why else ""
    if not usable:
        raise InputError(
            f"none of the {plural(len(pool), 'row')} of {pool.source} can be used{left_out}; loosen hygiene or read another pool."
        )
    if budget is not None and budget > usable:
        raise BudgetError(
            f"the budget is {plural(budget, 'row')} but {usable:,} of the {plural(len(pool), 'row')} of {pool.source} can be used"
            f"{left_out}; lower the budget."
        )
    if known is not None and not first[stays].any():
        why = ", ".join(hygiene.counts(_of(dropped, first, True)))
        raise InputError(
            f"none of the {plural(len(known), 'row')} to keep of {known.source} can be used ({why}); mend them, or leave keep out."
        )


def _of(dropped: list[Dropped], first: NDArray[np.bool_], kept: bool) -> list[Dropped]:
    return [one for one in dropped if first[one.position] == kept]


def _where(everything: Pool, position: int, first: NDArray[np.bool_]) -> str:
    return f"row {position - int((~first).sum())} of the rows to keep" if first[position] else f"row {everything.rows[position]}"


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

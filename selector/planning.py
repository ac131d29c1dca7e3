"""What a recipe will take on this machine, before anything heavy runs: seconds and memory of each stage."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from selector import forecasts, hygiene, tokenizers
from selector import parts as naming
from selector.assembly import SIDES
from selector.cache import NoCache
from selector.core import Layer, Objective, Procedure, Room, Similarity, Types, quiet
from selector.errors import MemoryForecast, SelectorError, size
from selector.features import Vectors
from selector.forecasts import Cost, Machine, Shape
from selector.hygiene import Hygiene
from selector.objectives.dpp import Dpp
from selector.objectives.facility_location import FacilityLocation
from selector.plan_stages import NotKept, OnlyKept, Stage, lengths, sample, verdict
from selector.pool import Pool
from selector.recipe import Recipe

log = logging.getLogger(__name__)

ENOUGH = 1.5  # seconds that a sample must take to be believed
LARGEST = 16_384  # rows of a sample
PROGRAM = 500 << 20  # bytes of Python and the packages, with nothing read
WRITTEN = 50e6  # bytes a second that end up on disk, compressed and hashed


@dataclass(frozen=True)
class Plan:
    """All stages, in order; the memory of a run is that of its stages together, since features stay while rows are picked."""

    stages: tuple[Stage, ...]
    memory: int  # what --memory allows
    machine: Machine

    @property
    def seconds(self) -> float:
        return sum(one.seconds or 0.0 for one in self.stages)

    @property
    def bytes(self) -> float:
        return PROGRAM + sum(one.bytes or 0.0 for one in self.stages)

    @property
    def unknown(self) -> list[str]:
        """Stages of which not everything is known."""
        return [one.name for one in self.stages if one.seconds is None or one.bytes is None]


def plan(recipe: Recipe, pool: Pool, read: float, room: Room, memory: int) -> Plan:
    """The plan for a pool that took `read` seconds to read. `memory` is the memory option.

    Every layer is timed on samples of the pool's own texts that double until one takes 1.5 seconds; features in the cache are looked
    up instead. Objectives are reckoned by `forecasts`. Raises MemoryForecast for what can fit neither the option nor this machine.
    """
    machine = forecasts.probe()
    quiet_room = replace(room, progress=quiet)
    text = float(pool.table.nbytes + pool.instructions.nbytes + pool.responses.nbytes)
    stages = [Stage("read", read, text, "just done")]
    rules = naming.build(Hygiene, {"tokenizer": recipe.tokenizer, **recipe.hygiene}, "hygiene")
    meant = rules.rule()[0] == "semantic"
    usable, stage = _cleaned(replace(rules, dedup="exact") if meant else rules, pool, quiet_room)
    stages.append(stage)
    if meant:
        stages.append(_meant(recipe, usable, quiet_room, machine))
    named = naming.parts(recipe)
    shapes: dict[tuple[str, str], Shape | None] = {}
    picks = _picks(recipe, usable, quiet_room)
    for need in dict.fromkeys(need for part in named for need in part.objective.needs if need.view != "scores"):
        of, _, side = need.name.rpartition("/")
        stage, shape = _features(recipe, of, need.view, side, usable, quiet_room, naming.asked(recipe, need))
        stages.append(stage)
        shapes[need.view, need.name] = None if shape is None else replace(shape, picks=picks)
    for part in named:
        shape = next((shapes[need.view, need.name] for need in part.objective.needs if need.view != "scores"), Shape(len(usable), picks))
        cost = (
            None if shape is None else forecasts.selection(part.objective, recipe.select.optimizer, recipe.select.optimizer_options, shape)
        )
        own = not isinstance(part.objective, Objective)
        by = f"{'its own loop' if own else recipe.select.optimizer}, {picks:,} picks"
        if shape is None or cost is None:
            stages.append(Stage(f"select: {part.name}", None, None, f"{by}: no cost model"))
            continue
        kept = min(room.memory, _held(part.objective, shape, cost))
        stages.append(Stage(f"select: {part.name}", machine.seconds(cost), kept, by))
        if not own:
            seconds = machine.seconds(forecasts.certificate(part.objective, shape, recipe.select.optimizer))
            stages.append(Stage("  certificate", seconds, 0.0, "and a random reference"))
    if recipe.select.lengths == "pool" or recipe.select.verdict:
        stages.append(lengths(recipe, named, usable, quiet_room))
    if recipe.select.verdict:
        stages += [verdict(shape, picks, machine) for need in shapes if (shape := shapes[need]) is not None]
    share = picks / max(1, len(usable))
    stages.append(Stage("write", 0.3 + share * pool.table.nbytes / WRITTEN, share * pool.table.nbytes, f"{picks:,} rows"))
    made = Plan(tuple(stages), memory, machine)
    _check(made)
    return made


def check(recipe: Recipe, rows: int, memory: int) -> None:
    """Raises MemoryForecast for what cannot fit whatever the texts are; no probe, no work."""
    from selector.kernels import factor

    for part in naming.parts(recipe):
        if isinstance(part.objective, Dpp) and part.objective.kernel == "rbf" and recipe.select.budget is not None:
            factor.forecast(min(recipe.select.budget, rows), memory // 3)


def _check(made: Plan) -> None:
    """Raises MemoryForecast where the run can fit neither the option nor the machine, saying what would."""
    largest = max(made.stages, key=lambda one: one.bytes or 0.0)
    for limit, what, mend in (
        (made.memory, "the memory option allows", f"give --memory {made.bytes / 2**30 + 0.5:.0f}GB, take fewer rows"),
        (made.machine.memory, "this machine has free", "take fewer rows or a larger machine"),
    ):
        if made.bytes > limit + PROGRAM:  # the option is planned with; the program itself is beside it
            raise MemoryForecast(
                f"this takes about {size(made.bytes)}, most of it for {largest.name.strip()} ({size(largest.bytes or 0.0)}), but {what} "
                f"{size(limit)}; {mend}, or choose another layer: micro and meso hold a few entries a row."
            )


def _cleaned(rules: Hygiene, pool: Pool, room: Room) -> tuple[Pool, Stage]:
    """The usable rows, where finding them is cheap, or all rows."""
    easy = not rules.dedup.startswith("near") and all(limit is None for side in SIDES for limit in rules.token_limits(side))
    some = pool if easy else pool.take(sample(len(pool), LARGEST // 4))
    began = time.perf_counter()
    stays, _ = hygiene.clean(some.texts("instruction"), some.texts("response"), rules, room if easy else replace(room, store=NoCache()))
    took = time.perf_counter() - began
    if easy:
        return pool.take(stays), Stage("hygiene", took, 0.0, f"just done: {len(stays):,} of {len(pool):,} rows are usable")
    return pool, Stage("hygiene", took * len(pool) / len(some), 0.0, f"by {len(some):,} rows; near copies can take longer")


def _meant(recipe: Recipe, pool: Pool, room: Room, machine: Machine) -> Stage:
    """Finding semantic copies: the macro vectors of both sides, the two joined, and what is done with them."""
    stage, shape = _features(recipe, "macro", "vectors", "both", pool, room)
    if shape is None or stage.seconds is None or stage.bytes is None:
        return replace(stage, name="semantic copies")
    seconds = stage.seconds + machine.seconds(forecasts.semantic(shape))
    return Stage("semantic copies", seconds, 1.5 * stage.bytes, f"macro vectors {stage.because}; made again for the rows that stay")


def _picks(recipe: Recipe, pool: Pool, room: Room) -> int:
    if recipe.select.token_budget is None:
        return min(recipe.select.budget or 0, len(pool))
    some = pool.take(sample(len(pool), 512))
    sampled = replace(room, store=NoCache())
    each = sum(float(tokenizers.tokens(some.texts(side), recipe.tokenizer, sampled).lengths.mean()) for side in SIDES)
    return min(int(recipe.select.token_budget / max(1.0, each)), len(pool), recipe.select.budget or len(pool))


def _features(
    recipe: Recipe, name: str, view: str, side: str, pool: Pool, room: Room, of: Layer | None = None
) -> tuple[Stage, Shape | None]:
    """The stage that makes one view of a layer, and the shape of what it makes."""
    title = f"{name}/{side}"
    if recipe.layers.get(name, {}).get("tagger") == "llm":
        return Stage(title, None, None, "answers of a language model: see its own forecast"), None
    of, sides = of or naming.layer(recipe, name), SIDES if side == "both" else (side,)
    began = time.perf_counter()
    try:
        found = [_view(of, view, pool, one, replace(room, store=OnlyKept(room.store))) for one in sides]
    except NotKept:
        pass
    else:
        shape = _joined([_shape(one, len(pool), one.size) for one in found])
        return Stage(title, time.perf_counter() - began, _bytes(shape), "in the cache"), shape
    timed = [_timed(of, view, pool, one, replace(room, store=NoCache())) for one in sides]
    if any(one is None for one in timed):
        return Stage(title, None, None, "cannot be made from a sample"), None
    there = [one for one in timed if one is not None]
    shape = _joined([one[1] for one in there])
    rows = " and ".join(f"{one[2]:,}" for one in there)
    return Stage(title, sum(one[0] for one in there), _bytes(shape), f"by {rows} sampled rows"), shape


def _view(of: Layer, view: str, pool: Pool, side: str, room: Room) -> Similarity | Types:
    return of.vectors(pool.texts(side), room) if view == "vectors" else of.types(pool.texts(side), room)


def _timed(of: Layer, view: str, pool: Pool, side: str, room: Room) -> tuple[float, Shape, int] | None:
    """Seconds for all rows, the shape, and the rows of the last sample; None where no sample will do.

    The first sample also loads and compiles; the line through the last two parts what is paid once from what is paid for each row.
    """
    seconds, rows, made = list[float](), list[int](), None
    count = min(256, len(pool))
    while True:
        some = pool.take(sample(len(pool), count))
        began = time.perf_counter()
        try:
            made = _view(of, view, some, side, room)
        except SelectorError as error:
            if count >= min(LARGEST, len(pool)):
                log.info("plan: %s of %s from %d rows: %s", view, side, count, error)
                return None
            count = min(4 * count, LARGEST, len(pool))
            continue
        seconds.append(time.perf_counter() - began)
        rows.append(count)
        if count == min(LARGEST, len(pool)) or (len(rows) > 2 and seconds[-1] > ENOUGH):
            break
        count = min(2 * count, LARGEST, len(pool))
    if len(rows) == 1:
        return seconds[0] * len(pool) / rows[0], _shape(made, len(pool), rows[0]), rows[0]
    each = max(0.0, (seconds[-1] - min(seconds[:-1][-2:])) / (rows[-1] - rows[-2])) or seconds[-1] / rows[-1]
    once = max(0.0, seconds[0] - each * rows[0])
    return once + each * len(pool), _shape(made, len(pool), rows[-1]), rows[-1]


def _shape(found: Any, rows: int, sampled: int) -> Shape:
    """What the features of all rows look like, by those of `sampled` rows: entries a row stay, and lists grow with the rows."""
    if isinstance(found, Vectors):
        return Shape(rows, 0, dimensions=found.dimensions)
    matrix = found.incidence if isinstance(found, Types) else found.data
    entries = matrix.nnz / max(1, sampled)
    carriers = np.bincount(matrix.indices, minlength=1).astype(np.float64)
    walks = float((carriers**2).sum()) / max(1, sampled)  # steps of an average row in the sample
    return Shape(rows, 0, dimensions=int(matrix.shape[1]), entries=entries, walks=walks, sparse=True)


def _joined(shapes: list[Shape]) -> Shape:
    first = shapes[0]
    if len(shapes) == 1:
        return first
    return replace(
        first,
        dimensions=sum(one.dimensions for one in shapes),
        entries=sum(one.entries for one in shapes),
        walks=sum(one.walks for one in shapes),
    )


def _bytes(shape: Shape) -> float:
    """The features themselves, with their inverted index; of dense vectors also the copy that is checked and scaled."""
    return shape.rows * (16.0 * shape.entries if shape.sparse else 8.0 * shape.dimensions)


def _held(objective: Objective | Procedure, shape: Shape, cost: Cost) -> float:
    """What the selection holds beside the features: kept similarities of dense facility location, a few in a hundred of all pairs."""
    held = 0.01 * 8.0 * shape.rows * shape.rows if isinstance(objective, FacilityLocation) and not shape.sparse else 64.0 * shape.rows
    return held + cost.bytes

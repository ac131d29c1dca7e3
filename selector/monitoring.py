"""A new batch of a growing dataset: measured beside the earlier ones, and put into their history."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selector import comparing, drift, histories, manifest, measuring, preparing
from selector import recipe as recipes
from selector.core import Reading, Room, Rows
from selector.drift import Counts
from selector.errors import InputError, RecipeError, plural
from selector.histories import Batch, History
from selector.measuring import Gauge, Standing
from selector.monitor_recipe import MonitorRecipe
from selector.options import Options, room
from selector.pool import Pool
from selector.reading import KINDS
from selector.recipe import PoolRecipe
from selector.report.page import page
from selector.report.sections import over_time

MOST_VALUES = 100  # of a column whose shares are watched
NONE = "(none)"  # what a row without a value has


def monitor(
    history: str | Path, dataset: Any, *, label: str | None = None, at: str | None = None, replace: bool = False,
    options: Options | None = None, **words: Any,
) -> History:  # fmt: skip
    """Measure a new batch, hold it against the earlier ones and put it into the history; draw the history as a page beside it.

    `history` is a JSON file, made by the first call; the page has its name and ends in .html. `dataset` is what Pool.read takes, or its
    words as {"source": "week.jsonl", "format": "alpaca"}: later calls read it again. `label` is the dataset's name and `at` (ISO 8601)
    today where not given. The words are `pool` (what every batch is held against instead of the earlier ones), `layers`, `tokenizer`,
    `hygiene`, `seed`, and `monitor` = {"layers": ["micro"], "sides": ["response"], "references": 20, "level": 0.01, "watch":
    ["source"]}; a later call says none, or the same. `replace` takes the place of the batch with this label, or with these rows, and
    measures the batches after it again. Raises SelectorError, and leaves history and page as they were then.
    """
    if options is not None and not isinstance(options, Options):
        raise RecipeError("options says how it is computed (selector.Options); write the parameters of layers as layers={...}.")
    told = dataset if isinstance(dataset, Mapping) else {"source": str(dataset)}
    return solve(Path(history), recipes.checked(PoolRecipe, dict(told)), words, label=label, at=at, replace=replace, options=options)


def solve(
    path: Path, dataset: PoolRecipe, told: Mapping[str, Any], *, label: str | None = None, at: str | None = None, replace: bool = False,
    options: Options | None = None,
) -> History:  # fmt: skip
    """As `monitor`; what is `told` are nested words, those of a first call or those to hold a later one to."""
    histories.page_of(path)
    before, content = histories.read(path)
    folder = path.absolute().parent
    recipe = histories.agreed(before, _pool_kept(told, folder), path)
    done = [] if before is None else before.batches
    with room(options or Options()) as here:
        here.progress("reading", 0, 0)
        new = preparing.read(dataset)
        pool = None if recipe.pool is None else preparing.read(_from(folder, recipe.pool))
        if before is not None and pool is not None and pool.fingerprint != before.pool_fingerprint:
            raise InputError(f"the pool {pool.source} of {path} has other rows now; put them back, or begin a new history with this pool.")
        place = _place(done, new, label, replace, path)
        old = done[place] if place < len(done) else None
        name = label or (old.label if old else _name(dataset.source))
        when = _when(at, old, done[:place][-1:], done[place + 1 : place + 2])
        kept = dataset.model_copy(update={"source": _kept(dataset.source, folder)})
        coming = [(name, when, kept), *((one.label, one.at, one.dataset) for one in done[place + 1 :])]
        pools = {name: new}
        entries = list(done[:place])
        for own, moment, words in coming:
            base = [] if pool is not None else [one for one in entries if not one.flagged]
            for one in [*base, *(one for one in done if one.label == own and own not in pools)]:
                if one.label not in pools:
                    pools[one.label] = _again(one, folder, path)
            against = [pools[one.label] for one in base] if pool is None else [pool]
            batch = _measured(recipe, pools[own], against, len(entries), here)
            entries.append(Batch(label=own, at=moment, dataset=words, base=[one.label for one in base], **batch))
    found = History(recipe=recipe, pool_fingerprint=None if pool is None else pool.fingerprint, batches=entries)
    histories.write(path, found, _page(found, path), content)
    return found


def _page(found: History, path: Path) -> str:
    told, last = found.to_dict(), found.batches[-1]
    base = "the pool" if found.recipe.pool else f"{len(last.base):,} of {len(found.batches) - 1:,} earlier batches"
    facts = [
        ("batches", f"{len(found.batches):,}, {found.batches[0].at} to {last.at}"),
        ("last batch", f"{last.label}, {plural(last.rows, 'distinct row')}"),
        *([("held against", f"{plural(last.base_rows, 'distinct row')} of {base}")] if last.base_rows else []),
    ]
    return page(f"Drift over time: {path.stem}", found.lead, [over_time.section(told)], told, facts)


def _measured(recipe: MonitorRecipe, new: Pool, against: Sequence[Pool], number: int, here: Room) -> dict[str, Any]:
    """What is found of one batch, with `number` before it, held against these pools together."""
    words = recipe.monitor
    counts = {name: _counts(new, name) for name in words.watch}
    columns = {}
    for name in words.watch:
        base: Counter[str] = sum((Counter(_counts(one, name)) for one in against), Counter())
        columns[name] = Counts(counts[name], base)
        if (values := len({**counts[name], **base})) > MOST_VALUES:
            raise InputError(f"the column '{name}' of {new.source} and its base has {values:,} values; watch one of at most {MOST_VALUES}.")
    read = [PoolRecipe(source=one.source) for one in (*against, new)]
    union, facets = comparing.opened(recipe.measuring(read), here, datasets=[*against, new])
    own, everything = union.members[-1], np.arange(len(union.everything))
    # From all rows, the batch's too: where nothing has changed the batch is one of these sets, however few rows there are beside it.
    random = measuring.at_random(everything, len(own.rows), words.references, (recipe.seed, 3, number)) if against else []
    sets: dict[str, Rows] = {"batch": own.rows, **{f"random {one}": rows for one, rows in enumerate(random)}}
    for facet in facets:
        comparing.written(facet, union)
    found = measuring.readings(facets, sets, words.layers, here.progress)
    references = [found[name] for name in sets if name != "batch"]
    standings = measuring.standings(found["batch"], references) if references else {}
    rng = np.random.default_rng([recipe.seed, 4, 1 + number])
    beside = np.unique(np.concatenate([one.rows for one in union.members[:-1]])) if against else np.empty(0, np.int64)
    said = drift.watched(found["batch"], references, columns, words.level, rng) if references else []
    return {
        "fingerprint": new.fingerprint,
        "rows": len(own.rows),
        "rows_read": own.read,
        "rows_repeated": own.repeated,
        "rows_dropped": dict(own.dropped),
        "rows_known": int(np.isin(own.rows, beside).sum()),
        "base_rows": len(beside),
        "counts": counts,
        "watched": said,
        "measures": [_line(gauge, reading, standings.get(gauge)) for gauge, reading in found["batch"].items()],
        "versions": manifest.versions(),
    }


def _line(gauge: Gauge, reading: Reading, standing: Standing | None) -> dict[str, Any]:
    return {
        "side": gauge.side,
        "layer": gauge.layer,
        "measure": gauge.scale.name,
        "direction": gauge.scale.direction,
        "judged": gauge.scale.judged,
        "value": reading.value if math.isfinite(reading.value) else None,
        "standard_error": reading.error,
        "random_mean": standing and standing.mean,
        "random_sd": standing and standing.sd,
        "random_z": standing and standing.z,
    }


def _place(done: Sequence[Batch], new: Pool, label: str | None, replace: bool, path: Path) -> int:
    """Which batch of the history the new one is. Raises InputError where it is there already and is not to be replaced."""
    rows = next((number for number, one in enumerate(done) if one.fingerprint == new.fingerprint), None)
    named = next((number for number, one in enumerate(done) if one.label == (label or _name(new.source))), None)
    if rows is not None and named is not None and rows != named:
        raise InputError(
            f"{new.source} has the rows of the batch '{done[rows].label}' and the label of '{done[named].label}' in {path}; give it the "
            "label that is meant with --label."
        )
    place = rows if rows is not None else named
    if place is None:
        return len(done)
    if not replace:
        what = f"these rows as '{done[place].label}'" if rows is not None else f"a batch called '{done[place].label}' with other rows"
        raise InputError(f"{path} has {what} already; measure it anew in its place with --replace, or name the batch otherwise (--label).")
    return place


def _when(at: str | None, old: Batch | None, before: Sequence[Batch], after: Sequence[Batch]) -> str:
    """ISO 8601. Raises InputError for another form, and for a batch out of the order of time."""
    at = at or (old.at if old else date.today().isoformat())
    try:
        moment = _moment(at)
    except ValueError:
        raise InputError(f"the time of the batch is '{at}'; write a date as 2026-03-31, or a time as 2026-03-31T12:00.") from None
    for other in (*(one for one in before if _moment(one.at) > moment), *(one for one in after if _moment(one.at) < moment)):
        raise InputError(f"the batch is of {at}, but '{other.label}' beside it of {other.at}; batches stand in the order of time (--at).")
    return at


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at).replace(tzinfo=None)


def _counts(pool: Pool, name: str) -> dict[str, int]:
    """Rows by value of a column. Raises InputError where there is none, or where it has too many values to have shares."""
    if name not in pool.table.column_names:
        there = ", ".join(pool.table.column_names)
        raise InputError(
            f"the column '{name}' is watched, but {pool.source} has none; it has {there}. Add it, or begin a history without it."
        )
    column = pool.column(name)
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_nested(column.type):
        raise InputError(
            f"the column '{name}' of {pool.source} holds {column.type}; watch columns of text, whole numbers or true and false."
        )
    found = {one["values"]: one["counts"] for one in pc.value_counts(pc.fill_null(pc.cast(column, pa.string()), NONE)).to_pylist()}
    if len(found) > MOST_VALUES:
        raise InputError(f"the column '{name}' of {pool.source} has {len(found):,} values; shares are watched of at most {MOST_VALUES}.")
    return dict(sorted(found.items()))


def _again(batch: Batch, folder: Path, path: Path) -> Pool:
    """The rows of an earlier batch. Raises InputError where they are gone or others by now."""
    try:
        found = preparing.read(_from(folder, batch.dataset))
    except InputError as error:
        raise InputError(
            f"the batch '{batch.label}' of {path} is to be read again, since later ones are held against it: {error} Put it back where it "
            "was, or begin a history with a --pool, which needs no earlier batch."
        ) from error
    if found.fingerprint != batch.fingerprint:
        raise InputError(
            f"{found.source} no longer has the rows that the batch '{batch.label}' of {path} had; put them back, or take the new ones with "
            f"--replace --label {batch.label}."
        )
    return found


def _pool_kept(told: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The words of a call, with the pool's place as the history keeps it."""
    pool = told.get("pool")
    if pool is None:
        return {key: value for key, value in told.items() if key != "pool"}
    words = dict(pool) if isinstance(pool, Mapping) else {"source": str(pool)}
    return {**told, "pool": {**words, "source": _kept(words["source"], folder)} if "source" in words else words}


def _kept(source: str, folder: Path) -> str:
    """A path of this folder's neighbourhood as seen from the history, beginning with a dot; anything else as it was given."""
    path = Path(source)
    if source == "demo" or path.is_absolute() or not path.exists():
        return source
    seen = Path(os.path.relpath(path.absolute(), folder)).as_posix()
    return seen if seen.startswith("..") else f"./{seen}"


def _from(folder: Path, words: PoolRecipe) -> PoolRecipe:
    """The same, to be read from here."""
    return words.model_copy(update={"source": str(folder / words.source)}) if words.source.startswith(".") else words


def _name(source: str) -> str:
    """`week-07` of data/week-07.jsonl.gz; a hub dataset's whole name."""
    path = Path(source).expanduser()
    if source == "demo" or not path.exists():
        return source
    name = path.resolve().name
    return next((name.removesuffix(end) for end in sorted(KINDS, key=len, reverse=True) if name.endswith(end)), name)

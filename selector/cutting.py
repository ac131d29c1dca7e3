"""A pool cut in two: rows for evaluation, and the rest, which repeats none of what is evaluated on."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from selector import configurations, preparing, rendering, running
from selector import manifest as manifests
from selector import parts as naming
from selector.errors import BudgetError, plural
from selector.hold_out_recipe import HoldOutRecipe
from selector.holding_out import hold_out, without_copies
from selector.hygiene import Hygiene
from selector.options import Options, room
from selector.pool import Pool
from selector.preparing import stage

HELD_OUT = 3  # the stream of the seed


def run(recipe: HoldOutRecipe, output: str | Path, options: Options | None = None) -> Path:
    """Writes a folder with the configurations `rest` and `held-out`, and the rows that are in neither with why. Raises SelectorError.

    First hygiene, then what nearly repeats the pairs named under `apart` goes, then `rows` rows are held out at random, then what nearly
    repeats one of those goes.
    """
    options, words, seconds, began = options or Options(), recipe.hold_out, dict[str, float](), time.monotonic()
    running.check_output(output, (recipe.pool, *words.apart), options)
    rules = naming.build(Hygiene, {"tokenizer": recipe.tokenizer, **recipe.hygiene}, "hygiene")
    with room(options) as here:
        with stage("read", seconds):
            here.progress("reading", 0, 0)
            others = [preparing.read(one) for one in words.apart]
            rows = preparing.everything(preparing.read(recipe.pool), _joined(others))
        with stage("hygiene", seconds):
            rows = preparing.clean(rows, rules, here, naming.meaning(recipe, here))
        with stage("held out", seconds):
            if others:
                rows = without_copies(rows, words.near, here)
            there = int((~rows.first[rows.stays]).sum())
            if words.rows >= there:
                raise BudgetError(f"{plural(words.rows, 'row')} are to be held out, but {there:,} can be used; hold out fewer.")
            rows, held = hold_out(rows, words.rows, words.near, np.random.default_rng([recipe.seed, HELD_OUT]), here)
    placed = {"rest": rows.stays[~rows.first[rows.stays]], "held-out": held}
    tables = {}
    for name, at in placed.items():
        pool = rows.pool.take(at)
        tables[name] = pool.table if recipe.output.write_as == "original" else rendering.render(pool, recipe.output.write_as)
    seconds["total"] = time.monotonic() - began
    manifest = {
        "hold_out": {"rows": len(held), "rest": len(placed["rest"]), "near": words.near, "apart": [one.source for one in words.apart]},
        "seed": recipe.seed,
        **manifests.sources(rows),
        **manifests.circumstances(recipe, seconds),
    }
    picks = pa.table(
        {
            "set": np.repeat(list(placed), [len(at) for at in placed.values()]),
            "row": rows.pool.rows[np.concatenate(list(placed.values()))],
            "id": rows.pool.ids.take(pa.array(np.concatenate(list(placed.values())))).combine_chunks(),
        }
    )
    left_out = {"dropped.parquet": manifests.dropped_table(rows)} if rows.dropped else {}
    title = Path(output).resolve().name
    body = (
        f"# {title}\n\n`held-out`: {plural(len(held), 'row')} of `{rows.pool.source}` for evaluation, drawn at random with seed "
        f"{recipe.seed}. `rest`: {plural(len(placed['rest']), 'row')} to choose from, none of which is similar by {words.near:g} or more "
        "to a pair that is evaluated on. `dropped.parquet` lists the rows that are in neither."
    )
    beside = {"picks.parquet": picks, **left_out, "manifest.json": manifest}
    return configurations.write(output, tables, beside, body, tags=["held-out"], overwrite=options.overwrite)


def _joined(pools: list[Pool]) -> Pool | None:
    if not pools:
        return None
    whole = pools[0]
    for one in pools[1:]:
        whole = whole.concat(one)
    return whole

"""Answers that a model is scored on, which it was not trained on, and what it scores: by set, by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from selector.errors import InputError, RecipeError, plural, unknown
from selector.formats import text
from selector.pool import Pool


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Pairs to score, those with a response only, and the source of each ('' where the set has no such column)."""

    name: str
    pool: Pool
    sources: Sequence[str]  # (n,)
    blank: int  # rows without a response, left out


def read(written: Sequence[str], column: str | None) -> list[HeldOut]:
    """The sets of `NAME=SOURCE` or `SOURCE`, each anything that Pool.read takes; the name is the file's where none is written.

    `column` holds the source of a row; None takes `source` where there is one. Raises InputError, RecipeError and UnknownName.
    """
    if not written:
        raise RecipeError("a model is scored on answers, but none are named; write --on NAME=FILE.")
    found: dict[str, HeldOut] = {}
    for one in written:
        name, equals, source = one.partition("=")
        name, source = (name, source) if equals else (Path(one).stem, one)
        if not name or "/" in name or name in found or name == "score":
            raise RecipeError(f"a set to score on is written '{one}'; give each a name of its own without '/', as --on prompts=FILE.")
        found[name] = _read(name, source, column)
    return list(found.values())


def _read(name: str, source: str, column: str | None) -> HeldOut:
    pool = Pool.read(source)
    there = np.flatnonzero(pc.not_equal(pc.utf8_trim_whitespace(pool.responses), "").to_numpy())
    if not len(there):
        raise InputError(f"{source}: none of {plural(len(pool), 'row')} has a response to score; name another file.")
    if column is not None and column not in pool.table.column_names:
        raise unknown("column", column, pool.table.column_names)
    wanted = column or "source"
    answered = pool.take(there)
    sources = text(answered.column(wanted), wanted, source).to_pylist() if wanted in pool.table.column_names else [""] * len(there)
    return HeldOut(name, answered, sources, len(pool) - len(there))


def scores(found: Mapping[HeldOut, tuple[NDArray[np.float64], NDArray[np.int64]]]) -> dict[str, Any]:
    """Each set's score, and each of its sources', from the summed ln p and the number of tokens of every row.

    score = sum of ln p / tokens: minus the nats per response token, the end of the response being one of them; higher is better.
    `score` alone is the mean of the sets', each counting alike.
    """
    told: dict[str, Any] = {"score": float(np.mean([sums.sum() / tokens.sum() for sums, tokens in found.values()]))}
    for held, (sums, tokens) in found.items():
        told[held.name] = float(sums.sum() / tokens.sum())
        named = np.array(held.sources)
        for source in sorted(set(held.sources) - {""}):
            told[f"{held.name}/{source}"] = float(sums[named == source].sum() / tokens[named == source].sum())
    told["unit"] = "minus nats per response token, its end included: higher is better"
    told["rows"] = {held.name: len(held.pool) for held in found}
    told["tokens"] = {held.name: int(tokens.sum()) for held, (_, tokens) in found.items()}
    told["without_response"] = {held.name: held.blank for held in found}
    return told


def seen(trained: Pool, held: Sequence[HeldOut]) -> dict[str, int]:
    """How many scored pairs stand in the training set, letter for letter, by set."""
    pairs = set(zip(trained.instructions.to_pylist(), trained.responses.to_pylist(), strict=True))
    return {
        one.name: sum(pair in pairs for pair in zip(one.pool.instructions.to_pylist(), one.pool.responses.to_pylist(), strict=True))
        for one in held
    }

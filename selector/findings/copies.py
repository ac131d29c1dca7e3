"""Which rows of a pool are copies of earlier ones: exact, on one side alone, and near."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Room
from selector.duplicates import near
from selector.errors import MemoryForecast
from selector.normal import normalise
from selector.pool import Pool, digest

log = logging.getLogger(__name__)

THRESHOLD = 0.8  # Jaccard similarity from which on a row is a near-duplicate
_VERSION = 1


@dataclass(frozen=True)
class Copies:
    """For each row the first row of its group; a row alone is its own.

    `exact`: the same pair after `normalise`. `group`: exact copies, and rows whose Jaccard similarity to the group's first row, over runs
    of 5 characters of both sides, is `THRESHOLD` or more (`selector.duplicates.near`); exact copies alone where `refused` says why.
    """

    exact: NDArray[np.int64]  # (n,)
    group: NDArray[np.int64]  # (n,)
    similarity: NDArray[np.float64]  # (n,) to the first row of the group; 1 for it and its copies
    sides: Mapping[str, NDArray[np.int64]]  # (n,) first row whose normalised text of this side is the same
    refused: str | None = None


def copies(pool: Pool, room: Room) -> Copies:
    """Near-duplicates come from the store where these pairs were looked through before. 12 s for 117,654 rows of 430 characters."""
    texts = {side: [normalise(text) for text in pool.side(side).to_pylist()] for side in ("instruction", "response")}
    sides = {side: _firsts(some) for side, some in texts.items()}
    pairs = list(map("\n".join, zip(texts["instruction"], texts["response"], strict=True)))
    exact = _firsts(pairs)
    distinct = np.flatnonzero(exact == np.arange(len(exact)))
    key = {"texts": digest(pool.instructions, pool.responses), "threshold": THRESHOLD, "version": _VERSION}

    def make() -> dict[str, NDArray[Any]]:
        lengths = np.array([len(pairs[row]) for row in distinct.tolist()], np.int64)
        found = near(lambda i: pairs[distinct[i]], lengths, THRESHOLD, 0, room)
        return {"original": found.original, "similarity": found.similarity}

    try:
        found = room.store.arrays("near-duplicates", key, make)
    except MemoryForecast as error:
        log.warning("the report looks for exact duplicates only: %s", error)
        return Copies(exact, exact, np.ones(len(exact)), sides, str(error))
    first, similarity = np.arange(len(exact)), np.ones(len(exact))
    again = np.flatnonzero(found["original"] >= 0)
    first[distinct[again]] = distinct[found["original"][again]]
    similarity[distinct[again]] = found["similarity"][again]
    return Copies(exact, first[exact], similarity[exact], sides)


def _firsts(texts: Iterable[str]) -> NDArray[np.int64]:
    """(n,) the first row with the same text."""
    seen: dict[bytes, int] = {}  # digests, since the texts themselves may not fit twice
    return np.array(
        [seen.setdefault(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), row) for row, text in enumerate(texts)],
        np.int64,
    )

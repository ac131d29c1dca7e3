"""Micro: the tokens of the language model that will be trained, those of the mid band."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector import tokenizers
from selector.core import Room, Texts, Tokens, Types
from selector.errors import InputError, RecipeError, plural
from selector.features import SparseVectors, check_similarity, overlap, sparse, tidy

log = logging.getLogger(__name__)

_VERSION = 1  # of what is kept in the store
_BLOCK = 16_384  # rows counted at once
_AUTO_ROWS = 117_000  # the pool of the paper, where its band is 10:500
WEIGHTS = {"overlap": "sqrt(ln(1 + n / df)), rows not scaled", "cosine": "(1 + ln tf) ln(1 + n / df), unit rows"}
_Counts = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Micro:
    """Mid-band tokens of any LLM tokenizer: tf-idf vectors over them, and the tokens themselves as types (offline).

    A token is of the mid band when its occurrences in all texts of this side number `low` to `high`, both included
    (arXiv 2505.24768: 10 to 500 in 117,000 rows); above are function words, below are typos and noise. `band` is 'low:high', or
    'auto': the same share of the pool at any size n, low = max(2, n / 11,700) and high = max(10, n / 234), rounded; where
    nothing lies between, low is 1. With idf = ln(1 + n / df), df = rows with the token (the 1 inside keeps a token that every row has
    above zero), `similarity` 'overlap': vectors are sqrt(idf) on the row's tokens, not scaled, so that the similarity of two rows is
    the summed idf of the tokens that they share. 'cosine': (1 + ln tf) idf, tf = occurrences in the row, each row scaled to length 1:
    what short rows share then counts as much as what long rows share, and facility location and dpp pick short rows with few tokens.
    A row without mid-band tokens is a zero row: similar to nothing, never preferred, counted in the facts. Cost: tokenizing, then
    about a second for 7M tokens.
    """

    tokenizer: str = tokenizers.EMBEDDED
    band: str = "auto"
    similarity: str = "overlap"

    def __post_init__(self) -> None:
        _bounds(self.band, 1)
        check_similarity("micro", self.similarity)

    def vectors(self, texts: Texts, room: Room) -> SparseVectors:
        """(n, mid-band types), unit rows where the similarity is cosine. Raises InputError where no token lies within the band."""
        from scipy.sparse import csr_array

        counts = self._counts(texts, room)
        rows, frequency = len(counts["starts"]) - 1, np.bincount(counts["columns"], minlength=len(counts["tokens"]))  # (T,) df
        worth, source = np.log1p(rows / np.maximum(1, frequency)), f"the micro vectors of the {texts.side}s"  # (T,) idf
        matrix = csr_array((counts["occurrences"].astype(np.float64), counts["columns"], counts["starts"]), shape=(rows, len(frequency)))
        facts = {**self._facts(counts), "similarity": self.similarity, "weights": WEIGHTS[self.similarity]}
        if self.similarity == "overlap":
            return overlap(matrix, worth, source=source, facts=facts)
        matrix.data = (1 + np.log(matrix.data)) * worth[matrix.indices]
        return sparse(matrix, source=source, facts=facts)

    def types(self, texts: Texts, room: Room) -> Types:
        """(n, mid-band types) of 0/1, named by what each token reads as. Raises InputError as `vectors` does."""
        from scipy.sparse import csr_array

        counts = self._counts(texts, room)
        ones = np.ones(len(counts["columns"]), np.float32)
        shape = (len(counts["starts"]) - 1, len(counts["tokens"]))
        matrix = tidy(csr_array((ones, counts["columns"].copy(), counts["starts"].copy()), shape=shape))
        return Types(matrix, _names(tokenizers.load(self.tokenizer), counts["tokens"]), self._facts(counts))

    def _counts(self, texts: Texts, room: Room) -> _Counts:
        """Both views' common part: the mid band, and how often each row holds each of its tokens."""
        revision = tokenizers.load(self.tokenizer).revision
        key = {"texts": texts.fingerprint, "tokenizer": revision, "band": self.band, "version": _VERSION}
        return room.store.arrays("micro", key, lambda: self._count(texts, room))

    def _count(self, texts: Texts, room: Room) -> _Counts:
        found = tokenizers.tokens(texts, self.tokenizer, room)
        rows = len(texts.strings)
        width = int(found.ids.max(initial=0)) + 1
        total = np.zeros(width, np.int64)  # (vocabulary,) occurrences in the pool
        for _, ids, _ in _blocks(found):
            total += np.bincount(ids, minlength=width)
        low, high = _bounds(self.band, rows)
        if self.band == "auto" and not ((total >= low) & (total <= high)).any():
            low = 1
        middle = (total >= low) & (total <= high)
        if self.band != "auto" and total.any() and not middle.any():
            raise InputError(
                f"micro layer: the band '{self.band}' is empty: no token of the {plural(rows, texts.side)} occurs {low} to {high} "
                f"times, the most frequent one {total.max():,}. Write the band 'auto', which scales with the pool, or another."
            )
        number = np.cumsum(middle, dtype=np.int32) - 1  # (vocabulary,) token -> column, where it is of the mid band
        parts = [_pairs(ids[middle[ids]], owner[middle[ids]], size, number) for owner, ids, size in _blocks(found)]
        lengths = np.concatenate([np.empty(0, np.int64), *(part[2] for part in parts)])
        counts: _Counts = {
            "tokens": np.flatnonzero(middle).astype(np.int32),  # (T,)
            "columns": np.concatenate([np.empty(0, np.int32), *(part[0] for part in parts)]),  # (entries,) ascending in a row
            "occurrences": np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)]),  # (entries,)
            "starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),  # (n + 1,)
            "facts": np.array([low, high, (total > 0).sum(), ((total > 0) & (total < low)).sum(), (total > high).sum(), total.sum()]),
        }
        log.info("micro: %d of %d token types in the band %d:%d", middle.sum(), (total > 0).sum(), low, high)
        return counts

    def _facts(self, counts: _Counts) -> dict[str, Any]:
        low, high, total, below, above, occurrences = (int(number) for number in counts["facts"])
        lengths = np.diff(counts["starts"])
        return {
            "layer": "micro",
            "tokenizer": self.tokenizer,
            "tokenizer_revision": tokenizers.load(self.tokenizer).revision,
            "band": self.band,
            "low": low,
            "high": high,
            "tokens": occurrences,
            "types_total": total,
            "types_low": below,
            "types_mid": len(counts["tokens"]),
            "types_high": above,
            "rows_without_types": int((lengths == 0).sum()),
            "types_per_row": round(float(lengths.mean()), 4) if len(lengths) else 0.0,
        }


def _bounds(band: str, rows: int) -> tuple[int, int]:
    """The lowest and highest number of occurrences that this band means in a pool of so many rows."""
    if band == "auto":
        return max(2, round(10 * rows / _AUTO_ROWS)), max(10, round(500 * rows / _AUTO_ROWS))
    written = re.fullmatch(r"\s*([0-9]{1,18})\s*:\s*([0-9]{1,18})\s*", band) if isinstance(band, str) else None
    if written is None or not 1 <= int(written[1]) <= int(written[2]):
        raise RecipeError(
            f"micro layer: the band must be 'low:high' with 1 <= low <= high < 10^18, or 'auto'; got {band!r}. Write for instance 10:500."
        )
    return int(written[1]), int(written[2])


def _blocks(found: Tokens) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32], int]]:
    """(row within the block, token) of every occurrence, and the block's rows: what is counted at once stays small."""
    rows = len(found.starts) - 1
    for first in range(0, rows, _BLOCK):
        starts = found.starts[first : min(rows, first + _BLOCK) + 1]
        yield np.repeat(np.arange(len(starts) - 1), np.diff(starts)), found.ids[starts[0] : starts[-1]], len(starts) - 1


def _pairs(
    ids: NDArray[np.int32], owner: NDArray[np.int64], rows: int, number: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Columns and occurrences of each (row, token) once, sorted, and the entries of each row."""
    width = int(number[-1]) + 1
    keys, occurrences = np.unique(owner * width + number[ids], return_counts=True)
    columns = (keys % max(1, width)).astype(np.int32)
    return columns, occurrences.astype(np.int32), np.bincount(keys // max(1, width), minlength=rows)


def _names(tokenizer: tokenizers.Tokenizer, ids: Sequence[int] | NDArray[np.int32]) -> list[str]:
    """Readable and unique: where two tokens read the same, each has its id behind it."""
    read = tokenizer.names([int(i) for i in ids])
    seen: dict[str, int] = {}
    for name in read:
        seen[name] = seen.get(name, 0) + 1
    named = [name if seen[name] == 1 else f"{name} #{i}" for name, i in zip(read, ids, strict=True)]
    if len(set(named)) < len(named):
        named = [f"{name} #{i}" for name, i in zip(read, ids, strict=True)]
    return named

"""Which texts are near duplicates of earlier ones: the exact answer, without comparing all pairs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Room
from selector.errors import MemoryForecast, size

log = logging.getLogger(__name__)

WIDTH = 5  # characters of a shingle
_BLOCK = 8_192  # texts at once
_BUCKETS = 1 << 25


@dataclass(frozen=True)
class Near:
    """`original[i]` is the lowest earlier kept text that text i is similar to, -1 where text i is kept; `similarity` to it."""

    original: NDArray[np.int64]  # (n,)
    similarity: NDArray[np.float64]  # (n,) 0 where kept


def near(text: Callable[[int], str], lengths: NDArray[np.int64], threshold: float, exempt: int, room: Room) -> Near:
    """Goes down the texts and drops each one whose similarity to an earlier kept one is at least `threshold`, in (0, 1].

    Similarity = |A & B| / |A | B| of the sets of runs of 5 characters (any language; a shorter text is one run), hashed to 56
    bits. `text(i)` has `lengths[i]` >= 1 characters; the first `exempt` texts are kept unasked. Exact for these sets: a similar
    pair shares one of its (1 - threshold) rarest shingles (Bayardo et al. 2007; positions as in Xiao et al. 2008), and whatever
    shares one is counted out. 8 bytes a character, and 48 for each shared shingle among the rarest. Raises MemoryForecast where
    that exceeds `room.memory`.
    """
    from selector.kernels import jaccard

    shingles = np.maximum(1, lengths - WIDTH + 1)
    starts = np.concatenate([[0], np.cumsum(shingles)]).astype(np.int64)
    total, rows = int(starts[-1]), len(lengths)
    _fits(8 * total + 4 * _BUCKETS + int(48 * (1 - threshold) * total) + 28 * rows, rows, threshold, room)
    keys = np.empty(total, np.uint64)  # (characters,) the sets of shingles, row after row
    counts = np.zeros(_BUCKETS, np.int32)
    with _threads(room.threads):
        for first in range(0, rows, _BLOCK):
            last = min(rows, first + _BLOCK)
            codes = np.frombuffer("".join(map(text, range(first, last))).encode("utf-32-le", "surrogatepass"), np.uint32)
            text_starts = np.concatenate([[0], np.cumsum(lengths[first:last])])
            jaccard.shingle(codes, text_starts, WIDTH, starts[first:last], keys)
            jaccard.count(keys[starts[first] : starts[last]], counts)
            room.progress("shingles", last, rows)
        sizes = np.empty(rows, np.int64)  # (n,) different shingles of each text
        jaccard.order(keys, starts, counts, sizes)
    del counts
    entries = np.empty(rows, np.int64)
    jaccard.count_prefixes(keys, starts, sizes, threshold, entries)
    entry_starts = np.concatenate([[0], np.cumsum(entries)]).astype(np.int64)
    ranks, group_starts, by_row, by_place = _postings(keys, starts, sizes, threshold, int(entry_starts[-1]))
    log.info("near duplicates: %d shingles, %d of them in prefixes and shared", int(sizes.sum()), len(ranks))
    seen, original, similarity = np.full(rows, -1), np.full(rows, -1), np.zeros(rows)
    for first in range(0, rows, _BLOCK):
        last = min(rows, first + _BLOCK)
        jaccard.search(
            first, last, exempt, threshold, keys, starts, sizes, entry_starts, group_starts, ranks, by_row, by_place,
            seen, original, similarity,
        )  # fmt: skip
        room.progress("near duplicates", last, rows)
    return Near(original, similarity)


def _postings(
    keys: NDArray[np.uint64], starts: NDArray[np.int64], sizes: NDArray[np.int64], threshold: float, total: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int32], NDArray[np.int32]]:
    from selector.kernels import jaccard

    entry_keys, entry_rows, entry_places = np.empty(total, np.uint64), np.empty(total, np.int32), np.empty(total, np.int32)
    jaccard.write_prefixes(keys, starts, sizes, threshold, entry_keys, entry_rows, entry_places)
    by_key = np.argsort(entry_keys, kind="stable")
    place = np.int32 if total < 1 << 31 else np.int64
    group_starts, ranks = np.empty(total, place), np.empty(total, place)
    jaccard.post(entry_keys[by_key], by_key, group_starts, ranks)
    return ranks, group_starts, entry_rows[by_key], entry_places[by_key]


def _fits(forecast: int, rows: int, threshold: float, room: Room) -> None:
    if forecast > room.memory:
        raise MemoryForecast(
            f"near duplicates at {threshold:g} among {rows:,} rows need about {size(forecast)}; the memory option leaves "
            f"{size(room.memory)}. Raise it, or write dedup 'exact'."
        )


@contextmanager
def _threads(asked: int) -> Iterator[None]:
    from numba import config, get_num_threads, set_num_threads

    before = get_num_threads()
    set_num_threads(min(asked or before, config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        set_num_threads(before)

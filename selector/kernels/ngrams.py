"""N-grams of tokens: numbers for those that several texts share, and what a set of texts has in common.

An n-gram is the pair of (n - 1)-grams that begin at it and after it, so numbers are exact: no hash stands for an n-gram. One that only
one text of the ground holds can never be shared by a set, and neither can a longer one around it; these are counted and not numbered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Rows, Tokens

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Shared:
    """N-grams of one length that at least two texts hold: those of text i are `grams[starts[i] : starts[i + 1]]`, `counts` times each."""

    length: int
    starts: NDArray[np.int64]  # (n + 1,)
    grams: NDArray[np.int32]  # numbers from 0 to width - 1, ascending in a text
    counts: NDArray[np.int32]
    width: int
    alone: NDArray[np.int64]  # (n,) how many different n-grams of the text no other text holds; right for lengths 1 and 2

    def distinct(self, rows: Rows) -> int:
        """How many different n-grams these texts hold; lengths 1 and 2."""
        return int(_held(rows, self.starts, self.grams, self.width) + self.alone[rows].sum())

    def clipped(self, rows: Rows) -> NDArray[np.int64]:
        """(m,) for each of these texts the n-grams that some other of them holds as well, each at most as often as one other holds it."""
        return _clipped(rows, self.starts, self.grams, self.counts, self.width)

    def elsewhere(self, rows: Rows) -> NDArray[np.int64]:
        """(m,) for each of these texts, summed over its different n-grams, how many others of them hold it."""
        return _elsewhere(rows, self.starts, self.grams, self.width)


def shared(tokens: Tokens, longest: int) -> Iterator[Shared]:
    """N-grams of length 1, 2 ... `longest`; none spans two texts. 8 bytes for each different n-gram of a text."""
    numbers, starts = tokens.ids, tokens.starts
    found = int(numbers.max(initial=-1)) + 1
    for length in range(1, longest + 1):
        if length > 1:
            numbers, found = _numbered(numbers, starts, length)
        ends, grams, counts = _tallied(numbers, starts)
        texts = np.bincount(grams, minlength=found)  # that hold each n-gram
        several = texts >= 2
        place = np.append(np.where(several, np.cumsum(several) - 1, -1), -1).astype(np.int32)  # the last stands for no number
        kept = several[grams]
        before = np.concatenate([[0], np.cumsum(kept)])  # of those kept
        own = before[ends]
        yield Shared(length, own, place[grams[kept]], counts[kept], int(several.sum()), np.diff(ends) - np.diff(own))
        # Only a 2-gram whose tokens both stand in several texts could be shared, but all are numbered, so that they can be counted.
        numbers = numbers if length == 1 else place[numbers]


def occurrences(tokens: Tokens, rows: Rows, width: int) -> NDArray[np.int64]:
    """(width,) how often each token stands in these texts."""
    return _occurrences(rows, tokens.ids, tokens.starts, width)


@njit(cache=True, nogil=True)
def _occurrences(rows, ids, starts, width):  # type: ignore[no-untyped-def]
    counts = np.zeros(width, np.int64)
    for row in rows:
        for at in range(starts[row], starts[row + 1]):
            counts[ids[at]] += 1
    return counts


@njit(cache=True, nogil=True)
def _slot(key, keys):  # type: ignore[no-untyped-def]
    """Where the key stands in the table, or the free place for it; the table's size is a power of two."""
    mask = np.uint64(keys.size - 1)
    mixed = np.uint64(key) * _ODD
    slot = (mixed ^ (mixed >> np.uint64(32))) & mask
    while keys[slot] >= 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _numbered(before, starts, length):  # type: ignore[no-untyped-def]
    """(N,) the number of the n-gram that begins at each token, -1 where a part of it has none; and how many there are."""
    numbers = np.full(before.size, -1, np.int32)
    keys, held, found = np.full(1 << 16, -1, np.int64), np.empty(1 << 16, np.int32), 0
    for row in range(starts.size - 1):
        for at in range(starts[row], starts[row + 1] - length + 1):
            if before[at] < 0 or before[at + 1] < 0:
                continue
            key = (np.int64(before[at]) << 32) | np.int64(before[at + 1])
            slot = _slot(key, keys)
            if keys[slot] < 0:
                keys[slot], held[slot] = key, found
                found += 1
                if 2 * found > keys.size:
                    old_keys, old_held = keys, held
                    keys, held = np.full(2 * keys.size, -1, np.int64), np.empty(2 * keys.size, np.int32)
                    for place in range(old_keys.size):
                        if old_keys[place] >= 0:
                            free = _slot(old_keys[place], keys)
                            keys[free], held[free] = old_keys[place], old_held[place]
                    slot = _slot(key, keys)
            numbers[at] = held[slot]
    return numbers, found


@njit(cache=True, nogil=True)
def _tallied(numbers, starts):  # type: ignore[no-untyped-def]
    """Each text's different numbers, ascending, and how often each stands there: ends with a 0 before (n + 1,), numbers, counts."""
    ends = np.zeros(starts.size, np.int64)
    grams, counts, filled = np.empty(numbers.size, np.int32), np.empty(numbers.size, np.int32), 0
    for row in range(starts.size - 1):
        own = np.sort(numbers[starts[row] : starts[row + 1]])
        for at in range(own.size):
            if own[at] < 0:
                continue
            if at and own[at] == own[at - 1]:
                counts[filled - 1] += 1
            else:
                grams[filled], counts[filled] = own[at], 1
                filled += 1
        ends[row + 1] = filled
    return ends, grams[:filled].copy(), counts[:filled].copy()


@njit(cache=True, nogil=True)
def _held(rows, starts, grams, width):  # type: ignore[no-untyped-def]
    seen, count = np.zeros(width, np.bool_), 0
    for row in rows:
        for at in range(starts[row], starts[row + 1]):
            count += not seen[grams[at]]
            seen[grams[at]] = True
    return count


@njit(cache=True, nogil=True)
def _clipped(rows, starts, grams, counts, width):  # type: ignore[no-untyped-def]
    most, second = np.zeros(width, np.int32), np.zeros(width, np.int32)  # the two largest counts of each n-gram in one of the texts
    for row in rows:
        for at in range(starts[row], starts[row + 1]):
            gram, count = grams[at], counts[at]
            if count > most[gram]:
                second[gram], most[gram] = most[gram], count
            elif count > second[gram]:
                second[gram] = count
    sums = np.zeros(rows.size, np.int64)
    for place in range(rows.size):
        for at in range(starts[rows[place]], starts[rows[place] + 1]):
            gram, count = grams[at], counts[at]
            sums[place] += min(count, second[gram] if count == most[gram] else most[gram])
    return sums


@njit(cache=True, nogil=True)
def _elsewhere(rows, starts, grams, width):  # type: ignore[no-untyped-def]
    texts = np.zeros(width, np.int64)
    for row in rows:
        for at in range(starts[row], starts[row + 1]):
            texts[grams[at]] += 1
    sums = np.zeros(rows.size, np.int64)
    for place in range(rows.size):
        for at in range(starts[rows[place]], starts[rows[place] + 1]):
            sums[place] += texts[grams[at]] - 1
    return sums

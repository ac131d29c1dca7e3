"""Rows for evaluation, cut off at random before anything is chosen; what nearly repeats one of them is chosen by nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from selector import duplicates
from selector.core import Room, Rows
from selector.hygiene import Dropped, normal_pair
from selector.preparing import Prepared

REASON = "near-held-out"
_TABLE = 160 << 20  # bytes that a search for near copies takes for any number of texts


def hold_out(rows: Prepared, number: int, near: float, rng: np.random.Generator, room: Room) -> tuple[Prepared, Rows]:
    """The rows without `number` random ones of the pool and what nearly repeats these, and where they are in `rows.everything`.

    A row is a near copy where the similarity of its pair to a held-out pair is at least `near`, as in `duplicates.near`. Rows to keep
    are neither held out nor left out. Raises MemoryForecast where one text beside the held-out ones does not fit `room.memory`.
    """
    ours = rows.stays[~rows.first[rows.stays]]
    held = np.sort(rng.choice(ours, number, replace=False))
    others = np.setdiff1d(ours, held)
    apart = _apart(replace(rows, stays=np.setdiff1d(rows.stays, held)), held, others, near, REASON, room)
    return apart, held


def without_copies(rows: Prepared, near: float, room: Room) -> Prepared:
    """The rows without those of the pool that nearly repeat a row to keep, as `hold_out` has it. Raises MemoryForecast as that does."""
    of_pool = ~rows.first[rows.stays]
    return _apart(rows, rows.stays[~of_pool], rows.stays[of_pool], near, "near-evaluated", room)


def _apart(rows: Prepared, held: Rows, others: Rows, near: float, reason: str, room: Room) -> Prepared:
    """The rows without those of `others` that nearly repeat one of `held`."""
    instructions, responses = rows.everything.instructions.to_pylist(), rows.everything.responses.to_pylist()
    numbers = np.where(rows.first, np.arange(len(rows.first)) - len(rows.pool), rows.everything.rows)  # in their own source
    what = "which is held out" if reason == REASON else "which is evaluated on"
    copies = [
        Dropped(copy, reason, f"similarity {similarity:.4f} to row {numbers[original]}, {what}", original)
        for copy, original, similarity in _copies(lambda i: normal_pair(instructions[i], responses[i]), held, others, near, room)
    ]
    stays = np.setdiff1d(rows.stays, np.array([one.position for one in copies], np.int64))
    return replace(rows, stays=stays, dropped=sorted([*rows.dropped, *copies], key=lambda one: one.position))


def _copies(text: Callable[[int], str], held: Rows, others: Rows, near: float, room: Room) -> Iterator[tuple[int, int, float]]:
    """Each near copy of a held-out text with the lowest one that it repeats and the similarity; as many texts at once as fit."""
    lengths = np.array([len(text(i)) for i in held]), np.array([len(text(i)) for i in others], np.int64)
    begin = 0
    while begin < len(others):
        end = begin + _fitting(lengths[1][begin:], int(lengths[0].sum()), near, room.memory)
        rows = np.concatenate([held, others[begin:end]])
        both = np.concatenate([lengths[0], lengths[1][begin:end]])
        found = duplicates.near(lambda i, rows=rows: text(int(rows[i])), both, near, len(held), room)  # type: ignore[misc]
        for i in np.flatnonzero((found.original >= 0) & (found.original < len(held))):
            yield int(rows[i]), int(held[found.original[i]]), float(found.similarity[i])
        begin = end


def _fitting(lengths: NDArray[np.int64], held: int, near: float, memory: int) -> int:
    """How many of these texts fit beside the held-out ones, at least one."""
    each = 8 + 48 * (1 - near)  # bytes a character, as `duplicates.near` reckons, and some 28 a text
    spent = each * held + np.cumsum(each * lengths + 28)
    return max(1, int(np.searchsorted(spent, max(0, memory - _TABLE))))

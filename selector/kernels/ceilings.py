"""Upper bounds on every candidate's gain before each of a run of picks and after them, from one pass over all pairs.

Given the coverage r_0 <= r_1 <= ... that each row would go through along the picks, a row adds max(0, s - r_k) to a candidate's gain
from the pick that brought it to r_k until the pick that brings it to r_k+1. Few picks raise a row, so a pair costs few steps however
many picks there are. Similarities are bounded by products of codes (kernels.codes); with the rows themselves as codes they are exact.
s_ij = s_ji, so where most rows are candidates one product serves i as j's candidate and j as i's. The same pass keeps, roughly, what is
above the coverage after the last pick (kernels.rough).
"""

from __future__ import annotations

import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, local
from typing import Any, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows
from selector.kernels.codes import Codes, Products, torch_left_alone
from selector.kernels.rough import BLOCK, TOP, Entries, Piece, Rough
from selector.kernels.turning import turn

STRIP, WIDE = 1024, 256  # candidates of a strip and rows of a tile; candidates of a tile
SUMMED = 127  # rows whose rises are added up before their sum moves on: so many products of two rows (2^24 units at most) fit 32 bits

Levels = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]  # starts (n + 1,), then picks and the coverage from them on


def levels(lines: NDArray[np.float32], before: NDArray[np.float32]) -> Levels:
    """The coverage that each row goes through along picks with these `lines` (P, n) of similarities, from `before` (n,) on."""
    cover, moments, rows, reached = before.copy(), [np.zeros(len(before), np.int32)], [np.arange(len(before))], [before]
    for pick in range(len(lines)):
        risen = np.flatnonzero(lines[pick] > cover)
        cover[risen] = lines[pick, risen]
        moments.append(np.full(len(risen), pick + 1, np.int32))
        rows.append(risen)
        reached.append(cover[risen])
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(before)))])
    return starts, np.concatenate(moments)[order], np.concatenate(reached)[order].astype(np.float32)


def ceilings(
    codes: Codes,
    candidates: Rows,
    through: Levels,
    picks: int,
    weights: Gains,
    threads: int,
    progress: Progress,
    rough: Rough | None = None,
) -> Gains:
    """(picks + 1, m) at least the gain of each candidate before each pick and after the last; the gain itself where the codes are the rows.

    `rough` is given what the candidates would raise above the last coverage, which is its base. O(n m d) products, or n^2 d / 2 where
    more than half of the rows are candidates, and per pair a step for each level of the row. The result does not depend on `threads`.
    """
    size, mine, exact, lock = len(codes.steps), local(), codes.exact, Lock()
    both = 2 * len(candidates) > size
    asked = np.arange(size) if both else candidates
    longest, scale = codes.lengths.max(initial=0.0), 0.0 if rough is None else 1 / rough.unit
    starts, moments, reached = cast(tuple[NDArray[Any], ...], through)
    heavy: NDArray[Any] = weights if exact else (weights * (1 + 3e-7)).astype(np.float32)
    one = 1.0
    if codes.codes.dtype == np.int16 and (weights == 1).all():  # then all can be counted in whole squares of the grid's step
        one = float(codes.steps[0]) ** 2
        heavy, reached = np.ones(size, np.int32), np.rint(reached / one).astype(np.int32)
    # Whole units add up to the same in any order. Without weights, on the grid of features.dense, nothing is rounded.
    unit = 2.0 ** (math.ceil(math.log2(max(float(weights.sum() * np.square(longest, dtype=np.float64)), 1e-200))) - 50)
    totals, waiting, done = np.zeros((picks + 1, len(asked))), defaultdict[int, list[Piece]](list), 0

    def begin() -> None:
        mine.products, mine.turned = Products(codes, STRIP, WIDE), np.empty(STRIP * WIDE, np.int32)
        mine.own, mine.others = Entries(), Entries()

    def add(changes: Gains, first: int) -> None:
        with lock:
            totals[:, first : first + changes.shape[1]] += np.ceil(changes * (one / unit))

    def move(products: NDArray[Any], first: int, rows: Codes, column: int, few: Codes, changes: Gains, found: Entries) -> None:
        """Rows from `first` on and a few candidates, which are columns from `column` on of what is found."""
        own = rows.steps, rows.norms, rows.errors * longest, heavy[first : first + len(rows.steps)]
        given = products, first, *own, (few.steps, few.errors), heavy.dtype == np.int32, starts, moments, reached, changes, scale * one
        found.used += _changes(*given, column, *found.room(products.size if scale else 0))

    def strip(place: int) -> tuple[int, list[Piece], dict[int, Piece]]:
        """What the strip's candidates raise; and what candidates of the strips after it raise of its rows."""
        some, own, others = codes.take(asked[place : place + STRIP]), list[Piece](), dict[int, Piece]()
        for first in range(place if both else 0, size, STRIP):
            rows, twice = codes.take(slice(first, first + STRIP)), both and first > place
            theirs = np.zeros((picks + 1, len(rows.steps)))
            for column in range(0, len(some.steps), WIDE):
                few = some.take(slice(column, column + WIDE))
                changes, products = np.zeros((picks + 1, len(few.steps))), mine.products.of(rows.codes, few.codes)
                move(products, first, rows, column, few, changes, mine.own)
                add(changes, place + column)
                if twice:
                    turned = mine.turned[: products.size].view(products.dtype).reshape(products.shape[::-1])
                    turn(products, turned)
                    move(turned, place + column, few, 0, rows, theirs, mine.others)
            own.append(mine.own.taken(first // BLOCK))
            if twice:
                add(theirs, first)
                others[first] = mine.others.taken(place // BLOCK)
        return place, own, others

    with torch_left_alone(codes), ThreadPoolExecutor(threads, initializer=begin) as pool:
        for place, own, others in pool.map(strip, range(0, len(asked), STRIP)):
            for first, piece in others.items():
                waiting[first].append(piece)
            if rough is not None:
                rough.put(asked[place : place + STRIP], [*waiting.pop(place, []), *own])
            done, left = min(len(asked), place + STRIP), max(0, len(asked) - place - STRIP)
            progress("bounds", size - left**2 // size if both else done, len(asked))
    np.cumsum(totals, axis=0, out=totals)
    totals *= unit
    if not exact:  # float32 sums of so many terms each, which add up to no more than twice the first total
        totals += 2 * SUMMED * 2.0**-24 * 1.5 * totals[0]
    return totals[:, candidates] if both else totals


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _changes(  # type: ignore[no-untyped-def]
    products, first, steps, norms, slack, weights, theirs, whole, starts, moments, reached, totals, scale, column, entries, columns
):
    """Adds to `totals` (picks + 1, b) by how much each candidate's gain moves at each pick, for the rows of this tile (r, b).

    `whole` where bounds are the products themselves, and levels in units of them. With a `scale`, the places above the last level go to
    `entries` and `columns` (from `column` on). Returns how many.
    """
    (their_steps, their_errors), width, count = theirs, products.shape[1], 0
    bounds, changes = np.empty(width, reached.dtype), np.zeros(totals.shape, weights.dtype)
    flags = np.zeros(-(-width // 8) * 8, np.uint8)
    eights = flags.view(np.uint64)
    scale = np.float32(scale)
    for row in range(products.shape[0]):
        step, norm, more, own, weight = steps[row], norms[row], slack[row], products[row], weights[row]
        if whole:
            bounds[:] = own
        else:
            for at in range(width):
                bounds[at] = step * (np.float32(own[at]) * their_steps[at] + norm * their_errors[at]) + more
        level = reached[starts[first + row]]
        moved = changes[moments[starts[first + row]]]
        for at in range(width):
            moved[at] += weight * ((bounds[at] if bounds[at] > level else level) - level)
        for place in range(starts[first + row] + 1, starts[first + row + 1]):
            under, level, moved = level, reached[place], changes[moments[place]]
            for at in range(width):
                before = weight * ((bounds[at] if bounds[at] > under else under) - under)
                moved[at] += weight * ((bounds[at] if bounds[at] > level else level) - level) - before
        if (row + 1) % SUMMED == 0 or row + 1 == products.shape[0]:
            totals += changes
            changes[:] = 0
        if scale == 0:
            continue
        for at in range(width):
            flags[at] = bounds[at] > level
        begin = count
        for eight in range(eights.size):
            if eights[eight]:
                for at in range(8 * eight, 8 * eight + 8):  # written always, counted where it holds: no branch to guess wrong
                    columns[count] = column + at
                    count += flags[at]
        for place in range(begin, count):
            entries[place, 0] = (first + row) % BLOCK
            entries[place, 1] = min(np.int32(TOP), np.int32((bounds[columns[place] - column] - level) * scale) + np.int32(1))
    return count

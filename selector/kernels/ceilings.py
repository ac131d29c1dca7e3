"""Upper bounds on every candidate's gain before each of a run of picks and after them, from one pass over all pairs.

Given the coverage r_0 <= r_1 <= ... that each row would go through along the picks, a row adds max(0, s - r_k) to a candidate's gain
from the pick that brought it to r_k until the pick that brings it to r_k+1. Few picks raise a row, so a pair costs few steps however
many picks there are. Similarities are bounded by products of codes (kernels.codes); with the rows themselves as codes they are exact.
The same pass keeps, roughly, what is above the coverage after the last pick (kernels.rough).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import local

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows
from selector.kernels.codes import Codes, Products, torch_left_alone
from selector.kernels.rough import BLOCK, TOP, Entries, Found, Rough

TALL, WIDE = 1024, 256  # rows and candidates of a tile

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

    `rough` is given what the candidates would raise above the last coverage, which is its base. O(n m d) products, and per pair a step
    for each level of the row.
    """
    size, mine, exact = len(codes.steps), local(), codes.exact
    longest, heavy = codes.lengths.max(initial=0.0), weights if exact else (weights * (1 + 3e-7)).astype(np.float32)
    slack, kind, unit = codes.errors * longest, np.float64 if exact else np.float32, 0.0 if rough is None else rough.unit

    def begin() -> None:
        mine.products, mine.found = Products(codes, TALL, WIDE), Entries()

    def block(place: int) -> tuple[Gains, Found | None]:
        some, found = codes.take(candidates[place : place + WIDE]), mine.found
        totals = np.zeros((picks + 1, len(some.steps)))
        found.clear()
        for first in range(0, size, TALL):
            part = slice(first, min(size, first + TALL))
            changes = np.zeros(totals.shape, kind)
            products = mine.products.of(codes.codes[part], some.codes)
            own = codes.steps[part], codes.norms[part], slack[part], heavy[part]
            if rough is not None:
                found.make_room(first, products.size)
            found.used += _changes(products, first, *own, (some.steps, some.errors), *through, changes, unit, *found.free())
            totals += changes
        np.cumsum(totals, axis=0, out=totals)
        if not exact:  # float32 sums of at most 1024 terms each, which add up to no more than twice the first total
            totals += 2 * TALL * 2.0**-24 * 1.5 * totals[0]
        return totals, None if rough is None else found.by_candidate(len(some.steps))

    out, done = np.empty((picks + 1, len(candidates))), 0
    with torch_left_alone(codes), ThreadPoolExecutor(threads, initializer=begin) as pool:
        for totals, found in pool.map(block, range(0, len(candidates), WIDE)):
            part = slice(done, done + totals.shape[1])
            out[:, part] = totals
            if rough is not None and found is not None:
                rough.put(candidates[part], found)
            done = part.stop
            progress("bounds", done, len(candidates))
    return out


@njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _changes(products, first, steps, norms, slack, weights, theirs, starts, moments, reached, changes, unit, rows, columns, codes):  # type: ignore[no-untyped-def]
    """Adds to `changes` (picks + 1, b) by how much each candidate's gain moves at each pick, for the rows of this tile (r, b).

    With a `unit`, the places above the last level go to `rows`, `columns` and `codes`. Returns how many.
    """
    (their_steps, their_errors), width, count = theirs, products.shape[1], 0
    bounds, before, flags = np.empty(width, np.float32), np.empty(width, changes.dtype), np.zeros(-(-width // 8) * 8, np.uint8)
    eights = flags.view(np.uint64)
    scale = np.float32(1 / unit if unit else 0)
    for row in range(products.shape[0]):
        step, norm, more, own, weight = steps[row], norms[row], slack[row], products[row], weights[row]
        for at in range(width):
            bounds[at] = step * (np.float32(own[at]) * their_steps[at] + norm * their_errors[at]) + more
        level = np.float32(0)
        for place in range(starts[first + row], starts[first + row + 1]):
            level, moved = reached[place], changes[moments[place]]
            if place == starts[first + row]:
                for at in range(width):
                    rise = bounds[at] - level
                    before[at] = weight * (rise if rise > 0 else np.float32(0))
                    moved[at] += before[at]
            else:
                for at in range(width):
                    rise = bounds[at] - level
                    after = weight * (rise if rise > 0 else np.float32(0))
                    moved[at] += after - before[at]
                    before[at] = after
        if scale == 0:
            continue
        for at in range(width):
            flags[at] = bounds[at] > level
        begin = count
        for eight in range(eights.size):
            if eights[eight]:
                for at in range(8 * eight, 8 * eight + 8):  # written always, counted where it holds: no branch to guess wrong
                    columns[count] = at
                    count += flags[at]
        for place in range(begin, count):
            rows[place] = (first + row) % BLOCK
            codes[place] = min(np.int32(TOP), np.int32((bounds[columns[place]] - level) * scale) + np.int32(1))
    return count

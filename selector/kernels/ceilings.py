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
from selector.kernels.rough import BLOCK, Found, Rough, by_candidate, codes_of
from selector.kernels.sweep import places_above

TALL, WIDE = 512, 256  # rows and candidates of a tile

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

    `rough` is given what the candidates would raise above its base. O(n m d) products, and per pair a step for each level of the row.
    """
    size, mine, exact = len(codes.steps), local(), codes.codes.dtype == np.float32
    longest, heavy = codes.lengths.max(initial=0.0), weights if exact else (weights * (1 + 3e-7)).astype(np.float32)
    slack, kind = codes.errors * longest, np.float64 if exact else np.float32

    def begin() -> None:
        mine.products, mine.flags = Products(codes, TALL, WIDE), np.empty(WIDE, np.uint8)
        mine.found = np.empty(TALL * WIDE + 16, np.uint16), np.empty(TALL * WIDE + 16, np.int32), np.empty(TALL * WIDE + 16, np.uint16)

    def block(place: int) -> tuple[Gains, Found | None]:
        some, parts = codes.take(candidates[place : place + WIDE]), []
        totals = np.zeros((picks + 1, len(some.steps)))
        for first in range(0, size, TALL):
            part = slice(first, min(size, first + TALL))
            changes = np.zeros(totals.shape, kind)
            products = mine.products.of(codes.codes[part], some.codes)
            own = codes.steps[part], codes.norms[part], slack[part]
            _changes(products, first, *own, heavy[part], some.steps, some.errors, *through, changes)
            totals += changes
            if rough is None:
                continue
            top = rough.base[part]
            given = own[1], some.steps, some.errors
            few = places_above(products, (top - own[2]) / own[0], *given, False, mine.flags, *mine.found[:2])
            codes_of(products, *mine.found[:2], few, top, rough.unit, *own, some.steps, some.errors, mine.found[2])
            lines, columns, found = (one[:few].copy() for one in mine.found)
            parts.append((lines + np.int32(first), columns, found))
        np.cumsum(totals, axis=0, out=totals)
        if not exact:  # float32 sums of at most 512 terms each, which add up to no more than twice the first total
            totals += 2 * TALL * 2.0**-24 * 1.5 * totals[0]
        if rough is None:
            return totals, None
        return totals, by_candidate(len(some.steps), -(-size // BLOCK), *(np.concatenate(one) for one in zip(*parts, strict=True)))

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
def _changes(products, first, steps, norms, slack, weights, their_steps, their_errors, starts, moments, reached, changes):  # type: ignore[no-untyped-def]
    """Adds to `changes` (picks, b) by how much each candidate's gain moves at each pick, for the rows of this tile (r, b)."""
    width = products.shape[1]
    bounds, before = np.empty(width, np.float32), np.empty(width, changes.dtype)
    for row in range(products.shape[0]):
        step, norm, more, own, weight = steps[row], norms[row], slack[row], products[row], weights[row]
        for at in range(width):
            bounds[at] = step * (np.float32(own[at]) * their_steps[at] + norm * their_errors[at]) + more
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

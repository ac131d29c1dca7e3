"""Which rows the sets of a split may hold: those of a length, and enough of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from selector import tokenizers
from selector.core import Room
from selector.errors import BudgetError, plural
from selector.hygiene import Dropped, counts
from selector.preparing import Prepared
from selector.split_recipe import SplitWords, lengths

SIDES = ("instruction", "response")
REASON = "another-length"


def enough(words: SplitWords, rows: Prepared, held_out: int) -> None:
    """Raises BudgetError where these rows are too few for the sets and so many that are still to be held out."""
    there = int((~rows.first[rows.stays]).sum())
    why = ", ".join(
        f"{count:,} {reason}" for reason, count in counts([one for one in rows.dropped if not rows.first[one.position]]).items()
    )
    of = f"{there:,} of the {plural(len(rows.pool), 'row')} of {rows.pool.source} can be used" + (f" (dropped: {why})" if why else "")
    if held_out and held_out >= there:
        raise BudgetError(f"{plural(held_out, 'row')} are to be held out, but {of}; hold out fewer.")
    sets = len(words.names) if words.disjoint else 1
    need = sets * words.budget
    if held_out + need <= there:
        return
    beside = f" beside {held_out:,} held-out ones" if held_out else ""
    loosen = ["lower the budget"]
    if words.disjoint and words.budget + held_out <= there:
        loosen.append("ask for fewer arms, or let sets share rows (leave disjoint out)")
    if words.match_length_to is not None and any(one.reason == REASON for one in rows.dropped):
        loosen.append(f"widen match_length_to, which is {words.match_length_to}")
    if words.hold_out:
        loosen.append("hold out fewer rows")
    asked = (
        f"{sets} disjoint sets of {words.budget:,} rows need {need:,}" if words.disjoint else f"the sets need {plural(need, 'row')} each"
    )
    raise BudgetError(f"{asked}{beside}, but {of}; {', or '.join(loosen)}.")


def tokens(rows: Prepared, tokenizer: str, room: Room) -> dict[str, NDArray[np.int64]]:
    """Side -> (everything,) tokens of each row that stays, 0 of the others."""
    usable, found = rows.usable, {}
    for side in SIDES:
        found[side] = np.zeros(len(rows.everything), np.int64)
        found[side][rows.stays] = tokenizers.tokens(usable.texts(side), tokenizer, room).lengths
    return found


def of_length(rows: Prepared, words: SplitWords, counted: Mapping[str, NDArray[np.int64]]) -> Prepared:
    """The rows whose responses have as many tokens as the words ask for; rows to keep stay."""
    if words.match_length_to is None:
        return rows
    low, high = lengths(words.match_length_to)
    has = counted["response"][rows.stays]
    out = ((has < low) | (has > high)) & ~rows.first[rows.stays]
    away = [
        Dropped(position, REASON, f"{plural(length, 'response token')}, {low:,} to {high:,} wanted")
        for position, length in zip(rows.stays[out].tolist(), has[out].tolist(), strict=True)
    ]
    return replace(rows, stays=rows.stays[~out], dropped=sorted([*rows.dropped, *away], key=lambda one: one.position))

"""The rows that can take part: read, cleaned, and left out where their features cannot be made."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from selector import hygiene
from selector.core import Room, Rows
from selector.errors import BudgetError, InputError, UnusableRows, plural
from selector.hygiene import Dropped, Embed, Hygiene
from selector.pool import Pool
from selector.recipe import PoolRecipe

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Prepared:
    """The pool's rows and then those to keep; which of them stay, and why the others do not."""

    pool: Pool
    known: Pool | None  # rows that the user trains on already
    everything: Pool
    first: NDArray[np.bool_]  # which of everything are rows to keep
    stays: Rows  # positions in everything, ascending
    dropped: list[Dropped]

    @property
    def usable(self) -> Pool:
        return self.everything.take(self.stays)

    @property
    def kept(self) -> Rows:
        """Positions in `usable`."""
        return np.flatnonzero(self.first[self.stays])


def read(source: PoolRecipe) -> Pool:
    """The pool that these words name."""
    return Pool.read(source.source, **source.model_dump(exclude={"source"}))


def everything(pool: Pool, known: Pool | None = None) -> Prepared:
    """All rows, nothing left out."""
    both = pool if known is None else pool.concat(known)
    return Prepared(pool, known, both, np.arange(len(both)) >= len(pool), np.arange(len(both)), [])


def clean(rows: Prepared, rules: Hygiene, room: Room, embed: Embed | None = None) -> Prepared:
    """Without what hygiene drops, `embed` giving pairs a meaning. Raises InputError where a blank side is an error."""
    instructions, responses = (rows.everything.texts(side) for side in ("instruction", "response"))
    stays, dropped = hygiene.clean(instructions, responses, rules, room, first=rows.first, embed=embed)
    return replace(rows, stays=stays, dropped=dropped)


def featured(rows: Prepared, rules: Hygiene, budget: int | None, make: Callable[[Pool, Rows], Result]) -> tuple[Prepared, Result]:
    """What `make` makes of the usable rows and which of them are kept; rows whose features cannot be made are left out as `rules` say.

    Raises BudgetError or InputError where too few rows are left, InputError for such a row where they are not to be dropped.
    """
    while True:
        _enough(rows, budget)
        usable = rows.usable
        try:
            return rows, make(usable, rows.kept)
        except UnusableRows as error:
            at = rows.stays[np.asarray(error.rows)]
            if rules.unusable != "drop":
                where = _where(rows.everything, int(at[0]), rows.first)
                raise InputError(f"{error} Counted in the source the first is {where}; --unusable drop leaves such rows out.") from error
            more = [Dropped(int(position), error.reason, "the features cannot be made") for position in at]
            rows = replace(rows, stays=np.delete(rows.stays, error.rows), dropped=[*rows.dropped, *more])


def _enough(rows: Prepared, budget: int | None) -> None:
    """Raises BudgetError or InputError where too few rows are left to choose from, saying what became of the others."""
    pool, known, first, stays, dropped = rows.pool, rows.known, rows.first, rows.stays, rows.dropped
    usable = int((~first[stays]).sum())
    why = ", ".join(f"{count:,} {reason}" for reason, count in hygiene.counts(_of(dropped, first, False)).items())
    left_out = f" (dropped: {why})" if why else ""
    if not usable:
        raise InputError(
            f"none of the {plural(len(pool), 'row')} of {pool.source} can be used{left_out}; loosen hygiene or read another pool."
        )
    if budget is not None and budget > usable:
        raise BudgetError(
            f"the budget is {plural(budget, 'row')} but {usable:,} of the {plural(len(pool), 'row')} of {pool.source} can be used"
            f"{left_out}; lower the budget."
        )
    if known is not None and not first[stays].any():
        why = ", ".join(hygiene.counts(_of(dropped, first, True)))
        raise InputError(
            f"none of the {plural(len(known), 'row')} to keep of {known.source} can be used ({why}); mend them, or leave keep out."
        )


def _of(dropped: list[Dropped], first: NDArray[np.bool_], kept: bool) -> list[Dropped]:
    return [one for one in dropped if first[one.position] == kept]


def _where(everything: Pool, position: int, first: NDArray[np.bool_]) -> str:
    return f"row {position - int((~first).sum())} of the rows to keep" if first[position] else f"row {everything.rows[position]}"


@contextmanager
def stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Adds what is done inside to `seconds` under this name, and logs it."""
    began = time.monotonic()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.monotonic() - began
    log.info("%s: %.1f s", name, seconds[name])

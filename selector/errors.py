"""Errors a person can act on: what was asked, what came, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class SelectorError(Exception):
    """Anything the user can mend; the command line prints it and ends with exit code 2."""


class InputError(SelectorError):
    """A file, row, column or vector that cannot be used."""


class UnusableRows(InputError):
    """Rows that cannot take part for one `reason`; `rows` are their positions among the rows that were looked at."""

    def __init__(self, message: str, rows: Sequence[int], reason: str) -> None:
        super().__init__(message)
        self.rows, self.reason = rows, reason


class UnknownName(SelectorError):
    """A name of an objective, layer, optimizer, column or key that does not exist."""


class BudgetError(SelectorError):
    """A budget, quota or limit that cannot be met."""


class RecipeError(SelectorError):
    """A recipe or option that contradicts itself."""


class MemoryForecast(SelectorError):
    """The work asked for does not fit the memory option; raised before it starts."""


class OutputError(SelectorError):
    """The result cannot be written where it was asked to go."""


class FailedRuns(SelectorError):
    """Some runs of an experiment failed, all others are done; the command line ends with exit code 1."""


def hint(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'? There are: ...`, or only the list when nothing is near."""
    names = sorted(set(known))
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    listed = ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
    there = f"There are: {listed}." if names else "There are none."
    return f"Did you mean '{near[0]}'? {there}" if near else there


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not there. `kind` is a singular noun such as 'objective' or 'column'."""
    return UnknownName(f"no {kind} is called '{name}'. {hint(name, known)}")


def plural(count: int, noun: str) -> str:
    """`1 row`, `2,000 rows`: the count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(count: float) -> str:
    """`13 MiB`, `1.3 GiB`: an amount of memory."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{max(1, round(count / 2**20)):,} MiB"

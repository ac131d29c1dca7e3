"""What sets of rows are matched on and compared in: tokens of both sides, and the columns of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from selector.errors import InputError, RecipeError, plural
from selector.matching import Covariate
from selector.pool import Pool

LARGEST = 1e140  # number of a column: sums of squares of many are float64
MOST_LEVELS = 100
FEW = 20  # different whole numbers that are levels; more are a number
TOKENS = {"response-tokens": "response", "instruction-tokens": "instruction"}
COUNTED = [name.replace("-", " ") for name in TOKENS]  # what they are called in tables; a column of that name is called otherwise
NONE = "(none)"  # the level of rows without a value
QUALITY = "quality:"
_LOOK = 4096  # rows that show most columns of many values for what they are


def check(match: Sequence[str], pool: Pool) -> None:
    """Raises UnknownName, InputError or RecipeError for what cannot be matched on, before any long work."""
    for name in _words(match):
        if name not in TOKENS:
            try:
                column(pool, name)
            except InputError as error:
                raise InputError(f"{error} {_instead(pool)}") from None


def matched(match: Sequence[str], pool: Pool, lengths: Mapping[str, NDArray[np.int64]]) -> list[Covariate]:
    """What is matched on: `tokens` (of both sides), `response-tokens`, `instruction-tokens`, `quality:COLUMN` (a number) or a column.

    A column of text, of true and false, or of at most 20 different whole numbers has levels, at most 100; other numbers are numbers.
    `lengths` are the tokens of each side's rows. Raises UnknownName, InputError or RecipeError.
    """
    return [_tokens(name, lengths) if name in TOKENS else column(pool, name) for name in _words(match)]


def unmatched(match: Sequence[str], pool: Pool, lengths: Mapping[str, NDArray[np.int64]]) -> tuple[list[Covariate], dict[str, str]]:
    """Everything else that can be shown: tokens of both sides and columns; and why each other column is not shown."""
    taken = set(_words(match))
    shown = [_tokens(name, lengths) for name in TOKENS if name not in taken]
    left_out = {}
    for name in pool.table.column_names:
        if {name, QUALITY + name} & taken:
            continue
        values = pool.column(name)
        if pa.types.is_integer(values.type) and pc.count_distinct(values).as_py() == len(values) > FEW:
            left_out[name] = f"the column '{name}' has another whole number in every row, as an id has."
            continue
        try:
            shown.append(column(pool, name))
        except InputError as error:
            left_out[name] = str(error)
    return shown, left_out


def column(pool: Pool, name: str) -> Covariate:
    """One column as `matched` says. Raises UnknownName, and InputError for a type, numbers or levels that cannot serve."""
    asked = name.removeprefix(QUALITY)
    values = pool.column(asked)
    shown = f"column {asked}" if asked in COUNTED else asked
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = pc.cast(values, kind.value_type)
        kind = kind.value_type
    if name != asked or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(pool, values, name, shown)
    if pa.types.is_integer(kind) and pc.count_distinct(values).as_py() > FEW:
        return _numbers(pool, values, name, shown)
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise InputError(f"the column '{asked}' holds {kind}; rows are matched on text, numbers, or true and false.")
    if len(values) > _LOOK and pc.count_distinct(values.slice(0, _LOOK)).as_py() > MOST_LEVELS:
        raise _many(asked, pc.count_distinct(values).as_py())
    encoded = pc.fill_null(pc.cast(values, pa.string()), NONE).combine_chunks().dictionary_encode()
    if len(encoded.dictionary) > MOST_LEVELS:
        raise _many(asked, len(encoded.dictionary))
    if len(encoded.dictionary) == len(values) > 1:
        raise InputError(f"the column '{asked}' has another value in every row, so no two rows are alike in it.")
    order = pc.array_sort_indices(encoded.dictionary).to_numpy()
    levels = tuple(encoded.dictionary.take(pa.array(order)).to_pylist())
    return Covariate(shown, np.argsort(order)[encoded.indices.to_numpy()].astype(np.int64), levels)


def _words(match: Sequence[str]) -> list[str]:
    """Each name once, `tokens` as its two. Raises RecipeError for a name that is empty or there twice."""
    names = [one for name in match for one in (list(TOKENS) if name == "tokens" else [name])]
    for name in names:
        if not name.strip() or name == QUALITY:
            raise RecipeError("a name to match on is empty; write for instance tokens,source or quality:score.")
        if names.count(name) > 1 or (name.startswith(QUALITY) and name.removeprefix(QUALITY) in names):
            raise RecipeError(f"'{name.removeprefix(QUALITY)}' is matched on twice (tokens are those of both sides); write it once.")
    return names


def _tokens(name: str, lengths: Mapping[str, NDArray[np.int64]]) -> Covariate:
    return Covariate(name.replace("-", " "), lengths[TOKENS[name]].astype(np.float64))


def _numbers(pool: Pool, values: pa.ChunkedArray, name: str, shown: str) -> Covariate:
    try:
        numbers = np.array(pc.cast(values, pa.float64(), safe=False).to_numpy(), np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(f"the column '{name.removeprefix(QUALITY)}' holds {values.type}; {name} needs numbers.") from None
    bad = ~np.isfinite(numbers)
    if bad.any():
        raise InputError(
            f"the column '{name.removeprefix(QUALITY)}' has no finite number in {plural(int(bad.sum()), 'row')}, the first is row "
            f"{pool.rows[np.argmax(bad)]}; fill or drop those rows."
        )
    if (largest := np.abs(numbers).max(initial=0.0)) > LARGEST:
        row = pool.rows[np.argmax(np.abs(numbers))]
        raise InputError(
            f"the column '{name.removeprefix(QUALITY)}' has {numbers[np.argmax(np.abs(numbers))]:g} in row {row}, and {name} is judged by "
            f"squares of numbers, which are no float64 beyond {LARGEST:g}; divide the column by 1e{int(np.log10(largest))}."
        )
    return Covariate(shown, numbers)


def _many(name: str, count: int) -> InputError:
    return InputError(f"the column '{name}' has {count:,} different values, and rows are matched on at most {MOST_LEVELS} levels.")


def _instead(pool: Pool) -> str:
    """The columns that would do."""
    fit = []
    for name in pool.table.column_names:
        with suppress(InputError):
            fit.append(column(pool, name).name)
    return f"What would do: {', '.join(['tokens', *fit])}."

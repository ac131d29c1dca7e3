"""Finite numbers of any size: which of them float32 can hold and multiply, and what is refused."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError, RecipeError, UnusableRows, plural

REACH = 50  # the longest of rows taken as they are is 2^-50 to 2^50 long: then float32 holds their products, the steps and sums of these


def check_finite(values: NDArray[Any], rows: NDArray[np.int64], source: str) -> None:
    """Raises UnusableRows, naming the first, where `values` (m, d) of the rows `rows` (m,) are NaN or infinite."""
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        where = np.unique(rows[bad])
        raise UnusableRows(
            f"{source}: {plural(len(where), 'row')} with NaN or infinite values, the first is row {where[0]}; drop or mend them.",
            where.tolist(),
            "non-finite-vector",
        )


def narrow(rows: NDArray[Any]) -> NDArray[np.float32]:
    """(n, d) rows as float32; one with a largest entry that float32 cannot hold, or only in part, is scaled by a power of two first."""
    if np.can_cast(rows.dtype, np.float32):
        return rows.astype(np.float32)
    exponents = np.frexp(np.abs(rows).max(axis=1, initial=0.0))[1]  # 0 for NaN, infinite and zero rows
    return (np.ldexp(rows, np.where(np.abs(exponents) > REACH, -exponents, 0)[:, None])).astype(np.float32)


def check_reach(lengths: NDArray[np.float64], exponents: NDArray[np.int64], source: str) -> None:
    """Raises InputError where the longest row, of length `lengths` * 2 ^ `exponents`, is out of REACH; none is where all are 0."""
    real = np.flatnonzero(lengths)
    logs = np.log2(lengths[real]) + exponents[real]
    if not len(real) or abs(logs.max()) <= REACH:
        return
    row, tens = int(real[np.argmax(logs)]), float(logs.max() * np.log10(2.0))
    raise InputError(
        f"{source}: the longest row is row {row}, of length {_power_of_ten(tens)}. Rows taken as they are (unit=False) can be multiplied "
        f"where the longest is {2.0**-REACH:.1e} to {2.0**REACH:.1e} long; divide all of them by 1e{round(tens):+03d} first, or leave unit "
        "at True, which takes rows of any length."
    )


def _power_of_ten(exponent: float) -> str:
    """10 ^ `exponent` in two digits, which need not be a float."""
    whole = int(np.floor(exponent))
    return f"{10 ** (exponent - whole):.1f}e{whole:+03d}"


def between(numbers: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """(numbers - low) / (high - low); by halves where the difference is no float64, as that of 1e308 and -1e308."""
    with np.errstate(over="ignore"):
        if isfinite(high - low):
            return (numbers - low) / (high - low)
        return (numbers / 2 - low / 2) / (high / 2 - low / 2)


def row_numbers(kept: Any, size: int) -> NDArray[np.int64]:
    """The distinct rows in `kept`, ascending. Raises InputError where they are no whole numbers from 0 to `size` - 1."""
    given = np.asarray(kept)
    if not given.size:
        return np.empty(0, np.int64)
    if given.dtype.kind not in "iuf" or not bool((given == np.rint(given)).all()):
        wrong = next((one for one in given.ravel().tolist() if type(one) is not float or not one.is_integer()), None)
        raise InputError(f"kept names {wrong!r}, which is no row; write whole numbers from 0 to {size - 1}.")
    if given.min() < 0 or given.max() >= size:
        raise InputError(f"kept names the rows {given.min():.17g} to {given.max():.17g} but the matrix has the rows 0 to {size - 1}.")
    return np.unique(given.astype(np.int64))


def check_run(seed: Any, memory: Any) -> None:
    """Raises RecipeError for a seed that is no whole number from 0 on, or a memory that is no number of bytes."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise RecipeError(f"the seed is {seed!r}; write a whole number, at least 0.")
    if not isinstance(memory, (int, float, np.number)) or not 1 <= memory < np.inf:
        raise RecipeError(f"memory is {memory!r}; write a number of bytes, at least 1.")

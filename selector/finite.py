"""Finite numbers of any size: which of them float32 can hold and multiply, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError, UnusableRows, plural

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

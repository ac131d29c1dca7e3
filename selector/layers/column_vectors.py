"""Vectors that the user brings, as a column of lists of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from selector.core import Texts
from selector.errors import InputError, UnusableRows, plural
from selector.finite import narrow


def read_vectors(texts: Texts, name: str) -> NDArray[np.float32]:
    """(n, d) from the pool's column `name`, a list, large list or fixed-size list of any numbers; directions are kept, not all lengths.

    Raises UnusableRows, naming the first, for rows without a vector or with an empty number in it; InputError for another type,
    vectors of different lengths, or of no length.
    """
    column = texts.column(name)
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise InputError(f"the column '{name}' is to be used as vectors, so it must hold lists of numbers; it holds {kind}.")
    _refuse(name, "no vector", "no-vector", np.flatnonzero(_mask(column)))
    lengths = np.concatenate([np.empty(0, np.int64), *(_numpy(chunk.value_lengths()) for chunk in column.chunks)])
    if len(lengths) == 0 or lengths[0] == 0:
        raise InputError(f"the vector in row 0 of the column '{name}' has no numbers; give vectors of at least one dimension.")
    ragged = np.flatnonzero(lengths != lengths[0])
    if len(ragged):
        raise InputError(
            f"the column '{name}' has {int(lengths[0])} numbers in row 0 but {int(lengths[ragged[0]])} in row {int(ragged[0])}; "
            "all vectors must be of one length."
        )
    vectors, row = np.empty((len(column), int(lengths[0])), np.float32), 0
    for chunk in column.chunks:
        numbers = chunk.flatten()
        if numbers.null_count:
            holes = row + np.flatnonzero(_numpy(numbers.is_null())) // vectors.shape[1]
            _refuse(name, "an empty number in the vector", "hole-in-vector", np.unique(holes))
        vectors[row : row + len(chunk)] = narrow(_numpy(numbers).reshape(len(chunk), vectors.shape[1]))
        row += len(chunk)
    return vectors


def _refuse(name: str, what: str, reason: str, rows: NDArray[np.int64]) -> None:
    if len(rows):
        message = f"the column '{name}': {plural(len(rows), 'row')} with {what}, the first is row {rows[0]}; fill or drop them."
        raise UnusableRows(message, rows.tolist(), reason)


def _mask(column: Any) -> NDArray[np.bool_]:
    return np.concatenate([np.empty(0, np.bool_), *(_numpy(chunk.is_null()) for chunk in column.chunks)])


def _numpy(array: Any) -> NDArray[Any]:
    return array.to_numpy(zero_copy_only=False)

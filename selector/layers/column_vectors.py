"""Vectors that the user brings, as a column of lists of numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from selector.core import Texts
from selector.errors import InputError


def read_vectors(texts: Texts, name: str) -> NDArray[np.float32]:
    """(n, d) from the pool's column of lists of numbers; InputError names the column and the first bad row."""
    column = texts.column(name)
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise InputError(f"the column '{name}' is to be used as vectors, so it must hold lists of numbers; it holds {kind}.")
    vectors, row = np.empty((0, 0), np.float32), 0
    for chunk in column.chunks:
        lengths = chunk.value_lengths().to_numpy(zero_copy_only=False) if chunk.null_count == 0 else None
        if lengths is None:
            bad = row + int(np.flatnonzero(chunk.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(f"the column '{name}' has no vector in row {bad}; fill or drop the rows without one.")
        if row == 0 and len(chunk):
            vectors = np.empty((len(column), int(lengths[0])), np.float32)
        ragged = np.flatnonzero(lengths != vectors.shape[1])
        if len(ragged):
            raise InputError(
                f"the column '{name}' has {vectors.shape[1]} numbers in row 0 but {int(lengths[ragged[0]])} in row "
                f"{row + int(ragged[0])}; all vectors must be of one length."
            )
        numbers = chunk.flatten()
        if numbers.null_count:
            place = int(np.flatnonzero(numbers.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(
                f"the column '{name}' has an empty number in the vector of row {row + place // vectors.shape[1]}; "
                "fill or drop the rows with one."
            )
        if len(chunk):
            vectors[row : row + len(chunk)] = numbers.to_numpy(zero_copy_only=False).reshape(len(chunk), -1)
        row += len(chunk)
    if vectors.shape[1] == 0:
        raise InputError(f"the vectors in the column '{name}' have no numbers at all; give vectors of at least one dimension.")
    return vectors

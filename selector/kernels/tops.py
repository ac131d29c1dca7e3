"""The largest similarities of each line of a tile."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def largest(values, skip, count):  # type: ignore[no-untyped-def]
    """(b, count) the largest values of each line of `values` (b, r), falling; the place `skip` (b,) of a line is left out, -1 for none."""
    tops = np.full((values.shape[0], count), -np.inf, np.float32)
    for line in range(values.shape[0]):
        own, least = tops[line], np.float32(-np.inf)
        for at in range(values.shape[1]):
            value = values[line, at]
            if value > least and at != skip[line]:
                place = count - 1
                while place > 0 and own[place - 1] < value:
                    own[place] = own[place - 1]
                    place -= 1
                own[place] = value
                least = own[count - 1]
    return tops

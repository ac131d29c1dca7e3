"""Unit vectors in clusters, as a .npy file that never is in memory as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CLUSTERS = 3000
UNEVEN = 0.7  # Zipf: the c-th largest cluster has a share like c ** -0.7; the largest 2.7 % of all rows
SHARED = 0.10  # cosine of rows of two clusters, from a direction that all rows share
CLOSENESS = (0.3, 0.65)  # squared part of a row along its cluster's centre, drawn for each row: cosines within of 0.4 to 0.75
AT_ONCE = 16_384  # rows


def clusters(path: Path, size: int, dimensions: int, seed: int = 0) -> None:
    """(size, dimensions) float32 in `path`: each row is sqrt(0.1) of one common direction, a part along its cluster's and the rest its own.

    The first rows of a large file are the rows of a small one with the same seed.
    """
    rng = np.random.default_rng(seed)
    common, *centres = _orthogonal_to_first(rng.standard_normal((CLUSTERS + 1, dimensions)))
    places = np.stack(centres).astype(np.float32)  # (CLUSTERS, d)
    shares = np.arange(1, CLUSTERS + 1) ** -UNEVEN
    ends = np.cumsum(shares / shares.sum())
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, dimensions))
    for block, first in enumerate(range(0, size, AT_ONCE)):
        one = np.random.default_rng([seed, block])
        count = min(AT_ONCE, size - first)
        member = np.minimum(np.searchsorted(ends, one.random(AT_ONCE)), CLUSTERS - 1)[:count]
        along = one.uniform(*CLOSENESS, AT_ONCE)[:count, None].astype(np.float32)
        own = one.standard_normal((AT_ONCE, dimensions), dtype=np.float32)[:count]
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        rows = np.float32(SHARED**0.5) * common.astype(np.float32) + np.sqrt(along) * places[member] + np.sqrt(1 - SHARED - along) * own
        file[first : first + count] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    file.flush()


def _orthogonal_to_first(directions: np.ndarray) -> np.ndarray:
    """Unit rows; all but the first stand at right angles to it, so that the cosine between clusters is what was asked for."""
    first = directions[0] / np.linalg.norm(directions[0])
    others = directions[1:] - np.outer(directions[1:] @ first, first)
    return np.vstack([first, others / np.linalg.norm(others, axis=1, keepdims=True)])

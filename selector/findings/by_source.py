"""Which source each row is from: the largest by name, the others together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows
from selector.errors import plural
from selector.findings.scene import Scene

LISTED = 30  # sources; of a column with more, the others are two groups: real and synthetic ones


@dataclass(frozen=True)
class BySource:
    """The sources that are told apart, those with most rows of the pool first, and which one each row is from."""

    names: list[str]  # as the page may show them
    synthetic: list[bool]
    code: NDArray[np.int64]  # (n,) of each row of everything

    def counts(self, rows: Rows) -> NDArray[np.int64]:
        """(S,) rows of each source."""
        return np.bincount(self.code[rows], minlength=len(self.names))

    def carried(self, incidence: Any, rows: Rows) -> Any:
        """(S, T) CSR: how many of these rows of each source carry each type. O(entries of the rows)."""
        from scipy.sparse import csr_array

        ones = np.ones(len(rows), np.float32)
        owner = csr_array((ones, (self.code[rows], np.arange(len(rows)))), shape=(len(self.names), len(rows)))
        found = csr_array(owner @ incidence[rows])
        found.sort_indices()
        return found


def by_source(scene: Scene) -> BySource | None:
    """None where no column says what the rows' sources are."""
    if scene.sources is None:
        return None
    levels = sorted(set(scene.sources))
    number = {level: place for place, level in enumerate(levels)}
    code = np.array([number[source] for source in scene.sources], np.int64)
    rows = np.bincount(code[scene.pool], minlength=len(levels))
    order = np.argsort(-rows, kind="stable")
    made = np.array([level in scene.synthetic for level in levels], bool)
    place = np.empty(len(levels), np.int64)
    names, synthetic = [], []
    for rank, level in enumerate(order[:LISTED].tolist()):
        place[level] = rank
        names.append(scene.name("source", rank, levels[level]))
        synthetic.append(bool(made[level]))
    for kind in (False, True):
        rest = [level for level in order[LISTED:].tolist() if made[level] == kind]
        if rest:
            place[rest] = len(names)
            names.append(plural(len(rest), "other synthetic source" if kind else "other source"))
            synthetic.append(kind)
    return BySource(names, synthetic, place[code])

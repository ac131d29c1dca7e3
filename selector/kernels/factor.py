"""log det of a growing principal minor by the incremental Cholesky factor, for kernels of any rank, within a stated memory."""

from __future__ import annotations

import numpy as np

from selector.core import Gains, Ground, Rows, Similarity
from selector.errors import MemoryForecast, plural, size
from selector.features import SparseVectors, Vectors
from selector.kernels import cholesky
from selector.kernels.team import Team

PART = 1 << 21  # multiply-adds that one thread takes at a time
MOST_ROWS = 64  # and rows: their lines stay near the processor from one pick to the next
AT_WORK = 16  # lines that have to fit beside those of the picks
SPANS_NOTHING = 1e-12  # of the diagonal: a residual below it is the rounding of 0


def factor_bytes(picks: int) -> int:
    """What the factor cannot do without: the lines of the picks, and of a few candidates at work."""
    return 8 * (picks * (picks + 1) // 2 + AT_WORK * (picks + 8))


def forecast(picks: int, memory: int) -> None:
    """Raises MemoryForecast where so many picks do not fit `memory` bytes. All beyond the least only saves time."""
    if factor_bytes(picks) <= memory:
        return
    fits = int(np.sqrt(memory / 4))
    while fits > 0 and factor_bytes(fits) > memory:
        fits -= 1
    raise MemoryForecast(
        f"dpp with this kernel holds the lines of its picks: {plural(picks, 'row')} take {size(factor_bytes(picks))} but the memory option "
        f"leaves it {size(memory)}, enough for {plural(fits, 'row')}; lower the budget, raise --memory, or use dense vectors with kernel "
        "linear (macro), which need no factor."
    )


class Factor:
    """The factor of L_S, L = Q (K [+ I]) Q, and for every candidate asked so far its own line of it (Chen et al. 2018, algorithm 1).

    K is exp(-width |x - y|^2), or scale x . y where the width is 0; `ridged` adds I. A line is brought up to date only when its row is
    asked for (Hemmi et al. 2022): O(d + k) for each pick that it missed. Where the memory is full, the lines of the rows with the
    smallest residuals are forgotten and made again when asked for: that costs time and changes no gain. A row that spans nothing more
    (an exact copy of a pick; a zero row without a ridge) gains -inf.
    """

    def __init__(self, ground: Ground, vectors: Similarity, quality: Gains, scale: float, width: float, ridged: bool, chosen: Rows) -> None:
        count = ground.size
        self.vectors, self.quality, self.scale, self.width, self.memory = vectors, quality, scale, width, ground.memory
        self.norms = squared_norms(vectors)  # (n,)
        own = np.ones(count) if width > 0 else scale * self.norms
        self.diagonal = quality**2 * own + float(ridged)  # (n,)
        self.residual = self.diagonal.copy()  # (n,) squared pivot of each row after the picks that its line has seen
        self.seen, self.start, self.room = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.int64)  # (n,) lines
        self.lines, self.top = np.zeros(1024), 0
        self.picks, self.pivots = np.empty(0, np.int64), np.empty(0)  # (k,)
        self.picked = np.empty(
            (0, vectors.dimensions if isinstance(vectors, Vectors) else 0)
        )  # (room, d) vectors of the picks, where vectors are dense
        self.steps = vectors.dimensions if isinstance(vectors, Vectors) else 64  # multiply-adds of an entry
        self.team = Team()
        self.value, self.evaluations, self.batch = 0.0, 0, 32
        for row in chosen:
            self.add(int(row))

    def gains(self, candidates: Rows) -> Gains:
        self.evaluations += len(candidates)
        gains, at_once = np.empty(len(candidates)), self._at_once()
        for first in range(0, len(candidates), at_once):
            rows = candidates[first : first + at_once]
            self._bring_up(np.unique(rows))
            gains[first : first + at_once] = self._logs(rows)
        return gains

    def add(self, row: int) -> None:
        rows, place = np.array([row]), len(self.picks)
        forecast(place + 1, self.memory)
        self._bring_up(rows)
        gain = float(self._logs(rows)[0])
        self.value += gain
        self.picks = np.append(self.picks, row)
        # A pivot of 0 stands for a pick that spans nothing: it takes nothing off any other row.
        self.pivots = np.append(self.pivots, np.sqrt(self.residual[row]) if np.isfinite(gain) else 0.0)
        if isinstance(self.vectors, Vectors):
            if place == len(self.picked):
                self.picked = np.concatenate([self.picked, np.empty((max(64, place), self.picked.shape[1]))])
            self.picked[place] = self.vectors.data[row]

    def _logs(self, rows: Rows) -> Gains:
        alive = self.residual[rows] > SPANS_NOTHING * self.diagonal[rows]
        return np.where(alive, np.log(np.where(alive, self.residual[rows], 1.0)), -np.inf)

    def _at_once(self) -> int:
        """How many lines may be at work together: each as it was and as it becomes, beside those of the picks."""
        picks = len(self.picks)
        return max(AT_WORK // 2, min(8192, (self.memory - 4 * picks * (picks + 1)) // (3 * 8 * (picks + 8))))

    def _bring_up(self, rows: Rows) -> None:
        """All picks into the lines of these rows. A pick's own line ends before its own pivot: it stays as it was when it was chosen."""
        picks = self.picks
        rows = rows[self.seen[rows] < len(picks)]
        if not len(rows):
            return
        self._reserve(rows, len(picks))
        rows = rows[np.argsort(self.seen[rows], kind="stable")]
        work = int((len(picks) - self.seen[rows]).sum()) * (len(picks) + self.steps)
        at_once = min(MOST_ROWS, max(8, PART * len(rows) // work // 4 * 4))
        self.team.share(self._extend, [rows[first : first + at_once] for first in range(0, len(rows), at_once)])

    def _extend(self, rows: Rows) -> None:
        work = np.empty((len(rows), len(self.picks)))
        rest = (self.picks, self.norms, self.scale, self.width, self.quality, self.seen, work)
        if isinstance(self.vectors, Vectors):
            cholesky.dense_entries(rows, self.vectors.data, self.picked, *rest)
        else:
            assert isinstance(self.vectors, SparseVectors)
            csr = self.vectors.data
            cholesky.sparse_entries(rows, csr.indptr, csr.indices, csr.data, *rest)
        cholesky.substitute(rows, self.picks, self.pivots, self.seen, self.start, self.lines, self.residual, work)

    def _reserve(self, rows: Rows, need: int) -> None:
        """Room for `need` numbers in the line of each of these rows, and of the lines that are there."""
        short, wanted = rows[self.room[rows] < need], need + need // 2 + 8
        if self.top + wanted * len(short) > len(self.lines):
            live = int(self.seen[self.room > 0].sum())
            if 2 * (live + wanted * len(rows)) <= len(self.lines):
                short = rows
                self._close_gaps()
            elif not self._grow(self.top + wanted * len(short)):
                short, wanted = rows, need
                self._forget(rows, need * len(rows))
        self.top = cholesky.make_room(short, wanted, self.top, self.start, self.room, self.seen, self.lines)

    def _grow(self, total: int) -> bool:
        """Whether the lines may be so long; longer than asked where the memory allows it."""
        most = self.memory // 8
        if total > most:
            return False
        self.lines.resize(min(most, max(total, len(self.lines) + len(self.lines) // 2)), refcheck=False)
        return True

    def _forget(self, working: Rows, wanted: int) -> None:
        """Forgets the lines least likely to be asked for again until half of what is not the picks' is free, and closes all gaps."""
        there = self.room > 0
        spared = np.zeros(len(there), bool)
        spared[self.picks], spared[working] = True, True
        bound = self.memory // 8 - wanted - int(self.seen[spared].sum())
        others = np.flatnonzero(there & ~spared)
        others = others[np.argsort(-self.residual[others] / self.diagonal[others], kind="stable")]
        kept = np.searchsorted(np.cumsum(self.seen[others]), bound // 2, side="right") if bound > 0 else 0
        lost = others[kept:]
        self.seen[lost], self.room[lost], self.residual[lost] = 0, 0, self.diagonal[lost]
        self._close_gaps()
        if self.top + wanted > len(self.lines) and not self._grow(self.top + wanted):
            raise MemoryForecast(
                f"dpp with this kernel was asked for {plural(len(working), 'line')} of its factor at once, {size(8 * (self.top + wanted))} "
                f"with what it holds, but the memory option leaves it {size(self.memory)}; raise --memory, or lower the budget."
            )

    def _close_gaps(self) -> None:
        order = np.flatnonzero(self.room > 0)
        order = order[np.argsort(self.start[order], kind="stable")]
        self.top = int(cholesky.close_gaps(order, self.start, self.room, self.seen, self.lines))


def squared_norms(vectors: Similarity) -> Gains:
    """(n,) squared length of each row."""
    if isinstance(vectors, Vectors):
        return cholesky.dense_norms(vectors.data)
    assert isinstance(vectors, SparseVectors)
    return cholesky.sparse_norms(vectors.data.indptr, vectors.data.indices, vectors.data.data)

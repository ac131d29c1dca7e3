"""log det of a growing principal minor by the incremental Cholesky factor, for kernels of any rank, within a stated memory."""

from __future__ import annotations

import numpy as np

from selector.core import Gains, Ground, Rows, Similarity
from selector.errors import MemoryForecast, plural, size
from selector.features import SparseVectors, Vectors
from selector.kernels import cholesky
from selector.kernels.lines import PAGE, Lines, line_pages
from selector.kernels.team import Team

PART = 1 << 21  # multiply-adds that one thread takes at a time
MOST_ROWS, MOST_NUMBERS = 64, 1 << 16  # and rows, and numbers of their lines: they stay near the processor from one pick to the next
AT_WORK = 16  # lines that have to fit beside those of the picks
SPANS_NOTHING = 1e-12  # of the diagonal: a residual below it is the rounding of 0


def factor_bytes(picks: int) -> int:
    """What the factor cannot do without: the lines of the picks, and of a few candidates at work."""
    numbers = picks * (picks + 1) // 2 + AT_WORK * PAGE * line_pages(picks + 8)
    return 8 * numbers + 4 * line_pages(numbers) + 8


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
        self.seen = np.zeros(count, np.int64)  # (n,) how many picks
        self.lines = Lines(count, self.memory)
        self.picks, self.pivots = np.empty(0, np.int64), np.empty(0)  # (k,)
        self.picked = np.empty(
            (0, vectors.dimensions if isinstance(vectors, Vectors) else 0)
        )  # (room, d) vectors of the picks, where vectors are dense
        self.steps = vectors.dimensions if isinstance(vectors, Vectors) else 64  # multiply-adds of an entry
        self.team = Team()
        self.value, self.evaluations, self.batch = 0.0, 0, 128
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
        self._make_room(rows, 0, 1)
        self.lines.keep(row)
        gain = float(self._logs(rows)[0])
        self.value += gain
        self.picks = np.append(self.picks, row)
        # A pivot of 0 stands for a pick that spans nothing: it takes nothing off any other row.
        self.pivots = np.append(self.pivots, np.sqrt(self.residual[row]) if np.isfinite(gain) else 0.0)
        if isinstance(self.vectors, Vectors):
            if place == len(self.picked):
                self.picked = np.concatenate([self.picked, np.empty((max(64, place), self.picked.shape[1]))])
            self.picked[place] = self.vectors.data[row]
        self._start_over(rows)

    def _logs(self, rows: Rows) -> Gains:
        alive = self.residual[rows] > SPANS_NOTHING * self.diagonal[rows]
        return np.where(alive, np.log(np.where(alive, self.residual[rows], 1.0)), -np.inf)

    def _at_once(self) -> int:
        """How many lines may be at work together: half of what there is beside those of the picks."""
        picks = len(self.picks)
        return max(AT_WORK // 2, min(8192, (self.memory - 4 * picks * (picks + 1)) // (2 * 8 * (picks + PAGE))))

    def _bring_up(self, rows: Rows) -> None:
        """All picks into the lines of these rows."""
        picks = len(self.picks)
        rows = rows[self.seen[rows] < picks]
        if not len(rows):
            return
        self._make_room(rows, int((line_pages(picks) - self.lines.pages[rows]).sum()), 0)
        self.lines.extend(rows, picks)
        rows = rows[np.argsort(self.seen[rows], kind="stable")]
        work = int((picks - self.seen[rows]).sum()) * (picks + self.steps)
        at_once = max(8, min(MOST_ROWS, MOST_NUMBERS // picks, PART * len(rows) // work) // 4 * 4)
        self.team.share(self._extend, [rows[first : first + at_once] for first in range(0, len(rows), at_once)])

    def _extend(self, rows: Rows) -> None:
        work, lines = np.empty((len(rows), len(self.picks))), self.lines
        rest = (self.picks, self.norms, self.scale, self.width, self.quality, self.seen, work)
        if isinstance(self.vectors, Vectors):
            cholesky.dense_entries(rows, self.vectors.data, self.picked, *rest)
        else:
            assert isinstance(self.vectors, SparseVectors)
            csr = self.vectors.data
            cholesky.sparse_entries(rows, csr.indptr, csr.indices, csr.data, *rest)
        cholesky.substitute(rows, self.picks, self.pivots, self.seen, lines.first, lines.following, lines.numbers, self.residual, work)

    def _start_over(self, rows: Rows) -> None:
        """The lines of these rows are gone."""
        self.seen[rows], self.residual[rows] = 0, self.diagonal[rows]

    def _make_room(self, working: Rows, pages: int, picks: int) -> None:
        """Room for so many more pages and picks: where there is none, half of the lines that nobody works on are forgotten.

        Those with the smallest residuals go first, since they are least likely to be asked for again.
        """
        lines = self.lines
        if lines.fit(pages, picks):
            return
        others = lines.pages > 0
        others[working] = False
        held = np.flatnonzero(others)
        held = held[np.argsort(-self.residual[held] / self.diagonal[held], kind="stable")]
        bound = lines.most(lines.picks + picks) - pages - int(lines.pages[working].sum())
        lost = held[np.searchsorted(np.cumsum(lines.pages[held]), max(0, bound) // 2, side="right") :]
        lines.release(lost)
        self._start_over(lost)
        if not lines.fit(pages, picks):
            raise MemoryForecast(
                f"dpp with this kernel was asked for {plural(len(working), 'line')} of its factor at once, {size(8 * PAGE * pages)} more "
                f"than it holds, but the memory option leaves it {size(self.memory)}; raise --memory, or lower the budget."
            )


def squared_norms(vectors: Similarity) -> Gains:
    """(n,) squared length of each row."""
    if isinstance(vectors, Vectors):
        return cholesky.dense_norms(vectors.data)
    assert isinstance(vectors, SparseVectors)
    return cholesky.sparse_norms(vectors.data.indptr, vectors.data.indices, vectors.data.data)

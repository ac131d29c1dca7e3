"""Sampling of rows by the volume they span: elementary symmetric polynomials, eigenvectors, and chances that fall pick by pick."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows, quiet
from selector.errors import BudgetError, plural
from selector.kernels.team import Team

Matrix = NDArray[np.float64]

CHUNK = 8192  # rows of one matrix product
RANK = 1e-12  # of the largest eigenvalue: anything below is rounding


def log_elementary(eigenvalues: Matrix, k: int) -> Matrix:
    """(k + 1, N + 1) logs of the elementary symmetric polynomials e_l of the first n eigenvalues (Kulesza and Taskar 2012, alg. 7).

    In logs, since e_200 of 384 eigenvalues around 10^3 is no float64. O(N k).
    """
    logs = np.log(eigenvalues)
    table = np.full((k + 1, len(logs) + 1), -np.inf)
    table[0] = 0.0
    for count in range(1, len(logs) + 1):
        table[1:, count] = np.logaddexp(table[1:, count - 1], logs[count - 1] + table[:-1, count - 1])
    return table


def draw_eigenvectors(eigenvalues: Matrix, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k of the N eigenvalues (all above 0), a set J with a chance in proportion to their product (Kulesza and Taskar 2012, alg. 8)."""
    table, logs, drawn, left = log_elementary(eigenvalues, k), np.log(eigenvalues), list[int](), k
    for count in range(len(eigenvalues), 0, -1):
        if left == 0:
            break
        if left == count or np.log(rng.random()) < logs[count - 1] + table[left - 1, count - 1] - table[left, count]:
            drawn.append(count - 1)
            left -= 1
    return np.array(drawn[::-1], np.int64)


@dataclass(frozen=True)
class Volume:
    """The k-DPPs over some rows of Q X, given the span of others: the eigenvalues and eigenvectors of the dual C, rounding left out."""

    name: str  # of the vectors, for messages
    data: NDArray[Any]  # (n, d) X
    quality: Matrix  # (n,) q
    open: NDArray[np.bool_]  # (n,) rows that may be drawn
    values: Matrix  # (r,) eigenvalues of C = M X^T Q^2 X M over the open rows; M takes off the span of the kept rows
    vectors: Matrix  # (d, r)
    basis: Matrix  # (s, d) orthonormal: the span of the kept rows
    kept: int  # their number

    @property
    def rank(self) -> int:
        return len(self.values)

    def draw(self, k: int, rng: np.random.Generator, progress: Progress = quiet) -> Rows:
        """k distinct rows in the order drawn (Kulesza and Taskar 2012, alg. 8, then alg. 3 in the dual form). O(n d k).

        A set of eigenvectors first; y_i = q_i x_i F with F (d, k) of these projects onto their directions. Then row by row: the chance
        of a row is its squared distance to the span of the rows drawn before, and each draw takes one direction off all rows. Raises
        BudgetError where k is above the rank.
        """
        if k > self.rank:
            after = f" outside the span of {plural(self.kept, 'kept row')}" if self.kept else ""
            raise BudgetError(
                f"k-dpp cannot draw {plural(k, 'row')}: the vectors of {self.name} have rank {self.rank:,}{after}, and more rows than that "
                f"span no volume; lower the budget to at most {self.rank:,}, or use dpp, which knows no such end."
            )
        drawn = draw_eigenvectors(self.values, k, rng)
        frame = self.vectors[:, drawn] / np.sqrt(self.values[drawn])  # (d, k)
        chances = np.zeros(
            len(self.quality)
        )  # (n,) squared distance of each row to the span of the rows drawn; they sum to what is left of k
        for first in range(0, len(chances), CHUNK):
            some = slice(first, first + CHUNK)
            part = (self.data[some].astype(np.float64) @ frame) * self.quality[some, None]
            chances[some] = np.where(self.open[some], np.einsum("nk,nk->n", part, part), 0.0)
        least = RANK * chances  # below it a row is a copy of what was drawn
        basis, rows = np.empty((k, k)), np.empty(k, np.int64)
        team, parts = Team(), [slice(first, first + CHUNK) for first in range(0, len(chances), CHUNK)]
        for place in range(k):
            ends = np.cumsum(chances)
            row = int(np.searchsorted(ends, rng.random() * ends[-1], side="right"))
            own = outside((self.data[row].astype(np.float64) @ frame) * self.quality[row], basis[:place])
            basis[place], rows[place] = own / np.linalg.norm(own), row
            direction = frame @ basis[place]
            team.share(partial(self._take_off, direction, chances, least), parts)
            chances[row] = 0.0
            progress("draws", place + 1, k)
        return rows

    def _take_off(self, direction: Matrix, chances: Matrix, least: Matrix, part: slice) -> None:
        take_off(self.data[part], self.quality[part], direction, chances[part], least[part])

    def gains(self, rows: Rows) -> Gains:
        """(k,) log squared distance of each row to the span of the kept rows and of the rows before it; their sum is a log determinant."""
        basis, squares = self.basis, np.empty(len(rows))
        for place, row in enumerate(rows):
            left = outside(self.data[row].astype(np.float64) * self.quality[row], basis)
            squares[place] = left @ left
            basis = np.vstack([basis, left / np.sqrt(squares[place])])
        return np.log(squares)


def spectrum(name: str, data: NDArray[Any], quality: Matrix, candidates: Rows, kept: Rows) -> Volume:
    """The Volume of the candidates, given the kept rows. O(n d^2 + d^3)."""
    dual, before = gram(data, quality, candidates), gram(data, quality, kept)
    values, vectors = np.linalg.eigh(before)
    basis = vectors[:, values > RANK * values[-1]].T if len(kept) else np.empty((0, len(dual)))
    largest = float(np.linalg.eigvalsh(dual)[-1])
    mask = np.eye(len(dual)) - basis.T @ basis
    values, vectors = np.linalg.eigh(mask @ dual @ mask)
    real = values > RANK * largest
    is_open = np.zeros(len(quality), bool)
    is_open[candidates] = True
    return Volume(name, data, quality, is_open, values[real], vectors[:, real], basis, len(kept))


def gram(data: NDArray[Any], quality: Matrix, rows: Rows) -> Matrix:
    """(d, d) X^T Q^2 X of these rows."""
    total = np.zeros((data.shape[1], data.shape[1]))
    for first in range(0, len(rows), CHUNK):
        part = rows[first : first + CHUNK]
        scaled = data[part] * quality[part, None]
        total += scaled.T @ scaled
    return total


def outside(vector: Matrix, basis: Matrix) -> Matrix:
    """The part of a vector outside the span of an orthonormal basis; taken twice, since one pass leaves what rounding put back."""
    vector = vector - (basis @ vector) @ basis
    return vector - (basis @ vector) @ basis


@njit(cache=True, fastmath={"reassoc", "contract"})
def _left(row, data, quality, direction, chances, least):  # type: ignore[no-untyped-def]
    along = 0.0
    for place in range(direction.size):
        along += data[row, place] * direction[place]
    left = chances[row] - (quality[row] * along) ** 2
    return left if left > least[row] else 0.0


@njit(cache=True, nogil=True)
def take_off(data, quality, direction, chances, least):  # type: ignore[no-untyped-def]
    """`chances` (n,) less the squared part of each row along `direction` (d,); what falls to rounding is 0, never below."""
    for row in range(chances.size):
        if chances[row] > 0.0:
            chances[row] = _left(row, data, quality, direction, chances, least)

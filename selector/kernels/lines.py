"""Lines of numbers that grow at different times, in one array: chains of pages, so that no line is ever moved to grow."""

from __future__ import annotations

import numpy as np
from numba import njit

from selector.core import Rows

PAGE = 64  # numbers


def line_pages(length: int) -> int:
    """Pages of a line of so many numbers."""
    return -(-length // PAGE)


class Lines:
    """A line for each of n rows as a chain of pages, and the lines of picks in one piece, in at most `memory` bytes.

    Pages are taken from the front of the array and used again. The j-th pick has j numbers, which lie before those of the pick before it,
    the first one's at the end: two sides of one array, so that more of the one is less of the other. What is never written takes no memory.
    """

    def __init__(self, rows: int, memory: int) -> None:
        memory = min(memory, 16 * (rows + 16) * (rows + 2 * PAGE))  # all there could ever be
        pages = memory // (8 * PAGE + 4)
        self.numbers = np.empty((memory - 4 * pages) // 8)
        self.following = np.empty(pages, np.int32)  # the next page of a line, or of the pages that are free
        self.first, self.last, self.pages = np.full(rows, -1), np.full(rows, -1), np.zeros(rows, np.int64)  # (n,) of each row's chain
        self.picks, self.top, self.free, self.unused = 0, 0, -1, 0  # free pages below the top: the first of them, and how many

    @property
    def nbytes(self) -> int:
        return self.numbers.nbytes + self.following.nbytes

    def most(self, picks: int) -> int:
        """Pages that there can be beside the lines of so many picks."""
        return min(len(self.following), (len(self.numbers) - picks * (picks - 1) // 2) // PAGE)

    def fit(self, pages: int, picks: int) -> bool:
        """Whether so many more pages and picks fit."""
        return self.top - self.unused + pages <= self.most(self.picks + picks)

    def extend(self, rows: Rows, length: int) -> None:
        """Pages for `length` numbers in the line of each row. The caller knows that they fit."""
        self.top, self.free, used = _take(rows, line_pages(length), self.top, self.free, self.first, self.last, self.pages, self.following)
        self.unused -= used

    def release(self, rows: Rows) -> None:
        """The lines of these rows are forgotten."""
        self.unused += int(self.pages[rows].sum())
        self.free = _release(rows, self.free, self.first, self.last, self.pages, self.following)

    def keep(self, row: int) -> None:
        """The first numbers of this row's line, as many as there were picks, are those of the next pick; the row's own are forgotten."""
        most = self.most(self.picks + 1)
        if self.top > most:
            rows = np.flatnonzero(self.pages)
            self.free, self.unused = _vacate(rows, most, self.top, self.first, self.last, self.following, self.numbers)
            self.top = most
        start = pick_line(self.picks, self.numbers)
        read(self.first[row], self.following, self.numbers, self.numbers[start : start + self.picks])
        self.picks += 1
        self.release(np.array([row]))


@njit(cache=True)
def pick_line(pick, numbers):  # type: ignore[no-untyped-def]
    """Where the line of this pick (0 the first) begins."""
    return numbers.size - pick * (pick + 1) // 2


@njit(cache=True)
def read(page, following, numbers, line):  # type: ignore[no-untyped-def]
    """Fills `line` with the numbers of the chain that begins with this page."""
    for first in range(0, line.size, PAGE):
        for place in range(first, min(first + PAGE, line.size)):
            line[place] = numbers[page * PAGE + place - first]
        page = following[page]


@njit(cache=True)
def write(page, following, numbers, line, begin):  # type: ignore[no-untyped-def]
    """Writes the numbers of `line` from `begin` on into the chain that begins with this page."""
    for first in range(0, line.size, PAGE):
        for place in range(max(begin, first), min(first + PAGE, line.size)):
            numbers[page * PAGE + place - first] = line[place]
        page = following[page]


@njit(cache=True)
def _take(rows, need, top, free, first, last, pages, following):  # type: ignore[no-untyped-def]
    used = 0
    for row in rows:
        while pages[row] < need:
            page = free
            if page >= 0:
                free = np.int64(following[page])
                used += 1
            else:
                page = top
                top += 1
            if pages[row] == 0:
                first[row] = page
            else:
                following[last[row]] = page
            last[row], following[page] = page, -1
            pages[row] += 1
    return top, free, used


@njit(cache=True)
def _release(rows, free, first, last, pages, following):  # type: ignore[no-untyped-def]
    for row in rows:
        if pages[row] > 0:
            following[last[row]] = free
            free = first[row]
            first[row], last[row], pages[row] = -1, -1, 0
    return free


@njit(cache=True)
def _vacate(rows, most, top, first, last, following, numbers):  # type: ignore[no-untyped-def]
    """Moves the pages from `most` on to free ones below it; returns the first of those still free, and how many they are."""
    used = np.zeros(top, np.bool_)
    for row in rows:
        page = first[row]
        while page >= 0:
            used[page] = True
            page = np.int64(following[page])
    free, count = np.int64(-1), 0
    for page in range(most - 1, -1, -1):
        if not used[page]:
            following[page] = free
            free = np.int64(page)
            count += 1
    for row in rows:
        page, before = first[row], np.int64(-1)
        while page >= 0:
            after, place = np.int64(following[page]), page
            if page >= most:
                place = free
                free = np.int64(following[place])
                count -= 1
                numbers[place * PAGE : (place + 1) * PAGE] = numbers[page * PAGE : (page + 1) * PAGE]
                following[place] = after
                if before < 0:
                    first[row] = place
                else:
                    following[before] = place
                if after < 0:
                    last[row] = place
            before, page = place, after
    return free, count

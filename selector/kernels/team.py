"""Threads that share parts of one piece of work, and never wait for one another where the machine is busy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from numba import get_num_threads

Part = TypeVar("Part")


class Team:
    """As many threads as the compiled loops may use, for loops that release the interpreter's lock (nogil).

    The caller takes parts as well, so a thread that other programs keep from running costs nothing: whoever is free takes the next
    part. A barrier of OpenMP would wait for it each time: with one more busy program on two cores that took six times as long.
    """

    def __init__(self) -> None:
        self.threads = get_num_threads()
        self.others = ThreadPoolExecutor(max(1, self.threads - 1))  # starts a thread when there is something to do

    def share(self, work: Callable[[Part], object], parts: Sequence[Part]) -> None:
        """`work` on each part once, in any order; returns when all are done, and raises what any of them raised."""
        left = iter(parts)

        def take() -> None:
            for part in left:  # the interpreter's lock makes taking a part one step
                work(part)

        others = [self.others.submit(take) for _ in range(min(self.threads, len(parts)) - 1)]
        take()
        for other in others:
            if not other.cancel():
                other.result()

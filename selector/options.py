"""How a run is done on this machine: nothing here changes a result."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selector.cache import Cache, default_folder
from selector.core import Progress, Room, quiet
from selector.errors import RecipeError


@dataclass(frozen=True)
class Options:
    """How, on this machine: nothing here changes which rows are picked."""

    device: str = "cpu"
    threads: int = 0  # 0: all cores
    memory: int = 4 << 30  # bytes for the whole run
    cache: Path | str | None = field(default_factory=default_folder)  # None: keep no features
    progress: Progress = quiet
    overwrite: bool = False
    jobs: int = 1  # runs of an experiment at a time

    def __post_init__(self) -> None:
        if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", self.device):
            raise RecipeError(f"the device is '{self.device}'; write cpu, cuda, cuda:N or mps.")
        if not 0 <= self.threads <= 4096:
            raise RecipeError(f"threads is {self.threads}; write how many to use, at most 4,096, or 0 for all cores.")
        if self.jobs < 1:
            raise RecipeError(f"jobs is {self.jobs}; write how many runs to do at a time.")
        if not 1 <= self.memory < float("inf"):
            raise RecipeError(f"memory is {self.memory}; write a number of bytes.")


@contextmanager
def room(options: Options) -> Iterator[Room]:
    """Where features are made: on so many threads, in a third of the memory, kept in the cache or as long as the run."""
    with ExitStack() as stack:
        stack.enter_context(threads(options.threads))
        # Without a cache features are still asked for more than once in a run (vectors, then the vocabulary): they live as long as it.
        folder = Path(options.cache or stack.enter_context(tempfile.TemporaryDirectory(prefix="selector-")))
        yield Room(Cache(folder), options.progress, options.device, options.threads, options.memory // 3)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Every compiled loop and matrix product on this many threads; 0 leaves them on all cores."""
    if number <= 0:
        yield
        return
    import numba
    from threadpoolctl import threadpool_limits

    before = numba.get_num_threads()
    numba.set_num_threads(min(number, numba.config.NUMBA_NUM_THREADS))
    try:
        with threadpool_limits(number):
            yield
    finally:
        numba.set_num_threads(before)

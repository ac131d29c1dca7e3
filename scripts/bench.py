"""What the benchmarks share: one measurement in a process of its own, the machine in words, Markdown tables.

Run as a program it is that process: it reads one request in JSON, makes the selection and writes what it took.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import platform
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

HERE = Path(__file__).resolve().parent
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA")  # <name>_NUM_THREADS
WARM = 4096  # rows of the untimed call that loads what is imported late and compiled once
PATIENCE = 300  # seconds for imports, loading and that call, before the limit starts to count
MIB = 2**20


@dataclass(frozen=True)
class Request:
    """Choose `budget` of the first `size` rows of a .npy file, `way` being 'module:NAME' of a function in this folder."""

    way: str
    vectors: str
    size: int
    budget: int
    threads: int = 2
    seed: int = 0
    mapped: bool = False  # the vectors stay in their file instead of being read first
    words: Mapping[str, Any] = field(default_factory=dict)  # more that the way is told


@dataclass(frozen=True)
class Took:
    """What one selection took. `fault` says why there are no rows."""

    rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    seconds: float = float("nan")
    peak: int = 0  # bytes resident at most while it ran
    rise: int = 0  # the same less what was resident just before: imports and the vectors
    told: dict[str, Any] = field(default_factory=dict)  # what the way says of itself
    fault: str = ""


def take(request: Request, *, limit: float, memory: int) -> Took:
    """One selection in a fresh process, ended after `limit` seconds (imports and loading not counted) or above `memory` bytes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment = {**os.environ, **{f"{name}_NUM_THREADS": str(request.threads) for name in THREADS}}
        command = [sys.executable, str(HERE / "bench.py"), json.dumps(vars(request)), folder]
        with (place / "errors").open("w") as errors:
            child = subprocess.Popen(command, env=environment, stdout=errors, stderr=errors, start_new_session=True)
            try:
                fault = _watch(child, place / "started", limit, memory)
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
        if fault:
            return Took(fault=fault)
        if child.returncode:
            lines = (place / "errors").read_text(errors="replace").strip().splitlines() or [f"ended by signal {-child.returncode}"]
            return Took(fault=_out_of_memory(lines[-1]) or lines[-1])
        return Took(rows=np.load(place / "rows.npy"), **json.loads((place / "took.json").read_text()))


def _watch(child: subprocess.Popen, started: Path, limit: float, memory: int) -> str:
    """Waits for the process; why it must be ended, or nothing."""
    born, begun = time.monotonic(), 0.0
    watched = psutil.Process(child.pid)
    while child.poll() is None:
        time.sleep(0.05)
        if not begun and started.exists():
            begun = time.monotonic()
        if begun and time.monotonic() - begun > limit:
            return f"more than {limit:g} s"
        if not begun and time.monotonic() - born > PATIENCE + limit:
            return f"no start within {PATIENCE + limit:g} s"
        try:
            if watched.memory_info().rss > memory:
                return f"out of memory: more than {memory / 2**30:.1f} GiB"
        except psutil.NoSuchProcess:
            break
    child.wait()
    return ""


def _out_of_memory(line: str) -> str:
    return f"out of memory: {line.split(': ', 1)[-1]}" if "MemoryError" in line or "Unable to allocate" in line else ""


# ------------------------------------------------------------------------------------------------- the process of its own


def _measured(request: Request, place: Path) -> None:
    if cores := _cores():
        os.sched_setaffinity(0, set(sorted(cores)[: request.threads]))  # also for those that ask the machine how many it has
    module, _, name = request.way.partition(":")
    way = getattr(importlib.import_module(module), name)
    vectors = np.load(request.vectors, mmap_mode="r")[: request.size]
    if not request.mapped:
        vectors = np.array(vectors)
    small = min(request.size, WARM)
    way(np.array(vectors[:small]), min(request.budget, max(1, small // 10)), threads=request.threads, seed=request.seed)
    before = _forget_the_peak()
    (place / "started").touch()
    start = time.perf_counter()
    rows, told = way(vectors, request.budget, threads=request.threads, seed=request.seed, **request.words)
    seconds = time.perf_counter() - start
    peak = _peak()
    np.save(place / "rows.npy", np.asarray(rows, np.int64))
    (place / "took.json").write_text(json.dumps({"seconds": seconds, "peak": peak, "rise": max(0, peak - before), "told": told}))


def _cores() -> set[int]:
    return os.sched_getaffinity(0) if sys.platform == "linux" else set()


def _forget_the_peak() -> int:
    """Bytes resident now; on Linux the peak is counted anew from here, elsewhere it holds the imports' own peak too."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library than glibc: what was freed may still count as resident
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    return int(psutil.Process().memory_info().rss)


def _peak() -> int:
    """Bytes resident at most. On Linux not ru_maxrss, in which a child starts with its parent's peak."""
    if sys.platform == "linux":
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


# --------------------------------------------------------------------------------------------------------------- in words


def machine(threads: int) -> str:
    """Processor, cores and memory, and how busy the machine is right now."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{name}, {psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}; {threads} threads for everybody; "
        f"load average {os.getloadavg()[0]:.1f} at the start"
    )


def versions(packages: Sequence[str]) -> str:
    """Python, this project with its commit, and each of these packages that is installed."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    found = [f"Python {platform.python_version()}", f"diversity-selector {version('diversity-selector')}" + f" ({commit})" * bool(commit)]
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def command() -> str:
    """The command as it was typed, from the folder of the checkout."""
    return shlex.join(["python", f"scripts/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def table(head: Sequence[str], lines: Sequence[Sequence[str]], words: int = 1) -> Iterator[str]:
    """The lines of a Markdown table; the first `words` columns are words, the others figures."""
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join(["---"] * words + ["---:"] * (len(head) - words)) + " |"
    for line in lines:
        yield "| " + " | ".join(one.replace("|", "\\|") for one in line) + " |"


def figure(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}" if seconds < 100 else f"{seconds:,.0f}"


def free_memory() -> int:
    """Nine tenths of what is free now."""
    return int(0.9 * psutil.virtual_memory().available)


def value(vectors: np.ndarray, rows: np.ndarray) -> float:
    """f(S) = sum over all rows of max(0, largest product with a row of S): float32 products block by block, float64 sum."""
    chosen = vectors[np.unique(rows)]
    if not len(chosen):
        return 0.0
    step, total = max(1, 2**24 // len(chosen)), 0.0
    for first in range(0, len(vectors), step):
        nearest = (vectors[first : first + step] @ chosen.T).max(axis=1)
        total += float(np.maximum(nearest, 0).sum(dtype=np.float64))
    return total


def publish(lines: Iterable[str], output: Path | None) -> list[str]:
    """Prints each line as it comes; all of them into `output` at the end. Returns them."""
    text = []
    for line in lines:
        print(line, flush=True)
        text.append(line)
    if output:
        output.write_text("\n".join(text) + "\n", encoding="utf-8")
    return text


if __name__ == "__main__":
    _measured(Request(**json.loads(sys.argv[1])), Path(sys.argv[2]))

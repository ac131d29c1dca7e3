"""Facility location on a GPU beside the processor: the same rows, and the seconds of each. Prints Markdown.

    python scripts/bench_gpu.py                                   generated vectors of 384 numbers: 100,000, 300,000 and 1,000,000 rows
    python scripts/bench_gpu.py --vectors FILE.npy --sizes 117654 --budget 10000
    python scripts/bench_gpu.py --device cpu --sizes 20000        to try the script where there is no GPU

Seconds are of the selection with its certificate, after a small one, from vectors in memory. The exit code is 1 where rows differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import bench
import bench_vectors
import numba
import numpy as np

HEAD = ("rows", "chosen", "mode", "GPU, seconds", "GPU memory, GiB", "processor, seconds", "rows")
DIFFER = "differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="a .npy file of unit rows (default: generated clusters)")
    parser.add_argument("--dimensions", type=int, default=384, help="of generated vectors")
    parser.add_argument("--sizes", default="100000,300000,1000000")
    parser.add_argument("--budget", type=int, default=0, help="rows to choose (default: a tenth)")
    parser.add_argument("--modes", default="fast,exact")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, default=2, help="of the processor")
    parser.add_argument("--compare", type=int, default=100_000, help="largest size that is also run on the processor")
    parser.add_argument("--memory", type=float, default=8.0, help="GiB for what is kept")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    if any(DIFFER in line for line in bench.publish(page(asked), asked.output)):
        sys.exit("not the processor's rows: see the table")


def page(asked: argparse.Namespace) -> Iterator[str]:
    import torch

    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("torch sees no GPU here; --device cpu tries the script without one.")
    yield f"`{bench.command()}`"
    yield ""
    yield f"- {bench.machine(asked.threads)}"
    yield f"- {bench.versions(('numpy', 'numba', 'torch'))}"
    yield f"- device: {torch.cuda.get_device_name() if asked.device.startswith('cuda') else asked.device}"
    yield ""
    yield from bench.table(HEAD, [], words=3)
    sizes = [int(size) for size in asked.sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        vectors = asked.vectors or Path(folder) / "vectors.npy"
        if not asked.vectors:
            bench_vectors.clusters(vectors, max(sizes), asked.dimensions)
        whole = np.load(vectors, mmap_mode="r")
        run(np.array(whole[:3000]), 300, "fast", asked.device, asked.memory, asked.threads)
        for size in sizes:
            rows = np.array(whole[:size])
            for mode in asked.modes.split(","):
                cells = line(rows, asked.budget or len(rows) // 10, mode, asked)
                yield list(bench.table(HEAD, [cells], words=3))[2]


def line(rows: np.ndarray, budget: int, mode: str, asked: argparse.Namespace) -> list[str]:
    found, seconds, memory = run(rows, budget, mode, asked.device, asked.memory, asked.threads)
    cells = [f"{len(rows):,}", f"{budget:,}", mode, f"{seconds:.1f}", f"{memory:.1f}"]
    if len(rows) > asked.compare:
        return [*cells, "-", "not compared"]
    here, seconds, _ = run(rows, budget, mode, "cpu", asked.memory, asked.threads)
    return [*cells, f"{seconds:.1f}", "the same" if np.array_equal(found, here) else f"{np.sum(found != here):,} {DIFFER}"]


def run(rows: np.ndarray, budget: int, mode: str, device: str, memory: float, threads: int) -> tuple[np.ndarray, float, float]:
    """Rows, seconds, and GiB of the GPU's memory at most."""
    import torch

    from selector.core import NO_ROWS, Ground, Problem
    from selector.engine import select
    from selector.features import dense
    from selector.limits import Count
    from selector.objectives.facility_location import FacilityLocation
    from selector.optimizers.lazy import lazy

    numba.set_num_threads(threads)
    ground = Ground(len(rows), {"rows": dense(rows)}, memory=int(memory * 2**30), device=device)
    problem = Problem(ground, FacilityLocation("rows"), Count(budget), NO_ROWS, np.arange(len(rows)))
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    outcome = select(problem, partial(lazy, mode=mode), reference=False)
    return outcome.rows, time.perf_counter() - began, torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0


if __name__ == "__main__":
    main()

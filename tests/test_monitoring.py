"""The verb monitor on small batches: what a history keeps, what it refuses, and that nothing is left half-done."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import selector
from selector import drift, histories, monitoring
from selector.errors import InputError, OutputError, RecipeError
from tests.command import command, pairs

QUIET = selector.Options(cache=None)
WORDS = {"layers": {"micro": {"band": "1:99"}}, "monitor": {"layers": ["surface", "micro"], "sides": ["response"], "references": 4}}


def week(folder: Path, number: int, rows: int = 30, **columns) -> Path:
    """Some rows of the same pairs, others each week."""
    every = pairs(400)
    at = np.random.default_rng(number).permutation(400)[:rows]
    table = pa.table({**{name: [values[row] for row in at] for name, values in every.items()}, **columns})
    path = folder / f"week-{number}.parquet"
    pq.write_table(table, path)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELECTOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    for number in (1, 2, 3):
        week(tmp_path, number)
    return tmp_path


def add(number, history="h.json", **more):
    more = {"at": f"2026-01-0{number}", **more}
    return selector.monitor(history, f"week-{number}.parquet", options=QUIET, **(more if Path(history).exists() else WORDS | more))


def test_a_history_grows_and_says_how_each_batch_was_measured(place):
    for number in (1, 2, 3):
        found = add(number)
    assert [one.label for one in found.batches] == ["week-1", "week-2", "week-3"]
    assert [one.base for one in found.batches] == [[], ["week-1"], ["week-1", "week-2"]]
    first, second, third = found.batches
    assert (first.base_rows, first.watched) == (0, [])
    texts = [set(pq.read_table(f"week-{number}.parquet").column("response").to_pylist()) for number in (1, 2, 3)]
    assert third.rows == 30
    assert third.base_rows == len(texts[0] | texts[1])
    assert third.rows_known == len(texts[2] & (texts[0] | texts[1]))
    assert second.dataset.source == "./week-2.parquet"
    assert second.fingerprint == selector.Pool.read("week-2.parquet").fingerprint
    assert {one.name for one in second.watched} >= {"response/micro", "tokens per text at response/surface"}
    kept, _ = histories.read(Path("h.json"))
    assert kept == found
    assert found.to_dict()["drifts"] == [one.to_dict() for one in histories.drifts(found)]


def test_random_sets_are_of_the_batch_and_its_base_together(place, monkeypatch):
    asked = []
    monkeypatch.setattr(
        monitoring.measuring,
        "at_random",
        lambda among, size, count, key: asked.append((len(among), size, count, *key)) or _drawn(among, size, count),
    )
    add(1)
    found = add(2)
    both = {*pq.read_table("week-1.parquet").column("id").to_pylist(), *pq.read_table("week-2.parquet").column("id").to_pylist()}
    assert asked == [(len(both), 30, 4, 0, 3, 1)]
    assert found.batches[1].base_rows == 30


def _drawn(among, size, count):
    return [np.sort(np.random.default_rng(number).permutation(among)[:size]) for number in range(count)]


def test_flagged_batches_are_no_base(place, monkeypatch):
    out = drift.Watched("response/micro", drift.DIVERSITY, "thin", -9.0, 4.0)
    add(1)
    monkeypatch.setattr(drift, "watched", lambda *_: [out])
    add(2)
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert add(3).batches[2].base == ["week-1"]


def test_a_history_of_version_0_1_goes_on_with_its_band(tmp_path):
    told = {"selector_history": 1, "recipe": {}, "pool_fingerprint": None, "batches": [{"versions": {"diversity-selector": "0.1.0"}}]}
    assert histories._as_begun(told)["recipe"]["layers"] == {"micro": {"band": "10:500"}}
    named = {**told, "recipe": {"layers": {"micro": {"band": "5:50"}}}}
    assert histories._as_begun(named)["recipe"]["layers"] == {"micro": {"band": "5:50"}}
    newer = {**told, "batches": [{"versions": {"diversity-selector": "0.2.0"}}]}
    assert histories._as_begun(newer) == newer


def test_a_history_may_stand_elsewhere_and_move_with_its_batches(place):
    (place / "kept").mkdir()
    add(1, "kept/h.json")
    add(2, "kept/h.json")
    assert json.loads(Path("kept/h.json").read_bytes())["batches"][0]["dataset"]["source"] == "../week-1.parquet"
    moved = place / "moved"
    moved.mkdir()
    for one in [*place.glob("week-*"), place / "kept"]:
        one.rename(moved / one.name)
    found = selector.monitor(moved / "kept/h.json", moved / "week-3.parquet", options=QUIET)
    assert found.batches[2].base == ["week-1", "week-2"]


def test_a_pool_takes_the_place_of_earlier_batches(place):
    week(place, 9, 200).rename("pool.parquet")
    found = add(1, pool="pool.parquet")
    Path("week-1.parquet").unlink()
    found = add(2)
    assert [(one.base, one.base_rows) for one in found.batches] == [([], 200), ([], 200)]
    assert found.recipe.pool.source == "./pool.parquet"
    week(place, 8, 200).rename("pool.parquet")
    with pytest.raises(InputError, match="has other rows now"):
        add(3)


def test_shares_of_a_column_are_watched(place):
    week(place, 1, 100, source=["web"] * 50 + ["book"] * 50)
    week(place, 2, 100, source=["web"] * 48 + ["book"] * 52)
    week(place, 3, 100, source=["web"] * 95 + ["book"] * 5)
    add(1, **{**WORDS, "monitor": {**WORDS["monitor"], "watch": ["source"]}})
    assert "source" not in [one.name for one in add(2).batches[1].flagged]
    found = add(3)
    (one,) = [one for one in found.batches[2].flagged if one.name == "source"]
    assert (one.word, one.value, one.usual) == ("differs", pytest.approx({"web": 0.95, "book": 0.05}[one.of]), pytest.approx(0.5, abs=0.2))
    assert found.batches[2].counts == {"source": {"book": 5, "web": 95}}
    told = next(one for one in histories.drifts(found) if one.name == "source")
    assert (told.where, told.what, told.when) == ("source", "differs", "in week-3")
    assert Counter(told.how)["%"] == 2


def same(place) -> bytes:
    return (place / "h.json").read_bytes() + (place / "h.html").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("week-2.parquet",), "these rows as 'week-2'"),
        (("week-3.parquet", "--label", "week-1"), "a batch called 'week-1' with other rows"),
        (("week-3.parquet", "--encoder", "static"), "was made with layers.macro not given"),
        (("week-3.parquet", "--band", "2:50"), "was made with layers.micro.band '1:99', and now layers.micro.band is '2:50'"),
        (("week-3.parquet", "--tokenizer", "other"), "was made with tokenizer 'deepseek', and now tokenizer is 'other'"),
        (("week-3.parquet", "--pool", "week-1.parquet"), "was made with pool not given"),
        (("week-3.parquet", "--side", "both"), "monitor.sides"),
        (("week-3.parquet", "--watch", "source"), "monitor.watch"),
        (("week-3.parquet", "--level", "0"), "monitor.level"),
        (("week-3.parquet", "--at", "March"), "the time of the batch is 'March'"),
        (("week-3.parquet", "--at", "2025-12-31"), "batches stand in the order of time"),
        (("nowhere.parquet",), "nowhere.parquet"),
        (("week-3.parquet", "--set", "hygiene.dedup=exact"), "hygiene.dedup would do nothing"),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_said_and_changes_nothing(place, words, told):
    add(1)
    add(2)
    before = same(place)
    done = command("monitor", "h.json", *words)
    assert done.code == 2
    assert told in done.err
    assert same(place) == before
    assert {one.name for one in place.iterdir()} <= {"h.json", "h.html", "cache", *(f"week-{number}.parquet" for number in (1, 2, 3))}


def test_earlier_batches_that_are_gone_or_changed_are_named(place):
    add(1)
    add(2)
    before = same(place)
    kept = Path("week-1.parquet").read_bytes()
    week(place, 7).rename("week-1.parquet")
    with pytest.raises(InputError, match=r"no longer has the rows that the batch 'week-1' of h.json had"):
        add(3)
    Path("week-1.parquet").unlink()
    with pytest.raises(InputError, match=r"the batch 'week-1' of h.json is to be read again.*week-1.parquet"):
        add(3)
    assert same(place) == before
    Path("week-1.parquet").write_bytes(kept)
    assert len(add(3).batches) == 3


def test_a_batch_in_the_middle_is_replaced_and_later_ones_are_measured_again(place):
    for number in (1, 2, 3):
        old = add(number)
    week(place, 5).rename("week-2.parquet")
    with pytest.raises(InputError, match="--replace"):
        add(2)
    new = add(2, replace=True)
    assert [one.label for one in new.batches] == ["week-1", "week-2", "week-3"]
    assert new.batches[0] == old.batches[0]
    assert new.batches[1].fingerprint != old.batches[1].fingerprint
    assert new.batches[1].at == old.batches[1].at
    assert new.batches[2].measures != old.batches[2].measures
    for number in (1, 2, 3):
        straight = add(number, "straight.json")
    assert straight == new


def test_the_same_batch_again_gives_the_same_bytes_for_any_threads(place):
    add(1)
    add(2)
    before = same(place)
    selector.monitor("h.json", "week-2.parquet", replace=True, options=selector.Options(cache=None, threads=1))
    assert same(place) == before


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"selector_history": 2}', '{"selector_history": 1, "batches": 3}'])
def test_another_file_is_no_history_and_is_left_alone(place, content):
    Path("h.json").write_text(content)
    done = command("monitor", "h.json", "week-1.parquet")
    assert done.code == 2
    assert "h.json" in done.err
    assert Path("h.json").read_text() == content


def test_a_page_of_somebody_else_is_left_alone(place):
    Path("h.html").write_text("<p>mine</p>")
    with pytest.raises(OutputError, match=r"h.html was not written by selector"):
        add(1)
    assert Path("h.html").read_text() == "<p>mine</p>"
    for name in ("h.html", "."):
        with pytest.raises(OutputError):
            selector.monitor(name, "week-1.parquet", options=QUIET, **WORDS)


def test_two_runs_at_once_do_not_lose_a_batch(place, monkeypatch):
    add(1)
    page = monitoring._page
    monkeypatch.setattr(
        monitoring, "_page", lambda *words: (Path("h.json").write_bytes(Path("h.json").read_bytes() + b"\n"), page(*words))[1]
    )
    before = Path("h.html").read_bytes()
    with pytest.raises(OutputError, match="changed by another run"):
        add(2)
    assert Path("h.html").read_bytes() == before


def test_the_table_and_json_on_the_command_line(place):
    add(1)
    done = command("monitor", "h.json", "week-2.parquet", "--label", "the second <b>week</b> of all", "--at", "2026-02-02T10:00")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    assert "the second <b>w…" in done.out
    assert "<b>week" not in Path("h.html").read_text(encoding="utf-8")
    told = json.loads(command("monitor", "h.json", "week-3.parquet", "--json").out)
    assert [one["label"] for one in told["batches"]] == ["week-1", "the second <b>week</b> of all", "week-3"]
    assert told["batches"][2]["watched"][0]["name"] == "response/micro"


def test_words_that_contradict_each_other(place):
    with pytest.raises(RecipeError, match=r"selector\.Options"):
        selector.monitor("h.json", "week-1.parquet", options={"threads": 1})
    with pytest.raises(RecipeError, match="watch names source twice"):
        selector.monitor("h.json", "week-1.parquet", options=QUIET, monitor={"watch": "source,source"})
    with pytest.raises(InputError, match=r"the column 'topic' is watched, but week-1\.parquet has none"):
        selector.monitor("h.json", "week-1.parquet", options=QUIET, monitor={"watch": "topic"})
    done = command("monitor", "h.json", "week-1.parquet", "--layers", "micro", "--encoder", "static")
    assert (done.code, "--encoder belongs to the layer macro" in done.err) == (2, True)
    assert not Path("h.json").exists()

"""On demo batches whose truth is planted: the seventh of ten, made narrow at one layer of one side, is flagged there and nowhere else."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom
from scipy.stats import t as student

import selector
from selector import drift, histories, measuring
from selector.core import Reading, Scale
from selector.drift import OUTSIDE, Counts, Watched
from selector.measuring import Gauge
from tests.command import command
from tests.test_planted import JUDGED, PLACES, ROWS, demo, narrow  # noqa: F401  (demo is a fixture)

BATCHES, PLANTED, SIZE = 10, 6, 280
LEVEL = 0.01


def batches(pool, planted):
    """Ten sets of rows, the seventh the planted one; the others are disjoint and random, and may hold rows of the planted one."""
    order = np.random.default_rng(7).permutation(len(pool))
    cut = [np.sort(order[SIZE * number : SIZE * (number + 1)]) for number in range(BATCHES - 1)]
    return [*cut[:PLANTED], planted, *cut[PLANTED:]]


def places(facets, rows, number):
    """What is said of each layer and side of one batch, held against those before it but the planted one."""
    found: dict[str, dict] = {}
    for side, facet in facets.items():
        every = np.unique(
            np.concatenate([batch for place, batch in enumerate(rows[side][: number + 1]) if place in {*range(PLANTED), number}])
        )
        random = measuring.at_random(every, len(rows[side][number]), 20, (0, 3, number))
        sets = {"batch": rows[side][number]} | {str(place): some for place, some in enumerate(random)}
        for name, some in measuring.readings([facet], sets, only=JUDGED).items():
            found.setdefault(name, {}).update(some)
    said = drift.watched(found.pop("batch"), list(found.values()), {}, LEVEL, np.random.default_rng(0))
    assert [one.name for one in said if one.kind == drift.DIVERSITY] == [f"{side}/{layer}" for side, layer in PLACES]
    return sorted((one for one in said if one.word in ("thin", "diverse")), key=lambda one: -one.beyond)


def plain(pool):
    return np.sort(np.random.default_rng(3).permutation(len(pool))[:ROWS])


@pytest.mark.parametrize(("side", "layer"), PLACES, ids=[f"{side}-{layer}" for side, layer in PLACES])
def test_the_seventh_batch_is_flagged_at_the_layer_that_was_made_narrow(demo, side, layer):  # noqa: F811
    pool, facets = demo
    rows = {one: batches(pool, narrow(demo, side, layer) if one == side else plain(pool)) for one in facets}
    out = places(facets, rows, PLANTED)
    assert (out[0].name, out[0].word) == (f"{side}/{layer}", "thin")
    assert {one.name.partition("/")[0] for one in out} == {side}
    thin = [one.name for one in out if one.word == "thin"]
    also = {"response/macro"} if (side, layer) == ("response", "micro") else set()  # texts of the fewest tokens differ less in meaning
    assert set(thin[1:]) <= also


@pytest.mark.parametrize("number", [1, 5, 7, 9])
def test_batches_beside_the_seventh_are_flagged_nowhere(demo, number):  # noqa: F811
    pool, facets = demo
    assert places(facets, {side: batches(pool, plain(pool)) for side in facets}, number) == []


def test_batches_in_which_nothing_has_changed_are_flagged_as_rarely_as_the_level_says(demo, monkeypatch):  # noqa: F811
    """Of 15 histories of ten batches, 135 comparisons; Bonferroni and the t of a mean make it rarer, never more often."""
    monkeypatch.setattr(drift, "DRAWS", 1999)
    pool, facets = demo
    sources = np.array(pool.column("source").to_pylist())
    levels, flagged, compared = (0.01, 0.2), Counter(), 0
    for seed in range(15):
        order = np.random.default_rng([seed, 9]).permutation(len(pool))
        rows = [order[100 * number : 100 * (number + 1)] for number in range(BATCHES)]
        sets = {}
        for number in range(1, BATCHES):
            sets[f"{number} batch"] = rows[number]
            random = measuring.at_random(np.concatenate(rows[: number + 1]), 100, 20, (seed, 3, number))
            sets |= {f"{number} {place}": some for place, some in enumerate(random)}
        found = measuring.readings(list(facets.values()), sets, only={"type-counts", "length"})
        for number in range(1, BATCHES):
            compared += 1
            counts = Counts(Counter(sources[rows[number]]), Counter(sources[np.concatenate(rows[:number])]))
            references = [found[f"{number} {place}"] for place in range(20)]
            for level in levels:
                rng = np.random.default_rng([seed, 4, number])
                out = {
                    one.kind for one in drift.watched(found[f"{number} batch"], references, {"source": counts}, level, rng) if is_out(one)
                }
                flagged[level, "diversity"] += drift.DIVERSITY in out
                flagged[level, "other"] += bool(out - {drift.DIVERSITY})
    assert compared == 135
    for (level, kind), count in flagged.items():
        assert count <= binom.ppf(0.999, compared, level), (level, kind, count)
    assert min(flagged[0.2, kind] for kind in ("diversity", "other")) >= 4  # and the test is awake


def is_out(one: Watched) -> bool:
    return one.word in OUTSIDE


@pytest.fixture(scope="module")
def written(demo, tmp_path_factory):  # noqa: F811
    """Ten weeks on disk; the responses of the seventh are few of words, of which its instructions know nothing."""
    pool, _ = demo
    folder = tmp_path_factory.mktemp("weeks")
    thin = narrow(demo, "response", "micro")
    for number, rows in enumerate(batches(pool, plain(pool)), start=1):
        table = pool.table.take(rows)
        if number == PLANTED + 1:
            responses = pool.table.column("response").take(thin)
            table = table.set_column(table.column_names.index("response"), "response", responses)
        pq.write_table(table, folder / f"week-{number:02}.parquet")
    return folder


@pytest.fixture(scope="module")
def history(written, tmp_path_factory):
    """The ten weeks added one after another, as a person would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELECTOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("COLUMNS", "80")
        patch.chdir(written)
        words = ("--tagger", "column:tags", "--layers", "meso,micro", "--references", "12", "--watch", "source")
        for number in range(1, BATCHES + 1):
            done = command(
                "monitor", "h.json", f"week-{number:02}.parquet", "--at", f"2026-03-{number:02}", *(words if number == 1 else ())
            )
            assert (done.code, done.err) == (0, "")
    found, _ = histories.read(written / "h.json")
    return found, done.out


def test_a_history_flags_the_seventh_batch_and_names_the_layer(history, written):
    found, out = history
    flagged = {batch.label: [one.name for one in batch.flagged if one.kind == drift.DIVERSITY] for batch in found.batches if batch.flagged}
    assert flagged == {"week-07": ["response/micro"]}
    assert [batch.base_rows > 0 for batch in found.batches] == [False] + [True] * 9
    assert "week-07" not in found.batches[-1].base
    assert len(found.batches[-1].base) == 8
    assert next((one.where, one.what, one.when) for one in histories.drifts(found)) == ("response/micro", "thin", "in week-07")
    assert "week-07" in out.split("drift")[0]
    assert max(map(len, out.splitlines())) <= 80
    line = next(line for line in out.splitlines() if line.startswith("week-07"))
    assert line.split()[:5] == ["week-07", ".", ".", ".", "THIN"]
    page = (written / "h.html").read_text(encoding="utf-8")
    assert "Outside (ringed): micro thin in week-07" in page
    assert json.loads((written / "h.json").read_bytes())["selector_history"] == 1


def test_what_lasts_is_told_with_its_first_batch(history):
    """The seventh week's rows again under new names: still thin, and since when."""
    found, _ = history
    seventh = found.batches[PLANTED]
    more = [seventh.model_copy(update={"label": f"again-{number}", "fingerprint": str(number)}) for number in (1, 2)]
    lasting = found.model_copy(update={"batches": [*found.batches[: PLANTED + 1], *more]})
    first = histories.drifts(lasting)[0]
    assert (first.where, first.when, first.batches, first.lasting) == ("response/micro", "since week-07", 3, True)
    assert lasting.lead.startswith("again-2 has drifted: response/micro is thin since week-07")


def test_a_figure_without_direction_is_held_to_its_t():
    gauge = Gauge("response", "surface", "length", Scale("tokens per text", 0))
    references = [{gauge: Reading(float(value))} for value in (9, 10, 11, 10, 12, 8)]
    usual, sd = 10.0, np.std([9, 10, 11, 10, 12, 8], ddof=1)
    limit = student.ppf(1 - 0.05 / 2, 5)
    edge = limit * sd * np.sqrt(1 + 1 / 6)
    for value, word in ((usual + 0.999 * edge, "as random"), (usual + 1.001 * edge, "higher"), (usual - 1.001 * edge, "lower")):
        (one,) = drift.watched({gauge: Reading(value)}, references, {}, 0.05, np.random.default_rng(0))
        assert (one.word, one.limit, one.usual) == (word, pytest.approx(limit), usual)
        assert one.usual + one.limit * one.error == pytest.approx(usual + edge)


def test_shares_are_held_against_shuffled_rows(monkeypatch):
    """The limit is that of shuffling the rows themselves; so a batch like the others differs as often as the level says."""
    monkeypatch.setattr(drift, "DRAWS", 1999)
    rows = np.array(["a"] * 120 + ["b"] * 60 + ["c"] * 20)
    rng = np.random.default_rng(5)

    def one(own, other, level=0.1):
        return drift.watched({}, [{}] * 20, {"source": Counts(Counter(own), Counter(other))}, level, rng)[-1]

    said, statistics = [], []
    expected = 50 * np.array([120, 60, 20]) / 200
    for _ in range(400):
        order = rng.permutation(rows)
        said.append(one(order[:50], order[50:]))
        counts = np.array([(order[:50] == value).sum() for value in "abc"])
        statistics.append(((counts - expected) ** 2 / expected).sum())
    assert [said.statistic for said in said] == pytest.approx(statistics)
    assert said[0].limit == pytest.approx(np.quantile(statistics, 0.9), rel=0.15)
    assert 20 <= sum(is_out(one) for one in said) <= 60
    moved = one(["c"] * 12 + ["a"] * 38, ["a"] * 82 + ["b"] * 60 + ["c"] * 8, 0.01)
    assert (moved.word, moved.of, moved.value) == ("differs", "b", 0.0)


def test_python_says_the_same_as_the_command(history, written, monkeypatch, tmp_path):
    monkeypatch.chdir(written)
    found, _ = history
    words = {"layers": {"meso": {"tagger": "column:tags"}}, "monitor": {"layers": ["meso", "micro"], "references": 12, "watch": ["source"]}}
    quiet = selector.Options(cache=None, threads=1)
    selector.monitor(tmp_path / "p.json", "week-01.parquet", at="2026-03-01", options=quiet, **words)
    again = selector.monitor(tmp_path / "p.json", "week-02.parquet", at="2026-03-02", options=quiet)
    for mine, its in zip(again.batches, found.batches[:2], strict=True):
        assert mine.model_copy(update={"dataset": its.dataset}) == its

"""Readings of sets of rows, where they stand among random sets, verdicts, and the rows that are measured at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import selector
from selector import aspects, measuring, registry
from selector.core import Reading, Scale
from selector.errors import InputError, UnknownName
from selector.hygiene import Hygiene
from selector.measure_recipe import MeasureRecipe
from selector.measuring import Gauge
from selector.options import Options, room
from selector.verdicts import ordinal, verdicts
from tests.test_measures import small


def gauges(count: int, direction: int = 1) -> list[Gauge]:
    return [Gauge("response", "macro", "made-up", Scale(f"number {one}", direction, judged=True)) for one in range(count)]


def reading(named: list[Gauge], values) -> dict[Gauge, Reading]:
    return {gauge: Reading(float(value)) for gauge, value in zip(named, values, strict=True)}


# ----------------------------------------------------------------------------------------------------------------- readings


def test_every_family_is_read_at_its_layers_and_threads_move_nothing():
    one, many = (small() for _ in range(2))
    object.__setattr__(one, "threads", 1)
    sets = {"first": np.arange(10), "backwards": np.arange(9, -1, -1), "others": np.arange(10, 30)}
    found = [measuring.readings([aspect], sets) for aspect in (one, many)]
    assert list(found[0]) == list(sets)
    assert repr(found[0]) == repr(found[1])
    assert repr(found[0]["first"]) == repr(found[0]["backwards"])
    named = {(gauge.layer, gauge.family) for gauge in found[0]["first"]}
    assert named == {(layer, name) for name in registry.names("measures") for layer in registry.find("measures", name).layers}


def test_layers_and_families_can_be_left_out():
    found = measuring.readings([small()], {"set": np.arange(9)}, ["micro"], only=["type-counts"])["set"]
    assert {(gauge.layer, gauge.family) for gauge in found} == {("micro", "type-counts")}


def test_a_set_of_one_row_and_a_layer_that_is_none():
    with pytest.raises(InputError, match="the set 'tiny' has 1 row; diversity is measured of 2"):
        measuring.readings([small()], {"tiny": np.array([3])})
    with pytest.raises(UnknownName, match="Did you mean 'micro'"):
        measuring.readings([small()], {"set": np.arange(3)}, ["mirco"])


def test_random_sets_are_distinct_rows_and_the_first_do_not_depend_on_how_many():
    among = np.arange(100, 150)
    five, two = (measuring.at_random(among, 20, count, (7, 0)) for count in (5, 2))
    np.testing.assert_array_equal(five[:2], two)
    assert all(len(set(one)) == 20 and set(one) <= set(among) and list(one) == sorted(one) for one in five)
    assert len({tuple(one) for one in five}) == 5
    counts = np.bincount(np.concatenate(measuring.at_random(np.arange(10), 3, 4000, (1,))), minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_matched_sets_have_the_target_s_lengths():
    aspect = small(400, seed=2)
    lengths = aspect.tokens().lengths
    target = np.flatnonzero(lengths >= 8)[:60]
    found, short = measuring.matched(aspect, [target], np.arange(400), 3, (0,))
    assert short == []
    for one in found:
        np.testing.assert_array_equal(np.sort(lengths[one]), np.sort(lengths[target]))
    assert len({tuple(one) for one in found}) == 3
    short = np.flatnonzero(lengths <= 4)[:40]
    turns, _ = measuring.matched(aspect, [target, short], np.arange(400), 3, (0,))
    assert [one.size for one in turns] == [60, 40, 60]
    np.testing.assert_array_equal(np.sort(lengths[turns[1]]), np.sort(lengths[short]))


# ---------------------------------------------------------------------------------------------------------------- standing


def test_where_a_value_stands():
    found = measuring.standing(3.0, [1, 2, 3, 3, 9])
    others = np.array([1, 2, 3, 3, 9])
    assert found == measuring.Standing(3.6, others.std(ddof=1), 100 * (2 + 2 / 2) / 5, (3 - 3.6) / others.std(ddof=1))
    assert measuring.standing(2.0, [1, 1, 1]) == measuring.Standing(1.0, 0.0, 100.0, None)
    nothing = measuring.Standing(None, None, None, None)
    assert measuring.standing(math.nan, [1, 2]) == measuring.standing(1.0, [1, math.nan]) == measuring.standing(1.0, []) == nothing


# ---------------------------------------------------------------------------------------------------------------- verdicts


def slow_verdict(value: np.ndarray, others: np.ndarray, places: int) -> tuple[str, float]:
    """The rule as it is told: the mean z against the mean z of every reference among the others."""

    def mean_z(one, rest):
        return np.mean([(one[s] - rest[:, s].mean()) / rest[:, s].std(ddof=1) for s in range(len(one))])

    by_chance = [mean_z(others[r], np.array([others[q] for q in range(len(others)) if q != r])) for r in range(len(others))]
    t = (mean_z(value, others) - np.mean(by_chance)) / (np.std(by_chance, ddof=1) * math.sqrt(1 + 1 / len(others)))
    p = 2 * stats.t.sf(abs(t), len(others) - 1)
    return ("as random" if p > 0.05 / places else "thin" if t < 0 else "diverse"), t


@pytest.mark.parametrize("shift", [-6, -1.5, 0, 1.5, 6])
@pytest.mark.parametrize("direction", [1, -1])
def test_verdicts_keep_to_the_rule(shift, direction):
    rng = np.random.default_rng(3)
    others, value = rng.normal(size=(12, 3)), rng.normal(size=3) + shift
    named = gauges(3, direction)
    (found,) = verdicts(reading(named, direction * value), [reading(named, direction * one) for one in others])
    word, t = slow_verdict(value, others, 1)
    assert (found.word, found.t) == (word, pytest.approx(t))
    assert found.percentile == pytest.approx(100 * stats.t.cdf(t, 11))


def test_scales_that_are_not_judged_or_do_not_vary_do_not_count():
    rng = np.random.default_rng(4)
    named = [*gauges(2), Gauge("response", "macro", "made-up", Scale("not judged", 1))]
    others, value = rng.normal(size=(9, 3)), np.array([0.1, -0.2, 99.0])
    (found,) = verdicts(reading(named, value), [reading(named, one) for one in others])
    assert found.t == pytest.approx(slow_verdict(value[:2], others[:, :2], 1)[1])
    others[:, 1] = 5
    (found,) = verdicts(reading(named, value), [reading(named, one) for one in others])
    assert found.t == pytest.approx(slow_verdict(value[:1], others[:, :1], 1)[1])
    (found,) = verdicts(reading(named, value), [reading(named, others[0])] * 9)
    assert (found.word, found.t) == ("no verdict", None)


def test_more_places_ask_for_more():
    """One set of numbers that is thin where it stands alone, and as random where it is one of six."""
    rng = np.random.default_rng(8)
    others = rng.normal(size=(20, 1))
    value = others.mean() - 2.5 * others.std(ddof=1)
    (alone,) = verdicts(reading(gauges(1), [value]), [reading(gauges(1), one) for one in others])
    assert alone.word == "thin"
    six = [Gauge(side, layer, "made-up", gauges(1)[0].scale) for side in aspects.SIDES for layer in ("macro", "meso", "micro")]
    said = verdicts(reading(six, [value] * 6), [reading(six, list(one) * 6) for one in others])
    assert {(one.word, one.t) for one in said} == {("as random", alone.t)}


def test_random_numbers_are_as_random():
    """Of 3,000 random sets at one place each, about 5 in a hundred or fewer are called anything else; a shift by 5 sd is always seen."""
    rng = np.random.default_rng(5)
    named, called = gauges(3), 0
    for _ in range(600):
        numbers = rng.normal(size=(21, 3)) + rng.normal(size=(21, 1))
        references = [reading(named, one) for one in numbers[1:]]
        called += verdicts(reading(named, numbers[0]), references)[0].word != "as random"
        assert verdicts(reading(named, numbers[0] - 12), references)[0].word == "thin"
    assert 5 <= called <= 40


def test_percentiles_in_words():
    told = [ordinal(one) for one in (0.01, 0.5, 1, 2, 3, 11, 42, 98.6, 99.5, 99.99)]
    assert told == ["below 0.1th", "0.5th", "1st", "2nd", "3rd", "11th", "42nd", "99th", "99.5th", "above 99.9th"]


# -------------------------------------------------------------------------------------------------------- the rows measured


def table(rows) -> selector.Pool:
    return selector.Pool.from_table([{"instruction": left, "response": right} for left, right in rows], source="mine")


PAIRS = [(f"ask {one}", f"say {one} and {one * one}") for one in range(12)]


def gathered(pool, *datasets, **rules):
    with room(Options(cache=None)) as here:
        return aspects.gather(pool, datasets, Hygiene(**rules), here)


def test_rows_of_the_pool_are_found_again_and_others_join():
    pool = table([*PAIRS, ("ASK 3", "say 3  and 9"), PAIRS[4], ("blank", " ")])
    one = table([PAIRS[4], PAIRS[7], ("ASK 3", "say 3  and 9"), PAIRS[4], ("new", "one"), ("", "blank")])
    other = table([("new", "one"), PAIRS[7], ("ask 3", "another answer")])
    union = gathered(pool, one, other)
    assert union.pool.rows.tolist() == list(range(12))
    assert dict(union.pool.dropped) == {"exact-duplicate": 2, "blank-response": 1}
    first, second = union.members
    assert first.rows.tolist() == [3, 4, 7, 12]  # the copy that hygiene drops is the row that it repeats
    assert (first.read, first.repeated, dict(first.dropped)) == (6, 1, {"blank-instruction": 1})
    assert second.rows.tolist() == [7, 12, 13]
    assert union.everything.instructions.to_pylist()[12:] == ["new", "ask 3"]
    assert (union.among_pool(first.rows), union.among_pool(second.rows)) == (3, 1)


def test_without_a_pool_the_datasets_are_the_ground():
    union = gathered(None, table(PAIRS[:5]), table([*PAIRS[3:8], PAIRS[3]]))
    assert union.pool is None
    assert union.everything.instructions.to_pylist() == [left for left, _ in PAIRS[:8]]
    assert [one.rows.tolist() for one in union.members] == [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([PAIRS[0]], "mine has 1 distinct usable row of 1;"),
        ([PAIRS[0], PAIRS[0]], "mine has 1 distinct usable row of 2;"),
        ([("a", ""), ("b", " ")], r"mine has 0 distinct usable rows of 2 \(dropped: 2 blank-response\)"),
    ],
)
def test_too_few_rows(rows, told):
    with pytest.raises(InputError, match=told):
        gathered(table(PAIRS), table(rows))


def test_rows_whose_vectors_cannot_be_made_are_left_out():
    rows = [{"instruction": a, "response": b, "v": [float(place), 1.0]} for place, (a, b) in enumerate(PAIRS)]
    rows[5]["v"] = None
    pool, words = selector.Pool.from_table(rows), {"layers": {"macro": {"encoder": "column:v", "clusters": "kmeans:2"}}}
    only = {"layers": ["macro"], "references": 3}
    found = selector.measure(pool.take(np.arange(2, 8)), pool, measure=only, options=Options(cache=None), **words)
    assert found.rows == 5
    assert dict(found.datasets[0].member.dropped) == {"no-vector": 1}
    assert found.datasets[0].among_pool == 5
    with pytest.raises(InputError, match="--unusable drop leaves such rows out"):
        selector.measure(pool, pool, measure=only, hygiene={"unusable": "error"}, options=Options(cache=None), **words)


def sight(**layers) -> MeasureRecipe:
    return MeasureRecipe.model_validate({"datasets": ["demo"], "layers": layers})


def test_no_random_set_is_what_a_measure_samples_by():
    """A seed followed by zeros gives the numbers of the seed alone: the first random set would then hold the sample of pool coverage."""
    pool = np.arange(5000)
    sample = np.random.default_rng(0).permutation(pool)[:100]
    for key in ((0,), (0, 0), (0, 1)):
        for rows in measuring.at_random(pool, 1000, 3, key):
            assert np.isin(sample, rows).sum() < 50

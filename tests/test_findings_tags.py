"""Tags and tokens of a report, against slow and obvious formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from selector.findings import chance, tags, tokens
from selector.findings.peeling import narrowest
from selector.findings.scene import Subset
from selector.report.blocks import Chart, Table
from selector.report.phrases import percent
from selector.report.sections import tags as tags_section
from selector.report.sections import tokens as tokens_section
from tests.findings_scenes import rows, scene


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """60 random rows; 60 rows without the most frequent tag; 60 rows of which 20 are not the pool's."""
    table = rows()
    plain = [number for number, row in enumerate(table) if "river" not in row["tags"]][:60]
    new = [{**row, "instruction": f"new {row['instruction']}", "tags": [*row["tags"], "foreign"]} for row in rows(20, 9)]
    random = np.sort(np.random.default_rng(3).permutation(240)[:60])
    order = np.random.default_rng(4).permutation(random)
    subsets = {"random": random, "plain": np.array(plain), "mixed": [*table[:40], *new]}
    return scene(table, tmp_path_factory.mktemp("features"), subsets, orders={"random": order})


def carried(scene, side, layer, rows):
    """The names that each of these rows carries."""
    types = scene.facets[side].types(layer)
    dense = types.incidence.toarray()
    return [{types.names[t] for t in np.flatnonzero(dense[row])} for row in rows]


def union(several):
    return set().union(*several)


def test_tags_are_counted_as_by_hand(seen):
    found = tags.find(seen)["sides"]["instruction"]
    own = carried(seen, "instruction", "meso", seen.pool)
    counts = {tag: sum(tag in row for row in own) for tag in union(own)}
    assert found["tags"] == len(counts)
    assert found["occurrences"] == sum(counts.values())
    assert [one["rows"] for one in found["top"]] == sorted(counts.values(), reverse=True)[: tags.TOP]
    assert all(counts[one["name"]] == one["rows"] for one in found["top"])
    spread = [abs(a - b) for a in counts.values() for b in counts.values()]
    gini = sum(spread) / (2 * len(counts) ** 2 * np.mean(list(counts.values())))
    assert found["gini"] == pytest.approx(gini, rel=1e-5)
    pairs = {}
    for row in own:
        for pair in combinations(sorted(row), 2):
            pairs[pair] = pairs.get(pair, 0) + 1
    assert [one["rows"] for one in found["pairs"]] == sorted(pairs.values(), reverse=True)[: tags.PAIRS]
    first = found["pairs"][0]
    lift = first["rows"] / len(own) / (counts[first["names"][0]] / len(own) * counts[first["names"][1]] / len(own))
    assert first["rows"] == pairs[tuple(sorted(first["names"]))]
    assert first["lift"] == pytest.approx(lift, rel=1e-5)
    most = sorted(counts.values(), reverse=True)
    assert sum(most[: found["half"]["tags"]]) >= sum(most) / 2 > sum(most[: found["half"]["tags"] - 1])
    assert sum(band["tags"] for band in found["bands"]) == len(counts)


def test_the_lorenz_curve_rises_from_the_rarest_tag(seen):
    for said in tags.find(seen)["sides"].values():
        curve = np.array(said["lorenz"])
        assert curve[0].tolist() == [0, 0]
        assert curve[-1].tolist() == [1, 1]
        assert (np.diff(curve, axis=0) >= 0).all()
        assert (curve[:, 1] <= curve[:, 0] + 1e-9).all()
        area = float(((curve[1:, 1] + curve[:-1, 1]) / 2 * np.diff(curve[:, 0])).sum())
        assert said["gini"] == pytest.approx(1 - 2 * area, abs=0.02)


def test_coverage_and_what_is_missing(seen):
    found = tags.find(seen)["sides"]["response"]
    own = carried(seen, "response", "meso", seen.pool)
    pool = union(own)
    counts = {tag: sum(tag in row for row in own) for tag in pool}
    for subset, said in zip(seen.subsets, found["subsets"], strict=True):
        covered = union(carried(seen, "response", "meso", subset.rows)) & pool
        assert said["share"]["value"] == pytest.approx(len(covered) / len(pool), rel=1e-5)
        assert said["missing"]["count"] == len(pool - covered)
        assert {one["name"] for one in said["missing"]["shown"]} <= pool - covered
        assert [one["rows"] for one in said["missing"]["shown"]] == sorted((counts[t] for t in pool - covered), reverse=True)[
            : tags.MISSING
        ]
        share = sum(counts[tag] for tag in covered) / sum(counts.values())
        assert said["occurrences"]["value"] == pytest.approx(share, rel=1e-5)
        by_chance = [len(union(carried(seen, "response", "meso", one)) & pool) / len(pool) for one in chance.sets(seen, len(subset.rows))]
        assert said["share"]["low"] == pytest.approx(min(by_chance), rel=1e-5)
        assert said["share"]["high"] == pytest.approx(max(by_chance), rel=1e-5)
        assert said["share"]["mean"] == pytest.approx(np.mean(by_chance), rel=1e-5)
    assert "river" in {one["name"] for one in found["subsets"][1]["missing"]["shown"]}


def test_too_seldom_is_what_chance_does_not_explain(seen):
    """The tail of the hypergeometric distribution by binomial coefficients, for the tag that was left out."""
    found = tags.find(seen)["sides"]["instruction"]
    random, plain, mixed = found["subsets"]
    assert random["over"]["count"] == random["under"]["count"] == 0
    assert plain["drawn_from_pool"]
    assert not mixed["drawn_from_pool"]
    assert plain["under"]["shown"][0]["name"] == "river"
    assert plain["under"]["shown"][0]["rows"] == 0
    own = carried(seen, "instruction", "meso", seen.pool)
    n, c, m = len(own), sum("river" in row for row in own), 60
    tail = math.comb(n - c, m) / math.comb(n, m)
    assert tail <= 0.05 / (2 * len(union(own)))
    assert "foreign" not in {one["name"] for one in mixed["over"]["shown"]}  # not a tag of the pool


def test_a_large_subset_is_held_to_draws_without_replacement(seen):
    """200 of 240 rows without 20 of those that carry a tag: far off for such draws, not for independent ones."""
    own = carried(seen, "instruction", "meso", seen.pool)
    counts = {tag: sum(tag in row for row in own) for tag in union(own)}
    tag = min((abs(count - 40), tag) for tag, count in counts.items())[1]
    without = [row for row in seen.pool.tolist() if tag in own[row]][:20]
    others = [row for row in seen.pool.tolist() if tag not in own[row]][:20]
    rows = np.setdiff1d(seen.pool, without + others)
    one = replace(seen, subsets=(Subset("large", rows, rows),))
    found = tags.find(one)["sides"]["instruction"]["subsets"][0]
    n, m = len(own), len(rows)
    under = set()
    for name, c in counts.items():
        k = sum(name in own[row] for row in rows)
        tail = sum(math.comb(c, i) * math.comb(n - c, m - i) for i in range(max(0, m - n + c), k + 1)) / math.comb(n, m)
        if k < m * c / n and tail <= 0.05 / (2 * len(counts)):
            under.add(name)
    assert tag in under
    assert {one["name"] for one in found["under"]["shown"]} == under


def test_tokens_are_banded_as_the_layer_does(seen):
    found = tokens.find(seen)["sides"]["response"]
    types = seen.facets["response"].types("micro")
    by_hand = {"low": types.facts["types_low"], "mid": types.facts["types_mid"], "high": types.facts["types_high"]}
    assert {one["band"]: one["tokens"] for one in found["bands"]} == by_hand
    assert sum(one["occurrences"] for one in found["bands"]) == types.facts["tokens"]
    counts = sorted(np.bincount(seen.facets["response"].tokens().ids).tolist(), reverse=True)
    assert all(counts[rank - 1] == count for rank, count, _ in found["curve"])
    assert found["curve"][0][0] == 1
    assert found["curve"][-1][0] == sum(count > 0 for count in counts)
    for _, count, band in found["curve"]:
        assert band == ("high" if count > found["high"] else "mid" if count >= found["low"] else "low")
    assert len(found["curve"]) <= tokens.POINTS


def test_growth_is_what_the_first_rows_carry(seen):
    found = tokens.find(seen)["sides"]["instruction"]
    pool = union(carried(seen, "instruction", "micro", seen.pool))
    points = found["growth"]["rows"]
    assert points[-1] == len(seen.pool)
    assert found["growth"]["mean"][-1] == found["growth"]["low"][-1] == 1.0
    subset, said = seen.subsets[0], found["subsets"][0]
    assert said["own_order"]
    for point, share in zip(points, said["growth"], strict=False):
        covered = union(carried(seen, "instruction", "micro", subset.order[:point])) & pool
        assert share == pytest.approx(len(covered) / len(pool), rel=1e-5)
    assert len(said["growth"]) == sum(point <= 60 for point in points)
    assert said["growth"][-1] == said["share"]["value"]
    assert not found["subsets"][1]["own_order"]
    assert found["subsets"][1]["growth"][-1] == pytest.approx(found["subsets"][1]["share"]["value"])


def test_tokens_that_only_one_subset_has(seen):
    found = tokens.find(seen)["sides"]["response"]
    pool = union(carried(seen, "response", "micro", seen.pool))
    every = [set(one.rows.tolist()) for one in seen.subsets]
    for number, (subset, said) in enumerate(zip(seen.subsets, found["subsets"], strict=True)):
        others = set(subset.random.tolist()).union(*(one for other, one in enumerate(every) if other != number))
        only = (union(carried(seen, "response", "micro", subset.rows)) & pool) - union(carried(seen, "response", "micro", sorted(others)))
        assert said["only"]["count"] == len(only)
        assert {one["name"] for one in said["only"]["shown"]} <= only
    names = [one["name"] for one in found["sources"]]
    for name, said in zip(names, found["sources"], strict=True):
        rows = [row for row in seen.pool if seen.sources[row] == name]
        assert said["rows"] == len(rows)
        assert said["share"] == pytest.approx(len(union(carried(seen, "response", "micro", rows))) / len(pool), rel=1e-5)


def test_half_of_the_rows_get_by_with_what_peeling_leaves(seen):
    incidence = seen.facets["response"].types("micro").incidence[seen.pool]
    found = narrowest(incidence)
    dense = incidence.toarray() > 0
    assert found["among"] == int(dense.any(axis=1).sum())
    assert 2 * found["rows"] >= found["among"]
    there = dense.any(axis=1)  # the same by hand, ties by the lowest type
    while True:
        counts = dense[there].sum(axis=0)
        rarest = min((count, t) for t, count in enumerate(counts) if count)[1]
        if 2 * (there.sum() - counts[rarest]) < found["among"]:
            break
        there &= ~dense[:, rarest]
    assert found["types"] == int(dense[there].any(axis=0).sum())
    assert found["rows"] == int(there.sum())


def test_peeling_is_never_below_the_best_half():
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    for _ in range(20):
        dense = rng.random((8, 6)) < 0.4
        found = narrowest(csr_array(dense.astype(np.float32)))
        rows = np.flatnonzero(dense.any(axis=1))
        best = min(int(dense[list(half)].any(axis=0).sum()) for half in combinations(rows, -(-len(rows) // 2)))
        assert best <= found["types"] <= dense.any(axis=0).sum()


def test_the_sections_tell_the_numbers(seen):
    for found, section in ((tags.find(seen), tags_section.section), (tokens.find(seen), tokens_section.section)):
        made = section(found)
        assert percent(found["sides"]["response"]["subsets"][1]["share"]["value"]) in made.lead or "as random sets do" in made.lead
        for block in made.blocks:
            assert not isinstance(block, Chart) or (block.says and block.table is not None)
            if isinstance(block, Table):
                assert all(len(row) == len(block.columns) for row in block.rows)
    assert tags_section.section({"sets": 20, "sides": {}}) is None
    assert tokens_section.section({"sets": 20, "orders": 5, "sides": {}}) is None


def test_beside_says_on_which_side_of_all_random_sets_a_value_lies():
    assert chance.beside(1.0, [2.0, 3.0])["stands"] == "below"
    assert chance.beside(2.0, [2.0, 3.0])["stands"] == "within"
    assert chance.beside(4.0, [2.0, 3.0])["stands"] == "above"
    assert chance.short(float("nan")) is None
    assert chance.short(np.float32(1 / 3)) == 0.333333


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"), (1, "100 %"), (0.1234, "12 %"), (0.0123, "1.2 %"), (0.00012, "0.01 %"), (0.00004, "0.004 %"), (0.99999, "99.999 %"),
        (0.9952, "99.5 %"),
    ],
)  # fmt: skip
def test_shares_in_words(share, said):
    assert percent(share) == said
    assert percent(None) == "–"

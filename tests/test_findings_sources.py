"""Redundancy and provenance of a report, against slow and obvious formulas; and that no page says more of rows than it may."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict

import numpy as np
import pytest
from scipy.spatial.distance import cdist, jensenshannon

from selector.errors import MemoryForecast
from selector.findings import chance, copies, divergence, provenance, redundancy, tags, tokens
from selector.findings.scene import LONGEST_NAME, NO_EXAMPLES, REDACT, shown
from selector.hygiene import Hygiene, normal_pair
from selector.report.blocks import Chart, Examples, Table
from selector.report.page import page
from selector.report.sections import provenance as provenance_section
from selector.report.sections import redundancy as redundancy_section
from selector.report.sections import tags as tags_section
from selector.report.sections import tokens as tokens_section
from tests.findings_scenes import HOSTILE, SECRET, rows, scene

PARTS = {
    "tags": (tags, tags_section),
    "tokens": (tokens, tokens_section),
    "redundancy": (redundancy, redundancy_section),
    "provenance": (provenance, provenance_section),
}


def repeated():
    """Twelve exact copies of row 5 from another source, and eight near ones of row 9."""
    table = rows(180)
    exact = [{**table[5], "instruction": table[5]["instruction"].upper(), "source": "forum"} for _ in range(12)]
    near = [{**table[9], "response": f"{table[9]['response']} {number}"} for number in range(8)]
    return [*table, *exact, *near]


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    table = repeated()
    new = [{**table[9], "response": f"{table[9]['response']} again"}, {**rows(1, 77)[0], "instruction": "nobody wrote this one before"}]
    subsets = {"some": np.arange(0, 60), "mixed": [*table[:20], *new]}
    return scene(table, tmp_path_factory.mktemp("features"), subsets)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    table = rows()
    made = np.array([number for number, row in enumerate(table) if row["source"] == "made"][:40])
    return scene(table, tmp_path_factory.mktemp("features"), {"made only": made, "first": np.arange(60)})


def shingles(pair):
    return {pair[at : at + 5] for at in range(max(1, len(pair) - 4))}


def grouped(pairs):
    """The first row of each row's group, by all pairs."""
    kept, group = [], []
    for number, pair in enumerate(pairs):
        own = shingles(pair)
        like = [other for other in kept if len(own & shingles(pairs[other])) / len(own | shingles(pairs[other])) >= copies.THRESHOLD]
        group.append(like[0] if like else number)
        kept += [] if like else [number]
    return group


def test_groups_are_those_of_all_pairs(copied):
    found = redundancy.find(copied)
    read = copied.as_read.pool
    assert len(copied.pool) < len(read) == found["rows"]
    assert found["dropped"] == {"exact-duplicate": 12}
    pairs = [normal_pair(a, b) for a, b in zip(read.instructions.to_pylist(), read.responses.to_pylist(), strict=True)]
    exact = [count for count in Counter(pairs).values() if count > 1]
    assert found["exact"] == {"groups": len(exact), "rows": sum(exact), "again": sum(exact) - len(exact)}
    group = grouped(pairs)
    sizes = [count for count in Counter(group).values() if count > 1]
    assert found["near"] == {"groups": len(sizes), "rows": sum(sizes), "again": sum(sizes) - len(sizes)}
    assert found["largest"] == max(sizes) == 13
    assert sum(one["groups"] for one in found["sizes"]) == len(sizes)
    same = Counter(pair.split("\n")[0] for pair in pairs)
    assert found["same_side"]["instruction"]["again"] == sum(count - 1 for count in same.values())
    members = Counter(group)
    for one in found["sources"]["listed"]:
        of = [number for number, source in enumerate(copied.as_read.sources) if source == one["name"]]
        assert (one["rows"], one["in_groups"]) == (len(of), sum(members[group[number]] > 1 for number in of))
    held = {first: {copied.as_read.sources[n] for n in range(len(pairs)) if group[n] == first} for first in members if members[first] > 1}
    assert found["sources"]["groups_across"] == sum(len(sources) > 1 for sources in held.values())


def test_what_a_subset_repeats(copied):
    found = redundancy.find(copied)
    read = copied.as_read.pool
    pairs = [normal_pair(a, b) for a, b in zip(read.instructions.to_pylist(), read.responses.to_pylist(), strict=True)]
    place = {one: number for number, one in enumerate(read.ids.to_pylist())}
    some = [place[one] for one in copied.everything.take(copied.subsets[0].rows).ids.to_pylist()]
    group = grouped(pairs)
    members = Counter(group)
    said, mixed = found["subsets"]
    assert said["in_groups"]["value"] == pytest.approx(np.mean([members[group[number]] > 1 for number in some]), rel=1e-5)
    assert said["again"]["value"] == pytest.approx(1 - len({group[number] for number in some}) / len(some), rel=1e-5)
    drawn = chance.sets(copied, len(some))
    assert said["in_groups"]["low"] <= said["in_groups"]["mean"] <= said["in_groups"]["high"]
    assert len(drawn) == chance.SETS
    # Of its two rows that the pool lacks one is near row 9 and one is like nothing; rows 5 and 9 have copies in the pool.
    assert mixed["in_groups"]["value"] == pytest.approx(3 / 22, rel=1e-5)
    assert mixed["again"]["value"] == pytest.approx(1 / 22, rel=1e-5)


def test_examples_are_the_largest_group_of_each_source_first(copied):
    found = redundancy.find(copied)["examples"]
    assert len(found) <= redundancy.GROUPS
    assert found[0]["rows"] == 13
    first = found[0]["shown"][0]
    assert first["texts"]["instruction"] == copied.as_read.pool.instructions[first["row"]].as_py()
    assert all(len(one["shown"]) <= redundancy.ROWS for one in found)


def test_long_texts_are_shown_from_where_they_part():
    same = "the same words again " * 40
    cut = redundancy._cut([f"{same}and then a river", f"{same}and then a stone"])
    assert all(one.startswith("… ") for one in cut)
    assert cut[0].endswith("and then a river")
    assert cut[1].endswith("and then a stone")
    assert redundancy._cut([same, same]) == redundancy._cut([same]) * 2
    assert redundancy._cut(["a short one", "a short two"]) == ["a short one", "a short two"]


def test_without_the_pool_as_read_the_copies_that_hygiene_dropped_are_not_seen(tmp_path):
    found = redundancy.find(scene(repeated(), tmp_path, as_read=False))
    assert not found["as_read"]
    assert found["exact"]["again"] == 0
    assert found["largest"] == 9
    assert "what it dropped is not among them" in redundancy_section.section(found).blocks[-1].text


def test_where_memory_is_short_exact_copies_are_still_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise MemoryForecast("near duplicates need more; raise it")

    monkeypatch.setattr(copies, "near", refuse)
    found = redundancy.find(scene(repeated(), tmp_path))
    assert found["refused"] == "near duplicates need more; raise it"
    assert found["near"] == found["exact"]
    assert "raise it" in redundancy_section.section(found).blocks[0].text


def test_without_hygiene_copies_are_rows_of_their_own(tmp_path):
    one = scene(repeated(), tmp_path, {"all": np.arange(200)}, hygiene=Hygiene(dedup="off"))
    found = redundancy.find(one)["subsets"][0]
    assert found["again"]["value"] == pytest.approx(redundancy.find(one)["near"]["again"] / 200)


def test_shares_and_types_by_source(seen):
    found = provenance.find(seen)
    assert [one["synthetic"] for one in found["sources"]] == [one["name"] == "made" for one in found["sources"]]
    for number, one in enumerate(found["sources"]):
        of = {row for row in seen.pool.tolist() if seen.sources[row] == one["name"]}
        assert one["rows"] == len(of)
        assert one["subsets"][1] == pytest.approx(len(of & set(range(60))) / 60, rel=1e-5)
        others = sorted(set(seen.pool.tolist()) - of)
        for side, facet in seen.facets.items():
            for layer in ("macro", "meso", "micro"):
                dense = facet.types(layer).incidence.toarray() > 0
                has, elsewhere = dense[sorted(of)].any(axis=0), dense[others].any(axis=0)
                said = found["types"][side][layer]
                assert said["has"][number] == has.sum()
                assert said["alone"][number] == (has & ~elsewhere).sum()


def test_what_synthetic_rows_add(seen):
    found = provenance.find(seen)["synthetic"]
    made = np.array([source == "made" for source in seen.sources])
    for side, facet in seen.facets.items():
        for layer in ("macro", "meso", "micro"):
            types = facet.types(layer)
            dense = types.incidence.toarray() > 0
            new = dense[made].any(axis=0) & ~dense[~made].any(axis=0)
            said = found["sides"][side]["layers"][layer]
            assert said["new"] == new.sum()
            assert said["only_real"] == (dense[~made].any(axis=0) & ~dense[made].any(axis=0)).sum()
            assert said["rows_adding"] == dense[made][:, new].any(axis=1).sum()
            assert {one["name"] for one in said["shown"]} <= {shown(types.names[t], LONGEST_NAME) for t in np.flatnonzero(new)}
            assert said["sources"][0]["rows_adding"] == said["rows_adding"]
    told = {one["name"] for one in found["sides"]["response"]["layers"]["meso"]["shown"]}
    assert "robotics" in told


def test_nearest_real_rows_are_those_of_all_pairs(seen):
    found = provenance.find(seen)["synthetic"]["sides"]["response"]["nearest"]
    data = seen.facets["response"].vectors("macro").data.astype(np.float64)
    made = np.array([source == "made" for source in seen.sources])
    similarity = data @ data.T
    np.fill_diagonal(similarity, -1)
    apart = 1 - similarity[:, ~made].max(axis=1)
    for kind, rows_of in (("synthetic", made), ("real", ~made)):
        assert found[kind]["rows"] == rows_of.sum()
        np.testing.assert_allclose(found[kind]["quantiles"], np.quantile(apart[rows_of], found["levels"]), atol=1e-5)
    low, high = np.quantile(apart[~made], [0.05, 0.95])
    assert found["synthetic"]["near"] == pytest.approx((apart[made] < low).mean(), abs=1e-5)
    assert found["synthetic"]["far"] == pytest.approx((apart[made] > high).mean(), abs=1e-5)


def test_distances_are_those_of_the_papers(seen):
    made = np.array([source == "made" for source in seen.sources])
    left, right = np.flatnonzero(made), np.flatnonzero(~made)
    incidence = seen.facets["response"].types("meso").incidence
    found = divergence.of_types(incidence, left, right, 0)
    counts = [np.asarray(incidence[one].sum(axis=0)).ravel() for one in (left, right)]
    assert found["value"] == pytest.approx(jensenshannon(*counts, base=2), rel=1e-5)
    assert found["low"] < found["value"] < found["high"]
    vectors = seen.facets["response"].vectors("macro")
    said = divergence.energy(vectors, left, right, 0)
    x, y = vectors.data[left].astype(np.float64), vectors.data[right].astype(np.float64)
    m, n = len(x), len(y)
    value = 2 * cdist(x, y).mean() - cdist(x, x).sum() / (m * (m - 1)) - cdist(y, y).sum() / (n * (n - 1))
    assert said["value"] == pytest.approx(value, rel=1e-4, abs=1e-7)
    assert said["rows"] == [m, n]


def test_a_distance_is_beyond_chance_where_groups_differ_and_within_where_they_do_not(seen):
    incidence, vectors = seen.facets["response"].types("macro").incidence, seen.facets["response"].vectors("macro")
    topic = incidence.indices  # one for each row
    apart = np.flatnonzero(topic < 3), np.flatnonzero(topic >= 3)
    assert divergence.of_types(incidence, *apart, 0)["value"] == pytest.approx(1, abs=1e-6)
    assert divergence.of_types(incidence, *apart, 0)["p"] == divergence.energy(vectors, *apart, 0)["p"] == 0.01
    low = []
    for seed in range(40):
        order = np.random.default_rng(seed).permutation(len(seen.pool))
        groups = np.sort(order[:80]), np.sort(order[80:])
        low.append([divergence.of_types(incidence, *groups, seed)["p"], divergence.energy(vectors, *groups, seed)["p"]])
    assert (np.array(low) <= 0.05).sum(axis=0).max() <= 7  # 2 of 40 expected; 8 or more once in 1,000


def test_an_interval_holds_the_value_of_the_whole_about_as_often_as_it_says():
    from selector.features import dense

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2000, 4)), rng.standard_normal((2000, 4)) + np.array([1.0, 0, 0, 0])
    every = dense(np.concatenate([x, y]))
    whole = divergence.energy(every, np.arange(2000), np.arange(2000, 4000), 0)
    ours = cdist(every.data[:2000], every.data[2000:]).mean() * 2
    truth = ours - sum(cdist(every.data[at], every.data[at]).sum() / (2000 * 1999) for at in (slice(0, 2000), slice(2000, 4000)))
    inside = 0
    for seed in range(40):
        found = divergence.energy(every, rng.permutation(2000)[:300], 2000 + rng.permutation(2000)[:300], seed)
        inside += found["low"] <= truth <= found["high"]
    assert inside >= 33  # 38 expected
    assert whole["rows"] == [divergence.SAMPLED, divergence.SAMPLED]


def test_without_sources_there_is_nothing_and_without_synthetic_ones_the_table_only(tmp_path):
    nothing = scene(rows(60), tmp_path, sources=False)
    assert provenance.find(nothing) is None
    assert provenance_section.section(None) is None
    assert redundancy.find(nothing)["sources"] is None
    assert tokens.find(nothing)["sides"]["response"]["sources"] is None
    found = provenance.find(scene(rows(60), tmp_path, synthetic=()))
    assert found["synthetic"] is None
    assert "--synthetic" in provenance_section.section(found).blocks[-1].text


def test_many_sources_are_told_together(tmp_path):
    table = [{**row, "source": f"source {number % 45}"} for number, row in enumerate(rows(180))]
    found = provenance.find(scene(table, tmp_path, synthetic=("source 44", "source 43")))
    assert len(found["sources"]) == 32
    assert [one["name"] for one in found["sources"][30:]] == ["13 other sources", "2 other synthetic sources"]
    assert sum(one["rows"] for one in found["sources"]) == len(rows(180))
    assert redundancy.find(scene(table, tmp_path))["sources"]["listed"][-1]["name"] == "15 other sources"


def words_of(found):
    """Everything that a section of this finding and the finding itself say."""
    made = [section.section(found[name]) for name, (_, section) in PARTS.items()]
    return json.dumps(found, allow_nan=False) + json.dumps([asdict(one) for one in made], allow_nan=False)


@pytest.mark.parametrize("show", [REDACT, NO_EXAMPLES, "open"])
def test_redacted_findings_hold_no_word_of_the_rows(show, tmp_path):
    table = rows(120, secret=True)
    table += [{**table[3], "response": f"{table[3]['response']} {number}"} for number in range(3)]
    one = scene(table, tmp_path, {"some": np.arange(40), "others": np.arange(30, 90)}, show=show, synthetic=(f"{SECRET} made",))
    found = {name: part.find(one) for name, (part, _) in PARTS.items()}
    assert found["redundancy"]["near"]["rows"] == 4
    said = words_of(found)
    assert (SECRET in said) == (show != REDACT)
    if show == REDACT:
        assert "tag 0" in said
        for word in ("river", "robotics", "made", "forum", "number"):
            assert f'"{word}' not in said
    if show == NO_EXAMPLES:
        texts = [text for facet in one.facets.values() for text in facet.texts()]
        assert not [text for text in texts if text[:24] in said]
    assert found["provenance"]["synthetic"]["sides"]["response"]["layers"]["macro"]["shown"]
    assert bool(found["redundancy"]["examples"]) == (show == "open")


def test_hostile_texts_are_escaped_wherever_they_stand(tmp_path):
    one = scene(rows(120, hostile=True), tmp_path, {"<b>some</b>": np.arange(40)}, synthetic=(f"{HOSTILE} made",))
    found = {name: part.find(one) for name, (part, _) in PARTS.items()}
    said = words_of(found)
    assert "\\u202e" not in said
    assert "\\u0007" not in said
    assert len(said) < 1_000_000
    sections = [section.section(found[name]) for name, (_, section) in PARTS.items()]
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Chart):
                assert "<script" not in json.dumps(block.figure)
                assert "<b>" not in json.dumps(block.figure)
    html = page("Pool", "lead", sections, found)
    assert "alert(1)</script>" not in html
    assert html.count("alert(1)") > 10


def test_findings_are_json_and_the_same_again(copied):
    for name, (part, section) in PARTS.items():
        found = part.find(copied)
        assert json.dumps(found, allow_nan=False) == json.dumps(part.find(copied), allow_nan=False), name
        for block in section.section(found).blocks:
            if isinstance(block, Chart):
                assert block.says
                assert block.table is not None
            if isinstance(block, Table):
                assert all(len(row) == len(block.columns) for row in block.rows)
            if isinstance(block, Examples):
                assert block.examples


@pytest.mark.parametrize("name", list(PARTS))
def test_a_pool_without_subsets_has_its_page(name, tmp_path):
    part, section = PARTS[name]
    found = part.find(scene(rows(60), tmp_path))
    assert section.section(found).lead

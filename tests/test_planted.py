"""On the demo pool, whose truth is planted: the one place that was made narrow is the one called thin; a random set is called nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import hstack

from selector import aspects, measuring
from selector.demo_words import TOPICS
from selector.hygiene import Hygiene
from selector.measure_recipe import MeasureRecipe
from selector.options import Options, room
from selector.pool import Pool
from selector.verdicts import verdicts

ROWS = 300
SEEDS = range(50)
SHARED = 10  # seeds that share their random subsets
WORDS = {"datasets": ["demo"], "layers": {"macro": {"encoder": "static"}, "meso": {"tagger": "column:tags"}}}
JUDGED = {name for _, name, family in measuring.families() if any(scale.judged for scale in family.scales)}
PLACES = [(side, layer) for side in ("instruction", "response") for layer in ("macro", "meso", "micro")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's usable rows and both their sides, with all features made."""
    with room(Options(cache=tmp_path_factory.mktemp("features"))) as here:
        union = aspects.gather(Pool.read("demo"), [], Hygiene(), here)
        facets = aspects.facets(union.everything, union.pool.rows, MeasureRecipe.model_validate(WORDS), here)
        for facet in facets:
            facet.vectors("macro")
            facet.tokens()
            for layer in ("macro", "meso", "micro"):
                facet.types(layer)
        return union.everything, {facet.side: facet for facet in facets}


@pytest.fixture(scope="module")
def references(demo):
    pool, facets = demo
    sets = {f"{number}": rows for number, rows in enumerate(measuring.at_random(np.arange(len(pool)), ROWS, 20, (5,)))}
    return list(measuring.readings(list(facets.values()), sets, only=JUDGED).values())


def grown(candidates, incidence, most, quota, stratum):
    """ROWS of the candidates, one after another the one with most (or fewest) types that none before has, within quotas of strata."""
    left, chosen, seen, spare = list(candidates), [], np.zeros(incidence.shape[1], bool), quota.copy()
    while len(chosen) < ROWS:
        new = incidence[left] @ (~seen).astype(float)
        new[spare[stratum[left]] <= 0] = -np.inf if most else np.inf
        row = left.pop(int(np.argmax(new) if most else np.argmin(new)))
        chosen.append(row)
        seen[incidence[[row]].indices] = True
        spare[stratum[row]] -= 1
    return np.sort(chosen)


def quotas(stratum, some):
    """ROWS shared out among strata as these rows are."""
    share = np.bincount(stratum[some], minlength=stratum.max() + 1) * ROWS / len(some)
    quota = share.astype(int)
    quota[np.argsort(quota - share, kind="stable")[: ROWS - quota.sum()]] += 1
    return quota


def narrow(demo, side, layer):
    """A set that is narrow at one layer of a side and there alone; where tokens are counted, of the lengths of rows at random."""
    pool, facets = demo
    types = {name: facets[side].types(name).incidence for name in ("macro", "meso", "micro")}
    cluster = types["macro"].indices  # each row has one
    lengths = np.diff(facets[side].tokens().starts)
    third = np.argsort(np.argsort(lengths, kind="stable")) * 3 // len(lengths)
    if layer == "macro":  # of the largest clusters only, with as many tags and tokens as some rows of theirs allow
        kept = np.argsort(-np.bincount(cluster), kind="stable")[:14]
        some = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(np.isin(cluster, kept)))[:500])
        return grown(some, hstack([types["meso"], types["micro"]], format="csr"), True, quotas(third, some), third)
    if layer == "meso":  # every topic has three tags, which its texts know nothing of: rows without the last
        last = {topic: words.split("|")[0].split(",")[2].strip() for topic, words in TOPICS.items()}
        rows = zip(pool.column("topic").to_pylist(), pool.column("tags").to_pylist(), strict=True)
        without = [row for row, (topic, tags) in enumerate(rows) if last[topic] not in tags]
        return np.sort(np.random.default_rng(0).permutation(without)[:ROWS])
    # Micro: as few tokens as half of the rows allow, with each cluster's share of the rows and of each third in length.
    some, stratum = np.sort(np.random.default_rng(4).permutation(len(cluster))[: 5 * ROWS]), cluster * 3 + third
    return grown(some, types["micro"], False, quotas(stratum, some), stratum)


@pytest.mark.parametrize(("side", "layer"), PLACES, ids=[f"{side}-{layer}" for side, layer in PLACES])
def test_the_place_made_narrow_is_the_one_called_thin(demo, references, side, layer):
    """One side of the set is narrow, the other is a random set's."""
    pool, facets = demo
    rows = {one: np.random.default_rng(1).permutation(len(pool))[:ROWS] for one in facets} | {side: narrow(demo, side, layer)}
    found = {}
    for one, facet in facets.items():
        found |= measuring.readings([facet], {"set": rows[one]}, only=JUDGED)["set"]
    said = verdicts(found, references)
    assert [(one.side, one.layer) for one in said] == PLACES
    assert [(one.side, one.layer) for one in said if one.word == "thin"] == [(side, layer)]


def test_random_sets_are_called_as_random(demo):
    """At least 45 of 50 seeds at all six places; by the rule 47 or 48 are to be expected."""
    pool, facets = demo
    every, sides = np.arange(len(pool)), list(facets.values())
    sets = {f"set {seed}": np.random.default_rng([seed, 1]).permutation(every)[:ROWS] for seed in SEEDS}
    for group in range(len(SEEDS) // SHARED):
        sets |= {f"random {group} {number}": rows for number, rows in enumerate(measuring.at_random(every, ROWS, 20, (group, 2)))}
    found = measuring.readings(sides, sets, only=JUDGED)
    right = 0
    for seed in SEEDS:
        said = verdicts(found[f"set {seed}"], [found[f"random {seed // SHARED} {number}"] for number in range(20)])
        right += all(one.word == "as random" for one in said)
    assert right >= 45

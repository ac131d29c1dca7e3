"""The demo shows what was wrong with the cosine of tags and tokens: a selection that has fewer types than random rows, at its own layer."""

from __future__ import annotations

import numpy as np
import pytest

import selector
from selector import Options, Pool

PLACES = [
    ("facility-location", "micro", "response"),
    ("dpp", "micro", "response"),
    ("facility-location", "micro", "instruction"),
    ("dpp", "micro", "instruction"),
]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return Options(cache=tmp_path_factory.mktemp("features"))


def judged(objective, layer, side, similarity, options):
    """300 rows of the demo by this similarity: their types beside those of random rows, and the verdicts plain and at equal length."""
    pool = Pool.read("demo")
    words = {"budget": 300, "objective": objective, "layer": layer, "side": side, "layers": {layer: {"similarity": similarity}}}
    rows = np.sort(selector.select(pool, **words, options=options).rows)
    measure = {"layers": [layer], "sides": [side], "references": 10}
    found = selector.measure(pool.take(rows), pool="demo", measure=measure, options=options).datasets[0]
    types = next(line for line in found.lines if line.gauge.scale.name == "types covered")
    return types.value / types.random.mean, [one.word for one in (*found.verdicts, *found.matched_verdicts)]


@pytest.mark.parametrize(("objective", "layer", "side"), PLACES)
def test_cosine_leaves_the_selection_thin_and_overlap_makes_it_diverse(objective, layer, side, options):
    _, words = judged(objective, layer, side, "cosine", options)
    assert "thin" in words
    types, words = judged(objective, layer, side, "overlap", options)
    assert types > 1.2
    assert words == ["diverse", "diverse"]


def test_tags_gain_as_well(options):
    before, words = judged("facility-location", "meso", "instruction", "cosine", options)
    assert "diverse" not in words[:1]
    after, words = judged("facility-location", "meso", "instruction", "overlap", options)
    assert after > max(1.2, before)
    assert words == ["diverse", "diverse"]

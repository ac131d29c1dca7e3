"""The demo pool has the structure that its docstring promises."""

from collections import Counter

import numpy as np
import pytest

from selector import demo
from selector.demo_words import TOPICS
from selector.errors import InputError
from selector.layers.micro import Micro
from selector.normal import normalise
from selector.options import Options, room
from selector.pool import Pool


@pytest.fixture(scope="module")
def rows():
    return demo.table().to_pylist()


def test_the_same_seed_gives_the_same_pool(rows):
    assert demo.table().to_pylist() == rows
    other = demo.table(seed=1).to_pylist()
    assert len(other) == len(rows)
    assert sum(a["instruction"] == b["instruction"] for a, b in zip(rows, other, strict=True)) < 30


def test_every_word_bank_is_whole():
    assert len(TOPICS) == 60
    for text in TOPICS.values():
        assert [len(part.split(",")) for part in text.split("|")] == [3, 12, 6, 4]


def test_topics_are_zipf(rows):
    sizes = [size for _, size in Counter(row["topic"] for row in rows).most_common()]
    assert len(sizes) == 60
    assert 0.3 < sizes[0] / 3000 < 0.4
    assert all(3 <= size <= 6 for size in sizes[-10:])


@pytest.mark.parametrize("count", [1, 2, 9, 20, 100, 777])
def test_any_size(count):
    table = demo.table(count)
    assert table.num_rows == count
    assert sum(demo.topic_sizes(count).values()) == count
    assert len(Pool.from_table(table)) == count


def test_no_rows():
    with pytest.raises(InputError, match="at least one row; 0 were"):
        demo.table(0)


def test_copies_are_what_they_say(rows):
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == 3000
    exact, near = 0, 0
    for row in rows:
        if row["copy_of"] is None:
            continue
        original = by_id[row["copy_of"]]
        assert original["copy_of"] is None
        assert (original["topic"], original["tags"]) == (row["topic"], row["tags"])
        changed = sum(
            a != b for side in ("instruction", "response") for a, b in zip(row[side].split(" "), original[side].split(" "), strict=False)
        )
        same = all(row[side] == original[side] for side in ("instruction", "response"))
        exact, near = exact + same, near + (not same)
        assert same == (changed == 0)
    assert (exact, near) == (60, 120)
    pairs = Counter((normalise(row["instruction"]), normalise(row["response"])) for row in rows)
    assert len(rows) - len(pairs) == 60


def test_lengths_and_slots(rows):
    """Median, 99th percentile and longest of real pools, more or less: many short texts, few of several hundred words."""
    for side, middle, high, longest in (("instruction", (18, 32), (80, 130), (150, 800)), ("response", (36, 54), (140, 260), (500, 800))):
        lengths = [len(row[side].split()) for row in rows]
        assert min(lengths) <= 3
        for at, (low, top) in ((50, middle), (99, high), (100, longest)):
            assert low <= np.percentile(lengths, at) <= top, (side, at)
        assert np.mean(np.array(lengths) <= 6) > 0.15
        assert not any("{" in row[side] or "}" in row[side] for row in rows)
    sides = np.log([[len(row[side].split()) for side in ("instruction", "response")] for row in rows])
    prose = sides[(sides > np.log(12)).all(axis=1)]
    assert np.corrcoef(prose.T)[0, 1] > 0.1


def test_tags_quality_and_sources(rows):
    assert all(3 <= len(set(row["tags"])) == len(row["tags"]) <= 5 for row in rows)
    quality = np.array([row["quality"] for row in rows])
    assert quality.min() >= 0
    assert quality.max() <= 1
    assert quality.std() > 0.1
    # Not tied to topic: the means of the topics scatter as means of random groups do.
    groups = {}
    for row in rows:
        groups.setdefault(row["topic"], []).append(row["quality"])
    scores = [(np.mean(group) - quality.mean()) / (quality.std() / len(group) ** 0.5) for group in groups.values()]
    assert np.mean(np.square(scores)) < 2
    # Sources are unequal and lean to topics.
    sources = Counter(row["source"] for row in rows)
    assert len(sources) == 4
    assert max(sources.values()) > 4 * min(sources.values())
    python = Counter(row["source"] for row in rows if row["topic"] == "python programming")
    assert python.most_common(1)[0][0] != sources.most_common(1)[0][0]


def test_the_vocabulary_is_skewed(rows):
    df = Counter(word for row in rows for word in {word.strip(".,!?:;").lower() for word in row["response"].split()})
    bands = [sum(low <= count <= high for count in df.values()) for low, high in ((1, 1), (2, 13), (14, 500), (501, 3000))]
    assert bands[0] > 2000
    assert bands[1] > 4000
    assert bands[2] > 500
    assert 5 < bands[3] < 100
    prose = [row["response"].lower().split() for row in rows if row["response"].count(" ") > 20]
    assert np.mean(["the" in row for row in prose]) > 0.95


@pytest.mark.parametrize("side", ["instruction", "response"])
def test_long_texts_have_many_tokens_of_the_mid_band_and_few_texts_have_none(side, tmp_path):
    pool = Pool.read("demo")
    with room(Options(cache=tmp_path)) as here:
        types = Micro().types(pool.texts(side), here)
    carried = np.diff(types.incidence.indptr)
    assert types.facts["rows_without_types"] < 0.1 * len(pool)
    assert 5 < carried.mean() < 13
    assert np.percentile(carried, 90) > 2 * np.median(carried) > 6
    lengths = np.log([len(text) for text in pool.texts(side).strings])
    assert np.corrcoef(lengths, np.log1p(carried))[0, 1] > 0.7


def test_the_sides_are_found(rows):
    pool = Pool.read("demo")
    assert pool.format == "pair"
    assert pool.ids.to_pylist() == [row["id"] for row in rows]

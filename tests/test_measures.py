"""Every measure against its slow, obvious definition, on small sets of texts, vectors and types."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selector import registry
from selector.core import Aspect, Reading, Tokens, Types
from selector.features import dense, incidence
from selector.kernels import ngrams as kernels
from selector.measures import neighbourhood, novelty, pool_coverage, spread, vocabulary


@dataclass(frozen=True)
class Small:
    """A ground of a few rows, made up: an Aspect."""

    lists: list[list[int]]  # tokens of each text
    matrix: np.ndarray  # (n, d)
    carried: list[list[int]]  # types of each row
    pool: np.ndarray
    band: tuple[int, int] = (2, 4)
    side: str = "response"
    seed: int = 0
    threads: int = 2
    memory: int = 1 << 20

    @property
    def size(self) -> int:
        return len(self.lists)

    def texts(self) -> list[str]:
        return [" ".join(f"w{token}" for token in one) for one in self.lists]

    def tokens(self) -> Tokens:
        ids = np.array([token for one in self.lists for token in one], np.int32)
        return Tokens(ids, np.cumsum([0, *map(len, self.lists)]).astype(np.int64))

    @cached_property
    def unit(self):
        return dense(self.matrix)

    def vectors(self, layer: str):
        return self.unit

    def types(self, layer: str) -> Types:
        width = max((max(one, default=-1) for one in self.carried), default=-1) + 1
        low, high = self.band
        return Types(incidence(self.carried, width), [str(one) for one in range(width)], {"low": low, "high": high})


def small(rows: int = 30, seed: int = 0, pool: int | None = None) -> Small:
    """Texts of 0 to 12 of 8 tokens, some copied; vectors of 4 small whole numbers, so that some are zero and some the same."""
    rng = np.random.default_rng(seed)
    lists = [rng.integers(0, 8, rng.integers(0, 13)).tolist() for _ in range(rows)]
    lists[rows // 2] = list(lists[0])
    matrix = rng.integers(-1, 3, (rows, 4)).astype(np.float32)
    matrix[rows // 3] = 0
    carried = [sorted(set(rng.integers(0, 9, rng.integers(0, 4)).tolist())) for _ in range(rows)]
    return Small(lists, matrix, carried, np.arange(rows if pool is None else pool))


def read(aspect: Aspect, family: str, layer: str, rows) -> dict[str, Reading]:
    """The readings of a family for these rows, by the names of its scales."""
    measure = registry.find("measures", family)(layer=layer)
    return {scale.name: one for scale, one in zip(measure.scales, measure.over(aspect)(np.asarray(rows)), strict=True)}


def values(aspect: Aspect, family: str, layer: str, rows) -> dict[str, float]:
    return {name: one.value for name, one in read(aspect, family, layer, rows).items()}


SETS = [np.arange(30), np.arange(0, 30, 3), np.array([1, 15]), np.array([0, 4, 5, 15, 29])]
TOKENS = st.lists(st.lists(st.integers(0, 4), max_size=9), min_size=2, max_size=12)


def grams(tokens: list[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1)]


# ------------------------------------------------------------------------------------------------------------------ surface


def bleu(text: list[int], others: list[list[int]]) -> float:
    """BLEU-4 over the lengths that the text has, 0.1 for a length without a match (Papineni et al. 2002, eqs. 1 to 3)."""
    logs = []
    for n in range(1, min(4, len(text)) + 1):
        mine, theirs = Counter(grams(text, n)), [Counter(grams(other, n)) for other in others]
        matched = sum(min(count, max(other[gram] for other in theirs)) for gram, count in mine.items())
        if n == 1 and not matched:
            return 0.0
        logs.append(math.log((matched or 0.1) / (len(text) - n + 1)))
    nearest = min((len(other) for other in others), key=lambda length: (abs(length - len(text)), length))
    return min(1.0, math.exp(1 - nearest / len(text))) * math.exp(sum(logs) / len(logs))


def slow_ngrams(lists: list[list[int]]) -> list[float]:
    lists = [one for one in lists if one]
    if len(lists) < 2:
        return [math.nan] * 4
    every = {n: [gram for one in lists for gram in grams(one, n)] for n in (1, 2)}
    scores = [bleu(one, lists[:place] + lists[place + 1 :]) for place, one in enumerate(lists)]
    fours = [set(grams(one, 4)) for one in lists]
    repeated = [
        math.log(1 + sum(gram in other for gram in own for at, other in enumerate(fours) if at != place)) for place, own in enumerate(fours)
    ]
    ratios = [len(set(every[n])) / max(1, len(every[n])) for n in (1, 2)]
    return [*ratios, sum(scores) / len(scores), sum(repeated) / len(repeated)]


@pytest.mark.parametrize("rows", SETS, ids=len)
def test_ngrams(rows):
    aspect = small()
    found = values(aspect, "ngrams", "surface", rows)
    assert list(found.values()) == pytest.approx(slow_ngrams([aspect.lists[row] for row in rows]))


@given(TOKENS, st.data())
def test_ngrams_of_any_texts(lists, data):
    """Also where an n-gram stands twice in one text, in one text only, or only in texts outside the set."""
    rows = sorted(data.draw(st.sets(st.integers(0, len(lists) - 1), min_size=2)))
    aspect = Small(lists, np.zeros((len(lists), 1)), [[] for _ in lists], np.arange(len(lists)))
    found = values(aspect, "ngrams", "surface", rows)
    assert list(found.values()) == pytest.approx(slow_ngrams([lists[row] for row in rows]), nan_ok=True)


def test_numbers_of_ngrams_stay_right_when_the_table_grows():
    """More different 2-grams than the table begins with, each in two texts."""
    rng = np.random.default_rng(0)
    one = rng.integers(0, 1000, 60_000).tolist()
    lists = [one, one[:1000], one]
    aspect = Small(lists, np.zeros((3, 1)), [[], [], []], np.arange(3))
    pairs = grams(one, 2)
    found = values(aspect, "ngrams", "surface", [0, 2])
    assert found["2-gram ratio"] == pytest.approx(len(set(pairs)) / (2 * len(pairs)))
    assert found["self-BLEU"] == pytest.approx(1.0)
    assert found["self-repetition"] == pytest.approx(math.log(1 + len(set(grams(one, 4)))))


def test_length_and_compression():
    aspect, rows = small(), SETS[1]
    assert values(aspect, "length", "surface", rows)["tokens per text"] == pytest.approx(np.mean([len(aspect.lists[row]) for row in rows]))
    rank = np.random.default_rng(aspect.seed).permutation(aspect.size)
    text = "\n".join(aspect.texts()[row] for row in sorted(rows, key=lambda row: rank[row])).encode()
    assert values(aspect, "compression", "surface", rows)["compression ratio"] == len(text) / len(zlib.compress(text, 6))


@pytest.mark.parametrize("drawn", [1, 3, 42, 55])
def test_expected_types_against_exact_fractions(drawn):
    counts = np.array([40, 0, 9, 5, 2, 1, 1])
    total = int(counts.sum())
    exact = sum(1 - math.comb(total - int(count), drawn) / math.comb(total, drawn) for count in counts)
    assert vocabulary.expected(counts, drawn) == pytest.approx(exact, rel=1e-10)


def test_vocabulary():
    aspect, rows = small(40, seed=3), np.arange(40)
    counts = Counter(token for one in aspect.lists for token in one)
    total = sum(counts.values())
    assert total >= 128

    def v(m):
        return sum(1 - math.comb(total - count, m) / math.comb(total, m) for count in counts.values())

    sizes = [total >> k for k in range(7)]
    found = values(aspect, "vocabulary", "surface", rows)
    assert found["HD-D"] == pytest.approx(v(42) / 42)
    assert found["Heaps exponent"] == pytest.approx(np.polyfit(np.log(sizes), np.log([v(m) for m in sizes]), 1)[0])
    few = values(aspect, "vocabulary", "surface", [0, 1])
    assert math.isnan(few["HD-D"])
    assert math.isnan(few["Heaps exponent"])


# -------------------------------------------------------------------------------------------------------------------- macro


@pytest.mark.parametrize("rows", SETS, ids=len)
def test_spread(rows, monkeypatch):
    monkeypatch.setattr(spread, "AT_ONCE", 7)
    aspect = small()
    x = aspect.unit.data[rows].astype(np.float64)
    pairs = [1 - float(x[i] @ x[j]) for i, j in combinations(range(len(x)), 2)]
    found = values(aspect, "spread", "macro", rows)
    assert found["mean embedding distance"] == pytest.approx(np.mean(pairs))
    kernel = x @ x.T
    total = np.trace(kernel)
    shares = np.linalg.eigvalsh(kernel / total)
    shares = shares[shares > 1e-12]
    assert found["Vendi score"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    m = min(total, x.shape[1])
    best = m * np.log(1 + total / m)
    assert found["log-det distance"] == pytest.approx((best - np.linalg.slogdet(np.eye(len(x)) + kernel)[1]) / m)
    assert found["log-det distance"] >= -1e-3  # the grid of the vectors moves the trace a little


def test_the_most_and_the_least_spread():
    eye = Small([[1]] * 4, np.eye(4), [[]] * 4, np.arange(4))
    assert list(values(eye, "spread", "macro", range(4)).values()) == pytest.approx([1, 4, 0], abs=1e-6)
    same = Small([[1]] * 4, np.ones((4, 4)), [[]] * 4, np.arange(4))
    assert list(values(same, "spread", "macro", range(4)).values())[:2] == pytest.approx([0, 1], abs=1e-3)
    none = Small([[1]] * 4, np.zeros((4, 4)), [[]] * 4, np.arange(4))
    distance, *others = values(none, "spread", "macro", range(4)).values()
    assert distance == 1
    assert all(math.isnan(one) for one in others)


@pytest.mark.parametrize("rows", SETS, ids=len)
def test_neighbourhood(rows, monkeypatch):
    monkeypatch.setattr(neighbourhood, "TALL", 3)
    monkeypatch.setattr(neighbourhood, "WIDE", 7)
    aspect = small()
    x = aspect.unit.data[rows].astype(np.float64)
    s = x @ x.T
    nearest = [max(s[i, j] for j in range(len(x)) if j != i) for i in range(len(x))]
    found = values(aspect, "neighbourhood", "macro", rows)
    assert found["nearest-neighbour distance"] == pytest.approx(np.mean([1 - one for one in nearest]), abs=1e-6)
    assert found["near-duplicate share"] == pytest.approx(np.mean([one >= 0.95 for one in nearest]))
    assert found["DCScore"] == pytest.approx(sum(math.exp(s[i, i]) / sum(math.exp(one) for one in s[i]) for i in range(len(x))), rel=1e-5)


def slow_novelty(aspect: Small, rows) -> list[float]:
    x = aspect.unit.data.astype(np.float64)
    d = np.maximum(0, 1 - x @ x.T)
    crowded, kinds = {}, {tuple(x[other]): other for other in aspect.pool}
    for j in range(len(x)):
        near = sorted(d[j, other] for kind, other in kinds.items() if kind != tuple(x[j]))[:10]
        crowded[j] = 1 / max(np.mean(near), 1e-3)
    novel = []
    for i in rows:
        others = sorted((j for j in rows if j != i), key=lambda j: (round(d[i, j], 9), j))
        weights = [1 / rank for rank in range(1, len(others) + 1)]
        novel.append(sum(w * crowded[j] ** 0.5 * d[i, j] for w, j in zip(weights, others, strict=True)) / sum(weights))
    return novel


@pytest.mark.parametrize("rows", SETS, ids=len)
def test_novelty(rows, monkeypatch):
    monkeypatch.setattr(novelty, "AT_ONCE", 4)
    aspect = small(pool=20)
    found = read(aspect, "novelty", "macro", rows)["NovelSum"]
    assert found.value == pytest.approx(np.mean(slow_novelty(aspect, rows)), rel=1e-4)
    assert found.error is None


def test_a_sample_says_how_far_it_may_be_off(monkeypatch):
    """Over many seeds the mean of the samples is right, and the standard error is their spread."""
    aspect, rows = small(60, seed=5), np.arange(60)
    exact = read(aspect, "novelty", "macro", rows)["NovelSum"].value
    monkeypatch.setattr(novelty, "SAMPLED", 20)
    found = [
        read(Small(aspect.lists, aspect.matrix, aspect.carried, aspect.pool, seed=seed), "novelty", "macro", rows) for seed in range(80)
    ]
    sampled = np.array([one["NovelSum"].value for one in found])
    errors = np.array([one["NovelSum"].error for one in found])
    assert sampled.mean() == pytest.approx(exact, abs=4 * sampled.std() / 80**0.5)
    assert errors.mean() == pytest.approx(sampled.std(), rel=0.25)


def test_a_density_among_a_sample_of_the_pool(monkeypatch):
    monkeypatch.setattr(novelty, "AMONG", 12)
    aspect, rows = small(pool=25), np.arange(20)
    among = np.random.default_rng(0).permutation(aspect.pool)[:12]
    told = Small(aspect.lists, aspect.matrix, aspect.carried, among)
    assert read(aspect, "novelty", "macro", rows)["NovelSum"].value == pytest.approx(np.mean(slow_novelty(told, rows)), rel=1e-4)


@pytest.mark.parametrize("rows", SETS, ids=len)
def test_pool_coverage(rows, monkeypatch):
    monkeypatch.setattr(pool_coverage, "AT_ONCE", 4)
    aspect = small(pool=20)
    x = aspect.unit.data.astype(np.float64)
    covered = [max(0.0, *(float(x[i] @ x[j]) for j in rows)) for i in aspect.pool]
    exact = read(aspect, "pool-coverage", "macro", rows)["pool coverage"]
    assert (exact.value, exact.error) == (pytest.approx(np.mean(covered), rel=1e-5), None)
    monkeypatch.setattr(pool_coverage, "SAMPLED", 8)
    some = read(aspect, "pool-coverage", "macro", rows)["pool coverage"]
    own = np.array(covered)[np.sort(np.random.default_rng(0).permutation(aspect.pool)[:8])]
    assert some.value == pytest.approx(own.mean(), rel=1e-5)
    assert some.error == pytest.approx(own.std(ddof=1) / 8**0.5 * (1 - 8 / 20) ** 0.5, rel=1e-4)


# ---------------------------------------------------------------------------------------------------------- meso, micro, all


@pytest.mark.parametrize("layer", ["macro", "meso", "micro"])
@pytest.mark.parametrize("rows", SETS, ids=len)
def test_type_counts(layer, rows):
    aspect = small()
    counts = Counter(one for row in rows for one in aspect.carried[row])
    total = sum(counts.values())
    p = [count / total for count in counts.values()]
    found = values(aspect, "type-counts", layer, rows)
    effective = math.exp(-sum(one * math.log(one) for one in p))
    wanted = [len(counts), effective, 1 / sum(one**2 for one in p), effective / len(counts), total / len(rows)]
    assert list(found.values()) == pytest.approx(wanted)


def test_rows_without_types():
    aspect = Small([[1]] * 3, np.ones((3, 1)), [[], [], [0, 1]], np.arange(3))
    found = values(aspect, "type-counts", "meso", [0, 1])
    assert (found["types covered"], found["effective types"], found["common types"], found["types per row"]) == (0, 0, 0, 0)
    assert math.isnan(found["evenness"])
    assert values(aspect, "type-pairs", "meso", [0, 1])["type pairs covered"] == 0


@pytest.mark.parametrize("rows", SETS, ids=len)
def test_type_pairs(rows):
    aspect = small()
    wanted = {pair for row in rows for pair in combinations(aspect.carried[row], 2)}
    assert values(aspect, "type-pairs", "meso", rows)["type pairs covered"] == len(wanted)


@pytest.mark.parametrize("rows", SETS, ids=len)
def test_token_bands(rows):
    aspect = small()
    everywhere = Counter(token for one in aspect.lists for token in one)
    aspect = Small(
        aspect.lists, aspect.matrix, aspect.carried, aspect.pool, band=(sorted(everywhere.values())[2], sorted(everywhere.values())[5])
    )
    low, high = aspect.band
    tokens = [token for row in rows for token in aspect.lists[row]]
    counts = Counter(tokens)
    p = [count / len(tokens) for count in counts.values()]
    found = values(aspect, "token-bands", "micro", rows)
    assert found["token entropy"] == pytest.approx(-sum(one * math.log2(one) for one in p))
    inside = [everywhere[token] for token in tokens]
    wanted = [
        np.mean([one < low for one in inside]),
        np.mean([low <= one <= high for one in inside]),
        np.mean([one > high for one in inside]),
    ]
    assert [found[name] for name in ("low-band share", "mid-band share", "high-band share")] == pytest.approx(wanted)


@pytest.mark.parametrize("name", registry.names("measures"))
def test_every_family_keeps_to_its_interface(name):
    """Parameters are the layer alone; a reading does not change what the next one says, and does not depend on other rows."""
    family = registry.find("measures", name)
    assert [field.name for field in fields(family)] == ["layer"]
    assert {scale.direction for scale in family.scales} <= {-1, 0, 1}
    aspect = small()
    for layer in family.layers:
        prepared = family(layer=layer).over(aspect)
        first = [[one.value for one in prepared(rows)] for rows in SETS]
        again = [[one.value for one in prepared(rows)] for rows in reversed(SETS)][::-1]
        alone = [[one.value for one in family(layer=layer).over(aspect)(rows)] for rows in SETS]
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(first, alone)
        assert not any(scale.judged and scale.direction == 0 for scale in family.scales)


def test_shared_counts_what_no_other_text_holds():
    tokens = small().tokens()
    texts = small().lists
    for length, one in zip((1, 2), kernels.shared(tokens, 2), strict=True):
        sets = [set(grams(text, length)) for text in texts]
        own = [len(mine - set().union(*(other for at, other in enumerate(sets) if at != place))) for place, mine in enumerate(sets)]
        assert one.alone.tolist() == own

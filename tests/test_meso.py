"""The meso layer: what becomes a tag, what is folded, dropped and merged, and what a person can edit."""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from selector.core import Room, Texts
from selector.errors import InputError, RecipeError, UnknownName, unknown
from selector.layers.meso import Meso
from selector.layers.taggers import from_arrays, from_lists, vocabulary
from selector.layers.taggers.language import detect, load


class Kept:
    """A store in memory that counts what it had to make."""

    def __init__(self):
        self.made: dict[str, dict] = {}
        self.asked = Counter()

    def arrays(self, kind, key, make):
        name = kind + json.dumps(key, sort_keys=True)
        if name not in self.made:
            self.asked[kind] += 1
            self.made[name] = make()
        return self.made[name]

    def journal(self, kind, key):
        return None


def room():
    return Room(Kept())


def texts(strings, **columns):
    def column(name):
        if name not in columns:
            raise unknown("column", name, columns)
        value = columns[name]
        return value if isinstance(value, pa.ChunkedArray) else pa.chunked_array([pa.array(value)])

    return Texts(list(strings), "instruction", str(hash(tuple(strings))), column)


THINGS = ["solar panel", "meal plan", "stock market", "neural network", "coral reef", "chess club"]
ENGLISH = [
    template.format(thing)
    for thing in THINGS
    for template in (
        "Write a poem about the {0} and its friends.",
        "Summarize the article below.\n\nThe {0} was in the news because of the weather.",
        "Could you explain to me how a {0} works?",
        "Create a Python program that prints the price of each {0}.",
        "What do people say about the {0} in your town?",
    )
]


def tags_of(meso, pool):
    tags = meso.tags(pool, room())
    return [tags.of(row) for row in range(tags.size)]


def test_english_tags_are_topics_and_tasks():
    found = tags_of(Meso(language="en"), texts(ENGLISH))
    for row, text in enumerate(ENGLISH):
        thing = next(thing for thing in THINGS if thing in text)
        assert thing in found[row], (text, found[row])
    assert "poem writing" in found[0]
    assert "summarization" in found[1]
    assert any(tag.startswith("python") for tag in found[3])
    flat = {tag for row in found for tag in row}
    assert not flat & {"the", "write", "create", "explain", "below", "about", "prints", "works"}
    assert max(map(len, found)) <= 4


def test_no_two_tags_of_a_text_share_a_word():
    for row in tags_of(Meso(language="en"), texts(ENGLISH)):
        words = [word for tag in row for word in tag.split()]
        assert len(words) == len(set(words)), row


def test_both_views_agree_and_share_one_tagging():
    pool, here, meso = texts([*ENGLISH, "", "???"]), room(), Meso(language="en", similarity="cosine")
    types, vectors = meso.types(pool, here), meso.vectors(pool, here)
    assert here.store.asked == {"tags": 1, "tag-vocabulary": 1}
    assert (types.incidence != 0).astype(int).sum() == vectors.data.nnz == types.incidence.nnz
    assert types.incidence.has_sorted_indices
    assert set(types.incidence.data) == {1.0}
    assert len(types.names) == types.incidence.shape[1] == len(set(types.names))
    norms = np.sqrt(np.asarray(vectors.data.multiply(vectors.data).sum(axis=1)).ravel())
    tagged = np.diff(types.incidence.indptr) > 0
    assert np.allclose(norms[tagged], 1, atol=1e-6)
    assert not norms[~tagged].any()
    assert not tagged[-2:].any()
    assert types.facts["texts_without_tags"] == int((~tagged).sum())
    assert json.loads(json.dumps(dict(types.facts)))["min_count"] == 1


def test_tf_idf_by_its_formula():
    pool = texts(["x"] * 4, topic=[["a", "b"], ["a"], ["b", "c"], []])
    idf = np.log(5 / np.array([2, 2, 1]))
    want = np.array([[idf[0], idf[1], 0], [idf[0], 0, 0], [0, idf[1], idf[2]], [0, 0, 0]])
    unit = want / np.maximum(np.linalg.norm(want, axis=1, keepdims=True), 1e-9)
    for similarity, expected in (("overlap", np.sqrt(want)), ("cosine", unit)):
        found = Meso(tagger="column:topic", merge=0, language="en", similarity=similarity).vectors(pool, room())
        assert np.allclose(found.data.toarray(), expected, atol=1e-6)
        assert found.facts["similarity"] == similarity
    with pytest.raises(RecipeError, match="meso layer: the similarity is 'dot'"):
        Meso(similarity="dot")


def test_same_tags_for_the_same_pool_twice_and_any_store():
    first, second = (Meso(language="en").tags(texts(ENGLISH), room()) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    again = from_arrays(first.to_arrays())
    assert again.fingerprint == first.fingerprint
    assert dict(again.facts) == dict(first.facts)


def test_template_sentences_fill_one_place_of_four():
    opening = "The village hospital wants answers about heart surgery from the blood donation archive."
    ills = ["knee pain", "high fever", "skin rash", "back pain", "ear infection", "heart attack"]
    pool = [f"{opening}\n\nDoctor, there was {a} and {b} after the long journey." for a in ills for b in ills if a != b]
    other = [
        f"Tell me about {one} in old {place}." for one in ("castles", "bridges", "gardens") for place in ("Rome", "Athens", "Cairo")
    ] * 3
    found = tags_of(Meso(language="en"), texts([*pool, *other]))
    for text, row in zip(pool, found, strict=False):
        assert sum(all(word in opening.lower() for word in tag.split()) for tag in row) <= 1, (text, row)
        assert any(word in tag for tag in row for ill in ills if ill in text for word in ill.split()), (text, row)


def test_code_links_and_markup_are_no_tags():
    code = "\n\ndef frobnicate(value):\n    return value_list[0] + getName(value)\n<div class='wrapper'>https://www.example.com/frob</div>"
    pool = [f"Write a function that sorts the {thing} list.{code}" for thing in ("apple", "pear", "plum", "grape")] * 6
    flat = {tag for row in tags_of(Meso(language="en", min_count=2), texts(pool)) for tag in row}
    assert flat
    assert not {word for tag in flat for word in tag.split()} & {
        "frobnicate",
        "getname",
        "return",
        "wrapper",
        "div",
        "https",
        "value_list",
        "frob",
    }


def test_a_text_that_is_all_code_is_tagged_by_what_it_names():
    pool = ["def binary_search(rows):\n    # look through a sorted array\n    return rows[0]", "```python\nx = 1\n```"] * 5
    found = tags_of(Meso(language="en"), texts(pool))
    assert any("binary" in tag for tag in found[0])
    assert any("array" in tag for tag in found[0])
    assert found[1] == ["python"]


@pytest.mark.parametrize(
    ("code", "sentences", "wanted"),
    [
        ("zh", ["请写一首关于{}的诗。", "今天我们来讨论{}的历史。", "为什么人们喜欢{}？"], ["春天", "北京", "音乐", "足球"]),
        ("ja", ["{}の歴史について教えてください。", "なぜ人々は{}が好きですか？"], ["東京", "音楽", "野球", "大学"]),
        (
            "fi",
            ["Kirjoita runo aiheesta {} ja kerro miksi se on kaunis.", "Miksi {} on niin tärkeä asia meille?"],
            ["kevät", "järvi", "metsä"],
        ),
        ("th", ["ช่วยเขียนเกี่ยวกับ {} ให้หน่อย", "ทำไมคนถึงชอบ {} มาก"], ["ประเทศไทย", "อาหาร"]),
    ],
)
def test_any_language(code, sentences, wanted):
    pool = [sentence.format(word) for word in wanted for sentence in sentences] * 3
    assert detect(pool) == code
    found = tags_of(Meso(), texts(pool))
    for text, row in zip(pool, found, strict=True):
        thing = next(word for word in wanted if word in text)
        assert any(thing in tag or tag in thing for tag in row), (text, row)


def test_language_of_mixed_pools_and_unknown_codes():
    chinese = ["请写一首关于春天的诗。"] * 40
    assert detect([*ENGLISH, *ENGLISH, *chinese]) == "en+zh"
    assert detect(["", "12 34"]) == "en"
    with pytest.raises(UnknownName, match="language"):
        load("xx")


@pytest.mark.parametrize(
    "strings", [[], [""], ["a"], ["!"] * 30, ["same words here"] * 30, ["\ud800 broken surrogate poem"] * 3, ["word " * 30_000]]
)
def test_odd_pools(strings):
    types = Meso(language="en").types(texts(strings), room())
    assert types.incidence.shape[0] == len(strings)
    assert np.array_equal(np.diff(types.incidence.indptr)[1:], np.diff(types.incidence.indptr)[:-1])  # copies carry the same tags


def test_long_texts_are_cut_and_counted():
    types = Meso(language="en", characters=50).types(texts(["volcano eruption. " * 10, "volcano eruption today"]), room())
    assert types.facts["texts_cut"] == 1
    assert types.facts["characters_read"] == 50


# ------------------------------------------------------------------------------------------------------------ InsTag steps

EN = load("en")


def settled(lists, min_count=1, merge=0.0):
    tags = vocabulary.settle(from_lists(lists), EN, min_count, merge, room())
    return [sorted(tags.of(row)) for row in range(tags.size)], tags


def test_forms_fold_and_the_commonest_is_shown():
    rows, tags = settled([["Word Problems"], ["word problem"], ["word-problem"], ["Word Problems", "word_problem"], ["Word problems"]])
    assert rows == [["word problems"]] * 5
    assert tags.facts["tags_found"] == 5
    assert tags.facts["tags_after_folding"] == 1


def test_words_of_one_stem_stay_apart():
    rows, _ = settled([["engine"], ["engineer"], ["colon"], ["colonies"]])
    assert rows == [["engine"], ["engineer"], ["colon"], ["colonies"]]


def test_other_languages_fold_by_their_stemmer():
    german = load("de")
    assert vocabulary.fold("Häuser", german) == vocabulary.fold("Haus", german)


def test_rare_tags_go():
    rows, tags = settled([["a", "b"], ["a"], ["a", "c"], ["c"]], min_count=2)
    assert rows == [["a"], ["a"], ["a", "c"], ["c"]]
    assert (tags.facts["tags_after_folding"], tags.facts["tags_frequent"]) == (3, 2)


def test_synonyms_merge_under_the_more_frequent():
    rows, tags = settled([["movie review"]] * 3 + [["film review"]] * 2 + [["poem"], ["mother"], ["mother"], ["mom"]], merge=0.7)
    assert rows == [["movie review"]] * 5 + [["poem"]] + [["mother"]] * 3
    assert tags.facts["merged"] == {"movie review": ["film review"], "mother": ["mom"]}
    assert tags.facts["tags_merged_away"] == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("positive review", "negative review"), ("python function", "java function"), ("wizard", "lizard"), ("car", "carl"),
        ("grade 3", "grade 4"), ("increase", "decrease"), ("machine learning", "deep learning"),
    ],
)  # fmt: skip
def test_what_never_merges(one, other):
    rows, _ = settled([[one], [one], [other]], merge=0.6)
    assert rows == [[one], [one], [other]]


def test_tags_that_meet_in_texts_never_merge():
    rows, _ = settled([["movie", "film"], ["movie"], ["film"], ["movie"]], merge=0.7)
    assert rows[0] == ["film", "movie"]


def test_every_member_is_near_its_leader_and_tiles_change_nothing(monkeypatch):
    from selector.encoders import load as encoder
    from selector.layers.taggers import synonyms

    words = ["mother", "mom", "father", "dad", "film", "movie", "photo", "picture", "color", "colour", "cost", "price", "car", "vehicle"]
    lists = [[word] for at, word in enumerate(words) for _ in range(at % 5 + 1)]
    _, whole = settled(lists, merge=0.6)
    monkeypatch.setattr(synonyms, "_TILE", 4)
    _, tiled = settled(lists, merge=0.6)
    assert tiled.fingerprint == whole.fingerprint
    merged = whole.facts["merged"]
    assert sum(map(len, merged.values())) >= 4
    static = encoder("static")
    for name, members in merged.items():
        vectors = static.encode([name, *members], room()).astype(float)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        assert (vectors[1:] @ vectors[0] >= 0.6 - 1e-4).all()


def test_no_chain_joins_what_is_far_apart(monkeypatch):
    angles = {"one": 0.0, "two": 0.6, "three": 1.2}  # neighbours 0.83 alike, the ends 0.36

    class Static:
        tokenizer = type("T", (), {"encode": lambda self, text, add_special_tokens: type("E", (), {"ids": [0]})()})()

        def encode(self, strings, room):
            return np.array([[np.cos(angles[one]), np.sin(angles[one])] for one in strings], np.float32)

    monkeypatch.setattr("selector.encoders.load", lambda name: Static())
    rows, _ = settled([["one"]] * 3 + [["two"]] * 2 + [["three"]], merge=0.7)
    assert rows == [["one"]] * 5 + [["three"]]
    rows, _ = settled([["two"]] * 3 + [["one"]] * 2 + [["three"]], merge=0.7)
    assert rows == [["two"]] * 6


def test_the_threshold_scales():
    assert [vocabulary.fewest(n) for n in (0, 20, 99, 100, 4_000, 117_654, 1_000_000)] == [1, 1, 1, 2, 2, 4, 12]


# -------------------------------------------------------------------------------------------------------------- vocabulary


def written(path, meso, pool, here):
    table = meso.vocabulary_table(pool, here)
    vocabulary.write(table, path)
    return table


def test_the_vocabulary_goes_out_and_comes_back(tmp_path):
    pool, here, file = texts(ENGLISH), room(), tmp_path / "tags.csv"
    meso = Meso(language="en", merge=0.6)
    table = written(file, meso, pool, here)
    assert table.column_names == ["tag", "count", "merged"]
    assert table["count"].to_pylist() == sorted(table["count"].to_pylist(), reverse=True)
    before, after = meso.tags(pool, here), Meso(language="en", vocabulary=str(file)).tags(pool, here)
    assert [sorted(before.of(row)) for row in range(before.size)] == [sorted(after.of(row)) for row in range(after.size)]
    assert Meso(language="en", vocabulary=str(file)).vocabulary_table(pool, here)["count"].to_pylist() == table["count"].to_pylist()


def test_edits_take_effect(tmp_path):
    pool = texts(["x"] * 5, topic=["poems; sql", "verse; sql", "Poem", "cooking", "sql, cte"])
    meso, here, file = Meso(tagger="column:topic", language="en", merge=0), room(), tmp_path / "tags.csv"
    written(file, meso, pool, here)
    lines = list(csv.DictReader(file.open(encoding="utf-8")))
    kept = [line for line in lines if line["tag"] not in ("cooking", "verse")]
    next(line for line in kept if line["tag"].startswith("poem"))["merged"] = "verse|ode"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["tag", "count", "merged"])
        writer.writeheader()
        writer.writerows(kept)
    tags = Meso(tagger="column:topic", language="en", vocabulary=str(file)).tags(pool, here)
    poem = next(line["tag"] for line in kept if line["tag"].startswith("poem"))
    assert [sorted(tags.of(row)) for row in range(4)] == [[poem, "sql"], [poem, "sql"], [poem], []]
    assert tags.facts["occurrences_not_in_vocabulary"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,count\nx,1\n", "column 'tag'"), (b"", "column 'tag'"), (b"tag,count,merged\n", "holds no tags"),
        (b"tag,count,merged\npoem,1,verse\nrhyme,1,Verses\n", "two tags.*line 2.*line 3"), (b"\xff\xfe\x00", "cannot be read"),
    ],
)  # fmt: skip
def test_bad_vocabulary_files(tmp_path, content, message):
    file = tmp_path / "tags.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Meso(vocabulary=str(file), language="en").tags(texts(ENGLISH), room())
    with pytest.raises(InputError, match="cannot be read"):
        Meso(vocabulary=str(Path(tmp_path / "none.csv")), language="en").tags(texts(ENGLISH), room())


# ------------------------------------------------------------------------------------------------------------------ column


@pytest.mark.parametrize(
    ("cells", "how"),
    [
        ([["sql", " Joins "], [], None], "list"),
        (["sql; joins", "", None], "text between ';'"),
        (["sql, joins", "", None], "text between ','"),
        (["sql|joins", None, " "], "text between '|'"),
        (['["sql", "joins"]', "", None], "JSON list"),
        (pa.chunked_array([pa.array(["sql; joins", "", None]).dictionary_encode()]), "text between ';'"),
    ],
)
def test_column_formats(cells, how):
    tags = Meso(tagger="column:topic", language="en").tags(texts(["a", "b", "c"], topic=cells), room())
    assert [sorted(tags.of(row)) for row in range(3)] == [["joins", "sql"], [], []]
    assert tags.facts["written_as"] == how
    assert tags.facts["texts_without_tags"] == 2


def test_one_comma_among_semicolons_is_no_delimiter():
    tags = Meso(tagger="column:topic", language="en").tags(texts(["a", "b"], topic=["red, green; blue", "blue; red"]), room())
    assert sorted(tags.of(0)) == ["blue", "red green"]


def test_bad_columns():
    with pytest.raises(UnknownName, match="Did you mean 'topic'"):
        Meso(tagger="column:topik").tags(texts(["a"], topic=[["x"]]), room())
    with pytest.raises(InputError, match="double"):
        Meso(tagger="column:topic").tags(texts(["a"], topic=[1.5]), room())
    with pytest.raises(InputError, match="row 1"):
        Meso(tagger="column:topic").tags(texts(["a", "b"], topic=['["x"]', "[broken"]), room())


def test_a_changed_column_is_not_answered_from_the_store():
    here, strings = room(), ["a", "b"]
    first = Meso(tagger="column:topic", language="en").tags(texts(strings, topic=["x", "y"]), here)
    second = Meso(tagger="column:topic", language="en").tags(texts(strings, topic=["x", "z"]), here)
    assert first.of(1) != second.of(1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tagger": "keyphrases"}, "Did you mean 'keyphrase'"), ({"tagger": "column:"}, "no tagger"), ({"min_count": 0}, "min_count"),
        ({"min_count": "many"}, "min_count"), ({"merge": 1.5}, "merge"), ({"tags_per_text": 0}, "tags_per_text"),
        ({"tagger": "llm"}, "model"), ({"max_cost": 1.0}, "prompt_price"),
    ],
)  # fmt: skip
def test_bad_parameters(fields, message):
    with pytest.raises(RecipeError, match=message):
        Meso(**fields)


def test_a_larger_pool_keeps_tags_that_recur_only():
    rng = random.Random(0)
    names = [a + b for a in ("zor", "kal", "mip", "tev", "dun") for b in ("gate", "pond", "wick", "ford")]
    strings = [f"Describe the {rng.choice(names)} and the {rng.choice(names)} near serial{i}xyz town." for i in range(400)]
    tags = Meso(language="en", min_count=5).tags(texts(strings), room())
    counts = np.bincount(tags.indices, minlength=len(tags.names))
    assert counts.min() >= 5
    assert sum(name in tags.names for name in names) >= 18

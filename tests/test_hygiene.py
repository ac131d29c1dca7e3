import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import duplicates, hygiene, tokenizers
from selector.core import Room
from selector.errors import InputError, MemoryForecast, RecipeError
from selector.hygiene import Dropped, Hygiene, clean, counts
from selector.normal import normalise

from .test_tokenizers import Memory, texts


def cleaned(pairs, first=None, room=None, **keys):
    instructions, responses = [a for a, _ in pairs], [b for _, b in pairs]
    room = room or Room(Memory())
    marks = None if first is None else np.isin(np.arange(len(pairs)), first)
    return clean(texts(instructions, "instruction"), texts(responses, "response"), Hygiene(**keys), room, first=marks)


def shingles(pair):
    text = f"{normalise(pair[0])}\n{normalise(pair[1])}"
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


def slow_near(pairs, threshold, first=()):
    """Each dropped row with the lowest earlier kept row it repeats, and the similarity; the marked rows come first."""
    order = [*first, *(i for i in range(len(pairs)) if i not in first)]
    sets, kept, found = [shingles(pair) for pair in pairs], [], {}
    normal = [tuple(map(normalise, pair)) for pair in pairs]
    exact = {}
    survivors = []
    for i in order:
        original = exact.setdefault(normal[i], i)
        if original == i or i in first:
            survivors.append(i)
        else:
            found[i] = (original, None)
    for i in survivors:
        for j in kept if i not in first else ():
            similarity = len(sets[i] & sets[j]) / len(sets[i] | sets[j])
            if similarity >= threshold:
                found[i] = (j, similarity)
                break
        else:
            kept.append(i)
    return found


@st.composite
def pools(draw):
    """Pairs that are edits of few texts, so that similarities of every size occur, exact thresholds among them."""
    base = draw(st.lists(st.text("abcdeäß人工 ", min_size=0, max_size=40), min_size=1, max_size=4))
    rows = []
    for _ in range(draw(st.integers(1, 14))):
        text = draw(st.sampled_from(base))
        at, cut = draw(st.integers(0, len(text))), draw(st.integers(0, 6))
        rows.append((draw(st.sampled_from(["q", "another q"])), text[:at] + draw(st.sampled_from(["", "x", "zz", "A"])) + text[at + cut :]))
    return rows


@settings(deadline=None, max_examples=150)
@given(pools(), st.sampled_from([0.2, 0.5, 0.6, 2 / 3, 0.75, 0.8, 0.9, 0.95, 1.0]), st.data())
def test_near_duplicates_equal_brute_force(pairs, threshold, data):
    first = sorted(data.draw(st.sets(st.integers(0, len(pairs) - 1), max_size=3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 4)  # smaller than the pool
        patch.setattr(duplicates, "_BUCKETS", data.draw(st.sampled_from([1, 64, 1 << 16])))  # how frequent a shingle seems decides nothing
        kept, dropped = cleaned(pairs, first, dedup=f"near:{threshold!r}", unusable="keep")
    expected = slow_near(pairs, threshold, first)
    assert {one.position: one.original for one in dropped} == {i: original for i, (original, _) in expected.items()}
    assert kept.tolist() == [i for i in range(len(pairs)) if i not in expected]
    for one in dropped:
        similarity = expected[one.position][1]
        number = (
            sum(i in first for i in range(one.original)) if one.original in first else one.original - sum(i < one.original for i in first)
        )
        if one.original in first:
            assert one.reason == "already-kept"
            assert one.detail.endswith(f"kept row {number}")
        else:
            assert one.reason == ("exact-duplicate" if similarity is None else "near-duplicate")
            assert one.detail.endswith(f" row {number}")
        assert one.detail.startswith("equal to" if similarity is None else f"similarity {similarity:.4f} to")


def test_near_duplicates_in_a_longer_pool_for_any_thread_count():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(40)]
    pairs = []
    for i in range(300):
        line = list(rng.choice(words, 12)) if i < 60 else pairs[int(rng.integers(60))][1].split()
        line[int(rng.integers(len(line)))] = str(rng.choice(words))
        pairs.append(("say", " ".join(line)))
    for threshold in (0.5, 0.8):
        expected = slow_near(pairs, threshold)
        assert 50 < len(expected) < 295
        for threads in (1, 0):
            _, dropped = cleaned(pairs, dedup=f"near:{threshold}", room=Room(Memory(), threads=threads))
            assert {one.position: one.original for one in dropped} == {i: original for i, (original, _) in expected.items()}


def test_a_dropped_row_is_nobody_s_original():
    # 1 is near 0, 2 is near 1 but not near 0: since 1 goes, 2 stays
    pairs = [("q", "abcdefghijklmnopqrstuvwxyz"), ("q", "abcdefghijklmnopqrstuvw123"), ("q", "456defghijklmnopqrstuvw123")]
    similar = [
        len(shingles(pairs[a]) & shingles(pairs[b])) / len(shingles(pairs[a]) | shingles(pairs[b])) for a, b in [(0, 1), (1, 2), (0, 2)]
    ]
    assert min(similar[:2]) > 0.6 > similar[2]
    kept, dropped = cleaned(pairs, dedup="near:0.6")
    assert kept.tolist() == [0, 2]
    assert [(one.position, one.original) for one in dropped] == [(1, 0)]


def test_exact_duplicates_are_the_same_normal_pair():
    pairs = [("Hi  there", "ÄITI"), ("hi there ", "a\u0308iti"), ("hi", "there äiti"), ("hi there", "äiti!"), ("ｈｉ there", "äiti")]
    kept, dropped = cleaned(pairs)
    assert kept.tolist() == [0, 2, 3]
    assert kept.dtype == np.int64
    assert dropped == [
        Dropped(1, "exact-duplicate", "equal to row 0", 0),
        Dropped(4, "exact-duplicate", "equal to row 0", 0),
    ]
    assert cleaned(pairs, dedup="off")[1] == []


def test_kept_rows_come_first_and_are_never_dropped():
    pairs = [("a", "x"), ("b", "y"), ("a", "x"), ("a", "x"), ("b", "y"), ("", "")]
    kept, dropped = cleaned(pairs, first=[2, 3, 5], max_response_tokens=0, unusable="keep", dedup="exact")
    assert kept.tolist() == [2, 3, 5]
    kept, dropped = cleaned(pairs, first=[2, 3, 5])
    assert kept.tolist() == [1, 2, 3, 5]
    assert dropped == [
        Dropped(0, "already-kept", "equal to kept row 0", 2),
        Dropped(4, "exact-duplicate", "equal to row 1", 1),  # pool rows are counted without the kept ones
    ]


def test_blank_sides():
    pairs = [("q", " \n\u3000"), ("\u200b\ufeff\x00", "a"), ("", ""), ("q", "\u0301"), ("q", "a")]
    kept, dropped = cleaned(pairs)
    assert kept.tolist() == [3, 4]
    assert [one.reason for one in dropped] == ["blank-response", "blank-instruction", "blank-instruction"]
    assert cleaned(pairs, unusable="keep")[0].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match=r"row 0 of the pool has a blank response.*set unusable to 'drop'"):
        cleaned(pairs, unusable="error")
    assert cleaned(pairs[3:], unusable="error")[0].tolist() == [0, 1]


def test_token_limits_are_inclusive_and_each_side_has_its_own():
    backend = tokenizers.load().backend
    pairs = [("a b c", "x " * n + "y") for n in range(6)]
    lengths = [len(backend.encode(b, add_special_tokens=False).ids) for _, b in pairs]
    kept, dropped = cleaned(pairs, min_response_tokens=lengths[1], max_response_tokens=lengths[4])
    assert kept.tolist() == [i for i in range(6) if lengths[1] <= lengths[i] <= lengths[4]] == [1, 2, 3, 4]
    assert [(one.position, one.reason) for one in dropped] == [(0, "response-too-short"), (5, "response-too-long")]
    assert dropped[0].detail == f"1 token, at least {lengths[1]} wanted"
    assert cleaned(pairs, max_instruction_tokens=2)[0].tolist() == []
    assert counts(cleaned(pairs, max_instruction_tokens=2)[1]) == {"instruction-too-long": 6}


def test_a_row_has_the_first_reason_that_applies_and_is_then_no_original():
    pairs = [("", "long " * 50), ("q", "long " * 50), ("q", "short"), ("q", "short"), ("q", "LONG " * 50)]
    kept, dropped = cleaned(pairs, max_response_tokens=5, dedup="near:0.9")
    assert kept.tolist() == [2]
    assert [one.reason for one in dropped] == ["blank-instruction", "response-too-long", "exact-duplicate", "response-too-long"]
    assert counts(dropped) == {"response-too-long": 2, "blank-instruction": 1, "exact-duplicate": 1}


def test_no_rows_one_row_and_all_rows_equal():
    for dedup in ("exact", "near:0.9", "off"):
        assert cleaned([], dedup=dedup)[0].tolist() == []
        assert cleaned([("a", "b")], dedup=dedup)[0].tolist() == [0]
        assert len(cleaned([("a", "b")] * 7, dedup=dedup)[0]) == (7 if dedup == "off" else 1)
    assert cleaned([("", "")] * 3, dedup="near:0.9")[0].tolist() == []


def test_odd_characters_do_not_crash():
    pairs = [("\ud800", "\x00"), ("\ud800 ", "\x00a"), ("x" * 100_000, "y"), ("x" * 100_000, "y ")]
    kept, _ = cleaned(pairs, dedup="near:0.99", unusable="keep", min_response_tokens=0)
    assert kept.tolist() == [0, 1, 2]


def test_near_duplicates_that_do_not_fit_are_refused_before_they_start():
    with pytest.raises(MemoryForecast, match=r"near duplicates at 0\.9 among 2 rows need about 128 MiB; the memory option leaves 1 MiB"):
        cleaned([("a", "b"), ("c", "d")], dedup="near:0.9", room=Room(Memory(), memory=1000))


@pytest.mark.parametrize(
    "dedup", ["", "near", "near:", "near:0", "near:1.1", "near:-1", "near:nan", "near:inf", "fuzzy", "exact:1", 0.9, None]
)
def test_a_dedup_that_means_nothing(dedup):
    with pytest.raises(RecipeError, match=r"Write for instance near:0\.95"):
        Hygiene(dedup=dedup)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"min_response_tokens": 9, "max_response_tokens": 8}, "min_response_tokens is 9 and max_response_tokens is 8"),
        ({"min_instruction_tokens": -1}, "min_instruction_tokens must be a whole number"),
        ({"max_instruction_tokens": 2.5}, "max_instruction_tokens must be a whole number"),
        ({"max_response_tokens": True}, "max_response_tokens must be a whole number"),
        ({"unusable": "skip"}, "unusable must be one of drop, keep, error"),
    ],
)
def test_limits_that_contradict_themselves(keys, message):
    with pytest.raises(RecipeError, match=message):
        Hygiene(**keys)


def test_progress_is_reported(monkeypatch):
    monkeypatch.setattr(hygiene, "_STEP", 2)
    seen = []
    cleaned([("a", "bcdefg"), ("b", "cdefgh"), ("c", "xyz")], dedup="near:0.9", room=Room(Memory(), lambda *fact: seen.append(fact)))
    assert ("exact duplicates", 2, 3) in seen
    assert ("exact duplicates", 3, 3) in seen
    assert ("near duplicates", 3, 3) in seen


@given(st.text(max_size=12))
@settings(deadline=None, max_examples=400)
def test_the_normal_form_is_a_fixed_point(text):
    assert normalise(normalise(text)) == normalise(text)
    assert "\n" not in normalise(text)

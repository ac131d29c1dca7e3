"""Phrases of a pool that may become tags, with the counts that decide which of them do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selector.layers.taggers import english
from selector.layers.taggers.language import Language, unspaced
from selector.layers.taggers.words import Words

_LONGEST = 3  # words of a phrase
_BITS = 21  # of a folded word's number: three of them are one 63-bit key


@dataclass(frozen=True)
class Candidates:
    """c pairs of a text and a phrase in it, by text; and what is known of each of the p phrases."""

    row: NDArray[np.int32]  # (c,) the text, ascending
    phrase: NDArray[np.int32]  # (c,) which phrase
    times: NDArray[np.int32]  # (c,) how often it is in the text
    early: NDArray[np.bool_]  # (c,) whether it is in the first sentence
    copies: NDArray[np.int32]  # (c,) fewest texts that share a sentence it comes from
    names: list[str]  # (p,) its commonest written form
    stems: NDArray[np.int32]  # (p, 3) numbers of its folded words; -1 where it is shorter
    texts: NDArray[np.int64]  # (p,) texts that hold it
    cohesion: NDArray[np.float64]  # (p,) normalised pointwise mutual information of its words, 0..1; 0 for one word
    noun: NDArray[np.float64]  # (p,) 0..1 how much its last word behaves like a noun; 1 where that is not known
    vague: NDArray[np.bool_]  # (p,) too empty a word to stand alone
    task: NDArray[np.bool_]  # (p,) made from what an instruction asks to do

    def take(self, kept: NDArray[np.bool_]) -> Candidates:
        """The pairs that are kept; phrases keep their numbers."""
        return replace(
            self, row=self.row[kept], phrase=self.phrase[kept], times=self.times[kept], early=self.early[kept], copies=self.copies[kept]
        )


def candidates(words: Words, size: int, min_count: int, language: Language) -> Candidates:
    """All phrases of one to three neighbouring words that are in at least `min_count` texts, and tasks likewise.

    A phrase crosses no stop word and no mark. About 60 bytes a word while it counts.
    """
    folded, stem_of = _folded(words, language)
    stem = stem_of[words.form]  # (m,) -1: a stop word or a break
    noun = _nouns(words, stem, len(folded), language)
    row_parts, key_parts, at_parts = [], [], []
    for length in range(1, _LONGEST + 1):
        at = _runs(stem, words.sentence, length)
        key = np.zeros(len(at), np.int64)
        for step in range(_LONGEST):
            key = (key << _BITS) | (stem[at + step].astype(np.int64) + 1 if step < length else 0)
        key_parts.append(key)
        row_parts.append(words.row[at])
        at_parts.append(at.astype(np.int32))
    key, row, at = np.concatenate(key_parts), np.concatenate(row_parts), np.concatenate(at_parts)
    keys, phrase, tokens = np.unique(key, return_inverse=True, return_counts=True)
    frequent = tokens >= min_count
    kept = frequent[phrase]
    row, at, phrase = row[kept], at[kept], (np.cumsum(frequent) - 1)[phrase[kept]].astype(np.int32)
    keys, tokens = keys[frequent], tokens[frequent]
    stems = np.stack([((keys >> (_BITS * (_LONGEST - 1 - step))) & ((1 << _BITS) - 1)) - 1 for step in range(_LONGEST)], 1).astype(np.int32)
    names = _names(words, at, phrase, stems)
    at_length = (stems >= 0).sum(axis=1)
    last = stems[np.arange(len(keys)), at_length - 1]
    lone = np.zeros(len(folded), bool)
    lone[[number for number, one in enumerate(folded) if one in _vague(language) or (len(one) < 2 and not unspaced(one))]] = True
    heads = noun[last] if len(folded) else np.empty(0)
    made = Candidates(
        row, phrase, np.ones(len(row), np.int32), _first(words)[at], words.copies[at], names, stems, np.zeros(len(keys), np.int64),
        _cohesion(stems, tokens, at_length), heads, lone[np.where(stems >= 0, stems, last[:, None])].all(axis=1), np.zeros(len(keys), bool),
    )  # fmt: skip
    return _counted(_with_tasks(made, words, stem, folded, language), min_count)


def _folded(words: Words, language: Language) -> tuple[list[str], NDArray[np.int32]]:
    """The distinct folded words, and for each form its number among them or -1."""
    ids: dict[str, int] = {}
    number = np.full(len(words.forms), -1, np.int32)
    counts = np.bincount(words.form, minlength=len(words.forms))
    usable = np.flatnonzero(words.word & ~words.stop)
    # Where there are more than two million folded words, the rarest forms are left out: they recur nowhere.
    for form in usable[np.argsort(-counts[usable], kind="stable")]:
        folded = language.fold(words.forms[form])
        if folded in ids or len(ids) < (1 << _BITS) - 2:
            number[form] = ids.setdefault(folded, len(ids))
    return list(ids), number


def _runs(stem: NDArray[np.int32], sentence: NDArray[np.int32], length: int) -> NDArray[np.int64]:
    """Where `length` neighbouring words stand in one sentence without a stop word or break among them."""
    if len(stem) < length:
        return np.empty(0, np.int64)
    end = len(stem) - length + 1
    whole = sentence[:end] == sentence[length - 1 :]
    for step in range(length):
        whole &= stem[step : step + end] >= 0
    return np.flatnonzero(whole)


def _first(words: Words) -> NDArray[np.bool_]:
    """(m,) whether the token is in the first sentence of its text."""
    if not len(words.row):
        return np.empty(0, bool)
    opening = np.zeros(int(words.row.max()) + 1, np.int32)
    starts = np.flatnonzero(np.concatenate([[True], words.row[1:] != words.row[:-1]]))
    opening[words.row[starts]] = words.sentence[starts]
    return words.sentence == opening[words.row]


def _nouns(words: Words, stem: NDArray[np.int32], size: int, language: Language) -> NDArray[np.float64]:
    """(size,) share of a word's places that do not look like a verb's: not after 'to' or 'can', not before 'the' or 'it'.

    Only for English; 1 elsewhere. Five imagined places, half of them a verb's, settle words that are rarely seen.
    """
    if not language.english or not len(stem):
        return np.ones(size)
    after = np.array([one in english.VERB_SIGNS for one in words.forms])[words.form]
    before = np.array([one in english.OBJECT_SIGNS for one in words.forms])[words.form]
    verb = np.zeros(len(stem), bool)
    verb[1:] = after[:-1]
    verb[:-1] |= before[1:] & (words.sentence[1:] == words.sentence[:-1])
    verb |= (words.place == 0) & np.concatenate([(words.place[1:] > 0) & (stem[1:] < 0), [False]])
    inside = stem >= 0
    seen = np.bincount(stem[inside], minlength=size)
    verbs = np.bincount(stem[inside & verb], minlength=size)
    share = (verbs + 1.0) / (seen + 5.0)
    return np.clip(1.0 - (share - 0.15) / 0.45, 0.0, 1.0)


def _names(words: Words, at: NDArray[np.int32], phrase: NDArray[np.int32], stems: NDArray[np.int32]) -> list[str]:
    """The commonest written form of each phrase; among equals the one that comes first in the pool."""
    if not len(stems):
        return []
    length = (stems >= 0).sum(axis=1)[phrase]
    values = np.random.default_rng(1).integers(0, 2**63, (_LONGEST, len(words.forms)), dtype=np.uint64)
    written = phrase.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for step in range(_LONGEST):
        inside = np.minimum(at + step, len(words.form) - 1)
        written += np.where(step < length, values[step][words.form[inside]], np.uint64(0))
    _, where, counts = np.unique(written, return_index=True, return_counts=True)
    order = np.lexsort((at[where], -counts, phrase[where]))
    firsts = order[np.concatenate([[True], phrase[where[order]][1:] != phrase[where[order]][:-1]])]
    forms = words.forms
    names = []
    for place, many in zip(at[where[firsts]], length[where[firsts]], strict=True):
        name = forms[words.form[place]]
        for step in range(1, many):
            part = forms[words.form[place + step]]
            name += part if unspaced(name[-1]) and unspaced(part[0]) else f" {part}"
        names.append(name.removesuffix("'s").removesuffix("'"))
    return names


def _cohesion(stems: NDArray[np.int32], tokens: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.float64]:
    """log(p(phrase) / prod p(word)) / ((words - 1) * -log p(phrase)), cut to 0..1 (Bouma 2009)."""
    cohesion = np.zeros(len(stems))
    if not len(stems):
        return cohesion
    alone = np.zeros(int(stems.max()) + 1)
    alone[stems[length == 1, 0]] = tokens[length == 1]
    total = max(float(alone.sum()), 2.0)
    several = np.flatnonzero(length > 1)
    together = np.log(tokens[several] / total)
    apart = np.where(stems[several] >= 0, np.log(np.maximum(alone[stems[several]], 1.0) / total), 0.0).sum(axis=1)
    cohesion[several] = (together - apart) / ((length[several] - 1) * -np.minimum(together, -1e-9))
    return np.clip(cohesion, 0.0, 1.0)


def _vague(language: Language) -> frozenset[str]:
    return frozenset(language.fold(word) for word in english.VAGUE) if language.english else frozenset()


def _with_tasks(made: Candidates, words: Words, stem: NDArray[np.int32], folded: list[str], language: Language) -> Candidates:
    """Adds what instructions ask to do: the verb a sentence opens with and the thing it governs, as 'poem writing'."""
    if not language.english:
        return made
    verbs = np.array([one in english.TASKS for one in words.forms])
    lead = np.array([one in ("please", "can", "could", "you", "to", "and", "then", "let's") for one in words.forms])
    opens = words.place == 0
    for _ in range(3):  # 'can you please write'
        opens[1:] |= opens[:-1] & lead[words.form[:-1]] & (words.sentence[1:] == words.sentence[:-1])
    places = np.flatnonzero(opens & verbs[words.form] & _first(words))
    ids: dict[str, int] = {}
    heads: list[tuple[int, int]] = []
    found: list[tuple[int, int]] = []
    for place in places:
        thing, last, before = _governed(int(place), words, stem)
        name = english.task(words.forms[words.form[place]], thing)
        if name is not None:
            number = ids.setdefault(name, len(ids))
            if number == len(heads):
                heads.append((last, before))
            found.append((int(place), number))
    if not ids:
        return made
    at = np.array([place for place, _ in found])
    count, old = len(ids), len(made.names)
    stems = np.full((count, _LONGEST), -1, np.int32)
    stems[:, :2] = np.array(heads, np.int32)
    return replace(
        made,
        row=np.concatenate([made.row, words.row[at]]),
        phrase=np.concatenate([made.phrase, np.array([number + old for _, number in found], np.int32)]),
        times=np.ones(len(made.row) + len(at), np.int32),
        early=np.concatenate([made.early, np.zeros(len(at), bool)]),
        copies=np.concatenate([made.copies, words.copies[at]]),
        names=[*made.names, *ids],
        stems=np.concatenate([made.stems, stems]),
        texts=np.zeros(old + count, np.int64),
        cohesion=np.concatenate([made.cohesion, np.zeros(count)]),
        noun=np.concatenate([made.noun, np.ones(count)]),
        vague=np.concatenate([made.vague, np.zeros(count, bool)]),
        task=np.concatenate([made.task, np.ones(count, bool)]),
    )


def _governed(place: int, words: Words, stem: NDArray[np.int32]) -> tuple[str, int, int]:
    """The thing that the verb at `place` governs: the last word or two of the first run of words after it."""
    sentence, at = words.sentence[place], place + 1
    while at < len(stem) and at < place + 5 and words.sentence[at] == sentence and stem[at] < 0 and words.word[words.form[at]]:
        at += 1
    start = at
    while at < len(stem) and words.sentence[at] == sentence and stem[at] >= 0 and at < start + 4:
        at += 1
    if at == start:
        return "", -1, -1
    name = words.forms[words.form[at - 1]].removesuffix("'s")
    return name, int(stem[at - 1]), -1


def _counted(made: Candidates, min_count: int) -> Candidates:
    """One pair for each text and phrase, and only phrases that enough texts hold."""
    order = np.lexsort((made.phrase, made.row))
    row, phrase = made.row[order], made.phrase[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (row[1:] != row[:-1]) | (phrase[1:] != phrase[:-1])
    firsts = np.flatnonzero(fresh)
    if not len(firsts):
        return replace(made, texts=np.zeros(len(made.names), np.int64))
    texts = np.bincount(phrase[firsts], minlength=len(made.names))
    whole = replace(
        made,
        row=row[firsts],
        phrase=phrase[firsts],
        times=np.diff(np.append(firsts, len(order))).astype(np.int32),
        early=np.maximum.reduceat(made.early[order], firsts),
        copies=np.minimum.reduceat(made.copies[order], firsts),
        texts=np.maximum(texts, 1),
    )
    return whole.take(texts[whole.phrase] >= min_count)


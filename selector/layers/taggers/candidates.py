"""Phrases of a pool that may become tags, with the counts that decide which of them do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from selector.layers.taggers import english
from selector.layers.taggers.language import Language, unspaced
from selector.layers.taggers.tasks import Tasks, tasks
from selector.layers.taggers.words import Words

_LONGEST = 3  # words of a phrase
_BELONG = 0.45  # cohesion from which a soft word counts in a phrase
_BITS = 21  # of a folded word's number: three of them are one 63-bit key

_EMPTY = english.VAGUE | english.SOFT


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
    noun: NDArray[np.float64]  # (p,) 0..1 how much it behaves like a noun; 1 where that is not known
    vague: NDArray[np.int8]  # (p,) 1: an empty word, taken when little else is there; 2: no noun, when nothing else is
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
    _, stem_of = _folded(words, language)
    stem = stem_of[words.form]  # (m,) -1: a stop word or a break
    row_parts, key_parts, at_parts = [], [], []
    for many in range(1, _LONGEST + 1):
        places = _runs(stem, words.sentence, many)
        key = np.zeros(len(places), np.int64)
        for step in range(_LONGEST):
            key = (key << _BITS) | (stem[places + step].astype(np.int64) + 1 if step < many else 0)
        key_parts.append(key)
        row_parts.append(words.row[places])
        at_parts.append(places.astype(np.int32))
    key, row, at = np.concatenate(key_parts), np.concatenate(row_parts), np.concatenate(at_parts)
    keys, numbers, tokens = np.unique(key, return_inverse=True, return_counts=True)
    frequent = tokens >= min_count
    kept = frequent[numbers]
    row, at, phrase = row[kept], at[kept], (np.cumsum(frequent) - 1)[numbers[kept]].astype(np.int32)
    keys, tokens = keys[frequent], tokens[frequent]
    stems = np.stack([((keys >> (_BITS * (_LONGEST - 1 - step))) & ((1 << _BITS) - 1)) - 1 for step in range(_LONGEST)], 1).astype(np.int32)
    length = (stems >= 0).sum(axis=1)
    names, shown = _names(words, at, phrase, length)
    cohesion = _cohesion(stems, tokens, length)
    noun, vague, never = _judged(words, stem, shown, length, cohesion, language)
    count = len(keys)
    made = Candidates(
        row, phrase, np.ones(len(row), np.int32), _first(words)[at], words.copies[at], names, stems, np.zeros(count, np.int64),
        cohesion, noun, vague, np.zeros(count, bool),
    ).take(~never[phrase])  # fmt: skip
    return _counted(_joined(made, tasks(words, stem, _first(words), language)), min_count)


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


def _judged(
    words: Words,
    stem: NDArray[np.int32],
    shown: NDArray[np.int32],
    length: NDArray[np.int64],
    cohesion: NDArray[np.float64],
    language: Language,
) -> tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.bool_]]:
    """For each phrase: how much of a noun it is, whether it is vague, and whether it can be no tag at all.

    A word's places tell: a verb stands after 'to' or 'can', before 'the' or 'it', or opens a sentence; an adjective stands before
    other words. Only for English; elsewhere one letter alone is vague and nothing else is known.
    """
    short = np.array([len(one) < 2 for one in words.forms], bool)
    count = len(length)
    if not language.english or not count:
        lone = (length == 1) & short[shown[:, 0]] if count else np.zeros(0, bool)
        return np.ones(count), lone.astype(np.int8), np.zeros(count, bool)
    signs = {name: np.array([one in group for one in words.forms])[words.form] for name, group in
             (("after", english.VERB_SIGNS), ("before", english.OBJECT_SIGNS))}  # fmt: skip
    inside, size = stem >= 0, len(words.forms)
    joined = np.zeros(len(stem), bool)  # the next token is in the same sentence
    joined[:-1] = words.sentence[1:] == words.sentence[:-1]
    verb = np.zeros(len(stem), bool)
    verb[1:] = signs["after"][:-1] & joined[:-1]
    verb[:-1] |= signs["before"][1:] & joined[:-1]
    verb |= (words.place == 0) & joined & np.append(words.stop[words.form[1:]], False)
    modifies = joined & np.append(inside[1:], False)
    once = 1.0 / words.copies  # a sentence that a thousand texts share is one witness
    seen = np.bincount(words.form, once, minlength=size)
    # Five imagined places, one of them a verb's, settle words that are rarely seen.
    verbs = (np.bincount(words.form[verb], once[verb], minlength=size) + 1.0) / (seen + 5.0)
    modifiers = (np.bincount(words.form[modifies], once[modifies], minlength=size) + 1.5) / (seen + 5.0)
    noun = np.clip((0.5 - verbs) / 0.3, 0.0, 1.0)
    noun[[number for number, one in enumerate(words.forms) if english.inflected(one)]] *= 0.3
    last = shown[np.arange(count), length - 1]
    quality, single = noun[last], length == 1
    quality = np.where(single, quality * np.clip((0.85 - modifiers[last]) / 0.25, 0.0, 1.0), quality)
    empty = np.array([one.removesuffix("'s") in _EMPTY for one in words.forms]) | short
    soft = np.array([one in english.SOFT for one in words.forms])
    order = np.array([one in english.TASKS and one not in english.ALSO_NOUNS for one in words.forms])
    parts = np.where(shown >= 0, shown, last[:, None])
    never = (
        (single & (soft | order)[last])
        | (~single & soft[parts].any(axis=1) & (cohesion < _BELONG))
        | (quality < np.where(single, 0.05, 0.35))
    )
    vague = np.maximum(empty[parts].all(axis=1), 2 * (single & (quality < 0.4)))
    return quality, vague.astype(np.int8), never


def _names(
    words: Words, at: NDArray[np.int32], phrase: NDArray[np.int32], length: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int32]]:
    """The commonest written form of each phrase, the first in the pool among equals; and its words as (p, 3) forms, -1 beyond."""
    shown = np.full((len(length), _LONGEST), -1, np.int32)
    if not len(length):
        return [], shown
    many = length[phrase]
    values = np.random.default_rng(1).integers(0, 2**63, (_LONGEST, len(words.forms)), dtype=np.uint64)
    written = phrase.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for step in range(_LONGEST):
        inside = np.minimum(at + step, len(words.form) - 1)
        written += np.where(step < many, values[step][words.form[inside]], np.uint64(0))
    _, where, counts = np.unique(written, return_index=True, return_counts=True)
    order = np.lexsort((at[where], -counts, phrase[where]))
    firsts = order[np.concatenate([[True], phrase[where[order]][1:] != phrase[where[order]][:-1]])]
    places = at[where[firsts]]
    for step in range(_LONGEST):
        shown[:, step] = np.where(step < length, words.form[np.minimum(places + step, len(words.form) - 1)], -1)
    names = []
    for numbers in shown:
        parts = [words.forms[number] for number in numbers if number >= 0]
        name = parts[0]
        for part in parts[1:]:
            name += part if unspaced(name[-1]) and unspaced(part[0]) else f" {part}"
        names.append(name.removesuffix("'s").removesuffix("'"))
    return names, shown


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


def _joined(made: Candidates, asked: Tasks) -> Candidates:
    """The phrases and the tasks as one list of candidates."""
    count, old = len(asked.names), len(made.names)
    stems = np.full((count, _LONGEST), -1, np.int32)
    stems[:, 0] = asked.things
    return replace(
        made,
        row=np.concatenate([made.row, asked.row]),
        phrase=np.concatenate([made.phrase, asked.task + old]).astype(np.int32),
        times=np.ones(len(made.row) + len(asked.row), np.int32),
        early=np.concatenate([made.early, np.zeros(len(asked.row), bool)]),
        copies=np.concatenate([made.copies, asked.copies]),
        names=[*made.names, *asked.names],
        stems=np.concatenate([made.stems, stems]),
        texts=np.zeros(old + count, np.int64),
        cohesion=np.concatenate([made.cohesion, np.zeros(count)]),
        noun=np.concatenate([made.noun, np.ones(count)]),
        vague=np.concatenate([made.vague, np.zeros(count, np.int8)]),
        task=np.concatenate([made.task, np.ones(count, bool)]),
    )


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

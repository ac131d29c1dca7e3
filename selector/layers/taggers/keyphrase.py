"""Tags without a model: phrases that say what a text is about and that other texts of the pool share."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Room, Texts
from selector.layers.taggers import Tags, from_arrays
from selector.layers.taggers.candidates import Candidates, candidates
from selector.layers.taggers.language import load
from selector.layers.taggers.words import read

log = logging.getLogger(__name__)

_VERSION = 1
_TILE = 1 << 16  # pairs of text and phrase whose vectors are multiplied at once

# An empty word may be the third tag of a text and no later one; a word that is no noun only the first.
_CLOSED_AFTER = {0: 2, 2: 1}

# What a tag is worth in its text: a weighted sum of shares between 0 and 1, weights settled by reading tags of real pools.
_RELEVANT, _SPECIFIC, _RECURRING, _COHESIVE, _EARLY, _REPEATED, _NOUN = 1.0, 0.5, 0.4, 0.5, 0.3, 0.15, 0.5
_TASK, _VAGUE = 1.4, 1.0


@dataclass(frozen=True)
class Keyphrase:
    """About four tags a text: phrases of one to three words between stop words, and the task that an instruction opens with.

    A candidate's worth is its cosine to the text (static encoder), plus how rare it is in the pool, plus how often it recurs (never
    under `min_count` texts), plus the mutual information of its words, plus where it stands. The best four are taken one by one,
    skipping those that share a word with a better one; from sentences that many texts share come at most two, or one where
    the sentence is in over 1 % of the texts. About 0.4 ms a text of 200 characters on one core.
    """

    tags_per_text: int
    min_count: int
    language: str
    characters: int

    def tags(self, texts: Texts, room: Room) -> Tags:
        key = {"texts": texts.fingerprint, "tagger": "keyphrase", "version": _VERSION, **asdict(self)}
        return from_arrays(room.store.arrays("tags", key, lambda: self._made(texts, room).to_arrays()))

    def _made(self, texts: Texts, room: Room) -> Tags:
        began, language = time.perf_counter(), load(self.language)
        words = read(texts.strings, language, self.characters, room)
        found = candidates(words, len(texts.strings), self.min_count, language)
        log.info(
            "%d texts: %d words, %d candidate phrases in %d places, %.1f s",
            len(texts.strings), len(words.row), len(found.names), len(found.row), time.perf_counter() - began,
        )  # fmt: skip
        worth = _worth(found, _relevance(found, texts, self.characters, room), len(texts.strings))
        picked = _picks(found, worth, len(texts.strings), self.tags_per_text)
        # A phrase that few texts chose would be dropped later and leave those texts with a hole: they choose again without it.
        for _ in range(2):
            chosen = np.bincount(found.phrase[picked], minlength=len(found.names))
            alive = chosen[found.phrase] >= self.min_count
            found, worth = found.take(alive), worth[alive]
            picked = _picks(found, worth, len(texts.strings), self.tags_per_text)
        log.info("tags picked after %.1f s", time.perf_counter() - began)
        return _gathered(found, picked, len(texts.strings), {"texts_cut": words.cut, "characters_read": self.characters})


def _relevance(found: Candidates, texts: Texts, characters: int, room: Room) -> NDArray[np.float32]:
    """(c,) cosine of each candidate's phrase to the head of its text."""
    from selector.encoders import load as encoder

    static = encoder("static")
    heads = static.encode([text[: min(1_000, characters)] for text in texts.strings], room)
    phrases = static.encode(found.names, room)
    for one in (heads, phrases):
        one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9)
    cosine = np.empty(len(found.row), np.float32)
    for start in range(0, len(cosine), _TILE):
        tile = slice(start, start + _TILE)
        cosine[tile] = np.einsum("cd,cd->c", heads[found.row[tile]], phrases[found.phrase[tile]])
    return cosine


def _worth(found: Candidates, relevance: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """(c,) what each candidate is worth in its text."""
    share = found.texts / max(size, 2)
    specific = np.clip(-np.log(share) / np.log(max(size, 2)), 0, 1)
    recurring = np.clip(np.log1p(found.texts) / np.log1p(0.001 * size + 20), 0, 1)
    phrase = _SPECIFIC * specific + _RECURRING * recurring + _COHESIVE * found.cohesion + _NOUN * found.noun
    phrase = phrase + np.where(found.task, _TASK, 0.0) - _VAGUE * found.vague
    return (
        phrase[found.phrase] + _RELEVANT * relevance + np.where(found.early, _EARLY, 0.0) + _REPEATED * np.log2(np.minimum(found.times, 4))
    )


def _picks(found: Candidates, worth: NDArray[np.float64], size: int, most: int) -> NDArray[np.int64]:
    """Positions of the picked candidates, text by text, the best first; the same for any order of equal worth.

    Sentences that many texts share fill at most two places while anything else is there.
    """
    quota = np.where(found.copies * 100 > size, 1, 2)
    shared = found.copies >= 10
    # The places beyond the quota go behind everything that the text says itself.
    order = np.lexsort((found.phrase, -worth, shared, found.row))
    firsts = np.searchsorted(found.row[order], found.row[order])
    own = np.bincount(found.row[~shared], minlength=size)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - firsts
    rank = rank - np.where(shared, own[found.row], 0)
    late = shared & (rank >= quota * 2)  # twice the quota enters, since some of them overlap
    worth = worth - np.where(late, 100.0, 0.0)
    order = np.lexsort((found.phrase, -worth, found.row))
    row, stems, is_shared, limit, is_task, vague = (
        found.row[order],
        found.stems[found.phrase[order]],
        shared[order],
        quota[order],
        found.task[found.phrase[order]],
        found.vague[found.phrase[order]],
    )
    open_ = worth[order] > 0.0
    taken: list[NDArray[np.int64]] = []
    ranks: list[NDArray[np.int64]] = []
    from_shared = np.zeros(size, np.int64)
    for turn in range(most):
        where = np.flatnonzero(open_)
        if not len(where):
            break
        first = where[np.concatenate([[True], row[where][1:] != row[where][:-1]])]
        taken.append(order[first])
        ranks.append(np.full(len(first), turn))
        chosen = np.full((size, stems.shape[1]), -1, stems.dtype)
        chosen[row[first]] = stems[first]
        tasked = np.zeros(size, bool)
        tasked[row[first]] = is_task[first]
        from_shared[row[first]] += is_shared[first]
        mine = chosen[row[where]]  # (w, words)
        theirs = stems[where]
        if turn in _CLOSED_AFTER:
            open_ &= vague != _CLOSED_AFTER[turn]
        overlap = ((theirs[:, :, None] == mine[:, None, :]) & (theirs[:, :, None] >= 0)).any(axis=(1, 2))
        open_[first] = False
        open_[where[overlap | (tasked[row[where]] & is_task[where])]] = False
        full = is_shared & (from_shared[row] >= limit) & (worth[order] > -50)
        open_ &= ~full
    picked = np.concatenate(taken) if taken else np.empty(0, np.int64)
    turns = np.concatenate(ranks) if ranks else np.empty(0, np.int64)
    return picked[np.lexsort((turns, found.row[picked]))]


def _gathered(found: Candidates, picked: NDArray[np.int64], size: int, facts: Mapping[str, Any]) -> Tags:
    numbers, indices = np.unique(found.phrase[picked], return_inverse=True)
    starts = np.concatenate([[0], np.cumsum(np.bincount(found.row[picked], minlength=size))]).astype(np.int64)
    return Tags(starts, indices.astype(np.int32), [found.names[number] for number in numbers], facts)

"""What instructions ask to do, as tags: 'write a poem about ...' is 'poem writing'. English only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selector.layers.taggers import english
from selector.layers.taggers.language import Language
from selector.layers.taggers.words import Words

_LEADS = frozenset(("please", "can", "could", "you", "to", "and", "then", "let's"))


@dataclass(frozen=True)
class Tasks:
    """t places where a text asks for something."""

    row: NDArray[np.int32]  # (t,) the text
    task: NDArray[np.int32]  # (t,) which of `names`
    copies: NDArray[np.int32]  # (t,) texts that share the sentence
    names: list[str]
    things: NDArray[np.int32]  # (names,) folded word of the thing that the verb governs; -1 for none


def tasks(words: Words, stem: NDArray[np.int32], first: NDArray[np.bool_], language: Language) -> Tasks:
    """The tasks that the first sentences open with: a verb of `english.TASKS` and the last word of the first phrase after it.

    `stem` (m,) is the folded word of each token, -1 for stop words and breaks; `first` (m,) whether it is in a first sentence.
    """
    places: list[int] = []
    task: list[int] = []
    ids: dict[str, int] = {}
    things: list[int] = []
    if language.english:
        verbs = np.array([one in english.TASKS for one in words.forms], bool)
        leads = np.array([one in _LEADS for one in words.forms], bool)
        opens = words.place == 0
        for _ in range(3):  # 'can you please write'
            opens[1:] |= opens[:-1] & leads[words.form[:-1]] & (words.sentence[1:] == words.sentence[:-1])
        for place in np.flatnonzero(opens & first & verbs[words.form]).tolist():
            last = _governed(place, words, stem)
            thing = "" if last < 0 else words.forms[words.form[last]].removesuffix("'s")
            name = english.task(words.forms[words.form[place]], thing)
            if name is not None:
                number = ids.setdefault(name, len(ids))
                if number == len(things):
                    things.append(-1 if last < 0 else int(stem[last]))
                places.append(place)
                task.append(number)
    at = np.array(places, np.int64)
    return Tasks(words.row[at], np.array(task, np.int32), words.copies[at], list(ids), np.array(things, np.int32))


def _governed(place: int, words: Words, stem: NDArray[np.int32]) -> int:
    """Where the last word of the first phrase after the verb stands, a few stop words between them at most; -1 for none."""
    sentence, at = words.sentence[place], place + 1
    while at < len(stem) and at < place + 5 and words.sentence[at] == sentence and stem[at] < 0 and words.word[words.form[at]]:
        at += 1
    start = at
    while at < len(stem) and words.sentence[at] == sentence and stem[at] >= 0 and at < start + 4:
        at += 1
    return at - 1 if at > start else -1

"""Which tags mean the same: stars around the more frequent one, so that no chain joins what is far apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Room

_TILE = 1_024  # tags compared with all more frequent ones at once: 80 MB for 20,000 tags

# A tag that holds another whole ('short story', 'story') is narrower, not a synonym, unless it is nearer than this share of the way to 1.
_CONTAINED = 0.8
# Words that share this much of the longer one from its start are one family.
_FAMILY = 0.8
# Synonyms stand in for each other; tags that meet in this share of the rarer one's texts (celsius, fahrenheit) go together.
_TOGETHER = 0.1


def leaders(
    names: Sequence[str], folded: Sequence[str], counts: NDArray[np.int64], incidence: Any, merge: float, room: Room
) -> NDArray[np.int64]:
    """(T,) for each tag the tag it is an instance of, itself where it stands alone.

    Taken from the most frequent down (ties by name), a tag joins the nearest leader whose cosine (static encoder) is at least
    `merge`, or becomes a leader. Every member is thus that near to its leader. Never joined: tags with different numbers; tags
    whose differing words are themselves further apart than `merge` ('positive review', 'negative review'); a tag and a part of it,
    unless nearer still; tags that meet in more than a tenth of the rarer one's texts. O(T^2 d / 2) time in tiles, no T x T array.
    """
    from selector.encoders import load

    count = len(names)
    order = np.array(sorted(range(count), key=lambda tag: (-int(counts[tag]), folded[tag])), np.int64)
    static = load("static")
    vectors = _unit(static.encode([names[tag] for tag in order], room))
    words = [frozenset(folded[tag].split()) for tag in order]
    digits = [tuple(sorted(re.findall(r"\d+", folded[tag]))) for tag in order]
    cosine = _word_cosine(words, static, room)
    postings = incidence.tocsc()
    leader = np.arange(count)  # by place in `order`
    for start in range(0, count, _TILE):
        stop = min(start + _TILE, count)
        near = vectors[start:stop] @ vectors[:stop].T  # (tile, stop)
        left, right = np.nonzero(near >= merge - 1e-4)
        left, right = left[left + start > right] + start, right[left + start > right]
        # The last bits of a product depend on threads and tiles; the threshold must not.
        value = np.einsum("pd,pd->p", vectors[left], vectors[right], dtype=np.float64)
        left, right, value = left[value >= merge], right[value >= merge], value[value >= merge]
        for at in np.lexsort((right, -value, left)):
            member, head = int(left[at]), int(right[at])
            if leader[member] != member or leader[head] != head or digits[member] != digits[head]:
                continue
            if _alike(words[member], words[head], float(value[at]), merge, cosine) and not _meet(postings, order[member], order[head]):
                leader[member] = head
        room.progress("merging tags", stop, count)
    found = np.empty(count, np.int64)
    found[order] = order[leader]
    return found


def _alike(member: frozenset[str], head: frozenset[str], value: float, merge: float, cosine: Callable[[str, str], float]) -> bool:
    only_member, only_head = member - head, head - member
    if not only_member or not only_head:
        return (not only_member and not only_head) or value >= merge + _CONTAINED * (1.0 - merge)
    # Each word of the difference must have a partner on the other side.
    return all(max(cosine(one, other) for other in only_head) >= merge for one in only_member) and all(
        max(cosine(one, other) for other in only_member) >= merge for one in only_head
    )


def _meet(postings: Any, one: int, other: int) -> bool:
    left, right = (postings.indices[postings.indptr[tag] : postings.indptr[tag + 1]] for tag in (one, other))
    return len(np.intersect1d(left, right, assume_unique=True)) > _TOGETHER * min(len(left), len(right))


def _word_cosine(words: Sequence[frozenset[str]], static: Any, room: Room) -> Callable[[str, str], float]:
    """Cosine of two words, 1 for one family ('astronomer', 'astronomy'), -1 where the encoder cannot know it.

    The static encoder sees pieces: what it says of words that it does not have whole ('l-izard', 'w-izard') is their spelling.
    """
    distinct = sorted({word for one in words for word in one})
    number = {word: at for at, word in enumerate(distinct)}
    vectors = _unit(static.encode(distinct, room)) if distinct else np.empty((0, 1), np.float32)
    whole = [len(static.tokenizer.encode(word, add_special_tokens=False).ids) == 1 for word in distinct]

    def cosine(one: str, other: str) -> float:
        pairs = zip(one, other, strict=False)
        shared = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
        if shared >= 6 and shared >= _FAMILY * max(len(one), len(other)):
            return 1.0
        if shared == min(len(one), len(other)) and (shared < 4 or abs(len(one) - len(other)) > 3):
            return -1.0  # 'rob', 'robot': near by spelling alone
        left, right = number[one], number[other]
        return float(vectors[left] @ vectors[right]) if whole[left] and whole[right] else -1.0

    return cosine


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

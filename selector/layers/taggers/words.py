"""Texts as one long stream of words with breaks in it: flat arrays, one entry a word."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Room
from selector.layers.taggers.language import UNSPACED, Language, lower, unspaced


@dataclass(frozen=True)
class Words:
    """m tokens of n texts in reading order. A token that is no word (a mark, a number, an identifier) is a break."""

    row: NDArray[np.int32]  # (m,) the text
    form: NDArray[np.int32]  # (m,) which of `forms`
    sentence: NDArray[np.int32]  # (m,) number of its sentence, rising through all texts
    place: NDArray[np.int32]  # (m,) tokens before it in its sentence
    copies: NDArray[np.int32]  # (m,) how many texts hold the same sentence, word by word; 1 for sentences under 4 words
    forms: list[str]  # distinct lower-case tokens
    word: NDArray[np.bool_]  # (F,) whether the form is a word
    stop: NDArray[np.bool_]  # (F,) whether it is a stop word
    cut: int  # texts of which only the head was read


def read(strings: Sequence[str], language: Language, characters: int, room: Room) -> Words:
    """The words of the first `characters` characters of each text; links and lines of code are breaks.

    About 1 µs a character; 20 bytes a token.
    """
    ids: defaultdict[str, int] = defaultdict(count().__next__)
    lengths = np.empty(len(strings), np.int64)
    chunks: list[NDArray[np.int32]] = []
    find, number, cut = _pattern().findall, ids.__getitem__, 0
    for at, text in enumerate(strings):
        cut += len(text) > characters
        tokens = find(_prose(text[:characters]))
        lengths[at] = len(tokens)
        chunks.append(np.fromiter(map(number, tokens), np.int32, len(tokens)))
        if at % 20_000 == 0:
            room.progress("reading words", at, len(strings))
    form = np.concatenate(chunks) if chunks else np.empty(0, np.int32)
    row = np.repeat(np.arange(len(strings), dtype=np.int32), lengths)
    forms = list(ids)
    row, form, forms = _segment(row, form, forms)
    forms, form = _lowered(forms, form)
    word = np.array([_is_word(one) for one in forms], bool)
    # One letter alone is a variable or an article.
    stop = np.array([language.stops(one.removesuffix("'s")) or (len(one) == 1 and not unspaced(one)) for one in forms], bool)
    ends = np.array([one[0] in _ENDS for one in forms], bool)
    sentence, place = _sentences(row, ends[form])
    copies = _copies(row, form, sentence, place)
    return Words(row, form, sentence, place, copies, forms, word, stop & word, cut)


def cleaned(text: str) -> str:
    """A phrase as a tag is written: lower case, marks other than - ' + # . / as spaces."""
    return " ".join(re.sub(r"[^\w\s'+#./&-]|_", " ", lower(text)).split()).strip(" -'./&")


_ENDS = frozenset(".?!。？！\n;；:：…")
_LINK = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\w+|<[a-zA-Z/][^>\n]{0,200}>")
_FENCE = re.compile(r"```[ \t]*([\w+#]*).*?(?:```|\Z)", re.S)
_OPENS_CODE = re.compile(
    r"\s*(?:def \w+\(|import \w|from \S+ import|class \w+\s*[:({]|public |private |static |#!|#include|sub \w+\s*\{|function \w*\("
    r"|(?:const|let|var) \w+ =|SELECT .+ FROM|(?:for|if|while)\s*\(|\w+\s*=\s*[\w\[({\"']|\w[\w.]*\(.*\);?$|<)"
)
_DEFINED = re.compile(r"\b(?:def|function|class|sub|fn|func|void|int|bool|string|String|double|float)\s+([A-Za-z_]\w{3,})\s*[({:]")
_COMMENT = re.compile(r"(?:#|//)[ \t]+([^\n]{3,200})$", re.M)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|_+")
_CODE = re.compile(
    r"^(?=.*(?:[{};]\s*$|[=!<>+\-]=|=>|->|\w\(|\w\[|\w\s*=\s*\S|^\s*(?:def|import|from|class|return|for|if|while|elif|else|try|print)\b.*:?$"
    r"|^\s*(?:#|//|/\*|--|@|\$|SELECT\b)))(?=.*[=(){}\[\];:<>#/@$]).*$",
    re.M,
)


def _prose(text: str) -> str:
    """The text without links, markup and lines of code; of a fenced block the name of its language stays.

    A first line stays whatever marks it holds, since it asks, unless it opens as code does: then comments stay, and the names
    of what is defined, as words.
    """
    text = text.replace("\\n", "\n").replace("’", "'")
    if "```" in text:
        text = _FENCE.sub(r" | \1 | ", text)
    first, line, rest = text.partition("\n")
    if _OPENS_CODE.match(first):
        spoken = [*(_HUMP.sub(" ", name).lower() for name in _DEFINED.findall(text)), *_COMMENT.findall(text)]
        first = " | ".join(["", *dict.fromkeys(spoken), ""])
    text = f"{first}\n{_CODE.sub(' | ', rest)}" if line and rest else first
    return _LINK.sub(" | ", text) if "://" in text or "www." in text or "@" in text or "<" in text else text


@cache
def _pattern() -> re.Pattern[str]:
    """Words with their inner marks and combining signs, some names of languages, sentence ends, and any other mark alone."""
    # \w leaves out combining vowel signs, without which Hindi or Thai words fall apart.
    codes = (c for c in range(0x300, 0x10000) if unicodedata.category(chr(c)).startswith("M"))
    runs = [[c for _, c in group] for _, group in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    marks = "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
    letter = f"[\\w{marks}]"
    return re.compile(rf"\b[cCfF](?:\+\+|#)|\.NET\b|{letter}+(?:['\-]{letter}+)*|[.?!。？！\n;；:：…]|[^\s\w]")


def _is_word(form: str) -> bool:
    if form in ("c++", "c#", "f#", ".net"):
        return True
    if not form[0].isalpha() or "_" in form:
        return False
    if any(letter.isdigit() for letter in form):
        return re.fullmatch(r"[^\W\d_]{2,}-\d{1,2}", form) is not None  # covid-19
    return len(form) <= 30 or unspaced(form) is not None


def _lowered(forms: list[str], form: NDArray[np.int32]) -> tuple[list[str], NDArray[np.int32]]:
    """Forms in lower case; an identifier such as getName keeps an underscore so that it is seen to be none."""
    ids: defaultdict[str, int] = defaultdict(count().__next__)
    camel = re.compile(r"[a-z]{2}[A-Z]").search
    mapped = np.array([ids["_" if camel(one) and one not in _CAMEL else lower(one) or "_"] for one in forms], np.int32)
    return list(ids), mapped[form] if len(forms) else form


_CAMEL = frozenset({"JavaScript", "TypeScript", "GitHub", "YouTube", "LinkedIn", "iPhone", "WordPress", "PowerPoint", "MySQL", "NumPy"})


def _segment(row: NDArray[np.int32], form: NDArray[np.int32], forms: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int32], list[str]]:
    """Runs in scripts without spaces, cut into words where the embedded LLM tokenizer's vocabulary cuts them."""
    runs = [number for number, one in enumerate(forms) if unspaced(one)]
    if not runs:
        return row, form, forms
    ids = {one: number for number, one in enumerate(forms)}
    pieces: list[list[int]] = [[number] for number in range(len(forms))]
    for number, words in zip(runs, _cut([forms[number] for number in runs]), strict=True):
        pieces[number] = [ids.setdefault(word, len(ids)) for word in words]
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.fromiter((one for piece in pieces for one in piece), np.int32, int(starts[-1]))
    each = lengths[form]
    inside = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
    return np.repeat(row, each), flat[np.repeat(starts[form], each) + inside], list(ids)


def _cut(runs: list[str]) -> Iterable[list[str]]:
    from selector.tokenizers import load

    backend: Any = load().backend  # type: ignore[attr-defined]  # the embedded tokenizer is a fast one; only it tells offsets
    script = re.compile(f"[{UNSPACED}]+|[^{UNSPACED}]+")
    for start in range(0, len(runs), 4_096):
        # The tokenizer gives several tokens one and the same span where a character is split into bytes.
        batch = runs[start : start + 4_096]
        for run, encoding in zip(batch, backend.encode_batch(batch, add_special_tokens=False), strict=True):
            spans: list[tuple[int, int]] = []
            for first, last in encoding.offsets:
                if spans and first < spans[-1][1]:
                    spans[-1] = spans[-1][0], max(last, spans[-1][1])
                else:
                    spans.append((first, last))
            yield [word for first, last in spans for word in script.findall(run[first:last])]


def _sentences(row: NDArray[np.int32], end: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    starts = np.ones(len(row), bool)
    starts[1:] = (row[1:] != row[:-1]) | end[:-1]
    sentence = np.cumsum(starts, dtype=np.int64).astype(np.int32) - 1
    firsts = np.flatnonzero(starts)
    return sentence, (np.arange(len(row)) - firsts[sentence]).astype(np.int32) if len(row) else row


def _copies(row: NDArray[np.int32], form: NDArray[np.int32], sentence: NDArray[np.int32], place: NDArray[np.int32]) -> NDArray[np.int32]:
    """How many texts hold each token's sentence, by a 64-bit hash of its forms in order."""
    if not len(row):
        return row
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**63, int(form.max()) + 1, dtype=np.uint64)[form]
    turns = rng.integers(0, 2**63, 256, dtype=np.uint64)[place % 256] | np.uint64(1)
    firsts = np.flatnonzero(place == 0)
    hashes = np.add.reduceat(values * turns, firsts)
    lengths = np.diff(np.append(firsts, len(row)))
    order = np.lexsort((row[firsts], hashes))
    fresh = np.ones(len(order), bool)
    fresh[1:] = hashes[order][1:] != hashes[order][:-1]
    new_text = fresh.copy()
    new_text[1:] |= row[firsts][order][1:] != row[firsts][order][:-1]
    group = np.cumsum(fresh) - 1
    texts = np.empty(len(order), np.int64)
    texts[order] = np.bincount(group, new_text)[group]
    return np.where(lengths >= 4, texts, 1).astype(np.int32)[sentence]

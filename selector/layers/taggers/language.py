"""What language a pool is written in: its stop words, and how the forms of one word are folded together."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from selector.errors import unknown
from selector.layers.taggers import english

# Scripts written without spaces between words: Thai to Myanmar, Khmer, kana, Han, and the rarer blocks beside them.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
unspaced = re.compile(f"[{UNSPACED}]").search
_kana = re.compile("[\u3040-\u30ff]").search
_hiragana = re.compile("[\u3040-\u309fー]{1,3}").fullmatch

_STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english", "eo": "esperanto",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nl": "dutch", "no": "norwegian",
    "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "st": "sesotho", "sv": "swedish", "tr": "turkish",
}  # fmt: skip

_OTHER_SCRIPTS = frozenset(("ar", "bg", "bn", "el", "fa", "gu", "he", "hi", "hy", "ja", "ko", "mr", "ru", "th", "uk", "ur", "zh"))
_SAMPLE = 2_000  # texts that are read to find the language
_NOTABLE = 0.05  # a second language counts from this share of the sample on


@dataclass(frozen=True)
class Language:
    """The languages of a pool, the commonest first, and what follows from them."""

    codes: tuple[str, ...]
    stop_words: frozenset[str]
    fold: Callable[[str], str]
    """A lower-case word without its inflection; the same word where no stemmer is known."""

    @property
    def english(self) -> bool:
        return self.codes[0] == "en"

    def stops(self, word: str) -> bool:
        """Whether this lower-case word carries no topic."""
        return word in self.stop_words or bool(_hiragana(word))


def load(code: str) -> Language:
    """The language of a two-letter code, or of several joined by '+', such as 'en+zh'. Raises UnknownName."""
    import stopwordsiso

    codes = tuple(code.split("+"))
    for one in codes:
        if one not in stopwordsiso.langs():
            raise unknown("language", one, stopwordsiso.langs())
    stops = {lower(word) for one in codes for word in stopwordsiso.stopwords(one)}
    if "en" in codes:
        stops = (stops | english.FILLERS) - english.TOPICS - english.SOFT
    return Language(codes, frozenset(stops), _folder(codes))


def detect(strings: Sequence[str]) -> str:
    """The languages of these texts, such as 'en' or 'zh+en': each text votes for the language whose stop words it holds most of.

    Reads up to 2,000 texts spread evenly. A language needs 5 % of the votes to be named beside the first. Texts in scripts
    without spaces vote by script. 'en' where nothing votes at all.
    """
    votes: Counter[str] = Counter()
    step = max(1, len(strings) // _SAMPLE)
    for text in strings[::step]:
        head = text[:600]
        if len(re.findall(f"[{UNSPACED}]", head)) * 4 > len(head.strip()):
            votes["ja" if _kana(head) else "th" if "\u0e00" <= unspaced(head)[0] <= "\u0e7f" else "zh"] += 1  # type: ignore[index]
            continue
        words = lower(head).translate(_PUNCTUATION).split()
        if len(words) >= 4:
            hits = Counter(code for word in words for code in _languages_of().get(word, ()))
            if hits:
                # English holds the longest list; a tie goes to it only because it sorts first here.
                best = max(hits, key=lambda code: (hits[code] / _list_weight(code), code == "en", code))
                votes[best] += 1
    if not votes:
        return "en"
    named = [code for code, count in votes.most_common() if count >= _NOTABLE * votes.total()]
    return "+".join(named or [votes.most_common(1)[0][0]])


def lower(text: str) -> str:
    """Lower case with one kind of apostrophe, compatibility forms folded (full width to half width)."""
    return unicodedata.normalize("NFKC", text).lower().replace("’", "'")


_PUNCTUATION = str.maketrans(dict.fromkeys('.,;:!?()[]{}"«»„“”¿¡', " "))


@cache
def _languages_of() -> dict[str, tuple[str, ...]]:
    """Stop word -> the languages that have it."""
    import stopwordsiso

    found: dict[str, list[str]] = {}
    for code in sorted(stopwordsiso.langs()):
        for word in stopwordsiso.stopwords(code):
            # Lists hold stray letters and country codes ('de', 'fi'); the long English one would claim every language by them.
            # Some lists of other scripts hold Latin words and marks.
            foreign = code in _OTHER_SCRIPTS and word.isascii()
            if not foreign and not (code == "en" and len(word) < 3 and word not in english.SHORT):
                found.setdefault(lower(word), []).append(code)
    return {word: tuple(codes) for word, codes in found.items()}


@cache
def _list_weight(code: str) -> float:
    """Longer lists catch more words by luck."""
    import stopwordsiso

    return float(len(stopwordsiso.stopwords(code)) ** 0.1)


def _folder(codes: tuple[str, ...]) -> Callable[[str], str]:
    """Words of a second language are folded by the first one's rules."""
    if codes[0] == "en":
        return lambda word: word if unspaced(word) else english.singular(word.removesuffix("'s").removesuffix("'"))
    names = [_STEMMERS[code] for code in codes if code in _STEMMERS]
    if not names:
        return lambda word: word
    import Stemmer

    stem = Stemmer.Stemmer(names[0]).stemWord
    return lambda word: word if unspaced(word) else stem(word.removesuffix("'s").removesuffix("'"))

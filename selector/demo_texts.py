"""The texts of the demo pool: templates filled with words of a topic and of a long tail, as long as texts of real pools."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import exp, log
from typing import NamedTuple, TypeVar

from selector import demo_lexicon as lexicon
from selector import demo_words as words

LONGEST = 750  # words of either side
# Lengths in words (or sentences): exp of mean and standard deviation of their logarithm; a few texts are several times as long.
PROSE_WORDS, PASSAGE_WORDS, SENTENCES_AROUND = (4.15, 0.4, 7), (3.9, 0.45, 3), (0.8, 0.45)
LONG = 0.003  # of texts are several times as long
TOGETHER = 0.4  # correlation of the lengths of both sides, where they are prose
AGAIN = 0.2  # of the words of the tail were in the text before, since what a text is about comes back in it
HEAD = 200  # words at the head of the tail that are used about equally often; from there on as 1 / rank
OWN = 0.9  # of the words of the tail come in the topic's order, the rest in one that all topics share
FACTUAL = {"classification": 0.9, "extraction": 0.8, "question answering": 0.45}  # share of responses that are a few words
CURT = 0.4  # share of other instructions that are a few words
PLAINLY = 0.15  # the same of other tasks
PASSAGE = {"classification": 0.35, "extraction": 0.5, "summary": 0.3, "question answering": 0.05}  # share of instructions that quote a text
LENGTH = {"story": 1.4, "step by step": 1.2, "planning": 1.1, "summary": 0.8, "troubleshooting": 0.9, "question answering": 0.6}
SLOT = re.compile(r"{(\w+)}")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIO])(?!uni|eu|one\b|use)")
_T = TypeVar("_T")
_Fill = Callable[..., str]
_Reach = Mapping[str, tuple[int, int]]


class Topic(NamedTuple):
    """A topic's own words, how it leans among the words of the tail, and how long its texts are beside others'."""

    name: str
    tags: list[str]
    own: dict[str, list[str]]  # thing, doing, trait
    lean: int  # where in the tail its own words begin
    long: float


def topic(name: str, rank: int) -> Topic:
    """By its place among the topics; the same in every pool."""
    tags, things, doings, traits = (_split(part, ",") for part in words.TOPICS[name].split("|"))
    rng = random.Random(rank)
    own = {"thing": things, "doing": doings, "trait": traits}
    return Topic(name, tags, own, rng.randrange(1 << 20), exp(0.4 * ((rank * 0.618 + 0.5) % 1 - 0.5)))


def pair(task: str, topic: Topic, rng: random.Random) -> tuple[str, str]:
    """An instruction and its response, about a topic; both lean to be long together, more so where they are prose."""
    shared = rng.gauss(0, 1)
    return _instruction(task, topic, shared, _filler(topic, rng), rng), _response(task, topic, shared, _filler(topic, rng), rng)


def _instruction(task: str, topic: Topic, shared: float, fill: _Fill, rng: random.Random) -> str:
    """A question, now and then with sentences around it or a text that it asks about."""
    quoting = rng.random() < PASSAGE.get(task, 0.02)
    if not quoting and rng.random() < CURT:
        text = fill(_one(SHORT, rng), SHORT_REACH)
        if rng.random() < 0.8:
            return text
    else:
        text = fill(_one(QUESTIONS[task], rng))
        if rng.random() < 0.85:
            text = _with_aside(text, fill, rng)
    if quoting:
        passage = _prose(int(topic.long * _words(PASSAGE_WORDS, rng.gauss(0, 1), rng)), fill, rng)
        return f"{text}\n\n{passage}" if rng.random() < 0.5 else f"{fill(_one(PASSAGES, rng))} {passage}\n{text}"
    around = int(topic.long * exp(SENTENCES_AROUND[0] + SENTENCES_AROUND[1] * _near(shared, rng)))
    return " ".join([text, *(fill(_one(CONTEXTS if rng.random() < 0.2 else TAIL, rng)) for _ in range(min(around, 60)))])


def _response(task: str, topic: Topic, shared: float, fill: _Fill, rng: random.Random) -> str:
    """A fact in a few words, or an opening, as many sentences as the length asks for, and now and then a closing."""
    if rng.random() < FACTUAL.get(task, PLAINLY):
        return fill(_one(FACTS, rng), FACT_REACH) + rng.choice(("", "."))
    wanted = topic.long * LENGTH.get(task, 1.0) * _words(PROSE_WORDS, _near(shared, rng), rng)
    between = "\n" if task in ("list", "step by step", "planning") else " "
    opening = fill(_one(OPENERS.get(task, TAIL), rng))
    if wanted < 25 and rng.random() < 0.8:
        opening = _with_aside(opening, fill, rng)
    text = _prose(int(wanted) - len(opening.split()), fill, rng, between)
    closing = [fill(_one(CLOSERS, rng))] if wanted > 40 and rng.random() < 0.3 else []
    return between.join([opening, *([text] if text else []), *closing])


def _near(shared: float, rng: random.Random) -> float:
    """Standard normal, correlated with the other side's."""
    return TOGETHER**0.5 * shared + (1 - TOGETHER) ** 0.5 * rng.gauss(0, 1)


def _words(scale: tuple[float, float, float], z: float, rng: random.Random) -> float:
    return exp(scale[0] + scale[1] * z) * (scale[2] if rng.random() < LONG else 1)


def _with_aside(text: str, fill: _Fill, rng: random.Random) -> str:
    end = text[-1] if text[-1] in ".?" else ""
    return f"{text[: len(text) - len(end)]} {_lower(fill(_one(ASIDES, rng), ASIDE_REACH))}{end}"


def _prose(wanted: int, fill: _Fill, rng: random.Random, between: str = " ") -> str:
    """Sentences until there are so many words; none at all below five, and no template twice before each has had its turn."""
    parts: list[str] = []
    left: list[Sequence[str]] = []
    wanted = min(wanted, LONGEST)
    while wanted > 5:
        left = left or rng.sample(PROSE, len(PROSE))
        parts.append(fill(left.pop()))
        wanted -= parts[-1].count(" ") + 1
    return between.join(parts)


def _filler(topic: Topic, rng: random.Random) -> _Fill:
    """Fills a template's slots; no word of the topic twice in one sentence."""

    held: dict[str, list[str]] = {}  # slot -> what the text has used of it

    def tail(slot: str, reach: _Reach | None = None) -> str:
        before = held.setdefault(slot, [])
        if before and rng.random() < AGAIN:
            return _one(before, rng)
        bank = TAIL_BANKS[slot]
        if reach:
            place = reach[slot][0] + int(rng.random() * reach[slot][1])
        else:  # Zipf and Mandelbrot: P(rank) falls as 1 / (HEAD + rank)
            place = int(HEAD * (exp(rng.random() * log(1 + len(bank) / HEAD)) - 1)) + (topic.lean if rng.random() < OWN else 0)
        before.append(bank[place % len(bank)])
        return before[-1]

    def word(slot: str, used: list[str], reach: _Reach | None) -> str:
        if slot in TAIL_BANKS:
            return tail(slot, reach)
        if slot in topic.own:
            found = _one(topic.own[slot], rng)
            while found in used:
                found = _one(topic.own[slot], rng)
            used.append(found)
            return found
        if slot in BANKS:
            return _one(BANKS[slot], rng)
        return topic.name if slot == "topic" else _made_up(slot, tail, rng)

    def fill(template: Sequence[str], reach: _Reach | None = None) -> str:
        used: list[str] = []
        text = "".join(word(part, used, reach) if place % 2 else part for place, part in enumerate(template))
        text = ARTICLE.sub(r"\1n ", text)
        return text[0].upper() + text[1:]

    return fill


def _made_up(slot: str, tail: Callable[[str], str], rng: random.Random) -> str:
    """Names, years, amounts, identifiers: no end of them, and most are rare."""
    if slot == "name":
        return name(rng)
    if slot == "place":
        return _one(FIRST, rng) + _one(PLACES, rng)
    if slot == "year":
        return str(2030 - int(rng.expovariate(1 / 60)))
    if slot == "number":
        amount = int(exp(rng.gauss(4, 1.8))) + 2
        return f"{amount:,}" if rng.random() < 0.8 else f"{amount}.{rng.randrange(100):02}"
    if slot == "code":
        verb, noun = tail("verb"), tail("noun")
        shape = rng.randrange(4)
        call = f"{noun}.{verb}({rng.randrange(100)})"
        return (f"{verb}_{noun}()", f"{verb}{noun.title()}", call, f"{noun.title()}{verb.title()}er")[shape]
    return f"{name(rng)} {_one('ABCDEGKLMQRSTVXZ', rng)}{rng.randrange(10, 1000)}"  # a product


def name(rng: random.Random) -> str:
    """Of somebody, from parts."""
    return _one(FIRST, rng) + _one(MIDDLE, rng) + _one(LAST, rng)


def _one(bank: Sequence[_T], rng: random.Random) -> _T:
    """As rng.choice, in half the time."""
    return bank[int(rng.random() * len(bank))]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _split(text: str, mark: str) -> list[str]:
    return [part.strip() for part in text.split(mark)]


def _bank(text: str) -> list[str]:
    return _split(text, "|" if "|" in text else ",")


def _templates(text: str) -> list[list[str]]:
    """Each cut at its slots: text, slot, text, slot, ..., text."""
    return [SLOT.split(template) for template in _bank(text)]


def _shuffled(text: str) -> list[str]:
    """In an order of its own, the same in every pool."""
    bank = text.split()
    random.Random(0).shuffle(bank)
    return bank


def _reach(templates: Sequence[Sequence[str]], each: float, start: float) -> _Reach:
    """Short texts use few words of the tail: of each bank a stretch that grows with how often the templates ask for it."""
    asked = Counter(slot for template in templates for slot in template[1::2])
    return {slot: (int(start * len(bank)), max(1, round(each * asked[slot]))) for slot, bank in TAIL_BANKS.items()}


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("man"):
        return noun[:-2] + "en"
    return noun[:-1] + "ies" if noun[-1] == "y" and noun[-2] not in "aeiou" else noun + "s"


def _stem(verb: str) -> str:
    """What -ing and, but for verbs in e and y, -ed are put to."""
    if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")):
        return verb[:-1]
    return verb + verb[-1] if verb.endswith(words.DOUBLED) else verb


def _past(verb: str) -> str:
    if verb[-1] == "y" and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + "d" if verb.endswith("e") else _stem(verb) + "ed"


QUESTIONS = {task: _templates(text) for task, text in words.TASKS.items()}
OPENERS = {task: _templates(text) for task, text in words.OPENERS.items()}
TASKS = list(QUESTIONS)
CONTEXTS, SENTENCES, CLOSERS = map(_templates, (words.CONTEXTS, words.SENTENCES, words.CLOSERS))
SHORT, ASIDES, PASSAGES, FACTS, TAIL = map(_templates, (words.SHORT, words.ASIDES, words.PASSAGES, words.FACTS, words.TAIL))
PROSE = SENTENCES + TAIL + TAIL
BANKS = {
    "time": _bank(words.TIMES),
    "manner": _bank(words.MANNERS),
    "season": _bank(words.SEASONS),
    "relative": _bank(words.RELATIVES),
    "count": _bank(words.COUNTS),
}
TAIL_BANKS = {
    "noun": _shuffled(lexicon.NOUNS),
    "nouns": [_plural(noun) for noun in _shuffled(lexicon.NOUNS)],
    "mass": _shuffled(lexicon.MASS),
    "verb": _shuffled(lexicon.VERBS),
    "verbing": [_stem(verb) + "ing" for verb in _shuffled(lexicon.VERBS)],
    "verbed": [_past(verb) for verb in _shuffled(lexicon.VERBS)],
    "adj": _shuffled(lexicon.ADJECTIVES),
    "given": _shuffled(lexicon.GIVEN),
    "surname": _shuffled(lexicon.SURNAMES),
    "town": _shuffled(lexicon.TOWNS),
    "land": _shuffled(lexicon.LANDS),
}
FACT_REACH, SHORT_REACH, ASIDE_REACH = _reach(FACTS, 8, 0.25), _reach(SHORT, 14, 0.5), _reach(ASIDES, 18, 0.75)
FIRST, MIDDLE, LAST, PLACES = map(_bank, (words.FIRST, words.MIDDLE, words.LAST, words.PLACES))

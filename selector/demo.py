"""The demo pool: instruction/response pairs made up from word banks, with a structure that is known because it was planted."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from selector import demo_words as words
from selector.errors import InputError

ZIPF = 1.35  # with 60 topics and 3,000 rows: a third of the rows in the first topic, 3 to 5 in each of the last
EXACT, NEAR = 0.02, 0.04  # share of rows that copy another row, to the letter or with one or two words changed
SOURCES = ("forum", "textbook", "helpdesk", "crowd")
SOURCE_WEIGHTS = (8, 4, 2, 1)
LONGEST = {"instruction": 60, "response": 200}  # words
SLOT = re.compile(r"{(\w+)}")

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "source": pa.string(),
        "topic": pa.string(),
        "tags": pa.list_(pa.string()),
        "quality": pa.float64(),
        "copy_of": pa.string(),
        "instruction": pa.string(),
        "response": pa.string(),
    }
)
Row = dict[str, Any]


def table(rows: int = 3000, seed: int = 0) -> pa.Table:
    """A pool of this many rows, the same for the same seed; about a second for 10,000.

    Planted: 60 topics whose sizes follow r^-1.35 (`topic`), each with words of its own; 3 to 5 `tags` a row; 2 % exact and 4 % near
    copies (`copy_of` names the original); four unequal sources that lean to topics; `quality` in 0..1, independent of everything
    else; function words everywhere, names that occur once or twice. Instructions have 8 to 60 words, responses 10 to 200.
    """
    if rows < 1:
        raise InputError(f"the demo pool needs at least one row; {rows} were asked for.")
    rng = random.Random(seed)
    exact, near = round(rows * EXACT), round(rows * NEAR)
    originals = _originals(rows - exact - near, rng)
    seen = {(row["instruction"], row["response"]) for row in originals}
    copies = [(row, False) for row in rng.choices(originals, k=exact)] + [(row, True) for row in rng.choices(originals, k=near)]
    everything = originals + [_copy(row, change, seen, rng) for row, change in copies]
    rng.shuffle(everything)
    for number, row in enumerate(everything):
        row["id"] = f"demo-{number:05d}"
    for row in everything:
        row["copy_of"] = row["copy_of"]["id"] if row["copy_of"] else None
    return pa.Table.from_pylist(everything, SCHEMA)


def topic_sizes(rows: int) -> dict[str, int]:
    """Rows of each topic before copies are added: Zipf, at least one row each; pools under 600 rows have fewer topics."""
    names = list(words.TOPICS)[: max(1, rows // 10)]
    shares = [(rank + 1) ** -ZIPF for rank in range(len(names))]
    sizes = {name: max(1, round(rows * share / sum(shares))) for name, share in zip(names, shares, strict=True)}
    sizes[names[0]] += rows - sum(sizes.values())
    return sizes


def _originals(count: int, rng: random.Random) -> list[Row]:
    rows: list[Row] = []
    seen: set[tuple[str, str]] = set()
    for rank, (topic, size) in enumerate(topic_sizes(count).items()):
        tags, things, doings, traits = (_split(part, ",") for part in words.TOPICS[topic].split("|"))
        weights = [weight * (8 if place == rank % len(SOURCES) else 1) for place, weight in enumerate(SOURCE_WEIGHTS)]
        fill = _filler(topic, things, doings, traits, rng)
        while size:
            task = rng.choice(TASKS)
            pair = (_instruction(task, fill, rng), _response(task, fill, rng))
            if pair in seen:
                continue
            seen.add(pair)
            size -= 1
            skills = [task, *(["short answer"] if len(pair[1].split()) < 40 else [])]
            rows.append(
                {
                    "source": rng.choices(SOURCES, weights)[0],
                    "topic": topic,
                    "tags": rng.sample(tags, rng.randint(2, 3)) + skills,
                    "quality": round(rng.betavariate(4, 2), 3),
                    "copy_of": None,
                    "instruction": pair[0],
                    "response": pair[1],
                }
            )
    return rows


def _instruction(task: str, fill: Callable[[str], str], rng: random.Random) -> str:
    """A question, and up to four sentences around it."""
    text = fill(rng.choice(QUESTIONS[task]))
    around = min(4, int(rng.expovariate(0.9)))
    while around > 0 or len(text.split()) < 8:
        longer = f"{text} {fill(rng.choice(CONTEXTS))}"
        if len(longer.split()) > LONGEST["instruction"]:
            break
        text, around = longer, around - 1
    return text


def _response(task: str, fill: Callable[[str], str], rng: random.Random) -> str:
    """An opening, as many sentences as the length asks for (no template twice), and now and then a closing."""
    wanted = min(160, max(10, int(rng.lognormvariate(4.1, 0.7))))  # words; half of the responses have more than 60
    parts = [fill(rng.choice(OPENERS[task]))]
    for template in rng.sample(SENTENCES, len(SENTENCES)):
        if sum(len(part.split()) for part in parts) >= wanted:
            break
        parts.append(fill(template))
    if wanted > 40 and rng.random() < 0.5:
        parts.append(fill(rng.choice(CLOSERS)))
    between = "\n" if task in ("list", "step by step", "planning") else " "
    return between.join(parts)


def _filler(topic: str, things: list[str], doings: list[str], traits: list[str], rng: random.Random) -> Callable[[str], str]:
    """Fills a template's slots with words of the topic; no word of the topic twice in one sentence."""
    banks = {
        "time": TIMES,
        "manner": MANNERS,
        "season": SEASONS,
        "relative": RELATIVES,
        "count": COUNTS,
    }

    def fill(template: str) -> str:
        fresh = {"thing": rng.sample(things, 3), "doing": rng.sample(doings, 3), "trait": rng.sample(traits, 3)}

        def word(match: re.Match[str]) -> str:
            slot = match.group(1)
            if slot in fresh:
                return fresh[slot].pop()
            if slot in banks:
                return rng.choice(banks[slot])
            return topic if slot == "topic" else _name(rng) if slot == "name" else rng.choice(FIRST) + rng.choice(PLACES)

        text = SLOT.sub(word, template)
        text = re.sub(r"\b([Aa]) (?=[aeiou])(?!uni)", r"\1n ", text)
        return text[0].upper() + text[1:]

    return fill


def _name(rng: random.Random) -> str:
    return rng.choice(FIRST) + rng.choice(MIDDLE) + rng.choice(LAST)


def _copy(row: Row, change: bool, seen: set[tuple[str, str]], rng: random.Random) -> Row:
    """The row again, from any source and with a quality of its own; with `change`, one or two words of it differ."""
    copy = {**row, "copy_of": row, "source": rng.choices(SOURCES, SOURCE_WEIGHTS)[0], "quality": round(rng.betavariate(4, 2), 3)}
    while change and (copy["instruction"], copy["response"]) in seen:
        side = rng.choice(("instruction", "response"))
        parts = row[side].split(" ")
        for place in rng.sample(range(len(parts)), rng.randint(1, 2)):
            parts[place] = rng.choice(MANNERS) if rng.random() < 0.5 else rng.choice(FIRST).lower() + rng.choice(LAST)
        copy[side] = " ".join(parts)
    seen.add((copy["instruction"], copy["response"]))
    return copy


def _split(text: str, mark: str) -> list[str]:
    return [part.strip() for part in text.split(mark)]


def _bank(text: str) -> Sequence[str]:
    return _split(text, "|" if "|" in text else ",")


QUESTIONS, OPENERS = ({task: _bank(text) for task, text in bank.items()} for bank in (words.TASKS, words.OPENERS))
TASKS = list(QUESTIONS)
CONTEXTS, SENTENCES, CLOSERS = _bank(words.CONTEXTS), _bank(words.SENTENCES), _bank(words.CLOSERS)
TIMES, MANNERS, SEASONS, RELATIVES, COUNTS = map(_bank, (words.TIMES, words.MANNERS, words.SEASONS, words.RELATIVES, words.COUNTS))
FIRST, MIDDLE, LAST, PLACES = map(_bank, (words.FIRST, words.MIDDLE, words.LAST, words.PLACES))

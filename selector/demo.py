"""The demo pool: instruction/response pairs made up from word banks, with a structure that is known because it was planted."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa

from selector import demo_texts as texts
from selector import demo_words as words
from selector.errors import InputError

ZIPF = 1.35  # with 60 topics and 3,000 rows: a third of the rows in the first topic, 3 to 5 in each of the last
EXACT, NEAR = 0.02, 0.04  # share of rows that copy another row, to the letter or with one or two words changed
SOURCES = ("forum", "textbook", "helpdesk", "crowd")
SOURCE_WEIGHTS = (8, 4, 2, 1)
TASK_WEIGHTS = [{"classification": 1.5, "extraction": 1.0, "question answering": 2.0}.get(task, 1.0) for task in texts.TASKS]

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
    else; function words everywhere. Lengths and vocabulary have the shape of real pools: a fifth of the texts are a few words, a few
    are several hundred; words of a long tail occur a few times each, long texts carry many of them, short ones one or two.
    """
    if rows < 1:
        raise InputError(f"the demo pool needs at least one row; {rows} were asked for.")
    rng = random.Random(seed)
    exact, near = round(rows * EXACT), round(rows * NEAR)
    originals = _originals(rows - exact - near, rng)
    seen = {(row["instruction"], row["response"]) for row in originals}
    lengths = [row["instruction"].count(" ") + row["response"].count(" ") for row in originals]
    weights = [1 / (20 + length) if length > 20 else 1e-6 for length in lengths]  # of what is long enough to stay alike, rather the shorter
    copies = [(row, False) for row in rng.choices(originals, k=exact)] + [(row, True) for row in rng.choices(originals, weights, k=near)]
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
        about = texts.topic(topic, rank)
        weights = [weight * (8 if place == rank % len(SOURCES) else 1) for place, weight in enumerate(SOURCE_WEIGHTS)]
        while size:
            task = rng.choices(texts.TASKS, TASK_WEIGHTS)[0]
            pair = texts.pair(task, about, rng)
            if pair in seen:
                continue
            seen.add(pair)
            size -= 1
            skills = [task, *(["short answer"] if pair[1].count(" ") < 8 else [])]
            rows.append(
                {
                    "source": rng.choices(SOURCES, weights)[0],
                    "topic": topic,
                    "tags": rng.sample(about.tags, rng.randint(2, 3)) + skills,
                    "quality": round(rng.betavariate(4, 2), 3),
                    "copy_of": None,
                    "instruction": pair[0],
                    "response": pair[1],
                }
            )
    return rows


def _copy(row: Row, change: bool, seen: set[tuple[str, str]], rng: random.Random) -> Row:
    """The row again, from any source and with a quality of its own; with `change`, one or two words of it differ."""
    copy = {**row, "copy_of": row, "source": rng.choices(SOURCES, SOURCE_WEIGHTS)[0], "quality": round(rng.betavariate(4, 2), 3)}
    while change and (copy["instruction"], copy["response"]) in seen:
        side = max(("instruction", "response"), key=lambda side: row[side].count(" ") * rng.random())  # rather the longer one
        parts = row[side].split(" ")
        for place in rng.sample(range(len(parts)), rng.randint(1, 1 + (len(parts) > 20))):
            parts[place] = rng.choice(texts.BANKS["manner"]) if rng.random() < 0.5 else texts.name(rng).lower()
        copy[side] = " ".join(parts)
    seen.add((copy["instruction"], copy["response"]))
    return copy

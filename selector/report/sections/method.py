"""How everything on the page was found, so that it can be found again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from selector.report.blocks import Block, Column, Prose, Section, Special, Table

DEFINITIONS = (
    ("macro", "A type is a topic: a cluster of embeddings. Distances are cosine distances of unit vectors."),
    ("meso", "A type is a tag: several a text."),
    ("micro", "A type is a token of the model's own tokenizer in the mid band: neither a function word nor noise."),
    ("half", "The fewest types that make up half of all that the rows carry, a type counted once a row."),
    ("z", "(value - mean) / standard deviation over random subsets of the same size."),
    ("t", "The mean z of the judged measures of a place, divided by what it scatters for random subsets themselves."),
    ("equal length", "Random subsets drawn to have the subset's distribution of lengths in tokens on that side."),
    ("expected", "Rows of a cluster in a random subset: its share of the pool times the subset's rows."),
)
SHOWN = {
    "open": "Texts of rows are shown, cut short.",
    "no-examples": "No row's text is in this file (--no-examples); words, tags and tokens that rows share are.",
    "redact": "Nothing that rows hold is in this file (--redact): numbers stand for clusters, tags, tokens and sources.",
}


def section(found: Mapping[str, Any]) -> Section:
    """Definitions, parameters, versions, seeds."""
    features = [
        [name, key, json.dumps(value, ensure_ascii=False)] for name, told in found["features"].items() for key, value in told.items()
    ]
    blocks: list[Block] = [
        *(Prose(note[:1].upper() + note[1:] + ".", "note") for note in found["notes"]),
        _read(found["read"]),
        Table("Definitions, after arXiv 2505.24768", [Column("word"), Column("meaning")], [list(one) for one in DEFINITIONS]),
        Table("How features were found", [Column("layer/side"), Column("parameter"), Column("value")], features, folded=True),
        Table("Versions", [Column("package"), Column("version")], [list(one) for one in found["versions"].items()], folded=True),
        Special("recipe", {"recipe": found["recipe"]}),
    ]
    chance = (
        f"{found['references']} random subsets, and as many matched in length, stand beside every figure of a subset. "
        if found["references"]
        else ""
    )
    again = f"Everything random follows from the seed {found['seed']}: the same data, words and versions give the same page."
    lead = f"{chance}{again} {SHOWN[found['show']]}"
    return Section("method", "Method", lead, blocks)


def _read(read: Sequence[Mapping[str, Any]]) -> Table:
    """Which rows, so that anyone can tell whether theirs are the same."""
    columns = [
        Column("what"), Column("from"), Column("rows read", ",.0f"), Column("left out"), Column("repeated", ",.0f"),
        Column("rows used", ",.0f"), Column("fingerprint"),
    ]  # fmt: skip
    rows = [
        [one["name"], one["source"], one["read"], ", ".join(f"{count:,} {why}" for why, count in one["dropped"].items()) or "none",
         one["repeated"], one["rows"], one["fingerprint"]]
        for one in read
    ]  # fmt: skip
    return Table("What was read", columns, rows)

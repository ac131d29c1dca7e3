"""What a selection says of itself: how diverse it is at the layer and side that it was made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selector.report.blocks import Block, Column, Prose, Section, Table
from selector.words import lengths, verdict


def section(found: Mapping[str, Any]) -> Section:
    """First on the page of a selection: the verdict that stands in its manifest, its figures, what to change where it is thin."""
    entries = found["diversity"]
    places = [f"{one['side']}/{one['layer']}" for one in entries]
    lead = " ".join(f"At {place} the picks are {verdict(one)}." for place, one in zip(places, entries, strict=True))
    columns = [Column("place"), Column("figure"), Column("picks", ",.6g"), Column("random rows", ",.6g"), Column("same lengths", ",.6g")]
    rows = [
        [place, one["name"], one["picks"], one["random"], one["same_lengths"]]
        for place, entry in zip(places, entries, strict=True)
        for one in entry["figures"]
    ]
    kept = " Rows that were kept count with every set." if entries[0]["kept"] else ""
    said = f"Means of {entries[0]['sets']} random sets of as many rows, and of {entries[0]['sets']} with the lengths of the picks.{kept}"
    advice: list[Block] = [Prose(f"{one}.", "bad") for one in found["advice"]]
    about = [Prose(said, "note"), Prose(f"Lengths: {lengths(found['lengths'])}.", "note")]
    return Section(
        "own", "Is it diverse where it was meant to be?", lead, [*advice, Table("The picks beside chance", columns, rows), *about]
    )

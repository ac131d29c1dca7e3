"""What a person sees of a history: what drifted since when, then batch by batch, within 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selector.terminal import grid, lines

if TYPE_CHECKING:  # a table needs none of the compiled loops behind it
    from selector.histories import Batch, History

LATEST = 20  # batches in the table
MOST = 24  # drifts in the table, those that last first
LONGEST = 16  # characters of a label in the table
WORDS = {"as random": ".", "no verdict": "-", "thin": "THIN", "diverse": "DIVERSE"}


def monitored(history: History, path: str, page: str) -> None:
    """The last batch's answer, what drifted, one line a batch, and what must be known."""
    from selector.drift import DIVERSITY
    from selector.histories import drifts

    batches = history.batches
    lines(history.lead, {})
    if found := drifts(history):
        grid("\ndrift", ["where", "what", "when", "in its first batch"], [[one.where, one.what, one.when, one.how] for one in found[:MOST]])
    places = list(dict.fromkeys(one.name for batch in batches for one in batch.watched if one.kind == DIVERSITY))
    if places:
        head = ["batch", *(place.replace("instruction/", "instr.\n").replace("response/", "resp.\n") for place in places), "other"]
        grid(f"\n{len(batches)} batches", head, [_line(batch, places) for batch in batches[-LATEST:]])
    lines("", _below(history, len(found), path, page))


def _line(batch: Batch, places: list[str]) -> list[str]:
    words = {one.name: one.word for one in batch.watched}
    label = batch.label if len(batch.label) <= LONGEST else f"{batch.label[: LONGEST - 1]}…"
    if not words:
        return [label, *("first" for _ in places), ""]
    other = sum(one.name not in places for one in batch.flagged)
    return [label, *(WORDS[words[place]] if place in words else "-" for place in places), str(other) if other else "."]


def _below(history: History, drifted: int, path: str, page: str) -> dict[str, str]:
    last, words = history.batches[-1], history.recipe.monitor
    said = {
        "words": ". as random sets; THIN, DIVERSE: outside what they reach; other: figures, shares outside; usual: random sets, mean ± sd"
    }
    if last.base_rows:
        against = f"the pool {history.recipe.pool.source}" if history.recipe.pool else _named(last.base, len(history.batches) - 1)
        said[last.label] = f"{last.rows:,} distinct rows of {last.at}, held against {last.base_rows:,} rows of {against}"
        said["limits"] = (
            f"{words.references} random sets of its size from all these rows; of 100 batches that are like the others at most "
            f"{100 * words.level:g} are flagged for diversity and {100 * words.level:g} for anything else"
        )
    if len(history.batches) > LATEST or drifted > MOST:
        said["not here"] = f"{max(0, len(history.batches) - LATEST)} earlier batches and {max(0, drifted - MOST)} drifts: see the page"
    if notes := history.notes:
        said["note"] = "\n".join(notes)
    said["written"] = f"{path}, {page}"
    return said


def _named(labels: list[str], earlier: int) -> str:
    if len(labels) <= 2:
        return " and ".join(labels)
    return (
        f"the {earlier} batches before it" if len(labels) == earlier else f"{len(labels)} of the {earlier} batches before it, none flagged"
    )

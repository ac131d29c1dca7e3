"""Redundancy: copies and near-duplicates in the pool, by source and in subsets, with examples side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Example, Examples, Prose, Section, Table
from selector.report.phrases import against_random, counted, listed, percent, standing


def section(found: Mapping[str, Any]) -> Section:
    """Groups by size, by source and by subset; then some of them."""
    blocks: list[Block] = []
    if found["refused"]:
        blocks.append(Prose(f"Exact copies only were looked for: {found['refused']}", "bad"))
    if found["dropped"]:
        dropped = listed([f"{count:,} {reason}" for reason, count in found["dropped"].items()])
        blocks.append(Prose(f"Hygiene left these rows out before anything else on this page was measured: {dropped}."))
    blocks.append(_counts(found))
    if found["near"]["groups"]:
        blocks.append(_sizes(found))
        if found["sources"] is not None:
            blocks.append(_sources(found))
    if found["subsets"]:
        blocks += [_subsets(found, key) for key in ("in_groups", "again")]
    if found["examples"]:
        blocks.append(_examples(found["examples"]))
    blocks.append(Prose(_note(found), "note"))
    return Section("redundancy", "Redundancy", _lead(found), blocks)


def _lead(found: Mapping[str, Any]) -> str:
    near, exact = found["near"], found["exact"]
    if not near["groups"]:
        return f"None of the {counted(found['rows'], 'row')} of the pool repeats another one{' exactly' if found['refused'] else ''}."
    what = "exact copies" if found["refused"] else "near-duplicates"
    exactly = "" if found["refused"] else f" (exact: {exact['again']:,})"
    told = [
        f"{near['rows']:,} of {found['rows']:,} rows of the pool ({percent(near['rows'] / found['rows'])}) stand in "
        f"{counted(near['groups'], 'group')} of {what}, the largest of {found['largest']:,} rows; without {near['again']:,} of them "
        f"nothing would repeat{exactly}."
    ]
    listed_sources = [one for one in (found["sources"] or {"listed": []})["listed"] if one["in_groups"]]
    by_rows = sorted(listed_sources, key=lambda one: -one["in_groups"])
    if by_rows and (len(by_rows) == 1 or by_rows[0]["in_groups"] > by_rows[1]["in_groups"]):
        most = by_rows[0]
        told.append(f"The source with most of them is {most['name']}: {most['in_groups']:,} rows, {percent(most['share'])} of that source.")
    told += [
        f"{one['name']} repeats itself in {standing(one['again'], found['sets'], 'of its rows')}."
        for one in found["subsets"]
        if one["again"]["stands"] != "within"
    ]
    return " ".join(told)


def _counts(found: Mapping[str, Any]) -> Table:
    near, exact = found["near"], found["exact"]
    columns = [Column("what is repeated"), Column("groups", ",.0f"), Column("rows in them", ",.0f"), Column("rows too many", ",.0f")]
    rows: list[list[Any]] = [["the pair, exactly", exact["groups"], exact["rows"], exact["again"]]]
    if not found["refused"]:
        rows.append(["the pair, exactly or nearly", near["groups"], near["rows"], near["again"]])
    rows += [[f"the {side} alone, exactly", one["groups"], one["rows"], one["again"]] for side, one in found["same_side"].items()]
    return Table(f"Copies among the {found['rows']:,} rows of the pool", columns, rows)


def _sizes(found: Mapping[str, Any]) -> Chart:
    last = max(place for place, one in enumerate(found["sizes"]) if one["groups"])
    labels = [f"{one['rows']} rows" for one in found["sizes"][: last + 1]]
    groups = [one["groups"] for one in found["sizes"][: last + 1]]
    figure = charts.figure(
        [charts.bars("groups", labels, groups, 0)], "groups", "", xaxis={"dtick": 1} if max(groups) <= 10 else {},
        yaxis={"autorange": "reversed", "type": "category"}, showlegend=False,
    )  # fmt: skip
    says = (
        f"How many groups have how many rows. {counted(found['near']['groups'], 'group')} in all, the largest of {found['largest']:,} rows."
    )
    numbers = Table(
        "Groups by size", [Column("rows of the group"), Column("groups", ",.0f")], list(zip(labels, groups, strict=True)), folded=True
    )
    return Chart("Sizes of the groups", figure, says, numbers, 110 + 26 * len(labels))


def _sources(found: Mapping[str, Any]) -> Chart:
    some = found["sources"]["listed"]
    labels = [one["name"] for one in some]
    figure = charts.figure(
        [charts.bars("rows in groups", labels, [one["share"] for one in some], 0)],
        "share of the source's rows that stand in a group", "", xaxis={"tickformat": ".2~%"},
        yaxis={"autorange": "reversed", "type": "category"}, showlegend=False,
    )  # fmt: skip
    most = max(some, key=lambda one: one["share"])
    across = found["sources"]["groups_across"]
    says = (
        f"{most['name']} repeats itself most: {percent(most['share'])} of its {most['rows']:,} rows stand in a group. "
        f"{counted(across, 'group') if across else 'No group'} {'have' if across > 1 else 'has'} rows of several sources."
    )
    columns = [Column("source"), Column("rows", ",.0f"), Column("rows in groups", ",.0f"), Column("share", ".2%")]
    numbers = Table(
        "Redundancy by source", columns, [[one["name"], one["rows"], one["in_groups"], one["share"]] for one in some], folded=True
    )
    return Chart("By source", figure, says, numbers, 120 + 26 * len(some))


def _subsets(found: Mapping[str, Any], key: str) -> Block:
    rows = [(one["name"], one[key]) for one in found["subsets"]]
    if key == "in_groups":
        title, axis = "Rows of subsets with a near-duplicate in the pool", "share of the subset's rows"
        says = "Share of a subset's rows that have a near-duplicate among the pool's, in the subset or not, beside random sets of its size."
    else:
        title, axis = "Rows of subsets that repeat another row of the subset", "share of the subset's rows"
        says = "Share of a subset's rows that could go so that no group has two rows in it: what it spends on copies, beside random sets."
    if not any(one[end] for _, one in rows for end in ("value", "high")):
        if key == "in_groups":
            return Prose(f"No row of a subset has a near-duplicate in the pool, and none of its {found['sets']} random sets' rows has one.")
        return Prose(f"No subset repeats one of its own rows, nor does one of its {found['sets']} random sets.")
    return against_random(title, axis, rows, found["sets"], says)


def _examples(groups: list[dict[str, Any]]) -> Examples:
    shown = []
    for group in groups:
        texts = []
        for one in group["shown"]:
            where = f"row {one['row']:,}" + (f", {one['source']}" if one["source"] is not None else "")
            like = "" if one["similarity"] is None else f", similarity {one['similarity']:.2f}"
            texts.append((f"{where}{like}", " ⟶ ".join(one["texts"].values())))
        shown.append(Example(f"Group of {group['rows']:,} rows", texts))
    return Examples("Groups of near-duplicates, instruction ⟶ response: the first row and those least like it", shown)


def _note(found: Mapping[str, Any]) -> str:
    return (
        ("The pool as it was read. " if found["as_read"] else "The pool's rows that hygiene left: what it dropped is not among them. ")
        + "Exact: equal after Unicode form NFKC, case folding and single spaces. Near: a Jaccard similarity of "
        f"{found['threshold']:g} or more between the sets of runs of 5 characters of both sides together; going down the rows, each joins "
        "the first earlier row that it is similar to and that has joined none itself. Nothing is sampled. Rows "
        "too many: all of a group but one."
    )

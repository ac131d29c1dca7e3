"""Tags: how unevenly they are spread, which of them subsets cover and lack."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Prose, Section, Table
from selector.report.phrases import STANDS, against_random, coverage_of, listed, percent

NAMED = 5  # tags in a cell


def section(found: Mapping[str, Any]) -> Section | None:
    """None where no row of the pool has a tag."""
    sides = found["sides"]
    if not sides:
        return None
    blocks: list[Block] = [_lorenz(sides)]
    covered = [(f"{one['name']}, {side}s", one["share"]) for side, said in sides.items() for one in said["subsets"]]
    if covered:
        blocks += [_coverage(covered, found["sets"]), _notable(sides), *(_bands(side, said) for side, said in sides.items())]
    for side, said in sides.items():
        blocks += [_top(side, said), _pairs(side, said)]
    for side, said in sides.items():
        if said["subsets"]:
            blocks += [_missing(side, said)]
            if any(one[key]["count"] for one in said["subsets"] for key in ("over", "under")):
                blocks.append(_apart(side, said))
    blocks.append(Prose(_note(sides, found["sets"], bool(covered)), "note"))
    return Section("tags", "Tags (meso)", _lead(found), blocks)


def _lead(found: Mapping[str, Any]) -> str:
    told = [
        f"Half of all tagging of {side}s falls on {percent(said['half']['tags'] / said['half']['of'])} of the tags "
        f"({said['half']['tags']:,} of {said['half']['of']:,}; Gini {said['gini']:.2f})."
        for side, said in found["sides"].items()
    ]
    return " ".join([*told, *coverage_of({side: said["subsets"] for side, said in found["sides"].items()}, "tags", found["sets"])])


def _lorenz(sides: Mapping[str, Any]) -> Chart:
    data: list[dict[str, Any]] = [charts.line("all tags equally often", [0, 1], [0, 1], 2, colour=charts.RANDOM)]
    columns: list[Column] = []
    for number, (side, said) in enumerate(sides.items()):
        data.append(charts.line(f"{side}s", [x for x, _ in said["lorenz"]], [y for _, y in said["lorenz"]], number))
        columns += [Column(f"{side}s: share of tags, rarest first", ".1%"), Column("share of their occurrences", ".1%")]
    curves = [said["lorenz"][::10] for said in sides.values()]
    rows = [[value for point in points for value in point] for points in zip_longest(*curves, fillvalue=(None, None))]
    figure = charts.figure(
        data, "share of the tags, the rarest first", "share of their occurrences", xaxis={"tickformat": ".0%"}, yaxis={"tickformat": ".0%"}
    )
    gini = listed([f"{said['gini']:.2f} on {side}s" for side, said in sides.items()])
    says = (
        "Lorenz curve of the pool's tags: how much of all tagging the rarest so many have. The farther it hangs below the straight "
        f"line, the fewer tags have most of it. Gini coefficient {gini} (0: all equally often; towards 1: a few have nearly all)."
    )
    return Chart("How unevenly tags are spread", figure, says, Table("Lorenz curve: every tenth point", columns, rows, folded=True))


def _coverage(covered: list[tuple[str, Mapping[str, Any]]], sets: int) -> Chart:
    off = [f"{label}: {STANDS[one['stands']][2:]}" for label, one in covered if one["stands"] != "within"]
    says = (
        f"Share of the pool's tags that some row of a subset carries, beside {sets} random sets of its size. "
        + (f"Outside of what these reach: {'; '.join(off)}." if off else "No subset is outside of what these reach.")
    )  # fmt: skip
    return against_random("Tags covered", "share of the pool's tags covered", covered, sets, says)


def _bands(side: str, said: Mapping[str, Any]) -> Table:
    columns = [
        Column("subset"), Column("tags that so many rows of the pool carry"), Column("tags", ",.0f"), Column("covered", ".1%"),
        Column("random mean", ".1%"), Column("lowest", ".1%"), Column("highest", ".1%"), Column("stands"),
    ]  # fmt: skip
    rows: list[list[Any]] = []
    for one in said["subsets"]:
        own = [(band["rows"], band["tags"], band) for band in one["bands"]]
        for words, tags, band in [*own, ("all, weighted by these rows", said["tags"], one["occurrences"])]:
            rows.append([one["name"], words, tags, *(band[key] for key in ("value", "mean", "low", "high")), STANDS[band["stands"]]])
    return Table(f"Tags of {side}s covered, by how rare they are", columns, rows, folded=True)


def _notable(sides: Mapping[str, Any]) -> Table:
    columns = [
        Column("subset"), Column("side"), Column("tags missing", ",.0f"), Column("most frequent of them"),
        Column("carried too often"), Column("too seldom"),
    ]  # fmt: skip
    rows = [
        [
            one["name"], side, one["missing"]["count"], _names(one["missing"]),
            *(f"{one[key]['count']:,}" + (f": {names}" if (names := _names(one[key])) else "") for key in ("over", "under")),
        ]
        for side, said in sides.items()
        for one in said["subsets"]
    ]  # fmt: skip
    return Table("Tags that subsets lack, and carry more or less often than chance explains", columns, rows)


def _names(found: Mapping[str, Any]) -> str:
    return ", ".join(one["name"] for one in found["shown"][:NAMED])


def _top(side: str, said: Mapping[str, Any]) -> Table:
    columns = [Column("tag"), Column("rows", ",.0f"), Column("share of rows", ".2%")]
    rows = [[one["name"], one["rows"], one["share"]] for one in said["top"]]
    return Table(f"Most frequent tags of {side}s ({len(rows)} of {said['tags']:,})", columns, rows, folded=True)


def _pairs(side: str, said: Mapping[str, Any]) -> Table:
    columns = [Column("tag"), Column("and tag"), Column("rows", ",.0f"), Column("times what chance gives", ",.1f")]
    rows = [[*one["names"], one["rows"], one["lift"]] for one in said["pairs"]]
    return Table(f"Most frequent pairs of tags in one {side}", columns, rows, folded=True)


def _missing(side: str, said: Mapping[str, Any]) -> Table:
    columns = [Column("subset"), Column("tag that no row carries"), Column("rows of the pool", ",.0f")]
    rows = [[one["name"], tag["name"], tag["rows"]] for one in said["subsets"] for tag in one["missing"]["shown"]]
    counts = listed([f"{one['name']} lacks {one['missing']['count']:,}" for one in said["subsets"]])
    shown = max(len(one["missing"]["shown"]) for one in said["subsets"])
    return Table(f"Tags of {side}s that are missing: {counts}; the {shown} most frequent of each", columns, rows, folded=True)


def _apart(side: str, said: Mapping[str, Any]) -> Table:
    columns = [
        Column("subset"), Column("direction"), Column("tag"), Column("rows", ",.0f"), Column("share", ".2%"),
        Column("share in the pool", ".2%"), Column("times the pool's", ",.2f"),
    ]  # fmt: skip
    rows, counts = [], []
    for one in said["subsets"]:
        for key, words in (("over", "▲ over"), ("under", "▼ under")):
            rows += [[one["name"], words, tag["name"], tag["rows"], tag["share"], tag["pool"], tag["ratio"]] for tag in one[key]["shown"]]
        counts.append(f"{one['name']} {one['over']['count']:,} over and {one['under']['count']:,} under")
    caption = f"Tags of {side}s carried too often or too seldom: {listed(counts)}; those farthest off"
    return Table(caption, columns, rows, folded=True)


def _note(sides: Mapping[str, Any], sets: int, subsets: bool) -> str:
    without = listed([f"{said['rows_without']:,} of {said['rows']:,} {side}s" for side, said in sides.items()])
    told = [f"A tag counts once for each row that carries it. {without} carry no tag."]
    if subsets:
        told.append(
            f"Beside each subset stand {sets} random sets of the pool of its size: one more random set would lie outside the lowest and "
            f"the highest of them with probability {100 * 2 / (sets + 1):.0f} %. Over and under: more or fewer rows than random draws "
            "explain, by the exact tail of the hypergeometric distribution (binomial where a subset has rows that the pool "
            "lacks) at 5 % over all tags together (Bonferroni)."
        )
    return " ".join(told)

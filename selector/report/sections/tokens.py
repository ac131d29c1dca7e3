"""Tokens: rank and frequency, how the mid band is covered as rows are added, what only one subset has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Prose, Section, Table
from selector.report.phrases import STANDS, against_random, counted, coverage_of, listed, percent

BANDS = {"high": "high: function words", "mid": "mid: what the layer counts", "low": "low: names, typos, noise"}
NAMED = 8  # tokens in a cell


def section(found: Mapping[str, Any]) -> Section | None:
    """None where no row of the pool has a mid-band token."""
    sides = found["sides"]
    if not sides:
        return None
    blocks: list[Block] = [_halves(sides)]
    blocks += [_curve(side, said) for side, said in sides.items()]
    blocks += [_growth(side, said, found["sets"], found["orders"]) for side, said in sides.items()]
    covered = [(f"{one['name']}, {side}s", one["share"]) for side, said in sides.items() for one in said["subsets"]]
    if covered:
        blocks += [_coverage(covered, found["sets"]), _notable(sides)]
        blocks += [_only(side, said) for side, said in sides.items()]
    blocks += [_sources(side, said) for side, said in sides.items() if said["sources"] is not None]
    blocks.append(Prose(_note(sides, found["sets"], bool(covered)), "note"))
    return Section("tokens", "Tokens (micro)", _lead(found), blocks)


def _lead(found: Mapping[str, Any]) -> str:
    told = []
    for side, said in found["sides"].items():
        half = said["half_of_rows"]
        told.append(
            f"Half of the {side}s get by with {percent(half['types'] / half['of'])} of the mid-band vocabulary, and half of all mid-band "
            f"use in {side}s falls on {percent(said['half_of_occurrences'] / said['vocabulary'])} of it."
        )
    return " ".join([*told, *coverage_of({side: one["subsets"] for side, one in found["sides"].items()}, "mid-band tokens", found["sets"])])


def _halves(sides: Mapping[str, Any]) -> Table:
    columns = [
        Column("side"), Column("mid-band tokens", ",.0f"), Column("used by a half of the rows", ",.0f"), Column("share", ".1%"),
        Column("rows of that half", ",.0f"), Column("that make up half of all use", ",.0f"), Column("share", ".1%"),
    ]  # fmt: skip
    rows = []
    for side, said in sides.items():
        half, most = said["half_of_rows"], said["half_of_occurrences"]
        rows.append([side, said["vocabulary"], half["types"], half["types"] / half["of"], half["rows"], most, most / said["vocabulary"]])
    return Table("How little of the mid band half of the pool uses", columns, rows)


def _curve(side: str, said: Mapping[str, Any]) -> Chart:
    curve = said["curve"]
    data = []
    for number, (band, words) in enumerate(BANDS.items()):
        some = [(rank, count) for rank, count, own in curve if own == band]
        if some:
            data.append(charts.line(words, [rank for rank, _ in some], [count for _, count in some], number))
    ranks = [1, curve[-1][0]]
    for number, (name, count) in enumerate((("highest of the band", said["high"]), ("lowest of the band", said["low"])), start=2):
        data.append({**charts.line(f"{name}: {count:,}", ranks, [count, count], number, colour=charts.RANDOM)})
    figure = charts.figure(data, "rank of the token", "occurrences", xaxis={"type": "log", "dtick": 1}, yaxis={"type": "log", "dtick": 1})
    told = [
        f"{one['tokens']:,} tokens of the {one['band']} band make up {percent(one['share'])} of all occurrences" for one in said["bands"]
    ]
    says = (
        f"Every token of the {side}s by how often it occurs, both axes in powers of ten. {listed(told)}. The mid band is "
        f"{said['low']:,} to {said['high']:,} occurrences in {counted(said['rows_counted'], 'row')} (tokenizer {said['tokenizer']})."
    )
    columns = [Column("rank", ",.0f"), Column("occurrences", ",.0f"), Column("band")]
    numbers = [one for place, one in enumerate(curve) if place % 10 == 0 or place == len(curve) - 1]
    return Chart(
        f"Rank and frequency: {side}s", figure, says, Table("Rank and frequency: every tenth point", columns, numbers, folded=True)
    )


def _growth(side: str, said: Mapping[str, Any], sets: int, orders: int) -> Chart:
    grown = said["growth"]
    rows = grown["rows"]
    data = charts.band(f"{sets} random orders of the pool: lowest to highest", rows, grown["low"], grown["high"])
    data.append(charts.line("mean of these", rows, grown["mean"], 2, colour=charts.RANDOM))
    columns = [Column("rows", ",.0f"), Column("random lowest", ".2%"), Column("mean", ".2%"), Column("highest", ".2%")]
    for number, one in enumerate(said["subsets"]):
        data.append(charts.line(one["name"], rows[: len(one["growth"])], one["growth"], number))
        columns.append(Column(one["name"], ".2%"))
    lines = [
        [
            count, grown["low"][place], grown["mean"][place], grown["high"][place],
            *(one["growth"][place] if place < len(one["growth"]) else None for one in said["subsets"]),
        ]
        for place, count in enumerate(rows)
    ]  # fmt: skip
    picked = [one["name"] for one in said["subsets"] if one["own_order"]]
    shuffled = [one["name"] for one in said["subsets"] if not one["own_order"]]
    order = [f"{listed(picked)} in the order of picking"] if picked else []
    order += [f"{listed(shuffled)} as the mean over {orders} random orders"] if shuffled else []
    says = (
        f"Share of the {said['vocabulary']:,} mid-band tokens of the {side}s that the first rows carry, by their number (powers of ten). "
        f"The band is what random rows of the pool reach{'; ' + ', '.join(order) if order else ''}."
    )
    figure = charts.figure(data, "rows", "share of the mid band covered", xaxis={"type": "log", "dtick": 1}, yaxis={"tickformat": ".0%"})
    return Chart(f"Mid band covered as rows are added: {side}s", figure, says, Table("Coverage by rows", columns, lines, folded=True), 380)


def _coverage(covered: list[tuple[str, Mapping[str, Any]]], sets: int) -> Chart:
    off = [f"{label}: {STANDS[one['stands']][2:]}" for label, one in covered if one["stands"] != "within"]
    says = (
        f"Share of the mid-band tokens that some row of a subset carries, beside {sets} random sets of its size. "
        + (f"Outside of what these reach: {'; '.join(off)}." if off else "No subset is outside of what these reach.")
    )  # fmt: skip
    return against_random("Mid-band tokens covered", "share of the mid band covered", covered, sets, says)


def _notable(sides: Mapping[str, Any]) -> Table:
    columns = [Column("subset"), Column("side"), Column("tokens that it alone has", ",.0f"), Column("most frequent of them in the pool")]
    rows = [
        [one["name"], side, one["only"]["count"], " · ".join(token["name"] for token in one["only"]["shown"][:NAMED])]
        for side, said in sides.items()
        for one in said["subsets"]
    ]
    return Table("Mid-band tokens that only one subset covers, among the subsets and its random set", columns, rows)


def _only(side: str, said: Mapping[str, Any]) -> Table:
    by_source = said["sources"] is not None
    columns = [Column("subset"), Column("token"), Column("rows of the subset", ",.0f"), Column("rows of the pool", ",.0f")]
    columns += [Column("most of them from")] if by_source else []
    rows = [
        [one["name"], token["name"], token["rows"], token["pool"], *([token["source"]] if by_source else [])]
        for one in said["subsets"]
        for token in one["only"]["shown"]
    ]
    counts = listed([f"{one['name']} {one['only']['count']:,}" for one in said["subsets"]])
    others = "no other subset, nor its random set, has" if len(said["subsets"]) > 1 else "its random set lacks"
    return Table(f"Tokens of {side}s that a subset covers and {others}: {counts}; the most frequent of each", columns, rows, folded=True)


def _sources(side: str, said: Mapping[str, Any]) -> Table:
    columns = [Column("source"), Column("rows of the pool", ",.0f"), Column("pool", ".1%")]
    columns += [Column(one["name"], ".1%") for one in said["subsets"]]
    rows = [
        [source["name"], source["rows"], source["share"], *(one["sources"][number] for one in said["subsets"])]
        for number, source in enumerate(said["sources"])
    ]
    of = "of the pool, and by those in each subset" if said["subsets"] else "of the pool"
    return Table(f"Share of the mid band of {side}s that is covered by each source's rows {of}", columns, rows)


def _note(sides: Mapping[str, Any], sets: int, subsets: bool) -> str:
    halves = listed([f"{said['half_of_rows']['rows']:,} of {said['half_of_rows']['among']:,} {side}s" for side, said in sides.items()])
    told = (
        f"A half that gets by with few tokens: {halves} (those with a mid-band token), found by taking away the token that the fewest "
        "remaining rows carry, with these rows, while half of the rows remain. The narrowest half may need fewer tokens still, never more. "
        "Use: a token counts once for each row that carries it."
    )
    if subsets:
        told += (
            f" One more random set would lie outside the lowest and the highest of {sets} with probability {100 * 2 / (sets + 1):.0f} %."
        )
    return told

"""Subsets side by side: every measure, and the rows they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Prose, Section, Table
from selector.report.phrases import percent

SIGNS = {1: "▲ up", -1: "▼ down", 0: "–"}
STRONG = 2.0  # standard deviations from random: told in words


def section(found: Mapping[str, Any]) -> Section:
    """One table a side, and overlaps where there are several."""
    names, blocks = found["names"], list[Block]()
    if len(names) > 1:
        blocks += [_overlap(names, found), _shared(names, found)]
    for side in ("instruction", "response"):
        some = [one for one in found["measures"] if one["side"] == side]
        if some:
            blocks.append(_measures(side, names, some))
    blocks.append(
        Prose(
            "Paper r is Pearson's correlation of the measure with a judge's score over the sets of arXiv 2505.24768: more of a measure is "
            "not by itself good news, and length went with scores more than anything else. %-ile: percentile among the random subsets. "
            + " ".join(f"{note[:1].upper()}{note[1:]}." for note in found["notes"]),
            "note",
        )
    )
    return Section("subsets", "Subsets side by side", _lead(found), blocks)


def _lead(found: Mapping[str, Any]) -> str:
    said = []
    for number, name in enumerate(found["names"]):
        zs = [(abs(one["subsets"][number]["z"]), one) for one in found["measures"] if one["subsets"][number]["z"] is not None]
        off = sum(z > STRONG for z, _ in zs)
        if not zs:
            continue
        _, most = max(zs, key=lambda one: one[0])
        z = most["subsets"][number]["z"]
        farthest = f"; farthest is {most['measure']} at {most['side']}/{most['layer']} (z = {z:+,.1f})" if off else ""
        said.append(f"{name} is more than {STRONG:.0f} standard deviations from random subsets in {off} of {len(zs)} measures{farthest}.")
    return " ".join(said) or "Every figure of the subsets, at one size."


def _measures(side: str, names: Sequence[str], some: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("measure"),
        Column("layer"),
        Column("more diverse"),
        Column("paper r", "+.2f"),
    ]
    for name in names:
        columns += [Column(name, ",.4g"), Column("z", "+,.1f"), Column("%-ile", ".0f")]
    columns += [Column("random mean", ",.4g"), Column("random sd", ",.2g")]  # last: where a screen is narrow these are out of sight
    rows: list[list[Any]] = []
    for one in some:
        row = [
            one["measure"] + (" *" if one["judged"] else ""),
            one["layer"],
            SIGNS[one["direction"]],
            one["paper_r"],
        ]
        for figures in one["subsets"]:
            row += [figures["value"], figures["z"], figures["percentile"]]
        rows.append([*row, one["random_mean"], one["random_sd"]])
    return Table(f"{side.capitalize()}s, beside random subsets of the same size (* judged)", columns, rows)


def _shared(names: Sequence[str], found: Mapping[str, Any]) -> Table:
    rows = [[name, *found["shared"][number]] for number, name in enumerate(names)]
    return Table("Rows that two subsets share", [Column("subset"), *(Column(name, ",.0f") for name in names)], rows, folded=True)


def _overlap(names: Sequence[str], found: Mapping[str, Any]) -> Chart:
    """A heat map with its numbers in it."""
    labels = [charts.plain(name) for name in names]
    values = found["jaccard"]
    data = {
        "type": "heatmap", "x": labels, "y": labels, "z": values, "zmin": 0, "zmax": 1, "showscale": False,
        "colorscale": [[0, "--raised"], [1, "--series-1"]], "xgap": 2, "ygap": 2, "hoverinfo": "skip",
        "text": [[f"{value:.1%}" for value in line] for line in values], "texttemplate": "%{text}",
    }  # fmt: skip
    pairs = [(values[i][j], names[i], names[j]) for i in range(len(names)) for j in range(i)]
    most = max(pairs)
    said = f"Rows in both, as a share of rows in either (Jaccard). {most[1]} and {most[2]} share most: {percent(most[0])}."
    figure = charts.figure([data], "", "", yaxis={"autorange": "reversed"}, margin={"l": 10, "r": 10, "t": 10, "b": 30})
    return Chart("Overlap", figure, said, None, 90 + 42 * len(names))

"""The macro map, and the clusters that subsets prefer or pass over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selector.errors import plural
from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Prose, Section, Special, Table
from selector.report.phrases import listed

STRONG = 4.0  # standard deviations: among 200 clusters and some subsets, chance alone hardly ever gets there
SHOWN = 12  # clusters in a chart


def section(found: Mapping[str, Any]) -> Section:
    """The map with both sides, then a table of clusters for each side."""
    names = [one["name"] for one in found["sets"] if one["kind"] == "subset"]
    every = found["pool_points"] == found["pool_rows"]
    more = any(one["rows"] > found["each"] for one in found["sets"] if one["kind"] == "subset")
    each = f", and of each subset {found['each']:,} by chance where it has more" if more else ", and all rows of the subsets"
    drawn = (
        (f"All {found['pool_rows']:,} rows of the pool are drawn" if every else
         f"{found['points']:,} rows are drawn: {found['pool_points']:,} of the pool's {found['pool_rows']:,} by chance")
        + (each if names else "")
        + ". Rows of like meaning lie near each other (UMAP); distances across the map mean little, and shares are of all rows."
    )  # fmt: skip
    blocks: list[Block] = [
        Special("map", {"sets": [one["name"] for one in found["sets"]], "sides": list(found["sides"])}),
        Prose(drawn, "note"),
    ]
    for side, told in found["sides"].items():
        for number, name in enumerate(names):
            if chart := _preferred(side, number, name, told["clusters"]):
                blocks.append(chart)
        blocks.append(_table(side, names, told))
    return Section("map", "Map of meaning", _lead(names, found["sides"]), blocks)


def _lead(names: Sequence[str], sides: Mapping[str, Any]) -> str:
    said = []
    for side, told in sides.items():
        if told["clusters"]:
            largest, all_of_them = told["clusters"][0], plural(told["all_clusters"], "cluster")
            said.append(f"{side.capitalize()}s fall into {all_of_them}; the largest ({largest['name']}) has {largest['rows']:,} rows.")
    same = []
    for number, name in enumerate(names):
        zs = [one["subsets"][number]["z"] for told in sides.values() for one in told["clusters"]]
        over, under = sum(z is not None and z > STRONG for z in zs), sum(z is not None and z < -STRONG for z in zs)
        if over or under:
            said.append(f"{name} holds far more rows of {plural(over, 'cluster')} and far fewer of {under:,} than chance would.")
        else:
            same.append(name)
    if same:
        said.append(f"{listed(same)} {'holds' if len(same) == 1 else 'hold'} of every cluster about what chance would give.")
    return " ".join(said)


def _preferred(side: str, number: int, name: str, clusters: Sequence[Mapping[str, Any]]) -> Chart | None:
    """The clusters that the subset holds most and least of beyond chance; None where there are none."""
    usable = [one for one in clusters if one["subsets"][number]["z"] is not None and abs(one["subsets"][number]["z"]) > STRONG]
    if not usable:
        return None
    chosen = sorted(sorted(usable, key=lambda one: -abs(one["subsets"][number]["z"]))[:SHOWN], key=lambda one: -_times(one, number))
    labels = [one["name"] for one in chosen]
    rows, expected = [one["subsets"][number]["rows"] for one in chosen], [one["subsets"][number]["expected"] for one in chosen]
    data = [charts.bars(name, labels, rows, number), charts.bars("expected by chance", labels, expected, 4, colour=charts.RANDOM)]
    figure = charts.figure(
        data, "rows", "", barmode="group", bargap=0.25, yaxis={"autorange": "reversed"}, margin={"l": 10, "r": 16, "t": 10, "b": 48}
    )
    ends = [chosen[0]] if len(chosen) == 1 else [chosen[0], chosen[-1]]
    said = f"{name} against chance: {'; '.join(_said(one, number) for one in ends)}."
    return Chart(f"{side.capitalize()}s: clusters that {name} prefers or passes over", figure, said, None, 110 + 34 * len(chosen))


def _times(one: Mapping[str, Any], number: int) -> float:
    told = one["subsets"][number]
    return float(told["rows"] / told["expected"]) if told["expected"] else 0.0


def _said(one: Mapping[str, Any], number: int) -> str:
    told = one["subsets"][number]
    return f"{one['name']} has {told['rows']:,} rows where {told['expected']:,.0f} are expected"


def _table(side: str, names: Sequence[str], told: Mapping[str, Any]) -> Table:
    columns = [Column("cluster"), Column("rows", ",.0f")]
    for name in names:
        columns += [Column(name, ",.0f"), Column("expected", ",.1f"), Column("z", "+,.1f")]
    rows: list[list[Any]] = []
    for one in told["clusters"]:
        row = [one["name"], one["rows"]]
        for held in one["subsets"]:
            row += [held["rows"], held["expected"], held["z"]]
        rows.append(row)
    more = f"the {len(rows)} largest of {told['all_clusters']:,}" if len(rows) < told["all_clusters"] else f"all {len(rows)}"
    return Table(f"Clusters of {side}s: {more}", columns, rows, folded=True)

"""Figures and lists as a sentence says them, and the picture of figures beside random sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selector.report import charts
from selector.report.blocks import Chart, Column, Table

STANDS = {"below": "▼ below all", "within": "● within", "above": "▲ above all"}


def percent(share: float | None) -> str:
    """`0.03 %`, `4.2 %`, `61 %`; a share that is not quite all or none is never called so."""
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    scaled = 100 * share
    for digits in (0 if 10 <= scaled < 99 else 1 if 1 <= scaled < 99.9 else 2, 3, 4):
        said = f"{scaled:.{digits}f}"
        if 0 < float(said) < 100:
            return f"{said} %"
    return "under 0.0001 %" if scaled < 50 else "over 99.9999 %"


def listed(some: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"


def counted(count: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def standing(one: Mapping[str, Any], sets: int, of: str) -> str:
    """`59 % of the tags, below all 20 random sets (83 % to 84 %)`."""
    value, low, high = (percent(one[key]) for key in ("value", "low", "high"))
    where = {"below": "below all", "within": "as", "above": "above all"}
    return f"{value} {of}, {where[one['stands']]} {sets} random sets ({low} to {high})"


def coverage_of(sides: Mapping[str, Sequence[Mapping[str, Any]]], what: str, sets: int) -> list[str]:
    """One sentence for each subset of each side's list (`name`, `share`): what it covers of each side's tags, say, beside random sets."""
    told = []
    for several in zip(*sides.values(), strict=True):
        name, shares = several[0]["name"], {side: one["share"] for side, one in zip(sides, several, strict=True)}
        off = [standing(one, sets, f"of the {side}s' {what}") for side, one in shares.items() if one["stands"] != "within"]
        same = [side for side, one in shares.items() if one["stands"] == "within"]
        if off:
            told.append(f"{name} covers {listed(off)}{f'; on {same[0]}s as random sets do' if same else ''}.")
        else:
            told.append(f"{name} covers as many {what} as random sets do{' on both sides' if len(same) > 1 else ''}.")
    return told


def against_random(title: str, axis: str, rows: Sequence[tuple[str, Mapping[str, Any]]], sets: int, says: str) -> Chart:
    """One line for each label: the subset's share as a diamond, the random sets' mean as a stroke with their lowest and highest."""
    labels = [charts.plain(label) for label, _ in rows]
    values, means, lows, highs = ([one[key] for _, one in rows] for key in ("value", "mean", "low", "high"))
    by_chance = {
        "type": "scatter", "mode": "markers", "name": f"{sets} random sets: lowest, mean, highest", "x": means, "y": labels,
        "marker": {"color": "--random", "symbol": "line-ns-open", "size": 14, "line": {"width": 3, "color": "--random"}},
        "error_x": {
            "type": "data", "symmetric": False, "color": "--random", "thickness": 5, "width": 7,
            "array": [high - mean for high, mean in zip(highs, means, strict=True)],
            "arrayminus": [mean - low for low, mean in zip(lows, means, strict=True)],
        },
        "hovertemplate": "%{y}: random mean %{x:.2%}<extra></extra>",
    }  # fmt: skip
    own = {
        "type": "scatter", "mode": "markers", "name": "subset", "x": values, "y": labels, "cliponaxis": False,
        "marker": {"color": "--series-1", "symbol": "diamond", "size": 13},
        "hovertemplate": "%{y}: %{x:.2%}<extra></extra>",
    }  # fmt: skip
    figure = charts.figure(
        [by_chance, own],
        axis,
        "",
        xaxis={"tickformat": ".2~%", "nticks": 8, "rangemode": "nonnegative"},
        yaxis={"type": "category", "autorange": "reversed", "ticklabelstandoff": 8},
    )
    columns = [
        Column("subset"), Column("share", ".2%"), Column("random mean", ".2%"), Column("random lowest", ".2%"),
        Column("random highest", ".2%"), Column("stands"),
    ]  # fmt: skip
    lines = [[label, one["value"], one["mean"], one["low"], one["high"], STANDS[one["stands"]]] for label, one in rows]
    return Chart(title, figure, says, Table(f"{title}: numbers", columns, lines, folded=True), 130 + 34 * len(rows))

"""Thin, as random or diverse, at each layer of each side; and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Command, Prose, Section, Table

KINDS = {"macro": "topics", "meso": "tags", "micro": "mid-band tokens"}
SIGNS = {"thin": "▼ thin", "diverse": "▲ diverse", "as random": "● as random", "no verdict": "– no verdict"}


def section(found: Mapping[str, Any]) -> Section:
    """First on the page: the verdicts, one sentence for each place, and a command."""
    places, names = found["places"], [one["name"] for one in found["places"][0]["subsets"]]
    blocks: list[Block] = []
    if names:
        blocks += [_chart(places, names, found["limit"]), _verdicts(places), Prose(f"How it is called: {found['rule']}.", "note")]
    then, halves = Command(found["next"]["command"], found["next"]["why"], "What to do next"), _halves(places)
    blocks += [then, halves] if names else [halves, then]
    return Section("answer", "Where it is thin", _lead(places, names), blocks)


def _lead(places: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    if not names:
        least = min(places, key=lambda one: one["half"] / max(1, one["types"]))
        return f"No subset is named, so nothing is held against chance. {_half(least)}"
    thin = [(one["t"], _place(place), one["name"]) for place in places for one in place["subsets"] if one["word"] == "thin"]
    said = [_said(name, [(_place(place), place["subsets"][number]) for place in places]) for number, name in enumerate(names)]
    if len(thin) > 1:
        t, place, name = min(thin)
        said.insert(0, f"The thinnest place is {place}{f' of {name}' if len(names) > 1 else ''} (t = {t:,.1f}).")
    return " ".join(said)


def _said(name: str, words: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    by_word = {word: [f"{place}{_by_length(one)}" for place, one in words if one["word"] == word] for word in ("thin", "diverse")}
    told = [f"{word} at {_listed(some)}" for word, some in by_word.items() if some]
    if not told:
        same = all(one["word"] == "as random" for _, one in words)
        return f"{name} is like random subsets at all {len(words)} places." if same else f"{name}: no verdict."
    rest = len(words) - sum(len(some) for some in by_word.values())
    return f"{name} is {', '.join(told)}{', like random subsets elsewhere' if rest else ''}."


def _by_length(one: Mapping[str, Any]) -> str:
    return " (but not at equal length)" if one["matched_word"] == "as random" else ""


def _chart(places: Sequence[Mapping[str, Any]], names: Sequence[str], limit: float) -> Chart:
    """One line a place; a subset's mark filled among random subsets, open among those of the same lengths."""
    labels = [_place(place) for place in places]
    rows = len(places)
    data = []
    for number, name in enumerate(names):
        shift = 0.0 if len(names) == 1 else 0.5 * (number / (len(names) - 1) - 0.5)
        for prefix, said, symbol in (("", name, ""), ("matched_", f"{name}, equal length", "-open")):
            at = [(place, place["subsets"][number]) for place in places]
            usable = [(row, one) for row, (_, one) in enumerate(at) if one[f"{prefix}t"] is not None]
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": charts.plain(said),
                    "x": [charts.far(one[f"{prefix}t"]) for _, one in usable],
                    "y": [rows - 1 - row - shift for row, _ in usable],
                    "text": [
                        charts.plain(f"{labels[row]}: {name} {one[f'{prefix}word']}, t = {one[f'{prefix}t']:,.1f}") for row, one in usable
                    ],
                    "hoverinfo": "text",
                    "marker": {
                        "color": charts.SERIES[number % 6],
                        "symbol": charts.MARKS[number % 6] + symbol,
                        "size": 12,
                        "line": {"width": 2, "color": charts.SERIES[number % 6]},
                    },
                    "legendgroup": str(number),
                }
            )
    band = {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": charts.far(-limit),
        "x1": charts.far(limit),
        "y0": 0,
        "y1": 1,
        "fillcolor": "--random-band",
        "line": {"width": 0},
        "layer": "below",
    }
    most = (
        max([charts.far(10), *(abs(charts.far(one["t"])) for place in places for one in place["subsets"] if one["t"] is not None)]) * 1.12
    )
    ticks = [tick for tick in charts.FAR_TICKS if abs(charts.far(tick)) <= most]
    figure = charts.figure(
        data,
        "◀ thin    standard errors from random subsets (t)    diverse ▶",
        "",
        xaxis={
            "tickvals": [charts.far(tick) for tick in ticks],
            "ticktext": [f"{tick:+d}" if tick else "0" for tick in ticks],
            "range": [-most, most],
            "zeroline": True,
        },
        yaxis={"tickvals": list(range(rows)), "ticktext": labels[::-1], "range": [-0.6, rows - 0.4], "zeroline": False},
        shapes=[band],
        annotations=[
            {
                "x": 0,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "text": "what random subsets reach",
                "showarrow": False,
                "font": {"size": 11, "color": "--soft"},
            }
        ],
        margin={"l": 10, "r": 16, "t": 24, "b": 48},
        legend={"y": 1.08},
    )
    said = (
        f"The grey band is what random subsets of the same size reach ({limit:.1f} standard errors to either side): "
        "marks left of it are thin, right of it diverse."
    )
    return Chart("Against random subsets of the same size", figure, said, None, 120 + 46 * rows + 22 * ((len(names) + 1) // 2))


def _verdicts(places: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("place"),
        Column("subset"),
        Column("verdict"),
        Column("t", "+,.1f"),
        Column("at equal length"),
        Column("t", "+,.1f"),
        Column("in one sentence"),
    ]
    rows = [
        [_place(place), one["name"], SIGNS[one["word"]], one["t"], SIGNS[one["matched_word"]], one["matched_t"], _sentence(place, one)]
        for place in places
        for one in place["subsets"]
    ]
    return Table("Verdicts", columns, rows)


def _sentence(place: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    chance = "" if one["half_at_random"] is None else f" (random subsets: {one['half_at_random']:,.0f} of {one['types_at_random']:,.0f})"
    return f"{_carries(place, 'its')} {one['half']:,} of {one['types']:,} {KINDS[place['layer']]}{chance}."


def _halves(places: Sequence[Mapping[str, Any]]) -> Table:
    rows = [[_place(place), place["types"], place["half"], place["half"] / max(1, place["types"]), _half(place)] for place in places]
    columns = [Column("place"), Column("types", ",.0f"), Column("carry half", ",.0f"), Column("share", ".1%"), Column("in one sentence")]
    return Table("The whole pool: how few types carry half", columns, rows)


def _half(place: Mapping[str, Any]) -> str:
    share = place["half"] / max(1, place["types"])
    kind = KINDS[place["layer"]]
    return f"{_carries(place, 'all')} {_percent(share)} of the {kind} ({place['half']:,} of {place['types']:,})."


def _carries(place: Mapping[str, Any], whose: str) -> str:
    """What falls on so many types: rows, tags given, or uses of tokens, a token counted once a row."""
    side = place["side"]
    return {
        "macro": f"Half of {whose} {side}s fall into",
        "meso": f"Half of {whose} tagging of {side}s falls on",
        "micro": f"Half of {whose} mid-band use in {side}s falls on",
    }[place["layer"]]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _place(place: Mapping[str, Any]) -> str:
    return f"{place['side']}/{place['layer']}"


def _listed(some: Sequence[str]) -> str:
    return some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"

"""How a growing dataset moved over time: what drifted at which layer since when, with the limits of chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Prose, Section, Table

SIDES = ("instruction", "response")
DIVERSITY, PLAIN, SHARES = "diversity", "no direction", "shares"
OUTSIDE = ("thin", "diverse", "lower", "higher", "differs")
ALWAYS = "tokens per text"  # drawn in any case; other figures where they drifted once
MOST = 6  # values of a column in its chart

Found = Mapping[str, Any]


def section(found: Found) -> Section:
    """`found` is a history as `History.to_dict` tells it."""
    batches, blocks = found["batches"], list[Block]()
    if found["drifts"]:
        columns = [Column("where"), Column("what"), Column("when"), Column("in its first batch")]
        blocks.append(
            Table("What drifted", columns, [[one[column.title] for column in columns[:3]] + [one["how"]] for one in found["drifts"]])
        )
    elif any(batch["watched"] for batch in batches):
        blocks.append(Prose("Nothing has drifted: every batch is as random sets are.", "good"))
    blocks += [Prose(f"{note}.", "note") for note in found["notes"]]
    drifts = found["drifts"]
    blocks += [chart for side in SIDES if (chart := _places(batches, drifts, side))]
    blocks += _figures(batches, drifts)
    blocks += [_shares(batches, drifts, name) for name in found["recipe"]["monitor"]["watch"]]
    blocks.append(_table(batches))
    words = found["recipe"]["monitor"]
    held = f"{words['references']} random sets a batch are drawn by seed {found['recipe']['seed']}, and the level is {words['level']:g}."
    blocks.append(Prose(f"{found['rule']} Here {held}", "note"))
    flagged = [batch["label"] for batch in batches if any(_outside(one) for one in batch["watched"])]
    lead = f"{len(flagged)} of {len(batches)} batches {'lies' if len(flagged) == 1 else 'lie'} outside what chance gives"
    return Section("over-time", "Over time", f"{lead}{': ' if flagged else ''}{', '.join(flagged)}.", blocks)


def _places(batches: Sequence[Found], drifts: Sequence[Found], side: str) -> Chart | None:
    """t of each layer of one side over batches, between its limits."""
    names = [name for name in _names(batches, DIVERSITY) if name.startswith(f"{side}/")]
    if not names:
        return None
    data = charts.band("as random sets", *_limits(batches, names))
    rows = []
    for series, name in enumerate(names):
        told = [_one(batch, name) for batch in batches]
        values = [one["statistic"] if one else None for one in told]
        data += _line(name.partition("/")[2], batches, values, told, series)
    for batch in batches:
        own = [_one(batch, name) for name in names]
        rows.append([batch["label"], *(one and one["statistic"] for one in own), next((one["limit"] for one in own if one), None)])
    table = Table(
        f"t of the {side}s' diversity",
        [Column("batch"), *(Column(name, "+.1f") for name in names), Column("limit ±", ".1f")],
        rows,
        folded=True,
    )
    says = (
        "How far the diversity of each batch lies from that of random sets of its size, as t; the band is what random sets reach: below "
        f"it a batch is thin, above it diverse. {_listed(drifts, names)}"
    )
    return Chart(f"Diversity of the {side}s", _drawn(data, batches, "t beside random sets"), says, table)


def _figures(batches: Sequence[Found], drifts: Sequence[Found]) -> Iterator[Chart]:
    """Each figure without direction that is drawn. Types are found anew beside each batch, so that of those only t can be compared."""
    for name in _names(batches, PLAIN):
        told = [_one(batch, name) for batch in batches]
        if not (name.startswith(ALWAYS) or any(_outside(one) for one in told)):
            continue
        measure, _, place = name.partition(" at ")
        plain = place.endswith("/surface")
        values = [_value(batch, name) if plain else one["statistic"] if one else None for batch, one in zip(batches, told, strict=True)]
        ends = [_ends(one, plain) for one in told]
        at = [number for number, one in enumerate(ends, start=1) if one]
        data = charts.band("as random sets", at, [one[0] for one in ends if one], [one[1] for one in ends if one])
        data += _line(measure, batches, values, told, 0)
        rows = [[batch["label"], value, *(one or (None, None))] for batch, value, one in zip(batches, values, ends, strict=True)]
        head = [Column("batch"), *(Column(title, ",.2f") for title in ("value" if plain else "t", "lowest usual", "highest usual"))]
        what = "The value of each batch" if plain else "How far the value of each batch lies from that of random sets of its size, as t"
        says = f"{what}; the band is what random sets reach. {_listed(drifts, [name])}"
        drawn = _drawn(data, batches, measure if plain else "t beside random sets")
        yield Chart(f"{measure.capitalize()}, {place}", drawn, says, Table(name, head, rows, folded=True), 260)


def _shares(batches: Sequence[Found], drifts: Sequence[Found], name: str) -> Chart:
    """The share of the largest values of a column over batches."""
    shares = [
        {value: count / max(1, sum(batch["counts"][name].values())) for value, count in batch["counts"][name].items()} for batch in batches
    ]
    every = dict.fromkeys(value for one in shares for value in one)
    largest = sorted(every, key=lambda value: -sum(one.get(value, 0.0) for one in shares))[:MOST]
    told = [_one(batch, name) for batch in batches]
    data = []
    for series, value in enumerate(largest):
        moved = [one if one and one["of"] == value else None for one in told]
        data += _line(value, batches, [100 * one.get(value, 0.0) for one in shares], moved, series)
    rows = [
        [batch["label"], *(one.get(value, 0.0) for value in every), (own or {}).get("word")]
        for batch, one, own in zip(batches, shares, told, strict=True)
    ]
    table = Table(f"Shares of {name}", [Column("batch"), *(Column(value, ".1%") for value in every), Column("verdict")], rows, folded=True)
    rest = f" The {MOST} largest of {len(every)} values are drawn." if len(every) > MOST else ""
    return Chart(
        f"Shares of {name}",
        _drawn(data, batches, "% of rows"),
        f"Rows of each value in every batch.{rest} {_listed(drifts, [name])}",
        table,
        320,
    )


def _table(batches: Sequence[Found]) -> Table:
    places = _names(batches, DIVERSITY)
    titles = [place.replace("/", " ") for place in places]  # so that they can be two lines
    columns = [
        Column("batch"),
        Column("at"),
        Column("rows", ","),
        Column("held against", ","),
        *map(Column, titles),
        Column("other drifts", ","),
    ]
    rows = []
    for batch in batches:
        words = {one["name"]: one["word"] for one in batch["watched"]}
        other = sum(one["kind"] != DIVERSITY and _outside(one) for one in batch["watched"])
        rows.append([batch["label"], batch["at"], batch["rows"], batch["base_rows"], *(words.get(place) for place in places), other])
    return Table("All batches", columns, rows)


def _line(
    name: str, batches: Sequence[Found], values: Sequence[float | None], told: Sequence[Found | None], series: int
) -> list[dict[str, Any]]:
    """A line over batches, and over it a ring with a cross in it around each point that is outside."""
    labels = [charts.plain(batch["label"]) for batch in batches]
    at = list(range(1, len(batches) + 1))
    hover = {"text": labels, "hovertemplate": "%{text}: %{y:.3~f}<extra>" + charts.plain(name) + "</extra>"}
    drawn = [{**charts.line(name, at, values, series, marks=True), **hover}]
    out = [number for number, one in enumerate(told) if _outside(one) and values[number] is not None]
    if out:
        ring = {"symbol": "circle-x-open", "size": 17, "color": "--thin", "line": {"width": 2, "color": "--thin"}}
        points = {"x": [number + 1 for number in out], "y": [values[number] for number in out]}
        drawn.append({"type": "scatter", "mode": "markers", "marker": ring, "showlegend": False, "hoverinfo": "skip", **points})
    return drawn


def _drawn(data: Sequence[Mapping[str, Any]], batches: Sequence[Found], y: str) -> charts.Figure:
    every = max(1, -(-len(batches) // 12))  # so that labels have room
    shown = [(number, charts.plain(batch["label"])) for number, batch in enumerate(batches, start=1) if (number - 1) % every == 0]
    ticks = {
        "tickvals": [number for number, _ in shown],
        "ticktext": [label if len(label) <= 18 else f"{label[:17]}…" for _, label in shown],
    }
    return charts.figure(data, "batch", y, xaxis={**ticks, "range": [0.5, len(batches) + 0.5]}, showlegend=True)


def _limits(batches: Sequence[Found], names: Sequence[str]) -> tuple[list[float], list[float], list[float]]:
    """Where there are limits of t, and these; they are the same for all places of a batch."""
    found = [
        (number, one["limit"])
        for number, batch in enumerate(batches, start=1)
        for name in names[:1]
        if (one := _one(batch, name)) and one["limit"]
    ]
    return [float(number) for number, _ in found], [-limit for _, limit in found], [limit for _, limit in found]


def _ends(one: Found | None, plain: bool) -> tuple[float, float] | None:
    """The limits of t, or those of the value."""
    if one is None or one["limit"] is None:
        return None
    if not plain:
        return -one["limit"], one["limit"]
    reach = one["limit"] * one["error"]
    return one["usual"] - reach, one["usual"] + reach


def _value(batch: Found, name: str) -> float | None:
    measure, _, place = name.partition(" at ")
    return next((one["value"] for one in batch["measures"] if one["measure"] == measure and f"{one['side']}/{one['layer']}" == place), None)


def _names(batches: Sequence[Found], kind: str) -> list[str]:
    return list(dict.fromkeys(one["name"] for batch in batches for one in batch["watched"] if one["kind"] == kind))


def _one(batch: Found, name: str) -> Found | None:
    return next((one for one in batch["watched"] if one["name"] == name), None)


def _outside(one: Found | None) -> bool:
    return one is not None and one["word"] in OUTSIDE


def _listed(drifts: Sequence[Found], names: Sequence[str]) -> str:
    """What of these lies outside, and when; at most six, and how many more."""
    out = [f"{one['where'].rpartition('/')[2]} {one['what']} {one['when']}" for one in drifts if one["name"] in names]
    more = f"; and {len(out) - 6} more" if len(out) > 6 else ""
    return f"Outside (ringed): {'; '.join(out[:6])}{more}." if out else "None is outside."

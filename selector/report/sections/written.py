"""What a folder says of itself: the value of a selection by budget, the balance of a split, the levels of a ladder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Prose, Section, Table
from selector.report.phrases import percent

NEARLY = 0.1  # |SMD| that is commonly taken as balanced


def section(found: Mapping[str, Any]) -> Section:
    """One of three, by what wrote the folder."""
    made = {"selection": _selection, "split": _split, "ladder": _ladder}[found["kind"]](found)
    notes = [Prose(f"{note}.", "bad") for note in found["notes"]]
    return Section("made", made.title, made.lead, [*notes, *made.blocks])


def _selection(found: Mapping[str, Any]) -> Section:
    facts, curve = found["facts"], found["curve"]
    lead = _proof(facts)
    if isinstance(curve, str):
        return Section("made", "The selection", lead, [Prose(curve, "note")])
    budget, sizes, values = curve["budget"], curve["sizes"], curve["values"]
    data = []
    if curve["bound"] is not None:
        data.append(charts.line("no set is worth more", sizes[1:], curve["bound"][1:], 2, colour=charts.SERIES[1]))
    data.append(charts.line(facts["objective"], sizes, values, 0))
    data.append(charts.line("random sets", curve["random_sizes"], curve["random_values"], 1, marks=True, colour=charts.RANDOM))
    at = values[sizes.index(budget)]
    data.append({"type": "scatter", "mode": "markers", "name": "the selection", "x": [budget], "y": [at],
                 "marker": {"size": 13, "symbol": "star", "color": charts.SERIES[0]}})  # fmt: skip
    high = max(*values, *curve["random_values"], curve["upper_bound"] or 0)
    figure = charts.figure(data, "rows", "value", yaxis={"range": [min(0, *values), 1.12 * high]}, xaxis={"rangemode": "tozero"})
    said = " ".join(
        [
            *(
                f"{percent(one['share'])} of what {budget:,} rows are worth is reached at {one['rows']:,} rows."
                for one in curve["marks"]
                if one["share"] in (0.9, 0.99)
            ),
            _larger(curve),
        ]
    )
    columns = [Column("share of the value at the budget", ".0%"), Column("rows", ",.0f"), Column("share of the rows", ".1%")]
    reached = [[one["share"], one["rows"], one["rows"] / budget] for one in curve["marks"]]
    bounds = curve["bound"] or [None] * len(sizes)
    head = [Column("rows", ",.0f"), Column("value", ",.5g"), Column("no set is worth more than", ",.5g")]
    numbers = Table("The curve in numbers", head, list(zip(sizes, values, bounds, strict=True)), folded=True)
    blocks: list[Block] = [Chart("Value by budget", figure, said, numbers, 380)]
    if reached:
        blocks.append(Table("How many rows are needed", columns, reached))
    return Section("made", "The selection", f"{lead} {said}", blocks)


def _proof(facts: Mapping[str, Any]) -> str:
    value, chance = facts["value"], facts["random_value"]
    if value is None:
        return f"{facts['objective']} states no value."
    said = f"By {facts['objective']} the selection is worth {value:,.5g}"
    said += f", a random set of the same size {chance:,.5g}" if chance is not None else ""
    if facts["ratio"] is None:
        return f"{said}."
    proved = math.floor(1000 * facts["ratio"]) / 10  # rounded down: what is said must be proved
    return f"{said}; no set is worth more than {facts['upper_bound']:,.5g}, so {proved:.1f} % of the best is proved."


def _larger(curve: Mapping[str, Any]) -> str:
    budget, last = curve["budget"], curve["sizes"][-1]
    at, then = curve["values"][curve["sizes"].index(budget)], curve["values"][-1]
    if last <= budget or at <= 0:
        return ""
    return f"{last:,} rows would be worth {percent(then / at - 1)} more."


def _split(found: Mapping[str, Any]) -> Section:
    told = found["balance"]["covariates"]
    rows = [
        (one["name"], one["matched"], _most(one["before"]), {name: _most(after) for name, after in one["after"].items()}) for one in told
    ]
    labels = [f"{name}{'' if matched else ' (not matched)'}" for name, matched, _, _ in rows]
    sets = list(rows[0][3]) if rows else []
    places = list(range(len(rows)))[::-1]
    data: list[dict[str, Any]] = [_dots("before: the pool", [before for *_, before, _ in rows], places, charts.POOL, "diamond-open")]
    for number, name in enumerate(sets):
        data.append(_dots(name, [after[name] for *_, after in rows], places, charts.SERIES[number % 6], charts.MARKS[number % 6]))
    band = {"type": "rect", "xref": "x", "yref": "paper", "x0": -NEARLY, "x1": NEARLY, "y0": 0, "y1": 1, "fillcolor": "--random-band",
            "line": {"width": 0}, "layer": "below"}  # fmt: skip
    figure = charts.figure(
        data,
        "standardised mean difference: diverse minus the other set",
        "",
        yaxis={"tickvals": places, "ticktext": [charts.plain(label) for label in labels], "range": [-0.6, len(rows) - 0.4]},
        shapes=[band],
    )
    worst = max((abs(value) for _, matched, _, after in rows if matched for value in after.values() if value is not None), default=None)
    lead = "No covariate was matched."
    if worst is not None:
        lead = f"No matched covariate differs by more than {worst:.3f} standard deviations ({NEARLY} is commonly taken as balanced)."
    columns = [Column("covariate"), Column("matched"), Column("before", "+.3f"), *(Column(name, "+.3f") for name in sets)]
    numbers = Table(
        "Differences in numbers",
        columns,
        [[name, "yes" if matched else "no", before, *after.values()] for name, matched, before, after in rows],
    )
    said = "Each mark is the difference between the diverse set and another one; inside the grey band sets are commonly taken as balanced."
    return Section("made", "How alike the sets are", lead, [Chart("Love plot", figure, said, None, 150 + 34 * len(rows)), numbers])


def _most(one: Any) -> float | None:
    return None if one is None else one["smd"]


def _dots(name: str, values: Sequence[float | None], places: Sequence[int], colour: str, symbol: str) -> dict[str, Any]:
    return {"type": "scatter", "mode": "markers", "name": charts.plain(name), "x": list(values), "y": list(places),
            "marker": {"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2, "color": colour}}}  # fmt: skip


def _ladder(found: Mapping[str, Any]) -> Section:
    levels, moved = found["levels"], found["moved"]
    x = [one["level"] for one in levels]
    types = [one["types"] for one in levels]
    entropy = [one["type_entropy_bits"] for one in levels]
    wanted = charts.line("asked for", x, [one["types_wanted"] for one in levels], 2, marks=True, colour=charts.RANDOM)
    first = charts.figure(
        [wanted, charts.line("types", x, types, 0, marks=True)], "level, %", f"types at {moved}", yaxis={"rangemode": "tozero"}
    )
    off = [one["level"] for one in levels if one["types"] != one["types_wanted"]]
    exact = "every level has the types that it was asked for" if not off else f"{len(off)} of {len(levels)} levels miss the types asked for"
    said = f"From {types[0]:,} to {types[-1]:,} types; {exact}. Entropy rises from {entropy[0]:.2f} to {entropy[-1]:.2f} bits."
    columns = [
        Column("level, %", ".0f"),
        Column("types", ",.0f"),
        Column("asked for", ",.0f"),
        Column("entropy, bits", ".2f"),
        Column("types a row", ".1f"),
        Column("response tokens", ".1f"),
        Column("instruction tokens", ".1f"),
    ]
    rows = [
        [
            one["level"],
            one["types"],
            one["types_wanted"],
            one["type_entropy_bits"],
            one["types_per_row"],
            one["response_tokens"],
            one["instruction_tokens"],
        ]
        for one in levels
    ]
    blocks: list[Block] = [
        Chart(f"Diversity that the levels achieve at {moved}", first, said, Table("The levels in numbers", columns, rows, True))
    ]
    if found["layers"]:
        blocks.append(_moved(x, found["layers"], moved))
    return Section("made", "The levels", said, blocks)


def _moved(x: Sequence[float], layers: Sequence[Mapping[str, Any]], moved: str) -> Chart:
    names = [name for name in layers[0] if name != "level"]
    data = [
        charts.line(name, x, [None if one[name] is None else charts.far(one[name]) for one in layers], number, marks=True)
        for number, name in enumerate(names)
    ]
    for one, name in zip(data, names, strict=True):
        one["line"]["width"] = 4 if name == moved else 2
    ticks = [
        tick for tick in charts.FAR_TICKS if min(_all(layers, names)) * 1.3 <= tick <= max(_all(layers, names)) * 1.3 or abs(tick) <= 3
    ]
    figure = charts.figure(
        data, "level, %", "standard errors from random sets",
        yaxis={"tickvals": [charts.far(tick) for tick in ticks], "ticktext": [f"{tick:+d}" if tick else "0" for tick in ticks]},
    )  # fmt: skip
    said = f"What moves with {moved} (the thick line): below 0 thin, above diverse, at every layer of both sides."
    columns = [Column("level, %", ".0f"), *(Column(name, "+,.1f") for name in names)]
    rows = [[level, *(one[name] for name in names)] for level, one in zip(x, layers, strict=True)]
    return Chart("All layers", figure, said, Table("All layers in numbers", columns, rows, True), 420)


def _all(layers: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[float]:
    return [one[name] for one in layers for name in names if one[name] is not None] or [0.0]

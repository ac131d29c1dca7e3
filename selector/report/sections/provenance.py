"""Sources and synthetic data: shares, what only one source has, what synthetic data add, and how far they are from real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Chart, Column, Prose, Section, Table
from selector.report.phrases import counted, listed, percent

NAMED = {"macro": "topics", "meso": "tags", "micro": "mid-band tokens"}


def section(found: Mapping[str, Any] | None) -> Section | None:
    """None where no column says what the sources are."""
    if found is None:
        return None
    blocks: list[Block] = [_shares(found), *(_types(found, side) for side in found["types"])]
    made = found["synthetic"]
    if made is not None:
        blocks += [_distances(made), _added(made), _by_source(made), _new(made)]
        nearest = {side: said["nearest"] for side, said in made["sides"].items() if said["nearest"] is not None}
        if nearest:
            blocks += [_nearest(nearest), _nearest_by_source(nearest)]
        blocks.append(Prose(_note(made), "note"))
    else:
        why = (
            "Of the pool's rows fewer than two are synthetic, or fewer than two are not: nothing can be compared."
            if found["named"]
            else "No source is named synthetic, so nothing is said of what synthetic data add; name some with --synthetic."
        )
        blocks.append(Prose(why, "note"))
    return Section("sources", "Sources and synthetic data", _lead(found), blocks)


def _lead(found: Mapping[str, Any]) -> str:
    largest = max(found["sources"], key=lambda one: one["rows"])
    told = [f"{counted(len(found['sources']), 'source')}; {largest['name']} has {percent(largest['share'])} of the pool's rows."]
    for number, name in enumerate(found["subsets"]):
        shifts = [(one["subsets"][number] - one["share"], one) for one in found["sources"]]
        shift, most = max(shifts, key=lambda one: abs(one[0]))
        if abs(shift) >= 0.02:
            told.append(f"{most['name']} is {percent(most['subsets'][number])} of {name} and {percent(most['share'])} of the pool.")
    made = found["synthetic"]
    if made is not None:
        told.append(f"{percent(made['rows'] / (made['rows'] + made['real']))} of the rows are synthetic.")
        for side, said in made["sides"].items():
            new = listed(
                [
                    counted(one["new"], NAMED[layer][:-1]) if one["new"] else f"no {NAMED[layer][:-1]}"
                    for layer, one in said["layers"].items()
                ]
            )
            told.append(f"On {side}s they add {new} that no real row has.")
        places = [
            (one["distance"]["value"] - one["distance"]["chance"]["mean"], f"{side}/{layer}", one["distance"])
            for side, said in made["sides"].items()
            for layer, one in said["layers"].items()
            if one["distance"] is not None and one["distance"]["p"] <= 0.01
        ]
        if places:
            _, place, most = max(places, key=lambda one: one[0])
            told.append(
                f"They are farthest from the real rows at {place}: Jensen-Shannon distance {most['value']:.2f} of at most 1, "
                f"{most['chance']['mean']:.2f} by chance."
            )
    return " ".join(told)


def _shares(found: Mapping[str, Any]) -> Chart:
    some, names = found["sources"], found["subsets"]
    labels = [one["name"] + (" (synthetic)" if one["synthetic"] else "") for one in some]
    data = [charts.bars("pool", labels, [one["share"] for one in some], 5, colour=charts.POOL)]
    data += [charts.bars(name, labels, [one["subsets"][number] for one in some], number) for number, name in enumerate(names)]
    figure = charts.figure(
        data, "share of rows", "", barmode="group", xaxis={"tickformat": ".0%"}, yaxis={"autorange": "reversed", "type": "category"}
    )
    columns = [Column("source"), Column("synthetic"), Column("rows", ",.0f"), Column("share of the pool", ".2%")]
    columns += [Column(f"share of {name}", ".2%") for name in names]
    rows = [[one["name"], "yes" if one["synthetic"] else "no", one["rows"], one["share"], *one["subsets"]] for one in some]
    says = f"Where the rows are from: the pool{', ' if names else ''}{', '.join(names)}, source by source."
    return Chart("Rows by source", figure, says, Table("Rows by source: numbers", columns, rows, folded=True),
                 110 + len(some) * (14 + 11 * (1 + len(names))))  # fmt: skip


def _types(found: Mapping[str, Any], side: str) -> Table:
    by_layer = found["types"][side]
    columns = [Column("source")]
    for layer, said in by_layer.items():
        columns += [Column(f"{NAMED[layer]} of {said['types']:,}", ",.0f"), Column("only here", ",.0f")]
    rows = [
        [one["name"], *(value for said in by_layer.values() for value in (said["has"][number], said["alone"][number]))]
        for number, one in enumerate(found["sources"])
    ]
    return Table(f"Types of {side}s by source, and those that only this source has", columns, rows)


def _distances(made: Mapping[str, Any]) -> Chart:
    found = [
        (f"{side}: {NAMED[layer]}", one["distance"])
        for side, said in made["sides"].items()
        for layer, one in said["layers"].items()
        if one["distance"] is not None
    ]
    labels = [label for label, _ in found]
    values, lows, highs = ([one[key] for _, one in found] for key in ("value", "low", "high"))
    own = {
        "type": "scatter", "mode": "markers", "name": "real against synthetic, 95 % interval", "x": values, "y": labels,
        "marker": {"color": "--series-1", "symbol": "diamond", "size": 12},
        "error_x": {
            "type": "data", "symmetric": False, "color": "--series-1",
            "array": [high - value for high, value in zip(highs, values, strict=True)],
            "arrayminus": [value - low for low, value in zip(lows, values, strict=True)],
        },
    }  # fmt: skip
    chance = {
        "type": "scatter", "mode": "markers", "name": f"largest of {made['sets']} random divisions",
        "x": [one["chance"]["high"] for _, one in found], "y": labels,
        "marker": {"color": "--random", "symbol": "line-ns-open", "size": 14, "line": {"width": 3, "color": "--random"}},
    }  # fmt: skip
    columns = [
        Column("what"), Column("distance", ".4f"), Column("95 % from", ".4f"), Column("to", ".4f"), Column("by chance: mean", ".4f"),
        Column("largest", ".4f"), Column("p", ".2f"),
    ]  # fmt: skip
    energy = [(f"{side}: macro vectors (energy distance)", said["energy"]) for side, said in made["sides"].items() if said["energy"]]
    rows = [
        [label, one["value"], one["low"], one["high"], one["chance"]["mean"], one["chance"]["high"], one["p"]]
        for label, one in [*((f"{label} (Jensen-Shannon)", one) for label, one in found), *energy]
    ]
    apart = [label for label, one in found if one["p"] <= 0.05]
    says = (
        "Jensen-Shannon distance between the real and the synthetic rows' types: 0 for the same distribution, 1 for no type in common. "
        + (f"Beyond chance (p at most 0.05): {', '.join(apart)}." if apart else "None is beyond what chance gives.")
    )  # fmt: skip
    figure = charts.figure(
        [chance, own], "Jensen-Shannon distance", "", xaxis={"rangemode": "tozero"}, yaxis={"autorange": "reversed", "type": "category"}
    )
    return Chart("Real against synthetic", figure, says, Table("Distances: numbers", columns, rows, folded=False), 130 + 34 * len(found))


def _added(made: Mapping[str, Any]) -> Table:
    columns = [
        Column("side"), Column("layer"), Column("types of real rows", ",.0f"), Column("of synthetic rows", ",.0f"),
        Column("only synthetic", ",.0f"), Column("only real", ",.0f"), Column("rows that add", ",.0f"),
        Column("that only repeat", ",.0f"),
    ]  # fmt: skip
    rows = [
        [side, layer, one["real"], one["synthetic"], one["new"], one["only_real"], one["rows_adding"], made["rows"] - one["rows_adding"]]
        for side, said in made["sides"].items()
        for layer, one in said["layers"].items()
    ]
    return Table("What synthetic rows add to real ones: a row adds that carries a type which no real row has", columns, rows)


def _by_source(made: Mapping[str, Any]) -> Table:
    columns = [
        Column("synthetic source"), Column("side"), Column("layer"), Column("types", ",.0f"), Column("new to real data", ",.0f"),
        Column("rows", ",.0f"), Column("rows that add", ",.0f"), Column("share", ".1%"),
    ]  # fmt: skip
    rows = [
        [one["name"], side, layer, one["types"], one["new"], one["rows"], one["rows_adding"], one["rows_adding"] / one["rows"]]
        for side, said in made["sides"].items()
        for layer, by_layer in said["layers"].items()
        for one in by_layer["sources"]
    ]
    return Table("The same by synthetic source", columns, rows, folded=True)


def _new(made: Mapping[str, Any]) -> Table:
    columns = [Column("side"), Column("layer"), Column("type that no real row has"), Column("synthetic rows", ",.0f")]
    rows = [
        [side, layer, one["name"], one["rows"]]
        for side, said in made["sides"].items()
        for layer, by_layer in said["layers"].items()
        for one in by_layer["shown"]
    ]
    return Table("Types that only synthetic rows have: the most frequent of each layer", columns, rows, folded=True)


def _nearest(nearest: Mapping[str, Any]) -> Chart:
    data, rows = [], []
    for number, kind in enumerate(("real", "synthetic")):
        quantiles = [said[kind]["quantiles"] for said in nearest.values()]
        data.append(
            {
                "type": "box", "orientation": "h", "name": f"{kind} rows", "y": [f"{side}s" for side in nearest],
                **{key: [one[place] for one in quantiles] for place, key in enumerate(("lowerfence", "q1", "median", "q3", "upperfence"))},
                "fillcolor": f"{charts.SERIES[number]}-band", "line": {"color": charts.SERIES[number], "dash": charts.DASHES[number]},
            }
        )  # fmt: skip
        rows += [
            [side, kind, said[kind]["rows"], *said[kind]["quantiles"], said[kind]["near"], said[kind]["far"]]
            for side, said in nearest.items()
        ]
    figure = charts.figure(
        data, "distance to the nearest real row (1 - cosine)", "", boxmode="group", yaxis={"type": "category", "autorange": "reversed"}
    )
    told = [
        f"{percent(said['synthetic']['near'])} of synthetic {side}s are as near to a real one as the nearest 5 % of real ones are to "
        f"another, and {percent(said['synthetic']['far'])} as far as the farthest 5 %"
        for side, said in nearest.items()
    ]
    says = f"Distance of each sampled row to the nearest real row: the middle half as a box, 5 % to 95 % as whiskers. {'; '.join(told)}."
    columns = [Column("side"), Column("rows"), Column("sampled", ",.0f")]
    columns += [Column(f"{100 * level:.0f} % below", ".3f") for level in next(iter(nearest.values()))["levels"]]
    columns += [Column("as near as 5 % of real", ".1%"), Column("as far as 5 % of real", ".1%")]
    return Chart("Where synthetic rows repeat real ones", figure, says, Table("Nearest real rows: numbers", columns, rows, folded=True),
                 190 + 80 * len(nearest))  # fmt: skip


def _nearest_by_source(nearest: Mapping[str, Any]) -> Table:
    columns = [
        Column("synthetic source"), Column("side"), Column("sampled", ",.0f"), Column("median distance", ".3f"),
        Column("near: repeat", ".1%"), Column("far: add", ".1%"),
    ]  # fmt: skip
    rows = [
        [one["name"], side, one["rows"], one["quantiles"][2], one["near"], one["far"]]
        for side, said in nearest.items()
        for one in said["sources"]
    ]
    return Table("Nearest real row by synthetic source (5 % would be expected of real rows)", columns, rows)


def _note(made: Mapping[str, Any]) -> str:
    sampled = next((said["energy"]["rows"] for said in made["sides"].values() if said["energy"]), None)
    told = (
        f"All {made['rows']:,} synthetic and {made['real']:,} real rows of the pool. Jensen-Shannon distance: the root of the "
        "divergence in bits (Lin 1991) between the two shares of types, a row counting once for each type; 95 % by a jackknife over "
        "20 groups of rows. "
        f"By chance: {made['sets']} random divisions of the same rows into groups of these sizes; p is the share of divisions at least as "
        f"far apart, at the smallest {1 / (made['sets'] + 1):.2f}. Many types and few rows make chance large."
    )
    if sampled:
        told += (
            f" Energy distance (Székely and Rizzo 2013): 2 E|x - y| - E|x - x'| - E|y - y'| on a seeded sample of "
            f"{sampled[0]:,} synthetic and {sampled[1]:,} real rows, 0 for equal distributions; 95 % from the variance of "
            "each row's part in it. Nearest real row: a seeded sample of rows, each held against every real row but itself."
        )
    return told

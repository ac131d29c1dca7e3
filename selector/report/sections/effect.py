"""Does it pay: points and lines of each strategy, slopes with intervals, the decision, claims, and how far to believe them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from selector.report import charts
from selector.report.blocks import Block, Cell, Chart, Column, Prose, Section, Table

BAND = ("low", "high")
WORDS = {"supported": "✓ supported", "contradicted": "✗ contradicted", "not settled": "? not settled"}


def section(found: Mapping[str, Any]) -> Section:
    """From effect.json: the answer in one sentence, then what it rests on."""
    able = {name: one for name, one in found["strategies"].items() if one["sizes"]}
    blocks: list[Block] = [Prose(note, "note") for note in found["notes"]]
    if able:
        blocks += [_slopes(able, found["model"]["rope"])]
        blocks += _decision(found) if len(found["decision"]["strategies"]) > 1 else []
        blocks += [_next(found)] if found["decision"]["next_runs"] else []
        blocks += _claims(found["claims"])
        blocks += [_points(name, one, found) for name, one in able.items()]
        blocks += [_interaction(able, found["model"]["rope"])] if any(len(one["sizes"]) > 1 for one in able.values()) else []
        blocks += [Prose(found["model"]["words"], "note"), *_checks(able), _sensitivity(able, found["decision"]["size"])]
    return Section("effect", "Does it pay?", found["lead"], blocks)


def _slope(both: Mapping[str, Any]) -> Mapping[str, float]:
    """Of a size: pooled over strategies where that was asked for."""
    slope: Mapping[str, float] = both.get("pooled_slope") or both["slope"]
    return slope


def _form(able: Mapping[str, Any]) -> str:
    """As many digits as the narrowest interval makes sense of."""
    slopes = [_slope(both) for one in able.values() for both in one["sizes"].values()]
    width = min(slope["high"] - slope["low"] for slope in slopes)
    return f"+.{min(8, max(2, 1 - math.floor(math.log10(width)))) if width > 0 else 2}f"


def _slopes(able: Mapping[str, Any], rope: float) -> Chart:
    """Every slope with its interval, the first strategy on top."""
    names = [(name, size, both) for name, one in able.items() for size, both in one["sizes"].items()]
    sizes = sorted({size for _, size, _ in names}, key=int)
    labels = [f"{name} {int(size):,}" for name, size, _ in names][::-1]
    data = []
    for number, size in enumerate(sizes):
        own = [(f"{name} {int(one):,}", _slope(both)) for name, one, both in names if one == size]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{int(size):,} rows",
                "x": [slope["median"] for _, slope in own],
                "y": [charts.plain(label) for label, _ in own],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [slope["high"] - slope["median"] for _, slope in own],
                    "arrayminus": [slope["median"] - slope["low"] for _, slope in own],
                    "color": charts.SERIES[number % 6],
                    "thickness": 2,
                    "width": 0,
                },
                "marker": {"color": charts.SERIES[number % 6], "symbol": charts.MARKS[number % 6], "size": 9},
            }
        )
    fitted = [(f"{name} {int(size):,}", both["ols"]) for name, size, both in names if both["ols"] is not None]
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "least squares",
            "x": [ols for _, ols in fitted],
            "y": [charts.plain(label) for label, _ in fitted],
            "marker": {"color": charts.INK, "symbol": "x-thin-open", "size": 8},
        }
    )
    form = _form(able)
    columns = [Column("strategy"), Column("rows", ",.0f"), Column("gain", form), Column("from", form), Column("to", form)]
    columns += [Column("P(> 0)", ".3f"), Column("counts as none", ".0%"), Column("least squares", form), Column("runs", ".0f")]
    rows: list[list[Cell]] = [
        [name, int(size), slope["median"], slope["low"], slope["high"], slope["p_positive"], slope["in_rope"], both["ols"],
         (both["ols_fit"] or {}).get("n")]
        for name, size, both in names for slope in [_slope(both)]
    ]  # fmt: skip
    rows += [
        [f"{name}, mean of sizes", None, slope["median"], slope["low"], slope["high"], slope["p_positive"], slope["in_rope"],
         one["pooled"]["ols"], one["n"]]
        for name, one in able.items() if len(one["sizes"]) > 1 for slope in [one["pooled"]["slope"]]
    ]  # fmt: skip
    axis = {"categoryorder": "array", "categoryarray": [charts.plain(label) for label in labels]}
    shade = {"type": "rect", "xref": "x", "yref": "paper", "x0": -rope, "x1": rope, "y0": 0, "y1": 1, "line": {"width": 0},
             "fillcolor": f"{charts.RANDOM}-band", "layer": "below"}  # fmt: skip
    return Chart(
        "Gain from 0 to 100 % of diversity",
        charts.figure(data, "points of the score", "", yaxis=axis, xaxis={"zeroline": True}, shapes=[shade]),
        f"Median and 95 % credible interval for each strategy and size. Within the shaded ±{rope:g} a gain counts as none.",
        Table("Slopes", columns, rows),
        height=120 + 26 * len(labels),
    )


def _decision(found: Mapping[str, Any]) -> list[Block]:
    told = found["decision"]
    form = _form({name: one for name, one in found["strategies"].items() if one["sizes"]})
    columns = [Column("strategy"), Column("expected gain", form), Column("P(gains most)", ".3f"), Column("expected regret", form[1:])]
    rows = [[name, one["gain"], one["p_best"], one["regret"]] for name, one in told["strategies"].items()]
    says = "Expected regret: how much more the best strategy, whichever it is, is expected to gain."
    return [Table(f"The decision at {told['size']:,} rows", columns, rows), Prose(says, "note")]


def _next(found: Mapping[str, Any]) -> Table:
    rows = []
    for one in found["decision"]["next_runs"]:
        runs = "; ".join(f"{run['strategy']} at {100 * run['level']:.0f} %, {run['size']:,} rows" for run in one["runs"])
        rows.append([runs, one["error_before"], one["error_after"]])
    caption = "What to run next: what would narrow most what decides between the first two strategies (its standard error, in points)"
    return Table(caption, [Column("runs to add"), Column("error now", "#.3g"), Column("error then", "#.3g")], rows)


def _claims(claims: Sequence[Mapping[str, Any]]) -> list[Block]:
    told: list[Block] = []
    columns = [Column("verdict"), Column("claim"), Column("why")]
    for paper, caption in ((True, "Claims of arXiv 2505.24768, and what these points say of them"), (False, "Other claims")):
        rows: list[list[Cell]] = [[WORDS[one["word"]], one["says"], one["because"]] for one in claims if one["paper"] is paper]
        if rows:
            caption = caption if any(one["paper"] for one in claims) else "Claims, and what these points say of them"
            told.append(Table(caption, columns, rows))
    if told:
        told.append(Prose("Supported: P is .95 or more; contradicted: .05 or less.", "note"))
    return told


def _points(name: str, one: Mapping[str, Any], found: Mapping[str, Any]) -> Chart:
    """The points of one strategy with the line and the band of each size."""
    sizes = sorted({int(size) for other in found["strategies"].values() for size in other["sizes"]})
    data: list[dict[str, Any]] = []
    for size, line in one["lines"].items():
        number = sizes.index(int(size))
        colour = charts.SERIES[number % 6]
        x = [100 * at["x"] for at in line]
        low, high = charts.band("", x, [at["low"] for at in line], [at["high"] for at in line], colour)
        data += [low, {**high, "showlegend": False, "opacity": 0.6}]
        data.append({**charts.line(f"{int(size):,} rows", x, [at["mean"] for at in line], number), "showlegend": False})
        own = [at for at in one["points"] if at["size"] == int(size)]
        dots = charts.line(f"{int(size):,} rows", [100 * at["x"] for at in own], [at["score"] for at in own], number, marks=True)
        data.append({**dots, "mode": "markers"})
    curve = one["curvature"]
    says = "Points are runs; lines the mean score with its 95 % band."
    if curve["elpd_gain_of_a_bend"] is not None:
        says += (
            f" Straight or bent, by leave-one-out: {curve['word']} ({curve['elpd_gain_of_a_bend']:+.1f} ± {curve['error']:.1f} for a bend)."
        )
    columns = [Column("rows", ",.0f"), Column("level, %", ".0f"), Column("score", ".4g")]
    table = Table("Runs", columns, [[at["size"], 100 * at["x"], at["score"]] for at in one["points"]], folded=True)
    same = {"range": _room(found)}  # so that strategies are compared by eye
    return Chart(name, charts.figure(data, "diversity, % of the range", "score", yaxis=same), says, table)


def _room(found: Mapping[str, Any]) -> list[float]:
    """Of all points and bands; where a band is wider than all points together it is cut."""
    scores = [at["score"] for one in found["strategies"].values() for at in one["points"]]
    bands = [at[end] for one in found["strategies"].values() for line in one.get("lines", {}).values() for at in line for end in BAND]
    low, high = min(scores), max(scores)
    most = (high - low) or 1.0
    return [max(min([low, *bands]), low - most / 2) - 0.06 * most, min(max([high, *bands]), high + most / 2) + 0.06 * most]


def _interaction(able: Mapping[str, Any], rope: float) -> Chart:
    data = []
    places = sorted(int(size) for one in able.values() for size in one["sizes"])
    for number, (name, one) in enumerate(able.items()):
        sizes = sorted(one["sizes"], key=int)
        slopes = [_slope(one["sizes"][size]) for size in sizes]
        aside = 0.01 * (places[-1] - places[0]) * (number - (len(able) - 1) / 2)  # so that intervals stand beside each other
        line = charts.line(name, [int(size) + aside for size in sizes], [slope["median"] for slope in slopes], number, marks=True)
        errors = {
            "type": "data",
            "symmetric": False,
            "array": [slope["high"] - slope["median"] for slope in slopes],
            "arrayminus": [slope["median"] - slope["low"] for slope in slopes],
            "thickness": 1.2,
            "width": 3,
            "color": charts.SERIES[number % 6],
        }
        data.append({**line, "error_y": errors})
    columns = [
        Column("strategy"),
        Column("largest minus smallest size", _form(able)),
        Column("from", _form(able)),
        Column("to", _form(able)),
    ]
    columns.append(Column("P(> 0)", ".3f"))
    rows = [[name, *(one["growth"][key] for key in ("median", "low", "high", "p_positive"))] for name, one in able.items() if one["growth"]]
    says = "The gain from 0 to 100 % at each size, with 95 % intervals."
    return Chart("How the gain changes with size", charts.figure(data, "rows of the set", "gain"), says, Table("Change", columns, rows))


def _checks(able: Mapping[str, Any]) -> list[Block]:
    columns = [Column("strategy"), Column("runs", ".0f"), Column("noise (sd)", "#.3g"), Column("from", "#.3g"), Column("to", "#.3g")]
    columns += [Column("straight or bent"), Column("best level by size"), Column("largest", ".2f"), Column("alike", ".2f")]
    columns += [Column("sizes", ".2f"), Column("left out, inside")]
    rows: list[list[Cell]] = []
    for name, one in able.items():
        noise, check = one["residual_sd"], one["predictive_check"]
        best = (
            ", ".join(f"{100 * level:.0f}" for _, level in sorted(one["curvature"]["best_level"].items(), key=lambda at: int(at[0]))) + " %"
        )
        inside = f"{check['inside']} of {check['of']}" if "inside" in check else None
        row: list[Cell] = [name, one["n"], noise["median"], noise["low"], noise["high"], one["curvature"]["word"], best]
        rows.append([*row, check.get("largest"), check.get("runs in a row"), check.get("sizes"), inside])
    says = (
        "Largest, alike and sizes are shares of scores drawn from the model that are as extreme as the real ones, in the largest residual, "
        "in how alike the residuals of neighbouring levels are, and in how the noise differs from size to size: under 0.05 the model does "
        "not make such scores. Left out, inside: how many runs lie in the 95 % interval that the others give them."
    )
    return [Table("Checks", columns, rows), Prose(says, "note")]


def _sensitivity(able: Mapping[str, Any], size: int) -> Table:
    names = list(dict.fromkeys(name for one in able.values() for name in one["sensitivity"]))
    digits = int(_form(able)[2:-1])

    def told(slope: Mapping[str, float] | None) -> str | None:
        return None if slope is None else f"{slope['median']:+.{digits}f} [{slope['low']:.{digits}f}, {slope['high']:.{digits}f}]"

    rows: list[list[Cell]] = [[name, *(told(one["sensitivity"].get(other)) for other in names)] for name, one in able.items()]
    return Table(f"The gain at {size:,} rows under other priors, errors and choices", [Column("strategy"), *map(Column, names)], rows)

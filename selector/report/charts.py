"""Plotly figures as plain values, with colours by name: the page knows what a name means in light and in dark."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

# A name beginning with -- is a colour of the page's style sheet. Colour is never the only sign: each has its mark and its dash too.
SERIES = ("--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6")
MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
RANDOM = "--random"
POOL = "--pool"
INK = "--ink"

FAR_TICKS = (-300, -100, -30, -10, -3, 0, 3, 10, 30, 100, 300)

Figure = dict[str, Any]


def far(value: float) -> float:
    """Where a number of standard errors stands on an axis that is even near 0 and logarithmic far out: asinh(v / 2)."""
    return math.asinh(value / 2)


def plain(text: str) -> str:
    """A text that rows may hold, for any place in a figure: plotly reads a little HTML in texts, and shall find none."""
    escaped = html.escape(text, quote=False)
    return f"&#45;{escaped[1:]}" if escaped.startswith("--") else escaped  # or it might be taken for a colour's name


def line(
    name: str, x: Sequence[float], y: Sequence[float | None], series: int, *, marks: bool = False, colour: str | None = None
) -> dict[str, Any]:
    """A line of the series' own colour and dash, and mark where there are few points."""
    colour = colour or SERIES[series % 6]
    return {
        "type": "scatter",
        "mode": "lines+markers" if marks else "lines",
        "name": plain(name),
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "width": 2, "dash": DASHES[series % 6]},
        "marker": {"color": colour, "size": 7, "symbol": MARKS[series % 6]},
    }


def band(name: str, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str = RANDOM) -> list[dict[str, Any]]:
    """A filled band between two lines, as what random sets reach."""
    edge = {"type": "scatter", "mode": "lines", "line": {"width": 0, "color": colour}, "hoverinfo": "skip"}
    return [
        {**edge, "x": list(x), "y": list(low), "showlegend": False},
        {**edge, "x": list(x), "y": list(high), "name": plain(name), "fill": "tonexty", "fillcolor": f"{colour}-band"},
    ]


def bars(name: str, labels: Sequence[str], values: Sequence[float | None], series: int, *, colour: str | None = None) -> dict[str, Any]:
    """Horizontal bars, the first label on top; the layout needs `barmode`."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": plain(name),
        "y": [plain(label) for label in labels],
        "x": list(values),
        "marker": {
            "color": colour or SERIES[series % 6],
            "pattern": {"shape": ("", "/", ".", "x", "-", "+")[series % 6], "fillmode": "overlay", "solidity": 0.25, "size": 7},
        },
    }


def figure(data: Sequence[Mapping[str, Any]], x: str, y: str, **layout: Any) -> Figure:
    """The data under these axis titles; `layout` as plotly names it, with xaxis and yaxis merged into these."""
    axes = {
        "xaxis": {"title": {"text": x}, **layout.pop("xaxis", {})},
        "yaxis": {"title": {"text": y}, "automargin": True, **layout.pop("yaxis", {})},
    }
    return {"data": [dict(one) for one in data], "layout": {**axes, **layout}}

"""The love plot: how far sets were apart in each covariate before matching, and are after."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selector.balance import BALANCED, NEARLY

LEVELS = 6  # of one covariate, those that are or were farthest apart
LINES = 48  # of a plot; the rest stand in balance.json
NARROW = "narrow"
# Okabe and Ito's colours, which differ for every kind of colour vision; the markers differ as well.
GREY, BLUE, ORANGE = "#8a8a8a", "#0072B2", "#D55E00"


@dataclass(frozen=True)
class Line:
    """One line of the plot: absolute standardised mean differences, None where infinite."""

    label: str
    matched: bool
    before: float | None
    random: tuple[float | None, ...]
    narrow: float | None


def lines(balance: Mapping[str, Any]) -> tuple[list[Line], int]:
    """The lines of the plot, the matched covariates first and each group by falling difference before; and how many were left out."""
    groups: list[list[list[Line]]] = [[], []]
    for one in balance["covariates"]:
        made = [_line(one["name"], one, None)] if one["kind"] == "numbers" else _levels(one)
        groups[not one["matched"]].append(made)
    for group in groups:
        group.sort(key=lambda made: -_size(made[0].before))
    found = [line for group in groups for made in group for line in made]
    return found[:LINES], max(0, len(found) - LINES)


def draw(balance: Mapping[str, Any], title: str) -> dict[str, bytes]:
    """`love-plot.png` and `love-plot.svg`, the same bytes for the same balance and version of matplotlib."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    style: Any = {"svg.hashsalt": "selector", "font.size": 10, "font.family": "DejaVu Sans", "axes.linewidth": 0.8}
    with rc_context(style):
        figure = _figure(balance, title)
        png, svg = io.BytesIO(), io.BytesIO()
        FigureCanvasAgg(figure).print_figure(png, dpi=160, metadata={"Software": None})
        FigureCanvasSVG(figure).print_figure(svg, metadata={"Date": None, "Creator": None})
    return {"love-plot.png": png.getvalue(), "love-plot.svg": svg.getvalue()}


def _figure(balance: Mapping[str, Any], title: str) -> Any:
    from matplotlib.figure import Figure

    shown, left_out = lines(balance)
    places, headings = _places(shown)
    figure = Figure(figsize=(8.4, 1.55 + 0.27 * (max(places, default=0) + 1)), layout="constrained")
    axes = figure.add_subplot()
    finite = [one for line in shown for one in (line.before, *line.random, line.narrow) if one is not None]
    far = max([0.2, *finite]) * 1.06
    axes.set_xscale("function", functions=(lambda x: abs(x) ** 0.5, lambda x: x**2))
    axes.set_xlim(0, far)
    axes.set_xticks([tick for tick in (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8) if tick <= far])
    axes.set_xticklabels([f"{tick:g}" for tick in axes.get_xticks()])
    axes.xaxis.set_minor_locator(_none())
    axes.axvspan(0, BALANCED, color="#eef4fa", zorder=0, linewidth=0)
    for place, line in zip(places, shown, strict=True):
        _mark(axes, place, line, far)
    for at, dashes in ((BALANCED, (0, (5, 3))), (NEARLY, (0, (1, 2)))):
        axes.axvline(at, color="#444444", linewidth=1, linestyle=dashes, zorder=1)
    for place, words in headings:
        axes.text(0.0, place, words, transform=_beside(axes), ha="right", va="center", fontweight="bold", fontsize=10)
    axes.set_yticks(places, [line.label for line in shown])
    axes.set_ylim(max(places, default=0) + 0.8, -0.9)
    axes.tick_params(axis="y", length=0, pad=9)
    axes.grid(axis="x", color="#e8e8e8", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel("absolute standardised mean difference from the diverse set (square-root scale)")
    axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold", pad=30, x=0)
    _legend(axes, shown)
    if left_out:
        axes.text(1, -0.02, f"and {left_out} more lines in balance.json", transform=axes.transAxes, ha="right", va="top", fontsize=8)
    return figure


def _mark(axes: Any, place: float, line: Line, far: float) -> None:
    random = [min(_size(one), far) for one in line.random]
    before = min(_size(line.before), far)
    ends = [before, *random, *([min(_size(line.narrow), far)] if line.narrow is not None else [])]
    axes.plot([min(ends), max(ends)], [place, place], color="#d0d0d0", linewidth=1.4, zorder=1.5, solid_capstyle="round")
    axes.plot(before, place, marker="o", markersize=7, markerfacecolor="white", markeredgecolor=GREY, markeredgewidth=1.6, zorder=3)
    if line.narrow is not None:
        axes.plot(min(_size(line.narrow), far), place, marker="D", markersize=6.5, color=ORANGE, zorder=4, clip_on=False)
    for one in random:
        axes.plot(one, place, marker="o", markersize=6.5, color=BLUE, alpha=0.75, markeredgewidth=0, zorder=5, clip_on=False)


def _legend(axes: Any, shown: Sequence[Line]) -> None:
    from matplotlib.lines import Line2D

    after = f"after: {len(shown[0].random)} random sets" if shown and len(shown[0].random) > 1 else "after: random set"
    entries = [
        Line2D([], [], linestyle="", marker="o", markersize=7, markerfacecolor="white", markeredgecolor=GREY, markeredgewidth=1.6,
               label="before: whole pool"),
        Line2D([], [], linestyle="", marker="o", markersize=6.5, color=BLUE, label=after),
    ]  # fmt: skip
    if any(line.narrow is not None for line in shown):
        entries.append(Line2D([], [], linestyle="", marker="D", markersize=5.5, color=ORANGE, label="after: narrow set"))
    entries += [
        Line2D([], [], color="#444444", linewidth=1, linestyle=(0, (5, 3)), label=f"{BALANCED:g}"),
        Line2D([], [], color="#444444", linewidth=1, linestyle=(0, (1, 2)), label=f"{NEARLY:g}"),
    ]
    axes.legend(
        handles=entries, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(entries), frameon=False, fontsize=9, handletextpad=0.3,
        columnspacing=1.3, borderaxespad=0.2,
    )  # fmt: skip


def _places(shown: Sequence[Line]) -> tuple[list[float], list[tuple[float, str]]]:
    """Where each line stands, from above, and the headings of the two groups."""
    places: list[float] = []
    headings: list[tuple[float, str]] = []
    at = 0.0
    for number, line in enumerate(shown):
        if not number or shown[number - 1].matched != line.matched:
            at += 0.6 if number else 0.0
            headings.append((at, "matched" if line.matched else "not matched"))
            at += 1
        places.append(at)
        at += 1
    return places, headings


def _levels(one: Mapping[str, Any]) -> list[Line]:
    """The levels that are or were farthest apart, by falling difference before."""

    def before(level: str) -> float:
        return -_size(one["before"]["levels"][level])

    def farthest(level: str) -> float:
        return min(before(level), *(-_size(after["levels"][level]) for after in one["after"].values()))

    worst = dict.fromkeys(after["level"] for after in one["after"].values())  # of each set, which is never hidden
    others = sorted(one["before"]["levels"].keys() - worst.keys(), key=lambda level: (farthest(level), level))
    chosen = [*worst, *others[: max(0, LEVELS - len(worst))]]
    return [_line(f"{one['name']}: {level}", one, level) for level in sorted(chosen, key=lambda level: (before(level), level))]


def _line(label: str, one: Mapping[str, Any], level: str | None) -> Line:
    def size(difference: Mapping[str, Any]) -> float | None:
        value = difference["smd"] if level is None else difference["levels"][level]
        return None if value is None else abs(value)

    random = tuple(size(difference) for name, difference in one["after"].items() if name != NARROW)
    narrow = size(one["after"][NARROW]) if NARROW in one["after"] else None
    return Line(label if len(label) <= 36 else f"{label[:35]}…", one["matched"], size(one["before"]), random, narrow)


def _size(value: float | None) -> float:
    """Infinite differences are drawn at the edge."""
    return float("inf") if value is None else abs(value)


def _none() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _beside(axes: Any) -> Any:
    """Left of the axes, where the labels end; up and down by the lines."""
    from matplotlib.transforms import ScaledTranslation

    return axes.get_yaxis_transform() + ScaledTranslation(-9 / 72, 0, axes.figure.dpi_scale_trans)

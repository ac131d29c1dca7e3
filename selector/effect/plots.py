"""The estimate as pictures: points with bands for each strategy; slopes by strategy and size, and how they change with size."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from selector.effect.outcome import Effect, Strategy
from selector.effect.saying import points

# Okabe and Ito's colours, which differ for every kind of colour vision; markers and dashes differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKS = ("o", "s", "D", "^", "v", "P")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), "-.", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
GREY = "#777777"
ACROSS = 3  # panels of a row
POINTS = 101  # of a line


def draw(found: Effect) -> dict[str, bytes]:
    """`effect`, `slopes` and, where asked for, `paper-lines` as PNG and SVG; none without a slope.

    The same bytes for the same estimate and version of matplotlib.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    able = [one for one in found.strategies.values() if one.estimate.posterior is not None]
    style: Any = {"svg.hashsalt": "selector", "font.size": 10, "font.family": "DejaVu Sans", "axes.linewidth": 0.8}
    files: dict[str, bytes] = {}
    drawn: dict[str, Any] = {"effect": _points, "slopes": _slopes}
    if found.recipe.effect.paper_lines:
        drawn["paper-lines"] = partial(_points, paper=True)
    for name, figured in drawn.items() if able else ():
        with rc_context(style):
            figure = figured(found, able)
            png, svg = io.BytesIO(), io.BytesIO()
            FigureCanvasAgg(figure).print_figure(png, dpi=160, metadata={"Software": None})
            FigureCanvasSVG(figure).print_figure(svg, metadata={"Date": None, "Creator": None})
        files |= {f"{name}.png": png.getvalue(), f"{name}.svg": svg.getvalue()}
    return files


def _points(found: Effect, able: Sequence[Strategy], paper: bool = False) -> Any:
    """Scores and fitted lines with bands, a panel a strategy and a colour a size; or the lines of the paper's figure."""
    from matplotlib.figure import Figure

    across = min(ACROSS, len(able))
    down = -(-len(able) // across)
    figure = Figure(figsize=(max(4.6, 3.3 * across), 2.85 * down + 0.9), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True, sharex=True)
    for place, axes in enumerate(panels.flat):
        if place >= len(able):
            axes.set_axis_off()
            continue
        _panel(axes, found, able[place], paper)
        axes.tick_params(labelbottom=place + across >= len(able))
    word = "asked for" if found.recipe.effect.x == "level" else "achieved"
    figure.supxlabel(f"diversity {word}, % of the range", fontsize=10)
    figure.supylabel("score" if found.better > 0 else "score (lower is better)", fontsize=10)
    panels[0, 0].set_ylim(*_room(able))
    _legend(figure, found, paper)
    return figure


def _panel(axes: Any, found: Effect, one: Strategy, paper: bool) -> None:
    estimate, design, sizes = one.estimate, one.estimate.design, found.scores.sizes
    grid = np.linspace(0, 1, POINTS)
    for size in design.own_sizes:
        colour, mark, dash = _look(sizes.index(size))
        own = design.sizes == size
        if paper:
            if size in one.ridges:
                line, spread = one.ridges[size].line(grid), one.ridges[size].spread(grid)
                axes.fill_between(100 * grid, line - spread, line + spread, color=colour, alpha=0.15, linewidth=0)
                axes.plot(100 * grid, line, color=colour, linestyle=(0, (4, 2)), linewidth=1.2)
                axes.plot(100 * grid, np.polyval(np.polyfit(design.x[own], design.scores[own], 1), grid), color=colour, linewidth=1.7)
        else:
            lines = [estimate.line(float(x), size) for x in grid]
            low, high = ([line.quantile(share) for line in lines] for share in (0.025, 0.975))
            axes.fill_between(100 * grid, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(100 * grid, [line.place for line in lines], color=colour, linestyle=dash, linewidth=1.7)
        axes.plot(100 * design.x[own], design.scores[own], linestyle="", marker=mark, markersize=4.6, color=colour, markeredgewidth=0)
    axes.set_title(estimate.name, loc="left", fontsize=10.5, fontweight="bold")
    slope = found.slope(estimate.name, found.size)
    told = f"{points(slope, 'median')} [{points(slope, 'low')}, {points(slope, 'high')}]" + (" *" if estimate.too_few else "")
    axes.set_title("" if paper else told, loc="right", fontsize=8.5, color="#444444")
    _plain(axes)
    axes.grid(axis="y", color="#ececec", linewidth=0.8)
    axes.set_xlim(-3, 103)
    axes.set_xticks([0, 25, 50, 75, 100])


def _legend(figure: Any, found: Effect, paper: bool) -> None:
    from matplotlib.lines import Line2D

    entries = []
    for place, size in enumerate(found.scores.sizes):
        colour, mark, dash = _look(place)
        entries.append(Line2D([], [], color=colour, marker=mark, linestyle="-" if paper else dash, markersize=5, label=f"{size:,} rows"))
    title = f"bands: 95 % of the mean score; right above: gain from 0 to 100 % at {found.size:,} rows, 95 % interval"
    if paper:
        title = "solid: least squares of each size; dashed: BayesianRidge, with one standard deviation of a score (centred)"
    elif any(one.estimate.too_few for one in found.strategies.values()):
        title += "; * too few runs for a claim"
    title = textwrap.fill(title, 50 * min(ACROSS, len(found.strategies)))
    figure.legend(handles=entries, loc="outside upper left", ncols=len(entries), frameon=False, fontsize=9, title=title, title_fontsize=8.5,
                  alignment="left")  # fmt: skip


def _slopes(found: Effect, able: Sequence[Strategy]) -> Any:
    """Left every slope with its interval, right the slopes along sizes."""
    from matplotlib.figure import Figure

    changing = [one for one in able if one.estimate.design.interacts]
    rows = sum(len(one.estimate.design.own_sizes) + 0.8 for one in able)
    height = max(3.2 if changing else 1.9, 1.1 + 0.24 * rows)
    figure = Figure(figsize=(10.6 if changing else 6.2, height), layout="constrained")
    axes = figure.subplots(1, 2 if changing else 1, squeeze=False, width_ratios=[1.15, 1] if changing else None)[0]
    _forest(axes[0], found, able)
    if changing:
        _by_size(axes[1], found, changing)
    return figure


def _forest(axes: Any, found: Effect, able: Sequence[Strategy]) -> None:
    axes.axvspan(-found.rope, found.rope, color="#f0f0f0", zorder=0, linewidth=0)
    axes.axvline(0, color="#666666", linewidth=0.9, zorder=1)
    at, places, names = 0.0, [], []
    for one in able:
        own = one.estimate.design.own_sizes
        for size in own:
            colour, mark, _ = _look(found.scores.sizes.index(size))
            slope = found.slope(one.estimate.name, size)
            axes.plot([slope["low"], slope["high"]], [at, at], color=colour, linewidth=2.2, solid_capstyle="round", zorder=2)
            axes.plot(
                slope["median"], at, marker=mark, color=colour, markersize=6.5, markeredgecolor="white", markeredgewidth=0.8, zorder=3
            )
            fit = one.estimate.design.sizes == size
            if len(set(one.estimate.design.x[fit].tolist())) > 1:
                line = np.polyfit(one.estimate.design.x[fit], one.estimate.design.scores[fit], 1)[0]
                axes.plot(line, at, marker="x", color="#222222", markersize=5, markeredgewidth=1.2, linestyle="", zorder=4)
            places.append(at)
            names.append(f"{one.estimate.name if size == own[0] else ''}  {size:,}")
            at += 1
        at += 0.8
    axes.set_yticks(places, names)
    axes.set_ylim(at + 0.1, -0.8)
    axes.tick_params(axis="y", length=0)
    _plain(axes)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#ececec", linewidth=0.8)
    axes.set_xlabel("gain from 0 to 100 %, points of the score")
    axes.set_title("Slopes: median, 95 % interval; × least squares", loc="left", fontsize=10.5, fontweight="bold")
    axes.text(found.rope, at - 0.55, f" ±{found.rope:g}: counts as none", fontsize=8, color=GREY, va="center", transform=axes.transData)


def _by_size(axes: Any, found: Effect, changing: Sequence[Strategy]) -> None:
    sizes = found.scores.sizes
    reach = sizes[-1] - sizes[0]
    axes.axhspan(-found.rope, found.rope, color="#f0f0f0", zorder=0, linewidth=0)
    axes.axhline(0, color="#666666", linewidth=0.9, zorder=1)
    ends = []
    for place, one in enumerate(changing):
        colour, mark, dash = _look(place)
        own = np.array(one.estimate.design.own_sizes, float)
        aside = own + 0.012 * reach * (place - (len(changing) - 1) / 2)  # beside each other, so that intervals are seen
        slopes = [found.slope(one.estimate.name, int(size)) for size in own]
        middle = [slope["median"] for slope in slopes]
        axes.vlines(aside, [slope["low"] for slope in slopes], [slope["high"] for slope in slopes], color=colour, linewidth=1.5, alpha=0.75)
        axes.plot(aside, middle, color=colour, linestyle=dash, linewidth=1.8, marker=mark, markersize=5.5)
        ends.append((middle[-1], one.estimate.name, colour))
    _plain(axes)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_xlabel("rows of the set")
    axes.set_ylabel("gain from 0 to 100 %, 95 % interval")
    axes.set_title("How the gain changes with size", loc="left", fontsize=10.5, fontweight="bold")
    low, high = axes.get_ylim()
    step, last = (high - low) / 19, -np.inf
    for value, name, colour in sorted(ends):
        last = max(value, last + step)  # names that would overlap move up
        axes.annotate(
            name, (sizes[-1], value), xytext=(sizes[-1] + 0.06 * reach, last), textcoords="data", color=colour, fontsize=9,
            va="center", annotation_clip=False,
        )  # fmt: skip


def _look(place: int) -> tuple[str, str, Any]:
    return COLOURS[place % 6], MARKS[place % 6], DASHES[place % 6]


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_axisbelow(True)


def _room(able: Sequence[Strategy]) -> tuple[float, float]:
    """Of all points and the ends of all bands; where a band is wider than all points together it is cut."""
    scores = np.concatenate([one.estimate.design.scores for one in able])
    low, high = float(scores.min()), float(scores.max())
    most = (high - low) or 1.0
    ends = [one.estimate.line(x, size) for one in able for size in one.estimate.design.own_sizes for x in (0.0, 1.0)]
    bottom = min([low, *(float(end.quantile(0.025)) for end in ends)])
    top = max([high, *(float(end.quantile(0.975)) for end in ends)])
    return max(bottom, low - most / 2) - 0.04 * most, min(top, high + most / 2) + 0.04 * most

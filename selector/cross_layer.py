"""What the levels of a ladder achieve at every layer of both sides, held against random sets of the same size."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from selector import measuring, verdicts
from selector.core import Aspect, Progress, Rows
from selector.measuring import Gauge, Readings
from selector.verdicts import Verdict

# Okabe and Ito's colours: a layer each; sides differ by the line.
COLOURS = {"macro": "#0072B2", "meso": "#009E73", "micro": "#D55E00"}


@dataclass(frozen=True)
class Achieved:
    """Readings of every level by name, those of the random sets, and the verdict on each layer and side of every level."""

    levels: Mapping[str, Readings]
    random: tuple[Readings, ...]
    verdicts: Mapping[str, list[Verdict]]

    def value(self, level: str, side: str, layer: str, scale: str) -> float:
        """One number of one level."""
        return next(
            reading.value
            for gauge, reading in self.levels[level].items()
            if (gauge.side, gauge.layer, gauge.scale.name) == (side, layer, scale)
        )

    def measures(self) -> pa.Table:
        """One line for each level and measure: the value, and where it stands among the random sets."""
        lines = []
        for level, found in self.levels.items():
            standings = measuring.standings(found, self.random)
            lines += [{"level": level, **_line(gauge, found, standings[gauge])} for gauge in found]
        return pa.Table.from_pylist(lines)

    def layers(self) -> pa.Table:
        """One line a level: how many standard deviations of random sets each layer and side is off, thin below 0."""
        return pa.Table.from_pylist(
            [{"level": level, **{f"{one.side}/{one.layer}": one.t for one in said}} for level, said in self.verdicts.items()]
        )

    def limit(self) -> float:
        """How many standard deviations a layer and side may be off and still be as random."""
        return verdicts.limit(len(self.random), len(next(iter(self.verdicts.values()))))

    def words(self) -> list[list[str]]:
        """The same as words, a line a level: its name, then each layer and side, a star where it is thin or diverse."""
        return [
            [level, *("" if one.t is None else f"{one.t:+.1f}{' ' if one.word == 'as random' else '*'}" for one in said)]
            for level, said in self.verdicts.items()
        ]


def achieved(aspects: Sequence[Aspect], sets: Mapping[str, Rows], references: int, seed: int, progress: Progress) -> Achieved:
    """All measures of these sets of one size, and of so many random sets of that size."""
    size, pool = len(next(iter(sets.values()))), aspects[0].pool
    random = {f"random {number}": rows for number, rows in enumerate(measuring.at_random(pool, size, references, (seed,)))}
    found = measuring.readings(aspects, {**sets, **random}, progress=progress)
    others = tuple(found[name] for name in random)
    levels = {name: found[name] for name in sets}
    return Achieved(levels, others, {name: verdicts.verdicts(one, others) for name, one in levels.items()})


def plot(table: pa.Table, moved: str, title: str, limit: float) -> dict[str, bytes]:
    """`cross-layer.png` and `cross-layer.svg`: each layer and side over the levels.

    `moved` is the one that the ladder moves; up to `limit` a value is as random.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with rc_context({"svg.hashsalt": "selector", "font.size": 10, "font.family": "DejaVu Sans", "axes.linewidth": 0.8}):
        figure = _figure(table, moved, title, limit)
        png, svg = io.BytesIO(), io.BytesIO()
        FigureCanvasAgg(figure).print_figure(png, dpi=160, metadata={"Software": None})
        FigureCanvasSVG(figure).print_figure(svg, metadata={"Date": None, "Creator": None})
    return {"cross-layer.png": png.getvalue(), "cross-layer.svg": svg.getvalue()}


def _line(gauge: Gauge, found: Readings, standing: measuring.Standing) -> dict[str, Any]:
    reading = found[gauge]
    return {
        "side": gauge.side,
        "layer": gauge.layer,
        "measure": gauge.scale.name,
        "direction": gauge.scale.direction,
        "value": reading.value,
        "error": reading.error,
        "random_mean": standing.mean,
        "random_sd": standing.sd,
        "z": standing.z,
    }


def _figure(table: pa.Table, moved: str, title: str, limit: float) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    names = [name.removeprefix("level-").lstrip("0") or "0" for name in table.column("level").to_pylist()]
    places = np.arange(len(names))
    axes.axhspan(-limit, limit, color="#efefef", zorder=0)
    axes.axhline(0, color="#999999", linewidth=0.8, zorder=1)
    axes.set_yscale("symlog", linthresh=3, linscale=0.8)
    ends = []
    for name in table.column_names[1:]:
        side, _, layer = name.partition("/")
        values = np.array([np.nan if value is None else value for value in table.column(name).to_pylist()])
        axes.plot(
            places, values, color=COLOURS.get(layer, "#444444"), linestyle="-" if side == "response" else (0, (4, 2)),
            linewidth=3.2 if name == moved else 1.5, marker="o", markersize=6 if name == moved else 4, zorder=4 if name == moved else 3,
        )  # fmt: skip
        ends.append((values[-1], name, COLOURS.get(layer, "#444444")))
    axes.set_xticks(places, [f"{name} %" for name in names])
    axes.set_xlim(-0.2, places[-1] + 0.2)
    axes.set_xlabel(f"level of {moved}")
    axes.set_ylabel("standard deviations from random sets\n(below 0 thin, above diverse)")
    axes.text(0.01, 0.5, "as random", transform=axes.get_yaxis_transform(), fontsize=8, color="#777777", va="bottom")
    axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _plain_ticks(axes)
    for _, name, colour in ends:  # as wide as the names that come beside the lines
        axes.annotate(name, (places[-1], 0), xytext=(10, 0), textcoords="offset points", color=colour, fontsize=9, alpha=0)
    figure.draw_without_rendering()  # only then is it known where on the page a line ends
    figure.set_layout_engine("none")
    _labels(axes, places[-1], ends, moved)
    return figure


def _plain_ticks(axes: Any) -> None:
    low, high = axes.get_ylim()
    ticks = [sign * size for size in (1, 3, 10, 30, 100, 300, 1000, 3000) for sign in (-1, 1)] + [0]
    shown = sorted(tick for tick in ticks if low <= tick <= high)
    axes.set_yticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()


def _labels(axes: Any, place: float, ends: list[tuple[float, str, str]], moved: str) -> None:
    """Names at the ends of the lines, moved apart where they would overlap."""
    transform = axes.transData
    shown = sorted((transform.transform((place, value))[1], name, colour) for value, name, colour in ends if np.isfinite(value))
    lowest = -np.inf
    height = axes.figure.dpi * 11.5 / 72
    for pixel, name, colour in shown:
        lowest = max(pixel, lowest + height)
        up = transform.inverted().transform((0, lowest))[1]
        axes.annotate(
            name, (place, up), xytext=(10, 0), textcoords="offset points", va="center", color=colour, fontsize=9,
            fontweight="bold" if name == moved else "normal", annotation_clip=False,
        )  # fmt: skip

"""How a manifest's figures are said, on the terminal and on the dataset card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def number(value: float | None) -> str:
    """Six digits, with commas."""
    return "not finite" if value is None else f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def reasons(dropped: Mapping[str, int]) -> str:
    """`60 exact-duplicate, 2 blank-response`, or `none`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in dropped.items()) or "none"


def chosen_by(objective: Mapping[str, Any]) -> str:
    """The objective of a manifest with what it reads; of a mixture each part with its share of the weight."""
    parts = objective["parts"]
    if not parts:
        return f"{objective['name']} on {objective['layer']}/{objective['side']}" if objective["layer"] else str(objective["name"])
    total = sum(part["weight"] for part in parts)
    return " + ".join(
        f"{100 * part['weight'] / total:.0f} % {part['objective']}" + (f" on {' and '.join(part['on'])}" if part["on"] else "")
        for part in parts
    )


def proof(objective: Mapping[str, Any]) -> str:
    """The proved share of the optimum, rounded down: what is printed must be proved."""
    ratio = objective["ratio"]
    if ratio is None:
        return f"none: {objective['no_bound_because']}"
    if ratio == 1:
        return "the best possible: no subset within the limits is worth more"
    return f"at least {math.floor(1e4 * ratio) / 100:.2f} % of the best possible (upper bound {number(objective['upper_bound'])})"


def verdict(entry: Mapping[str, Any]) -> str:
    """An entry of a manifest's `diversity` in one sentence: thin, as random or diverse, and the figure that comes first."""
    random, alike = entry["beside_random"], entry["beside_same_lengths"]
    said = f"{random} beside random rows" + (" and rows of these lengths" if random == alike else f", {alike} beside rows of these lengths")
    figure = entry["figures"][0] if entry["figures"] else None
    if figure is None or figure["picks"] is None:
        return said
    return (
        f"{said}: {figure['name']} {_short(figure['picks'])} (random rows {_short(figure['random'])}, "
        f"of these lengths {_short(figure['same_lengths'])})"
    )


def lengths(told: Mapping[str, Any]) -> str:
    """A manifest's `lengths`: tokens a row of the picks and of the pool, and whether the one was held to the other."""
    of = {"both": "pair"}.get(told["of"], told["of"])
    said = f"{number(round(told['picks'], 1))} tokens a {of}, {number(round(told['pool'], 1))} in the pool"
    if not told["held"]:
        return f"{said} (left free)"
    if told["moved"]:
        return f"{said} (held as far as the quotas allow: {told['moved']:,} picks are of other lengths)"
    if told["short"]:
        return f"{said} (held, but {len(told['short']):,} of {told['strata']:,} strata of lengths are not filled)"
    return said


def diverse(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The selection's own verdict for each layer and side, and the lengths of its rows, by name."""
    entries = manifest["diversity"]
    names = [f"diversity {one['layer']}/{one['side']}" if len(entries) > 1 else "diversity" for one in entries]
    rows = {name: verdict(one) for name, one in zip(names, entries, strict=True)}
    return {**rows, "lengths": lengths(manifest["lengths"])} if manifest["selected"] else rows


def _short(value: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"

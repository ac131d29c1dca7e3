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

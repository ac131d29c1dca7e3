"""What a person sees of an estimate, in 80 columns: the answer, slopes by size, the decision, claims, checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from selector.terminal import grid, lines

if TYPE_CHECKING:  # a table needs none of the numbers behind it
    from selector.effect.outcome import Effect


def as_json(found: Effect) -> str:
    """Everything, indented."""
    return json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def effect(found: Effect, folder: str) -> None:
    """The tables at the end of an estimate."""
    from selector.effect import saying
    from selector.effect.claims import shown
    from selector.effect.saying import points

    told = found.to_dict()
    lines("effect", {"answer": found.lead})
    rows = []
    places = saying.digits(found.slope(name, int(size)) for name, one in told["strategies"].items() for size in one["sizes"])
    for name, one in told["strategies"].items():
        for size, both in one["sizes"].items():
            slope = both.get("pooled_slope") or both["slope"]
            interval = f"{points(slope, 'low', places)} to {points(slope, 'high', places)}"
            ols = "-" if both["ols"] is None else points({"median": both["ols"]}, "median", places)
            rows.append(
                [name, f"{int(size):,}", _right(points(slope, "median", places)), interval.rjust(16), shown(slope["p_positive"]).rjust(5),
                 f"{slope['in_rope']:.0%}".rjust(4), _right(ols)]
            )  # fmt: skip
            name = ""
    if rows:
        title = "\ngain from 0 to 100 %, points of the score"
        grid(title, ["strategy", "size", " slope", "    95 % interval", "P(>0)", "ROPE", "   OLS"], rows)
    decided = [
        [
            name,
            _right(f"{one['gain']:+.{places}f}"),
            shown(one["p_best"]).rjust(5) if len(found.choices) > 1 else "",
            _right(_regret(one["regret"], places)) if len(found.choices) > 1 else "",
        ]
        for name, one in told["decision"]["strategies"].items()
    ]
    if decided:
        grid(f"\ndecision at {found.size:,} rows", ["strategy", "  gain", "P(best)", "regret"], decided)
    if found.claims:
        grid("\nclaims", ["", "claim", "P"], [[one.word, one.says, "" if one.p is None else shown(one.p).rjust(5)] for one in found.claims])
    checked = [
        [
            name,
            str(one["n"]),
            f"{one['residual_sd']['median']:#.3g}",
            one["curvature"]["word"],
            f"{one['predictive_check']['inside']} of {one['predictive_check']['of']}" if "inside" in one["predictive_check"] else "-",
        ]
        for name, one in told["strategies"].items()
        if one["sizes"]
    ]
    if checked:
        grid("\nchecks", ["strategy", "n", "noise", "straight or bent", "left out, in its 95 % interval"], checked)
    lines("", _below(found, folder))


def _below(found: Effect, folder: str) -> dict[str, str]:
    from selector.effect import saying

    told = {"scores": saying.reading(found.scores), "model": found.model}
    if found.candidates:
        best = found.candidates[-1]
        runs = "; ".join(f"{name} at {100 * level:.0f} %, {size:,} rows" for name, level, size in best.runs)
        told["what next"] = f"{runs}: the standard error of what decides falls from {best.before:.3g} to {best.after:.3g}"
    if found.pooled is not None:
        sampled = found.pooled.diagnostics
        told["sampler"] = f"R-hat {sampled['r_hat']:.3f}, effective sample {sampled['ess']:.0f} of {sampled['draws']:.0f} draws"
    if found.notes:
        told["note"] = "\n".join(found.notes)
    return {**told, "written": folder}


def _right(text: str) -> str:
    return text.rjust(6)


def _regret(regret: float | None, places: int) -> str:
    return "-" if regret is None else f"{regret:.{places}f}"

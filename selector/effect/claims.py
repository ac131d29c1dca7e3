"""Claims that any data can be asked, each with its probability: what the points support, and what not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selector.effect.checks import Curvature
from selector.effect.decision import choices
from selector.effect.slopes import Estimate
from selector.effect.student import Student

SURE = 0.95  # from here on a claim is supported, and as far below one half contradicted
SIX = {f"{side}/{layer}" for side in ("instruction", "response") for layer in ("macro", "meso", "micro")}


@dataclass(frozen=True)
class Claim:
    """A sentence, its probability, and what that makes of it."""

    says: str
    p: float | None  # None where the model does not give one
    word: str  # supported, contradicted, not settled
    because: str
    paper: bool = False  # arXiv 2505.24768 makes it


def claims(found: Sequence[Estimate], curves: Mapping[str, Curvature], size: int, better: int) -> list[Claim]:
    """What can be said of these strategies at one size; of the paper's claims where its six strategies were run.

    `better` is 1, or -1 where lower scores are; a slope is then turned round. Probabilities are those of the posterior; a claim about
    several strategies has their product, since each has
    noise of its own. Claims that rest on too few runs are not settled.
    """
    able = [one for one in found if one.posterior is not None and not one.too_few]
    gains = {one.name: one.slope(size).times(better) for one in able}
    if not able:
        return []
    six = gains.keys() >= SIX
    told: list[Claim] = []
    if len(able) > 1:
        order = choices(gains)
        shown = [one for one in order if one.p_best >= 0.05]
        told += [
            _said(f"{one.strategy} has the largest slope at {size:,} rows", one.p_best, paper=six and one.strategy == "response/micro")
            for one in shown
        ]
        if six and "response/micro" not in {one.strategy for one in shown}:
            told.append(_said(f"response/micro has the largest slope at {size:,} rows", _p(order, "response/micro"), paper=True))
        told += _tops(able, size, better, six)
    several = any(len(one.design.own_sizes) > 1 for one in able)
    everywhere = ", on average over sizes" if several else ""
    overall = {one.name: one.over_sizes().times(better) for one in able}
    for name, gain in overall.items():
        hurts = name == "instruction/micro" if six else gain.place < 0
        p = float(gain.below(0.0)) if hurts else float(1 - gain.below(0.0))
        told.append(_said(f"{name} {'hurts' if hurts else 'helps'}{everywhere}", p, paper=six))
    if six:
        p = float(np.prod([1 - overall[name].below(0.0) for name in sorted(SIX - {"instruction/micro"})]))
        told.append(_said(f"all but instruction/micro help{everywhere}", p, paper=True))
    for one in able:
        growth = one.growth()
        if growth is not None:
            p = float(1 - growth.times(better).below(0.0))
            told.append(_said(f"the slope of {one.name} grows with size", p, paper=six and one.name == "response/micro"))
    for one in able:
        if overall[one.name].place > 0:
            told += _rising(one.name, curves[one.name], better, six)
    return told


def _tops(able: Sequence[Estimate], size: int, better: int, six: bool) -> list[Claim]:
    """Which strategy scores best at full diversity."""
    tops: dict[str, Student] = {one.name: one.line(1.0, size).times(better) for one in able if size in one.design.own_sizes}
    if len(tops) < 2:
        return []
    return [
        _said(f"{one.strategy} scores best at 100 % at {size:,} rows", one.p_best, paper=six and one.strategy == "response/micro")
        for one in choices(tops)
        if one.p_best >= 0.05 or (six and one.strategy == "response/micro")
    ]


def _rising(name: str, curve: Curvature, better: int, six: bool) -> list[Claim]:
    """Whether more is still better at full diversity: the slope of the bent line there, at the size where that is least likely."""
    if curve.gain is None or not curve.ends:
        return []
    chances = {size: float(1 - end.times(better).below(0.0)) for size, end in curve.ends.items()}
    said = _said(
        f"{name} still rises at 100 %{' at every size' if len(chances) > 1 else ''}",
        min(chances.values()),
        paper=six and name == "response/micro",
    )
    best = ", ".join(f"{100 * level:.0f} % at {size:,}" for size, level in curve.best.items())
    each = ", ".join(f"{shown(p)} at {size:,}" for size, p in chances.items())
    told = f"P: {each}; a bend predicts left-out scores by {curve.gain:+.1f} ± {curve.error:.1f} ({curve.word}); best scores: {best}"
    return [Claim(said.says, said.p, said.word, told, said.paper)]


def _said(says: str, p: float, *, paper: bool) -> Claim:
    word = "supported" if p >= SURE else "contradicted" if p <= 1 - SURE else "not settled"
    return Claim(says, p, word, f"P {equals(p)}", paper)


def _p(order: Sequence[object], name: str) -> float:
    return next(one.p_best for one in order if one.strategy == name)  # type: ignore[attr-defined]


def equals(p: float) -> str:
    """`= .98` or `> .99`."""
    return shown(p) if shown(p)[0] in "<>" else f"= {shown(p)}"


def shown(p: float) -> str:
    """A probability: two digits, and never 0 or 1, which no posterior gives."""
    return "> .99" if p > 0.995 else "< .01" if p < 0.005 else f"{p:.2f}"[1:] if p < 1 else "1"

"""What a person sees of a measurement: verdicts first, then a table a side, within 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from string import ascii_uppercase
from typing import TYPE_CHECKING

from selector.errors import plural
from selector.terminal import grid, lines

if TYPE_CHECKING:  # a table needs none of the compiled loops behind it
    from selector.measurement import Line, Measured, Measurement
    from selector.verdicts import Verdict

VALUE, MEAN, Z, PERCENT = 14, 8, 6, 4  # characters of a column
SIDE_BY_SIDE = 3  # datasets in one table


def measured(found: Measurement) -> None:
    """One dataset: verdicts, figures beside random subsets, and what must be known of them."""
    only = found.datasets[0]
    lines(f"{only.member.source}: {plural(found.rows, 'distinct row')}", {})
    if only.verdicts:
        _verdicts(only)
    for side, some in groupby(only.lines, key=lambda line: line.gauge.side):
        if found.pool is None:
            grid(f"\n{side}", [_left("measure"), _right("value", VALUE)], list(_alone(list(some))))
            continue
        head = [
            _left("measure"),
            _right("value", VALUE),
            _right("random", MEAN),
            _right("z", Z),
            _right("pct", PERCENT),
            _right("z len", Z),
        ]
        grid(f"\n{side}", head, list(_beside(list(some))))
    lines("", _below(found))


def compared(found: Measurement) -> None:
    """Several datasets side by side, at one size."""
    named = list(zip(_letters(len(found.datasets)), found.datasets, strict=True))
    lines(f"{len(named)} datasets at {plural(found.rows, 'distinct row')} each", {name: _origin(one) for name, one in named})
    for name, one in named if found.pool else ():
        lines(f"\n{name}", {})
        _verdicts(one)
    sides = list(dict.fromkeys(line.gauge.side for line in named[0][1].lines))
    for side in sides:
        for first in range(0, len(named), SIDE_BY_SIDE):
            some = named[first : first + SIDE_BY_SIDE]
            head = [_left("measure"), *(_right(name, VALUE) for name, _ in some)]
            own = [[line for line in one.lines if line.gauge.side == side] for _, one in some]
            grid(f"\n{side}", head, list(_together(own)))
    lines("", _below(found))


def _verdicts(one: Measured) -> None:
    """One line a layer and side: among random subsets, and among those of the same lengths."""
    from selector.verdicts import ordinal

    def said(verdict: Verdict) -> str:
        return verdict.word if verdict.percentile is None else f"{verdict.word}: {ordinal(verdict.percentile)} pct"

    rows = [[f"{mine.side}/{mine.layer}", said(mine), said(alike)] for mine, alike in zip(one.verdicts, one.matched_verdicts, strict=True)]
    grid("", ["verdict", "among random subsets", "among those of the same length"], rows)


def _alone(some: Sequence[Line]) -> Iterator[list[str]]:
    for layer, inside in groupby(some, key=lambda line: line.gauge.layer):
        yield [layer, ""]
        for line in inside:
            yield [_name(line), _right(_value(line), VALUE)]


def _beside(some: Sequence[Line]) -> Iterator[list[str]]:
    for layer, inside in groupby(some, key=lambda line: line.gauge.layer):
        yield [layer, "", "", "", "", ""]
        for line in inside:
            random, alike = line.random, line.matched
            percentile = "" if random is None or random.percentile is None else f"{random.percentile:.0f}"
            mean, z, z_len = _short(random.mean if random else None), _z(random.z if random else None), _z(alike.z if alike else None)
            beside = [_right(mean, MEAN), _right(z, Z), _right(percentile, PERCENT), _right(z_len, Z)]
            yield [_name(line), _right(_value(line), VALUE), *beside]


def _together(datasets: Sequence[Sequence[Line]]) -> Iterator[list[str]]:
    layer = ""
    for same in zip(*datasets, strict=True):
        if same[0].gauge.layer != layer:
            layer = same[0].gauge.layer
            yield [layer, *("" for _ in same)]
        yield [_name(same[0]), *(_right(_with_z(line), VALUE) for line in same)]


def _below(found: Measurement) -> dict[str, str]:
    """What the tables mean, and the notes."""
    from selector.verdicts import RULE

    said = {"figures": "* judged; ± standard error where a sample stands for all" if len(found.datasets) == 1 else "* judged"}
    if found.pool is not None:
        source = f"{found.references} random subsets of {found.pool.source} of the same size"
        said["random"] = f"{source}: z = (value - mean) / sd, pct = percentile; z len: the same length in tokens too"
        said["verdict"] = RULE
    if len(found.datasets) > 1:
        said["figures"] += "; ± standard deviation over subsets" + ("; in brackets z" if found.pool else "")
    if notes := found.notes():
        said["note"] = "\n".join(notes)
    return said


def _origin(one: Measured) -> str:
    return f"{one.member.source}: {plural(len(one.member.rows), 'distinct row')}"


def _name(line: Line) -> str:
    return _left(f" {line.gauge.scale.name}{' *' if line.gauge.scale.judged else ''}")


def _value(line: Line) -> str:
    noise = line.error if line.error is not None else line.spread
    return _short(line.value) + (f" ±{_short(noise, 2)}" if noise is not None else "")


def _with_z(line: Line) -> str:
    if line.random is None:
        return _value(line)
    return f"{_short(line.value)} ({_z(line.random.z)})" if line.random.z is not None else _short(line.value)


def _short(value: float | None, digits: int = 4) -> str:
    """So many digits that count; whole numbers whole, with commas from 10,000 on."""
    if value is None:
        return "-"
    if value == 0 or (float(value).is_integer() and abs(value) < 1e7):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"
    before = math.floor(math.log10(abs(value))) + 1
    if before > digits:
        return f"{value:,.0f}"
    return f"{value:.{min(6, digits - before)}f}"


def _z(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1f}" if abs(value) < 1000 else f"{value:+.0e}"


def _left(text: str) -> str:
    return text.ljust(27)


def _right(text: str, width: int) -> str:
    return text.rjust(width)


def _letters(count: int) -> list[str]:
    """A, B ... Z, A2, B2 ..."""
    return [ascii_uppercase[place % 26] + (str(place // 26 + 1) if place >= 26 else "") for place in range(count)]

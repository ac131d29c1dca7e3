"""What a measurement found: every figure, what random sets of the pool have in its place, verdicts; as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from selector import manifest
from selector import recipe as recipes
from selector.aspects import Member
from selector.errors import plural
from selector.matching import Shortfall
from selector.measure_recipe import MeasureRecipe
from selector.measuring import Gauge, Standing
from selector.verdicts import RULE, Verdict


@dataclass(frozen=True)
class Line:
    """One figure of a dataset, and where it stands among random sets of the pool and among those of its lengths."""

    gauge: Gauge
    value: float | None  # None where the set is too small for it
    error: float | None  # standard error where a sample stands for all
    spread: float | None  # standard deviation over subsets, where the value is the mean over some
    random: Standing | None
    matched: Standing | None


@dataclass(frozen=True)
class Measured:
    """A dataset, what was read of it, and what is said of it."""

    member: Member
    among_pool: int  # of its distinct rows
    subsets: int  # 1: it was measured whole; more: the values are means over so many random subsets
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]  # against random subsets of the pool
    matched_verdicts: tuple[Verdict, ...]  # against those of its lengths on the same side
    shortfalls: Mapping[str, Sequence[Shortfall]]  # side -> lengths of which the pool has too few rows


@dataclass(frozen=True)
class Measurement:
    """Datasets measured at one size, alike, and everything that is needed to say so."""

    datasets: tuple[Measured, ...]
    rows: int  # distinct ones that every figure is of
    pool: Member | None
    references: int  # random subsets of the pool, and as many matched in length; 0 without a pool
    facts: Mapping[str, Mapping[str, Any]]  # layer/side -> how its features were found
    recipe: MeasureRecipe

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON values: no number is NaN or infinite."""
        return {
            "rows": self.rows,
            "references": self.references,
            "seed": self.recipe.seed,
            "rule": RULE,
            "notes": self.notes(),
            "pool": None if self.pool is None else _member(self.pool),
            "datasets": [_dataset(one) for one in self.datasets],
            "features": {name: dict(facts) for name, facts in self.facts.items()},
            "versions": manifest.versions(),
            "recipe": recipes.write(self.recipe),
        }

    def to_json(self) -> str:
        """The same as text: the same bytes for the same data, words and versions."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One line a figure, with a header."""
        lines = [{"dataset": one.member.source, "rows": self.rows, **flat(line)} for one in self.datasets for line in one.lines]
        out = io.StringIO()
        writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        return out.getvalue()

    def notes(self) -> list[str]:
        """What a person must know of the figures, in sentences."""
        said = []
        if self.pool is None:
            said.append("no pool is named, so nothing says what a random set would have; name one with --pool")
        for one in self.datasets:
            member = one.member
            name = f"{member.source}: "
            if member.repeated:
                said.append(f"{name}{plural(member.repeated, 'row')} repeat another one and are measured once")
            if member.dropped:
                said.append(name + ", ".join(f"{count:,} {reason}" for reason, count in member.dropped.items()) + ": left out")
            if self.pool is not None and (own := len(member.rows) - one.among_pool):
                said.append(f"{name}{plural(own, 'row')} of {len(member.rows):,} are not among the usable rows of the pool")
            if self.pool is not None and self.rows == len(self.pool.rows):
                said.append(f"{name}as large as the pool, so every random subset is the pool itself and tells nothing")
            if one.subsets > 1:
                said.append(
                    f"{name}measured at the size of the smallest dataset: {one.subsets} random subsets of {self.rows:,} of its "
                    f"{len(member.rows):,} rows, mean and standard deviation"
                )
            for side, short in one.shortfalls.items():
                if lack := sum(stratum.wanted - stratum.had for stratum in short):
                    said.append(
                        f"{name}the pool has too few {side}s of some lengths: {lack:,} rows of a length-matched set have the nearest length"
                    )
        return said


def _dataset(one: Measured) -> dict[str, Any]:
    return {
        **_member(one.member),
        "rows_of_the_pool": one.among_pool,
        "subsets": one.subsets,
        "verdicts": [asdict(verdict) for verdict in one.verdicts],
        "verdicts_at_equal_length": [asdict(verdict) for verdict in one.matched_verdicts],
        "lengths_too_few_in_the_pool": {side: [asdict(stratum) for stratum in short] for side, short in one.shortfalls.items()},
        "measures": [flat(line) for line in one.lines],
    }


def _member(one: Member) -> dict[str, Any]:
    return {
        "source": one.source,
        "fingerprint": one.fingerprint,
        "rows_read": one.read,
        "rows_distinct": len(one.rows),
        "rows_repeated": one.repeated,
        "rows_dropped": dict(one.dropped),
    }


def flat(line: Line) -> dict[str, Any]:
    """One figure with everything that is known of it, under plain names."""
    gauge = line.gauge
    told: dict[str, Any] = {
        "side": gauge.side,
        "layer": gauge.layer,
        "family": gauge.family,
        "measure": gauge.scale.name,
        "direction": gauge.scale.direction,
        "judged": gauge.scale.judged,
        "value": line.value,
        "standard_error": line.error,
        "subset_sd": line.spread,
    }
    for name, standing in (("random", line.random), ("length_matched", line.matched)):
        figures = asdict(standing or Standing(None, None, None, None))
        told |= {f"{name}_{key}": value for key, value in figures.items()}
    return told

"""How diverse a selection is at the layers and sides that it was made for, beside random rows and random rows of its lengths."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from selector import measuring
from selector.assembly import Assembly, sides_of
from selector.core import Measure, Outcome, Reading, Room, Rows, Similarity, Tokens, Types
from selector.errors import InputError
from selector.features import SparseVectors
from selector.matching import Shortfall
from selector.measures.pool_coverage import PoolCoverage
from selector.measures.spread import Spread
from selector.measures.token_bands import TokenBands
from selector.measures.type_counts import TypeCounts
from selector.measures.type_pairs import TypePairs
from selector.measuring import Gauge, Readings
from selector.recipe import Recipe
from selector.verdicts import verdicts

SETS = 10  # random ones, and as many of the same lengths
STANDS_FOR = 1024  # rows that the coverage of the pool is read on: the same for every set
SHOWN = ("types covered", "effective types", "token entropy", "type pairs covered", "Vendi score", "pool coverage")
AIMS = ("facility-location", "dpp", "coverage")  # objectives that reward diversity at the layer that they read


@dataclass(frozen=True)
class _Place:
    """The features of one layer on one side (or both) as measures read them (`selector.core.Aspect`)."""

    side: str
    seed: int
    threads: int
    memory: int
    pool: Rows
    counted: Tokens
    seen: Similarity | None
    carried: Types | None

    @property
    def size(self) -> int:
        return len(self.counted.starts) - 1

    def texts(self) -> Sequence[str]:
        raise InputError("a selection's own verdict reads no texts.")

    def tokens(self) -> Tokens:
        return self.counted

    def vectors(self, layer: str) -> Similarity:
        assert self.seen is not None
        return self.seen

    def types(self, layer: str) -> Types:
        assert self.carried is not None
        return self.carried


def diversity(recipe: Recipe, assembled: Assembly, outcome: Outcome, room: Room) -> list[dict[str, Any]]:
    """One entry (JSON values) for each layer and side that the objective reads: figures, and thin, as random or diverse.

    The picks are held against 10 random sets of as many candidates, and 10 with the same lengths in tokens of that side; kept rows belong
    to all of them. Figures are those of `selector measure` at that layer: types covered and effective types, token entropy (micro), type
    pairs (meso); for dense vectors Vendi score and pool coverage, of clusters only where the objective needed them. Each word is a t
    test at 5 % (verdicts.verdicts). Empty where no layer is read, or there are fewer than 2 picks. O(entries) or O(n d^2) a set.
    """
    if len(outcome.rows) < 2:
        return []
    places = dict.fromkeys(place for part in assembled.parts for place in part.places)
    return [_entry(recipe, place, assembled, outcome, room) for place in places]


def advice(recipe: Recipe, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each layer and side at which the picks are thin a sentence on what to change."""
    return [
        f"thin at {one['layer']}/{one['side']}: {', or '.join(_ways(recipe, one))}"
        for one in entries
        if "thin" in (one["beside_random"], one["beside_same_lengths"])
    ]


def _ways(recipe: Recipe, entry: Mapping[str, Any]) -> list[str]:
    wanted, layer = recipe.select, entry["layer"]
    ways = {
        "hold lengths (--lengths pool)": wanted.lengths == "free",
        f"compare by overlap (--set layers.{layer}.similarity=overlap)": recipe.layers.get(layer, {}).get("similarity") == "cosine",
        f"choose an objective that aims at diversity ({', '.join(AIMS)})": not wanted.mix and wanted.objective not in AIMS,
        "give quality less weight": wanted.quality is not None,
        "loosen the quotas": bool(wanted.quota),
        f"give the part on {layer}/{entry['side']} more weight": bool(wanted.mix),
    }
    return [way for way, helps in ways.items() if helps] or [f"try --objective {'coverage' if wanted.objective != 'coverage' else 'dpp'}"]


def _entry(recipe: Recipe, place: str, assembled: Assembly, outcome: Outcome, room: Room) -> dict[str, Any]:
    layer, _, side = place.rpartition("/")
    problem, picks = assembled.problem, np.sort(outcome.rows)
    counted = _joined([assembled.counted[one] for one in sides_of(side)])
    vectors = problem.ground.vectors.get(place)
    types = problem.ground.types.get(place) or (_types(vectors) if isinstance(vectors, SparseVectors) else None)
    if side == "both" and types is not None:
        types = Types(types.incidence, types.names, {"low": 0, "high": 0})  # two bands have no common bounds; only the entropy is shown
    everyone = np.random.default_rng([recipe.seed, 3]).permutation(problem.ground.size)
    stands_for = np.sort(everyone[:STANDS_FOR])
    aspect = _Place(side, recipe.seed, room.threads or os.cpu_count() or 1, room.memory, stands_for, counted, vectors, types)
    random = measuring.at_random(problem.candidates, len(picks), SETS, (recipe.seed, 0))
    alike, short = measuring.matched(aspect, [picks], problem.candidates, SETS, (recipe.seed, 1))
    sets = {
        "picks": picks,
        **{f"random {i}": rows for i, rows in enumerate(random)},
        **{f"alike {i}": rows for i, rows in enumerate(alike)},
    }
    with_kept = {name: np.union1d(rows, problem.kept) for name, rows in sets.items()}
    found = measuring.read([aspect], with_kept, _families(layer, aspect), room.progress)
    beside = {kind: [found[f"{kind} {number}"] for number in range(SETS)] for kind in ("random", "alike")}
    tokens = counted.lengths
    return {
        "layer": layer,
        "side": side,
        "beside_random": _word(found["picks"], beside["random"]),
        "beside_same_lengths": _word(found["picks"], beside["alike"]),
        "figures": [_figure(gauge, reading, beside) for gauge, reading in found["picks"].items() if gauge.scale.name in SHOWN],
        "tokens_a_row": {"picks": _mean(tokens[picks]), "pool": _mean(tokens[problem.candidates])},
        "sets": SETS,
        "kept": len(problem.kept),
        "lengths_not_matched": _missing(short),
    }


def _families(layer: str, aspect: _Place) -> list[tuple[str, str, Measure]]:
    found: list[tuple[str, str, Measure]] = []
    if aspect.carried is not None:
        found.append((layer, "type-counts", TypeCounts(layer)))
        if layer == "micro":
            found.append((layer, "token-bands", TokenBands(layer)))
        if layer == "meso":
            found.append((layer, "type-pairs", TypePairs(layer)))
    if aspect.seen is not None and not isinstance(aspect.seen, SparseVectors):
        found += [(layer, "spread", Spread(layer)), (layer, "pool-coverage", PoolCoverage(layer))]
    return found


def _types(vectors: SparseVectors) -> Types:
    """What the rows carry, by their vectors: names are not read."""
    incidence = vectors.data.copy()
    incidence.data = np.ones_like(incidence.data)
    return Types(incidence, (), vectors.facts)


def _joined(found: Sequence[Tokens]) -> Tokens:
    """The tokens of one side, or of both, each row's one after another."""
    if len(found) == 1:
        return found[0]
    starts = sum((one.starts for one in found), np.zeros_like(found[0].starts))
    ids, before = np.empty(int(starts[-1]), np.int32), np.zeros(len(starts) - 1, np.int64)
    for one in found:
        ids[np.arange(len(one.ids)) + np.repeat(starts[:-1] + before - one.starts[:-1], one.lengths)] = one.ids
        before += one.lengths
    return Tokens(ids, starts)


def _word(of: Readings, references: Sequence[Readings]) -> str:
    said = verdicts(of, references)
    return said[0].word if said else "no verdict"


def _figure(gauge: Gauge, reading: Reading, beside: Mapping[str, Sequence[Readings]]) -> dict[str, Any]:
    random, alike = (_mean(np.array([one[gauge].value for one in sets])) for sets in beside.values())
    return {"name": gauge.scale.name, "picks": _finite(reading.value), "random": random, "same_lengths": alike}


def _missing(short: Sequence[Shortfall]) -> int:
    return sum(one.wanted - one.had for one in short)


def _mean(values: Any) -> float | None:
    return _finite(float(np.mean(values)))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None

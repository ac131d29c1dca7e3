"""A split's words -> a diverse set, sets like it in all that must not explain a difference, and the folder that holds them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from selector import (
    assembly,
    configurations,
    covariates,
    diversity,
    eligible,
    love_plot,
    matched_sets,
    preparing,
    rendering,
    running,
    split_words,
)
from selector import balance as balances
from selector import manifest as manifests
from selector import parts as naming
from selector import recipe as recipes
from selector.assembly import Assembly
from selector.core import NO_ROWS, Objective, Outcome, Room, Rows, Types
from selector.errors import plural
from selector.holding_out import hold_out
from selector.matching import Covariate
from selector.narrow import carried
from selector.options import Options, room
from selector.pool import Pool
from selector.preparing import stage
from selector.split_recipe import SplitRecipe, SplitWords, lengths

HELD_OUT, ORDER, RANDOM, NARROW = range(1, 5)  # streams of random numbers beside the one of the selection
HARDLY = 0.9  # of the types of a random set: a narrow set that carries more is hardly narrow
HOW = "Algorithm 1 of arXiv 2505.24768, from the usable rows down to the strata of the diverse set: see selector.narrow"


@dataclass(frozen=True)
class Split:
    """Sets of one size over one pool, how alike they are, and what is told of them."""

    pool: Pool  # as it was read
    sets: Mapping[str, Rows]  # positions in `pool`: diverse in pick order, random ones and narrow in random order, perhaps held-out
    balance: Mapping[str, Any]  # see balance.balance
    manifest: Mapping[str, Any]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)  # written beside the sets, by file name

    def set(self, name: str) -> Pool:
        """The rows of one set, in its order."""
        return self.pool.take(self.sets[name])

    def picks(self) -> pa.Table:
        """Set, place in its order, row of the source from 0 and id of every row of every set."""
        rows = np.concatenate(list(self.sets.values()))
        sizes = [len(one) for one in self.sets.values()]
        return pa.table(
            {
                "arm": np.repeat(list(self.sets), sizes),
                "order": np.concatenate([np.arange(size) for size in sizes]),
                "row": self.pool.rows[rows],
                "id": self.pool.ids.take(pa.array(rows)).combine_chunks(),
            }
        )

    def save(self, path: str | Path, *, write_as: str = "original", overwrite: bool = False) -> Path:
        """Write the folder: a configuration a set and what tells of them. Raises OutputError where it cannot, UnknownName for a format."""
        name = Path(path).resolve().name
        sets = {}
        for one in self.sets:
            pool = self.set(one)
            sets[one] = pool.table if write_as == "original" else rendering.render(pool, write_as)
        plot = love_plot.draw(self.balance, "How alike the sets are, before and after matching")
        beside = {"picks.parquet": self.picks(), "balance.json": self.balance, **plot, **self.tables, "manifest.json": self.manifest}
        body = split_words.card(name, self.manifest, self.balance)
        return configurations.write(path, sets, beside, body, tags=["matched-split"], overwrite=overwrite)


def run(recipe: SplitRecipe, output: str | Path, options: Options | None = None) -> Split:
    """Does what the words say and writes the folder. Raises SelectorError, before any long work where that can be known."""
    options = options or Options()
    running.check_output(output, (recipe.pool, recipe.split.select.keep), options)
    split = solve(recipe, options=options)
    options.progress("writing", 0, 0)
    split.save(output, write_as=recipe.output.write_as, overwrite=options.overwrite)
    return split


def split(pool: Pool | str | Path | Any, *, options: Options | None = None, **words: Any) -> Split:
    """The same words as the command line: split(pool, budget=1000, layer="micro", side="response", match="tokens,source", arms=3).

    `pool` is a Pool, anything Pool.read takes, or a table. Beside the words of `selector.select`: match, arms, low, disjoint, hold_out,
    hold_out_near, match_length_to. Nothing is written until `save`. Raises SelectorError.
    """
    pool, words, top = running.python_words(pool, options, words)
    own = {key: words.pop(key) for key in SplitWords.model_fields if key in words and key != "select"}
    content = {"pool": {"source": pool.source, "format": pool.format}, "split": {"select": words, **own}, **top}
    return solve(recipes.checked(SplitRecipe, content, source="split()"), pool=pool, options=options)


def solve(recipe: SplitRecipe, *, pool: Pool | None = None, options: Options | None = None) -> Split:
    """The sets that the words state, nothing written. `pool` stands for the recipe's where it is already read."""
    with room(options or Options()) as here:
        return _solve(recipe, pool, here)


def _solve(recipe: SplitRecipe, given: Pool | None, here: Room) -> Split:
    words, selecting, seconds, began = recipe.split, recipe.selecting, dict[str, float](), time.monotonic()
    rows, rules = running.opened(selecting, given, here, seconds)
    covariates.check(words.match, rows.pool)
    eligible.enough(words, rows, words.hold_out)
    with stage("hygiene", seconds):
        rows = preparing.clean(rows, rules, here, naming.meaning(selecting, here))
    eligible.enough(words, rows, words.hold_out)
    held = NO_ROWS
    if words.hold_out:
        with stage("held out", seconds):
            rng = np.random.default_rng([recipe.seed, HELD_OUT])
            rows, held = hold_out(rows, words.hold_out, words.hold_out_near, rng, here)
    with stage("tokens", seconds):
        tokens = eligible.tokens(rows, recipe.tokenizer, here)
        rows = eligible.of_length(rows, words, tokens)
    eligible.enough(words, rows, 0)
    rows, assembled, outcome = running.chosen(selecting, rows, rules, here, seconds)
    eligible.enough(words, rows, 0)  # features may have failed for some
    ours = rows.stays[~rows.first[rows.stays]]  # positions in the pool, which come before those of rows to keep
    with stage("matching", seconds):
        here.progress("matching", 0, 0)
        usable, about = rows.pool.take(ours), {side: counted[ours] for side, counted in tokens.items()}
        matched = covariates.matched(words.match, usable, about)
        others, not_shown = covariates.unmatched(words.match, usable, about)
        types = _types(recipe, rows.usable, assembled, here)
        sets, facts, notes = _sets(words, recipe.seed, outcome.rows, matched, types, len(ours))
        balance = balances.balance(matched, others, outcome.rows, np.arange(len(ours)), sets) | {"not_shown": not_shown}
    with stage("values", seconds):
        told = {name: _told(name, one, assembled, outcome, types) for name, one in {"diverse": outcome.rows, **sets}.items()}
    found = running.judged(selecting, assembled, outcome, here, seconds)
    said = diversity.advice(selecting, found)
    seconds["total"] = time.monotonic() - began
    manifest = manifests.manifest(selecting, rows, outcome, assembled, seconds, found, said) | manifests.circumstances(recipe, seconds)
    manifest["notes"] = [*manifest["notes"], *_fewer(words, outcome), *notes, *_unbalanced(balance), *_not_narrow(told)]
    manifest["split"] = {
        "sets": told,
        "match": words.match,
        **facts,
        "disjoint": words.disjoint,
        "response_tokens": list(lengths(words.match_length_to)) if words.match_length_to else None,
        "held_out": {"rows": len(held), "near": words.hold_out_near} if words.hold_out else None,
    }
    rng = np.random.default_rng([recipe.seed, ORDER])
    placed = {"diverse": ours[outcome.rows], **{name: ours[rng.permutation(one)] for name, one in sets.items()}}
    if words.hold_out:
        placed["held-out"] = held
    left_out = {"dropped.parquet": manifests.dropped_table(rows)} if rows.dropped else {}
    return Split(rows.pool, placed, balance, manifest, {**left_out, **assembled.tables})


def _sets(
    words: SplitWords, seed: int, diverse: Rows, matched: Sequence[Covariate], types: Mapping[str, Types], size: int
) -> tuple[dict[str, Rows], dict[str, Any], list[str]]:
    """The other sets, in what strata they were drawn, and what could not be matched."""
    among = np.arange(size)
    if words.disjoint:
        among = np.delete(among, diverse)
    drawn = matched_sets.random_sets(diverse, among, matched, size, words.arms, disjoint=words.disjoint, seed=[seed, RANDOM])
    facts: dict[str, Any] = {"strata": int(np.count_nonzero(drawn.strata.counts(diverse))), "bins": drawn.bins}
    sets = list(drawn.sets)
    if words.low:
        left = np.setdiff1d(among, np.concatenate(drawn.sets)) if words.disjoint else among
        narrow = matched_sets.narrow_set(diverse, left, list(types.values()), matched, size, [seed, NARROW])
        facts["narrow"] = {
            "how": HOW,
            "bins": narrow.bins,
            "rows_from_other_strata": sum(one.wanted - one.had for one in narrow.shortfalls),
        }
        sets += narrow.sets
    notes = matched_sets.notes(drawn, diverse, among, matched, size, words.arms, words.disjoint) if matched else []
    return dict(zip(words.names[1:], sets, strict=True)), facts, notes


def _types(recipe: SplitRecipe, usable: Pool, assembled: Assembly, here: Room) -> dict[str, Types]:
    """Types by layer and side: those that were made for the selection; for a narrow set those of all that it reads."""
    found = dict(assembled.problem.ground.types)
    if recipe.split.low:
        wanted = recipe.split.select
        for place in dict.fromkeys(place for part in assembled.parts for place in part.places) or [f"{wanted.layer}/{wanted.side}"]:
            of, _, side = place.rpartition("/")
            if place not in found:
                found[place] = assembly.view_of(naming.layer(recipe.selecting, of), "types", side, usable, here)
    return found


def _told(name: str, rows: Rows, assembled: Assembly, outcome: Outcome, types: Mapping[str, Types]) -> dict[str, Any]:
    """What one set is worth to the objective, the types it carries, and how much of the diverse set is in it."""
    problem, value = assembled.problem, outcome.value
    if name != "diverse":
        objective, value = problem.objective, np.nan
        if isinstance(objective, Objective):
            value = objective.value(problem.ground, np.concatenate([problem.kept, rows]))
    return {
        "rows": len(rows),
        "value": manifests.finite(value),
        "types": {place: carried(one, rows) for place, one in types.items()},
        "in_diverse": len(np.intersect1d(rows, outcome.rows)),
    }


def _fewer(words: SplitWords, outcome: Outcome) -> list[str]:
    if len(outcome.rows) == words.budget:
        return []
    return [
        f"the diverse set has {plural(len(outcome.rows), 'row')} instead of {words.budget:,} ({outcome.stopped}), and so has every other"
    ]


def _not_narrow(told: Mapping[str, Any]) -> list[str]:
    """A sentence for each layer and side at which the narrow set carries nearly as many types as a random one."""
    if "narrow" not in told:
        return []
    random = [one["types"] for name, one in told.items() if name not in ("narrow", "diverse")]
    return [
        f"the narrow set is hardly narrow: it carries {count:,} types of {place}, a random set {min(one[place] for one in random):,}; "
        "match on less, or lower the budget"
        for place, count in told["narrow"]["types"].items()
        if count > HARDLY * min(one[place] for one in random)
    ]


def _unbalanced(balance: Mapping[str, Any]) -> list[str]:
    """A sentence for each matched covariate that is not balanced."""
    found = []
    for one in balance["covariates"]:
        sizes = {name: np.inf if after["smd"] is None else abs(after["smd"]) for name, after in one["after"].items()}
        name = max(sizes, key=lambda name: sizes[name])
        if one["matched"] and sizes[name] > balances.BALANCED:
            at = f" (level {one['after'][name]['level']})" if one["kind"] == "levels" else ""
            found.append(
                f"{one['name']}{at} is matched but not balanced: |SMD| {sizes[name]:.3f} in {name}, above {balances.BALANCED:g}; "
                "lower the budget, or match on less."
            )
    return found

"""What a selection says of itself: the manifest, and the list of rows that were left out."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pyarrow as pa

from selector import hygiene
from selector import recipe as recipes
from selector.assembly import Assembly
from selector.core import Outcome, Procedure
from selector.objectives.mixture import Mixture
from selector.preparing import Prepared
from selector.recipe import Recipe, Strict

NAMED = (
    "diversity-selector",
    "numpy",
    "scipy",
    "numba",
    "pyarrow",
    "datasets",
    "torch",
    "sentence-transformers",
    "tokenizers",
    "scikit-learn",
)


def manifest(
    recipe: Recipe,
    rows: Prepared,
    outcome: Outcome,
    assembled: Assembly,
    seconds: Mapping[str, float],
    diversity: Sequence[Mapping[str, Any]] = (),
    advice: Sequence[str] = (),
) -> dict[str, Any]:
    """JSON values that prove what was done; `diversity` is what selector.diversity found, `advice` what to change about it."""
    wanted = recipe.select
    by_rows = wanted.budget is not None
    return {
        "budget": wanted.budget if by_rows else wanted.token_budget,
        "budget_unit": "rows" if by_rows else "tokens",
        "selected": len(outcome.rows),
        "stopped": outcome.stopped,
        "nested": _nested(recipe, assembled),
        "objective": _objective(recipe, outcome, assembled),
        "seed": recipe.seed,
        **sources(rows),
        "tokens": assembled.tokens(outcome.rows),
        "features": assembled.facts,
        "lengths": _lengths(outcome, assembled),
        "diversity": list(diversity),
        "notes": [*outcome.notes, *_worthless(outcome), *assembled.unmet(outcome.rows), *advice],
        **circumstances(recipe, seconds),
    }


def sources(rows: Prepared) -> dict[str, Any]:
    """The pool, and the rows to keep: where they are from, how many can be used, why the others cannot."""
    pool, known = rows.pool, rows.known
    ours, theirs = ([one for one in rows.dropped if (one.position < len(pool)) == of_pool] for of_pool in (True, False))
    kept = None
    if known is not None:
        facts = {"source": known.source, "rows": len(known), "usable": len(rows.kept), "fingerprint": known.fingerprint}
        kept = {**facts, "dropped": hygiene.counts(theirs)}
    told = {
        "source": pool.source,
        "format": pool.format,
        "rows": len(pool),
        "usable": len(rows.stays) - len(rows.kept),
        "fingerprint": pool.fingerprint,
        "skipped_lines": len(pool.skipped),
        "dropped": hygiene.counts(ours),
    }
    return {"pool": told, "kept": kept}


def _nested(recipe: Recipe, assembled: Assembly) -> bool:
    """Whether the first n rows are what a budget of n would have picked: not where the budget decides samples, quotas or scales."""
    wanted = recipe.select
    objective = assembled.problem.objective
    plain = assembled.held is None and not wanted.quota and wanted.token_budget is None and wanted.optimizer in ("lazy", "greedy")
    return plain and not isinstance(objective, (Mixture, Procedure))


def _lengths(outcome: Outcome, assembled: Assembly) -> dict[str, Any]:
    """Tokens a row of the picks beside the pool's, how the one was held to the other, and the strata that are short."""
    held, tokens = assembled.held, assembled.lengths
    told: dict[str, Any] = {
        "of": assembled.tokens_of,
        "picks": finite(float(tokens[outcome.rows].mean())) if len(outcome.rows) else None,
        "pool": finite(float(tokens[assembled.problem.candidates].mean())),
        "held": held is not None,
    }
    if held is None:
        return told
    return {**told, "strata": len(held.strata.longest), "moved": held.moved, "short": held.short(outcome.rows)}


def _worthless(outcome: Outcome) -> list[str]:
    if outcome.upper_bound != 0:
        return []
    return ["no row carries anything that the objective counts, so every subset is worth 0 and these are simply the first rows"]


def _objective(recipe: Recipe, outcome: Outcome, assembled: Assembly) -> dict[str, Any]:
    named, objective = assembled.parts, assembled.problem.objective
    whole = len(named) == 1
    layer, _, side = (named[0].places[0] if whole and named[0].places else "").rpartition("/")
    scales = objective.scales if isinstance(objective, Mixture) else ()
    parts = []
    for part, scale in zip(named, scales, strict=True) if scales else ():
        told = {"objective": part.name, "on": [*part.places, *part.columns], "weight": part.weight, "scale": scale}
        parts.append({**told, "parameters": repr(part.objective)})
    return {
        "name": named[0].name if whole else "mixture",
        "layer": layer or None,
        "side": side or None,
        "parameters": repr(objective) if whole else None,
        "parts": parts,
        "value": finite(outcome.value),
        "upper_bound": outcome.upper_bound,
        "ratio": outcome.ratio,
        "no_bound_because": outcome.no_bound_because,
        "random_value": finite(outcome.random_value),
        "optimizer": None if isinstance(objective, Procedure) else recipe.select.optimizer,
        "optimizer_facts": dict(outcome.facts),
        "evaluations": outcome.evaluations,
    }


def dropped_table(prepared: Prepared) -> pa.Table:
    """One line a row that was left out: its source, its row there from 0, its id, why."""
    pool, known, dropped = prepared.pool, prepared.known, prepared.dropped
    at = np.array([one.position for one in dropped], np.int64)
    rows = pool.rows if known is None else np.concatenate([pool.rows, known.rows])
    sources = [pool.source if one.position < len(pool) or known is None else known.source for one in dropped]
    words = {"reason": [one.reason for one in dropped], "detail": [one.detail for one in dropped]}
    return pa.table({"source": sources, "row": rows[at], "id": prepared.everything.ids.take(pa.array(at)).combine_chunks(), **words})


def finite(value: float | None) -> float | None:
    """The number, or None where it is none: JSON knows neither NaN nor infinity."""
    return None if value is None or not np.isfinite(value) else value


def peak_memory() -> int:
    """Bytes this process held at most so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def circumstances(recipe: Strict, seconds: Mapping[str, float]) -> dict[str, Any]:
    """How long it took and in how much memory, by what versions, from which recipe."""
    return {
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_memory_bytes": peak_memory(),
        "versions": versions(),
        "recipe": recipes.write(recipe),
    }


def versions() -> dict[str, str]:
    """Of Python and the packages that may move a figure."""
    found = {"python": sys.version.split()[0]}
    for name in NAMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an optional package that is not here has no version to state
            continue
    return found

"""From words to quotas, and whether quotas on several columns can be met together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selector.both_quotas import BothQuotas
from selector.core import Limit, Rows
from selector.errors import BudgetError, InputError, RecipeError, plural, unknown
from selector.limits import All, Quota, balanced, proportional
from selector.pool import Pool

NONE = "(none)"  # the group of rows whose value is null
MOST = 10**12  # rows of a group: minimums of a million groups sum to an int64
SHARES = {"proportional": proportional, "balanced": balanced}


def parse(written: str) -> tuple[str, list[tuple[str, int | None]]]:
    """The column, and each rule as (proportional | balanced, None), (min | max, rows) or (a value, rows). Raises RecipeError."""
    column, _, rules = written.partition(":")
    found: list[tuple[str, int | None]] = []
    for rule in rules.split(","):
        key, _, number = rule.strip().rpartition("=")
        if rule.strip() in SHARES:
            found.append((rule.strip(), None))
        elif column and key and number.strip().isdecimal():
            if len(number.strip()) > len(str(MOST)) or int(number) > MOST:
                raise RecipeError(f"the quota '{written}' names {number.strip()} rows; write a number of rows, at most {MOST:,}.")
            found.append((key, int(number)))
        else:
            name = column or "COLUMN"
            raise RecipeError(
                f"the quota '{written}' is not understood; write {name}:proportional, {name}:balanced, {name}:max=N, {name}:min=N or "
                f"{name}:VALUE=N (at most N), several after commas."
            )
    return column, found


def quotas(written: Sequence[str], budget: int, pool: Pool, candidates: Rows) -> list[Quota]:
    """The quotas in words over this pool. Raises RecipeError, UnknownName, InputError, and BudgetError where they cannot be met.

    Alone each quota is judged exactly, and so are any two together (a flow of `budget` rows from the groups of the one to those of
    the other). Three and more are judged in pairs: what only all of them rule out shows as fewer rows and in `unmet`.
    """
    made = [_quota(one, budget, pool, candidates) for one in written]
    for left, right in combinations(made, 2):
        most = _most_together(left, right, candidates)
        if most < budget:
            raise BudgetError(
                f"the quotas of {left.column} and {right.column} can each be met, but together they leave room for "
                f"{plural(most, 'row')} and the budget is {budget:,}; raise a quota or lower the budget."
            )
        if (left.least.any() or right.least.any()) and not _feasible(left, right, candidates, budget):
            raise BudgetError(
                f"the quotas of {left.column} and {right.column} can each be met, but no {plural(budget, 'row')} meet both; "
                "lower a minimum or raise a maximum."
            )
    return made


def unmet(limit: Limit, rows: Rows) -> Iterator[str]:
    """One sentence for each minimum that these rows do not reach."""
    for quota in _quotas_in(limit):
        taken = np.bincount(quota.groups[rows], minlength=len(quota.names))
        for group in np.flatnonzero(taken < quota.least):
            yield (
                f"the quota of {quota.column} asks for at least {quota.least[group]:,} rows of '{quota.names[group]}'; "
                f"{taken[group]:,} were picked before the limits left no other row"
            )


def _quotas_in(limit: Limit) -> list[Quota]:
    match limit:
        case Quota():
            return [limit]
        case BothQuotas():
            return [limit.left, limit.right]
        case All():
            return [quota for part in limit.parts for quota in _quotas_in(part)]
    return []


def _quota(written: str, budget: int, pool: Pool, candidates: Rows) -> Quota:
    column, rules = parse(written)
    names, groups = _groups(pool, column)
    sizes = np.bincount(groups[candidates], minlength=len(names))
    least, greatest = np.zeros(len(names), np.int64), np.full(len(names), budget, np.int64)
    for key, number in rules:
        if number is None:
            greatest = np.minimum(greatest, SHARES[key](sizes, budget))
        elif key == "min":
            least[:] = number
        elif key == "max":
            greatest = np.minimum(greatest, number)
        elif key in names:
            greatest[names.index(key)] = number
        else:
            raise unknown(f"value of '{column}'", key, names)
    quota = Quota(groups, names, least, greatest, budget, column)
    quota.check(candidates)
    return quota


def _groups(pool: Pool, column: str) -> tuple[tuple[str, ...], Rows]:
    """The column's values in order, and each row's number among them: ties must not hang on the order of the rows."""
    values = pool.column(column)
    try:
        words = pc.fill_null(pc.cast(values, pa.string()), NONE).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(f"the column '{column}' holds {values.type}; a quota needs one text or number a row.") from None
    encoded = words.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary).to_numpy()
    return tuple(encoded.dictionary.take(pa.array(order)).to_pylist()), np.argsort(order)[encoded.indices.to_numpy()].astype(np.int64)


def _most_together(left: Quota, right: Quota, candidates: Rows) -> int:
    """The most rows that both maxima allow: the largest flow source -> groups of the one -> groups of the other -> sink."""
    edges, source, sink = _between(left, right, candidates)
    return _flow([*edges, *_fans(left, right, left.greatest, right.greatest)], source, sink, len(left.names) + len(right.names) + 2)


def _feasible(left: Quota, right: Quota, candidates: Rows, budget: int) -> bool:
    """Whether a flow of exactly `budget` rows keeps every minimum and maximum.

    Minima become demands of a second source and sink (Ahuja, Magnanti & Orlin 1993, section 6.7).
    """
    edges, source, sink = _between(left, right, candidates)
    first, last = sink + 1, sink + 2  # the second source and sink
    edges += _fans(left, right, left.greatest - left.least, right.greatest - right.least)
    for group, need in enumerate(left.least.tolist()):
        edges.append((first, group, need))
    for group, need in enumerate(right.least.tolist()):
        edges.append((len(left.names) + group, last, need))
    from_source, to_sink = int(left.least.sum()), int(right.least.sum())
    # Exactly `budget` rows pass: an edge back from the sink to the source whose minimum is its maximum.
    edges += [(source, last, from_source), (first, sink, to_sink), (first, source, budget), (sink, last, budget)]
    return _flow(edges, first, last, last + 1) == from_source + to_sink + budget


Edges = list[tuple[int, int, int]]  # from, to, rows at most


def _between(left: Quota, right: Quota, candidates: Rows) -> tuple[Edges, int, int]:
    """How many candidates each pair of groups has; the source and the sink come after the groups."""
    width = len(right.names)
    pairs, counts = np.unique(left.groups[candidates] * width + right.groups[candidates], return_counts=True)
    edges = zip((pairs // width).tolist(), (len(left.names) + pairs % width).tolist(), counts.tolist(), strict=True)
    source = len(left.names) + width
    return list(edges), source, source + 1


def _fans(left: Quota, right: Quota, most_left: Rows, most_right: Rows) -> Edges:
    source = len(left.names) + len(right.names)
    out = [(source, group, most) for group, most in enumerate(most_left.tolist())]
    return out + [(len(left.names) + group, source + 1, most) for group, most in enumerate(most_right.tolist())]


def _flow(edges: Edges, source: int, sink: int, nodes: int) -> int:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    start, end, most = (np.array(one, np.int32) for one in zip(*edges, strict=True))
    return int(maximum_flow(csr_array((most, (start, end)), shape=(nodes, nodes)), source, sink).flow_value)

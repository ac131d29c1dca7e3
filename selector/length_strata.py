"""Lengths held: rows in strata by their tokens, each with its share of the budget, so that picks are as long as the pool's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.both_quotas import BothQuotas, nearest_shares
from selector.core import Gains, Limit, Rows
from selector.limits import All, Cost, Count, Quota

ROWS, TOKENS = 50, 100  # a stratum ends at 1/50 of the rows or 1/100 of all tokens, whichever comes first
BY_COST = 4  # beside a token budget a stratum is cut at 1/4 of its rows or 1/8 of what they cost
COLUMN = "length"


@dataclass(frozen=True)
class LengthStrata:
    """Strata of rows by their tokens, shortest first. Rows of one length are in one stratum."""

    tokens: NDArray[np.int64]  # (n,) of the sides that are looked at
    candidates: Rows  # rows that may be chosen, whose lengths are to be kept
    stratum: NDArray[np.int64]  # (n,) of each row
    longest: NDArray[np.int64]  # (strata,) tokens of the longest candidate

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(strata,) candidates."""
        return np.bincount(self.stratum[self.candidates], minlength=len(self.longest))

    @cached_property
    def means(self) -> Gains:
        """(strata,) tokens of a candidate, on average."""
        return self.sum_of(self.tokens.astype(np.float64)) / self.sizes

    def sum_of(self, costs: Gains) -> Gains:
        """(strata,) what all candidates cost."""
        return np.bincount(self.stratum[self.candidates], costs[self.candidates], len(self.longest)).astype(np.float64)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(strata,) `31 to 33 tokens`."""
        ends = self.longest.tolist()
        starts = [int(self.tokens[self.candidates].min()), *(end + 1 for end in ends)] if ends else []
        return tuple(
            f"{start:,} tokens" if start == end else f"{start:,} to {end:,} tokens" for start, end in zip(starts, ends, strict=False)
        )

    def shares(self, budget: int) -> NDArray[np.int64]:
        """(strata,) rows of `budget`, in proportion to the candidates, rounded so that the shares of the j shortest strata add up right.

        Each share is its exact value rounded up or down. Largest remainders would favour wide strata wherever most shares are below one
        row: of 20 rows all would go to the short strata, since those at the long end, which hold few rows each, have small remainders.
        """
        ends, total = np.cumsum(self.sizes), max(1, len(self.candidates))
        return np.diff((2 * ends * budget + total) // (2 * total), prepend=0)

    def quota(self, shares: NDArray[np.int64]) -> Quota:
        """At most so many rows of each stratum, which are the budget together."""
        return Quota(self.stratum, self.names, np.zeros_like(shares), shares, int(shares.sum()), COLUMN)

    def by_cost(self, costs: Gains) -> LengthStrata:
        """The same strata, each cut by what its candidates cost, so that the picks cost what the pool's rows do."""
        cut, longest, before = np.zeros_like(self.stratum), list[int](), 0
        for one in range(len(self.longest)):
            inside, ours = np.flatnonzero(self.stratum == one), self.candidates[self.stratum[self.candidates] == one]
            ends = _ends(costs[ours], BY_COST, 2 * BY_COST)
            cut[inside] = before + np.minimum(np.searchsorted(ends, costs[inside]), len(ends) - 1)
            longest += [int(self.longest[one])] * len(ends)
            before += len(ends)
        return LengthStrata(self.tokens, self.candidates, cut, np.array(longest))


@dataclass(frozen=True)
class Held:
    """The limit that holds lengths, together with those it was given, and what it could not hold."""

    limit: Limit
    strata: LengthStrata
    shares: NDArray[np.int64]  # (strata,) rows
    loose: Limit | None = None  # the other limits alone, where lengths beside them may leave the budget unfilled
    moved: int = 0  # rows of the budget that the quotas leave no room for in their stratum: the next one has them

    def short(self, rows: Rows) -> list[dict[str, object]]:
        """The strata that these rows do not fill: name, share, what is there."""
        there = np.bincount(self.strata.stratum[rows], minlength=len(self.shares))
        return [
            {"stratum": self.strata.names[one], "share": int(self.shares[one]), "picked": int(there[one])}
            for one in np.flatnonzero(there < self.shares)
        ]


def length_strata(tokens: NDArray[np.int64], candidates: Rows) -> LengthStrata:
    """The strata of n rows: by rising tokens, a stratum ends when it holds 1/50 of the candidates or 1/100 of their tokens.

    The second makes strata finer where rows are long: within a stratum an objective likes the longest rows, and there it matters most.
    Equal lengths are never split. O(n log n).
    """
    longest = _ends(tokens[candidates], ROWS, TOKENS)
    stratum = np.minimum(np.searchsorted(longest, tokens), max(0, len(longest) - 1))  # kept rows may be longer than all
    return LengthStrata(tokens, candidates, stratum, longest)


def _ends(sizes: NDArray[Any], rows: int, mass: int) -> NDArray[Any]:
    """The largest size of each part of rising sizes that holds 1/rows of them or 1/mass of their sum; equal ones are never split."""
    values, counts = np.unique(sizes, return_counts=True)
    most_rows, most_mass = len(sizes) / rows, float(values @ counts) / mass
    ends, held, weight = list[int](), 0, 0.0
    for place, (value, count) in enumerate(zip(values.tolist(), counts.tolist(), strict=True)):
        held, weight = held + count, weight + value * count
        if held >= most_rows or weight >= most_mass > 0:
            ends.append(place)
            held, weight = 0, 0.0
    if len(values) and (not ends or ends[-1] < len(values) - 1):
        ends.append(len(values) - 1)
    return values[ends]


def hold(
    tokens: NDArray[np.int64], candidates: Rows, budget: int | None, quotas: Sequence[Quota], costs: Gains | None, token_budget: int | None
) -> Held:
    """Limits that hold a budget, quotas, a token budget and lengths at once: each stratum has its share of the rows.

    Beside quotas the shares are those that they allow and that are nearest, where the least tokens are moved in all
    (both_quotas.nearest_shares). Beside one quota the budget is always filled; beside several it may not be, and `loose` says what else
    holds. A token budget is shared out as the rows that it pays for at the pool's mean cost; strata are cut by cost as well, and the
    best gain wins whatever it costs. (Shares of the tokens themselves, and gain for its cost, fill strata with rows whose other side is
    short: 45 tokens a response where the pool has 58.)
    """
    strata, spending = length_strata(tokens, candidates), list[Limit]()
    rows = len(candidates) if budget is None else budget
    if costs is not None and token_budget is not None:
        strata, spending = strata.by_cost(costs), [Cost(costs, token_budget, priced=False)]
        rows = max(1, min(rows, round(len(candidates) * token_budget / float(costs[candidates].sum()))))
    wanted = strata.shares(rows)
    if not quotas:
        return Held(All((Count(rows), strata.quota(wanted), *spending)), strata, wanted)
    shares, flow = nearest_shares(quotas, strata.stratum, wanted, strata.means, candidates)
    moved, quota = int(np.maximum(wanted - shares, 0).sum()), strata.quota(shares)
    if flow is None:
        others: tuple[Limit, ...] = (Count(rows), *quotas, *spending)
        return Held(All((*others, quota)), strata, shares, All(others), moved)
    return Held(All((Count(rows), BothQuotas(quotas[0], quota, flow), *spending)), strata, shares, None, moved)

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
from selector.cost_quota import CostQuota
from selector.limits import All, Cost, Count, Quota

ROWS, TOKENS = 50, 100  # a stratum ends at 1/50 of the rows or 1/100 of all tokens, whichever comes first
ROWS_OF_A_SHARE = 4.0  # rows that a stratum's share of a token budget pays for, at least
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
        starts = [int(self.tokens[self.candidates].min(initial=0)), *(end + 1 for end in ends)]
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

    def largest(self, costs: Gains) -> Gains:
        """(strata,) the cost of the dearest candidate."""
        found = np.zeros(len(self.longest))
        np.maximum.at(found, self.stratum[self.candidates], costs[self.candidates])
        return found

    def quota(self, shares: NDArray[np.int64]) -> Quota:
        """At most so many rows of each stratum, which are the budget together."""
        return Quota(self.stratum, self.names, np.zeros_like(shares), shares, int(shares.sum()), COLUMN)

    def joined(self, worth: Gains) -> LengthStrata:
        """Neighbours put together until `worth` (strata,) of each is `ROWS_OF_A_SHARE` or more; a rest that is less joins the last."""
        ends, held = list[int](), 0.0
        for number, one in enumerate(worth.tolist()):
            held += one
            if held >= ROWS_OF_A_SHARE:
                ends.append(number)
                held = 0.0
        ends = [*ends[:-1], len(worth) - 1] if ends else [len(worth) - 1]
        return LengthStrata(self.tokens, self.candidates, np.searchsorted(ends, self.stratum), self.longest[ends])


@dataclass(frozen=True)
class Held:
    """The limit that holds lengths, together with those it was given, and what it could not hold."""

    limit: Limit
    strata: LengthStrata
    by: str  # rows or tokens
    shares: NDArray[Any]  # (strata,) of what is shared out
    costs: Gains | None = None  # (n,) tokens that a row is paid with, where tokens are shared out
    moved: int = 0  # rows of the budget that the quotas leave no room for in their stratum: the next one has them

    def short(self, rows: Rows) -> list[dict[str, object]]:
        """The strata that these rows do not fill: name, share, what is there. A share of tokens is filled to the nearest row."""
        paid = None if self.costs is None else self.costs[rows]
        there = np.bincount(self.strata.stratum[rows], paid, len(self.shares))
        slack = np.zeros(len(self.shares)) if self.costs is None else self.strata.largest(self.costs) / 2
        return [
            {"stratum": self.strata.names[one], f"share_{self.by}": float(self.shares[one]), f"picked_{self.by}": float(there[one])}
            for one in np.flatnonzero(there < self.shares - slack)
        ]


def length_strata(tokens: NDArray[np.int64], candidates: Rows) -> LengthStrata:
    """The strata of n rows: by rising tokens, a stratum ends when it holds 1/50 of the candidates or 1/100 of their tokens.

    The second makes strata finer where rows are long: within a stratum an objective likes the longest rows, and there it matters most.
    Equal lengths are never split. O(n log n).
    """
    lengths, counts = np.unique(tokens[candidates], return_counts=True)
    most_rows, most_tokens = len(candidates) / ROWS, float(lengths @ counts) / TOKENS
    ends, rows, mass = list[int](), 0, 0
    for place, (length, count) in enumerate(zip(lengths.tolist(), counts.tolist(), strict=True)):
        rows, mass = rows + count, mass + length * count
        if rows >= most_rows or mass >= most_tokens > 0:
            ends.append(place)
            rows = mass = 0
    if len(lengths) and (not ends or ends[-1] < len(lengths) - 1):
        ends.append(len(lengths) - 1)
    longest = lengths[ends]
    stratum = np.minimum(np.searchsorted(longest, tokens), max(0, len(longest) - 1))  # kept rows may be longer than all
    return LengthStrata(tokens, candidates, stratum, longest)


def hold(
    tokens: NDArray[np.int64], candidates: Rows, budget: int | None, quotas: Sequence[Quota], costs: Gains | None, token_budget: int | None
) -> Held:
    """Limits that hold a budget, quotas, a token budget and lengths at once.

    Where rows are what runs out, each stratum has its share of the rows; beside quotas the shares that they allow and that are nearest,
    where the least tokens are moved in all (both_quotas.nearest_shares). Where the token budget runs out first, each stratum has its
    share of that: a budget of B tokens pays for all candidates of a stratum B / (all tokens) times.
    """
    strata = length_strata(tokens, candidates)
    spending = list[Limit]()
    if token_budget is not None:
        assert costs is not None
        pays = float(token_budget / costs[candidates].sum())  # for this share of the candidates
        spending = [Cost(costs, token_budget)]
        if budget is None or pays * len(candidates) < budget:
            strata = strata.joined(pays * strata.sizes.astype(np.float64))
            spent = pays * strata.sum_of(costs)
            by_rows: list[Limit] = [] if budget is None else [Count(budget), *quotas]
            shared = CostQuota(costs, strata.stratum, strata.names, spent, COLUMN)
            return Held(All((*by_rows, shared, *spending)), strata, "tokens", spent, costs)
    assert budget is not None
    wanted = strata.shares(budget)
    if not quotas:
        return Held(All((Count(budget), strata.quota(wanted), *spending)), strata, "rows", wanted)
    shares, flow = nearest_shares(quotas, strata.stratum, wanted, strata.means, candidates)
    moved, quota = int(np.maximum(wanted - shares, 0).sum()), strata.quota(shares)
    together: list[Limit] = [*quotas, quota] if flow is None else [BothQuotas(quotas[0], quota, flow)]
    return Held(All((Count(budget), *together, *spending)), strata, "rows", shares, None, moved)

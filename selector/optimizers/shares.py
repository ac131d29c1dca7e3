"""What a part of the ground set may choose: the limit in the part's own row numbers, and its share of the limit."""

from __future__ import annotations

from math import ceil

import numpy as np

from selector.both_quotas import BothQuotas
from selector.core import Limit, Rows
from selector.errors import RecipeError
from selector.limits import All, Cost, Count, Quota


def taken(limit: Limit, rows: Rows) -> Limit:
    """The same limit for the ground set made of these rows. Raises RecipeError for a limit that cannot be split."""
    match limit:
        case Count():
            return limit
        case Cost():
            return Cost(limit.costs[rows], limit.budget, limit.unit, limit.priced)
        case Quota():
            return Quota(limit.groups[rows], limit.names, limit.least, limit.greatest, limit.budget, limit.column)
        case BothQuotas():  # some of the rows may leave no full set: both are then kept to, and what is missing is filled up afterwards
            return All((taken(limit.left, rows), taken(limit.right, rows)))
        case All():
            return All(tuple(taken(one, rows) for one in limit.parts))
    raise RecipeError(f"the optimizer 'partitioned' cannot split the limit {limit} among parts; use 'lazy'.")


def share(limit: Limit, inside: Rows, everyone: Rows, factor: float) -> Limit:
    """`factor` times the share of the limit that falls to the candidates `inside` a part, out of `everyone`; never more than all of it.

    A quota's minimums and maximums are shared by how many rows of the group the part holds, rounded up: the winners of all parts
    together can meet every minimum.
    """
    portion = min(1.0, factor * len(inside) / max(1, len(everyone)))
    match limit:
        case Count():
            return Count(ceil(limit.budget * portion))
        case Cost():
            cheapest = float(limit.costs[inside].min())
            return Cost(limit.costs, min(limit.budget, max(limit.budget * portion, cheapest)), limit.unit, limit.priced)
        case Quota():
            return _quota(limit, inside, everyone, factor, portion)
        case BothQuotas():
            return All((_quota(limit.left, inside, everyone, factor, portion), _quota(limit.right, inside, everyone, factor, portion)))
        case All():
            shares = [share(one, inside, everyone, factor) for one in limit.parts]
            least = max((int(one.least.sum()) for one in shares if isinstance(one, Quota)), default=0)
            return All(tuple(Count(max(one.budget, least)) if isinstance(one, Count) else one for one in shares))
    raise RecipeError(f"the optimizer 'partitioned' cannot split the limit {limit} among parts; use 'lazy'.")


def _quota(limit: Quota, inside: Rows, everyone: Rows, factor: float, portion: float) -> Quota:
    here = np.bincount(limit.groups[inside], minlength=len(limit.names))
    there = np.bincount(limit.groups[everyone], minlength=len(limit.names))
    of_group = np.minimum(1.0, factor * here / np.maximum(there, 1))  # (groups,)
    least = np.minimum(np.ceil(limit.least * of_group).astype(np.int64), here)
    greatest = np.maximum(np.ceil(limit.greatest * of_group).astype(np.int64), least)
    budget = max(ceil(limit.budget * portion), int(least.sum()))
    return Quota(limit.groups, limit.names, least, greatest, budget, limit.column)

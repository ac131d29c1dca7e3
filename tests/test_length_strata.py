"""Lengths held: strata, their shares, quotas and token budgets beside them, against brute force on small pools."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import Options, Pool, select
from selector.both_quotas import BothQuotas, nearest_shares
from selector.errors import BudgetError, RecipeError
from selector.length_strata import ROWS, TOKENS, hold, length_strata
from selector.limits import Quota

lengths = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 3000)), min_size=1, max_size=300).map(np.array)


def filled(limit, candidates, rng):
    """Rows taken in random order, as long as the limit allows any; refusals are checked on the way."""
    state, left, refused, taken = limit.start(), candidates.copy(), set(), []
    while len(left):
        allowed = state.allows(left)
        assert not refused & set(left[allowed].tolist()), "a row that was refused once was allowed later"
        refused |= set(left[~allowed].tolist())
        open_ = left[allowed]
        if not len(open_):
            break
        row = int(rng.choice(open_))
        told = set(state.add(row).tolist())
        taken.append(row)
        left = left[left != row]
        closed = {int(one) for one in open_ if one != row} - set(left[state.allows(left)].tolist())
        assert closed <= told, "rows that are refused from now on were not named"
    return np.array(taken, np.int64)


@given(lengths)
def test_a_stratum_ends_where_it_holds_enough_rows_or_tokens_and_never_splits_a_length(tokens):
    strata = length_strata(tokens, np.arange(len(tokens)))
    order = np.argsort(tokens, kind="stable")
    assert (np.diff(strata.stratum[order]) >= 0).all()
    assert all(len(set(strata.stratum[tokens == one].tolist())) == 1 for one in set(tokens.tolist()))
    rows, mass = len(tokens) / ROWS, tokens.sum() / TOKENS
    for one in range(len(strata.longest)):
        inside = tokens[strata.stratum == one]
        assert len(inside)
        assert inside.max() == strata.longest[one]
        without = inside[inside < inside.max()]
        assert len(without) < rows
        assert without.sum() < mass or not mass
        if one < len(strata.longest) - 1:
            assert len(inside) >= rows or inside.sum() >= mass > 0


@given(lengths, st.data())
def test_shares_add_up_to_the_budget_and_each_is_its_exact_value_rounded(tokens, data):
    budget = data.draw(st.integers(1, len(tokens)))
    strata = length_strata(tokens, np.arange(len(tokens)))
    shares = strata.shares(budget)
    exact = strata.sizes * budget / len(tokens)
    assert shares.sum() == budget
    assert (shares <= strata.sizes).all()
    assert (np.abs(shares - exact) < 1).all()
    assert (np.abs(np.cumsum(shares) - np.cumsum(exact)) <= 0.5 + 1e-9).all()


@given(lengths, st.integers(0, 2**32 - 1), st.data())
def test_any_order_of_picks_fills_every_stratum_to_its_share(tokens, seed, data):
    rng = np.random.default_rng(seed)
    kept = data.draw(st.integers(0, len(tokens) - 1))
    candidates = np.sort(rng.choice(len(tokens), len(tokens) - kept, replace=False))
    budget = data.draw(st.integers(1, len(candidates)))
    held = hold(tokens, candidates, budget, [], None, None)
    rows = filled(held.limit, candidates, rng)
    assert len(rows) == budget
    assert not held.short(rows)
    assert (np.bincount(held.strata.stratum[rows], minlength=len(held.shares)) == held.shares).all()


def test_small_budgets_are_spread_over_all_lengths():
    tokens = np.random.default_rng(0).lognormal(4, 1, 5000).astype(np.int64)
    everyone = np.arange(5000)
    for budget in (20, 50, 100, 400):
        held = hold(tokens, everyone, budget, [], None, None)
        means = [tokens[filled(held.limit, everyone, np.random.default_rng(seed))].mean() for seed in range(5)]
        assert np.mean(means) == pytest.approx(tokens.mean(), rel=0.05), budget


def test_pools_of_one_length_of_none_and_of_fewer_rows_than_strata():
    for tokens in (np.full(40, 7), np.zeros(40, np.int64), np.array([3, 900, 1, 3])):
        held = hold(tokens, np.arange(len(tokens)), 3, [], None, None)
        assert len(filled(held.limit, np.arange(len(tokens)), np.random.default_rng(0))) == 3
    assert length_strata(np.full(40, 7), np.arange(40)).names == ("7 tokens",)
    longer = length_strata(np.array([1, 2, 50]), np.array([0, 1]))  # the kept row is longer than every candidate
    assert longer.stratum[2] == len(longer.longest) - 1


small = st.tuples(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=7), st.integers(0, 2**32 - 1))


def quota_of(groups, least, greatest, budget):
    count = int(groups.max()) + 1
    names = tuple(f"g{one}" for one in range(count))
    return Quota(groups, names, np.resize(least, count), np.resize(greatest, count), budget, "source")


def full_sets(quota, stratum, shares, budget):
    """Every set of `budget` rows that keeps the quota and fills the shares."""
    found = []
    for rows in combinations(range(len(stratum)), budget):
        of_group = np.bincount(quota.groups[list(rows)], minlength=len(quota.names))
        of_stratum = np.bincount(stratum[list(rows)], minlength=len(shares))
        if (of_group >= quota.least).all() and (of_group <= quota.greatest).all() and (of_stratum == shares).all():
            found.append(set(rows))
    return found


@settings(max_examples=150, deadline=None)
@given(small, st.data())
def test_beside_a_quota_a_row_is_refused_exactly_where_no_full_set_holds_it(pairs, data):
    rows, seed = pairs
    groups, stratum = (np.array(one) for one in zip(*rows, strict=True))
    budget = data.draw(st.integers(1, len(rows)))
    count = int(groups.max()) + 1
    least = np.array(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)))
    greatest = np.array(data.draw(st.lists(st.integers(1, 4), min_size=count, max_size=count)))
    quota = quota_of(groups, least, greatest, budget)
    strata = int(stratum.max()) + 1
    everyone = np.arange(len(rows))
    wanted = np.bincount(stratum, minlength=strata) * 0
    for place in np.random.default_rng(seed).permutation(everyone)[:budget]:
        wanted[stratum[place]] += 1
    means = np.arange(strata) * 10.0
    spreads = {}
    for chosen in combinations(range(len(rows)), budget):
        of_group = np.bincount(groups[list(chosen)], minlength=count)
        if (of_group >= least).all() and (of_group <= greatest).all():
            shares = tuple(np.bincount(stratum[list(chosen)], minlength=strata).tolist())
            moved = np.abs(np.cumsum(wanted) - np.cumsum(shares))[:-1]
            spreads[shares] = float(moved @ np.maximum(np.diff(means), 1e-6))
    if not spreads:
        with pytest.raises(BudgetError, match="source"):
            nearest_shares([quota], stratum, wanted, means, everyone)
        return
    shares, flow = nearest_shares([quota], stratum, wanted, means, everyone)
    assert spreads[tuple(shares.tolist())] == min(spreads.values())
    right = Quota(stratum, tuple("abc"[:strata]), np.zeros(strata, np.int64), shares, budget, "length")
    limit = BothQuotas(quota, right, flow)
    sets = full_sets(quota, stratum, shares, budget)
    assert sets
    state, taken = limit.start(), set()
    rng = np.random.default_rng(seed)
    while True:
        left = np.array([row for row in everyone if row not in taken])
        allowed = state.allows(left) if len(left) else np.zeros(0, bool)
        expected = [any({*taken, int(row)} <= one for one in sets) for row in left]
        assert allowed.tolist() == expected
        if not allowed.any():
            break
        row = int(rng.choice(left[allowed]))
        state.add(row)
        taken.add(row)
    assert len(taken) == budget
    assert state.full is not None
    gains = rng.integers(0, 5, len(rows)).astype(float)
    assert limit.relaxed(gains, everyone) >= max(gains[sorted(one)].sum() for one in sets)


@given(lengths, st.integers(0, 2**32 - 1), st.data())
@settings(deadline=None)
def test_a_quota_and_lengths_together_always_fill_the_budget(tokens, seed, data):
    rng = np.random.default_rng(seed)
    everyone, groups = np.arange(len(tokens)), (tokens > np.median(tokens)).astype(np.int64) + (rng.random(len(tokens)) < 0.2)
    sizes = np.bincount(groups, minlength=int(groups.max()) + 1)
    greatest = np.maximum(1, (sizes * data.draw(st.floats(0.2, 1))).astype(np.int64))
    budget = data.draw(st.integers(1, int(np.minimum(greatest, sizes).sum())))
    quota = Quota(groups, tuple(str(one) for one in range(len(sizes))), np.zeros_like(sizes), greatest, budget, "source")
    held = hold(tokens, everyone, budget, [quota], None, None)
    rows = filled(held.limit, everyone, rng)
    assert len(rows) == budget
    assert (np.bincount(groups[rows], minlength=len(sizes)) <= greatest).all()
    assert not held.short(rows)
    if not held.moved:
        assert (held.shares == held.strata.shares(budget)).all()


def test_several_quotas_share_lengths_as_far_as_they_allow():
    rng = np.random.default_rng(0)
    tokens = rng.lognormal(4, 1, 2000).astype(np.int64)
    quotas = []
    for column in ("source", "topic"):
        groups = rng.integers(0, 4, 2000)
        quotas.append(Quota(groups, tuple("abcd"), np.full(4, 10), np.full(4, 60), 200, column))
    held = hold(tokens, np.arange(2000), 200, quotas, None, None)
    rows = filled(held.limit, np.arange(2000), rng)
    assert len(rows) >= 190  # three rules at once may end in a corner
    assert tokens[rows].mean() == pytest.approx(tokens.mean(), rel=0.1)


@given(lengths.filter(lambda one: len(one) >= 5), st.integers(0, 2**32 - 1), st.data())
@settings(deadline=None)
def test_a_token_budget_is_shared_out_as_the_rows_that_it_pays_for(tokens, seed, data):
    rng = np.random.default_rng(seed)
    costs = np.maximum(1.0, tokens + rng.integers(0, 50, len(tokens)))
    token_budget = data.draw(st.integers(int(costs.min()), max(int(costs.min()), int(costs.sum()))))
    everyone = np.arange(len(tokens))
    held = hold(tokens, everyone, None, [], costs, token_budget)
    rows = filled(held.limit, everyone, rng)
    assert costs[rows].sum() <= token_budget
    assert (np.bincount(held.strata.stratum[rows], minlength=len(held.shares)) <= held.shares).all()
    assert abs(held.shares.sum() - max(1, len(tokens) * token_budget / costs.sum())) <= 0.5 + 1e-9
    assert all(
        len(set(held.strata.stratum[(tokens == one) & (costs == cost)].tolist())) <= 1 for one, cost in zip(tokens, costs, strict=True)
    )


def row(number):
    """Responses of 1 to 83 words, of which a third are rare."""
    response = " ".join(f"w{number * 7 % 391}x{part}" for part in range(1 + number**2 % 83))
    kinds = {"source": "ab"[number % 5 == 0], "kind": "xyz"[number % 3]}
    return {"instruction": f"question {number % 97} about item {number}", "response": response, **kinds}


POOL = [row(number) for number in range(400)]


@pytest.mark.parametrize("objective", ["facility-location", "dpp", "coverage", "random", "k-centre", "max-min", "k-means-medoids", "mmr"])
def test_every_objective_holds_lengths_and_any_number_of_threads_gives_the_same_rows(objective):
    found = [select(POOL, budget=60, objective=objective, options=Options(threads=threads, cache=None)) for threads in (1, 2)]
    assert found[0].rows.tolist() == found[1].rows.tolist()
    assert len(set(found[0].rows.tolist())) == 60
    told = found[0].manifest["lengths"]
    assert told["picks"] == pytest.approx(told["pool"], rel=0.05)
    assert told["held"]
    assert not told["short"]
    assert not found[0].manifest["nested"]


@pytest.mark.parametrize("optimizer", ["greedy", "stochastic", "partitioned", "near"])
def test_every_optimizer_holds_lengths(optimizer):
    words = {"optimizer_options": {"by": "random", "parts": 3}} if optimizer == "partitioned" else {}
    found = select(POOL, budget=60, objective="coverage", optimizer=optimizer, **words)
    assert len(found.rows) == 60
    assert found.manifest["lengths"]["picks"] == pytest.approx(found.manifest["lengths"]["pool"], rel=0.05)


def test_lengths_beside_quotas_kept_rows_and_a_token_budget():
    quota = select(POOL, budget=60, quota=["source:balanced"])
    assert len(quota.rows) == 60
    assert quota.pool.column("source").to_pylist().count("b") == 30
    both = select(POOL, budget=60, quota=["source:balanced", "kind:proportional"])
    assert len(both.rows) == 60
    kept = select(POOL[100:], budget=60, keep=None)
    assert kept.manifest["lengths"]["held"]
    tokens = select(POOL, token_budget=16_000)
    told = tokens.manifest["lengths"]
    assert 15_000 <= tokens.manifest["tokens"] <= 16_000
    assert told["picks"] == pytest.approx(told["pool"], rel=0.05)


def test_lengths_can_be_left_free_and_then_the_first_rows_are_a_smaller_selection():
    free = select(POOL, budget=60, objective="coverage", lengths="free")
    less = select(POOL, budget=20, objective="coverage", lengths="free")
    assert free.manifest["nested"]
    assert free.rows[:20].tolist() == less.rows.tolist()
    assert free.manifest["lengths"]["held"] is False
    assert free.manifest["lengths"]["picks"] != pytest.approx(free.manifest["lengths"]["pool"], rel=0.2)  # what is held by default


def test_quotas_that_cannot_be_met_are_named_and_whole_sets_cannot_hold_lengths():
    with pytest.raises(BudgetError, match="source"):
        select(POOL, budget=60, quota=["source:max=5"])
    with pytest.raises(RecipeError, match=r"k-dpp.*draws whole sets.*lengths: free"):
        select(POOL, budget=10, objective="k-dpp", lengths="pool")
    drawn = select(POOL, budget=10, objective="k-dpp")
    assert len(drawn.rows) == 10
    assert drawn.manifest["lengths"]["held"] is False


def test_a_pool_is_read_in_the_order_it_has_and_lengths_are_of_the_side_looked_at():
    pool = Pool.from_table(POOL)
    assert select(pool, budget=30, side="instruction", objective="coverage").manifest["lengths"]["of"] == "instruction"
    assert select(pool, budget=30, mix="coverage@micro/instruction:1,coverage@micro/response:1").manifest["lengths"]["of"] == "both"

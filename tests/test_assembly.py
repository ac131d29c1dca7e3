"""From words to a problem: names, options, quotas, scores, mixtures and kept rows."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selector
from selector import assembly, parts, quotas
from selector import recipe as recipes
from selector.core import NO_ROWS, Room
from selector.errors import BudgetError, InputError, RecipeError, SelectorError, UnknownName
from selector.limits import All, Count, Quota
from selector.objectives.mixture import Mixture
from selector.pool import Pool

HERE = selector.Options(cache=None)


def recipe(**select):
    return recipes.check({"pool": "table", "select": {"budget": 4, **select}, "layers": {"micro": {"band": "1:99"}}})


def pool(rows: int = 12, **columns) -> Pool:
    sides = {"instruction": [f"what is thing {i}" for i in range(rows)], "response": [f"it is {i} and {i % 3}" for i in range(rows)]}
    return Pool.from_table(pa.table({**sides, **columns}))


# ------------------------------------------------------------------------------------------------------- names and options


@pytest.mark.parametrize(
    ("select", "error", "words"),
    [
        ({"objective": "facilty-location"}, UnknownName, "Did you mean 'facility-location'?"),
        ({"objective": "mixture"}, RecipeError, "written with mix"),
        ({"objective": "apricot:nope"}, UnknownName, "no function of apricot is called 'nope'"),
        ({"objective": "no.such:Thing"}, UnknownName, "package.module:Name"),
        ({"objective": "json:loads"}, RecipeError, "no dataclass"),
        ({"objective": "quality"}, RecipeError, "needs a numeric column; name it with quality"),
        ({"objective": "dpp", "options": {"kernl": "rbf"}}, RecipeError, "Did you mean 'kernel'?"),
        ({"objective": "dpp", "options": {"kernel": "rbfx"}}, RecipeError, "the kernel of dpp is 'rbfx'; write linear or rbf."),
        ({"objective": "dpp", "options": {"ridge": "wide"}}, RecipeError, "ridge is 'wide'; it must be a number."),
        ({"objective": "dpp", "options": {"features": "macro/both"}}, RecipeError, "features is no option, it is said by layer and side"),
        ({"objective": "apricot:graph-cut", "options": {"function": "x"}}, RecipeError, "function is no option"),
        ({"objective": "dpp", "quality": "q", "options": {"quality_weight": 0.1}}, RecipeError, "quality_weight is given twice"),
        ({"layer": "micr"}, UnknownName, "Did you mean 'micro'?"),
        ({"optimizer": "lasy"}, UnknownName, "Did you mean 'lazy'?"),
        ({"optimizer": "json:loads"}, RecipeError, "'json:loads' is no optimizer"),
        ({"optimizer_options": {"epsilon": 0.1}}, RecipeError, "the optimizer 'lazy' has no option 'epsilon'"),
        ({"mix": "micro/response", "options": {"kernel": "rbf"}}, RecipeError, "under each part of mix"),
        ({"mix": "apricot:graph-cut@micro/response,micro/response"}, RecipeError, "cannot stand beside others"),
        ({"mix": "nope@micro/response"}, UnknownName, "no objective is called 'nope'"),
        ({"mix": "mikro/response"}, UnknownName, "Did you mean 'micro'?"),
        ({"quota": "source"}, RecipeError, "source:proportional"),
    ],
)
def test_what_can_be_judged_before_a_pool_is_read(select, error, words):
    with pytest.raises(error) as caught:
        assembly.check(recipe(**select))
    assert words in str(caught.value)


def test_options_of_a_layer_that_is_not_read_are_judged_too():
    content = {"pool": "demo", "select": {"budget": 3}, "layers": {"meso": {"merg": 0.8}}}
    with pytest.raises(RecipeError, match="Did you mean 'merge'"):
        assembly.check(recipes.check(content))
    with pytest.raises(UnknownName, match="Did you mean 'meso'"):
        assembly.check(recipes.check({**content, "layers": {"mezo": {}}}))


def test_hints_do_not_offer_what_is_said_elsewhere():
    with pytest.raises(RecipeError) as caught:
        parts.parts(recipe(objective="dpp", options={"feature": "x"}))
    assert "features" not in str(caught.value).replace("'feature'", "")


def test_parts_say_what_they_read():
    made = parts.parts(recipe(mix="coverage@micro/response:1,macro/both:3", quality="score", quality_weight=0.2))
    assert [str(part) for part in made] == ["coverage on micro/response", "facility-location on macro/both", "quality on score"]
    assert [part.weight for part in made] == pytest.approx([0.2, 0.6, 0.2])


def test_an_objective_that_knows_quality_takes_it_itself():
    (part,) = parts.parts(recipe(objective="dpp", quality="score", quality_weight=0.4))
    assert (part.objective.quality, part.objective.quality_weight) == ("score", 0.4)
    assert str(part) == "dpp on micro/response and score"


def test_quality_alone_is_not_mixed_with_itself():
    assert [str(part) for part in parts.parts(recipe(objective="quality", quality="score"))] == ["quality on score"]
    both = parts.parts(recipe(mix="micro/response:1,quality@micro/response:3", quality="score"))
    assert [part.weight for part in both] == [1, 3]


# ------------------------------------------------------------------------------------------------------------------ quotas


def test_a_quota_in_words():
    assert quotas.parse("source:max=20, min=1") == ("source", [("max", 20), ("min", 1)])
    assert quotas.parse("kind:a=b=3,balanced") == ("kind", [("a=b", 3), ("balanced", None)])


@pytest.mark.parametrize(
    "written", ["source", "source:", "source:fair", "source:max", "source:max=-3", "source:max=two", ":max=3", "source:=3"]
)
def test_a_quota_that_is_not_understood(written):
    with pytest.raises(RecipeError, match="is not understood"):
        quotas.parse(written)


GROUPED = pool(12, source=["a"] * 6 + ["b"] * 4 + [None] * 2, kind=["x", "y"] * 6, tags=[["t"]] * 12)


def made(*written: str, budget: int = 6, of: Pool = GROUPED, candidates=None) -> list[Quota]:
    return quotas.quotas(written, budget, of, np.arange(len(of)) if candidates is None else np.array(candidates))


def test_a_row_without_a_value_is_a_group_of_its_own():
    (quota,) = made("source:max=5,(none)=1")
    assert dict(zip(quota.names, quota.greatest.tolist(), strict=True)) == {"(none)": 1, "a": 5, "b": 5}
    assert quota.groups.tolist() == [1] * 6 + [2] * 4 + [0] * 2


@pytest.mark.parametrize(
    ("written", "error", "words"),
    [
        (["sourc:max=1"], UnknownName, "Did you mean 'source'?"),
        (["source:c=1"], UnknownName, "no value of 'source' is called 'c'"),
        (["tags:max=1"], InputError, "a quota needs one text or number a row"),
        (["source:max=1"], BudgetError, "leave room for 3 rows but the budget is 6"),
        (["source:min=3"], BudgetError, "at least 3 rows of '(none)' but the usable pool has 2"),
        (["source:max=1,min=2"], BudgetError, "at least 2 and at most 1 rows"),
        (["kind:min=4"], BudgetError, "at least 8 rows but the budget is 6"),
        (["source:b=0,(none)=0", "kind:x=2"], BudgetError, "together they leave room for 5 rows and the budget is 6"),
        (["source:(none)=0,a=2", "kind:min=3,y=3"], None, ""),
        (["source:b=0,(none)=0", "kind:min=3"], None, ""),
    ],
)
def test_quotas_that_cannot_be_met_are_refused_before_the_work(written, error, words):
    if error is None:
        assert made(*written)
        return
    with pytest.raises(error) as caught:
        made(*written)
    assert words in str(caught.value)


def test_minima_that_only_together_are_too_much():
    of = pool(8, left=list("aabbcccc"), right=list("xxxxyyzz"))  # a and b are all x; c is y or z
    assert made("left:min=1,a=2", "right:max=4", budget=5, of=of)
    with pytest.raises(BudgetError, match="but no 4 rows meet both"):
        made("left:min=1,c=1", "right:min=1", budget=4, of=of)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_two_quotas_are_judged_exactly(data):
    """Against all subsets: an error exactly where no subset of this size keeps every minimum and maximum."""
    size = data.draw(st.integers(2, 7))
    columns = {name: data.draw(st.lists(st.sampled_from("ab" if name == "left" else "xyz"), min_size=size, max_size=size))
               for name in ("left", "right")}  # fmt: skip
    budget = data.draw(st.integers(1, size))
    of = pool(size, **columns)
    bounds = {name: (data.draw(st.integers(0, 1)), data.draw(st.integers(0, size))) for name in columns}

    def keeps(rows) -> bool:
        for name, (least, most) in bounds.items():
            counts = [sum(columns[name][row] == value for row in rows) for value in set(columns[name])]
            if min(counts) < least or max(counts) > most:
                return False
        return True

    possible = any(keeps(rows) for rows in combinations(range(size), budget))
    written = [f"{name}:min={least},max={most}" for name, (least, most) in bounds.items()]
    try:
        made(*written, budget=budget, of=of)
    except BudgetError:
        assert not possible
    else:
        assert possible


def test_unmet_minima_are_told():
    (quota,) = made("kind:min=2")
    limit = All((Count(6), quota))
    assert list(quotas.unmet(limit, np.array([0, 1, 2, 3]))) == []
    (told,) = quotas.unmet(limit, np.array([0, 2, 4, 1]))
    assert "at least 2 rows of 'y'; 1 were picked" in told


def test_a_quota_needs_a_budget_in_rows():
    with pytest.raises(BudgetError, match="give a budget too"):
        assembly.check(recipes.check({"pool": "demo", "select": {"token_budget": 900, "quota": "source:max=3"}}))


# ------------------------------------------------------------------------------------------------------------------ scores


def scores(column, values, kept=(), **select):
    wanted = recipe(quality=column, **select)
    return assembly.check_columns(wanted, pool(len(values), **{column: values}), np.array(kept, np.int64))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["a", "b", "c"], "holds string; quality needs numbers"),
        ([[1.0], [2.0], [3.0]], "quality needs numbers"),
        ([1.0, None, 3.0], "no finite number in 1 row, the first is row 1"),
        ([1.0, float("nan"), float("inf")], "no finite number in 2 rows, the first is row 1"),
        ([2.0, 2.0, 2.0], "the same number, 2, in every row"),
    ],
)
def test_a_quality_column_that_cannot_serve(values, words):
    with pytest.raises(InputError) as caught:
        scores("q", values)
    assert words in str(caught.value)


def test_numbers_in_words_and_truth_values_are_numbers():
    scores("q", ["1", "2.5", "3"])
    scores("q", [True, False, True])


def test_kept_rows_need_no_score_where_scores_only_add_up():
    scores("q", [1.0, 2.0, None], kept=[2])
    with pytest.raises(InputError, match="1 row of the rows to keep"):
        scores("q", [1.0, 2.0, None], kept=[2], objective="dpp")


def test_scores_are_scaled_over_the_rows_that_can_be_chosen():
    of = pool(4, q=[10.0, 20.0, 30.0, 99.0])
    problem = assembly.assemble(recipe(budget=2, quality="q", objective="quality"), of, np.array([3]), room()).problem
    assert problem.ground.scores["q"][:3] == pytest.approx([0.0, 0.5, 1.0])


def room() -> Room:
    from selector.cache import NoCache

    return Room(NoCache())


# ---------------------------------------------------------------------------------------------------------- the whole problem


def test_a_mixture_measures_each_part_in_units_of_a_random_set():
    problem = assembly.assemble(recipe(mix="micro/response:1,coverage@micro/instruction:3"), pool(), NO_ROWS, room()).problem
    assert isinstance(problem.objective, Mixture)
    assert problem.objective.weights == (1.0, 3.0)
    rng = np.random.default_rng(0)
    drawn = np.sort(rng.choice(12, 4, replace=False))
    for part, scale in zip(problem.objective.parts, problem.objective.scales, strict=True):
        assert part.value(problem.ground, drawn) == pytest.approx(scale)


def test_both_sides_are_joined():
    problem = assembly.assemble(recipe(side="both"), pool(), NO_ROWS, room()).problem
    vectors = {side: assembly.assemble(recipe(side=side), pool(), NO_ROWS, room()).problem.ground.vectors[f"micro/{side}"]
               for side in ("instruction", "response")}  # fmt: skip
    rows = np.arange(12)
    mean = sum(one.products(rows, rows) for one in vectors.values()) / 2
    assert problem.ground.vectors["micro/both"].products(rows, rows) == pytest.approx(mean, abs=1e-6)


def test_kept_rows_are_no_candidates():
    problem = assembly.assemble(recipe(), pool(), np.array([0, 5]), room()).problem
    assert problem.candidates.tolist() == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert problem.kept.tolist() == [0, 5]


def test_a_token_budget_below_the_shortest_row():
    wanted = recipes.check({"pool": "table", "select": {"token_budget": 2}})
    with pytest.raises(BudgetError, match="the shortest usable row has"):
        assembly.assemble(wanted, pool(), NO_ROWS, room())


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        ({"budget": 11}, BudgetError, "the budget is 11 rows but 10 can be chosen"),
        ({"budget": 0}, BudgetError, "at least 1"),
        ({"budget": 2, "kept": [10]}, InputError, "kept names the rows 10 to 10"),
        ({"budget": 2, "kept": [-1]}, InputError, "the rows -1 to -1"),
        ({"budget": 2, "objective": "coverage"}, RecipeError, "reads more than vectors"),
        ({"budget": 2, "objective": "quality"}, RecipeError, "needs a numeric column"),
        ({"budget": 2, "optimizer": "lasy"}, UnknownName, "Did you mean 'lazy'?"),
        ({"budget": 2, "objective": "dpp", "kernel": "x"}, RecipeError, "write linear or rbf"),
        ({"budget": 2, "optimizer_options": {"mode": "quick"}}, UnknownName, "exact"),
        ({"budget": 2, "optimizer_options": {"speed": 1}}, RecipeError, "has no option 'speed'"),
    ],
)
def test_own_vectors_with_bad_words(words, error, told):
    with pytest.raises(error) as caught:
        selector.select_rows(np.eye(10), **words)
    assert told in str(caught.value)


def test_own_vectors():
    assert sorted(selector.select_rows(np.eye(5), budget=5).rows) == [0, 1, 2, 3, 4]
    assert set(selector.select_rows(np.eye(5), budget=3, kept=[0, 1]).rows) == {2, 3, 4}
    facts = [selector.select_rows(np.eye(5), budget=3, optimizer_options={"mode": mode}).facts["mode"] for mode in ("fast", "exact")]
    assert facts == ["fast", "exact"]
    bad = np.ones((4, 2))
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="the first is row 2"):
        selector.select_rows(bad, budget=1)


def test_python_uses_the_same_words():
    with pytest.raises(RecipeError, match="Did you mean 'budget'"):
        selector.select(pool(), budgt=3)
    with pytest.raises(SelectorError, match="Did you mean 'micro'"):
        selector.select(pool(), budget=3, layer="micor")
    found = selector.select(pool(), budget=3, layers={"micro": {"band": "1:99"}}, options=HERE)
    assert len(set(found.rows)) == 3
    assert found.value <= found.upper_bound

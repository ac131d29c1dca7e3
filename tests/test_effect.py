"""Does it pay: the paper's figures, the closed form against slow ones, bands, the decision, what is read and what is refused."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from scipy import integrate, stats

import selector
from selector.cli import commands
from selector.effect import checks, decision, scores, slopes
from selector.effect.design import Scale
from selector.effect.paper_lines import ridge
from selector.effect.regression import leave_one_out, posterior, robust
from selector.effect.student import Student
from selector.effect_recipe import EffectWords
from selector.errors import InputError, RecipeError, SelectorError
from tests.code_blocks import ROOT
from tests.paper_points import DIFFER, PRINTED, SIZES, rows


@pytest.fixture(scope="module")
def paper():
    return selector.estimate_effect(rows(), at_size=20_000)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    place = tmp_path_factory.mktemp("effect")
    table(place / "scores.csv", rows())
    done = CliRunner().invoke(commands, ["effect", str(place / "scores.csv"), "--output", str(place / "out"), "--at-size", "20000"])
    assert done.exit_code == 0, done.output
    return place / "out", done.output


def table(path, lines):
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def simulated(slope=4.0, noise=0.5, levels=(0, 25, 50, 75, 100), sizes=(1000, 2000), seed=0, **more):
    rng = np.random.default_rng(seed)
    return [
        {
            "strategy": "response/micro",
            "size": size,
            "level": level,
            "score": 50 + slope * level / 100 + noise * rng.standard_normal(),
            **more,
        }
        for size in sizes
        for level in levels
    ]


# The paper


def test_least_squares_is_the_table_of_the_paper(paper):
    told = paper.to_dict()["strategies"]
    for name, printed in PRINTED.items():
        for size, slope in zip(SIZES, printed, strict=True):
            apart = abs(round(told[name]["sizes"][str(size)]["ols"], 2) - slope)  # to the two digits that the table has
            assert (apart <= 0.0601) == ((name, size) not in DIFFER), (name, size, apart)


@pytest.mark.parametrize(
    ("strategy", "median", "low", "high"),
    [("response/micro", 7.37, 4.66, 10.08), ("instruction/micro", -3.37, -4.74, -2.01), ("response/macro", 0.64, -1.06, 2.34)],
)
def test_posterior_slopes_of_the_paper(paper, strategy, median, low, high):
    slope = paper.to_dict()["strategies"][strategy]["sizes"]["20000"]["slope"]
    assert [slope["median"], slope["low"], slope["high"]] == pytest.approx([median, low, high], abs=0.0051)


def test_claims_of_the_paper_are_supported_or_not(paper):
    said = {one.says: one.word for one in paper.claims if one.paper}
    assert said["response/micro has the largest slope at 20,000 rows"] == "supported"
    assert said["instruction/micro hurts, on average over sizes"] == "supported"
    assert said["response/macro helps, on average over sizes"] == "not settled"
    assert said["the slope of response/micro grows with size"] == "not settled"
    assert said["response/micro still rises at 100 % at every size"] == "contradicted"
    growth = paper.strategies["response/micro"].estimate.growth()
    assert growth.summary(1)["p_positive"] == pytest.approx(0.925, abs=0.005)
    assert paper.strategies["response/micro"].curvature.best == {10_000: 0.66, 20_000: 0.66, 30_000: 1.0}
    assert paper.strategies["response/micro"].curvature.word == "bent"


def test_the_answer_names_the_side_and_the_layer(paper):
    assert paper.lead.startswith("Put the budget into response tokens: +7.37 points from 0 to 100 % at 20,000 rows")
    assert "from 4.66 to 10.08" in paper.lead
    assert "Instruction tokens hurt" in paper.lead


def test_bands_are_narrowest_at_the_mean_of_x(paper):
    for one in paper.strategies.values():
        design = one.estimate.design
        for size in design.own_sizes:
            mean = float(design.x[design.sizes == size].mean())
            grid = np.append(np.linspace(0, 1, 41), mean)
            widths = [one.estimate.line(float(x), size).scale for x in grid]
            assert np.argmin(widths) == len(grid) - 1
            ridged = ridge(design, size)
            assert np.argmin(ridged.spread(grid)) == len(grid) - 1


def test_the_lines_of_the_figure_shrink_weak_slopes(paper):
    from sklearn.linear_model import BayesianRidge

    for strategy, size in (("response/macro", 20_000), ("response/micro", 30_000)):
        design = paper.strategies[strategy].estimate.design
        own = design.sizes == size
        fitted = BayesianRidge().fit(design.x[own, None], design.scores[own])
        grid = np.linspace(0, 1, 7)
        mean, spread = fitted.predict(grid[:, None], return_std=True)
        found = ridge(design, size)
        np.testing.assert_allclose(found.line(grid), mean)
        np.testing.assert_allclose(found.spread(grid), spread, rtol=1e-6)
        assert abs(found.slope) < abs(slopes.least_squares(design, size)["slope"])


def test_readme_says_what_the_points_say(paper):
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"*{paper.lead}*" in text
    said = {one.says: one.because for one in paper.claims}
    assert "grows with size (P = .92)" in text
    assert said["the slope of response/micro grows with size"] == "P = .92"
    assert "response topics help (P = .78)" in text
    assert said["response/macro helps, on average over sizes"] == "P = .78"
    assert "instruction tokens hurt (P > .99 over sizes)" in text
    assert said["instruction/micro hurts, on average over sizes"] == "P > .99"


# The closed form


def slow_posterior(terms, scores, widths, weights, at):
    """P(weights . b < at) by integrating over the noise: b given s is normal, s^2 has its marginal likelihood / s^2."""
    precision = np.diag([0.0 if np.isinf(width) else width**-2 for width in widths])
    a = terms.T @ terms + precision
    mean = np.linalg.solve(a, terms.T @ scores)
    rest = scores @ scores - mean @ a @ mean
    flat = np.isinf(widths).sum()

    def density(log_s):  # of ln s^2, up to a constant
        return np.exp(-(len(scores) - flat) / 2 * log_s - rest / (2 * np.exp(log_s)) + 20)

    spread = np.sqrt(weights @ np.linalg.solve(a, weights))
    whole = integrate.quad(density, -12, 12, limit=400)[0]
    below = integrate.quad(lambda s: density(s) * stats.norm.cdf((at - weights @ mean) / (spread * np.exp(s / 2))), -12, 12, limit=400)[0]
    return below / whole


@pytest.mark.parametrize("widths", [[np.inf, np.inf, np.inf], [np.inf, 2.0, 0.5]])
def test_the_closed_form_is_the_integral(widths):
    rng = np.random.default_rng(3)
    x = rng.random(9)
    terms = np.column_stack([np.ones(9), x, x**2])
    measured = 2 + 3 * x + rng.standard_normal(9)
    found = posterior(terms, measured, widths)
    for weights in (np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.3, 0.09])):
        for at in (-1.0, 1.5, 4.0):
            assert float(found.of(weights).below(at)) == pytest.approx(slow_posterior(terms, measured, widths, weights, at), abs=1e-6)


def test_draws_have_the_closed_form():
    rng = np.random.default_rng(1)
    terms = np.column_stack([np.ones(10), np.linspace(0, 1, 10)])
    found = posterior(terms, rng.standard_normal(10))
    drawn, noise = found.draws(200_000, rng)
    for weights in (np.array([0.0, 1.0]), np.array([1.0, 1.0])):
        assert np.quantile(drawn @ weights, [0.1, 0.5, 0.9]) == pytest.approx(
            found.of(weights).quantile(np.array([0.1, 0.5, 0.9])), abs=0.02
        )
    assert np.median(noise**2) == pytest.approx(found.df * found.variance / stats.chi2.median(found.df), rel=0.02)


def test_robust_errors_by_definition():
    rng = np.random.default_rng(5)
    terms = np.column_stack([np.ones(12), np.linspace(0, 1, 12)])
    measured = rng.standard_normal(12) * np.linspace(0.1, 3, 12)
    found = robust(terms, measured)
    bread = np.linalg.inv(terms.T @ terms)
    meat = np.zeros((2, 2))
    for row, score in zip(terms, measured, strict=True):
        left = (score - row @ bread @ terms.T @ measured) / (1 - row @ bread @ row)
        meat += left**2 * np.outer(row, row)
    np.testing.assert_allclose(found.covariance, bread @ meat @ bread)


def test_left_out_points_are_predicted_by_the_others():
    rng = np.random.default_rng(8)
    terms = np.column_stack([np.ones(8), rng.random(8)])
    measured = rng.standard_normal(8)
    for out, other in enumerate(leave_one_out(terms, measured)):
        kept = np.arange(8) != out
        line = stats.linregress(terms[kept, 1], measured[kept])
        x = terms[kept, 1]
        left = measured[kept] - line.intercept - line.slope * x
        noise = np.sqrt((left**2).sum() / 5 * (1 + 1 / 7 + (terms[out, 1] - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()))
        assert (other.place, other.scale, other.df) == pytest.approx((line.intercept + line.slope * terms[out, 1], noise, 5))


# The decision


def test_the_probability_of_being_best_is_that_of_draws():
    gains = {"a": Student(3, 1, 12), "b": Student(2, 2, 5), "c": Student(-1, 0.5, 30)}
    rng = np.random.default_rng(0)
    drawn = {name: one.place + one.scale * rng.standard_t(one.df, 400_000) for name, one in gains.items()}
    exact = {one.strategy: one for one in decision.choices(gains)}
    for one in decision.choices_drawn(drawn):
        assert exact[one.strategy].p_best == pytest.approx(one.p_best, abs=0.003)
        assert exact[one.strategy].regret == pytest.approx(one.regret, abs=0.02)
    assert sum(one.p_best for one in exact.values()) == pytest.approx(1)


def test_further_runs_narrow_as_they_would(paper):
    rivals = [paper.strategies[name].estimate for name in ("response/micro", "response/meso")]
    single = decision.next_runs(rivals, 20_000, 2)
    assert [one.after for one in single[:-1]] == sorted(one.after for one in single[:-1])
    name, level, size = single[0].runs[0]
    terms = [one.design.terms() for one in rivals]
    at = [one.name for one in rivals].index(name)
    terms[at] = np.vstack([terms[at], rivals[at].design.row(level, size)])
    spread = sum(
        one.known.variance * one.design.slope(20_000) @ np.linalg.inv(own.T @ own) @ one.design.slope(20_000)
        for one, own in zip(rivals, terms, strict=True)
    )
    assert single[0].after == pytest.approx(np.sqrt(spread))
    assert single[-1].after < single[0].after < single[0].before


def test_lower_is_better_turns_the_decision_and_not_the_slope():
    lines = simulated(slope=-4.0)
    found = selector.estimate_effect(lines, lower_is_better=True)
    assert found.to_dict()["strategies"]["response/micro"]["sizes"]["2000"]["slope"]["median"] < -3
    assert found.choices[0].gain > 3
    assert found.lead.startswith("Put the budget into response tokens: -")


# Checks


def test_straight_scores_are_called_straight_and_bent_ones_bent():
    straight = [line | {"score": line["score"]} for line in simulated(levels=range(0, 101, 10), noise=0.3)]
    bent = [line | {"score": line["score"] - 8 * (line["level"] / 100 - 0.4) ** 2} for line in straight]
    assert selector.estimate_effect(straight).strategies["response/micro"].curvature.word != "bent"
    found = selector.estimate_effect(bent).strategies["response/micro"].curvature
    assert found.word == "bent"
    assert found.bend.place == pytest.approx(-8, abs=1.5)
    assert found.peaks[2000] == pytest.approx(0.65, abs=0.06)  # where 4 x - 8 (x - 0.4)^2 is level
    assert found.ends[2000].place == pytest.approx(4 - 2 * 8 * 0.6, abs=2)


def test_seeds_that_repeat_one_set_are_seen():
    rng = np.random.default_rng(4)
    lines = [
        line | {"seed": seed, "score": line["score"] + 0.01 * rng.standard_normal()} for line in simulated(noise=1.0) for seed in range(3)
    ]
    found = selector.estimate_effect(lines)
    assert found.strategies["response/micro"].lack_of_fit["p"] < 0.001
    assert any("--repeats mean" in note for note in found.notes)
    each, mean = (selector.estimate_effect(lines, repeats=way).slope("response/micro", 2000) for way in ("each", "mean"))
    assert each["median"] == pytest.approx(mean["median"])
    assert mean["high"] - mean["low"] > 1.4 * (each["high"] - each["low"])


def test_a_covariate_is_held_equal():
    rng = np.random.default_rng(2)
    lines = simulated(slope=0.0, noise=0.2, levels=range(0, 101, 10))
    for line in lines:
        line["mean_tokens"] = 100 + line["level"] + 20 * rng.standard_normal()
        line["score"] += 0.05 * line["mean_tokens"]
    plain = selector.estimate_effect(lines)
    held = selector.estimate_effect(lines, covariates="mean_tokens")
    assert plain.slope("response/micro", 2000)["low"] > 2
    assert held.slope("response/micro", 2000)["low"] < 0 < held.slope("response/micro", 2000)["high"]
    assert any("--covariate mean_tokens" in note for note in plain.notes)
    assert not any("--covariate" in note for note in held.notes)


def test_other_choices_stand_beside(paper):
    beside = paper.to_dict()["strategies"]["response/micro"]["sensitivity"]
    assert beside["flat prior"]["median"] > beside["weak prior"]["median"] > beside["sceptical prior"]["median"]
    weak = selector.estimate_effect(rows(), at_size=20_000, prior="weak").slope("response/micro", 20_000)
    assert weak["median"] == beside["weak prior"]["median"]
    hc3 = selector.estimate_effect(rows(), at_size=20_000, errors="hc3").slope("response/micro", 20_000)
    assert hc3["low"] == beside["HC3 errors"]["low"]


def test_the_predictive_check_sees_a_wild_score():
    lines = simulated(levels=range(0, 101, 10), noise=0.3)
    lines[7]["score"] += 6
    told = selector.estimate_effect(lines).strategies["response/micro"].predictive
    assert told["largest"] < 0.05
    assert selector.estimate_effect(simulated(levels=range(0, 101, 10))).strategies["response/micro"].predictive["largest"] > 0.05


# Too little


@pytest.mark.parametrize("lines", [simulated(levels=(0, 100), sizes=(1000,)), simulated(levels=(0, 50, 100), sizes=(1000, 2000))])
def test_too_few_runs_are_said_first(lines, tmp_path):
    found = selector.estimate_effect(lines)
    assert found.lead.startswith("Not enough data for a claim")
    assert found.claims == ()
    table(tmp_path / "scores.csv", lines)
    done = CliRunner().invoke(commands, ["effect", str(tmp_path / "scores.csv"), "--output", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "Not enough data for a claim" in done.output.splitlines()[1]


@pytest.mark.parametrize("slope", [4.0, 0.0])
def test_points_on_a_line_give_no_warning_no_nan_and_no_claim(slope):
    found = selector.estimate_effect(simulated(slope=slope, noise=0.0, levels=range(0, 101, 10)))
    told = found.to_dict()
    json.dumps(told, allow_nan=False)
    assert told["strategies"]["response/micro"]["sizes"]["1000"]["slope"]["median"] == pytest.approx(slope)
    assert "22 runs score on the line exactly, so that nothing is known of the noise" in found.lead
    assert (found.claims, found.choices, found.candidates) == ((), (), ())


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (simulated(levels=(50,)), "one level was run; 3 or more are needed"),
        (simulated(levels=(50,))[:1], "one level was run"),
        (simulated(levels=(0, 100), sizes=(1000,)), "2 runs cannot decide 2 coefficients"),
    ],
)
def test_what_no_line_goes_through_is_told(lines, told):
    found = selector.estimate_effect(lines)
    assert told in found.lead
    assert found.to_dict()["strategies"]["response/micro"]["sizes"] == {}


@pytest.mark.parametrize("follows", [lambda line: 7, lambda line: 100 + line["level"], lambda line: line["size"] / 10])
def test_a_covariate_that_follows_from_the_others_is_named(follows):
    lines = [line | {"tokens": follows(line)} for line in simulated(levels=range(0, 101, 10))]
    found = selector.estimate_effect(lines, covariates=["tokens"])
    assert found.lead.startswith("Not enough data for a claim: response/micro: 'tokens' says nothing beside size, level")


@pytest.mark.parametrize(
    ("slope", "words", "told"),
    [
        (0.5, {}, "no 95 % interval of the gain from 0 to 100 % lies above 0, but for gains that count as none. Response tokens make no"),
        (-4.0, {}, "no 95 % interval of the gain from 0 to 100 % lies above 0. Response tokens hurt."),
        (4.0, {"lower_is_better": True}, "no 95 % interval of the gain from 0 to 100 % lies below 0. Response tokens hurt."),
    ],
)
def test_where_nothing_pays_the_reason_holds(slope, words, told):
    found = selector.estimate_effect(simulated(slope=slope, noise=0.1, levels=range(0, 101, 10)), **words)
    assert found.lead == f"No strategy is shown to pay at 2,000 rows: {told}" + (" difference that counts." if slope == 0.5 else "")


# Reading


def test_levels_in_shares_and_in_percent_are_the_same():
    percent = simulated()
    shares = [line | {"level": line["level"] / 100} for line in percent]
    one, other = selector.estimate_effect(percent), selector.estimate_effect(shares)
    assert (one.scores.level_unit, other.scores.level_unit) == ("percent", "fraction")
    assert one.slope("response/micro", 2000) == other.slope("response/micro", 2000)


def test_wide_forms_are_the_long_one():
    long = selector.estimate_effect(rows())
    by_level: dict = {}
    by_strategy: dict = {}
    for line in rows():
        key = (line["side"], line["layer"], line["size"])
        by_level.setdefault(key, dict(zip(("side", "layer", "size"), key, strict=True)))[f"{line['level']}%"] = line["score"]
        key = (line["size"], line["level"])
        one = by_strategy.setdefault(key, dict(zip(("size", "level"), key, strict=True)))
        one[f"{line['side']}/{line['layer']}"] = line["score"]
    names = [f"{level}%" for level in (0, 16, 33, 50, 66, 83, 100)]
    across = [{**dict.fromkeys(("side", "layer", "size", *names)), **line} for line in by_level.values()]
    for wide, form in ((across, "levels across"), (list(by_strategy.values()), "strategies across")):
        for line in wide:
            for name in PRINTED if form.startswith("strategies") else ():
                line.setdefault(name, None)
        found = selector.estimate_effect(wide)
        assert found.scores.form == form
        assert found.slope("response/micro", 20_000) == pytest.approx(long.slope("response/micro", 20_000))


def test_tables_names_wins_and_other_models(tmp_path):
    lines = simulated()
    named = [
        {"strategy": one["strategy"], "rows": one["size"], "diversity": one["level"], "judge": one["score"], "model": "a"} for one in lines
    ]
    named += [line | {"model": "b", "judge": 0.0} for line in named]
    columns = {"size": "rows", "level": "diversity", "score": "judge"}
    found = selector.estimate_effect(pa.Table.from_pylist(named), columns=columns, where={"model": "a"})
    assert found.slope("response/micro", 2000) == selector.estimate_effect(lines).slope("response/micro", 2000)
    with pytest.raises(InputError, match=r"2 models.*--where model=a"):
        selector.estimate_effect(named, columns=columns)
    won = [
        {"strategy": "response/micro", "size": 10, "level": level, "wins": 60 + level // 10, "ties": 10, "losses": 30}
        for level in (0, 50, 99)
    ]
    read = scores.read(won, EffectWords())
    assert read.runs[0].score == 65
    assert read.runs[0].error == pytest.approx(100 * np.std([1] * 60 + [0.5] * 10 + [0] * 30) / 10)
    assert selector.estimate_effect(won, rope="error").rope == pytest.approx(
        1.96 * np.sqrt(2 * np.mean([run.error**2 for run in read.runs]))
    )


def test_the_arms_of_a_split_are_read_as_random_and_diverse():
    arms = ("diverse", "random-1", "random-2", "narrow")
    lines = [
        {"strategy": "response/micro", "size": 500, "set": arm, "seed": seed, "score": (arm == "diverse") * 2.0 + seed / 10}
        for arm in arms
        for seed in range(3)
    ]
    found = selector.estimate_effect(lines)
    assert found.slope("response/micro", 500)["median"] == pytest.approx(2)
    assert any("3 runs on a narrow set left out" in note for note in found.notes)


def test_what_a_ladder_achieved_is_joined(tmp_path):
    folder = tmp_path / "ladder"
    folder.mkdir()
    told = {"side": "response", "layer": "micro", "budget": 1000, "seed": 0, "fewest_types": 100, "most_types": 300}
    (folder / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    lines = [
        {"level": level, "types": types, "type_entropy_bits": 1.0, "instruction_tokens": 9.0, "response_tokens": 20.0 + level}
        for level, types in ((0, 100), (25, 130), (50, 200), (75, 260), (100, 290))
    ]
    table(folder / "levels.csv", lines)
    found = selector.estimate_effect(simulated(sizes=(1000,), seed=1), ladder=[str(folder)], x="achieved")
    assert found.strategies["response/micro"].estimate.design.x.tolist() == [0.0, 0.15, 0.5, 0.8, 0.95]
    assert any("response_tokens rises with the level" in note for note in found.notes)
    with pytest.raises(InputError, match=r"size 2,000.*0 sets in the ladders"):
        selector.estimate_effect(simulated(), ladder=[str(folder)])


def test_a_layer_that_is_nearly_ours_is_told():
    lines = simulated() + [line | {"strategy": "response/mirco"} for line in simulated(seed=1)] + [
        line | {"strategy": "response/letters"} for line in simulated(seed=2)
    ]  # fmt: skip
    told = [note for note in selector.estimate_effect(lines).notes if "did you mean" in note]
    assert told == ["response/mirco (10 runs, the first in row 12) is taken as a strategy of its own; did you mean the layer 'micro'?"]


def test_rows_that_repeat_others_are_told():
    lines = simulated()
    assert not any("repeat" in note for note in selector.estimate_effect(lines).notes)
    one, two = (selector.estimate_effect([*lines, *lines[2 : 2 + count]]) for count in (1, 2))
    assert any(note.startswith("1 row of the scores repeats an earlier one in every column (rows 4 and 12)") for note in one.notes)
    assert any(note.startswith("2 rows of the scores repeat an earlier one") for note in two.notes)
    assert len(one.scores.runs) == len(lines) + 1


def test_a_file_that_is_no_csv_is_named(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text('side,layer,size,level,score\nresponse,micro,1000,0,3\n"response,micro,1000,0,3\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"scores.csv, row 3: it is no CSV .*mend its quotation marks"):
        selector.estimate_effect(path)


def test_a_proxy_is_named_before_anything_else(tmp_path):
    table(tmp_path / "scores.csv", simulated(levels=range(0, 101, 10)))
    (tmp_path / "manifest.json").write_text(json.dumps({"experiment": {"proxy": "ngram: favours coverage"}}), encoding="utf-8")
    found = selector.estimate_effect(tmp_path)
    assert found.lead.startswith("By a proxy, not by training (ngram: favours coverage). The proxy gains most from response tokens: ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"score": "good"}, r"row 3: score is 'good'; write a number"),
        ({"score": ""}, r"row 3: score is ''; write a number, or take the row out where the run failed"),
        ({"level": 130}, r"row 3: level is 130; levels are read as percent"),
        ({"size": 0}, r"row 3: size is 0; write the number of rows"),
        ({"strategy": "instr/micro"}, r"row 3: strategy is 'instr/micro'; write instruction, response or both"),
        ({"level": 0, "score": 1.0}, r"rows 2 and 3: both are response/micro at level 0 %, size 1,000, seed 0"),
    ],
)
def test_what_cannot_be_read_is_named_by_row_and_column(change, told):
    lines = simulated(seed=0)
    lines = [line | {"seed": 0} for line in lines]
    lines[1] |= change
    with pytest.raises(InputError, match=told):
        selector.estimate_effect(lines)


@pytest.mark.parametrize(
    ("lines", "words", "told"),
    [
        ([], {}, "holds no runs"),
        ([{"strategy": "response/micro", "level": 0, "score": 1}], {}, "no column size.*--column size=NAME"),
        (simulated(), {"columns": {"scor": "x"}}, "Did you mean 'score'"),
        (simulated(), {"columns": {"score": "judge"}}, "'judge'"),
        (simulated(), {"where": {"model": "a"}}, "no column of the scores is called 'model'"),
        (simulated(), {"covariates": ["tokens"]}, "no column of the scores is called 'tokens'"),
        (simulated(), {"rope": "error"}, "states none"),
        (simulated(), {"prior": "weak", "errors": "hc3"}, "hc3 has no weak prior"),
        (simulated(), {"rop": 2}, "Did you mean 'effect.rope'|Did you mean 'rope'"),
        (simulated(), {"pool_strategies": True}, r"numpyro|three strategies"),
        (7, {}, "are a int; give a CSV file"),
        ("nowhere.csv", {}, "there are no scores at nowhere.csv"),
    ],
)
def test_bad_words_are_errors(lines, words, told):
    with pytest.raises(SelectorError, match=told):
        selector.estimate_effect(lines, **words)


# What is written


def test_the_folder_holds_what_the_screen_says(written):
    folder, output = written
    told = json.loads((folder / "effect.json").read_text(encoding="utf-8"))
    slope = told["strategies"]["response/micro"]["sizes"]["20000"]["slope"]
    assert set(slope) == {"median", "low", "high", "p_positive", "in_rope"}
    assert set(told["strategies"]["response/micro"]["pooled"]["slope"]) == set(slope)
    assert isinstance(told["strategies"]["response/micro"]["pooled"]["ols"], float)
    assert re.search(r"20,000 +\+7\.37 +4\.66 to 10\.08 +> \.99 +0% +\+6\.72", output)
    assert max(len(line.rstrip()) for line in output.splitlines() if str(folder) not in line and "scores.csv" not in line) <= 80
    page = (folder / "effect.html").read_text(encoding="utf-8")
    assert "Claims of arXiv 2505.24768" in page
    assert "Put the budget into response tokens" in page
    assert {one.name for one in folder.iterdir()} == {
        "effect.json", "effect.html", "effect.png", "effect.svg", "slopes.png", "slopes.svg", "manifest.json"
    }  # fmt: skip


def test_the_same_scores_give_the_same_bytes(written, tmp_path):
    folder, _ = written
    args = ["effect", str(folder.parent / "scores.csv"), "--output", str(tmp_path / "again"), "--at-size", "20000"]
    assert CliRunner().invoke(commands, args).exit_code == 0
    for name in ("effect.json", "effect.html", "effect.png", "effect.svg", "slopes.png", "slopes.svg"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name
    assert isinstance(CliRunner().invoke(commands, args).exception, SelectorError)


def test_a_file_that_is_not_ours_stays(tmp_path):
    table(tmp_path / "scores.csv", simulated())
    done = CliRunner().invoke(commands, ["effect", str(tmp_path / "scores.csv"), "--output", str(tmp_path)])
    assert isinstance(done.exception, SelectorError)
    assert [one.name for one in tmp_path.iterdir()] == ["scores.csv"]


def test_partial_pooling_draws_strategies_together():
    pytest.importorskip("numpyro")
    found = selector.estimate_effect(rows(), at_size=20_000, pool_strategies=True)
    assert found.pooled.diagnostics["r_hat"] <= 1.01
    assert found.pooled.diagnostics["ess"] >= 400
    plain = selector.estimate_effect(rows(), at_size=20_000)
    spread = [np.std([one.slope(name, 20_000)["median"] for name in PRINTED]) for one in (found, plain)]
    assert spread[0] < spread[1]


def test_pooling_without_its_library_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(RecipeError, match=r"pip install 'diversity-selector\[bayes\]'"):
        selector.estimate_effect(rows(), pool_strategies=True)


def test_curvature_refits_exactly(paper):
    words, scale = EffectWords(), Scale(SIZES, "linear")
    runs = [run for run in paper.scores.runs if run.strategy == "response/micro"]
    straight, bent = (slopes.estimate(runs, scale, words, quadratic=form) for form in (False, True))
    slow = 0.0
    for out in range(len(runs)):
        kept = [run for place, run in enumerate(runs) if place != out]
        for one, sign in ((slopes.estimate(kept, scale, words), -1), (slopes.estimate(kept, scale, words, quadratic=True), 1)):
            slow += sign * float(one.known.next(one.design.row(runs[out].level, runs[out].size)).log_density(runs[out].score))
    assert checks.curvature(runs, scale, words).gain == pytest.approx(slow)
    assert bent.posterior.df == straight.posterior.df - 1


def test_the_lines_of_the_paper_are_drawn_where_asked_for(paper):
    from selector.effect import plots

    found = selector.estimate_effect(rows(), at_size=20_000, paper_lines=True)
    assert set(plots.draw(found)) - set(plots.draw(paper)) == {"paper-lines.png", "paper-lines.svg"}
    lines = found.to_dict()["strategies"]["response/macro"]["paper_lines"]
    assert set(lines) == {"10000", "20000", "30000"}

"""The diagnosis: the place planted thin is the one that the page names first; what it tells is what the rows hold; bad input."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import selector
from selector import advice, diagnosing, reporting
from selector.diagnosis_recipe import DiagnosisRecipe
from selector.errors import InputError, UnknownName
from selector.findings import answer as answers
from selector.recipe import PoolRecipe
from selector.report.sections import answer, method
from tests.command import command
from tests.test_planted import PLACES, demo, narrow  # noqa: F401 (demo is a fixture)

LAYERS = {"macro": {"encoder": "static"}, "meso": {"tagger": "column:tags"}}


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return selector.Options(cache=tmp_path_factory.mktemp("features"))


@pytest.mark.parametrize(("side", "layer"), PLACES, ids=[f"{side}-{layer}" for side, layer in PLACES])
def test_the_first_section_names_the_layer_planted_thin(demo, options, monkeypatch, side, layer):  # noqa: F811
    """One side of the pairs is narrow at a layer, the other by chance; tags are of the pair, so that both sides have the narrow ones."""
    monkeypatch.setattr(diagnosing, "FINDINGS", ("answer",))
    pool, _ = demo
    thin, other = np.sort(narrow(demo, side, layer)), np.sort(np.random.default_rng(1).permutation(len(pool))[:300])
    table = pool.take(thin).table
    for column in {"instruction", "response"} - {side}:
        table = table.set_column(table.column_names.index(column), column, pool.take(other).table.column(column))
    found = diagnosing.diagnose(pool, [table], options=options, layers=LAYERS, diagnosis={"references": 20})
    lead = answer.section(found.found["answer"]).lead
    told = [(place["subsets"][0], f"{place['side']}/{place['layer']}") for place in found.found["answer"]["places"]]
    planted = ["instruction/meso", "response/meso"] if layer == "meso" else [f"{side}/{layer}"]
    thin = [place for one, place in told if one["word"] == "thin"]
    assert set(planted) <= set(thin)
    assert min(told, key=lambda one: one[0]["t"])[1] in planted
    assert all(place.startswith(side) or place in planted for place in thin)  # clusters are found anew with the pairs, and may follow
    assert all(place in lead for place in planted)
    assert f"--layer {layer} --side" in found.found["answer"]["next"]["command"]


@pytest.fixture(scope="module")
def small(options):
    """The whole diagnosis of two subsets of a small pool."""
    pool = selector.Pool.read("demo").take(np.arange(400))
    subsets = [pool.take(np.arange(0, 400, 5)), pool.take(np.arange(80))]
    words = {
        "layers": {"macro": {"encoder": "static"}, "micro": {"band": "3:100"}, "meso": {"min_count": 1}},
        "diagnosis": {"references": 4},
    }
    return pool, subsets, diagnosing.diagnose(pool, subsets, options=options, **words)


def test_everything_is_json_and_every_finding_is_there(small):
    _, _, found = small
    json.dumps(found.found, allow_nan=False)
    assert {name for name in diagnosing.FINDINGS if found.found[name]} == set(diagnosing.FINDINGS)


def test_what_was_read_is_told_with_its_fingerprint(small):
    pool, subsets, found = small
    table = next(block for block in method.section(found.found["method"]).blocks if getattr(block, "caption", "") == "What was read")
    assert [row[-1] for row in table.rows] == [one.fingerprint for one in (pool, *subsets)]
    assert [row[2] for row in table.rows] == [400, 80, 80]


def test_half_is_the_fewest_types_that_carry_half():
    from scipy.sparse import csr_array

    incidence = csr_array(np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]))
    assert answers.half(incidence, np.arange(4)) == 1  # 4 of 7
    assert answers.half(incidence, np.array([0, 1])) == 1  # 2 of 4
    assert answers.half(incidence, np.array([0])) == 1
    assert answers.carried(incidence, np.array([0, 1])) == 3
    assert answers.half(csr_array((2, 3)), np.arange(2)) == 0


def test_clusters_are_counted_over_all_rows(small):
    _, subsets, found = small
    atlas = found.found["atlas"]
    usable = found.found["pool"]["rows"]
    for told in atlas["sides"].values():
        assert sum(one["rows"] for one in told["clusters"]) + told["in_no_cluster"] == usable
        for number in range(len(subsets)):
            held = [one["subsets"][number] for one in told["clusters"]]
            assert sum(one["rows"] for one in held) == found.found["subsets"][number]["rows"]
            assert sum(one["expected"] for one in held) == pytest.approx(found.found["subsets"][number]["rows"])
    assert atlas["points"] == len(atlas["ids"]) == len(atlas["sides"]["response"]["x"])


def test_shared_rows_are_those_of_both(small):
    _, _, found = small
    told = found.found["comparison"]
    both = len(set(range(0, 400, 5)) & set(range(80)))
    rows = [one["rows"] for one in found.found["subsets"]]
    lost = 160 - sum(rows)  # copies
    assert both - lost <= told["shared"][0][1] <= both
    assert told["jaccard"][0][1] == pytest.approx(told["shared"][0][1] / (sum(rows) - told["shared"][0][1]))


@pytest.mark.parametrize("show", ["no-examples", "redact"])
def test_confidential_rows_stay_out_of_the_file(options, show):
    """Words that no stop list or heading holds are planted in every row; redacted, not one of them is in the page."""
    rows = [
        {"instruction": f"qzxplanet{number % 7} orbits qzxstar{number}", "response": f"qzxmoon{number} around qzxring{number % 5} thrice",
         "source": f"qzxsource{number % 2}"}
        for number in range(60)
    ]  # fmt: skip
    words = {"layers": {"macro": {"encoder": "static", "clusters": "kmeans:4"}, "micro": {"band": "1:100"}, "meso": {"min_count": 1}}}
    found = diagnosing.diagnose(pa.Table.from_pylist(rows), [pa.Table.from_pylist(rows[:20])], options=options,
                                diagnosis={"references": 3, "show": show}, **words)  # fmt: skip
    text = found.page()
    for row in rows:
        assert row["instruction"] not in text
        assert row["response"] not in text
    if show == "redact":
        assert "qzx" not in text


def test_a_pool_alone_has_no_verdict(options):
    found = diagnosing.diagnose(selector.Pool.read("demo").take(np.arange(200)), options=options,
                                layers={"macro": {"encoder": "static"}, "micro": {"band": "2:100"}})  # fmt: skip
    assert found.found["comparison"] is None
    assert "No subset is named" in found.lead
    assert found.found["answer"]["next"]["command"].startswith("selector select ")
    assert "<html" in found.page()


def test_the_same_words_give_the_same_page(small, options):
    pool, subsets, found = small
    words = {
        "layers": {"macro": {"encoder": "static"}, "micro": {"band": "3:100"}, "meso": {"min_count": 1}},
        "diagnosis": {"references": 4},
    }
    assert diagnosing.diagnose(pool, subsets, options=options, **words).page() == found.page()


def test_names_of_subsets(tmp_path):
    file = tmp_path / "a.parquet"
    file.touch()
    told = [
        PoolRecipe(source=str(file)),
        PoolRecipe(source="out/split", config="diverse"),
        PoolRecipe(source="other/a"),
        PoolRecipe(source="x/a"),
    ]
    assert diagnosing.subset_names(told) == ["a", "diverse", "a (2)", "a (3)"]


def test_sources_must_be_there(options):
    pool = selector.Pool.read("demo").take(np.arange(60))
    with pytest.raises(UnknownName, match=r"column 'origin'.*it has"):
        diagnosing.diagnose(pool, options=options, diagnosis={"sources": "origin"})
    with pytest.raises(InputError, match=r"no row of .* has 'gpt' in the column 'source'; it holds"):
        diagnosing.diagnose(pool, options=options, diagnosis={"synthetic": ["gpt"]})


def test_words_are_checked():
    with pytest.raises(ValueError, match="twice"):
        DiagnosisRecipe.model_validate({"pool": "demo", "diagnosis": {"synthetic": ["a", "a"]}})


def test_the_command_line(tmp_path, options):
    pool = selector.Pool.read("demo").take(np.arange(200))
    pq.write_table(pool.table, tmp_path / "pool.parquet")
    pq.write_table(pool.take(np.arange(60)).table, tmp_path / "half.parquet")
    words = ["--encoder", "static", "--band", "2:100", "--references", "3", "--cache", str(options.cache)]
    page = tmp_path / "page.html"
    done = command("diagnose", str(tmp_path / "pool.parquet"), "--subset", str(tmp_path / "half.parquet"), "-o", str(page), *words)
    assert done.code == 0, done.err
    assert "found" in done.out
    assert page.stat().st_size > 1_000_000
    again = command("diagnose", str(tmp_path / "pool.parquet"), "-o", str(page), *words)
    assert again.code == 2
    assert "is there already" in again.err
    for wrong, said in {
        ("--subset", str(tmp_path / "none.parquet")): "none.parquet",
        ("--synthetic", "forum"): "--synthetic is 'forum'; write COLUMN=A,B",
        ("--synthetic", "origin=a"): "column 'origin'",
    }.items():
        refused = command("diagnose", str(tmp_path / "pool.parquet"), "-o", str(tmp_path / "other.html"), *wrong, *words)
        assert refused.code == 2
        assert said in refused.err
        assert not (tmp_path / "other.html").exists()


@pytest.fixture(scope="module")
def folders(tmp_path_factory, options):
    """What select, split and ladder write, of one pool."""
    place = tmp_path_factory.mktemp("folders")
    pool = selector.Pool.read("demo").take(np.arange(500))
    pq.write_table(pool.table, place / "pool.parquet")
    read = selector.Pool.read(place / "pool.parquet")
    layers = {"macro": {"encoder": "static"}, "micro": {"band": "3:100"}}
    selector.select(read, budget=60, options=options, layers=layers).save(place / "selection")
    selector.split(read, budget=60, options=options, layers=layers, arms=1).save(place / "split")
    selector.ladder(read, budget=60, options=options, layers=layers, levels=[0, 100], measure=False).save(place / "ladder")
    return place, read, layers


def test_reports_on_folders(folders, options, monkeypatch):
    monkeypatch.setattr(diagnosing, "FINDINGS", ("answer",))
    place, _, _ = folders
    words = {"diagnosis": {"references": 3}}
    selection = reporting.report(place / "selection", options=options, **words).found
    assert [one["name"] for one in selection["subsets"]] == ["selection"]
    split = reporting.report(place / "split", options=options, **words).found
    assert [one["name"] for one in split["subsets"]] == ["diverse", "random-1"]
    assert split["written"]["balance"]["covariates"]
    ladder = reporting.report(place / "ladder", options=options, **words).found
    assert [one["name"] for one in ladder["subsets"]] == ["level-000", "level-100"]
    assert [one["level"] for one in ladder["written"]["levels"]] == [0, 100]
    assert "effect" in ladder["answer"]["next"]["command"]


def test_the_curve_of_held_lengths_is_made_of_selections_of_other_budgets(folders, options):
    place, read, layers = folders
    found = reporting.report(place / "selection", options=options, diagnosis={"references": 3}).found
    curve = found["written"]["curve"]
    assert curve["sizes"] == [0, 15, 30, 60, 120]
    for number, size in enumerate(curve["sizes"][1:], start=1):
        other = selector.select(read, budget=size, options=options, layers=layers)
        assert curve["values"][number] == pytest.approx(other.value, rel=1e-9)
        assert curve["bound"][number] == pytest.approx(other.upper_bound, rel=1e-9)
        assert curve["random_values"][number - 1] == pytest.approx(other.manifest["objective"]["random_value"], rel=1e-9)
    assert found["own_verdict"]["diversity"] == list(selector.select(read, budget=60, options=options, layers=layers).diversity)


def test_the_curve_is_what_other_budgets_give(folders, options, tmp_path):
    """Values at sizes between and beyond are those of runs with these budgets; no set is worth more than the bound."""
    _, read, layers = folders
    layers = {**layers, "micro": {**layers["micro"], "similarity": "cosine"}}
    words = {"options": options, "layers": layers, "lengths": "free"}
    selector.select(read, budget=60, **words).save(tmp_path / "selection")
    place = tmp_path
    curve = reporting.report(place / "selection", options=options, diagnosis={"references": 3}).found["written"]["curve"]
    assert curve["sizes"][-1] == 120
    for number in (10, 25, len(curve["sizes"]) - 1):
        other = selector.select(read, budget=curve["sizes"][number], **words)
        assert curve["values"][number] == pytest.approx(other.value, rel=1e-9)
        assert curve["bound"][number] >= other.value
        assert curve["bound"][number] <= other.upper_bound * 1.2
    mark = next(one for one in curve["marks"] if one["share"] == 0.9)
    worth = [selector.select(read, budget=rows, **words).value for rows in (mark["rows"] - 1, mark["rows"], 60)]
    assert worth[0] < 0.9 * worth[2] <= worth[1]
    assert all(
        chance < value
        for chance, value in zip(curve["random_values"], np.interp(curve["random_sizes"], curve["sizes"], curve["values"]), strict=True)
    )


def test_a_folder_of_somebody_else(tmp_path, options):
    with pytest.raises(InputError, match=r"holds no manifest.json.*selector diagnose"):
        reporting.report(tmp_path, options=options)
    (tmp_path / "manifest.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="it lacks the recipe"):
        reporting.report(tmp_path, options=options)


def test_a_pool_that_has_changed_is_said(folders, options, monkeypatch, tmp_path):
    monkeypatch.setattr(diagnosing, "FINDINGS", ("answer",))
    place, read, _ = folders
    pq.write_table(read.take(np.arange(5, 500)).table, tmp_path / "less.parquet")
    found = reporting.report(place / "selection", pool=tmp_path / "less.parquet", options=options, diagnosis={"references": 3}).found
    assert "have changed since" in found["written"]["notes"][0]


@pytest.mark.parametrize(
    ("alike", "place", "though"),
    [("thin", "response/meso", ""), ("as random", "response/micro", ", though not beside sets of its lengths")],
)
def test_what_length_alone_explains_is_mended_last(alike, place, though):
    recipe = DiagnosisRecipe.model_validate({"pool": {"source": "demo"}, "subsets": [{"source": "a"}]})
    told = [("micro", -9.0, "as random"), ("meso", -4.0, alike)]
    places = [{"side": "response", "layer": layer, "subsets": [{"word": "thin", "t": t, "matched_word": word}]} for layer, t, word in told]
    said = advice.advice(recipe, ["a"], [100], 1000, {"places": places}, None)
    assert f"a is thinnest at {place}{though}. This" in said["why"]
    assert f"--layer {place.split('/')[1]} --side response" in said["command"]

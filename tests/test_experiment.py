"""Experiments: commands are filled in, finished runs are never repeated, failed ones are named, children end with us."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import time

import pytest
from datasets import load_dataset

from selector import experiments, steps, training_sets, trials
from selector.errors import FailedRuns, InputError, OutputError, RecipeError
from selector.options import Options
from tests.command import command, fresh

HEAD = {"pool": "demo", "layers": {"micro": {"band": "auto"}}}
LADDER = {"budget": 60, "levels": [0, 100], "measure": False}
SCORE = 'echo noise; echo \'{"score": {level}, "parts": {"easy": 1.5}}\''


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def ladder(tmp_path_factory, cache):
    """A ladder of two levels, drawn by seed 5."""
    folder = tmp_path_factory.mktemp("sets") / "ladder"
    words = {**HEAD, "seed": 5, "steps": [{"name": "ladder", "ladder": LADDER}]}
    list(experiments.run(steps.steps(words, folder.parent), folder.parent, Options(cache=cache)))
    return folder


def recipe(ladder, **words):
    return {"experiment": {"sets": [str(ladder)], "score": SCORE, **words}}


def do(content, output, resume=False, **how):
    return list(experiments.run(steps.steps(content, output), output, Options(cache=None, **how), resume=resume))


def lines(path):
    with path.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_line_a_run_with_what_is_known_of_its_set(ladder, tmp_path):
    do(recipe(ladder, seeds=[3, 4], scores={"score": "score", "easy": "parts/easy"}), tmp_path / "out")
    found = lines(tmp_path / "out" / "scores.csv")
    assert [(one["level"], one["seed"], one["score"], one["draw"]) for one in found] == [
        ("0.0", "3", "0.0", "5"), ("0.0", "4", "0.0", "5"), ("100.0", "3", "100.0", "5"), ("100.0", "4", "100.0", "5"),
    ]  # fmt: skip
    assert {(one["side"], one["layer"], one["size"], one["easy"]) for one in found} == {("response", "micro", "60", "1.5")}
    assert [one["achieved"] for one in found] == ["0.0", "0.0", "100.0", "100.0"]
    assert all(1 <= float(one["mean_tokens"]) < 500 for one in found)  # of sets that carry few types: short answers
    assert "diversity-selector" in json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["versions"]


def test_the_seed_of_a_run_is_that_of_its_draw_where_none_is_given(ladder, tmp_path):
    do(recipe(ladder), tmp_path / "out")
    assert [one["seed"] for one in lines(tmp_path / "out" / "scores.csv")] == ["5", "5"]


def test_places_are_filled_in_and_other_braces_stay(ladder, tmp_path):
    words = {
        "files": {"config/a.json": '{"data": "{dataset}", "seed": {seed}, "other": {}, "{unknown}": 1}'},
        "train": f"{sys.executable} -c 'import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])' {{run}}/config/a.json {{output}}/b.json",
        "score": f"{sys.executable} -c 'import sys; print(sys.argv[1])' '{{\"score\": {{size}}}}' > {{output}}/s.json",
        "read": "{output}/s.json",
    }
    do(recipe(ladder, **words), tmp_path / "out dir")
    run = tmp_path / "out dir" / "runs" / "ladder" / "level-100" / "seed-5"
    told = json.loads((run / "output" / "b.json").read_text(encoding="utf-8"))
    assert told == {"data": str(ladder / "data" / "level-100"), "seed": 5, "other": {}, "{unknown}": 1}
    assert len(load_dataset(told["data"], split="train")) == 60
    assert [one["score"] for one in lines(tmp_path / "out dir" / "scores.csv")] == ["60.0", "60.0"]


def test_a_failed_run_is_named_the_others_are_done_and_only_it_is_done_again(ladder, tmp_path):
    out, flag = tmp_path / "out", tmp_path / "mended"
    words = {
        "train": f"echo trained {{level}} >> {tmp_path}/trained; test {{level}} != 0.0 || test -e {flag} || (echo no memory >&2; exit 7)",
    }
    with pytest.raises(FailedRuns, match=r"1 run of 2 failed: ladder/level-000/seed-5.*exit code 7: no memory"):
        do(recipe(ladder, **words), out)
    assert [one["level"] for one in lines(out / "scores.csv")] == ["100.0"]
    told = json.loads((out / "runs/ladder/level-000/seed-5/run.json").read_text(encoding="utf-8"))
    assert (told["state"], told["done"]["train"]["exit_code"]) == ("failed", 7)
    assert not (out / "manifest.json").exists()
    with pytest.raises(OutputError, match="add --resume"):
        do(recipe(ladder, **words), out)
    flag.touch()
    do(recipe(ladder, **words), out, resume=True)
    assert [one["level"] for one in lines(out / "scores.csv")] == ["0.0", "100.0"]
    assert (tmp_path / "trained").read_text().split() == ["trained", "0.0", "trained", "100.0", "trained", "0.0"]
    with pytest.raises(OutputError, match="of other words"):
        do(recipe(ladder, train="true"), out, resume=True)


def test_training_is_not_repeated_where_scoring_failed(ladder, tmp_path):
    out, flag = tmp_path / "out", tmp_path / "mended"
    words = {"train": f"echo x >> {tmp_path}/trained", "score": f"test -e {flag} && echo '{{\"score\": 1}}' || echo nothing"}
    with pytest.raises(FailedRuns, match=r"2 runs of 2 failed.*what score printed last is no JSON object"):
        do(recipe(ladder, **words), out)
    flag.touch()
    do(recipe(ladder, **words), out, resume=True)
    assert (tmp_path / "trained").read_text().split() == ["x", "x"]


def test_a_run_that_takes_too_long_is_ended_with_what_it_started(ladder, tmp_path):
    began = time.monotonic()
    with pytest.raises(FailedRuns, match=r"train took longer than 0.3 s"):
        do(recipe(ladder, train=f"(sleep 60; touch {tmp_path}/late) & sleep 60", timeout=0.3), tmp_path / "out", jobs=2)
    assert time.monotonic() - began < 20
    told = json.loads((tmp_path / "out/runs/ladder/level-000/seed-5/run.json").read_text(encoding="utf-8"))
    assert told["done"]["train"]["exit_code"] is None


def test_a_score_that_lacks_its_number_fails(ladder, tmp_path):
    with pytest.raises(FailedRuns, match=r"no number 'scores'. Did you mean 'score'"):
        do(recipe(ladder, scores={"score": "scores"}), tmp_path / "a")
    with pytest.raises(FailedRuns, match="NaN, which is no number"):
        do(recipe(ladder, score="echo '{\"score\": NaN}'"), tmp_path / "b")


def test_a_run_without_its_number_is_scored_again(ladder, tmp_path):
    out, flag = tmp_path / "out", tmp_path / "mended"
    words = {
        "train": f"echo x >> {tmp_path}/trained",
        "score": f"test -e {flag} && echo '{{\"score\": 1}}' || echo '{{\"accuracy\": 1}}'",
    }
    for resume in (False, True):
        with pytest.raises(FailedRuns, match=r"2 runs of 2 failed.*no number 'score'"):
            do(recipe(ladder, **words), out, resume=resume)
        assert lines(out / "scores.csv") == []
    flag.touch()
    do(recipe(ladder, **words), out, resume=True)
    assert [one["score"] for one in lines(out / "scores.csv")] == ["1.0", "1.0"]
    assert (tmp_path / "trained").read_text().split() == ["x", "x"]


def test_output_may_be_let_go(ladder, tmp_path):
    do(recipe(ladder, train="touch {output}/model", keep_output=False), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("model"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_stopped_ends_its_children_and_goes_on_later(ladder, tmp_path, number, code):
    out, pid = tmp_path / "out", tmp_path / "pid"
    train = f"test {{level}} = 0.0 || test -e {tmp_path}/mended || (echo $$ > {pid}; sleep 100)"
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe(ladder, train=train)), encoding="utf-8")
    process = fresh("run", file, out, "--no-cache")
    for _ in range(600):
        if pid.exists() and pid.read_text():
            break
        time.sleep(0.05)
    child = int(pid.read_text())
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in told
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    (tmp_path / "mended").touch()
    again = command("run", file, out, "--no-cache", "--resume")
    assert again.code == 0
    assert [one["level"] for one in lines(out / "scores.csv")] == ["0.0", "100.0"]
    log = json.loads((out / "runs/ladder/level-000/seed-5/run.json").read_text(encoding="utf-8"))
    assert log["state"] == "finished"


def test_what_outlived_a_kill_is_ended_when_its_run_begins_again(ladder, tmp_path):
    out, pid = tmp_path / "out", tmp_path / "pid"
    file = tmp_path / "recipe.yaml"
    train = f"test -e {tmp_path}/mended || (echo $$ > {pid}; sleep 100)"
    file.write_text(json.dumps(recipe(ladder, train=train)), encoding="utf-8")
    process = fresh("run", file, out, "--no-cache")
    for _ in range(600):
        if pid.exists() and pid.read_text() and list(out.rglob("child.json")):
            break
        time.sleep(0.05)
    process.kill()
    process.communicate()
    child = int(pid.read_text())
    os.kill(child, 0)  # it lives
    (tmp_path / "mended").touch()
    do(recipe(ladder, train=train), out, resume=True)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert len(lines(out / "scores.csv")) == 2
    assert not list(out.rglob("child.json"))


def test_exit_code_and_plan(ladder, tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(recipe(ladder, train="exit 3")), encoding="utf-8")
    planned = command("run", file, tmp_path / "out", "--plan")
    assert planned.code == 0
    assert planned.out.splitlines()[-2:] == ["ladder/level-000/seed-5", "ladder/level-100/seed-5"]
    done = command("run", file, tmp_path / "out")
    assert (done.code, "2 runs of 2 failed" in done.err) == (1, True)


def test_a_plan_where_the_pool_is_still_to_be_written(tmp_path):
    content = {**HEAD, "steps": [
        {"name": "cut", "hold_out": {"rows": 10}}, {"name": "l", "pool": {"source": "step:cut", "config": "rest"}, "ladder": LADDER},
        {"name": "x", "experiment": {"sets": ["step:l"], "score": SCORE}},
    ]}  # fmt: skip
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(content), encoding="utf-8")
    planned = command("run", file, tmp_path / "out", "--plan")
    assert planned.code == 0
    assert planned.out.splitlines() == [
        "plan of l: not known before the step that writes its pool is done", "runs of x:", "l/level-000/seed-0", "l/level-100/seed-0",
    ]  # fmt: skip


def test_a_pattern_that_names_no_step(tmp_path):
    content = {**HEAD, "steps": [{"name": "l", "ladder": LADDER}, {"name": "x", "experiment": {"sets": ["step:m*"], "score": SCORE}}]}
    with pytest.raises(RecipeError, match=r"reads 'step:m\*', but no earlier step has such a name"):
        steps.steps(content, tmp_path)


def test_the_plan_knows_sets_that_are_not_there_yet(tmp_path):
    content = {**HEAD, "steps": [
        {"name": "{seed}", "each": {"seed": [1, 2]}, "ladder": LADDER}, {"name": "s", "split": {"select": {"budget": 20}, "low": True}},
        {"name": "x", "experiment": {"sets": ["step:[12]*", "step:s"], "score": SCORE}},
    ]}  # fmt: skip
    read = steps.steps(content, tmp_path)
    assert [step.recipe.seed for step in read[:2]] == [1, 2]
    assert experiments.runs(read[-1], read) == [
        "1/level-000/seed-1", "1/level-100/seed-1", "2/level-000/seed-2", "2/level-100/seed-2",
        "s/diverse/seed-0", "s/random-1/seed-0", "s/random-2/seed-0", "s/random-3/seed-0", "s/narrow/seed-0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"score": None}, "needs a command `score`"),
        ({"proxy": "ngram"}, "`score_on` names none"),
        ({"train": "go {data}"}, r"train says \{data\}; what is filled in is \{dataset\}"),
        ({"files": {"../x": ""}}, "below the run's folder"),
        ({"timeout": 0}, "must be above 0"),
    ],
)
def test_what_is_wrong_is_named(ladder, tmp_path, words, told):
    with pytest.raises(RecipeError, match=told):
        steps.steps(recipe(ladder, **words), tmp_path)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no sets of selector"):
        do(recipe(tmp_path), tmp_path / "out")
    with pytest.raises(RecipeError, match="no experiment; leave --proxy out"):
        steps.by_proxy({"steps": [{"name": "a", "select": {"budget": 1}}]}, "ngram")


def test_the_proxy_whole_with_rows_held_out(cache, tmp_path):
    content = {**HEAD, "steps": [
        {"name": "cut", "hold_out": {"rows": 100}},
        {"name": "r", "pool": {"source": "step:cut", "config": "rest"}, "ladder": {**LADDER, "budget": 300}},
        {"name": "x", "experiment": {
            "sets": ["step:r"], "score": "exit 1", "score_on": {"held": {"source": "step:cut", "config": "held-out"}}}},
    ]}  # fmt: skip
    content = steps.by_proxy(content, "ngram")
    list(experiments.run(steps.steps(content, tmp_path), tmp_path, Options(cache=cache)))
    held, rest = (load_dataset(str(tmp_path / "cut"), name, split="train") for name in ("held-out", "rest"))
    assert len(held) == 100
    assert not set(zip(held["instruction"], held["response"], strict=True)) & set(zip(rest["instruction"], rest["response"], strict=True))
    low, high = lines(tmp_path / "x" / "scores.csv")
    assert float(low["score"]) == float(low["held"]) < float(high["held"]) < 0
    assert {"held/crowd", "held/textbook"} <= set(low)
    told = json.loads((tmp_path / "x/runs/r/level-000/seed-0/run.json").read_text(encoding="utf-8"))["result"]
    assert told["scored_rows_trained_on"] == {"held": 0}
    assert "favours sets that cover many tokens" in told["proxy"]
    for file in ("README.md", "manifest.json"):
        assert "favours sets that cover many tokens" in (tmp_path / "x" / file).read_text(encoding="utf-8")


def test_sets_of_every_kind_of_folder(cache, tmp_path):
    content = {**HEAD, "steps": [
        {"name": "one", "select": {"budget": 20, "objective": "coverage"}},
        {"name": "two", "split": {"select": {"budget": 20, "objective": "coverage"}, "arms": 1, "hold_out": 10}},
    ]}  # fmt: skip
    list(experiments.run(steps.steps(content, tmp_path), tmp_path, Options(cache=cache)))
    found = [*training_sets.read(tmp_path / "one"), *training_sets.read(tmp_path / "two")]
    assert [(one.name, one.size, one.side, one.layer) for one in found] == [
        (name, 20, "response", "micro") for name in ("selection", "diverse", "random-1")
    ]
    assert all(one.files for one in found)


def test_numbers_by_their_place():
    found = dict(trials.numbers({"a": 1, "b": {"c": 2.5, "d": "x", "e": True}, "f": [3]}))
    assert found == {"a": 1.0, "b/c": 2.5}

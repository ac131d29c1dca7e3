"""The command: what its flags mean, what it prints, and that a recipe says the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import selector
from selector import cli, flags, terminal, words
from selector import recipe as recipes
from selector.errors import RecipeError
from selector.layers.taggers.keyphrase import Keyphrase
from tests.command import MODULE, command, fresh, pool

BAND = ("--band", "1:99")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("SELECTOR_CACHE", str(folder))
        patch.setenv("COLUMNS", "80")
        yield folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Its numbers, sources and vectors are there for the flags that read a column."""
    path = tmp_path_factory.mktemp("plain") / "plain.parquet"
    groups = ["a"] * 25 + ["b"] * 10 + [None] * 5
    return pool(path, score=[float(i) for i in range(40)], source=groups, vec=[[float(i), 1.0, float(i % 3)] for i in range(40)])


def picks(folder: Path) -> list[int]:
    return pq.read_table(folder / "picks.parquet").column("row").to_pylist()


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------------- the flags

FLAGS = [
    "--budget 9 --layer micro --side both --objective dpp --option kernel=rbf --option bandwidth=1.5 --seed 3",
    "--budget 9 --mix coverage@micro/response:2,facility-location@macro/both --encoder column:vec",
    "--budget 9 --quality score --quality-weight 0.4 --optimizer stochastic --epsilon 0.2",
    "--budget 9 --quota source:max=4,min=1 --dedup near:0.9 --min-tokens response:3 --max-tokens instruction:900",
    "--token-budget 120 --objective coverage --option concave=log --tokenizer deepseek",
    "--budget 9 --layer macro --encoder column:vec --clusters kmeans:3 --objective coverage --noise own --whiten",
    "--budget 9 --layer meso --tagger keyphrase --set layers.meso.min_count=1 --write-as messages",
    "--budget 9 --instruction-column response --response-column instruction --id-column id --unusable keep",
]


@pytest.mark.parametrize("line", FLAGS)
def test_flags_and_their_recipe_choose_the_same_rows(line, plain, tmp_path):
    """Everything that select can say, a recipe can say: the one in the manifest."""
    given = line.split() + ([] if "macro --" in line or "meso --" in line else list(BAND))
    done = command("select", plain, *given, "-o", tmp_path / "flags")
    assert done.code == 0, done.err
    told = manifest(tmp_path / "flags")
    (tmp_path / "recipe.yaml").write_text(told["recipe"], encoding="utf-8")
    done = command("run", tmp_path / "recipe.yaml", tmp_path / "run")
    assert done.code == 0, done.err
    assert picks(tmp_path / "run") == picks(tmp_path / "flags")
    assert len(set(picks(tmp_path / "run"))) == told["selected"] > 0
    assert manifest(tmp_path / "run")["recipe"] == told["recipe"]
    assert manifest(tmp_path / "run")["objective"] == told["objective"]


def test_each_flag_lands_in_its_place(plain, tmp_path):
    line = (
        "--budget 9 --layer meso --side both --objective coverage --option concave=cap:2 --quota source:max=4 --keep k.jsonl --optimizer "
        "stochastic --epsilon 0.2 --dedup off --min-tokens response:3 --max-tokens response:8 --unusable error --tagger column:tags "
        "--tokenizer t --write-as alpaca --save arrow --seed 4 --format pair --instruction-column i --response-column r --id-column id "
        "--split s --config c --every-turn --skip-bad --token-budget 50 --quality score --quality-weight 0.2 "
        "--set select.keep.format=alpaca"
    )
    with pytest.MonkeyPatch.context() as patch:
        seen = []
        patch.setattr(cli, "_run", lambda recipe, output, given: seen.append((recipe, output, given)))
        assert command("select", "p.jsonl", *line.split(), "-o", "out", "--threads", 2, "--memory", "2GB").code == 0
    (recipe, output, given) = seen[0]
    assert recipe == recipes.check(
        {
            "pool": {"source": "p.jsonl", "format": "pair", "instruction_column": "i", "response_column": "r", "id_column": "id",
                     "split": "s", "config": "c", "every_turn": True, "skip_bad": True},
            "tokenizer": "t",
            "hygiene": {"dedup": "off", "unusable": "error", "min_response_tokens": 3, "max_response_tokens": 8},
            "layers": {"meso": {"tagger": "column:tags"}},
            "select": {"budget": 9, "token_budget": 50, "layer": "meso", "side": "both", "objective": "coverage",
                       "options": {"concave": "cap:2"}, "quality": "score", "quality_weight": 0.2, "quota": ["source:max=4"],
                       "keep": {"source": "k.jsonl", "format": "alpaca"}, "optimizer": "stochastic", "optimizer_options": {"epsilon": 0.2}},
            "output": {"write_as": "alpaca", "save": "arrow"},
            "seed": 4,
        }
    )  # fmt: skip
    assert (output, given["threads"], given["memory"]) == ("out", 2, "2GB")


def test_run_with_another_pool_and_changed_keys(plain, tmp_path):
    (tmp_path / "recipe.yaml").write_text("pool: demo\nselect: {budget: 500}\nlayers: {micro: {band: '1:99'}}\n", encoding="utf-8")
    done = command("run", tmp_path / "recipe.yaml", tmp_path / "out", "--pool", plain, "--set", "select.budget=4", "--set", "seed=2")
    assert done.code == 0, done.err
    told = manifest(tmp_path / "out")
    assert (told["pool"]["source"], told["selected"], told["seed"]) == (str(plain), 4, 2)


def test_run_without_a_good_recipe(tmp_path):
    (tmp_path / "recipe.yaml").write_text("pool: demo\nselect: {budget: 0}\n", encoding="utf-8")
    for name, told in [("recip.yaml", "Did you mean 'recipe.yaml'?"), ("recipe.yaml", "recipe.yaml: select.budget is 0")]:
        done = command("run", tmp_path / name, tmp_path / "out")
        assert (done.code, done.out) == (2, "")
        assert told in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("written", "size"),
    [("8GB", 8 << 30), ("512MB", 512 << 20), ("1.5gib", 3 << 29), ("64k", 64 << 10), ("1T", 1 << 40), ("4096", 4096), ("100B", 100)],
)
def test_sizes(written, size):
    assert flags.size(written) == size


@pytest.mark.parametrize("written", ["", "lots", "0", "-1GB", "inf", "nan", "GB"])
def test_sizes_that_are_none(written):
    with pytest.raises(RecipeError, match="write a size such as"):
        flags.size(written)


# ----------------------------------------------------------------------------------------------------------- what is shown


def test_help_names_every_command():
    for line in (["--help"], ["select", "-h"], ["run", "-h"], ["inspect", "-h"], ["list", "-h"], ["cache", "-h"], ["cache", "ls", "-h"]):
        done = command(*line)
        assert done.code == 0
        assert done.out.startswith("Usage: selector")
    assert all(f"\n  {name} " in command("--help").out for name in ("cache", "inspect", "list", "run", "select"))
    assert command("--version").out.split()[-1].count(".") == 2


@pytest.mark.parametrize("kind", ["objectives", "layers", "optimizers"])
def test_list_has_a_line_for_each(kind):
    from selector import registry

    done = command("list", kind)
    assert done.code == 0
    for name in registry.names(kind):
        (line,) = [line for line in done.out.split("\n") if line.split()[:1] == [name]]
        assert len(line.split()) > 3
    assert all(len(line.rstrip()) <= 80 for line in done.out.split("\n"))


def test_list_and_commands_that_are_not_there():
    done = command("list", "objective")
    assert done.code == 2
    assert "'objectives', 'layers', 'optimizers'" in done.err
    assert command("selct").code == 2


def test_inspect(plain):
    done = command("inspect", plain)
    assert done.code == 0
    for told in ("rows         40", "format       pair", "instruction (string)", "source: 3 values", "problems: none found"):
        assert told in done.out
    assert all(len(line.rstrip()) <= 80 for line in done.out.split("\n") if str(plain) not in line)


def test_inspect_prints_json(plain):
    done = command("inspect", plain, "--json")
    found = json.loads(done.out)
    assert (found["rows"], found["format"], found["source"]) == (40, "pair", str(plain))
    assert found["sides"]["response"]["characters"]["min"] > 0
    assert done.err == ""


def test_inspect_of_bad_pools(tmp_path):
    (tmp_path / "pool.jsonl").write_text('{"instruction": "a", "response": "b"}\n{"instruction": \n', encoding="utf-8")
    assert "pool.jsonl:2" in command("inspect", tmp_path / "pool.jsonl").err
    done = command("inspect", tmp_path / "pool.jsonl", "--skip-bad")
    assert done.code == 0
    assert "bad lines skipped" in done.out
    assert command("inspect", tmp_path / "nothing.jsonl").code == 2


def test_what_is_shown_is_never_markup(tmp_path):
    """Square brackets are markup to the library that draws the tables; here they are names of folders and values of columns."""
    folder = tmp_path / "a[red]b"
    folder.mkdir()
    path = pool(folder / "pool[0].parquet", source=["[/bold]", "[link=x]y"] * 20)
    done = command("inspect", path)
    assert done.code == 0
    assert "[/bold]" in done.out
    assert "[link=x]y" in done.out
    done = command("select", path, "--budget", 3, *BAND, "-o", folder / "out[1]")
    assert done.code == 0, done.err
    assert "a[red]b" in done.out.replace("\n", "").replace(" ", "")


def test_the_summary(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = pool(Path("kept.parquet"), 3)
    done = command(
        "select", plain, "--budget", 9, *BAND, "--mix", "micro/response:3,coverage@micro/instruction", "--quality", "score",
        "--keep", kept, "--quota", "source:max=5", "-o", "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    lines = {line.split()[0]: line for line in done.out.split("\n")[1:] if line and line[0] != " "}
    assert list(lines) == [
        "pool", "dropped", "objective", "selected", "diversity", "lengths", "value", "kept", "random", "proof", "took", "written",
    ]  # fmt: skip
    for name, told in {
        "dropped": "3 already-kept", "selected": "9 distinct rows (budget reached)", "written": "out",
        "kept": "3 rows of kept.parquet count and are not returned", "proof": "% of the best possible",
    }.items():  # fmt: skip
        assert told in lines[name]
    assert "52 % facility-location on micro/response + 18 % coverage on micro/instruction" in " ".join(done.out.split())
    assert "+ 30 % quality on score" in " ".join(done.out.split())
    assert all(len(line.rstrip()) <= 80 for line in done.out.split("\n") if str(plain) not in line)
    assert done.err == ""


def test_fewer_rows_than_asked_for_are_told():
    told = {"name": "coverage", "layer": "micro", "side": "both", "parts": [], "value": 1.0, "random_value": None, "ratio": None}
    rows = terminal.summary(
        {
            "objective": {**told, "no_bound_because": "nobody knows"},
            "pool": {"source": "p", "rows": 1, "usable": 1, "format": "pair", "dropped": {}, "skipped_lines": 1},
            "kept": {"source": "k", "usable": 1, "dropped": {"no-vector": 2}},
            "selected": 1, "budget": 4, "budget_unit": "rows", "stopped": "no candidate left that the limits allow", "tokens": None,
            "diversity": [], "lengths": {"of": "both", "picks": 8.0, "pool": 9.5, "held": True, "strata": 1, "moved": 0, "short": [{}]},
            "notes": ["one", "two"], "seconds": {"total": 1.0}, "peak_memory_bytes": 1 << 30,
        },
        "out",
    )  # fmt: skip
    assert rows["selected"] == "1 distinct row of 4 asked for (no candidate left that the limits allow)"
    assert rows["pool"].startswith("p: 1 row, 1 usable")
    assert "diversity" not in rows
    assert rows["lengths"] == "8 tokens a pair, 9.5 in the pool (held, but 1 of 1 strata of lengths are not filled)"
    assert rows["skipped"] == "1 bad line, never read as rows"
    assert rows["not kept"] == "2 no-vector: these do not count"
    assert rows["note"] == "one\ntwo"
    assert rows["proof"] == "none: nobody knows"


@pytest.mark.parametrize(
    ("ratio", "told"),
    [(0.99999, "at least 99.99 %"), (0.898372, "at least 89.83 %"), (1.0, "the best possible"), (0.0, "at least 0.00 %")],
)
def test_what_is_printed_is_proved(ratio, told):
    assert words.proof({"ratio": ratio, "upper_bound": 2.0}).startswith(told)


def test_numbers():
    assert [words.number(value) for value in (None, 0.0, 1234.5678, 1234567.8)] == ["not finite", "0", "1,234.57", "1,234,568"]


def test_verbose_says_what_happens_on_standard_error(plain, tmp_path):
    process = fresh("-v", "select", plain, "--budget", 3, *BAND, "-o", tmp_path / "out")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0
    assert "features: " in err
    assert out.startswith("selection\n")


def test_a_reader_that_goes_away_is_no_fault(plain):
    process = fresh("inspect", plain, "--json", before="import sys; sys.stdout.reconfigure(line_buffering=True)")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=100) != 2


# -------------------------------------------------------------------------------------------------------------- the cache


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_standard_output_that_is_full_is_an_error_in_words():
    with open("/dev/full", "w") as full:
        done = subprocess.run([*MODULE, "list", "objectives"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "error: [Errno 28] No space left on device.\n")


def test_cache_is_listed_and_cleared(tmp_path):
    place, some = tmp_path / "kept", pool(tmp_path / "some.parquet", 33)
    assert command("cache", "ls", "--cache", place).out == f"{place}: nothing is kept\n"
    assert command("select", some, "--budget", 3, *BAND, "--cache", place, "-o", tmp_path / "out").code == 0
    listed = command("cache", "ls", "--cache", place).out.replace("\n", " ")
    assert "tokens" in listed
    assert "micro" in listed
    done = command("cache", "clear", "--kind", "mikro", "--cache", place)
    assert (done.code, "Did you mean 'micro'?" in done.err) == (2, True)
    assert command("cache", "clear", "--kind", "micro", "--cache", place).out.startswith("removed 1 file,")
    assert "micro" not in command("cache", "ls", "--cache", place).out
    assert command("cache", "clear", "--cache", place).out.startswith("removed 1 file,")
    assert list(place.iterdir()) == []


def test_no_cache_keeps_nothing(plain, tmp_path, cache):
    before = set(cache.iterdir())
    assert command("select", plain, "--budget", 3, "--band", "1:77", "--no-cache", "-o", tmp_path / "out").code == 0
    assert set(cache.iterdir()) == before


def test_without_a_cache_features_are_still_made_once(plain, monkeypatch):
    """The tags are asked for twice, as features and as a vocabulary: of an LLM that would be paid for twice."""
    made, asked = Keyphrase._made, []
    monkeypatch.setattr(Keyphrase, "_made", lambda *given: asked.append(1) or made(*given))
    selector.select(str(plain), budget=3, layer="meso", options=selector.Options(cache=None))
    assert len(asked) == 1


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "selector", "list", "optimizers"], capture_output=True, text=True, check=True)
    assert "lazy" in done.stdout

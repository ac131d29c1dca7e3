"""Recipes: what they say is read once and rightly, and what they cannot say is an error that helps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selector import recipe as recipes
from selector import steps, yaml_text
from selector.errors import RecipeError
from selector.recipe import Recipe, parse_mix

PLAIN = {"pool": "demo", "select": {"budget": 30}}


def told(content) -> str:
    with pytest.raises(RecipeError) as caught:
        recipes.check(content)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------------------ YAML


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),  # in YAML 1.1 these are false,
        ("no", "no"),
        ("10:50", "10:50"),  # 650,
        ("010", "010"),  # 8,
        ("2024-01-01", "2024-01-01"),  # a date,
        ("1_000", "1_000"),  # and 1000
        ("true", True),
        ("~", None),
        ("", None),
        ("300", 300),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("'300'", "300"),
        ("[a, 1, off]", ["a", 1, "off"]),
        ("x: &a {b: 1}\ny: {<<: *a, c: 2}", {"x": {"b": 1}, "y": {"b": 1, "c": 2}}),
        ("语言: 中文", {"语言": "中文"}),
    ],
)
def test_plain_words_are_what_they_look_like(text, value):
    assert yaml_text.load(text) == value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a: 1\nb: 2\na: 3", ["'a'", "line 1", "line 3"]),
        ("{a: 1, a: 2}", ["'a'", "line 1"]),
        ("a:\n  b: 1\n  b: 2", ["'b'", "line 2", "line 3"]),
        ("a: [1", ["line 1"]),
        ("pool: demo\n\tselect: 1", ["line 2", "\\t"]),
        ("!!python/object:os.system x", ["line 1", "constructor"]),
        ("a: \x01", ["special characters"]),
    ],
)
def test_what_yaml_cannot_say_names_the_line(text, parts):
    with pytest.raises(ValueError) as caught:
        yaml_text.load(text)
    assert all(part in str(caught.value) for part in parts), caught.value


WORDS = st.one_of(
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12),
    st.sampled_from(
        ["off", "yes", "null", "~", "10:50", "010", "1e5", "1.", ".5", "=", "<<", "- x", "a: b", "#", "'", '"', "\u2028", ".inf"]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_what_is_dumped_is_loaded_again(value):
    assert yaml_text.load(yaml_text.dump(value)) == value


# -------------------------------------------------------------------------------------------------------------- the recipe


def test_shorthands():
    recipe = recipes.check({"pool": "demo", "select": {"budget": 3, "keep": "mine.jsonl", "quota": "source:max=2"}})
    assert (recipe.pool.source, recipe.pool.format) == ("demo", "auto")
    assert recipe.select.keep is not None
    assert recipe.select.keep.source == "mine.jsonl"
    assert recipe.select.quota == ["source:max=2"]


def test_defaults_are_the_ones_that_the_command_names():
    select = recipes.check(PLAIN).select
    assert (select.layer, select.side, select.objective, select.optimizer) == ("micro", "response", "facility-location", "lazy")


@pytest.mark.parametrize(
    ("change", "near", "there"),
    [
        ({"pol": "demo"}, "Did you mean 'pool'?", "hygiene, layers, output, pool"),
        ({"pool": {"source": "demo", "formt": "pair"}}, "'pool.formt'. Did you mean 'format'?", "id_column"),
        ({"select": {"budget": 3, "optimiser": "lazy"}}, "Did you mean 'optimizer'?", "token_budget"),
        ({"select": {"budget": 3, "mix": [{"layer": "micro", "side": "both", "wieght": 2}]}}, "Did you mean 'weight'?",
         "objective"),
        ({"select": {"budget": 3, "keep": {"source": "a", "spilt": "train"}}}, "'select.keep.spilt'. Did you mean 'split'?", "skip_bad"),
        ({"output": {"writeas": "alpaca"}}, "Did you mean 'write_as'?", "save"),
    ],
)  # fmt: skip
def test_unknown_keys_have_hints_at_every_depth(change, near, there):
    message = told({**PLAIN, **change})
    assert near in message
    assert there in message.split("There are:")[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"select": {"budget": 0}}, "select.budget is 0; it must be at least 1."),
        ({"select": {"budget": -5}}, "select.budget is -5; it must be at least 1."),
        ({"select": {"budget": "many"}}, "select.budget is 'many'; it must be a whole number."),
        ({"select": {"budget": 2.5}}, "select.budget is 2.5; it must be a whole number."),
        ({"select": {"budget": True}}, "a budget is true; it must be a whole number."),
        ({"select": {"token_budget": 0}}, "select.token_budget is 0; it must be at least 1."),
        ({"select": {}}, "no budget is given"),
        ({"select": None}, "select is None; it must hold keys and values."),
        ({"select": {"budget": 3, "side": "left"}}, "it must be 'instruction', 'response' or 'both'."),
        ({"select": {"budget": 3, "quality": "q", "quality_weight": 1.0}}, "select.quality_weight is 1.0; it must be below 1"),
        ({"select": {"budget": 3, "quality_weight": 0.4}}, "no quality column is named"),
        ({"select": {"budget": 3, "layer": "micro", "mix": "macro/response"}}, "so layer would do nothing"),
        ({"select": {"budget": 3, "mix": "micro/response:0"}}, "select.mix.0.weight is 0.0; it must be above 0"),
        ({"select": {"budget": 3, "mix": "micro/response:inf"}}, "it must be a finite number"),
        ({"select": {"budget": 3, "mix": "micro/response:nan"}}, "select.mix.0.weight is nan"),
        ({"select": {"budget": 3, "quota": {"a": 1}}}, "select.quota is {'a': 1}; it must be a list."),
        ({"hygiene": 3}, "hygiene is 3; it must hold keys and values."),
        ({"layers": {"micro": 3}}, "layers.micro is 3; it must hold keys and values."),
        ({"seed": -1}, "seed is -1; it must be at least 0."),
        ({"seed": 1.5}, "seed is 1.5; it must be a whole number."),
        ({"output": {"write_as": "csv"}}, "it must be 'original', 'alpaca', 'messages', 'sharegpt' or 'prompt-completion'."),
        ({"pool": {}}, "the key 'pool.source' is missing; add it."),
    ],
)  # fmt: skip
def test_wrong_values_say_what_came_and_what_must_be(change, words):
    assert words in told({**PLAIN, **change})


def test_every_fault_is_told_at_once_with_the_source():
    with pytest.raises(RecipeError) as caught:
        recipes.check({"pool": "demo", "select": {"budget": 0, "layr": "micro"}, "seed": "x"}, source="mine.yaml")
    lines = str(caught.value).split("\n")
    assert len(lines) == 3
    assert all(line.startswith("mine.yaml: ") for line in lines)


@pytest.mark.parametrize(("content", "what"), [(None, "is empty"), ([1], "a list"), ("demo", "a str")])
def test_a_recipe_is_a_mapping(content, what):
    assert what in told(content)


# -------------------------------------------------------------------------------------------------------------------- mix


def test_mix_grammar():
    assert recipes.parse_mix("macro/instruction:1, coverage@micro/response:2.5,meso/both") == [
        {"layer": "macro", "side": "instruction", "weight": 1.0},
        {"layer": "micro", "side": "response", "weight": 2.5, "objective": "coverage"},
        {"layer": "meso", "side": "both", "weight": 1.0},
    ]


@pytest.mark.parametrize("text", ["", "macro", "macro:1", "macro/left:1", "/response", "macro/response:two", "macro/response:1,"])
def test_mix_that_is_not_understood(text):
    with pytest.raises(RecipeError, match="write LAYER/SIDE:WEIGHT"):
        recipes.parse_mix(text)


# ------------------------------------------------------------------------------------------------- files, changes, round trip


def test_read_with_changes(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("pool: demo\nhygiene: {dedup: off}\nselect: {budget: 30}\nlayers: {micro: {band: 10:50}}\n", encoding="utf-8")
    recipe = recipes.read(path, {"select": {"budget": 5}, "pool": {"skip_bad": True}})
    assert recipe.select.budget == 5
    assert recipe.pool.source == "demo"  # the shorthand is not lost when one of its keys is set
    assert recipe.pool.skip_bad
    assert recipe.hygiene == {"dedup": "off"}
    assert recipe.layers == {"micro": {"band": "10:50"}}


def test_changes_leave_what_they_change_alone():
    content = {"a": {"b": 1, "c": 2}}
    assert recipes.merged(content, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}
    assert content == {"a": {"b": 1, "c": 2}}


def test_files_that_are_no_recipes(tmp_path):
    (tmp_path / "mine.yaml").write_text("pool: demo\n")
    (tmp_path / "binary").write_bytes(b"PAR1\x9c\xff")
    (tmp_path / "twice.yaml").write_text("pool: demo\nselect: {budget: 1}\nselect: {budget: 2}\n")
    for name, words in [
        ("mime.yaml", "Did you mean 'mine.yaml'?"),
        ("", "is a folder"),
        ("binary", "no text in UTF-8"),
        ("twice.yaml", "'select' stands in line 2 and again in line 3"),
        ("mine.yaml", "the key 'select' is missing"),
        ("mine.yaml/x", "cannot be read"),
    ]:
        with pytest.raises(RecipeError, match=words):
            recipes.read(tmp_path / name)


FULL = {
    "pool": {"source": "a b.jsonl", "format": "messages", "every_turn": True, "id_column": "010"},
    "tokenizer": "deepseek",
    "hygiene": {"dedup": "off", "min_response_tokens": 3},
    "layers": {"micro": {"band": "10:50"}, "meso": {"merge": 0.8}},
    "select": {
        "budget": 30, "token_budget": 5000, "mix": "coverage@micro/response:2,macro/both", "quality": "score", "quality_weight": 0.25,
        "quota": ["source:max=3,min=1"], "keep": "mine", "optimizer": "stochastic", "optimizer_options": {"epsilon": 0.1},
    },
    "output": {"write_as": "sharegpt", "save": "arrow"},
    "seed": 7,
}  # fmt: skip


@pytest.mark.parametrize("content", [PLAIN, FULL])
def test_what_is_written_reads_back_as_the_same_recipe(content, tmp_path):
    recipe = recipes.check(content)
    path = tmp_path / "again.yaml"
    path.write_text(recipes.write(recipe), encoding="utf-8")
    assert recipes.read(path) == recipe
    assert recipes.write(recipes.read(path)) == recipes.write(recipe)


def test_defaults_are_not_written():
    assert recipes.write(recipes.check({**PLAIN, "seed": 0, "output": {}})) == "pool:\n  source: demo\nselect:\n  budget: 30\n"


def test_a_recipe_never_changes():
    with pytest.raises(ValueError, match="frozen"):
        recipes.check(PLAIN).seed = 3


def test_the_recipes_that_come_with_the_project_read():
    from pathlib import Path

    files = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.yaml"))
    assert files
    for file in files:
        content = recipes.load(file)
        if steps.several(content):
            assert steps.steps(content, Path("out"))
        else:
            assert isinstance(recipes.read(file), Recipe)


def test_a_mixture_may_name_a_layer_by_dotted_path() -> None:
    assert parse_mix("letters:Letters/instruction:2") == [{"layer": "letters:Letters", "side": "instruction", "weight": 2.0}]

"""YAML <-> Recipe: what is computed, in words. Knows names, runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from selector import yaml_text
from selector.errors import RecipeError, hint

Words = TypeVar("Words", bound=BaseModel)
WriteAs = Literal["original", "alpaca", "messages", "sharegpt", "prompt-completion"]


class Strict(BaseModel):
    """Unknown keys are errors; a recipe never changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PoolRecipe(Strict):
    """Where the pairs are and how to read them; see Pool.read."""

    source: str
    format: str = "auto"
    instruction_column: str | None = None
    response_column: str | None = None
    id_column: str | None = None
    split: str | None = None
    config: str | None = None
    every_turn: bool = False
    skip_bad: bool = False

    @model_validator(mode="before")
    @classmethod
    def _only_where(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value


class MixRecipe(Strict):
    """One part of a mixture."""

    layer: str
    side: Literal["instruction", "response", "both"]
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    objective: str | None = None  # None: the objective of the selection
    options: dict[str, Any] = {}

    @field_validator("weight")
    @classmethod
    def _weight(cls, value: float) -> float:
        if not 1e-9 <= value <= 1e9:
            raise ValueError(
                f"the weight of a part of mix is {value:g}; it must be from 1e-9 to 1e9, or the smaller part counts for nothing"
            )
        return value


class SelectRecipe(Strict):
    """Which rows: the objective, the limits and the optimizer."""

    budget: int | None = Field(default=None, ge=1)
    token_budget: int | None = Field(default=None, ge=1, le=10**15)  # costs are summed as float64, exact to 2^53
    layer: str = "micro"  # with the response side: where the paper found the strongest effect
    side: Literal["instruction", "response", "both"] = "response"
    objective: str = "facility-location"
    options: dict[str, Any] = {}  # parameters of the objective
    mix: list[MixRecipe] = []
    quality: str | None = None
    quality_weight: float = Field(default=0.3, gt=0, lt=1)
    quota: list[str] = []
    lengths: Literal["pool", "free"] = "pool"  # pool: the picks are as long as the pool's rows, stratum by stratum
    verdict: bool = True  # whether the picks are measured beside random sets
    keep: PoolRecipe | None = None
    optimizer: str = "lazy"
    optimizer_options: dict[str, Any] = {}

    @field_validator("budget", "token_budget", mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:
        if isinstance(value, bool):  # which Python would count as 1
            raise ValueError(f"a budget is {str(value).lower()}; it must be a whole number")
        return value

    @field_validator("quota", mode="before")
    @classmethod
    def _quota(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("mix", mode="before")
    @classmethod
    def _mix(cls, value: Any) -> Any:
        return parse_mix(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _some_budget(self) -> SelectRecipe:
        if self.budget is None and self.token_budget is None:
            raise ValueError("no budget is given; write budget (rows) or token_budget (tokens of both sides)")
        return self

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> SelectRecipe:
        if self.quality is None and "quality_weight" in self.model_fields_set:
            raise ValueError(f"quality_weight is {self.quality_weight:g} but no quality column is named; name one, or leave the weight out")
        told = sorted({"layer", "side"} & self.model_fields_set)
        if self.mix and told:
            raise ValueError(f"each part of mix names its own layer and side, so {' and '.join(told)} would do nothing; leave it out")
        return self


class OutputRecipe(Strict):
    """How the subset is written."""

    write_as: WriteAs = "original"
    save: Literal["parquet", "arrow"] = "parquet"


class Recipe(Strict):
    """Everything that decides which rows are picked and what is written."""

    pool: PoolRecipe
    tokenizer: str = "deepseek"  # of the micro layer, the token limits and the token budget
    hygiene: dict[str, Any] = {}  # parameters of hygiene.Hygiene
    layers: dict[str, dict[str, Any]] = {}  # parameters of each layer, by its name
    select: SelectRecipe
    output: OutputRecipe = OutputRecipe()
    seed: int = Field(default=0, ge=0)


def parse_mix(text: str) -> list[dict[str, Any]]:
    """`macro/instruction:1,coverage@micro/response:2` as parts; the weight is 1 and the objective the selection's where not written."""
    parts: list[dict[str, Any]] = []
    for written in text.split(","):
        objective, _, rest = written.strip().rpartition("@")
        layer, slash, tail = rest.rpartition("/")  # a layer by dotted path holds a colon itself
        side, _, weight = tail.partition(":")
        try:
            parts.append({"layer": layer, "side": side, "weight": float(weight or 1)} | ({"objective": objective} if objective else {}))
        except ValueError:
            slash = ""
        if not slash or not layer or side not in get_args(SelectRecipe.model_fields["side"].annotation):
            raise RecipeError(
                f"the mixture has a part '{written.strip()}'; write LAYER/SIDE:WEIGHT or OBJECTIVE@LAYER/SIDE:WEIGHT with the sides "
                "instruction, response or both, as in macro/instruction:1,micro/response:2."
            )
    return parts


def check(content: Any, *, source: str = "") -> Recipe:
    """The Recipe in a mapping. Raises RecipeError naming `source` and each wrong key with a hint."""
    return checked(Recipe, content, source=source)


def checked(kind: type[Words], content: Any, *, source: str = "") -> Words:
    """The words of any verb in a mapping. Raises RecipeError as `check` does."""
    if not isinstance(content, dict):
        found = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise RecipeError(f"{source or 'the recipe'} must hold keys and values such as 'pool: demo'; it {found}.")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        before = f"{source}: " if source else ""
        raise RecipeError("\n".join(f"{before}{_sentence(kind, one)}" for one in error.errors())) from None


def read(path: str | Path, changes: dict[str, Any] | None = None) -> Recipe:
    """The Recipe in a YAML file, with some keys changed. Raises RecipeError naming the file, and the line where YAML does not parse."""
    content = load(path)
    if isinstance(content, dict) and "steps" in content:
        raise RecipeError(
            f"{path} holds several steps, and one selection was asked for; do them with `selector run` or selector.experiments.run."
        )
    return check(merged(content, changes or {}) if isinstance(content, dict) else content, source=str(path))


def load(path: str | Path) -> Any:
    """What a YAML file holds, not yet checked. Raises RecipeError as `read` does."""
    path = Path(path)
    try:
        return yaml_text.load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = [one.name for one in path.parent.glob("*.y*ml")]
        raise RecipeError(f"there is no recipe {path}. {hint(path.name, there) if there else 'Name a YAML file.'}") from None
    except IsADirectoryError:
        raise RecipeError(f"{path} is a folder; name a YAML file.") from None
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error.strerror}; name a YAML file.") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is no text in UTF-8, so it is no recipe; name a YAML file.") from None
    except ValueError as error:
        raise RecipeError(f"{path} is not YAML a recipe may hold: {error}.") from None


def write(recipe: Strict) -> str:
    """The recipe as YAML, keys at their defaults left out."""
    return yaml_text.dump(recipe.model_dump(exclude_defaults=True, mode="json"))


def merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with the values of `changes`, key by key at every depth; neither is altered. `pool: demo` is pool.source."""
    result = dict(content)
    for key, value in changes.items():
        below = result.get(key)
        if key in ("pool", "keep") and isinstance(below, str):
            below = {"source": below}
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def fault(error: Any) -> str:
    """What a validation error of pydantic says, as `is 'abc'; it must be a number`."""
    context = error.get("ctx", {})
    wanted = _WANTED[error["type"]].format(**context) if error["type"] in _WANTED else error["msg"].lower()
    return f"is {error['input']!r}; it {wanted}"


_WANTED = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "finite_number": "must be a finite number",
    "list_type": "must be a list",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "literal_error": "must be {expected}",
}


def _sentence(kind: type[BaseModel], error: Any) -> str:
    """One validation error as what was asked, what came, what to do."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"no key is called '{place}'. {hint(str(error['loc'][-1]), _keys(kind, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"the key '{place}' is missing; add it."
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    return f"{place} {fault(error)}."


def _keys(kind: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """The keys that may stand at a place in the words of a verb."""
    for part in place:
        field = kind.model_fields.get(str(part))
        inner = [one for one in _parts(field.annotation) if isinstance(one, type) and issubclass(one, BaseModel)] if field else []
        kind = inner[0] if inner else kind
    return list(kind.model_fields)


def _parts(annotation: Any) -> list[Any]:
    """A type and all that it is made of, as X | None and list[X]."""
    return [annotation, *(part for one in get_args(annotation) for part in _parts(one))]

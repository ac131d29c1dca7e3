"""YAML <-> Recipe: what is computed, in words. Knows names, runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from selector.errors import RecipeError, hint

WriteAs = Literal["original", "alpaca", "messages", "sharegpt", "prompt-completion"]


class _Strict(BaseModel):
    """Unknown keys are errors; a recipe never changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PoolRecipe(_Strict):
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


class MixRecipe(_Strict):
    """One part of a mixture."""

    layer: str
    side: Literal["instruction", "response", "both"]
    weight: float = Field(default=1.0, gt=0)
    objective: str | None = None  # None: the objective of the selection
    options: dict[str, Any] = {}


class SelectRecipe(_Strict):
    """Which rows: the objective, the limits and the optimizer."""

    budget: int | None = None
    token_budget: int | None = None
    layer: str = "micro"  # with the response side: where the paper found the strongest effect
    side: Literal["instruction", "response", "both"] = "response"
    objective: str = "facility-location"
    options: dict[str, Any] = {}  # parameters of the objective
    mix: list[MixRecipe] = []
    quality: str | None = None
    quality_weight: float = Field(default=0.3, gt=0, lt=1)
    quota: list[str] = []
    keep: PoolRecipe | None = None
    optimizer: str = "lazy"
    optimizer_options: dict[str, Any] = {}

    @field_validator("keep", mode="before")
    @classmethod
    def _keep(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

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
        for name, value in (("budget", self.budget), ("token_budget", self.token_budget)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        return self


class OutputRecipe(_Strict):
    """How the subset is written."""

    write_as: WriteAs = "original"
    save: Literal["parquet", "arrow"] = "parquet"


class Recipe(_Strict):
    """Everything that decides which rows are picked and what is written."""

    pool: PoolRecipe
    tokenizer: str = "deepseek"  # of the micro layer, the token limits and the token budget
    hygiene: dict[str, Any] = {}  # parameters of hygiene.Hygiene
    layers: dict[str, dict[str, Any]] = {}  # parameters of each layer, by its name
    select: SelectRecipe
    output: OutputRecipe = OutputRecipe()
    seed: int = Field(default=0, ge=0)

    @field_validator("pool", mode="before")
    @classmethod
    def _pool(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value


def parse_mix(text: str) -> list[dict[str, Any]]:
    """`macro/instruction:1,coverage@micro/response:2` as parts; the weight is 1 and the objective the selection's where not written."""
    parts: list[dict[str, Any]] = []
    for written in text.split(","):
        objective, _, rest = written.strip().rpartition("@")
        place, _, weight = rest.partition(":")
        layer, slash, side = place.rpartition("/")
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


def check(content: Any, *, source: str = "the recipe") -> Recipe:
    """The Recipe in a mapping. Raises RecipeError naming each wrong key with a hint."""
    if not isinstance(content, dict):
        raise RecipeError(f"{source} must hold keys and values such as 'pool: demo'; it holds {type(content).__name__}.")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{source}: {_sentence(one)}" for one in error.errors())) from None


def read(path: str | Path, changes: dict[str, Any] | None = None) -> Recipe:
    """The Recipe in a YAML file, with some keys changed. Raises RecipeError naming the file, and the line where YAML does not parse."""
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = [one.name for one in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        raise RecipeError(f"there is no recipe {path}. {hint(path.name, there)}") from None
    except IsADirectoryError:
        raise RecipeError(f"{path} is a folder; name a YAML file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML: {error}") from None
    return check(merged(content, changes or {}) if isinstance(content, dict) else content, source=str(path))


def write(recipe: Recipe) -> str:
    """The recipe as YAML, keys at their defaults left out."""
    return yaml.safe_dump(recipe.model_dump(exclude_defaults=True, mode="json"), sort_keys=False, allow_unicode=True)


def merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with the values of `changes`, folder by folder; neither is altered."""
    result = dict(content)
    for key, value in changes.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def _sentence(error: Any) -> str:
    """One validation error as what was asked, what came, what to do."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"no key is called '{place}'. {hint(str(error['loc'][-1]), _keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"the key '{place}' is missing."
    if error["type"] == "value_error":
        return f"{place}: {error['ctx']['error']}." if place else f"{error['ctx']['error']}."
    return f"{place} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}."


def _keys(place: tuple[Any, ...]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "pool": PoolRecipe, "select": SelectRecipe, "output": OutputRecipe, "keep": PoolRecipe, "mix": MixRecipe
    }  # fmt: skip
    names = [part for part in place if part in models]
    return list((models[names[-1]] if names else Recipe).model_fields)

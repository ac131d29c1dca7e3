"""The words of a measurement: datasets, the pool they are held against, layers and sides."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from selector.recipe import PoolRecipe, Strict

Side = Literal["instruction", "response"]
SIDES: tuple[Side, ...] = ("instruction", "response")


class MeasureWords(Strict):
    """What is read, and how many random sets it is held against."""

    layers: list[str] = Field(default_factory=lambda: ["surface", "macro", "meso", "micro"], min_length=1)
    sides: list[Side] = Field(default_factory=lambda: list(SIDES), min_length=1)
    references: int = Field(default=20, ge=3, le=1000)  # random subsets, as many matched in length, and subsets where sizes differ

    @field_validator("layers", "sides", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class MeasureRecipe(Strict):
    """Everything that decides the figures."""

    datasets: list[PoolRecipe] = Field(min_length=1)
    pool: PoolRecipe | None = None
    tokenizer: str = "deepseek"
    hygiene: dict[str, Any] = Field(default_factory=dict)  # of the pool; of the datasets too, but for duplicates
    layers: dict[str, dict[str, Any]] = Field(default_factory=dict)  # parameters of each layer, by its name
    measure: MeasureWords = MeasureWords()
    seed: int = Field(default=0, ge=0)

    @field_validator("datasets", mode="before")
    @classmethod
    def _datasets(cls, value: Any) -> Any:
        return [value] if isinstance(value, (str, dict)) else value

    @model_validator(mode="after")
    def _nothing_twice(self) -> MeasureRecipe:
        for name, values in {"layers": self.measure.layers, "sides": [str(side) for side in self.measure.sides]}.items():
            if repeated := [one for one in values if values.count(one) > 1]:
                raise ValueError(f"measure.{name} names {repeated[0]} twice; name it once")
        return self

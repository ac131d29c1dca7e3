"""The words of a pool cut in two: rows for evaluation, and the rest to choose from."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from selector.recipe import OutputRecipe, PoolRecipe, Strict


class HoldOutWords(Strict):
    """How many rows are held out, and what the rest must not repeat."""

    rows: int = Field(ge=1)
    near: float = Field(default=0.8, gt=0, le=1)  # rows this similar to a held-out or an evaluated pair are in neither; see duplicates.near
    apart: list[PoolRecipe] = Field(default_factory=list)  # other pairs that models will be evaluated on

    @field_validator("apart", mode="before")
    @classmethod
    def _apart(cls, value: Any) -> Any:
        return [value] if isinstance(value, (str, dict)) else value


class HoldOutRecipe(Strict):
    """Everything that decides which rows are held out and which are left."""

    pool: PoolRecipe
    tokenizer: str = "deepseek"
    hygiene: dict[str, Any] = Field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = Field(default_factory=dict)  # of 'semantic:T' alone
    hold_out: HoldOutWords
    output: OutputRecipe = OutputRecipe()
    seed: int = Field(default=0, ge=0)

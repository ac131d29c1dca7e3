"""The words of a ladder: a pool, a layer and a side, levels."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from selector.recipe import OutputRecipe, PoolRecipe, Strict

LEVELS = (0.0, 16.0, 33.0, 50.0, 66.0, 83.0, 100.0)  # of the paper


def level_name(percent: float) -> str:
    """What the configuration of a level is called, as level-033."""
    return f"level-{percent:03g}".replace(".", "-")


class LadderWords(Strict):
    """Which sets: their size, what their types are, how far from the fewest to the most; see levels.ladder."""

    budget: int = Field(ge=1)
    layer: str = "micro"
    side: Literal["instruction", "response"] = "response"
    levels: list[float] = Field(default_factory=lambda: list(LEVELS))  # percentages
    match: Literal["tokens"] | None = None  # 'tokens': every level has the same numbers of rows of each length of this side
    nested: bool = False
    contribution: str = "rarest"  # what "contributes least" means in Algorithm 1
    measure: bool = True  # every level, at all layers of both sides
    references: int = Field(default=10, ge=3)  # random sets of the same size that the levels are held against

    @field_validator("levels", mode="before")
    @classmethod
    def _levels(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value


class LadderRecipe(Strict):
    """Everything that decides which rows are in which level and what is written."""

    pool: PoolRecipe
    tokenizer: str = "deepseek"
    hygiene: dict[str, Any] = Field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    ladder: LadderWords
    output: OutputRecipe = OutputRecipe()
    seed: int = Field(default=0, ge=0)

"""The words of a matched split: a selection, and the sets that stand beside it."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from selector.recipe import OutputRecipe, PoolRecipe, Recipe, SelectRecipe, Strict

ARMS = 3


class SplitWords(Strict):
    """Which sets: the diverse one is a selection; the others have its size and are like it in what they are matched on."""

    select: SelectRecipe  # of the diverse set
    match: list[str] = Field(default_factory=lambda: ["tokens"])  # see covariates.matched
    arms: int = Field(default=ARMS, ge=1, le=1000)  # random sets
    low: bool = False  # a narrow set as well
    disjoint: bool = False  # no row in two sets
    hold_out: int = Field(default=0, ge=0)  # rows for evaluation, cut off first
    hold_out_near: float = Field(default=0.8, gt=0, le=1)  # rows this similar to a held-out one are in no set; see duplicates.near
    match_length_to: str | None = None  # response tokens that every set's rows have, as 500±100

    @field_validator("arms", "hold_out", mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:
        if isinstance(value, bool):  # which Python would count as 1
            raise ValueError(f"a number of rows or sets is {str(value).lower()}; it must be a whole number")
        return value

    @field_validator("match", mode="before")
    @classmethod
    def _match(cls, value: Any) -> Any:
        return [one.strip() for one in value.split(",")] if isinstance(value, str) else value

    @field_validator("match_length_to")
    @classmethod
    def _length(cls, value: str | None) -> str | None:
        if value is not None:
            lengths(value)
        return value

    @model_validator(mode="after")
    def _rows(self) -> SplitWords:
        if self.select.budget is None:
            raise ValueError("the sets of a split have one number of rows, so it needs a budget in rows; give a budget too")
        return self

    @property
    def budget(self) -> int:
        """Rows of each set."""
        assert self.select.budget is not None
        return self.select.budget

    @property
    def names(self) -> list[str]:
        """Of the configurations, the diverse set first, without the held-out rows."""
        return ["diverse", *(f"random-{number}" for number in range(1, self.arms + 1)), *(["narrow"] if self.low else [])]


class SplitRecipe(Strict):
    """Everything that decides which rows are in which set and what is written."""

    pool: PoolRecipe
    tokenizer: str = "deepseek"
    hygiene: dict[str, Any] = Field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    split: SplitWords
    output: OutputRecipe = OutputRecipe()
    seed: int = Field(default=0, ge=0)

    @field_validator("output")
    @classmethod
    def _parquet(cls, value: OutputRecipe) -> OutputRecipe:
        if value.save != "parquet":
            raise ValueError(
                f"a split is one dataset of several configurations, which is Parquet files; save is '{value.save}', leave it out"
            )
        return value

    @property
    def selecting(self) -> Recipe:
        """The recipe of the diverse set."""
        same = {name: getattr(self, name) for name in ("pool", "tokenizer", "hygiene", "layers", "seed")}
        return Recipe(**same, select=self.split.select)


def lengths(written: str) -> tuple[int, int]:
    """The least and the most tokens of `500±100`, also written `500+-100` or `500+/-100`. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+)\s*(?:±|\+/?-)\s*(\d+)\s*", written)
    if match is None:
        raise ValueError(f"match_length_to is '{written}'; write a target and how far from it, as 500±100 or 500+-100")
    target, far = (int(part) for part in match.groups())
    return max(0, target - far), target + far

"""The words of a history of batches: how each is measured, and what is watched."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from selector.measure_recipe import MeasureRecipe, MeasureWords, Side
from selector.recipe import PoolRecipe, Strict


class MonitorWords(MeasureWords):
    """What is read of each batch, against how many random sets, and how sure an alarm is."""

    level: float = Field(default=0.01, ge=0.0001, le=0.2)  # a batch that is like the others is flagged so often, in each of two kinds
    watch: list[str] = Field(default_factory=list)  # columns whose shares are watched, as source

    @field_validator("watch", mode="before")
    @classmethod
    def _columns(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class MonitorRecipe(Strict):
    """Everything that decides the figures, for all batches of one history."""

    pool: PoolRecipe | None = None  # what batches are held against; None: the earlier ones
    tokenizer: str = "deepseek"
    hygiene: dict[str, Any] = Field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = Field(default_factory=dict)  # parameters of each layer, by its name
    monitor: MonitorWords = MonitorWords()
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _sound(self) -> MonitorRecipe:
        if "dedup" in self.hygiene:
            raise ValueError("hygiene.dedup would do nothing: rows of a batch that repeat are counted and measured once; leave it out")
        for name, values in {"layers": self.monitor.layers, "watch": self.monitor.watch}.items():
            if repeated := [one for one in values if values.count(one) > 1]:
                raise ValueError(f"monitor.{name} names {repeated[0]} twice; name it once")
        return self

    def measuring(self, datasets: list[PoolRecipe]) -> MeasureRecipe:
        """The measurement of these datasets together, none of them the pool."""
        sides: list[Side] = list(self.monitor.sides)
        words = MeasureWords(layers=self.monitor.layers, sides=sides, references=self.monitor.references)
        return MeasureRecipe(
            datasets=datasets, tokenizer=self.tokenizer, hygiene=self.hygiene, layers=self.layers, measure=words, seed=self.seed
        )

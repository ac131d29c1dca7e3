"""The words of a diagnosis: the pool, subsets of it, and how much of the rows a page may show."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from selector.measure_recipe import MeasureRecipe, MeasureWords
from selector.recipe import PoolRecipe, Strict


class DiagnosisWords(Strict):
    """What is looked at, beside the measures."""

    references: int = Field(default=20, ge=3, le=1000)  # random subsets, and as many of each subset's lengths
    points: int = Field(default=20_000, ge=100, le=100_000)  # on the map, at most
    sources: str = "source"  # the column that names where a row is from
    synthetic: list[str] = Field(default_factory=list)  # the sources that a model wrote
    show: Literal["open", "no-examples", "redact"] = "open"

    @model_validator(mode="after")
    def _different(self) -> DiagnosisWords:
        if repeated := [one for one in self.synthetic if self.synthetic.count(one) > 1]:
            raise ValueError(f"synthetic names {repeated[0]} twice; name it once")
        return self


class DiagnosisRecipe(Strict):
    """Everything that decides what the page says."""

    pool: PoolRecipe
    subsets: list[PoolRecipe] = Field(default_factory=list, max_length=12)
    tokenizer: str = "deepseek"
    hygiene: dict[str, Any] = Field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = Field(default_factory=dict)  # parameters of each layer, by its name
    diagnosis: DiagnosisWords = DiagnosisWords()
    seed: int = Field(default=0, ge=0)

    @field_validator("subsets", mode="before")
    @classmethod
    def _subsets(cls, value: Any) -> Any:
        return [value] if isinstance(value, (str, dict)) else value

    @property
    def measuring(self) -> MeasureRecipe:
        """The measurement of the subsets; of the pool itself where none is named."""
        return MeasureRecipe(
            datasets=self.subsets or [self.pool],
            pool=self.pool,
            tokenizer=self.tokenizer,
            hygiene=self.hygiene,
            layers=self.layers,
            measure=MeasureWords(references=self.diagnosis.references),
            seed=self.seed,
        )

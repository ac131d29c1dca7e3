"""The words of an estimate: which scores, how they are read, the model, and what counts as nothing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from selector.recipe import Strict


class EffectWords(Strict):
    """Which scores and which model; see effect/scores.py and effect/slopes.py."""

    scores: str = ""
    columns: dict[str, str] = Field(default_factory=dict)  # our name -> the file's, as level: diversity_pct
    where: dict[str, Any] = Field(default_factory=dict)  # only rows with these values, as model: llama2-7b
    level_unit: Literal["auto", "percent", "fraction"] = "auto"
    ladder: list[str] = Field(default_factory=list)  # folders of ladders: achieved diversity and mean tokens are joined from them
    x: Literal["level", "achieved"] = "level"
    covariates: list[str] = Field(default_factory=list)
    quadratic: bool = False
    prior: Literal["flat", "weak"] = "flat"
    errors: Literal["classical", "hc3"] = "classical"
    size_scale: Literal["linear", "log"] = "linear"
    repeats: Literal["each", "mean"] = "each"  # runs that differ in the seed alone: points of their own, or their mean
    pool_strategies: bool = False
    paper_lines: bool = False
    rope: float | Literal["error"] = 1.0  # within this the gain counts as none; 'error': the judge's own
    at_size: int | None = Field(default=None, ge=1)  # the size to decide for; None: the largest
    lower_is_better: bool = False
    next_runs: int = Field(default=3, ge=1, le=10)

    @field_validator("ladder", "covariates", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _agree(self) -> EffectWords:
        if self.errors == "hc3" and self.prior != "flat":
            raise ValueError("effect.errors hc3 has no weak prior; use prior: flat or errors: classical")
        if isinstance(self.rope, float) and not 0 <= self.rope < float("inf"):
            raise ValueError(f"effect.rope is {self.rope}; it must be a number from 0 on, or 'error'")
        return self


class EffectRecipe(Strict):
    """Everything that decides the estimate."""

    effect: EffectWords = EffectWords()
    seed: int = Field(default=0, ge=0)  # of the draws behind the predictive check and of --pool-strategies

    @field_validator("effect", mode="before")
    @classmethod
    def _scores(cls, value: Any) -> Any:
        return {"scores": value} if isinstance(value, str) else value

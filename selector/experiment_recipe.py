"""The words of an experiment: sets x seeds, a command that trains, a command that scores."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from selector.recipe import PoolRecipe, Strict

PLACES = ("dataset", "output", "run", "seed", "size", "level", "side", "layer", "set", "folder", "on", "python")
PROXIES = ("ngram",)


class ExperimentWords(Strict):
    """What is trained on what, and how its score is found."""

    sets: list[str] = Field(min_length=1)  # folders of ladders, splits and selections; in steps 'step:NAME', where * stands for anything
    seeds: list[int] | None = Field(default=None, min_length=1)  # {seed} of the runs on each set; None: one run, by the seed of the set
    proxy: Literal["ngram"] | None = None  # instead of the commands: see ngram_proxy
    train: str | None = None  # command of a shell; {dataset} and the other PLACES are filled in
    score: str | None = None  # command of a shell; its last printed line is a JSON object, or it writes `read`
    read: str | None = None  # the JSON file that the score command writes, as '{output}/results.json'
    scores: dict[str, str] = Field(default_factory=dict)  # a number's column in scores.csv: its place in that JSON, keys with '/' between
    files: dict[str, str] = Field(default_factory=dict)  # written into {run} before the training, places filled in
    score_on: dict[str, PoolRecipe] = Field(default_factory=dict)  # of selector's own commands: {on} is '--on NAME=FILE --on ...'
    timeout: float | None = Field(default=None, gt=0)  # seconds for each command
    keep_output: bool = True  # false: {output} is deleted when its score is there

    @field_validator("sets", mode="before")
    @classmethod
    def _sets(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("files")
    @classmethod
    def _files(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or path.parts[0] in ("output", "run.json", "train.log", "score.log"):
                raise ValueError(f"a file is called '{name}'; name one below the run's folder that the run itself does not write")
        return value

    @model_validator(mode="after")
    def _commands(self) -> ExperimentWords:
        if self.proxy is None and self.score is None:
            raise ValueError("an experiment needs a command `score` (and mostly `train`), or `proxy: ngram`")
        if self.proxy is not None and not self.score_on:
            raise ValueError("the proxy scores on answers, but `score_on` names none; write score_on: {prompts: FILE}")
        for name in ("train", "score", "read"):
            written = getattr(self, name) or ""
            if wrong := [one for one in re.findall(r"\{(\w+)\}", written) if one not in PLACES]:
                raise ValueError(f"{name} says {{{wrong[0]}}}; what is filled in is {', '.join(f'{{{one}}}' for one in PLACES)}")
        for name, one in self.score_on.items():
            if one.model_fields_set - {"source", "config"}:
                raise ValueError(f"score_on.{name} may say source and config alone; the commands read the rest themselves")
        return self


class ExperimentRecipe(Strict):
    """Everything that decides the runs."""

    experiment: ExperimentWords
    tokenizer: str = "deepseek"  # of the proxy
    # Keys that the steps of one recipe share and an experiment does not read.
    pool: Any = None
    hygiene: Any = None
    layers: Any = None
    output: Any = None
    seed: Any = None

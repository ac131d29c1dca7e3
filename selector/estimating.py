"""Scores of fine-tuning runs -> does it pay: the estimate, its checks and the decision, in memory or as a folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from selector import manifest as manifests
from selector import recipe as recipes
from selector import writing
from selector.effect import achieved, checks, claims, decision, saying, scores, slopes
from selector.effect.design import Scale
from selector.effect.outcome import Effect, Strategy
from selector.effect.paper_lines import ridge
from selector.effect.pooled import Pooled, pooled
from selector.effect.scores import Scores
from selector.effect.slopes import Estimate
from selector.effect_recipe import EffectRecipe, EffectWords
from selector.errors import InputError, RecipeError
from selector.options import Options

LEAD = (
    "What fine-tuning runs on sets from narrow to diverse scored, as slopes with 95 % credible intervals, and where the budget should go."
)


def run(recipe: EffectRecipe, output: str | Path, options: Options | None = None) -> Effect:
    """Estimates, and writes effect.json, the page effect.html, and the figures. Raises SelectorError."""
    options, began = options or Options(), time.monotonic()
    writing.check(Path(output), options.overwrite)
    found = solve(recipe)
    options.progress("drawing", 0, 0)
    save(found, output, overwrite=options.overwrite, seconds={"total": time.monotonic() - began})
    return found


def estimate_effect(scores: Any, **words: Any) -> Effect:
    """The same words as the command line: estimate_effect("scores.csv", at_size=20000, rope=0.5, covariates=["mean_tokens"]).

    `scores` is a CSV file with a row for each run (side, layer, level, size, score, perhaps seed), an Arrow table or a list of mappings.
    The words are the keys of a recipe's `effect`, and `seed`. The result has `strategies`, `choices`, `claims`, `to_dict()`. Raises
    SelectorError.
    """
    top = {key: words.pop(key) for key in ("seed",) if key in words}
    named = str(scores) if isinstance(scores, (str, Path)) else "the scores"
    recipe = recipes.checked(EffectRecipe, {"effect": {"scores": named, **words}, **top}, source="estimate_effect()")
    return solve(recipe, given=scores)


def save(found: Effect, path: str | Path, *, overwrite: bool = False, seconds: Mapping[str, float] | None = None) -> Path:
    """Writes the folder of an estimate, whole or not at all. Raises OutputError."""
    from selector.effect import plots
    from selector.report.page import page
    from selector.report.sections.effect import section

    told = found.to_dict()
    files = plots.draw(found)
    html = page("Score on diversity", LEAD, [section(told)], told, [("scores", saying.reading(found.scores))])
    manifest = manifests.circumstances(found.recipe, seconds or {})

    def fill(folder: Path) -> None:
        writing.json_file(folder / "effect.json", told)
        (folder / "effect.html").write_text(html, encoding="utf-8")
        for name, content in files.items():
            (folder / name).write_bytes(content)
        writing.json_file(folder / "manifest.json", manifest)

    writing.whole(Path(path), overwrite, fill)
    return Path(path)


def solve(recipe: EffectRecipe, *, given: Any = None) -> Effect:
    """The estimate that the words state, nothing written. `given` stands for the file of scores where it is already read."""
    words = recipe.effect
    if given is None and not words.scores:
        raise RecipeError("effect names no scores; write effect: {scores: FILE.csv}.")
    if words.lower_is_better and words.paper_lines:
        raise RecipeError("--paper-lines redraws judge scores, where higher is better; leave it or --lower-is-better out.")
    read = achieved.joined(scores.read(words.scores if given is None else given, words), words.ladder)
    found = slopes.estimates(read, words)
    size = words.at_size or max(read.sizes)
    rope = _rope(words, read)
    able = [one for one in found if one.posterior is not None]
    sampled = pooled(found, recipe.seed) if words.pool_strategies else None
    better = -1 if words.lower_is_better else 1
    strategies = _checked(read, found, words, size, recipe.seed)
    ranked = _choices([one for one in able if not one.too_few], sampled, size, better)
    curves = {name: one.curvature for name, one in strategies.items()}
    effect = Effect(
        scores=read,
        strategies=strategies,
        size=size,
        rope=rope,
        choices=tuple(ranked),
        candidates=tuple(_candidates(able, ranked, size, words.next_runs)),
        claims=tuple(claims.claims(found, curves, size, better)),
        pooled=sampled,
        lead="",
        model=saying.model(words, read.sizes, rope),
        notes=(),
        recipe=recipe,
        versions=manifests.versions(),
    )
    return _said(effect, found)


def _said(effect: Effect, found: list[Estimate]) -> Effect:
    told = {one.name: effect.slope(one.name, effect.size) for one in found if one.posterior is not None and not one.too_few}
    notes = saying.notes(effect.scores, found, effect.recipe.effect, effect.size, effect.rope)
    notes += saying.too_narrow({name: one.lack_of_fit for name, one in effect.strategies.items()})
    notes += saying.misfits({name: one.predictive for name, one in effect.strategies.items()})
    notes += saying.bent([name for name, one in effect.strategies.items() if one.curvature.word == "bent" and one.curvature.peaks])
    if effect.pooled is not None:
        notes.append("claims, checks and lines are of each strategy by itself; slopes and the decision are pooled over strategies")
    if effect.pooled is not None and effect.pooled.diagnostics["divergences"]:
        notes.append(
            f"the sampler diverged {effect.pooled.diagnostics['divergences']:.0f} times: pooled slopes may be off; trust the others"
        )
    peaks = {
        name: one.curvature.peaks[effect.size]
        for name, one in effect.strategies.items()
        if one.curvature.word == "bent" and effect.size in one.curvature.peaks
    }
    lead = saying.lead(told, found, effect.choices, peaks, effect.size, effect.better, effect.scores.proxy)
    return replace(effect, lead=lead, notes=tuple(notes))


def _checked(read: Scores, found: list[Estimate], words: EffectWords, size: int, seed: int) -> dict[str, Strategy]:
    scale, told = Scale(tuple(read.sizes), words.size_scale), {}
    for place, one in enumerate(found):
        own = [run for run in read.runs if run.strategy == one.name]
        able = one.posterior is not None
        told[one.name] = Strategy(
            estimate=one,
            curvature=checks.curvature(own, scale, words),
            predictive=checks.predictive(one, words, np.random.default_rng([seed, place])) if able else {},
            sensitivity=checks.sensitivity(own, scale, words, size) if able else {},
            lack_of_fit=checks.lack_of_fit(one, own),
            ridges={own: line for own in one.design.own_sizes if (line := ridge(one.design, own))} if words.paper_lines else {},
        )
    return told


def _choices(able: list[Estimate], sampled: Pooled | None, size: int, better: int) -> list[decision.Choice]:
    if sampled is not None:
        return decision.choices_drawn({name: better * sampled.slope(name, size) for name in sampled.slopes})
    return decision.choices({one.name: one.slope(size).times(better) for one in able}) if able else []


def _candidates(able: list[Estimate], ranked: list[decision.Choice], size: int, number: int) -> list[decision.Candidate]:
    by_name = {one.name: one for one in able}
    rivals = [by_name[one.strategy] for one in ranked[:2]] or able[:1]
    return decision.next_runs(rivals, size, number) if rivals and all(one.known.variance > 0 for one in rivals) else []


def _rope(words: EffectWords, read: Scores) -> float:
    """Half the width of what counts as no gain; the judge's own is the standard error of a difference of two scores, 1.96 times."""
    if words.rope != "error":
        return float(words.rope)
    errors = [run.error for run in read.runs]
    if any(error is None for error in errors):
        raise InputError(f"--rope error reads the judge's own error, but {read.source} states none for some runs; add a column error.")
    return float(1.96 * np.sqrt(2 * np.mean(np.square(np.array(errors, float)))))

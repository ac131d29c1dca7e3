"""What to do about what was found: the command that mends the thinnest place."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from selector.diagnosis_recipe import DiagnosisRecipe
from selector.flags import LAYER_FLAGS
from selector.recipe import PoolRecipe

MORE = 0.1  # of a subset's rows are added where it is thin
FEWER = 0.1  # of a pool's rows are picked where no subset is named


def advice(
    recipe: DiagnosisRecipe, names: list[str], rows: list[int], pool_rows: int, answer: Mapping[str, Any], written: Mapping[str, Any] | None
) -> dict[str, str]:
    """A sentence and a command: rows added where a subset is thinnest, a first selection where no subset was named.

    Sets that a split or a ladder `written` made are narrow or diverse on purpose: they are to be trained on.
    """
    source = shlex.quote(recipe.pool.source)
    if written is not None and written["kind"] in ("split", "ladder"):
        why = (
            "These sets are to be trained on, each with some seeds. With one line a run (side, layer, level, size, seed, score) in a file:"
        )
        return {"why": why, "command": "selector effect scores.csv --output effect"}
    if not names:
        how = _flags(recipe, "micro")
        budget = max(1, round(FEWER * pool_rows))
        why = "No subset was named. This picks a tenth of the pool at the layer where the paper found the strongest effect:"
        return {"why": why, "command": f"selector select {source} --budget {budget} --layer micro --side response{how} --output selected"}
    thin = [  # what length alone explains comes last
        (one["matched_word"] not in ("thin", None), one["t"], place["side"], place["layer"], number)
        for place in answer["places"]
        for number, one in enumerate(place["subsets"])
        if one["word"] == "thin"
    ]
    if not thin:
        how, side = "thin at no place", "response"
        why = f"No subset is {how}. Whether diversity pays is the next question; this makes a diverse set and random ones like it:"
        command = f"selector split {source} --budget {min(min(rows), pool_rows // 4)} --layer micro --side {side} --match tokens"
        return {"why": why, "command": f"{command}{_flags(recipe, 'micro')} --output split"}
    by_length, _, side, layer, number = min(thin)
    subset = recipe.subsets[number]
    if subset.config or subset.split:  # the command line keeps whole folders only
        kept = f" --set select.keep.source={shlex.quote(subset.source)}" + "".join(
            f" --set select.keep.{key}={shlex.quote(value)}" for key in ("config", "split") if (value := getattr(subset, key))
        )
    else:
        kept = f" --keep {shlex.quote(subset.source)}"
    where = f"{side}/{layer}{', though not beside sets of its lengths' if by_length else ''}"
    why = f"{names[number]} is thinnest at {where}. This adds a tenth more rows, those that its {side}s lack most at that layer:"
    budget = max(1, round(MORE * rows[number]))
    where = f"--layer {layer} --side {side}"
    return {"why": why, "command": f"selector select {source}{kept} --budget {budget} {where}{_flags(recipe, layer)} --output added"}


def _flags(recipe: DiagnosisRecipe, layer: str) -> str:
    """The words that were given for reading the pool and for this layer, as the command line has them."""
    said = []
    for key in PoolRecipe.model_fields.keys() - {"source"}:
        value = getattr(recipe.pool, key)
        if value != PoolRecipe.model_fields[key].default:
            said.append(f"--{key.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(str(value))}"))
    said.sort()
    if recipe.tokenizer != "deepseek":
        said.append(f"--tokenizer {shlex.quote(recipe.tokenizer)}")
    for key, value in recipe.layers.get(layer, {}).items():
        if key in LAYER_FLAGS.get(layer, ()):
            said.append(f"--{key.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(str(value))}"))
        else:
            said.append(f"--set layers.{layer}.{key}={shlex.quote(str(value))}")
    return "".join(f" {one}" for one in said)

"""The flags of the command line as a recipe and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selector import yaml_text
from selector.errors import InputError, RecipeError
from selector.recipe import Recipe, merged

LAYER_FLAGS = {
    "macro": ("encoder", "whiten", "clusters", "noise"),
    "meso": ("tagger", "vocabulary", "base_url", "model"),
    "micro": ("band",),
}


def recipe(pool: str, given: dict[str, Any]) -> dict[str, Any]:
    """The recipe that the flags of `select` spell; what was not given is left to the recipe's defaults."""
    return {**_seen(pool, given), "select": _select(given), "output": _only(given, ("write_as", "save"))}


def split(pool: str, given: dict[str, Any]) -> dict[str, Any]:
    """The words that the flags of `split` spell."""
    own = _only(given, ("match", "arms", "low", "disjoint", "hold_out", "match_length_to"))
    return {**_seen(pool, given), "split": {"select": _select(given), **own}, "output": _only(given, ("write_as",))}


def _select(given: dict[str, Any]) -> dict[str, Any]:
    options = _pairs(given["options"], "--option")
    stochastic = {} if given["epsilon"] is None else {"epsilon": given["epsilon"]}
    select_names = ("budget", "token_budget", "layer", "side", "objective", "mix", "quality", "quality_weight", "keep", "optimizer")
    words = {**_only(given, (*select_names, "lengths")), **({"verdict": False} if given["no_verdict"] else {})}
    return {**words, "options": options, "quota": list(given["quota"]), "optimizer_options": stochastic}


def ladder(pool: str, given: dict[str, Any]) -> dict[str, Any]:
    """The words that the flags of `ladder` spell."""
    names = ("budget", "layer", "side", "levels", "match", "nested", "contribution")
    measured = {} if given["measure"] else {"measure": False}
    return {**_seen(pool, given), "ladder": {**_only(given, names), **measured}, "output": _only(given, ("write_as",))}


def measurement(datasets: Sequence[str], given: dict[str, Any]) -> dict[str, Any]:
    """The words that the flags of `measure` and `compare` spell. A split or a config is one of the datasets, not of the pool."""
    for name in datasets:
        if not name.strip():
            raise InputError("a dataset has no name; name a file, a folder, a hub dataset org/name, or demo.")
    seen = _seen(datasets[0] if given["pool"] is None else given["pool"], given)
    how = {key: value for key, value in seen.pop("pool").items() if key != "source"}
    words = _only(given, ("layers", "references"))
    if given["side"] in ("instruction", "response"):
        words["sides"] = [given["side"]]
    told: dict[str, Any] = {**seen, "datasets": [{"source": name, **how} for name in datasets], "measure": words}
    if given["pool"] is not None:
        told["pool"] = {"source": given["pool"], **{key: value for key, value in how.items() if key not in ("split", "config")}}
    return told


def diagnosis(pool: str, subsets: Sequence[str], given: dict[str, Any]) -> dict[str, Any]:
    """The words that the flags of `diagnose` spell. A split or a config is the pool's; FOLDER:CONFIG names a subset's."""
    seen = _seen(pool, given)
    how = {key: value for key, value in seen["pool"].items() if key not in ("source", "split", "config")}
    return {**seen, "subsets": [{**_one_of_several(name), **how} for name in subsets], "diagnosis": shown(given)}


def shown(given: dict[str, Any]) -> dict[str, Any]:
    """What the flags of a page say of what it shows."""
    words = _only(given, ("references", "points"))
    if given["no_examples"] or given["redact"]:
        words["show"] = "redact" if given["redact"] else "no-examples"
    if given["synthetic"] is not None:
        column, equals, names = given["synthetic"].partition("=")
        if not equals or not column or not names:
            raise RecipeError(f"--synthetic is '{given['synthetic']}'; write COLUMN=A,B, as source=alpaca,gpteacher.")
        words |= {"sources": column, "synthetic": names.split(",")}
    return words


def _one_of_several(name: str) -> dict[str, str]:
    """FOLDER:CONFIG as both, where the folder is there and nothing has the whole name."""
    folder, colon, config = name.rpartition(":")
    if not name.strip():
        raise InputError("a subset has no name; name a file, a folder, or FOLDER:CONFIG.")
    if colon and config and not Path(name).exists() and Path(folder).is_dir():
        return {"source": folder, "config": config}
    return {"source": name}


def monitoring(dataset: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The words of a new batch, and those that the flags of `monitor` spell of its history."""
    told = _seen(dataset, {**given, "dedup": None})
    how = {key: value for key, value in told["pool"].items() if key != "source"}
    words = _only(given, ("layers", "references", "level", "watch"))
    if given["side"] is not None:
        words["sides"] = [given["side"]] if given["side"] != "both" else ["instruction", "response"]
    pool = told.pop("pool")
    if given["pool"] is not None:
        told["pool"] = {"source": given["pool"], **{key: value for key, value in how.items() if key not in ("split", "config")}}
    return pool, {**told, "monitor": words}


def _seen(pool: str, given: dict[str, Any]) -> dict[str, Any]:
    """The pool, what is dropped of it, and how layers see it."""
    if not pool.strip():
        raise InputError("the pool has no name; name a file, a folder, a hub dataset org/name, or demo.")
    limits = {f"{name}_{side}_tokens": number for name in ("min", "max") for side, number in _sides(given[f"{name}_tokens"], name)}
    layers = {name: _only(given, flags) for name, flags in LAYER_FLAGS.items()}
    return {
        "pool": {"source": pool, **pool_words(given)},
        "hygiene": {**_only(given, ("dedup", "unusable")), **limits},
        "layers": {name: options for name, options in layers.items() if options},
        **_only(given, ("seed", "tokenizer")),
    }


def check(recipe: Recipe) -> None:
    """Raises RecipeError for a flag of a layer that the selection does not read: without --layer it would do nothing."""
    read = {part.layer for part in recipe.select.mix} or {recipe.select.layer}
    check_layers(recipe.layers, read | read_by_hygiene(recipe.hygiene))


def read_by_hygiene(told: Mapping[str, Any]) -> set[str]:
    """The layers whose flags do something because of what is dropped: semantic copies are found by macro vectors."""
    return {"macro"} if str(told.get("dedup", "")).startswith("semantic") else set()


def check_layers(told: Mapping[str, Mapping[str, Any]], read: set[str], remedy: str = "add --layer {}") -> None:
    """Raises RecipeError for a flag of a layer that is not among those `read`, and the `remedy`."""
    for name, flags in LAYER_FLAGS.items():
        given = [flag for flag in flags if flag in told.get(name, {})]
        if given and name not in read:
            raise RecipeError(
                f"--{given[0].replace('_', '-')} belongs to the layer {name}, but only {', '.join(sorted(read))} is read; "
                f"{remedy.format(name)}, or leave the flag out."
            )


def _only(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if values[name] is not None}


def pool_words(given: dict[str, Any]) -> dict[str, Any]:
    """What the flags say of how a pool is read."""
    words = _only(given, ("instruction_column", "response_column", "id_column", "split", "config", "every_turn", "skip_bad"))
    return words if given["format_"] is None else {**words, "format": given["format_"]}


def _pairs(written: Sequence[str], flag: str) -> dict[str, Any]:
    """NAME=VALUE, the value read as YAML so that numbers are numbers."""
    pairs = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not all(name.split(".")):
            raise RecipeError(f"{flag} is '{one}'; write NAME=VALUE.")
        try:
            pairs[name] = yaml_text.load(value)
        except ValueError as error:
            raise RecipeError(f"{flag} {name} has the value '{value}', which cannot be read ({error}); put it in quotes.") from None
    return pairs


def changes(written: Sequence[str]) -> dict[str, Any]:
    """layers.meso.merge=0.8 as nested keys."""
    nested: dict[str, Any] = {}
    for name, value in _pairs(written, "--set").items():
        for part in reversed(name.split(".")):
            value = {part: value}
        nested = merged(nested, value)
    return nested


def _sides(written: Sequence[str], name: str) -> list[tuple[str, int]]:
    limits = []
    for one in written:
        side, _, number = one.partition(":")
        if side not in ("instruction", "response") or not number.isdecimal():
            raise RecipeError(f"--{name}-tokens is '{one}'; write SIDE:N, as response:10.")
        limits.append((side, int(number)))
    return limits


def size(written: str) -> int:
    """8GB, 512MB or a number of bytes; 1 GB is 2^30 bytes."""
    text = written.strip().upper().removesuffix("B").removesuffix("I")
    unit = {"K": 10, "M": 20, "G": 30, "T": 40}.get(text[-1:], 0)
    try:
        number = int(float(text[:-1] if unit else text) * 2**unit)
    except (ValueError, OverflowError):
        number = 0
    if number < 1:
        raise RecipeError(f"--memory is '{written}'; write a size such as 4GB or 512MB.")
    return number

"""A folder that select, split or ladder wrote -> its diagnosis, with what the folder says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq

from selector import diagnosing, preparing, yaml_text
from selector import recipe as recipes
from selector.diagnosing import Diagnosis
from selector.diagnosis_recipe import DiagnosisRecipe
from selector.diversity import advice
from selector.errors import InputError
from selector.options import Options, room
from selector.pool import Pool
from selector.recipe import Recipe
from selector.value_curve import value_curve

MANY = 4  # subsets, beyond which fewer random ones stand beside each
FEWER = 10


def report(folder: str | Path, *, pool: Any = None, options: Options | None = None, **words: Any) -> Diagnosis:
    """The diagnosis of what a folder of select, split or ladder holds, beside the pool that it was made from.

    `pool` is where that lies now, if not where the folder says. The words are those of a diagnosis. Raises SelectorError.
    """
    folder = Path(folder)
    told = _manifest(folder)
    recipe = _recipe(folder, told, pool, words)
    read = preparing.read(recipe.pool)
    written = {"kind": _kind(told), "notes": _notes(told, read), **_own(folder, told, read, options or Options())}
    return diagnosing.solve(recipe, pool=read, options=options, written=written)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if not {"recipe", "pool", "versions"} <= told.keys():
            raise ValueError("it lacks the recipe")
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no manifest.json, so it was not written by selector select, split or ladder; "
            "for any other dataset, write: selector diagnose POOL --subset DATASET --output report.html"
        ) from None
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{folder / 'manifest.json'} cannot be read ({error}); name a folder that select, split or ladder wrote."
        ) from None
    return dict(told)


def _kind(told: Mapping[str, Any]) -> str:
    return "ladder" if "levels" in told else "split" if "split" in told else "selection"


def _recipe(folder: Path, told: Mapping[str, Any], pool: Any, words: Mapping[str, Any]) -> DiagnosisRecipe:
    """The words of the folder's own recipe that say how the pool is read and seen, and the sets in it as subsets."""
    content = yaml_text.load(told["recipe"])
    own = content["pool"] if isinstance(content["pool"], dict) else {"source": content["pool"]}
    if pool is not None:
        own = {**own, "source": str(pool)}
    as_written = content.get("output", {}).get("write_as", "original") == "original"
    how = (
        {key: value for key, value in own.items() if key not in ("source", "split", "config", "skip_bad", "every_turn")}
        if as_written
        else {}
    )
    kind = _kind(told)
    if kind == "selection":
        subsets = [{"source": str(folder), **how}]
    else:
        names = sorted(one.name for one in (folder / "data").iterdir() if one.is_dir())
        subsets = [{"source": str(folder), "config": name, **how} for name in names]
    same = {key: content[key] for key in ("tokenizer", "hygiene", "layers", "seed") if key in content}
    few = {"references": FEWER} if len(subsets) > MANY else {}
    base = {"pool": own, "subsets": subsets, **same, "diagnosis": few}
    return recipes.checked(DiagnosisRecipe, recipes.merged(base, dict(words)), source=f"the report of {folder}")


def _notes(told: Mapping[str, Any], pool: Pool) -> list[str]:
    if told["pool"]["fingerprint"] == pool.fingerprint:
        return []
    return [f"{pool.source} is not the pool that this folder was made from: its rows have changed since"]


def _own(folder: Path, told: Mapping[str, Any], pool: Pool, options: Options) -> dict[str, Any]:
    if _kind(told) == "ladder":
        beside = folder / "cross-layer.csv"
        levels = pyarrow.csv.read_csv(folder / "levels.csv").to_pylist()
        moved = f"{told['side']}/{told['layer']}"
        return {"levels": levels, "moved": moved, "layers": pyarrow.csv.read_csv(beside).to_pylist() if beside.is_file() else []}
    if _kind(told) == "split":
        return {"balance": json.loads((folder / "balance.json").read_text(encoding="utf-8"))}
    recipe = recipes.checked(Recipe, yaml_text.load(told["recipe"]), source=str(folder / "manifest.json"))
    named = ("value", "upper_bound", "ratio", "random_value", "no_bound_because")
    facts = {"objective": told["objective"]["name"], **{key: told["objective"][key] for key in named}}
    own = {"diversity": told.get("diversity", []), "lengths": told.get("lengths"), "advice": advice(recipe, told.get("diversity", []))}
    with room(options) as here:
        return {"facts": facts, "own_verdict": own, "curve": value_curve(recipe, told, pq.read_table(folder / "picks.parquet"), pool, here)}

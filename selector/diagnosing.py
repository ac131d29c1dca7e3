"""A diagnosis' words -> what a page says of a pool and its subsets: every finding, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from selector import comparing, manifest, measuring, one_file, preparing
from selector import recipe as recipes
from selector.advice import advice
from selector.aspects import Facet, Union
from selector.core import Room
from selector.diagnosis_recipe import DiagnosisRecipe
from selector.errors import InputError, UnknownName
from selector.findings.scene import AsRead, Scene, Subset
from selector.measurement import Measurement
from selector.options import Options, room
from selector.pool import Pool
from selector.recipe import PoolRecipe
from selector.report.composing import compose
from selector.report.sections import answer

FINDINGS = ("answer", "atlas", "tags", "tokens", "redundancy", "comparison", "provenance")  # as the page has them
RANDOM = 10  # stream of random numbers


@dataclass(frozen=True)
class Diagnosis:
    """What was found, as JSON values: `found[name]` by the finding of that name, beside what was read and how."""

    found: Mapping[str, Any]
    recipe: DiagnosisRecipe

    @property
    def lead(self) -> str:
        """What is thin and what is diverse, in a sentence or two."""
        return answer.section(self.found["answer"]).lead

    def page(self) -> str:
        """One HTML file that needs nothing else."""
        return compose(self.found)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Writes the page. Raises OutputError where it cannot."""
        one_file.write(Path(path), self.page(), overwrite)
        return Path(path)


def diagnose(pool: Any, subsets: Sequence[Any] = (), *, options: Options | None = None, **words: Any) -> Diagnosis:
    """Where a pool's subsets are thin, and everything that a report shows: diagnose(pool, [subset], diagnosis={"references": 10}).

    `pool` and subsets are a Pool, anything Pool.read takes, or a table. The words are `tokenizer`, `hygiene`, `layers`, `seed`, and
    `diagnosis` = {"references", "points", "sources", "synthetic", "show"}. Nothing is written until `save`. Raises SelectorError.
    """
    read, own = comparing.as_pool(pool), [comparing.as_pool(one) for one in subsets]
    told = {"pool": _source(read), "subsets": [_source(one) for one in own], **words}
    return solve(recipes.checked(DiagnosisRecipe, told, source="diagnose()"), pool=read, subsets=own, options=options)


def solve(
    recipe: DiagnosisRecipe,
    *,
    pool: Pool | None = None,
    subsets: Sequence[Pool] | None = None,
    options: Options | None = None,
    written: Mapping[str, Any] | None = None,
) -> Diagnosis:
    """The diagnosis that the words state; `written` is what a folder says of itself (see reporting)."""
    measuring_words = recipe.measuring
    with room(options or Options()) as here:
        here.progress("reading", 0, 0)
        pool = preparing.read(recipe.pool) if pool is None else pool
        as_read = AsRead(pool, _sources(recipe, pool))
        union, facets = comparing.opened(measuring_words, here, pool=pool, datasets=subsets if recipe.subsets else [])
        measured = None
        if recipe.subsets:
            judged = {name for _, name, family in measuring.families() if any(scale.judged for scale in family.scales)}
            measured = comparing.figures(measuring_words, union, facets, here, at_equal_length=judged)
        scene = _scene(recipe, as_read, union, facets, here, measured, in_order=written is not None and written["kind"] == "selection")
        found: dict[str, Any] = {
            "title": _title(recipe, scene),
            **_read(recipe, union, scene),
            "written": written,
            "own_verdict": _own_verdict(written),
        }
        for name in FINDINGS:
            here.progress(name, 0, 0)
            found[name] = import_module(f"selector.findings.{name}").find(scene)
    names, rows = [one.name for one in scene.subsets], [len(one.rows) for one in scene.subsets]
    found["answer"]["next"] = advice(recipe, names, rows, len(scene.pool), found["answer"], written)
    found["method"] = {
        "read": [{**found["pool"], "name": "pool"}, *found["subsets"]],
        "features": {f"{layer}/{facet.side}": dict(said) for facet in facets for layer, said in facet.facts().items()},
        "versions": manifest.versions(),
        "recipe": recipes.write(recipe),
        "seed": recipe.seed,
        "references": scene.references,
        "notes": measured.notes() if measured else [],
        "show": recipe.diagnosis.show,
    }
    return Diagnosis(found, recipe)


def subset_names(subsets: Sequence[PoolRecipe]) -> list[str]:
    """What the page calls them: the folder's or file's name, and the configuration's; numbered where two are the same."""
    names: list[str] = []
    for one in subsets:
        stem = Path(one.source.rstrip("/")).name or one.source
        stem = stem.removesuffix(Path(stem).suffix) if Path(one.source).is_file() else stem
        name = one.config if one.config else stem
        same = 2
        told = name
        while told in names:
            told, same = f"{name} ({same})", same + 1
        names.append(told)
    return names


def _scene(
    recipe: DiagnosisRecipe,
    as_read: AsRead,
    union: Union,
    facets: Sequence[Facet],
    here: Room,
    measured: Measurement | None,
    in_order: bool,
) -> Scene:
    assert union.pool is not None, "a diagnosis has a pool"
    words, rows = recipe.diagnosis, union.pool.rows
    subsets = tuple(
        Subset(
            name,
            member.rows,
            measuring.at_random(rows, len(member.rows), 1, (recipe.seed, RANDOM, number))[0],
            member.order if in_order else None,
        )
        for number, (name, member) in enumerate(zip(subset_names(recipe.subsets), union.members, strict=True))
    )
    sources = None if as_read.sources is None else _column(union.everything, words.sources)
    return Scene(
        union.everything,
        rows,
        subsets,
        {facet.side: facet for facet in facets},
        sources,
        frozenset(words.synthetic),
        recipe.seed,
        words.show,
        measured,
        words.points,
        here.progress,
        replace(as_read, dropped=union.pool.dropped),
    )


def _sources(recipe: DiagnosisRecipe, pool: Pool) -> list[str] | None:
    """The source of each row, where a column says so. Raises UnknownName or InputError where it must and does not."""
    words = recipe.diagnosis
    if words.sources not in pool.table.column_names:
        if words.synthetic or "sources" in words.model_fields_set:
            columns = ", ".join(pool.table.column_names)
            raise UnknownName(
                f"the sources are asked of the column '{words.sources}', which {recipe.pool.source} has not: it has {columns}."
            )
        return None
    found = _column(pool, words.sources)
    if missing := sorted(set(words.synthetic) - set(found)):
        raise InputError(
            f"no row of {recipe.pool.source} has '{missing[0]}' in the column '{words.sources}'; "
            f"it holds {', '.join(sorted(set(found))[:12])}. Name synthetic sources as they are written there."
        )
    return found


def _column(pool: Pool, name: str) -> list[str]:
    return ["(none)" if one is None else str(one) for one in pool.column(name).to_pylist()]


def _own_verdict(written: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What a selection's manifest says of its diversity; None where it says nothing, as the folders of version 0.1."""
    verdict = (written or {}).get("own_verdict")
    return verdict if verdict and verdict["diversity"] else None


def _read(recipe: DiagnosisRecipe, union: Union, scene: Scene) -> dict[str, Any]:
    assert union.pool is not None, "a diagnosis has a pool"
    told = [
        {"name": name, "source": one.source, "read": one.read, "rows": len(one.rows), "repeated": one.repeated,
         "dropped": dict(one.dropped), "fingerprint": one.fingerprint}
        for name, one in zip(["pool", *(subset.name for subset in scene.subsets)], [union.pool, *union.members], strict=True)
    ]  # fmt: skip
    return {"pool": told[0], "subsets": told[1:]}


def _title(recipe: DiagnosisRecipe, scene: Scene) -> str:
    own = Path(recipe.pool.source.rstrip("/")).name or recipe.pool.source
    if not scene.subsets:
        return own
    names = [one.name for one in scene.subsets]
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''} of {own}"


def _source(pool: Pool) -> dict[str, Any]:
    return {"source": pool.source, "format": pool.format}

"""A ladder's words -> sets of one size from narrow to diverse, what they achieve, and the folder that holds them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from selector import aspects, configurations, cross_layer, preparing, rendering, running, tokenizers
from selector import levels as ladders
from selector import manifest as manifests
from selector import parts as naming
from selector import recipe as recipes
from selector.core import Room, Rows, Tokens, Types
from selector.cross_layer import Achieved
from selector.hygiene import Hygiene
from selector.ladder_recipe import LadderRecipe, LadderWords, level_name
from selector.levels import Ladder
from selector.options import Options, room
from selector.pool import Pool
from selector.preparing import stage

SIDES = ("instruction", "response")


@dataclass(frozen=True)
class Rungs:
    """The sets of a ladder over a pool's usable rows, and what is told of them."""

    pool: Pool  # usable rows
    ladder: Ladder
    manifest: Mapping[str, Any]
    table: pa.Table  # one line a level
    names: tuple[str, ...]  # of the configurations
    achieved: Achieved | None  # where the levels were measured

    def picks(self) -> pa.Table:
        """Level, row of the source from 0 and id of every row of every level."""
        rows = np.concatenate([level.rows for level in self.ladder.levels])
        names = np.repeat(np.array(self.names), [len(level.rows) for level in self.ladder.levels])
        return pa.table({"level": names, "row": self.pool.rows[rows], "id": self.pool.ids.take(pa.array(rows)).combine_chunks()})

    def set(self, name: str) -> Pool:
        """The rows of one level."""
        return self.pool.take(self.ladder.levels[self.names.index(name)].rows)

    def save(self, path: str | Path, *, write_as: str = "original", overwrite: bool = False) -> Path:
        """Writes the folder: a configuration a level and what tells of them. Raises OutputError where it cannot be written."""
        title, sets = Path(path).resolve().name, {}
        for name in self.names:
            pool = self.set(name)
            sets[name] = pool.table if write_as == "original" else rendering.render(pool, write_as)
        beside: dict[str, Any] = {"levels.csv": self.table, "picks.parquet": self.picks(), "manifest.json": self.manifest}
        if self.achieved is not None:
            layers = self.achieved.layers()
            beside |= {"measures.csv": self.achieved.measures(), "cross-layer.csv": layers}
            moved = f"{self.manifest['side']}/{self.manifest['layer']}"
            beside |= cross_layer.plot(layers, moved, f"{title}: what moves with {moved}", self.achieved.limit())
        return configurations.write(path, sets, beside, card(title, self), tags=["diversity-ladder"], overwrite=overwrite)


def run(recipe: LadderRecipe, output: str | Path, options: Options | None = None) -> Rungs:
    """Makes the ladder and writes its folder: a configuration a level and what tells of them. Raises SelectorError."""
    options = options or Options()
    running.check_output(output, (recipe.pool,), options)
    rungs = solve(recipe, options=options)
    options.progress("writing", 0, 0)
    rungs.save(output, write_as=recipe.output.write_as, overwrite=options.overwrite)
    return rungs


def ladder(pool: Pool | str | Path | Any, *, options: Options | None = None, **words: Any) -> Rungs:
    """The same words as the command line: ladder(pool, budget=1000, layer="micro", side="response", levels=[0, 50, 100]).

    `pool` is a Pool, anything Pool.read takes, or a table. The words are the keys of a recipe's `ladder`, and `seed`, `tokenizer`,
    `hygiene`, `layers`. Nothing is written until `save`. Raises SelectorError.
    """
    pool, own, top = running.python_words(pool, options, words)
    content = {"pool": {"source": pool.source, "format": pool.format}, "ladder": own, **top}
    return solve(recipes.checked(LadderRecipe, content, source="ladder()"), pool=pool, options=options)


def solve(recipe: LadderRecipe, *, pool: Pool | None = None, options: Options | None = None) -> Rungs:
    """The ladder that the words state, nothing written. `pool` stands for the recipe's where it is already read."""
    words, seconds, began = recipe.ladder, dict[str, float](), time.monotonic()
    rules = naming.build(Hygiene, {"tokenizer": recipe.tokenizer, **recipe.hygiene}, "hygiene")
    layer = naming.layer(recipe, words.layer)
    with room(options or Options()) as here:
        here.progress("reading", 0, 0)
        with stage("read", seconds):
            rows = preparing.everything(pool if pool is not None else preparing.read(recipe.pool))
        with stage("hygiene", seconds):
            rows = preparing.clean(rows, rules, here, naming.meaning(recipe, here))

        def features(usable: Pool, _: Rows) -> tuple[Types, dict[str, Tokens]]:
            tokens = {side: tokenizers.tokens(usable.texts(side), recipe.tokenizer, here) for side in SIDES}
            return layer.types(usable.texts(words.side), here), tokens

        with stage("features", seconds):
            rows, (types, tokens) = preparing.featured(rows, rules, words.budget, features)
        with stage("levels", seconds):
            found = _ladder(recipe, types, tokens[words.side], here)
        names = tuple(level_name(level.percent) for level in found.levels)
        usable, measured = rows.usable, None
        if words.measure:
            with stage("measures", seconds):
                facets = aspects.facets(usable, np.arange(len(usable)), recipe, here)
                sets = {name: level.rows for name, level in zip(names, found.levels, strict=True)}
                measured = cross_layer.achieved(facets, sets, words.references, recipe.seed, here.progress)
    seconds["total"] = time.monotonic() - began
    table = levels_table(found, types, tokens)
    return Rungs(usable, found, _manifest(recipe, rows, found, types, seconds), table, names, measured)


def _ladder(recipe: LadderRecipe, types: Types, tokens: Tokens, here: Room) -> Ladder:
    words = recipe.ladder
    strata = quota = None
    if words.match == "tokens":
        strata, quota = ladders.lengths_strata(tokens.lengths, np.diff(types.incidence.indptr) > 0, words.budget)
    return ladders.ladder(
        types,
        words.budget,
        words.levels,
        strata=strata,
        quota=quota,
        contribution=words.contribution,
        nested=words.nested,
        seed=recipe.seed,
        progress=here.progress,
    )


def levels_table(found: Ladder, types: Types, tokens: Mapping[str, Tokens]) -> pa.Table:
    """One line a level: what was asked for, and what the rows carry."""
    lines = []
    for level in found.levels:
        counts = np.bincount(types.incidence[level.rows].indices, minlength=types.incidence.shape[1])
        lines.append(
            {
                "level": level.percent,
                "rows": len(level.rows),
                "types_wanted": level.wanted,
                "types": level.types,
                "floor": level.floor,
                "drawn_from": level.pool,
                "types_per_row": counts.sum() / len(level.rows),
                "type_entropy_bits": entropy(counts),
                **{f"{side}_tokens": float(tokens[side].lengths[level.rows].mean()) for side in SIDES},
            }
        )
    return pa.Table.from_pylist(lines)


def entropy(counts: np.ndarray) -> float:
    """Shannon entropy in bits of shares proportional to these counts."""
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(abs((shares * np.log2(shares)).sum()))


def _manifest(recipe: LadderRecipe, rows: preparing.Prepared, found: Ladder, types: Types, seconds: Mapping[str, float]) -> dict[str, Any]:
    words = recipe.ladder
    return {
        "budget": words.budget,
        "layer": words.layer,
        "side": words.side,
        "fewest_types": found.fewest,
        "most_types": found.most,
        "all_types": found.all_types,
        "rows_with_types": found.usable,
        "how": how(words, found),
        "levels": [
            {"level": one.percent, "types_wanted": one.wanted, "types": one.types, "floor": one.floor, "drawn_from": one.pool}
            for one in found.levels
        ],
        "seed": recipe.seed,
        **manifests.sources(rows),
        "features": {f"{words.layer}/{words.side}": dict(types.facts)},
        **manifests.circumstances(recipe, seconds),
    }


def how(words: LadderWords, found: Ladder) -> list[str]:
    """In sentences, what the paper leaves open: how types are chosen, what a set holds of each, and what holds for all levels."""
    chosen = {
        "rarest": "Algorithm 1 prunes the pool to k types: of the rows left, the one whose rarest type fewest rows carry contributes least "
        "and goes, again and again. Types that tie, and the rows of one type, go in a random order.",
        "unique": "Algorithm 1 prunes the pool to k types: of the rows left, the one that takes fewest types with it contributes least "
        "and goes, again and again. Rows that tie go in a random order.",
    }
    drawn = "Every row carries one type. k types are drawn at random; where these cannot supply a set, the largest take the place of some."
    said = [
        drawn if found.drawn else chosen[words.contribution],
        "Algorithm 2 then takes rows that carry no other types out in a random order while every type keeps its floor of rows, the largest "
        "floor that leaves the size of the set; random ones, as many as can be, keep one row more. A row counts for each of its types; a "
        "type with fewer rows than the floor keeps all.",
    ]
    if words.match == "tokens":
        said.append(f"Every level has as many rows of each length in {words.side} tokens as any other; lengths within 5 % count as one.")
    if words.nested:
        said.append("All levels draw in one order, so that they share what they can.")
    return said


def card(title: str, rungs: Rungs) -> str:
    """What a person reads first in the folder."""
    told = rungs.manifest
    lines = [
        f"# {title}",
        "",
        f"{len(rungs.names)} sets of {told['budget']:,} rows of `{told['pool']['source']}`, from the fewest types of the layer "
        f"{told['layer']} on the {told['side']} side that can supply so many rows ({told['fewest_types']:,}) to the most that so many "
        f"rows can carry ({told['most_types']:,}), after arXiv 2505.24768, by diversity-selector {told['versions']['diversity-selector']}.",
        "",
        "| configuration | types asked for | types | rows to draw from | mean response tokens |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {line['types_wanted']:,} | {line['types']:,} | {line['drawn_from']:,} | {line['response_tokens']:.1f} |"
            for name, line in zip(rungs.names, rungs.table.to_pylist(), strict=True)
        ),
        "",
        *told["how"],
        "",
        *(_moves(rungs.achieved) if rungs.achieved is not None else []),
        f'`datasets.load_dataset(folder, "{rungs.names[0]}", split="train")` gives one of them. `levels.csv` has all figures of each,',
        "`picks.parquet` the source row of every row, `manifest.json` everything needed to make this folder again.",
        "",
        "```yaml",
        str(told["recipe"]).rstrip(),
        "```",
        "",
        "The rows keep the licence and the limits of their sources.",
    ]
    return "\n".join(lines)


def _moves(achieved: Achieved) -> list[str]:
    """What each level is at every layer of both sides."""
    head = ["standard deviations", *achieved.layers().column_names[1:]]
    return [
        "## What moves with it",
        "",
        f"| {' | '.join(head)} |",
        f"| --- {'| ---: ' * (len(head) - 1)}|",
        *(f"| {' | '.join(cell.replace('*', chr(92) + '*').strip() for cell in line)} |" for line in achieved.words()),
        "",
        f"How far each level lies from {len(achieved.random)} random sets of its size at each layer and side, below 0 thin; starred where "
        f"it is further than chance allows ({achieved.limit():.1f}). `measures.csv` has every measure of every level.",
        "",
        "![what moves with it](cross-layer.png)",
        "",
    ]

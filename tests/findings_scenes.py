"""Small pools with known tags, sources and vectors, as a report sees them."""

from __future__ import annotations

import numpy as np

from selector import aspects, measuring
from selector.findings.scene import OPEN, AsRead, Scene, Subset
from selector.hygiene import Hygiene
from selector.measure_recipe import MeasureRecipe
from selector.options import Options, room
from selector.pool import Pool

WORDS = [
    "river", "stone", "lamp", "copper", "violin", "harbour", "meadow", "engine", "castle", "pepper", "glacier", "notebook", "falcon",
    "velvet", "orchard", "thunder", "marble", "compass", "lantern", "saddle", "whistle", "canyon", "feather", "anchor", "barrel",
]  # fmt: skip
SECRET = "zebrafish"  # stands in every kind of text of a secret pool, and nowhere else
HOSTILE = "<script>alert(1)</script>\u202e\x07</p>\"'&{{x}}"


def rows(count=240, seed=0, secret=False, hostile=False):
    """A table: six topics have their vectors, the source `made` a seventh with a word of its own; words get rarer along the list."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, len(WORDS) + 1)
    table = []
    for number in range(count):
        source = ("books", "forum", "made")[int(rng.integers(3))]
        words = [WORDS[at] for at in rng.choice(len(WORDS), 6, p=weight / weight.sum())]
        if source == "made" and number % 4 == 0:
            words.append("robotics")
        tags = sorted({words[0], words[1], words[-1]})
        told = f"{words[0]} {words[1]} number {number} {words[2]}"
        if secret:
            told, tags, source = f"{SECRET} {told}", [f"{SECRET} {tag}" for tag in tags], f"{SECRET} {source}"
        if hostile:
            told, tags, source = f"{HOSTILE} {told}", [f"{HOSTILE} {tag}" for tag in tags], f"{HOSTILE} {source}"
            told += "x" * (100_000 if number == 0 else 0)
        centre = np.eye(7)[6 if "robotics" in words else number % 6]
        vector = (centre + 0.1 * rng.standard_normal(7)).tolist()
        table.append({"instruction": told, "response": " ".join([told, *words[2:]]), "tags": tags, "source": source, "vector": vector})
    return table


def scene(table, folder, subsets=None, *, show=OPEN, synthetic=("made",), sources=True, as_read=True, orders=None, hygiene=None):
    """The report's scene of this table; `subsets` by name are rows of the pool, or tables of rows that may be new."""
    read = Pool.from_table(table)
    words = {
        "datasets": ["x"],
        "layers": {
            "macro": {"encoder": "column:vector", "clusters": "kmeans:7"},
            "meso": {"tagger": "column:tags", "min_count": 1, "merge": 0},
            "micro": {"band": "auto"},
        },
    }
    subsets = subsets or {}
    with room(Options(cache=folder)) as here:
        others = [Pool.from_table(one) for one in subsets.values() if isinstance(one, list)]
        union = aspects.gather(read, others, hygiene or Hygiene(), here)
        facets = aspects.facets(union.everything, union.pool.rows, MeasureRecipe.model_validate(words), here)
        for facet in facets:
            facet.vectors("macro")
            facet.tokens()
            for layer in ("macro", "meso", "micro"):
                facet.types(layer)
    members = iter(union.members)
    chosen = {name: next(members).rows if isinstance(one, list) else np.asarray(one) for name, one in subsets.items()}
    return Scene(
        union.everything,
        union.pool.rows,
        tuple(
            Subset(name, one, measuring.at_random(union.pool.rows, len(one), 1, (0, number))[0], (orders or {}).get(name))
            for number, (name, one) in enumerate(chosen.items())
        ),
        {facet.side: facet for facet in facets},
        sources=union.everything.column("source").to_pylist() if sources else None,
        synthetic=frozenset(synthetic),
        show=show,
        as_read=AsRead(read, read.column("source").to_pylist() if sources else None, union.pool.dropped) if as_read else None,
    )

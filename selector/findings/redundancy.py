"""Redundancy: rows that repeat others, exactly or nearly: how many, in which sources and subsets, and what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Rows
from selector.errors import plural
from selector.findings.by_source import LISTED
from selector.findings.chance import SETS, beside, sets, short
from selector.findings.copies import THRESHOLD, Copies, copies
from selector.findings.scene import LONGEST, OPEN, Scene, Subset, shown
from selector.pool import Pool

GROUPS = 8  # to look at
ROWS = 3  # of each of them
BEFORE = 60  # characters that are shown before texts part
BANDS = ((2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, None))  # rows of a group, both ends included


def find(scene: Scene) -> dict[str, Any]:
    """Groups of near-duplicates among the pool's rows, exact copies included: as they were read, where the scene has those.

    Rows of a subset that are not the pool's stand behind them, so that the pool's groups do not hang on them. `in_groups` of a subset:
    rows with a near-duplicate in the pool as it was read; `again`: rows that repeat an earlier row of the subset. The groups are kept in
    the store, since they cost most.
    """
    scene.progress("near duplicates", 0, 0)
    read = scene.as_read.pool if scene.as_read is not None else scene.everything.take(scene.pool)
    extra = np.setdiff1d(np.arange(len(scene.everything)), scene.pool)
    both = read if not len(extra) else read.concat(scene.everything.take(extra))
    room = next(iter(scene.facets.values())).room
    found = copies(both, room)
    place = _places(scene, read, extra)
    own = np.arange(len(read))
    members = np.bincount(found.group[own], minlength=len(both))  # (rows,) of the pool in each group, by its first row
    sources = _sources(scene)
    sizes = members[members > 1]
    return {
        "rows": len(read),
        "as_read": scene.as_read is not None,
        "dropped": dict(scene.as_read.dropped) if scene.as_read is not None else {},
        "threshold": THRESHOLD,
        "refused": found.refused,
        "sets": SETS,
        "exact": _counted(_sizes(found.exact[own])),
        "same_side": {side: _counted(_sizes(labels[own])) for side, labels in found.sides.items()},
        "near": _counted(sizes),
        "largest": int(sizes.max(initial=0)),
        "sizes": [
            {"rows": _words(low, high), "groups": int(((sizes >= low) & (sizes <= (high or sizes.max(initial=0)))).sum())}
            for low, high in BANDS
        ],
        "sources": None if sources is None else _by_source(scene, sources, found, members),
        "subsets": [_subset(scene, one, found, members, place, len(read)) for one in scene.subsets],
        "examples": _examples(scene, read, sources, found, members),
    }


def _places(scene: Scene, read: Pool, extra: Rows) -> NDArray[np.int64]:
    """(n,) where each row of everything stands among the rows that are looked at."""
    known = {one: position for position, one in enumerate(read.ids.to_pylist())}
    ids = scene.everything.ids.to_pylist()
    place = np.empty(len(scene.everything), np.int64)
    place[scene.pool] = [known[ids[row]] for row in scene.pool.tolist()]
    place[extra] = len(read) + np.arange(len(extra))
    return place


def _sizes(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of each group of two or more."""
    sizes = np.unique(labels, return_counts=True)[1]
    return sizes[sizes > 1]


def _counted(sizes: NDArray[np.int64]) -> dict[str, int]:
    """Groups, their rows, and the rows that could go so that nothing repeats."""
    return {"groups": len(sizes), "rows": int(sizes.sum()), "again": int((sizes - 1).sum())}


def _words(low: int, high: int | None) -> str:
    return f"{low:,}" if low == high else f"{low:,} or more" if high is None else f"{low:,} to {high:,}"


def _sources(scene: Scene) -> Sequence[str] | None:
    """The source of each row of the pool that is looked at."""
    if scene.as_read is not None:
        return scene.as_read.sources
    return None if scene.sources is None else [scene.sources[row] for row in scene.pool.tolist()]


def _by_source(scene: Scene, sources: Sequence[str], found: Copies, members: NDArray[np.int64]) -> dict[str, Any]:
    """Rows of each source in a group, the sources with most rows first; and how many groups have rows of several sources."""
    levels = sorted(set(sources))
    number = {level: place for place, level in enumerate(levels)}
    code = np.array([number[one] for one in sources], np.int64)
    group = found.group[: len(code)]
    grouped = members[group] > 1
    rows, held = np.bincount(code, minlength=len(levels)), np.bincount(code[grouped], minlength=len(levels))
    order = np.argsort(-rows, kind="stable")
    listed = [
        {"name": scene.name("source", rank, levels[level]), "rows": int(rows[level]), "in_groups": int(held[level]),
         "share": short(held[level] / rows[level])} for rank, level in enumerate(order[:LISTED].tolist())
    ]  # fmt: skip
    if len(rest := order[LISTED:]):
        all_rows, all_held = int(rows[rest].sum()), int(held[rest].sum())
        listed.append(
            {"name": plural(len(rest), "other source"), "rows": all_rows, "in_groups": all_held, "share": short(all_held / all_rows)}
        )
    pairs = np.unique(np.stack([group[grouped], code[grouped]]), axis=1)
    across = int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())
    return {"listed": listed, "groups_across": across}


def _subset(
    scene: Scene, subset: Subset, found: Copies, members: NDArray[np.int64], place: NDArray[np.int64], pool_rows: int
) -> dict[str, Any]:
    others = sets(scene, len(subset.rows))

    def in_groups(rows: Rows) -> float:
        at = place[rows]
        # A row of the pool is one of its group's members itself.
        return float((members[found.group[at]] > (at < pool_rows)).mean())

    def again(rows: Rows) -> float:
        return float((_sizes(found.group[place[rows]]) - 1).sum() / len(rows))

    return {
        "name": subset.name,
        "rows": len(subset.rows),
        "in_groups": beside(in_groups(subset.rows), [in_groups(one) for one in others]),
        "again": beside(again(subset.rows), [again(one) for one in others]),
    }


def _examples(scene: Scene, read: Pool, sources: Sequence[str] | None, found: Copies, members: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The largest group that begins in each source, then the next largest of all; the first row of each and those least like it."""
    if scene.show != OPEN:
        return []
    firsts = np.flatnonzero(members > 1)
    firsts = firsts[np.argsort(-members[firsts], kind="stable")]
    if sources is not None:
        leading: dict[str, int] = {}
        for first in firsts.tolist():
            leading.setdefault(sources[first], first)
        firsts = np.array(list(dict.fromkeys([*leading.values(), *firsts.tolist()])), np.int64)
    columns = {side: read.side(side) for side in scene.facets}
    told = []
    for first in firsts[:GROUPS].tolist():
        others = np.flatnonzero(found.group[: len(read)] == first)
        others = others[others != first]
        rows = [first, *others[np.argsort(found.similarity[others], kind="stable")][: ROWS - 1].tolist()]
        texts = {side: _cut([column[row].as_py() for row in rows]) for side, column in columns.items()}
        told.append(
            {
                "rows": int(members[first]),
                "shown": [
                    {
                        "row": int(read.rows[row]),
                        "source": None if sources is None else shown(sources[row]),
                        "similarity": short(found.similarity[row]) if row != first else None,
                        "texts": {side: some[place] for side, some in texts.items()},
                    }
                    for place, row in enumerate(rows)
                ],
            }
        )
    return told


def _cut(texts: Sequence[str]) -> list[str]:
    """The texts as the page shows them, from a little before where they part, if that is far from their beginning."""
    first, last = min(texts), max(texts)  # what these share all share
    alike = next((place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last)))
    start = alike - BEFORE if alike < min(map(len, texts)) and alike > LONGEST // 2 else 0
    return [f"… {shown(text[start:])}" if start else shown(text) for text in texts]

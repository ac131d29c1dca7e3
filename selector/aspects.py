"""The rows that measures are taken of: the pool's, then those of any dataset that the pool lacks; and each of their sides."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from selector import hygiene, parts, tokenizers
from selector.core import NO_ROWS, Room, Rows, Similarity, Texts, Tokens, Types
from selector.errors import InputError, UnusableRows, plural
from selector.hygiene import Embed, Hygiene
from selector.parts import Sight
from selector.pool import Pool

SIDES = ("instruction", "response")

Made = TypeVar("Made")


@dataclass(frozen=True)
class Member:
    """The pool or a dataset among the rows that are measured, and what became of those that are not."""

    source: str
    fingerprint: str
    read: int  # rows
    rows: Rows  # its distinct usable rows in the union, ascending
    repeated: int  # rows that repeat another one of it
    dropped: Mapping[str, int]  # rows by reason
    order: Rows = field(default_factory=lambda: NO_ROWS)  # the same rows in the order in which they were read


@dataclass(frozen=True)
class Union:
    """The pool's usable rows, then the rows of datasets that are not among them; without a pool, the rows of the datasets."""

    everything: Pool
    pool: Member | None
    members: tuple[Member, ...]  # the datasets

    def among_pool(self, rows: Rows) -> int:
        """How many of these rows are the pool's."""
        return 0 if self.pool is None else int((rows < len(self.pool.rows)).sum())


@dataclass(frozen=True, eq=False)
class Facet:
    """One side of all rows as measures read it (`selector.core.Aspect`); each view is made when it is first asked for, and kept."""

    given: Texts
    pool: Rows
    sight: Sight
    room: Room
    made: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def side(self) -> str:
        return self.given.side

    @property
    def size(self) -> int:
        return len(self.given.strings)

    @property
    def seed(self) -> int:
        return self.sight.seed

    @property
    def threads(self) -> int:
        return self.room.threads or os.cpu_count() or 1

    @property
    def memory(self) -> int:
        return self.room.memory

    def texts(self) -> Sequence[str]:
        return self.given.strings

    def tokens(self) -> Tokens:
        return self._once("tokens", lambda: tokenizers.tokens(self.given, self.sight.tokenizer, self.room))

    def vectors(self, layer: str) -> Similarity:
        return self._once(f"vectors of {layer}", lambda: parts.layer(self.sight, layer).vectors(self.given, self.room))

    def types(self, layer: str) -> Types:
        """Raises InputError where no row carries any type, since nothing could be measured then."""
        found = self._once(f"types of {layer}", lambda: parts.layer(self.sight, layer).types(self.given, self.room))
        if not found.incidence.nnz:
            raise InputError(
                f"no {self.side} of the {plural(self.size, 'row')} carries any type of the layer {layer}, so there is nothing to "
                f"measure; change how its types are found (--tagger, --band, --clusters), or leave the layer out with --layers."
            )
        return found

    def facts(self) -> dict[str, Any]:
        """What the views made so far say of themselves, by layer."""
        said: dict[str, Any] = {}
        for name, view in self.made.items():
            if name != "tokens":
                said.setdefault(name.rpartition(" ")[2], {}).update(view.facts)
        return dict(sorted(said.items()))

    def _once(self, name: str, make: Callable[[], Made]) -> Made:
        if name not in self.made:
            self.room.progress(f"{name} of the {self.side}s", 0, 0)
            self.made[name] = make()
        return self.made[name]


def facets(everything: Pool, pool: Rows, sight: Sight, room: Room, sides: Sequence[str] = SIDES) -> list[Facet]:
    """The sides of these rows, of which `pool` are the pool's."""
    return [Facet(everything.texts(side), pool, sight, room) for side in sides]


def gather(pool: Pool | None, datasets: Sequence[Pool], rules: Hygiene, room: Room, embed: Embed | None = None) -> Union:
    """What is measured: distinct pairs, cleaned alike. A dataset's row that equals a row of the pool in both sides is that row.

    Where hygiene dropped that row of the pool as a duplicate, it is the row that it duplicates. Rules on blank sides and lengths hold
    for the datasets too; duplicates of them are not dropped but counted, and measured once. Raises InputError where nothing is left.
    """
    known: dict[tuple[str, str], int] = {}
    everything, owner = None, None
    if pool is not None:
        instructions, responses = pool.texts("instruction"), pool.texts("response")
        stays, dropped = hygiene.clean(instructions, responses, rules, room, embed=embed)
        if not len(stays):
            raise InputError(f"none of the {plural(len(pool), 'row')} of {pool.source} can be used{_why(hygiene.counts(dropped))}.")
        place = {position: row for row, position in enumerate(stays.tolist())}
        place |= {one.position: place[one.original] for one in dropped if one.original is not None}
        pairs = list(zip(instructions.strings, responses.strings, strict=True))
        for position, row in place.items():
            known.setdefault(pairs[position], row)
        everything = pool if len(stays) == len(pool) else pool.take(stays)
        every = np.arange(len(stays))
        owner = Member(pool.source, pool.fingerprint, len(pool), every, 0, hygiene.counts(dropped), every)
    members = []
    for dataset in datasets:
        instructions, responses = dataset.texts("instruction"), dataset.texts("response")
        stays, dropped = hygiene.clean(instructions, responses, replace(rules, dedup="off"), room)
        size = 0 if everything is None else len(everything)
        new: list[int] = []
        rows: list[int] = []
        for position in stays.tolist():
            pair = instructions.strings[position], responses.strings[position]
            if pair not in known:
                known[pair] = size + len(new)
                new.append(position)
            rows.append(known[pair])
        distinct = np.unique(np.array(rows, np.int64))
        repeated = len(rows) - len(distinct)
        order = np.array(list(dict.fromkeys(rows)), np.int64)
        members.append(Member(dataset.source, dataset.fingerprint, len(dataset), distinct, repeated, hygiene.counts(dropped), order))
        if new:
            fresh = dataset if len(new) == len(dataset) else dataset.take(np.array(new))
            everything = fresh if everything is None else everything.concat(fresh)
        if len(distinct) < 2:
            raise InputError(
                f"{dataset.source} has {plural(len(distinct), 'distinct usable row')} of {len(dataset):,}{_why(members[-1].dropped)}; "
                "diversity is measured of 2 rows or more. Mend the rows, or loosen hygiene (--unusable keep, --set hygiene.KEY=VALUE)."
            )
    assert everything is not None, "there is a pool or a dataset"
    return Union(everything, owner, tuple(members))


def usable(union: Union, unusable: str, make: Callable[[Union], Made]) -> tuple[Union, Made]:
    """What `make` makes of the rows, without those whose features cannot be made. Raises InputError where these are not to be dropped."""
    while True:
        try:
            return union, make(union)
        except UnusableRows as error:
            if unusable != "drop":
                raise InputError(f"{error} --unusable drop leaves such rows out.") from error
            gone = np.asarray(error.rows)
            stays = np.delete(np.arange(len(union.everything)), gone)
            pool = None if union.pool is None else _without(union.pool, gone, stays, error.reason)
            members = tuple(_without(one, gone, stays, error.reason) for one in union.members)
            union = Union(union.everything.take(stays), pool, members)


def _without(member: Member, gone: Rows, stays: Rows, reason: str) -> Member:
    """The member once these rows of the union are gone. Raises InputError where fewer than 2 are left."""
    lost = int(np.isin(member.rows, gone).sum())
    rows = np.searchsorted(stays, np.setdiff1d(member.rows, gone))
    order = np.searchsorted(stays, member.order[~np.isin(member.order, gone)])
    dropped = dict(Counter(member.dropped) + Counter({reason: lost}))
    if len(rows) < 2:
        raise InputError(
            f"{member.source}: features can be made of only {plural(len(rows), 'row')}{_why(dropped)}; 2 or more are measured."
        )
    return replace(member, rows=rows, dropped=dropped, order=order)


def _why(dropped: Mapping[str, int]) -> str:
    return f" (dropped: {', '.join(f'{count:,} {reason}' for reason, count in dropped.items())})" if dropped else ""

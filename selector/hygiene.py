"""What happens to the rows before selection: some are dropped, each for one stated reason."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from selector import tokenizers
from selector.arrow_rows import take_column
from selector.core import Room, Rows, Similarity, Texts
from selector.duplicates import near
from selector.errors import InputError, RecipeError, UnusableRows, plural
from selector.features import Vectors
from selector.normal import normalise
from selector.semantic import semantic

UNUSABLE = ("drop", "keep", "error")
_STEP = 16_384  # rows between two reports of progress

Embed = Callable[[Texts, Texts], Similarity]
"""Vectors of both sides together: what the meaning of a pair is judged by. It comes from above, where the layers are known."""


@dataclass(frozen=True)
class Hygiene:
    """Which rows may take part: duplicates, lengths in tokens, blank sides.

    `dedup`: 'exact' (the same pair after `normalise`: the lowest row stays), 'near:T' (those, and every row whose similarity to
    an earlier row that stays is at least T: see `duplicates.near`; long sides weigh more, so two questions about one long
    passage can be near), 'semantic:T' (exact copies, and every row that means what an earlier one means: the mean cosine of both sides'
    macro vectors is at least T, within a cell; see `semantic.semantic`), 'off'. Token limits are inclusive, None = no limit.
    `unusable`: a blank instruction or response is dropped, kept or an error; blank = nothing but white space, control and format
    characters.
    Raises RecipeError for values that mean nothing.
    """

    dedup: str = "exact"
    min_instruction_tokens: int | None = None
    max_instruction_tokens: int | None = None
    min_response_tokens: int | None = None
    max_response_tokens: int | None = None
    unusable: str = "drop"
    tokenizer: str = tokenizers.EMBEDDED

    def __post_init__(self) -> None:
        self.rule()
        if self.unusable not in UNUSABLE:
            raise RecipeError(f"hygiene: unusable must be one of {', '.join(UNUSABLE)}; got {self.unusable!r}.")
        for side in ("instruction", "response"):
            low, high = self.token_limits(side)
            for key, limit in ((f"min_{side}_tokens", low), (f"max_{side}_tokens", high)):
                if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
                    raise RecipeError(f"hygiene: {key} must be a whole number of tokens, 0 or more; got {limit!r}.")
            if low is not None and high is not None and low > high:
                raise RecipeError(
                    f"hygiene: min_{side}_tokens is {low:,} and max_{side}_tokens is {high:,}, so no row can pass; "
                    "lower the first or raise the second."
                )

    def rule(self) -> tuple[str, float]:
        """The kind of duplicate that goes, and the similarity from which on; 0 where it needs none. Raises RecipeError."""
        kind, _, written = self.dedup.partition(":") if isinstance(self.dedup, str) else ("", "", "")
        if kind in ("exact", "off") and kind == self.dedup:
            return kind, 0.0
        try:
            threshold = float(written)
        except ValueError:
            threshold = 0.0
        if kind not in ("near", "semantic") or not 0 < threshold <= 1:
            raise RecipeError(
                "hygiene: dedup must be 'exact', 'off', 'near:T' or 'semantic:T' with a similarity T above 0 and at most 1; got "
                f"{self.dedup!r}. Write for instance near:0.95."
            )
        return kind, threshold

    def token_limits(self, side: str) -> tuple[int | None, int | None]:
        """The least and the most tokens of this side."""
        if side == "instruction":
            return self.min_instruction_tokens, self.max_instruction_tokens
        return self.min_response_tokens, self.max_response_tokens


@dataclass(frozen=True)
class Dropped:
    """A row that does not take part, and why.

    `reason` is one of blank-instruction, blank-response, instruction-too-short, instruction-too-long, response-too-short,
    response-too-long, already-kept, exact-duplicate, near-duplicate, semantic-duplicate, or why a row has no vector. `detail` counts
    pool rows and kept rows each from 0; `original` is the position, among all texts, of the row that this one repeats.
    """

    position: int
    reason: str
    detail: str
    original: int | None = None


def clean(
    instructions: Texts,
    responses: Texts,
    hygiene: Hygiene,
    room: Room,
    *,
    first: NDArray[np.bool_] | None = None,
    embed: Embed | None = None,
) -> tuple[Rows, list[Dropped]]:
    """Positions that stay, ascending, and what was dropped, by position. A row has the first reason that applies, in this order:
    blank, tokens, exact, near or semantic; a dropped row is nobody's original.

    `first` (n,) marks rows that the user already trains on: they are never dropped, come before all others as originals, and what
    repeats one of them, exactly or nearly, is dropped as 'already-kept'. `embed` is asked for 'semantic:T' alone. Raises InputError for
    a blank side, and for a row without a vector, where `hygiene.unusable` is not to drop them, MemoryForecast where near duplicates do
    not fit `room.memory`, and RecipeError for 'semantic:T' without `embed`.
    """
    rows = len(instructions.strings)
    kept = np.zeros(rows, bool) if first is None else np.asarray(first, bool)
    dropped: dict[int, Dropped] = {}
    if hygiene.unusable != "keep":
        dropped |= {one.position: one for one in _blank(instructions, responses, hygiene.unusable, kept)}
    for texts in (instructions, responses):
        for one in _lengths(texts, hygiene, room):
            if not kept[one.position]:
                dropped.setdefault(one.position, one)
    if hygiene.rule()[0] != "off":
        alive = np.ones(rows, bool)
        alive[list(dropped)] = False
        order = np.concatenate([np.flatnonzero(kept), np.flatnonzero(alive & ~kept)])  # originals first
        for one in _duplicates(instructions, responses, order, kept, hygiene, room, embed):
            dropped[one.position] = one
    stays = np.ones(rows, bool)
    stays[list(dropped)] = False
    return np.flatnonzero(stays), [dropped[position] for position in sorted(dropped)]


def counts(dropped: Sequence[Dropped]) -> dict[str, int]:
    """Rows dropped for each reason, the most frequent first."""
    reasons: dict[str, int] = {}
    for one in dropped:
        reasons[one.reason] = reasons.get(one.reason, 0) + 1
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def normal_pair(instruction: str, response: str) -> str:
    """Both sides as near copies are looked for among them."""
    return f"{normalise(instruction)}\n{normalise(response)}"  # a normal form holds no line break


def _blank(instructions: Texts, responses: Texts, unusable: str, kept: NDArray[np.bool_]) -> Iterator[Dropped]:
    for position, pair in enumerate(zip(instructions.strings, responses.strings, strict=True)):
        if kept[position]:
            continue
        for side, text in zip(("instruction", "response"), pair, strict=True):
            # A letter or digit at the start, as nearly all texts have, says at once that something is written.
            if not text[:1].isalnum() and all(unicodedata.category(letter) in ("Cc", "Cf", "Zs", "Zl", "Zp") for letter in text):
                if unusable == "error":
                    number = int((~kept[:position]).sum())
                    raise InputError(f"row {number} of the pool has a blank {side} ({text[:20]!r}); mend it, or set unusable to 'drop'.")
                yield Dropped(position, f"blank-{side}", f"the {side} is {text[:20]!r}")
                break


def _lengths(texts: Texts, hygiene: Hygiene, room: Room) -> Iterator[Dropped]:
    low, high = hygiene.token_limits(texts.side)
    if low is None and high is None:
        return
    lengths = tokenizers.tokens(texts, hygiene.tokenizer, room).lengths
    for position in np.flatnonzero(lengths < low) if low is not None else ():
        has = plural(int(lengths[position]), "token")
        yield Dropped(int(position), f"{texts.side}-too-short", f"{has}, at least {low:,} wanted")
    for position in np.flatnonzero(lengths > high) if high is not None else ():
        has = plural(int(lengths[position]), "token")
        yield Dropped(int(position), f"{texts.side}-too-long", f"{has}, at most {high:,} wanted")


def _duplicates(
    instructions: Texts, responses: Texts, order: Rows, kept: NDArray[np.bool_], hygiene: Hygiene, room: Room, embed: Embed | None
) -> Iterator[Dropped]:
    number = np.where(kept, np.cumsum(kept), np.cumsum(~kept)) - 1  # (n,) the row's number among the kept rows or the pool rows

    def pair(position: int) -> str:
        return normal_pair(instructions.strings[position], responses.strings[position])

    def repeats(position: int, original: int, reason: str, like: str) -> Dropped:
        if kept[original]:
            return Dropped(position, "already-kept", f"{like} kept row {number[original]}", original)
        return Dropped(position, reason, f"{like} row {number[original]}", original)

    originals: dict[bytes, int] = {}  # digests, since the texts themselves may not fit twice
    survivors: list[int] = []
    lengths: list[int] = []  # of the normal pairs
    for done, position in enumerate(order.tolist()):
        if done % _STEP == 0:
            room.progress("exact duplicates", done, len(order))
        text = pair(position)
        original = originals.setdefault(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), position)
        if original == position or kept[position]:
            survivors.append(position)
            lengths.append(len(text))
        else:
            yield repeats(position, original, "exact-duplicate", "equal to")
    room.progress("exact duplicates", len(order), len(order))
    kind, threshold = hygiene.rule()
    if kind == "near" and survivors:
        found = near(lambda i: pair(survivors[i]), np.array(lengths), threshold, int(kept.sum()), room)
        for i in np.flatnonzero(found.original >= 0).tolist():
            like = f"similarity {found.similarity[i]:.4f} to"
            yield repeats(survivors[i], survivors[int(found.original[i])], "near-duplicate", like)
    if kind == "semantic" and survivors:
        at, vectors, without = _embedded(instructions, responses, np.array(survivors), hygiene, embed)
        yield from without
        if vectors is None:
            return
        meant = semantic(vectors, threshold, int(kept[at].sum()), room)
        for i in np.flatnonzero(meant.original >= 0).tolist():
            like = f"cosine {meant.similarity[i]:.4f} to"
            yield repeats(int(at[i]), int(at[meant.original[i]]), "semantic-duplicate", like)


def _embedded(
    instructions: Texts, responses: Texts, at: Rows, hygiene: Hygiene, embed: Embed | None
) -> tuple[Rows, Vectors | None, list[Dropped]]:
    """Who has a vector, the vectors, and who has none; no vectors where nobody has."""
    if embed is None:
        raise RecipeError(f"hygiene: dedup is {hygiene.dedup!r}, but nothing here gives rows a meaning; write exact or near:T.")
    without: list[Dropped] = []
    while len(at):
        try:
            vectors = embed(_some(instructions, at), _some(responses, at))
        except UnusableRows as error:
            if hygiene.unusable != "drop":
                raise InputError(f"{error} --unusable drop leaves such rows out.") from error
            without += [Dropped(int(position), error.reason, "it has no vector") for position in at[np.asarray(error.rows)]]
            at = np.delete(at, error.rows)
            continue
        if not isinstance(vectors, Vectors):
            raise RecipeError(f"hygiene: dedup is {hygiene.dedup!r}, but the macro layer gives sparse vectors; write near:T.")
        return at, vectors, without
    return at, None, without


def _some(texts: Texts, at: Rows) -> Texts:
    """These rows of one side."""
    strings = [texts.strings[position] for position in at.tolist()]
    digest = blake2b(digest_size=16)
    for one in strings:
        raw = one.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return Texts(strings, texts.side, digest.hexdigest(), lambda name: take_column(texts.column(name), at))

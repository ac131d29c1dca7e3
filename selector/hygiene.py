"""What happens to the rows before selection: some are dropped, each for one stated reason."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from selector import tokenizers
from selector.core import Room, Rows, Texts
from selector.duplicates import near
from selector.errors import InputError, RecipeError, plural
from selector.normal import normalise

UNUSABLE = ("drop", "keep", "error")
_STEP = 16_384  # rows between two reports of progress


@dataclass(frozen=True)
class Hygiene:
    """Which rows may take part: duplicates, lengths in tokens, blank sides.

    `dedup`: 'exact' (the same pair after `normalise`: the lowest row stays), 'near:T' (those, and every row whose similarity to
    an earlier row that stays is at least T: see `duplicates.near`; long sides weigh more, so two questions about one long
    passage can be near), 'off'. Token limits are inclusive, None = no limit. `unusable`: a blank instruction or response is dropped, kept
    or an error; blank = nothing but white space, control and format characters.
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
        _threshold(self.dedup)
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

    def token_limits(self, side: str) -> tuple[int | None, int | None]:
        """The least and the most tokens of this side."""
        if side == "instruction":
            return self.min_instruction_tokens, self.max_instruction_tokens
        return self.min_response_tokens, self.max_response_tokens


@dataclass(frozen=True)
class Dropped:
    """A row that does not take part, and why.

    `reason` is one of blank-instruction, blank-response, instruction-too-short, instruction-too-long, response-too-short,
    response-too-long, already-kept, exact-duplicate, near-duplicate. `detail` counts pool rows and kept rows each from 0;
    `original` is the position, among all texts, of the row that this one repeats.
    """

    position: int
    reason: str
    detail: str
    original: int | None = None


def clean(
    instructions: Texts, responses: Texts, hygiene: Hygiene, room: Room, *, first: NDArray[np.bool_] | None = None
) -> tuple[Rows, list[Dropped]]:
    """Positions that stay, ascending, and what was dropped, by position. A row has the first reason that applies, in this order:
    blank, tokens, exact, near; a dropped row is nobody's original.

    `first` (n,) marks rows that the user already trains on: they are never dropped, come before all others as originals, and what
    repeats one of them, exactly or nearly, is dropped as 'already-kept'. Raises InputError for a blank side where
    `hygiene.unusable` is 'error', and MemoryForecast where near duplicates do not fit `room.memory`.
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
    threshold = _threshold(hygiene.dedup)
    if threshold is not None:
        alive = np.ones(rows, bool)
        alive[list(dropped)] = False
        order = np.concatenate([np.flatnonzero(kept), np.flatnonzero(alive & ~kept)])  # originals first
        for one in _duplicates(instructions.strings, responses.strings, order, kept, threshold, room):
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


def _threshold(dedup: str) -> float | None:
    """The similarity from which a row is a duplicate: 'off' None, 'exact' infinite (only equal pairs), 'near:T' T."""
    if dedup == "off":
        return None
    if dedup == "exact":
        return float("inf")
    kind, _, written = dedup.partition(":") if isinstance(dedup, str) else ("", "", "")
    try:
        threshold = float(written)
    except ValueError:
        threshold = 0.0
    if kind != "near" or not 0 < threshold <= 1:
        raise RecipeError(
            f"hygiene: dedup must be 'exact', 'off' or 'near:T' with a similarity T above 0 and at most 1; got {dedup!r}. "
            "Write for instance near:0.95."
        )
    return threshold


def _blank(instructions: Texts, responses: Texts, unusable: str, kept: NDArray[np.bool_]) -> Iterator[Dropped]:
    for position, pair in enumerate(zip(instructions.strings, responses.strings, strict=True)):
        if kept[position]:
            continue
        for side, text in zip(("instruction", "response"), pair, strict=True):
            if all(unicodedata.category(letter) in ("Cc", "Cf", "Zs", "Zl", "Zp") for letter in text):
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
    instructions: Sequence[str], responses: Sequence[str], order: Rows, kept: NDArray[np.bool_], threshold: float, room: Room
) -> Iterator[Dropped]:
    number = np.where(kept, np.cumsum(kept), np.cumsum(~kept)) - 1  # (n,) the row's number among the kept rows or the pool rows

    def pair(position: int) -> str:
        return normal_pair(instructions[position], responses[position])

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
    if threshold > 1 or not survivors:
        return
    found = near(lambda i: pair(survivors[i]), np.array(lengths), threshold, int(kept.sum()), room)
    for i in np.flatnonzero(found.original >= 0).tolist():
        like = f"similarity {found.similarity[i]:.4f} to"
        yield repeats(survivors[i], survivors[int(found.original[i])], "near-duplicate", like)

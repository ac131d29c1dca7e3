"""A history of batches: what was measured of each, what had drifted, since when; and its file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from selector import one_file
from selector import recipe as recipes
from selector.drift import DIVERSITY, NO_VERDICT, OUTSIDE, PLAIN, SHARES, Watched
from selector.errors import InputError, OutputError, RecipeError, plural
from selector.monitor_recipe import MonitorRecipe
from selector.recipe import PoolRecipe, Strict

ORDER = (DIVERSITY, PLAIN, SHARES)
OURS = b'<meta name="generator" content="diversity-selector">'
RULE = (
    "A batch is held against random sets of its size, drawn from its own rows and those of its base together: where nothing has changed it "
    "is one of these. A layer and side is thin or diverse by the mean z of its judged measures (t test); a figure without direction is "
    "lower or higher by its own t; shares of a column differ by chi-square under resampling. A batch in which nothing has changed is "
    "flagged for any layer and side with a probability of the level at most, and for anything else likewise (Bonferroni). Flagged batches "
    "are in no later batch's base."
)


class Batch(Strict):
    """One batch: where it is, what became of its rows, what it was held against, and what was found."""

    label: str
    at: str  # ISO 8601
    dataset: PoolRecipe  # a path that begins with a dot is seen from the history's folder
    fingerprint: str
    rows: int  # distinct usable ones, of which every figure is
    rows_read: int
    rows_repeated: int
    rows_dropped: dict[str, int]
    rows_known: int  # that stand in the base too
    base: list[str]  # labels of the earlier batches that it is held against; none where there is a pool
    base_rows: int  # distinct; 0: there was nothing to hold it against
    counts: dict[str, dict[str, int]]  # of each watched column: rows by value
    watched: list[Watched]
    measures: list[dict[str, Any]]
    versions: dict[str, Any]

    @property
    def flagged(self) -> list[Watched]:
        """What lies outside its limits."""
        return [one for one in self.watched if one.word in OUTSIDE]


BAND_OF_0_1 = "10:500"


class History(Strict):
    """All batches, oldest first, and the words that they share."""

    selector_history: Literal[1] = 1  # of the file's form
    recipe: MonitorRecipe
    pool_fingerprint: str | None
    batches: list[Batch]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON values, with what drifted since when."""
        told = {"rule": RULE, "lead": self.lead, "notes": self.notes, "drifts": [one.to_dict() for one in drifts(self)]}
        return {**self.model_dump(mode="json"), **told}

    @property
    def lead(self) -> str:
        """The answer in a sentence or two."""
        last = self.batches[-1]
        found = [one for one in drifts(self) if one.lasting]
        if not last.base_rows:
            return f"{last.label} is the first batch: later ones are held against it."
        if found:
            said = [f"{one.where} is {one.word}{one.how_long}" for one in found if one.kind == DIVERSITY]
            said += [f"{one.where}: {one.what}{one.how_long}" for one in found if one.kind != DIVERSITY]
            more = f"; and {len(said) - 3} more" if len(said) > 4 else ""
            return f"{last.label} has drifted: {'; '.join(said[:3] if more else said)}{more}."
        flagged = [one.label for one in self.batches if one.flagged]
        before = f" Flagged before: {', '.join(flagged)}." if flagged else f" None of {len(self.batches)} batches is flagged."
        return f"{last.label} is as random sets of what it is held against.{before}"

    @property
    def notes(self) -> list[str]:
        """What a person must know of the last batch's figures, in sentences."""
        last = self.batches[-1]
        said = []
        if last.rows_repeated:
            said.append(f"{plural(last.rows_repeated, 'row')} of {last.label} repeat another one of it and are measured once")
        if last.rows_dropped:
            said.append(f"left out of {last.label}: " + ", ".join(f"{count:,} {reason}" for reason, count in last.rows_dropped.items()))
        if last.rows_known:
            said.append(f"{plural(last.rows_known, 'row')} of {last.rows:,} stand in what {last.label} is held against too")
        if last.base_rows and last.base_rows < last.rows:
            said.append(f"{last.label} is held against {plural(last.base_rows, 'row')}, fewer than its own: only a large drift can be seen")
        if missing := [one.name for one in last.watched if one.word == NO_VERDICT and one.kind != PLAIN]:
            said.append(f"no verdict on {', '.join(missing)}: random sets do not differ there")
        moved = {one.name.split(" at ")[1].split("/")[0] for one in last.flagged if one.name.startswith("tokens per text at ")}
        if short := sorted(side for side in moved if any(one.kind == DIVERSITY and one.name.startswith(side) for one in last.flagged)):
            said.append(
                f"the lengths of {' and '.join(f'{side}s' for side in short)} have drifted as well, and longer texts carry more types: "
                "`selector measure --pool` has verdicts at equal length"
            )
        return said

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True)
class Drift:
    """Batches one after another in which one thing was outside its limits in the same direction."""

    name: str
    kind: str
    word: str
    since: str  # label of the first
    until: str  # label of the last
    batches: int
    lasting: bool  # the last batch of the history is one of them
    first: Watched

    @property
    def where(self) -> str:
        """The layer and side, or the column."""
        return self.name.rpartition(" at ")[2]

    @property
    def what(self) -> str:
        """`thin`, `lower mid-band share`, `differs`."""
        return f"{self.word} {self.name.rpartition(' at ')[0]}".strip() if self.kind == PLAIN else self.word

    @property
    def when(self) -> str:
        """`in week-07`, or `since week-07`, or `from week-03 to week-05`."""
        if self.lasting and self.batches > 1:
            return f"since {self.since}"
        return f"in {self.since}" if self.batches == 1 else f"from {self.since} to {self.until}"

    @property
    def how_long(self) -> str:
        """` since week-05` of more than one batch."""
        return f" since {self.since}" if self.batches > 1 else ""

    @property
    def how(self) -> str:
        """`types covered 81.2, usual 104 ± 5.9`: what lay farthest out in the first of the batches."""
        one = self.first
        if one.of is None or one.value is None or one.usual is None or one.sd is None:
            return ""
        if self.kind == SHARES:
            return f"{one.of} {100 * one.value:.1f} %, usual {100 * one.usual:.1f} ± {100 * one.sd:.1f} %"
        name = f"{one.of} " if self.kind == DIVERSITY else ""
        return f"{name}{figure(one.value)}, usual {figure(one.usual)} ± {figure(one.sd, 2)}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON values, and the same in words."""
        return {**asdict(self), "where": self.where, "what": self.what, "when": self.when, "how": self.how}


def figure(value: float, digits: int = 3) -> str:
    """So many digits that count, and never an exponent of ten."""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def drifts(history: History) -> list[Drift]:
    """What was outside: what lasts first, then by first batch, layers before anything else, and what is farthest beyond its limit first."""
    place = {batch.label: number for number, batch in enumerate(history.batches)}
    found = list(_runs(history))
    return sorted(found, key=lambda one: (not one.lasting, place[one.since], ORDER.index(one.kind), -one.first.beyond))


def _runs(history: History) -> Iterator[Drift]:
    batches = history.batches
    names = dict.fromkeys(one.name for batch in batches for one in batch.watched)
    for name in names:
        found = [next((one for one in batch.watched if one.name == name), None) for batch in batches]
        numbered = list(enumerate(found))
        for word, some in groupby(numbered, key=lambda pair: None if pair[1] is None else pair[1].word):
            run = list(some)
            (start, began), (end, _) = run[0], run[-1]
            if began is not None and word in OUTSIDE:
                lasting = end == len(batches) - 1
                yield Drift(name, began.kind, began.word, batches[start].label, batches[end].label, len(run), lasting, began)


def read(path: Path) -> tuple[History | None, bytes | None]:
    """The history in a file and the file's bytes; None where there is none yet. Raises InputError for what is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise InputError(
            f"the history {path} cannot be read: {error.strerror}; name a JSON file, or one that does not exist yet."
        ) from None
    try:
        told = json.loads(content)
    except ValueError as error:
        raise InputError(f"{path} is no history: it is not JSON ({error}); name a history, or a file that does not exist yet.") from None
    if not isinstance(told, dict) or "selector_history" not in told:
        raise InputError(f"{path} is no history that selector wrote: it has no key 'selector_history'; name another file.")
    try:
        return recipes.checked(History, _as_begun(told), source=str(path)), content
    except RecipeError as error:
        raise InputError(f"{error} The history was changed by hand, or by a newer version; mend it, or begin a new one.") from None


def _as_begun(told: dict[str, Any]) -> dict[str, Any]:
    """A history of version 0.1 that names no band goes on with the one that was the default then: all its batches are measured alike."""
    match told:
        case {"batches": [{"versions": {"diversity-selector": str(begun)}}, *_], "recipe": {}} if begun.startswith("0.1."):
            return recipes.merged({"recipe": {"layers": {"micro": {"band": BAND_OF_0_1}}}}, told)
    return told


def agreed(before: History | None, told: Mapping[str, Any], path: Path) -> MonitorRecipe:
    """The words of a history, of which a later call may say none or the same again. Raises RecipeError naming the key that differs."""
    if before is None:
        return recipes.checked(MonitorRecipe, dict(told))
    kept = before.recipe.model_dump(mode="json")
    now = recipes.checked(MonitorRecipe, recipes.merged(kept, dict(told))).model_dump(mode="json")
    if apart := _apart(kept, now):
        key, was, given = apart
        raise RecipeError(
            f"{path} was made with {key} {_said(was)}, and now {key} is {_said(given)}; all batches of a history are measured alike. Leave "
            "it out to go on as before, or name a new file."
        )
    return before.recipe


def write(path: Path, history: History, page: str, before: bytes | None) -> None:
    """The page, then the history, each whole or not at all. Raises OutputError where the file no longer is as it was `before`."""
    content = json.dumps(history.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if (path.read_bytes() if path.exists() else None) != before:
        raise OutputError(f"{path} was changed by another run meanwhile and was left as it is; run this again.")
    one_file.write(page_of(path), page, overwrite=True)
    one_file.write(path, content, overwrite=True)


def page_of(path: Path) -> Path:
    """Where the page of a history is. Raises OutputError where it or the history cannot be, or something else is there already."""
    page = path.with_suffix(".html") if path.name else path
    if page == path or path.is_dir():
        raise OutputError(f"the history is to be '{path}'; name a JSON file, as drift.json, beside which drift.html can stand.")
    if page.exists() and (not page.is_file() or OURS not in page.read_bytes()[:4096]):
        raise OutputError(f"{page} was not written by selector and would be replaced; move it, or name the history otherwise.")
    one_file.check(path, overwrite=True)
    return page


def _apart(one: Any, other: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """The first key at which two nested values differ, and both values; None where they are the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            if apart := _apart(one.get(name), other.get(name), f"{key}.{name}" if key else name):
                return apart
        return None
    return None if one == other else (key, one, other)


def _said(value: Any) -> str:
    return "not given" if value is None else f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

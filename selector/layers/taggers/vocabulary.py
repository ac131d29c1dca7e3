"""The InsTag steps (Lu et al. 2023, section 3.2): fold the forms of a tag, drop rare tags, merge synonyms; or apply an edited list.

InsTag drops tags under 20 occurrences of a pool of about 300,000 texts, folds by lower case, special characters and stems, and
clusters phrase embeddings by DBSCAN. Here the threshold scales with the pool, and stars take DBSCAN's place (see synonyms).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selector.core import Room
from selector.errors import InputError
from selector.layers.taggers import Tags
from selector.layers.taggers.language import Language
from selector.layers.taggers.synonyms import leaders
from selector.layers.taggers.words import cleaned

COLUMNS = ("tag", "count", "merged")
_JOINED = "|"  # between the merged forms of a tag in a file; no folded tag holds it


@dataclass(frozen=True)
class Edited:
    """A vocabulary that a person edited: every folded form that counts, and the tag it stands for."""

    tag_of: Mapping[str, str]
    fingerprint: str
    path: str


def fewest(rows: int) -> int:
    """The threshold `auto`: sqrt(n) / 85 texts; 2 from 100 texts on, 4 in a pool of 117,654, 12 in a million; 1 below 100 texts.

    The root, because distinct tags grow like it (Heaps' law): a share of n would leave a large pool its broadest tags only.
    """
    return 1 if rows < 100 else max(2, round(rows**0.5 / 85))


def fold(name: str, language: Language) -> str:
    """What counts as one tag: lower case, marks as spaces, words without inflection."""
    return " ".join(language.fold(word) for word in cleaned(name).replace("-", " ").split())


def settle(raw: Tags, language: Language, min_count: int, merge: float, room: Room) -> Tags:
    """The tags after all steps. Names are the commonest written forms; facts hold the counts and, under 'merged', the vocabulary.

    `merge` 0 merges nothing.
    """
    tags, shown = _folded(raw, language)
    counts = np.bincount(tags.indices, minlength=len(tags.names))
    frequent = counts >= min_count
    after_fold, rows = len(tags.names), np.cumsum(frequent) - 1
    tags = _mapped(tags, np.where(frequent, rows, -1), [name for name, kept in zip(tags.names, frequent, strict=True) if kept])
    shown = [name for name, kept in zip(shown, frequent, strict=True) if kept]
    head = np.arange(len(shown))
    if merge > 0 and len(shown) > 1:
        head = leaders(shown, tags.names, counts[frequent], incidence(tags), merge, room)
    heads, place = np.unique(head, return_inverse=True)
    merged: dict[str, list[str]] = {shown[number]: [] for number in heads}
    for number, name in enumerate(shown):
        if head[number] != number:
            merged[shown[head[number]]].append(name)
    facts = {
        "tags_found": len(raw.names),
        "tags_after_folding": after_fold,
        "tags_frequent": len(shown),
        "tags_merged_away": len(shown) - len(heads),
        "tags": len(heads),
        "merged": {name: others for name, others in merged.items() if others},
    }
    return _mapped(tags, place, [shown[number] for number in heads], facts)


def apply(raw: Tags, edited: Edited, language: Language) -> Tags:
    """The tags that the edited vocabulary names, and no others."""
    tags, _ = _folded(raw, language)
    names = list(dict.fromkeys(edited.tag_of.values()))
    number = {name: at for at, name in enumerate(names)}
    targets = np.array([number.get(edited.tag_of.get(name, ""), -1) for name in tags.names], np.int64)
    found = np.bincount(tags.indices, minlength=len(tags.names))
    merged: dict[str, list[str]] = {}
    for form, tag in edited.tag_of.items():
        if form != fold(tag, language):
            merged.setdefault(tag, []).append(form)
    facts = {
        "tags_found": len(raw.names),
        "tags_after_folding": len(tags.names),
        "tags": len(names),
        "tags_not_in_vocabulary": int((targets < 0).sum()),
        "occurrences_not_in_vocabulary": int(found[targets < 0].sum()),
        "merged": merged,
    }
    return _mapped(tags, targets, names, facts)


def incidence(tags: Tags) -> Any:
    """(n, T) CSR array of 0/1."""
    from scipy.sparse import csr_array

    from selector.features import tidy

    ones = np.ones(len(tags.indices), np.float32)
    return tidy(csr_array((ones, tags.indices.copy(), tags.starts.copy()), shape=(tags.size, len(tags.names))))


def table(tags: Tags) -> Any:
    """The vocabulary as a pyarrow table: tag, count (texts that carry it), merged (the forms that were folded into it).

    The commonest tag first.
    """
    import pyarrow as pa

    counts = np.bincount(tags.indices, minlength=len(tags.names))
    order = sorted(range(len(tags.names)), key=lambda tag: (-int(counts[tag]), tags.names[tag]))
    merged = tags.facts.get("merged", {})
    return pa.table(
        {
            "tag": pa.array([tags.names[tag] for tag in order], pa.string()),
            "count": pa.array([int(counts[tag]) for tag in order], pa.int64()),
            "merged": pa.array([merged.get(tags.names[tag], []) for tag in order], pa.list_(pa.string())),
        }
    )


def write(vocabulary: Any, path: Path) -> None:
    """A vocabulary table as CSV that a person can edit: tag,count,merged with merged forms joined by '|'."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in vocabulary.to_pylist():
            writer.writerow([row["tag"], row["count"], _JOINED.join(row["merged"])])


def read(path: str, language: Language) -> Edited:
    """The file that `write` wrote, perhaps edited: without a line the tag is gone, a form under 'merged' counts as the tag.

    Only the column 'tag' is needed; counts are not read. Raises InputError, naming the line, for a form that two tags claim.
    """
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the tag vocabulary '{path}' cannot be read: {error}; give a CSV file in UTF-8.") from error
    reader = csv.DictReader(text.splitlines(), strict=True)
    if "tag" not in (reader.fieldnames or ()):
        raise InputError(
            f"the tag vocabulary '{path}' needs a first line with the column 'tag' (and 'merged'); it has {reader.fieldnames}."
        )
    tag_of: dict[str, str] = {}
    line_of: dict[str, int] = {}
    for row in reader:
        tag = (row["tag"] or "").strip()
        for form in [tag, *(row.get("merged") or "").split(_JOINED)]:
            folded = fold(form, language)
            if folded and tag_of.setdefault(folded, tag) != tag:
                raise InputError(
                    f"the tag vocabulary '{path}' gives '{form}' to two tags: '{tag_of[folded]}' in line {line_of[folded]} and "
                    f"'{tag}' in line {reader.line_num}; take it out of one."
                )
            line_of.setdefault(folded, reader.line_num)
    if not tag_of:
        raise InputError(f"the tag vocabulary '{path}' holds no tags; give one that does, or leave the option away.")
    return Edited(tag_of, hashlib.blake2b(content, digest_size=16).hexdigest(), path)


def _folded(raw: Tags, language: Language) -> tuple[Tags, list[str]]:
    """Tags by folded form, and the commonest written form of each (the first of equals)."""
    counts = np.bincount(raw.indices, minlength=len(raw.names))
    ids: dict[str, int] = {}
    targets = np.full(len(raw.names), -1, np.int64)
    best: list[tuple[int, str]] = []
    for number, name in enumerate(raw.names):
        folded, written = fold(name, language), cleaned(name)
        if not folded:
            continue
        target = targets[number] = ids.setdefault(folded, len(ids))
        if target == len(best):
            best.append((int(counts[number]), written))
        elif counts[number] > best[target][0]:
            best[target] = int(counts[number]), written
    return _mapped(raw, targets, list(ids)), [written for _, written in best]


def _mapped(tags: Tags, targets: Any, names: Sequence[str], facts: Mapping[str, Any] | None = None) -> Tags:
    """Every tag replaced by its target; gone where that is negative; once in each text."""
    owners, moved = tags.owners, targets[tags.indices] if len(tags.indices) else tags.indices.astype(np.int64)
    keys = owners * np.int64(max(len(names), 1)) + moved
    _, first = np.unique(keys, return_index=True)
    kept = np.zeros(len(keys), bool)
    kept[first] = True
    kept &= moved >= 0
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners[kept], minlength=tags.size))]).astype(np.int64)
    return Tags(starts, moved[kept].astype(np.int32), names, dict(facts or {}))

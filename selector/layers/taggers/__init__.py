"""Ways to tag a text: each takes the texts and gives some tags for each, before the InsTag steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from selector.core import Room, Texts


@dataclass(frozen=True)
class Tags:
    """Ragged tags: those of text i are `names[j]` for j in `indices[starts[i] : starts[i + 1]]`, the best first."""

    starts: NDArray[np.int64]  # (n + 1,)
    indices: NDArray[np.int32]  # (total,)
    names: Sequence[str]  # distinct
    facts: Mapping[str, Any] = field(default_factory=dict)  # JSON values

    @property
    def size(self) -> int:
        return len(self.starts) - 1

    @property
    def owners(self) -> NDArray[np.int64]:
        """(total,) the text that each entry of `indices` belongs to."""
        return np.repeat(np.arange(self.size), np.diff(self.starts))

    @cached_property
    def fingerprint(self) -> str:
        """Of the tags of every text, in order."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.starts.tobytes(), self.indices.tobytes(), json.dumps(list(self.names)).encode()):
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()

    def of(self, row: int) -> list[str]:
        """The tags of one text."""
        return [self.names[j] for j in self.indices[self.starts[row] : self.starts[row + 1]]]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Flat arrays for a store; names as one run of UTF-8, since one long name would widen an array of strings."""
        raw = [name.encode("utf-8", "surrogatepass") for name in self.names]
        return {
            "starts": self.starts,
            "indices": self.indices,
            "letters": np.frombuffer(b"".join(raw), np.uint8),
            "ends": np.cumsum([len(one) for one in raw], dtype=np.int64),
            "facts": np.frombuffer(json.dumps(dict(self.facts)).encode(), np.uint8),
        }


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Tags:
    """What `to_arrays` wrote."""
    letters, ends = arrays["letters"].tobytes(), arrays["ends"].tolist()
    names = [letters[start:end].decode("utf-8", "surrogatepass") for start, end in zip([0, *ends], ends, strict=False)]
    return Tags(arrays["starts"], arrays["indices"], names, json.loads(arrays["facts"].tobytes()))


def from_lists(lists: Iterable[Sequence[str]], facts: Mapping[str, Any] | None = None) -> Tags:
    """Tags from one sequence of names for each text; a name given twice counts once."""
    ids: dict[str, int] = {}
    kept = [list(dict.fromkeys(ids.setdefault(name, len(ids)) for name in one)) for one in lists]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in kept], dtype=np.int64)]).astype(np.int64)
    return Tags(starts, np.array([j for one in kept for j in one], np.int32), list(ids), dict(facts or {}))


class Tagger(Protocol):
    """Texts to tags: a frozen dataclass of parameters."""

    def tags(self, texts: Texts, room: Room) -> Tags:
        """Tags of every text as the tagger words them; nothing folded, dropped or merged yet. Kept in the room's store."""
        ...

"""Answers kept line by line as they come: JSON objects {text, tags, ...} in a file that only grows."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def answers(path: Path | None) -> dict[str, list[str]]:
    """Name of the text -> its tags, of every whole line. A line that was torn by an interruption is asked for again."""
    known: dict[str, list[str]] = {}
    if path is None or not path.exists():
        return known
    torn = 0
    with path.open("rb") as file:
        for line in file:
            try:
                one = json.loads(line)
                known[one["text"]] = [str(tag) for tag in one["tags"]]
            except (ValueError, KeyError, TypeError):
                torn += bool(line.strip())
    log.info("%d answers found in %s, %d torn lines passed over", len(known), path, torn)
    return known


@contextmanager
def append(path: Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that writes one answer and hands it to the system at once; one that does nothing without a path."""
    if path is None:
        yield lambda answer: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if file.tell():
            file.write(b"\n")  # ends a line that an interruption tore

        def write(answer: dict[str, Any]) -> None:
            file.write(json.dumps(answer, ensure_ascii=True).encode() + b"\n")
            file.flush()

        yield write

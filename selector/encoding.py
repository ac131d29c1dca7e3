"""What every encoder does with texts before and after its model."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from selector.errors import plural

log = logging.getLogger(__name__)


def runs(strings: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs of at most 1,024 texts and about a million characters: bounds what the tokenizer holds at once."""
    start, characters = 0, 0
    for i, one in enumerate(strings):
        if i > start and (i - start == 1_024 or characters + len(one) > 1_000_000):
            yield start, i
            start, characters = i, 0
        characters += len(one)
    if start < len(strings):
        yield start, len(strings)


def sound(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 text can hold, as U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def log_speed(name: str, texts: int, began: float) -> None:
    """One line in the log: texts, seconds, texts a second."""
    seconds = time.perf_counter() - began
    log.debug("%s embedded by %s in %.1f s: %.0f texts/s", plural(texts, "text"), name, seconds, texts / max(seconds, 1e-9))

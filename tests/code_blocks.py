"""The fenced blocks of a Markdown file, each with the HTML comment that stands right above it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    file: str
    line: int
    language: str
    note: str  # the comment, or empty
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.language}"


def blocks(file: str) -> list[Block]:
    """Raises AssertionError where a fence is not closed or names no language."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = [
        Block(file, text[: one.start("language")].count("\n") + 1, one["language"], one["note"] or "", one["text"])
        for one in FENCE.finditer(text)
    ]
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(found), f"{file} has a fence without a language or an end"
    return found

"""Findings -> the page: which sections there are, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from selector.report.page import page

# a file each
SECTIONS = ("own_verdict", "answer", "atlas", "tags", "tokens", "redundancy", "comparison", "written", "provenance", "method")


def compose(found: Mapping[str, Any]) -> str:
    """The page of a diagnosis."""
    sections = [import_module(f"selector.report.sections.{name}").section(found[name]) for name in SECTIONS if found.get(name)]
    return page(found["title"], _lead(found), [one for one in sections if one is not None], found, _facts(found))


def _lead(found: Mapping[str, Any]) -> str:
    subsets, references = found["subsets"], found["method"]["references"]
    if not subsets:
        return "What a dataset holds at three layers (meaning, tags, tokens) of both sides (instruction, response)."
    one = "A subset" if len(subsets) == 1 else f"{len(subsets)} subsets"
    return f"{one} beside {references} random subsets of the same size, at three layers (meaning, tags, tokens) of both sides."


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    pool = found["pool"]
    dropped = pool["read"] - pool["rows"]
    said = [("rows of the pool", f"{pool['rows']:,}" + (f" ({dropped:,} left out)" if dropped else ""))]
    return said + [(one["name"], f"{one['rows']:,} rows") for one in found["subsets"]]

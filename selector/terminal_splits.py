"""What a person sees of a split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selector import split_words, terminal

LEVELS = 8  # of one covariate


def split(manifest: Mapping[str, Any], balance: Mapping[str, Any], folder: str) -> None:
    """The tables at the end of a split, in 80 columns."""
    terminal.grid("sets", *split_words.sets_table(manifest, balance))
    for name, table in split_words.balance_tables(balance).items():
        terminal.grid(f"\n{name}: how far from the diverse set", *table)
    for name, table in split_words.share_tables(balance, LEVELS).items():
        terminal.grid(f"\n{name}", *table)
    told = split_words.facts(manifest, balance)
    if manifest["notes"]:
        told["note"] = "\n".join(manifest["notes"])
    told["took"] = f"{manifest['seconds']['total']:.1f} s, {manifest['peak_memory_bytes'] / 2**30:.2f} GiB at most"
    terminal.lines("\nsplit", {**told, "written": folder})

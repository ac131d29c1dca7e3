"""Draws README's figure from a CSV of the scores of arXiv 2505.24768: python scripts/paper_effect.py SCORES.csv."""

from __future__ import annotations

import sys
from pathlib import Path

from selector import estimate_effect
from selector.effect import plots

FIGURE = Path(__file__).parent / "figures" / "paper-effect.png"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(f"{__doc__} Columns: side, layer, size, level, score.")
    found = estimate_effect(sys.argv[1], at_size=20_000)
    FIGURE.write_bytes(plots.draw(found)["effect.png"])
    print(found.lead, *found.notes, f"written: {FIGURE}", sep="\n")


if __name__ == "__main__":
    main()

"""Diversity-aware subset selection for the data that fine-tunes language models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selector.comparing import compare, measure
    from selector.diagnosing import diagnose
    from selector.estimating import estimate_effect
    from selector.laddering import ladder
    from selector.monitoring import monitor
    from selector.options import Options
    from selector.pool import Pool
    from selector.recipe import Recipe
    from selector.reporting import report
    from selector.running import run, select, select_rows
    from selector.selection import Selection
    from selector.splits import split

__all__ = [
    "Options",
    "Pool",
    "Recipe",
    "Selection",
    "compare",
    "diagnose",
    "estimate_effect",
    "ladder",
    "measure",
    "monitor",
    "report",
    "run",
    "select",
    "select_rows",
    "split",
]

_HOMES = {
    "Pool": "selector.pool",
    "Recipe": "selector.recipe",
    "Selection": "selector.selection",
    "Options": "selector.options",
    "compare": "selector.comparing",
    "diagnose": "selector.diagnosing",
    "estimate_effect": "selector.estimating",
    "ladder": "selector.laddering",
    "measure": "selector.comparing",
    "monitor": "selector.monitoring",
    "report": "selector.reporting",
    "run": "selector.running",
    "select": "selector.running",
    "select_rows": "selector.running",
    "split": "selector.splits",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that `import selector` takes milliseconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'selector' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

"""`import selector` and `selector --help` load nothing heavy; no timing here, since a busy machine would make it fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "numba", "scipy", "sklearn", "datasets", "transformers", "sentence_transformers", "pandas", "pydantic"}
WORDS = [
    "import selector; dir(selector)",
    "from selector.cli import main; main(['--help'])",
    "from selector.cli import main; main(['select', '--help'])",
    "from selector.cli import main; main(['run', '--help'])",
    "from selector.cli import main; main(['list', 'objectives'])",
    "from selector.cli import main; main(['list', 'layers'])",
    "import selector.core, selector.errors, selector.registry, selector.features, selector.ties",
    "import selector.limits, selector.objectives.coverage, selector.objectives.dpp, selector.layers.micro, selector.layers.macro",
]


def loaded(code: str) -> set[str]:
    """The heavy packages that are in sys.modules when a fresh interpreter has run this code."""
    ending = "import atexit, sys; atexit.register(lambda: print('\\nLOADED', *sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{ending}\n{code}"], capture_output=True, text=True, check=True)
    modules = done.stdout.rpartition("LOADED ")[2].split()
    assert "selector" in modules
    return HEAVY & set(modules)


@pytest.mark.parametrize("code", WORDS)
def test_nothing_heavy_is_loaded(code):
    assert loaded(code) == set()


def test_heavy_packages_would_be_seen():
    assert "scipy" in loaded("import selector, scipy")
    assert "pydantic" in loaded("from selector import Recipe")

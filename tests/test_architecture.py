"""The house keeps its shape: imports go down only, and files stay short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 300  # lines
LONGER = {
    "core.py": "every interface in one place, half of it docstrings",
    "demo_lexicon.py": "word banks",
    "demo_words.py": "word banks",
}


def files() -> list[Path]:
    return sorted((ROOT / "selector").rglob("*.py"))


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since import-linter sets up logging for the whole process that it runs in."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(cache_dir=None))"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)


def test_imports_keep_the_floors():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("errors.py", "selector.core"),  # the lowest floor reaches up
        ("objectives/quality.py", "selector.hygiene"),  # neighbours
        ("optimizers/lazy.py", "torch"),  # a second door
    ],
)
def test_the_contracts_see_a_fault(fault, told, tmp_path):
    copytree(ROOT / "selector", tmp_path / "selector", ignore=ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    with (tmp_path / "selector" / fault).open("a", encoding="utf-8") as file:
        file.write(f"\n\ndef late() -> None:\n    import {told}\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert f"selector.{fault.removesuffix('.py').replace('/', '.')} -> {told}" in done.stdout


@pytest.mark.parametrize("file", files(), ids=lambda file: file.relative_to(ROOT / "selector").as_posix())
def test_files_are_short(file):
    name = file.relative_to(ROOT / "selector").as_posix()
    lines = len(file.read_text(encoding="utf-8").splitlines())
    if name in LONGER:
        assert lines > LONGEST, f"{name} has {lines} lines by now: take it off the list of exceptions"
    else:
        assert lines <= LONGEST, f"{name} has {lines} lines, more than {LONGEST}: it holds two concepts; make it two files"

"""The example of CONTRIBUTING: a measure from outside the package, announced by an entry point."""

from __future__ import annotations

import importlib
import sys

import pytest

import selector
from selector import cli, registry
from tests.code_blocks import blocks

EXAMPLE = next(block.text for block in blocks("CONTRIBUTING.md") if block.note == "file: questions.py")


@pytest.fixture
def outside(tmp_path, monkeypatch):
    (tmp_path / "questions.py").write_text(EXAMPLE, encoding="utf-8")
    package = tmp_path / "questions-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: questions\nVersion: 1.0\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[selector.measures]\nquestions = questions:Questions\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("questions", None)


def test_it_is_read_like_ours(outside, capsys):
    assert "questions" in registry.names("measures")
    cli.main(["list", "measures"])
    assert "Share of texts with a question mark, in any script." in " ".join(capsys.readouterr().out.split())
    rows = [{"instruction": f"what is {n}?" if n % 4 else f"say {n}", "response": f"it is {n}"} for n in range(12)]
    found = selector.measure(selector.Pool.from_table(rows), measure={"layers": ["surface"]}, options=selector.Options(cache=None))
    told = {(line.gauge.side, line.gauge.scale.name): line.value for line in found.datasets[0].lines}
    assert told["instruction", "share of questions"] == pytest.approx(0.75)
    assert told["response", "share of questions"] == 0

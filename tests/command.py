"""The command, in this process for speed or in a fresh one where exit codes and signals count; and small pools to give it."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selector import cli

MODULE = [sys.executable, "-c", "from selector.cli import main; main()"]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def command(*words: str | Path) -> Done:
    """`selector WORDS` in this process; an exception that reaches here is one that the user would see as a traceback."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def fresh(*words: str | Path, before: str = "", **settings: Any) -> subprocess.Popen[str]:
    """`selector WORDS` in a process of its own, which first runs the Python lines `before`."""
    lines = [sys.executable, "-c", f"{before}\nfrom selector.cli import main\nmain()"]
    return subprocess.Popen(
        [*lines, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings
    )  # fmt: skip


def pairs(rows: int) -> dict[str, list[str]]:
    """Distinct pairs that share words, so that every layer finds something."""
    return {
        "id": [f"r{i}" for i in range(rows)],
        "instruction": [f"please explain thing {i % 7} of matter {i}" for i in range(rows)],
        "response": [f"answer {i} speaks of word{i % 5} and word{i % 3} and matter {i // 2}" for i in range(rows)],
    }


def pool(path: Path, rows: int = 40, **columns: Any) -> Path:
    """A Parquet file of `pairs`, with these columns beside or instead of its own."""
    pq.write_table(pa.table({**pairs(rows), **columns}), path)
    return path

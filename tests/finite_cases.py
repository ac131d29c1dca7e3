"""Selections of hard numbers in a process of its own, which is ended where one takes too long: a hang fails and hangs nothing else."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from selector import select_rows
from selector.errors import SelectorError

SLOW = 120  # seconds for the first selection: imports and compiled loops
SECONDS = 30  # for any other


def rows(kind: str, seed: int = 5) -> np.ndarray:
    """(40, 6) in four clouds; `copies` are of 20 rows, two of them zero."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(40, 6)) + 2 * rng.normal(size=(4, 6))[rng.integers(0, 4, 40)]
    if kind == "copies":
        values[20:] = values[:20]
        values[[3, 7]] = 0
    elif kind == "magnitudes":  # from row to row
        values *= 10.0 ** np.linspace(-300, 300, 40)[:, None]
    return values


def matrix(kind: str, magnitude: float, dtype: str, sparse: bool) -> Any:
    from scipy.sparse import csr_array

    values = rows(kind) * magnitude
    values = np.rint(values).astype(dtype) if dtype.startswith(("i", "u", "b")) else values.astype(dtype)
    return csr_array(values) if sparse else values


def outcome(case: dict[str, Any]) -> list[Any]:
    """['ended', rows, value] or ['refused', message]."""
    given = dict(case["matrix"])
    try:
        found = select_rows(matrix(**given), **case["words"])
    except SelectorError as error:
        return ["refused", str(error)]
    assert len(set(found.rows.tolist())) == case["words"]["budget"], found.rows
    return ["ended", found.rows.tolist(), float(found.value)]


def serve() -> None:
    """One case a line."""
    warnings.simplefilter("error", RuntimeWarning)
    for line in sys.stdin:
        try:
            told = outcome(json.loads(line))
        except BaseException as error:
            told = ["fault", f"{type(error).__name__}: {error}"]
        print(json.dumps(told), flush=True)


class Apart:
    """The process; a new one after a hang."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def ask(self, **case: Any) -> list[Any]:
        seconds = SECONDS
        if self.process is None:
            lines = [sys.executable, "-c", "from tests.finite_cases import serve; serve()"]
            seconds, pipe = SLOW, subprocess.PIPE
            self.process = subprocess.Popen(lines, cwd=Path(__file__).parents[1], stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            self.end()
            return ["hang", f"no answer in {seconds} seconds"]
        return json.loads(self.process.stdout.readline() or '["fault", "the process died"]')

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

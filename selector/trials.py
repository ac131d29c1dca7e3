"""Runs of commands: each in a folder of its own, with its logs, time-outs and exit codes; what is finished is never repeated."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from selector.writing import json_file

CHILD = "child.json"  # which process is at work on a run
GRACE = 5.0  # seconds that a command has to end by itself when it is stopped
LINES = 2_000  # printed last that may hold the score
TAIL = 300  # characters of a log that an error shows


@dataclass(frozen=True)
class Trial:
    """One run: its folder, its commands with everything filled in, and what they depend on beside their words."""

    name: str
    folder: Path
    commands: Mapping[str, str]  # 'train' and 'score', in this order; each writes a log of its name
    files: Mapping[str, str]  # written before, by name
    depends: Mapping[str, Any]
    read: Path | None  # file that the last command writes; None: it prints JSON
    timeout: float | None
    keep_output: bool

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def words(self) -> dict[str, Any]:
        """What a finished run was made by: other words, another run."""
        return {"commands": dict(self.commands), "files": dict(self.files), "depends": dict(self.depends)}


@dataclass
class Children:
    """Commands under way, so that they can be ended together."""

    stopping: bool = False
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        with self.lock, log.open("ab") as opened:
            if self.stopping:
                raise _Stopped
            # A session of its own: what the command starts ends with it, and Ctrl-C reaches it through us alone.
            child = subprocess.Popen(
                command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=opened, start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
            self.running.add(child)
            return child

    def end(self) -> None:
        with self.lock:
            self.stopping = True
            under_way = list(self.running)
        for child in under_way:
            end(child)


class _Stopped(Exception):
    """The whole experiment is being stopped."""


def fill(written: str, values: Mapping[str, Any], *, quoted: bool) -> str:
    """The text with {name} replaced for the names in `values` alone, so that the braces of JSON stay; quoted as a shell wants it."""

    def value(match: re.Match[str]) -> str:
        found = values[match.group(1)]
        if isinstance(found, list):
            return shlex.join(found)
        return shlex.quote(str(found)) if quoted else str(found)

    return re.sub(r"\{(" + "|".join(map(re.escape, values)) + r")\}", value, written)


def told(trial: Trial) -> dict[str, Any] | None:
    """What the run's folder says of it; None where it was never begun, or by other words."""
    try:
        found = json.loads((trial.folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("words") == trial.words else None


def run(trials: Sequence[Trial], jobs: int, done: Callable[[Trial, dict[str, Any]], None]) -> None:
    """Does the runs, `jobs` at a time, in order; calls `done` with what each run's folder says when it has ended, well or not.

    When interrupted, ends all commands under way and what they started, and raises what interrupted it.
    """
    children = Children()
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_one, trial, children): trial for trial in trials}
        try:
            for one in as_completed(waiting):
                done(waiting[one], one.result())
        except BaseException:
            for one in waiting:
                one.cancel()
            children.end()
            raise


def _one(trial: Trial, children: Children) -> dict[str, Any]:
    state, printed = _begun(trial, told(trial)), b""
    for name, command in trial.commands.items():
        if name in state["done"]:
            continue
        if trial.read is not None:
            trial.read.unlink(missing_ok=True)  # of an earlier try
        began = time.monotonic()
        code, printed = _command(command, trial, trial.folder / f"{name}.log", children)
        state["done"][name] = {"exit_code": code, "seconds": round(time.monotonic() - began, 3)}
        if code != 0:
            why = f"took longer than {trial.timeout:g} s" if code is None else f"ended with exit code {code}"
            return _put(trial, state, "failed", why=f"{name} {why}{_last(trial.folder / f'{name}.log')}")
        _put(trial, state, "begun")
    try:
        result = _object(trial.read.read_text(encoding="utf-8") if trial.read is not None else _last_object(printed))
    except (OSError, ValueError) as error:
        where = str(trial.read) if trial.read is not None else "what score printed last"
        return _put(trial, state, "failed", why=f"{where} is no JSON object: {error}")
    if not trial.keep_output:
        shutil.rmtree(trial.output, ignore_errors=True)
    return _put(trial, state, "finished", result=result)


def _end_left_over(trial: Trial) -> None:
    """Ends a command of this run that outlived the process that started it, as when that was killed outright."""
    try:
        left = json.loads((trial.folder / CHILD).read_text(encoding="utf-8"))
        process = psutil.Process(left["pid"])
        same = process.create_time() == left["started"]  # a number may belong to another process by now
    except (OSError, ValueError, psutil.NoSuchProcess):
        return
    for one in (signal.SIGTERM, signal.SIGKILL) if same else ():
        with suppress(ProcessLookupError):
            os.killpg(process.pid, one)
        with suppress(psutil.TimeoutExpired):
            process.wait(GRACE)
            return


def _begun(trial: Trial, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The folder as the next command finds it: with the training, where that had ended well, and otherwise new."""
    _end_left_over(trial)
    train = (before or {}).get("done", {}).get("train")
    if train is not None and train["exit_code"] == 0 and trial.output.exists():
        return {"done": {"train": train}}
    shutil.rmtree(trial.folder, ignore_errors=True)
    trial.output.mkdir(parents=True)
    for name, content in trial.files.items():
        (trial.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (trial.folder / name).write_text(content, encoding="utf-8")
    state: dict[str, Any] = {"done": {}}
    _put(trial, state, "begun")
    return state


def _put(trial: Trial, state: Mapping[str, Any], name: str, **more: Any) -> dict[str, Any]:
    content = {"name": trial.name, "state": name, **more, "done": state["done"], "words": trial.words}
    partial = trial.folder / ".run.json"
    json_file(partial, content)
    partial.replace(trial.folder / "run.json")
    return content


def _command(command: str, trial: Trial, log: Path, children: Children) -> tuple[int | None, bytes]:
    """Exit code, None where the time was up, and what was printed; that goes into the log as well."""
    log.unlink(missing_ok=True)
    child = children.start(command, log)
    mark = trial.folder / CHILD
    with suppress(psutil.NoSuchProcess):  # it has ended by now
        json_file(mark, {"pid": child.pid, "started": psutil.Process(child.pid).create_time()})
    parts: list[bytes] = []
    assert child.stdout is not None
    reader = threading.Thread(target=_copy, args=(child.stdout, log, parts), daemon=True)
    reader.start()
    try:
        code: int | None = child.wait(trial.timeout)
    except subprocess.TimeoutExpired:
        end(child)
        code = None
    finally:
        children.running.discard(child)
        mark.unlink(missing_ok=True)
    reader.join(GRACE)
    if children.stopping:
        raise _Stopped
    return code, b"".join(parts)


def _copy(source: Any, log: Path, parts: list[bytes]) -> None:
    with log.open("ab", buffering=0) as opened:
        for line in source:
            opened.write(line)
            parts.append(line)
            del parts[:-LINES]


def end(child: subprocess.Popen[bytes]) -> None:
    """Ends a command and all it started: politely, then for good."""
    for one, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(child.pid, one)
        except ProcessLookupError:
            return
        try:
            child.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue


def _last_object(printed: bytes) -> str:
    """What begins with the last line that begins with a brace."""
    lines = printed.decode("utf-8", "replace").splitlines()
    begins = [number for number, line in enumerate(lines) if line.startswith("{")]
    return "\n".join(lines[begins[-1] :]) if begins else ""


def _object(written: str) -> dict[str, Any]:
    found = json.loads(written, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError(f"it is {written[:80]}")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"it says {constant}, which is no number")


def _last(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f": {lines[-1][-TAIL:]}" if lines else ""


def numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a JSON object by their place in it, keys with '/' between."""
    for key, value in result.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, (int, float)):
            yield key, float(value)
        elif isinstance(value, Mapping):
            yield from ((f"{key}/{below}", number) for below, number in numbers(value))

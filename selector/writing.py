"""Write a subset as a dataset folder that explains itself: whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from selector.errors import OutputError

ROWS_PER_FILE = 200_000
OWN = {  # names that a selection's folder may hold
    *("README.md", "manifest.json", "data", "picks.parquet", "dropped.parquet", "vocabulary-*.csv"),
    *("dataset_info.json", "state.json", "*.arrow"),
    *("balance.json", "love-plot.png", "love-plot.svg"),  # of matched splits
    *("effect.json", "effect.html", "effect.png", "effect.svg", "slopes.png", "slopes.svg"),  # of estimates
    *("paper-lines.png", "paper-lines.svg"),
    *("levels.csv", "measures.csv", "cross-layer.csv", "cross-layer.png", "cross-layer.svg"),  # of ladders
}


def check(folder: Path, overwrite: bool) -> None:
    """Raises OutputError when `folder` may not be written: before any work, so that none is lost."""
    if folder.is_symlink() and not folder.exists():
        raise OutputError(f"{folder} is a link to nothing; name a folder.")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder that does not exist yet.")
    if folder.is_dir() and (inside := sorted(one.name for one in folder.iterdir())):
        if not _ours(folder):
            raise OutputError(
                f"{folder} is not empty and was not written by selector (it holds {', '.join(inside[:5])}); name another folder."
            )
        if not overwrite:
            raise OutputError(f"{folder} holds a selection already; name another folder, or replace it with --overwrite.")
        foreign = [name for name in inside if not any(fnmatch(name, own) for own in OWN)]
        if foreign:
            raise OutputError(
                f"{folder} holds {', '.join(foreign[:5])} beside the selection, which --overwrite would delete; move that first."
            )
    parent = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputError(f"{folder} cannot be made: {parent} is not a folder that may be written to.")


def _ours(folder: Path) -> bool:
    """Whether the folder holds a manifest of this program."""
    try:
        return "diversity-selector" in json.loads((folder / "manifest.json").read_bytes())["versions"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def whole(folder: Path, overwrite: bool, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a new folder beside `folder`, then put it in place; on any failure nothing is left behind.

    Raises OutputError as `check` does, and when the disk is full or refuses.
    """
    check(folder, overwrite)
    place = folder.resolve()  # through a link, so that the link stays
    made: list[Path] = []
    try:
        made = _make_parents(place.parent)
        partial = Path(tempfile.mkdtemp(prefix=f".{place.name}.partial-", dir=place.parent))
        try:
            partial.chmod(0o777 & ~_umask())
            fill(partial)
            with _undisturbed():
                _put(partial, place, overwrite)
        except BaseException:
            with _undisturbed():
                shutil.rmtree(partial, ignore_errors=True)
                for parent in reversed(made):
                    with suppress(OSError):  # another run may have written there meanwhile
                        parent.rmdir()
            raise
    except pa.ArrowException as error:
        raise OutputError(f"{folder} could not be written: {error}. Nothing was left half-written.") from error
    except OSError as error:
        why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise OutputError(
            f"{folder} could not be written: {why}. Nothing was left half-written; free some space or name another folder."
        ) from error


def _make_parents(parent: Path) -> list[Path]:
    missing = [one for one in (parent, *parent.parents) if not one.exists()][::-1]
    for one in missing:
        one.mkdir()
    return missing


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and a polite kill wait until the few renames or the cleaning in here are done."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield
        return
    came: list[int] = []
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, lambda number, _: came.append(number)) for one in both]
    try:
        yield
    finally:
        for one, handler in zip(both, before, strict=True):
            signal.signal(one, handler or signal.SIG_DFL)
        for number in came:
            signal.raise_signal(number)


def _put(partial: Path, place: Path, overwrite: bool) -> None:
    try:
        os.replace(partial, place)  # onto nothing, or onto an empty folder
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    if not overwrite:
        raise OutputError(f"{place} was written by another run meanwhile; it was left alone: name another folder.")
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}.old-", dir=place.parent))
    os.replace(place, old / place.name)
    try:
        os.replace(partial, place)
    except OSError:
        os.replace(old / place.name, place)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def dataset(folder: Path, table: pa.Table, save: str) -> list[str]:
    """The rows as `data/train-*.parquet`, or as `save_to_disk` writes them; returns the file names written.

    Parquet names end in a digest of the files' bytes: `datasets` 5.2 caches a folder by its last name and the file pattern on its
    card alone, and would hand out the rows of an earlier folder of that name.
    """
    if save == "arrow":
        from datasets import Dataset, disable_progress_bars, enable_progress_bars

        disable_progress_bars()
        try:
            Dataset(table).save_to_disk(str(folder))
        finally:
            enable_progress_bars()
        return sorted(one.name for one in folder.glob("*.arrow"))
    return parquet(folder, "data", table)


def parquet(folder: Path, below: str, table: pa.Table) -> list[str]:
    """The rows as `train-*.parquet` in the new folder `below`, with digests in their names as `dataset` says; returns the file names."""
    (folder / below).mkdir(parents=True)
    files = max(1, -(-table.num_rows // ROWS_PER_FILE))
    names = [f"{below}/train-{number:05d}-of-{files:05d}" for number in range(files)]
    whole = hashlib.blake2b(digest_size=8)
    for number, name in enumerate(names):
        pq.write_table(table.slice(number * ROWS_PER_FILE, ROWS_PER_FILE), folder / name, compression="zstd")
        with (folder / name).open("rb") as opened:
            whole.update(hashlib.file_digest(opened, "blake2b").digest())
    for name in names:
        (folder / name).rename(folder / f"{name}-{whole.hexdigest()}.parquet")
    return [f"{name}-{whole.hexdigest()}.parquet" for name in names]


def tables(folder: Path, named: Mapping[str, pa.Table]) -> None:
    """Each table under its name, which ends in .parquet or .csv."""
    for name, table in named.items():
        if name.endswith(".csv"):
            pyarrow.csv.write_csv(_flat(table), folder / name)
        else:
            pq.write_table(table, folder / name, compression="zstd")


def _flat(table: pa.Table) -> pa.Table:
    """Lists of texts as one text, joined by '|': CSV knows no lists."""
    for place, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            table = table.set_column(place, field.name, pc.binary_join(table.column(place), "|"))
    return table


def json_file(path: Path, content: Any) -> None:
    """Indented JSON; NaN and infinity are refused, since no other reader takes them."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def dataset_info(name: str, table: pa.Table, write_as: str, file: str) -> dict[str, Any]:
    """LLaMA-Factory's entry for the dataset, as its data/README.md documents it.

    Its reader takes only the columns and tags that are named here once any are, so all that the table has are.
    """
    entry: dict[str, Any] = {"file_name": file, "formatting": "alpaca" if write_as in ("alpaca", "prompt-completion") else "sharegpt"}
    if write_as == "alpaca":
        columns = {"prompt": "instruction", "query": "input", "response": "output", **_also(table, "system", "history")}
    elif write_as == "prompt-completion":
        columns = {"prompt": "prompt", "response": "completion"}
    else:
        columns = {"messages": "conversations" if write_as == "sharegpt" else "messages", **_also(table, "system", "tools")}
        names = ("from", "value", "human", "gpt", "observation", "function_call")
        if write_as == "messages":
            names = ("role", "content", "user", "assistant", "tool", "function_call")
        tags = ("role_tag", "content_tag", "user_tag", "assistant_tag", "observation_tag", "function_tag")
        entry["tags"] = {**dict(zip(tags, names, strict=True)), "system_tag": "system"}
    return {name: {**entry, "columns": columns}}


def _also(table: pa.Table, *names: str) -> dict[str, str]:
    """Those of these columns that the table has in the type that LLaMA-Factory reads: texts, and lists of pairs as history."""
    there = {field.name: field.type for field in table.schema if field.name in names}
    wanted = {"history": pa.list_(pa.list_(pa.string()))}
    return {name: name for name, kind in there.items() if kind == wanted.get(name, pa.string())}

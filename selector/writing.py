"""Write a subset as a dataset folder that explains itself: whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from selector.errors import OutputError

ROWS_PER_FILE = 200_000


def check(folder: Path, overwrite: bool) -> None:
    """Raises OutputError when `folder` may not be written: before any work, so that none is lost."""
    if folder.is_symlink() and not folder.exists():
        raise OutputError(f"{folder} is a link to nothing; name a folder.")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder that does not exist yet.")
    if folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise OutputError(f"{folder} is not empty; name another folder, or replace it with --overwrite.")
        if not (folder / "manifest.json").is_file():
            raise OutputError(f"{folder} was not written by selector (it has no manifest.json), so --overwrite will not replace it.")
    parent = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputError(f"{folder} cannot be made: {parent} is not a folder that may be written to.")


def whole(folder: Path, overwrite: bool, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a new folder beside `folder`, then put it in place; on any failure nothing is left behind.

    Raises OutputError as `check` does, and when the disk is full or refuses.
    """
    check(folder, overwrite)
    place = folder.absolute()
    made: list[Path] = []
    try:
        made = _make_parents(place.parent)
        partial = Path(tempfile.mkdtemp(prefix=f".{place.name}.partial-", dir=place.parent))
        try:
            partial.chmod(0o777 & ~_umask())
            fill(partial)
            _put(partial, place)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            for parent in reversed(made):
                parent.rmdir()
            raise
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


def _put(partial: Path, place: Path) -> None:
    if not place.exists():
        os.replace(partial, place)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}.old-", dir=place.parent))
    os.replace(place, old / place.name)
    try:
        os.replace(partial, place)
    except BaseException:
        os.replace(old / place.name, place)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def dataset(folder: Path, table: pa.Table, save: str) -> list[str]:
    """The rows as `data/train-*.parquet`, or as `save_to_disk` writes them; returns the file names written."""
    if save == "arrow":
        from datasets import Dataset, disable_progress_bars, enable_progress_bars

        disable_progress_bars()
        try:
            Dataset(table).save_to_disk(str(folder))
        finally:
            enable_progress_bars()
        return sorted(one.name for one in folder.glob("*.arrow"))
    (folder / "data").mkdir()
    files = max(1, -(-table.num_rows // ROWS_PER_FILE))
    names = [f"data/train-{number:05d}-of-{files:05d}.parquet" for number in range(files)]
    for number, name in enumerate(names):
        pq.write_table(table.slice(number * ROWS_PER_FILE, ROWS_PER_FILE), folder / name, compression="zstd")
    return names


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


def dataset_info(name: str, write_as: str, file: str) -> dict[str, Any]:
    """LLaMA-Factory's entry for the dataset, as its data/README.md documents it."""
    if write_as == "alpaca":
        columns = {"prompt": "instruction", "query": "input", "response": "output"}
        return {name: {"file_name": file, "formatting": "alpaca", "columns": columns}}
    if write_as == "prompt-completion":
        return {name: {"file_name": file, "formatting": "alpaca", "columns": {"prompt": "prompt", "response": "completion"}}}
    if write_as == "sharegpt":
        tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt", "system_tag": "system"}
        return {name: {"file_name": file, "formatting": "sharegpt", "columns": {"messages": "conversations"}, "tags": tags}}
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant", "system_tag": "system"}
    return {name: {"file_name": file, "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}}


def card(title: str, manifest: Mapping[str, Any], save: str) -> str:
    """The dataset card: front matter that names the data files, then what the subset is in words a person can read."""
    objective, pool = manifest["objective"], manifest["pool"]
    front = ["---"]
    if save == "parquet":
        front += ["configs:", "- config_name: default", "  data_files:", "  - split: train", "    path: data/*.parquet"]
    front += ["tags:", "- instruction-tuning", "- diversity", "- subset-selection", "---"]
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in pool["dropped"].items()) or "none"
    lines = [
        f"# {title}",
        "",
        f"{manifest['selected']:,} of {pool['rows']:,} rows of `{pool['source']}`, chosen by {objective['name']} "
        f"on {_where(objective)} with diversity-selector {manifest['versions']['diversity-selector']}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| budget | {manifest['budget']:,} {manifest['budget_unit']} |",
        f"| selected | {manifest['selected']:,} distinct rows ({manifest['stopped']}) |",
        f"| value | {_number(objective['value'])} |",
        f"| random subset of the same size | {_number(objective['random_value'])} |",
        f"| upper bound on any subset | {_number(objective['upper_bound'], objective['no_bound_because'])} |",
        f"| proved share of the optimum | {_percent(objective['ratio'])} |",
        f"| dropped before selection | {dropped} |",
        f"| seed | {manifest['seed']} |",
        "",
        "Rows stand in pick order: the first n rows are the selection for a budget of n. `picks.parquet` gives each row's place in the",
        "source (`row`, from 0), its `order` and its marginal `gain`; `manifest.json` holds everything needed to make this folder again,",
        "the recipe included.",
        "",
        "```yaml",
        manifest["recipe"].rstrip(),
        "```",
        "",
        "The rows keep the licence and the limits of their sources.",
    ]
    return "\n".join([*front, "", *lines, ""])


def _where(objective: Mapping[str, Any]) -> str:
    return str(objective["parts"]) if objective.get("parts") else f"the {objective['layer']} layer of the {objective['side']} side"


def _number(value: float | None, otherwise: str | None = None) -> str:
    return f"{value:,.6g}" if value is not None else (f"not known: {otherwise}" if otherwise else "not known")


def _percent(ratio: float | None) -> str:
    return "not known" if ratio is None else f"at least {100 * ratio:.2f} %"

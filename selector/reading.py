"""What the user named (a file, a folder, a hub name, `demo`) -> one Arrow table with the columns as they were found."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa

from selector import hub, json_rows
from selector.errors import InputError, hint, plural

KINDS = {".parquet": "parquet", ".jsonl": "JSON lines", ".jsonl.gz": "JSON lines", ".json": "JSON", ".csv": "CSV"}
# Files that stand beside a dataset and are none: this project's own, and those of datasets, model repositories and trainers.
BESIDE = {
    "picks.parquet",
    "manifest.json",
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
    "config.json",
}
SPLIT = re.compile(r"(train|test|validation|valid|val|dev|eval)(?:[-_.\d]|$)", re.IGNORECASE)
CSV_BLOCK = 64 << 20  # bytes; no row of a CSV file may be longer
HUB = "hf://datasets/"


@dataclass(frozen=True)
class Reading:
    """A table, and one line (`file:17: why`) for each bad line that was skipped."""

    table: pa.Table
    skipped: tuple[str, ...] = ()


def read(
    source: str | Path,
    *,
    split: str | None = None,
    config: str | None = None,
    skip_bad: bool = False,
    text_columns: Collection[str] = (),
) -> Reading:
    """Read a file, a folder, a hub dataset (`org/name`, or `hf://datasets/org/name`) or the generated pool `demo`.

    Rows stand in file order, shards by name. `text_columns` are never taken for numbers in CSV files. Raises InputError naming
    the file, and the line where there is one.
    """
    if source == "demo":
        from selector.demo import table

        return Reading(table())
    path = Path(source).expanduser()
    if path.exists():
        reading = _local(path, split, config, skip_bad, {name.lower() for name in text_columns})
    elif name := _hub_name(source, path):
        reading = Reading(hub.fetched(name, split, config))
    else:
        raise _missing(path)
    if not reading.table.num_rows:
        raise InputError(f"{source}: a pool needs at least one row; this one has none" + _skipped_all(reading) + ".")
    return reading


def _local(path: Path, split: str | None, config: str | None, skip_bad: bool, text_columns: set[str]) -> Reading:
    configs = _configs(path)
    if config is not None and not configs:
        raise InputError(
            f"{path}: a config was asked for ('{config}'), but only hub datasets and folders of several sets have configs; leave it out."
        )
    if configs and config not in configs:
        asked = f"there is no config '{config}'" if config is not None else "this holds several sets; choose one with --config"
        raise InputError(f"{path}: {asked}. {hint(config or '', configs)}")
    if path.is_dir():
        if hub.is_saved(path):
            return Reading(hub.saved(path, split))
        shards = _shards(path / "data" / config if config else path, split)
    elif split is not None:
        raise InputError(f"{path}: a split was asked for ('{split}'), but this is one file; leave it out, or name the split's own file.")
    else:
        shards = [path]
    kinds = {_kind(shard) for shard in shards}
    if None in kinds:
        raise InputError(f"{path}: a pool is a file ending in {', '.join(KINDS)}, a folder of such files, or a hub name.")
    if len(kinds) > 1:
        raise InputError(
            f"{path}: the shards of a folder must be of one kind, but this one mixes {' and '.join(sorted(map(str, kinds)))} "
            f"({shards[0].name} ... {shards[-1].name}); name the file you mean."
        )
    for shard in shards:
        if shard.stat().st_size == 0:
            raise InputError(f"{shard}: the file is empty (0 bytes); write it again or leave it out.")
    try:
        return _files(kinds.pop(), shards, skip_bad, text_columns)
    except OSError as error:
        raise InputError(f"{error.filename or path}: the file cannot be read: {error.strerror or error}.") from error


def _files(kind: str | None, shards: list[Path], skip_bad: bool, text_columns: set[str]) -> Reading:
    if kind == "JSON lines":
        table, skipped = json_rows.from_lines(shards, skip_bad)
        return Reading(table, tuple(skipped))
    if kind == "parquet":
        return Reading(_together(shards, [_parquet(shard) for shard in shards]))
    readings = [_json(shard, skip_bad) if kind == "JSON" else _csv(shard, skip_bad, text_columns) for shard in shards]
    return Reading(_together(shards, [reading.table for reading in readings]), sum((reading.skipped for reading in readings), ()))


def _parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path}: this is no whole Parquet file ({hub.first_line(error)}); it may be cut short: write or fetch it again."
        ) from error


def _json(path: Path, skip_bad: bool) -> Reading:
    try:
        document = json_rows.load(path)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}:{line}: the text must be UTF-8, but byte 0x{error.object[error.start]:02x} is not; save it as UTF-8."
        ) from error
    except (ValueError, RecursionError) as error:
        if path.read_bytes().removeprefix(json_rows.BOM).lstrip()[:1] == b"{":
            table, skipped = json_rows.from_lines([path], skip_bad)
            return Reading(table, tuple(skipped))
        raise InputError(f"{path}: this is neither one JSON array nor JSON lines ({error}); mend it there.") from error
    if not isinstance(document, list):
        found = f"an object with the keys {', '.join(list(document)[:8])}" if isinstance(document, dict) else "a single value"
        raise InputError(f"{path}: a JSON pool is an array of objects; this is {found}. Write the rows as an array or as JSON lines.")
    table, skipped = json_rows.from_array(document, str(path), skip_bad)
    return Reading(table, tuple(skipped))


def _csv(path: Path, skip_bad: bool, text_columns: set[str]) -> Reading:
    from pyarrow import csv as arrow

    skipped: list[str] = []

    def invalid(row: Any) -> str:
        if skip_bad:
            skipped.append(f"{path}: row {row.number}: {row.actual_columns} values instead of {row.expected_columns}")
        return "skip" if skip_bad else "error"

    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), [])
        table = arrow.read_csv(
            path,
            arrow.ReadOptions(use_threads=False, block_size=CSV_BLOCK),
            arrow.ParseOptions(newlines_in_values=True, invalid_row_handler=invalid),
            arrow.ConvertOptions(column_types={name: pa.string() for name in header if name.lower() in text_columns}),
        )
        if not any(pa.types.is_binary(field.type) for field in table.schema):
            return Reading(table, tuple(skipped))
        fault = "it holds bytes that are not UTF-8"
    except (UnicodeDecodeError, pa.ArrowException, csv.Error) as error:
        fault = hub.first_line(error)
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}:{number}: the text must be UTF-8, but byte 0x{line[error.start]:02x} is not; save it as UTF-8."
                ) from error
    raise InputError(
        f"{path}: this CSV file cannot be read: {fault}; mend that row, or leave such rows out with --skip-bad (skip_bad=True)."
    )


def distinct(table: pa.Table, source: str) -> None:
    """Raises InputError where two columns have one name."""
    names = table.column_names
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{source}: column names must differ, but '{repeated[0]}' is there twice; rename one of them.")


def _together(paths: list[Path], tables: list[pa.Table]) -> pa.Table:
    for path, table in zip(paths, tables, strict=True):
        distinct(table, str(path))
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        for path, table in zip(paths, tables, strict=True):
            for field in table.schema:
                first = next(i for i, other in enumerate(tables) if field.name in other.column_names)
                there = tables[first].schema.field(field.name).type
                try:
                    pa.concat_tables([tables[first].select([field.name]), table.select([field.name])], promote_options="permissive")
                except pa.ArrowException:
                    raise InputError(
                        f"{path}: column '{field.name}' is {field.type} here but {there} in {paths[first].name}; the shards "
                        f"of one pool need one type: convert one of them."
                    ) from error
        raise InputError(f"{paths[0].parent}: the shards do not fit together: {hub.first_line(error)}.") from error


def _kind(path: Path) -> str | None:
    name = path.name.lower()
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)


def _configs(folder: Path) -> list[str]:
    """The configurations of a folder as `configurations.write` lays them out: folders of files in `data`, and no file beside them."""
    inside = sorted((folder / "data").iterdir()) if (folder / "data").is_dir() else []
    return [one.name for one in inside] if inside and all(one.is_dir() and any(map(_kind, one.iterdir())) for one in inside) else []


def _shards(folder: Path, split: str | None) -> list[Path]:
    """The dataset files of a folder, or of its `data` folder where that holds any, of one split."""

    def files(place: Path) -> list[Path]:
        found = sorted(place.iterdir()) if place.is_dir() else []
        return [one for one in found if one.is_file() and _kind(one) and one.name[0] not in "._" and one.name not in BESIDE]

    shards = files(folder / "data") or files(folder)
    if not shards:
        inside = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
        there = f"it holds {', '.join(inside[:12])}" if inside else "it is empty"
        raise InputError(f"{folder}: no file ending in {', '.join(KINDS)} in this folder or its data folder; {there}.")
    named = {shard: match.group(1) for shard in shards if (match := SPLIT.match(shard.name))}
    splits = sorted(set(named.values()))
    if split is not None:
        chosen = [shard for shard in shards if re.match(rf"{re.escape(split)}(?:[-_.]|$)", shard.name)]
        if not chosen:
            raise InputError(f"{folder}: no file of a split '{split}'. {hint(split, splits or [shard.name for shard in shards])}")
        return chosen
    if len(splits) > 1:
        raise InputError(f"{folder}: the files are of several splits ({', '.join(splits)}); choose one with --split.")
    return shards


def _hub_name(source: str | Path, path: Path) -> str | None:
    """`org/name` where nothing on this machine looks like it was meant instead."""
    if not isinstance(source, str):
        return None
    if source.startswith(HUB):
        return source.removeprefix(HUB)
    meant_here = _kind(path) or path.parent.exists()
    return source if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", source) and not meant_here else None


def _missing(path: Path) -> InputError:
    parent = path.parent
    if not parent.is_dir():
        return InputError(
            f"{path}: no such file or folder (and no folder {parent}); name a file, a folder, a hub dataset org/name, or demo."
        )
    inside = [one.name for one in parent.iterdir() if not one.name.startswith(".")]
    near = get_close_matches(path.name, inside, n=1, cutoff=0.6)
    there = (
        f"Did you mean '{parent / near[0]}'?"
        if near
        else f"The folder {parent} has {plural(len(inside), 'entry').replace('entrys', 'entries')}."
    )
    return InputError(
        f"{path}: no such file or folder. {there} A hub dataset whose name begins like a folder here is written {HUB}org/name."
    )


def _skipped_all(reading: Reading) -> str:
    return f" ({plural(len(reading.skipped), 'bad row')} skipped, the first: {reading.skipped[0]})" if reading.skipped else ""

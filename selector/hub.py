"""The door to `datasets`: folders it wrote with save_to_disk, and datasets on the Hugging Face hub."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa

from selector.errors import InputError, hint

log = logging.getLogger(__name__)


def is_saved(path: Path) -> bool:
    """Whether this folder was written by `save_to_disk`."""
    return (path / "dataset_dict.json").exists() or (path / "state.json").exists()


def saved(path: Path, split: str | None) -> pa.Table:
    """The table of a folder written by `save_to_disk`. Raises InputError when it cannot be loaded whole."""
    from datasets import load_from_disk

    try:
        return table_of(load_from_disk(str(path)), str(path), split)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: this folder was written by save_to_disk, but cannot be loaded ({first_line(error)}); write it again."
        ) from error


def fetched(name: str, split: str | None, config: str | None) -> pa.Table:
    """The table of a hub dataset. Raises InputError when it cannot be reached, is not there, or lacks the config or split."""
    from datasets import load_dataset

    log.info("%s: loading from the Hugging Face hub", name)
    try:
        dataset = load_dataset(name, config)
    except Exception as error:  # the hub's client raises its own kinds, its HTTP library's and the loader's
        raise InputError(
            f"{name}: no such file or folder here, and the hub dataset of that name cannot be loaded ({first_line(error)}). "
            f"Check the name and the config, the network and your access; or download it and name the folder."
        ) from error
    return table_of(dataset, name, split)


def table_of(dataset: Any, source: str, split: str | None = None) -> pa.Table:
    """The Arrow table of a Dataset, or of one split of a DatasetDict: the split asked for, the only one, or `train`."""
    if isinstance(dataset, dict):
        name = split or ("train" if "train" in dataset else next(iter(dataset)) if len(dataset) == 1 else "")
        if name not in dataset:
            what = f"no split '{split}'. {hint(split, dataset)}" if split else f"choose one of the splits {', '.join(dataset)}."
            raise InputError(f"{source}: {what}")
        if len(dataset) > 1:
            log.info("%s: split '%s' of %s", source, name, ", ".join(dataset))
        dataset = dataset[name]
    elif split is not None and str(dataset.split) != split:
        raise InputError(f"{source}: the split '{split}' was asked for, but this dataset has no splits; leave it out.")
    return dataset.with_format("arrow")[:]


def first_line(error: BaseException) -> str:
    """The first line of another library's message."""
    return str(error).strip().split("\n")[0] or type(error).__name__

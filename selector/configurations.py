"""One dataset of several configurations in one folder: sets to train on and compare, each loaded by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from selector import writing


def write(
    folder: str | Path, named: Mapping[str, pa.Table], beside: Mapping[str, Any], body: str, *,
    tags: Iterable[str] = (), overwrite: bool = False,
) -> Path:  # fmt: skip
    """Each table as the configuration of its name, in this order, with the files `beside` and a card: whole or not at all.

    `beside` holds a table (.parquet or .csv), JSON values, a text, or the bytes of a picture under each file name.
    `datasets.load_dataset(folder, name, split="train")` gives the rows of one. The files lie under `data/NAME/`, and their names end
    in a digest for the reason that `writing.dataset` gives. `body` is the card below the front matter, `tags` stand in it. No
    configuration is the default: a set that is to be compared is loaded by name. `writing.OWN` must hold the names of `beside`, and a
    `manifest.json` with `versions` among them is what lets a later run replace the folder.
    Raises OutputError as `writing.whole` does, ValueError for a name that is not lower-case letters, digits and hyphens.
    """
    folder = Path(folder)
    if wrong := [name for name in named if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)]:
        raise ValueError(f"a configuration cannot be called '{wrong[0]}'; write lower-case letters and digits with hyphens between")

    def fill(place: Path) -> None:
        front = ["---", "configs:"]
        for name, table in named.items():
            files = writing.parquet(place, f"data/{name}", table)
            path = f"data/{name}/train-*-{files[0].rpartition('-')[2]}"
            front += [f"- config_name: {name}", "  data_files:", "  - split: train", f"    path: {path}"]
        front += ["tags:", *(f"- {tag}" for tag in ("instruction-tuning", "diversity", *tags)), "---"]
        (place / "README.md").write_text("\n".join([*front, "", body.rstrip(), ""]), encoding="utf-8")
        for name, content in beside.items():
            _put(place / name, content)

    writing.whole(folder, overwrite, fill)
    return folder


def _put(path: Path, content: Any) -> None:
    if isinstance(content, pa.Table):
        writing.tables(path.parent, {path.name: content})
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        writing.json_file(path, content)

"""The dataset card: what a person reads first in the folder, and what `datasets` reads to load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selector.words import chosen_by, lengths, number, proof, reasons, verdict

NESTED = ": the first n rows are the selection for a budget of n"


def diversity_table(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of a table: each figure of the picks beside the mean of random sets, and of random sets of the same lengths."""
    if not entries:
        return []
    kept = " Rows that were kept count with every set." if entries[0]["kept"] else ""
    lines = [
        f"How diverse the picks are, beside the means of {entries[0]['sets']} random sets of as many rows of the pool and of "
        f"{entries[0]['sets']} with the same lengths.{kept}",
        "",
        "| | picks | random | same lengths |",
        "| --- | ---: | ---: | ---: |",
    ]
    for entry in entries:
        for one in entry["figures"]:
            values = " | ".join(number(one[kind]) for kind in ("picks", "random", "same_lengths"))
            lines.append(f"| {one['name']} at {entry['layer']}/{entry['side']} | {values} |")
    return [*lines, ""]


def card(title: str, manifest: Mapping[str, Any], files: Sequence[str]) -> str:
    """The dataset card: front matter that names the Parquet files, then what the subset is in words a person can read."""
    objective, pool = manifest["objective"], manifest["pool"]
    front = ["---"]
    if files[0].endswith(".parquet"):
        pattern = f"data/train-*-{files[0].rpartition('-')[2]}"
        front += ["configs:", "- config_name: default", "  data_files:", "  - split: train", f"    path: {pattern}"]
    front += ["tags:", "- instruction-tuning", "- diversity", "- subset-selection", "---"]
    has_random = objective["random_value"] is not None
    lines = [
        f"# {title}",
        "",
        f"{manifest['selected']:,} of {pool['rows']:,} rows of `{pool['source']}`, chosen by {chosen_by(objective)} "
        f"with diversity-selector {manifest['versions']['diversity-selector']}.",
        "",
        "| | |",
        "| --- | --- |",
        f"| budget | {manifest['budget']:,} {manifest['budget_unit']} |",
        f"| selected | {manifest['selected']:,} distinct rows ({manifest['stopped']}) |",
        *(f"| diversity at {one['layer']}/{one['side']} | {verdict(one)} |" for one in manifest["diversity"]),
        *([f"| lengths | {lengths(manifest['lengths'])} |"] if manifest["selected"] else []),
        f"| value | {number(objective['value'])} |",
        f"| value of a random subset within the same limits | {number(objective['random_value']) if has_random else 'not known'} |",
        f"| proved | {proof(objective)} |",
        f"| dropped before selection | {reasons(pool['dropped'])} |",
        *(
            [f"| kept before, not in here | {manifest['kept']['usable']:,} rows of `{manifest['kept']['source']}` |"]
            if manifest["kept"]
            else []
        ),
        *(f"| note | {note} |" for note in manifest["notes"]),
        f"| seed | {manifest['seed']} |",
        "",
        f"Rows stand in pick order{NESTED if manifest['nested'] else ''}. `picks.parquet` gives each row's place in the source",
        "(`row`, from 0), its `order` and its marginal `gain`; `manifest.json` holds everything needed to make this folder again, the",
        "recipe included.",
        "",
        "```yaml",
        manifest["recipe"].rstrip(),
        "```",
        "",
        *diversity_table(manifest["diversity"]),
        "The rows keep the licence and the limits of their sources.",
    ]
    return "\n".join([*front, "", *lines, ""])

"""What a person sees: progress with the time left, and the tables at the end. The library itself prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from selector.core import Progress, quiet


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress callback that draws one line a stage on standard error; silent where that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield quiet
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                for other in tasks.values():
                    bars.update(other, visible=False)
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None, visible=True)

        yield show


def lines(title: str, rows: Mapping[str, str]) -> None:
    """A titled list of names and values on standard output, at most 80 columns wide where nothing needs more."""
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    out = Console(highlight=False)
    out.print(table)


def grid(title: str, header: list[str], rows: list[list[str]]) -> None:
    """A table with a header; columns after the first stand to the right where they hold numbers."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="cyan"
    )
    for number, name in enumerate(header):
        numeric = bool(rows) and all(row[number][:1].isdigit() for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def summary(manifest: Mapping[str, Any], folder: str) -> dict[str, str]:
    """The words of the table at the end of a selection."""
    objective, pool = manifest["objective"], manifest["pool"]
    parts = [part["objective"] for part in objective["parts"]]
    rows = {
        "pool": f"{pool['source']}: {pool['rows']:,} rows, {pool['usable']:,} usable ({pool['format']})",
        "dropped": ", ".join(f"{count:,} {reason}" for reason, count in pool["dropped"].items()) or "none",
        "objective": " + ".join(parts) if parts else f"{objective['name']} on {objective['layer']}/{objective['side']}",
        "selected": f"{manifest['selected']:,} distinct rows ({manifest['stopped']})",
        "value": number(objective["value"]),
    }
    if manifest["kept"]:
        rows["kept"] = f"{manifest['kept']['rows']:,} rows of {manifest['kept']['source']} count and are not returned"
    if manifest["tokens"] is not None:
        rows["tokens"] = f"{manifest['tokens']:,}"
    if objective["random_value"] is not None:
        rows["random"] = f"{number(objective['random_value'])} for a random subset under the same limits"
    if objective["ratio"] is not None:
        rows["proof"] = f"at least {100 * objective['ratio']:.2f} % of the best possible (upper bound {number(objective['upper_bound'])})"
    else:
        rows["proof"] = f"none: {objective['no_bound_because']}"
    for note in manifest["notes"]:
        rows["note"] = note
    rows["took"] = f"{manifest['seconds']['total']:.1f} s, {manifest['peak_memory_bytes'] / 2**30:.2f} GiB at most"
    rows["written"] = folder
    return rows


def number(value: float | None) -> str:
    """Six digits, with commas."""
    return "not finite" if value is None else f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def inspected(found: Mapping[str, Any]) -> None:
    """What `inspect` found, as tables."""
    columns = ", ".join(f"{one['name']} ({one['type']})" for one in found["columns"])
    repeats = ", ".join(f"{count:,} {what}" for what, count in found["duplicates"].items())
    lines(
        found["source"],
        {
            "rows": f"{found['rows']:,}",
            "format": found["format"],
            "columns": columns,
            "repeats": repeats,
            "fingerprint": found["fingerprint"],
        },
    )
    sides = [
        [side, f"{one['empty']:,}", *(f"{one['characters'][name]:,.0f}" for name in ("min", "median", "mean", "max"))]
        for side, one in found["sides"].items()
    ]
    grid("\ncharacters", ["side", "empty", "min", "median", "mean", "max"], sides)
    for column, values in found["values"].items():
        most = [[str(one["value"]), f"{one['rows']:,}"] for one in values["most"]]
        grid(f"\n{column}: {values['distinct']:,} values", ["value", "rows"], most)
    problems = [[one["what"], f"{one['rows']:,}", "" if one["first"] is None else f"{one['first']:,}"] for one in found["problems"]]
    grid("\nproblems", ["what", "rows", "first row"], problems) if problems else lines("\nproblems", {"none": "found"})

"""What a person sees: progress with the time left, and the tables at the end. The library itself prints nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from selector.core import Progress, quiet
from selector.errors import plural, size
from selector.words import chosen_by, diverse, number, proof, reasons

if TYPE_CHECKING:  # a table needs none of the compiled loops behind it
    from selector.laddering import Rungs
    from selector.planning import Plan


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
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))
    _print(title, table)


def grid(title: str, header: list[str], rows: list[list[str]]) -> None:
    """A table with a header; columns of numbers stand to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="cyan")
    for place, name in enumerate(header):
        numeric = bool(rows) and all(row[place][:1].isdigit() or not row[place] for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(value) for value in row))
    _print(title, table)


def _print(title: str, table: Table) -> None:
    out = Console(highlight=False)
    out.print(Text(title, style="bold"))
    out.print(table)


def summary(manifest: Mapping[str, Any], folder: str) -> dict[str, str]:
    """The words of the table at the end of a selection."""
    objective, pool, kept = manifest["objective"], manifest["pool"], manifest["kept"]
    selected, budget = manifest["selected"], manifest["budget"]
    short = f" of {budget:,} asked for" if manifest["budget_unit"] == "rows" and selected < budget else ""
    rows = {
        "pool": f"{pool['source']}: {plural(pool['rows'], 'row')}, {pool['usable']:,} usable ({pool['format']})",
        "dropped": reasons(pool["dropped"]),
        "objective": chosen_by(objective),
        "selected": f"{plural(selected, 'distinct row')}{short} ({manifest['stopped']})",
        **diverse(manifest),
        "value": number(objective["value"]),
    }
    if pool["skipped_lines"]:
        rows["skipped"] = f"{plural(pool['skipped_lines'], 'bad line')}, never read as rows"
    if kept:
        rows["kept"] = f"{plural(kept['usable'], 'row')} of {kept['source']} count and are not returned"
        if kept["dropped"]:
            rows["not kept"] = f"{reasons(kept['dropped'])}: these do not count"
    if manifest["tokens"] is not None:
        rows["tokens"] = f"{manifest['tokens']:,}"
    if objective["random_value"] is not None:
        rows["random"] = f"{number(objective['random_value'])} for a random subset under the same limits"
    rows["proof"] = proof(objective)
    if manifest["notes"]:
        rows["note"] = "\n".join(manifest["notes"])
    rows["took"] = f"{manifest['seconds']['total']:.1f} s, {manifest['peak_memory_bytes'] / 2**30:.2f} GiB at most"
    rows["written"] = folder
    return rows


def planned(plan: Plan, step: str = "") -> None:
    """The table of a plan, of this step where there are several."""
    rows = [
        [
            one.name,
            "?" if one.seconds is None else f"{one.seconds:,.1f}",
            "?" if one.bytes is None else f"{one.bytes / 2**20:,.0f}",
            one.because,
        ]
        for one in plan.stages
    ]
    more = " or more" if plan.unknown else ""
    grid(f"plan of {step}" if step else "plan", ["stage", "seconds", "MiB", "by"], rows)
    unknown = {"not known": ", ".join(name.strip() for name in plan.unknown)} if plan.unknown else {}
    lines(
        "",
        {
            "in all": f"about {plan.seconds:,.0f} s{more}, {size(plan.bytes)}{more}, of {size(plan.memory)} that --memory allows",
            "machine": f"{plan.machine.flops / 1e9:,.0f} GFLOP/s, {plan.machine.walks / 1e6:,.0f}M steps/s, {size(plan.machine.memory)}",
            **unknown,
        },
    )


def ladder(rungs: Rungs, folder: str) -> None:
    """The table of a ladder's levels."""
    told = rungs.manifest
    rows = [
        [
            name,
            f"{line['types']:,}",
            f"{line['drawn_from']:,}",
            f"{line['floor']:,}",
            f"{line['types_per_row']:.1f}",
            f"{line['type_entropy_bits']:.2f}",
            f"{line['instruction_tokens']:.1f}",
            f"{line['response_tokens']:.1f}",
        ]
        for name, line in zip(rungs.names, rungs.table.to_pylist(), strict=True)
    ]
    head = ["level", "types", "from rows", "floor", "a row", "entropy", "instr. tokens", "resp. tokens"]
    grid(f"{told['layer']}/{told['side']}: {len(rungs.names)} sets of {plural(told['budget'], 'row')}", head, rows)
    if rungs.achieved is not None:
        places = [name.replace("instruction/", "instr.\n").replace("response/", "resp.\n") for name in rungs.achieved.layers().column_names]
        moves = [[level, *(cell.rjust(7) for cell in cells)] for level, *cells in rungs.achieved.words()]
        grid("\nstandard deviations from random sets (below 0 thin; * more than chance)", places, moves)
    lines(
        "",
        {
            "types": f"from {told['fewest_types']:,}, the fewest that supply a set, to {told['most_types']:,}, the most that one can "
            f"carry, of {told['all_types']:,}",
            "pool": f"{told['pool']['source']}: {told['pool']['usable']:,} usable rows, {told['rows_with_types']:,} with types",
            "dropped": reasons(told["pool"]["dropped"]),
            "took": f"{told['seconds']['total']:.1f} s, {told['peak_memory_bytes'] / 2**30:.2f} GiB at most",
            "written": folder,
        },
    )


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
        most = [["(none)" if one["value"] is None else str(one["value"]), f"{one['rows']:,}"] for one in values["most"]]
        rest = f", the {len(most)} most frequent" if values["distinct"] > len(most) else ""
        grid(f"\n{column}: {plural(values['distinct'], 'value')}{rest}", ["value", "rows"], most)
    problems = [[one["what"], f"{one['rows']:,}", "" if one["first"] is None else f"{one['first']:,}"] for one in found["problems"]]
    grid("\nproblems", ["what", "rows", "first row"], problems) if problems else lines("\nproblems: none found", {})

"""The verbs that make pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from selector.cli_options import Command, at_work, cleaning, computing, reading, seeing


def _page(function: Command) -> Command:
    """The options of a page."""
    for option in reversed(
        [
            click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="HTML file to write."),
            click.option("--overwrite", is_flag=True, help="Replace the file."),
            click.option("--synthetic", metavar="COLUMN=A,B", help="Which sources a model wrote, as source=alpaca,gpteacher."),
            click.option("--references", type=int, help="Random subsets, and as many matched in length.  [default: 20]"),
            click.option("--points", type=int, help="Rows on the map, at most.  [default: 20000]"),
            click.option("--no-examples", is_flag=True, help="No row's text in the file."),
            click.option("--redact", is_flag=True, help="Nothing that rows hold in the file: numbers stand for tags, tokens, sources."),
        ]
    ):
        function = option(function)
    return function


@click.command()
@click.argument("pool")
@click.option("--subset", "subsets", multiple=True, help="A subset of it, as often as you like: a file, a folder, or FOLDER:CONFIG.")
@_page
@cleaning
@seeing
@reading
@computing
def diagnose(pool: str, subsets: tuple[str, ...], output: Path, overwrite: bool, **given: Any) -> None:
    """A page that shows where POOL is thin, and what subsets of it changed."""
    from selector import diagnosing, flags, one_file
    from selector import recipe as recipes
    from selector.diagnosis_recipe import DiagnosisRecipe

    words = recipes.merged(flags.diagnosis(pool, subsets, given), flags.changes(given["changes"]))
    recipe = recipes.checked(DiagnosisRecipe, words)
    one_file.check(output, overwrite)
    with at_work(given, str(output)) as options:
        found = diagnosing.solve(recipe, options=options)
        found.save(output, overwrite=overwrite)
    _done(found, output)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--pool", help="Where the pool lies now, if not where the folder says.")
@_page
@computing
def report(folder: Path, pool: str | None, output: Path, overwrite: bool, **given: Any) -> None:
    """A page on what select, split or ladder wrote into FOLDER."""
    from selector import flags, one_file, reporting
    from selector import recipe as recipes

    one_file.check(output, overwrite)
    words = recipes.merged({"diagnosis": flags.shown(given)}, flags.changes(given["changes"]))
    with at_work(given, str(output)) as options:
        found = reporting.report(folder, pool=pool, options=options, **words)
        found.save(output, overwrite=overwrite)
    _done(found, output)


def _done(found: Any, output: Path) -> None:
    from selector import terminal

    told = {"found": found.lead, "next": found.found["answer"]["next"]["command"]}
    terminal.lines(f"{output}: {output.stat().st_size / 2**20:.1f} MiB", told)

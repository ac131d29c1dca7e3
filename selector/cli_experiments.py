"""The verbs that make and compare sets for experiments."""

from __future__ import annotations

from typing import Any

import click

from selector.cli_options import at_work, cleaning, machine, named, planning, reading, seeing, selecting


@click.command()
@click.argument("pool")
@click.option("-o", "--output", required=True, help="Folder to write.")
@click.option("-b", "--budget", type=int, required=True, help="Rows of every level.")
@click.option("--layer", help="macro (meaning), meso (tags) or micro (tokens).  [default: micro]")
@click.option("--side", type=click.Choice(["instruction", "response"]), help="Side of the pair.  [default: response]")
@click.option("--levels", help="Percentages from the fewest types to the most.  [default: 0,16,33,50,66,83,100]")
@click.option("--match", type=click.Choice(["tokens"]), help="Same lengths in tokens of that side at every level.")
@click.option("--nested", is_flag=True, default=None, help="Levels share what they can, so that sets differ by what was added.")
@click.option("--contribution", help="What the row that contributes least is: rarest or unique.  [default: rarest]")
@click.option("--measure/--no-measure", default=True, show_default=True, help="Measure every level, at all layers of both sides.")
@click.option(
    "--write-as", type=click.Choice(["original", "alpaca", "messages", "sharegpt", "prompt-completion"]), help="Columns to write."
)
@cleaning
@seeing
@reading
@machine
def ladder(pool: str, output: str, **given: Any) -> None:
    """Sets of one size from the narrowest to the most diverse that POOL can make."""
    from selector import flags, laddering, terminal
    from selector import recipe as recipes
    from selector.ladder_recipe import LadderRecipe

    recipe = recipes.checked(LadderRecipe, recipes.merged(flags.ladder(pool, given), flags.changes(given["changes"])))
    if not recipe.ladder.measure:
        flags.check_layers(recipe.layers, {recipe.ladder.layer} | flags.read_by_hygiene(recipe.hygiene))
    named(output)
    with at_work(given, output) as options:
        rungs = laddering.run(recipe, output, options)
    terminal.ladder(rungs, output)


@click.command()
@click.argument("pool")
@click.option("-o", "--output", help="Folder to write; --plan needs none.")
@click.option("--match", help="What sets are alike in: tokens, source, any column, quality:COLUMN, after commas.  [default: tokens]")
@click.option("--arms", type=int, help="Random sets.  [default: 3]")
@click.option("--low", is_flag=True, default=None, help="A narrow set as well.")
@click.option("--disjoint", is_flag=True, default=None, help="No row in two sets.")
@click.option("--hold-out", type=int, metavar="ROWS", help="Rows for evaluation, cut off first with what nearly repeats them.")
@click.option("--match-length-to", metavar="N±M", help="Response tokens of every set's rows, as 500±100 or 500+-100.")
@click.option(
    "--write-as", type=click.Choice(["original", "alpaca", "messages", "sharegpt", "prompt-completion"]), help="Columns to write."
)
@selecting
@cleaning
@seeing
@reading
@planning
@machine
def split(pool: str, output: str | None, **given: Any) -> None:
    """A diverse set of POOL, and random sets like it in all that must not explain a difference."""
    from selector import flags, running, splits, terminal, terminal_splits
    from selector import recipe as recipes
    from selector.split_recipe import SplitRecipe

    recipe = recipes.checked(SplitRecipe, recipes.merged(flags.split(pool, given), flags.changes(given["changes"])))
    flags.check(recipe.selecting)
    if given["plan"]:
        with at_work(given) as options:
            planned = running.plan(recipe.selecting, options)
        return terminal.planned(planned)
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    named(output)
    with at_work(given, output) as options:
        made = splits.run(recipe, output, options)
    return terminal_splits.split(made.manifest, made.balance, output)

"""The verbs that say how diverse a dataset is."""

from __future__ import annotations

from typing import Any

import click

from selector.cli_options import Command, at_work, cleaning, computing, reading, seeing


def _measuring(function: Command) -> Command:
    """The options that both verbs share."""
    function = cleaning(seeing(reading(computing(function))))
    for option in reversed(
        [
            click.option("--pool", help="What the datasets were drawn from: every figure stands beside random subsets of it."),
            click.option("--layers", help="Where to look, as surface,micro.  [default: surface,macro,meso,micro]"),
            click.option("--side", type=click.Choice(["instruction", "response", "both"]), help="Side of the pair.  [default: both]"),
            click.option("--references", type=int, help="Random subsets, and as many matched in length.  [default: 20]"),
            click.option("--json", "as_json", is_flag=True, help="Print everything as JSON."),
            click.option("--csv", "as_csv", is_flag=True, help="Print one line a figure as CSV."),
        ]
    ):
        function = option(function)
    return function


@click.command()
@click.argument("dataset")
@_measuring
def measure(dataset: str, **given: Any) -> None:
    """How diverse DATASET is, at every layer of both sides."""
    _show((dataset,), given)


@click.command()
@click.argument("datasets", nargs=-1, required=True)
@_measuring
def compare(datasets: tuple[str, ...], **given: Any) -> None:
    """Which of several DATASETS is more diverse, at equal size."""
    if len(datasets) < 2:
        raise click.UsageError("compare needs two datasets or more; to look at one, use `selector measure`.")
    _show(datasets, given)


def _show(datasets: tuple[str, ...], given: dict[str, Any]) -> None:
    from selector import comparing, flags, terminal_measures
    from selector import recipe as recipes
    from selector.measure_recipe import MeasureRecipe

    if given["as_json"] and given["as_csv"]:
        raise click.UsageError("--json and --csv are two forms of the same figures; ask for one of them.")
    recipe = recipes.checked(MeasureRecipe, recipes.merged(flags.measurement(datasets, given), flags.changes(given["changes"])))
    flags.check_layers(recipe.layers, set(recipe.measure.layers) | flags.read_by_hygiene(recipe.hygiene), "name {} under --layers too")
    with at_work(given) as options:
        found = comparing.solve(recipe, options=options)
    if given["as_json"]:
        click.echo(found.to_json(), nl=False)
    elif given["as_csv"]:
        click.echo(found.to_csv(), nl=False)
    elif len(datasets) == 1:
        terminal_measures.measured(found)
    else:
        terminal_measures.compared(found)

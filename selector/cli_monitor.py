"""The verb that watches a dataset as it grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from selector.cli_options import at_work, bounding, computing, reading, seeing


@click.command()
@click.argument("history", type=click.Path(path_type=Path))
@click.argument("new_dataset")
@click.option("--label", help="What the batch is called.  [default: the dataset's name]")
@click.option("--at", help="When it is of, as 2026-03-31.  [default: today]")
@click.option("--replace", is_flag=True, help="Take the place of the batch with this label or these rows; later ones are measured again.")
@click.option("--pool", help="Hold every batch against this, not against the earlier ones.")
@click.option("--watch", help="Columns whose shares are watched, as source,category.")
@click.option("--layers", help="Where to look, as surface,micro.  [default: surface,macro,meso,micro]")
@click.option("--side", type=click.Choice(["instruction", "response", "both"]), help="Side of the pair.  [default: both]")
@click.option("--references", type=int, help="Random sets that a batch is held against.  [default: 20]")
@click.option("--level", type=float, help="How often a batch like the others is flagged, in each of two kinds.  [default: 0.01]")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@bounding
@seeing
@reading
@computing
def monitor(history: Path, new_dataset: str, **given: Any) -> None:
    """Add NEW_DATASET, a batch of a growing dataset, to HISTORY (JSON), and say what has drifted, at which layer, since when.

    A page beside HISTORY draws it. The first call decides how batches are measured; later ones need not say it again.
    """
    from selector import flags, histories, monitoring, terminal_monitor
    from selector import recipe as recipes
    from selector.monitor_recipe import MonitorRecipe
    from selector.recipe import PoolRecipe

    dataset, told = flags.monitoring(new_dataset, given)
    told = recipes.merged(told, flags.changes(given["changes"]))
    if not history.exists():
        recipe = recipes.checked(MonitorRecipe, told)
        flags.check_layers(recipe.layers, set(recipe.monitor.layers), "name {} under --layers too")
    with at_work(given, str(history)) as options:
        own = {name: given[name] for name in ("label", "at", "replace")}
        found = monitoring.solve(history, recipes.checked(PoolRecipe, dataset), told, **own, options=options)
    if given["as_json"]:
        click.echo(found.to_json(), nl=False)
    else:
        terminal_monitor.monitored(found, str(history), str(histories.page_of(history)))

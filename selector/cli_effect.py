"""The verb that says whether diversity paid."""

from __future__ import annotations

from typing import Any

import click

from selector.cli_options import named


@click.command()
@click.argument("scores")
@click.option("-o", "--output", help="Folder to write; --json needs none.")
@click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Where your file has another name, as score=win_rate.")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Only these rows, as model=llama2-7b.")
@click.option("--level-unit", type=click.Choice(["auto", "percent", "fraction"]), help="Of levels.  [default: auto, told by the largest]")
@click.option("--ladder", multiple=True, metavar="FOLDER", help="Join what the sets of this ladder achieved, and their mean tokens.")
@click.option("--x", type=click.Choice(["level", "achieved"]), help="Diversity asked for, or achieved.  [default: level]")
@click.option("--covariate", "covariates", multiple=True, metavar="COLUMN", help="Held equal, as response_tokens.")
@click.option("--at-size", type=int, help="Size of set to decide for.  [default: the largest]")
@click.option("--rope", help="A gain within ± this counts as none; or `error`, the judge's own.  [default: 1]")
@click.option("--lower-is-better", is_flag=True, default=None, help="As of a loss.")
@click.option("--quadratic", is_flag=True, default=None, help="A bend as well as a slope.")
@click.option("--prior", type=click.Choice(["flat", "weak"]), help="[default: flat]")
@click.option("--errors", type=click.Choice(["classical", "hc3"]), help="hc3: the noise may differ from run to run.  [default: classical]")
@click.option("--size-scale", type=click.Choice(["linear", "log"]), help="How slopes change with size.  [default: linear]")
@click.option(
    "--repeats", type=click.Choice(["each", "mean"]), help="mean: runs that differ in the seed alone are one point.  [default: each]"
)
@click.option("--pool-strategies", is_flag=True, default=None, help="Strategies learn from each other; needs the extra [bayes].")
@click.option("--paper-lines", is_flag=True, default=None, help="Draw the lines of the paper's figure (BayesianRidge) as well.")
@click.option("--next-runs", type=int, help="How many further runs to propose.  [default: 3]")
@click.option("--seed", type=int, help="Of the predictive check and of --pool-strategies.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--overwrite", is_flag=True, help="Replace a folder that selector wrote.")
def effect(scores: str, output: str | None, **given: Any) -> None:
    """Does it pay: slopes of SCORES (CSV, a row a run) on diversity, with intervals and a decision."""
    from selector import estimating, terminal_effect
    from selector import recipe as recipes
    from selector.effect_recipe import EffectRecipe
    from selector.options import Options

    recipe = recipes.checked(EffectRecipe, _words(scores, given))
    if output is None and not given["as_json"]:
        raise click.UsageError("Missing option '-o' / '--output'.")
    if output is None:
        found = estimating.solve(recipe)
    else:
        named(output)
        found = estimating.run(recipe, output, Options(cache=None, overwrite=given["overwrite"]))
    if given["as_json"]:
        click.echo(terminal_effect.as_json(found), nl=False)
    else:
        terminal_effect.effect(found, str(output))


def _words(scores: str, given: dict[str, Any]) -> dict[str, Any]:
    """The words that the flags spell; what was not given is left to the recipe's defaults."""
    plain = ("level_unit", "x", "at_size", "rope", "lower_is_better", "quadratic", "prior", "errors", "size_scale", "repeats")
    words = {name: given[name] for name in (*plain, "pool_strategies", "paper_lines", "next_runs") if given[name] is not None}
    words |= {"ladder": list(given["ladder"]), "covariates": list(given["covariates"])}
    words |= {"columns": _pairs(given["columns"], "--column"), "where": _pairs(given["where"], "--where")}
    return {"effect": {"scores": scores, **words}, **({} if given["seed"] is None else {"seed": given["seed"]})}


def _pairs(written: tuple[str, ...], flag: str) -> dict[str, str]:
    from selector.errors import RecipeError

    if wrong := [one for one in written if not one.partition("=")[0] or "=" not in one]:
        raise RecipeError(f"{flag} is '{wrong[0]}'; write NAME=VALUE.")
    return {name: value for name, _, value in (one.partition("=") for one in written)}

"""The command line: one short function a verb."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from selector.errors import OutputError, SelectorError, plural, unknown

Command = Callable[..., Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit code 0, 2 for bad input, 130 when stopped (143 when asked to end)."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is half-written is taken away then too
    try:
        commands.main(args=arguments, prog_name="selector", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SelectorError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except MemoryError as error:
        click.echo(f"error: this needs more memory than there is ({error}); lower the budget or --memory, or take fewer rows.", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="diversity-selector")
@click.option("-v", "--verbose", is_flag=True, help="Say what happens, with numbers, on standard error.")
def commands(verbose: bool) -> None:
    """Pick the most diverse subset of an instruction-tuning pool, with a proof of how good it is."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", stream=sys.stderr)


def _reading(function: Command) -> Command:
    """The options that say how a pool is read."""
    for option in reversed(
        [
            click.option("--format", "format_", help="alpaca, pair, prompt-completion, question-answer, messages or sharegpt."),
            click.option("--instruction-column", help="Column that holds the instruction."),
            click.option("--response-column", help="Column that holds the response."),
            click.option("--id-column", help="Column that identifies a row."),
            click.option("--split", help="Split of a hub dataset or a saved dataset."),
            click.option("--config", help="Configuration of a hub dataset."),
            click.option("--every-turn", is_flag=True, default=None, help="Every assistant turn of a conversation is a row."),
            click.option("--skip-bad", is_flag=True, default=None, help="Count and skip lines that do not parse."),
        ]
    ):
        function = option(function)
    return function


def _machine(function: Command) -> Command:
    """The options that say how it is computed here; none changes which rows are picked."""
    for option in reversed(
        [
            click.option("--device", default="cpu", show_default=True, help="cpu or cuda, for encoders and facility location."),
            click.option("--threads", default=0, help="Threads to use; 0 means all cores."),
            click.option("--memory", default="4GB", show_default=True, help="Memory to plan with; never changes which rows are picked."),
            click.option("--cache", type=click.Path(path_type=Path), help="Folder for features kept between runs."),
            click.option("--no-cache", is_flag=True, help="Keep no features."),
            click.option("--overwrite", is_flag=True, help="Replace a folder that selector wrote."),
            click.option("--plan", is_flag=True, help="Print expected time and memory of each stage, and do nothing."),
            click.option(
                "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Set any key of the recipe, as layers.meso.merge=0.8."
            ),
        ]
    ):
        function = option(function)
    return function


@commands.command()
@click.argument("pool")
@click.option("-o", "--output", help="Folder to write; --plan needs none.")
@click.option("-b", "--budget", type=int, help="Rows to pick.")
@click.option("--token-budget", type=int, help="Tokens to pick, of both sides.")
@click.option("--layer", help="macro (meaning), meso (tags) or micro (tokens).  [default: micro]")
@click.option("--side", type=click.Choice(["instruction", "response", "both"]), help="Side of the pair.  [default: response]")
@click.option("--objective", help="See `selector list objectives`.  [default: facility-location]")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Parameter of the objective, as kernel=rbf.")
@click.option("--mix", help="Several at once: macro/instruction:1,coverage@micro/response:2.")
@click.option("--quality", metavar="COLUMN", help="Numeric column: quality counts beside diversity.")
@click.option("--quality-weight", type=float, help="Share of quality, 0 to 1.  [default: 0.3]")
@click.option("--quota", multiple=True, help="source:max=2000, category:proportional, category:balanced, source:dolly=500.")
@click.option("--keep", metavar="DATASET", help="Rows you already train on: they count and are not returned.")
@click.option("--optimizer", help="See `selector list optimizers`.  [default: lazy]")
@click.option("--epsilon", type=float, help="Of the stochastic optimizer.  [default: 0.05]")
@click.option("--dedup", help="exact, near:0.95 or off.  [default: exact]")
@click.option("--min-tokens", multiple=True, metavar="SIDE:N", help="Drop rows with fewer tokens, as response:10.")
@click.option("--max-tokens", multiple=True, metavar="SIDE:N", help="Drop rows with more tokens, as response:2000.")
@click.option("--unusable", type=click.Choice(["drop", "keep", "error"]), help="Rows with an empty side or a bad vector.  [default: drop]")
@click.option("--encoder", help="static, column:NAME, or a sentence-transformers name or folder.  [default: all-MiniLM-L6-v2]")
@click.option("--whiten", is_flag=True, default=None, help="Whiten the macro vectors.")
@click.option("--clusters", help="hdbscan or kmeans:K.  [default: hdbscan]")
@click.option("--noise", type=click.Choice(["nearest", "own", "drop"]), help="What HDBSCAN's noise becomes.  [default: nearest]")
@click.option("--tagger", help="keyphrase, column:NAME or llm.  [default: keyphrase]")
@click.option("--vocabulary", help="Edited tag vocabulary (CSV) to use.")
@click.option("--base-url", help="OpenAI-compatible endpoint of the llm tagger.")
@click.option("--model", help="Model of the llm tagger.")
@click.option("--tokenizer", help="deepseek (embedded), or a Hugging Face name or folder.  [default: deepseek]")
@click.option("--band", help="Mid band of tokens, LOW:HIGH or auto.  [default: 10:500]")
@click.option(
    "--write-as", type=click.Choice(["original", "alpaca", "messages", "sharegpt", "prompt-completion"]), help="Columns to write."
)
@click.option("--save", type=click.Choice(["parquet", "arrow"]), help="Parquet files, or datasets' save_to_disk.  [default: parquet]")
@click.option("--seed", type=int, help="Decides everything random.  [default: 0]")
@_reading
@_machine
def select(pool: str, output: str | None, **given: Any) -> None:
    """Pick a subset of POOL: a file, a folder, a hub name or `demo`."""
    from selector import flags
    from selector import recipe as recipes

    recipe = recipes.check(recipes.merged(flags.recipe(pool, given), flags.changes(given["changes"])))
    flags.check(recipe)
    if output is None and not given["plan"]:
        raise click.UsageError("Missing option '-o' / '--output'.")
    _run(recipe, output or "", given)


@commands.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("output")
@click.option("--pool", help="Use this pool instead of the recipe's.")
@_machine
def run(recipe: Path, output: str, pool: str | None, **given: Any) -> None:
    """Do what RECIPE (YAML) says and write OUTPUT."""
    from selector import flags
    from selector import recipe as recipes

    changes = flags.changes(given["changes"])
    if pool:
        changes = recipes.merged(changes, {"pool": {"source": pool}})
    _run(recipes.read(recipe, changes), output, given)


@commands.command()
@click.argument("pool")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_reading
def inspect(pool: str, as_json: bool, **given: Any) -> None:
    """Say what is in POOL: rows, columns, format, lengths, sources, problems."""
    from selector import flags, terminal
    from selector.inspect_pool import inspect as look
    from selector.pool import Pool

    with terminal.progress() as progress:
        progress("reading", 0, 0)
        found = look(Pool.read(pool, **flags.pool_words(given)))
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        terminal.inspected(found)


@commands.command(name="list")
@click.argument("kind", type=click.Choice(["objectives", "layers", "optimizers", "measures"]))
def list_(kind: str) -> None:
    """Names with one line each."""
    from selector import registry, terminal

    terminal.lines(kind, registry.describe(kind))


@commands.group()
def cache() -> None:
    """Features kept between runs."""


@cache.command()
@click.option("--cache", "folder", type=click.Path(path_type=Path), help="The folder, where it is not the usual one.")
def ls(folder: Path | None) -> None:
    """What is kept."""
    from selector import terminal
    from selector.cache import Cache, default_folder

    place = folder or default_folder()
    entries = Cache(place).entries()
    if not entries:
        click.echo(f"{place}: nothing is kept")
        return
    rows = [[one.kind, f"{one.bytes / 2**20:,.1f}", f"{one.created:%Y-%m-%d %H:%M}"] for one in entries]
    terminal.grid(f"{place}: {sum(one.bytes for one in entries) / 2**20:,.1f} MiB", ["kind", "MiB", "made (UTC)"], rows)


@cache.command()
@click.option("--cache", "folder", type=click.Path(path_type=Path), help="The folder, where it is not the usual one.")
@click.option("--kind", help="Only entries of this kind.")
def clear(folder: Path | None, kind: str | None) -> None:
    """Remove what is kept."""
    from selector.cache import Cache, default_folder

    store = Cache(folder or default_folder())
    if kind is not None and kind not in (kinds := {one.kind for one in store.entries()}):
        raise unknown("kind of feature kept", kind, kinds)
    count, size = store.clear(kind)
    click.echo(f"removed {plural(count, 'file')}, {size / 2**20:,.1f} MiB")


def _run(recipe: Any, output: str, given: dict[str, Any]) -> None:
    from selector import flags, running, terminal
    from selector.cache import default_folder
    from selector.options import Options

    if not output.strip() and not given["plan"]:
        raise OutputError("the output folder has no name; name a folder that does not exist yet.")
    folder = None if given["no_cache"] else given["cache"] or default_folder()
    try:
        with terminal.progress() as progress:
            options = Options(given["device"], given["threads"], flags.size(given["memory"]), folder, progress, given["overwrite"])
            if given["plan"]:
                planned = running.plan(recipe, options)
            else:
                selection = running.run(recipe, output, options)
    except KeyboardInterrupt:
        kept = "" if folder is None else f", and features computed so far are kept in {folder} for the next run"
        click.echo(f"stopped: nothing half-written was left at {output or 'all'}{kept}.", err=True)
        sys.exit(130)
    if given["plan"]:
        terminal.planned(planned)
    else:
        terminal.lines("selection", terminal.summary(selection.manifest, output))

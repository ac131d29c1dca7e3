"""The command line: one short function a verb."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from selector.cli_effect import effect
from selector.cli_experiments import ladder, split
from selector.cli_measures import compare, measure
from selector.cli_monitor import monitor
from selector.cli_options import at_work, cleaning, machine, named, planning, reading, seeing, selecting
from selector.cli_reports import diagnose, report
from selector.cli_training import score_lm, score_ngram, train_lm
from selector.errors import FailedRuns, SelectorError, plural, unknown


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit code 0, 1 for failed runs of an experiment, 2 for bad input, 130 when stopped (143 when asked to end)."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is half-written is taken away then too
    try:
        commands.main(args=arguments, prog_name="selector", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SelectorError as error:
        click.echo("\n".join([f"error: {error}", *getattr(error, "__notes__", [])]), err=True)
        sys.exit(1 if isinstance(error, FailedRuns) else 2)
    except MemoryError as error:
        click.echo(f"error: this needs more memory than there is ({error}); lower the budget or --memory, or take fewer rows.", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:  # as standard output on a full disk; what selector writes itself has errors of its own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"error: {error}.", err=True)
        sys.exit(2)
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="diversity-selector")
@click.option("-v", "--verbose", is_flag=True, help="Say what happens, with numbers, on standard error.")
def commands(verbose: bool) -> None:
    """Pick the most diverse subset of an instruction-tuning pool, with a proof of how good it is."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(message)s", stream=sys.stderr)


@commands.command()
@click.argument("pool")
@click.option("-o", "--output", help="Folder to write; --plan needs none.")
@selecting
@cleaning
@seeing
@click.option(
    "--write-as", type=click.Choice(["original", "alpaca", "messages", "sharegpt", "prompt-completion"]), help="Columns to write."
)
@click.option("--save", type=click.Choice(["parquet", "arrow"]), help="Parquet files, or datasets' save_to_disk.  [default: parquet]")
@reading
@planning
@machine
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
@click.option("--resume", is_flag=True, help="Leave out steps whose folders are finished already.")
@click.option("--jobs", default=1, show_default=True, help="Runs of an experiment at a time.")
@click.option("--proxy", type=click.Choice(["ngram"]), help="Score this in place of training: seconds a run, and only a proxy.")
@planning
@machine
def run(recipe: Path, output: str, pool: str | None, resume: bool, proxy: str | None, **given: Any) -> None:
    """Do what RECIPE (YAML) says and write OUTPUT; of several steps each writes a folder in it."""
    from selector import flags, steps
    from selector import recipe as recipes

    changes = flags.changes(given["changes"])
    if pool:
        changes = recipes.merged(changes, {"pool": {"source": pool}})
    content = recipes.load(recipe)
    if not steps.several(content):
        _run(recipes.read(recipe, changes), output, given)
        return
    if not given["plan"]:
        named(output)
    content = steps.by_proxy(recipes.merged(content, changes), proxy)
    _do(steps.steps(content, Path(output), source=str(recipe)), output, resume, given)


@commands.command()
@click.argument("pool")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@reading
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
    from selector import running, terminal

    if not given["plan"]:
        named(output)
    with at_work(given, output) as options:
        if given["plan"]:
            planned = running.plan(recipe, options)
        else:
            selection = running.run(recipe, output, options)
    if given["plan"]:
        terminal.planned(planned)
    else:
        terminal.lines("selection", terminal.summary(selection.manifest, output))


def _do(steps: list[Any], output: str, resume: bool, given: dict[str, Any]) -> None:
    from selector import experiments, terminal

    with at_work(given, output) as options:
        if given["plan"]:
            for step, planned in experiments.plan(steps, options):
                if planned is None:
                    click.echo(f"plan of {step.name}: not known before the step that writes its pool is done")
                else:
                    terminal.planned(planned, step.name)
            for step in (one for one in steps if one.verb == "experiment"):
                click.echo("\n".join([f"runs of {step.name or output}:", *experiments.runs(step, steps)]))
            return
        for step, seconds in experiments.run(steps, Path(output), options, resume=resume):
            click.echo(f"{step.name or output}: {'finished before' if seconds is None else f'{step.verb} in {seconds:.1f} s'}")


commands.add_command(ladder)
commands.add_command(split)
commands.add_command(measure)
commands.add_command(compare)
commands.add_command(effect)
commands.add_command(monitor)
commands.add_command(diagnose)
commands.add_command(report)
commands.add_command(score_ngram)
commands.add_command(train_lm)
commands.add_command(score_lm)

"""Options that several verbs of the command line share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selector.errors import OutputError

if TYPE_CHECKING:  # a list of options needs none of what it takes to work by them
    from selector.options import Options

Command = Callable[..., Any]


def selecting(function: Command) -> Command:
    """The options that say which rows are selected."""
    for option in reversed(
        [
            click.option("-b", "--budget", type=int, help="Rows to pick."),
            click.option("--token-budget", type=int, help="Tokens to pick, of both sides."),
            click.option("--layer", help="macro (meaning), meso (tags) or micro (tokens).  [default: micro]"),
            click.option("--side", type=click.Choice(["instruction", "response", "both"]), help="Side of the pair.  [default: response]"),
            click.option("--objective", help="See `selector list objectives`.  [default: facility-location]"),
            click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Parameter of the objective, as kernel=rbf."),
            click.option("--mix", help="Several at once: macro/instruction:1,coverage@micro/response:2."),
            click.option("--quality", metavar="COLUMN", help="Numeric column: quality counts beside diversity."),
            click.option("--quality-weight", type=float, help="Share of quality, 0 to 1.  [default: 0.3]"),
            click.option(
                "--lengths",
                type=click.Choice(["pool", "free"]),
                help="pool: picks are as long as the pool's rows; free: as long as they like.  [default: pool]",
            ),
            click.option("--no-verdict", is_flag=True, help="Do not measure the picks beside random rows."),
            click.option("--quota", multiple=True, help="source:max=2000, category:proportional, category:balanced, source:dolly=500."),
            click.option("--keep", metavar="DATASET", help="Rows you already train on: they count and are not returned."),
            click.option("--optimizer", help="See `selector list optimizers`.  [default: lazy]"),
            click.option("--epsilon", type=float, help="Of the stochastic optimizer.  [default: 0.05]"),
        ]
    ):
        function = option(function)
    return function


def cleaning(function: Command) -> Command:
    """The options that say which rows are dropped before."""
    return click.option("--dedup", help="exact, near:0.95, semantic:0.95 or off.  [default: exact]")(bounding(function))


def bounding(function: Command) -> Command:
    """The options that say which rows are too short, too long or unusable."""
    for option in reversed(
        [
            click.option("--min-tokens", multiple=True, metavar="SIDE:N", help="Drop rows with fewer tokens, as response:10."),
            click.option("--max-tokens", multiple=True, metavar="SIDE:N", help="Drop rows with more tokens, as response:2000."),
            click.option(
                "--unusable", type=click.Choice(["drop", "keep", "error"]), help="Rows with an empty side or a bad vector.  [default: drop]"
            ),
        ]
    ):
        function = option(function)
    return function


def seeing(function: Command) -> Command:
    """The options that say how layers see a text, and the seed."""
    for option in reversed(
        [
            click.option("--encoder", help="static, column:NAME, or a sentence-transformers name or folder.  [default: all-MiniLM-L6-v2]"),
            click.option("--whiten", is_flag=True, default=None, help="Whiten the macro vectors."),
            click.option("--clusters", help="hdbscan or kmeans:K.  [default: hdbscan]"),
            click.option(
                "--noise", type=click.Choice(["nearest", "own", "drop"]), help="What HDBSCAN's noise becomes.  [default: nearest]"
            ),
            click.option("--tagger", help="keyphrase, column:NAME or llm.  [default: keyphrase]"),
            click.option("--vocabulary", help="Edited tag vocabulary (CSV) to use."),
            click.option("--base-url", help="OpenAI-compatible endpoint of the llm tagger."),
            click.option("--model", help="Model of the llm tagger."),
            click.option("--tokenizer", help="deepseek (embedded), or a Hugging Face name or folder.  [default: deepseek]"),
            click.option("--band", help="Mid band of tokens, LOW:HIGH or auto.  [default: auto]"),
            click.option("--seed", type=int, help="Decides everything random.  [default: 0]"),
        ]
    ):
        function = option(function)
    return function


def reading(function: Command) -> Command:
    """The options that say how a pool is read."""
    for option in reversed(
        [
            click.option("--format", "format_", help="alpaca, pair, prompt-completion, question-answer, messages or sharegpt."),
            click.option("--instruction-column", help="Column that holds the instruction."),
            click.option("--response-column", help="Column that holds the response."),
            click.option("--id-column", help="Column that identifies a row."),
            click.option("--split", help="Split of a hub dataset or a saved dataset."),
            click.option("--config", help="Configuration of a hub dataset, or of a folder of several sets."),
            click.option("--every-turn", is_flag=True, default=None, help="Every assistant turn of a conversation is a row."),
            click.option("--skip-bad", is_flag=True, default=None, help="Count and skip lines that do not parse."),
        ]
    ):
        function = option(function)
    return function


def machine(function: Command) -> Command:
    """The options of a verb that writes a folder, which say how it is computed here."""
    return computing(click.option("--overwrite", is_flag=True, help="Replace a folder that selector wrote.")(function))


def computing(function: Command) -> Command:
    """The options that say how it is computed here; none changes a result."""
    for option in reversed(
        [
            click.option("--device", default="cpu", show_default=True, help="cpu or cuda, for encoders and facility location."),
            click.option("--threads", default=0, help="Threads to use; 0 means all cores."),
            click.option("--memory", default="4GB", show_default=True, help="Memory to plan with; never changes which rows are picked."),
            click.option("--cache", type=click.Path(path_type=Path), help="Folder for features kept between runs."),
            click.option("--no-cache", is_flag=True, help="Keep no features."),
            click.option(
                "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Set any key of the recipe, as layers.meso.merge=0.8."
            ),
        ]
    ):
        function = option(function)
    return function


def planning(function: Command) -> Command:
    """The option that only asks what a run would take."""
    return click.option("--plan", is_flag=True, help="Print expected time and memory of each stage, and do nothing.")(function)


def named(output: str) -> None:
    """Raises OutputError for a folder without a name."""
    if not output.strip():
        raise OutputError("the output folder has no name; name a folder that does not exist yet.")


@contextmanager
def at_work(given: dict[str, Any], output: str = "") -> Iterator[Options]:
    """The options of `machine`, with progress on the terminal; what Ctrl-C leaves behind is said, and the exit code is 130."""
    from selector import flags, terminal
    from selector.cache import default_folder
    from selector.options import Options

    folder = None if given["no_cache"] else given["cache"] or default_folder()
    try:
        with terminal.progress() as progress:
            how = given["device"], given["threads"], flags.size(given["memory"]), folder, progress
            yield Options(*how, given.get("overwrite", False), given.get("jobs", 1))
    except KeyboardInterrupt as stop:
        if notes := getattr(stop, "__notes__", None):
            click.echo(f"stopped: {'; '.join(notes)}.", err=True)
            sys.exit(130)
        kept = "" if folder is None else f", and features computed so far are kept in {folder} for the next run"
        click.echo(f"stopped: nothing half-written was left at {output or 'all'}{kept}.", err=True)
        sys.exit(130)

"""The verbs that train on a set and score what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from selector.cli_options import at_work


@click.command(name="score-ngram")
@click.argument("dataset")
@click.option("--on", multiple=True, required=True, metavar="NAME=FILE", help="Pairs whose responses are scored; may be given again.")
@click.option("--order", default=3, show_default=True, help="Longest run of tokens that the model knows.")
@click.option("--tokenizer", default="deepseek", show_default=True, help="Embedded, or a Hugging Face name or folder.")
@click.option("--source-column", help="Column with the source of a scored pair.  [default: source, where there is one]")
@click.option("--threads", default=0, help="Threads to use; 0 means all cores.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder for tokens kept between runs.")
@click.option("--no-cache", is_flag=True, help="Keep no tokens.")
def score_ngram(dataset: str, on: tuple[str, ...], order: int, tokenizer: str, source_column: str | None, **given: Any) -> None:
    """Train an n-gram model on DATASET's responses and print how well it foretells others: a proxy, which favours covering tokens."""
    from selector import ngram_proxy

    with at_work({"device": "cpu", "memory": "4GB", **given}) as options:
        found = ngram_proxy.score(dataset, on, order=order, tokenizer=tokenizer, source_column=source_column, options=options)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))

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


@click.command(name="train-lm")
@click.argument("dataset")
@click.option("-o", "--output", required=True, help="Folder to write.")
@click.option("--model", default="smollm2", show_default=True, help="Hugging Face name or folder; smollm2 comes inside a package.")
@click.option("--lora", default=16, show_default=True, help="Rank of the adapter; 0 trains all weights.")
@click.option("--epochs", default=3.0, show_default=True, help="How often each row is seen.")
@click.option("--batch", default=8, show_default=True, help="Rows of one step.")
@click.option("--rate", type=float, help="Learning rate.  [default: 2e-4 with an adapter, 2e-5 without]")
@click.option("--longest", default=1024, show_default=True, help="Tokens of a pair; longer ones are cut.")
@click.option("--seed", default=0, show_default=True, help="Of the order of rows, and the adapter's first weights.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
def train_lm(dataset: str, output: str, **how: Any) -> None:
    """Fine-tune a language model on DATASET, the loss taken on the responses alone."""
    from selector import terminal, train_lm

    with terminal.progress() as progress:
        told = train_lm.train(dataset, output, train_lm.Training(**how), progress)
    shown = ("rows", "rows_cut", "response_tokens", "steps", "seconds")
    rows = {name.replace("_", " "): f"{told[name]:,}" for name in shown}
    losses = told["losses"]
    terminal.lines("training", {**rows, "loss": f"{losses[0]} at first, {losses[-1]} at last", "written": output})


@click.command(name="score-lm")
@click.argument("model")
@click.option("--on", multiple=True, required=True, metavar="NAME=FILE", help="Pairs whose responses are scored; may be given again.")
@click.option("--longest", default=1024, show_default=True, help="Tokens of a pair; longer ones are cut.")
@click.option("--source-column", help="Column with the source of a scored pair.  [default: source, where there is one]")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--judge", metavar="MODEL", help="Ask this model for a win rate against the references as well.")
@click.option("--base-url", help="OpenAI-compatible endpoint of the judge; its key stands in OPENAI_API_KEY.")
@click.option("--judge-rows", default=200, show_default=True, help="Rows of each set that are judged.")
def score_lm(
    model: str, on: tuple[str, ...], longest: int, source_column: str | None, device: str, judge: str | None, base_url: str | None,
    judge_rows: int,
) -> None:  # fmt: skip
    """Print how well MODEL (a folder, a Hugging Face name, smollm2) foretells held-out responses, as JSON."""
    from selector import causal_lm, held_out, judging, score_lm, terminal

    held = held_out.read(on, source_column)
    with terminal.progress() as progress:
        progress("loading", 0, 0)
        lm = causal_lm.load(model, device)
        found = score_lm.of_model(lm, held, longest, progress)
        if judge is not None:
            asked = judging.Judge(judge, base_url or judging.BASE_URL, rows=judge_rows)
            found |= judging.win_rates(lm, held, asked, progress)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))

"""A set -> the n-gram model of its responses -> what that gives to held-out responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from selector import held_out, ngram_lm, tokenizers
from selector.core import Tokens
from selector.options import Options, room
from selector.pool import Pool


def score(
    dataset: str, on: Sequence[str], *, order: int = 3, tokenizer: str = tokenizers.EMBEDDED, source_column: str | None = None,
    options: Options | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Trains on the responses of `dataset` and scores on the sets `on` (see held_out.read); see held_out.scores for what is told.

    Both in tokens of the LLM. The tokens of the sets to score are kept, those of the dataset are not. Raises SelectorError.
    """
    held = held_out.read(on, source_column)
    pool, loaded = Pool.read(dataset), tokenizers.load(tokenizer)
    with room(options or Options()) as here:
        trained = loaded.encode(pool.responses.to_pylist(), here)
        model = ngram_lm.train(trained, loaded.size, order)
        found = {one: _sums(model, tokenizers.tokens(one.pool.texts("response"), tokenizer, here)) for one in held}
    return {
        **held_out.scores(found),
        "scored_rows_trained_on": held_out.seen(pool, held),
        "proxy": f"ngram: {ngram_lm.WARNING}",
        "model": {
            "order": order,
            "tokenizer": tokenizer,
            "vocabulary": model.vocabulary,
            "discounts": [list(one.discounts) for one in model.orders],
            "rows": len(pool),
            "tokens": len(trained.ids),
        },
    }


def _sums(model: ngram_lm.NgramLM, tokens: Tokens) -> tuple[Any, Any]:
    found, starts = model.log_probabilities(tokens)
    return np.add.reduceat(found, starts[:-1]), np.diff(starts)

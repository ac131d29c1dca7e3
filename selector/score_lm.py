"""How well a causal language model foretells held-out responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector import causal_lm, held_out
from selector.causal_lm import CausalLM, Encoded
from selector.core import Progress, quiet
from selector.held_out import HeldOut

TOKENS = 2_048  # in one batch: its logits are this times the vocabulary


def score(
    model: str, on: Sequence[str], *, longest: int = 1024, source_column: str | None = None, device: str = "cpu", progress: Progress = quiet
) -> dict[str, Any]:
    """Minus the nats per response token, by set and source, of a model on pairs that it was not trained on; see held_out.scores.

    Tokens are the model's own: scores of models with different tokenizers do not compare. Raises SelectorError.
    """
    return of_model(causal_lm.load(model, device), held_out.read(on, source_column), longest, progress)


def of_model(lm: CausalLM, held: Sequence[HeldOut], longest: int, progress: Progress = quiet) -> dict[str, Any]:
    """As `score`, of a model and sets that are read."""
    found, cut = {}, {}
    for one in held:
        rows = list(causal_lm.encoded(lm, one.pool.instructions.to_pylist(), one.pool.responses.to_pylist(), longest))
        found[one] = log_likelihoods(lm, rows, progress), np.array([len(row.response) for row in rows])
        cut[one.name] = sum(row.cut for row in rows)
    return {**held_out.scores(found), "rows_cut": cut, "model": {"name": lm.name, "longest": longest}}


def log_likelihoods(lm: CausalLM, rows: Sequence[Encoded], progress: Progress = quiet) -> NDArray[np.float64]:
    """(n,) ln p of each response given its prompt, summed over its tokens, the end of the turn being one."""
    torch = causal_lm.needed("torch")
    lm.model.eval()
    device, pad = lm.model.device, lm.tokenizer.pad_token_id
    sums = np.empty(len(rows))
    done = 0
    for batch in _batches(rows):
        width = max(len(rows[at].ids) for at in batch)
        # Padded at the end: with a causal mask nothing before sees it.
        ids = torch.tensor([rows[at].ids + [pad] * (width - len(rows[at].ids)) for at in batch], device=device)
        mask = torch.tensor([[1] * len(rows[at].ids) + [0] * (width - len(rows[at].ids)) for at in batch], device=device)
        labels = torch.tensor([rows[at].labels + [causal_lm.UNTRAINED] * (width - len(rows[at].ids)) for at in batch], device=device)
        with torch.inference_mode():
            logits = lm.model(input_ids=ids, attention_mask=mask).logits[:, :-1]
            asked = labels[:, 1:] != causal_lm.UNTRAINED
            losses = torch.nn.functional.cross_entropy(logits[asked].float(), labels[:, 1:][asked], reduction="none").double()
            row = torch.arange(len(batch), device=device)[:, None].expand_as(asked)[asked]
            found = torch.zeros(len(batch), dtype=torch.float64, device=device).index_add_(0, row, losses)
        sums[batch] = -found.cpu().numpy()
        done += len(batch)
        progress("scoring", done, len(rows))
    return sums


def _batches(rows: Sequence[Encoded]) -> list[list[int]]:
    """Rows of like lengths, the longest first, at most TOKENS with what is padded."""
    found: list[list[int]] = []
    for at in sorted(range(len(rows)), key=lambda at: -len(rows[at].ids)):
        if found and len(rows[found[-1][0]].ids) * (len(found[-1]) + 1) <= TOKENS:
            found[-1].append(at)
        else:
            found.append([at])
    return found

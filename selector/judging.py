"""How often a judge prefers a model's answer to the reference: a win rate, each pair shown in both orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from selector import causal_lm
from selector.causal_lm import CausalLM
from selector.core import Progress, quiet
from selector.errors import InputError
from selector.held_out import HeldOut
from selector.layers.taggers.asking import Endpoint, Failures, ask

WORTH = {"first": 1.0, "tie": 0.5, "second": 0.0}  # of the answer that stands first
ASKED = (
    "Here is an instruction and two answers to it. Which answer is better: more helpful, more correct, more to the point? Length alone "
    'counts for nothing. Reply with a JSON list of one word: ["first"], ["second"] or ["tie"].\n\n'
    "Instruction:\n{instruction}\n\nFirst answer:\n{first}\n\nSecond answer:\n{second}\n\nReply:"
)
BASE_URL = "https://api.openai.com/v1"
ROWS = 8  # answered at once
MOST_FAILED = 0.05  # share of questions that may stay without an answer


@dataclass(frozen=True)
class Judge:
    """Who is asked, and on how many rows of each set; temperature 0."""

    model: str
    base_url: str = BASE_URL
    api_key_env: str = "OPENAI_API_KEY"
    rows: int = 200  # of each set, the first ones
    longest: int = 512  # tokens of an answer


def win_rates(lm: CausalLM, held: Sequence[HeldOut], judge: Judge, progress: Progress = quiet) -> dict[str, Any]:
    """By set the mean over rows of what the model's answer is worth: 1 where the judge prefers it in both orders, 1/2 where it does in one.

    `win_rate` in percent, its standard error over rows, and in how many of 100 rows the two orders disagree: what the judge's word is
    worth. Rows with a question unanswered are left out and counted. Raises InputError as `asking.ask` does.
    """
    endpoint = Endpoint(judge.base_url, judge.model, judge.api_key_env, concurrency=8, timeout=120.0, attempts=4)
    told: dict[str, Any] = {}
    for one in held:
        pool = one.pool.take(range(min(judge.rows, len(one.pool))))
        instructions, references = pool.instructions.to_pylist(), pool.responses.to_pylist()
        written = list(answers(lm, instructions, judge.longest, progress))
        questions = {}
        for row, (instruction, reference, answer) in enumerate(zip(instructions, references, written, strict=True)):
            for ours_first in (True, False):
                first, second = (answer, reference) if ours_first else (reference, answer)
                questions[f"{row} {'ours' if ours_first else 'theirs'}"] = ASKED.format(instruction=instruction, first=first, second=second)
        failures, worth = Failures(most=int(MOST_FAILED * len(questions))), np.full((len(pool), 2), np.nan)
        with closing(ask(endpoint, list(questions), questions.__getitem__, failures)) as answered:
            for number, reply in enumerate(answered, start=1):
                number_of, _, order = reply.text.partition(" ")
                word = reply.tags[0].strip().lower() if len(reply.tags) == 1 else ""
                if word in WORTH:
                    worth[int(number_of), int(order == "ours")] = WORTH[word] if order == "ours" else 1 - WORTH[word]
                progress("judging", number, len(questions))
        told[f"win_rate/{one.name}"] = _rate(worth, one.name, judge.model)
    rates = [rate["percent"] for rate in told.values()]
    return {"win_rate": float(np.mean(rates)), "judged": told, "judge": f"{judge.model} against the reference answers, both orders"}


def _rate(worth: Any, name: str, model: str) -> dict[str, float]:
    whole = worth[~np.isnan(worth).any(axis=1)]  # (rows, 2) what the model's answer is worth when it stands second, and first
    if not len(whole):
        raise InputError(f"{model} gave no word on any row of {name} in both orders; ask another judge.")
    rows = whole.mean(axis=1)
    return {
        "percent": float(100 * rows.mean()),
        "standard_error": float(100 * rows.std(ddof=1) / np.sqrt(len(rows))) if len(rows) > 1 else 100.0,
        "orders_disagree": float(100 * (whole[:, 0] != whole[:, 1]).mean()),
        "rows": len(rows),
        "unanswered": len(worth) - len(whole),
    }


def answers(lm: CausalLM, instructions: Sequence[str], longest: int, progress: Progress = quiet) -> Iterator[str]:
    """What the model answers, the likeliest token at a time, at most `longest` tokens."""
    torch = causal_lm.needed("torch")
    tokenizer, device = lm.tokenizer, lm.model.device
    tokenizer.padding_side = "left"  # an answer begins where its prompt ends
    lm.model.eval()
    for start in range(0, len(instructions), ROWS):
        prompts = [causal_lm.prompted(lm, one) for one in instructions[start : start + ROWS]]
        given = tokenizer(prompts, add_special_tokens=False, padding=True, return_tensors="pt").to(device)
        with torch.inference_mode():
            ids = lm.model.generate(
                input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=longest, do_sample=False,
                pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
            )  # fmt: skip
        yield from tokenizer.batch_decode(ids[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
        progress("answering", start + len(prompts), len(instructions))

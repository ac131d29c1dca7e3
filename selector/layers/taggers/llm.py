"""Tags from an LLM behind any OpenAI-compatible endpoint; every answer is kept as it comes."""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from selector.core import Room, Texts
from selector.errors import BudgetError, plural
from selector.layers.taggers import Tags, from_lists
from selector.layers.taggers.asking import Endpoint, Failures, ask
from selector.layers.taggers.journal import answers, append

log = logging.getLogger(__name__)

_VERSION = 1
_OVERHEAD = 8  # tokens that a chat format adds to a message, about
_TOKENS_PER_TAG = 6  # of an answer, quotes and commas included, about

PROMPT = """You are a tagging system. Give the tags that best describe the intentions of the text below: what it asks for, its subject, \
the skill it needs. Each tag is one to three words in the language of the text, lower case, and general enough that other texts share it, \
such as "unit conversion", "python", "meal planning", "summarization". Give about {tags} tags.

Text:
{text}

Answer with a JSON list of strings and nothing else."""
"""`{tags}` and `{text}` are filled in; other braces stay."""


@dataclass(frozen=True)
class Llm:
    """Each distinct text is one chat request at temperature 0; at most `concurrency` at a time, each tried up to `attempts` times.

    Rate limits, server errors, time-outs and unusable answers are tried again after 1, 2, 4 ... seconds (or as long as the server
    asks). Answers go to a journal line by line, keyed by text, so an interrupted run asks only for what is missing, as does a pool
    that grew. A text that stays without a usable answer has no tags; more than `most_failed` of them is an InputError.
    """

    tags_per_text: int
    base_url: str
    model: str
    api_key_env: str
    concurrency: int
    timeout: float
    attempts: int
    prompt: str
    prompt_price: float | None
    completion_price: float | None
    max_cost: float | None
    most_failed: float

    def tags(self, texts: Texts, room: Room) -> Tags:
        journal = room.store.journal("llm-tags", self._key())
        known = answers(journal)
        missing = self._missing(texts, known)
        failures = Failures(most=int(self.most_failed * len(set(texts.strings))))
        if missing:
            self._affordable(self._forecast(missing, room))
            log.info("asking %s at %s for the tags of %s", self.model, self.base_url, plural(len(missing), "text"))
            done = 0
            endpoint = Endpoint(self.base_url, self.model, self.api_key_env, self.concurrency, self.timeout, self.attempts)
            with append(journal) as write, closing(ask(endpoint, list(missing.values()), self.asked, failures)) as answered:
                for answer in answered:
                    name = hashes(answer.text)
                    known[name] = answer.tags
                    write({"text": name, "tags": answer.tags, "sent": answer.sent, "received": answer.received})
                    done += 1
                    room.progress("asking for tags", done, len(missing))
        facts = {
            "model": self.model, "base_url": self.base_url, "requests_answered": len(missing) - failures.count,
            "texts_failed": failures.count, "retries": failures.retries,
        }  # fmt: skip
        return from_lists((known.get(hashes(text), []) for text in texts.strings), facts)

    def forecast(self, texts: Texts, room: Room) -> dict[str, Any]:
        """Requests still to make, tokens of both kinds (counted by the embedded tokenizer: about right for most models), and money."""
        return self._forecast(self._missing(texts, answers(room.store.journal("llm-tags", self._key()))), room)

    def asked(self, text: str) -> str:
        """The message for one text."""
        before, _, after = self.prompt.replace("{tags}", str(self.tags_per_text)).partition("{text}")
        return before + text + after

    def _key(self) -> dict[str, Any]:
        return {
            "base_url": self.base_url, "model": self.model, "prompt": self.prompt, "tags_per_text": self.tags_per_text, "version": _VERSION,
        }  # fmt: skip

    def _missing(self, texts: Texts, known: dict[str, list[str]]) -> dict[str, str]:
        """Hash -> text of the distinct texts that have no answer yet, in the pool's order."""
        return {name: text for text in texts.strings if text.strip() and (name := hashes(text)) not in known}

    def _forecast(self, missing: dict[str, str], room: Room) -> dict[str, Any]:
        from selector.tokenizers import load

        frame = int(load().encode([self.asked("")], room).lengths[0]) + _OVERHEAD
        sent = int(np.sum(load().encode(list(missing.values()), room).lengths)) + frame * len(missing)
        received = len(missing) * (2 + _TOKENS_PER_TAG * self.tags_per_text)
        cost = None
        if self.prompt_price is not None and self.completion_price is not None:
            cost = (sent * self.prompt_price + received * self.completion_price) / 1e6
        return {"requests": len(missing), "prompt_tokens": sent, "completion_tokens": received, "cost": cost}

    def _affordable(self, forecast: dict[str, Any]) -> None:
        cost = forecast["cost"]
        log.info(
            "forecast: %d requests, about %d tokens sent and %d received, %s",
            forecast["requests"], forecast["prompt_tokens"], forecast["completion_tokens"],
            "no prices given" if cost is None else f"about {cost:.2f} in money",
        )  # fmt: skip
        if self.max_cost is not None and cost is not None and cost > self.max_cost:
            raise BudgetError(
                f"asking for the tags of {plural(forecast['requests'], 'text')} would cost about {cost:.2f}, but max_cost is "
                f"{self.max_cost:.2f}; raise max_cost, take a cheaper model, or tag a smaller pool."
            )


def hashes(text: str) -> str:
    """The name of a text in the journal."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

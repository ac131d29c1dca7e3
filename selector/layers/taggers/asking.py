"""Many chat requests at once to an OpenAI-compatible endpoint, with retries: the only door to `openai`."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import random
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from selector.errors import InputError, plural

FIRST_PAUSE = 1.0  # seconds before the second attempt; doubles from there
LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Endpoint:
    """Where to ask and how patiently."""

    base_url: str
    model: str
    api_key_env: str
    concurrency: int
    timeout: float
    attempts: int


@dataclass(frozen=True)
class Answer:
    """The tags of one text, and the tokens that the server counted (None where it does not say)."""

    text: str
    tags: list[str]
    sent: int | None
    received: int | None


@dataclass
class Failures:
    """What went wrong so far; `most` texts may stay without an answer."""

    most: int
    count: int = 0
    retries: int = 0
    last: str = ""


def ask(endpoint: Endpoint, texts: Sequence[str], message: Callable[[str], str], failures: Failures) -> Generator[Answer, None, None]:
    """Answers in the order in which they come; texts without a usable one are counted in `failures`.

    Raises InputError where openai is not installed, where the server refuses the key or the model, and as soon as more than
    `failures.most` texts have failed. Closing the iterator (or Ctrl-C) gives up what is under way within two seconds.
    """
    openai = _openai()
    out: queue.SimpleQueue[Answer | BaseException | None] = queue.SimpleQueue()
    # A thread of its own: in a notebook the main thread already runs an event loop.
    loop = asyncio.new_event_loop()
    asking = loop.create_task(_all(openai, endpoint, texts, message, failures, out))

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(asking)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            out.put(error)
        finally:
            loop.close()
            out.put(None)

    thread = threading.Thread(target=work, name="asking", daemon=True)
    thread.start()
    try:
        while (one := out.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one
    finally:
        if thread.is_alive() and not loop.is_closed():
            loop.call_soon_threadsafe(asking.cancel)
        thread.join(timeout=2.0)


async def _all(openai: Any, endpoint: Endpoint, texts: Sequence[str], message: Callable[[str], str], failures: Failures, out: Any) -> None:
    key = os.environ.get(endpoint.api_key_env, "")
    # Servers of one's own want no key, but the client wants some text.
    client = openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=key or "none", timeout=endpoint.timeout, max_retries=0)
    waiting = iter(texts)

    async def worker() -> None:
        for text in waiting:
            answer = await _one(openai, client, endpoint, text, message(text), failures)
            if answer is not None:
                out.put(answer)
            elif failures.count > failures.most:
                raise InputError(
                    f"{plural(failures.count, 'text')} got no usable tags from {endpoint.model} at {endpoint.base_url}, more than "
                    f"most_failed allows; the last reason: {failures.last}. Answers so far are kept: mend the cause and run again."
                )

    workers = [asyncio.ensure_future(worker()) for _ in range(min(endpoint.concurrency, len(texts)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await client.close()


async def _one(openai: Any, client: Any, endpoint: Endpoint, text: str, message: str, failures: Failures) -> Answer | None:
    for attempt in range(endpoint.attempts):
        pause: float | None = None
        try:
            reply = await client.chat.completions.create(
                model=endpoint.model, messages=[{"role": "user", "content": message}], temperature=0
            )
            tags = parsed(_content(reply))
            if tags is not None:
                usage = getattr(reply, "usage", None)
                return Answer(text, tags, getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None))
            failures.last = f"an answer that is no JSON list of strings: {_content(reply)[:120]!r}"
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise _refused(endpoint, error) from error
        except (openai.RateLimitError, openai.InternalServerError, openai.ConflictError) as error:
            failures.last, pause = str(error)[:200], _asked_pause(error)
        except (openai.APIConnectionError, openai.APIResponseValidationError, json.JSONDecodeError) as error:
            failures.last = f"{type(error).__name__}: {error}"[:200]  # time-outs are connection errors here
        except openai.APIStatusError as error:
            failures.last = str(error)[:200]  # this request is wrong, for instance too long: asking again changes nothing
            break
        if attempt + 1 < endpoint.attempts:
            failures.retries += 1
            # Spread out, so that the requests that were refused together do not come back together.
            await asyncio.sleep(min(LONGEST_PAUSE, pause if pause is not None else FIRST_PAUSE * 2**attempt * random.uniform(0.75, 1.25)))
    failures.count += 1
    return None


def parsed(content: str) -> list[str] | None:
    """The tags of an answer: a JSON list of strings, or of objects with a 'tag', or an object that holds one; None where it is neither."""
    decoder = json.JSONDecoder()
    for start in (at for at, letter in enumerate(content) if letter in "[{"):
        try:
            found, _ = decoder.raw_decode(content, start)
        except ValueError:
            continue
        if isinstance(found, dict):
            found = next((value for value in found.values() if isinstance(value, list)), None)
        if isinstance(found, list):
            tags = [one.get("tag") if isinstance(one, dict) else one for one in found]
            texts = [tag.strip() for tag in tags if isinstance(tag, str)]
            return [text for text in texts if text] if len(texts) == len(tags) else None
        return None
    return None


def _content(reply: Any) -> str:
    choices = getattr(reply, "choices", None)
    return str(choices[0].message.content or "") if choices else ""


def _asked_pause(error: Any) -> float | None:
    """Seconds that the server asks to wait (the header Retry-After, in seconds), or None."""
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _refused(endpoint: Endpoint, error: Any) -> InputError:
    there = "is set" if os.environ.get(endpoint.api_key_env) else "is not set"
    return InputError(
        f"{endpoint.base_url} refuses the model '{endpoint.model}' with status {error.status_code}: {str(error)[:200]}; check base_url and "
        f"model, and the key in the environment variable {endpoint.api_key_env} (it {there})."
    )


def _openai() -> Any:
    try:
        import openai
    except ImportError as error:
        raise InputError("the tagger 'llm' needs the package openai; run: pip install 'diversity-selector[llm]'") from error
    return openai

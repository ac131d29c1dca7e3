"""Any sentence-transformers model as an encoder."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Room
from selector.encoding import log_speed, runs, sound
from selector.errors import InputError
from selector.packed_bert import PackedBert, packed

log = logging.getLogger(__name__)

_Part = tuple[NDArray[np.int64], NDArray[np.float32]]  # row numbers and their vectors
_Parts = Generator[_Part, None, None]

_METHOD = 2  # goes up when the same text gets other bits than before
_BATCH_TOKENS = 2_048  # padding included; fits the processor's cache; fixed, since a batch's shape can move the last bit of a vector


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """A sentence-transformers model with its own pooling and default prompt, loaded when the first text comes."""

    name: str
    weights: str  # package version, hub commit, or the hash of a folder's files
    precision: str
    device: str
    where: str  # a folder or a hub repository
    commit: str | None = None  # of the hub repository

    @property
    def revision(self) -> str:
        """The weights, and how they are used: vectors of another method differ in their last bits."""
        return f"{self.weights} method {_METHOD}"

    @cached_property
    def model(self) -> Any:
        """The sentence_transformers.SentenceTransformer; InputError where it cannot be loaded."""
        with _no_bars():
            import torch
            from sentence_transformers import SentenceTransformer

            kind = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
            try:
                model = SentenceTransformer(
                    self.where,
                    device=self.device,
                    revision=self.commit,
                    local_files_only=self.commit is None,
                    model_kwargs={"dtype": kind},
                )
                model.encode("a", show_progress_bar=False)
            except Exception as error:  # any of the model's own libraries may object, each with its own kind of error
                raise InputError(
                    f"the encoder '{self.name}' is at {self.where} but cannot be loaded as a sentence-transformers model: {error}"
                ) from error
        log.info("encoder %s, revision %s: %s on %s", self.name, self.revision, self.precision, self.device)
        return model

    @cached_property
    def dimensions(self) -> int:
        return len(self.model.encode("a", show_progress_bar=False))

    @cached_property
    def _packed(self) -> PackedBert | None:
        return packed(self.model)

    @cached_property
    def _whole(self) -> Any:
        """The tokenizer in Rust that neither cuts nor pads: a copy, since the model's own is set anew by every call of the model."""
        from tokenizers import Tokenizer

        whole = Tokenizer.from_str(self.model.tokenizer.backend_tokenizer.to_str())
        whole.no_truncation()
        whole.no_padding()
        return whole

    @cached_property
    def _cutting(self) -> Any:
        """As `_whole`, but texts end where the model stops reading."""
        from tokenizers import Tokenizer

        cutting = Tokenizer.from_str(self._whole.to_str())
        cutting.enable_truncation(self.model.max_seq_length, direction=self.model.tokenizer.truncation_side)
        return cutting

    def encode(self, strings: Sequence[str], room: Room) -> NDArray[np.float32]:
        began, vectors, done = time.perf_counter(), np.empty((len(strings), self.dimensions), np.float32), 0
        found = self._by_text(strings, room) if self._packed is None else self._without_padding(self._packed, strings, room)
        with closing(found):  # whoever interrupts finds torch's threads as they were
            for rows, values in found:
                vectors[rows] = values
                done += len(rows)
                room.progress("embedding", done, len(strings))
        log_speed(f"{self.name}, {self.precision}", len(strings), began)
        return vectors

    def cut(self, strings: Sequence[str]) -> int:
        limit = self.model.max_seq_length
        return 0 if limit is None else int((self._lengths(strings) > limit).sum())

    def _by_text(self, strings: Sequence[str], room: Room) -> _Parts:
        """The model's own way, batch by batch."""
        with _torch_threads(room.threads):
            for rows in _batches(np.minimum(self._lengths(strings), self.model.max_seq_length or 2**31)):
                batch = [sound(strings[row]) for row in rows]
                yield rows, self.model.encode(batch, batch_size=len(batch), show_progress_bar=False)

    def _without_padding(self, model: PackedBert, strings: Sequence[str], room: Room) -> _Parts:
        """One thread a core, each with batches of its own: two cores on one small product wait for each other."""
        import torch

        ids: list[NDArray[np.int64]] = []
        for start, stop in runs(strings):
            encodings = self._cutting.encode_batch_fast([sound(one) for one in strings[start:stop]])
            ids += [np.array(one.ids, np.int64) for one in encodings]
        batches = _batches(np.fromiter((len(one) for one in ids), np.int64, len(ids)))
        threads = room.threads or torch.get_num_threads()

        def embedded(rows: NDArray[np.int64]) -> _Part:
            return rows, model.encode([ids[row] for row in rows])

        with _torch_threads(1):
            workers = ThreadPoolExecutor(threads, initializer=lambda: torch.set_num_threads(1))
            try:
                yield from workers.map(embedded, batches)
            finally:
                workers.shutdown(cancel_futures=True)  # an interrupted run does not finish what was queued

    def _lengths(self, strings: Sequence[str]) -> NDArray[np.int64]:
        """(n,) tokens of each whole text, special tokens included."""
        lengths = np.empty(len(strings), np.int64)
        for start, stop in runs(strings):
            batch = [sound(one) for one in strings[start:stop]]
            if self.model.tokenizer.is_fast:
                lengths[start:stop] = [len(one) for one in self._whole.encode_batch_fast(batch)]
            else:
                ids = self.model.tokenizer(batch, truncation=False, padding=False, verbose=False)["input_ids"]
                lengths[start:stop] = [len(one) for one in ids]
        return lengths


def _batches(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Row numbers, longest texts first (a batch that does not fit memory fails at once), at most 2,048 padded tokens together."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = max(1, _BATCH_TOKENS // max(1, int(lengths[order[start]])))
        yield order[start : start + width]
        start += width


@contextmanager
def _no_bars() -> Iterator[None]:
    """No 'Loading weights' bar: the library prints nothing."""
    from transformers.utils import logging as bars

    was = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if was:
            bars.enable_progress_bar()


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)

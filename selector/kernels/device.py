"""Facility location's similarities on a GPU, through torch: the same numbers as on the processor.

On the grid of features.dense every float32 product and partial sum is exact, whatever order a device adds in (tensor cores are kept out:
TF32 rounds its operands), and rises are summed in float64. So gains are those of kernels.sources.Tiles, and the picks too. What is left
after the first picks goes to the processor, where walks over few similarities are fastest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.core import Gains, Progress, Rows
from selector.errors import InputError
from selector.features import Vectors
from selector.kernels.sources import Cover, Tiles, sampled
from selector.kernels.sweep import Kept

Tensor = Any  # of torch, which is loaded late

TILE = 1 << 28  # similarities of a tile
SPAN = 8192  # candidates of a tile, at most


class OnDevice:
    """Dense vectors on a torch device: products of many candidates with all rows, a tile at a time. See kernels.sources.Source.

    Takes n d 4 bytes of the device's memory and up to 8 GB for tiles. Raises InputError for vectors on no grid, or where torch sees no such
    device.
    """

    def __init__(self, vectors: Vectors, device: str) -> None:
        import torch

        if device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"the selection was asked to run on '{device}', but torch sees no GPU here; use the device cpu.")
        self.torch, self.device, self.vectors = torch, device, vectors.on_grid()
        self.data = torch.from_numpy(np.ascontiguousarray(self.vectors.data)).to(device)
        self.size, self.batch = vectors.size, 2048
        self.dear, self.entry, self.enough = True, 9, np.inf
        self.tall = max(1, min(self.size, TILE // SPAN))  # rows of a tile

    def cover(self, chosen: Rows, before: Cover, weights: Gains) -> tuple[Cover, Gains]:
        cover, heavy, gains = self._moved(before), self._moved(weights), np.zeros(len(chosen))
        for first in range(0, len(chosen), SPAN):
            some = self.data[self._moved(chosen[first : first + SPAN])]
            for part in self._parts():
                values = self._products(some, self.data[part])
                reached = self.torch.cummax(self.torch.cat([cover[None, part], values]), dim=0).values
                gains[first : first + SPAN] += ((reached[1:] - reached[:-1]).double() @ heavy[part]).cpu().numpy()
                cover[part] = reached[-1]
        return cover.cpu().numpy(), gains

    def nearest(self, chosen: Rows) -> Cover:
        cover = self.torch.zeros(self.size, device=self.device)
        for first in range(0, len(chosen), SPAN):
            some = self.data[self._moved(chosen[first : first + SPAN])]
            for part in self._parts():
                cover[part] = self.torch.maximum(cover[part], self._products(some, self.data[part]).amax(dim=0))
        found: Cover = cover.cpu().numpy()
        return found

    def rises(self, candidates: Rows, cover: Cover, weights: Gains, progress: Progress) -> Gains:
        level, heavy, gains = self._moved(cover), self._moved(weights), np.zeros(len(candidates))
        for first in range(0, len(candidates), SPAN):
            some = self.data[self._moved(candidates[first : first + SPAN])]
            total = self.torch.zeros(len(some), dtype=self.torch.float64, device=self.device)
            for part in self._parts():
                total += (self._products(some, self.data[part]) - level[part]).clamp_(min=0).double() @ heavy[part]
            gains[first : first + SPAN] = total.cpu().numpy()
            if len(candidates) > SPAN:
                progress("gains", min(len(candidates), first + SPAN), len(candidates))
        return gains

    def line(self, row: int) -> Cover:
        found: Cover = self._products(self.data, self.data[row : row + 1])[:, 0].cpu().numpy()
        return found

    def left(self, cover: Cover) -> float:
        level, some, count = self._moved(cover), self.data[self._moved(sampled(self.size))], 0
        for part in self._parts():
            count += int((self._products(some, self.data[part]) > level[part]).sum())
        return count / len(some)

    def sweep(self, cover: Cover, progress: Progress) -> Kept:
        level, span = self._moved(cover), max(1, min(SPAN, TILE // self.size))
        counts, rows, similarities = list[NDArray[np.int64]](), list[NDArray[np.int32]](), list[NDArray[np.float32]]()
        for first in range(0, self.size, span):
            values = self._products(self.data[first : first + span], self.data)
            above = values > level
            counts.append(above.sum(dim=1).cpu().numpy())
            rows.append(above.nonzero()[:, 1].int().cpu().numpy())  # by candidate, rows ascending
            similarities.append(values[above].cpu().numpy())
            progress("sweep", min(self.size, first + span), self.size)
        return np.concatenate([[0], np.cumsum(np.concatenate(counts))]), np.concatenate(rows), np.concatenate(similarities)

    def near(self, cover: Cover, probes: int, seed: int, progress: Progress) -> tuple[Kept, float]:
        return Tiles(self.vectors, TILE).near(cover, probes, seed, progress)  # many small products, each with other rows

    def _parts(self) -> Iterator[slice]:
        for place in range(0, self.size, self.tall):
            yield slice(place, min(self.size, place + self.tall))

    def _moved(self, values: NDArray[Any]) -> Tensor:
        return self.torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def _products(self, left: Tensor, right: Tensor) -> Tensor:
        """(len(left), len(right)) in full float32: another part of a program may have allowed TF32."""
        matmul = self.torch.backends.cuda.matmul
        before, matmul.allow_tf32 = matmul.allow_tf32, False
        try:
            return left @ right.T
        finally:
            matmul.allow_tf32 = before

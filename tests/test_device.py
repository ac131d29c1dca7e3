"""The source of similarities for a GPU: equal to the processor's on torch's own cpu device everywhere, and on a GPU where there is one."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from selector.core import NO_ROWS, Ground, Problem
from selector.engine import select
from selector.errors import InputError
from selector.features import dense
from selector.kernels import device
from selector.kernels.device import OnDevice
from selector.kernels.sources import Tiles
from selector.limits import Count
from selector.objectives.facility_location import FacilityLocation
from selector.optimizers.lazy import lazy
from selector.optimizers.near import near

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"))]


def pool(size: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((20, 24))[rng.integers(0, 20, size)] + 0.5 * rng.standard_normal((size, 24))
    rows[size // 2 :: 7] = rows[0]  # copies
    return dense(rows)


@pytest.mark.parametrize("where", DEVICES)
def test_every_number_is_the_processors(where, monkeypatch):
    monkeypatch.setattr(device, "SPAN", 70)
    monkeypatch.setattr(device, "TILE", 9000)
    found, rng = pool(300), np.random.default_rng(1)
    here, there = Tiles(found, 1 << 20), OnDevice(found, where)
    weights, chosen = rng.integers(0, 4, 300).astype(float), rng.choice(300, 90, replace=False)
    cover, gains = here.cover(chosen[:40], np.zeros(300, np.float32), weights)
    cover_there, gains_there = there.cover(chosen[:40], np.zeros(300, np.float32), weights)
    np.testing.assert_array_equal(cover_there, cover)
    np.testing.assert_array_equal(gains_there, gains)
    everybody = np.arange(300)
    given = everybody, cover, weights, lambda *_: None
    np.testing.assert_array_equal(there.rises(*given), here.rises(*given))
    np.testing.assert_array_equal(there.nearest(chosen), here.nearest(chosen))
    np.testing.assert_array_equal(there.line(7), here.line(7))
    assert there.left(cover) == here.left(cover)
    for one, other in zip(there.sweep(cover, lambda *_: None), sorted_columns(*here.sweep(cover, lambda *_: None)), strict=True):
        np.testing.assert_array_equal(one, other)


def sorted_columns(starts, rows, similarities):
    order = np.lexsort((rows, np.repeat(np.arange(len(starts) - 1), np.diff(starts))))
    return starts, rows[order], similarities[order]


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("optimizer", [partial(lazy, mode="exact"), partial(lazy, mode="fast"), near], ids=["exact", "fast", "near"])
def test_the_rows_are_the_processors(where, optimizer, monkeypatch):
    found = pool(9000, 2)
    grounds = [Ground(9000, {"v": found}, memory=1 << 25, device=name) for name in ("cpu", "cuda")]
    if where == "cpu":  # torch's cpu stands for the GPU
        monkeypatch.setattr("selector.objectives.facility_location.OnDevice", lambda vectors, _: OnDevice(vectors, "cpu"))
    asked = [Problem(ground, FacilityLocation("v"), Count(150), NO_ROWS, np.arange(9000)) for ground in grounds]
    here, there = (select(one, optimizer, seed=3) for one in asked)
    np.testing.assert_array_equal(there.rows, here.rows)
    np.testing.assert_array_equal(there.gains, here.gains)
    assert there.value == here.value


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU")
def test_no_gpu_is_said():
    with pytest.raises(InputError, match="torch sees no GPU here; use the device cpu"):
        OnDevice(pool(20), "cuda")

"""--plan: every stage with its time and memory, nothing made; what cannot fit is refused, with what would."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from selector import forecasts, planning, recipe, running
from selector.cache import Cache
from selector.core import NO_ROWS, Need
from selector.errors import MemoryForecast
from selector.forecasts import Cost, Machine, Shape
from selector.kernels import codes
from selector.objectives.coverage import Coverage
from selector.objectives.dpp import Dpp
from selector.objectives.facility_location import FacilityLocation
from selector.objectives.k_centre import KCentre
from selector.objectives.k_means_medoids import KMeansMedoids
from selector.objectives.max_min import MaxMin
from selector.objectives.mixture import Mixture
from selector.objectives.mmr import Mmr
from selector.objectives.novel_select import NovelSelect
from selector.objectives.quality import Quality
from selector.objectives.repr_filter import ReprFilter
from tests.command import command

MACHINE = Machine(1e11, 1e9, 16 << 30)


@pytest.fixture(autouse=True)
def no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "probe", lambda: MACHINE)


def made(tmp_path: Path, memory: int = 4 << 30, **words: Any) -> planning.Plan:
    top = {key: words.pop(key) for key in ("layers", "hygiene") if key in words}
    asked = recipe.check({"pool": {"source": "demo"}, "select": {"budget": 100, **words}, **top})
    return running.plan(asked, running.Options(cache=tmp_path / "cache", memory=memory))


def test_every_stage_is_there_and_nothing_is_made(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert [one.name.strip() for one in found.stages] == [
        "read", "hygiene", "micro/response", "select: facility-location", "certificate", "lengths", "verdict", "write",
    ]  # fmt: skip
    assert not found.unknown
    assert 0 < found.seconds < 60
    assert all(one.seconds >= 0 and one.bytes >= 0 for one in found.stages)
    assert not (tmp_path / "cache").exists(), "a plan makes no features"
    assert "sampled rows" in found.stages[2].because


def test_what_the_cache_holds_costs_a_read(tmp_path: Path) -> None:
    before = made(tmp_path)
    asked = recipe.check({"pool": {"source": "demo"}, "select": {"budget": 100}})
    running.solve(asked, options=running.Options(cache=tmp_path / "cache"))
    kept = len(Cache(tmp_path / "cache").entries())
    after = made(tmp_path)
    assert after.stages[2].because == "in the cache"
    assert before.stages[2].because != "in the cache"
    assert len(Cache(tmp_path / "cache").entries()) == kept


def test_mixtures_both_sides_and_token_budgets_have_their_stages(tmp_path: Path) -> None:
    found = made(tmp_path, mix="meso/both:1,coverage@micro/response:2", token_budget=5_000)
    names = [one.name.strip() for one in found.stages]
    assert names.count("certificate") == 2
    assert {"meso/both", "micro/response", "select: coverage"} <= set(names)
    assert "picks" in next(one.because for one in found.stages if one.name == "select: coverage")


def test_an_objective_that_says_nothing_is_not_known(tmp_path: Path) -> None:
    found = made(tmp_path, objective="apricot:feature-based")
    assert any("select" in name for name in found.unknown)
    found = made(tmp_path, layer="meso", layers={"meso": {"tagger": "llm", "base_url": "http://localhost:1/v1", "model": "m"}})
    assert "meso/response" in found.unknown


def test_what_cannot_fit_is_refused_with_what_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MemoryForecast, match=r"memory option allows 1 MiB; give --memory \d+GB"):
        made(tmp_path, memory=1 << 20)
    monkeypatch.setattr(forecasts, "probe", lambda: replace(MACHINE, memory=1 << 20))
    with pytest.raises(MemoryForecast, match="this machine has free 1 MiB; take fewer rows"):
        made(tmp_path)


def test_a_run_is_refused_before_any_work(tmp_path: Path) -> None:
    asked = recipe.check({"pool": {"source": "demo"}, "select": {"budget": 2000, "objective": "dpp", "options": {"kernel": "rbf"}}})
    with pytest.raises(MemoryForecast, match="2,000 rows take") as told:
        running.solve(asked, options=running.Options(cache=tmp_path / "cache", memory=24 << 20))
    assert not (tmp_path / "cache").exists()
    fits = int(re.search(r"enough for ([\d,]+) row", str(told.value))[1].replace(",", ""))
    words = {"budget": fits, "objective": "dpp", "options": {"kernel": "rbf"}}
    planning.check(recipe.check({"pool": {"source": "demo"}, "select": words}), 2940, 24 << 20)


def test_costs_grow_as_they_should() -> None:
    dense, sparse = Shape(10_000, 100, dimensions=64), Shape(10_000, 100, 5000, entries=10, walks=900, sparse=True)
    half = forecasts.selection(FacilityLocation("x"), "lazy", {}, dense)
    coded = forecasts.CODED[codes.fastest()]
    assert half.flops == pytest.approx(forecasts.SWEPT["exact"] * 10_000**2 * 64 * coded)
    fast = forecasts.selection(FacilityLocation("x"), "lazy", {"mode": "fast"}, dense)
    assert fast.flops == pytest.approx(forecasts.SWEPT["fast"] * 10_000**2 * 64 * coded)
    double = forecasts.selection(FacilityLocation("x"), "lazy", {}, replace(dense, rows=20_000))
    assert double.flops == pytest.approx(4 * half.flops)
    for objective in (FacilityLocation("x"), Coverage("x"), Dpp("x"), Dpp("x", kernel="rbf"), Quality("x")):
        for shape in (dense, sparse):
            greedy, lazy = (forecasts.selection(objective, name, {}, shape) for name in ("greedy", "lazy"))
            assert MACHINE.seconds(lazy) > 0
            if not isinstance(objective, Quality):
                assert MACHINE.seconds(greedy) >= MACHINE.seconds(lazy) * 0.99 or objective == Dpp("x", kernel="rbf") or shape is sparse
    many = replace(dense, rows=1_000_000)
    near, parts = (forecasts.selection(FacilityLocation("x"), name, {}, many) for name in ("near", "partitioned"))
    assert max(near.flops, parts.flops) < forecasts.selection(FacilityLocation("x"), "lazy", {}, many).flops / 5
    wide = forecasts.selection(FacilityLocation("x"), "near", {"probes": 80}, many)
    assert near.flops < wide.flops < 2 * near.flops
    assert forecasts.selection(FacilityLocation("x"), "near", {}, replace(dense, rows=8000)).flops == pytest.approx(half.flops * 0.8**2)
    assert forecasts.certificate(FacilityLocation("x"), many, "near").flops < forecasts.certificate(FacilityLocation("x"), many).flops / 50
    both = forecasts.selection(Mixture((FacilityLocation("x"), Coverage("x")), (1, 1), (1, 1)), "lazy", {}, sparse)
    parts = [forecasts.selection(one, "lazy", {}, sparse).walks for one in (FacilityLocation("x"), Coverage("x"))]
    assert both.walks == pytest.approx(sum(parts) - forecasts.PICK * 100)


@pytest.mark.parametrize("objective", [KCentre("x"), Mmr("x"), MaxMin("x"), ReprFilter("x", "q"), NovelSelect("x"), KMeansMedoids("x")])
def test_baselines_grow_with_rows_and_picks(objective: Any) -> None:
    for shape in (Shape(100_000, 9_000, dimensions=256), Shape(100_000, 9_000, 5000, entries=10, walks=900, sparse=True)):
        once, rows, picks = (
            MACHINE.seconds(forecasts.selection(objective, "lazy", {}, one))
            for one in (shape, replace(shape, rows=400_000), replace(shape, picks=36_000))
        )
        assert once > 0
        assert 1.5 * once < rows < 4.5 * once
        assert once < picks <= 4.01 * once


def test_a_baseline_has_a_plan_without_a_certificate(tmp_path: Path) -> None:
    found = made(tmp_path, objective="cluster-balanced", layer="meso")
    assert not found.unknown
    assert [one.name.strip() for one in found.stages][-4:] == ["select: cluster-balanced", "lengths", "verdict", "write"]
    assert found.stages[-4].because == "its own loop, 100 picks"
    assert "sampled rows" in found.stages[-3].because
    free = made(tmp_path, lengths="free", verdict=False)
    assert not {"lengths", "verdict"} & {one.name for one in free.stages}


def test_an_objective_may_say_its_own_cost() -> None:
    @dataclass(frozen=True)
    class Own:
        submodular: ClassVar[bool] = True
        monotone: bool = True
        needs: tuple[Need, ...] = ()

        def cost(self, shape: Shape) -> Cost:
            return Cost(flops=shape.rows * 7.0)

        def start(self, ground: Any, chosen: Any = NO_ROWS) -> Any: ...
        def value(self, ground: Any, rows: Any) -> float: ...

    shape = Shape(11, 1)
    assert forecasts.selection(Own(), "lazy", {}, shape).flops == 77
    assert np.isfinite(MACHINE.seconds(forecasts.certificate(Own(), shape)))


def test_the_command_prints_80_columns_and_writes_nothing(tmp_path: Path) -> None:
    done = command("select", "demo", "--budget", "100", "--plan", "--cache", str(tmp_path / "cache"))
    assert done.code == 0, done.err
    assert all(len(line) <= 80 for line in done.out.splitlines())
    for word in ("plan", "read", "micro/response", "select: facility-location", "in all", "machine"):
        assert word in done.out
    assert not (tmp_path / "cache").exists()
    done = command("select", "demo", "--budget", "100", "--plan", "--memory", "1MB", "--no-cache")
    assert done.code == 2
    assert "give --memory" in done.err
    done = command("select", "demo", "--budget", "100")
    assert done.code == 2
    assert "--output" in done.err

"""Law 6: the same seed, machine, plan and engine give the same history bit for bit; so after interruption and saving.

Every cell, and a head of quantiles, on both engines. What an interruption at any step, callbacks and schedules change
is in tests/training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lstm_lib as ll
from lstm_lib.network.cells import CELLS
from tests.cases import same
from tests.training.fit_cases import arrays, equal_but_for_time, fit, interrupting

ENGINES = ("plain", "compiled")


@pytest.fixture(params=[*CELLS, "quantiles"])
def spec(request: pytest.FixtureRequest) -> ll.Spec:
    if request.param == "quantiles":
        return ll.Spec(1, (4, 3), 3, head="quantiles", levels=(0.1, 0.5, 0.9))
    return ll.Spec(1, (4, 3), 1, cell=request.param)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LSTM_LIB_ENGINE", request.param)
    return str(request.param)


def test_the_same_run_twice_gives_the_same_bits(spec: ll.Spec, engine: str) -> None:
    plan = ll.isolate(spec, ll.zone(spec, layer=1, unit=0), "cut", span=3)
    for isolation in (None, plan):
        equal_but_for_time(fit(spec, isolation=isolation), fit(spec, isolation=isolation))


def test_a_resumed_run_is_the_uninterrupted_one(spec: ll.Spec, engine: str, tmp_path: Path) -> None:
    zone = ll.zone(spec, layer=0, matrix="Wh", unit=[0, 2])
    settings: dict[str, Any] = {
        "isolation": ll.isolate(spec, zone),
        "watch": True,
        "optimizer": ll.Adam(0.02),
    }
    whole = fit(spec, **settings)
    for at in (4, 9):
        stopped = fit(spec, interrupting(arrays(), at), **settings)
        again = ll.Record.load(stopped.save(tmp_path / "run"))
        equal_but_for_time(fit(spec, resume=again, **settings), whole)
    start = ll.init_params(spec)
    for name, p in whole.params.items():
        mask = zone.mask(name)
        assert p[mask].tobytes() == start[name][mask].tobytes()
        assert (p[~mask] != start[name][~mask]).any()


def test_a_run_is_resumed_with_the_engine_that_began_it(
    spec: ll.Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where this machine would now take the other: the bits are those of one engine."""
    for first, other in (ENGINES, ENGINES[::-1]):
        monkeypatch.setenv("LSTM_LIB_ENGINE", first)
        half, whole = fit(spec, epochs=1), fit(spec)
        monkeypatch.setenv("LSTM_LIB_ENGINE", other)
        resumed = fit(spec, resume=half)
        assert resumed.config["engine"] == first
        equal_but_for_time(resumed, whole)
        same(fit(spec).params, whole.params, 1e-3)
        del half.config["engine"]
        assert fit(spec, resume=half).config["engine"] == other

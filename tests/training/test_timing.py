"""Steps in turn are the steps that `fit` makes, each plan on its own parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.training import step as steps
from lstm_lib.training import timing
from lstm_lib.training.samples import Arrays

SPEC = ll.Spec(2, (3,), 1)
ALL_BUT_HEAD = ~ll.zone(SPEC, layer="head")
PLANS = {
    "dense": None,
    "head": ll.isolate(SPEC, ALL_BUT_HEAD),
    "hold": ll.isolate(SPEC, ALL_BUT_HEAD, depth="hold"),  # computes what it must not use
}
CACHED = ll.isolate(SPEC, ALL_BUT_HEAD, depth="cache")


@pytest.fixture
def samples() -> Arrays:
    x = np.linspace(-1, 1, 40, dtype="float32").reshape(4, 5, 2)
    return Arrays(x, x[:, -1, :1])


def test_every_plan_has_its_turn_in_every_round(samples: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[Any] = []
    backward = steps.backward

    def counted(spec: Any, params: Any, trace: Any, dy: Any, plan: Any = None) -> Any:
        if dy.size > 1:  # else it makes ready
            turns.append((plan, id(params["0/Wh"]), len(dy)))
        return backward(spec, params, trace, dy, plan)

    monkeypatch.setattr(steps, "backward", counted)
    seconds = timing.steps_in_turn(SPEC, PLANS, samples, batch=3, rounds=4)
    assert seconds.shape == (4, 3)
    assert (seconds > 0).all(axis=None)
    assert [plan for plan, _, _ in turns] == [*PLANS.values()] * 6  # two rounds to warm up
    assert len({params for _, params, _ in turns}) == 3
    assert {size for _, _, size in turns} == {3}


def test_a_step_under_a_plan_moves_what_the_plan_leaves_active(
    samples: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        timing, "init_params", lambda *a, **k: seen.append(ll.init_params(*a, **k)) or seen[-1]
    )
    timing.steps_in_turn(SPEC, PLANS, samples, rounds=1)
    start = ll.init_params(SPEC)
    dense, head, hold = ({name: not np.array_equal(p[name], start[name]) for name in start} for p in seen)
    assert all(dense.values())
    for moved in (head, hold):
        assert {name for name in moved if moved[name]} == {"head/W", "head/b"}


def test_seconds_a_target_are_those_of_the_step_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of 4 windows serves 4 targets, one of 2 sequences of 8 steps with 3 to warm up 10."""
    split = ll.sequences(ll.load_series("fontana", columns=["power"]), 8, 3, lookback=6)
    kinds = {"windows": (split.windows.train, 4), "sequences": (split.train, 2)}
    monkeypatch.setattr(
        timing, "interleave", lambda turns, rounds: pd.DataFrame({name: [1.0] for name in turns})
    )
    found = timing.targets_in_turn(ll.Spec(1, (3,), 1), kinds)
    assert found.iloc[0].to_dict() == {"windows": 1 / 4, "sequences": 1 / 10}


def test_a_busy_moment_does_not_change_the_speed_up() -> None:
    # the machine slows down by ten for two rounds, and one step alone is held up: means would be blurred
    seconds = pd.DataFrame({"dense": [2.0, 20.0, 20.0, 2.0, 2.0], "half": [1.0, 10.0, 10.0, 90.0, 1.0]})
    table = timing.speed_up(seconds)
    assert table["speed-up"].to_dict() == {"dense": 1.0, "half": 2.0}
    assert table["median ms"].to_dict() == {"dense": 2000.0, "half": 10000.0}


def test_the_spread_tells_a_busy_machine() -> None:
    seconds = pd.DataFrame({"dense": [2.0, 2.0, 8.0, 8.0], "half": [1.0, 4.0, 1.0, 4.0]})
    assert timing.speed_up(seconds).loc["half", ["25 %", "speed-up", "75 %"]].tolist() == [1.625, 2.0, 3.5]


def test_rounds_of_warming_up_are_not_counted() -> None:
    calls: list[str] = []
    contestants = {name: lambda name=name: calls.append(name) for name in "ab"}
    assert timing.interleave(contestants, rounds=3, warmup=2).shape == (3, 2)
    assert calls == ["a", "b"] * 5


def test_a_step_at_depth_cache_reads_states_that_were_computed_before(
    samples: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    forward = steps.forward

    def watched(spec: Any, params: Any, x: Any, *work: Any, known: int = 0, **more: Any) -> Any:
        yhat, trace = forward(spec, params, x, *work, known=known, **more)
        if len(x) > 1:  # else it makes ready
            read.append((known, x.shape, yhat.copy()))
        return yhat, trace

    monkeypatch.setattr(steps, "forward", watched)
    timing.steps_in_turn(SPEC, {"dense": None, "cache": CACHED}, samples, batch=3, rounds=1)
    (known, shape, dense), (cached, remembered, same) = read[:2]  # the first step of each
    assert (known, shape) == (0, (3, 5, 2))
    assert (cached, remembered) == (1, (3, 1, 3))
    np.testing.assert_allclose(same, dense, rtol=1e-6)

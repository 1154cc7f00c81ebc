"""Dual prediction: in step whatever is said, out of step never unnoticed for long, whichever frames are lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lib as ll
from lstm_lib.lora import Rule, airtime, exchange, last_value, lost_between, of_network, yesterday
from lstm_lib.lora.dual import Log, Sensor, Sink

W = 24
START = np.arange(W) % 7 * 0.5


def mixed(known: np.ndarray, hour: int) -> float:
    """A forecast that reads all that is known, and the hour."""
    return float(known @ np.linspace(0, 0.08, W) + 0.3 * np.sin(hour))


FORECASTS = {"last value": last_value, "yesterday": yesterday, "mixed": mixed}
forecasts = st.sampled_from([*FORECASTS.values()])


def walk(seed: int, n: int, missing: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.abs(rng.normal(0, 0.4, n).cumsum()) + 1
    return np.where(rng.random(n) < missing, np.nan, values)


# ------------------------------------------------------------------------------------------- nothing is lost


@given(st.integers(0, 10**6), forecasts, st.floats(0.005, 3), st.integers(1, 40), st.sampled_from([0, 0.1]))
def test_without_losses_the_error_is_at_most_epsilon(
    seed: int, forecast: Any, epsilon: float, silence: int, missing: float
) -> None:
    values = walk(seed, 120, missing)
    log = exchange(values, START, forecast, Rule(epsilon, 0.01, silence))
    assert log.same.all() and log.in_step.all() and log.asked == 0
    assert np.nanmax(np.abs(log.known - values), initial=0) <= epsilon + 1e-9
    assert set(log.frames) <= {4} and len(log.frames) == log.sent.sum()
    quiet = np.diff(np.flatnonzero(np.r_[True, log.sent, True]))  # hours from frame to frame
    assert quiet.max() <= silence + 1
    assert np.abs(log.known / 0.01 - np.rint(log.known / 0.01)).max() < 1e-6


def test_it_sends_what_is_off_and_nothing_else() -> None:
    values = np.array([1.0, 1.4, 1.5, 1.6, 9.0, 9.0])
    log = exchange(values, np.ones(W), last_value, Rule(0.5, 0.1, 100))
    assert log.sent.tolist() == [False, False, False, True, True, False]
    np.testing.assert_allclose(log.known, [1.0, 1.0, 1.0, 1.6, 9.0, 9.0])
    assert log.frames == (4, 4) and log.seconds(5) == pytest.approx(2 * airtime(4, 5))
    day = exchange(np.r_[START[:23], 7.0], START, yesterday, Rule(0.2, 0.1, 100))
    assert np.flatnonzero(day.sent).tolist() == [23]


def test_a_forecast_beyond_two_bytes_is_cut_off_and_a_value_refused() -> None:
    log = exchange(np.array([1.0]), np.ones(W), lambda known, hour: 1e9, Rule(0.1))
    assert log.known.tolist() == [1.0]
    with pytest.raises(ValueError, match=r"400.0 does not go into two bytes in steps of 0\.01"):
        exchange(np.array([400.0]), np.ones(W), last_value, Rule(0.1))
    with pytest.raises(ValueError, match="start has missing values"):
        exchange(np.array([1.0]), np.full(W, np.nan), last_value, Rule(0.1))


# ------------------------------------------------------------------------------------------- frames are lost


def unnoticed(log: Log) -> int:
    """The longest run of hours in which the ends differ and the sink doesn't know."""
    wrong = np.r_[False, ~log.same & log.in_step, False]
    return int(np.diff(np.flatnonzero(~wrong)).max()) - 1


@given(
    st.integers(0, 10**6),
    forecasts,
    st.floats(0.05, 2),
    st.integers(1, 30),
    st.lists(st.booleans(), max_size=80),
    st.sampled_from([0, 0.1]),
)
def test_whatever_is_lost_the_ends_do_not_drift_apart_unnoticed(
    seed: int, forecast: Any, epsilon: float, silence: int, lost: list[bool], missing: float
) -> None:
    values = walk(seed, 200, missing)
    log = exchange(values, START, forecast, Rule(epsilon, 0.01, silence), lost)
    assert unnoticed(log) < silence
    known = log.same & log.in_step
    assert np.nanmax(np.abs(log.known - values)[known], initial=0) <= epsilon + 1e-9
    assert log.frames.count(2 + 2 * W) <= log.asked
    assert set(log.frames) <= {4, 2 + 2 * W}
    quiet = np.diff(np.flatnonzero(np.r_[True, log.sent, True]))
    assert quiet.max() <= silence + 1  # the sensor never waits longer, whatever it was asked


@given(st.integers(0, 10**6), forecasts, st.integers(1, 30), st.lists(st.booleans(), max_size=20))
def test_after_the_last_loss_they_are_soon_in_step_again(
    seed: int, forecast: Any, silence: int, lost: list[bool]
) -> None:
    values = walk(seed, 800)
    log = exchange(values, START, forecast, Rule(0.3, 0.01, silence), lost)
    # at most one hour in `silence` uses up a loss; then a frame, and its answer
    settled = silence * (len(lost) + 2)
    assert (log.same & log.in_step)[settled:].all()


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("name", FORECASTS)
def test_at_shares_of_lost_frames_from_one_to_twenty_per_cent(name: str, share: float) -> None:
    rng = np.random.default_rng(3)
    values, rule = walk(3, 4000), Rule(0.3)
    lost = (rng.random(20_000) < share).tolist()
    log = exchange(values, START, FORECASTS[name], rule, lost)
    assert unnoticed(log) < rule.silence
    in_step = log.in_step & log.same
    assert np.abs(log.known - values)[in_step].max() <= rule.epsilon + 1e-9
    assert in_step.mean() > 0.98 - 2 * share
    assert log.asked > 0 and not log.same.all()
    assert in_step[-200:].any()


def test_all_lost_is_noticed_when_the_silence_is_too_long() -> None:
    log = exchange(walk(1, 60), START, yesterday, Rule(0.1, silence=10), [True] * 100)
    assert not log.in_step[9:].any() and log.in_step[:9].all()
    assert log.asked == 0 and log.frames.count(50) == 0


def test_a_lost_answer_and_a_lost_request_are_made_good_later() -> None:
    values = np.arange(2.0, 10.0)  # each hour a frame
    lost = [True, False, False, True, False, True, False, False, False]
    # hour 0: frame lost. 1: heard, asked, answer lost. 2: heard, request lost. 3: heard, asked, answered.
    log = exchange(values, np.ones(W), last_value, Rule(0.4, 0.1), lost)
    assert log.in_step.tolist() == [True, False, False, True, True, True, True, True]
    assert log.same.tolist() == [False, False, False, True, True, True, True, True]
    assert log.asked == 3 and log.frames == (4, 4, 50, 4, 4, 50, 4, 4, 4, 4)


def test_ends_that_reckon_differently_are_found_by_the_check_byte() -> None:
    """No frame is lost, but the sink's forecast is off by a step: its numbers alone would not tell."""
    rule, known = Rule(0.5, 0.1), np.arange(W)
    sensor = Sensor(rule, last_value, known)
    sink = Sink(rule, lambda seen, hour: last_value(seen, hour) + 0.1, known)
    assert sensor.measure(0, 2.3) is None and not sink.hear(0, None)
    frame = sensor.measure(1, 5.0)
    assert frame is not None and sink.hear(1, frame) and not sink.in_step
    sink.catch_up(sensor.answer())
    assert sink.in_step and np.array_equal(sink.known, sensor.known)
    assert len(sensor.answer()) == 2 + 2 * W <= 51  # one frame at the lowest data rate


def test_numbers_go_round() -> None:
    assert [lost_between(a, b) for a, b in ((0, 1), (255, 0), (254, 0), (9, 8), (-1, 0))] == [0, 0, 1, 254, 0]
    values = np.arange(600) % 2 * 5.0  # a frame an hour, so that numbers wrap twice
    assert exchange(values, np.ones(W), last_value, Rule(0.1)).in_step.all()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"epsilon": 0.001}, r"epsilon=0\.001 has to be at least half of step=0\.01"),
        ({"epsilon": np.nan}, "epsilon=nan"),
        ({"epsilon": 1, "step": 0}, "step=0"),
        ({"epsilon": 1, "silence": 0}, "silence is 0; expected 1 to 100 hours"),
        ({"epsilon": 1, "silence": 101}, "silence is 101"),
    ],
)
def test_a_rule_that_does_not_hold_together_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Rule(**given)
    assert Rule(0.005).silence == 24 and Rule(1, silence=100).step == 0.01


def test_a_network_forecasts_what_it_forecasts_elsewhere(rng: np.random.Generator) -> None:
    index = pd.date_range("2020-01-01", periods=300, freq="h", tz="UTC")
    frame = pd.DataFrame({"air": np.arange(300.0), "load": 5 + 2 * rng.standard_normal(300)}, index)
    series = ll.series.Series("demo", frame, "load", "kW").with_calendar("hour")
    split = ll.windows(series, lookback=W, inputs=["hour_sin", "load", "hour_cos"])
    spec = ll.Spec(3, (4,), 1)
    params = ll.init_params(spec)
    first = int(split.test.starts[0]) + W
    forecast = of_network(spec, params, split, first)
    found = [forecast(frame["load"].to_numpy()[first + k - W : first + k], k) for k in range(len(split.test))]
    expected = split.unscale(ll.predict(spec, params, split.test))
    np.testing.assert_allclose(found, np.ravel(expected), rtol=1e-5)
    with pytest.raises(ValueError, match=r"doesn't know the inputs \['air'\]"):
        of_network(spec, params, ll.windows(series, lookback=W, inputs=["air", "load", "hour_sin"]), first)
    with pytest.raises(ValueError, match="does not forecast 'load' from the 2 inputs"):
        of_network(spec, params, ll.windows(series, lookback=W, inputs=["load", "hour_sin"]), first)

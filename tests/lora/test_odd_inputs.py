"""What is empty, missing, negative, of the wrong kind, too long, cut off or of another version is refused, and how."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib import lora
from lstm_lib.lora.dual import Log

W = 24
START = np.arange(W) % 7 * 0.5
SPEC = ll.Spec(2, (6, 3), 2)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: lora.payloads(1, 5.0), r"no data rate 5\.0"),
        (lambda: lora.payloads(1, True), "no data rate True"),
        (lambda: lora.airtime(1, "DR5"), "no data rate 'DR5'"),
        (lambda: lora.payloads(1, [0]), r"no data rate \[0\]"),
        (lambda: lora.payloads(1, 0, 51), "header is 51; a frame of data rate 0 carries 51 bytes"),
        (lambda: lora.payloads(1, 0, -1), "header is -1"),
        (lambda: lora.hours(-1), "seconds is -1; expected a number of at least 0"),
        (lambda: lora.hours(np.nan), "seconds is nan"),
        (lambda: lora.hours(1, np.nan), "duty is nan"),
    ],
)
def test_airtime_refuses(call: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        call()


def test_an_empty_message_costs_nothing_and_one_byte_a_frame() -> None:
    assert lora.airtime(0, 0, lora.HEADER) == 0 and lora.payloads(1, 0, lora.HEADER) == [5]


@pytest.mark.parametrize("epsilon", [0, -1, np.nan, np.inf])
def test_deltas_refuse_an_epsilon_that_is_none(epsilon: float) -> None:
    for call in (
        lambda: lora.delta_pack(np.ones(1), 0, epsilon),
        lambda: lora.delta_unpack(b"\1", 0, epsilon),
    ):
        with pytest.raises(ValueError, match="expected a finite number above 0"):
            call()


def test_deltas_refuse_bytes_that_are_cut_off_and_values_of_another_shape() -> None:
    packed, _ = lora.delta_pack(np.array([500.0]), 0, 0.5)
    assert len(packed) == 3
    for cut in (1, 2):
        with pytest.raises(ValueError, match=f"these {cut} bytes end in the middle"):
            lora.delta_unpack(packed[:cut], 0, 0.5)
    with pytest.raises(ValueError, match=r"shape \(2, 1\); expected \(n,\)"):
        lora.delta_pack(np.ones((2, 1)), 0, 0.5)
    assert (
        lora.delta_pack(np.array([]), 3.0, 0.5) == (b"", 3.0) and len(lora.delta_unpack(b"", 3.0, 0.5)) == 0
    )


@pytest.mark.parametrize(
    ("values", "start", "forecast", "told"),
    [
        ([], START, lora.last_value, r"values has the shape \(0,\)"),
        ([1.0], [], lora.last_value, r"start has the shape \(0,\)"),
        ([[1.0]], START, lora.last_value, r"values has the shape \(1, 1\)"),
        ([1.0], START, lambda known, hour: np.nan, "the forecast of hour 0 is NaN"),
        ([np.inf], START, lora.last_value, "inf does not go into two bytes"),
        ([1.0], START[:23], lora.yesterday, "23 values are known; yesterday's needs 24"),
    ],
)
def test_an_exchange_refuses(values: Any, start: Any, forecast: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        lora.exchange(np.array(values), np.array(start), forecast, lora.Rule(0.5))


@pytest.mark.parametrize("epsilon", [-1, 0, np.nan, np.inf, 0.004])
def test_a_rule_refuses_an_epsilon_that_the_step_can_not_hold(epsilon: float) -> None:
    with pytest.raises(ValueError, match="has to be at least half of step"):
        lora.Rule(epsilon)


def test_a_sink_refuses_damaged_frames_and_keeps_what_it_knew() -> None:
    rule = lora.Rule(0.5)
    known = np.array([rule.whole(v) for v in START])
    sensor, sink = (end(rule, lora.last_value, known) for end in (lora.Sensor, lora.Sink))
    answer = sensor.answer()
    for cut in (0, 3, 5):
        with pytest.raises(ValueError, match=f"a frame with a value has 4 bytes, got {cut}"):
            sink.hear(0, bytes(cut))
    for k in range(1, len(answer)):  # but for its number
        spoiled = bytearray(answer)
        spoiled[k] ^= 1
        with pytest.raises(ValueError, match="damaged"):
            sink.catch_up(bytes(spoiled))
    with pytest.raises(ValueError, match="an answer has 50 bytes for 24 values, got 49"):
        sink.catch_up(answer[:-1])
    assert np.array_equal(sink.known, known) and sink.number == -1
    sink.catch_up(answer)
    assert sink.number == 0


def test_answers_that_no_frame_of_a_data_rate_holds_are_told() -> None:
    row = np.ones(1)
    log = Log(row, row > 0, row > 0, row > 0, (4, 52), 1)
    with pytest.raises(
        ValueError, match="52 bytes does not go into a frame of data rate 2, which carries 51"
    ):
        log.seconds(2)
    assert log.seconds(3) == lora.airtime(4, 3) + lora.airtime(52, 3)
    assert Log(row, row > 0, row > 0, row > 0, (), 0).seconds(0) == 0
    with pytest.raises(ValueError, match="no data rate 9"):
        log.seconds(9)


@pytest.mark.parametrize(
    ("days", "more", "told"),
    [
        (np.ones((3, 5)), {}, r"shape \(3, 5\); expected \(N, T, 1\)"),
        (np.ones((3, 5, 2)), {}, r"shape \(3, 5, 2\)"),
        (np.ones((0, 5, 1)), {}, "at least one day"),
        (np.full((3, 5, 1), np.nan), {}, "3 days have missing values"),
        (np.ones((3, 5, 1)), {"k": 0}, "k is 0; expected a whole number of at least 1"),
        (np.ones((3, 5, 1)), {"epochs": 0}, "epochs is 0"),
        (np.ones((3, 5, 1)), {"batch": 2.5}, r"batch is 2\.5"),
    ],
)
def test_codes_refuse(days: np.ndarray, more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        lora.fit_code(days, **{"k": 1} | more)


def test_an_autoencoder_refuses_codes_and_days_of_another_shape() -> None:
    model = lora.Autoencoder.begin(2, units=3)
    with pytest.raises(ValueError, match="1 days have missing values"):
        model.encode(np.array([[[1.0], [np.nan]], [[1.0], [1.0]]]))
    for wrong in (np.ones(2), np.ones((1, 3))):
        with pytest.raises(ValueError, match=r"expected \(N, 2\)"):
            model.decode(wrong, 4)


def signed(body: bytes) -> bytes:
    """With a digest that fits, as another program may write it."""
    return body + hashlib.sha256(body).digest()[:8]


def test_a_change_of_another_version_form_or_length_is_refused() -> None:
    base, zone = ll.init_params(SPEC), ll.read_zone(SPEC, "head/b")
    body = lora.pack(zone, base, base)[:-8]
    assert np.array_equal(lora.unpack(SPEC, base, signed(body))["head/b"], base["head/b"])
    for wrong, told in (
        (b"LoD2" + body[4:], "begins with b'LoD2'; this lstm_lib reads b'LoD1'"),
        (body[:4] + b"\3" + body[5:], "has form 3; this lstm_lib knows 0 to 2"),
        (body + b"\0", "32 bytes before its digest; its zone asks for 31"),
        (body[:-4], "27 bytes before its digest; its zone asks for 31"),
    ):
        with pytest.raises(ValueError, match=told):
            lora.unpack(SPEC, base, signed(wrong))


def test_a_base_with_missing_weights_and_a_change_beyond_float32_are_refused() -> None:
    base, zone = ll.init_params(SPEC), ll.read_zone(SPEC, "head")
    for name in ("head/b", "0/Wx"):  # active and isolated
        holed = base | {name: np.full_like(base[name], np.nan)}
        with pytest.raises(ValueError, match=f"{name} of base holds values that aren't finite"):
            lora.pack(zone, holed, holed)
    low, high = (base | {"head/b": np.full(2, v, "float32")} for v in (-3e38, 3e38))
    with pytest.raises(ValueError, match="more than a float32 can hold; use form='float32'"):
        lora.pack(zone, low, high, "int8")
    assert lora.unpack(SPEC, low, lora.pack(zone, low, high))["head/b"].tolist() == high["head/b"].tolist()


def hourly() -> ll.Series:
    rng = np.random.default_rng(5)
    index = pd.date_range("2024-01-01", periods=900, freq="h", tz="UTC")
    load = 2 + np.sin(np.arange(900) * np.pi / 12) + rng.normal(0, 0.2, 900)
    return ll.series.Series("demo", pd.DataFrame({"load": load}, index), "load", "kW").with_calendar("hour")


def test_a_line_forecasts_what_ridge_regression_does_and_refuses_other_lengths() -> None:
    split = ll.windows(hourly(), lookback=W, inputs=["load", "hour_sin", "hour_cos"])
    ridge = ll.ridge_forecast(split)
    first = int(split.test.starts[0]) + W
    line, size = lora.of_line(split, first, ridge.attrs["alpha"])
    load = split.series.frame["load"].to_numpy()
    found = [line(load[first + k - W : first + k], k) for k in range(len(split.test))]
    np.testing.assert_allclose(found, ridge["ridge"], rtol=1e-4)
    assert size == 4 * (3 * W + 1)
    with pytest.raises(ValueError, match="23 values are known; the line reads 24"):
        line(load[: W - 1], 0)
    with pytest.raises(ValueError, match="the series has 0 to 899"):
        line(load[:W], 900)
    early, _ = lora.of_line(split, 10, 1.0)
    with pytest.raises(ValueError, match="hour 0 needs rows -14 to 9"):
        early(load[:W], 0)

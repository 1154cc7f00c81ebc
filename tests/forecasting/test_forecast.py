"""The hours after the last row: stamps, unit, the state that is carried, what is refused; equal to `predict`."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.series import SeriesError

SMALL: dict[str, Any] = {"units": 5, "epochs": 1, "batch": 16}


def demo(rows: int = 400, zone: str = "UTC", **columns: Any) -> ll.Series:
    index = pd.date_range("2020-01-01", periods=rows, freq="h", tz="UTC")
    load = 500 + 90 * np.sin(np.arange(rows) / 4) + np.random.default_rng(1).normal(0, 9, rows)
    frame = pd.DataFrame({"load": load} | columns, index)
    return ll.Series("demo", frame, "load", "kW", timezone=zone)


def holed(series: ll.Series, *rows: int, column: str = "load") -> ll.Series:
    frame = series.frame.copy()
    frame.iloc[list(rows), frame.columns.get_loc(column)] = np.nan
    return dataclasses.replace(series, frame=frame)


CUTS = {
    "windows": lambda s: ll.windows(s, 24, horizon=3, steps="all", every=3),
    "sequences": lambda s: ll.sequences(s, 24, 6, horizon=3, steps="all", lookback=24),
}


@pytest.fixture(scope="module", params=CUTS)
def fitted(request: pytest.FixtureRequest) -> tuple[ll.Forecaster, Any]:
    split = CUTS[request.param](demo())
    return ll.Forecaster(**SMALL).fit(split), split


# ------------------------------------------------------------------------------------------------ what it gives


def test_it_is_a_row_for_each_step_after_the_last_row(fitted: Any) -> None:
    model, split = fitted
    table = model.forecast(split.series)
    assert list(table) == ["forecast"] and table.index.name == "time"
    assert list(table.index) == [split.series.index[-1] + k * split.series.step for k in (1, 2, 3)]
    assert table.attrs == {"units": {"load": "kW"}, "level": None, "origin": "2020-01-17T15:00:00+00:00"}
    assert 300 < table["forecast"].mean() < 700


@pytest.mark.parametrize("name", ["sceaux", "fontana"])
@pytest.mark.parametrize("kind", CUTS)
def test_hours_of_the_past_are_forecast_as_predict_does(name: str, kind: str) -> None:
    """The pass over a part begins at its first window, that of a forecast at the last gap: a state forgets that."""
    series = ll.load_series(name, columns=["power"], calendar=["hour"])
    series = dataclasses.replace(series, frame=series.frame[-3000:])
    split = CUTS[kind](series)
    model = ll.Forecaster(**SMALL | {"batch": 8}).fit(split)
    yhat, part = model.predict(split.test), getattr(split, "windows", split).test
    for k in (len(part) // 2, len(part) - 1):
        table = model.forecast(series, at=part.origin[k])
        np.testing.assert_allclose(table["forecast"], yhat[k], rtol=2e-5)
        assert list(table.index) == list(series.index[part.target_rows[k]])
        known = dataclasses.replace(series, frame=series.frame[: part.origin[k]])
        pd.testing.assert_frame_equal(model.forecast(known), table)


def test_nothing_after_the_origin_is_read(fitted: Any) -> None:
    model, split = fitted
    at = split.series.index[300]
    other = split.series.frame.copy()
    other.iloc[301:] = -1e6
    changed = model.forecast(dataclasses.replace(split.series, frame=other), at=at)
    pd.testing.assert_frame_equal(changed, model.forecast(split.series, at=at))


def test_what_was_fitted_on_sequences_carries_its_state_from_the_last_gap(fitted: Any) -> None:
    model, split = fitted
    tables = {row: model.forecast(holed(split.series, row)) for row in (340, 370)}
    whole, last = model.forecast(split.series), split.series.frame[-24:]
    same = tables[370].equals(whole), tables[340].equals(whole)
    assert same == ((False, False) if isinstance(split, ll.SequenceSplit) else (True, True))
    window = model.forecast(dataclasses.replace(split.series, frame=last))
    assert window.equals(whole) == (not isinstance(split, ll.SequenceSplit))


def test_a_newer_file_is_scaled_as_at_the_fit_and_may_have_more_columns(fitted: Any) -> None:
    model, split = fitted
    newer = demo(air=np.arange(400.0))
    moved = dataclasses.replace(newer, frame=newer.frame.set_axis(newer.index + pd.Timedelta("365D")))
    table = model.forecast(moved)
    np.testing.assert_array_equal(table, model.forecast(split.series))
    assert table.index[0] == moved.index[-1] + moved.step


def test_the_calendar_is_that_of_the_clock_of_the_fit() -> None:
    series = demo(zone="Europe/Paris")
    model = ll.Forecaster(**SMALL).fit(CUTS["windows"](series.with_calendar("hour")))
    expected = model.forecast(series)
    for other in (demo(), demo().with_calendar("hour"), demo(zone="Asia/Tokyo").with_calendar("weekday")):
        pd.testing.assert_frame_equal(model.forecast(other), expected)


def test_steps_of_a_day_go_on_at_local_midnight() -> None:
    days = pd.date_range("2021-06-01", periods=300, freq="D", tz="Europe/Paris")
    frame = pd.DataFrame({"load": np.sin(np.arange(300.0))}, days.tz_convert("UTC"))
    frame = frame[: pd.Timestamp("2022-03-26 12:00", tz="UTC")]
    series = ll.Series("days", frame, "load", "kWh", timezone="Europe/Paris")
    model = ll.Forecaster(**SMALL).fit(ll.windows(series, 7, horizon=2, steps="all"))
    local = model.forecast(series).index.tz_convert("Europe/Paris")
    assert [f"{stamp:%m-%d %H:%M}" for stamp in local] == ["03-27 00:00", "03-28 00:00"]


def test_several_targets_have_a_table_each() -> None:
    series = demo(air=np.arange(400.0))
    split = ll.windows(series, 12, horizon=2, steps="all", target=["load", "air"])
    model = ll.Forecaster(**SMALL).fit(split)
    table = model.forecast(series, level=0.8, at=split.test.origin[-1])
    assert list(table.columns) == [(t, c) for t in ("load", "air") for c in ("forecast", "low", "high")]
    np.testing.assert_allclose(
        table.xs("forecast", axis=1, level=1).to_numpy().T.ravel(), model.predict(split.test)[-1]
    )


# -------------------------------------------------------------------------------------------------- intervals


def test_the_interval_is_the_share_of_validation_errors_that_was_asked_for(fitted: Any) -> None:
    model, split = fitted
    valid = getattr(split, "windows", split).valid
    errors = model.predict(split.valid) - valid.actual
    np.testing.assert_array_equal(model.errors_[..., 0], errors)
    for level in (0.5, 0.9):
        table = model.forecast(split.series, level=level)
        half = ((table["high"] - table["low"]) / 2).to_numpy()
        np.testing.assert_allclose(table["high"] - table["forecast"], half)
        share = (np.abs(errors) <= half * (1 + 1e-12)).mean(axis=0)
        n = len(errors)
        np.testing.assert_allclose(share, np.ceil((n + 1) * level) / n)
        assert table.attrs["level"] == level
    with pytest.raises(
        SeriesError, match=r"level=0.999 needs at least 999 windows .* the validation part has"
    ):
        model.forecast(split.series, level=0.999)
    with pytest.raises(SeriesError, match=r"level=90 was given; it is the share of hours .* such as 0.9"):
        model.forecast(split.series, level=90)


# -------------------------------------------------------------------------------------------------- refusals


def test_missing_newest_rows_are_refused_and_the_newest_possible_origin_is_named(fitted: Any) -> None:
    model, split = fitted
    message = (
        r"the newest 24 rows without a missing value; of these 2 miss one, the latest 2020-01-17 15:00 UTC, in 'load'. "
        r"Nothing is filled in; at='2020-01-17 13:00' is the newest possible"
    )
    with pytest.raises(SeriesError, match=message):
        model.forecast(holed(split.series, -1, -2))
    earlier = model.forecast(holed(split.series, -1, -2), at="2020-01-17 13:00")
    assert earlier.index[0] == split.series.index[-2]
    with pytest.raises(SeriesError, match=r"of these 1 miss one, the latest 2020-01-17 12:00 UTC"):
        model.forecast(holed(split.series, -4))
    with pytest.raises(SeriesError, match="no earlier row has them either"):
        model.forecast(holed(split.series, *range(0, 400, 20)))
    short = dataclasses.replace(split.series, frame=split.series.frame[:20])
    with pytest.raises(SeriesError, match="reads the newest 24 rows, and it has 20"):
        model.forecast(short)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("2020-01-05 00:30", r"is not the stamp of a row \(in UTC\); there are rows from 2020-01-01 00:00 to"),
        ("2031-01-01", "is not the stamp of a row"),
        ("2020-01-01", "the first has none before it"),
        ("noon", r"at='noon' is not a stamp; give one such as '2020-01-17 15:00'"),
        ("2020-01-01 05:00", "reads the newest 24 rows, and it has 6"),
    ],
)  # fmt: skip
def test_an_origin_that_is_no_row_is_refused(at: str, message: str, fitted: Any) -> None:
    with pytest.raises(SeriesError, match=message):
        fitted[0].forecast(fitted[1].series, at=at)


def test_a_finer_step_is_answered_with_resample(fitted: Any) -> None:
    fine = demo()
    fine = dataclasses.replace(
        fine, frame=fine.frame.set_axis(pd.date_range("2020", periods=400, freq="15min", tz="UTC"))
    )
    with pytest.raises(SeriesError, match=r"its step is 0 days 00:15:00, and .* Take series.resample"):
        fitted[0].forecast(fine)

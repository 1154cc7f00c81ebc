"""What is known in advance: of the hours ahead and no others, never leaked, the same for every forecast."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.series import SeriesError
from lstm_lib.series.known import ahead_of, each_once


def heated(rows: int = 1500) -> ll.Series:
    """The load is that of the air in the same hour, which nothing before it tells."""
    rng = np.random.default_rng(0)
    air, sun = rng.normal(10, 5, rows), rng.normal(0, 1, rows)
    index = pd.date_range("2020-01-01", periods=rows, freq="h", tz="UTC")
    load = 80 - 3 * air + rng.normal(0, 1, rows)
    frame = pd.DataFrame({"load": load, "air": air, "sun": sun}, index)
    return ll.Series("heated", frame, "load", "kW", units={"air": "°C"}, timezone="Europe/Paris")


CUTS: dict[str, Any] = {
    "windows": lambda s, **how: ll.windows(s, 6, 3, steps="all", **how),
    "sequences": lambda s, **how: ll.sequences(s, 24, 6, 3, steps="all", lookback=6, **how),
    "folds": lambda s, **how: ll.folds(s, 6, 3, steps="all", number=2, **how)[1],
}


@pytest.mark.parametrize("kind", CUTS)
def test_each_step_ahead_is_an_input_of_its_own(kind: str) -> None:
    series = heated()
    split = CUTS[kind](series, known=["air", "hour"])
    assert list(split.inputs[:4]) == ["load", "air", "sun", "air +1"] and len(split.inputs) == 3 + 3 + 6
    frame = split.series.frame
    np.testing.assert_array_equal(frame["air +2"].to_numpy()[:-2], series.frame["air"].to_numpy()[2:])
    hours = series.with_calendar("hour").frame["hour_sin"].to_numpy()
    np.testing.assert_allclose(frame["hour_sin +3"].to_numpy()[:-3], hours[3:])
    assert frame.filter(like="hour").notna().all().all()  # the calendar goes on after the last row
    assert split.series.measured == ["load", "air", "sun"] and split.series.unit_of("air +1") == "°C"
    few = CUTS[kind](series, known="air", inputs=["load"])
    assert list(few.inputs) == ["load", "air +1", "air +2", "air +3"]


def test_nothing_else_of_later_hours_is_read() -> None:
    series, row = heated(), 1400
    split = CUTS["windows"](series, known=["air", "weekday"])
    k = int(np.flatnonzero(split.test.starts + 5 == row)[0])
    before = split.test.take([k])[0]
    for last, columns in ((row, ["load", "sun"]), (row + 3, ["load", "sun", "air"])):
        frame = series.frame.copy()
        frame.iloc[last + 1 :, [frame.columns.get_loc(c) for c in columns]] = 1e3
        again = CUTS["windows"](dataclasses.replace(series, frame=frame), known=["air", "weekday"])
        np.testing.assert_array_equal(again.test.take([k])[0], before)
    frame = series.frame.copy()
    frame.iloc[row + 3, frame.columns.get_loc("air")] = 1e3
    again = CUTS["windows"](dataclasses.replace(series, frame=frame), known=["air", "weekday"])
    assert not np.array_equal(again.test.take([k])[0], before)


def test_ridge_and_the_network_get_the_same() -> None:
    for how, low, high in (({}, 10, 20), ({"known": ["air"]}, 0.8, 3)):
        split = CUTS["windows"](heated(), **how)
        model = ll.Forecaster(units=8, epochs=25, lr=0.02).fit(split)
        rmse = ll.compare(split, {"LSTM": model, "ridge": ll.ridge_forecast})["rmse"]
        assert rmse[["ridge", "LSTM, from windows"]].between(low, high).all()


@pytest.mark.parametrize("kind", ["windows", "sequences"])
def test_the_hours_ahead_stand_in_the_file_as_rows_of_known_columns(kind: str, tmp_path: Any) -> None:
    series = heated()
    split = CUTS[kind](series, known=["air", "hour"])
    model = ll.Forecaster(units=8, epochs=3).fit(split)
    model = ll.Forecaster.load(model.save(tmp_path / "model.npz"))
    at = series.index[-4]
    past = model.forecast(series, at=at)
    np.testing.assert_allclose(past["forecast"], model.predict(split.test)[-1], rtol=1e-4)
    frame = series.frame.copy()
    frame.iloc[-3:, [0, 2]] = np.nan
    pd.testing.assert_frame_equal(model.forecast(dataclasses.replace(series, frame=frame)), past)
    with pytest.raises(
        SeriesError, match=r"in 'air \+1', 'air \+2', .* or add the hours ahead as rows with the known"
    ):
        model.forecast(series)
    clock = ll.Forecaster(units=4, epochs=1).fit(CUTS[kind](series, known="weekday"))
    assert clock.forecast(series).index[0] == series.index[-1] + series.step


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ("load", "the target 'load' is what is to be forecast"),
        (
            "wind",
            "no column that may be known, or feature of the calendar, 'wind'; there is load, air, sun|'wind'",
        ),
    ],
)
def test_what_can_not_be_known_is_refused(known: str, message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        CUTS["windows"](heated(), known=known)


# ------------------------------------------------------------------------------------------------------ public holidays


def days_off(zone: str, feature: str, year: int = 2020) -> list[str]:
    """The local days of a year that a calendar has as holidays, each of whose hours must say the same."""
    index = pd.date_range(
        f"{year}-01-01", f"{year + 1}-01-01", freq="h", tz=zone, inclusive="left"
    ).tz_convert("UTC")
    frame = pd.DataFrame({"load": np.zeros(len(index))}, index)
    series = ll.Series("year", frame, "load", timezone=zone).with_calendar(feature)
    each = series.frame[feature].groupby(series.local.strftime("%m-%d")).agg(["min", "max"])
    assert (each["min"] == each["max"]).all()
    return each.index[each["min"] == 1].tolist()


def test_public_holidays_are_those_of_the_place_on_its_own_days() -> None:
    french = [
        "01-01",
        "04-13",
        "05-01",
        "05-08",
        "05-21",
        "06-01",
        "07-14",
        "08-15",
        "11-01",
        "11-11",
        "12-25",
    ]
    assert days_off("Europe/Paris", "holiday:FR") == french  # Code du travail, L3133-1
    assert "01-02" in days_off("Europe/London", "holiday:GB-SCT")
    assert "01-02" not in days_off("Europe/London", "holiday:GB-ENG")
    assert {"07-04", "11-26"} <= set(days_off("America/Los_Angeles", "holiday:US"))


@pytest.mark.parametrize("kind", CUTS)
def test_holidays_of_the_hours_ahead_go_on_after_the_last_row(kind: str) -> None:
    series = heated(24 * 130)  # from the first of January: the first of May is day 121
    split = CUTS[kind](series, known=["holiday:FR"])
    plain = series.with_calendar("holiday:FR").frame["holiday:FR"].to_numpy()
    ahead = split.series.frame["holiday:FR +3"].to_numpy()
    np.testing.assert_array_equal(ahead[:-3], plain[3:])
    assert not np.isnan(ahead).any() and 0 < ahead.mean() < 0.1
    assert {"holiday:FR +1", "holiday:FR +2", "holiday:FR +3"} <= set(split.inputs)


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ("holiday:XX", "No public holidays are known of 'XX'. Give a country .* such as 'holiday:FR'"),
        ("holiday:GB-PARIS", "of 'GB-PARIS'.* the parts of GB are .*SCT"),
        ("holiday", "There is no calendar feature 'holiday'.*holiday:FR"),
    ],
)
def test_a_place_without_known_holidays_is_refused(feature: str, said: str) -> None:
    with pytest.raises(SeriesError, match=said):
        heated(50).with_calendar(feature)


def test_a_day_ahead_of_many_columns_is_cut_without_a_warning() -> None:
    known = ["air", "sun", "hour", "weekday", "holiday:FR"]
    split = ll.windows(heated(24 * 200), 24, 24, steps="all", known=known)
    assert len(split.inputs) == 3 + 24 * (2 + 2 * 2 + 1)


# ------------------------------------------------------------------------- what a straight line and trees read of it


def cells_of(split: ll.Split, part: ll.Windows, named: list[tuple[str, int]]) -> Any:
    """Scaled values of columns at rows counted from a window's last one, (N, cells), from the series itself."""
    scaled = (split.series.frame - split.scaling["mean"]) / split.scaling["sd"]
    end = part.starts + part.lookback - 1
    return np.stack([scaled[name].to_numpy()[end + row] for name, row in named], axis=1)


PAST = [(name, row) for name in ("load", "air", "sun") for row in range(-5, 1)]
READ: dict[str, tuple[dict[str, Any], list[tuple[str, int]]]] = {
    "the past is an input too": ({}, [*PAST, ("air +1", 0), ("air +2", 0), ("air +3", 0)]),
    "the future alone": (
        {"inputs": ["load"]},
        [*PAST[:6], *[("air +1", row) for row in range(-5, 1)], ("air +2", 0), ("air +3", 0)],
    ),
    "one hour of many": (
        {"steps": "last"},
        [*PAST, ("air +3", -2), ("air +3", -1), ("air +3", 0)],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_ridge_reads_every_known_hour_once(case: str) -> None:
    """All that a window holds of it: also the hours between, and the past where it is no input of its own."""
    how, named = READ[case]
    split = ll.windows(heated(400), 6, 3, known=["air"], dtype="float64", **{"steps": "all"} | how)
    x, y, alpha = cells_of(split, split.train, named), split.train.y, 2.0
    centre = x.mean(axis=0)
    a = np.vstack([x - centre, np.sqrt(alpha) * np.eye(x.shape[1])])
    b = np.vstack([y - y.mean(axis=0), np.zeros((x.shape[1], y.shape[1]))])
    weights = np.linalg.lstsq(a, b, rcond=None)[0]
    expected = split.unscale((cells_of(split, split.test, named) - centre) @ weights + y.mean(axis=0))
    np.testing.assert_allclose(ll.ridge_forecast(split, alpha).to_numpy(), expected, rtol=1e-9)


def test_a_day_ahead_is_read_in_few_cells() -> None:
    known = ["air", "hour", "holiday:FR"]
    split = ll.windows(heated(24 * 200), 72, 24, steps="all", known=known)
    cells = each_once(split.inputs, split.series.known, 72)
    assert len(cells) == 72 * 3 + 24 + 3 * (72 + 23) and len(split.inputs) * 72 > 7000
    what, ahead = zip(*ahead_of(split.inputs, known), strict=True)
    hours = [(what[d], t + ahead[d]) for t, d in (divmod(cell, len(what)) for cell in cells)]
    assert len(set(hours)) == len(hours)
    assert {*hours} == {(n, t + k) for n, k in zip(what, ahead, strict=True) for t in range(72)}
    plain = ll.windows(heated(400), 6, inputs=["load", "sun"])
    np.testing.assert_array_equal(each_once(plain.inputs, (), 6), np.arange(12))


def test_trees_read_the_known_values_of_the_hour_they_forecast() -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    split = ll.windows(heated(500), 6, 3, steps="all", known=["air", "hour"], dtype="float64")
    got = ll.boosted_forecast(split, lags=(1, 4), trees=15)
    for step in (1, 2, 3):
        named = [(name, row) for row in (0, -3) for name in ("load", "air", "sun")]
        named += [(f"{name} +{step}", 0) for name in ("air", "hour_sin", "hour_cos")]
        model = HistGradientBoostingRegressor(
            max_iter=got.attrs["trees"][step - 1], early_stopping=False, random_state=0
        )
        model.fit(cells_of(split, split.train, named), split.train.y[:, step - 1])
        expected = split.unscale(model.predict(cells_of(split, split.test, named)))
        np.testing.assert_allclose(got["boosted", step], expected, rtol=1e-9)
    rmse = ll.compare(split, {"trees": ll.boosted_forecast, "ridge": ll.ridge_forecast})["rmse"]
    assert rmse["trees"] < 6 < 10 < ll.compare(CUTS["windows"](heated(500)), {})["rmse"].min()


def test_trees_of_several_targets_each_read_their_own_hour() -> None:
    rng = np.random.default_rng(1)
    air = rng.normal(10, 5, 900)
    index = pd.date_range("2020-01-01", periods=900, freq="h", tz="UTC")
    frame = pd.DataFrame({"load": -3 * air, "cold": 2 * air, "air": air}, index)
    split = ll.windows(
        ll.Series("two", frame, "load"), 4, 2, steps="all", target=["load", "cold"], known="air"
    )
    table = ll.compare(split, {"trees": ll.boosted_forecast})
    assert table.loc["trees", "rmse"] < 0.1 * table["rmse"].max()

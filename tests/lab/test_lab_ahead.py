"""The band around a run's forecasts, and the day after the last row: against forecasts made one row at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.lab import Settings, figures, new
from lstm_lib.lab.ahead import margin, next_day
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.runs import Run, Trained
from lstm_lib.lab.settings import LastRows
from lstm_lib.lab.state import State
from lstm_lib.lab.transitions import finish
from lstm_lib.series import SeriesError

ROWS = 720


def building(path: Path, rows: int = ROWS, seed: int = 0, missing: int | None = None) -> Path:
    """Hours with a daily rhythm, rough in those that are trained on; air is noise."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2021-03-10", periods=rows, freq="h", tz="UTC")
    load = (
        2
        + np.sin(2 * np.pi * np.arange(rows) / 24)
        + rng.standard_normal(rows) * np.where(np.arange(rows) < 0.7 * rows, 1.0, 0.1)
    )
    frame = pd.DataFrame({"time": index, "load": load, "air": rng.standard_normal(rows)})
    if missing is not None:
        frame.loc[missing, "air"] = np.nan
    frame.to_csv(path, index=False)
    return path


def run_on(path: Path) -> Run:
    """A run whose network is as it is before any training."""
    reading = {"unit": "kW", "timezone": "Europe/Paris"}
    task = LastRows(str(path), target="load", reading=reading, length=24, warmup=6, lookback=30)
    settings = Settings(task=task, units=(6,))
    params = ll.init_params(settings.spec, seed=3)
    record = ll.Record.begin(settings.spec, {}, params, settings.adam.init(params))
    one = Trained(0, ((1.0, 1.0),), record)
    return Run(1, "dense", settings, Choice(), 0.0, 1.0, 1.0, "kW", (one,))


def by_hand(run: Run, series: ll.Series, split: ll.Split, origin: int) -> np.ndarray:
    """The day after the row `origin`: row by row, as a frame that grows; only what is known there is looked at."""
    frame = series.frame.iloc[: origin + 1][["load", "air"]]
    for _ in range(24):
        stamp = frame.index[-1] + pd.Timedelta("1h")
        later = pd.concat([frame, frame.iloc[[-24]].set_axis([stamp])])
        grown = replace(series, frame=later, calendar=()).with_calendar("hour", "weekday").frame
        scaled = ((grown - split.scaling["mean"]) / split.scaling["sd"])[list(split.inputs)].to_numpy(
            "float32"
        )
        yhat = ll.predict(run.record.spec, run.record.params, scaled[None, -31:-1])
        later.loc[stamp, "load"] = split.unscale(yhat)[0, 0]
        frame = later
    return frame["load"].to_numpy()[-24:]


def test_the_next_day_is_forecast_row_by_row(tmp_path: Path) -> None:
    run = run_on(building(tmp_path / "building.csv"))
    split, series = run.settings.task.split(), run.settings.task.load()
    table = next_day(run, split)
    last = series.index[-1]
    assert list(table.index) == [last + pd.Timedelta(hours=k) for k in range(1, 25)]
    np.testing.assert_allclose(table["forecast"], by_hand(run, series, split, ROWS - 1), rtol=1e-5)


def test_it_begins_after_the_last_complete_row(tmp_path: Path) -> None:
    run = run_on(building(tmp_path / "building.csv", missing=ROWS - 1))
    split, series = run.settings.task.split(), run.settings.task.load()
    table = next_day(run, split)
    assert table.index[0] == series.index[-1] and len(table) == 24
    np.testing.assert_allclose(table["forecast"], by_hand(run, series, split, ROWS - 2), rtol=1e-5)


def test_its_margins_hold_nine_of_ten_days_that_were_not_trained_on(tmp_path: Path) -> None:
    run = run_on(building(tmp_path / "building.csv"))
    split, series = run.settings.task.split(), run.settings.task.load()
    table = next_day(run, split)
    first = split.valid.starts[0] + 29
    origins = np.unique(np.linspace(first, ROWS - 25, 60).astype(int))
    load = series.frame["load"].to_numpy()
    errors = np.array(
        [np.abs(by_hand(run, series, split, at) - load[at + 1 : at + 25]) for at in origins[::8]]
    )
    reach = (table["high"] - table["forecast"]).to_numpy()
    np.testing.assert_allclose(table["forecast"] - table["low"], reach)
    assert first > split.train.target_rows.max()
    assert 0.8 < (errors <= reach).mean() < 0.97


def test_the_band_of_the_week_holds_nine_of_ten_validation_hours(tmp_path: Path) -> None:
    run = run_on(building(tmp_path / "building.csv"))
    split = run.settings.task.split()
    reach = margin(run, split)
    part = run.settings.task.samples().valid
    errors = np.abs(split.unscale(ll.predict(run.record.spec, run.record.params, part)) - split.valid.actual)
    assert reach in errors and 0.9 <= (errors <= reach).mean() < 0.93


def test_what_has_no_next_day_says_why(tmp_path: Path) -> None:
    run = run_on(building(tmp_path / "holed.csv", missing=ROWS - 3))
    with pytest.raises(SeriesError, match="the newest rows are missing"):
        next_day(run, run.settings.task.split())
    drawn = figures.week(shown(run))
    assert "No next day: the newest rows are missing" in drawn.words
    drawn.as_bytes()
    day = replace(run.settings.task, horizon=24)
    with pytest.raises(SeriesError, match="forecasts one column of the next row"):
        next_day(run, day.split())
    holed = run_on(building(tmp_path / "earlier.csv", missing=ROWS - 100))
    assert next_day(holed, holed.settings.task.split()).notna().all().all()


def shown(run: Run, language: str = "en") -> State:
    return replace(finish(new(run.settings), run), language=language)


def test_the_picture_has_a_band_and_a_next_day(tmp_path: Path) -> None:
    run = run_on(building(tmp_path / "building.csv"))
    drawn, split = figures.week(shown(run)), run.settings.task.split()
    table, reach = next_day(run, split), margin(run, split)
    week, _, day, _ = drawn.figure.axes
    yhat, band = week.lines[1].get_ydata(), week.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(np.nanmax(yhat) + reach)
    np.testing.assert_allclose(day.lines[1].get_ydata(), table["forecast"])
    assert (
        len(day.collections) == 1 and f"mean of the next day {table['forecast'].mean():.3f} kW" in drawn.words
    )
    drawn.as_bytes()
    french = figures.week(shown(run, "fr"))
    assert "et le lendemain" in french.words and "moyenne du lendemain" in french.words
    french.as_bytes()


def test_a_short_file_has_forecasts_without_a_band(tmp_path: Path) -> None:
    run = run_on(building(tmp_path / "short.csv", rows=250))
    split = run.settings.task.split()
    assert np.isnan(margin(run, split)) == (len(split.valid) < 9)
    table = next_day(run, split)
    assert table["forecast"].notna().all()
    figures.week(shown(run)).as_bytes()

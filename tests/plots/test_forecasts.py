"""Forecasts and their errors are drawn over local time, horizon and hour."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd

from lstm_lib import plots
from lstm_lib.series import compare, folds
from tests.series.test_series import noisy

TIMES = pd.date_range("2010-03-28", periods=5, freq="h", tz="Europe/Paris")


def test_forecast_draws_the_numbers_over_local_time() -> None:
    actual = np.array([1.0, 2.0, np.nan, 4.0, 3.0])
    ax = plots.forecast(TIMES, actual, {"LSTM": np.arange(5.0), "naive": np.ones(5)}, "kW").axes[0]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("power (kW)", "time (Europe/Paris)")
    assert [line.get_label() for line in ax.lines] == ["measured", "LSTM", "naive"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["measured", "LSTM", "naive"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), actual)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), np.arange(5))
    # colour is never the only carrier
    assert ax.lines[1].get_linestyle() != ax.lines[2].get_linestyle()
    assert len({line.get_color() for line in ax.lines}) == 3


def test_intervals_are_bands_of_the_colour_of_their_forecast() -> None:
    low, high = np.arange(5.0) - 1, np.arange(5.0) + 2
    ax = plots.forecast(TIMES, np.ones(5), {"LSTM": np.arange(5.0)}, "kW", bands={"90 %": (low, high)}).axes[
        0
    ]
    (band,) = ax.collections
    found = band.get_paths()[0].get_extents()
    assert (found.y0, found.y1, band.get_label()) == (-1, 6, "90 %")
    assert band.get_facecolor()[0, :3].tolist() == list(matplotlib.colors.to_rgb(ax.lines[1].get_color()))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["measured", "LSTM", "90 %"]


def test_errors_are_drawn_by_step() -> None:
    made = folds(noisy(900), lookback=4, horizon=3, steps="all", number=2)[-1]
    table = compare(made.test, {}, by="horizon")
    ax = plots.errors_by(table, "kW").axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("ahead (h)", "RMSE (kW)")
    for name, line in zip(table.index.get_level_values(0).unique(), ax.lines, strict=True):
        assert line.get_label() == name and line.get_xdata().tolist() == [1, 2, 3]
        np.testing.assert_array_equal(line.get_ydata(), table.loc[name, "rmse"])
    assert len({line.get_marker() for line in ax.lines}) == 3
    by_hour = plots.errors_by(compare(made.test, {}, by="hour"), "", "skill").axes[0]
    assert (by_hour.get_xlabel(), by_hour.get_ylabel()) == ("hour of the day (local)", "SKILL")


def test_a_forecast_has_one_look_in_all_figures_and_a_horizon_is_in_hours() -> None:
    made = folds(noisy(900), lookback=4, horizon=3, steps="all", number=2)[-1]
    table = compare(made.test, {}, by="horizon")
    every, few = (
        plots.errors_by(table, "kW", step="30min", shown=shown).axes[0]
        for shown in (None, ["same hour yesterday"])
    )
    (alone,) = few.lines
    (same,) = (line for line in every.lines if line.get_label() == "same hour yesterday")
    assert (alone.get_color(), alone.get_marker()) == (same.get_color(), same.get_marker())
    assert same is not every.lines[0]
    assert alone.get_xdata().tolist() == [0.5, 1, 1.5]


def test_what_comes_next_stands_behind_the_last_week() -> None:
    series = noisy(900)
    after = series.index[-3:] + 3 * series.step
    table = pd.DataFrame(
        {"forecast": [1.0, 2.0, 3.0], "low": [0.0, 1.0, 2.0], "high": [2.0, 4.0, 6.0]}, after
    )
    table.attrs["level"] = 0.9
    ax = plots.newest(series, table).axes[0]
    past, ahead = ax.lines
    assert len(past.get_xdata()) == 7 * 24 and past.get_ydata()[-1] == series.frame[series.target].iloc[-1]
    assert ahead.get_ydata().tolist() == [1, 2, 3]
    assert pd.DatetimeIndex(ahead.get_xdata())[0] == pd.DatetimeIndex(past.get_xdata())[-1] + series.step
    (band,) = ax.collections
    assert (band.get_paths()[0].get_extents().y0, band.get_paths()[0].get_extents().y1) == (0, 6)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "measured",
        "90% interval",
        "forecast",
    ]
    assert not plots.newest(series, table[["forecast"]]).axes[0].collections

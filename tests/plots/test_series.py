"""The figures of a series show its numbers, at their local times, and say what they show."""

import numpy as np
import pandas as pd
import pytest

from lstm_lib import plots
from lstm_lib.series import Series, folds
from tests.series import series_files as files
from tests.series.test_series import noisy


@pytest.fixture
def series():
    frame = files.building("2019-01-01", "2019-12-31 23:00", "1h")[["TGBT", "AirTemp"]]
    frame.loc["2019-05-03":"2019-05-05", "TGBT"] = np.nan
    return Series("demo", frame, "TGBT", "kW", timezone="Europe/Paris", units={"AirTemp": "°C"})


def test_over_years_draws_daily_means_and_what_is_missing(series):
    ax = plots.over_years(series).axes[0]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("daily mean of TGBT (kW)", "time (Europe/Paris)")
    days = pd.Series(ax.lines[0].get_ydata(), pd.DatetimeIndex(ax.lines[0].get_xdata()))
    one = series.frame["TGBT"].loc["2019-06-30 22:00":"2019-07-01 21:00"].mean()  # 1 July in Paris
    assert days.loc[pd.Timestamp("2019-07-01", tz="Europe/Paris")] == pytest.approx(one)
    spans = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(spans) == 2, "4 and 5 May whole by the local clock; of 3 and 6 May some hours are there"
    assert "missing" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_profiles_are_in_local_time(series):
    left, right = plots.profiles(series).axes
    assert left.get_ylabel() == "TGBT (kW)" and "Europe/Paris" in left.get_xlabel()
    local = series.local
    monday = np.asarray((local.day_of_week == 0) & (local.hour == 9))
    week = left.lines[0]
    assert (
        week.get_ydata()[9] == pytest.approx(series.frame["TGBT"][monday].mean())
        and len(week.get_xdata()) == 168
    )
    (band,) = left.collections
    middle = series.frame["TGBT"][monday].quantile([0.25, 0.75])
    inside = band.get_paths()[0].vertices  # there and back
    assert set(inside[inside[:, 0] == 9, 1]) == set(middle)
    assert [line.get_label() for line in right.lines] == ["Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov"]
    summer = np.asarray(local.month.isin([6, 7, 8]) & (local.hour == 8))
    assert right.lines[2].get_ydata()[8] == pytest.approx(series.frame["TGBT"][summer].mean())
    assert len({line.get_linestyle() for line in right.lines}) == 4


def test_response_sets_days_against_days(series):
    ax = plots.response(series, "AirTemp").axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("daily mean of AirTemp (°C)", "daily mean of TGBT (kW)")
    points = sum(len(collection.get_offsets()) for collection in ax.collections)
    assert points == 364  # 366 local days begin or end in the year; two of them have no target
    median = ax.lines[0].get_ydata()
    assert len(median) == 10 and median[0] > median[-1], "cold days need more"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Mon-Fri", "Sat, Sun", "median of a tenth"]


def test_findings_are_marked_where_they_are(series):
    table = series.check()
    ax = plots.findings(series, table).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["gap: 1"]
    (marks,) = ax.lines
    assert str(marks.get_xdata()[0])[:16] == "2019-05-03 00:00"
    empty = plots.findings(series, table.iloc[:0]).axes[0]
    assert not empty.get_yticklabels()


def test_parts_are_drawn_by_fold():
    made = folds(noisy(300), lookback=4, number=3)
    ax = plots.parts({f"fold {k}": fold for k, fold in enumerate(made)}).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["fold 0", "fold 1", "fold 2"]
    widths = [bar.get_paths()[0].get_extents().width for bar in ax.collections]
    np.testing.assert_allclose(widths, np.array([179, 29, 29, 209, 29, 29, 239, 29, 29]) / 24)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["train", "valid", "test"]
    assert len({patch.get_hatch() for patch in ax.get_legend().get_patches()}) == 3


def test_changes_of_regime_get_a_line_for_each_column(series):
    kinds, columns = ["gap", "regime", "regime"], ["TGBT", "TGBT", "AirTemp"]
    times = {"first": series.index[[10, 20, 30]], "last": series.index[[12, -1, -1]]}
    ax = plots.findings(series, pd.DataFrame({"kind": kinds, "column": columns} | times)).axes[0]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["gap: 1", "regime, TGBT", "regime, AirTemp"]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0], [1], [2]]

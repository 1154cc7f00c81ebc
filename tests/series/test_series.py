"""Laws of reading, windows, naive forecasts and metrics. Each has been seen to fail on a planted fault."""

import re
import subprocess
import sys
import time as clock
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_lib.series as ls
from lstm_lib.series import (
    Series,
    SeriesError,
    load_series,
    metrics,
    naive_forecasts,
    ridge_forecast,
    windows,
)

PARTS = ("train", "valid", "test")


def series_of(values, step="1h", target="load", **kwargs):
    """A Series from a dict of columns, or from one list for the column "load"."""
    columns = values if isinstance(values, dict) else {"load": values}
    frame = pd.DataFrame(columns, dtype=np.float64)
    frame.index = pd.date_range("2020-01-01", periods=len(frame), freq=step, tz="UTC")
    return Series("demo", frame, target, "kW", **kwargs)


def noisy(n=60, gaps=(), columns=("load", "heat"), seed=0, step="1h"):
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(5 * k, k + 1, n) for k, name in enumerate(columns)}
    for column, row in gaps:
        values[column][row] = np.nan
    return series_of(values, step=step)


@pytest.fixture
def csv(tmp_path):
    """Write lines to a file and give its path."""

    def write(*lines, name="mine.csv"):
        path = tmp_path / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


ROWS = [
    "time,load,heat",
    "2020-01-01 00:00,1.5,10",
    "2020-01-01 01:00,2.5,20",
    "2020-01-01 02:00,,30",
    "2020-01-01 03:00,4.5,40",
]


# --------------------------------------------------------------------------------------- reading what is good


def test_a_plain_file_is_read_as_it_is(csv):
    series = load_series(csv(*ROWS), target="load", unit="kW")
    assert (series.name, series.target, series.unit, series.inserted) == ("mine", "load", "kW", 0)
    assert (
        list(series.frame) == ["load", "heat"] and str(series.frame.index[0]) == "2020-01-01 00:00:00+00:00"
    )
    np.testing.assert_array_equal(series.frame.to_numpy(), [[1.5, 10], [2.5, 20], [np.nan, 30], [4.5, 40]])
    assert "4 rows every 1 h" in repr(series) and "'load' [kW], 1 missing" in repr(series)


def test_naive_stamps_are_read_in_the_given_zone(csv):
    series = load_series(csv(*ROWS), target="load", timezone="Etc/GMT-1")
    assert str(series.frame.index[0]) == "2019-12-31 23:00:00+00:00"


def test_stamps_with_an_offset_keep_it(csv):
    rows = [
        "time,load",
        "2020-03-29 01:00:00+01:00,1",
        "2020-03-29 03:00:00+02:00,2",
        "2020-03-29 04:00:00+02:00,3",
    ]
    series = load_series(csv(*rows), timezone="Europe/Paris")
    assert [str(t) for t in series.frame.index] == [f"2020-03-29 0{h}:00:00+00:00" for h in (0, 1, 2)]


def test_columns_are_chosen_and_renamed_and_the_target_comes_along(csv):
    path = csv(*ROWS)
    assert list(load_series(path, target="load", columns=["heat"]).frame) == ["load", "heat"]
    for target in ("load", "usage"):
        series = load_series(path, target=target, columns={"heat": "warm", "load": "usage"})
        assert list(series.frame) == ["warm", "usage"] and series.target == "usage"


def test_a_file_with_one_number_column_needs_no_target_and_brackets_give_the_unit(csv):
    series = load_series(csv("datetime,Usage [kW]", "2020-01-01,1", "2020-01-02,2"))
    assert (series.target, series.unit, series.step) == ("Usage [kW]", "kW", pd.Timedelta("1D"))


def test_missing_stamps_become_counted_rows_of_nan(csv):
    series = load_series(csv(*ROWS[:2], *ROWS[3:], "2020-01-01 06:00,7,70"), target="heat")
    assert series.inserted == 3 and "3 rows inserted" in repr(series)
    np.testing.assert_array_equal(series.frame["heat"], [10, np.nan, 30, 40, np.nan, np.nan, 70])
    assert (np.diff(series.frame.index.asi8) == 3600 * 10**6).all()


def test_a_blank_line_is_passed_over_but_counted(csv):
    lines = [*ROWS[:2], "", *ROWS[2:], ""]
    assert len(load_series(csv(*lines), target="load").frame) == 4
    with pytest.raises(SeriesError, match="line 6, column 'heat': 'forty'"):
        load_series(csv(*[line.replace("40", "forty") for line in lines]), target="load")


def test_calendar_is_in_local_time(csv):
    rows = ["time,load", *(f"2020-01-0{5 + h // 24}T{h % 24:02}:00Z,{h}" for h in range(48))]
    frame = load_series(csv(*rows), timezone="Etc/GMT-6", calendar=("hour", "weekday")).frame  # UTC+6
    angle = np.arctan2(frame["hour_sin"], frame["hour_cos"]) / (2 * np.pi) * 24 % 24
    np.testing.assert_allclose(angle, (np.arange(48) + 6) % 24, atol=1e-9)
    day = np.arctan2(frame["weekday_sin"], frame["weekday_cos"]) / (2 * np.pi) * 7 % 7
    np.testing.assert_allclose(
        day.round(9) % 7, np.repeat([6, 0, 1], [18, 24, 6])
    )  # 5 January 2020 is a Sunday


def test_the_public_drahix_layout_is_known(csv):
    rows = [
        "Date and time (UTC),AirTemp,TGBT,T1",
        "2016-07-15 00:00:00+00:00,20.5,30.25,4.0",
        "2016-07-15 01:00:00+00:00,,31.00,4.1",
    ]
    series = load_series(csv(*rows), timezone="Europe/Paris")
    assert (series.target, series.unit) == ("TGBT", "kW") and "permission" in series.source


# --------------------------------------------------------------------------------------- refusing what is bad


@pytest.mark.parametrize("stamp", ["2020-10-25 02:00", "2020-03-29 02:00"])
def test_local_stamps_at_a_clock_change_are_refused(csv, stamp):
    before, after = (f"{pd.Timestamp(stamp) + pd.Timedelta(hours=h)},1" for h in (-1, 1))
    path = csv("time,load", before, f"{stamp},2", after)
    assert len(load_series(path, timezone="Etc/GMT-1").frame) == 3
    with pytest.raises(
        SeriesError, match=rf"line 3, .*'{stamp}' occurs twice or not at all in Europe/Paris.*UTC or at a"
    ):
        load_series(path, timezone="Europe/Paris")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(
        SeriesError, match=r"no series 'seaux'; there is 'sceaux', 'fontana'. Did you mean 'sceaux'"
    ):
        load_series("seaux")
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none.csv"):
        load_series(tmp_path / "none.csv")
    with pytest.raises(SeriesError, match="is a folder"):
        load_series(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    for name, raw in (("latin.csv", "time,Température\n".encode("latin-1")), ("not.csv.gz", b"time,load\n")):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(SeriesError, match=rf"{name} can't be read as a CSV in UTF-8"):
            load_series(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.tz_localize(None), "DatetimeIndex in UTC"),
        (lambda f: f.tz_convert("Europe/Paris"), "DatetimeIndex in UTC"),
        (lambda f: f.iloc[[0, 1, 3]], "equal steps"),
        (lambda f: f.iloc[::-1], "increasing"),
        (lambda f: f.iloc[:1], "at least 2"),
        (lambda f: f.astype("float32"), r"columns \['load'\] are not float64"),
        (lambda f: f.replace(2.0, np.inf), r"columns \['load'\] are not float64 or not finite"),
        (lambda f: f.rename(columns={"load": "lode"}), "no target column 'load'.*Did you mean 'lode'"),
    ],
)
def test_a_series_checks_its_frame(change, message):
    frame = series_of([1.0, 2.0, 3.0, 4.0]).frame
    with pytest.raises(SeriesError, match=message):
        Series("demo", change(frame), "load")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"horizon": 0}, r"horizon=0 was given; .*1 or more"),
        ({"horizon": -3}, r"horizon=-3 was given"),
        ({"lookback": 0}, r"lookback=0 was given"),
        ({"lookback": 2.0}, r"lookback=2.0 was given; .*whole number"),
        ({"every": 0}, r"every=0 was given"),
        ({"lookback": 60}, r"it has 60 rows, and one window needs lookback \+ horizon = 60 \+ 1 = 61"),
        (
            {"split": (0.5, 0.3, 0.3)},
            r"split=\(0.5, 0.3, 0.3\) has to be three shares above 0 that add up to 1",
        ),
        ({"split": (0.7, 0.3, 0.0)}, r"three shares above 0"),
        ({"split": (0.5, 0.5)}, r"three shares"),
        (
            {"lookback": 9},
            r"no window is left in the valid part: it has 9 rows, a window needs 10; dropped by gap 0",
        ),
        ({"inputs": ["laod"]}, r"no column 'laod'; there is 'load', 'heat'. Did you mean 'load'"),
        ({"inputs": []}, r"inputs=\[\] has to be a list"),
        ({"inputs": "load"}, r"inputs='load' has to be a list"),
        ({"steps": "every"}, r"no steps 'every'; there is 'last', 'all'"),
        ({"dtype": "float16"}, r"dtype='float16' was given; valid are 'float32' and 'float64'"),
    ],
)
def test_bad_windows_are_refused(kwargs, message):
    with pytest.raises(SeriesError, match=message):
        windows(noisy(60), **{"lookback": 4, **kwargs})


def test_a_part_lost_to_gaps_is_refused_and_the_column_named():
    series = noisy(60, gaps=[("heat", row) for row in range(42, 51, 3)])
    with pytest.raises(
        SeriesError, match=r"valid part: .*dropped by gap 5, by border 4; most are missing in 'heat' \(3\)"
    ):
        windows(series, lookback=4)
    assert len(windows(series, lookback=4, inputs=["load"]).valid) == 5


def test_a_column_without_variation_in_training_is_refused():
    flat = series_of({"load": np.arange(40.0), "heat": np.r_[np.full(28, 0.1), np.arange(12.0)]})
    with pytest.raises(
        SeriesError, match=r"column 'heat' is 0.1 throughout the 28 training rows and can't be scaled"
    ):
        windows(flat, lookback=2)
    none = series_of({"load": np.arange(40.0), "heat": np.r_[np.full(28, np.nan), np.arange(12.0)]})
    with pytest.raises(SeriesError, match=r"column 'heat' has no value in the 28 training rows"):
        windows(none, lookback=2)


# ---------------------------------------------------------------------------------------------------- windows


def brute(series, part, lookback, horizon, steps, every, split):
    """The windows of a part, one at a time, from the definition: (start, target rows) of those that are
    kept.
    """
    n = len(series.frame)
    borders = [0, round(n * split[0]), round(n * (split[0] + split[1])), n]
    first, end = borders[PARTS.index(part)], borders[PARTS.index(part) + 1]
    kept, gap, border = [], 0, 0
    for start in range(first, end, every):
        rows = list(range(start + lookback, start + lookback + horizon))
        if rows[-1] >= n:
            continue
        if rows[-1] >= end:
            border += 1
            continue
        rows = rows if steps == "all" else rows[-1:]
        read = series.frame.iloc[start : start + lookback]
        if read.isna().any(axis=None) or series.frame[series.target].iloc[rows].isna().any():
            gap += 1
        else:
            kept.append((start, rows))
    return kept, gap, border


@settings(max_examples=120, deadline=None)
@given(
    n=st.integers(20, 70),
    lookback=st.integers(1, 6),
    horizon=st.integers(1, 4),
    steps=st.sampled_from(["last", "all"]),
    every=st.integers(1, 3),
    gaps=st.lists(st.tuples(st.sampled_from(["load", "heat"]), st.integers(0, 69)), max_size=6),
    split=st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.34, 0.33, 0.33)]),
)
def test_windows_are_those_of_the_definition(n, lookback, horizon, steps, every, gaps, split):
    series = noisy(n, gaps=[(column, row % n) for column, row in gaps])
    expected = {part: brute(series, part, lookback, horizon, steps, every, split) for part in PARTS}
    kwargs = {
        "lookback": lookback,
        "horizon": horizon,
        "steps": steps,
        "every": every,
        "split": split,
        "dtype": "float64",
    }
    if not all(kept for kept, _, _ in expected.values()):
        with pytest.raises(SeriesError, match=r"no window is left|needs lookback|can't be scaled"):
            windows(series, **kwargs)
        return
    cut = windows(series, **kwargs)
    training = series.frame.iloc[: round(n * split[0])]
    scaled = (series.frame - training.mean()) / training.std(ddof=0)
    for name in PARTS:
        kept, gap, border = expected[name]
        part = getattr(cut, name)
        assert [(s, list(r)) for s, r in zip(part.starts, part.target_rows, strict=True)] == kept
        assert cut.counts.loc[name, ["windows", "gap", "border"]].tolist() == [len(kept), gap, border]
        x = np.array([scaled.iloc[s : s + lookback].to_numpy() for s, _ in kept])
        y = np.array([scaled["load"].iloc[rows].to_numpy() for _, rows in kept])
        np.testing.assert_allclose(part.x, x, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(part.y, y, rtol=1e-12, atol=1e-12)
        assert part.times.equals(pd.DatetimeIndex(series.frame.index[[rows[0] for _, rows in kept]]))
        assert (part.origin < part.times).all() and len(part) == len(kept)
        np.testing.assert_array_equal(part.actual, [series.frame["load"].iloc[rows] for _, rows in kept])
    assert cut.counts["rows"].sum() == n
    if every == 1:
        assert cut.counts[["windows", "gap", "border"]].sum().sum() == n - lookback - horizon + 1


def test_no_row_serves_two_parts():
    cut = windows(noisy(200), lookback=5, horizon=3)
    rows = {}
    for name in PARTS:
        part = getattr(cut, name)
        rows[name] = set((part.starts[:, None] + np.arange(8)).ravel().tolist())
    assert not (rows["train"] & rows["valid"] or rows["valid"] & rows["test"] or rows["train"] & rows["test"])
    assert min(rows["valid"]) == 140 and min(rows["test"]) == 170 and max(rows["test"]) == 199


@pytest.mark.parametrize("changed_from", [140, 170])
def test_later_values_leave_training_as_it_was_bit_for_bit(changed_from):
    series = noisy(200, gaps=[("heat", 30)])
    frame = series.frame.copy()
    frame.iloc[changed_from:] = frame.iloc[changed_from:] * 1e3 + 77
    other = windows(Series("demo", frame, "load", "kW"), lookback=5)
    cut = windows(series, lookback=5)
    assert (
        cut.train.x.tobytes() == other.train.x.tobytes() and cut.train.y.tobytes() == other.train.y.tobytes()
    )
    pd.testing.assert_frame_equal(cut.scaling, other.scaling, check_exact=True)
    assert (cut.valid.x.tobytes() == other.valid.x.tobytes()) == (changed_from == 170)
    assert cut.test.x.tobytes() != other.test.x.tobytes()


def test_scaling_is_that_of_the_training_rows_and_comes_back():
    series = noisy(200)
    cut = windows(series, lookback=5, inputs=["heat"], dtype="float64")
    training = series.frame.iloc[:140]
    assert (
        list(cut.scaling.index) == ["heat", "load"] and cut.inputs == ("heat",) and cut.train.x.shape[2] == 1
    )
    np.testing.assert_allclose(cut.scaling["mean"], training[["heat", "load"]].mean(), rtol=1e-14)
    np.testing.assert_allclose(
        cut.scaling["sd"], training[["heat", "load"]].to_numpy().std(axis=0), rtol=1e-14
    )
    np.testing.assert_allclose(cut.unscale(cut.test.y), cut.test.actual, rtol=1e-12)
    assert cut.unscale(np.float32([[0.0]])).dtype == np.float64


@pytest.mark.parametrize("gaps", [(), [("heat", 30)]], ids=["whole", "with a gap"])
@pytest.mark.parametrize("every", [1, 3])
def test_take_gives_the_same_windows_as_x_and_y(gaps, every):
    part = windows(noisy(200, gaps=gaps), lookback=5, horizon=2, steps="all", every=every).train
    for rows in (np.array([7, 0, 7, 3]), slice(2, 9), np.arange(len(part)) % 2 == 0, [-1]):
        x, y = part.take(rows)
        np.testing.assert_array_equal(x, part.x[rows])
        np.testing.assert_array_equal(y, part.y[rows])
        assert x.flags.c_contiguous and y.flags.c_contiguous and x.dtype == y.dtype == np.float32
        x[...] = 0  # a copy: writing into it leaves the series alone
    assert part.x.any() and np.shares_memory(part.x, part.values) == (not gaps)
    with pytest.raises(IndexError):
        part.take([len(part)])
    with pytest.raises(ValueError, match="read-only"):
        part.values[0] = 0


# -------------------------------------------------------------------------------------- forecasts and metrics


@settings(max_examples=60, deadline=None)
@given(
    horizon=st.integers(1, 11),
    steps=st.sampled_from(["last", "all"]),
    hours=st.sampled_from([3, 6, 12]),
    lookback=st.integers(1, 6),
    gaps=st.lists(st.integers(0, 199), max_size=30),
)
def test_naive_forecasts_are_those_of_the_definition(horizon, steps, hours, lookback, gaps):
    series = noisy(200, gaps=[("load", row) for row in gaps], columns=["load"], step=f"{hours}h")
    try:
        cut = windows(series, lookback=lookback, horizon=horizon, steps=steps, split=(0.4, 0.2, 0.4))
    except SeriesError:
        return
    values = series.frame["load"].to_numpy()
    for part in (cut.train, cut.test):
        table = naive_forecasts(part)
        assert table.index.equals(part.times)
        for k, start in enumerate(part.starts):
            origin = start + lookback - 1
            for o, row in enumerate(part.target_rows[k]):
                for name, days in (("last value", 0), ("same hour yesterday", 1), ("same hour last week", 7)):
                    at = origin
                    if days:
                        at = row
                        while at > origin:  # the latest one that is known at the origin
                            at -= days * 24 // hours
                    expected = values[at] if at >= 0 else np.nan
                    got = table[name].iloc[k] if len(part.offsets) == 1 else table[name, o + 1].iloc[k]
                    np.testing.assert_equal(got, expected)


def test_naive_week_reaches_over_the_border_but_not_into_a_gap():
    hours = np.arange(1000.0)
    hours[800 - 168 + 5] = np.nan
    table = naive_forecasts(windows(series_of(hours), lookback=3, split=(0.5, 0.3, 0.2)).test)
    assert table["same hour last week"].iloc[0] == 803 - 168
    assert np.flatnonzero(table["same hour last week"].isna()).tolist() == [2]
    assert table["same hour yesterday"].notna().all()


def test_a_day_that_is_no_whole_number_of_steps_has_no_column():
    assert list(naive_forecasts(windows(noisy(200, step="7h"), lookback=3).test)) == [
        "last value",
        "same hour last week",
    ]
    assert list(naive_forecasts(windows(noisy(200, step="5h"), lookback=3).test)) == ["last value"]


@pytest.mark.parametrize(("horizon", "steps"), [(1, "last"), (3, "all")])
def test_ridge_is_the_least_squares_solution(horizon, steps):
    cut = windows(noisy(120), lookback=4, horizon=horizon, steps=steps, dtype="float64")
    x, y = cut.train.x.reshape(len(cut.train), -1), cut.train.y
    centre, alpha = x.mean(axis=0), 3.0
    a = np.vstack([x - centre, np.sqrt(alpha) * np.eye(x.shape[1])])
    b = np.vstack([y - y.mean(axis=0), np.zeros((x.shape[1], y.shape[1]))])
    weights = np.linalg.lstsq(a, b, rcond=None)[0]
    expected = cut.unscale((cut.test.x.reshape(len(cut.test), -1) - centre) @ weights + y.mean(axis=0))
    got = ridge_forecast(cut, alpha=alpha)
    np.testing.assert_allclose(got.to_numpy(), expected, rtol=1e-9)
    assert got.index.equals(cut.test.times) and got.attrs["alpha"] == alpha


def test_ridge_chooses_on_the_validation_part():
    cut = windows(noisy(150), lookback=8, dtype="float64")
    alphas = (0.1, 10.0, 1000.0)
    swapped = ls.Split(cut.train, cut.valid, cut.valid, cut.series, cut.inputs, cut.scaling, cut.counts)
    errors = [metrics(cut.valid.actual, ridge_forecast(swapped, alpha))["rmse"] for alpha in alphas]
    assert ridge_forecast(cut, alphas).attrs["alpha"] == alphas[int(np.argmin(errors))]
    on_test = [metrics(cut.test.actual, ridge_forecast(cut, alpha))["rmse"] for alpha in alphas]
    assert np.argmin(errors) != np.argmin(on_test), (
        "the two parts have to disagree for this test to mean something"
    )
    for alpha in ([], 0.0, [1.0, -1.0]):
        with pytest.raises(SeriesError, match=r"alpha=.* has to be one number above 0"):
            ridge_forecast(cut, alpha)


def test_metrics_are_those_worked_out_by_hand():
    y, yhat, naive = [[1.0], [2.0], [3.0], [6.0]], [[1.0], [4.0], [3.0], [4.0]], [[0.0], [0.0], [5.0], [2.0]]
    root = pytest.approx(2**0.5)  # errors 0, 2, 0, -2
    assert metrics(y, yhat) == {"mae": 1.0, "rmse": root, "nrmse": pytest.approx(2**0.5 / 3), "n": 4}
    assert metrics(y, yhat, naive)["skill"] == pytest.approx(
        1 - (2 / 6.25) ** 0.5
    )  # errors -1, -2, 2, -4: 25/4
    assert metrics(np.ravel(y), yhat) == metrics(y, yhat)
    assert metrics(y, y, naive)["skill"] == 1 and metrics(y, naive, naive)["skill"] == 0


@pytest.mark.parametrize(
    ("y", "yhat", "naive", "message"),
    [
        (np.ones((4, 1)), np.ones((1, 4)), None, r"y \(4, 1\), yhat \(1, 4\): all have to be the same"),
        (np.ones(4), np.ones(1), None, r"y \(4, 1\), yhat \(1, 1\)"),
        (np.ones(4), np.zeros(4), np.ones(3), r"naive \(3, 1\)"),
        (np.ones((0, 1)), np.ones((0, 1)), None, r"at least one row"),
        (np.ones(2), [np.nan, 1.0], None, r"yhat has 1 rows of 2 that are missing"),
        ([np.inf, 1.0], np.ones(2), None, r"y has 1 rows of 2 that are missing or not finite"),
        (np.ones(2), np.zeros(2), [np.nan, np.nan], r"naive has 2 rows of 2 that are missing"),
        (np.ones(2), np.zeros(2), np.ones(2), r"naive has no error at all"),
    ],
)
def test_metrics_refuse_what_they_cannot_score(y, yhat, naive, message):
    with pytest.raises(SeriesError, match=message):
        metrics(y, yhat, naive)


@pytest.mark.parametrize(("horizon", "steps"), [(1, "last"), (4, "all")])
def test_compare_scores_all_on_the_rows_they_share(horizon, steps):
    series = noisy(600, gaps=[("load", 350), ("load", 440)], columns=["load"])
    cut = windows(series, lookback=3, horizon=horizon, steps=steps)
    ridge = ridge_forecast(cut)
    table = ls.compare(cut.test, {"ridge": ridge}, baseline="same hour yesterday")
    naive = naive_forecasts(cut.test)
    common = naive.notna().all(axis=1).to_numpy()
    assert 0 < common.sum() < len(cut.test) and (table["n"] == common.sum()).all()
    yesterday = np.asarray(naive["same hour yesterday"]).reshape(ridge.shape)[common]
    apart = np.nanmean(np.abs(np.diff(series.frame["load"].iloc[:420])))
    by_hand = metrics(cut.test.actual[common], ridge.to_numpy()[common], yesterday, apart)
    assert table.loc["ridge"].to_dict() == pytest.approx(by_hand, nan_ok=True)
    with pytest.raises(SeriesError, match=r"no forecast 'rigde'; .*Did you mean 'ridge'"):
        ls.compare(cut.test, {"ridge": ridge}, baseline="rigde")
    with pytest.raises(SeriesError, match=rf"'short' has shape \(3, {len(cut.test.offsets)}\); expected"):
        ls.compare(cut.test, {"short": ridge.iloc[:3]})
    with pytest.raises(SeriesError, match="no row of the test part that has all"):
        ls.compare(cut.test, {"none": np.full(ridge.shape, np.nan)})


# ------------------------------------------------------------------------------------------------- as a whole


def test_sceaux_next_hour_as_the_course_states_it():
    columns = ["power", "voltage", "kitchen", "laundry", "heater"]
    cut = windows(load_series("sceaux", columns=columns, calendar=("hour", "weekday")))
    assert cut.counts["windows"].tolist() == [23277, 4887, 4763]
    started = clock.perf_counter()
    table = ls.compare(cut.test, {"ridge": ridge_forecast(cut)})
    assert clock.perf_counter() - started < 60, "measured: under 3 s on two cores"
    assert table["n"].unique().tolist() == [4580]
    assert table["rmse"].to_dict() == pytest.approx(
        {"last value": 0.586, "same hour yesterday": 0.750, "same hour last week": 0.796, "ridge": 0.483},
        abs=0.001,
    )


def test_scikit_learn_is_imported_only_where_it_is_used():
    code = "import sys, lstm_lib.series; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_modules_of_the_folder_import_only_those_above_them_in_its_list():
    folder = Path(ls.__file__).parent
    order = re.findall(r"^    (\w+) {2,}\S", ls.__doc__, flags=re.M)
    assert sorted(order) == sorted(path.stem for path in folder.glob("[!_]*.py"))
    for name in order:
        source = (folder / f"{name}.py").read_text()
        imported = re.findall(r"^ *from lstm_lib\.series(?:\.| import )(\w+)", source, flags=re.M)
        assert set(imported) <= set(order[: order.index(name)]), name

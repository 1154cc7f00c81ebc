"""Values that mean something else: readings of a meter, numbers that stand for "missing". Found, mended when named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.series import Series, SeriesError, load_series, windows

FILES = Path(__file__).resolve().parents[1] / "files"


def made(values, unit="kWh", step="1h", **more):
    index = pd.date_range("2021-01-01", periods=len(values), freq=step, tz="UTC", name="time")
    frame = pd.DataFrame({"load": np.asarray(values, float), **more}, index)
    return Series("made", frame, "load", unit)


def kinds(series):
    return set(series.check()["kind"])


def year(rng):
    """A load and an air temperature without a fault, 8760 hours, two digits."""
    hours = np.arange(8760)
    day, season = 2 * np.pi * hours / 24, 2 * np.pi * hours / 8760
    load = 50 + 10 * np.sin(day) + rng.normal(0, 2, 8760)
    air = 10 + 8 * np.sin(season) + 5 * np.sin(day) + rng.normal(0, 1, 8760)
    return load.round(2), air.round(2)


# ------------------------------------------------------------------------------------------------------------ meters


def test_readings_are_found_and_become_consumption():
    series = load_series(FILES / "11_meter_reading.csv")
    found = series.check()
    assert found["kind"].tolist() == ["meter"] and "reads like a meter" in found["rule"][0]
    used = series.consumption("reading [kWh]")
    values = used.frame["reading [kWh]"]
    assert values.iloc[0] == pytest.approx(0.382) and values.sum() == pytest.approx(171.227)
    assert used.resample("1h").frame.iloc[:3, 0].tolist() == pytest.approx([1.275, 1.285, 1.214])
    assert "meter" not in kinds(used) and "differences of readings" in used.notes[-1]
    pd.testing.assert_frame_equal(series.consumption().frame, used.frame)


def test_an_exchanged_meter_never_consumes_less_than_nothing():
    used = load_series(FILES / "11_meter_exchanged.csv").consumption("reading [kWh]").frame["reading [kWh]"]
    assert np.isnan(used["2025-08-03 23:45"]) and used["2025-08-04 00:00"] == pytest.approx(0.277)
    assert used.min() >= 0 and used.isna().sum() == 2


def test_readings_are_not_added_up_without_a_word():
    series = load_series(FILES / "11_meter_reading.csv")
    with pytest.raises(SeriesError, match=r"reads like a meter.*series\.consumption\('reading \[kWh\]'\)"):
        series.resample("1h")
    summed = series.resample("1h", how="sum")
    assert summed.frame.iloc[1, 0] == pytest.approx(75586.3, abs=0.1) and "as asked" in summed.notes[-1]
    with pytest.raises(SeriesError, match=r"'meter' can't be cleaned: .*consumption"):
        series.clean("meter")


def meters(rng):
    used = rng.gamma(1, 0.3, 24 * 10).round(3)
    total = 500 + used.cumsum()
    dropped = total.copy()
    dropped[77] = 0
    holes = total.copy()
    holes[[5, 90, 91]] = np.nan
    swapped = total.copy()
    swapped[100:] -= swapped[100] - 12.5
    return {
        "plain": total,
        "from zero": used.cumsum(),
        "often still": np.where(rng.random(240) < 0.7, 0, used).cumsum(),
        "whole numbers": np.floor(total),
        "an empty reading": dropped,
        "missing readings": holes,
        "set back every midnight": used.reshape(-1, 24).cumsum(axis=1).ravel(),
        "a used one put in": swapped,
    }


@pytest.mark.parametrize("kind", meters(np.random.default_rng(0)))
def test_a_meter_however_it_counts(rng, kind):
    readings = meters(rng)[kind]
    assert "meter" in kinds(made(readings))
    used = made(readings).consumption("load").frame["load"].to_numpy()
    true, known = np.append(np.diff(readings), np.nan), ~np.isnan(used)
    np.testing.assert_allclose(used[known], true[known])
    assert (used[known] >= 0).all() and used[known].max() < 20, "no step back, and none back up"
    assert (~known).sum() <= 12


def test_a_meter_that_says_minus_9999_at_times_is_one(rng):
    values = 1000 + rng.gamma(2, 1.0, 1000).cumsum().round(2)
    values[rng.choice(1000, 9, replace=False)] = -9999
    assert kinds(made(values)) == {"meter", "sentinel"}


@pytest.mark.parametrize(
    "values",
    [
        np.arange(500.0),  # row numbers
        np.tile(np.arange(24.0), 20),  # hours of the day
        np.repeat(np.arange(1.0, 31), 24),  # days
        np.r_[np.linspace(5, 15, 48) ** 1.1, np.linspace(15, 5, 48) ** 1.1] + 1,
        np.linspace(5, 15, 47) ** 1.1,  # two days that get warmer
        np.maximum(0, np.sin(np.arange(240) * np.pi / 12)) * 5,
        np.r_[np.zeros(100), 7, 7, np.zeros(100)],
    ],
)
def test_what_rises_is_not_always_a_meter(values):
    assert "meter" not in kinds(made(values))


@pytest.mark.parametrize("step", ["1h", "15min"])
@pytest.mark.parametrize("first", [0, 0.25, 50, 18894])
@pytest.mark.parametrize("digits", [0, 1, 3])
def test_one_day_of_a_meter_is_enough(rng, step, first, digits):
    rows = pd.Timedelta("1D") // pd.Timedelta(step)
    readings = (first + rng.gamma(1, 3 if digits == 0 else 0.3, rows).cumsum()).round(digits)
    series = made(readings, step=step)
    assert "meter" in kinds(series)
    with pytest.raises(SeriesError, match=r"reads like a meter.*series\.consumption\('load'\)"):
        series.resample("2h")
    assert "meter" not in kinds(series.consumption()) and "meter" not in kinds(made(readings, "°C", step))


@pytest.mark.parametrize("size", [0, 0.005, 0.05])
def test_a_part_of_a_day_that_rises_is_no_meter(rng, size):
    for rows in (12, 40, 70):
        sun = np.maximum(0, np.sin(np.arange(rows) * np.pi / 2 / rows)) * 5 * rng.normal(1, size, rows)
        assert "meter" not in kinds(made(sun.round(3), step="15min"))
    assert "meter" not in kinds(made(np.linspace(5, 9, 40) ** 1.2))


@pytest.mark.parametrize("stamped", ["start", "end"])
def test_a_reading_belongs_to_the_instant_of_its_stamp(tmp_path, stamped):
    used = np.arange(1.0, 97)
    index = pd.date_range("2021-01-01", periods=97, freq="15min", name="time")
    readings = pd.DataFrame({"load": 100 + np.append(0, used.cumsum())}, index)
    readings.to_csv(tmp_path / "meter.csv")
    series = load_series(tmp_path / "meter.csv", unit="kWh", stamped=stamped)
    assert series.stamped == stamped
    found = series.consumption("load").frame["load"].dropna()
    np.testing.assert_array_equal(found, used)
    assert found.index[0] == pd.Timestamp("2021-01-01", tz="UTC"), "what is used from 00:00 to 00:15 is 1"
    assert found.index[-1] == pd.Timestamp("2021-01-01 23:45", tz="UTC")
    for read in ("start", "end"):
        named = series.consumption("load", read=read).frame["load"]
        assert np.isnan(named.iloc[0 if read == "end" else -1]) and named.notna().sum() == 96


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 500), min_size=100, max_size=200),
    st.integers(1, 99),
    st.sampled_from([None, 0, 7]),
)
def test_consumption_is_what_was_counted(used, at, restart):
    steps = np.array(used) / 1000
    readings = 2000 + np.append(0, steps.cumsum())
    if restart is not None:
        readings[at:] += restart - readings[at]
    found = made(readings).consumption("load").frame["load"].to_numpy()[:-1]
    expected = steps.copy()
    if restart is not None:
        expected[at - 1] = np.nan
    np.testing.assert_allclose(found, expected, atol=1e-9)
    other = made(readings).consumption("load", read="end").frame["load"].to_numpy()[1:]
    np.testing.assert_array_equal(other, found)


# ------------------------------------------------------------------------------------------------------------- marks

PLANTED = [(1, 5), (1, 7), (60, 3), (60, 1), (200, 1), (10, 2)]


@pytest.mark.parametrize("mark", [-9999, -999, -99, 9999, 999.9, 65535, 1e20, -99.9, -32768])
@pytest.mark.parametrize(("runs", "length"), PLANTED)
def test_every_planted_row_is_found_and_no_other(rng, mark, runs, length):
    load, air = year(rng)
    first = rng.choice(8760 // 10 - 1, runs, replace=False) * 10
    rows = np.sort(np.add.outer(first, np.arange(length)).ravel())
    sound, spoilt = air.copy(), air.copy()
    spoilt[rows] = mark
    series = made(load, "kW", air=spoilt)
    found = series.check()
    assert found[["kind", "column", "rows"]].to_numpy().tolist() == [["sentinel", "air", runs * length]]
    assert f"{mark:g}, {runs * length} times" in found["size"][0]
    cleaned, changes = series.clean("sentinel")
    assert np.flatnonzero(cleaned.frame["air"].isna()).tolist() == rows.tolist()
    assert changes["changed"].tolist() == [runs * length]
    kept = ~cleaned.frame["air"].isna().to_numpy()
    np.testing.assert_array_equal(cleaned.frame["air"].to_numpy()[kept], sound[kept])


@settings(max_examples=60)
@given(st.sets(st.sampled_from([-9999, -999, -99, 9999, 99999, -99999]), min_size=1, max_size=3), st.data())
def test_several_marks_at_once(marks, data):
    _, air = year(np.random.default_rng(0))
    rows = data.draw(st.lists(st.integers(0, 8759), min_size=3, max_size=200, unique=True))
    spoilt = air.copy()
    for k, row in enumerate(rows):
        spoilt[row] = sorted(marks)[k % len(marks)]
    cleaned, _ = made(spoilt, "kW").clean("sentinel")
    assert np.flatnonzero(cleaned.frame["load"].isna()).tolist() == sorted(rows)


def test_marks_where_the_sun_does_not_shine_and_where_most_is_missing(rng):
    hours = np.arange(2400)
    sun = np.maximum(0, 900 * np.sin(2 * np.pi * (hours - 6) / 24)).round(1)
    assert "sentinel" not in kinds(made(sun, "W/m²")), "0 at night is no mark"
    for mark in (-99, -999):
        spoilt = sun.copy()
        spoilt[[30, 31, 500]] = mark
        assert made(spoilt, "W/m²").check().query("kind == 'sentinel'")["rows"].tolist() == [3]
    load, _ = year(rng)
    load[:6000] = -9999
    assert made(load, "kW").check().query("kind == 'sentinel'")["rows"].tolist() == [6000]


def test_what_is_measured_is_no_mark(rng):
    load, air = year(rng)
    winter = air - 8
    winter[[100, 101, 4000]] = -9.9
    full = np.minimum(100, 90 + 10 * rng.random(8760)).round(1)
    full[:500] = 99.9
    plateau = load.copy()
    plateau[2000:2005] = 60.0
    on = np.where(rng.random(8760) < 0.1, 11.0, 0.0)
    for values in (winter, full, plateau, on, np.where(on > 0, 99.0, 90 + rng.random(8760))):
        assert "sentinel" not in kinds(made(values, "kW"))


# ---------------------------------------------------------------------------------------------- what can't be scaled


@pytest.mark.parametrize("values", [np.r_[np.arange(1.0, 300), 1e300], 1e-200 * (1 + np.arange(300.0) % 7)])
def test_what_cannot_be_scaled_is_refused(values):
    series = made(values[::-1])
    with pytest.raises(SeriesError, match=r"column 'load' has mean .* and can't be scaled"):
        windows(series, lookback=12)


def test_what_is_too_large_once_scaled_is_refused(rng):
    values = rng.normal(0, 1, 300)
    values[-1] = 1e200
    with pytest.raises(SeriesError, match="column 'load' has values too large for float32"):
        windows(made(values), lookback=12)


# ------------------------------------------------------------------------------- meters and marks of further manners


@pytest.mark.parametrize("first", [500.0, 0.0])
def test_readings_that_count_down_are_those_of_a_meter(rng, first):
    used = rng.gamma(1, 0.3, 24 * 20).round(3)
    series = made(first - used.cumsum())
    found = series.check()
    assert found["kind"].tolist() == ["meter"] and "down 477 times, up 0 times" in found["rule"][0]
    with pytest.raises(SeriesError, match="reads like a meter"):
        series.resample("1D")
    counted = series.consumption()
    np.testing.assert_allclose(counted.frame["load"].iloc[:-1], used[1:])
    assert counted.notes[-1].endswith("differences of readings, which count down")


def test_a_meter_of_a_building_where_hardly_anything_runs(rng):
    readings = 100 + 0.1 * np.isin(np.arange(480), [9, 50, 77, 130, 131, 240, 300, 333, 401, 402]).cumsum()
    assert "meter" in kinds(made(readings)) and "meter" not in kinds(made(readings, "°C"))


@pytest.mark.parametrize("rows", [1, 3])
def test_a_reading_far_too_high_is_none(rng, rows):
    used = rng.gamma(1, 0.3, 480).round(3)
    readings = 500 + used.cumsum()
    spoilt = readings.copy()
    spoilt[200 : 200 + rows] = 9e5
    found = made(spoilt).consumption("load").frame["load"]
    assert found.max() < 5 and found.isna().sum() <= 4
    kept = np.r_[0:199, 200 + rows : 479]
    np.testing.assert_allclose(found.iloc[kept], np.diff(readings)[kept])


@pytest.mark.parametrize("mark", [-6999, 7999, -7777, 8888, -88.8, -127, 3276.7, -3276.8, 6553.5, 327.67])
def test_marks_that_loggers_write(rng, mark):
    _, air = year(rng)
    rows = [100, 101, 102, *range(5000, 5040)]
    air[rows] = mark
    assert np.flatnonzero(made(air, "°C").clean("sentinel")[0].frame["load"].isna()).tolist() == rows


@pytest.mark.parametrize("mark", [-1, -9])
def test_a_small_mark_below_zero_stands_beside_large_values(rng, mark):
    hours = np.arange(8760)
    humid = np.clip(60 + 20 * np.sin(hours / 4) + rng.normal(0, 8, 8760), 0, 100).round()
    rows = [100, 101, 102, 3000, *range(5000, 5040)]
    spoilt = humid.copy()
    spoilt[rows] = mark
    assert np.flatnonzero(made(spoilt, "%").clean("sentinel")[0].frame["load"].isna()).tolist() == rows
    frost = np.maximum(mark, np.round(8 * np.sin(hours / 700) + 8 + rng.normal(0, 1, 8760)))
    frost[frost < 0] = mark
    for measured in (frost, -np.round(np.maximum(0, np.sin(hours / 4) * 9))):
        assert "sentinel" not in kinds(made(measured, "°C"))


def test_a_mark_beside_one_value_alone():
    setpoint = np.full(800, 21.0)
    setpoint[[100, 101]] = -9999
    assert made(setpoint, "°C").check().query("kind == 'sentinel'")["rows"].tolist() == [2]
    for other in (0.0, 22.0, -50.0, 999.0):
        setpoint[[100, 101]] = other
        assert "sentinel" not in kinds(made(setpoint, "°C"))

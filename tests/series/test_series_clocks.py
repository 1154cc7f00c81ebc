"""Time zones and both changes of the clocks: what a wall clock writes is read back at the instants that were meant."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.series import SeriesError, load_series
from lstm_lib.series.clock import changes
from tests.series.series_files import attempt, write_local

PLACES = {  # zone: its changes in 2020, UTC
    "Europe/Paris": ("2020-03-29 01:00", "2020-10-25 01:00"),
    "America/Los_Angeles": ("2020-03-08 10:00", "2020-11-01 09:00"),
}
CASES = [(zone, at) for zone, both in PLACES.items() for at in both]
STEPS = ["1h", "30min", "15min", "10min"]


def around(at, step="1h", hours=30):
    """Consecutive numbers on a grid around an instant."""
    index = pd.date_range(
        pd.Timestamp(at, tz="UTC") - pd.Timedelta(hours=hours), periods=2 * hours + 1, freq="1h"
    )
    index = pd.date_range(index[0], index[-1], freq=step)
    return pd.DataFrame({"load": np.arange(len(index)) + 0.5}, index)


def assert_same(series, table):
    assert series.inserted == 0
    np.testing.assert_array_equal(series.frame.index.as_unit("us").asi8, table.index.as_unit("us").asi8)
    np.testing.assert_array_equal(series.frame["load"], table["load"])


@pytest.mark.parametrize("stamped", ["start", "end"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("zone", "at"), CASES)
def test_local_stamps_come_back_at_their_instants(tmp_path, zone, at, step, stamped):
    table = around(at, step)
    write_local(tmp_path / "local.csv", table, zone, stamped)
    series = load_series(tmp_path / "local.csv", timezone=zone, stamped=stamped)
    assert_same(series, table)
    assert (series.timezone, f"stamps carry no offset and were read as {zone}" in series.notes) == (
        zone,
        True,
    )
    assert ("stamps mark the end of their period and were put to its start" in series.notes) == (
        stamped == "end"
    )


@pytest.mark.parametrize(("zone", "at"), CASES)
def test_utc_stamps_and_stamps_with_offset_need_no_guess(tmp_path, zone, at):
    table = around(at)
    write_local(tmp_path / "utc.csv", table, "UTC")
    series = load_series(tmp_path / "utc.csv", timezone=zone, stamps_in="UTC")
    assert_same(series, table)
    write_local(tmp_path / "offset.csv", table, zone, form="%Y-%m-%dT%H:%M%z")
    assert_same(load_series(tmp_path / "offset.csv", timezone=zone), table)
    write_local(tmp_path / "fixed.csv", table, "Etc/GMT-1")
    assert_same(load_series(tmp_path / "fixed.csv", timezone=zone, stamps_in="Etc/GMT-1"), table)


@pytest.mark.parametrize(("zone", "at"), CASES)
def test_the_calendar_follows_the_clock_on_the_wall(tmp_path, zone, at):
    table = around(at)
    write_local(tmp_path / "utc.csv", table, "UTC")
    series = load_series(tmp_path / "utc.csv", timezone=zone, stamps_in="UTC", calendar=["hour"])
    hour = np.arctan2(series.frame["hour_sin"], series.frame["hour_cos"]) / (2 * np.pi) * 24 % 24
    local = table.index.tz_convert(zone)
    np.testing.assert_allclose(hour.round(6) % 24, local.hour)
    assert len(set(np.diff(local.hour.to_numpy()) % 24)) == 2  # a step of 1 hour, and once of 0 or 2


@pytest.mark.parametrize("zone", PLACES)
def test_the_hour_that_is_skipped_proves_another_clock(tmp_path, zone):
    table = around(PLACES[zone][0])
    standard = {"Europe/Paris": "Etc/GMT-1", "America/Los_Angeles": "Etc/GMT+8"}[zone]
    write_local(tmp_path / "standard.csv", table, standard)  # a logger whose clock is never changed
    with pytest.raises(SeriesError, match=rf"'2020-03-\d\d 02:00' occurs twice or not at all in {zone}.*not at all, "
                       r"clocks skip it, so the stamps are not local time"):  # fmt: skip
        load_series(tmp_path / "standard.csv", timezone=zone)
    assert_same(load_series(tmp_path / "standard.csv", timezone=standard), table)
    out = load_series(tmp_path / "standard.csv", timezone=zone, clock_change="missing", step="1h")
    assert "1 rows left out at changes of the clocks: 2020-03-" in repr(out)


DOUBTFUL = {  # what a file may show of the hour from 02:00 to 03:00, by half hours, that is no proof of both passes
    "once": ["02:00", "02:30"],
    "second pass cut": ["02:00", "02:30", "02:00"],
    "first pass cut": ["02:00", "02:00", "02:30"],
    "sorted": ["02:00", "02:00", "02:30", "02:30"],
    "holes in both": ["02:00", "02:00"],
    "other minutes": ["02:00", "02:30", "02:15", "02:45"],
    "three passes": ["02:00", "02:30"] * 3,
}


@pytest.mark.parametrize("shown", DOUBTFUL.values(), ids=DOUBTFUL)
def test_an_hour_that_is_not_shown_twice_as_a_whole_is_not_guessed(tmp_path, shown):
    clock = ["01:00", "01:30", *shown, "03:00", "03:30", "04:00"]
    rows = [f"2020-10-25 {time},{k}" for k, time in enumerate(clock)]
    path = tmp_path / "local.csv"
    path.write_text("\n".join(["time,load", *rows]))
    with pytest.raises(
        SeriesError, match=r"line 4, .*'2020-10-25 02:00' occurs twice .*not show the whole hour"
    ):
        load_series(path, timezone="Europe/Paris")
    series = load_series(path, timezone="Europe/Paris", clock_change="missing")
    expected = [
        0,
        1,
        *[np.nan] * 4,
        *range(len(clock) - 3, len(clock)),
    ]  # four half hours from 00:00 to 02:00 UTC
    np.testing.assert_array_equal(series.frame["load"], expected)
    assert f"{len(shown)} rows left out at changes of the clocks" in repr(series)
    found = series.check()
    assert {"gap", "clock change"} == set(found["kind"])


def test_the_hour_is_told_apart_where_it_is_shown_twice(tmp_path):
    clock = ["01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    path = tmp_path / "local.csv"
    path.write_text("\n".join(["time,load", *(f"2020-10-25 {time},{k}" for k, time in enumerate(clock))]))
    series = load_series(path, timezone="Europe/Paris")
    assert series.frame["load"].tolist() == list(range(7)) and str(series.frame.index[0])[11:16] == "23:00"


def test_a_repeated_stamp_is_read_as_asked(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text(
        "time,load\n2020-01-01 00:00,1\n2020-01-01 01:00,2\n2020-01-01 01:00,3\n2020-01-01 02:00,4\n"
    )
    with pytest.raises(
        SeriesError, match=r"line 4, .*repeats the stamp before it.*repeated='first', 'last' or"
    ):
        load_series(path)
    for how, value in (("first", 2), ("last", 3), ("missing", np.nan)):
        series = load_series(path, repeated=how)
        np.testing.assert_array_equal(series.frame["load"], [1, value, 4])
        (found,) = [row for _, row in series.check().iterrows() if row["kind"] == "duplicate"]
        assert (str(found["first"])[:16], found["rows"], how in found["rule"]) == (
            "2020-01-01 01:00",
            1,
            True,
        )
        assert "1 stamps were repeated" in repr(series)
    with pytest.raises(
        SeriesError, match="no way with repeated stamps, repeated = 'mean'; there is 'refuse'"
    ):
        load_series(path, repeated="mean")


def test_the_changes_of_a_year():
    for zone, both in PLACES.items():
        first, last = pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2021-01-01", tz="UTC")
        found = changes(first, last, zone)
        assert [str(at)[:16] for at, _ in found] == list(both)
        assert [by / pd.Timedelta("1h") for _, by in found] == [1, -1]
    assert changes(first, last, "Etc/GMT-1") == []


ELSEWHERE = [
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
]  # half an hour, during Ramadan, never


@settings(max_examples=150)
@given(
    zone=st.sampled_from([*PLACES, *ELSEWHERE]),
    change=st.integers(0, 3),
    before=st.integers(0, 60),
    rows=st.integers(2, 200),
    step=st.sampled_from(STEPS),
    stamped=st.sampled_from(["start", "end"]),
)
def test_whatever_loads_from_a_wall_clock_is_where_it_was(
    tmp_path_factory, zone, change, before, rows, step, stamped
):
    """Files that begin within two and a half days before a change of the clocks, or after it."""
    first, last = pd.Timestamp("2019-01-01", tz="UTC"), pd.Timestamp("2021-01-01", tz="UTC")
    instants = [at for at, _ in changes(first, last, zone)] or [first]
    index = pd.date_range(
        instants[change % len(instants)].floor("1h") - before * pd.Timedelta(step), periods=rows, freq=step
    )
    table = pd.DataFrame({"load": np.arange(len(index)) + 0.5}, index)
    path = tmp_path_factory.mktemp("wall") / "local.csv"
    write_local(path, table, zone, stamped)
    series, refusal = attempt(path, timezone=zone, stamped=stamped)
    if series is None:  # the file begins or ends within an hour that occurs twice
        assert "occurs twice" in refusal
    else:
        assert_same(series, table)

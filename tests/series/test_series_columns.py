"""Columns that nobody asked for and that are no measurements: left out with a note, however they are written."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.series import SeriesError, load_series, windows

N = 72
STAMPS = pd.date_range("2021-03-01", periods=N, freq="h")
LOAD = np.random.default_rng(0).normal(50, 5, N).round(2)
COUNTS, PASSES, STANDS = (
    "it counts the rows",
    "it counts the time that has passed",
    "it holds stamps, such as ",
)


def written(path: Path, rows: Any = None, **columns: Any) -> Path:
    """A file of stamps, a load and these columns, of these rows alone."""
    table = pd.DataFrame({"time": STAMPS.strftime("%Y-%m-%d %H:%M"), "load": LOAD, **columns})
    (table if rows is None else table.iloc[rows]).to_csv(path / "f.csv", index=False)
    return path / "f.csv"


some, holes = np.sort(np.random.default_rng(1).choice(N, 50, replace=False)), np.arange(N) % 5 > 0
# name -> column, what is said of it, rows that are kept
NO_INPUTS: dict[str, tuple[str, Any, str, Any]] = {
    "counted down": ("index", range(N, 0, -1), COUNTS, None),
    "begun again": ("id", [*range(40), *range(32)], COUNTS, None),
    "every second": ("index", range(0, 2 * N, 2), COUNTS, None),
    "of a database": ("id", np.cumsum(np.arange(N) % 3 + 1) + 1000, COUNTS, None),
    "some missing": ("id", [k if k % 9 else "" for k in range(N)], COUNTS, None),
    "some left out": ("RECORD", range(N), COUNTS, some),
    "few rows": ("lfd. Nr.", range(1, N + 1), COUNTS, range(10)),
    "hours": ("elapsed", np.arange(N) * 0.25, COUNTS, None),
    "rounded hours": ("elapsed", (np.arange(N) / 12).round(2), COUNTS, None),
    "hours with gaps": ("elapsed", np.arange(N) * 0.25, PASSES, some),
    "unix seconds": ("epoch", 1614556800 + 3600 * np.arange(N), COUNTS, None),
    "unix milliseconds with gaps": ("ts", 1000 * (1614556800 + 3600 * np.arange(N)), PASSES, some),
    "day numbers": ("serial", 44256 + (np.arange(N) / 24).round(5), COUNTS, None),
    "days of the year with gaps": ("doy", 60 + np.arange(N) / 24, PASSES, some),
    "days in digits": ("day", STAMPS.strftime("%Y%m%d"), f"{STANDS}20210301", None),
    "minutes in digits": ("utc", STAMPS.strftime("%Y%m%d%H%M"), f"{STANDS}202103010000", None),
    "one number": ("meter_id", 12345678, "it is 12345678 in all rows", None),
    "one text or none": ("source", np.where(holes, "grid", ""), "it is 'grid' where it says anything", None),
    "other stamps or none": (
        "end", np.where(holes, (STAMPS + pd.Timedelta("1h")).strftime("%Y-%m-%d %H:%M"), ""),
        f"{STANDS}'2021-03-01 02:00'", None,
    ),
    "no value": ("comment", "", "it has no value", None),
}  # fmt: skip


@pytest.mark.parametrize("target", [None, "load"])
@pytest.mark.parametrize("kind", NO_INPUTS)
def test_what_can_be_no_input_is_left_out_with_a_note(tmp_path: Path, kind: str, target: str | None) -> None:
    name, column, why, rows = NO_INPUTS[kind]
    path = written(tmp_path, rows, **{name: column})
    series = load_series(path, target=target)
    assert (series.target, list(series.frame)) == ("load", ["load"])
    assert f"column {name!r} left out: {why}" in series.notes
    assert windows(series, lookback=1, split=(0.4, 0.3, 0.3)).inputs == ("load",)
    if "text" not in kind and "stamps" not in kind and kind != "no value":
        asked = load_series(path, target="load", columns=["load", name]).frame[name].dropna()
        np.testing.assert_array_equal(asked, np.array(pd.read_csv(path)[name].dropna(), float))


KEPT = {
    "persons": np.repeat(np.arange(1, 13), 6),
    "index": np.cumsum(np.arange(N) % 3 + 1) + 1000,  # in French what a meter shows
    "meter": np.cumsum(np.random.default_rng(2).gamma(1, 0.3, N)).round(3),
    "hour": STAMPS.hour,
    "off": np.zeros(N),
    "total [kWh]": np.arange(N) * 0.5,
    "air": np.linspace(5, 15, N) + np.random.default_rng(3).normal(0, 0.05, N),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_measured_stays(tmp_path: Path, name: str) -> None:
    series = load_series(written(tmp_path, **{name: KEPT[name]}), target="load")
    np.testing.assert_array_equal(series.frame[name], KEPT[name])


@settings(max_examples=15)
@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.booleans(),
    st.integers(0, 6),
    st.sets(st.integers(1, N - 1), max_size=30),
)
def test_no_line_along_rows_or_time_is_an_input(
    tmp_path_factory: Any, first: float, step: float, back: bool, digits: int, gone: set[int]
) -> None:
    line = np.round(first + step * np.arange(N) * (-1 if back else 1), digits)
    if step < 20 * 10.0**-digits:
        line = line * 0 + np.arange(N)
    rows = sorted(set(range(N)) - gone)
    path = written(tmp_path_factory.mktemp("f"), rows, t=line)
    assert list(load_series(path, target="load").frame) == ["load"]


# ------------------------------------------------------------------- a row a day, a column for each time of day

DAYS = pd.date_range("2021-01-04", periods=6, freq="D").strftime("%Y-%m-%d")
HOURS = range(24)
NAMED = {
    "hours": ([f"{h:02d}h" for h in HOURS], "value"),
    "periods": ([f"{h:02d}h-{h + 1:02d}h" for h in HOURS], "value"),
    "bare periods": ([f"{h:02d}-{h + 1:02d}" for h in HOURS], "value"),
    "to": ([f"{h:02d}:00 to {h + 1:02d}:00" for h in HOURS], "value"),
    "four digits": ([f"{h:02d}00" for h in HOURS], "value"),
    "am and pm": ([f"{h % 12 or 12} {'AM' if h < 12 else 'PM'}" for h in HOURS], "value"),
    "a unit": ([f"{h:02d}:00 [kWh]" for h in HOURS], "value"),
    "a word": ([f"load_{h:02d}:00" for h in HOURS], "load"),
    "backwards": ([f"{h:02d}:00" for h in HOURS][::-1], "value"),
}


def wide(path: Path, names: list[str], **more: Any) -> Path:
    at = (
        [int(name.replace("load_", "")[:2]) for name in names]
        if names[0][:2] in ("23", "lo")
        else list(HOURS)
    )
    values = pd.DataFrame(100.0 + 24 * np.arange(6)[:, None] + np.array(at), columns=names)
    pd.DataFrame({"date": DAYS}).join(values).assign(**more).to_csv(path / "f.csv", index=False)
    return path / "f.csv"


@pytest.mark.parametrize("kind", NAMED)
def test_times_of_day_however_they_are_called(tmp_path: Path, kind: str) -> None:
    names, target = NAMED[kind]
    series = load_series(wide(tmp_path, names))
    assert series.target == target and series.step == pd.Timedelta("1h")
    assert series.unit == ("kWh" if kind == "a unit" else "")
    np.testing.assert_array_equal(series.frame[target], 100.0 + np.arange(144))


@pytest.mark.parametrize(
    "names", [[f"VAL{h:02d}00" for h in range(1, 25)], [f"{h % 24}:00" for h in range(1, 25)]]
)
def test_times_at_which_periods_end(tmp_path: Path, names: list[str]) -> None:
    path = wide(tmp_path, names)
    with pytest.raises(SeriesError, match="if stamps mark ends, give stamped='end'"):
        load_series(path)
    series = load_series(path, stamped="end")
    np.testing.assert_array_equal(series.frame[series.target], 100.0 + np.arange(144))
    assert series.index[0] == pd.Timestamp("2021-01-04", tz="UTC")


@pytest.mark.parametrize("target", [None, "H05"])
@pytest.mark.parametrize("begin", [0, 1])
def test_numbered_hours_are_refused_and_names_read_them(
    tmp_path: Path, begin: int, target: str | None
) -> None:
    path = wide(tmp_path, [f"H{h + begin:02d}" for h in HOURS])
    with pytest.raises(
        SeriesError, match=r"are they the parts of a day\? .*header=1 and names=\['date', '00:00'"
    ) as refusal:
        load_series(path, target=target)
    named = ast.literal_eval(re.findall(r"names=(\[.*?\])", str(refusal.value))[0])
    series = load_series(path, header=1, names=named)
    np.testing.assert_array_equal(series.frame["value"], 100.0 + np.arange(144))


def test_what_has_one_value_a_day_is_no_name_for_times_of_day(tmp_path: Path) -> None:
    path = wide(tmp_path, [f"{h:02d}:00" for h in HOURS], Total=np.arange(6.0))
    with pytest.raises(SeriesError, match=r"column 'Total' has one value a day.*columns=\['Total'\] loads"):
        load_series(path, target="Total")
    assert load_series(path, columns=["Total"]).frame["Total"].tolist() == [0, 1, 2, 3, 4, 5]
    assert load_series(path, target="consumption").target == "consumption"


def test_times_of_day_of_two_quantities_are_refused(tmp_path: Path) -> None:
    more = {f"air_{h:02d}:00": 5.0 for h in HOURS}
    path = wide(tmp_path, [f"load_{h:02d}:00" for h in HOURS], **more)
    with pytest.raises(
        SeriesError, match=r"times of day of 2 quantities, 'load_00:00', 'air_00:00' and so on"
    ):
        load_series(path, target="load_00:00")
    names = ["date", *(f"{h:02d}:00" for h in HOURS), *(f"air {h}" for h in HOURS)]
    series = load_series(path, header=1, names=names)
    np.testing.assert_array_equal(series.frame["value"], 100.0 + np.arange(144))

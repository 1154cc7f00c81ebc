"""The rules that find, the cleaning that does what is named and no more, and coarser steps that never cross a gap."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib.series import LIMITS, RULES, Series, SeriesError, load_series, windows
from lstm_lib.series.faults import runs
from tests.series import series_files as files


@pytest.fixture(scope="module")
def trapped(tmp_path_factory):
    path = tmp_path_factory.mktemp("a") / "trapped.csv"
    files.write_layout_a(path)
    return load_series(path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("a") / "sound.csv"
    files.write_layout_a(path, traps=False)
    return load_series(path)


def at(table, kind, column):
    """First stamp and rows of each finding of a kind in a column."""
    chosen = table[(table["kind"] == kind) & table["column"].str.contains(column, regex=False)]
    return [
        (f"{first:%Y-%m-%d %H}", rows) for first, rows in zip(chosen["first"], chosen["rows"], strict=True)
    ]


# ---------------------------------------------------------------------------------------------- the traps are found

TRAPS = {
    ("gap", "TGBT"): [(f"{day:%Y-%m-%d} 00", 2) for day in files.last_sundays(2016, 2020)],
    ("clock change", "TGBT"): [(f"{day:%Y-%m-%d} 00", 2) for day in files.last_sundays(2016, 2020)],
    ("frozen", "AirTemp"): [("2019-02-04 00", 18), ("2020-10-26 06", 15)],
    ("frozen", "Global_Solar_Flux"): [("2016-07-29 08", 14)],
    ("frozen", "T1"): [("2020-08-01 00", 57)],
    ("spike", "AirTemp"): [("2020-10-26 04", 1)],
    ("outage", "TGBT"): [("2018-12-26 02", 30)],
    ("regime", "TGBT"): [("2020-04-03 00", 9889)],
}


@pytest.mark.parametrize(("kind", "column"), TRAPS)
def test_a_trap_of_the_laboratory_is_found(trapped, kind, column):
    assert at(trapped.check(), kind, column) == TRAPS[kind, column]


def test_jumps_are_found(trapped):
    found = trapped.check()
    found = found[(found["kind"] == "jump") & (found["first"] < "2018-01-01")]
    assert len(found) == 34 and set(found["column"]) == {"TGBT"} and (found["rows"] == 1).all()
    assert found["size"].iloc[0].endswith(" kW") and "a step of more than" in found["rule"].iloc[0]
    assert at(trapped.check(), "jump", "AirTemp") == [], "the two steps of a spike are no jumps"


def test_where_nothing_is_wrong_nothing_is_found(sound):
    assert sound.check().empty
    assert list(sound.check()) == ["kind", "column", "first", "last", "rows", "size", "rule"]


def test_a_copied_day_is_found(sound):
    frame = sound.frame.iloc[:2000].copy()
    for row in range(500, 530):  # longer than a day: the copy is copied on
        frame.iloc[row] = frame.iloc[row - 24].to_numpy()
    frame.iloc[900:910] = frame.iloc[900 - 168 : 910 - 168].to_numpy()
    found = Series("copied", frame, "TGBT", "kW").check()
    assert at(found, "duplicate", "all") == [("2016-08-04 20", 30), ("2016-08-21 12", 10)]
    assert found["rule"].str.contains("a day before|a week before").sum() == 2


def test_coarse_values_repeat_by_chance(rng):
    index = pd.date_range("2020-01-01", periods=2000, freq="h", tz="UTC")
    steps = pd.DataFrame({"level": rng.integers(0, 3, 2000).astype(float)}, index)
    assert "duplicate" not in set(Series("coarse", steps, "level").check()["kind"])


def test_the_same_hour_twice_at_the_clock_change_is_found(sound):
    frame = sound.frame.loc["2016-10-20":"2016-11-05"].copy()
    frame.loc["2016-10-30 01:00"] = frame.loc["2016-10-30 00:00"]
    found = Series("copied", frame, "TGBT", "kW", timezone="Europe/Paris").check()
    assert at(found, "clock change", "all") == [("2016-10-30 01", 1)]
    assert "put back at 2016-10-30 01:00 UTC" in found["rule"].iloc[0]
    assert Series("copied", frame, "TGBT", "kW").check().empty, "in UTC no clock changes"


def test_zero_is_not_frozen_and_night_is_no_outage():
    hours = np.arange(24 * 60)
    sun = np.maximum(0, np.sin(2 * np.pi * (hours - 6) / 24)) * (1 + 0.1 * np.cos(hours))
    index = pd.date_range("2020-01-01", periods=len(hours), freq="h", tz="UTC")
    assert Series("pv", pd.DataFrame({"pv": sun}, index), "pv", "kW").check().empty


def test_what_is_often_off_has_no_outage():
    hours = np.arange(24 * 60)
    load = np.where(hours % 24 < 16, 5 + np.sin(hours), 0.1)
    index = pd.date_range("2020-01-01", periods=len(hours), freq="h", tz="UTC")
    heater = Series("heater", pd.DataFrame({"load": load}, index), "load", "kW")
    assert "outage" not in set(heater.check()["kind"])
    load[30 : 24 * 58] = 5 + np.sin(hours[30 : 24 * 58])  # and now it seldom is
    assert "outage" in set(
        Series("heater", pd.DataFrame({"load": load}, index), "load", "kW").check()["kind"]
    )


@pytest.mark.parametrize(
    ("days", "drop", "found"), [(1215, 0, False), (1215, 3, True), (700, 15, False), (430, 15, False)]
)
def test_a_season_is_no_change_of_regime(rng, days, drop, found):
    """Three years that end with a high season; and less than two, of which nobody knows the season."""
    index = pd.date_range("2018-07-01", periods=24 * days, freq="h", tz="UTC")
    load = 20 - 8 * np.sin(2 * np.pi * np.arange(len(index)) / (24 * 365.25)) + rng.normal(0, 0.5, len(index))
    load[12 * days :] -= drop
    kinds = set(Series("demo", pd.DataFrame({"load": load}, index), "load", "kW").check()["kind"])
    assert ("regime" in kinds) == found


def test_limits_are_the_users_to_set(trapped):
    assert at(trapped.check(frozen_hours=16), "frozen", "") == [("2019-02-04 00", 18), ("2020-08-01 00", 57)]
    assert at(trapped.check(outage_share=0.05), "outage", "TGBT") == []
    assert at(trapped.check(spike=1000), "spike", "AirTemp") == []
    with pytest.raises(SeriesError, match=r"no limit of a rule 'frozen_hour'; .*Did you mean 'frozen_hours'"):
        trapped.check(frozen_hour=3)
    for wrong in (0, -1, "3", True, float("nan")):
        with pytest.raises(SeriesError, match=r"spike=.* has to be a number above 0"):
            trapped.check(spike=wrong)
    assert set(RULES) == {
        "gap", "duplicate", "clock change", "sentinel", "meter", "frozen", "spike", "jump", "outage", "regime",
    }  # fmt: skip
    assert all(value > 0 for value in LIMITS.values())


def test_the_embedded_series_says_what_is_known_of_it():
    found = load_series("sceaux").check()
    gaps = found[found["kind"] == "gap"]
    assert gaps["rows"].sum() == 438 and set(gaps["column"]) == {"all"}
    assert at(found, "duplicate", "all") == [], "the copied minutes were made missing"
    assert found["first"].is_monotonic_increasing
    assert set(found["kind"]) == {"gap", "frozen", "regime"}, "an oven that is switched on is no jump"


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_runs_are_those_of_the_definition(mask):
    covered = np.zeros(len(mask), bool)
    for begin, end in runs(np.array(mask)):
        assert all(mask[begin:end]) and end > begin
        assert (begin == 0 or not mask[begin - 1]) and (end == len(mask) or not mask[end])
        covered[begin:end] = True
    assert covered.tolist() == mask


# ---------------------------------------------------------------------------------------------------------- cleaning


def test_by_default_nothing_is_changed_and_it_says_so(trapped):
    same, changes = trapped.clean()
    pd.testing.assert_frame_equal(same.frame, trapped.frame, check_exact=True)
    assert changes.empty and same is not trapped
    assert "clean: nothing was changed, since no rule was named" in repr(same)


def test_cleaning_does_what_is_named_and_nothing_else(trapped):
    before = trapped.frame.copy()
    cleaned, changes = trapped.clean(["spike", "frozen"])
    pd.testing.assert_frame_equal(trapped.frame, before, check_exact=True)
    assert changes["changed"].tolist() == [14, 18, 57, 1, 15] == changes["rows"].tolist()
    gone = cleaned.frame.isna() & before.notna()
    assert gone.sum().to_dict() == {
        **dict.fromkeys(before, 0),
        "AirTemp": 34,
        "Global_Solar_Flux": 14,
        "T1": 57,
    }
    assert cleaned.frame.where(~gone, before).equals(before), "what is left is as it was"
    assert not set(cleaned.check()["kind"]) & {"spike", "frozen"}
    assert "clean: 105 values made missing by spike, frozen" in repr(cleaned)


def test_cleaning_some_columns_only(trapped):
    cleaned, changes = trapped.clean({"frozen": "T1", "spike": ["AirTemp", "T2"], "outage": ["TGBT"]})
    assert changes[["kind", "column", "changed"]].to_numpy().tolist() == [
        ["outage", "TGBT", 30], ["frozen", "T1", 57], ["spike", "AirTemp", 1],
    ]  # fmt: skip
    assert int((cleaned.frame.isna() & trapped.frame.notna()).to_numpy().sum()) == 88
    assert trapped.clean({"frozen": "T1"}, frozen_hours=60)[1].empty


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("gap", "'gap' can't be cleaned: the values are missing already"),
        (["regime"], "'regime' can't be cleaned: the values are right"),
        (["jump"], "'jump' can't be cleaned: which side"),
        (["spikes"], "no rule 'spikes'; there is 'gap', .*Did you mean 'spike'"),
        ({"spike": ["Air"]}, "no column 'Air'; there is "),
    ],
)
def test_what_cannot_be_cleaned_is_refused(trapped, rules, message):
    with pytest.raises(SeriesError, match=message):
        trapped.clean(rules)


def test_cleaned_stretches_are_kept_out_of_windows(trapped):
    cleaned, changes = trapped.clean({"outage": "TGBT"})
    rows = trapped.frame.index.get_indexer(
        pd.date_range(changes["first"].iloc[0], changes["last"].iloc[0], freq="h")
    )
    part = windows(cleaned, lookback=24, inputs=["TGBT"]).train
    read = set((part.starts[:, None] + np.arange(25)).ravel().tolist())
    assert not read & set(rows.tolist()) and not np.isnan(part.x).any()
    before = windows(trapped, lookback=24, inputs=["TGBT"]).train
    assert len(before) - len(part) == 30 + 24


# -------------------------------------------------------------------------------------------------------- resampling


def quarter(columns, units, first="2020-01-01", **kwargs):
    index = pd.date_range(
        first, periods=len(next(iter(columns.values()))), freq="15min", tz="UTC", name="time"
    )
    return Series("q", pd.DataFrame(columns, index, dtype=float), next(iter(columns)), units=units, **kwargs)


def test_power_is_averaged_energy_added_up_and_a_gap_stays_one():
    values = np.arange(16.0)
    values[6] = np.nan
    units = {"power": "kW", "energy": "kWh", "heat": "MJ", "air": "°C"}
    series = quarter(dict.fromkeys(units, values), units, timezone="Europe/Paris")
    frame = series.resample("1h").frame
    mean, total = [1.5, np.nan, 9.5, 13.5], [6, np.nan, 38, 54]
    for name, expected in (("power", mean), ("air", mean), ("energy", total), ("heat", total)):
        np.testing.assert_array_equal(frame[name], expected)
    assert [f"{t:%H:%M}" for t in frame.index] == ["00:00", "01:00", "02:00", "03:00"]
    loose = series.resample("1h", least=0.75).frame
    assert loose["power"].tolist() == [1.5, (4 + 5 + 7) / 3, 9.5, 13.5]
    assert np.isnan(loose["energy"].iloc[1]), "a sum with a hole is too small"
    assert "resampled from 0.25 h to 1 h: mean of power, air; sum of energy, heat" in repr(
        series.resample("1h")
    )


def test_a_period_that_is_not_whole_is_missing():
    series = quarter({"power": np.arange(10.0)}, {"power": "kW"}, first="2020-01-01 00:30")
    np.testing.assert_array_equal(series.resample("1h").frame["power"], [np.nan, 3.5, 7.5])
    np.testing.assert_array_equal(series.resample("30min").frame["power"], [0.5, 2.5, 4.5, 6.5, 8.5])


def test_the_calendar_is_computed_anew():
    series = quarter({"power": np.arange(96.0)}, {"power": "kW"}, timezone="Etc/GMT-3").with_calendar("hour")
    coarse = series.resample("3h")
    fresh = quarter({"power": np.arange(96.0)}, {"power": "kW"}, timezone="Etc/GMT-3").resample("3h")
    pd.testing.assert_frame_equal(coarse.frame, fresh.with_calendar("hour").frame)
    assert coarse.calendar == ("hour",)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"step": "20min"}, "has to be 2 or more whole steps of"),
        ({"step": "15min"}, "has to be 2 or more whole steps of"),
        ({"step": "soon"}, "is not a length of time"),
        ({"step": "1h", "least": 0}, "least=0 has to be a share above 0"),
        ({"step": "1h", "how": "max"}, "no way to resample 'max'; there is 'mean', 'sum'"),
        ({"step": "1h", "how": {"pwer": "mean"}}, "no column 'pwer'; .*Did you mean 'power'"),
        (
            {"step": "1h", "how": {"power": "mean"}},
            r"column 'flow' has the unit 'm³', .*how={'flow': 'mean'}",
        ),
        ({"step": "4h"}, "only 1 period of"),
    ],
)
def test_a_step_that_does_not_fit_is_refused(kwargs, message):
    series = quarter({"power": np.arange(8.0), "flow": np.arange(8.0)}, {"power": "kW", "flow": "m³"})
    if kwargs["step"] == "4h":
        kwargs = {"how": "mean", **kwargs}
    with pytest.raises(SeriesError, match=message):
        series.resample(**kwargs)


def test_a_unit_that_is_not_known_is_asked_for():
    for units, said in (({}, "no known unit"), ({"load": "Joint"}, "the unit 'Joint'")):
        series = quarter({"load": np.arange(8.0)}, units)
        with pytest.raises(SeriesError, match=f"column 'load' has {said}, which doesn't tell whether"):
            series.resample("1h")
    assert series.resample("1h", how="sum").frame["load"].tolist() == [6, 22]


def test_stamps_between_the_periods_are_refused():
    series = quarter({"power": np.arange(8.0)}, {"power": "kW"}, first="2020-01-01 00:07")
    with pytest.raises(
        SeriesError, match=r"such as 2020-01-01 00:07.*are not whole steps of 0 days 00:15:00"
    ):
        series.resample("1h")


@given(
    gaps=st.sets(st.integers(0, 95), max_size=30),
    first=st.integers(0, 11),
    rows=st.sampled_from([2, 3, 4, 12]),
)
def test_resampled_is_the_definition(gaps, first, rows):
    values = np.arange(96) ** 1.5
    values[list(gaps)] = np.nan
    start = str(pd.Timestamp("2020-01-01") + first * pd.Timedelta("15min"))
    series = quarter({"p": values, "e": values}, {"p": "kW", "e": "kWh"}, first=start)
    frame = series.resample(rows * pd.Timedelta("15min")).frame
    for stamp, row in frame.iterrows():
        inside = series.frame.loc[stamp : stamp + (rows - 1) * pd.Timedelta("15min"), "p"].to_numpy()
        whole = len(inside) == rows and not np.isnan(inside).any()
        np.testing.assert_allclose(row["p"], inside.mean() if whole else np.nan)
        np.testing.assert_allclose(row["e"], inside.sum() if whole else np.nan)


# ------------------------------------------------------------------------------- habits of a day, and ten lines of it


def board(days=120, **planted):
    """A board that is off from 22 h to 6 h, local time, at a steady 0.3 kW, every night; faults by name."""
    local = pd.date_range("2021-01-04", periods=24 * days, freq="h", tz="Europe/Paris")
    hour, noise = np.asarray(local.hour), np.random.default_rng(3).normal(0, 1, len(local))
    load = np.where((hour >= 6) & (hour < 22), 40 + 10 * np.sin(hour / 4) + noise, 0.3)
    for at, values in planted.values():
        row = local.get_loc(pd.Timestamp(at, tz="Europe/Paris"))
        load[row : row + len(values)] = values
    frame = pd.DataFrame({"load": load}, local.tz_convert("UTC"))
    return Series("board", frame, "load", "kW", timezone="Europe/Paris")


def test_a_regular_night_is_no_finding():
    assert board().check().empty


def test_an_outage_at_noon_is_found_beside_regular_nights():
    found = board(stop=("2021-02-17 11:00", [0.0] * 4)).check()
    assert at(found, "outage", "load") == [("2021-02-17 10", 4)]
    assert (
        "below 10% of the median of its time of day and of all hours that are on (here "
        in found["rule"].iloc[0]
    )
    evening = board(stop=("2021-02-17 20:00", [0.0] * 2)).check()
    assert at(evening, "outage", "load") == [("2021-02-17 19", 2)], "the night after it is as all others"
    over_night = board(stop=("2021-02-17 15:00", [0.2] * 20)).check()
    assert at(over_night, "outage", "load") == [("2021-02-17 14", 20)], (
        "one outage, and the night in its middle"
    )


def test_a_stuck_meter_and_a_mark_are_found_beside_regular_nights():
    stuck = board(stuck=("2021-03-10 08:00", [41.5] * 9)).check()
    assert stuck[["kind", "rows"]].to_numpy().tolist() == [["frozen", 9]]
    night = board(stuck=("2021-03-10 20:00", [41.5] * 36)).check()
    assert at(night, "frozen", "load") == [("2021-03-10 19", 36)], "a night among its hours does not hide it"
    marked = board(mark=("2021-03-10 08:00", [-9999.0] * 2), later=("2021-03-20 12:00", [-9999.0])).check()
    assert marked[["kind", "rows"]].to_numpy().tolist() == [["sentinel", 3]]


def test_a_month_that_stands_still_is_no_habit():
    found = board(stuck=("2021-02-10 00:00", [7.0] * 24 * 40)).check()
    assert ("2021-02-09 23", 960) in at(found, "frozen", "load")


def test_nights_off_now_and_then_are_told_in_one_line(rng):
    """One night in seven or so stands still: too seldom for a habit, and a finding each."""
    index = pd.date_range("2021-01-04", periods=24 * 120, freq="h", tz="Europe/Paris").tz_convert("UTC")
    frame = pd.DataFrame({"load": rng.normal(40, 1, len(index)), "air": rng.normal(10, 1, len(index))}, index)
    for night in range(17):
        frame.iloc[168 * night + 22 : 168 * night + 31, 0] = 35.5
    frame.iloc[1000:1030, 1], frame.iloc[1500, 0] = np.nan, 900.0
    found = Series("b", frame, "load", "kW", timezone="Europe/Paris").check()
    told = found.summary()
    assert told["kind"].tolist() == ["spike", "frozen", "gap"], (
        "what ruins the scale, then what lasts longest"
    )
    assert told[["findings", "rows"]].to_numpy().tolist() == [[1, 1], [17, 153], [1, 30]]
    assert told["begins"].tolist() == ["", "21 to 00 h", ""], "22 h by the local clock, 21 h in UTC in winter"
    assert (told["first"][1], told["last"][1], told["worst"][1]) == (
        "2021-01-04",
        "2021-04-27",
        "9 h at 35.5 kW",
    )
    gaps = found.query("kind == 'gap'")
    assert gaps.summary()["rows"].tolist() == [30], "a part of the findings has a summary too"


def test_many_columns_are_told_in_a_line_a_kind(rng):
    index = pd.date_range("2021-01-01", periods=400, freq="h", tz="UTC")
    frame = pd.DataFrame(rng.normal(10, 1, (400, 24)), index, [f"b{k}" for k in range(24)])
    for k, name in enumerate(frame):
        frame.iloc[20 : 30 + k, k] = np.nan
        frame.loc[index[100 : 111 + k], name] = 5.5
    told = Series("many", frame, "b0").check().summary()
    assert told["kind"].tolist() == ["frozen", "gap"] and (told["findings"] == 24).all()
    assert told["column"].tolist() == ["b23, b22 and 22 more"] * 2
    assert told["worst"].tolist() == ["34 h at 5.5", "33 h missing"]


def test_nothing_wrong_is_an_empty_summary(sound):
    told = sound.check().summary()
    assert told.empty and list(told)[:4] == ["kind", "column", "findings", "rows"]

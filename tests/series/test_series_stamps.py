"""Stamps as other programs write them: read at the instants meant, or refused with the argument that helps."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from lstm_lib.series import SeriesError, load_series
from lstm_lib.series.clock import changes, on_clock
from lstm_lib.series.columns import two_columns
from tests.series.series_files import attempt

FILES = Path(__file__).resolve().parents[1] / "files"
NAN = np.nan
ZURICH = {"timezone": "Europe/Zurich", "stamped": "end", "unit": "kW"}
RTE = {"separator": "\t", "time": ["Date", "Heures"], "target": "Consommation", "columns": ["Consommation"]}
HOUSE = {"separator": ";", "time": ["Date", "Time"], "stamp_format": "%d/%m/%Y %H:%M:%S"}

# file: (how it is loaded, its first and last stamp, its values)
READ = {
    "01_end_stamps_autumn.csv": (ZURICH, "2013-10-26 22:00", "2013-10-27 03:45", range(24)),
    "01_end_instants_autumn.csv": (ZURICH, "2013-10-26 22:00", "2013-10-27 03:45", range(24)),
    "01_end_stamps_spring.csv": (ZURICH, "2013-03-30 23:00", "2013-03-31 03:45", range(20)),
    "04_date_and_hour.csv": ({**RTE, "timezone": "Europe/Paris"}, "2021-12-31 23:00", "2022-01-01 00:45",
                             [50000, NAN, 50020, NAN, 50040, NAN, 50060, NAN]),
    "06_intervals_local.csv": ({"time": "MTU (CET/CEST)", "timezone": "Europe/Brussels"}, "2013-10-26 22:00",
                               "2013-10-27 03:00", range(9000, 9006)),
    "07_epoch.csv": ({}, "2012-01-01 00:10", "2012-01-01 00:45", np.arange(8) + 50.5),
    "07_epoch_ms.csv": ({}, "2012-01-01 00:10", "2012-01-01 00:45", np.arange(8) + 50.5),
    "07_serial_days.csv": ({"stamp_format": "excel"}, "2016-01-01 00:00", "2016-01-01 02:00", [1, 2, 3]),
    "19_hour_twice.csv": ({"timezone": "Europe/Berlin"}, "2018-10-27 22:00", "2018-10-28 03:00", range(6)),
    "19_half_hours_twice.csv": ({"timezone": "Europe/Berlin"}, "2018-10-27 23:00", "2018-10-28 02:30", range(8)),
    "20_midnight_24.csv": ({"stamped": "end"}, "2016-07-15 21:00", "2016-07-16 01:00", range(22, 27)),
    "20_midnight_24_dots.csv": ({"stamped": "end", "stamp_format": "%d.%m.%Y %H:%M"}, "2016-07-15 21:00",
                                "2016-07-16 01:00", range(22, 27)),
    "20_midnight_bare.csv": ({"stamp_format": "%d/%m/%Y %H:%M"}, "2016-01-01 22:00", "2016-01-02 01:00", [1, 2, 3, 4]),
    "20_rounded_down.csv": ({}, "2016-01-01 22:00", "2016-01-02 01:00", [1, 2, 3, 4]),
    "23_daily.csv": ({"timezone": "Europe/Paris"}, "2022-03-19 23:00", "2022-04-03 22:00", range(16)),
    "23_daily_offsets.csv": ({"timezone": "Europe/Paris"}, "2022-03-19 23:00", "2022-04-03 22:00", range(16)),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_stamp_with_one_meaning_is_read(name):
    options, first, last, values = READ[name]
    series = load_series(FILES / name, **options)
    assert [f"{series.index[k]:%Y-%m-%d %H:%M}" for k in (0, -1)] == [first, last] and not series.inserted
    np.testing.assert_array_equal(series.frame[series.target], list(values))


def write(path, stamps, header="time"):
    rows = [f"{stamp},{k}" for k, stamp in enumerate(stamps)]
    path.write_text("\n".join([f"{header},load", *rows]) + "\n")
    return path


# forms as other programs write them, with one meaning in the middle of January
PROGRAMS = [
    "%Y-%m-%d %H:%M:%S UTC", "%Y%m%d:%H%M", "%d-%b-%Y %H:%M", "%d %B %Y %H:%M", "%b %d, %Y %H:%M", "%b %d %Y %I:%M %p",
    "%m/%d/%y %I:%M %p", "%d/%m/%Y %Hh%M", "%d.%m.%Y %H.%M", "%d.%m.%Y %H:%M Uhr", "%d/%m/%Y, %H:%M:%S",
    "%Y-%m-%d_%H:%M", "%Y-%m-%d-%H:%M", "%Y/%m/%d %H:%M Z", "%Y-%-m-%-d %-H:%M", "%d.%m.%Y %H:%M +00:00",
    "%d. %m. %Y %H:%M", "%d/%b/%Y:%H:%M:%S +0000", "%Y-%m-%d %I:%M:%S %p", "%d/%m/%Y %I:%M%p", "%Y-%m-%dT%H:%M:%S,000",
]  # fmt: skip


@pytest.mark.parametrize("form", PROGRAMS)
def test_a_form_that_a_stamp_tells_by_its_parts_is_read_with_a_note(tmp_path, form):
    hours = pd.date_range("2020-01-13 20:00", periods=8, freq="h", tz="UTC")
    path = write(tmp_path / "f.csv", [f'"{stamp}"' for stamp in hours.strftime(form)])
    series = load_series(path)
    assert (series.index == hours).all() and series.frame["load"].tolist() == [*range(8)]
    assert "stamps were read as stamp_format=" in " ".join(series.notes)


def test_a_day_of_one_digit_behind_the_time_is_no_cut_one(tmp_path):
    path = write(tmp_path / "f.csv", [f"{h}:00 1.1.2020" for h in range(4)])
    assert load_series(path, stamp_format="%H:%M %d.%m.%Y").frame["load"].tolist() == [0, 1, 2, 3]


def test_a_date_that_is_the_same_both_ways_has_one_meaning(tmp_path):
    series = load_series(write(tmp_path / "f.csv", [f"02/02/2020 {h:02}:00" for h in range(4)]))
    assert series.index[0] == pd.Timestamp("2020-02-02", tz="UTC") and series.step == pd.Timedelta("1h")


# columns of the parts of a stamp: (header, what row k says, options, what a refusal without `time` names)
APART = {
    "hours": ("Date,Hour", lambda k: f"2020-01-{13 + k // 24},{k % 24}", {}, r"time=\['Date', 'Hour'\]"),
    "hours from 1": ("date,HE", lambda k: f"{13 + k // 24}.01.2020,{k % 24 + 1}", {"stamped": "end"},
                     r"time=\['date', 'HE'\]"),
    "dates in digits": ("YYYYMMDD,HH", lambda k: f"202001{13 + k // 24},{k % 24 + 1}", {"stamped": "end"}, "time="),
    "four": ("YEAR,MO,DY,HR", lambda k: f"2020,1,{13 + k // 24},{k % 24}", {}, r"time=\['YEAR', 'MO', 'DY', 'HR'\]"),
    "American": ("month,day,year,hour", lambda k: f"1,{13 + k // 24},2020,{k % 24}", {"stamp_format": "%m %d %Y %H"},
                 r"time=\['year', 'month', 'day', 'hour'\]"),
}  # fmt: skip


@pytest.mark.parametrize("kind", APART)
def test_the_parts_of_a_stamp_in_columns_of_their_own(tmp_path, kind):
    header, says, options, named = APART[kind]
    path = write(tmp_path / "f.csv", map(says, range(48)), header)
    with pytest.raises(SeriesError, match=named):
        load_series(path, target="load")
    series = load_series(path, time=header.split(","), **options)
    assert series.index[0] == pd.Timestamp("2020-01-13", tz="UTC") and series.step == pd.Timedelta("1h")
    assert series.frame["load"].tolist() == [*range(48)]


HOURS = [f"2016-01-01 {hour:02}:00" for hour in range(5)]
# stamps: (how they are loaded, what the refusal says)
REFUSED = {
    "two meanings": (["01/02/2016 00:00", "01/02/2016 01:00"], {}, r"'%d/%m/%Y %H:%M' .*or stamp_format='%m/%d/%Y"),
    "years of two digits": (["13.01.20 00:00", "13.01.20 01:00"], {}, r"'%d.%m.%y %H:%M' .*or .*'%y.%m.%d %H:%M'"),
    "days or months, apart": (["1 2 2020 3", "1 2 2020 4"], {}, r"'%d %m %Y %H' .*or stamp_format='%m %d %Y %H'"),
    "dates of ten digits": (["2001132200", "2001132300", "2001140000", "2001140100"], {},
                            r"2020-01-13 22:00 or .*stamp_format='%y%m%d%H%M', '%d%m%y%H%M' or 'unix'"),
    "minutes cut": (["13.01.2020 20.30", "13.01.2020 21.0"], {}, "is not a stamp"),
    "minutes cut, told": (["13.01.2020 20.30", "13.01.2020 21.0"], {"stamp_format": "%d.%m.%Y %H.%M"}, "line 3"),
    "half hours as decimals": (["13.01.2020 0.00", "13.01.2020 0.50", "13.01.2020 1.00"], {}, "is not a stamp"),
    "hours and minutes of three digits": (["2020-01-13 900", "2020-01-13 1000"], {}, "is not a stamp"),
    "a day and a month alone": (["1/02 00:00", "2/02 00:00"], {}, "is not a stamp"),
    "a date with its hour": (["2012010100", "2012010101"], {}, r"'%Y%m%d%H' or 'unix'"),
    "day numbers": (["42370.00", "42370.04"], {}, r"spreadsheet it is 2016-01-01.*stamp_format='excel'"),
    "a running number": (["0", "1", "2"], {}, r"'0' is not a stamp.*stamp_format='excel'.*'unix'"),
    "no directive": (HOURS, {"stamp_format": "dd/mm/yyyy"}, r"no directive, which begins with %"),
    "seconds by a directive": (HOURS, {"stamp_format": "%s"}, r"stamp_format='%s'.*no directive '%s'.*'unix'"),
    "no such directive": (HOURS, {"stamp_format": "%d %Q"}, r"no directive '%Q'"),
    "a directive twice": (HOURS, {"stamp_format": "%d.%m.%Y %H:%M - %d.%m.%Y %H:%M"}, r"'%d' more than once"),
    "no year": (HOURS, {"stamp_format": "%H:%M"}, r"has no year.*time="),
    "no half of the day": (HOURS, {"stamp_format": "%Y-%m-%d %I:%M"}, r"need %p"),
    "signs lost": (["2020-01-01 00:0000", "2020-01-01 02:00", "2020-01-01 03:00"], {}, "'2020-01-01 00:0000' is not"),
    "a name of summer in winter": ([f"2020-01-01 0{h}:00 CEST" for h in range(3)], {}, "no clock of CET shows then"),
    "names of two clocks": (["2020-07-01 00:00 CEST", "2020-07-01 01:00 WEST"], {}, "line 3.*no clock of CET shows"),
    "a name of winter in summer": ([f"2020-07-01 0{h}:00 CET" for h in range(3)],
                                   {"stamp_format": "%Y-%m-%d %H:%M %Z"},
                                   r"UTC\+0200 then.*stamp_format='%Y-%m-%d %H:%M CET'.*stamps_in='Etc/GMT-1'"),
    "no name of a zone": (HOURS, {"timezone": 1}, r"no time zone 1\. Valid: 'UTC'"),
    "a comma that may group": (["43,831", "43,832"], {"stamp_format": "excel"}, r"'43' is|line 2 has|'43,831'"),
    "a sign alone": (HOURS, {"stamp_format": "%Y-%m-%d %"}, r"stamp_format='%Y-%m-%d %'"),
    "24:00 at the start": (["2016-01-01 23:00", "2016-01-01 24:00"], {}, r"not a stamp.*stamped='end'"),
    "year 9999": (["9999-12-31 22:00", "9999-12-31 23:00"], {"timezone": "America/New_York"}, r"is not a stamp"),
    "year 0": (["0000-01-01 00:00", "0000-01-01 01:00"], {}, r"is not a stamp"),
    "year 1": (["0001-01-01T00:00+05:00", "0001-01-01T01:00+05:00"], {}, r"is not a stamp"),
    "a minute short": (["2016-01-01 00:00:00", "2016-01-01 00:59:59", "2016-01-01 02:00:00", "2016-01-01 03:00:01"], {},
                       r"up to 1 s off a grid of 0 days 01:00:00; give rounded='10s'"),
    "a period too long": (["2016-01-01 00:00 - 2016-01-01 02:00", "2016-01-01 01:00 - 2016-01-01 03:00"], {},
                          r"periods of 0 days 02:00:00.*one begins every 0 days 01:00:00"),
    "a period and its end": ([f"{a} - {b}" for a, b in pairwise(HOURS)], {"stamped": "end"},
                             r"the begin is taken; leave out stamped='end'"),
    "a period or an offset": (["2016-01-01 00:00-01:00", "2016-01-01 01:00-02:00", "2016-01-01 02:00-03:00"], {},
                              r"an offset, or a period"),
    "days at no midnight": (["2022-03-26T00:00+01:00", "2022-03-27T00:00+01:00", "2022-03-28T00:00+02:00",
                             "2022-03-29T00:00+02:00"], {}, r"where clocks change.*timezone='Europe/Paris'"),
    "one minute digit": (["01.01.2016 10:00", "01.01.2016 11:0"], {"stamp_format": "%d.%m.%Y %H:%M"},
                         r"'01.01.2016 11:0'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_stamp_without_one_meaning_is_refused_with_the_argument_that_decides(tmp_path, name):
    stamps, options, message = REFUSED[name]
    with pytest.raises(SeriesError, match=message):
        load_series(write(tmp_path / "odd.csv", stamps), **options)


def test_an_hour_twice_without_a_zone_is_offered_one():
    for name in ("19_hour_twice.csv", "19_half_hours_twice.csv", "19_interleaved.csv"):
        with pytest.raises(
            SeriesError, match=r"2018-10-28, when clocks in Europe.*timezone='Europe/Berlin'"
        ) as refusal:
            load_series(FILES / name)
        assert "repeated=" not in str(refusal.value) and "sort" not in str(refusal.value)
    with pytest.raises(SeriesError, match=r"stands twice in a row, and which is the first can't be known"):
        load_series(FILES / "19_interleaved.csv", timezone="Europe/Berlin")


def test_a_date_beside_a_column_of_clock_times():
    options = {**RTE, "time": "Date", "timezone": "Europe/Paris"}
    with pytest.raises(SeriesError, match=r"another column: give time=\['Date', 'Heures'\]"):
        load_series(FILES / "04_date_and_hour.csv", **options)
    with pytest.raises(SeriesError, match=r"give both: time=\['Date', 'Time'\]"):
        load_series(FILES / "05_household.txt", separator=";", target="Voltage")
    house = {"columns": ["Voltage"], "separator": ";"}
    for time, form, half in (
        ("Date", "%d/%m/%Y %H:%M:%S", "the time of day"),
        ("Date", None, "the time of day"),
        ("Time", None, "the date"),
    ):
        with pytest.raises(
            SeriesError, match=rf"{half} stands in another.*give time=\['Date', 'Time'\]"
        ) as said:
            load_series(FILES / "05_household.txt", **house, time=time, stamp_format=form)
        assert "repeated=" not in str(said.value)
    assert (
        len(load_series(FILES / "05_household.txt", **house, time=["Date", "Time"], missing="?").frame) == 4
    )


@pytest.mark.parametrize("date", ["2020-01-01", "01.01.2020", "1/1/20", "20200101", "1 Jan 2020"])
@pytest.mark.parametrize(
    "clock", ["{:02}:00", "{}:00", "{:02}:00:00", "{:02}:00:00.000", "{:02}h00", "{}:00 PM"]
)
def test_half_of_a_stamp_is_told_from_a_whole_one(date, clock):
    halves = {"day": date, "hour": clock.format(1), "load": "20.5", "both": f"{date} {clock.format(1)}"}
    assert "give time=['day', 'hour']" in two_columns(halves, "day", ["load", "both", "hour"])
    assert "give time=['day', 'hour']" in two_columns(halves, "hour", ["load", "both", "day"])
    assert not two_columns(halves, "both", ["day", "hour"]) and not two_columns(
        halves, "day", ["load", "both"]
    )


@pytest.mark.parametrize(
    "zone", ["Asia/Kolkata", "Australia/Adelaide", "Europe/Paris", "America/Los_Angeles"]
)
def test_periods_begin_at_local_midnight(zone):
    series = load_series(FILES / "54_hours.csv", timezone=zone, unit="kWh")
    days, pairs = series.resample("1D"), series.resample("2h")
    assert days.frame["load"].tolist() == [123] * 7 and {f"{t:%H:%M}" for t in days.local} == {"00:00"}
    assert pairs.frame["load"].tolist() == ([2] * 11 + [101]) * 7


def test_a_local_day_has_as_many_hours_as_the_clock_gives_it():
    series = load_series(FILES / "23_hourly.csv", timezone="Europe/Paris", unit="kWh")
    days = series.resample("1D")
    assert days.frame["conso"].tolist() == [24] * 7 + [23] + [24] * 8
    assert days.step == pd.Timedelta("1D") and f"{days.local[7]:%Y-%m-%d %H:%M}" == "2022-03-27 00:00"
    weeks = days.resample("7D").frame["conso"].to_numpy()
    np.testing.assert_array_equal(weeks, [NAN, 7 * 24 - 1, NAN][: len(weeks)] if len(weeks) == 3 else weeks)
    assert series.resample("1D", clock="UTC").frame["conso"].dropna().eq(24).all()


# ------------------------------------------------------------------------- one file in all the spellings there are

ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Adelaide",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
]
FORMS = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M",
         "%d-%b-%Y %H:%M", "%d.%m.%y %H:%M", "%Y%m%d:%H%M", "%d/%m/%Y %Hh%M", "%y%m%d%H%M", "%Y-%m-%d %I:%M %p",
         "%d %B %Y, %H.%M", "%Y/%m/%d %H:%M", "%d-%m-%Y %H:%M",
         "%m/%d/%Y %I:%M %p", "%Y%m%d%H%M", "%Y%m%d %H%M"]  # fmt: skip
_USUAL = settings.default.max_examples
MANY = settings(max_examples=300 if _USUAL <= 100 else 5 * _USUAL)  # 10,000 under `make soak`


def spell(instants, zone, step, how, form):
    """Starts of periods as another program would write them, in one or two columns; and what has to be said of them."""
    clock, hour = instants.tz_convert(zone).tz_localize(None), pd.Timedelta(step)
    text, said = lambda stamps: stamps.strftime(form), {}
    if how == "unix":
        return [[str(int(t.timestamp()) * 1000)] for t in instants], {}
    if how == "excel":
        return [[f"{(t - pd.Timestamp('1899-12-30')) / pd.Timedelta('1D'):.9f}"] for t in clock], {
            "stamp_format": "excel"
        }
    if how == "offset":
        return [[t.isoformat()] for t in instants.tz_convert(zone)], {}
    if how == "period":
        return [[f"{a} - {b}"] for a, b in zip(text(clock), text(clock + hour), strict=True)], {}
    if how == "period of instants":
        ends = (instants + hour).tz_convert(zone).tz_localize(None)
        return [[f"{a} - {b}"] for a, b in zip(text(clock), text(ends), strict=True)], {}
    stamps = clock
    if how.startswith("end"):
        said = {"stamped": "end"}
        stamps = (instants + hour).tz_convert(zone).tz_localize(None) if "instants" in how else clock + hour
    words = list(text(stamps))
    if how.endswith("24") and "%H" in form:
        late = (stamps - pd.Timedelta("1D")).strftime(form.replace("%H", "24"))
        words = [b if t == t.normalize() else a for a, b, t in zip(words, late, stamps, strict=True)]
    if how == "two columns":
        return [word.replace("T", " ", 1).split(" ", 1) for word in words], said
    if how == "bare":
        words = [w[: len(t.strftime(form.split("%H")[0].rstrip(" T")))] if "%H" in form and t == t.normalize() else w
                 for w, t in zip(words, stamps, strict=True)]  # fmt: skip
    return [[word] for word in words], said


WAYS = ["start", "end", "end instants", "end 24", "end instants 24", "two columns", "period", "period of instants",
        "offset", "unix", "excel", "bare"]  # fmt: skip


def test_few_rows_with_an_hour_that_the_clock_shows_twice_have_their_step(tmp_path):
    rows = ["2019-04-07T02:30:00+10:30", "2019-04-07T02:30:00+09:30", "2019-04-07T03:30:00+09:30"]
    path = tmp_path / "few.csv"
    path.write_text("\n".join(["date,load", *(f"{row},{k}" for k, row in enumerate(rows))]) + "\n")
    series = load_series(path, time="date", timezone="Australia/Adelaide")
    assert series.index[0] == pd.Timestamp("2019-04-06 16:00", tz="UTC") and series.step == pd.Timedelta("1h")
    assert series.frame["load"].tolist() == [0, 1, 2]


ADELAIDE = {"timezone": "Australia/Adelaide", "stamped": "end"}
SPRING = ["2019-10-07 01:00", "2019-10-08 00:00", "2019-10-09 00:00"]  # ends 24 h after the days began
AUTUMN = ["2019-04-07 23:00", "2019-04-09 00:00"]
OFFSET = ["2019-10-06T00:00+09:30", "2019-10-07T00:00+10:30"]
PARIS = ["2022-03-26 23:00", "2022-03-27 22:00", "2022-03-28 22:00"]  # midnights of Paris in UTC
# ends of periods, few enough not to tell how long one is: (stamps, options, what is named, the one that helps)
UNTOLD = {
    "a day of 23 h": (SPRING, ADELAIDE, "1D or 23h, .*step='1D', or step='23h'", {"step": "1D"}, "2019-10-06", "1D"),
    "with its offset": ([f"{t}+10:30" for t in SPRING], ADELAIDE, "step='1D', or", {"step": "1D"}, "2019-10-06", "1D"),
    "a day of 25 h": (AUTUMN, ADELAIDE, "1D or 25h, .*step='1D'", {"step": "1D"}, "2019-04-07", "1D"),
    "two rows": (OFFSET, {"stamped": "end"}, "step='1D' and the place .*timezone=.* or step='23h'",
                 ADELAIDE | {"step": "1D"}, "2019-10-05", "1D"),
    "two rows 23 h apart": (OFFSET, {"stamped": "end"}, "or step='23h'", {"step": "23h"}, "2019-10-04 15:30", "23h"),
    "an hour left out": ([f"2019-10-27 0{h}:00" for h in (1, 2, 3)],
                         {"timezone": "Europe/Paris", "stamped": "end", "clock_change": "missing"},
                         "1h or 3h, .*step='1h'", {"step": "1h"}, "2019-10-27 00:00", "1h"),
    "clocks half an hour back": ([f"2019-04-07 0{t}" for t in ("2:00", "2:30", "3:30")],
                                 {"timezone": "Australia/Lord_Howe", "stamped": "end"},
                                 "1h or 30min, .*step='1h'", {"step": "30min"}, "2019-04-07 01:30", "30min"),
    "clocks half an hour on": ([f"2019-10-06 {t}:30" for t in ("00", "01", "02")],
                               {"timezone": "Australia/Lord_Howe", "stamped": "end"},
                               "1h or 30min, .*step='1h'", {"step": "30min"}, "2019-10-06 00:00", "30min"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNTOLD)
def test_ends_that_dont_tell_how_long_a_period_is_are_refused_until_it_is_said(tmp_path, name):
    stamps, options, message, remedy, first, step = UNTOLD[name]
    path = write(tmp_path / "few.csv", stamps)
    with pytest.raises(SeriesError, match=f"line 2, .*so few rows don't tell whether one lasts .*{message}"):
        load_series(path, **options)
    series = load_series(path, **options | remedy)
    assert series.local[0].tz_localize(None) == pd.Timestamp(first) and series.step == pd.Timedelta(step)
    assert not series.inserted or name in ("an hour left out", *(n for n in UNTOLD if n.startswith("clocks")))


def test_stamps_that_are_repeated_throughout_dont_show_an_hour_twice(tmp_path):
    hours = pd.date_range("2014-04-06 02:30", periods=5, freq="1h")
    path = write(tmp_path / "twice.csv", np.repeat(hours, 2))
    for stamped in ("start", "end"):
        with pytest.raises(SeriesError, match="2014-04-06 02:30:00' occurs twice"):
            load_series(path, timezone="Australia/Adelaide", stamped=stamped, repeated="last")


def test_ends_of_local_days_are_read_however_they_are_written(tmp_path):
    days = pd.date_range("2019-10-04", periods=6, tz="Australia/Adelaide")
    ends = {"later by 24 h": days + pd.Timedelta("24h"), "at midnight": days + pd.DateOffset(days=1)}
    for stamps in ends.values():
        for written in (stamps.tz_localize(None), stamps):
            assert (load_series(write(tmp_path / "days.csv", written), **ADELAIDE).local == days).all()
    paris = {"timezone": "Europe/Paris", "stamps_in": "UTC", "stamped": "end"}
    series = load_series(write(tmp_path / "days.csv", PARIS), **paris)
    assert [f"{t:%d %H:%M}" for t in series.local] == ["26 00:00", "27 00:00", "28 00:00"]


@pytest.mark.parametrize("zone", ["Europe/Paris", "Europe/Lisbon", "Europe/Helsinki"])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M:%S"])
def test_the_names_of_winter_and_of_summer_tell_the_hours_of_a_change_apart(
    tmp_path: Path, zone: str, form: str
) -> None:
    for begin, names in (("2021-10-30 12:00", 2), ("2021-03-27 12:00", 2), ("2021-07-30", 1)):
        hours = pd.date_range(begin, periods=40, freq="h", tz="UTC")
        spelt = [hour.strftime(f"{form} %Z") for hour in hours.tz_convert(zone)]
        assert len({word[-4:] for word in spelt}) >= names
        path = write(tmp_path / "a.csv", spelt)
        for told in ({}, {"stamp_format": f"{form} %Z"}):
            series = load_series(path, timezone=zone, **told)
            assert series.index.equals(hours.rename(series.index.name)), told
            assert any(note.startswith("stamps name their clock: ") for note in series.notes)
    if zone == "Europe/Paris":
        german = [word.replace("CET", "MEZ").replace("CEST", "MESZ") for word in spelt]
        assert load_series(write(tmp_path / "b.csv", german)).index.equals(series.index)


def test_other_ways_to_write_a_number_and_a_zone(tmp_path):
    hours = pd.date_range("2020-07-01", periods=4, freq="h", tz="UTC")
    days = [f"{44013 + k / 24:.9f}".replace(".", ",") for k in range(4)]
    (tmp_path / "comma.csv").write_text("\n".join(["time;load", *(f"{d};{k}" for k, d in enumerate(days))]))
    series = load_series(tmp_path / "comma.csv", separator=";", decimal=",", stamp_format="excel")
    assert (series.index == hours).all()
    named = write(tmp_path / "named.csv", [f"{t:%Y-%m-%d %H:%M} CET" for t in hours])
    series = load_series(named, stamp_format="%Y-%m-%d %H:%M CET", stamps_in="Etc/GMT-1")
    assert (series.index == hours - pd.Timedelta("1h")).all()
    for zone, by in (("UTC", 0), ("EST", 5)):
        named = write(tmp_path / "named.csv", [f"{t:%Y-%m-%d %H:%M} {zone}" for t in hours])
        series = load_series(named, stamp_format="%Y-%m-%d %H:%M %Z")
        assert (series.index == hours + pd.Timedelta(hours=by)).all()


@pytest.mark.parametrize(
    "stamp", ["2020-03-02 01:00", "2020-03-02T01:00+01:00", "2020-03-02", "2019-10-27 02:30"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_one_stamp_alone_is_no_series(tmp_path, stamp, times):
    path = write(tmp_path / "one.csv", [stamp] * times)
    for stamped in ("start", "end"):
        with pytest.raises(SeriesError, match=r"only 1 row|occurs twice"):
            load_series(path, stamped=stamped, repeated="first", timezone="Europe/Paris")


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("step", ["15min", "1h", "1D", "7D"])
def test_a_stamp_at_the_end_that_stands_several_times_is_put_to_its_start(tmp_path, times, step):
    ends = pd.date_range("2020-03-02", periods=3, freq=step)
    path = write(tmp_path / "twice.csv", np.repeat(ends, times))
    series = load_series(path, stamped="end", repeated="first")
    assert (series.index.tz_localize(None) == ends - pd.Timedelta(step)).all()
    assert series.frame["load"].tolist() == [0, times, 2 * times]


@MANY
@given(
    zone=st.sampled_from(ZONES), how=st.sampled_from(WAYS), form=st.sampled_from(FORMS), told=st.booleans(),
    step=st.sampled_from(["15min", "30min", "1h", "1D"]), change=st.integers(0, 3), before=st.integers(0, 40),
    rows=st.integers(3, 80), dropped=st.sets(st.integers(0, 79), max_size=3), minute=st.booleans(),
)  # fmt: skip
def test_every_spelling_of_a_file_is_its_source_or_refused(
    tmp_path_factory, zone, how, form, told, step, change, before, rows, dropped, minute
):
    both = changes(pd.Timestamp("2019-01-01", tz="UTC"), pd.Timestamp("2021-01-01", tz="UTC"), zone)
    at = both[change % len(both)][0] if both else pd.Timestamp("2020-02-29", tz="UTC")
    if step == "1D":
        first = at.tz_convert(zone).tz_localize(None).normalize() - before * pd.Timedelta("1D")
        instants = on_clock(pd.date_range(first, periods=rows, freq=step), zone)
    else:
        instants = pd.date_range(at.floor("1h") - before * pd.Timedelta(step), periods=rows, freq=step)
    kept = [k for k in range(rows) if k not in dropped or k == 0]
    if how.startswith("end") and (len(kept) < 3 or pd.Series(np.diff(kept)).mode().min() != 1):
        return  # a file of longer periods would say the same: what is refused of these stands in UNTOLD
    stamps, said = spell(instants[kept], zone, step, how, form)
    if (
        how == "period"
        and step == "1D"
        and any(on_clock(instants.tz_convert(zone).tz_localize(None), zone) != instants)
    ):
        return
    names = ["date", "clock"][: len(stamps[0])]
    said |= {"time": names if len(names) > 1 else "date", "timezone": zone}
    if told and how not in ("unix", "excel", "offset"):
        said["stamp_format"] = form.replace("T", " ", 1) if how == "two columns" else form
    lines = [
        ",".join([*names, "load"]),
        *(",".join([*stamp, str(k)]) for stamp, k in zip(stamps, kept, strict=True)),
    ]
    path = tmp_path_factory.getbasetemp() / "spelt.csv"
    path.write_text("\n".join(lines) + "\n")
    series, refusal = attempt(path, **said)
    if series is None:
        assert refusal.startswith("spelt.csv")
        event("refused")
        return
    event("read")
    found = series.frame["load"].dropna()
    np.testing.assert_array_equal(found.index.as_unit("us").asi8, instants[kept].as_unit("us").asi8)
    np.testing.assert_array_equal(found, kept)


# ------------------------------------------------------------------------------------------- what is promised works


@MANY
@given(
    place=st.sampled_from(["Europe/Berlin", "Europe/London", "America/New_York", "Asia/Kolkata"]),
    step=st.sampled_from([10, 15, 30, 60]), before=st.integers(0, 20), rows=st.integers(4, 60),
    order=st.sampled_from(["as it was", "in pairs", "without a row", "a row again"]), at=st.integers(0, 59),
    stamped=st.sampled_from(["start", "end"]),
)  # fmt: skip
def test_a_zone_is_offered_only_if_the_file_can_be_read_in_it(
    tmp_path_factory, place, step, before, rows, order, at, stamped
):
    first = pd.Timestamp("2018-10-28 01:00", tz="UTC") - before * pd.Timedelta(f"{step}min")
    clock = list(pd.date_range(first, periods=rows, freq=f"{step}min").tz_convert(place).tz_localize(None))
    if order == "in pairs":
        clock.sort()
    elif order == "without a row":
        del clock[at % rows]
    elif order == "a row again":
        clock.insert(at % rows, clock[at % rows])
    path = write(tmp_path_factory.getbasetemp() / "twice.csv", clock)
    _, refusal = attempt(path, stamped=stamped)
    offered = re.findall("timezone=('[^']+'(?: or '[^']+')*)(?:, or another| with)", refusal)
    event(f"{order}: {len(offered)} offered")
    for zone in re.findall("'([^']+)'", "".join(offered)):
        change = "missing" if "clock_change='missing'" in refusal else "refuse"
        told = {"stamped": stamped, "timezone": zone, "clock_change": change}
        series, said = attempt(path, **told)
        if "don't tell whether one lasts" in said:
            series, said = attempt(path, **told, step=f"{step}min")
        assert series is not None, f"{refusal} But then: {said}"
        found = series.frame["load"].dropna().to_numpy()
        assert (len(found) == len(clock) or change == "missing") and (np.diff(found) > 0).all()

"""Text files as other programs write them: what stands around a table, in its fields, in columns that are no values."""

import ast
import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, reject, settings
from hypothesis import strategies as st

from lstm_lib.series import SeriesError, load_series, windows
from tests.series.series_files import attempt

FILES = Path(__file__).parents[1] / "files"
NAN = np.nan
HOURS = [f"2020-01-{1 + k // 24:02} {k % 24:02}:00" for k in range(200)]
PARIS = {"timezone": "Europe/Paris"}
ECO2MIX = {"separator": "\t", "time": ["Date", "Heures"], "target": "Consommation", "missing": ["ND"], **PARIS,
           "columns": ["Consommation", "Nucléaire"]}  # fmt: skip
BEGIN = {"separator": ";", "decimal": ",", "time": "Début", "stamp_format": "%d/%m/%Y %H:%M:%S", **PARIS}

# name: (file, how it is loaded, first stamp, step in minutes, values of the target, what a note says)
READ = {
    "lines above the header": (
        "02_preamble.csv",
        {"separator": ";", "time": "Horodate", "unit": "W", "stamped": "end", **PARIS},
        "2023-10-28 22:00", 30, [300 + 10 * k for k in range(8)], "2 lines before the header left out; .* line 3",
    ),
    "Latin-1": ("03_latin1.csv", {**BEGIN, "encoding": "latin-1"}, "2023-03-01 23:00", 30, [4.03, 3.95, 0.412],
                "'Fin' left out: it holds stamps"),
    "begin and end": ("03_begin_and_end.csv", BEGIN, "2023-03-01 23:00", 30, [4.03, 3.95, 0.412], "'Fin' left out"),
    "a sentence below": ("04_footer.csv", ECO2MIX, "2021-12-31 23:00", 15,
                         [50000, NAN, 50020, NAN, 50040, NAN, 50060, NAN], "line 10 left out, a text below.*RTE ne"),
    "all at once": ("04_eco2mix.xls", {**ECO2MIX, "encoding": "latin-1"}, "2021-12-31 23:00", 15,
                    [50000, NAN, 50020, NAN, 50040, NAN, 50060, NAN], "missing, as asked: 'ND' 1 times"),
    "a mark": ("05_joined.csv", {"separator": ";", "target": "Global_active_power", "missing": "?"},
               "2006-12-16 23:58", 1, [4.216, NAN, 5.374, 5.388], r"'\?' 2 times"),
    "two marks": ("06_marks.csv", {"missing": ["-", "n/e"]}, "2020-01-01 00:00", 60,
                  [42000, 42001, NAN, NAN, 42004, 42005], "'-' 1 times, 'n/e' 1 times"),
    "no header": ("07_channel_1.dat", {"separator": " ", "names": ["time", "power"]}, "2012-01-01 00:10", 5,
                  [50.5 + k for k in range(8)], "seconds since 1970"),
    "UTF-16": ("08_utf16.csv", {"separator": ";", "target": "Data1", "encoding": "utf-16"}, "2023-09-07 22:10", 5,
               [1.069, 1.07, 1.071, 1.072, 1.073, 1.074], ""),
    "told commas": ("09_us.csv", {"thousands": ","}, "2020-01-01 00:00", 60, [1234, 2345, 987], ""),
    "told to be decimal": ("09_us.csv", {"decimal": ","}, "2020-01-01 00:00", 60, [1.234, 2.345, 987], ""),
    "commas and a point": ("09_us_decimals.csv", {}, "2020-01-01 00:00", 60, [1234.5, 2345.25, 987],
                           "'load': 2 numbers are written another way, such as '1,234.5' for 1234.5"),
    "points and a comma": ("09_german.csv", {"separator": ";", "decimal": ","}, "2020-01-01 00:00", 60,
                           [1234.5, 2345.25, 987], "such as '1.234,5'"),
    "narrow blanks": ("09_french.csv", {"separator": ";", "decimal": ","}, "2020-01-01 00:00", 60,
                      [1234.5, 2345.25, 987], "2 numbers"),
    "apostrophes": ("09_swiss.csv", {"separator": ";"}, "2020-01-01 00:00", 60, [1234.5, 2345, 987], "1'234.5"),
    "a minus of books": ("09_minus.csv", {}, "2020-01-01 00:00", 60, [-1.5, 2, 3], "'−1.5' for -1.5"),
    "a history": ("12_history.csv", {"time": "last_changed", "target": "state", "missing": ["unavailable", "unknown"]},
                  "2025-08-31 00:00", 60, [18894.517578125, 18894.720703125, NAN, 18895.1, NAN, 18895.4],
                  "'entity_id' left out: it is 'sensor.energy' in all rows"),
    "a row a day": ("17_row_per_day.csv", {"timezone": "Europe/London", "unit": "kWh"}, "2021-01-01 00:00", 30,
                    [100 * d + k for d in range(1, 9) for k in range(48)], "48 columns, called like times of day"),
    "a row a day, and clocks skip an hour": (
        "17_row_per_day_spring.csv", {"timezone": "Europe/London", "unit": "kWh"}, "2021-03-25 00:00", 30,
        [100 * d + k for d in range(25, 32) for k in range(48) if d != 28 or k not in (2, 3)],
        r"2 values left out, .*Europe/London: 2021-03-28 01:00 \(2802\), 2021-03-28 01:30 \(2803\)",
    ),
    "a line of units": ("21_units_row.csv", {"skip": 2, "unit": "kW"}, "2016-01-01 00:00", 60, [1, 2],
                        "left out, as asked: line 2"),
}  # fmt: skip

# name: (file, how it is loaded, what the refusal says)
REFUSED = {
    "lines above": ("02_preamble.csv", {"separator": ";"}, r"like a time.* Line 3 looks like the header: .*header=3"),
    "Latin-1": ("03_latin1.csv", BEGIN, r"UTF-8: line 1 holds the byte 0xe9.*'é'.*encoding='cp1252'"),
    "words": ("06_marks.csv", {}, r"line 4, column 'load': '-' .*missing=\['-', 'n/e'\]"),
    "a word not named": ("06_marks.csv", {"missing": "-"}, r"line 5, column 'load': 'n/e'.*missing=\['n/e'\]"),
    "no header": ("07_channel_1.dat", {"separator": " "}, r"like values, not like names.*names=\['time', 'column_1'\]"),
    "UTF-16": ("08_utf16.csv", {"separator": ";"}, r"in UTF-16; give encoding='utf-16'"),
    "either": ("09_us.csv", {}, r"'1,234' .*may be 1234, then give thousands=',', or 1.234, then give decimal=','"),
    "a comma": ("09_german.csv", {"separator": ";"}, r"write decimals with a point, or give decimal=','"),
    "history": ("12_history.csv", {"time": "last_changed", "target": "state"},
                r"line 4, .*'unavailable'.*missing=\['unavailable', 'unknown'\]"),
    "an hour alone": ("17_row_per_day.csv", {"target": "00:00"}, r"one of 48 that are called like times of day"),
    "a page": ("21_page.csv", {}, "is a web page or XML"),
    "units": ("21_units_row.csv", {}, r"line 2, .*no value, but 'kW'; leave it out: skip=2, .*unit='kW'"),
    "a workbook": ("21_workbook.xlsx", {}, "an Excel workbook; save its sheet as CSV"),
    "a zip archive as gz": ("21_zip_named.csv.gz", {}, r"a zip archive; unpack it .*\(x.csv\)"),
    "a zip archive": ("21_zipped.csv.zip", {}, "a zip archive; unpack it"),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_file_of_another_program_is_read_as_it_is_meant(name):
    file, options, first, minutes, values, note = READ[name]
    series = load_series(FILES / file, **options)
    assert series.index[0] == pd.Timestamp(first, tz="UTC") and series.step == pd.Timedelta(minutes=minutes)
    np.testing.assert_array_equal(series.frame[series.target], np.array(values, float))
    assert series.inserted == 0 and re.search(note, "\n".join(series.notes))


def test_units_and_other_columns_of_these_files():
    assert load_series(FILES / "03_begin_and_end.csv", **BEGIN).unit == "kW"
    nuclear = load_series(FILES / "04_footer.csv", **ECO2MIX).frame["Nucléaire"].tolist()
    assert (
        nuclear[:4] == [40000, 40001, 40002, 40003]
        and np.isnan(nuclear[4])
        and nuclear[5:] == [40005, 40006, 40007]
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_plain_is_refused_with_what_helps(name):
    file, options, message = REFUSED[name]
    with pytest.raises(SeriesError, match=message) as refusal:
        load_series(FILES / file, **options)
    assert file in str(refusal.value)


# --------------------------------------------------------------------------------------- files with one trait each


def table(*lines, header="time,load", rows=6, start=0):
    """A header, rows of numbers, and what is put around them."""
    return [header, *(f"{HOURS[k]},{k + 0.5}" for k in range(start, start + rows)), *lines]


LONG = ["id,time,v", *(f"{name},{HOURS[k]},{v + k}" for v, name in ((0, "a"), (100, "b")) for k in range(6))]
MIXED = ["id,time,v", *(f"{name},{HOURS[k]},{v + k}" for k in range(6) for v, name in ((0, "a"), (100, "b")))]
TURNS = [
    "id,time,v",
    *(
        f"{name},{HOURS[2 * k + (name == 'b')]},{v + k}"
        for k in range(6)
        for v, name in ((0, "a"), (100, "b"))
    ),
]
DAYS = ["Date," + ",".join(f"{h:02}:00" for h in range(24)),
        *(f"2020-01-0{d}," + ",".join(str(100 * d + h) for h in range(24)) for d in range(1, 5))]  # fmt: skip

# name: (lines or bytes, options of the first call, what the refusal says, the options that help, the target's values)
REMEDIES = {
    "a title": (["Export of 2020", *table()], {}, "give header=2", {"header": 2}, [k + 0.5 for k in range(6)]),
    "a title as wide": (["Export,", *table()], {}, "header=2", {"header": 2}, [k + 0.5 for k in range(6)]),
    "pairs above": (["Site,Building A", "Unit,kW", "", *table()], {}, "header=4", {"header": 4},
                    [k + 0.5 for k in range(6)]),
    "another separator": ([t.replace(",", ";") for t in table()], {}, "separator=';'", {"separator": ";"},
                          [k + 0.5 for k in range(6)]),
    "a total": (table("Total,18"), {}, "line 8, .*'Total' is not a stamp.*skip=8", {"skip": 8},
                [k + 0.5 for k in range(6)]),
    "a short text": (table("end"), {}, "line 8 has 1 fields.*skip=8", {"skip": 8}, [k + 0.5 for k in range(6)]),
    "a comment": ([*table()[:3], "# a new meter", *table()[3:]], {}, "line 4 has 1 fields.*skip=4", {"skip": 4},
                  [k + 0.5 for k in range(6)]),
    "headers again": ([*table()[:3], "time,load", *table()[3:], "time,load"], {}, r"line 4, .*skip=\[4, 9\]",
                      {"skip": [4, 9]}, [k + 0.5 for k in range(6)]),
    "two lines of units": (["time,load", "UTC,kW", "-,mean", *table()[1:]], {}, r"line 2, .*'UTC'.*skip=\[2, 3\]",
                           {"skip": [2, 3]}, [k + 0.5 for k in range(6)]),
    "no header": (table()[1:], {}, r"names=\['time', 'column_1'\]", {"names": ["time", "load"]},
                  [k + 0.5 for k in range(6)]),
    "no header, a text": (["2020-01-01 00:00,1,ok", "2020-01-01 01:00,2,ok"], {}, r"names=\[\.\.\.\]",
                          {"names": ["time", "load", "note"]}, [1, 2]),
    "columns of one name": (table(header="time,time"), {}, r"names=\['time', 'time.1'\] with header=1",
                            {"header": 1, "names": ["time", "load"]}, [k + 0.5 for k in range(6)]),
    "UTF-16 without a mark": ("\r\n".join(table()).encode("utf-16-be"), {}, "encoding='utf-16-be'",
                              {"encoding": "utf-16-be"}, [k + 0.5 for k in range(6)]),
    "UTF-32": ("\n".join(table()).encode("utf-32"), {}, "encoding='utf-32'", {"encoding": "utf-32"},
               [k + 0.5 for k in range(6)]),
    "an old Macintosh": ("\n".join(table(header="time,\u017d")).encode("cp1250"), {}, "encoding='cp1252'",
                         {"encoding": "cp1252"}, [k + 0.5 for k in range(6)]),
    "no letter of Windows": (b"time,\x81\n" + "\n".join(table()[1:]).encode(), {}, "encoding=..., such as 'latin-1'",
                             {"encoding": "latin-1"}, [k + 0.5 for k in range(6)]),
    "not of the encoding told": ("\n".join(table(header="time,é")).encode(), {"encoding": "ascii"},
                                 r"in ascii: line 1 holds .*'latin-1'", {"encoding": "utf-8"},
                                 [k + 0.5 for k in range(6)]),
    "decimal commas in quotes": (["time,load", f'{HOURS[0]},"0,5"', f'{HOURS[1]},"1,25"'], {}, "decimal=','",
                                 {"decimal": ","}, [0.5, 1.25]),
    "points under commas": ([f"{HOURS[k]};1.234" if k else "time;load" for k in range(3)],
                            {"separator": ";", "decimal": ","}, "1234, then give thousands='.', or 1.234",
                            {"thousands": "."}, [1234, 1234]),
    "lakhs": (["time,load", f'{HOURS[0]},"1,23,456"', f'{HOURS[1]},"12,34,567.5"'], {}, "not a finite number",
              {"thousands": ","}, [123456, 1234567.5]),
    "one number in groups": (["time,load", *(f"{t},{v}" for t, v in zip(HOURS, ["1.5", "1 234", "2"], strict=False))],
                             {}, "'1 234' .*only one written so.*thousands=' '", {"thousands": " "}, [1.5, 1234, 2]),
    "a number for missing": (["time,load", f"{HOURS[0]},1", f"{HOURS[1]},ERR", f"{HOURS[2]},-999.0"], {},
                             r"missing=\['ERR'\]", {"missing": ["ERR", -999]}, [1, NAN, NAN]),
    "a long file": (LONG, {}, r"Column 'id' tells 2 series apart: only=\{'id': 'a'\}", {"only": {"id": "a"}},
                    range(6)),
    "a long file, mixed": (MIXED, {"columns": ["v"]}, r"only=\{'id': 'a'\}", {"only": {"id": "b"}}, range(100, 106)),
    "a long file by number": ([t.replace("a,", "7,").replace("b,", "8,") for t in MIXED], {"target": "v"},
                              r"only=\{'id': '7'\}", {"only": {"id": 7}}, range(6)),
    "a long file of two keys": (
        ["id,what,time,v",
         *(f"{i},{q},{HOURS[k]},{10 * k + len(q)}" for k in range(4) for i in "ab" for q in ("p", "qq"))],
        {}, r"Columns 'id' and 'what' tell 4 series apart: only=\{'id': 'a', 'what': 'p'\}",
        {"only": {"id": "b", "what": "qq"}}, [2, 12, 22, 32]),
    "series that take turns": (TURNS, {"columns": ["v"]}, r"'id' tells 2 series apart.*only=\{'id': 'a'\}",
                               {"only": {"id": "b"}}, range(100, 106)),
    "one series, though it takes turns": (TURNS, {"columns": ["v"]}, r"one series, say so: only=\{\}", {"only": {}},
                                          [v + k for k in range(6) for v in (0, 100)]),
    "meters by their numbers": ([t.replace("a,", "1001,").replace("b,", "1002,") for t in TURNS], {"target": "v"},
                                r"only=\{'id': '1001'\}", {"only": {"id": 1002}}, range(100, 106)),
    "a comma at the end of rows": ([table()[0], *(f"{t}," for t in table()[1:])], {},
                                   r"names=\['time', 'load', ''\], skip=1", {"names": ["time", "load", ""], "skip": 1},
                                   [k + 0.5 for k in range(6)]),
    "a header of a logger": (["TOA5,site,x", "TIMESTAMP,RECORD,load", "TS,RN,kW", ",,Avg",
                              *(f"{HOURS[k]},{k},{k + 0.5}" for k in range(6))], {}, "give header=2",
                             {"header": 2, "skip": [3, 4], "target": "load"}, [k + 0.5 for k in range(6)]),
    "blanks between": (["time  load", *(f"{HOURS[k].replace(' ', 'T')}  {k}" for k in range(3))], {}, "separator=' '",
                       {"separator": " "}, range(3)),
    "an open quote above": (['"Export of 2020', *table()], {}, "line 1 is never closed.*header=2", {"header": 2},
                            [k + 0.5 for k in range(6)]),
    "points in a comma file": (["time,load", *(f'{HOURS[k]},"{v}"' for k, v in enumerate(["1.000.000", "5"]))], {},
                               "decimal=','", {"decimal": ",", "thousands": "."}, [1_000_000, 5]),
    "texts": (["time,load,note", *(f"{HOURS[k]},{k},{'ok' if k else 'new'}" for k in range(4))], {"target": "load"},
              r"line 2, column 'note': 'new' .*only=\{'note': 'new'\}.*columns=\[", {"columns": ["load"]}, range(4)),
    "hours by number": ([DAYS[0].replace(":00", ""), *DAYS[1:]], {"target": "00"},
                        r"24 columns are numbered from '00' to '23'.*names=\['Date', '00:00', '01:00', '02:00',",
                        {"header": 1, "names": DAYS[0].split(","), "target": None},
                        [100 * d + h for d in range(1, 5) for h in range(24)]),
    "comments above": (["# station: 4711", "# unit: kW, local", *table()], {}, "give header=3", {"header": 3},
                       [k + 0.5 for k in range(6)]),
    "tabs above a comma's table": (["Latitude:\t45.0", "Height:\t200", "", *table()], {}, "give header=4",
                                   {"header": 4}, [k + 0.5 for k in range(6)]),
    "above, a comment like a header": (['# {"time": "UTC", "load": "kW"}', *table()], {}, "give header=2",
                                       {"header": 2}, [k + 0.5 for k in range(6)]),
    "a blank name before the others": (["#a,b,b", "#c,,", ",time,load", *(f",{t}" for t in table()[1:])], {},
                                       "'b' more than once.*give header=3", {"header": 3}, [k + 0.5 for k in range(6)]),
    "a comma in the header of another separator": (["time, local;load", *(t.replace(",", ";") for t in table()[1:])],
                                                   {}, "line 2 has 1 fields.*separator=';'",
                                                   {"separator": ";", "time": "time, local"},
                                                   [k + 0.5 for k in range(6)]),
    "rows with names of their own": ([table()[0], *(f"r{k},{t}" for k, t in enumerate(table()[1:]))], {},
                                     r"names=\['', 'time', 'load'\], skip=1",
                                     {"names": ["", "time", "load"], "skip": 1, "columns": ["load"]},
                                     [k + 0.5 for k in range(6)]),
    "a name for the values alone": (["load", *table()[1:]], {}, r"names=\['time', 'load'\], skip=1",
                                    {"names": ["time", "load"], "skip": 1}, [k + 0.5 for k in range(6)]),
    "one more line to leave out": ([*table()[:3], "Part 2", "time,load", *table()[3:]], {"skip": 4},
                                   r"leave it out: skip=\[4, 5\]", {"skip": [4, 5]}, [k + 0.5 for k in range(6)]),
    "a sentence with a comma below": (table("(c) 2020 a firm, and others"), {}, "line 8, .*skip=8", {"skip": 8},
                                      [k + 0.5 for k in range(6)]),
    "a unit behind each number": (["time,load", *(f"{HOURS[k]},{k}.5 kW" for k in range(4))], {},
                                  "'0.5 kW' is not a finite number.*unit='kW'", {"unit": "kW"}, [0.5, 1.5, 2.5, 3.5]),
    "lines between groups": (["time,load", f"{HOURS[0]},1_234", f"{HOURS[1]},2_000.5"], {}, "thousands='_'",
                             {"thousands": "_"}, [1234, 2000.5]),
    "points that may group": (["time;load", *(f"{t};{v}" for t, v in zip(HOURS, ["987", "1.001", "", "1.234"],
                                                                         strict=False))], {"separator": ";"},
                              "'1.001' .*if it is 1001, give decimal=',' and thousands='.'; if .*thousands=','",
                              {"decimal": ",", "thousands": "."}, [987, 1001, NAN, 1234]),
    "points that don't group": (["time,load", f"{HOURS[0]},987", f"{HOURS[1]},1.001", f"{HOURS[2]},1.234"], {},
                                "if it is 1.001, give thousands=','", {"thousands": ","}, [987, 1.001, 1.234]),
    "an error of a spreadsheet": (["time,load", f"{HOURS[0]},1", f"{HOURS[1]},#DIV/0!", f"{HOURS[2]},-nan"], {},
                                  r"missing=\['#DIV/0!', '-nan'\]", {"missing": ["#DIV/0!", "-nan"]}, [1, NAN, NAN]),
    "a remark, and no target told": (["time,load,note", *(f"{HOURS[k]},{k},{'x' * (k == 2)}" for k in range(4))], {},
                                     r"line 4, column 'note': 'x' .*columns=\['load'\]", {"columns": ["load"]},
                                     range(4)),
    "stamps by another name": (["Start,End,load", *(f"{HOURS[k]},{HOURS[k + 1]},{k}" for k in range(4))], {},
                               "time='Start' or 'End'", {"time": "Start"}, range(4)),
    "meters by small numbers": ([t.replace("a,", "1,").replace("b,", "2,") for t in TURNS], {"target": "v"},
                                r"only=\{'id': '1'\}", {"only": {"id": 2}}, range(100, 106)),
    "too many lines": (table(), {"limit": 6}, "more than 6 characters|more than 6 lines.*limit=60", {"limit": 60},
                       [k + 0.5 for k in range(6)]),
}  # fmt: skip


def write(path, content, ending="\n"):
    content = content if isinstance(content, bytes) else (ending.join(content) + ending).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", REMEDIES)
@pytest.mark.parametrize("file", ["t.csv", "t.csv.gz"])
def test_the_argument_that_a_refusal_names_works(tmp_path, name, file):
    content, options, message, remedy, values = REMEDIES[name]
    path = write(tmp_path / file, content)
    with pytest.raises(SeriesError, match=message):
        load_series(path, **options)
    series = load_series(path, **{**options, **remedy})
    np.testing.assert_array_equal(series.frame[series.target], np.array([*values], float))
    assert series.inserted == 0


# name: (lines, options, columns that are loaded, values of the target, what a note says)
UNASKED = {
    "sep=": (["sep=;", *(t.replace(",", ";") for t in table())], {"separator": ";"}, ["load"], None, "line 1 left out"),
    "a sentence": (table("", "Source: the grid operator"), {}, ["load"], None, "line 9 left out, a text below"),
    "two sentences": (table("Source: the grid operator", "All values as they are"), {}, ["load"], None, "line 9"),
    "a sentence in a sheet": (table("Source: the grid operator,"), {}, ["load"], None, "line 8 left out"),
    "numbers of rows": ([f"{k - 1 if k else ''},{t}" for k, t in enumerate(table())], {}, ["load"], None,
                        "'' left out: it counts the rows"),
    "numbers of rows, some dropped": ([f"{k * k if k else 'Unnamed: 0'},{t}" for k, t in enumerate(table())], {},
                                      ["load"], None, "'Unnamed: 0' left out"),
    "numbers of rows twice": ([f"{k or ''},{k or 'Unnamed: 0'},{t}" for k, t in enumerate(table())], {}, ["load"],
                              None, "'Unnamed: 0' left out"),
    "an id": ([f"{t},{k or 'id'}" for k, t in enumerate(table())], {}, ["load"], None, "'id' left out: it counts"),
    "numbers of rows by another name": ([f"{t},{k or 'k'}" for k, t in enumerate(table(rows=30))], {}, ["load"],
                                        [k + 0.5 for k in range(30)], "'k' left out: it counts the rows"),
    "asked for": ([f"{t},{k or 'id'}" for k, t in enumerate(table())], {"columns": ["load", "id"], "target": "load"},
                  ["load", "id"], None, ""),
    "persons": ([f"{t},{k % 3 if k else 'persons'}" for k, t in enumerate(table())], {"target": "load"},
                ["load", "persons"], None, ""),
    "a target that counts": ([f"{HOURS[k - 1]},{k}" if k else "time,id" for k in range(7)], {}, ["id"],
                             range(1, 7), ""),
    "a counter asked for": ([f"{t},{k or 'id'}" for k, t in enumerate(table())], {"target": "id"}, ["load", "id"],
                            range(1, 7), ""),
    "one text": ([f"{t},{'kWh' if k else 'unit'}" for k, t in enumerate(table())], {}, ["load"], None,
                 "'unit' left out: it is 'kWh' in all rows"),
    "a comma at each end": ([f"{t}," for t in table()], {}, ["load"], None,
                            "'' left out: it has no name and no values"),
    "dates beside": ([f"{t},{'01/02/2020' if k else 'until'}" for k, t in enumerate(table())], {}, ["load"], None,
                     "'until' left out"),
    "hours and a total": ([f"{t},{k or 'Total'}" for k, t in enumerate(DAYS)], {"target": "load"}, ["load"],
                          [100 * d + h for d in range(1, 5) for h in range(24)], "'Total' left out: it has one value"),
    "hours with a date's midnight": ([t.replace(",1", " 00:00:00,1", 1) if t.startswith("2020-01-01") else
                                      re.sub("^(2020-01-0.)", r"\1 00:00:00", t) for t in DAYS[:1] + DAYS[2:]], {},
                                     ["value"], [100 * d + h for d in range(2, 5) for h in range(24)], "24 columns"),
    "hours as periods": ([re.sub(r"(\d\d):00", r"\1:00-\1:59", DAYS[0]), *DAYS[1:]], {}, ["value"],
                         [100 * d + h for d in range(1, 5) for h in range(24)], "24 columns"),
    "hours of French days": ([re.sub(r"0(\d)h|(\d\d)h", r"\1\2h", DAYS[0].replace(":", "h")),
                              *(re.sub(r"2020-01-(\d\d)", r"\1/01/2020", t) for t in DAYS[1:])],
                             {"stamp_format": "%d/%m/%Y"}, ["value"],
                             [100 * d + h for d in range(1, 5) for h in range(24)], "24 columns"),
    "hours of an American day": (["Date,12:00 AM,6:00 AM,12:00 PM,6:00 PM", "2020-01-01,1,2,3,4", "2020-01-02,5,6,7,8"],
                                 {}, ["value"], range(1, 9), "4 columns"),
    "hours by their ends": ([DAYS[0].replace("00:00,", "") + ",00:00", *DAYS[1:]], {"stamped": "end"}, ["value"],
                            [100 * d + h for d in range(1, 5) for h in range(24)], "24 columns"),
    "a mark of the order of bytes twice": (["\ufeff\ufefftime,load", *table()[1:]], {}, ["load"], None, ""),
    "letters like those of an archive": ([f"{'x' if k else 'PKW'},{t}" for k, t in enumerate(table())], {},
                                         ["load"], None, "'PKW' left out"),
    "numbers of rows, from the last": ([f"{9 - k if k else ''},{t}" for k, t in enumerate(table())], {}, ["load"], None,
                                       "it counts the rows"),
    "two signs in groups": (["time;load", f"{HOURS[0]};1 234 567", f"{HOURS[1]};−1’000.25"], {"separator": ";"},
                            ["load"], [1234567, -1000.25], "2 numbers"),
    "one in groups among large ones": (["time,load", f"{HOURS[0]},1 234", f"{HOURS[1]},987"], {}, ["load"],
                                       [1234, 987], "1 numbers"),
    "separators at the end of all lines": ([f"{t},,," for t in table()], {}, ["load"], None,
                                           "'Unnamed: 3' left out: it has no name and no values"),
    "a number for missing, told as Python writes it": (
        ["time;load", f"{HOURS[0]};-99,9", f"{HOURS[1]};2,5"], {"separator": ";", "decimal": ",", "missing": -99.9},
        ["load"], [NAN, 2.5], "'-99.9' 1 times"),
    "three digits behind all points": (["time,load", f"{HOURS[0]},100.000", f"{HOURS[1]},1.234"], {}, ["load"],
                                       [100, 1.234], ""),
    "a mark that never comes": (table(), {"missing": "none at all"}, ["load"], None, "'none at all' 0 times"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNASKED)
def test_what_is_read_another_way_is_noted(tmp_path, name):
    lines, options, columns, values, note = UNASKED[name]
    series = load_series(write(tmp_path / "t.csv", lines, "\r\n"), **options)
    assert list(series.frame) == columns
    wanted = [k + 0.5 for k in range(6)] if values is None else [*values]
    np.testing.assert_array_equal(series.frame[series.target], np.array(wanted, float))
    assert re.search(note, "\n".join(series.notes))


def test_nothing_that_counts_rows_gets_into_windows(tmp_path):
    lines = [f"{k - 1 if k else ''},{t}" for k, t in enumerate(table(rows=200))]
    assert windows(load_series(write(tmp_path / "t.csv", lines)), lookback=24).inputs == ("load",)


# name: (lines or bytes, options, what the refusal says): what stays refused
STAYS = {
    "cut in its stamp": (table("2020-01-01 0"), {}, "line 8 has 1 fields"),
    "cut in a text": (["place,time,load", *(f"at the old mill,{HOURS[k]},{k}" for k in range(4)), "at the old"], {},
                      "line 6 has 1 fields"),
    "cut in a text that varies": (["t,time,load", *(f"Jan 0{k} of 2020,{HOURS[k]},{k}" for k in range(1, 5)),
                                   "Jan 05 of 202"], {}, "line 6 has 1 fields"),
    "a sentence among rows": ([*table(), "here begins the year", *table(start=6)[1:]], {}, "line 8 has 1 fields"),
    "a sentence among rows in a sheet": ([*table(), "here begins the year,", *table(start=6)[1:]], {},
                                         "line 8 is a text, .*skip=8"),
    "texts without a name": ([f"{t},{'ab'[k % 2] if k else ''}" for k, t in enumerate(table())], {"target": "load"},
                             "column '': 'b' is not a finite"),
    "infinity throughout": ([f"{t},{'inf' if k else 'air'}" for k, t in enumerate(table())], {"target": "load"},
                            "column 'air': 'inf' is not a finite"),
    "units throughout": ([f"{t},{'1 kW' if k else 'air'}" for k, t in enumerate(table())], {"target": "load"},
                         "column 'air': '1 kW' is not a finite"),
    "one text asked for": ([f"{t},{'kWh' if k else 'unit'}" for k, t in enumerate(table())], {"target": "unit"},
                           "column 'unit': 'kWh' is not a finite"),
    "two groups": (["time,load", f"{HOURS[0]},12 34", f"{HOURS[1]},5"], {}, "'12 34' is not a finite number"),
    "groups with a zero": (["time,load", f"{HOURS[0]},0 123", f"{HOURS[1]},500"], {}, "'0 123' is not a finite"),
    "two signs between": (["time,load", f"{HOURS[0]},1 234'567", f"{HOURS[1]},5"], {}, "is not a finite number"),
    "thousands and decimals alike": (table(), {"thousands": "."}, "can't both group thousands and mark decimals"),
    "odd thousands": (table(), {"thousands": "12"}, "thousands='12' was given"),
    "no encoding": (table(), {"encoding": "utf-99"}, "no encoding 'utf-99'; .*'utf-8'"),
    "no text's encoding": (table(), {"encoding": "rot13"}, "no encoding 'rot13'"),
    "no line": (table(), {"header": 0}, "header=0 was given"),
    "no header so far down": (table(), {"header": 99}, "is empty"),
    "too few names": (table()[1:], {"names": ["time"]}, r"line 1 has 2 fields, names=\['time'\] are 1"),
    "too few names for a header": (table(), {"names": ["time"], "header": 1}, "are 1 names for 2 columns"),
    "nobody of that name": (LONG, {"only": {"id": "c"}}, "no row with 'id' 'c'; there is 'a', 'b'"),
    "no column of that name": (LONG, {"only": {"ids": "a"}}, "no column 'ids'.*Did you mean 'id'"),
    "texts alone": ([f"{HOURS[k]},ok" if k else "time,note" for k in range(4)], {}, "'ok' is not|no column of numbers"),
    "amounts alone": ([f"{HOURS[k]},€{k}" if k else "time,cost" for k in range(4)], {},
                      "line 2, column 'cost': '€1' is not a finite number"),
    "yes and no": ([f"{HOURS[k]},{k % 2 > 0}" if k else "time,on" for k in range(4)], {},
                   "line 2, column 'on': 'True' is not a finite number"),
    "netCDF": (b"CDF\x01\0\0", {}, "is no text, but a netCDF file"),
    "a picture": (b"\x89PNG\r\n\x1a\n", {}, "is no text, but a picture"),
    "a photograph": (b"\xff\xd8\xff\xe0", {}, "is no text, but a picture"),
    "a pickle": (b"\x80\x04\x95\0", {}, "is no text, but a pickle of Python"),
    "an array": (b"\x93NUMPY\x01\0", {}, "is no text, but an array of NumPy"),
    "of MATLAB": (b"MATLAB 5.0 MAT-file", {}, "is no text, but a file of MATLAB"),
    "compressed, without saying": (gzip.compress("\n".join(table()).encode()), {}, "compressed with gzip"),
    "only what": (table(), {"only": "load"}, "only='load' was given; expected a column and what it says"),
    "two names for three": ([f"{HOURS[0]},1,2"], {"names": ["time", "a"]}, "3 fields, names=.* are 2 names"),
    "JSON": (b'[{"time": 1, "load": 2}]', {}, "is JSON"),
    "XML": (b'<?xml version="1.0"?>\n<a/>', {}, "web page or XML"),
    "XML without saying": (b"<feed xmlns='http://www.w3.org/2005/Atom'>\n<entry/></feed>", {}, "web page or XML"),
    "lines in quotes": ([f'"{t}"' for t in table()], {}, "every line is one field.*quotes are around it"),
    "a unit of another column": ([f"{t},{'1 kW' if k else 'air'}" for k, t in enumerate(table())],
                                 {"target": "load", "unit": "kWh"}, "column 'air': '1 kW' is not a finite"),
    "PDF": (b"%PDF-1.7 ...", {}, "a PDF"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1", {}, "an Excel workbook"),
    "Parquet": (b"PAR1\x15\x04..", {}, r"a Parquet file; let its name end in \.parquet"),
    "a quote that stays open": ([*table(), f'{HOURS[6]},"7', *table(start=7)[1:]], {},
                                "line 8 is never closed"),
    "a quote that stays open, in a long file": (
        [*table(), f'{HOURS[6]},"7', *(f"{HOURS[7]},{'1' * 100}" for _ in range(2000))], {}, "line 8"),
    "a quote within": ([*table(), f'{HOURS[6]},"7"8'], {}, "see line 8"),
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_what_has_two_meanings_or_none_stays_refused(tmp_path, name):
    content, options, message = STAYS[name]
    with pytest.raises(SeriesError, match=message):
        load_series(write(tmp_path / "t.csv", content), **options)


@pytest.mark.parametrize("file", ["t.csv", "t.csv.gz"])
def test_the_line_of_a_bad_byte_is_that_of_an_editor(tmp_path, file):
    rows = [b"time,load,note", *(f"{HOURS[k % 200]},{k},ok".encode() for k in range(450))]
    rows[400] = rows[400].replace(b"ok", b"arr\xeat")
    rows[10] = rows[10].replace(b"ok", b'"two\nlines"')
    with pytest.raises(SeriesError, match=r"line 402 holds the byte 0xea, .*'ê'.*encoding='cp1252'"):
        load_series(write(tmp_path / file, b"\n".join(rows)), columns=["load"])


def test_a_row_has_the_number_of_the_line_where_it_begins(tmp_path):
    lines = [
        "time,load,note",
        f'{HOURS[0]},1,"two',
        'lines"',
        f'{HOURS[1]},one,"two',
        'lines"',
        f"{HOURS[2]},1,ok",
    ]
    with pytest.raises(SeriesError, match="line 4, column 'load': 'one'"):
        load_series(write(tmp_path / "t.csv", lines), columns=["load"])


# What a column of texts says of row k that begins at t: beside one series, not in the place of several.
BESIDE_ONE = {
    "a fault now and then": ("1h", lambda k, t: "ok" if k % 7 else "bad"),
    "a meter exchanged": ("1h", lambda k, t: "old" if k < 20 else "new"),
    "days of the week": ("1D", lambda k, t: t.day_name()),
    "days of the week, by hours": ("1h", lambda k, t: t.day_name()),
    "halves of the day": ("12h", lambda k, t: "am" if t.hour < 12 else "pm"),
    "hours": ("1h", lambda k, t: f"H{t.hour}"),
    "minutes": ("15min", lambda k, t: t.minute),
    "two of three": ("1h", lambda k, t: "aab"[k % 3]),
    "winds that turn": ("1h", lambda k, t: "NESW"[(k + k * k // 3) % 4]),
    "what is measured": ("1h", lambda k, t: 230.5 if k % 2 else 231.5),
    "nothing": ("1h", lambda k, t: ""),
}


@pytest.mark.parametrize("name", BESIDE_ONE)
def test_a_text_beside_one_series_doesnt_make_it_several(tmp_path, name):
    step, says = BESIDE_ONE[name]
    times = pd.date_range("2020-01-01", periods=56, freq=step)
    lines = ["time,what,v", *(f"{t},{says(k, t)},{k}" for k, t in enumerate(times))]
    assert len(load_series(write(tmp_path / "t.csv", lines), columns=["v"]).frame) == 56


def test_series_that_take_turns_off_a_common_grid_and_in_a_parquet_file(tmp_path):
    hours = pd.date_range("2020-01-01", periods=24, freq="1h")
    shifted = (hours + pd.Timedelta("20min")).delete(7)
    frame = pd.DataFrame({"time": [*hours[3:9], *shifted], "id": ["a"] * 6 + ["b"] * 23, "v": 1.0})
    frame.sort_values("time").to_csv(tmp_path / "t.csv", index=False)
    frame.sort_values("time").to_parquet(tmp_path / "t.parquet")
    for file in ("t.csv", "t.parquet"):
        with pytest.raises(SeriesError, match=r"tells 2 series apart.*only=\{'id': 'b'\}"):
            load_series(tmp_path / file, columns=["v"])
        assert load_series(tmp_path / file, columns=["v"], only={"id": "b"}).inserted == 1


def test_a_wide_table_is_checked_once_not_column_by_column(tmp_path, monkeypatch):
    names = [f"c{k}" for k in range(3000)]
    lines = [",".join(["time", *names]), *(",".join([t, *["1.5"] * 3000]) for t in HOURS[:3])]
    looked, inf = [], np.isinf
    monkeypatch.setattr(np, "isinf", lambda *given, **how: looked.append(1) or inf(*given, **how))
    assert load_series(write(tmp_path / "t.csv", lines), target="c0").frame.shape == (3, 3000)
    assert len(looked) < 20


def test_lists_in_a_parquet_file_count_with_all_they_hold(tmp_path):
    frame = pd.DataFrame({"time": pd.date_range("2020", periods=50, freq="h"), "v": [[0.0] * 1000] * 50})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        SeriesError, match=r"50 rows of 2 columns, with 50050 values; at most 100 rows .*limit=2503"
    ):
        load_series(tmp_path / "t.parquet", limit=100)


def test_a_huge_field_is_not_repeated(tmp_path):
    long = "1" * 40_000
    for lines in (table(f"{HOURS[6]},{long}x"), table(f"{long},1"), table(header=f"{long}x,load"),
                  table(f"{HOURS[6]},{'1 111' * 20_000}"), [*table(header=f"time,{'(' * 40_000}"), "x"]):  # fmt: skip
        with pytest.raises(SeriesError) as refusal:
            load_series(write(tmp_path / "t.csv", lines))
        assert len(str(refusal.value)) < 700


def test_a_file_is_not_read_beyond_the_limit(tmp_path):
    for lines, what in ((table(rows=100), "more than 50 lines"), ([*table(), *[""] * 100], "more than 50 lines"),
                        (["time,load", "1" * 51], "line 2 has more than 50 characters"),
                        (["time,load", "1" * 99, *["1" * 50] * 99], "line 2 has more than 50 characters")):  # fmt: skip
        for file in ("t.csv", "t.csv.gz"):
            with pytest.raises(SeriesError, match=rf"{what}, .* limit=500"):
                load_series(write(tmp_path / file, lines), limit=50)
    with pytest.raises(SeriesError, match=r"more than 20000 characters, .* limit=2000"):
        load_series(write(tmp_path / "t.csv", table(*["1" * 150] * 150, header="time,load")), limit=200)
    assert len(load_series(write(tmp_path / "t.csv", table(rows=100)), limit=500).frame) == 100
    frame = pd.DataFrame({"time": pd.date_range("2020", periods=60, freq="h"), "load": 1.0})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(SeriesError, match=r"60 rows of 2 columns; at most 50 rows .* limit=60"):
        load_series(tmp_path / "t.parquet", limit=50)
    assert len(load_series(tmp_path / "t.parquet", limit=60).frame) == 60


# -------------------------------------------------------------------------------------------------------- Parquet


def test_a_long_parquet_file_and_what_is_left_out_of_it(tmp_path):
    times = pd.date_range("2020", periods=6, freq="h")
    frame = pd.DataFrame(
        {"id": ["a"] * 6 + ["b"] * 6, "row": range(12), "time": [*times, *times], "v": 1.5, "u": "kW"}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(SeriesError, match=r"only=\{'id': 'a'\}"):
        load_series(tmp_path / "t.parquet", target="v")
    series = load_series(tmp_path / "t.parquet", only={"id": "b"})
    assert list(series.frame) == ["v"] and len(series.frame) == 6
    assert re.search("'u' left out: it is 'kW'.*'row' left out: it counts the rows", " ".join(series.notes))
    with pytest.raises(SeriesError, match="encoding is for text files"):
        load_series(tmp_path / "t.parquet", encoding="utf-8")


def test_a_parquet_file_with_a_bit_turned_is_refused_or_right(tmp_path, rng):
    pytest.importorskip("pyarrow")
    times = pd.date_range("2020", periods=60, freq="h")
    frame = pd.DataFrame({"time": times, "load": rng.normal(size=60)})
    frame.to_parquet(tmp_path / "t.parquet", compression=None, write_page_checksum=True, use_dictionary=False)
    raw, refused = (tmp_path / "t.parquet").read_bytes(), 0
    for _ in range(200):
        turned = bytearray(raw)
        turned[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        (tmp_path / "u.parquet").write_bytes(turned)
        series, refusal = attempt(tmp_path / "u.parquet")
        refused += bool(refusal)
        if series is not None:
            np.testing.assert_array_equal(series.frame.to_numpy()[:, 0], frame["load"])
    assert refused > 50


METADATA = (b"no JSON", b"[]", b"null", b"{}", b"\xff", b'{"columns": 3}', b'{"index_columns": ["absent"]}',
            b'{"index_columns": ["load"], "columns": [], "column_indexes": []}',
            b'{"index_columns": [], "columns": [], "column_indexes": [{"pandas_type": "datetime"}]}')  # fmt: skip


@pytest.mark.parametrize("noted", METADATA)
def test_what_pandas_noted_in_a_parquet_file_may_be_nonsense(tmp_path, noted):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    frame = pd.DataFrame({"time": pd.date_range("2020", periods=6, freq="h"), "load": np.arange(6.0)})
    parquet.write_table(
        pa.Table.from_pandas(frame).replace_schema_metadata({b"pandas": noted}), tmp_path / "t.parquet"
    )
    series, refusal = attempt(tmp_path / "t.parquet")
    assert (
        refusal.startswith("t.parquet")
        if series is None
        else series.frame["load"].tolist() == [0, 1, 2, 3, 4, 5]
    )


def test_odd_columns_of_a_parquet_file_are_refused_in_words(tmp_path):
    time = pd.date_range("2020", periods=6, freq="h")
    for values in ([b"\xff", b"a", b"b"] * 2, [[1.0], [2.0]] * 3, [{"a": 1}, {"a": 2}] * 3,
                   pd.to_timedelta(range(6), "h"), [2**63 + 1] * 6):  # fmt: skip
        pd.DataFrame({"time": time, "load": values}).to_parquet(tmp_path / "t.parquet")
        with pytest.raises(SeriesError, match=r"t.parquet: "):
            load_series(tmp_path / "t.parquet")


@pytest.mark.parametrize("name", ["~nobody_of_that_name/x.csv", "x" * 300, "x" * 300 + ".csv", "a\0b.csv", "a/\0",
                                  "../" * 2000 + "x.csv", "\udc80.csv"])  # fmt: skip
def test_a_name_that_no_file_can_have_is_answered(name):
    with pytest.raises((FileNotFoundError, SeriesError)):
        load_series(name)


# -------------------------------------------------------------------- one table in all the ways it can be written

_USUAL = settings.default.max_examples
MANY = settings(max_examples=300 if _USUAL <= 100 else 5 * _USUAL)  # 10,000 in a soak
GROUPS = ["", " ", "\u00a0", "\u202f", "\u2009", "'", "’", ",", "."]
MARKS = ["", "NA", "null", "-", "n/e", "ND", "?", "--", "No Data", "-999", "#N/A", "*"]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "utf-32"]
ABOVE = [[], ["Export of 2020"], ["Site;Paris", "Unit;kW"], ["", "# a comment, with a comma", ""], ["sep={}"]]
BELOW = [
    [],
    ["Source: the grid operator"],
    ["", "End of the file"],
    ["Total"],
    ["Source: somebody", "No warranty at all"],
]
NAMES = {"plain": ("Charge", "Température"), "bracket": ("Charge [kW]", "Äußere Luft (°C)")}
# What stands before the stamps: a name, and the field of row k.
BESIDE = {"": None, "rows": ("", str), "place": ("site", lambda k: "Paris"), "end": ("until", lambda k: HOURS[k]),
          "nothing": ("", lambda k: "")}  # fmt: skip


NAMED = re.compile(
    r"(header|encoding|missing|thousands|decimal|skip|separator|only)=(\[.*?\]|'[^']*'|\"[^\"]*\"|\d+)"
)


def number(value, digits, decimal, group, minus):
    """A whole number, so many of its digits behind the decimal sign, as another program writes it."""
    figures = f"{abs(value):0{digits + 1}d}"
    whole, rest = figures[: len(figures) - digits], figures[len(figures) - digits :]
    grouped = f"{int(whole):,}".replace(",", group)
    return (minus if value < 0 else "") + grouped + (decimal + rest if digits else "")


def helped(path, options, truth):
    """Load with the arguments that each refusal names in turn; where it names two, with that which is true."""
    for _ in range(9):
        series, refusal = attempt(path, **options)
        if series is not None:
            return series, options
        named = {name: ast.literal_eval(value) for name, value in NAMED.findall(refusal)}
        named = {name: value for name, value in named.items() if truth.get(name, value) == value}
        for name in ("missing", "skip"):
            if name in named:
                more = named[name] if isinstance(named[name], list) else [named[name]]
                named[name] = [*options.get(name, ()), *more]
        assert named and {name: options.get(name) for name in named} != named, refusal
        options = options | named
    raise AssertionError(refusal)


@MANY
@given(st.data())
def test_every_way_to_write_a_table_gives_its_values_or_names_what_helps(tmp_path_factory, data):
    draw = data.draw
    separator, decimal = draw(st.sampled_from([",", ";", "\t", "|"])), draw(st.sampled_from(".,"))
    group = draw(st.sampled_from([sign for sign in GROUPS if sign != decimal]))
    digits, minus = draw(st.integers(0, 4)), draw(st.sampled_from(["-", "−"]))
    mark, encoding = draw(st.sampled_from(MARKS)), draw(st.sampled_from(ENCODINGS))
    names, beside = NAMES[draw(st.sampled_from(sorted(NAMES)))], draw(st.sampled_from(sorted(BESIDE)))
    largest = 10 ** draw(st.integers(1, 9))
    cell = st.one_of(st.none(), *[st.integers(-largest, largest)] * 4)
    cells = draw(st.lists(st.tuples(cell, cell), min_size=3, max_size=12))
    texts = [[mark if v is None else number(v, digits, decimal, group, minus) for v in row] for row in cells]
    if mark in {number(v, digits, decimal, group, minus) for row in cells for v in row if v is not None}:
        reject()  # a number that is written as what is missing
    truth = {"decimal": decimal, "thousands": group or None}

    def written(fields):
        quoted = draw(st.booleans())
        return separator.join(f'"{f}"' if quoted or separator in f else f for f in fields)

    rows = [["time", *names], *([HOURS[k], *row] for k, row in enumerate(texts))]
    if beside:
        name, its = BESIDE[beside]
        rows = [[its(k) if k else name, *row] for k, row in enumerate(rows)]
    if draw(st.booleans()):
        rows.insert(1, [*[""] * (len(rows[0]) - 2), "kW", "°C"])
    above, below = draw(st.sampled_from(ABOVE)), draw(st.sampled_from(BELOW))
    lines = [*(t.format(separator).replace(";", separator) for t in above), *map(written, rows), *below]
    try:
        raw = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines).encode(encoding)
    except UnicodeEncodeError:  # letters that the encoding lacks
        reject()
    path = tmp_path_factory.getbasetemp() / draw(
        st.sampled_from(["written.csv", "written.csv.gz", "written.txt"])
    )
    options = {"target": names[0], "time": "time", "separator": separator}
    options |= {"decimal": decimal} if decimal == "," != separator else {}
    options |= (
        {"decimal": ",", "thousands": "."} if group == "." and separator == "," else {}
    )  # "1.000" is 1 else
    options |= {"missing": [mark]} if mark == "-999" else {}  # a number, which nothing would refuse
    write(path, raw)
    series, said = helped(path, options, truth)
    if all(row[1] is None for row in cells) and names[1] not in series.frame:
        names, cells = names[:1], [row[:1] for row in cells]  # one text in all rows, or none
    assert list(series.frame) == list(names)
    plain = [[NAN if v is None else float(number(v, digits, ".", "", "-")) for v in row] for row in cells]
    np.testing.assert_array_equal(series.frame.to_numpy(), plain)
    event(" ".join(sorted(set(said) - set(options))) or "as it is")

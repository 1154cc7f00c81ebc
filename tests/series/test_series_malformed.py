"""Files with faults: each gives a clear error or a finding, and never a wrong number."""

import csv
import gzip
import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lib.series import SeriesError, load_series
from tests.series import series_files as files

ROWS = [
    f"2020-01-{1 + k // 24:02} {k % 24:02}:00,{10 + 0.25 * (7 * k % 40)},{k % 13 - 3}.5" for k in range(72)
]
GOOD = ["time,load,heat", *ROWS]
WANTED = {"target": "load"}


def line(number, text):
    """The good file with one line replaced; numbers as in an editor, 1 is the header."""
    return lambda lines: [text if k == number else old for k, old in enumerate(lines, start=1)]


def field(number, column, text):
    """The good file with one field replaced."""

    def change(lines):
        parts = lines[number - 1].split(",")
        parts[column] = text
        return line(number, ",".join(parts))(lines)

    return change


def every(old, new):
    return lambda lines: [text.replace(old, new) for text in lines]


def after(number, *texts):
    return lambda lines: [*lines[:number], *texts, *lines[number:]]


def without(first, last):
    return lambda lines: lines[: first - 1] + lines[last:]


def swapped(one, other):
    return lambda lines: [lines[{one: other, other: one}.get(k, k) - 1] for k in range(1, len(lines) + 1)]


def joined(text):
    return lambda lines: text


# name: (what is done to the good file, how it is loaded, what the error says)
ERRORS = {
    "empty": (joined(""), {}, r"bad.csv is empty"),
    "blank lines only": (joined("\n\n  \n"), {}, r"bad.csv is empty"),
    "header only": (lambda lines: lines[:1], {}, r"has a header but no rows"),
    "one row": (lambda lines: lines[:2], {}, r"only 1 row; a series needs at least 2"),
    "no header": (lambda lines: lines[1:], {}, r"no column is called like a time|names column"),
    "two headers": (after(1, "time,load,heat"), {}, r"line 2, column 'time': 'time' is not a stamp"),
    "header again": (after(30, "time,load,heat"), {}, r"line 31, column 'time': 'time' is not a stamp"),
    "row of units": (after(1, ",kW,kW"), {}, r"line 2, column 'time': '' is not a stamp"),
    "title above": (lambda lines: ["Export of 2020", *lines], {}, r"line 2 has 3 fields, the header has 1"),
    "comment below": (after(1, "# made by a logger"), {}, r"line 2 has 1 fields, the header has 3"),
    "total below": (after(73, "total,900,80"), {}, r"line 74, column 'time': 'total' is not a stamp"),
    "column twice": (line(1, "time,load,load"), {}, r"the header names column 'load' more than once"),
    "two empty names": (line(1, "time,,"), {"target": None}, r"names column '' more than once"),
    "two columns of time": (line(1, "time,load,date"), {}, r"several columns are called like a time"),
    "other separator": (every(",", ";"), {}, r"'time;load;heat'; save it with commas.*give separator=';'"),
    "tabulators": (every(",", "\t"), {}, r"one single column, .*give separator='\\t'"),
    "commas said to be semicolons": (lambda x: x, {"separator": ";"}, r"one single column, .*separator=','"),
    "separator too long": (lambda x: x, {"separator": "||"}, r"separator='\|\|' was given; expected one character"),
    "separator is the decimal sign": (lambda x: x, {"decimal": ","}, r"',' can't both separate columns and"),
    "odd decimal sign": (lambda x: x, {"decimal": "'"}, r"no decimal sign .*there is '\.', ','"),
    "field too few": (line(20, "2020-01-01 18:00,1"), {}, r"line 20 has 2 fields, the header has 3; was the file cut"),
    "field too many": (line(20, "2020-01-01 18:00,1,2,3"), {}, r"line 20 has 4 fields, the header has 3"),
    "comma in a number": (field(20, 1, "10,25"), {}, r"line 20 has 4 fields"),
    "comma in a quoted number": (field(20, 1, '"10,25"'), {}, r"'load': '10,25' .*decimals with a point"),
    "thousands": (field(20, 1, '"1,234.5"'), {}, r"line 20, column 'load': '1,234.5' is not a finite number"),
    "thousands by a blank": (field(20, 1, "1 234"), {}, r"'1 234' is not a finite number"),
    "thousands by an underscore": (field(20, 1, "1_234"), {}, r"'1_234' is not a finite number"),
    "two points": (field(20, 1, "1.234.5"), {}, r"'1.234.5' is not a finite number"),
    "two signs": (field(20, 1, "--1"), {}, r"'--1' is not a finite number"),
    "a sign alone": (field(20, 1, "-"), {}, r"'-' is not a finite number"),
    "a point alone": (field(20, 1, "."), {}, r"'\.' is not a finite number"),
    "unit in the field": (field(20, 1, "12 kW"), {}, r"'12 kW' is not a finite number"),
    "percent": (field(20, 1, "12%"), {}, r"'12%' is not a finite number"),
    "hexadecimal": (field(20, 1, "0x1F"), {}, r"'0x1F' is not a finite number"),
    "truth": (field(20, 1, "True"), {}, r"'True' is not a finite number"),
    "infinity": (field(20, 1, "inf"), {}, r"'inf' is not a finite number"),
    "minus infinity": (field(20, 2, "-Infinity"), {}, r"column 'heat': '-Infinity' is not a finite number"),
    "too large": (field(20, 1, "1e999"), {}, r"'1e999' is not a finite number"),
    "too many digits": (field(20, 1, "9" * 400), {}, r"column 'load': '9+' is not a finite number"),
    "too many digits at the end": (field(20, 2, "9" * 400), {}, r"column 'heat': '9+' is not a finite number"),
    "signed nothing": (field(20, 1, "-nan"), {}, r"'-nan' is not a finite number"),
    "error of a spreadsheet": (field(20, 1, "#DIV/0!"), {}, r"'#DIV/0!' is not a finite number"),
    "a word for missing": (field(20, 1, "missing"), {}, r"'missing' is not a finite number \(1 such in"),
    "a dash for missing": (every(",10.0,", ",—,"), {}, r"'—' is not a finite number \((?!1 )\d+ such in"),
    "other digits": (field(20, 1, "١٢"), {}, r"'١٢' is not a finite number"),
    "open quote": (field(20, 1, '"10.5'), {}, r"as a CSV in UTF-8, after line 19: unexpected end"),
    "null byte": (field(20, 1, "1\0"), {}, r"can't be read as a CSV|is not a finite number"),
    "latin letters": (lambda x: "\n".join([*x[:5], "é"]).encode("latin-1"), {}, r"as a CSV in UTF-8"),
    "UTF-16": (lambda x: "\n".join(x).encode("utf-16"), {}, r"can't be read as a CSV in UTF-8"),
    "picture": (lambda x: b"\x89PNG\r\n\x1a\n" + bytes(range(256)), {}, "is no text, but a picture"),
    "cut within a row": (lambda x: "\n".join(x)[:-8], {}, r"line 73 has 2 fields, the header has 3"),
    "stamp empty": (field(20, 0, ""), {}, r"line 20, column 'time': '' is not a stamp"),
    "stamp of another form": (field(20, 0, "01/01/2020 18:00"), {}, r"line 20, .* is not a stamp.*stamp_format"),
    "stamps of another form": (every("2020-01-", "1/"), {}, r"line 2, .* is not a stamp; .*give stamp_format"),
    "not of the given form": (lambda x: x, {"stamp_format": "%d/%m/%Y"}, r"line 2, .*expected the form '%d/%m/%Y'"),
    "a year": (field(2, 0, "2020"), {}, r"'2020' is not a stamp"),
    "seconds since 1970": (field(2, 0, "1577836800"), {}, r"'1577836800' is not a stamp"),
    "a digit lost": (field(20, 0, "2020-01-01 18:0"), {}, r"line 20, .*'2020-01-01 18:0' is not a stamp"),
    "colon lost": (field(20, 0, "2020-01-01 18-00"), {}, r"line 20, .*'2020-01-01 18-00' is not a stamp"),
    "no such day": (field(20, 0, "2020-01-32 18:00"), {}, r"'2020-01-32 18:00' is not a stamp"),
    "no such hour": (field(20, 0, "2020-01-01 25:00"), {}, r"'2020-01-01 25:00' is not a stamp"),
    "24 o'clock": (field(26, 0, "2020-01-01 24:00"), {}, r"'2020-01-01 24:00' is not a stamp"),
    "some with offset": (field(20, 0, "2020-01-01 18:00Z"), {}, r"line 20, .* has an offset, unlike the first"),
    "first with offset": (field(2, 0, "2020-01-01 00:00Z"), {}, r"line 3, .* has no offset, unlike the first"),
    "stamp repeated": (field(20, 0, "2020-01-01 17:00"), {}, r"line 20, .*17:00' repeats the stamp before it; keep"),
    "row repeated": (lambda x: after(20, x[19])(x), {}, r"line 21, .* repeats the stamp before it"),
    "rows swapped": (swapped(20, 21), {}, r"line 21, .* is earlier than the stamp before it; sort the rows"),
    "newest first": (lambda x: [x[0], *x[:0:-1]], {}, r"line 3, .* is earlier than the stamp before it"),
    "file twice": (lambda x: x + x[1:], {}, r"line 74, .* is earlier than the stamp before it"),
    "a minute late": (field(20, 0, "2020-01-01 18:01"), {}, r"line 20, .*18:01' is not a whole .* of 0 days 01:00:00"),
    "drifting clock": (lambda x: [x[0], *(t.replace(":00", f":{k // 2:02}", 1) for k, t in enumerate(x[1:]))], {},
                       r"is not a whole number of steps"),
    "wrong century": (field(73, 0, "2120-01-03 23:00"), {}, r"more than nine in ten are missing. Look for a wrong"),
    "wrong step asked": (lambda x: x, {"step": "45min"}, r"is not a whole number of steps of 0 days 00:45:00"),
    "skipped hour": (every("2020-01-02", "2020-03-29"), {"timezone": "Europe/Paris"}, r"is earlier|not at all"),
    "no such column": (lambda x: x, {"target": "laod"}, r"'laod'; there is 'load', 'heat'. Did you mean 'load'"),
    "no such column to load": (lambda x: x, {"columns": ["Heat"]}, r"no column 'Heat'.* Did you mean 'heat'"),
    "two columns of one name": (lambda x: x, {"columns": {"heat": "load", "load": "load"}}, r"names one column twice"),
    "no such column of time": (lambda x: x, {"time": "tiem"}, r"'tiem'; there is 'time', 'load', 'heat'. Did you"),
    "time by another name": (line(1, "when,load,heat"), {}, r"like a time; give time=..., one of 'when', 'load'"),
    "no target": (lambda x: x, {"target": None}, r"column is to be forecast\? Give target=..., one of 'load', 'heat'"),
    "no such calendar": (lambda x: x, {"calendar": ["hours"]}, r"there is 'hour', 'weekday', 'holiday:FR'. Did"),
    "calendar in the file": (line(1, "time,load,hour_sin"), {"calendar": ["hour"]}, r"a column 'hour_sin' already"),
    "no such local time": (lambda x: x, {"timezone": "Europe/Pari"}, r"no time zone 'Europe/Pari'.*Etc/GMT-1"),
    "no such step": (lambda x: x, {"step": "1x"}, r"step='1x' is not a length of time"),
    "step backwards": (lambda x: x, {"step": "-1h"}, r"step='-1h' has to be longer"),
    "no such zone": (lambda x: x, {"stamps_in": "Paris"}, r"no time zone 'Paris'"),
    "no such way": (lambda x: x, {"stamped": "middle"}, r"no way to stamp a period, .*'start', 'end'"),
    "no such remedy": (lambda x: x, {"clock_change": "guess"}, r"no way with a clock_change 'guess'"),
}  # fmt: skip

# What is wrong by itself, whatever the file.
ALONE = {"separator", "decimal", "step", "calendar", "timezone", "stamps_in", "stamped", "clock_change"}

# name: (what is done to the good file, the kind of finding, how many rows)
FINDINGS = {
    "row missing": (without(20, 20), "gap", 1),
    "day missing": (without(26, 49), "gap", 24),
    "field empty": (field(20, 1, ""), "gap", 1),
    "field of blanks": (field(20, 1, "   "), "gap", 1),
    "field says NaN": (field(20, 1, "NaN"), "gap", 1),
    "field says NULL": (field(20, 1, "NULL"), "gap", 1),
    "field says n/a": (field(20, 1, "n/a"), "gap", 1),
    "row without values": (field(20, 1, ""), "gap", 1),
    "a digit too many": (field(20, 1, "1025"), "spike", 1),
    "a sign lost": (field(40, 1, "-999"), "spike", 1),
    "stuck": (lambda x: [x[0], *(f"{t.split(',')[0]},11.5,{t.split(',')[2]}" if 20 < k < 40 else t
                                 for k, t in enumerate(x[1:]))], "frozen", 19),
    "a day copied": (lambda x: [*x[:49], *(f"2020-01-03{a[10:]}" for a in x[25:49])], "duplicate", 24),
}  # fmt: skip


def write(path, content):
    if isinstance(content, list):
        content = "\n".join(content) + "\n"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_there_are_enough_of_them_and_the_good_file_is_good(tmp_path):
    assert len(ERRORS) + len(FINDINGS) >= 60
    series = load_series(write(tmp_path / "good.csv", GOOD), **WANTED)
    assert series.check().empty and len(series.frame) == 72


@pytest.mark.parametrize("name", ERRORS)
def test_a_malformed_file_is_refused_in_words(tmp_path, name):
    change, options, message = ERRORS[name]
    path = write(tmp_path / "bad.csv", change(GOOD))
    with pytest.raises(SeriesError, match=message) as refusal:
        load_series(path, **{**WANTED, **options})
    assert "bad.csv" in str(refusal.value) or ALONE & set(options)


@pytest.mark.parametrize("name", FINDINGS)
def test_a_faulty_file_gives_a_finding(tmp_path, name):
    change, kind, rows = FINDINGS[name]
    content = change(GOOD)
    series = load_series(write(tmp_path / "faulty.csv", content), **WANTED)
    assert rows in series.check().query("kind == @kind")["rows"].tolist()
    assert_values(series, content)


def test_a_cut_gzip_is_refused(tmp_path):
    packed = gzip.compress("\n".join(GOOD).encode())
    with pytest.raises(SeriesError, match=r"cut.csv.gz can't be read as a CSV in UTF-8"):
        load_series(write(tmp_path / "cut.csv.gz", packed[:-30]), **WANTED)


PARQUET = {
    "no Parquet": (lambda f, path: path.write_bytes(b"time,load\n"), r"can't be read as a Parquet file"),
    "no rows": (lambda f, path: f.iloc[:0].to_parquet(path), r"has no rows"),
    "no stamps": (lambda f, path: f.drop(columns="time").to_parquet(path), r"no column is called like a time"),
    "stamps are numbers": (lambda f, path: f.assign(time=range(72)).to_parquet(path), r"row 1, .*'0' is not a stamp"),
    "stamp missing": (lambda f, path: f.assign(time=f["time"].where(f.index != 4)).to_parquet(path),
                      r"row 5, column 'time': 'NaT' is not a stamp"),
    "infinite": (lambda f, path: f.assign(load=f["load"].where(f.index != 4, np.inf)).to_parquet(path),
                 r"row 5, column 'load': 'inf' is not a finite number \(1 such"),
    "whole numbers too large": (lambda f, path: f.assign(load=2**53 + 1 + f.index).to_parquet(path),
                                r"row 1, column 'load': '9007199254740993' is not a finite number \(72"),
    "text": (lambda f, path: f.assign(load="ten").to_parquet(path), r"row 1, column 'load': 'ten' is not a finite"),
    "truth": (lambda f, path: f.assign(load=True).to_parquet(path), r"row 1, column 'load': 'True' is not a finite"),
    "newest first": (lambda f, path: f.iloc[::-1].to_parquet(path), r"row 2, .* is earlier than the stamp before"),
}  # fmt: skip


@pytest.mark.parametrize("name", PARQUET)
def test_a_malformed_parquet_file_is_refused_in_words(tmp_path, name):
    save, message = PARQUET[name]
    frame = pd.DataFrame(
        {"time": pd.date_range("2020-01-01", periods=72, freq="h"), "load": np.arange(72) / 4}
    )
    save(frame, tmp_path / "bad.parquet")
    with pytest.raises(SeriesError, match=message) as refusal:
        load_series(tmp_path / "bad.parquet", **WANTED)
    assert "bad.parquet" in str(refusal.value)


# -------------------------------------------------------------------- whatever loads equals what stands in the file


def source(content):
    """Another reader, as plain as can be: {instant: {column: value}} of a CSV without a zone."""
    text = "\n".join(content) if isinstance(content, list) else content.decode()
    header, *rows = [r for r in csv.reader(text.splitlines()) if any(map(str.strip, r))]
    values = {}
    for row in rows:
        stamp = datetime.fromisoformat(row[0].strip())
        stamp = stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp
        fields = dict(zip(map(str.strip, header[1:]), map(str.strip, row[1:]), strict=True))
        values[stamp] = {
            name: math.nan if f.lower() in ("", "na", "nan", "n/a", "null", "none") else float(f)
            for name, f in fields.items()
        }
    return values


def assert_values(series, content):
    """Every value stands in the file at that stamp, and every stamp of the file is there."""
    expected = source(content)
    found = {stamp.to_pydatetime(): row for stamp, row in series.frame.iterrows()}
    assert set(expected) <= set(found)
    assert series.inserted == len(found) - len(expected)
    for stamp, row in found.items():
        for name, value in row.items():
            wanted = expected.get(stamp, {}).get(name, math.nan)
            assert (math.isnan(value) and math.isnan(wanted)) or value == wanted, (stamp, name)


CHARACTERS = "0123456789-+.,;:eE \"'\tTZnaif_#\nxé\0\r"
corruption = st.one_of(
    st.tuples(st.just("replace"), st.integers(0, 10_000), st.sampled_from(CHARACTERS)),
    st.tuples(st.just("insert"), st.integers(0, 10_000), st.sampled_from(CHARACTERS)),
    st.tuples(st.just("delete"), st.integers(0, 10_000), st.integers(1, 30)),
    st.tuples(st.just("drop line"), st.integers(0, 100), st.integers(1, 3)),
    st.tuples(st.just("repeat line"), st.integers(0, 100), st.integers(1, 3)),
    st.tuples(st.just("swap lines"), st.integers(0, 100), st.integers(0, 100)),
    st.tuples(
        st.just("field"),
        st.integers(1, 100),
        st.sampled_from(
            ["", "NaN", "1e3", " 7 ", "1_0", "-0", "1e400", "0x1", "+5.", ".5", "٣", "1 2", "nan(1)"]
        ),
    ),
)


def corrupt(text, how, where, what):
    lines = text.split("\n")
    if how in ("replace", "insert", "delete"):
        at = where % (len(text) + 1)
        end = at + {"replace": 1, "insert": 0}.get(how, what if isinstance(what, int) else 0)
        return text[:at] + ("" if how == "delete" else what) + text[end:]
    at = where % len(lines)
    if how == "drop line":
        del lines[at : at + what]
    elif how == "repeat line":
        lines[at:at] = [lines[at]] * what
    elif how == "swap lines":
        other = what % len(lines)
        lines[at], lines[other] = lines[other], lines[at]
    else:
        parts = lines[at].split(",")
        parts[-1] = what
        lines[at] = ",".join(parts)
    return "\n".join(lines)


@settings(max_examples=600)
@given(st.lists(corruption, max_size=3))
def test_whatever_loads_after_corruption_equals_the_source(tmp_path_factory, corruptions):
    text = "\n".join(GOOD[:20])
    for how, where, what in corruptions:
        text = corrupt(text, how, where, what)
    path = write(tmp_path_factory.getbasetemp() / "corrupted.csv", text.encode())
    series, refusal = files.attempt(path, **WANTED)
    if series is None:
        assert corruptions, "the good file has to load"
        assert "corrupted.csv" in refusal
    else:
        assert_values(series, text.encode())


@settings(max_examples=200)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=8),
    st.sampled_from([repr, "{:.3f}".format, "{:.17e}".format, "{:+.1f}".format, "{:030.20f}".format]),
)
def test_every_number_is_the_float_of_its_text(tmp_path_factory, values, form):
    texts = [form(value) for value in values]
    rows = [f"2020-01-01 {k:02}:00,{text}" for k, text in enumerate(texts)]
    path = write(tmp_path_factory.getbasetemp() / "numbers.csv", ["time,load", *rows])
    np.testing.assert_array_equal(load_series(path).frame["load"], [float(text) for text in texts])

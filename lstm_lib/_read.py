"""A series and how it is read: `Series`, `load_series`, and and each check on the way from text to table.

A refusal names the file, line or column, what was given, what was expected, and what to do. Nothing is
repaired in silence. Users import from `lstm_lib.series`, which goes on from here with windows and forecasts.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]


class SeriesError(ValueError):
    """A series, or what was asked of it, can't be used; the message says what to change."""


def choose(given: object, valid: Iterable[str], what: str, where: str = "") -> str:
    """Return `given` if it is one of `valid`; else say which are, and which one was probably meant."""
    names = list(valid)
    if isinstance(given, str) and given in names:
        return given
    near = [name for name in names if name.lower() == str(given).lower()]
    near = near or difflib.get_close_matches(str(given), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SeriesError(
        f"{where}There is no {what} {given!r}; there is {', '.join(map(repr, names)) or 'none'}.{hint}"
    )


def _zone(timezone: str) -> str:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise SeriesError(
            f"There is no time zone {timezone!r}. Valid: 'UTC', a place such as "
            f"'Europe/Paris', or a fixed offset such as 'Etc/GMT-1' (that is UTC+1: the sign "
            f"is reversed)."
        ) from error
    return timezone


@dataclass(frozen=True)
class _Known:
    """What is known of a layout beforehand. `marks`: the columns by which a user's file is recognised."""

    target: str
    units: Mapping[str, str]
    source: str
    timezone: str = "UTC"
    marks: frozenset[str] = frozenset()


_EMBEDDED = {
    "sceaux": _Known(
        "power",
        {"reactive": "kvar", "voltage": "V", "current": "A"}
        | dict.fromkeys(("power", "kitchen", "laundry", "heater"), "kW"),
        "Hebrail, G. & Berard, A. (2006), Individual Household Electric Power Consumption, UCI Machine "
        "Learning Repository, doi:10.24432/C58K54, CC BY 4.0; hourly means, copied minutes made missing "
        "(data/README.md).",
        "Etc/GMT-1",
    ),
    "fontana": _Known(
        "power",
        {"power": "kW", "solar": "W/kW", "temperature": "°C", "humidity": "%"}
        | dict.fromkeys(("diffuse", "direct"), "W/m²"),
        "CityLearn 2.1.2, challenge 2022, MIT, Copyright (c) 2020 Jose Ramon Vazquez-Canteli, Intelligent "
        "Environments Laboratory; sum of 17 homes (data/README.md).",
        "Etc/GMT+8",
    ),
}
_LAYOUTS = {
    "DrahiX": _Known(
        "TGBT",
        dict.fromkeys(("TGBT", "T1", "T2", "T3", "T4", "T5", "T6", "T7"), "kW"),
        "DrahiX, Palaiseau; not to be redistributed, training on it needs the owner's permission "
        "(data/README.md).",
        marks=frozenset({"Date and time (UTC)", "TGBT"}),
    ),
}
# One row a feature: local stamps -> the share of its cycle, in [0, 1).
_CALENDAR: dict[str, Callable[[pd.DatetimeIndex], Array]] = {
    "hour": lambda local: np.asarray((local.hour + local.minute / 60) / 24),
    "weekday": lambda local: np.asarray(local.day_of_week / 7),
}
_CLOCKS = "If it is the change of the clocks, export the series in UTC or at a fixed offset."
_TIME_NAMES = ("time", "datetime", "date", "timestamp", "date_time", "date and time (utc)")
_MISSING = ("", "na", "nan", "n/a", "null", "none")


# ----------------------------------------------------------------------------------------------- the series


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """An energy series on a regular grid.

    name : what to call it in tables and messages
    frame : DataFrame (n rows), float64 columns, tz-aware UTC index in regular steps; NaN is a missing value
    target : the column to forecast
    unit : the target's unit
    source : the sentence that has to be shown with results (attribution)
    timezone : the local zone, in which the calendar features are computed
    inserted : how many stamps were missing in the file and now stand as rows of NaN

    Raises SeriesError if the frame is not as described.

    >>> index = pd.date_range("2020-01-01", periods=3, freq="h", tz="UTC")
    >>> Series("demo", pd.DataFrame({"load": [1.0, np.nan, 3.0]}, index), "load", "kW")
    Series 'demo': 3 rows every 1 h, 2020-01-01 00:00 to 2020-01-01 02:00 UTC
      target 'load' [kW], 1 missing; 0 rows inserted; local time UTC
      columns: load
    """

    name: str
    frame: pd.DataFrame
    target: str
    unit: str = ""
    source: str = ""
    timezone: str = "UTC"
    inserted: int = 0

    def __post_init__(self) -> None:
        where, index = f"Series {self.name!r}: ", self.frame.index
        choose(self.target, self.frame.columns, "target column", where)
        _zone(self.timezone)
        if not isinstance(index, pd.DatetimeIndex) or str(index.tz) != "UTC":
            raise SeriesError(
                f"{where}the index has to be a DatetimeIndex in UTC; use "
                f"frame.tz_localize(...).tz_convert('UTC')."
            )
        steps = np.diff(index.asi8)
        if len(steps) == 0 or (steps != steps[0]).any() or steps[0] <= 0:
            raise SeriesError(
                f"{where}the stamps have to be at least 2, increasing, in equal steps; use "
                f"frame.asfreq(...) to insert missing ones as NaN."
            )
        wrong = [str(c) for c, kind in self.frame.dtypes.items() if kind != np.float64]
        wrong += [str(c) for c in self.frame.columns if str(c) not in wrong and np.isinf(self.frame[c]).any()]
        if wrong:
            raise SeriesError(
                f"{where}columns {wrong} are not float64 or not finite; convert them, with NaN for missing."
            )

    @property
    def step(self) -> pd.Timedelta:
        """The time from one row to the next."""
        return pd.Timedelta(self.frame.index[1] - self.frame.index[0])

    def __repr__(self) -> str:
        first, last = (f"{self.frame.index[k]:%Y-%m-%d %H:%M}" for k in (0, -1))
        hours, missing = self.step / pd.Timedelta("1h"), int(self.frame[self.target].isna().sum())
        return (
            f"Series {self.name!r}: {len(self.frame)} rows every {hours:g} h, {first} to {last} UTC\n"
            f"  target {self.target!r} [{self.unit or 'unit not given'}], {missing} missing; "
            f"{self.inserted} rows inserted; local time {self.timezone}\n"
            f"  columns: {', '.join(self.frame.columns)}"
        )


def load_series(
    name_or_path: str | os.PathLike[str],
    *,
    target: str | None = None,
    time: str | None = None,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    timezone: str | None = None,
    unit: str | None = None,
    step: str | pd.Timedelta | None = None,
    calendar: Sequence[str] = (),
) -> Series:
    """Load "sceaux" or "fontana", or a CSV (plain or .gz) with one header line, commas and decimal points.

    name_or_path : an embedded series, a path, or the name of a file in the data folder
        (`data/` of the checkout; the environment variable LSTM_LIB_DATA names another one)
    target : the column to forecast; needed for a file with several number columns
    time : the column of ISO stamps; found by its name if it is called time, date, datetime, timestamp ...
    columns : the columns to load, all of them if not given; {"name in file": "new name"} renames them.
        The target is always loaded.
    timezone : zone of stamps without an offset, and of the calendar; "UTC" if not given (an embedded series
        has its own)
    unit : the target's unit; if not given, what is known, or what stands in brackets in the target's name
    step : the grid, such as "15min"; if not given, the most frequent difference between stamps
    calendar : any of "hour", "weekday": adds hour_sin, hour_cos, ... computed in local time

    Stamps missing from the grid become rows of NaN and are counted in `Series.inserted`. An empty field (or
    NA, NaN, null, none) is a missing value. Nothing else is repaired: text or infinity in a number column, a
    stamp that is unreadable, repeated, out of order, off the grid, or on a clock change raises SeriesError
    with its line number. A file or data folder that isn't there raises FileNotFoundError.

    >>> sceaux = load_series("sceaux", columns=["power", "voltage"], calendar=["hour"])
    >>> sceaux
    Series 'sceaux': 34589 rows every 1 h, 2006-12-16 16:00 to 2010-11-26 20:00 UTC
      target 'power' [kW], 438 missing; 0 rows inserted; local time Etc/GMT-1
      columns: power, voltage, hour_sin, hour_cos
    """
    path, known = _locate(name_or_path)
    text = _read_text(path)
    known = known or next((k for k in _LAYOUTS.values() if k.marks <= set(text.columns)), _Known("", {}, ""))
    where, zone = f"{path.name}: ", _zone(timezone or known.timezone)
    time = _time_column(text, time, where)
    chosen = [columns] if isinstance(columns, str) else columns or list(text.columns.drop(time))
    renamed = dict(chosen) if isinstance(chosen, Mapping) else {column: column for column in chosen}
    for column in renamed:
        choose(column, text.columns, "column", where)
    names = list(renamed.values())
    if len(set(names)) < len(names):
        raise SeriesError(f"{where}columns={names} names one column twice; give each its own name.")
    if target is None:
        target = known.target or (names[0] if len(names) == 1 else "")
        if not target:
            raise SeriesError(
                f"{where}which column is to be forecast? Give target=..., one of "
                f"{', '.join(map(repr, names))}."
            )
    if target in renamed:  # given by its name in the file
        target = renamed[target]
    elif target not in names:  # not among the columns chosen
        renamed = {choose(target, text.columns.drop(time), "column", where): target} | renamed
    stamps = _stamps(text[time], zone, where)
    frame = pd.DataFrame({new: _numbers(text[old], where) for old, new in renamed.items()}, index=stamps)
    grid = _grid(text[time], stamps, step, where)
    inserted = len(grid) - len(frame)
    frame = frame.reindex(grid)
    for feature in [calendar] if isinstance(calendar, str) else calendar:
        share = _CALENDAR[choose(feature, _CALENDAR, "calendar feature")](grid.tz_convert(zone))
        for suffix, wave in (("sin", np.sin), ("cos", np.cos)):
            if f"{feature}_{suffix}" in frame:
                raise SeriesError(
                    f"{where}the file has a column '{feature}_{suffix}' already; rename it "
                    f"with columns={{...}}."
                )
            frame[f"{feature}_{suffix}"] = wave(2 * np.pi * share)
    if unit is None:
        named = next(old for old, new in renamed.items() if new == target)
        bracket = re.search(r"[\[(]([^\])]+)[\])]", named)
        unit = known.units.get(named, bracket[1] if bracket else "")
    name = path.name.removesuffix(".gz").removesuffix(".csv")
    return Series(name, frame, target, unit, known.source, zone, inserted)


# ------------------------------------------------------------------------------------- finding the file


def _data_folder() -> Path:
    given = os.environ.get("LSTM_LIB_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parent.parent / "data"
    if not folder.is_dir():
        remedy = (
            "LSTM_LIB_DATA points there; correct or unset it."
            if given
            else (
                "The embedded series are part of the repository, not of the installed package: work in a "
                "checkout (pip install -e .), or set the environment variable LSTM_LIB_DATA to its data folder."
            )
        )
        raise FileNotFoundError(f"There is no data folder {folder}. {remedy}")
    return folder


def _locate(name_or_path: str | os.PathLike[str]) -> tuple[Path, _Known | None]:
    """The file meant, and what is known of it if it is embedded."""
    name = os.fspath(name_or_path)
    if name in _EMBEDDED:
        path = _data_folder() / f"{name}.csv.gz"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; make it again with: python data/make_{name}.py")
        return path, _EMBEDDED[name]
    path = Path(name).expanduser()
    if path.is_file():
        return path, None
    if not path.suffix and len(path.parts) <= 1:
        choose(name, _EMBEDDED, "series", "For a file of your own give its path, such as 'data/mine.csv'. ")
    if path.is_dir():
        raise SeriesError(f"{path} is a folder; give the path of a CSV file in it.")
    if path.is_absolute():
        raise FileNotFoundError(f"There is no file {path}.")
    inside = _data_folder() / path
    if not inside.is_file():
        there = sorted(p.name for p in inside.parent.glob("*.csv*")) if inside.parent.is_dir() else []
        raise FileNotFoundError(
            f"There is no file {path} in {Path.cwd()}, nor in the data folder "
            f"{_data_folder()}, which holds {', '.join(there) or 'no CSV file'}."
        )
    return inside, None


def _read_text(path: Path) -> pd.DataFrame:
    """The file as text; the index is the line number. Blank lines are passed over, but counted."""
    rows, lines = [], []
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for fields in reader:
                rows.append([field.strip() for field in fields])
                lines.append(reader.line_num)
    except (csv.Error, UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SeriesError(
            f"{path.name} can't be read as a CSV in UTF-8, after line {len(rows)}: {error}"
        ) from error
    header = next((row for row in rows if any(row)), [])
    table = [(line, row) for line, row in zip(lines, rows, strict=True) if any(row) and row is not header]
    if not header:
        raise SeriesError(f"{path.name} is empty; expected a header line and rows.")
    if len(header) == 1 and re.search("[;\t]", header[0]):
        raise SeriesError(
            f"{path.name}: the header is one single column, {header[0]!r}; save it with "
            f"commas between columns and points in numbers."
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise SeriesError(
            f"{path.name}: the header names column {twice[0]!r} more than once; rename one of them."
        )
    if not table:
        raise SeriesError(f"{path.name} has a header but no rows.")
    for line, row in table:
        if len(row) != len(header):
            raise SeriesError(
                f"{path.name}: line {line} has {len(row)} fields, the header has "
                f"{len(header)}; was the file cut off, or is a comma missing or too many?"
            )
    return pd.DataFrame([row for _, row in table], [line for line, _ in table], header, dtype=str)


def _time_column(text: pd.DataFrame, time: str | None, where: str) -> str:
    if time is not None:
        return choose(time, text.columns, "column", where)
    found = [c for c in text.columns if c.lower() in _TIME_NAMES]
    if len(found) == 1:
        return str(found[0])
    raise SeriesError(
        f"{where}{'no column is' if not found else 'several columns are'} called like a time; "
        f"give time=..., one of {', '.join(map(repr, text.columns))}."
    )


def _stamps(text: pd.Series, zone: str, where: str) -> pd.DatetimeIndex:
    """Text to UTC stamps, strictly increasing."""

    def refuse(bad: npt.ArrayLike, why: str) -> None:
        bad = np.asarray(bad)
        if bad.any():
            row = int(bad.argmax())
            raise SeriesError(
                f"{where}line {text.index[row]}, column {text.name!r}: {text.iloc[row]!r} {why}"
            )

    aware = text.str.contains(r"(?:Z|:\d\d(?:\.\d+)?[+-]\d\d(?::?\d\d)?)$", regex=True).to_numpy(dtype=bool)
    refuse(
        pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).isna().to_numpy(),
        "is not a stamp; expected the form 2016-07-15 00:00, with or without an offset such as +00:00.",
    )
    refuse(
        aware != aware[0],
        f"{'has no' if aware[0] else 'has an'} offset, unlike the first stamp; give "
        f"all of them the same form.",
    )
    stamps = pd.DatetimeIndex(pd.to_datetime(text, format="ISO8601", utc=bool(aware[0])))
    if not aware[0]:
        local = stamps.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
        refuse(
            local.isna(),
            f"occurs twice or not at all in {zone}, at a change of the clocks. Export the "
            f"series in UTC or at a fixed offset, and give that zone: timezone='UTC', or "
            f"'Etc/GMT-1' for UTC+1.",
        )
        stamps = local.tz_convert("UTC")
    stamps = stamps.as_unit("us")
    since = np.diff(stamps.asi8, prepend=stamps.asi8[:1] - 1)
    refuse(since == 0, f"repeats the stamp before it; keep one of the two rows. {_CLOCKS}")
    refuse(since < 0, f"is earlier than the stamp before it; sort the rows by time. {_CLOCKS}")
    return stamps


def _grid(
    text: pd.Series, stamps: pd.DatetimeIndex, step: str | pd.Timedelta | None, where: str
) -> pd.DatetimeIndex:
    """The regular grid from the first to the last stamp, after checking that every stamp lies on it."""
    if len(stamps) < 2:
        raise SeriesError(f"{where}only 1 row; a series needs at least 2.")
    gaps, counts = np.unique(np.diff(stamps.asi8), return_counts=True)
    try:
        width = pd.Timedelta(int(gaps[counts.argmax()]), "us") if step is None else pd.Timedelta(step)
    except ValueError as error:
        raise SeriesError(
            f"step={step!r} is not a length of time; give one such as '1h' or '15min'."
        ) from error
    if not width > pd.Timedelta(0):
        raise SeriesError(f"step={step!r} has to be longer than nothing, such as '1h'.")
    off = (stamps - stamps[0]) % width != pd.Timedelta(0)
    if off.any():
        row = int(off.argmax())
        raise SeriesError(
            f"{where}line {text.index[row]}, column {text.name!r}: {text.iloc[row]!r} is not "
            f"a whole number of steps of {width} after the first stamp {text.iloc[0]!r}. "
            f"Bring the series to a regular grid first, or give step=..."
        )
    rows = int((stamps[-1] - stamps[0]) / width) + 1
    if rows > 10 * len(stamps):
        raise SeriesError(
            f"{where}{len(stamps)} rows for {rows} steps of {width} from {stamps[0]} to "
            f"{stamps[-1]}: more than nine in ten are missing. Look for a wrong year, or give "
            f"step=..."
        )
    return pd.date_range(stamps[0], periods=rows, freq=width, name="time")


def _numbers(text: pd.Series, where: str) -> Array:
    """Text to float64; empty is NaN, anything else that isn't a finite number is refused."""
    values = np.asarray(pd.to_numeric(text, errors="coerce"), dtype=np.float64)
    missing = text.str.lower().isin(_MISSING).to_numpy()
    bad = (np.isnan(values) & ~missing) | np.isinf(values)
    if bad.any():
        row = int(bad.argmax())
        given = text.iloc[row]
        remedy = (
            "write decimals with a point"
            if re.fullmatch(r"-?\d+,\d+", given)
            else (
                "correct it, leave the field empty for a missing value, or leave the column out with "
                "columns=[...]"
            )
        )
        raise SeriesError(
            f"{where}line {text.index[row]}, column {text.name!r}: {given!r} is not a finite "
            f"number ({int(bad.sum())} such in the column); {remedy}."
        )
    return values

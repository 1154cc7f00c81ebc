"""From a file to a `Series`, with each check on the way.

A refusal names the file, line or column, what was given, what was expected, and what to do. Nothing is
repaired in silence. A CSV is read row by row, and only the columns asked for are kept, as numbers: a large file
needs no more memory than its table. Every number is the float64 nearest to its text.
"""

from __future__ import annotations

import csv
import gzip
import math
import os
import re
import zlib
from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, repeat
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Values, grid, zone_of
from lstm_lib.series.faults import Finding
from lstm_lib.series.layouts import EMBEDDED, Known, describe, plain, recognise
from lstm_lib.series.refusal import SeriesError, choose, listed, several
from lstm_lib.series.stamps import ClockChange, Repeated, Stamps, read_stamps
from lstm_lib.series.table import Series

_TIME_NAMES = ("time", "datetime", "date", "timestamp", "date_time", "date and time (utc)")
_MISSING = ("", "na", "nan", "n/a", "null", "none")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# Plain numbers and empty fields, joined by \0; longer ones may be more than a float can hold.
_PLAIN = re.compile(r"(?:[-+0-9.]{0,300}\0)*[-+0-9.]{0,300}")
_CORRECT = "correct it, leave the field empty for a missing value, or leave the column out with columns=[...]"
_SWAPPED = str.maketrans(",.", ".,")
_KIND = re.compile(r"\.(csv|csv\.gz|parquet|pq)$", re.IGNORECASE)
# The embedded series stand inside the package, so that a wheel has them.
PACKAGED = Path(__file__).resolve().parents[1] / "data"


def load_series(
    name_or_path: str | os.PathLike[str],
    *,
    target: str | None = None,
    time: str | Sequence[str] | None = None,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    timezone: str | None = None,
    unit: str | None = None,
    step: str | pd.Timedelta | None = None,
    calendar: Sequence[str] = (),
    stamps_in: str | None = None,
    stamped: Literal["start", "end"] = "start",
    stamp_format: str | None = None,
    rounded: str | pd.Timedelta | None = None,
    clock_change: ClockChange = "refuse",
    repeated: Repeated = "refuse",
    separator: str = ",",
    decimal: Literal[".", ","] = ".",
) -> Series:
    """Load "sceaux" or "fontana", "drahix" from your data folder, or a CSV (plain or .gz) or Parquet file of yours.

    Parameters
    ----------
    name_or_path : an embedded series; a path; the name of a file in your data folder; or a folder with one such file.
        Your data folder is the one that the environment variable LSTM_LIB_DATA names; without it `data/` of the
        checkout, or of the current folder where lstm_lib was installed without a checkout.
    target : the column to forecast; needed for a file with several number columns of no known layout.
    time : the column of stamps; found by its name if it is called time, date, datetime, timestamp ... Two columns,
        such as ["Date", "Time"], where the time of day stands in one of its own.
    columns : the columns to load, and always the target; None loads all. {"name in file": "new name"} renames them.
    timezone : the local time zone, for the calendar and for stamps without an offset; None takes what is known of the
        file, else "UTC".
    unit : the target's; None takes what is known, or what stands in brackets in the target's name.
    step : the grid, such as "15min"; None takes the most frequent difference between stamps.
    calendar : any of "hour", "weekday": adds hour_sin, hour_cos, ... computed in local time.
    stamps_in : the zone of stamps without an offset, if it is not `timezone`: such as "UTC".
    stamped : whether a stamp marks the "start" or the "end" of its period; a Series has starts. At the "end" 24:00
        is 00:00 of the next day. Of periods such as "00:00 - 01:00" the begin is taken.
    stamp_format : the form of the stamps, such as "%d/%m/%Y %H:%M"; "unix" for seconds since 1970 (or
        milliseconds ..., by their size), "excel" for day numbers of a spreadsheet. None takes ISO 8601, and what can be
        meant in one way only.
    rounded : "1s", "1min" ...: round stamps to whole ones. None rounds by 5 ms at most, to the second.
    clock_change : what to do with a local stamp that occurs twice or not at all where clocks change. An hour that the
        file shows twice, as a whole and in order, is understood. Else "refuse", or leave the rows out ("missing").
    repeated : what to do with a stamp that is repeated: "refuse", take the "first" or the "last" of its rows, or make
        its values "missing".
    separator, decimal : ";" and "," for many a European file.

    Stamps missing from the grid become rows of NaN and are counted in `Series.inserted`. An empty field (or NA, NaN,
    null, none) is a missing value. Nothing else is repaired: text or infinity in a number column, a stamp that is
    unreadable, repeated, out of order, off the grid, or on a clock change raises SeriesError with its line number. A
    file or folder that isn't there raises FileNotFoundError. What was recognised and done stands in `Series.notes`.

    >>> sceaux = load_series("sceaux", columns=["power", "voltage"], calendar=["hour"])
    >>> sceaux
    Series 'sceaux': 34589 rows every 1 h, 2006-12-16 16:00 to 2010-11-26 20:00 UTC
      target 'power' [kW], 438 missing; 0 rows inserted; local time Etc/GMT-1
      columns: power, voltage, hour_sin, hour_cos
    """
    choose(stamped, ("start", "end"), "way to stamp a period, stamped =")
    path, known = file_of(name_or_path), EMBEDDED.get(os.fspath(name_or_path))
    where, table = f"{path.name}: ", _open(path, separator, decimal)
    times = _time_columns(table.header, time, where)
    others = [column for column in table.header if column not in times]
    known = known or recognise(path.name, table.header) or Known()
    notes = [describe(known, others)] if known.title else []
    renamed, target = _chosen(columns, target, known, others, where)
    text, values, refusal = table.read(times, list(renamed))
    zone = zone_of(timezone or known.timezone)
    told = stamps_in or known.stamps_in or timezone
    clock, beside = zone_of(told or "UTC"), "" if len(times) > 1 else _clock_column(table.first, others)
    stamps = read_stamps(
        text, clock, where, stamp_format, clock_change, repeated,
        stamped=stamped, step=step, rounded=rounded, local=zone, beside=beside,
    )  # fmt: skip
    if refusal:
        raise SeriesError(refusal)
    index = grid(text[stamps.keep], stamps.index, step, where, zone)
    names = list(renamed.values())
    frame = pd.DataFrame(values[stamps.keep], stamps.index, names)
    if repeated == "missing":
        frame[stamps.several] = np.nan
    frame = frame.reindex(index)

    units = {new: known.units.get(old) or _bracket(old) for old, new in renamed.items()}
    units[target] = units[target] if unit is None else unit
    rule = f"the stamp is repeated in the file; read with repeated={repeated!r}"
    series = Series(
        _KIND.sub("", path.name),
        frame,
        target,
        units[target],
        known.source,
        zone,
        len(index) - len(stamps.index),
        {column: its for column, its in units.items() if its},
        notes=(*notes, *_said(stamps, told, stamped, repeated)),
        found=tuple(
            Finding("duplicate", tuple(names), row, row + 1, "several rows, one stamp", rule)
            for row in index.get_indexer(stamps.index[stamps.several]).tolist()
        ),
    )
    return series.with_calendar(*several(calendar))


# --------------------------------------------------------------------------------------- what was asked for


def _time_columns(header: list[str], time: str | Sequence[str] | None, where: str) -> list[str]:
    """The column of stamps, or those of the date and of the time of day."""
    if time is not None:
        times = [_column(name, header, where) for name in several(time)]
        if not times or len(set(times)) < len(times):
            raise SeriesError(
                f"{where}time={time!r} was given; expected one column, or one of dates and one of times."
            )
        return times
    found = [column for column in header if column.lower() in _TIME_NAMES]
    if len(found) == 1:
        return found
    many = "several columns are" if found else "no column is"
    names = ", ".join(map(repr, header))
    both = f" Where the time of day stands in a column of its own, give both: time={found}." if found else ""
    raise SeriesError(f"{where}{many} called like a time; give time=..., one of {names}.{both}")


def _clock_column(first: Mapping[str, str], others: Iterable[str]) -> str:
    """The first column that begins with a time of day, or ""."""
    times = (
        column for column in others if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?", first[column])
    )
    return next(times, "")


def _column(name: str, header: Sequence[str], where: str) -> str:
    """A column of the file by its name, whose blanks need not be counted."""
    alike = [column for column in header if plain(column) == plain(str(name))]
    return alike[0] if len(alike) == 1 else choose(name, header, "column", where)


def _chosen(
    columns: Sequence[str] | Mapping[str, str] | None,
    target: str | None,
    known: Known,
    header: list[str],
    where: str,
) -> tuple[dict[str, str], str]:
    """Columns of the file by their new names, the target among them, and the target's new name."""
    asked = header if columns is None else several(columns)
    new = columns if isinstance(columns, Mapping) else {}
    renamed = {_column(name, header, where): new.get(name, name) for name in asked}
    names = list(renamed.values())
    if len(set(names)) < len(names) or len(renamed) < len(asked):
        raise SeriesError(f"{where}columns={names} names one column twice; give each its own name.")
    if target is None and not (target := known.target or (names[0] if len(names) == 1 else "")):
        there = ", ".join(map(repr, names))
        raise SeriesError(f"{where}which column is to be forecast? Give target=..., one of {there}.")
    if target in names:
        return renamed, target
    old = _column(target, header, where)
    renamed = renamed if old in renamed else {old: old} | renamed
    return renamed, renamed[old]


def _bracket(name: str) -> str:
    """The unit in a column's name, such as "Usage [kW]"."""
    found = re.search(r"[\[(]([^\])]+)[\])]", name)
    return found[1] if found else ""


def _said(stamps: Stamps, told: str | None, stamped: str, repeated: str) -> Iterator[str]:
    """What was understood of the stamps, as far as it isn't plain from the file."""
    if not stamps.offset:
        guess = told or "UTC, since neither timezone nor stamps_in was given"
        yield f"stamps carry no offset and were read as {guess}"
    if stamped == "end":
        yield "stamps mark the end of their period and were put to its start"
    yield from stamps.notes
    if left := stamps.doubtful:
        yield f"{len(left)} rows left out at changes of the clocks: {listed(left, 4)}"
    if stamps.several.any():
        yield f"{stamps.several.sum()} stamps were repeated; taken as asked: repeated={repeated!r}"


# ---------------------------------------------------------------------------------------- finding the file


def _own_folder() -> Path:
    """Where the user's own files are looked for; the folder need not be there unless it was named."""
    if given := os.environ.get("LSTM_LIB_DATA"):
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise FileNotFoundError(
                f"There is no data folder {folder}. LSTM_LIB_DATA points there; correct or unset it."
            )
        return folder
    checkout = Path(__file__).resolve().parents[2] / "data"
    return checkout if (checkout / "make_sceaux.py").is_file() else Path.cwd() / "data"


def file_of(name_or_path: str | os.PathLike[str]) -> Path:
    """The file that `load_series` reads for this name or path; FileNotFoundError where there is none."""
    name = os.fspath(name_or_path)
    if name in EMBEDDED:
        path = PACKAGED / f"{name}.csv.gz"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing. Install lstm_lib again, or in a checkout make it with: python data/make_{name}.py"
            )
        return path
    if name.lower() == "drahix":
        return _only(_own_folder(), "drahix")
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        return _only(path)
    if not path.suffix and len(path.parts) <= 1:
        choose(name, EMBEDDED, "series", "For a file of your own give its path, such as 'data/mine.csv'. ")
    if path.is_absolute():
        raise FileNotFoundError(f"There is no file {path}.")
    inside = _own_folder() / path
    if not inside.is_file():
        there = listed(p.name for p in _tables(inside.parent)) or "no CSV or Parquet file"
        raise FileNotFoundError(
            f"There is no file {path} in {Path.cwd()}, nor in the data folder {_own_folder()}, where there is {there}. "
            "Give the whole path, or set LSTM_LIB_DATA to the folder of your files."
        )
    return inside


def _tables(folder: Path) -> list[Path]:
    """The CSV and Parquet files in a folder; none where there is no folder."""
    return sorted(p for p in folder.glob("*") if _KIND.search(p.name) and p.is_file())


def _only(folder: Path, part: str = "") -> Path:
    """The one file of the user's in a folder, with `part` in its name."""
    own = [p for p in _tables(folder) if _KIND.sub("", p.name) not in EMBEDDED and part in p.name.lower()]
    if len(own) == 1:
        return own[0]
    if part and not own:
        raise FileNotFoundError(
            f"There is no file with {part!r} in its name in the data folder {folder}. The laboratory's series may not "
            "be redistributed; whom to ask for it: e4c_datahub@ip-paris.fr. Put the file into that folder, or set "
            "LSTM_LIB_DATA to the folder where it is."
        )
    holds = f"holds {listed(p.name for p in own)}; give the path of one" if own else "holds none"
    raise SeriesError(f"{folder} is a folder; of CSV and Parquet files of yours it {holds}.")


# ------------------------------------------------------------------------------------------ what is in a file


class _Numbers:
    """Fields read as numbers; of each column the first field that is none, and how many there are."""

    def __init__(self, where: str, decimal: str = ".") -> None:
        self.where, self.decimal, self.bad = where, decimal, dict[str, tuple[int, str, int]]()

    def read_line(self, fields: list[str], columns: list[str], line: int) -> Iterable[float]:
        """The numbers of a line, quickly where all are plain."""
        with suppress(ValueError):  # such as "1.2.3"
            if self.decimal == "." and _PLAIN.fullmatch("\0".join(fields)):
                return [float(field) if field else math.nan for field in fields]
        return map(self.read, fields, columns, repeat(line))

    def read(self, text: str, column: str, row: int) -> float:
        """The number that a field holds; NaN for a missing value, and for what is neither, which is noted."""
        if text.lower() in _MISSING:
            return math.nan
        written = text if self.decimal == "." else text.translate(_SWAPPED)
        if _NUMBER.fullmatch(written) and math.isfinite(number := float(written)):
            return number
        self.note(text, column, row)
        return math.nan

    def note(self, text: str, column: str, row: int, count: int = 1) -> None:
        """So many fields of a column are no numbers, from this one on."""
        first, what, before = self.bad.get(column, (row, text, 0))
        self.bad[column] = first, what, before + count

    def refusal(self, columns: list[str]) -> str:
        """Why the columns can't be used; empty if they can."""
        column = next((column for column in columns if column in self.bad), None)
        if column is None:
            return ""
        row, text, count = self.bad[column]
        such = f"{text!r} is not a finite number ({count} such in the column)"
        remedy = "write decimals with a point" if re.fullmatch(r"-?\d+,\d+", text) else _CORRECT
        return f"{self.where} {row}, column {column!r}: {such}; {remedy}."


class _Csv:
    """A CSV. Blank lines are passed over, but counted."""

    def __init__(self, path: Path, separator: str, decimal: str) -> None:
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise SeriesError(
                f"separator={separator!r} was given; expected one character, such as ',' or ';'."
            )
        choose(decimal, (".", ","), "decimal sign")
        if separator == decimal:
            raise SeriesError(f"{separator!r} can't both separate columns and mark decimals.")
        self.path, self.separator, self.decimal, self.header = path, separator, decimal, list[str]()
        rows = self._rows()
        self.header = next(rows, (0, self.header))[1]
        if not self.header:
            raise SeriesError(f"{path.name} is empty; expected a header line and rows.")
        if len(self.header) == 1 and (other := re.search("[,;\t]", self.header[0])):
            raise SeriesError(
                f"{path.name}: the header is one single column, {self.header[0]!r}; save it with commas between "
                f"columns and points in numbers, or give separator={other[0]!r} and the decimal sign, "
                "decimal='.' or ','."
            )
        if (row := next(rows, None)) is None:
            raise SeriesError(f"{path.name} has a header but no rows.")
        self.first = dict(zip(self.header, row[1], strict=True))
        rows.close()

    def _rows(self) -> Generator[tuple[int, list[str]]]:
        """Line number and stripped fields of every line that isn't blank; all have as many as the header."""
        done, width = 0, len(self.header)
        try:
            opened = gzip.open if self.path.suffix == ".gz" else open
            with opened(self.path, "rt", encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, strict=True, delimiter=self.separator)
                for row in reader:
                    done, fields = reader.line_num, [field.strip() for field in row]
                    if not any(fields):
                        continue
                    width = width or len(fields)
                    if len(fields) != width:
                        raise SeriesError(
                            f"{self.path.name}: line {done} has {len(fields)} fields, the header has {width}; "
                            "was the file cut off, or is a comma missing or too many?"
                        )
                    yield done, fields
        except (csv.Error, UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise SeriesError(
                f"{self.path.name} can't be read as a CSV in UTF-8, after line {done}: {error}"
            ) from error

    def read(self, times: list[str], names: list[str]) -> tuple[pd.Series, Values, str]:
        """The stamps as text, indexed by line; the numbers (rows, columns); and why they can't be used, or ""."""
        at, picked = ([self.header.index(name) for name in each] for each in (times, names))
        lines, stamps, flat = list[int](), list[str](), array("d")
        numbers = _Numbers(f"{self.path.name}: line", self.decimal)
        for line, fields in islice(self._rows(), 1, None):
            lines.append(line)
            stamps.append(" ".join([fields[k] for k in at]))
            flat.extend(numbers.read_line([fields[k] for k in picked], names, line))
        values = np.frombuffer(flat, dtype=np.float64).reshape(len(lines), len(names))
        text = pd.Series(stamps, pd.Index(lines, name="line"), dtype=str, name=" ".join(times))
        return text, values, numbers.refusal(names)


class _Parquet:
    """A Parquet file. Its dates may also be the index of the table that was saved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            frame = pd.read_parquet(path)
        except ImportError as error:
            raise SeriesError(
                f'{path.name}: reading Parquet needs the package pyarrow: pip install "lstm_lib[study]"'
            ) from error
        except (ValueError, OSError) as error:
            raise SeriesError(f"{path.name} can't be read as a Parquet file: {error}") from error
        if isinstance(frame.index, pd.DatetimeIndex):
            frame = frame.reset_index(names="time" if frame.index.name is None else str(frame.index.name))
        self.frame = frame.set_axis([str(column).strip() for column in frame.columns], axis=1)
        self.header = list(self.frame.columns)
        if frame.empty:
            raise SeriesError(f"{path.name} has no rows.")
        self.first = {column: str(self.frame[column].iloc[0]) for column in dict.fromkeys(self.header)}

    def read(self, times: list[str], names: list[str]) -> tuple[pd.Series, Values, str]:
        """The stamps, indexed by row; the numbers (rows, columns); and why they can't be used, or ""."""
        rows = pd.RangeIndex(1, len(self.frame) + 1, name="row")
        numbers = _Numbers(f"{self.path.name}: row")
        values = np.column_stack([self._column(name, numbers) for name in names])
        text = self.frame[times[0]]
        if len(times) > 1:
            text = self.frame[times].astype(str).agg(" ".join, axis=1).rename(" ".join(times))
        return text.set_axis(rows), values, numbers.refusal(names)

    def _column(self, name: str, numbers: _Numbers) -> Values:
        column = self.frame[name]
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            texts = column.astype(object).where(column.notna(), "").astype(str).str.strip()
            return np.array([numbers.read(text, name, row) for row, text in enumerate(texts, start=1)])
        values: Values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        # whole numbers from 2**53 on are rounded by a float64
        rounded = pd.api.types.is_integer_dtype(column) & (np.abs(values) >= 2**53)
        wrong = np.isinf(values) | rounded
        if wrong.any():
            row = int(wrong.argmax())
            numbers.note(str(column.iloc[row]), name, row + 1, int(wrong.sum()))
        return values


def _open(path: Path, separator: str, decimal: str) -> _Csv | _Parquet:
    parquet = path.suffix.lower() in (".parquet", ".pq")
    table = _Parquet(path) if parquet else _Csv(path, separator, decimal)
    if twice := [name for name in table.header if table.header.count(name) > 1]:
        raise SeriesError(
            f"{path.name}: the header names column {twice[0]!r} more than once; rename one of them."
        )
    return table

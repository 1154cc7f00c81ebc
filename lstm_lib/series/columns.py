"""The columns of a table: which hold the stamps, which are loaded, which are no measurements, what is known of them.

A column that nobody asked for and that can't be an input (row numbers, other stamps, time that has passed, one text or
number in all rows, no value) is left out, and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Values
from lstm_lib.series.judging import ENERGY
from lstm_lib.series.layouts import Known, plain
from lstm_lib.series.numbers import Numbers
from lstm_lib.series.refusal import SeriesError, choose, listed, several, shown, skipping
from lstm_lib.series.table import LEVELS

_TIME_NAMES = ("time", "datetime", "date", "timestamp", "date_time", "date and time (utc)")
_UNNAMED = re.compile(r"(Unnamed: \d+(\.\d+)?(_level_\d+)?)?")
_COUNTERS = re.compile(
    r"index|idx|level_\d|obs|(.*[ _.])?(id|n[°ºo]\.?|nr\.?|number|num)|row[ _]?(no|nr|num|number|id)?|#|"
    r"line|ligne|zeile|record|seq|sn",
    re.IGNORECASE,
)
_READINGS = re.compile("index|idx", re.IGNORECASE)  # in French the readings of a meter
_LONG = 24  # rows, from which on a column is taken for row numbers whatever its name
_DATE = re.compile(r"\d{1,4}([-/. ])(\d{1,2}|\w{3,9})\1\d{1,4}|[12]\d{3}[01]\d[0-3]\d")
_TIME = re.compile(r"\d{1,2}[:h]\d\d(:\d\d(\.\d+)?)?( ?[AaPp]\.?[Mm]\.?)?")
_PARTS = ("y|yr|year|yyyy", "m|mo|mon|month|mm", "d|dy|day|dd", "h|hr|hour|hh", "min|minute")
_HOUR = re.compile(r"(hour|hr|he|hh|heure|stunde|hora|uur).* \d\d?", re.IGNORECASE)
_UNITS = {unit.lower(): unit for unit in sorted(LEVELS)} | {
    f"{size}{unit}".lower(): f"{size}{unit}" for size in ("", "k", "M", "G", "T") for unit in ("Wh", "J")
}


def finder(header: Sequence[str], where: str) -> Callable[[object], str]:
    """What finds a column of the file by its name, whose blanks need not be counted."""
    alike: dict[str, list[str]] = {}
    for column in header:
        alike.setdefault(plain(column), []).append(column)

    def find(name: object) -> str:
        found = alike.get(plain(str(name)), [])
        return found[0] if len(found) == 1 else choose(name, header, "column", where)

    return find


def time_columns(
    first: Mapping[str, str], time: str | Sequence[str] | None, where: str, advice: str
) -> list[str]:
    """The column of stamps, or those of the date and of the time of day, of a table with this first row."""
    header = list(first)
    if time is not None:
        missing = [name for name in several(time) if plain(str(name)) not in map(plain, header)]
        if missing and advice:
            raise SeriesError(f"{where}There is no column {missing[0]!r} in the first line. {advice}")
        times = [finder(header, where)(name) for name in several(time)]
        if not times or len(set(times)) < len(times):
            raise SeriesError(
                f"{where}time={time!r} was given; expected one column, or one of dates and one of times."
            )
        return times
    found = [column for column in header if column.lower() in _TIME_NAMES]
    if len(found) == 1:
        return found
    many = "several columns are" if found else "no column is"
    both = f" Where the time of day stands in a column of its own, give both: time={found}." if found else ""
    names = listed(map(shown, header), 40)
    parts = [next((c for c in header if re.fullmatch(part, c, re.I)), "") for part in _PARTS]
    if all(parts[:3]):
        both = f" Where stamps are in several columns, give all: time={[part for part in parts if part]}."
    values = any(re.match(r"\d", column) for column in header)
    holds = " or ".join(shown(column) for column in header if _DATE.match(first[column]))
    if holds and not (both or advice or values):
        both = f" The first row has a stamp there: time={holds}."
    none = " If the first line is a row already, give a name for each column: names=[...]." if values else ""
    raise SeriesError(
        f"{where}{many} called like a time; give time=..., one of {names}.{both}{none}{' ' * bool(advice)}{advice}"
    )


def two_columns(first: Mapping[str, str], time: str, others: Iterable[str]) -> str:
    """What to give, by the first row, where `time` holds but the date or the time of day; else "".

    >>> two_columns({"day": "16/12/2006", "clock": "17:24:00", "load": "4.2"}, "day", ["clock", "load"])
    "the time of day stands in another column: give time=['day', 'clock']"
    """
    date, clock = (
        next((name for name in others if form.fullmatch(first[name])), "") for form in (_DATE, _TIME)
    )
    clock = clock or next((name for name in others if _HOUR.fullmatch(f"{name} {first[name]}")), "")
    if clock and _DATE.fullmatch(first[time]):
        return f"the time of day stands in another column: give time={[time, clock]}"
    if date and _TIME.fullmatch(first[time]):
        return f"the date stands in another column: give time={[date, time]}"
    return ""


def chosen(
    columns: Sequence[str] | Mapping[str, str] | None,
    target: str | None,
    known: Known,
    header: list[str],
    where: str,
) -> tuple[dict[str, str], str]:
    """Columns of the file by their new names, and the target's new name, "" where it has to be seen yet."""
    asked = header if columns is None else several(columns)
    new = columns if isinstance(columns, Mapping) else {}
    find = finder(header, where)
    renamed = {find(name): new.get(name, name) for name in asked}
    names = list(renamed.values())
    if len(set(names)) < len(names) or len(renamed) < len(asked):
        raise SeriesError(f"{where}columns={names} names one column twice; give each its own name.")
    if not (target := target if target is not None else known.target) or target in names:
        return renamed, target
    old = find(target)
    renamed = renamed if old in renamed else {old: old} | renamed
    return renamed, renamed[old]


def no_inputs(frame: pd.DataFrame, target: str, numbers: Numbers, only: Mapping[str, str]) -> dict[str, str]:
    """The columns of texts, of which nobody asked for one, that can't be an input, and why."""
    rows, found = len(frame), dict[str, str]()
    empty = frame.isna().all()
    for name in map(str, frame):
        if target and name == target:
            continue
        bad = numbers.bad.get(name)
        if name in only:
            found[name] = f"it is {shown(only[name], 60)} in all rows"
        elif empty[name] and bad is None and _UNNAMED.fullmatch(name):
            found[name] = "it has no name and no values"
        elif empty[name] and bad is not None and bad.count in {rows, max(bad.count, 2)}:
            if bad.words == [bad.text] and not bad.number:
                where = "in all rows" if bad.count == rows else "where it says anything"
                found[name] = f"it is {shown(bad.text, 60)} {where}"
            elif bad.stamps:
                found[name] = f"it holds stamps, such as {shown(bad.text, 60)}"
    return found


def counters(frame: pd.DataFrame, target: str, stamps: pd.DatetimeIndex, timezone: str) -> dict[str, str]:
    """The columns of numbers, of which nobody asked for one, that can't be an input, and why; never all of them.

    Such a one says what the row numbers or the stamps say, or the same in all rows, or nothing. Whole numbers that are
    called like row numbers may leave some out, as those of a database do, and begin again.

    stamps : of the rows, in UTC, (n,).

    >>> stamps = pd.date_range("2021-01-01", periods=30, freq="h", tz="UTC")
    >>> frame = pd.DataFrame({"load": np.arange(30) % 7, "hours": np.arange(30) / 2})
    >>> counters(frame, "load", stamps, "UTC")
    {'hours': 'it counts the rows'}
    """
    rows, found, lines = np.arange(len(frame)), dict[str, str](), dict[str, str]()
    times = [at.as_unit("s").asi8 for at in (stamps, stamps.tz_convert(timezone).tz_localize(None))]
    for name in map(str, frame):
        here = frame[name].notna().to_numpy()
        known, long = (
            frame[name].to_numpy()[here],
            len(rows) >= _LONG or _COUNTERS.fullmatch(name) is not None,
        )
        if (target and name == target) or known_unit(unit_in(name)):
            continue
        if not here.any():
            found[name] = "it has no value"
        elif long and len(known) > 1 and known[0] and known[0] % 1 == 0 and (known == known[0]).all():
            found[name] = f"it is {known[0]:.15g} in all rows"
        elif _are_days(known):
            found[name] = f"it holds stamps, such as {known[0]:.15g}"
        elif _counts(name, known) or (long and known[0] % 1 == 0 and (np.diff(known) == 1).all()):
            found[name] = "it counts the rows"
        elif len(rows) >= _LONG and _is_line(known, rows[here]):
            lines[name] = "it counts the rows"
        elif len(rows) >= _LONG and any(_is_line(known, at[here]) for at in times):
            lines[name] = "it counts the time that has passed"
    return next((some for some in (found | lines, found) if len(some) < frame.shape[1]), {})


def _counts(name: str, known: Values) -> bool:
    """Whether a column that is called like row numbers, or not at all, has such."""
    steps = np.diff(known)
    if not len(steps) or (known % 1).any():
        return False
    one = ((steps == 1) | (known[1:] == known[0])).all() or (steps == -1).all()
    if _READINGS.fullmatch(name):
        return bool(one)
    more = ((steps >= 1) | (known[1:] == known[0])).all() or (steps <= -1).all()
    return bool(
        (steps != 0).any() and (_COUNTERS.fullmatch(name) or _UNNAMED.fullmatch(name)) and (one or more)
    )


def _is_line(values: Values, at: np.ndarray) -> bool:
    """Whether values are those of a straight line, to the last digit that they are written with.

    >>> _is_line(np.array([0.1, 0.18, 0.27, 0.35]), np.arange(4)), _is_line(np.array([0.1, 0.2, 0.4]), np.arange(3))
    (True, False)
    """
    rise, run = values[-1] - values[0], at - at[0]
    if (len(values) < _LONG // 2 and len(values) < len(at)) or not rise or not run[-1]:
        return False
    digits = next((k for k in range(10) if np.array_equal(values.round(k), values)), 10)
    step, size = abs(rise) / (len(values) - 1), float(np.abs(values).max())
    off = np.abs(values - values[0] - rise * (run / run[-1])).max()
    return bool(off <= max(min(10.0**-digits, step / 10), 1e-12 * size))


def _are_days(known: Values) -> bool:
    """Whether numbers are dates, such as 20210301, or with the time of day 202103010930."""
    if len(known) < 3 or (known % 1).any() or (np.diff(known) < 0).any() or not 1e7 < known[0] < 1e14:
        return False
    digits = len(f"{known[0]:.0f}")
    day = (known // 10.0 ** (digits - 8)).astype(np.int64)
    year, month, of_month = day // 10_000, day // 100 % 100, day % 100
    return digits in (8, 10, 12, 14) and all(
        ((low <= its) & (its <= high)).all()
        for its, low, high in ((year, 1900, 2100), (month, 1, 12), (of_month, 1, 31))
    )


def the_target(left: Sequence[str], aside: Mapping[str, str], where: str) -> str:
    """The one column that is left; SeriesError where there are several, or none."""
    if len(left) == 1:
        return left[0]
    if not left:
        out = "; ".join(f"{name!r}: {why}" for name, why in aside.items())
        raise SeriesError(
            f"{where}no column of numbers is left ({out}); give target=... to load one all the same."
        )
    raise SeriesError(
        f"{where}which column is to be forecast? Give target=..., one of {listed(map(shown, left), 40)}."
    )


def known_unit(text: str) -> str:
    """A unit as it is usually written, or ""."""
    text = re.sub(r"^(en|in)\s+", "", text.strip().strip("[]()"))
    return text if text in LEVELS or ENERGY.fullmatch(text) else _UNITS.get(text.lower(), "")


def unit_in(name: str) -> str:
    """The unit in brackets in a column's name.

    >>> unit_in("Usage [kW]"), unit_in("Load (DE) [MW]"), unit_in("Valeur (en Kw)"), unit_in("Load (per day)")
    ('kW', 'MW', 'kW', '')
    """
    inside = re.findall(r"[\[(]([^][()]+)[\])]", name)
    units = (unit for text in inside if (unit := known_unit(text)))
    return next(units, inside[0] if inside and " " not in inside[0] else "")


def refuse_words(
    text: pd.Series, frame: pd.DataFrame, numbers: Numbers, where: str, left_out: Iterable[int]
) -> None:
    """Refuse a stamp without a digit, or of more signs than any has: a line of units, of totals, a header again."""
    if pd.api.types.is_datetime64_any_dtype(text.dtype):
        return
    bad = ~text.fillna("").astype(str).str.contains(r"\d").to_numpy(bool) | (text.astype(str).str.len() > 200)
    if bad.any():
        row, lines = int(bad.argmax()), text.index[bad]
        words = [bad.text for bad in numbers.bad.values() if bad.at == row]
        skip = skipping(left_out, map(int, lines[:20]))
        remedy = f"correct it, or leave {'it' if len(lines) == 1 else 'such lines'} out: skip={skip}"
        if words and frame.iloc[row].isna().all():
            remedy = f"the line holds no value, but {listed(map(shown, words), 4)}; leave it out: skip={skip}"
            units = [unit for word in words if (unit := known_unit(word))] if row == 0 else []
            remedy += f", and say the unit: unit={units[0]!r}" if units else ""
        place = f"{where}{text.index.name} {lines[0]}, column {text.name!r}"
        raise SeriesError(f"{place}: {shown(text.iloc[row])} is not a stamp; {remedy}.")

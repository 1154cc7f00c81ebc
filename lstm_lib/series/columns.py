"""The columns of a table: which hold the stamps, which are loaded, which are no measurements, what is known of them.

A column that nobody asked for and that can't be an input (row numbers, one text in all rows, other stamps) is left out,
and a note says so.
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
from lstm_lib.series.refusal import SeriesError, choose, listed, several, shown
from lstm_lib.series.table import LEVELS

_TIME_NAMES = ("time", "datetime", "date", "timestamp", "date_time", "date and time (utc)")
_UNNAMED = re.compile(r"(Unnamed: \d+(\.\d+)?(_level_\d+)?)?")
_COUNTERS = re.compile(
    r"(index|level_\d|id|row|row[ _]?(number|num|no|nr|id)|#|n[°ºo]\.?|nr\.?|line|ligne|zeile|record|seq|sn|obs)",
    re.IGNORECASE,
)
_LONG = 24  # rows, from which on a column is taken for row numbers whatever its name
_DATE = re.compile(r"\d{1,4}([-/. ])(\d{1,2}|\w{3,9})\1\d{1,4}|[12]\d{3}[01]\d[0-3]\d")
_TIME = re.compile(r"\d{1,2}[:h]\d\d(:\d\d(\.\d+)?)?( ?[AaPp]\.?[Mm]\.?)?")
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
    header: Sequence[str], time: str | Sequence[str] | None, where: str, advice: str
) -> list[str]:
    """The column of stamps, or those of the date and of the time of day."""
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
    values = any(re.match(r"\d", column) for column in header)
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


def no_inputs(
    names: Sequence[str], target: str, values: Values, numbers: Numbers, only: Mapping[str, str]
) -> dict[str, str]:
    """The columns, of which nobody asked for one, that can't be an input, and why; never all of numbers."""
    rows, found, counted = len(values), dict[str, str](), dict[str, str]()
    for k, name in enumerate(names):
        bad, its = numbers.bad.get(name), values[:, k]
        if target and name == target:
            continue
        if name in only:
            found[name] = f"it is {shown(only[name], 60)} in all rows"
        elif bad is not None and bad.count == rows:
            if bad.words == [bad.text] and not bad.number:
                found[name] = f"it is {shown(bad.text, 60)} in all rows"
            elif bad.stamps:
                found[name] = f"it holds stamps, such as {shown(bad.text, 60)}"
        elif bad is None and _UNNAMED.fullmatch(name):
            steps = np.diff(its)
            whole = bool((its == np.round(its)).all())
            if np.isnan(its).all() and not name:
                found[name] = "it has no name and no values"
            elif whole and rows > 1 and (((steps >= 1) | (its[1:] == its[0])).all() or (steps == -1).all()):
                found[name] = "it counts the rows"
        elif bad is None and rows > 1 and (rows >= _LONG or _COUNTERS.fullmatch(name)) and its[0] % 1 == 0:
            counted |= {name: "it counts the rows"} if np.array_equal(its, its[0] + np.arange(rows)) else {}
    left = [name for name in names if name not in found and name not in counted]
    return found | counted if left else found


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


def refuse_words(text: pd.Series, values: Values, numbers: Numbers, where: str) -> None:
    """Refuse a stamp without a digit, or of more signs than any has: a line of units, of totals, a header again."""
    if pd.api.types.is_datetime64_any_dtype(text.dtype):
        return
    bad = ~text.fillna("").astype(str).str.contains(r"\d").to_numpy(bool) | (text.astype(str).str.len() > 200)
    if bad.any():
        row, lines = int(bad.argmax()), text.index[bad]
        words = [bad.text for bad in numbers.bad.values() if bad.at == row]
        skip = int(lines[0]) if len(lines) == 1 else [int(line) for line in lines[:20]]
        remedy = f"correct it, or leave {'it' if len(lines) == 1 else 'such lines'} out: skip={skip}"
        if words and np.isnan(values[row]).all():
            remedy = f"the line holds no value, but {listed(map(shown, words), 4)}; leave it out: skip={skip}"
            units = [unit for word in words if (unit := known_unit(word))] if row == 0 else []
            remedy += f", and say the unit: unit={units[0]!r}" if units else ""
        place = f"{where}{text.index.name} {lines[0]}, column {text.name!r}"
        raise SeriesError(f"{place}: {shown(text.iloc[row])} is not a stamp; {remedy}.")

"""The ways in which a stamp may be spelt: ISO 8601, a form, a number, a period, midnight as 24:00 or without a time.

A spelling with one meaning is read, and a note says how; one with two is refused with both. A column is spelt in one
way throughout: a single odd field is refused with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Mask, in_days, refuse, usual_step
from lstm_lib.series.forms import SUCH, check_form, written
from lstm_lib.series.refusal import SeriesError

Notes = tuple[str, ...]
Reader = Callable[[pd.Series], pd.DatetimeIndex]

# ISO 8601 with every digit there: pandas also takes 12:0, which may be what is left of 12:05, and a year alone.
_STAMP = r"\d{4}-?\d\d-?\d\d(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:\.\d+)?)?(?: ?(?:Z|[+-]\d\d(?::?\d\d)?))?)?)?"
_OFFSET = r"[T ][\d:.]+ ?(?:Z|[+-][\d:]+)$"
_NUMBER = r"\d+(?:\.\d*)?"
_CUT = r"[:h]\d(?!\d)|[T ]\d\d?\.\d(?![\d.])"
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_BETWEEN = re.compile(r"\s*[-–—/]\s*|\s+(?:to|bis|à|au)\s+")
_YEARS = (1700, 2200)
_DIGITS = {
    10: ("%y%m%d%H%M", "%d%m%y%H%M", "%m%d%y%H%M", "%Y%m%d%H"),
    12: ("%Y%m%d%H%M",),
    14: ("%Y%m%d%H%M%S",),
}
# What the clocks of Europe are called. Only beside the name of summer is it certain that the other means winter.
_CLOCKS = {
    "CET": "+0100", "CEST": "+0200", "MEZ": "+0100", "MESZ": "+0200",
    "WET": "+0000", "WEST": "+0100", "EET": "+0200", "EEST": "+0300",
}  # fmt: skip
_NAMED = r" ?\b([A-Z]{3,4})$"
# The largest number of seconds, and of so much smaller units, that is taken for them: the year 5138.
_Unit = Literal["s", "ms", "us", "ns"]
_UNIX: dict[_Unit, float] = {"s": 1e11, "ms": 1e14, "us": 1e17, "ns": np.inf}
_NAMES: dict[_Unit, str] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def parse(text: pd.Series, form: str | None, where: str, stamped: str) -> tuple[pd.DatetimeIndex, Notes]:
    """Stamps in UTC where they carry an offset, else without a zone; and how they are spelt.

    Parameters
    ----------
    text : the fields, or dates out of a Parquet file; its index numbers the lines or rows.
    form : a form such as "%d/%m/%Y %H:%M", "unix", "excel", or None for what can be recognised.
    stamped : "start" or "end"; of a period that is spelt out the begin is taken.

    Raises SeriesError with the first field that is not a stamp.
    """
    if pd.api.types.is_datetime64_any_dtype(text.dtype):
        refuse(text.isna(), text, where, "is not a stamp.")
        dates = pd.DatetimeIndex(text)
        _in_these_years(dates, text, where)
        return (dates if dates.tz is None else dates.tz_convert("UTC")), ()
    words = text.astype(object).where(text.notna(), "").astype(str)
    if form in ("unix", "excel"):
        words = words.str.replace(r"^(\d{4,}),(?=\d+$)", r"\1.", regex=True)  # no thousands: a decimal comma
        refuse(~words.str.fullmatch(_NUMBER), text, where, f"is not a stamp; expected a number, as {form!r}.")
        stamps, notes = _numbers(words, str(form), where)
        refuse(stamps.isna(), text, where, f"is not a stamp; as {form!r} it is out of range.")
        return stamps, notes
    if (form is None or "%z" in form.lower()) and (names := _clock_names(words)) is not None:
        return _named(words, names, form, text, where, stamped)
    if form is not None:
        check_form(form, where)
        stamps, notes = _spelt(words, _reader(form, where), form, stamped, where)
        refuse(
            stamps.isna(), text, where, f"is not a stamp; expected the form {form!r}.{_ends(words, stamped)}"
        )
        if "%Z" in form:
            _refuse_other_half_year(words, stamps, form, text, where)
        return (stamps if "%z" in form.lower() else stamps.tz_localize(None)), notes
    if words.str.fullmatch(_NUMBER).all() and not words.str.fullmatch(r"\d{8}").all():
        return _recognised_numbers(words, text, where)
    stamps, notes = _spelt(words, _iso, None, stamped, where)
    cut = None if _iso(words[:1]).notna()[0] else _split(words.iloc[0], _iso)
    hours = (
        stamps.isna().any() and words.str.fullmatch(r"\S+ \d\d?").all()
    )  # such as 1 to 24, unlike ISO 8601
    if (stamps.isna()[0] or hours) and (found := _forms(words, stamped, where)):
        form, its = next(iter(found.items()))
        if len(found) > 1:
            k = int(np.argmax(its != [*found.values()][1]))
            ways = " or ".join(
                f"stamp_format={each!r} ({words.iloc[k]} is {at[k]})" for each, at in found.items()
            )
            raise SeriesError(
                f"{where}the stamps of column {text.name!r} can be read in two ways: give {ways}."
            )
        stamps, notes = parse(text, form, where, stamped)
        return stamps, (*notes, f"stamps were read as stamp_format={form!r}")
    like = "2016-07-15 00:00, with or without an offset such as +00:00"
    another = f"for another one give stamp_format, {SUCH}.{_ends(words, stamped)}"
    if stamps.isna().any() and not stamps.isna()[0] and text.index.name == "line":
        another += f" If it is no row of the table, skip={text.index[stamps.isna()][0]} leaves it out."
    refuse(stamps.isna(), text, where, f"is not a stamp; expected the form {like}; {another}")
    offset = (_parts(words, *cut)[0] if cut else words).str.contains(_OFFSET).to_numpy(bool)
    if not cut:
        _periods_or_offsets(words, offset, text, where)
    has = f"{'has no' if offset[0] else 'has an'} offset, unlike the first stamp; give all of them the same form."
    refuse(offset != offset[0], text, where, has)
    return (stamps if offset[0] else stamps.tz_localize(None)), notes


# ---------------------------------------------------------------------------------------------------- one form


def _iso(words: pd.Series) -> pd.DatetimeIndex:
    return _dates(words, "ISO8601", words.str.fullmatch(_STAMP).to_numpy(bool), "")


def _reader(form: str, where: str) -> Reader:
    return lambda words: _dates(words, form, ~words.str.contains(_CUT).to_numpy(bool), where)


def _dates(words: pd.Series, form: str, whole: Mask, where: str) -> pd.DatetimeIndex:
    """Words to UTC, NaT where they are not of this form, or not of these years."""
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(words.where(whole), format=form, errors="coerce", utc=True))
    except (ValueError, OverflowError, re.error) as error:
        raise SeriesError(
            f"{where}stamp_format={form!r} can't be used: {error}; give a form {SUCH}."
        ) from error
    return _known(stamps)


def _only(stamps: pd.DatetimeIndex, mask: Mask, other: pd.DatetimeIndex | None = None) -> pd.DatetimeIndex:
    """The stamps where a mask is true, elsewhere the others or NaT."""
    return pd.DatetimeIndex(stamps.where(mask) if other is None else stamps.where(mask, other))


def _lacks(stamps: pd.DatetimeIndex) -> Mask:
    return np.asarray(stamps.isna())


def _known(stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return _only(stamps, np.asarray((stamps.year >= _YEARS[0]) & (stamps.year <= _YEARS[1])))


def _in_these_years(stamps: pd.DatetimeIndex, text: pd.Series, where: str) -> None:
    bad = (stamps.year < _YEARS[0]) | (stamps.year > _YEARS[1])
    refuse(bad, text, where, f"is not a stamp of the years {_YEARS[0]} to {_YEARS[1]}.")


def _ends(words: pd.Series, stamped: str) -> str:
    late = stamped == "start" and words.str.contains(r"(?<!\d)24(?:\D?00)+(?!\d)|[T ]24$|24h").any()
    return " 24:00 is where a day ends: if stamps mark ends, give stamped='end'." if late else ""


def _forms(words: pd.Series, stamped: str, where: str) -> dict[str, pd.DatetimeIndex]:
    """The forms that all the words have, as the longest of the first is written; each that means something else."""
    found = dict[str, pd.DatetimeIndex]()
    for form in written(max(words[:100], key=len)):
        stamps = _spelt(words, _reader(form, where), form, stamped, where)[0].tz_localize(None)
        loose = "%H%M" in form and words.str.len().nunique() > 1  # 100 is 1:00, or 10:0; 1.50 may be 1:30
        loose = loose or ("%H.%M" in form and {*stamps.minute} == {0, 50})
        if not loose and not stamps.isna().any() and not any(stamps.equals(its) for its in found.values()):
            found[form] = stamps
    return found


# ------------------------------------------------------------------------------------- what a form doesn't say


def _spelt(
    words: pd.Series, read: Reader, form: str | None, stamped: str, where: str
) -> tuple[pd.DatetimeIndex, Notes]:
    """Stamps of a form, with three more spellings: a period, 24:00 where stamps mark ends, a date alone."""
    stamps = read(words)
    if not stamps.isna().any():
        return stamps, ()
    if stamps.isna()[0] and (cut := _split(words.iloc[0], read)):
        return _periods(words, *cut, read, form, stamped, where)
    notes: Notes = ()
    if stamped == "end":
        stamps = _midnights(words, stamps, read)
    date = re.sub(r"[T ]*%[HI].*", "", form or "")
    if date and date != form and "%z" not in (form or "").lower() and stamps.notna().any():
        bare = _dates(words.where(_lacks(stamps)), date, np.ones(len(words), bool), where)
        if count := int((~_lacks(bare)).sum()):
            stamps, notes = (
                _only(stamps, _lacks(bare), bare),
                (f"{count} stamps without a time are midnight",),
            )
    return stamps, notes


def _midnights(words: pd.Series, stamps: pd.DatetimeIndex, read: Reader) -> pd.DatetimeIndex:
    """With 24:00 read as 00:00 of the next day: no other part of a stamp can be 24 and become right as 00."""
    for place in range(4):
        late = words.where(_lacks(stamps), "").str.replace(
            rf"^((?:.*?24){{{place}}}.*?)(?<!\d)24(?=\D|00|$)", r"\g<1>00", regex=True
        )
        late = late.where(late != words)
        if not late.notna().any():
            break
        found = read(late.fillna(""))
        found = _only(found, found == found.normalize())
        stamps = _only(stamps, _lacks(found), found + pd.Timedelta("1D"))
    return stamps


def _split(word: str, read: Reader) -> tuple[str, int] | None:
    """What stands between the begin and the end of a period, and how often it stands before."""
    for found in _BETWEEN.finditer(word):
        begin, end = word[: found.start()], word[found.end() :]
        if _CLOCK.fullmatch(end) and ":" not in begin:
            continue
        ends = pd.Series([begin, end if not _CLOCK.fullmatch(end) else begin])
        if not read(ends).isna().any() or (not read(ends[:1]).isna().any() and "24" in end):
            return found[0], begin.count(found[0])
    return None


def _parts(words: pd.Series, between: str, place: int) -> tuple[pd.Series, pd.Series]:
    """The begins and the ends of periods."""
    parts = words.str.split(between, regex=False)
    begins = parts.map(lambda its: between.join(its[: place + 1]))
    return begins, parts.map(lambda its: between.join(its[place + 1 :]))


def _periods(
    words: pd.Series, between: str, place: int, read: Reader, form: str | None, stamped: str, where: str
) -> tuple[pd.DatetimeIndex, Notes]:
    """The begins of periods, whose ends have to be one usual length later, but where clocks change."""
    if stamped == "end":
        raise SeriesError(
            f"{where}stamps are periods, such as {words.iloc[0]!r}, "
            "of which the begin is taken; leave out stamped='end'."
        )
    begins, ends = _parts(words, between, place)
    clocks = ends.str.fullmatch(_CLOCK)
    ends = ends.where(~clocks, [b[: len(b) - len(e)] + e for b, e in zip(begins, ends, strict=True)])
    first, _ = _spelt(begins, read, form, "start", where)
    last, _ = _spelt(ends, read, form, "end", where)
    later = clocks.to_numpy(bool) & (last <= first)
    last = _only(last, ~later, last + pd.Timedelta("1D"))
    long = pd.Series(last - first)
    usual, step = long.mode().min(), usual_step(first[first.notna()])
    changed = abs(long - usual) <= pd.Timedelta(
        "1h"
    )  # both are clock times, and clocks may change in between
    fits = (long == usual) | (changed & ((long != usual).sum() * 20 <= len(long) + 40))
    if len(first) > 1 and usual != step and not (in_days(step) and in_days(usual)):
        raise SeriesError(
            f"{where}stamps are periods of {usual}, such as {words.iloc[0]!r}, but one begins every {step}."
        )
    note = f"stamps are periods, such as {words.iloc[0]!r}; the begin was taken"
    return _only(first, fits.to_numpy(bool)), (note,)


def _clock_names(words: pd.Series) -> pd.Series | None:
    """The name of a clock behind each stamp, if all have one and some that of summer."""
    if not re.search(_NAMED, next(iter(words), "")):  # asked of one word, since few files have any
        return None
    names = words.str.extract(_NAMED)[0]
    return names if names.isin([*_CLOCKS]).all() and names.str.contains("S").any() else None


def _named(
    words: pd.Series, names: pd.Series, form: str | None, text: pd.Series, where: str, stamped: str
) -> tuple[pd.DatetimeIndex, Notes]:
    """Stamps that name their clock, read with its offset; each has to be of the half year in which clocks show that."""
    read = words.str.replace(_NAMED, "", regex=True) + names.map(_CLOCKS)
    stamps, notes = parse(read, form and re.sub(" ?%Z", "%z", form), where, stamped)
    zone = {"C": "CET", "M": "CET", "W": "WET", "E": "EET"}[names.iloc[0][0]]
    shown = stamps.tz_convert(zone).strftime("%z")
    why = f"names a time that no clock of {zone} shows then; give offsets, such as +01:00, in the place of names."
    refuse(shown != names.map(_CLOCKS).to_numpy(), text, where, why)
    said = " and ".join(f"{name} as {_CLOCKS[name]}" for name in names.unique())
    return stamps, (*notes, f"stamps name their clock: {said}")


def _refuse_other_half_year(
    words: pd.Series, stamps: pd.DatetimeIndex, form: str, text: pd.Series, where: str
) -> None:
    """Refuse a name such as CET in summer, when clocks of that name show CEST: it may be either."""
    named = words.str.findall(r"\b[A-Z]{3,4}\b").str[-1].fillna("UTC")
    for name in set(named) & available_timezones():
        shown = stamps.tz_convert(name)
        other = np.asarray(shown.strftime("%Z") != name) & (named == name).to_numpy()
        utc = f"{shown[int(np.argmax(other))]:%z}"
        why = f"says {name}, and clocks there are at UTC{utc} then, by another name. Put the letters into the form"
        how = f"stamp_format={form.replace('%Z', name)!r}, and give the zone that is meant, stamps_in='Etc/GMT-1' or"
        refuse(other, text, where, f"{why}, {how} timezone={name!r}.")


def _periods_or_offsets(words: pd.Series, offset: Mask, text: pd.Series, where: str) -> None:
    """Refuse 00:00-01:00, 01:00-02:00 ...: the offset of each would be the clock of the next."""
    if offset.all() and len(words) > 1:
        part = words.str.extract(r"[T ](\d\d:?\d\d)\S*? ?-(\d\d:?\d\d)$")
        same = part[1].iloc[:-1].to_numpy() == part[0].iloc[1:].to_numpy()
        two = "is a stamp with an offset, or a period of which the next one begins at its end; for the second give"
        how = "stamp_format='%Y-%m-%d %H:%M', for the first '%Y-%m-%d %H:%M%z'"
        refuse([bool(same.all())] + [False] * (len(words) - 1), text, where, f"{two} {how}.")


# --------------------------------------------------------------------------------------------------- numbers


def _numbers(words: pd.Series, form: str, where: str) -> tuple[pd.DatetimeIndex, Notes]:
    """Seconds since 1970 or parts of them, by their size, in UTC; day numbers of a spreadsheet, on its clock."""
    values = words.to_numpy(dtype=np.float64)
    if form == "excel":
        seconds = np.round(np.minimum(values, 1e6) * 86400, 3)
        stamps = pd.Timestamp("1899-12-30") + pd.to_timedelta(seconds, unit="s")
        note = "stamps were read as day numbers of a spreadsheet"
    else:
        unit: _Unit = next((unit for unit, most in _UNIX.items() if values.max() < most), "ns")
        exact = words.str.isdigit().all() and values.max() < 2**63
        counts = words.to_numpy(dtype=object).astype(np.int64) if exact else np.minimum(values, 9e18)
        stamps = pd.DatetimeIndex(pd.to_datetime(counts, unit=unit, errors="coerce", utc=True))
        note = f"stamps were read as {_NAMES[unit]} since 1970, UTC"
    return _known(stamps), (note,)


def _recognised_numbers(words: pd.Series, text: pd.Series, where: str) -> tuple[pd.DatetimeIndex, Notes]:
    """Numbers of 10, 13, 16 or 19 digits are seconds since 1970 and their thousandths; others need to be named."""
    digits = words.str.extract(r"^(\d*)")[0].str.len()
    first, length = float(words.iloc[0]), digits.iloc[0]
    dates = {
        form: _dates(words, form, np.asarray(digits == length), where) for form in _DIGITS.get(length, ())
    }
    dates = {form: its for form, its in dates.items() if not _lacks(its).any()}
    if dates and length > 10:
        form, its = next(iter(dates.items()))
        return its.tz_localize(None), (f"stamps were read as stamp_format={form!r}",)
    if dates:
        when = " or ".join(f"{its[0]:%Y-%m-%d %H:%M}" for its in dates.values())
        two = f"is a date with its hour, {when}, or seconds since 1970"
        refuse([True], text, where, f"{two}: give stamp_format={', '.join(map(repr, dates))} or 'unix'.")
    if (digits == length).all() and length in (10, 13, 16, 19):
        return _numbers(words, "unix", where)
    day = ""
    if 20_000 <= first < 80_000:
        date = pd.Timestamp("1899-12-30") + pd.Timedelta(days=first)
        day = f" As a day number of a spreadsheet it is {date:%Y-%m-%d}."
    why = f"is not a stamp by itself, but a number.{day} Give stamp_format='excel' for day numbers of a spreadsheet"
    refuse([True], text, where, f"{why}, 'unix' for seconds since 1970, or a form such as '%Y%m%d%H%M'.")
    raise AssertionError

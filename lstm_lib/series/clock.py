"""Stamps and clocks: from what a file says to UTC, the regular grid, the changes of the clocks, the calendar.

Two things have to be known of a stamp without an offset: the zone of the clock it was read from, and whether it
marks the start or the end of its period. Where clocks are put back, an hour of local stamps occurs twice. It is
told apart by the order of the rows if, and only if, the file shows the whole hour twice; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.series.refusal import SeriesError, choose, length

Array = npt.NDArray[Any]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
ClockChange = Literal["refuse", "missing"]
Repeated = Literal["refuse", "first", "last", "missing"]

# One row a feature: local stamps -> the share of its cycle, in [0, 1).
CALENDAR: dict[str, Callable[[pd.DatetimeIndex], Array]] = {
    "hour": lambda local: np.asarray((local.hour + local.minute / 60) / 24),
    "weekday": lambda local: np.asarray(local.day_of_week / 7),
}
# ISO 8601 with every digit there: pandas also takes 12:0, which may be what is left of 12:05, and a year alone.
_STAMP = r"\d{4}-?\d\d-?\d\d(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:\.\d+)?)?(?: ?(?:Z|[+-]\d\d(?::?\d\d)?))?)?)?"
_OFFSET = r"[T ][\d:.]+ ?(?:Z|[+-][\d:]+)$"
_CLOCKS = "If it is the change of the clocks, export the series in UTC or at a fixed offset."
_REMEDY = (
    "Export the series in UTC or at a fixed offset, and give that zone: timezone='UTC', or 'Etc/GMT-1' for UTC+1; "
    "or give clock_change='missing' to leave such rows out."
)


def zone_of(timezone: str) -> str:
    """Return the name of a time zone if there is one."""
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise SeriesError(
            f"There is no time zone {timezone!r}. Valid: 'UTC', a place such as 'Europe/Paris', or a fixed offset "
            "such as 'Etc/GMT-1' (that is UTC+1: the sign is reversed)."
        ) from error
    return timezone


def changes(
    first: pd.Timestamp, last: pd.Timestamp, timezone: str
) -> list[tuple[pd.Timestamp, pd.Timedelta]]:
    """The changes of the clocks between two instants: the instant in UTC, and by how much clocks are put on.

    >>> first, last = pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2020-12-31", tz="UTC")
    >>> for at, by in changes(first, last, "America/Los_Angeles"):
    ...     print(at, by)
    2020-03-08 10:00:00+00:00 0 days 01:00:00
    2020-11-01 09:00:00+00:00 -1 days +23:00:00
    """
    every = pd.date_range(first.floor("30min"), last.ceil("30min"), freq="30min")
    offsets = every.tz_convert(timezone).tz_localize(None) - every.tz_localize(None)
    at = np.flatnonzero(np.diff(offsets.asi8)).tolist()
    return [(every[k + 1], offsets[k + 1] - offsets[k]) for k in at]


def calendar_features(index: pd.DatetimeIndex, timezone: str, feature: str) -> dict[str, Array]:
    """A point on a circle for each stamp, in local time: {"hour_sin": (n,), "hour_cos": (n,)}."""
    angle = 2 * np.pi * CALENDAR[choose(feature, CALENDAR, "calendar feature")](index.tz_convert(timezone))
    return {f"{feature}_sin": np.sin(angle), f"{feature}_cos": np.cos(angle)}


def runs(mask: Mask) -> list[tuple[int, int]]:
    """Where a mask is true without a break: pairs of first row and the row after the last.

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


# --------------------------------------------------------------------------------------------- reading stamps


@dataclass(frozen=True)
class Stamps:
    """The stamps of a file, understood.

    Parameters
    ----------
    index : UTC, strictly increasing, of the rows that are kept.
    keep : which rows of the file these are.
    several : which of the kept rows share their stamp with a row that is not kept.
    doubtful : the text of each stamp that was left out, because it occurs twice or not at all.
    offset : whether the stamps carry their offset from UTC.
    """

    index: pd.DatetimeIndex
    keep: Mask
    several: Mask
    doubtful: list[str]
    offset: bool


def read_stamps(
    text: pd.Series,
    zone: str,
    where: str,
    form: str | None = None,
    clock_change: ClockChange = "refuse",
    repeated: Repeated = "refuse",
) -> Stamps:
    """Stamps as text, or as dates out of a Parquet file, to UTC; its index numbers the lines or rows."""
    choose(clock_change, ("refuse", "missing"), "way with a clock_change")
    choose(repeated, ("refuse", "first", "last", "missing"), "way with repeated stamps, repeated =")
    stamps = _parse(text, form, where)
    offset, keep = stamps.tz is not None, np.ones(len(text), bool)
    if not offset:
        stamps, gone, twice = _localise(stamps, zone)
        if clock_change == "refuse":
            never = f"occurs twice or not at all in {zone}, at a change of the clocks:"
            skipped = f"{never} not at all, clocks skip it, so the stamps are not local time there. {_REMEDY}"
            _refuse(gone, text, where, skipped)
            unclear = f"{never} twice, and the file does not show the whole hour twice. {_REMEDY}"
            _refuse(twice, text, where, unclear)
        keep = ~(gone | twice)
    kept, doubtful = text[keep], [str(stamp) for stamp in text[~keep]]
    stamps = stamps[keep].as_unit("us")
    if not len(stamps):
        raise SeriesError(f"{where}no stamp of column {text.name!r} is left.")
    since = np.diff(stamps.asi8, prepend=stamps.asi8[:1] - 1)
    _refuse(since < 0, kept, where, f"is earlier than the stamp before it; sort the rows by time. {_CLOCKS}")
    again = since == 0
    if repeated == "refuse":
        ways = "keep one of the two rows, or give repeated='first', 'last' or 'missing'"
        _refuse(again, kept, where, f"repeats the stamp before it; {ways}. {_CLOCKS}")
    ahead = np.append(again[1:], False)  # the next row has the same stamp
    chosen = ~ahead if repeated == "last" else ~again
    keep[np.flatnonzero(keep)[~chosen]] = False
    return Stamps(stamps[chosen], keep, (again | ahead)[chosen], doubtful, offset)


def _refuse(bad: npt.ArrayLike, text: pd.Series, where: str, why: str) -> None:
    """Refuse the first field that is bad, with its place in the file."""
    if np.any(bad):
        row, line = int(np.argmax(bad)), text.index
        place = f"{where}{line.name} {line[row]}, column {text.name!r}"
        raise SeriesError(f"{place}: {str(text.iloc[row])!r} {why}")


def _parse(text: pd.Series, form: str | None, where: str) -> pd.DatetimeIndex:
    """Stamps in UTC where they carry an offset, else without a zone."""
    if pd.api.types.is_datetime64_any_dtype(text.dtype):
        _refuse(text.isna(), text, where, "is not a stamp.")
        stamps = pd.DatetimeIndex(text)
        return stamps if stamps.tz is None else stamps.tz_convert("UTC")
    words = text.astype(object).where(text.notna(), "").astype(str)
    stamps = pd.DatetimeIndex(pd.to_datetime(words, format=form or "ISO8601", errors="coerce", utc=True))
    if form is not None:
        _refuse(stamps.isna(), text, where, f"is not a stamp; expected the form {form!r}.")
        return stamps if "%z" in form.lower() else stamps.tz_localize(None)
    whole, offset = words.str.fullmatch(_STAMP).to_numpy(bool), words.str.contains(_OFFSET).to_numpy(bool)
    like = "2016-07-15 00:00, with or without an offset such as +00:00"
    another = "for another one give stamp_format, such as '%d/%m/%Y %H:%M'"
    _refuse(stamps.isna() | ~whole, text, where, f"is not a stamp; expected the form {like}; {another}.")
    has = f"{'has no' if offset[0] else 'has an'} offset, unlike the first stamp; give all of them the same form."
    _refuse(offset != offset[0], text, where, has)
    return stamps if offset[0] else stamps.tz_localize(None)


def _localise(stamps: pd.DatetimeIndex, zone: str) -> tuple[pd.DatetimeIndex, Mask, Mask]:
    """Local stamps to UTC; which of them no clock shows, and which it shows twice without telling which.

    It tells where the rows run through the hour that occurs twice, go back once, and run through it again: the same
    clock times, step by step, from its beginning to its end.
    """
    early, late = (
        stamps.tz_localize(zone, ambiguous=np.full(len(stamps), first), nonexistent="NaT").tz_convert("UTC")
        for first in (True, False)
    )
    gone = np.asarray(early.isna())
    twice = np.asarray(early != late) & ~gone
    step, first = usual_step(stamps), np.zeros(len(stamps), bool)
    for begin, end in runs(twice):
        half, since = (end - begin) // 2, stamps[begin:end] - stamps[begin]
        whole = half * step == late[begin] - early[begin]
        if whole and np.array_equal(since, np.tile(step * np.arange(half), 2)):
            first[begin : begin + half], twice[begin:end] = True, False
    return late.where(~first, early), gone, twice


# ------------------------------------------------------------------------------------------------------ the grid


def usual_step(stamps: pd.DatetimeIndex) -> pd.Timedelta:
    """The most frequent difference between neighbours, of several the smallest; NaT for a single stamp."""
    return pd.Series(stamps).diff().mode().min()


def grid(
    text: pd.Series, stamps: pd.DatetimeIndex, step: str | pd.Timedelta | None, where: str
) -> pd.DatetimeIndex:
    """The regular grid from the first to the last stamp, after checking that every stamp lies on it."""
    if len(stamps) < 2:
        raise SeriesError(f"{where}only 1 row; a series needs at least 2.")
    width = usual_step(stamps) if step is None else length(step, "step")
    after = f"is not a whole number of steps of {width} after the first stamp {str(text.iloc[0])!r}"
    off = (stamps - stamps[0]) % width != pd.Timedelta(0)
    _refuse(off, text, where, f"{after}. Bring the series to a regular grid first, or give step=...")
    rows = int((stamps[-1] - stamps[0]) / width) + 1
    if rows > 10 * len(stamps):
        raise SeriesError(
            f"{where}{len(stamps)} rows for {rows} steps of {width} from {stamps[0]} to {stamps[-1]}: more than "
            "nine in ten are missing. Look for a wrong year, or give step=..."
        )
    return pd.date_range(stamps[0], periods=rows, freq=width, name="time")

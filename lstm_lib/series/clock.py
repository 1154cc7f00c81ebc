"""Clocks: zones and the changes of their clocks, the regular grid of a series, the calendar.

A grid has equal steps in UTC. Only whole days are counted on the local clock, from midnight to midnight, so that one
has 23 or 25 hours where clocks change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.extras import needed
from lstm_lib.series.refusal import SeriesError, choose, length

Array = npt.NDArray[Any]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# One row a feature: local stamps -> the share of its cycle, in [0, 1).
CALENDAR: dict[str, Callable[[pd.DatetimeIndex], Array]] = {
    "hour": lambda local: np.asarray((local.hour + local.minute / 60) / 24),
    "weekday": lambda local: np.asarray(local.day_of_week / 7),
}
HOLIDAYS = "holiday:"  # and a place: public holidays, by the library `holidays`
DAY = pd.Timedelta(days=1)


def zone_of(timezone: str) -> str:
    """Return the name of a time zone if there is one."""
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError, TypeError) as error:
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
    """A point on a circle for each stamp, in local time: {"hour_sin": (n,), "hour_cos": (n,)}; or 1 on public holidays.

    >>> index = pd.date_range("2020-07-13 12:00", periods=3, freq="12h", tz="UTC")
    >>> calendar_features(index, "Europe/Paris", "holiday:FR")["holiday:FR"].tolist()
    [0.0, 1.0, 1.0]
    """
    local = index.tz_convert(timezone)
    if feature.startswith(HOLIDAYS):
        return {feature: _on_holidays(local, feature.removeprefix(HOLIDAYS))}
    angle = 2 * np.pi * CALENDAR[choose(feature, [*CALENDAR, "holiday:FR"], "calendar feature")](local)
    return {f"{feature}_sin": np.sin(angle), f"{feature}_cos": np.cos(angle)}


def is_calendar(name: str) -> bool:
    """Whether a name is that of a feature of the calendar."""
    return name in CALENDAR or name.startswith(HOLIDAYS)


def _on_holidays(local: pd.DatetimeIndex, place: str) -> Array:
    """1 where the local day is a public holiday of a country, or of a part of it, else 0."""
    with needed("study", "a calendar of public holidays"):
        import holidays

    country, _, part = place.partition("-")
    known = holidays.list_supported_countries()
    if country not in known or (part and part not in known[country]):
        parts = f"; the parts of {country} are {', '.join(known[country])}" if known.get(country) else ""
        raise SeriesError(
            f"No public holidays are known of {place!r}. Give a country by its two letters, such as 'holiday:FR', "
            f"'holiday:GB' or 'holiday:US', or a part of one, such as 'holiday:GB-SCT'{parts}."
        )
    days = holidays.country_holidays(country, subdiv=part or None)
    number, each = pd.factorize(local.normalize())
    return np.array([float(day.date() in days) for day in each])[number]


def runs(mask: Mask) -> list[tuple[int, int]]:
    """Where a mask is true without a break: pairs of first row and the row after the last.

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


# ------------------------------------------------------------------------------------------------------ the grid


def refuse(bad: npt.ArrayLike, text: pd.Series, where: str, why: str) -> None:
    """Refuse the first field that is bad, with its place in the file."""
    if np.any(bad):
        row, line = int(np.argmax(bad)), text.index
        field = str(text.iloc[row])
        shown = field if len(field) <= 80 else f"{field[:77]}..."
        raise SeriesError(f"{where}{line.name} {line[row]}, column {text.name!r}: {shown!r} {why}")


def in_days(width: pd.Timedelta) -> bool:
    """Whether a step is one or more whole days."""
    return bool(width != pd.Timedelta(0) and width % DAY == pd.Timedelta(0))


def on_clock(local: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Beginnings of days on a clock to UTC: the first of two midnights; where it is skipped, the instant of that."""
    first = np.ones(len(local), bool)
    return local.tz_localize(zone, ambiguous=first, nonexistent="shift_forward").tz_convert("UTC")


def local_days(stamps: pd.DatetimeIndex, zone: str, width: pd.Timedelta) -> pd.DatetimeIndex | None:
    """The clock times of UTC stamps that are whole steps of so many days apart on the clock of a zone; else None.

    >>> stamps = pd.DatetimeIndex(["2022-03-26 23:00", "2022-03-27 22:00"], tz="UTC")
    >>> [str(day) for day in local_days(stamps, "Europe/Paris", DAY)]
    ['2022-03-27 00:00:00', '2022-03-28 00:00:00']
    """
    if not in_days(width):
        return None
    local = stamps.tz_convert(zone).tz_localize(None)
    whole = np.rint((local - local[0]) / width).astype(int) * width
    days = (local - whole).min() + whole  # a day whose midnight is skipped begins later than the others
    return days if np.array_equal(on_clock(days, zone), stamps) else None


def usual_step(stamps: pd.DatetimeIndex, zone: str = "UTC") -> pd.Timedelta:
    """The most frequent difference between neighbours, of several the smallest; 0 where all are the same.

    A stamp that is repeated makes no step of 0. Days are counted on the clock of the zone, where one may have 23 hours.
    """
    clock = stamps if stamps.tz is None else stamps.tz_convert(zone).tz_localize(None)
    local = _usual_gap(clock)
    return local if in_days(local) else _usual_gap(stamps)


def _usual_gap(times: pd.DatetimeIndex) -> pd.Timedelta:
    known = ~np.asarray(times.isna())
    gaps = np.abs(np.diff(times.asi8))[known[1:] & known[:-1]]
    sizes, counts = np.unique(gaps[gaps > 0], return_counts=True)
    return pd.Timedelta(sizes[counts.argmax()].view(f"m8[{times.unit}]") if len(sizes) else 0)


def grid(
    text: pd.Series, stamps: pd.DatetimeIndex, step: str | pd.Timedelta | None, where: str, zone: str = "UTC"
) -> pd.DatetimeIndex:
    """The regular grid from the first to the last stamp, after checking that every stamp lies on it."""
    if len(stamps) < 2:
        raise SeriesError(f"{where}only 1 row; a series needs at least 2.")
    width = usual_step(stamps, zone) if step is None else length(step, "step")
    days = local_days(stamps, zone, width)
    counted = stamps if days is None else days
    off = (counted - counted[0]) % width != pd.Timedelta(0)
    if off.any():
        after = f"is not a whole number of steps of {width} after the first stamp {str(text.iloc[0])!r}"
        refuse(off, text, where, f"{after}. {_to_the_grid(stamps, width, zone)}")
    rows = int((counted[-1] - counted[0]) / width) + 1
    if rows > 10 * len(stamps):
        raise SeriesError(
            f"{where}{len(stamps)} rows for {rows} steps of {width} from {stamps[0]} to {stamps[-1]}: more than "
            "nine in ten are missing. Look for a wrong year, or give step=..."
        )
    every = pd.date_range(counted[0], periods=rows, freq=width)
    return (every if days is None else on_clock(every, zone)).as_unit("us").rename("time")


def _to_the_grid(stamps: pd.DatetimeIndex, width: pd.Timedelta, zone: str) -> str:
    """What brings stamps to a grid: rounding them, the clock on which their days are counted, or another step."""
    for coarse in ("1s", "10s", "1min", "5min", "15min"):
        near = stamps.round(coarse)
        step = usual_step(near, zone)
        whole = step > 2 * pd.Timedelta(coarse) and not ((near - near[0]) % step).any() and near.is_unique
        if whole:
            most = pd.Series(stamps - near).abs().max() / pd.Timedelta(seconds=1)
            return f"Stamps are up to {most:g} s off a grid of {step}; give rounded={coarse!r} to round them."
    clock = stamps.tz_convert(zone).tz_localize(None)
    by_day, local = ((its - its[0]) % DAY for its in (stamps, clock))
    if local.any() and (np.minimum(by_day, DAY - by_day) <= pd.Timedelta("2h")).all():
        return (
            f"Days are not all of 24 h where clocks change; they were counted in {zone}: give the place where they "
            "begin at midnight, such as timezone='Europe/Paris'. Otherwise bring the series to a regular grid, or "
            "give step=..."
        )
    return "Bring the series to a regular grid first, or give step=..."

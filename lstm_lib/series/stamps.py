"""Stamps: from what a file says to the instants, in UTC, at which its periods begin.

Two things have to be known of a stamp without an offset: the zone of the clock it was read from, and whether it
marks the start or the end of its period. Where clocks are put back, an hour of local stamps occurs twice. It is
told apart by the order of the rows if, and only if, the file shows the whole hour twice; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from lstm_lib.series.clock import DAY, Mask, changes, in_days, local_days, on_clock, refuse, runs, usual_step
from lstm_lib.series.refusal import SeriesError, choose, length
from lstm_lib.series.spelling import parse

ClockChange = Literal["refuse", "missing"]
Repeated = Literal["refuse", "first", "last", "missing"]
# Where a repeated hour may come from, if no zone was given: a place for each hour at which clocks are put back.
_PLACES = ("Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "Australia/Sydney")
_CLOCKS = "If it is the change of the clocks, export the series in UTC or at a fixed offset."
_EXPORT = "Export the series in UTC or at a fixed offset, and give that zone: timezone='UTC', or 'Etc/GMT-1' for UTC+1"
_HOUR = pd.Timedelta(hours=1)
_REMEDY = f"{_EXPORT}; or give clock_change='missing' to leave such rows out."


@dataclass(frozen=True)
class Stamps:
    """The stamps of a file, understood.

    Parameters
    ----------
    index : the starts of the periods in UTC, strictly increasing, of the rows that are kept.
    keep : which rows of the file these are.
    several : which of the kept rows share their stamp with a row that is not kept.
    doubtful : the text of each stamp that was left out, because it occurs twice or not at all.
    offset : whether the stamps carry their offset from UTC.
    notes : how they are spelt, a sentence each, as far as it isn't plain.
    """

    index: pd.DatetimeIndex
    keep: Mask
    several: Mask
    doubtful: list[str]
    offset: bool
    notes: tuple[str, ...] = ()


class _Read(NamedTuple):
    """Local stamps as instants; which no clock shows, which it shows twice, and which of these the rows tell apart."""

    at: pd.DatetimeIndex
    gone: Mask
    twice: Mask
    told: Mask

    def plain(self) -> bool:
        """Whether every stamp has one instant, later than the one before it."""
        return not (self.gone | self.twice).any() and bool((np.diff(self.at.asi8) > 0).all())


def read_stamps(
    text: pd.Series,
    zone: str,
    where: str,
    form: str | None = None,
    clock_change: ClockChange = "refuse",
    repeated: Repeated = "refuse",
    *,
    stamped: Literal["start", "end"] = "start",
    step: str | pd.Timedelta | None = None,
    rounded: str | pd.Timedelta | None = None,
    local: str | None = None,
    beside: str = "",
) -> Stamps:
    """Stamps as text, or as dates out of a Parquet file, to UTC; its index numbers the lines or rows.

    `local` is the clock on which days are counted; `beside` says which column has the other half of the stamps.
    """
    choose(clock_change, ("refuse", "missing"), "way with a clock_change")
    choose(repeated, ("refuse", "first", "last", "missing"), "way with repeated stamps, repeated =")
    try:
        stamps, notes = parse(text, form, where, stamped)
    except SeriesError as error:
        raise SeriesError(f"{error} Perhaps {beside}." if beside else str(error)) from None
    stamps, rounding = _round(stamps, rounded)
    notes += rounding
    offset, keep, spelt = stamps.tz is not None, np.ones(len(text), bool), stamps
    clock = (
        stamps if offset or local in (None, zone) else _localise(stamps, zone, pd.Timedelta(0)).at.dropna()
    )
    width = usual_step(clock, local or zone) if step is None else length(step, "step")
    if offset:
        stamps = _before(stamps, width, local or zone) if stamped == "end" else stamps
    else:
        read, width, note = _local_starts(stamps, zone, width, stamped, step, local or zone)
        notes += note
        stamps, gone, twice, _ = read
        if clock_change == "refuse":
            _refuse_doubts(text, where, zone, gone, twice)
        keep = ~(gone | twice)
    kept, doubtful = text[keep], [str(stamp) for stamp in text[~keep]]
    stamps = stamps[keep].as_unit("us")
    if not len(stamps):
        raise SeriesError(f"{where}no stamp of column {text.name!r} is left.")
    since = np.diff(stamps.asi8, prepend=stamps.asi8[:1] - 1)
    again = since == 0
    if not offset and (since <= 0).any() and repeated == "refuse":
        _offer_places(spelt[keep], since <= 0, kept, where, width, stamped)
    refuse(since < 0, kept, where, f"is earlier than the stamp before it; sort the rows by time. {_CLOCKS}")
    if repeated == "refuse":
        if beside:
            refuse(again, kept, where, f"repeats the stamp before it; {beside}.")
        ways = "keep one of the two rows, or give repeated='first', 'last' or 'missing'"
        refuse(again, kept, where, f"repeats the stamp before it; {ways}. {_CLOCKS}")
    ahead = np.append(again[1:], False)  # the next row has the same stamp
    chosen = ~ahead if repeated == "last" else ~again
    keep[np.flatnonzero(keep)[~chosen]] = False
    if stamped == "end" and step is None:
        _refuse_untold(stamps[chosen], width, text[keep], where, local or zone)
    return Stamps(stamps[chosen], keep, (again | ahead)[chosen], doubtful, offset, notes)


def _round(
    stamps: pd.DatetimeIndex, rounded: str | pd.Timedelta | None
) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Stamps rounded as asked; to whole seconds unasked, where none is further off than 5 ms, as spreadsheets write."""
    near = stamps.round("1s" if rounded is None else length(rounded, "rounded"))
    off = pd.Series(stamps - near).abs()
    moved, most = off > pd.Timedelta(0), off.max()
    small = most <= pd.Timedelta("5ms") and usual_step(near) >= pd.Timedelta("1s") and near.is_unique
    if not moved.any() or (rounded is None and not small):
        return stamps, ()
    to = "the second" if rounded is None else f"{rounded}"
    return near, (f"{moved.sum()} stamps were rounded to {to}, by up to {most / pd.Timedelta('1s'):.3g} s",)


def _refuse_doubts(text: pd.Series, where: str, zone: str, gone: Mask, twice: Mask) -> None:
    never = f"occurs twice or not at all in {zone}, at a change of the clocks:"
    skipped = f"{never} not at all, clocks skip it, so the stamps are not local time there. {_REMEDY}"
    refuse(gone, text, where, skipped)
    refuse(twice, text, where, f"{never} twice, and {_not_told(text[twice])}. {_REMEDY}")


def _not_told(text: pd.Series) -> str:
    """Why the rows of an hour that comes twice don't tell which is the first."""
    words = text.astype(str).to_numpy()
    pairs = len(words) > 2 and len(words) % 2 == 0 and (words[::2] == words[1::2]).all()
    seen = ", then the whole hour again, in order: each of its stamps stands twice in a row, and which is the first "
    return "the file does not show the whole hour" + (f"{seen}can't be known" if pairs else " twice")


def _offer_places(
    clock: pd.DatetimeIndex, bad: Mask, text: pd.Series, where: str, width: pd.Timedelta, stamped: str
) -> None:
    """Refuse stamps that repeat or go back only within an hour that clocks show twice somewhere: say where.

    A place is offered only if the stamps can be read there; else why not is said, and what to do.
    """
    read, doubtful = list[str](), dict[str, Mask]()
    for place in _PLACES:
        its, *_ = _local_starts(clock, place, width, stamped, None, place)
        if its.plain():
            read.append(place)
        elif not (bad & ~(its.twice | its.told)).any():
            doubtful[place] = its.twice
    if not read and not doubtful:
        return
    place, twice = next(iter(doubtful.items()), ("", bad))
    land, day = (read or [place])[0].split("/")[0], clock[int(np.argmax(bad))].date()
    why = f"stands there again: it lies in one hour that comes twice on {day}, when clocks in {land} are put back"
    if read:
        zones = " or ".join(map(repr, read))
        refuse(
            bad,
            text,
            where,
            f"{why}. Give timezone={zones}, or another place with that clock, and both are read.",
        )
    out = f"; or give timezone={place!r} with clock_change='missing' to leave such rows out"
    out = out if (~twice).sum() > 1 else ""
    refuse(bad, text, where, f"{why}, but {_not_told(text[twice])}. {_EXPORT}{out}.")


# ------------------------------------------------------------------------------------------------- local clocks


def _refuse_untold(
    starts: pd.DatetimeIndex, width: pd.Timedelta, text: pd.Series, where: str, zone: str
) -> None:
    """Refuse ends of periods if the rows don't tell their width, which was taken off them: the starts would be wrong.

    So it is with few rows around a change of the clocks: if the starts have another step, as where a day has 23 hours;
    if several steps are as frequent there, since an end written as the start and the step more is half an hour or an
    hour off; and with two rows, for which a day of 23 hours is no other than a period of 23 hours.
    """
    if len(starts) < 2:
        return
    step, also = usual_step(starts, zone), ""
    apart = pd.Series(starts).diff().mode()
    if step == width and len(apart) > 1 and changes(starts[0] - apart.max(), starts[-1] + apart.max(), zone):
        width = apart.max()
    if step == width:
        if len(starts) > 2 or in_days(step) or (step + _HOUR) % DAY > 2 * _HOUR or step < DAY - _HOUR:
            return
        step, also = step.round("1D"), " and the place with that clock, such as timezone='Europe/Paris'"
    one, two = (_written(its) for its in ((step, width) if in_days(step) else (width, step)))
    why = f"marks the end of a period, and so few rows don't tell whether one lasts {one} or {two}, where clocks change"
    refuse([True], text, where, f"{why}: give step={one!r}{also}, or step={two!r}.")


def _written(width: pd.Timedelta) -> str:
    """A step as an argument: "1D", "23h"."""
    units = {"D": DAY, "h": _HOUR, "min": pd.Timedelta("1min")}
    fits = (f"{width // unit}{name}" for name, unit in units.items() if not width % unit)
    return next(fits, f"{width.total_seconds():g}s")


def _before(stamps: pd.DatetimeIndex, width: pd.Timedelta, zone: str) -> pd.DatetimeIndex:
    """Ends of periods to their starts: a day on the local clock, where the stamps are such days."""
    days = local_days(stamps, zone, width)
    return stamps - width if days is None else on_clock(days - width, zone)


def _local_starts(
    stamps: pd.DatetimeIndex, zone: str, width: pd.Timedelta, stamped: str, step: object, local: str
) -> tuple[_Read, pd.Timedelta, tuple[str, ...]]:
    """Local stamps to the instants at which their periods start; the width of these; a note.

    A stamp at the end is what the clock shows at that instant, or what it showed at the start, and the step added: the
    two differ at a change of the clocks alone. The second is taken where it is plain and proven by the file, and the
    first isn't plain; and for whole days, if it makes days on the local clock, or neither does.
    """
    read = _localise(stamps, zone, width)
    if stamped == "start":
        return read, width, ()
    added = _localise(stamps - width, zone, width)
    if in_days(width):
        ends = (read.at - width, _before(read.at, width, local)) if read.plain() and added.plain() else ()
        days = (its for its in (added.at, *ends) if local_days(its, local, width) is not None)
        return (added._replace(at=next(days, added.at)) if ends else added), width, ()
    if added.plain() and not read.plain() and (added.told.any() or read.gone.any()):
        note = f"at the change of the clocks a stamp is the clock at the start of its period and {width} more"
        return added, width, (note,)
    here = read.at[~read.gone]  # steps of instants: those on the clock may be longer
    width = usual_step(here) if step is None and len(here) > 1 else width
    return read._replace(at=read.at - width), width, ()


def _localise(stamps: pd.DatetimeIndex, zone: str, width: pd.Timedelta) -> _Read:
    """Local stamps to UTC; which of them no clock shows, and which it shows twice without telling which.

    It tells where the rows run through the hour that occurs twice, go back once, and run through it again: the same
    clock times, step by step, from its beginning to its end. A day begins at the first of two midnights.
    """
    early, late = (
        stamps.tz_localize(zone, ambiguous=np.full(len(stamps), first), nonexistent="NaT").tz_convert("UTC")
        for first in (True, False)
    )
    gone = np.asarray(early.isna())
    twice = np.asarray(early != late) & ~gone
    first, told = np.zeros(len(stamps), bool), np.zeros(len(stamps), bool)
    if in_days(width):
        midnight = np.asarray(stamps == stamps.normalize())
        late = late.where(~midnight, on_clock(stamps, zone))
        return _Read(late, gone & ~midnight, twice & ~midnight, told)
    step = (
        pd.Series(stamps).diff().mode().min()
    )  # 0 where stamps are repeated: then a repeated one is no second hour
    for begin, end in runs(twice):
        half, since = (end - begin) // 2, stamps[begin:end] - stamps[begin]
        whole = half * step == late[begin] - early[begin]
        if whole and np.array_equal(since, np.tile(step * np.arange(half), 2)):
            first[begin : begin + half], twice[begin:end], told[begin:end] = True, False, True
    return _Read(late.where(~first, early), gone, twice, told)

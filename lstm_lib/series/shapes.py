"""Tables of another shape than a row a stamp and a column a quantity.

In a long file several series stand below one another, or take turns, and one or two columns tell them apart. In a file
with a row a day the columns are times of day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.series.clock import DAY
from lstm_lib.series.refusal import SeriesError, listed, shown
from lstm_lib.series.spelling import parse

_NO_NAME = re.compile(r"[0-5]?\d?|[-+\d]*[.,][\d.,]*|[-+].*")  # a part of the hour, or what was measured
_KEY = re.compile(r"meter|sensor|device|channel|(^|[ _.])id$", re.IGNORECASE)
# A time of day, or the period that begins then: 00:00, 0h30, 1:00 AM, 00-01, 0130, [kWh] and other words around it.
_TIME = r"\d{1,2}(?:[:h.]?\d\d(?::\d\d)?|h)?(?: ?[AaPp]\.?[Mm]\.?)?"
_CLOCK = re.compile(
    r"(?P<before>(?:.*?\D)??)(?P<hour>\d{1,2})(?:(?P<sign>[:h.]?)(?P<minute>\d\d)(?::(?P<second>\d\d))?|(?P<h>h))?"
    rf"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?P<end>\s*(?:[-–—]|to|bis|à)\s*{_TIME})?(?P<after>(?:[^\dh:].*)?)"
)
_PARTS_OF_A_DAY = (24, 25, 48, 50, 96, 100)


# ------------------------------------------------------------------------------------------- several series in a file


def told_apart(columns: Mapping[str, Sequence[str]], times: Sequence[str]) -> str:
    """How to read one series of several in a long file, if one or two columns tell them apart; else ""."""
    stamps = list(zip(*(columns[name] for name in times), strict=True)) if columns else []
    columns = {name: texts for name, texts in columns.items() if name not in times}
    rows = len(stamps)
    if not rows or len(set(stamps)) > 0.75 * rows:
        return ""
    distinct = {name: len(set(texts)) for name, texts in columns.items()}
    few = [name for name, count in distinct.items() if 1 < count <= max(2, rows // 3)]
    few.sort(key=distinct.__getitem__)
    for names in (*combinations(few[:8], 1), *combinations(few[:8], 2)):
        keys = list(zip(*(columns[name] for name in names), strict=True))
        if len(set(zip(stamps, keys, strict=True))) == rows:
            which = "Column {} tells" if len(names) == 1 else "Columns {} and {} tell"
            only = dict(zip(names, keys[0], strict=True))
            said = which.format(*map(shown, names))
            return f" {said} {len(set(keys))} series apart: only={only} reads one of them."
    return ""


def refuse_mixed(columns: Mapping[str, Sequence[str]], stamps: pd.DatetimeIndex, where: str) -> None:
    """Refuse series that take turns in a long file, told apart by a column of texts: none has all the stamps.

    columns : texts of the first rows, m a column; stamps : of these rows, increasing, (m,). What comes once a day or
    once a week is taken for a part of the day or a day of the week, and numbers below 60 for a part of the hour.
    """
    if len(stamps) < 6:
        return
    step = stamps.to_series().diff().min()
    for name, texts in columns.items():
        no_name = any(map(_NO_NAME.fullmatch, different := set(texts))) and not _KEY.search(name)
        if no_name or not 1 < len(different) <= len(texts) // 3:
            continue
        keys = pd.Series(texts, stamps)
        apart = stamps.to_series().groupby(keys).diff().dropna()
        usual = apart.groupby(keys[apart.index]).agg(lambda its: its.mode().min())
        even = (apart == keys[apart.index].map(usual)).mean()
        in_turns = usual.min() > step and not usual.isin([DAY, 7 * DAY]).any()
        if in_turns and even > 0.9 and len(usual) == len(different):
            picked = {name: str(texts[0])}
            raise SeriesError(
                f"{where}column {shown(name)} tells {len(usual)} series apart, whose rows take turns: "
                f"only={picked} reads one of them. If they are one series, say so: only={{}}."
            )


# ------------------------------------------------------------------------------- a row a day, a column each hour


def clocks_of(columns: Iterable[str]) -> dict[str, str]:
    """The columns that are called like times of day, of four or more, and these times, in their order.

    Where the names hold other words, or no sign between hour and minute, they have to be those of a whole day.

    >>> clocks_of(["Total", "00:00", "06:00", "12:00", "18:00"])
    {'00:00': '00:00', '06:00': '06:00', '12:00': '12:00', '18:00': '18:00'}
    >>> clocks_of(["kW 0600", "kW 1200", "kW 1800", "kW 2400"])["kW 0600"], clocks_of(["1", "2", "3", "4"])
    ('06:00', {})
    """
    groups = _groups(columns)
    bare = groups.pop(("", ""), {})
    found = _in_order({name: its for name, its in bare.items() if re.search("[:h]", name)})
    if len(found) > 3 or not (whole := [its for its in groups.values() if _is_a_day(its)]):
        return found if len(found) > 3 else bare if _is_a_day(bare) else {}
    return whole[0] if len(whole) == 1 else {}


def _groups(columns: Iterable[str]) -> dict[tuple[str, str], dict[str, str]]:
    """By the words around them: the columns that are called like times of day, and these times."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    for column in columns:
        match = _CLOCK.fullmatch(column)
        if match and (match["minute"] or match["h"] or match["half"] or match["end"]):
            groups.setdefault((match["before"], match["after"]), {})[column] = _clock(match)
    return {words: _in_order(its) for words, its in groups.items()}


def _in_order(clocks: Mapping[str, str]) -> dict[str, str]:
    """By time; a last one at 00:00 is the end of the day. Nothing where a time comes twice."""
    found, times = dict(clocks), list(clocks.values())
    if len(times) > 1 and re.fullmatch("00:00(:00)?", times[-1]) and times[:-1] == sorted(times[:-1]):
        found[list(found)[-1]] = f"24{times[-1][2:]}"
    if len(set(found.values())) < len(found):
        return {}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _is_a_day(clocks: Mapping[str, str]) -> bool:
    """Whether times are at equal distances over a whole day, from its begin or to its end."""
    at = [60 * int(time[:2]) + int(time[3:5]) for time in clocks.values()]
    return len(at) > 3 and len(set(np.diff(at))) == 1 and len(at) * (at[1] - at[0]) == 1440 and at[-1] <= 1440


def quantity(clock: str) -> str:
    """What stands beside the time of day in a column's name, without a unit.

    >>> quantity("load_00:00"), quantity("00:00 [kWh]"), quantity("H0030")
    ('load', '', 'H')
    """
    match = _CLOCK.fullmatch(clock)
    words = f"{match['before']} {match['after']}" if match else ""
    return re.sub(r"[\[(][^][()]*[\])]", "", words).strip(" _-:.")


def _clock(match: re.Match[str]) -> str:
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + 12 * (match["half"] in "Pp")
    return f"{hour:02}:{match['minute'] or '00'}" + f":{match['second']}" * bool(match["second"])


def refuse_one_value_a_day(
    target: str | None, columns: Sequence[str], clocks: Mapping[str, str], where: str
) -> None:
    """Refuse a target that has one value a day beside columns that are called like times of day, or is one of these."""
    if clocks and target in columns:
        many = "is one of" if target in clocks else "has one value a day, beside"
        raise SeriesError(
            f"{where}column {target!r} {many} {len(clocks)} that are called like times of day, one row a day. Without "
            f"target these are read as one series; columns=[{target!r}] loads that column alone."
        )


def refuse_hours(
    names: Iterable[str], header: Sequence[str], line: int, stamps: pd.DatetimeIndex, where: str
) -> None:
    """Refuse a row a day with columns that are numbered like the hours of a day, or of several quantities."""
    if len(stamps) < 2 or stamps.to_series().diff().median() < DAY:
        return
    columns, call = list(names), f"with header={line} and"
    found = {column: match for column in columns if (match := re.fullmatch(r"(\D*)(\d+)(\D*)", column))}
    numbers, many = [int(match[2]) for match in found.values()], len(found)
    alike = len({(match[1], match[3]) for match in found.values()}) == 1
    if many in _PARTS_OF_A_DAY and alike and numbers == list(range(numbers[0], numbers[0] + many)):
        first, *_, last = found
        parts = many // 24 * 24  # of 25 hours the last is that of the day on which clocks are put back
        begins = pd.date_range("2000", periods=parts, freq=f"{1440 // parts}min").strftime("%H:%M")
        named = dict(zip(found, begins, strict=False))
        names = [named.get(name, name) for name in header]
        raise SeriesError(
            f"{where}{many} columns are numbered from {first!r} to {last!r}, with one row a day: are they "
            f"the parts of a day? Then call them by the times at which they begin, {call} {names=}. If not, load them "
            "with columns=[...]."
        )
    if len(days := [its for its in _groups(columns).values() if _is_a_day(its)]) > 1:
        firsts = listed(shown(next(iter(its))) for its in days)
        raise SeriesError(
            f"{where}the columns are times of day of {len(days)} quantities, {firsts} and so on, with one row a day. "
            f"Call those of one by their times alone, and the others by words, {call} names=[...]; or "
            "load them as they are with columns=[...]."
        )


def unfold(
    text: pd.Series,
    frame: pd.DataFrame,
    clocks: Mapping[str, str],
    form: str | None,
    zone: str,
    where: str,
    stamped: Any,
) -> tuple[pd.Series, pd.DataFrame, str | None, list[str]]:
    """A row a day (n), a column for each time of day (k), as one column: n·k stamps and values, called as the first.

    The form of the stamps comes with them, and notes: values at times that no clock shows are left out.
    """
    times = list(clocks.values())
    dates = pd.api.types.is_datetime64_any_dtype(text.dtype)
    days = (
        text.dt.strftime("%Y-%m-%d")
        if dates
        else text.str.replace(r"[T ]00:00(:00(\.0+)?)?$", "", regex=True)
    )
    stamps = np.add.outer(days.to_numpy(object) + " ", np.array(times, object)).ravel()
    seconds = ":%S" * (times[0].count(":") > 1)
    form = None if form is None else f"{re.split('[T ]%H', form)[0]} %H:%M{seconds}"
    lines = text.index.repeat(len(times))
    long = pd.Series(stamps, lines, dtype=str, name=text.name)
    flat = pd.DataFrame({next(iter(clocks)): frame.to_numpy().ravel()}, lines)
    notes = [f"{len(times)} columns, called like times of day, read as one"]
    local, _ = parse(long, form, where, stamped)
    if local.tz is not None:
        return long, flat, form, notes
    width = pd.Timedelta(f"{times[1]}:00"[:8]) - pd.Timedelta(f"{times[0]}:00"[:8])
    starts = local - width if stamped == "end" else local
    here = np.asarray(
        starts.tz_localize(zone, ambiguous=np.ones(len(starts), bool), nonexistent="NaT").notna()
    )
    if not here.all():
        lost = zip(long[~here], flat[~here].iloc[:, 0], strict=True)
        which = listed((f"{stamp} ({value:.15g})" for stamp, value in lost), 8)
        notes.append(f"{(~here).sum()} values left out, at times that clocks skip in {zone}: {which}")
    return long[here], flat[here], form, notes

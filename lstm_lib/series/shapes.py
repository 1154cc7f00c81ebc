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

from lstm_lib.series.clock import DAY, Values
from lstm_lib.series.refusal import SeriesError, listed, shown
from lstm_lib.series.spelling import parse

_NO_NAME = re.compile(r"[0-5]?\d?|[-+\d]*[.,][\d.,]*|[-+].*")  # a part of the hour, or what was measured
_CLOCK = re.compile(
    r"(\d{1,2})[:h](\d\d)(?::(\d\d))?(?: ?([AaPp])\.?[Mm]\.?)?(?:\s*[-–—]\s*\d{1,2}[:h]\d\d(?::\d\d)?)?"
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
        if not 1 < len(different := set(texts)) <= len(texts) // 3 or any(map(_NO_NAME.fullmatch, different)):
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
    """The columns that are called like times of day, of four or more, and these times.

    >>> clocks_of(["Total", "00:00", "06:00", "12:00", "18:00"])
    {'00:00': '00:00', '06:00': '06:00', '12:00': '12:00', '18:00': '18:00'}
    """
    clocks = {column: _clock(match) for column in columns if (match := _CLOCK.fullmatch(column))}
    *before, last = clocks or [""]
    if re.fullmatch("00:00(:00)?", clocks.get(last, "")) and before:  # periods by their ends
        clocks[last] = f"24{clocks[last][2:]}"
    return clocks if len(set(clocks.values())) == len(clocks) > 3 else {}


def _clock(match: re.Match[str]) -> str:
    hour = int(match[1])
    if match[4]:
        hour = hour % 12 + 12 * (match[4] in "Pp")
    return f"{hour:02}:{match[2]}" + f":{match[3]}" * bool(match[3])


def refuse_hours(columns: Sequence[str], times: Sequence[str], where: str) -> None:
    """Refuse a row a day with columns that are numbered like the hours of a day."""
    found = [re.fullmatch(r"(\D*)(\d+)(\D*)", column) for column in columns]
    numbered = [match for match in found if match]
    numbers = [int(match[2]) for match in numbered]
    if (
        len(numbers) in _PARTS_OF_A_DAY
        and len({(match[1], match[3]) for match in numbered}) == 1
        and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    ):
        raise SeriesError(
            f"{where}{len(numbers)} columns are numbered from {numbered[0][0]!r} to {numbered[-1][0]!r}, with one "
            f"row a day: are they the parts of a day? Then call them by the times at which they begin, with header=1 "
            f"and names={[*times, '00:00', '01:00']} and so on. If not, load them with columns=[...]."
        )


def unfold(
    text: pd.Series,
    values: Values,
    clocks: Sequence[str],
    form: str | None,
    zone: str,
    where: str,
    stamped: Any,
) -> tuple[pd.Series, Values, str | None, str]:
    """A row a day (n), a column for each time of day (k), as one column: n·k stamps and values (n·k, 1).

    The form of the stamps comes with them, and a note on values at times that no clock shows: these are left out.
    """
    dates = pd.api.types.is_datetime64_any_dtype(text.dtype)
    days = (
        text.dt.strftime("%Y-%m-%d")
        if dates
        else text.str.replace(r"[T ]00:00(:00(\.0+)?)?$", "", regex=True)
    )
    stamps = np.add.outer(days.to_numpy(object) + " ", np.array(clocks, object)).ravel()
    seconds = ":%S" * (clocks[0].count(":") > 1)
    form = None if form is None else f"{re.split('[T ]%H', form)[0]} %H:%M{seconds}"
    lines = pd.Index(np.repeat(text.index, len(clocks)), name=text.index.name)
    long, flat = pd.Series(stamps, lines, dtype=str, name=text.name), values.reshape(-1, 1)
    local, _ = parse(long, form, where, stamped)
    if local.tz is not None:
        return long, flat, form, ""
    width = pd.Timedelta(f"{clocks[1]}:00"[:8]) - pd.Timedelta(f"{clocks[0]}:00"[:8])
    starts = local - width if stamped == "end" else local
    gone = np.asarray(
        starts.tz_localize(zone, ambiguous=np.ones(len(starts), bool), nonexistent="NaT").isna()
    )
    which = listed(
        (f"{stamp} ({value:.15g})" for stamp, value in zip(long[gone], flat[gone, 0], strict=True)), 8
    )
    note = f"{gone.sum()} values left out, at times that clocks skip in {zone}: {which}" if gone.any() else ""
    return long[~gone], flat[~gone], form, note

"""What is known in advance: the calendar of the hours to be forecast, and columns such as a weather forecast.

A known column is one whose value for a later hour is there when the forecast is made. For each step ahead it becomes an
input of its own, "temperature +3" beside "temperature": the value three rows later. No other column is looked at beyond
the row that a window ends with. Where the file has no forecast of the weather, its past is the stand-in: what really
came, which is a better forecast than anybody has; the errors are those of a perfect one.

A day ahead that is 24 inputs a column, and each value stands in a window up to 24 times, at one row as "+1", at the row
before as "+2". The network reads them all; a forecast that reads a window as one flat row needs each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lstm_lib.series.clock import calendar_features, is_calendar
from lstm_lib.series.refusal import SeriesError, choose, several
from lstm_lib.series.splits import Rows
from lstm_lib.series.table import Series


def with_known(series: Series, known: str | Iterable[str], ahead: Rows | Sequence[int]) -> Series:
    """The series with the values of the hours ahead as further columns.

    Parameters
    ----------
    known : columns of the series, other than its target, or of the calendar "hour", "weekday" and public holidays, such
        as "holiday:FR".
    ahead : how many rows later.

    Returns
    -------
    A new series, whose `known` says what was added. The last rows of known columns miss what the file doesn't have;
    the calendar goes on after it.

    Raises SeriesError for the target, and for what is neither a column nor a feature of the calendar.

    >>> index = pd.date_range("2020-01-01", periods=3, freq="h", tz="UTC")
    >>> frame = pd.DataFrame({"load": [1.0, 2.0, 3.0], "air": [7.0, 8.0, 9.0]}, index)
    >>> with_known(Series("demo", frame, "load"), ["air"], [1]).frame["air +1"].tolist()
    [8.0, 9.0, nan]
    """
    names, where = several(known), f"Series {series.name!r}: "
    columns, units, index = dict[str, object](), dict(series.units), series.index
    for name in names:
        if name == series.target:
            raise SeriesError(f"{where}known={names!r}: the target {name!r} is what is to be forecast.")
        if not is_calendar(name):
            choose(name, series.measured, "column that may be known, or feature of the calendar,", where)
        for step in np.asarray(ahead).tolist():
            if is_calendar(name):
                later = pd.DatetimeIndex(index + step * series.step)
                waves = calendar_features(later, series.timezone, name)
                columns |= {f"{wave} +{step}": values for wave, values in waves.items()}
            else:
                columns[f"{name} +{step}"] = series.frame[name].shift(-step)
                units[f"{name} +{step}"] = series.unit_of(name)
    frame = pd.concat(
        [series.frame.drop(columns=[*columns], errors="ignore"), pd.DataFrame(columns, index)], axis=1
    )
    return replace(series, frame=frame, units=units, known=tuple(names))


def ahead_of(inputs: Sequence[str], known: Sequence[str]) -> list[tuple[str, int]]:
    """Of each input the column it is a value of, and how many rows after its own one: 0 where it is not of later hours.

    >>> ahead_of(["load", "air", "air +1", "hour_sin +12"], ["air", "hour"])
    [('load', 0), ('air', 0), ('air', 1), ('hour_sin', 12)]
    """
    of = {*known, *(f"{name}_{wave}" for name in known for wave in ("sin", "cos"))}
    parts = (name.rpartition(" +") for name in inputs)
    return [(a, int(k)) if a in of else (name, 0) for name, (a, _, k) in zip(inputs, parts, strict=True)]


def each_once(inputs: Sequence[str], known: Sequence[str], lookback: int) -> Rows:
    """Which cells of a window (T, D), counted row by row, tell it all, and no value of a known column twice.

    Parameters
    ----------
    inputs : D names. known : as for `with_known`. lookback : T.

    Returns
    -------
    In rising order; all T D cells where nothing is known ahead.

    A window of two rows, three hours ahead: of six cells the last three and the first tell the hours 1 to 4.

    >>> each_once(["air +1", "air +2", "air +3"], ["air"], 2).tolist()
    [0, 3, 4, 5]
    >>> each_once(["load", "air", "air +1"], ["air"], 2).tolist()  # "air +1" of the first row is "air" of the second
    [0, 1, 3, 4, 5]
    """
    what, found = ahead_of(inputs, known), dict[tuple[str, int], int]()
    for d in sorted(range(len(what)), key=lambda d: what[d][1]):
        name, ahead = what[d]
        for t in range(lookback):
            found.setdefault((name, t + ahead), t * len(what) + d)
    return np.sort(np.fromiter(found.values(), np.int64, len(found)))


def measured_until(series: Series, inputs: Sequence[str], known: Sequence[str]) -> Series:
    """The series without the rows at its end of which known columns alone are there: those are to be forecast."""
    others = [c for c in inputs if c in series.measured and c not in known]
    there = np.flatnonzero(series.frame[[*dict.fromkeys([*others, series.target])]].notna().any(axis=1))
    if all(map(is_calendar, known)) or not len(there):
        return series
    return replace(series, frame=series.frame.iloc[: there[-1] + 1])

"""What is known in advance: the calendar of the hours to be forecast, and columns such as a weather forecast.

A known column is one whose value for a later hour is there when the forecast is made. For each step ahead it becomes an
input of its own, "temperature +3" beside "temperature": the value three rows later. No other column is looked at beyond
the row that a window ends with. Where the file has no forecast of the weather, its past is the stand-in: what really
came, which is a better forecast than anybody has; the errors are those of a perfect one.
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


def measured_until(series: Series, inputs: Sequence[str], known: Sequence[str]) -> Series:
    """The series without the rows at its end of which known columns alone are there: those are to be forecast."""
    others = [c for c in inputs if c in series.measured and c not in known]
    there = np.flatnonzero(series.frame[[*dict.fromkeys([*others, series.target])]].notna().any(axis=1))
    if all(map(is_calendar, known)) or not len(there):
        return series
    return replace(series, frame=series.frame.iloc[: there[-1] + 1])

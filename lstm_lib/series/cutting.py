"""Cutting: a series into windows, in three parts in order of time, once or at a rolling origin.

`windows` makes one `Split`; `folds` makes several, whose border between the known and the unknown moves on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.series.known import with_known
from lstm_lib.series.refusal import SeriesError, choose, count, several
from lstm_lib.series.splits import Rows, Split, Windows
from lstm_lib.series.table import Series

Borders = tuple[int, int, int, int]
EXTENT = {"window": "lookback", "sequence": "length"}  # the argument that says how many rows one reads


def windows(
    series: Series,
    lookback: int = 72,
    horizon: int = 1,
    *,
    split: Sequence[float] = (0.70, 0.15, 0.15),
    inputs: Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    steps: Literal["last", "all"] = "last",
    every: int = 1,
    dtype: npt.DTypeLike = "float32",
    known: str | Sequence[str] = (),
) -> Split:
    """Cut a series into windows, in three parts in order of time.

    Parameters
    ----------
    lookback : T, how many rows a window reads.
    horizon : how many rows ahead the forecast is.
    split : shares of the rows for training, validation, test.
    inputs : D columns to read; None reads all, the target's own past among them.
    target : another column to forecast than the series' target, or several at once: K columns.
    steps : "last" forecasts the row `horizon` ahead (S = 1), "all" every row up to it (S = horizon).
    every : take every so-many-th window, counted from the first row of each part.
    dtype : of the scaled arrays, float32 or float64.
    known : what is known of the hours to be forecast, further inputs for each step: "hour" and "weekday" of the
        calendar, columns such as the temperature of a weather forecast (its past is the stand-in). Never the target.

    Scaling is (value - mean) / sd with the mean and sd (over n, not n - 1) of the training rows. A window is dropped if
    a row it reads or is compared with is missing (`gap`), or lies in another part (`border`, also where both hold). So
    no two parts share a row. Raises SeriesError for an argument out of range, a series shorter than one window, a part
    without windows, and an input that is constant in the training rows.

    Twelve hours, of which hour 4 is missing; three parts: rows 0-4, 5-7, 8-11.

    >>> index = pd.date_range("2020-01-01", periods=12, freq="h", tz="UTC")
    >>> load = np.arange(12.0)
    >>> load[4] = np.nan
    >>> demo = Series("demo", pd.DataFrame({"load": load}, index), "load", "kW")
    >>> parts = windows(demo, lookback=2, horizon=1, split=(0.4, 0.25, 0.35))
    >>> for part in (parts.train, parts.valid, parts.test):
    ...     for start, row in zip(part.starts, part.target_rows):
    ...         print(part.name, "reads rows", [*range(start, start + 2)], "and forecasts row", *row)
    train reads rows [0, 1] and forecasts row 2
    train reads rows [1, 2] and forecasts row 3
    valid reads rows [5, 6] and forecasts row 7
    test reads rows [8, 9] and forecasts row 10
    test reads rows [9, 10] and forecasts row 11

    Dropped: [2, 3] to 4, a gap; [3, 4] to 5, [4, 5] to 6, [6, 7] to 8 and [7, 8] to 9, which cross a border.

    >>> parts.counts
           first  rows  windows  gap  border
    train      0     5        2    1       2
    valid      5     3        1    0       2
    test       8     4        2    0       0
    >>> parts.train.x.shape, parts.train.y.shape, float(parts.scaling.loc["load", "mean"])
    ((2, 2, 1), (2, 1), 1.5)
    """
    borders, offsets = borders_of(series, split), offsets_of(lookback, horizon, steps)
    series, inputs = knowing(series, known, inputs, offsets - lookback + 1)
    return cut(series, borders, lookback, offsets, every, inputs, target, dtype)


def folds(
    series: Series,
    lookback: int = 72,
    horizon: int = 1,
    *,
    number: int = 4,
    valid: float = 0.1,
    test: float = 0.1,
    training: Literal["growing", "fixed"] = "growing",
    inputs: Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    steps: Literal["last", "all"] = "last",
    every: int = 1,
    dtype: npt.DTypeLike = "float32",
    known: str | Sequence[str] = (),
) -> list[Split]:
    """Splits with a rolling origin: each is tested on the stretch that follows what it knows, the last on the end.

    Parameters
    ----------
    number : of folds; their test parts follow one another without overlap, up to the end of the series.
    valid, test : the share of the rows in each validation part and each test part.
    training : "growing" trains on all rows before the validation part, "fixed" on as many as the first fold has, so
        that old rows are left behind.
    lookback, horizon, inputs, target, steps, every, dtype, known : as for `windows`.

    Returns
    -------
    The splits in order of time, each scaled by its own training rows.

    Raises SeriesError as `windows` does, and if the shares leave no rows to train on.

    >>> index = pd.date_range("2020-01-01", periods=100, freq="h", tz="UTC")
    >>> demo = Series("demo", pd.DataFrame({"load": np.arange(100.0)}, index), "load", "kW")
    >>> for fold in folds(demo, lookback=2, number=3):
    ...     print(*(f"{name} {row['first']}-{row['first'] + row['rows'] - 1}" for name, row in fold.counts.iterrows()))
    train 0-59 valid 60-69 test 70-79
    train 0-69 valid 70-79 test 80-89
    train 0-79 valid 80-89 test 90-99
    """
    where, number = _checked(series, "folds"), count(number, "number")
    choose(training, ("growing", "fixed"), "way of training")
    n = len(series.frame)
    held, tested = round(n * valid), round(n * test)
    begun = n - number * tested - held  # rows that the first fold trains on
    if not (0 < valid < 1 and 0 < test < 1) or min(held, tested, begun) < 1:
        raise SeriesError(
            f"{where}number={number}, valid={valid!r}, test={test!r} leave {begun} of {n} rows to train the first "
            "fold on; each has to be above 0, and valid + number x test below 1."
        )
    result, offsets = list[Split](), offsets_of(lookback, horizon, steps)
    series, inputs = knowing(series, known, inputs, offsets - lookback + 1)
    for end in range(begun, n - held, tested):  # of the training rows
        borders = (end - begun if training == "fixed" else 0, end, end + held, end + held + tested)
        result.append(cut(series, borders, lookback, offsets, every, inputs, target, dtype))
    return result


def _checked(series: Series, call: str) -> str:
    if not isinstance(series, Series):
        raise SeriesError(f"{call}() takes a Series, from load_series(...); got {type(series).__name__}.")
    return f"Series {series.name!r}: "


def borders_of(series: Series, split: Sequence[float], call: str = "windows") -> Borders:
    """The first row of the training, the validation and the test part, and the row after the last."""
    _checked(series, call)
    shares = np.asarray(split, dtype=np.float64)
    if shares.shape != (3,) or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise SeriesError(
            f"split={split!r} has to be three shares above 0 that add up to 1, such as (0.70, 0.15, 0.15)."
        )
    n = len(series.frame)
    return 0, round(n * shares[0]), round(n * (shares[0] + shares[1])), n


def knowing(
    series: Series, known: str | Sequence[str], inputs: Sequence[str] | None, ahead: Rows
) -> tuple[Series, Sequence[str] | None]:
    """The series with what is known of the hours ahead, and the inputs with it."""
    if not known:
        return series, inputs
    more = with_known(series, known, ahead)
    new = [str(column) for column in more.frame if column not in series.frame]
    return more, None if inputs is None else [*inputs, *new]


def offsets_of(lookback: int, horizon: int, steps: str) -> Rows:
    """The target rows counted from a window's start, (S,)."""
    lookback, horizon = count(lookback, "lookback"), count(horizon, "horizon")
    first = 0 if choose(steps, ("last", "all"), "steps") == "all" else horizon - 1
    return lookback + np.arange(first, horizon)


def _named(given: Iterable[str], series: Series, argument: str) -> list[str]:
    """Columns of the series by their names, at least one, none twice."""
    names = [] if isinstance(given, str) else list(given)
    if not names or len(set(names)) < len(names):
        raise SeriesError(f"{argument}={given!r} has to be a list of at least one column, none twice.")
    return [choose(column, series.frame.columns, "column", f"Series {series.name!r}: ") for column in names]


def cut(
    series: Series,
    borders: Borders,
    lookback: int,
    offsets: Rows,
    every: int,
    inputs: Sequence[str] | None,
    target: str | Sequence[str] | None,
    dtype: npt.DTypeLike,
    what: str = "window",
) -> Split:
    """Windows in three parts, scaled by what the training rows say; `what` is what an error calls them."""
    where, lookback, every = f"Series {series.name!r}: ", int(lookback), count(every, "every")
    if np.dtype(dtype).name not in ("float32", "float64"):
        raise SeriesError(f"dtype={dtype!r} was given; valid are 'float32' and 'float64'.")
    n, width = borders[3], int(offsets.max()) + 1
    if len(series.frame) < width:
        raise SeriesError(
            f"{where}it has {len(series.frame)} rows, and one {what} needs {EXTENT[what]} + horizon = {lookback} + "
            f"{width - lookback} = {width}."
        )
    names = _named(list(series.frame.columns) if inputs is None else inputs, series, "inputs")
    goals = _named(several(series.target if target is None else target), series, "target")

    columns = list(dict.fromkeys([*names, *goals]))
    training = series.frame.iloc[borders[0] : borders[1]][columns]
    scaling = _scaling(training, where)
    scaled = (series.frame[columns] - scaling["mean"]) / scaling["sd"]
    with np.errstate(over="ignore"):
        values, targets = (np.array(scaled[which], dtype, order="C") for which in (names, goals))
    named = zip([*names, *goals], [*values.T, *targets.T], strict=True)
    if large := [name for name, a in named if np.isinf(a).any()]:
        raise SeriesError(
            f"{where}column {large[0]!r} has values too large for {np.dtype(dtype)} when scaled by the training rows; "
            "see check(), and correct them."
        )
    values.flags.writeable = targets.flags.writeable = False
    apart = training[goals].diff().abs().mean().to_numpy(dtype=np.float64)
    scale = float(scaling["sd"][goals[0]]) if len(goals) == 1 else 1.0
    # how many rows with a missing value there are before each row, (n + 1,)
    holes, lacks = (np.append(0, np.isnan(a).any(axis=1).cumsum()) for a in (values, targets))
    parts, counts = dict[str, Windows](), dict[str, dict[str, int]]()
    for name, first, end in zip(("train", "valid", "test"), borders[:3], borders[1:], strict=True):
        starts = np.arange(first, min(end, n - width + 1), every)
        inside = starts[starts + width <= end]
        whole = holes[inside + lookback] == holes[inside]
        kept = inside[whole & (lacks[inside + width] == lacks[inside + offsets.min()])]
        lost = {"gap": len(inside) - len(kept), "border": len(starts) - len(inside)}
        if not len(kept):
            holed = series.frame[columns].iloc[first:end].isna().sum()
            most = f"; most are missing in {holed.idxmax()!r} ({holed.max()})" if lost["gap"] else ""
            raise SeriesError(
                f"{where}no {what} is left in the {name} part: it has {end - first} rows, a {what} needs {width}; "
                f"dropped by gap {lost['gap']}, by border {lost['border']}{most}. Give a larger share in split=, a "
                f"smaller {EXTENT[what]}, or fewer inputs."
            )
        parts[name] = Windows(
            name, series, lookback, offsets, kept, values, targets, scale, tuple(goals), apart
        )
        counts[name] = {"first": first, "rows": end - first, "windows": len(kept), **lost}
    return Split(**parts, series=series, inputs=tuple(names), scaling=scaling, counts=pd.DataFrame(counts).T)


def _scaling(training: pd.DataFrame, where: str) -> pd.DataFrame:
    """Mean and sd of each column of the training rows; a column that can't be scaled is refused."""
    for column, values in training.items():
        if not values.max() > values.min():  # constant, or nothing but NaN
            state = f"is {values.max()} throughout" if values.notna().any() else "has no value in"
            raise SeriesError(
                f"{where}column {column!r} {state} the {len(training)} training rows and can't be scaled; leave it out "
                "with inputs=[...] if it is not the target, or give the training part a larger share in split=."
            )
    with np.errstate(over="ignore", under="ignore"):
        scaling = pd.DataFrame({"mean": training.mean(), "sd": training.std(ddof=0)})
    means, deviations = scaling.to_numpy(dtype=np.float64).T
    if (wrong := ~np.isfinite(means) | ~np.isfinite(deviations) | (deviations <= 0)).any():
        k = int(wrong.argmax())
        column, mean, sd = training.columns[k], means[k], deviations[k]
        raise SeriesError(
            f"{where}column {column!r} has mean {mean:g} and deviation {sd:g} in the training rows, values from "
            f"{training[column].min():g} to {training[column].max():g}, and can't be scaled; see check(), correct it, "
            "change its unit, or leave it out with inputs=[...] if it is not the target."
        )
    return scaling

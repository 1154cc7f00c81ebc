"""From a file to windows: an energy series, read and checked, cut into windows, and the forecasts to beat.

Five nouns. A `Series` is a table on a regular grid of UTC stamps with one target column; a missing value is
NaN, and nothing is ever filled in. `load_series` reads one, embedded or your own. `windows` cuts it into a
`Split` of three parts, each a `Windows`: inputs x (N, T, D) and targets y (N, O), scaled by what the
training rows say. Forecasts (`naive_forecasts`, `ridge_forecast`) are tables in the target's unit, aligned
with a part's `times`; `compare` and `metrics` score them on the rows where all of them exist.

Letters: n rows of the series, N windows, T = lookback, D input columns, O target values a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ._read import Array, Series, SeriesError, choose, load_series

__all__ = [
    "Series",
    "SeriesError",
    "Split",
    "Windows",
    "compare",
    "load_series",
    "metrics",
    "naive_forecasts",
    "ridge_forecast",
    "windows",
]
DAY = pd.Timedelta(days=1)


# ---------------------------------------------------------------------------------------------- the windows


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """The windows of one part of a split: N pairs of inputs and targets, in order of time.

    Window k reads the rows `starts[k]` ... `starts[k] + lookback - 1` and is compared at the rows
    `target_rows[k]`. All parts look at the same scaled array `values` (n, D); nothing is copied before it is
    asked for.
    """

    name: str
    series: Series
    lookback: int
    offsets: npt.NDArray[np.int64]  # (O,) target rows counted from the window's start
    starts: npt.NDArray[np.int64]  # (N,)
    values: Array  # (n, D), scaled, read-only
    targets: Array  # (n,), scaled, read-only
    scale: float  # what one scaled unit of the target is in the series' unit

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return (
            f"Windows {self.name!r}: x {(len(self), self.lookback, self.values.shape[1])}, y "
            f"{(len(self), len(self.offsets))}, {self.values.dtype}, targets "
            f"{self.times[0]:%Y-%m-%d %H:%M} to {self.times[-1]:%Y-%m-%d %H:%M}"
        )

    @property
    def x(self) -> Array:
        """Scaled inputs (N, T, D): a read-only view if the starts are evenly spaced, else a copy."""
        between = np.diff(self.starts)
        if len(between) and (between != between[0]).any():
            return self._gather(self.starts)
        view = np.lib.stride_tricks.sliding_window_view(self.values, self.lookback, axis=0).transpose(0, 2, 1)
        return view[self.starts[0] : self.starts[-1] + 1 : int(between[0]) if len(between) else 1]

    @property
    def y(self) -> Array:
        """Scaled targets (N, O), a copy."""
        return self.targets[self.target_rows]

    @property
    def actual(self) -> npt.NDArray[np.float64]:
        """What really happened (N, O): the targets in the series' unit, float64, as in the file."""
        return self.series.frame[self.series.target].to_numpy(dtype=np.float64)[self.target_rows]

    @property
    def target_rows(self) -> npt.NDArray[np.int64]:
        """The rows of the series the targets are taken from, (N, O)."""
        return self.starts[:, None] + self.offsets

    @property
    def times(self) -> pd.DatetimeIndex:
        """The stamp of each window's (first) target, (N,)."""
        return pd.DatetimeIndex(self.series.frame.index[self.starts + self.offsets[0]], name="time")

    @property
    def origin(self) -> pd.DatetimeIndex:
        """The stamp of each window's last input: the moment of the forecast, (N,)."""
        return pd.DatetimeIndex(self.series.frame.index[self.starts + self.lookback - 1], name="origin")

    def take(self, rows: npt.ArrayLike | slice) -> tuple[Array, Array]:
        """A batch: inputs (B, T, D) and targets (B, O) of the windows `rows`, as C-contiguous copies.

        rows : indices, a mask, or a slice; IndexError for a window that isn't there.
        """
        starts: npt.NDArray[np.int64] = self.starts[rows if isinstance(rows, slice) else np.asarray(rows)]
        return self._gather(starts), self.targets[starts[:, None] + self.offsets]

    def _gather(self, starts: npt.NDArray[np.int64]) -> Array:
        windows: Array = self.values[starts[:, None] + np.arange(self.lookback)]
        return windows


@dataclass(frozen=True, eq=False)
class Split:
    """Three parts in order of time, and what was learnt from the training rows alone.

    scaling : DataFrame, a row for each input and the target, columns mean and sd, in the columns' units
    counts : DataFrame, a row for each part: its rows of the series (`first`, `rows`), its `windows`, and how
        many more there would be without the missing values (`gap`) and without the borders (`border`)
    """

    train: Windows
    valid: Windows
    test: Windows
    series: Series
    inputs: tuple[str, ...]
    scaling: pd.DataFrame
    counts: pd.DataFrame

    def __repr__(self) -> str:
        parts = "".join(f"\n  {part!r}" for part in (self.train, self.valid, self.test))
        return f"Split of {self.series.name!r}, inputs {', '.join(self.inputs)}{parts}"

    def unscale(self, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Scaled target values of any shape, back to the series' unit, float64."""
        mean, sd = (float(self.scaling[column][self.series.target]) for column in ("mean", "sd"))
        return np.asarray(np.asarray(y, dtype=np.float64) * sd + mean)


def windows(
    series: Series,
    lookback: int = 72,
    horizon: int = 1,
    *,
    split: Sequence[float] = (0.70, 0.15, 0.15),
    inputs: Sequence[str] | None = None,
    steps: Literal["last", "all"] = "last",
    every: int = 1,
    dtype: npt.DTypeLike = "float32",
) -> Split:
    """Cut a series into windows, in three parts in order of time.

    lookback : T, how many rows a window reads
    horizon : how many rows ahead the forecast is
    split : shares of the rows for training, validation, test
    inputs : D columns to read; all columns if not given, the target's own past among them
    steps : "last" forecasts the row `horizon` ahead (O = 1), "all" every row up to it (O = horizon)
    every : take every so-many-th window, counted from the first row of each part
    dtype : of the scaled arrays, float32 or float64

    Scaling is (value - mean) / sd with the mean and sd (over n, not n - 1) of the training rows. A window is
    dropped if a row it reads or is compared with is missing (`gap`), or lies in another part (`border`; a
    window that would be dropped for both counts as border). So no window of one part shares a row with
    another part.

    Raises SeriesError for an argument out of range, a series shorter than one window, a part without
    windows, and an input that is constant in the training rows.

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
    if not isinstance(series, Series):
        raise SeriesError(f"windows() takes a Series, from load_series(...); got {type(series).__name__}.")
    lookback, horizon = _count(lookback, "lookback"), _count(horizon, "horizon")
    every = _count(every, "every")
    choose(steps, ("last", "all"), "steps")
    if np.dtype(dtype).name not in ("float32", "float64"):
        raise SeriesError(f"dtype={dtype!r} was given; valid are 'float32' and 'float64'.")
    shares = np.asarray(split, dtype=np.float64)
    if shares.shape != (3,) or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise SeriesError(
            f"split={split!r} has to be three shares above 0 that add up to 1, such as (0.70, 0.15, 0.15)."
        )
    where, n, width = f"Series {series.name!r}: ", len(series.frame), lookback + horizon
    if n < width:
        raise SeriesError(
            f"{where}it has {n} rows, and one window needs lookback + horizon = {lookback} + "
            f"{horizon} = {width}."
        )
    names = tuple(series.frame.columns) if inputs is None else tuple(inputs)
    if isinstance(inputs, str) or not names:
        raise SeriesError(f"inputs={inputs!r} has to be a list of at least one column.")
    for column in names:
        choose(column, series.frame.columns, "column", where)

    b1, b2 = round(n * shares[0]), round(n * (shares[0] + shares[1]))
    scaling = _scaling(series.frame.iloc[:b1][list(dict.fromkeys([*names, series.target]))], where)
    scaled = (series.frame[list(scaling.index)] - scaling["mean"]) / scaling["sd"]
    values, targets = (np.array(scaled[key], dtype, order="C") for key in (list(names), series.target))
    values.flags.writeable = targets.flags.writeable = False

    offsets = np.arange(lookback, width) if steps == "all" else np.array([width - 1])
    holes = np.concatenate([[0], np.isnan(values).any(axis=1).cumsum()])  # missing rows before each row
    parts: dict[str, Windows] = {}
    counts: dict[str, dict[str, int]] = {}
    for name, first, end in (("train", 0, b1), ("valid", b1, b2), ("test", b2, n)):
        starts = np.arange(first, min(end, n - width + 1), every)
        inside = starts[starts + width <= end]
        missing = np.isnan(targets[inside[:, None] + offsets]).any(axis=1)
        kept = inside[(holes[inside + lookback] == holes[inside]) & ~missing]
        lost = {"gap": len(inside) - len(kept), "border": len(starts) - len(inside)}
        if not len(kept):
            holed = series.frame[list(scaling.index)].iloc[first:end].isna().sum()
            most = f"; most are missing in {holed.idxmax()!r} ({holed.max()})" if lost["gap"] else ""
            raise SeriesError(
                f"{where}no window is left in the {name} part: it has {end - first} rows, a "
                f"window needs {width}; dropped by gap {lost['gap']}, by border "
                f"{lost['border']}{most}. Give a larger share in split=, a smaller lookback, "
                f"or fewer inputs."
            )
        parts[name] = Windows(
            name, series, lookback, offsets, kept, values, targets, float(scaling["sd"][series.target])
        )
        counts[name] = {"first": first, "rows": end - first, "windows": len(kept), **lost}
    return Split(**parts, series=series, inputs=names, scaling=scaling, counts=pd.DataFrame(counts).T)


def _count(value: object, name: str) -> int:
    """Return `value` if it is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise SeriesError(
            f"{name}={value!r} was given; it counts steps of the series and has to be a whole "
            f"number, 1 or more."
        )
    return int(value)


def _scaling(training: pd.DataFrame, where: str) -> pd.DataFrame:
    """Mean and sd of each column of the training rows; a column that can't be scaled is refused."""
    for column, values in training.items():
        if not values.max() > values.min():  # constant, or nothing but NaN
            state = f"is {values.max()} throughout" if values.notna().any() else "has no value in"
            raise SeriesError(
                f"{where}column {column!r} {state} the {len(training)} training rows and "
                f"can't be scaled; leave it out with inputs=[...] if it is not the target, or "
                f"give the training part a larger share in split=."
            )
    return pd.DataFrame({"mean": training.mean(), "sd": training.std(ddof=0)})


# ------------------------------------------------------------------------------------ forecasts and metrics


def naive_forecasts(part: Windows) -> pd.DataFrame:
    """The forecasts that cost nothing, for the windows of `part`.

    Returns a DataFrame in the target's unit, N rows indexed by `part.times`, float64. Columns: "last value"
    (at the origin), "same hour yesterday" and "same hour last week": the latest value a whole number of days
    (weeks) before the target that is known at the origin. With O > 1 the columns have a second level, the
    step 1 ... O. A day or week that isn't a whole number of steps has no column. Where the
    earlier value is missing, or before the start of the series, the forecast is NaN. It may lie before the
    part's border: that is the past, not a leak.

    >>> naive_forecasts(windows(load_series("fontana")).test).round(1).reset_index(drop=True).head(2)
       last value  same hour yesterday  same hour last week
    0         9.4                  9.4                  8.4
    1         9.2                 10.0                  9.5
    """
    series, rows = part.series, part.target_rows
    known = series.frame[series.target].to_numpy()
    origin = np.broadcast_to(part.starts[:, None] + part.lookback - 1, rows.shape)
    sources = {"last value": origin}
    for name, period in (("same hour yesterday", DAY), ("same hour last week", 7 * DAY)):
        if period % series.step == pd.Timedelta(0):
            lag = period // series.step
            sources[name] = rows + lag * ((origin - rows) // lag)  # as many periods back as reach the origin
    return _table(part, {k: np.where(at < 0, np.nan, known[np.maximum(at, 0)]) for k, at in sources.items()})


def ridge_forecast(
    split: Split, alpha: float | Sequence[float] = (1.0, 10.0, 100.0, 1000.0, 10000.0)
) -> pd.DataFrame:
    """A ridge regression on the flattened windows: the straight line a network has to beat.

    alpha : the penalty on the squared weights; of several, the one with the smallest RMSE on the validation
        part is taken

    Fitted on the training part alone, in float64, by scikit-learn. Returns the forecasts for the test part in
    the target's unit, a DataFrame laid out as by `naive_forecasts` with the column "ridge"; the alpha taken
    is in `.attrs["alpha"]`. Raises SeriesError for an alpha that isn't above 0.

    >>> ridge = ridge_forecast(windows(load_series("fontana", columns=["power"]), lookback=24))
    >>> ridge.shape, ridge.attrs["alpha"] > 0
    ((1290, 1), True)
    """
    from sklearn.linear_model import Ridge

    alphas = np.atleast_1d(np.asarray(alpha, dtype=np.float64))
    if not alphas.size or not (alphas > 0).all():
        raise SeriesError(f"alpha={alpha!r} has to be one number above 0, or several to choose from.")

    def flat(part: Windows) -> tuple[Array, Array]:
        return part.x.reshape(len(part), -1).astype(np.float64), part.y.astype(np.float64)

    (x, y), (x_valid, y_valid) = flat(split.train), flat(split.valid)
    tried = []
    for strength in alphas:
        model = Ridge(alpha=float(strength), solver="cholesky").fit(x, y)
        error = float(np.mean((model.predict(x_valid).reshape(y_valid.shape) - y_valid) ** 2))
        tried.append((error, float(strength), model))
    _, chosen, model = min(tried, key=lambda trial: trial[:2])
    x_test, y_test = flat(split.test)
    table = _table(split.test, {"ridge": split.unscale(model.predict(x_test).reshape(y_test.shape))})
    table.attrs["alpha"] = chosen
    return table


def metrics(y: npt.ArrayLike, yhat: npt.ArrayLike, naive: npt.ArrayLike | None = None) -> dict[str, float]:
    """Errors of the forecast `yhat` of `y`, both (N, O) or (N,), in their own unit, over all N·O values.

    mae : mean of |yhat - y|
    rmse : root of the mean of (yhat - y)²
    skill : only with `naive`, another forecast of y: 1 - rmse / rmse of the naive one. 1 is perfect, 0 no
        better than naive, below 0 worse.
    n : the number of rows, N

    Raises SeriesError for shapes that differ, no rows, a value that isn't finite, and a naive forecast
    without error.

    >>> metrics([1, 2, 3, 4], [1, 2, 3, 6], naive=[3, 4, 5, 6])
    {'mae': 0.5, 'rmse': 1.0, 'skill': 0.5, 'n': 4}
    """
    given = {"y": y, "yhat": yhat} | ({} if naive is None else {"naive": naive})
    arrays = {}
    for name, values in given.items():
        array = np.asarray(values, dtype=np.float64)
        arrays[name] = array[:, None] if array.ndim == 1 else np.atleast_2d(array)
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or 0 in shapes["y"]:
        raise SeriesError(
            f"Shapes {', '.join(f'{name} {shape}' for name, shape in shapes.items())}: all "
            f"have to be the same, with at least one row."
        )
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise SeriesError(
                f"{name} has {int((~np.isfinite(array)).any(axis=1).sum())} rows of "
                f"{len(array)} that are missing or not finite; score the rows that all "
                f"forecasts have, as compare() does."
            )
    error = arrays["yhat"] - arrays["y"]
    scores = {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
    if naive is not None:
        reference = float(np.sqrt(((arrays["naive"] - arrays["y"]) ** 2).mean()))
        if reference == 0:
            raise SeriesError("naive has no error at all, so there is no skill relative to it.")
        scores["skill"] = 1 - scores["rmse"] / reference
    return scores | {"n": len(error)}


def compare(
    part: Windows, forecasts: Mapping[str, npt.ArrayLike], baseline: str = "last value"
) -> pd.DataFrame:
    """Score forecasts of `part` next to the naive ones, on the same rows: those where none is missing.

    forecasts : name -> (N, O) in the target's unit, such as {"LSTM": split.unscale(yhat)}
    baseline : the forecast that skill is relative to

    Returns a row for each forecast with the columns of `metrics`; `n` is the number of common rows, the same
    in each. Raises SeriesError as `metrics` does, for an unknown baseline, and for a forecast
    with stamps (a DataFrame) that are not those of `part`.

    >>> split = windows(load_series("fontana"))
    >>> compare(split.test, {"ridge": ridge_forecast(split)}).round(2)
                          mae  rmse  skill     n
    last value           3.73  4.78   0.00  1242
    same hour yesterday  3.92  5.28  -0.10  1242
    same hour last week  5.64  7.61  -0.59  1242
    ridge                2.67  3.53   0.26  1242
    """
    if not isinstance(part, Windows) or not isinstance(forecasts, Mapping):
        raise SeriesError(
            f"compare() takes a part of a split, such as split.test, and a dict of forecasts, such as "
            f'{{"LSTM": values}}; got {type(part).__name__} and {type(forecasts).__name__}.'
        )
    for name, values in forecasts.items():
        stamps = getattr(values, "index", None)
        if (
            isinstance(stamps, pd.DatetimeIndex)
            and len(stamps) == len(part)
            and not stamps.equals(part.times)
        ):
            raise SeriesError(
                f"Forecast {name!r} is for the stamps {stamps[0]} to {stamps[-1]}; the {part.name} part has "
                f"{part.times[0]} to {part.times[-1]}, in order of time."
            )
    naive = naive_forecasts(part)
    table = {name: naive[name] for name in dict.fromkeys(naive.columns.get_level_values(0))} | dict(forecasts)
    choose(baseline, table, "forecast")
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in table.items()}
    for name, array in arrays.items():
        if array.size != part.target_rows.size or len(array) != len(part):
            raise SeriesError(
                f"Forecast {name!r} has shape {array.shape}; expected "
                f"{part.target_rows.shape}, a row for each window of the {part.name} part."
            )
    arrays = {name: array.reshape(part.target_rows.shape) for name, array in arrays.items()}
    common = np.logical_and.reduce([~np.isnan(array).any(axis=1) for array in arrays.values()])
    if not common.any():
        raise SeriesError(
            f"There is no row of the {part.name} part that has all of the forecasts "
            f"{', '.join(map(repr, arrays))}."
        )
    actual, reference = part.actual[common], arrays[baseline][common]
    scores = {name: metrics(actual, array[common], reference) for name, array in arrays.items()}
    return pd.DataFrame(scores).T.astype({"n": int})


def _table(part: Windows, forecasts: Mapping[str, Array]) -> pd.DataFrame:
    """Forecasts (N, O) side by side: a column each, or with O > 1 a column for each step of each."""
    outputs = range(1, 1 + len(part.offsets))
    steps = pd.MultiIndex.from_product([forecasts, outputs], names=["forecast", "step"])
    columns = list(forecasts) if len(outputs) == 1 else steps
    return pd.DataFrame(np.concatenate(list(forecasts.values()), axis=1), index=part.times, columns=columns)

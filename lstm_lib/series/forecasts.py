"""The forecasts that a network has to beat: three that cost nothing, a straight line, and boosted trees.

Each gives a table in the target's unit, aligned with a part's `times`: a column a forecast, and further levels of
columns for the target (if there are several) and the step (if there are several).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.extras import needed
from lstm_lib.series.clock import Array, Values
from lstm_lib.series.known import ahead_of, each_once
from lstm_lib.series.refusal import SeriesError, count
from lstm_lib.series.sequences import Sequences, SequenceSplit, windows_of
from lstm_lib.series.splits import Rows, Split, Windows

DAY = pd.Timedelta(days=1)
NAIVE = ("last value", "same hour yesterday", "same hour last week")
CHUNK = 1024  # windows that are laid flat at a time


def naive_forecasts(part: Windows | Sequences) -> pd.DataFrame:
    """The forecasts that cost nothing, for the windows of `part` (of sequences, those they are compared on).

    Returns
    -------
    DataFrame in the target's unit, float64, N rows indexed by `part.times`. Columns: "last value" (at the origin),
    "same hour yesterday" and "same hour last week": the latest value a whole number of days (weeks) before the target
    that is known at the origin. With O > 1 the columns have a second level, the step 1 ... S; with several targets they
    have the levels forecast, target, step. A day or week that isn't a whole number of steps has no column. Where the
    earlier value is missing, or before the start of the series, the forecast is NaN. It may lie before the part's
    border: that is the past, not a leak.

    >>> from lstm_lib.series import load_series, windows
    >>> naive_forecasts(windows(load_series("fontana")).test).round(1).reset_index(drop=True).head(2)
       last value  same hour yesterday  same hour last week
    0         9.4                  9.4                  8.4
    1         9.2                 10.0                  9.5
    """
    part = windows_of(part)
    series, rows = part.series, part.target_rows
    origin = np.broadcast_to(rows[:, :1] - part.ahead[0], rows.shape)
    sources = {NAIVE[0]: origin}
    for name, period in zip(NAIVE[1:], (DAY, 7 * DAY), strict=True):
        if period % series.step == pd.Timedelta(0):
            lag = period // series.step
            sources[name] = rows + lag * ((origin - rows) // lag)  # as many periods back as reach the origin
    known = np.pad(part.measured, ((0, 1), (0, 0)), constant_values=np.nan)  # the last row: before the start
    return _table(part, {k: part.along(known, np.where(at < 0, -1, at)) for k, at in sources.items()})


def ridge_forecast(
    split: Split | SequenceSplit, alpha: float | Sequence[float] = (1.0, 10.0, 100.0, 1000.0, 10000.0)
) -> pd.DataFrame:
    """A ridge regression on the flattened windows: the straight line a network has to beat.

    Parameters
    ----------
    alpha : the penalty on the squared weights; of several, that with the smallest RMSE on the validation part is taken.

    Returns
    -------
    Forecasts for the test part in the target's unit, a DataFrame laid out as by `naive_forecasts` with the column
    "ridge"; the alpha taken is in `.attrs["alpha"]`.

    Fitted on the training part alone, in float64, by scikit-learn, from sums over some windows at a time: it takes the
    memory of a square of T D numbers, twice, and no more for a longer series. Of what is known ahead it reads all that
    a window holds, each value once (`lstm_lib.series.known`). Raises SeriesError for an alpha that isn't above 0.

    >>> from lstm_lib.series import load_series, windows
    >>> ridge = ridge_forecast(windows(load_series("fontana", columns=["power"]), lookback=24))
    >>> ridge.shape, ridge.attrs["alpha"] > 0
    ((1290, 1), True)
    """
    split = windows_of(split)
    with needed("study", "ridge_forecast"):
        from sklearn.kernel_ridge import KernelRidge

    alphas = np.unique(np.asarray(alpha, dtype=np.float64))
    if not alphas.size or not (alphas > 0).all():
        raise SeriesError(f"alpha={alpha!r} has to be one number above 0, or several to choose from.")

    cells = each_once(split.inputs, split.series.known, split.train.lookback)
    squares, products, mean_x, mean_y = _moments(split.train, cells)
    # (XᵀX + alpha) w = Xᵀy has the form that kernel ridge regression solves, with XᵀX as the kernel
    models = (KernelRidge(alpha=strength, kernel="precomputed").fit(squares, products) for strength in alphas)
    weights = [model.dual_coef_ for model in models]
    together = np.concatenate(weights, axis=1)  # all models run over the windows at once

    def run(part: Windows, w: Array) -> Array:
        return np.concatenate([(x - mean_x) @ w for x, _ in _flat(part, cells)])

    many = run(split.valid, together).reshape(len(split.valid), len(alphas), -1) + mean_y
    errors = ((many - split.valid.y[:, None]) ** 2).mean(axis=(0, 2))
    best = int(np.argmin(errors))
    table = _table(split.test, {"ridge": split.unscale(run(split.test, weights[best]) + mean_y)})
    table.attrs["alpha"] = float(alphas[best])
    return table


def _flat(part: Windows, cells: Rows) -> Iterator[tuple[Values, Values]]:
    """Some windows at a time: their cells (B, cells), counted row by row, and targets (B, O), float64."""
    for first in range(0, len(part), CHUNK):
        starts = part.starts[first : first + CHUNK]
        x = part.values.take(np.add.outer(starts * part.values.shape[1], cells))
        y = part.along(part.targets, np.add.outer(starts, part.offsets))
        yield x.astype(np.float64), y.astype(np.float64)


def _moments(part: Windows, cells: Rows) -> tuple[Values, Values, Values, Values]:
    """Of the cells of a part's windows, about their means: Σ xᵀx (a square), Σ xᵀy, and the means of x and y."""
    means_x, means_y = (
        np.sum(sums, axis=0) / len(part)
        for sums in zip(*((x.sum(axis=0), y.sum(axis=0)) for x, y in _flat(part, cells)), strict=True)
    )
    squares, products = np.zeros((len(means_x),) * 2), np.zeros((len(means_x), len(means_y)))
    for x, y in _flat(part, cells):
        x -= means_x
        squares += x.T @ x
        products += x.T @ (y - means_y)
    return squares, products, means_x, means_y


def boosted_forecast(
    split: Split | SequenceSplit, lags: Sequence[int] = (1, 2, 3, 6, 12, 24, 48, 72, 168), trees: int = 200
) -> pd.DataFrame:
    """Gradient-boosted trees on some rows of each window: what many a forecaster would try first.

    Parameters
    ----------
    lags : the rows of a window that are looked at, counted back from its end; 1 is the last input. Those above the
        lookback are passed over. Of what is known ahead, the values of the target's own hour are read, and no others.
    trees : at most so many for each of the O target values; how many are kept is decided by the RMSE on the validation
        part.

    Returns
    -------
    Forecasts for the test part in the target's unit, a DataFrame laid out as by `naive_forecasts` with the column
    "boosted"; the numbers of trees kept are in `.attrs["trees"]`.

    Fitted on the training part alone by scikit-learn's HistGradientBoostingRegressor, one model a target value. Raises
    SeriesError for a lag or a number of trees that isn't a whole number of 1 or more, and if no lag fits.

    >>> from lstm_lib.series import load_series, windows
    >>> split = windows(load_series("fontana", columns=["power"]), lookback=24, every=4)
    >>> boosted = boosted_forecast(split, trees=20)
    >>> boosted.shape, 1 <= boosted.attrs["trees"][0] <= 20
    ((323, 1), True)
    """
    split = windows_of(split)
    with needed("study", "boosted_forecast"):
        from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    trees, wanted = count(trees, "trees"), [count(lag, "lags") for lag in lags]
    kept = [lag for lag in wanted if lag <= split.train.lookback]
    if not kept:
        raise SeriesError(f"lags={list(lags)!r}: none is within the lookback of {split.train.lookback} rows.")

    ahead = np.array([k for _, k in ahead_of(split.inputs, split.series.known)])

    def some(part: Windows, step: int) -> Array:
        end, past, own = (
            part.starts[:, None] + part.lookback,
            *(np.flatnonzero(ahead == k) for k in (0, step)),
        )
        rows = (end - np.array(kept))[..., None]
        return np.concatenate(
            [part.values[rows, past].reshape(len(part), -1), part.values[end - 1, own]], axis=1
        )

    y, y_valid = split.train.y, split.valid.y
    forecast, numbers = np.empty((len(split.test), split.test.outputs)), []
    # one thread: those that share a small tree wait for one another, for long on a busy machine
    with threadpool_limits(1, user_api="openmp"):
        for o, step in enumerate(np.tile(split.test.ahead, len(split.test.target_names))):
            x, x_valid, x_test = (some(part, step) for part in (split.train, split.valid, split.test))
            model = HistGradientBoostingRegressor(max_iter=trees, early_stopping=False, random_state=0)
            model.fit(x, y[:, o])
            errors = [np.mean((stage - y_valid[:, o]) ** 2) for stage in model.staged_predict(x_valid)]
            numbers.append(int(np.argmin(errors)) + 1)
            forecast[:, o] = next(islice(model.staged_predict(x_test), numbers[-1] - 1, None))
    table = _table(split.test, {"boosted": split.unscale(forecast)})
    table.attrs["trees"] = numbers
    return table


def _table(part: Windows, forecasts: Mapping[str, Values]) -> pd.DataFrame:
    """Forecasts (N, O) side by side: a column each, or a column for each target and step of each."""
    levels: dict[str, Sequence[Any]] = {"forecast": list(forecasts)}
    columns = pd.Index(levels["forecast"])
    if len(part.target_names) > 1:
        levels["target"] = part.target_names
    if part.outputs > 1:
        levels["step"] = range(1, 1 + len(part.ahead))
        columns = pd.MultiIndex.from_product(list(levels.values()), names=list(levels))
    return pd.DataFrame(np.concatenate(list(forecasts.values()), axis=1), index=part.times, columns=columns)

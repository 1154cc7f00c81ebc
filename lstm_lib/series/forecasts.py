"""The forecasts that a network has to beat: three that cost nothing, a straight line, and boosted trees.

Each gives a table in the target's unit, aligned with a part's `times`: a column a forecast, and further levels of
columns for the target (if there are several) and the step (if there are several).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.extras import needed
from lstm_lib.series.cutting import Array, Split, Windows
from lstm_lib.series.refusal import SeriesError, count

DAY = pd.Timedelta(days=1)


def naive_forecasts(part: Windows) -> pd.DataFrame:
    """The forecasts that cost nothing, for the windows of `part`.

    Returns a DataFrame in the target's unit, N rows indexed by `part.times`, float64. Columns: "last value"
    (at the origin), "same hour yesterday" and "same hour last week": the latest value a whole number of days
    (weeks) before the target that is known at the origin. With O > 1 the columns have a second level, the
    step 1 ... S; with several targets they have the levels forecast, target, step. A day or week that isn't a
    whole number of steps has no column. Where the earlier value is missing, or before the start of the series,
    the forecast is NaN. It may lie before the part's border: that is the past, not a leak.

    >>> from lstm_lib.series import load_series, windows
    >>> naive_forecasts(windows(load_series("fontana")).test).round(1).reset_index(drop=True).head(2)
       last value  same hour yesterday  same hour last week
    0         9.4                  9.4                  8.4
    1         9.2                 10.0                  9.5
    """
    series, rows = part.series, part.target_rows
    origin = np.broadcast_to(part.starts[:, None] + part.lookback - 1, rows.shape)
    sources = {"last value": origin}
    for name, period in (("same hour yesterday", DAY), ("same hour last week", 7 * DAY)):
        if period % series.step == pd.Timedelta(0):
            lag = period // series.step
            sources[name] = rows + lag * ((origin - rows) // lag)  # as many periods back as reach the origin
    known = np.vstack(
        [part.measured, np.full(len(part.target_names), np.nan)]
    )  # the last row: before the start
    return _table(part, {k: part.along(known, np.where(at < 0, -1, at)) for k, at in sources.items()})


def ridge_forecast(
    split: Split, alpha: float | Sequence[float] = (1.0, 10.0, 100.0, 1000.0, 10000.0)
) -> pd.DataFrame:
    """A ridge regression on the flattened windows: the straight line a network has to beat.

    alpha : the penalty on the squared weights; of several, the one with the smallest RMSE on the validation
        part is taken

    Fitted on the training part alone, in float64, by scikit-learn. Returns the forecasts for the test part in
    the target's unit, a DataFrame laid out as by `naive_forecasts` with the column "ridge"; the alpha taken
    is in `.attrs["alpha"]`. Raises SeriesError for an alpha that isn't above 0.

    >>> from lstm_lib.series import load_series, windows
    >>> ridge = ridge_forecast(windows(load_series("fontana", columns=["power"]), lookback=24))
    >>> ridge.shape, ridge.attrs["alpha"] > 0
    ((1290, 1), True)
    """
    with needed("study", "ridge_forecast"):
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


def boosted_forecast(
    split: Split, lags: Sequence[int] = (1, 2, 3, 6, 12, 24, 48, 72, 168), trees: int = 200
) -> pd.DataFrame:
    """Gradient-boosted trees on some rows of each window: what many a forecaster would try first.

    lags : the rows of a window that are looked at, counted back from its end; 1 is the last input. Those
        above the lookback are passed over.
    trees : at most so many for each of the O target values; how many are kept is decided by the RMSE on the
        validation part

    Fitted on the training part alone by scikit-learn's HistGradientBoostingRegressor, one model a target value.
    Returns the forecasts for the test part in the target's unit, a DataFrame laid out as by `naive_forecasts`
    with the column "boosted"; the numbers of trees kept are in `.attrs["trees"]`. Raises SeriesError for a lag or a
    number of trees that isn't a whole number of 1 or more, and if no lag fits.

    >>> from lstm_lib.series import load_series, windows
    >>> split = windows(load_series("fontana", columns=["power"]), lookback=24, every=4)
    >>> boosted = boosted_forecast(split, trees=20)
    >>> boosted.shape, 1 <= boosted.attrs["trees"][0] <= 20
    ((323, 1), True)
    """
    with needed("study", "boosted_forecast"):
        from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    trees, wanted = count(trees, "trees"), [count(lag, "lags") for lag in lags]
    kept = [lag for lag in wanted if lag <= split.train.lookback]
    if not kept:
        raise SeriesError(f"lags={list(lags)!r}: none is within the lookback of {split.train.lookback} rows.")

    def some(part: Windows) -> Array:
        rows = part.starts[:, None] + part.lookback - np.array(kept)
        taken: Array = part.values[rows].reshape(len(part), -1)
        return taken

    x, x_valid, x_test = (some(part) for part in (split.train, split.valid, split.test))
    y, y_valid = split.train.y, split.valid.y
    forecast, numbers = np.empty((len(split.test), split.test.outputs)), []
    with threadpool_limits(
        1, user_api="openmp"
    ):  # threads that share a small tree wait, for long on a busy machine
        for o in range(split.test.outputs):
            model = HistGradientBoostingRegressor(max_iter=trees, early_stopping=False, random_state=0)
            model.fit(x, y[:, o])
            errors = [float(np.mean((stage - y_valid[:, o]) ** 2)) for stage in model.staged_predict(x_valid)]
            best = int(np.argmin(errors))
            numbers.append(best + 1)
            forecast[:, o] = next(islice(model.staged_predict(x_test), best, None))
    table = _table(split.test, {"boosted": split.unscale(forecast)})
    table.attrs["trees"] = numbers
    return table


def _table(part: Windows, forecasts: Mapping[str, npt.NDArray[np.float64]]) -> pd.DataFrame:
    """Forecasts (N, O) side by side: a column each, or a column for each target and step of each."""
    steps = range(1, 1 + len(part.offsets))
    columns: pd.Index = pd.Index(list(forecasts))
    if len(part.target_names) > 1:
        columns = pd.MultiIndex.from_product(
            [forecasts, part.target_names, steps], names=["forecast", "target", "step"]
        )
    elif len(steps) > 1:
        columns = pd.MultiIndex.from_product([forecasts, steps], names=["forecast", "step"])
    return pd.DataFrame(np.concatenate(list(forecasts.values()), axis=1), index=part.times, columns=columns)

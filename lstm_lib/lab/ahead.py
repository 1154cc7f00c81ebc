"""How sure a run's forecasts are, and its next day: the hours after the last complete row, which no file has yet.

A network of the page forecasts the next row. The day after it makes from its own forecasts: each is put where the
truth will stand, and the next row is forecast. Other columns are taken from the same hour a day before, the calendar is
known. How far that goes astray is measured where the truth is there, from rows that were not trained on: the margins
hold `LEVEL` of these, for each hour ahead by itself.

Letters: n rows of the series, T of a window, D inputs, N origins, S rows of a day.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from lstm_lib.forecasting.recipe import Recipe
from lstm_lib.lab.runs import Run
from lstm_lib.network.cells import Array
from lstm_lib.series import SeriesError, Split
from lstm_lib.series.clock import calendar_features
from lstm_lib.series.intervals import margins
from lstm_lib.training.samples import predict

LEVEL = 0.9
ORIGINS = 60  # from which the next day is tried out
DAY = pd.Timedelta("1D")


@lru_cache(maxsize=16)
def margin(run: Run, split: Split) -> float:
    """What holds 90 % of the errors of the validation part, in the unit of the series; NaN where these are too few."""
    part = run.settings.task.samples().valid
    yhat = split.unscale(predict(run.record.spec, run.record.params, part))
    return float(_margins(np.abs(yhat - split.valid.actual))[0])


@lru_cache(maxsize=16)
def next_day(run: Run, split: Split) -> pd.DataFrame:
    """The forecasts after the last complete row by a run's first seed: forecast, low and high by stamp, in its unit.

    `low` and `high` are NaN where there are too few rows to try it out.

    Raises SeriesError where the newest rows are missing, and for a network that doesn't forecast the next row.
    """
    part, recipe = split.valid, Recipe.of(split)
    whole = np.flatnonzero(~np.isnan(part.values).any(axis=1))
    n = int(whole[-1]) + 1 if len(whole) else 0  # the last period of a meter is seldom complete
    S, T, values = max(1, DAY // recipe.step), part.lookback, part.values[:n]
    if part.ahead.tolist() != [1] or len(part.target_names) > 1:
        raise SeriesError("a next day takes a network that forecasts one column of the next row")
    if n < T + S or np.isnan(values[n - max(T, S) :]).any():
        raise SeriesError("the newest rows are missing")
    stamps = recipe.stamps(split.series, np.arange(n, n + S))
    tail = pd.DataFrame(values[-S:], stamps, list(split.inputs))
    clock = dict[str, Array]()
    for feature in split.series.calendar:
        clock |= calendar_features(stamps, split.series.timezone, feature)
    for name, later in clock.items():
        tail[name] = recipe.scaled(pd.DataFrame({name: later}))
    known = np.concatenate([values, tail.to_numpy(values.dtype)])
    first = part.starts[0] + T - 1
    tried = np.linspace(first, n - 1 - S, ORIGINS if first < n - S else 0)
    origins = np.unique([*tried, n - 1]).astype(int)
    rows = np.add.outer(origins, np.arange(1 - T, S + 1))  # a window, and the day after it
    path = np.where(np.isin(split.inputs, [*clock]), known[rows], known[rows - S])
    path[:, :T] = known[rows[:, :T]]
    told = ~np.isnan(path).any(axis=(1, 2))
    yhat = split.unscale(_fed_back(run, path[told], split.inputs.index(part.target_names[0]), T))
    actual = part.measured[rows[told][:-1, T:], 0]
    margin = _margins(np.abs(yhat[:-1] - actual))
    table = {"forecast": yhat[-1], "low": yhat[-1] - margin, "high": yhat[-1] + margin}
    found = pd.DataFrame(table, stamps)
    found.attrs["level"] = LEVEL
    return found


def _fed_back(run: Run, path: Array, target: int, T: int) -> Array:
    """The forecasts of the rows from T on, (N, S), scaled; each is written where the next one reads it."""
    path = path.copy()
    for t in range(T, path.shape[1]):
        path[:, t, target] = predict(run.record.spec, run.record.params, path[:, t - T : t])[:, 0]
    return np.asarray(path[:, T:, target])


def _margins(scores: Array) -> Array:
    """(S,), from the rows of (N, S) whose truth is there."""
    try:
        return margins(scores[~np.isnan(scores).any(axis=1)], LEVEL)
    except SeriesError:  # too few
        return np.full(scores.shape[1], np.nan)

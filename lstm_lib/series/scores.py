"""How good a forecast is, on rows that all forecasts share, as a whole or by step, hour or target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.network.spec import refuse_masked
from lstm_lib.series.clock import Array, Mask, Values
from lstm_lib.series.differences import best_naive, days_of, diebold_mariano, peak_error, share_between
from lstm_lib.series.forecasts import NAIVE
from lstm_lib.series.intervals import Intervals, check_level, intervals
from lstm_lib.series.opponents import Given, opponents
from lstm_lib.series.refusal import SeriesError, choose
from lstm_lib.series.sequences import Sequences, SequenceSplit, windows_of
from lstm_lib.series.splits import Split, Windows


def metrics(
    y: npt.ArrayLike,
    yhat: npt.ArrayLike,
    naive: npt.ArrayLike | None = None,
    steps_apart: npt.ArrayLike | None = None,
) -> dict[str, float]:
    """Errors of the forecast `yhat` of `y`, both (N, O) or (N,), over all N·O values.

    Parameters
    ----------
    naive : another forecast of y, for skill.
    steps_apart : the mean step |y(t) - y(t-1)| of the training rows, a number above 0 or one for each of the O columns,
        for mase.

    Returns
    -------
    mae : mean of |yhat - y|, in their unit.
    rmse : root of the mean of (yhat - y)², in their unit.
    nrmse : rmse / mean of y, also called CV(RMSE); NaN where that mean isn't above 0.
    mase : mean of |yhat - y| / steps_apart. Below 1 is better than the last value was, one step ahead, on the training
        rows (Hyndman and Koehler 2006).
    skill : 1 - rmse / rmse of the naive one. 1 is perfect, 0 no better than naive, below 0 worse.
    n : the number of rows, N.

    Raises SeriesError for shapes that differ, no rows, a value that isn't finite, a naive forecast without error, and
    steps_apart that isn't above 0.

    >>> scores = metrics([1, 2, 3, 4], [1, 2, 3, 6], naive=[3, 4, 5, 6], steps_apart=2)
    >>> scores
    {'mae': 0.5, 'rmse': 1.0, 'nrmse': 0.4, 'mase': 0.25, 'skill': 0.5, 'n': 4}
    """
    given = {"y": y, "yhat": yhat, "naive": naive}
    _refuse_masked(given)
    arrays = {name: np.asarray(a, dtype=np.float64) for name, a in given.items() if a is not None}
    arrays = {name: a[:, None] if a.ndim == 1 else np.atleast_2d(a) for name, a in arrays.items()}
    if len({a.shape for a in arrays.values()}) > 1 or 0 in arrays["y"].shape:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise SeriesError(f"Shapes {shapes}: all have to be the same, with at least one row.")
    for name, a in arrays.items():
        if bad := int((~np.isfinite(a)).any(axis=1).sum()):
            raise SeriesError(
                f"{name} has {bad} rows of {len(a)} that are missing or not finite; score the rows that all forecasts "
                "have, as compare() does."
            )
    apart = None
    if steps_apart is not None:
        apart = np.broadcast_to(np.asarray(steps_apart, dtype=np.float64), arrays["y"].shape)
        if not (np.isfinite(apart) & (apart > 0)).all():
            raise SeriesError(f"steps_apart={steps_apart!r} has to be above 0; without it there is no mase.")
    if naive is not None and np.array_equal(arrays["naive"], arrays["y"]):
        raise SeriesError("naive has no error at all, so there is no skill relative to it.")
    return _scores(arrays["y"], arrays["yhat"], arrays.get("naive"), apart) | {"n": len(arrays["y"])}


def _scores(y: Values, yhat: Values, naive: Values | None, apart: Values | None) -> dict[str, float]:
    """The measures of values of any shape, without a check; what can't be told is NaN."""
    error = yhat - y
    mae, rmse, mean = float(np.abs(error).mean()), _rms(error), float(y.mean())
    scores = {"mae": mae, "rmse": rmse, "nrmse": rmse / mean if mean > 0 else np.nan}
    if apart is not None:
        scores["mase"] = float((np.abs(error) / apart).mean())
    if naive is not None:
        reference = _rms(naive - y)
        scores["skill"] = 1 - rmse / reference if reference > 0 else np.nan
    return scores


def _refuse_masked(arrays: Mapping[str, object]) -> None:
    try:
        refuse_masked(**arrays)
    except ValueError as error:
        raise SeriesError(f"{error}.") from None


def _rms(error: Values) -> float:
    return float(np.sqrt((error**2).mean()))


def compare(
    part: Windows | Sequences | Split | SequenceSplit,
    forecasts: Mapping[str, Given],
    baseline: str = "last value",
    by: Literal["horizon", "hour", "target"] | None = None,
    level: float | None = None,
    test: bool = False,
) -> pd.DataFrame:
    """Score forecasts of `part` next to the naive ones, on the same rows: those where none is missing.

    Parameters
    ----------
    part : windows; of sequences, the windows that they are compared on; of a split, its test part.
    forecasts : name -> (N, O) in the target's unit, such as {"LSTM": split.unscale(yhat)}; or name -> something that
        predicts in both ways, such as a `Forecaster`: then there is a row for each, "LSTM, from windows" and "LSTM, in
        one pass" (`lstm_lib.predict` says what that is); or, where a split is given, a function of a split, such as
        `ridge_forecast`.
    baseline : the forecast that skill and the test are relative to.
    by : score by "horizon" (how many steps ahead), by "hour" (of the forecast moment, in local time) or by "target" (if
        there are several). Measures that a group doesn't have are NaN, such as nrmse and skill of solar power at night.
    level : of intervals around every forecast, such as 0.9, measured on the validation part of the split that is then
        given for `part`; values are given as a pair (of valid, of test). See `lstm_lib.series.intervals`.
    test : whether it is better, and in what else it errs.

    Returns
    -------
    DataFrame, a row for each forecast with the columns of `metrics`, or with `by` a row for each forecast and group.
    `n` is the number of common rows (by hour: of values). mase is relative to the training rows. With a level:

    coverage, width : the share of values inside the split-conformal intervals, and the mean of high - low.
    coverage_low, coverage_high : where the share may lie, 95 %, by a bootstrap over weeks of days (not with `by`).
    adaptive_coverage, adaptive_width : of the intervals that adapt over time.

    With test:

    bias : mean of yhat - y. peak : mean error of the highest value of a day (not by hour).
    skill_best : 1 - rmse / rmse of the naive forecast that is the best one at each step.
    dm, p : statistic and p of the test of Diebold and Mariano against the baseline, by days; dm below 0 is better.

    Raises SeriesError as `metrics` does, for an unknown baseline, for a forecast with stamps (a DataFrame) that are
    not those of `part`, and for a level without what it is measured on.

    >>> from lstm_lib.series import load_series, ridge_forecast, windows
    >>> split = windows(load_series("fontana"))
    >>> table = compare(split.test, {"ridge": ridge_forecast(split)})
    >>> table.round(2)
                          mae  rmse  nrmse  mase  skill     n
    last value           3.73  4.78   0.19  1.30   0.00  1242
    same hour yesterday  3.92  5.28   0.21  1.37  -0.10  1242
    same hour last week  5.64  7.61   0.30  1.98  -0.59  1242
    ridge                2.67  3.53   0.14  0.93   0.26  1242
    >>> table = compare(split, {"ridge": ridge_forecast}, level=0.9)
    >>> table.loc["ridge", ["rmse", "coverage", "width"]].round(2).tolist()
    [3.53, 0.87, 10.58]
    """
    split = part if isinstance(part, Split | SequenceSplit) else None
    given = part.test if isinstance(part, Split | SequenceSplit) else part
    part = windows_of(given)
    if not isinstance(part, Windows) or not isinstance(forecasts, Mapping):
        raise SeriesError(
            "compare() takes a part of a split, such as split.test, and a dict of forecasts, such as "
            f'{{"LSTM": values}}; got {type(part).__name__} and {type(forecasts).__name__}.'
        )
    if level is not None and split is None:
        raise SeriesError(
            f"level={check_level(level)} measures intervals on the validation part; give compare() the split."
        )
    _refuse_masked(forecasts)
    table = {one.name: one for one in opponents(given, forecasts, split, level)}
    choose(baseline, table, "forecast")
    missing = [np.isnan(one.values).any(axis=1) for one in table.values()]
    common = ~np.logical_or.reduce(missing)
    if not common.any():
        names = ", ".join(map(repr, table))
        raise SeriesError(f"There is no row of the {part.name} part that has all of the forecasts {names}.")
    actual = part.actual[common]
    arrays = {name: one.values[common] for name, one in table.items()}
    steps = np.broadcast_to(np.repeat(part.steps_apart, len(part.ahead)), actual.shape)
    apart = steps if np.isfinite(steps).all() else None  # no two neighbouring rows to train on
    more = _More(part, common, actual, arrays, baseline, test)
    if level is not None and split is not None:
        before, ahead = windows_of(split.valid).actual, np.tile(part.ahead, len(part.target_names))
        for name, one in table.items():
            bounds = tuple(side[common] for side in one.bounds)
            more.bands[name] = intervals(one.before, before, bounds, actual, ahead, level)
    if by is None:
        everything = np.ones(actual.shape, bool)
        scores = {
            name: metrics(actual, array, arrays[baseline], apart) | more.scores(name, everything, None)
            for name, array in arrays.items()
        }
        return pd.DataFrame(scores).T.astype({"n": int})
    labels = _labels(part, common, by)
    rows: dict[tuple[str, Any], dict[str, float]] = {}
    for name, array in arrays.items():
        for group in part.target_names if by == "target" else np.unique(labels).tolist():
            at = labels == group
            wide = None if apart is None else apart[at]
            scored = _scores(actual[at], array[at], arrays[baseline][at], wide)
            rows[name, group] = scored | {"n": at.sum() if by == "hour" else len(actual)}
            rows[name, group] |= more.scores(name, at, by)
    index = pd.MultiIndex.from_tuples(rows, names=["forecast", by])
    return pd.DataFrame(list(rows.values()), index=index).astype({"n": int})


@dataclass
class _More:
    """The measures of intervals and of differences, of the common rows."""

    part: Windows
    common: Mask
    actual: Values
    arrays: Mapping[str, Values]
    baseline: str
    test: bool

    def __post_init__(self) -> None:
        self.bands = dict[str, Intervals]()
        self.days = days_of(self.part)[self.common]

    def scores(self, name: str, at: Mask, by: str | None) -> dict[str, float]:
        """Of one forecast, for the values (n, O) that are in a group."""
        found: dict[str, float] = {}
        if name in self.bands:
            band = self.bands[name]
            found = {"coverage": float(band.inside[at].mean()), "width": float(band.width[at].mean())}
            if by is None:
                found["coverage_low"], found["coverage_high"] = share_between(band.inside, self.days)
            found["adaptive_coverage"] = float(band.adaptive_inside[at].mean())
            found["adaptive_width"] = float(band.adaptive_width[at].mean())
        return found | (self._differences(name, at, by) if self.test else {})

    def _differences(self, name: str, at: Mask, by: str | None) -> dict[str, float]:
        error, yhat = (self.arrays[name] - self.actual)[at], self.arrays[name]
        naive = best_naive(self.actual, {k: a for k, a in self.arrays.items() if k in NAIVE})
        reference, other = ((a - self.actual)[at] for a in (naive, self.arrays[self.baseline]))
        days = np.broadcast_to(self.days[:, None], at.shape)[at]
        columns = np.asarray(at.any(axis=0)) & (by != "hour")
        dm, p = diebold_mariano(error**2, other**2, days)
        return {
            "bias": float(error.mean()),
            "peak": peak_error(self.part, self.common, self.actual, yhat, columns),
            "skill_best": 1 - _rms(error) / _rms(reference) if _rms(reference) > 0 else np.nan,
            "dm": dm,
            "p": p,
        }


def _labels(part: Windows, common: Mask, by: str) -> Array:
    """To which group each value of the common rows belongs, (rows, O)."""
    labels: dict[str, Array] = {
        "horizon": part.ahead,
        "hour": part.series.local.hour.to_numpy()[part.target_rows[common]][:, None],
        "target": np.array(part.target_names, dtype=object)[:, None],
    }
    chosen = labels[choose(by, labels, "way to group scores, by =")]
    shape = int(common.sum()), len(part.target_names), len(part.ahead)
    return np.broadcast_to(chosen, shape).reshape(shape[0], -1)

"""How good a forecast is: five measures, on rows that all forecasts share, as a whole or by step, hour or target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstm_lib.network.spec import refuse_masked
from lstm_lib.series.clock import Array, Mask, Values
from lstm_lib.series.forecasts import naive_forecasts
from lstm_lib.series.refusal import SeriesError, choose
from lstm_lib.series.sequences import Sequences, windows_of
from lstm_lib.series.splits import Windows


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


@runtime_checkable
class Forecasts(Protocol):
    """What forecasts a part in both ways, in the target's unit."""

    def predict(self, part: Any, way: Literal["windows", "pass"]) -> npt.ArrayLike: ...  # noqa: D102


def compare(
    part: Windows | Sequences,
    forecasts: Mapping[str, npt.ArrayLike | Forecasts],
    baseline: str = "last value",
    by: Literal["horizon", "hour", "target"] | None = None,
) -> pd.DataFrame:
    """Score forecasts of `part` next to the naive ones, on the same rows: those where none is missing.

    Parameters
    ----------
    part : windows; of sequences, the windows that they are compared on.
    forecasts : name -> (N, O) in the target's unit, such as {"LSTM": split.unscale(yhat)}; or name -> something that
        predicts in both ways, such as a `Forecaster`: then there is a row for each, "LSTM, from windows" and "LSTM, in
        one pass" (`lstm_lib.predict` says what that is).
    baseline : the forecast that skill is relative to.
    by : score by "horizon" (how many steps ahead), by "hour" (of the forecast moment, in local time) or by "target" (if
        there are several). Measures that a group doesn't have are NaN, such as nrmse and skill of solar power at night.

    Returns
    -------
    DataFrame, a row for each forecast with the columns of `metrics`, or with `by` a row for each forecast and group.
    `n` is the number of common rows (by hour: of values). mase is relative to the training rows.

    Raises SeriesError as `metrics` does, for an unknown baseline, and for a forecast with stamps (a DataFrame) that are
    not those of `part`.

    >>> from lstm_lib.series import load_series, ridge_forecast, windows
    >>> split = windows(load_series("fontana"))
    >>> table = compare(split.test, {"ridge": ridge_forecast(split)})
    >>> table.round(2)
                          mae  rmse  nrmse  mase  skill     n
    last value           3.73  4.78   0.19  1.30   0.00  1242
    same hour yesterday  3.92  5.28   0.21  1.37  -0.10  1242
    same hour last week  5.64  7.61   0.30  1.98  -0.59  1242
    ridge                2.67  3.53   0.14  0.93   0.26  1242
    """
    given, part = part, windows_of(part)
    if not isinstance(part, Windows) or not isinstance(forecasts, Mapping):
        raise SeriesError(
            "compare() takes a part of a split, such as split.test, and a dict of forecasts, such as "
            f'{{"LSTM": values}}; got {type(part).__name__} and {type(forecasts).__name__}.'
        )
    _refuse_masked(forecasts)
    naive, where = naive_forecasts(part), f"the {part.name} part"
    table = {name: naive[name] for name in dict.fromkeys(naive.columns.get_level_values(0))} | {
        f"{name}{says}": forecast
        for name, values in forecasts.items()
        for says, forecast in _ways(values, given)
    }
    choose(baseline, table, "forecast")
    shape, arrays = (len(part), part.outputs), dict[str, Values]()
    for name, values in table.items():
        array, stamps = np.asarray(values, dtype=np.float64), getattr(values, "index", None)
        if array.size != np.prod(shape) or len(array) != len(part):
            raise SeriesError(
                f"Forecast {name!r} has shape {array.shape}; expected {shape}, a row for each window of {where}."
            )
        if isinstance(stamps, pd.DatetimeIndex) and not stamps.equals(part.times):
            raise SeriesError(
                f"Forecast {name!r} is for the stamps {stamps[0]} to {stamps[-1]}; {where} has "
                f"{part.times[0]} to {part.times[-1]}, in order of time."
            )
        arrays[name] = array.reshape(shape)
    common = np.logical_and.reduce([~np.isnan(array).any(axis=1) for array in arrays.values()])
    if not common.any():
        names = ", ".join(map(repr, arrays))
        raise SeriesError(f"There is no row of {where} that has all of the forecasts {names}.")
    actual = part.actual[common]
    arrays = {name: array[common] for name, array in arrays.items()}
    steps = np.broadcast_to(np.repeat(part.steps_apart, len(part.ahead)), actual.shape)
    apart = steps if np.isfinite(steps).all() else None  # no two neighbouring rows to train on
    if by is None:
        scores = {name: metrics(actual, array, arrays[baseline], apart) for name, array in arrays.items()}
        return pd.DataFrame(scores).T.astype({"n": int})
    labels = _labels(part, common, by)
    rows: dict[tuple[str, Any], dict[str, float]] = {}
    for name, array in arrays.items():
        for group in part.target_names if by == "target" else np.unique(labels).tolist():
            at = labels == group
            wide = None if apart is None else apart[at]
            scored = _scores(actual[at], array[at], arrays[baseline][at], wide)
            rows[name, group] = scored | {"n": at.sum() if by == "hour" else len(actual)}
    index = pd.MultiIndex.from_tuples(rows, names=["forecast", by])
    return pd.DataFrame(list(rows.values()), index=index).astype({"n": int})


def _ways(values: npt.ArrayLike | Forecasts, part: Windows | Sequences) -> list[tuple[str, npt.ArrayLike]]:
    """A forecast as it is, or those that something makes, with what to add to their name."""
    if not isinstance(values, Forecasts):
        return [("", values)]
    says: dict[str, Literal["windows", "pass"]] = {", from windows": "windows", ", in one pass": "pass"}
    return [(name, values.predict(part, way=way)) for name, way in says.items()]


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

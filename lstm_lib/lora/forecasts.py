"""The forecasts of dual prediction: functions of what both ends know, and of the hour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.trace import Workspace
from lstm_lib.series import SequenceSplit, Split
from lstm_lib.series.sequences import windows_of

# What is known (W,), oldest first, in the unit of the series, and the hour to forecast -> the forecast
Forecast = Callable[[Array, int], float]


def last_value(known: Array, hour: int) -> float:
    """As an hour ago: send on change ("send on delta")."""
    return float(known[-1])


def yesterday(known: Array, hour: int) -> float:
    """As 24 hours ago; ValueError where fewer values are known."""
    if len(known) < 24:
        raise ValueError(f"{len(known)} values are known; yesterday's needs 24")
    return float(known[-24])


def of_network(spec: Spec, params: Params, split: Split | SequenceSplit, first: int) -> Forecast:
    """What a network forecasts from the values that are known, and from the clock, which both ends have.

    Parameters
    ----------
    spec, params : a network with one output that reads the columns of the split.
    split : its `series`, `inputs` and `scaling`; beside the target only calendar features can be inputs.
    first : the row of the series that is hour 0.

    Raises ValueError for a network or inputs of another kind, and later for hours that the series does not reach.
    """
    seen, mean, sd = _reader(split, first)
    if (spec.inputs, spec.outputs) != (len(split.inputs), 1):
        raise ValueError(
            f"{spec} does not forecast {split.series.target!r} from the {len(split.inputs)} inputs of the split"
        )
    work, dtype = Workspace(), params["head/b"].dtype

    def forecast(known: Array, hour: int) -> float:
        x = seen(known, hour).astype(dtype)
        yhat = forward(spec, params, x[None], work, output="last")[0]
        return float(yhat[0, 0] * sd + mean)

    return forecast


def of_line(split: Split | SequenceSplit, first: int, alpha: float) -> tuple[Forecast, int]:
    """What a straight line forecasts from the same as a network, and the bytes of its weights, as float32.

    Parameters
    ----------
    split, first : as `of_network`; the line is fitted to the training part, over as many values as a window has.
    alpha : the penalty on the squared weights, such as `ridge_forecast(split).attrs["alpha"]`.

    Raises ValueError for inputs of another kind, and later for another number of known values than a window has.
    """
    seen, mean, sd = _reader(split, first)
    train = windows_of(split).train
    x, y = train.x.reshape(len(train), -1).astype("float64"), np.asarray(train.y, "float64")[:, 0]
    x_mean, y_mean = x.mean(axis=0), y.mean()
    x -= x_mean
    w = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ (y - y_mean)).astype("float32")
    b = np.float32(y_mean - x_mean @ w)

    def forecast(known: Array, hour: int) -> float:
        now = seen(known, hour).ravel()
        if len(now) != len(w):
            raise ValueError(f"{len(known)} values are known; the line reads {len(w) // len(split.inputs)}")
        return float((now @ w + b) * sd + mean)

    return forecast, w.nbytes + b.nbytes


def _reader(split: Split | SequenceSplit, first: int) -> tuple[Callable[[Array, int], Array], float, float]:
    """What is known at an hour as scaled inputs (W, D), and the mean and the deviation of the target."""
    series, target = split.series, split.series.target
    if foreign := [name for name in split.inputs if name in series.measured and name != target]:
        raise ValueError(
            f"the sink doesn't know the inputs {foreign}; cut with inputs={target!r} and calendar features"
        )
    if target not in split.inputs:
        raise ValueError(
            f"the inputs {[*split.inputs]} don't hold the target {target!r}, which is what is known"
        )
    mean, sd = (split.scaling[column].to_numpy() for column in ("mean", "sd"))
    rows = (series.frame[[*split.inputs]].to_numpy() - mean) / sd
    at = split.inputs.index(target)

    def seen(known: Array, hour: int) -> Array:
        begin = first + hour - len(known)
        x: Array = rows[max(begin, 0) : first + hour].copy()
        if len(x) < len(known):
            raise ValueError(
                f"hour {hour} needs rows {begin} to {begin + len(known) - 1}; the series has 0 to {len(rows) - 1}"
            )
        x[:, at] = (known - mean[at]) / sd[at]
        return x

    return seen, float(mean[at]), float(sd[at])

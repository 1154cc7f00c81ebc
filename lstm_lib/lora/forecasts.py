"""The forecasts of dual prediction: functions of what both ends know, and of the hour."""

from __future__ import annotations

from collections.abc import Callable

from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.trace import Workspace
from lstm_lib.series import SequenceSplit, Split

# What is known (W,), oldest first, in the unit of the series, and the hour to forecast -> the forecast
Forecast = Callable[[Array, int], float]


def last_value(known: Array, hour: int) -> float:
    """As an hour ago: send on change ("send on delta")."""
    return float(known[-1])


def yesterday(known: Array, hour: int) -> float:
    """As 24 hours ago."""
    return float(known[-24])


def of_network(spec: Spec, params: Params, split: Split | SequenceSplit, first: int) -> Forecast:
    """What a network forecasts from the values that are known, and from the clock, which both ends have.

    Parameters
    ----------
    spec, params : a network with one output that reads the columns of the split.
    split : its `series`, `inputs` and `scaling`; beside the target only calendar features can be inputs.
    first : the row of the series that is hour 0.

    Raises ValueError for a network or inputs of another kind.
    """
    series, target = split.series, split.series.target
    if foreign := [name for name in split.inputs if name in series.measured and name != target]:
        raise ValueError(
            f"the sink doesn't know the inputs {foreign}; cut with inputs={target!r} and calendar features"
        )
    if (spec.inputs, spec.outputs) != (len(split.inputs), 1) or target not in split.inputs:
        raise ValueError(
            f"{spec} does not forecast {target!r} from the {len(split.inputs)} inputs of the split"
        )
    mean, sd = (split.scaling[column].to_numpy() for column in ("mean", "sd"))
    rows = (series.frame[[*split.inputs]].to_numpy() - mean) / sd
    at, work, dtype = split.inputs.index(target), Workspace(), params["head/b"].dtype

    def forecast(known: Array, hour: int) -> float:
        x = rows[first + hour - len(known) : first + hour].astype(dtype)
        x[:, at] = (known - mean[at]) / sd[at]
        yhat = forward(spec, params, x[None], work, output="last")[0]
        return float(yhat[0, 0] * sd[at] + mean[at])

    return forecast

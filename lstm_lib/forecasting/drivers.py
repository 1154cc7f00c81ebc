"""What a forecast depends on: its gradient with respect to every input, hour by hour, and a check by permutation.

The gradient is what the backward pass carries to x: ∂yhat/∂x, one pass for a batch, whatever T and D are. It is
*saliency* in the literature (Simonyan et al. 2013): what a small change would do here, not what caused what. The check
asks the other way: how much worse are forecasts when a column is exchanged among windows (Breiman 2001)?

Letters: N windows, T steps, D inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.network.backward import backward
from lstm_lib.network.forward import forward
from lstm_lib.series import Sequences, SeriesError, Windows
from lstm_lib.series.refusal import count
from lstm_lib.series.sequences import windows_of
from lstm_lib.training.samples import predict

MOST = 512  # windows that are looked at


def drivers(model: Any, part: Windows | Sequences, ahead: int | None = None) -> pd.DataFrame:
    """By how much a forecast moves when an input moves by its standard deviation, at each hour before the origin.

    Parameters
    ----------
    model : a `Forecaster` that was fitted on a split. part : of that split; at most 512 windows of it are looked at,
        evenly spread.
    ahead : which step of the forecast, counted from the origin; None takes the first there is.

    Returns
    -------
    DataFrame (T, D), mean of |∂yhat/∂x| in the target's unit: a row for each hour before the last one that was read
    (0 is that one), a column for each input. Its sums are a ranking of the inputs; `plots.drivers` draws it.

    Raises SeriesError for a step that isn't forecast, ValueError for a forecaster of arrays.

    >>> from lstm_lib import Forecaster, load_series, windows
    >>> split = windows(load_series("fontana", columns=["power"], calendar=["hour"]), lookback=24, every=8)
    >>> table = drivers(Forecaster(units=4, epochs=2).fit(split), split.test)
    >>> table.shape, list(table), table.index.name, table.sum().idxmax()
    ((24, 3), ['power', 'hour_sin', 'hour_cos'], 'hours before', 'power')
    """
    recipe, part, at = _asked(model, part, ahead)
    x = _some(part)
    _, trace = forward(model.spec_, model.params_, x, output="last")
    dy = np.zeros((len(x), model.spec_.outputs), x.dtype)
    dy[:, at] = 1
    found = backward(model.spec_, model.params_, trace, dy, also=("x",))["x"]
    moved = np.abs(found).mean(axis=0, dtype=np.float64) * recipe.sd[recipe.targets[0]]
    before = np.arange(recipe.lookback)[::-1] * (recipe.step / pd.Timedelta("1h"))
    index = pd.Index(before, name="hours before")
    return pd.DataFrame(moved, index, pd.Index(recipe.inputs, name="input"))


def permuted(
    model: Any, part: Windows | Sequences, ahead: int | None = None, seed: int = 0
) -> pd.Series[float]:
    """By how much RMSE rises, in the target's unit, when an input is exchanged among the windows of a part.

    Parameters
    ----------
    model, part, ahead : as for `drivers`. seed : of the exchange.

    Returns
    -------
    A number for each input; near 0 where forecasts don't need it, or have it from another one.
    """
    recipe, part, at = _asked(model, part, ahead)
    rng, x, quantiles = np.random.default_rng(seed), _some(part), max(1, len(model.levels))
    rows = _rows(part)
    actual = part.actual[rows][:, at // quantiles]
    mean, sd = (which[recipe.targets[0]] for which in (recipe.mean, recipe.sd))

    def error(x: Any) -> float:
        yhat = predict(model.spec_, model.params_, x)[:, at].astype(np.float64) * sd + mean
        return float(np.sqrt(np.mean((yhat - actual) ** 2)))

    plain, found = error(x), {}
    for d, name in enumerate(recipe.inputs):
        mixed = x.copy()
        mixed[..., d] = mixed[rng.permutation(len(x)), :, d]
        found[name] = error(mixed) - plain
    return pd.Series(found, name="RMSE above", dtype="float64").rename_axis("input")


def _asked(model: Any, part: Windows | Sequences, ahead: int | None) -> tuple[Any, Windows, int]:
    """The recipe, the windows, and which output of the network is the forecast of the step."""
    recipe, given = model.needs_recipe("drivers"), windows_of(part)
    recipe.check(given)
    steps = recipe.ahead.tolist()
    ahead = steps[0] if ahead is None else count(ahead, "ahead")
    if ahead not in steps:
        raise SeriesError(f"ahead={ahead} is not forecast; there is {steps[0]} to {steps[-1]}.")
    quantiles = max(1, len(model.levels))
    middle = model.levels.index(0.5) if model.levels else 0
    return recipe, given, steps.index(ahead) * quantiles + middle


def _rows(part: Windows) -> Any:
    return np.unique(np.linspace(0, len(part) - 1, MOST).astype(int))


def _some(part: Windows) -> Any:
    return part.take(_rows(part))[0]

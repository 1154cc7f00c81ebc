"""The intervals of a forecast: from the errors of the validation part, and from those of the hours that came after it.

Letters: N windows, O target values, Q quantiles that a network puts out for each (one, where it forecasts the mean).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lstm_lib.forecasting.recipe import Recipe
from lstm_lib.network.cells import Array
from lstm_lib.series import Series, SeriesError
from lstm_lib.series.intervals import adaptive_margins, check_level, margins, scores_of
from lstm_lib.series.refusal import listed

NEWEST = 2000  # windows from which an adaptive interval has learned what it needs


def between(y: Array, levels: tuple[float, ...], level: float) -> tuple[Array, Array]:
    """Of quantiles (N, O, Q) those that hold a level between them, (N, O) twice; of one forecast it is both.

    Raises SeriesError where they are not among the levels.

    >>> low, high = between(np.array([[[1.0, 2.0, 4.0]]]), (0.05, 0.5, 0.95), 0.9)
    >>> low.tolist(), high.tolist()
    ([[1.0]], [[4.0]])
    """
    share = check_level(level)
    if not levels:
        return y[..., 0], y[..., 0]
    at = [np.flatnonzero(np.isclose(levels, q)) for q in ((1 - share) / 2, (1 + share) / 2)]
    if not all(map(len, at)):
        pairs = zip(levels, levels[::-1], strict=True)
        held = [f"{high - low:g}" for low, high in pairs if low < high and np.isclose(low + high, 1)]
        raise SeriesError(
            f"level={level} takes the quantiles {(1 - share) / 2:g} and {(1 + share) / 2:g}, and the forecaster has "
            f"{listed(levels)}: valid is level={listed(held) or 'none'}."
        )
    return y[..., at[0][0]], y[..., at[1][0]]


def interval(model: Any, yhat: Array, level: float, series: Series | None) -> dict[str, Array]:
    """Low and high of the forecast of one window.

    Parameters
    ----------
    model : a fitted forecaster. yhat : (1, O, Q), what it forecast.
    series : with the hours that came after those it was fitted on, for an interval that adapts; None takes the margins
        of the validation part.
    """
    errors = model.errors_
    known = scores_of(between(errors, model.levels, level), np.zeros(errors.shape[:2]))
    low, high = between(yhat, model.levels, level)
    margin = margins(known, level)
    if series is not None:
        margin = _adapted(model, known, level, series)
    return {"low": low[0] - margin, "high": high[0] + margin}


def _adapted(model: Any, known: Array, level: float, series: Series) -> Array:
    """The margin after the newest hours of the series, of which all were new to the forecaster."""
    recipe: Recipe = model.recipe_
    part = recipe.windows(series)
    first = series.index.searchsorted(recipe.until, side="right")
    part = replace(part, starts=part.starts[part.target_rows[:, 0] >= first][-NEWEST:])
    if not len(part):
        return margins(known, level)
    beyond = max(0, int(recipe.ahead.max()))
    measured = np.pad(part.measured, ((0, beyond), (0, 0)), constant_values=np.nan)
    bounds = between(recipe.quantiles(model.scaled(part), model.levels), model.levels, level)
    scores = scores_of(bounds, part.along(measured, part.target_rows))
    ahead = np.tile(recipe.ahead, len(recipe.targets))
    return np.asarray(adaptive_margins(known, scores, ahead, level)[-1])

"""The short way: a network, its training and its forecasts in one object, with the habits of scikit-learn.

    model = Forecaster(units=64).fit(split)
    model.predict(split.test)       # in the unit of the series
    model.forecast(series)          # of a series that it has not seen, up to the hour after its last one

Nouns: a `Forecaster` holds the settings; `fit` adds what it learned under names that end with an underscore, above all
`record_`. It learns from a `Split`, or from arrays: windows x (N, T, D) and targets y (N,) or (N, O), or a table (N, T)
whose row is a window of one column. Arrays are scaled inside, by the mean and deviation of what they were fitted on.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec, refuse_masked
from lstm_lib.series import Sequences, SequenceSplit, Series, SeriesError, Split, Windows, naive_forecasts
from lstm_lib.series.sequences import windows_of
from lstm_lib.training.adam import Adam
from lstm_lib.training.callbacks import EarlyStopping
from lstm_lib.training.loop import fit
from lstm_lib.training.record import Record
from lstm_lib.training.samples import Way
from lstm_lib.training.schedules import PlanOrSchedule
from lstm_lib.training.settings import called


@dataclass(eq=False, repr=False)
class Forecaster:
    """A recurrent network that forecasts a series; scikit-learn's tools take it as a regressor.

    Parameters
    ----------
    units : of each layer, lowest first; a number is one layer.
    cell : a row of `lstm_lib.network.cells.CELLS`, such as "standard" or "gru".
    epochs, batch, rate, seed : as for `fit`.
    lr : learning rate of Adam.
    patience : end after so many epochs without a lower validation loss; None trains all epochs.
    isolation : a function of the `Spec` that returns a `Plan` or a schedule of plans; None isolates nothing.
    progress : show a progress bar.

    After `fit`: `record_` (a `Record`), `spec_`, `split_` (None for arrays), `n_iter_` (epochs trained). Forecasts are
    made with `record_.best_params`. scikit-learn need not be installed; its cross-validation does not know that windows
    overlap, `lstm_lib.folds` does.

    >>> from lstm_lib import load_series, windows
    >>> split = windows(load_series("fontana", columns=["power"]), lookback=24, every=8)
    >>> model = Forecaster(units=4, epochs=1).fit(split)
    >>> model.predict(split.test).shape == split.test.y.shape
    True
    """

    units: int | tuple[int, ...] = 64
    cell: str = "standard"
    epochs: int = 20
    batch: int = 32
    lr: float = 4e-3
    rate: str = "cosine"
    patience: int | None = None
    isolation: Callable[[Spec], PlanOrSchedule] | None = None
    seed: int = 0
    progress: bool = False

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name; `deep` is there for scikit-learn."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Forecaster:
        """Change settings and return the forecaster; ValueError for a name that there isn't."""
        for name, value in params.items():
            if name not in (known := self.get_params()):
                raise ValueError(f"there is no parameter {name!r}; the parameters are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        return called(type(self), **self.get_params())

    def fit(self, x: Split | SequenceSplit | Array, y: Array | None = None) -> Forecaster:
        """Learn from a split (its training part; the validation part chooses the epoch), or from arrays.

        Parameters
        ----------
        x : a split of windows or sequences; or (N, T, D), or (N, T) for windows of one column, with y (N,) or (N, O),
            finite numbers.

        Raises ValueError for what can't be learned from, and what `lstm_lib.fit` raises.
        """
        self.split_ = None
        if isinstance(x, Split | SequenceSplit):
            self.split_ = windows_of(x)
            return self._fit(len(x.inputs), self.split_.train.outputs, x.train, x.valid)
        if isinstance(x, Windows | Sequences | Series):
            kind = type(x).__name__
            raise ValueError(
                f"fit() takes a Split, from windows(series) or sequences(series), or arrays; got a {kind}"
            )
        x = _numbers(x, "X")
        if y is None:
            raise ValueError("fit() takes targets too: requires y to be passed, but the target y is None")
        y = _numbers(y, "y")
        self.n_features_in_, self.flat_ = x.shape[1], y.ndim == 1
        y = y.reshape(len(y), -1).astype(x.dtype)
        self.scaling_ = _scaling(x, (0, 1)), _scaling(y, (0,))
        scaled = tuple((a - mean) / sd for a, (mean, sd) in zip((x, y), self.scaling_, strict=True))
        return self._fit(x.shape[2], y.shape[1], scaled, None)

    def _fit(self, inputs: int, outputs: int, train: Any, valid: Any) -> Forecaster:
        self.spec_ = Spec(inputs, self.units, outputs, self.cell)  # type: ignore[arg-type]
        measure = "train_loss" if valid is None else "valid_loss"
        stops = [] if self.patience is None else [EarlyStopping(self.patience, measure=measure)]
        self.record_: Record = fit(
            self.spec_, train, valid, seed=self.seed, epochs=self.epochs, batch=self.batch,
            optimizer=Adam(lr=self.lr), rate=self.rate, progress=self.progress, callbacks=stops,
            isolation=None if self.isolation is None else self.isolation(self.spec_),
        )  # fmt: skip
        self.n_iter_ = len(self.record_.history)
        return self

    def predict(self, x: Windows | Sequences | Array, way: Way | None = None) -> Array:
        """Forecasts for the windows of a part, or of arrays laid out as those it was fitted on.

        Parameters
        ----------
        way : from "windows", or in one "pass" over the part, see `lstm_lib.predict`.

        Returns
        -------
        (N, O) in the unit of the series; for arrays in the unit of y, and (N,) where y was.
        """
        self._check_fitted()
        if self.split_ is not None:
            return np.asarray(self.split_.unscale(self.record_.predict(x, way=way)))
        if isinstance(x, Windows | Sequences):
            raise ValueError(
                "predict() takes arrays, since this forecaster was fitted on arrays; got a part of a split"
            )
        x = _numbers(x, "X")
        if x.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features "
                "as input: as many steps as the windows that it was fitted on"
            )
        (mean_x, sd_x), (mean, sd) = self.scaling_
        yhat = self.record_.predict((x - mean_x) / sd_x) * sd + mean
        return np.asarray(yhat[:, 0] if self.flat_ else yhat)

    def forecast(self, series: Series) -> pd.DataFrame:
        """Forecasts for every window of a series, up to those after its last row, scaled as it was fitted.

        Parameters
        ----------
        series : with the columns, units and step of the one that it was fitted on; calendar features are added.

        Returns
        -------
        DataFrame in the unit of the series: a row for each window without a missing value, by the stamp of its
        (first) target; the column "forecast", with levels for targets and steps as in `naive_forecasts`.

        Raises ValueError for a forecaster of arrays, SeriesError for a series that does not fit.

        >>> from lstm_lib import load_series, windows
        >>> series = load_series("fontana", columns=["power"])
        >>> model = Forecaster(units=4, epochs=1).fit(windows(series, lookback=24, every=8))
        >>> table = model.forecast(series)
        >>> len(table) == len(series.frame) - 23, table.index[-1] - series.index[-1]
        (True, Timedelta('0 days 01:00:00'))
        """
        self._check_fitted()
        if self.split_ is None:
            raise ValueError("forecast() needs a forecaster that was fitted on a Split; this one saw arrays")
        split, part = self.split_, self.split_.train
        series = _like(series, split)
        scaling = split.scaling.loc[list(split.inputs)]
        values = (series.frame[list(split.inputs)] - scaling["mean"]) / scaling["sd"]
        scaled = values.to_numpy(part.values.dtype)
        whole = pd.Series(np.isfinite(scaled).all(axis=1)).rolling(part.lookback).sum() == part.lookback
        starts = np.flatnonzero(whole) - part.lookback + 1
        if not len(starts):
            raise SeriesError(
                f"Series {series.name!r}: there are no {part.lookback} rows in a run without a missing value."
            )
        inputs = dataclasses.replace(
            part, starts=starts, values=scaled, offsets=part.offsets[:0]
        )  # no targets
        named = naive_forecasts(dataclasses.replace(part, starts=part.starts[:1]))[["last value"]]
        index = pd.DatetimeIndex(series.index[0] + (starts + part.offsets[0]) * series.step, name="time")
        columns = named.rename(columns={"last value": "forecast"}).columns
        return pd.DataFrame(split.unscale(self.record_.predict(inputs)), index, columns)

    def score(self, x: Windows | Sequences | Array, y: Array | None = None) -> float:
        """R², 1 - Σ(y - yhat)² / Σ(y - mean y)²: 1 is perfect, 0 as good as the mean; mean over the O targets.

        Parameters
        ----------
        x, y : a part of a split alone; or arrays as for `fit`.
        """
        actual = windows_of(x).actual if isinstance(x, Windows | Sequences) else _numbers(y, "y")
        error = ((actual - self.predict(x)) ** 2).sum(axis=0)
        return float(np.mean(1 - error / ((actual - actual.mean(axis=0)) ** 2).sum(axis=0)))

    def _check_fitted(self) -> None:
        if hasattr(self, "record_"):
            return
        try:
            from sklearn.exceptions import NotFittedError as Unfitted
        except ImportError:
            Unfitted = ValueError
        raise Unfitted(f"this {type(self).__name__} has learned nothing yet; call fit(split) first")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        targets, inputs = TargetTags(required=True, multi_output=True), InputTags(three_d_array=True)
        return Tags("regressor", targets, regressor_tags=RegressorTags(), input_tags=inputs)


def _like(series: Series, split: Split) -> Series:
    """The series with the columns of the split's; SeriesError where it is another kind."""
    known = split.series
    if not isinstance(series, Series):
        raise SeriesError(f"forecast() takes a Series, from load_series(...); got {type(series).__name__}.")
    where = f"Series {series.name!r}: "
    if series.step != known.step:
        raise SeriesError(f"{where}its step is {series.step}, and the forecaster was fitted on {known.step}.")
    if known.calendar and not series.calendar:
        series = series.with_calendar(*known.calendar)
    if missing := [name for name in split.inputs if name not in series.frame]:
        raise SeriesError(
            f"{where}it lacks the columns {missing}; rename its own in load_series(columns={{...}})."
        )
    for name in split.inputs:
        unit, fitted = series.unit_of(name), known.unit_of(name)
        if unit and fitted and unit != fitted:
            raise SeriesError(f"{where}column {name!r} is in {unit}; the forecaster was fitted on {fitted}.")
    return series


def _numbers(given: Any, name: str) -> Array:
    """The array in float32 or float64, X (N, T) as (N, T, 1); refused in words that scikit-learn's checks look for."""
    if hasattr(given, "toarray"):
        raise TypeError(f"{name} is sparse, and sparse data can't be used; give an array: {name}.toarray()")
    refuse_masked(**{name: given})
    a: Array = np.asarray(given)
    if a.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} is {a.dtype}")
    a = a if a.dtype == np.float32 else a.astype(np.float64)
    if name == "X" and a.ndim not in (2, 3):
        raise ValueError(
            f"X has shape {a.shape}; expected windows (N, T, D), or (N, T) of one column. Reshape your data"
        )
    if a.ndim > 1 and 0 in a.shape[1:]:
        raise ValueError(f"0 feature(s) (shape={a.shape}) while a minimum of 1 is required.")
    if not len(a) or not np.isfinite(a).all():
        what = "holds NaN or infinite values; drop them first" if len(a) else "has no sample"
        raise ValueError(f"{name} {what}")
    return a.reshape(*a.shape[:2], -1) if name == "X" else a


def _scaling(a: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and deviation of each column; 1 for the deviation of a constant."""
    with np.errstate(over="ignore", invalid="ignore"):
        sd = a.std(axis=axes)
    if not np.isfinite(sd).all():
        raise ValueError(
            f"the largest value is {np.abs(a).max():g}, too large to be scaled in {a.dtype}; correct it, or "
            "change the unit"
        )
    return a.mean(axis=axes), np.where(sd > 0, sd, 1).astype(a.dtype)

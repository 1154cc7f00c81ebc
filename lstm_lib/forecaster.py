"""The short way: a network, its training and its forecasts in one object, with the habits of scikit-learn.

    model = Forecaster(units=64).fit(split)
    model.predict(split.test)       # in the unit of the series
    model.forecast(series)          # the hours after its last row, also of a newer file; level=0.9 adds intervals
    model.save("model.npz")         # and Forecaster.load("model.npz")

Nouns: a `Forecaster` holds the settings; `fit` adds what it learned under names that end with an underscore: `params_`,
the arcs, and `recipe_`, what it reads of a series and how it scales that. It learns from a `Split`, or from arrays:
windows x (N, T, D) and targets y (N,) or (N, O), or a table (N, T) whose row is a window of one column. Arrays are
scaled inside, by the mean and deviation of what they were fitted on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.forecasting import store
from lstm_lib.forecasting.arrays import numbers, samples_of
from lstm_lib.forecasting.bands import between, interval
from lstm_lib.forecasting.estimator import Estimator
from lstm_lib.forecasting.recipe import Recipe
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec
from lstm_lib.series import Sequences, SequenceSplit, Series, SeriesError, Split, Windows, naive_forecasts
from lstm_lib.series.sequences import windows_of
from lstm_lib.training.adam import Adam
from lstm_lib.training.callbacks import EarlyStopping
from lstm_lib.training.loop import fit
from lstm_lib.training.record import Record
from lstm_lib.training.samples import Way, predict
from lstm_lib.training.schedules import PlanOrSchedule

QUICK = 10_000  # rows that the plain engine reads while the compiled one would still be loading


@dataclass(eq=False, repr=False)
class Forecaster(Estimator):
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
    levels : of quantiles to be forecast by the pinball loss, the median among them, such as (0.05, 0.5, 0.95); () is
        one forecast of the mean.

    After `fit`: `record_` (a `Record`), `spec_`, `params_` (the best of the record, with which forecasts are made),
    `history_`, `n_iter_` (epochs trained); of a split also `recipe_`, and `errors_`, yhat - y on its validation part,
    (n, O, quantiles) in the unit of the series, by which intervals are measured; None for arrays. scikit-learn need not
    be installed; its cross-validation does not know that windows overlap, `lstm_lib.folds` does.

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
    levels: tuple[float, ...] = ()

    def fit(self, x: Split | SequenceSplit | Array, y: Array | None = None) -> Forecaster:
        """Learn from a split (its training part; the validation part chooses the epoch), or from arrays.

        Parameters
        ----------
        x : a split of windows or sequences; or (N, T, D), or (N, T) for windows of one column, with y (N,) or (N, O),
            finite numbers.

        Raises ValueError for what can't be learned from, and what `lstm_lib.fit` raises.
        """
        self.recipe_: Recipe | None = None
        self.errors_: Array | None = None
        self.reading_ = dict[str, str]()  # how a command has read the file, by its options; kept by `save`
        if isinstance(x, Split | SequenceSplit):
            split = windows_of(x)
            self._fit(len(split.inputs), split.train.outputs, x.train, x.valid)
            self.recipe_ = Recipe.of(x)
            self.errors_ = self.quantiles(x.valid) - split.valid.actual[..., None]
            return self
        if isinstance(x, Windows | Sequences | Series):
            kind = type(x).__name__
            raise ValueError(
                f"fit() takes a Split, from windows(series) or sequences(series), or arrays; got a {kind}"
            )
        x, y, self.scaling_, self.flat_ = samples_of(x, y)
        self.n_features_in_ = x.shape[1]
        return self._fit(x.shape[2], y.shape[1], (x, y), None)

    def _fit(self, inputs: int, outputs: int, train: Any, valid: Any) -> Forecaster:
        head = {"head": "quantiles", "levels": self.levels} if self.levels else {}
        if self.levels and 0.5 not in self.levels:
            raise ValueError(f"levels={self.levels!r} lack 0.5, the median, which is the forecast")
        width = outputs * max(1, len(self.levels))
        self.spec_ = Spec(inputs, self.units, width, self.cell, **head)  # type: ignore[arg-type]
        measure = "train_loss" if valid is None else "valid_loss"
        stops = [] if self.patience is None else [EarlyStopping(self.patience, measure=measure)]
        self.record_: Record = fit(
            self.spec_, train, valid, seed=self.seed, epochs=self.epochs, batch=self.batch,
            optimizer=Adam(lr=self.lr), rate=self.rate, progress=self.progress, callbacks=stops,
            isolation=None if self.isolation is None else self.isolation(self.spec_),
        )  # fmt: skip
        self.params_, self.history_ = self.record_.best_params, self.record_.history
        self.n_iter_ = len(self.history_)
        return self

    def predict(self, x: Windows | Sequences | Array, way: Way | None = None) -> Array:
        """Forecasts for the windows of a part, or of arrays laid out as those it was fitted on.

        Parameters
        ----------
        way : from "windows", or in one "pass" over the part, see `lstm_lib.predict`.

        Returns
        -------
        (N, O) in the unit of the series, of quantiles the median; for arrays in the unit of y, and (N,) where y was.

        Raises ValueError for what is laid out otherwise, and for a part that other training rows have scaled.
        """
        self._check_fitted()
        if self.recipe_ is not None:
            return self.quantiles(x, way)[..., self._middle]
        if isinstance(x, Windows | Sequences):
            raise ValueError(
                "predict() takes arrays, since this forecaster was fitted on arrays; got a part of a split"
            )
        x = numbers(x, "X")
        if x.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features "
                "as input: as many steps as the windows that it was fitted on"
            )
        (mean_x, sd_x), (mean, sd) = self.scaling_
        yhat = predict(self.spec_, self.params_, (x - mean_x) / sd_x)
        yhat = yhat.reshape(len(x), len(mean), -1)[..., self._middle] * sd + mean
        return np.asarray(yhat[:, 0] if self.flat_ else yhat)

    def quantiles(self, part: Windows | Sequences | Array, way: Way | None = None) -> Array:
        """All quantiles for the windows of a part, in rising order: (N, O, Q); without `levels` the one forecast."""
        recipe = self.needs_recipe("quantiles")
        if isinstance(part, Windows | Sequences):
            recipe.check(windows_of(part))
        return recipe.quantiles(predict(self.spec_, self.params_, part, way=way), self.levels)

    def bounds(self, part: Windows | Sequences, level: float, way: Way | None = None) -> tuple[Array, Array]:
        """What intervals of a level are measured from, (N, O) twice: two quantiles, or the one forecast.

        Raises SeriesError where the quantiles of the level are not among `levels`.
        """
        return between(self.quantiles(part, way), self.levels, level)

    def forecast(
        self,
        series: Series,
        level: float | None = None,
        at: str | pd.Timestamp | None = None,
        adaptive: bool = False,
    ) -> pd.DataFrame:
        """The hours after the last row of a series, forecast from its newest rows.

        Parameters
        ----------
        series : with the columns, units and step of the one that it was fitted on, such as a newer file; calendar
            features are added.
        level : the share of hours that an interval should hold, such as 0.9; None gives none.
        at : the stamp of a row of the past (in UTC, unless it says otherwise): forecast as if it were the last.
        adaptive : intervals by the hours of the series after those that it was fitted on, too; else by the validation
            part alone: `lstm_lib.series.intervals`, and of quantiles Romano et al. (2019).

        Returns
        -------
        DataFrame in the unit of the series, a row for each step ahead by its stamp: the column "forecast", and with a
        level "low" and "high" (with several targets below a first level of columns, the target). In `attrs` stand the
        unit, the level and the origin, the stamp of the last row that was read. What was fitted on sequences makes one
        pass over all rows since the last gap, whose state goes on; what was fitted on windows reads the last one.

        Raises SeriesError for a series that doesn't fit, whose newest rows are missing, or for a level that the
        validation part is too short for; ValueError for a forecaster of arrays.

        >>> from lstm_lib import load_series, windows
        >>> series = load_series("fontana", columns=["power"])
        >>> model = Forecaster(units=4, epochs=1).fit(windows(series, 24, horizon=3, steps="all", every=8))
        >>> table = model.forecast(series, level=0.9)
        >>> list(table), [int(ahead / series.step) for ahead in table.index - series.index[-1]]
        (['forecast', 'low', 'high'], [1, 2, 3])
        """
        recipe = self.needs_recipe("forecast")
        series = recipe.like(series, at)
        part = recipe.newest(series)
        engine = "plain" if np.ptp(part.starts) < QUICK else None
        yhat = recipe.quantiles(self.scaled(part, engine)[-1:], self.levels)
        columns = {"forecast": yhat[0, :, self._middle]}
        if level is not None:
            columns |= interval(self, yhat, level, series if adaptive else None)
        index = recipe.stamps(series, part.target_rows[-1])
        return recipe.table(columns, index, {"level": level, "origin": series.index[-1].isoformat()})

    def backtest(self, series: Series) -> pd.DataFrame:
        """What it would have forecast at every row of a series, up to the last: to be held against what came.

        Parameters
        ----------
        series : as for `forecast`.

        Returns
        -------
        DataFrame in the unit of the series: a row for each window without a missing value, by the stamp of its
        (first) target; the column "forecast", with levels for targets and steps as in `naive_forecasts`.

        Raises ValueError for a forecaster of arrays, SeriesError for a series that does not fit.

        >>> from lstm_lib import load_series, windows
        >>> series = load_series("fontana", columns=["power"])
        >>> model = Forecaster(units=4, epochs=1).fit(windows(series, lookback=24, every=8))
        >>> table = model.backtest(series)
        >>> len(table) == len(series.frame) - 23, table.index[-1] - series.index[-1]
        (True, Timedelta('0 days 01:00:00'))
        """
        recipe = self.needs_recipe("backtest")
        series = recipe.like(series)
        part = recipe.windows(series)
        if not len(part):
            raise SeriesError(
                f"Series {series.name!r}: there are no {part.lookback} rows in a run without a missing value."
            )
        named = naive_forecasts(replace(part, starts=part.starts[:1]))[["last value"]]
        columns = named.rename(columns={"last value": "forecast"}).columns
        yhat = recipe.quantiles(self.scaled(part), self.levels)[..., self._middle]
        return pd.DataFrame(yhat, recipe.stamps(series, part.target_rows[:, 0]), columns)

    def save(self, path: str | Path) -> Path:
        """Write all that forecasts need to one `.npz` file and return its path; a file there is replaced in one go.

        `record_` is not in it (`record_.save` writes that), nor is `isolation`, a function that a new fit would lack.

        >>> import tempfile
        >>> x = np.linspace(0, 1, 60).reshape(10, 6)
        >>> model = Forecaster(units=2, epochs=1).fit(x, x[:, -1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = Forecaster.load(model.save(f"{folder}/model.npz"))
        >>> bool((again.predict(x) == model.predict(x)).all())
        True
        """
        self._check_fitted()
        return store.save(path, self)

    @classmethod
    def load(cls, path: str | Path) -> Forecaster:
        """Read a forecaster that `save` wrote.

        Raises FileNotFoundError, and ValueError with the path for a file of another kind or version and a damaged one.
        """
        return store.load(path, cls)

    def scaled(self, part: Windows, engine: str | None = None) -> Array:
        """What the network puts out for windows, in the way of the recipe, (N, O Q), scaled."""
        return predict(self.spec_, self.params_, part, way=self.needs_recipe("scaled").way, engine=engine)

    def score(self, x: Windows | Sequences | Array, y: Array | None = None) -> float:
        """R², 1 - Σ(y - yhat)² / Σ(y - mean y)²: 1 is perfect, 0 as good as the mean; mean over the O targets.

        Parameters
        ----------
        x, y : a part of a split alone; or arrays as for `fit`.
        """
        actual = windows_of(x).actual if isinstance(x, Windows | Sequences) else numbers(y, "y")
        error = ((actual - self.predict(x)) ** 2).sum(axis=0)
        return float(np.mean(1 - error / ((actual - actual.mean(axis=0)) ** 2).sum(axis=0)))

    @property
    def _middle(self) -> int:
        return self.levels.index(0.5) if self.levels else 0

    def needs_recipe(self, call: str) -> Recipe:
        """The recipe; ValueError, with the name of the call, for a forecaster of arrays."""
        self._check_fitted()
        if self.recipe_ is None:
            raise ValueError(f"{call}() needs a forecaster that was fitted on a Split; this one saw arrays")
        return self.recipe_

"""Several buildings in one file: one network for all of them, or one each?

Nouns: the buildings are columns of one series; what else it holds, such as the weather and the calendar, all of them
share. Three ways to learn them: one network each; one network "told which", that reads one building at a time and,
besides, a column for each that is 1 for the building it reads and else 0; one network that reads and forecasts "all at
once".

Letters: K buildings, N windows, T rows of a window, D inputs of a building, O steps of a forecast.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Spec
from lstm_lib.series import Series, SeriesError, Split, Windows, metrics, naive_forecasts, windows
from lstm_lib.series.splits import Rows
from lstm_lib.training.adam import Adam
from lstm_lib.training.loop import fit
from lstm_lib.training.samples import Samples, predict

Learned = tuple[int, float, Array]  # arcs, seconds, and forecasts of the test part, scaled


@dataclass(frozen=True)
class Pooled:
    """Windows of K buildings as K N samples of one network: first all of the first one; x is (K N, T, D + K).

    parts : of the buildings, N windows each, that read the same rows.
    """

    parts: tuple[Windows, ...]

    def __len__(self) -> int:
        return len(self.parts) * len(self.parts[0])

    def take(self, rows: Rows) -> tuple[Array, Array]:
        """The samples at these positions, with the columns that say of which building each is."""
        which, at = np.divmod(np.asarray(rows), len(self.parts[0]))
        own = {k: part.take(at[which == k]) for k, part in enumerate(self.parts)}
        some, y_some = own[0]
        D, K = some.shape[2], len(self.parts)
        x = np.zeros((len(at), some.shape[1], D + K), some.dtype)
        y = np.empty((len(at), y_some.shape[1]), y_some.dtype)
        for k, (its_x, its_y) in own.items():
            x[which == k, :, :D], x[which == k, :, D + k], y[which == k] = its_x, 1, its_y
        return x, y


def one_or_each(
    series: Series,
    buildings: Sequence[str],
    *,
    lookback: int = 72,
    horizon: int = 1,
    every: int = 1,
    units: int = 32,
    epochs: int = 8,
    batch: int = 32,
    lr: float = 4e-3,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Train one network for all buildings and one for each, and compare them on the same hours.

    Parameters
    ----------
    buildings : two or more columns; each is scaled by its own training rows. The other columns are inputs of all.
    lookback, horizon, every : as for `lstm_lib.windows`; the row `horizon` ahead is forecast.
    units : of every network. epochs, batch, lr, seed : as for `lstm_lib.fit`, the rate falls along a cosine. A network
        "told which" sees K times as many samples an epoch; so it makes K times as many steps as one of the others.
    progress : show progress bars.

    Returns
    -------
    DataFrame, a row for each way ("last value", "one each", "told which", "all at once"): arcs (of all its networks),
    seconds (of all their trainings), nrmse (the mean over the buildings of RMSE over mean), and a column for each
    building, its RMSE on the test part in its unit. Only windows are counted of which no building misses a value.

    Raises SeriesError for fewer than two buildings, a column that there isn't, and as `lstm_lib.windows` does.

    >>> from lstm_lib import load_series
    >>> sceaux = load_series("sceaux", columns=["kitchen", "laundry", "heater", "power"])
    >>> table = one_or_each(sceaux, ["kitchen", "heater"], lookback=6, every=40, units=2, epochs=1)
    >>> list(table), table["arcs"].tolist()
    (['arcs', 'seconds', 'nrmse', 'kitchen', 'heater'], [0, 102, 67, 62])
    """
    names = list(buildings)
    if isinstance(buildings, str) or len(set(names)) < max(2, len(names)):
        raise SeriesError(f"buildings={buildings!r} has to be a list of two or more columns, none twice.")
    whole = windows(series, lookback, horizon, target=names, every=every)
    own = [_alone(series, name, names, whole) for name in names]

    def learned(parts: Sequence[Samples], inputs: int, outputs: int = 1) -> Learned:
        spec, began = Spec(inputs, (units,), outputs), time.perf_counter()
        record = fit(
            spec, parts[0], parts[1], seed=seed, epochs=epochs, batch=batch, optimizer=Adam(lr=lr), rate="cosine",
            progress=progress,
        )  # fmt: skip
        return spec.size, time.perf_counter() - began, predict(spec, record.best_params, parts[2])

    D, K = len(own[0].inputs), len(names)
    each = [learned(_parts(split), D) for split in own]
    told = learned([Pooled(parts) for parts in zip(*map(_parts, own), strict=True)], D + K)
    once = learned(_parts(whole), len(whole.inputs), K)
    ways = {
        "one each": (sum(one[0] for one in each), sum(one[1] for one in each), [one[2] for one in each]),
        "told which": (*told[:2], np.split(told[2], K)),
        "all at once": (*once[:2], np.split(once[2], K, axis=1)),
    }
    free = [naive_forecasts(split.test)["last value"].to_numpy() for split in own]
    rows = {"last value": _row(0, 0.0, free, own)}
    for way, (arcs, seconds, scaled) in ways.items():
        yhat = [split.unscale(y) for split, y in zip(own, scaled, strict=True)]
        rows[way] = _row(arcs, seconds, yhat, own)
    return pd.DataFrame(list(rows.values()), list(rows))


def _parts(split: Split) -> tuple[Windows, ...]:
    return split.train, split.valid, split.test


def _alone(series: Series, name: str, names: Sequence[str], whole: Split) -> Split:
    """The windows of one building and of what all share, at the rows of those of all buildings."""
    columns = [str(column) for column in series.frame if column == name or column not in names]
    split = windows(series, whole.train.lookback, int(whole.train.ahead[-1]), inputs=columns, target=name)
    train, valid, test = (
        replace(part, starts=same.starts) for part, same in zip(_parts(split), _parts(whole), strict=True)
    )
    return replace(split, train=train, valid=valid, test=test)


def _row(arcs: int, seconds: float, yhat: Sequence[Array], own: Sequence[Split]) -> dict[str, float]:
    """A line of the table, from the forecasts of each building in its unit."""
    scores = [metrics(split.test.actual, y) for split, y in zip(own, yhat, strict=True)]
    errors = {split.test.target_names[0]: score["rmse"] for split, score in zip(own, scores, strict=True)}
    return {"arcs": arcs, "seconds": seconds, "nrmse": float(np.mean([s["nrmse"] for s in scores])), **errors}

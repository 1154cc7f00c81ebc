"""Whether one forecast is better than another: by days, since the hours of a day err alike.

Nouns: a loss is a squared error; a block is a day on the local clock, that of the forecast moment; days follow one
another, so that what is left of dependence between them is in the variance (Newey and West 1987) or in the blocks that
are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lstm_lib.extras import needed
from lstm_lib.series.clock import Array, Mask, Values
from lstm_lib.series.splits import Windows

LEAST = 8  # days of which a test can say something
WEEK = 7  # days in a row that are drawn together


def days_of(part: Windows) -> Array:
    """A number for the local day of the origin of each window, (N,)."""
    local = part.origin.tz_convert(part.series.timezone).tz_localize(None)
    return np.asarray(local.normalize().asi8)


def diebold_mariano(losses: Values, others: Values, days: Array) -> tuple[float, float]:
    """The test of Diebold and Mariano (1995): is the mean difference of two losses 0?

    Parameters
    ----------
    losses, others : (n,), of two forecasts of the same values. days : (n,), the block of each.

    Returns
    -------
    The statistic, below 0 where `losses` are the smaller ones, and p of both sides by Student's t, as Harvey et al.
    (1997) advise; from the means of days, with the variance of Newey and West, floor(4 (days / 100)^(2/9)) lags but at
    least 1, corrected for few days (statsmodels). NaN for fewer than 8 days, and for losses that never differ.
    """
    by_day = pd.Series(losses - others).groupby(days).mean().to_numpy()
    n = len(by_day)
    if n < LEAST or not np.ptp(by_day) > 0:
        return np.nan, np.nan
    with needed("study", "compare(..., test=True)"):
        from statsmodels.regression.linear_model import OLS

    lags = {"maxlags": max(1, int(4 * (n / 100) ** (2 / 9))), "use_correction": True}
    found = OLS(by_day, np.ones(n)).fit(cov_type="HAC", cov_kwds=lags, use_t=True)
    return float(found.tvalues[0]), float(found.pvalues[0])


def share_between(
    inside: Mask, days: Array, confidence: float = 0.95, resamples: int = 999, seed: int = 0
) -> tuple[float, float]:
    """Between which bounds the share of hours inside lies, by a bootstrap that draws weeks of days, not hours.

    Parameters
    ----------
    inside : (N, O). days : (N,), the block of each row.

    Returns
    -------
    Low and high, by percentiles, of circular blocks of 7 days (Politis and Romano 1992); NaN for fewer than 8 days.
    """
    table = (
        pd.DataFrame({"inside": inside.sum(axis=1), "all": inside.shape[1]}).groupby(days).sum().to_numpy()
    )
    n = len(table)
    if n < LEAST:
        return np.nan, np.nan
    first = np.random.default_rng(seed).integers(n, size=(resamples, -(-n // WEEK)))
    drawn = (first[..., None] + np.arange(WEEK)).reshape(resamples, -1)[:, :n] % n
    sums = table[drawn].sum(axis=1)
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [50 * (1 - confidence), 50 * (1 + confidence)])
    return float(low), float(high)


def peak_error(part: Windows, rows: Mask, actual: Values, yhat: Values, columns: Mask) -> float:
    """Mean of |highest forecast of a day - highest value of it|, over local days that are forecast as a whole.

    Parameters
    ----------
    rows : which windows of the part are scored. actual, yhat : (n, O), their values. columns : (O,), which count.
    """
    target = np.tile(part.target_rows[rows], len(part.target_names))
    local = part.series.local.tz_localize(None).normalize().asi8
    whole = pd.Series(local).value_counts()
    found = []
    for o in np.flatnonzero(columns):
        day = local[target[:, o]]
        pair = pd.DataFrame({"actual": actual[:, o], "yhat": yhat[:, o]}).groupby(day)
        peaks = pair.max()[pair.size() == whole.reindex(pair.size().index)]
        found.append((peaks["yhat"] - peaks["actual"]).abs())
    errors = np.concatenate([np.zeros(0), *found])
    return float(errors.mean()) if len(errors) else np.nan


def best_naive(actual: Values, naive: Mapping[str, Values]) -> Values:
    """At each step the naive forecast with the smallest squared error there, (n, O): the strictest of them."""
    every = np.stack(list(naive.values()))
    best = ((every - actual) ** 2).mean(axis=1).argmin(axis=0)
    return np.asarray(np.take_along_axis(every, best[None, None], axis=0)[0])

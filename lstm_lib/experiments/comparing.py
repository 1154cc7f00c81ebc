"""What a table of runs says: each configuration beside a reference, paired by seed, with intervals.

Runs with one seed share weights, order of batches and, where they took turns, what else the machine had to do. So a
ratio or a difference is taken within a seed first, then over the seeds. Times count only in rows that ran alone.

An interval is a bootstrap over the seeds: BCa, or the percentiles of the resamples where BCa is not defined; where all
pairs say the same it is that number. The bootstrap knows no more than the seeds it is given: with fewer than ten or so
its intervals are too narrow, which is why `n` stands beside them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Values = npt.NDArray[np.float64]


def against(
    table: pd.DataFrame,
    reference: str = "dense",
    resamples: int = 9999,
    confidence: float = 0.95,
    seed: int = 0,
    error: str = "test_rmse",
) -> pd.DataFrame:
    """Every configuration beside the reference, on the seeds that both have.

    Parameters
    ----------
    table : from `sweep` or `Store.table`.
    reference : the name of a configuration.
    resamples, confidence, seed : of the bootstrap.
    error : the column of errors.

    Returns
    -------
    DataFrame, a row a configuration by name:

    n, timed : seeds in common; those where both runs ran alone.
    diverged : how many of the n pairs have a run without an error; with one, the errors are NaN, since the rest
        would be a choice.
    seconds : median over the timed seeds.
    time_ratio, time_low, time_high, time_method : how many times as fast as the reference, median of the ratios of
        the timed seeds; NaN where there is none, without bounds where there is one.
    predicted : what the cost model says of that, median.
    error, error_percent, error_low, error_high, error_method : mean error, and by how many percent it is above
        (below 0: below) the reference's, mean over the seeds.

    Raises ValueError for an unknown reference or column of errors, several runs with one name and seed, and fewer than
    two seeds in common.

    >>> rows = [("dense", 0, 4.0, 1.00), ("dense", 1, 6.0, 2.00), ("cut", 0, 2.0, 1.01), ("cut", 1, 2.0, 2.04)]
    >>> table = pd.DataFrame(rows, columns=["name", "seed", "seconds", "test_rmse"]).assign(alone=True)
    >>> found = against(table)
    >>> found[["n", "time_ratio", "error_percent"]].round(2)
           n  time_ratio  error_percent
    name
    dense  2         1.0            0.0
    cut    2         2.5            1.5
    """
    by_seed = _by_seed(table, reference)
    _check_columns(table, ["seconds", error])
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be above 0 and below 1, got {confidence!r}")
    dense, rows = by_seed[reference], {}
    interval = partial(_interval, seed=seed, n_resamples=resamples, confidence_level=confidence)
    for name, own in by_seed.items():
        common = own.index.intersection(dense.index)
        if len(common) < 2:
            raise ValueError(
                f"{name!r} and the reference {reference!r} have n = {len(common)} seeds in common; a comparison needs "
                f"at least 2. {name!r} has {own.index.tolist()}, {reference!r} has {dense.index.tolist()}"
            )
        here, there = own.loc[common], dense.loc[common]
        timed = _timed(here) & _timed(there)
        ratios = (there["seconds"] / here["seconds"])[timed].to_numpy("float64")
        errors, others = here[error].to_numpy("float64"), there[error].to_numpy("float64")
        lost = ~np.isfinite(errors + others)
        percent = np.full(0, np.nan) if lost.any() else 100 * (errors - others) / others
        rows[name] = {
            "n": len(common),
            "timed": int(timed.sum()),
            "diverged": int(lost.sum()),
            "seconds": here["seconds"][timed].median(),
            **interval("time", "ratio", ratios, np.median),
            "predicted": here["predicted"].astype("float64").median() if "predicted" in here else np.nan,
            "error": np.nan if lost.any() else float(errors.mean()),
            **interval("error", "percent", percent, np.mean),
        }
    return pd.DataFrame(rows.values(), index=pd.Index(rows, name="name"))


def in_words(summary: pd.DataFrame, names: Sequence[str] | None = None) -> pd.DataFrame:
    """What to print of a summary: ratio of times and difference of errors with their intervals as text.

    Parameters
    ----------
    summary : from `against` or `judged`.
    names : which of its rows; None takes all.

    Returns
    -------
    DataFrame, a row a configuration: seeds, seconds, times as fast (– where untimed), test RMSE, error above (%), and
    of a judged one the smallest difference that would have been seen (%) and the verdict.

    >>> rows = [("dense", 0, 4.0, 1.00), ("dense", 1, 6.0, 2.00), ("cut", 0, 2.0, 1.01), ("cut", 1, 2.0, 2.04)]
    >>> table = pd.DataFrame(rows, columns=["name", "seed", "seconds", "test_rmse"]).assign(alone=True)
    >>> in_words(against(table), ["cut"]).loc["cut", "times as fast"]
    '2.50 (2.00 to 3.00)'
    """
    rows = summary if names is None else summary.loc[list(names)]

    def text(value: str, what: str, form: str) -> list[str]:
        bounds = rows[[value, f"{what}_low", f"{what}_high"]].to_numpy()
        return ["–" if np.isnan(three[0]) else form.format(*three) for three in bounds]

    shown = pd.DataFrame(
        {
            "seeds": rows["n"],
            "seconds": rows["seconds"].round(1),
            "times as fast": text("time_ratio", "time", "{:.2f} ({:.2f} to {:.2f})"),
            "test RMSE": rows["error"].round(4),
            "error above, %": text("error_percent", "error", "{:+.2f} ({:+.2f} to {:+.2f})"),
        },
        rows.index,
    )
    if "verdict" not in rows:
        return shown
    return shown.assign(**{"would be seen, %": rows["detectable"].round(2), "verdict": rows["verdict"]})


def pareto(table: pd.DataFrame, error: str = "last_valid") -> pd.DataFrame:
    """Which configurations no other one beats in both time and error.

    Parameters
    ----------
    error : the column of errors; validation by default, since to pick from the front is to choose.

    Returns
    -------
    DataFrame, a row a configuration, fastest first: seconds (median), the mean error and front, on the seeds on which
    every configuration that finished ran alone. A configuration without such a seed, or that diverged, has NaN and is
    not on the front.

    Raises ValueError where the others have no timed seed in common.

    >>> columns = {"name": ["a", "b", "c"], "seed": 0, "seconds": [1.0, 2.0, 3.0], "last_valid": [3.0, 1.0, 2.0]}
    >>> pareto(pd.DataFrame(columns).assign(alone=True))["front"].to_dict()
    {'a': True, 'b': True, 'c': False}
    """
    by_seed = _by_seed(table)
    whole = [name for name, own in by_seed.items() if np.isfinite(own[error].astype("float64")).all()]
    counted = table[table["name"].isin(whole) & table["alone"].astype(bool)]
    common = counted.pivot(index="seed", columns="name", values=["seconds", error]).astype("float64").dropna()
    if common.empty:
        raise ValueError(
            "the configurations have no seed in common on which all ran alone; run sweep(..., timed=True)"
        )
    found = pd.DataFrame({"seconds": common["seconds"].median(), error: common[error].mean()})
    found = found.reindex(pd.Index(by_seed, name="name"))
    time, wrong = found["seconds"].to_numpy(), found[error].to_numpy()
    no_worse = (time[:, None] <= time) & (wrong[:, None] <= wrong)
    better = (time[:, None] < time) | (wrong[:, None] < wrong)
    found["front"] = ~(no_worse & better).any(axis=0) & np.isfinite(time)
    return found.sort_values("seconds", kind="stable")


# --------------------------------------------------------------------------------------------------------- details


def _by_seed(table: pd.DataFrame, reference: str | None = None) -> dict[str, pd.DataFrame]:
    """The runs of each configuration, by seed; refuses what can't be paired."""
    _check_columns(table, ["name", "seed"])
    names = list(dict.fromkeys(table["name"]))
    if reference is not None and reference not in names:
        raise ValueError(f"reference is {reference!r}; the table has {', '.join(map(repr, names))}")
    if (twice := table.duplicated(["name", "seed"])).any():
        name, seed = table.loc[twice, ["name", "seed"]].iloc[0]
        raise ValueError(
            f"{name!r} has several runs with seed {seed}; take the table of one sweep, or give other settings another "
            "name"
        )
    return {name: table[table["name"] == name].set_index("seed") for name in names}


def _check_columns(table: pd.DataFrame, wanted: Sequence[str]) -> None:
    if missing := [name for name in wanted if name not in table]:
        raise ValueError(f"the table has no column {', '.join(map(repr, missing))}; it has {list(table)}")


def _timed(runs: pd.DataFrame) -> pd.Series[bool]:
    """Where the time counts: the run ran alone, and to its end."""
    alone = runs["alone"].astype(bool)
    return alone & (runs["diverged"].fillna("") == "") if "diverged" in runs else alone


def _interval(
    what: str, measure: str, values: Values, statistic: Callable[..., Any], seed: int, **options: Any
) -> dict[str, Any]:
    """A statistic of values, its bounds, and how these were found: "BCa", "percentile", "all alike" or "" (none)."""
    from scipy.stats import bootstrap

    value = float(statistic(values)) if len(values) else np.nan
    low, high, how = np.nan, np.nan, ""
    if len(values) > 1 and np.ptp(values) == 0:
        low, high, how = value, value, "all alike"
    elif len(values) > 1:
        for method in ("BCa", "percentile"):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # that BCa is not defined here: the next method is taken then
                low, high = bootstrap(
                    (values,), statistic, method=method, rng=seed, **options
                ).confidence_interval
            how = method
            if np.isfinite(low + high):
                break
    bounds = {f"{what}_low": float(low), f"{what}_high": float(high), f"{what}_method": how}
    return {f"{what}_{measure}": value} | bounds

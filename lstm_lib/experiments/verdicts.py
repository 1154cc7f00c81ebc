"""What a difference of errors is worth: over seeds and over time, with a margin that was stated before.

Nouns: the days of a run are its mean squared errors by day of the test part (`test_days` of a row); a fold is a stretch
of the series (`end` of a task); the margin is how large a difference of errors has to be to matter.

A seed is another draw of weights, order and zone, a week another stretch of weather and habits: both are drawn anew
together in each resample, weeks for all seeds at once, since a hard week is hard for every network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.experiments.comparing import Values, against

MARGIN = 0.5  # per cent of the reference's error
WEEK = 7
POWER = 1.96 + 0.84  # standard errors: seen at 5 per cent, two-sided, four times out of five


def verdicts(
    table: pd.DataFrame,
    reference: str = "dense",
    margin: float = MARGIN,
    resamples: int = 4999,
    seed: int = 0,
) -> pd.DataFrame:
    """Every configuration's error beside the reference's, paired by seed and fold.

    Parameters
    ----------
    table : from `run_study`, with the columns name, seed, end and test_days; of one series, horizon and size.
    reference : the name of a configuration.
    margin : per cent; within it two errors are called equal.
    resamples, seed : of the bootstrap over seeds and, within each fold, over weeks of the test part.

    Returns
    -------
    DataFrame, a row a configuration by name, the reference's left out:

    n, folds : pairs of runs, and stretches of the series.
    error_percent, error_low, error_high : by how much the error (RMSE) is above the reference's, mean over the pairs,
        and its 95 % interval.
    p, p_holm : of no difference, two-sided, from the bootstrap; and after Holm's correction for all rows.
    detectable : the smallest difference that would have been seen, four times out of five, in per cent.
    verdict : "equal" where the 90 % interval lies within the margin (two one-sided tests at 5 %), "worse" or "better"
        where p_holm is below 0.05 and it doesn't, else "not known".

    Raises ValueError for an unknown reference, a configuration that shares fewer than two seeds with it, and runs whose
    days don't fit.

    >>> days = np.linspace(1, 2, 14)
    >>> rows = [("dense", s, 1.0, list(days * (1 + s / 50))) for s in range(4)]
    >>> rows += [("cut", s, 1.0, list(days * (1.04 + s / 50))) for s in range(4)]
    >>> found = verdicts(pd.DataFrame(rows, columns=["name", "seed", "end", "test_days"]))
    >>> found.loc["cut", ["error_percent", "verdict"]].tolist()[1]
    'worse'
    """
    from statsmodels.stats.multitest import multipletests

    names = list(dict.fromkeys(table["name"]))
    if reference not in names:
        raise ValueError(f"reference is {reference!r}; the table has {', '.join(map(repr, names))}")
    rows = {name: _beside(table, name, reference, resamples, seed) for name in names if name != reference}
    found = pd.DataFrame(rows.values(), index=pd.Index(rows, name="name"))
    if rows:
        found.insert(list(found).index("p") + 1, "p_holm", multipletests(found["p"], method="holm")[1])
        found["verdict"] = [_verdict(row, margin) for _, row in found.iterrows()]
        found = found.drop(columns=["low_90", "high_90"])
    return found


def judged(table: pd.DataFrame, reference: str = "dense", margin: float = MARGIN) -> pd.DataFrame:
    """What `against` says of times, and `verdicts` of errors, in one table; the reference's row has no verdict.

    Parameters are those of `verdicts`, and what is raised.

    >>> days = np.linspace(1, 2, 14)
    >>> rows = [("dense", s, 1.0, 4.0, 1.2, list(days * (1 + s / 50))) for s in range(4)]
    >>> rows += [("cut", s, 1.0, 2.0, 1.3, list(days * (1.04 + s / 50))) for s in range(4)]
    >>> columns = ["name", "seed", "end", "seconds", "test_rmse", "test_days"]
    >>> judged(pd.DataFrame(rows, columns=columns).assign(alone=True))[["time_ratio", "verdict"]]
           time_ratio verdict
    name
    dense         1.0
    cut           2.0   worse
    """
    errors = verdicts(table, reference, margin)
    whole = table[table["end"] == table["end"].max()]  # the stretch that is timed
    times = against(whole, reference).loc[:, :"error"]
    found = times.drop(columns="n").join(errors)
    found.loc[reference, ["n", "error_percent", "error_low", "error_high"]] = (
        times["n"][reference],
        0.0,
        0.0,
        0.0,
    )
    return found.assign(verdict=found["verdict"].fillna(""))


# --------------------------------------------------------------------------------------------------------- details


def _beside(table: pd.DataFrame, name: str, reference: str, resamples: int, seed: int) -> dict[str, Any]:
    ends = (set(table.loc[table["name"] == one, "end"]) for one in (name, reference))
    folds = [_pair(table[table["end"] == end], name, reference) for end in sorted(set.intersection(*ends))]
    seeds = min((len(ours) for ours, _ in folds), default=0)
    if seeds < 2:
        raise ValueError(f"{name!r} shares {seeds} seeds with {reference!r}; a comparison needs at least 2")
    rng = np.random.default_rng(seed)
    percent = float(np.mean([_percent(*fold, np.ones((1, fold[0].shape[1]))).mean() for fold in folds]))
    drawn = np.mean([_resampled(*fold, resamples, rng) for fold in folds], axis=0)
    low, low_90, high_90, high = np.percentile(drawn, [2.5, 5, 95, 97.5])
    beyond = 2 * min((drawn <= 0).mean(), (drawn >= 0).mean())
    return {
        "n": sum(len(ours) for ours, _ in folds), "folds": len(folds),
        "error_percent": percent, "error_low": low, "error_high": high,
        "p": float(min(1.0, max(beyond, 2 / resamples))), "detectable": float(POWER * drawn.std()),
        "low_90": low_90, "high_90": high_90,
    }  # fmt: skip


def _pair(table: pd.DataFrame, name: str, reference: str) -> tuple[Values, Values]:
    """The days of both in one fold, (seeds, days) each, for the seeds that both have."""
    ours, theirs = (table[table["name"] == one].set_index("seed")["test_days"] for one in (name, reference))
    common = ours.index.intersection(theirs.index)
    lengths = {len(days) for days in (*ours[common], *theirs[common])}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(
            f"{name!r} and {reference!r} have {sorted(lengths)} test days; they must be of one test part, and complete"
        )
    return np.array(ours[common].tolist(), "float64"), np.array(theirs[common].tolist(), "float64")


def _percent(ours: Values, theirs: Values, weights: Values) -> Values:
    """By how many per cent each seed's RMSE is above the other's, (resamples, seeds), under weights of the days."""
    return 100 * (np.sqrt((weights @ ours.T) / (weights @ theirs.T)) - 1)


def _resampled(ours: Values, theirs: Values, resamples: int, rng: np.random.Generator) -> Values:
    """The mean over seeds, (resamples,), of seeds and weeks drawn anew."""
    seeds, days = ours.shape
    week = np.arange(days) // WEEK
    weeks = rng.multinomial(week[-1] + 1, np.full(week[-1] + 1, 1 / (week[-1] + 1)), resamples)
    some = rng.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    weights = weeks[:, week].astype("float64")
    return np.asarray((_percent(ours, theirs, weights) * some).sum(axis=1))


def _verdict(row: pd.Series[Any], margin: float) -> str:
    if -margin < row["low_90"] and row["high_90"] < margin:
        return "equal"
    if row["p_holm"] < 0.05:
        return "worse" if row["error_percent"] > 0 else "better"
    return "not known"

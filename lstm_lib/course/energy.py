"""The exercises of notebooks 05 and 05b: what is said of a series, how many windows it has, how good a forecast is and
how sure, and what it depends on. The answers are those of pandas and of the package.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lstm_lib.network.losses import pinball
from lstm_lib.series.scores import metrics

from .exercise import Case, Exercise, Mistake, Problem
from .quizzes import quiz


def _correlation(case: Case) -> Problem:
    rng, lag = np.random.default_rng(case.seed), 3 if case.B > 1 else 1
    values = 5 + np.convolve(rng.normal(size=60), np.ones(4), mode="valid")
    later, before = values[lag:] - values[lag:].mean(), values[:-lag] - values[:-lag].mean()
    right = float(pd.Series(values).autocorr(lag))
    wrong = (
        Mistake("missing factor", float((later * before).mean()), "A covariance has a unit."),
        Mistake("missing factor", float((later * before).sum()), "A covariance has a unit."),
        Mistake(
            "missing term",
            float(
                values[lag:] @ values[:-lag] / np.linalg.norm(values[lag:]) / np.linalg.norm(values[:-lag])
            ),
            "The means are not taken off.",
        ),
        Mistake("off by one", float(pd.Series(values).autocorr(lag + 1)), "In the lag."),
        Mistake("squared factor", right**2),
        Mistake("formula", 1.0, "The series is compared with itself, not with itself some rows earlier."),
    )
    return Problem({"values": values, "lag": lag}, right, mistakes=wrong)


def _run(case: Case) -> Problem:
    values = np.array([3.0, 3, 3, 3, 1, 2, 2, 3, 3]) if case.B > 1 else np.array([4.0, 4, 4, 1, 1])
    right = 4 if case.B > 1 else 3
    counts = np.unique(values, return_counts=True)[1]
    wrong = (
        Mistake("off by one", right - 1, "Three steps without a change are four equal values."),
        Mistake("off by one", right + 1),
        Mistake("formula", int(counts.max()), "Equal values count only where they follow one another."),
        Mistake("formula", int((np.diff(values) == 0).sum()), "The longest run, not all of them together."),
        Mistake("formula", int((np.diff(values) == 0).sum()) + 1, "A change begins a new run."),
        Mistake("formula", len(values), "That is the whole series."),
    )
    return Problem({"values": values}, right, mistakes=wrong)


def _windows(case: Case) -> Problem:
    rows, lookback, horizon = (100, 72, 24) if case.B > 1 else (50, 10, 1)
    right = rows - lookback - horizon + 1
    wrong = (
        Mistake("off by one", right - 1, "How many are there in just enough rows for one?"),
        Mistake("off by one", right + 1, "How many are there in just enough rows for one?"),
        Mistake("missing term", rows - lookback + 1, "A window is also compared with something."),
        Mistake("missing term", rows - lookback, "A window is also compared with something."),
        Mistake("formula", rows // (lookback + horizon), "Windows may overlap."),
        Mistake("formula", rows),
    )
    return Problem({"rows": rows, "lookback": lookback, "horizon": horizon}, right, mistakes=wrong)


def _skill(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed)
    y = rng.normal(5, 1, size=(20, case.H))
    yhat, naive = y + rng.normal(0, 0.4, y.shape), y + rng.normal(0, 1, y.shape)
    rmse, other = (np.sqrt(np.mean((f - y) ** 2)) for f in (yhat, naive))
    mae, mae_other = (np.mean(np.abs(f - y)) for f in (yhat, naive))
    wrong = (
        Mistake("formula", rmse / other, "1 is to be perfect, 0 no better than the naive forecast."),
        Mistake("inverse", 1 - other / rmse, "Which error is compared with which?"),
        Mistake("formula", 1 - (rmse / other) ** 2, "Of the RMSE, not of its square."),
        Mistake("formula", 1 - mae / mae_other, "Of the RMSE, not of the MAE."),
        Mistake("missing factor", other - rmse, "A share of the naive error is asked for."),
        Mistake("sign", rmse / other - 1),
        Mistake("formula", rmse, "That is the error itself."),
    )
    return Problem({"y": y, "yhat": yhat, "naive": naive}, metrics(y, yhat, naive)["skill"], mistakes=wrong)


def _margin(case: Case) -> Problem:
    rng = np.random.default_rng(case.seed + 10)
    n, level = (39, 0.9) if case.B > 1 else (19, 0.8)
    scores = rng.permutation(np.round(rng.gamma(2.0, size=n) + 0.01 * np.arange(n), 3))
    ranked = np.sort(scores)
    k = int(np.ceil((n + 1) * level))
    wrong = (
        Mistake("off by one", float(ranked[k]), "The smallest score is number 1, at index 0."),
        Mistake(
            "off by one",
            float(ranked[k - 2]),
            "n + 1 hours are ranked: the n of the validation part and the new one.",
        ),
        Mistake("formula", float(np.sort(scores)[::-1][k - 1]), "The smallest first."),
        Mistake("formula", float(scores[k - 1]), "The scores have to be ranked first."),
        Mistake("formula", float(scores.max()), "That holds every hour that was seen."),
        Mistake("formula", float(np.sort(scores)[n - k]), "Of the share inside, not of the share outside."),
    )
    return Problem({"scores": scores, "level": level}, float(ranked[k - 1]), mistakes=wrong)


def _pinball(case: Case) -> Problem:
    rng, tau = np.random.default_rng(case.seed), 0.9
    y, yhat = rng.normal(size=(case.B, 1)), rng.normal(size=(case.B, case.H))
    yhat[0, :2] = y[0, 0] + 1, y[0, 0] - 1
    right, above = pinball(yhat, np.repeat(y, case.H, axis=1), levels=(tau,))[1], yhat > y
    y = np.repeat(y, case.H, axis=1)
    wrong = (
        Mistake("sign", -right, "The derivative with respect to yhat, not to y."),
        Mistake("missing factor", right * right.size, "The loss is a mean over all entries."),
        Mistake("formula", (above - (1 - tau)) / right.size, "What lies below y costs tau a unit."),
        Mistake("formula", right * (yhat - y), "That is the loss; its slope doesn't grow with the distance."),
        Mistake("formula", ((yhat < y) - tau) / right.size, "On which side is yhat too high?"),
        Mistake("missing term", above / right.size, "What lies below y costs something, too."),
    )
    return Problem({"yhat": yhat, "y": y, "tau": tau}, right, mistakes=wrong)


def _exchanged(case: Case) -> Problem:
    x, order = np.random.default_rng(case.seed).normal(size=(5, 4, 3)), np.array([2, 0, 3, 4, 1])
    d = min(1, case.B - 1)

    def like(column: np.ndarray, into: np.ndarray = x) -> np.ndarray:
        mixed = into.copy()
        mixed[..., d] = column
        return mixed

    wrong = (
        Mistake("formula", x[order], "The other columns stay with their windows."),
        Mistake(
            "formula", like(x[..., d], x[order]), "Only the column d is exchanged; here all others were."
        ),
        Mistake(
            "formula", like(x[:, ::-1, d]), "Among the windows; the hours of a window stay in their order."
        ),
        Mistake("missing term", x, "Nothing was exchanged."),
        Mistake("formula", like(x[np.argsort(order), :, d]), "Window k gets the column of window order[k]."),
        Mistake(
            "off by one",
            np.roll(like(np.roll(x, -1, 2)[order, :, d], np.roll(x, -1, 2)), 1, 2),
            "In the column.",
        ),
    )
    return Problem({"x": x, "d": d, "order": order}, like(x[order, :, d]), mistakes=wrong)


EXERCISES = (
    Exercise(
        "05.autocorrelation",
        "the correlation of a series with itself some rows earlier",
        "its definition in section 2",
        "Two pieces of the same series, one without its first rows and one without its last.",
        _correlation,
        ("values", "lag"),
    ),
    Exercise(
        "05.longest_run",
        "how many equal values follow one another at most",
        "the rule `frozen` in section 3",
        "A loop with a counter that goes back to 1 at every change.",
        _run,
        ("values",),
    ),
    Exercise(
        "05.windows",
        "how many windows there are in a stretch without gaps",
        "the words of section 5",
        "The first window begins at row 0; where does the last one begin?",
        _windows,
        ("rows", "lookback", "horizon"),
    ),
    quiz(
        "05.quiz_random",
        "which windows to keep for the test",
        "b",
        {
            "a": "A window that begins an hour later is nearly the same window.",
            "c": "Then one would know the future of the test windows.",
        },
        "section 5",
        "What will be known when the forecast is used?",
    ),
    Exercise(
        "05.skill",
        "the share of a naive forecast's RMSE that is taken away",
        "its definition in section 6",
        "One minus a ratio of two errors.",
        _skill,
        ("y", "yhat", "naive"),
    ),
    Exercise(
        "05.margin",
        "the margin of a split-conformal interval",
        "its definition in section 2 of notebook 05b",
        "Rank the scores; which of them is it, counted from 1? And in Python, from 0?",
        _margin,
        ("scores", "level"),
    ),
    Exercise(
        "05.d_pinball",
        "the derivative of the mean pinball loss",
        "the loss in section 4 of notebook 05b",
        "Two straight lines meet at yhat = y: what is the slope of each?",
        _pinball,
        ("yhat", "y", "tau"),
    ),
    quiz(
        "05.quiz_test",
        "what a large p says",
        "c",
        {
            "a": "Of equal forecasts a test finds small values seldom; it never shows that they are equal.",
            "b": "p is no probability that one of them is better.",
        },
        "section 5 of notebook 05b",
        "What would a longer test part have to bring?",
    ),
    Exercise(
        "05.exchanged",
        "windows of which one column is exchanged",
        "the words above it, in section 7 of notebook 05b",
        "x[order] are the windows in another order; how much of them is taken?",
        _exchanged,
        ("x", "d", "order"),
    ),
)

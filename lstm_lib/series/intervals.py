"""Intervals: how far a forecast may be off, told by how far it was off on hours that it did not learn from.

Nouns: a score says how far outside a forecast an hour fell, |y - yhat| (of two quantiles the larger of low - y and
y - high); scores are taken for each step ahead by itself. The margin is what is added on both sides. Two ways:

- split-conformal (Vovk et al. 2005; Lei et al. 2018): the margin is the ⌈(n + 1) level⌉-th smallest of n validation
  scores. If test hours were exchangeable with these, it would hold at least `level` of them. Seasons make them differ.
- adaptive (Gibbs and Candès 2021): after every hour whose truth is known, the share α that may lie outside is moved
  by rate (1 - level - missed), and the margin is taken from the newest n scores: what is missed widens the next one.

Letters: n scores, N windows, O target values a window.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lib.series.clock import Mask, Values
from lstm_lib.series.refusal import SeriesError

RATE = 0.02  # of the adaptive way: after one miss at 90 % α falls from 0.1 to 0.082


def check_level(level: float) -> float:
    """Return a share between 0 and 1; SeriesError for another."""
    if not isinstance(level, int | float | np.number) or isinstance(level, bool) or not 0 < level < 1:
        raise SeriesError(
            f"level={level!r} was given; it is the share of hours that an interval should hold, such as 0.9."
        )
    return float(level)


def margins(scores: npt.ArrayLike, level: float) -> Values:
    """The split-conformal margin of each column.

    Parameters
    ----------
    scores : (n, O), of hours that were not trained on. level : between 0 and 1.

    Returns
    -------
    (O,), in the unit of the scores.

    Raises SeriesError for fewer scores than the level needs, n < level / (1 - level).

    >>> margins(np.arange(1.0, 100)[:, None], 0.9)
    array([90.])
    """
    scores, level = np.sort(np.asarray(scores, np.float64), axis=0), check_level(level)
    n = len(scores)
    k = _rank(n, 1 - level)
    if k > n:
        least = int(np.ceil(level / (1 - level) - 1e-6))
        raise SeriesError(
            f"level={level} needs at least {least} windows that were not trained on, and the validation part has {n}; "
            "give a lower level, or a larger share in split=."
        )
    return np.asarray(scores[k - 1])


def adaptive_margins(
    calibrated: npt.ArrayLike,
    scores: npt.ArrayLike,
    delay: npt.ArrayLike,
    level: float,
    rate: float = RATE,
) -> Values:
    """The margins of windows in order of time, each from what was known when its forecast was made.

    Parameters
    ----------
    calibrated : (n, O), scores of the validation part in order of time.
    scores : (N, O), those of the windows; each is used for later ones alone, a missing one for none.
    delay : (O,), how many windows later a score is known: as many as steps ahead, where there is one at every step.
    level : between 0 and 1. rate : γ of the paper.

    Returns
    -------
    (N, O). Where α falls to 0 or below, the paper's interval is the whole line; here it is the largest score known.

    Scores that stay as they were leave the margin as it was; an hour that is missed widens the next ones:

    >>> before, now = np.arange(1.0, 100)[:, None], np.array([[0.0], [1000.0], [0.0], [0.0]])
    >>> adaptive_margins(before, now, [1], 0.9, rate=0.05).ravel().round().tolist()
    [90.0, 90.0, 95.0, 95.0]
    """
    calibrated, scores = np.asarray(calibrated, np.float64), np.asarray(scores, np.float64)
    out, wait = np.empty_like(scores), np.broadcast_to(np.asarray(delay), scores.shape[1:])
    margins(calibrated, level)  # refuses too few
    for o in range(scores.shape[1]):
        newest, known, alpha = calibrated[:, o].tolist(), sorted(calibrated[:, o].tolist()), 1 - level
        for t in range(len(scores)):
            seen = t - int(wait[o])
            if seen >= 0 and not np.isnan(scores[seen, o]):
                alpha += rate * (1 - level - float(scores[seen, o] > out[seen, o]))
                newest.append(float(scores[seen, o]))
                insort(known, newest[-1])
                del known[bisect_left(known, newest.pop(0))]
            out[t, o] = known[min(max(_rank(len(known), alpha), 1), len(known)) - 1]
    return out


class Intervals(NamedTuple):
    """Of N windows: which values lie inside, and how wide the intervals are, (N, O); of both ways."""

    inside: Mask
    width: Values
    adaptive_inside: Mask
    adaptive_width: Values


def scores_of(bounds: tuple[Values, Values], actual: Values) -> Values:
    """How far outside its bounds each value fell, below 0 inside; of a point forecast both bounds are the forecast.

    >>> scores_of((np.array([1.0, 1.0]), np.array([2.0, 2.0])), np.array([4.0, 1.5]))
    array([ 2. , -0.5])
    """
    low, high = bounds
    return np.asarray(np.maximum(low - actual, actual - high))


def intervals(
    before: tuple[Values, Values] | None,
    valid: Values,
    bounds: tuple[Values, Values],
    actual: Values,
    ahead: npt.ArrayLike,
    level: float,
) -> Intervals:
    """The intervals of a forecast in both ways, held against what came.

    Parameters
    ----------
    before, valid : bounds and values of the validation part, (n, O); rows where a bound is missing are left out.
    bounds, actual : those of the windows, (N, O). ahead : (O,), steps.
    """
    assert before is not None
    known = scores_of(before, valid)
    known = known[~np.isnan(known).any(axis=1)]
    scores, between = scores_of(bounds, actual), bounds[1] - bounds[0]
    fixed = np.broadcast_to(margins(known, level), scores.shape)
    moved = adaptive_margins(known, scores, ahead, level)
    wide, adaptive = (np.maximum(between + 2 * margin, 0) for margin in (fixed, moved))
    return Intervals(scores <= fixed, wide, scores <= moved, adaptive)


def _rank(n: int, alpha: float) -> int:
    """Which of n scores, the smallest first, holds all but a share alpha of new ones: ⌈(n + 1)(1 - α)⌉."""
    return int(np.ceil(round((n + 1) * (1 - alpha), 9)))

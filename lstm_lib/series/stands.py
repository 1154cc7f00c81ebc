"""Values that mean something else than they say: numbers that stand for "missing", and readings of a meter.

A *mark* is a number such as -9999 that a logger writes where it measured nothing; it lies far from all that the column
measures otherwise. A *meter* counts on: its readings never fall, but where it is exchanged or
set back, and what was consumed is their difference. One that counts down, as a credit does, is the same turned around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from lstm_lib.series.clock import Values

# What programs write for "missing": nothing but nines, or sevens, or eights, or ended by nines; what a thermometer says
# without its cable; the ends of the whole numbers of a type, as tenths and hundredths too; and the absurdly large.
_CODES = re.compile(r"-?(9{2,}(\.0)?|9{2,}\.9+|9\.9{2,}|([67]9{3}|7{3,}|8{3,})(\.0)?|88\.8+)|-127\.0")
_ENDS = {-(2.0**b) for b in (15, 31, 63)} | {2.0**b - 1 for b in (15, 16, 31, 32, 63, 64)}
_ENDS |= {end / part for end in (-(2.0**15), 2.0**15 - 1, 2.0**16 - 1) for part in (10, 100)}
_ABSURD = 1e9
_UP, _DAY = 8, 0.75  # steps up and days that energy which never falls needs to be taken for a meter
_LONG, _FAR = 48, 50  # rows that never fall, of a meter; times the usual step, that no consumption is
_REPEATED = 20  # different values that a column needs before a number that is no known mark is taken for one


def marks(values: Values, far: float) -> list[float]:
    """The numbers in a column that stand for "missing".

    Parameters
    ----------
    values : (n,), NaN where a value is missing already.
    far : how far a known mark (nines, the end of a type) has to lie from all other values, in ranges of these. Any
        other number has to be negative, repeat, and lie ten times as far; or, whole and alone below zero such as -1,
        stand beside values that are not small.

    >>> marks(np.array([10.0, 12.0, -9999.0, 11.0, 9.9, -9999.0]), 0.5)
    [-9999.0]
    """
    different, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if len(different) < 3:  # one value alone tells no range
        return [v for v in different.tolist() if len(different) == 2 and v <= -999 and _known(v)]
    low, high = (int(len(different) * share) for share in (0.25, 0.75))
    wide = different[min(high, len(different) - 1)] - different[low]
    borders = np.flatnonzero(np.diff(different) > far * wide)  # far from its neighbour: seldom any
    first = int(borders[borders < low].max(initial=-1)) + 1
    last = int(borders[borders >= high].min(initial=len(different) - 1))
    while first < last and different[first] < 0 and _known(different[first]):
        first += 1  # such as -99 below 0 ... 900
    outside = [*range(first), *range(last + 1, len(different))]
    if not first and different[0] < 0 <= different[1] and not _known(different[0]):
        outside, first = [0, *outside], 1
    # what is no mark belongs to the column, and widens what the others are judged by
    usual = np.append(
        different[first : last + 1], [different[k] for k in outside if not _known(different[k])]
    )
    found = []
    for k in outside:
        value = float(different[k])
        rest = usual[usual != value]
        away, width = max(rest.min() - value, value - rest.max()), rest.max() - rest.min()
        alone = value < 0 and rest.min() >= value / 10  # nothing else is below zero, or hardly
        if _known(value):
            apart = value < 0 or value > 1.5 * rest.max()  # 99 among 90 ... 98 is measured
            taken = alone or (apart and away > far * width)
        else:
            taken = alone and counts[k] > 1 and len(rest) > _REPEATED
            taken = taken and (away > 10 * far * width or (value % 1 == 0 and _from_anywhere(values, value)))
        if taken:
            found.append(value)
    return found


def _from_anywhere(values: Values, value: float) -> bool:
    """Whether runs of a number begin and end beside values that are not among the smallest of the others."""
    hit, known = values == value, ~np.isnan(values)
    beside = np.concatenate([values[:-1][hit[1:] & ~hit[:-1]], values[1:][hit[:-1] & ~hit[1:]]])
    beside = beside[~np.isnan(beside)]
    return len(beside) > 3 and bool(np.median(beside) > np.quantile(values[known & ~hit], 0.25))


def _known(value: float) -> bool:
    """Whether programs write this number for "missing".

    >>> [_known(v) for v in (-9999.0, 99.9, -9.9, 65535.0, 3276.7, 1e20, 500.0)]
    [True, True, False, True, True, True, False]
    """
    return bool(_CODES.fullmatch(f"{value!s}")) or value in _ENDS or abs(value) >= _ABSURD


def counts_down(values: Values) -> bool:
    """Whether readings mostly fall, as those of a credit do."""
    steps = np.diff(values[~np.isnan(values)])
    return int((steps < 0).sum()) > int((steps > 0).sum())


def _upwards(values: Values) -> Values:
    """Readings as those of a meter that counts up from 0, if they count down."""
    return np.nanmax(values) - values if counts_down(values) else values


def falls_of(values: Values, least: int = 24) -> tuple[int, int] | None:
    """How often a column of readings goes on and back; None if it does not read like a meter.

    A meter falls when it is exchanged or set back: to less than a fifth, or in one row of 500 to anything. What goes up
    by the same amount at every step, or at steps as far apart as days or years are, counts rows or is a calendar.

    least : steps on, at least.

    >>> falls_of(np.array([5.0, 6, 6, 8, 9, 10, 0, 1, 1.5] * 8)), falls_of(np.arange(50.0))
    ((55, 8), None)
    """
    known = _upwards(values)[~np.isnan(values)]
    steps = np.diff(known)
    up, down = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)
    if len(up) < least or len(down) > len(up) / 5:
        return None
    odd = (known[down + 1] < 0) | (known[down + 1] > known[down] / 5)
    if odd.sum() > max(1, len(known) // 500):
        return None
    if np.allclose(steps[up], steps[up[0]], rtol=1e-6) and len(np.unique(np.diff(up))) <= 3:
        return None
    return len(up), len(down)


def is_meter(values: Values, rows_a_day: float, energy: bool, limits: Mapping[str, float]) -> bool:
    """Whether a column reads like a meter: for long enough, or it is energy that never falls.

    Of energy a few hours are enough where it hardly changes; and a day where it goes up by steps now large, now small,
    since a trend has smooth ones, and what is consumed in an hour falls within a day; and days without a fall.

    >>> is_meter(np.cumsum([0, 0.2, 0.1, 0.4, 0.1, 0.3, 0.1, 0.2, 0.1, 0.5]), 12, True, {"meter_days": 3})
    True
    """
    long = len(values) >= limits["meter_days"] * rows_a_day
    if long and falls_of(values) is not None:
        return True
    steps = np.diff(_upwards(values)[~np.isnan(values)])
    up = steps[steps > 0]
    if not energy or len(up) < _UP or (steps < 0).any():
        return False
    if falls_of(values) is not None and np.nanmax(values) < 1.02 * np.nanmin(values):
        return True
    if long and len(values) >= _LONG and falls_of(values, _UP) is not None:
        return True
    bends = np.diff(up)
    turns = np.diff(np.sign(bends[bends != 0])) != 0
    return bool(len(values) >= _DAY * rows_a_day and len(turns) > 2 and turns.mean() > 0.25)


def differences(values: Values) -> tuple[Values, int]:
    """What was counted from each reading to the next, (n,), the last NaN; and how many steps were left out.

    A step down is missing: there the meter was exchanged or set back. So is a step up that takes back more than half of
    a step down, or that a step down takes back: the readings between were none. Of one that counts down, the reverse.

    >>> differences(np.array([5.0, 7, 0, 8, 9]))
    (array([ 2., nan, nan,  1., nan]), 2)
    """
    values = _upwards(values)
    steps = np.append(np.diff(values), np.nan)
    left = steps < 0
    far = _FAR * float(np.median(steps[steps > 0])) if (steps > 0).any() else np.inf
    for row in np.flatnonzero(left):
        ahead = row + 1 + np.flatnonzero((steps[row + 1 :] > -steps[row] / 2) & ~left[row + 1 :])
        if len(ahead) and values[ahead[0] + 1] >= values[row]:
            left[ahead[0]] = True
        for before in np.flatnonzero(steps[:row] > max(far, -steps[row] / 2))[-1:]:
            if 0 <= values[row + 1] - values[before] < steps[before] / 10:
                left[before] = True
    return np.where(left, np.nan, steps), int(left.sum())

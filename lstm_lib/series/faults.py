"""What looks wrong in a series: one rule for each kind of fault, and the findings that they make.

A `Finding` is a run of rows of one or more columns, with its size and the rule that found it, in words and with the
numbers that it was judged by (`LIMITS`, in `judging`). A finding is a question, not a verdict: a sensor may stand
still, a building may really be switched off; and what a column shows again and again at the same time of its day is how
it is. `RULES` is the table: a kind, the function that finds it, and whether cleaning may make its values missing.
Adding a rule is a function and a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Mask, changes, runs
from lstm_lib.series.findings import Finding
from lstm_lib.series.judging import DAY, HOUR, POWER, Look
from lstm_lib.series.stands import counts_down, falls_of


def _missing(look: Look) -> dict[tuple[int, int], tuple[str, ...]]:
    """The runs of missing values, and the columns that share each."""
    shared: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name in look.frame:
        for run in runs(look.frame[name].isna().to_numpy()):
            shared[run].append(str(name))
    return {run: tuple(names) for run, names in sorted(shared.items())}


def gap(look: Look) -> Iterator[Finding]:
    """Missing values."""
    for (begin, end), names in _missing(look).items():
        yield Finding("gap", names, begin, end, f"{look.lasting(end - begin)} missing", "no value")


def duplicate(look: Look) -> Iterator[Finding]:
    """All columns equal those of a day or a week before, for longer than they equal those of any other hour."""
    values = look.frame.to_numpy()
    names = tuple(map(str, look.frame))

    def same(lag: int) -> Mask:
        found = np.zeros(len(values), bool)
        if 1 <= lag < len(values):
            found[lag:] = (values[lag:] == values[:-lag]).all(axis=1)
        return found

    still, taken = same(1), np.zeros(len(values), bool)
    for name, period in (("a day", DAY), ("a week", 7 * DAY)):
        lag = period // look.step
        if period % look.step or lag < 8 or lag >= len(values):
            continue
        others = [same(lag + k) & ~still for k in (-3, -2, -1, 1, 2, 3)]
        chance = max((end - begin for other in others for begin, end in runs(other)), default=0)
        least = max(int(look.limits["copied_rows"]), chance + 2)
        for begin, end in runs(same(lag) & ~still & ~taken):
            if end - begin >= least:
                taken[begin:end] = True
                rule = (
                    f"all columns equal {name} before, {least} rows or more (at other hours {chance} at most)"
                )
                yield Finding("duplicate", names, begin, end, f"{look.lasting(end - begin)} copied", rule)


def clock_change(look: Look) -> Iterator[Finding]:
    """Values missing, or the same hour twice, just where the clocks change in the series' local time."""
    index, values = look.frame.index, look.frame.to_numpy()
    missing = _missing(look)
    for at, by in changes(index[0], index[-1], look.timezone):
        row, hour = int(index.searchsorted(at)), max(1, abs(by) // look.step)
        put = f"clocks in {look.timezone} are put {'back' if by < pd.Timedelta(0) else 'on'} at {at:%Y-%m-%d %H:%M} UTC"
        for (begin, end), names in missing.items():
            if begin < row + hour and end > row - hour and (end - begin) * look.step <= 3 * HOUR:
                rule = f"missing for 3 h or less where {put}"
                yield Finding("clock change", names, begin, end, f"{look.lasting(end - begin)} missing", rule)
        before, after = values[max(row - hour, 0) : row], values[row : row + hour]
        if by < pd.Timedelta(0) and before.size > 1 and np.array_equal(before, after):
            rule = f"the hours before and after are the same where {put}"
            yield Finding("clock change", tuple(map(str, look.frame)), row, row + hour, "1 hour copied", rule)


def frozen(look: Look) -> Iterator[Finding]:
    """A value other than 0 that does not move, at times of day at which it usually does."""
    least = max(3, int(np.ceil(look.limits["frozen_hours"] * HOUR / look.step)))
    days = np.bincount(look.times_of_day)
    for name, values, unit in look.columns():
        still = np.append(False, values[1:] == values[:-1])  # NaN differs from itself
        stands = [(first - 1, end) for first, end in runs(still)]
        stands = [(begin, end) for begin, end in stands if end - begin >= least and values[begin] != 0]
        often = np.zeros(len(days), dtype=np.int64)  # how many of them each time of day has seen
        for begin, end in stands:
            often[np.unique(look.times_of_day[begin:end])] += 1
        unusual = often <= np.maximum(1, look.limits["frozen_days"] * days)
        for begin, end in stands:
            if unusual[look.times_of_day[begin:end]].sum() >= least:
                rule = (
                    f"the same value, other than 0, for {look.limits['frozen_hours']:g} h or more at times of day when "
                    f"it moves on more than {1 - look.limits['frozen_days']:.0%} of the days"
                )
                size = f"{look.lasting(end - begin)} at {values[begin]:g} {unit}".strip()
                yield Finding("frozen", (name,), begin, end, size, rule)


def spike(look: Look) -> Iterator[Finding]:
    """A single value far from both of its neighbours."""
    for name, values, unit in look.columns():
        left, right = np.diff(values)[:-1], -np.diff(values)[1:]
        # how far each value is from the nearer of its two neighbours, if it lies above both or below both
        out = np.pad(np.where(left * right > 0, np.minimum(abs(left), abs(right)), 0), 1)
        usual = max(5, len(out) // 100)  # so many stand out further; 5, or in a short series no spike would
        limit = look.limits["spike"] * float(np.sort(out)[-usual - 1]) if len(out) > usual else 0.0
        for row in np.flatnonzero(out > limit) if limit > 0 else ():
            size = f"{values[row]:g} between {values[row - 1]:g} and {values[row + 1]:g} {unit}".strip()
            usually = f"{look.limits['spike']:g} x what all but {usual} values stay within"
            rule = f"more than {limit:.3g} from both neighbours: {usually}"
            yield Finding("spike", (name,), int(row), int(row) + 1, size, rule)


def jump(look: Look) -> Iterator[Finding]:
    """A step between neighbours that is far above the usual one, and no spike."""
    spikes = {(f.columns[0], f.begin + k) for f in spike(look) for k in (0, 1)}
    for name, values, unit in look.columns():
        steps = pd.Series(values).diff().abs()
        limit = look.limits["jump"] * float(steps.mean())
        rows = np.flatnonzero(steps > limit)
        for row in rows if len(rows) <= look.limits["jump_share"] * len(values) else ():
            if (name, int(row)) not in spikes:
                size = f"{values[row - 1]:g} to {values[row]:g} {unit}".strip()
                rule = f"a step of more than {limit:.3g}: {look.limits['jump']:g} x the mean step"
                yield Finding("jump", (name,), int(row), int(row) + 1, size, rule)


def _but_a_few(values: pd.Series[float], share: float) -> float:
    """What all values but this share of them, or a single one, are at least."""
    known = np.sort(values.dropna().to_numpy())
    return float(known[min(max(1, int(share * (len(known) - 1))), len(known) - 1)]) if len(known) else np.nan


def outage(look: Look) -> Iterator[Finding]:
    """Power or energy that all but stops, at times of day at which it seldom does."""
    least = max(1, int(np.ceil(look.limits["outage_hours"] * HOUR / look.step)))
    share, seldom = look.limits["outage_share"], look.limits["outage_days"]
    for name, values, unit in look.columns():
        if unit not in POWER:
            continue
        usual = pd.Series(values).groupby(look.times_of_day)
        most, few = usual.median().to_numpy(), usual.agg(_but_a_few, share=seldom).to_numpy()
        # a night between two low hours belongs to the outage: off as well, but that it is off is usual
        quiet = values < share * np.nanmax(most)
        on = np.nanmedian(values[~quiet]) if np.nanmax(most) > 0 else 0.0
        limits = np.minimum(share * np.minimum(most, on), few / 2)  # half of what all but a few days have
        limit = limits[look.times_of_day]
        low = (values < limit) & (limit > 0)
        for begin, end in runs(quiet | low):
            at = begin + np.flatnonzero(low[begin:end])
            if len(at) >= least:
                first, last = int(at[0]), int(at[-1])
                rule = (
                    f"below {share:.0%} of the median of its time of day and of all hours that are on (here "
                    f"{limit[first]:.3g} {unit}), where it is that low on {seldom:.0%} of the days at most"
                )
                size = f"{look.lasting(last + 1 - first)}, down to {values[first : last + 1].min():g} {unit}"
                yield Finding("outage", (name,), first, last + 1, size, rule)


def regime(look: Look) -> Iterator[Finding]:
    """The largest lasting change of the level, season taken out; it takes two years to know a season."""
    weeks = (look.frame.index - look.frame.index[0]) // (7 * DAY)
    if len(look.frame) * look.step < 730 * DAY:
        return
    per_week, least = 7 * DAY / look.step, int(look.limits["regime_weeks"])
    for name, values, unit in look.columns():
        grouped = pd.Series(values).groupby(weeks)
        level = grouped.mean().where(grouped.count() >= 0.5 * per_week)
        season = level.groupby(level.index % 52).transform("median")  # 52 weeks: a day short of a year
        rest = (level - season).dropna()
        if len(rest) < 2 * least:
            continue
        total, n = rest.to_numpy(), len(rest)
        k = np.arange(least, n - least + 1)
        ahead = np.cumsum(total)[k - 1]
        shift = (total.sum() - ahead) / (n - k) - ahead / k
        noise = float(np.median(np.abs(total - np.median(total)))) * 1.4826
        errors = np.abs(shift) / (max(noise, 1e-300) * np.sqrt(1 / k + 1 / (n - k)))
        best = int(errors.argmax())
        enough = look.limits["regime_share"] * abs(float(np.nanmean(values)))
        if errors[best] > look.limits["regime_errors"] and abs(shift[best]) > enough > 0:
            begin = int(np.searchsorted(weeks, rest.index[k[best]]))
            rule = (
                f"weekly means, season taken out, differ by more than {enough:.3g} and "
                f"{look.limits['regime_errors']:g} standard errors"
            )
            size = f"{shift[best]:+.3g} {unit} from here on".replace("  ", " ")
            yield Finding("regime", (name,), begin, len(values), size, rule)


def sentinel(look: Look) -> Iterator[Finding]:
    """A number that stands for "missing", such as -9999."""
    for name, numbers in look.marks.items():
        values, unit = look.frame[name].to_numpy(), look.units.get(name, "")
        for number in numbers:
            rows = np.flatnonzero(values == number)
            rest = values[~np.isin(values, numbers)]
            rule = (
                f"far from all other values, {np.nanmin(rest):g} to {np.nanmax(rest):g}: more than "
                f"{look.limits['mark']:g} x their range, or alone below zero"
            )
            size = f"{number:g} {unit}".strip() + f", {len(rows)} times"
            at = tuple(rows.tolist())
            yield Finding("sentinel", (name,), at[0], at[-1] + 1, size, rule, at)


def meter(look: Look) -> Iterator[Finding]:
    """Readings of a meter, whose differences are what was consumed."""
    for name, values, unit in look.columns():
        if look.meter(name):
            up, down = falls_of(values) or (0, 0)
            known = values[~np.isnan(values)]
            size = f"{known[0]:.10g} to {known[-1]:.10g} {unit}".strip()
            on, back = ("down", "up") if counts_down(values) else ("up", "down")
            rule = (
                f"reads like a meter: {on} {up} times, {back} {down} times, in {look.limits['meter_days']:g} days or "
                f"more; consumption({name!r}) takes the differences"
            )
            yield Finding("meter", (name,), 0, len(values), size, rule)


@dataclass(frozen=True)
class Rule:
    """How a kind of fault is found, and why cleaning leaves it alone (empty: it makes the values missing)."""

    find: Callable[[Look], Iterator[Finding]]
    kept: str = ""


RULES: Mapping[str, Rule] = {
    "gap": Rule(gap, "the values are missing already, and windows leave them out"),
    "duplicate": Rule(duplicate),
    "clock change": Rule(clock_change),
    "sentinel": Rule(sentinel),
    "meter": Rule(meter, "the readings are right; consumption('its column') takes their differences"),
    "frozen": Rule(frozen),
    "spike": Rule(spike),
    "jump": Rule(jump, "which side of the step is wrong, if any, is not known"),
    "outage": Rule(outage),
    "regime": Rule(
        regime, "the values are right; let the split or the folds show what it does to a forecast"
    ),
}


def find(look: Look, kinds: Iterable[str] = RULES) -> list[Finding]:
    """All findings of these kinds, in order of time."""
    order = list(RULES)
    found = [finding for kind in kinds for finding in RULES[kind].find(look)]
    return sorted(found, key=lambda f: (f.begin, order.index(f.kind), f.columns))

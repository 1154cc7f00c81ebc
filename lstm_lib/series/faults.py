"""What looks wrong in a series: one rule for each kind of fault, and the findings that they make.

A `Finding` is a run of rows of one or more columns, with its size and the rule that found it, in words and with the
numbers that it was judged by. A finding is a question, not a verdict: a sensor may stand still, a building may
really be switched off. `LIMITS` are the numbers of the rules. `RULES` is the table: a kind, the function that
finds it, and whether cleaning may make its values missing. Adding a rule is a function and a row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Mask, Values, changes, runs
from lstm_lib.series.refusal import SeriesError, choose, listed
from lstm_lib.series.stands import falls_of, is_meter, marks

HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
ENERGY = re.compile(r"[kMGT]?(Wh|J)(/.*)?")  # an amount a period: added up
POWER = ("W", "kW", "MW", "GW", "Wh", "kWh", "MWh", "GWh", "J", "kJ", "MJ", "GJ")


@dataclass(frozen=True)
class Finding:
    """Rows `begin` ... `end - 1` of `columns`, or some of them (`at`), look like a fault of this `kind`."""

    kind: str
    columns: tuple[str, ...]
    begin: int
    end: int
    size: str
    rule: str
    at: tuple[int, ...] = ()

    @property
    def rows(self) -> list[int]:
        """The rows that it is about."""
        return list(self.at or range(self.begin, self.end))


@dataclass(frozen=True)
class Look:
    """What the rules look at: the measured columns (n, K), and what is known of them."""

    frame: pd.DataFrame
    step: pd.Timedelta
    timezone: str
    units: Mapping[str, str]
    limits: Mapping[str, float]

    def lasting(self, rows: int) -> str:
        """How long so many rows last, in words."""
        return f"{rows * self.step / HOUR:g} h"

    @cached_property
    def marks(self) -> Mapping[str, list[float]]:
        """The numbers that stand for "missing", of the columns that have some."""
        found = {
            str(name): marks(values.to_numpy(), self.limits["mark"]) for name, values in self.frame.items()
        }
        return {name: numbers for name, numbers in found.items() if numbers}

    def meter(self, name: str) -> bool:
        """Whether a column reads like a meter."""
        energy = ENERGY.fullmatch(self.units.get(name, "")) is not None
        return is_meter(self.frame[name].to_numpy(), DAY / self.step, energy, self.limits)

    def columns(self) -> Iterator[tuple[str, Values, str]]:
        """Name, values and unit of each column that has a value; what stands for "missing" is missing."""
        for name in self.frame:
            values = self.frame[name].to_numpy()
            for number in self.marks.get(str(name), ()):
                stands = values == number
                if stands.sum() > 1:  # a single one is a spike as well
                    values = np.where(stands, np.nan, values)
            if not np.isnan(values).all():
                yield str(name), values, self.units.get(str(name), "")


# The numbers that the rules judge by; `check` and `clean` take others by these names.
LIMITS: Mapping[str, float] = {
    "copied_rows": 3,  # rows that repeat an earlier day, at least
    "frozen_hours": 8,  # a value other than 0 that stays the same for this long, at least
    "spike": 10,  # times how far single values stand out, but for one in a hundred
    "jump": 15,  # times the mean step between neighbours
    "jump_share": 0.002,  # of the rows, at most: what happens more often is how the column is
    "outage_share": 0.1,  # of the median
    "outage_hours": 1,  # at least
    "regime_weeks": 8,  # on both sides of the change, at least
    "regime_share": 0.1,  # of the mean, at least
    "regime_errors": 6,  # standard errors, at least
    "mark": 0.5,  # times the range of all other values that a number such as -9999 lies off, at least
    "meter_days": 3,  # that readings go on rising, at least
}


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
    """A value other than 0 that does not move."""
    least = max(3, int(np.ceil(look.limits["frozen_hours"] * HOUR / look.step)))
    for name, values, unit in look.columns():
        still = np.append(False, values[1:] == values[:-1])  # NaN differs from itself
        for begin, end in ((second - 1, end) for second, end in runs(still)):
            if end - begin >= least and values[begin] != 0:
                rule = f"the same value, other than 0, for {look.limits['frozen_hours']:g} h or more"
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


def outage(look: Look) -> Iterator[Finding]:
    """Power or energy that all but stops, in a column that seldom does."""
    least = max(1, int(np.ceil(look.limits["outage_hours"] * HOUR / look.step)))
    for name, values, unit in look.columns():
        limit = look.limits["outage_share"] * float(np.nanmedian(values))
        low = values < limit
        if unit not in POWER or limit <= 0 or low.mean() > 0.05:
            continue
        for begin, end in runs(low):
            if end - begin >= least:
                rule = f"below {limit:.3g} {unit}: {look.limits['outage_share']:.0%} of the median"
                size = f"{look.lasting(end - begin)}, down to {values[begin:end].min():g} {unit}"
                yield Finding("outage", (name,), begin, end, size, rule)


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
            rule = (
                f"reads like a meter: up {up} times, down {down} times, in {look.limits['meter_days']:g} days or more; "
                f"consumption({name!r}) takes the differences"
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


def with_limits(limits: Mapping[str, float]) -> Mapping[str, float]:
    """`LIMITS`, with some of them given."""
    for name, value in limits.items():
        choose(name, LIMITS, "limit of a rule")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise SeriesError(f"{name}={value!r} has to be a number above 0.")
    return {**LIMITS, **limits}


def table(findings: Iterable[Finding], index: pd.DatetimeIndex, measured: int) -> pd.DataFrame:
    """Findings as a table: kind, column, first and last stamp, rows, size, rule."""

    def named(columns: tuple[str, ...]) -> str:
        return "all" if 1 < measured == len(columns) else listed(columns, 4)

    rows = [
        (f.kind, named(f.columns), index[f.begin], index[f.end - 1], len(f.rows), f.size, f.rule)
        for f in findings
    ]
    return pd.DataFrame(rows, columns=["kind", "column", "first", "last", "rows", "size", "rule"])

"""What the rules of `faults` look at, a `Look`, and the numbers that they judge by, `LIMITS`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lstm_lib.series.clock import Array, Values
from lstm_lib.series.refusal import SeriesError, choose
from lstm_lib.series.stands import is_meter, marks

HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
ENERGY = re.compile(r"[kMGT]?(Wh|J)(/.*)?")  # an amount a period: added up
POWER = ("W", "kW", "MW", "GW", "Wh", "kWh", "MWh", "GWh", "J", "kJ", "MJ", "GJ")


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

    @cached_property
    def times_of_day(self) -> Array:
        """The local time of day of each row, as a number from 0 on, (n,); that of weekends apart from eight weeks on.

        All rows have the same one in less than two weeks, of which no habit can be told.
        """
        local = pd.DatetimeIndex(self.frame.index).tz_convert(self.timezone)
        lasts = len(self.frame) * self.step
        if lasts < 14 * DAY:
            return np.zeros(len(self.frame), dtype=np.int64)
        weekend = (local.day_of_week >= 5) & (lasts >= 56 * DAY)
        return np.unique(local.hour * 60 + local.minute + 1440 * weekend, return_inverse=True)[1]

    def meter(self, name: str) -> bool:
        """Whether a column reads like a meter."""
        energy = ENERGY.fullmatch(self.units.get(name, "")) is not None
        values = self.frame[name].to_numpy()
        values = np.where(np.isin(values, self.marks.get(name, [])), np.nan, values)
        return is_meter(values, DAY / self.step, energy, self.limits)

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
    "frozen_days": 0.2,  # of the days, from which on it is usual at this time of day
    "outage_share": 0.1,  # of the median at this time of day
    "outage_hours": 1,  # at least
    "outage_days": 0.05,  # of the days, at most: what an hour of the day shows more often is how the column is
    "regime_weeks": 8,  # on both sides of the change, at least
    "regime_share": 0.1,  # of the mean, at least
    "regime_errors": 6,  # standard errors, at least
    "mark": 0.5,  # times the range of all other values that a number such as -9999 lies off, at least
    "meter_days": 3,  # that readings go on rising, at least
}


def with_limits(limits: Mapping[str, float]) -> Mapping[str, float]:
    """`LIMITS`, with some of them given."""
    for name, value in limits.items():
        choose(name, LIMITS, "limit of a rule")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise SeriesError(f"{name}={value!r} has to be a number above 0.")
    return {**LIMITS, **limits}

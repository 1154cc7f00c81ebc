"""A `Series`: a table on a regular grid of UTC stamps, what is known of it, what looks wrong, and what was done.

Nothing is ever filled in. `check` only looks; `clean` makes values missing, those that the user names; `resample`
makes a coarser grid. Each returns something new and leaves the series as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from lstm_lib.series import faults, judging, stands
from lstm_lib.series.clock import calendar_features, in_days, local_days, on_clock, usual_step, zone_of
from lstm_lib.series.findings import Finding, Findings, table
from lstm_lib.series.refusal import SeriesError, choose, length, listed, several

LEVELS = {
    *("W", "kW", "MW", "GW", "var", "kvar", "VA", "kVA", "V", "A", "Hz", "W/m²", "W/m2", "W/kW"),
    *("°C", "C", "degC", "K", "°F", "%", "Pa", "hPa", "bar", "m/s", "km/h", "°", "ppm", "lux"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """An energy series on a regular grid.

    Parameters
    ----------
    name : what to call it in tables and messages.
    frame : DataFrame (n rows), float64 columns, tz-aware UTC index in regular steps, or in steps of whole days on the
        local clock; NaN is a missing value.
    target, unit : the column to forecast, and its unit.
    source : the sentence that has to be shown with results (attribution).
    timezone : the local zone, in which the calendar features are computed.
    inserted : how many stamps were missing in the file and now stand as rows of NaN.
    units : the units of other columns, as far as they are known.
    calendar : the features that were added by `with_calendar`.
    notes : what was recognised and what was done, a sentence each.
    found : what reading the file found, for `check`.
    known : what is known in advance, and stands beside it for hours ahead, as "air +1" (`windows(..., known=...)`).
    stamped : whether the file's stamps marked the "start" or the "end" of their periods; those of `frame` are starts.

    Raises SeriesError if the frame is not as described.

    >>> index = pd.date_range("2020-01-01", periods=3, freq="h", tz="UTC")
    >>> Series("demo", pd.DataFrame({"load": [1.0, np.nan, 3.0]}, index), "load", "kW")
    Series 'demo': 3 rows every 1 h, 2020-01-01 00:00 to 2020-01-01 02:00 UTC
      target 'load' [kW], 1 missing; 0 rows inserted; local time UTC
      columns: load
    """

    name: str
    frame: pd.DataFrame
    target: str
    unit: str = ""
    source: str = ""
    timezone: str = "UTC"
    inserted: int = 0
    units: Mapping[str, str] = field(default_factory=dict)
    calendar: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    found: tuple[Finding, ...] = ()
    stamped: Literal["start", "end"] = "start"
    known: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where, index = f"Series {self.name!r}: ", self.frame.index
        choose(self.target, self.frame.columns, "target column", where)
        choose(self.stamped, ("start", "end"), "way to stamp a period, stamped =", where)
        zone_of(self.timezone)
        if not isinstance(index, pd.DatetimeIndex) or str(index.tz) != "UTC":
            raise SeriesError(
                f"{where}the index has to be a DatetimeIndex in UTC; use frame.tz_localize(...).tz_convert('UTC')."
            )
        steps = np.diff(index.asi8)
        even = len(steps) > 0 and (steps == steps[0]).all() and steps[0] > 0
        if (
            not even
            and (days := local_days(index, self.timezone, self.step) if len(steps) else None) is not None
        ):
            even = bool((np.diff(days) == self.step).all())
        if not even:
            raise SeriesError(
                f"{where}the stamps have to be at least 2, increasing, in equal steps; use frame.asfreq(...) to "
                "insert missing ones as NaN."
            )
        wrong = [str(name) for name, dtype in self.frame.dtypes.items() if dtype != np.float64]
        if not wrong and (infinite := np.isinf(self.frame.to_numpy()).any(axis=0)).any():
            wrong = [str(name) for name in self.frame.columns[infinite]]
        if wrong:
            raise SeriesError(
                f"{where}columns {wrong} are not float64 or not finite; convert them, with NaN for missing."
            )

    @property
    def step(self) -> pd.Timedelta:
        """The time from one row to the next; of days on the local clock 24 h each, whatever the clocks do."""
        return usual_step(self.index, self.timezone)

    @property
    def index(self) -> pd.DatetimeIndex:
        """The stamps in UTC, (n,)."""
        return pd.DatetimeIndex(self.frame.index)

    @property
    def local(self) -> pd.DatetimeIndex:
        """The stamps in local time, (n,)."""
        return self.index.tz_convert(self.timezone)

    @property
    def measured(self) -> list[str]:
        """The columns that are neither calendar features nor values of hours ahead."""
        waves = {f"{feature}_{wave}" for feature in self.calendar for wave in ("sin", "cos")}
        ahead = {*self.known, *(f"{name}_{wave}" for name in self.known for wave in ("sin", "cos"))}
        names = [str(column) for column in self.frame.columns if column not in waves]
        return [name for name in names if name.rpartition(" +")[0] not in ahead] if ahead else names

    def unit_of(self, column: str) -> str:
        """The unit of a column, or "" if it isn't known; SeriesError for a column that isn't there.

        >>> index = pd.date_range("2020-01-01", periods=3, freq="h", tz="UTC")
        >>> demo = Series("demo", pd.DataFrame({"load": 1.0, "air": 2.0}, index), "load", "kW", units={"air": "°C"})
        >>> demo.unit_of("load"), demo.unit_of("air")
        ('kW', '°C')
        """
        if column not in self.frame.columns:  # asked of every column: the list is made for a refusal alone
            choose(column, self.frame.columns, "column", f"Series {self.name!r}: ")
        return self.unit if column == self.target and self.unit else self.units.get(column, "")

    def __repr__(self) -> str:
        first, last = (f"{self.frame.index[k]:%Y-%m-%d %H:%M}" for k in (0, -1))
        hours, missing = self.step / pd.Timedelta("1h"), int(self.frame[self.target].isna().sum())
        return (
            f"Series {self.name!r}: {len(self.frame)} rows every {hours:g} h, {first} to {last} UTC\n"
            f"  target {self.target!r} [{self.unit or 'unit not given'}], {missing} missing; "
            f"{self.inserted} rows inserted; local time {self.timezone}\n"
            f"  columns: {', '.join(map(str, self.frame.columns))}"
            + "".join(f"\n  {note}" for note in self.notes)
        )

    def with_calendar(self, *features: str) -> Series:
        """The same series with points on a circle for "hour" or "weekday", in local time, as further columns.

        "holiday:FR" is 1 on the public holidays of a country, "holiday:GB-SCT" on those of a part of one, else 0.
        Raises SeriesError for another feature, and where a column has the name already.

        >>> index = pd.date_range("2020-01-01 06:00", periods=2, freq="6h", tz="UTC")
        >>> demo = Series("demo", pd.DataFrame({"load": [1.0, 2.0]}, index), "load", "kW")
        >>> demo.with_calendar("hour").frame.round(1).to_numpy().tolist()
        [[1.0, 1.0, 0.0], [2.0, 0.0, -1.0]]
        """
        frame = self.frame.copy()
        for feature in features:
            for name, wave in calendar_features(self.index, self.timezone, feature).items():
                if name in frame:
                    raise SeriesError(
                        f"{self.name}: the file has a column {name!r} already; rename it with columns={{...}}."
                    )
                frame[name] = wave
        return replace(self, frame=frame, calendar=(*self.calendar, *features))

    # ------------------------------------------------------------------------------------------ another step

    def resample(
        self,
        step: str | pd.Timedelta,
        how: Literal["mean", "sum"] | Mapping[str, Literal["mean", "sum"]] | None = None,
        least: float = 1.0,
        clock: str | None = None,
    ) -> Series:
        """The series on a coarser grid: power by its mean, energy by its sum.

        Parameters
        ----------
        step : a whole number of old ones. Whole days are days on the clock, of 23 or 25 h where it is changed;
            weeks begin on Monday. Shorter periods are of one length, and counted from midnight before the first row.
        how : "mean" or "sum", for all columns or by column; None goes by the units: kWh, MJ ... are added up, levels
            such as kW, °C, W/m² are averaged.
        least : the share of a period's rows that a mean needs. A sum needs all of them.
        clock : the zone whose midnight is meant, such as "UTC"; None takes `timezone`.

        A period with fewer values is missing: nothing is taken across a gap. Calendar features are computed anew.
        Raises SeriesError for a step that doesn't fit, for a column of which nothing tells what to do, and for readings
        of a meter, which make no sense added up (see `consumption`), unless `how` names their sum.

        >>> index = pd.date_range("2020-01-01", periods=8, freq="15min", tz="UTC")
        >>> frame = pd.DataFrame({"power": range(8), "energy": 1.0, "air": [np.nan] + [5.0] * 7}, index, dtype=float)
        >>> demo = Series("demo", frame, "power", "kW", units={"energy": "kWh", "air": "°C"})
        >>> demo.resample("1h").frame
                                   power  energy  air
        time
        2020-01-01 00:00:00+00:00    1.5     4.0  NaN
        2020-01-01 01:00:00+00:00    5.5     4.0  5.0
        """
        where, width = f"Series {self.name!r}: ", length(step, "step")
        if width % self.step != pd.Timedelta(0) or width == self.step:
            raise SeriesError(f"{where}step={step!r} has to be 2 or more whole steps of {self.step}.")
        if not 0 < least <= 1:
            raise SeriesError(f"least={least!r} has to be a share above 0, at most 1.")
        ways = {column: self._way(column, how) for column in self.measured}
        clock = zone_of(clock or self.timezone)
        starts, row, whole = self._periods(width, clock)
        grouped = self.frame[self.measured].groupby(row)
        needed = {"mean": least * whole, "sum": whole}
        enough = {column: grouped[column].count().to_numpy() >= needed[way] for column, way in ways.items()}
        parts = {column: grouped[column].agg(way).where(enough[column]) for column, way in ways.items()}
        frame = pd.DataFrame(parts).set_axis(starts.rename("time"))
        if len(frame) < 2:
            raise SeriesError(f"{where}only {len(frame)} period of {width}; a series needs at least 2.")
        before, after = (f"{span / pd.Timedelta('1h'):g} h" for span in (self.step, width))
        done = {way: [column for column, its in ways.items() if its == way] for way in needed}
        words = "; ".join(f"{way} of {listed(names)}" for way, names in done.items() if names)
        notes = (*self.notes, f"resampled from {before} to {after}: {words}")
        if clock != self.timezone or np.ptp(starts.tz_convert(clock).hour) % (width / pd.Timedelta("1h")):
            notes = (*notes, f"periods of {after} were counted from midnight in {clock}, the first one's")
        if read := [column for column in done["sum"] if self._look({}).meter(column)]:
            notes = (*notes, f"{listed(read)} reads like a meter; its readings were added up as asked")
        return replace(self, frame=frame, calendar=(), known=(), notes=notes, found=()).with_calendar(
            *self.calendar
        )

    def _periods(self, width: pd.Timedelta, clock: str) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
        """The starts of the periods in UTC, the period of each row, and how many rows each has when it is whole."""
        local = self.index.tz_convert(clock).tz_localize(None)
        if in_days(width):  # counted from a Monday
            day = local.normalize()
            day -= (day - pd.Timestamp("1970-01-05")) % width
            edges = on_clock(pd.date_range(day[0], day[-1] + width, freq=width), clock)
        else:
            first = self.index[0] - (local[0] - local[0].normalize()) % width
            edges = pd.date_range(first, self.index[-1] + width, freq=width)
            edges = edges[: int(edges.searchsorted(self.index[-1], side="right")) + 1]
        long = np.diff(edges.as_unit("us").asi8) / (self.step.value / 1000)
        days = local_days(self.index, clock, self.step)
        off = (
            local.normalize() != local
            if days is not None and in_days(self.step)
            else [(edges - self.index[0]) % self.step != pd.Timedelta(0)]
        )
        if np.any(off):
            raise SeriesError(
                f"Series {self.name!r}: its stamps, such as {self.index[0]}, are not whole steps of {self.step} "
                f"from midnight in {clock}, so no row lies in one period of {width} alone; "
                "give another clock, such as clock='UTC'."
            )
        whole = np.full(len(edges) - 1, width // self.step) if in_days(self.step) else np.rint(long)
        return edges[:-1], edges.searchsorted(self.index, side="right") - 1, whole

    def consumption(
        self, columns: str | Sequence[str] | None = None, read: Literal["start", "end"] | None = None
    ) -> Series:
        """The series with what was consumed from row to row in place of the readings of a meter.

        Parameters
        ----------
        columns : those of readings; None takes all that `check` finds to be a meter.
        read : whether a reading belongs to the "start" of its row's period, the instant of its stamp, or to the "end".
            None takes what the stamps of the file marked, `stamped`.

        Returns
        -------
        A new series: each value is the difference of two readings, in their unit, and the last (first) is missing.
        Where readings fall (the meter was exchanged or set back), and where they go back to what they were before a
        fall or a leap, it is not known and missing; a note says how often. So it is on both sides of a missing reading.
        Of readings that count down, such as a credit's, it is by how much they fell.

        Raises SeriesError for a column that isn't there, and if none is named and none reads like a meter.

        >>> index = pd.date_range("2020-01-01", periods=5, freq="h", tz="UTC")
        >>> demo = Series("demo", pd.DataFrame({"read": [98.0, 98.5, 99.75, 0.0, 2.0]}, index), "read", "kWh")
        >>> used = demo.consumption("read")
        >>> used.frame["read"].tolist(), used.notes
        ([0.5, 1.25, nan, 2.0, nan], ('consumption of read: differences of readings; 1 step down left out',))
        """
        where, look = f"Series {self.name!r}: ", self._look({})
        read = read or self.stamped
        choose(read, ("start", "end"), "instant of a reading, read =")
        names = several(columns) if columns is not None else [c for c in self.measured if look.meter(c)]
        if not names:
            raise SeriesError(f"{where}no column reads like a meter; name it: consumption('its column').")
        frame, notes = self.frame.copy(), list(self.notes)
        for name in names:
            choose(name, self.measured, "column", where)
            values = self.frame[name].to_numpy()
            used, down = stands.differences(
                np.where(np.isin(values, look.marks.get(name, [])), np.nan, values)
            )
            frame[name] = used if read == "start" else np.roll(used, 1)
            steps = "1 step down" if down == 1 else f"{down} steps down, or back up,"
            turned = ", which count down" if stands.counts_down(values) else ""
            steps = steps.replace("down", "*").replace("up", "down").replace("*", "up") if turned else steps
            left = f"; {steps} left out" if down else ""
            notes.append(f"consumption of {name}: differences of readings{turned}{left}")
        return replace(self, frame=frame, notes=tuple(notes))

    def _way(self, column: str, how: object) -> str:
        """Whether a column is averaged or added up."""
        where = f"Series {self.name!r}: "
        if isinstance(how, Mapping):
            for name in how:
                choose(name, self.measured, "column", where)
            how = how.get(column)
        if how is not None:
            return choose(how, ("mean", "sum"), "way to resample", f"Column {column!r}: ")
        unit = self.unit_of(column)
        if judging.ENERGY.fullmatch(unit):
            if self._look({}).meter(column):
                raise SeriesError(
                    f"{where}column {column!r} reads like a meter, and the sum of readings is no consumption; take "
                    f"series.consumption({column!r}) first, or give how={{{column!r}: 'sum'}} if it is none."
                )
            return "sum"
        if unit in LEVELS:
            return "mean"
        has = f"the unit {unit!r}" if unit else "no known unit"
        raise SeriesError(
            f"{where}column {column!r} has {has}, which doesn't tell whether to take the mean or the sum; give "
            f"how={{{column!r}: 'mean'}} or 'sum', or one of them for all columns."
        )

    # -------------------------------------------------------------------------------------- faults and cleaning

    def _look(self, limits: Mapping[str, float]) -> judging.Look:
        units = {column: self.unit_of(column) for column in self.measured}
        limits = judging.with_limits(limits)
        return judging.Look(self.frame[self.measured], self.step, self.timezone, units, limits)

    def check(self, **limits: float) -> Findings:
        """What looks wrong: a row for each finding, in order of time; `.summary()` tells them in ten lines.

        Nothing is changed. A column is judged against its own times of day: a night that is off as all others is none.

        Parameters
        ----------
        limits : other numbers for the rules, by the names in `lstm_lib.series.LIMITS`.

        Returns
        -------
        Findings, a DataFrame: kind, column, first, last (stamps in UTC), rows, size, the rule that found it. The kinds:
        "gap" (missing), "duplicate" (a stamp repeated in the file, or rows that repeat another day), "clock change",
        "sentinel" (a number that stands for "missing", such as -9999), "meter" (readings that count on; `consumption`
        takes their differences), "frozen", "spike", "jump", "outage" and "regime" (a lasting change of the level; it is
        looked for in series of two years and more). Calendar features are not looked at.

        Raises SeriesError for a limit that there isn't, or that isn't above 0.

        >>> index = pd.date_range("2020-01-01", periods=30, freq="h", tz="UTC")
        >>> load = np.r_[np.arange(10.0), np.full(12, 4.0), np.nan, np.arange(7.0)]
        >>> found = Series("demo", pd.DataFrame({"load": load}, index), "load", "kW").check()
        >>> found[["kind", "column", "rows", "size"]]
             kind column  rows          size
        0  frozen   load    12  12 h at 4 kW
        1     gap   load     1   1 h missing
        """
        findings = [*self.found, *faults.find(self._look(limits))]
        findings.sort(key=lambda finding: finding.begin)
        return table(findings, self.index, len(self.measured), self.timezone)

    def clean(
        self,
        rules: str | Sequence[str] | Mapping[str, str | Sequence[str]] = (),
        **limits: float,
    ) -> tuple[Series, pd.DataFrame]:
        """Make missing what the rules that you name have found, and nothing else.

        Parameters
        ----------
        rules : kinds of findings, such as ["spike", "frozen"], or for some columns only
            {"frozen": ["AirTemp"], "outage": "TGBT"}. None by default: then nothing is changed, and a note says so.
        limits : as for `check`.

        Returns
        -------
        series : a new one. Missing values are kept out of windows, never invented.
        changes : the findings applied, with the number of values each has made missing (`changed`).

        Raises SeriesError for a kind that there isn't or that can't be cleaned, and for a column that isn't there.

        >>> index = pd.date_range("2020-01-01", periods=30, freq="h", tz="UTC")
        >>> load = np.r_[np.arange(10.0), np.full(12, 4.0), np.nan, np.arange(7.0)]
        >>> demo = Series("demo", pd.DataFrame({"load": load}, index), "load", "kW")
        >>> same, changes = demo.clean()
        >>> same.notes[-1], len(changes)
        ('clean: nothing was changed, since no rule was named', 0)
        >>> cleaned, changes = demo.clean(["frozen"])
        >>> changes[["kind", "column", "changed"]].values.tolist(), int(cleaned.frame["load"].isna().sum())
        ([['frozen', 'load', 12]], 13)
        """
        if not isinstance(rules, Mapping):
            rules = dict.fromkeys(several(rules), self.measured)
        named = {kind: several(columns) for kind, columns in rules.items()}
        for kind, columns in named.items():
            if kept := faults.RULES[choose(kind, faults.RULES, "rule")].kept:
                raise SeriesError(f"{kind!r} can't be cleaned: {kept}.")
            for column in set(columns).difference(self.measured):
                choose(column, self.measured, "column", f"Series {self.name!r}: ")
        picked = {kind: set(columns) for kind, columns in named.items()}
        frame, applied, changed = self.frame.copy(), list[Finding](), list[int]()
        for finding in faults.find(self._look(limits), named):
            columns = [column for column in finding.columns if column in picked[finding.kind]]
            rows = frame.index[finding.rows]
            if present := int(frame.loc[rows, columns].notna().sum().sum()):
                frame.loc[rows, columns] = np.nan
                applied.append(replace(finding, columns=tuple(columns)))
                changed.append(present)
        changes = pd.DataFrame(table(applied, self.index, len(self.measured), self.timezone))
        changes["changed"] = np.array(changed, dtype=np.int64)
        note = f"{sum(changed)} values made missing by {', '.join(named)}"
        note = f"clean: {note if named else 'nothing was changed, since no rule was named'}"
        return replace(self, frame=frame, notes=(*self.notes, note)), changes

"""A recipe: what a fitted network reads of a series, and how its numbers become forecasts in the series' unit.

It is all that a forecaster needs besides its arcs, so that it can be kept in a file and used on a newer series.

Letters: n rows of the series, D inputs, K targets, S steps of a forecast, O = K S.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.network.cells import Array
from lstm_lib.series import SequenceSplit, Series, SeriesError, Split, Windows
from lstm_lib.series.clock import on_clock
from lstm_lib.series.known import measured_until, with_known
from lstm_lib.series.refusal import listed
from lstm_lib.series.sequences import windows_of
from lstm_lib.series.splits import Rows
from lstm_lib.training.samples import Way


@dataclass(frozen=True, eq=False)
class Recipe:
    """What to read, and how to write the forecasts.

    Parameters
    ----------
    inputs, targets : columns, D and K of them. units : of all of these, as far as they are known.
    step : from one row to the next. timezone : of the calendar, whose features are named in `calendar`.
    lookback : T, rows that have to be there without a gap. offsets : (S,), target rows counted from a window's start.
    way : how the newest hour is forecast, from its window or in one pass, see `lstm_lib.predict`.
    dtype : of the scaled values.
    mean, sd : of each column, by the rows that the network was trained on.
    until : the stamp of the last row that training or the choice of an epoch has seen.
    known : what is known of the hours ahead (`lstm_lib.series.known`).
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    units: Mapping[str, str]
    step: pd.Timedelta
    timezone: str
    calendar: tuple[str, ...]
    lookback: int
    offsets: Rows
    way: Way
    dtype: str
    mean: pd.Series[float]
    sd: pd.Series[float]
    until: pd.Timestamp
    known: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Split | SequenceSplit) -> Recipe:
        """The recipe of a split."""
        split, series = windows_of(given), given.series
        part, columns = split.train, split.scaling.index
        return cls(
            inputs=split.inputs,
            targets=part.target_names,
            units={name: series.unit_of(name) for name in columns},
            step=series.step,
            timezone=series.timezone,
            calendar=series.calendar,
            lookback=part.lookback,
            offsets=part.offsets,
            way="pass" if isinstance(given, SequenceSplit) else "windows",
            dtype=part.values.dtype.name,
            mean=split.scaling["mean"],
            sd=split.scaling["sd"],
            until=series.index[split.valid.target_rows.max()],
            known=series.known,
        )

    def about(self) -> dict[str, Any]:
        """The recipe in words and numbers that JSON knows; `from_about` takes them back, bit for bit."""
        plain = {
            name: getattr(self, name)
            for name in ("inputs", "targets", "timezone", "calendar", "known", "dtype")
        }
        plain |= {"lookback": int(self.lookback), "way": self.way, "units": dict(self.units)}
        lists = {"offsets": self.offsets.tolist(), "mean": self.mean.to_dict(), "sd": self.sd.to_dict()}
        return plain | lists | {"step": self.step.isoformat(), "until": self.until.isoformat()}

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Recipe:
        """The recipe of which `about` was told."""
        names = {name: tuple(about[name]) for name in ("inputs", "targets", "calendar", "known")}
        scaling = {name: pd.Series(about[name], dtype="float64") for name in ("mean", "sd")}
        at: dict[str, Any] = {
            "offsets": np.array(about["offsets"], np.int64),
            "step": pd.Timedelta(about["step"]),
        }
        at["until"] = pd.Timestamp(about["until"])
        return cls(**{**about, **names, **scaling, **at})

    @property
    def ahead(self) -> Rows:
        """How many rows ahead of the last input each step of a forecast is, (S,)."""
        return self.offsets - self.lookback + 1

    @property
    def outputs(self) -> int:
        """O."""
        return len(self.targets) * len(self.offsets)

    def quantiles(self, y: Array, levels: tuple[float, ...]) -> Array:
        """What a network puts out, (N, O Q), in the unit of the series and in rising order: (N, O, Q), float64."""
        mean, sd = (
            np.repeat(which[list(self.targets)].to_numpy(), len(self.offsets))[:, None]
            for which in (self.mean, self.sd)
        )
        scaled = np.asarray(y, np.float64).reshape(len(y), self.outputs, max(1, len(levels)))
        return np.sort(scaled * sd + mean, axis=-1)

    def scaled(self, frame: pd.DataFrame) -> Array:
        """The values of columns, scaled as at the fit, float64."""
        names = list(frame.columns)
        return np.asarray((frame - self.mean[names]) / self.sd[names])

    def like(self, series: Series, at: str | pd.Timestamp | None = None) -> Series:
        """The series with the columns that are read, up to the row `at`; SeriesError where it is another kind."""
        if not isinstance(series, Series):
            raise SeriesError(
                f"forecast() takes a Series, from load_series(...); got {type(series).__name__}."
            )
        where = f"Series {series.name!r}: "
        if series.step != self.step:
            hint = " Take series.resample(...) first." if not self.step % series.step else ""
            raise SeriesError(
                f"{where}its step is {series.step}, and the forecaster was fitted on {self.step}.{hint}"
            )
        if self.calendar or self.known:  # on the clock of the fit
            plain = replace(
                series, frame=series.frame[series.measured], calendar=(), known=(), timezone=self.timezone
            )
            series = plain.with_calendar(*self.calendar)
        if self.known:
            series = with_known(series, self.known, self.ahead)
            series = measured_until(series, self.inputs, self.known)
        columns = list(dict.fromkeys([*self.inputs, *self.targets]))
        if missing := [name for name in columns if name not in series.frame]:
            raise SeriesError(
                f"{where}it lacks the columns {missing}; rename its own in load_series(columns={{...}})."
            )
        for name in columns:
            unit, fitted = series.unit_of(name), self.units[name]
            if unit and fitted and unit != fitted:
                raise SeriesError(
                    f"{where}column {name!r} is in {unit}; the forecaster was fitted on {fitted}."
                )
        return series if at is None else self._until(series, at)

    def _until(self, series: Series, at: str | pd.Timestamp) -> Series:
        where, first, last = f"Series {series.name!r}: ", series.index[0], series.index[-1]
        try:
            stamp = pd.Timestamp(at)
        except (TypeError, ValueError) as error:
            raise SeriesError(
                f"{where}at={at!r} is not a stamp; give one such as '{last:%Y-%m-%d %H:%M}'."
            ) from error
        stamp = stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")
        if stamp not in series.index[1:]:
            raise SeriesError(
                f"{where}at={at!r} is not the stamp of a row (in UTC); there are rows from {first:%Y-%m-%d %H:%M} to "
                f"{last:%Y-%m-%d %H:%M} every {series.step}, and the first has none before it."
            )
        return replace(series, frame=series.frame[:stamp])

    def check(self, part: Windows) -> None:
        """Refuse a part with other inputs, or that other training rows have scaled."""
        if part.values.shape[1] != len(self.inputs):
            return  # the network says so
        row = part.starts[-1:]
        expected = self.scaled(part.series.frame[list(self.inputs)].iloc[row])
        if not np.allclose(part.values[row], expected, rtol=1e-4, atol=1e-4):
            raise ValueError(
                "this part was scaled by other training rows than those the forecaster was fitted on; take a part of "
                "that split, or forecast a newer series by backtest(series)"
            )

    def table(
        self, columns: Mapping[str, Array], index: pd.DatetimeIndex, attrs: dict[str, Any]
    ) -> pd.DataFrame:
        """Numbers (O,) by name, as columns of a row for each step; with several targets below their names."""
        shaped = {name: a.reshape(len(self.targets), -1) for name, a in columns.items()}
        parts = {
            target: pd.DataFrame({name: a[k] for name, a in shaped.items()}, index)
            for k, target in enumerate(self.targets)
        }
        table = parts[self.targets[0]] if len(parts) == 1 else pd.concat(parts, axis=1)
        table.attrs.update(units={name: self.units[name] for name in self.targets}, **attrs)
        return table

    def windows(self, series: Series, starts: Rows | None = None) -> Windows:
        """The windows of a series that begin at these rows, or all without a missing value; scaled as at the fit.

        The targets of the last ones lie after the end of the series, and are missing.
        """
        values, targets = (
            np.ascontiguousarray(self.scaled(series.frame[list(names)]), self.dtype)
            for names in (self.inputs, self.targets)
        )
        beyond = max(0, int(self.ahead.max()))
        targets = np.pad(targets, ((0, beyond), (0, 0)), constant_values=np.nan)
        if starts is None:
            whole = _run_lengths(values) >= self.lookback
            starts = np.flatnonzero(whole) - self.lookback + 1
        return Windows(
            "given", series, self.lookback, self.offsets, starts, values, targets, 1.0, self.targets,
            np.full(len(self.targets), np.nan),
        )  # fmt: skip

    def newest(self, series: Series) -> Windows:
        """The newest window of a series, behind the first one of the same unbroken run, where the pass begins.

        Raises SeriesError where rows that it needs are missing, with the newest stamp from which it is possible.
        """
        every = self.windows(series)
        n, starts = len(series.frame), every.starts
        last = n - self.lookback
        if not len(starts) or starts[-1] != last:
            raise SeriesError(self._why_not(series, every))
        breaks = np.flatnonzero(np.diff(starts) > 1)
        first = starts[breaks[-1] + 1] if len(breaks) else starts[0]
        return replace(every, starts=np.unique([first, last]) if self.way == "pass" else starts[-1:])

    def stamps(self, series: Series, rows: Rows) -> pd.DatetimeIndex:
        """The stamps of rows, also of those after the end of the series."""
        n, step = len(series.frame), series.step
        beyond = np.arange(max(0, int(rows.max(initial=0)) - n + 1)) + 1
        local = series.local[-1].tz_localize(None)
        if step % pd.Timedelta(days=1) == pd.Timedelta(0) and local == local.normalize():
            new = on_clock(pd.DatetimeIndex(local + beyond * step), series.timezone)
        else:
            new = pd.DatetimeIndex(series.index[-1] + beyond * step)
        every = series.index.append(new) if len(new) else series.index
        return pd.DatetimeIndex(every[rows], name="time")

    def _why_not(self, series: Series, every: Windows) -> str:
        """Which of the newest rows are missing, and from where a forecast is possible."""
        where, n = f"Series {series.name!r}: ", len(series.frame)
        if n < self.lookback:
            return f"{where}a forecast reads the newest {self.lookback} rows, and it has {n}."
        tail = series.frame[list(self.inputs)].iloc[-self.lookback :].isna()
        holed = [name for name in self.inputs if tail[name].any()]
        row = int(np.flatnonzero(tail.any(axis=1))[-1]) + n - self.lookback
        many = int(tail.any(axis=1).sum())
        possible = "no earlier row has them either"
        if len(every.starts):
            newest = series.index[every.starts[-1] + self.lookback - 1]
            possible = f"at='{newest:%Y-%m-%d %H:%M}' is the newest possible"
        if all(name.rpartition(" +")[0] in self.known for name in holed):
            possible += "; or add the hours ahead as rows with the known columns alone"
        return (
            f"{where}a forecast reads the newest {self.lookback} rows without a missing value; of these {many} miss "
            f"one, the latest {series.index[row]:%Y-%m-%d %H:%M} UTC, in {listed(map(repr, holed))}. Nothing is filled "
            f"in; {possible}."
        )


def _run_lengths(values: Array) -> Rows:
    """How many rows without a missing value end at each row, (n,)."""
    rows = np.arange(len(values))
    broken = np.isnan(values).any(axis=1)
    return rows - np.maximum.accumulate(np.where(broken, rows, -1))

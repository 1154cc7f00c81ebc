"""A series looked at: over the years, in a week and a day, against the weather; its faults, its parts, its errors."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lstm_lib.plots.look import LINES, PALETTE, SEQUENCE, canvas, on
from lstm_lib.series import RULES, Series, Split

SEASONS = {"Dec-Feb": (12, 1, 2), "Mar-May": (3, 4, 5), "Jun-Aug": (6, 7, 8), "Sep-Nov": (9, 10, 11)}
PARTS = {"train": ("blue", ""), "valid": ("orange", "//"), "test": ("green", "..")}


def _label(series: Series, column: str) -> str:
    unit = series.unit_of(column)
    return f"{column} ({unit})" if unit else column


def _dates(ax: Axes, zone: str) -> None:
    """Dates along the bottom, in local time."""
    locator = mdates.AutoDateLocator(tz=zone)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=zone))
    ax.set_xlabel(f"time ({zone})")


def over_years(series: Series, ax: Axes | None = None) -> Figure:
    """Daily means of the target over the whole series; hatched where a day has no value at all.

    >>> index = pd.date_range("2020-01-01", periods=96, freq="h", tz="UTC")
    >>> demo = Series("demo", pd.DataFrame({"load": np.arange(96.0)}, index), "load", "kW")
    >>> fig = over_years(demo)
    >>> fig.axes[0].get_ylabel()
    'daily mean of load (kW)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (9, 3))
    target = series.frame[series.target].set_axis(series.local)
    daily = target.resample("D").mean()
    ax.plot(daily.index, daily, color=PALETTE["blue"], lw=0.8)
    month = daily.rolling(31, center=True, min_periods=20).mean()
    ax.plot(month.index, month, color=PALETTE["black"], lw=1.8, label="31 days")
    for day in daily.index[daily.isna()]:
        ax.axvspan(
            day, day + pd.Timedelta(days=1), facecolor="none", edgecolor=PALETTE["red"], hatch="////", lw=0
        )
    if daily.isna().any():
        ax.fill_between([], [], facecolor="none", edgecolor=PALETTE["red"], hatch="////", label="missing")
    _dates(ax, series.timezone)
    ax.set_ylabel(f"daily mean of {_label(series, series.target)}")
    ax.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def profiles(series: Series) -> Figure:
    """The week's rhythm of the target with its quartiles, and the day's rhythm by season, in local time."""
    fig, (left, right) = canvas(1, 2, size=(10, 3.4), sharey=True)
    local = series.local
    frame = pd.DataFrame({"y": series.frame[series.target].to_numpy()})
    hour = local.hour + local.minute / 60
    week = frame["y"].groupby(np.asarray(local.day_of_week * 24 + hour))
    low, mean, high = week.quantile(0.25), week.mean(), week.quantile(0.75)
    left.fill_between(mean.index, low, high, color=PALETTE["sky"], alpha=0.5, lw=0, label="middle half")
    left.plot(mean.index, mean, color=PALETTE["blue"], label="mean")
    left.set_xticks(range(0, 168, 24), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], ha="left")
    left.set_xlabel(f"hour of the week ({series.timezone})")
    left.set_ylabel(_label(series, series.target))
    for k, (name, months) in enumerate(SEASONS.items()):
        within = np.asarray(local.month.isin(months))
        day = frame["y"][within].groupby(np.asarray(hour)[within]).mean()
        right.plot(day.index, day, color=SEQUENCE[k], ls=LINES[k], label=name)
    right.set_xticks(range(0, 25, 6))
    right.set_xlabel(f"hour of the day ({series.timezone})")
    for ax in (left, right):
        ax.legend(ncols=4, columnspacing=1, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def response(series: Series, column: str, ax: Axes | None = None) -> Figure:
    """Daily means of the target against those of another column, with the median in ten bins of equal count."""
    fig, ax = on(ax, (6, 3.6))
    daily = series.frame[[column, series.target]].set_axis(series.local).resample("D").mean().dropna()
    weekend = np.asarray(pd.DatetimeIndex(daily.index).day_of_week >= 5)
    for name, days, marker, colour in (
        ("Mon-Fri", ~weekend, "o", "sky"),
        ("Sat, Sun", weekend, "^", "orange"),
    ):
        ax.scatter(
            daily[column][days], daily[series.target][days], s=12, marker=marker, color=PALETTE[colour], alpha=0.6,
            label=name,
        )  # fmt: skip
    bins = daily.groupby(pd.qcut(daily[column], 10, duplicates="drop"), observed=True).median()
    ax.plot(
        bins[column], bins[series.target], color=PALETTE["black"], marker="s", ms=4, label="median of a tenth"
    )
    ax.set_xlabel(f"daily mean of {_label(series, column)}")
    ax.set_ylabel(f"daily mean of {_label(series, series.target)}")
    ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def findings(series: Series, table: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """Where the findings of `series.check()` lie: a line for each kind, a mark for each finding."""
    kinds = [kind for kind in RULES if (table["kind"] == kind).any()]
    fig, ax = on(ax, (9, 0.8 + 0.4 * max(1, len(kinds))))
    for row, kind in enumerate(kinds):
        chosen = table[table["kind"] == kind]
        ax.hlines(
            [row] * len(chosen),
            chosen["first"],
            chosen["last"] + series.step,
            lw=9,
            color=SEQUENCE[row % 7],
            alpha=0.5,
        )
        ax.plot(chosen["first"], [row] * len(chosen), "|", ms=11, color=SEQUENCE[row % 7])
    ax.set_yticks(range(len(kinds)), [f"{kind}: {(table['kind'] == kind).sum()}" for kind in kinds])
    ax.set_ylim(max(1, len(kinds)) - 0.5, -0.5)
    ax.set_xlim(series.index[0], series.index[-1])  # type: ignore[arg-type]
    _dates(ax, series.timezone)
    return fig


def parts(splits: Mapping[str, Split], ax: Axes | None = None) -> Figure:
    """Which rows each split trains on, validates on and tests on: a bar for each split."""
    fig, ax = on(ax, (9, 0.9 + 0.35 * len(splits)))
    for row, split in enumerate(splits.values()):
        index = split.series.index
        for name, (colour, hatch) in PARTS.items():
            first, rows = (int(split.counts[column][name]) for column in ("first", "rows"))
            begin, end = mdates.date2num([index[first], index[first + rows - 1]])
            ax.broken_barh([(begin, end - begin)], (row - 0.35, 0.7), facecolor=PALETTE[colour], hatch=hatch, alpha=0.7,
                           edgecolor="white")  # fmt: skip
    ax.set_yticks(range(len(splits)), list(splits))
    ax.set_ylim(len(splits) - 0.4, -0.6)
    _dates(ax, next(iter(splits.values())).series.timezone)
    marks = [
        Patch(facecolor=PALETTE[colour], hatch=hatch, alpha=0.7, edgecolor="white", label=name)
        for name, (colour, hatch) in PARTS.items()
    ]
    ax.legend(handles=marks, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def errors_by(
    table: pd.DataFrame, unit: str, measure: str = "rmse", step: str = "h", ax: Axes | None = None
) -> Figure:
    """A measure of each forecast over the horizon or the hour; `table` is from `compare(..., by=...)`.

    unit : of the measure; step : of the horizon

    >>> index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["forecast", "horizon"])
    >>> fig = errors_by(pd.DataFrame({"rmse": [1.0, 2.0, 3.0, 4.0]}, index), "kW")
    >>> fig.axes[0].get_xlabel(), fig.axes[0].get_ylabel()
    ('ahead (h)', 'RMSE (kW)')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (8, 3.4))
    by = str(table.index.names[1])
    for k, (name, values) in enumerate(table[measure].groupby(level="forecast", sort=False)):
        x = values.index.get_level_values(by)
        ax.plot(x, values, color=SEQUENCE[k % len(SEQUENCE)], ls=LINES[k % len(LINES)],
                marker="os^Dvx*"[k % 7], ms=4, label=str(name))  # fmt: skip
    ax.set_xlabel({"horizon": f"ahead ({step})", "hour": "hour of the day (local)"}.get(by, by))
    ax.set_ylabel(f"{measure.upper()} ({unit})" if unit else measure.upper())
    ax.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig

"""A series looked at: over the years, in a week and a day, against the weather; its faults and its parts."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lstm_lib.series import RULES, Series, Split

from .look import PALETTE, SEQUENCE, Look, canvas, date_axis, given_or_new, legend_above, line, zone_name

SEASONS = {"Dec-Feb": (12, 1, 2), "Mar-May": (3, 4, 5), "Jun-Aug": (6, 7, 8), "Sep-Nov": (9, 10, 11)}
PARTS: dict[str, Look] = {
    name: {"facecolor": PALETTE[colour], "hatch": hatch, "alpha": 0.7, "edgecolor": "white"}
    for name, colour, hatch in (("train", "blue", ""), ("valid", "orange", "//"), ("test", "green", ".."))
}


def _label(series: Series, column: str) -> str:
    unit = series.unit_of(column)
    return f"{column} ({unit})" if unit else column


def over_years(series: Series, ax: Axes | None = None) -> Figure:
    """Daily means of the target over the whole series; hatched where a day has no value at all.

    Parameters
    ----------
    series : read by its local days.

    >>> index = pd.date_range("2020-01-01", periods=96, freq="h", tz="UTC")
    >>> demo = Series("demo", pd.DataFrame({"load": np.arange(96.0)}, index), "load", "kW")
    >>> fig = over_years(demo)
    >>> fig.axes[0].get_ylabel()
    'daily mean of load (kW)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (9, 3))
    daily = series.frame[series.target].set_axis(series.local).resample("D").mean()
    ax.plot(daily.index, daily, color=PALETTE["blue"], lw=0.8)
    month = daily.rolling(31, center=True, min_periods=20).mean()
    ax.plot(month.index, month, color=PALETTE["black"], lw=1.8, label="31 days")
    missing: Look = {"facecolor": "none", "edgecolor": PALETTE["red"], "hatch": "////"}
    for day in daily.index[daily.isna()]:
        ax.axvspan(day, day + pd.Timedelta(days=1), lw=0, **missing)
    if daily.isna().any():
        ax.fill_between([], [], label="missing", **missing)
    date_axis(ax, series.timezone)
    ax.set_ylabel(f"daily mean of {_label(series, series.target)}")
    legend_above(ax)
    return fig


def profiles(series: Series) -> Figure:
    """The week's rhythm of the target with its quartiles, and the day's rhythm by season, in local time."""
    import seaborn as sns

    fig, (left, right) = canvas(1, 2, size=(10, 3.4), sharey=True)
    local, target = series.local, series.frame[series.target].to_numpy()
    hour = np.asarray(local.hour + local.minute / 60)
    week = np.asarray(local.day_of_week) * 24 + hour
    band: Look = {"alpha": 0.25, "lw": 0, "label": "middle half"}
    look = {"color": PALETTE["blue"], "label": "mean", "errorbar": ("pi", 50), "err_kws": band}
    sns.lineplot(x=week, y=target, ax=left, **look)
    left.set_xticks(range(0, 168, 24), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], ha="left")
    left.set(xlabel=f"hour of the week ({zone_name(series.timezone)})", ylabel=_label(series, series.target))
    for k, (name, months) in enumerate(SEASONS.items()):
        within = np.asarray(local.month.isin(months))
        day = pd.Series(target[within]).groupby(hour[within]).mean()
        right.plot(day.index, day, label=name, **line(k, marks=False))
    right.set_xticks(range(0, 25, 6))
    right.set_xlabel(f"hour of the day ({zone_name(series.timezone)})")
    for ax in (left, right):
        legend_above(ax, columnspacing=1)
    return fig


def response(series: Series, column: str, ax: Axes | None = None) -> Figure:
    """Daily means of the target against those of another column, with the median in ten bins of equal count.

    Parameters
    ----------
    series : read by its local days.
    column : another than the target, such as the temperature outside.
    """
    fig, ax = given_or_new(ax, (6, 3.6))
    daily = series.frame[[column, series.target]].set_axis(series.local).resample("D").mean().dropna()
    weekend = np.asarray(pd.DatetimeIndex(daily.index).day_of_week >= 5)
    for name, days, mark, colour in (("Mon-Fri", ~weekend, "o", "sky"), ("Sat, Sun", weekend, "^", "orange")):
        look: Look = {"s": 12, "marker": mark, "color": PALETTE[colour], "alpha": 0.6, "label": name}
        ax.scatter(*daily[days].to_numpy().T, **look)
    bins = daily.groupby(pd.qcut(daily[column], 10, duplicates="drop"), observed=True).median()
    look = {"color": PALETTE["black"], "marker": "s", "ms": 4, "label": "median of a tenth"}
    ax.plot(*bins.to_numpy().T, **look)
    x, y = (f"daily mean of {_label(series, name)}" for name in (column, series.target))
    ax.set(xlabel=x, ylabel=y)
    legend_above(ax, 3)
    return fig


def findings(series: Series, table: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """Where the findings of `series.check()` lie: a line for each kind, a mark for each finding.

    Changes of regime, which last to the end and would hide one another, get a line for each column.

    Parameters
    ----------
    table : from `series.check()`, all of it or some rows.
    """
    lines: dict[str, pd.DataFrame] = {}
    for kind in (kind for kind in RULES if (table["kind"] == kind).any()):
        chosen = table[table["kind"] == kind]
        by_column = {f"{kind}, {name}": rows for name, rows in chosen.groupby("column", sort=False)}
        lines |= by_column if kind == "regime" else {f"{kind}: {len(chosen)}": chosen}
    fig, ax = given_or_new(ax, (9, 0.8 + 0.4 * max(1, len(lines))))
    for row, chosen in enumerate(lines.values()):
        y, end, colour = [row] * len(chosen), chosen["last"] + series.step, SEQUENCE[row % len(SEQUENCE)]
        ax.hlines(y, chosen["first"], end, lw=9, color=colour, alpha=0.5)
        ax.plot(chosen["first"], y, "|", ms=11, color=colour)
    ax.set_yticks(range(len(lines)), list(lines))
    ax.set(xlim=series.index[[0, -1]], ylim=(max(1, len(lines)) - 0.5, -0.5))
    date_axis(ax, series.timezone)
    return fig


def parts(splits: Mapping[str, Split], ax: Axes | None = None) -> Figure:
    """Which rows each split trains on, validates on and tests on: a bar for each split.

    Parameters
    ----------
    splits : title -> split, as from `windows` or `folds`; the first one's time zone is shown.
    """
    fig, ax = given_or_new(ax, (9, 0.9 + 0.35 * len(splits)))
    for row, split in enumerate(splits.values()):
        for name, look in PARTS.items():
            first, rows = (int(split.counts[column][name]) for column in ("first", "rows"))
            begin, end = mdates.date2num(split.series.index[[first, first + rows - 1]])
            ax.broken_barh([(begin, end - begin)], (row - 0.35, 0.7), **look)
    ax.set_yticks(range(len(splits)), list(splits))
    ax.set_ylim(len(splits) - 0.4, -0.6)
    date_axis(ax, next(iter(splits.values())).series.timezone)
    legend_above(ax, handles=[Patch(label=name, **look) for name, look in PARTS.items()])
    return fig

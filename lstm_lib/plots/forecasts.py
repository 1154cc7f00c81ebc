"""Forecasts over time, and their errors by horizon or hour."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array
from lstm_lib.series import Series

from .lines import curves
from .look import PALETTE, date_axis, given_or_new, legend_above, line


def forecast(
    times: pd.DatetimeIndex,
    actual: Array,
    forecasts: Mapping[str, Array],
    unit: str,
    ax: Axes | None = None,
    bands: Mapping[str, tuple[Array, Array]] | None = None,
) -> Figure:
    """Measured series and forecasts over time.

    Parameters
    ----------
    times : (N,) stamps, in the time zone that the axis should show.
    actual : (N,) measured values; NaN leaves a gap.
    forecasts : name -> (N,) values, in the same unit.
    unit : of all values.
    bands : name -> low and high (N,), of intervals such as those of `Forecaster.forecast(series, level=0.9)`.

    >>> import numpy as np
    >>> times = pd.date_range("2010-01-01", periods=3, freq="h", tz="UTC")
    >>> fig = forecast(times, np.ones(3), {"LSTM": np.zeros(3)}, "kW")
    >>> fig.axes[0].get_ylabel()
    'power (kW)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (9, 3.6))
    ax.plot(times, actual, color=PALETTE["black"], lw=1.6, label="measured")
    for k, (name, values) in enumerate(forecasts.items()):
        ax.plot(times, values, lw=1.3, label=name, **line(k, marks=False))
    for k, (name, (low, high)) in enumerate((bands or {}).items()):
        ax.fill_between(times, low, high, color=line(k)["color"], alpha=0.25, lw=0, label=name)
    ax.set_ylabel(f"power ({unit})")
    date_axis(ax, times.tz)
    legend_above(ax, len(forecasts) + len(bands or {}) + 1)
    return fig


def newest(series: Series, table: pd.DataFrame, days: float = 7, ax: Axes | None = None) -> Figure:
    """The last days of a series as measured, and what comes next with its interval.

    Parameters
    ----------
    table : from `Forecaster.forecast`; the columns "low" and "high", where it has them, are the interval.
    days : of the series that are drawn.

    >>> import numpy as np
    >>> index = pd.date_range("2020-01-01", periods=48, freq="h", tz="UTC")
    >>> demo = Series("demo", pd.DataFrame({"load": np.arange(48.0)}, index), "load", "kW")
    >>> after = index[-2:] + pd.Timedelta("2h")
    >>> fig = newest(demo, pd.DataFrame({"forecast": [48.0, 49.0], "low": 40.0, "high": 60.0}, after))
    >>> fig.axes[0].get_ylabel(), [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    ('load (kW)', ['measured', 'interval', 'forecast'])
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (9, 3.6))
    past = series.frame[series.target].set_axis(series.local)
    past = past[past.index > past.index[-1] - pd.Timedelta(days=days)]
    ax.plot(past.index, past, color=PALETTE["black"], lw=1.4, label="measured")
    times = pd.DatetimeIndex(table.index).tz_convert(series.timezone)
    if "low" in table:
        band = ax.fill_between(times, table["low"], table["high"], color=PALETTE["sky"], alpha=0.35, lw=0)
        band.set_label("interval" if "level" not in table.attrs else f"{table.attrs['level']:.0%} interval")
    mark = "." if len(table) < 30 else ""
    ax.plot(times, table["forecast"], color=PALETTE["blue"], lw=1.8, marker=mark, label="forecast")
    ax.set_ylabel(f"{series.target} ({series.unit})" if series.unit else series.target)
    date_axis(ax, series.timezone)
    legend_above(ax)
    return fig


def drivers(table: pd.DataFrame, unit: str, ax: Axes | None = None) -> Figure:
    """What a forecast depends on: hours before it × inputs, the darker the more.

    Parameters
    ----------
    table : from `lstm_lib.forecasting.drivers.drivers`. unit : of the target.

    >>> fig = drivers(pd.DataFrame({"power": [1.0, 2.0]}, pd.Index([1.0, 0.0], name="hours before")), "kW")
    >>> fig.axes[0].get_xlabel()
    'hours before the forecast'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (9, 1.2 + 0.35 * len(table.columns)))
    mesh = ax.pcolormesh(
        table.index, range(len(table.columns)), table.T, cmap="cividis_r", vmin=0, shading="nearest"
    )
    ax.set_yticks(range(len(table.columns)), list(table.columns))
    ax.invert_xaxis()
    ax.set_xlabel("hours before the forecast")
    fig.colorbar(mesh, ax=ax, label=f"moves it by ({unit})")
    return fig


def errors_by(
    table: pd.DataFrame,
    unit: str,
    measure: str = "rmse",
    step: pd.Timedelta | str = "1h",
    shown: Collection[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """A measure of each forecast over the horizon or the hour.

    Parameters
    ----------
    table : from `compare(..., by=...)`.
    unit : of the measure; "" for one without.
    measure : a column of the table.
    step : of the series: a horizon of rows is shown in hours.
    shown : the forecasts that are drawn, in the colours that they have when all are; None draws all.

    >>> index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["forecast", "horizon"])
    >>> fig = errors_by(pd.DataFrame({"rmse": [1.0, 2.0, 3.0, 4.0]}, index), "kW")
    >>> fig.axes[0].get_xlabel(), fig.axes[0].get_ylabel()
    ('ahead (h)', 'RMSE (kW)')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (8, 3.4))
    wide = table[measure].unstack("forecast", sort=False)
    by, x = str(wide.index.name), wide.index.to_numpy()
    if by == "horizon":
        x = x * (pd.Timedelta(step) / pd.Timedelta("1h"))
    lines = {str(name): (x, values.to_numpy()) for name, values in wide.items()}
    looks = {name: k for k, name in enumerate(lines)}
    lines = {name: line for name, line in lines.items() if shown is None or name in shown}
    across = {"horizon": "ahead (h)", "hour": "hour of the day (local)"}.get(by, by)
    label = measure.upper() + (f" ({unit})" if unit else "")
    curves(lines, across, label, marks="equal", looks=looks, ax=ax)
    legend_above(ax)
    return fig

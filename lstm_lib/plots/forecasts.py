"""Forecasts over time, and learning over training time."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.dates as mdates
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array
from lstm_lib.plots.look import LINES, PALETTE, SEQUENCE, on


def forecast(
    times: pd.DatetimeIndex, actual: Array, forecasts: Mapping[str, Array], unit: str, ax: Axes | None = None
) -> Figure:
    """Measured series and forecasts over time.

    Parameters
    ----------
    times : (N,) stamps, in the time zone that the axis should show.
    actual : (N,) measured values; NaN leaves a gap.
    forecasts : name -> (N,) values, in the same unit.

    >>> import numpy as np
    >>> times = pd.date_range("2010-01-01", periods=3, freq="h", tz="UTC")
    >>> fig = forecast(times, np.ones(3), {"LSTM": np.zeros(3)}, "kW")
    >>> fig.axes[0].get_ylabel()
    'power (kW)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (9, 3.6))
    ax.plot(times, actual, color=PALETTE["black"], lw=1.6, label="measured")
    for k, (name, values) in enumerate(forecasts.items()):
        ax.plot(times, values, color=SEQUENCE[k], ls=LINES[k % len(LINES)], lw=1.3, label=name)
    ax.set_ylabel(f"power ({unit})")
    ax.set_xlabel(f"time ({times.tz})")
    locator = mdates.AutoDateLocator(tz=times.tz)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=times.tz))
    ax.legend(ncols=len(forecasts) + 1, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def learning(histories: Mapping[str, pd.DataFrame], unit: str, ax: Axes | None = None) -> Figure:
    """Validation error over training time, one line a run; `histories` maps a name to `Record.history`."""
    fig, ax = on(ax)
    for k, (name, history) in enumerate(histories.items()):
        seconds = history["seconds"].cumsum()
        ax.plot(
            seconds,
            history["valid_rmse"],
            marker="os^Dv"[k % 5],
            color=SEQUENCE[k % len(SEQUENCE)],
            label=name,
        )
    ax.set_xlabel("training time (s)")
    ax.set_ylabel(f"validation RMSE ({unit})")
    ax.set_xlim(left=0)
    ax.legend()
    return fig

"""Figures: each function takes what it draws and an optional axes, and returns the figure.

One palette for the whole course (Okabe and Ito's, told apart by colour-blind readers), one look, and `show`,
which puts a figure into a notebook together with the text a screen reader speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .cell import Array

PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
    "grey": "#7F7F7F",
}
GATE_COLOURS = {"f": PALETTE["blue"], "i": PALETTE["orange"], "o": PALETTE["green"], "g": PALETTE["purple"]}
SEQUENCE = [PALETTE[name] for name in ("blue", "orange", "green", "red", "purple", "sky", "black")]
LINES = ("-", "--", "-.", ":")  # beside colour, so that colour alone carries nothing

STYLE: dict[str, Any] = {
    "figure.figsize": (8, 3.6),
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": mpl.cycler(color=SEQUENCE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "lstm_lib",
}


def canvas(rows: int = 1, columns: int = 1, size: tuple[float, float] = (8, 3.6), **options: Any) -> tuple[Figure, Any]:
    """A figure and its axes in the course's look; arguments as `matplotlib.pyplot.subplots`.

    >>> fig, ax = canvas()
    >>> ax.spines["top"].get_visible()
    False
    >>> plt.close(fig)
    """
    with mpl.rc_context(STYLE):
        fig, axes = plt.subplots(rows, columns, figsize=size, **options)
    return fig, axes


def _on(ax: Axes | None, size: tuple[float, float] = (8, 3.6)) -> tuple[Figure, Axes]:
    """The given axes and its figure, or new ones."""
    if ax is None:
        fig, new = canvas(size=size)
        return fig, new
    return ax.get_figure(root=True), ax  # type: ignore[return-value]


def show(fig: Figure, alt: str) -> None:
    """Display a figure in a notebook with its alternative text, and close it.

    Raises ValueError for an empty text: a figure that some readers can't see needs words.
    """
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the figure shows")
    display(fig, metadata={"image/png": {"alt": alt}})
    plt.close(fig)


def forecast(
    times: pd.DatetimeIndex, actual: Array, forecasts: Mapping[str, Array], unit: str, ax: Axes | None = None
) -> Figure:
    """Measured series and forecasts over time.

    Parameters
    ----------
    times : (N,) stamps, in the time zone that the axis should show.
    actual : (N,) measured values; NaN leaves a gap.
    forecasts : name -> (N,) values, in the same unit.

    >>> times = pd.date_range("2010-01-01", periods=3, freq="h", tz="UTC")
    >>> fig = forecast(times, np.ones(3), {"LSTM": np.zeros(3)}, "kW")
    >>> fig.axes[0].get_ylabel()
    'power (kW)'
    >>> plt.close(fig)
    """
    fig, ax = _on(ax, (9, 3.6))
    ax.plot(times, actual, color=PALETTE["black"], lw=1.6, label="measured")
    for k, (name, values) in enumerate(forecasts.items()):
        ax.plot(times, values, color=SEQUENCE[k], ls=LINES[k % len(LINES)], lw=1.3, label=name)
    ax.set_ylabel(f"power ({unit})")
    ax.set_xlabel(f"time ({times.tz})")
    locator = mpl.dates.AutoDateLocator(tz=times.tz)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mpl.dates.ConciseDateFormatter(locator, tz=times.tz))
    ax.legend(ncols=len(forecasts) + 1, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def learning(histories: Mapping[str, pd.DataFrame], unit: str, ax: Axes | None = None) -> Figure:
    """Validation error over training time, one line a run; `histories` maps a name to `Record.history`."""
    fig, ax = _on(ax)
    for k, (name, history) in enumerate(histories.items()):
        seconds = history["seconds"].cumsum()
        ax.plot(seconds, history["valid_rmse"], marker="os^Dv"[k % 5], color=SEQUENCE[k % len(SEQUENCE)], label=name)
    ax.set_xlabel("training time (s)")
    ax.set_ylabel(f"validation RMSE ({unit})")
    ax.set_xlim(left=0)
    ax.legend()
    return fig

"""The forward pass: activations, and the gates and states of any cell over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array, Cell, sigmoid

from .look import PALETTE, SEQUENCE, Look, figure_of, given_or_new, legend_above, line, panels


def activation_curves(ax: Axes | None = None) -> Figure:
    """σ and tanh over the pre-activation z, and (1 + tanh(z/2))/2 as dots that fall on σ."""
    fig, ax = given_or_new(ax, (7, 3))
    z = np.linspace(-6, 6, 241)
    dots = z[::10]
    ax.plot(z, np.tanh(z), ls="--", color=PALETTE["red"], label="tanh(z)")
    ax.plot(z, sigmoid(z), color=PALETTE["blue"], label="σ(z)")
    ax.plot(dots, (1 + np.tanh(dots / 2)) / 2, "o", ms=4, color=PALETTE["black"], label="(1 + tanh(z/2))/2")
    ax.axhline(0, color=PALETTE["grey"], lw=0.8)
    ax.set(xlabel="pre-activation z", ylabel="value of the gate", yticks=[-1, -0.5, 0, 0.5, 1])
    ax.legend(loc="lower right", frameon=False)
    return fig


def half_life_curve(marks: Mapping[str, float], ax: Axes | None = None) -> Figure:
    """Steps after which half of a cell state is left, ln(1/2) / ln(f), over the forget gate's value.

    Parameters
    ----------
    marks : label -> value of f, 0 < f < 1, drawn as points on the curve.

    >>> fig = half_life_curve({"one step": 0.5})
    >>> fig.axes[0].lines[1].get_xydata().round(6).tolist()
    [[0.5, 1.0]]
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax)
    f = np.linspace(0.2, 0.998, 400)
    ax.semilogy(f, np.log(0.5) / np.log(f), color=PALETTE["blue"])
    for label, value in marks.items():
        n = np.log(0.5) / np.log(value)
        ax.plot(value, n, "o", color=PALETTE["red"])
        ax.annotate(f"{label}: {n:.3g}", (value, n), (-8, 6), textcoords="offset points", ha="right")
    ax.set(xlabel="forget gate f, the same at every step", ylabel="half-life (steps)", xlim=(0, 1.02))
    ticks = [0.5, 1, 2, 5, 10, 20, 50, 100, 200]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    return fig


def gates_over_time(
    times: pd.DatetimeIndex,
    power: Array,
    gates: Mapping[str, Array],
    cell: Cell,
    unit: str,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Heat maps of the G gates of a cell, one row a unit, below the measured power.

    Parameters
    ----------
    times : (N,) stamps at equal distances, in the time zone that the axis should show.
    power : (N,) measured values in `unit`.
    gates : letter of a gate -> (H, N) values, for all of `cell.gates`. In all maps the units stand in the order of
        the mean of the first gate: in an LSTM (f) and a GRU (z) those that keep least are on top.
    cell : its activations set the range of the colours: 0 to 1 for σ, -1 to 1 for tanh.
    axes : 1 + G axes, the power's first.
    """
    G, heights = len(cell.gates), (1.1, *(1,) * len(cell.gates))
    top, *maps = panels(axes, G + 1, 1, size=(9, 1.8 + 1.65 * G), sharex=True, height_ratios=heights)
    fig = figure_of(top)
    top.plot(times, power, color=PALETTE["black"], lw=1.2, drawstyle="steps-mid")
    top.set(ylabel=f"power ({unit})", ylim=(0, None))
    step = times[1] - times[0]
    edges = mdates.date2num(times.append(times[-1:] + step) - step / 2)
    order = np.argsort(gates[cell.gates[0]].mean(axis=1))
    rows = np.arange(len(order) + 1) - 0.5
    for ax, gate in zip(maps, cell.gates, strict=True):
        one_sided = cell.activations[gate] == "sigmoid"
        low, sign, colours = (0, "σ", "cividis") if one_sided else (-1, "tanh", "PuOr_r")
        look: Look = {"cmap": colours, "vmin": low, "vmax": 1, "gid": f"gate-{gate}"}
        mesh = ax.pcolormesh(edges, rows, gates[gate][order], **look)
        ax.grid(False)
        ax.invert_yaxis()
        ax.set_ylabel(f"{gate}\nunit")
        ax.set_yticks(range(len(order)), [str(k) for k in order], fontsize=6)
        fig.colorbar(mesh, ax=ax, label=f"{gate} ({sign})", ticks=[low, (low + 1) / 2, 1], pad=0.01)
    _day_axis(maps[-1], times)
    return fig


def gate_distributions(
    gates: Mapping[str, Mapping[str, Array]], axes: Sequence[Axes] | None = None
) -> Figure:
    """How often each value of a gate occurs: one panel a gate, one outline a cell.

    Parameters
    ----------
    gates : gate -> name of the cell -> values of any shape, all between -1 and 1.
    axes : one a gate.
    """
    import seaborn as sns

    axes = panels(axes, 1, len(gates), size=(9, 3.2), sharey=True)
    outline = {"bins": np.linspace(-1, 1, 41), "stat": "percent", "element": "step", "fill": False, "lw": 1.8}
    for ax, (gate, cells) in zip(axes, gates.items(), strict=True):
        for k, (name, values) in enumerate(cells.items()):
            sns.histplot(values.ravel(), ax=ax, label=name, **outline, **line(k, marks=False))
        ax.axvline(0, color=PALETTE["grey"], lw=0.8)
        ax.set(xlabel=f"value of {gate}", ylabel="share of the values (%)", xlim=(-1.05, 1.05))
        ax.label_outer()
    axes[0].set_ylim(bottom=0)
    legend_above(axes[0], len(cells), title="cell")
    return figure_of(axes[0])


def states_over_time(
    times: pd.DatetimeIndex,
    states: Mapping[str, Array],
    ylabel: str = "cell state c",
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """States over time, one panel a cell, one line a unit; the share below zero in the panel's title.

    Parameters
    ----------
    times : (N,) stamps, in the time zone that the axis should show.
    states : name of the cell -> (H, N), c of an LSTM or h of any cell.
    ylabel : which state.
    axes : one a cell.
    """
    axes = panels(axes, len(states), 1, size=(9, 4.6), sharex=True, sharey=True)
    for ax, (name, values), colour in zip(axes, states.items(), SEQUENCE, strict=False):
        ax.plot(times, values.T, color=colour, lw=0.9, alpha=0.8)
        ax.axhline(0, color=PALETTE["black"], lw=1)
        ax.set_ylabel(ylabel)
        ax.set_title(f"{name} cell: {(values < 0).mean():.0%} of the values are below 0", loc="left")
    axes[-1].margins(x=0)
    _day_axis(axes[-1], times)
    return figure_of(axes[0])


def _day_axis(ax: Axes, times: pd.DatetimeIndex) -> None:
    """A tick each midnight with the day's name, in the stamps' own time zone."""
    ax.xaxis.set_major_locator(mdates.DayLocator(tz=times.tz))
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%a %d %b", tz=times.tz))
    ax.xaxis.set_minor_locator(mdates.HourLocator(byhour=[6, 12, 18], tz=times.tz))
    ahead = (times[0].tz_localize(None) - times[0].tz_convert(None)) / pd.Timedelta(hours=1)  # of UTC
    ax.set_xlabel(f"local time (UTC{ahead:+g}), {times[0]:%Y}; the day's name stands at midnight")

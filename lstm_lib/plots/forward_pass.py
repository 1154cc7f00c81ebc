"""The forward pass: activations, and the gates and states of any cell over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array, Cell, sigmoid

from .look import GATE_COLOURS, PALETTE, Look, figure_of, given_or_new, panels


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


def one_unit(z: Mapping[str, float], c_prev: float, ax: Axes | None = None) -> Figure:
    """A step of one unit of the standard LSTM, as bars: its four gates, the state before and after, and its output.

    Parameters
    ----------
    z : the pre-activations of f, i, o and g. c_prev : the state before.

    >>> fig = one_unit({"f": 0, "i": 0, "o": 0, "g": 0}, 1.0)
    >>> [round(float(bar.get_width()), 3) for bar in fig.axes[0].patches[:7]]
    [0.5, 0.5, 0.0, 0.5, 1.0, 0.5, 0.231]
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (8, 3.4))
    f, i, o = (float(sigmoid(z[gate])) for gate in "fio")
    g = float(np.tanh(z["g"]))
    c = f * c_prev + i * g
    bars = {
        "f: keeps": f, "i: lets in": i, "g: offers": g, "o: shows": o,
        "c before": c_prev, "c = f c + i g": c, "h = o tanh(c)": o * float(np.tanh(c)),
    }  # fmt: skip
    colours = [GATE_COLOURS[gate] for gate in "figo"] + [PALETTE["grey"], PALETTE["black"], PALETTE["black"]]
    ax.barh(list(bars), list(bars.values()), color=colours, height=0.65)
    for row, value in enumerate(bars.values()):
        side = "left" if value >= 0 else "right"
        ax.annotate(f"{value:.2f}", (value, row), (4 if value >= 0 else -4, 0), textcoords="offset points",
                    ha=side, va="center", fontsize=9)  # fmt: skip
    ax.axvline(0, color=PALETTE["black"], lw=0.8)
    ax.axvspan(-1, 1, color=PALETTE["grey"], alpha=0.1, lw=0)
    reach = max(2.6, 1.15 * abs(c_prev), 1.15 * abs(c))
    ax.set(xlabel="value (grey: between -1 and 1)", xlim=(-reach, reach))
    ax.invert_yaxis()
    return fig


def _day_axis(ax: Axes, times: pd.DatetimeIndex) -> None:
    """A tick each midnight with the day's name, in the stamps' own time zone."""
    ax.xaxis.set_major_locator(mdates.DayLocator(tz=times.tz))
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%a %d %b", tz=times.tz))
    ax.xaxis.set_minor_locator(mdates.HourLocator(byhour=[6, 12, 18], tz=times.tz))
    ahead = (times[0].tz_localize(None) - times[0].tz_convert(None)) / pd.Timedelta(hours=1)  # of UTC
    ax.set_xlabel(f"local time (UTC{ahead:+g}), {times[0]:%Y}; the day's name stands at midnight")

"""The forward pass: activations, the cell, its gates and states over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lstm_lib.network.cells import CELLS, GATES, Array, Cell, sigmoid
from lstm_lib.plots.look import GATE_COLOURS, LINES, PALETTE, SEQUENCE, canvas, on

_EQUATIONS = {"f": 1, "i": 2, "o": 3, "g": 5}  # the brief's numbers
# from left to right as the data flow, not as they are stored
_GATE_AT = {"f": 2.3, "i": 4.0, "g": 5.7, "o": 7.4}


def activation_curves(ax: Axes | None = None) -> Figure:
    """σ and tanh over the pre-activation z, and (1 + tanh(z/2))/2 as dots that fall on σ."""
    fig, ax = on(ax, (7, 3))
    z = np.linspace(-6, 6, 241)
    ax.plot(z, np.tanh(z), ls="--", color=PALETTE["red"], label="tanh(z)")
    ax.plot(z, sigmoid(z), color=PALETTE["blue"], label="σ(z)")
    ax.plot(
        z[::10], (1 + np.tanh(z[::10] / 2)) / 2, "o", ms=4, color=PALETTE["black"], label="(1 + tanh(z/2))/2"
    )
    ax.axhline(0, color=PALETTE["grey"], lw=0.8)
    ax.set(xlabel="pre-activation z", ylabel="value of the gate", yticks=[-1, -0.5, 0, 0.5, 1])
    ax.legend(loc="lower right", frameon=False)
    return fig


def cell_diagram(cell: Cell, ax: Axes | None = None) -> Figure:
    """The data flow of one step of a cell, with its activations and the brief's equation numbers.

    The cell state runs along the top, the sources h_prev and x along the bottom. A heavy frame marks an
    activation that differs from the standard cell's.

    >>> fig = cell_diagram(CELLS["brief"])
    >>> [text.get_text() for text in fig.axes[0].texts if text.get_gid() == "gate-o"]
    ['tanh']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (9, 4.9))
    ax.set(xlim=(-1.4, 12.4), ylim=(-0.95, 6.15), aspect="equal")
    ax.axis("off")
    ax.add_patch(_rounded((0.3, 0.1), 10.6, 5.75, facecolor="#F5F5F2", edgecolor="#BBBBBB", zorder=0))

    state, bus, product = 4.9, 0.75, 3.55  # heights of the c line, of the sources, and of the products
    i_times_g, out = (_GATE_AT["i"] + _GATE_AT["g"]) / 2, 8.7
    _wire(ax, [(-0.5, state), (11.6, state)], lw=3.2)
    _wire(ax, [(-0.5, bus), (_GATE_AT["o"], bus)], arrow=False)
    _wire(ax, [(1.1, -0.55), (1.1, bus)], arrow=False)
    ax.plot(1.1, bus, "o", ms=5, color=PALETTE["black"])
    for gate, x in _GATE_AT.items():
        _wire(ax, [(x, bus), (x, 1.5)])
        _gate_box(ax, cell, gate, (x, 1.9))
    _wire(ax, [(_GATE_AT["f"], 2.3), (_GATE_AT["f"], state - 0.25)], colour=GATE_COLOURS["f"])
    for gate, side in (("i", -0.25), ("g", 0.25)):
        x = _GATE_AT[gate]
        _wire(ax, [(x, 2.3), (x, product), (i_times_g + side, product)], colour=GATE_COLOURS[gate])
    _wire(ax, [(i_times_g, product + 0.25), (i_times_g, state - 0.25)])
    _wire(ax, [(_GATE_AT["o"], 2.3), (_GATE_AT["o"], 2.75), (out - 0.25, 2.75)], colour=GATE_COLOURS["o"])
    _wire(ax, [(out, state), (out, 4.1)])
    _wire(ax, [(out, 3.55), (out, 3.0)])
    _wire(ax, [(out, 2.5), (out, bus), (11.6, bus)])
    ax.plot(out, state, "o", ms=5, color=PALETTE["black"])

    ax.add_patch(_rounded((out - 0.45, 3.58), 0.9, 0.5, facecolor="white", edgecolor=PALETTE["black"]))
    ax.text(out, 3.82, "tanh", ha="center", va="center", fontsize=10)
    for at, sign in (
        ((_GATE_AT["f"], state), "×"),
        ((i_times_g, product), "×"),
        ((out, 2.75), "×"),
        ((i_times_g, state), "+"),
    ):
        ax.plot(*at, "o", ms=17, color="white", mec=PALETTE["black"], mew=1.2, zorder=4)
        ax.text(*at, sign, ha="center", va="center_baseline", fontsize=14, zorder=5)

    for at, text, align in (
        ((-0.6, state), "$c_{t-1}$", "right"), ((11.7, state), "$c_t$", "left"),
        ((-0.6, bus), "$h_{t-1}$", "right"), ((11.7, bus), "$h_t$", "left"),
        ((1.1, -0.75), "$x_t$", "center"),
    ):  # fmt: skip
        ax.text(*at, text, ha=align, va="center", fontsize=14)
    ax.text(
        i_times_g,
        state + 0.52,
        r"$c_t = f \circ c_{t-1} + i \circ g$   (4)",
        ha="center",
        va="center",
        fontsize=11,
    )
    ax.text(out + 0.12, 1.75, r"$h_t = o \circ \tanh(c_t)$" + "\n(6)", ha="left", va="center", fontsize=11)
    ax.text(
        4.85,
        0.38,
        "$z = W_x x_t + W_h h_{t-1} + b$, one row block for each gate",
        ha="center",
        va="center",
        fontsize=9,
    )
    note = "" if cell == CELLS["standard"] else " (heavy frame: not as in the standard cell)"
    ax.set_title(f"the {cell.name} cell{note}", loc="left")
    return fig


def _gate_box(ax: Axes, cell: Cell, gate: str, at: tuple[float, float]) -> None:
    """A gate's box with its activation inside, its letter and equation number beside the wire above."""
    x, y = at
    name = getattr(cell, gate)
    differs = name != getattr(CELLS["standard"], gate)
    frame = (
        {"edgecolor": PALETTE["black"], "linewidth": 3.0} if differs else {"edgecolor": GATE_COLOURS[gate]}
    )
    ax.add_patch(
        _rounded(
            (x - 0.55, y - 0.4),
            1.1,
            0.8,
            facecolor=mpl.colors.to_rgba(GATE_COLOURS[gate], 0.3),
            gid=f"gate-{gate}",
            **frame,
        )
    )
    ax.text(
        x,
        y,
        {"sigmoid": "σ", "tanh": "tanh"}[name],
        ha="center",
        va="center",
        fontsize=13,
        gid=f"gate-{gate}",
    )
    ax.text(x + 0.1, y + 0.62, f"${gate}$  ({_EQUATIONS[gate]})", ha="left", va="center", fontsize=11)


def _rounded(corner: tuple[float, float], width: float, height: float, **look: Any) -> FancyBboxPatch:
    return FancyBboxPatch(
        corner,
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.15",
        **{"linewidth": 1.2, "zorder": 3} | look,
    )


def _wire(
    ax: Axes,
    points: Sequence[tuple[float, float]],
    colour: str = PALETTE["black"],
    lw: float = 1.6,
    arrow: bool = True,
) -> None:
    """A line through the points, with a head at the last one."""
    ax.plot(*zip(*points, strict=True), color=colour, lw=lw, solid_joinstyle="round", zorder=2)
    if arrow:
        style = {
            "arrowstyle": "-|>",
            "color": colour,
            "lw": lw,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 13,
        }
        ax.annotate("", points[-1], points[-2], arrowprops=style, zorder=2)


def gates_over_time(
    times: pd.DatetimeIndex,
    power: Array,
    gates: Mapping[str, Array],
    cell: Cell,
    unit: str,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Heat maps of the gates, one row a unit, below the measured power.

    Parameters
    ----------
    times : (N,) stamps at equal distances, in the time zone that the axis should show.
    power : (N,) measured values in `unit`.
    gates : "f", "i", "o", "g" -> (H, N) values. In all maps the units stand in the order of their mean f:
        those that forget most on top.
    cell : its activations set the range of the colours: 0 to 1 for σ, -1 to 1 for tanh.
    axes : five axes, the power's first.
    """
    if axes is None:
        _, axes = canvas(5, 1, (9, 8.4), sharex=True, height_ratios=(1.1, 1, 1, 1, 1))
    top, *maps = axes
    top.plot(times, power, color=PALETTE["black"], lw=1.2, drawstyle="steps-mid")
    top.set(ylabel=f"power ({unit})", ylim=(0, None))
    step = times[1] - times[0]
    edges = mdates.date2num(times.append(times[-1:] + step) - step / 2)
    order = np.argsort(gates["f"].mean(axis=1))
    for ax, gate in zip(maps, GATES, strict=True):
        one_sided = getattr(cell, gate) == "sigmoid"
        mesh = ax.pcolormesh(
            edges, np.arange(len(order) + 1) - 0.5, gates[gate][order], gid=f"gate-{gate}",
            cmap="cividis" if one_sided else "PuOr_r", vmin=0 if one_sided else -1, vmax=1,
        )  # fmt: skip
        ax.grid(False)
        ax.invert_yaxis()
        ax.set(ylabel=f"{gate}\nunit", yticks=range(len(order)))
        ax.set_yticklabels([str(k) for k in order], fontsize=6)
        activation = "σ" if one_sided else "tanh"
        ax.get_figure().colorbar(
            mesh,
            ax=ax,
            label=f"{gate} ({activation})",
            ticks=[0, 0.5, 1] if one_sided else [-1, 0, 1],
            pad=0.01,
        )
    _day_axis(maps[-1], times)
    return top.get_figure(root=True)  # type: ignore[return-value]


def _day_axis(ax: Axes, times: pd.DatetimeIndex) -> None:
    """A tick each midnight with the day's name, in the stamps' own time zone."""
    ax.xaxis.set_major_locator(mdates.DayLocator(tz=times.tz))
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%a %d %b", tz=times.tz))
    ax.xaxis.set_minor_locator(mdates.HourLocator(byhour=[6, 12, 18], tz=times.tz))
    ahead = (times[0].tz_localize(None) - times[0].tz_convert(None)) / pd.Timedelta(hours=1)  # of UTC
    ax.set_xlabel(f"local time (UTC{ahead:+g}), {times[0]:%Y}; the day's name stands at midnight")


def gate_distributions(
    gates: Mapping[str, Mapping[str, Array]], axes: Sequence[Axes] | None = None
) -> Figure:
    """How often each value of a gate occurs: one panel a gate, one outline a cell.

    Parameters
    ----------
    gates : gate -> name of the cell -> values of any shape, all between -1 and 1.
    """
    if axes is None:
        _, axes = canvas(1, len(gates), (9, 3.2), sharey=True)
    bins = np.linspace(-1, 1, 41)
    for ax, (gate, cells) in zip(axes, gates.items(), strict=True):
        for k, (name, values) in enumerate(cells.items()):
            share = np.full(values.size, 100 / values.size)
            ax.hist(
                values.ravel(),
                bins,
                weights=share,
                histtype="step",
                lw=1.8,
                color=SEQUENCE[k],
                ls=LINES[k],
                label=name,
            )
        ax.axvline(0, color=PALETTE["grey"], lw=0.8)
        ax.set(xlabel=f"value of {gate}", xlim=(-1.05, 1.05))
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(cells), title="cell", frameon=False)
    axes[0].set_ylabel("share of the values (%)")
    return axes[0].get_figure(root=True)  # type: ignore[return-value]


def states_over_time(
    times: pd.DatetimeIndex, states: Mapping[str, Array], axes: Sequence[Axes] | None = None
) -> Figure:
    """Cell states over time, one panel a cell, one line a unit; the share below zero in the panel's title.

    Parameters
    ----------
    times : (N,) stamps, in the time zone that the axis should show.
    states : name of the cell -> c (H, N).
    """
    if axes is None:
        _, axes = canvas(len(states), 1, (9, 4.6), sharex=True, sharey=True)
    for ax, (name, c), colour in zip(axes, states.items(), SEQUENCE, strict=False):
        ax.plot(times, c.T, color=colour, lw=0.9, alpha=0.8)
        ax.axhline(0, color=PALETTE["black"], lw=1)
        ax.set_ylabel("cell state c")
        ax.set_title(f"{name} cell: {(c < 0).mean():.0%} of the values are below 0", loc="left")
    axes[-1].margins(x=0)
    _day_axis(axes[-1], times)
    return axes[0].get_figure(root=True)  # type: ignore[return-value]


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
    fig, ax = on(ax, (8, 3.6))
    f = np.linspace(0.2, 0.998, 400)
    ax.semilogy(f, np.log(0.5) / np.log(f), color=PALETTE["blue"])
    for label, value in marks.items():
        n = np.log(0.5) / np.log(value)
        ax.plot(value, n, "o", color=PALETTE["red"])
        ax.annotate(f"{label}: {n:.3g}", (value, n), (-8, 6), textcoords="offset points", ha="right")
    ax.set(xlabel="forget gate f, the same at every step", ylabel="half-life (steps)", xlim=(0, 1.02))
    ax.set_yticks(
        [0.5, 1, 2, 5, 10, 20, 50, 100, 200], ["0.5", "1", "2", "5", "10", "20", "50", "100", "200"]
    )
    ax.minorticks_off()
    return fig

"""Figures: each function takes what it draws and an optional axes, and returns the figure.

One palette for the whole course (Okabe and Ito's, told apart by colour-blind readers), one look, and `show`,
which puts a figure into a notebook together with the text a screen reader speaks.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from .cell import CELLS, GATES, Array, Cell, sigmoid
from .spec import Spec
from .zones import Zone, nothing

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
    "axes.prop_cycle": cycler(color=SEQUENCE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "lstm_lib",
}


def canvas(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (8, 3.6), **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes in the course's look; arguments as `matplotlib.pyplot.subplots`.

    >>> fig, ax = canvas()
    >>> ax.spines["top"].get_visible()
    False
    >>> plt.close(fig)
    """
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]  # the stubs want a literal
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
    locator = mdates.AutoDateLocator(tz=times.tz)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=times.tz))
    ax.legend(ncols=len(forecasts) + 1, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def learning(histories: Mapping[str, pd.DataFrame], unit: str, ax: Axes | None = None) -> Figure:
    """Validation error over training time, one line a run; `histories` maps a name to `Record.history`."""
    fig, ax = _on(ax)
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


# --------------------------------------------------------------------------- back-propagation through time


def unrolled(steps: int = 4, span: int | None = None, ax: Axes | None = None) -> Figure:
    """The chain of time steps: states go forward along the top, errors come back along the bottom.

    Parameters
    ----------
    steps : T, how many steps are drawn; the head stands on the last one.
    span : draw errors for the last `span` steps only; None for all.

    >>> fig = unrolled(steps=3, span=2)
    >>> [t.get_text() for t in fig.axes[0].texts if "step" in t.get_text()]
    ['step 1', 'step 2', 'step 3']
    >>> plt.close(fig)
    """
    fig, ax = _on(ax, (9, 3.0))
    first = 1 if span is None else steps - span + 1  # the earliest step that gets an error
    forward, error = PALETTE["black"], PALETTE["red"]

    def arrow(start: tuple[float, float], end: tuple[float, float], text: str, back: bool = False) -> None:
        look = {"color": error, "ls": "--"} if back else {"color": forward, "ls": "-"}
        ax.annotate(
            "", end, start, arrowprops={"arrowstyle": "-|>", "lw": 1.4, "shrinkA": 0, "shrinkB": 0, **look}
        )
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        if start[1] == end[1]:
            behind = {"fc": "white", "ec": "none", "pad": 0.5}
            ax.text(x, y + 0.07, text, color=look["color"], ha="center", va="bottom", bbox=behind)
        else:
            ax.text(x + 0.05, y, text, color=look["color"], ha="left", va="center")

    def box(x: float, y: float, text: str, half: tuple[float, float], color: str = forward) -> None:
        corner, size = (x - half[0], y - half[1]), (2 * half[0], 2 * half[1])
        ax.add_patch(mpl.patches.Rectangle(corner, *size, fc="white", ec=color, lw=1.2, zorder=2))
        ax.text(x, y, text, ha="center", va="center", color=color, zorder=3)

    for t in range(1, steps + 1):
        box(t, 0, f"step {t}", (0.24, 0.5), forward if t >= first else PALETTE["grey"])
        arrow((t, -1.1), (t, -0.5), f"$x_{t}$")
        if t < steps:
            arrow((t + 0.24, 0.24), (t + 0.76, 0.24), f"$c_{t}, h_{t}$")
            if t >= first:
                arrow((t + 0.76, -0.28), (t + 0.24, -0.28), f"$dc_{t}, dh_{t}$", back=True)
    box(steps, 1.4, "head, loss $L$", (0.42, 0.24))
    arrow((steps - 0.1, 0.5), (steps - 0.1, 1.16), "")
    arrow((steps + 0.1, 1.16), (steps + 0.1, 0.5), f"$dh_{steps}$", back=True)
    if first > 1:
        ax.axvline(first - 0.5, color=PALETTE["blue"], ls=":", lw=1.6, zorder=0)
        ax.text(first - 0.45, 1.4, f"span = {span}", color=PALETTE["blue"], va="center")
    ax.set(xlim=(0.6, steps + 0.6), ylim=(-1.2, 1.75))
    ax.set_axis_off()
    return fig


def training_loss(
    curves: Mapping[str, Array], xlabel: str = "training step", ax: Axes | None = None
) -> Figure:
    """Training loss, one line a run; `curves` maps a name to (n,) losses, counted from 1 along the axis."""
    fig, ax = _on(ax)
    for k, (name, values) in enumerate(curves.items()):
        few = len(values) <= 20
        ax.plot(
            np.arange(1, len(values) + 1),
            values,
            color=SEQUENCE[k],
            ls=LINES[k % len(LINES)],
            marker="os^Dv"[k % 5] if few else "",
            ms=9 - 4 * (k % 2),  # one curve on top of another shows as a mark within a mark
            label=name,
        )
    ax.set_xlabel(xlabel)
    ax.set_ylabel("loss")
    ax.legend()
    return fig


def by_span(
    curves: Mapping[str, tuple[Array, Array]], ylabel: str, log: bool = False, ax: Axes | None = None
) -> Figure:
    """Something as a function of the span, one marked line a case; `curves` maps a name to (spans, values).

    Values of 0 have no place on a logarithmic axis and are left out there.
    """
    fig, ax = _on(ax)
    for k, (name, (spans, values)) in enumerate(curves.items()):
        shown = np.where(np.asarray(values) > 0, values, np.nan) if log else values
        ax.plot(
            spans, shown, color=SEQUENCE[k], ls=LINES[k % len(LINES)], marker="os^Dv"[k % 5], ms=5, label=name
        )
    if log:
        ax.set_yscale("log")
    ax.set_xlabel("span (time steps)")
    ax.set_ylabel(ylabel)
    ax.legend()
    return fig


def by_step(
    curves: Mapping[str, Array],
    ylabel: str,
    log: bool = False,
    limit: tuple[float, str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Something at every time step 1 … T, one line a case.

    Parameters
    ----------
    curves : name -> (T,) values, first step first; 0 is left out on a logarithmic axis.
    limit : a value to mark with a horizontal line, and what to call it.
    """
    fig, ax = _on(ax)
    for k, (name, values) in enumerate(curves.items()):
        shown = np.where(np.asarray(values) > 0, values, np.nan) if log else values
        ax.plot(np.arange(1, len(values) + 1), shown, color=SEQUENCE[k], ls=LINES[k % len(LINES)], label=name)
    if limit is not None:
        ax.axhline(limit[0], color=PALETTE["grey"], lw=1)
        ax.annotate(
            limit[1],
            (0.995, limit[0]),
            (0, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
        )
    if log:
        ax.set_yscale("log")
    ax.set_xlabel("time step")
    ax.set_ylabel(ylabel)
    ax.legend()
    return fig


def work_shares(shares: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """Stacked bars that each add up to 100 %: one bar a row of `shares`, one part a column (values 0 to 1).

    >>> fig = work_shares(pd.DataFrame({"forward": [0.4], "weights": [0.6]}, index=["counted"]))
    >>> fig.axes[0].get_xlabel()
    'share of one training step (%)'
    >>> plt.close(fig)
    """
    fig, ax = _on(ax, (8, 1.2 + 0.6 * len(shares)))
    left = np.zeros(len(shares))
    for k, part in enumerate(shares.columns):
        width = 100 * shares[part].to_numpy()
        bars = ax.barh(
            shares.index,
            width,
            left=left,
            height=0.6,
            label=part,
            color=("#D9D9D9", PALETTE["sky"], PALETTE["orange"])[k % 3],
            hatch=("", "//", "..")[k % 3],
            edgecolor="white",
        )
        ax.bar_label(
            bars,
            [f"{w:.0f}" for w in width],
            label_type="center",
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none"},
        )
        left += width
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of one training step (%)")
    ax.grid(axis="y", visible=False)
    ax.legend(ncols=len(shares.columns), loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


# ------------------------------------------------------------------------------------------- the forward pass

_EQUATIONS = {"f": 1, "i": 2, "o": 3, "g": 5}  # the brief's numbers
# from left to right as the data flow, not as they are stored
_GATE_AT = {"f": 2.3, "i": 4.0, "g": 5.7, "o": 7.4}


def activation_curves(ax: Axes | None = None) -> Figure:
    """σ and tanh over the pre-activation z, and (1 + tanh(z/2))/2 as dots that fall on σ."""
    fig, ax = _on(ax, (7, 3))
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
    >>> plt.close(fig)
    """
    fig, ax = _on(ax, (9, 4.9))
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
    >>> plt.close(fig)
    """
    fig, ax = _on(ax, (8, 3.6))
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


# ------------------------------------------------------------------------------------------------ gradients


def difference_errors(
    curves: Mapping[str, tuple[Array, Array]],
    guides: Mapping[str, tuple[Array, Array]] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Relative error of difference quotients over the step ε, both axes logarithmic.

    Parameters
    ----------
    curves : name of the method -> (ε, relative error), both (n,) and above 0.
    guides : label -> (ε, value), expected errors, drawn as thin grey lines with the label at their end.

    >>> eps = np.array([1e-2, 1e-4])
    >>> fig = difference_errors({"central": (eps, eps**2)})
    >>> fig.axes[0].get_xscale(), fig.axes[0].get_yscale()
    ('log', 'log')
    >>> plt.close(fig)
    """
    fig, ax = _on(ax, (8, 4))
    for label, (eps, value) in (guides or {}).items():
        ax.plot(eps, value, color=PALETTE["grey"], lw=1)
        ax.annotate(
            label, (eps[-1], value[-1]), (4, 0), textcoords="offset points", color="#555555", va="center"
        )
    for k, (name, (eps, error)) in enumerate(curves.items()):
        ax.plot(
            eps,
            error,
            marker="os^Dv"[k % 5],
            ms=7 - 3 * (k % 2),
            lw=1,
            color=SEQUENCE[k],
            ls=LINES[k],
            label=name,
        )
    ax.set(xscale="log", yscale="log", xlabel="step ε", ylabel="largest relative error")
    ax.legend()
    return fig


def two_roads(ax: Axes | None = None) -> Figure:
    """The error's way through one step: along the cell state (c road) and through the gates (h road).

    Every arrow points backward in time or toward a cause and bears the factor that the error takes there.
    """
    fig, ax = _on(ax, (9, 4.4))
    box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": PALETTE["black"], "lw": 1.2}
    nodes = {
        "$c_{t-1}$": (0, 3), "$c_t$": (5.2, 3), "$h_{t-1}$": (0, 0), "$h_t$": (5.2, 0), "$z_t$": (2.4, 0),
    }  # fmt: skip
    for name, at in nodes.items():
        ax.text(*at, name, ha="center", va="center", fontsize=15, bbox=box, zorder=3)

    def road(start: tuple[float, float], end: tuple[float, float], factor: str, to: str, kind: str) -> None:
        colour, ls, lw = {
            "c": (PALETTE["blue"], "-", 3.4),
            "h": (PALETTE["red"], "--", 2.4),
            "link": (PALETTE["black"], "-", 1.3),
        }[kind]
        arrow = {"arrowstyle": "-|>", "color": colour, "ls": ls, "lw": lw, "mutation_scale": 16}
        ax.annotate("", end, start, arrowprops=arrow, gid=f"{kind}-road")
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        dx, dy, ha, va = {
            "above": (0, 0.14, "center", "bottom"),
            "below": (0, -0.16, "center", "top"),
            "right": (0.16, 0, "left", "center"),
            "left": (-0.2, 0.05, "right", "center"),
        }[to]
        ax.text(x + dx, y + dy, factor, ha=ha, va=va, color=colour, fontsize=11)

    road((4.8, 3), (0.45, 3), r"c road: $\times\, f_t$", "above", "c")
    road((7.9, 3), (5.6, 3), r"from step $t+1$: $\times\, f_{t+1}$", "above", "c")
    road((2.0, 0), (0.5, 0), r"h road: $\times\, W_h^\top$", "above", "h")
    road((7.9, 0), (5.6, 0), r"from step $t+1$: $W_h^\top dz_{t+1}$", "above", "h")
    road((5.2, -1.3), (5.2, -0.38), "from the loss", "right", "link")
    road((5.2, 0.38), (5.2, 2.62), r"$\times\, o\,(1-\tanh^2 c)$", "right", "link")
    road((4.8, 0), (2.75, 0), r"$\times\tanh c \circ o'$", "below", "link")
    road((4.88, 2.65), (2.65, 0.35), r"$\times\, c_{t-1} f'\!,\; g\, i'\!,\; i\, g'$", "left", "link")
    road((2.4, -0.38), (2.4, -1.3), r"$dW_x,\ dW_h,\ db$", "right", "link")
    ax.set(xlim=(-0.6, 8.6), ylim=(-1.5, 3.6))
    ax.axis("off")
    return fig


def vanishing(
    errors: Mapping[float, Array],
    ylabel: str,
    alone: Mapping[float, Array] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Norm of an error at every time step for several forget biases, logarithmic; the loss is at the right.

    Parameters
    ----------
    errors : forget bias -> (T,) norms, first step first.
    alone : the same for the c road alone, drawn thin and dotted in the colour of its bias.
    """
    fig, ax = _on(ax, (7, 4))
    for k, (bias, norms) in enumerate(errors.items()):
        t = np.arange(1, len(norms) + 1)
        ax.semilogy(
            t, norms, color=SEQUENCE[k], marker="os^Dv"[k % 5], markevery=(4 * k, 20), ms=5,
            label=f"$b_f$ = {bias:g}".replace("-", "−"),
        )  # fmt: skip
        if alone is not None:
            ax.semilogy(t, alone[bias], color=SEQUENCE[k], ls=":", lw=1.4)
    if alone is not None:
        ax.plot([], color=PALETTE["black"], ls=":", lw=1.4, label="c road alone")
    ax.set(xlabel="time step t", ylabel=ylabel)
    ax.legend(ncols=2, loc="lower right", fontsize="small")
    return fig


# -------------------------------------------------------------------------------- the front door: what is isolated

_ISOLATED: dict[str, Any] = {
    "facecolor": "#E8E8E8",
    "edgecolor": PALETTE["grey"],
    "hatch": "////",
    "linewidth": 0,
}


def arc_map(spec: Spec, isolated: Zone | None = None, layer: int = 0, ax: Axes | None = None) -> Figure:
    """The matrices of one layer and of the head, row by row to scale; active arcs coloured, isolated ones hatched.

    Rows are the four gates' units (4H), columns the sources: D inputs (Wx), H units (Wh), the bias (b), drawn
    wider than its one column. The head stands to the right, turned so that its rows are the units it reads.

    >>> from lstm_lib import zone
    >>> spec = Spec(inputs=3, units=(4,), outputs=1)
    >>> fig = arc_map(spec, ~zone(spec, layer="head"))
    >>> [t.get_text() for t in fig.axes[0].texts if t.get_gid() == "gate"]
    ['f', 'i', 'o', 'g']
    >>> plt.close(fig)
    """
    fig, ax = _on(ax, (6, 3.6))
    isolated = nothing(spec) if isolated is None else isolated
    H, D = spec.units[layer], spec.fan_in(layer)
    thin, gap = max(2.0, 0.05 * (D + H)), 0.06 * (D + H)  # a column of one arc would not be seen
    left = 0.0
    for name, columns, width in (("Wx", D, float(D)), ("Wh", H, float(H)), ("b", 1, thin)):
        mask = isolated.mask(f"{layer}/{name}").reshape(4 * H, columns)
        for k, gate in enumerate(GATES):
            block = mask[k * H : (k + 1) * H]
            _arcs(ax, block, (left, k * H * 1.06), (width, H), GATE_COLOURS[gate])
        _name(
            ax,
            left + width / 2,
            -0.12 * H,
            f"$W_x$ ({D})" if name == "Wx" else f"$W_h$ ({H})" if name == "Wh" else "$b$",
        )
        left += width + gap
    for k, gate in enumerate(GATES):
        _name(
            ax,
            -gap / 2,
            (k * 1.06 + 0.5) * H,
            gate,
            "gate",
            ha="right",
            va="center",
            color=GATE_COLOURS[gate],
            weight="bold",
        )
    head = np.vstack([isolated.mask("head/W").T, isolated.mask("head/b")[None]])
    left += 2 * gap
    _arcs(ax, head, (left, 1.5 * H), (thin * spec.outputs, H * 1.06), PALETTE["black"])
    _name(ax, left + thin * spec.outputs / 2, 1.38 * H, "head")
    ax.set(xlim=(-2 * gap, left + thin * spec.outputs + 1.5 * gap), ylim=(4.3 * H, -0.45 * H))
    ax.set_axis_off()
    return fig


def _arcs(ax: Axes, mask: Array, corner: tuple[float, float], size: tuple[float, float], colour: str) -> None:
    """One matrix block as rectangles: rows of one pattern together, each cut where isolated meets active."""
    rows, columns = mask.shape
    high, wide = size[1] / rows, size[0] / columns
    for first, last in _runs(mask):
        for start, stop in _runs(mask[first].reshape(-1, 1)):
            look: dict[str, Any] = (
                _ISOLATED
                if mask[first, start]
                else {"facecolor": colour, "edgecolor": colour, "linewidth": 0}
            )
            at = (corner[0] + start * wide, corner[1] + first * high)
            ax.add_patch(mpl.patches.Rectangle(at, (stop - start) * wide, (last - first) * high, **look))
    ax.add_patch(mpl.patches.Rectangle(corner, *size, fill=False, ec=PALETTE["black"], lw=0.8))


def _runs(rows: Array) -> Iterator[tuple[int, int]]:
    """(first, last) of neighbouring rows that are equal.

    >>> list(_runs(np.array([[1], [1], [0]])))
    [(0, 2), (2, 3)]
    """
    edges = [0, *(1 + np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1))).tolist(), len(rows)]
    yield from itertools.pairwise(edges)


def _name(ax: Axes, x: float, y: float, text: str, gid: str | None = None, **look: Any) -> None:
    ax.text(x, y, text, gid=gid, **({"ha": "center", "va": "bottom"} | look))


def span_strip(steps: int, span: int, ax: Axes | None = None) -> Figure:
    """The T time steps of a window in a row: the last `span` are back-propagated, those before are hatched."""
    fig, ax = _on(ax, (6, 1.0))
    for t in range(steps):
        kept = t >= steps - span
        look: dict[str, Any] = (
            {"facecolor": PALETTE["orange"], "edgecolor": "white", "linewidth": 0.5} if kept else _ISOLATED
        )
        ax.add_patch(mpl.patches.Rectangle((t, 0), 1, 1, gid="kept" if kept else "left out", **look))
    ax.add_patch(mpl.patches.Rectangle((0, 0), steps, 1, fill=False, ec=PALETTE["black"], lw=0.8))
    ax.annotate(f"last {span} of {steps} steps", (steps - span / 2, 1.12), ha="center", va="bottom")
    ax.annotate("past", (0, -0.15), ha="left", va="top")
    ax.annotate("now", (steps, -0.15), ha="right", va="top")
    ax.set(xlim=(-1, steps + 1), ylim=(-0.7, 2.0))
    ax.set_axis_off()
    return fig


def time_and_error(
    histories: Mapping[str, pd.DataFrame],
    unit: str,
    references: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Validation error over training time, one line a run, beside the errors of forecasts that need no training.

    Parameters
    ----------
    histories : name -> `Record.history`.
    references : name -> RMSE in `unit`, drawn as horizontal lines.
    """
    fig, ax = _on(ax)
    for k, (name, error) in enumerate((references or {}).items()):
        ax.axhline(error, color=PALETTE["grey"], ls=LINES[1 + k % 3], lw=1)
        ax.annotate(
            name, (0.995, error), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", color=PALETTE["grey"],
        )  # fmt: skip
    for k, (name, history) in enumerate(histories.items()):
        look: dict[str, Any] = {
            "marker": "os^Dv"[k % 5],
            "color": SEQUENCE[k % len(SEQUENCE)],
            "ls": LINES[k % len(LINES)],
        }
        ax.plot(history["seconds"].cumsum(), history["valid_rmse"], label=name, **look)
    ax.set(xlabel="training time (s); one mark an epoch", ylabel=f"validation RMSE ({unit})")
    ax.set_xlim(left=0)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=max(1, len(histories)), frameon=False)
    return fig


def overview(
    spec: Spec,
    isolated: Zone,
    steps: int,
    span: int,
    histories: Mapping[str, pd.DataFrame],
    unit: str,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """The project in one picture: arcs that can be left out, time steps that can, and what each costs.

    Parameters
    ----------
    spec, isolated : the network, and the zone that is hatched in its map.
    steps, span : T, and how many of the last steps are back-propagated.
    histories : of three runs in this order: dense, with that span, with that zone isolated.
    unit, references : as for `time_and_error`.
    """
    _, by_span, by_zone = histories
    fig, axes = canvas(2, 2, (10, 4.2), width_ratios=(1, 1.35), height_ratios=(3.4, 1))
    (arcs, errors), (strip, spare) = axes
    errors.set_subplotspec(spare.get_gridspec()[:, 1])  # the right column is one panel
    spare.remove()
    arc_map(spec, isolated, ax=arcs)
    arcs.set_title(f"▲ {by_zone}: hatched arcs are not updated", loc="left", fontsize="medium")
    span_strip(steps, span, strip)
    strip.set_title(f"■ {by_span}: hatched steps get no error", loc="left", fontsize="medium")
    time_and_error(histories, unit, references, errors)
    return fig


# ------------------------------------------------------------------------------------------------------------ Adam


def curves(
    lines: Mapping[str, tuple[Array, Array]],
    xlabel: str,
    ylabel: str,
    log: str = "",
    limits: Mapping[str, float] | None = None,
    points: Collection[str] = (),
    ax: Axes | None = None,
) -> Figure:
    """Lines over a common axis, told apart by colour and dashes.

    Parameters
    ----------
    lines : name -> (x, y), both (n,); a value of 0 or below is left out on a logarithmic axis.
    log : which axes are logarithmic: "", "x", "y" or "xy".
    limits : label -> y, drawn as thin horizontal lines with the label above their right end.
    points : names among `lines` that are drawn as marks without a line.

    >>> fig = curves({"a": (np.arange(1, 3), np.ones(2))}, "t", "w", log="x")
    >>> fig.axes[0].get_xscale(), fig.axes[0].get_yscale()
    ('log', 'linear')
    >>> plt.close(fig)
    """
    fig, ax = _on(ax)
    for k, (name, (x, y)) in enumerate(lines.items()):
        shown = np.where(np.asarray(y) > 0, y, np.nan) if "y" in log else y
        look: dict[str, Any] = {"ls": LINES[k % len(LINES)]}
        if name in points:
            look = {"ls": "", "marker": "os^Dv"[k % 5], "ms": 5, "mfc": "none"}
        ax.plot(x, shown, color=SEQUENCE[k % len(SEQUENCE)], label=name, **look)
    for label, limit in (limits or {}).items():
        ax.axhline(limit, color=PALETTE["grey"], lw=1)
        ax.annotate(
            label,
            (0.995, limit),
            (0, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
        )
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    if len(lines) > 1:
        ax.legend(frameon=False)
    return fig


def bowl(curvatures: tuple[float, float], paths: Mapping[str, Array], ax: Axes | None = None) -> Figure:
    """Paths of two weights down L = ½ (a w₁² + b w₂²), over lines of equal loss; the cross marks the bottom.

    Parameters
    ----------
    curvatures : a, b.
    paths : name -> (steps + 1, 2), one mark a step, beginning with the start.
    """
    fig, ax = _on(ax, (8, 4))
    points = np.vstack([*paths.values()])
    reach = 1.15 * np.abs(points).max(axis=0)
    w1, w2 = np.meshgrid(np.linspace(-reach[0], reach[0], 200), np.linspace(-reach[1], reach[1], 200))
    loss = (curvatures[0] * w1**2 + curvatures[1] * w2**2) / 2
    ax.contour(
        w1, w2, loss, levels=loss.max() * np.linspace(0.03, 1, 9) ** 2, colors="#BBBBBB", linewidths=0.8
    )
    for k, (name, path) in enumerate(paths.items()):
        ax.plot(
            *path.T,
            color=SEQUENCE[k],
            ls=LINES[k % len(LINES)],
            lw=1.2,
            marker="os^Dv"[k % 5],
            ms=4,
            label=name,
        )
    ax.plot(*paths[next(iter(paths))][0], "o", ms=11, mfc="none", color=PALETTE["black"])
    ax.plot(0, 0, "+", ms=14, mew=2, color=PALETTE["black"])
    ax.set(xlabel="$w_1$", ylabel="$w_2$")
    ax.grid(visible=False)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(paths), frameon=False)
    return fig


def zone_maps(
    tables: Mapping[str, pd.DataFrame], log: Collection[str] = (), axes: Sequence[Axes] | None = None
) -> Figure:
    """Heat maps side by side: a row a zone, a column an epoch; dark is large, with a scale of its own each.

    Parameters
    ----------
    tables : title -> values, index the zones' names, columns the epochs; all with the same index.
    log : titles whose colours are logarithmic.
    """
    size = (3.1 * len(tables) + 0.6, 4.2)
    panels: Sequence[Axes] = (
        canvas(1, len(tables), size, sharey=True, squeeze=False)[1][0] if axes is None else axes
    )
    fig: Figure = panels[0].get_figure(root=True)  # type: ignore[assignment]
    for ax, (title, table) in zip(panels, tables.items(), strict=True):
        norm = mpl.colors.LogNorm() if title in log else mpl.colors.Normalize()
        image = ax.imshow(table, cmap="cividis_r", norm=norm, aspect="auto", interpolation="nearest")
        ax.set_yticks(range(len(table)), table.index)
        every = -(-len(table.columns) // 6)
        ax.set_xticks(range(0, len(table.columns), every), table.columns[::every])
        ax.set_title(title, loc="left")
        ax.set_xlabel("epoch")
        ax.grid(visible=False)
        fig.colorbar(image, ax=ax, location="bottom", aspect=25)
    return fig

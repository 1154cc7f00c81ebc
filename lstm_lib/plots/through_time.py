"""Back-propagation through time: the chain of steps, its span, and where the work goes."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array
from lstm_lib.plots.look import LINES, PALETTE, SEQUENCE, on


def unrolled(steps: int = 4, span: int | None = None, ax: Axes | None = None) -> Figure:
    """The chain of time steps: states go forward along the top, errors come back along the bottom.

    Parameters
    ----------
    steps : T, how many steps are drawn; the head stands on the last one.
    span : draw errors for the last `span` steps only; None for all.

    >>> fig = unrolled(steps=3, span=2)
    >>> [t.get_text() for t in fig.axes[0].texts if "step" in t.get_text()]
    ['step 1', 'step 2', 'step 3']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (9, 3.0))
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
    fig, ax = on(ax)
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
    fig, ax = on(ax)
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
    fig, ax = on(ax)
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
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (8, 1.2 + 0.6 * len(shares)))
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

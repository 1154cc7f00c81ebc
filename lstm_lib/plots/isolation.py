"""What isolation leaves out and what it gains: depths, steps, shares of the work, times, and error over time."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.isolation.zones import Zone
from lstm_lib.network.cells import Array

from .lines import curves
from .look import PALETTE, Look, canvas, drawing, given_or_new, legend_above, pale
from .zones import ISOLATED, arc_map

_TERMS = {
    "forward": r"$z_t = W_h h_{t-1} + W_x x_t + b$",
    "error": r"$dh_{t-1} \leftarrow W_h^\top dz_t$",
    "weight gradient": r"$dW \leftarrow dz_t\,[h_{t-1}; x_t; 1]^\top$",
    "update": r"$W \leftarrow W + \Delta W$",
}
_LEFT_OUT = {"dense": 0, "hold": 1, "skip": 2, "cut": 3, "cache": 4}  # how many of them, from the last


def depth_table(ax: Axes | None = None) -> Figure:
    """What each depth still does for an isolated arc: the four terms of a training step, those left out struck.

    >>> fig = depth_table()
    >>> len(fig.axes[0].lines), fig.axes[0].lines[0].get_gid()
    (10, 'hold leaves out update')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = drawing(ax, (10, 2.9), (-1.15, len(_TERMS) - 0.45), (len(_LEFT_OUT) - 0.4, -1.3))
    for column, part in enumerate(_TERMS):
        ax.text(column, -0.85, part, ha="center", va="center", weight="bold")
    for row, (depth, number) in enumerate(_LEFT_OUT.items()):
        ax.text(-0.62, row, depth, ha="right", va="center", weight="bold")
        for column, (part, term) in enumerate(_TERMS.items()):
            out = column >= len(_TERMS) - number
            ax.text(column, row, term, ha="center", va="center", color="#555555" if out else "black")
            if out:
                look: Look = {"color": PALETTE["red"], "lw": 1.3, "gid": f"{depth} leaves out {part}"}
                ax.plot([column - 0.44, column + 0.44], [row, row], **look)
    return fig


def span_strip(steps: int, span: int, ax: Axes | None = None) -> Figure:
    """The T time steps of a window in a row: the last `span` are back-propagated, those before are hatched.

    Parameters
    ----------
    steps, span : T, and how many of them, at most T.
    """
    fig, ax = drawing(ax, (6, 1.0), (-1, steps + 1), (-0.7, 2.0))
    kept = {"facecolor": PALETTE["orange"], "edgecolor": "white", "linewidth": 0.5, "gid": "kept"}
    for t in range(steps):
        look = kept if t >= steps - span else ISOLATED | {"gid": "left out"}
        ax.add_patch(mpl.patches.Rectangle((t, 0), 1, 1, **look))
    ax.add_patch(mpl.patches.Rectangle((0, 0), steps, 1, fill=False, ec=PALETTE["black"], lw=0.8))
    ax.annotate(f"last {span} of {steps} steps", (steps - span / 2, 1.12), ha="center", va="bottom")
    ax.annotate("past", (0, -0.15), ha="left", va="top")
    ax.annotate("now", (steps, -0.15), ha="right", va="top")
    return fig


def work_shares(shares: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """Stacked bars that each add up to 100 %: one bar a row, one part a column.

    Parameters
    ----------
    shares : values from 0 to 1; index the bars' names, columns the parts'.

    >>> fig = work_shares(pd.DataFrame({"forward": [0.4], "weights": [0.6]}, index=["counted"]))
    >>> fig.axes[0].get_xlabel()
    'share of one training step (%)'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (8, 1.2 + 0.6 * len(shares)))
    behind = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none"}
    colours = ["#D9D9D9", PALETTE["sky"], PALETTE["orange"], PALETTE["green"]]
    for bars in _bars(ax, 100 * shares, colours, width=0.6, stacked=True).values():
        ax.bar_label(bars, fmt="%.0f", label_type="center", bbox=behind)
    ax.set(xlim=(0, 100), xlabel="share of one training step (%)")
    return fig


def predicted_and_measured(
    table: pd.DataFrame,
    spread: tuple[Array, Array] | None = None,
    most: float = np.inf,
    ax: Axes | None = None,
) -> Figure:
    """How many times as fast as the dense step: one group of bars a row, one bar a column, the last one measured.

    Parameters
    ----------
    table : index the plans, first on top; for example "FLOPs", "FLOPs and bytes", "measured".
    spread : lower and upper end of the last column's values, drawn as whiskers.
    most : bars longer than this are cut there and marked with their number.

    >>> fig = predicted_and_measured(pd.DataFrame({"FLOPs": [1.0, 2.0]}, index=["dense", "cut"]))
    >>> fig.axes[0].get_xlabel()
    'times as fast as the dense step'
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (9, 1.0 + 0.52 * len(table)))
    colours, shown = [pale(PALETTE[name], 0.7) for name in ("grey", "sky", "orange")], table.clip(upper=most)
    drawn, last = _bars(ax, shown, colours, width=0.84), table.columns[-1]
    middles = {column: [bar.get_y() + bar.get_height() / 2 for bar in bars] for column, bars in drawn.items()}
    if spread is not None:
        low, high = (np.minimum(side, most) for side in spread)
        ax.hlines(middles[last], low, high, color=PALETTE["black"], lw=1.5)
        shown[last] = np.maximum(shown[last], high)
    for column, ys in middles.items():
        for x, y, value in zip(shown[column], ys, table[column], strict=True):
            text = f"{value:.2f}" if value <= most else f"{value:,.0f} →"
            ax.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center", fontsize="x-small")
    ax.axvline(1, color=PALETTE["black"], lw=0.8)
    ax.set(xlabel="times as fast as the dense step", xlim=(0, 1.15 * ax.get_xlim()[1]))
    return fig


def _bars(ax: Axes, table: pd.DataFrame, colours: list[str], **options: Any) -> dict[Any, Any]:
    """A group of bars a row, first on top, or one stacked bar; one colour and hatch a column, whose bars these are."""
    table.plot.barh(ax=ax, color=colours, edgecolor="white", legend=False, **options)  # type: ignore[arg-type]
    drawn = dict(zip(table, ax.containers[-len(table.columns) :], strict=True))
    for bars, hatch in zip(drawn.values(), cycle(("", "///", "...", "xxx"))):
        mpl.artist.setp(bars, hatch=hatch)  # type: ignore[arg-type]  # of several artists
    ax.set(ylabel="", ylim=(len(table) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    legend_above(ax, len(table.columns))
    return drawn


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
    unit : of the error.
    references : name -> RMSE in `unit`, drawn as horizontal lines.
    """
    fig, ax = given_or_new(ax)
    lines = {
        name: (np.cumsum(run["seconds"]), run["valid_rmse"].to_numpy()) for name, run in histories.items()
    }
    curves(lines, "", f"validation RMSE ({unit})", limits=references, marks="equal", ax=ax)
    ax.set(xlabel="training time (s); one mark an epoch", xlim=(0, None))
    legend_above(ax, min(4, max(1, len(lines))))
    return fig


def overview(
    zones: Mapping[str, Zone],
    histories: Mapping[str, pd.DataFrame],
    unit: str,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """The project in one picture: arcs that can be left out, and what that costs.

    Parameters
    ----------
    zones : of two runs, the zone that is isolated in each, hatched in a map of the network.
    histories : of three runs: dense, then those two.
    unit, references : as for `time_and_error`.
    """
    fig, axes = canvas(2, 2, (10, 4.6), width_ratios=(1, 1.35))
    errors, spare = axes[:, 1]
    errors.set_subplotspec(spare.get_gridspec()[:, 1])  # the right column is one panel
    spare.remove()
    for ax, sign, (name, zone) in zip(axes[:, 0], "■▲", zones.items(), strict=True):
        arc_map(zone.spec, zone, ax=ax)
        ax.set_title(f"{sign} {name}: hatched arcs are not updated", loc="left", fontsize="medium")
    time_and_error(histories, unit, references, errors)
    return fig

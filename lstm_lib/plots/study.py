"""Figures of a study: time against error with intervals, what explains the error, and what the size changes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .look import GATE_COLOURS, MARKERS, PALETTE, SEQUENCE, Look, canvas, given_or_new, legend_above, line

# Of a study: one look each in every figure.
GROUPS = ("dense", "span", "then head", "units", "combined", "control", "statistic")
_VALUES = {"time": "time_ratio", "error": "error_percent"}  # what is measured -> its column


def forest(summary: pd.DataFrame, groups: Mapping[str, str], within: float = 1.0, title: str = "") -> Figure:
    """Every configuration as a row: how many times as fast as the reference, and how much its error differs.

    Parameters
    ----------
    summary : from `lstm_lib.experiments.against`; the fastest stands on top.
    groups : name -> group, for colour and marker; those of `GROUPS` have the same ones in every figure.
    within : per cent of error, the band that counts as equal.
    title : above both halves, such as the series.
    """
    import seaborn as sns

    rows = summary.sort_values("time_ratio", ascending=False)
    group = [groups[str(name)] for name in rows.index]
    known = list(dict.fromkeys([*GROUPS, *(groups[str(name)] for name in summary.index)]))
    colours = dict(zip(known, cycle(SEQUENCE)))
    marks = dict(zip(known, cycle(MARKERS + "*<>")))  # more than colours, so that all looks differ
    order = [name for name in known if name in group]
    fig, (time, error) = canvas(1, 2, (10, 1.2 + 0.3 * len(rows)), sharey=True)
    look: Look = {"hue": group, "style": group, "hue_order": order, "palette": colours, "markers": marks}
    y = np.arange(len(rows))
    for ax, (what, value) in zip((time, error), _VALUES.items(), strict=True):
        ax.hlines(y, rows[f"{what}_low"], rows[f"{what}_high"], colors=[colours[name] for name in group])
        sns.scatterplot(x=rows[value], y=y, s=50, legend=ax is time, ax=ax, **look)
    time.axvline(1, color=PALETTE["grey"], lw=1, zorder=0)
    time.set(xlabel="times as fast as the dense training", yticks=y, yticklabels=rows.index)
    error.axvspan(-within, within, color=PALETTE["grey"], alpha=0.15, lw=0)
    error.axvline(0, color=PALETTE["grey"], lw=1, zorder=0)
    error.set(xlabel="test error above the dense network's (%)", ylim=(len(rows) - 0.4, -0.6))
    time.legend(loc="lower right", fontsize="small", frameon=True)
    time.set_title(title, loc="left")
    return fig


def explained(shares: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """How much of the variation each factor explains, with its interval; hatched: what chance would give.

    Parameters
    ----------
    shares : from `lstm_lib.experiments.explained`.
    """
    fig, ax = given_or_new(ax, (8, 3.2))
    rows = 100 * shares.sort_values("alone")
    ax.barh(rows.index, rows["alone"], color=PALETTE["sky"], label="explained")
    ax.hlines(rows.index, rows["low"], rows["high"], colors=PALETTE["black"], zorder=3)
    chance: Look = {"color": "none", "edgecolor": "black", "hatch": "////", "label": "by chance"}
    ax.barh(rows.index, rows["by_chance"], height=0.4, **chance)
    ax.set_xlabel("share of the variation of the error (%)")
    ax.legend(loc="lower right")
    return fig


def zone_grid(errors: pd.DataFrame, layers: Mapping[int, str] | None = None) -> Figure:
    """What isolating a gate of a matrix costs in error: a map for each layer, the number in every field.

    Parameters
    ----------
    errors : columns layer, matrix, gate and error_percent, one row a run or a mean.
    layers : number -> title.
    """
    import seaborn as sns

    names = layers or {int(k): f"layer {int(k)}" for k in sorted(errors["layer"].unique())}
    means = errors.groupby(["layer", "matrix", "gate"])["error_percent"].mean()
    limit = float(means.abs().max())
    fig, axes = canvas(1, len(names), (4.4 * len(names), 2.8), squeeze=False)
    for ax, (layer, title) in zip(axes[0], names.items(), strict=True):
        grid = means.loc[layer].unstack("gate").filter([*GATE_COLOURS])  # in the order of the cell
        sns.heatmap(grid, annot=True, fmt="+.2f", cmap="PuOr_r", vmin=-limit, vmax=limit, cbar=False, ax=ax)
        ax.set(title=title, xlabel="gate", ylabel="")
        ax.tick_params(axis="y", labelrotation=0)
        ax.grid(visible=False)
    fig.colorbar(axes[0][0].collections[0], ax=axes[0], label="test error above that\nwithout a zone (%)")
    return fig


def by_units(sizes: pd.DataFrame) -> Figure:
    """How the gain and the loss of error change with the number of units.

    Parameters
    ----------
    sizes : columns policy, units, time_ratio, time_low, time_high, error_percent, error_low, error_high.
    """
    fig, (time, error) = canvas(1, 2, (10, 3.4))
    for k, (policy, rows) in enumerate(sizes.groupby("policy", sort=False)):
        rows = rows.sort_values("units")
        beside = k - (sizes["policy"].nunique() - 1) / 2
        x = rows["units"] * 2 ** (0.12 * beside)  # so that bars don't overlap
        for ax, (what, value) in zip((time, error), _VALUES.items(), strict=True):
            ax.plot(x, rows[value], label=str(policy), **line(k))
            ax.vlines(x, rows[f"{what}_low"], rows[f"{what}_high"], colors=SEQUENCE[k % len(SEQUENCE)])
    ticks = sorted(sizes["units"].unique())
    for ax, at, label in ((time, 1, "times as fast as dense"), (error, 0, "test error above dense (%)")):
        ax.axhline(at, color=PALETTE["grey"], lw=1)
        ax.set_xscale("log", base=2)
        ax.set(xlabel="units", xticks=ticks, xticklabels=[str(int(n)) for n in ticks], ylabel=label)
    legend_above(time, 2)
    return fig

"""Figures of a study: time against error with intervals, the arms of the statistics, and what the size changes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .look import MARKERS, PALETTE, SEQUENCE, Look, canvas, given_or_new, legend_above, line

# Of a study: one look each in every figure.
GROUPS = ("dense", "control", "kept", "redrawn", "gates", "matrices", "thawed", "head", "Keras")
ARMS = ("once", "each epoch", "the wrong way")
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
    tells = time if rows["time_ratio"].notna().any() else error  # where there are points to explain
    for ax, (what, value) in zip((time, error), _VALUES.items(), strict=True):
        ax.hlines(y, rows[f"{what}_low"], rows[f"{what}_high"], colors=[colours[name] for name in group])
        sns.scatterplot(x=rows[value], y=y, s=50, legend=ax is tells, ax=ax, **look)
    time.axvline(1, color=PALETTE["grey"], lw=1, zorder=0)
    time.set(xlabel="times as fast as the dense training", yticks=y, yticklabels=rows.index)
    error.axvspan(-within, within, color=PALETTE["grey"], alpha=0.15, lw=0)
    error.axvline(0, color=PALETTE["grey"], lw=1, zorder=0)
    error.set(xlabel="test error above the dense network's (%)", ylim=(len(rows) - 0.4, -0.6))
    tells.legend(loc="lower right", fontsize="small", frameon=True)
    time.set_title(title, loc="left")
    return fig


def arms(found: pd.DataFrame, reference: str, ax: Axes | None = None) -> Figure:
    """Each statistic as a row, its arms side by side: how much the error is above that of a reference, with intervals.

    Parameters
    ----------
    found : from `lstm_lib.experiments.verdicts`, its index "statistic, arm"; not each needs all arms.
    reference : what the errors are compared with, for the label.
    """
    parts = [str(name).split(", ", 1) for name in found.index]
    names, kinds = (list(dict.fromkeys(part[k] for part in parts)) for k in (0, 1))
    fig, ax = given_or_new(ax, (8, 1.2 + 0.45 * len(names)))
    ax.axvline(0, color=PALETTE["grey"], lw=1, zorder=0)
    known = list(dict.fromkeys([*ARMS, *kinds]))
    for k, kind in enumerate(kinds):
        look = known.index(kind)
        rows = found.reindex([f"{name}, {kind}" for name in names])
        y = np.arange(len(names)) + (k - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
        ax.hlines(y, rows["error_low"], rows["error_high"], colors=SEQUENCE[look % len(SEQUENCE)])
        ax.plot(rows["error_percent"], y, label=kind, **line(look) | {"ls": "none"})
    ax.set(xlabel=f"test error above that of {reference} (%)", yticks=range(len(names)), yticklabels=names)
    ax.invert_yaxis()
    legend_above(ax, len(kinds))
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

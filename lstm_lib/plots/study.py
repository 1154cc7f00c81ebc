"""Figures of a study: time against error with intervals, what explains the error, and what the size changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.plots.look import LINES, PALETTE, SEQUENCE, canvas, on

MARKERS = "osD^vPX*"
# Of a study: one look each in every figure.
GROUPS = ("dense", "span", "then head", "units", "combined", "control", "statistic")


def _looks(groups: pd.Series[str]) -> dict[str, dict[str, Any]]:
    """A colour and a marker for every group, in the order in which they come; those of the study have their own."""
    every = {
        name: {"color": SEQUENCE[k % len(SEQUENCE)], "marker": MARKERS[k % len(MARKERS)], "label": name}
        for k, name in enumerate(dict.fromkeys([*GROUPS, *groups]))
    }
    return {name: every[name] for name in dict.fromkeys(groups)}


def _bounds(summary: pd.DataFrame, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(2, N): how far the bounds of an interval lie from its middle; 0 where there are none."""
    value = summary["time_ratio" if what == "time" else "error_percent"]
    low, high = (value - summary[f"{what}_low"]), (summary[f"{what}_high"] - value)
    return np.vstack([low.clip(lower=0).fillna(0), high.clip(lower=0).fillna(0)])


def forest(summary: pd.DataFrame, groups: Mapping[str, str], within: float = 1.0, title: str = "") -> Figure:
    """Every configuration as a row: how many times as fast as the reference, and how much its error differs.

    Parameters
    ----------
    summary : from `lstm_lib.experiments.against`; the fastest stands on top.
    groups : name -> group, for colour and marker.
    within : per cent of error, the band that counts as equal.
    title : above both halves, such as the series.
    """
    rows = summary.sort_values("time_ratio", na_position="first")
    group = pd.Series({name: groups[str(name)] for name in rows.index})
    looks = _looks(pd.Series([groups[str(name)] for name in summary.index]))
    fig, (time, error) = canvas(1, 2, (10, 1.2 + 0.3 * len(rows)), sharey=True)
    for ax, what, value in ((time, "time", "time_ratio"), (error, "error", "error_percent")):
        bounds = _bounds(rows, what)
        seen: set[str] = set()
        for y, name in enumerate(rows.index):
            look = dict(looks[group[name]])
            if look["label"] in seen:
                del look["label"]
            seen.add(group[name])
            ax.errorbar(rows.loc[name, value], y, xerr=bounds[:, y : y + 1], ls="", ms=6, capsize=3, **look)
    time.axvline(1, color=PALETTE["grey"], lw=1)
    time.set(xlabel="times as fast as the dense training", yticks=range(len(rows)), yticklabels=rows.index)
    error.axvspan(-within, within, color=PALETTE["grey"], alpha=0.15, lw=0)
    error.axvline(0, color=PALETTE["grey"], lw=1)
    error.set(xlabel="test error above the dense network's (%)")
    time.set_ylim(-0.6, len(rows) - 0.4)
    time.legend(loc="lower right", fontsize="small", frameon=True)
    if title:
        time.set_title(title, loc="left")
    return fig


def trade_off(summary: pd.DataFrame, groups: Mapping[str, str] | None = None, within: float = 1.0) -> Figure:
    """Time against error: right is faster, up is worse; the shaded band counts as equal error.

    Parameters
    ----------
    summary : from `lstm_lib.experiments.against`.
    groups : name -> group, for colour and marker; None gives all one.
    within : per cent of error.
    """
    rows = summary[summary["time_ratio"].notna()]
    group = pd.Series([(groups or {}).get(str(name), "runs") for name in rows.index], rows.index)
    fig, ax = canvas(1, 1, (9, 5.2))
    ax.axhspan(-within, within, color=PALETTE["grey"], alpha=0.15, lw=0)
    ax.axhline(0, color=PALETTE["grey"], lw=1)
    for name, look in _looks(group).items():
        some = rows[group == name]
        ax.errorbar(
            some["time_ratio"], some["error_percent"], xerr=_bounds(some, "time"), yerr=_bounds(some, "error"),
            ls="", ms=7, lw=1, alpha=0.9, **look,
        )  # fmt: skip
    for label, row in rows.iterrows():
        ax.annotate(
            str(label), (row["time_ratio"], row["error_percent"]), (5, 4), textcoords="offset points",
            fontsize="small",
        )  # fmt: skip
    ax.set(xlabel="times as fast as the dense training", ylabel="test error above the dense network's (%)")
    if groups:
        ax.legend(loc="upper left")
    return fig


def explained(shares: pd.DataFrame, ax: Axes | None = None) -> Figure:
    """How much of the variation each factor explains, with its interval; hatched: what chance would give.

    Parameters
    ----------
    shares : from `lstm_lib.experiments.explained`.
    """
    fig, ax = on(ax, (8, 3.2))
    rows = shares.sort_values("alone")
    y = np.arange(len(rows))
    spread = np.vstack(
        [(rows["alone"] - rows["low"]).clip(lower=0), (rows["high"] - rows["alone"]).clip(lower=0)]
    )
    ax.barh(y, 100 * rows["alone"], xerr=100 * spread, color=PALETTE["sky"], capsize=3, label="explained")
    ax.barh(
        y,
        100 * rows["by_chance"],
        height=0.4,
        color="none",
        edgecolor="black",
        hatch="////",
        label="by chance",
    )
    ax.set(xlabel="share of the variation of the error (%)", yticks=y, yticklabels=rows.index)
    ax.legend(loc="lower right")
    return fig


def zone_grid(errors: pd.DataFrame, layers: Mapping[int, str] | None = None) -> Figure:
    """What isolating a gate of a matrix costs in error: a map for each layer, the number in every field.

    Parameters
    ----------
    errors : columns layer, matrix, gate and error_percent, one row a run or a mean.
    layers : number -> title.
    """
    names = layers or {int(k): f"layer {int(k)}" for k in sorted(errors["layer"].unique())}
    means = errors.groupby(["layer", "matrix", "gate"])["error_percent"].mean()
    limit = float(means.abs().max())
    fig, axes = canvas(1, len(names), (4.4 * len(names), 2.8), squeeze=False)
    for ax, (layer, title) in zip(axes[0], names.items(), strict=True):
        grid = means.loc[layer].unstack("gate")[list("fiog")]
        image = ax.imshow(grid, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
        for (row, column), value in np.ndenumerate(grid.to_numpy()):
            dark = abs(value) > 0.65 * limit
            ax.text(
                column, row, f"{value:+.2f}", ha="center", va="center", color="white" if dark else "black"
            )
        ax.set(title=title, xticks=range(4), xticklabels=list("fiog"), xlabel="gate")
        ax.set(yticks=range(len(grid)), yticklabels=grid.index)
        ax.grid(False)
    fig.colorbar(image, ax=axes[0], label="test error above that without a zone (%)")
    return fig


def by_units(sizes: pd.DataFrame, ax: Any = None) -> Figure:
    """How the gain and the loss of error change with the number of units.

    Parameters
    ----------
    sizes : columns policy, units, time_ratio, time_low, time_high, error_percent, error_low, error_high.
    """
    fig, (time, error) = canvas(1, 2, (10, 3.4))
    for k, (policy, rows) in enumerate(sizes.groupby("policy", sort=False)):
        rows = rows.sort_values("units")
        aside = k - (sizes["policy"].nunique() - 1) / 2  # so that bars don't overlap
        look: dict[str, Any] = {
            "color": SEQUENCE[k % len(SEQUENCE)],
            "marker": MARKERS[k % len(MARKERS)],
            "ls": LINES[k % len(LINES)],
            "capsize": 3,
        }
        for ax, what, value in ((time, "time", "time_ratio"), (error, "error", "error_percent")):
            ax.errorbar(
                rows["units"] * 2 ** (0.12 * aside),
                rows[value],
                yerr=_bounds(rows, what),
                label=str(policy),
                **look,
            )
    for ax, at in ((time, 1), (error, 0)):
        ax.axhline(at, color=PALETTE["grey"], lw=1)
        ax.set_xscale("log", base=2)
        ticks = sorted(sizes["units"].unique())
        ax.set(xlabel="units", xticks=ticks, xticklabels=[str(int(n)) for n in ticks])
    time.set(ylabel="times as fast as dense")
    error.set(ylabel="test error above dense (%)")
    time.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return fig

"""Adam: trajectories, curves over steps, and maps of what its moments say of every zone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array
from lstm_lib.plots.look import LINES, PALETTE, SEQUENCE, canvas, on


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
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax)
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
    fig, ax = on(ax, (8, 4))
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

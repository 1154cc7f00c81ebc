"""Zones and their cost: blocks of a partition, the depths, the products that a plan runs, predicted beside measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.isolation.partition import Partition
from lstm_lib.isolation.plan import Plan
from lstm_lib.isolation.products import picked
from lstm_lib.network.cells import GATES, Array
from lstm_lib.plots.look import GATE_COLOURS, PALETTE, SEQUENCE, on

_HATCHES = ("", "///", "...", "\\\\\\", "xx", "++", "oo")
_TERMS = {
    "forward": r"$z_t = W_h h_{t-1} + W_x x_t + b$",
    "error": r"$dh_{t-1} \leftarrow W_h^\top dz_t$",
    "weight gradient": r"$dW \leftarrow dz_t\,[h_{t-1}; x_t; 1]^\top$",
    "update": r"$W \leftarrow W + \Delta W$",
}
_LEFT_OUT = {
    "dense": (),
    "hold": ("update",),
    "skip": ("update", "weight gradient"),
    "cut": ("update", "weight gradient", "error"),
    "cache": ("update", "weight gradient", "error", "forward"),
}


def depth_table(ax: Axes | None = None) -> Figure:
    """What each depth still does for an isolated arc: the four terms of a training step, those left out struck.

    >>> fig = depth_table()
    >>> len(fig.axes[0].lines), fig.axes[0].lines[0].get_gid()
    (10, 'hold leaves out update')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (10, 2.9))
    for column, part in enumerate(_TERMS):
        ax.text(column, -0.85, part, ha="center", va="center", weight="bold")
    for row, (depth, left_out) in enumerate(_LEFT_OUT.items()):
        ax.text(-0.62, row, depth, ha="right", va="center", weight="bold")
        for column, (part, term) in enumerate(_TERMS.items()):
            out = part in left_out
            colour = "#555555" if out else PALETTE["black"]
            ax.text(column, row, term, ha="center", va="center", color=colour)
            if out:
                gid = f"{depth} leaves out {part}"
                ax.plot([column - 0.44, column + 0.44], [row, row], color=PALETTE["red"], lw=1.3, gid=gid)
    ax.set(xlim=(-1.15, len(_TERMS) - 0.45), ylim=(len(_LEFT_OUT) - 0.4, -1.3))
    ax.set_axis_off()
    return fig


def block_map(partition: Partition, layer: int = 0, ax: Axes | None = None) -> Figure:
    """The blocks of a partition on the matrices of one layer, numbered in order; one colour and hatch a block.

    Rows are the units of the four gates (4H), columns the sources: D inputs (Wx), H units (Wh), the bias (b),
    drawn wider than its one column.

    >>> from lstm_lib import Spec, partition
    >>> fig = block_map(partition(Spec(inputs=3, units=(4,), outputs=1), by="gate"))
    >>> len([t for t in fig.axes[0].texts if t.get_gid() == "block"])
    12
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (6, 3.6))
    H, D = partition.spec.units[layer], partition.spec.fan_in(layer)
    matrices = _matrices(ax, D, H)
    names = [name for name in partition if name.startswith((f"{layer}/", f"{layer}["))]
    names = names or [name for name in partition if name == str(layer)]
    for k, name in enumerate(names):
        block = partition[name]
        look = {"facecolor": _pale(SEQUENCE[k % len(SEQUENCE)]), "hatch": _HATCHES[k % len(_HATCHES)]}
        for matrix, (left, wide, columns) in matrices.items():
            mask = block.mask(f"{layer}/{matrix}").reshape(4 * H, columns)
            for gate in range(4):
                rows, sources = (
                    np.flatnonzero(mask[gate * H : (gate + 1) * H].any(axis=axis)) for axis in (1, 0)
                )
                if rows.size:
                    corner = (left + sources[0] * wide, gate * 1.06 * H + rows[0])
                    size = ((sources[-1] - sources[0] + 1) * wide, rows[-1] - rows[0] + 1)
                    _rectangle(ax, corner, size, **look)
                    _label(ax, corner, size, str(k + 1))
    return fig


def product_map(plan: Plan, layer: int = 0, ax: Axes | None = None) -> Figure:
    """The products that give the weight gradients of one layer under a plan, on its matrix [Wh | Wx | b].

    Coloured and dotted: computed, and used. Grey and hatched: computed because a product is a rectangle, and
    dropped. White: not computed.

    >>> from lstm_lib import Spec, isolate, zone
    >>> spec = Spec(inputs=3, units=(4,), outputs=1)
    >>> fig = product_map(isolate(spec, zone(spec, layer=0, gate="f")))
    >>> [t.get_text() for t in fig.axes[0].texts if t.get_gid() == "size"]
    ['12 × 8']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (4.5, 4.2))
    H, D = plan.spec.units[layer], plan.spec.fan_in(layer)
    S, state = H + D + 1, np.zeros((4 * H, H + D + 1), np.uint8)
    for r in plan.works[layer].weights:
        at = np.ix_(picked(r.rows, 4 * H), picked(r.sources, S))
        state[at] = 1 if r.drop is None else np.where(r.drop, 2, 1)
    colours = mpl.colors.ListedColormap(["white", _pale(PALETTE["sky"]), "#8A8A8A"])
    ax.imshow(
        state, cmap=colours, vmin=0, vmax=2, extent=(0, S, 4 * H, 0), aspect="auto", interpolation="nearest"
    )
    for kind, hatch in {1: "..", 2: "xx"}.items():  # where a whole region is of one kind; not on single arcs
        for rows, columns in _regions(state == kind):
            if len(rows) * len(columns) > 0.02 * state.size:
                _rectangle(
                    ax,
                    (columns[0], rows[0]),
                    (len(columns), len(rows)),
                    facecolor="none",
                    edgecolor="#444444",
                    linewidth=0,
                    hatch=hatch,
                )
    for r in plan.works[layer].weights:
        rows, sources = picked(r.rows, 4 * H), picked(r.sources, S)
        middle = (float(sources.mean()), float(rows.mean()))
        ax.text(
            *middle, f"{r.size[0]} × {r.size[1]}", gid="size", ha="center", va="center",
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85},
        )  # fmt: skip
    for k in range(1, 4):
        ax.axhline(k * H, color=PALETTE["black"], lw=0.6)
    for x in (H, H + D):
        ax.axvline(x, color=PALETTE["black"], lw=0.6)
    ax.set_yticks([(k + 0.5) * H for k in range(4)], list(GATES))
    ax.set_xticks([H / 2, H + D / 2, S], ["$h$", "$x$", "1"])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(True)
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
    fig, ax = on(ax, (9, 1.0 + 0.52 * len(table)))
    high = 0.84 / len(table.columns)
    for k, column in enumerate(table.columns):
        values = table[column].to_numpy()
        y, length = np.arange(len(table)) + (k + 0.5) * high - 0.42, np.minimum(values, most)
        colour = (PALETTE["grey"], PALETTE["sky"], PALETTE["orange"])[k % 3]
        look: dict[str, Any] = {"color": _pale(colour, 0.7), "hatch": ("", "///", "...")[k % 3]}
        ax.barh(y, length, 0.92 * high, label=column, edgecolor="white", linewidth=0.5, **look)
        ends = length
        if spread is not None and column == table.columns[-1]:
            lower, ends = (np.minimum(side, most) for side in spread)
            ax.hlines(y, lower, ends, color=PALETTE["black"], lw=1.5)
        for at, value, end in zip(y, values, np.maximum(ends, length), strict=True):
            text = f"{value:.2f}" if value <= most else f"{value:,.0f} →"
            ax.annotate(text, (end, at), (4, 0), textcoords="offset points", va="center", fontsize="x-small")
    ax.axvline(1, color=PALETTE["black"], lw=0.8)
    ax.set_yticks(range(len(table)), table.index)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlim(right=1.15 * ax.get_xlim()[1])
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("times as fast as the dense step")
    ax.legend(ncols=len(table.columns), loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


# --------------------------------------------------------------------------------------------------------- details


def _matrices(ax: Axes, D: int, H: int) -> dict[str, tuple[float, float, int]]:
    """Names above and gates beside the matrices of a layer; name -> (left edge, width of a column, columns)."""
    thin, gap, left = max(2.0, 0.05 * (D + H)), 0.06 * (D + H), 0.0
    places = {}
    for name, columns, width in (("Wx", D, float(D)), ("Wh", H, float(H)), ("b", 1, thin)):
        text = "$b$" if name == "b" else f"$W_{name[1]}$ ({columns})"
        ax.text(left + width / 2, -0.12 * H, text, ha="center", va="bottom")
        places[name] = (left, width / columns, columns)
        left += width + gap
    for k, gate in enumerate(GATES):
        look: dict[str, Any] = {"ha": "right", "va": "center", "color": GATE_COLOURS[gate], "weight": "bold"}
        ax.text(-gap / 2, (k * 1.06 + 0.5) * H, gate, **look)
    ax.set(xlim=(-2 * gap, left + gap), ylim=(4.3 * H, -0.45 * H))
    ax.set_axis_off()
    return places


def _rectangle(ax: Axes, corner: tuple[float, float], size: tuple[float, float], **look: Any) -> None:
    edge: dict[str, Any] = {"edgecolor": PALETTE["black"], "linewidth": 0.6}
    ax.add_patch(mpl.patches.Rectangle(corner, *size, **(edge | look)))


def _label(ax: Axes, corner: tuple[float, float], size: tuple[float, float], text: str) -> None:
    x, y = (a + b / 2 for a, b in zip(corner, size, strict=True))
    behind = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85}
    ax.text(x, y, text, gid="block", ha="center", va="center", fontsize="x-small", bbox=behind)


def _pale(colour: str, strength: float = 0.45) -> str:
    """A colour mixed with white, so that hatches and text on it can be read."""
    r, g, b = (1 - strength * (1 - part) for part in mpl.colors.to_rgb(colour))
    return mpl.colors.to_hex((r, g, b))


def _regions(mask: Array) -> Iterator[tuple[Array, Array]]:
    """Rectangles of neighbouring equal rows and, in them, of neighbouring columns that are True.

    >>> [(rows.tolist(), columns.tolist()) for rows, columns in _regions(np.array([[1, 0], [1, 0], [0, 0]], bool))]
    [([0, 1], [0])]
    """
    edges = [0, *(1 + np.flatnonzero((mask[1:] != mask[:-1]).any(axis=1))).tolist(), len(mask)]
    for first, last in itertools.pairwise(edges):
        columns = np.flatnonzero(mask[first])
        for run in np.split(columns, 1 + np.flatnonzero(np.diff(columns) > 1)):
            if run.size:
                yield np.arange(first, last), run

"""Zones drawn on the matrices of a layer: arcs, blocks of a partition, products of a plan; and tables of zones as maps.

Letters: H units, D inputs, G gates of the cell, S sources of the layer's one matrix (`lstm_lib.network.layout`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.isolation.partition import Partition
from lstm_lib.isolation.plan import Plan
from lstm_lib.isolation.text import equal_rows, runs
from lstm_lib.isolation.zones import Zone, nothing
from lstm_lib.network.cells import Array
from lstm_lib.network.layout import layout
from lstm_lib.network.spec import Spec

from .look import GATE_COLOURS, PALETTE, SEQUENCE, Look, Point, figure_of, given_or_new, pale, panels

ISOLATED: Look = {"facecolor": "#E8E8E8", "edgecolor": PALETTE["grey"], "hatch": "////", "linewidth": 0}
_HATCHES = ("", "///", "...", "\\\\\\", "xx", "++", "oo")
_STEP = 1.06  # from one gate's rows to the next's, in H


def arc_map(spec: Spec, isolated: Zone | None = None, layer: int = 0, ax: Axes | None = None) -> Figure:
    """The matrices of one layer and of the head, row by row to scale; active arcs coloured, isolated ones hatched.

    Rows are the gates' units (G·H), columns the sources: D inputs (Wx), H units (Wh), and one for each bias (b, bh)
    and for peepholes (p), drawn wider than it is. The head stands to the right, turned so that its rows are the
    units it reads.

    Parameters
    ----------
    spec, layer : a network of any cell, and which of its layers. isolated : what is hatched; None for nothing.

    >>> from lstm_lib import zone
    >>> spec = Spec(inputs=3, units=(4,), outputs=1, cell="gru")
    >>> fig = arc_map(spec, ~zone(spec, layer="head"))
    >>> [t.get_text() for t in fig.axes[0].texts if t.get_gid() == "gate"]
    ['z', 'r', 'g']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    H, (thin, gap) = spec.units[layer], _widths(spec, layer)
    isolated = nothing(spec) if isolated is None else isolated
    fig, ax, right = _matrices(ax, spec, layer)
    for place in _places(spec, layer, isolated):
        _arcs(ax, *place)
    head = np.vstack([isolated.mask("head/W").T, isolated.mask("head/b")[None]])
    wide, left, top = thin * spec.outputs, right + 2 * gap, 0.5 * _STEP * (len(spec.row.gates) - 1) * H
    _arcs(ax, head, (left, top), (thin, _STEP * H / len(head)), PALETTE["black"])
    ax.text(left + wide / 2, top - 0.12 * H, "head", ha="center", va="bottom")
    ax.set(xlim=(-2 * gap, left + wide + 1.5 * gap))
    return fig


def block_map(partition: Partition, layer: int = 0, ax: Axes | None = None) -> Figure:
    """The blocks of a partition on the matrices of one layer, numbered in order; one colour and hatch a block.

    Parameters
    ----------
    partition, layer : of a network of any cell, and which of its layers; rows and columns as in `arc_map`.

    >>> from lstm_lib import partition
    >>> fig = block_map(partition(Spec(inputs=3, units=(4,), outputs=1), by="gate"))
    >>> len([t for t in fig.axes[0].texts if t.get_gid() == "block"])
    12
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax, _ = _matrices(ax, partition.spec, layer)
    names = [name for name in partition if name.startswith((f"{layer}/", f"{layer}["))]
    for k, name in enumerate(names or [name for name in partition if name == str(layer)]):
        look = {"facecolor": pale(SEQUENCE[k % len(SEQUENCE)]), "hatch": _HATCHES[k % len(_HATCHES)]}
        for mask, corner, arc, _ in _places(partition.spec, layer, partition[name]):
            for (x, y), (width, height) in _regions(mask, corner, arc):
                _rectangle(ax, (x, y), (width, height), **look)
                middle = x + width / 2, y + height / 2
                _tag(ax, middle, str(k + 1), "block", "round,pad=0.1", fontsize="x-small")
    return fig


def product_map(plan: Plan, layer: int = 0, ax: Axes | None = None) -> Figure:
    """The products that give the weight gradients of one layer under a plan, on its one matrix of blocks and sources.

    For an LSTM that is [Wh | Wx | b], (4H, H + D + 1); for other cells see `lstm_lib.network.layout`. Coloured and
    dotted: computed, and used. Grey and hatched: computed because a product is a rectangle, and dropped. White: not
    computed, or no arcs are there. Peepholes need no product.

    Parameters
    ----------
    plan, layer : for a network of any cell, and which of its layers.

    >>> from lstm_lib import Spec, isolate, zone
    >>> spec = Spec(inputs=3, units=(4,), outputs=1)
    >>> fig = product_map(isolate(spec, zone(spec, layer=0, gate="f")))
    >>> [t.get_text() for t in fig.axes[0].texts if t.get_gid() == "size"]
    ['12 × 8']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (4.5, 4.2))
    H, at = plan.spec.units[layer], layout(plan.spec.row, plan.spec.fan_in(layer), plan.spec.units[layer])
    state, blocks = np.zeros((at.rows, at.S), np.uint8), plan.spec.row.blocks
    for rows, sources, _, drop in plan.work.layers[layer].weights:
        computed = np.ix_(rows.positions, sources.positions)
        state[computed] = 1 if drop is None else np.where(drop, 2, 1)
        middle = sources.positions.mean() + 0.5, rows.positions.mean() + 0.5
        _tag(ax, middle, f"{rows.size} × {sources.size}", "size", "round,pad=0.2")
    colours = mpl.colors.ListedColormap(["white", pale(PALETTE["sky"]), "#8A8A8A"])
    ax.pcolormesh(state, cmap=colours, vmin=0, vmax=2)
    ax.set(xlim=(0, at.S), ylim=(at.rows, 0))
    for kind, hatch in {1: "..", 2: "xx"}.items():  # where a whole region is of one kind; not on single arcs
        for corner, size in _regions(state == kind):
            if size[0] * size[1] > 0.02 * state.size:
                _rectangle(ax, corner, size, facecolor="none", edgecolor="#444444", linewidth=0, hatch=hatch)
    named = [("$h$", at.h), ("$x$", at.x), *(("1", slice(k, k + 1)) for k in {*at.ones})]
    if at.made.start < at.made.stop:
        named.append((r"$r \circ h$", at.made))
    for k in range(1, len(blocks)):
        ax.axhline(k * H, color=PALETTE["black"], lw=0.6)
    for _, part in named:
        ax.axvline(part.stop, color=PALETTE["black"], lw=0.6)
    ax.set_yticks([(k + 0.5) * H for k in range(len(blocks))], blocks)
    ax.set_xticks([(part.start + part.stop) / 2 for _, part in named], [name for name, _ in named])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(True)
    return fig


def zone_maps(
    tables: Mapping[str, pd.DataFrame], log: Collection[str] = (), axes: Sequence[Axes] | None = None
) -> Figure:
    """Heat maps side by side: a row a zone, a column an epoch; yellow is large, with a scale of its own each.

    Parameters
    ----------
    tables : title -> values, index the zones' names, columns the epochs; all with the same index.
    log : titles whose colours are logarithmic.
    axes : one a table.
    """
    import seaborn as sns

    axes = panels(axes, 1, len(tables), size=(3.1 * len(tables) + 0.6, 4.2), sharey=True)
    for ax, (title, table) in zip(axes, tables.items(), strict=True):
        norm = mpl.colors.LogNorm() if title in log else mpl.colors.Normalize()
        look = {"cmap": "cividis", "norm": norm, "cbar_kws": {"location": "bottom", "aspect": 25}}
        sns.heatmap(table, xticklabels=-(-len(table.columns) // 6), yticklabels=True, ax=ax, **look)
        ax.set(xlabel="epoch", ylabel="")
        ax.grid(visible=False)
        ax.set_title(title, loc="left")
    return figure_of(axes[0])


# --------------------------------------------------------------------------------------------------------- details


def _widths(spec: Spec, layer: int) -> Point:
    """How wide a column is drawn that would not be seen otherwise, and a gap."""
    across = spec.units[layer] + spec.fan_in(layer)
    return max(2.0, 0.05 * across), 0.06 * across


def _columns(spec: Spec, layer: int) -> Iterator[tuple[str, int, float, float]]:
    """Every matrix of a layer: its name, columns, left edge and width in a drawing."""
    left, (thin, gap) = 0.0, _widths(spec, layer)
    for matrix in spec.row.matrices:
        columns = {"Wx": spec.fan_in(layer), "Wh": spec.units[layer]}.get(matrix, 1)
        width = float(columns) if matrix.startswith("W") else thin
        yield matrix, columns, left, width
        left += width + gap


def _matrices(ax: Axes | None, spec: Spec, layer: int) -> tuple[Figure, Axes, float]:
    """Axes with names above and gates beside the matrices of a layer, and the right edge of these."""
    H, gates, right, (_, gap) = spec.units[layer], spec.row.gates, 0.0, _widths(spec, layer)
    fig, ax = given_or_new(ax, (6, 0.6 + 0.75 * len(gates)))
    for matrix, columns, left, width in _columns(spec, layer):
        size = f" ({columns})" if matrix.startswith("W") else ""
        ax.text(left + width / 2, -0.12 * H, f"${'_'.join(matrix)}${size}", ha="center", va="bottom")
        right = left + width
    for k, gate in enumerate(gates):
        look: Look = {"ha": "right", "va": "center", "color": GATE_COLOURS[gate], "weight": "bold"}
        ax.text(-gap / 2, (k * _STEP + 0.5) * H, gate, gid="gate", **look)
    ax.set(xlim=(-2 * gap, right + 2 * gap), ylim=((_STEP * len(gates) + 0.06) * H, -0.45 * H))
    ax.set_axis_off()
    return fig, ax, right


def _places(spec: Spec, layer: int, zone: Zone) -> Iterator[tuple[Array, Point, Point, str]]:
    """The arcs of a zone, a gate's rows of a matrix at a time: mask (H, columns), corner, size of an arc, colour."""
    H, cell = spec.units[layer], spec.row
    for matrix, columns, left, width in _columns(spec, layer):
        masks = zone.mask(f"{layer}/{matrix}").reshape(-1, H, columns)
        for gate, mask in zip(cell.matrices[matrix], masks, strict=True):
            corner = (left, cell.gates.index(gate) * _STEP * H)
            yield mask, corner, (width / columns, 1), GATE_COLOURS[gate]


def _arcs(ax: Axes, mask: Array, corner: Point, arc: Point, colour: str) -> None:
    """A matrix block as rectangles: isolated regions hatched, active ones in colour, a frame around all."""
    active: Look = {"facecolor": colour, "edgecolor": colour, "linewidth": 0}
    for kind, look in ((mask, ISOLATED), (~mask, active)):
        for region in _regions(kind, corner, arc):
            _rectangle(ax, *region, **look)
    _rectangle(ax, corner, (mask.shape[1] * arc[0], mask.shape[0] * arc[1]), fill=False, linewidth=0.8)


def _regions(mask: Array, corner: Point = (0, 0), arc: Point = (1, 1)) -> Iterator[tuple[Point, Point]]:
    """What is True as rectangles of neighbouring equal rows: corner and size of each, both (across, down).

    Parameters
    ----------
    corner, arc : where the mask begins, and the size of an arc.

    >>> list(_regions(np.array([[1, 0], [1, 0], [0, 0]], bool)))
    [((0, 0), (1, 2))]
    """
    (x, y), (wide, high) = corner, arc
    for pattern, positions in equal_rows(mask):
        for first, last in runs(positions):
            for left, right in runs(np.flatnonzero(pattern)):
                yield (x + left * wide, y + first * high), ((right - left) * wide, (last - first) * high)


def _rectangle(ax: Axes, corner: Point, size: Point, **look: Any) -> None:
    edge: Look = {"edgecolor": "black", "linewidth": 0.6}
    ax.add_patch(mpl.patches.Rectangle(corner, *size, **(edge | look)))


def _tag(ax: Axes, at: Point, text: str, gid: str, style: str, **look: Any) -> None:
    """A word on white in the middle of something."""
    behind = {"boxstyle": style, "fc": "white", "ec": "none", "alpha": 0.85}
    ax.text(*at, text, gid=gid, ha="center", va="center", bbox=behind, **look)

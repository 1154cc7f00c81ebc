"""Drawings that hold no numbers: the cell, the chain of steps, the two roads of an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from lstm_lib.network.cells import CELLS, Cell

from .look import GATE_COLOURS, PALETTE, Point, drawing

_BLACK = PALETTE["black"]
_EQUATIONS = {"f": 1, "i": 2, "o": 3, "g": 5}  # the brief's numbers
_GATE_AT = {"f": 2.3, "i": 4.0, "g": 5.7, "o": 7.4}  # from left to right as the data flow
_SIGNS = {"sigmoid": "σ", "tanh": "tanh"}


def cell_diagram(cell: Cell, ax: Axes | None = None) -> Figure:
    """The data flow of one step of an LSTM, with its activations and the brief's equation numbers.

    The cell state runs along the top, the sources h_prev and x along the bottom. A heavy frame marks an
    activation that differs from the standard cell's.

    Raises ValueError for a cell that isn't drawn here: one of other gates, or with peepholes.

    >>> fig = cell_diagram(CELLS["brief"])
    >>> [text.get_text() for text in fig.axes[0].texts if text.get_gid() == "gate-o"]
    ['tanh']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    if cell.gates != "fiog" or cell.peepholes:
        drawn = ", ".join(name for name, row in CELLS.items() if row.gates == "fiog" and not row.peepholes)
        raise ValueError(f"cell {cell.name!r} has no drawing; those of gates f, i, o, g have: {drawn}")
    fig, ax = drawing(ax, (9, 4.9), (-1.4, 12.4), (-0.95, 6.15))
    ax.set_aspect("equal")
    ax.add_patch(_rounded((0.3, 0.1), 10.6, 5.75, facecolor="#F5F5F2", edgecolor="#BBBBBB", zorder=0))

    c, bus, product = 4.9, 0.75, 3.55  # heights of the c line, of the sources, and of the products
    f, i, g, o = _GATE_AT.values()
    i_g, out = (i + g) / 2, 8.7
    for points, look in (
        ([(-0.5, c), (11.6, c)], {"lw": 3.2}),
        ([(-0.5, bus), (o, bus)], {"head": False}),
        ([(1.1, -0.55), (1.1, bus)], {"head": False}),
        ([(f, 2.3), (f, c - 0.25)], {"color": GATE_COLOURS["f"]}),
        ([(i, 2.3), (i, product), (i_g - 0.25, product)], {"color": GATE_COLOURS["i"]}),
        ([(g, 2.3), (g, product), (i_g + 0.25, product)], {"color": GATE_COLOURS["g"]}),
        ([(o, 2.3), (o, 2.75), (out - 0.25, 2.75)], {"color": GATE_COLOURS["o"]}),
        ([(i_g, product + 0.25), (i_g, c - 0.25)], {}),
        ([(out, c), (out, 4.1)], {}),
        ([(out, 3.55), (out, 3.0)], {}),
        ([(out, 2.5), (out, bus), (11.6, bus)], {}),
    ):
        _wire(ax, points, **look)
    for gate, x in _GATE_AT.items():
        _wire(ax, [(x, bus), (x, 1.5)])
        _gate_box(ax, cell, gate, (x, 1.9))
    ax.add_patch(_rounded((out - 0.45, 3.58), 0.9, 0.5, facecolor="white", edgecolor=_BLACK))
    for at in ((1.1, bus), (out, c)):
        ax.plot(*at, "o", ms=5, color=_BLACK)
    for at, sign in (((f, c), "×"), ((i_g, product), "×"), ((out, 2.75), "×"), ((i_g, c), "+")):
        ax.plot(*at, "o", ms=17, color="white", mec=_BLACK, mew=1.2, zorder=4)
        ax.text(*at, sign, ha="center", va="center_baseline", fontsize=14, zorder=5)
    for at, text, align, size in (
        ((-0.6, c), "$c_{t-1}$", "right", 14),
        ((11.7, c), "$c_t$", "left", 14),
        ((-0.6, bus), "$h_{t-1}$", "right", 14),
        ((11.7, bus), "$h_t$", "left", 14),
        ((1.1, -0.75), "$x_t$", "center", 14),
        ((out, 3.82), "tanh", "center", 10),
        ((i_g, c + 0.52), r"$c_t = f \circ c_{t-1} + i \circ g$   (4)", "center", 11),
        ((out + 0.12, 1.75), r"$h_t = o \circ \tanh(c_t)$" + "\n(6)", "left", 11),
        ((i_g, 0.38), "$z = W_x x_t + W_h h_{t-1} + b$, one row block for each gate", "center", 9),
    ):
        ax.text(*at, text, ha=align, va="center", fontsize=size)
    note = "" if cell == CELLS["standard"] else " (heavy frame: not as in the standard cell)"
    ax.set_title(f"the {cell.name} cell{note}", loc="left")
    return fig


def _gate_box(ax: Axes, cell: Cell, gate: str, at: Point) -> None:
    """A gate's box with its activation inside, its letter and equation number beside the wire above."""
    (x, y), name, colour = at, cell.activations[gate], GATE_COLOURS[gate]
    differs = name != CELLS["standard"].activations[gate]
    look = {"edgecolor": _BLACK, "linewidth": 3.0} if differs else {"edgecolor": colour}
    ax.add_patch(_rounded((x - 0.55, y - 0.4), 1.1, 0.8, fc=(colour, 0.3), gid=f"gate-{gate}", **look))
    ax.text(x, y, _SIGNS[name], ha="center", va="center", fontsize=13, gid=f"gate-{gate}")
    ax.text(x + 0.1, y + 0.62, f"${gate}$  ({_EQUATIONS[gate]})", ha="left", va="center", fontsize=11)


def _rounded(corner: Point, width: float, height: float, **look: Any) -> FancyBboxPatch:
    look = {"linewidth": 1.2, "zorder": 3} | look
    return FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.15", **look)


def _wire(ax: Axes, points: Sequence[Point], color: str = _BLACK, lw: float = 1.6, head: bool = True) -> None:
    """A line through the points, with an arrow's head at the last one."""
    ax.plot(*zip(*points, strict=True), color=color, lw=lw, solid_joinstyle="round", zorder=2)
    if head:
        _arrow(ax, points[-2], points[-1], color=color, lw=lw, mutation_scale=13)


def _arrow(ax: Axes, start: Point, end: Point, gid: str | None = None, **look: Any) -> None:
    look |= {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops=look, gid=gid, zorder=2)


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
    fig, ax = drawing(ax, (9, 3.0), (0.6, steps + 0.6), (-1.2, 1.75))
    first = 1 if span is None else steps - span + 1  # the earliest step that gets an error
    behind = {"fc": "white", "ec": "none", "pad": 0.5}

    def arrow(start: Point, end: Point, text: str, back: bool = False) -> None:
        color = PALETTE["red"] if back else _BLACK
        _arrow(ax, start, end, lw=1.4, color=color, ls="--" if back else "-")
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        if start[1] == end[1]:
            ax.text(x, y + 0.07, text, color=color, ha="center", va="bottom", bbox=behind)
        else:
            ax.text(x + 0.05, y, text, color=color, ha="left", va="center")

    def box(x: float, y: float, text: str, half: Point, color: str = _BLACK) -> None:
        corner, size = (x - half[0], y - half[1]), (2 * half[0], 2 * half[1])
        ax.add_patch(Rectangle(corner, *size, fc="white", ec=color, lw=1.2, zorder=2))
        ax.text(x, y, text, ha="center", va="center", color=color, zorder=3)

    for t in range(1, steps + 1):
        box(t, 0, f"step {t}", (0.24, 0.5), _BLACK if t >= first else PALETTE["grey"])
        arrow((t, -1.1), (t, -0.5), f"$x_{t}$")
        if t < steps:
            arrow((t + 0.24, 0.24), (t + 0.76, 0.24), f"$c_{t}, h_{t}$")
        if first <= t < steps:
            arrow((t + 0.76, -0.28), (t + 0.24, -0.28), f"$dc_{t}, dh_{t}$", back=True)
    box(steps, 1.4, "head, loss $L$", (0.42, 0.24))
    arrow((steps - 0.1, 0.5), (steps - 0.1, 1.16), "")
    arrow((steps + 0.1, 1.16), (steps + 0.1, 0.5), f"$dh_{steps}$", back=True)
    if first > 1:
        ax.axvline(first - 0.5, color=PALETTE["blue"], ls=":", lw=1.6, zorder=0)
        ax.text(first - 0.45, 1.4, f"span = {span}", color=PALETTE["blue"], va="center")
    return fig


def two_roads(ax: Axes | None = None) -> Figure:
    """The error's way through one step of an LSTM: along the cell state (c road) and through the gates (h road).

    Every arrow points backward in time or toward a cause and bears the factor that the error takes there.
    """
    fig, ax = drawing(ax, (9, 4.4), (-0.6, 8.6), (-1.5, 3.6))
    kinds = {
        "c": {"color": PALETTE["blue"], "ls": "-", "lw": 3.4},
        "h": {"color": PALETTE["red"], "ls": "--", "lw": 2.4},
        "link": {"color": _BLACK, "ls": "-", "lw": 1.3},
    }
    sides = {  # where the factor stands: how far from the middle of the arrow, and which way it is aligned
        "above": (0, 0.14, "center", "bottom"),
        "below": (0, -0.16, "center", "top"),
        "right": (0.16, 0, "left", "center"),
        "left": (-0.2, 0.05, "right", "center"),
    }
    box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": _BLACK, "lw": 1.2}
    nodes = {"c_{t-1}": (0, 3), "c_t": (5.2, 3), "h_{t-1}": (0, 0), "h_t": (5.2, 0), "z_t": (2.4, 0)}
    for name, at in nodes.items():
        ax.text(*at, f"${name}$", ha="center", va="center", fontsize=15, bbox=box, zorder=3)
    for kind, start, end, factor, side in (
        ("c", (4.8, 3), (0.45, 3), r"c road: $\times\, f_t$", "above"),
        ("c", (7.9, 3), (5.6, 3), r"from step $t+1$: $\times\, f_{t+1}$", "above"),
        ("h", (2.0, 0), (0.5, 0), r"h road: $\times\, W_h^\top$", "above"),
        ("h", (7.9, 0), (5.6, 0), r"from step $t+1$: $W_h^\top dz_{t+1}$", "above"),
        ("link", (5.2, -1.3), (5.2, -0.38), "from the loss", "right"),
        ("link", (5.2, 0.38), (5.2, 2.62), r"$\times\, o\,(1-\tanh^2 c)$", "right"),
        ("link", (4.8, 0), (2.75, 0), r"$\times\tanh c \circ o'$", "below"),
        ("link", (4.88, 2.65), (2.65, 0.35), r"$\times\, c_{t-1} f'\!,\; g\, i'\!,\; i\, g'$", "left"),
        ("link", (2.4, -0.38), (2.4, -1.3), r"$dW_x,\ dW_h,\ db$", "right"),
    ):
        _arrow(ax, start, end, f"{kind}-road", mutation_scale=16, **kinds[kind])
        dx, dy, ha, va = sides[side]
        x, y = (start[0] + end[0]) / 2 + dx, (start[1] + end[1]) / 2 + dy
        ax.text(x, y, factor, ha=ha, va=va, color=kinds[kind]["color"], fontsize=11)
    return fig

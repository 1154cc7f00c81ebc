"""What is isolated: the map of arcs, the strip of steps, and error over training time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.isolation.zones import Zone, nothing
from lstm_lib.network.cells import GATES, Array
from lstm_lib.network.spec import Spec
from lstm_lib.plots.look import GATE_COLOURS, LINES, PALETTE, SEQUENCE, canvas, on

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
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (6, 3.6))
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
    fig, ax = on(ax, (6, 1.0))
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
    fig, ax = on(ax)
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
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(4, max(1, len(histories))), frameon=False)
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

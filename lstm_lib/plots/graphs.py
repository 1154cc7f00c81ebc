"""A computation as a graph: numbers go forward along its arrows, errors come back; and buttons to step through it.

Nouns: a node is a number; its sources are the numbers it is made of; the factor of an arrow is the local derivative:
that of the node to which it leads with respect to the node that it leaves.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .look import PALETTE, Look, Point, drawing

Sources = Mapping[str, tuple[str, ...]]
Factors = Mapping[tuple[str, str], float]
_BACK = PALETTE["red"]


def graph_steps(sources: Sources) -> int:
    """How many moments `computation_graph` can show after the start: a value, the error 1, or one node's errors each.

    >>> graph_steps({"p": ("w", "x"), "L": ("p",)})
    5
    """
    return 2 * len(sources) + 1


def computation_graph(
    sources: Sources,
    values: Mapping[str, float],
    factors: Factors,
    labels: Mapping[str, str] | None = None,
    shown: int | None = None,
    ax: Axes | None = None,
) -> Figure:
    """A graph with its values in the nodes, local derivatives at the arrows, and errors in red below the nodes.

    Parameters
    ----------
    sources : node -> what it is made of, in the order of the forward pass; the last one is the loss. Nodes that are
        named as sources alone are given numbers.
    values : number of every node. factors : (source, node) -> ∂node/∂source.
    labels : what is written in a node beside its number; its name by default.
    shown : how many steps to show, from 0 to `graph_steps(sources)`: values one after the other, then the error of the
        loss, which is 1, then what each node hands to its sources, from the last node to the first. None shows all.

    Raises ValueError for a `shown` out of range, and for a node or an arrow without its number.

    >>> fig = computation_graph({"L": ("w", "x")}, {"w": 3, "x": 2, "L": 6}, {("w", "L"): 2, ("x", "L"): 3})
    >>> sorted(text.get_text() for text in fig.axes[0].texts if text.get_gid() == "error")
    ['dL = 1', 'dw = 2', 'dx = 3']
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    last, steps = len(sources), graph_steps(sources)
    shown = steps if shown is None else shown
    if not 0 <= shown <= steps:
        raise ValueError(f"shown is {shown}; this graph has steps 0 to {steps}")
    arrows = [(source, node) for node, froms in sources.items() for source in dict.fromkeys(froms)]
    at = _places(sources)
    lacking = [str(n) for n in at if n not in values] + [
        f"{a} to {b}" for a, b in arrows if (a, b) not in factors
    ]
    if lacking:
        raise ValueError(f"no number is given for {', '.join(lacking)}")

    known = {*at} - {*list(sources)[shown:]}  # nodes whose value is there
    passed = list(sources)[::-1][: max(0, shown - last - 1)]  # nodes that have handed their error on
    errors = errors_so_far(sources, factors, len(passed)) if shown > last else {}
    width, low, high = max(x for x, _ in at.values()), *(f(y for _, y in at.values()) for f in (min, max))
    size = 1.9 * width + 1.6, 0.75 * (high - low) + 1.6
    fig, ax = drawing(ax, size, (-0.55, width + 0.55), (low - 0.75, high + 0.55))
    now = list(sources)[shown - 1] if 0 < shown <= last else (passed[-1] if passed else None)
    boxes = {}
    for node, (x, y) in at.items():
        text = (labels or {}).get(node, node) + (f"\n{values[node]:.4g}" if node in known else "\n?")
        box = {
            "boxstyle": "round,pad=0.35",
            "lw": 2.6 if node == now else 1.2,
            "fc": "white" if node in sources else "#EEEEEA",
            "ec": PALETTE["blue"] if node == now else PALETTE["black"],
        }
        shown_text = ax.text(
            x, y, text, ha="center", va="center", bbox=box, zorder=3, gid="node", fontsize=11
        )
        boxes[node] = shown_text.get_bbox_patch()
        if node in errors:
            ax.text(x, y - 0.42, f"d{node} = {errors[node]:.3g}", color=_BACK, ha="center", va="center", gid="error",
                    zorder=4, fontsize=11, bbox={"fc": "white", "ec": "none", "pad": 0.6})  # fmt: skip
    for source, node in arrows:
        _arrow(ax, (at[source], at[node]), (boxes[source], boxes[node]), back=node in passed)
        if shown > last:
            _factor(ax, at[source], at[node], factors[source, node], strong=node in passed)
    return fig


def errors_so_far(sources: Sources, factors: Factors, nodes: int) -> dict[str, float]:
    """The errors once the last so many nodes have handed theirs to their sources; those that are used later add up.

    >>> errors_so_far({"p": ("w",), "L": ("p", "w")}, {("w", "p"): 2, ("p", "L"): 3, ("w", "L"): 5}, 2)
    {'L': 1.0, 'p': 3.0, 'w': 11.0}
    """
    errors = {list(sources)[-1]: 1.0}
    for node in list(sources)[::-1][:nodes]:
        for source in dict.fromkeys(sources[node]):
            errors[source] = errors.get(source, 0.0) + errors[node] * factors[source, node]
    return errors


def _places(sources: Sources) -> dict[str, Point]:
    """Node -> where it stands: what is computed from left to right, given numbers above and below it."""
    column: dict[str, int] = {}
    for node, froms in sources.items():
        column[node] = 1 + max((column.get(source, 0) for source in froms), default=0)
    rows: dict[int, list[str]] = {}
    for node in sources:
        rows.setdefault(column[node], []).append(node)
    at: dict[str, Point] = {
        node: (k, (len(nodes) - 1) / 2 - row) for k, nodes in rows.items() for row, node in enumerate(nodes)
    }
    uses = [source for froms in sources.values() for source in dict.fromkeys(froms) if source not in sources]
    often = {
        source for source in uses if uses.count(source) > 1
    }  # they stand above, where their arrows have room
    there: dict[tuple[int, int], int] = {}
    for node, froms in sources.items():
        for source in froms:
            if source not in at:
                k = column[node] - 1
                up = source in often if often else not there.get((k, 1))
                side = 1 if up else -1
                there[k, side] = there.get((k, side), 0) + 1
                at[source] = (k, side * (1.15 * there[k, side] + (len(rows.get(k, [])) > 1)))
    return at


def _arrow(ax: Axes, ends: tuple[Point, Point], boxes: tuple[Patch | None, Patch | None], back: bool) -> None:
    """From the edge of one box to that of the other; drawn after these, since only then their sizes are known."""
    start, end = ends
    long = end[0] - start[0] > 1
    look: Look = {"arrowstyle": "-|>", "shrinkA": 1, "shrinkB": 1}
    ahead = {"connectionstyle": f"arc3,rad={-0.18 if long else 0}", "lw": 1.4}
    there = dict(zip(("patchA", "patchB"), boxes, strict=True))
    ax.annotate("", end, start, arrowprops={**look, **ahead, **there}, zorder=4)
    if back:
        ahead = {
            "connectionstyle": f"arc3,rad={0.32 if long else 0.14}",
            "lw": 1.2,
            "ls": "--",
            "color": _BACK,
        }
        there = dict(zip(("patchB", "patchA"), boxes, strict=True))
        ax.annotate("", start, end, arrowprops={**look, **ahead, **there}, gid="back", zorder=4)


def _factor(ax: Axes, start: Point, end: Point, factor: float, strong: bool) -> None:
    long = end[0] - start[0] > 1
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + (0.3 if long else 0.16)
    colour, box = _BACK if strong else PALETTE["grey"], {"fc": "white", "ec": "none", "pad": 0.3}
    look: Look = {"color": colour, "bbox": box, "ha": "center", "va": "center", "fontsize": 9.5, "zorder": 5}
    ax.text(x, y, f"×{factor:.3g}", gid="factor", **look)


def stepper(draw: Callable[[int], Figure], last: int, alt: str) -> Any:
    """Buttons that step a figure forward and back, for a notebook with a kernel.

    Parameters
    ----------
    draw : the figure of a step, 0 to `last`; all are drawn at once, so that what it reads may change later.
    alt : what the figure shows, for a screen reader.

    Returns
    -------
    A widget of ipywidgets; shown as the result of a cell. It begins at step 0.
    """
    import ipywidgets as widgets

    pictures = [_as_html(draw(step), f"Step {step} of {last}. {alt}") for step in range(last + 1)]
    place = widgets.BoundedIntText(
        0, min=0, max=last, description=f"step of {last}:", layout={"width": "12em"}
    )
    back, forward = (widgets.Button(description=text) for text in ("◀ one back", "one on ▶"))
    picture = widgets.HTML()

    def show_step(_: Any = None) -> None:
        back.disabled, forward.disabled = place.value == 0, place.value == last
        picture.value = pictures[place.value]

    def move(by: int) -> Callable[[Any], None]:
        return lambda _: setattr(place, "value", place.value + by)

    back.on_click(move(-1))
    forward.on_click(move(+1))
    place.observe(show_step, "value")
    show_step()
    return widgets.VBox([widgets.HBox([back, forward, place]), picture])


def _as_html(fig: Figure, alt: str) -> str:
    """The picture of a figure, with its words; the figure is closed."""
    kept = io.BytesIO()
    fig.savefig(kept, format="png")
    plt.close(fig)
    data = base64.b64encode(kept.getvalue()).decode()
    return f'<img style="max-width: 100%" alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'

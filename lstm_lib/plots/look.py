"""The look of every figure: one palette, one canvas, and `show`, which gives a figure its words.

The palette is Okabe and Ito's, told apart by colour-blind readers.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
    "grey": "#7F7F7F",
}
GATE_COLOURS = {"f": PALETTE["blue"], "i": PALETTE["orange"], "o": PALETTE["green"], "g": PALETTE["purple"]}
SEQUENCE = [PALETTE[name] for name in ("blue", "orange", "green", "red", "purple", "sky", "black")]
LINES = ("-", "--", "-.", ":")  # beside colour, so that colour alone carries nothing

STYLE: dict[str, Any] = {
    "figure.figsize": (8, 3.6),
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": cycler(color=SEQUENCE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "lstm_lib",
}


def canvas(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (8, 3.6), **options: Any
) -> tuple[Figure, Any]:
    """A figure and its axes in the course's look; arguments as `matplotlib.pyplot.subplots`.

    >>> fig, ax = canvas()
    >>> ax.spines["top"].get_visible()
    False
    >>> plt.close(fig)
    """
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]  # the stubs want a literal
        fig, axes = plt.subplots(rows, columns, figsize=size, **options)
    return fig, axes


def on(ax: Axes | None, size: tuple[float, float] = (8, 3.6)) -> tuple[Figure, Axes]:
    """The given axes and its figure, or new ones."""
    if ax is None:
        fig, new = canvas(size=size)
        return fig, new
    return ax.get_figure(root=True), ax  # type: ignore[return-value]


def show(fig: Figure, alt: str) -> None:
    """Display a figure in a notebook with its alternative text, and close it.

    Raises ValueError for an empty text: a figure that some readers can't see needs words.
    """
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the figure shows")
    display(fig, metadata={"image/png": {"alt": alt}})
    plt.close(fig)

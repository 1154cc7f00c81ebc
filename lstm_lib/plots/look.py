"""The look of every figure: palette, canvas, lines that are told apart, and `show`, which gives a figure its words.

The palette is Okabe and Ito's, told apart by colour-blind readers; dashes, marks or hatches always stand beside colour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Look = dict[str, Any]  # keywords of Matplotlib
Point = tuple[float, float]  # a place, a size or limits

PALETTE = {
    "blue": "#0072B2", "orange": "#E69F00", "green": "#009E73", "red": "#D55E00", "purple": "#CC79A7",
    "sky": "#56B4E9", "yellow": "#F0E442", "black": "#000000", "grey": "#7F7F7F",
}  # fmt: skip
SEQUENCE = [PALETTE[name] for name in ("blue", "orange", "green", "red", "purple", "sky", "black")]
LINES = ("-", "--", "-.", ":")
MARKERS = "os^DvPX"
# The gates of all cells: f, i, o, g of an LSTM, z, r, g of a GRU, g of a simple recurrent network.
GATE_COLOURS = dict(zip("fiozrg", [*SEQUENCE[:4], PALETTE["sky"], PALETTE["purple"]], strict=True))

STYLE: Look = {
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


def canvas(rows: int = 1, columns: int = 1, size: Point = (8, 3.6), **options: Any) -> tuple[Figure, Any]:
    """A new figure and its axes in the course's look.

    Parameters
    ----------
    rows, columns : how many axes there are.
    size : width and height in inches.
    options : as `matplotlib.pyplot.subplots` takes them.

    >>> fig, ax = canvas()
    >>> ax.spines["top"].get_visible()
    False
    >>> plt.close(fig)
    """
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]  # the stubs want a literal
        return plt.subplots(rows, columns, figsize=size, **options)


def given_or_new(ax: Axes | None, size: Point = (8, 3.6)) -> tuple[Figure, Axes]:
    """The axes that are given and their figure, or new ones of this size in inches."""
    return canvas(size=size) if ax is None else (figure_of(ax), ax)


def drawing(ax: Axes | None, size: Point, xlim: Point, ylim: Point) -> tuple[Figure, Axes]:
    """The axes that are given, or new ones, with these limits and no frame."""
    fig, ax = given_or_new(ax, size)
    ax.set(xlim=xlim, ylim=ylim)
    ax.set_axis_off()
    return fig, ax


def panels(axes: Sequence[Axes] | None, rows: int, columns: int, **options: Any) -> Sequence[Axes]:
    """The axes that are given, or all of a new canvas."""
    return canvas(rows, columns, squeeze=False, **options)[1].flat if axes is None else axes


def figure_of(ax: Axes) -> Figure:
    """The figure that these axes stand in."""
    return ax.get_figure(root=True)  # type: ignore[return-value]  # None for axes that were removed


def line(k: int, marks: bool = True) -> Look:
    """Colour, dashes and, if wanted, the mark of the k-th line of a figure.

    >>> line(1)
    {'color': '#E69F00', 'ls': '--', 'marker': 's'}
    """
    look: Look = {"color": SEQUENCE[k % len(SEQUENCE)], "ls": LINES[k % len(LINES)]}
    return look | {"marker": MARKERS[k % len(MARKERS)]} if marks else look


def pale(colour: str, strength: float = 0.45) -> str:
    """A colour mixed with white, so that hatches and text on it can be read."""
    red, green, blue = (1 - strength * (1 - part) for part in mpl.colors.to_rgb(colour))
    return mpl.colors.to_hex((red, green, blue))


def legend_above(ax: Axes, columns: int = 4, **options: Any) -> None:
    """A legend above the axes, where it hides nothing."""
    ax.legend(ncols=columns, loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, **options)


def zone_name(zone: Any) -> str:
    """A time zone as people write it; in the names Etc/GMT the sign is reversed.

    >>> zone_name("Etc/GMT-1"), zone_name("Etc/GMT+8"), zone_name("Europe/Paris")
    ('UTC+1', 'UTC-8', 'Europe/Paris')
    """
    fixed = re.fullmatch(r"Etc/GMT([+-]\d+)", str(zone))
    return f"UTC{-int(fixed[1]):+d}" if fixed else str(zone)


def date_axis(ax: Axes, zone: Any) -> None:
    """Dates along the bottom, in the local time of this zone."""
    locator = mdates.AutoDateLocator(tz=zone)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=zone))
    ax.set_xlabel(f"time ({zone_name(zone)})")


def show(fig: Figure, alt: str) -> None:
    """Display a figure in a notebook with its alternative text, and close it.

    Parameters
    ----------
    fig : any figure.
    alt : what it shows, in a sentence or two, for those who can't see it.

    Raises ValueError when `alt` is empty.
    """
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the figure shows")
    display(fig, metadata={"image/png": {"alt": alt}})
    plt.close(fig)

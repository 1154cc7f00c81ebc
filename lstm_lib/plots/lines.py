"""Lines that are told apart without colour: `curves` draws most figures of the course, the others are made with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array

from .look import PALETTE, SEQUENCE, Look, Point, given_or_new, legend_above, line


def curves(
    lines: Mapping[str, Array | tuple[Array, Array]],
    xlabel: str,
    ylabel: str,
    log: str = "",
    limits: Mapping[str, float] | None = None,
    points: Collection[str] = (),
    marks: str = "",
    guides: Mapping[str, tuple[Array, Array]] | None = None,
    looks: Mapping[str, int] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Lines over a common axis, told apart by colour, dashes and marks.

    Parameters
    ----------
    lines : name -> (x, y), both (n,), or y alone, which is then counted from 1: steps, epochs. A value of 0 or below
        is left out on a logarithmic axis.
    xlabel, ylabel : what the axes show, with its unit.
    log : which axes are logarithmic: "", "x", "y" or "xy".
    limits : label -> y, drawn as thin dashed lines on top of all others, so that a line that runs along one doesn't
        hide it, with the label above their right end.
    points : names among `lines` that are drawn as marks without a line.
    marks : of every value: "" for none, "equal", or "nested": large and small in turn, so that one line on top of
        another shows as a mark within a mark.
    looks : name -> which colour, dashes and mark, counted from 0; None takes them in order.
    guides : label -> (x, y), such as an expected error, drawn as thin grey lines with the label at their end.

    >>> fig = curves({"a": np.array([2.0, 1.0])}, "step t", "loss", log="y")
    >>> fig.axes[0].get_yscale(), fig.axes[0].lines[0].get_xdata().tolist()
    ('log', [1, 2])
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax)
    thin: Look = {"color": PALETTE["grey"], "lw": 1}
    beside: Look = {"textcoords": "offset points"}
    at_end = beside | {"xycoords": ("axes fraction", "data"), "ha": "right"}
    for label, (x, y) in (guides or {}).items():
        ax.plot(x, y, **thin)
        ax.annotate(label, (x[-1], y[-1]), (4, 0), color="#555555", va="center", **beside)
    for label, limit in (limits or {}).items():
        ax.axhline(limit, color=PALETTE["black"], lw=1, ls=(0, (6, 4)), zorder=3)
        ax.annotate(label, (0.995, limit), (0, 3), **at_end)
    for k, (name, given) in enumerate(lines.items()):
        x, y = given if isinstance(given, tuple) else (np.arange(1, len(given) + 1), given)
        shown = np.where(np.asarray(y) > 0, y, np.nan) if "y" in log else y
        at = k if looks is None else looks[name]
        look = line(at, bool(marks) or name in points) | {"ms": 8 if marks == "nested" and k % 2 == 0 else 5}
        ax.plot(x, shown, label=name, **look | ({"ls": "", "mfc": "none"} if name in points else {}))
    ax.set(xlabel=xlabel, ylabel=ylabel, **{f"{axis}scale": "log" for axis in log})
    if len(lines) > 1:
        ax.legend(frameon=False)
    return fig


def vanishing(
    errors: Mapping[float | str, Array],
    ylabel: str,
    alone: Mapping[float | str, Array] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Norm of an error at every time step for several networks, logarithmic; the loss is at the right.

    Parameters
    ----------
    errors : forget bias or name -> (T,) norms, first step first.
    ylabel : which error.
    alone : the same for the c road alone, drawn thin and dotted in the colour of its line.
    """
    fig, ax = given_or_new(ax, (7, 4))
    for k, (bias, norms) in enumerate(errors.items()):
        label = bias if isinstance(bias, str) else f"$b_f$ = {bias:g}".replace("-", "−")
        t = np.arange(1, len(norms) + 1)
        look = line(k) | {"ls": "-", "ms": 5, "markevery": (4 * k, 20)}
        ax.semilogy(t, norms, label=label, **look)
        if alone is not None:
            ax.semilogy(t, alone[bias], color=SEQUENCE[k], ls=":", lw=1.4)
    if alone is not None:
        ax.plot([], color=PALETTE["black"], ls=":", lw=1.4, label="c road alone")
    ax.set(xlabel="time step t", ylabel=ylabel)
    lowest, highest = (np.log10(limit) for limit in ax.get_ylim())
    if highest - lowest > 8:  # by itself Matplotlib marks every seventh power of ten
        apart = next(k for k in (2, 5, 10, 20, 50, 100) if highest - lowest <= 8 * k)
        ax.set_yticks(10.0 ** (apart * np.arange(np.ceil(lowest / apart), np.floor(highest / apart) + 1)))
        ax.minorticks_off()
    ax.legend(ncols=2, loc="lower right", fontsize="small")
    return fig


def bowl(curvatures: tuple[float, float], paths: Mapping[str, Array], ax: Axes | None = None) -> Figure:
    """Paths of two weights down L = ½ (a w₁² + b w₂²), over lines of equal loss; the cross marks the bottom.

    Parameters
    ----------
    curvatures : a, b.
    paths : name -> (steps + 1, 2), one mark a step, beginning with the start.
    """
    w1, w2 = (float(reach) for reach in 1.15 * np.abs(np.vstack([*paths.values()])).max(axis=0))
    levels = (curvatures[0] * w1**2 + curvatures[1] * w2**2) / 2 * np.linspace(0.03, 1, 9) ** 2

    def loss(w: Array) -> Array:
        return np.asarray((w**2 * np.array(curvatures)).sum(axis=-1) / 2)

    return descent(loss, paths, (0, 0), (-w1, w1), (-w2, w2), levels, marks=True, ax=ax)


def descent(
    loss: Callable[[Array], Array],
    paths: Mapping[str, Array],
    bottom: Point,
    xlim: Point,
    ylim: Point,
    levels: Array | None = None,
    marks: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """Paths of two weights down a surface, over lines of equal loss; circle: the start, cross: the bottom.

    Parameters
    ----------
    loss : of weights (..., 2).
    paths : name -> (steps + 1, 2), all from the same start.
    bottom : where the loss is smallest.
    xlim, ylim : the part that is drawn.
    levels : of the loss; None takes powers of ten and their halves.
    marks : one a step, else lines alone and a mark at the end of each.

    >>> fig = descent(lambda w: w[..., 0] ** 2 + w[..., 1] ** 2, {"a": np.eye(2)}, (0, 0), (-1, 1), (-1, 1))
    >>> len(fig.axes[0].lines)
    3
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = given_or_new(ax, (8, 4))
    w1, w2 = np.meshgrid(np.linspace(*xlim, 200), np.linspace(*ylim, 200))
    heights = 10.0 ** np.arange(-2, 5, 0.5) if levels is None else levels
    ax.contour(w1, w2, loss(np.stack([w1, w2], axis=-1)), levels=heights, colors="#BBBBBB", linewidths=0.8)
    for k, (name, path) in enumerate(paths.items()):
        ax.plot(*path.T, lw=1.2, ms=4, label=name, markevery=1 if marks else [len(path) - 1], **line(k))
    ax.plot(*paths[next(iter(paths))][0], "o", ms=11, mfc="none", color=PALETTE["black"])
    ax.plot(*bottom, "+", ms=14, mew=2, color=PALETTE["black"])
    ax.set(xlabel="$w_1$", ylabel="$w_2$", xlim=xlim, ylim=ylim)
    ax.grid(visible=False)
    legend_above(ax, min(2, len(paths)))
    return fig

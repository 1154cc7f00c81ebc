"""Gradients: how they are checked, the roads an error takes, and where it fades."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lib.network.cells import Array
from lstm_lib.plots.look import LINES, PALETTE, SEQUENCE, on


def difference_errors(
    curves: Mapping[str, tuple[Array, Array]],
    guides: Mapping[str, tuple[Array, Array]] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Relative error of difference quotients over the step ε, both axes logarithmic.

    Parameters
    ----------
    curves : name of the method -> (ε, relative error), both (n,) and above 0.
    guides : label -> (ε, value), expected errors, drawn as thin grey lines with the label at their end.

    >>> eps = np.array([1e-2, 1e-4])
    >>> fig = difference_errors({"central": (eps, eps**2)})
    >>> fig.axes[0].get_xscale(), fig.axes[0].get_yscale()
    ('log', 'log')
    >>> import matplotlib.pyplot as plt
    >>> plt.close(fig)
    """
    fig, ax = on(ax, (8, 4))
    for label, (eps, value) in (guides or {}).items():
        ax.plot(eps, value, color=PALETTE["grey"], lw=1)
        ax.annotate(
            label, (eps[-1], value[-1]), (4, 0), textcoords="offset points", color="#555555", va="center"
        )
    for k, (name, (eps, error)) in enumerate(curves.items()):
        ax.plot(
            eps,
            error,
            marker="os^Dv"[k % 5],
            ms=7 - 3 * (k % 2),
            lw=1,
            color=SEQUENCE[k],
            ls=LINES[k],
            label=name,
        )
    ax.set(xscale="log", yscale="log", xlabel="step ε", ylabel="largest relative error")
    ax.legend()
    return fig


def two_roads(ax: Axes | None = None) -> Figure:
    """The error's way through one step: along the cell state (c road) and through the gates (h road).

    Every arrow points backward in time or toward a cause and bears the factor that the error takes there.
    """
    fig, ax = on(ax, (9, 4.4))
    box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": PALETTE["black"], "lw": 1.2}
    nodes = {
        "$c_{t-1}$": (0, 3), "$c_t$": (5.2, 3), "$h_{t-1}$": (0, 0), "$h_t$": (5.2, 0), "$z_t$": (2.4, 0),
    }  # fmt: skip
    for name, at in nodes.items():
        ax.text(*at, name, ha="center", va="center", fontsize=15, bbox=box, zorder=3)

    def road(start: tuple[float, float], end: tuple[float, float], factor: str, to: str, kind: str) -> None:
        colour, ls, lw = {
            "c": (PALETTE["blue"], "-", 3.4),
            "h": (PALETTE["red"], "--", 2.4),
            "link": (PALETTE["black"], "-", 1.3),
        }[kind]
        arrow = {"arrowstyle": "-|>", "color": colour, "ls": ls, "lw": lw, "mutation_scale": 16}
        ax.annotate("", end, start, arrowprops=arrow, gid=f"{kind}-road")
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        dx, dy, ha, va = {
            "above": (0, 0.14, "center", "bottom"),
            "below": (0, -0.16, "center", "top"),
            "right": (0.16, 0, "left", "center"),
            "left": (-0.2, 0.05, "right", "center"),
        }[to]
        ax.text(x + dx, y + dy, factor, ha=ha, va=va, color=colour, fontsize=11)

    road((4.8, 3), (0.45, 3), r"c road: $\times\, f_t$", "above", "c")
    road((7.9, 3), (5.6, 3), r"from step $t+1$: $\times\, f_{t+1}$", "above", "c")
    road((2.0, 0), (0.5, 0), r"h road: $\times\, W_h^\top$", "above", "h")
    road((7.9, 0), (5.6, 0), r"from step $t+1$: $W_h^\top dz_{t+1}$", "above", "h")
    road((5.2, -1.3), (5.2, -0.38), "from the loss", "right", "link")
    road((5.2, 0.38), (5.2, 2.62), r"$\times\, o\,(1-\tanh^2 c)$", "right", "link")
    road((4.8, 0), (2.75, 0), r"$\times\tanh c \circ o'$", "below", "link")
    road((4.88, 2.65), (2.65, 0.35), r"$\times\, c_{t-1} f'\!,\; g\, i'\!,\; i\, g'$", "left", "link")
    road((2.4, -0.38), (2.4, -1.3), r"$dW_x,\ dW_h,\ db$", "right", "link")
    ax.set(xlim=(-0.6, 8.6), ylim=(-1.5, 3.6))
    ax.axis("off")
    return fig


def vanishing(
    errors: Mapping[float, Array],
    ylabel: str,
    alone: Mapping[float, Array] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Norm of an error at every time step for several forget biases, logarithmic; the loss is at the right.

    Parameters
    ----------
    errors : forget bias -> (T,) norms, first step first.
    alone : the same for the c road alone, drawn thin and dotted in the colour of its bias.
    """
    fig, ax = on(ax, (7, 4))
    for k, (bias, norms) in enumerate(errors.items()):
        t = np.arange(1, len(norms) + 1)
        ax.semilogy(
            t, norms, color=SEQUENCE[k], marker="os^Dv"[k % 5], markevery=(4 * k, 20), ms=5,
            label=f"$b_f$ = {bias:g}".replace("-", "−"),
        )  # fmt: skip
        if alone is not None:
            ax.semilogy(t, alone[bias], color=SEQUENCE[k], ls=":", lw=1.4)
    if alone is not None:
        ax.plot([], color=PALETTE["black"], ls=":", lw=1.4, label="c road alone")
    ax.set(xlabel="time step t", ylabel=ylabel)
    ax.legend(ncols=2, loc="lower right", fontsize="small")
    return fig

"""One time step of the LSTM, forward and backward: the equations and nothing else.

Nouns: an `Activation` is a function and its derivative written with its own output; a `Cell` says which
activation each gate takes; `step_forward` and `step_backward` are the strict pair the rest of the project
is tested against. The fast path in `network.py` computes the same numbers in another order.

Letters: D inputs, H hidden units, B batch. Everything here is feature-major, one column a sample.
Equation numbers are those of the project's brief:

    (1) f = act_f(Wx_f x + Wh_f h_prev + b_f)        (4) c = f * c_prev + i * g
    (2) i = act_i(Wx_i x + Wh_i h_prev + b_i)        (5) g = act_g(Wx_g x + Wh_g h_prev + b_g)
    (3) o = act_o(Wx_o x + Wh_o h_prev + b_o)        (6) h = o * tanh(c)

Sources: Hochreiter and Schmidhuber (1997), Neural Computation 9(8), for the cell; Gers, Schmidhuber and
Cummins (2000), Neural Computation 12(10), for the forget gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

GATES = ("f", "i", "o", "g")  # the order of the row blocks in every (4H, ...) array


class Activation(NamedTuple):
    """A function of the pre-activation, and its derivative as a function of its own value."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def sigmoid(z: Array) -> Array:
    """Logistic function, as (1 + tanh(z/2))/2: never overflows, and analytic for complex steps."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


ACTIVATIONS = {
    "sigmoid": Activation(sigmoid, lambda a: a * (1 - a)),
    "tanh": Activation(np.tanh, lambda a: 1 - a * a),
}


@dataclass(frozen=True)
class Cell:
    """The activation of each gate by name; the output always passes through tanh(c)."""

    name: str
    f: str
    i: str
    o: str
    g: str

    def activation(self, gate: str) -> Activation:
        """The `Activation` of one of the gates f, i, o, g."""
        return ACTIVATIONS[getattr(self, gate)]


CELLS = {
    cell.name: cell
    for cell in (
        Cell("standard", f="sigmoid", i="sigmoid", o="sigmoid", g="tanh"),
        Cell("brief", f="sigmoid", i="sigmoid", o="tanh", g="sigmoid"),
    )
}


def get_cell(name: str) -> Cell:
    """Look a cell up by name.

    Raises ValueError with the valid names when there is none of that name.

    >>> get_cell("brief").o
    'tanh'
    """
    if name not in CELLS:
        raise ValueError(f"unknown cell {name!r}; the cells are {', '.join(sorted(CELLS))}")
    return CELLS[name]


class StepTrace(NamedTuple):
    """What one step forward keeps for the step backward; feature-major, (H, B) unless said otherwise."""

    x: Array  # (D, B)
    h_prev: Array
    c_prev: Array
    f: Array
    i: Array
    o: Array
    g: Array
    c: Array
    tanh_c: Array
    h: Array


class StepGradients(NamedTuple):
    """∂L/∂ of everything that enters a step, and of the intermediates on the way."""

    Wx: Array  # (4H, D)
    Wh: Array  # (4H, H)
    b: Array  # (4H,)
    x: Array  # (D, B)
    h_prev: Array  # (H, B)
    c_prev: Array  # (H, B)
    z: Array  # (4H, B), pre-activations
    c: Array  # (H, B), the whole error that reaches the cell state


def step_forward(
    cell: Cell, Wx: Array, Wh: Array, b: Array, x: Array, h_prev: Array, c_prev: Array
) -> StepTrace:
    """Equations (1) to (6) for one time step.

    Parameters
    ----------
    cell : which activation each gate takes, from `CELLS`.
    Wx, Wh, b : (4H, D), (4H, H), (4H,); row blocks in the order f, i, o, g.
    x, h_prev, c_prev : (D, B), (H, B), (H, B). Any float dtype, or complex for complex-step differences.

    Returns
    -------
    StepTrace with every gate, c, tanh(c) and h.

    >>> import numpy as np
    >>> one = np.ones((1, 1))
    >>> t = step_forward(CELLS["standard"], np.zeros((4, 1)), np.zeros((4, 1)), np.zeros(4), one, one, one)
    >>> float(t.f[0, 0]), float(t.c[0, 0]), round(float(t.h[0, 0]), 4)
    (0.5, 0.5, 0.2311)
    """
    z = Wx @ x + Wh @ h_prev + b[:, None]
    z_f, z_i, z_o, z_g = np.split(z, 4)
    f = cell.activation("f").value(z_f)  # (1)
    i = cell.activation("i").value(z_i)  # (2)
    o = cell.activation("o").value(z_o)  # (3)
    g = cell.activation("g").value(z_g)  # (5)
    c = f * c_prev + i * g  # (4)
    tanh_c = np.tanh(c)
    h = o * tanh_c  # (6)
    return StepTrace(x, h_prev, c_prev, f, i, o, g, c, tanh_c, h)


def step_backward(cell: Cell, Wx: Array, Wh: Array, trace: StepTrace, dh: Array, dc: Array) -> StepGradients:
    """The derivative of `step_forward`, line by line in reverse.

    Parameters
    ----------
    cell, Wx, Wh : as given to `step_forward`.
    trace : what `step_forward` returned.
    dh, dc : (H, B), ∂L/∂h and the part of ∂L/∂c that comes from later steps.

    Returns
    -------
    StepGradients; the weight gradients are of this step alone, summed over the batch.
    """
    x, h_prev, c_prev, f, i, o, g, _, tanh_c, _ = trace

    # (6) h = o * tanh(c)
    do = dh * tanh_c
    dc = dc + dh * o * (1 - tanh_c * tanh_c)

    # (4) c = f * c_prev + i * g
    df = dc * c_prev
    di = dc * g
    dg = dc * i
    dc_prev = dc * f

    # (1), (2), (3), (5) a = act(z)
    dz = np.concatenate(
        [
            df * cell.activation("f").slope(f),
            di * cell.activation("i").slope(i),
            do * cell.activation("o").slope(o),
            dg * cell.activation("g").slope(g),
        ]
    )

    # z = Wx @ x + Wh @ h_prev + b
    return StepGradients(
        Wx=dz @ x.T,
        Wh=dz @ h_prev.T,
        b=dz.sum(axis=1),
        x=Wx.T @ dz,
        h_prev=Wh.T @ dz,
        c_prev=dc_prev,
        z=dz,
        c=dc,
    )

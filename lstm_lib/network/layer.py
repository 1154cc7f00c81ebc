"""One LSTM layer over a whole sequence: the fast path through the equations of `cell.py`.

Nouns: a `Layer` owns the arrays of one layer for one number of steps and batch; `run_forward` fills gates and
states. The way back is in `layer_backward.py`.

Letters: T time steps, B batch, D inputs of a layer, H units, S = H + D + 1 sources. All arrays are
feature-major, (rows, B) per step, so that each gate is one contiguous block. The numbers are those of
`cell.py`, the order of the work differs in four ways, each for speed:

- the sources [h_prev; x; 1] of a step stand in one array, so one product gives all four pre-activations
  and ONE product after the loop gives the gradients of Wh, Wx and b together;
- a sigmoid is a tanh of half the pre-activation; the halving is done once, on the weights;
- the factors that turn an error into dz are computed for a block of steps before the loop reaches them;
- errors too small to reach a gradient are set to zero, and the loop ends when none is left (`flush`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .cells import GATES, Array, Cell


class LayerTrace(NamedTuple):
    """What one layer did, feature-major views: every array (T, H, B), but `x` (T, D, B)."""

    x: Array
    f: Array
    i: Array
    o: Array
    g: Array
    c: Array
    tanh_c: Array
    h: Array


class Layer:
    """All arrays of one layer for one (T, B), and the views the time loop walks over.

    Slicing costs as much as arithmetic on small layers, so every view is made once, here.
    """

    def __init__(self, cell: Cell, T: int, B: int, D: int, H: int, dtype: np.dtype[Any]) -> None:
        self.cell, self.T, self.B, self.D, self.H = cell, T, B, D, H
        S = H + D + 1
        self.weights = np.empty((4 * H, S), dtype)  # [Wh | Wx | b], sigmoid rows halved
        self.sources = np.zeros((T + 1, S, B), dtype)  # [h_prev; x; 1]; row block h of step t+1 is h_t
        self.sources[:, -1] = 1
        self.gates = np.empty((T, 4 * H, B), dtype)
        self.cells = np.zeros((T + 1, H, B), dtype)  # c of step t stands at t + 1
        self.tanh_c = np.empty((T, H, B), dtype)
        self.scratch = np.empty((H, B), dtype)
        self.errors: Any = None  # of `layer_backward.Errors`, made when the backward pass first needs them
        self.sigmoid_rows = _sigmoid_rows(cell, H)
        self.forward_steps = [
            (
                self.sources[t],
                self.gates[t],
                [self.gates[t, rows] for rows in self.sigmoid_rows],
                *self.gate_views(t),
                self.cells[t],
                self.cells[t + 1],
                self.tanh_c[t],
                self.sources[t + 1, :H],
            )
            for t in range(T)
        ]

    def gate_views(self, t: int | slice) -> tuple[Array, Array, Array, Array]:
        """f, i, o, g of one step or a slice of steps."""
        H, gates = self.H, self.gates[t]
        f, i, o, g = (gates[..., k * H : (k + 1) * H, :] for k in range(4))
        return f, i, o, g

    @property
    def x(self) -> Array:
        """(T, D, B): the inputs of every step, to be written before `run_forward`."""
        return self.sources[:-1, self.H : -1]

    @property
    def h(self) -> Array:
        """(T, H, B): the output of every step."""
        return self.sources[1:, : self.H]

    def trace(self) -> LayerTrace:
        """Views of what the forward pass left."""
        return LayerTrace(self.x, *self.gate_views(slice(None)), self.cells[1:], self.tanh_c, self.h)


def _sigmoid_rows(cell: Cell, H: int) -> list[slice]:
    """Row blocks of the gates whose activation is a sigmoid, neighbours joined."""
    rows: list[slice] = []
    for k, gate in enumerate(GATES):
        if getattr(cell, gate) == "sigmoid":
            joined = rows and rows[-1].stop == k * H
            start = rows.pop().start if joined else k * H
            rows.append(slice(start, (k + 1) * H))
    return rows


# ----------------------------------------------------------------------------------------------------- forward


def set_start(layer: Layer, start: tuple[Array, Array] | None, name: str) -> None:
    """Write the state before the first step, (h, c) each (B, H), or zeros; `name` is what errors call it."""
    h, c = start if start is not None else (np.zeros((layer.B, layer.H)),) * 2
    for letter, value, place in (("h", h, layer.sources[0, : layer.H]), ("c", c, layer.cells[0])):
        if np.shape(value) != (layer.B, layer.H):
            raise ValueError(f"{name} {letter} has shape {np.shape(value)}; expected {(layer.B, layer.H)}")
        np.copyto(place, np.asarray(value).T)


def run_forward(layer: Layer, Wh: Array, Wx: Array, b: Array) -> None:
    """Equations (1) to (6) for all steps; inputs and start must have been written."""
    H = layer.H
    weights, scratch = layer.weights, layer.scratch
    weights[:, :H], weights[:, H:-1], weights[:, -1] = Wh, Wx, b
    for rows in layer.sigmoid_rows:
        weights[rows] *= 0.5
    matmul, tanh, multiply, add = np.matmul, np.tanh, np.multiply, np.add
    half = weights.dtype.type(0.5)
    for source, gates, sigmoids, f, i, o, g, c_prev, c, tanh_c, h in layer.forward_steps:
        matmul(weights, source, out=gates)
        tanh(gates, out=gates)
        for a in sigmoids:  # σ(z) = (1 + tanh(z/2)) / 2
            multiply(a, half, out=a)
            add(a, half, out=a)
        multiply(f, c_prev, out=c)
        multiply(i, g, out=scratch)
        add(c, scratch, out=c)  # (4)
        tanh(c, out=tanh_c)
        multiply(o, tanh_c, out=h)  # (6)

"""One LSTM layer over a whole sequence: the fast path through the equations of `cell.py`.

Nouns: a `Layer` owns the arrays of one layer for one number of steps and batch; `run_forward` fills gates and
states; `run_errors` fills dz, the error of every pre-activation; `weight_gradients` is the one product that
turns dz into gradients. `LayerWork` says what a plan leaves to do.

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

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .cell import GATES, Array, Cell


class LayerWork(NamedTuple):
    """What a plan leaves to do in one layer.

    `rows` and `sources` list the rows of the 4H pre-activations and of the H + D + 1 sources [h; x; 1]
    between which some arc is active (None = all); `keep` is the layer's (4H, H + D + 1) mask of active arcs
    where these are not all of that rectangle. `weights` is False when no arc of the layer is active.
    """

    weights: bool = True
    rows: Array | None = None
    sources: Array | None = None
    keep: Array | None = None


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
        self.errors: Errors | None = None
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

    def backward_arrays(self) -> Errors:
        """The arrays of the backward pass, made when they are first needed."""
        if self.errors is None:
            self.errors = Errors(self)
        return self.errors

    def trace(self) -> LayerTrace:
        """Views of what the forward pass left."""
        return LayerTrace(self.x, *self.gate_views(slice(None)), self.cells[1:], self.tanh_c, self.h)


class Errors:
    """Arrays and views of the backward pass of one layer."""

    def __init__(self, layer: Layer) -> None:
        T, B, H = layer.T, layer.B, layer.H
        dtype = layer.gates.dtype
        self.dz = np.empty((T, 4 * H, B), dtype)
        self.dz_rows = np.empty(
            4 * H * T * B, dtype
        )  # the same, one row a pre-activation, for the one product
        self.source_rows = np.empty(layer.sources[0].size * T, dtype)
        self.product = np.empty((4 * H, H + layer.D + 1), dtype)
        self.inject = np.empty((T, H, B), dtype)  # error that arrives from above at every step
        self.dh = np.empty((H, B), dtype)
        self.dc = np.empty((H, B), dtype)
        self.block = _block_steps(T, 4 * H * B * dtype.itemsize)
        self.dc_dh = np.empty((self.block, H, B), dtype)
        self.scratch = np.empty((self.block, H, B), dtype)
        self.stop: int | None = (
            None  # dz holds errors from this step on; None: no backward pass since the forward
        )
        self.steps = [
            (
                self.dz[t],
                self.dz[t].reshape(4, H, B)[:2],
                self.dz[t, 2 * H : 3 * H],
                self.dz[t, 3 * H :],
                layer.gates[t, :H],
                self.inject[t],
            )
            for t in range(T)
        ]


def _sigmoid_rows(cell: Cell, H: int) -> list[slice]:
    """Row blocks of the gates whose activation is a sigmoid, neighbours joined."""
    rows: list[slice] = []
    for k, gate in enumerate(GATES):
        if getattr(cell, gate) == "sigmoid":
            joined = rows and rows[-1].stop == k * H
            start = rows.pop().start if joined else k * H
            rows.append(slice(start, (k + 1) * H))
    return rows


def _block_steps(T: int, step_bytes: int) -> int:
    """Steps whose gates fit the second-level cache together; few enough for `flush` to keep up."""
    return min(T, max(8, min(16, 2**20 // step_bytes)))


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


# ---------------------------------------------------------------------------------------------------- backward


def run_errors(layer: Layer, Wh: Array, inject_from: int, start: int, to_start: bool) -> int:
    """Fill dz of the steps from the last down to `start`; return the first step that has an error.

    Errors arrive from above at the steps from `inject_from` on. The last product, which gives the error of
    the state before the first step, is run only when `to_start` asks for it.
    """
    e = layer.backward_arrays()
    matmul, multiply, add = np.matmul, np.multiply, np.add
    dh, dc, scratch, Wh_T = e.dh, e.dc, e.scratch[0], Wh.T
    dh[...] = 0
    dc[...] = 0
    floor = error_floor(e.inject[inject_from:])
    first_product = start if to_start else start + 1
    stop = start
    for first, last in _blocks(start, layer.T, e.block):
        slopes(layer, first, last)
        for t in range(last - 1, first - 1, -1):
            dz, dz_fi, dz_o, dz_g, f, inject = e.steps[t]
            if t >= inject_from:
                add(dh, inject, out=dh)
            # h = o * tanh(c);  dz_o and dc_dh hold their slopes, from slopes()
            multiply(dz_o, dh, out=dz_o)
            multiply(dh, e.dc_dh[t - first], out=scratch)
            add(dc, scratch, out=dc)
            # c = f * c_prev + i * g
            multiply(dz_fi, dc, out=dz_fi)
            multiply(dz_g, dc, out=dz_g)
            multiply(dc, f, out=dc)
            # z = Wx @ x + Wh @ h_prev + b
            if t >= first_product:
                matmul(Wh_T, dz, out=dh)
        if first > start and flush(dh, dc, floor, scratch) and first <= inject_from:
            stop = first
            break
    e.stop = stop
    return stop


def _blocks(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Neighbouring (first, last) ranges that cover start..stop, latest first."""
    for last in range(stop, start, -size):
        yield max(start, last - size), last


def slopes(layer: Layer, first: int, last: int) -> None:
    """What multiplies the error, for steps first..last: ∂c/∂z of f, i, g and ∂h/∂z_o into dz, ∂h/∂c into dc_dh.

    With w what the gate is multiplied by and p = w * a the product the forward pass formed,
    w * sigmoid' = p - p * a and w * tanh' = w - p * a.
    """
    e, n, H, cell = layer.backward_arrays(), last - first, layer.H, layer.cell
    f, i, o, g = layer.gate_views(slice(first, last))
    c_prev, tanh_c, h = layer.cells[first:last], layer.tanh_c[first:last], layer.h[first:last]
    dz, dc_dh, p = e.dz[first:last], e.dc_dh[:n], e.scratch[:n]

    def slope(activation: str, p: Array, w: Array, a: Array, out: Array) -> None:
        np.multiply(p, a, out=out)
        np.subtract(p if activation == "sigmoid" else w, out, out=out)

    np.multiply(f, c_prev, out=p)
    slope(cell.f, p, c_prev, f, dz[:, :H])
    np.multiply(i, g, out=p)
    slope(cell.i, p, g, i, dz[:, H : 2 * H])
    slope(cell.g, p, i, g, dz[:, 3 * H :])
    slope(cell.o, h, tanh_c, o, dz[:, 2 * H : 3 * H])
    slope("tanh", h, o, tanh_c, dc_dh)


def error_floor(inject: Array) -> float:
    """Magnitude below which an error can't change a gradient in this dtype: smallest normal number / epsilon.

    Scaled down with the incoming error where that is itself small.
    """
    info = np.finfo(inject.dtype)
    peak = min(1.0, float(max(inject.max(), -inject.min())))
    return float(info.tiny) / float(info.eps) * peak


def flush(dh: Array, dc: Array, floor: float, scratch: Array) -> bool:
    """Set errors below `floor` to zero; True when none is left.

    Left alone they decay into subnormal numbers, on which every product is several times slower.
    """
    empty = True
    for error in (dh, dc):
        np.abs(error, out=scratch)
        if scratch.min() < floor:
            np.copyto(error, 0, where=scratch < floor)
        empty = empty and not error.any()
    return empty


def weight_gradients(layer: Layer, work: LayerWork) -> Array:
    """[dWh | dWx | db] = Σ_t dz_t [h_prev; x; 1]_tᵀ over all steps with an error, as one product.

    Only the rows and sources that `work` names enter the product; isolated arcs have 0.
    """
    e = layer.backward_arrays()
    dz, sources = e.dz[e.stop :], layer.sources[e.stop : layer.T]
    if work.rows is not None:
        dz = dz[:, work.rows]
    if work.sources is not None:
        sources = sources[:, work.sources]
    rows, columns = _by_row(dz, e.dz_rows), _by_row(sources, e.source_rows)
    if work.rows is None and work.sources is None:
        np.matmul(rows, columns.T, out=e.product)
    else:
        H4, S = e.product.shape
        at = (
            np.arange(size) if part is None else part for size, part in ((H4, work.rows), (S, work.sources))
        )
        e.product[...] = 0
        e.product[np.ix_(*at)] = rows @ columns.T
    if work.keep is not None:
        e.product *= work.keep
    return e.product


def _by_row(a: Array, out: Array) -> Array:
    """(steps, rows, B) -> (rows, steps * B), eight steps at a time: half the time of one long copy."""
    steps, rows, B = a.shape
    target = out[: a.size].reshape(rows, steps, B)
    for t in range(0, steps, 8):
        np.copyto(target[:, t : t + 8], a[t : t + 8].transpose(1, 0, 2))
    return target.reshape(rows, steps * B)

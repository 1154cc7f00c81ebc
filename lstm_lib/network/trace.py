"""What a pass keeps: the arrays of its layers, the trace of a forward pass, and the workspace that owns both.

Nouns: a `Layer` owns the arrays of one layer for one number of steps and batch; a `Trace` is what a forward pass leaves
for the backward pass and for those who look at the gates; a `Workspace` keeps the arrays between calls, so that a
training loop allocates them once.

Letters: T time steps, B batch, D inputs of a layer, H units, P blocks, K values, S sources (see `layout.py`). All
arrays are feature-major, (rows, B) per step, so that each block is contiguous.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from .cells import Array, Cell
from .layout import layout
from .spec import Params, Spec


class Layer:
    """All arrays of the forward pass of one layer, for one (T, B).

    sources : (T + 1, S, B), [h_prev; x; 1] and what a cell needs besides; h of step t stands at t + 1.
    values : (T, K·H, B), what each step keeps. cells : (T + 1, H, B), c of step t at t + 1; (T + 1, 0, B) without c.
    weights : one array a product of the layout. peepholes : (3, H·B), or none.
    """

    def __init__(self, cell: Cell, T: int, B: int, D: int, H: int, dtype: np.dtype[Any]) -> None:
        self.cell, self.T, self.B, self.D, self.H = cell, T, B, D, H
        self.layout = at = layout(cell, D, H)
        self.sources = np.zeros((T + 1, at.S, B), dtype)
        self.sources[:, list(at.ones)] = 1
        self.values = np.empty((T, len(cell.values) * H, B), dtype)
        self.cells = np.zeros((T + 1, H if "c" in cell.states else 0, B), dtype)
        self.matrix = np.zeros((at.rows, at.S), dtype)
        self.weights = tuple(self.matrix[p.blocks, p.columns] for products in at.products for p in products)
        if len(self.weights) > 1 or self.weights[0].shape != self.matrix.shape:
            self.weights = tuple(np.ascontiguousarray(w) for w in self.weights)
        self.peepholes = np.zeros((len(cell.peepholes), H * B), dtype)
        self.memory = Memory(dtype)  # of the backward pass

    @property
    def x(self) -> Array:
        """(T, D, B): the inputs of every step, to be written before the forward pass."""
        return self.sources[:-1, self.layout.x]

    @property
    def h(self) -> Array:
        """(T, H, B): the output of every step."""
        return self.sources[1:, : self.H]

    def set_weights(self, params: dict[str, Array]) -> None:
        """Take the parameters of this layer, by matrix."""
        self.layout.fill(self.matrix, params)
        products = (p for stage in self.layout.products for p in stage)
        for w, p in zip(self.weights, products, strict=True):
            if w.base is not self.matrix:
                np.copyto(w, self.matrix[p.blocks, p.columns])
        if self.cell.peepholes:
            at = self.peepholes.reshape(-1, self.H, self.B)
            np.copyto(at, params["p"].reshape(-1, self.H, 1))

    def set_start(self, start: tuple[Array, ...] | None, name: str) -> None:
        """Write the states before the first step, each (B, H), or zeros; `name` is what errors call them."""
        states = self.cell.states
        given = start if start is not None else (np.zeros((self.B, self.H)),) * len(states)
        if len(given) != len(states):
            raise ValueError(
                f"{name} holds {len(given)} states; cell {self.cell.name!r} has {', '.join(states)}"
            )
        places = {"h": self.sources[0, : self.H], "c": self.cells[0]}
        for state, value in zip(states, given, strict=True):
            if np.shape(value) != (self.B, self.H):
                raise ValueError(f"{name} {state} has shape {np.shape(value)}; expected {(self.B, self.H)}")
            np.copyto(places[state], np.asarray(value).T)

    def trace(self) -> Any:
        """Views of what the forward pass left: x, every value, what stages made, c and h; (T, H, B), x (T, D, B)."""
        cell, H = self.cell, self.H
        values = [self.values[:, k * H : (k + 1) * H] for k in range(len(cell.values))]
        made = [self.sources[:-1, self.layout.made]] * len(cell.made)
        states = {"h": self.h, "c": self.cells[1:]}
        return _layer_trace(cell)(self.x, *values, *made, *(states[name] for name in cell.states))


@cache
def _layer_trace(cell: Cell) -> Any:
    return namedtuple("LayerTrace", ("x", *cell.values, *cell.made, *cell.states))


class Memory:
    """Flat arrays by name that grow to the largest size asked for, so that plans share them.

    >>> memory = Memory(np.dtype("float32"))
    >>> memory.get("dz", 2, 3).shape, memory.get("dz", 2).base is memory.get("dz", 6).base
    ((2, 3), True)
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.flat: dict[str, Array] = {}

    def get(self, name: str, *shape: int) -> Array:
        """An array of this shape at the start of the memory of that name; its content is whatever is there."""
        size = math.prod(shape)
        if name not in self.flat or self.flat[name].size < size:
            self.flat[name] = np.empty(size, self.dtype)
        return self.flat[name][:size].reshape(shape)


class Buffers:
    """The layers that are run, how often they have been written, and gradients to use again."""

    def __init__(self, spec: Spec, T: int, B: int, dtype: np.dtype[Any], known: int = 0) -> None:
        self.T, self.B = T, B
        self.layers = {
            k: Layer(spec.row, T, B, spec.fan_in(k), H, dtype) for k, H in enumerate(spec.units) if k >= known
        }
        self.known = known  # how many of the lowest layers are not run
        self.top = np.empty((0, spec.units[-1], B), dtype)  # (steps, H, B): what the head reads
        self.grads: Params | None = None  # a workspace sets it; without one every backward() makes its own
        # layer -> a function that makes dz of the last backward pass, for those who ask
        self.errors: dict[int, Callable[[], Array]] = {}
        self.generation = 0


class Workspace:
    """Owner of the large arrays of `forward` and `backward`, kept between calls.

    Pass one to `forward` in a loop. The trace and the gradients of a call are then valid only until the next
    `forward` with the same workspace and shape; `backward` refuses a trace that has been overwritten.
    Without a workspace every trace owns its arrays. `engine` is what runs the passes that name none themselves.

    >>> from lstm_lib import backward, forward, init_params
    >>> work = Workspace()
    >>> spec = Spec(1, (2,), 1)
    >>> params = init_params(spec)
    >>> x = np.zeros((1, 3, 1), np.float32)
    >>> _, old = forward(spec, params, x, work)
    >>> _, new = forward(spec, params, x, work)
    >>> backward(spec, params, old, np.ones((1, 1), np.float32))
    Traceback (most recent call last):
        ...
    ValueError: this trace was overwritten by a later forward() with the same workspace
    """

    def __init__(self, engine: str | None = None) -> None:
        self.engine = engine
        self._sets: dict[tuple[Spec, int, int, str, int], Buffers] = {}

    def claim(self, spec: Spec, T: int, B: int, dtype: np.dtype[Any], known: int = 0) -> Buffers:
        """The arrays for such a pass; an earlier trace of them is no longer valid."""
        key = (spec, T, B, dtype.str, known)
        if key not in self._sets:
            self._sets[key] = Buffers(spec, T, B, dtype, known)
            self._sets[key].grads = empty_grads(spec, dtype)
        self._sets[key].generation += 1
        self._sets[key].errors.clear()  # they belong to an earlier forward pass
        return self._sets[key]


def empty_grads(spec: Spec, dtype: np.dtype[Any]) -> Params:
    """Arrays for the gradients, with whatever is in them."""
    return {name: np.empty(shape, dtype) for name, shape in spec.shapes.items()}


@dataclass(frozen=True)
class Trace:
    """What the forward pass keeps for the backward pass.

    `trace.layer(k)` gives the values and states of layer k; `trace.yhat` the forecast; `trace.engine` what ran it.
    """

    spec: Spec
    yhat: Array
    engine: str
    buffers: Buffers = field(repr=False)
    generation: int = field(repr=False)

    def check(self) -> None:
        """Raise ValueError when the workspace has been used again since."""
        if self.buffers.generation != self.generation:
            raise ValueError("this trace was overwritten by a later forward() with the same workspace")

    def layer(self, k: int) -> Any:
        """Values and states of layer k, by name (views; copy them to keep them beyond the workspace's next use).

        For an LSTM x (T, D, B) and f, i, o, g, tanh_c, h, c, each (T, H, B).
        """
        self.check()
        if k not in self.buffers.layers:
            run = ", ".join(map(str, self.buffers.layers)) or "none"
            raise ValueError(f"layer {k!r} was not run in this pass; the layers that were: {run}")
        return self.buffers.layers[k].trace()

    def dz(self, k: int) -> Array:
        """(T, P·H, B): the error ∂L/∂z of layer k's pre-activations, as the last `backward` left it (a copy).

        Zero at the steps the pass did not reach. Raises ValueError when there was no backward pass.
        """
        self.layer(k)
        if k not in self.buffers.errors:
            raise ValueError(f"layer {k} has no errors; run backward() with this trace first")
        return self.buffers.errors[k]()

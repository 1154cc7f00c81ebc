"""What a pass keeps: the arrays of its layers, the trace of a forward pass, and the workspace that owns both.

Nouns: a `Layer` owns the arrays of one layer for one number of steps and batch; a `Trace` is what a forward pass leaves
for the backward pass and for those who look at the gates; a `Workspace` keeps the arrays between calls, so that a
training loop allocates them once.

Letters: T time steps, B batch, D inputs of a layer, H units, P blocks, K values, S sources (see `layout.py`). All
arrays are feature-major, (rows, B) per step, so that each block is contiguous.
"""

from __future__ import annotations

import math
import os
from collections import namedtuple
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from .cells import Array, Cell
from .layout import layout
from .spec import Params, Spec

NARROW = 32  # samples of a share; the products of fewer columns are so much slower that a second thread can't mend it


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

    def set_start(self, start: tuple[Array, ...] | None) -> None:
        """Write the states before the first step, each (B, H), or zeros."""
        places = (self.sources[0, : self.H], self.cells[0])
        for place, state in zip(places, start or (np.zeros(()),) * 2, strict=False):
            np.copyto(place, state.T)

    def end(self) -> tuple[Array, ...]:
        """Views of the states after the last step, each (H, B)."""
        return (self.sources[-1, : self.H], self.cells[-1])[: len(self.cell.states)]

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
    """The layers that are run, how often they have been written, and gradients to use again.

    They may hold a share of the batch alone, the samples `at`; `share` divides a batch.
    """

    def __init__(
        self, spec: Spec, T: int, B: int, dtype: np.dtype[Any], known: int = 0, at: slice | None = None
    ) -> None:
        self.T, self.B, self.at = T, B, at or slice(0, B)
        self.layers = {
            k: Layer(spec.row, T, B, spec.fan_in(k), H, dtype) for k, H in enumerate(spec.units) if k >= known
        }
        self.known = known  # how many of the lowest layers are not run
        self.top = np.empty((0, spec.units[-1], B), dtype)  # (steps, S, B): the head reads the first H rows
        self.memory = Memory(dtype)  # of the head's backward pass
        self.grads: Params | None = None  # a workspace sets it; without one every backward() makes its own
        # layer -> a function that makes dz of the last backward pass, for those who ask
        self.errors: dict[int, Callable[[], Array]] = {}
        self.generation = 0


def shares_of(B: int, threads: int) -> int:
    """Into how many shares a batch is divided among threads: one of less than `NARROW` samples gains nothing.

    >>> shares_of(63, 2), shares_of(64, 2), shares_of(64, 1)
    (1, 2, 1)
    """
    return max(1, min(threads, B // NARROW))


def together(function: Callable[[Any], Any], shares: Sequence[Any]) -> list[Any]:
    """The function of every share, each on a thread of its own; this thread takes the first."""
    if len(shares) == 1:
        return [function(shares[0])]
    others = [_threads().submit(function, share) for share in shares[1:]]
    try:
        return [function(shares[0]), *(other.result() for other in others)]
    finally:
        wait(others)  # also when the first fails: nobody may still write into the arrays


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="lstm_lib")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # threads don't live on in a child


class Workspace:
    """Owner of the large arrays of `forward` and `backward`, kept between calls.

    Pass one to `forward` in a loop. The trace and the gradients of a call are then valid only until the next
    `forward` with the same workspace and shape; `backward` refuses a trace that has been overwritten.
    Without a workspace every trace owns its arrays.

    Parameters
    ----------
    engine : what runs the passes that name none themselves, see `forward`.
    threads : the compiled engine divides a large batch among so many threads of its own (`shares_of`); those of the
        matrix products should be limited to one then. Gradients are sums over the shares: equal up to rounding.

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

    def __init__(self, engine: str | None = None, threads: int = 1) -> None:
        self.engine, self.threads = engine, threads
        self._sets: dict[tuple[Any, ...], tuple[Buffers, ...]] = {}

    def claim(
        self, spec: Spec, T: int, B: int, dtype: np.dtype[Any], known: int, engine: str
    ) -> tuple[Buffers, ...]:
        """The arrays for such a pass, a set a share of the batch; an earlier trace of them is no longer valid."""
        number = shares_of(B, self.threads) if engine == "compiled" else 1
        key = (spec, T, B, dtype.str, known, number)
        if key not in self._sets:
            edges = [B * k // number for k in range(number + 1)]
            self._sets[key] = tuple(
                Buffers(spec, T, b - a, dtype, known, slice(a, b)) for a, b in pairwise(edges)
            )
            for share in self._sets[key]:
                share.grads = empty_grads(spec, dtype)
        for share in self._sets[key]:
            share.generation += 1
            share.errors.clear()  # they belong to an earlier forward pass
        return self._sets[key]


def claim(
    work: Workspace | None, spec: Spec, T: int, B: int, dtype: np.dtype[Any], known: int, engine: str
) -> tuple[Buffers, ...]:
    """The arrays of a pass: the workspace's, or without one those that the trace alone will own."""
    return (
        (Buffers(spec, T, B, dtype, known),) if work is None else work.claim(spec, T, B, dtype, known, engine)
    )


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
    shares: tuple[Buffers, ...] = field(repr=False)  # of the batch
    generation: int = field(repr=False)

    @property
    def every(self) -> bool:
        """Whether there is a forecast at every step."""
        return self.yhat.ndim == 3

    def check(self) -> None:
        """Raise ValueError when the workspace has been used again since."""
        if self.shares[0].generation != self.generation:
            raise ValueError("this trace was overwritten by a later forward() with the same workspace")

    def layer(self, k: int) -> Any:
        """Values and states of layer k, by name (views; copy them to keep them beyond the workspace's next use).

        For an LSTM x (T, D, B) and f, i, o, g, tanh_c, h, c, each (T, H, B).
        """
        parts = [layer.trace() for layer in self._layers(k)]
        return type(parts[0])(*(_joined(arrays) for arrays in zip(*parts, strict=True)))

    def states(self) -> list[tuple[Array, ...]]:
        """The states of each layer after the last step, each (B, H), as `initial` takes them (copies).

        >>> from lstm_lib import forward, init_params
        >>> spec = Spec(inputs=2, units=(3,), outputs=1)
        >>> params, x = init_params(spec), np.ones((5, 4, 2), np.float32)
        >>> _, first = forward(spec, params, x[:, :3])
        >>> rest, _ = forward(spec, params, x[:, 3:], initial=first.states())
        >>> bool(np.allclose(rest, forward(spec, params, x)[0]))
        True
        """
        ends = ([layer.end() for layer in self._layers(k)] for k in range(self.spec.layers))
        return [tuple(_joined(parts).T.copy() for parts in zip(*shares, strict=True)) for shares in ends]

    def dz(self, k: int) -> Array:
        """(T, P·H, B): the error ∂L/∂z of layer k's pre-activations, as the last `backward` left it (a copy).

        Zero at the steps the pass did not reach. Raises ValueError when there was no backward pass.
        """
        self._layers(k)
        if k not in self.shares[0].errors:
            raise ValueError(f"layer {k} has no errors; run backward() with this trace first")
        return _joined([share.errors[k]() for share in self.shares])

    def _layers(self, k: int) -> list[Layer]:
        """Layer k of every share; ValueError where this pass did not run it, or its arrays have been used again."""
        self.check()
        run = self.shares[0].layers
        if k not in run:
            raise ValueError(
                f"layer {k!r} was not run in this pass; the layers that were: {', '.join(map(str, run)) or 'none'}"
            )
        return [share.layers[k] for share in self.shares]


def _joined(shares: Sequence[Array]) -> Array:
    """Arrays of each share of the batch, which is the last axis, as one."""
    return shares[0] if len(shares) == 1 else np.concatenate(shares, axis=-1)

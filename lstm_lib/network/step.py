"""One time step of any cell, forward and backward: the strict pair that everything else is tested against.

It reads the row of the cell (`cells.py`) and the matrices of a layer as they are, one block after the other.

Letters: G gates, P blocks, D inputs, H hidden units, B batch. Arrays are feature-major, (H, B).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from .cells import Array, Cell, Stage


def step_forward(cell: Cell, weights: Mapping[str, Array], x: Array, *before: Array) -> Any:
    """One time step: for the LSTMs equations (1) to (6).

    Parameters
    ----------
    cell : from `CELLS`.
    weights : Wx (G·H, D), Wh (G·H, H), b (G·H,), and bh or p where the cell has them (`cell.matrices`).
    x : (D, B). before : the states before, h and, for an LSTM, c, each (H, B). Any float dtype, or complex.

    Returns
    -------
    NamedTuple of x, the states before (h_prev, …), every value and every state after.

    >>> from lstm_lib.network.cells import CELLS
    >>> one, W = np.ones((1, 1)), np.zeros((4, 1))
    >>> t = step_forward(CELLS["standard"], {"Wx": W, "Wh": W, "b": np.zeros(4)}, one, one, one)
    >>> float(t.f[0, 0]), float(t.c[0, 0]), round(float(t.h[0, 0]), 4)
    (0.5, 0.5, 0.2311)
    """
    p = _peepholes(cell, weights)
    blocks = _from_x(cell, weights, x)
    made: dict[str, Array] = {"h": before[0]}
    values: tuple[Array, ...] = ()
    after: tuple[Array, ...] = ()
    for stage, following in zip(cell.stages, [*cell.stages[1:], None], strict=True):
        for block, part in _from_h(cell, weights, stage, made[stage.reads]).items():
            blocks[block] = blocks[block] + part
        values, after = stage.step(tuple(blocks), before, p)
        blocks[:] = values[: len(blocks)]
        if following is not None:
            made[following.reads] = after[0]
    return _trace(cell)(x, *before, *values, *(made[name] for name in cell.made), *after)


def step_backward(cell: Cell, weights: Mapping[str, Array], trace: Any, *errors: Array) -> Any:
    """The derivative of `step_forward`, stage by stage in reverse.

    Parameters
    ----------
    cell, weights : as given to `step_forward`. trace : what it returned.
    errors : (H, B) each: ∂L/∂h and, for an LSTM, the part of ∂L/∂c that comes from later steps.

    Returns
    -------
    NamedTuple of the gradients of every matrix (of this step alone, summed over the batch), of x and of the states
    before, of the pre-activations z (all blocks, (P·H, B)), and for an LSTM of c, the whole error that reaches it.
    """
    n, k = len(cell.states), len(cell.values)
    before, values = trace[1 : 1 + n], trace[1 + n : 1 + n + k]
    p, H = _peepholes(cell, weights), len(before[0])
    dz: list[Any] = [None] * len(cell.blocks)
    below = errors
    found: tuple[Array, ...] = tuple(np.zeros_like(a) for a in errors)
    whole: tuple[Array, ...] = ()
    made = {"h": before[0]} | {name: getattr(trace, name) for name in cell.made}
    for stage in reversed(cell.stages):
        given, direct, reached = stage.back(values, before, below, p)
        whole = whole or reached
        for at, error in zip(stage.errors, given, strict=True):
            dz[at] = error
        found = tuple(a + d for a, d in zip(found, direct, strict=True))
        carried = sum(
            _gate_rows(cell, weights, "Wh", block, H).T @ dz[block] for block in _recurrent(cell, stage)
        )
        if stage.reads == "h":
            found = (found[0] + carried, *found[1:])
        else:
            below = (carried,)
    return _gradients(cell)(
        **_weight_gradients(cell, weights, dz, trace, made),
        x=sum(_gate_rows(cell, weights, "Wx", block, H).T @ dz[block] for block in cell.readers("Wx")),
        **dict(zip(_before(cell), found, strict=True)),
        z=np.concatenate(dz),
        **dict(zip(cell.states[1:], whole[1:], strict=True)),
    )


def _before(cell: Cell) -> tuple[str, ...]:
    return tuple(f"{state}_prev" for state in cell.states)


@cache
def _trace(cell: Cell) -> Any:
    return namedtuple("StepTrace", ("x", *_before(cell), *cell.values, *cell.made, *cell.states))


@cache
def _gradients(cell: Cell) -> Any:
    whole = (state for state in cell.states if state != "h")
    return namedtuple("StepGradients", (*cell.matrices, "x", *_before(cell), "z", *whole))


def _peepholes(cell: Cell, weights: Mapping[str, Array]) -> tuple[Array, ...]:
    return tuple(np.split(weights["p"][:, None], len(cell.peepholes))) if cell.peepholes else ()


def _from_x(cell: Cell, weights: Mapping[str, Array], x: Array) -> list[Any]:
    """What every block reads from x; 0 for a block that reads h alone."""
    parts = np.split(weights["Wx"] @ x + weights["b"][:, None], len(cell.gates))
    found = dict(zip(cell.readers("Wx"), parts, strict=True))
    return [found.get(block, 0) for block in range(len(cell.blocks))]


def _recurrent(cell: Cell, stage: Stage) -> list[int]:
    """The blocks of a stage that read Wh."""
    return [block for block in cell.readers("Wh") if block in stage.blocks]


def _from_h(cell: Cell, weights: Mapping[str, Array], stage: Stage, h: Array) -> dict[int, Array]:
    """What the blocks of a stage read from h."""
    found = {}
    for block in _recurrent(cell, stage):
        found[block] = _gate_rows(cell, weights, "Wh", block, len(h)) @ h
        if "bh" in weights:
            found[block] = found[block] + _gate_rows(cell, weights, "bh", block, len(h))[:, None]
    return found


def _gate_rows(cell: Cell, weights: Mapping[str, Array], matrix: str, block: int, H: int) -> Array:
    """The rows of a matrix that a block reads."""
    k = cell.readers(matrix).index(block)
    return weights[matrix][k * H : (k + 1) * H]


def _weight_gradients(
    cell: Cell, weights: Mapping[str, Array], dz: list[Array], trace: Any, made: Mapping[str, Array]
) -> dict[str, Array]:
    reads = {block: made[stage.reads] for stage in cell.stages for block in stage.blocks}
    found = {
        "Wx": np.concatenate([dz[block] @ trace.x.T for block in cell.readers("Wx")]),
        "Wh": np.concatenate([dz[block] @ reads[block].T for block in cell.readers("Wh")]),
        "b": np.concatenate([dz[block].sum(axis=1) for block in cell.readers("b")]),
    }
    if cell.apart:
        found["bh"] = np.concatenate([dz[block].sum(axis=1) for block in cell.readers("bh")])
    if cell.peepholes:
        states = {gate: trace.c if gate == "o" else trace.c_prev for gate in cell.peepholes}
        found["p"] = np.concatenate(
            [(dz[cell.blocks.index(gate)] * states[gate]).sum(axis=1) for gate in cell.peepholes]
        )
    return found

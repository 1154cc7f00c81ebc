"""The forward pass: layer by layer over all steps, then the head.

Nouns: `forward` returns the forecast and a `Trace`; an engine is what runs the steps of a layer: "plain" is
`run_plain` below, the equations of `cells.py` on arrays, "compiled" the same equations as one loop (`compiled.py`).

Letters: T time steps, B batch, D inputs of a layer, H units, O outputs. Outside, arrays are batch-first as in Keras:
x (B, T, D). Inside they are feature-major, see `trace.py`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from . import compiled
from .cells import Array
from .spec import OUTPUTS, Params, Spec, check_params, refuse_masked
from .trace import Buffers, Layer, Trace, Workspace, claim, together


def forward(
    spec: Spec,
    params: Params,
    x: Array,
    work: Workspace | None = None,
    initial: list[tuple[Array, ...]] | None = None,
    known: int = 0,
    engine: str | None = None,
    output: str | None = None,
) -> tuple[Array, Trace]:
    """Run the network over whole sequences: the equations of its cell at every step, then the head.

    Parameters
    ----------
    spec, params : the network; `params` as from `init_params`, one dtype.
    x : (B, T, D), same dtype as the parameters.
    work : reuse this workspace's arrays; None makes a trace that owns its arrays.
    initial : the states of each layer before the first step, (h, c) or (h,), each (B, H); None starts from zero.
    known : how many of the lowest layers are not run because their states are known: x then holds the output of
        the highest of them, (B, T, H); for the head alone and `output="last"` the last step is enough.
    engine : "plain" or "compiled"; None takes the workspace's, else what the environment variable LSTM_LIB_ENGINE
        names, else "compiled" where Numba is installed. Both give the same numbers up to rounding.
    output : "last" or "every"; None takes what the spec says. The parameters are the same for both.

    Returns
    -------
    yhat : (B, O), or (B, T, O) for `output="every"`; probabilities for the softmax head.
    trace : for `backward`, and to look at the gates.

    Raises ValueError on a shape or dtype that does not fit, with what was given and what was expected, and on an engine
    that isn't there.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> yhat, trace = forward(spec, init_params(spec), np.ones((5, 4, 2), np.float32))
    >>> yhat.shape, trace.layer(0).f.shape
    ((5, 1), (4, 3, 5))
    """
    dtype = check_params(spec, params)
    B, T = _check_inputs(spec, x, dtype, known)
    if output not in (None, *OUTPUTS):
        raise ValueError(f"output is {output!r}; the choices are {', '.join(map(repr, OUTPUTS))}")
    engine = compiled.choose(engine or (None if work is None else work.engine), dtype)
    every = (output or spec.output) == "every"
    _check_states(spec, initial, B)
    shares = claim(work, spec, T, B, dtype, known, engine)

    def run(share: Buffers) -> Array:
        below = _run_layers(share, params, x, initial, engine)
        share.top = below if every else below[-1:]
        scores = np.matmul(params["head/W"], share.top[:, : spec.units[-1]]) + params["head/b"][:, None]
        return np.ascontiguousarray(scores.transpose(2, 0, 1) if every else scores[0].T)  # from (steps, O, B)

    yhat = np.concatenate(together(run, shares))
    if spec.head == "softmax":
        yhat = softmax(yhat)
    return yhat, Trace(spec, yhat, engine, shares, shares[0].generation)


def hidden_states(spec: Spec, params: Params, x: Array, layers: int, work: Workspace | None = None) -> Array:
    """The output of the lowest `layers` layers at every step, (B, T, H), from a zero state: what `known` skips.

    A view of the workspace's arrays where one is given. Raises ValueError as `forward`.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3, 4), outputs=1)
    >>> params, x = init_params(spec), np.ones((5, 4, 2), np.float32)
    >>> h = hidden_states(spec, params, x, layers=1)
    >>> h.shape, bool((forward(spec, params, h, known=1)[0] == forward(spec, params, x)[0]).all())
    ((5, 4, 3), True)
    """
    dtype = check_params(spec, params)
    B, T = _check_inputs(spec, x, dtype, 0)
    if not 1 <= layers <= spec.layers:
        raise ValueError(f"layers must be a number of layers, 1..{spec.layers}, got {layers!r}")
    engine = compiled.choose(None if work is None else work.engine, dtype)
    lower = dataclasses.replace(spec, units=spec.units[:layers])
    shares = claim(work, lower, T, B, dtype, 0, engine)
    found = together(lambda share: _run_layers(share, params, x, None, engine), shares)
    own = [sources[:, : lower.units[-1]].transpose(2, 0, 1) for sources in found]
    return own[0] if len(own) == 1 else np.concatenate(own)


def _run_layers(
    buffers: Buffers, params: Params, x: Array, initial: list[tuple[Array, ...]] | None, engine: str
) -> Array:
    """Run the layers of the buffers on their share of x (B, T, D); return h of the highest, as its sources hold it."""
    below = x[buffers.at].transpose(1, 2, 0)
    for k, layer in buffers.layers.items():
        layer.set_start(None if initial is None else tuple(state[buffers.at] for state in initial[k]))
        layer.set_weights({matrix: params[f"{k}/{matrix}"] for matrix in layer.cell.matrices})
        np.copyto(layer.x, below)
        if engine == "compiled":
            compiled.run_forward(layer)
        else:
            run_plain(layer)
        below = layer.h
    return layer.sources[1:] if buffers.layers else np.ascontiguousarray(below)


def run_plain(layer: Layer) -> None:
    """All steps of a layer; inputs, start and weights must have been written."""
    cell, at, H, B = layer.cell, layer.layout, layer.H, layer.B
    p = tuple(layer.peepholes.reshape(-1, H, B))
    stages = list(zip(cell.stages, at.products, strict=True))
    for t in range(layer.T):
        source, values, weights = layer.sources[t], layer.values[t], iter(layer.weights)
        before = (source[:H], layer.cells[t])[: len(cell.states)]
        for stage, products in stages:
            for product in products:
                np.matmul(next(weights), source[product.columns], out=values[product.blocks])
            found, made = stage.step(tuple(values[: at.rows].reshape(-1, H, B)), before, p)
            for k, value in enumerate(found):
                values[k * H : (k + 1) * H] = value
            if stage is not cell.stages[-1]:
                source[at.made] = made[0]
        for state, place in zip(made, (layer.sources[t + 1, :H], layer.cells[t + 1]), strict=False):
            np.copyto(place, state)


def _check_inputs(spec: Spec, x: Array, dtype: np.dtype[Any], known: int) -> tuple[int, int]:
    refuse_masked(x=x)
    if not isinstance(known, int) or isinstance(known, bool) or not 0 <= known <= spec.layers:
        raise ValueError(f"known must be a number of layers, 0..{spec.layers}, got {known!r}")
    features = spec.inputs if known == 0 else spec.units[known - 1]
    if x.ndim != 3 or x.shape[2] != features:
        what = "" if known == 0 else f", the output of layer {known - 1}"
        raise ValueError(f"x has shape {x.shape}; expected (batch, steps, {features}){what}")
    if 0 in x.shape:
        raise ValueError(f"x has shape {x.shape}; it holds no sample or no step")
    if x.dtype != dtype and dtype.kind != "c":  # complex steps mix complex weights with real inputs
        raise ValueError(f"x is {x.dtype} but the parameters are {dtype}; convert one with .astype()")
    return x.shape[0], x.shape[1]


def _check_states(spec: Spec, initial: list[tuple[Array, ...]] | None, B: int) -> None:
    if initial is None:
        return
    if len(initial) != spec.layers:
        raise ValueError(f"initial holds the states of {len(initial)} layers; the network has {spec.layers}")
    names = spec.row.states
    for k, (H, states) in enumerate(zip(spec.units, initial, strict=True)):
        if len(states) != len(names):
            raise ValueError(
                f"initial[{k}] holds {len(states)} states; cell {spec.cell!r} has {', '.join(names)}"
            )
        for name, state in zip(names, states, strict=True):
            if np.shape(state) != (B, H):
                raise ValueError(f"initial[{k}] {name} has shape {np.shape(state)}; expected {(B, H)}")


def softmax(scores: Array) -> Array:
    """Probabilities from scores, along the last axis: exp(s) / Σ exp(s), without overflow.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    e = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))

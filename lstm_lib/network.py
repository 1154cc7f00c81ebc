"""Whole networks: forward and backward over stacked layers and a head, the losses, and the workspace.

Nouns: `forward` returns the forecast and a `Trace`, what it keeps for the backward pass; `backward` turns a
trace and the error of the forecast into gradients with the names and shapes of `params`. A `Workspace` owns
the large arrays, so that a training loop allocates them once.

Letters: T time steps, B batch, D inputs of a layer, H units, O outputs. Outside, arrays are batch-first as in
Keras: x (B, T, D). Inside they are feature-major; `layer.py` says why.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .cell import Array, get_cell
from .layer import Layer, LayerTrace, LayerWork, run_errors, run_forward, set_start, weight_gradients
from .spec import Params, Spec, check_params


class Workspace:
    """Owner of the large arrays of `forward` and `backward`, kept between calls.

    Pass one to `forward` in a loop. The trace and the gradients of a call are then valid only until the next
    `forward` with the same workspace and shape; `backward` refuses a trace that has been overwritten.
    Without a workspace every trace owns its arrays.

    >>> from lstm_lib import init_params
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

    def __init__(self) -> None:
        self._sets: dict[tuple[Spec, int, int, str], _Buffers] = {}

    def _claim(self, spec: Spec, T: int, B: int, dtype: np.dtype[Any]) -> _Buffers:
        key = (spec, T, B, dtype.str)
        if key not in self._sets:
            self._sets[key] = _Buffers(spec, T, B, dtype)
            self._sets[key].grads = _empty_grads(spec, dtype)
        self._sets[key].generation += 1
        return self._sets[key]


class _Buffers:
    """The layers' arrays for one spec and shape, how often they have been written, and gradients to reuse."""

    def __init__(self, spec: Spec, T: int, B: int, dtype: np.dtype[Any]) -> None:
        cell = get_cell(spec.cell)
        self.layers = [Layer(cell, T, B, spec.fan_in(k), H, dtype) for k, H in enumerate(spec.units)]
        self.grads: Params | None = None  # a workspace sets it; without one every backward() makes its own
        self.generation = 0


def _empty_grads(spec: Spec, dtype: np.dtype[Any]) -> Params:
    return {name: np.empty(shape, dtype) for name, shape in spec.shapes.items()}


@dataclass(frozen=True)
class Trace:
    """What the forward pass keeps for the backward pass.

    `trace.layer(k)` gives the gates and states of layer k as a `LayerTrace`; `trace.yhat` the forecast.
    """

    spec: Spec
    yhat: Array
    _buffers: _Buffers = field(repr=False)
    _generation: int = field(repr=False)

    def check(self) -> None:
        """Raise ValueError when the workspace has been used again since."""
        if self._buffers.generation != self._generation:
            raise ValueError("this trace was overwritten by a later forward() with the same workspace")

    def layer(self, k: int) -> LayerTrace:
        """Gates and states of layer k (views; copy them to keep them beyond the workspace's next use)."""
        self.check()
        return self._buffers.layers[k].trace()

    def dz(self, k: int) -> Array:
        """(T, 4H, B): the error ∂L/∂z of layer k's pre-activations, as the last `backward` left it (a copy).

        Zero at the steps the pass did not reach. Raises ValueError when there was no backward pass.
        """
        self.check()
        errors = self._buffers.layers[k].errors
        if errors is None or errors.stop is None:
            raise ValueError(f"layer {k} has no errors; run backward() with this trace first")
        dz = errors.dz.copy()
        dz[: errors.stop] = 0
        return dz


# ----------------------------------------------------------------------------------------------------- forward


def forward(
    spec: Spec,
    params: Params,
    x: Array,
    work: Workspace | None = None,
    initial: list[tuple[Array, Array]] | None = None,
) -> tuple[Array, Trace]:
    """Run the network over whole sequences: equations (1) to (6) at every step, then the head.

    Parameters
    ----------
    spec, params : the network; `params` as from `init_params`, one dtype.
    x : (B, T, D), same dtype as the parameters.
    work : reuse this workspace's arrays; None makes a trace that owns its arrays.
    initial : one (h, c) a layer, each (B, H); None starts from zero.

    Returns
    -------
    yhat : (B, O), or (B, T, O) for `output="every"`; probabilities for the softmax head.
    trace : for `backward`, and to look at the gates.

    Raises ValueError on a shape or dtype that does not fit, with what was given and what was expected.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> yhat, trace = forward(spec, init_params(spec), np.ones((5, 4, 2), np.float32))
    >>> yhat.shape, trace.layer(0).f.shape
    ((5, 1), (4, 3, 5))
    """
    dtype = check_params(spec, params)
    B, T = _check_inputs(spec, x, dtype)
    buffers = _Buffers(spec, T, B, dtype) if work is None else work._claim(spec, T, B, dtype)
    below = x.transpose(1, 2, 0)
    for k, layer in enumerate(buffers.layers):
        set_start(layer, None if initial is None else initial[k], f"initial[{k}]")
        np.copyto(layer.x, below)
        if layer.errors is not None:
            layer.errors.stop = None  # they belong to an earlier forward pass
        run_forward(layer, params[f"{k}/Wh"], params[f"{k}/Wx"], params[f"{k}/b"])
        below = layer.h
    top = below if spec.output == "every" else below[-1]
    scores = np.matmul(params["head/W"], top) + params["head/b"][:, None]
    yhat = np.ascontiguousarray(scores.T if spec.output == "last" else scores.transpose(2, 0, 1))
    if spec.head == "softmax":
        yhat = _softmax(yhat)
    return yhat, Trace(spec, yhat, buffers, buffers.generation)


def _check_inputs(spec: Spec, x: Array, dtype: np.dtype[Any]) -> tuple[int, int]:
    if x.ndim != 3 or x.shape[2] != spec.inputs:
        raise ValueError(f"x has shape {x.shape}; expected (batch, steps, {spec.inputs})")
    if 0 in x.shape:
        raise ValueError(f"x has shape {x.shape}; it holds no sample or no step")
    if (
        x.dtype != dtype and dtype.kind != "c"
    ):  # complex-step differences mix complex weights with real inputs
        raise ValueError(f"x is {x.dtype} but the parameters are {dtype}; convert one with .astype()")
    return x.shape[0], x.shape[1]


def _softmax(scores: Array) -> Array:
    e = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


# -------------------------------------------------------------------------------------------------------- loss


def mse(yhat: Array, y: Array) -> tuple[Any, Array]:
    """Mean squared error over all entries, and its derivative.

    Parameters
    ----------
    yhat, y : same shape, (B, O) or (B, T, O).

    Returns
    -------
    loss : scalar, mean of (yhat - y)**2.
    dy : ∂loss/∂yhat, shape of yhat.

    >>> mse(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]]))
    (np.float64(2.0), array([[0.],
           [2.]]))
    """
    if yhat.shape != y.shape:
        raise ValueError(
            f"yhat has shape {yhat.shape} but y has shape {y.shape}; they must be equal "
            "(Spec.outputs is the number of targets of a window)"
        )
    residual = yhat - y
    return np.mean(residual * residual), residual * (2 / residual.size)


def cross_entropy(yhat: Array, y: Array) -> tuple[Any, Array]:
    """Mean cross-entropy of the softmax head's probabilities, and its derivative with respect to the SCORES.

    With p = softmax(s) the derivative with respect to the scores s is (p - y)/n, free of the division by p
    that the derivative with respect to p needs; `backward` expects it in this form for the softmax head.

    Parameters
    ----------
    yhat : (B, O) or (B, T, O), probabilities from `forward`.
    y : the same shape (each last axis adds up to 1), or class numbers of shape (B,) or (B, T).

    Returns
    -------
    loss : scalar, mean over samples (and steps) of -Σ y log p; p is taken as at least the smallest normal
        number of its dtype, so that the loss stays finite.
    dscores : ∂loss/∂scores, shape of yhat.

    >>> loss, dy = cross_entropy(np.array([[0.5, 0.5]]), np.array([0]))
    >>> round(float(loss), 4), dy.tolist()
    (0.6931, [[-0.5, 0.5]])
    """
    O = yhat.shape[-1]
    if y.shape == yhat.shape[:-1] and np.issubdtype(y.dtype, np.integer):
        if y.size and (y.min() < 0 or y.max() >= O):
            raise ValueError(f"class numbers must lie in 0..{O - 1}, got {y.min()}..{y.max()}")
        y = np.eye(O, dtype=yhat.real.dtype)[y]
    if y.shape != yhat.shape:
        raise ValueError(
            f"y has shape {y.shape} and dtype {y.dtype}; expected {yhat.shape}, or class numbers {yhat.shape[:-1]}"
        )
    n = yhat.size // O
    p = np.where(yhat.real < np.finfo(yhat.dtype).tiny, np.finfo(yhat.dtype).tiny, yhat)
    return -(y * np.log(p)).sum() / n, (yhat - y) * (1 / n)


LOSSES = {"linear": mse, "softmax": cross_entropy}  # the loss that fits each head


# ---------------------------------------------------------------------------------------------------- backward


class PlanLike(Protocol):
    """What `backward` reads of a plan (`lstm_lib.zones.Plan`)."""

    @property
    def spec(self) -> Spec:  # noqa: D102
        ...
    @property
    def span(self) -> int | None:  # noqa: D102
        ...
    @property
    def layers(self) -> tuple[LayerWork, ...]:  # noqa: D102
        ...
    @property
    def head(self) -> dict[str, Array | None]:  # noqa: D102
        ...


def backward(
    spec: Spec,
    params: Params,
    trace: Trace,
    dy: Array,
    plan: PlanLike | None = None,
    also: Collection[str] = (),
) -> Params:
    """Back-propagation through time, after Werbos (1990) and Gers et al. (2000); equations as in `cell.py`.

    Parameters
    ----------
    spec, params : as given to `forward`.
    trace : from `forward`; may be used more than once, with the same result.
    dy : shape of yhat; ∂L/∂yhat for the linear head, ∂L/∂scores for the softmax head, as the losses return.
    plan : what to leave out (`lstm_lib.isolate`); None leaves out nothing.
    also : any of "x" and "state": adds the gradient of the inputs, key "x" (B, T, D), and of the initial
        state, keys "0/h0", "0/c0", … (B, H).

    Returns
    -------
    dict with the names, shapes and dtype of `params`. Isolated arcs whose gradient is left out have 0.
    With a workspace the arrays are reused by the next call.

    Raises ValueError on a dy of another shape or dtype, an overwritten trace, a plan for another spec.

    >>> from lstm_lib import init_params
    >>> spec = Spec(inputs=2, units=(3,), outputs=1)
    >>> params = init_params(spec, dtype="float64")
    >>> yhat, trace = forward(spec, params, np.ones((5, 4, 2)))
    >>> loss, dy = mse(yhat, np.zeros((5, 1)))
    >>> {name: g.shape for name, g in backward(spec, params, trace, dy).items()} == spec.shapes
    True
    """
    trace.check()
    _check_error(spec, trace, dy, plan, also)
    layers = trace._buffers.layers
    grads = dict(trace._buffers.grads or _empty_grads(spec, dy.dtype))
    span = layers[0].T if plan is None or plan.span is None else min(plan.span, layers[0].T)
    works = plan.layers if plan is not None else (LayerWork(),) * spec.layers
    lowest = 0 if also else next((k for k, w in enumerate(works) if w.weights), spec.layers)

    arrives = _head_backward(spec, params, layers[-1], dy, grads, plan, lowest < spec.layers)
    for k in reversed(range(lowest, spec.layers)):
        layer, Wx = layers[k], params[f"{k}/Wx"]
        stop = run_errors(layer, params[f"{k}/Wh"], arrives, layer.T - span, "state" in also)
        _write_layer(grads, k, weight_gradients(layer, works[k]) if works[k].weights else None)
        errors = layer.backward_arrays()
        if k > lowest:  # x of this layer is h of the one below
            np.matmul(Wx.T, errors.dz[stop:], out=layers[k - 1].backward_arrays().inject[stop:])
            arrives = stop
        elif "x" in also:
            grads["x"] = np.zeros((layer.B, layer.T, layer.D), dy.dtype)
            grads["x"][:, stop:] = np.matmul(Wx.T, errors.dz[stop:]).transpose(2, 0, 1)
        if "state" in also:
            for name, error in (("h0", errors.dh), ("c0", errors.dc)):
                grads[f"{k}/{name}"] = error.T.copy() if stop == 0 else np.zeros_like(error.T)
    for k in range(lowest):
        _write_layer(grads, k, None)
        if (untouched := layers[k].errors) is not None:
            untouched.stop = layers[k].T
    return grads


def _check_error(spec: Spec, trace: Trace, dy: Array, plan: PlanLike | None, also: Collection[str]) -> None:
    if trace.spec != spec or (plan is not None and plan.spec != spec):
        other, what = (trace.spec, "trace") if trace.spec != spec else (plan.spec if plan else None, "plan")
        raise ValueError(f"the {what} was made for {other}, not for {spec}")
    if dy.shape != trace.yhat.shape or dy.dtype != trace.yhat.dtype:
        raise ValueError(
            f"dy is {dy.dtype} {dy.shape}; expected {trace.yhat.dtype} {trace.yhat.shape}, as yhat"
        )
    if unknown := set(also) - {"x", "state"}:
        raise ValueError(f"also={sorted(unknown)} is unknown; the choices are 'x' and 'state'")


def _head_backward(
    spec: Spec, params: Params, top: Layer, dy: Array, grads: Params, plan: PlanLike | None, flow: bool
) -> int:
    """Gradients of the head; writes the error of the top layer's h and returns the first step that gets one."""
    h = top.h if spec.output == "every" else top.h[-1:]
    ds = dy.transpose(1, 2, 0) if spec.output == "every" else dy.T[None]  # (steps, O, B)
    active = plan.head if plan is not None else {"W": None, "b": None}
    # scores = W @ h + b
    if "W" in active:
        np.copyto(grads["head/W"], np.tensordot(ds, h, axes=((0, 2), (0, 2))))
    if "b" in active:
        np.copyto(grads["head/b"], ds.sum(axis=(0, 2)))
    for name in ("W", "b"):
        keep = active.get(name)
        if name not in active:
            grads[f"head/{name}"][...] = 0
        elif keep is not None:
            grads[f"head/{name}"] *= keep
    first = top.T - len(ds)
    if flow:
        np.matmul(params["head/W"].T, ds, out=top.backward_arrays().inject[first:])
    return first


def _write_layer(grads: Params, k: int, product: Array | None) -> None:
    """Copy [dWh | dWx | db] of layer k to its three gradients; None writes zeros."""
    H = grads[f"{k}/Wh"].shape[1]
    for name, columns in (("Wh", slice(0, H)), ("Wx", slice(H, -1)), ("b", -1)):
        grads[f"{k}/{name}"][...] = 0 if product is None else product[:, columns]

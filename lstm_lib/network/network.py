"""Whole networks: forward and backward over stacked layers and a head, the losses, and the workspace.

Nouns: `forward` returns the forecast and a `Trace`, what it keeps for the backward pass; `backward` turns a
trace and the error of the forecast into gradients with the names and shapes of `params`. A `Workspace` owns
the large arrays, so that a training loop allocates them once.

Letters: T time steps, B batch, D inputs of a layer, H units, O outputs. Outside, arrays are batch-first as in
Keras: x (B, T, D). Inside they are feature-major; `layer.py` says why.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan, plain
from lstm_lib.isolation.products import HeadWork, Part

from .cells import Array, get_cell
from .layer import Layer, LayerTrace, run_forward, set_start
from .layer_backward import carrier, errors_of, pass_down, run_errors, weight_gradients
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
        self._sets: dict[tuple[Spec, int, int, str, int], _Buffers] = {}

    def _claim(self, spec: Spec, T: int, B: int, dtype: np.dtype[Any], known: int = 0) -> _Buffers:
        key = (spec, T, B, dtype.str, known)
        if key not in self._sets:
            self._sets[key] = _Buffers(spec, T, B, dtype, known)
            self._sets[key].grads = _empty_grads(spec, dtype)
        self._sets[key].generation += 1
        return self._sets[key]


class _Buffers:
    """The arrays of the layers that are run, how often they have been written, and gradients to reuse."""

    def __init__(self, spec: Spec, T: int, B: int, dtype: np.dtype[Any], known: int = 0) -> None:
        cell = get_cell(spec.cell)
        self.layers = {
            k: Layer(cell, T, B, spec.fan_in(k), H, dtype) for k, H in enumerate(spec.units) if k >= known
        }
        self.known = known  # how many of the lowest layers are not run
        self.top = np.empty((0, spec.units[-1], B), dtype)  # (steps, H, B): what the head reads
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

    def _steps_and_batch(self) -> tuple[int, int]:
        """T and B of the pass."""
        layers, top = self._buffers.layers, self._buffers.top
        some = next(iter(layers.values()), None)
        return (some.T, some.B) if some is not None else (len(top), top.shape[2])

    def layer(self, k: int) -> LayerTrace:
        """Gates and states of layer k (views; copy them to keep them beyond the workspace's next use)."""
        return self._layer(k).trace()

    def _layer(self, k: int) -> Layer:
        self.check()
        if k not in self._buffers.layers:
            run = ", ".join(map(str, self._buffers.layers)) or "none"
            raise ValueError(f"layer {k!r} was not run in this pass; the layers that were: {run}")
        return self._buffers.layers[k]

    def dz(self, k: int) -> Array:
        """(T, 4H, B): the error ∂L/∂z of layer k's pre-activations, as the last `backward` left it (a copy).

        Zero at the steps the pass did not reach. Raises ValueError when there was no backward pass.
        """
        layer = self._layer(k)
        if layer.errors is None or layer.errors.stop is None:
            raise ValueError(f"layer {k} has no errors; run backward() with this trace first")
        dz: Array = layer.errors.dz(layer)
        return dz


# ----------------------------------------------------------------------------------------------------- forward


def forward(
    spec: Spec,
    params: Params,
    x: Array,
    work: Workspace | None = None,
    initial: list[tuple[Array, Array]] | None = None,
    known: int = 0,
) -> tuple[Array, Trace]:
    """Run the network over whole sequences: equations (1) to (6) at every step, then the head.

    Parameters
    ----------
    spec, params : the network; `params` as from `init_params`, one dtype.
    x : (B, T, D), same dtype as the parameters.
    work : reuse this workspace's arrays; None makes a trace that owns its arrays.
    initial : one (h, c) a layer, each (B, H); None starts from zero.
    known : how many of the lowest layers are not run because their states are known: x then holds the output of
        the highest of them, (B, T, H); for the head alone and `output="last"` the last step is enough.

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
    B, T = _check_inputs(spec, x, dtype, known)
    buffers = _Buffers(spec, T, B, dtype, known) if work is None else work._claim(spec, T, B, dtype, known)
    below = _run_layers(buffers, params, x, initial)
    buffers.top = below if spec.output == "every" else below[-1:]
    top = buffers.top if spec.output == "every" else below[-1]
    scores = np.matmul(params["head/W"], top) + params["head/b"][:, None]
    yhat = np.ascontiguousarray(scores.T if spec.output == "last" else scores.transpose(2, 0, 1))
    if spec.head == "softmax":
        yhat = _softmax(yhat)
    return yhat, Trace(spec, yhat, buffers, buffers.generation)


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
    lower = dataclasses.replace(spec, units=spec.units[:layers])
    buffers = _Buffers(lower, T, B, dtype) if work is None else work._claim(lower, T, B, dtype)
    return _run_layers(buffers, params, x, None).transpose(2, 0, 1)


def _run_layers(
    buffers: _Buffers, params: Params, x: Array, initial: list[tuple[Array, Array]] | None
) -> Array:
    """Run the layers of the buffers on x (B, T, D) and return what comes out on top, (T, H, B)."""
    below = x.transpose(1, 2, 0)
    for k, layer in buffers.layers.items():
        set_start(layer, None if initial is None else initial[k], f"initial[{k}]")
        np.copyto(layer.x, below)
        if layer.errors is not None:
            layer.errors.stop = None  # they belong to an earlier forward pass
        run_forward(layer, params[f"{k}/Wh"], params[f"{k}/Wx"], params[f"{k}/b"])
        below = layer.h
    return below


def _check_inputs(spec: Spec, x: Array, dtype: np.dtype[Any], known: int) -> tuple[int, int]:
    if not isinstance(known, int) or isinstance(known, bool) or not 0 <= known <= spec.layers:
        raise ValueError(f"known must be a number of layers, 0..{spec.layers}, got {known!r}")
    features = spec.inputs if known == 0 else spec.units[known - 1]
    if x.ndim != 3 or x.shape[2] != features:
        what = "" if known == 0 else f", the output of layer {known - 1}"
        raise ValueError(f"x has shape {x.shape}; expected (batch, steps, {features}){what}")
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


def backward(
    spec: Spec,
    params: Params,
    trace: Trace,
    dy: Array,
    plan: Plan | None = None,
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
        state, keys "0/h0", "0/c0", … (B, H). At depth "cut" without what isolated arcs would have carried.

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
    plan, buffers = plan or plain(spec), trace._buffers
    grads = dict(buffers.grads or _empty_grads(spec, dy.dtype))
    bottom = 0 if also and plan.depth != "cut" else plan.lowest
    T, B = trace._steps_and_batch()
    start = plan.start(T)
    ds = dy.transpose(1, 2, 0) if spec.output == "every" else dy.T[None]  # (steps, O, B)
    _head_gradients(plan.head, buffers.top, ds, grads["head/W"], grads["head/b"])
    arrives = T - len(ds)  # the first step that gets an error from above
    if bottom < spec.layers:
        _head_error(plan, buffers.layers[spec.layers - 1], params["head/W"], ds, max(arrives, start))
    for k in reversed(range(bottom, spec.layers)):
        layer, work = buffers.layers[k], plan.works[k]
        stop = run_errors(layer, work, params[f"{k}/Wh"], max(arrives, start), start, "state" in also)
        _layer_gradients(layer, grads, k)
        if k > bottom and work.below is not None:  # x of this layer is h of the one below
            inject = errors_of(buffers.layers[k - 1]).prepare(buffers.layers[k - 1], plan.works[k - 1]).inject
            pass_down(layer, work.below, params[f"{k}/Wx"], stop, inject)
            arrives = stop
        if k == 0 and "x" in also:
            grads["x"] = np.zeros((B, T, spec.inputs), dy.dtype)
            if work.below is not None:
                dx = np.empty((T, spec.inputs, B), dy.dtype)
                pass_down(layer, work.below, params["0/Wx"], stop, dx)
                grads["x"][:, stop:] = dx[stop:].transpose(2, 0, 1)
        if "state" in also:
            _state_gradients(layer, k, grads)
    for k in range(bottom):
        for name in ("Wx", "Wh", "b"):
            grads[f"{k}/{name}"][...] = 0
        if k in buffers.layers:
            if (untouched := buffers.layers[k].errors) is not None:
                untouched.stop = T
            if "state" in also:
                grads |= {f"{k}/{name}0": np.zeros((B, spec.units[k]), dy.dtype) for name in "hc"}
    if bottom and "x" in also:
        grads["x"] = np.zeros((B, T, spec.inputs), dy.dtype)
    return grads


def _check_error(spec: Spec, trace: Trace, dy: Array, plan: Plan | None, also: Collection[str]) -> None:
    if trace.spec != spec or (plan is not None and plan.spec != spec):
        other, what = (trace.spec, "trace") if trace.spec != spec else (plan.spec if plan else None, "plan")
        raise ValueError(f"the {what} was made for {other}, not for {spec}")
    if dy.shape != trace.yhat.shape or dy.dtype != trace.yhat.dtype:
        raise ValueError(
            f"dy is {dy.dtype} {dy.shape}; expected {trace.yhat.dtype} {trace.yhat.shape}, as yhat"
        )
    if unknown := set(also) - {"x", "state"}:
        raise ValueError(f"also={sorted(unknown)} is unknown; the choices are 'x' and 'state'")
    if known := trace._buffers.known:
        if also:
            raise ValueError(
                f"also={sorted(also)} needs all layers; {known} were known in this pass and not run"
            )
        if plan is None or plan.lowest < known:
            raise ValueError(
                f"the lowest {known} layers were known in this pass and not run, so the plan must isolate all their "
                f"arcs; it is {plan!r}"
            )


def _head_gradients(head: HeadWork, h: Array, ds: Array, dW: Array, db: Array) -> None:
    """Gradients of scores = W @ h + b, with h (steps, H, B) and ds (steps, O, B)."""
    if (r := head.weights) is None or r.size != dW.shape or r.drop is not None:
        dW[...] = 0
    if r is not None:
        product = np.matmul(_as_rows(ds, r.errors), _as_rows(h, r.sources).T)
        if r.drop is not None:
            np.copyto(product, 0, where=r.drop)
        rows, sources = (slice(None) if at is None else at for at in (r.rows, r.sources))
        at = (
            np.ix_(rows, sources)
            if isinstance(rows, np.ndarray) and isinstance(sources, np.ndarray)
            else (rows, sources)
        )
        dW[at] = product
    if head.bias_size < len(db):
        db[...] = 0
    if head.bias_size:
        outputs = slice(None) if head.bias is None else head.bias
        db[outputs] = ds.sum(axis=(0, 2))[outputs]


def _as_rows(a: Array, at: Part) -> Array:
    """Some rows of (steps, rows, B) as (rows, steps * B)."""
    some = a if at is None else a[:, at]
    return some.transpose(1, 0, 2).reshape(some.shape[1], -1)


def _head_error(plan: Plan, top: Layer, W: Array, ds: Array, first: int) -> None:
    """Write the error of the top layer's h from step `first` on."""
    errors, passage = errors_of(top), plan.head.down
    inject = errors.prepare(top, plan.works[-1]).inject
    assert passage is not None  # the plan's lowest layer says so
    carry = carrier(errors.store, passage, W, top.B)
    for ds_t, out in zip(ds[first - top.T :], inject[first:], strict=True):
        carry(ds_t, out)


def _layer_gradients(layer: Layer, grads: Params, k: int) -> None:
    """Gradients of the layer's active arcs, and zeros for the others."""
    Wh, Wx, b = (grads[f"{k}/{name}"] for name in ("Wh", "Wx", "b"))
    rectangles = errors_of(layer).work.weights
    whole = len(rectangles) == 1 and rectangles[0].size == (4 * layer.H, layer.H + layer.D + 1)
    if not whole:
        for gradient in (Wh, Wx, b):
            gradient[...] = 0
    weight_gradients(layer, (Wh, Wx, b))


def _state_gradients(layer: Layer, k: int, grads: Params) -> None:
    """Gradients of the state before the first step, if the error got so far."""
    errors = errors_of(layer)
    v = errors.views
    for name, error in (("h0", v.dh), ("c0", v.dc)):
        grads[f"{k}/{name}"] = found = np.zeros((layer.B, layer.H), error.dtype)
        if errors.stop == 0:
            found[:, slice(None) if errors.work.units is None else errors.work.units] = error.T

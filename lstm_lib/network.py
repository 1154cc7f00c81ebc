"""Whole sequences: the network's shape, its parameters, forward, backward, losses, and the workspace.

Nouns: a `Spec` is the shape of a network; `params` is a dict of named arrays with exactly the names and
shapes of `Spec.shapes`; `forward` returns the forecast and a `Trace`; `backward` turns a trace and the
error of the forecast into gradients with the names and shapes of `params`. A `Workspace` owns the large
arrays, so that a training loop allocates them once.

Letters: T time steps, B batch, D inputs of a layer, H units, O outputs, S = H + D + 1 sources of a layer.
Outside, arrays are batch-first as in Keras: x (B, T, D). Inside they are feature-major, (rows, B) per step,
so that each gate is one contiguous block. `cell.py` has the same equations one step at a time; the code here
differs from it in four ways, each for speed and each tested against it:

- the sources [h_prev; x; 1] of a step stand in one array, so one product gives all four pre-activations
  and ONE product after the loop gives the gradients of Wh, Wx and b together;
- a sigmoid is a tanh of half the pre-activation; the halving is done once, on the weights;
- the factor that turns an error into dz is computed for a block of steps before the loop reaches them;
- errors far below the smallest that can reach a gradient are set to zero (see `_flush`), and the loop ends when none is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike

from .cell import Array, Cell, get_cell

HEADS = ("linear", "softmax")
OUTPUTS = ("last", "every")
Params = dict[str, Array]


# --------------------------------------------------------------------------------------- the network's shape


@dataclass(frozen=True)
class Spec:
    """The shape of a network: stacked LSTM layers and a dense head.

    Parameters
    ----------
    inputs : D, features per time step.
    units : H of each layer, lowest first; one entry in `units` a layer.
    outputs : O, width of the head.
    cell : "standard" or "brief" (see `lstm_lib.cell`).
    head : "linear", or "softmax" whose outputs are probabilities.
    output : "last" gives (B, O) from the last step, "every" gives (B, T, O).

    Raises ValueError that names the field, what was given and the valid choices.

    >>> spec = Spec(inputs=3, units=(4,), outputs=1)
    >>> spec.shapes
    {'0/Wx': (16, 3), '0/Wh': (16, 4), '0/b': (16,), 'head/W': (1, 4), 'head/b': (1,)}
    >>> spec.size
    133
    """

    inputs: int
    units: tuple[int, ...]
    outputs: int
    cell: str = "standard"
    head: str = "linear"
    output: str = "last"

    def __post_init__(self) -> None:
        units = (self.units,) if isinstance(self.units, int) else tuple(self.units)
        object.__setattr__(self, "units", units)
        for name, value in (("inputs", self.inputs), ("outputs", self.outputs), *(("units", u) for u in units)):
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
                raise ValueError(f"Spec.{name} must be a whole number of at least 1, got {value!r}")
        if not units:
            raise ValueError("Spec.units is empty; give one entry a layer, for example units=(64,)")
        get_cell(self.cell)
        for name, value, choices in (("head", self.head, HEADS), ("output", self.output, OUTPUTS)):
            if value not in choices:
                raise ValueError(f"Spec.{name} is {value!r}; the choices are {', '.join(choices)}")

    @property
    def layers(self) -> int:
        """How many LSTM layers there are."""
        return len(self.units)

    def fan_in(self, layer: int) -> int:
        """Inputs per step of a layer: D for the lowest, the units below for the others."""
        return self.inputs if layer == 0 else self.units[layer - 1]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, in the order they are applied."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, H in enumerate(self.units):
            shapes[f"{layer}/Wx"] = (4 * H, self.fan_in(layer))
            shapes[f"{layer}/Wh"] = (4 * H, H)
            shapes[f"{layer}/b"] = (4 * H,)
        shapes["head/W"] = (self.outputs, self.units[-1])
        shapes["head/b"] = (self.outputs,)
        return shapes

    @property
    def size(self) -> int:
        """How many arcs (scalar weights and biases) the network has."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())


def init_params(spec: Spec, seed: int = 0, dtype: DTypeLike = "float32", forget_bias: float = 1.0) -> Params:
    """Initial parameters: Glorot-uniform Wx and head, orthogonal Wh, zero biases but for the forget gate.

    The same choices as `keras.layers.LSTM` (glorot_uniform, orthogonal, unit_forget_bias), drawn from
    NumPy's generator. The numbers are drawn in float64 and rounded, so that both dtypes start alike.

    Parameters
    ----------
    seed : of `numpy.random.default_rng`.
    dtype : float32 or float64.
    forget_bias : start of b_f; 1 keeps the early error signal alive (Jozefowicz et al., 2015).

    >>> params = init_params(Spec(3, (4,), 1))
    >>> params["0/Wh"].shape, params["0/b"][:4].tolist()
    ((16, 4), [1.0, 1.0, 1.0, 1.0])
    """
    if np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype is {np.dtype(dtype)}; the choices are float32, float64")
    rng = np.random.default_rng(seed)
    params: Params = {}
    for name, shape in spec.shapes.items():
        if name.endswith("/Wh"):
            q, r = np.linalg.qr(rng.standard_normal(shape))
            value = q * np.sign(np.diag(r))  # the sign makes the draw uniform over orthogonal matrices
        elif len(shape) == 2:
            limit = np.sqrt(6 / sum(shape))
            value = rng.uniform(-limit, limit, shape)
        else:
            value = np.zeros(shape)
            if name != "head/b":
                value[: shape[0] // 4] = forget_bias
        params[name] = value.astype(dtype)
    return params


def check_params(spec: Spec, params: Params) -> np.dtype[Any]:
    """Check names, shapes and a common dtype against `spec` and return that dtype.

    Raises ValueError naming the parameter, its shape or dtype and the expected one.
    """
    shapes = spec.shapes
    if params.keys() != shapes.keys():
        missing, extra = sorted(shapes.keys() - params.keys()), sorted(params.keys() - shapes.keys())
        raise ValueError(f"parameters do not fit the spec: missing {missing}, unknown {extra}")
    dtype = params["head/W"].dtype
    if dtype.kind not in "fc":
        raise ValueError(f"params have dtype {dtype}; expected float32 or float64")
    for name, shape in shapes.items():
        if params[name].shape != shape:
            raise ValueError(f"params[{name!r}] has shape {params[name].shape}; the spec expects {shape}")
        if params[name].dtype != dtype:
            raise ValueError(f"params[{name!r}] is {params[name].dtype} but params['head/W'] is {dtype}; use one dtype")
    return dtype


# ------------------------------------------------------------------------------------- arrays that are reused


class _Layer:
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
        self.error: _Error | None = None
        self.sigmoid_rows = _sigmoid_rows(cell, H)
        self.forward_steps = [
            (
                self.sources[t],
                self.gates[t],
                [self.gates[t, rows] for rows in self.sigmoid_rows],
                *self._gate_views(t),
                self.cells[t],
                self.cells[t + 1],
                self.tanh_c[t],
                self.sources[t + 1, :H],
            )
            for t in range(T)
        ]

    def _gate_views(self, t: int | slice) -> tuple[Array, Array, Array, Array]:
        H, gates = self.H, self.gates[t]
        return gates[..., :H, :], gates[..., H : 2 * H, :], gates[..., 2 * H : 3 * H, :], gates[..., 3 * H :, :]

    @property
    def h(self) -> Array:
        """(T, H, B): the output of every step."""
        return self.sources[1:, : self.H]

    def errors(self) -> _Error:
        """The arrays of the backward pass, made when they are first needed."""
        if self.error is None:
            self.error = _Error(self)
        return self.error


class _Error:
    """Arrays and views of the backward pass of one layer."""

    def __init__(self, layer: _Layer) -> None:
        T, B, H = layer.T, layer.B, layer.H
        dtype = layer.gates.dtype
        self.dz = np.empty((T, 4 * H, B), dtype)
        self.dz_rows = np.empty(4 * H * T * B, dtype)  # the same, one row a pre-activation, for the one product
        self.source_rows = np.empty(layer.sources[0].size * T, dtype)
        self.product = np.empty((4 * H, H + layer.D + 1), dtype)
        self.inject = np.empty((T, H, B), dtype)  # error that arrives from above at every step
        self.dh = np.empty((H, B), dtype)
        self.dc = np.empty((H, B), dtype)
        block = _block_steps(T, 4 * H * B * dtype.itemsize)
        self.dc_dh = np.empty((block, H, B), dtype)
        self.scratch = np.empty((block, H, B), dtype)
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
        self.block = block


def _sigmoid_rows(cell: Cell, H: int) -> list[slice]:
    """Row blocks of the gates whose activation is a sigmoid, neighbours joined."""
    rows: list[slice] = []
    for k, gate in enumerate("fiog"):
        if getattr(cell, gate) == "sigmoid":
            if rows and rows[-1].stop == k * H:
                rows[-1] = slice(rows[-1].start, (k + 1) * H)
            else:
                rows.append(slice(k * H, (k + 1) * H))
    return rows


def _block_steps(T: int, step_bytes: int) -> int:
    """Steps whose gates fit the second-level cache together; few enough for `_flush` to keep up."""
    return min(T, max(8, min(16, 2**20 // step_bytes)))


class Workspace:
    """Owner of the large arrays of `forward` and `backward`, kept between calls.

    Pass one to `forward` in a loop. The trace and the gradients of a call are then valid only until the next
    `forward` with the same workspace and shape; `backward` refuses a trace that has been overwritten.
    Without a workspace every trace owns its arrays.

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
        self.layers = [_Layer(cell, T, B, spec.fan_in(k), H, dtype) for k, H in enumerate(spec.units)]
        self.grads: Params | None = None  # a workspace sets it; without one every backward() makes its own
        self.generation = 0


def _empty_grads(spec: Spec, dtype: np.dtype[Any]) -> Params:
    return {name: np.empty(shape, dtype) for name, shape in spec.shapes.items()}


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
        layer = self._buffers.layers[k]
        f, i, o, g = layer._gate_views(slice(None))
        x = layer.sources[:-1, layer.H : -1]
        return LayerTrace(x, f, i, o, g, layer.cells[1:], layer.tanh_c, layer.h)


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
        _set_start(layer, k, initial)
        np.copyto(layer.sources[:T, layer.H : -1], below)
        _layer_forward(layer, params[f"{k}/Wh"], params[f"{k}/Wx"], params[f"{k}/b"])
        below = layer.h
    top = below if spec.output == "every" else below[-1]
    scores = np.matmul(params["head/W"], top) + params["head/b"][:, None]
    yhat = np.ascontiguousarray(scores.T if spec.output == "last" else scores.transpose(2, 0, 1))
    if spec.head == "softmax":
        yhat = _softmax(yhat)
    return yhat, Trace(spec, yhat, buffers, buffers.generation)


def _layer_forward(layer: _Layer, Wh: Array, Wx: Array, b: Array) -> None:
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
        for a in sigmoids:
            multiply(a, half, out=a)
            add(a, half, out=a)
        multiply(f, c_prev, out=c)
        multiply(i, g, out=scratch)
        add(c, scratch, out=c)  # (4)
        tanh(c, out=tanh_c)
        multiply(o, tanh_c, out=h)  # (6)


def _set_start(layer: _Layer, k: int, initial: list[tuple[Array, Array]] | None) -> None:
    if initial is None:
        layer.sources[0, : layer.H] = 0
        layer.cells[0] = 0
        return
    for name, value, place in zip("hc", initial[k], (layer.sources[0, : layer.H], layer.cells[0]), strict=True):
        if np.shape(value) != (layer.B, layer.H):
            raise ValueError(f"initial[{k}] {name} has shape {np.shape(value)}; expected {(layer.B, layer.H)}")
        np.copyto(place, np.asarray(value).T)


def _check_inputs(spec: Spec, x: Array, dtype: np.dtype[Any]) -> tuple[int, int]:
    if x.ndim != 3 or x.shape[2] != spec.inputs:
        raise ValueError(f"x has shape {x.shape}; expected (batch, steps, {spec.inputs})")
    if 0 in x.shape:
        raise ValueError(f"x has shape {x.shape}; it holds no sample or no step")
    if x.dtype != dtype and dtype.kind != "c":  # complex-step differences mix complex weights with real inputs
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
        raise ValueError(f"yhat has shape {yhat.shape} but y has shape {y.shape}; they must be equal")
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
        raise ValueError(f"y has shape {y.shape} and dtype {y.dtype}; expected {yhat.shape}, or class numbers {yhat.shape[:-1]}")
    n = yhat.size // O
    p = np.where(yhat.real < np.finfo(yhat.dtype).tiny, np.finfo(yhat.dtype).tiny, yhat)
    return -(y * np.log(p)).sum() / n, (yhat - y) * (1 / n)


LOSSES = {"linear": mse, "softmax": cross_entropy}  # the loss that fits each head


# ---------------------------------------------------------------------------------------------------- backward


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


class PlanLike(Protocol):
    """What `backward` reads of a plan (`lstm_lib.zones.Plan`)."""

    @property
    def spec(self) -> Spec: ...
    @property
    def span(self) -> int | None: ...
    @property
    def layers(self) -> tuple[LayerWork, ...]: ...
    @property
    def head(self) -> dict[str, Array | None]: ...


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

    inject_from = _head_backward(spec, params, layers[-1], dy, grads, plan, lowest < spec.layers)
    for k in reversed(range(spec.layers)):
        layer, Wx, Wh = layers[k], params[f"{k}/Wx"], params[f"{k}/Wh"]
        if k < lowest:
            _write_zeros(grads, k)
            continue
        stop = _layer_errors(layer, Wh, inject_from, layer.T - span, "state" in also)
        _layer_weights(layer, stop, works[k], grads, k)
        dz = layer.errors().dz
        if k > lowest:
            np.matmul(Wx.T, dz[stop:], out=layers[k - 1].errors().inject[stop:])
            inject_from = stop
        elif "x" in also:
            grads["x"] = np.zeros((layer.B, layer.T, layer.D), dz.dtype)
            grads["x"][:, stop:] = np.matmul(Wx.T, dz[stop:]).transpose(2, 0, 1)
        if "state" in also:
            e = layer.errors()
            grads[f"{k}/h0"], grads[f"{k}/c0"] = (
                (a if stop == 0 else np.zeros_like(a)).T.copy() for a in (e.dh, e.dc)
            )
    return grads


def _check_error(spec: Spec, trace: Trace, dy: Array, plan: PlanLike | None, also: Collection[str]) -> None:
    if trace.spec != spec or (plan is not None and plan.spec != spec):
        other, what = (trace.spec, "trace") if trace.spec != spec else (plan.spec if plan else None, "plan")
        raise ValueError(f"the {what} was made for {other}, not for {spec}")
    if dy.shape != trace.yhat.shape or dy.dtype != trace.yhat.dtype:
        raise ValueError(f"dy is {dy.dtype} {dy.shape}; expected {trace.yhat.dtype} {trace.yhat.shape}, as yhat")
    if unknown := set(also) - {"x", "state"}:
        raise ValueError(f"also={sorted(unknown)} is unknown; the choices are 'x' and 'state'")


def _head_backward(
    spec: Spec, params: Params, top: _Layer, dy: Array, grads: Params, plan: PlanLike | None, flow: bool
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
        np.matmul(params["head/W"].T, ds, out=top.errors().inject[first:])
    return first


def _layer_errors(layer: _Layer, Wh: Array, inject_from: int, start: int, to_start: bool) -> int:
    """Fill dz of the steps from the last down to `start`; return the first step that has an error.

    Errors arrive from above at the steps from `inject_from` on. The last product, which gives the error of
    the state before the first step, is run only when `to_start` asks for it.
    """
    e, T, cell = layer.errors(), layer.T, layer.cell
    matmul, multiply, add = np.matmul, np.multiply, np.add
    dh, dc, scratch, Wh_T = e.dh, e.dc, e.scratch[0], Wh.T
    dh[...] = 0
    dc[...] = 0
    floor = _error_floor(e.inject[inject_from:]) if inject_from > start else 0.0
    first_product = start if to_start else start + 1
    for first, last in _blocks(start, T, e.block):
        _slopes(cell, layer, first, last)
        for t in range(last - 1, first - 1, -1):
            dz, dz_fi, dz_o, dz_g, f, inject = e.steps[t]
            if t >= inject_from:
                add(dh, inject, out=dh)
            # h = o * tanh(c);  dz_o and dc_dh hold their slopes, from _slopes
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
        if first <= inject_from and first > start and _flush(dh, dc, floor, scratch):
            return first
    return start


def _blocks(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Neighbouring (first, last) ranges that cover start..stop, latest first."""
    for last in range(stop, start, -size):
        yield max(start, last - size), last


def _slopes(cell: Cell, layer: _Layer, first: int, last: int) -> None:
    """What multiplies the error, for steps first..last: ∂c/∂z of f, i, g and ∂h/∂z_o into dz, ∂h/∂c into dc_dh.

    With w what the gate is multiplied by and p = w * a the product the forward pass formed,
    w * sigmoid' = p - p * a and w * tanh' = w - p * a.
    """
    e, n, H = layer.errors(), last - first, layer.H
    f, i, o, g = layer._gate_views(slice(first, last))
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


def _error_floor(inject: Array) -> float:
    """Magnitude below which an error can't change a gradient in this dtype: smallest normal number / epsilon.

    Scaled down with the incoming error where that is itself small.
    """
    info = np.finfo(inject.dtype)
    peak = min(1.0, float(max(inject.max(), -inject.min())))
    return float(info.tiny) / float(info.eps) * peak


def _flush(dh: Array, dc: Array, floor: float, scratch: Array) -> bool:
    """Set errors below `floor` to zero; True when none is left and the pass can end.

    Left alone they decay into subnormal numbers, on which every product is several times slower.
    """
    empty = True
    for error in (dh, dc):
        np.abs(error, out=scratch)
        if scratch.min() < floor:
            np.copyto(error, 0, where=scratch < floor)
        empty = empty and not error.any()
    return empty


def _layer_weights(layer: _Layer, stop: int, work: LayerWork, grads: Params, k: int) -> None:
    """One product over all steps for the gradients of Wh, Wx and b together: dW = Σ_t dz_t [h; x; 1]_tᵀ."""
    if not work.weights:
        _write_zeros(grads, k)
        return
    e, H = layer.errors(), layer.H
    dz, sources = e.dz[stop:], layer.sources[stop : layer.T]
    if work.rows is not None:
        dz = dz[:, work.rows]
    if work.sources is not None:
        sources = sources[:, work.sources]
    rows = _by_row(dz, e.dz_rows)
    cols = _by_row(sources, e.source_rows)
    product = e.product
    if work.rows is None and work.sources is None:
        np.matmul(rows, cols.T, out=product)
    else:
        every_row = np.arange(len(product)) if work.rows is None else work.rows
        every_col = np.arange(product.shape[1]) if work.sources is None else work.sources
        product[...] = 0
        product[np.ix_(every_row, every_col)] = rows @ cols.T
    if work.keep is not None:
        product *= work.keep
    for name, part in (("Wh", product[:, :H]), ("Wx", product[:, H:-1]), ("b", product[:, -1])):
        np.copyto(grads[f"{k}/{name}"], part)


def _by_row(a: Array, out: Array) -> Array:
    """(steps, rows, B) -> (rows, steps * B), written eight steps at a time: half the time of one long copy."""
    steps, rows, B = a.shape
    target = out[: a.size].reshape(rows, steps, B)
    for t in range(0, steps, 8):
        np.copyto(target[:, t : t + 8], a[t : t + 8].transpose(1, 0, 2))
    return target.reshape(rows, steps * B)


def _write_zeros(grads: Params, k: int) -> None:
    for name in ("Wx", "Wh", "b"):
        grads[f"{k}/{name}"][...] = 0

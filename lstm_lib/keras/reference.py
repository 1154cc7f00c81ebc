"""Reference gradients by TensorFlow's autograd: every cell once more, forward only, as plainly as it can be written.

GradientTape finds the derivatives: the same numbers by a way that shares no line with `lstm_lib.network`. A step of a
cell is a function

    step(W, x, *states) -> blocks, states

of the weights of its layer by matrix; it returns the pre-activations that the engine calls blocks, in its order, and
the new states. What peepholes add is not in the blocks. Arrays are batch-first: x (B, D), states and blocks (B, H).

Letters: B batch, T steps, D inputs, H units, P blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Params, Spec, check_params

from .backend import tf

Step = Callable[..., tuple[tuple[Any, ...], tuple[Any, ...]]]


def _times(a: Any, W: Any) -> Any:
    return tf.matmul(a, W, transpose_b=True)


def _sum(W: Any, x: Any, h: Any) -> Any:
    return _times(x, W["Wx"]) + _times(h, W["Wh"]) + W["b"]


def _lstm(act_o: Any = tf.sigmoid, act_g: Any = tf.tanh) -> Step:
    """Equations (1) to (6), with these activations in (3) and (5); with peepholes f and i read old c, o the new one."""

    def step(W: Any, x: Any, h: Any, c: Any) -> Any:
        z_f, z_i, z_o, z_g = blocks = tuple(tf.split(_sum(W, x, h), 4, axis=1))
        p_f, p_i, p_o = tf.split(W["p"], 3) if "p" in W else (0, 0, 0)
        c = tf.sigmoid(z_f + p_f * c) * c + tf.sigmoid(z_i + p_i * c) * act_g(z_g)
        return blocks, (act_o(z_o + p_o * c) * tf.tanh(c), c)

    return step


def _rnn(W: Any, x: Any, h: Any) -> Any:
    """One gate, no cell state."""
    z = _sum(W, x, h)
    return (z,), (tf.tanh(z),)


def _gru(W: Any, x: Any, h: Any) -> Any:
    """The reset gate multiplies u, the product with h; rows are in the order z, r, g."""
    x_z, x_r, z_g = tf.split(_times(x, W["Wx"]) + W["b"], 3, axis=1)
    h_z, h_r, u = tf.split(_times(h, W["Wh"]) + W["bh"], 3, axis=1)
    z_z, z_r = x_z + h_z, x_r + h_r
    z = tf.sigmoid(z_z)
    g = tf.tanh(z_g + tf.sigmoid(z_r) * u)
    return (z_g, z_z, z_r, u), (z * h + (1 - z) * g,)


def _gru_v3(W: Any, x: Any, h: Any) -> Any:
    """The reset gate multiplies h itself; rows are in the order z, r, g."""
    x_z, x_r, x_g = tf.split(_times(x, W["Wx"]) + W["b"], 3, axis=1)
    U_z, U_r, U_g = tf.split(W["Wh"], 3)
    z_z, z_r = x_z + _times(h, U_z), x_r + _times(h, U_r)
    z_g = x_g + _times(tf.sigmoid(z_r) * h, U_g)
    z = tf.sigmoid(z_z)
    return (z_z, z_r, z_g), (z * h + (1 - z) * tf.tanh(z_g),)


STEPS: dict[str, Step] = {
    "standard": _lstm(),
    "brief": _lstm(tf.tanh, tf.sigmoid),
    "rnn": _rnn,
    "gru": _gru,
    "gru_v3": _gru_v3,
    "peephole": _lstm(),
}


def tf_gradients(
    spec: Spec,
    params: Params,
    x: Array,
    y: Array,
    initial: list[tuple[Array, ...]] | None = None,
    also: Collection[str] = (),
) -> tuple[float, Params]:
    """Loss and gradients by TensorFlow's autograd, in the dtype of the parameters.

    Parameters
    ----------
    spec, params, x, initial : as for `lstm_lib.forward`.
    y : targets; mean squared error for the linear head, cross-entropy for the softmax head, with y of the
        forecast's shape.
    also : any of "x", "state" (as `lstm_lib.backward`: "0/h0" and, where the cell has it, "0/c0"), "steps": keys "0/z",
        "0/h", "0/c" … with the gradient of every step's pre-activations (T, P·H, B), block by block in the order of
        `spec.row.blocks`, and of its states (T, H, B).

    Returns
    -------
    loss, and a dict with the names and shapes of `params`.

    Raises ValueError for parameters or targets that don't fit, and for a cell that isn't written here.

    >>> from lstm_lib import init_params
    >>> spec = Spec(1, (2,), 1)
    >>> loss, grads = tf_gradients(spec, init_params(spec), np.ones((1, 3, 1), np.float32), np.ones((1, 1), np.float32))
    >>> grads["0/Wx"].shape
    (8, 1)
    """
    if spec.cell not in STEPS:
        raise ValueError(f"tf_gradients has no cell {spec.cell!r}; those it has are {', '.join(STEPS)}")
    check_params(spec, params)
    watched = {name: tf.constant(p) for name, p in params.items()}
    watched["x"] = tf.constant(x)
    starts = _starts(spec, x, initial)
    steps = defaultdict[str, list[Any]](list)
    with tf.GradientTape() as tape:
        tape.watch([*watched.values(), *starts.values()])
        yhat = _forward(spec, watched, starts, steps)
        loss = _loss(spec, yhat, tf.constant(y, x.dtype))
    wanted = {name: watched[name] for name in params}
    for name, arrays in {"x": {"x": watched["x"]}, "state": starts, "steps": steps}.items():
        if name in also:
            wanted |= arrays
    found = tape.gradient(loss, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return float(loss), {
        name: np.stack([np.concatenate(a, axis=1).T for a in g]) if isinstance(g, list) else g.numpy()
        for name, g in found.items()
    }


def _starts(spec: Spec, x: Array, initial: list[tuple[Array, ...]] | None) -> dict[str, Any]:
    """The states of each layer before the first step, "0/h0" …, each (B, H)."""
    starts, names = dict[str, Any](), spec.row.states
    for k, H in enumerate(spec.units):
        given = initial[k] if initial is not None else [np.zeros((len(x), H))] * len(names)
        if len(given) != len(names):
            raise ValueError(
                f"initial[{k}] holds {len(given)} states; cell {spec.cell!r} has {', '.join(names)}"
            )
        starts |= {f"{k}/{n}0": tf.constant(a, x.dtype) for n, a in zip(names, given, strict=True)}
    return starts


def _forward(spec: Spec, p: dict[str, Any], starts: dict[str, Any], steps: dict[str, list[Any]]) -> Any:
    """The forecast. What every step made is kept in `steps`, by name: a tuple of (B, H) for each step."""
    below = tf.unstack(p["x"], axis=1)
    for k in range(spec.layers):
        W = {matrix: p[f"{k}/{matrix}"] for matrix in spec.row.matrices}
        states = tuple(starts[f"{k}/{name}0"] for name in spec.row.states)
        for t, x_t in enumerate(below):
            blocks, states = STEPS[spec.cell](W, x_t, *states)
            made = blocks, *((state,) for state in states)
            for name, arrays in zip(("z", *spec.row.states), made, strict=True):
                steps[f"{k}/{name}"].append(arrays)
            below[t] = states[0]
    top = tf.stack(below, axis=1) if spec.output == "every" else below[-1]
    scores = tf.einsum("...h,oh->...o", top, p["head/W"]) + p["head/b"]
    return tf.nn.softmax(scores) if spec.head == "softmax" else scores


def _loss(spec: Spec, yhat: Any, y: Any) -> Any:
    expected = (*yhat.shape[:-1], yhat.shape[-1] // max(1, len(spec.levels)))
    if tuple(y.shape) != expected:
        raise ValueError(f"y has shape {tuple(y.shape)}; expected {expected}")
    if spec.head == "quantiles":
        e = tf.repeat(y, len(spec.levels), axis=-1) - yhat
        tau = tf.constant(spec.levels * y.shape[-1], yhat.dtype)
        return tf.reduce_mean(tf.maximum(tau * e, (tau - 1) * e))
    if spec.head == "softmax":
        return -tf.reduce_mean(tf.reduce_sum(y * tf.math.log(yhat), axis=-1))
    return tf.reduce_mean(tf.square(yhat - y))

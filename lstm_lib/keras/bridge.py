"""Between this project and Keras: reference gradients by TensorFlow's autograd, and weights both ways.

`tf_gradients` writes the equations (1) to (6) once more in TensorFlow, forward only, and lets GradientTape
find the derivatives: the same numbers by a way that shares no line with `cell.py` or `network.py`.

Keras keeps kernel (D, 4H), recurrent_kernel (H, 4H) and bias (4H,) with the gates in the order i, f, c, o
(c is our g); ours are (4H, D), (4H, H), (4H,) in the order f, i, o, g. TensorFlow 1.5's BasicLSTMCell keeps one
kernel (D + H, 4H) in the order i, j, f, o (j is our g) and adds its forget bias at run time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lstm_lib.network.cells import GATES, Array, get_cell
from lstm_lib.network.spec import Params, Spec, check_params

from .backend import keras, tf
from .compiled import KERAS_ORDER

TF15_ORDER = ("i", "g", "f", "o")


def tf_gradients(
    spec: Spec,
    params: Params,
    x: Array,
    y: Array,
    initial: list[tuple[Array, Array]] | None = None,
    also: Collection[str] = (),
) -> tuple[float, Params]:
    """Loss and gradients by TensorFlow's autograd, in the dtype of the parameters.

    Parameters
    ----------
    spec, params, x, initial : as for `lstm_lib.forward`.
    y : targets; mean squared error for the linear head, cross-entropy for the softmax head, with y of the
        forecast's shape.
    also : any of "x", "state" (as `lstm_lib.backward`), "steps": keys "0/z", "0/c", "0/h" … with the
        gradient of every step's pre-activations (T, 4H, B), cell state and output (T, H, B).

    Returns
    -------
    loss, and a dict with the names and shapes of `params`.

    >>> from lstm_lib import init_params
    >>> spec = Spec(1, (2,), 1)
    >>> loss, grads = tf_gradients(spec, init_params(spec), np.ones((1, 3, 1), np.float32), np.ones((1, 1), np.float32))
    >>> grads["0/Wx"].shape
    (8, 1)
    """
    check_params(spec, params)
    watched = {name: tf.constant(p) for name, p in params.items()}
    watched["x"] = tf.constant(x)
    for k, H in enumerate(spec.units):
        h, c = initial[k] if initial is not None else (np.zeros((len(x), H)),) * 2
        watched[f"{k}/h0"], watched[f"{k}/c0"] = (tf.constant(a, x.dtype) for a in (h, c))
    steps: dict[str, list[Any]] = {}
    with tf.GradientTape() as tape:
        tape.watch(list(watched.values()))
        yhat = _tf_forward(spec, watched, steps)
        loss = _tf_loss(spec, yhat, tf.constant(y, x.dtype))
    wanted: dict[str, Any] = {name: watched[name] for name in params}
    if "x" in also:
        wanted["x"] = watched["x"]
    if "state" in also:
        wanted |= {k: v for k, v in watched.items() if k.endswith(("/h0", "/c0"))}
    if "steps" in also:
        wanted |= steps
    found = tape.gradient(loss, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return float(loss), {
        name: np.stack([a.numpy().T for a in g]) if isinstance(g, list) else g.numpy()
        for name, g in found.items()
    }


def _tf_forward(spec: Spec, p: dict[str, Any], steps: dict[str, list[Any]]) -> Any:
    """Equations (1) to (6), batch-first; every z, c and h is kept in `steps`."""
    cell = get_cell(spec.cell)
    act = {gate: {"sigmoid": tf.sigmoid, "tanh": tf.tanh}[getattr(cell, gate)] for gate in GATES}
    below = tf.unstack(p["x"], axis=1)
    for k in range(spec.layers):
        h, c = p[f"{k}/h0"], p[f"{k}/c0"]
        zs, cs, hs = [], [], []
        for x_t in below:
            z = (
                tf.matmul(x_t, p[f"{k}/Wx"], transpose_b=True)
                + tf.matmul(h, p[f"{k}/Wh"], transpose_b=True)
                + p[f"{k}/b"]
            )
            z_f, z_i, z_o, z_g = tf.split(z, 4, axis=1)
            c = act["f"](z_f) * c + act["i"](z_i) * act["g"](z_g)
            h = act["o"](z_o) * tf.tanh(c)
            zs.append(z)
            cs.append(c)
            hs.append(h)
        steps |= {f"{k}/z": zs, f"{k}/c": cs, f"{k}/h": hs}
        below = hs
    top = tf.stack(below, axis=1) if spec.output == "every" else below[-1]
    scores = tf.einsum("...h,oh->...o", top, p["head/W"]) + p["head/b"]
    return tf.nn.softmax(scores) if spec.head == "softmax" else scores


def _tf_loss(spec: Spec, yhat: Any, y: Any) -> Any:
    if yhat.shape != y.shape:
        raise ValueError(f"y has shape {tuple(y.shape)}; expected {tuple(yhat.shape)}")
    if spec.head == "softmax":
        return -tf.reduce_mean(tf.reduce_sum(y * tf.math.log(yhat), axis=-1))
    return tf.reduce_mean(tf.square(yhat - y))


# ------------------------------------------------------------------------------------------------ weights both ways


def _reorder(rows: Array, given: tuple[str, ...], wanted: tuple[str, ...]) -> Array:
    """Row blocks of four gates from one order into another."""
    blocks = dict(zip(given, np.split(rows, 4), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted])


def to_keras(spec: Spec, params: Params) -> keras.Model:
    """A `keras.Sequential` of LSTM layers and a Dense head that computes what `forward` computes.

    Raises ValueError for the brief's cell: keras.layers.LSTM gives i, f and o one activation and g that of
    the output, so o = tanh beside i = σ can't be written with it.

    >>> from lstm_lib import init_params
    >>> spec = Spec(2, (3,), 1)
    >>> model = to_keras(spec, init_params(spec))
    >>> model.output_shape
    (None, 1)
    """
    if spec.cell != "standard":
        raise ValueError(f"keras.layers.LSTM can't express the cell {spec.cell!r}; only 'standard' converts")
    dtype = check_params(spec, params).name
    layers: list[Any] = [keras.Input((None, spec.inputs), dtype=dtype)]
    for k, H in enumerate(spec.units):
        every = k + 1 < spec.layers or spec.output == "every"
        layers.append(keras.layers.LSTM(H, return_sequences=every, dtype=dtype, name=f"lstm_{k}"))
    activation = "softmax" if spec.head == "softmax" else None
    layers.append(keras.layers.Dense(spec.outputs, activation=activation, dtype=dtype, name="head"))
    model = keras.Sequential(layers)
    for k in range(spec.layers):
        Wx, Wh, b = (_reorder(params[f"{k}/{name}"], GATES, KERAS_ORDER) for name in ("Wx", "Wh", "b"))
        model.layers[k].set_weights([Wx.T, Wh.T, b])
    model.layers[-1].set_weights([params["head/W"].T, params["head/b"]])
    return model


def from_keras(model: keras.Model) -> tuple[Spec, Params]:
    """Spec and parameters of a Keras model made of LSTM layers and a Dense head.

    Raises ValueError naming the first layer or setting that this project can't express.

    >>> from lstm_lib import init_params
    >>> spec = Spec(2, (3,), 1)
    >>> params = init_params(spec)
    >>> again, copied = from_keras(to_keras(spec, params))
    >>> again == spec, all(np.array_equal(copied[k], params[k]) for k in params)
    (True, True)
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    *lstms, head = layers or [None]
    for k, layer in enumerate(lstms):
        _check_lstm(layer, k + 1 < len(lstms))
    if not lstms or not isinstance(head, keras.layers.Dense):
        raise ValueError(
            f"expected LSTM layers and a Dense head, got {[type(layer).__name__ for layer in layers]}"
        )
    activation = head.activation.__name__
    if activation not in ("linear", "softmax") or not head.use_bias:
        raise ValueError(
            f"head {head.name!r} has activation {activation!r} and use_bias={head.use_bias}; "
            "expected linear or softmax, with a bias"
        )
    params: Params = {}
    for k, layer in enumerate(lstms):
        for name, weight in zip(("Wx", "Wh", "b"), layer.get_weights(), strict=True):
            params[f"{k}/{name}"] = np.ascontiguousarray(_reorder(weight.T, KERAS_ORDER, GATES))
    W, b = head.get_weights()
    params |= {"head/W": np.ascontiguousarray(W.T), "head/b": b}
    spec = Spec(
        inputs=params["0/Wx"].shape[1],
        units=tuple(layer.units for layer in lstms),
        outputs=head.units,
        head=activation,
        output="every" if lstms[-1].return_sequences else "last",
    )
    return spec, params


def from_tf15(weights: Mapping[str, ArrayLike], forget_bias: float = 1.0) -> tuple[Spec, Params]:
    """Spec and float32 parameters of a TensorFlow 1.x BasicLSTMCell under a dense linear head.

    Parameters
    ----------
    weights : kernel (D + H, 4H), bias (4H,), head_W (H, O), head_b (O,); arrays or nested lists.
    forget_bias : what the cell adds to the forget gate's pre-activation at run time; it is not in `bias`.
        0 for gradients, which have the layout of the weights.

    Raises ValueError when the shapes do not fit each other.

    >>> shapes = {"kernel": (3, 8), "bias": (8,), "head_W": (2, 1), "head_b": (1,)}
    >>> spec, params = from_tf15({name: np.zeros(shape) for name, shape in shapes.items()})
    >>> spec.inputs, spec.units, params["0/b"].tolist()
    (1, (2,), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """
    kernel, bias, W, b = (
        np.asarray(weights[name], "float32") for name in ("kernel", "bias", "head_W", "head_b")
    )
    H, O = np.shape(W)
    D = len(kernel) - H
    if D < 1 or kernel.shape[1:] != (4 * H,) or bias.shape != (4 * H,) or b.shape != (O,):
        raise ValueError(
            f"kernel {kernel.shape}, bias {bias.shape}, head_W {W.shape} and head_b {b.shape} do not fit; "
            "expected (D + H, 4H), (4H,), (H, O) and (O,)"
        )
    rows = _reorder(kernel.T, TF15_ORDER, GATES)
    bias = _reorder(bias, TF15_ORDER, GATES)
    bias[:H] += np.float32(forget_bias)
    params = {"0/Wx": rows[:, :D].copy(), "0/Wh": rows[:, D:].copy(), "0/b": bias}
    return Spec(D, (H,), O), params | {"head/W": W.T.copy(), "head/b": b.copy()}


def _check_lstm(layer: Any, inner: bool) -> None:
    """Refuse what the standard cell doesn't compute."""
    if not isinstance(layer, keras.layers.LSTM):
        raise ValueError(f"layer {layer.name!r} is a {type(layer).__name__}; expected keras.layers.LSTM")
    config = layer.get_config()
    expected = {
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "use_bias": True,
        "go_backwards": False,
        "stateful": False,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "return_state": False,
    } | ({"return_sequences": True} if inner else {})
    for name, value in expected.items():
        if config[name] != value:
            raise ValueError(
                f"layer {layer.name!r} has {name}={config[name]!r}; only {value!r} can be converted"
            )


def batches(x: Array, y: Array, batch: int) -> tf.data.Dataset:
    """Rows in their order as batches for Keras' `fit`, without the pipeline's search for settings of its own.

    Given arrays, `fit` makes a pipeline that a thread tunes after 10, 20, 40, … ms, and with TensorFlow 2.21 the end of
    every epoch was seen to wait until that thread wakes: epochs took 2.6 or 5.2 s, whatever there was to compute.

    Parameters
    ----------
    x : (N, …), y : (N, …); the N rows.
    batch : rows of a batch; the last one has what is left.

    >>> [len(x) for x, _ in batches(np.zeros((5, 3, 1)), np.zeros((5, 1)), 2)]
    [2, 2, 1]
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).with_options(options)

"""Networks to and from Keras, and from TensorFlow 1.5.

Keras keeps of each layer a kernel (D, G·H), a recurrent kernel (H, G·H) and a bias (G·H,), or (2, G·H) where what is
read from x and what is read from h have a bias each. Ours are turned, (G·H, D) and (G·H, H), with two biases "b" and
"bh", and the gates may stand in another order: i, f, g, o in an LSTM of Keras (it calls g c), f, i, o, g here.
TensorFlow 1.5's BasicLSTMCell keeps one kernel (D + H, 4H) in the order i, j, f, o (j is our g) and adds its forget
bias at run time.

Letters: D inputs, H units, G gates, O outputs, N rows of data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lstm_lib.network.cells import CELLS, Array, Cell
from lstm_lib.network.spec import Params, Spec, check_params
from lstm_lib.series import Sequences

from .backend import keras, tf
from .compiled import KERAS_ORDER
from .graphs import chain_of, layers_of

TF15_ORDER = ("i", "g", "f", "o")


class Kind(NamedTuple):
    """How Keras has a cell: the layer, its name in a model, the order of its gates, the arguments that make it."""

    layer: Any
    name: str
    order: Sequence[str]
    arguments: dict[str, Any]


_GATED = {"activation": "tanh", "recurrent_activation": "sigmoid"}
# The cells that Keras has. It gives all gates but g one activation, so that "brief", o = tanh beside i = σ, is none.
KINDS = {
    "standard": Kind(keras.layers.LSTM, "lstm", KERAS_ORDER, _GATED),
    "rnn": Kind(keras.layers.SimpleRNN, "rnn", "g", {"activation": "tanh"}),
    "gru": Kind(keras.layers.GRU, "gru", "zrg", _GATED | {"reset_after": True}),
    "gru_v3": Kind(keras.layers.GRU, "gru", "zrg", _GATED | {"reset_after": False}),
}
# What a layer must not do besides.
PLAIN = {
    "use_bias": True,
    "go_backwards": False,
    "stateful": False,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "return_state": False,
}


def reorder(rows: Array, given: Sequence[str], wanted: Sequence[str]) -> Array:
    """Row blocks of the gates from one order into another."""
    blocks = dict(zip(given, np.split(rows, len(given)), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted])


def to_keras(spec: Spec, params: Params) -> keras.Model:
    """A `keras.Sequential` of recurrent layers and a Dense head that computes what `forward` computes.

    Raises ValueError for a cell that Keras has no layer for, naming those that convert.

    >>> from lstm_lib import init_params
    >>> spec = Spec(2, (3,), 1, cell="gru")
    >>> model = to_keras(spec, init_params(spec))
    >>> model.output_shape, [w.shape for w in model.layers[0].get_weights()]
    ((None, 1), [(2, 9), (3, 9), (2, 9)])
    """
    if spec.cell not in KINDS:
        raise ValueError(
            f"Keras can't express the cell {spec.cell!r}; those that convert are {', '.join(KINDS)}"
        )
    kind, dtype = KINDS[spec.cell], check_params(spec, params).name
    layers: list[Any] = [keras.Input((None, spec.inputs), dtype=dtype)]
    for k, H in enumerate(spec.units):
        every = k + 1 < spec.layers or spec.output == "every"
        arguments = {"return_sequences": every, "dtype": dtype, "name": f"{kind.name}_{k}"}
        layers.append(kind.layer(H, **kind.arguments, **arguments))
    activation = "softmax" if spec.head == "softmax" else None
    layers.append(keras.layers.Dense(spec.outputs, activation=activation, dtype=dtype, name="head"))
    model = keras.Sequential(layers)
    for k in range(spec.layers):
        ours = {matrix: params[f"{k}/{matrix}"] for matrix in spec.row.matrices}
        model.layers[k].set_weights(_in_keras(spec.row, kind, ours))
    model.layers[-1].set_weights([params["head/W"].T, params["head/b"]])
    return model


def _in_keras(cell: Cell, kind: Kind, ours: dict[str, Array]) -> list[Array]:
    """Kernel, recurrent kernel and bias."""
    kernel, recurrent, *biases = (reorder(ours[m], cell.gates, kind.order).T for m in cell.matrices)
    return [kernel, recurrent, np.stack(biases) if len(biases) > 1 else biases[0]]


def _from_keras(cell: Cell, kind: Kind, weights: list[Array]) -> dict[str, Array]:
    """The inverse of `_in_keras`."""
    kernel, recurrent, bias = weights
    biases = bias if bias.ndim > 1 else [bias]
    theirs = dict(zip(cell.matrices, (kernel, recurrent, *biases), strict=True))
    return {name: np.ascontiguousarray(reorder(a.T, kind.order, cell.gates)) for name, a in theirs.items()}


def from_keras(model: keras.Model) -> tuple[Spec, Params]:
    """Spec and parameters of a Keras model made of recurrent layers and a Dense head.

    The layers are keras.layers.LSTM, SimpleRNN or GRU, all of one kind; an `IsolatedLSTM` is an LSTM.

    Raises ValueError naming the first layer or setting that this project can't express, and for a model that has no
    weights yet or is neither Sequential nor functional.

    >>> from lstm_lib import init_params
    >>> spec = Spec(2, (3,), 1)
    >>> params = init_params(spec)
    >>> again, copied = from_keras(to_keras(spec, params))
    >>> again == spec, all(np.array_equal(copied[k], params[k]) for k in params)
    (True, True)
    """
    found = layers_of(model)
    layers, cells = found[:-1], [_cell_of(layer) for layer in found[:-1]]
    if not layers or not isinstance(head := found[-1], keras.layers.Dense):
        names = [type(one).__name__ for one in found]
        raise ValueError(f"expected recurrent layers and a Dense head, got {names}")
    for k, (layer, cell) in enumerate(zip(layers, cells, strict=True)):
        if cell != cells[0]:
            raise ValueError(
                f"layer {layers[0].name!r} has the cell {cells[0]!r}, but layer {layer.name!r} has {cell!r}; "
                "a Spec has one cell"
            )
        _check_layer(layer, cell, inner=k + 1 < len(layers))
    activation = head.activation.__name__
    if activation not in ("linear", "softmax") or not head.use_bias:
        raise ValueError(
            f"head {head.name!r} has activation {activation!r} and use_bias={head.use_bias}; "
            "expected linear or softmax, with a bias"
        )
    params: Params = {}
    for k, layer in enumerate(layers):
        ours = _from_keras(CELLS[cells[0]], KINDS[cells[0]], layer.get_weights())
        params |= {f"{k}/{matrix}": a for matrix, a in ours.items()}
    if [id(one) for one in chain_of(model)] != [id(one) for one in found]:
        raise ValueError(
            f"the layers {[one.name for one in found]} are no chain from the input to the output"
        )
    W, b = head.get_weights()
    params |= {"head/W": np.ascontiguousarray(W.T), "head/b": b}
    inputs, units = params["0/Wx"].shape[1], tuple(layer.units for layer in layers)
    output = "every" if layers[-1].return_sequences else "last"
    return Spec(inputs, units, head.units, cells[0], activation, output), params


def _cell_of(layer: Any) -> str:
    """The cell that a layer computes."""
    for cell, kind in KINDS.items():
        reset_after = kind.arguments.get("reset_after")
        if isinstance(layer, kind.layer) and getattr(layer, "reset_after", None) == reset_after:
            return cell
    known = dict.fromkeys(kind.layer.__name__ for kind in KINDS.values())
    raise ValueError(
        f"layer {layer.name!r} is a {type(layer).__name__}; expected one of {', '.join(known)}, IsolatedLSTM"
    )


def _check_layer(layer: Any, cell: str, inner: bool) -> None:
    """Refuse what the cell doesn't compute; what a layer has no argument for, it doesn't do."""
    config = layer.get_config()
    expected = KINDS[cell].arguments | PLAIN | ({"return_sequences": True} if inner else {})
    for name, value in expected.items():
        if config.get(name, value) != value:
            raise ValueError(
                f"layer {layer.name!r} has {name}={config[name]!r}; only {value!r} can be converted"
            )


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
    rows, bias = (reorder(a, TF15_ORDER, CELLS["standard"].gates) for a in (kernel.T, bias))
    bias[:H] += np.float32(forget_bias)
    params = {"0/Wx": rows[:, :D].copy(), "0/Wh": rows[:, D:].copy(), "0/b": bias}
    return Spec(D, (H,), O), params | {"head/W": W.T.copy(), "head/b": b.copy()}


def batches(x: Array, y: Array, batch: int, weights: Array | None = None) -> tf.data.Dataset:
    """Rows in their order as batches for Keras' `fit`, without the pipeline's search for settings of its own.

    Given arrays, `fit` makes a pipeline that a thread tunes after 10, 20, 40, … ms, and with TensorFlow 2.21 the end of
    every epoch was seen to wait until that thread wakes: epochs took 2.6 or 5.2 s, whatever there was to compute.

    Parameters
    ----------
    x : (N, …), y : (N, …), weights : (N, …), how much each counts; the N rows.
    batch : rows of a batch; the last one has what is left.

    >>> [len(x) for x, _ in batches(np.zeros((5, 3, 1)), np.zeros((5, 1)), 2)]
    [2, 2, 1]
    """
    rows = (x, y) if weights is None else (x, y, weights)
    return _untuned(tf.data.Dataset.from_tensor_slices(rows).batch(batch))


def _untuned(data: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def sequence_batches(part: Sequences, batch: int, seed: int = 0) -> tf.data.Dataset:
    """A part of `lstm_lib.sequences` for Keras' `fit`: x, y and sample weights, laid anew in every epoch.

    The batches are those of `lstm_lib.fit` with this seed; counting epochs starts when this is called. Keras wants as
    many in every epoch, so what a round has beyond the fewest is left out. The weights of a warm-up are 0, the others
    so much above 1 that Keras' mean over all steps is the mean over those that count. For a model that puts out every
    step, such as LSTM(..., return_sequences=True) and Dense: model.fit(data, shuffle=False).

    Parameters
    ----------
    part : such as `split.train`. batch : sequences of a batch; the last one has what is left.

    Returns
    -------
    tf.data.Dataset of x (B, T, D), y (B, T, O), weights (B, T), in the dtype of the part.

    Raises ValueError for streams: a stateful layer of Keras needs batches of one size, and resets by hand.

    >>> from lstm_lib import load_series, sequences
    >>> data = sequence_batches(sequences(load_series("fontana", columns=["power"])).train, 8)
    >>> x, y, weights = next(iter(data))
    >>> x.shape, float(weights[0, 0]), round(float(weights[0, -1]), 3)
    (TensorShape([8, 48, 1]), 0.0, 1.333)
    """
    if part.stateful:
        raise ValueError("a layer of Keras carries no state from batch to batch here; give stateful=False")
    epochs, fewest = count(1), part.fewest()

    def epoch() -> Iterator[tuple[Array, Array, Array]]:
        now, order = part.round(np.random.default_rng([seed, next(epochs)]), batch)
        some = np.concatenate(order)[:fewest]
        for first in range(0, fewest, batch):
            rows = some[first : first + batch]
            weights = now.weights(rows)
            yield (*now.take(rows), weights / weights.mean())

    x, y = part.take(np.arange(1))
    shapes = ((None, *x.shape[1:]), x), ((None, *y.shape[1:]), y), ((None, part.length), x)
    signature = tuple(tf.TensorSpec(shape, a.dtype) for shape, a in shapes)
    data = tf.data.Dataset.from_generator(epoch, output_signature=signature)
    return _untuned(data.apply(tf.data.experimental.assert_cardinality(-(-fewest // batch))))

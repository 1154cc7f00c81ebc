"""Builders shared by the tests of the Keras layer: layers with random non-zero biases, models, their outcome."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, keras, tf
from lstm_lib.keras.compiled import MATRICES, keras_columns

B, T, D, H = 3, 5, 2, 4
SPEC = ll.Spec(D, (H,), 1, output="every")
MIXED = "0/Wh/f[0:3;1,3] | 0/Wx/g | 0/b/o[2]"  # arcs of one matrix, columns of another, one bias
ZONES = ("nothing", MIXED, "0[0,2]", "0[1:3]", "0/Wx", "0/Wh", "0/*/fig", "0/*/o", "everything")
KERAS_SAVES = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # in Keras itself


def weights(rng, dtype="float64"):
    """Kernel, recurrent kernel and bias, the bias not zero."""
    return [(0.6 * rng.standard_normal(s)).astype(dtype) for s in ((D, 4 * H), (H, 4 * H), (4 * H,))]


def twins(rng, dtype="float64", zone=None, depth="skip", **arguments):
    """An IsolatedLSTM and a keras.layers.LSTM with the same weights."""
    ours = IsolatedLSTM(H, zone, depth, dtype=dtype, **arguments)
    theirs = keras.layers.LSTM(H, dtype=dtype, **arguments)
    values = weights(rng, dtype)
    for layer in (ours, theirs):
        layer.build((None, T, D))
        layer.set_weights(values)
    return ours, theirs


def start(rng):
    """Inputs, and a state that is not zero."""
    return rng.standard_normal((B, T, D)), [rng.standard_normal((B, H)) for _ in range(2)]


def outcome(layer, x, states=None, dy=None, **call):
    """Everything that comes out, and the gradients of x, of the states and of the weights."""
    x = tf.constant(x)
    states = None if states is None else [tf.constant(a) for a in states]
    with tf.GradientTape() as tape:
        tape.watch([x, *(states or [])])
        out = tf.nest.flatten(layer(x, initial_state=states, **call))
        rng = np.random.default_rng(9)
        errors = [rng.standard_normal(a.shape) if dy is None else dy for a in out]
        loss = sum(tf.reduce_sum(a * tf.cast(e, a.dtype)) for a, e in zip(out, errors, strict=True))
    found = tape.gradient(loss, [x, *(states or []), *layer.trainable_weights])
    return [a.numpy() for a in (*out, *found)]


def model_of(*layers):
    return keras.Sequential([keras.Input((T, D)), *layers])


def data(rng, n=12):
    x = rng.standard_normal((n, T, D)).astype("float32")
    return x, x[:, -1, :1] - x[:, 0, 1:]


def in_keras(zone, name):
    """The mask of a parameter in the layout of Keras."""
    return zone.mask(name)[keras_columns(zone.spec.units[0])].T


def arcs_of(layer):
    """The values of the isolated arcs, and of the active ones."""
    masks = [in_keras(layer.zone, name) for name in MATRICES.values()]
    pairs = list(zip(layer.get_weights(), masks, strict=True))
    return np.concatenate([w[m] for w, m in pairs]), np.concatenate([w[~m] for w, m in pairs])


MASK = np.array([[0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 1, 1, 0]], bool)


def in_matrices(layer, found):
    """The gradients of a layer's active arcs in matrices, 0 for the isolated ones."""
    values, full = iter(found), []
    for matrix, split in layer.arcs.splits.items():
        parts = {kind: np.zeros(shape) for kind, shape in split.shapes.items()}
        if "active" in parts:
            parts["active"] = next(values)
        full.append(layer.arcs.join(matrix, parts))
    return full


def trained(rng):
    model = model_of(keras.layers.LSTM(H, name="lstm"), keras.layers.Dense(1))
    model.layers[0].set_weights(weights(rng, "float32"))
    return model


def moments(model, layer):
    """The first moments of the layer's active arcs as matrices, NaN for isolated ones."""
    own, found = layer.arcs.active(), {}
    for v, slot in zip(model.optimizer._trainable_variables, model.optimizer._momentums, strict=True):
        if id(v) in own:
            matrix = own[id(v)]
            split = layer.arcs.splits[matrix]
            parts = {kind: np.full(shape, np.nan, "float32") for kind, shape in split.shapes.items()}
            parts["active"] = np.asarray(slot)
            found[matrix] = layer.arcs.join(matrix, parts)
    return found


def compiled(rng, zone, depth="skip", optimizer=None, kind=IsolatedLSTM, eager=True):
    """A small model; run eagerly where no graph is asked for, since tracing takes most of a test's time."""
    layer = kind(H, zone, depth, name="lstm")
    model = model_of(layer, keras.layers.Dense(1))
    model.compile(optimizer or keras.optimizers.Adam(0.01), "mse", run_eagerly=eager, jit_compile=False)
    layer.set_weights(weights(rng, "float32"))
    return model, layer


ONE = ll.Spec(D, (H,), 3)

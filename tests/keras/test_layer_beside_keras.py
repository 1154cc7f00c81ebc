"""IsolatedLSTM beside keras.layers.LSTM: outputs, gradients, first weights, losses; compiled by XLA."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_lib.keras import IsolatedLSTM, keras, tf
from lstm_lib.keras.compiled import MATRICES
from tests.cases import identical, same
from tests.keras.layer_cases import (
    MASK,
    MIXED,
    B,
    D,
    H,
    T,
    in_keras,
    outcome,
    start,
    twins,
    weights,
)

ARGUMENTS = {
    "plain": {},
    "sequences": {"return_sequences": True},
    "state": {"return_state": True},
    "both": {"return_sequences": True, "return_state": True},
    "backwards": {"go_backwards": True},
    "backwards, sequences": {"go_backwards": True, "return_sequences": True},
    "zeros": {"zero_output_for_mask": True, "return_sequences": True, "return_state": True},
    "zeros, last": {"zero_output_for_mask": True},
    "dropout": {"dropout": 0.4, "seed": 3},
}


@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_with_nothing_isolated_it_is_the_layer_of_keras(rng, arguments, mask):
    """Outputs and all gradients, from a state that is not zero; twice, since a second call must not differ."""
    ours, theirs = twins(rng, **arguments)
    x, states = start(rng)
    for _ in range(2):
        call = {"mask": None if mask is None else tf.constant(mask), "training": True}
        for a, b in zip(*(outcome(one, x, states, **call) for one in (ours, theirs)), strict=True):
            same(a, b, 1e-11)


def test_without_a_state_it_starts_from_zero_in_float32_too(rng):
    ours, theirs = twins(rng, "float32", return_sequences=True)
    x = rng.standard_normal((B, T, D)).astype("float32")
    for a, b in zip(outcome(ours, x), outcome(theirs, x), strict=True):
        assert a.dtype == b.dtype == np.float32
        same(a, b, 1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"unit_forget_bias": False, "bias_initializer": "ones"},
        {"bias_initializer": "random_normal"},
        {"kernel_initializer": "he_normal", "recurrent_initializer": "glorot_normal"},
    ],
)
def test_the_same_seed_draws_the_weights_of_keras(arguments):
    drawn = []
    for kind in (IsolatedLSTM, keras.layers.LSTM):
        keras.utils.set_random_seed(5)
        layer = kind(H, **arguments)
        layer.build((None, T, D))
        drawn.append(layer.get_weights())
    for a, b in zip(*drawn, strict=True):
        identical(a, b)


def test_an_activity_regularizer_adds_to_the_loss(rng):
    ours, theirs = twins(rng, "float32", activity_regularizer="l2")
    x = rng.standard_normal((B, T, D)).astype("float32")
    ours(x), theirs(x)
    assert float(ours.losses[0]) == pytest.approx(float(theirs.losses[0]), rel=1e-5)
    assert float(ours.losses[0]) > 0
    again = IsolatedLSTM.from_config(ours.get_config())
    assert again.activity_regularizer.get_config() == ours.activity_regularizer.get_config()


def penalised(zone):
    return IsolatedLSTM(
        H, zone, kernel_regularizer="l2", recurrent_regularizer=keras.regularizers.L1(0.1),
        bias_regularizer=keras.regularizers.L1L2(0.1, 0.2),
    )  # fmt: skip


def test_regularizers_sum_over_active_arcs(rng):
    """With nothing isolated those are the losses of Keras; a zone takes its arcs out."""
    values = weights(rng, "float32")
    dense, part = penalised(None), penalised(MIXED)
    theirs = keras.layers.LSTM.from_config(
        {k: v for k, v in dense.get_config().items() if k not in ("zone", "depth", "span")}
    )
    for layer in (dense, part, theirs):
        layer.build((None, T, D))
        layer.set_weights(values)
    assert [float(a) for a in dense.losses] == pytest.approx([float(a) for a in theirs.losses], rel=1e-6)
    active = [w[~in_keras(part.zone, name)] for w, name in zip(values, MATRICES.values(), strict=True)]
    kernel, recurrent, bias = active
    expected = [
        0.01 * (kernel**2).sum(), 0.1 * abs(recurrent).sum(), 0.1 * abs(bias).sum() + 0.2 * (bias**2).sum()
    ]  # fmt: skip
    assert [float(a) for a in part.losses] == pytest.approx(expected, rel=1e-5)
    part.set_zone(None)
    assert [float(a) for a in part.losses] == pytest.approx([float(a) for a in theirs.losses], rel=1e-6)


# Sizes around the widths of vectors. An earlier form of the loop was compiled wrongly by XLA at (4, 5) in float64.
SIZES = [(1, 6, 1, 1), (4, 6, 3, 5), (3, 1, 2, 7), (5, 9, 1, 8), (7, 4, 5, 17)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_xla_computes_what_tensorflow_does(rng, size):
    batch, steps, inputs, units = size
    kept = tf.constant(rng.random((batch, steps)) < 0.8)
    arrays = [rng.standard_normal(s) for s in ((batch, steps, inputs), (batch, units), (batch, units))]
    zone = None if units == 1 else f"0[0,{units - 1}] | 0/Wh/f[:;0]"
    layer = IsolatedLSTM(units, zone, "cut", 4, return_sequences=True, dtype="float64")
    layer.build((None, steps, inputs))

    def gradients(mask, x, h, c):
        with tf.GradientTape() as tape:
            tape.watch([x, h, c])
            loss = tf.reduce_sum(tf.sin(layer(x, initial_state=[h, c], mask=mask)))
        return [loss, *tape.gradient(loss, [x, h, c, *layer.trainable_weights])]

    given = kept if batch % 2 else None, *(tf.constant(a) for a in arrays)
    for a, b in zip(tf.function(gradients, jit_compile=True)(*given), gradients(*given), strict=True):
        same(a.numpy(), b.numpy(), 1e-11)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
def test_under_tf_function_with_unknown_batch_and_steps(rng, jit):
    ours, theirs = twins(rng, return_sequences=True)

    @tf.function(input_signature=[tf.TensorSpec((None, None, D), tf.float64)], jit_compile=jit)
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(ours(x)))
        return loss, tape.gradient(loss, ours.trainable_weights)

    for batch, steps in ((2, 4), (3, 7)):
        x = rng.standard_normal((batch, steps, D))
        with tf.GradientTape() as tape:
            expected = tf.reduce_sum(tf.sin(theirs(x)))
        loss, found = gradients(x)
        assert float(loss) == pytest.approx(float(expected), rel=1e-12)
        for a, b in zip(found, tape.gradient(expected, theirs.trainable_weights), strict=True):
            same(a.numpy(), b.numpy(), 1e-11)

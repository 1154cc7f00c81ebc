"""Isolated arcs stay as they are, whatever Keras does to variables."""

from __future__ import annotations

import pytest

from lstm_lib.keras import IsolatedLSTM, keras
from tests.cases import identical, same
from tests.keras.layer_cases import (
    MIXED,
    D,
    H,
    T,
    arcs_of,
    data,
    model_of,
    twins,
    weights,
)

OPTIMIZERS = {
    "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "decay in Adam": lambda: keras.optimizers.Adam(0.01, weight_decay=0.1),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "clipnorm": lambda: keras.optimizers.Adam(0.01, clipnorm=0.01),
    "global_clipnorm": lambda: keras.optimizers.SGD(0.5, global_clipnorm=0.01),
    "clipvalue": lambda: keras.optimizers.SGD(0.05, clipvalue=0.01),
    "EMA": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_isolated_arcs_are_bit_identical_whatever_the_optimiser_does(rng, optimizer):
    layer = IsolatedLSTM(H, MIXED)
    model = model_of(layer, keras.layers.Dense(1))
    model.compile(optimizer(), "mse", run_eagerly=True)
    layer.set_weights(weights(rng, "float32"))
    isolated, active = arcs_of(layer)
    model.fit(*data(rng), batch_size=4, epochs=2, verbose=0)
    after = arcs_of(layer)
    identical(after[0], isolated)
    assert (after[1] != active).all()


def test_so_they_are_with_xla_and_a_warm_optimiser(rng):
    layer = IsolatedLSTM(H)
    model = model_of(layer, keras.layers.Dense(1))
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), "mse", jit_compile=True)
    x, y = data(rng, 8)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)  # the moments of all arcs are warm
    layer.set_zone("0/Wh/f | 0[1]", depth="cut", model=model)
    isolated, active = arcs_of(layer)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    after = arcs_of(layer)
    identical(after[0], isolated)
    assert (after[1] != active).all()


def test_a_model_trains_as_with_the_layer_of_keras(rng):
    pair = twins(rng, "float32")
    x, y = data(rng)
    losses = []
    for layer in pair:
        keras.utils.set_random_seed(1)
        model = model_of(layer, keras.layers.Dense(1))
        model.compile(keras.optimizers.AdamW(0.01, clipnorm=0.5), "mse", jit_compile=False)
        losses.append(model.fit(x, y, batch_size=4, epochs=3, verbose=0, shuffle=False).history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for a, b in zip(pair[0].get_weights(), pair[1].get_weights(), strict=True):
        same(a, b, 1e-3)


def test_trainable_false_holds_all_of_it():
    layer = IsolatedLSTM(H, "0/Wh")
    layer.build((None, T, D))
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.set_zone("0/Wx")
    assert layer.trainable_weights == []
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["recurrent_kernel", "bias"]


def test_without_dropout_its_variables_are_its_weights():
    layer = IsolatedLSTM(H, "0/Wh/f")
    layer.build((None, T, D))
    assert list(map(id, layer.variables)) == list(map(id, layer.weights))


def test_the_summary_counts_active_and_isolated_arcs():
    model = model_of(IsolatedLSTM(H, "0/Wh/f[0:2] | 0/b"), keras.layers.Dense(1))
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    text, total, isolated = "\n".join(lines), 4 * H * (D + H + 1) + H + 1, 2 * H + 4 * H
    for words in (
        f"Total params: {total} ",
        f"Trainable params: {total - isolated} ",
        f"Non-trainable params: {isolated} ",
    ):
        assert words in text

"""isolate_layer: a layer of a model swapped and swapped back."""

from __future__ import annotations

import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, isolate_layer, keras
from tests.cases import identical, same
from tests.keras.layer_cases import (
    MIXED,
    SPEC,
    D,
    H,
    T,
    data,
    model_of,
    trained,
)


@keras.saving.register_keras_serializable("tests")
class Around(keras.layers.Wrapper):
    """Hides a layer."""

    def call(self, x):
        return self.layer(x)

    def compute_output_shape(self, shape):
        return self.layer.compute_output_shape(shape)


def test_a_layer_is_swapped_and_swapped_back(rng):
    model, x = trained(rng), data(rng)[0]
    part = isolate_layer(model, "lstm", MIXED, "cut", 3)
    layer = part.get_layer("lstm")
    assert isinstance(layer, IsolatedLSTM)
    assert (layer.depth, layer.span, layer.zone.size) == ("cut", 3, ll.read_zone(SPEC, MIXED).size)
    assert isinstance(isolate_layer(part, "lstm", "0/Wh").get_layer("lstm"), IsolatedLSTM)
    back = isolate_layer(part, "lstm", None)
    assert type(back.get_layer("lstm")) is keras.layers.LSTM
    assert back.get_layer("lstm").get_config() == model.get_layer("lstm").get_config()
    for a, b in zip(back.get_weights(), model.get_weights(), strict=True):
        identical(a, b)
    same(part(x).numpy(), model(x).numpy(), 1e-5)


def test_the_copy_is_compiled_as_the_model_was_with_a_fresh_optimiser(rng):
    model = trained(rng)
    model.compile(keras.optimizers.AdamW(0.02, clipnorm=0.5), "mae", run_eagerly=True)
    model.fit(*data(rng), verbose=0)
    part = isolate_layer(model, "lstm", MIXED)
    assert part.optimizer is not model.optimizer
    assert part.optimizer.clipnorm == 0.5
    assert float(part.optimizer.learning_rate) == pytest.approx(0.02)
    assert (int(model.optimizer.iterations), int(part.optimizer.iterations)) == (1, 0)
    before = model.get_weights()
    part.fit(*data(rng), verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        identical(a, b)


def test_a_layer_is_swapped_in_a_model_within_a_functional_model(rng):
    inner, inputs = trained(rng), keras.Input((T, D))
    model = keras.Model(inputs, keras.layers.Dense(2)(inner(inputs)))
    part = isolate_layer(model, "lstm", "0/Wh")
    x, _ = data(rng)
    same(part(x).numpy(), model(x).numpy(), 1e-5)
    assert [type(one).__name__ for one in part._flatten_layers()].count("IsolatedLSTM") == 1
    assert [type(one).__name__ for one in model._flatten_layers()].count("IsolatedLSTM") == 0


@pytest.mark.parametrize(
    ("layer", "name", "message"),
    [
        (lambda: keras.layers.LSTM(H, name="a"), "b", r"no layer 'b' in the model; its LSTM layers are a"),
        (lambda: keras.layers.GRU(H, name="a"), "b", r"its LSTM layers are none"),
        (lambda: keras.layers.GRU(H, name="a"), "a", r"layer 'a' is a GRU; expected a keras.layers.LSTM"),
        (lambda: keras.layers.LSTM(H, name="a", use_bias=False), "a", r"has use_bias=False"),
        (
            lambda: Around(keras.layers.LSTM(H, name="a")),
            "a",
            r"wraps it and is no Bidirectional",
        ),
    ],
)
def test_isolate_layer_refuses(layer, name, message):
    with pytest.raises(ValueError, match=message):
        isolate_layer(model_of(layer(), keras.layers.Dense(1)), name, "0/Wh")


@pytest.mark.parametrize("side", ["forward", "backward"])
def test_one_direction_of_a_bidirectional_is_swapped_and_swapped_back(rng, side):
    model = model_of(keras.layers.Bidirectional(keras.layers.LSTM(H, name="a")), keras.layers.Dense(1))
    part = isolate_layer(model, f"{side}_a", "0/Wh", "cut", 3)
    kinds = {"forward": "LSTM", "backward": "LSTM"} | {side: "IsolatedLSTM"}
    both = part.layers[0]
    assert [type(one).__name__ for one in (both.forward_layer, both.backward_layer)] == list(kinds.values())
    x = data(rng)[0]
    same(part(x).numpy(), model(x).numpy(), 1e-5)
    back = isolate_layer(part, f"{side}_a", None)
    assert back.layers[0].get_config() == model.layers[0].get_config()
    for a, b in zip(back.get_weights(), model.get_weights(), strict=True):
        identical(a, b)


def test_a_decoder_that_starts_from_states_is_swapped(rng):
    source, target = keras.Input((T, D)), keras.Input((3, D))
    _, h, c = keras.layers.LSTM(H, return_state=True)(source)
    out = keras.layers.LSTM(H, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    model = keras.Model([source, target], keras.layers.Dense(1)(out))
    part, x = isolate_layer(model, "decoder", "0/Wx"), data(rng)[0]
    same(part([x, x[:, :3]]).numpy(), model([x, x[:, :3]]).numpy(), 1e-5)
    assert isinstance(part.get_layer("decoder"), IsolatedLSTM)


def test_isolate_layer_refuses_a_model_without_weights():
    with pytest.raises(ValueError, match="layer 'a' has no weights yet; build the model first"):
        isolate_layer(keras.Sequential([keras.layers.LSTM(H, name="a")]), "a", "0/Wh")

"""isolate_layer: a layer of a model swapped and swapped back."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, isolate_layer, keras, tf
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


def pinball(y, yhat):
    return keras.ops.mean(keras.ops.maximum(0.9 * (y - yhat), 0.1 * (yhat - y)))


@pytest.mark.parametrize("loss", [pinball, lambda y, yhat: pinball(y, yhat)])
def test_a_copy_is_compiled_with_ones_own_loss_and_metrics(rng, loss):
    model = trained(rng)
    model.compile("sgd", loss, metrics=[loss, keras.metrics.MeanAbsoluteError()], run_eagerly=True)
    part = isolate_layer(model, "lstm", MIXED)
    assert model.compiled
    assert part.loss is loss
    x, y = data(rng)
    same(part.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), 1e-5)
    part.fit(x, y, verbose=0)
    same(isolate_layer(part, "lstm", None).evaluate(x, y, verbose=0), part.evaluate(x, y, verbose=0), 1e-5)


L = keras.layers


def adapted(layer, x):
    layer.adapt(x)
    return layer


@pytest.mark.parametrize("within", [False, True])
def test_a_copy_has_what_a_layer_found_in_the_data(rng, within):
    """By itself, and in a model within the model."""
    x = data(rng)[0]
    norm = adapted(L.Normalization(), 5 * x + 3)
    below = keras.Sequential([keras.Input((T, D)), norm]) if within else norm
    model = model_of(below, L.LSTM(H, name="lstm"), L.BatchNormalization(), L.Dense(1))
    for one in model.layers[1:]:
        one.set_weights([0.5 + rng.random(w.shape) for w in one.get_weights()])
    part = isolate_layer(model, "lstm", MIXED)
    back = isolate_layer(part, "lstm", None)
    same(part(x).numpy(), model(x).numpy(), 1e-5)
    identical(back(x).numpy(), model(x).numpy())


LOOKUPS = {
    "IntegerLookup": (lambda: L.IntegerLookup(), np.array([3, 5, 8]), np.array([[5], [8], [7]])),
    "StringLookup": (lambda: L.StringLookup(), ["a", "b"], None),
    "Discretization": (lambda: L.Discretization(num_bins=3), np.arange(9.0), np.array([[0.5], [4.0], [8.5]])),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_copy_has_a_vocabulary(rng, name):
    make, seen, given = LOOKUPS[name]
    lookup = adapted(make(), seen)
    kind = {"IntegerLookup": "int64", "StringLookup": "string", "Discretization": "float32"}[name]
    sequence, category = keras.Input((T, D)), keras.Input((1,), dtype=kind)
    beside = L.Flatten()(L.Embedding(9, 2)(lookup(category)))
    both = L.Concatenate()([L.LSTM(H, name="lstm")(sequence), beside])
    model = keras.Model([sequence, category], L.Dense(1)(both))
    given = tf.constant([["b"], ["a"], ["c"]] if given is None else given)
    part, x = isolate_layer(model, "lstm", "0/Wh"), tf.constant(data(rng, 3)[0])
    same(part([x, given]).numpy(), model([x, given]).numpy(), 1e-5)


def test_two_layers_of_one_name_are_refused():
    inner = keras.Sequential([keras.Input((T, H)), L.LSTM(H, name="a")])
    model = model_of(L.LSTM(H, name="a", return_sequences=True), inner, L.Dense(1))
    with pytest.raises(ValueError, match="2 layers of the model are called 'a'; give each a name of its own"):
        isolate_layer(model, "a", "0/Wh")


def test_a_model_of_ones_own_class_is_refused():
    class Own(keras.Model):
        pass

    with pytest.raises(
        ValueError, match=r"Sequential or functional model, got a Own.*put an IsolatedLSTM where"
    ):
        isolate_layer(Own(), "a", "0/Wh")


def test_a_layer_in_a_time_distributed_is_swapped_and_swapped_back(rng):
    model = keras.Sequential(
        [keras.Input((2, T, D)), L.TimeDistributed(L.LSTM(H, name="a")), L.Flatten(), L.Dense(1)]
    )
    part, x = isolate_layer(model, "a", "0/Wh", "cut"), rng.standard_normal((3, 2, T, D)).astype("float32")
    assert isinstance(part.layers[0].layer, IsolatedLSTM)
    same(part(x).numpy(), model(x).numpy(), 1e-5)
    identical(isolate_layer(part, "a", None)(x).numpy(), model(x).numpy())


def test_under_mixed_precision_it_says_what_to_do():
    model = model_of(L.LSTM(H, name="a", dtype="mixed_float16"), L.Dense(1))
    with pytest.raises(
        ValueError, match=r"'mixed_float16'; only .* a dtype of its own: LSTM\(..., dtype=\"float32\"\)"
    ):
        isolate_layer(model, "a", "0/Wh")

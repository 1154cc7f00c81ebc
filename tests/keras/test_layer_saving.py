"""IsolatedLSTM saved, exported, cloned, stacked, in both directions; its weights given and taken."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, Isolation, keras, tf
from tests.cases import identical, same
from tests.keras.layer_cases import (
    KERAS_SAVES,
    MIXED,
    ZONES,
    D,
    H,
    T,
    arcs_of,
    compiled,
    data,
    model_of,
    weights,
)


@KERAS_SAVES
def test_saved_and_loaded_it_goes_on_as_if_nothing_had_been(rng, tmp_path):
    x, y = data(rng)
    layer = IsolatedLSTM(H, MIXED, "cut", 3, name="lstm", seed=1, zero_output_for_mask=True)
    model = model_of(keras.layers.Masking(), layer, keras.layers.Dense(1))
    model.compile("adam", "mse", jit_compile=False)
    layer.set_zone("0[0,2]", model=model)
    model.fit(x, y, batch_size=6, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = loaded.get_layer("lstm")
    assert (str(again.zone), again.depth, again.span) == ("0[0,2]", "cut", 3)
    assert again.get_config() == layer.get_config()
    for one in (model, loaded):
        one.fit(x, y, batch_size=6, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        identical(a, b)


@KERAS_SAVES
def test_weights_load_into_a_layer_with_another_zone(rng, tmp_path):
    one, other = (
        model_of(IsolatedLSTM(H, zone, name="lstm"), keras.layers.Dense(1, name="d"))
        for zone in (MIXED, "0/Wx")
    )
    one.layers[0].set_weights(weights(rng, "float32"))
    one.save_weights(tmp_path / "some.weights.h5")
    other.load_weights(tmp_path / "some.weights.h5")
    for a, b in zip(one.layers[0].get_weights(), other.layers[0].get_weights(), strict=True):
        identical(a, b)


@pytest.mark.parametrize("zone", [None, MIXED])
def test_exported_it_serves_the_same(rng, tmp_path, zone):
    model, _ = compiled(rng, zone)
    model.export(tmp_path / "served", verbose=False)
    x, _ = data(rng)
    served = tf.saved_model.load(tmp_path / "served")  # it goes with its variables when nobody holds it
    same(np.asarray(served.serve(x)), np.asarray(model(x)), 1e-6)


def test_clone_model_makes_the_same_layer(rng):
    model = model_of(IsolatedLSTM(H, MIXED, "cut", 2), keras.layers.Dense(1))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert clone.layers[0].zone == model.layers[0].zone
    assert (clone.layers[0].depth, clone.layers[0].span) == ("cut", 2)
    x, _ = data(rng)
    identical(clone(x).numpy(), model(x).numpy())


def test_weights_are_in_the_layout_of_keras_whatever_the_zone(rng):
    values = weights(rng, "float32")
    for zone in ZONES:
        layer = IsolatedLSTM(H, zone)
        assert layer.get_weights() == []
        layer.build((None, T, D))
        layer.set_weights(values)
        for a, b in zip(layer.get_weights(), values, strict=True):
            identical(a, b)


def test_stacked_and_in_both_directions_behind_a_mask(rng):
    """Against the same model of keras.layers.LSTM: outputs, and after training."""
    x, y = data(rng)
    x[:4, -2:] = 0
    ours, theirs = (
        model_of(
            keras.layers.Masking(),
            kind(H, return_sequences=True),
            keras.layers.Bidirectional(kind(3)),
            keras.layers.Dense(1),
        )
        for kind in (IsolatedLSTM, keras.layers.LSTM)
    )
    for a, b in zip(ours.layers, theirs.layers, strict=True):
        b.set_weights(a.get_weights())
    same(ours(x).numpy(), theirs(x).numpy(), 1e-5)
    for model in (ours, theirs):
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
        model.fit(x, y, batch_size=6, epochs=2, verbose=0, shuffle=False)
    same(ours(x).numpy(), theirs(x).numpy(), 1e-4)


def test_both_directions_and_the_layer_above_keep_their_zones(rng):
    both = keras.layers.Bidirectional(IsolatedLSTM(H, "0/Wh", "cut", return_sequences=True))
    model = model_of(both, IsolatedLSTM(3, "0[0]"), keras.layers.Dense(1))
    model.compile(keras.optimizers.AdamW(0.01), "mse", run_eagerly=True)
    layers = both.forward_layer, both.backward_layer, model.layers[1]
    before = [arcs_of(one)[0] for one in layers]
    model.fit(*data(rng), verbose=0)
    for one, values in zip(layers, before, strict=True):
        assert one.zone.size > 0
        identical(arcs_of(one)[0], values)


def test_states_go_from_an_encoder_to_a_decoder(rng):
    source, target = keras.Input((T, D)), keras.Input((3, D))
    _, h, c = IsolatedLSTM(H, "0/b", return_state=True)(source)
    out = IsolatedLSTM(H, "0/Wx", return_sequences=True)(target, initial_state=[h, c])
    model = keras.Model([source, target], keras.layers.Dense(1)(out))
    assert model.output_shape == (None, 3, 1)
    model.compile("adam", "mse", run_eagerly=True)
    x, _ = data(rng)
    before = model.get_weights()
    model.fit([x, x[:, :3]], x[:, :3, :1], verbose=0)
    for v, a, b in zip(model.weights, before, model.get_weights(), strict=True):
        assert np.array_equal(a, b) != v.trainable, v.path


def test_weights_of_a_model_at_one_zone_are_refused_at_another(rng):
    """Also where all variables have the same shapes: as EarlyStopping would put them back, into other arcs."""
    model, layer = compiled(rng, "0[0,2]", "cut")
    values, counted = model.get_weights(), model.count_params()
    assert counted == sum(v.size for v in values) == 4 * H * (D + H + 1) + H + 1
    model.set_weights(values)
    layer.set_zone("0[1,3]", model=model)
    shapes = [[v.shape for v in some if v.size] for some in (model.get_weights(), values)]
    assert shapes[0] == shapes[1]
    with pytest.raises(ValueError, match="shape"):
        model.set_weights(values)
    layer.set_zone("0[0,2]", model=model)
    model.set_weights(values)


@pytest.mark.parametrize("first", [True, False])
def test_early_stopping_puts_the_best_weights_back_into_their_arcs(rng, first):
    model, layer = compiled(rng, None)
    x, y = data(rng)
    best = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    plans = ll.schedules.redraw(ll.Spec(D, (H,), 1), 0.5, seed=1)
    callbacks = [Isolation("lstm", ll.schedules.from_epoch(2, plans)), best]
    callbacks = callbacks if first else callbacks[::-1]
    told = {"epochs": 5, "verbose": 0, "validation_data": (x, -y), "callbacks": callbacks}
    history = model.fit(x, y, **told).history
    assert len(history["loss"]) == 3
    assert str(layer.zone) == "nothing"  # of the best epoch, the first
    assert model.evaluate(x, -y, verbose=0) == pytest.approx(min(history["val_loss"]), rel=1e-5)


@KERAS_SAVES
def test_a_checkpoint_does_so_at_any_zone(rng, tmp_path):
    model, layer = compiled(rng, "0[0,2]", "cut")
    values = layer.get_weights()
    model.save_weights(tmp_path / "best.weights.h5")
    layer.set_zone("0[1,3]", model=model)
    layer.set_weights([np.zeros_like(w) for w in values])
    model.load_weights(tmp_path / "best.weights.h5")
    for a, b in zip(layer.get_weights(), values, strict=True):
        identical(a, b)


@KERAS_SAVES
def test_what_surrounds_it_is_quantized_and_it_stays_as_it_is(rng):
    """As keras.layers.LSTM, which has no smaller numbers either."""
    model, layer = compiled(rng, MIXED)
    before, zone = layer.get_weights(), layer.zone
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        model.quantize("int8")
    assert model.layers[-1].dtype_policy.name == "int8_from_float32" and layer.zone == zone
    for a, b in zip(layer.get_weights(), before, strict=True):
        identical(a, b)
    assert model.predict(data(rng)[0], verbose=0).shape == (12, 1)

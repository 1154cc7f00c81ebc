"""A training loop of one's own, a strategy, XLA: a zone that changes where Keras's `fit` is not alone at work."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, Isolation, keras, tf
from tests.cases import identical
from tests.keras.layer_cases import H, arcs_of, compiled, data, model_of, weights


def uncompiled(rng, zone=None):
    layer = IsolatedLSTM(H, zone, name="lstm")
    model = model_of(layer, keras.layers.Dense(1))
    layer.set_weights(weights(rng, "float32"))
    return model, layer


def steps(model, optimizer, x, y, graph, times=3):
    """Train; returns the last loss."""

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    one = tf.function(step) if graph else step
    return [float(one()) for _ in range(times)][-1]


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("zone", ["0[1,3]", "0/Wh"])
def test_ones_own_optimiser_is_carried_over(rng, graph, zone):
    """As the same training by `fit`, whose optimiser is known to be."""
    x, y = data(rng)
    seeds = np.random.default_rng(4), np.random.default_rng(4)
    (model, layer), (other, its) = uncompiled(seeds[0], "0[0,2]"), compiled(seeds[1], "0[0,2]")
    other.layers[-1].set_weights(model.layers[-1].get_weights())
    optimizer = keras.optimizers.Adam(0.01)
    steps(model, optimizer, x, y, graph)
    other.fit(x, y, epochs=3, verbose=0)
    anew = layer.set_zone(zone, model=model, optimizer=optimizer)
    assert anew is (zone == "0/Wh")
    its.set_zone(zone, model=other)
    isolated = arcs_of(layer)[0]
    steps(model, optimizer, x, y, graph)
    other.fit(x, y, epochs=3, verbose=0)
    identical(arcs_of(layer)[0], isolated)
    assert int(optimizer.iterations) == 6
    for a, b in zip(layer.get_weights(), its.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("zone", ["0[1,3]", "0/Wh"])
def test_without_the_optimiser_an_old_one_notices(rng, zone):
    x, y = data(rng)
    model, layer = uncompiled(rng, "0[0,2]")
    optimizer = keras.optimizers.Adam(0.01)
    steps(model, optimizer, x, y, graph=True)
    assert layer.set_zone(zone, model=model)
    with pytest.raises(ValueError, match=r"(?s)Unknown variable.*recreate a new optimizer"):
        steps(model, optimizer, x, y, graph=False)
    isolated = arcs_of(layer)[0]
    steps(model, keras.optimizers.Adam(0.01), x, y, graph=True)
    identical(arcs_of(layer)[0], isolated)


def test_a_model_that_was_never_compiled_changes_its_zone_after_predict(rng):
    model, layer = uncompiled(rng)
    x, _ = data(rng)
    before = model.predict(x, verbose=0)
    assert layer.set_zone("0/Wh", model=model)
    np.testing.assert_allclose(model.predict(x, verbose=0), before, atol=1e-6)


def test_an_optimiser_that_is_none_of_the_models_is_refused(rng):
    x, y = data(rng)
    (model, layer), (other, _) = uncompiled(rng, "0/b"), uncompiled(rng)
    optimizer = keras.optimizers.Adam(0.01)
    steps(other, optimizer, x, y, graph=False, times=1)
    with pytest.raises(ValueError, match=r"the optimiser 'adam.*' has no variable of layer 'lstm'"):
        layer.set_zone("0/Wh", model=model, optimizer=optimizer)
    with pytest.raises(ValueError, match="give the model that the optimiser trains too"):
        layer.set_zone("0/Wh", optimizer=optimizer)
    compiled_one, its = compiled(rng, None)
    with pytest.raises(ValueError, match="is compiled, with an optimiser of its own: leave optimizer out"):
        its.set_zone("0/Wh", model=compiled_one, optimizer=optimizer)
    assert str(layer.zone) == "0/b"


def follow(layer, moment):
    return ("0[0,2]", "0[1,3]", "0/Wx")[moment.epoch - 1]


def test_a_zone_changes_under_a_mirrored_strategy(rng):
    x, y = data(rng)
    losses = []
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        mirrored = compiled(np.random.default_rng(4), "0/b", eager=False)
    for model, layer in (mirrored, compiled(np.random.default_rng(4), "0/b")):
        model.layers[-1].set_weights([np.full((H, 1), 0.3, "float32"), np.zeros(1, "float32")])
        told = {"epochs": 3, "verbose": 0, "shuffle": False, "callbacks": [Isolation("lstm", follow)]}
        losses.append(model.fit(x, y, **told).history["loss"])
        isolated = arcs_of(layer)[0]
        model.fit(x, y, verbose=0)
        identical(arcs_of(layer)[0], isolated)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_strategy_under_which_no_zone_can_change_is_refused_before_the_first_step(rng):
    model, layer = compiled(rng, "0/b")
    model._distribute_strategy = tf.distribute.experimental.CentralStorageStrategy(["CPU:0"])
    message = "CentralStorageStrategy; a zone can change under MirroredStrategy and OneDeviceStrategy alone"
    with pytest.raises(ValueError, match=message):
        layer.set_zone("0/Wh", model=model)
    callback = Isolation("lstm", follow)
    callback.set_model(model)
    with pytest.raises(ValueError, match=message):
        callback.on_train_begin()
    assert str(layer.zone) == "0/b"


def test_a_zone_changes_under_xla(rng):
    model, layer = compiled(rng, "0/b", eager=False)
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=True)
    for zone in ("0[0,2]", "0[1,3]"):
        layer.set_zone(zone, model=model)
        isolated = arcs_of(layer)[0]
        model.fit(*data(rng), verbose=0)
        identical(arcs_of(layer)[0], isolated)


def test_steps_are_counted_where_one_call_makes_several(rng):
    spec = ll.Spec(2, (H,), 1)
    plans = [ll.isolate(spec, ll.zone(spec, layer=0, unit=at)) for at in ([0, 2], [1, 3])]
    model, _ = compiled(rng, None, eager=False)
    model.compile("adam", "mse", steps_per_execution=2, jit_compile=False)
    callback = Isolation("lstm", ll.schedules.alternate(plans, every=2))
    model.fit(*data(rng), batch_size=2, verbose=0, callbacks=[callback])
    assert [(moment.step, zone) for moment, zone in callback.zones] == [
        (0, "0[0,2]"),
        (2, "0[1,3]"),
        (4, "0[0,2]"),
    ]


def test_a_variable_excluded_from_weight_decay_stays_so_through_zones(rng):
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    model, layer = compiled(rng, None, optimizer=optimizer)
    optimizer.exclude_from_weight_decay(var_list=[layer.weights[1]])  # the recurrent kernel
    model.fit(*data(rng), verbose=0)
    for zone in ("0[0:2]", "0/Wh", "0/b"):
        layer.set_zone(zone, model=model)
        model.fit(*data(rng), verbose=0)
        decayed = {v.name: model.optimizer._use_weight_decay(v) for v in layer.trainable_variables}
        assert all(decays is ("recurrent" not in name) for name, decays in decayed.items())

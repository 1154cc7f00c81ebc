"""Another zone during a training: graphs, optimisers and moments."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_lib.keras import IsolatedLSTM, isolate_layer, keras, tf
from lstm_lib.keras.compiled import MATRICES
from tests.cases import identical, same
from tests.keras.layer_cases import (
    MIXED,
    D,
    H,
    T,
    arcs_of,
    compiled,
    data,
    in_keras,
    model_of,
    moments,
)


class Counted(IsolatedLSTM):
    """Counts how often it is traced."""

    traces = 0

    def call(self, sequences, initial_state=None, mask=None, training=False):
        self.traces += not tf.executing_eagerly()
        return super().call(sequences, initial_state, mask, training)


def test_a_zone_of_the_same_structure_keeps_the_graph_and_the_optimiser(rng):
    model, layer = compiled(rng, "0[0,2]", "cut", kind=Counted, eager=False)
    x, y = data(rng)
    model.fit(x, y, batch_size=6, verbose=0)
    traces, optimizer, variables = layer.traces, model.optimizer, list(map(id, layer.trainable_weights))
    assert traces > 0
    for zone in ("0[1,3]", "0[1,2]"):
        values = layer.get_weights()
        assert layer.set_zone(zone, model=model) is False
        for a, b in zip(layer.get_weights(), values, strict=True):
            identical(a, b)
        isolated, active = arcs_of(layer)
        model.fit(x, y, batch_size=6, verbose=0)
        identical(arcs_of(layer)[0], isolated)
        assert (arcs_of(layer)[1] != active).all()
    assert layer.traces == traces
    assert model.optimizer is optimizer
    assert list(map(id, layer.trainable_weights)) == variables


@pytest.mark.parametrize(
    ("first", "second"), [("0[0,2]", "0[1,3]"), ("0[0,2]", "0/Wh/f"), ("nothing", MIXED)]
)
def test_moments_go_with_their_arcs_and_are_held(rng, first, second):
    model, layer = compiled(rng, first)
    x, y = data(rng)
    model.fit(x, y, batch_size=6, verbose=0)
    steps, head = int(model.optimizer.iterations), np.asarray(model.optimizer._momentums[-1])
    model.optimizer.learning_rate = 0.003
    before, was = moments(model, layer), layer.zone
    layer.set_zone(second, model=model)
    after, now = moments(model, layer), layer.zone
    assert int(model.optimizer.iterations) == steps > 0
    assert float(model.optimizer.learning_rate) == pytest.approx(0.003)
    identical(np.asarray(model.optimizer._momentums[-1]), head)
    for matrix, name in MATRICES.items():
        active, thawed = in_keras(~was & ~now, name), in_keras(was & ~now, name)
        if active.any():
            identical(after[matrix][active], before[matrix][active])
            assert after[matrix][active].all()
        assert not (thawed.any() and after[matrix][thawed].any())  # they start from nothing
    model.fit(x, y, batch_size=6, verbose=0)
    layer.set_zone(first, model=model)
    again, checked = moments(model, layer), 0
    for matrix, name in MATRICES.items():
        held = in_keras(~was & now, name)
        if held.any():
            identical(again[matrix][held], before[matrix][held])
            checked += held.sum()
    assert checked > 0


def test_the_same_zone_again_changes_nothing(rng):
    model, layer = compiled(rng, "0/Wh")
    model.fit(*data(rng), verbose=0)
    optimizer, variables = model.optimizer, list(map(id, layer.weights))
    assert layer.set_zone("0/Wh[0:2] | 0/Wh[2:4]", model=model) is False
    assert model.optimizer is optimizer
    assert list(map(id, layer.weights)) == variables


def test_a_graph_with_variables_that_were_given_up_gives_nan(rng):
    """A second model that shares the layer: it would go on with old weights, and nobody would notice."""
    model, layer = compiled(rng, None, eager=False)
    other, x = keras.Sequential([keras.Input((T, D)), layer]), data(rng)[0]
    assert np.isfinite(other.predict(x, verbose=0)).all()
    model.fit(*data(rng), verbose=0)
    layer.set_zone("0/Wh", model=model)
    assert np.isnan(other.predict(x, verbose=0)).all()
    other.compile()
    same(other.predict(x, verbose=0), layer(x).numpy(), 1e-5)


def test_variables_without_weight_decay_stay_without(rng):
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model, layer = compiled(rng, None, optimizer=optimizer)
    model.fit(*data(rng), verbose=0)
    layer.set_zone("0/Wh/f", model=model)
    decayed = {v.name: model.optimizer._use_weight_decay(v) for v in layer.trainable_weights}
    assert decayed == {"kernel": True, "recurrent_kernel_active": True, "bias": False}


@pytest.mark.parametrize("optimizer", ["Adafactor", "LossScaleOptimizer"])
def test_an_optimiser_whose_moments_can_not_be_divided_is_refused_and_all_stays(rng, optimizer):
    inner = {"LossScaleOptimizer": (keras.optimizers.Adam(),)}.get(optimizer, ())
    model, layer = compiled(rng, "0/b", optimizer=getattr(keras.optimizers, optimizer)(*inner))
    model.optimizer.build(model.trainable_variables)
    before, values = model.optimizer, model.get_weights()
    with pytest.raises(ValueError, match=rf"{optimizer} keeps .*can't divide by arcs"):
        layer.set_zone("0/Wh", model=model)
    assert (str(layer.zone), model.optimizer) == ("0/b", before)
    for a, b in zip(model.get_weights(), values, strict=True):
        identical(a, b)


def test_held_moments_of_one_layer_outlast_a_change_in_another(rng):
    """The change makes another optimiser of the model's; what the first layer holds is still that model's."""
    first, second = IsolatedLSTM(H, return_sequences=True), IsolatedLSTM(3)
    model = model_of(first, second, keras.layers.Dense(1))
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    model.fit(*data(rng), batch_size=6, verbose=0)
    before = moments(model, first)
    first.set_zone("0/Wh", model=model)
    second.set_zone("0/Wx", model=model)
    model.fit(*data(rng), batch_size=6, verbose=0)
    first.set_zone(None, model=model)
    identical(moments(model, first)["recurrent_kernel"], before["recurrent_kernel"])
    assert before["recurrent_kernel"].all()


def test_a_sum_of_gradients_of_a_thawed_arc_starts_from_nothing(rng):
    """What was summed before it was isolated belongs to a step that was made without it."""
    model, layer = compiled(rng, None, optimizer=keras.optimizers.Adam(0.01, gradient_accumulation_steps=2))
    for zone in ("0/Wh", None):
        model.fit(*data(rng), verbose=0)  # half of a sum, and the other half
        layer.set_zone(zone, model=model)
    sums = model.optimizer._accumulated_gradients
    assert len(sums) == 5
    assert not any(np.asarray(one).any() for one in sums)


@pytest.mark.parametrize("zone", ["0/Wh", "0/Wh/f"])
def test_a_moving_average_of_a_thawed_arc_starts_from_its_value(rng, zone):
    model, layer = compiled(rng, zone, optimizer=keras.optimizers.Adam(0.01, use_ema=True))
    model.fit(*data(rng), batch_size=6, verbose=0)
    layer.set_zone("0/Wx", model=model)
    optimizer = model.optimizer
    at = [v.name for v in optimizer._trainable_variables].index("recurrent_kernel")
    identical(np.asarray(optimizer._model_variables_moving_average[at]), layer.get_weights()[1])


@pytest.mark.parametrize(
    ("zone", "depth", "span", "anew"), [(MIXED, "skip", 2, True), ("0[1,3]", "cut", None, False)]
)
def test_training_after_a_change_is_that_of_a_model_made_so(rng, zone, depth, span, anew):
    """The graph computes the new plan: with SGD, which remembers nothing, that of a model made with that zone."""
    x, y = data(rng)
    model, layer = compiled(rng, "0[0,2]", "cut", keras.optimizers.SGD(0.1), eager=False)
    model.fit(x, y, batch_size=6, verbose=0)
    model.evaluate(x, y, verbose=0), model.predict(x, verbose=0)
    plain, values = isolate_layer(model, "lstm", None), [one.get_weights() for one in model.layers]
    assert layer.set_zone(zone, depth, span, model) is anew
    same(model.predict(x, verbose=0), plain(x).numpy(), 1e-5)
    other, fresh = compiled(rng, zone, depth, keras.optimizers.SGD(0.1))
    fresh.set_zone(zone, span=span)
    for one, w in zip(other.layers, values, strict=True):
        one.set_weights(w)
    for one in (model, other):
        one.fit(x, y, batch_size=6, verbose=0, shuffle=False)
    same(model.predict(x, verbose=0), other.predict(x, verbose=0), 1e-6)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(other.evaluate(x, y, verbose=0), rel=1e-5)
    same(model.predict(x, verbose=0), isolate_layer(model, "lstm", None)(x).numpy(), 1e-5)


def test_a_traced_layer_wants_its_model(rng):
    model, layer = compiled(rng, None, eager=False)
    layer.set_zone("0/Wh")
    model.fit(*data(rng), verbose=0)
    with pytest.raises(
        ValueError, match=r"already is part of a traced function.*set_zone\(..., model=model\)"
    ):
        layer.set_zone("0/Wx")
    with pytest.raises(ValueError, match="has no layer that is this 'lstm'"):
        layer.set_zone("0/Wx", model=compiled(rng, None)[0])
    assert str(layer.zone) == "0/Wh"


def test_a_layer_that_is_not_built_takes_its_zone_later():
    layer = IsolatedLSTM(H)
    assert layer.set_zone("0/Wh", "cut", 2) is False
    with pytest.raises(ValueError, match="has no plan yet: its zone needs the number of inputs"):
        layer.plan  # noqa: B018
    layer.build((None, T, D))
    assert (str(layer.zone), layer.depth, layer.span) == ("0/Wh", "cut", 2)


@pytest.mark.parametrize("compiled_frozen", [False, True])
def test_a_frozen_layer_changes_its_zone_and_goes_on_when_it_is_thawed(rng, compiled_frozen):
    """What is frozen meanwhile stays with the optimiser, so that nothing has to be compiled again."""
    x, y = data(rng)
    told = {"batch_size": 6, "verbose": 0, "shuffle": False}
    model, layer = compiled(rng, "0/b")
    if compiled_frozen:
        layer.trainable = False
        model.compile("adam", "mse")
    model.fit(x, y, **told)
    layer.trainable = False
    before = layer.get_weights()
    assert layer.set_zone("0/Wx", model=model)
    model.fit(x, y, **told)
    for a, b in zip(before, layer.get_weights(), strict=True):
        identical(a, b)
    if not compiled_frozen:
        layer.trainable = True
        model.fit(x, y, **told)
        moved = [not np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True)]
        assert moved == [False, True, True]

"""Isolation: a schedule, a statistic or a function followed in `fit`."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, Isolation, from_keras, keras
from lstm_lib.keras.compiled import MATRICES, in_rows
from lstm_lib.training.adam import AdamState
from lstm_lib.training.evidence import Evidence, Watched
from tests.cases import identical, same
from tests.keras.layer_cases import (
    ONE,
    D,
    H,
    T,
    compiled,
    data,
    trained,
)


def test_rows_are_those_of_this_project(rng):
    model = trained(rng)
    found = in_rows(dict(zip(MATRICES, model.layers[0].get_weights(), strict=True)))
    params = from_keras(model)[1]
    for name, rows in found.items():
        identical(rows, params[name])


def follow(rng, what, epochs):
    model, layer = compiled(rng, None)
    callback = Isolation("lstm", what)
    model.fit(*data(rng), batch_size=6, epochs=epochs, verbose=0, callbacks=[callback])
    return callback, layer


def test_a_schedule_is_followed(rng):
    inner = ll.schedules.redraw(ll.Spec(D, (H,), 3), 0.5, seed=2, depth="cut")
    schedule = ll.schedules.thaw_last(1, ll.schedules.from_epoch(2, inner))
    callback, layer = follow(rng, schedule, 4)
    expected = [str(schedule.plan_at(ll.schedules.Moment(k, 4, 0)).zone) for k in (1, 2, 3, 4)]
    assert [zone for _, zone in callback.zones] == expected
    assert [moment.epoch for moment, _ in callback.zones] == [1, 2, 3, 4]
    assert expected[0] == expected[3] == "nothing"
    assert "nothing" not in expected[1:3]
    assert (str(layer.zone), layer.depth) == ("nothing", "cut")


def test_a_schedule_by_steps_is_followed(rng):
    spec = ll.Spec(D, (H,), 1)
    plans = [ll.isolate(spec, ll.zone(spec, layer=0, unit=at), "cut", 3) for at in ([0, 2], [1, 3])]
    callback, layer = follow(rng, ll.schedules.alternate(plans, every=1), 2)
    found = [(m.epoch, m.step, zone) for m, zone in callback.zones]
    assert found == [(1, 0, "0[0,2]"), (1, 1, "0[1,3]"), (2, 2, "0[0,2]"), (2, 3, "0[1,3]")]
    assert callback.traced == 1  # the first; from one plan to the next nothing is
    assert (layer.depth, layer.span) == ("cut", 3)


def test_a_plan_is_followed_and_set_once(rng):
    spec = ll.Spec(D, (H,), 1)
    callback, _ = follow(rng, ll.isolate(spec, ll.zone(spec, layer=0, unit=0), "cut"), 2)
    assert [zone for _, zone in callback.zones] == ["0[0]"]


def test_a_fit_that_goes_on_follows_the_schedule_from_there(rng):
    plans = [ll.isolate(ONE, ll.zone(ONE, layer=0, unit=k), "cut") for k in range(3)]
    by_epoch, by_step = (ll.schedules.alternate(plans, every) for every in ("epoch", 2))
    for schedule, expected in ((by_epoch, [(3, 4, "0[2]")]), (by_step, [(3, 4, "0[2]")])):
        model, _ = compiled(rng, None)
        callback = Isolation("lstm", schedule)
        model.fit(*data(rng), batch_size=6, initial_epoch=2, epochs=3, verbose=0, callbacks=[callback])
        assert [(m.epoch, m.step, zone) for m, zone in callback.zones] == expected


def test_a_function_chooses(rng):
    callback, layer = follow(rng, lambda layer, moment: "0[1,3]" if moment.epoch == 2 else None, 3)
    assert [(m.epoch, zone) for m, zone in callback.zones] == [(2, "0[1,3]")]
    assert (str(layer.zone), layer.depth) == ("0[1,3]", "skip")


def by_hand(statistic, params, m, v, steps):
    """The choice of half of the units from what was read off Keras."""
    state = AdamState(m, v, dict.fromkeys(params, steps))
    watched = Watched.begin({k: np.zeros_like(p) for k, p in params.items()})
    evidence = Evidence(ONE, params, state, ll.Adam(beta1=0.8, beta2=0.95), 1, T, 6, watched)
    scores = ll.score(statistic, evidence, ll.partition(ONE, H, "unit"))
    return ll.choose(scores, 0.5, ll.Price(ONE, T, 6))


class Keep(keras.callbacks.Callback):
    """Reads weights and Adam's moments off Keras at the end of the first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            layer, optimizer = self.model.layers[0], self.model.optimizer
            groups = layer.get_weights(), optimizer._momentums[:3], optimizer._velocities[:3]
            self.params, self.m, self.v = (
                in_rows({k: np.asarray(a) for k, a in zip(MATRICES, group, strict=True)}) for group in groups
            )
            head = {k: np.zeros(ONE.shapes[k], "float32") for k in ("head/W", "head/b")}
            for group in (self.params, self.m, self.v):
                group |= head


@pytest.mark.parametrize("statistic", ["magnitude", "fisher", "sensitivity", "snr", "movement", "random"])
def test_a_statistic_chooses_from_weights_and_moments(rng, statistic):
    """The zone is the one that `choose` finds in the numbers of Keras; the start is 0, so that all have moved."""
    optimizer = keras.optimizers.AdamW(0.01, beta_1=0.8, beta_2=0.95)
    model, layer = compiled(rng, None, optimizer=optimizer)
    layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    schedule = ll.by_statistic(ONE, statistic, 0.5, blocks=H, every=None)
    callback, keep = Isolation("lstm", schedule, batch=6), Keep()
    model.fit(*data(rng), batch_size=6, epochs=3, verbose=0, callbacks=[keep, callback])
    expected = by_hand(statistic, keep.params, keep.m, keep.v, 2)
    assert [(m.epoch, zone) for m, zone in callback.zones] == [(1, "nothing"), (2, str(expected))]
    assert layer.zone.size == expected.size > 0


def test_perturbation_reads_how_arcs_moved_over_epochs(rng):
    model, layer = compiled(rng, None, optimizer=keras.optimizers.SGD(0.0))
    back_and_forth, straight = (np.resize([1.0, -0.9], 4), np.ones(4))

    def move(layer, moment):
        if moment.epoch > 1:
            values = layer.get_weights()
            for k in range(H):
                values[2][k::H] += (straight if k in (1, 3) else back_and_forth)[moment.epoch - 2]
            layer.set_weights(values)

    class Move(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            move(self.model.layers[0], ll.schedules.Moment(epoch + 2, 5, 0))

    schedule = ll.by_statistic(ONE, "perturbation", 0.5, blocks=H, every=None, warmup=4)
    callback = Isolation("lstm", schedule, batch=6)
    with pytest.raises(ValueError, match="knows nothing of 4 of 4 blocks"):  # of kernels that never moved
        model.fit(*data(rng), batch_size=6, epochs=5, verbose=0, callbacks=[Move(), callback])
    assert callback._collector.moved["0/b"].tolist() == [4] * 4 * H
    watched = callback._collector.watched
    by_unit = np.abs(watched.change["0/b"] / watched.path["0/b"]).reshape(4, H).mean(axis=0)
    assert by_unit[[1, 3]] == pytest.approx([1, 1])
    assert (by_unit[[0, 2]] < 0.5).all()


@pytest.mark.parametrize(
    ("statistic", "optimizer", "message"),
    [
        (
            "gradient",
            "adam",
            "Keras shows no gradients to a callback; other statistics are magnitude, fisher",
        ),
        (
            "error",
            "adam",
            "Keras shows no errors of pre-activations to a callback; other statistics are magnitude, fisher",
        ),
        ("fisher", "sgd", "'fisher' reads Adam's moments, but the optimiser is SGD; compile with Adam"),
    ],
)
def test_a_statistic_of_what_is_not_there_is_refused(rng, statistic, optimizer, message):
    model, _ = compiled(rng, None, optimizer=optimizer)
    schedule = ll.schedules.thaw_last(1, ll.by_statistic(ONE, statistic, 0.5))
    with pytest.raises(ValueError, match=message):
        model.fit(*data(rng), verbose=0, callbacks=[Isolation("lstm", schedule)])


def test_a_statistic_needs_to_know_how_many_steps(rng):
    model = keras.Sequential([keras.Input((None, D)), IsolatedLSTM(H, name="lstm"), keras.layers.Dense(1)])
    model.compile("adam", "mse", jit_compile=False)
    schedule = ll.by_statistic(ONE, "magnitude", 0.5, warmup=0, blocks=H)
    with pytest.raises(ValueError, match=r"takes any number of steps.*Isolation\(..., steps=72\)"):
        model.fit(*data(rng), verbose=0, callbacks=[Isolation("lstm", schedule)])
    model.fit(*data(rng), verbose=0, callbacks=[Isolation("lstm", schedule, steps=T)])
    assert model.layers[0].zone.size > 0


@pytest.mark.parametrize(
    ("layer", "what", "message"),
    [
        ("other", lambda *_: None, r"no IsolatedLSTM 'other' in the model; there are lstm"),
        (3, lambda *_: None, r"no IsolatedLSTM 3 in the model"),
        (
            "lstm",
            ll.schedules.redraw(ll.Spec(D, (H + 1,), 1), 0.5),
            r"layer 'lstm' has inputs=2, units=\(4,\)",
        ),
    ],
)
def test_the_callback_refuses(rng, layer, what, message):
    model, _ = compiled(rng, None)
    with pytest.raises(ValueError, match=message):
        model.fit(*data(rng), verbose=0, callbacks=[Isolation(layer, what)])


def test_what_can_not_be_followed_is_refused():
    with pytest.raises(
        ValueError, match=r"follows a Plan, a schedule or a function \(layer, moment\); got a str"
    ):
        Isolation("lstm", "0/Wh")
    for name in ("batch", "steps"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got 0"):
            Isolation("lstm", lambda *_: None, **{name: 0})


@pytest.mark.parametrize("first", [True, False])
def test_what_gets_isolated_are_weights_and_not_their_averages(rng, first):
    model, layer = compiled(rng, "0/b", optimizer=keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9))
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(layer.get_weights())

        on_train_batch_end = on_train_batch_begin

    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    follow_it = Isolation("lstm", lambda _, moment: ("0/b", "0/Wx")[moment.epoch - 1])
    order = [swap, follow_it] if first else [follow_it, swap]
    model.fit(*data(rng), batch_size=6, epochs=2, verbose=0, callbacks=[*order, Watch()])
    for a, b in zip(seen[3], seen[4], strict=True):  # the end of the first epoch, the beginning of the second
        same(a, b, 1e-6)


def test_a_zone_stays_where_nobody_took_weights(rng):
    """And where somebody looked at one variable, or at one layer."""
    model, layer = compiled(rng, None)

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                layer.get_weights(), layer.weights[0].numpy(), self.model.layers[-1].get_weights()

    follow_it = Isolation("lstm", lambda _, moment: ("0/b", "0/Wx")[moment.epoch - 1])
    model.fit(*data(rng), epochs=2, verbose=0, callbacks=[Look(), follow_it])
    assert str(layer.zone) == "0/Wx"
    assert [zone for _, zone in follow_it.zones] == ["0/b", "0/Wx"]

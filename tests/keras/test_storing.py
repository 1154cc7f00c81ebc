"""Files at one zone loaded at another: weights, held moments, the optimiser; and what Keras keeps in memory."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_lib.keras import IsolatedLSTM, Isolation, isolate_layer, keras
from tests.cases import identical
from tests.keras.layer_cases import KERAS_SAVES, D, H, T, compiled, data, model_of, trained

TOLD = {"batch_size": 6, "verbose": 0, "shuffle": False}


@keras.saving.register_keras_serializable("tests")
class Own(keras.Model):
    """A model of one's own, whose layer comes after the optimiser in the alphabet."""

    def __init__(self, zone, **arguments):
        super().__init__(**arguments)
        self.recurrent, self.head = IsolatedLSTM(H, zone, name="lstm"), keras.layers.Dense(1)

    def call(self, x):
        return self.head(self.recurrent(x))


def at(zone, kind="sequential", seed=3):
    """A model that has made two steps at a zone."""
    rng = np.random.default_rng(seed)
    if kind == "own":
        model = Own(zone)
        model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    else:
        model, _ = compiled(rng, zone)
    model.fit(*data(rng), **TOLD)
    return model, next(one for one in model._flatten_layers() if isinstance(one, IsolatedLSTM))


def assert_same_training(rng, *models, epochs=2):
    x, y = data(rng)
    losses = [one.fit(x, y, epochs=epochs, **TOLD).history["loss"] for one in models]
    assert all(one == pytest.approx(losses[0], rel=1e-6) for one in losses), losses


@KERAS_SAVES
@pytest.mark.parametrize("kind", ["sequential", "own"])
@pytest.mark.parametrize(
    ("file", "own"), [("0[0:2]", "0[2:4]"), ("0/b", "0/Wx"), ("0[0,2]", "0[1,3]"), ("nothing", "0/Wh")]
)
def test_a_file_of_another_zone_brings_its_moments_to_their_arcs(rng, tmp_path, kind, file, own):
    (model, layer), (other, its) = at(file, kind), at(own, kind, seed=4)
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    assert str(its.zone) == own
    for a, b in zip(its.get_weights(), layer.get_weights(), strict=True):
        identical(a, b)
    layer.set_zone(own, model=model)
    assert_same_training(rng, model, other)


@KERAS_SAVES
def test_a_model_goes_on_from_a_file_with_the_moments_held_for_isolated_arcs(rng, tmp_path):
    model, layer = at("0/b")
    layer.set_zone("0/Wx", model=model)
    model.fit(*data(rng), **TOLD)
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    loaded.run_eagerly = True
    for one in (model, loaded):
        one.get_layer("lstm").set_zone("0/b", model=one)
    assert_same_training(rng, model, loaded)


def zones(layer, moment):
    return ("0[0:2]", "0[2:4]", "0/b", "0/Wx")[moment.epoch - 1]


class Stop(keras.callbacks.Callback):
    def __init__(self, before):
        super().__init__()
        self.before = before

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.before:
            raise InterruptedError


@KERAS_SAVES
@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("first", [True, False])
def test_a_training_that_was_interrupted_goes_on_at_its_zones(rng, tmp_path, stop, first):
    (x, y), finished = data(rng), []
    for before, backed_up in ((None, False), (stop, True), (None, True)):
        model, layer = compiled(np.random.default_rng(3), None)
        model.layers[-1].set_weights([np.full((H, 1), 0.3, "float32"), np.zeros(1, "float32")])
        backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        callbacks = [Isolation("lstm", zones), *([backup] if backed_up else [])]
        try:
            model.fit(x, y, epochs=4, callbacks=[*callbacks[:: 1 if first else -1], Stop(before)], **TOLD)
        except InterruptedError:
            continue
        finished.append(layer.get_weights())
    for a, b in zip(*finished, strict=True):
        identical(a, b)


@KERAS_SAVES
def test_a_file_that_came_before_the_layer_knew_its_model_is_refused_until_it_is_loaded_again(rng, tmp_path):
    (model, layer), (other, its) = at("0[0:2]"), compiled(rng, "0[2:4]")
    model.save_weights(tmp_path / "a.weights.h5")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "a.weights.h5")
    for go_on in (
        lambda: other.fit(*data(rng), **TOLD),
        lambda: its.set_zone("0/b", model=other),
        lambda: other.fit(*data(rng), callbacks=[Isolation("lstm", zones)], **TOLD),
    ):
        with pytest.raises(
            ValueError, match=r"isolates '0\[2:4\]', were loaded from a file of '0\[0:2\]' before"
        ):
            go_on()
    other.load_weights(tmp_path / "a.weights.h5")
    layer.set_zone("0[2:4]", model=model)
    assert_same_training(rng, model, other)


@KERAS_SAVES
def test_a_model_that_only_looks_is_not_taken_for_the_one_that_is_trained(rng, tmp_path):
    """It shares the layer and is compiled, to be evaluated."""
    (model, layer), (other, its) = at("0[0:2]"), at("0[2:4]", seed=4)
    looks = keras.Sequential([keras.Input((T, D)), its])
    looks.compile("adam", "mse", run_eagerly=True)
    looks.evaluate(data(rng)[0], np.zeros((12, H)), verbose=0)
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    layer.set_zone("0[2:4]", model=model)
    assert_same_training(rng, model, other)


@KERAS_SAVES
def test_a_layer_that_was_left_at_a_files_zone_says_so(rng, tmp_path):
    """The optimiser was not loaded with it: nobody led the layer back."""
    (model, _), (other, its) = at("0[0:2]"), at("0/b")
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5", objects_to_skip=[other.optimizer])
    with pytest.raises(ValueError, match=r"zone '0\[0:2\]' of a file .* its own again: set_zone\('0/b'"):
        other.fit(*data(rng), **TOLD)
    its.set_zone("0/b", model=other)
    other.fit(*data(rng), **TOLD)


@KERAS_SAVES
def test_a_file_of_a_plain_model_is_read_where_it_has_one_lstm(rng, tmp_path):
    plain = trained(rng)
    plain.save_weights(tmp_path / "a.weights.h5")
    part = isolate_layer(trained(rng), "lstm", "0/Wx")
    part.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(part.layers[0].get_weights(), plain.layers[0].get_weights(), strict=True):
        identical(a, b)
    L = keras.layers
    two = model_of(L.LSTM(D, name="a", return_sequences=True), L.LSTM(D, name="b"), L.Dense(1))
    two.save_weights(tmp_path / "two.weights.h5")
    with pytest.raises(
        ValueError, match=r"nothing for an IsolatedLSTM at the place of layer 'a', and 2 of keras"
    ):
        isolate_layer(two, "a", "0/Wh").load_weights(tmp_path / "two.weights.h5")


@pytest.mark.parametrize(
    ("first", "second"),
    [("0/Wx", "0/Wh"), ("0/Wx | 0/b", "nothing"), ("everything", "nothing"), ("0[0,2]", "0[1,3]")],
)
def test_a_list_of_weights_of_another_zone_is_refused_and_nothing_is_touched(rng, first, second):
    """Kernel and recurrent kernel have one shape here."""
    layer = IsolatedLSTM(H, first, name="lstm")
    model = keras.Sequential([keras.Input((T, H)), layer, keras.layers.Dense(1)])
    model.compile("adam", "mse", run_eagerly=True)
    assert all(v.shape.is_fully_defined() for v in model.variables)  # the mark has a shape as all others
    taken, plain = model.get_weights(), isolate_layer(model, "lstm", None)
    layer.set_zone(second, model=model)
    layer.set_weights([rng.standard_normal(w.shape) for w in layer.get_weights()])
    before = model.get_weights()
    for given in (taken, *([] if second == "nothing" else [plain.get_weights()])):
        with pytest.raises(ValueError, match=r"at another zone than|weight list of length"):
            model.set_weights(given)
        for a, b in zip(model.get_weights(), before, strict=True):
            identical(a, b)
    layer.set_zone(first, model=model)
    model.set_weights(taken)
    for a, b in zip(layer.get_weights(), plain.layers[0].get_weights(), strict=True):
        identical(a, b)

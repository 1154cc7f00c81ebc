"""tf.train.Checkpoint, whose variables go by number: back at its zone with all arcs, refused at another one."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_lib.keras import IsolatedLSTM, keras
from lstm_lib.keras.backend import tf
from tests.cases import identical
from tests.keras.layer_cases import KERAS_SAVES, D, H, T, compiled, data

TOLD = {"batch_size": 6, "verbose": 0, "shuffle": False}


def at(zone, seed=3):
    """A model that has made two steps at a zone."""
    rng = np.random.default_rng(seed)
    model, layer = compiled(rng, zone)
    model.fit(*data(rng), **TOLD)
    return model, layer


def everything(model):
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


@KERAS_SAVES
def test_a_checkpoint_brings_back_isolated_arcs_and_the_moments_held_for_them(rng, tmp_path):
    (model, layer), (other, its) = at("0/b"), at("0/Wx", seed=4)
    layer.set_zone("0/Wx", model=model)
    model.fit(*data(rng), **TOLD)
    path = tf.train.Checkpoint(model=model).save(tmp_path / "a")
    tf.train.Checkpoint(model=other).restore(path).assert_consumed()
    for a, b in zip(everything(model), everything(other), strict=True):
        identical(a, b)
    losses = []
    for one, lstm in ((model, layer), (other, its)):
        lstm.set_zone("0/b", model=one)
        losses.append(one.fit(*data(np.random.default_rng(8)), epochs=2, **TOLD).history["loss"])
    assert losses[0] == losses[1]


@KERAS_SAVES
@pytest.mark.parametrize(
    ("file", "own"), [("0[0,2]", "0[1,3]"), ("0/b", "0/Wx"), (None, "0/b"), ("0/b", None)]
)
def test_a_checkpoint_of_another_zone_is_refused_before_anything_is_written(tmp_path, file, own):
    (model, _), (other, its) = at(file), at(own, seed=4)
    path, before = tf.train.Checkpoint(model=model).save(tmp_path / "a"), everything(other)
    with pytest.raises(ValueError, match=r"layer 'lstm' isolated '.*'; now it isolates '.*set_zone\('"):
        tf.train.Checkpoint(model=other).restore(path)
    for a, b in zip(before, everything(other), strict=True):
        identical(a, b)
    its.set_zone(file, model=other)
    tf.train.Checkpoint(model=other).restore(path).assert_consumed()
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        identical(a, b)


@KERAS_SAVES
def test_a_layer_without_weights_is_not_restored_and_not_in_a_checkpoint(tmp_path):
    layer, unbuilt = (IsolatedLSTM(H, "0/b", name="lstm") for _ in range(2))
    layer.build((None, T, D))
    path = tf.train.Checkpoint(layer=layer).save(tmp_path / "a")
    empty = tf.train.Checkpoint(layer=unbuilt).save(tmp_path / "empty")
    with pytest.raises(ValueError, match="now it isn't built"):
        tf.train.Checkpoint(layer=unbuilt).restore(path)
    before = layer.get_weights()
    tf.train.Checkpoint(layer=layer).restore(empty)
    unbuilt.build((None, T, D))
    tf.train.Checkpoint(layer=unbuilt).restore(path)
    for one in (layer, unbuilt):
        for a, b in zip(before, one.get_weights(), strict=True):
            identical(a, b)


@KERAS_SAVES
@pytest.mark.parametrize("zone", ["0[0,2]", "0[1,3]"])
def test_a_model_that_is_built_after_it_was_restored_gets_its_weights_or_a_refusal(tmp_path, zone):
    model, _ = at("0[0,2]")
    path = tf.train.Checkpoint(model=model).save(tmp_path / "a")
    later = keras.Sequential([IsolatedLSTM(H, zone, name="lstm"), keras.layers.Dense(1)])
    kept = tf.train.Checkpoint(model=later)
    try:
        kept.restore(path).expect_partial()
        later.build((None, T, D))
    except ValueError as refusal:
        assert "isolated '0[0,2]'" in str(refusal)  # noqa: PT017
        return
    for a, b in zip(model.layers[0].get_weights(), later.layers[0].get_weights(), strict=True):
        identical(a, b)
    assert zone == "0[0,2]"


@KERAS_SAVES
def test_a_saved_model_has_no_need_of_it(rng, tmp_path):
    model, _ = at("0/b")
    model.export(tmp_path / "served", verbose=False)
    x = data(rng)[0]
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(np.asarray(served.serve(x)), np.asarray(model(x)), rtol=1e-5)

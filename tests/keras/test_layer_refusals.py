"""What IsolatedLSTM refuses, by name."""

from __future__ import annotations

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, keras
from tests.keras.layer_cases import (
    B,
    D,
    H,
    T,
)

KERNELS = ("kernel", "recurrent", "bias")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"activation": "relu"},
            r"has activation='relu'; only 'tanh' is supported: the gradients are derived",
        ),
        ({"activation": None}, r"has activation=None"),
        ({"recurrent_activation": "tanh"}, r"has recurrent_activation='tanh'; only 'sigmoid'"),
        ({"use_bias": False}, r"has use_bias=False; only True"),
        ({"recurrent_dropout": 0.1}, r"has recurrent_dropout=0.1; only 0.0 is supported: Keras draws"),
        ({"stateful": True}, r"has stateful=True; only False is supported: pass initial_state"),
        ({"unroll": True}, r"has unroll=True; only False"),
        ({"use_cudnn": True}, r"has use_cudnn=True; only 'auto' and False"),
        *(({f"{name}_constraint": "max_norm"}, rf"has {name}_constraint=.*only None is") for name in KERNELS),
        *(
            (
                {f"{name}_regularizer": "orthogonal_regularizer"},
                rf"has {name}_regularizer=.*only L1, L2 and L1L2",
            )
            for name in KERNELS
        ),
        ({"dtype": "mixed_bfloat16"}, r"has dtype='mixed_bfloat16'; only float32 and float64"),
        ({"dtype": "float16"}, r"has dtype='float16'"),
        ({"units": 0}, r"units must be a whole number of at least 1, got 0"),
        ({"dropout": 2}, r"dropout must be from 0 to 1, got 2"),
        ({"zone": 3}, r"zone is a Zone, its text or None; got a int"),
        ({"depth": "cache"}, r"depth is 'cache'; the choices are hold, skip, cut; 'cache' remembers"),
        ({"depth": "deep"}, r"depth is 'deep'; the choices are hold, skip, cut$"),
        ({"span": 0}, r"span must be a whole number of steps of at least 1"),
        ({"no_such": 1}, r"Unrecognized keyword arguments.*no_such"),
    ],
)
def test_an_argument_that_is_not_supported_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        IsolatedLSTM(**{"units": H, **arguments})


def test_arguments_at_their_default_are_taken_in_every_form():
    functions = {"activation": keras.activations.tanh, "recurrent_activation": keras.activations.sigmoid}
    assert IsolatedLSTM(H, implementation=1, use_cudnn=False, unroll=False, **functions).units == H
    assert IsolatedLSTM.from_config(keras.layers.LSTM(H).get_config()).units == H


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("0/Wh/q", r"in the term '0/Wh/q': gate is 'q'"),
        ("1/Wh", r"layer is 1; the layers are 0, 'head'"),
        ("0[0:9]", r"does not fit"),
        ("head", r"the zone head has arcs of the head alone; those of a layer are named 0/"),
        (ll.zone(ll.Spec(D, (H + 1,), 1), layer=0), r"needs one for inputs=2, units=\(4,\), cell='standard'"),
        (ll.zone(ll.Spec(D, (H,), 1, "brief"), layer=0), r"the zone was made for .*brief"),
    ],
)
def test_a_zone_that_does_not_fit_is_refused(zone, message):
    with pytest.raises(ValueError, match=message):
        IsolatedLSTM(H, zone).build((None, T, D))


def test_what_a_zone_says_of_the_head_is_left_to_the_head():
    layer = IsolatedLSTM(H, ~ll.zone(ll.Spec(D, (H,), 3), layer=0, gate="f"))
    layer.build((None, T, D))
    assert str(layer.zone) == "0/*/iog"


def test_shapes_that_do_not_fit_are_refused():
    layer = IsolatedLSTM(H)
    with pytest.raises(
        ValueError, match=r"takes weights of shapes \[\], got \[\(2, 2\)\]; build the layer first"
    ):
        layer.set_weights([np.zeros((2, 2))])
    with pytest.raises(ValueError, match="needs a known number of inputs"):
        layer.build((None, T, None))
    layer.build((None, T, D))
    with pytest.raises(ValueError, match=r"takes weights of shapes \[\(2, 16\), \(4, 16\), \(16,\)\], got"):
        layer.set_weights([np.zeros((2, 2))])
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layer(np.zeros((B, D), "float32"))

"""The gradients of IsolatedLSTM are those of `lstm_lib.backward` under the same plan."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, tf
from lstm_lib.keras.compiled import MATRICES, keras_columns
from tests.cases import same
from tests.keras.layer_cases import (
    MASK,
    MIXED,
    SPEC,
    ZONES,
    B,
    D,
    H,
    T,
    in_keras,
    in_matrices,
    outcome,
    start,
    twins,
    weights,
)


def engine_gradients(layer, x, states, dy):
    """Gradients of x, h0, c0 and of the three matrices by `lstm_lib.backward`, under the plan of the layer."""
    columns = keras_columns(H)
    rows = [w.T[np.argsort(columns)] for w in layer.get_weights()]
    params = dict(zip(MATRICES.values(), rows, strict=True))
    params |= {"head/W": np.ones((1, H)), "head/b": np.zeros(1)}
    zone = ll.Zone(SPEC, {name: layer.zone.mask(name) for name in MATRICES.values()})
    plan = ll.isolate(SPEC, zone, layer.depth, layer.span)
    _, trace = ll.forward(SPEC, params, x, initial=[tuple(states)])
    grads = ll.backward(SPEC, params, trace, dy, plan, also=("x", "state"))
    active = [np.where(zone.mask(name), 0, grads[name])[columns].T for name in MATRICES.values()]
    return [grads["x"], grads["0/h0"], grads["0/c0"], *active]


def agrees_with_the_engine(layer, seed):
    rng = np.random.default_rng(seed)
    layer.set_weights(weights(rng))
    x, states = start(rng)
    dy = rng.standard_normal((B, T, 1))
    _, *found = outcome(layer, x, states, dy)
    ours = [*found[:3], *in_matrices(layer, found[3:])]
    for a, b in zip(ours, engine_gradients(layer, x, states, dy), strict=True):
        same(a, b, 1e-10)


def built(zone, depth, span):
    layer = IsolatedLSTM(H, zone, depth, span, return_sequences=True, dtype="float64")
    layer.build((None, T, D))
    return layer


@pytest.mark.parametrize("depth", ["hold", "skip", "cut"])
@pytest.mark.parametrize("zone", ZONES)
def test_gradients_are_those_of_the_engine(zone, depth):
    agrees_with_the_engine(built(zone, depth, None), 1)


@pytest.mark.parametrize("depth", ["skip", "cut"])
def test_so_they_are_where_several_products_make_them(monkeypatch, depth):
    monkeypatch.setattr("lstm_lib.isolation.products.COPY", 0)  # else one is cheaper for so few units
    layer = built(MIXED, depth, None)
    assert len(layer.arcs.structure.products) > 1
    agrees_with_the_engine(layer, 1)


@st.composite
def zones(draw):
    """Random arcs, whole rows or whole units."""
    kind = draw(st.sampled_from(["arcs", "rows", "units"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    rows = rng.random(4 * H) < share if kind == "rows" else np.tile(rng.random(H) < share, 4)
    found = {}
    for name in MATRICES.values():
        shape = SPEC.shapes[name]
        found[name] = (
            rng.random(shape) < share if kind == "arcs" else np.broadcast_to(rows, shape[::-1]).T.copy()
        )
    return ll.Zone(SPEC, found)


@settings(max_examples=60)
@given(zone=zones(), depth=st.sampled_from(["skip", "cut"]), span=st.sampled_from([None, 1, 3, 9]))
def test_gradients_of_random_zones_are_those_of_the_engine(zone, depth, span):
    if zone.size:
        agrees_with_the_engine(built(zone, depth, span), 2)


@pytest.mark.parametrize(("zone", "depth"), [(MIXED, "skip"), ("0[0,2] | 0/Wh/f[:;1]", "cut")])
@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
def test_compiled_it_gives_the_same(rng, zone, depth, jit):
    layer = built(zone, depth, 3)
    x, states = start(rng)
    dy = np.random.default_rng(9).standard_normal((B, T, H))

    @tf.function(jit_compile=jit)
    def gradients(x, h, c):
        with tf.GradientTape() as tape:
            tape.watch([x, h, c])
            out = layer(x, initial_state=[h, c])
            loss = tf.reduce_sum(out * dy)
        return [out, *tape.gradient(loss, [x, h, c, *layer.trainable_weights])]

    found = gradients(*(tf.constant(a) for a in (x, *states)))
    for a, b in zip(found, outcome(layer, x, states), strict=True):
        same(a.numpy(), b, 1e-11)


@pytest.mark.parametrize(("zone", "depth"), [(MIXED, "skip"), ("0/b", "cut")])  # a bias carries no error
def test_under_a_mask_active_arcs_get_the_gradient_of_keras(rng, zone, depth):
    ours, theirs = twins(rng, zone=zone, depth=depth, return_sequences=True)
    x, states = start(rng)
    a, b = (outcome(layer, x, states, mask=tf.constant(MASK)) for layer in (ours, theirs))
    for one, other in zip(a[:4], b[:4], strict=True):
        same(one, other, 1e-11)
    for found, full, name in zip(in_matrices(ours, a[4:]), b[4:], MATRICES.values(), strict=True):
        same(found, np.where(in_keras(ours.zone, name), 0, full), 1e-11)


def test_with_all_arcs_isolated_errors_pass_at_skip_and_stop_at_cut(rng):
    x = rng.standard_normal((B, T, D))
    through, stopped = (outcome(built("everything", depth, None), x)[1] for depth in ("skip", "cut"))
    assert np.abs(through).min() > 0
    assert not stopped.any()

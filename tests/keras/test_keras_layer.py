"""The Keras layer with zones: beside keras.layers.LSTM, beside the NumPy engine, in all that Keras does with it."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, Isolation, from_keras, isolate_layer, keras, tf
from lstm_lib.keras.compiled import MATRICES, in_rows, keras_columns
from lstm_lib.training.adam import State
from lstm_lib.training.evidence import Evidence, Watched
from tests.cases import identical, same

B, T, D, H = 3, 5, 2, 4
SPEC = ll.Spec(D, (H,), 1, output="every")
MIXED = "0/Wh/f[0:3;1,3] | 0/Wx/g | 0/b/o[2]"  # arcs of one matrix, columns of another, one bias
ZONES = ("nothing", MIXED, "0[0,2]", "0[1:3]", "0/Wx", "0/Wh", "0/*/fig", "0/*/o", "everything")
KERAS_SAVES = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # in Keras itself


def weights(rng, dtype="float64"):
    """Kernel, recurrent kernel and bias, the bias not zero."""
    return [(0.6 * rng.standard_normal(s)).astype(dtype) for s in ((D, 4 * H), (H, 4 * H), (4 * H,))]


def twins(rng, dtype="float64", zone=None, depth="skip", **arguments):
    """An IsolatedLSTM and a keras.layers.LSTM with the same weights."""
    ours = IsolatedLSTM(H, zone, depth, dtype=dtype, **arguments)
    theirs = keras.layers.LSTM(H, dtype=dtype, **arguments)
    values = weights(rng, dtype)
    for layer in (ours, theirs):
        layer.build((None, T, D))
        layer.set_weights(values)
    return ours, theirs


def start(rng):
    """Inputs, and a state that is not zero."""
    return rng.standard_normal((B, T, D)), [rng.standard_normal((B, H)) for _ in range(2)]


def outcome(layer, x, states=None, dy=None, **call):
    """Everything that comes out, and the gradients of x, of the states and of the weights."""
    x = tf.constant(x)
    states = None if states is None else [tf.constant(a) for a in states]
    with tf.GradientTape() as tape:
        tape.watch([x, *(states or [])])
        out = tf.nest.flatten(layer(x, initial_state=states, **call))
        rng = np.random.default_rng(9)
        errors = [rng.standard_normal(a.shape) if dy is None else dy for a in out]
        loss = sum(tf.reduce_sum(a * tf.cast(e, a.dtype)) for a, e in zip(out, errors, strict=True))
    found = tape.gradient(loss, [x, *(states or []), *layer.trainable_weights])
    return [a.numpy() for a in (*out, *found)]


def model_of(*layers):
    return keras.Sequential([keras.Input((T, D)), *layers])


def data(rng, n=12):
    x = rng.standard_normal((n, T, D)).astype("float32")
    return x, x[:, -1, :1] - x[:, 0, 1:]


def in_keras(zone, name):
    """The mask of a parameter in the layout of Keras."""
    return zone.mask(name)[keras_columns(zone.spec.units[0])].T


def arcs_of(layer):
    """The values of the isolated arcs, and of the active ones."""
    masks = [in_keras(layer.zone, name) for name in MATRICES.values()]
    pairs = list(zip(layer.get_weights(), masks, strict=True))
    return np.concatenate([w[m] for w, m in pairs]), np.concatenate([w[~m] for w, m in pairs])


# ------------------------------------------------------------------------------------- beside keras.layers.LSTM

MASK = np.array([[0, 1, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 1, 1, 0]], bool)
ARGUMENTS = {
    "plain": {},
    "sequences": {"return_sequences": True},
    "state": {"return_state": True},
    "both": {"return_sequences": True, "return_state": True},
    "backwards": {"go_backwards": True},
    "backwards, sequences": {"go_backwards": True, "return_sequences": True},
    "zeros": {"zero_output_for_mask": True, "return_sequences": True, "return_state": True},
    "zeros, last": {"zero_output_for_mask": True},
    "dropout": {"dropout": 0.4, "seed": 3},
}


@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_with_nothing_isolated_it_is_the_layer_of_keras(rng, arguments, mask):
    """Outputs and all gradients, from a state that is not zero; twice, since a second call must not differ."""
    ours, theirs = twins(rng, **arguments)
    x, states = start(rng)
    for _ in range(2):
        call = {"mask": None if mask is None else tf.constant(mask), "training": True}
        for a, b in zip(*(outcome(one, x, states, **call) for one in (ours, theirs)), strict=True):
            same(a, b, 1e-11)


def test_without_a_state_it_starts_from_zero_in_float32_too(rng):
    ours, theirs = twins(rng, "float32", return_sequences=True)
    x = rng.standard_normal((B, T, D)).astype("float32")
    for a, b in zip(outcome(ours, x), outcome(theirs, x), strict=True):
        assert a.dtype == b.dtype == np.float32
        same(a, b, 1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"unit_forget_bias": False, "bias_initializer": "ones"},
        {"bias_initializer": "random_normal"},
        {"kernel_initializer": "he_normal", "recurrent_initializer": "glorot_normal"},
    ],
)
def test_the_same_seed_draws_the_weights_of_keras(arguments):
    drawn = []
    for kind in (IsolatedLSTM, keras.layers.LSTM):
        keras.utils.set_random_seed(5)
        layer = kind(H, **arguments)
        layer.build((None, T, D))
        drawn.append(layer.get_weights())
    for a, b in zip(*drawn, strict=True):
        identical(a, b)


def test_an_activity_regularizer_adds_to_the_loss(rng):
    ours, theirs = twins(rng, "float32", activity_regularizer="l2")
    x = rng.standard_normal((B, T, D)).astype("float32")
    ours(x), theirs(x)
    assert float(ours.losses[0]) == pytest.approx(float(theirs.losses[0]), rel=1e-5)
    assert float(ours.losses[0]) > 0
    again = IsolatedLSTM.from_config(ours.get_config())
    assert again.activity_regularizer.get_config() == ours.activity_regularizer.get_config()


def penalised(zone):
    return IsolatedLSTM(
        H, zone, kernel_regularizer="l2", recurrent_regularizer=keras.regularizers.L1(0.1),
        bias_regularizer=keras.regularizers.L1L2(0.1, 0.2),
    )  # fmt: skip


def test_regularizers_sum_over_active_arcs(rng):
    """With nothing isolated those are the losses of Keras; a zone takes its arcs out."""
    values = weights(rng, "float32")
    dense, part = penalised(None), penalised(MIXED)
    theirs = keras.layers.LSTM.from_config(
        {k: v for k, v in dense.get_config().items() if k not in ("zone", "depth", "span")}
    )
    for layer in (dense, part, theirs):
        layer.build((None, T, D))
        layer.set_weights(values)
    assert [float(a) for a in dense.losses] == pytest.approx([float(a) for a in theirs.losses], rel=1e-6)
    active = [w[~in_keras(part.zone, name)] for w, name in zip(values, MATRICES.values(), strict=True)]
    kernel, recurrent, bias = active
    expected = [
        0.01 * (kernel**2).sum(), 0.1 * abs(recurrent).sum(), 0.1 * abs(bias).sum() + 0.2 * (bias**2).sum()
    ]  # fmt: skip
    assert [float(a) for a in part.losses] == pytest.approx(expected, rel=1e-5)
    part.set_zone(None)
    assert [float(a) for a in part.losses] == pytest.approx([float(a) for a in theirs.losses], rel=1e-6)


# Sizes around the widths of vectors. An earlier form of the loop was compiled wrongly by XLA at (4, 5) in float64.
SIZES = [(1, 6, 1, 1), (4, 6, 3, 5), (3, 1, 2, 7), (5, 9, 1, 8), (7, 4, 5, 17)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_xla_computes_what_tensorflow_does(rng, size):
    batch, steps, inputs, units = size
    kept = tf.constant(rng.random((batch, steps)) < 0.8)
    arrays = [rng.standard_normal(s) for s in ((batch, steps, inputs), (batch, units), (batch, units))]
    zone = None if units == 1 else f"0[0,{units - 1}] | 0/Wh/f[:;0]"
    layer = IsolatedLSTM(units, zone, "cut", 4, return_sequences=True, dtype="float64")
    layer.build((None, steps, inputs))

    def gradients(mask, x, h, c):
        with tf.GradientTape() as tape:
            tape.watch([x, h, c])
            loss = tf.reduce_sum(tf.sin(layer(x, initial_state=[h, c], mask=mask)))
        return [loss, *tape.gradient(loss, [x, h, c, *layer.trainable_weights])]

    given = kept if batch % 2 else None, *(tf.constant(a) for a in arrays)
    for a, b in zip(tf.function(gradients, jit_compile=True)(*given), gradients(*given), strict=True):
        same(a.numpy(), b.numpy(), 1e-11)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
def test_under_tf_function_with_unknown_batch_and_steps(rng, jit):
    ours, theirs = twins(rng, return_sequences=True)

    @tf.function(input_signature=[tf.TensorSpec((None, None, D), tf.float64)], jit_compile=jit)
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(ours(x)))
        return loss, tape.gradient(loss, ours.trainable_weights)

    for batch, steps in ((2, 4), (3, 7)):
        x = rng.standard_normal((batch, steps, D))
        with tf.GradientTape() as tape:
            expected = tf.reduce_sum(tf.sin(theirs(x)))
        loss, found = gradients(x)
        assert float(loss) == pytest.approx(float(expected), rel=1e-12)
        for a, b in zip(found, tape.gradient(expected, theirs.trainable_weights), strict=True):
            same(a.numpy(), b.numpy(), 1e-11)


# --------------------------------------------------------------------------------------- beside the NumPy engine


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


def in_matrices(layer, found):
    """The gradients of a layer's active arcs in matrices, 0 for the isolated ones."""
    values, full = iter(found), []
    for matrix, split in layer.arcs.splits.items():
        parts = {"isolated": np.zeros(split.isolated)}
        if "active" in split.shapes:
            parts["active"] = next(values)
        full.append(layer.arcs.join(matrix, parts))
    return full


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


# ------------------------------------------------------------------------------------------- isolated arcs stay

OPTIMIZERS = {
    "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "decay in Adam": lambda: keras.optimizers.Adam(0.01, weight_decay=0.1),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "clipnorm": lambda: keras.optimizers.Adam(0.01, clipnorm=0.01),
    "global_clipnorm": lambda: keras.optimizers.SGD(0.05, global_clipnorm=0.01),
    "clipvalue": lambda: keras.optimizers.SGD(0.05, clipvalue=0.01),
    "EMA": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_isolated_arcs_are_bit_identical_whatever_the_optimiser_does(rng, optimizer):
    layer = IsolatedLSTM(H, MIXED)
    model = model_of(layer, keras.layers.Dense(1))
    model.compile(optimizer(), "mse", run_eagerly=True)
    layer.set_weights(weights(rng, "float32"))
    isolated, active = arcs_of(layer)
    model.fit(*data(rng), batch_size=4, epochs=2, verbose=0)
    after = arcs_of(layer)
    identical(after[0], isolated)
    assert (after[1] != active).all()


def test_so_they_are_with_xla_and_a_warm_optimiser(rng):
    layer = IsolatedLSTM(H)
    model = model_of(layer, keras.layers.Dense(1))
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), "mse", jit_compile=True)
    x, y = data(rng, 8)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)  # the moments of all arcs are warm
    layer.set_zone("0/Wh/f | 0[1]", depth="cut", model=model)
    isolated, active = arcs_of(layer)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    after = arcs_of(layer)
    identical(after[0], isolated)
    assert (after[1] != active).all()


def test_a_model_trains_as_with_the_layer_of_keras(rng):
    pair = twins(rng, "float32")
    x, y = data(rng)
    losses = []
    for layer in pair:
        keras.utils.set_random_seed(1)
        model = model_of(layer, keras.layers.Dense(1))
        model.compile(keras.optimizers.AdamW(0.01, clipnorm=0.5), "mse", jit_compile=False)
        losses.append(model.fit(x, y, batch_size=4, epochs=3, verbose=0, shuffle=False).history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for a, b in zip(pair[0].get_weights(), pair[1].get_weights(), strict=True):
        same(a, b, 1e-3)


def test_trainable_false_holds_all_of_it():
    layer = IsolatedLSTM(H, "0/Wh")
    layer.build((None, T, D))
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.set_zone("0/Wx")
    assert layer.trainable_weights == []
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["recurrent_kernel", "bias"]


def test_the_summary_counts_active_and_isolated_arcs():
    model = model_of(IsolatedLSTM(H, "0/Wh/f[0:2] | 0/b"), keras.layers.Dense(1))
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    text, total, isolated = "\n".join(lines), 4 * H * (D + H + 1) + H + 1, 2 * H + 4 * H
    for words in (
        f"Total params: {total} ",
        f"Trainable params: {total - isolated} ",
        f"Non-trainable params: {isolated} ",
    ):
        assert words in text


# ------------------------------------------------------------------------------------------ saved, copied, put together


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


def test_early_stopping_does_not_put_weights_into_other_arcs(rng):
    model, _ = compiled(rng, None)
    best = keras.callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True, mode="max")
    schedule = ll.schedules.redraw(ll.Spec(D, (H,), 1), 0.5, seed=1)
    with pytest.raises(ValueError, match="shape"):
        model.fit(*data(rng), epochs=3, verbose=0, callbacks=[Isolation("lstm", schedule), best])


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


# ------------------------------------------------------------------------------------------------ isolate_layer


@keras.saving.register_keras_serializable("tests")
class Around(keras.layers.Wrapper):
    """Hides a layer."""

    def call(self, x):
        return self.layer(x)

    def compute_output_shape(self, shape):
        return self.layer.compute_output_shape(shape)


def trained(rng):
    model = model_of(keras.layers.LSTM(H, name="lstm"), keras.layers.Dense(1))
    model.layers[0].set_weights(weights(rng, "float32"))
    return model


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


# ------------------------------------------------------------------------------------------------ another zone


class Counted(IsolatedLSTM):
    """Counts how often it is traced."""

    traces = 0

    def call(self, sequences, initial_state=None, mask=None, training=False):
        self.traces += not tf.executing_eagerly()
        return super().call(sequences, initial_state, mask, training)


def moments(model, layer):
    """The first moments of the layer's active arcs as matrices, NaN for isolated ones."""
    own, found = layer.arcs.active(), {}
    for v, slot in zip(model.optimizer._trainable_variables, model.optimizer._momentums, strict=True):
        if id(v) in own:
            matrix = own[id(v)]
            split = layer.arcs.splits[matrix]
            parts = {"active": np.asarray(slot), "isolated": np.full(split.isolated, np.nan, "float32")}
            found[matrix] = layer.arcs.join(matrix, parts)
    return found


def compiled(rng, zone, depth="skip", optimizer=None, kind=IsolatedLSTM, eager=True):
    """A small model; run eagerly where no graph is asked for, since tracing takes most of a test's time."""
    layer = kind(H, zone, depth, name="lstm")
    model = model_of(layer, keras.layers.Dense(1))
    model.compile(optimizer or keras.optimizers.Adam(0.01), "mse", run_eagerly=eager, jit_compile=False)
    layer.set_weights(weights(rng, "float32"))
    return model, layer


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


def test_a_moving_average_of_a_thawed_arc_starts_from_its_value(rng):
    model, layer = compiled(rng, "0/Wh", optimizer=keras.optimizers.Adam(0.01, use_ema=True))
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


# ---------------------------------------------------------------------------------------------- the callback


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
    inner = ll.schedules.redraw(ll.Spec(D, (H,), 3), 0.5, seed=2)
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


ONE = ll.Spec(D, (H,), 3)


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
    state = State(m, v, dict.fromkeys(params, steps))
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
    to_and_fro, straight = (np.resize([1.0, -0.9], 4), np.ones(4))

    def move(layer, moment):
        if moment.epoch > 1:
            values = layer.get_weights()
            for k in range(H):
                values[2][k::H] += (straight if k in (1, 3) else to_and_fro)[moment.epoch - 2]
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


# ------------------------------------------------------------------------------------------------- refusals

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

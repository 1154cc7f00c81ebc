"""Networks to and from Keras: weights that come back as they went, and the same numbers there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import lstm_lib as ll
from lstm_lib.keras import IsolatedLSTM, batches, from_keras, keras, sequence_batches, tf, to_keras
from lstm_lib.keras.convert import KINDS as CONVERTED
from tests.cases import KINDS, build, identical, same

# A layer of Keras knows no loss: a head of quantiles comes back as a linear one.
IN_KERAS = {name: k for name, k in KINDS.items() if k.cell in CONVERTED and k.head != "quantiles"}
LSTM, GRU, RNN, DENSE = keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.Dense


# ---------------------------------------------------------------------------------------- weights both ways


def test_a_head_of_quantiles_is_a_linear_one_there():
    case, model = made(KINDS["gru-1-quantiles-last"], "float64")
    spec, params = from_keras(model)
    assert (spec.head, spec.levels) == ("linear", ())
    identical(params, case.params)
    same(case.forward()[0], model(case.x).numpy(), 1e-13)


@pytest.fixture(params=IN_KERAS)
def kind(request):
    return IN_KERAS[request.param]


def made(kind, dtype):
    """A network that starts from zero, as Keras does, and its model."""
    case = build(kind, T=7, B=5, dtype=dtype)
    case = case._replace(initial=[tuple(map(np.zeros_like, states)) for states in case.initial])
    return case, to_keras(kind, case.params)


def test_the_cells_of_keras_are_those_that_it_has():
    assert list(CONVERTED) == ["standard", "rnn", "gru", "gru_v3"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_comes_back_as_it_went_and_has_the_same_outputs_and_gradients_there(kind, dtype):
    """GradientTape through the layers of Keras, against backward with the loss of the head."""
    case, model = made(kind, dtype)
    spec, params = from_keras(model)
    assert spec == kind
    identical(params, case.params)
    assert all(p.flags.c_contiguous for p in params.values())
    with tf.GradientTape() as tape:
        there = model(case.x, training=True)
        if kind.head == "softmax":
            loss = -tf.reduce_mean(tf.reduce_sum(case.y * tf.math.log(there), axis=-1))
        else:
            loss = tf.reduce_mean(tf.square(there - case.y))
    assert there.dtype == dtype
    yhat, trace = case.forward()
    same(yhat, there.numpy(), 2e-6 if dtype == "float32" else 1e-13)
    ours, dy = (ll.cross_entropy if kind.head == "softmax" else ll.mse)(yhat, case.y)
    assert ours == pytest.approx(float(loss), rel=1e-5 if dtype == "float32" else 1e-12)
    grads = case._replace(dy=dy).backward(trace, also=())
    model.set_weights(tape.gradient(loss, model.trainable_weights))  # for from_keras to bring them home
    same(grads, from_keras(model)[1], 1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("cell", CONVERTED)
def test_predict_gives_the_same(cell):
    """It rounds its input to float32 whatever the dtype of the model."""
    case, model = made(KINDS[f"{cell}-1-linear-last"], "float64")
    same(case.forward()[0], model.predict(case.x, verbose=0), 2e-6)


def model_of(*layers, inputs=2):
    return keras.Sequential([keras.Input((None, inputs)), *layers])


def test_from_keras_reads_a_model_made_in_keras():
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4), keras.layers.Dense(2)])
    spec, params = from_keras(model)
    assert spec == ll.Spec(3, (4,), 2)
    kernel = model.layers[0].get_weights()[0]
    # Keras: columns in the order i, f, c, o; here: rows in the order f, i, o, g
    for ours, theirs in ((0, 1), (1, 0), (2, 3), (3, 2)):
        identical(
            params["0/Wx"][4 * ours : 4 * ours + 4],
            np.ascontiguousarray(kernel[:, 4 * theirs : 4 * theirs + 4].T),
        )
    assert params["0/b"][:4].tolist() == [1.0] * 4
    x = np.random.default_rng(0).standard_normal((5, 6, 3)).astype("float32")
    same(ll.forward(spec, params, x)[0], model.predict(x, verbose=0), 1e-6)


def test_an_isolated_layer_is_read_as_the_lstm_it_is():
    layers = [IsolatedLSTM(3, zone="0/Wh/f", return_sequences=True), LSTM(2), DENSE(1)]
    model = model_of(*layers)
    spec, params = from_keras(model)
    assert spec == ll.Spec(2, (3, 2), 1)
    x = np.random.default_rng(0).standard_normal((5, 6, 2)).astype("float32")
    same(ll.forward(spec, params, x)[0], model(x).numpy(), 1e-6)


def test_a_functional_model_is_read_too():
    inputs = keras.Input((None, 2))
    below = keras.layers.LSTM(3, return_sequences=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.LSTM(2)(below)))
    assert from_keras(model)[0] == ll.Spec(2, (3, 2), 2, head="softmax")


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            lambda: [LSTM(2, name="a", dropout=0.1), DENSE(1)],
            r"layer 'a' has dropout=0.1; only 0.0 can be converted",
        ),
        (
            lambda: [LSTM(2, name="a", recurrent_dropout=0.1), DENSE(1)],
            r"layer 'a' has recurrent_dropout=0.1",
        ),
        (lambda: [LSTM(2, name="a", use_bias=False), DENSE(1)], r"layer 'a' has use_bias=False; only True"),
        (
            lambda: [LSTM(2, name="a", go_backwards=True), DENSE(1)],
            r"layer 'a' has go_backwards=True; only False",
        ),
        (
            lambda: [LSTM(2, name="a", activation="relu"), DENSE(1)],
            r"layer 'a' has activation='relu'; only 'tanh'",
        ),
        (
            lambda: [LSTM(2, name="a", recurrent_activation="tanh"), DENSE(1)],
            r"layer 'a' has recurrent_activation='tanh'",
        ),
        (
            lambda: [GRU(2, name="a", recurrent_activation="tanh"), DENSE(1)],
            r"layer 'a' has recurrent_activation",
        ),
        (lambda: [GRU(2, name="a", use_bias=False), DENSE(1)], r"layer 'a' has use_bias=False; only True"),
        (
            lambda: [RNN(2, name="a", activation="relu"), DENSE(1)],
            r"layer 'a' has activation='relu'; only 'tanh'",
        ),
        (lambda: [IsolatedLSTM(2, name="a", dropout=0.1), DENSE(1)], r"layer 'a' has dropout=0.1; only 0.0"),
        (
            lambda: [LSTM(2, name="a", return_sequences=True), GRU(2, name="b"), DENSE(1)],
            r"layer 'a' has the cell 'standard', but layer 'b' has 'gru'; a Spec has one cell",
        ),
        (
            lambda: [GRU(2, name="a", return_sequences=True), GRU(2, name="b", reset_after=False), DENSE(1)],
            r"layer 'a' has the cell 'gru', but layer 'b' has 'gru_v3'",
        ),
        (
            lambda: [keras.layers.Bidirectional(LSTM(2), name="a"), DENSE(1)],
            r"layer 'a' is a Bidirectional; expected one of LSTM, SimpleRNN, GRU, IsolatedLSTM",
        ),
        (
            lambda: [LSTM(2, return_sequences=True), DENSE(2, name="a"), DENSE(1)],
            r"layer 'a' is a Dense; expected one of LSTM",
        ),
        (
            lambda: [LSTM(2), DENSE(1, activation="relu", name="a")],
            r"head 'a' has activation 'relu' and use_bias=True; expected linear or softmax",
        ),
        (
            lambda: [LSTM(2), DENSE(1, use_bias=False, name="a")],
            r"head 'a' has activation 'linear' and use_bias=False; .* with a bias",
        ),
        (lambda: [LSTM(2)], r"expected recurrent layers and a Dense head, got \['LSTM'\]"),
        (lambda: [DENSE(1)], r"expected recurrent layers and a Dense head, got \['Dense'\]"),
        (list, r"expected recurrent layers and a Dense head, got \[\]"),
    ],
)
def test_a_model_that_can_not_be_expressed_is_refused_by_name(layers, message):
    with pytest.raises(ValueError, match=message):
        from_keras(model_of(*layers()))


def test_a_stateful_layer_is_refused():
    model = keras.Sequential([keras.Input((4, 2), batch_size=1), LSTM(2, name="a", stateful=True), DENSE(1)])
    with pytest.raises(ValueError, match=r"layer 'a' has stateful=True; only False"):
        from_keras(model)


def test_a_layer_below_that_gives_one_step_alone_is_refused():
    inputs = keras.Input((None, 2))
    below = keras.ops.expand_dims(LSTM(3, name="a")(inputs), 1)
    model = keras.Model(inputs, DENSE(1)(LSTM(2)(below)))
    with pytest.raises(ValueError, match="layer 'a' has return_sequences=False; only True"):
        from_keras(model)


class OwnModel(keras.Model):
    """Its layers don't say what it does with them."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = LSTM(2), DENSE(1)

    def call(self, x):
        return self.head(self.lstm(x))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (OwnModel, "takes a Sequential or functional model, got a OwnModel; only these say how"),
        (lambda: LSTM(2), "takes a Sequential or functional model, got a LSTM"),
        (
            lambda: keras.Sequential([LSTM(2), DENSE(1)], name="a"),
            "model 'a' has no weights yet; begin it with",
        ),
    ],
)
def test_what_does_not_show_its_layers_or_weights_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        from_keras(model())


@pytest.mark.parametrize("cell", ["brief", "peephole"])
def test_a_cell_that_keras_has_not_is_refused_by_name(cell):
    spec = ll.Spec(2, (3,), 1, cell)
    with pytest.raises(
        ValueError,
        match=f"can't express the cell '{cell}'; those that convert are standard, rnn, gru, gru_v3",
    ):
        to_keras(spec, ll.init_params(spec))


# ------------------------------------------------------------------------------------------------- batches


def test_batches_are_the_rows_in_order_and_tune_nothing():
    """With tuning the end of an epoch waits for a thread, and Keras looks slower than it is."""
    x, y = np.arange(14.0).reshape(7, 2, 1), np.arange(7.0)[:, None]
    data = batches(x, y, 3)
    assert [len(part) for part, _ in data] == [3, 3, 1]
    for k, array in enumerate((x, y)):
        np.testing.assert_array_equal(np.concatenate([part[k] for part in data]), array)
    assert data.options().autotune.enabled is False


# ------------------------------------------------------------------------------------------------- sequences


def hours(n, rng, holes=()):
    load = rng.normal(size=n)
    load[list(holes)] = np.nan
    index = pd.date_range("2021-03-01", periods=n, freq="h", tz="UTC")
    return ll.Series("demo", pd.DataFrame({"load": load}, index), "load", "kW")


def test_keras_learns_from_sequences_what_fit_learns(rng):
    """The same batches, weights and mean: two epochs of Adam end at the same parameters."""
    split = ll.sequences(hours(292, rng), 12, 4, lookback=12)
    assert len(split.train.places) % 8 == 0  # so that all rounds have as many sequences
    spec = ll.Spec(1, (5,), 1, output="every")
    adam = ll.Adam(1e-3, form="keras", eps=1e-7)
    record = ll.fit(spec, split.train, seed=2, epochs=2, batch=4, optimizer=adam, progress=False)
    model = to_keras(spec, ll.init_params(spec, 2))
    model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-7), "mse")
    model.fit(sequence_batches(split.train, 4, seed=2), epochs=2, shuffle=False, verbose=0)
    same(from_keras(model)[1], record.params)
    assert not np.allclose(record.params["0/Wh"], ll.init_params(spec, 2)["0/Wh"])


def test_every_epoch_of_keras_has_as_many_batches(rng):
    part = ll.sequences(hours(300, rng, holes=(50, 100)), 12, 4, lookback=12).train
    data = sequence_batches(part, 4)
    sizes = [[len(x) for x, _, _ in data] for _ in range(5)]
    assert sizes == [sizes[0]] * 5
    assert (
        sum(sizes[0])
        == part.fewest()
        == min(len(part.round(np.random.default_rng(k), 4)[0]) for k in range(99))
    )
    assert len(data) == len(sizes[0])


def test_streams_are_not_for_keras():
    split = ll.sequences(ll.load_series("fontana"), stateful=True)
    with pytest.raises(ValueError, match="give stateful=False"):
        sequence_batches(split.train, 8)

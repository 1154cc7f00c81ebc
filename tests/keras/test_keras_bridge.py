"""Weights to and from Keras, the same numbers there, and a package that lives without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lstm_lib as ll
from lstm_lib.keras import (
    batches,
    from_keras,
    tf_gradients,
    to_keras,
)  # before TensorFlow: it starts it in silence
from tests.cases import KINDS, build, identical, same

import keras  # isort: skip
import tensorflow as tf  # isort: skip

ROOT = Path(__file__).parents[2]
STANDARD = {name: spec for name, spec in KINDS.items() if spec.cell == "standard"}


@pytest.fixture(params=STANDARD)
def kind(request):
    return STANDARD[request.param]


def without_state(case):
    """Keras starts from zero."""
    return case._replace(initial=[(np.zeros_like(h), np.zeros_like(c)) for h, c in case.initial])


# ---------------------------------------------------------------------------------------- weights both ways


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_come_back_as_they_went(kind, dtype):
    case = build(kind, dtype=dtype)
    spec, params = from_keras(to_keras(kind, case.params))
    assert spec == kind
    identical(params, case.params)
    assert all(p.flags.c_contiguous for p in params.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_keras_model_computes_what_forward_computes(kind, dtype):
    case = without_state(build(kind, T=7, dtype=dtype))
    model = to_keras(kind, case.params)
    there = model(case.x).numpy()
    assert there.dtype == dtype
    same(case.forward()[0], there, 1e-6 if dtype == "float32" else 1e-13)
    # predict() rounds its input to float32 whatever the dtype of the model
    same(case.forward()[0], model.predict(case.x, verbose=0), 2e-6)


def test_the_gradients_of_the_keras_model_are_ours(kind):
    """GradientTape through the real keras.layers.LSTM, against backward with the loss of the head."""
    case = without_state(build(kind, T=6))
    model = to_keras(kind, case.params)
    loss_of = ll.cross_entropy if kind.head == "softmax" else ll.mse
    with tf.GradientTape() as tape:
        there = model(case.x, training=True)
        if kind.head == "softmax":
            loss = -tf.reduce_mean(tf.reduce_sum(case.y * tf.math.log(there), axis=-1))
        else:
            loss = tf.reduce_mean(tf.square(there - case.y))
    found = [g.numpy() for g in tape.gradient(loss, model.trainable_weights)]
    yhat, trace = case.forward()
    ours, dy = loss_of(yhat, case.y)
    assert ours == pytest.approx(float(loss), rel=1e-12)
    grads = case._replace(dy=dy).backward(trace, also=())
    # a model whose weights are our gradients: the bridge puts them where Keras keeps them
    for weight, g, there in zip(
        model.trainable_weights, to_keras(kind, grads).get_weights(), found, strict=True
    ):
        try:
            same(g, there, 1e-11)
        except AssertionError as error:
            raise AssertionError(f"{weight.path}: {error}") from None


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


def test_a_functional_model_is_read_too():
    inputs = keras.Input((None, 2))
    below = keras.layers.LSTM(3, return_sequences=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.LSTM(2)(below)))
    assert from_keras(model)[0] == ll.Spec(2, (3, 2), 2, head="softmax")


# ------------------------------------------------------------------------------------------------- refusals


def model_of(*layers, inputs=2):
    return keras.Sequential([keras.Input((None, inputs)), *layers])


LSTM, DENSE = keras.layers.LSTM, keras.layers.Dense


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
            lambda: [keras.layers.GRU(2, name="a"), DENSE(1)],
            r"layer 'a' is a GRU; expected keras.layers.LSTM",
        ),
        (
            lambda: [keras.layers.Bidirectional(LSTM(2), name="a"), DENSE(1)],
            r"layer 'a' is a Bidirectional; expected",
        ),
        (
            lambda: [LSTM(2, return_sequences=True), DENSE(2, name="a"), DENSE(1)],
            r"layer 'a' is a Dense; expected keras.layers.LSTM",
        ),
        (
            lambda: [LSTM(2), DENSE(1, activation="relu", name="a")],
            r"head 'a' has activation 'relu' and use_bias=True; expected linear or softmax",
        ),
        (
            lambda: [LSTM(2), DENSE(1, use_bias=False, name="a")],
            r"head 'a' has activation 'linear' and use_bias=False; .* with a bias",
        ),
        (lambda: [LSTM(2)], r"expected LSTM layers and a Dense head, got \['LSTM'\]"),
        (lambda: [DENSE(1)], r"expected LSTM layers and a Dense head, got \['Dense'\]"),
        (list, r"expected LSTM layers and a Dense head, got \[\]"),
    ],
)
def test_a_model_that_can_not_be_expressed_is_refused_by_name(layers, message):
    with pytest.raises(ValueError, match=message):
        from_keras(model_of(*layers()))


def test_a_stateful_layer_is_refused():
    model = keras.Sequential([keras.Input((4, 2), batch_size=1), LSTM(2, name="a", stateful=True), DENSE(1)])
    with pytest.raises(ValueError, match=r"layer 'a' has stateful=True; only False"):
        from_keras(model)


def test_the_cell_of_the_brief_is_refused_with_the_reason():
    spec = ll.Spec(2, (3,), 1, "brief")
    with pytest.raises(ValueError, match=r"can't express the cell 'brief'; only 'standard' converts"):
        to_keras(spec, ll.init_params(spec))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros((3, 2))}, r"y has shape \(3, 2\); expected \(3, 3\)"),
        ({"params": {}}, r"parameters do not fit the spec: missing \['0/Wh'"),
    ],
)
def test_tf_gradients_refuses(change, message):
    case = build(KINDS["standard-1-linear-last"])._replace(**change)
    with pytest.raises(ValueError, match=message):
        tf_gradients(*case[:4])


# ------------------------------------------------------------------------------------------- keeping silent


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Code in a fresh interpreter, at the top of the project, without the settings of conftest.py."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, timeout=120, check=False
    )


def test_importing_the_bridge_writes_nothing():
    done = run("import lstm_lib.keras_bridge, tensorflow as tf; tf.constant(1.0) + 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


BLOCKED = "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras'])); "


def test_the_library_works_where_there_is_no_tensorflow():
    done = run(
        BLOCKED
        + """
import numpy as np, lstm_lib as ll
from lstm_lib.checks import gradient_check
spec = ll.Spec(1, (2,), 1)
x = np.ones((4, 3, 1))
record = ll.fit(spec, (x, x[:, 0]), epochs=1, progress=False)
print(gradient_check(spec, record.params, x, x[:, 0]).passed)
"""
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


def test_the_bridge_says_what_is_missing():
    done = run(BLOCKED + "import lstm_lib.keras_bridge")
    assert (
        "ImportError: lstm_lib.keras_bridge needs TensorFlow; install it with: pip install tensorflow"
        in done.stderr
    )


def test_importing_the_library_starts_no_heavy_one():
    heavy = ["tensorflow", "keras", "matplotlib", "ipywidgets", "sklearn"]
    done = run(f"import sys, lstm_lib; print([name for name in {heavy} if name in sys.modules])")
    assert done.stdout.strip() == "[]"


def test_batches_are_the_rows_in_order_and_tune_nothing():
    """With tuning the end of an epoch waits for a thread, and Keras looks slower than it is."""
    x, y = np.arange(14.0).reshape(7, 2, 1), np.arange(7.0)[:, None]
    data = batches(x, y, 3)
    assert [len(part) for part, _ in data] == [3, 3, 1]
    for k, array in enumerate((x, y)):
        np.testing.assert_array_equal(np.concatenate([part[k] for part in data]), array)
    assert data.options().autotune.enabled is False

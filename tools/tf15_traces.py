"""Record what TensorFlow 1.5.0 computes: Adam's weight trajectories and the training of a whole LSTM.

TensorFlow 1.5.0 needs Python 3.6; today's Python can't run this file, and doesn't need to: the output,
tests/traces/tf15.json, is stored with the project and is what the tests compare with. To make it again:

    python3.6 -m venv tf15
    for each of absl-py==0.15.0 numpy==1.16.6 six==1.16.0 protobuf==3.17.3 bleach==1.5.0 html5lib==0.9999999
        werkzeug==0.16.1 markdown==2.6.11 tensorflow-tensorboard==1.5.1 tensorflow==1.5.0:
        tf15/bin/pip install --no-deps PACKAGE        (one by one: their own dependencies have moved on)
    tf15/bin/python tools/tf15_traces.py tests/traces/tf15.json

All numbers are float32, written with enough digits to come back exactly.
"""

import json
import platform
import sys

import numpy as np
import tensorflow as tf

STEPS = 40
SETTINGS = [
    {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3},
    {"lr": 0.01, "beta1": 0.0, "beta2": 0.99, "eps": 1e-8},
    {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 0.1},
]


def gradient_sequences():
    """Name -> gradients (STEPS, 5), float32."""
    rng = np.random.RandomState(15)
    noise = rng.standard_normal((STEPS, 5))
    spells = noise.copy()
    spells[5:20, :2] = 0
    spells[12:, 2] = 0
    spells[:8, 3] = 0
    return {
        "tiny": 1e-6 * noise,
        "ordinary": noise,
        "large": 10 * noise,
        "mixed sizes": noise * np.array([1e-6, 1e-4, 1e-2, 1.0, 10.0]),
        "spells of zero": spells,
        "constant": np.ones((STEPS, 5)) * np.array([1e-6, -1e-3, 0.1, -1.0, 10.0]),
    }


def session():
    """One thread, so that sums are added in one order."""
    return tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1))


def adam(settings):
    return tf.train.AdamOptimizer(settings["lr"], settings["beta1"], settings["beta2"], settings["eps"])


def dense_trace(settings, gradients):
    """Weights after every step when the gradient is fed."""
    start = np.linspace(-1, 1, gradients.shape[1]).astype("float32")
    with tf.Graph().as_default(), session() as run:
        w, g = tf.Variable(start), tf.placeholder(tf.float32, start.shape)
        step = adam(settings).apply_gradients([(g, w)])
        run.run(tf.global_variables_initializer())
        weights = []
        for gradient in gradients.astype("float32"):
            run.run(step, {g: gradient})
            weights.append(run.run(w))
    return {"start": start, "gradients": gradients.astype("float32"), "weights": weights}


def sparse_trace(settings):
    """Weights (6 rows of 2) when each step's loss gathers two rows: the gradient is an IndexedSlices."""
    rng = np.random.RandomState(16)
    start = np.linspace(-1, 1, 12).reshape(6, 2).astype("float32")
    rows = np.array([rng.choice(6, 2, replace=False) for _ in range(STEPS)])
    factors = rng.standard_normal((STEPS, 2, 2)).astype("float32")
    with tf.Graph().as_default(), session() as run:
        w = tf.Variable(start)
        at, factor = tf.placeholder(tf.int32, [2]), tf.placeholder(tf.float32, [2, 2])
        loss = tf.reduce_sum(tf.gather(w, at) * factor)
        step = adam(settings).minimize(loss, var_list=[w])
        run.run(tf.global_variables_initializer())
        weights = []
        for k in range(STEPS):
            run.run(step, {at: rows[k], factor: factors[k]})
            weights.append(run.run(w))
    return {"start": start, "rows": rows, "factors": factors, "weights": weights}


def lstm_training(steps=60, batch=6, time=12, inputs=3, units=8):
    """BasicLSTMCell with a dense head on the mean squared error, trained by Adam over four batches in turn."""
    rng = np.random.RandomState(17)
    x = rng.standard_normal((4, batch, time, inputs)).astype("float32")
    y = np.sin(x.sum(axis=(2, 3)))[:, :, None].astype("float32")
    settings = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    with tf.Graph().as_default(), session() as run:
        tf.set_random_seed(18)
        xs, ys = tf.placeholder(tf.float32, [None, time, inputs]), tf.placeholder(tf.float32, [None, 1])
        cell = tf.contrib.rnn.BasicLSTMCell(units, forget_bias=1.0)
        outputs, _ = tf.nn.dynamic_rnn(cell, xs, dtype=tf.float32)
        head_W = tf.get_variable("head_W", [units, 1])
        head_b = tf.get_variable("head_b", [1], initializer=tf.constant_initializer(0.1))
        loss = tf.reduce_mean(tf.square(tf.matmul(outputs[:, -1], head_W) + head_b - ys))
        kernel, bias = cell.trainable_weights
        variables = [kernel, bias, head_W, head_b]
        optimizer = adam(settings)
        pairs = optimizer.compute_gradients(loss, variables)
        step = optimizer.apply_gradients(pairs)
        run.run(tf.global_variables_initializer())
        # non-zero biases, since zeros hide wrong code
        run.run(bias.assign(rng.uniform(-0.5, 0.5, 4 * units).astype("float32")))
        names = ("kernel", "bias", "head_W", "head_b")
        start = dict(zip(names, run.run(variables)))  # noqa: B905  # Python 3.6 has no strict=
        first = dict(zip(names, run.run([g for g, _ in pairs], {xs: x[0], ys: y[0]})))  # noqa: B905
        losses = [run.run([loss, step], {xs: x[k % 4], ys: y[k % 4]})[0] for k in range(steps)]
        final = dict(zip(names, run.run(variables)))  # noqa: B905
    about = {"forget_bias": 1.0, "gate order of kernel and bias": "i, j, f, o", "settings": settings}
    return {
        "about": about,
        "x": x,
        "y": y,
        "start": start,
        "first_gradients": first,
        "losses": losses,
        "final": final,
    }


def plain(value):
    """Arrays as lists; a float32 as the shortest float64 text that gives it back."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, np.floating):
        return float(np.format_float_scientific(value, unique=True))
    return int(value) if isinstance(value, np.integer) else value


def main():
    if tf.__version__ != "1.5.0":
        sys.exit("this file records TensorFlow 1.5.0, not " + tf.__version__)
    sequences = gradient_sequences()
    traces = {
        "made by": f"tools/tf15_traces.py under TensorFlow {tf.__version__}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}",
        "adam": [
            dict(dense_trace(settings, gradients), settings=settings, sequence=name)
            for settings in SETTINGS
            for name, gradients in sorted(sequences.items())
        ],
        "sparse": [dict(sparse_trace(settings), settings=settings) for settings in SETTINGS],
        "lstm": lstm_training(),
    }
    with open(sys.argv[1], "w") as file:
        json.dump(plain(traces), file, sort_keys=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()

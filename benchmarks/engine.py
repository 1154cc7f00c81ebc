"""Forward and backward pass of one batch: ours beside Keras (graph, XLA, fit) and, where installed, PyTorch.

Before anything is timed, all contestants must give the same loss and gradients. "products" is the time of
our own matrix products run alone: what would be left if everything else were free.

    python -m benchmarks.engine [--rounds 15] [--shape 32,96,8,256] [--only PyTorch]

In one process the idle threads of one library take time from the next, PyTorch's most of all; `--only` times a
contestant in a process without the others' turns. benchmarks/README.md has both.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_info

import lstm_lib as ll
from lstm_lib.network.spec import Params
from lstm_lib.training.timing import interleave, speed_up

SHAPES = (
    (32, 96, 8, 256),
    (64, 48, 8, 64),
    (32, 96, 8, 32),
    (64, 168, 8, 128),
)  # batch, steps, inputs, units
FIT_BATCHES = 4  # batches in one call of fit; its time is divided by them
Result = tuple[float, Params]


def ours(spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> Callable[[], Result]:
    """Forward, loss, backward with one workspace, as `fit` runs them."""
    work = ll.Workspace()

    def step() -> Result:
        yhat, trace = ll.forward(spec, params, x, work)
        loss, dy = ll.mse(yhat, y)
        return float(loss), ll.backward(spec, params, trace, dy)

    return step


def products(spec: ll.Spec, x: np.ndarray) -> Callable[[], None]:
    """The matrix products of `ours` and nothing else, on arrays of the same shapes and layout."""
    B, T, D = x.shape
    H = spec.units[0]
    S = H + D + 1
    rng = np.random.default_rng(0)
    weights, sources, dz = (
        rng.standard_normal(s).astype("float32") for s in ((4 * H, S), (T, S, B), (T, 4 * H, B))
    )
    z, dh, product = (
        np.empty((T, 4 * H, B), "float32"),
        np.empty((H, B), "float32"),
        np.empty((4 * H, S), "float32"),
    )
    rows, cols = dz.reshape(4 * H, T * B), sources.reshape(S, T * B)
    Wh = np.ascontiguousarray(weights[:, :H])

    def run() -> None:
        for t in range(T):
            np.matmul(weights, sources[t], out=z[t])
        for t in range(T - 1):
            np.matmul(Wh.T, dz[t], out=dh)
        np.matmul(rows, cols.T, out=product)

    return run


def keras_steps(
    spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray
) -> dict[str, Callable[[], Result]]:
    """Keras's LSTM under tf.function, without and with XLA."""
    from lstm_lib.keras.bridge import KERAS_ORDER, _reorder, keras, tf, to_keras
    from lstm_lib.network.cells import GATES

    model = to_keras(spec, params)
    xt, yt = tf.constant(x), tf.constant(y)

    def gradients() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(keras.ops.square(model(xt, training=True) - yt))
        return loss, tape.gradient(loss, model.trainable_variables)

    def named(step: Callable[[], tuple[tf.Tensor, list[tf.Tensor]]]) -> Callable[[], Result]:
        def run() -> Result:
            loss, found = step()
            kernel, recurrent, bias, W, b = (np.asarray(g) for g in found)
            grads = {
                k: _reorder(g.T, KERAS_ORDER, GATES)
                for k, g in (("0/Wx", kernel), ("0/Wh", recurrent), ("0/b", bias))
            }
            return float(loss), grads | {"head/W": W.T, "head/b": b}

        run.bare = step  # timed without the renaming
        return run

    return {
        "Keras graph": named(tf.function(gradients)),
        "Keras XLA": named(tf.function(gradients, jit_compile=True)),
    }


def keras_fit(spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    """Keras's own training loop over a few batches."""
    from lstm_lib.keras.bridge import batches, keras, to_keras

    model = to_keras(spec, params)
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    many = batches(*(np.concatenate([a] * FIT_BATCHES) for a in (x, y)), len(x))
    return lambda: model.fit(many, verbose=0, shuffle=False)


def torch_step(spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> Callable[[], Result] | None:
    """torch.nn.LSTM with the same weights (gate order i, f, g, o, two biases); None where it isn't installed."""
    try:
        import torch
    except ImportError:
        return None
    from lstm_lib.keras.bridge import _reorder
    from lstm_lib.network.cells import GATES

    order = ("i", "f", "g", "o")
    lstm, head = (
        torch.nn.LSTM(spec.inputs, spec.units[0], batch_first=True),
        torch.nn.Linear(spec.units[0], spec.outputs),
    )
    values = [_reorder(params[f"0/{k}"], GATES, order) for k in ("Wx", "Wh", "b")]
    values += [np.zeros_like(values[2]), params["head/W"], params["head/b"]]
    weights = [*lstm.parameters(), *head.parameters()]
    with torch.no_grad():
        for w, value in zip(weights, values, strict=True):
            w.copy_(torch.from_numpy(value))
    xt, yt = torch.from_numpy(x), torch.from_numpy(y)

    def bare() -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        loss = torch.nn.functional.mse_loss(head(lstm(xt)[0][:, -1]), yt)
        return loss, torch.autograd.grad(loss, weights)

    def run() -> Result:
        loss, found = bare()
        Wx, Wh, b, _, W, head_b = (g.numpy() for g in found)
        grads = {f"0/{k}": _reorder(g, order, GATES) for k, g in (("Wx", Wx), ("Wh", Wh), ("b", b))}
        return float(loss), grads | {"head/W": W, "head/b": head_b}

    run.bare = bare
    return run


def agree(results: dict[str, Result], tolerance: float = 2e-4) -> None:
    """Refuse to time contestants that don't compute the same."""
    loss, grads = results["ours"]
    for name, (other_loss, other) in results.items():
        for k, g in grads.items():
            error = np.abs(other[k] - g).max() / np.abs(g).max()
            if not error < tolerance:
                raise SystemExit(f"{name} and ours differ in {k}: {error:.1e} relative; nothing was timed")
        if not abs(other_loss - loss) < tolerance * abs(loss):
            raise SystemExit(f"{name} and ours differ in the loss: {other_loss} and {loss}")


def contestants(
    spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray, only: str | None
) -> dict[str, Callable[[], object]]:
    """What is timed, after all that give gradients have shown that they give the same."""
    steps: dict[str, Callable[[], Result]] = {"ours": ours(spec, params, x, y)}
    if only in (None, "Keras"):
        steps |= keras_steps(spec, params, x, y)
    if only in (None, "PyTorch") and (torch := torch_step(spec, params, x, y)):
        steps["PyTorch"] = torch
    agree({name: step() for name, step in steps.items()})
    timed: dict[str, Callable[[], object]] = {
        name: getattr(step, "bare", step) for name, step in steps.items()
    }
    if only in (None, "Keras"):
        timed["Keras fit"] = keras_fit(spec, params, x, y)
    timed["products"] = products(spec, x)
    return timed if only is None else {k: run for k, run in timed.items() if k.startswith(only)}


def compare(shape: tuple[int, int, int, int], rounds: int, only: str | None) -> None:
    """Check and time one shape, and print the table."""
    B, T, D, H = shape
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((B, T, D)).astype("float32"), rng.standard_normal((B, 1)).astype("float32")
    spec = ll.Spec(inputs=D, units=(H,), outputs=1)
    timed = contestants(spec, ll.init_params(spec), x, y, only)
    print(f"\nbatch {B}, steps {T}, inputs {D}, units {H}, float32; all gradients agree")
    if not timed:
        raise SystemExit(f"{only} is not installed")
    seconds = interleave(timed, rounds)
    if "Keras fit" in seconds:
        seconds["Keras fit"] /= FIT_BATCHES
    if only is not None:
        print(
            (1e3 * seconds.quantile([0.25, 0.5, 0.75]).T)
            .round(2)
            .set_axis(["25 % ms", "median ms", "75 % ms"], axis=1)
        )
        return
    fastest = seconds[["Keras graph", "Keras XLA", "Keras fit"]].median().idxmin()
    table = speed_up(seconds, fastest).round(2)
    print(table.rename(columns={"speed-up": f"times as fast as {fastest}"}).to_string())
    print(
        f"fastest Keras ({fastest}) / ours: {(seconds[fastest] / seconds['ours']).median():.2f}; "
        f"ours / its own products: {(seconds['ours'] / seconds['products']).median():.2f}"
    )


def command_line(description: str | None) -> argparse.ArgumentParser:
    """What benchmarks over shapes have in common: --rounds and --shape."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--shape", type=lambda s: tuple(map(int, s.split(","))), help="batch,steps,inputs,units"
    )
    return parser


def machine() -> str:
    """The line that every table begins with."""
    threads = max(pool["num_threads"] for pool in threadpool_info())
    return f"NumPy {np.__version__} on {threads} BLAS threads, {os.cpu_count()} processors"


def main() -> None:
    """Parse the command line and run every shape."""
    parser = command_line(__doc__)
    parser.add_argument(
        "--only", choices=("ours", "Keras", "PyTorch", "products"), help="time this one alone"
    )
    args = parser.parse_args()
    print(machine())
    for shape in [args.shape] if args.shape else SHAPES:
        compare(shape, args.rounds, args.only)


if __name__ == "__main__":
    main()

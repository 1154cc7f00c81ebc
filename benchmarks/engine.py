"""Forward and backward pass of one batch: our two engines beside Keras (graph, XLA, fit) and PyTorch, if it is there.

Each contestant runs in a process of its own, since the idle threads of one library take time from the next; these
take turns, and the medians of the turns are compared. A contestant is timed only if its loss and gradients are ours.
"products" is the time of our own matrix products run alone: what would be left if everything else were free.

    python -m benchmarks.engine [--rounds 15] [--turns 3] [--shape 32,96,8,256] [--cell gru] [--only compiled PyTorch]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import lstm_lib as ll
from lstm_lib.network.spec import Params
from lstm_lib.training.step import Step

SHAPES = ((32, 96, 8, 256), (64, 48, 8, 64), (32, 96, 8, 32), (64, 168, 8, 128), (8, 48, 8, 64))
FIT_BATCHES = 4  # batches in one call of fit; its time is divided by them
PROCESS = ExitStack()  # what holds until a contestant's process ends
Result = tuple[float, Params]
Call = Callable[[], object]
Contestant = Callable[[ll.Spec, Params, np.ndarray, np.ndarray], tuple[Call, Callable[[], Result] | None]]


def ours(engine: str, spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> tuple[Call, Call]:
    """Forward, loss, backward with one workspace and on the threads that `fit` takes."""
    ready = Step.ready(spec, ll.Adam(), x.dtype, engine)
    PROCESS.enter_context(ready.threads(len(x)))

    def step() -> Result:
        yhat, trace = ll.forward(spec, params, x, ready.work)
        loss, dy = ll.mse(yhat, y)
        return float(loss), ll.backward(spec, params, trace, dy)

    return step, step


def products(spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> tuple[Call, None]:
    """The matrix products of `ours` and nothing else, on arrays of the same shapes and layout."""
    from lstm_lib.network.trace import Layer

    (B, T, D), H = x.shape, spec.units[0]
    layer = Layer(spec.row, T, B, D, H, x.dtype)
    at, rng = [p for stage in layer.layout.products for p in stage], np.random.default_rng(0)
    layer.sources[...] = rng.standard_normal(layer.sources.shape)
    dz = rng.standard_normal((T, layer.layout.rows, B)).astype(x.dtype)
    back, dh = np.ascontiguousarray(params["0/Wh"].T), np.empty((H, B), x.dtype)
    rows, columns = dz.reshape(-1, T * B), layer.sources[:-1].reshape(-1, T * B)

    def run() -> None:
        for t in range(T):
            for p, w in zip(at, layer.weights, strict=True):
                np.matmul(w, layer.sources[t, p.columns], out=layer.values[t, p.blocks])
        for t in range(T - 1):
            np.matmul(back, dz[t, : back.shape[1]], out=dh)
        for p in at:
            np.matmul(rows[p.blocks], columns[p.columns].T)

    return run, None


def keras_step(xla: bool, spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> tuple[Call, Call]:
    """Keras's layer under tf.function; its gradients as parameters of ours."""
    from lstm_lib.keras import from_keras, keras, tf, to_keras

    model = to_keras(spec, params)
    xt, yt = tf.constant(x), tf.constant(y)

    @partial(tf.function, jit_compile=xla)
    def step() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(keras.ops.square(model(xt, training=True) - yt))
        return loss, tape.gradient(loss, model.trainable_variables)

    def result() -> Result:
        loss, grads = step()
        other = to_keras(spec, params)
        other.set_weights([np.asarray(g) for g in grads])  # gradients have the layout of the weights
        return float(loss), from_keras(other)[1]

    return step, result


def keras_fit(spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> tuple[Call, None]:
    """Keras's own training loop over a few batches."""
    from lstm_lib.keras import batches, keras, to_keras

    model = to_keras(spec, params)
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    many = batches(*(np.concatenate([a] * FIT_BATCHES) for a in (x, y)), len(x))
    return lambda: model.fit(many, verbose=0, shuffle=False), None


def torch_step(spec: ll.Spec, params: Params, x: np.ndarray, y: np.ndarray) -> tuple[Call, Call]:
    """torch.nn.LSTM or GRU with the same weights (gate orders i, f, g, o and r, z, n; two biases)."""
    import torch

    kind, order = {"standard": (torch.nn.LSTM, "ifgo"), "gru": (torch.nn.GRU, "rzg")}[spec.cell]
    gates, H = spec.row.gates, spec.units[0]
    layer, head = kind(spec.inputs, H, batch_first=True), torch.nn.Linear(H, spec.outputs)

    def turned(a: np.ndarray, given: str, wanted: str) -> np.ndarray:
        blocks = dict(zip(given, np.split(a, len(given)), strict=True))
        return np.concatenate([blocks[gate] for gate in wanted])

    matrices = [params[f"0/{m}"] for m in ("Wx", "Wh", "b")]
    matrices.append(params["0/bh"] if "0/bh" in params else np.zeros_like(params["0/b"]))
    values = [turned(a, gates, order) for a in matrices] + [params["head/W"], params["head/b"]]
    weights = [*layer.parameters(), *head.parameters()]
    with torch.no_grad():
        for w, value in zip(weights, values, strict=True):
            w.copy_(torch.from_numpy(value))
    xt, yt = torch.from_numpy(x), torch.from_numpy(y)

    def step() -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        loss = torch.nn.functional.mse_loss(head(layer(xt)[0][:, -1]), yt)
        return loss, torch.autograd.grad(loss, weights)

    def result() -> Result:
        loss, found = step()
        *own, W, b = (g.numpy() for g in found)
        grads = {f"0/{m}": turned(g, order, gates) for m, g in zip(("Wx", "Wh", "b", "bh"), own, strict=True)}
        return float(loss.detach()), {k: g for k, g in grads.items() if k in params} | {
            "head/W": W,
            "head/b": b,
        }

    return step, result


CONTESTANTS: dict[str, Contestant] = {
    "compiled": partial(ours, "compiled"),
    "plain": partial(ours, "plain"),
    "PyTorch": torch_step,
    "Keras graph": partial(keras_step, False),
    "Keras XLA": partial(keras_step, True),
    "Keras fit": keras_fit,
    "products": products,
}


def case(shape: tuple[int, ...], cell: str) -> tuple[ll.Spec, Params, np.ndarray, np.ndarray]:
    """The network and the batch, the same in every process."""
    (B, T, D, H), rng = shape, np.random.default_rng(0)
    x, y = rng.standard_normal((B, T, D)).astype("float32"), rng.standard_normal((B, 1)).astype("float32")
    spec = ll.Spec(D, (H,), 1, cell)
    return spec, ll.init_params(spec), x, y


def run_one(name: str, shape: tuple[int, ...], cell: str, rounds: int, folder: Path) -> None:
    """Time one contestant in this process; leave its seconds and its gradients."""
    spec, params, x, y = case(shape, cell)
    try:
        step, result = CONTESTANTS[name](spec, params, x, y)
    except ModuleNotFoundError:
        return
    if result is not None:
        loss, grads = result()
        reference, expected = ours("plain", spec, params, x, y)[1]()
        for k, g in expected.items():
            error = np.abs(grads[k] - g).max() / np.abs(g).max()
            if not (error < 2e-4 and abs(loss - reference) < 2e-4 * abs(reference)):
                raise SystemExit(
                    f"{name} differs from the plain engine in {k}: {error:.1e} relative; it is not timed"
                )
    seconds = []
    for k in range(rounds + 2):
        began = time.perf_counter()
        step()
        if k >= 2:
            seconds.append(time.perf_counter() - began)
    np.save(folder / f"{name}.npy", np.array(seconds) / (FIT_BATCHES if name == "Keras fit" else 1))


def compare(shape: tuple[int, ...], cell: str, rounds: int, turns: int, names: list[str]) -> None:
    """Have the contestants take turns, each in a process of its own, and print the table."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(turns):
            for name in names:
                words = ["--shape", ",".join(map(str, shape)), "--cell", cell, "--rounds", str(rounds)]
                command = [sys.executable, "-m", "benchmarks.engine", "--run", name, folder, *words]
                subprocess.run(command, check=True)
                path = Path(folder) / f"{name}.npy"
                if path.exists():
                    found.setdefault(name, []).append(float(np.median(np.load(path))))
    table = 1e3 * pd.DataFrame(found).quantile([0, 0.5, 1]).T
    table.columns = ["lowest ms", "median ms", "highest ms"]
    if "compiled" in table.index:
        table["times as long as compiled"] = table["median ms"] / table.loc["compiled", "median ms"]
    print(f"\n{cell}: batch {shape[0]}, steps {shape[1]}, inputs {shape[2]}, units {shape[3]}, float32")
    print(table.round(2).to_string())


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
    from threadpoolctl import threadpool_info

    threads = max(pool["num_threads"] for pool in threadpool_info())
    load = " ".join(f"{a:.1f}" for a in os.getloadavg())
    return f"NumPy {np.__version__} on {threads} BLAS threads, {os.cpu_count()} processors, load {load}"


def main() -> None:
    """Parse the command line and run every shape, or one contestant in this process."""
    parser = command_line(__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--cell", default="standard", choices=("standard", "gru"))
    parser.add_argument("--only", nargs="*", choices=CONTESTANTS, default=[*CONTESTANTS])
    parser.add_argument(
        "--run", nargs=2, metavar=("NAME", "FOLDER"), help="for the processes of the contestants"
    )
    args = parser.parse_args()
    if args.run:
        run_one(args.run[0], args.shape, args.cell, args.rounds, Path(args.run[1]))
        return
    print(machine())
    for shape in [args.shape] if args.shape else SHAPES:
        compare(shape, args.cell, args.rounds, args.turns, args.only)


if __name__ == "__main__":
    main()

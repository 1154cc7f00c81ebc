"""A training step of a Keras model: keras.layers.LSTM beside IsolatedLSTM, dense and under plans; graph and XLA.

All contestants are one model, its layer swapped by `isolate_layer`; each runs `train_step` of Keras, that is forward
and backward pass, Adam and metrics, as `fit` runs it, without the input pipeline of `fit`. Before anything is timed all
give the loss of keras.layers.LSTM, and all but "cut" and a span the gradient of active arcs; for these the distance is
shown. They take turns in one process, each mode against the keras.layers.LSTM of the same mode.

    python -m benchmarks.keras_layer [--rounds 15] [--shape 32,96,8,256] [--threads 2]
                                     [--csv benchmarks/keras_layer.csv]
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.engine import SHAPES, command_line
from lstm_lib.training.timing import interleave, speed_up

KERAS = "keras.layers.LSTM"
EXACT = 2e-4  # relative error that float32 may have


def plans(T: int, H: int) -> dict[str, tuple[str, str, int | None]]:
    """Zone, depth and span by name. Shares are of active units."""
    some = np.random.default_rng(0).choice(H, H - H // 4, replace=False)
    quarter = f"0[{H // 4}:{H}]"
    return {
        "nothing isolated": ("nothing", "skip", None),
        "hold 25%": (quarter, "hold", None),
        "skip 25%": (quarter, "skip", None),
        "cut 50%": (f"0[{H // 2}:{H}]", "cut", None),
        "cut 25%": (quarter, "cut", None),
        "cut 25%, any units": (f"0[{','.join(map(str, np.sort(some)))}]", "cut", None),
        f"nothing isolated, span {T // 4}": ("nothing", "skip", T // 4),
        f"cut 25%, span {T // 4}": (quarter, "cut", T // 4),
        "head alone, skip": ("0", "skip", None),
        "head alone, cut": ("0", "cut", None),
    }


def gradients(model: Any, x: Any, y: Any) -> tuple[float, list[np.ndarray]]:
    """Loss, and the gradients of kernel, recurrent kernel and bias, NaN for isolated arcs."""
    from lstm_lib.keras import IsolatedLSTM, keras, tf

    layer = model.layers[0]
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.ops.square(model(x, training=True) - y))
    found = [np.asarray(g) for g in tape.gradient(loss, layer.trainable_weights)]
    if not isinstance(layer, IsolatedLSTM):
        return float(loss), found
    values, full = iter(found), []
    for matrix, split in layer.arcs.splits.items():
        parts = {k: next(values) if k == "active" else np.full(s, np.nan) for k, s in split.shapes.items()}
        full.append(layer.arcs.join(matrix, parts))
    return float(loss), full


def distance(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """Of the active arcs' gradient from that of Keras, relative to its norm."""
    pairs = [(a[~np.isnan(a)], b[~np.isnan(a)]) for a, b in zip(ours, theirs, strict=True)]
    norm = np.sqrt(sum((b**2).sum() for _, b in pairs))
    return float(np.sqrt(sum(((a - b) ** 2).sum() for a, b in pairs)) / norm) if norm else 0.0


def models(shape: tuple[int, int, int, int], x: Any, y: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """The model with each layer, and how far its gradient is from that of keras.layers.LSTM."""
    from lstm_lib.keras import isolate_layer, keras

    _, T, D, H = shape
    dense = keras.Sequential([keras.Input((T, D)), keras.layers.LSTM(H, name="lstm"), keras.layers.Dense(1)])
    frozen = keras.models.clone_model(dense)
    frozen.set_weights(dense.get_weights())
    frozen.layers[0].trainable = False
    made, apart = {KERAS: dense, f"{KERAS}, trainable=False": frozen}, {}
    loss, theirs = gradients(dense, x, y)
    for name, (zone, depth, span) in plans(T, H).items():
        made[name] = isolate_layer(dense, "lstm", zone, depth, span)
        found, ours = gradients(made[name], x, y)
        apart[name] = distance(ours, theirs)
        exact = (depth != "cut" or zone == "0") and span is None
        if not abs(found - loss) < EXACT * abs(loss) or (exact and not apart[name] < EXACT):
            raise SystemExit(
                f"{name}: loss {found} beside {loss}, gradient {apart[name]:.1e} apart; nothing timed"
            )
    return made, apart


def stepper(model: Any, x: Any, y: Any, jit: bool) -> Callable[[], object]:
    """Keras's own training step on one batch."""
    from lstm_lib.keras import keras, tf

    model.compile(keras.optimizers.Adam(1e-6), "mse", jit_compile=jit)
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, jit_compile=jit, autograph=False)
    step((x, y))
    return lambda: step((x, y))["loss"].numpy()


def compare(shape: tuple[int, int, int, int], rounds: int) -> pd.DataFrame:
    """One row a contestant and mode: median ms, and how many times as fast as keras.layers.LSTM in that mode."""
    from lstm_lib.keras import tf

    B, T, D, _ = shape
    rng = np.random.default_rng(0)
    x, y = (tf.constant(rng.standard_normal(s).astype("float32")) for s in ((B, T, D), (B, 1)))
    steps: dict[str, Callable[[], object]] = {}
    for mode, jit in (("graph", False), ("XLA", True)):
        made, apart = models(shape, x, y)
        steps |= {f"{mode}: {name}": stepper(model, x, y, jit) for name, model in made.items()}
    seconds = interleave(steps, rounds)
    tables = []
    for mode in ("graph", "XLA"):
        table = speed_up(seconds.filter(regex=f"^{mode}: "), f"{mode}: {KERAS}")
        table.index = [name.removeprefix(f"{mode}: ") for name in table.index]
        table.insert(0, "mode", mode)
        table.insert(1, "apart", table.index.map(apart))
        tables.append(table)
    table = pd.concat(tables).rename_axis("layer").reset_index()
    table.insert(0, "shape", ",".join(map(str, shape)))
    return table


def compare_changes(shape: tuple[int, int, int, int]) -> pd.DataFrame:
    """What it costs to change the zone between two steps of a compiled model: set_zone, and the step after it."""
    from lstm_lib.keras import IsolatedLSTM, keras

    B, T, D, H = shape
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(s).astype("float32") for s in ((B, T, D), (B, 1)))
    zones = [f"0[{','.join(map(str, np.sort(rng.choice(H, H // 2, replace=False))))}]" for _ in range(5)]
    rows = []
    for mode, jit in (("graph", False), ("XLA", True)):
        layer = IsolatedLSTM(H, zones[0], "cut")
        model = keras.Sequential([keras.Input((T, D)), layer, keras.layers.Dense(1)])
        model.compile("adam", "mse", jit_compile=jit)
        model.train_on_batch(x, y)
        changes = {
            "another zone of the same structure": zones[1:],
            "of another structure": ["0/Wh/f", zones[0]],
        }
        for what, chosen in changes.items():
            taken = []
            for zone in chosen:
                began = time.perf_counter()
                layer.set_zone(zone, model=model)
                between = time.perf_counter()
                model.train_on_batch(x, y)
                taken.append((between - began, time.perf_counter() - between))
            change, step = 1e3 * np.median(taken, axis=0)
            rows.append({"mode": mode, "zone": what, "set_zone ms": change, "next step ms": step})
    return pd.DataFrame(rows)


def main() -> None:
    """Parse the command line and run every shape."""
    parser = command_line(__doc__)
    parser.add_argument("--threads", type=int, default=2, help="of TensorFlow, for one operation")
    parser.add_argument("--csv", type=Path, help="write the tables here as one CSV file")
    args = parser.parse_args()
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(args.threads)
    from lstm_lib.keras import keras, tf

    tf.get_logger().setLevel("ERROR")  # it warns of every graph beyond the fifth
    print(f"Keras {keras.__version__}, TensorFlow {tf.__version__} on {args.threads} threads, float32")
    tables = []
    for shape in [args.shape] if args.shape else SHAPES:
        tables.append(compare(shape, args.rounds))
        print(f"\nbatch, steps, inputs, units: {shape}; {args.rounds} rounds")
        shown = tables[-1].drop(columns="shape").round({"median ms": 2, "speed-up": 2, "25 %": 2, "75 %": 2})
        print(shown.to_string(index=False, formatters={"apart": lambda v: "" if np.isnan(v) else f"{v:.1e}"}))
    print(f"\nanother zone between two steps, {args.shape or SHAPES[0]}")
    print(compare_changes(args.shape or SHAPES[0]).round(1).to_string(index=False))
    if args.csv:
        pd.concat(tables).to_csv(args.csv, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()

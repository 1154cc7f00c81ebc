"""One run: a configuration and a seed make a `Record`, and a record makes a row, flat enough for a table.

The seed decides the initial weights and the order of the batches, so runs with one seed share both, in either engine,
where their networks have one shape. What the row says of the test part is for reporting: nothing is chosen by it.
"""

from __future__ import annotations

import gc
import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.experiments.configuration import Configuration
from lstm_lib.isolation.plan import Plan, dense
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import init_params
from lstm_lib.network.trace import Workspace
from lstm_lib.series import Sequences, Split, Windows, metrics
from lstm_lib.series.sequences import windows_of
from lstm_lib.training.loop import fit
from lstm_lib.training.rates import RATES
from lstm_lib.training.record import Checkpoint, Diverged, Record
from lstm_lib.training.samples import digest, predict
from lstm_lib.training.schedules import Moment, plan_at

MOMENTS = 200  # at how many steps, about, a schedule is asked what its plan costs
# What has to come out the same, bit for bit, when a run is made once more.
NUMBERS = ("train_loss", "valid_rmse", "test_rmse", "test_mae", "diverged")


def run(configuration: Configuration, seed: int) -> Record:
    """Train once and return the record.

    KeyboardInterrupt when the run is interrupted, `Diverged` when its loss is no longer finite.
    """
    if configuration.engine != "lstm_lib":
        return _run_keras(configuration, seed)
    samples = configuration.task.samples()
    settings = {name: getattr(configuration, name) for name in ("epochs", "batch", "rate", "threads")}
    record = fit(
        configuration.spec, samples.train, samples.valid, seed=seed, optimizer=configuration.adam,
        isolation=configuration.plan, progress=False, **settings,
    )  # fmt: skip
    if record.interrupted:
        raise KeyboardInterrupt
    return record


# ----------------------------------------------------------------------------------------------------------- Keras


def _run_keras(configuration: Configuration, seed: int) -> Record:
    """The same training in Keras: weights, order of batches and rate of every step are those of `fit`.

    What costs Keras least: the rows of an epoch are put in order beforehand and cut by `lstm_lib.keras.batches`, an
    epoch is one call of `fit` and one execution of its graph, and that is made before the first; none of this counts as
    training time. The engine "keras" is compiled as Keras decides by itself, which for an LSTM on a processor is
    without XLA; "keras-xla" with it.
    Keras' training loss gives every sample the same weight, ours every batch. The record can't be resumed.
    """
    _set_tensorflow_threads(configuration.threads)
    from lstm_lib.keras import from_keras, to_keras

    gc.collect()  # what an earlier model leaves behind has threads, which would run beside this one
    parts, spec, batch = configuration.task.samples(), configuration.spec, configuration.batch
    samples = parts.train
    params = init_params(spec, seed, windows_of(samples).values.dtype)
    rows, output = len(samples), spec.output
    if isinstance(samples, Sequences):
        rows, output = samples.fewest(), "every"
    model, steps = to_keras(replace(spec, output=output), params), -(-rows // batch)
    xla = True if configuration.engine == "keras-xla" else "auto"
    model.compile(_keras_adam(configuration, steps), "mse", jit_compile=xla, steps_per_execution=steps)
    # as many rows as hold every size of a batch: a whole one, and what is left for the last
    few = rows if steps == 1 else batch + rows % batch
    _build_step(model, _batches(tuple(a[:few] for a in _epoch(samples, seed, 1, batch)), batch))
    config = {name: getattr(configuration, name) for name in ("batch", "epochs", "rate", "threads")}
    config |= {"seed": seed, "isolation": None, "train": "keras"}
    config["optimizer"] = {"keras": asdict(configuration.adam)}
    record, work = Record.begin(spec, config, params, configuration.adam.init(params)), Workspace()
    for epoch in range(1, configuration.epochs + 1):
        data = _batches(_epoch(samples, seed, epoch, batch), batch)
        began = perf_counter()
        fitted = model.fit(data, epochs=1, shuffle=False, verbose=0)
        seconds = perf_counter() - began
        loss, found = float(fitted.history["loss"][0]), from_keras(model)[1]
        if not (np.isfinite(loss) and all(np.isfinite(p).all() for p in found.values())):
            hint = f"try a smaller learning rate than {configuration.lr}"
            raise Diverged(f"loss is {loss} in epoch {epoch}; {hint}", record)
        record.params = found
        record.close_epoch(seconds, loss, Checkpoint(found, record.checkpoint.state), parts.valid, work)
    return record


def _epoch(samples: Windows | Sequences, seed: int, epoch: int, batch: int) -> tuple[Array, ...]:
    """x, y and, of sequences, weights whose mean is 1: what `fit` takes in this epoch, in its order."""
    rng = np.random.default_rng([seed, epoch])
    if not isinstance(samples, Sequences):
        return samples.take(rng.permutation(len(samples)))
    now, order = samples.round(rng, batch)
    rows = np.concatenate(order)[: samples.fewest()]
    weights = now.weights(rows)
    x, y = now.take(rows)
    return x, y, weights / weights.mean()


def _set_tensorflow_threads(threads: int) -> None:
    """TensorFlow reads the number once, when it starts; ValueError if it has started with another."""
    wanted = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(threads))
    if "tensorflow" not in sys.modules:
        os.environ.update(wanted)
    if found := {name: now for name, then in wanted.items() if (now := os.environ.get(name)) != then}:
        raise ValueError(
            f"TensorFlow has started with {found}, and this run wants {threads} threads; start Python anew, or set "
            "the variables before TensorFlow is imported"
        )


def _keras_adam(configuration: Configuration, steps: int) -> Any:
    """Keras' Adam with the numbers of ours, and with the rate that `fit` has at every step."""
    from lstm_lib.keras import keras, tf

    adam, rate, total = configuration.adam, RATES[configuration.rate], configuration.epochs * steps
    rates = tf.constant([adam.lr * rate(k / total) for k in range(total)], "float32")

    class Rates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            # gather, not rates[…]: XLA takes the bounds of a slice as constants and would compile every step anew
            return tf.gather(rates, tf.minimum(tf.cast(step, "int32"), total - 1))

    return keras.optimizers.Adam(
        learning_rate=Rates(),
        beta_1=adam.beta1,
        beta_2=adam.beta2,
        epsilon=adam.eps,
        amsgrad=adam.amsgrad,
        weight_decay=adam.weight_decay or None,
        global_clipnorm=adam.clip_norm,
    )


def _batches(arrays: tuple[Array, ...], batch: int) -> Any:
    from lstm_lib.keras import batches

    x, y, *weights = arrays
    return batches(x, y, batch, *weights)


def _build_step(model: Any, data: Any) -> None:
    """Have Keras make the graph of its step; weights and optimiser are put back to where they were."""
    weights = model.get_weights()
    model.fit(data, shuffle=False, verbose=0)
    model.set_weights(weights)
    for variable in model.optimizer.variables:
        if variable.name != "learning_rate":
            variable.assign(np.zeros(variable.shape, variable.dtype))


# ------------------------------------------------------------------------------------------------------------- row


def row(
    configuration: Configuration,
    seed: int,
    record: Record,
    *,
    alone: bool = False,
    diverged: str = "",
    load: float | None = None,
) -> dict[str, Any]:
    """What a table says of a run: flat, fit for JSON.

    key, name, group, seed; the settings; then

    seconds, epoch_seconds : training alone, in all and a list by epoch.
    train_loss, valid_rmse : lists by epoch; `last_valid`, `best_valid`, `best_epoch` from the latter.
    test_rmse, test_mae, test_days : with the parameters of the last epoch, in the unit of the series; the last a list
        of mean squared errors by day. None where the configuration isn't to be tested.
    predicted : how many times as fast as the dense step the cost model has it, over the whole training.
    updated : share of the arcs that were updated, mean over the steps.
    alone : whether nothing ran beside it, as in `sweep(timed=True)`; only then its seconds count.
    diverged : why it has no errors, or "".
    threads, versions, machine, load, date : where and when. `load` is how many cores other processes kept busy during
        the run (`load.py`); None where the system doesn't tell.
    """
    spec, split, history = configuration.spec, configuration.task.split(), record.history.to_dict("list")
    rmse, seconds = history["valid_rmse"], history["seconds"]
    best = int(np.argmin(rmse)) if rmse else 0
    trained = record.config.get("train")
    if configuration.engine == "lstm_lib" and trained != digest(configuration.task.samples().train):
        raise ValueError(f"the record was trained on other data than {configuration.task.series} holds now")
    own = {
        "key": configuration.key(seed),
        "name": configuration.name,
        "group": configuration.group,
        "seed": int(seed),
        **configuration.task.describe(),
        **{k: getattr(configuration, k) for k in ("cell", "epochs", "batch", "lr", "rate", "engine")},
        "units": "-".join(map(str, configuration.units)),
        "isolation": "" if configuration.plan is None else str(configuration.plan.describe()),
        "optimizer": str(dict(configuration.optimizer)) if configuration.optimizer else "",
        "seconds": record.seconds,
        "epoch_seconds": seconds,
        "train_loss": history["train_loss"],
        "valid_rmse": rmse,
        "last_valid": rmse[-1] if rmse else None,
        "best_valid": rmse[best] if rmse else None,
        "best_epoch": best + 1 if rmse else None,
        "test_rmse": None,
        "test_mae": None,
        "test_days": None,
    }
    if configuration.tested and not diverged:
        own |= _tested(split, split.unscale(predict(spec, record.params, split.test)))
    own |= {"updated": None if configuration.engine == "lstm_lib" else 1.0, "predicted": None}
    if configuration.engine == "lstm_lib" and rmse:
        step, own["updated"] = predicted_step(configuration, record)
        own["predicted"] = _seconds(dense(spec), configuration) / step
    own |= {
        "alone": alone,
        "diverged": diverged,
        "threads": record.config["threads"],
        "versions": versions(configuration.engine, record.config.get("engine", "")),
        "machine": machine(),
        "load": None if load is None else round(load, 2),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return own


def _tested(split: Split, yhat: Array) -> dict[str, Any]:
    """The errors of the test part; of each local day of it, in order, to five digits."""
    part, scores = split.test, metrics(split.test.actual, yhat)
    days = part.times.tz_convert(part.series.timezone).normalize()
    squares = pd.Series(np.mean((yhat - part.actual) ** 2, axis=1)).groupby(np.asarray(days)).mean()
    found = {f"test_{name}": scores[name] for name in ("rmse", "mae")}
    return found | {"test_days": [float(f"{value:.5g}") for value in squares]}


def predicted_step(configuration: Configuration, record: Record | None = None) -> tuple[float, float]:
    """Seconds of a training step by the cost model, and the share of arcs it updates, means over the training.

    A schedule that chooses by evidence needs the record of the training, and then counts its complete epochs.

    >>> from lstm_lib.experiments import Task
    >>> seconds, updated = predicted_step(Configuration("dense", Task(lookback=3, every=200), units=(2,)))
    >>> 0 < seconds < 1, updated
    (True, 1.0)
    """
    spec = configuration.spec
    moments = _moments(configuration.epochs, steps_of_epoch(configuration), record)
    plans = [plan_at(configuration.plan, spec, moment) for moment in moments]
    costs = {plan: _seconds(plan, configuration) for plan in set(plans)}
    seconds = float(np.mean([costs[plan] for plan in plans]))
    return seconds, float(np.mean([1 - plan.zone.share for plan in plans]))


def steps_of_epoch(configuration: Configuration) -> int:
    """How many training steps an epoch has.

    >>> from lstm_lib.experiments import Task
    >>> steps_of_epoch(Configuration("dense", Task(lookback=3, every=200), batch=32))
    4
    """
    batch, train = configuration.batch, configuration.task.samples().train
    if isinstance(train, Sequences):
        return len(train.round(np.random.default_rng(0), batch)[1])
    return -(-len(train) // batch)


def _seconds(plan: Plan, configuration: Configuration) -> float:
    """What a step on this task costs under a plan."""
    task, batch = configuration.task, configuration.batch
    cost = (
        plan.cost(task.lookback, batch)
        if task.length is None
        else plan.cost(task.length, batch, output="every")
    )
    return cost.seconds.total


def _moments(epochs: int, steps: int, record: Record | None) -> Iterator[Moment]:
    """Steps of every epoch: all, or some that a fixed seed draws, about `MOMENTS` in the whole training.

    The evidence is that of the end; a schedule that chooses by it reads there what it chose at each epoch.
    """
    rng, some, last, evidence = np.random.default_rng(0), min(steps, -(-MOMENTS // epochs)), epochs, None
    if record is not None and record.checkpoint.watched is not None:
        last, evidence = len(record.history), record.evidence()
    for epoch in range(1, last + 1):
        for k in np.sort(rng.choice(steps, some, replace=False)):
            yield Moment(epoch, epochs, (epoch - 1) * steps + int(k), evidence)


def versions(engine: str = "lstm_lib", loops: str = "plain") -> str:
    """The versions that a run by this engine, with "plain" or "compiled" loops, depends on, in one line."""
    others = (
        ["numba", "scipy"] if loops == "compiled" else ["tensorflow", "keras"] if engine != "lstm_lib" else []
    )
    found = {"lstm_lib": sys.modules["lstm_lib"].__version__} | {k: version(k) for k in ("numpy", *others)}
    return f"Python {platform.python_version()}, " + ", ".join(f"{k} {v}" for k, v in found.items())


def machine() -> str:
    """Processor, system, the library of NumPy's products with its kernels; one line, without the name."""
    from threadpoolctl import threadpool_info

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    # the kind of processor whose kernels OpenBLAS chose; much of its speed hangs on it, other libraries don't tell
    pools = [pool for pool in threadpool_info() if pool["version"] == blas["version"]]
    kernels = next((f" for {kind}" for pool in pools if (kind := pool.get("architecture"))), "")
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*:\s*(.*\S)", text, re.MULTILINE)
    processor = model[1] if model else platform.processor() or platform.machine()
    return f"{os.cpu_count()} x {processor}, {platform.system()}, {blas['name']} {blas['version']}{kernels}"

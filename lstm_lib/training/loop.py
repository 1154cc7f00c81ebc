"""The training loop: `fit` runs epochs of steps and leaves a `Record`; `in_steps` pauses after each step.

The whole step is `Step.__call__` (`step.py`). A record can be saved, loaded and resumed: resuming gives the same
numbers, bit for bit, as a run that was never interrupted, since the order of the batches depends on the seed and the
epoch alone and every epoch ends with a checkpoint.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import inspect
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Params, Spec, copy_params, init_params
from lstm_lib.series.sequences import windows_of

from .adam import Adam
from .callbacks import Bar, Progress, Stop, Told, as_callbacks, show
from .edges import OutOfType
from .evidence import Tally
from .parts import NotFinite
from .rates import Rate, as_rate
from .record import Checkpoint, Diverged, Record
from .samples import Samples, as_samples, digest
from .schedules import Moment, PlanOrSchedule, needs_of, plan_at
from .settings import whole
from .sources import Source
from .step import Step

# What others call an argument of `fit`, or what belongs elsewhere.
MEANT = {field.name: f"optimizer=Adam({field.name}=...)" for field in dataclasses.fields(Adam)} | {
    "learning_rate": "optimizer=Adam(lr=...)",
    "schedule": "rate=... for the learning rate; a schedule of plans goes to isolation=...",
    "plan": "isolation=...",
    "batch_size": "batch=...",
    "validation_data": "valid=...",
    "verbose": "progress=...",
    "each_epoch": "callbacks=[function], called with a Progress",
    "each_step": "callbacks=[...] with a Callback that has after_step",
    "patience": "callbacks=[EarlyStopping(patience=...)]",
}
P = ParamSpec("P")
R = TypeVar("R")


def _says_what_was_meant(function: Callable[P, R]) -> Callable[P, R]:
    """Answer an argument that the function lacks with the one that was probably meant."""
    known = inspect.signature(function).parameters

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                near = [f"{close}=..." for close in difflib.get_close_matches(name, known, n=1)]
                meant = MEANT.get(name) or next(iter(near), f"one of {', '.join(known)}")
                raise TypeError(f"{function.__name__}() has no argument {name!r}; give {meant}")
        return function(*args, **kwargs)

    return checked


@_says_what_was_meant
def fit(
    spec: Spec,
    train: Samples | tuple[Array, Array],
    valid: Samples | tuple[Array, Array] | None = None,
    *,
    seed: int = 0,
    epochs: int = 5,
    batch: int = 32,
    optimizer: Adam | None = None,
    isolation: PlanOrSchedule | None = None,
    rate: str | Rate = "constant",
    params: Params | None = None,
    threads: int | None = None,
    memory: int = 2**30,
    folder: str | Path | None = None,
    watch: bool = False,
    progress: bool = True,
    callbacks: Iterable[Told] = (),
    resume: Record | None = None,
) -> Record:
    """Train a network and return the record of the run.

    Parameters
    ----------
    train, valid : a part of a split, from `lstm_lib.windows` or `lstm_lib.sequences`, or a pair of arrays x (N, T, D),
        y (N, O). Of sequences, the loss is the mean over the steps that count, and validation forecasts the hours of
        `valid.windows` in one pass.
    seed : of the initial parameters, of the order of the batches and of the offsets of sequences.
    epochs, batch : how often all samples are seen, and how many at a time (of streams, how many run side by side); the
        last batch may be smaller.
    optimizer : an `Adam`; None takes its defaults.
    isolation : a `Plan` from `isolate`, or a schedule of plans from `lstm_lib.schedules`; None isolates nothing.
    rate : factor on the learning rate as a function of the share of steps made: "constant", "cosine", "step", or a
        function of a number from 0 to 1.
    params : start from these (they are copied); None draws them from the seed.
    threads : at most so many; None takes one where the products of a step are small, and those that there are where
        they or the batch are large. Recorded either way; None is recorded without threadpoolctl, which it takes.
    memory, folder : bytes of states that depth "cache" may keep in memory, and where it may write a file if that is
        not enough; without a folder, what does not fit is computed anew each time.
    watch : note gradients and changes of every arc on the way, for the statistics of `lstm_lib.score`; a schedule
        that chooses by these watches in any case. It costs less than one per cent of a step.
    progress : show a progress bar (by tqdm, where it is installed), and say on stderr why the run ended early, and
        that the network's loops are compiled, which takes some seconds the first time.
    callbacks : see `lstm_lib.callbacks`: functions that are called after every epoch, or objects that are called
        after every step too; any of them can end the run. They are not timed.
    resume : a record of the same settings; training goes on after its last complete epoch, with the engine that the
        record names (`del record.config["engine"]` lets this machine choose, at the price of other rounding).

    Ctrl-C ends the run and returns what was learned so far, with `interrupted` set.
    Raises ValueError on settings that do not fit, TypeError for an argument that there isn't, `Diverged` when the loss
    is no longer finite.

    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5, 1)
    >>> record = fit(Spec(1, (3,), 1), (x, x[:, -1]), epochs=2, batch=4, progress=False)
    >>> record.history["epoch"].tolist()
    [1, 2]
    """
    steps = in_steps(
        spec, train, valid, seed=seed, epochs=epochs, batch=batch, optimizer=optimizer, isolation=isolation, rate=rate,
        params=params, threads=threads, memory=memory, folder=folder, watch=watch, progress=progress,
        callbacks=callbacks, resume=resume,
    )  # fmt: skip
    while True:
        try:
            next(steps)
        except StopIteration as end:
            record: Record = end.value
            return record
        except KeyboardInterrupt:  # between two steps; before the first it is passed on
            try:
                steps.throw(KeyboardInterrupt)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]


def in_steps(
    spec: Spec,
    train: Samples | tuple[Array, Array],
    valid: Samples | tuple[Array, Array] | None = None,
    *,
    seed: int = 0,
    epochs: int = 5,
    batch: int = 32,
    optimizer: Adam | None = None,
    isolation: PlanOrSchedule | None = None,
    rate: str | Rate = "constant",
    params: Params | None = None,
    threads: int | None = None,
    memory: int = 2**30,
    folder: str | Path | None = None,
    watch: bool = False,
    progress: bool = True,
    callbacks: Iterable[Told] = (),
    resume: Record | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[Progress, None, Record]:
    """The training that `fit` makes, step by step: after each it pauses, and goes on when it is asked for the next.

    So several trainings can take turns, and a page can answer clicks meanwhile, without a thread. Its value is the
    record. Parameters and errors as for `fit`; what passes between two steps is not counted.

    clock : seconds, of which differences count. `time.thread_time` tells what the steps take of this thread alone,
        however busy the machine is; fit for one thread.

    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5, 1)
    >>> steps = in_steps(Spec(1, (3,), 1), (x, x[:, -1]), epochs=2, batch=4, progress=False)
    >>> [(now.epoch, now.step) for now in steps]
    [(1, 1), (1, 2), (2, 3), (2, 4)]
    """
    train, valid = as_samples(train, "train"), None if valid is None else as_samples(valid, "valid")
    optimizer, factor, told = optimizer or Adam(), as_rate(rate), as_callbacks(callbacks)
    limit = 1 if threads is None else threads
    for name, number in (("epochs", epochs), ("batch", batch), ("threads", limit), ("memory", memory)):
        whole(name, number)
    whole("seed", seed, 0)
    _check(spec, train, optimizer, isolation, resume)
    some = train.take(np.linspace(0, len(train) - 1, 16).astype(int))
    _check_batch(spec, some, valid)
    engine = None if resume is None else resume.config.get("engine")
    step = Step.ready(spec, optimizer, some[0].dtype, engine, announce=progress)
    with step.threads(batch, threads) as used:
        config = {
            "seed": seed,
            "batch": batch,
            "data": getattr(train, "describe", lambda: "samples")(),
            "steps": some[0].shape[1],
            "epochs": epochs,
            "optimizer": dataclasses.asdict(optimizer),
            "rate": rate if isinstance(rate, str) else getattr(rate, "__name__", "function"),
            "isolation": None if isolation is None else isolation.describe(),
            **_digests(train, valid, some, resume),
            "threads": used,
            "engine": step.work.engine,
        }
        needs = needs_of(isolation)
        watch = watch or "evidence" in needs
        if resume is not None:
            record = resume.resumed(spec, config, rate == "constant" and "epochs" not in needs, watch)
        else:
            start = init_params(spec, seed, some[0].dtype) if params is None else params
            record = Record.begin(spec, config, start, optimizer.init(start), watch)
        source = Source(spec, train, int(batch), seed, memory, folder, step.work.engine)
        yield from _Loop(record, source, valid, step, isolation, factor, told, clock).run(progress)
    return record


@dataclass
class _Loop:
    """What stays the same from epoch to epoch."""

    record: Record
    source: Source
    valid: Samples | None
    step: Step
    isolation: PlanOrSchedule | None
    rate: Rate
    callbacks: list[Told]
    clock: Callable[[], float]

    def run(self, progress: bool) -> Iterator[Progress]:
        """The steps of the epochs that are left, until the last, Ctrl-C or a callback ends the run."""
        record, epochs = self.record, self.record.config["epochs"]
        done = len(record.history)
        self.ends = np.cumsum([0, *map(self.source.steps, range(1, epochs + 1))]).tolist()
        bars = [Bar(self.ends[-1], self.ends[done])] if progress and importlib.util.find_spec("tqdm") else []
        self.callbacks = [*bars, *self.callbacks]
        try:
            for epoch in range(done + 1, epochs + 1):
                yield from self.epoch(epoch)
        except KeyboardInterrupt:
            record.interrupted = True
        except Stop as stop:
            record.stopped = str(stop)
        finally:
            for bar in bars:
                bar.close()
        done = len(record.history)
        if progress and record.interrupted:
            hint = f"fit(..., resume=record) goes on after epoch {done}."
            print(f"Interrupted in epoch {done + 1}; {hint}", file=sys.stderr)
        elif progress and record.stopped:
            print(f"Stopped after {done} epochs: {record.stopped}.", file=sys.stderr)

    def epoch(self, epoch: int) -> Iterator[Progress]:
        """The steps of one pass over the samples, its validation, and what the record keeps of it."""
        record, source, epochs = self.record, self.source, self.record.config["epochs"]
        state, watched = record.checkpoint.state.copy(), record.checkpoint.watched
        spent, order, (before, total) = (
            record.seconds,
            source.order(epoch),
            (self.ends[epoch - 1], self.ends[-1]),
        )
        losses = np.empty(len(order))
        began = self.clock()
        evidence = None if watched is None else record.evidence()
        tally = None if watched is None else Tally(watched, record.params)
        for k, taken in enumerate(order):
            made = before + k
            plan = plan_at(self.isolation, record.spec, Moment(epoch, epochs, made, evidence))
            try:
                some = source.take(taken, plan, record.params)
                losses[k], grads, trace = self.step(
                    record.params, state, *some, plan, self.rate(made / total)
                )
                source.keep(trace)
            except NotFinite as error:
                record.params = copy_params(record.checkpoint.params)
                hint = f"; try a smaller learning rate than {self.step.optimizer.lr}"
                hint = "" if isinstance(error, OutOfType) else hint  # which knows better
                raise Diverged(f"{error} in epoch {epoch}, step {k + 1}{hint}", record) from error
            if tally is not None:
                tally.note(grads, plan, trace)
            paused = self.clock()
            now = Progress(
                epoch, epochs, made + 1, total, spent + paused - began, losses[: k + 1],
                record.params, state, plan, record,
            )  # fmt: skip
            show(self.callbacks, "after_step", now)
            yield now
            began += self.clock() - paused
        watched = None if tally is None else tally.close(record.params)
        seconds = self.clock() - began
        checkpoint = Checkpoint(copy_params(record.params), state, watched)
        record.close_epoch(seconds, float(losses.mean()), checkpoint, self.valid, self.step.work)
        show(self.callbacks, "after_epoch", dataclasses.replace(now, seconds=record.seconds))


# --------------------------------------------------------------------------------------------------------- details


def _check_batch(spec: Spec, some: tuple[Array, Array], valid: Samples | None) -> None:
    """That the targets have the dtype of the inputs, and that validation will go through as training does."""
    x, y = some
    numbers = spec.head == "softmax" and y.dtype.kind in "iu"
    if y.dtype != x.dtype and not numbers:
        raise ValueError(
            f"y is {y.dtype} but x is {x.dtype}; convert one with .astype(), in train and in valid"
        )
    if valid is None:
        return
    if not len(valid):
        raise ValueError("valid holds no sample; give some, or leave valid out")
    x, y = windows_of(valid).take(np.arange(1))
    if x.dtype != some[0].dtype or x.ndim != 3 or x.shape[2] != spec.inputs:
        raise ValueError(
            f"valid: x is {x.dtype} with shape {('N', *x.shape[1:])}; train has {some[0].dtype}, and the network takes "
            f"(N, T, {spec.inputs})"
        )
    if some[1].ndim == 1:
        return  # the loss says what is wrong with it, at the first batch
    shape = ("N", *some[1].shape[1:]) if spec.output == "every" else ("N", *some[1].shape[1:][-1:])
    if y.shape[1:] != shape[1:] and not (spec.output == "every" and y.shape[-1:] == some[1].shape[-1:]):
        raise ValueError(f"valid: y has shape {('N', *y.shape[1:])}; expected {shape}, as in train")


def _digests(
    train: Samples, valid: Samples | None, some: tuple[Array, Array], resume: Record | None
) -> dict[str, str | None]:
    """What tells the data apart; for a record that knows less of them, what it knows."""
    if resume is not None and "valid" not in resume.config:
        return {"train": digest(train, some)}
    return {"train": digest(train), "valid": None if valid is None else digest(valid)}


def _check(
    spec: Spec, train: Samples, optimizer: Adam, isolation: PlanOrSchedule | None, resume: Record | None
) -> None:
    if not len(train):
        raise ValueError("train holds no sample")
    if not isinstance(optimizer, Adam):
        raise ValueError(f"optimizer takes an Adam, such as Adam(lr=1e-3); got {optimizer!r}")
    if isolation is not None and not isinstance(isolation, PlanOrSchedule):
        raise ValueError(
            f"isolation takes a Plan, from isolate(spec, zone); got a {type(isolation).__name__}. "
            "A schedule of plans, from lstm_lib.schedules, serves as well"
        )
    if isolation is not None and isolation.spec != spec:
        raise ValueError(f"the isolation plan was made for {isolation.spec}, not for {spec}")
    if resume is not None and not isinstance(resume, Record):
        kind = type(resume).__name__
        raise ValueError(f"resume takes a Record, from fit() or Record.load(path); got {kind}")

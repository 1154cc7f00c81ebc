"""The training loop: `fit` runs epochs of forward, loss, backward and Adam, and leaves a `Record`.

The whole step is the five lines of `_Run.step`. A record can be saved, loaded and resumed: resuming gives the
same numbers, bit for bit, as a run that was never interrupted, since the order of the batches depends on the
seed and the epoch alone and every epoch ends with a checkpoint.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.backward import backward
from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.losses import LOSSES
from lstm_lib.network.spec import Params, Spec, init_params, is_whole
from lstm_lib.network.trace import Workspace

from .adam import SCHEDULES, Adam, NotFinite, State
from .evidence import Evidence, Watch, Watched
from .schedules import Moment, PlanOrSchedule, Schedule, plan_at
from .states import Samples, States

SMALL_PRODUCT = (
    5e6  # FLOPs of a time step's product below which a second thread gains little (see `_thread_limit`)
)
WATCHED = ("start", "gradient", "change", "path")  # the arrays of a `Watched`
HISTORY = ("epoch", "seconds", "train_loss", "valid_loss", "valid_rmse")


@dataclass(frozen=True)
class Arrays:
    """A pair of arrays x (N, T, D) and y (N, …) as samples.

    >>> len(Arrays(np.zeros((3, 2, 1)), np.zeros((3, 1))))
    3
    """

    x: Array
    y: Array

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"x holds {len(self.x)} samples but y {len(self.y)}")
        for name, a in (("x", self.x), ("y", self.y)):
            if not np.isfinite(a).all():
                raise ValueError(
                    f"{name} holds {np.count_nonzero(~np.isfinite(a))} missing or infinite values; drop them first"
                )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Array) -> tuple[Array, Array]:
        """The samples at these positions."""
        return self.x[rows], self.y[rows]


# ---------------------------------------------------------------------------------------------------------- record


@dataclass
class Checkpoint:
    """The state at the end of an epoch, from which a run can go on; what was watched, where `fit` watches."""

    params: Params
    state: State
    watched: Watched | None = None


@dataclass
class Record:
    """What one training run left.

    `history` has one row a complete epoch: epoch, seconds (training alone, without validation), train_loss,
    valid_loss, valid_rmse (in the unit of the series where the samples know it). `params` is what was
    learned last, also when the run was interrupted within an epoch; `best_params` belong to the epoch with
    the lowest validation loss.
    """

    spec: Spec
    config: dict[str, Any]
    history: pd.DataFrame
    params: Params = field(repr=False)
    best_params: Params = field(repr=False)
    checkpoint: Checkpoint = field(repr=False)
    interrupted: bool = False

    @property
    def seconds(self) -> float:
        """Training time of all complete epochs."""
        return float(self.history["seconds"].sum())

    def evidence(self) -> Evidence:
        """What is known of the arcs after the last complete epoch, for the statistics of `lstm_lib.selection`."""
        at, config = self.checkpoint, self.config
        optimizer, epoch = Adam(**config["optimizer"]), len(self.history)
        return Evidence(
            self.spec, at.params, at.state, optimizer, epoch, config["steps"], config["batch"], at.watched
        )

    def save(self, path: str | Path) -> Path:
        """Write the record to one `.npz` file and return its path."""
        path = Path(path)
        if path.suffix != ".npz":
            path = path.with_name(f"{path.name}.npz")
        groups = {
            "params": self.params,
            "best_params": self.best_params,
            "checkpoint": self.checkpoint.params,
            "m": self.checkpoint.state.m,
            "v": self.checkpoint.state.v,
            "v_max": self.checkpoint.state.v_max or {},
            "t": {k: np.asarray(t) for k, t in self.checkpoint.state.t.items()},
        }
        watched = self.checkpoint.watched
        groups |= {} if watched is None else {name: getattr(watched, name) for name in WATCHED}
        about = {
            "spec": dataclasses.asdict(self.spec),
            "config": self.config,
            "history": self.history.to_dict("list"),
            "interrupted": self.interrupted,
            "chosen": None if watched is None else watched.chosen,
        }
        arrays = {f"{group}:{name}": a for group, named in groups.items() for name, a in named.items()}
        np.savez(
            path,
            allow_pickle=False,
            about=np.array(json.dumps(about, default=lambda number: number.item())),
            **arrays,
        )
        return path

    @classmethod
    def load(cls, path: str | Path) -> Record:
        """Read a record written by `save`; ValueError for a file of another kind."""
        path = Path(path)
        if not path.is_file() and path.with_name(f"{path.name}.npz").is_file():
            path = path.with_name(f"{path.name}.npz")  # as `save` names it
        if path.is_file() and not (
            zipfile.is_zipfile(path) and "about.npy" in zipfile.ZipFile(path).namelist()
        ):
            raise ValueError(f"{path} is not a record; expected a file written by Record.save")
        with np.load(path) as file:
            about = json.loads(str(file["about"]))
            groups: dict[str, dict[str, Any]] = {}
            for key in file.files:
                group, _, name = key.partition(":")
                groups.setdefault(group, {})[name] = file[key]
        counts = {k: int(t) if t.ndim == 0 else t for k, t in groups["t"].items()}
        state = State(groups["m"], groups["v"], counts, groups.get("v_max"))
        chosen = about.get("chosen")
        watched = None if chosen is None else Watched(**{k: groups[k] for k in WATCHED}, chosen=chosen)
        return cls(
            spec=Spec(**about["spec"]),
            config=about["config"],
            history=_history(pd.DataFrame(about["history"])),
            params=groups["params"],
            best_params=groups["best_params"],
            checkpoint=Checkpoint(groups["checkpoint"], state, watched),
            interrupted=about["interrupted"],
        )


class Diverged(FloatingPointError):
    """The loss stopped being a finite number; `record` holds everything up to the last complete epoch."""

    def __init__(self, message: str, record: Record) -> None:
        super().__init__(message)
        self.record = record


def _history(rows: pd.DataFrame | list[dict[str, float]]) -> pd.DataFrame:
    return (
        pd.DataFrame(rows, columns=list(HISTORY))
        .astype(dict.fromkeys(HISTORY, "float64"))
        .astype({"epoch": "int64"})
    )


# ------------------------------------------------------------------------------------------------------------- fit


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
    schedule: str | Callable[[float], float] = "constant",
    params: Params | None = None,
    threads: int | None = None,
    memory: int = 2**30,
    folder: str | Path | None = None,
    watch: bool = False,
    progress: bool = True,
    resume: Record | None = None,
    each_epoch: Callable[[int, Params, State], object] | None = None,
    each_step: Callable[[int, float, Params], object] | None = None,
) -> Record:
    """Train a network and return the record of the run.

    Parameters
    ----------
    train, valid : a part of a split (`lstm_lib.windows`), or a pair of arrays x (N, T, D), y (N, O).
    seed : of the initial parameters and of the order of the batches.
    epochs, batch : how often all samples are seen, and how many at a time; the last batch may be smaller.
    optimizer : an `Adam`; None takes its defaults.
    isolation : a `Plan` from `isolate`, or a schedule of plans from `lstm_lib.schedules`; None isolates nothing.
    schedule : factor on the learning rate as a function of the share of steps made: "constant", "cosine", "step",
        or a function of a number from 0 to 1.
    params : start from these (they are copied); None draws them from the seed.
    threads : limit the threads of the matrix products; None takes one where they are small, and leaves the
        number as it is where they are large. Recorded either way.
    memory, folder : bytes of states that depth "cache" may keep in memory, and where it may write a file if that is
        not enough; without a folder, what does not fit is computed anew each time.
    watch : note gradients and changes of every arc on the way, for the statistics of `lstm_lib.selection`; a schedule
        that chooses by these watches in any case. It costs less than one per cent of a step.
    progress : show a progress bar, and say on stderr when the run was interrupted.
    resume : a record of the same settings; training goes on after its last complete epoch.
    each_epoch : called as f(epoch, params, state) after each epoch, outside the timing; for example to log
        `optimizer.report(state)`. It must not change what it is given.
    each_step : called as f(step, seconds, params) after each training step, with the number of steps made since the
        start and the training time of this epoch so far; what it does is not timed, and it must not change the
        params. If it raises KeyboardInterrupt, the run ends as by Ctrl-C.

    Ctrl-C ends the run and returns what was learned so far, with `interrupted` set.
    Raises ValueError on settings that do not fit, `Diverged` when the loss is no longer finite.

    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5, 1)
    >>> record = fit(Spec(1, (3,), 1), (x, x[:, -1]), epochs=2, batch=4, progress=False)
    >>> record.history["epoch"].tolist()
    [1, 2]
    """
    train, valid = _samples(train, "train"), None if valid is None else _samples(valid, "valid")
    optimizer = optimizer or Adam()
    if not is_whole(seed, 0):
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    _check_settings(spec, train, epochs, batch, optimizer, isolation, schedule, threads, memory)
    rate = SCHEDULES[schedule] if isinstance(schedule, str) else schedule
    some = train.take(np.linspace(0, len(train) - 1, 16).astype(int))
    with _threads(threads or _thread_limit(spec, batch)) as used:
        config = {
            "seed": seed,
            "batch": batch,
            "steps": some[0].shape[1],
            "epochs": epochs,
            "optimizer": dataclasses.asdict(optimizer),
            "schedule": schedule if isinstance(schedule, str) else getattr(schedule, "__name__", "function"),
            "isolation": None if isolation is None else isolation.describe(),
            "train": _digest(train, some),
            "threads": used,
        }
        longer = schedule == "constant" and not (isinstance(isolation, Schedule) and isolation.needs_epochs)
        watch = watch or (isinstance(isolation, Schedule) and isolation.needs_evidence)
        record = _start(spec, some[0].dtype, config, optimizer, params, resume, longer, watch)
        steps = _batches(train, batch)
        bar = _bar(epochs * steps, len(record.history) * steps, progress)
        remember = partial(States, spec, samples=train, memory=memory, folder=folder)
        run = _Run(
            spec,
            train,
            optimizer,
            isolation,
            seed,
            batch,
            rate,
            epochs,
            Workspace(),
            remember,
            bar,
            each_step,
        )
        try:
            for epoch in range(len(record.history) + 1, epochs + 1):
                loss, seconds, checkpoint = run.epoch(epoch, record)
                row = {"epoch": epoch, "seconds": seconds, "train_loss": loss}
                _close_epoch(record, row, checkpoint, valid, run.work)
                bar.set_postfix(
                    {k: f"{record.history[k].iloc[-1]:.4f}" for k in ("train_loss", "valid_rmse")}
                )
                if each_epoch is not None:
                    each_epoch(epoch, checkpoint.params, checkpoint.state)
        except KeyboardInterrupt:
            record.interrupted = True
        finally:
            bar.close()
        if record.interrupted and progress:
            done = len(record.history)
            print(
                f"Interrupted in epoch {done + 1}; fit(..., resume=record) goes on after epoch {done}.",
                file=sys.stderr,
            )
    return record


@dataclass
class _Run:
    """What stays the same from epoch to epoch, and the states that are remembered for now."""

    spec: Spec
    train: Samples
    optimizer: Adam
    isolation: PlanOrSchedule | None
    seed: int
    batch: int
    rate: Callable[[float], float]
    epochs: int
    work: Workspace
    remember: Callable[..., States]
    bar: Any
    each_step: Callable[[int, float, Params], object] | None = None
    states: States | None = None

    def epoch(self, epoch: int, record: Record) -> tuple[float, float, Checkpoint]:
        """One pass over the samples; returns the mean loss, the seconds it took and the state it ended with."""
        state, watched = record.checkpoint.state.copy(), record.checkpoint.watched
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.train))
        losses = np.empty(_batches(self.train, self.batch))
        began = time.perf_counter()
        evidence = None if watched is None else record.evidence()
        watch = None if watched is None else Watch(watched, record.params)
        for k, rows in enumerate(_split(order, self.batch)):
            step = (epoch - 1) * len(losses) + k
            scale = self.rate(step / (self.epochs * len(losses)))
            plan = plan_at(self.isolation, self.spec, Moment(epoch, self.epochs, step, evidence))
            try:
                losses[k] = self.step(rows, record.params, state, plan, scale, watch)
            except NotFinite as error:
                record.params = {k: p.copy() for k, p in record.checkpoint.params.items()}
                hint = f"try a smaller learning rate than {self.optimizer.lr}"
                raise Diverged(f"{error} in epoch {epoch}, step {k + 1}; {hint}", record) from error
            self.bar.update()
            if self.each_step is not None:
                paused = time.perf_counter()
                self.each_step(step + 1, paused - began, record.params)
                began += time.perf_counter() - paused
        watched = None if watch is None else watch.close(record.params)
        seconds = time.perf_counter() - began
        checkpoint = Checkpoint({k: p.copy() for k, p in record.params.items()}, state, watched)
        return float(losses.mean()), seconds, checkpoint

    def step(
        self, rows: Array, params: Params, state: State, plan: Plan, scale: float, watch: Watch | None = None
    ) -> float:
        """The whole training step: move `params` and `state` in place and return the loss."""
        x, y = self.source(plan, params).take(rows)
        yhat, trace = forward(self.spec, params, x, self.work, known=plan.cached)
        loss, dy = LOSSES[self.spec.head](yhat, y)
        if not np.isfinite(loss):
            raise NotFinite(f"loss is {loss}")
        grads = backward(self.spec, params, trace, dy, plan)
        self.optimizer.step(params, grads, state, plan, scale)
        if watch is not None:
            watch.note(grads, plan)
        return float(loss)

    def source(self, plan: Plan, params: Params) -> Samples | States:
        """The samples, or what the lowest layers make of them while the plan has these remembered."""
        if not plan.cached:
            self.states = None  # the step to come may move any layer
            return self.train
        if self.states is None or self.states.known != plan.cached:
            self.states = self.remember(params, known=plan.cached)
        return self.states


def _close_epoch(
    record: Record, row: dict[str, float], checkpoint: Checkpoint, valid: Samples | None, work: Workspace
) -> None:
    """Validate, append the row to the history, keep the checkpoint and the best parameters."""
    row["valid_loss"], row["valid_rmse"] = np.nan, np.nan
    if valid is not None:
        yhat, y = predict(record.spec, record.params, valid, work=work), _targets(valid)
        row["valid_loss"] = float(LOSSES[record.spec.head](yhat, y)[0])
        if record.spec.head == "linear":
            row["valid_rmse"] = float(np.sqrt(row["valid_loss"]) * getattr(valid, "scale", 1.0))
    measure = "train_loss" if valid is None else "valid_loss"
    closed = {
        "history": _history([*record.history.to_dict("records"), row]),  # type: ignore[list-item]
        "checkpoint": checkpoint,
    }
    if not len(record.history) or row[measure] < record.history[measure].min():
        closed["best_params"] = {k: p.copy() for k, p in checkpoint.params.items()}
    # in one call, so that Ctrl-C never finds a checkpoint of one epoch beside the history of another
    vars(record).update(closed)


def predict(
    spec: Spec,
    params: Params,
    samples: Samples | tuple[Array, Array] | Array,
    batch: int = 256,
    work: Workspace | None = None,
) -> Array:
    """Forecasts for many samples, `batch` at a time so that memory stays bounded.

    Parameters
    ----------
    samples : a part of a split, a pair of arrays, or x (N, T, D) alone.

    Returns
    -------
    (N, O) or (N, T, O), in the scale of the samples' y.
    """
    if isinstance(samples, np.ndarray):
        samples = Arrays(samples, np.zeros(len(samples)))
    samples, work = _samples(samples), work or Workspace()
    parts = [
        forward(spec, params, samples.take(rows)[0], work)[0]
        for rows in _split(np.arange(len(samples)), batch)
    ]
    return np.concatenate(parts)


# --------------------------------------------------------------------------------------------------------- details


def _samples(data: Samples | tuple[Array, Array], name: str = "samples") -> Samples:
    if isinstance(data, tuple):
        return Arrays(*data)
    if (
        not hasattr(data, "take")
        or not hasattr(data, "__len__")
        or isinstance(data, pd.DataFrame | np.ndarray)
    ):
        raise ValueError(
            f"{name} is a {type(data).__name__}; expected a part of a split, such as split.train, or a pair (x, y)"
        )
    return data


def _targets(samples: Samples) -> Array:
    return samples.take(np.arange(len(samples)))[1]


def _batches(samples: Samples, batch: int) -> int:
    return -(-len(samples) // batch)


def _split(order: Array, batch: int) -> Iterator[Array]:
    for k in range(0, len(order), batch):
        yield order[k : k + batch]


def _digest(samples: Samples, some: tuple[Array, Array]) -> str:
    """How many samples there are, and a digest of some: tells other data apart when a run is resumed."""
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in some)).hexdigest()[:16]
    return f"{len(samples)} samples, {digest}"


def _start(
    spec: Spec,
    dtype: np.dtype[Any],
    config: dict[str, Any],
    optimizer: Adam,
    params: Params | None,
    resume: Record | None,
    longer: bool,
    watch: bool,
) -> Record:
    if resume is not None:
        if not isinstance(resume, Record):
            raise ValueError(
                f"resume takes a Record, from fit() or Record.load(path); got {type(resume).__name__}"
            )
        if len(resume.history) > config["epochs"]:
            raise ValueError(
                f"the record has {len(resume.history)} epochs already; epochs={config['epochs']} is fewer"
            )
        # where nothing depends on the number of epochs, a run may be made longer
        free = {"threads"} | ({"epochs"} if longer else set())
        before = {k: v for k, v in resume.config.items() if k not in free}
        if differs := [k for k, v in before.items() if config[k] != v] + ["spec"] * (resume.spec != spec):
            pairs = ", ".join(
                f"{k}: {before.get(k, resume.spec)} then, {config.get(k, spec)} now" for k in differs
            )
            why = (
                ""
                if longer
                else "; the rate or the isolation depends on the number of epochs, which is therefore fixed"
            )
            raise ValueError(f"cannot resume with other settings ({pairs})" + why * ("epochs" in differs))
        if watch and resume.checkpoint.watched is None:
            raise ValueError(
                "the record was made without watch=True, so that its arcs' past is not known; "
                "start anew with watch=True"
            )
        kept = {k: p.copy() for k, p in resume.checkpoint.params.items()}
        return dataclasses.replace(resume, params=kept, config=config, interrupted=False)
    if params is None:
        params = init_params(spec, config["seed"], dtype)
    params = {k: p.copy() for k, p in params.items()}
    copies = [{k: p.copy() for k, p in params.items()} for _ in range(2)]
    watched = Watched.begin(params) if watch else None
    first = Checkpoint(copies[1], optimizer.init(params), watched)
    return Record(spec, config, _history([]), params, copies[0], first)


def _check_settings(
    spec: Spec,
    train: Samples,
    epochs: int,
    batch: int,
    optimizer: Adam,
    isolation: PlanOrSchedule | None,
    schedule: Any,
    threads: int | None,
    memory: int,
) -> None:
    counts = {
        "epochs": epochs,
        "batch": batch,
        "threads": 1 if threads is None else threads,
        "memory": memory,
    }
    for name, value in counts.items():
        if not is_whole(value, 1):
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
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
    if not callable(schedule) and schedule not in SCHEDULES:
        raise ValueError(
            f"schedule is {schedule!r}; the choices are {', '.join(SCHEDULES)}, or a function of 0..1"
        )


def _bar(total: int, done: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, disable=not progress, unit="step", desc="training")


def _thread_limit(spec: Spec, batch: int) -> int | None:
    """One thread when every step's product is small, else no limit.

    Threads that share a small product wait for each other in a busy loop. On a machine that does something else
    besides, a step of 64 units was seen to take 350 ms instead of 10 that way, to gain 2 where nothing else ran.
    """
    largest = max(2 * 4 * H * (H + spec.fan_in(k) + 1) * batch for k, H in enumerate(spec.units))
    return 1 if largest < SMALL_PRODUCT else None


class _threads:
    """Limit the threads of the matrix products inside a `with`, and say how many there are."""

    def __init__(self, limit: int | None) -> None:
        from threadpoolctl import threadpool_limits

        self.limits = nullcontext() if limit is None else threadpool_limits(limit)

    def __enter__(self) -> int:
        from threadpoolctl import threadpool_info

        self.limits.__enter__()
        return max((pool["num_threads"] for pool in threadpool_info()), default=1)

    def __exit__(self, *error: Any) -> None:
        self.limits.__exit__(*error)

"""What is run: a `Task` is a series cut in one way, a `Configuration` everything else that decides a run's numbers.

A configuration and a seed have a key: a text that is the same in every process, and another one as soon as
anything that decides the numbers is another. The data are in it by their values, the isolation by its `describe()`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, lru_cache
from operator import methodcaller
from typing import Any, Literal

import numpy as np

from lstm_lib.network.spec import Spec, is_whole
from lstm_lib.series import SequenceSplit, Series, Split, load_series, sequences, windows
from lstm_lib.series.files import file_of
from lstm_lib.series.sequences import windows_of
from lstm_lib.training.adam import Adam
from lstm_lib.training.rates import RATES
from lstm_lib.training.schedules import PlanOrSchedule

ENGINES = ("lstm_lib", "keras", "keras-xla")
KERAS_CELLS = ("standard", "rnn", "gru", "gru_v3")  # those that Keras has layers for
READING = [p for p in inspect.signature(load_series).parameters if p not in ("name_or_path", "target")]


@dataclass(frozen=True)
class Task:
    """A series cut into windows: what `lstm_lib.windows` makes of `lstm_lib.load_series`.

    Parameters
    ----------
    series : the name of an embedded series, or the path of a file. A file that changed is read anew.
    lookback, horizon, steps, every, inputs, target : as for `lstm_lib.windows`. A day ahead, hour by hour, is
        horizon=24, steps="all".
    shares : of the rows for training, validation and test, its `split`.
    end : the share of the rows that is used: tasks that end at 0.7, 0.85 and 1.0 are tested on stretches that hardly
        overlap, as the folds of `lstm_lib.folds`.
    length, warmup, stateful : train on sequences of so many steps instead, or on streams, see `lstm_lib.sequences`; the
        errors are of the same windows as without, and validation forecasts them in one pass.
    compared_with : a longer lookback; validation and test keep the windows whose targets a window of that length has
        too, so that the errors of both are of the same hours.
    reading : of a file, further options of `lstm_lib.load_series`, such as {"timezone": "Europe/Paris",
        "separator": ";"}; the target is passed on without.

    Raises ValueError for an option that `load_series` lacks, and when it is cut what `load_series` and `windows` raise.

    >>> task = Task(lookback=24, horizon=24, steps="all")
    >>> task.split().train.outputs
    24
    """

    series: str = "sceaux"
    lookback: int = 72
    horizon: int = 1
    steps: Literal["last", "all"] = "last"
    every: int = 1
    inputs: tuple[str, ...] | None = None
    target: str | tuple[str, ...] | None = None
    shares: tuple[float, float, float] = (0.70, 0.15, 0.15)
    end: float = 1.0
    length: int | None = None
    warmup: int = 12
    stateful: bool = False
    compared_with: int | None = None
    reading: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.series, str | os.PathLike):
            raise ValueError(
                f"series takes a name or a file's path, since every process reads it anew; got a "
                f"{type(self.series).__name__}. A series of yours goes into a file: series.frame.to_parquet(path)"
            )
        hashable = {name: tuple(value) for name, value in vars(self).items() if isinstance(value, list)}
        vars(self).update(hashable, series=str(self.series), reading=dict(self.reading))
        if unknown := [name for name in self.reading if name not in READING]:
            raise ValueError(
                f"reading has {', '.join(map(repr, unknown))}; load_series can be told {', '.join(READING)}"
            )
        if not 0 < self.end <= 1:
            raise ValueError(f"end is a share of the rows, above 0 and at most 1; got {self.end!r}")
        if self.length is not None and (self.every > 1 or self.compared_with is not None):
            raise ValueError("sequences are laid by every epoch: give length without every and compared_with")

    def load(self) -> Series:
        """The series, read anew; what `load_series` raises for a file that can't be read."""
        target = self.target[0] if isinstance(self.target, tuple) else self.target
        series = load_series(self.series, target=target, **self.reading)
        rows = round(self.end * len(series.frame))
        return series if self.end == 1 else replace(series, frame=series.frame.iloc[:rows])

    def split(self) -> Split:
        """The three parts, cut once in a process for a file as it is; SeriesError for what can't be cut."""
        return windows_of(self.samples())

    def samples(self) -> Split | SequenceSplit:
        """What a network is trained on, and chosen by: the split, or sequences of the same parts."""
        return _cut(self, contents_of_file(self))[0]

    def digest(self) -> str:
        """A word for the values that it reads, so that a file that was changed is another task."""
        return _cut(self, contents_of_file(self))[1]

    def describe(self) -> dict[str, Any]:
        """The task in words and numbers, for JSON."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.repr}
        words = {k: list(v) if isinstance(v, tuple) else v for k, v in said.items()}
        unsaid = (
            {"compared_with", "reading"}
            | ({"length", "warmup", "stateful"} if self.length is None else set())
            | ({"end"} if self.end == 1 else set())
        )
        return {
            k: v for k, v in words.items() if k not in unsaid or (v and k in ("compared_with", "reading"))
        }


def contents_of_file(task: Task) -> str:
    """A digest of the file as it is now, whatever its date says; FileNotFoundError as from `load_series`."""
    with file_of(task.series).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=16)
def _cut(task: Task, contents: str) -> tuple[Split | SequenceSplit, str]:
    """The parts of the task, and a word for what they hold."""
    options = {name: getattr(task, name) for name in ("lookback", "horizon", "inputs", "target", "steps")}
    found: Split | SequenceSplit
    if task.compared_with is not None:
        found = _same_hours(task, task.compared_with)
    elif task.length is not None:
        about = task.length, task.warmup
        found = sequences(task.load(), *about, stateful=task.stateful, split=task.shares, **options)
    else:
        found = windows(task.load(), split=task.shares, every=task.every, **options)
    split = windows_of(found)
    arrays = (split.train.values, split.train.targets, split.scaling.to_numpy(dtype="float64"))
    return found, hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()[:16]


def _same_hours(task: Task, lookback: int) -> Split:
    """Of every validation and test window those whose targets a window of that length has too."""
    own, kept = replace(task, compared_with=None), {}
    every, other = replace(own, every=1).split(), replace(own, lookback=lookback).split()
    for name in ("valid", "test"):
        part, targets = getattr(every, name), getattr(other, name).target_rows[:, 0]
        kept[name] = replace(part, starts=part.starts[np.isin(part.target_rows[:, 0], targets)])
    return replace(own.split(), **kept)


@dataclass(frozen=True, eq=False)
class Configuration:
    """One kind of run, under a name.

    Parameters
    ----------
    name : what rows of a table are called; each configuration of a sweep has its own.
    task : the series and how it is cut.
    group : a word for a family of configurations, for tables and figures.
    units, cell : of the network, as in `lstm_lib.Spec`.
    epochs, batch : as for `lstm_lib.fit`. lr, rate : the learning rate, and by its name what becomes of it.
    optimizer : further options of `lstm_lib.Adam`, such as {"form": "keras", "clip_norm": 1.0}.
    isolation : a function of the `Spec` that returns a `Plan` or a schedule of plans; a function, since the number of
        inputs comes with the task. It is called anew in every process and has to give the same every time. None
        isolates nothing.
    engine : "lstm_lib", or "keras" for the same network, weights, batches and rates in Keras; "keras-xla" has it
        compiled by XLA.
    threads : of the matrix products.
    tested : whether the test part is forecast after the training. Trials that only choose a setting need no test part,
        and a forecast of it takes as long as an epoch or more.

    Raises ValueError that names the setting, what was given and what is allowed.

    >>> from lstm_lib import isolate, zone
    >>> cut = Configuration("cut f", isolation=lambda spec: isolate(spec, zone(spec, gate="f"), depth="cut"))
    >>> cut.spec.units, cut.plan
    ((64,), <Plan: cut '0/*/f'>)
    >>> cut.key(seed=0) == cut.key(seed=0), cut.key(seed=0) == cut.key(seed=1)
    (True, False)
    """

    name: str
    task: Task = Task()
    group: str = ""
    units: tuple[int, ...] = (64,)
    cell: str = "standard"
    epochs: int = 8
    batch: int = 64
    lr: float = 2e-3
    rate: str = "cosine"
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    isolation: Callable[[Spec], PlanOrSchedule] | None = None
    engine: str = "lstm_lib"
    threads: int = 1
    tested: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", Spec(1, self.units, 1, self.cell).units)
        where = f"configuration {self.name!r}: "
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"a configuration needs a name that is not empty, got {self.name!r}")
        if not isinstance(self.task, Task):
            raise ValueError(f"{where}task takes a Task, such as Task('sceaux'); got {self.task!r}")
        for name in ("epochs", "batch", "threads"):
            if not is_whole(number := getattr(self, name), 1):
                raise ValueError(f"{where}{name} must be a whole number of at least 1, got {number!r}")
        for name, choices in (("rate", RATES), ("engine", ENGINES)):
            if (choice := getattr(self, name)) not in choices:
                raise ValueError(f"{where}{name} is {choice!r}; the choices are {', '.join(choices)}")
        if self.isolation is not None and not callable(self.isolation):
            raise ValueError(
                f"{where}isolation takes a function of the spec, such as lambda spec: isolate(spec, zone(spec, "
                f"gate='f')); got {self.isolation!r}"
            )
        try:
            adam = self.adam
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}lr={self.lr!r}, optimizer={self.optimizer!r}: {error}") from error
        refused = {
            "isolation": self.isolation is not None,
            f"cell={self.cell!r}": self.cell not in KERAS_CELLS,
            f"form={adam.form!r}": adam.form == "paper",
            "streams": self.task.length is not None and self.task.stateful,
        }
        if self.engine != "lstm_lib" and (found := [what for what, is_there in refused.items() if is_there]):
            raise ValueError(
                f"{where}Keras has no {', '.join(found)}; its engine runs the cells {', '.join(KERAS_CELLS)} on "
                "windows and sequences, isolates nothing, and has Adam in the forms tf15 and keras"
            )

    @property
    def adam(self) -> Adam:
        """The optimiser."""
        return Adam(lr=self.lr, **self.optimizer)

    @property
    def spec(self) -> Spec:
        """The network that the task and the units make; reads the series."""
        train = self.task.split().train
        return Spec(train.values.shape[1], self.units, train.outputs, self.cell)

    @property
    def plan(self) -> PlanOrSchedule | None:
        """What the function `isolation` gives for this network; ValueError if that is no plan and no schedule."""
        if self.isolation is None:
            return None
        spec, made = self.spec, self._plans
        if spec not in made:
            made[spec] = self._planned(spec, self.isolation)
        return made[spec]

    @cached_property
    def _plans(self) -> dict[Spec, PlanOrSchedule]:
        return {}

    def _planned(self, spec: Spec, isolation: Callable[[Spec], PlanOrSchedule]) -> PlanOrSchedule:
        if not isinstance(plan := isolation(spec), PlanOrSchedule):
            raise ValueError(
                f"configuration {self.name!r}: its isolation gave {plan!r} for {spec}, and has to return a Plan, "
                "from isolate(spec, zone), or a schedule of plans; to isolate nothing leave isolation away"
            )
        return plan

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be made again: another process calls the function anew."""
        return {k: v for k, v in vars(self).items() if k != "_plans"}

    def describe(self) -> dict[str, Any]:
        """Everything that decides the numbers of a run's row but the seed, for JSON."""
        return {
            "task": self.task.describe(),
            "data": self.task.digest(),
            **{k: getattr(self, k) for k in ("cell", "epochs", "batch", "rate", "engine", "threads")},
            "units": list(self.units),
            "optimizer": asdict(self.adam),
            "isolation": None if self.plan is None else self.plan.describe(),
        } | ({} if self.tested else {"tested": False})

    def key(self, seed: int) -> str:
        """The name of a run's record: the configuration's name, a digest of what decides its numbers, the seed.

        The series counts by its values, not by where its file lies; the group doesn't count.
        """
        if not is_whole(seed, 0):
            raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
        words = self.describe()
        del words["task"]["series"]
        text = json.dumps([self.name, words], sort_keys=True, default=methodcaller("tolist"))
        slug = re.sub(r"[^A-Za-z0-9.=+-]+", "_", self.name).strip("_.")[:60]
        return f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:16]}-{seed}"

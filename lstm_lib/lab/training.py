"""A training: what it is asked for, and what it tells.

A `Job` is one choice to be trained, with its seeds. Jobs that are asked for together take turns step by step, so that
their times compare, and pause after every step: who drives them answers clicks meanwhile. They change no state, but
yield news: a function of `transitions` and its arguments, so that the state is changed in one place alone.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from lstm_lib.lab import transitions
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.price import estimate, over_epochs
from lstm_lib.lab.runs import Curve, Run, Trained, dense_of
from lstm_lib.lab.settings import Settings
from lstm_lib.lab.state import Live, State, as_text, isolation, lacking_dense
from lstm_lib.network.spec import Params, Spec
from lstm_lib.series import SequenceSplit, Split, Windows
from lstm_lib.training.callbacks import Progress
from lstm_lib.training.evidence import Evidence
from lstm_lib.training.loop import in_steps
from lstm_lib.training.record import Diverged, Record
from lstm_lib.training.samples import predict
from lstm_lib.training.step import Step

News = tuple[Any, ...]  # a transition, and its arguments behind the state
Stopped = Callable[[], bool]
POINTS = 16  # of a curve at least, where there are as many steps; each epoch ends with one
ROUNDS = 60  # steps that take turns with dense ones, for the measured speed-up, where no dense run is trained beside
# What a step takes of this thread, so that other programs don't lengthen it; Windows counts too coarsely for that.
CLOCK = time.perf_counter if sys.platform == "win32" else time.thread_time
MOST_REPLAYED = 4_000_000  # arcs times epochs that are remembered for a replay, of 24 bytes each
TOLD = 0.1  # seconds between two news of how far it is


class Job(NamedTuple):
    """One choice that is to be trained: its number, what it is called, and the seeds that are left to do."""

    number: int
    what: str
    settings: Settings
    choice: Choice
    seeds: list[int]
    before: tuple[Trained, ...] = ()

    @property
    def name(self) -> str:
        """What its run will be called."""
        return f"{self.number} {self.what}"


def jobs(state: State) -> list[Job]:
    """What a press on Train asks for: the selection, and beside it the dense run of the seeds that have none.

    Raises ValueError where depth and selection don't fit, and while the settings in the page are refused.
    """
    if state.refused:
        raise ValueError(f"Mend the settings first. {state.refused}")
    isolation(state)  # refuses what doesn't fit
    state = replace(
        state, settings=state.settings.as_it_is()
    )  # a file that changed is trained on as it is now
    number, asked = 1 + max((run.number for run in state.runs), default=0), []
    lacking, known = lacking_dense(state), dense_of(state.runs, state.settings)
    dense = state.choice.is_dense(state.spec)
    if lacking or dense:
        known = known if lacking else None  # asked for again, it is a run of its own
        seeds = lacking or [*state.every_seed]
        own, before = (number, ()) if known is None else (known.number, known.trained)
        asked.append(Job(own, "dense", state.settings, Choice(blocks=state.choice.blocks), seeds, before))
        number += known is None
    if not dense:
        asked.append(
            Job(number, state.choice.short(state.spec), state.settings, state.choice, [*state.every_seed])
        )
    return asked


def prepare(settings: Settings) -> None:
    """Compile what a step needs, where it isn't yet: some seconds, once on a machine."""
    Step.ready(settings.spec, settings.adam, "float32")


def train_all(asked: list[Job], stopped: Stopped = lambda: False) -> Iterator[News | None]:
    """Train the jobs, seed after seed; news or None after every step, and as the last news the end."""
    message, wrong = "", False
    try:
        with threadpool_limits(1):  # trainings that take turns leave the number of threads as they found it
            yield from Race(asked, stopped).run()
    except Exception as error:  # whatever it is, it has to be shown in the page
        wrong, message = True, f"The training ended: {as_text(error)}"
    if stopped():
        message = "Stopped. What was learned until then is kept."
    yield transitions.end, message, wrong


@dataclass
class Lane:
    """One job with one seed: pauses after every step, and leaves what was trained and how it ended, "" if whole.

    took : seconds of the last step, by CLOCK, as all seconds of a run are.
    """

    job: Job
    seed: int
    stopped: Stopped
    curve: Curve = ()
    now: Progress | None = None
    took: float = 0.0
    closed: int = 0  # epochs
    every: int = 1  # of these are remembered for a replay
    epochs: tuple[Evidence, ...] = ()

    def run(self) -> Generator[None, None, tuple[Trained, str]]:
        """All of its steps."""
        settings, ended, before = self.job.settings, "", 0.0
        spec, samples = settings.spec, settings.task.samples()
        valid = settings.task.split().valid
        dense = self.job.choice.is_dense(spec)
        steps = in_steps(
            spec, samples.train, samples.valid, seed=self.seed, epochs=settings.epochs, batch=settings.batch,
            optimizer=settings.adam, rate=settings.rate, isolation=None if dense else self.job.choice(spec),
            threads=1, watch=True, progress=False, clock=CLOCK,
        )  # fmt: skip
        try:
            while not ended:
                self.now = now = next(steps)
                self.took, before = now.seconds - before, now.seconds
                self._close(now.record)
                if len(now.losses) in places(now.steps // now.epochs, now.epochs):
                    self.curve += ((now.seconds, _rmse(spec, now.params, valid, samples)),)
                yield
                if self.stopped():
                    steps.close()
                    record, ended = now.record, f"stopped in epoch {now.epoch} of {now.epochs}"
                    self.curve += ((now.seconds, _rmse(spec, record.params, valid, samples)),)
        except StopIteration as end:
            record = end.value
            self._close(record)
        except Diverged as error:
            record = error.record
            if not len(record.history) or self.now is None:
                raise
            ended = f"diverged in epoch {self.now.epoch} of {self.now.epochs}"
            self._close(record)
            self.curve = tuple(point for point in self.curve if point[0] <= record.seconds)
        return Trained(self.seed, self.curve, record), ended

    def _close(self, record: Record) -> None:
        """A point at the end of an epoch, which the record has validated."""
        if len(record.history) > self.closed:
            self.closed = len(record.history)
            self.curve += ((record.seconds, float(record.history["valid_rmse"].iloc[-1])),)
            if self.closed % self.every == 0:
                self.epochs += (record.evidence(),)
            if len(self.epochs) > max(1, MOST_REPLAYED // record.spec.size):
                self.epochs, self.every = self.epochs[1::2], 2 * self.every


@cache
def places(steps: int, epochs: int) -> frozenset[int]:
    """The steps within an epoch of so many at which a curve has a point, besides the end of the epoch.

    >>> sorted(places(40, 8)), sorted(places(40, 4)), sorted(places(40, 100))
    ([20], [10, 20, 30], [])
    """
    points = math.ceil(POINTS / epochs)
    return frozenset(round(steps * k / points) for k in range(1, points)) - {0, steps}


def _rmse(spec: Spec, params: Params, valid: Windows, samples: Split | SequenceSplit) -> float:
    """Validation error with these parameters, in the unit of the series."""
    error = predict(spec, params, samples.valid) - valid.y
    return float(np.sqrt(np.mean(error**2)) * valid.scale)


class Timing:
    """How long the steps of a lane take beside dense ones.

    These are the steps of a dense run that is trained in turn with it, or of one that sets the pace for a while.
    """

    def __init__(self, *lanes: Lane) -> None:
        *others, self.lane = lanes
        job = self.lane.job
        self.pace = (
            others[0] if others else Lane(job._replace(choice=Choice()), self.lane.seed, lambda: False)
        )
        self.steps = None if others else self.pace.run()
        self.pairs: list[tuple[float, float]] = []
        self.last = 0

    def note(self) -> None:
        """The lane has made a step, unless it is done."""
        now, job = self.lane.now, self.lane.job
        if now is None or now.step == self.last or now.epoch < job.choice.from_epoch:
            return
        self.last = now.step
        if self.steps is not None:
            if len(self.pairs) == ROUNDS:
                self.steps.close()
                return
            next(self.steps)
        self.pairs.append((self.pace.took, self.lane.took))

    def speed_up(self) -> float:
        """Of the whole training: the median over the pairs of steps, counted for the epochs that isolate."""
        job, (dense, isolated) = self.lane.job, np.array(self.pairs).T
        spec = job.settings.spec
        once = estimate(spec, job.settings, job.choice).once
        step = float(np.median(dense / isolated))
        return over_epochs(step, job.settings.epochs, job.choice.from_epoch, once)


class Race:
    """The jobs that were asked for together: lanes that take turns, and runs that grow seed by seed."""

    def __init__(self, asked: list[Job], stopped: Stopped) -> None:
        self.asked, self.stopped = asked, stopped
        self.runs: dict[int, Run] = {}
        self.lanes = sum(len(job.seeds) for job in asked)
        self.finished, self.began, self.told = 0, time.perf_counter(), 0.0

    def run(self) -> Iterator[News | None]:
        """News of all seeds."""
        for seed in sorted({seed for job in self.asked for seed in job.seeds}):
            lanes = [Lane(job, seed, self.stopped) for job in self.asked if seed in job.seeds]
            going, points = [(lane, lane.run()) for lane in lanes], 0
            job = lanes[-1].job
            known = job.number in self.runs or job.choice.is_dense(job.settings.spec)
            timing = None if known else Timing(*lanes)
            while going:
                for pair in [*going]:
                    lane, steps = pair
                    try:
                        next(steps)
                    except StopIteration as end:
                        going.remove(pair)
                        trained, ended = end.value
                        yield self.close(lane, trained, ended, timing)
                    else:
                        yield None
                if timing is not None:
                    timing.note()
                before, points = points, sum(len(lane.curve) for lane in lanes)
                over = time.perf_counter() - self.told > TOLD
                yield self.news(lanes, seed) if going and (points > before or over) else None
            self.finished += len(lanes)
            if self.stopped():
                return

    def news(self, lanes: list[Lane], seed: int) -> News:
        """How far it is."""
        self.told = time.perf_counter()
        at = [lane.now for lane in lanes if lane.now is not None]
        done = (self.finished + sum(now.step / now.steps for now in at)) / self.lanes
        left = (self.told - self.began) * (1 - done) / done if done else np.nan
        place = f"epoch {at[0].epoch} of {at[0].epochs}" if at else "starting"
        place += f", seed {seed}" * (len({s for job in self.asked for s in job.seeds}) > 1)
        curves = tuple((lane.job.name, lane.curve) for lane in lanes)
        return transitions.follow, Live(self.asked[0].settings, place, done, left, curves)

    def close(self, lane: Lane, trained: Trained, ended: str, timing: Timing | None) -> News | None:
        """A seed is done: its run has one more. What was stopped counts where there is nothing else."""
        job, run = lane.job, self.runs.get(lane.job.number)
        before = job.before if run is None else run.trained
        if before and ended.startswith("stopped"):
            return None
        if run is None:
            run = self._begun(job, trained)
            if timing is not None and lane is timing.lane:
                run = replace(run, measured=np.nan if ended else timing.speed_up())
        said = f"seed {lane.seed} {ended}" if before and ended else ended
        run = replace(run, trained=(*before, trained), stopped=said or run.stopped)
        self.runs[job.number] = run
        return transitions.finish, run, lane.epochs

    @staticmethod
    def _begun(job: Job, trained: Trained) -> Run:
        found = estimate(trained.record.spec, job.settings, job.choice)
        return Run(
            job.number, job.what, job.settings, job.choice, found.arcs, found.whole, 1.0,
            job.settings.task.split().series.unit, (trained,),
        )  # fmt: skip

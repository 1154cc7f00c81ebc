"""A training in a thread: what it is asked for, and what it tells.

Nouns: a `Job` is one training that was asked for; an event is a transition of `state` with its arguments, put into a
queue by the thread; the page takes them out and applies them, so that the state is changed in one place alone.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.lab import state as transitions
from lstm_lib.lab.price import over_epochs, plans, price
from lstm_lib.lab.runs import Run, Settings, load
from lstm_lib.lab.state import State, is_dense, isolation, needs_dense, next_name
from lstm_lib.network.spec import Params, Spec
from lstm_lib.series import Split, Windows
from lstm_lib.training.adam import Adam
from lstm_lib.training.callbacks import Callback, Progress
from lstm_lib.training.loop import fit
from lstm_lib.training.record import Diverged, Record
from lstm_lib.training.samples import predict
from lstm_lib.training.schedules import PlanOrSchedule
from lstm_lib.training.timing import speed_up, steps_in_turn

Event = tuple[Callable[..., State], tuple[Any, ...]]
Tell = Callable[..., None]  # a transition, and its arguments behind the state
FIRST_POINT = 0.25  # seconds of training before a curve's first point
ROUNDS = 30  # steps that take turns with dense ones, for the measured speed-up


@dataclass(frozen=True)
class Job:
    """One training that was asked for, with all it needs; made by `jobs`."""

    name: str
    state: State  # as it was when Train was pressed
    isolation: PlanOrSchedule | None
    dense: bool

    @property
    def settings(self) -> Settings:
        """On what and how is trained."""
        return self.state.settings


def jobs(state: State) -> list[Job]:
    """What a press on Train asks for: the selection, and before it the dense run if there is none to compare with.

    Raises ValueError where depth and selection don't fit, and while the settings in the page are refused.
    """
    if state.refused:
        raise ValueError(f"Mend the settings first. {state.refused}")
    chosen, dense = isolation(state), is_dense(state)
    before = [Job(next_name(state, dense=True), state, None, dense=True)] if needs_dense(state) else []
    name = next_name(state, dense, more=len(before))
    return [*before, Job(name, state, None if dense else chosen, dense)]


class Training:
    """Jobs under way in a thread. `events` yields what it has told since it was last asked."""

    def __init__(self, asked: list[Job]) -> None:
        self._told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(asked,), name="training", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end soon; what was learned is kept."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended."""
        self._thread.join(timeout)

    @property
    def running(self) -> bool:
        """Whether there is, or may be, more to hear."""
        return self._thread.is_alive() or not self._told.empty()

    def events(self) -> Iterator[Event]:
        """What it has told since it was last asked."""
        while not self._told.empty():
            yield self._told.get()

    def _tell(self, transition: Callable[..., State], *given: Any) -> None:
        self._told.put((transition, given))

    def _run(self, asked: list[Job]) -> None:
        message, wrong = "", False
        try:
            for number, job in enumerate(asked):
                if not self._stop.is_set():
                    train(job, self._tell, self._stop.is_set, (number / len(asked), 1 / len(asked)))
        except Exception as error:  # whatever it is, it has to be shown in the page
            wrong, message = True, f"The training ended: {error}"
        if self._stop.is_set():
            message = "Stopped. What was learned until then is kept."
        self._tell(transitions.end, message, wrong)


def train(
    job: Job, tell: Tell, stopped: Callable[[], bool] = lambda: False, part: tuple[float, float] = (0.0, 1.0)
) -> None:
    """Train one job from first to last and tell how it goes; the last that it tells is the run.

    Parameters
    ----------
    tell : called as tell(transition, ...), with the arguments that the transition takes behind the state.
    stopped : whether to end early; asked after every step.
    part : where the job begins and how long it is in all that was asked for, as shares.
    """
    settings = job.settings
    tell(transitions.begin, job.name, settings)
    split = load(settings)
    reporter = Reporter(job.state.spec, split, tell, stopped, part)
    try:
        record = fit(
            job.state.spec, split.train, split.valid, seed=settings.seed, epochs=settings.epochs, batch=settings.batch,
            optimizer=Adam(lr=settings.lr), isolation=job.isolation, rate="cosine", progress=False,
            watch=True, callbacks=[reporter],
        )  # fmt: skip
        ended = record.stopped
    except Diverged as error:
        if not len(error.record.history):
            raise
        record, ended = error.record, f"diverged in {place(reporter.last)}"
    tell(transitions.finish, finished(job, split, record, reporter, ended))


class Reporter(Callback):
    """Tells points and progress of a training, ends it when it was stopped, and keeps the last that it was shown."""

    last: Progress

    def __init__(
        self, spec: Spec, split: Split, tell: Tell, stopped: Callable[[], bool], part: tuple[float, float]
    ) -> None:
        self.spec, self.split, self.tell, self.stopped, self.part = spec, split, tell, stopped, part
        self.next_point, self.told = FIRST_POINT, 0.0
        self.curve: list[tuple[float, float]] = []

    def after_step(self, now: Progress) -> str | None:
        """As `fit` calls it."""
        self.last, over = now, now.step == now.steps
        if self.stopped():
            return f"stopped in {place(now)}"
        if now.seconds >= self.next_point and not over:
            began = time.perf_counter()
            self.point(now.params)
            spent = time.perf_counter() - began
            # later points are rarer, and looking never takes longer than a quarter of the training
            self.next_point = now.seconds + max(FIRST_POINT, 4 * spent, now.seconds / 30)
        if now.seconds >= self.told + 0.1 or over:
            self.told = now.seconds
            self.progress(place(now))
        return None

    def point(self, params: Params) -> float:
        """Add a point to the curve; returns its error."""
        error = rmse(self.spec, params, self.split.valid)
        self.curve.append((self.last.seconds, error))
        self.tell(transitions.point, self.last.seconds, error)
        return error

    def progress(self, words: str) -> None:
        """Tell how much of all that was asked for is done, and in how many seconds the rest is, at the pace so far."""
        now, (first, long) = self.last, self.part
        done, whole = first + long * now.step / now.steps, now.seconds / now.step * now.steps / long
        self.tell(transitions.progress, words, done, whole * (1 - done))


def place(now: Progress) -> str:
    """The epoch in words."""
    return f"epoch {now.epoch} of {now.epochs}"


def finished(job: Job, split: Split, record: Record, reporter: Reporter, ended: str) -> Run:
    """The run that a training leaves: its error on the validation part, its speed beside dense steps."""
    state, shown = job.state, replace_dense(job.state) if job.dense else job.state
    error = reporter.point(record.params)
    predicted = measured = 1.0
    if not job.dense:
        reporter.progress("timing steps in turns with dense ones")
        predicted = price(state).whole
        measured = np.nan if ended else over_epochs(step_speed_up(job, split), state)
    arcs = price(shown).arcs
    return Run(
        name=job.name,
        settings=job.settings,
        zone=f"{arcs:.0%} of the arcs" if shown.redraw else str(shown.zone),
        depth=shown.depth,
        span=shown.span,
        from_epoch=shown.from_epoch,
        redraw=shown.redraw,
        arcs=arcs,
        predicted=predicted,
        measured=measured,
        seconds=reporter.last.seconds,
        rmse=error,
        unit=split.series.unit,
        curve=tuple(reporter.curve),
        params=record.params,
        stopped=ended,
        evidence=record.evidence() if len(record.history) else None,
    )


def replace_dense(state: State) -> State:
    """The state with nothing left out."""
    return transitions.clear(replace(state, span=None, from_epoch=1, redraw=False))


def step_speed_up(job: Job, split: Split) -> float:
    """How many times as fast as a dense step an isolated one is, by steps that take turns."""
    dense, plan = plans(job.state)
    both: dict[str, Plan | None] = {"dense": dense, "isolated": plan}
    seconds = steps_in_turn(job.state.spec, both, split.train, job.settings.batch, ROUNDS)
    return float(speed_up(seconds)["speed-up"]["isolated"])


def rmse(spec: Spec, params: Params, part: Windows) -> float:
    """Root mean square error over a part, in the unit of the series."""
    return float(np.sqrt(np.mean((predict(spec, params, part) - part.y) ** 2)) * part.scale)

"""A training: what it is asked for, and what it tells.

A `Job` is one training that was asked for. It runs in a thread of its own and changes no state: it tells the page a
transition of `state` and its arguments, so that the state is changed in one place alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from lstm_lib.lab import state as transitions
from lstm_lib.lab.price import over_epochs, plans, price
from lstm_lib.lab.runs import Run
from lstm_lib.lab.state import Live, State, is_dense, isolation, needs_dense, what
from lstm_lib.network.spec import Params
from lstm_lib.series import Split, Windows
from lstm_lib.training.callbacks import Callback, Progress
from lstm_lib.training.loop import fit
from lstm_lib.training.record import Diverged
from lstm_lib.training.samples import predict
from lstm_lib.training.timing import speed_up, steps_in_turn

Tell = Callable[..., None]  # a transition, and its arguments behind the state
FIRST_POINT = 0.25  # seconds of training before a curve's first point
ROUNDS = 30  # steps that take turns with dense ones, for the measured speed-up


class Job(NamedTuple):
    """One training that was asked for: its number, and the state as it was when Train was pressed."""

    number: int
    state: State

    @property
    def start(self) -> Live:
        """What there is to tell before its first step."""
        return Live(f"{self.number} {what(self.state)}", self.state.settings)


def jobs(state: State) -> list[Job]:
    """What a press on Train asks for: the selection, and before it the dense run if there is none to compare with.

    Raises ValueError where depth and selection don't fit, and while the settings in the page are refused.
    """
    if state.refused:
        raise ValueError(f"Mend the settings first. {state.refused}")
    isolation(state)  # refuses what doesn't fit
    dense = replace(transitions.clear(state), depth="skip", span=None, from_epoch=1, redraw=False)
    asked = [dense] * needs_dense(state) + [dense if is_dense(state) else state]
    first = 1 + max((run.number for run in state.runs), default=0)
    return [Job(first + k, one) for k, one in enumerate(asked)]


def train_all(asked: list[Job], tell: Tell, stopped: Callable[[], bool]) -> None:
    """Train one job after the other, until all are done or it was stopped; the last that it tells is the end."""
    message, wrong = "", False
    try:
        for number, job in enumerate(asked):
            if not stopped():
                train(job, tell, stopped, (number / len(asked), 1 / len(asked)))
    except Exception as error:  # whatever it is, it has to be shown in the page
        wrong, message = True, f"The training ended: {transitions.as_text(error)}"
    if stopped():
        message = "Stopped. What was learned until then is kept."
    tell(transitions.end, message, wrong)


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
    state, settings, split = job.state, job.state.settings, job.state.settings.task.split()
    reporter = Reporter(job.start, split.valid, tell, stopped, part)
    try:
        record = fit(
            settings.spec, split.train, split.valid, seed=settings.seed, epochs=settings.epochs, batch=settings.batch,
            optimizer=settings.adam, rate=settings.rate, isolation=None if is_dense(state) else isolation(state),
            watch=True, progress=False, callbacks=[reporter],
        )  # fmt: skip
        ended = record.stopped
    except Diverged as error:
        if not len(error.record.history):
            raise
        record, ended = error.record, f"diverged in {reporter.live.place.partition(',')[0]}"
    reporter.point(record.params)
    measured, found = 1.0, price(state)
    if not is_dense(state):
        reporter.report(place="timing steps in turns with dense ones")
        measured = np.nan if ended else over_epochs(step_speed_up(state, split), state, found.once)
    words = [f"from epoch {state.from_epoch}"] * (state.from_epoch > 1) + ["redrawn"] * state.redraw
    run = Run(
        job.number, what(state), settings, f"{found.arcs:.0%} of the arcs" if state.redraw else str(state.zone),
        state.depth, state.span, ", ".join(words), found.arcs, predicted=found.whole, measured=measured,
        unit=split.series.unit, curve=reporter.live.curve, record=record, stopped=ended,
    )  # fmt: skip
    tell(transitions.finish, run)


class Reporter(Callback):
    """Tells how a training goes, and ends it when it was stopped; `live` is what it has told last."""

    def __init__(
        self, live: Live, valid: Windows, tell: Tell, stopped: Callable[[], bool], part: tuple[float, float]
    ) -> None:
        self.live, self.valid, self.tell, self.stopped, self.part = live, valid, tell, stopped, part
        self.next_point, self.next_told, self.seconds = FIRST_POINT, 0.1, 0.0
        self.report()

    def after_step(self, now: Progress) -> str | None:
        """As `fit` calls it."""
        self.seconds, over = now.seconds, now.step == now.steps
        after = ", done: validating, then drawing" * over
        self.live = self.live._replace(place=f"epoch {now.epoch} of {now.epochs}{after}")
        if self.stopped():
            return f"stopped in {self.live.place}"
        if now.seconds >= self.next_point and not over:
            began = time.perf_counter()
            self.point(now.params)
            spent = time.perf_counter() - began
            # later points are rarer, and looking never takes longer than a quarter of the training
            self.next_point = now.seconds + max(FIRST_POINT, 4 * spent, now.seconds / 30)
        if now.seconds >= self.next_told or over:
            self.next_told, (first, long) = now.seconds + 0.1, self.part
            # of all that was asked for, and in how many seconds the rest is done, at the pace so far
            done, whole = first + long * now.step / now.steps, now.seconds / now.step * now.steps / long
            self.report(done=done, left=whole * (1 - done))
        return None

    def point(self, params: Params) -> None:
        """Add a point to the curve: the error with these parameters, in the unit of the series."""
        error = predict(self.live.settings.spec, params, self.valid) - self.valid.y
        rmse = float(np.sqrt(np.mean(error**2)) * self.valid.scale)
        self.report(curve=(*self.live.curve, (self.seconds, rmse)))

    def report(self, **news: Any) -> None:
        """Tell the page; what is not new stays as it was told before."""
        self.live = self.live._replace(**news)
        self.tell(transitions.follow, self.live)


def step_speed_up(state: State, split: Split) -> float:
    """How many times as fast as a dense step an isolated one is, by steps that take turns."""
    both = dict(zip(("dense", "isolated"), plans(state), strict=True))
    seconds = steps_in_turn(state.spec, both, split.train, state.settings.batch, ROUNDS)
    return float(speed_up(seconds)["speed-up"]["isolated"])

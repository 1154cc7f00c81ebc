"""Callbacks: what `fit` calls between its steps and after its epochs, to look, to keep, or to end the run.

Nouns: a `Progress` says where the run stands; a `Callback` is shown it after every step and after every epoch, and
answers None to go on, or a text that says why to stop. A plain function serves as well: it is called after every epoch.

    fit(..., callbacks=[EarlyStopping(patience=3), SaveRecord("run.npz"), lambda now: print(now.record.history)])

What callbacks do is not counted as training time. They must not change what they are shown. A run that one of them
ended is complete up to its last epoch, and can be resumed; `record.stopped` has the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.cells import Array
from lstm_lib.network.spec import Params

from .adam import AdamState
from .record import HISTORY, Record
from .settings import check_choice, whole


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step, or at the end of an epoch.

    epoch, epochs : the one that runs or has just ended, 1 … epochs.
    step, steps : how many are made since the start of the training, of how many.
    seconds : training time since the start of the training, without validation and callbacks.
    losses : (steps made in this epoch,) the loss of each.
    params, state : the network and Adam's state as they are now; copy what you keep.
    plan : the one that the last step was made under.
    record : what `fit` will return; its history has this epoch only once it has ended.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    seconds: float
    losses: Array = field(repr=False)
    params: Params = field(repr=False)
    state: AdamState = field(repr=False)
    plan: Plan = field(repr=False)
    record: Record = field(repr=False)


Answer = str | bool | None  # None or False: go on; a reason, or True: stop


class Callback:
    """What `fit` calls; a subclass says what happens in either method, or in both.

    >>> from lstm_lib import Spec, fit
    >>> class Patience(Callback):
    ...     def after_step(self, now):
    ...         return "enough" if now.step == 3 else None
    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(8, 5, 1)
    >>> record = fit(Spec(1, (3,), 1), (x, x[:, -1]), epochs=5, batch=4, callbacks=[Patience()], progress=False)
    >>> len(record.history), record.stopped
    (1, 'enough')
    """

    def after_step(self, now: Progress) -> Answer:
        """After every training step."""

    def after_epoch(self, now: Progress) -> Answer:
        """After every epoch, once it has been validated and its row stands in the history."""


class Stop(Exception):
    """A callback ends the run; the text says why."""


Told = Callback | Callable[[Progress], Answer]  # a function is called after every epoch


def as_callbacks(given: Any) -> list[Told]:
    """All callbacks of a run; ValueError for what is neither a `Callback` nor a function."""
    if callable(given) or not isinstance(given, Iterable):
        raise ValueError(f"callbacks takes a list of callbacks; got {given!r}")
    for one in (told := list(given)):
        if not isinstance(one, Callback) and (not callable(one) or isinstance(one, type)):
            raise ValueError(
                f"callbacks holds {one!r}; expected a Callback such as EarlyStopping(patience=3), or a function"
            )
    return told


def show(callbacks: list[Told], event: Literal["after_step", "after_epoch"], now: Progress) -> None:
    """Show a step or an epoch to all, also where an earlier one stops the run; raise `Stop` then."""
    calls = [getattr(one, event) if isinstance(one, Callback) else one for one in callbacks
             if isinstance(one, Callback) or event == "after_epoch"]  # fmt: skip
    for answer in [call(now) for call in calls]:
        if isinstance(answer, bool | np.bool_) or answer is None:
            answer = "a callback ended the run" if answer else ""
        if not isinstance(answer, str):
            raise ValueError(
                f"a callback returned {answer!r}; expected None to go on, or a text that says why to stop"
            )
        if answer:
            raise Stop(answer)


# ------------------------------------------------------------------------------------------- those that come with it


@dataclass(frozen=True)
class EarlyStopping(Callback):
    """End the run when the validation loss has not fallen for some epochs (Prechelt, 1998).

    It reads the history alone, so that a resumed run stops where an uninterrupted one would have. The parameters of
    the best epoch are `record.best_params`.

    Parameters
    ----------
    patience : epochs without a new lowest value after which the run ends, at least 1.
    min_delta : by how much a value must be lower than the lowest before, to count, >= 0.
    measure : a column of the history, "valid_loss", "valid_rmse" or "train_loss".

    Raises ValueError for a setting out of range, and in `fit` for a measure that the history lacks.

    >>> EarlyStopping(patience=2)
    EarlyStopping(patience=2, min_delta=0.0, measure='valid_loss')
    """

    patience: int = 3
    min_delta: float = 0.0
    measure: str = "valid_loss"

    def __post_init__(self) -> None:
        whole("patience", self.patience)
        if not 0 <= self.min_delta < np.inf:
            raise ValueError(f"min_delta must be 0 or a positive number, got {self.min_delta!r}")
        check_choice("measure", self.measure, HISTORY[2:])

    def after_epoch(self, now: Progress) -> Answer:
        """Stop, if it is time."""
        values = now.record.history[self.measure]
        if values.isna().any():
            raise ValueError(
                f"the history has no {self.measure}: give fit() a validation part, or measure='train_loss'"
            )
        lowest, best = np.inf, 0
        for epoch, value in enumerate(values, 1):
            if value < lowest - self.min_delta:
                lowest, best = value, epoch
        if len(values) - best < self.patience:
            return None
        return f"{self.measure} has not fallen since epoch {best}"


@dataclass(frozen=True)
class SaveRecord(Callback):
    """Save the record after every epoch, so that a run that is killed goes on from there.

    path : of the `.npz` file; the file of the epoch before is replaced in one go. Raises OSError where it can't be
        written.
    """

    path: str | Path

    def after_epoch(self, now: Progress) -> None:
        """Save."""
        now.record.save(self.path)


class Bar(Callback):
    """A progress bar by tqdm, for so many steps of which some are made already; `close` it at the end."""

    def __init__(self, steps: int, made: int) -> None:
        from tqdm.auto import tqdm

        self.bar = tqdm(total=steps, initial=made, unit="step", desc="training")
        self.close = self.bar.close

    def after_step(self, now: Progress) -> None:
        """Move on."""
        self.bar.update()

    def after_epoch(self, now: Progress) -> None:
        """Show the losses."""
        last = now.record.history.iloc[-1]
        self.bar.set_postfix({k: f"{last[k]:.4f}" for k in ("train_loss", "valid_rmse")})

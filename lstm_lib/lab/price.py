"""The price before paying: what a selection saves, counted before it is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_lib.isolation.cost import Cost
from lstm_lib.isolation.plan import Plan, plain
from lstm_lib.lab.state import State, isolation
from lstm_lib.training.schedules import Moment, plan_at

PARTS = ("forward", "error", "weights", "update")
MOMENTS = 2  # numbers that Adam keeps for an arc


@dataclass(frozen=True)
class Price:
    """What a training step costs under the selection, beside the dense step.

    Parameters
    ----------
    parts : part of a step -> (dense, isolated), both in % of the predicted time of the whole dense step.
    step, whole : how many times as fast as dense: an isolated step, and the whole training with its schedule.
    arcs : share of the network's arcs that are isolated, 0 to 1.
    adam, adam_dense : bytes of the moments that are still moved, and of all.
    notes : what to know before paying.
    """

    parts: dict[str, tuple[float, float]]
    step: float
    whole: float
    arcs: float
    adam: int
    adam_dense: int
    notes: tuple[str, ...]


def plans(state: State) -> tuple[Plan, Plan]:
    """The dense plan, and the one that holds as soon as something is isolated."""
    epochs = state.settings.epochs
    return plain(state.spec), plan_at(isolation(state), state.spec, Moment(epochs, epochs, 0))


def price(state: State) -> Price:
    """The price of the selection; ValueError where depth and selection don't fit.

    >>> from lstm_lib.lab.state import new
    >>> price(new()).step
    1.0
    """
    dense_plan, plan = plans(state)
    T, batch = state.settings.lookback, state.settings.batch
    dense, cost = dense_plan.cost(T, batch), plan.cost(T, batch)
    step = cost.speed_up(dense)
    size = state.spec.size
    left = size - plan.zone.size
    return Price(
        parts=_parts(dense, cost),
        step=step,
        whole=over_epochs(step, state),
        arcs=plan.zone.share,
        adam=left * MOMENTS * np.dtype("float32").itemsize,
        adam_dense=size * MOMENTS * np.dtype("float32").itemsize,
        notes=_notes(state, plan),
    )


def over_epochs(step: float, state: State) -> float:
    """Speed-up of a whole training whose steps are dense before `from_epoch` and `step` times as fast after it.

    >>> from lstm_lib.lab.state import new, with_schedule
    >>> round(over_epochs(2.0, with_schedule(new(), 3, False)), 3)  # 2 of 4 epochs dense
    1.333
    """
    epochs, dense = state.settings.epochs, state.from_epoch - 1
    return epochs / (dense + (epochs - dense) / step)


def _parts(dense: Cost, cost: Cost) -> dict[str, tuple[float, float]]:
    whole = dense.seconds.total
    return {
        part: (100 * getattr(dense.seconds, part) / whole, 100 * getattr(cost.seconds, part) / whole)
        for part in PARTS
    }


def _notes(state: State, plan: Plan) -> tuple[str, ...]:
    notes = list(plan.notes)
    if plan.zone.share == 1:
        notes.append("every arc is isolated: nothing is learned")
    if plan.unreached.size and plan.zone.share < 1:
        notes.append(f"no error reaches {plan.unreached.size:,} active arcs at this depth: they do not learn")
    if state.redraw:
        notes.append("the hatched blocks only say how many are drawn")
    return tuple(notes)

"""The price before paying: what a selection saves, counted before it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_lib.isolation.plan import Plan, dense
from lstm_lib.lab.state import State, isolation
from lstm_lib.training.schedules import Moment, plan_at

PARTS = ("forward", "error", "weights", "update")
MOST = 30.0  # times as fast: beyond it, what surrounds the products of a step decides, which isn't counted
MOMENTS_BYTES = 8  # of an arc, in Adam: two numbers in float32


@dataclass(frozen=True)
class Estimate:
    """What a training step costs under the selection, beside the dense step.

    Parameters
    ----------
    parts : part of a step -> (dense, isolated), both in % of the predicted time of the whole dense step.
    step, whole : how many times as fast as dense: an isolated step, and the whole training with its schedule.
    arcs : share of the network's arcs that are isolated, 0 to 1.
    adam, adam_dense : bytes of the moments that are still moved, and of all.
    notes : what to know before paying. once : of the dense epochs, what is computed once and then remembered.
    """

    parts: dict[str, tuple[float, float]]
    step: float
    whole: float
    arcs: float
    adam: int
    adam_dense: int
    notes: tuple[str, ...]
    once: float = 0.0


def plans(state: State) -> tuple[Plan, Plan]:
    """The dense plan, and the one that holds as soon as something is isolated."""
    epochs = state.settings.epochs
    return dense(state.spec), plan_at(isolation(state), state.spec, Moment(epochs, epochs, 0))


def price(state: State) -> Estimate:
    """The price of the selection; ValueError where depth and selection don't fit.

    >>> from lstm_lib.lab.state import new
    >>> price(new()).step
    1.0
    """
    dense_plan, plan = plans(state)
    T, batch = state.settings.task.lookback, state.settings.batch
    dense, cost = dense_plan.cost(T, batch), plan.cost(T, batch)
    step, size = min(cost.speed_up(dense), MOST), state.spec.size
    once = 0.0
    if state.depth == "cache":  # what is remembered is computed once, over one epoch
        once = (dense.seconds.forward - cost.seconds.forward) / dense.seconds.total
    notes = _notes(state, plan) + (
        f"no more than {MOST:.0f}× is promised of a step: what surrounds its work isn't counted",
    ) * (step == MOST)
    share = 100 / dense.seconds.total
    return Estimate(
        parts={p: (share * getattr(dense.seconds, p), share * getattr(cost.seconds, p)) for p in PARTS},
        step=step, whole=over_epochs(step, state, once), arcs=plan.zone.share,
        adam=(size - plan.zone.size) * MOMENTS_BYTES, adam_dense=size * MOMENTS_BYTES, notes=notes,
        once=once,
    )  # fmt: skip


def over_epochs(step: float, state: State, once: float = 0.0) -> float:
    """Speed-up of a whole training whose steps are dense before `from_epoch` and `step` times as fast after it.

    once : what is computed once besides, as a share of a dense epoch.

    >>> from lstm_lib.lab.state import new, with_schedule
    >>> round(over_epochs(2.0, with_schedule(new(), 3, False)), 3)  # 2 of 4 epochs dense
    1.333
    """
    epochs, dense = state.settings.epochs, state.from_epoch - 1
    return epochs / (dense + (epochs - dense) / step + once)


def _notes(state: State, plan: Plan) -> tuple[str, ...]:
    notes = list(plan.notes)
    if plan.zone.share == 1:
        notes.append("every arc is isolated: nothing is learned")
    if plan.unreached.size and plan.zone.share < 1:
        notes.append(f"no error reaches {plan.unreached.size:,} active arcs at this depth: they do not learn")
    if state.redraw:
        notes.append("the hatched blocks only say how many are drawn")
    return tuple(notes)

"""The price before paying: what a selection saves, counted before it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lstm_lib.isolation.cost import Cost
from lstm_lib.isolation.plan import Plan, dense
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.settings import Settings
from lstm_lib.lab.state import State
from lstm_lib.network.spec import Spec
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


@lru_cache(maxsize=16)
def plans(spec: Spec, choice: Choice, epochs: int) -> tuple[Plan, Plan]:
    """The dense plan, and the one that holds as soon as something is isolated."""
    return dense(spec), plan_at(choice(spec), spec, Moment(epochs, epochs, 0))


def step_cost(plan: Plan, settings: Settings) -> Cost:
    """What a step on the samples of these settings costs."""
    output = None if settings.task.length is None else "every"
    return plan.cost(settings.task.unrolled, settings.batch, output=output)


def price(state: State) -> Estimate:
    """The price of the selection; ValueError where depth and selection don't fit.

    >>> from lstm_lib.lab.state import new
    >>> price(new()).step
    1.0
    """
    return estimate(state.spec, state.settings, state.choice)


def estimate(spec: Spec, settings: Settings, choice: Choice) -> Estimate:
    """The price of a choice; ValueError where depth and zone don't fit."""
    dense_plan, plan = plans(spec, choice, settings.epochs)
    dense, cost = step_cost(dense_plan, settings), step_cost(plan, settings)
    step = min(cost.speed_up(dense), MOST)
    once = 0.0
    if choice.depth == "cache":  # what is remembered is computed once, over one epoch
        once = (dense.seconds.forward - cost.seconds.forward) / dense.seconds.total
    notes = _notes(plan, choice) + (
        f"no more than {MOST:.0f}× is promised of a step: what surrounds its work isn't counted",
    ) * (step == MOST)
    share = 100 / dense.seconds.total
    return Estimate(
        parts={p: (share * getattr(dense.seconds, p), share * getattr(cost.seconds, p)) for p in PARTS},
        step=step, whole=over_epochs(step, settings.epochs, choice.from_epoch, once), arcs=plan.zone.share,
        adam=(spec.size - plan.zone.size) * MOMENTS_BYTES, adam_dense=spec.size * MOMENTS_BYTES, notes=notes,
        once=once,
    )  # fmt: skip


def over_epochs(step: float, epochs: int, from_epoch: int, once: float = 0.0) -> float:
    """Speed-up of a whole training whose steps are dense before `from_epoch` and `step` times as fast after it.

    once : what is computed once besides, as a share of a dense epoch.

    >>> round(over_epochs(2.0, 4, 3), 3)  # 2 of 4 epochs dense
    1.333
    """
    dense = from_epoch - 1
    return epochs / (dense + (epochs - dense) / step + once)


def _notes(plan: Plan, choice: Choice) -> tuple[str, ...]:
    notes = list(plan.notes)
    if plan.zone.share == 1:
        notes.append("every arc is isolated: nothing is learned")
    if plan.unreached.size and plan.zone.share < 1:
        notes.append(f"no error reaches {plan.unreached.size:,} active arcs at this depth: they do not learn")
    if choice.redraw and plan.zone.size:
        notes.append("the hatched blocks only say how many are drawn")
    return tuple(notes)

"""Schedules: which plan holds from which epoch or step on.

Nouns: a `Moment` is where a training stands; a `Schedule` answers it with the plan that holds then. `from_epoch`,
`thaw_last`, `alternate` and `redraw` make schedules, and take schedules where they take plans, so that they can be
put into each other:

    thaw_last(2, from_epoch(3, redraw(spec, share=0.75)))   dense, redrawn from epoch 3 on, dense in the last two

To thaw an arc is to update it again. A plan depends on the moment and on seeds alone, so that an interrupted
training goes on as if it had not been; what a moment knows of the past is in its evidence, which a checkpoint keeps.
`lstm_lib.by_statistic` makes a schedule that reads it. A schedule itself never changes.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, Literal, NamedTuple

import numpy as np

from lstm_lib.isolation.partition import partition
from lstm_lib.isolation.plan import Plan, dense, isolate
from lstm_lib.network.spec import Spec

from .evidence import Evidence
from .settings import called, check_share, whole


class Moment(NamedTuple):
    """Where a training stands: epoch 1 … epochs, the number of steps made since its start, and the evidence.

    The evidence is that at the end of the epoch before, where the training watches (see `lstm_lib.fit`).
    """

    epoch: int
    epochs: int
    step: int
    evidence: Evidence | None = None


@dataclass(frozen=True, repr=False)
class Schedule:
    """Which plan holds at which moment; it is shown as the call that made it.

    spec : the network that all its plans are for.
    described : what `describe` says.
    plan_at : the plan that holds at a moment.
    needs : what its plans depend on: "epochs", their number in the whole training; "evidence", of its arcs.

    >>> thaw_last(2, redraw(Spec(1, (4,), 1), share=0.5, seed=3)).needs
    frozenset({'epochs'})
    """

    spec: Spec
    made_by: str
    described: dict[str, Any] = field(hash=False)
    plan_at: Callable[[Moment], Plan] = field(compare=False)
    needs: frozenset[str] = frozenset()

    def describe(self) -> dict[str, Any]:
        """The schedule in words and numbers, for a record."""
        return copy.deepcopy(self.described)

    def __repr__(self) -> str:
        return self.made_by


PlanOrSchedule = Plan | Schedule


def needs_of(*isolations: PlanOrSchedule | None) -> frozenset[str]:
    """What these need together; a plan needs nothing."""
    return frozenset[str]().union(*(one.needs for one in isolations if isinstance(one, Schedule)))


def plan_at(isolation: PlanOrSchedule | None, spec: Spec, moment: Moment) -> Plan:
    """The plan that holds: a plan always, a schedule's by the moment, None isolates nothing."""
    if isolation is None:
        return dense(spec)
    return isolation if isinstance(isolation, Plan) else isolation.plan_at(moment)


def from_epoch(epoch: float, inner: PlanOrSchedule, before: PlanOrSchedule | None = None) -> Schedule:
    """Follow `before` (None isolates nothing) up to `epoch`, counted from 1, and `inner` from it on.

    An epoch below 1 is the share of the training that goes by before: from_epoch(0.75, …) holds for the last quarter.
    Raises ValueError for an epoch of another kind, and plans of several networks.

    >>> from lstm_lib import Spec, zone
    >>> spec = Spec(1, (2,), 1)
    >>> schedule = from_epoch(3, isolate(spec, zone(spec, layer=0)))
    >>> [str(schedule.plan_at(Moment(epoch, 4, 0)).zone) for epoch in (2, 3)]
    ['nothing', '0']
    >>> schedule
    from_epoch(epoch=3, inner=<Plan: skip '0'>)
    """
    spec, epoch = _one_network(inner if before is None else before, inner), _time("epoch", epoch)
    described: dict[str, Any] = {"from epoch": epoch, "plan": inner.describe()}
    described |= {} if before is None else {"before": before.describe()}
    call = called(from_epoch, epoch=epoch, inner=inner, before=before)
    rule = partial(_switched, spec, before, inner, epoch if epoch >= 1 else epoch - 1)
    return Schedule(
        spec, call, described, rule, needs_of(before, inner) | ({"epochs"} if epoch < 1 else set())
    )


def thaw_last(epochs: float, inner: PlanOrSchedule) -> Schedule:
    """Follow `inner`, and isolate nothing in the last `epochs` of the training; below 1 they are a share of it.

    Raises ValueError for epochs of another kind.

    >>> from lstm_lib import Spec, zone
    >>> spec = Spec(1, (2,), 1)
    >>> schedule = thaw_last(1, isolate(spec, zone(spec, layer=0)))
    >>> [str(schedule.plan_at(Moment(epoch, 3, 0)).zone) for epoch in (2, 3)]
    ['0', 'nothing']
    """
    spec, epochs = _one_network(inner), _time("epochs", epochs)
    described = {"thawed for the last epochs": epochs, "plan": inner.describe()}
    call = called(thaw_last, epochs=epochs, inner=inner)
    rule = partial(_switched, spec, inner, None, -epochs)
    return Schedule(spec, call, described, rule, needs_of(inner) | {"epochs"})


def alternate(plans: Sequence[PlanOrSchedule], every: int | Literal["epoch"] = "epoch") -> Schedule:
    """Follow each of `plans` in turn, for an epoch or for `every` steps; start again after the last.

    A plan at depth "cache" computes its states anew after every turn of a plan that moves the layers below: it pays
    over epochs, not over steps.

    >>> from lstm_lib import Spec, nothing, zone
    >>> spec = Spec(1, (2,), 1)
    >>> schedule = alternate([isolate(spec, nothing(spec)), isolate(spec, zone(spec, layer=0))], every=2)
    >>> [str(schedule.plan_at(Moment(1, 1, step)).zone) for step in range(5)]
    ['nothing', 'nothing', '0', '0', 'nothing']
    """
    if isinstance(plans, PlanOrSchedule) or not len(plans):
        raise ValueError(f"alternate() takes a list of plans or schedules, at least one; got {plans!r}")
    plans, turns = tuple(plans), _every(every)
    spec, call = _one_network(*plans), called(alternate, plans=[*plans], every=turns)
    described = {"alternate every": turns, "plans": [plan.describe() for plan in plans]}
    return Schedule(spec, call, described, partial(_in_turn, plans, turns), needs_of(*plans))


def redraw(
    spec: Spec,
    share: float,
    every: int | Literal["epoch"] = "epoch",
    seed: int = 0,
    by: str = "unit",
    blocks: int | None = None,
    depth: str = "skip",
    span: int | None = None,
) -> Schedule:
    """Isolate blocks of the layers drawn at random, anew every epoch or every so many steps.

    Parameters
    ----------
    share : share of the blocks of every layer that are isolated, in [0, 1], rounded to whole blocks, so that few
        blocks make coarse shares; the head is always active.
    every : "epoch", or a number of steps.
    seed : of the draws; the k-th draw depends on seed and k alone.
    by, blocks : as for `partition`; with "unit" and None every unit is a block.
    depth, span : as for `isolate`.

    Raises ValueError that names the argument, what was given and what is allowed.

    >>> schedule = redraw(Spec(1, (4,), 1), share=0.5)
    >>> [str(schedule.plan_at(Moment(epoch, 3, 0)).zone) for epoch in (1, 2, 2)]
    ['0[2:4]', '0[1,3]', '0[1,3]']
    """
    check_share("share", share)
    if depth == "cache":
        raise ValueError("depth 'cache' needs layers that stay isolated; redraw at depth 'skip' or 'cut'")
    settings: dict[str, Any] = {
        "share": float(share), "every": _every(every), "seed": whole("seed", seed, 0), "by": by, "blocks": blocks,
        "depth": depth, "span": span,
    }  # fmt: skip
    call = called(redraw, spec=spec, **settings)
    schedule = Schedule(spec, call, {"redraw": settings}, partial(_redrawn, spec, **settings))
    schedule.plan_at(Moment(1, 1, 0))  # refuses blocks, a depth or a span that aren't
    return schedule


# --------------------------------------------------------------------------------------------------------- details


def _switched(
    spec: Spec, first: PlanOrSchedule | None, then: PlanOrSchedule | None, epoch: float, moment: Moment
) -> Plan:
    """`first` up to an epoch, `then` from it on.

    The epoch counts from 1, or back from the end if negative; above -1 as a share of the training, an epoch at least.
    """
    last = max(1, round(-epoch * moment.epochs)) if epoch > -1 else -epoch
    begins = epoch if epoch > 0 else moment.epochs + 1 - last
    return plan_at(then if moment.epoch >= begins else first, spec, moment)


def _in_turn(plans: tuple[PlanOrSchedule, ...], every: int | str, moment: Moment) -> Plan:
    return plan_at(plans[_turn(every, moment) % len(plans)], plans[0].spec, moment)


def _turn(every: int | str, moment: Moment) -> int:
    """How many turns have passed."""
    return moment.epoch - 1 if every == "epoch" else moment.step // int(every)


_partition = lru_cache(maxsize=16)(partition)


def _redrawn(spec: Spec, moment: Moment, every: int | str, **how: Any) -> Plan:
    return _drawn(spec, _turn(every, moment), **how)


@lru_cache(maxsize=16)  # a plan holds for many steps; how many are kept changes no number
def _drawn(
    spec: Spec, turn: int, share: float, seed: int, by: str, blocks: int | None, depth: str, span: int | None
) -> Plan:
    rng, chosen = np.random.default_rng([seed, turn]), list[str]()
    cut = _partition(spec, max(spec.units) if by == "unit" and blocks is None else blocks, by)
    layers = groupby(cut, lambda name: re.split(r"[/\[]", name)[0])
    for names in [list(group) for layer, group in layers if layer != "head"]:
        chosen += [names[k] for k in rng.choice(len(names), round(share * len(names)), replace=False)]
    return isolate(spec, cut.union(chosen), depth, span)


def _one_network(*plans: PlanOrSchedule) -> Spec:
    """The network of all these plans and schedules."""
    for plan in plans:
        if not isinstance(plan, PlanOrSchedule):
            raise ValueError(f"expected a plan, from isolate(), or a schedule; got a {type(plan).__name__}")
        if plan.spec != (spec := plans[0].spec):
            raise ValueError(f"the plans of a schedule are for one network, not for {spec} and {plan.spec}")
    return plans[0].spec


def _time(name: str, epochs: float) -> float:
    """A number of epochs, or a share of them."""
    if isinstance(epochs, float) and 0 < epochs < 1:
        return epochs
    return whole(name, epochs, why=", or a share of the training between 0 and 1")


def _every(every: int | str) -> int | str:
    if isinstance(every, str) and every != "epoch":
        raise ValueError(f"every is {every!r}; give 'epoch' or a number of steps")
    return every if isinstance(every, str) else whole("every", every)

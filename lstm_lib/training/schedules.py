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

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from lstm_lib.isolation.partition import Partition, partition
from lstm_lib.isolation.plan import Plan, dense, isolate
from lstm_lib.network.spec import Spec, is_whole

from .evidence import Evidence


class Moment(NamedTuple):
    """Where a training stands: epoch 1 … epochs, the number of steps made since its start, and the evidence.

    The evidence is that at the end of the epoch before, where the training watches (see `lstm_lib.fit`).
    """

    epoch: int
    epochs: int
    step: int
    evidence: Evidence | None = None


class Schedule(ABC):
    """Which plan holds at which moment. All its plans are for one network, `spec`."""

    spec: Spec

    @abstractmethod
    def plan_at(self, moment: Moment) -> Plan:
        """The plan that holds at this moment."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The schedule in words and numbers, for a record."""

    @property
    def needs(self) -> frozenset[str]:
        """What its plans depend on: "epochs", their number in the whole training; "evidence", of its arcs."""
        return frozenset()


PlanOrSchedule = Plan | Schedule


def needs_of(*isolations: PlanOrSchedule | None) -> frozenset[str]:
    """What these need together; a plan needs nothing."""
    return frozenset[str]().union(*(one.needs for one in isolations if isinstance(one, Schedule)))


def plan_at(isolation: PlanOrSchedule | None, spec: Spec, moment: Moment) -> Plan:
    """The plan that holds: a plan always, a schedule's by the moment, None isolates nothing."""
    if isolation is None:
        return dense(spec)
    return isolation if isinstance(isolation, Plan) else isolation.plan_at(moment)


def from_epoch(epoch: int, inner: PlanOrSchedule, before: PlanOrSchedule | None = None) -> Schedule:
    """Follow `before` (None isolates nothing) up to `epoch`, counted from 1, and `inner` from it on.

    >>> from lstm_lib import Spec, zone
    >>> spec = Spec(1, (2,), 1)
    >>> schedule = from_epoch(3, isolate(spec, zone(spec, layer=0)))
    >>> [str(schedule.plan_at(Moment(epoch, 4, 0)).zone) for epoch in (2, 3)]
    ['nothing', '0']
    """
    first = None if before is None else _checked(before)
    return _Switch(first, _checked(inner), _whole("epoch", epoch))


def thaw_last(epochs: int, inner: PlanOrSchedule) -> Schedule:
    """Follow `inner`, and isolate nothing in the last `epochs` of the training.

    >>> from lstm_lib import Spec, zone
    >>> spec = Spec(1, (2,), 1)
    >>> schedule = thaw_last(1, isolate(spec, zone(spec, layer=0)))
    >>> [str(schedule.plan_at(Moment(epoch, 3, 0)).zone) for epoch in (2, 3)]
    ['0', 'nothing']
    """
    return _Switch(_checked(inner), None, -_whole("epochs", epochs))


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
    return _Alternate(tuple(_checked(plan) for plan in plans), _every(every))


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
    if not isinstance(share, int | float | np.floating) or isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"share is {share!r}; it must be a number from 0 to 1")
    if depth == "cache":
        raise ValueError("depth 'cache' needs layers that stay isolated; redraw at depth 'skip' or 'cut'")
    if not is_whole(seed, 0):
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    schedule = _Redraw(spec, float(share), _every(every), int(seed), by, blocks, depth, span)
    schedule.plan_at(Moment(1, 1, 0))  # refuses blocks, a depth or a span that aren't
    return schedule


# --------------------------------------------------------------------------------------------------------- details


@dataclass(frozen=True)
class _Switch(Schedule):
    """`first` up to an epoch, `then` from it on; the epoch counts from 1, or back from the end if negative."""

    first: PlanOrSchedule | None
    then: PlanOrSchedule | None
    epoch: int

    def __post_init__(self) -> None:
        specs = [inner.spec for inner in (self.first, self.then) if inner is not None]
        if specs[0] != specs[-1]:
            raise ValueError(
                f"the plans of a schedule are for one network, not for {specs[0]} and {specs[-1]}"
            )

    @property
    def spec(self) -> Spec:  # type: ignore[override]
        return next(inner.spec for inner in (self.first, self.then) if inner is not None)

    def plan_at(self, moment: Moment) -> Plan:
        begins = self.epoch if self.epoch > 0 else moment.epochs + 1 + self.epoch
        return plan_at(self.then if moment.epoch >= begins else self.first, self.spec, moment)

    def describe(self) -> dict[str, Any]:
        if self.epoch < 0:
            assert self.first is not None
            return {"thawed for the last epochs": -self.epoch, "plan": self.first.describe()}
        assert self.then is not None
        before = {} if self.first is None else {"before": self.first.describe()}
        return {"from epoch": self.epoch, "plan": self.then.describe()} | before

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.first, self.then) | ({"epochs"} if self.epoch < 0 else set())


@dataclass(frozen=True)
class _Alternate(Schedule):
    plans: tuple[PlanOrSchedule, ...]
    every: int | str

    def __post_init__(self) -> None:
        if others := [plan.spec for plan in self.plans if plan.spec != self.spec]:
            raise ValueError(
                f"the plans of a schedule are for one network, not for {self.spec} and {others[0]}"
            )

    @property
    def spec(self) -> Spec:  # type: ignore[override]
        return self.plans[0].spec

    def plan_at(self, moment: Moment) -> Plan:
        return plan_at(self.plans[_turn(self.every, moment) % len(self.plans)], self.spec, moment)

    def describe(self) -> dict[str, Any]:
        return {"alternate every": self.every, "plans": [plan.describe() for plan in self.plans]}

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(*self.plans)


@dataclass(frozen=True)
class _Redraw(Schedule):
    spec: Spec
    share: float
    every: int | str
    seed: int
    by: str
    blocks: int | None
    depth: str
    span: int | None

    def plan_at(self, moment: Moment) -> Plan:
        return _drawn(self, _turn(self.every, moment))

    def describe(self) -> dict[str, Any]:
        words = ("share", "every", "seed", "by", "blocks", "depth", "span")
        return {"redraw": {word: getattr(self, word) for word in words}}


def _turn(every: int | str, moment: Moment) -> int:
    """How many turns have passed."""
    return moment.epoch - 1 if every == "epoch" else moment.step // int(every)


@lru_cache(maxsize=16)  # a plan holds for many steps; how many are kept changes no number
def _drawn(schedule: _Redraw, turn: int) -> Plan:
    spec, rng, chosen = schedule.spec, np.random.default_rng([schedule.seed, turn]), list[str]()
    cut, layers = _by_layer(spec, schedule.blocks, schedule.by)
    for names in layers:
        some = rng.choice(len(names), round(schedule.share * len(names)), replace=False)
        chosen += [names[k] for k in some]
    return isolate(spec, cut.union(chosen), schedule.depth, schedule.span)


@lru_cache(maxsize=16)
def _by_layer(spec: Spec, blocks: int | None, by: str) -> tuple[Partition, list[list[str]]]:
    """The blocks, and their names layer by layer."""
    cut = partition(spec, max(spec.units) if by == "unit" and blocks is None else blocks, by)
    return cut, [[name for name in cut if re.split(r"[/\[]", name)[0] == str(k)] for k in range(spec.layers)]


def _checked(inner: PlanOrSchedule) -> PlanOrSchedule:
    if not isinstance(inner, PlanOrSchedule):
        raise ValueError(f"expected a plan, from isolate(), or a schedule; got a {type(inner).__name__}")
    return inner


def _whole(name: str, number: int) -> int:
    if not is_whole(number, 1):
        raise ValueError(f"{name} must be a whole number of at least 1, got {number!r}")
    return int(number)


def _every(every: int | str) -> int | str:
    if every == "epoch":
        return every
    if isinstance(every, str):
        raise ValueError(f"every is {every!r}; give 'epoch' or a number of steps")
    return _whole("every", every)

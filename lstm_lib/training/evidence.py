"""Evidence: what a training knows of its arcs without a second backward pass.

Nouns: `Watched` is what a training noted of every arc on its way, beside weights and moments; a `Tally` adds up one
epoch of it; an `Evidence` is that together with the weights and with Adam's moments, as they stand at the end of an
epoch. `fit` keeps it, the statistics of `selection` read it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.spec import Params, Spec, copy_params
from lstm_lib.network.trace import Trace

from .adam import Adam, AdamState

GRADIENTS_EVERY = 8  # steps; to look at every gradient would cost a few per cent of a step
KEEP = 0.5  # of the running means over epochs that an epoch leaves


@dataclass
class Watched:
    """What a training noted of every arc; all arrays have the names and shapes of the parameters.

    start : the weights before the first step.
    gradient : mean |g| over every eighth step of the last epoch in which the arc was active; 0 before any.
    change, path : running means over the epochs of the signed and of the absolute change of the weight.
    error : mean |dz|² of the pre-activation that the arc adds to, over time, batch and those steps; 0 in the
        head, and before any.
    chosen : the text of the zone that was isolated at the beginning of each epoch.
    """

    start: Params
    gradient: Params
    change: Params
    path: Params
    error: Params
    chosen: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, params: Params) -> Watched:
        """Before the first step from these parameters.

        >>> Watched.begin({"head/b": np.ones(1)}).gradient
        {'head/b': array([0.])}
        """
        gradient, change, path, error = ({k: np.zeros_like(p) for k, p in params.items()} for _ in range(4))
        return cls(copy_params(params), gradient, change, path, error)

    def after(self, first: Params, last: Params, gradient: Params, error: Params, zone: str) -> Watched:
        """After one more epoch, from the weights `first` to `last`, that began with this zone isolated."""
        moved = {name: w - first[name] for name, w in last.items()}
        change = {name: KEEP * self.change[name] + (1 - KEEP) * by for name, by in moved.items()}
        path = {name: KEEP * self.path[name] + (1 - KEEP) * np.abs(by) for name, by in moved.items()}
        return Watched(self.start, gradient, change, path, error, [*self.chosen, zone])


class Tally:
    """Adds up one epoch and closes it with the next `Watched`; what it is given stays as it is."""

    def __init__(self, before: Watched, params: Params) -> None:
        self.before, self.first = before, copy_params(params)
        self.total, self.squares, self.count = (
            {k: np.zeros_like(p) for k, p in params.items()} for _ in range(3)
        )
        self.steps, self.zone = 0, ""

    def note(self, grads: Params, plan: Plan, trace: Trace) -> None:
        """A step with these gradients under this plan, and the trace of its passes."""
        if self.steps == 0:
            self.zone = str(plan.zone)
        if self.steps % GRADIENTS_EVERY == 0:
            squares = _squares(plan, trace)
            for name in plan.work.updates:
                # the gradient of an isolated arc is no evidence: it may not have been computed
                active = ~plan.zone.mask(name)
                self.total[name] += np.abs(grads[name]) * active
                if name in squares:
                    self.squares[name] += squares[name] * active
                self.count[name] += active
        self.steps += 1

    def close(self, params: Params) -> Watched:
        """The epoch has ended with these parameters."""
        gradient, error = (
            {
                name: np.where(count > 0, total[name] / np.maximum(count, 1), before[name])
                for name, count in self.count.items()
            }
            for total, before in ((self.total, self.before.gradient), (self.squares, self.before.error))
        )
        return self.before.after(self.first, params, gradient, error, self.zone)


def _squares(plan: Plan, trace: Trace) -> Params:
    """Mean |dz|² over time and batch of the pre-activation that an arc adds to, for the arcs that errors reach."""
    spec, found = plan.spec, {}
    for k in range(plan.work.lowest, spec.layers):
        mean = np.square(trace.dz(k)).mean(axis=(0, 2)).reshape(len(spec.row.blocks), -1)
        for matrix in spec.row.matrices:
            name, rows = f"{k}/{matrix}", mean[list(spec.row.readers(matrix))]
            shape = spec.shapes[name]
            found[name] = rows.reshape(shape) if rows.size == math.prod(shape) else rows.reshape(-1, 1)
    return found


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the arcs of a network after some epochs of training.

    Parameters
    ----------
    epoch : how many epochs are complete.
    steps, batch : T and B of a training step; they decide what isolation saves.
    watched : None where the training did not watch (see `fit`).
    """

    spec: Spec
    params: Params
    state: AdamState
    optimizer: Adam
    epoch: int
    steps: int
    batch: int
    watched: Watched | None = None

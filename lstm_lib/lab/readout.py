"""What a selection does to the gradient: its active part beside the dense gradient, on a fixed batch.

The parameters are those of the latest dense run of the network, or as they are before any training. The fixed batch is
some samples of the training part, spread over it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.price import plans
from lstm_lib.lab.runs import Run
from lstm_lib.lab.settings import LastRows
from lstm_lib.lab.state import State, seen, untrained
from lstm_lib.network.backward import backward
from lstm_lib.network.cells import Array
from lstm_lib.network.forward import forward
from lstm_lib.network.losses import LOSSES
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.trace import Trace
from lstm_lib.series import Sequences

SAMPLES = 8  # of the fixed batch; of a large network fewer, so that a click has its answer at once
MOST_PRODUCTS = 2_000_000  # arcs x samples


class Readout(NamedTuple):
    """The gradient that is left, as a vector over all arcs with 0 where they are isolated, beside the dense gradient.

    cosine : of the angle between them. length : how many times as long it is.
    inside : the cosine among the active arcs alone: 1 where their gradient is exact.
    """

    cosine: float
    length: float
    inside: float


class Probe(NamedTuple):
    """A forward pass over the fixed batch, its error, the dense gradient, and the dense |dz| as in `errors`."""

    params: Params
    trace: Trace
    dy: Array
    gradient: Params
    errors: tuple[Array, ...]


@lru_cache(maxsize=2)
def probe(task: LastRows, spec: Spec, seed: int, run: Run | None) -> Probe:
    """The forward pass; remembered until the network, its task or its dense run is another."""
    params = untrained(spec, seed) if run is None else run.record.checkpoint.params
    train = task.samples().train
    rows = np.linspace(0, len(train) - 1, max(1, min(SAMPLES, MOST_PRODUCTS // spec.size))).astype(int)
    x, y = train.take(rows)
    every, weights = ("every", train.weights(rows)) if isinstance(train, Sequences) else (None, None)
    yhat, trace = forward(spec, params, x, engine="plain", output=every)  # which has nothing to compile
    dy = LOSSES[spec.head](yhat, y, weights)[1]
    gradient = {name: a.copy() for name, a in backward(spec, params, trace, dy).items()}
    return Probe(params, trace, dy, gradient, _errors(trace))


def readout(state: State) -> Readout:
    """The gradient under the plan of the selection; ValueError where depth and selection don't fit.

    >>> from lstm_lib.lab.state import new
    >>> readout(new())
    Readout(cosine=1.0, length=1.0, inside=1.0)
    """
    return _passed(*_given(state))[0]


def errors(state: State) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """|dz| of every layer, (blocks, T), root of the mean square over units and batch: dense, and under the plan.

    A block is what the cell computes before a gate; dz is the error of its pre-activation. Raises as `readout`.

    >>> from lstm_lib.lab.state import new
    >>> dense, left = errors(new())
    >>> dense[0].shape, bool((dense[0] == left[0]).all())
    ((4, 48), True)
    """
    given = _given(state)
    return probe(*given[:4]).errors, _passed(*given)[1]


def _given(state: State) -> tuple[LastRows, Spec, int, Run | None, Choice, int]:
    settings = state.settings
    return replace(settings.task), state.spec, settings.seed, seen(state), state.choice, settings.epochs


@lru_cache(maxsize=16)
def _passed(
    task: LastRows, spec: Spec, seed: int, run: Run | None, choice: Choice, epochs: int
) -> tuple[Readout, tuple[Array, ...]]:
    """The backward pass under the plan of a choice."""
    plan, made = plans(spec, choice, epochs)[1], probe(task, spec, seed, run)
    left, active = backward(spec, made.params, made.trace, made.dy, plan), _active(plan)
    left = {name: np.where(active[name], a, 0) for name, a in left.items()}
    dense, inside = made.gradient, {name: np.where(active[name], a, 0) for name, a in made.gradient.items()}
    size, own, there = _dot(left, left), _dot(dense, dense), _dot(inside, inside)
    found = Readout(0.0, 0.0, 0.0)
    if size and own:
        found = Readout(
            round(_dot(left, dense) / math.sqrt(size * own), 6),
            round(math.sqrt(size / own), 6),
            round(_dot(left, inside) / math.sqrt(size * there), 6) if there else 0.0,
        )
    return found, _errors(made.trace)


def _errors(trace: Trace) -> tuple[Array, ...]:
    layers = range(trace.spec.layers)
    blocks = len(trace.spec.row.blocks)
    dz = (trace.dz(k) for k in layers)
    return tuple(np.sqrt((a.reshape(len(a), blocks, -1) ** 2).mean(axis=2)).T for a in dz)


def _active(plan: Plan) -> Params:
    return {name: ~plan.zone.mask(name) for name in plan.spec.shapes}


def _dot(a: Params, b: Params) -> float:
    return float(sum(np.vdot(a[name].astype("float64"), b[name]) for name in a))

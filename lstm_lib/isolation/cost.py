"""What a training step costs, counted before it is run: FLOPs of its products, bytes that are moved, calls.

Nouns: `Parts` is one number for each part of a step: forward, error, weights, update; a `Cost` is the FLOPs of
the four parts, `Cost.bytes` their bytes and `Cost.calls` their calls. A multiplication and an addition are two FLOPs;
of the update, which has no products, the arithmetic is counted. Bytes are what element-wise work and copies read and
write, and the matrix that every step's product reads anew, while that of a weight gradient is one product over all
steps. A call is what Python does whatever the sizes: for a layer, for a weight gradient, for arcs that Adam moves
together. FLOPs are those of the engine's products, call by call, and a test holds them to what is really run; bytes are
those of a fused pass over the numbers of a step, as the compiled engine makes it.

Letters: T time steps, of which `back` are back-propagated, B batch, D inputs, H units, n of them kept, P blocks,
K values, S sources, O outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from lstm_lib.network.layout import layout
from lstm_lib.network.spec import Spec
from lstm_lib.network.trace import shares_of
from lstm_lib.network.work import LayerWork, Passage, Work

# For `Cost.seconds`: what one of two cores does in a second in float32, and what a call takes. Fitted to the steps that
# `python -m benchmarks.isolation` measured on two cores of a Xeon under 28 plans at each of three shapes, in batch,
# steps, inputs, units: (32, 96, 8, 256), (32, 96, 8, 32) and (8, 48, 8, 64).
FLOPS_A_SECOND = 72e9
BYTES_A_SECOND = 13.5e9
CALL_SECONDS = 27e-6
THREADS = 2  # among which a large batch is divided; each makes the calls for its share

# Of Adam, for an arc.
ADAM_FLOPS = 12  # 3 for m, 4 for v, 5 for the step
ADAM_NUMBERS = 33  # read and written
COUNTED_NUMBERS = 8  # besides, where arcs of a parameter have steps counted one by one
GATHERED_NUMBERS = 28  # or where they are gathered first as well: 4 arrays and the counts, out and back


@dataclass(frozen=True)
class Parts:
    """One number for each part of a training step.

    >>> Parts(3, 2, 1, 0).backward, Parts(3, 2, 1, 0).total
    (3, 6)
    """

    forward: float = 0
    error: float = 0
    weights: float = 0
    update: float = 0

    @property
    def backward(self) -> float:
        """Errors and weight gradients together."""
        return self.error + self.weights

    @property
    def total(self) -> float:
        """The four together."""
        return self.forward + self.backward + self.update


@dataclass(frozen=True)
class Cost(Parts):
    """FLOPs of the parts of one training step on a batch; `bytes` and `calls` have the same parts in bytes and calls.

    shares : of the batch, on a thread each; the update runs on one.

    Of a pass whose errors reach its first step: one without any error left, or too small for its dtype, ends earlier.
    """

    bytes: Parts = Parts()
    calls: Parts = Parts()
    shares: int = 1

    @property
    def seconds(self) -> Parts:
        """A prediction for two cores: FLOPs, bytes and calls at the pace that was measured there.

        On another machine the seconds differ; the ratio of two plans differs less.
        """

        def seconds(part: str, shares: int) -> float:
            flops, moved, calls = (getattr(what, part) for what in (self, self.bytes, self.calls))
            once = flops / FLOPS_A_SECOND + moved / BYTES_A_SECOND
            return float(once / shares + calls * shares * CALL_SECONDS)

        return Parts(
            seconds("forward", self.shares),
            seconds("error", self.shares),
            seconds("weights", self.shares),
            seconds("update", 1),
        )

    def speed_up(self, dense: Cost) -> float:
        """How many times as fast as `dense` a step should be, by `seconds`; FLOPs alone promise more."""
        return dense.seconds.total / self.seconds.total


class _Count:
    """FLOPs, numbers moved and calls of one part, added up."""

    def __init__(self, calls: int = 0) -> None:
        self.flops = self.numbers = 0
        self.calls = calls

    def product(self, m: int, k: int, n: int, times: int = 1) -> None:
        """`times` products of (m, k) and (k, n)."""
        self.flops += 2 * m * k * n * times

    def passage(self, passage: Passage | None, matrix: tuple[int, ...], B: int, times: int) -> None:
        """`times` errors carried through a matrix of this shape."""
        if passage is None:
            return
        rows, columns = passage.size
        self.product(columns, rows, B, times)
        self.numbers += rows * columns * times
        if passage.drop is not None or (rows, columns) != matrix:
            self.numbers += 2 * rows * columns
        self.numbers += (2 * rows * passage.errors.copies + 3 * columns) * B * times


def count(work: Work, steps: int, batch: int, every: bool, known: int, dtype: DTypeLike) -> Cost:
    """What a training step costs.

    Parameters
    ----------
    work : what is left to do. steps, batch : T and B. every : whether there is a target at every step.
    known : how many of the lowest layers are remembered.
    """
    spec = work.spec
    back = steps - work.start(steps, every)
    borders = 0 if work.span is None or not every else (steps - 1) // work.span
    arrive = back if every else 1  # steps at which the head has an error for the layer below
    forward, error, weights, update = _Count(2), _Count(2), _Count(), _Count()
    for k in range(spec.layers):
        if k >= known:
            _count_forward(forward, spec, k, steps, batch)
        if k >= work.lowest:
            injected = arrive if k == spec.layers - 1 else back
            _count_errors(error, spec, k, work.layers[k], back, back - 1 - borders, injected, batch)
            if k > work.lowest:
                error.passage(work.layers[k].below, spec.shapes[f"{k}/Wx"], batch, back)
            _count_weights(weights, work.layers[k], back, batch)
    O, H, seen = spec.outputs, spec.units[-1], steps if every else 1
    forward.product(O, H, batch, seen)
    if (r := work.head.weights) is not None:
        weights.product(r.size[0], seen * batch, r.size[1])
        weights.calls += 1
        weights.numbers += 2 * sum(r.size) * seen * batch
    if work.lowest < spec.layers:
        error.passage(work.head.down, (O, H), batch, arrive)
    _count_update(update, work)
    counts, size = (forward, error, weights, update), np.dtype(dtype).itemsize
    moved, calls = Parts(*[size * c.numbers for c in counts]), Parts(*[c.calls for c in counts])
    flops = forward.flops, error.flops, weights.flops, update.flops
    return Cost(*flops, bytes=moved, calls=calls, shares=shares_of(batch, THREADS))


def _count_forward(count: _Count, spec: Spec, k: int, T: int, B: int) -> None:
    cell, H, D = spec.row, spec.units[k], spec.fan_in(k)
    at = layout(cell, D, H)
    for product in (p for products in at.products for p in products):
        count.product(_size(product.blocks), _size(product.columns), B, T)
        count.numbers += _size(product.blocks) * _size(product.columns) * T
    count.calls += 1
    each = len(cell.blocks) + len(cell.values) + 2 * len(cell.states)
    count.numbers += 2 * at.rows * at.S + (2 * D + each * H) * B * T


def _count_errors(
    count: _Count, spec: Spec, k: int, work: LayerWork, back: int, carried: int, injected: int, B: int
) -> None:
    cell, H = spec.row, spec.units[k]
    count.calls += 2
    each = len(cell.values) + 4 * len(cell.states) + len(work.blocks)
    count.numbers += (each * back + injected) * work.units.size * B
    for stage, passage in zip(cell.stages, work.through, strict=True):
        count.passage(passage, (len(cell.gates) * H, H), B, carried if stage.reads == "h" else back)


def _count_weights(count: _Count, work: LayerWork, back: int, B: int) -> None:
    for r in work.weights:
        rows, sources = r.size
        count.product(rows, back * B, sources)
        count.calls += 1
        count.numbers += 2 * rows * sources
        for at, size in ((r.errors, rows), (r.sources, sources)):
            count.numbers += (4 if at.copies else 2) * size * back * B


def _count_update(count: _Count, work: Work) -> None:
    for name, arcs in work.updates.items():
        rows, *columns = work.spec.shapes[name]
        width = 1 if isinstance(arcs, np.ndarray) else math.prod(columns)  # of what a position stands for
        for at in arcs if isinstance(arcs, tuple) else (slice(0, rows) if arcs is None else arcs,):
            gathered = isinstance(at, np.ndarray)
            some = width * (len(at) if isinstance(at, np.ndarray) else _size(at))
            more = 0 if arcs is None else GATHERED_NUMBERS if gathered else COUNTED_NUMBERS
            count.flops += ADAM_FLOPS * some
            count.numbers += (ADAM_NUMBERS + more) * some
            count.calls += 1 + gathered


def _size(part: slice) -> int:
    return int(part.stop - part.start)

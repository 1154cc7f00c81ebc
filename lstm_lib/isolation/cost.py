"""What a training step costs, counted before it is run: FLOPs of its products, bytes that the calls between them move.

Nouns: `Parts` is one number for each part of a step: forward, error, weights, update; a `Cost` is the FLOPs of
the four parts, and `Cost.bytes` their bytes. A multiplication and an addition are two FLOPs; of the update, which
has no products, the arithmetic is counted. Bytes are what element-wise calls and copies read and write: a product
is bound by its FLOPs, these are bound by memory. FLOPs are those of the engine's products, call by call, and a test
holds them to what is really run; bytes are those of a fused pass over the numbers of a step, as the compiled engine
makes it.

Letters: T time steps, of which `back` are back-propagated, B batch, D inputs, H units, n of them kept, P blocks,
K values, S sources, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from lstm_lib.network.layout import layout
from lstm_lib.network.spec import Spec
from lstm_lib.network.work import LayerWork, Passage, Work

# What the machine of benchmarks/README.md does in a second, in float32 with 256 units, for `Cost.seconds`.
FLOPS_A_SECOND = 190e9
BYTES_A_SECOND = 25e9
ADAM_FLOPS = 12  # an arc: 3 for m, 4 for v, 5 for the step
ADAM_NUMBERS = 33  # read and written for an arc
GATHERED_NUMBERS = 14  # besides, where the arcs of a parameter are gathered first: 4 arrays out, 3 back


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
    """FLOPs of the parts of one training step on a batch; `bytes` has the same parts in bytes.

    Of a pass whose errors reach its first step: one without any error left, or too small for its dtype, ends earlier.
    """

    bytes: Parts = Parts()

    @property
    def seconds(self) -> Parts:
        """A prediction for the machine of the benchmarks: FLOPs and bytes at the pace that was measured there.

        On another machine the seconds differ; the ratio of two plans differs less.
        """
        return Parts(
            *(
                getattr(self, part) / FLOPS_A_SECOND + getattr(self.bytes, part) / BYTES_A_SECOND
                for part in ("forward", "error", "weights", "update")
            )
        )

    def speed_up(self, dense: Cost) -> float:
        """How many times as fast as `dense` a step should be, by `seconds`; FLOPs alone promise more."""
        return dense.seconds.total / self.seconds.total


class _Count:
    """FLOPs and numbers moved of one part, added up."""

    def __init__(self) -> None:
        self.flops = self.numbers = 0

    def product(self, m: int, k: int, n: int, times: int = 1) -> None:
        """`times` products of (m, k) and (k, n)."""
        self.flops += 2 * m * k * n * times

    def passage(self, passage: Passage | None, matrix: tuple[int, ...], B: int, times: int) -> None:
        """`times` errors carried through a matrix of this shape."""
        if passage is None:
            return
        rows, columns = passage.size
        self.product(columns, rows, B, times)
        if passage.drop is not None or (rows, columns) != matrix:
            self.numbers += 2 * rows * columns
        self.numbers += (2 * rows * passage.errors.copies + 3 * columns) * B * times


def count(
    work: Work, steps: int, batch: int, every: bool, known: int, dtype: DTypeLike, updated: tuple[int, int]
) -> Cost:
    """What a training step costs.

    Parameters
    ----------
    work : what is left to do. steps, batch : T and B. every : whether there is a target at every step.
    known : how many of the lowest layers are remembered.
    updated : how many arcs the optimiser moves, and how many of them one by one.
    """
    spec = work.spec
    back = steps - work.start(steps, every)
    borders = 0 if work.span is None or not every else (steps - 1) // work.span
    arrive = back if every else 1  # steps at which the head has an error for the layer below
    forward, error, weights = _Count(), _Count(), _Count()
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
        weights.numbers += 2 * sum(r.size) * seen * batch
    if work.lowest < spec.layers:
        error.passage(work.head.down, (O, H), batch, arrive)
    arcs, gathered = updated
    numbers = (
        forward.numbers,
        error.numbers,
        weights.numbers,
        ADAM_NUMBERS * arcs + GATHERED_NUMBERS * gathered,
    )
    size = np.dtype(dtype).itemsize
    return Cost(
        forward.flops, error.flops, weights.flops, ADAM_FLOPS * arcs, Parts(*(size * n for n in numbers))
    )


def _count_forward(count: _Count, spec: Spec, k: int, T: int, B: int) -> None:
    cell, H, D = spec.row, spec.units[k], spec.fan_in(k)
    at = layout(cell, D, H)
    for product in (p for products in at.products for p in products):
        count.product(_size(product.blocks), _size(product.columns), B, T)
    each = len(cell.blocks) + len(cell.values) + 2 * len(cell.states)
    count.numbers += 2 * at.rows * at.S + (2 * D + each * H) * B * T


def _count_errors(
    count: _Count, spec: Spec, k: int, work: LayerWork, back: int, carried: int, injected: int, B: int
) -> None:
    cell, H = spec.row, spec.units[k]
    each = len(cell.values) + 4 * len(cell.states) + len(work.blocks)
    count.numbers += (each * back + injected) * work.units.size * B
    for stage, passage in zip(cell.stages, work.through, strict=True):
        count.passage(passage, (len(cell.gates) * H, H), B, carried if stage.reads == "h" else back)


def _count_weights(count: _Count, work: LayerWork, back: int, B: int) -> None:
    for r in work.weights:
        rows, sources = r.size
        count.product(rows, back * B, sources)
        count.numbers += 2 * rows * sources
        for at, size in ((r.errors, rows), (r.sources, sources)):
            count.numbers += (4 if at.copies else 2) * size * back * B


def _size(part: slice) -> int:
    return int(part.stop - part.start)

"""What a training step costs, counted before it is run: FLOPs of its products, bytes that the calls between them move.

Nouns: `Parts` is one number for each part of a step: forward, error, weights, update; a `Cost` is the FLOPs of
the four parts, and `Cost.bytes` their bytes. A multiplication and an addition are two FLOPs; of the update, which
has no products, the arithmetic is counted. Bytes are what element-wise calls and copies read and write: a product
is bound by its FLOPs, these are bound by memory. The counts follow `layer.py`, `layer_backward.py`, `network.py`
and `adam.py` call by call, and a test holds them to what these really run.

Letters: T time steps, of which `steps` are back-propagated, B batch, D inputs, H units, n of them kept, S = H + D + 1
sources, O outputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lstm_lib.network.cells import Cell

from .products import HeadWork, LayerWork, Passage, Rectangle

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
    """FLOPs of the parts of one training step on a batch; `bytes` has the same parts in bytes."""

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


class Count:
    """FLOPs and numbers moved, added up."""

    def __init__(self) -> None:
        self.flops = self.numbers = 0

    def product(self, m: int, k: int, n: int, times: int = 1) -> None:
        """`times` products of (m, k) and (k, n)."""
        self.flops += 2 * m * k * n * times

    def move(self, numbers: int) -> None:
        """Numbers read or written by something else than a product."""
        self.numbers += numbers


def count_forward(count: Count, cell: Cell, T: int, B: int, D: int, H: int) -> None:
    """`layer.run_forward`."""
    S, sigmoids = H + D + 1, sum(getattr(cell, gate) == "sigmoid" for gate in "fiog")
    count.product(4 * H, S, B, T)
    count.move(2 * D * B * T + (8 + 2 * sigmoids) * H * S)  # inputs and weights are copied, halved
    count.move((8 + 4 * sigmoids + 14) * H * B * T)


def count_errors(
    count: Count, work: LayerWork, steps: int, injected: int, B: int, H: int, D: int, passes_down: bool
) -> None:
    """`layer_backward.run_errors` over the last `steps`, `injected` of them with an error from above."""
    n, gates = work.kept, set(work.gates)
    by_gate = {"f": 9, "i": 6, "g": 6, "o": 6}
    per_step = 6 + sum(by_gate[gate] for gate in gates) + (3 if gates & {"i", "g"} else 0)  # slopes
    per_step += 3 * len(gates) + 9  # of every gate; dc and its way through f
    per_step += 14 if isinstance(work.units, np.ndarray) else 0
    count.move((per_step * steps + 3 * injected) * n * B)
    _count_passage(count, work.through, n, H, B, steps - 1)
    if passes_down:
        _count_passage(count, work.below, D, D, B, steps)


def _count_passage(
    count: Count, passage: Passage | None, receivers: int, columns: int, B: int, times: int
) -> None:
    if passage is None:
        count.move(receivers * B * times)
        return
    rows, some = passage.size
    count.product(some, rows, B, times)
    if not passage.whole:
        count.move(2 * rows * columns + 2 * rows * some)
    if isinstance(passage.errors, np.ndarray):
        count.move(2 * rows * B * times)
    if passage.into is not None:
        count.move(receivers * B * times)
    if isinstance(passage.into, np.ndarray):
        count.move(2 * some * B * times)


def count_weights(count: Count, rectangles: Iterable[Rectangle], steps: int, B: int) -> None:
    """`layer_backward.weight_gradients`."""
    last: object = "none yet"
    for r in rectangles:
        rows, sources = r.size
        count.product(rows, steps * B, sources)
        count.move(2 * rows * sources)
        for at, size in ((r.errors, rows), *([(r.sources, sources)] if r.sources is not last else [])):
            count.move((4 if isinstance(at, np.ndarray) else 2) * size * steps * B)
        last = r.sources


def count_head(
    counts: tuple[Count, Count, Count],
    head: HeadWork,
    sizes: tuple[int, int, int, int],
    seen: int,
    passed: int,
) -> None:
    """The head in the forward pass over `seen` steps, its gradients, and its error at `passed` of them.

    `counts` are those of forward, error and weights, `sizes` O, H, how many units below are kept, and B.
    """
    forward, error, weights = counts
    outputs, H, kept, B = sizes
    forward.product(outputs, H, B, seen)
    if head.weights is not None:
        rows, sources = head.weights.size
        weights.product(rows, seen * B, sources)
        weights.move(2 * (rows + sources) * seen * B)
    if passed:
        _count_passage(error, head.down, kept, H, B, passed)

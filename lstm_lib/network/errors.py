"""One error pass over a layer: what an engine is given, and what it leaves.

Nouns: `Errors` are the arrays of the pass and where it begins and ends; a `Carrier` is a `Passage` with the numbers of
its matrix; `Arriving` is the error that comes from above.

Letters as in `trace.py`: T time steps, B batch, D inputs, H units, of which n are kept, P blocks. Errors are (rows
kept, B) per step, block by block.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .cells import Array
from .trace import Layer, Memory
from .work import Index, LayerWork, Passage

QUIET = 8  # steps after which errors are looked at, see `quieted`


class Arriving(NamedTuple):
    """The error of a layer's output: (T, receivers, B), from step `first` on; what stands before is meaningless."""

    errors: Array
    first: int


class Carrier(NamedTuple):
    """A passage with its numbers: weights (rows, columns), where rows are taken and columns put, arrays for both."""

    weights: Array
    take: Index
    put: Index
    taken: Array  # (rows, B), used where taking copies
    product: Array  # (columns, B)

    @classmethod
    def of(cls, passage: Passage, W: Array, memory: Memory, B: int, name: str) -> Carrier:
        """The rectangle of W that the passage names is copied here, once, with 0 for isolated arcs."""
        rows, columns = passage.size
        if passage.rows.whole and passage.columns.whole and passage.drop is None and W.flags.c_contiguous:
            block = W
        else:
            block = memory.get(f"{name} block", rows, columns)
            np.copyto(block, passage.columns.take(passage.rows.take(W), axis=1))
            if passage.drop is not None:
                np.copyto(block, 0, where=passage.drop)
        taken = memory.get(f"{name} taken", rows if passage.errors.copies else 0, B)
        return cls(block, passage.errors, passage.into, taken, memory.get(f"{name} product", columns, B))

    def add(self, errors: Array, out: Array) -> None:
        """Add what these errors (rows kept, B) carry to what they come from (receivers, B)."""
        if isinstance(self.take.at, np.ndarray):
            errors = np.take(errors, self.take.at, axis=0, out=self.taken, mode="clip")  # "raise" allocates
        else:
            errors = errors[self.take.at]
        np.matmul(self.weights.T, errors, out=self.product)
        out[self.put.at] += self.product


class Errors:
    """One error pass over a layer: what an engine needs, and what it leaves.

    dz : (T, rows kept, B), errors of the blocks kept, from step `stop` on. dh, dc : (n, B), at the end those of the
    states before step `start`. through : a carrier, or None, for each stage of the cell. start : the step to go back
    to; first_product : the first one whose error is wanted before it. span : steps between borders.
    """

    def __init__(
        self,
        layer: Layer,
        work: LayerWork,
        params: dict[str, Array],
        arriving: Arriving,
        start: int,
        span: int | None,
        to_start: bool,
    ) -> None:
        memory, B, n = layer.memory, layer.B, work.units.size
        self.layer, self.work, self.params, self.arriving = layer, work, params, arriving
        self.start = self.stop = start
        self.first_product = start if to_start else start + 1
        self.span = span or layer.T
        self.dz = memory.get("dz", layer.T, len(work.blocks) * n, B)
        self.dh = memory.get("dh", n, B)
        self.dc = memory.get("dc", n if "c" in layer.cell.states else 0, B)
        self.made = memory.get("made", n if layer.cell.made else 0, B)
        self.through = tuple(
            None if passage is None else Carrier.of(passage, params["Wh"], memory, B, f"through {k}")
            for k, passage in enumerate(work.through)
        )
        self.peepholes = layer.peepholes
        if work.closed is not None:
            shut = np.repeat(work.closed.reshape(len(layer.peepholes), -1), B, axis=1)
            self.peepholes = np.where(shut, 0, layer.peepholes).astype(layer.peepholes.dtype)
        self.floor = error_floor(arriving.errors[max(arriving.first, start) :])
        self.dh[...] = 0
        self.dc[...] = 0

    def spread(self) -> Array:
        """(T, P·H, B): all errors, 0 where none was kept or reached (a copy)."""
        layer, H, n = self.layer, self.layer.H, self.work.units.size
        dz = np.zeros((layer.T, layer.layout.rows, layer.B), self.dz.dtype)
        for k, block in enumerate(self.work.blocks):
            rows = block * H + self.work.units.positions
            dz[self.stop :, rows] = self.dz[self.stop :, k * n : (k + 1) * n]
        return dz

    def start_errors(self) -> dict[str, Array]:
        """Errors of the states before the first step, (B, H); 0 if the error did not get so far."""
        layer, found = self.layer, {}
        for state, error in zip(layer.cell.states, (self.dh, self.dc), strict=False):
            found[state] = np.zeros((layer.B, layer.H), error.dtype)
            if self.stop == 0:
                found[state][:, self.work.units.at] = error.T
        return found


def error_floor(arriving: Array) -> float:
    """Magnitude below which an error is taken for zero: smallest normal number of the dtype / epsilon.

    Beside the errors of the last steps it is lost in rounding. The gradient of a source that is silent in these steps
    is made of such errors alone, and becomes zero. Scaled down with the arriving error where that is itself small.
    """
    info = np.finfo(arriving.dtype)
    peak = min(1.0, float(max(arriving.max(), -arriving.min()))) if arriving.size else 1.0
    return float(info.tiny) / float(info.eps) * peak


def quieted(dh: Array, dc: Array, floor: float) -> bool:
    """Set errors below `floor` to zero; True when none is left.

    Left alone they decay into subnormal numbers, on which every product is several times slower.
    """
    for error in (dh, dc):
        np.copyto(error, 0, where=np.abs(error) < floor)
    return not (dh.any() or dc.any())

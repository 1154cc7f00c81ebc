"""States that a training remembers: the output of the lowest layers, while none of their arcs is updated.

Noun: a `States` is what a training reads in the place of the inputs at depth "cache". The output of such layers for a
window never changes, so it is computed once and kept: all steps where another layer reads it, the last step where only
the head does (a reservoir, as in the echo-state network of Jaeger, 2001).

Memory is bounded: beyond it states are kept in a file, where a folder for that is given, or else computed anew
whenever they are needed. Windows are computed in fixed groups, so that the numbers do not depend on the order in
which the windows are asked for.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_lib.network.cells import Array
from lstm_lib.network.forward import hidden_states
from lstm_lib.network.spec import Params, Spec
from lstm_lib.network.trace import Workspace

from .samples import Samples

GROUP = 256  # windows that are computed together


@dataclass(eq=False, repr=False)
class States:
    """The output of the lowest layers for the windows of `samples`.

    Parameters
    ----------
    params : those of the lowest `known` layers must not change while this is in use.
    known : how many of the lowest layers.
    memory : bytes of states and targets that may be kept in memory.
    folder : where a file may be written instead when that is not enough; it is removed with this object.
    engine : what computes them, as for `lstm_lib.forward`.

    `bytes_needed` tells what all windows take, `kept` how many of them, from the first on, are remembered.

    Raises ValueError when the file is needed and there is no such folder.

    >>> from lstm_lib import init_params
    >>> from lstm_lib.training.samples import Arrays
    >>> spec = Spec(2, (3,), 1)
    >>> x = np.ones((10, 4, 2), np.float32)
    >>> states = States(spec, init_params(spec), Arrays(x, np.zeros((10, 1))), known=1)
    >>> states.take(np.array([7, 2]))[0].shape, states.bytes_needed
    ((2, 1, 3), 200)
    """

    spec: Spec
    params: Params
    samples: Samples
    known: int
    memory: int = 2**30
    folder: str | Path | None = None
    engine: str | None = None

    def __post_init__(self) -> None:
        self.work = Workspace(self.engine)
        x, y = self.samples.take(np.arange(1))
        self.last_only = self.known == self.spec.layers and self.spec.output == "last" and y.ndim == 2
        h = (1 if self.last_only else x.shape[1], self.spec.units[self.known - 1])
        window = int(np.prod(h)) * x.dtype.itemsize + y.nbytes
        self.bytes_needed = len(self.samples) * window
        in_memory = self.bytes_needed <= self.memory or self.folder is None
        self.kept = min(len(self.samples), self.memory // window) if in_memory else len(self.samples)
        shape = (self.kept, *h)
        self.h: Array = np.empty(shape, x.dtype) if in_memory else self._in_file(shape, x.dtype)
        self.y = np.empty((self.kept, *y.shape[1:]), y.dtype)
        self.there = np.zeros(-(-self.kept // GROUP), bool)  # which groups have been computed

    def _in_file(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        if not Path(self.folder or "").is_dir():
            raise ValueError(
                f"there is no folder {str(self.folder)!r} to keep {self.bytes_needed:,} bytes of states in"
            )
        self.file = tempfile.NamedTemporaryFile(dir=self.folder, prefix="states-", suffix=".raw")  # noqa: SIM115
        return np.memmap(self.file, dtype, "w+", shape=shape)

    def take(self, rows: Array) -> tuple[Array, Array]:
        """States (B, T or 1, H) and targets of these windows; what is not there yet is computed."""
        inside = rows < self.kept
        for group in np.unique(rows[inside] // GROUP):
            if not self.there[group]:
                members = slice(group * GROUP, min((group + 1) * GROUP, self.kept))
                self.h[members], self.y[members] = self._computed(np.arange(members.start, members.stop))
                self.there[group] = True
        if inside.all():
            return self.h[rows], self.y[rows]
        h, y = self._computed(rows[~inside])
        both = np.empty((len(rows), *h.shape[1:]), h.dtype), np.empty((len(rows), *y.shape[1:]), y.dtype)
        for out, known, new in zip(both, (self.h, self.y), (h, y), strict=True):
            out[inside], out[~inside] = known[rows[inside]], new
        return both

    def _computed(self, rows: Array) -> tuple[Array, Array]:
        x, y = self.samples.take(rows)
        h = hidden_states(self.spec, self.params, x, self.known, self.work)
        return (h[:, -1:] if self.last_only else h), y

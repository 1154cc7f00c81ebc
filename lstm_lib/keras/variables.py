"""The variables of a layer's arcs: active and isolated ones apart, so that no optimiser reaches an isolated arc.

Whatever the zone, a matrix can be read and written as a whole, in the layout of Keras: kernel (D, 4H), recurrent kernel
(H, 4H), bias (4H,). What belongs to its arcs, such as moments, is divided in the same way (`ArcVariables.split`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.cells import Array

from .backend import tf
from .compiled import Structure, compile_plan


class ArcVariables:
    """Those of one layer. The layer keeps track of them; here they are found by matrix and kind.

    variables : (matrix, "active" or "isolated") -> variable. arrays : the arrays of the plan by name, as variables.
    structure, splits : what the layer's graphs are traced for, and how each matrix is divided.
    """

    structure: Structure

    def __init__(self, layer: Any, plan: Plan, matrices: Mapping[str, Array]) -> None:
        self.layer = layer
        self.variables: dict[tuple[str, str], Any] = {}
        self.arrays: dict[str, Any] = {}
        self._mark: Any = None
        self.hold(plan, matrices)

    def hold(self, plan: Plan, matrices: Mapping[str, Array] | None = None) -> bool:
        """Keep a plan and the weights, or those there are; True if that takes variables of another structure."""
        structure, arrays = compile_plan(plan)
        anew = not self.variables or structure != self.structure
        matrices = self.read() if matrices is None else matrices
        self.structure, self.splits = structure, structure.splits
        self._orders = {k: arrays[s.order] if s.order else None for k, s in self.splits.items()}
        locked = self.layer._tracker.locked
        self.layer._tracker.unlock()
        if anew:
            self._make(arrays)
        else:
            for name, array in arrays.items():
                self.arrays[name].assign(array)
        self.write(matrices)
        self._mark_arcs()
        if locked:
            self.layer._tracker.lock()
        return anew

    def _make(self, arrays: dict[str, Array]) -> None:
        """New variables. The old ones become NaN: whoever still runs a graph with them shall notice."""
        for variable in self.variables.values():
            variable.assign(np.full(variable.shape, np.nan))
            self.layer._untrack_variable(variable)
        self.arrays = {name: tf.Variable(a, trainable=False, dtype=a.dtype) for name, a in arrays.items()}
        self.variables = {
            (matrix, kind): self.layer.add_weight(
                shape=shape,
                initializer="zeros",
                name=matrix if len(split.shapes) == 1 else f"{matrix}_{kind}",
                trainable=kind == "active",
                regularizer=self.layer.regularizers[matrix] if kind == "active" else None,
            )
            for matrix, split in self.splits.items()
            for kind, shape in split.shapes.items()
        }

    def _mark_arcs(self) -> None:
        """Have a weight of no numbers whose shape differs from zone to zone.

        Variables of two zones can have the same shapes and hold other arcs. With it Keras refuses to put weights that
        a model gave at one zone, as EarlyStopping keeps them, back at another.
        """
        orders = b"".join(order.tobytes() for order in self._orders.values() if order is not None)
        if self._mark is not None:
            self.layer._untrack_variable(self._mark)
        mark = {"shape": (0, zlib.crc32(orders)), "initializer": "zeros", "name": "arcs", "trainable": False}
        self._mark = self.layer.add_weight(**mark) if orders else None

    def active(self) -> dict[int, str]:
        """Matrix of every variable of active arcs, by the variable's id."""
        return {id(v): matrix for (matrix, kind), v in self.variables.items() if kind == "active"}

    def read(self) -> dict[str, Array]:
        """The weights, by matrix."""
        return {
            matrix: self.join(matrix, {k: np.asarray(self.variables[matrix, k]) for k in split.shapes})
            for matrix, split in self.splits.items()
        }

    def write(self, matrices: Mapping[str, Array]) -> None:
        """Take the weights, by matrix."""
        for matrix, whole in matrices.items():
            for kind, values in self.split(matrix, whole).items():
                self.variables[matrix, kind].assign(values)

    def split(self, matrix: str, whole: Array) -> dict[str, Array]:
        """The numbers of a matrix as those of its active and of its isolated arcs, where there are any."""
        shapes, order = self.splits[matrix].shapes, self._orders[matrix]
        if order is None:
            return dict.fromkeys(shapes, whole)
        *before, some = shapes["active"]
        values = whole.reshape(*before, -1)[..., np.argsort(order)]
        return {"active": values[..., :some], "isolated": values[..., some:]}

    def join(self, matrix: str, parts: Mapping[str, Array]) -> Array:
        """The inverse of `split`."""
        split, order = self.splits[matrix], self._orders[matrix]
        joined = np.concatenate([parts[kind] for kind in split.shapes], axis=-1)
        return joined if order is None else joined[..., order].reshape(split.shape)

"""The variables of a layer's arcs: active and isolated ones apart, so that no optimiser reaches an isolated arc.

Whatever the zone, a matrix can be read and written as a whole, in the layout of Keras: kernel (D, 4H), recurrent kernel
(H, 4H), bias (4H,). What belongs to its arcs, such as moments, is divided in the same way (`ArcVariables.split`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_lib.isolation.plan import Plan
from lstm_lib.network.cells import Array

from .backend import keras, tf
from .compiled import Structure, compile_plan
from .marks import Listed, Mark


class ArcVariables:
    """Those of one layer. The layer keeps track of them; here they are found by matrix and kind.

    variables : (matrix, "active" or "isolated") -> variable. arrays : the arrays of the plan by name, as variables.
    structure, splits : what the layer's graphs are traced for, and how each matrix is divided.
    taken : the plan that held when all variables were last listed as arrays, as EarlyStopping does; None: not yet.
    """

    structure: Structure

    def __init__(self, layer: Any, plan: Plan, matrices: Mapping[str, Array]) -> None:
        self.layer = layer
        self.variables: dict[tuple[str, str], Any] = {}
        self.arrays: dict[str, Any] = {}
        self.mark: Mark | None = None
        self.taken: Plan | None = None
        self._asked: set[int] = set()
        self.hold(plan, matrices)

    def hold(self, plan: Plan, matrices: Mapping[str, Array] | None = None, anew: bool = False) -> bool:
        """Keep a plan and the weights, or those there are; True if that takes new variables, or they are asked for."""
        structure, arrays = compile_plan(plan)
        anew = anew or not self.variables or structure != self.structure
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
        self._mark_arcs(plan)
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
            (matrix, kind): self._variable(matrix, kind, shape, len(split.shapes) > 1)
            for matrix, split in self.splits.items()
            for kind, shape in split.shapes.items()
        }

    def _variable(self, matrix: str, kind: str, shape: tuple[int, ...], divided: bool) -> Listed:
        """What `add_weight` makes, as a variable that notices when it is listed."""
        layer = self.layer
        with keras.name_scope(layer.name, caller=layer):
            made = Listed(
                self,
                initializer="zeros",
                shape=shape,
                dtype=layer.variable_dtype,
                trainable=kind == "active",
                name=f"{matrix}_{kind}" if divided else matrix,
            )
        if kind == "active":
            made.regularizer = layer.regularizers[matrix]
        layer._track_variable(made)
        return made

    def _mark_arcs(self, plan: Plan) -> None:
        """Have the mark of this zone; with nothing isolated there is none, and the list is that of Keras."""
        self.plan = plan
        self._asked.clear()
        if self.mark is not None:
            self.layer._untrack_variable(self.mark)
        with keras.name_scope(self.layer.name, caller=self.layer):
            self.mark = Mark(self, plan) if plan.zone.size else None
        if self.mark is not None:
            self.layer._track_variable(self.mark)

    def asked(self, variable: Listed) -> None:
        """Somebody asked for the numbers of a variable; once it was all of them, the weights were taken."""
        self._asked.add(id(variable))
        everyone = {id(v) for v in (self.mark, *self.variables.values()) if v is not None}
        if self._asked >= everyone:
            self.taken = self.plan
            self._asked.clear()

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

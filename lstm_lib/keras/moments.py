"""What a Keras optimiser keeps beside the arcs of a layer, carried over when the zone changes.

Keras keeps moments by variable. When arcs change between the variables of active and of isolated arcs, their moments
must go with them, or an arc would go on with another's. Here the moments of isolated arcs are held, as in
`lstm_lib.Adam`, and used again when the arcs are thawed. An arc that was never active starts from what the
optimiser starts from; its moving average (`use_ema`) from its value. Keras counts its steps by optimiser, not by arc,
so that Adam corrects the first moments of a late arc as if they were old: its first steps are up to 3.2 times as long.

A slot is one of the variables that an optimiser keeps beside a variable of the model, such as a moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_lib.network.cells import Array

from .variables import ArcVariables

AVERAGE = "average"  # what Keras names the slots of use_ema


class Slot(NamedTuple):
    """Beside which variable, by its id (0: none), under which name, which of these."""

    beside: int
    name: str
    which: int


def lineage(optimizer: Any) -> Any:
    """What an optimiser and those that were rebuilt from it have in common."""
    return vars(optimizer).setdefault("_lineage", object())


def rebuilt(optimizer: Any, variables: list[Any] | None = None) -> tuple[Any, list[Slot]]:
    """An optimiser of the same settings, for these variables or the same, and what each of its own variables is.

    Raises ValueError for an optimiser that keeps arrays of which it doesn't say what they stand beside.
    """
    made = type(optimizer).from_config(optimizer.get_config())
    made._lineage = lineage(optimizer)
    for name in ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern"):  # not in its config
        if hasattr(optimizer, name):
            setattr(made, name, getattr(optimizer, name))
    add = made.add_variable_from_reference
    beside: dict[int, tuple[int, str]] = {}

    def recorded(reference_variable: Any, name: Any = None, **more: Any) -> Any:
        slot = add(reference_variable, name=name, **more)
        beside[id(slot)] = id(reference_variable), str(name)
        return slot

    made.add_variable_from_reference = recorded
    made.build(list(optimizer._trainable_variables) if variables is None else variables)
    del made.add_variable_from_reference
    counts, slots = Counter[tuple[int, str]](), []
    for variable in made.variables:
        key = beside.get(id(variable), (0, ""))
        if not key[0] and len(variable.shape):
            raise ValueError(
                f"{type(optimizer).__name__} keeps {variable.path!r} of shape {tuple(variable.shape)}, which set_zone "
                "can't divide by arcs; choose the zone before compile(), or use an optimiser with one moment an arc, "
                "such as Adam, AdamW, RMSprop or SGD"
            )
        slots.append(Slot(*key, counts[key]))
        counts[key] += 1
    return made, slots


class Moments:
    """The moments of all arcs of a layer, those of isolated ones included.

    values : matrix, name and number of a slot -> its numbers, of the matrix's shape; NaN where none is known.
    """

    def __init__(self) -> None:
        self.lineage: object = None
        self.values: dict[tuple[str, str, int], Array] = {}

    def read(self, optimizer: Any, arcs: ArcVariables) -> dict[Slot, Array]:
        """Read the moments of active arcs off a built optimiser.

        Returns what belongs to other variables or, as the number of steps made, to none.
        """
        _, slots = rebuilt(optimizer)
        if lineage(optimizer) is not self.lineage:
            self.values.clear()
            self.lineage = lineage(optimizer)
        others: dict[Slot, Array] = {}
        active = arcs.active()
        for slot, variable in zip(slots, optimizer.variables, strict=True):
            new = np.asarray(variable)
            if slot.beside not in active:
                others[slot] = new
                continue
            matrix = active[slot.beside]
            key = matrix, slot.name, slot.which
            before = self.values.get(key, np.full(arcs.splits[matrix].shape, np.nan, new.dtype))
            self.values[key] = arcs.join(matrix, arcs.split(matrix, before) | {"active": new})
        return others

    def write(
        self, old: Any, variables: list[Any] | None, arcs: ArcVariables, others: Mapping[Slot, Array]
    ) -> Any:
        """An optimiser for these variables with what was read; None: `old` itself, whose variables are the same."""
        fresh, slots = rebuilt(old, variables)
        target = old if variables is None else fresh
        by_id, active = {id(v): v for v in target._trainable_variables}, arcs.active()
        for slot, variable, start in zip(slots, target.variables, fresh.variables, strict=True):
            if slot.beside not in active:
                if slot in others:
                    variable.assign(others[slot])
                continue
            matrix = active[slot.beside]
            value = np.asarray(by_id[slot.beside] if slot.name == AVERAGE else start)
            if (matrix, slot.name, slot.which) in self.values:
                held = arcs.split(matrix, self.values[matrix, slot.name, slot.which])["active"]
                value = np.where(np.isnan(held), value, held)
            variable.assign(value)
        return target

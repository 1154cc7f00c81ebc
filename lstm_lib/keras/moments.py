"""What a Keras optimiser keeps beside the arcs of a layer, carried over when the zone changes.

Keras keeps moments by variable. When arcs change between the variables of active and of isolated arcs, their moments
must go with them, or an arc would go on with another's. Here the moments of isolated arcs are held, as in
`lstm_lib.Adam`, and used again when the arcs are thawed. An arc that was never active starts from what the
optimiser starts from; its moving average (`use_ema`) from its value, its sum of gradients
(`gradient_accumulation_steps`) always from 0. Keras counts its steps by optimiser, not by arc, so that Adam corrects
the first moments of a late arc as if they were old: its first steps are up to 3.2 times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_lib.network.cells import Array

from .rebuilding import Slot, lineage, rebuilt, steps_of
from .variables import ArcVariables

AVERAGE, SUM = (
    "average",
    "gradient_accumulator",
)  # what Keras names the slots of use_ema, and of summed gradients
EXCLUDED = "_exclude_from_weight_decay"


class Moments:
    """The moments of all arcs of a layer, those of isolated ones included.

    values : matrix, name and number of a slot -> its numbers, of the matrix's shape; NaN where none is known.
    lineage : of the optimiser that they belong to; None: of the first that has made `steps` steps, as it is in a file.
    undecayed : matrices whose variables were excluded from weight decay.
    """

    def __init__(self) -> None:
        self.lineage: object = None
        self.steps = 0
        self.values: dict[tuple[str, str, int], Array] = {}
        self.undecayed: set[str] = set()

    def _belong_to(self, optimizer: Any) -> None:
        """Forget what another optimiser kept."""
        steps, now = steps_of(optimizer), lineage(optimizer)
        if now is not self.lineage:
            if self.lineage is not None or steps < self.steps:
                self.values.clear()
            self.lineage = now
        self.steps = steps

    def read(self, optimizer: Any, arcs: ArcVariables) -> dict[Slot, Array]:
        """Read the moments of active arcs off a built optimiser.

        Returns what belongs to other variables or, as the number of steps made, to none.
        """
        _, slots = rebuilt(optimizer)
        self._belong_to(optimizer)
        self.values = {key: values for key, values in self.values.items() if key[1] != SUM}
        others: dict[Slot, Array] = {}
        active = arcs.active()
        for slot, variable in zip(slots, optimizer.variables, strict=True):
            new = np.asarray(variable)
            if slot.beside not in active:
                others[slot] = new
                continue
            matrix = active[slot.beside]
            key = matrix, slot.name, slot.which
            unknown = np.full(arcs.splits[matrix].shape, np.nan, new.dtype)
            before = arcs.split(matrix, self.values.get(key, unknown))
            self.values[key] = arcs.join(matrix, before | {"active": new})
        excluded = getattr(optimizer, EXCLUDED, ())
        for variable in optimizer._trainable_variables:
            if id(variable) in active:
                known = optimizer._var_key(variable) in excluded
                (self.undecayed.add if known else self.undecayed.discard)(active[id(variable)])
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
        if self.undecayed:
            new = {target._var_key(v) for k, v in by_id.items() if active.get(k) in self.undecayed}
            setattr(target, EXCLUDED, getattr(target, EXCLUDED) | new)
        return target

    def in_a_file(self) -> dict[str, Array]:
        """What a file keeps, by a text."""
        if not self.values:
            return {}
        named = {" ".join(map(str, key)): values for key, values in self.values.items()}
        return named | {"steps": np.array(self.steps)}

    def from_a_file(self, found: Mapping[str, Array]) -> None:
        """Take what `in_a_file` gave."""
        self.lineage, self.steps = None, int(found.get("steps", 0))
        self.values = {}
        for text, values in found.items():
            if " " in text:
                matrix, *name, which = text.split(" ")
                self.values[matrix, " ".join(name), int(which)] = values

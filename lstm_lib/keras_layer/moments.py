"""What a Keras optimiser keeps beside the arcs of a layer, carried over when the zone changes.

Keras keeps moments by variable. When arcs change between the variables of active and of isolated arcs, their moments
must go along, or an arc would go on with another's. Here the moments of isolated arcs are held, as in
`lstm_lib.Adam`, and taken up again when the arcs are thawed. An arc that was never active starts from what the
optimiser starts from; its moving average (`use_ema`) from its value. Keras counts its steps by optimiser, not by arc,
so that Adam takes the first moments of a late arc for settled ones: its first steps are up to 3.2 times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_lib.cell import Array
from lstm_lib.keras_layer.compiled import Split, join_arcs, split_arcs

Slot = tuple[str, int]  # its name, and which of that name
AVERAGE = "average"  # what Keras names the slots of use_ema


def rebuilt(optimizer: Any, variables: list[Any]) -> tuple[Any, dict[int, tuple[int, Slot]]]:
    """An optimiser of the same settings for these variables, and (variable, slot) of each of its own by position."""
    made = type(optimizer).from_config(optimizer.get_config())
    of: dict[int, tuple[int, Slot]] = {}
    add = made.add_variable_from_reference
    counts: dict[tuple[int, str], int] = {}

    def recorded(reference_variable: Any, name: Any = None, **more: Any) -> Any:
        slot = add(reference_variable, name=name, **more)
        key = id(reference_variable), str(name)
        counts[key] = counts.get(key, -1) + 1
        of[id(slot)] = id(reference_variable), (str(name), counts[key])
        return slot

    made.add_variable_from_reference = recorded
    made.build(variables)
    del made.add_variable_from_reference
    return made, {k: of[id(v)] for k, v in enumerate(made.variables) if id(v) in of}


class Held:
    """The moments of all arcs of a layer, those of isolated ones included: matrix and slot -> values, known."""

    def __init__(self) -> None:
        self.optimizer: Any = None
        self.values: dict[tuple[str, Slot], tuple[Array, Array]] = {}

    def take(
        self, optimizer: Any, variables: list[Any], own: Mapping[int, str],
        splits: Mapping[str, Split], orders: Mapping[str, Array | None],
    ) -> dict[tuple[int, Slot], Array]:  # fmt: skip
        """Read the optimiser; `own` names the matrix of each of the layer's active variables by its id.

        Returns what belongs to the other variables, and under (0, ("", k)) the k-th number that belongs to none, such
        as the steps made.
        """
        if optimizer is not self.optimizer:
            self.values.clear()
        _, of = rebuilt(optimizer, variables)
        others: dict[tuple[int, Slot], Array] = {}
        unbound = 0
        for k, variable in enumerate(optimizer.variables):
            if k not in of:
                others[0, ("", unbound)] = np.asarray(variable)
                unbound += 1
                continue
            at, slot = of[k]
            if at not in own:
                others[at, slot] = np.asarray(variable)
                continue
            matrix = own[at]
            split, order = splits[matrix], orders[matrix]
            new = np.asarray(variable)
            full, known = self.values.get(
                (matrix, slot), (np.zeros(split.shape, new.dtype), np.zeros(split.shape, bool))
            )
            pair = []
            for held, active in ((full, new), (known, np.ones(new.shape, bool))):
                pair.append(
                    join_arcs(split, order, {**split_arcs(split, order, held), "active": active}).copy()
                )
            self.values[matrix, slot] = pair[0], pair[1]
        return others

    def give(
        self, old: Any, variables: list[Any], own: Mapping[int, str],
        splits: Mapping[str, Split], orders: Mapping[str, Array | None],
        others: Mapping[tuple[int, Slot], Array], same: bool,
    ) -> Any:  # fmt: skip
        """The optimiser with what was taken: `old` itself when all variables are the `same`, else a new one."""
        fresh, of = rebuilt(old, variables)
        target = old if same else fresh
        by_id = {id(v): v for v in variables}
        unbound = 0
        for k, variable in enumerate(target.variables):
            at, slot = of.get(k, (0, ("", unbound)))
            unbound += k not in of
            if at not in own:
                value = others.get((at, slot))
                if value is not None and value.shape == tuple(variable.shape):
                    variable.assign(value)
                continue
            matrix = own[at]
            start = np.asarray(by_id[at] if slot[0] == AVERAGE else fresh.variables[k])
            if (matrix, slot) in self.values:
                split, order = splits[matrix], orders[matrix]
                full, known = (split_arcs(split, order, a)["active"] for a in self.values[matrix, slot])
                start = np.where(known, full, start)
            variable.assign(start)
        self.optimizer = target
        return target

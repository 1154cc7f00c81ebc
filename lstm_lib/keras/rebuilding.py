"""An optimiser made anew for other variables, and which optimisers that can be done with.

A slot is one of the variables that an optimiser keeps beside a variable of the model, such as a moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .backend import keras, tf

CHOOSE = (
    "choose the zone before compile(), or use an optimiser with one moment an arc, such as Adam, AdamW, RMSprop "
    "or SGD"
)


# Optimisers around others: where their moments are, and what to do.
WRAPPERS = {
    "LossScaleOptimizer": "the optimiser within; IsolatedLSTM has float32 and needs no scaled loss: compile with the "
    "optimiser within and auto_scale_loss=False, or choose the zone before compile()",
    "MultiOptimizer": "the optimisers within; compile with one optimiser for all variables, or choose the zone before "
    "compile()",
}


class Slot(NamedTuple):
    """Beside which variable, by its id (0: none), under which name, which of these."""

    beside: int
    name: str
    which: int


class Lineage(keras.losses.Loss):  # type: ignore[misc]
    """What an optimiser and those that were rebuilt from it have in common.

    It hears when an optimiser has been loaded from a file: Keras loads an object's parts right after the object. (It is
    a Loss since that is the least that Keras takes for a part; it computes nothing.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.divisible = False
        self.waiting: list[Callable[[], Any]] = []

    def load_own_variables(self, store: Any) -> None:
        """Do what waits for moments to be loaded; there is nothing of its own."""
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one()


def lineage(optimizer: Any) -> Lineage:
    """The one of this optimiser; it gets one if it has none."""
    return vars(optimizer).setdefault("_lineage", Lineage())  # type: ignore[no-any-return]


def steps_of(optimizer: Any) -> int:
    """How many steps it has made."""
    return int(np.asarray(optimizer.iterations))


def rebuilt(optimizer: Any, variables: list[Any] | None = None) -> tuple[Any, list[Slot]]:
    """An optimiser of the same settings, for these variables or the same, and what each of its own variables is.

    Raises ValueError for an optimiser that keeps arrays of which it doesn't say what they stand beside.
    """
    made = type(optimizer).from_config(optimizer.get_config())
    vars(made)["_lineage"] = lineage(optimizer)
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
                f"can't divide by arcs; {CHOOSE}"
            )
        slots.append(Slot(*key, counts[key]))
        counts[key] += 1
    return made, slots


def check_divisible(optimizer: Any) -> None:
    """Refuse an optimiser that does not keep the same, number by number, beside a matrix and beside a list of arcs.

    Raises ValueError. It is tried on two small variables, so that nothing of a model is touched.
    """
    kind = type(optimizer).__name__
    if kind in WRAPPERS:
        raise ValueError(
            f"{kind} keeps moments in {WRAPPERS[kind]}. What a wrapper keeps set_zone can't divide by arcs"
        )
    if lineage(optimizer).divisible:
        return
    matrix, arcs = (keras.Variable(tf.zeros(shape), name="kernel") for shape in ((2, 3), (6,)))
    _, slots = rebuilt(optimizer, [matrix, arcs])
    beside = [sorted((s.name, s.which) for s in slots if s.beside == id(v)) for v in (matrix, arcs)]
    if beside[0] != beside[1]:
        names = [[name for name, _ in some] for some in beside]
        raise ValueError(
            f"{kind} keeps {names[0]} beside a matrix but {names[1]} beside a list of arcs, which set_zone can't "
            f"divide by arcs; {CHOOSE}"
        )
    lineage(optimizer).divisible = True

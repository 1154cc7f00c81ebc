"""The tour: five steps, each a text and what the page does to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lstm_lib.lab.presets import half_kept, half_redrawn, worst_choice
from lstm_lib.lab.state import State
from lstm_lib.lab.transitions import clear, with_depth

STEPS: tuple[tuple[str, Callable[[State], State]], ...] = (
    (
        (
            "The map shows every arc of the network: a row for some units, a column for a gate. Nothing is "
            "isolated yet, so a step costs what a dense step costs. Click on the map, and the price on the right "
            "follows."
        ),
        lambda state: with_depth(clear(state), "cut"),
    ),
    (
        (
            "Here the first half of the units is isolated. The forward pass costs what it did; errors and weight "
            "gradients cost less. The line below the price says how much of the gradient is left."
        ),
        half_kept,
    ),
    (
        (
            "The same zone as a mask: the depth hold computes everything and throws it away. It is not the zone "
            "that saves time, but the work that is really left out."
        ),
        lambda state: with_depth(half_kept(state), "hold"),
    ),
    (
        (
            "The worst choice: as many arcs, one cell here and one there, and those with the largest weights. "
            "Every unit is still reached by some active arc, so hardly anything is saved."
        ),
        worst_choice,
    ),
    (
        (
            "Now as many units, drawn anew in every epoch. Choose three seeds, press Train, and do the same with "
            "the half that is kept (Preset). Which of the two costs more error? Grey means: these seeds can't "
            "tell."
        ),
        half_redrawn,
    ),
)


def tour(state: State, step: int) -> State:
    """The tour at a step, 1 to 5, with what the page shows there; before and behind these it ends.

    >>> from lstm_lib.lab.state import new
    >>> tour(new(), 3).depth, tour(new(), 6).tour
    ('hold', 0)
    """
    if not 1 <= step <= len(STEPS):
        return replace(state, tour=0)
    return replace(STEPS[step - 1][1](state), tour=step)

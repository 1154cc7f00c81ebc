"""The tour: five steps, each a text (`tour 1` … in `texts`) and what the page does to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lstm_lib.lab.presets import half_kept, half_redrawn, worst_choice
from lstm_lib.lab.state import State
from lstm_lib.lab.transitions import clear, with_depth

STEPS: tuple[Callable[[State], State], ...] = (
    lambda state: with_depth(clear(state), "cut"),
    half_kept,
    lambda state: with_depth(half_kept(state), "hold"),
    worst_choice,
    half_redrawn,
)


def tour(state: State, step: int) -> State:
    """The tour at a step, 1 to 5, with what the page shows there; before and behind these it ends.

    >>> from lstm_lib.lab.state import new
    >>> tour(new(), 3).choice.depth, tour(new(), 6).tour
    ('hold', 0)
    """
    if not 1 <= step <= len(STEPS):
        return replace(state, tour=0)
    return replace(STEPS[step - 1](state), tour=step)

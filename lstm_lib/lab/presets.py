"""Presets: selections under a name, for any network; each is a function from a state to the next.

They say what they select in the terms of the page, so that what a preset did can be read, and changed by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lstm_lib.experiments.equal_cost import units_of_equal_cost
from lstm_lib.isolation.partition import partition
from lstm_lib.isolation.zones import Zone, nothing, read_zone, zone
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.price import plans, step_cost
from lstm_lib.lab.state import State, scores
from lstm_lib.lab.transitions import select, with_schedule, with_settings
from lstm_lib.training.selection import Price, choose

# Those that open and close.
GATES = dict.fromkeys(("standard", "brief", "peephole"), "fi") | dict.fromkeys(("gru", "gru_v3"), "zr")


def _plain(state: State, zone: Zone, depth: str = "cut") -> State:
    """A zone at this depth in all epochs, over all steps."""
    chosen = select(state, zone)
    plain = Choice(chosen.choice.zone, depth, blocks=state.choice.blocks)
    return replace(chosen, choice=plain)


def gates_rest(state: State) -> State:
    """The two gates that open and close the memory are isolated in every layer: f and i of an LSTM, z and r of a GRU.

    Raises ValueError for a cell without gates.
    """
    gates = GATES.get(state.spec.cell)
    if gates is None:
        raise ValueError(f"the cell {state.spec.cell!r} has no gates that could rest; take an LSTM or a GRU")
    found = nothing(state.spec)
    for gate in gates:
        found = found | zone(state.spec, gate=gate)
    return _plain(state, found)


def half_kept(state: State) -> State:
    """The first half of the units of every layer is isolated, and stays so."""
    found = nothing(state.spec)
    for k, units in enumerate(state.spec.units):
        if units > 1:
            found = found | zone(state.spec, layer=k, unit=slice(0, units // 2))
    return _plain(state, found)


def half_redrawn(state: State) -> State:
    """As many units as in `half_kept`, drawn anew in every epoch."""
    return with_schedule(half_kept(state), 1, True)


def head_late(state: State) -> State:
    """Dense at first; in the last third of the epochs the head alone is trained, and what it reads is remembered."""
    epochs = state.settings.epochs
    chosen = _plain(state, ~zone(state.spec, layer="head"), "cache")
    return with_schedule(chosen, min(epochs, epochs - epochs // 3 + 1), False)


def worst_choice(state: State) -> State:
    """About half of the arcs: the cells whose weights are largest. Much is lost, and hardly any time saved."""
    cells = partition(state.spec, state.choice.blocks)
    settings = state.settings
    cost = Price(state.spec, settings.task.unrolled, settings.batch, "skip")
    smallest = choose(scores(replace(state, statistic="magnitude"), cells), 0.5, cost)
    return _plain(state, ~smallest - zone(state.spec, layer="head"), "skip")


def smaller_network(state: State) -> State:
    """A dense network with so many units that a step costs what the selection's costs now.

    Raises ValueError where the selection saves nothing.
    """
    spec, settings = state.spec, state.settings
    dense, cost = (step_cost(plan, settings) for plan in plans(spec, state.choice, settings.epochs))
    if cost.seconds.total >= dense.seconds.total:
        raise ValueError(
            "the selection saves nothing; select something first, then ask for a network of equal cost"
        )
    # the count of work is made for a target at the last step; what is asked for is the share that is left
    T, batch = settings.task.unrolled, settings.batch
    share = cost.seconds.total / dense.seconds.total
    wanted = share * plans(spec, state.choice, settings.epochs)[0].cost(T, batch).seconds.total
    units = units_of_equal_cost(spec, wanted, T, batch)
    smaller = with_settings(state, replace(settings, units=units))
    return replace(_plain(smaller, read_zone(smaller.spec, "nothing")), message="", past=())


PRESETS: dict[str, Callable[[State], State]] = {
    "f and i rest": gates_rest,
    "half of the units, kept": half_kept,
    "half of the units, redrawn": half_redrawn,
    "the head late": head_late,
    "the worst choice": worst_choice,
    "a smaller network of equal cost": smaller_network,
}


def preset(state: State, name: str) -> State:
    """The state after a preset; ValueError for another name, and where it can't be.

    >>> from lstm_lib.lab.state import new
    >>> preset(new(), "half of the units, kept").zone
    <Zone 0[0:32]: 9,728 of 19,521 arcs, 49.8 %>
    """
    if name not in PRESETS:
        raise ValueError(f"preset is {name!r:.60}; the choices are {', '.join(PRESETS)}")
    return PRESETS[name](state)

"""Transitions: what becomes of a state.

Every transition takes a state and returns the next; none changes anything. What can't be done raises ValueError, and
`attempt` turns that into a message of the state it started from.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from lstm_lib.isolation.partition import partition
from lstm_lib.isolation.zones import Zone, nothing, read_zone
from lstm_lib.lab.files import from_zip
from lstm_lib.lab.runs import Run
from lstm_lib.lab.settings import Settings
from lstm_lib.lab.state import HIDABLE, SEEDS, Live, Replay, State, lacks, scores
from lstm_lib.lab.texts import LANGUAGES
from lstm_lib.network.spec import is_whole
from lstm_lib.training.evidence import Evidence
from lstm_lib.training.selection import Price, choose

MOST_UNDO = 100
MOST_ARCS, MOST_LAYERS = 5_000_000, 8  # of a network that a page can draw and train


# ------------------------------------------------------------------------------------------------------- selection


def select(state: State, zone: Zone) -> State:
    """Isolate this zone and no other."""
    if zone == state.zone:
        return state
    past = (*state.past, state.zone)[-MOST_UNDO:]
    return replace(_how(state, zone=str(zone)), zone=zone, budget=0.0, past=past)


def _how(state: State, **changes: Any) -> State:
    """Something else of the choice; ValueError for what can't be."""
    return replace(state, choice=replace(state.choice, **changes))


def toggle(state: State, text: str) -> State:
    """Isolate all arcs that the text names; if they all are isolated already, release them.

    >>> from lstm_lib.lab.state import new
    >>> once = toggle(new(), "0/Wh/f[0:8]")
    >>> str(once.zone), str(toggle(once, "0/Wh/f[0:4]").zone)
    ('0/Wh/f[0:8]', '0/Wh/f[4:8]')
    """
    target = read_zone(state.spec, text)
    isolated = target & state.zone == target
    return select(state, state.zone - target if isolated else state.zone | target)


def pick(state: State, text: str) -> State:
    """The zone that a text names; no text is nothing."""
    return select(state, read_zone(state.spec, text.strip() or "nothing"))


def clear(state: State) -> State:
    """Isolate nothing."""
    return select(state, nothing(state.spec))


def invert(state: State) -> State:
    """Isolate what was active, and the other way round."""
    return select(state, ~state.zone)


def undo(state: State) -> State:
    """The selection as it was before."""
    return replace(select(state, state.past[-1]), past=state.past[:-1]) if state.past else state


def with_statistic(state: State, statistic: str) -> State:
    """Colour the map, and pick, by another statistic."""
    if why := lacks(state, statistic):
        raise ValueError(f"The statistic {statistic!r} {why}.")
    return replace(state, statistic=statistic)


def by_budget(state: State, budget: float, of: Literal["arcs", "work"], by: str) -> State:
    """Isolate the blocks that by the statistic lose least for what they save, up to a budget.

    of : what the budget is a share of. by : what is picked, rows of the map ("unit") or single cells ("gate").

    >>> from lstm_lib.lab.state import new
    >>> by_budget(new(), 0.5, "arcs", "unit").zone.share.__round__(1)
    0.5
    """
    how, settings = state.choice, state.settings
    depth = "skip" if how.depth == "cache" else how.depth  # what "cache" saves hangs on whole layers
    cost = Price(state.spec, settings.task.unrolled, settings.batch, depth, how.span)
    chosen = choose(scores(state, partition(state.spec, how.blocks, by)), budget, cost, of)
    return replace(select(state, chosen), budget=budget)


# ------------------------------------------------------------------------------------------------ how to isolate


def with_depth(state: State, depth: str) -> State:
    """Another depth."""
    return _how(state, depth=depth)


def with_span(state: State, span: int) -> State:
    """Back-propagate through so many last steps; all of them is no limit."""
    T = state.settings.task.unrolled
    if not is_whole(span, 1) or span > T:
        raise ValueError(f"span is {span!r}; expected a whole number from 1 to {T}")
    return _how(state, span=None if span == T else span)


def with_schedule(state: State, from_epoch: int, redraw: bool) -> State:
    """Isolate from an epoch on, and draw as many blocks of units anew every epoch or keep the selection."""
    epochs = state.settings.epochs
    if not is_whole(from_epoch, 1) or from_epoch > epochs:
        raise ValueError(f"the first epoch is {from_epoch!r}; expected a whole number from 1 to {epochs}")
    return _how(state, from_epoch=from_epoch, redraw=redraw)


def with_seeds(state: State, seeds: int) -> State:
    """How many seeds a training takes in turn."""
    if seeds not in SEEDS:
        raise ValueError(f"seeds is {seeds!r}; the choices are {', '.join(map(str, SEEDS))}")
    return replace(state, seeds=seeds)


def hide(state: State, names: str) -> State:
    """Which parts of the page are hidden: names with commas between them, none of them for nothing.

    >>> from lstm_lib.lab.state import new
    >>> hide(new(), "depth,span").hidden
    ('depth', 'span')
    """
    hidden = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if unknown := [name for name in hidden if name not in HIDABLE]:
        raise ValueError(f"hide is {unknown[0]!r:.60}; the choices are {', '.join(HIDABLE)}")
    return replace(state, hidden=hidden)


def in_language(state: State, language: str) -> State:
    """What the page is written in."""
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r:.20}; the choices are {', '.join(LANGUAGES)}")
    return replace(state, language=language)


# -------------------------------------------------------------------------------------------------------- settings


def fits(settings: Settings) -> None:
    """Raise ValueError for a network that is too large for a page, and as `load_series` for a file."""
    if settings.spec.size > MOST_ARCS or settings.spec.layers > MOST_LAYERS:
        raise ValueError(
            f"{settings.spec.layers} layers with {settings.spec.size:,} arcs are too many for the page, which takes "
            f"{MOST_LAYERS} layers and {MOST_ARCS:,} arcs; for larger networks there is lstm_lib.fit"
        )


def with_settings(state: State, settings: Settings) -> State:
    """Another series, network or length; the selection stays where the new network has its arcs.

    Raises as `fits`.
    """
    fits(settings)
    spec, zone, message, how = settings.spec, state.zone, "", state.choice
    if spec != state.spec:
        state = replace(state, replay=None, epoch=0, past=())
        try:
            zone = read_zone(spec, how.zone)
        except ValueError:
            zone, message = nothing(spec), "The selection was cleared: the new network has other blocks."
    span = None if how.span is None or how.span >= settings.task.unrolled else how.span
    after = _how(state, zone=str(zone), span=span, from_epoch=min(how.from_epoch, settings.epochs))
    after = replace(after, settings=settings, zone=zone, message=message, refused="")
    return replace(after, statistic="magnitude") if lacks(after, state.statistic) else after


def refuse_settings(state: State, why: str) -> State:
    """Settings that can't be: the page says why, and trains nothing before they are mended."""
    return replace(state, message=why, wrong=True, refused=why)


def with_blocks(state: State, blocks: int) -> State:
    """Into how many ranges of units the map cuts a layer."""
    return _how(state, blocks=blocks)


# ------------------------------------------------------------------------------------------------ training, results


def follow(state: State, live: Live) -> State:
    """A training starts, or has come so far."""
    return replace(state, live=live)


def finish(state: State, run: Run, epochs: tuple[Evidence, ...] = ()) -> State:
    """A training has ended, or a seed of it: a row of the table, in the place of that with its number.

    epochs : what was known of the arcs at the ends of its epochs.
    """
    runs = {one.number: one for one in state.runs} | {run.number: run}
    shown = (state.shown[0] or run.name, run.name)
    same = run.record.spec == state.spec  # or the page has another network meanwhile
    replay = Replay(run.name, epochs) if epochs and same else None
    return replace(state, runs=tuple(runs.values()), shown=shown, replay=replay, epoch=0)


def look_back(state: State, epoch: int) -> State:
    """Colour the map, and pick, by what the last training knew at the end of an epoch; 0: by what is known now."""
    if not is_whole(epoch, 0) or epoch > (most := len(state.replay.epochs) if state.replay else 0):
        raise ValueError(f"epoch is {epoch!r}; expected a whole number from 0 to {most}")
    return replace(state, epoch=epoch)


def end(state: State, message: str = "", wrong: bool = False) -> State:
    """No training is under way any more; the runs stay."""
    return replace(state, live=None, message=message, wrong=wrong)


def load_runs(state: State, content: bytes) -> State:
    """Add the runs of a file, behind those that are there; numbers that are taken get a new number."""
    runs, loaded = list(state.runs), from_zip(content)
    for run in loaded:
        taken = {one.number for one in runs}
        runs.append(replace(run, number=max(taken) + 1) if run.number in taken else run)
    ends = (runs[0].name, runs[-1].name) if runs else ("", "")
    first, second = (name or end for name, end in zip(state.shown, ends, strict=True))
    return replace(state, runs=tuple(runs), shown=(first, second), message=f"{len(loaded)} runs loaded.")


def show_forecasts(state: State, first: str, second: str, week: int | None) -> State:
    """Which two runs' forecasts, and of which test week; None: the first."""
    names = {run.name: run for run in state.runs}
    for name in (first, second):
        if name not in names:
            raise ValueError(f"there is no run {name!r}; the runs are {', '.join(names) or 'none yet'}")
    return replace(state, shown=(first, second), week=max(0, week or 0))

"""State and its transitions: all that the page shows, and what becomes of it.

Every transition takes a state and returns the next; none changes anything. What can't be done raises ValueError, and
`attempt` turns that into a message of the state it started from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from lstm_lib.isolation.partition import Partition, partition
from lstm_lib.isolation.plan import DEPTHS, isolate
from lstm_lib.isolation.zones import Zone, nothing, read_zone, zone
from lstm_lib.lab.runs import Curve, Run, Settings, dense_of, from_zip
from lstm_lib.network.spec import Params, Spec, init_params, is_whole
from lstm_lib.training import schedules
from lstm_lib.training.evidence import Evidence
from lstm_lib.training.schedules import PlanOrSchedule
from lstm_lib.training.selection import Price, choose
from lstm_lib.training.statistics import STATISTICS, Scores, score

MOST_UNDO = 100
MOST_ARCS, MOST_LAYERS = 5_000_000, 8  # of a network that a page can draw and train
MOST_WORDS = 800  # characters of a message


class Live(NamedTuple):
    """A training under way: what it has told so far."""

    name: str
    settings: Settings
    place: str = ""  # such as "epoch 2 of 4"
    done: float = 0.0  # share of all that was asked for, 0 to 1
    left: float = float("nan")  # seconds
    curve: Curve = ()


@dataclass(frozen=True)
class State:
    """Everything the page shows. Made by `new`, changed by the transitions of this module.

    `zone` is the selection, `past` what it was before, for `undo`. `blocks` is into how many ranges of units the map
    cuts a layer. `message` is what the page has to say, `wrong` whether it is bad news; while settings are
    `refused`, nothing can be trained.
    """

    settings: Settings
    zone: Zone
    past: tuple[Zone, ...] = ()
    budget: float = 0.0  # by which the selection was picked; 0 for one that was made otherwise
    blocks: int = 8
    statistic: str = "magnitude"
    depth: str = "cut"
    span: int | None = None
    from_epoch: int = 1
    redraw: bool = False
    runs: tuple[Run, ...] = ()
    live: Live | None = None
    shown: tuple[str, str] = ("", "")  # names of the runs whose forecasts stand side by side
    week: int = 0
    message: str = ""
    wrong: bool = False
    refused: str = ""  # why the settings that stand in the page are not those of the state

    @property
    def spec(self) -> Spec:
        """The network of the settings."""
        return self.settings.spec


def new(settings: Settings | None = None) -> State:
    """The state the page begins with.

    >>> new().zone
    <Zone nothing: 0 of 19,521 arcs, 0.0 %>
    """
    settings = settings or Settings()
    return State(settings, nothing(settings.spec))


def attempt(state: State, transition: Callable[..., State], *given: Any) -> State:
    """The state after a transition; or, if that can't be, the state as it was, with a message that says why.

    >>> attempt(new(), pick, "7/Wh").message
    "in the term '7/Wh': layer is 7; the layers are 0, 'head'"
    """
    try:
        return transition(replace(state, message="", wrong=False), *given)
    except Exception as error:  # whatever it is, the page has to say it
        return replace(state, message=as_text(error), wrong=True)


def as_text(error: Exception) -> str:
    """What a person reads of an error: its words, and of very many the first and the last.

    >>> as_text(ValueError("units is 0")), as_text(KeyError("curve")), len(as_text(ValueError("x" * 10**6))) < 1000
    ('units is 0', "KeyError: 'curve'", True)
    """
    ours = isinstance(error, ValueError | OSError)
    text = str(error) if ours else f"{type(error).__name__}: {error}"
    half = MOST_WORDS // 2
    return text if len(text) <= MOST_WORDS else f"{text[:half]} … {text[-half:]}"


# ------------------------------------------------------------------------------------------------------- selection


def select(state: State, zone: Zone) -> State:
    """Isolate this zone and no other."""
    if zone == state.zone:
        return state
    return replace(state, zone=zone, budget=0.0, past=(*state.past, state.zone)[-MOST_UNDO:])


def toggle(state: State, text: str) -> State:
    """Isolate all arcs that the text names; if they all are isolated already, release them.

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
    if not state.past:
        return state
    return replace(state, zone=state.past[-1], budget=0.0, past=state.past[:-1])


# --------------------------------------------------------------------------------------------------- by a statistic


def evidence(state: State) -> Evidence:
    """What is known of the arcs: by the latest dense run of this network, or the weights before any training."""
    if run := _seen(state):
        return run.record.evidence()
    settings, adam = state.settings, state.settings.adam
    params = _untrained(state.spec, settings.seed)
    return Evidence(state.spec, params, adam.init(params), adam, 0, settings.task.lookback, settings.batch)


def _seen(state: State) -> Run | None:
    """The latest dense run of this network that still knows what it has seen."""
    dense = (run for run in reversed(state.runs) if run.dense and run.record.spec == state.spec)
    return next((run for run in dense if len(run.record.history)), None)


@lru_cache(maxsize=2)
def _untrained(spec: Spec, seed: int) -> Params:
    """Weights before any training, drawn once for a network."""
    return init_params(spec, seed)


def lacks(state: State, statistic: str) -> str:
    """Why a statistic can't be shown yet; nothing if it can.

    >>> lacks(new(), "snr"), lacks(new(), "magnitude")
    ('needs what a dense run has seen; press Train first', '')
    """
    if STATISTICS[statistic].needs == "weights" or _seen(state):
        return ""
    return "needs what a dense run has seen; press Train first"


def scores(state: State, cut: Partition) -> Scores:
    """The chosen statistic over the blocks of a partition."""
    return score(state.statistic, evidence(state), cut, state.settings.seed)


def with_statistic(state: State, statistic: str) -> State:
    """Colour the map, and pick, by another statistic."""
    if why := lacks(state, statistic):
        raise ValueError(f"The statistic {statistic!r} {why}.")
    return replace(state, statistic=statistic)


def by_budget(state: State, budget: float, of: Literal["arcs", "work"], by: str) -> State:
    """Isolate the blocks that by the statistic lose least for what they save, up to a budget.

    of : what the budget is a share of. by : what is picked, rows of the map ("unit") or single cells ("gate").

    >>> by_budget(new(), 0.5, "arcs", "unit").zone.share.__round__(1)
    0.5
    """
    depth = "skip" if state.depth == "cache" else state.depth  # what "cache" saves hangs on whole layers
    cost = Price(state.spec, state.settings.task.lookback, state.settings.batch, depth, state.span)
    chosen = choose(scores(state, partition(state.spec, state.blocks, by)), budget, cost, of)
    return replace(select(state, chosen), budget=budget)


# ------------------------------------------------------------------------------------------------ how to isolate


def with_depth(state: State, depth: str) -> State:
    """Another depth."""
    if depth not in DEPTHS:
        raise ValueError(f"depth is {depth!r}; the choices are {', '.join(DEPTHS)}")
    return replace(state, depth=depth)


def with_span(state: State, span: int) -> State:
    """Back-propagate through so many last steps; all of them is no limit."""
    T = state.settings.task.lookback
    if not is_whole(span, 1) or span > T:
        raise ValueError(f"span is {span!r}; expected a whole number from 1 to {T}")
    return replace(state, span=None if span == T else span)


def with_schedule(state: State, from_epoch: int, redraw: bool) -> State:
    """Isolate from an epoch on, and draw as many blocks of units anew every epoch or keep the selection."""
    epochs = state.settings.epochs
    if not is_whole(from_epoch, 1) or from_epoch > epochs:
        raise ValueError(f"the first epoch is {from_epoch!r}; expected a whole number from 1 to {epochs}")
    return replace(state, from_epoch=from_epoch, redraw=bool(redraw))


def drawn_share(state: State) -> float:
    """Share of the blocks that a redraw isolates: that of the layers' arcs in the selection, in whole blocks."""
    layers = ~zone(state.spec, layer="head")
    return round((state.zone & layers).size / layers.size * state.blocks) / state.blocks


def isolation(state: State) -> PlanOrSchedule:
    """The plan, or the schedule of plans, that a training follows; ValueError where depth and selection don't fit."""
    inner: PlanOrSchedule = isolate(state.spec, state.zone, state.depth, state.span)
    if state.redraw:
        inner = schedules.redraw(
            state.spec, drawn_share(state), seed=state.settings.seed, blocks=state.blocks,
            depth=state.depth, span=state.span,
        )  # fmt: skip
    return inner if state.from_epoch == 1 else schedules.from_epoch(state.from_epoch, inner)


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
    spec, zone, past, message = settings.spec, state.zone, state.past, ""
    if spec != state.spec:
        past = ()
        try:
            zone = read_zone(spec, str(state.zone))
        except ValueError:
            zone, message = nothing(spec), "The selection was cleared: the new network has other blocks."
    span = None if state.span is None or state.span >= settings.task.lookback else state.span
    after = replace(
        state, settings=settings, zone=zone, past=past, span=span, message=message, refused="",
        from_epoch=min(state.from_epoch, settings.epochs),
    )  # fmt: skip
    return replace(after, statistic="magnitude") if lacks(after, state.statistic) else after


def refuse_settings(state: State, why: str) -> State:
    """Settings that can't be: the page says why, and trains nothing before they are mended."""
    return replace(state, message=why, wrong=True, refused=why)


def with_blocks(state: State, blocks: int) -> State:
    """Into how many ranges of units the map cuts a layer."""
    if not is_whole(blocks, 1):
        raise ValueError(f"blocks is {blocks!r}; expected a whole number of at least 1")
    return replace(state, blocks=blocks)


# ------------------------------------------------------------------------------------------------ training, results


def follow(state: State, live: Live) -> State:
    """A training starts, or has come so far."""
    return replace(state, live=live)


def finish(state: State, run: Run) -> State:
    """A training has ended and left a run: a row of the table."""
    shown = (state.shown[0] or run.name, run.name)
    return replace(state, runs=(*state.runs, run), shown=shown)


def end(state: State, message: str = "", wrong: bool = False) -> State:
    """No training is under way any more; the runs stay."""
    return replace(state, live=None, message=message, wrong=wrong)


def what(state: State) -> str:
    """What a training would leave out, in few words.

    >>> what(toggle(new(), "0/Wh"))
    '0/Wh cut'
    """
    if is_dense(state):
        return "dense"
    zone = f"{100 * drawn_share(state):.0f} % redrawn" if state.redraw else str(state.zone)
    zone = zone if len(zone) <= 18 else f"{100 * state.zone.share:.0f} % of arcs"
    words = [zone, state.depth] * (zone != "nothing") + [f"span {state.span}"] * (state.span is not None)
    return " ".join(words)


def is_dense(state: State) -> bool:
    """Whether a training would leave nothing out."""
    return state.span is None and (drawn_share(state) == 0 if state.redraw else state.zone.size == 0)


def needs_dense(state: State) -> bool:
    """Whether there is no dense run yet to compare with."""
    return not is_dense(state) and dense_of(state.runs, state.settings) is None


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


def say(state: State, message: str, wrong: bool = False) -> State:
    """Something to say, and nothing else."""
    return replace(state, message=message, wrong=wrong)

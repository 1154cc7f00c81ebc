"""The state: all that the page shows, and what can be read of it; `transitions` has what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from lstm_lib.isolation.partition import Partition
from lstm_lib.isolation.zones import Zone, nothing
from lstm_lib.lab.choice import Choice
from lstm_lib.lab.runs import Curve, Run, dense_of
from lstm_lib.lab.settings import Settings
from lstm_lib.network.spec import Params, Spec, init_params
from lstm_lib.training.evidence import Evidence
from lstm_lib.training.schedules import PlanOrSchedule
from lstm_lib.training.statistics import STATISTICS, Scores, score

MOST_WORDS = 800  # characters of a message
SEEDS = (1, 3, 5)  # how many, in turn
# Parts of the page that a teacher may hide, by `?hide=depth,span` in its address.
HIDABLE = ("settings", "presets", "statistics", "price", "depth", "span", "schedule", "runs", "tour")


class Replay(NamedTuple):
    """What the last training knew of the arcs at the ends of its epochs: the name of its run, and what it knew."""

    run: str
    epochs: tuple[Evidence, ...]


class Live(NamedTuple):
    """A training under way: what it has told so far."""

    settings: Settings
    place: str = ""  # such as "epoch 2 of 4"
    done: float = 0.0  # share of all that was asked for, 0 to 1
    left: float = float("nan")  # seconds
    curves: tuple[tuple[str, Curve], ...] = ()  # of the seed that is trained, by the name of the run


@dataclass(frozen=True)
class State:
    """Everything the page shows. Made by `new`, changed by the functions of `transitions`.

    `zone` is the selection, `past` what it was before, for `undo`. `choice` is what a training would leave out, and
    how; its zone is the text of `zone`. `epoch` is the place in `replay`, from 1, that colours the map; 0 for what is
    known now. `seeds` is how many are trained, from that of the settings on. `message` is what the page has to say,
    `wrong` whether it is bad news; while settings are `refused`, nothing can be trained.
    """

    settings: Settings
    zone: Zone
    choice: Choice
    past: tuple[Zone, ...] = ()
    budget: float = 0.0  # by which the selection was picked; 0 for one that was made otherwise
    statistic: str = "magnitude"
    seeds: int = 1
    language: str = "en"
    hidden: tuple[str, ...] = ()  # parts of the page that an address hides
    tour: int = 0  # the step of the tour that is shown; 0 for none
    runs: tuple[Run, ...] = ()
    live: Live | None = None
    replay: Replay | None = None
    epoch: int = 0
    shown: tuple[str, str] = ("", "")  # names of the runs whose forecasts stand side by side
    week: int = 0
    message: str = ""
    wrong: bool = False
    refused: str = ""  # why the settings that stand in the page are not those of the state

    @property
    def spec(self) -> Spec:
        """The network of the settings."""
        return self.zone.spec

    @property
    def every_seed(self) -> range:
        """The seeds that a training takes in turn."""
        return range(self.settings.seed, self.settings.seed + self.seeds)


def new(settings: Settings | None = None) -> State:
    """The state the page begins with.

    >>> new().zone
    <Zone nothing: 0 of 19,521 arcs, 0.0 %>
    """
    settings = settings or Settings()
    return State(settings, nothing(settings.spec), Choice())


def attempt(state: State, transition: Callable[..., State], *given: Any) -> State:
    """The state after a transition; or, if that can't be, the state as it was, with a message that says why.

    >>> from lstm_lib.lab.transitions import pick
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


# ------------------------------------------------------------------------------------------------- what is known


def evidence(state: State) -> Evidence:
    """What is known of the arcs: by the latest dense run of this network, or the weights before any training.

    While the map looks back, what the last training knew at the end of that epoch.
    """
    if state.replay and state.epoch:
        return state.replay.epochs[state.epoch - 1]
    if run := seen(state):
        return run.record.evidence()
    settings, adam = state.settings, state.settings.adam
    params = untrained(state.spec, settings.seed)
    return Evidence(state.spec, params, adam.init(params), adam, 0, settings.task.unrolled, settings.batch)


def seen(state: State) -> Run | None:
    """The latest dense run of this network that still knows what it has seen."""
    dense = (run for run in reversed(state.runs) if run.dense and run.record.spec == state.spec)
    return next((run for run in dense if len(run.record.history)), None)


@lru_cache(maxsize=2)
def untrained(spec: Spec, seed: int) -> Params:
    """Weights before any training, drawn once for a network."""
    return init_params(spec, seed)


def lacks(state: State, statistic: str) -> str:
    """Why a statistic can't be shown yet; nothing if it can.

    >>> lacks(new(), "snr"), lacks(new(), "magnitude")
    ('needs what a dense run has seen; press Train first', '')
    """
    if STATISTICS[statistic].needs == "weights" or seen(state):
        return ""
    return "needs what a dense run has seen; press Train first"


def scores(state: State, cut: Partition) -> Scores:
    """The chosen statistic over the blocks of a partition."""
    return score(state.statistic, evidence(state), cut, state.settings.seed)


def isolation(state: State) -> PlanOrSchedule:
    """The plan, or the schedule of plans, that a training follows; ValueError where depth and selection don't fit."""
    return state.choice(state.spec)


def lacking_dense(state: State) -> list[int]:
    """The seeds that a training takes, of which there is no dense run yet to compare with."""
    dense = dense_of(state.runs, state.settings)
    return [seed for seed in state.every_seed if dense is None or seed not in dense.seeds]

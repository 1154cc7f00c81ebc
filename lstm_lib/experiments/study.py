"""The study: what isolating arcs saves and costs, beside a dense training that was given every chance.

Nouns: a policy is what is isolated when, over a whole training; a control is another way to spend less; a `Design` is
the task, the network and the training that all of them share; a family is a function of a design and a seed that lists
configurations for `sweep`. What is drawn is drawn by the seed: thirty seeds are thirty draws.

    policies     dense, and arcs that are isolated: which, how many, how deep, from when, kept or drawn anew
    controls     windows, a smaller network, fewer epochs, shorter sequences, larger batches, Keras
    statistics   three quarters of the units, chosen by each statistic: once, anew each epoch, the wrong way round
    core         of the first two those that a second task or size needs
    windows      the dense network on windows

`tuned` gives every one of them, the dense training too, the same number of trials for its rate and its epochs, on the
validation part, before `run_study` makes the runs that count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.experiments.configuration import KERAS_CELLS, Configuration, Task
from lstm_lib.experiments.equal_cost import units_of_equal_cost
from lstm_lib.experiments.store import Store
from lstm_lib.experiments.sweeping import sweep
from lstm_lib.files import replacing
from lstm_lib.isolation.plan import Plan, dense, isolate
from lstm_lib.isolation.zones import everything, nothing, read_zone, zone
from lstm_lib.network.spec import Spec
from lstm_lib.training import schedules
from lstm_lib.training.schedules import Moment, PlanOrSchedule
from lstm_lib.training.selection import by_statistic
from lstm_lib.training.statistics import STATISTICS

Recipe = Callable[[Spec], PlanOrSchedule]
Family = list[Configuration]
SEQUENCES = Task("sceaux", reading={"calendar": ("hour", "weekday")}, length=48, warmup=12)
GRID: Mapping[str, tuple[float, ...]] = {  # what is tried for each; epochs as shares of the design's
    "lr": (2e-3, 4e-3, 8e-3),
    "epochs": (0.25, 0.5, 1.0),
}
TUNED_ON = (1000, 1001)  # seeds that no result comes from
KERAS = ("Keras", "keras"), ("Keras, XLA", "keras-xla")
SHARE = 0.75  # of the units, where statistics, draws and schedules are compared
# What a results table keeps of a row, in this order; lists stand in it as JSON.
COLUMNS = (
    "series", "horizon", "end", "group", "name", "seed", "cell", "units", "epochs", "batch", "lr", "length", "lookback",
    "engine", "seconds", "epoch_seconds", "valid_rmse", "last_valid", "test_rmse", "test_mae", "test_days",
    "predicted", "updated", "diverged", "alone", "load", "threads", "machine", "versions", "date",
)  # fmt: skip
LISTS = ("epoch_seconds", "valid_rmse", "test_days")


@dataclass(frozen=True)
class Design:
    """What all runs of a study share: the task, the network and the training.

    epochs : the most that a run is tuned to.
    settings : of a configuration by name, what `tuned` chose for it, such as {"lr": 4e-3, "epochs": 6}.

    >>> Design(settings={"dense": {"lr": 1e-3}}).make("dense", "dense").lr
    0.001
    """

    task: Task = SEQUENCES
    units: tuple[int, ...] = (256,)
    cell: str = "standard"
    epochs: int = 12
    batch: int = 8
    lr: float = 2e-3
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def make(
        self, name: str, group: str, isolation: Recipe | None = None, like: str = "", **changes: Any
    ) -> Configuration:
        """A configuration of this design; `like` has the settings of another one, which it is compared with."""
        shared = {name: getattr(self, name) for name in ("task", "units", "cell", "epochs", "batch", "lr")}
        own = self.settings.get(like or name, {})
        return Configuration(name, group=group, isolation=isolation, **(shared | dict(own) | changes))


# ------------------------------------------------------------------------------------------------------- isolations


def always(text: str, depth: str = "cut", but: bool = False) -> Recipe:
    """The zone with this text, or all but it, isolated from the first step to the last; the head stays active."""

    def plan(spec: Spec) -> Plan:
        named = read_zone(spec, text)
        layers = everything(spec) - zone(spec, layer="head")
        return isolate(spec, layers - named if but else named, depth)

    return plan


def kept(share: float, seed: int, depth: str = "cut", **how: Any) -> Callable[[Spec], Plan]:
    """A share of the units, drawn once."""
    drawn = redrawn(share, seed, depth, **how)
    return lambda spec: drawn(spec).plan_at(Moment(1, 1, 0))


def kept_beside(text: str, share: float, seed: int, depth: str = "cut") -> Recipe:
    """The zone with this text, and of what it leaves active a share of the units, drawn once."""

    def plan(spec: Spec) -> Plan:
        return isolate(spec, read_zone(spec, text) | kept(share, seed)(spec).zone, depth)

    return plan


def redrawn(share: float, seed: int, depth: str = "cut", **how: Any) -> Callable[[Spec], schedules.Schedule]:
    """A share of the units, drawn anew every epoch."""
    return lambda spec: schedules.redraw(spec, share, seed=seed, depth=depth, **how)


def then(epoch: float, recipe: Recipe) -> Recipe:
    """Nothing is isolated before this epoch, or this share of the epochs."""
    return lambda spec: schedules.from_epoch(epoch, recipe(spec))


def thawed(epochs: float, recipe: Recipe) -> Recipe:
    """Nothing is isolated in the last epochs, or this share of them."""
    return lambda spec: schedules.thaw_last(epochs, recipe(spec))


def in_turn(recipe: Recipe) -> Recipe:
    """One epoch isolated, one dense."""
    return lambda spec: schedules.alternate([recipe(spec), dense(spec)])


def spanning(span: int) -> Recipe:
    """Every arc is updated; errors travel back so many steps."""
    return lambda spec: isolate(spec, nothing(spec), span=span)


def head_alone(spec: Spec) -> Plan:
    """Every layer isolated, its states remembered where they can be."""
    return isolate(spec, ~zone(spec, layer="head"), "cut")


def chosen(statistic: str, seed: int, every: int | None, most: bool = False) -> Recipe:
    """The units that lose least by a statistic, or most, from the second epoch on."""
    return lambda spec: by_statistic(
        spec,
        statistic,
        SHARE * _in_layers(spec),
        every=every,
        blocks=max(spec.units),
        depth="cut",
        seed=seed,
        most=most,
    )


def _in_layers(spec: Spec) -> float:
    return 1 - zone(spec, layer="head").share


# -------------------------------------------------------------------------------------------------------- families


def policies(design: Design, seed: int = 0) -> Family:
    """Dense, and what may be faster. The names are those of tables and figures."""
    make = design.make
    names = {0.25: "a quarter", 0.5: "half", 0.75: "three quarters", 0.875: "seven eighths"}
    main = names[SHARE]
    found = [make("dense", "dense")]
    found += [make(f"{name} kept", "kept", kept(share, seed)) for share, name in names.items()]
    found += [
        make(f"{main} kept, skip", "kept", kept(SHARE, seed, "skip")),
        make(f"{main} kept, blocks of 8", "kept", kept(SHARE, seed, blocks=max(1, min(design.units) // 8))),
        make(f"{main} kept after an epoch", "kept", then(2, kept(SHARE, seed))),
        make("half redrawn", "redrawn", redrawn(0.5, seed)),
        make(f"{main} redrawn", "redrawn", redrawn(SHARE, seed)),
        make(f"{main} in turn with none", "redrawn", in_turn(kept(SHARE, seed))),
        make(f"{main} kept, thawed at the end", "thawed", thawed(0.25, kept(SHARE, seed))),
        make("dense, then the head", "head", then(0.75, head_alone)),
        make("the head alone", "head", head_alone),
    ]
    by_gate = {"f and i": "fi", "o": "o", "f, i and o": "fio", "g": "g"} if design.cell == "standard" else {}
    for words, gates in by_gate.items():
        text = _in_every_layer(design, f"*/{gates}")
        found.append(make(f"{words} rest", "gates", always(text)))
        if gates == "fi":
            half, output = kept_beside(text, 0.5, seed), _in_every_layer(design, "Wh/o")
            found += [
                make(f"{words} rest, skip", "gates", always(text, "skip")),
                make("f, i and a quarter of the units rest", "gates", kept_beside(text, 0.25, seed)),
                make("f, i and half of the units rest", "gates", half),
                make("f, i and half of the units rest, thawed at the end", "thawed", thawed(0.25, half)),
                make("f, i and half of the units rest, thawed for the last epoch", "thawed", thawed(1, half)),
                make("f, i and Wh of o rest", "gates", always(f"{text} | {output}")),
            ]
    recurrent = _in_every_layer(design, "Wh")
    found += [
        make("Wh rests", "matrices", always(recurrent)),
        make("Wh rests, skip", "matrices", always(recurrent, "skip")),
        make("span 12", "span", spanning(12)),
    ]
    return found


def _in_every_layer(design: Design, part: str) -> str:
    """The text of the zone that is this part of each layer, such as "*/fi" or "Wh"."""
    return " | ".join(f"{layer}/{part}" for layer in range(len(design.units)))


def controls(design: Design, seed: int = 0) -> Family:
    """What else costs what three quarters kept cost; that and gates at rest; Keras's training on the same sequences."""
    make, task = design.make, design.task
    spec, T = make("dense", "dense").spec, task.length or task.lookback
    costs = [
        plan.cost(T, design.batch, output="every").seconds.total
        for plan in (kept(SHARE, seed)(spec), dense(spec))
    ]
    wanted = min(costs)  # a tiny network saves nothing
    smaller = units_of_equal_cost(spec, wanted, T, design.batch, "every")
    fewer = max(1, round(wanted / costs[1] * make("dense", "dense").epochs))
    if "fewer epochs" in design.settings:
        shorter = make("fewer epochs", "control")
    else:
        shorter = make("fewer epochs", "control", like="dense", epochs=fewer)
    both = (
        [("smaller network, f and i rest", _in_every_layer(design, "*/fi"))]
        if design.cell == "standard"
        else []
    )
    return [
        make("smaller network", "control", units=smaller),
        *(make(name, "gates", always(text), units=smaller) for name, text in both),
        make("quarter of the units", "control", units=tuple(max(1, H // 4) for H in design.units)),
        shorter,
        make("shorter sequences", "control", task=replace(task, length=task.warmup + (T - task.warmup) // 2)),
        make("batch of 16", "control", batch=2 * design.batch),
        *(
            make(name, "Keras", like="dense", engine=engine)
            for name, engine in KERAS
            if design.cell in KERAS_CELLS
        ),
    ]


def windows(design: Design, seed: int = 0) -> Family:
    """The dense network on windows, as everybody trains it: ten times the work for an epoch, so few seeds."""
    return [
        design.make(
            "windows", "control", task=replace(design.task, length=None), batch=64, epochs=design.epochs // 2
        )
    ]


def statistics(design: Design, seed: int = 0) -> Family:
    """Each statistic in three arms, all beside the draw that is kept after an epoch."""
    like = "three quarters kept after an epoch"
    arms = {"once": (None, False), "each epoch": (1, False), "the wrong way": (None, True)}
    return [
        design.make(like, "kept", then(2, kept(SHARE, seed))),
        *(
            design.make(f"{name}, {arm}", "statistic", chosen(name, seed, *how), like=like)
            for name, (arm, how) in product(STATISTICS, arms.items())
            if name != "random"
        ),
    ]


def core(design: Design, seed: int = 0) -> Family:
    """The policies and controls that another task, size or cell needs."""
    wanted = {
        "dense", "half kept", "three quarters kept", "seven eighths kept", "three quarters kept after an epoch",
        "three quarters redrawn", "f and i rest", "f, i and o rest", "f, i and half of the units rest", "Wh rests",
        "span 12", "the head alone", "dense, then the head", "smaller network", "quarter of the units", "fewer epochs",
    }  # fmt: skip
    return [c for c in policies(design, seed) + controls(design, seed) if c.name in wanted]


FAMILIES: dict[str, Callable[[Design, int], Family]] = {
    family.__name__: family for family in (policies, controls, statistics, core, windows)
}


def of_families(
    design: Design, families: Sequence[str], seed: int = 0, only: Collection[str] | None = None
) -> Family:
    """The configurations of these families, each once; of a name in `only` where that is given.

    Raises ValueError for an unknown family or name.
    """
    if unknown := [name for name in families if name not in FAMILIES]:
        raise ValueError(f"no family {', '.join(map(repr, unknown))}; the choices are {', '.join(FAMILIES)}")
    found = {c.name: c for name in families for c in FAMILIES[name](design, seed)}
    if absent := ", ".join(repr(name) for name in only or () if name not in found):
        raise ValueError(f"no run named {absent}; the choices are {', '.join(map(repr, found))}")
    return [found[name] for name in found if only is None or name in only]


# ------------------------------------------------------------------------------------------------------ the whole


def tuned(
    design: Design,
    store: Store | str | Path,
    families: Sequence[str],
    jobs: int = 1,
    progress: bool = True,
    only: Collection[str] | None = None,
) -> tuple[Design, pd.DataFrame]:
    """The design with the settings of every configuration that has its own, the best of `GRID`, and the trials.

    Each gets len(lr) x len(epochs) trials with two seeds that no result comes from; the lowest mean error of the
    validation part after the last epoch is chosen, the cheaper one of equals. What diverges is never chosen.
    `only` is as for `run_study`; what the named stand beside has to be among them.
    "fewer epochs" has the next lower number of epochs that the dense network was tried with, at its best rate there.
    """
    trials: dict[str, list[Configuration]] = {}
    for c in of_families(replace(design, settings={}), families, only=only):
        # these have the settings of what they stand beside
        if c.group not in ("statistic", "Keras") and c.name != "fewer epochs":
            trials[c.name] = trials_of(c)
    every = [c for some in trials.values() for c in some]
    table = sweep(
        every, TUNED_ON, store, jobs=jobs, progress=progress, order="by configuration", records=False
    )
    errors = pd.to_numeric(table["last_valid"]).fillna(np.inf).groupby(table["name"]).mean()

    def best(some: Collection[Configuration]) -> Configuration:
        return min(some, key=lambda c: (errors[c.name], c.epochs))

    found = {name: best(some) for name, some in trials.items()}
    if shorter := [c for c in trials.get("dense", ()) if c.epochs < found["dense"].epochs]:
        half = max(c.epochs for c in shorter)
        found["fewer epochs"] = best([c for c in shorter if c.epochs == half])
    settings = {name: {"lr": c.lr, "epochs": c.epochs} for name, c in found.items()}
    return replace(design, settings=settings), table.assign(end=design.task.end)


def trials_of(c: Configuration) -> list[Configuration]:
    """A configuration with each rate and number of epochs of `GRID`, the epochs as shares of its own; none is tested.

    >>> [c.name for c in trials_of(Design(epochs=2).make("dense", "dense"))][:2]
    ['dense: 0.002, 1', 'dense: 0.002, 2']
    """
    shorter = dict.fromkeys(max(1, round(share * c.epochs)) for share in GRID["epochs"])
    return [
        replace(c, name=f"{c.name}: {lr:g}, {epochs}", group="tuning", lr=lr, epochs=epochs, tested=False)
        for lr, epochs in product(GRID["lr"], shorter)
    ]


def run_study(
    design: Design,
    store: Store | str | Path,
    seeds: Sequence[int] = range(10),
    families: Sequence[str] = ("policies", "controls"),
    jobs: int = 1,
    progress: bool = True,
    only: Collection[str] | None = None,
    timed: Sequence[int] = (),
) -> pd.DataFrame:
    """Make all runs of these families that the store lacks, and return their rows.

    Parameters
    ----------
    design : what the runs share; from `tuned`.
    store : a `Store` or its folder; a study that was stopped goes on from there.
    seeds : ten or more, for intervals that mean something.
    families : keys of `FAMILIES`.
    jobs : how many runs at a time, where times don't count.
    only : names of configurations; None makes all.
    timed : the seeds whose runs are made alone, one by one, after the others, and timed.

    Raises ValueError for an unknown family or name, and what `sweep` raises.
    """
    tables = []
    for now in (False, True):
        for seed in timed if now else seeds:
            some = of_families(design, families, seed, only)
            tables.append(
                sweep(
                    some, [seed], store, jobs=1 if now else jobs, timed=now, progress=progress, records=False
                )
            )
    made = pd.concat(tables, ignore_index=True).assign(end=design.task.end)
    return (
        made.sort_values("alone", kind="stable").drop_duplicates(["name", "seed"], keep="last").sort_index()
    )


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write the rows of a study as CSV, with what was run where and when, in five digits."""
    kept = table.reindex(columns=COLUMNS)
    for name in LISTS:
        kept[name] = [
            json.dumps([float(f"{a:.5g}") for a in values] if isinstance(values, list) else [])
            for values in kept[name]
        ]
    with replacing(path) as file:
        kept.to_csv(file, index=False, float_format="%.5g")


def read_table(path: str | Path) -> pd.DataFrame:
    """The rows that `write_table` wrote; ValueError for a table of another kind."""
    table = pd.read_csv(path, dtype={"units": str}, converters=dict.fromkeys(LISTS, json.loads))
    if lacking := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"{path} is no results table of a study: it lacks {', '.join(lacking)}")
    return table.assign(diverged=table["diverged"].astype("object").where(table["diverged"].notna(), ""))

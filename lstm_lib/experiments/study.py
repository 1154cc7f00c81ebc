"""The study: which policies, which controls, on which task; `run_study` makes the runs, into a store.

Nouns: a policy is what is isolated when, over a whole training; a control is a run that a policy has to beat at the
same cost; a `Design` is the task, the network and the training that all of them share; a family is a list of
configurations for `sweep`:

    policies     dense, spans, units that are redrawn, the head alone towards the end
    controls     what else the same time could buy
    statistics   half of the arcs, chosen anew every epoch by each statistic
    sizes        dense and the short span at other numbers of units
    core         of the policies and controls those that a second task needs
    zones        gate x matrix x layer x share x depth x span, another quarter of the combinations with each seed

All but the zones are made in turn, seed by seed, and timed. Of the zones only the errors count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.experiments.configuration import Configuration, Task
from lstm_lib.experiments.equal_cost import epochs_of_equal_time, lookback_of_equal_cost, units_of_equal_cost
from lstm_lib.experiments.store import Store
from lstm_lib.experiments.sweeping import sweep
from lstm_lib.files import replacing
from lstm_lib.isolation.plan import Plan, isolate
from lstm_lib.isolation.zones import nothing, read_zone, zone
from lstm_lib.network.cells import CELLS
from lstm_lib.network.spec import Spec
from lstm_lib.training import schedules
from lstm_lib.training.selection import by_statistic
from lstm_lib.training.statistics import STATISTICS

Recipe = Callable[[Spec], schedules.PlanOrSchedule]
Family = list[Configuration]
FACTORS = ("gate", "matrix", "layer", "share", "depth", "span")  # that the zones are crossed of
# What a results table keeps of a row, in this order; lists stand in it as JSON.
COLUMNS = (
    "series", "horizon", "group", "name", "seed", "units", "epochs", "lookback", "engine", *FACTORS,
    "seconds", "epoch_seconds", "valid_rmse", "last_valid", "test_rmse", "test_mae",
    "predicted", "updated", "diverged", "alone",
    "threads", "load", "machine", "versions", "date",
)  # fmt: skip
LISTS = ("epoch_seconds", "valid_rmse")


@dataclass(frozen=True)
class Design:
    """What all runs of a study share: the task, the network and the training.

    span : of the policies that have one; None takes a sixth of the lookback.

    >>> design = Design()
    >>> design.short, design.late
    (12, 5)
    """

    task: Task = field(default_factory=Task)
    units: tuple[int, ...] = (64,)
    epochs: int = 6
    batch: int = 64
    lr: float = 2e-3
    span: int | None = None

    @property
    def short(self) -> int:
        """The span of the policies."""
        return self.span or max(1, self.task.lookback // 6)

    @property
    def late(self) -> int:
        """The first epoch of the last third, in which the head alone is trained."""
        return self.epochs - max(1, self.epochs // 3) + 1

    def shorter(self, lookback: int) -> Task:
        """The task with shorter windows, judged on the same hours."""
        return replace(self.task, lookback=lookback, compared_with=self.task.lookback)

    def configuration(
        self, name: str, group: str, isolation: Recipe | None = None, **changes: Any
    ) -> Configuration:
        """A configuration of this design."""
        shared = {name: getattr(self, name) for name in ("task", "units", "epochs", "batch", "lr")}
        return Configuration(name, group=group, isolation=isolation, **(shared | changes))


# ------------------------------------------------------------------------------------------------------- isolations


def short_plan(spec: Spec, span: int | None) -> Plan:
    """Every arc is updated, through the last steps alone; None: through all."""
    return isolate(spec, nothing(spec), span=span)


def spanning(span: int) -> Recipe:
    """Every arc is updated, through the last steps alone."""
    return lambda spec: short_plan(spec, span)


def head_alone(spec: Spec) -> Plan:
    """Every layer isolated, its states remembered."""
    return isolate(spec, ~zone(spec, layer="head"), "cache")


def then_head(epoch: int, span: int | None) -> Recipe:
    """From this epoch on the head alone; a span before."""
    return lambda spec: schedules.from_epoch(epoch, head_alone(spec), short_plan(spec, span))


def growing(spans: Sequence[int], epochs: int) -> Recipe:
    """One span after the other, each for an equal part of the epochs."""

    def schedule(spec: Spec) -> schedules.PlanOrSchedule:
        held: schedules.PlanOrSchedule = short_plan(spec, spans[0])
        for k, span in enumerate(spans[1:], 1):
            start, plan = 1 + k * epochs // len(spans), short_plan(spec, span)
            held = schedules.from_epoch(start, plan, before=held) if start > 1 else plan
        return held

    return schedule


def mixed(short: int, long: int) -> Recipe:
    """Three steps with a short span, then one with a long span."""
    return lambda spec: schedules.alternate([short_plan(spec, n) for n in [short] * 3 + [long]], every=1)


def redrawn(share: float, span: int | None) -> Callable[[Spec], schedules.Schedule]:
    """A share of the units isolated at depth cut, drawn anew every epoch."""
    return lambda spec: schedules.redraw(spec, share, blocks=8, depth="cut", span=span)


def fixed(share: float, span: int | None) -> Recipe:
    """A share of the units isolated at depth cut, drawn once."""
    return lambda spec: redrawn(share, span)(spec).plan_at(schedules.Moment(1, 1, 0))


def half_by(statistic: str, span: int) -> Recipe:
    """Half of the arcs isolated at depth cut, chosen anew every epoch; the first epoch isolates nothing."""
    return lambda spec: schedules.from_epoch(
        2, by_statistic(spec, statistic, 0.5, depth="cut", span=span), short_plan(spec, span)
    )


def isolating(text: str, share: float, depth: str, span: int) -> Recipe:
    """Of the zone with this text the arcs that lead to the first units, a share of them."""

    def plan(spec: Spec) -> Plan:
        units = round(share * spec.units[int(text[0])])
        return isolate(spec, read_zone(spec, f"{text}[0:{units}]"), depth, span)

    return plan


# -------------------------------------------------------------------------------------------------------- families


def policies(design: Design) -> Family:
    """The dense run and what may be faster: spans, redrawn units, the head alone towards the end."""
    make, short, late = design.configuration, design.short, design.late
    long, half, window = 2 * short, max(1, short // 2), max(1, design.task.lookback // 2)
    return [
        make("dense", "dense"),
        *(make(f"span {n}", "span", spanning(n)) for n in (long, 3 * short // 2, short, half)),
        make(f"spans {half}, {short}, {long}", "span", growing((half, short, long), design.epochs)),
        make(f"span {half}, each fourth {3 * short}", "span", mixed(half, 3 * short)),
        make("dense, then head", "then head", then_head(late, None)),
        make(f"span {long}, then head", "then head", then_head(late, long)),
        make(f"span {short}, then head", "then head", then_head(late, short)),
        make("half redrawn", "units", redrawn(0.5, None)),
        make(f"half redrawn, span {short}", "units", redrawn(0.5, short)),
        make(f"quarter redrawn, span {short}", "units", redrawn(0.25, short)),
        make(f"window {window}, span {short}, then head", "combined", then_head(late, short),
             task=design.shorter(window)),
    ]  # fmt: skip


def controls(design: Design) -> Family:
    """What else could be had for the predicted cost of training with the short span, and Keras's own training."""
    make, short = design.configuration, design.short
    spec = make("dense", "dense").spec
    T, B = design.task.lookback, design.batch
    wanted = short_plan(spec, short).cost(T, B)
    smaller, shorter = units_of_equal_cost(spec, wanted, T, B), lookback_of_equal_cost(spec, wanted, T, B)
    fewer = epochs_of_equal_time(spec, wanted, design.epochs, T, B)
    return [
        make("head alone", "control", head_alone),
        make(f"half fixed, span {short}", "control", fixed(0.5, short)),
        make("smaller network", "control", units=smaller),
        make("fewer epochs", "control", epochs=fewer),
        make("shorter window", "control", task=design.shorter(shorter)),
        make("Keras", "control", engine="keras"),
        make("Keras, XLA", "control", engine="keras-xla"),
    ]


def core(design: Design) -> Family:
    """The policies and controls that a second task needs."""
    long, short, window = 2 * design.short, design.short, design.task.lookback // 2
    wanted = {
        "dense", f"span {long}", f"span {short}", f"span {long}, then head", f"span {short}, then head",
        f"half redrawn, span {short}", "head alone", "smaller network", "fewer epochs", "shorter window",
        "Keras, XLA", f"window {window}, span {short}, then head",
    }  # fmt: skip
    return [c for c in policies(design) + controls(design) if c.name in wanted]


def statistics(design: Design) -> Family:
    """Half of the arcs isolated by each statistic, over the short span: equal cost, "random" among them."""
    return [
        design.configuration(f"half by {name}", "statistic", half_by(name, design.short))
        for name in STATISTICS
    ]


def sizes(design: Design, units: Iterable[int] = (16, 32, 128)) -> Family:
    """Dense and the short span, then the head, at other numbers of units."""
    wanted = {"dense", f"span {design.short}", f"span {design.short}, then head"}
    some = [c for c in policies(design) if c.name in wanted]
    return [replace(c, name=f"{c.name}, {H} units", group="size", units=(H,)) for H in units for c in some]


def zones(design: Design, seed: int | None = None) -> Family:
    """A network of two layers, one zone isolated all along: gate, matrix, layer, share, depth and span crossed.

    With a seed a quarter of the combinations, drawn by it. The network without a zone is always there, once for each
    span, so that a zone's effect can be told from its span's. Half of the design's epochs, since they are many and no
    time is compared.
    """
    half = replace(design, epochs=max(1, design.epochs // 2), units=(32, 32))
    short, whole = design.short, design.task.lookback
    gates = CELLS["standard"].gates
    crossed = list(product(gates, ("Wx", "Wh"), (0, 1), (0.5, 1.0), ("skip", "cut"), (short, whole)))
    if seed is not None:
        order = np.random.default_rng([seed, 7]).permutation(len(crossed))
        crossed = [crossed[k] for k in sorted(order[: len(crossed) // 4])]
    found = [
        half.configuration("dense, two layers", "zone", labels={"span": whole}),
        half.configuration(f"span {short}, two layers", "zone", spanning(short), labels={"span": short}),
    ]
    for labels in crossed:
        gate, matrix, layer, share, depth, span = labels
        text = f"{layer}/{matrix}/{gate}"
        name, recipe = f"{text}, {share:.0%}, {depth}, span {span}", isolating(text, share, depth, span)
        found.append(half.configuration(name, "zone", recipe, labels=dict(zip(FACTORS, labels, strict=True))))
    return found


# ------------------------------------------------------------------------------------------------------ the whole


FAMILIES: dict[str, Callable[[Design], Family]] = {
    family.__name__: family for family in (policies, controls, statistics, core, sizes, zones)
}


def timed_runs(design: Design, families: Sequence[str], only: Collection[str] | None = None) -> Family:
    """The configurations of these families but for the zones, each once; of a name in `only` where that is given.

    Raises ValueError for an unknown family or name.
    """
    if unknown := [name for name in families if name not in FAMILIES]:
        raise ValueError(f"no family {', '.join(map(repr, unknown))}; the choices are {', '.join(FAMILIES)}")
    found = {c.name: c for name in families if name != "zones" for c in FAMILIES[name](design)}
    if absent := ", ".join(repr(name) for name in only or () if name not in found):
        raise ValueError(f"no run named {absent}; the choices are {', '.join(map(repr, found))}")
    return [found[name] for name in found if only is None or name in only]


def run_study(
    design: Design,
    store: Store | str | Path,
    seeds: Sequence[int] = range(10),
    families: Sequence[str] = ("policies", "controls", "statistics"),
    jobs: int = 1,
    progress: bool = True,
    only: Collection[str] | None = None,
) -> pd.DataFrame:
    """Make all runs of these families that the store lacks, and return their rows.

    Parameters
    ----------
    design : what the runs share.
    store : a `Store` or its folder; a study that was stopped goes on from there.
    seeds : ten or more, for intervals that mean something.
    families : keys of `FAMILIES`.
    jobs : how many runs of the zones at a time, whose time doesn't count; the others are made alone, one by one.
    only : names of configurations, such as "dense" and "Keras", which are made and no zones; None makes all.

    Raises ValueError for an unknown family or name, and what `sweep` raises.
    """
    timed = timed_runs(design, families, only)
    tables = [sweep(timed, seeds, store, timed=True, progress=progress)] if timed else []
    for seed in seeds if "zones" in families and only is None else ():
        tables += [sweep(zones(design, seed), [seed], store, jobs=jobs, progress=progress)]
    return pd.concat(tables, ignore_index=True)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write the rows of a study as CSV, with what was run where and when, in five digits."""
    kept = table.reindex(columns=COLUMNS)
    for name in LISTS:
        kept[name] = [json.dumps([float(f"{a:.5g}") for a in values]) for values in kept[name]]
    with replacing(path) as file:
        kept.to_csv(file, index=False, float_format="%.5g")


def read_table(path: str | Path) -> pd.DataFrame:
    """The rows that `write_table` wrote; ValueError for a table of another kind."""
    table = pd.read_csv(path, dtype={"units": str}, converters=dict.fromkeys(LISTS, json.loads))
    if lacking := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"{path} is no results table of a study: it lacks {', '.join(lacking)}")
    return table.assign(diverged=table["diverged"].astype("object").where(table["diverged"].notna(), ""))


def task_runs(
    table: pd.DataFrame, series: str, horizon: int = 1, groups: Sequence[str] | None = None
) -> pd.DataFrame:
    """The runs of one task, of some groups or of all but sizes and zones; ValueError where there are none."""
    wanted = table["group"].isin(groups) if groups is not None else ~table["group"].isin(["size", "zone"])
    rows = table[(table["series"] == series) & (table["horizon"] == horizon) & wanted]
    if rows.empty:
        tasks = table[["series", "horizon", "group"]].drop_duplicates().to_dict("split")["data"]
        raise ValueError(f"no run of {series!r}, horizon {horizon}, groups {groups}; the table has {tasks}")
    return rows.reset_index(drop=True)

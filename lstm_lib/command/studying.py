"""The study of isolation on series of the course or of one's own: every training tuned alike, then all of them run.

Errors are made first, `--jobs` runs at a time; then a few seeds once more, alone, for their times. What is finished is
kept in a store, so that the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.command.preparing import record_table, say, told
from lstm_lib.experiments import Store, Task, in_words, judged
from lstm_lib.experiments.runs import predicted_step, steps_of_epoch
from lstm_lib.experiments.study import (
    TUNED_ON,
    Design,
    of_families,
    read_table,
    run_study,
    trials_of,
    tuned,
    write_table,
)
from lstm_lib.experiments.sweeping import Disturbed
from lstm_lib.files import replacing
from lstm_lib.plots import forest
from lstm_lib.series.options import read_option

# What a series is trained on, found by searches on validation: length, warm-up, batch, and the epochs a run may have.
KNOWN = {"sceaux": (48, 12, 8, 12), "fontana": (72, 24, 4, 24)}
OTHERS = (48, 12, 8, 16)
CALENDAR = ("hour", "weekday")
FAMILIES = {256: ("policies", "controls", "statistics")}  # of other sizes the core
QUICK = 16  # units
ENDS = (0.7, 0.85)  # of the rows: two earlier stretches to be tested on
ENOUGH = 10  # seeds, for intervals that mean something
# A run that is made again replaces the row that has these.
SAME = ["series", "horizon", "end", "length", "units", "cell", "name", "seed"]


def designs(given: argparse.Namespace) -> list[tuple[Design, tuple[str, ...]]]:
    """Each design with its families, the most important first."""
    reading = {"calendar": CALENDAR} | {name: read_option(name, text) for name, text in told(given).items()}
    target = reading.pop("target", None)
    found = []
    for horizon in given.horizon:
        for units in [QUICK] if given.quick else given.units:
            for series in given.file:
                length, warmup, batch, epochs = KNOWN.get(series, OTHERS)
                task = Task(
                    series, horizon=horizon, steps="all" if horizon > 1 else "last", target=target,
                    length=length, warmup=warmup, reading=reading,
                )  # fmt: skip
                most = 2 if given.quick else given.epochs or epochs
                families = tuple(given.families or FAMILIES.get(units, ("core",)))
                network = {"units": (units,) * given.layers, "cell": given.cell}
                found.append((Design(task, **network, epochs=most, batch=batch), families))
    return found


def study(given: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Run every design, write the table and the figures; what is said of it, and its data."""
    folder = Path(given.out)
    store = Store(folder / "store")
    for other in given.merge:
        say(given, f"{store.merge(other)} runs taken in from {other}")
    wanted = designs(given)
    for design, families in wanted:
        of_families(design, families, only=given.runs)  # what is unknown is said before hours have gone by
    texts, data = [], []
    for design, families in wanted:
        say(given, f"{_title(design)}: {_about(given, design, families)}")
        table = _made(given, design, families, store, folder / "results.csv")
        if {"dense"} < set(table["name"]):  # and something to compare it with
            summary = judged(table)
            picture = _drawn(summary, table, design, folder)
            texts += [f"{_title(design)}\n{in_words(summary).to_string()}", f"{picture} is written"]
            data.append({"task": _title(design), "picture": str(picture), "summary": _rows(summary)})
    texts.append(f"{folder / 'results.csv'} is written")
    if (seeds := _seeds(given)[0]) < ENOUGH:
        texts.append(
            f"{seeds} seeds: the intervals know only these; {ENOUGH} or more make them worth reading"
        )
    return "\n".join(texts), {"results": str(folder / "results.csv"), "studies": data}


def _seeds(given: argparse.Namespace) -> tuple[int, int]:
    return (2, 2) if given.quick else (given.seeds, given.timed)


def _about(given: argparse.Namespace, design: Design, families: tuple[str, ...]) -> str:
    """How many runs there are, and how long they take if none of them is there yet and all are dense."""
    some = [replace(c, isolation=None) for c in of_families(design, families, only=given.runs)]
    seeds, timed = _seeds(given)
    tried = [[each.epochs for each in trials_of(c) for _ in TUNED_ON] for c in some]
    runs = seeds * (1 + len(ENDS) * given.folds) + timed
    epochs = [sum(trials) + runs * c.epochs for c, trials in zip(some, tried, strict=True)]
    steps = [steps_of_epoch(c) * predicted_step(c)[0] for c in some]
    made = f"{len(some)} configurations, {sum(map(len, tried))} trials, {runs * len(some)} runs"
    return f"{made}; {np.dot(epochs, steps) / 60:.0f} minutes of one core at most"


def _made(
    given: argparse.Namespace, design: Design, families: tuple[str, ...], store: Store, to: Path
) -> pd.DataFrame:
    """All runs of a design, written with the trials before them, also where the runs to be timed are stopped."""
    seeds, timed = map(range, _seeds(given))
    how: dict[str, Any] = {"only": given.runs, "progress": sys.stderr.isatty() and not given.quiet}
    with _places(given.dask):
        best, trials = tuned(design, store, families, given.jobs, **how)
        tables = [run_study(best, store, seeds, families, given.jobs, **how)]
        for end in ENDS if given.folds else ():
            earlier = replace(best, task=replace(best.task, end=end))
            tables.append(run_study(earlier, store, seeds, families, given.jobs, **how))
    try:
        if timed:
            tables.insert(0, run_study(best, store, (), families, timed=timed, **how))
    except Disturbed as error:
        raise ValueError(f"{to} has the errors, and no times that count: {error}") from error
    finally:
        table = pd.concat(tables).drop_duplicates(["name", "seed", "end"]).sort_values(["name", "seed"])
        add(pd.concat([table, trials]), to)
    return table


def _places(scheduler: str | None) -> Any:
    """Where the runs that are not timed go: to joblib's processes, or to a cluster."""
    if scheduler is None:
        return nullcontext()
    from joblib import parallel_config

    return parallel_config(backend="dask", scheduler_host=scheduler)


def _title(design: Design) -> str:
    network = (
        " and ".join(map(str, design.units)) + " units" + f", {design.cell}" * (design.cell != "standard")
    )
    return f"{design.task.series}, {design.task.horizon} ahead, {network}"


def _drawn(summary: pd.DataFrame, table: pd.DataFrame, design: Design, folder: Path) -> Path:
    groups = dict(zip(table["name"], table["group"], strict=True))
    of = [design.task.horizon, *design.units] + [design.cell] * (design.cell != "standard")
    path = folder / f"{Path(design.task.series).stem}_{'_'.join(map(str, of))}.png"
    with replacing(path) as file:
        forest(summary, groups, title=_title(design)).savefig(file, dpi=150, format="png")
    return path


def _rows(summary: pd.DataFrame) -> list[dict[str, Any]]:
    return record_table(summary.rename_axis("name").reset_index())


def add(table: pd.DataFrame, path: Path) -> None:
    """Write the rows to a table that may be there, beside those of other runs."""
    if path.exists():
        before = read_table(path)
        table = pd.concat([before, table.reindex(columns=before.columns)]).drop_duplicates(SAME, keep="last")
    write_table(table, path)

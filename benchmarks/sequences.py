"""Training on windows against training on streams of sequences: the time, and the error on the same hours.

    python -m benchmarks.sequences [sceaux fontana FILE.csv.gz …] [--day] [--seeds 10] [--engine plain] [--jobs 1]

The rule by which settings are chosen is the same for every series. Windows: 6 epochs of batch 64, cosine; of the rates
below, the one whose last validation error is lowest. Streams: of batch 16, cosine, 48 steps a sequence; of the epochs
and rates below, the pair with the lowest last validation error among those whose training took at most
`SHARE` of the windows' time. Both are chosen with the seeds `TUNING`, which are not those of the result. Then windows
and streams take turns, seed by seed, each training on one thread. With --jobs so many pairs run side by side, each on a
processor of its own. A file has the columns time and load (kW), as of a building.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.engine import machine
from lstm_lib.experiments import Configuration, Task, against, sweep

WINDOWS = {"epochs": 6, "batch": 64}
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
STREAMS = {"length": 48, "warmup": 12, "stateful": True}
EPOCHS, BATCH = (6, 12, 18), 16
STREAM_RATES = (4e-3, 8e-3, 1.6e-2, 3.2e-2)
SHARE = {
    ("plain", False): 1 / 10,
    ("plain", True): 1 / 5,
    ("compiled", False): 1 / 20,
    ("compiled", True): 1 / 10,
}
TUNING = (100, 101)


def task_of(series: str, day: bool) -> Task:
    """The next hour, or the next 24, from three days."""
    own = {} if "." not in series else {"target": "load", "reading": {"time": "time", "unit": "kW"}}
    ahead = {"horizon": 24, "steps": "all"} if day else {}
    return Task(series, lookback=72, **ahead, **own)


def on_a_processor(numbers: multiprocessing.Queue[int], engine: str) -> None:
    """Bind this process to a processor that no other has; timed runs wait for none of another processor."""
    number = numbers.get()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {number})
    os.environ |= {
        "LSTM_LIB_ENGINE": engine,
        "LSTM_LIB_TIMED_LOCK": f"{tempfile.gettempdir()}/lstm_lib-{number}.lock",
    }


def take_turns(task: tuple[list[Configuration], int, Path]) -> pd.DataFrame:
    """These configurations with this seed, one after the other."""
    configurations, seed, store = task
    turned = configurations[:: -1 if seed % 2 else 1]
    return sweep(turned, [seed], store, timed=True, progress=False)


class Runs:
    """Trainings in processes of their own, `jobs` at a time, kept in a store."""

    def __init__(self, engine: str, jobs: int, store: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.store, numbers = store / engine, context.Queue()
        mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(jobs)
        for number in mine[:jobs]:
            numbers.put(number)
        self.pool = ProcessPoolExecutor(jobs, context, on_a_processor, (numbers, engine))

    def make(self, units: Iterable[tuple[list[Configuration], int]]) -> pd.DataFrame:
        """All rows; a unit's configurations follow each other on one processor."""
        return pd.concat(
            self.pool.map(take_turns, [(*unit, self.store) for unit in units]), ignore_index=True
        )


def chosen(runs: Runs, task: Task, share: float) -> list[Configuration]:
    """Windows and streams, each with the settings that validation chose."""
    windows = {f"windows, {lr}": Configuration(f"windows, {lr}", task, lr=lr, **WINDOWS) for lr in RATES}
    others = {}
    for epochs, lr in product(EPOCHS, STREAM_RATES):
        name, laid = f"{epochs} epochs, {lr}", replace(task, **STREAMS)
        others[name] = Configuration(name, laid, epochs=epochs, batch=BATCH, lr=lr)
    table = runs.make(([c], seed) for c in [*windows.values(), *others.values()] for seed in TUNING)
    found = table.groupby("name", sort=False)[["last_valid", "seconds"]].mean()
    best = found.loc[list(windows), "last_valid"].idxmin()
    fast = found.loc[list(others)][lambda t: t["seconds"] <= share * found.loc[best, "seconds"]]
    print(
        found.loc[list(windows)].round(4).to_string(),
        fast.sort_values("last_valid").head().to_string(),
        sep="\n",
    )
    return [windows[best], others[fast["last_valid"].idxmin()]]


def row_of(task: Task, day: bool, engine: str, pair: list[Configuration], table: pd.DataFrame) -> pd.Series:
    """What the pairs come to."""
    result = against(table, pair[0].name).loc[pair[1].name]
    windows, others = (table[table["name"] == c.name] for c in pair)
    return pd.Series({
        "series": Path(task.series).name.split(".")[0],
        "ahead": "day" if day else "hour",
        "engine": engine,
        "windows": f"{pair[0].epochs} epochs, {pair[0].lr}",
        "streams": pair[1].name,
        "windows seconds": windows["seconds"].median(),
        "windows rmse": windows["test_rmse"].mean(),
        "streams rmse": others["test_rmse"].mean(),
        **result[["n", "seconds", "time_ratio", "time_low", "time_high"]],
        **result[["error_percent", "error_low", "error_high"]],
        "load": float(np.median(table["load"].astype(float))),
        "machine": table["machine"].iloc[0],
    })  # fmt: skip


def main() -> None:
    """Choose, run, print and add the rows to the table beside this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("series", nargs="*", default=["sceaux", "fontana"])
    parser.add_argument("--day", action="store_true", help="a day ahead, hour by hour")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--engine", choices=("plain", "compiled"), default="plain")
    parser.add_argument("--jobs", type=int, default=1, help="pairs side by side, each on its processor")
    parser.add_argument("--store", type=Path, help="a folder, to go on from where it stopped")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(args.engine, args.jobs, args.store or Path(folder))
        for series in args.series:
            task = task_of(series, args.day)
            pair = chosen(runs, task, SHARE[args.engine, args.day])
            table = runs.make((pair, seed) for seed in range(args.seeds))
            row = row_of(task, args.day, args.engine, pair, table)
            print(row.to_string(), flush=True)
            before = pd.read_csv(args.out) if args.out.exists() else pd.DataFrame()
            table = pd.concat([before, row.to_frame().T.infer_objects()])
            table.to_csv(args.out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()

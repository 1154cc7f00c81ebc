"""Training on windows against training on streams of sequences: the time, and the error on the same hours.

    python -m benchmarks.sequences [sceaux fontana FILE.csv.gz …] [--day] [--seeds 10] [--engine plain] [--store FOLDER]

The rule by which settings are chosen is the same for every series. Windows: 6 epochs of batch 64, cosine; of the rates
below, the one whose last validation error is lowest. Streams: of batch 16, cosine, 48 steps a sequence; of the epochs
and rates below, the pair with the lowest mean of the last validation errors, among those whose training took at most
`SHARE` of the windows' time. Both are chosen with the seeds `TUNING`, which are not those of the result. Then windows
and streams take turns, seed by seed, on one thread. A file has the columns time and load (kW), as of a building.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.engine import machine
from lstm_lib.experiments import Configuration, Task, against, sweep

WINDOWS = {"epochs": 6, "batch": 64}
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)
STREAMS = {"length": 48, "warmup": 12, "stateful": True}
EPOCHS, STREAM_RATES, BATCH = (6, 12, 18), (4e-3, 8e-3, 1.6e-2, 3.2e-2), 16
SHARE = {False: 1 / 10, True: 1 / 5}  # of the windows' time, for the next hour and a day ahead
TUNING = (100, 101)


def task_of(series: str, day: bool) -> Task:
    """The next hour, or the next 24, from three days."""
    own = {} if "." not in series else {"target": "load", "reading": {"time": "time", "unit": "kW"}}
    ahead = {"horizon": 24, "steps": "all"} if day else {}
    return Task(series, lookback=72, **ahead, **own)


def chosen(task: Task, day: bool, store: Path | None) -> list[Configuration]:
    """Windows and streams, each with the settings that validation chose."""

    def tried(candidates: list[Configuration], seeds: tuple[int, ...]) -> pd.DataFrame:
        table = sweep(candidates, seeds, store, timed=True)
        return table.groupby("name", sort=False)[["last_valid", "seconds"]].mean()

    windows = [Configuration(f"windows, {lr}", task, lr=lr, **WINDOWS) for lr in RATES]
    found = tried(windows, TUNING[:1])
    best = next(c for c in windows if c.name == found["last_valid"].idxmin())
    streams = [
        Configuration(f"streams, {epochs}, {lr}", replace(task, **STREAMS), epochs=epochs, batch=BATCH, lr=lr)
        for epochs in EPOCHS
        for lr in STREAM_RATES
    ]
    others = tried(streams, TUNING)
    fast = others[others["seconds"] <= SHARE[day] * found.loc[best.name, "seconds"]]
    other = next(c for c in streams if c.name == fast["last_valid"].idxmin())
    print(pd.concat([found, others]).round(4).to_string())
    return [replace(best, name="windows"), replace(other, name="streams")]


def main() -> None:
    """Choose, run, print and add the rows to the table beside this file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("series", nargs="*", default=["sceaux", "fontana"])
    parser.add_argument("--day", action="store_true", help="a day ahead, hour by hour")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--engine", choices=("plain", "compiled"), default="plain")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    args = parser.parse_args()
    os.environ["LSTM_LIB_ENGINE"] = args.engine
    print(machine())
    for series in args.series:
        pair = chosen(task_of(series, args.day), args.day, args.store)
        table = sweep(pair, range(args.seeds), args.store, timed=True)
        result = against(table, "windows").loc["streams"]
        windows, streams = (table[table["name"] == c.name] for c in pair)
        row = {
            "series": Path(series).name.split(".")[0],
            "ahead": "day" if args.day else "hour",
            "engine": args.engine,
            "windows": f"{pair[0].epochs} epochs, {pair[0].lr}",
            "streams": f"{pair[1].epochs} epochs, {pair[1].lr}",
            "windows seconds": windows["seconds"].median(),
            "windows rmse": windows["test_rmse"].mean(),
            "streams rmse": streams["test_rmse"].mean(),
            **result[["n", "seconds", "time_ratio", "time_low", "time_high"]],
            **result[["error_percent", "error_low", "error_high"]],
            "load": float(np.median(table["load"].astype(float))),
            "machine": table["machine"].iloc[0],
        }
        print(pd.Series(row).to_string(), flush=True)
        before = pd.read_csv(args.out) if args.out.exists() else pd.DataFrame()
        pd.concat([before, pd.DataFrame([row])]).round(4).to_csv(args.out, index=False)


if __name__ == "__main__":
    main()

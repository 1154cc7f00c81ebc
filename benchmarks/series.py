"""What a large file costs: reading, checking and cutting 100,000 rows of 15 minutes with 60 columns.

    python -m benchmarks.series [--rows 100000] [--columns 60] [--kind csv]

First the values read are shown to be those written, bit for bit. Memory is the most the process has held so far,
above what it held before reading (Linux and macOS only); the table itself, float64, is given beside it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lstm_lib as ll

GAPS = 40  # stretches of missing values, so that the parts are no single view


def table_of(rows: int, columns: int) -> pd.DataFrame:
    """A day's rhythm with noise, in a random walk; three decimals, as from a meter."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2018-01-01", periods=rows, freq="15min", tz="UTC", name="time")
    day = 10 + 5 * np.sin(2 * np.pi * np.arange(rows) / 96)
    values = (
        day[:, None] + rng.normal(0, 1, (rows, columns)) + rng.normal(0, 0.02, (rows, columns)).cumsum(axis=0)
    )
    frame = pd.DataFrame(values.round(3), index, [f"column_{k:02} [kW]" for k in range(columns)])
    for first in rng.integers(0, rows - 50, GAPS):
        frame.iloc[first : first + 50, rng.integers(0, columns)] = np.nan
    return frame


def megabytes() -> float:
    """The most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Have the file written, read it, check it, cut it, and print what each took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=60)
    parser.add_argument("--kind", choices=["csv", "parquet"], default="csv")
    given = parser.parse_args()
    rows, results = [], {}

    def stage(name: str, run: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        results[name] = run()
        rows.append((name, time.perf_counter() - began, megabytes() - before))
        return results[name]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"large.{given.kind}"
        # in a process of its own, so that what writing takes is not counted
        writer = multiprocessing.get_context("spawn").Process(
            target=write, args=(path, given.rows, given.columns)
        )
        writer.start()
        writer.join()
        size, before = path.stat().st_size / 2**20, megabytes()
        target = "column_00 [kW]"
        series = stage("load_series", lambda: ll.load_series(path, target=target))
    stage("check", series.check)
    split = stage("windows(lookback=144, horizon=96)", lambda: ll.windows(series, 144, 96, steps="all"))
    stage("blocks(), all as views", lambda: split.train.blocks())
    stage(
        "take(), a batch of 32",
        lambda: split.train.take(np.linspace(0, len(split.train) - 1, 32).astype(int)),
    )
    stage("folds(), 4 of them", lambda: ll.folds(series, 144, 96, steps="all"))

    written = table_of(given.rows, given.columns)
    np.testing.assert_array_equal(series.frame.to_numpy(), written.to_numpy())
    assert sum(len(block) for block in split.train.blocks()) == len(split.train)
    assert all(np.shares_memory(block, split.train.values) for block in split.train.blocks())
    copied = split.train.values.itemsize * len(split.train) * 144 * given.columns / 2**20
    print(
        f"{given.rows:,} rows x {given.columns} columns, {size:.0f} MiB as {given.kind}; all values are those written"
    )
    print(f"the table, float64: {written.to_numpy().nbytes / 2**20:.0f} MiB")
    print(f"the training windows, if they were copied: {copied:,.0f} MiB")
    print(pd.DataFrame(rows, columns=["", "seconds", "peak MiB"]).round(3).to_string(index=False))


def write(path: Path, rows: int, columns: int) -> None:
    """The file to read."""
    frame = table_of(rows, columns)
    if path.suffix == ".csv":
        frame.to_csv(path, date_format="%Y-%m-%d %H:%M:%S+00:00")
    else:
        frame.to_parquet(path)


if __name__ == "__main__":
    main()

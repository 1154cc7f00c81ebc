"""Timing that can be believed: contestants run in turn, in one process, and are compared round by round."""

from __future__ import annotations

import time
from collections.abc import Callable

import pandas as pd
from tqdm import tqdm


def interleave(
    contestants: dict[str, Callable[[], object]], rounds: int = 15, warmup: int = 2
) -> pd.DataFrame:
    """Seconds of every contestant in every round: one row a round, one column a contestant.

    The machine's speed drifts; contestants that take turns drift together, so ratios within a round hold.
    """
    for _ in range(warmup):
        for run in contestants.values():
            run()
    rows = []
    for _ in tqdm(range(rounds), desc="rounds", leave=False):
        row = {}
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            row[name] = time.perf_counter() - began
        rows.append(row)
    return pd.DataFrame(rows)


def summary(seconds: pd.DataFrame, ours: str) -> pd.DataFrame:
    """Median and quartiles in ms, and the ratio to `ours` taken round by round (above 1: ours is faster)."""
    ratio = seconds.div(seconds[ours], axis=0)
    return pd.DataFrame(
        {
            "median ms": 1e3 * seconds.median(),
            "25 % ms": 1e3 * seconds.quantile(0.25),
            "75 % ms": 1e3 * seconds.quantile(0.75),
            f"ratio to {ours}": ratio.median(),
            "25 %": ratio.quantile(0.25),
            "75 %": ratio.quantile(0.75),
        }
    ).round(2)

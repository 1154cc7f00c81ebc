"""Small configurations that the tests of experiments share: seconds, not minutes, a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

import lstm_lib as ll
from lstm_lib.experiments import Configuration, Task, sweep

ROOT = Path(__file__).resolve().parents[2]
TASK = Task(lookback=4, every=100)  # 233 windows to train on
MADE_ANEW = ["seconds", "epoch_seconds", "alone", "load", "date"]  # what differs between equal runs


def cut_forget(spec: ll.Spec) -> ll.Plan:
    return ll.isolate(spec, ll.zone(spec, gate="f"), depth="cut")


def small(name: str = "dense", **settings: Any) -> Configuration:
    return Configuration(name, **{"task": TASK, "units": (3,), "epochs": 2, "batch": 32} | settings)


def pair(**settings: Any) -> list[Configuration]:
    return [small(**settings), small("cut f", isolation=cut_forget, **settings)]


def make(configurations: Any, seeds: Any = (0, 1), store: Any = None, **settings: Any) -> pd.DataFrame:
    return sweep(configurations, seeds, store, **{"progress": False} | settings)


def equal_numbers(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """The same rows in the same order, bit for bit but for times and circumstances."""
    parts = [frame.drop(columns=MADE_ANEW).reset_index(drop=True) for frame in (a, b)]
    pd.testing.assert_frame_equal(*parts, check_exact=True)

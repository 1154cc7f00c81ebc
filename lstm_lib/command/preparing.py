"""From a file to a series, from a series to a split, from a split to a trained forecaster, as the options say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from lstm_lib.command.arguments import PREPARING
from lstm_lib.forecaster import Forecaster
from lstm_lib.series import SequenceSplit, Series, SeriesError, load_series, sequences
from lstm_lib.series.options import TAKES, read_option
from lstm_lib.series.refusal import length

DAY = pd.Timedelta(days=1)
LENGTH, STREAMS = 48, 8  # rows of a sequence, at most, and how many run side by side
MOST_AHEAD, MOST_BACK = 96, 288  # rows, where nothing is said
FEWEST = 11  # windows of a short part: an interval of 90 % needs 9


def say(given: argparse.Namespace, text: str) -> None:
    """A line on the way, on stderr."""
    if not given.quiet:
        print(text, file=sys.stderr, flush=True)


def told(given: argparse.Namespace) -> dict[str, str]:
    """The options of reading and preparing that were typed, as they were typed."""
    return {name: text for name in (*TAKES, *PREPARING) if (text := getattr(given, name, None)) is not None}


def read(given: argparse.Namespace, texts: Mapping[str, str], calendar: bool = True) -> Series:
    """The series of the file, prepared; with hour and weekday as inputs unless a calendar was asked for."""
    reading = {name: read_option(name, text) for name, text in texts.items() if name in TAKES}
    if reading.get("calendar") == "":
        reading["calendar"] = ()
    say(given, f"reading {given.file}")
    series = load_series(given.file, **reading)
    if rules := texts.get("clean"):
        series = series.clean(_names(rules))[0]
    if columns := texts.get("consumption"):
        series = series.consumption(_names(columns))  # of one more reading than there are differences
        series = replace(
            series, frame=series.frame.iloc[1:] if series.stamped == "end" else series.frame.iloc[:-1]
        )
    if step := texts.get("resample"):
        series = series.resample(step)
    if calendar and "calendar" not in reading:  # what a short file can't teach is no input
        lasts = len(series.frame) * series.step
        known = {"hour": series.step < DAY and lasts >= 2 * DAY, "weekday": lasts >= 14 * DAY}
        series = series.with_calendar(*(name for name, some in known.items() if some))
    return series


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def cut(given: argparse.Namespace, series: Series) -> SequenceSplit:
    """The series in streams of sequences, each row with all steps of its forecast; says how far it looks."""
    shares = [_number(part, "split") for part in _names(given.split)]
    rows, day = len(series.frame), max(1, round(DAY / series.step))
    part = int(min(shares) * rows)  # room is short where the part is short
    usual = (day, 3 * day) if day > 1 else (7, 28)
    ahead = _rows(given.horizon, series, "horizon") or max(1, min(usual[0], MOST_AHEAD, part // 4))
    back = _rows(given.lookback, series, "lookback") or max(
        2, min(usual[1], MOST_BACK, part // 2, part - ahead - FEWEST)
    )
    long = max(2, min(LENGTH, part - ahead - 1))
    split = sequences(
        series, long, min(12, long // 3), ahead, stateful=True, lookback=back, split=shares, steps="all",
        known=_names(given.known) if given.known else (),
    )  # fmt: skip
    hours = [f"{count * series.step / pd.Timedelta('1h'):g} h" for count in (ahead, back)]
    short = " (the file is short)" if (ahead < usual[0] < MOST_AHEAD and not given.horizon) else ""
    say(given, f"forecasts {hours[0]} ahead, {ahead} rows, reads {hours[1]}{short}")
    return split


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SeriesError(f"{name}={text!r} is not a number.") from None


def _rows(text: str | None, series: Series, name: str) -> int:
    """A number of rows that was given as one or as a time; 0 where nothing was given."""
    if text is None:
        return 0
    if text.isdecimal() and int(text):
        return int(text)
    width = length(text, name)
    if width % series.step != pd.Timedelta(0):
        raise SeriesError(f"{name}={text!r} is no whole number of steps of {series.step}.")
    return int(width // series.step)


def trained(given: argparse.Namespace, split: SequenceSplit) -> Forecaster:
    """A forecaster that has learned from the split; KeyboardInterrupt where it was stopped."""
    units = f"{given.units} units, {given.epochs} epochs"
    say(
        given,
        f"training an LSTM of {units}" if given.cell == "standard" else f"training {given.cell}: {units}",
    )
    model = Forecaster(
        units=given.units, cell=given.cell, epochs=given.epochs, batch=STREAMS, lr=given.lr, seed=given.seed,
        progress=sys.stderr.isatty() and not given.quiet,
    ).fit(split)  # fmt: skip
    if model.record_.interrupted:
        raise KeyboardInterrupt
    model.reading_ = told(given)
    return model


def place(given: argparse.Namespace, *names: str | None) -> list[Path | None]:
    """Where files will be written; refused before anything is computed.

    Raises FileNotFoundError for a folder that isn't there, SeriesError for the place of a file that is read.
    """
    paths = [None if name is None else Path(name) for name in names]
    for path in filter(None, paths):
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; name a file to write")
        for read_from in (given.file, getattr(given, "model", None)):
            if read_from and path.exists() and Path(read_from).exists() and path.samefile(read_from):
                raise SeriesError(f"{path} is the file that is read; name another to write")
    return paths


def record_table(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table for JSON: a row each, stamps in ISO 8601, null for what is missing."""
    plain = table.astype(object).where(table.notna(), None)
    return [
        {
            str(name): value.isoformat() if isinstance(value, pd.Timestamp) else value
            for name, value in row.items()
        }
        for row in plain.to_dict("records")
    ]

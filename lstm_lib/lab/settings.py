"""What the page trains on, and how: tasks on the last rows of a series, and `Settings`.

Nouns, beside those of `lstm_lib.experiments`: `LastRows` is a task on the last rows of a series; `Settings` are a
configuration that isolates nothing, and the first of its seeds.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd

from lstm_lib.experiments.configuration import Configuration, Task, contents_of_file
from lstm_lib.network.spec import is_whole
from lstm_lib.series import SequenceSplit, Series, SeriesError, Split, naive_forecasts
from lstm_lib.series.files import file_of
from lstm_lib.series.layouts import EMBEDDED

# The environment variable: files are read by their path below these folders only.
FOLDERS = "LSTM_LIB_LAB_FOLDERS"
SHARES = {"last quarter": 0.25, "last half": 0.5, "all": 1.0}  # of the rows of a series
# That a file of the page may end in.
TABLES = (".csv", ".txt", ".tsv", ".tab", ".dat", ".xls", ".xlsx", ".zip", ".gz", ".parquet", ".pq")
# What a network is trained on: the length of a sequence, or none, and how many samples a step takes.
SAMPLES: dict[str, tuple[int | None, int]] = {"sequences": (48, 16), "windows": (None, 64)}
_uploads = set[Path]()


def allow(folder: str) -> None:
    """Files of this folder may be read wherever others may not: it holds what was uploaded."""
    _uploads.add(Path(folder).resolve())


def readable(series: str) -> None:
    """Refuse, unopened, a file that the page may not read: so that no message can hold what stands in it.

    Raises ValueError for a file that is no table by its name, or outside the folders of the environment variable
    LSTM_LIB_LAB_FOLDERS; FileNotFoundError for none.
    """
    if series in EMBEDDED:
        return
    folders = [Path(part).resolve() for part in os.environ.get(FOLDERS, "").split(os.pathsep) if part]
    try:
        path = file_of(series).resolve()
    except OSError:
        if folders:  # what is there, and what isn't, is nobody's business
            raise FileNotFoundError(f"There is no file {series} that this page may read; upload it") from None
        raise
    if folders and not any(path.is_relative_to(folder) for folder in {*folders, *_uploads}):
        raise FileNotFoundError(f"There is no file {series} that this page may read; upload it")
    if path.suffix.lower() not in TABLES:
        raise ValueError(
            f"{path.name} is no table by its name; the page reads files that end in {', '.join(TABLES)}"
        )


@dataclass(frozen=True)
class LastRows(Task):
    """A task on the last rows of a series, with the weekday and, where its step is below a day, the hour.

    share : of the rows, in (0, 1].
    contents : a digest of the file as it was when the task was made, so that a file that changed makes another task.

    >>> LastRows(share=0.5, lookback=24).split().inputs[-4:]
    ('hour_sin', 'hour_cos', 'weekday_sin', 'weekday_cos')
    """

    share: float = 1.0
    length: int | None = 48
    contents: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.series:
            raise ValueError("no file is given; type its path, or upload it")
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share!r}; expected a number above 0 and at most 1")
        with suppress(OSError, ValueError):  # which is refused when it is read
            readable(self.series)
            vars(self)["contents"] = contents_of_file(self)

    def load(self) -> Series:
        """The last rows, read anew; what `load_series` raises for a file that can't be read, and `readable`."""
        readable(self.series)
        series = super().load()
        series = series.with_calendar(*(["hour"] if series.step < pd.Timedelta("1D") else []), "weekday")
        rows = max(2, round(self.share * len(series.frame)))
        return replace(series, frame=series.frame.iloc[-rows:])

    @property
    def unrolled(self) -> int:
        """T of a training step: of a sequence, or of a window."""
        return self.length or self.lookback

    def samples(self) -> Split | SequenceSplit:
        """The three parts; SeriesError for what can't be cut, with what might help."""
        readable(self.series)
        try:
            return super().samples()
        except SeriesError as error:
            self.load()  # a file that can't be read has its own error: more rows are no help
            more = "" if self.share == 1 else f" Or take more of its rows than the last {self.share:.0%}."
            raise SeriesError(f"{error}{more}") from None


@dataclass(frozen=True)
class Settings(Configuration):
    """On what and how is trained: a `Configuration` that isolates nothing, and the first of its seeds.

    Runs with equal settings are compared. Raises ValueError that names the setting and what was expected.

    >>> Settings(units=(32, 16)).network
    'sceaux all, 32+16 units, 8 epochs, seed 0'
    """

    name: str = "lab"
    task: LastRows = LastRows()
    epochs: int = 8
    batch: int = 16
    lr: float = 4e-3
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_whole(self.seed, 0):
            raise ValueError(f"seed is {self.seed!r}; expected a whole number of at least 0")

    def as_it_is(self) -> Settings:
        """The same, with the file as it is now."""
        return replace(self, task=replace(self.task))

    @property
    def network(self) -> str:
        """The settings in a few words."""
        shares = {share: name for name, share in SHARES.items()}
        rows = shares.get(self.task.share, f"last {self.task.share:.0%}")
        units = "+".join(map(str, self.units)) + f" {self.cell}" * (self.cell != "standard")
        rows += " windows" * (self.task.length is None)
        name = PureWindowsPath(self.task.series).name  # which knows both kinds of slashes
        return f"{name} {rows}, {units} units, {self.epochs} epochs, seed {self.seed}"


def read_units(text: str) -> tuple[int, ...]:
    """Units of each layer from a text.

    >>> read_units("64"), read_units("64, 32"), read_units("64+32")
    ((64,), (64, 32), (64, 32))
    """
    parts = text.replace(",", " ").replace("+", " ").split()
    if not parts or not all(part.isdecimal() for part in parts):
        raise ValueError(f"units is {text!r}; give one whole number for each layer, such as 64 or 64, 32")
    return tuple(map(int, parts))


@lru_cache(maxsize=8)
def last_value_error(split: Split) -> float:
    """Validation RMSE of the forecast that needs no training: as it was an hour (a row) ago."""
    error = naive_forecasts(split.valid)["last value"].to_numpy() - split.valid.actual[:, 0]
    return float(np.sqrt(np.nanmean(error**2)))

"""Settings, and the Run that a training leaves: as a table, as a file that is loaded again, as a forecast.

Nouns, beside those of `lstm_lib.experiments`: `LastRows` is a task on the last rows of a series; `Settings` are a
configuration that isolates nothing, and a seed; a `Run` is one finished training: its settings, what was isolated, its
record; a `Curve` is pairs of training seconds and validation RMSE.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.experiments.configuration import Configuration, Task
from lstm_lib.isolation.plan import DEPTHS
from lstm_lib.isolation.zones import read_zone
from lstm_lib.network.spec import is_whole
from lstm_lib.series import Series, SeriesError, Split, Windows, naive_forecasts
from lstm_lib.series.files import file_of
from lstm_lib.series.layouts import EMBEDDED
from lstm_lib.training.record import Record

FOLDERS = (
    "LSTM_LIB_LAB_FOLDERS"  # the environment variable: files are read by their path below these folders only
)
SHARES = {"last quarter": 0.25, "last half": 0.5, "all": 1.0}  # of the rows of a series
TABLES = (
    ".csv",
    ".txt",
    ".tsv",
    ".tab",
    ".dat",
    ".xls",
    ".xlsx",
    ".zip",
    ".gz",
    ".parquet",
    ".pq",
)  # that a file of the page may end in
MOST_SEEN = 200_000  # arcs of a network whose dense run goes into a file of runs with all it has seen
MOST_BYTES = 500_000_000  # of a file of runs, unpacked
Curve = tuple[tuple[float, float], ...]
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

    >>> LastRows(share=0.5, lookback=24).split().inputs[-4:]
    ('hour_sin', 'hour_cos', 'weekday_sin', 'weekday_cos')
    """

    share: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.series:
            raise ValueError("no file is given; type its path, or upload it")
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share!r}; expected a number above 0 and at most 1")

    def load(self) -> Series:
        """The last rows, read anew; what `load_series` raises for a file that can't be read, and `readable`."""
        readable(self.series)
        series = super().load()
        series = series.with_calendar(*(["hour"] if series.step < pd.Timedelta("1D") else []), "weekday")
        rows = max(2, round(self.share * len(series.frame)))
        return replace(series, frame=series.frame.iloc[-rows:])

    def split(self) -> Split:
        """The three parts; SeriesError for what can't be cut, with what might help."""
        readable(self.series)
        try:
            return super().split()
        except SeriesError as error:
            self.load()  # a file that can't be read has its own error: more rows are no help
            more = "" if self.share == 1 else f" Or take more of its rows than the last {self.share:.0%}."
            raise SeriesError(f"{error}{more}") from None


@dataclass(frozen=True)
class Settings(Configuration):
    """On what and how is trained: a `Configuration` that isolates nothing, and its seed.

    Runs with equal settings are compared. Raises ValueError that names the setting and what was expected.

    >>> Settings(units=(32, 16)).network
    'sceaux last quarter, 32+16 units, 4 epochs, seed 0'
    """

    name: str = "lab"
    task: LastRows = LastRows()
    epochs: int = 4
    batch: int = 32
    lr: float = 4e-3
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_whole(self.seed, 0):
            raise ValueError(f"seed is {self.seed!r}; expected a whole number of at least 0")

    @property
    def network(self) -> str:
        """The settings in a few words."""
        shares = {share: name for name, share in SHARES.items()}
        rows = shares.get(self.task.share, f"last {self.task.share:.0%}")
        units = "+".join(map(str, self.units)) + f" {self.cell}" * (self.cell != "standard")
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


# ------------------------------------------------------------------------------------------------------------ run


@dataclass(frozen=True, eq=False)
class Run:
    """One finished training.

    Parameters
    ----------
    number, what : its name: a number of its own, and what was isolated in few words, or "dense".
    zone : text of what was isolated; "nothing" and no span is a dense run.
    schedule : in words, such as "from epoch 3, redrawn"; "" where the zone was isolated all along.
    arcs : share of the network's arcs in the zone, 0 to 1 (of the draws, where it was drawn anew).
    predicted, measured : how many times as fast as the dense run, by the count of work and by steps that took
        turns with dense ones; NaN where it was not measured.
    unit : of the errors.
    curve : its last point is the time and error of the whole; of what was done, if it was stopped.
    stopped : "" for a complete run, else how and where it ended, such as "stopped in epoch 2 of 4".
    """

    number: int
    what: str
    settings: Settings
    zone: str
    depth: str
    span: int | None
    schedule: str
    arcs: float
    predicted: float
    measured: float
    unit: str
    curve: Curve
    record: Record = field(repr=False)
    stopped: str = ""

    @property
    def name(self) -> str:
        """What it is called in lists and figures."""
        return f"{self.number} {self.what}"

    @property
    def seconds(self) -> float:
        """Of training alone."""
        return self.curve[-1][0]

    @property
    def rmse(self) -> float:
        """Of validation, in `unit`."""
        return self.curve[-1][1]

    @property
    def dense(self) -> bool:
        """Whether nothing was left out."""
        return self.zone == "nothing" and self.span is None


def dense_of(runs: Sequence[Run], settings: Settings) -> Run | None:
    """The latest complete dense run of these settings."""
    return next((r for r in reversed(runs) if r.dense and r.settings == settings and not r.stopped), None)


def tell_apart(runs: Sequence[Run]) -> list[str]:
    """Of each run those of its settings that aren't the same in all; nothing where all have the same.

    Settings that differ, and not in their words, get a number.
    """
    different: list[Settings] = []
    for run in runs:
        different += [run.settings] * (run.settings not in different)
    words = [settings.network.rsplit(", ", 3) for settings in different]
    said = [", ".join(p for p, *all_of in zip(w, *words, strict=True) if {*all_of} != {p}) for w in words]
    numbered = [
        f"{text} ({said[:k].count(text) + 1})".strip() if said.count(text) > 1 else text
        for k, text in enumerate(said)
    ]
    return [numbered[different.index(run.settings)] for run in runs]


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """A row a run; `to dense` is the difference of its error to that of the dense run of the same settings, in %."""
    rows = []
    for run in runs:
        dense = dense_of(runs, run.settings)
        rows.append(
            {
                "run": run.name,
                "zone": run.zone,
                "depth": "" if run.zone == "nothing" else run.depth,
                "span": "" if run.span is None else str(run.span),
                "schedule": run.schedule,
                "arcs isolated %": 100 * run.arcs,
                "predicted speed-up": run.predicted,
                "measured speed-up": run.measured,
                "seconds": run.seconds,
                "RMSE": run.rmse,
                "unit": run.unit,
                "to dense %": np.nan if dense is None else 100 * (run.rmse / dense.rmse - 1),
                "stopped": run.stopped,
                "settings": run.settings.network,
            }
        )
    return pd.DataFrame(rows)


def to_csv(runs: Sequence[Run]) -> bytes:
    """The table as a CSV file."""
    return table(runs).to_csv(index=False, float_format="%.6g").encode()


def to_zip(runs: Sequence[Run]) -> bytes:
    """The runs as one file, which `from_zip` reads: `runs.json`, and for each a record with its parameters, `K.npz`.

    Jupyter takes no upload above 10 MB. So what a record knows of the way there is left out, but for the dense run that
    statistics are computed from: the latest of each network that isn't large.
    """
    dense = {run.record.spec: run for run in runs if run.dense and run.record.spec.size <= MOST_SEEN}
    file = io.BytesIO()
    # LZMA, since the parameters stand in a record three times
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as folder, TemporaryDirectory() as kept:
        about = [vars(run) | {"settings": asdict(run.settings), "record": None} for run in runs]
        folder.writestr("runs.json", json.dumps(about))
        for k, run in enumerate(runs):
            done, adam = run.record, run.settings.adam
            if run is not dense.get(done.spec):
                done = Record.begin(done.spec, done.config, done.params, adam.init(done.params))
            folder.write(done.save(f"{kept}/{k}.npz"), f"{k}.npz")
    return file.getvalue()


def from_zip(content: bytes) -> tuple[Run, ...]:
    """The runs that `to_zip` wrote; ValueError for a file of another kind."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as folder, TemporaryDirectory() as kept:
            if (size := sum(one.file_size for one in folder.infolist())) > MOST_BYTES:
                raise ValueError(
                    f"it holds {size / 1e6:,.0f} MB unpacked, at most {MOST_BYTES / 1e6:,.0f} are taken"
                )
            about = json.loads(folder.read("runs.json"))
            return tuple(_run(row, folder.extract(f"{k}.npz", kept)) for k, row in enumerate(about))
    except Exception as error:  # it may hold anything: broken archives and arrays, other fields, other types
        raise ValueError(
            f"this is not a file of runs ({str(error)[:300]}), or it was edited; "
            "expected runs.zip, as the page saves it"
        ) from None


FIELDS: dict[str, Any] = {  # of a run as it stands in a file: their types
    "number": int, "what": str, "zone": str, "depth": str, "span": int | None, "schedule": str, "arcs": float | int,
    "predicted": float | int, "measured": float | int, "unit": str, "stopped": str,
}  # fmt: skip


def _is_a_line(text: str) -> bool:
    return (text or "a").isprintable() and len(text) <= 2000


def _run(row: dict[str, Any], path: str) -> Run:
    curve = tuple((float(seconds), float(error)) for seconds, error in row["curve"])
    if not curve or not all(map(math.isfinite, sum(curve, ()))):
        raise ValueError("a curve has finite numbers, and one point at least")
    settings = row["settings"]
    settings = Settings(**settings | {"task": LastRows(**settings["task"])})
    record = Record.load(path)
    if (record.spec.units, record.spec.cell) != (settings.units, settings.cell):
        raise ValueError(f"its record is of {record.spec}, its settings say {settings.network}")
    run = Run(**row | {"settings": settings, "curve": curve, "record": record})
    for name, kind in FIELDS.items():
        value = getattr(run, name)
        if not isinstance(value, kind) or isinstance(value, bool) or not _is_a_line(str(value)):
            raise ValueError(
                f"{name} of a run is {value!r:.60}, not {getattr(kind, '__name__', kind)} of one line"
            )
    if not (run.arcs <= 1 and min(run.arcs, run.predicted, run.measured) >= 0 and 1 <= run.number < 10**6):
        raise ValueError("its number, its share of arcs or one of its ratios is out of range")
    if run.span is not None and run.span < 1:
        raise ValueError(f"span is {run.span}, not a whole number of at least 1")
    if run.depth not in DEPTHS:
        raise ValueError(f"depth is {run.depth!r:.60}; the choices are {', '.join(DEPTHS)}")
    read_zone(run.record.spec, run.zone)
    return run


# ----------------------------------------------------------------------------------------------------- test weeks

WEEK = pd.Timedelta("7D")


def weeks(part: Windows) -> list[pd.Timestamp]:
    """The local midnights at which the weeks of a part begin.

    >>> weeks(LastRows().split().test)[0]
    Timestamp('2010-10-06 00:00:00+0100', tz='Etc/GMT-1')
    """
    local = part.times.tz_convert(part.series.timezone)
    return list(pd.date_range(local[0].normalize(), local[-1], freq=WEEK))


def forecast(run: Run, split: Split, week: int) -> pd.DataFrame:
    """A week of the test part by a run: index local time, columns measured and forecast, in the series' unit.

    A row that is missing from the series, or whose inputs are, is NaN.
    """
    part = split.test
    begins = weeks(part)[week]
    local = part.times.tz_convert(part.series.timezone)
    rows = np.flatnonzero((local >= begins) & (local < begins + WEEK))
    yhat = split.unscale(run.record.predict(part.take(rows)[0], "last"))
    frame = pd.DataFrame({"measured": part.actual[rows, 0], "forecast": yhat[:, 0]}, index=local[rows])
    return frame.reindex(pd.date_range(frame.index[0], frame.index[-1], freq=part.series.step))

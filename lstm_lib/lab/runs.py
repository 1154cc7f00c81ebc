"""Settings, and the Run that a training leaves: as a table, as a file that is loaded again, as a forecast.

Nouns: `Settings` say on what and how is trained, all but the isolation; a `Run` is one finished training; a `Curve` is
pairs of training seconds and validation RMSE.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from lstm_lib.network.cells import get_cell
from lstm_lib.network.spec import Params, Spec, is_whole
from lstm_lib.series import SeriesError, Split, Windows, load_series, naive_forecasts, windows
from lstm_lib.series.reading import file_of
from lstm_lib.training.evidence import Evidence
from lstm_lib.training.samples import predict

EMBEDDED = ("sceaux", "fontana")
SHARES = {"last quarter": 0.25, "last half": 0.5, "all": 1.0}  # of the rows of a series
OPTIONS = ("target", "time", "timezone", "unit", "columns")  # of a file, as `load_series` names them
Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Settings:
    """On what and how is trained; runs with equal settings are compared.

    Parameters
    ----------
    series : "sceaux", "fontana", or the path of a file.
    options : for a file, pairs of a name in `OPTIONS` and a text; "columns" takes names with commas between.
    share : of the rows of the series, its last ones, in (0, 1].
    units, cell : of the network, as in `Spec`.
    epochs, seed, batch, lookback, lr : as `fit`, `windows` and `Adam` name them; lr falls to 0 by a cosine.

    Raises ValueError that names the setting and what was expected.

    >>> Settings(units=(32, 16)).network
    'sceaux last quarter, 32+16 units, 4 epochs, seed 0'
    """

    series: str = "sceaux"
    options: tuple[tuple[str, str], ...] = ()
    share: float = 0.25
    units: tuple[int, ...] = (64,)
    epochs: int = 4
    seed: int = 0
    batch: int = 32
    lookback: int = 72
    lr: float = 4e-3
    cell: str = "standard"

    def __post_init__(self) -> None:
        if not self.series:
            raise ValueError("no file is given; type its path, or upload it")
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share!r}; expected a number above 0 and at most 1")
        if not self.units or not all(is_whole(H, 1) for H in self.units):
            raise ValueError(f"units is {self.units!r}; expected a whole number of at least 1 for each layer")
        get_cell(self.cell)
        for name, least in (("epochs", 1), ("seed", 0), ("batch", 1), ("lookback", 1)):
            if not is_whole(getattr(self, name), least):
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; expected a whole number of at least {least}"
                )

    @property
    def network(self) -> str:
        """The settings in a few words."""
        shares = {share: name for name, share in SHARES.items()}
        rows = shares.get(self.share, f"last {self.share:.0%}")
        units = "+".join(map(str, self.units)) + f" {self.cell}" * (self.cell != "standard")
        name = self.series.replace("\\", "/").rsplit("/", 1)[-1]
        return f"{name} {rows}, {units} units, {self.epochs} epochs, seed {self.seed}"

    def spec(self, inputs: int) -> Spec:
        """The network over so many inputs."""
        return Spec(inputs, self.units, outputs=1, cell=self.cell)


def read_units(text: str) -> tuple[int, ...]:
    """Units of each layer from a text.

    >>> read_units("64"), read_units("64, 32"), read_units("64+32")
    ((64,), (64, 32), (64, 32))
    """
    parts = text.replace(",", " ").replace("+", " ").split()
    if not parts or not all(part.isdecimal() for part in parts):
        raise ValueError(f"units is {text!r}; give one whole number for each layer, such as 64 or 64, 32")
    return tuple(map(int, parts))


def load(settings: Settings) -> Split:
    """The series of the settings, cut into windows; remembered, as long as its file stays as it is.

    Raises SeriesError or OSError for a file that can't be read, with what was expected.
    """
    file = file_of(settings.series).stat()
    return _load(
        settings.series, settings.options, settings.share, settings.lookback, (file.st_mtime_ns, file.st_size)
    )


@lru_cache(maxsize=8)
def _load(
    name: str, options: tuple[tuple[str, str], ...], share: float, lookback: int, state: tuple[int, int]
) -> Split:
    given: dict[str, Any] = {option: text.strip() for option, text in options if text.strip()}
    if "columns" in given:
        given["columns"] = [column.strip() for column in given["columns"].split(",")]
    series = load_series(name, **given)
    series = series.with_calendar(*(["hour"] if series.step < pd.Timedelta("1D") else []), "weekday")
    rows = max(2, round(share * len(series.frame)))
    try:
        return windows(dataclasses.replace(series, frame=series.frame.iloc[-rows:]), lookback=lookback)
    except SeriesError as error:
        more = "" if share == 1 else f" Or take more of its rows than the last {share:.0%}."
        raise SeriesError(f"{error}{more}") from None


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
    zone : text of what was isolated; "nothing" and no span is a dense run.
    arcs : share of the network's arcs in the zone, 0 to 1 (of the draws, where it was drawn anew).
    predicted, measured : how many times as fast as the dense run, by the count of work and by steps that took
        turns with dense ones; NaN where it was not measured.
    seconds : of training alone; of what was done, if it was stopped.
    rmse : of validation, in `unit`.
    stopped : "" for a complete run, else how and where it ended, such as "stopped in epoch 2 of 4".
    """

    name: str
    settings: Settings
    zone: str
    depth: str
    span: int | None
    from_epoch: int
    redraw: bool
    arcs: float
    predicted: float
    measured: float
    seconds: float
    rmse: float
    unit: str
    curve: Curve
    params: Params = field(repr=False)
    stopped: str = ""
    evidence: Evidence | None = field(default=None, repr=False)  # of its arcs; not kept in a file

    @property
    def dense(self) -> bool:
        """Whether nothing was left out."""
        return self.zone == "nothing" and self.span is None

    @property
    def schedule(self) -> str:
        """The schedule in words."""
        words = [f"from epoch {self.from_epoch}"] * (self.from_epoch > 1) + ["redrawn"] * self.redraw
        return ", ".join(words)


def history(curve: Curve) -> pd.DataFrame:
    """A curve as `lstm_lib.plots.time_and_error` takes it."""
    seconds, errors = np.array(curve).reshape(-1, 2).T
    return pd.DataFrame({"seconds": np.diff(seconds, prepend=0.0), "valid_rmse": errors})


def dense_of(runs: Sequence[Run], settings: Settings) -> Run | None:
    """The latest complete dense run of these settings."""
    return next((r for r in reversed(runs) if r.dense and r.settings == settings and not r.stopped), None)


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
    """The runs as one file, which `from_zip` reads: `runs.json`, and the parameters of each as `K.npz`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as folder:
        about = [vars(run) | {"settings": vars(run.settings)} for run in runs]
        kept = [{k: v for k, v in row.items() if k not in ("params", "evidence")} for row in about]
        folder.writestr("runs.json", json.dumps(kept))
        for k, run in enumerate(runs):
            arrays = io.BytesIO()
            np.savez_compressed(arrays, allow_pickle=False, **run.params)
            folder.writestr(f"{k}.npz", arrays.getvalue())
    return file.getvalue()


def from_zip(content: bytes) -> tuple[Run, ...]:
    """The runs that `to_zip` wrote; ValueError for a file of another kind."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as folder:
            about = json.loads(folder.read("runs.json"))
            return tuple(_run(row, folder.read(f"{k}.npz")) for k, row in enumerate(about))
    except (zipfile.BadZipFile, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(
            f"this is not a file of runs ({error}); expected runs.zip, as the page saves it"
        ) from None


def _run(row: dict[str, Any], content: bytes) -> Run:
    if not row["name"].partition(" ")[0].isdecimal():
        raise ValueError(f"the name {row['name']!r} has no number")
    with np.load(io.BytesIO(content)) as arrays:
        params = dict(arrays)
    settings = row.pop("settings")
    settings = Settings(
        **settings | {"units": tuple(settings["units"]), "options": tuple(map(tuple, settings["options"]))}
    )
    curve = tuple((float(seconds), float(error)) for seconds, error in row.pop("curve"))
    return Run(**row, settings=settings, curve=curve, params=params)


# ----------------------------------------------------------------------------------------------------- test weeks

WEEK = pd.Timedelta("7D")


def weeks(part: Windows) -> list[pd.Timestamp]:
    """The local midnights at which the weeks of a part begin.

    >>> weeks(load(Settings()).test)[0]
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
    spec = run.settings.spec(len(split.inputs))
    x = part.take(rows)[0]
    frame = pd.DataFrame(
        {"measured": part.actual[rows, 0], "forecast": split.unscale(predict(spec, run.params, x))[:, 0]},
        index=local[rows],
    )
    return frame.reindex(pd.date_range(frame.index[0], frame.index[-1], freq=part.series.step))

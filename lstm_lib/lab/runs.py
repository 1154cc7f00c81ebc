"""The `Run` that a training leaves, of one seed or several; beside the dense run of the same settings, as a table.

Nouns: a `Trained` is one seed's record and curve; a `Curve` is pairs of training seconds and validation RMSE, at the
same steps for every seed; a `Run` is what was isolated (`choice`), its settings, and what was trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from lstm_lib.lab.choice import Choice
from lstm_lib.lab.settings import Settings
from lstm_lib.series import Split
from lstm_lib.training.record import Record

Curve = tuple[tuple[float, float], ...]
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # how many standard errors an interval of 95 % reaches


class Trained(NamedTuple):
    """One seed: its curve, whose last point is the whole, and its record."""

    seed: int
    curve: Curve
    record: Record


@dataclass(frozen=True, eq=False)
class Run:
    """What was trained with one choice.

    Parameters
    ----------
    number, what : its name: a number of its own, and what was isolated in few words, or "dense".
    choice : what was isolated, and how; one that isolates nothing is a dense run.
    arcs : share of the network's arcs in the zone, 0 to 1 (of the draws, where it was drawn anew).
    predicted, measured : how many times as fast as the dense run, by the count of work and by steps that took
        turns with dense ones; NaN where it was not measured.
    unit : of the errors.
    trained : its seeds, at least one.
    stopped : "" for a complete run, else how and where it ended, such as "stopped in epoch 2 of 4".
    """

    number: int
    what: str
    settings: Settings
    choice: Choice
    arcs: float
    predicted: float
    measured: float
    unit: str
    trained: tuple[Trained, ...] = field(repr=False)
    stopped: str = ""

    @property
    def name(self) -> str:
        """What it is called in lists and figures."""
        return f"{self.number} {self.what}"

    @property
    def record(self) -> Record:
        """That of the first seed."""
        return self.trained[0].record

    @property
    def seeds(self) -> list[int]:
        """In the order they were trained."""
        return [one.seed for one in self.trained]

    @property
    def seconds(self) -> float:
        """Of training alone, mean over the seeds."""
        return float(np.mean([one.curve[-1][0] for one in self.trained]))

    @property
    def rmse(self) -> float:
        """Of validation, in `unit`, mean over the seeds."""
        return float(np.mean([one.curve[-1][1] for one in self.trained]))

    @property
    def dense(self) -> bool:
        """Whether nothing was left out."""
        return self.choice.is_dense(self.record.spec)


def band(curves: Sequence[Curve]) -> np.ndarray:
    """(points, 4): seconds and error, means over the seeds, and the least and largest error; points that all have.

    >>> band([((1.0, 0.5), (2.0, 0.4)), ((3.0, 0.7),)])
    array([[2. , 0.6, 0.5, 0.7]])
    """
    shared = min(map(len, curves))
    at = np.array([curve[:shared] for curve in curves]).reshape(len(curves), shared, 2)
    seconds, error = at[..., 0], at[..., 1]
    return np.stack([seconds.mean(0), error.mean(0), error.min(0), error.max(0)], axis=1)


def dense_of(runs: Sequence[Run], settings: Settings) -> Run | None:
    """The latest complete dense run of these settings."""
    return next((r for r in reversed(runs) if r.dense and r.settings == settings and not r.stopped), None)


class Difference(NamedTuple):
    """How many % the error is above dense, mean over the seeds that both have, and the bounds of 95 %.

    The bounds are Student's for paired differences, which are fit for three to five seeds where a bootstrap is not;
    NaN for a single seed.
    """

    percent: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether 0 lies outside the bounds."""
        return self.low > 0 or self.high < 0


def difference(run: Run, dense: Run | None) -> Difference:
    """The error of a run beside that of the dense run, paired by seed; NaN where they have no seed in common."""
    there = {} if dense is None else {one.seed: one.curve[-1][1] for one in dense.trained}
    pairs = [(one.curve[-1][1], there[one.seed]) for one in run.trained if one.seed in there]
    percent = np.array([100 * (here / other - 1) for here, other in pairs])
    if not len(percent):
        return Difference(math.nan, math.nan, math.nan)
    mean, n = float(percent.mean()), len(percent)
    reach = STUDENT[n] * float(percent.std(ddof=1)) / math.sqrt(n) if n in STUDENT else math.nan
    return Difference(mean, mean - reach, mean + reach)


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
    """A row a run; `to dense` is the `Difference` of its error to that of the dense run of the same settings, in %."""
    rows = []
    for run in runs:
        nothing, apart = run.choice.zone == "nothing", difference(run, dense_of(runs, run.settings))
        rows.append(
            {
                "run": run.name,
                "zone": f"{run.arcs:.0%} of the arcs" if run.choice.redraw else run.choice.zone,
                "depth": "" if nothing else run.choice.depth,
                "span": "" if run.choice.span is None else str(run.choice.span),
                "schedule": run.choice.schedule(),
                "arcs isolated %": 100 * run.arcs,
                "predicted speed-up": run.predicted,
                "measured speed-up": run.measured,
                "seeds": len(run.trained),
                "seconds": run.seconds,
                "RMSE": run.rmse,
                "unit": run.unit,
                "to dense %": apart.percent,
                "low": apart.low,
                "high": apart.high,
                "stopped": run.stopped,
                "settings": run.settings.network,
            }
        )
    return pd.DataFrame(rows)


# ----------------------------------------------------------------------------------------------------- test weeks

WEEK = pd.Timedelta("7D")


def weeks(split: Split) -> list[pd.Timestamp]:
    """The local midnights at which the weeks of the test part begin.

    >>> from lstm_lib.lab.settings import LastRows
    >>> weeks(LastRows(share=0.25).split())[0]
    Timestamp('2010-10-06 00:00:00+0100', tz='Etc/GMT-1')
    """
    local = split.test.times.tz_convert(split.series.timezone)
    return list(pd.date_range(local[0].normalize(), local[-1], freq=WEEK))


def forecast(run: Run, split: Split, week: int) -> pd.DataFrame:
    """A week of the test part by a run's first seed: index local time, columns measured and forecast, in its unit.

    A row that is missing from the series, or whose inputs are, is NaN.
    """
    part, begins = split.test, weeks(split)[week]
    local = part.times.tz_convert(part.series.timezone)
    rows = np.flatnonzero((local >= begins) & (local < begins + WEEK))
    yhat = split.unscale(run.record.predict(part.take(rows)[0], "last"))
    frame = pd.DataFrame({"measured": part.actual[rows, 0], "forecast": yhat[:, 0]}, index=local[rows])
    return frame.reindex(pd.date_range(frame.index[0], frame.index[-1], freq=part.series.step))

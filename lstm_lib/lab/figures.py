"""Figures of the page, each with its words: curves, time and error of all runs, a test week and the next day by two."""

from __future__ import annotations

import io
from itertools import cycle
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from lstm_lib.lab.ahead import LEVEL, margin, next_day
from lstm_lib.lab.runs import Run, band, dense_of, forecast, weeks
from lstm_lib.lab.settings import last_value_error
from lstm_lib.lab.state import State
from lstm_lib.lab.texts import say, say_within
from lstm_lib.plots import lines
from lstm_lib.plots.forecasts import forecast as forecast_figure
from lstm_lib.plots.forecasts import newest
from lstm_lib.plots.look import PALETTE, SEQUENCE, canvas, legend_above
from lstm_lib.series import SeriesError, Split

# names of runs and columns are not formulas, whatever signs are in them
AS_WRITTEN = mpl.rc_context({"text.parse_math": False})
SIZE, WIDE = (5.6, 2.5), (6.9, 2.2)  # inches, of 100 pixels each on the page


class Dates(ConciseDateFormatter):
    """Dates of an axis in a time zone and a language."""

    def __init__(self, ax: Axes, zone: Any, language: str) -> None:
        super().__init__(ax.xaxis.get_major_locator(), tz=zone)  # type: ignore[no-untyped-call]
        self.language = language

    def format_ticks(self, values: Any) -> list[str]:
        """The labels."""
        found = super().format_ticks(values)  # type: ignore[no-untyped-call]
        return [say_within(self.language, text) for text in found]

    def get_offset(self) -> str:
        """The date that they have in common."""
        return say_within(self.language, super().get_offset())  # type: ignore[no-untyped-call]


class Drawn(NamedTuple):
    """A figure, and what it shows in words."""

    figure: Figure
    words: str

    def as_bytes(self, form: str = "svg") -> bytes:
        """The figure as "svg" or "png", and closed."""
        file = io.BytesIO()
        self.figure.savefig(file, format=form, dpi=200, metadata={"Date": None} if form == "svg" else None)
        plt.close(self.figure)
        return file.getvalue()


@AS_WRITTEN
def curves(state: State) -> Drawn | None:
    """Validation error over training time of the runs under way, or of the last one, beside the dense run.

    Of several seeds: the mean, in a band from the least to the largest error; the seed that is trained is a thin line.
    """
    shown = state.live or (state.runs[-1] if state.runs else None)
    if shown is None:
        return None
    live = {} if state.live is None else dict(state.live.curves)
    last = [dense_of(state.runs, shown.settings), *state.runs[-1:]]
    kept = {run.name: run for run in last if run is not None and run.settings == shown.settings}
    kept |= {run.name: run for run in state.runs if run.name in live}
    if live:
        kept = {name: run for name, run in kept.items() if run.dense or name in live}
    bands = {name: band([one.curve for one in run.trained]) for name, run in kept.items()}
    bands |= {name: band([curve]) for name, curve in live.items() if curve and name not in bands}
    if not bands:
        return None
    split = shown.settings.task.split()
    unit = split.series.unit
    fig, ax = canvas(size=SIZE, layout="none")  # in half the time, and axes stand still while a curve grows
    fig.subplots_adjust(0.125, 0.2, 0.98, 0.87)
    lines.curves(
        {say_within(state.language, name): (at[:, 0], at[:, 1]) for name, at in bands.items()},
        say(state.language, "training time (s)"), _error_axis(state, unit),
        limits={say(state.language, "last value"): last_value_error(split)}, marks="equal", ax=ax,
    )  # fmt: skip
    for colour, (name, at) in zip(cycle(SEQUENCE), bands.items(), strict=False):
        ax.fill_between(at[:, 0], at[:, 2], at[:, 3], color=colour, alpha=0.2, lw=0)
        if name in kept and live.get(name):
            ax.plot(*zip(*live[name], strict=True), color=colour, lw=0.8)
    ax.set_xlim(left=0)
    legend_above(ax, len(bands))
    latest = "; ".join(f"{name}: {at[-1, 1]:.3f}" for name, at in bands.items())
    said = say(state.language, "Validation RMSE over training time. Latest values:")
    return Drawn(fig, f"{said} {latest} {unit}.")


@AS_WRITTEN
def all_runs(state: State) -> Drawn:
    """Every run as a point, at least one: training time across, validation error up; dense runs are squares."""
    fig, ax = canvas(size=WIDE)
    task = state.runs[-1].settings.task
    runs = [run for run in state.runs if run.settings.task == task]  # errors of other hours don't compare
    left = len(state.runs) - len(runs)
    for k, run in enumerate(runs):
        marker, colour = ("s", PALETTE["black"]) if run.dense else ("o", SEQUENCE[k % len(SEQUENCE)])
        face = "none" if run.stopped else colour
        ends = np.array([one.curve[-1] for one in run.trained])
        ax.vlines(run.seconds, ends[:, 1].min(), ends[:, 1].max(), color=colour, lw=1.2, alpha=0.6)
        ax.plot(run.seconds, run.rmse, marker=marker, color=colour, markerfacecolor=face, ls="", ms=7)
        ax.annotate(str(run.number), (run.seconds, run.rmse), (6, 5), textcoords="offset points")
    ax.set(xlabel=say(state.language, "training time (s)"), ylabel=_error_axis(state, state.runs[-1].unit))
    ax.set_xlim(0, 1.08 * max(run.seconds for run in runs))  # with room for the last number
    errors = [one.curve[-1][1] for run in runs for one in run.trained]
    low, high = min(errors), max(errors)
    room = max(0.02 * high, 0.25 * (high - low))  # so that a difference of some per mille looks like one
    ax.set_ylim(low - room, high + room)
    others = say(state.language, f"; {left} runs on other data aren't shown") * bool(left)
    legend = say(
        state.language, "■ dense   ● isolated   hollow: stopped; bars: all seeds; numbers as in the table"
    )
    ax.set_title(legend + others, fontsize="small")
    points = "; ".join(f"{run.name}: {run.seconds:.1f} s, {run.rmse:.3f} {run.unit}" for run in runs)
    said = say(state.language, "Training time and validation RMSE of all runs")
    return Drawn(fig, f"{said}{others}. {points}.")


@AS_WRITTEN
def week(state: State) -> Drawn:
    """The chosen test week as measured and as forecast, by the two runs that are shown, side by side; below, the day
    after the last row. Bands hold 90 % of what was not trained on.

    Raises ValueError or OSError if the series of a run can't be read any more.
    """
    words = []
    with mpl.rc_context({"font.size": 8}):
        fig, axes = canvas(2, 2, (WIDE[0], 2 * WIDE[1]), sharey="row")
        for (above, below), run in zip(axes.T, _shown(state), strict=True):
            split = run.settings.task.split()
            frame = forecast(run, split, min(state.week, len(weeks(split)) - 1))
            measured, yhat = frame["measured"].to_numpy(), frame["forecast"].to_numpy()
            reach = margin(run, split)
            band = {} if np.isnan(reach) else {f"{LEVEL:.0%} interval": (yhat - reach, yhat + reach)}
            forecast_figure(
                pd.DatetimeIndex(frame.index), measured, {run.name: yhat}, run.unit, ax=above, bands=band
            )
            error = f"{np.sqrt(np.nanmean((yhat - measured) ** 2)):.3f} {run.unit}"
            words.append(f"{run.name}: RMSE {error}{_day(state, run, split, below)}")
            above.set_xlabel(f"{say(state.language, 'RMSE of this week:')} {error}", loc="left")
            for ax in (above, below):
                ax.set_ylabel(_with_unit(split.series.target, run.unit))
                handles, labels = ax.get_legend_handles_labels()
                if not handles:
                    continue
                ax.xaxis.set_major_formatter(Dates(ax, split.series.timezone, state.language))
                spoken = [say(state.language, say_within(state.language, text)) for text in labels]
                named = slice(1, 2) if ax is above and below.get_legend() else slice(None)  # the others below
                legend_above(ax, 3, handles=handles[named], labels=spoken[named])
                ax.get_legend().set_in_layout(False)  # or a long name would leave no room for the axes;
                ax.set_title(" ")  # its height is that of a title
        for ax in axes[:, 1]:
            ax.set_ylabel("")
    said = say(state.language, "A week of the test part, measured and forecast, and the next day.")
    return Drawn(fig, f"{said} {'; '.join(words)}.")


def _day(state: State, run: Run, split: Split, ax: Axes) -> str:
    """Draw the day after the last row, or say why there is none; in words, its mean."""
    try:
        table = next_day(run, split)
    except SeriesError as error:
        why = f"{say(state.language, 'No next day:')} {say(state.language, str(error))}"
        ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", wrap=True)
        ax.set(xticks=[], yticks=[])
        return f"; {why}"
    newest(split.series, table, 2, ax)
    ax.set_xlabel(say(state.language, "the day after the last row"), loc="left")
    mean = f"{table['forecast'].mean():.3f} {run.unit}"
    return f"; {say(state.language, 'mean of the next day')} {mean}"


def weeks_to_test(state: State) -> list[pd.Timestamp]:
    """The beginnings of the weeks that can be chosen: those of the run on the left; none if it can't be read."""
    try:
        return weeks(_shown(state)[0].settings.task.split())
    except (ValueError, OSError):
        return []


def _shown(state: State) -> list[Run]:
    """The runs whose forecasts stand side by side; there is one at least."""
    named = {run.name: run for run in state.runs}
    return [named[name] for name in state.shown]


def _error_axis(state: State, unit: str) -> str:
    return _with_unit(say(state.language, "validation RMSE"), unit)


def _with_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name

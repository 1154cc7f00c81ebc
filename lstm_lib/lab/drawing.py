"""The views of the page in its widgets: each puts a part of the state there, when that part has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from lstm_lib.lab import figures, grid, sharing, views
from lstm_lib.lab.controls import Controls
from lstm_lib.lab.report import picture
from lstm_lib.lab.runs import tell_apart
from lstm_lib.lab.settings import SHARES, read_units
from lstm_lib.lab.state import State, lacks, scores
from lstm_lib.lab.strip import strip
from lstm_lib.lab.texts import say, say_within
from lstm_lib.series.layouts import EMBEDDED
from lstm_lib.training.statistics import STATISTICS

REDRAW = 1.0  # seconds between two pictures of a curve that grows


class Drawing(Controls):
    """The widgets, and the state that they show."""

    def __init__(self, state: State) -> None:
        self.state = state
        super().__init__(state.settings)
        self._drawing = False  # widgets that are set meanwhile report nothing
        self._next_picture = 0.0
        # what draws a part of the page, and on what of the state it depends
        self.views: dict[Callable[[State], None], Callable[[State], Any]] = {
            self._draw_labels: lambda s: s.language,
            self._draw_settings: lambda s: (s.settings, s.seeds, s.language),
            self._draw_map: lambda s: (s.spec, s.choice.blocks, s.statistic, s.runs, s.epoch, s.language),
            self._draw_replay: lambda s: (s.replay, s.epoch, s.language),
            self._draw_selection: lambda s: (s.zone, s.choice.blocks, s.budget),
            self._draw_isolation: lambda s: (s.settings, s.choice, s.live is None, s.runs, s.language),
            self._draw_news: lambda s: (s.message, s.live, s.language),
            self._draw_curves: lambda s: (s.runs, s.live, s.language),
            self._draw_runs: lambda s: (s.runs, s.language),
            self._draw_strip: lambda s: (s.settings, s.choice, s.runs, s.language),
            self._draw_hidden: lambda s: s.hidden,
            self._draw_tour: lambda s: (s.tour, s.language),
            self._draw_forecast: lambda s: (s.runs, s.shown, s.week, s.language),
            self._draw_shared: lambda s: (s.settings, s.seeds, s.choice, s.statistic, s.language, s.hidden),
        }  # fmt: skip
        self.seen: dict[Callable[[State], None], Any] = {}

    def draw(self) -> None:
        """Draw the views whose part of the state has changed; widgets that are set meanwhile report nothing."""
        self._drawing = True
        try:
            for view, reads in self.views.items():
                if (read := reads(self.state)) != self.seen.get(view):
                    self.seen[view] = read
                    view(self.state)
        finally:
            self._drawing = False

    def _draw_labels(self, state: State) -> None:
        self.language.value = state.language
        self.speak(state.language)

    def _draw_strip(self, state: State) -> None:
        T = state.settings.task.unrolled
        if self.back_in_time.max != T:
            self.back_in_time.max = self.play.max = T
            self.back_in_time.value = T
        self.draw_strip()

    def draw_strip(self) -> None:
        """The errors as far as they have travelled back."""
        self.strip.value = strip(self.state, self.back_in_time.value)

    def _draw_hidden(self, state: State) -> None:
        for name, parts in self.parts.items():
            for part in parts:
                part.layout.display = "none" if name in state.hidden else ""

    def _draw_tour(self, state: State) -> None:
        self.guided.layout.display = "" if state.tour else "none"
        self.guide.value = views.guide(state)

    def _draw_settings(self, state: State) -> None:
        settings, task = state.settings, state.settings.task
        self.seeds.value = state.seeds
        if state.refused:
            return  # what stands there is to be mended
        if task.series in EMBEDDED:
            self.series.value, self.file_row.layout.display = task.series, "none"
        self.share.value = next((name for name, share in SHARES.items() if share == task.share), "all")
        self.samples.value, self.cell.value = sharing.samples_of(task), settings.cell
        if read_units(self.units.value) != settings.units:
            self.units.value = "+".join(map(str, settings.units))
        self.epochs.value, self.seed.value = settings.epochs, settings.seed

    def _draw_shared(self, state: State) -> None:
        self.link.value = sharing.to_text(state)
        self.map.address = sharing.to_search(state)
        self.code.value = views.code(state)

    def _draw_map(self, state: State) -> None:
        found, units = grid.make_grid(state.spec, state.choice.blocks), "+".join(map(str, state.spec.units))
        mean: pd.Series[float] = scores(state, found.cut).values / found.sizes
        with self.map.hold_sync():
            self.map.size = [grid.WIDTH, grid.TOP + grid.ROWS]
            self.map.label = f"{say(state.language, 'Map of the network; units:')} {units}"
            self.map.items = [vars(i) | {"label": say(state.language, i.label)} for i in found.items]
            self.map.shades = grid.shades(mean)
            self.map.values = {
                str(
                    name
                ): f"{say(state.language, f'{size:,.0f} arcs')} · {state.statistic} {value:.3g}".replace(
                    " nan", " –"
                )
                for (name, value), size in zip(mean.items(), found.sizes, strict=True)
            }
            unknown = say(state.language, "; grey: isolated all the time") * bool(mean.isna().any())
            self.map.legend = f"{state.statistic}, {say(state.language, 'by rank')}{unknown}"
        self.statistic.options = [
            (f"{name} ({say(state.language, 'train first')})" if lacks(state, name) else name, name)
            for name in STATISTICS
        ]
        self.blocks.value, self.statistic.value = state.choice.blocks, state.statistic
        about = STATISTICS[state.statistic]
        self.says.value = views.small(f"{say(state.language, about.says)} · {about.source}")

    def _draw_replay(self, state: State) -> None:
        last = 1 + (len(state.replay.epochs) if state.replay else 0)
        self.epoch.max = self.replay.max = last
        self.epoch.disabled = self.replay.disabled = last == 1
        self.epoch.value = state.epoch or last
        self.seen_then.value = views.then(state)

    def _draw_selection(self, state: State) -> None:
        self.map.shares = grid.shares(state.zone, grid.make_grid(state.spec, state.choice.blocks))
        self.text.value = state.choice.zone if state.zone.size else ""
        self.budget.value = 100 * state.budget

    def _draw_isolation(self, state: State) -> None:
        self.price.value, unfit = views.price(state)
        self.go.disabled = unfit or state.live is not None
        self.span.max, self.from_epoch.max = state.settings.task.unrolled, state.settings.epochs
        how = state.choice
        self.depth.value, self.span.value = how.depth, how.span or self.span.max
        self.from_epoch.value, self.redraw.value = how.from_epoch, how.redraw
        for name, text in views.explained(state).items():
            self.how[name].value = views.small(text)

    def _draw_news(self, state: State) -> None:
        self.message.value = views.message(state)
        self.halt.disabled = state.live is None
        self.bar.value = 0 if state.live is None else state.live.done
        self.status.value = views.live(state)

    def _draw_curves(self, state: State) -> None:
        now = time.monotonic()
        points = sum(len(curve) for _, curve in state.live.curves) if state.live else 0
        if state.live is not None and points != 1 and now < self._next_picture:
            return
        self.curves.value = picture(state, "curves")
        # a picture keeps clicks waiting: no more than a tenth of the time goes into pictures
        self._next_picture = time.monotonic() + max(REDRAW, 10 * (time.monotonic() - now))

    def _draw_runs(self, state: State) -> None:
        self.table.value, self.challenges.value = views.table(state), views.challenges(state)
        self.points.value = picture(state, "points")
        for button in (self.csv, self.png, self.zip):
            button.disabled = not state.runs

    def _draw_forecast(self, state: State) -> None:
        names = {
            say_within(state.language, f"{run.name} {apart}"): run.name
            for run, apart in zip(state.runs, tell_apart(state.runs), strict=True)
        }
        self.week_picture.value = picture(state, "week")
        if not names:
            return
        for dropdown, name in zip((self.first, self.second), state.shown, strict=True):
            dropdown.options, dropdown.value = list(names.items()), name
        begins = figures.weeks_to_test(state)
        self.week.options = [
            (say_within(state.language, f"{day:%d %b %Y}"), k) for k, day in enumerate(begins)
        ]
        self.week.value = min(state.week, len(begins) - 1) if begins else None
